/* Weights and inputs. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The matrices of experts are windows into one block, this many elements apart (a prime): a third of the host memory and of the time
 * to fill it. On the device each is a buffer of its own. */
#define WINDOW_STEP 4099u
#define WINDOW_COUNT 6u

/* Small, so that random inputs still choose almost evenly: sigmoids of these logits lie within a few hundredths of one another. */
#define SELECTION_BIAS_SCALE 0.01f
#define LOG_SCALE 0.693147181f /* the cosine gate's initial temperature in Tutel is 1/2 */

enum { SEED_BLOCK = 1, SEED_ROUTER = 2, SEED_X = 3, SEED_SELECTION = 4 };

/* Uniform in [-scale, scale), a function of seed and place alone. The mixing steps are those of C. Wellons' "lowbias32". */
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

/* Takes the next `count` of bench_data.router, or nothing where they are not wanted. *used moves on. */
static float *take(float *router, bool wanted, uint64_t count, uint64_t *used)
{
    float *const from = router && wanted ? router + *used : NULL;
    *used += wanted ? count : 0;
    return from;
}

/* Lays the arrays of bench_data.router out, without contents, and counts them; router: NULL to count only. */
static uint64_t lay_out_router(const bench_preset *preset, float *router, smoe_host_weights *weights)
{
    const smoe_plan_desc *plan = &preset->plan;
    const uint64_t d = plan->d_model, e = plan->expert_count, p = plan->projection_width;
    const bool cosine = plan->router == SMOE_ROUTER_COSINE;
    uint64_t used = 0;

    weights->router_weight = take(router, !cosine, e * d, &used);
    weights->router_bias = take(router, !cosine && preset->router_bias, e, &used);
    weights->router_projection = take(router, cosine, p * d, &used);
    weights->router_projection_bias = take(router, cosine && preset->router_bias, p, &used);
    weights->router_similarity = take(router, cosine, p * e, &used);
    weights->router_log_scale = take(router, cosine, 1, &used);
    weights->selection_bias = take(router, preset->selection_bias, e, &used);
    weights->shared_gate = take(router, plan->shared_gate, d, &used);
    return used;
}

uint64_t bench_router_count(const bench_preset *preset)
{
    smoe_host_weights weights = {0};
    return lay_out_router(preset, NULL, &weights);
}

static float *allocate(uint64_t count)
{
    return count <= SIZE_MAX / sizeof(float) ? malloc((size_t)count * sizeof(float)) : NULL;
}

/* Windows into the block; `step` elements apart. */
static void lay_out_experts(const bench_preset *preset, const float *block, uint64_t step, smoe_host_weights *weights)
{
    const bool gated = preset->plan.gated, shared = preset->plan.shared_hidden > 0, biases = preset->biases;
    const float *w1 = block, *w3 = w1 + step, *w2 = w3 + step;

    weights->w1 = w1;
    weights->w2 = w2;
    weights->w3 = gated ? w3 : NULL;
    weights->b1 = biases ? w1 : NULL;
    weights->b2 = biases ? w2 : NULL;
    weights->b3 = biases && gated ? w3 : NULL;
    if (!shared)
        return;
    const float *shared_w1 = w2 + step, *shared_w3 = shared_w1 + step, *shared_w2 = shared_w3 + step;
    weights->shared_w1 = shared_w1;
    weights->shared_w2 = shared_w2;
    weights->shared_w3 = gated ? shared_w3 : NULL;
    weights->shared_b1 = biases ? shared_w1 : NULL;
    weights->shared_b2 = biases ? shared_w2 : NULL;
    weights->shared_b3 = biases && gated ? shared_w3 : NULL;
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
    data->weights.weight_type = SMOE_TYPE_FLOAT32;
    lay_out_experts(preset, data->block, step, &data->weights);
    lay_out_router(preset, data->router, &data->weights);
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
