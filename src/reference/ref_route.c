#include "ref.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define LOG_SCALE_MOST log(100.0)
#define NORM_LEAST 1e-12

double ref_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

void ref_project(const ref_layer *layer, const float *x, double *v)
{
    for (uint32_t i = 0; i < layer->projection_width; i++) {
        const float *row = layer->router_projection + (size_t)i * layer->d_model;
        v[i] = layer->router_projection_bias ? (double)layer->router_projection_bias[i] : 0.0;
        for (uint32_t j = 0; j < layer->d_model; j++)
            v[i] += (double)row[j] * (double)x[j];
    }
}

void ref_cosine(const ref_layer *layer, const double *v, double *logits)
{
    const double scale = exp(fmin((double)layer->router_log_scale[0], LOG_SCALE_MOST));
    double v_square = 0;

    for (uint32_t i = 0; i < layer->projection_width; i++)
        v_square += v[i] * v[i];
    for (uint32_t e = 0; e < layer->expert_count; e++) {
        double dot = 0, square = 0;
        for (uint32_t i = 0; i < layer->projection_width; i++) {
            const double s = (double)layer->router_similarity[(size_t)i * layer->expert_count + e];
            dot += v[i] * s;
            square += s * s;
        }
        logits[e] = scale * dot / (fmax(sqrt(v_square), NORM_LEAST) * fmax(sqrt(square), NORM_LEAST));
        /* A norm that float32 cannot hold: the direction is lost. */
        if (isnan(layer->router_log_scale[0]) || !(v_square <= (double)FLT_MAX) || !(square <= (double)FLT_MAX))
            logits[e] = NAN;
    }
}

void ref_logits(const ref_layer *layer, const float *x, double *logits)
{
    if (layer->router == SMOE_ROUTER_COSINE) {
        double v[REF_MAX_PROJECTION];
        ref_project(layer, x, v);
        ref_cosine(layer, v, logits);
        return;
    }
    for (uint32_t e = 0; e < layer->expert_count; e++) {
        const float *w = layer->router_weight + (size_t)e * layer->d_model;
        double sum = layer->router_bias ? (double)layer->router_bias[e] : 0.0;
        for (uint32_t i = 0; i < layer->d_model; i++)
            sum += (double)x[i] * (double)w[i];
        logits[e] = sum;
    }
}

void ref_scores(const ref_layer *layer, const double *logits, double *scores)
{
    for (uint32_t e = 0; e < layer->expert_count; e++) {
        scores[e] = logits[e];
        if (layer->gate == SMOE_GATE_SIGMOID)
            scores[e] = ref_sigmoid(logits[e]) + (layer->selection_bias ? (double)layer->selection_bias[e] : 0.0);
    }
}

bool ref_has_groups(const ref_layer *layer)
{
    return layer->group_count > 1;
}

uint32_t ref_group_of(const ref_layer *layer, uint32_t expert)
{
    return ref_has_groups(layer) ? expert / (layer->expert_count / layer->group_count) : 0;
}

double ref_group_penalty(double d, double group_eps)
{
    return d < group_eps ? d / (1 - d / group_eps) : INFINITY;
}

/* The sum of the two largest, or the only one. */
static void score_groups(const ref_layer *layer, const double *scores, ref_groups *groups)
{
    const uint32_t size = layer->expert_count / layer->group_count;

    for (uint32_t j = 0; j < layer->group_count; j++) {
        const double *s = scores + (size_t)j * size;
        double first = s[0], second = -INFINITY;
        for (uint32_t i = 1; i < size; i++) {
            second = fmax(second, fmin(first, s[i]));
            first = fmax(first, s[i]);
        }
        groups->best[j] = first;
        groups->score[j] = size == 1 ? first : first + second;
    }
}

void ref_group(const ref_layer *layer, const ref_params *params, const double *scores, ref_groups *groups)
{
    const uint32_t kept = layer->top_groups, count = layer->group_count;

    score_groups(layer, scores, groups);
    ref_rank(count, groups->score, groups->ranked);
    const double last = groups->score[groups->ranked[kept - 1]];
    groups->gap = kept == count ? INFINITY : last - groups->score[groups->ranked[kept]];
    groups->count = 0;
    for (uint32_t r = 0; r < count; r++) {
        const uint32_t j = groups->ranked[r];
        groups->penalty[j] = r < kept ? 0 : ref_group_penalty(last - groups->score[j], params->group_eps);
        groups->count += groups->penalty[j] < INFINITY;
    }
}

void ref_lower_scores(const ref_layer *layer, const ref_groups *groups, double *scores)
{
    for (uint32_t e = 0; ref_has_groups(layer) && e < layer->expert_count; e++)
        scores[e] -= groups->penalty[ref_group_of(layer, e)];
}

typedef struct scored {
    double score; /* no NaN */
    uint32_t index;
} scored;

/* The higher score first; of equal ones the lower index. */
static int compare_scored(const void *left, const void *right)
{
    const scored *a = left, *b = right;
    const int scores = (a->score < b->score) - (a->score > b->score);
    return scores ? scores : (a->index > b->index) - (a->index < b->index);
}

void ref_rank(uint32_t expert_count, const double *scores, uint32_t *ranked)
{
    scored all[SMOE_MAX_EXPERTS];
    for (uint32_t e = 0; e < expert_count; e++)
        all[e] = (scored){scores[e], e};
    qsort(all, expert_count, sizeof all[0], compare_scored);
    for (uint32_t r = 0; r < expert_count; r++)
        ranked[r] = all[r].index;
}

/* log(1 + exp(q)) without overflow */
static double softplus(double q)
{
    return fmax(q, 0) + log1p(exp(-fabs(q)));
}

double ref_log_mask(double u, double a, double b)
{
    if (u <= 0)
        return -INFINITY;
    if (u >= 1)
        return 0;
    /* Divided by u^a, and as logarithms, because both powers may underflow. */
    return -softplus(b * log1p(-u) - a * log(u));
}

double ref_mask(double u, double a, double b)
{
    return exp(ref_log_mask(u, a, b));
}

double ref_mask_slope(double a, double b)
{
    const int steps = 100000;
    double slope = 0;
    for (int i = 1; i < steps; i++) {
        double u = (double)i / steps;
        double m = ref_mask(u, a, b);
        slope = fmax(slope, m * (1 - m) * (a / u + b / (1 - u)));
    }
    return slope;
}

bool ref_all_finite(uint32_t count, const double *values)
{
    for (uint32_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= (double)FLT_MAX))
            return false;
    return true;
}

bool ref_is_finite(const ref_layer *layer, const double *logits)
{
    double scores[SMOE_MAX_EXPERTS];
    ref_groups groups;

    ref_scores(layer, logits, scores);
    if (!ref_all_finite(layer->expert_count, logits) || !ref_all_finite(layer->expert_count, scores))
        return false;
    if (!ref_has_groups(layer))
        return true;
    score_groups(layer, scores, &groups);
    return ref_all_finite(layer->group_count, groups.score);
}

static void clear_token(uint32_t expert_count, ref_token *token)
{
    *token = (ref_token){0};
    for (uint32_t e = 0; e < expert_count; e++)
        token->ids[e] = SMOE_REPORT_UNUSED;
}

/* Numbers that float32 may flush to 0 are 0 (docs/routing.md, 2.5). */
static double distance_below(double above, double score)
{
    return above - score < (double)FLT_MIN ? 0 : above - score;
}

double ref_band(const ref_layer *layer, const ref_params *params, const double *scores, const uint32_t *ranked)
{
    if (params->max_active == layer->expert_count)
        return params->eps;
    return fmin(params->eps, distance_below(scores[ranked[layer->top_k - 1]], scores[ranked[params->max_active]]));
}

/* log g (docs/routing.md, 2.1). For softmax gates the largest logit is subtracted before the division: beside a
 * quotient of 1e30 the differences would be lost. find_divisor subtracts the same constant. */
static double log_gate(const ref_layer *layer, const ref_params *params, double largest, double z)
{
    return layer->gate == SMOE_GATE_SIGMOID ? -softplus(-z) : (z - largest) / params->temperature;
}

static double largest_logit(uint32_t count, const double *logits)
{
    double largest = -INFINITY;

    for (uint32_t e = 0; e < count; e++)
        largest = fmax(largest, logits[e]);
    return largest;
}

/* The active experts and the logarithms of g m. */
static void choose(const ref_layer *layer, const ref_params *params, const double *logits, const double *scores,
                   const uint32_t *ranked, ref_token *token)
{
    const uint32_t k = layer->top_k;
    const double kth = scores[ranked[k - 1]], largest = largest_logit(layer->expert_count, logits);

    for (uint32_t r = 0; r < layer->expert_count; r++) {
        double log_mask = 0;
        if (r >= k) {
            const double u = (scores[ranked[r]] - kth + token->eps) / token->eps;
            if (!(token->eps > 0) || !(u > 0))
                break;
            log_mask = ref_log_mask(u, params->a, params->b);
        }
        token->ids[r] = ranked[r];
        token->weights[r] = log_gate(layer, params, largest, logits[ranked[r]]) + log_mask;
        token->active++;
    }
}

/* The logarithm of what g m is divided by (docs/routing.md, 2.6): `most` and log_sum, which may be lost beside it. */
typedef struct log_divisor {
    double most, log_sum;
} log_divisor;

static log_divisor find_divisor(const ref_layer *layer, const ref_params *params, const double *logits,
                                const ref_token *token)
{
    const bool over_all = !layer->renormalize;
    const uint32_t count = over_all ? layer->expert_count : token->active;
    const double largest = largest_logit(layer->expert_count, logits);
    double most = -INFINITY, sum = 0;

    if (over_all && layer->gate == SMOE_GATE_SIGMOID)
        return (log_divisor){0, 0};
    for (uint32_t i = 0; i < count; i++)
        most = fmax(most, over_all ? log_gate(layer, params, largest, logits[i]) : token->weights[i]);
    for (uint32_t i = 0; i < count; i++)
        sum += exp((over_all ? log_gate(layer, params, largest, logits[i]) : token->weights[i]) - most);
    return (log_divisor){most, log(sum)};
}

void ref_select(const ref_layer *layer, const ref_params *params, const double *logits, ref_token *token)
{
    const uint32_t k = layer->top_k, count = layer->expert_count;
    uint32_t ranked[SMOE_MAX_EXPERTS];
    double scores[SMOE_MAX_EXPERTS];
    ref_groups groups;

    clear_token(count, token);
    if (!ref_is_finite(layer, logits)) {
        token->gap = token->group_gap = NAN;
        token->flags = SMOE_REPORT_FLAG_NONFINITE;
        return;
    }
    ref_scores(layer, logits, scores);
    token->group_gap = INFINITY;
    if (ref_has_groups(layer)) {
        ref_group(layer, params, scores, &groups);
        ref_lower_scores(layer, &groups, scores);
        token->group_gap = groups.gap;
        token->groups = groups.count;
        if (groups.gap <= params->tie_tolerance)
            token->flags |= SMOE_REPORT_FLAG_GROUP_TIE;
    }
    ref_rank(count, scores, ranked);
    const double kth = scores[ranked[k - 1]];

    token->gap = k == count ? INFINITY : distance_below(kth, scores[ranked[k]]);
    if (token->gap <= params->tie_tolerance) {
        for (uint32_t e = 0; e < count; e++)
            token->order += distance_below(fmax(scores[e], kth), fmin(scores[e], kth)) <= params->tie_tolerance;
        token->order -= 1;
    }
    token->eps = ref_band(layer, params, scores, ranked);
    if (params->eps > 0 && token->eps == 0)
        token->flags |= SMOE_REPORT_FLAG_CAPPED;
    choose(layer, params, logits, scores, ranked, token);
    const log_divisor divisor = find_divisor(layer, params, logits, token);
    for (uint32_t r = 0; r < token->active; r++)
        token->weights[r] = params->scale * exp(token->weights[r] - divisor.most - divisor.log_sum);
}
