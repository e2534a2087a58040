/* bench/check.c beside a device that is made up of the reference itself: what it computes is right, until a test spoils
 * one number of it. */
#include "../../bench/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/random.h"
#include "reference/ref.h"

enum { D = 24, H = 32, S = 16, E = 8, K = 2, A = 4, T = 33, STRIDE = SMOE_REPORT_STRIDE(A), MATRIX = E * D * H };

/* A run: layer, input, and what the device gave. */
typedef struct made_up {
    bench_row row;
    bench_data data;
    smoe_forward_params params;
    float block[3 * MATRIX], router[E * D], x[T * D], y[T * D];
    uint32_t report[T * STRIDE];
} made_up;

static made_up run;

static void fill(test_random *random, float *values, size_t count, float limit)
{
    for (size_t i = 0; i < count; i++)
        values[i] = test_random_uniform(random, -limit, limit);
}

/* As a device with such weights would write it. */
static void compute(smoe_matrix_types types)
{
    smoe_plan_desc plan = run.row.plan;
    ref_token token;
    double logits[E], y[D];

    plan.types = types;
    const ref_layer layer = ref_layer_of(&plan, &run.data.weights);
    const ref_params params = ref_params_of(&plan, &run.params);
    bench_run *counted = &run.row.runs[BENCH_SMOOTH];
    *counted = (bench_run){0};
    for (uint32_t t = 0; t < run.row.tokens; t++) {
        uint32_t *record = run.report + t * STRIDE;
        assert_true(ref_forward(&layer, &params, run.x + t * D, logits, &token, y));
        record[SMOE_REPORT_ACTIVE] = token.active;
        counted->active_total += token.active;
        for (uint32_t r = 0; r < A; r++) {
            const float weight = (float)token.weights[r];
            record[SMOE_REPORT_IDS + r] = token.ids[r];
            memcpy(record + SMOE_REPORT_WEIGHTS(A) + r, &weight, sizeof weight);
        }
        for (uint32_t i = 0; i < D; i++)
            run.y[t * D + i] = (float)y[i];
    }
}

static int prepare(void **state)
{
    test_random random = test_random_make(1, 0xbe); /* numbers whose tokens are routed one way */

    (void)state;
    memset(&run, 0, sizeof run);
    run.row.plan = (smoe_plan_desc){.d_model = D,
                                    .d_hidden = H,
                                    .expert_count = E,
                                    .top_k = K,
                                    .max_active = A,
                                    .activation = SMOE_ACTIVATION_SILU,
                                    .types = SMOE_TYPES(SMOE_TYPE_FLOAT16),
                                    .gated = true,
                                    .renormalize = true,
                                    .shared_hidden = S};
    run.row.tokens = T;
    run.params = smoe_forward_defaults();
    run.params.token_count = T;
    run.params.eps = 0.1f;
    fill(&random, run.block, 3 * MATRIX, 0.5f);
    fill(&random, run.router, E * D, 1);
    fill(&random, run.x, T * D, 1);
    const smoe_host_weight w1 = {run.block, SMOE_TYPE_FLOAT32}, w3 = {run.block + MATRIX, SMOE_TYPE_FLOAT32},
                           w2 = {run.block + 2 * MATRIX, SMOE_TYPE_FLOAT32};
    run.data.weights = (smoe_host_weights){
        .router_weight = run.router, .w1 = w1, .w3 = w3, .w2 = w2, .shared_w1 = w2, .shared_w3 = w1, .shared_w2 = w3};
    run.data.x = run.x;
    compute(run.row.plan.types);
    return 0;
}

static const bench_check *check(void)
{
    bench_run *smooth = &run.row.runs[BENCH_SMOOTH];

    smooth->check = (bench_check){0};
    bench_check_run(&run.row, &run.data, &run.params, run.y, run.report, smooth);
    return &smooth->check;
}

static void expect_wrong(const char *beginning)
{
    const bench_check *found = check();

    if (strncmp(found->wrong, beginning, strlen(beginning)) != 0)
        fail_msg("\"%s\" in place of \"%s\"", found->wrong, beginning);
}

static void test_right(void **state)
{
    const bench_result result = {.rows = &run.row, .row_count = 1};
    const bench_check *found = check();

    (void)state;
    assert_string_equal(found->unmade, "");
    assert_string_equal(found->wrong, "");
    assert_int_equal(found->tokens, 8);
    assert_int_equal(found->excused, 0);
    assert_true(found->difference < found->allowed && found->allowed < 1e-3);
    assert_int_equal(bench_count_wrong(&result), 0);
    run.y[0] += 1;
    check();
    assert_int_equal(bench_count_wrong(&result), 1);
}

/* The first token, the last, and six between; those beside them are not looked at. */
static void test_which_tokens(void **state)
{
    const uint32_t places[] = {0, 4, 9, 13, 18, 22, 27, 32};

    (void)state;
    for (uint32_t t = 0, place = 0; t < T; t++) {
        const bool one = t == places[place];
        char beginning[32] = "";
        float *number = &run.y[t * D + t % D], right = *number;
        place += one;
        *number = right + 1e-3f;
        if (one)
            snprintf(beginning, sizeof beginning, "y[%u] of token %u ", t % D, t);
        else
            assert_string_equal(check()->wrong, "");
        expect_wrong(beginning);
        *number = right;
    }
}

static void test_one_and_two_tokens(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2; count++) {
        run.row.tokens = count;
        compute(run.row.plan.types);
        assert_int_equal(check()->tokens, count);
        run.y[(count - 1) * D] += 1e-3f;
        expect_wrong("y[0] of token ");
    }
}

static void test_no_number(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (int i = 0; i < 3; i++) {
        run.y[T * D - 1] = bad[i];
        expect_wrong("y[23] of token 32 is ");
        assert_true(!(check()->difference < INFINITY));
    }
}

static void test_reports(void **state)
{
    uint32_t *record = run.report, right[STRIDE];
    float weight;

    (void)state;
    memcpy(right, record, sizeof right);
    record[SMOE_REPORT_IDS] = right[SMOE_REPORT_IDS + 1];
    record[SMOE_REPORT_IDS + 1] = right[SMOE_REPORT_IDS];
    expect_wrong("token 0 has expert ");
    memcpy(record, right, sizeof right);
    memcpy(&weight, record + SMOE_REPORT_WEIGHTS(A), sizeof weight);
    weight += 1e-3f;
    memcpy(record + SMOE_REPORT_WEIGHTS(A), &weight, sizeof weight);
    expect_wrong("token 0 has expert ");
    memcpy(record, right, sizeof right);
    record[SMOE_REPORT_ACTIVE]--;
    expect_wrong("token 0 has ");
}

/* A device that left the weights as they were, or rounded them to another type. */
static void test_types(void **state)
{
    (void)state;
    compute((smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_FLOAT32));
    expect_wrong("y[");
    compute((smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_BFLOAT16));
    expect_wrong("y[");
}

/* Mixed precision may change more, but not anything. */
static void test_mixed_precision(void **state)
{
    const double narrow = check()->allowed;

    (void)state;
    run.row.plan.precision = SMOE_PRECISION_FLOAT16;
    run.y[0] += (float)narrow * 1.5f;
    const bench_check *found = check();
    assert_string_equal(found->wrong, "");
    assert_true(found->allowed > 2 * narrow);
    run.row.plan.precision = SMOE_PRECISION_FLOAT32;
    expect_wrong("y[0] of token 0 ");
    run.row.plan.precision = SMOE_PRECISION_FLOAT16;
    run.y[0] += 1;
    expect_wrong("y[0] of token 0 ");
}

/* Routers that know nothing of the experts but rounding: any choice is right, and y is that of the experts chosen. */
static void test_excused(void **state)
{
    (void)state;
    for (uint32_t e = 1; e < E; e++)
        for (uint32_t i = 0; i < D; i++)
            run.router[e * D + i] = run.router[i] * (1 + 0x1p-23f * (float)e);
    compute(run.row.plan.types);
    for (uint32_t e = 1; e < E; e++) /* the device's choice, as the other order of experts would have it */
        for (uint32_t i = 0; i < D; i++)
            run.router[e * D + i] = run.router[i] * (1 + 0x1p-23f * (float)(E - e));
    const bench_check *found = check();
    assert_string_equal(found->wrong, "");
    assert_int_equal(found->excused, found->tokens);
    assert_int_equal(found->tokens, 8);
    run.y[5] += 1e-3f;
    expect_wrong("y[5] of token 0 ");
}

static void test_too_much(void **state)
{
    (void)state;
    run.row.plan.d_model = run.row.plan.d_hidden = SMOE_MAX_WIDTH;
    assert_non_null(strstr(check()->unmade, "multiplications"));
    assert_int_equal(check()->tokens, 0);
    assert_int_equal(prepare(NULL), 0);
    run.row.plan.projection_width = REF_MAX_PROJECTION + 1;
    assert_non_null(strstr(check()->unmade, "projections"));
}

/* As many tokens as the reference's time is for, one at least. */
static void test_fewer_tokens(void **state)
{
    (void)state;
    run.row.runs[BENCH_SMOOTH].active_total = 300000; /* as many products as 9,000 experts a token would have */
    const uint32_t tokens = check()->tokens;
    assert_true(tokens >= 1 && tokens < 8);
    run.row.plan.precision = SMOE_PRECISION_FLOAT16;
    assert_int_equal(check()->tokens, 1); /* the last one */
    run.y[(T - 1) * D] += 1;
    expect_wrong("y[0] of token 32 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_right, prepare),
        cmocka_unit_test_setup(test_which_tokens, prepare),
        cmocka_unit_test_setup(test_one_and_two_tokens, prepare),
        cmocka_unit_test_setup(test_no_number, prepare),
        cmocka_unit_test_setup(test_reports, prepare),
        cmocka_unit_test_setup(test_types, prepare),
        cmocka_unit_test_setup(test_mixed_precision, prepare),
        cmocka_unit_test_setup(test_excused, prepare),
        cmocka_unit_test_setup(test_too_much, prepare),
        cmocka_unit_test_setup(test_fewer_tokens, prepare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
