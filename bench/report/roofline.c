/* A device's roofline: what each row reached, over its operations per byte, below what the device reaches. */
#include "report.h"

#include <math.h>
#include <string.h>

enum {
    WIDTH = 400,
    HEIGHT = 400,
    LEFT = 62,
    RIGHT = 392,
    TOP = 22,
    BOTTOM = 358,
    MARK = 5,
    DIGIT = 6,
    SLOPE_BOXES = 60,
    NAME_LENGTH = 140
};

typedef struct point {
    double intensity, rate; /* operations per byte, operations per second */
} point;

static bool find_point(const report_row *row, int routing, point *out)
{
    const results_run *run = &row->data->runs[routing];
    if (!report_ran(row, routing) || !report_known(run->flop) || !report_known(run->bytes))
        return false;
    *out = (point){run->flop / run->bytes, run->flop / results_run_time(run) * 1e9};
    return report_known(out->intensity) && report_known(out->rate);
}

/* The ends of what is to be seen. */
typedef struct extent {
    double low, high;
} extent;

static void include(extent *e, double value)
{
    e->low = value < e->low ? value : e->low;
    e->high = value > e->high ? value : e->high;
}

static bool find_extents(const report_series *series, extent *x, extent *y)
{
    point at;
    *x = *y = (extent){INFINITY, 0};
    for (size_t i = 0; i < series->row_count; i++)
        for (int routing = 0; routing < RESULTS_ROUTING_COUNT; routing++)
            if (find_point(&series->rows[i], routing, &at)) {
                include(x, at.intensity);
                include(y, at.rate);
            }
    if (!(x->high > 0))
        return false;
    if (report_known(series->byte_peak))
        include(y, series->byte_peak * x->low);
    if (report_known(series->flop_peak))
        include(y, series->flop_peak);
    if (report_known(series->best_flop_peak))
        include(y, series->best_flop_peak);
    if (report_known(series->byte_peak) && report_known(series->flop_peak)) /* where the roof bends */
        include(x, series->flop_peak / series->byte_peak * 2);
    return true;
}

/* ---- roofs ------------------------------------------------------------------------------------------------------- */

/* A level line from where the slope meets it, named above the slope, where no row can be. */
static void draw_level(const report_plot *plot, report_labels *labels, double bytes, double value, const char *name,
                       double *last)
{
    report_page *p = plot->page;
    char text[REPORT_TEXT_SIZE];
    const double y = report_place(&plot->y, value);
    const double x = report_known(bytes) ? report_place(&plot->x, value / bytes) : LEFT;
    report_put(p, "<path class=r d=\"M%.1f %.1fH%d\"/><path class=\"r d\" d=\"M%d %.1fH%.1f\"/>", x, y, RIGHT, LEFT, y,
               x);
    if (fabs(y - *last) < 13) /* its name would lie on the last one's */
        return;
    *last = y;
    report_put(p, "<text class=s x=%d y=%.1f>", LEFT + 5, y - 4);
    report_text(p, name);
    report_put(p, " %s</text>", report_amount(text, value, "op/s"));
    report_take_box(labels, (report_box){LEFT, y - 14, (double)(strlen(name) + strlen(text) + 2) * DIGIT, 14});
}

static void draw_levels(const report_plot *plot, report_labels *labels, const report_series *series)
{
    double last = -100;
    const double half = report_peak(series->device, "fma_float16");
    if (report_known(series->flop_peak))
        draw_level(plot, labels, series->byte_peak, series->flop_peak, "fma_float32", &last);
    if (half > series->flop_peak && half < series->best_flop_peak)
        draw_level(plot, labels, series->byte_peak, half, "fma_float16", &last);
    if (series->best_flop_peak > series->flop_peak)
        draw_level(plot, labels, series->byte_peak, series->best_flop_peak, series->best_flop_name, &last);
}

static void draw_slope(const report_plot *plot, report_labels *labels, const report_series *series)
{
    char text[REPORT_TEXT_SIZE];
    const double bytes = series->byte_peak;
    if (!report_known(bytes))
        return;
    const double roof = report_known(series->best_flop_peak) ? series->best_flop_peak : plot->y.high;
    const double left = fmax(plot->x.low, plot->y.low / bytes), right = fmin(plot->x.high, roof / bytes);
    if (!(left < right))
        return;
    const double x0 = report_place(&plot->x, left), y0 = report_place(&plot->y, left * bytes);
    const double x1 = report_place(&plot->x, right), y1 = report_place(&plot->y, right * bytes);
    report_put(plot->page, "<path class=r d=\"M%.1f %.1fL%.1f %.1f\"/>", x0, y0, x1, y1);
    const double angle = atan2(y1 - y0, x1 - x0) * 57.29578;
    report_put(plot->page, "<text class=s transform=\"translate(%.1f %.1f) rotate(%.1f)\" x=4 y=-5>%s %s</text>", x0,
               y0, angle, series->byte_name, report_amount(text, bytes, "B/s"));
    for (int i = 0; i < SLOPE_BOXES; i++) { /* the slope itself is to stay free of labels, and so is its name */
        const double part = (double)i / SLOPE_BOXES, x = x0 + (x1 - x0) * part, y = y0 + (y1 - y0) * part;
        const bool named = (x - x0) * (x - x0) + (y - y0) * (y - y0) < NAME_LENGTH * NAME_LENGTH;
        report_take_box(labels,
                        (report_box){x - (named ? 8 : 2), y - (named ? 16 : 4), named ? 14 : 6, named ? 18 : 8});
    }
}

/* ---- points ------------------------------------------------------------------------------------------------------ */

static void draw_points(const report_plot *plot, report_labels *labels, const report_series *series)
{
    point at;
    for (int routing = RESULTS_ROUTING_COUNT - 1; routing >= 0; routing--) /* hard ones lie above */
        for (size_t i = 0; i < series->row_count; i++) {
            const report_row *row = &series->rows[i];
            if (!find_point(row, routing, &at))
                continue;
            const double x = report_place(&plot->x, at.intensity), y = report_place(&plot->y, at.rate);
            report_draw_mark(plot->page, x, y, row->layer, routing == RESULTS_HARD);
            report_take_box(labels, (report_box){x - MARK, y - MARK, 2 * MARK, 2 * MARK});
        }
}

static void draw_numbers(const report_plot *plot, report_labels *labels, const report_series *series)
{
    point at;
    for (size_t i = 0; i < series->row_count; i++)
        if (find_point(&series->rows[i], RESULTS_HARD, &at))
            report_draw_number(plot->page, labels, series->rows[i].number, report_place(&plot->x, at.intensity),
                               report_place(&plot->y, at.rate));
}

void report_write_roofline(report_page *p, const report_series *series)
{
    extent x, y;
    if (!find_extents(series, &x, &y))
        return;
    const report_plot plot = {p, report_log_axis(x.low, x.high, LEFT, RIGHT),
                              report_log_axis(y.low, y.high, BOTTOM, TOP)};
    report_labels labels = {.within = {LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP}};
    char title[128];
    snprintf(title, sizeof title, "Roofline of %s", series->letter);
    report_begin_picture(p, WIDTH, HEIGHT, title,
                         "Operations per second over operations per byte, both axes logarithmic. The lines are the "
                         "fastest transfer and the peaks measured in the same run; each mark is a row of the table, "
                         "filled for hard routing and hollow for smooth. The numbers are rows of the table.");
    report_draw_axes(&plot, NULL, "operations per byte that must move", "op/s", "operations per second");
    draw_slope(&plot, &labels, series);
    draw_levels(&plot, &labels, series);
    draw_points(&plot, &labels, series);
    draw_numbers(&plot, &labels, series);
    report_end_picture(
        p, "Filled marks are hard routing, hollow ones smooth. The numbers are rows of the table, where there "
           "is room for them.");
}

void report_write_key(report_page *p, const report_view *view, const report_series *series)
{
    report_put(p, "<ul class=key>");
    for (size_t i = 0; i < series->row_count; i = report_layer_end(series, i)) {
        const int layer = series->rows[i].layer;
        if (!report_any_ran(&series->rows[i], report_layer_end(series, i) - i))
            continue;
        report_put(p, "<li><svg class=i viewBox=\"-7 -7 14 14\" aria-hidden=true>");
        report_draw_mark(p, 0, 0, layer, true);
        report_put(p, "</svg>");
        report_text(p, view->layers[layer]);
        report_put(p, "</li>");
    }
    report_put(p, "</ul>\n");
}
