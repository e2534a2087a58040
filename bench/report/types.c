/* What a type of weights is worth: rows that differ in nothing else, beside float16's. */
#include "report.h"

#include <math.h>
#include <string.h>

#include <smoe/smoe.h>

/* The run that is shown; NULL: nothing of the row. */
static const results_run *run_of(const report_row *row)
{
    const int routing = row->layer >= 0 ? report_main_run(row) : -1;
    const results_run *run = routing >= 0 ? &row->data->runs[routing] : NULL;
    return run && report_known(run->file_bytes) && report_known(results_run_time(run)) ? run : NULL;
}

static bool has_scales(const report_row *row)
{
    smoe_type type;
    return smoe_type_find(row->data->weights, &type) && smoe_type_has_scales(type);
}

static bool is_same_but_type(const report_row *a, const report_row *b)
{
    return a->layer == b->layer && a->data->tokens == b->data->tokens &&
           a->data->mixed_precision == b->data->mixed_precision &&
           results_compare_shapes(&a->data->shape, &b->data->shape) == 0;
}

/* The time of the same row with float16 weights; NaN where there is none. */
static double find_float16(const report_row *row)
{
    const report_series *series = row->series;
    for (size_t i = 0; i < series->row_count; i++) {
        const report_row *other = &series->rows[i];
        if (strcmp(other->data->weights, "f16") == 0 && is_same_but_type(row, other) && run_of(other))
            return results_run_time(run_of(other));
    }
    return NAN;
}

/* Whether the row has scales, or is what one with scales is compared with. */
static bool is_shown(const report_row *row)
{
    bool shown = run_of(row) && has_scales(row);
    for (size_t i = 0; run_of(row) && !shown && i < row->series->row_count; i++)
        shown = has_scales(&row->series->rows[i]) && run_of(&row->series->rows[i]) &&
                is_same_but_type(row, &row->series->rows[i]);
    return shown;
}

static void write_row(report_page *p, const report_row *row)
{
    const results_run *run = run_of(row);
    const results_row *data = row->data;
    const double time = results_run_time(run), bits = run->weights_bytes / run->file_bytes * data->file_bits;
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<tr><th scope=row class=e>%u<td><b class=\"tag c%d\">%s</b><td>", row->number, row->series->colour,
               row->series->letter);
    report_text(p, data->layer);
    report_put(p, "<td class=e>%u", data->shape.experts);
    if (data->experts_cut_from > 0)
        report_put(p, " of %u", data->experts_cut_from);
    report_put(p, "<td class=e>%u<td>", data->tokens);
    report_text(p, data->weights);
    report_put(p, "%s<td class=e>%s<td>", data->mixed_precision ? ", mixed" : "", report_number(text, bits, 4));
    report_text(p, data->file_format);
    report_put(p, "<td class=e>%s", report_number(text, data->file_bits, 4));
    report_put(p, "<td class=e>%s", report_amount(text, time / 1e9, "s"));
    report_put(p, "<td class=e>%s", report_number(text, time / find_float16(row), 3));
    report_put(p, "<td class=e>%s", report_amount(text, run->bytes_per_second, "B/s"));
    report_put(p, "<td class=e>%s", report_share(text, run->share_of_bytes));
    report_put(p, "<td class=e>%s</tr>\n", report_amount(text, run->ns_per_file_byte, "s"));
}

void report_write_types(report_page *p, const report_view *view)
{
    bool any = false;
    for (size_t i = 0; i < view->row_count; i++)
        any = any || (run_of(&view->rows[i]) && has_scales(&view->rows[i]));
    if (!any)
        return;
    report_put(p, "<section id=types><h2>Types of weights</h2><p>Layers that were measured with scales for blocks of "
                  "weights, and the same layers without. Few tokens are bound by bytes: there a type with a quarter "
                  "of the bits should take a quarter of the time. Some types hold more bits than the format of files "
                  "that they are made for: the last column is the time for a gigabyte of that format.</p>"
                  "<div class=scroll tabindex=0 role=region aria-label=\"Types of weights\"><table><caption>Types of "
                  "weights</caption><thead><tr><th scope=col class=e>row<th scope=col>device<th scope=col>layer"
                  "<th scope=col class=e>experts<th scope=col class=e>tokens<th scope=col>weights"
                  "<th scope=col class=e>bits<th scope=col>format of files<th scope=col class=e>its bits"
                  "<th scope=col class=e>time<th scope=col class=e>over float16's<th scope=col class=e>byte/s"
                  "<th scope=col class=e>of peak<th scope=col class=e>for 1 GB of files</tr></thead><tbody>\n");
    for (size_t i = 0; i < view->row_count; i++)
        if (is_shown(&view->rows[i]))
            write_row(p, &view->rows[i]);
    report_put(p, "</tbody></table></div></section>\n");
}
