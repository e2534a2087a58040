/* Which tokens the check excuses: float32 logits differ from the exact ones in their last bits, and where that decides, both
 * answers are right. */
#include "run.h"

#include <math.h>

/* Each score may move by less than `change`, so the difference of two by less than twice that. The order of two scores, and on which
 * side of a threshold at a distance from a third they lie, are open exactly when that difference is smaller. */
bool run_is_ambiguous(const run *r, const double *scores, double change)
{
    const uint32_t experts = r->plan.expert_count, k = r->plan.top_k, cap = r->plan.max_active;
    const double reach = 2.0 * change, eps = (double)r->params.eps, tolerance = (double)r->params.tie_tolerance;
    const double chosen = scores[k - 1];

    /* Active: the k best, and whoever is less than the band below the k-th. The band ends at the first score past the cap. */
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
