/* What an app may record: forwards one after another without barriers of its own, fewer tokens than a binding holds,
 * timestamps, slices in submissions of their own. */
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"
#include "common/system.h"
#include "refusal.h"

static const layer_case shapes[] = {
    {.name = "few", .tokens = 3, .d_model = 33, .d_hidden = 65, .expert_count = 7, .top_k = 2, .eps = 0.5f,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "many", .tokens = 90, .d_model = 64, .d_hidden = 48, .expert_count = 5, .top_k = 2, .max_active = 3,
     .eps = 0.5f, .activation = SMOE_ACTIVATION_SILU, .gated = true, .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "everything", .tokens = 35, .d_model = 20, .d_hidden = 12, .expert_count = 8, .top_k = 2, .max_active = 4,
     .eps = 0.1f, .router = SMOE_ROUTER_COSINE, .projection_width = 7, .gate = SMOE_GATE_SIGMOID, .group_count = 4,
     .top_groups = 2, .group_eps = 0.1f, .shared_hidden = 9, .shared_gate = true,
     .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .gated = true, .biases = BIAS_ALL},
    {.name = "given, zero experts", .tokens = 35, .d_model = 20, .d_hidden = 12, .expert_count = 8, .top_k = 2,
     .max_active = 4, .given_count = 3, .given_weights = true, .given = GIVEN_ANY, .zero_experts = 3,
     .shared_hidden = 9, .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
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

static void recording_open_in(recording *r, const smoe_device *device, const smoe_context *context,
                              const layer_case *shape)
{
    *r = (recording){.keeper.context = context};
    assert_true(test_gpu_open(&r->gpu, device));
    assert_true(case_data_create(&r->data, shape, test_seed()));
    assert_true(stage_run_prepare(&r->run, &r->gpu, &r->keeper, &r->data)); /* for fewer tokens too */
    assert_true(stage_run_record(&r->run, &r->gpu, &r->data.params, false));
    r->y_count = (size_t)shape->tokens * shape->d_model;
    r->y = test_malloc(r->y_count * sizeof *r->y);
    memcpy(r->y, r->run.y.data, r->y_count * sizeof *r->y);
}

static void recording_open(recording *r, const smoe_device *device, const layer_case *shape)
{
    recording_open_in(r, device, smoe_device_context(device), shape);
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
    smoe_binding_desc desc = {.x = r->run.y.part, .y = second.part, .workspace = r->run.workspace.part,
                              .given_ids = r->run.given_ids.part, .given_weights = r->run.given_weights.part};
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

/* Each slice in a submission of its own, or two. */
static void submit_slices(recording *r, bool routing_alone, uint32_t slices, const smoe_timestamps *timestamps)
{
    for (uint32_t first = 0; first < slices;) {
        const uint32_t count = first % 3 == 1 && first + 2 <= slices ? 2 : 1;
        if (first > 0)
            assert_true(test_gpu_begin(&r->gpu));
        assert_int_equal((routing_alone ? smoe_route_slices : smoe_forward_slices)(
                             r->gpu.commands, r->run.layer, r->run.binding, &r->data.params, timestamps, first, count),
                         SMOE_SUCCESS);
        first += count;
        if (first < slices)
            assert_true(test_gpu_submit(&r->gpu));
    }
}

/* Timestamps of a forward, or of only the routing: none before the one ahead of it. slices: 0 for all at once. */
static void time_recording(recording *r, bool routing_alone, uint32_t slices)
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
    if (slices > 0)
        submit_slices(r, routing_alone, slices, &timestamps);
    else
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
        time_recording(&r, false, 0);
        time_recording(&r, true, 0);
        recording_close(&r);
    }
}

static void refuse_slices(recording *r, uint32_t slices)
{
    const smoe_forward_params *params = &r->data.params;
    const uint32_t wrong[][2] = {{0, slices + 1}, {1, slices}, {slices, 1}, {slices + 1, 0}, {UINT32_MAX, 1},
                                 {1, UINT32_MAX}};
    smoe_forward_params none = *params;
    assert_true(test_gpu_begin(&r->gpu));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(smoe_forward_slices(r->gpu.commands, r->run.layer, r->run.binding, params, NULL, wrong[i][0],
                                             wrong[i][1]),
                         SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_forward_slices(r->gpu.commands, r->run.layer, r->run.binding, params, NULL, slices, 0),
                     SMOE_SUCCESS);
    assert_true(test_gpu_submit(&r->gpu));
    none.token_count = 0;
    assert_int_equal(smoe_forward_slice_count(r->run.layer, r->run.binding, &none), 0);
    assert_int_equal(smoe_route_slice_count(r->run.layer, r->run.binding, NULL), 0);
    assert_int_equal(smoe_forward_slice_count(NULL, NULL, params), 0);
}

/* The bits of a forward in one piece, whatever its slices; with a work of 1 every tile is one, as far as a range has
 * pieces. */
static void test_slices(void **state)
{
    const test_device *device = *state;
    const bool timed = smoe_context_device_info(smoe_device_context(device->device))->timestamp_period > 0;
    const uint64_t works[] = {1, 3000};
    const smoe_log log = {0};

    if (test_pieces_look_like_hazards())
        skip();
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        recording whole;
        recording_open(&whole, device->device, &shapes[s]);
        assert_int_equal(smoe_forward_slice_count(whole.run.layer, whole.run.binding, &whole.data.params), 1);
        uint32_t more = UINT32_MAX;
        for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
            smoe_context_desc desc = plain_context_desc(device->device, &log);
            smoe_context *context;
            recording r;
            desc.slice_work = works[i];
            assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
            recording_open_in(&r, device->device, context, &shapes[s]);
            assert_int_equal(test_compare_bits("y at once", r.y_count, r.y, whole.y), 0);
            const uint32_t slices = smoe_forward_slice_count(r.run.layer, r.run.binding, &r.data.params),
                           routing = smoe_route_slice_count(r.run.layer, r.run.binding, &r.data.params);
            assert_true(slices > SMOE_STAGE_COUNT && slices <= more && routing > 1 && routing < slices);
            more = slices;
            memset(r.run.y.data, 0xff, r.run.y.part.size);
            memset(r.run.workspace.data, 0xff, r.run.workspace.part.size);
            assert_true(test_gpu_begin(&r.gpu));
            submit_slices(&r, false, slices, NULL);
            assert_true(test_gpu_submit(&r.gpu));
            assert_int_equal(test_compare_bits("y in slices", r.y_count, r.run.y.data, whole.y), 0);
            if (timed) {
                time_recording(&r, false, slices);
                time_recording(&r, true, routing);
            }
            refuse_slices(&r, slices);
            recording_close(&r);
            smoe_context_destroy(context);
        }
        recording_close(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_chain, test_device_check),
        cmocka_unit_test_teardown(test_fewer_tokens, test_device_check),
        cmocka_unit_test_teardown(test_timestamps, test_device_check),
        cmocka_unit_test_teardown(test_slices, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("recording", tests, test_device_setup, test_device_teardown);
}
