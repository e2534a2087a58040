/* smoe-run: runs layer files or layers of checkpoints. What its files share. */
#ifndef SMOE_RUN_H
#define SMOE_RUN_H

#include <smoe/checkpoint.h>
#include <smoe/device.h>
#include <smoe/layer_file.h>

#include "program/options.h"

#define RUN_NONE UINT32_MAX /* no layer of a checkpoint */
#define RUN_MAX_LAYERS 256 /* of --layer */

typedef struct run_options {
    char **paths; /* [path_count], in the arguments: layer files, or checkpoints */
    uint32_t path_count, checkpoint_count /* path_count or 0 */, layer_count;
    uint32_t layers[RUN_MAX_LAYERS];       /* of each checkpoint */
    const char *device, *out, *write, *x;
    bool check, validate, mixed_precision, route_only;
    bool make_x;                         /* --tokens or --seed asks for it */
    int weights, activation;               /* smoe_type, smoe_activation; -1: the file's */
    uint32_t tokens, seed;
    uint32_t repeat, top_k, max_active, expected_active; /* 0: not given */
    smoe_forward_params params;            /* only its numbers; NaN: as the file has it */
    double calibrate;                      /* NaN: not given */
} run_options;

/* False where the program is to exit with *status: help is printed, or why the command line cannot be obeyed. Moves the
 * paths to the front, after the program's. */
bool run_parse_options(int count, char **arguments, run_options *options, int *status);

/* Where one layer lies. */
typedef struct run_source {
    const char *path;
    uint32_t layer; /* of a checkpoint; RUN_NONE: a layer file */
} run_source;

uint32_t run_source_count(const run_options *options);
run_source run_source_at(const run_options *options, uint32_t index);

/* Where --out and --write put what comes of a source: with several sources, NAME.ending.safetensors in the folder that
 * `given` names, NAME being the source's own. False, after printing why, if the path is too long. */
enum { RUN_PATH_SIZE = 4096 };
#define RUN_OUT_ENDING ".out"
#define RUN_WRITE_ENDING ".layer"
bool run_output_path(const run_options *options, const run_source *source, const char *given, const char *ending,
                     char path[RUN_PATH_SIZE]);
/* False, after printing why, where an output cannot be written, or would replace what is not to be lost. */
bool run_check_outputs(const run_options *options);

/* Everything about one layer's run. */
typedef struct run {
    const run_options *options;
    run_source source;
    smoe_log log;
    smoe_layer_file *file, *x_file;
    smoe_checkpoint_layer *checkpoint_layer;
    const char *format;  /* of the checkpoint */
    smoe_plan_desc plan; /* max_active resolved */
    smoe_matrix_types own_types; /* of the file; the plan's may be others */
    bool narrowed;               /* --weights rounds what the file has */
    smoe_forward_params params;
    smoe_host_weights weights;
    const float *x;
    const uint32_t *given_ids;  /* NULL: the router chooses */
    const float *given_weights; /* NULL: they follow from the logits */
    float *random_x; /* NULL unless x is made here */
    float *stand_in; /* --route-only: the experts' matrices; else NULL */
    uint32_t seed;   /* of random_x */
    smoe_device *device; /* the same for every run */
    smoe_device_layer *layer;
    double calibrated_extra; /* what the eps that --calibrate chose gives */
    float *y;                /* [T,D]; NULL with --route-only */
    uint32_t *report;        /* T records of report.h */
    smoe_totals totals;
    uint64_t *expert_tokens; /* [E] */
} run;

static inline const uint32_t *run_record(const run *r, uint32_t token)
{
    return r->report + (size_t)token * SMOE_REPORT_STRIDE(r->plan.max_active);
}

/* A float of a record. */
float run_word(uint32_t word);

/* A token's weights in its record as one row [E], 0 for experts that did not run. False for ids that are no experts. */
bool run_scatter_weights(const run *r, uint32_t token, double *row);

/* Prints "smoe-run: FILE: text". PROGRAM_REFUSED. */
int run_refuse(const run *r, const char *text);

/* The layer, its inputs and what the options change; all that can be refused before a device is opened. An exit
 * status. */
int run_load(run *r);

/* Puts the layer's experts out of the way: --route-only. An exit status. */
int run_replace_experts(run *r);

/* The expected results of a golden file (y: NULL with --route-only), as docs/layer-file.md names them. */
typedef struct run_expected {
    const double *logits, *weights, *gap, *eps, *y;
    const int32_t *order, *active, *ids;
    bool exact; /* the logits are exact in float32: no token is excused */
} run_expected;

/* False, with the reason printed, where the file has not all of them in the layer's shapes. */
bool run_find_expected(const run *r, run_expected *expected);

/* Compares and prints a line per quantity. PROGRAM_OK or PROGRAM_FAILED. */
int run_check(const run *r, const run_expected *expected);

/* Whether a change of each score by less than `change` could change the token's order, active or ids. scores: room for
 * [E]. */
bool run_is_ambiguous(const run *r, const double *logits, double *scores, double change);

/* The file's, where it has one, to a layer of its plan. */
smoe_result run_give_routing(const run *r, smoe_device_layer *layer);

void run_print_heading(const run *r); /* which of several layers it is */
void run_print_summary(const run *r);
int run_write_results(const run *r); /* --out */
int run_write_routing(const run *r); /* --out with --route-only */
int run_write_layer(const run *r);   /* --write */
int run_time(const run *r);
/* Where weights were narrowed: what that does to y, beside the file's own on the same device. A line. */
int run_show_rounding(run *r);

/* The exit status that a result means. What is not supported is so by the device or the system, except while the file
 * is read. */
int run_status(smoe_result result);

#endif
