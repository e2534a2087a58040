#include "engine_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"

#define MODEL "tests/vision/check_smooth.safetensors"

static void lock(void *user)
{
    engine_fixture *fixture = user;
    pthread_mutex_lock(&fixture->queue);
    fixture->lock_count++;
}

static void unlock(void *user)
{
    pthread_mutex_unlock(&((engine_fixture *)user)->queue);
}

void engine_fixture_open(engine_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    test_record_init(&fixture->record);
    fixture->log = test_record_log(&fixture->record);
    assert_int_equal(pthread_mutex_init(&fixture->queue, NULL), 0);
    assert_true(app_open(&fixture->app, APP_EVERYTHING_ENABLED));
    assert_true(vision_model_open(&fixture->model, MODEL, &fixture->log));
    const smoe_tensor *images = smoe_layer_file_tensor(fixture->model.file, "images");
    assert_non_null(images);
    fixture->images = images->data;
    fixture->image_count = (uint32_t)images->shape[0];
    fixture->image_numbers = 3 * fixture->model.image_size * fixture->model.image_size;
}

gpu_desc engine_fixture_describe(engine_fixture *fixture, PFN_vkGetInstanceProcAddr get_instance_proc_addr,
                                 const smoe_allocator *allocator)
{
    test_app *app = &fixture->app;
    smoe_context_desc desc = app_context_desc(app, allocator, &fixture->log);
    desc.get_instance_proc_addr = get_instance_proc_addr;
    assert_int_equal(smoe_context_create(&desc, &fixture->context), SMOE_SUCCESS);
    return (gpu_desc){.handles = {get_instance_proc_addr, app->instance, app->physical_device, app->device, app->queue,
                                  app->queue_family},
                      .context = fixture->context,
                      .lock = {lock, unlock, fixture},
                      .log = &fixture->log};
}

void engine_fixture_close(engine_fixture *fixture)
{
    gpu_destroy(fixture->gpu);
    smoe_context_destroy(fixture->context);
    vision_model_close(&fixture->model);
    app_close(&fixture->app);
    pthread_mutex_destroy(&fixture->queue);
    if (test_record_problem_count(&fixture->record) > 0)
        test_record_print(&fixture->record);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
    assert_int_equal(fixture->app.message_count, 0);
}

vision_engine *engine_fixture_create(engine_fixture *fixture, const vision_model *model, uint32_t slots, float eps)
{
    const vision_engine_desc desc = {.max_batch = FIXTURE_IMAGES, .slots = slots, .eps = eps, .report = true};
    vision_engine *engine = NULL;
    assert_true(vision_engine_create(fixture->gpu, model, &desc, &engine));
    return engine;
}

void engine_fixture_fill(const engine_fixture *fixture, const vision_engine *engine, uint32_t slot, uint32_t first,
                         uint32_t count)
{
    memcpy(vision_engine_images(engine, slot).mapped, fixture->images + (size_t)first * fixture->image_numbers,
           sizeof(float) * count * fixture->image_numbers);
}

VkCommandBuffer engine_fixture_begin(engine_fixture *fixture)
{
    assert_true(app_begin(&fixture->app));
    return fixture->app.commands;
}

void engine_fixture_submit(engine_fixture *fixture, VkCommandBuffer commands)
{
    const VkMemoryBarrier barrier = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT,
                                     VK_ACCESS_HOST_READ_BIT};
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0,
                         NULL, 0, NULL);
    assert_int_equal(vkEndCommandBuffer(commands), VK_SUCCESS);
    assert_int_equal(vkCreateFence(fixture->app.device, &fence_info, NULL, &fence), VK_SUCCESS);
    pthread_mutex_lock(&fixture->queue);
    const VkResult result = vkQueueSubmit(fixture->app.queue, 1, &info, fence);
    pthread_mutex_unlock(&fixture->queue);
    assert_int_equal(result, VK_SUCCESS);
    assert_int_equal(vkWaitForFences(fixture->app.device, 1, &fence, VK_TRUE, UINT64_MAX), VK_SUCCESS);
    vkDestroyFence(fixture->app.device, fence, NULL);
}

void engine_fixture_run(engine_fixture *fixture, vision_engine *engine, const vision_run *run)
{
    const VkCommandBuffer commands = engine_fixture_begin(fixture);
    assert_true(vision_engine_record(engine, commands, run));
    engine_fixture_submit(fixture, commands);
}

static bool same(vision_buffer a, vision_buffer b, size_t size)
{
    assert_non_null(a.mapped);
    assert_in_range(size, 1, a.buffer.size);
    return memcmp(a.mapped, b.mapped, size) == 0;
}

bool engine_fixture_same_logits(const vision_engine *a, uint32_t slot_a, const vision_engine *b, uint32_t slot_b,
                                uint32_t count)
{
    const vision_buffer logits = vision_engine_logits(a, slot_a);
    return same(logits, vision_engine_logits(b, slot_b), (size_t)logits.buffer.size / FIXTURE_IMAGES * count);
}

bool engine_fixture_same_reports(const engine_fixture *fixture, const vision_engine *a, uint32_t slot_a,
                                 const vision_engine *b, uint32_t slot_b, uint32_t count)
{
    uint32_t stride_a, stride_b, blocks = 0;
    bool all = true;
    for (uint32_t i = 0; i < fixture->model.depth; i++) {
        const vision_buffer of_a = vision_engine_report(a, slot_a, i, &stride_a);
        const vision_buffer of_b = vision_engine_report(b, slot_b, i, &stride_b);
        assert_int_equal(of_a.mapped != NULL, fixture->model.blocks[i].experts != NULL);
        assert_int_equal(stride_a, stride_b);
        blocks += of_a.mapped != NULL;
        all = all && (!of_a.mapped || same(of_a, of_b, sizeof(uint32_t) * stride_a * count * fixture->model.tokens));
    }
    assert_true(blocks > 0);
    return all;
}
