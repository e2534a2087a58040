/* Experts with scales in several ranges, whose last is not full: each type, the first and the last expert, w3 and the
 * shared expert. As an app binds them, and as device.h uploads them to buffers of their own. */
#include <stdio.h>
#include <string.h>

#include "check_stages.h"
#include "common/block_widths.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"
#include "floor_device.h"

/* A prime number of experts, so that the last range is partial; and a size that holds fewer of them in every type with
 * scales, and at least one of float32 (262,144 bytes where blocks are 256 wide). */
enum { EXPERTS = 37, LIMIT = 300 << 10, FEW = 3, MANY = 40 };

static layer_case shape_of(smoe_type type, uint32_t tokens)
{
    return (layer_case){
        .name = "ranges",
        .tokens = tokens,
        .d_model = test_blocks_width(type, 130),
        .d_hidden = test_blocks_width(type, 145),
        .expert_count = EXPERTS,
        .top_k = 2,
        .max_active = 4,
        .eps = 0.5f,
        .gated = true,
        .activation = SMOE_ACTIVATION_SILU,
        .biases = BIAS_ALL,
        .weight_type = type,
        .shared_hidden = test_blocks_width(type, 33),
        .shared_gate = true,
    };
}

/* Tokens whose best experts are spread over all: where there are fewer tokens than experts, the first and the last are
 * among them. */
static uint32_t best_expert(uint32_t token, uint32_t tokens)
{
    return tokens < EXPERTS ? token * (EXPERTS - 1) / (tokens - 1) : token % EXPERTS;
}

static void make_case(case_data *data, const layer_case *shape)
{
    const uint32_t D = shape->d_model;
    assert_true(case_data_create(data, shape, test_seed()));
    float *router = (float *)(uintptr_t)data->ref.router_weight; /* the case's own memory */
    memset(router, 0, sizeof *router * EXPERTS * D);
    for (uint32_t e = 0; e < EXPERTS; e++)
        router[(size_t)e * D + e] = 1;
    for (uint32_t t = 0; t < shape->tokens; t++)
        data->x[(size_t)t * D + best_expert(t, shape->tokens)] = 10; /* the others are below 1.7, their biases 0.5 */
}

static void expect_result(const case_data *data, const layer_output *output, const char *how)
{
    bool ran[EXPERTS] = {false};
    if (check_output(data, &data->ref_params, output, NULL) != 0) {
        case_print(data);
        fail_msg("%s, %u tokens, %s", smoe_type_name(data->shape->weight_type), data->shape->tokens, how);
    }
    for (uint32_t t = 0; t < data->shape->tokens; t++)
        for (uint32_t i = 0; i < output->report[t * output->stride + SMOE_REPORT_ACTIVE]; i++)
            ran[output->report[t * output->stride + SMOE_REPORT_IDS + i]] = true;
    assert_true(ran[0] && ran[EXPERTS - 1]);
    for (uint32_t e = 0; e < EXPERTS; e++)
        assert_true(ran[e] || data->shape->tokens < EXPERTS);
}

static void close_device(test_device *device)
{
    assert_true(test_device_is_quiet(device));
    assert_true(test_device_close(device));
}

/* ---- as an app binds them: some matrices in one buffer, some in a part of one for each range ------------------------
 */

typedef struct bound_run {
    test_device device;
    test_gpu gpu;
    plan_keeper keeper;
} bound_run;

static void check_bound(bound_run *bound, smoe_type type, uint32_t tokens)
{
    const layer_case shape = shape_of(type, tokens);
    case_data data;
    stage_run run;
    make_case(&data, &shape);
    assert_true(stage_run_create(&run, &bound->gpu, &bound->keeper, &data));
    assert_in_range(run.shape.range_count, 2, EXPERTS - 1);
    const layer_output output = stage_run_output(&run);
    expect_result(&data, &output, "bound");
    stage_run_destroy(&run, &bound->gpu);
    case_data_destroy(&data);
}

static void test_bound(void **state)
{
    smoe_device_info as = floor_device("the floor with small ranges");
    bound_run bound = {.keeper.plan = NULL};
    (void)state;
    as.max_storage_buffer_range = LIMIT;
    assert_true(test_device_open_as(&bound.device, &as));
    bound.keeper.context = smoe_device_context(bound.device.device);
    assert_true(test_gpu_open(&bound.gpu, bound.device.device));
    for (smoe_type type = 0; smoe_type_name(type); type++)
        for (uint32_t many = 0; many < 2 && smoe_type_has_scales(type); many++) /* rows for a kernel */
            if (test_everything() || type % 2 == many)
                check_bound(&bound, type, many ? MANY : FEW);
    plan_keeper_clear(&bound.keeper);
    test_gpu_close(&bound.gpu);
    close_device(&bound.device);
}

/* ---- as device.h uploads them, as they are or converted -------------------------------------------------------------
 */

static void check_uploaded(const test_device *device, smoe_type type, smoe_type plan_type)
{
    const layer_case shape = shape_of(type, FEW);
    smoe_device_layer *layer;
    layer_output output;
    case_data data;
    uint32_t experts;
    make_case(&data, &shape);
    data.plan.types = (smoe_matrix_types)SMOE_TYPES(plan_type);
    assert_int_equal(smoe_device_layer_create(device->device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
    assert_in_range(smoe_plan_range_count(smoe_device_layer_plan(layer), &experts), 2, EXPERTS);
    assert_true(layer_output_create(&output, layer, &data, NULL));
    expect_result(&data, &output, smoe_type_name(plan_type));
    layer_output_destroy(&output);
    smoe_device_layer_destroy(layer);
    case_data_destroy(&data);
}

static void test_uploaded(void **state)
{
    smoe_device_info as = floor_device("the floor with small allocations");
    test_device device;
    (void)state;
    as.max_allocation_size = LIMIT;
    assert_true(test_device_open_as(&device, &as));
    for (smoe_type type = 0; smoe_type_name(type); type++) {
        if (!smoe_type_has_scales(type))
            continue;
        check_uploaded(&device, type, SMOE_TYPE_FLOAT32);
        if (test_everything()) /* bytes are copied alike whatever their type, and each compiles kernels of its own */
            check_uploaded(&device, type, type);
    }
    close_device(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bound), cmocka_unit_test(test_uploaded)};
    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
