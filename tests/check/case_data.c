#include "cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/half.h"
#include "common/random.h"

static void *keep(case_data *data, size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (memory)
        data->memory[data->memory_count++] = memory;
    return memory;
}

/* A prime number of values repeats in the largest arrays, so that no two experts are the same: making them all takes too long. */
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

/* A matrix of all experts with entries of variance 1 / columns. For float16: *device gets halves, and the floats are rounded. */
static bool matrix_array(case_data *data, test_random *random, uint32_t rows, uint32_t columns, const void **device, const float **ref)
{
    const size_t count = (size_t)data->shape->expert_count * rows * columns;
    float *values = uniform_array(data, random, count, sqrtf(3.0f / (float)columns));

    *ref = values;
    *device = values;
    if (!values || data->shape->weight_type != SMOE_TYPE_FLOAT16)
        return values != NULL;
    uint16_t *halves = keep(data, count, sizeof *halves);
    for (size_t i = 0; halves && i < count; i++) {
        halves[i] = i < PERIOD ? test_half_from_float(values[i]) : halves[i - PERIOD];
        values[i] = test_half_to_float(halves[i]);
    }
    *device = halves;
    return halves != NULL;
}

/* Which expert's router row an expert shares: itself, but for ties. */
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

static bool make_router(case_data *data, test_random *random)
{
    const layer_case *shape = data->shape;
    const uint32_t D = shape->d_model, E = shape->expert_count;
    const bool exact = shape->logits != LOGITS_RANDOM;
    float *x = keep(data, (size_t)shape->tokens * D, sizeof *x);
    float *weight = keep(data, (size_t)E * D, sizeof *weight), *bias = keep(data, E, sizeof *bias);

    if (!x || !weight || !bias)
        return false;
    for (size_t i = 0; i < (size_t)shape->tokens * D; i++)
        x[i] = exact ? test_random_eighths(random, 1) : test_random_uniform(random, -1.7f, 1.7f);
    for (size_t i = 0; i < (size_t)E * D; i++)
        weight[i] = exact ? test_random_eighths(random, shape->logits == LOGITS_LARGE ? 512 : 1)
                          : test_random_uniform(random, -1.7f, 1.7f) / sqrtf((float)D);
    for (uint32_t e = 0; e < E; e++)
        bias[e] = exact ? test_random_eighths(random, 1) : test_random_uniform(random, -0.5f, 0.5f);
    for (uint32_t e = 0; e < E; e++) {
        const uint32_t twin = router_twin(shape, e);
        for (uint32_t i = 0; i < D; i++)
            weight[(size_t)e * D + i] = weight[(size_t)twin * D + i];
        bias[e] = bias[twin];
    }
    if (shape->logits == LOGITS_NONFINITE) {
        /* An expert that makes 3e38 overflow. */
        for (uint32_t i = 0; i < D; i++)
            weight[i] = 8;
        for (uint32_t t = 0; t < shape->tokens; t++)
            spoil_token(random, shape, t, x + (size_t)t * D);
    }
    data->x = x;
    data->ref.router_weight = weight;
    data->ref.router_bias = shape->biases & BIAS_ROUTER ? bias : NULL;
    return true;
}

static bool fill(case_data *data)
{
    const layer_case *shape = data->shape;
    const uint32_t D = shape->d_model, H = shape->d_hidden, E = shape->expert_count;
    test_random random = test_random_make(data->seed, (uint64_t)D << 40 ^ (uint64_t)H << 20 ^ (uint64_t)E << 8 ^ shape->tokens);
    smoe_host_weights *weights = &data->weights;
    ref_layer *ref = &data->ref;

    if (!make_router(data, &random) || !matrix_array(data, &random, H, D, &weights->w1, &ref->w1) ||
        !matrix_array(data, &random, D, H, &weights->w2, &ref->w2))
        return false;
    if (shape->gated && !matrix_array(data, &random, H, D, &weights->w3, &ref->w3))
        return false;
    ref->b1 = bias_array(data, &random, BIAS_1, (size_t)E * H);
    ref->b2 = bias_array(data, &random, BIAS_2, (size_t)E * D);
    ref->b3 = shape->gated ? bias_array(data, &random, BIAS_3, (size_t)E * H) : NULL;
    weights->weight_type = shape->weight_type;
    weights->router_weight = ref->router_weight;
    weights->router_bias = ref->router_bias;
    weights->b1 = ref->b1;
    weights->b2 = ref->b2;
    weights->b3 = ref->b3;
    return !(shape->biases & BIAS_1 && !ref->b1) && !(shape->biases & BIAS_2 && !ref->b2) &&
           !(shape->gated && shape->biases & BIAS_3 && !ref->b3);
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
