#include "router.h"

#include <math.h>
#include <string.h>

int router_draw(const analyze *a, size_t more, router *r)
{
    const float bias = (float)a->options.bias;
    float biases[64], weights[SIMULATION_MAX_PARAMETERS];

    memset(r, 0, sizeof *r);
    r->width = a->options.width;
    r->experts = a->options.experts;
    r->k = a->options.k;
    r->stride = (r->width / 4 + 1) * 4;
    r->count = (size_t)r->experts * r->stride;
    if (r->k >= r->experts)
        return analyze_refuse_option(a, "--k", "must be below --experts: with all of them chosen nothing can switch");
    if (r->count + more > SIMULATION_MAX_PARAMETERS)
        return analyze_refuse_option(a, "--experts",
                                     "is too many: the router and the faces of a cell must be at most 4096 numbers");
    analyze_draw_normals(a, ROUTER_BIAS_STREAM, biases, r->experts);
    analyze_draw_normals(a, ROUTER_STREAM, weights, (size_t)r->experts * r->width);
    for (uint32_t e = 0; e < r->experts; e++) {
        memcpy(r->weights + (size_t)e * r->stride, weights + (size_t)e * r->width, r->width * sizeof *weights);
        r->weights[(size_t)e * r->stride + r->width] = bias * biases[e];
    }
    return PROGRAM_OK;
}

void router_put(analyze *a, const router *r)
{
    double weights[SIMULATION_MAX_PARAMETERS];
    size_t count = 0;
    for (uint32_t e = 0; e < r->experts; e++)
        for (uint32_t d = 0; d <= r->width; d++)
            weights[count++] = (double)r->weights[(size_t)e * r->stride + d];
    analyze_put_array(a, "router", weights, count);
}

void router_scores(const router *r, const double *x, double *scores)
{
    for (uint32_t e = 0; e < r->experts; e++) {
        const float *row = r->weights + (size_t)e * r->stride;
        scores[e] = (double)row[r->width];
        for (uint32_t d = 0; d < r->width; d++)
            scores[e] += (double)row[d] * x[d];
    }
}

double router_normal(const router *r, uint32_t i, uint32_t j)
{
    double sum = 0;
    for (uint32_t d = 0; d < r->width; d++) {
        const double off =
            (double)r->weights[(size_t)i * r->stride + d] - (double)r->weights[(size_t)j * r->stride + d];
        sum += off * off;
    }
    return sqrt(sum);
}

void router_sort(router *r, const double *x)
{
    double scores[64];
    float row[68];
    const size_t size = r->stride * sizeof(float);

    router_scores(r, x, scores);
    for (uint32_t i = 1; i < r->experts; i++) { /* insertion */
        const double score = scores[i];
        uint32_t at = i;
        memcpy(row, r->weights + (size_t)i * r->stride, size);
        for (; at > 0 && scores[at - 1] < score; at--) {
            scores[at] = scores[at - 1];
            memcpy(r->weights + (size_t)at * r->stride, r->weights + (size_t)(at - 1) * r->stride, size);
        }
        scores[at] = score;
        memcpy(r->weights + (size_t)at * r->stride, row, size);
    }
}

double router_start(const analyze *a, const router *r, double x[64])
{
    enum { DRAWS = 16 };
    float normals[DRAWS * 64];
    double best = -1;

    analyze_draw_normals(a, ROUTER_START_STREAM, normals, DRAWS * r->width);
    for (uint32_t draw = 0; draw < DRAWS; draw++) {
        double candidate[64], scores[64], nearest = INFINITY;
        router sorted = *r;
        for (uint32_t d = 0; d < r->width; d++)
            candidate[d] = (double)normals[draw * r->width + d] / sqrt(r->width);
        router_sort(&sorted, candidate);
        router_scores(&sorted, candidate, scores);
        for (uint32_t i = 0; i < r->k; i++)
            for (uint32_t j = r->k; j < r->experts; j++)
                nearest = fmin(nearest, (scores[i] - scores[j]) / router_normal(&sorted, i, j));
        if (nearest > best) {
            best = nearest;
            memcpy(x, candidate, r->width * sizeof *x);
        }
    }
    return best;
}
