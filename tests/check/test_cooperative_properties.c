/* What mixed precision promises besides its error: the same bits again and in any batch, damage that stays where it is,
 * and the ordinary layer where there are no cooperative matrices. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "cooperative.h"
#include "layer_session.h"

#define SHAPE(name_, T, D, H, E, k)                                                                                    \
    .name = name_, .tokens = T, .d_model = D, .d_hidden = H, .expert_count = E, .top_k = k, .eps = 0.5f,               \
    .biases = BIAS_ALL
#define IN(type, precision_) .weight_type = SMOE_TYPE_##type, .precision = SMOE_PRECISION_##precision_
#define GATED .activation = SMOE_ACTIVATION_SILU, .gated = true
#define GELU .activation = SMOE_ACTIVATION_GELU

static const layer_case shapes[] = {
    {SHAPE("aligned, gated", 150, 64, 48, 5, 2), GATED, IN(FLOAT16, FLOAT16), .max_active = 4},
    {SHAPE("odd, shared", 131, 37, 29, 3, 1), IN(FLOAT16, FLOAT16), .shared_hidden = 19},
    {SHAPE("bfloat16", 70, 40, 33, 4, 2), GELU, IN(BFLOAT16, BFLOAT16)},
    {SHAPE("mxfp4, gated", 130, 64, 32, 4, 2), GATED, IN(MXFP4, FLOAT16)},
    {SHAPE("fp8, odd, shared", 131, 37, 29, 3, 1), IN(FP8, FLOAT16), .shared_hidden = 19},
    {SHAPE("mxfp4, bfloat16", 70, 32, 64, 4, 2), GELU, IN(MXFP4, BFLOAT16)},
};

#define PLAIN 0 /* of the shapes: weights of 16 bits, and with scales */
#define SCALED 3

static void for_each_shape(void **state, void (*property)(layer_session *session))
{
    const test_device *device = *state;

    cooperative_need(device);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        layer_session session;
        if (!cooperative_runs(cooperative_info(device), shapes[i].precision)) {
            print_message("%s is left out: ", shapes[i].name);
            cooperative_tell_missing(cooperative_info(device), shapes[i].precision);
            continue;
        }
        session_open(&session, device->device, &shapes[i]);
        property(&session);
        session_close(&session);
    }
}

static void same_bits(layer_session *session)
{
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model;
    float *one = session_rows(session, T), *two = session_rows(session, T);
    layer_session other;

    session_run(session, NULL, T, NULL, one, NULL);
    session_open(&other, session->device, session->data.shape);
    for (int i = 0; i < 3; i++) {
        session_run(i < 2 ? session : &other, NULL, T, NULL, two, NULL);
        session_expect(session, test_compare_bits("y", (size_t)T * D, two, one) == 0, "y differs from the first run's");
    }
    session_close(&other);
    free(one);
    free(two);
}

static void test_same_bits(void **state)
{
    for_each_shape(state, same_bits);
}

static void batch_independent(layer_session *session)
{
    const uint32_t T = session->data.shape->tokens;
    float *whole = session_rows(session, T);

    session_run(session, NULL, T, NULL, whole, NULL);
    session_compare_part(session, T - 1, T - 1, T, whole); /* backwards */
    session_compare_part(session, 3, 0, T, whole);         /* one token, everywhere */
    for (uint32_t less = 1; less < 10; less += 4)
        if (session_same_kernels(session, T, NULL, T - less))
            session_compare_part(session, less, 1, T - less, whole);
    free(whole);
}

static void test_batch_independent(void **state)
{
    for_each_shape(state, batch_independent);
}

/* Runs with number `value` at element `at` of a token; every other token must keep its bits. Returns y, to be freed. */
static float *run_spoilt(layer_session *session, uint32_t token, uint32_t at, float value, uint32_t *report,
                         const float *clean)
{
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model;
    float *x = session_rows(session, T), *y = session_rows(session, T);

    memcpy(x, session->data.x, (size_t)T * D * sizeof *x);
    x[(size_t)token * D + at] = value;
    session_run(session, NULL, T, x, y, report);
    const size_t before = (size_t)token * D, behind = before + D;
    session_expect(session, test_compare_bits("y before", before, y, clean) == 0, "a token before changed");
    session_expect(session, test_compare_bits("y behind", (size_t)T * D - behind, y + behind, clean + behind) == 0,
                   "a token behind changed");
    free(x);
    return y;
}

static void nonfinite(layer_session *session)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model, tokens[] = {0, T / 2, T - 1};
    float *clean = session_rows(session, T);
    uint32_t *report = session_report(session, T);

    session_run(session, NULL, T, NULL, clean, report);
    for (uint32_t i = 0; i < 3; i++) {
        float *y = run_spoilt(session, tokens[i], (7 * i + D - 1) % D, bad[i], report, clean);
        for (uint32_t d = 0; d < D; d++)
            session_expect(session, isnan(y[(size_t)tokens[i] * D + d]), "y of a non-finite token is not all NaN");
        session_expect(session,
                       report[(size_t)tokens[i] * session_stride(session) + SMOE_REPORT_FLAGS] ==
                           SMOE_REPORT_FLAG_NONFINITE,
                       "a non-finite token is not reported");
        free(y);
    }
    free(clean);
    free(report);
}

static void test_nonfinite(void **state)
{
    for_each_shape(state, nonfinite);
}

static bool all_finite(uint32_t count, const float *values)
{
    for (uint32_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

#define LARGEST 65520.0 /* half way from float16's largest number to the next */

/* Whether float16 holds x and every hidden number of one expert; bfloat16 does. */
static bool fits_expert(const case_data *data, const ref_expert *expert, const double *x, double *hidden)
{
    bool fits = true;

    ref_up(&data->ref, expert, x, hidden);
    for (uint32_t i = 0; i < expert->width; i++)
        fits = fits && fabs(x[i]) < LARGEST;
    for (uint32_t h = 0; h < expert->d_hidden; h++)
        fits = fits && fabs(hidden[h]) < LARGEST;
    return fits || data->shape->precision == SMOE_PRECISION_BFLOAT16;
}

static bool fits_token(const layer_session *session, const float *token, const uint32_t *record)
{
    const case_data *data = &session->data;
    double x[64], hidden[64];
    bool fits = true;

    assert_true(data->shape->d_model <= 64 && data->shape->d_hidden <= 64 && data->shape->shared_hidden <= 64);
    for (uint32_t i = 0; i < data->shape->d_model; i++)
        x[i] = (double)token[i];
    for (uint32_t r = 0; r < record[SMOE_REPORT_ACTIVE]; r++) {
        const ref_expert expert = ref_expert_at(&data->ref, record[SMOE_REPORT_IDS + r]);
        fits = fits && fits_expert(data, &expert, x, hidden);
    }
    if (data->shape->shared_hidden > 0) {
        const ref_expert shared = ref_shared_expert(&data->ref);
        fits = fits && fits_expert(data, &shared, x, hidden);
    }
    return fits;
}

/* An input of either multiplication beyond float16 makes that token's y infinite or NaN; bfloat16 holds it. The routing
 * and its report are those of float32. */
static void overflow(layer_session *session)
{
    const float inputs[] = {100, 65519, 65520, -65520, 70000, -1e9f, -65519, 3000};
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model;
    const bool half = session->data.shape->precision == SMOE_PRECISION_FLOAT16;
    layer_case ordinary = *session->data.shape;
    layer_session other;
    float *clean = session_rows(session, T), *other_clean = session_rows(session, T);
    uint32_t *report = session_report(session, T), *want = session_report(session, T), fitting = 0;

    ordinary.precision = SMOE_PRECISION_FLOAT32;
    session_open(&other, session->device, &ordinary);
    session_run(session, NULL, T, NULL, clean, report);
    session_run(&other, NULL, T, NULL, other_clean, want);
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        const uint32_t token = (uint32_t)(7 * i + 1) % T, at = (uint32_t)(5 * i) % D;
        float *y = run_spoilt(session, token, at, inputs[i], report, clean);
        float *other_y = run_spoilt(&other, token, at, inputs[i], want, other_clean);
        float x[64];
        memcpy(x, session->data.x + (size_t)token * D, D * sizeof *x);
        x[at] = inputs[i];
        const bool fits = fits_token(session, x, report + (size_t)token * session_stride(session));
        fitting += fits;
        session_expect(session, all_finite(D, other_y + (size_t)token * D), "float32 does not hold the token");
        session_expect(session, all_finite(D, y + (size_t)token * D) == fits, "an input is infinite, or is not");
        session_expect(session, test_compare_bits("report", (size_t)T * session_stride(session), report, want) == 0,
                       "mixed precision changes the routing");
        free(y);
        free(other_y);
    }
    session_expect(session, fitting > 0 && half == (fitting < sizeof inputs / sizeof inputs[0]),
                   "every input fits, or none");
    session_close(&other);
    free(clean);
    free(other_clean);
    free(report);
    free(want);
}

static void test_overflow(void **state)
{
    for_each_shape(state, overflow);
}

/* An infinite weight of one expert reaches the tokens that run it, though tiles pad what lies past the last row and
 * column with others. */
static void test_weights(void **state)
{
    const test_device *device = *state;

    cooperative_need(device);
    for (int which = 0; which < 2; which++) {
        const layer_case *shape = &shapes[1];
        const uint32_t T = shape->tokens, D = shape->d_model, H = shape->d_hidden;
        uint32_t reached = 0;
        layer_session clean, session;
        session_open(&clean, device->device, shape);
        session_prepare(&session, device->device, shape);
        uint16_t *weights =
            (uint16_t *)(uintptr_t)(which ? session.data.weights.w2.data : session.data.weights.w1.data);
        weights[(size_t)2 * D * H - 1] = 0x7c00; /* of expert 1, the last */
        session_create_layer(&session);
        float *want = session_rows(&clean, T), *y = session_rows(&clean, T);
        uint32_t *report = session_report(&clean, T);
        session_run(&clean, NULL, T, NULL, want, NULL);
        session_run(&session, NULL, T, NULL, y, report);
        for (uint32_t t = 0; t < T; t++) {
            const uint32_t *record = report + (size_t)t * session_stride(&clean);
            bool runs = false;
            for (uint32_t r = 0; r < record[SMOE_REPORT_ACTIVE]; r++)
                runs = runs || record[SMOE_REPORT_IDS + r] == 1;
            reached += runs;
            session_expect(&session, runs ? !all_finite(D, y + (size_t)t * D)
                                          : test_compare_bits("y", D, y + (size_t)t * D, want + (size_t)t * D) == 0,
                           runs ? "an infinite weight got lost" : "another expert's token changed");
        }
        session_expect(&session, reached > 0 && reached < T, "every token or none runs the expert");
        free(want);
        free(y);
        free(report);
        session_close(&session);
        session_close(&clean);
    }
}

static void without(const test_device *device, const layer_case *shape)
{
    const uint32_t T = shape->tokens, D = shape->d_model;
    layer_case ordinary = *shape;
    layer_session mixed, plain;

    ordinary.precision = SMOE_PRECISION_FLOAT32;
    session_open(&mixed, device->device, shape);
    session_open(&plain, device->device, &ordinary);
    float *one = session_rows(&mixed, T), *two = session_rows(&mixed, T);
    session_run(&mixed, NULL, T, NULL, one, NULL);
    session_run(&plain, NULL, T, NULL, two, NULL);
    session_expect(&mixed, session_same_kernels(&mixed, T, &plain.data.plan, T),
                   "other kernels than without mixed precision");
    session_expect(&mixed, test_compare_bits("y", (size_t)T * D, one, two) == 0,
                   "mixed precision without cooperative matrices");
    session_close(&mixed);
    session_close(&plain);
    free(one);
    free(two);
}

/* Everywhere: without cooperative matrices, masked or missing, a plan with mixed precision is the plan without. */
static void test_without(void **state)
{
    const test_device *given = *state;
    const smoe_device_info *info = cooperative_info(given);
    test_device *device = test_calloc(1, sizeof *device);

    assert_true(test_device_open(device, SMOE_CAPABILITY_COOPERATIVE_MATRIX));
    without(device, &shapes[PLAIN]);
    without(device, &shapes[SCALED]);
    assert_true(test_device_is_quiet(device));
    assert_true(test_device_close(device));
    test_free(device);
    print_message("%s: cooperative kernels for float16 %s, for bfloat16 %s\n", info->name,
                  cooperative_runs(info, SMOE_PRECISION_FLOAT16) ? "yes" : "no",
                  cooperative_runs(info, SMOE_PRECISION_BFLOAT16) ? "yes" : "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_same_bits, test_device_check),
        cmocka_unit_test_teardown(test_batch_independent, test_device_check),
        cmocka_unit_test_teardown(test_nonfinite, test_device_check),
        cmocka_unit_test_teardown(test_overflow, test_device_check),
        cmocka_unit_test_teardown(test_weights, test_device_check),
        cmocka_unit_test_teardown(test_without, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("cooperative properties", tests, cooperative_setup, test_device_teardown);
}
