/* The boundary report's layout, for C, C++ and GLSL (an app's own shader may include this file and read the report).
 *
 * The report of T tokens is an array of 32-bit words, one record of SMOE_REPORT_STRIDE(max_active) words per token, where
 * max_active is the plan's (smoe_plan_desc.max_active, resolved: never 0). Record t begins at word t * stride.
 * Terms: arXiv 2606.19036 (order, band) and arXiv 2605.02124 (gap: for k = 1 the top-two margin). */
#ifndef SMOE_REPORT_H
#define SMOE_REPORT_H

#define SMOE_REPORT_GAP 0    /* float32: s[k] - s[k+1]; +inf when k = E; NaN for a non-finite token */
#define SMOE_REPORT_EPS 1    /* float32: the band used, min(eps, s[k] - s[A+1]); 0 for a non-finite token */
#define SMOE_REPORT_ORDER 2  /* uint32: 0 off the boundary, else the number of experts within tie_tolerance of s[k], less one */
#define SMOE_REPORT_ACTIVE 3 /* uint32: how many experts run; 0 for a non-finite token */
#define SMOE_REPORT_FLAGS 4  /* uint32: SMOE_REPORT_FLAG_* */
#define SMOE_REPORT_IDS 8    /* uint32[max_active]: the active experts in rank order, then SMOE_REPORT_UNUSED; words 5..7 are 0 */
#define SMOE_REPORT_WEIGHTS(max_active) (SMOE_REPORT_IDS + (max_active)) /* float32[max_active]: their weights, then 0 */
#define SMOE_REPORT_STRIDE(max_active) (SMOE_REPORT_IDS + 2 * (max_active))

#define SMOE_REPORT_FLAG_CAPPED 1    /* eps > 0, but more than max_active experts tie at s[k]: the k best by rank ran alone */
#define SMOE_REPORT_FLAG_NONFINITE 2 /* a logit is NaN or infinite: y is all NaN, nothing ran */
#define SMOE_REPORT_UNUSED 0xffffffffu

#endif
