/* The one table of layers that tests run and the bench can time, and the data for a row of it. */
#ifndef CHECK_CASES_H
#define CHECK_CASES_H

#include "reference/ref.h"
#include "smoe/device.h"

/* How x and the router make the logits. With the linear router all but RANDOM give logits that float32 holds exactly
 * whatever the order of summation: with softmax gates selection has one right answer there, and no token is excused. */
typedef enum logits_kind {
    LOGITS_RANDOM = 0,
    LOGITS_EXACT,     /* sums of products of eighths: many ties where D is small */
    /* groups of tied_experts experts with the same router row: discontinuities of order tied_experts - 1 */
    LOGITS_TIED,
    LOGITS_EQUAL,     /* every expert the same */
    LOGITS_LARGE,     /* in the thousands: exp overflows unless the maximum is subtracted */
    LOGITS_SATURATED, /* multiples of 48: a sigmoid is 0, 1/2 or 1 to float32 */
    LOGITS_LOW,       /* around -300: every sigmoid vanishes */
    /* EXACT, but every third token is zero, and so is what the cosine router knows of every fourth expert */
    LOGITS_ZERO,
    LOGITS_NONFINITE, /* EXACT, except for NaN, infinities and overflowing sums in every third token */
    LOGITS_KIND_COUNT
} logits_kind;

/* What ids a case with given routing has. */
typedef enum given_kind {
    GIVEN_APART = 0, /* of each token R different experts */
    GIVEN_ANY,       /* some of them several times, some skipped, and now and then all */
    GIVEN_BAD        /* these too, and some that no expert has, or weights that are not finite */
} given_kind;

/* BIAS_ROUTER: of the linear router, or of the cosine router's projection. SHARED: of the shared expert. */
enum {
    BIAS_ROUTER = 1,
    BIAS_1 = 2,
    BIAS_3 = 4,
    BIAS_2 = 8,
    BIAS_SELECTION = 16,
    BIAS_SHARED_1 = 32,
    BIAS_SHARED_3 = 64,
    BIAS_SHARED_2 = 128,
    BIAS_LATENT_DOWN = 256,
    BIAS_LATENT_UP = 512,
    BIAS_ALL = 1023
};

/* A zero means: max_tokens the tokens, call_active the plan's max_active, a 1, b 50, temperature 1, scale 1, loud 1. */
typedef struct layer_case {
    const char *name;
    uint32_t tokens, d_model, d_hidden, expert_count, top_k, d_latent;
    uint32_t max_tokens;              /* of the plan */
    uint32_t max_active, call_active; /* A of the plan (0 = E) and of the forward */
    logits_kind logits;
    uint32_t tied_experts;
    float eps, a, b, temperature, tie_tolerance, scale;
    smoe_activation activation;
    bool gated, keep_softmax; /* keep_softmax: renormalize = false */
    float gate_max, up_limit, gate_limit_after, gate_alpha, up_offset;       /* gated only; 0: as the plan's */
    float shared_gate_max, shared_up_limit, shared_gate_limit_after;
    uint32_t biases;          /* BIAS_* */
    smoe_type weight_type;
    smoe_matrix_types types; /* of each matrix its own; looked at where weight_type is float32 */
    smoe_router router;
    uint32_t projection_width;
    float log_scale; /* of the cosine router */
    smoe_gate gate;
    float renormalize_floor, renormalize_add;
    bool weighted_input;
    bool expert_scale;
    uint32_t group_count, top_groups;
    smoe_group_score group_score;
    uint32_t balanced_groups;
    uint32_t given_count; /* R */
    bool given_weights;
    given_kind given;
    uint32_t zero_experts; /* Z */
    float group_eps;
    uint32_t shared_hidden;
    bool shared_gate;
    float loud; /* factor on w1 and w3 */
    smoe_precision precision;
} layer_case;

extern const layer_case layer_cases[];
extern const uint32_t layer_case_count;

/* A case with numbers in it. Every array is float32 but w1, w3 and w2 of `weights`, the shared ones and the latent
 * matrices too, which are of the types of the case; those of `ref` are the same values as floats. */
typedef struct case_data {
    const layer_case *shape;
    uint64_t seed;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    ref_layer ref;
    ref_params ref_params;
    float *x; /* [T,D] */
    uint32_t *given_ids;  /* [T,R]; NULL without given routing */
    float *given_weights; /* [T,R]; NULL without those */
    void *memory[64];
    uint32_t memory_count;
} case_data;

smoe_plan_desc case_plan_desc(const layer_case *shape);
/* The same for a plan that runs no other count of tokens: with the pipelines of that one. Rows of one plan, which have
 * max_tokens, share theirs. */
smoe_plan_desc case_plan_of_one_count(const case_data *data);
bool plan_descs_equal(const smoe_plan_desc *a, const smoe_plan_desc *b);
bool case_plans_equal(const layer_case *a, const layer_case *b);
bool case_has_exact_logits(const layer_case *shape);
uint32_t case_weight_size(const layer_case *shape); /* bytes of an element of w1 */
smoe_forward_params case_params(const layer_case *shape);
ref_layer case_ref_layer(const layer_case *shape); /* without its arrays */
ref_params case_ref_params(const layer_case *shape);

/* False when out of memory. */
bool case_data_create(case_data *data, const layer_case *shape, uint64_t seed);
void case_data_destroy(case_data *data);

/* Gives a layer of the case the case's routing, where it has one: that of tokens first, first + step and so on, `count`
 * of them, counted round. */
smoe_result case_give_routing(const case_data *data, smoe_device_layer *layer, uint32_t first, uint32_t step,
                              uint32_t count);

/* What float32 may add to a token's logits, and to its projection: as the reference has it, or nothing where they are
 * exact. */
double case_logit_error(const case_data *data, uint32_t token);
double case_projection_error(const case_data *data, uint32_t token);

void case_print(const case_data *data); /* seed and shape, on stderr */

#endif
