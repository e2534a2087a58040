#include "case_cover.h"

static void choose(case_cover *cover, cover_set *set, bool chosen)
{
    set->chosen = chosen;
    for (uint32_t i = 0; i < set->pair_count; i++)
        cover->times[set->pairs[i]] += chosen ? 1 : UINT32_MAX; /* -1 */
    for (uint32_t i = 0; i < set->pipeline_count; i++)
        cover->pipelines.list[set->pipelines[i]].users += chosen ? 1 : UINT32_MAX;
}

static uint32_t pairs_shown(const case_cover *cover, const cover_set *set, uint32_t times)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < set->pair_count; i++)
        count += cover->times[set->pairs[i]] == times;
    return count;
}

bool case_cover_gains(const case_cover *cover, const cover_set *set)
{
    return pairs_shown(cover, set, 0) > 0;
}

bool case_cover_needs(const case_cover *cover, const cover_set *set)
{
    return set->chosen && pairs_shown(cover, set, 1) > 0;
}

/* What the set would add to the work, or what would be saved without it. */
static uint64_t cost_of(const case_cover *cover, const cover_set *set)
{
    uint64_t cost = 1;

    for (uint32_t i = 0; i < set->pipeline_count; i++) {
        const case_pipeline *pipeline = &cover->pipelines.list[set->pipelines[i]];
        cost += pipeline->users > set->chosen ? 0 : pipeline->cost;
    }
    return cost;
}

/* The set that shows the most new pairs for its cost. */
static cover_set *find_best(const case_cover *cover)
{
    uint64_t best_gain = 0, best_cost = 1;
    cover_set *best = NULL;

    for (uint32_t i = 0; i < cover->set_count; i++) {
        const uint64_t gain = pairs_shown(cover, &cover->sets[i], 0), cost = gain ? cost_of(cover, &cover->sets[i]) : 1;
        if (gain * best_cost <= best_gain * cost)
            continue;
        best = &cover->sets[i];
        best_gain = gain;
        best_cost = cost;
    }
    return best;
}

/* The chosen set, but not `kept`, that costs the most among those that are no longer needed: others show all that such
 * a set shows. */
static cover_set *find_superfluous(const case_cover *cover, const cover_set *kept)
{
    cover_set *found = NULL;
    uint64_t most = 0;

    for (uint32_t i = 0; i < cover->set_count; i++) {
        cover_set *set = &cover->sets[i];
        const uint64_t cost = set != kept && set->chosen && !case_cover_needs(cover, set) ? cost_of(cover, set) : 0;
        if (cost <= most)
            continue;
        found = set;
        most = cost;
    }
    return found;
}

/* Takes out what is superfluous except `kept`, and tells what that saves. */
static uint64_t take_out(case_cover *cover, const cover_set *kept)
{
    uint64_t saved = 0;

    for (cover_set *set; (set = find_superfluous(cover, kept)) != NULL;) {
        saved += cost_of(cover, set);
        choose(cover, set, false);
        set->taken_out = true;
    }
    return saved;
}

/* Whether the chosen ones cost less with this set in the place of those that it makes superfluous. If so they are
 * exchanged. */
static bool exchange(case_cover *cover, cover_set *set)
{
    const uint64_t added = cost_of(cover, set);

    for (uint32_t i = 0; i < cover->set_count; i++)
        cover->sets[i].taken_out = false;
    choose(cover, set, true);
    if (take_out(cover, set) > added)
        return true;
    choose(cover, set, false);
    for (uint32_t i = 0; i < cover->set_count; i++)
        if (cover->sets[i].taken_out)
            choose(cover, &cover->sets[i], true);
    return false;
}

/* The best for its cost again and again until everything is shown, then exchanges until none saves anything. */
void case_cover_choose(case_cover *cover)
{
    bool better = true;

    for (cover_set *best; (best = find_best(cover)) != NULL;)
        choose(cover, best, true);
    take_out(cover, NULL);
    while (better) {
        better = false;
        for (uint32_t i = 0; i < cover->set_count; i++)
            better |= !cover->sets[i].chosen && exchange(cover, &cover->sets[i]);
    }
}
