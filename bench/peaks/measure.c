/* What the kinds of peaks share: buffers, one piece of work and its time, and the best of several. */
#include "measure.h"

#include "program/progress.h"

#include <string.h>

#define REPEATS 24u       /* at most, and as long as there is time */

/* Large enough that caches do not hold it, small enough for the device. */
static VkDeviceSize choose_size(const smoe_device_info *info)
{
    VkDeviceSize size = (VkDeviceSize)(info->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? 128 : 512) << 20;
    const VkDeviceSize limits[] = {info->max_storage_buffer_range, info->max_allocation_size,
                                   info->device_memory_size / 8,
                                   (VkDeviceSize)info->max_workgroup_count[0] * PEAK_WORKGROUP_BYTES};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i] > 0 && limits[i] < size) /* 0: unknown */
            size = limits[i];
    return size / PEAK_WORKGROUP_BYTES * PEAK_WORKGROUP_BYTES;
}

/* Memory that was never written may not even exist: some systems let all of it read from one page of zeros. */
static bool fill_buffers(peak_bench *b)
{
    if (!compute_begin(&b->gpu))
        return false;
    for (int i = 0; i < 2; i++)
        b->gpu.vk.vkCmdFillBuffer(b->gpu.commands, b->buffers[i].buffer, 0, VK_WHOLE_SIZE, 0x3f800000);
    return compute_submit(&b->gpu);
}

static bool create_objects(peak_bench *b)
{
    static const VkDescriptorType types[2] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    const VkDeviceSize size = choose_size(b->info);
    compute *gpu = &b->gpu;

    const bool made =
        compute_create_on(gpu, &b->device.handles, b->info) && compute_create_layout(gpu, types, 2, &b->layout) &&
        compute_create_buffer(gpu, size, COMPUTE_LOCAL, "buffer that is read", &b->buffers[0]) &&
        compute_create_buffer(gpu, size, COMPUTE_LOCAL, "buffer that is written", &b->buffers[1]) &&
        compute_create_pool(gpu, &b->layout, 1, &b->pool) && compute_create_set(gpu, &b->layout, b->pool, &b->set) &&
        compute_create_stamps(gpu, 2, &b->stamps);
    if (made)
        compute_write_set(gpu, &b->layout, b->set, b->buffers);
    return made && fill_buffers(b);
}

bool peak_bench_prepare(peak_bench *b, smoe_device *device, char reason[BENCH_PEAK_REASON_SIZE])
{
    b->info = smoe_context_device_info(smoe_device_context(device));
    if (!peak_device_create(device, &b->device, reason))
        return false;
    const bool made = create_objects(b);
    if (!made)
        snprintf(reason, BENCH_PEAK_REASON_SIZE, "%s", b->gpu.error);
    return made;
}

void peak_bench_release(peak_bench *b)
{
    compute *gpu = &b->gpu;
    if (gpu->device) {
        gpu->vk.vkDestroyQueryPool(gpu->device, b->stamps, NULL);
        gpu->vk.vkDestroyDescriptorPool(gpu->device, b->pool, NULL);
    }
    for (int i = 0; i < 2; i++)
        compute_destroy_buffer(gpu, &b->buffers[i]);
    compute_destroy_layout(gpu, &b->layout);
    compute_destroy(gpu);
    peak_device_destroy(&b->device);
}

static void record(peak_bench *b, const peak_work *work)
{
    const VkBufferCopy whole = {0, 0, work->size};
    compute *gpu = &b->gpu;

    if (work->pipeline) {
        gpu->vk.vkCmdBindPipeline(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, work->pipeline);
        gpu->vk.vkCmdBindDescriptorSets(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, b->layout.layout, 0, 1, &b->set,
                                        0, NULL);
        gpu->vk.vkCmdPushConstants(gpu->commands, b->layout.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof work->push,
                                   &work->push);
    }
    for (uint32_t i = 0; i < work->repeats; i++) {
        if (work->pipeline)
            gpu->vk.vkCmdDispatch(gpu->commands, work->workgroups, 1, 1);
        else
            gpu->vk.vkCmdCopyBuffer(gpu->commands, work->from, work->to, 1, &whole);
        if (work->barriers)
            compute_barrier(gpu, gpu->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    }
}

bool peak_time_once(peak_bench *b, const peak_work *work, double *nanoseconds)
{
    compute *gpu = &b->gpu;
    double stamps[2];

    if (!compute_begin(gpu))
        return false;
    compute_first_stamp(gpu, gpu->commands, b->stamps, 0, 2);
    record(b, work);
    compute_stamp(gpu, gpu->commands, b->stamps, 1);
    const double begin = program_now();
    if (!compute_submit(gpu))
        return false;
    *nanoseconds = program_now() - begin;
    if (!b->stamps)
        return true;
    if (!compute_check(gpu, compute_read_stamps(gpu, b->stamps, 0, 2, stamps), "vkGetQueryPoolResults"))
        return false;
    *nanoseconds = stamps[1];
    return true;
}

bool peak_best_times(peak_bench *b, const peak_work *works, uint32_t count, double *best, bench_peak *out)
{
    const uint32_t most = b->most_repeats > 0 && b->most_repeats < REPEATS ? b->most_repeats : REPEATS;
    const double end = program_now() + b->time;
    uint32_t runs = 0;

    for (; runs <= most && (runs <= 1 || program_now() < end); runs++)
        for (uint32_t i = 0; i < count; i++) {
            double time;
            if (!peak_time_once(b, &works[i], &time))
                return false;
            if (runs <= 1 || time < best[i])
                best[i] = time;
        }
    out->best_of = runs - 1;
    return true;
}
