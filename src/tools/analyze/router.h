/* The random linear router that the simulations look at: scores W x + b. */
#ifndef SMOE_ANALYZE_ROUTER_H
#define SMOE_ANALYZE_ROUTER_H

#include "simulation.h"

enum { ROUTER_STREAM = 256, ROUTER_BIAS_STREAM, ROUTER_START_STREAM }; /* of host random numbers */

#define ROUTER_OPTIONS                                                                                                \
    {"--width", "D", "width of the inputs", PROGRAM_COUNT(analyze_options, width, 1, 64), .fallback = "8"},           \
    {"--experts", "E", "experts; W[E,D] and b[E] are random",                                                         \
     PROGRAM_COUNT(analyze_options, experts, 2, 64), .fallback = "8"},                                                \
    {"--k", "K", "experts chosen", PROGRAM_COUNT(analyze_options, k, 1, 32), .fallback = "2"},                        \
    {"--bias", "X", "standard deviation of the router's biases; its weights' is 1",                                   \
     PROGRAM_NUMBER(analyze_options, bias, 0, 1e3), .fallback = "0.1"}

typedef struct router {
    uint32_t width, experts, k;
    uint32_t stride;                          /* of a row: D + 1 rounded up to a multiple of 4, for the device's vec4 */
    size_t count;                             /* floats in weights: E stride */
    float weights[SIMULATION_MAX_PARAMETERS]; /* [E, stride]: a row is D weights, the bias, zeros */
} router;

/* From the options above and the seed. `more`: floats that must fit beside it. Gives the exit status, with the reason
 * printed. */
int router_draw(const analyze *a, size_t more, router *r);

/* The weights and biases, arrays.router [E, D + 1]. */
void router_put(analyze *a, const router *r);

/* An input well inside a cell, in x[width]: of 16 draws of N(0, I / D) the one farthest from the nearest face, and that
 * distance. */
double router_start(const analyze *a, const router *r, double x[64]);

/* The scores of x, [experts]. */
void router_scores(const router *r, const double *x, double *scores);

/* |W_i - W_j|: the distance to the face between two experts is the difference of their scores over this. */
double router_normal(const router *r, uint32_t i, uint32_t j);

/* Reorders the experts by their scores at x, larger first: the chosen ones are then the first k. */
void router_sort(router *r, const double *x);

#endif
