/* The layout of the boundary report and of the totals, for C, C++ and GLSL (an app's own shader may include this file and read them).
 *
 * The report of T tokens is an array of 32-bit words, one record of SMOE_REPORT_STRIDE(max_active) words per token, where
 * max_active is the plan's (smoe_plan_desc.max_active, resolved: never 0). Record t begins at word t * stride.
 * With balanced groups (smoe_plan_desc.balanced_groups), the record has the least gap of a group, the order of the first group that has it,
 * and the least band; it is capped where a group is.
 * With given routing (given_count), gap, order and groups are those of the router's own choice; ids and weights are what ran.
 * Terms: arXiv 2606.19036 (order, band) and arXiv 2605.02124 (gap: for k = 1 the top-two margin). */
#ifndef SMOE_REPORT_H
#define SMOE_REPORT_H

#define SMOE_REPORT_GAP 0    /* float32: s[k] - s[k+1]; +inf when k = E; NaN for a non-finite token */
#define SMOE_REPORT_EPS 1    /* float32: the band used, min(eps, s[k] - s[A+1]); 0 for a non-finite token, and where the routing is given */
#define SMOE_REPORT_ORDER 2  /* uint32: 0 off the boundary, else the number of experts within tie_tolerance of s[k], less one */
#define SMOE_REPORT_ACTIVE 3 /* uint32: how many experts run; 0 for a non-finite token, or one that is given no expert */
#define SMOE_REPORT_FLAGS 4  /* uint32: SMOE_REPORT_FLAG_* */
#define SMOE_REPORT_GROUP_GAP 5 /* float32: G[g] - G[g+1]; +inf without groups or where all are kept; NaN for a non-finite token */
#define SMOE_REPORT_GROUPS 6 /* uint32: groups whose experts took part, those in the groups' band too; 0 without groups */
#define SMOE_REPORT_IDS 8    /* uint32[max_active]: the active experts in rank order, or as given, then SMOE_REPORT_UNUSED; word 7 is 0 */
#define SMOE_REPORT_WEIGHTS(max_active) (SMOE_REPORT_IDS + (max_active)) /* float32[max_active]: their weights, then 0 */
#define SMOE_REPORT_STRIDE(max_active) (SMOE_REPORT_IDS + 2 * (max_active))

#define SMOE_REPORT_FLAG_CAPPED 1    /* eps > 0, but more than max_active experts tie at s[k]: only the k best by rank ran */
/* A logit is NaN or infinite, or a score that selection_bias made so, or float32 cannot hold the sum that ranks a group or the square of
 * a norm of the cosine router, or an id that is given is no expert's, or its weight not finite: y is all NaN, nothing ran. */
#define SMOE_REPORT_FLAG_NONFINITE 2
#define SMOE_REPORT_FLAG_GROUP_TIE 4 /* group_gap <= tie_tolerance: here the routing jumps, or with group_eps bends, because groups tie */
#define SMOE_REPORT_UNUSED 0xffffffffu

/* The totals of all tokens since the buffer was filled with zeros, in 32-bit words. Two words, low and high, make one count, but for
 * MAX_ACTIVE, whose second word is 0. Integers added by atomics: the same bits whatever the scheduling. smoe_totals_read unpacks them. */
#define SMOE_TOTALS_TOKENS 0
#define SMOE_TOTALS_ACTIVE 2
#define SMOE_TOTALS_CAPPED 4
#define SMOE_TOTALS_NONFINITE 6
#define SMOE_TOTALS_GROUP_TIES 8
#define SMOE_TOTALS_MAX_ACTIVE 10
#define SMOE_TOTALS_ORDER 12       /* SMOE_TOTALS_ORDER_COUNT counts: order 0 .. 7, 8 and more */
#define SMOE_TOTALS_ORDER_COUNT 9
#define SMOE_TOTALS_GAP 30         /* SMOE_TOTALS_GAP_COUNT counts: below 2^-24; four bins per power of two up to 2^8; the rest */
#define SMOE_TOTALS_GAP_COUNT 130
#define SMOE_TOTALS_EXPERTS 290    /* expert_count counts: tokens that the expert ran */
#define SMOE_TOTALS_WORDS(expert_count) (SMOE_TOTALS_EXPERTS + 2 * (expert_count))

#endif
