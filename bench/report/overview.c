/* The devices, and what of their results to doubt. */
#include "report.h"

#include <math.h>
#include <string.h>

/* From here on a time is not to be relied on. */
static const double error_limit = 0.01;

static void write_device(report_page *p, const report_series *series)
{
    const results_device *device = series->device;
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<tr><th scope=row><b class=\"tag c%d\">%s</b><td class=name><bdi>", series->colour, series->letter);
    report_text(p, device->name);
    report_put(p, "</bdi><td class=name><bdi>");
    report_text(p, device->driver_info[0] ? device->driver_info : device->driver);
    report_put(p, "</bdi><td><bdi>");
    report_text(p, series->document->program.name);
    report_put(p, " ");
    report_text(p, series->document->program.version);
    report_put(p, "</bdi><td>");
    snprintf(text, sizeof text, "%.10s", series->document->session.date); /* without the time of day */
    report_text(p, text);
    report_put(p, "<td class=e>%s", report_amount(text, series->flop_peak, "op/s"));
    report_put(p, "<td class=e>%s", report_amount(text, series->best_flop_peak, "op/s"));
    report_put(p, "<td class=e>%s", report_amount(text, series->byte_peak, "B/s"));
    report_put(p, "<td class=e>%zu", series->row_count);
    if (series->unsupported_count)
        report_put(p, ", %zu unsupported", series->unsupported_count);
    report_put(p, "</tr>\n");
}

static void write_devices(report_page *p, const report_view *view)
{
    report_put(
        p,
        "<div class=scroll tabindex=0 role=region aria-label=Devices><table class=tight><caption>The devices, by the "
        "letters that they have in this page</caption>"
        "<thead><tr><th scope=col>device<th scope=col>name<th scope=col>driver<th scope=col>measured by<th scope=col>on"
        "<th scope=col class=e>float32 peak<th scope=col class=e>highest peak<th scope=col class=e>bytes peak<th "
        "scope=col class=e>rows</tr></thead><tbody>\n");
    for (size_t i = 0; i < view->series_count; i++)
        write_device(p, &view->series[i]);
    report_put(p, "</tbody></table></div>\n");
}

/* ---- doubts ------------------------------------------------------------------------------------------------------ */

typedef struct doubts {
    report_page *page;
    size_t count;
} doubts;

enum { MOST_DOUBTS = 40 };

/* Opens a line of the list. False where it is long enough. */
static bool begin_doubt(doubts *d)
{
    if (d->count == 0)
        report_put(d->page, "<h2>To be doubted</h2><ul class=doubts>\n");
    d->count++;
    if (d->count <= MOST_DOUBTS)
        report_put(d->page, "<li>");
    return d->count <= MOST_DOUBTS;
}

static void name_run(doubts *d, const report_row *row, int routing)
{
    char text[REPORT_TEXT_SIZE];
    report_put(d->page, "Row %u, %s, ", row->number, row->series->letter);
    report_text(d->page, row->data->layer);
    report_put(d->page, ", ");
    report_text(d->page, report_row_text(row, text));
    report_put(d->page, "%s%s", report_row_details(row, text)[0] ? ", " : "", text);
    report_put(d->page, ", %s: ", results_routing_names[routing]);
}

static void doubt_run(doubts *d, const report_row *row, int routing)
{
    const results_run *run = &row->data->runs[routing];
    char first[REPORT_TEXT_SIZE], second[REPORT_TEXT_SIZE];
    if (!report_measured(row, routing))
        return;
    if (run->has_check && !run->check.good && run->check.wrong[0] && begin_doubt(d)) {
        name_run(d, row, routing);
        report_put(d->page, "<b>its answers are wrong</b>: ");
        report_text(d->page, run->check.wrong);
        report_put(d->page, ".</li>\n");
    } else if (run->has_check && !run->check.good && begin_doubt(d)) {
        name_run(d, row, routing);
        report_put(d->page, "<b>its answers are wrong</b>: they differ by up to %s, and %s is allowed.</li>\n",
                   report_number(first, run->check.largest_difference, 3),
                   report_number(second, run->check.allowed, 3));
    }
    if (fabs(run->drift - 1) > RESULTS_DRIFT && begin_doubt(d)) {
        name_run(d, row, routing);
        report_put(d->page, "its later forwards took %s times as long as its first tenth.</li>\n",
                   report_number(first, run->drift, 3));
    }
    if (run->median_error > error_limit && begin_doubt(d)) {
        name_run(d, row, routing);
        report_put(d->page, "its median is uncertain by %s.</li>\n", report_share(first, run->median_error));
    }
}

static void write_doubts(report_page *p, const report_view *view)
{
    doubts d = {p, 0};
    for (size_t i = 0; i < view->series_count; i++)
        if (!view->series[i].document->session.finished && begin_doubt(&d))
            report_put(p, "%s: the run ended before all its rows were measured.</li>\n", view->series[i].letter);
    for (size_t i = 0; i < view->row_count; i++)
        for (int routing = 0; routing < RESULTS_ROUTING_COUNT; routing++)
            doubt_run(&d, &view->rows[i], routing);
    if (d.count > MOST_DOUBTS)
        report_put(p, "<li>and %zu more: the table marks them.</li>\n", d.count - MOST_DOUBTS);
    if (d.count > 0)
        report_put(p, "</ul>\n");
}

void report_write_overview(report_page *p, const report_view *view)
{
    write_devices(p, view);
    write_doubts(p, view);
}
