/* What an app may record: forwards one after another without barriers of its own, fewer tokens than a binding holds,
 * timestamps. */
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"

static const layer_case shapes[] = {
    {.name = "few", .tokens = 3, .d_model = 33, .d_hidden = 65, .expert_count = 7, .top_k = 2, .eps = 0.5f,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "many", .tokens = 90, .d_model = 64, .d_hidden = 48, .expert_count = 5, .top_k = 2, .max_active = 3,
     .eps = 0.5f, .activation = SMOE_ACTIVATION_SILU, .gated = true, .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "everything", .tokens = 35, .d_model = 20, .d_hidden = 12, .expert_count = 8, .top_k = 2, .max_active = 4,
     .eps = 0.1f, .router = SMOE_ROUTER_COSINE, .projection_width = 7, .gate = SMOE_GATE_SIGMOID, .group_count = 4,
     .top_groups = 2, .group_eps = 0.1f, .shared_hidden = 9, .shared_gate = true,
     .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .gated = true, .biases = BIAS_ALL},
};

/* One case with its buffers and a first forward behind it. */
typedef struct recording {
    test_gpu gpu;
    plan_keeper keeper;
    case_data data;
    stage_run run;
    size_t y_count;
    float *y; /* of the first forward */
} recording;

static void recording_open(recording *r, const smoe_device *device, const layer_case *shape)
{
    *r = (recording){.keeper.context = smoe_device_context(device)};
    assert_true(test_gpu_open(&r->gpu, device));
    assert_true(case_data_create(&r->data, shape, test_seed()));
    assert_true(stage_run_prepare(&r->run, &r->gpu, &r->keeper, &r->data)); /* for fewer tokens too */
    assert_true(stage_run_record(&r->run, &r->gpu, &r->data.params, false));
    r->y_count = (size_t)shape->tokens * shape->d_model;
    r->y = test_malloc(r->y_count * sizeof *r->y);
    memcpy(r->y, r->run.y.data, r->y_count * sizeof *r->y);
}

static void recording_close(recording *r)
{
    test_free(r->y);
    stage_run_destroy(&r->run, &r->gpu);
    plan_keeper_clear(&r->keeper);
    case_data_destroy(&r->data);
    test_gpu_close(&r->gpu);
}

static void record(recording *r, const smoe_binding *binding, const smoe_timestamps *timestamps)
{
    assert_int_equal(smoe_forward(r->gpu.commands, r->run.layer, binding, &r->data.params, timestamps), SMOE_SUCCESS);
}

/* y = layer(layer(x)) in one command buffer, over one workspace, gives the bits of two submissions. */
static void chain(recording *r)
{
    test_buffer second, alone;
    smoe_binding *binding, *binding_alone;

    assert_true(test_buffer_create(&r->gpu, r->y_count * 4, NULL, &second));
    assert_true(test_buffer_create(&r->gpu, r->y_count * 4, NULL, &alone));
    smoe_binding_desc desc = {.x = r->run.y.part, .y = second.part, .workspace = r->run.workspace.part};
    assert_int_equal(smoe_binding_create(r->run.plan, &desc, &binding), SMOE_SUCCESS);
    desc.y = alone.part;
    assert_int_equal(smoe_binding_create(r->run.plan, &desc, &binding_alone), SMOE_SUCCESS);

    assert_true(test_gpu_begin(&r->gpu));
    record(r, binding_alone, NULL);
    assert_true(test_gpu_submit(&r->gpu));
    memset(r->run.y.data, 0xff, r->y_count * 4);
    memset(r->run.workspace.data, 0xff, r->run.workspace.part.size);
    assert_true(test_gpu_begin(&r->gpu));
    record(r, r->run.binding, NULL);
    record(r, binding, NULL);
    record(r, r->run.binding, NULL);
    record(r, binding, NULL);
    assert_true(test_gpu_submit(&r->gpu));
    assert_int_equal(test_compare_bits("first y", r->y_count, r->run.y.data, r->y), 0);
    assert_int_equal(test_compare_bits("second y", r->y_count, second.data, alone.data), 0);
    assert_memory_not_equal(second.data, r->y, r->y_count * 4);

    smoe_binding_destroy(binding);
    smoe_binding_destroy(binding_alone);
    test_buffer_destroy(&r->gpu, &second);
    test_buffer_destroy(&r->gpu, &alone);
}

static void test_chain(void **state)
{
    const test_device *device = *state;

    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        recording r;
        recording_open(&r, device->device, &shapes[s]);
        chain(&r);
        recording_close(&r);
    }
}

/* Rows past token_count are left alone, in y and in the report. */
static void test_fewer_tokens(void **state)
{
    const test_device *device = *state;

    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        recording r;
        recording_open(&r, device->device, &shapes[s]);
        const uint32_t few = shapes[s].tokens - 2;
        const size_t row = (size_t)shapes[s].d_model * 4,
                     stride = 4 * (size_t)SMOE_REPORT_STRIDE(r.run.shape.desc.max_active);
        memset(r.run.y.data, 0xff, r.run.y.part.size);
        memset(r.run.report.data, 0xff, r.run.report.part.size);
        r.data.params.token_count = few;
        assert_true(test_gpu_begin(&r.gpu));
        record(&r, r.run.binding, NULL);
        assert_true(test_gpu_submit(&r.gpu));
        for (size_t i = 0; i < row; i++)
            assert_true(r.run.y.data[few * row + i] == 0xff && r.run.y.data[(few + 1) * row + i] == 0xff);
        for (size_t i = 0; i < stride; i++)
            assert_true(r.run.report.data[few * stride + i] == 0xff &&
                        r.run.report.data[(few + 1) * stride + i] == 0xff);
        for (size_t i = 0; i < few * row; i += 4)
            assert_false(memcmp(r.run.y.data + i, "\xff\xff\xff\xff", 4) == 0);
        recording_close(&r);
    }
}

/* Timestamps of a forward, or of only the routing: none before the one ahead of it. */
static void time_recording(recording *r, bool routing_alone)
{
    const VkDevice vulkan = r->gpu.handles.device;
    const VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = SMOE_STAGE_COUNT + 3,
    };
    smoe_timestamps timestamps = {.first = 2};
    uint64_t ticks[SMOE_STAGE_COUNT + 1];

    assert_int_equal(r->gpu.CreateQueryPool(vulkan, &info, NULL, &timestamps.pool), VK_SUCCESS);
    assert_true(test_gpu_begin(&r->gpu));
    r->gpu.CmdResetQueryPool(r->gpu.commands, timestamps.pool, 0, info.queryCount);
    assert_int_equal((routing_alone ? smoe_route : smoe_forward)(r->gpu.commands, r->run.layer, r->run.binding,
                                                                 &r->data.params, &timestamps),
                     SMOE_SUCCESS);
    assert_true(test_gpu_submit(&r->gpu));
    assert_int_equal(r->gpu.GetQueryPoolResults(vulkan, timestamps.pool, timestamps.first, SMOE_STAGE_COUNT + 1,
                                                sizeof ticks, ticks, sizeof ticks[0], VK_QUERY_RESULT_64_BIT),
                     VK_SUCCESS);
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++)
        assert_true(ticks[stage + 1] >= ticks[stage]);
    assert_true(ticks[SMOE_STAGE_COUNT] > ticks[0]);
    assert_int_equal(test_compare_bits("y", r->y_count, r->run.y.data, r->y), 0);
    r->gpu.DestroyQueryPool(vulkan, timestamps.pool, NULL);
}

/* Every stage has one, also those that the shape lacks. */
static void test_timestamps(void **state)
{
    const test_device *device = *state;

    if (!(smoe_context_device_info(smoe_device_context(device->device))->timestamp_period > 0)) {
        print_message("no timestamps on this device\n");
        skip();
    }
    for (size_t s = 1; s < sizeof shapes / sizeof shapes[0]; s++) {
        recording r;
        recording_open(&r, device->device, &shapes[s]);
        time_recording(&r, false);
        time_recording(&r, true);
        recording_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_chain, test_device_check),
        cmocka_unit_test_teardown(test_fewer_tokens, test_device_check),
        cmocka_unit_test_teardown(test_timestamps, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("recording", tests, test_device_setup, test_device_teardown);
}
