/* smoe-run: runs a layer file or a checkpoint's layer. What its files share. */
#ifndef SMOE_RUN_H
#define SMOE_RUN_H

#include <smoe/checkpoint.h>
#include <smoe/device.h>
#include <smoe/layer_file.h>

/* Exit statuses. */
enum { RUN_OK = 0, RUN_FAILED = 1 /* the check, validation or the device */, RUN_REFUSED = 2 /* the command line or the file */ };

#define RUN_NONE UINT32_MAX /* a count that was not given */

typedef struct run_options {
    const char *file, *checkpoint, *device, *out, *write, *x;
    const char *changed; /* an option that changes the layer's results, NULL if none was given */
    bool check, validate, help, has_weights, has_activation, mixed_precision;
    smoe_type weights;
    smoe_activation activation;
    uint32_t layer, tokens, seed, repeat, top_k, max_active; /* RUN_NONE: not given */
    double eps, group_eps, a, b, temperature, tie_tolerance, scale; /* NaN: as the file has it */
    double calibrate; /* NaN: not given */
} run_options;

/* False, with the reason printed, for a command line that cannot be obeyed. */
bool run_parse_options(int count, char **arguments, run_options *options);
void run_print_help(void);

/* Everything about one run. */
typedef struct run {
    run_options options;
    smoe_log log;
    smoe_layer_file *file, *x_file;
    smoe_checkpoint_layer *checkpoint_layer;
    const char *format;  /* of the checkpoint */
    smoe_plan_desc plan; /* max_active resolved */
    smoe_forward_params params;
    smoe_host_weights weights;
    const float *x;
    float *random_x; /* NULL unless x is made here */
    smoe_device *device;
    smoe_device_layer *layer;
    double calibrated_extra; /* what the eps that --calibrate chose gives */
    float *y;                /* [T,D] */
    uint32_t *report;        /* T records of report.h */
    smoe_totals totals;
    uint64_t *expert_tokens; /* [E] */
} run;

static inline const uint32_t *run_record(const run *r, uint32_t token)
{
    return r->report + (size_t)token * SMOE_REPORT_STRIDE(r->plan.max_active);
}

/* The name of the file or the checkpoint, for messages. */
static inline const char *run_source(const run *r)
{
    return r->options.checkpoint ? r->options.checkpoint : r->options.file;
}

/* Prints "smoe-run: FILE: text". RUN_REFUSED. */
int run_refuse(const run *r, const char *text);

/* The layer, its inputs and what the options change; all that can be refused before a device is opened. An exit status. */
int run_load(run *r);

/* The expected results of a golden file, as README.md, "The layer file", names them. */
typedef struct run_expected {
    const double *logits, *weights, *gap, *eps, *y;
    const int32_t *order, *active, *ids;
    bool exact; /* the logits are exact in float32: no token is excused */
} run_expected;

/* False, with the reason printed, where the file has not all of them in the layer's shapes. */
bool run_find_expected(const run *r, run_expected *expected);

/* Compares and prints a line per quantity. RUN_OK or RUN_FAILED. */
int run_check(const run *r, const run_expected *expected);

/* Whether a change of each score by less than `change` could change the token's order, active or ids. scores: room for [E]. */
bool run_is_ambiguous(const run *r, const double *logits, double *scores, double change);

const char *run_activation_name(smoe_activation activation);
bool run_find_activation(const char *name, smoe_activation *out);
const char *run_type_name(smoe_type type); /* "f32", "f16", "bf16" */

void run_print_summary(const run *r);
int run_write_results(const run *r); /* --out */
int run_write_layer(const run *r);   /* --write */
int run_time(const run *r);

/* The exit status that a result means. What is not supported is so by the device or the system, except while the file is read. */
int run_status(smoe_result result);

#endif
