#include "case_properties.h"

#include "common/blocks.h"

/* The plan's: the class follows from it, not from the call's. */
static uint32_t plan_cap_of(const layer_case *c)
{
    return c->max_active ? c->max_active : c->expert_count;
}

static uint32_t cap_of(const layer_case *c)
{
    return c->call_active ? c->call_active : plan_cap_of(c);
}

static uint32_t group_size(const layer_case *c)
{
    return c->group_count > 1 ? c->expert_count / c->group_count : 0;
}

/* Whether it is smaller than its class, the least power of two that is not below it. */
static bool below_class(uint32_t count)
{
    return (count & (count - 1)) != 0;
}

/* Rows of K weights are whole loads of 16 bytes, but the last of a tile's depth is not whole. */
static bool ends_in_loads(uint32_t depth, uint32_t load)
{
    return depth % load == 0 && depth % 16 != 0;
}

static uint32_t load_of(const layer_case *c)
{
    return test_block_load(c->weight_type);
}

static bool is_whole(float number)
{
    return number == (float)(int32_t)number;
}

static bool routes(const layer_case *c, smoe_router router, smoe_gate gate, bool groups)
{
    return c->router == router && c->gate == gate && (c->group_count > 1) == groups;
}

static bool acts(const layer_case *c, smoe_activation activation, bool gated)
{
    return c->activation == activation && c->gated == gated;
}

static bool has_limit(const layer_case *c)
{
    return c->gate_max > 0 || c->up_limit > 0 || c->gate_limit_after > 0;
}

static bool has_shared_limit(const layer_case *c)
{
    return c->shared_gate_max > 0 || c->shared_up_limit > 0 || c->shared_gate_limit_after > 0;
}

/* Whether the case has a bias that its shape could have. */
static bool has_bias(const layer_case *c, uint32_t bias, bool possible)
{
    return possible && (c->biases & bias) != 0;
}

#define LINEAR SMOE_ROUTER_LINEAR
#define COSINE SMOE_ROUTER_COSINE
#define SOFTMAX SMOE_GATE_SOFTMAX
#define SIGMOID SMOE_GATE_SIGMOID
#define SQRT_SOFTPLUS SMOE_GATE_SQRT_SOFTPLUS
#define SOFTMAX_BIAS SMOE_GATE_SOFTMAX_BIAS
#define ACTS(kind, gated) acts(c, SMOE_ACTIVATION_##kind, gated)

#define LANES true, true
/* Lanes can make a difference, rows of a tile cannot. `gated` and `half` are LANES, as they change the loop over a
 * tile's rows; the other properties of types are seen in any tile. */
#define ANY_ROWS true, false
#define ONE false, false /* the same at every number of lanes and with tiles of any rows: one shows it */

/* PROPERTY(function, name, by_lanes and by_rows, readers, what holds of a case c) */
#define PROPERTIES(PROPERTY)                                                                                           \
    PROPERTY(tokens_1, "1 token", LANES, ALL, c->tokens == 1)                                                          \
    PROPERTY(tokens_odd, "odd tokens", LANES, ALL, c->tokens % 2 == 1 && c->tokens > 1)                                \
    PROPERTY(tokens_fewer, "fewer tokens than the plan takes", LANES, ALL, c->max_tokens > c->tokens)                  \
    PROPERTY(tokens_many, "129 tokens or more", LANES, ALL, c->tokens >= 129)                                          \
    PROPERTY(d_1, "D 1", LANES, SIZES, c->d_model == 1)                                                                \
    PROPERTY(d_odd, "D odd", LANES, SIZES, c->d_model % 2 == 1 && c->d_model > 1)                                      \
    PROPERTY(d_2, "D 2 mod 4", LANES, SIZES, c->d_model % 4 == 2)                                                      \
    PROPERTY(d_4, "D 4 mod 8", LANES, SIZES, c->d_model % 8 == 4)                                                      \
    PROPERTY(d_8, "D 0 mod 8", LANES, SIZES, c->d_model % 8 == 0)                                                      \
    PROPERTY(d_wide, "D above 128", LANES, SIZES, c->d_model > 128)                                                    \
    PROPERTY(h_1, "H 1", LANES, EXPERTS, c->d_hidden == 1)                                                             \
    PROPERTY(h_odd, "H odd", LANES, EXPERTS, c->d_hidden % 2 == 1 && c->d_hidden > 1)                                  \
    PROPERTY(h_2, "H 2 mod 4", LANES, EXPERTS, c->d_hidden % 4 == 2)                                                   \
    PROPERTY(h_4, "H 4 mod 8", LANES, EXPERTS, c->d_hidden % 8 == 4)                                                   \
    PROPERTY(h_8, "H 0 mod 8", LANES, EXPERTS, c->d_hidden % 8 == 0)                                                   \
    PROPERTY(h_wide, "H above 128", LANES, EXPERTS, c->d_hidden > 128)                                                 \
    PROPERTY(float_aligned, "float32, D and H 0 mod 4", ANY_ROWS, TYPES,                                               \
             c->weight_type == SMOE_TYPE_FLOAT32 && c->d_model % 4 == 0 && c->d_hidden % 4 == 0)                       \
    PROPERTY(float_odd, "float32, D or H not 0 mod 4", ANY_ROWS, TYPES,                                                \
             c->weight_type == SMOE_TYPE_FLOAT32 && (c->d_model % 4 || c->d_hidden % 4))                               \
    PROPERTY(half_aligned, "float16, D and H 0 mod 4", ANY_ROWS, TYPES,                                                \
             c->weight_type == SMOE_TYPE_FLOAT16 && c->d_model % 4 == 0 && c->d_hidden % 4 == 0)                       \
    PROPERTY(half_odd, "float16, D or H not 0 mod 4", ANY_ROWS, TYPES,                                                 \
             c->weight_type == SMOE_TYPE_FLOAT16 && (c->d_model % 4 || c->d_hidden % 4))                               \
    PROPERTY(bfloat_aligned, "bfloat16, D and H 0 mod 4", ANY_ROWS, TYPES,                                             \
             c->weight_type == SMOE_TYPE_BFLOAT16 && c->d_model % 4 == 0 && c->d_hidden % 4 == 0)                      \
    PROPERTY(bfloat_odd, "bfloat16, D or H not 0 mod 4", ANY_ROWS, TYPES,                                              \
             c->weight_type == SMOE_TYPE_BFLOAT16 && (c->d_model % 4 || c->d_hidden % 4))                              \
    PROPERTY(mxfp4, "mxfp4", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_MXFP4)                                       \
    PROPERTY(q4, "q4", LANES, TYPES, c->weight_type == SMOE_TYPE_Q4)                                                   \
    PROPERTY(q8, "q8", LANES, TYPES, c->weight_type == SMOE_TYPE_Q8)                                                   \
    PROPERTY(fp8, "fp8", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_FP8)                                             \
    PROPERTY(fp8_partial_up, "fp8, D above 128, odd", ANY_ROWS, UPS,                                                   \
             c->weight_type == SMOE_TYPE_FP8 && c->d_model > 128 && c->d_model % 2 == 1)                               \
    PROPERTY(fp8_partial_down, "fp8, H above 128, odd", ANY_ROWS, DOWN,                                                \
             c->weight_type == SMOE_TYPE_FP8 && c->d_hidden > 128 && c->d_hidden % 2 == 1)                             \
    PROPERTY(nvfp4, "nvfp4", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_NVFP4)                                       \
    PROPERTY(iq4, "iq4", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_IQ4)                                             \
    PROPERTY(iq4_xs, "iq4_xs", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_IQ4_XS)                                    \
    PROPERTY(q4_min, "q4_min", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q4_MIN)                                    \
    PROPERTY(q4_zero, "q4_zero", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q4_ZERO)                                 \
    PROPERTY(q4_k, "q4_k", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q4_K)                                          \
    PROPERTY(q8_min, "q8_min", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q8_MIN)                                    \
    PROPERTY(q8_zero, "q8_zero", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q8_ZERO)                                 \
    PROPERTY(q8_k, "q8_k", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q8_K)                                          \
    PROPERTY(q6_k, "q6_k", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q6_K)                                          \
    PROPERTY(q8_rows, "q8_rows", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_Q8_ROWS)                                 \
    PROPERTY(fp8_rows, "fp8_rows", ANY_ROWS, TYPES, c->weight_type == SMOE_TYPE_FP8_ROWS)                              \
    PROPERTY(nvfp4_partial_up, "nvfp4, D 16 mod 32", ANY_ROWS, UPS,                                                    \
             c->weight_type == SMOE_TYPE_NVFP4 && c->d_model % 32 == 16)                                               \
    PROPERTY(nvfp4_partial_down, "nvfp4, H 16 mod 32", ANY_ROWS, DOWN,                                                 \
             c->weight_type == SMOE_TYPE_NVFP4 && c->d_hidden % 32 == 16)                                              \
    PROPERTY(half_odd_up, "16 bits, D odd", ANY_ROWS, UPS, load_of(c) == 8 && c->d_model % 2 == 1)                     \
    PROPERTY(half_odd_down, "16 bits, H odd", ANY_ROWS, DOWN, load_of(c) == 8 && c->d_hidden % 2 == 1)                 \
    PROPERTY(half, "16 bits", LANES, TYPES, load_of(c) == 8)                                                           \
    PROPERTY(float_loads_up, "float32, D whole loads, not 0 mod 16", LANES, UPS,                                       \
             load_of(c) == 4 && ends_in_loads(c->d_model, 4))                                                          \
    PROPERTY(float_loads_down, "float32, H whole loads, not 0 mod 16", LANES, DOWN,                                    \
             load_of(c) == 4 && ends_in_loads(c->d_hidden, 4))                                                         \
    PROPERTY(half_loads_up, "16 bits, D whole loads, not 0 mod 16", LANES, UPS,                                        \
             load_of(c) == 8 && ends_in_loads(c->d_model, 8))                                                          \
    PROPERTY(half_loads_down, "16 bits, H whole loads, not 0 mod 16", LANES, DOWN,                                     \
             load_of(c) == 8 && ends_in_loads(c->d_hidden, 8))                                                         \
    PROPERTY(router_loads, "D 0 mod 4, not 0 mod 16", LANES, LOGITS | READ_BY_PROJECT | READ_BY_GATE,                  \
             ends_in_loads(c->d_model, 4))                                                                             \
    PROPERTY(experts_1, "1 expert", ANY_ROWS, COUNTS, c->expert_count == 1)                                            \
    PROPERTY(experts_odd, "odd experts", ANY_ROWS, COUNTS, c->expert_count % 2 == 1 && c->expert_count > 1)            \
    PROPERTY(experts_16, "2 to 16 experts, even", ANY_ROWS, COUNTS, c->expert_count % 2 == 0 && c->expert_count <= 16) \
    PROPERTY(experts_64, "17 to 128 experts", ANY_ROWS, COUNTS, c->expert_count > 16 && c->expert_count <= 128)        \
    PROPERTY(experts_256, "256 experts or more", ANY_ROWS, COUNTS, c->expert_count >= 256)                             \
    PROPERTY(experts_most, "1024 experts", ANY_ROWS, COUNTS, c->expert_count == 1024)                                  \
    PROPERTY(experts_below, "experts below their power of two", ANY_ROWS, CHOICE | READ_BY_SORT,                       \
             below_class(c->expert_count))                                                                             \
    PROPERTY(k_1, "k 1", ANY_ROWS, ROWS, c->top_k == 1)                                                                \
    PROPERTY(k_2, "k 2", ANY_ROWS, ROWS, c->top_k == 2)                                                                \
    PROPERTY(k_odd, "k odd", ANY_ROWS, ROWS, c->top_k % 2 == 1 && c->top_k > 1)                                        \
    PROPERTY(k_many, "k 4 or more", ANY_ROWS, ROWS, c->top_k >= 4)                                                     \
    PROPERTY(k_all, "k of k experts", ANY_ROWS, ROWS, c->top_k == c->expert_count && c->top_k > 1)                     \
    PROPERTY(cap_k, "A of the plan k", ANY_ROWS, ROWS, c->max_active == c->top_k)                                      \
    PROPERTY(cap_plan, "A of the plan above k, below E", ANY_ROWS, ROWS,                                               \
             c->max_active > c->top_k && c->max_active < c->expert_count)                                              \
    PROPERTY(cap_call_k, "A of the call k, with a band", ANY_ROWS, ROWS, c->call_active == c->top_k && c->eps > 0)     \
    PROPERTY(cap_call, "A of the call below the plan's, with a band", ANY_ROWS, ROWS,                                  \
             c->call_active > c->top_k && c->eps > 0)                                                                  \
    PROPERTY(cap_none, "a band, A = E", ANY_ROWS, ROWS, c->eps > 0 && cap_of(c) == c->expert_count)                    \
    PROPERTY(cap_below, "A of the plan below its power of two", LANES, CHOICE, below_class(plan_cap_of(c)))            \
    PROPERTY(hard, "hard", ANY_ROWS, ROWS, c->eps == 0)                                                                \
    PROPERTY(band, "band", ANY_ROWS, ROWS, c->eps > 0)                                                                 \
    PROPERTY(band_tiny, "band of 1e-30", ONE, CHOICE, c->eps > 0 && c->eps < 1e-20f)                                   \
    PROPERTY(band_huge, "band of 100 and more", ONE, CHOICE, c->eps >= 100)                                            \
    PROPERTY(powers, "a and b of their own", ONE, CHOICE, c->a != 0)                                                   \
    PROPERTY(powers_broken, "a or b not whole", ONE, CHOICE, !is_whole(c->a) || !is_whole(c->b))                       \
    PROPERTY(powers_high, "a and b 1024", ONE, CHOICE, c->a >= 1024 && c->b >= 1024)                                   \
    PROPERTY(cold, "temperature below 1", ONE, CHOICE, c->temperature > 0 && c->temperature < 1)                       \
    PROPERTY(hot, "temperature above 1", ONE, CHOICE, c->temperature > 1)                                              \
    PROPERTY(temperature_end, "temperature 1e-30 or 1e30", ONE, CHOICE,                                                \
             c->temperature > 1e20f || (c->temperature > 0 && c->temperature < 1e-20f))                                \
    PROPERTY(scaled, "scale", ONE, CHOICE, c->scale > 0)                                                               \
    PROPERTY(scaled_down, "scale below 0", ONE, CHOICE, c->scale < 0)                                                  \
    PROPERTY(kept, "not renormalised", ONE, CHOICE, c->keep_softmax)                                                   \
    PROPERTY(tolerance, "tie tolerance", LANES, CHOICE, c->tie_tolerance > 0)                                          \
    PROPERTY(logits_random, "random logits", LANES, CHOICE, c->logits == LOGITS_RANDOM)                                \
    PROPERTY(logits_exact, "exact logits", LANES, CHOICE, c->logits == LOGITS_EXACT)                                   \
    PROPERTY(logits_tied, "tied logits", LANES, CHOICE, c->logits == LOGITS_TIED)                                      \
    PROPERTY(logits_equal, "equal logits", LANES, CHOICE | READ_BY_SORT, c->logits == LOGITS_EQUAL)                    \
    PROPERTY(logits_large, "large logits", ONE, LOGITS | READ_BY_CHOICE, c->logits == LOGITS_LARGE)                    \
    PROPERTY(logits_saturated, "logits of hundreds", ONE, CHOICE, c->logits == LOGITS_SATURATED)                       \
    PROPERTY(logits_low, "low logits", ONE, CHOICE, c->logits == LOGITS_LOW)                                           \
    PROPERTY(logits_zero, "zero vectors", LANES, LOGITS | READ_BY_CHOICE, c->logits == LOGITS_ZERO)                    \
    PROPERTY(logits_nonfinite, "non-finite tokens", LANES, ALL, c->logits == LOGITS_NONFINITE)                         \
    PROPERTY(linear_softmax, "linear, softmax", LANES, CHOICE, routes(c, LINEAR, SOFTMAX, false))                      \
    PROPERTY(linear_softmax_groups, "linear, softmax, groups", LANES, CHOICE, routes(c, LINEAR, SOFTMAX, true))        \
    PROPERTY(linear_sigmoid, "linear, sigmoid", LANES, CHOICE, routes(c, LINEAR, SIGMOID, false))                      \
    PROPERTY(linear_sigmoid_groups, "linear, sigmoid, groups", LANES, CHOICE, routes(c, LINEAR, SIGMOID, true))        \
    PROPERTY(cosine_softmax, "cosine, softmax", LANES, CHOICE, routes(c, COSINE, SOFTMAX, false))                      \
    PROPERTY(cosine_softmax_groups, "cosine, softmax, groups", LANES, CHOICE, routes(c, COSINE, SOFTMAX, true))        \
    PROPERTY(cosine_sigmoid, "cosine, sigmoid", LANES, CHOICE, routes(c, COSINE, SIGMOID, false))                      \
    PROPERTY(cosine_sigmoid_groups, "cosine, sigmoid, groups", LANES, CHOICE, routes(c, COSINE, SIGMOID, true))        \
    PROPERTY(linear_sqrt_softplus, "linear, sqrt_softplus", LANES, CHOICE, routes(c, LINEAR, SQRT_SOFTPLUS, false))    \
    PROPERTY(linear_sqrt_softplus_groups, "linear, sqrt_softplus, groups", LANES, CHOICE,                              \
             routes(c, LINEAR, SQRT_SOFTPLUS, true))                                                                   \
    PROPERTY(linear_softmax_bias, "linear, softmax_bias", LANES, CHOICE, routes(c, LINEAR, SOFTMAX_BIAS, false))       \
    PROPERTY(linear_softmax_bias_groups, "linear, softmax_bias, groups", LANES, CHOICE,                                \
             routes(c, LINEAR, SOFTMAX_BIAS, true))                                                                    \
    PROPERTY(cosine_sqrt_softplus, "cosine, sqrt_softplus", LANES, CHOICE, routes(c, COSINE, SQRT_SOFTPLUS, false))    \
    PROPERTY(cosine_sqrt_softplus_groups, "cosine, sqrt_softplus, groups", LANES, CHOICE,                              \
             routes(c, COSINE, SQRT_SOFTPLUS, true))                                                                   \
    PROPERTY(cosine_softmax_bias, "cosine, softmax_bias", LANES, CHOICE, routes(c, COSINE, SOFTMAX_BIAS, false))       \
    PROPERTY(cosine_softmax_bias_groups, "cosine, softmax_bias, groups", LANES, CHOICE,                                \
             routes(c, COSINE, SOFTMAX_BIAS, true))                                                                    \
    PROPERTY(sqrt_softplus_kept, "sqrt_softplus, not renormalised", ONE, CHOICE,                                       \
             c->gate == SQRT_SOFTPLUS && c->keep_softmax)                                                              \
    PROPERTY(sqrt_softplus_saturated, "sqrt_softplus, logits of hundreds", ONE, CHOICE,                                \
             c->gate == SQRT_SOFTPLUS && c->logits == LOGITS_SATURATED)                                                \
    PROPERTY(sqrt_softplus_low, "sqrt_softplus, low logits", ONE, CHOICE,                                              \
             c->gate == SQRT_SOFTPLUS && c->logits == LOGITS_LOW)                                                      \
    PROPERTY(softmax_bias_kept, "softmax_bias, not renormalised", ONE, CHOICE,                                         \
             c->gate == SOFTMAX_BIAS && c->keep_softmax)                                                               \
    PROPERTY(softmax_bias_saturated, "softmax_bias, logits of hundreds", ONE, CHOICE,                                  \
             c->gate == SOFTMAX_BIAS && c->logits == LOGITS_SATURATED)                                                 \
    PROPERTY(softmax_bias_low, "softmax_bias, low logits", ONE, CHOICE,                                                \
             c->gate == SOFTMAX_BIAS && c->logits == LOGITS_LOW)                                                       \
    PROPERTY(floor_reached, "a floor", ONE, CHOICE, c->renormalize_floor > 0.1f)                                       \
    PROPERTY(floor_lost, "a small floor", ONE, CHOICE, c->renormalize_floor > 0 && c->renormalize_floor <= 0.1f)       \
    PROPERTY(addend, "an addend", ONE, CHOICE, c->renormalize_add > 0.1f)                                              \
    PROPERTY(addend_lost, "a small addend", ONE, CHOICE, c->renormalize_add > 0 && c->renormalize_add <= 0.1f)         \
    PROPERTY(divisor_low, "a floor or addend, low logits", ONE, CHOICE,                                                \
             (c->renormalize_floor > 0 || c->renormalize_add > 0) && c->logits == LOGITS_LOW)                          \
    PROPERTY(expert_scale, "factors", LANES, CHOICE, c->expert_scale)                                                  \
    PROPERTY(expert_scale_kept, "factors, not renormalised", ONE, CHOICE, c->expert_scale && c->keep_softmax)          \
    PROPERTY(latent, "latent experts", LANES, EXPERTS | READ_BY_COMBINE | READ_BY_LATENT, c->d_latent > 0)             \
    PROPERTY(latent_1, "L 1", ONE, LATENT, c->d_latent == 1)                                                           \
    PROPERTY(latent_odd, "L odd", ANY_ROWS, LATENT, c->d_latent % 2 == 1 && c->d_latent > 1)                           \
    PROPERTY(latent_4, "L 0 mod 4", ANY_ROWS, LATENT, c->d_latent % 4 == 0 && c->d_latent > 0)                         \
    PROPERTY(latent_wider, "L above D", ONE, LATENT, c->d_latent > c->d_model)                                         \
    PROPERTY(latent_shared, "latent experts, a shared one", ONE, COMBINE, c->d_latent > 0 && c->shared_hidden > 0)     \
    PROPERTY(latent_scales, "latent matrices of a type with scales", ONE, LATENT,                                      \
             c->d_latent > 0 && smoe_type_has_scales(c->weight_type))                                                  \
    PROPERTY(latent_nonfinite, "latent experts, non-finite tokens", ONE, LATENT,                                       \
             c->d_latent > 0 && c->logits == LOGITS_NONFINITE)                                                         \
    PROPERTY(latent_weighted, "latent experts, weighted inputs", ONE, UP, c->d_latent > 0 && c->weighted_input)        \
    PROPERTY(latent_types, "latent matrices of types of their own", ONE, LATENT,                                       \
             c->d_latent > 0 && c->types.latent_down != c->types.latent_up)                                            \
    PROPERTY(latent_down_bias, "bias of latent_down", ONE, LATENT_DOWN, has_bias(c, BIAS_LATENT_DOWN, c->d_latent))    \
    PROPERTY(latent_up_bias, "bias of latent_up", ONE, LATENT_UP, has_bias(c, BIAS_LATENT_UP, c->d_latent))            \
    PROPERTY(weighted_input, "weighted inputs", LANES, CHOICE | READ_BY_SORT | READ_BY_UP, c->weighted_input)          \
    PROPERTY(weighted_gated, "weighted inputs, gated", ONE, UP, c->weighted_input && c->gated)                         \
    PROPERTY(weighted_factor, "weighted inputs, factors of matrices", ONE, UP,                                         \
             c->weighted_input && c->weight_type == SMOE_TYPE_Q4)                                                      \
    PROPERTY(weighted_band, "weighted inputs, band", ONE, CHOICE, c->weighted_input && c->eps > 0)                     \
    PROPERTY(weighted_scaled, "weighted inputs, factors", ONE, CHOICE, c->weighted_input && c->expert_scale)           \
    PROPERTY(group_max, "groups by their best", LANES, CHOICE,                                                         \
             c->group_count > 1 && c->group_score == SMOE_GROUP_SCORE_MAX)                                             \
    PROPERTY(group_max_band, "groups by their best, band", ONE, CHOICE,                                                \
             c->group_count > 1 && c->group_score == SMOE_GROUP_SCORE_MAX && c->group_eps > 0)                         \
    PROPERTY(balanced_hard, "balanced groups, hard", LANES, CHOICE, c->balanced_groups > 1 && c->eps == 0)             \
    PROPERTY(balanced_band, "balanced groups, band", LANES, CHOICE, c->balanced_groups > 1 && c->eps > 0)              \
    PROPERTY(balanced_capped, "balanced groups, A of the call below the plan's", LANES, CHOICE,                        \
             c->balanced_groups > 1 && c->eps > 0 && c->call_active > 0)                                               \
    PROPERTY(balanced_kept, "balanced groups, not renormalised", ONE, CHOICE,                                          \
             c->balanced_groups > 1 && c->keep_softmax)                                                                \
    PROPERTY(balanced_tied, "balanced groups, tied logits", LANES, CHOICE,                                             \
             c->balanced_groups > 1 && c->logits == LOGITS_TIED)                                                       \
    PROPERTY(balanced_nonfinite, "balanced groups, non-finite tokens", LANES, CHOICE,                                  \
             c->balanced_groups > 1 && c->logits == LOGITS_NONFINITE)                                                  \
    PROPERTY(balanced_gate, "balanced groups, not softmax", LANES, CHOICE,                                             \
             c->balanced_groups > 1 && c->gate != SOFTMAX)                                                             \
    PROPERTY(balanced_below, "balanced groups below their power of two", ONE, CHOICE,                                  \
             c->balanced_groups > 1 && below_class(c->balanced_groups))                                                \
    PROPERTY(given_ids, "given", LANES, ROWS, c->given_count > 0 && !c->given_weights)                                 \
    PROPERTY(given_weights, "given with weights", LANES, ROWS, c->given_weights)                                       \
    PROPERTY(given_any, "given, repeated and skipped", LANES, ROWS, c->given_count > 0 && c->given == GIVEN_ANY)       \
    PROPERTY(given_bad, "given, not finite", LANES, ROWS, c->given_count > 0 && c->given == GIVEN_BAD)                 \
    PROPERTY(given_bad_weights, "given with weights, not finite", ONE, ROWS,                                           \
             c->given_weights && c->given == GIVEN_BAD)                                                                \
    PROPERTY(given_kept, "given, not renormalised", ONE, CHOICE, c->given_count > 0 && c->keep_softmax)                \
    PROPERTY(given_gate, "given, not softmax", ONE, CHOICE, c->given_count > 0 && c->gate != SOFTMAX)                  \
    PROPERTY(given_divisor, "given, a floor or addend", ONE, CHOICE,                                                   \
             c->given_count > 0 && (c->renormalize_floor > 0 || c->renormalize_add > 0))                               \
    PROPERTY(given_groups, "given, groups", ONE, CHOICE, c->given_count > 0 && c->group_count > 1)                     \
    PROPERTY(given_balanced, "given, balanced groups", ONE, CHOICE, c->given_count > 0 && c->balanced_groups > 1)      \
    PROPERTY(given_scale, "given, factors", ONE, CHOICE, c->given_count > 0 && c->expert_scale)                        \
    PROPERTY(given_shared, "given, shared expert", ONE, COMBINE, c->given_count > 0 && c->shared_hidden > 0)           \
    PROPERTY(given_many, "given, 24 of each token and more", ONE, CHOICE, c->given_count >= 24)                        \
    PROPERTY(given_latent, "given, latent experts", ONE, COMBINE, c->given_count > 0 && c->d_latent > 0)               \
    PROPERTY(given_weighted, "given, weighted inputs", ONE, CHOICE,                                                    \
             c->given_count > 0 && !c->given_weights && c->weighted_input)                                             \
    PROPERTY(given_weights_weighted, "given with weights, weighted inputs", ONE, CHOICE,                               \
             c->given_weights && c->weighted_input)                                                                    \
    PROPERTY(zero_experts_latent, "zero experts, latent experts", ONE, COMBINE,                                        \
             c->zero_experts > 0 && c->d_latent > 0)                                                                   \
    PROPERTY(zero_experts, "zero experts", LANES, ROWS, c->zero_experts > 0)                                           \
    PROPERTY(zero_experts_most, "more zero experts than others", LANES, ROWS, 2 * c->zero_experts > c->expert_count)   \
    PROPERTY(zero_experts_given, "zero experts, given", ONE, ROWS, c->zero_experts > 0 && c->given_count > 0)          \
    PROPERTY(zero_experts_shared, "zero experts, shared expert", ONE, COMBINE,                                         \
             c->zero_experts > 0 && c->shared_hidden > 0)                                                              \
    PROPERTY(zero_experts_odd, "zero experts, D not 0 mod 4", ONE, COMBINE,                                            \
             c->zero_experts > 0 && c->d_model % 4 != 0)                                                               \
    PROPERTY(projection_1, "p 1", LANES, LOGITS | READ_BY_PROJECT, c->projection_width == 1)                           \
    PROPERTY(projection_odd, "p odd", LANES, LOGITS | READ_BY_PROJECT,                                                 \
             c->projection_width % 2 == 1 && c->projection_width > 1)                                                  \
    PROPERTY(projection_even, "p even", LANES, LOGITS | READ_BY_PROJECT,                                               \
             c->projection_width % 2 == 0 && c->projection_width > 0)                                                  \
    PROPERTY(projection_wide, "p 128 and more", ONE, LOGITS | READ_BY_PROJECT, c->projection_width >= 128)             \
    PROPERTY(log_scale, "log scale above 0", ONE, LOGITS, c->log_scale > 0)                                            \
    PROPERTY(log_scale_end, "log scale above ln 100", ONE, LOGITS, c->log_scale > 5)                                   \
    PROPERTY(log_scale_low, "log scale below 0", ONE, LOGITS, c->log_scale < 0)                                        \
    PROPERTY(group_band, "groups' band", ANY_ROWS, ROWS, c->group_count > 1 && c->group_eps > 0)                       \
    PROPERTY(group_band_alone, "groups' band, hard experts", LANES, CHOICE,                                            \
             c->group_count > 1 && c->group_eps > 0 && c->eps == 0)                                                    \
    PROPERTY(group_hard, "hard groups, band of the experts", LANES, CHOICE,                                            \
             c->group_count > 1 && c->group_eps == 0 && c->eps > 0)                                                    \
    PROPERTY(group_band_end, "groups' band of 1e-30 or 1e30", ONE, CHOICE,                                             \
             c->group_count > 1 && (c->group_eps > 1e20f || (c->group_eps > 0 && c->group_eps < 1e-20f)))              \
    PROPERTY(group_one, "groups of one expert", ONE, CHOICE, group_size(c) == 1)                                       \
    PROPERTY(group_all, "every group kept", ONE, CHOICE, c->group_count > 1 && c->group_count == c->top_groups)        \
    PROPERTY(group_best, "one group kept", ONE, CHOICE, c->group_count > 1 && c->top_groups == 1)                      \
    PROPERTY(group_k, "k of the k experts of a group", ONE, CHOICE, group_size(c) == c->top_k && c->top_groups == 1)   \
    PROPERTY(group_none, "one group", ONE, CHOICE, c->group_count == 1)                                                \
    PROPERTY(groups_below, "groups below their power of two", ONE, CHOICE,                                             \
             c->group_count > 1 && below_class(c->group_count))                                                        \
    PROPERTY(shared, "shared", LANES, SHARED, c->shared_hidden > 0 && !c->shared_gate)                                 \
    PROPERTY(shared_gate, "shared, gate", LANES, SHARED | READ_BY_GATE, c->shared_gate)                                \
    PROPERTY(shared_odd, "shared, S odd", LANES, SHARED_SIZES, c->shared_hidden % 2 == 1)                              \
    PROPERTY(shared_aligned, "shared aligned, the others not", LANES, SHARED_SIZES,                                    \
             c->shared_hidden > 0 && c->shared_hidden % 4 == 0 && c->d_model % 4 == 0 && c->d_hidden % 4)              \
    PROPERTY(shared_unaligned, "shared not aligned, the others are", LANES, SHARED_SIZES,                              \
             c->shared_hidden % 4 && c->d_model % 4 == 0 && c->d_hidden % 4 == 0)                                      \
    PROPERTY(shared_loads, "S whole loads, not 0 mod 16", LANES, SHARED_DOWN,                                          \
             c->shared_hidden > 0 && ends_in_loads(c->shared_hidden, load_of(c)))                                      \
    PROPERTY(gated, "gated", LANES, UPS, c->gated)                                                                     \
    PROPERTY(shared_half, "16 bits, S 0 mod 8", LANES, SHARED_SIZES,                                                   \
             load_of(c) == 8 && c->shared_hidden > 0 && c->shared_hidden % 8 == 0)                                     \
    PROPERTY(shared_half_odd, "16 bits, S not 0 mod 8", LANES, SHARED_SIZES,                                           \
             load_of(c) == 8 && c->shared_hidden % 8 != 0)                                                             \
    PROPERTY(identity, "identity", ONE, UPS, ACTS(IDENTITY, false))                                                    \
    PROPERTY(identity_gated, "identity, gated", ONE, UPS, ACTS(IDENTITY, true))                                        \
    PROPERTY(relu, "relu", ONE, UPS, ACTS(RELU, false))                                                                \
    PROPERTY(relu_gated, "relu, gated", ONE, UPS, ACTS(RELU, true))                                                    \
    PROPERTY(gelu, "gelu", ONE, UPS, ACTS(GELU, false))                                                                \
    PROPERTY(gelu_gated, "gelu, gated", ONE, UPS, ACTS(GELU, true))                                                    \
    PROPERTY(gelu_tanh, "gelu_tanh", ONE, UPS, ACTS(GELU_TANH, false))                                                 \
    PROPERTY(gelu_tanh_gated, "gelu_tanh, gated", ONE, UPS, ACTS(GELU_TANH, true))                                     \
    PROPERTY(silu, "silu", ONE, UPS, ACTS(SILU, false))                                                                \
    PROPERTY(silu_gated, "silu, gated", ONE, UPS, ACTS(SILU, true))                                                    \
    PROPERTY(relu_squared, "relu2", ONE, UPS, ACTS(RELU_SQUARED, false))                                               \
    PROPERTY(relu_squared_gated, "relu2, gated", ONE, UPS, ACTS(RELU_SQUARED, true))                                   \
    PROPERTY(swiglu_clamped, "swiglu_clamped", ONE, UPS, ACTS(SWIGLU_CLAMPED, true))                                   \
    PROPERTY(gate_max, "gate_max", ONE, UP, c->gate_max > 0)                                                           \
    PROPERTY(up_limit, "up_limit", ONE, UP, c->up_limit > 0)                                                           \
    PROPERTY(gate_limit_after, "gate_limit_after", ONE, UP, c->gate_limit_after > 0)                                   \
    PROPERTY(gate_alpha, "gate_alpha", ONE, UPS, c->gate_alpha > 0)                                                    \
    PROPERTY(up_offset, "up_offset", ONE, UPS, c->up_offset > 0)                                                       \
    PROPERTY(up_offset_down, "up_offset below 0", ONE, UPS, c->up_offset < 0)                                          \
    PROPERTY(all_limits, "all numbers of a gated expert", ONE, UPS,                                                    \
             c->gate_max > 0 && c->up_limit > 0 && c->gate_limit_after > 0 && c->gate_alpha > 0 && c->up_offset != 0)  \
    PROPERTY(other_limits, "limits with another activation than silu", ONE, UP,                                        \
             c->gate_max > 0 && c->gate_limit_after > 0 && c->activation != SMOE_ACTIVATION_SILU)                      \
    PROPERTY(shared_gate_max, "shared gate_max", ONE, SHARED_UP, c->shared_gate_max > 0)                               \
    PROPERTY(shared_up_limit, "shared up_limit", ONE, SHARED_UP, c->shared_up_limit > 0)                               \
    PROPERTY(shared_limit_after, "shared gate_limit_after", ONE, SHARED_UP, c->shared_gate_limit_after > 0)            \
    PROPERTY(shared_limits_alone, "limits of the shared expert only", ONE, UPS, has_shared_limit(c) && !has_limit(c))  \
    PROPERTY(shared_unlimited, "limits, none of the shared expert", ONE, UPS,                                          \
             c->shared_hidden > 0 && has_limit(c) && !has_shared_limit(c))                                             \
    PROPERTY(bias_none, "no bias", LANES, ALL, c->biases == 0)                                                         \
    PROPERTY(bias_router, "bias of the router", ONE, LOGITS | READ_BY_PROJECT | READ_BY_GATE,                          \
             has_bias(c, BIAS_ROUTER, true))                                                                           \
    PROPERTY(bias_selection, "selection bias", ONE, CHOICE, has_bias(c, BIAS_SELECTION, c->gate != SOFTMAX))           \
    PROPERTY(bias_1, "b1", ONE, UPS, has_bias(c, BIAS_1, true))                                                        \
    PROPERTY(bias_3, "b3", ONE, UPS, has_bias(c, BIAS_3, c->gated))                                                    \
    PROPERTY(bias_2, "b2", ONE, DOWNS, has_bias(c, BIAS_2, true))                                                      \
    PROPERTY(bias_1_alone, "b1, not b2", ONE, EXPERTS, (c->biases & (BIAS_1 | BIAS_2)) == BIAS_1)                      \
    PROPERTY(bias_2_alone, "b2, not b1", ONE, EXPERTS, (c->biases & (BIAS_1 | BIAS_2)) == BIAS_2)                      \
    PROPERTY(bias_3_alone, "b3, not b1", ONE, UP, c->gated && (c->biases & (BIAS_1 | BIAS_3)) == BIAS_3)               \
    PROPERTY(bias_shared_1, "shared b1", ONE, SHARED_UP, has_bias(c, BIAS_SHARED_1, c->shared_hidden > 0))             \
    PROPERTY(bias_shared_3, "shared b3", ONE, SHARED_UP, has_bias(c, BIAS_SHARED_3, c->shared_hidden > 0 && c->gated)) \
    PROPERTY(bias_shared_2, "shared b2", ONE, SHARED_DOWN, has_bias(c, BIAS_SHARED_2, c->shared_hidden > 0))

#define FUNCTION(function, name, lanes, readers, condition) \
    static bool function(const layer_case *c)               \
    {                                                       \
        return condition;                                   \
    }
PROPERTIES(FUNCTION)

#define ROW(function, name, lanes, readers, condition) {name, READ_BY_##readers, lanes, function},
const case_property case_properties[] = {PROPERTIES(ROW)};

const uint32_t case_property_count = sizeof case_properties / sizeof case_properties[0];
