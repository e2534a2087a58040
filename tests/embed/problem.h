/* Two small gated layers with every bias, their input, and what the reference says of them: what the tests of this
 * folder run. */
#ifndef EMBED_PROBLEM_H
#define EMBED_PROBLEM_H

#include "smoe/device.h"

/* Nothing that a tile or a subgroup divides. */
enum {
    PROBLEM_TOKENS = 5,
    PROBLEM_WIDTH = 12,
    PROBLEM_HIDDEN = 19,
    PROBLEM_EXPERTS = 9,
    PROBLEM_TOP_K = 2,
    PROBLEM_MAX_ACTIVE = 4,
    PROBLEM_PROJECTION = 11,
    PROBLEM_GROUPS = 3,
    PROBLEM_TOP_GROUPS = 2,
    PROBLEM_SHARED_HIDDEN = 13,
    PROBLEM_LATENT = 7, /* below PROBLEM_WIDTH: the experts' arrays are long enough */
    PROBLEM_ROWS = PROBLEM_TOKENS * PROBLEM_WIDTH,
    PROBLEM_LOGITS = PROBLEM_TOKENS * PROBLEM_EXPERTS,
    PROBLEM_MATRIX = PROBLEM_EXPERTS * PROBLEM_HIDDEN * PROBLEM_WIDTH,
    PROBLEM_SHARED_MATRIX = PROBLEM_SHARED_HIDDEN * PROBLEM_WIDTH,
    PROBLEM_LATENT_MATRIX = PROBLEM_LATENT * PROBLEM_WIDTH,
    PROBLEM_REPORT = PROBLEM_TOKENS * SMOE_REPORT_STRIDE(PROBLEM_MAX_ACTIVE)
};

typedef enum problem_kind {
    PROBLEM_LINEAR, /* linear router and softmax gate */
    /* cosine router, sigmoid gate with a selection bias, smoothed groups, latent experts, a shared expert with a gate
     */
    PROBLEM_COSINE
} problem_kind;

typedef struct test_problem {
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights; /* points into the arrays below: a problem must not move */
    float router_weight[PROBLEM_EXPERTS * PROBLEM_WIDTH], router_bias[PROBLEM_EXPERTS];
    float router_projection[PROBLEM_PROJECTION * PROBLEM_WIDTH], router_projection_bias[PROBLEM_PROJECTION];
    float router_similarity[PROBLEM_PROJECTION * PROBLEM_EXPERTS], router_log_scale[1], selection_bias[PROBLEM_EXPERTS];
    float w1[PROBLEM_MATRIX], w3[PROBLEM_MATRIX], w2[PROBLEM_MATRIX];
    float b1[PROBLEM_EXPERTS * PROBLEM_HIDDEN], b3[PROBLEM_EXPERTS * PROBLEM_HIDDEN],
        b2[PROBLEM_EXPERTS * PROBLEM_WIDTH];
    float shared_w1[PROBLEM_SHARED_MATRIX], shared_w3[PROBLEM_SHARED_MATRIX], shared_w2[PROBLEM_SHARED_MATRIX];
    float shared_b1[PROBLEM_SHARED_HIDDEN], shared_b3[PROBLEM_SHARED_HIDDEN], shared_b2[PROBLEM_WIDTH],
        shared_gate[PROBLEM_WIDTH];
    float latent_down[PROBLEM_LATENT_MATRIX], latent_down_bias[PROBLEM_LATENT], latent_up[PROBLEM_LATENT_MATRIX],
        latent_up_bias[PROBLEM_WIDTH];
    float x[PROBLEM_ROWS];
    double y[PROBLEM_ROWS], logits[PROBLEM_LOGITS];
    uint32_t active[PROBLEM_TOKENS], groups[PROBLEM_TOKENS], expert_tokens[PROBLEM_EXPERTS];
} test_problem;

/* Fills in everything; false when out of memory. The run's seed (test_seed) decides the numbers. */
bool problem_init(test_problem *problem, problem_kind kind);

/* Whether y, and the report unless it is NULL, are the problem's; prints the seed and what differs. */
bool problem_is_solved(const test_problem *problem, const float *y, const uint32_t *report);

/* The same for the logits, [T,E]. */
bool problem_has_logits(const test_problem *problem, const float *logits);

/* The same for the totals of `forwards` forwards over the problem; expert_tokens: [E]. */
bool problem_has_totals(const test_problem *problem, uint32_t forwards, const smoe_totals *totals,
                        const uint64_t *expert_tokens);

/* The whole problem through device.h, with a report: whether layer_create, forward and the result are all well. */
bool problem_runs(const test_problem *problem, smoe_device *device);

#endif
