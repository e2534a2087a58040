/* smoe-bench: times mixture-of-experts layers stage by stage. What its files share; README.md says what the numbers
 * mean. */
#ifndef SMOE_BENCH_H
#define SMOE_BENCH_H

#include <volk.h>

#include <smoe/device.h>

#include <stdio.h>

#include "program/options.h"

#define BENCH_MAX_TOKEN_COUNTS 4
#define BENCH_TYPE_COUNT 3 /* smoe_type */
#define BENCH_REASON_SIZE 256

/* ---- presets.c --------------------------------------------------------------------------------------------------- */

typedef struct bench_preset {
    const char *name, *about;
    smoe_plan_desc plan; /* without max_active, max_tokens and types, which the row decides */
    bool biases;         /* b1, b2 and, if gated, b3, of the shared expert too */
    bool router_bias;    /* with the cosine router its projection's */
    bool selection_bias;
    uint32_t tokens[BENCH_MAX_TOKEN_COUNTS]; /* what is measured, then 0 */
} bench_preset;

#define BENCH_MAX_PRESETS 16
extern const bench_preset bench_presets[];
extern const size_t bench_preset_count;

/* What is more than a linear router with softmax gates: "sigmoid, 4 of 8 groups, shared 512"; "" if nothing is. Gives
 * `text`. */
#define BENCH_ROUTING_SIZE 64
const char *bench_describe_routing(const smoe_plan_desc *plan, char text[BENCH_ROUTING_SIZE]);
void bench_print_presets(FILE *out);

/* ---- options.c --------------------------------------------------------------------------------------------------- */

typedef struct bench_options {
    const char *device, *json, *dump;
    bool list, validate, hard_only, totals, mixed_precision, peer_data, no_peak;
    bool weights[BENCH_TYPE_COUNT]; /* by smoe_type */
    bool presets[BENCH_MAX_PRESETS];
    bool has_shape;
    bench_preset shape;      /* --shape */
    uint32_t tokens, repeat, max_active, expected_active, mask; /* 0: not given */
    float eps, group_eps; /* NaN: chosen */
    double seconds, memory;
} bench_options;

/* The cap of a preset's plan: what the options say, else k + 4, and k for hard routing only. */
uint32_t bench_max_active(const bench_options *options, const bench_preset *preset);

/* False where the program is to exit with *status: help is printed, or why the command line cannot be obeyed. */
bool bench_parse_options(int count, char **arguments, bench_options *options, int *status);

/* ---- data.c ------------------------------------------------------------------------------------------------------ */

/* A preset's weights and inputs on the host: the same for every row and every run. */
typedef struct bench_data {
    float *block;  /* what the matrices and biases of experts are taken from */
    float *router; /* the other weights, one after another */
    float *x;
    smoe_host_weights weights;
} bench_data;

/* Float32 elements of bench_data.block and bench_data.router. */
uint64_t bench_block_count(const bench_preset *preset, bool peer_data);
uint64_t bench_router_count(const bench_preset *preset);
/* Whether the preset's layer has a tensor of its plan. */
bool bench_has_tensor(const bench_preset *preset, const smoe_layer_tensor *tensor);

/* False when the host has no memory. peer_data: only for layers of --shape. */
bool bench_data_create(const bench_preset *preset, uint32_t tokens, bool peer_data, bench_data *data);
void bench_data_destroy(bench_data *data);

/* ---- peak.c ------------------------------------------------------------------------------------------------------ */

/* What the device reached at its best in this run; 0: not measured, and `reason` says why. */
typedef struct bench_peak {
    double copy_command, copy_kernel, read; /* bytes per second, a copy's reads and writes both counted */
    /* float32 operations per second, a multiplication and an addition each one */
    double fma;
    VkDeviceSize buffer_size;
    uint32_t repeat_count;
    char reason[BENCH_REASON_SIZE];
} bench_peak;

/* The most bytes per second that any of the three moved. */
double bench_peak_bytes(const bench_peak *peak);

/* most_repeats: how often each of its kernels runs at most; 0: as often as peak.c says. */
bool bench_measure_peak(smoe_device *device, uint32_t most_repeats, bench_peak *peak);

/* ---- measure.c --------------------------------------------------------------------------------------------------- */

typedef struct bench_spread {
    double min, p10, median, p90, max;
} bench_spread;

enum { BENCH_HARD, BENCH_SMOOTH, BENCH_ROUTING_COUNT };

/* Some tokens of a run beside the reference (check.c). */
typedef struct bench_check {
    char unmade[BENCH_REASON_SIZE]; /* why there was none; empty: the rest holds */
    char wrong[BENCH_REASON_SIZE];  /* what was wrong first; empty: nothing */
    /* excused: of these tokens rounding may change the choice of experts; only their y is compared */
    uint32_t tokens, excused;
    double difference, allowed;     /* of the number of y whose difference is the largest share of what it may be */
} bench_check;

/* One way of routing in a row. Times in nanoseconds, per forward. */
typedef struct bench_run {
    char unsupported[BENCH_REASON_SIZE]; /* empty: the rest holds */
    float eps, group_eps;
    uint32_t expected_active; /* what its tiles were chosen for */
    uint64_t active_total;    /* over the tokens, counted in the report */
    uint32_t active_experts;  /* distinct ones */
    uint32_t repeat_count;
    bench_spread stage[SMOE_STAGE_COUNT], device, host; /* device and stage: 0 where the device has no timestamps */
    double flop, bytes;       /* of the whole layer: README.md says what is counted */
    double stage_flop[SMOE_STAGE_COUNT];
    bench_check check;
} bench_run;

/* How long smoe_plan_create took, nanoseconds: the first time in this run, and the least of several times after it. A
 * later plan finds its pipelines in the context; the first one finds those that rows before it have made. */
typedef struct bench_plan_times {
    double first, again;
} bench_plan_times;

/* A row of the benchmark: a preset at a number of tokens and a weight type. */
typedef struct bench_row {
    const bench_preset *preset;
    smoe_plan_desc plan;
    uint32_t tokens;
    char unsupported[BENCH_REASON_SIZE]; /* empty: the rest holds */
    smoe_kernel_choice kernels[SMOE_STAGE_COUNT]; /* name empty: the row has no such stage */
    bench_plan_times plan_times;
    bench_run runs[BENCH_ROUTING_COUNT];
    double time_ratio, active_ratio; /* smooth over hard; 0 where one of them is missing */
    double totals_ratio;             /* hard with totals over hard without; 0 without --totals */
    double mixed_ratio;              /* hard with mixed precision over hard without; 0 without --mixed-precision */
} bench_row;

/* Median device time where there are timestamps, else median host time; nanoseconds. */
double bench_run_time(const bench_run *run);

smoe_result bench_measure_plan(const smoe_device *device, const smoe_plan_desc *desc, bench_plan_times *out);

/* Measures a row that its layer can run. plain: with --totals or --mixed-precision the same layer without, to compare
 * with; else NULL. */
smoe_result bench_measure_row(smoe_device_layer *layer, smoe_device_layer *plain, const bench_options *options,
                              const bench_data *data, bench_row *row);

/* ---- work.c ------------------------------------------------------------------------------------------------------ */

/* Bytes of the router's weights, selection bias included; of one expert's matrices and biases; of the shared expert's,
 * gate included. */
double bench_router_bytes(const bench_preset *preset, const smoe_plan_desc *plan);
double bench_expert_bytes(const bench_preset *preset, const smoe_plan_desc *plan);
double bench_shared_bytes(const bench_preset *preset, const smoe_plan_desc *plan);

/* Counts active experts in the report of a row's tokens, and the operations and bytes that follow from them. False for
 * a report that cannot be. */
bool bench_count_work(const bench_row *row, const uint32_t *report, bench_run *run);

/* ---- check.c ----------------------------------------------------------------------------------------------------- */

typedef struct bench_result bench_result;

/* Compares what a forward with these params gave for all of a row's tokens; the report has been counted. */
void bench_check_run(const bench_row *row, const bench_data *data, const smoe_forward_params *params, const float *y,
                     const uint32_t *report, bench_run *run);
uint32_t bench_count_wrong(const bench_result *result); /* runs of its rows */

/* ---- limits.c ---------------------------------------------------------------------------------------------------- */

/* Why a row cannot run on the device, decided before anything is allocated; false if it can. */
bool bench_is_unsupported(const smoe_device_info *info, const bench_options *options, const bench_preset *preset,
                          const smoe_plan_desc *plan, char reason[BENCH_REASON_SIZE]);

/* ---- table.c, json.c --------------------------------------------------------------------------------------------- */

struct bench_result {
    smoe_device_info info;
    bench_peak peak;
    bench_row *rows;
    size_t row_count;
};

const char *bench_commit(void); /* of the build, "" where it is not known */

void bench_print_device(FILE *out, const bench_options *options, const bench_result *result);
void bench_print_row(FILE *out, const bench_result *result, const bench_row *row);
void bench_print_summary(FILE *out, const bench_result *result);

/* Both give false after printing why the file could not be written, and leave what was there. end: text behind the
 * data. */
bool bench_write_json(const char *path, const bench_options *options, const bench_result *result);
bool bench_write_file(const char *path, const void *data, size_t size, const char *end);

#endif
