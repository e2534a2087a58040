/* The whole layer through device.h against the reference, over the case table: y, and every word of the report. Rows that share the
 * plan of the row before differ in values alone, and are left to test_stages: device.h makes a plan for every layer. */
#include "check_layer.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"

static void test_table(void **state)
{
    const test_device *device = *state;
    check_tally tally = {0};
    uint32_t failed = 0, checked = 0;

    for (uint32_t i = 0; i < layer_case_count; i++) {
        if (i > 0 && case_plans_equal(&layer_cases[i], &layer_cases[i - 1]))
            continue;
        failed += !check_case(device->device, &layer_cases[i], test_seed(), &tally);
        checked++;
    }
    print_message("%u of %u cases, the rest is test_stages'; %llu tokens, %llu of them excused as ambiguous\n", checked, layer_case_count,
                  (unsigned long long)tally.tokens, (unsigned long long)tally.excused);
    assert_int_equal(failed, 0);
    assert_true(tally.excused * 200 <= tally.tokens);
}

/* Whether a row of the table makes what it was written for, by the reference alone. */
static void test_table_reaches(void **state)
{
    uint32_t capped = 0, shrunk = 0, nonfinite = 0, extra = 0;
    ref_token *token = test_malloc(sizeof *token);
    double *logits = test_malloc(SMOE_MAX_EXPERTS * sizeof *logits);

    (void)state;
    for (uint32_t i = 0; i < layer_case_count; i++) {
        const layer_case *shape = &layer_cases[i];
        uint32_t order = 0;
        case_data data;
        assert_true(case_data_create(&data, shape, test_seed()));
        for (uint32_t t = 0; t < shape->tokens; t++) {
            ref_logits(&data.ref, data.x + (size_t)t * shape->d_model, logits);
            ref_select(&data.ref, &data.ref_params, logits, token);
            order = token->order > order ? token->order : order;
            capped += (token->flags & SMOE_REPORT_FLAG_CAPPED) != 0;
            nonfinite += (token->flags & SMOE_REPORT_FLAG_NONFINITE) != 0;
            shrunk += token->eps > 0 && token->eps < data.ref_params.eps;
            extra += token->active > shape->top_k;
        }
        if (shape->logits == LOGITS_TIED && shape->top_k < shape->tied_experts)
            assert_true(order + 1 >= shape->tied_experts);
        if (shape->logits == LOGITS_EQUAL)
            assert_int_equal(order + 1, shape->expert_count);
        case_data_destroy(&data);
    }
    print_message("tokens capped %u, band shrunk %u, with extra experts %u, non-finite %u\n", capped, shrunk, extra, nonfinite);
    assert_true(capped > 0 && shrunk > 0 && extra > 0 && nonfinite > 0);
    test_free(token);
    test_free(logits);
}

static void run_converted(const test_device *device, const case_data *data, smoe_type plan_type, const smoe_host_weights *weights, float *y)
{
    smoe_plan_desc plan = data->plan;
    smoe_device_layer *layer;

    plan.weight_type = plan_type;
    assert_int_equal(smoe_device_layer_create(device->device, &plan, weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &data->params, data->x, y, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
}

/* Host arrays of the type that the plan has not are converted: rounded to nearest even one way, exactly the other. */
static void test_conversion(void **state)
{
    enum { TOKENS = 5, WIDTH = 33 };
    const test_device *device = *state;
    const layer_case shape = {.name = "conversion", .tokens = TOKENS, .d_model = WIDTH, .d_hidden = 13, .expert_count = 3, .top_k = 1,
                        .gated = true, .activation = SMOE_ACTIVATION_SILU};
    const layer_case half_shape = {.name = "conversion, half", .tokens = TOKENS, .d_model = WIDTH, .d_hidden = 13, .expert_count = 3,
                                   .top_k = 1, .gated = true, .activation = SMOE_ACTIVATION_SILU, .weight_type = SMOE_TYPE_FLOAT16};
    float want[TOKENS * WIDTH], got[TOKENS * WIDTH];
    case_data floats, halves; /* the same numbers, the second rounded */

    assert_true(case_data_create(&floats, &shape, test_seed()) && case_data_create(&halves, &half_shape, test_seed()));
    run_converted(device, &halves, SMOE_TYPE_FLOAT16, &halves.weights, want);
    run_converted(device, &floats, SMOE_TYPE_FLOAT16, &floats.weights, got);
    assert_int_equal(test_compare_bits("y of a float16 plan", TOKENS * WIDTH, got, want), 0);

    smoe_host_weights rounded = halves.weights;
    rounded.weight_type = SMOE_TYPE_FLOAT32;
    rounded.w1 = halves.ref.w1;
    rounded.w3 = halves.ref.w3;
    rounded.w2 = halves.ref.w2;
    run_converted(device, &halves, SMOE_TYPE_FLOAT32, &rounded, want);
    run_converted(device, &halves, SMOE_TYPE_FLOAT32, &halves.weights, got);
    assert_int_equal(test_compare_bits("y of a float32 plan", TOKENS * WIDTH, got, want), 0);
    case_data_destroy(&floats);
    case_data_destroy(&halves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_table_reaches, test_device_check),
        cmocka_unit_test_teardown(test_table, test_device_check),
        cmocka_unit_test_teardown(test_conversion, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("layer", tests, test_device_setup, test_device_teardown);
}
