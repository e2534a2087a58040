/* Every row in numbers, and its stages. */
#include "report.h"

#include <math.h>
#include <string.h>

static const char *const columns[] = {"experts",  "of hard",       "time",       "of hard", "10th",     "90th",
                                      "host",     "op/s",          "of peak",    "byte/s",  "of peak",  "dispatches",
                                      "bound by", "longest stage", "check",      "error",   "forwards", "run",
                                      "clock",    "plan",          "plan again", "totals",  "mixed"};
enum { COLUMN_COUNT = sizeof columns / sizeof *columns };

static void put_number(report_page *p, double value, int digits)
{
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<td class=e>%s", report_number(text, value, digits));
}

static void put_amount(report_page *p, double value, const char *unit)
{
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<td class=e>%s", report_amount(text, value, unit));
}

static void put_share(report_page *p, double value)
{
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<td class=e>%s", report_share(text, value));
}

/* "expert_up 48 %, at 31 % of fma_float32" */
static void put_longest(report_page *p, const results_run *run)
{
    const results_stage *longest = NULL;
    char text[REPORT_TEXT_SIZE];
    for (size_t i = 0; i < run->stage_count; i++)
        if (!longest || run->stages[i].ns.median > longest->ns.median)
            longest = &run->stages[i];
    report_put(p, "<td>");
    if (!longest)
        return;
    report_text(p, longest->name);
    report_put(p, " %s", report_share(text, longest->ns.median / results_run_time(run)));
    if (report_known(longest->share_of_peak)) {
        report_put(p, ", at %s of ", report_share(text, longest->share_of_peak));
        report_text(p, longest->peak);
    }
}

static void put_check(report_page *p, const results_run *run)
{
    char text[REPORT_TEXT_SIZE];
    if (!run->has_check)
        report_put(p, "<td>–");
    else
        report_put(p, "<td%s>%s, %s", run->check.good ? "" : " class=bad", run->check.good ? "good" : "wrong",
                   report_number(text, run->check.largest_difference, 2));
}

/* What is of the row, beside its hard run: that is the one whose times are compared. */
static void put_row(report_page *p, const results_row *row, int routing)
{
    const bool hard = routing == RESULTS_HARD;
    put_amount(p, hard ? row->plan_first_ns / 1e9 : NAN, "s");
    put_amount(p, hard ? row->plan_again_ns / 1e9 : NAN, "s");
    put_number(p, hard ? row->totals_over_none_time : NAN, 4);
    put_number(p, hard ? row->mixed_over_float32_time : NAN, 4);
}

static void put_run(report_page *p, const report_row *row, int routing)
{
    const results_run *run = &row->data->runs[routing];
    const results_spread *spread = report_spread(run);
    const double *share = row->share[routing], time = results_run_time(run);
    char text[REPORT_TEXT_SIZE];
    put_number(p, run->active_mean, 4);
    put_number(p, routing == RESULTS_SMOOTH ? row->data->smooth_over_hard_experts : NAN, 4);
    put_amount(p, time / 1e9, "s");
    put_number(p, routing == RESULTS_SMOOTH ? row->data->smooth_over_hard_time : NAN, 4);
    put_amount(p, spread->p10 / 1e9, "s");
    put_amount(p, spread->p90 / 1e9, "s");
    put_amount(p, run->host_ns.median / 1e9, "s");
    put_amount(p, run->flop / time * 1e9, "op/s");
    put_share(p, share[REPORT_OPERATIONS]);
    put_amount(p, run->bytes / time * 1e9, "B/s");
    put_share(p, share[REPORT_BYTES]);
    put_share(p, share[REPORT_DISPATCHES]);
    report_put(p, "<td>%s", report_bound_text(row, routing, text));
    put_longest(p, run);
    put_check(p, run);
    put_share(p, run->median_error);
    put_number(p, run->forwards, 6);
    put_number(p, run->active_experts, 4);
    put_amount(p, run->clock_hz, "Hz");
    put_row(p, row->data, routing);
}

static void begin_row(report_page *p, const report_row *row, const char *routing)
{
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<tr><th scope=row class=e>%u<td><b class=\"tag c%d\">%s</b><td>", row->number, row->series->colour,
               row->series->letter);
    report_text(p, row->data->layer);
    report_put(p, "<td class=e>%u<td>", row->data->tokens);
    report_text(p, row->data->weights);
    report_put(p, "%s", row->data->mixed_precision ? ", mixed" : "");
    report_put(p, "%s%s<td>%s", report_row_details(row, text)[0] ? ", " : "", text, routing);
}

static void write_run(report_page *p, const report_row *row, int routing)
{
    const results_run *run = &row->data->runs[routing];
    if (!run->there)
        return;
    begin_row(p, row, results_routing_names[routing]);
    if (report_ran(row, routing)) {
        put_run(p, row, routing);
    } else {
        report_put(p, "<td colspan=%d>", COLUMN_COUNT);
        report_put(p, run->unsupported[0] ? "unsupported: " : "no time");
        report_text(p, run->unsupported);
    }
    report_put(p, "</tr>\n");
}

static void write_row(report_page *p, const report_row *row)
{
    if (row->data->unsupported[0]) {
        begin_row(p, row, "");
        report_put(p, "<td colspan=%d>unsupported: ", COLUMN_COUNT);
        report_text(p, row->data->unsupported);
        report_put(p, "</tr>\n");
        return;
    }
    for (int routing = 0; routing < RESULTS_ROUTING_COUNT; routing++)
        write_run(p, row, routing);
}

/* ---- stages ------------------------------------------------------------------------------------------------------ */

static const results_kernel *kernel_of(const results_row *row, const char *stage)
{
    for (size_t i = 0; i < row->kernel_count; i++)
        if (strcmp(row->kernels[i].stage, stage) == 0)
            return &row->kernels[i];
    return NULL;
}

static void write_stage(report_page *p, const report_row *row, int routing, const results_stage *stage)
{
    const results_kernel *kernel = kernel_of(row->data, stage->name);
    begin_row(p, row, results_routing_names[routing]);
    report_put(p, "<td>");
    report_text(p, stage->name);
    report_put(p, "<td>");
    report_text(p, kernel ? kernel->name : "–");
    if (kernel && kernel->tile_rows > 0)
        report_put(p, " %u×%u×%u", kernel->tile_rows, kernel->tile_columns, kernel->tile_depth);
    put_amount(p, stage->ns.median / 1e9, "s");
    put_share(p, stage->ns.median / results_run_time(&row->data->runs[routing]));
    put_amount(p, stage->flop_per_second, "op/s");
    put_share(p, stage->share_of_peak);
    report_put(p, "<td>");
    report_text(p, stage->peak);
    report_put(p, "</tr>\n");
}

static void write_stages(report_page *p, const report_view *view)
{
    report_put(p, "<details><summary>Every stage of every row</summary><div class=scroll tabindex=0 role=region "
                  "aria-label=Stages><table><caption>Every stage of every row</caption><thead><tr>"
                  "<th scope=col class=e>row<th scope=col>device<th scope=col>layer<th scope=col class=e>tokens<th "
                  "scope=col>weights<th scope=col>routing<th scope=col>stage"
                  "<th scope=col>kernel, and its tile<th scope=col class=e>time<th scope=col class=e>of the forward<th "
                  "scope=col class=e>op/s"
                  "<th scope=col class=e>of peak<th scope=col>peak</tr></thead><tbody>\n");
    for (size_t i = 0; i < view->row_count; i++)
        for (int routing = 0; routing < RESULTS_ROUTING_COUNT; routing++)
            for (size_t s = 0; report_ran(&view->rows[i], routing) && s < view->rows[i].data->runs[routing].stage_count;
                 s++)
                write_stage(p, &view->rows[i], routing, &view->rows[i].data->runs[routing].stages[s]);
    report_put(p, "</tbody></table></div></details>\n");
}

void report_write_table(report_page *p, const report_view *view)
{
    report_put(p, "<section id=table><h2>Every row</h2><div class=scroll tabindex=0 role=region aria-label=\"Every "
                  "row\"><table><caption>Every row of the results</caption><thead><tr>"
                  "<th scope=col class=e>row<th scope=col>device<th scope=col>layer<th scope=col class=e>tokens<th "
                  "scope=col>weights<th scope=col>routing");
    for (int i = 0; i < COLUMN_COUNT; i++)
        report_put(p, "<th scope=col%s>%s", i < 12 || i > 14 ? " class=e" : "", columns[i]);
    report_put(p, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < view->row_count; i++)
        if (view->rows[i].layer >= 0)
            write_row(p, &view->rows[i]);
    report_put(p, "</tbody></table></div>\n");
    write_stages(p, view);
    report_put(p, "</section>\n");
}
