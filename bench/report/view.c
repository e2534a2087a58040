/* The documents as rows, numbered over the page, and what bounds each. */
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <smoe/smoe.h>

#include "program/order.h"

const char *const report_limit_names[REPORT_LIMITS] = {"bytes", "operations", "dispatches"};

/* ---- devices ----------------------------------------------------------------------------------------------------- */

/* "A" to "Z", then "AA". */
static void set_letter(char letter[8], size_t index)
{
    char reversed[7];
    size_t count = 0;
    for (size_t rest = index + 1; rest > 0 && count < sizeof reversed; rest = (rest - 1) / 26)
        reversed[count++] = (char)('A' + (rest - 1) % 26);
    for (size_t i = 0; i < count; i++)
        letter[i] = reversed[count - 1 - i];
    letter[count] = '\0';
}

double report_peak(const results_device *device, const char *name)
{
    for (size_t i = 0; i < device->peak_count; i++)
        if (strcmp(device->peaks[i].name, name) == 0)
            return device->peaks[i].value;
    return NAN;
}

static void set_peaks(report_series *series)
{
    static const char *const transfers[] = {"copy_command", "copy_kernel", "read"};
    const results_device *device = series->device;
    series->flop_peak = report_peak(device, "fma_float32");
    series->dispatch = report_peak(device, "empty_dispatch");
    series->barrier = report_peak(device, "barrier");
    series->best_flop_peak = series->byte_peak = NAN;
    series->best_flop_name = series->byte_name = "";
    for (size_t i = 0; i < sizeof transfers / sizeof *transfers; i++) {
        const double value = report_peak(device, transfers[i]);
        if (report_known(value) && !(series->byte_peak >= value)) {
            series->byte_peak = value;
            series->byte_name = transfers[i];
        }
    }
    for (size_t i = 0; i < device->peak_count; i++) {
        const results_peak *peak = &device->peaks[i];
        if (strcmp(peak->unit, "flop/s") == 0 && report_known(peak->value) &&
            !(series->best_flop_peak >= peak->value)) {
            series->best_flop_peak = peak->value;
            series->best_flop_name = peak->name;
        }
    }
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

bool report_measured(const report_row *row, int routing)
{
    const results_run *run = &row->data->runs[routing];
    return !row->data->unsupported[0] && run->there && !run->unsupported[0] && report_known(results_run_time(run));
}

bool report_ran(const report_row *row, int routing)
{
    return row->layer >= 0 && report_measured(row, routing);
}

const results_spread *report_spread(const results_run *run)
{
    return run->device_ns.median > 0 ? &run->device_ns : &run->host_ns;
}

/* As many empty dispatches as the row has stages, and the barriers between them. */
static double time_of_dispatches(const report_row *row)
{
    const double count = (double)row->data->kernel_count;
    return count > 0 ? count * row->series->dispatch + (count - 1) * row->series->barrier : NAN;
}

static void set_shares(report_row *row, int routing)
{
    const results_run *run = &row->data->runs[routing];
    double *share = row->share[routing];
    for (int i = 0; i < REPORT_LIMITS; i++)
        share[i] = NAN;
    if (!report_ran(row, routing))
        return;
    share[REPORT_BYTES] = run->share_of_bytes;
    share[REPORT_OPERATIONS] = run->share_of_operations;
    share[REPORT_DISPATCHES] = time_of_dispatches(row) / results_run_time(run);
}

int report_largest_limit(const report_row *row, int routing)
{
    const double *share = row->share[routing];
    int largest = -1;
    for (int i = 0; i < REPORT_LIMITS; i++)
        if (isfinite(share[i]) && (largest < 0 || share[i] > share[largest]))
            largest = i;
    return largest;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int find_layer(report_view *view, const char *name)
{
    for (int i = 0; i < view->layer_count; i++)
        if (strcmp(view->layers[i], name) == 0)
            return i;
    view->layers[view->layer_count] = name;
    return view->layer_count++;
}

static void add_row(report_view *view, const report_series *first, const results_row *data)
{
    report_row *row = &view->rows[view->row_count++];
    row->data = data;
    row->series = &first[data->device];
    row->number = (uint32_t)view->row_count; /* for now: rows of the same device and layer keep their order */
    row->layer = data->kind == RESULTS_LAYER ? find_layer(view, data->layer) : -1;
    for (int i = 0; i < RESULTS_ROUTING_COUNT; i++)
        set_shares(row, i);
}

static void add_document(report_view *view, const results_document *document)
{
    const report_series *first = &view->series[view->series_count];
    for (size_t i = 0; i < document->device_count; i++) {
        report_series *series = &view->series[view->series_count];
        set_letter(series->letter, view->series_count);
        series->colour = (int)(view->series_count++ % REPORT_MARKS);
        series->document = document;
        series->device = &document->devices[i];
        set_peaks(series);
    }
    for (size_t i = 0; i < document->row_count; i++)
        add_row(view, first, &document->rows[i]);
}

/* Devices, of each its layers, then routing alone. */
static int compare_rows(const void *left, const void *right)
{
    const report_row *a = left, *b = right;
    if (a->series != b->series)
        return a->series < b->series ? -1 : 1;
    if (a->layer != b->layer)
        return (unsigned)a->layer < (unsigned)b->layer ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int compare_work_of(const void *left, const void *right)
{
    const report_row *a = *(const report_row *const *)left, *b = *(const report_row *const *)right;
    const int work = report_compare_work(a, b);
    return work ? work : a->number < b->number ? -1 : a->number > b->number;
}

/* What the rows of a layer differ in besides tokens and weights; by_work has them one after another. */
static void find_differences(report_view *view)
{
    for (size_t i = 0, next; i < view->row_count; i = next) {
        const results_shape *first = &view->by_work[i]->data->shape;
        bool shapes = false, caps = false;
        for (next = i; next < view->row_count && view->by_work[next]->layer == view->by_work[i]->layer; next++) {
            const results_shape *shape = &view->by_work[next]->data->shape;
            shapes = shapes || shape->d_model != first->d_model || shape->d_hidden != first->d_hidden ||
                     shape->experts != first->experts || shape->top_k != first->top_k;
            caps = caps || shape->max_active != first->max_active;
        }
        for (size_t j = i; j < next; j++) {
            report_row *row = &view->rows[view->by_work[j] - view->rows];
            row->shapes = shapes;
            row->caps = caps;
        }
    }
}

static void order_rows(report_view *view)
{
    qsort(view->rows, view->row_count, sizeof *view->rows, compare_rows);
    for (size_t i = 0; i < view->row_count; i++) {
        report_row *row = &view->rows[i];
        report_series *series = &view->series[row->series - view->series];
        row->number = (uint32_t)i + 1;
        series->rows = series->row_count > 0 ? series->rows : row;
        series->row_count++;
        series->unsupported_count += row->data->unsupported[0] != '\0';
        view->by_work[i] = row;
    }
    qsort(view->by_work, view->row_count, sizeof *view->by_work, compare_work_of);
    find_differences(view);
}

bool report_view_create(const results_document *documents, size_t count, report_view *out)
{
    size_t devices = 1, rows = 1; /* an array of nothing may be NULL */
    for (size_t i = 0; i < count; i++) {
        devices += documents[i].device_count;
        rows += documents[i].row_count;
    }
    *out = (report_view){.documents = documents,
                         .document_count = count,
                         .series = calloc(devices, sizeof *out->series),
                         .rows = calloc(rows, sizeof *out->rows),
                         .layers = calloc(rows, sizeof *out->layers),
                         .by_work = calloc(rows, sizeof *out->by_work)};
    if (!out->series || !out->rows || !out->layers || !out->by_work) {
        report_view_destroy(out);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        add_document(out, &documents[i]);
    order_rows(out);
    return true;
}

void report_view_destroy(report_view *view)
{
    free(view->series);
    free(view->rows);
    free(view->layers);
    free(view->by_work);
    *view = (report_view){0};
}

/* Types in smoe's order, then others. */
static int type_index(const char *name)
{
    const char *known;
    int i = 0;
    while ((known = smoe_type_short_name((smoe_type)i)) != NULL && strcmp(known, name) != 0)
        i++;
    return i;
}

int report_compare_work(const report_row *a, const report_row *b)
{
    int order = program_compare_numbers(a->layer, b->layer);
    order = order ? order : program_compare_numbers(a->data->tokens, b->data->tokens);
    order = order ? order : program_compare_numbers(type_index(a->data->weights), type_index(b->data->weights));
    order = order ? order : strcmp(a->data->weights, b->data->weights);
    order = order ? order : program_compare_numbers(a->data->mixed_precision, b->data->mixed_precision);
    return order ? order : results_compare_shapes(&a->data->shape, &b->data->shape);
}

const char *report_row_text(const report_row *row, char text[REPORT_TEXT_SIZE])
{
    snprintf(text, REPORT_TEXT_SIZE, "%u token%s, %.20s%s", row->data->tokens, row->data->tokens == 1 ? "" : "s",
             row->data->weights, row->data->mixed_precision ? ", mixed precision" : "");
    return text;
}

/* Appends to a list, as much as there is room for. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
append(char text[REPORT_TEXT_SIZE], const char *format, ...)
{
    const size_t size = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    snprintf(text + size, REPORT_TEXT_SIZE - size, "%s", size ? ", " : "");
    vsnprintf(text + strlen(text), REPORT_TEXT_SIZE - strlen(text), format, arguments);
    va_end(arguments);
}

static void append_given(char text[REPORT_TEXT_SIZE], const char *name, double value)
{
    if (isfinite(value))
        append(text, "%s %.4g", name, value);
}

const char *report_row_details(const report_row *row, char text[REPORT_TEXT_SIZE])
{
    const results_shape *shape = &row->data->shape;
    text[0] = '\0';
    if (row->shapes)
        append(text, "D %u, H %u, E %u, k %u", shape->d_model, shape->d_hidden, shape->experts, shape->top_k);
    if (row->caps)
        append(text, "at most %u", shape->max_active);
    append_given(text, "eps", shape->given_eps);
    append_given(text, "group eps", shape->given_group_eps);
    append_given(text, "expected", shape->given_expected_active);
    return text;
}

const char *report_row_short(const report_row *row, char text[REPORT_TEXT_SIZE])
{
    if (report_row_details(row, text)[0])
        snprintf(text, REPORT_TEXT_SIZE, "row %u", row->number);
    else
        snprintf(text, REPORT_TEXT_SIZE, "%u %.6s%s", row->data->tokens, row->data->weights,
                 row->data->mixed_precision ? " mix" : "");
    return text;
}

size_t report_layer_end(const report_series *series, size_t i)
{
    const int layer = series->rows[i].layer;
    while (i < series->row_count && series->rows[i].layer == layer)
        i++;
    return i;
}

bool report_any_ran(const report_row *rows, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || report_main_run(&rows[i]) >= 0;
    return any;
}

int report_main_run(const report_row *row)
{
    return report_ran(row, RESULTS_HARD) ? RESULTS_HARD : report_ran(row, RESULTS_SMOOTH) ? RESULTS_SMOOTH : -1;
}
