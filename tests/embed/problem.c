#include "problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compare.h"
#include "common/random.h"
#include "ref/ref.h"

static void fill(test_random *random, float *values, size_t count, float limit)
{
    for (size_t i = 0; i < count; i++)
        values[i] = test_random_uniform(random, -limit, limit);
}

static bool solve(test_problem *problem)
{
    const ref_layer layer = {
        .d_model = PROBLEM_WIDTH,
        .d_hidden = PROBLEM_HIDDEN,
        .expert_count = PROBLEM_EXPERTS,
        .top_k = PROBLEM_TOP_K,
        .activation = problem->plan.activation,
        .gated = problem->plan.gated,
        .renormalize = problem->plan.renormalize,
        .router_weight = problem->router_weight,
        .router_bias = problem->router_bias,
        .w1 = problem->w1,
        .b1 = problem->b1,
        .w3 = problem->w3,
        .b3 = problem->b3,
        .w2 = problem->w2,
        .b2 = problem->b2,
    };
    const ref_params params = {
        .max_active = PROBLEM_MAX_ACTIVE,
        .eps = (double)problem->params.eps,
        .a = (double)problem->params.a,
        .b = (double)problem->params.b,
        .temperature = (double)problem->params.temperature,
        .scale = (double)problem->params.scale,
    };
    ref_token *token = malloc(sizeof *token);
    bool good = token != NULL;

    for (uint32_t t = 0; good && t < PROBLEM_TOKENS; t++) {
        good = ref_forward(&layer, &params, problem->x + t * PROBLEM_WIDTH, problem->logits + t * PROBLEM_EXPERTS, token,
                           problem->y + t * PROBLEM_WIDTH);
        problem->active[t] = token->active;
    }
    free(token);
    return good;
}

bool problem_init(test_problem *problem)
{
    test_random random = test_random_make(test_seed(), 0xe4bed);

    memset(problem, 0, sizeof *problem);
    problem->plan = (smoe_plan_desc){
        .d_model = PROBLEM_WIDTH,
        .d_hidden = PROBLEM_HIDDEN,
        .expert_count = PROBLEM_EXPERTS,
        .top_k = PROBLEM_TOP_K,
        .max_active = PROBLEM_MAX_ACTIVE,
        .max_tokens = PROBLEM_TOKENS,
        .activation = SMOE_ACTIVATION_SILU,
        .gated = true,
        .renormalize = true,
    };
    problem->params = smoe_forward_defaults();
    problem->params.token_count = PROBLEM_TOKENS;
    problem->params.eps = 0.75f;
    problem->weights = (smoe_host_weights){
        .weight_type = SMOE_TYPE_FLOAT32,
        .router_weight = problem->router_weight,
        .router_bias = problem->router_bias,
        .w1 = problem->w1,
        .b1 = problem->b1,
        .w3 = problem->w3,
        .b3 = problem->b3,
        .w2 = problem->w2,
        .b2 = problem->b2,
    };
#define FILL(array, limit) fill(&random, problem->array, sizeof problem->array / sizeof *problem->array, limit)
    FILL(router_weight, 0.5f);
    FILL(router_bias, 0.2f);
    FILL(w1, 0.5f);
    FILL(w3, 0.5f);
    FILL(w2, 0.5f);
    FILL(b1, 0.5f);
    FILL(b3, 0.5f);
    FILL(b2, 0.5f);
    FILL(x, 1.7f);
#undef FILL
    return solve(problem);
}

bool problem_is_solved(const test_problem *problem, const float *y, const uint32_t *report)
{
    /* Logits are a few units, their errors near 1e-6, and the mask's slope 18 / eps: see the layer file's tolerances. */
    const double tolerance = 1e-3 * fmax(1, test_max_abs(PROBLEM_ROWS, problem->y));
    size_t wrong = test_compare("y", PROBLEM_ROWS, y, problem->y, tolerance);

    for (uint32_t t = 0; report && t < PROBLEM_TOKENS; t++) {
        const uint32_t active = report[t * SMOE_REPORT_STRIDE(PROBLEM_MAX_ACTIVE) + SMOE_REPORT_ACTIVE];
        if (active != problem->active[t]) {
            fprintf(stderr, "    token %u: active is %u, want %u\n", t, active, problem->active[t]);
            wrong++;
        }
    }
    if (wrong)
        fprintf(stderr, "    seed %llu\n", (unsigned long long)test_seed());
    return wrong == 0;
}

bool problem_has_logits(const test_problem *problem, const float *logits)
{
    const double tolerance = 1e-5 * fmax(1, test_max_abs(PROBLEM_LOGITS, problem->logits));
    const size_t wrong = test_compare("logits", PROBLEM_LOGITS, logits, problem->logits, tolerance);

    if (wrong)
        fprintf(stderr, "    seed %llu\n", (unsigned long long)test_seed());
    return wrong == 0;
}

bool problem_runs(const test_problem *problem, smoe_device *device)
{
    smoe_device_layer *layer = NULL;
    float y[PROBLEM_ROWS];
    uint32_t report[PROBLEM_REPORT];

    smoe_result result = smoe_device_layer_create(device, &problem->plan, &problem->weights, &layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(layer, &problem->params, problem->x, y, report, NULL);
    smoe_device_layer_destroy(layer);
    if (result != SMOE_SUCCESS)
        fprintf(stderr, "    %s\n", smoe_result_text(result));
    return result == SMOE_SUCCESS && problem_is_solved(problem, y, report);
}
