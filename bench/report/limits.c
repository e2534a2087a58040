/* Where a device leaves its peak, and why: what of a forward's time its bytes, its operations and its dispatches would
 * take if the device did nothing else, each as fast as it can. */
#include "report.h"

#include <math.h>

enum { WIDTH = 400, LEFT = 98, BARS = 236, RIGHT = 396, TOP = 6, ROW = 18, BELOW = 39 };

static bool is_shown(const report_row *row)
{
    const int routing = report_main_run(row);
    return routing >= 0 && report_largest_limit(row, routing) >= 0;
}

const char *report_bound_text(const report_row *row, int routing, char text[REPORT_TEXT_SIZE])
{
    const int largest = report_largest_limit(row, routing);
    char share[REPORT_TEXT_SIZE];
    if (largest < 0)
        return "";
    const double value = row->share[routing][largest];
    if (value >= REPORT_BOUND)
        snprintf(text, REPORT_TEXT_SIZE, "%s %s", report_limit_names[largest], report_share(share, value));
    else
        snprintf(text, REPORT_TEXT_SIZE, "none (%s %s)", report_limit_names[largest], report_share(share, value));
    return text;
}

static void draw_limit(report_page *p, int limit, double x, double y)
{
    static const char *const shapes[REPORT_LIMITS] = {"m-4-4h8v8h-8z", "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
                                                      "m0-5l4.8 8.6h-9.6z"};
    report_put(p, "<path class=\"l%d f\" d=\"M%.1f %.1f%s\"/>", limit, x, y, shapes[limit]);
}

static void draw_row(report_page *p, const report_axis *axis, const report_row *row, double y)
{
    const int routing = report_main_run(row), largest = report_largest_limit(row, routing);
    const double *share = row->share[routing], middle = y + ROW / 2.0;
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<text class=e x=%d y=%.1f>", LEFT - 9, middle + 4);
    report_text(p, report_row_short(row, text));
    report_put(p, "</text><path class=\"l%d k\" d=\"M%d %.1fH%.1f\"/>", largest, LEFT, middle,
               report_place(axis, 100 * share[largest]));
    for (int i = 0; i < REPORT_LIMITS; i++)
        if (isfinite(share[i]))
            draw_limit(p, i, report_place(axis, 100 * share[i]), middle);
    report_put(p, "<text class=e x=%d y=%.1f>%s</text>", RIGHT, middle + 4, report_bound_text(row, routing, text));
}

/* To 100 %, or as far as a share goes beyond it: what fits into caches moves faster than memory. */
static report_axis make_axis(const report_row *rows, size_t count)
{
    double most = 1;
    for (size_t i = 0; i < count; i++)
        for (int limit = 0; is_shown(&rows[i]) && limit < REPORT_LIMITS; limit++)
            most = fmax(most, rows[i].share[report_main_run(&rows[i])][limit]);
    return report_linear_axis(0, 100 * most, LEFT, BARS);
}

static void write_layer(report_page *p, const report_view *view, const report_row *rows, size_t count, size_t shown)
{
    const int height = TOP + (int)shown * ROW;
    const report_axis axis = make_axis(rows, count);
    double y = TOP;
    report_begin_picture(
        p, WIDTH, height + BELOW, view->layers[rows->layer],
        "Shares of a forward's time that its bytes, operations and dispatches would take at the "
        "device's peaks, by tokens and type of the weights; on the right the largest. The table has the "
        "numbers.");
    report_draw_ticks(p, &axis, TOP, height, NULL);
    report_put(p, "<path class=a d=\"M%.1f %dV%d\"/>", report_place(&axis, 100), TOP, height);
    for (size_t i = 0; i < count; i++)
        if (is_shown(&rows[i])) {
            draw_row(p, &axis, &rows[i], y);
            y += ROW;
        }
    report_put(p, "<text class=m x=%d y=%d>%% of the time of a forward</text>", (LEFT + BARS) / 2, height + 33);
    report_end_picture(p, NULL);
}

static void write_summary(report_page *p, const report_series *series)
{
    size_t bound[REPORT_LIMITS] = {0}, none = 0;
    for (size_t i = 0; i < series->row_count; i++) {
        const report_row *row = &series->rows[i];
        if (!is_shown(row))
            continue;
        const int routing = report_main_run(row), largest = report_largest_limit(row, routing);
        if (row->share[routing][largest] >= REPORT_BOUND)
            bound[largest]++;
        else
            none++;
    }
    report_put(p, "<p>With hard routing ");
    for (int i = 0; i < REPORT_LIMITS; i++)
        report_put(p, "%zu row%s %s bound by %s, ", bound[i], bound[i] == 1 ? "" : "s", bound[i] == 1 ? "is" : "are",
                   report_limit_names[i]);
    report_put(p,
               "and %zu by none of the three: there the time goes elsewhere, and the table's longest stage says where "
               "to look. Shares above "
               "100 %% are of rows whose weights stay in caches.</p>",
               none);
}

static void write_key(report_page *p)
{
    static const char *const meanings[REPORT_LIMITS] = {"bytes that must move, at the fastest transfer",
                                                        "operations, at the peaks of their kernels\xe2\x80\x99 kinds",
                                                        "as many empty dispatches and barriers as the row has stages"};
    report_put(p, "<ul class=key>");
    for (int i = 0; i < REPORT_LIMITS; i++) {
        report_put(p, "<li><svg class=i viewBox=\"-7 -7 14 14\" aria-hidden=true>");
        draw_limit(p, i, 0, 0);
        report_put(p, "</svg>%s</li>", meanings[i]);
    }
    report_put(p, "</ul>\n");
}

void report_write_limits(report_page *p, const report_view *view, const report_series *series)
{
    if (report_count_rows(series->rows, series->row_count, is_shown) == 0)
        return;
    report_put(p, "<h3>What bounds %s</h3>", series->letter);
    write_summary(p, series);
    write_key(p);
    report_write_cards(p, view, series, is_shown, write_layer);
}
