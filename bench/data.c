/* Weights and inputs, and the band width that follows from them. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The matrices are windows into one block, this many elements apart (a prime): a third of the host memory and of the time to fill
 * it. On the device each is a buffer of its own. */
#define WINDOW_STEP 4099u

enum { SEED_BLOCK = 1, SEED_ROUTER = 2, SEED_X = 3 };

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
    return peer_data ? 3 * matrix_count(preset) : matrix_count(preset) + 2 * WINDOW_STEP;
}

static float *allocate(uint64_t count)
{
    return count <= SIZE_MAX / sizeof(float) ? malloc((size_t)count * sizeof(float)) : NULL;
}

bool bench_data_create(const bench_preset *preset, uint32_t tokens, bool peer_data, bench_data *data)
{
    const smoe_plan_desc *plan = &preset->plan;
    const uint64_t d = plan->d_model, count = bench_block_count(preset, peer_data), router = plan->expert_count * d;
    const float scale_in = 1.0f / sqrtf((float)plan->d_model), scale_hidden = 1.0f / sqrtf((float)plan->d_hidden);

    memset(data, 0, sizeof *data);
    data->block = allocate(count);
    data->router_weight = allocate(router);
    data->x = allocate(tokens * d);
    if (!data->block || !data->router_weight || !data->x) {
        bench_data_destroy(data);
        return false;
    }
    const uint64_t step = peer_data ? matrix_count(preset) : WINDOW_STEP;
    const float *w1 = data->block, *w3 = w1 + step, *w2 = w3 + step;
    if (peer_data) {
        fill_as_peer(data->block, step, scale_in, 5);
        fill_as_peer(data->block + step, step, scale_in, 4);
        fill_as_peer(data->block + 2 * step, step, scale_hidden, 6);
        fill_as_peer(data->router_weight, router, 1, 2);
        fill_as_peer(data->x, tokens * d, 1, 1);
    } else {
        fill(data->block, count, scale_in, SEED_BLOCK);
        fill(data->router_weight, router, scale_in, SEED_ROUTER);
        fill(data->x, tokens * d, 1, SEED_X);
    }
    data->weights = (smoe_host_weights){.weight_type = SMOE_TYPE_FLOAT32, .router_weight = data->router_weight, .w1 = w1, .w2 = w2,
                                        .w3 = plan->gated ? w3 : NULL};
    if (preset->biases) {
        data->weights.b1 = w1;
        data->weights.b2 = w2;
        data->weights.b3 = plan->gated ? w3 : NULL;
    }
    return true;
}

void bench_data_destroy(bench_data *data)
{
    free(data->block);
    free(data->router_weight);
    free(data->x);
    memset(data, 0, sizeof *data);
}

static int compare_rising(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* scores[E] of a token, sorted, largest last. */
static void sorted_scores(const smoe_plan_desc *plan, const bench_data *data, uint32_t token, double *scores)
{
    const float *x = data->x + (size_t)token * plan->d_model;
    for (uint32_t e = 0; e < plan->expert_count; e++) {
        const float *w = data->router_weight + (size_t)e * plan->d_model;
        scores[e] = 0;
        for (uint32_t i = 0; i < plan->d_model; i++)
            scores[e] += (double)w[i] * (double)x[i];
    }
    qsort(scores, plan->expert_count, sizeof *scores, compare_rising);
}

/* An expert joins as soon as the band is wider than its distance to s[k], so the width lies in the middle between the distance of
 * the last expert that should run and that of the next: rounding in float32 then changes nothing. */
float bench_choose_eps(const smoe_plan_desc *plan, const bench_data *data, uint32_t tokens)
{
    const uint32_t extra = plan->max_active - plan->top_k;
    const size_t count = (size_t)tokens * extra;
    float eps = 0;

    if (count == 0)
        return 0;
    double *distances = malloc(count * sizeof *distances);
    double *scores = malloc(plan->expert_count * sizeof *scores);
    if (distances && scores) {
        for (uint32_t t = 0; t < tokens; t++) {
            sorted_scores(plan, data, t, scores);
            for (uint32_t i = 0; i < extra; i++) {
                const uint32_t kth = plan->expert_count - plan->top_k;
                distances[(size_t)t * extra + i] = scores[kth] - scores[kth - 1 - i];
            }
        }
        qsort(distances, count, sizeof *distances, compare_rising);
        const size_t wanted = tokens > 1 ? tokens / 2 : 1;
        const double last = distances[wanted - 1];
        eps = (float)(wanted < count ? (last + distances[wanted]) / 2 : last * 1.01);
    }
    free(scores);
    free(distances);
    return eps;
}
