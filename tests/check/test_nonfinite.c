/* NaN and infinities (docs/routing.md, 2.8): the damage stays where it is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "layer_session.h"
#include "spoilt_cases.h"

static void expect_spoilt(const layer_session *session, uint32_t token, const float *y, const uint32_t *report)
{
    const uint32_t D = session->data.shape->d_model;
    const uint32_t *record = report + (size_t)token * session_stride(session);
    float gap, eps;

    for (uint32_t i = 0; i < D; i++)
        session_expect(session, isnan(y[(size_t)token * D + i]), "y of a non-finite token is not all NaN");
    memcpy(&gap, record + SMOE_REPORT_GAP, sizeof gap);
    memcpy(&eps, record + SMOE_REPORT_EPS, sizeof eps);
    session_expect(session, isnan(gap) && eps == 0, "gap is not NaN or eps is not 0");
    session_expect(session, record[SMOE_REPORT_ORDER] == 0 && record[SMOE_REPORT_ACTIVE] == 0,
                   "order or active is not 0");
    memcpy(&gap, record + SMOE_REPORT_GROUP_GAP, sizeof gap);
    session_expect(session, isnan(gap) && record[SMOE_REPORT_GROUPS] == 0, "group gap is not NaN or groups is not 0");
    session_expect(session, record[SMOE_REPORT_FLAGS] == SMOE_REPORT_FLAG_NONFINITE, "flags");
    session_expect(session, record[SMOE_REPORT_IDS] == SMOE_REPORT_UNUSED, "an id of a non-finite token");
}

/* One bad number in one token, at several places; every other token keeps its bits. */
static void test_one_token(void **state)
{
    const test_device *device = *state;
    const float bad[] = {NAN, INFINITY, -INFINITY};

    for (size_t s = 0; s < SPOILT_CASES; s++) {
        const uint32_t T = spoilt_cases[s].tokens, D = spoilt_cases[s].d_model, tokens[] = {0, T / 2, T - 1};
        layer_session session;
        session_open(&session, device->device, &spoilt_cases[s]);
        const uint32_t stride = session_stride(&session);
        float *clean = session_rows(&session, T), *y = session_rows(&session, T), *x = session_rows(&session, T);
        uint32_t *clean_report = session_report(&session, T), *report = session_report(&session, T);
        session_run(&session, NULL, T, NULL, clean, clean_report);
        for (uint32_t trial = 0; trial < 9; trial++) {
            const uint32_t token = tokens[trial % 3], at = trial * 7 % D;
            memcpy(x, session.data.x, (size_t)T * D * sizeof *x);
            x[(size_t)token * D + (trial == 8 ? D - 1 : at)] = bad[trial / 3];
            session_run(&session, NULL, T, x, y, report);
            expect_spoilt(&session, token, y, report);
            /* With the bad token's own results taken over, everything is as it was. */
            memcpy(y + (size_t)token * D, clean + (size_t)token * D, D * sizeof *y);
            memcpy(report + (size_t)token * stride, clean_report + (size_t)token * stride, stride * sizeof *report);
            session_expect(&session, test_compare_bits("y", (size_t)T * D, y, clean) == 0, "another token's y changed");
            session_expect(&session, test_compare_bits("report", (size_t)T * stride, report, clean_report) == 0,
                           "another token's report changed");
        }
        free(clean);
        free(y);
        free(x);
        free(clean_report);
        free(report);
        session_close(&session);
    }
}

/* A number of the router that every token's logits or scores come to meet; NULL past the last. */
static float *router_number(const layer_session *session, int which)
{
    const smoe_host_weights *w = &session->data.weights;
    const uint32_t D = session->data.shape->d_model;
    const float *const numbers[] = {
        w->router_weight ? w->router_weight + 2 * D + 1 : NULL,
        w->router_bias ? w->router_bias + 2 : NULL,
        w->router_projection ? w->router_projection + 2 * D + 1 : NULL,
        w->router_projection_bias ? w->router_projection_bias + 2 : NULL,
        w->router_similarity ? w->router_similarity + 2 : NULL,
        w->selection_bias ? w->selection_bias + 2 : NULL,
    };
    int found = 0;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i] && found++ == which)
            return (float *)numbers[i];
    return NULL;
}

static void expect_all_spoilt(const layer_session *session)
{
    const uint32_t T = session->data.shape->tokens;
    float *y = session_rows(session, T);
    uint32_t *report = session_report(session, T);

    session_run(session, NULL, T, NULL, y, report);
    for (uint32_t t = 0; t < T; t++)
        expect_spoilt(session, t, y, report);
    free(y);
    free(report);
}

/* A bad number of the router makes a logit or a score of every token bad. */
static void test_router(void **state)
{
    const test_device *device = *state;

    for (size_t s = 0; s < SPOILT_CASES; s++)
        for (int which = 0, last = 0; !last; which++) {
            layer_session session;
            session_prepare(&session, device->device, &spoilt_cases[s]);
            last = router_number(&session, which + 1) == NULL;
            *router_number(&session, which) = which % 2 ? NAN : INFINITY;
            session_create_layer(&session);
            expect_all_spoilt(&session);
            session_close(&session);
        }
}

/* Two scores of one group that float32 holds, but not their sum. In two groups they are two large scores. */
static void test_group_score(void **state)
{
    const test_device *device = *state;
    const layer_case shape = {.name = "a group's score overflows", .tokens = 5, .d_model = 4, .d_hidden = 3,
                              .expert_count = 6, .top_k = 1, .group_count = 3, .top_groups = 2,
                              .activation = SMOE_ACTIVATION_RELU, .biases = BIAS_ROUTER};

    for (uint32_t other = 1; other < 3; other++) {
        layer_session session;
        session_prepare(&session, device->device, &shape);
        float *bias = (float *)session.data.weights.router_bias;
        bias[0] = bias[other] = 2e38f;
        session_create_layer(&session);
        if (other == 1) {
            expect_all_spoilt(&session);
        } else {
            float *y = session_rows(&session, shape.tokens);
            uint32_t *report = session_report(&session, shape.tokens);
            session_run(&session, NULL, shape.tokens, NULL, y, report);
            for (uint32_t t = 0; t < shape.tokens; t++) {
                const uint32_t *record = report + (size_t)t * session_stride(&session);
                session_expect(&session, record[SMOE_REPORT_FLAGS] == 0 && record[SMOE_REPORT_IDS] == 0,
                               "large scores are refused");
                session_expect(&session, record[SMOE_REPORT_GROUPS] == 2, "large scores take part");
            }
            free(y);
            free(report);
        }
        session_close(&session);
    }
}

/* A norm that float32 cannot hold leaves the cosine router without a direction, though every product is finite; one
 * that it can does not. */
static void test_norm(void **state)
{
    const test_device *device = *state;
    const layer_case *shape = &spoilt_cases[3];
    layer_session session;

    session_open(&session, device->device, shape);
    const uint32_t D = shape->d_model, stride = session_stride(&session);
    float *x = session_rows(&session, 2), *y = session_rows(&session, 2);
    uint32_t *report = session_report(&session, 2);
    for (uint32_t i = 0; i < D; i++) {
        x[i] = session.data.x[i] * 1e25f;
        x[D + i] = session.data.x[i] * 1e15f;
    }
    session_run(&session, NULL, 2, x, y, report);
    expect_spoilt(&session, 0, y, report);
    session_expect(&session,
                   !(report[stride + SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_NONFINITE) &&
                       report[stride + SMOE_REPORT_ACTIVE] > 0,
                   "a large token is refused");
    free(x);
    free(y);
    free(report);
    session_close(&session);
}

/* The cosine router's scale is held below 100 by a minimum, which may hide a NaN. */
static void test_scale(void **state)
{
    const test_device *device = *state;
    layer_session session;

    session_prepare(&session, device->device, &spoilt_cases[3]);
    *(float *)session.data.weights.router_log_scale = NAN;
    session_create_layer(&session);
    float *y = session_rows(&session, 1);
    uint32_t *report = session_report(&session, 1);
    session_run(&session, NULL, 1, NULL, y, report);
    expect_spoilt(&session, 0, y, report);
    free(y);
    free(report);
    session_close(&session);
}

/* A NaN in the shared expert reaches every y and no report. */
static void test_shared_expert(void **state)
{
    const test_device *device = *state;
    layer_session clean, session;

    session_open(&clean, device->device, &spoilt_cases[2]);
    session_prepare(&session, device->device, &spoilt_cases[2]);
    *(float *)session.data.weights.shared_b1 = NAN;
    session_create_layer(&session);
    const uint32_t T = spoilt_cases[2].tokens;
    float *y = session_rows(&clean, T), *want = session_rows(&clean, T);
    uint32_t *report = session_report(&clean, T), *clean_report = session_report(&clean, T);
    session_run(&clean, NULL, T, NULL, want, clean_report);
    session_run(&session, NULL, T, NULL, y, report);
    for (uint32_t i = 0; i < T * spoilt_cases[2].d_model; i++)
        session_expect(&session, isnan(y[i]) && !isnan(want[i]), "a NaN of the shared expert got lost");
    session_expect(&session, test_compare_bits("report", (size_t)T * session_stride(&clean), report, clean_report) == 0,
                   "the shared expert changed the report");
    free(y);
    free(want);
    free(report);
    free(clean_report);
    session_close(&session);
    session_close(&clean);
}

static bool runs_expert(const layer_session *session, const uint32_t *report, uint32_t token, uint32_t expert)
{
    const uint32_t *record = report + (size_t)token * session_stride(session);

    for (uint32_t r = 0; r < record[SMOE_REPORT_ACTIVE]; r++)
        if (record[SMOE_REPORT_IDS + r] == expert)
            return true;
    return false;
}

/* A NaN in one expert's bias reaches the tokens that run it, and no other. */
static void test_expert(void **state)
{
    const test_device *device = *state;

    for (size_t s = 0; s < SPOILT_CASES; s++)
        for (int which = 0; which < 2; which++) {
            const uint32_t T = spoilt_cases[s].tokens, D = spoilt_cases[s].d_model;
            uint32_t reached = 0;
            layer_session clean, session;
            session_open(&clean, device->device, &spoilt_cases[s]);
            float *y = session_rows(&clean, T), *want = session_rows(&clean, T);
            uint32_t *report = session_report(&clean, T);
            session_run(&clean, NULL, T, NULL, want, report);
            const uint32_t expert = report[SMOE_REPORT_IDS]; /* the first token's best */
            session_prepare(&session, device->device, &spoilt_cases[s]);
            float *bias = (float *)(which ? session.data.weights.b2 : session.data.weights.b1);
            bias[expert * (which ? D : spoilt_cases[s].d_hidden)] = NAN;
            session_create_layer(&session);
            session_run(&session, NULL, T, NULL, y, report);
            for (uint32_t t = 0; t < T; t++) {
                if (runs_expert(&session, report, t, expert)) {
                    session_expect(&session, isnan(y[(size_t)t * D]), "a NaN got lost");
                    reached++;
                } else {
                    session_expect(&session, test_compare_bits("y", D, y + (size_t)t * D, want + (size_t)t * D) == 0,
                                   "a token that does not run the expert changed");
                }
            }
            session_expect(&session, reached > 0 && (T < 50 || reached < T), "every token or none runs the expert");
            free(y);
            free(want);
            free(report);
            session_close(&session);
            session_close(&clean);
        }
}

/* Odd widths: rows of weights begin and end in the middle of a load, and those of 16 bits in the middle of a word. */
static const layer_case row_cases[] = {
    {.name = "odd rows of halves", .tokens = 12, .d_model = 37, .d_hidden = 29, .expert_count = 5, .top_k = 2,
     .activation = SMOE_ACTIVATION_SILU, .gated = true, .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "odd rows", .tokens = 40, .d_model = 37, .d_hidden = 29, .expert_count = 5, .top_k = 2,
     .activation = SMOE_ACTIVATION_SILU},
};

/* A number of one expert's matrix. In w2 the row is a column of y. */
typedef struct bad_weight {
    bool down, infinite;
    uint32_t expert, row, column;
} bad_weight;

static void spoil_weight(const layer_session *session, const bad_weight *bad)
{
    const layer_case *shape = session->data.shape;
    const uint32_t rows = bad->down ? shape->d_model : shape->d_hidden,
                   columns = bad->down ? shape->d_hidden : shape->d_model;
    const size_t at = ((size_t)bad->expert * rows + bad->row) * columns + bad->column;
    void *const weights =
        (void *)(uintptr_t)(bad->down ? session->data.weights.w2.data : session->data.weights.w1.data);

    if (shape->weight_type == SMOE_TYPE_FLOAT16)
        ((uint16_t *)weights)[at] = bad->infinite ? 0x7c00 : 0x7e00;
    else
        ((float *)weights)[at] = bad->infinite ? INFINITY : NAN;
}

static bool is_as_bad(const bad_weight *bad, float y)
{
    if (!bad->down)
        return !isfinite(y); /* an activation may make NaN of an infinity */
    return bad->infinite ? isinf(y) : isnan(y);
}

static void expect_one_row(const layer_session *clean, const bad_weight *bad, const float *want, const uint32_t *report)
{
    const uint32_t T = clean->data.shape->tokens, D = clean->data.shape->d_model;
    float *y = session_rows(clean, T);
    layer_session session;

    session_prepare(&session, clean->device, clean->data.shape);
    spoil_weight(&session, bad);
    session_create_layer(&session);
    session_run(&session, NULL, T, NULL, y, NULL);
    for (uint32_t i = 0; i < T * D; i++) {
        const bool reached = runs_expert(&session, report, i / D, bad->expert) && (!bad->down || i % D == bad->row);
        session_expect(&session, reached ? is_as_bad(bad, y[i]) : test_compare_bits("y", 1, y + i, want + i) == 0,
                       reached ? "a bad weight got lost" : "a bad weight reached another row's sum");
    }
    session_close(&session);
    free(y);
}

/* A bad number at either end of an expert's row of weights reaches the sums with that row and no others: what a load
 * takes of the rows beside it counts as nothing. */
static void expect_rows_apart(smoe_device *device)
{
    for (size_t s = 0; s < sizeof row_cases / sizeof row_cases[0]; s++) {
        const uint32_t T = row_cases[s].tokens, D = row_cases[s].d_model, H = row_cases[s].d_hidden;
        layer_session clean;
        session_open(&clean, device, &row_cases[s]);
        float *want = session_rows(&clean, T);
        uint32_t *report = session_report(&clean, T);
        session_run(&clean, NULL, T, NULL, want, report);
        const uint32_t expert = report[SMOE_REPORT_IDS];
        for (int which = 0; which < 8; which++) {
            const bool down = which / 4 == 1, infinite = which % 2 == 1;
            const uint32_t rows = down ? D : H, columns = down ? H : D;
            const bad_weight bad = {.down = down, .infinite = infinite, .expert = expert,
                                    .row = which / 2 % 2 ? rows - 1 : 0, .column = infinite ? columns - 1 : 0};
            expect_one_row(&clean, &bad, want, report);
        }
        session_close(&clean);
        free(want);
        free(report);
    }
}

static void test_rows_apart(void **state)
{
    const test_device *device = *state;

    expect_rows_apart(device->device);
}

static void test_rows_apart_without_subgroups(void **state)
{
    test_device bare;
    (void)state;
    assert_true(test_device_open(&bare, SMOE_CAPABILITY_ALL));
    expect_rows_apart(bare.device);
    assert_true(test_device_is_quiet(&bare));
    assert_true(test_device_close(&bare));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_one_token, test_device_check),
        cmocka_unit_test_teardown(test_router, test_device_check),
        cmocka_unit_test_teardown(test_group_score, test_device_check),
        cmocka_unit_test_teardown(test_norm, test_device_check),
        cmocka_unit_test_teardown(test_scale, test_device_check),
        cmocka_unit_test_teardown(test_expert, test_device_check),
        cmocka_unit_test_teardown(test_shared_expert, test_device_check),
        cmocka_unit_test_teardown(test_rows_apart, test_device_check),
        cmocka_unit_test_teardown(test_rows_apart_without_subgroups, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("nonfinite", tests, test_device_setup, test_device_teardown);
}
