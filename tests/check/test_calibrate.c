/* Calibration: the eps returned is the largest whose extra experts, counted by forwards of this device, keep to the
 * budget. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "layer_session.h"

#define EPS_LEAST 1e-30f /* what smoe_forward takes beside 0 */
#define EPS_MOST 1e30f

/* Experts beyond the k best that a forward with this band runs, by its report; with_y: experts too, else the routing
 * alone. */
static uint64_t count_extra(const layer_session *session, uint32_t tokens, float eps, bool with_y)
{
    const size_t stride = session_stride(session);
    float *y = with_y ? session_rows(session, tokens) : NULL;
    uint32_t *report = session_report(session, tokens);
    smoe_forward_params params = session->data.params;
    uint64_t count = 0;

    params.eps = eps;
    session_run(session, &params, tokens, NULL, y, report);
    for (uint32_t t = 0; t < tokens; t++)
        if (!(report[t * stride + SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_NONFINITE))
            count += report[t * stride + SMOE_REPORT_ACTIVE] - session->data.plan.top_k;
    free(y);
    free(report);
    return count;
}

static void calibrate(const layer_session *session, uint32_t tokens, double extra, float *eps, double *mean)
{
    smoe_forward_params params = session->data.params;

    params.token_count = tokens;
    const smoe_result result = smoe_device_layer_calibrate(session->layer, &params, session->data.x, extra, eps, mean);
    session_expect(session, result == SMOE_SUCCESS, smoe_result_text(result));
}

/* The layer's plan must have no cap. */
static void check_budget(const layer_session *session, uint32_t tokens, double extra)
{
    float eps = -1;
    double mean = -1;

    calibrate(session, tokens, extra, &eps, &mean);
    const uint64_t count = count_extra(session, tokens, eps, true);
    bool good = (eps == 0 || (eps >= EPS_LEAST && eps <= EPS_MOST)) && mean == (double)count / tokens && mean <= extra;
    if (eps < EPS_MOST) {
        const float next = eps == 0 ? EPS_LEAST : nextafterf(eps, INFINITY);
        good = good && (double)count_extra(session, tokens, next, false) / tokens > extra;
    }
    if (!good)
        print_error("%u tokens, budget %.17g: eps %.9g, mean %.17g; a forward runs %llu extra experts\n", tokens, extra,
                    (double)eps, mean, (unsigned long long)count);
    session_expect(session, good, "calibration");
}

static void check_budgets(const layer_session *session, uint32_t tokens)
{
    const double most = session->data.plan.expert_count - session->data.plan.top_k;
    const double budgets[] = {0, 1e-300, 0.1, 0.29, 0.5, 1, most - 0.5, nextafter(most, 0), most, 1e9, DBL_MAX};

    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++)
        if (budgets[i] >= 0)
            check_budget(session, tokens, budgets[i]);
}

/* Every one without a cap of its plan. Few plans, because they are slow to make. */
#define PLAIN .tokens = 100, .d_model = 5, .d_hidden = 4, .expert_count = 12, .top_k = 3
#define GROUPS                                                                                                         \
    .tokens = 29, .d_model = 5, .d_hidden = 4, .expert_count = 20, .top_k = 3, .group_count = 5, .top_groups = 2

static const layer_case calibrate_cases[] = {
    {.name = "softmax", PLAIN},
    {.name = "ties", PLAIN, .logits = LOGITS_EXACT},
    {.name = "tied groups", PLAIN, .logits = LOGITS_TIED, .tied_experts = 4},
    {.name = "all equal", PLAIN, .logits = LOGITS_EQUAL},
    {.name = "non-finite", PLAIN, .logits = LOGITS_NONFINITE},
    {.name = "one token", .tokens = 1, .d_model = 16, .d_hidden = 4, .expert_count = 33, .top_k = 3},
    {.name = "top one of two", .tokens = 13, .d_model = 8, .d_hidden = 4, .expert_count = 2, .top_k = 1},
    {.name = "no others", .tokens = 2, .d_model = 8, .d_hidden = 4, .expert_count = 3, .top_k = 3},
    {.name = "many experts", .tokens = 7, .d_model = 31, .d_hidden = 4, .expert_count = 300, .top_k = 150},
    {.name = "sigmoid", .tokens = 29, .d_model = 21, .d_hidden = 4, .expert_count = 13, .top_k = 3,
     .gate = SMOE_GATE_SIGMOID, .biases = BIAS_ALL},
    {.name = "hard groups", GROUPS},
    {.name = "tied hard groups", GROUPS, .logits = LOGITS_EXACT},
    {.name = "groups by their best", GROUPS, .group_score = SMOE_GROUP_SCORE_MAX},
    {.name = "balanced groups", PLAIN, .balanced_groups = 3},
    {.name = "tied balanced groups", PLAIN, .balanced_groups = 3, .logits = LOGITS_EXACT},
    {.name = "sqrt_softplus", PLAIN, .gate = SMOE_GATE_SQRT_SOFTPLUS, .biases = BIAS_ALL},
    {.name = "softmax_bias", PLAIN, .gate = SMOE_GATE_SOFTMAX_BIAS, .biases = BIAS_ALL},
    {.name = "zero experts", PLAIN, .zero_experts = 9},
    {.name = "weighted inputs", PLAIN, .gate = SMOE_GATE_SIGMOID, .weighted_input = true, .keep_softmax = true},
    {.name = "latent, zero experts", PLAIN, .d_latent = 7, .zero_experts = 4},
    {.name = "smooth groups", GROUPS, .group_eps = 0.8f, .gate = SMOE_GATE_SIGMOID, .biases = BIAS_SELECTION},
    {.name = "cosine", .tokens = 13, .d_model = 24, .d_hidden = 4, .expert_count = 10, .top_k = 2,
     .router = SMOE_ROUTER_COSINE, .projection_width = 9, .log_scale = 1, .biases = BIAS_ROUTER},
};

static void test_budgets(void **state)
{
    const test_device *device = *state;

    for (size_t i = 0; i < sizeof calibrate_cases / sizeof *calibrate_cases; i++) {
        layer_session session;
        session_open(&session, device->device, &calibrate_cases[i]);
        check_budgets(&session, calibrate_cases[i].tokens);
        if (calibrate_cases[i].tokens > 30)
            check_budget(&session, 30, 0.1); /* fewer tokens than the plan's; and 3 / 30 is 0.1 */
        session_close(&session);
    }
}

/* The budget is counted before any cap, and what params say of the band is not looked at. */
static void test_cap(void **state)
{
    const test_device *device = *state;
    layer_case shape = {.name = "cap", .tokens = 13, .d_model = 16, .d_hidden = 4, .expert_count = 12, .top_k = 2};
    layer_session all, capped;
    float eps[2];
    double mean[2];

    session_open(&all, device->device, &shape);
    shape.max_active = 3;
    shape.eps = 1e-3f;
    shape.a = 3;
    shape.b = 7;
    shape.call_active = 2;
    session_open(&capped, device->device, &shape);
    calibrate(&all, shape.tokens, 2.5, &eps[0], &mean[0]);
    calibrate(&capped, shape.tokens, 2.5, &eps[1], &mean[1]);
    session_expect(&capped, eps[0] == eps[1] && mean[0] == mean[1] && mean[0] > 1, "a cap changes the calibration");
    session_close(&all);
    session_close(&capped);
}

/* A batch of several passes and a bit, routed pass by pass. The plan is one whose rows would not fit a buffer
 * otherwise. */
static void test_passes(void **state)
{
    const test_device *device = *state;
    const layer_case shape = {.name = "passes", .tokens = 707, .d_model = 187, .d_hidden = 1, .expert_count = 512,
                              .top_k = 2, .logits = LOGITS_NONFINITE, .gate = SMOE_GATE_SIGMOID};
    layer_session session;
    uint32_t pass_tokens;

    session_open(&session, device->device, &shape);
    smoe_plan_logits_offset(smoe_device_layer_plan(session.layer), &pass_tokens);
    print_message("passes of %u of %u tokens\n", pass_tokens, shape.tokens);
    const uint64_t range = smoe_context_device_info(smoe_device_context(device->device))->max_storage_buffer_range;
    session_expect(&session, range > 134217728 || (2 * pass_tokens < shape.tokens && shape.tokens % pass_tokens != 0),
                   "passes");
    check_budget(&session, shape.tokens, 0.5);
    check_budget(&session, pass_tokens < shape.tokens ? pass_tokens + 1 : shape.tokens, 7);
    session_close(&session);

    /* The last pass has as many tokens as the others: it begins before they end. */
    session_prepare(&session, device->device, &shape);
    session.data.plan.min_tokens = pass_tokens < shape.tokens ? pass_tokens : shape.tokens;
    session_create_layer(&session);
    check_budget(&session, shape.tokens, 0.5);
    session_close(&session);
}

enum { END_COUNT = 9 };

/* Two experts, one distance apart: the ends of what a band may be. Each element of x calls one distance up. */
static void test_ends(void **state)
{
    const float distances[END_COUNT] = {
        0, 1e-35f, nextafterf(EPS_LEAST, 0), EPS_LEAST, 0.25f, nextafterf(EPS_MOST, 0), EPS_MOST, 2e38f, INFINITY};
    const test_device *device = *state;
    const layer_case shape = {
        .name = "ends", .tokens = 3, .d_model = END_COUNT, .d_hidden = 4, .expert_count = 2, .top_k = 1};
    float router[2 * END_COUNT];
    layer_session session;

    for (int i = 0; i < END_COUNT; i++) {
        router[i] = isinf(distances[i]) ? 3e38f : 0; /* whose difference overflows */
        router[END_COUNT + i] = isinf(distances[i]) ? -3e38f : -distances[i];
    }
    session_prepare(&session, device->device, &shape);
    session.data.weights.router_weight = router;
    session_create_layer(&session);
    smoe_forward_params params = session.data.params;
    params.token_count = 3;
    for (int i = 0; i < END_COUNT; i++) {
        const bool in_reach = distances[i] < EPS_MOST;
        float x[3 * END_COUNT] = {0}, eps = -1;
        double mean = -1;
        for (int t = 0; t < 3; t++)
            x[t * END_COUNT + i] = 1;
        assert_int_equal(smoe_device_layer_calibrate(session.layer, &params, x, 0.99, &eps, &mean), SMOE_SUCCESS);
        session_expect(&session,
                       eps == (distances[i] < EPS_LEAST ? 0
                               : in_reach               ? distances[i]
                                                        : EPS_MOST) &&
                           mean == 0,
                       "the band's end");
        assert_int_equal(smoe_device_layer_calibrate(session.layer, &params, x, 1, &eps, &mean), SMOE_SUCCESS);
        session_expect(&session, eps == EPS_MOST && mean == (in_reach ? 1 : 0), "a budget that everything keeps to");
        assert_int_equal(smoe_device_layer_calibrate(session.layer, &params, x, 1, &eps, NULL), SMOE_SUCCESS);
    }
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_budgets, test_device_check),
        cmocka_unit_test_teardown(test_cap, test_device_check),
        cmocka_unit_test_teardown(test_passes, test_device_check),
        cmocka_unit_test_teardown(test_ends, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("calibrate", tests, test_device_setup, test_device_teardown);
}
