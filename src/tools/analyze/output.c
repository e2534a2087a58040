/* Results: each is printed and becomes a part of the JSON document. */
#include "analyze.h"
#include "program/output.h"
#include "program/progress.h"
#include "program/text.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* cJSON has no memory: a NULL anywhere leaves something out, which json_failed notes. name NULL: to is an array. */
static cJSON *add(analyze *a, cJSON *to, const char *name, cJSON *value)
{
    if (!to || !value || !(name ? cJSON_AddItemToObject(to, name, value) : cJSON_AddItemToArray(to, value))) {
        cJSON_Delete(value);
        a->json_failed = true;
        return NULL;
    }
    return value;
}

static cJSON *add_number(analyze *a, cJSON *to, const char *name, double value)
{
    return add(a, to, name, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

static cJSON *add_text(analyze *a, cJSON *to, const char *name, const char *text)
{
    return add(a, to, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static cJSON *add_numbers(analyze *a, cJSON *to, const char *name, const double *values, size_t count)
{
    cJSON *array = add(a, to, name, cJSON_CreateArray());
    for (size_t i = 0; i < count; i++)
        add_number(a, array, NULL, values[i]);
    return array;
}

static void add_option(analyze *a, cJSON *options, const program_option *option)
{
    const char *name = option->name + strlen("--");
    const void *value = (const char *)&a->options + option->offset;
    switch (option->kind) {
    case PROGRAM_KIND_FLAG: add(a, options, name, cJSON_CreateBool(*(const bool *)value)); break;
    case PROGRAM_KIND_COUNT: add_number(a, options, name, *(const uint32_t *)value); break;
    case PROGRAM_KIND_LARGE: add_number(a, options, name, (double)*(const uint64_t *)value); break;
    case PROGRAM_KIND_NUMBER: add_number(a, options, name, *(const double *)value); break;
    default: add_text(a, options, name, program_value(&a->line, option->name)); break;
    }
}

static void add_options(analyze *a)
{
    cJSON *options = cJSON_GetObjectItem(a->json, "options");
    const program_option *option;
    for (size_t i = 0; (option = program_option_at(&a->program, i)) != NULL; i++)
        if (strcmp(option->name, "--json") != 0 && strcmp(option->name, "--progress") != 0)
            add_option(a, options, option);
}

void analyze_json_begin(analyze *a)
{
    static const char *const parts[] = {"options", "tables", "fits", "comparisons", "values", "texts", "arrays"};
    const smoe_device_info *info = a->info;
    char version[32];

    a->json = cJSON_CreateObject();
    snprintf(version, sizeof version, "%d.%d.%d", SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH);
    add_text(a, a->json, "version", version);
    add_text(a, a->json, "command", a->command->name);
    add_text(a, a->json, "file", a->file);
    cJSON *device = add(a, a->json, "device", cJSON_CreateObject());
    add_text(a, device, "name", info->name);
    add_text(a, device, "driver", info->driver_name);
    add_text(a, device, "driver_info", info->driver_info);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        add(a, a->json, parts[i], cJSON_CreateObject());
    add(a, a->json, "notes", cJSON_CreateArray());
    add_options(a);
}

bool analyze_json_write(analyze *a, const char *path)
{
    program_output output;
    char *text = a->json_failed ? NULL : cJSON_Print(a->json);
    if (!text)
        return analyze_fail("%s: no host memory for the document", path) == PROGRAM_OK;
    const bool written = program_output_open(&output, path) &&
                         (fprintf(output.stream, "%s\n", text), program_output_close(&output, true));
    cJSON_free(text);
    if (!written)
        analyze_fail("%s", output.reason);
    return written;
}

void analyze_json_end(analyze *a)
{
    cJSON_Delete(a->json);
    a->json = NULL;
}

/* A part of the document, for something to put. */
static cJSON *part(analyze *a, const char *name)
{
    program_progress_clear(); /* out of the way */
    if (!a->headed)
        fprintf(a->out, "smoe-analyze %s, seed %.0f, on %s\n", a->command->name, (double)a->options.seed,
                a->info->name);
    a->headed = true;
    return cJSON_GetObjectItem(a->json, name);
}

int analyze_fail(const char *format, ...)
{
    char line[PROGRAM_REASON_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    program_say("smoe-analyze", "%s", line);
    return PROGRAM_FAILED;
}

int analyze_fail_result(analyze *a, smoe_result result)
{
    analyze_fail("%s%s%s", smoe_result_text(result), a->error[0] ? ": " : "", a->error);
    return result == SMOE_ERROR_INVALID_ARGUMENT || result == SMOE_ERROR_FILE ? PROGRAM_REFUSED : PROGRAM_FAILED;
}

/* Whole numbers in full, so that counts can be compared; else six digits. Gives `text`. */
static const char *format_number(char text[32], double value)
{
    if (!isfinite(value))
        snprintf(text, 32, "-");
    else if (fabs(value) < 1e15 && floor(value) >= value)
        snprintf(text, 32, "%.0f", value);
    else
        snprintf(text, 32, "%.6g", value);
    return text;
}

void analyze_put_table(analyze *a, const char *name, const char *title, const analyze_column *columns,
                       size_t column_count, size_t row_count)
{
    cJSON *table = add(a, part(a, "tables"), name, cJSON_CreateObject());
    char text[32];

    fprintf(a->out, "\n%s\n", title);
    for (size_t i = 0; i < column_count; i++) {
        add_numbers(a, table, columns[i].name, columns[i].values, row_count);
        fprintf(a->out, "  %14s", columns[i].name);
    }
    fprintf(a->out, "\n");
    for (size_t row = 0; row < row_count; row++) {
        for (size_t i = 0; i < column_count; i++)
            fprintf(a->out, "  %14s", format_number(text, columns[i].values[row]));
        fprintf(a->out, "\n");
    }
}

void analyze_put_value(analyze *a, const char *name, double value, const char *about)
{
    char text[32];
    add_number(a, part(a, "values"), name, value);
    if (about)
        fprintf(a->out, "%s: %s\n", about, format_number(text, value));
}

/* It may be a file's name, or have one in it. */
static void print_line(FILE *out, const char *text)
{
    program_print(out, text);
    fputc('\n', out);
}

void analyze_put_text(analyze *a, const char *name, const char *text, const char *about)
{
    add_text(a, part(a, "texts"), name, text);
    if (!about)
        return;
    fprintf(a->out, "%s: ", about);
    print_line(a->out, text);
}

void analyze_put_array(analyze *a, const char *name, const double *values, size_t count)
{
    add_numbers(a, part(a, "arrays"), name, values, count);
}

void analyze_put_note(analyze *a, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add_text(a, part(a, "notes"), NULL, text);
    print_line(a->out, text);
}

static void print_error(FILE *out, double error)
{
    if (isfinite(error))
        fprintf(out, " +- %.2g", error);
}

static void print_predicted(FILE *out, double measured, double error, double predicted)
{
    if (!isfinite(predicted))
        return;
    fprintf(out, ", theory %.6g", predicted);
    if (isfinite(measured) && isfinite(error) && error > 0)
        fprintf(out, " (%+.1f standard errors off)", (measured - predicted) / error);
}

void analyze_put_fit(analyze *a, const char *name, const char *about, const analyze_fit *fit, double predicted)
{
    cJSON *object = add(a, part(a, "fits"), name, cJSON_CreateObject());

    add_number(a, object, "slope", fit->slope);
    add_number(a, object, "slope_error", fit->slope_error);
    add_number(a, object, "predicted", predicted);
    add_number(a, object, "intercept", fit->intercept);
    add_number(a, object, "intercept_error", fit->intercept_error);
    add_number(a, object, "curvature", fit->curvature);
    add_number(a, object, "curvature_error", fit->curvature_error);
    add_number(a, object, "chi_square", fit->chi_square);
    add_number(a, object, "points", (double)fit->count);
    add_number(a, object, "from", fit->from);
    add_number(a, object, "to", fit->to);
    if (!isfinite(fit->slope)) {
        fprintf(a->out, "%s: too little counted for a fit\n", about);
        return;
    }
    fprintf(a->out, "%s: slope %.5g", about, fit->slope);
    print_error(a->out, fit->slope_error);
    print_predicted(a->out, fit->slope, fit->slope_error, predicted);
    fprintf(a->out, "; %zu points from %.3g to %.3g", fit->count, fit->from, fit->to);
    if (isfinite(fit->chi_square))
        fprintf(a->out, ", chi square %.3g", fit->chi_square);
    fprintf(a->out, "\n");
}

void analyze_put_comparison(analyze *a, const char *name, const char *about, double measured, double error,
                            double predicted)
{
    cJSON *object = add(a, part(a, "comparisons"), name, cJSON_CreateObject());
    char text[32];

    add_number(a, object, "measured", measured);
    add_number(a, object, "error", error);
    add_number(a, object, "predicted", predicted);
    fprintf(a->out, "%s: %s", about, format_number(text, measured));
    print_error(a->out, error);
    print_predicted(a->out, measured, error, predicted);
    fprintf(a->out, "\n");
}
