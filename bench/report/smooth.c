/* What smooth routing costs a device: times the time over times the experts. */
#include "report.h"

#include <math.h>

enum { WIDTH = 400, HEIGHT = 400, LEFT = 42, RIGHT = 392, TOP = 22, BOTTOM = 358, MARK = 5 };

static bool find_point(const report_row *row, double *experts, double *time)
{
    *experts = row->data->smooth_over_hard_experts;
    *time = row->data->smooth_over_hard_time;
    return row->layer >= 0 && report_known(*experts) && report_known(*time);
}

/* False: the device has no row with both. */
static bool make_axes(const report_series *series, report_plot *plot)
{
    double most_experts = 0, least = 1, most = 0, experts, time;
    for (size_t i = 0; i < series->row_count; i++)
        if (find_point(&series->rows[i], &experts, &time)) {
            most_experts = fmax(most_experts, experts);
            least = fmin(least, fmin(time, experts));
            most = fmax(most, time);
        }
    plot->x = report_linear_axis(fmin(least, 1), fmax(most_experts, 1.1), LEFT, RIGHT);
    plot->y = report_linear_axis(least, fmax(most, fmax(most_experts, 1.1)), BOTTOM, TOP);
    return most > 0;
}

static void draw_lines(const report_plot *plot)
{
    const double low = fmax(plot->x.low, plot->y.low), high = fmin(plot->x.high, plot->y.high);
    report_put(plot->page, "<path class=r d=\"M%.1f %.1fL%.1f %.1f\"/>", report_place(&plot->x, low),
               report_place(&plot->y, low), report_place(&plot->x, high), report_place(&plot->y, high));
    report_put(plot->page, "<path class=\"r d\" d=\"M%d %.1fH%d\"/>", LEFT, report_place(&plot->y, 1), RIGHT);
}

static void draw_points(const report_plot *plot, const report_series *series)
{
    report_labels labels = {.within = {LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP}};
    double experts, time;
    for (size_t i = 0; i < series->row_count; i++)
        if (find_point(&series->rows[i], &experts, &time)) {
            const double x = report_place(&plot->x, experts), y = report_place(&plot->y, time);
            report_draw_mark(plot->page, x, y, series->rows[i].layer, false);
            report_take_box(&labels, (report_box){x - MARK, y - MARK, 2 * MARK, 2 * MARK});
        }
    for (size_t i = 0; i < series->row_count; i++)
        if (find_point(&series->rows[i], &experts, &time))
            report_draw_number(plot->page, &labels, series->rows[i].number, report_place(&plot->x, experts),
                               report_place(&plot->y, time));
}

void report_write_smooth(report_page *p, const report_series *series)
{
    report_plot plot = {.page = p};
    char title[64];
    if (!make_axes(series, &plot))
        return;
    snprintf(title, sizeof title, "Smooth against hard on %s", series->letter);
    report_begin_picture(p, WIDTH, HEIGHT, title,
                         "The time of smooth routing over that of hard routing, against the experts that ran for a "
                         "token over those of hard routing. A mark on the slanting line costs what its further experts "
                         "do; below it, it costs less. The numbers are rows of the table.");
    report_draw_axes(&plot, NULL, "smooth over hard: active experts", NULL, "smooth over hard: time");
    draw_lines(&plot);
    draw_points(&plot, series);
    report_end_picture(p, "On the slanting line the time grows as the experts do; on the dashed one it does not grow.");
}
