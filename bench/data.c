/* Weights and inputs. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The matrices of experts are windows into one block, this many elements apart (a prime): a third of the host memory
 * and of the time to fill it. On the device each is a buffer of its own. */
#define WINDOW_STEP 4099u
#define WINDOW_COUNT 6u

/* Small, so that random inputs still choose almost evenly: sigmoids of these logits lie within a few hundredths of one
 * another. */
#define SELECTION_BIAS_SCALE 0.01f
#define LOG_SCALE 0.693147181f /* the cosine gate's initial temperature in Tutel is 1/2 */

enum { SEED_BLOCK = 1, SEED_ROUTER = 2, SEED_X = 3, SEED_SELECTION = 4, SEED_FACTORS = 5 };

/* Uniform in [-scale, scale). The value depends only on seed and place. The mixing steps are those of C. Wellons'
 * "lowbias32". */
static void fill(float *to, uint64_t count, float scale, uint32_t seed)
{
    const uint32_t start = seed * 0x9e3779b9u;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t v = (uint32_t)i + start;
        v = (v ^ v >> 16) * 0x7feb352du;
        v = (v ^ v >> 15) * 0x846ca68bu;
        v ^= v >> 16;
        to[i] = scale * ((float)(int32_t)v * 0x1p-31f);
    }
}

/* The peer's program draws 16 bits at a time from this generator, a fresh seed for every tensor. */
static void fill_as_peer(float *to, uint64_t count, float scale, uint32_t seed)
{
    uint32_t state = seed;
    for (uint64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = ((float)(state >> 8 & 0xffff) / 32768.0f - 1.0f) * scale;
    }
}

/* Float32 elements of bench_data.router. */
static uint64_t router_count(const bench_preset *preset)
{
    smoe_layer_tensor tensor;
    uint64_t count = 0;
    for (uint32_t i = 0; smoe_layer_tensor_get(&preset->plan, i, &tensor); i++)
        count += bench_is_routing(&tensor) && bench_has_tensor(preset, &tensor) ? tensor.element_count : 0;
    return count;
}

bool bench_is_stored(smoe_type type, bool peer_data)
{
    return smoe_type_has_scales(type) && !peer_data;
}

/* How the matrices lie in bench_data.block. */
typedef struct block_shape {
    uint64_t step, count; /* elements from one to the next; of all */
} block_shape;

/* The peer's matrices follow one another. Of those that are stored there are few, but all biases. */
static block_shape shape_of(const bench_preset *preset, smoe_type type, bool peer_data)
{
    const smoe_plan_desc *plan = &preset->plan;
    const uint64_t d = plan->d_model, h = plan->d_hidden, experts = plan->expert_count,
                   shared = d * plan->shared_hidden;
    const uint64_t made = bench_is_stored(type, peer_data) && experts > BENCH_DISTINCT ? BENCH_DISTINCT : experts;
    const uint64_t counts[] = {made * d * h, experts * (d > h ? d : h), shared};
    uint64_t most = 0;
    if (peer_data)
        return (block_shape){experts * d * h, 3 * experts * d * h};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        most = counts[i] > most ? counts[i] : most;
    return (block_shape){WINDOW_STEP, most + (WINDOW_COUNT - 1) * WINDOW_STEP};
}

double bench_weights_bytes(const bench_preset *preset, smoe_type type, bool peer_data)
{
    const double floats = (double)shape_of(preset, type, peer_data).count + (double)router_count(preset);
    return 4 * floats + (bench_is_stored(type, peer_data) ? bench_stored_bytes(preset, type) : 0);
}

static float *allocate(uint64_t count)
{
    return count <= SIZE_MAX / sizeof(float) ? malloc((size_t)count * sizeof(float)) : NULL;
}

/* Each matrix is the block's next window, `step` elements on, whether the layer has it or not; its bias is in the same
 * window. */
static void lay_out(const bench_preset *preset, const float *block, uint64_t step, const float *router,
                    smoe_host_weights *weights)
{
    smoe_layer_tensor tensor;
    uint64_t windows = 0;
    for (uint32_t i = 0; smoe_layer_tensor_get(&preset->plan, i, &tensor); i++) {
        const bool routing = bench_is_routing(&tensor);
        if (strncmp(tensor.file_name, "latent.", 7) == 0)
            continue; /* no preset has latent experts */
        windows += tensor.matrix;
        if (!bench_has_tensor(preset, &tensor))
            continue;
        const float *data = routing ? router : block + (windows - 1) * step;
        smoe_host_weights_set(weights, &tensor, (smoe_host_weight){data, SMOE_TYPE_FLOAT32});
        router += routing ? tensor.element_count : 0;
    }
}

static void fill_matrices(const bench_preset *preset, block_shape shape, bool peer_data, float *block)
{
    const float scale_in = 1.0f / sqrtf((float)preset->plan.d_model),
                scale_hidden = 1.0f / sqrtf((float)preset->plan.d_hidden);
    if (!peer_data) {
        fill(block, shape.count, scale_in, SEED_BLOCK);
        return;
    }
    fill_as_peer(block, shape.step, scale_in, 5);
    fill_as_peer(block + shape.step, shape.step, scale_in, 4);
    fill_as_peer(block + 2 * shape.step, shape.step, scale_hidden, 6);
}

static void fill_routing(const bench_preset *preset, uint64_t count, bool peer_data, float *router)
{
    if (peer_data)
        fill_as_peer(router, count, 1, 2);
    else
        fill(router, count, 1.0f / sqrtf((float)preset->plan.d_model), SEED_ROUTER);
}

/* Gives a pointer for writing to a part of the router's weights, to which data->weights has a pointer for reading. */
static float *in_router(const bench_data *data, const float *part)
{
    return data->router + (part - data->router);
}

/* Factors of experts, from a half to one and a half. */
static void fill_factors(float *to, uint32_t count)
{
    fill(to, count, 0.5f, SEED_FACTORS);
    for (uint32_t i = 0; i < count; i++)
        to[i] += 1.0f;
}

bool bench_data_create(const bench_preset *preset, smoe_type type, uint32_t tokens, bool peer_data, bench_data *data)
{
    const smoe_plan_desc *plan = &preset->plan;
    const block_shape shape = shape_of(preset, type, peer_data);
    const uint64_t inputs = (uint64_t)tokens * plan->d_model, router = router_count(preset);

    memset(data, 0, sizeof *data);
    data->block = allocate(shape.count);
    data->router = allocate(router);
    data->x = allocate(inputs);
    if (!data->block || !data->router || !data->x) {
        bench_data_destroy(data);
        return false;
    }
    fill_matrices(preset, shape, peer_data, data->block);
    fill_routing(preset, router, peer_data, data->router);
    if (peer_data)
        fill_as_peer(data->x, inputs, 1, 1);
    else
        fill(data->x, inputs, 1, SEED_X);
    lay_out(preset, data->block, shape.step, data->router, &data->weights);
    if (data->weights.router_log_scale)
        *in_router(data, data->weights.router_log_scale) = LOG_SCALE;
    if (data->weights.selection_bias)
        fill(in_router(data, data->weights.selection_bias), plan->expert_count, SELECTION_BIAS_SCALE, SEED_SELECTION);
    if (data->weights.expert_scale)
        fill_factors(in_router(data, data->weights.expert_scale), plan->expert_count);
    if (!bench_is_stored(type, peer_data) || bench_store(preset, type, data))
        return true;
    bench_data_destroy(data);
    return false;
}

void bench_data_destroy(bench_data *data)
{
    free(data->block);
    free(data->router);
    free(data->x);
    free(data->stored);
    memset(data, 0, sizeof *data);
}
