/* What only large layers meet: weights of several ranges, several passes, more tiles than one dispatch dimension
 * holds. */
#include "check_layer.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"
#include "domain/shape.h"

/* The layer must agree with the reference; returns its shape on this device, for the test to see that it met what it is
 * for. */
static smoe_shape check_large(void **state, const layer_case *shape)
{
    const test_device *device = *state;
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device->device));
    const smoe_host host = {0};
    const smoe_plan_desc plan = case_plan_desc(shape);
    smoe_kernel_choice kernels[SMOE_STAGE_COUNT];
    smoe_shape result;

    assert_int_equal(smoe_shape_init(&host, info, &plan, &result), SMOE_SUCCESS);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &plan, shape->tokens, 0}, kernels, NULL),
                     SMOE_SUCCESS);
    print_message("\"%s\": %u ranges of %u experts, passes of %u of %u tokens, tiles of %u rows\n", shape->name,
                  result.range_count, result.range_experts, result.pass_tokens, shape->tokens,
                  kernels[SMOE_STAGE_EXPERT_UP].tile_rows);
    assert_true(check_case(device->device, shape, test_seed(), NULL));
    return result;
}

static bool has_limit(void **state, uint64_t range)
{
    const test_device *device = *state;

    return smoe_context_device_info(smoe_device_context(device->device))->max_storage_buffer_range <= range;
}

static void test_ranges(void **state)
{
    const layer_case shape = {.name = "144 MiB matrices, gated", .tokens = 9, .d_model = 2048, .d_hidden = 2048,
                              .expert_count = 9, .top_k = 2, .activation = SMOE_ACTIVATION_SILU, .gated = true,
                              .biases = BIAS_ALL, .logits = LOGITS_EXACT};
    const smoe_shape result = check_large(state, &shape);

    if (has_limit(state, 134217728))
        assert_true(result.range_count > 1);
}

static void test_ranges_half(void **state)
{
    const layer_case shape = {.name = "132 MiB matrices, half", .tokens = 40, .d_model = 1024, .d_hidden = 1040,
                              .expert_count = 65, .top_k = 2, .max_active = 4, .eps = 0.5f,
                              .activation = SMOE_ACTIVATION_GELU, .weight_type = SMOE_TYPE_FLOAT16, .biases = BIAS_ALL,
                              .logits = LOGITS_EXACT};
    const smoe_shape result = check_large(state, &shape);

    if (has_limit(state, 134217728))
        assert_true(result.range_count > 1);
}

static void test_passes_by_range(void **state)
{
    const layer_case shape = {.name = "rows beyond 128 MiB", .tokens = 1100, .d_model = 509, .d_hidden = 3,
                              .expert_count = 64, .top_k = 1, .activation = SMOE_ACTIVATION_GELU,
                              .logits = LOGITS_EXACT, .biases = BIAS_2};
    const smoe_shape result = check_large(state, &shape);

    if (has_limit(state, 134217728))
        assert_true(result.pass_tokens < shape.tokens);
}

static void test_passes_by_tokens(void **state)
{
    const layer_case shape = {.name = "more tokens than a pass", .tokens = 2 * SMOE_MAX_PASS_TOKENS + 7, .d_model = 3,
                              .d_hidden = 2, .expert_count = 5, .top_k = 1, .max_active = 2, .eps = 0.5f,
                              .activation = SMOE_ACTIVATION_GELU, .logits = LOGITS_EXACT};

    assert_true(check_large(state, &shape).pass_tokens < shape.tokens);
}

static void test_passes_of_all_stages(void **state)
{
    const layer_case shape = {.name = "passes of every stage", .tokens = SMOE_MAX_PASS_TOKENS + 77, .d_model = 4,
                              .d_hidden = 3, .expert_count = 6, .top_k = 1, .max_active = 3, .eps = 0.25f,
                              .activation = SMOE_ACTIVATION_GELU, .router = SMOE_ROUTER_COSINE, .projection_width = 3,
                              .group_count = 3, .top_groups = 2, .group_eps = 0.25f, .shared_hidden = 5,
                              .shared_gate = true, .biases = BIAS_ALL};

    assert_true(check_large(state, &shape).pass_tokens < shape.tokens);
}

static void test_tiles(void **state)
{
    const test_device *device = *state;
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device->device));
    layer_case shape = {.name = "more tiles than groups along y", .tokens = 32768, .d_model = 1, .d_hidden = 1,
                        .activation = SMOE_ACTIVATION_RELU, .logits = LOGITS_EXACT, .biases = BIAS_2};
    smoe_kernel_choice kernels[SMOE_STAGE_COUNT];

    /* Every token runs every expert: tokens * experts rows. One expert more than tile_rows makes more than 32768
     * tiles. */
    for (uint32_t experts = 2; experts <= SMOE_MAX_EXPERTS; experts++) {
        shape.expert_count = shape.top_k = experts;
        const smoe_plan_desc plan = case_plan_desc(&shape);
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &plan, shape.tokens, 0}, kernels, NULL),
                         SMOE_SUCCESS);
        if (experts > kernels[SMOE_STAGE_EXPERT_UP].tile_rows)
            break;
    }
    assert_true(shape.expert_count > kernels[SMOE_STAGE_EXPERT_UP].tile_rows);
    assert_int_equal(check_large(state, &shape).pass_tokens, shape.tokens);
}

static void test_many_experts(void **state)
{
    const layer_case shape = {.name = "1024 experts, 700 tokens", .tokens = 700, .d_model = 16, .d_hidden = 5,
                              .expert_count = 1024, .top_k = 8, .max_active = 12, .eps = 0.25f,
                              .activation = SMOE_ACTIVATION_SILU, .gated = true, .logits = LOGITS_EXACT};

    check_large(state, &shape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_ranges, test_device_check),
        cmocka_unit_test_teardown(test_ranges_half, test_device_check),
        cmocka_unit_test_teardown(test_passes_by_range, test_device_check),
        cmocka_unit_test_teardown(test_passes_by_tokens, test_device_check),
        cmocka_unit_test_teardown(test_passes_of_all_stages, test_device_check),
        cmocka_unit_test_teardown(test_tiles, test_device_check),
        cmocka_unit_test_teardown(test_many_experts, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("large", tests, test_device_setup, test_device_teardown);
}
