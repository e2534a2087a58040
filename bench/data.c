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

enum { SEED_BLOCK = 1, SEED_ROUTER = 2, SEED_X = 3, SEED_SELECTION = 4 };

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

static uint64_t matrix_count(const bench_preset *preset)
{
    return (uint64_t)preset->plan.expert_count * preset->plan.d_model * preset->plan.d_hidden;
}

uint64_t bench_block_count(const bench_preset *preset, bool peer_data)
{
    const uint64_t routed = matrix_count(preset), shared = (uint64_t)preset->plan.d_model * preset->plan.shared_hidden;
    return peer_data ? 3 * routed : (routed > shared ? routed : shared) + (WINDOW_COUNT - 1) * WINDOW_STEP;
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool bench_has_tensor(const bench_preset *preset, const smoe_layer_tensor *tensor)
{
    if (tensor->presence != SMOE_PRESENCE_OPTIONAL)
        return tensor->presence == SMOE_PRESENCE_REQUIRED;
    if (strcmp(tensor->name, "selection_bias") == 0)
        return preset->selection_bias;
    return begins(tensor->file_name, "router.") ? preset->router_bias : preset->biases;
}

/* In bench_data.router, not a window into the block. */
static bool is_routing(const smoe_layer_tensor *tensor)
{
    return begins(tensor->file_name, "router.") || strcmp(tensor->name, "shared_gate") == 0;
}

uint64_t bench_router_count(const bench_preset *preset)
{
    smoe_layer_tensor tensor;
    uint64_t count = 0;
    for (uint32_t i = 0; smoe_layer_tensor_get(&preset->plan, i, &tensor); i++)
        count += is_routing(&tensor) && bench_has_tensor(preset, &tensor) ? tensor.element_count : 0;
    return count;
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
        const bool routing = is_routing(&tensor);
        windows += tensor.matrix;
        if (!bench_has_tensor(preset, &tensor))
            continue;
        const float *data = routing ? router : block + (windows - 1) * step;
        smoe_host_weights_set(weights, &tensor, (smoe_host_weight){data, SMOE_TYPE_FLOAT32});
        router += routing ? tensor.element_count : 0;
    }
}

/* Gives a pointer for writing to a part of the router's weights, to which data->weights has a pointer for reading. */
static float *in_router(const bench_data *data, const float *part)
{
    return data->router + (part - data->router);
}

bool bench_data_create(const bench_preset *preset, uint32_t tokens, bool peer_data, bench_data *data)
{
    const smoe_plan_desc *plan = &preset->plan;
    const uint64_t d = plan->d_model, count = bench_block_count(preset, peer_data), router = bench_router_count(preset);
    const float scale_in = 1.0f / sqrtf((float)plan->d_model), scale_hidden = 1.0f / sqrtf((float)plan->d_hidden);

    memset(data, 0, sizeof *data);
    data->block = allocate(count);
    data->router = allocate(router);
    data->x = allocate(tokens * d);
    if (!data->block || !data->router || !data->x) {
        bench_data_destroy(data);
        return false;
    }
    const uint64_t step = peer_data ? matrix_count(preset) : WINDOW_STEP;
    if (peer_data) {
        fill_as_peer(data->block, step, scale_in, 5);
        fill_as_peer(data->block + step, step, scale_in, 4);
        fill_as_peer(data->block + 2 * step, step, scale_hidden, 6);
        fill_as_peer(data->router, router, 1, 2);
        fill_as_peer(data->x, tokens * d, 1, 1);
    } else {
        fill(data->block, count, scale_in, SEED_BLOCK);
        fill(data->router, router, scale_in, SEED_ROUTER);
        fill(data->x, tokens * d, 1, SEED_X);
    }
    lay_out(preset, data->block, step, data->router, &data->weights);
    if (data->weights.router_log_scale)
        *in_router(data, data->weights.router_log_scale) = LOG_SCALE;
    if (data->weights.selection_bias)
        fill(in_router(data, data->weights.selection_bias), plan->expert_count, SELECTION_BIAS_SCALE, SEED_SELECTION);
    return true;
}

void bench_data_destroy(bench_data *data)
{
    free(data->block);
    free(data->router);
    free(data->x);
    memset(data, 0, sizeof *data);
}
