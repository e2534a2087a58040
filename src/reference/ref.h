/* The mathematics of docs/routing.md in plain C and double precision: what every stage and the whole layer must give.
 *
 * Symbols, as on that page: T tokens, D model width, E experts, H hidden width, k chosen, A the cap, p the cosine
 * router's projection width, S the shared expert's hidden width. Matrices are row-major. Weights are float arrays, but
 * for experts' matrices that are given as they are stored. Experts' matrices whose type (ref_layer.types) has 16 bits
 * are rounded to it as they are read: smoe_device_layer_create rounds them so. */
#ifndef REF_H
#define REF_H

#include "smoe/smoe.h"

#define REF_MAX_PROJECTION 2048

/* Factors of the matrices of experts [E], which multiply whole sums (smoe/weights.h); NULL: 1. They are for float
 * arrays: a matrix that is stored has its own. */
typedef struct ref_factors {
    const float *w1, *w3, *w2, *shared_w1, *shared_w3, *shared_w2, *latent_down, *latent_up;
} ref_factors;

/* What an expert does with its sums (docs/routing.md, 2.7). The numbers are a gated one's; 0: none of them. */
typedef struct ref_gating {
    smoe_activation activation; /* swiglu_clamped: silu with its numbers */
    double gate_max, up_limit, gate_limit_after, alpha, up_offset;
} ref_gating;

typedef struct ref_layer {
    uint32_t d_model, d_hidden, d_latent, expert_count, top_k; /* d_latent: L, 0: none, and L is D below */
    uint32_t zero_experts; /* the last ones are the identity, and have no arrays: those have M = E - Z experts for E */
    smoe_router router;
    smoe_gate gate;
    ref_gating gating, shared_gating;
    bool gated, renormalize, weighted_input;
    double renormalize_floor, renormalize_add; /* 0: none */
    smoe_group_score group_score;
    smoe_matrix_types types;          /* 0: float32, which nothing is rounded to */
    smoe_matrix_types given;          /* of the arrays: one with scales is that of `types`, every other is float32 */
    ref_factors factors;
    bool random_weights;              /* experts' matrices are independent random numbers: errors seldom add up */
    uint32_t projection_width;        /* p, of the cosine router; at most REF_MAX_PROJECTION */
    uint32_t group_count, top_groups; /* group_count 0 or 1: no groups */
    uint32_t balanced_groups;         /* 0 or 1: none */
    uint32_t shared_hidden;           /* S, 0: no shared expert */
    const float *router_weight, *router_bias;                        /* linear: [E,D], [E] or NULL */
    const float *router_projection, *router_projection_bias;         /* cosine: [p,D], [p] or NULL */
    const float *router_similarity, *router_log_scale;               /* cosine: [p,E], [1] */
    const float *selection_bias;                                     /* [E] or NULL; not with the softmax gate */
    const float *expert_scale;                                       /* [E] or NULL */
    const float *latent_down, *latent_down_bias;                     /* with d_latent: [L,D], [L] or NULL */
    const float *latent_up, *latent_up_bias;                         /* with d_latent: [D,L], [D] or NULL */
    const float *w1, *b1;                                            /* [E,H,L], [E,H] or NULL */
    const float *w3, *b3;                                            /* gated only: [E,H,L], [E,H] or NULL */
    const float *w2, *b2;                                            /* [E,L,H], [E,L] or NULL */
    /* as one expert's, of width S */
    const float *shared_w1, *shared_b1, *shared_w3, *shared_b3, *shared_w2, *shared_b2;
    const float *shared_gate;                                        /* [D], or NULL: weight 1 */
} ref_layer;

typedef struct ref_params {
    uint32_t max_active; /* A, k .. E */
    /* Given routing: R ids, and weights or NULL, of the first token; ref_params_at has another's. 0: none */
    uint32_t given_count;
    const uint32_t *given_ids;
    const float *given_weights;
    double eps, a, b, temperature, tie_tolerance, scale, group_eps;
} ref_params;

/* A plan's layer. weights: its matrices are float32 or, with scales, of the plan's types; NULL for a layer without
 * arrays. */
ref_layer ref_layer_of(const smoe_plan_desc *plan, const smoe_host_weights *weights);
/* Without what is given of the routing but its count. */
ref_params ref_params_of(const smoe_plan_desc *plan, const smoe_forward_params *params);
ref_params ref_params_at(const ref_params *params, uint32_t token);

/* One token's groups (docs/routing.md, 2.2). */
typedef struct ref_groups {
    double score[SMOE_MAX_EXPERTS];   /* G */
    double best[SMOE_MAX_EXPERTS];    /* the largest s of the group */
    /* what its experts' scores are lowered by: 0 for the groups kept, +inf for those left out */
    double penalty[SMOE_MAX_EXPERTS];
    uint32_t ranked[SMOE_MAX_EXPERTS];
    double gap;                       /* G[g] - G[g+1], +inf where all are kept */
    uint32_t count;                   /* groups that are not left out */
} ref_groups;

/* One token's routing and report (docs/routing.md, 2.3 to 2.6 and 3). */
typedef struct ref_token {
    double gap, eps, group_gap;
    uint32_t order, active, groups, flags; /* flags: SMOE_REPORT_FLAG_* */
    uint32_t ids[SMOE_MAX_EXPERTS];        /* the active experts in rank order, or as given, then SMOE_REPORT_UNUSED */
    double weights[SMOE_MAX_EXPERTS]; /* then 0 */
    /* What multiplies the inputs and the outputs of those experts: 1 and the weight, or with weighted inputs w and the
     * mask. */
    double input_weights[SMOE_MAX_EXPERTS], output_weights[SMOE_MAX_EXPERTS];
} ref_token;

/* Stage route_project, one token: v[p] = P x + c. */
void ref_project(const ref_layer *layer, const float *x, double *v);

/* The cosine router behind it: logits[E] from v[p]. */
void ref_cosine(const ref_layer *layer, const double *v, double *logits);

/* Stages route_project and route_logits, one token: logits[E]. */
void ref_logits(const ref_layer *layer, const float *x, double *logits);

double ref_sigmoid(double x);
double ref_softplus(double x); /* log(1 + exp(x)) without overflow */

/* What a token's gates have in common: the largest logit, and the logarithm of the sum of exp(z - largest). */
typedef struct ref_gates {
    double largest, log_sum;
} ref_gates;

ref_gates ref_gates_of(const ref_layer *layer, const double *logits);

/* log g (docs/routing.md, 2.1) of a logit; of softmax gates less that of the largest logit. */
double ref_log_gate(const ref_layer *layer, const ref_params *params, const ref_gates *gates, double z);

/* Before groups: scores[E]. */
void ref_scores(const ref_layer *layer, const double *logits, double *scores);

bool ref_has_groups(const ref_layer *layer);
uint32_t ref_group_of(const ref_layer *layer, uint32_t expert); /* 0 without groups */

/* d / (1 - d / group_eps) for 0 <= d < group_eps; +inf for d >= group_eps, also where that is 0, except for d = 0 with
 * group_eps > 0. */
double ref_group_penalty(double d, double group_eps);

/* Stage route_group, one token with finite scores. */
void ref_group(const ref_layer *layer, const ref_params *params, const double *scores, ref_groups *groups);

/* Scores as selection ranks them: lowered by the penalties, -inf for the experts left out. groups: what ref_group gave;
 * without groups nothing happens. */
void ref_lower_scores(const ref_layer *layer, const ref_groups *groups, double *scores);

/* The experts by score, larger first, equal ones by lower index: ranked[0] is the best. */
void ref_rank(uint32_t expert_count, const double *scores, uint32_t *ranked);

/* Experts of which so many are chosen, with a band and a cap of their own: a balanced group, or all experts. Of one
 * token. */
typedef struct ref_part {
    uint32_t first, count; /* experts */
    uint32_t top_k, max_active;
    uint32_t ranked[SMOE_MAX_EXPERTS]; /* the experts, by rank */
    double kth, gap, eps;              /* s[k], s[k] - s[k+1], the band (docs/routing.md, 2.5) */
} ref_part;

uint32_t ref_part_count(const ref_layer *layer);
void ref_part_find(const ref_layer *layer, const ref_params *params, const double *scores, uint32_t index,
                   ref_part *part);
uint32_t ref_part_order(const ref_params *params, const double *scores, const ref_part *part);

/* m(u) = u^a / (u^a + (1-u)^b) (docs/routing.md, 2.4); its logarithm; and the largest slope of m over 0 < u < 1. */
double ref_mask(double u, double a, double b);
double ref_log_mask(double u, double a, double b);
double ref_mask_slope(double a, double b);

/* Whether all are finite as float32: none is NaN, or larger than FLT_MAX. */
bool ref_all_finite(uint32_t count, const double *values);

/* Whether a token counts as finite: its logits, scores and group scores, as float32. */
bool ref_is_finite(const ref_layer *layer, const double *logits);

/* Stages route_group and route_select, one token. */
void ref_select(const ref_layer *layer, const ref_params *params, const double *logits, ref_token *token);

/* What an error of `change` in every logit, and float32's own roundings of what follows from them, may do to a token.
 * With the softmax gate, exact logits (change = 0) and no smoothed groups that is nothing. Scores that are equal for
 * the same reason (experts with the same logit and bias, groups with the same two best scores) stay equal. */
typedef struct ref_bounds {
    bool ambiguous; /* another order, flag, count of groups, set of active experts or rank order among them */
    double gap, eps, group_gap; /* of the report's numbers */
    double gate;                /* of an active expert's g, relative */
    double score;               /* of an active expert's score, and of the one that ends a band that the cap shrinks */
    double mask; /* of a weight, from masks whose expert has a larger gate than all that the weights are divided by: an
                    error in such a mask shows more than one to one; per unit of scale */
    double weight;              /* of a weight, from the logarithms that it is made of; likewise */
    double expert_scale;        /* the largest factor of an expert's weight, by its absolute value */
} ref_bounds;

/* The scores that selection ranks, -inf for experts left out, and what each may be off by. */
void ref_score_errors(const ref_layer *layer, const ref_params *params, const double *logits, double change,
                      double *scores, double *errors);

ref_bounds ref_bound(const ref_layer *layer, const ref_params *params, const double *logits, double change);

/* What float32 may add to a sum of terms whose absolute values add up to absolute_sum: the roundings, half a unit in
 * the last place each, are taken as independent, so they grow with the square root of their number. */
double ref_sum_error(uint32_t term_count, double absolute_sum);

/* What float32 may add to the logits of a token. The other two: to the elements of its projection v[p], and on the way
 * from v to the cosine router's logits, where an element of v is off by v_error at most. */
double ref_logit_error(const ref_layer *layer, const float *x);
double ref_projection_error(const ref_layer *layer, const float *x);
double ref_cosine_error(const ref_layer *layer, const double *v, double v_error);

/* One weight's tolerance (docs/layer-file.md, "What --check compares"), for a token with this band; mask_slope:
 * ref_mask_slope(a, b), 0 without a band. */
double ref_weight_error(const ref_params *params, double mask_slope, const ref_bounds *bounds, double eps);

/* The same of what multiplies an expert's output. With weighted inputs in parts of 1: the mask's error, and what the
 * weight's relative error becomes behind an expert, which multiplies three sums of its input at most. */
double ref_output_weight_error(const ref_layer *layer, const ref_params *params, double mask_slope,
                               const ref_bounds *bounds, double eps);

/* What float32 may add to y, where weights are off by weight_error and `largest` is the largest |y|. unit: what weights
 * add up to. Below a tenth of it y's own cancellation dominates. */
double ref_output_error(double weight_error, double largest, double unit);

/* One expert's matrices; the shared one's are found alike. A latent matrix is the second half of one: ref_down. */
typedef struct ref_expert {
    uint32_t width, d_hidden; /* width: of what it sees and of its row: L, or D */
    ref_gating gating;
    smoe_type up, down; /* what w1 and w3, and w2, are rounded to */
    bool stored_up, stored_down; /* w1 and w3, and w2, are as they are stored, until ref_round_expert has seen them */
    const float *w1, *b1, *w3, *b3, *w2, *b2;
    double w1_factor, w3_factor, w2_factor; /* of the sums */
} ref_expert;

ref_expert ref_expert_at(const ref_layer *layer, uint32_t expert);
/* The same with inputs of a weight, which multiplies its sums: W1 (w x) = w (W1 x). */
ref_expert ref_weighted_expert(const ref_layer *layer, uint32_t expert, double input_weight);
ref_expert ref_shared_expert(const ref_layer *layer);
ref_expert ref_latent_down(const ref_layer *layer);
ref_expert ref_latent_up(const ref_layer *layer);

/* The activation with the limits before and after it; and its product with the other sum, which has limits too. */
double ref_activation(const ref_gating *gating, double x);
double ref_gated(const ref_gating *gating, double x, double linear);

/* What an expert sees and gives: L, or D without latent experts. */
uint32_t ref_expert_width(const ref_layer *layer);

bool ref_is_zero_expert(const ref_layer *layer, uint32_t expert);

/* Stages expert_up (hidden of one token and expert) and expert_down (row[width]), which latent_down and latent_up are
 * too. */
void ref_up(const ref_layer *layer, const ref_expert *expert, const double *x, double *hidden);
void ref_down(const ref_expert *expert, const double *hidden, double *row);

/* What rounding the inputs of both stages, and weights that are not held, to 16 bits (smoe_plan_desc.precision) may
 * change: one number, hidden (errors[H]), and the row (errors[width]), for inputs that are off by x_errors[width] or
 * hidden_errors[H], or by nothing for NULL. */
double ref_narrow_error(smoe_precision precision, double v);
void ref_up_error(const ref_layer *layer, const ref_expert *expert, smoe_precision precision, const double *x,
                  const double *x_errors, double *errors);
void ref_down_error(const ref_layer *layer, const ref_expert *expert, smoe_precision precision, const double *hidden,
                    const double *hidden_errors, double *errors);

/* What the shared expert's row is multiplied by: 1, or sigmoid(<x, shared_gate>). */
double ref_shared_weight(const ref_layer *layer, const double *x);

/* Stage combine, one token: y[D] += weight * row[D]. */
void ref_combine(uint32_t d_model, double weight, const double *row, double *y);

/* What mixed precision may change in y[D] of one token that was routed so. Returns false when out of memory. */
bool ref_forward_error(const ref_layer *layer, const ref_token *token, smoe_precision precision, const float *x,
                       double *errors);

/* The experts of a token that was routed so, the shared one too: y[D]. Returns false when out of memory. */
bool ref_run_experts(const ref_layer *layer, const ref_token *token, const float *x, double *y);

/* The whole layer, one token. logits[E] and y[D] receive the results. Returns false when out of memory. */
bool ref_forward(const ref_layer *layer, const ref_params *params, const float *x, double *logits, ref_token *token,
                 double *y);

#endif
