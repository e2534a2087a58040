#include "cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/blocks.h"
#include "common/half.h"
#include "common/random.h"

static void *keep(case_data *data, size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (memory)
        data->memory[data->memory_count++] = memory;
    return memory;
}

/* A prime number of values repeats in the largest arrays, so that no two experts are the same: making them all takes
 * too long. */
#define PERIOD ((size_t)1000003)

static float *uniform_array(case_data *data, test_random *random, size_t count, float limit)
{
    float *values = keep(data, count, sizeof *values);

    for (size_t i = 0; values && i < count; i++)
        values[i] = i < PERIOD ? test_random_uniform(random, -limit, limit) : values[i - PERIOD];
    return values;
}

static float *bias_array(case_data *data, test_random *random, uint32_t bias, size_t count)
{
    return data->shape->biases & bias ? uniform_array(data, random, count, 0.5f) : NULL;
}

/* The matrices of experts as the device gets them, and as the reference does. */
typedef struct matrix_places {
    smoe_type type;
    smoe_host_weight *device;
    const float **ref, **factors;
} matrix_places;

/* Matrices with scales: as they are stored for the device, and as floats. */
static bool scaled_array(case_data *data, test_random *random, uint32_t experts, uint32_t rows, uint32_t columns,
                         float limit, matrix_places places)
{
    unsigned char *stored = keep(data, (size_t)smoe_weights_size(places.type, experts, rows, columns), 1);
    float *floats = keep(data, (size_t)experts * rows * columns, sizeof *floats);
    float *factors = keep(data, experts, sizeof *factors);

    if (stored && floats && factors)
        test_blocks_fill(places.type, experts, rows, columns, limit, random, stored, floats, factors);
    *places.device = (smoe_host_weight){stored, places.type};
    *places.ref = floats;
    *places.factors = factors;
    return stored && floats && factors;
}

/* Matrices of `experts` experts with entries of variance loud^2 / columns. For 16-bit weights the device gets those,
 * and the floats are rounded. */
static bool matrix_array(case_data *data, test_random *random, uint32_t experts, uint32_t rows, uint32_t columns,
                         float loud, matrix_places places)
{
    const smoe_type type = places.type;
    const size_t count = (size_t)experts * rows * columns;
    const float limit = (loud > 0 ? loud : 1) * sqrtf(3.0f / (float)columns);

    if (smoe_type_has_scales(type))
        return scaled_array(data, random, experts, rows, columns, limit, places);
    float *values = uniform_array(data, random, count, limit);

    *places.ref = values;
    *places.device = (smoe_host_weight){values, type};
    if (!values || type == SMOE_TYPE_FLOAT32)
        return values != NULL;
    uint16_t *narrow = keep(data, count, sizeof *narrow);
    for (size_t i = 0; narrow && i < count; i++) {
        narrow[i] = i < PERIOD ? test_narrow_from_float(type, values[i]) : narrow[i - PERIOD];
        values[i] = test_narrow_to_float(type, narrow[i]);
    }
    places.device->data = narrow;
    return narrow != NULL;
}

/* Which expert's router row an expert shares: itself, except for ties. */
static uint32_t router_twin(const layer_case *shape, uint32_t expert)
{
    if (shape->logits == LOGITS_EQUAL)
        return 0;
    if (shape->logits != LOGITS_TIED)
        return expert;
    const uint32_t groups = shape->expert_count / shape->tied_experts;
    return expert < groups * shape->tied_experts ? expert % groups : expert;
}

static void spoil_token(test_random *random, const layer_case *shape, uint32_t token, float *x)
{
    const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f, -NAN};

    if (token % 3 == 0)
        x[test_random_below(random, shape->d_model)] = bad[token / 3 % 5];
}

static float whole_number(test_random *random, uint32_t limit)
{
    return (float)test_random_below(random, 2 * limit + 1) - (float)limit;
}

/* A number of the router's, or of x: on average as large for every D. Exact ones are multiples of 1/8. */
static float router_number(const layer_case *shape, test_random *random, uint32_t columns)
{
    if (shape->logits == LOGITS_SATURATED)
        return columns > 1 ? 48 * whole_number(random, 4) : whole_number(random, 1);
    if (shape->logits != LOGITS_RANDOM)
        return test_random_eighths(random, shape->logits == LOGITS_LARGE && columns > 1 ? 512 : 1);
    return test_random_uniform(random, -1.7f, 1.7f) / sqrtf((float)columns);
}

static float *router_array(case_data *data, test_random *random, size_t rows, uint32_t columns)
{
    float *values = keep(data, rows * columns, sizeof *values);

    for (size_t i = 0; values && i < rows * columns; i++)
        values[i] = router_number(data->shape, random, columns);
    return values;
}

/* A multiple of 1/8, or about as large. */
static float bias_number(const layer_case *shape, test_random *random)
{
    return shape->logits != LOGITS_RANDOM ? test_random_eighths(random, 1) : test_random_uniform(random, -0.5f, 0.5f);
}

static bool make_x(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const size_t D = shape->d_model;

    data->x = router_array(data, random, shape->tokens * D, 1);
    for (uint32_t t = 0; data->x && t < shape->tokens; t++) {
        if (shape->logits == LOGITS_NONFINITE)
            spoil_token(random, shape, t, data->x + t * D);
        if (shape->logits == LOGITS_ZERO && t % 3 == 0)
            memset(data->x + t * D, 0, D * sizeof *data->x);
    }
    return data->x != NULL;
}

static bool make_linear_router(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const uint32_t D = shape->d_model, E = shape->expert_count;
    float *weight = router_array(data, random, E, D), *bias = keep(data, E, sizeof *bias);

    if (!weight || !bias)
        return false;
    for (uint32_t e = 0; e < E; e++) {
        const uint32_t twin = router_twin(shape, e);
        for (uint32_t i = 0; i < D; i++)
            weight[(size_t)e * D + i] = weight[(size_t)twin * D + i];
        bias[e] = twin < e ? bias[twin] : bias_number(shape, random) - (shape->logits == LOGITS_LOW ? 300.0f : 0.0f);
        if (shape->logits == LOGITS_SATURATED)
            bias[e] = 48 * whole_number(random, 1);
    }
    for (uint32_t i = 0; shape->logits == LOGITS_NONFINITE && i < D; i++)
        weight[i] = 8; /* an expert that makes 3e38 overflow */
    data->ref.router_weight = weight;
    data->ref.router_bias = shape->biases & BIAS_ROUTER ? bias : NULL;
    return true;
}

/* S by columns: what the router knows of an expert. */
static void shape_similarity(const layer_case *shape, float *similarity)
{
    const uint32_t E = shape->expert_count;

    for (uint32_t i = 0; i < shape->projection_width; i++)
        for (uint32_t e = 0; e < E; e++) {
            float *s = similarity + (size_t)i * E + e;
            *s = similarity[(size_t)i * E + router_twin(shape, e)];
            /* With a width of 1 only the sign counts: two experts with the same one would tie, rounding aside. */
            if (shape->projection_width == 1)
                *s = (fabsf(*s) + 0.125f) * (e % 2 ? -1.0f : 1.0f);
            if (shape->logits == LOGITS_ZERO && e % 4 == 0)
                *s = 0;
        }
}

static bool make_cosine_router(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const uint32_t p = shape->projection_width;
    float *projection = router_array(data, random, p, shape->d_model), *bias = keep(data, p, sizeof *bias);
    float *similarity = router_array(data, random, shape->expert_count, p),
          *log_scale = keep(data, 1, sizeof *log_scale);

    if (!projection || !bias || !similarity || !log_scale)
        return false;
    for (uint32_t i = 0; i < p; i++)
        bias[i] = bias_number(shape, random);
    shape_similarity(shape, similarity);
    *log_scale = shape->log_scale;
    data->ref.router_projection = projection;
    data->ref.router_projection_bias = shape->biases & BIAS_ROUTER ? bias : NULL;
    data->ref.router_similarity = similarity;
    data->ref.router_log_scale = log_scale;
    return true;
}

/* Never 0 where numbers are exact: beside 0 a sigmoid that vanishes would still count. */
static bool make_selection_bias(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    float *bias = keep(data, shape->expert_count, sizeof *bias);

    for (uint32_t e = 0; bias && e < shape->expert_count; e++) {
        const uint32_t twin = router_twin(shape, e);
        bias[e] = twin < e ? bias[twin] : bias_number(shape, random) + 0.0625f;
    }
    const bool possible = shape->gate != SMOE_GATE_SOFTMAX && !shape->weighted_input;
    data->ref.selection_bias = possible && shape->biases & BIAS_SELECTION ? bias : NULL;
    return bias != NULL;
}

/* Of both signs, and one of them 0. */
static bool make_expert_scale(case_data *data, test_random *random)
{
    const uint32_t E = data->shape->expert_count;

    if (!data->shape->expert_scale)
        return true;
    float *scale = uniform_array(data, random, E, 2);
    if (scale && E > 1)
        scale[test_random_below(random, E)] = 0;
    data->ref.expert_scale = scale;
    return scale != NULL;
}

/* Different experts in a random order, then what the case may have besides. */
static void make_ids(const layer_case *shape, test_random *random, uint32_t token, uint32_t *ids)
{
    const uint32_t bad[] = {shape->expert_count, UINT32_MAX - 1, UINT32_C(0x7fffffff), UINT32_C(0x80000000)};
    const uint32_t E = shape->expert_count, R = shape->given_count, first = test_random_below(random, E);
    const uint32_t at = test_random_below(random, R);

    for (uint32_t i = 0; i < R; i++)
        ids[i] = (first + i) % E;
    for (uint32_t i = 0; i < R; i++) {
        const uint32_t other = test_random_below(random, R), kept = ids[i];
        ids[i] = ids[other];
        ids[other] = kept;
    }
    for (uint32_t i = 0; shape->given != GIVEN_APART && i < R; i++)
        if (token % 7 == 3 || (token % 3 == 1 && i % 2 == token % 2))
            ids[i] = SMOE_REPORT_UNUSED;
        else if (token % 3 == 2)
            ids[i] = ids[at] == SMOE_REPORT_UNUSED ? ids[i] : ids[at];
    if (shape->given == GIVEN_BAD && token % 4 == 0)
        ids[at] = bad[token / 4 % 4];
}

static bool make_given(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const size_t R = shape->given_count, count = shape->tokens * R;

    if (R == 0)
        return true;
    data->given_ids = keep(data, count, sizeof *data->given_ids);
    for (uint32_t t = 0; data->given_ids && t < shape->tokens; t++)
        make_ids(shape, random, t, data->given_ids + t * R);
    data->given_weights = shape->given_weights ? uniform_array(data, random, count, 1) : NULL;
    for (uint32_t t = 2; shape->given == GIVEN_BAD && data->given_weights && t < shape->tokens; t += 4)
        data->given_weights[t * R + t % R] = t % 8 == 2 ? NAN : -INFINITY;
    data->ref_params.given_ids = data->given_ids;
    data->ref_params.given_weights = data->given_weights;
    return data->given_ids && (data->given_weights || !shape->given_weights);
}

smoe_result case_give_routing(const case_data *data, smoe_device_layer *layer, uint32_t first, uint32_t step,
                              uint32_t count)
{
    const size_t R = data->shape->given_count, T = data->shape->tokens;

    if (R == 0)
        return SMOE_SUCCESS;
    uint32_t *ids = calloc(count * R + 1, sizeof *ids);
    float *weights = calloc(count * R + 1, sizeof *weights);
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; ids && weights && i < count; i++) {
        const size_t from = (first + (size_t)i * step) % T * R;
        memcpy(ids + i * R, data->given_ids + from, R * sizeof *ids);
        if (data->given_weights)
            memcpy(weights + i * R, data->given_weights + from, R * sizeof *weights);
    }
    if (ids && weights)
        result = smoe_device_layer_give_routing(layer, count, ids, data->given_weights ? weights : NULL);
    free(ids);
    free(weights);
    return result;
}

static bool make_experts(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const uint32_t L = shape->d_latent ? shape->d_latent : shape->d_model, H = shape->d_hidden,
                   E = shape->expert_count - shape->zero_experts;
    smoe_host_weights *weights = &data->weights;
    const smoe_matrix_types *types = &data->plan.types;
    ref_layer *ref = &data->ref;

    const matrix_places w1 = {types->up, &weights->w1, &ref->w1, &ref->factors.w1},
                        w2 = {types->down, &weights->w2, &ref->w2, &ref->factors.w2},
                        w3 = {types->up, &weights->w3, &ref->w3, &ref->factors.w3};

    if (!matrix_array(data, random, E, H, L, shape->loud, w1) || !matrix_array(data, random, E, L, H, 1, w2) ||
        (shape->gated && !matrix_array(data, random, E, H, L, shape->loud, w3)))
        return false;
    ref->b1 = bias_array(data, random, BIAS_1, (size_t)E * H);
    ref->b2 = bias_array(data, random, BIAS_2, (size_t)E * L);
    ref->b3 = shape->gated ? bias_array(data, random, BIAS_3, (size_t)E * H) : NULL;
    return !(shape->biases & BIAS_1 && !ref->b1) && !(shape->biases & BIAS_2 && !ref->b2) &&
           !(shape->gated && shape->biases & BIAS_3 && !ref->b3);
}

static bool make_shared_expert(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const uint32_t D = shape->d_model, S = shape->shared_hidden;
    smoe_host_weights *weights = &data->weights;
    const smoe_matrix_types *types = &data->plan.types;
    ref_layer *ref = &data->ref;

    const matrix_places w1 = {types->shared_up, &weights->shared_w1, &ref->shared_w1, &ref->factors.shared_w1},
                        w2 = {types->shared_down, &weights->shared_w2, &ref->shared_w2, &ref->factors.shared_w2},
                        w3 = {types->shared_up, &weights->shared_w3, &ref->shared_w3, &ref->factors.shared_w3};

    if (!S)
        return true;
    if (!matrix_array(data, random, 1, S, D, shape->loud, w1) || !matrix_array(data, random, 1, D, S, 1, w2) ||
        (shape->gated && !matrix_array(data, random, 1, S, D, shape->loud, w3)))
        return false;
    ref->shared_b1 = bias_array(data, random, BIAS_SHARED_1, S);
    ref->shared_b2 = bias_array(data, random, BIAS_SHARED_2, D);
    ref->shared_b3 = shape->gated ? bias_array(data, random, BIAS_SHARED_3, S) : NULL;
    ref->shared_gate = shape->shared_gate ? uniform_array(data, random, D, 2.0f / sqrtf((float)D)) : NULL;
    return !(shape->biases & BIAS_SHARED_1 && !ref->shared_b1) && !(shape->biases & BIAS_SHARED_2 && !ref->shared_b2) &&
           !(shape->gated && shape->biases & BIAS_SHARED_3 && !ref->shared_b3) &&
           !(shape->shared_gate && !ref->shared_gate);
}

static bool make_latent(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const uint32_t D = shape->d_model, L = shape->d_latent;
    const smoe_matrix_types *types = &data->plan.types;
    ref_layer *ref = &data->ref;

    const matrix_places down = {types->latent_down, &data->weights.latent_down, &ref->latent_down,
                                &ref->factors.latent_down},
                        up = {types->latent_up, &data->weights.latent_up, &ref->latent_up, &ref->factors.latent_up};

    if (!L)
        return true;
    if (!matrix_array(data, random, 1, L, D, 1, down) || !matrix_array(data, random, 1, D, L, 1, up))
        return false;
    ref->latent_down_bias = bias_array(data, random, BIAS_LATENT_DOWN, L);
    ref->latent_up_bias = bias_array(data, random, BIAS_LATENT_UP, D);
    return !(shape->biases & BIAS_LATENT_DOWN && !ref->latent_down_bias) &&
           !(shape->biases & BIAS_LATENT_UP && !ref->latent_up_bias);
}

/* The library's float32 arrays are the reference's. */
static void share_arrays(case_data *data)
{
    smoe_host_weights *weights = &data->weights;
    const ref_layer *ref = &data->ref;

    weights->router_weight = ref->router_weight;
    weights->router_bias = ref->router_bias;
    weights->router_projection = ref->router_projection;
    weights->router_projection_bias = ref->router_projection_bias;
    weights->router_similarity = ref->router_similarity;
    weights->router_log_scale = ref->router_log_scale;
    weights->selection_bias = ref->selection_bias;
    weights->expert_scale = ref->expert_scale;
    weights->latent_down_bias = ref->latent_down_bias;
    weights->latent_up_bias = ref->latent_up_bias;
    weights->b1 = ref->b1;
    weights->b2 = ref->b2;
    weights->b3 = ref->b3;
    weights->shared_b1 = ref->shared_b1;
    weights->shared_b2 = ref->shared_b2;
    weights->shared_b3 = ref->shared_b3;
    weights->shared_gate = ref->shared_gate;
}

static bool fill(case_data *data)
{
    const layer_case *shape = data->shape;
    const uint64_t stream = (uint64_t)shape->d_model << 40 ^ (uint64_t)shape->d_hidden << 20 ^
                            (uint64_t)shape->expert_count << 8 ^ shape->tokens;
    test_random random = test_random_make(data->seed, stream);

    if (!make_x(data, &random) ||
        !(shape->router == SMOE_ROUTER_COSINE ? make_cosine_router(data, &random)
                                              : make_linear_router(data, &random)) ||
        !make_selection_bias(data, &random) || !make_expert_scale(data, &random) || !make_experts(data, &random) ||
        !make_shared_expert(data, &random) || !make_latent(data, &random) || !make_given(data, &random))
        return false;
    share_arrays(data);
    return true;
}

bool case_data_create(case_data *data, const layer_case *shape, uint64_t seed)
{
    *data = (case_data){.shape = shape, .seed = seed};
    data->plan = case_plan_desc(shape);
    data->params = case_params(shape);
    data->ref = case_ref_layer(shape);
    data->ref_params = case_ref_params(shape);
    if (fill(data))
        return true;
    case_data_destroy(data);
    return false;
}

void case_data_destroy(case_data *data)
{
    for (uint32_t i = 0; i < data->memory_count; i++)
        free(data->memory[i]);
    data->memory_count = 0;
}
