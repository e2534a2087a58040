/* Which tokens the check excuses: float32 logits differ from the exact ones in their last bits, and where that decides,
 * both answers are right. */
#include "run.h"

#include <math.h>
#include <stdlib.h>

static int descending(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return left > right ? -1 : left < right;
}

/* What experts are ranked by, before groups. */
static void score(const run *r, const double *logits, double *scores)
{
    const float *bias = r->weights.selection_bias;
    for (uint32_t e = 0; e < r->plan.expert_count; e++)
        scores[e] = r->plan.gate == SMOE_GATE_SOFTMAX ? logits[e]
                                                      : 1.0 / (1.0 + exp(-logits[e])) + (bias ? (double)bias[e] : 0.0);
}

/* A group's score: the sum of its two largest ones. */
static double group_score(const double *scores, uint32_t size)
{
    double best = -INFINITY, second = -INFINITY;
    for (uint32_t e = 0; e < size; e++) {
        second = scores[e] > best ? best : fmax(second, scores[e]);
        best = fmax(best, scores[e]);
    }
    return size > 1 ? best + second : best;
}

/* Gives the experts of other groups a score of -inf. True if the groups could be others: each one's score may move
 * twice as far as an expert's. */
static bool leave_out_groups(const run *r, double *scores, double change)
{
    const uint32_t groups = r->plan.group_count, size = groups ? r->plan.expert_count / groups : 0;
    double kept = INFINITY, out = -INFINITY, all[SMOE_MAX_EXPERTS];
    for (uint32_t g = 0; g < groups; g++)
        all[g] = group_score(scores + (size_t)g * size, size);
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t rank = 0;
        for (uint32_t other = 0; other < groups; other++)
            rank += all[other] > all[g] || (all[other] == all[g] && other < g);
        if (rank < r->plan.top_groups) {
            kept = fmin(kept, all[g]);
            continue;
        }
        out = fmax(out, all[g]);
        for (uint32_t e = 0; e < size; e++)
            scores[(size_t)g * size + e] = -INFINITY;
    }
    return groups && kept - out < 4.0 * change;
}

/* Each score may move by less than `change`, so the difference of two by less than twice that. The order of two scores,
 * and on which side of a threshold at a distance from a third they lie, are open exactly when that difference is
 * smaller. */
static bool choice_is_open(const run *r, const double *scores, double change)
{
    const uint32_t experts = r->plan.expert_count, k = r->plan.top_k, cap = r->plan.max_active;
    const double reach = 2.0 * change, eps = (double)r->params.eps, tolerance = (double)r->params.tie_tolerance;
    const double chosen = scores[k - 1];

    /* Active: the k best, and whoever is less than the band below the k-th. The band ends at the first score past the
     * cap. */
    const double band = cap < experts ? fmin(eps, chosen - scores[cap]) : eps;
    uint32_t active = k;
    if (eps > 0.0) {
        for (uint32_t e = k; e < experts; e++) {
            if (fabs(scores[e] - (chosen - eps)) < reach)
                return true;
            active += scores[e] > chosen - band;
        }
        const bool may_be_capped = cap < experts && chosen - scores[cap] < eps + reach;
        if (may_be_capped && scores[cap - 1] - scores[cap] < reach)
            return true;
    }

    /* Ids: the order among the active ones, and which one is the last. */
    for (uint32_t e = 0; e < active && e + 1 < experts; e++)
        if (scores[e] - scores[e + 1] < reach)
            return true;

    /* Order: whether the gap is within the tolerance, and if so, who else is. */
    if (k == experts)
        return false;
    const double gap = chosen - scores[k];
    if (fabs(gap - tolerance) < reach)
        return true;
    for (uint32_t e = 0; gap < tolerance && e < experts; e++)
        if (e != k - 1 && fabs(fabs(scores[e] - chosen) - tolerance) < reach)
            return true;
    return false;
}

bool run_is_ambiguous(const run *r, const double *logits, double *scores, double change)
{
    score(r, logits, scores);
    if (leave_out_groups(r, scores, change))
        return true;
    qsort(scores, r->plan.expert_count, sizeof *scores, descending);
    return choice_is_open(r, scores, change);
}
