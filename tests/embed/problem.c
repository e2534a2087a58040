#include "problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compare.h"
#include "common/random.h"
#include "reference/ref.h"

static void fill(test_random *random, float *values, size_t count, float limit)
{
    for (size_t i = 0; i < count; i++)
        values[i] = test_random_uniform(random, -limit, limit);
}

static bool solve(test_problem *problem)
{
    const ref_layer layer = ref_layer_of(&problem->plan, &problem->weights);
    const ref_params params = ref_params_of(&problem->plan, &problem->params);
    ref_token *token = malloc(sizeof *token);
    bool good = token != NULL;

    for (uint32_t t = 0; good && t < PROBLEM_TOKENS; t++) {
        good = ref_forward(&layer, &params, problem->x + t * PROBLEM_WIDTH, problem->logits + t * PROBLEM_EXPERTS,
                           token, problem->y + t * PROBLEM_WIDTH);
        problem->active[t] = token->active;
        problem->groups[t] = token->groups;
        for (uint32_t i = 0; good && i < token->active; i++)
            problem->expert_tokens[token->ids[i]]++;
    }
    free(token);
    return good;
}

static void use_linear_router(test_problem *problem)
{
    problem->weights.router_weight = problem->router_weight;
    problem->weights.router_bias = problem->router_bias;
    problem->params.eps = 0.75f;
}

static void use_cosine_router(test_problem *problem)
{
    smoe_plan_desc *plan = &problem->plan;
    smoe_host_weights *weights = &problem->weights;

    plan->router = SMOE_ROUTER_COSINE;
    plan->gate = SMOE_GATE_SIGMOID;
    plan->projection_width = PROBLEM_PROJECTION;
    plan->group_count = PROBLEM_GROUPS;
    plan->top_groups = PROBLEM_TOP_GROUPS;
    plan->d_latent = PROBLEM_LATENT;
    plan->shared_hidden = PROBLEM_SHARED_HIDDEN;
    plan->shared_gate = true;
    weights->router_projection = problem->router_projection;
    weights->router_projection_bias = problem->router_projection_bias;
    weights->router_similarity = problem->router_similarity;
    weights->router_log_scale = problem->router_log_scale;
    weights->selection_bias = problem->selection_bias;
    weights->latent_down.data = problem->latent_down;
    weights->latent_down_bias = problem->latent_down_bias;
    weights->latent_up.data = problem->latent_up;
    weights->latent_up_bias = problem->latent_up_bias;
    weights->shared_w1.data = problem->shared_w1;
    weights->shared_b1 = problem->shared_b1;
    weights->shared_w3.data = problem->shared_w3;
    weights->shared_b3 = problem->shared_b3;
    weights->shared_w2.data = problem->shared_w2;
    weights->shared_b2 = problem->shared_b2;
    weights->shared_gate = problem->shared_gate;
    problem->params.eps = 0.2f;
    problem->params.group_eps = 0.6f;
}

bool problem_init(test_problem *problem, problem_kind kind)
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
    problem->weights = (smoe_host_weights){
        .w1 = {problem->w1, SMOE_TYPE_FLOAT32},
        .b1 = problem->b1,
        .w3 = {problem->w3, SMOE_TYPE_FLOAT32},
        .b3 = problem->b3,
        .w2 = {problem->w2, SMOE_TYPE_FLOAT32},
        .b2 = problem->b2,
    };
    (kind == PROBLEM_LINEAR ? use_linear_router : use_cosine_router)(problem);
#define FILL(array, limit) fill(&random, problem->array, sizeof problem->array / sizeof *problem->array, limit)
    FILL(router_weight, 0.5f);
    FILL(router_bias, 0.2f);
    FILL(router_projection, 0.5f);
    FILL(router_projection_bias, 0.2f);
    FILL(router_similarity, 1);
    FILL(router_log_scale, 1);
    FILL(selection_bias, 0.2f);
    FILL(w1, 0.5f);
    FILL(w3, 0.5f);
    FILL(w2, 0.5f);
    FILL(b1, 0.5f);
    FILL(b3, 0.5f);
    FILL(b2, 0.5f);
    FILL(shared_w1, 0.5f);
    FILL(shared_w3, 0.5f);
    FILL(shared_w2, 0.5f);
    FILL(shared_b1, 0.5f);
    FILL(shared_b3, 0.5f);
    FILL(shared_b2, 0.5f);
    FILL(shared_gate, 0.5f);
    FILL(latent_down, 0.5f);
    FILL(latent_down_bias, 0.5f);
    FILL(latent_up, 0.5f);
    FILL(latent_up_bias, 0.5f);
    FILL(x, 1.7f);
#undef FILL
    return solve(problem);
}

bool problem_is_solved(const test_problem *problem, const float *y, const uint32_t *report)
{
    /* Logits are a few units, their errors near 1e-6, and the mask's slope 18 / eps: see the layer file's
     * tolerances. */
    const double tolerance = 1e-3 * fmax(1, test_max_abs(PROBLEM_ROWS, problem->y));
    size_t wrong = test_compare("y", PROBLEM_ROWS, y, problem->y, tolerance);

    for (uint32_t t = 0; report && t < PROBLEM_TOKENS; t++) {
        const uint32_t *record = report + t * SMOE_REPORT_STRIDE(PROBLEM_MAX_ACTIVE);
        if (record[SMOE_REPORT_ACTIVE] != problem->active[t] || record[SMOE_REPORT_GROUPS] != problem->groups[t]) {
            fprintf(stderr, "    token %u: active is %u, want %u; groups is %u, want %u\n", t,
                    record[SMOE_REPORT_ACTIVE], problem->active[t], record[SMOE_REPORT_GROUPS], problem->groups[t]);
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

bool problem_has_totals(const test_problem *problem, uint32_t forwards, const smoe_totals *totals,
                        const uint64_t *expert_tokens)
{
    uint64_t active = 0, most = 0, in_order = 0, in_gap = 0;
    bool good = true;

    for (uint32_t t = 0; t < PROBLEM_TOKENS; t++) {
        active += problem->active[t];
        most = problem->active[t] > most ? problem->active[t] : most;
    }
    for (uint32_t i = 0; i < SMOE_TOTALS_ORDER_COUNT; i++)
        in_order += totals->order[i];
    for (uint32_t i = 0; i < SMOE_TOTALS_GAP_COUNT; i++)
        in_gap += totals->gap[i];
    for (uint32_t e = 0; e < PROBLEM_EXPERTS; e++)
        good = good && expert_tokens[e] == (uint64_t)forwards * problem->expert_tokens[e];
    const uint64_t tokens = (uint64_t)forwards * PROBLEM_TOKENS;
    good = good && totals->tokens == tokens && totals->active == forwards * active &&
           totals->max_active == (forwards ? most : 0) && totals->capped == 0 && totals->nonfinite == 0 &&
           totals->group_ties == 0 && in_order == tokens && in_gap == tokens;
    if (!good)
        fprintf(stderr, "    the totals of %u forwards: %llu tokens, %llu active, at most %u; seed %llu\n", forwards,
                (unsigned long long)totals->tokens, (unsigned long long)totals->active, totals->max_active,
                (unsigned long long)test_seed());
    return good;
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
