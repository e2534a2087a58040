/* The smooth layer is continuous where the hard one jumps. Paths are straight lines across a boundary that bisection
 * finds with the reference; along them, halving the input's step must halve the output's largest step, unless eps = 0.
 * Where groups tie no eps helps: the layer jumps there unless group_eps > 0 too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"
#include "layer_session.h"

#define D_MODEL 8
#define FINEST 4096  /* steps of the finest path */
#define HALVINGS 4   /* the coarsest has FINEST >> HALVINGS */
#define RADIUS                                                                                                         \
    0.05f /* of the path around the boundary, as a share of the distance between the two tokens it lies between */

typedef struct line {
    const float *from, *to; /* [D_MODEL] */
    double middle;          /* where the boundary is, 0 .. 1 */
} line;

static void path_point(const line *path, double t, float *x)
{
    for (uint32_t i = 0; i < D_MODEL; i++)
        x[i] = (float)((1 - t) * (double)path->from[i] + t * (double)path->to[i]);
}

#define GROUPS 0 /* as a boundary: of the groups kept, not of so many best experts */

/* The `count` best experts, as many of each balanced group, or the groups kept, as a set of bits. */
static uint32_t best_of(const case_data *data, const float *x, uint32_t count)
{
    double logits[32], scores[32];
    const uint32_t parts = ref_part_count(&data->ref);
    uint32_t set = 0;
    ref_groups groups;
    ref_part part;

    ref_logits(&data->ref, x, logits);
    ref_scores(&data->ref, logits, scores);
    if (count == GROUPS) {
        ref_group(&data->ref, &data->ref_params, scores, &groups);
        for (uint32_t r = 0; r < data->ref.top_groups; r++)
            set |= 1u << groups.ranked[r];
        return set;
    }
    for (uint32_t i = 0; i < parts; i++) {
        ref_part_find(&data->ref, &data->ref_params, scores, i, &part);
        for (uint32_t r = 0; r < count / parts; r++)
            set |= 1u << part.ranked[r];
    }
    return set;
}

/* The smallest band along the path: where it is narrow the layer is continuous, but steep. */
static double smallest_band(const case_data *data, const line *path)
{
    static const int samples = 64;
    double smallest = INFINITY;

    for (int i = 0; i <= samples; i++) {
        float x[D_MODEL];
        double logits[32];
        ref_token token;
        path_point(path, path->middle + (double)RADIUS * (2.0 * i / samples - 1), x);
        ref_logits(&data->ref, x, logits);
        ref_select(&data->ref, &data->ref_params, logits, &token);
        smallest = fmin(smallest, token.eps);
    }
    return smallest;
}

/* A path across a change of the set of the `count` best, or of the groups kept. */
static bool find_path(const case_data *data, uint32_t count, uint32_t attempt, line *found)
{
    found->from = data->x + (size_t)(2 * attempt) * D_MODEL;
    found->to = found->from + D_MODEL;
    const uint32_t start = best_of(data, found->from, count);
    double low = 0, high = 1;
    if (best_of(data, found->to, count) == start)
        return false;
    while (high - low > 1e-7) {
        float x[D_MODEL];
        found->middle = (low + high) / 2;
        path_point(found, found->middle, x);
        if (best_of(data, x, count) == start)
            low = found->middle;
        else
            high = found->middle;
    }
    return !(data->ref_params.eps > 0) || smallest_band(data, found) > fmin(0.3, data->ref_params.eps / 2);
}

/* The path crosses a tie of groups: other groups are kept at its two ends, and between two points of it the device's
 * own group gap comes down to what a step may change it by. */
static void expect_groups_cross(const layer_session *session, const line *path, uint32_t steps, const uint32_t *report)
{
    float x[2][D_MODEL], smallest = INFINITY, change = 0, last = 0;

    path_point(path, path->middle - (double)RADIUS, x[0]);
    path_point(path, path->middle + (double)RADIUS, x[1]);
    session_expect(session, best_of(&session->data, x[0], GROUPS) != best_of(&session->data, x[1], GROUPS),
                   "the same groups at both ends");
    for (uint32_t i = 0; i <= steps; i++) {
        float gap;
        memcpy(&gap, report + (size_t)i * session_stride(session) + SMOE_REPORT_GROUP_GAP, sizeof gap);
        smallest = fminf(smallest, gap);
        change = i > 0 ? fmaxf(change, fabsf(gap - last)) : 0;
        last = gap;
    }
    session_expect(session, change > 0 && smallest <= change, "the groups' gap never closes");
}

/* The largest change of any output between neighbouring points of the path. */
static double largest_step(const layer_session *session, const line *path, uint32_t steps, bool of_groups)
{
    float *x = session_rows(session, steps + 1), *y = session_rows(session, steps + 1);
    uint32_t *report = session_report(session, steps + 1);
    double largest = 0;

    for (uint32_t i = 0; i <= steps; i++)
        path_point(path, path->middle + (double)RADIUS * (2.0 * i / steps - 1), x + (size_t)i * D_MODEL);
    session_run(session, NULL, steps + 1, x, y, report);
    if (of_groups)
        expect_groups_cross(session, path, steps, report);
    for (uint32_t i = 0; i < steps * D_MODEL; i++)
        largest = fmax(largest, fabs((double)y[i + D_MODEL] - (double)y[i]));
    free(x);
    free(y);
    free(report);
    return largest;
}

/* Crosses boundaries of the set of the `count` best experts, or of the groups kept, and expects the output to be
 * continuous there, or to jump. */
static void cross(void **state, const layer_case *shape, uint32_t count, bool continuous)
{
    const test_device *device = *state;
    layer_session session;
    uint32_t crossed = 0;

    session_open(&session, device->device, shape);
    for (uint32_t attempt = 0; crossed < 3 && 2 * attempt + 1 < shape->tokens; attempt++) {
        line path;
        if (!find_path(&session.data, count, attempt, &path))
            continue;
        crossed++;
        double coarse = largest_step(&session, &path, FINEST >> HALVINGS, count == GROUPS), last = coarse;
        for (int halvings = HALVINGS - 1; halvings >= 0; halvings--) {
            const double step = largest_step(&session, &path, (uint32_t)FINEST >> halvings, count == GROUPS);
            if (continuous)
                session_expect(&session, step < 0.65 * last, "the output's step does not shrink with the input's");
            else
                session_expect(&session, step > 0.8 * last && step > 0.02, "the hard layer does not jump");
            last = step;
        }
        print_message("\"%s\": largest step %.4g with %d steps, %.4g with %d\n", shape->name, coarse,
                      FINEST >> HALVINGS, last, FINEST);
    }
    session_expect(&session, crossed == 3, "no boundary found to cross");
    session_close(&session);
}

#define PATH_SHAPE                                                                                                     \
    .tokens = FINEST + 1, .d_model = D_MODEL, .d_hidden = 16, .expert_count = 6, .activation = SMOE_ACTIVATION_GELU,   \
    .biases = BIAS_ALL

static void test_top1_smooth(void **state)
{
    const layer_case shape = {.name = "k 1, band", PATH_SHAPE, .top_k = 1, .eps = 0.5f};

    cross(state, &shape, 1, true);
}

static void test_top1_hard(void **state)
{
    const layer_case shape = {.name = "k 1, hard", PATH_SHAPE, .top_k = 1};

    cross(state, &shape, 1, false);
}

static void test_top2_smooth(void **state)
{
    const layer_case shape = {
        .name = "k 2, band, softmax kept", PATH_SHAPE, .top_k = 2, .eps = 0.5f, .a = 2, .b = 2, .keep_softmax = true};

    cross(state, &shape, 2, true);
}

static void test_top2_hard(void **state)
{
    const layer_case shape = {.name = "k 2, hard", PATH_SHAPE, .top_k = 2};

    cross(state, &shape, 2, false);
}

/* The cap: across the k-th place, and where the expert at the cap changes. */
static void test_capped(void **state)
{
    const layer_case shape = {.name = "k 1, A 2, wide band", PATH_SHAPE, .top_k = 1, .max_active = 2, .eps = 4};

    cross(state, &shape, 1, true);
    cross(state, &shape, 2, true);
}

/* One group of the four: where another one takes its place, both experts change. */
#define GROUP_SHAPE                                                                                                    \
    .tokens = FINEST + 1, .d_model = D_MODEL, .d_hidden = 16, .expert_count = 12, .activation = SMOE_ACTIVATION_GELU,  \
    .biases = BIAS_ALL, .group_count = 4, .top_groups = 1, .top_k = 2, .a = 2, .b = 2

/* Hard, and with only a band of the experts: both jump where groups tie. */
static void test_groups_hard(void **state)
{
    layer_case shape = {.name = "groups, hard", GROUP_SHAPE};

    cross(state, &shape, GROUPS, false);
    shape.name = "groups, band of the experts only";
    shape.eps = 0.5f;
    cross(state, &shape, GROUPS, false);
}

static void test_groups_smooth(void **state)
{
    const layer_case shape = {.name = "groups, both bands", GROUP_SHAPE, .eps = 0.5f, .group_eps = 1};

    cross(state, &shape, GROUPS, true);
    cross(state, &shape, 2, true);
}

static void test_groups_capped(void **state)
{
    const layer_case shape = {
        .name = "groups, both bands, capped", GROUP_SHAPE, .eps = 1, .group_eps = 1, .max_active = 4};

    cross(state, &shape, GROUPS, true);
}

static void test_groups_sigmoid(void **state)
{
    layer_case shape = {
        .name = "groups, sigmoid, band of the experts only", GROUP_SHAPE, .gate = SMOE_GATE_SIGMOID, .eps = 0.2f};

    cross(state, &shape, GROUPS, false);
    shape.name = "groups, sigmoid, both bands";
    shape.group_eps = 0.5f;
    cross(state, &shape, GROUPS, true);
}

/* A band in the units of the gate's scores. */
static void test_gates(void **state)
{
    layer_case shape = {
        .name = "sqrt_softplus, band", PATH_SHAPE, .top_k = 2, .eps = 0.2f, .gate = SMOE_GATE_SQRT_SOFTPLUS};

    cross(state, &shape, 2, true);
    shape.name = "softmax_bias, band, kept";
    shape.gate = SMOE_GATE_SOFTMAX_BIAS;
    shape.eps = 0.15f;
    shape.keep_softmax = true;
    cross(state, &shape, 2, true);
    shape.name = "softmax_bias, hard";
    shape.eps = 0;
    cross(state, &shape, 2, false);
}

/* What divides the weights and what multiplies them. */
static void test_divisors(void **state)
{
    layer_case shape = {.name = "sigmoid, a floor, factors",
                        PATH_SHAPE,
                        .top_k = 2,
                        .eps = 0.2f,
                        .gate = SMOE_GATE_SIGMOID,
                        .renormalize_floor = 1.2f,
                        .expert_scale = true};

    cross(state, &shape, 2, true);
    shape.name = "sigmoid, an addend, hard";
    shape.renormalize_floor = 0;
    shape.renormalize_add = 0.25f;
    shape.eps = 0;
    cross(state, &shape, 2, false);
    shape.name = "sigmoid, an addend";
    shape.eps = 0.2f;
    cross(state, &shape, 2, true);
}

static void test_groups_by_best(void **state)
{
    layer_case shape = {.name = "groups by their best, band of the experts only",
                        GROUP_SHAPE,
                        .eps = 0.5f,
                        .group_score = SMOE_GROUP_SCORE_MAX};

    cross(state, &shape, GROUPS, false);
    shape.name = "groups by their best, both bands";
    shape.group_eps = 1;
    cross(state, &shape, GROUPS, true);
}

/* Each group has a boundary, a band and a cap of its own. */
static void test_balanced(void **state)
{
    layer_case shape = {.name = "balanced groups, band", PATH_SHAPE, .top_k = 2, .eps = 0.5f, .balanced_groups = 2};

    cross(state, &shape, 2, true);
    shape.name = "balanced groups, hard";
    shape.eps = 0;
    cross(state, &shape, 2, false);
    shape.name = "balanced groups, capped, kept";
    shape.eps = 4;
    shape.max_active = 4;
    shape.keep_softmax = true;
    cross(state, &shape, 2, true);
    cross(state, &shape, 4, true);
}

/* Where an expert is the identity, a change of its weight shows as any other. */
static void test_zero_experts(void **state)
{
    layer_case shape = {.name = "zero experts, band", PATH_SHAPE, .top_k = 2, .eps = 0.5f, .zero_experts = 3};

    cross(state, &shape, 2, true);
    shape.name = "a zero expert, hard"; /* two of them change places without a jump */
    shape.eps = 0;
    shape.zero_experts = 1;
    cross(state, &shape, 2, false);
    shape.name = "zero experts, capped, kept";
    shape.zero_experts = 3;
    shape.eps = 4;
    shape.max_active = 3;
    shape.keep_softmax = true;
    cross(state, &shape, 2, true);
    cross(state, &shape, 3, true);
}

/* The weight multiplies the input, the mask the output: across the band's end and across the k-th place. */
static void test_weighted_inputs(void **state)
{
    layer_case shape = {.name = "weighted inputs, band",
                        PATH_SHAPE,
                        .top_k = 2,
                        .eps = 0.2f,
                        .gate = SMOE_GATE_SIGMOID,
                        .keep_softmax = true,
                        .weighted_input = true};

    cross(state, &shape, 2, true);
    shape.name = "weighted inputs, hard";
    shape.eps = 0;
    cross(state, &shape, 2, false);
    shape.name = "weighted inputs, capped";
    shape.eps = 2;
    shape.max_active = 4;
    cross(state, &shape, 4, true);
}

static void test_latent(void **state)
{
    layer_case shape = {.name = "latent, band", PATH_SHAPE, .top_k = 2, .eps = 0.5f, .d_latent = 5};

    cross(state, &shape, 2, true);
    shape.name = "latent, zero experts, band";
    shape.zero_experts = 3;
    cross(state, &shape, 2, true);
    shape.name = "latent, hard";
    shape.zero_experts = 0;
    shape.eps = 0;
    cross(state, &shape, 2, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_top1_smooth, test_device_check),
        cmocka_unit_test_teardown(test_top1_hard, test_device_check),
        cmocka_unit_test_teardown(test_top2_smooth, test_device_check),
        cmocka_unit_test_teardown(test_top2_hard, test_device_check),
        cmocka_unit_test_teardown(test_capped, test_device_check),
        cmocka_unit_test_teardown(test_groups_hard, test_device_check),
        cmocka_unit_test_teardown(test_groups_smooth, test_device_check),
        cmocka_unit_test_teardown(test_groups_capped, test_device_check),
        cmocka_unit_test_teardown(test_groups_sigmoid, test_device_check),
        cmocka_unit_test_teardown(test_gates, test_device_check),
        cmocka_unit_test_teardown(test_divisors, test_device_check),
        cmocka_unit_test_teardown(test_groups_by_best, test_device_check),
        cmocka_unit_test_teardown(test_balanced, test_device_check),
        cmocka_unit_test_teardown(test_zero_experts, test_device_check),
        cmocka_unit_test_teardown(test_weighted_inputs, test_device_check),
        cmocka_unit_test_teardown(test_latent, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("continuity", tests, test_device_setup, test_device_teardown);
}
