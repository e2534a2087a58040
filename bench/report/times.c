/* Times by layer: bars of every device beside one another, hard routing as the bar, smooth as a mark on it. */
#include "report.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 400, LEFT = 26, BARS = 326, RIGHT = 396, TOP = 8, GROUP = 20, DETAILS = 15, BAR = 19, BELOW = 40 };

/* Rows of one layer, those of the same work one after another. */
typedef struct group {
    const report_row *const *rows;
    size_t count, works, details; /* details: of the works, those whose heading has a second line */
} group;

static bool is_shown(const report_row *row)
{
    return report_main_run(row) >= 0;
}

static bool is_new_work(const group *g, size_t i)
{
    return i == 0 || report_compare_work(g->rows[i - 1], g->rows[i]) != 0;
}

static double low_end(const report_row *row, int routing)
{
    const results_run *run = &row->data->runs[routing];
    const double p10 = report_spread(run)->p10, time = results_run_time(run);
    return report_known(p10) && p10 < time ? p10 : time;
}

static double high_end(const report_row *row, int routing)
{
    const results_run *run = &row->data->runs[routing];
    const double p90 = report_spread(run)->p90, time = results_run_time(run);
    return report_known(p90) && p90 > time ? p90 : time;
}

static report_axis make_axis(const group *g)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < g->count; i++)
        for (int routing = 0; routing < RESULTS_ROUTING_COUNT; routing++)
            if (report_ran(g->rows[i], routing)) {
                low = fmin(low, low_end(g->rows[i], routing));
                high = fmax(high, high_end(g->rows[i], routing));
            }
    return report_log_axis(low * 0.9e-9, high * 1e-9, LEFT, BARS); /* seconds; the shortest bar is to be seen */
}

static void draw_whisker(report_page *p, const report_axis *axis, const report_row *row, int routing, double y,
                         double cap)
{
    const double from = report_place(axis, low_end(row, routing) * 1e-9),
                 to = report_place(axis, high_end(row, routing) * 1e-9);
    for (int halo = 1; halo >= 0; halo--)
        report_put(p, "<path class=\"w%s\" d=\"M%.1f %.1fv%.1fm0-%.1fH%.1fm0-%.1fv%.1f\"/>", halo ? " wh" : "", from,
                   y - cap, 2 * cap, cap, to, cap, 2 * cap);
}

static void draw_run(report_page *p, const report_axis *axis, const report_row *row, int routing, double y,
                     double thick)
{
    const double end = report_place(axis, results_run_time(&row->data->runs[routing]) * 1e-9);
    report_put(p, "<path class=\"c%d %s\" d=\"M%d %.1fH%.1fv%.1fH%d\"/>", row->series->colour,
               routing == RESULTS_HARD ? "f" : "v", LEFT, y - thick / 2, end, thick, LEFT);
    draw_whisker(p, axis, row, routing, y, routing == RESULTS_HARD ? 2.5 : 1);
}

static void draw_bars(report_page *p, const report_axis *axis, const report_row *row, double y)
{
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<text class=\"e b\" x=%d y=%.1f>%s</text>", LEFT - 5, y + 12, row->series->letter);
    if (report_ran(row, RESULTS_HARD))
        draw_run(p, axis, row, RESULTS_HARD, y + 7.5, 9);
    if (report_ran(row, RESULTS_SMOOTH))
        draw_run(p, axis, row, RESULTS_SMOOTH, y + 15, 4);
    report_put(p, "<text class=e x=%d y=%.1f>%s</text>", RIGHT, y + 12,
               report_time(text, results_run_time(&row->data->runs[report_main_run(row)])));
}

/* Gives its height. */
static double draw_heading(report_page *p, const report_row *row, double y)
{
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<text class=q x=%d y=%.1f>", LEFT, y + 15);
    report_text(p, report_row_text(row, text));
    report_put(p, "</text>");
    if (!report_row_details(row, text)[0])
        return GROUP;
    report_put(p, "<text x=%d y=%.1f>%s</text>", LEFT, y + 15 + DETAILS, text);
    return GROUP + DETAILS;
}

static void write_layer(report_page *p, const report_view *view, int layer, const group *g)
{
    const double height = TOP + (double)g->works * GROUP + (double)g->details * DETAILS + (double)g->count * BAR;
    const report_axis axis = make_axis(g);
    char routing[RESULTS_ROUTING_SIZE];
    double y = TOP;
    report_begin_picture(
        p, WIDTH, (int)height + BELOW, view->layers[layer],
        "Bars of the median time of a forward with hard routing, on a logarithmic axis, by tokens and "
        "type of the weights, one for each device by its letter. The thin bar below is smooth routing's. "
        "The line across a bar's end goes from the 10th to the 90th percentile. The numbers are hard "
        "routing's.");
    report_draw_ticks(p, &axis, TOP, height, "s");
    for (size_t i = 0; i < g->count; i++) {
        if (is_new_work(g, i)) {
            y += draw_heading(p, g->rows[i], y);
        }
        draw_bars(p, &axis, g->rows[i], y);
        y += BAR;
    }
    report_put(p, "<text class=m x=%d y=%.1f>time of a forward (logarithmic)</text>", (LEFT + BARS) / 2, height + 33);
    report_end_picture(p, results_describe_routing(&g->rows[0]->data->shape, routing));
}

static size_t keep_shown(const report_view *view, const report_row **rows)
{
    size_t count = 0;
    for (size_t i = 0; i < view->row_count; i++)
        if (is_shown(view->by_work[i]))
            rows[count++] = view->by_work[i];
    return count;
}

static void write_layers(report_page *p, const report_view *view, const report_row **rows, size_t count)
{
    char text[REPORT_TEXT_SIZE];
    for (size_t i = 0; i < count;) {
        group g = {.rows = &rows[i]};
        for (; i < count && rows[i]->layer == g.rows[0]->layer; i++) {
            const bool is_new = is_new_work(&g, g.count);
            g.works += is_new;
            g.details += is_new && report_row_details(rows[i], text)[0];
            g.count++;
        }
        write_layer(p, view, g.rows[0]->layer, &g);
    }
}

void report_write_times(report_page *p, const report_view *view)
{
    report_put(p, "<section id=times><h2>Times by layer</h2><p>Shorter is faster, and each line of the grid a fixed "
                  "factor. A thick bar and the number beside "
                  "it are the median forward with hard routing, the thin bar below is the one with smooth routing. The "
                  "line across a bar’s end "
                  "goes from the 10th to the 90th percentile. The letters are devices of the table above.</p><div "
                  "class=columns>\n");
    const report_row **rows = calloc(view->row_count + 1, sizeof *rows);
    if (rows)
        write_layers(p, view, rows, keep_shown(view, rows));
    p->no_memory = p->no_memory || !rows;
    free(rows);
    report_put(p, "</div></section>\n");
}
