/* A small gated layer with every bias, its input, and what the reference says of it: what the tests of this folder run. */
#ifndef EMBED_PROBLEM_H
#define EMBED_PROBLEM_H

#include "smoe/device.h"

/* Nothing that a tile or a subgroup divides. */
enum {
    PROBLEM_TOKENS = 5,
    PROBLEM_WIDTH = 12,
    PROBLEM_HIDDEN = 19,
    PROBLEM_EXPERTS = 7,
    PROBLEM_TOP_K = 2,
    PROBLEM_MAX_ACTIVE = 4,
    PROBLEM_ROWS = PROBLEM_TOKENS * PROBLEM_WIDTH,
    PROBLEM_LOGITS = PROBLEM_TOKENS * PROBLEM_EXPERTS,
    PROBLEM_MATRIX = PROBLEM_EXPERTS * PROBLEM_HIDDEN * PROBLEM_WIDTH,
    PROBLEM_REPORT = PROBLEM_TOKENS * SMOE_REPORT_STRIDE(PROBLEM_MAX_ACTIVE)
};

typedef struct test_problem {
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights; /* points into the arrays below: a problem must not move */
    float router_weight[PROBLEM_EXPERTS * PROBLEM_WIDTH], router_bias[PROBLEM_EXPERTS];
    float w1[PROBLEM_MATRIX], w3[PROBLEM_MATRIX], w2[PROBLEM_MATRIX];
    float b1[PROBLEM_EXPERTS * PROBLEM_HIDDEN], b3[PROBLEM_EXPERTS * PROBLEM_HIDDEN], b2[PROBLEM_EXPERTS * PROBLEM_WIDTH];
    float x[PROBLEM_ROWS];
    double y[PROBLEM_ROWS], logits[PROBLEM_LOGITS];
    uint32_t active[PROBLEM_TOKENS];
} test_problem;

/* Fills in everything; false when out of memory. The run's seed (test_seed) decides the numbers. */
bool problem_init(test_problem *problem);

/* Whether y, and the report unless it is NULL, are the problem's; prints the seed and what differs. */
bool problem_is_solved(const test_problem *problem, const float *y, const uint32_t *report);

/* Likewise the logits, [T,E]. */
bool problem_has_logits(const test_problem *problem, const float *logits);

/* The whole problem through device.h, with a report: whether layer_create, forward and the result are all well. */
bool problem_runs(const test_problem *problem, smoe_device *device);

#endif
