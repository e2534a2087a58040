/* Requests on the compute queue, and which results frames may read. */
#include "work.h"

#include <stdio.h>

static bool create_stamps(window_device *device, work_slot *slot)
{
    const bool made = compute_create_stamps(&device->compute, MODEL_SIDES * MODEL_STAMPS, &slot->stamps);
    if (!made)
        snprintf(device->error, sizeof device->error, "%s", device->compute.error);
    return made;
}

static bool create_slot(window_work *work, work_slot *slot)
{
    window_device *device = work->model->device;
    const VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, work->pool,
                                                  VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    slot->waited_for = true;
    return window_check(device, vkAllocateCommandBuffers(device->device, &allocate, &slot->commands),
                        "vkAllocateCommandBuffers") &&
           window_check(device, vkCreateFence(device->device, &fence, NULL, &slot->done), "vkCreateFence") &&
           window_check(device, vkCreateSemaphore(device->device, &semaphore, NULL, &slot->finished),
                        "vkCreateSemaphore") &&
           create_stamps(device, slot);
}

bool window_work_create(window_work *work, window_model *model)
{
    window_device *device = model->device;
    const VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL,
                                          VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, device->compute_family};
    *work = (window_work){.model = model, .shown = -1};
    if (!window_check(device, vkCreateCommandPool(device->device, &pool, NULL, &work->pool), "vkCreateCommandPool"))
        return false;
    for (uint32_t i = 0; i < MODEL_SLOTS; i++)
        if (!create_slot(work, &work->slots[i]))
            return false;
    return true;
}

void window_work_destroy(window_work *work)
{
    if (!work->model)
        return;
    const VkDevice device = work->model->device->device;
    for (uint32_t i = 0; i < MODEL_SLOTS; i++) {
        vkDestroyQueryPool(device, work->slots[i].stamps, NULL);
        vkDestroySemaphore(device, work->slots[i].finished, NULL);
        vkDestroyFence(device, work->slots[i].done, NULL);
    }
    vkDestroyCommandPool(device, work->pool, NULL);
    work->model = NULL;
}

bool window_work_runs(const window_work *work)
{
    for (uint32_t i = 0; i < MODEL_SLOTS; i++)
        if (work->slots[i].runs)
            return true;
    return false;
}

/* A slot that nothing shows, now or in a frame on its way. */
static int find_free_slot(const window_work *work, const window_swapchain *chain)
{
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const work_slot *slot = &work->slots[i];
        if (i != work->shown && slot->waited_for &&
            (slot->last_frame == 0 || window_frame_is_done(chain, slot->last_frame - 1)))
            return i;
    }
    return -1;
}

/* Within a queue's submissions to two families nothing else orders them: the semaphore makes the results visible to the
 * frame that waits for it. */
static bool submit(window_work *work, work_slot *slot)
{
    window_device *device = work->model->device;
    const bool last = slot->slice + 1 == work->model->slice_count;
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &slot->commands,
                               .signalSemaphoreCount = last,
                               .pSignalSemaphores = &slot->finished};
    return window_check(device, vkEndCommandBuffer(slot->commands), "vkEndCommandBuffer") &&
           window_check(device, vkResetFences(device->device, 1, &slot->done), "vkResetFences") &&
           window_submit(device, device->compute_queue, &info, slot->done);
}

static bool start_slice(window_work *work, work_slot *slot)
{
    window_model *model = work->model;
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    if (!window_check(model->device, vkBeginCommandBuffer(slot->commands, &begin), "vkBeginCommandBuffer"))
        return false;
    if (slot->stamps && slot->slice == 0)
        vkCmdResetQueryPool(slot->commands, slot->stamps, 0, MODEL_SIDES * MODEL_STAMPS);
    return model->functions->record(model, (uint32_t)(slot - work->slots), slot->slice, &slot->request, slot->commands,
                                    slot->stamps) &&
           submit(work, slot);
}

bool window_work_start(window_work *work, const window_swapchain *chain, const model_request *request, uint64_t version,
                       bool *started)
{
    const int index = window_work_runs(work) ? -1 : find_free_slot(work, chain);
    *started = index >= 0;
    if (index < 0)
        return true;
    work_slot *slot = &work->slots[index];
    slot->request = *request;
    slot->slice = 0;
    if (!start_slice(work, slot))
        return false;
    slot->runs = true;
    slot->waited_for = false;
    slot->version = version;
    return true;
}

/* The fence has passed: the timestamps are there. */
static bool read_stamps(const window_work *work, work_slot *slot)
{
    window_device *device = work->model->device;
    const compute *c = &device->compute;
    uint64_t ticks[MODEL_SIDES][MODEL_STAMPS];
    if (work->model->functions->times) {
        work->model->functions->times(work->model, (uint32_t)(slot - work->slots), slot->nanoseconds);
        return true;
    }
    if (!slot->stamps)
        return true;
    if (!window_check(device,
                      vkGetQueryPoolResults(device->device, slot->stamps, 0, MODEL_SIDES * MODEL_STAMPS, sizeof ticks,
                                            ticks, sizeof ticks[0][0], VK_QUERY_RESULT_64_BIT),
                      "vkGetQueryPoolResults"))
        return false;
    for (int side = 0; side < MODEL_SIDES; side++)
        slot->nanoseconds[side] = (double)((ticks[side][MODEL_STAMPS - 1] - ticks[side][0]) & c->timestamp_mask) *
                                  (double)device->info.timestamp_period;
    return true;
}

bool window_work_poll(window_work *work)
{
    window_device *device = work->model->device;
    for (int i = 0; i < MODEL_SLOTS; i++) {
        work_slot *slot = &work->slots[i];
        const VkResult result = slot->runs ? vkGetFenceStatus(device->device, slot->done) : VK_NOT_READY;
        if (result == VK_NOT_READY)
            continue;
        if (!window_check(device, result, "vkGetFenceStatus"))
            return false;
        if (++slot->slice < work->model->slice_count) {
            if (!start_slice(work, slot))
                return false;
            continue;
        }
        if (!read_stamps(work, slot))
            return false;
        slot->runs = false;
        slot->last_frame = 0;
        work->shown = i;
    }
    return true;
}

uint32_t window_work_show(window_work *work, uint64_t frame, VkSemaphore semaphores[MODEL_SLOTS])
{
    uint32_t count = 0;
    for (int i = 0; i < MODEL_SLOTS; i++) {
        work_slot *slot = &work->slots[i];
        if (slot->runs || (slot->waited_for && i != work->shown))
            continue;
        if (!slot->waited_for)
            semaphores[count++] = slot->finished;
        slot->waited_for = true;
        slot->last_frame = frame + 1;
    }
    return count;
}
