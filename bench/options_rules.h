/* What the options must be together. */
#ifndef SMOE_BENCH_OPTIONS_RULES_H
#define SMOE_BENCH_OPTIONS_RULES_H

#include "bench.h"

/* A layer of the command line before it has a shape: silu, renormalised, no biases. */
extern const bench_preset bench_new_shape;

/* Fills in what the options do not say. False after a line that says why the command line cannot be obeyed. */
bool bench_complete_options(const program_desc *program, bench_options *options);

#endif
