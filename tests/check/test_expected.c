/* smoe_forward_params.expected_active: what a call expects chooses tiles, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"
#include "stage_view.h"

/* A band that lets most experts in: what k says of rows is far from what comes. */
static const layer_case shapes[] = {
    {.name = "a wide band", .tokens = 48, .d_model = 24, .d_hidden = 31, .expert_count = 16, .top_k = 2, .eps = 2,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL, .logits = LOGITS_EXACT},
    {.name = "a wide band, gated, shared", .tokens = 33, .d_model = 64, .d_hidden = 32, .expert_count = 12, .top_k = 1,
     .max_active = 9, .eps = 3, .activation = SMOE_ACTIVATION_SILU, .gated = true, .weight_type = SMOE_TYPE_FLOAT16,
     .shared_hidden = 40, .logits = LOGITS_EXACT},
};

#define SHAPES (sizeof shapes / sizeof shapes[0])
#define MOST_EXPECTED 16u

static smoe_kernel_choice choice_for(const stage_run *run, const smoe_context *context, uint32_t expected)
{
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    const smoe_selection_desc desc = {smoe_context_device_info(context), &run->data->plan, run->data->shape->tokens,
                                      expected};
    assert_int_equal(smoe_select_kernels(&desc, choices, NULL), SMOE_SUCCESS);
    return choices[SMOE_STAGE_EXPERT_UP];
}

/* Tiles of this height over the rows that each expert got. */
static uint32_t count_tiles(const stage_run *run, uint32_t tile_rows)
{
    uint32_t rows[MOST_EXPECTED] = {0}, tiles = 0;
    for (uint32_t t = 0; t < run->data->shape->tokens; t++)
        for (uint32_t r = 0; r < stage_active(run)[t]; r++)
            rows[stage_ids(run, t)[r]]++;
    for (uint32_t e = 0; e < run->data->plan.expert_count; e++)
        tiles += (rows[e] + tile_rows - 1) / tile_rows;
    return tiles;
}

typedef struct expected_results {
    smoe_kernel_choice choice;
    float y[48 * 64];
} expected_results;

/* One forward: what it runs, and that its results are the layer's. */
static void run_expecting(stage_run *run, test_gpu *gpu, const smoe_context *context, uint32_t expected,
                          expected_results *out)
{
    smoe_forward_params params = run->data->params;
    params.expected_active = expected;
    memset(run->y.data, 0xff, run->y.part.size);
    assert_true(stage_run_record(run, gpu, &params, false));
    const layer_output output = stage_run_output(run);
    if (check_output(run->data, &run->data->ref_params, &output, NULL) > 0) {
        case_print(run->data);
        fail_msg("with %u experts expected", expected);
    }
    out->choice = choice_for(run, context, expected);
    assert_int_equal(stage_tile_count(run, 0), count_tiles(run, out->choice.tile_rows));
    assert_true(run->y.part.size <= sizeof out->y);
    memcpy(out->y, run->y.data, run->y.part.size);
    assert_true(stage_run_guards_intact(run, gpu));
}

/* Returns whether some expectation led to tiles of another height. */
static bool check_shape(test_gpu *gpu, plan_keeper *keeper, const layer_case *shape)
{
    static expected_results results[MOST_EXPECTED + 1];
    case_data data;
    stage_run run;
    bool other = false;

    assert_true(case_data_create(&data, shape, test_seed()));
    const uint32_t most = shape->max_active ? shape->max_active : shape->expert_count;
    data.plan.max_expected_active = most;
    data.plan = case_plan_of_one_count(&data);
    assert_true(stage_run_prepare(&run, gpu, keeper, &data));
    for (uint32_t expected = 0; expected <= most; expected++) {
        const uint32_t earlier = expected == shape->top_k ? 0 : expected - 1;
        if (expected > 0 && expected < shape->top_k)
            continue;
        run_expecting(&run, gpu, keeper->context, expected, &results[expected]);
        const bool same = expected == 0 || results[expected].choice.tile_rows == results[earlier].choice.tile_rows;
        if (expected > 0 && same)
            assert_int_equal(test_compare_bits("y", run.y.part.size / 4, results[expected].y, results[earlier].y), 0);
        other = other || !same;
    }
    stage_run_destroy(&run, gpu);
    case_data_destroy(&data);
    return other;
}

static void test_tiles(void **state)
{
    const test_device *device = *state;
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    test_gpu gpu;

    assert_true(test_gpu_open(&gpu, device->device));
    for (size_t i = 0; i < SHAPES; i++)
        assert_true(check_shape(&gpu, &keeper, &shapes[i]));
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_tiles, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("expected", tests, test_device_setup, test_device_teardown);
}
