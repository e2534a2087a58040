/* Bands of the first orders, as band.glsl defines and counts them: their histograms, and what is made of those. */
#ifndef SMOE_ANALYZE_BANDS_H
#define SMOE_ANALYZE_BANDS_H

#include "router.h"

enum { BANDS_ORDERS = 3, BANDS_BINS = 32, BANDS_COUNTERS = BANDS_ORDERS * BANDS_BINS, BANDS_MAX_BLOCKS = 64 };

#define BANDS_OPTIONS                                                                                                 \
    {"--eps-from", "X", "the smallest eps", PROGRAM_NUMBER(analyze_options, eps_from, 1e-6, 1e6), .fallback = "1e-3"},\
    {"--eps-to", "X", "the largest", PROGRAM_NUMBER(analyze_options, eps_to, 1e-6, 1e6), .fallback = "0.5"},          \
    {"--fit-to", "X", "the largest eps whose counts the fits use",                                                    \
     PROGRAM_NUMBER(analyze_options, fit_to, 1e-6, 1e6), .fallback = "0.25"}

typedef struct bands {
    double edges[BANDS_BINS + 1]; /* of the bins: 0, then log-spaced */
    double fit_to;
    uint32_t block_count;         /* 1: the counts are independent. More: blocks are, samples of one are not */
    uint64_t counts[BANDS_MAX_BLOCKS][BANDS_COUNTERS];
} bands;

/* Floats of a simulation's own behind bands_parameters. */
enum { BANDS_MORE_PARAMETERS = 1 };

/* The router and the edges, from the options. Gives the exit status. */
int bands_begin(const analyze *a, router *r, bands *b);

/* The device's parameters: the router and the edges. Gives how many floats. */
size_t bands_parameters(const bands *b, const router *r, float out[SIMULATION_MAX_PARAMETERS]);

/* Puts the table of eps and, for each order, the count in the band times unit with its standard error, and the fits of
 * the power. what: "share", "time". */
void bands_put(analyze *a, const bands *b, const router *r, const char *what, const char *title, double unit);

#endif
