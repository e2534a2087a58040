/* Only the routing, the scores that it may leave behind, and weights that float32 nearly loses. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"
#include "layer_session.h"
#include "stage_view.h"

static const layer_case shapes[] = {
    {.name = "linear, softmax", .tokens = 33, .d_model = 17, .d_hidden = 5, .expert_count = 9, .top_k = 2, .eps = 0.5f},
    {.name = "sigmoid, groups, shared", .tokens = 40, .d_model = 24, .d_hidden = 12, .expert_count = 16, .top_k = 2,
     .max_active = 6, .eps = 0.2f, .gate = SMOE_GATE_SIGMOID, .group_count = 4, .top_groups = 2, .group_eps = 0.3f,
     .shared_hidden = 7, .shared_gate = true, .biases = BIAS_ALL},
    {.name = "groups, hard", .tokens = 40, .d_model = 16, .d_hidden = 4, .expert_count = 15, .top_k = 2,
     .group_count = 5, .top_groups = 2, .logits = LOGITS_EXACT},
    {.name = "cosine, groups, non-finite", .tokens = 20, .d_model = 24, .d_hidden = 4, .expert_count = 256, .top_k = 4,
     .max_active = 8, .eps = 0.05f, .router = SMOE_ROUTER_COSINE, .projection_width = 16, .group_count = 8,
     .top_groups = 3, .group_eps = 0.1f, .logits = LOGITS_NONFINITE},
    {.name = "softmax_bias, groups", .tokens = 40, .d_model = 24, .d_hidden = 4, .expert_count = 96, .top_k = 4,
     .max_active = 8, .eps = 0.01f, .gate = SMOE_GATE_SOFTMAX_BIAS, .group_count = 6, .top_groups = 3,
     .group_eps = 0.02f, .biases = BIAS_ALL},
    {.name = "sqrt_softplus", .tokens = 33, .d_model = 17, .d_hidden = 5, .expert_count = 33, .top_k = 3, .eps = 0.1f,
     .gate = SMOE_GATE_SQRT_SOFTPLUS, .biases = BIAS_ALL},
    {.name = "balanced groups", .tokens = 33, .d_model = 17, .d_hidden = 5, .expert_count = 24, .top_k = 4, .eps = 0.3f,
     .max_active = 12, .balanced_groups = 4, .expert_scale = true},
    {.name = "weighted inputs, latent", .tokens = 33, .d_model = 17, .d_hidden = 5, .d_latent = 6, .expert_count = 9,
     .top_k = 2, .eps = 0.1f, .gate = SMOE_GATE_SIGMOID, .weighted_input = true, .keep_softmax = true,
     .shared_hidden = 4},
};

#define SHAPES (sizeof shapes / sizeof shapes[0])

/* What a forward left. A call of only the routing must leave the same. */
typedef struct left {
    size_t logits_size;
    void *y, *report, *logits, *totals;
} left;

static void *copy_of(const void *values, size_t size)
{
    return memcpy(test_malloc(size), values, size);
}

/* Remembers it, and spoils what the next call must write. y keeps a pattern that nothing writes. */
static left take(stage_run *run)
{
    const size_t logits_size = (size_t)run->data->shape->tokens * run->shape.desc.expert_count * 4;
    const left taken = {
        .logits_size = logits_size,
        .y = copy_of(run->y.data, run->y.part.size),
        .report = copy_of(run->report.data, run->report.part.size),
        .logits = copy_of(stage_logits(run, 0), logits_size),
        .totals = copy_of(run->totals.data, run->totals.part.size),
    };

    memset(run->y.data, 0xa5, run->y.part.size);
    memset(run->report.data, 0xff, run->report.part.size);
    memset(run->workspace.data, 0xff, run->workspace.part.size);
    memset(run->totals.data, 0, run->totals.part.size);
    return taken;
}

static void give_back(left *taken)
{
    test_free(taken->y);
    test_free(taken->report);
    test_free(taken->logits);
    test_free(taken->totals);
}

static void expect_left(const stage_run *run, const left *want)
{
    assert_int_equal(test_compare_bits("report", run->report.part.size / 4, run->report.data, want->report), 0);
    assert_int_equal(test_compare_bits("totals", run->totals.part.size / 4, run->totals.data, want->totals), 0);
}

static void expect_untouched(const stage_run *run)
{
    for (size_t i = 0; i < run->y.part.size; i++)
        assert_int_equal(run->y.data[i], 0xa5);
}

/* The scores against the reference's, made from the device's own logits; those of a non-finite token are nobody's
 * concern. */
static void expect_scores(const stage_run *run, const float *logits, uint32_t *left_out, uint32_t *excused)
{
    const case_data *data = run->data;
    const uint32_t E = run->shape.desc.expert_count;
    double *wide = test_calloc(E, sizeof *wide), *want = test_calloc(E, sizeof *want),
           *errors = test_calloc(E, sizeof *errors);

    for (uint32_t t = 0; t < data->shape->tokens; t++) {
        const float *got = stage_logits(run, t);
        for (uint32_t e = 0; e < E; e++)
            wide[e] = (double)logits[(size_t)t * E + e];
        if (!ref_is_finite(&data->ref, wide))
            continue;
        ref_score_errors(&data->ref, &data->ref_params, wide, 0, want, errors);
        if (ref_bound(&data->ref, &data->ref_params, wide, 0).ambiguous) {
            (*excused)++;
            continue;
        }
        for (uint32_t e = 0; e < E; e++)
            if (want[e] == -INFINITY) {
                want[e] = -(double)FLT_MAX;
                errors[e] = 0;
                (*left_out)++;
            }
        assert_int_equal(test_compare_each("score", E, got, want, errors), 0);
    }
    test_free(wide);
    test_free(want);
    test_free(errors);
}

static void route_case(stage_run *run, test_gpu *gpu, uint32_t *left_out, uint32_t *excused)
{
    smoe_forward_params params = run->data->params;

    assert_true(stage_run_record(run, gpu, &params, false));
    left forward = take(run);

    assert_true(stage_run_record(run, gpu, &params, true));
    expect_left(run, &forward);
    assert_int_equal(test_compare_bits("logits", forward.logits_size / 4, stage_logits(run, 0), forward.logits), 0);
    expect_untouched(run);
    left routed = take(run);

    params.keep_scores = true;
    assert_true(stage_run_record(run, gpu, &params, true));
    expect_left(run, &forward);
    expect_scores(run, forward.logits, left_out, excused);
    expect_untouched(run);
    left scored = take(run);

    assert_true(stage_run_record(run, gpu, &params, false));
    expect_left(run, &forward);
    assert_int_equal(test_compare_bits("scores", forward.logits_size / 4, stage_logits(run, 0), scored.logits), 0);
    assert_int_equal(test_compare_bits("y", run->y.part.size / 4, run->y.data, forward.y), 0);
    assert_true(stage_run_guards_intact(run, gpu));
    give_back(&forward);
    give_back(&routed);
    give_back(&scored);
}

/* smoe_route leaves the report, the logits and the totals of smoe_forward, and y alone; with keep_scores the scores
 * that were ranked, and everything else as it was. */
static void test_route(void **state)
{
    const test_device *device = *state;
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    uint32_t left_out = 0, excused = 0, tokens = 0;
    test_gpu gpu;

    assert_true(test_gpu_open(&gpu, device->device));
    for (size_t s = 0; s < SHAPES; s++) {
        case_data data;
        stage_run run;
        assert_true(case_data_create(&data, &shapes[s], test_seed()));
        assert_true(stage_run_prepare(&run, &gpu, &keeper, &data));
        route_case(&run, &gpu, &left_out, &excused);
        tokens += shapes[s].tokens;
        stage_run_destroy(&run, &gpu);
        case_data_destroy(&data);
    }
    print_message("%u tokens, %u of them excused as ambiguous, %u experts left out\n", tokens, excused, left_out);
    assert_true(left_out > 0 && excused * 20 <= tokens);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
}

/* Without y the helper library only routes, too. */
static void test_helper(void **state)
{
    const test_device *device = *state;

    for (size_t s = 0; s < 2; s++) {
        const uint32_t T = shapes[s].tokens, E = shapes[s].expert_count;
        layer_session session;
        session_open(&session, device->device, &shapes[s]);
        const size_t words = (size_t)T * session_stride(&session);
        float *y = session_rows(&session, T), *logits = test_calloc(T * E, sizeof *logits),
              *alone = test_calloc(T * E, sizeof *alone);
        uint32_t *want = session_report(&session, T), *report = session_report(&session, T);
        session_run(&session, NULL, T, NULL, y, want);
        assert_int_equal(smoe_device_layer_logits(session.layer, logits), SMOE_SUCCESS);
        session_run(&session, NULL, T, NULL, NULL, report);
        assert_int_equal(smoe_device_layer_logits(session.layer, alone), SMOE_SUCCESS);
        assert_int_equal(test_compare_bits("report", words, report, want), 0);
        assert_int_equal(test_compare_bits("logits", (size_t)T * E, alone, logits), 0);
        smoe_forward_params params = session.data.params;
        params.keep_scores = true;
        session_run(&session, &params, T, NULL, NULL, report);
        assert_int_equal(smoe_device_layer_logits(session.layer, alone), SMOE_SUCCESS);
        assert_int_equal(test_compare_bits("report with scores", words, report, want), 0);
        /* softmax without groups: the same */
        assert_int_equal(memcmp(alone, logits, (size_t)T * E * sizeof *alone) == 0, s == 0);
        free(y);
        free(want);
        free(report);
        test_free(logits);
        test_free(alone);
        session_close(&session);
    }
}

/* With exact logits every kernel that ranks has the same scores to the bit, and so the same ranks: whatever its order
 * of adding a softmax up. */
static void test_same_scores(void **state)
{
    static const layer_case same[] = {
        {.name = "softmax_bias, exact", .tokens = 40, .d_model = 24, .d_hidden = 4, .expert_count = 200, .top_k = 4,
         .max_active = 8, .eps = 0.01f, .gate = SMOE_GATE_SOFTMAX_BIAS, .group_count = 8, .top_groups = 3,
         .group_eps = 0.02f, .logits = LOGITS_EXACT, .biases = BIAS_SELECTION},
        {.name = "softmax_bias, balanced, exact", .tokens = 40, .d_model = 24, .d_hidden = 4, .expert_count = 96,
         .top_k = 4, .max_active = 8, .eps = 0.01f, .gate = SMOE_GATE_SOFTMAX_BIAS, .balanced_groups = 4,
         .logits = LOGITS_EXACT},
        {.name = "sqrt_softplus, exact", .tokens = 40, .d_model = 24, .d_hidden = 4, .expert_count = 33, .top_k = 3,
         .eps = 0.1f, .gate = SMOE_GATE_SQRT_SOFTPLUS, .logits = LOGITS_EXACT, .biases = BIAS_SELECTION},
    };
    const test_device *device = *state;
    test_device masked;

    assert_true(test_device_open(&masked, SMOE_CAPABILITY_SUBGROUP_ARITHMETIC));
    smoe_device *const devices[2] = {device->device, masked.device};
    for (size_t s = 0; s < sizeof same / sizeof same[0]; s++) {
        const uint32_t T = same[s].tokens, E = same[s].expert_count;
        float *scores[2];
        for (int i = 0; i < 2; i++) {
            layer_session session;
            session_open(&session, devices[i], &same[s]);
            uint32_t *report = session_report(&session, T);
            smoe_forward_params params = session.data.params;
            params.keep_scores = true;
            scores[i] = test_calloc((size_t)T * E, sizeof *scores[i]);
            session_run(&session, &params, T, NULL, NULL, report);
            assert_int_equal(smoe_device_layer_logits(session.layer, scores[i]), SMOE_SUCCESS);
            free(report);
            session_close(&session);
        }
        assert_int_equal(test_compare_bits(same[s].name, (size_t)T * E, scores[0], scores[1]), 0);
        test_free(scores[0]);
        test_free(scores[1]);
    }
    assert_true(test_device_close(&masked));
}

/* A session whose logits are as given, whatever x. */
static void open_given(layer_session *session, smoe_device *device, const layer_case *shape, const float *logits,
                       const float *selection_bias)
{
    session_prepare(session, device, shape);
    const smoe_host_weights *w = &session->data.weights;
    for (uint32_t i = 0; i < shape->expert_count * shape->d_model; i++)
        ((float *)w->router_weight)[i] = 0;
    for (uint32_t e = 0; e < shape->expert_count; e++) {
        ((float *)w->router_bias)[e] = logits[e];
        if (selection_bias)
            ((float *)w->selection_bias)[e] = selection_bias[e];
    }
    session_create_layer(session);
}

/* The scores of one token whose logits are given. */
static void scores_of(smoe_device *device, const layer_case *shape, const float *logits, float *scores)
{
    layer_session session;
    open_given(&session, device, shape, logits, NULL);
    uint32_t *report = session_report(&session, shape->tokens);
    smoe_forward_params params = session.data.params;
    params.keep_scores = true;
    session_run(&session, &params, shape->tokens, NULL, NULL, report);
    assert_int_equal(smoe_device_layer_logits(session.layer, scores), SMOE_SUCCESS);
    free(report);
    session_close(&session);
}

/* A softmax's sum is the same whatever lane adds which expert up, with logits of any bits: experts in another order
 * have the same scores, in kernels with subgroups, which this test has at every size, and in those without. */
static void test_permuted_scores(void **state)
{
    enum { EXPERTS = 203, STEP = 57 }; /* a prime to EXPERTS */
    const layer_case shape = {.name = "softmax_bias, permuted", .tokens = 1, .d_model = 4, .d_hidden = 3, .top_k = 2,
                              .expert_count = EXPERTS, .activation = SMOE_ACTIVATION_GELU, .eps = 0.01f,
                              .gate = SMOE_GATE_SOFTMAX_BIAS, .biases = BIAS_ROUTER};
    const test_device *device = *state;
    test_random random = test_random_make(test_seed(), 1);
    float logits[EXPERTS], permuted[EXPERTS], scores[3][EXPERTS], back[EXPERTS];
    test_device masked;

    print_message("seed %llu, %d experts\n", (unsigned long long)test_seed(), EXPERTS);
    for (uint32_t e = 0; e < EXPERTS; e++)
        logits[e] = test_random_uniform(&random, -4, 4);
    for (uint32_t e = 0; e < EXPERTS; e++)
        permuted[e] = logits[e * STEP % EXPERTS];
    assert_true(test_device_open(&masked, SMOE_CAPABILITY_SUBGROUP_ARITHMETIC));
    scores_of(device->device, &shape, logits, scores[0]);
    scores_of(device->device, &shape, permuted, scores[1]);
    scores_of(masked.device, &shape, logits, scores[2]);
    for (uint32_t e = 0; e < EXPERTS; e++)
        back[e * STEP % EXPERTS] = scores[1][e];
    assert_int_equal(test_compare_bits("in another order", EXPERTS, back, scores[0]), 0);
    assert_int_equal(test_compare_bits("without subgroups", EXPERTS, scores[2], scores[0]), 0);
    assert_true(test_device_close(&masked));
}

static void check_active(const layer_session *session, const layer_output *output, uint32_t active)
{
    session_expect(session, output->report[SMOE_REPORT_ACTIVE] == active, "not the experts that the case is about");
    session_expect(session, check_output(&session->data, &session->data.ref_params, output, NULL) == 0, "weights");
}

static void check_given(void **state, const layer_case *shape, const float *logits, const float *selection_bias,
                        uint32_t active)
{
    const test_device *device = *state;
    layer_session session;
    layer_output output;

    open_given(&session, device->device, shape, logits, selection_bias);
    assert_true(layer_output_create(&output, session.layer, &session.data, NULL));
    check_active(&session, &output, active);
    layer_output_destroy(&output);
    session_close(&session);
}

#define GIVEN .tokens = 2, .d_model = 4, .d_hidden = 3, .top_k = 1, .activation = SMOE_ACTIVATION_GELU

/* An expert of a group that is smoothed, or without the k best's selection bias, may have a gate so much larger than
 * theirs that float32 loses them beside it, and a mask so small that float32 cannot hold it either: which of the two
 * outweighs the other counts. */
static void test_masked_outweighs(void **state)
{
    layer_case softmax = {.name = "an expert of another group", GIVEN, .expert_count = 4, .group_count = 2,
                          .top_groups = 1, .eps = 0.5078125f, .a = 40, .b = 20, .group_eps = 0.625f,
                          .temperature = 0.02f, .biases = BIAS_ROUTER};
    layer_case sigmoid = {.name = "an expert without selection bias", GIVEN, .expert_count = 3, .eps = 1, .a = 60,
                          .b = 20, .gate = SMOE_GATE_SIGMOID, .biases = BIAS_ROUTER | BIAS_SELECTION};
    /* G = 5 and 4.5: P = 0.5 / (1 - 0.8) = 2.5, so that 4.5 scores 2 beside 2.5 and runs, as 0 does not. Its u is 1/65,
     * its mask 1e-72; its gate is exp(2 / temperature) times theirs: 1e43, 1e111. */
    const float in_group[] = {2.5f, 2.5f, 4.5f, 0};
    /* Scores 1.5 and 0.5078: u is 1/128, the mask 1e-126; gates 1e-87 or 1e-130, and 0.5. */
    const float low[] = {-200, 0, -100}, lower[] = {-300, 0, -100}, raised[] = {1.5f, 0.0078125f, 0.25f};

    check_given(state, &softmax, in_group, NULL, 3);
    check_given(state, &sigmoid, low, raised, 2);
    softmax.temperature = 0.0078125f;
    check_given(state, &softmax, in_group, NULL, 3);
    check_given(state, &sigmoid, lower, raised, 2);
}

/* Scores of which float32 holds hardly smaller differences: s[1] - s[3] is the band of the cap. */
static const struct {
    float scores[3]; /* times 2^-126, the smallest normal number */
    bool capped;     /* of k = 1 and A = 2 */
} narrow[] = {
    {{1.5f, 1.5f, 1}, true},       /* half of it: what one device holds another flushes to 0 */
    {{1.5f, 1.25f, 1}, true},      /* so is the gap */
    {{2, 2, 1 + 0x1p-23f}, true}, /* the largest number below it */
    {{3, 3, 2}, false},           /* it */
    {{-2, -2, -3}, false},
    {{3, 3, 3}, true},            /* 0, as ever */
};

/* Where it is not the band's, a word of the report is that of hard routing, and so is y. */
static void expect_hard(const layer_session *session, const layer_output *smooth)
{
    smoe_forward_params params = session->data.params;
    layer_output hard;

    params.eps = 0;
    assert_true(layer_output_create(&hard, session->layer, &session->data, &params));
    assert_true(report_float(smooth, 0, SMOE_REPORT_EPS) == 0.0f);
    assert_int_equal(smooth->report[SMOE_REPORT_FLAGS], SMOE_REPORT_FLAG_CAPPED);
    hard.report[SMOE_REPORT_FLAGS] = SMOE_REPORT_FLAG_CAPPED;
    assert_int_equal(test_compare_bits("report", hard.stride, smooth->report, hard.report), 0);
    assert_int_equal(test_compare_bits("y", session->data.shape->d_model, smooth->y, hard.y), 0);
    layer_output_destroy(&hard);
}

static void check_narrow_bands(smoe_device *device)
{
    const layer_case shape = {.name = "bands around the smallest normal number", GIVEN, .expert_count = 3,
                              .max_active = 2, .eps = 0.5f, .biases = BIAS_ROUTER};

    for (size_t i = 0; i < sizeof narrow / sizeof narrow[0]; i++) {
        float logits[3];
        layer_session session;
        layer_output output;
        for (uint32_t e = 0; e < 3; e++)
            logits[e] = narrow[i].scores[e] * FLT_MIN;
        open_given(&session, device, &shape, logits, NULL);
        assert_true(layer_output_create(&output, session.layer, &session.data, NULL));
        check_active(&session, &output, narrow[i].capped ? 1 : 2);
        if (narrow[i].capped)
            expect_hard(&session, &output);
        layer_output_destroy(&output);
        session_close(&session);
    }
}

/* A band below the smallest normal number counts as 0 on every device, whichever kernel ranks. */
static void test_narrow_bands(void **state)
{
    const test_device *device = *state;
    test_device masked;

    check_narrow_bands(device->device);
    assert_true(test_device_open(&masked, SMOE_CAPABILITY_SUBGROUP_ARITHMETIC));
    check_narrow_bands(masked.device);
    assert_true(test_device_is_quiet(&masked));
    assert_true(test_device_close(&masked));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_route, test_device_check),
        cmocka_unit_test_teardown(test_helper, test_device_check),
        cmocka_unit_test_teardown(test_same_scores, test_device_check),
        cmocka_unit_test_teardown(test_permuted_scores, test_device_check),
        cmocka_unit_test_teardown(test_masked_outweighs, test_device_check),
        cmocka_unit_test_teardown(test_narrow_bands, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("route", tests, test_device_setup, test_device_teardown);
}
