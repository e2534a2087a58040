/* What a run carries along. */
#ifndef SMOE_BENCH_RUN_H
#define SMOE_BENCH_RUN_H

#include "bench.h"

/* The library's last error line: the reason of an unsupported row. */
typedef struct bench_log {
    bool print;
    char error[BENCH_REASON_SIZE];
} bench_log;

typedef struct bench_runner {
    const bench_options *options;
    bench_results *results;
    bench_log log;
    smoe_device *device; /* the one that is measured */
    uint32_t row_total, row_done;
    bool unwritten; /* --json could not be written, which has been said */
    FILE *out;
} bench_runner;

/* A list that is empty stands for one value that is chosen. */
static inline uint32_t bench_at_least_one(uint32_t count)
{
    return count > 0 ? count : 1;
}

/* ---- run_layers.c ------------------------------------------------------------------------------------------------ */

/* Says why the run ends, and gives its exit status. */
int bench_fail(const bench_runner *b, smoe_result result);

/* The rows that the options make of a preset, and their number. */
int bench_run_preset(bench_runner *b, const bench_preset *preset);
uint32_t bench_count_rows(const bench_options *options, const bench_preset *preset);

/* ---- run.c ------------------------------------------------------------------------------------------------------- */

/* Everything that the options ask for, shown as it is measured, and kept in the file of --json row by row. Gives the
 * exit status. log: writes to b->log. */
int bench_run_all(bench_runner *b, const smoe_log *log);

#endif
