#include "ref.h"

#include <float.h>
#include <math.h>

void ref_logits(const ref_layer *layer, const float *x, double *logits)
{
    for (uint32_t e = 0; e < layer->expert_count; e++) {
        const float *w = layer->router_weight + (size_t)e * layer->d_model;
        double sum = layer->router_bias ? (double)layer->router_bias[e] : 0.0;
        for (uint32_t i = 0; i < layer->d_model; i++)
            sum += (double)x[i] * (double)w[i];
        logits[e] = sum;
    }
}

void ref_rank(uint32_t expert_count, const double *logits, uint32_t *ranked)
{
    for (uint32_t e = 0; e < expert_count; e++) {
        uint32_t better = 0;
        for (uint32_t other = 0; other < expert_count; other++)
            better += logits[other] > logits[e] || (logits[other] == logits[e] && other < e);
        ranked[better] = e;
    }
}

double ref_mask(double u, double a, double b)
{
    if (u <= 0)
        return 0;
    if (u >= 1)
        return 1;
    /* Divided by u^a, and as one exponential, because both powers may underflow. */
    return 1 / (1 + exp(b * log1p(-u) - a * log(u)));
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

static bool all_finite(uint32_t count, const double *logits)
{
    for (uint32_t e = 0; e < count; e++)
        if (!(fabs(logits[e]) <= FLT_MAX))
            return false;
    return true;
}

static void clear_token(uint32_t expert_count, ref_token *token)
{
    *token = (ref_token){0};
    for (uint32_t e = 0; e < expert_count; e++)
        token->ids[e] = SMOE_REPORT_UNUSED;
}

/* Spec 2.5. A band of 0 runs the k best by rank. */
static double band(const ref_layer *layer, const ref_params *params, const double *logits, const uint32_t *ranked)
{
    if (params->max_active == layer->expert_count)
        return params->eps;
    return fmin(params->eps, logits[ranked[layer->top_k - 1]] - logits[ranked[params->max_active]]);
}

void ref_select(const ref_layer *layer, const ref_params *params, const double *logits, ref_token *token)
{
    const uint32_t k = layer->top_k, count = layer->expert_count;
    uint32_t ranked[SMOE_MAX_EXPERTS];

    clear_token(count, token);
    if (!all_finite(count, logits)) {
        token->gap = NAN;
        token->flags = SMOE_REPORT_FLAG_NONFINITE;
        return;
    }
    ref_rank(count, logits, ranked);
    const double best = logits[ranked[0]], kth = logits[ranked[k - 1]];

    token->gap = k == count ? INFINITY : kth - logits[ranked[k]];
    if (token->gap <= params->tie_tolerance) {
        for (uint32_t e = 0; e < count; e++)
            token->order += fabs(logits[e] - kth) <= params->tie_tolerance;
        token->order -= 1;
    }

    token->eps = band(layer, params, logits, ranked);
    if (params->eps > 0 && token->eps == 0)
        token->flags = SMOE_REPORT_FLAG_CAPPED;

    double sum_all = 0; /* of exp over all experts, for weights that are not renormalised */
    for (uint32_t e = 0; e < count; e++)
        sum_all += exp((logits[e] - best) / params->temperature);

    double sum_raw = 0;
    for (uint32_t r = 0; r < count; r++) {
        double s = logits[ranked[r]], mask = r < k;
        if (token->eps > 0) {
            double u = (s - kth + token->eps) / token->eps;
            if (!(u > 0))
                break;
            mask = r < k ? 1 : ref_mask(u, params->a, params->b);
        } else if (r >= k) {
            break;
        }
        token->ids[r] = ranked[r];
        token->weights[r] = mask * exp((s - best) / params->temperature);
        sum_raw += token->weights[r];
        token->active++;
    }
    for (uint32_t r = 0; r < token->active; r++)
        token->weights[r] *= params->scale / (layer->renormalize ? sum_raw : sum_all);
}

bool ref_is_ambiguous(const ref_layer *layer, const ref_params *params, const double *logits, double change)
{
    const uint32_t k = layer->top_k, count = layer->expert_count, cap = params->max_active;
    const double moved = 2 * change; /* of a difference of two logits */
    uint32_t ranked[SMOE_MAX_EXPERTS];

    if (!(moved > 0) || !all_finite(count, logits))
        return false;
    ref_rank(count, logits, ranked);
    const double kth = logits[ranked[k - 1]], eps = band(layer, params, logits, ranked);
    const double gap = k == count ? INFINITY : kth - logits[ranked[k]];

    for (uint32_t r = 0; r < count; r++) {
        double below = kth - logits[ranked[r]];
        bool runs = r < k || below < eps + moved;
        if (runs && r + 1 < count && logits[ranked[r]] - logits[ranked[r + 1]] < moved)
            return true;
        if (r >= k && r < cap && params->eps > 0 && fabs(below - eps) < moved)
            return true;
        if (gap < params->tie_tolerance + moved && r + 1 != k && fabs(fabs(below) - params->tie_tolerance) < moved)
            return true;
        if (r == cap && params->eps > 0 && below < moved)
            return true;
    }
    return false;
}
