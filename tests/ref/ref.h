/* The specification in plain C and double precision: what every stage and the whole layer must give.
 *
 * Symbols, as in the specification: T tokens, D model width, E experts, H hidden width, k chosen, A the cap. Matrices are row-major.
 * Weights are float arrays; a float16 layer is one whose floats were rounded to float16 beforehand. */
#ifndef REF_H
#define REF_H

#include "smoe/smoe.h"

typedef struct ref_layer {
    uint32_t d_model, d_hidden, expert_count, top_k;
    smoe_activation activation;
    bool gated, renormalize;
    const float *router_weight, *router_bias; /* [E,D], [E] or NULL */
    const float *w1, *b1;                     /* [E,H,D], [E,H] or NULL */
    const float *w3, *b3;                     /* gated only: [E,H,D], [E,H] or NULL */
    const float *w2, *b2;                     /* [E,D,H], [E,D] or NULL */
} ref_layer;

typedef struct ref_params {
    uint32_t max_active; /* A, k .. E */
    double eps, a, b, temperature, tie_tolerance, scale;
} ref_params;

/* One token's routing: spec 2.3 to 2.6 and the report of spec 3. */
typedef struct ref_token {
    double gap, eps;
    uint32_t order, active, flags; /* flags: SMOE_REPORT_FLAG_* */
    uint32_t ids[SMOE_MAX_EXPERTS]; /* the active experts in rank order, then SMOE_REPORT_UNUSED */
    double weights[SMOE_MAX_EXPERTS]; /* then 0 */
} ref_token;

/* Stage route_logits, one token: logits[E] = x W^T + b. */
void ref_logits(const ref_layer *layer, const float *x, double *logits);

/* The experts by logit, larger first, equal ones by lower index: ranked[0] is the best. */
void ref_rank(uint32_t expert_count, const double *logits, uint32_t *ranked);

/* m(u) = u^a / (u^a + (1-u)^b), spec 2.4; and the largest slope of m over 0 < u < 1. */
double ref_mask(double u, double a, double b);
double ref_mask_slope(double a, double b);

/* Stage route_select, one token. A logit beyond float32's range counts as an infinity. */
void ref_select(const ref_layer *layer, const ref_params *params, const double *logits, ref_token *token);

/* Whether moving every logit by less than `change` may give another order, another set of active experts or another rank order
 * among them. Never for change = 0. */
bool ref_is_ambiguous(const ref_layer *layer, const ref_params *params, const double *logits, double change);

double ref_activation(smoe_activation activation, double x);

/* Stages expert_up (hidden[H] of one token and expert) and expert_down (row[D]). */
void ref_up(const ref_layer *layer, uint32_t expert, const double *x, double *hidden);
void ref_down(const ref_layer *layer, uint32_t expert, const double *hidden, double *row);

/* Stage combine, one token: y[D] += weight * row[D]. */
void ref_combine(uint32_t d_model, double weight, const double *row, double *y);

/* The whole layer, one token. logits[E] and y[D] receive the results. Returns false when out of memory. */
bool ref_forward(const ref_layer *layer, const ref_params *params, const float *x, double *logits, ref_token *token, double *y);

#endif
