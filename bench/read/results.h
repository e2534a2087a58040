/* Reads documents of results, format 1, as smoe-bench writes them (README.md): for all that compares or shows them. A
 * document may be anything: what is not as it should be is refused, and nothing else is believed of what is read. */
#ifndef BENCH_READ_RESULTS_H
#define BENCH_READ_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program/output.h"

#define RESULTS_LARGEST 1e30 /* of numbers */
#define RESULTS_DRIFT 0.05   /* a run that drifts by more is said aloud */

enum {
    RESULTS_FORMAT = 1, /* counts up where a member gets another meaning or goes */
    RESULTS_MAX_BYTES = 32 << 20, /* cJSON takes up to 32 bytes of memory for each */
    RESULTS_MAX_TEXT = 1024,      /* bytes of a text */
    RESULTS_MAX_DEVICES = 64,
    RESULTS_MAX_PEAKS = 256,
    RESULTS_MAX_TEXTS = 256, /* of a list */
    RESULTS_MAX_ROWS = 1 << 16,
    RESULTS_MAX_STAGES = 64,
    RESULTS_MAX_SAMPLES = 256,
    RESULTS_RULE_SIZE = 512,
    RESULTS_REASON_SIZE = PROGRAM_REASON_SIZE + RESULTS_RULE_SIZE
};

/* Everywhere below: a text that is not there is "" (never NULL), a number NaN, a count 0, a flag false. Texts are UTF-8
 * without control characters, and "|" and "<" are legal in them. Numbers are 0 .. 1e30. */

typedef struct results_texts {
    const char *const *texts; /* [count] */
    size_t count;
} results_texts;

typedef struct results_program {
    const char *name, *version; /* always there */
    const char *commit, *compiler, *mode, *shader_tools;
} results_program;

typedef struct results_session {
    const char *date;
    results_texts command_line;
    bool finished; /* false: the run was cut off, and rows are missing */
} results_session;

typedef struct results_system {
    const char *os, *cpu;
    uint32_t cpu_count;
    double memory_bytes;
} results_system;

typedef struct results_peak {
    const char *name, *unit; /* always there: "fma_float32", "flop/s" */
    double value;            /* NaN: not_measured says why */
    uint32_t best_of;
    const char *not_measured;
} results_peak;

typedef struct results_device {
    const char *name, *driver; /* always there */
    const char *driver_info;
    uint32_t driver_version, vendor_id, device_id, api_version, type, subgroup_size;
    double memory_size;
    bool timestamps;
    results_texts capabilities, masked, quirks;
    results_peak *peaks; /* [peak_count] */
    size_t peak_count;
} results_device;

/* Nanoseconds, rising. All NaN where it is not there. */
typedef struct results_spread {
    double min, p10, median, p90, max;
} results_spread;

typedef struct results_stage {
    const char *name;
    results_spread ns; /* always there */
    double flop, flop_per_second, share_of_peak;
    const char *peak; /* whose share it is */
} results_stage;

/* y against the reference, on some of the row's tokens. */
typedef struct results_check {
    uint32_t tokens;
    const char *wrong; /* what differed first */
    double largest_difference, allowed;
    bool good;
} results_check;

/* One way of routing in a row. */
typedef struct results_run {
    bool there;              /* false: the row has no such run */
    const char *unsupported; /* "": the rest holds */
    double eps, group_eps, expected_active, active_total, active_mean, active_experts, forwards;
    double flop, bytes, flop_per_second, bytes_per_second, share_of_operations, share_of_bytes, ns_per_token;
    /* Of the experts' matrices: in memory, and in the format of files; a forward's time over the latter */
    double weights_bytes, file_bytes, ns_per_file_byte;
    double median_error, drift, clock_hz;
    results_spread device_ns, host_ns;
    double *samples_ns; /* [sample_count], one at least, in the order taken; of device_ns where that is there */
    size_t sample_count;
    bool has_check;
    results_check check;
    results_stage *stages; /* [stage_count]: of devices with timestamps */
    size_t stage_count;
} results_run;

/* The kernel of a stage, as the row's hard run has it. */
typedef struct results_kernel {
    const char *stage, *name;
    uint32_t workgroup_size, tile_rows, tile_columns, tile_depth;
} results_kernel;

typedef enum results_kind { RESULTS_LAYER, RESULTS_ROUTE } results_kind;

enum { RESULTS_HARD, RESULTS_SMOOTH, RESULTS_ROUTING_COUNT };
extern const char *const results_routing_names[RESULTS_ROUTING_COUNT]; /* "hard", "smooth" */

/* The shape of a layer, of which a row of routing has experts and top_k. */
typedef struct results_shape {
    uint32_t d_model, d_hidden, experts, top_k, max_active, projection_width, groups, top_groups, balanced_groups,
        shared_hidden;
    const char *router, *gate, *group_score, *activation;
    bool router_bias, selection_bias, expert_scale, shared_gate, gated, renormalize, biases;
    /* the numbers of smoe_plan_number_get; those that are not there are NaN */
    double gate_max, up_limit, gate_limit_after, gate_alpha, up_offset, renormalize_floor, renormalize_add,
        shared_gate_max, shared_up_limit, shared_gate_limit_after;
    double given_eps, given_group_eps, given_expected_active; /* of a sweep's smooth runs */
} results_shape;

typedef struct results_row {
    uint32_t device; /* its place in the document's */
    results_kind kind;
    const char *layer;   /* may be "" for routing alone */
    results_shape shape;
    uint32_t tokens;
    const char *weights; /* likewise */
    const char *file_format;   /* of those weights: "Q4_0" */
    double file_bits;          /* of a weight in it */
    uint32_t experts_cut_from; /* what the published layer has more of; 0: it is whole */
    bool mixed_precision;
    const char *unsupported; /* "": the rest holds, and it has one run at least */
    double plan_first_ns, plan_again_ns;
    double smooth_over_hard_time, smooth_over_hard_experts, totals_over_none_time, mixed_over_float32_time;
    results_kernel *kernels; /* [kernel_count] */
    size_t kernel_count;
    results_run runs[RESULTS_ROUTING_COUNT];
} results_row;

typedef struct results_document {
    const char *path; /* as it was given */
    results_program program;
    results_session session;
    results_system system;
    results_device *devices; /* [device_count], one at least where there are rows */
    size_t device_count;
    results_row *rows; /* [row_count], in the document's order */
    size_t row_count;
    struct cJSON *texts;           /* what texts point into */
    struct results_memory *memory; /* what arrays lie in */
} results_document;

/* Reads a document. False with a line that names the file and the rule that it breaks, "FILE: rows[3].hard.samples_ns:
 * must be a list"; then there is nothing to release. path is kept. */
bool results_read(const char *path, results_document *out, char reason[RESULTS_REASON_SIZE]);

/* The same of bytes in memory, which are not kept; name is what stands for the file. */
bool results_parse(const char *name, const char *text, size_t size, results_document *out,
                   char reason[RESULTS_REASON_SIZE]);

void results_release(results_document *document);

/* Median device time where there is one, else median host time, else that of the samples; nanoseconds, 0 for a device
 * that measures nothing shorter. */
double results_run_time(const results_run *run);

/* Below, at or above 0: an order of shapes; 0 where they are the same. */
int results_compare_shapes(const results_shape *a, const results_shape *b);

/* What is more than a linear router with softmax gates: "sigmoid, 4 of 8 groups, shared 512"; "" if nothing is. Gives
 * `text`, cut where it is longer. */
enum { RESULTS_ROUTING_SIZE = 96 };
const char *results_describe_routing(const results_shape *shape, char text[RESULTS_ROUTING_SIZE]);

/* Sorts values; linear between the two nearest. count at least 1. */
double results_median(double *values, size_t count);

#endif
