/* smoe-analyze: what theory predicts of routers, measured on a device. What its files share.
 *
 * A subcommand is an analyze_command in a file of its own: a table of its options, and a function that computes, calls
 * the put functions below, and gives an exit status. Each put prints for the reader and adds the same to the JSON
 * document, which main writes when the subcommand has succeeded. */
#ifndef SMOE_ANALYZE_H
#define SMOE_ANALYZE_H

#include <smoe/device.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "program/options.h"

struct cJSON;

typedef struct analyze analyze;

/* ---- subcommands and their options ------------------------------------------------------------------------------- */

/* What the options of every subcommand and of the chosen one say. Those of the others stay 0. */
typedef struct analyze_options {
    const char *device, *json, *counter, *key;
    bool progress, validate, gaussian;
    int boundary;
    uint64_t seed, samples;
    uint32_t blocks, experts, groups, hidden, k, levels, repeats, steps, tau_count, tokens, top_groups, width;
    double bias, budget, eps, eps_from, eps_to, fit_to, gap_to, group_eps, horizon, norm, offset, radius, reach, sigma,
        tau_max, time, width_factor;
} analyze_options;

#define ANALYZE_SAMPLES(about, fallback_) \
    {"--samples", "N", about, PROGRAM_LARGE(analyze_options, samples, 1, 1e15), .fallback = fallback_}

typedef enum analyze_file { ANALYZE_NO_FILE, ANALYZE_FILE_OPTIONAL, ANALYZE_FILE_NEEDED } analyze_file;

typedef struct analyze_command {
    const char *name, *about; /* about: one line */
    int (*run)(analyze *a);   /* gives the exit status; a->device is open */
    program_table options;    /* beside those that every subcommand has */
    analyze_file file;        /* whether a file stands on the command line */
} analyze_command;

extern const analyze_command analyze_volume, analyze_paths, analyze_occupation, analyze_boundary_mass,
    analyze_soft_to_hard, analyze_continuity, analyze_cost, analyze_philox;

/* Reads the command line. False where the program is to exit with *status: help is printed, or why the line cannot be
 * obeyed. */
bool analyze_parse_options(analyze *a, int count, char **arguments, int *status);

/* Prints "smoe-analyze: WHAT: RULE" on stderr; with ", is "VALUE"" behind it for an option's value. PROGRAM_REFUSED. */
int analyze_refuse(const char *what, const char *rule);
int analyze_refuse_option(const analyze *a, const char *name, const char *rule);

/* ---- one run ----------------------------------------------------------------------------------------------------- */

enum { ANALYZE_ERROR_SIZE = 512 };

struct analyze {
    const analyze_command *command;
    program_desc program;  /* of the subcommand */
    program_line line;
    analyze_options options;
    const char *file;      /* from the command line, NULL if there is none */
    smoe_log log;          /* for calls of the libraries; keeps the last error line in `error` */
    char error[ANALYZE_ERROR_SIZE];
    bool print_log;
    smoe_device *device;
    const smoe_device_info *info;
    FILE *out;             /* the tables: stdout; stderr where the JSON goes to stdout */
    struct cJSON *json;    /* the document */
    bool json_failed;      /* no memory for a part of it */
    bool headed;           /* the first line is printed: not before there is a result, so that a refusal stands alone */
    double work_done, work_total; /* of the simulations, for the progress bar */
};

/* Prints the text, a printf format, as a line on stderr. PROGRAM_FAILED. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
int analyze_fail(const char *format, ...);

/* Prints what a library call's result means and its log line. PROGRAM_FAILED, or PROGRAM_REFUSED for a result that only
 * a file or an argument from the command line brings about. */
int analyze_fail_result(analyze *a, smoe_result result);

/* The JSON document, for main. begin: after a->info is known. write: false, with the reason printed, if it cannot be
 * written. */
void analyze_json_begin(analyze *a);
bool analyze_json_write(analyze *a, const char *path);
void analyze_json_end(analyze *a);

/* ---- results ----------------------------------------------------------------------------------------------------- */

typedef struct analyze_column {
    const char *name; /* in JSON the key; in print the heading */
    const double *values;
} analyze_column;

/* A table: prints it under the title, and adds tables.NAME = {column: [values], ...}. NaN and infinities: "-" and
 * null. */
void analyze_put_table(analyze *a, const char *name, const char *title, const analyze_column *columns,
                       size_t column_count, size_t row_count);

/* A number of its own: prints "about: value", adds values.NAME. about NULL: only in JSON. */
void analyze_put_value(analyze *a, const char *name, double value, const char *about);

/* A text: prints "about: text", adds texts.NAME. about NULL: only in JSON. */
void analyze_put_text(analyze *a, const char *name, const char *text, const char *about);

/* An array of numbers, [count], only in JSON: arrays.NAME. */
void analyze_put_array(analyze *a, const char *name, const double *values, size_t count);

/* A line for the reader, also in JSON's notes. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void analyze_put_note(analyze *a, const char *format, ...);

/* A straight line through points: y = intercept + slope x. */
typedef struct analyze_fit {
    double slope, slope_error;         /* standard error */
    double intercept, intercept_error;
    double chi_square;                 /* sum of ((y - line) / error)^2; with errors of the points not known: NaN */
    size_t count;                      /* points used */
    double from, to;                   /* of x as given: the range used */
    double curvature, curvature_error; /* of analyze_fit_counts; NaN elsewhere */
} analyze_fit;

/* Least squares. errors: standard errors of y, independent of one another; NULL where not known: then all weigh the
 * same, and the fit's errors come from the residuals. Points with a y or x that is not finite, or an error that is not
 * above 0, are left out. False, and all NaN, where fewer than 2 (with errors) or 3 points or no spread of x are
 * left. */
bool analyze_fit_line(const double *x, const double *y, const double *errors, size_t count, analyze_fit *fit);

/* The same of ln y on ln x: slope is the power. errors are those of y itself. Points with x or y not above 0 are left
 * out. */
bool analyze_fit_power(const double *x, const double *y, const double *errors, size_t count, analyze_fit *fit);

/* The power n of a distribution function P(w <= x) = A x^n (1 + B x + C x^2 + ...) near 0, from a histogram: counts[i]
 * of w between edges[i] and edges[i + 1], count bins, edges log-spaced. Maximum likelihood of independent Poisson
 * counts with mean exp(a + n ln x + b x + c x^2) at each bin's upper edge x, which for log-spaced edges has the same n;
 * bins with few counts or none are no trouble. corrections: how many of the terms b x, c x^2 there are. A bin from 0 is
 * left out. slope is n, curvature b, chi_square Pearson's. False, and all NaN, without enough counts. */
bool analyze_fit_counts(const double *edges, const double *counts, size_t count, int corrections, analyze_fit *fit);

/* Prints "about: slope S +- E, theory P (Z standard errors off), N points from A to B" and adds fits.NAME. predicted:
 * NaN for none. */
void analyze_put_fit(analyze *a, const char *name, const char *about, const analyze_fit *fit, double predicted);

/* A measured number with its standard error beside what theory predicts: prints a line, adds comparisons.NAME. error:
 * NaN if unknown. */
void analyze_put_comparison(analyze *a, const char *name, const char *about, double measured, double error,
                            double predicted);

/* ---- random numbers on the host ---------------------------------------------------------------------------------- */

/* Philox4x32-10 (Salmon et al., SC 2011), as philox.glsl has it: the same numbers on host and device. */
void analyze_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Normals N(0,1) and uniforms in (0,1) by the run's seed. stream: a number of your own, so that two arrays of a run
 * differ; the device's simulations use streams below 256, take others. */
void analyze_draw_normals(const analyze *a, uint32_t stream, float *out, size_t count);
void analyze_draw_uniforms(const analyze *a, uint32_t stream, float *out, size_t count);

#endif
