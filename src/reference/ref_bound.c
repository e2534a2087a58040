/* How far float32 may be from the reference. An error of `change` in every logit is given; from it follow these.
 *
 * - A score's error. Softmax: the same. Sigmoid: times the slope s (1 - s), at most 1/4, and the roundings of exp, of
 *   the division (Vulkan allows 3 + 2 |z| and 2.5 units in the last place) and of the bias's addition. The others
 *   likewise, by their slopes.
 * - A group's error: the sum of the errors of its two best. The largest of a set moves by no more than its members do.
 * - A penalty's error. P(d) = d / (1 - d / group_eps) has the slope 1 / (1 - d / group_eps)^2 and is convex: an error
 *   of h in d moves P by at most P(d + h) - P(d).
 * - A weight's error. Through the mask: its slope over the band's width, times a score's error. Through g: the logit's.
 */
#include <float.h>
#include <math.h>

#include "ref.h"

#define ULP 0x1p-23 /* of a number in [1,2), where half of it rounds */

/* From here on exp(-|z|) is lost beside 1, and sigmoid is 1 and exactly so, or is lost beside any bias of the tests. */
#define SATURATED 40
#define LOST 4e-18 /* exp(-SATURATED) */

typedef struct bound_work {
    const ref_layer *layer;
    const ref_params *params;
    const double *logits;
    double change;
    double scores[SMOE_MAX_EXPERTS], errors[SMOE_MAX_EXPERTS]; /* by expert */
    ref_part part;                                             /* the one that is looked at */
    ref_gates gates;
    double sum_error; /* of softmax_bias gates: of the sum of exp(z - largest), relative */
    ref_groups groups;
    double group_errors[SMOE_MAX_EXPERTS];
    ref_bounds bounds;
} bound_work;

/* The error of rounding a result to float32; none where it is exact and its operands were. */
static double rounding(double value, double error)
{
    return error == 0 && (double)(float)value == value ? 0 : ULP / 2 * fabs(value);
}

static double bias_of(const bound_work *work, uint32_t expert)
{
    return work->layer->selection_bias ? (double)work->layer->selection_bias[expert] : 0;
}

/* A score's error before the bias's addition, with what a device may flush to 0 and the addition. */
static double with_bias(const bound_work *work, uint32_t expert, double score, double error)
{
    if (score < LOST && bias_of(work, expert) != 0)
        return 0;
    error += score < (double)FLT_MIN ? score : 0;
    return error + (bias_of(work, expert) != 0 ? rounding(work->scores[expert], error) : 0);
}

static double sigmoid_error(const bound_work *work, uint32_t expert)
{
    const double z = work->logits[expert], s = ref_sigmoid(z);
    double error = s * (1 - s) * (work->change + (3 + 2 * fabs(z)) * ULP);

    const double bias = bias_of(work, expert);
    if (fabs(z) >= SATURATED && (z > 0 || bias != 0)) /* 1, or 0: only the bias's addition to 1 rounds */
        return z > 0 && bias != 0 ? rounding(work->scores[expert], 0) : 0;
    return with_bias(work, expert, s, error + 3 * ULP * s);
}

/* s = sqrt(ln(1 + e^z)) has the slope sigmoid(z) / (2 s), at most s / 2 below 0. There s is e^(z/2) times a root; above
 * it, an error of e^-z is one of s^2. The root is allowed 4.5 units in the last place. */
static double sqrt_softplus_error(const bound_work *work, uint32_t expert)
{
    const double z = work->logits[expert], s = exp(ref_log_gate(work->layer, work->params, &work->gates, z));
    const double slope = z < 0 ? s / 2 : ref_sigmoid(z) / (2 * s);
    const double powers = z < 0 ? (3 + fabs(z)) * s : (3 + 2 * z) * exp(-z) / (2 * s);

    return with_bias(work, expert, s, slope * work->change + powers * ULP + 9 * ULP * s);
}

/* A term of the sum: exp(x) for x = z - largest, which rounds too. exp(0) is 1. */
static double term_error(double x)
{
    return x == 0 ? 0 : (3 + 2.5 * fabs(x)) * ULP;
}

static void init_softmax(bound_work *work)
{
    work->gates = ref_gates_of(work->layer, work->logits);
    for (uint32_t e = 0; e < work->layer->expert_count; e++) {
        const double x = work->logits[e] - work->gates.largest;
        work->sum_error += term_error(x) * exp(x - work->gates.log_sum);
    }
}

/* Every logit is off by `change`, each its own way: p moves by 2 p (1 - p) times that. Beside a term of 1 the others
 * may be cut off. */
static double probability_error(const bound_work *work, uint32_t expert)
{
    const double x = work->logits[expert] - work->gates.largest, p = exp(x - work->gates.log_sum);

    if (1 - p < 1e-12)
        return bias_of(work, expert) != 0 ? rounding(work->scores[expert], 0) : 0;
    return with_bias(work, expert, p, p * (2 * (1 - p) * work->change + term_error(x) + work->sum_error + 4 * ULP));
}

static double score_error(const bound_work *work, uint32_t expert)
{
    switch (work->layer->gate) {
    case SMOE_GATE_SOFTMAX: return work->change;
    case SMOE_GATE_SIGMOID: return sigmoid_error(work, expert);
    case SMOE_GATE_SQRT_SOFTPLUS: return sqrt_softplus_error(work, expert);
    case SMOE_GATE_SOFTMAX_BIAS: return probability_error(work, expert);
    }
    return INFINITY;
}

static void init_errors(bound_work *work)
{
    init_softmax(work);
    for (uint32_t e = 0; e < work->layer->expert_count; e++)
        work->errors[e] = score_error(work, e);
}

static bool same_groups(const ref_groups *groups, uint32_t i, uint32_t j)
{
    return groups->score[i] == groups->score[j] && groups->best[i] == groups->best[j];
}

/* The error of a group's score: its experts' largest error, for each of the two where it is their sum. */
static void init_group_errors(bound_work *work)
{
    const uint32_t size = work->layer->expert_count / work->layer->group_count;

    for (uint32_t j = 0; j < work->layer->group_count; j++) {
        double largest = 0;
        for (uint32_t i = 0; i < size; i++)
            largest = fmax(largest, work->errors[j * size + i]);
        const bool one = size == 1 || work->layer->group_score == SMOE_GROUP_SCORE_MAX;
        work->group_errors[j] = one ? largest : 2 * largest;
        work->group_errors[j] += rounding(work->groups.score[j], largest);
    }
}

/* Every pair across the edge of the groups kept. */
static void bound_group_edge(bound_work *work)
{
    const ref_groups *groups = &work->groups;
    const uint32_t kept = work->layer->top_groups, count = work->layer->group_count;

    for (uint32_t r = 0; r < kept; r++)
        for (uint32_t q = kept; q < count; q++) {
            const uint32_t i = groups->ranked[r], j = groups->ranked[q];
            const double moved = same_groups(groups, i, j) ? 0 : work->group_errors[i] + work->group_errors[j];
            const double apart = groups->score[i] - groups->score[j];
            if (work->params->group_eps == 0 && apart < moved)
                work->bounds.ambiguous = true;
            if (r + 1 == kept && q == kept) {
                work->bounds.group_gap = moved + rounding(apart, moved);
                if (fabs(apart - work->params->tie_tolerance) < moved)
                    work->bounds.ambiguous = true;
            }
        }
}

/* What the penalty of a group adds to its experts' errors; only smoothed groups have one. */
static double penalty_error(bound_work *work, uint32_t rank)
{
    const ref_groups *groups = &work->groups;
    const uint32_t kept = work->layer->top_groups, count = work->layer->group_count, j = groups->ranked[rank];
    const uint32_t other = groups->ranked[rank < kept ? kept : kept - 1]; /* across the edge */
    const double eps = work->params->group_eps, apart = fabs(groups->score[other] - groups->score[j]);
    double largest = 0;

    if (kept == count || !(eps > 0) || same_groups(groups, j, other))
        return 0;
    for (uint32_t i = 0; i < count; i++)
        largest = fmax(largest, work->group_errors[i]);
    double moved = work->group_errors[j] + largest;
    if (rank < kept) /* may fall behind another group by what is left of the error */
        return moved > apart ? ref_group_penalty(moved - apart, eps) : 0;
    moved += rounding(apart, moved);
    if (fabs(apart - eps) < moved)
        work->bounds.ambiguous = true;
    if (apart >= eps)
        return 0;
    const double penalty = groups->penalty[j];
    return ref_group_penalty(apart * (1 + 4 * ULP) + moved, eps) - penalty + 4 * ULP * penalty;
}

static void bound_groups(bound_work *work)
{
    const uint32_t size = work->layer->expert_count / work->layer->group_count;

    ref_group(work->layer, work->params, work->scores, &work->groups);
    init_group_errors(work);
    bound_group_edge(work);
    for (uint32_t r = 0; r < work->layer->group_count; r++) {
        const uint32_t j = work->groups.ranked[r];
        const double error = penalty_error(work, r), penalty = work->groups.penalty[j];
        for (uint32_t e = j * size; e < (j + 1) * size; e++)
            work->errors[e] +=
                error + (penalty < INFINITY && penalty > 0 ? ULP / 2 * fabs(work->scores[e] - penalty) : 0);
    }
    ref_lower_scores(work->layer, &work->groups, work->scores);
}

/* Whether the cosine router knows the same of two experts. Parallel vectors give the same logits too, but roundings of
 * their own. */
static bool same_similarity(const ref_layer *layer, uint32_t e, uint32_t f)
{
    for (uint32_t i = 0; layer->router == SMOE_ROUTER_COSINE && i < layer->projection_width; i++) {
        const float *row = layer->router_similarity + (size_t)i * layer->expert_count;
        if (row[e] != row[f])
            return false;
    }
    return true;
}

/* Scores that come about alike are equal on every device. */
static bool same_scores(const bound_work *work, uint32_t e, uint32_t f)
{
    const ref_layer *layer = work->layer;
    const uint32_t i = ref_group_of(layer, e), j = ref_group_of(layer, f);

    if (work->logits[e] != work->logits[f] || !same_similarity(layer, e, f) ||
        (layer->selection_bias && layer->selection_bias[e] != layer->selection_bias[f]))
        return false;
    return i == j || (work->groups.penalty[i] == work->groups.penalty[j] && same_groups(&work->groups, i, j));
}

/* Whether two ranks have one score on every device. */
static bool is_same(const bound_work *work, uint32_t rank, uint32_t other)
{
    const uint32_t e = work->part.ranked[rank], f = work->part.ranked[other];

    return e == f || same_scores(work, e, f);
}

/* What the difference of the scores of two ranks may be off by. */
static double moved_by(const bound_work *work, uint32_t rank, uint32_t other)
{
    return is_same(work, rank, other) ? 0
                                      : work->errors[work->part.ranked[rank]] + work->errors[work->part.ranked[other]];
}

static bool is_ambiguous_at(const bound_work *work, uint32_t r, double gap_moved)
{
    const ref_part *part = &work->part;
    const uint32_t k = part->top_k, count = part->count, cap = part->max_active;
    const double eps = part->eps, gap = part->gap;
    const double tolerance = work->params->tie_tolerance, score = work->scores[part->ranked[r]];
    const double below = part->kth - score, moved = moved_by(work, r, k - 1);
    /* The distance is a float32 too, and beside a score that is many times as large another one is lost. */
    const double rounded = rounding(below, moved);
    const bool runs = work->params->given_count == 0 && (r < k || below < eps + moved);

    if (!(score > -INFINITY))
        return false;
    for (uint32_t q = r + 1; runs && q < count; q++)
        if (score - work->scores[part->ranked[q]] < moved_by(work, r, q))
            return true;
    if (r >= k && r < cap && work->params->eps > 0 && fabs(below - work->params->eps) < moved + rounded)
        return true;
    /* A band that the cap shrinks ends at the score of the next expert, which others may share. */
    if (r >= k && r < cap && eps < work->params->eps && !is_same(work, r, cap) &&
        score - work->scores[part->ranked[cap]] < moved_by(work, r, cap) + rounded + rounding(eps, moved))
        return true;
    if (gap < tolerance + gap_moved && r + 1 != k && fabs(fabs(below) - tolerance) < moved + rounded)
        return true;
    return r == cap && work->params->eps > 0 && below < moved;
}

/* The error of a weight w = g m / sum, from m: w (1 - w) times m's relative error, which is (1 - m) (a / u + b / (1 -
 * u)) times the error of u, and what powers of u and 1 - u round by. 0 where g is no larger than the sum: there the
 * mask's own error bounds it. */
static double mask_error(bound_work *work, const ref_token *token, uint32_t rank)
{
    const ref_params *params = work->params;
    const uint32_t expert = token->ids[rank];

    ref_part_find(work->layer, params, work->scores, expert / (work->layer->expert_count / ref_part_count(work->layer)),
                  &work->part);
    const double kth = work->part.kth, eps = work->part.eps, score = work->scores[expert];
    const double u = (score - kth + eps) / eps, m = ref_mask(u, params->a, params->b);
    const double weight = token->weights[rank];
    const double moved = work->errors[token->ids[rank]] + work->bounds.score + ULP * fmax(fabs(score), fabs(kth));

    if (!(eps > 0) || !(weight > m) || !(u < 1))
        return 0;
    const double slope = params->a / u + params->b / (1 - u);
    const double rest = work->layer->renormalize_floor > 0 ? 1 : fmax(0, 1 - weight);
    return weight * rest * (slope * (moved / eps + 2 * ULP * u) + 4 * ULP * (params->a + params->b));
}

/* How large the logarithm of a gate is that weights are made from: its roundings follow. Softmax gates refer to the
 * largest logit that runs. */
static double log_size(const bound_work *work, const ref_token *token, double z)
{
    double most = -INFINITY;

    if (work->layer->gate != SMOE_GATE_SOFTMAX)
        return fabs(ref_log_gate(work->layer, work->params, &work->gates, z));
    for (uint32_t r = 0; r < token->active; r++)
        most = fmax(most, work->logits[token->ids[r]]);
    return (most - z) / work->params->temperature;
}

/* The same of a floor or an addend. */
static double log_size_of_divisor(const ref_layer *layer)
{
    const double divisor = fmax(layer->renormalize_floor, layer->renormalize_add);

    return divisor > 0 ? fabs(log(divisor)) : 0;
}

/* The largest factor of a weight. */
static double largest_scale(const ref_layer *layer)
{
    double largest = layer->expert_scale ? 0 : 1;

    for (uint32_t e = 0; layer->expert_scale && e < layer->expert_count; e++)
        largest = fmax(largest, fabs((double)layer->expert_scale[e]));
    return largest;
}

static void bound_weights(bound_work *work)
{
    const ref_layer *layer = work->layer;
    const double divisor = log_size_of_divisor(layer);
    ref_layer unscaled = *layer;
    ref_params unit = *work->params;
    ref_token token;

    unscaled.expert_scale = NULL;
    unit.scale = 1;
    ref_select(&unscaled, &unit, work->logits, &token);
    for (uint32_t r = 0; r < token.active; r++) {
        const uint32_t e = token.ids[r];
        work->bounds.score = fmax(work->bounds.score, work->errors[e]);
    }
    /* A gate that no sum divides may be larger than 1. */
    for (uint32_t r = 0; r < token.active && !layer->renormalize; r++)
        work->bounds.weight = fmax(work->bounds.weight, fmax(0, token.weights[r] - 1) * 16 * ULP);
    for (uint32_t r = 0; r < token.active && layer->renormalize; r++) {
        const double size = log_size(work, &token, work->logits[token.ids[r]]) + divisor;
        work->bounds.weight = fmax(work->bounds.weight, token.weights[r] * 2 * ULP * size);
        if (r >= layer->top_k || layer->balanced_groups > 1)
            work->bounds.mask += mask_error(work, &token, r);
    }
}

static void bound_scores(bound_work *work)
{
    ref_scores(work->layer, work->logits, work->scores);
    init_errors(work);
    if (ref_has_groups(work->layer))
        bound_groups(work);
}

void ref_score_errors(const ref_layer *layer, const ref_params *params, const double *logits, double change,
                      double *scores, double *errors)
{
    bound_work work = {.layer = layer, .params = params, .logits = logits, .change = change};

    bound_scores(&work);
    for (uint32_t e = 0; e < layer->expert_count; e++) {
        scores[e] = work.scores[e];
        errors[e] = work.errors[e];
    }
}

static void bound_part(bound_work *work)
{
    const ref_part *part = &work->part;
    const uint32_t k = part->top_k, cap = part->max_active;
    const double gap_moved = k == part->count ? 0 : moved_by(work, k - 1, k);

    work->bounds.gap = fmax(work->bounds.gap, gap_moved);
    if (part->eps < work->params->eps) {
        work->bounds.eps = fmax(work->bounds.eps, moved_by(work, k - 1, cap));
        work->bounds.score = fmax(work->bounds.score, work->errors[part->ranked[cap]]);
    }
    for (uint32_t r = 0; r < part->count && !work->bounds.ambiguous; r++)
        work->bounds.ambiguous = is_ambiguous_at(work, r, gap_moved);
}

/* Balanced groups: who runs ranks among the others' too, and the order is that of the least gap. */
static void bound_across_parts(bound_work *work)
{
    ref_token token;
    uint32_t orders[SMOE_MAX_EXPERTS];
    double gaps[SMOE_MAX_EXPERTS];

    ref_select(work->layer, work->params, work->logits, &token);
    for (uint32_t r = 0; work->params->given_count == 0 && r + 1 < token.active; r++) {
        const uint32_t e = token.ids[r], f = token.ids[r + 1];
        if (!same_scores(work, e, f) && work->scores[e] - work->scores[f] < work->errors[e] + work->errors[f])
            work->bounds.ambiguous = true;
    }
    for (uint32_t i = 0; i < ref_part_count(work->layer); i++) {
        ref_part_find(work->layer, work->params, work->scores, i, &work->part);
        gaps[i] = work->part.gap;
        orders[i] = ref_part_order(work->params, work->scores, &work->part);
    }
    for (uint32_t i = 0; i < ref_part_count(work->layer); i++)
        if (gaps[i] < token.gap + 2 * work->bounds.gap && orders[i] != token.order)
            work->bounds.ambiguous = true;
}

static void bound_parts(bound_work *work)
{
    for (uint32_t i = 0; i < ref_part_count(work->layer); i++) {
        ref_part_find(work->layer, work->params, work->scores, i, &work->part);
        bound_part(work);
    }
    if (ref_part_count(work->layer) > 1)
        bound_across_parts(work);
}

ref_bounds ref_bound(const ref_layer *layer, const ref_params *params, const double *logits, double change)
{
    bound_work work = {.layer = layer, .params = params, .logits = logits, .change = change};

    work.bounds.expert_scale = params->given_weights ? 1 : largest_scale(layer); /* given ones are used as they are */
    if (!ref_is_finite(layer, logits))
        return work.bounds;
    work.bounds.gate = layer->gate == SMOE_GATE_SOFTMAX        ? change / fmin(1, params->temperature)
                       : layer->gate == SMOE_GATE_SOFTMAX_BIAS ? 2 * change
                                                               : change;
    bound_scores(&work);
    bound_weights(&work);
    bound_parts(&work);
    return work.bounds;
}
