/* Routing that the app gives: reports fed back, and ids that no router would choose. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"
#include "layer_session.h"

static float *weights_of(const uint32_t *record, uint32_t cap)
{
    return (float *)(uintptr_t)(const void *)(record + SMOE_REPORT_WEIGHTS(cap));
}

/* Makes what a report says ran the routing that the case is given, R of each token. */
static void take_report(case_data *data, const uint32_t *report, uint32_t cap)
{
    const size_t R = data->shape->given_count;

    for (size_t t = 0; t < data->shape->tokens; t++) {
        const uint32_t *record = report + t * SMOE_REPORT_STRIDE(cap);
        memcpy(data->given_ids + t * R, record + SMOE_REPORT_IDS, R * sizeof *data->given_ids);
        if (data->given_weights)
            memcpy(data->given_weights + t * R, weights_of(record, cap), R * sizeof *data->given_weights);
    }
}

/* Bits that must be equal in the reports of a routing and of its replay: all but the band and whether it was capped. */
static void expect_same_record(const layer_session *session, const uint32_t *got, const uint32_t *want)
{
    const uint32_t stride = session_stride(session);

    for (uint32_t i = 0; i < stride; i++) {
        if (i == SMOE_REPORT_EPS) {
            session_expect(session, got[i] == 0, "a replay has a band");
            continue;
        }
        const uint32_t without = i == SMOE_REPORT_FLAGS ? SMOE_REPORT_FLAG_CAPPED : 0;
        session_expect(session, got[i] == (want[i] & ~without), "a replay's report");
    }
}

#define REPLAYED(name_, T, D, H, E, k)                                                                                 \
    .name = name_, .tokens = T, .d_model = D, .d_hidden = H, .expert_count = E, .top_k = k,                            \
    .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL

static const layer_case replayed[] = {
    {REPLAYED("softmax, band", 35, 37, 29, 12, 2), .max_active = 5, .eps = 0.5f, .tie_tolerance = 0.05f},
    {REPLAYED("capped, non-finite tokens", 19, 24, 31, 16, 2), .max_active = 4, .eps = 4, .logits = LOGITS_NONFINITE},
    {REPLAYED("sigmoid, groups, shared", 6, 33, 20, 12, 3), .max_active = 7, .eps = 0.1f, .gate = SMOE_GATE_SIGMOID,
     .group_count = 4, .top_groups = 2, .group_eps = 0.3f, .shared_hidden = 12, .expert_scale = true},
    {REPLAYED("softmax_bias, balanced, zero experts", 140, 16, 12, 12, 3), .max_active = 6, .eps = 0.05f,
     .gate = SMOE_GATE_SOFTMAX_BIAS, .balanced_groups = 3, .zero_experts = 5, .keep_softmax = true},
};

/* The report of a smooth routing, fed back as ids and weights, gives the same y to the bit. */
static void test_replay(void **state)
{
    const test_device *device = *state;

    for (size_t i = 0; i < sizeof replayed / sizeof replayed[0]; i++) {
        layer_case shape = replayed[i];
        const uint32_t T = shape.tokens, D = shape.d_model, cap = shape.max_active;
        layer_session smooth, replay;
        session_open(&smooth, device->device, &replayed[i]);
        float *want = session_rows(&smooth, T), *got = session_rows(&smooth, T);
        uint32_t *report = session_report(&smooth, T), *again = session_report(&smooth, T), extra = 0;
        session_run(&smooth, NULL, T, NULL, want, report);
        shape.given_count = cap;
        shape.given_weights = true;
        session_prepare(&replay, device->device, &shape);
        take_report(&replay.data, report, cap);
        session_create_layer(&replay);
        session_run(&replay, NULL, T, NULL, got, again);
        for (uint32_t t = 0; t < T; t++) {
            const size_t at = (size_t)t * session_stride(&smooth);
            expect_same_record(&replay, again + at, report + at);
            extra += report[at + SMOE_REPORT_ACTIVE] > shape.top_k;
        }
        session_expect(&replay, extra > 0, "no token runs more than k experts");
        session_expect(&replay, session_same_kernels(&smooth, T, &replay.data.plan, T), "other kernels");
        session_expect(&replay, test_compare_bits("y", (size_t)T * D, got, want) == 0, "a replay's y");
        session_close(&smooth);
        session_close(&replay);
        free(want);
        free(got);
        free(report);
        free(again);
    }
}

/* What the router chooses without a band, given as ids only: weights come to the same, rounding aside. */
static void test_own_choice(void **state)
{
    const test_device *device = *state;

    for (size_t i = 0; i < sizeof replayed / sizeof replayed[0]; i++) {
        layer_case hard = replayed[i], shape;
        hard.eps = hard.group_eps = 0;
        shape = hard;
        shape.given_count = shape.top_k;
        const uint32_t T = hard.tokens, D = hard.d_model, cap = hard.max_active;
        layer_session own, given;
        session_open(&own, device->device, &hard);
        float *want = session_rows(&own, T), *got = session_rows(&own, T);
        uint32_t *report = session_report(&own, T), *again = session_report(&own, T);
        session_run(&own, NULL, T, NULL, want, report);
        session_prepare(&given, device->device, &shape);
        take_report(&given.data, report, cap);
        session_create_layer(&given);
        session_run(&given, NULL, T, NULL, got, again);
        for (uint32_t t = 0; t < T; t++) {
            const size_t at = (size_t)t * session_stride(&own);
            session_expect(&given, memcmp(again + at, report + at, SMOE_REPORT_WEIGHTS(cap) * sizeof *report) == 0,
                           "the report of the router's own choice");
            for (uint32_t r = 0; r < cap; r++)
                session_expect(&given, fabsf(weights_of(again + at, cap)[r] - weights_of(report + at, cap)[r]) <= 1e-6f,
                               "the weights of the router's own choice");
            for (uint32_t d = 0; d < D && !isnan(want[(size_t)t * D]); d++)
                session_expect(&given, fabsf(got[(size_t)t * D + d] - want[(size_t)t * D + d]) <= 1e-5f, "y");
        }
        session_close(&own);
        session_close(&given);
        free(want);
        free(got);
        free(report);
        free(again);
    }
}

static const layer_case plain = {.name = "given",
                                 .tokens = 9,
                                 .d_model = 20,
                                 .d_hidden = 12,
                                 .expert_count = 6,
                                 .top_k = 2,
                                 .max_active = 4,
                                 .activation = SMOE_ACTIVATION_GELU,
                                 .biases = BIAS_ALL,
                                 .given_count = 3};

/* A token that is given no expert has a y of zeros, or the shared expert's, and counts as finite. */
static void test_all_skipped(void **state)
{
    const test_device *device = *state;
    const uint32_t T = plain.tokens, D = plain.d_model;

    for (int shared = 0; shared < 2; shared++) {
        layer_case shape = plain;
        layer_session session;
        smoe_totals totals;
        uint64_t expert_tokens[6];
        shape.shared_hidden = shared ? 7 : 0;
        session_prepare(&session, device->device, &shape);
        for (uint32_t i = 0; i < T * shape.given_count; i++)
            session.data.given_ids[i] = SMOE_REPORT_UNUSED;
        session_create_layer(&session);
        layer_output output = {0};
        assert_int_equal(smoe_device_layer_reset_totals(session.layer), SMOE_SUCCESS);
        assert_true(layer_output_create(&output, session.layer, &session.data, NULL));
        session_expect(&session, check_output(&session.data, &session.data.ref_params, &output, NULL) == 0, "skipped");
        for (uint32_t i = 0; i < T * D && !shared; i++)
            session_expect(&session, output.y[i] == 0, "y of a token without experts");
        for (uint32_t t = 0; t < T; t++) {
            const uint32_t *record = output.report + (size_t)t * output.stride;
            session_expect(&session, record[SMOE_REPORT_ACTIVE] == 0 && record[SMOE_REPORT_FLAGS] == 0,
                           "the report of a token without experts");
        }
        assert_int_equal(smoe_device_layer_totals(session.layer, &totals, expert_tokens), SMOE_SUCCESS);
        session_expect(&session,
                       totals.tokens == T && totals.active == 0 && totals.nonfinite == 0 && totals.max_active == 0,
                       "the totals of tokens without experts");
        for (uint32_t e = 0; e < 6; e++)
            session_expect(&session, expert_tokens[e] == 0, "an expert's tokens");
        layer_output_destroy(&output);
        session_close(&session);
    }
}

/* One bad id, or weight, spoils its own token, and no bit of another. One that is skipped has no weight to look at. */
static void spoil_one(layer_session *session, uint32_t token, uint32_t place, uint32_t id, float weight)
{
    const uint32_t T = plain.tokens, D = plain.d_model, R = plain.given_count, stride = session_stride(session);
    const bool skipped = id == SMOE_REPORT_UNUSED;
    float *clean = session_rows(session, T), *y = session_rows(session, T);
    uint32_t *clean_report = session_report(session, T), *report = session_report(session, T);
    uint32_t *const ids = session->data.given_ids + token * R + place, kept = *ids;
    float *const weights = session->data.given_weights + token * R + place, kept_weight = *weights;

    session_run(session, NULL, T, NULL, clean, clean_report);
    *ids = id;
    *weights = weight;
    assert_int_equal(case_give_routing(&session->data, session->layer, 0, 1, T), SMOE_SUCCESS);
    session_run(session, NULL, T, NULL, y, report);
    const uint32_t *record = report + (size_t)token * stride;
    session_expect(session, record[SMOE_REPORT_FLAGS] == (skipped ? 0u : (uint32_t)SMOE_REPORT_FLAG_NONFINITE),
                   "the flag of a bad token");
    session_expect(session, record[SMOE_REPORT_ACTIVE] == (skipped ? R - 1 : 0), "what a bad token runs");
    for (uint32_t i = 0; i < D; i++)
        session_expect(session, isnan(y[(size_t)token * D + i]) == !skipped, "y of a bad token");
    memcpy(y + (size_t)token * D, clean + (size_t)token * D, D * sizeof *y);
    memcpy(report + (size_t)token * stride, clean_report + (size_t)token * stride, stride * sizeof *report);
    session_expect(session, test_compare_bits("y", (size_t)T * D, y, clean) == 0, "another token's y changed");
    session_expect(session, test_compare_bits("report", (size_t)T * stride, report, clean_report) == 0,
                   "another token's report changed");
    *ids = kept;
    *weights = kept_weight;
    assert_int_equal(case_give_routing(&session->data, session->layer, 0, 1, T), SMOE_SUCCESS);
    free(clean);
    free(y);
    free(clean_report);
    free(report);
}

static void test_bad(void **state)
{
    const test_device *device = *state;
    const uint32_t bad_ids[] = {6, 7, 1024, UINT32_C(0x7fffffff), UINT32_C(0x80000000), UINT32_MAX - 1};
    const float bad_weights[] = {NAN, INFINITY, -INFINITY};
    layer_case shape = plain;
    layer_session session;

    shape.given_weights = true;
    session_open(&session, device->device, &shape);
    for (uint32_t i = 0; i < sizeof bad_ids / sizeof bad_ids[0]; i++)
        spoil_one(&session, (i * 4) % plain.tokens, i % 3, bad_ids[i], 0.5f);
    for (uint32_t i = 0; i < 3; i++) {
        spoil_one(&session, plain.tokens - 1 - i, i, 1, bad_weights[i]);
        spoil_one(&session, i, 2 - i, SMOE_REPORT_UNUSED, bad_weights[i]);
    }
    session_close(&session);
}

/* Weights are used times scale to the bit, whatever factor an expert has. */
static void test_weights(void **state)
{
    const test_device *device = *state;
    const uint32_t T = plain.tokens, R = plain.given_count, cap = plain.max_active;
    layer_case shape = plain;
    layer_session session;

    shape.given_weights = shape.expert_scale = true;
    shape.scale = -1.7f;
    session_open(&session, device->device, &shape);
    float *y = session_rows(&session, T);
    uint32_t *report = session_report(&session, T);
    session_run(&session, NULL, T, NULL, y, report);
    for (uint32_t i = 0; i < T * R; i++) {
        const uint32_t *record = report + (size_t)(i / R) * session_stride(&session);
        session_expect(&session, weights_of(record, cap)[i % R] == session.data.given_weights[i] * shape.scale,
                       "a weight that is given");
    }
    session_close(&session);
    free(y);
    free(report);
}

/* Every pass reads its own tokens' ids: those of tokens far beyond the first pass too. */
static void test_passes(void **state)
{
    const test_device *device = *state;
    const layer_case shape = {.name = "given, several passes",
                              .tokens = 32768 + 77,
                              .d_model = 3,
                              .d_hidden = 1,
                              .expert_count = 5,
                              .top_k = 1,
                              .max_active = 3,
                              .given_count = 3,
                              .given = GIVEN_ANY,
                              .given_weights = true,
                              .zero_experts = 1};
    layer_session session;
    layer_output output = {0};
    uint32_t pass_tokens;

    session_open(&session, device->device, &shape);
    smoe_plan_logits_offset(smoe_device_layer_plan(session.layer), &pass_tokens);
    session_expect(&session, pass_tokens < shape.tokens, "one pass");
    assert_true(layer_output_create(&output, session.layer, &session.data, NULL));
    session_expect(&session, check_output(&session.data, &session.data.ref_params, &output, NULL) == 0, "passes");
    layer_output_destroy(&output);
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_replay, test_device_check),
        cmocka_unit_test_teardown(test_own_choice, test_device_check),
        cmocka_unit_test_teardown(test_all_skipped, test_device_check),
        cmocka_unit_test_teardown(test_bad, test_device_check),
        cmocka_unit_test_teardown(test_weights, test_device_check),
        cmocka_unit_test_teardown(test_passes, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("given", tests, test_device_setup, test_device_teardown);
}
