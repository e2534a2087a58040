#include "ref.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define LOG_SCALE_MOST log(100.0)
#define NORM_LEAST 1e-12

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

/* The sum of the two largest, or the only one; or the largest. */
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
        groups->score[j] = size == 1 || layer->group_score == SMOE_GROUP_SCORE_MAX ? first : first + second;
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

double ref_log_mask(double u, double a, double b)
{
    if (u <= 0)
        return -INFINITY;
    if (u >= 1)
        return 0;
    /* Divided by u^a, and as logarithms, because both powers may underflow. */
    return -ref_softplus(b * log1p(-u) - a * log(u));
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

uint32_t ref_part_count(const ref_layer *layer)
{
    return layer->balanced_groups > 1 ? layer->balanced_groups : 1;
}

static double part_band(const ref_params *params, const double *scores, const ref_part *part)
{
    if (part->max_active == part->count)
        return params->eps;
    return fmin(params->eps, distance_below(part->kth, scores[part->ranked[part->max_active]]));
}

void ref_part_find(const ref_layer *layer, const ref_params *params, const double *scores, uint32_t index,
                   ref_part *part)
{
    const uint32_t parts = ref_part_count(layer);

    part->count = layer->expert_count / parts;
    part->first = index * part->count;
    part->top_k = layer->top_k / parts;
    part->max_active = params->max_active / parts;
    ref_rank(part->count, scores + part->first, part->ranked);
    for (uint32_t r = 0; r < part->count; r++)
        part->ranked[r] += part->first;
    part->kth = scores[part->ranked[part->top_k - 1]];
    part->gap = part->top_k == part->count ? INFINITY : distance_below(part->kth, scores[part->ranked[part->top_k]]);
    part->eps = part_band(params, scores, part);
}

uint32_t ref_part_order(const ref_params *params, const double *scores, const ref_part *part)
{
    uint32_t tied = 0;

    if (!(part->gap <= params->tie_tolerance))
        return 0;
    for (uint32_t e = part->first; e < part->first + part->count; e++)
        tied += distance_below(fmax(scores[e], part->kth), fmin(scores[e], part->kth)) <= params->tie_tolerance;
    return tied - 1;
}

/* The logarithms of the masks of a part's experts, -inf for those that do not run. */
static void mask_part(const ref_params *params, const double *scores, const ref_part *part, double *log_masks)
{
    for (uint32_t r = 0; r < part->count; r++) {
        const uint32_t e = part->ranked[r];
        const double u = part->eps > 0 ? (scores[e] - part->kth + part->eps) / part->eps : 0;
        log_masks[e] = r < part->top_k ? 0 : ref_log_mask(u, params->a, params->b);
    }
}

/* The active experts and the logarithms of g m. */
static void choose(const ref_layer *layer, const ref_params *params, const double *logits, const double *scores,
                   const double *log_masks, ref_token *token)
{
    const ref_gates gates = ref_gates_of(layer, logits);
    uint32_t ranked[SMOE_MAX_EXPERTS];

    ref_rank(layer->expert_count, scores, ranked);
    for (uint32_t r = 0; r < layer->expert_count; r++) {
        const uint32_t e = ranked[r];
        if (!(log_masks[e] > -INFINITY))
            continue;
        token->ids[token->active] = e;
        token->weights[token->active] = ref_log_gate(layer, params, &gates, logits[e]) + log_masks[e];
        token->active++;
    }
}

/* The logarithm of what g m is divided by (docs/routing.md, 2.6): `most` and log_sum, which may be lost beside it. */
typedef struct log_divisor {
    double most, log_sum;
} log_divisor;

/* max(sum, floor), or sum + addend. */
static log_divisor widen(log_divisor sum, double least, double addend)
{
    const double extra = log(fmax(least, addend)), all = sum.most + sum.log_sum, most = fmax(all, extra);

    if (!(extra > -INFINITY))
        return sum;
    return addend > 0 ? (log_divisor){most, log(exp(all - most) + exp(extra - most))} : (log_divisor){most, 0};
}

static log_divisor find_divisor(const ref_layer *layer, const ref_params *params, const double *logits,
                                const ref_token *token)
{
    const bool over_all = !layer->renormalize;
    const uint32_t count = over_all ? layer->expert_count : token->active;
    const ref_gates gates = ref_gates_of(layer, logits);
    double most = -INFINITY, sum = 0;

    if (over_all && layer->gate != SMOE_GATE_SOFTMAX)
        return (log_divisor){0, 0};
    for (uint32_t i = 0; i < count; i++)
        most = fmax(most, over_all ? ref_log_gate(layer, params, &gates, logits[i]) : token->weights[i]);
    for (uint32_t i = 0; i < count; i++)
        sum += exp((over_all ? ref_log_gate(layer, params, &gates, logits[i]) : token->weights[i]) - most);
    return widen((log_divisor){most, log(sum)}, layer->renormalize_floor, layer->renormalize_add);
}

/* Gap, order and band, and the masks of all experts. */
static void find_gaps(const ref_layer *layer, const ref_params *params, const double *scores, double *log_masks,
                      ref_token *token)
{
    ref_part part;

    for (uint32_t i = 0; i < ref_part_count(layer); i++) {
        ref_part_find(layer, params, scores, i, &part);
        mask_part(params, scores, &part, log_masks);
        token->eps = fmin(token->eps, part.eps);
        if (part.gap < token->gap) {
            token->gap = part.gap;
            token->order = ref_part_order(params, scores, &part);
        }
    }
    if (params->eps > 0 && token->eps == 0)
        token->flags |= SMOE_REPORT_FLAG_CAPPED;
}

/* The experts that are given, and the logarithms of g, or the weights. */
static void take_given(const ref_layer *layer, const ref_params *params, const double *logits, ref_token *token)
{
    const ref_gates gates = ref_gates_of(layer, logits);

    for (uint32_t i = 0; i < params->given_count; i++) {
        const uint32_t e = params->given_ids[i];
        if (e == SMOE_REPORT_UNUSED)
            continue;
        token->ids[token->active] = e;
        token->weights[token->active++] = params->given_weights ? params->scale * (double)params->given_weights[i]
                                                                : ref_log_gate(layer, params, &gates, logits[e]);
    }
}

/* Whether every expert that is given is one, with a weight that is finite. */
static bool given_is_finite(const ref_layer *layer, const ref_params *params)
{
    for (uint32_t i = 0; i < params->given_count; i++) {
        const uint32_t e = params->given_ids[i];
        if (e != SMOE_REPORT_UNUSED &&
            (e >= layer->expert_count || (params->given_weights && !isfinite(params->given_weights[i]))))
            return false;
    }
    return true;
}

static double scale_of(const ref_layer *layer, const ref_params *params, uint32_t expert)
{
    return params->scale * (layer->expert_scale ? (double)layer->expert_scale[expert] : 1);
}

/* The weights from the logarithms of g m. */
static void finish_weights(const ref_layer *layer, const ref_params *params, const double *logits, ref_token *token)
{
    const log_divisor divisor = find_divisor(layer, params, logits, token);

    for (uint32_t r = 0; r < token->active; r++)
        token->weights[r] =
            scale_of(layer, params, token->ids[r]) * exp(token->weights[r] - divisor.most - divisor.log_sum);
}

/* w of the expert of that rank, without its mask. */
static double input_weight(const ref_layer *layer, const ref_params *params, const double *logits,
                           const ref_token *token, uint32_t rank)
{
    const uint32_t e = token->ids[rank];

    return params->given_weights ? token->weights[rank] : scale_of(layer, params, e) * ref_sigmoid(logits[e]);
}

void ref_select(const ref_layer *layer, const ref_params *params, const double *logits, ref_token *token)
{
    double scores[SMOE_MAX_EXPERTS], log_masks[SMOE_MAX_EXPERTS];
    ref_groups groups;

    clear_token(layer->expert_count, token);
    if (!ref_is_finite(layer, logits) || !given_is_finite(layer, params)) {
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
    token->gap = token->eps = INFINITY;
    find_gaps(layer, params, scores, log_masks, token);
    if (params->given_count == 0)
        choose(layer, params, logits, scores, log_masks, token);
    else
        take_given(layer, params, logits, token);
    if (!params->given_weights)
        finish_weights(layer, params, logits, token);
    for (uint32_t r = 0; r < token->active; r++) {
        const double mask = params->given_count == 0 ? exp(log_masks[token->ids[r]]) : 1;
        token->input_weights[r] = layer->weighted_input ? input_weight(layer, params, logits, token, r) : 1;
        token->output_weights[r] = layer->weighted_input ? mask : token->weights[r];
    }
}
