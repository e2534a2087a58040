/* smoe-run: runs a layer file. What its files share. */
#ifndef SMOE_RUN_H
#define SMOE_RUN_H

#include <smoe/device.h>
#include <smoe/layer_file.h>

/* Exit statuses. */
enum { RUN_OK = 0, RUN_FAILED = 1 /* the check, validation or the device */, RUN_REFUSED = 2 /* the command line or the file */ };

typedef struct run_options {
    const char *file, *device, *out;
    const char *changed; /* an option that changes the layer's results, NULL if none was given */
    bool check, validate, help, has_weights;
    smoe_type weights;
    uint32_t repeat, top_k, max_active; /* 0: as the file has it */
    double eps, a, b, temperature, tie_tolerance, scale; /* NaN: as the file has it */
} run_options;

/* False, with the reason printed, for a command line that cannot be obeyed. */
bool run_parse_options(int count, char **arguments, run_options *options);
void run_print_help(void);

/* Everything about one run. */
typedef struct run {
    run_options options;
    smoe_log log;
    smoe_layer_file *file;
    smoe_plan_desc plan; /* max_active resolved */
    smoe_forward_params params;
    smoe_host_weights weights;
    const float *x;
    smoe_device *device;
    smoe_device_layer *layer;
    float *y;         /* [T,D] */
    uint32_t *report; /* T records of report.h */
} run;

static inline const uint32_t *run_record(const run *r, uint32_t token)
{
    return r->report + (size_t)token * SMOE_REPORT_STRIDE(r->plan.max_active);
}

/* The expected results of a golden file, as layer-file.md in README.md names them. */
typedef struct run_expected {
    const double *logits, *weights, *gap, *eps, *y;
    const int32_t *order, *active, *ids;
    bool exact; /* the logits are exact in float32: no token is excused */
} run_expected;

/* False, with the reason printed, where the file has not all of them in the layer's shapes. */
bool run_find_expected(const run *r, run_expected *expected);

/* Compares and prints a line per quantity. RUN_OK or RUN_FAILED. */
int run_check(const run *r, const run_expected *expected);

/* Whether a change of each score by less than `change` could change the token's order, active or ids. scores[E] is sorted,
 * largest first. */
bool run_is_ambiguous(const run *r, const double *scores, double change);

void run_print_summary(const run *r);
int run_write(const run *r);
int run_time(const run *r);

/* The exit status that a result means. What is not supported is so by the device or the system, except while the file is read. */
int run_status(smoe_result result);

#endif
