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

static double gate_of(smoe_gate gate, double z, double largest, double sum)
{
    switch (gate) {
    case SMOE_GATE_SOFTMAX: return z;
    case SMOE_GATE_SIGMOID: return 1.0 / (1.0 + exp(-z));
    case SMOE_GATE_SQRT_SOFTPLUS: return sqrt(fmax(z, 0.0) + log1p(exp(-fabs(z))));
    case SMOE_GATE_SOFTMAX_BIAS: return exp(z - largest) / sum;
    }
    return NAN;
}

/* What experts are ranked by, before groups. */
static void score(const run *r, const double *logits, double *scores)
{
    const float *bias = r->weights.selection_bias;
    double largest = -INFINITY, sum = 0.0;
    for (uint32_t e = 0; e < r->plan.expert_count; e++)
        largest = fmax(largest, logits[e]);
    for (uint32_t e = 0; e < r->plan.expert_count; e++)
        sum += exp(logits[e] - largest);
    for (uint32_t e = 0; e < r->plan.expert_count; e++)
        scores[e] = gate_of(r->plan.gate, logits[e], largest, sum) + (bias ? (double)bias[e] : 0.0);
}

/* A group's score: the sum of its two largest ones, or its largest. */
static double group_score(const double *scores, uint32_t size, smoe_group_score kind)
{
    double best = -INFINITY, second = -INFINITY;
    for (uint32_t e = 0; e < size; e++) {
        second = scores[e] > best ? best : fmax(second, scores[e]);
        best = fmax(best, scores[e]);
    }
    return size > 1 && kind == SMOE_GROUP_SCORE_SUM2 ? best + second : best;
}

/* Gives the experts of other groups a score of -inf. True if the groups could be others: each one's score may move
 * twice as far as an expert's. */
static bool leave_out_groups(const run *r, double *scores, double change)
{
    const uint32_t groups = r->plan.group_count, size = groups ? r->plan.expert_count / groups : 0;
    double kept = INFINITY, out = -INFINITY, all[SMOE_MAX_EXPERTS];
    for (uint32_t g = 0; g < groups; g++)
        all[g] = group_score(scores + (size_t)g * size, size, r->plan.group_score);
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

/* Active: the k best, and whoever is less than the band below the k-th. The band ends at the first score past the cap.
 * scores: of all experts, or of one of `groups` balanced groups; the largest first. */
static uint32_t active_count(const run *r, const double *scores, uint32_t groups)
{
    const uint32_t experts = r->plan.expert_count / groups, k = r->plan.top_k / groups,
                   cap = r->plan.max_active / groups;
    const double eps = (double)r->params.eps, chosen = scores[k - 1];
    const double band = cap < experts ? fmin(eps, chosen - scores[cap]) : eps;
    uint32_t active = k;
    for (uint32_t e = k; eps > 0.0 && e < experts; e++)
        active += scores[e] > chosen - band;
    return active;
}

/* Each score may move by less than `change`, so the difference of two by less than twice that. The order of two scores,
 * and on which side of a threshold at a distance from a third they lie, are open exactly when that difference is
 * smaller. */
static bool choice_is_open(const run *r, const double *scores, uint32_t groups, double change)
{
    const uint32_t experts = r->plan.expert_count / groups, k = r->plan.top_k / groups,
                   cap = r->plan.max_active / groups;
    const double reach = 2.0 * change, tolerance = (double)r->params.tie_tolerance, chosen = scores[k - 1];
    const double eps = r->given_ids ? 0.0 : (double)r->params.eps;

    /* Active: who is within the band, and whether the cap ends it. */
    if (eps > 0.0) {
        for (uint32_t e = k; e < experts; e++)
            if (fabs(scores[e] - (chosen - eps)) < reach)
                return true;
        const bool may_be_capped = cap < experts && chosen - scores[cap] < eps + reach;
        if (may_be_capped && scores[cap - 1] - scores[cap] < reach)
            return true;
    }

    /* Ids: the order among the active ones, and which one is the last. */
    const uint32_t active = r->given_ids ? 0 : active_count(r, scores, groups);
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

/* Balanced groups choose each for itself, and who runs ranks among all: any two scores that are close, of experts that
 * run, leave that open. No other expert may run where no group's choice is open; they take a score of -inf. */
static bool balance_is_open(const run *r, double *scores, double change)
{
    const uint32_t groups = r->plan.balanced_groups, experts = r->plan.expert_count, size = experts / groups;
    bool open = false;
    for (uint32_t g = 0; g < groups; g++) {
        double *const group = scores + (size_t)g * size;
        qsort(group, size, sizeof *group, descending);
        open = open || choice_is_open(r, group, groups, change);
        for (uint32_t e = active_count(r, group, groups); e < size; e++)
            group[e] = -INFINITY;
    }
    qsort(scores, experts, sizeof *scores, descending);
    for (uint32_t e = 0; e + 1 < experts; e++)
        open = open || scores[e] - scores[e + 1] < 2.0 * change;
    return open;
}

bool run_is_ambiguous(const run *r, const double *logits, double *scores, double change)
{
    score(r, logits, scores);
    if (r->plan.balanced_groups > 1)
        return balance_is_open(r, scores, change);
    if (leave_out_groups(r, scores, change))
        return true;
    qsort(scores, r->plan.expert_count, sizeof *scores, descending);
    return choice_is_open(r, scores, 1, change);
}
