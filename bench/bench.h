/* smoe-bench: times mixture-of-experts layers stage by stage. What its files share; README.md says what the numbers
 * mean. */
#ifndef SMOE_BENCH_H
#define SMOE_BENCH_H

#include <volk.h>

#include <smoe/device.h>

#include <stdio.h>

#include "../shaders/common/interface.h"
#include "peaks/peaks.h"
#include "program/options.h"
#include "read/results.h"

#define BENCH_MAX_TOKEN_COUNTS 4
#define BENCH_COUNT_TYPE(...) +1
enum { BENCH_TYPE_COUNT = 0 SMOE_WEIGHT_TYPES(BENCH_COUNT_TYPE) }; /* smoe_type */
#define BENCH_REASON_SIZE 256

/* ---- presets.c --------------------------------------------------------------------------------------------------- */

typedef struct bench_preset {
    const char *name, *about;
    smoe_plan_desc plan; /* without max_active, max_tokens and types, which the row decides */
    bool biases;         /* b1, b2 and, if gated, b3, of the shared expert too */
    bool router_bias;    /* with the cosine router its projection's */
    bool selection_bias;
    smoe_type published;                     /* its weights' type in files, where that has scales; else float32 */
    uint32_t tokens[BENCH_MAX_TOKEN_COUNTS]; /* what is measured, then 0 */
} bench_preset;

#define BENCH_MAX_PRESETS 16
#define BENCH_MAX_SHAPES 64
extern const bench_preset bench_presets[];
extern const size_t bench_preset_count;

/* Whether the preset's layer has a tensor of its plan, and whether a tensor is none of the experts'. */
bool bench_has_tensor(const bench_preset *preset, const smoe_layer_tensor *tensor);
bool bench_is_routing(const smoe_layer_tensor *tensor);

/* results_describe_routing of a plan. */
const char *bench_describe_routing(const smoe_plan_desc *plan, char text[RESULTS_ROUTING_SIZE]);
void bench_print_presets(FILE *out);

/* ---- options.c --------------------------------------------------------------------------------------------------- */

typedef struct bench_options {
    const char *json, *dump;
    int format; /* BENCH_FORMAT_* */
    bool list, validate, hard_only, totals, mixed_precision, peer_data, no_peak, route, fit;
    bool weights[BENCH_TYPE_COUNT]; /* by smoe_type */
    bool published_weights;         /* beside those: each preset's own, bench_preset.published */
    bool presets[BENCH_MAX_PRESETS];
    bench_preset shapes[BENCH_MAX_SHAPES]; /* --shape, and those of --route */
    uint32_t shape_count, repeat;          /* repeat 0: not given */
    /* What is swept. Where a list is empty: the best device; nothing masked; the preset's own tokens; k + 4; k; a band
     * that is chosen. */
    program_texts devices;
    program_counts masks, tokens, max_active, expected_active, experts, top_k;
    program_floats eps, group_eps;
    double seconds, error, memory;
    char **words; /* [word_count]: the command line, with FILE for the name of a file */
    uint32_t word_count;
} bench_options;

/* The most tokens of a layer's rows, and the fewest. */
uint32_t bench_most_tokens(const program_counts *tokens);
uint32_t bench_fewest_tokens(const program_counts *tokens);

/* Those of a layer's rows: of the command line, or its own. */
program_counts bench_tokens_of(const bench_options *options, const bench_preset *preset);
/* The caps of a layer's plans: of the command line, or k + 4, and k for hard routing only. */
program_counts bench_caps_of(const bench_options *options, const bench_preset *preset);
/* Whether a layer is measured with weights of a type. */
bool bench_takes_type(const bench_options *options, const bench_preset *preset, smoe_type type);

/* False where the program is to exit with *status: help is printed, or why the command line cannot be obeyed. */
bool bench_parse_options(int count, char **arguments, bench_options *options, int *status);
void bench_free_options(bench_options *options);

/* ---- system.c ---------------------------------------------------------------------------------------------------- */

/* The machine that a run is on. Nothing of it is private: no user, path or host name. */
typedef struct bench_system {
    char os[128], cpu[128]; /* empty: not known */
    uint32_t cpu_count;     /* 0: not known */
    double memory;          /* bytes; 0: not known */
} bench_system;

void bench_describe_system(bench_system *out);
double bench_physical_memory(void); /* bytes; 0: not known */
/* Now, in UTC: "2026-11-29T20:30:00Z". Gives `text`. */
#define BENCH_DATE_SIZE 32
const char *bench_date(char text[BENCH_DATE_SIZE]);

/* The device's clock in Hz, as the system tells it at this moment; 0: it does not. */
double bench_device_clock(const smoe_device_info *info);

/* ---- interrupt.c ------------------------------------------------------------------------------------------------- */

/* From now on Ctrl-C or a plain kill ends the measuring, not the program; a second one ends that too. */
void bench_watch_interrupt(void);
bool bench_is_interrupted(void);

/* ---- data.c ------------------------------------------------------------------------------------------------------ */

/* A preset's weights and inputs on the host: the same for every row and every run. */
typedef struct bench_data {
    float *block;          /* what the matrices and biases of experts are taken from */
    unsigned char *stored; /* matrices with scales, in place of those; NULL: there are none */
    float *router;         /* the other weights, one after another */
    float *x;
    smoe_host_weights weights;
} bench_data;

/* Whether a preset's weights are made as they lie in memory, and not of floats that the layer's creation rounds. */
bool bench_is_stored(smoe_type type, bool peer_data);
/* Bytes of the host's memory that its weights take. */
double bench_weights_bytes(const bench_preset *preset, smoe_type type, bool peer_data);
/* False when the host has no memory. type: only with scales it matters which. peer_data: only for layers of --shape. */
bool bench_data_create(const bench_preset *preset, smoe_type type, uint32_t tokens, bool peer_data, bench_data *data);
void bench_data_destroy(bench_data *data);

/* ---- stored.c ---------------------------------------------------------------------------------------------------- */

enum { BENCH_DISTINCT = 3 }; /* experts that differ, where their weights have scales */

/* Makes data->stored of the floats of data->weights, and puts it in their place. False when the host has no memory. */
bool bench_store(const bench_preset *preset, smoe_type type, bench_data *data);
double bench_stored_bytes(const bench_preset *preset, smoe_type type);

/* ---- blocks.c ---------------------------------------------------------------------------------------------------- */

/* Draws a matrix's elements and scales so that its weights are as large as 1 / sqrt(columns), about. Gives the factor
 * that belongs to them; 0 for a type without scales, and for E8M0 and E4M3 scales, whose types smoe rounds to. */
float bench_draw_blocks(const smoe_weights_rows *rows, uint32_t seed);

/* ---- statistics.c ------------------------------------------------------------------------------------------------ */

typedef struct bench_spread {
    double min, p10, median, p90, max;
} bench_spread;

/* Sorts values. Linear between the two nearest. */
bench_spread bench_spread_of(double *values, uint32_t count);

/* The median of the last nine tenths over that of the first tenth, for values in the order taken, which it loses: a
 * device that gets hot, or a machine that does something else by and by. 0: too few to tell. */
double bench_drift(double *values, uint32_t count);

/* Half the distance of the ranks a standard deviation of a binomial around the middle, over the median: the standard
 * error of the median of independent samples, whatever their distribution (H. A. David, H. N. Nagaraja, Order
 * Statistics, section 7.1). Sorts values. NaN: too few to tell. */
double bench_median_error(double *values, uint32_t count);

/* ---- measure.c --------------------------------------------------------------------------------------------------- */

enum { BENCH_HARD, BENCH_SMOOTH, BENCH_ROUTING_COUNT };
enum { BENCH_MAX_SAMPLES = 256 };

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
    /* Some of the times that bench_run_time is the median of, in the order taken, evenly spaced */
    uint32_t sample_count;
    double samples[BENCH_MAX_SAMPLES];
    double median_error; /* standard error of the median, over it; NaN: too few samples to tell */
    double drift;        /* the median of the last nine tenths over that of the first tenth; 0: too few to tell */
    double clock;        /* the device's, in Hz, behind the last of them; 0: the system does not tell */
    double flop, bytes;       /* of the whole layer: README.md says what is counted */
    /* Matrices of the experts that ran, the shared one's too: in memory, and in the format of files */
    double weights_bytes, file_bytes;
    double stage_flop[SMOE_STAGE_COUNT];
    double select_bytes;      /* of routing alone: route_select's own, the scores and the report; else 0 */
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
    bool route;                  /* only the routing is timed, with its report */
    uint32_t expected_active;    /* of the smooth run; 0: k */
    float eps, group_eps;        /* of the smooth run; NaN: chosen */
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

/* What a row is measured with. plain: with --totals or --mixed-precision the same layer without, to compare with; else
 * NULL. */
typedef struct bench_measuring {
    const bench_options *options;
    const bench_data *data;
    smoe_device_layer *layer, *plain;
    const smoe_device_info *info;
    uint32_t row_done, row_total; /* for the progress bar */
} bench_measuring;

/* Measures a row that its layer can run; an interrupted one is not to be used. */
smoe_result bench_measure_row(const bench_measuring *m, bench_row *row);

/* ---- file_formats.c ---------------------------------------------------------------------------------------------- */

typedef struct bench_file_format {
    const char *name;
    double bits; /* of a weight in it */
} bench_file_format;

/* The one that a type is made for: each has one. */
bench_file_format bench_file_format_of(smoe_type type);

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

/* Compares what a forward with these params gave for all of a row's tokens; the report has been counted. y: NULL for
 * routing alone. */
void bench_check_run(const bench_row *row, const bench_data *data, const smoe_forward_params *params, const float *y,
                     const uint32_t *report, bench_run *run);
uint32_t bench_count_wrong(const bench_result *result); /* runs of its rows */

/* ---- limits.c ---------------------------------------------------------------------------------------------------- */

/* Why a row cannot run on the device, decided before anything is allocated; false if it can. */
bool bench_is_unsupported(const smoe_device_info *info, const bench_options *options, const bench_preset *preset,
                          const smoe_plan_desc *plan, char reason[BENCH_REASON_SIZE]);

/* ---- results ----------------------------------------------------------------------------------------------------- */

/* What was measured on a device, with some capabilities masked. */
struct bench_result {
    smoe_device_info info;
    uint32_t mask;
    bench_peaks peaks;
    bench_row *rows;
    size_t row_count;
};

typedef struct bench_results {
    const bench_options *options;
    bench_system system;
    char date[BENCH_DATE_SIZE]; /* of the run's beginning */
    bench_result *devices;
    size_t device_count;
    bool finished; /* every row that was asked for is there */
} bench_results;

/* ---- table.c ----------------------------------------------------------------------------------------------------- */

const char *bench_commit(void); /* of the build, "" where it is not known */

void bench_print_device(FILE *out, const bench_result *result);
void bench_print_row(FILE *out, const bench_result *result, const bench_row *row);
/* titled: with the device's name above. */
void bench_print_summary(FILE *out, const bench_result *result, bool titled);

/* ---- format.c ---------------------------------------------------------------------------------------------------- */

/* What goes to the terminal: for people, or a row at a time for other programs. */
enum { BENCH_FORMAT_TABLE, BENCH_FORMAT_CSV, BENCH_FORMAT_MD, BENCH_FORMAT_JSONL };
extern const program_names bench_formats;

/* Before the first row of a device, of each row, and at the end; those of the chosen format. False: no host memory. */
bool bench_show_device(FILE *out, const bench_results *results, size_t device);
bool bench_show_row(FILE *out, const bench_results *results, size_t device, const bench_row *row);
void bench_show_end(FILE *out, const bench_results *results);

/* ---- json.c, write.c --------------------------------------------------------------------------------------------- */

/* One line for --format jsonl: what the document has beside its devices and rows; a device; a row. Freed by cJSON_free;
 * NULL where there is no memory. */
char *bench_json_head(const bench_results *results);
char *bench_json_device(const bench_results *results, size_t device);
char *bench_json_row(const bench_results *results, size_t device, const bench_row *row);

/* Both give false after printing why the file could not be written, and leave what was there. end: text behind the
 * data. */
bool bench_write_json(const char *path, const bench_results *results);
bool bench_write_file(const char *path, const void *data, size_t size, const char *end);

#endif
