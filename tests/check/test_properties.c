/* What the library promises beyond agreeing with the reference: bits that stay the same, and where they may not. */
#include <stdlib.h>
#include <string.h>

#include "case_share.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"
#include "layer_session.h"

/* Shapes that reach the kernels for few tokens and those for many, odd and aligned, with and without 16-bit weights.
 * Each number of lanes runs as many as show every tile (case_share.h). Widths and activations are such that test_stages
 * makes most of the pipelines: compiling others took half of this test's time. */
static const layer_case property_cases[] = {
    {.name = "few", .tokens = 5, .d_model = 37, .d_hidden = 53, .expert_count = 7, .top_k = 2, .eps = 0.5f,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "many, gated, half", .tokens = 130, .d_model = 72, .d_hidden = 40, .expert_count = 8, .top_k = 2,
     .max_active = 3, .eps = 1, .activation = SMOE_ACTIVATION_SILU, .gated = true, .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "many", .tokens = 193, .d_model = 64, .d_hidden = 128, .expert_count = 6, .top_k = 2, .eps = 0.5f,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "few, gated, bfloat16", .tokens = 20, .d_model = 37, .d_hidden = 36, .expert_count = 16, .top_k = 4,
     .max_active = 6, .eps = 0.5f, .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .gated = true,
     .weight_type = SMOE_TYPE_BFLOAT16},
    {.name = "many, cosine, groups, shared, half", .tokens = 150, .d_model = 72, .d_hidden = 36, .expert_count = 16,
     .top_k = 2, .max_active = 6, .eps = 0.2f, .router = SMOE_ROUTER_COSINE, .projection_width = 24, .group_count = 4,
     .top_groups = 2, .group_eps = 0.2f, .shared_hidden = 36, .activation = SMOE_ACTIVATION_SILU, .gated = true,
     .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "few, cosine, sigmoid, groups, shared", .tokens = 6, .d_model = 37, .d_hidden = 29, .expert_count = 12,
     .top_k = 2, .eps = 0.1f, .router = SMOE_ROUTER_COSINE, .projection_width = 21, .gate = SMOE_GATE_SIGMOID,
     .group_count = 4, .top_groups = 2, .group_eps = 0.3f, .shared_hidden = 19, .shared_gate = true,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "many, sigmoid, groups", .tokens = 140, .d_model = 33, .d_hidden = 25, .expert_count = 10, .top_k = 3,
     .max_active = 5, .eps = 0.1f, .gate = SMOE_GATE_SIGMOID, .group_count = 5, .top_groups = 2, .group_eps = 0.2f,
     .activation = SMOE_ACTIVATION_RELU_SQUARED, .biases = BIAS_ALL},
    {.name = "few, gated, nvfp4", .tokens = 6, .d_model = 64, .d_hidden = 96, .expert_count = 5, .top_k = 2,
     .eps = 0.5f, .activation = SMOE_ACTIVATION_SILU, .gated = true, .biases = BIAS_ALL,
     .weight_type = SMOE_TYPE_NVFP4},
    {.name = "many, gated, q4_k", .tokens = 66, .d_model = 256, .d_hidden = 256, .expert_count = 2, .top_k = 1,
     .activation = SMOE_ACTIVATION_SILU, .gated = true, .biases = BIAS_ALL, .weight_type = SMOE_TYPE_Q4_K},
    {.name = "many, softmax_bias, balanced groups", .tokens = 140, .d_model = 33, .d_hidden = 25, .expert_count = 12,
     .top_k = 3, .max_active = 6, .eps = 0.02f, .gate = SMOE_GATE_SOFTMAX_BIAS, .balanced_groups = 3,
     .renormalize_floor = 0.25f, .expert_scale = true, .activation = SMOE_ACTIVATION_RELU_SQUARED,
     .biases = BIAS_ALL},
    {.name = "few, sqrt_softplus, groups by their best", .tokens = 6, .d_model = 37, .d_hidden = 29,
     .expert_count = 12, .top_k = 2, .eps = 0.1f, .gate = SMOE_GATE_SQRT_SOFTPLUS, .group_count = 4, .top_groups = 2,
     .group_score = SMOE_GROUP_SCORE_MAX, .group_eps = 0.3f, .renormalize_add = 0.25f,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "few, given, zero experts", .tokens = 6, .d_model = 37, .d_hidden = 29, .expert_count = 12, .top_k = 2,
     .max_active = 4, .given_count = 3, .given = GIVEN_ANY, .zero_experts = 4, .gate = SMOE_GATE_SOFTMAX_BIAS,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "many, zero experts", .tokens = 140, .d_model = 33, .d_hidden = 25, .expert_count = 12, .top_k = 3,
     .max_active = 6, .eps = 0.5f, .zero_experts = 7, .activation = SMOE_ACTIVATION_RELU_SQUARED, .biases = BIAS_ALL},
    {.name = "many, latent, zero experts", .tokens = 140, .d_model = 33, .d_hidden = 25, .d_latent = 18,
     .expert_count = 12, .top_k = 3, .max_active = 6, .eps = 0.5f, .zero_experts = 7, .shared_hidden = 5,
     .activation = SMOE_ACTIVATION_RELU_SQUARED, .biases = BIAS_ALL},
    {.name = "few, given with weights, weighted inputs", .tokens = 6, .d_model = 37, .d_hidden = 29, .expert_count = 12,
     .top_k = 2, .max_active = 4, .given_count = 3, .given_weights = true, .given = GIVEN_ANY, .scale = 1.5f,
     .gate = SMOE_GATE_SIGMOID, .weighted_input = true, .keep_softmax = true, .activation = SMOE_ACTIVATION_GELU,
     .biases = BIAS_ALL},
    {.name = "many, weighted inputs, shared", .tokens = 140, .d_model = 33, .d_hidden = 25, .expert_count = 9,
     .top_k = 2, .eps = 0.1f, .scale = 1.5f, .gate = SMOE_GATE_SIGMOID, .weighted_input = true, .keep_softmax = true,
     .shared_hidden = 17, .activation = SMOE_ACTIVATION_SILU, .gated = true, .biases = BIAS_ALL},
    {.name = "many, latent, shared", .tokens = 140, .d_model = 37, .d_hidden = 24, .d_latent = 19, .expert_count = 8,
     .top_k = 2, .max_active = 5, .eps = 0.5f, .shared_hidden = 29, .activation = SMOE_ACTIVATION_RELU_SQUARED,
     .biases = BIAS_ALL},
    {.name = "few, latent, weighted inputs, half", .tokens = 6, .d_model = 64, .d_hidden = 36, .d_latent = 40,
     .expert_count = 6, .top_k = 2, .eps = 0.1f, .gate = SMOE_GATE_SIGMOID, .weighted_input = true,
     .keep_softmax = true, .activation = SMOE_ACTIVATION_GELU, .weight_type = SMOE_TYPE_FLOAT16},
};

#define PROPERTY_CASES (sizeof property_cases / sizeof property_cases[0])

/* The device, and a layer of each case that runs on it, open all the time: plans are slow to make. */
typedef struct property_state {
    test_device device; /* first, for test_device_check */
    layer_session sessions[PROPERTY_CASES];
    uint32_t count;
} property_state;

static bool open_sessions(property_state *all)
{
    bool runs[PROPERTY_CASES];

    if (!case_share(smoe_context_device_info(smoe_device_context(all->device.device)), property_cases, PROPERTY_CASES,
                    runs))
        return false;
    for (uint32_t i = 0; i < PROPERTY_CASES; i++)
        if (runs[i])
            session_open(&all->sessions[all->count++], all->device.device, &property_cases[i]);
    print_message("%u of %u cases\n", all->count, (uint32_t)PROPERTY_CASES);
    return true;
}

static int setup(void **state)
{
    property_state *all = calloc(1, sizeof *all);

    if (!all || !test_device_open(&all->device, 0))
        return -1;
    *state = all;
    return open_sessions(all) ? 0 : -1;
}

static void test_closes(void **state)
{
    property_state *all = *state;

    for (uint32_t i = 0; i < all->count; i++)
        session_close(&all->sessions[i]);
    test_device_closes(state);
}

static void for_each_case(void **state, void (*property)(layer_session *session))
{
    property_state *all = *state;

    for (uint32_t i = 0; i < all->count; i++)
        property(&all->sessions[i]);
}

/* Outside the band the smooth layer is the hard one; eps = 0 is hard routing, whatever the cap. */
static void hard_outside_band(layer_session *session)
{
    if (session->data.shape->given_count > 0) /* no band */
        return;
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model, k = session->data.shape->top_k;
    float *smooth = session_rows(session, T), *hard = session_rows(session, T), *capped = session_rows(session, T);
    uint32_t *report = session_report(session, T), inside = 0;
    smoe_forward_params params = session->data.params;

    session_run(session, NULL, T, NULL, smooth, report);
    params.eps = 0;
    session_run(session, &params, T, NULL, hard, NULL);
    params.eps = session->data.params.eps;
    params.max_active = k; /* leaves the band no expert */
    session_run(session, &params, T, NULL, capped, NULL);
    session_expect(session, test_compare_bits("y with A = k", (size_t)T * D, capped, hard) == 0,
                   "A = k is not hard routing");
    for (uint32_t t = 0; t < T; t++) {
        const size_t first = (size_t)t * D;
        if (report[(size_t)t * session_stride(session) + SMOE_REPORT_ACTIVE] == k)
            session_expect(session, test_compare_bits("y", D, smooth + first, hard + first) == 0,
                           "a token outside the band changed");
        else
            inside++;
    }
    session_expect(session, T < 100 || (inside > 0 && inside < T), "no token inside, or none outside the band");
    free(smooth);
    free(hard);
    free(capped);
    free(report);
}

static void test_hard_outside_band(void **state)
{
    for_each_case(state, hard_outside_band);
}

/* Where the groups' gap reaches over their band, smoothing the groups changes nothing; where it does not, it does. */
static void groups_outside_band(layer_session *session)
{
    smoe_forward_params params = session->data.params;
    if (!(params.group_eps > 0))
        return;
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model, stride = session_stride(session);
    float *smooth = session_rows(session, T), *hard = session_rows(session, T);
    uint32_t *smooth_report = session_report(session, T), *hard_report = session_report(session, T), inside = 0;

    session_run(session, NULL, T, NULL, smooth, smooth_report);
    params.group_eps = 0;
    session_run(session, &params, T, NULL, hard, hard_report);
    for (uint32_t t = 0; t < T; t++) {
        const uint32_t *one = smooth_report + (size_t)t * stride, *two = hard_report + (size_t)t * stride;
        float gap;
        memcpy(&gap, two + SMOE_REPORT_GROUP_GAP, sizeof gap);
        session_expect(session, one[SMOE_REPORT_GROUP_GAP] == two[SMOE_REPORT_GROUP_GAP],
                       "group_eps changes the groups' gap");
        session_expect(session, two[SMOE_REPORT_GROUPS] == session->data.shape->top_groups,
                       "hard groups are not the kept ones");
        session_expect(session,
                       (one[SMOE_REPORT_GROUPS] > two[SMOE_REPORT_GROUPS]) == (gap < session->data.params.group_eps),
                       "groups take part outside of their band, or not inside");
        if (gap < session->data.params.group_eps) {
            inside++;
            continue;
        }
        session_expect(session, test_compare_bits("report", stride, one, two) == 0,
                       "a report outside the groups' band changed");
        session_expect(session, test_compare_bits("y", D, smooth + (size_t)t * D, hard + (size_t)t * D) == 0,
                       "a token outside the groups' band changed");
    }
    session_expect(session, T < 100 || (inside > 0 && inside < T), "no token inside, or none outside the groups' band");
    free(smooth);
    free(hard);
    free(smooth_report);
    free(hard_report);
}

static void test_groups_outside_band(void **state)
{
    for_each_case(state, groups_outside_band);
}

/* A plan that can do nothing but hard routing gives the bits of eps = 0. */
static void hard_plan(layer_session *session)
{
    if (session->data.shape->given_count > 0)
        return;
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model;
    layer_case shape = *session->data.shape;
    smoe_forward_params params = session->data.params;
    float *smooth_plan = session_rows(session, T), *hard = session_rows(session, T);
    layer_session other;

    params.eps = 0;
    params.max_active = 0;
    session_run(session, &params, T, NULL, smooth_plan, NULL);
    shape.max_active = shape.top_k;
    session_open(&other, session->device, &shape);
    if (session_same_kernels(session, T, &other.data.plan, T)) {
        session_run(&other, &params, T, NULL, hard, NULL);
        session_expect(session, test_compare_bits("y", (size_t)T * D, smooth_plan, hard) == 0,
                       "eps = 0 is not the hard plan");
    } else {
        print_message("\"%s\": other kernels for A = k, not compared\n", shape.name);
    }
    session_close(&other);
    free(smooth_plan);
    free(hard);
}

static void test_hard_plan(void **state)
{
    for_each_case(state, hard_plan);
}

static void same_bits_twice(layer_session *session)
{
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model;
    float *one = session_rows(session, T), *two = session_rows(session, T), *unreported = session_rows(session, T);
    uint32_t *report_one = session_report(session, T), *report_two = session_report(session, T);
    layer_session other;

    session_run(session, NULL, T, NULL, one, report_one);
    session_run(session, NULL, T, NULL, unreported, NULL);
    session_expect(session, test_compare_bits("y", (size_t)T * D, unreported, one) == 0, "the report changes y");
    session_open(&other, session->device, session->data.shape);
    for (int i = 0; i < 3; i++) {
        session_run(i < 2 ? session : &other, NULL, T, NULL, two, report_two);
        session_expect(session, test_compare_bits("y", (size_t)T * D, two, one) == 0, "y differs from the first run's");
        session_expect(session,
                       test_compare_bits("report", (size_t)T * session_stride(session), report_two, report_one) == 0,
                       "the report differs from the first run's");
    }
    session_close(&other);
    free(one);
    free(two);
    free(unreported);
    free(report_one);
    free(report_two);
}

static void test_same_bits_twice(void **state)
{
    for_each_case(state, same_bits_twice);
}

static void batch_independent(layer_session *session)
{
    const uint32_t T = session->data.shape->tokens;
    const uint32_t counts[] = {1, 2, 3, 7, 31, 64, 65, 127, 129, T / 2, T - 2, T - 1};
    float *whole = session_rows(session, T);
    uint32_t compared = 0;

    session_run(session, NULL, T, NULL, whole, NULL);
    session_compare_part(session, T - 1, T - 1, T, whole); /* the whole batch backwards: always the same kernels */
    session_compare_part(session, 0, 0, T, whole);         /* one token, everywhere */
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i] > 0 && counts[i] < T && session_same_kernels(session, T, NULL, counts[i])) {
            session_compare_part(session, T / 2, 1, counts[i], whole);
            session_compare_part(session, T - counts[i], 1, counts[i], whole);
            compared++;
        }
    print_message("\"%s\": %u smaller batches use the kernels of %u tokens\n", session->data.shape->name, compared, T);
    free(whole);
}

static void test_batch_independent(void **state)
{
    for_each_case(state, batch_independent);
}

/* Puts the experts of an array, `row` floats each, into reverse order. */
static void reverse_experts(float *values, uint32_t expert_count, size_t row)
{
    for (uint32_t e = 0; values && e < expert_count / 2; e++)
        for (size_t i = 0; i < row; i++) {
            float *one = values + e * row + i, *two = values + (expert_count - 1 - e) * row + i, kept = *one;
            *one = *two;
            *two = kept;
        }
}

/* The same layer with its experts in reverse, and so its groups. Ids, gap, band, order and count must map exactly; the
 * sum that weights are divided by may be added up in another order. */
static void compare_permuted(const layer_session *session, const layer_output *permuted, const layer_output *original)
{
    const uint32_t T = session->data.shape->tokens, D = session->data.shape->d_model,
                   E = session->data.shape->expert_count;
    const uint32_t cap = (original->stride - SMOE_REPORT_IDS) / 2;
    double *want = malloc((D > cap ? D : cap) * sizeof *want);

    assert_non_null(want);
    for (uint32_t t = 0; t < T; t++) {
        const size_t record = (size_t)t * original->stride, row = (size_t)t * D;
        for (uint32_t r = 0; r < cap; r++) {
            uint32_t *id = permuted->report + record + SMOE_REPORT_IDS + r;
            *id = *id == SMOE_REPORT_UNUSED ? *id : E - 1 - *id;
            want[r] = (double)report_float(original, t, SMOE_REPORT_WEIGHTS(cap) + r);
        }
        const uint32_t *got = permuted->report + record;
        session_expect(session,
                       test_compare_bits("report", SMOE_REPORT_WEIGHTS(cap), got, original->report + record) == 0,
                       "the report depends on the order of the experts");
        const float *weights = (const float *)(const void *)(got + SMOE_REPORT_WEIGHTS(cap));
        session_expect(session, test_compare("weight", cap, weights, want, 4e-7) == 0,
                       "weights depend on the order of the experts");
        for (uint32_t i = 0; i < D; i++)
            want[i] = (double)original->y[row + i];
        session_expect(session, test_compare("y", D, permuted->y + row, want, 4e-6) == 0,
                       "y depends on the order of the experts");
    }
    free(want);
}

static void experts_permute(layer_session *session)
{
    const layer_case *shape = session->data.shape;
    if (shape->given_count > 0 || shape->zero_experts > 0) /* ids and zero experts have their places */
        return;
    const uint32_t T = shape->tokens, D = shape->d_model, H = shape->d_hidden, E = shape->expert_count,
                   L = shape->d_latent ? shape->d_latent : D;
    const size_t up = (size_t)smoe_weights_size(shape->weight_type, 1, H, L) / 4,
                 down = (size_t)smoe_weights_size(shape->weight_type, 1, L, H) / 4;
    const uint32_t stride = session_stride(session);
    layer_output original = {session_rows(session, T), session_report(session, T), stride};
    layer_output permuted = {session_rows(session, T), session_report(session, T), stride};
    layer_session other;

    session_run(session, NULL, T, NULL, original.y, original.report);
    session_prepare(&other, session->device, shape);
    const smoe_host_weights *w = &other.data.weights;
    /* case_data_create made these arrays; they are const only towards the library. They go in words of 4 bytes,
     * of which halves are a whole number here. */
    reverse_experts((float *)w->router_weight, E, D);
    reverse_experts((float *)w->router_bias, E, 1);
    reverse_experts((float *)w->selection_bias, E, 1);
    reverse_experts((float *)w->expert_scale, E, 1);
    for (uint32_t i = 0; w->router_similarity && i < shape->projection_width; i++)
        reverse_experts((float *)w->router_similarity + (size_t)i * E, E, 1);
    reverse_experts((float *)(uintptr_t)w->w1.data, E, up);
    reverse_experts((float *)(uintptr_t)w->w3.data, E, up);
    reverse_experts((float *)(uintptr_t)w->w2.data, E, down);
    reverse_experts((float *)w->b1, E, H);
    reverse_experts((float *)w->b3, E, H);
    reverse_experts((float *)w->b2, E, L);
    session_create_layer(&other);
    session_run(&other, NULL, T, NULL, permuted.y, permuted.report);
    compare_permuted(session, &permuted, &original);
    session_close(&other);
    layer_output_destroy(&original);
    layer_output_destroy(&permuted);
}

static void test_experts_permute(void **state)
{
    for_each_case(state, experts_permute);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_hard_outside_band, test_device_check),
        cmocka_unit_test_teardown(test_groups_outside_band, test_device_check),
        cmocka_unit_test_teardown(test_hard_plan, test_device_check),
        cmocka_unit_test_teardown(test_same_bits_twice, test_device_check),
        cmocka_unit_test_teardown(test_batch_independent, test_device_check),
        cmocka_unit_test_teardown(test_experts_permute, test_device_check),
        cmocka_unit_test(test_closes),
    };

    return cmocka_run_group_tests_name("properties", tests, setup, test_device_teardown);
}
