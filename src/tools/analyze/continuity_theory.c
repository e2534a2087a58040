/* What theory says of continuity's line: the jump of the hard layer, and a bound of the smooth layer's slope
 * (README.md).
 *
 *     J = |sum over e of (w_e left - w_e right) f_e(boundary)|, from the weights of the two neighbours and the experts
 * each run alone. L = scale (D + F (q / (4 tau) + (B / k) M q' / eps)), for renormalized softmax gates without factors
 * of experts or a shared expert, with q = max |d(z_e - z_f)| / |dx|, of the experts that run on the line; F the largest
 * |f_e - f_f| and D the largest |df_e| / |dx| of them; B the most of them in the band; M the mask's steepest slope in
 * u. Without groups q' = q. With groups, q of all experts, q' = q (1 + 4 (1 + (R + eps) / group_eps)^2) and B exp(R /
 * tau) for B, R the most by which an expert of a group that is not kept exceeds s[k]. Where the cap shrinks the band: q
 * of all experts, 2 q' for q', and the smallest eps_t for eps. */
#include "continuity.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COARSE = PATH_FEWEST, MIDDLE = COARSE / 2 }; /* points on the line; the middle one is the boundary */

smoe_forward_params continuity_params(const continuity *s, int mode)
{
    smoe_forward_params params = s->source.params;
    params.eps = mode == CONTINUITY_HARD ? 0.0f : (float)s->eps;
    params.group_eps = mode == CONTINUITY_SMOOTH ? (float)s->group_eps : 0.0f;
    return params;
}

/* M, on a grid that is fine at both ends. Infinite for a or b below 1, where it is so at an end. */
static double steepest(double a, double b)
{
    double largest = a < 1 || b < 1 ? INFINITY : 0;
    for (int i = 1; i < 200000; i++) {
        const double far = 0.5 * pow(1e-9, (double)i / 200000), ends[2] = {far, 1 - far};
        for (int end = 0; end < 2; end++) {
            const double u = ends[end], v = end ? far : 1 - far, p = pow(u, a), q = pow(v, b);
            largest = fmax(largest, (a * p / u * q + b * p * q / v) / ((p + q) * (p + q)));
        }
    }
    return largest;
}

typedef struct line_facts {
    double slope_all, slope_running;       /* q of all experts, and of those that run */
    double spread, experts, above;         /* F, D, R */
    double least_eps;
    uint32_t band; /* B */
} line_facts;

static smoe_result run_line(continuity *s, const smoe_forward_params *params)
{
    return path_run(&s->walk, params, s->line.centre, s->line.direction, -s->line.half_length, s->line.half_length,
                    COARSE);
}

/* The logits on the line, and R. scores: memory for as many. */
static smoe_result measure_hard(continuity *s, float *logits, float *scores, line_facts *facts)
{
    const smoe_plan_desc *plan = &s->source.plan;
    const ptrdiff_t experts = (ptrdiff_t)plan->expert_count;
    smoe_forward_params params = continuity_params(s, CONTINUITY_HARD);
    params.keep_scores = true;
    smoe_result result = run_line(s, &params);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_logits(s->walk.layer, scores);
    params.keep_scores = false;
    if (result == SMOE_SUCCESS)
        result = run_line(s, &params);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_logits(s->walk.layer, logits);
    for (uint32_t p = 0; result == SMOE_SUCCESS && p < COARSE; p++) {
        const float *z = logits + (ptrdiff_t)p * experts, *kept = scores + (ptrdiff_t)p * experts;
        const uint32_t last = path_record(&s->walk, p)[SMOE_REPORT_IDS + plan->top_k - 1];
        for (ptrdiff_t e = 0; e < experts; e++)
            if (kept[e] == -FLT_MAX)
                facts->above = fmax(facts->above, (double)z[e] - z[last]);
    }
    return result;
}

/* Marks the experts that run somewhere on the line; of the smooth layer also B and the smallest eps_t. */
static smoe_result measure_active(continuity *s, bool *runs, line_facts *facts)
{
    const uint32_t k = s->source.plan.top_k;
    for (int mode = CONTINUITY_HARD; mode < CONTINUITY_MODES; mode++) {
        const smoe_forward_params params = continuity_params(s, mode);
        const smoe_result result = run_line(s, &params);
        if (result != SMOE_SUCCESS)
            return result;
        for (uint32_t p = 0; p < COARSE; p++) {
            const uint32_t *record = path_record(&s->walk, p), active = record[SMOE_REPORT_ACTIVE];
            for (uint32_t i = 0; i < active; i++)
                runs[record[SMOE_REPORT_IDS + i]] = true;
            if (mode != CONTINUITY_SMOOTH)
                continue;
            facts->band = active - k > facts->band ? active - k : facts->band;
            facts->least_eps = fmin(facts->least_eps, path_report_float(&s->walk, p, SMOE_REPORT_EPS));
        }
    }
    return SMOE_SUCCESS;
}

/* q: the largest spread of the logits' steps between neighbouring points, of the experts that run (NULL: of all). */
static double logit_slope(const continuity *s, const float *logits, const bool *runs, double h)
{
    const ptrdiff_t experts = (ptrdiff_t)s->source.plan.expert_count;
    double largest = 0;
    for (ptrdiff_t p = 1; p < COARSE; p++) {
        double least = INFINITY, most = -INFINITY;
        for (ptrdiff_t e = 0; e < experts; e++) {
            if (runs && !runs[e])
                continue;
            const double step = (double)logits[p * experts + e] - logits[(p - 1) * experts + e];
            least = fmin(least, step);
            most = fmax(most, step);
        }
        largest = fmax(largest, (most - least) / h);
    }
    return largest;
}

/* J. f: the experts of ids, at each of the COARSE points. */
static double jump(const continuity *s, const uint32_t *ids, uint32_t count, const float *f)
{
    const uint32_t width = s->source.plan.d_model, most = s->source.plan.max_active;
    double squares = 0;
    for (uint32_t d = 0; d < width; d++) {
        double sum = 0;
        for (int side = 0; side < 2; side++)
            for (uint32_t i = 0; i < s->sides[side][SMOE_REPORT_ACTIVE]; i++) {
                float weight;
                memcpy(&weight, &s->sides[side][SMOE_REPORT_WEIGHTS(most) + i], sizeof weight);
                for (uint32_t j = 0; j < count; j++)
                    if (ids[j] == s->sides[side][SMOE_REPORT_IDS + i])
                        sum += (side ? -1.0 : 1.0) * weight * f[((size_t)j * COARSE + MIDDLE) * width + d];
            }
        squares += sum * sum;
    }
    return sqrt(squares);
}

/* The experts that run, each alone on the line: F, D and J. */
static int measure_experts(continuity *s, const bool *runs, double h, line_facts *facts, continuity_theory *theory)
{
    const smoe_plan_desc *plan = &s->source.plan;
    const size_t values = (size_t)COARSE * plan->d_model;
    uint32_t *ids = layers_allocate(plan->expert_count, sizeof *ids), count = 0;
    for (uint32_t e = 0; ids && e < plan->expert_count; e++)
        if (runs[e])
            ids[count++] = e;
    float *f = ids ? layers_allocate(values * count, sizeof *f) : NULL;
    const int status = f ? layers_run_experts(s->a, &s->source, ids, count, s->walk.x, COARSE, f) : PROGRAM_FAILED;
    for (uint32_t p = 0; status == PROGRAM_OK && p < COARSE; p++)
        for (uint32_t i = 0; i < count; i++) {
            const float *one = f + i * values + (size_t)p * plan->d_model;
            if (p > 0)
                facts->experts = fmax(facts->experts, layers_distance(one, one - plan->d_model, plan->d_model) / h);
            for (uint32_t j = 0; j < i; j++)
                facts->spread = fmax(facts->spread,
                                     layers_distance(one, f + j * values + (size_t)p * plan->d_model, plan->d_model));
        }
    if (status == PROGRAM_OK)
        theory->jump = jump(s, ids, count, f);
    free(f);
    free(ids);
    return status;
}

static double slope(const continuity *s, const line_facts *facts)
{
    const smoe_plan_desc *plan = &s->source.plan;
    const smoe_forward_params *p = &s->source.params;
    if (plan->gate != SMOE_GATE_SOFTMAX || !plan->renormalize || plan->expert_scale || plan->shared_hidden)
        return NAN;
    const bool groups = layers_has_groups(&s->source), capped = facts->least_eps < (float)s->eps;
    double q = groups || capped ? facts->slope_all : facts->slope_running, scores = capped ? 2 * q : q;
    double weight = (double)facts->band / plan->top_k; /* of the experts in the band, at most */
    if (groups) {
        scores *= 1 + 4 * pow(1 + (facts->above + s->eps) / s->group_eps, 2);
        weight *= exp(facts->above / p->temperature); /* the penalty lowers s, not the gate */
    }
    const double mask = weight * steepest(p->a, p->b) * scores / facts->least_eps;
    return fabs(p->scale) * (facts->experts + facts->spread * (q / (4 * (double)p->temperature) + mask));
}

int continuity_predict(continuity *s, continuity_theory *theory)
{
    const double h = 2 * s->line.half_length / (COARSE - 1);
    const size_t count = s->source.plan.expert_count;
    float *logits = layers_allocate(count * COARSE, sizeof *logits);
    float *scores = layers_allocate(count * COARSE, sizeof *scores);
    bool *runs = layers_allocate(count, sizeof *runs);
    line_facts facts = {.least_eps = s->eps};
    int status = logits && scores && runs ? PROGRAM_OK : PROGRAM_FAILED;
    if (status == PROGRAM_OK) {
        smoe_result result = measure_hard(s, logits, scores, &facts);
        if (result == SMOE_SUCCESS)
            result = measure_active(s, runs, &facts);
        if (result == SMOE_SUCCESS) {
            facts.slope_all = logit_slope(s, logits, NULL, h);
            facts.slope_running = logit_slope(s, logits, runs, h);
        }
        status =
            result == SMOE_SUCCESS ? measure_experts(s, runs, h, &facts, theory) : analyze_fail_result(s->a, result);
    }
    theory->expert_slope = facts.experts;
    theory->slope = slope(s, &facts);
    free(logits);
    free(scores);
    free(runs);
    return status;
}
