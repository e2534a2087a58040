/* Routing alone: the time for a token over the tokens. A picture for each layer and k, a line for each number of
 * experts. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/order.h"

enum { WIDTH = 400, HEIGHT = 300, LEFT = 56, RIGHT = 318, TOP = 22, BOTTOM = 258, LABEL_HEIGHT = 13 };

/* Rows with a time: by picture, line, tokens. */
typedef struct group {
    const report_row *const *rows;
    size_t count;
} group;

static double time_of(const report_row *row)
{
    return row->data->runs[RESULTS_HARD].ns_per_token;
}

static bool is_shown(const report_row *row)
{
    const results_run *run = &row->data->runs[RESULTS_HARD];
    return row->layer < 0 && !row->data->unsupported[0] && run->there && report_known(run->ns_per_token);
}

/* What the lines of a picture have in common: all but the experts, and how many of them may run. */
static int compare_pictures(const report_row *a, const report_row *b)
{
    results_shape x = a->data->shape, y = b->data->shape;
    x.experts = x.max_active = y.experts = y.max_active = 0;
    x.given_eps = x.given_group_eps = x.given_expected_active = NAN;
    y.given_eps = y.given_group_eps = y.given_expected_active = NAN;
    int order = program_compare_numbers(a->series - b->series, 0);
    order = order ? order : strcmp(a->data->layer, b->data->layer);
    return order ? order : results_compare_shapes(&x, &y);
}

/* Hard routing, whose times are shown, does not depend on what else a row may have been given. */
static int compare_lines(const report_row *a, const report_row *b)
{
    const results_shape *x = &a->data->shape, *y = &b->data->shape;
    int order = compare_pictures(a, b);
    order = order ? order : program_compare_numbers(x->experts, y->experts);
    return order ? order : program_compare_numbers(x->max_active, y->max_active);
}

static int compare_points(const report_row *a, const report_row *b)
{
    const int order = compare_lines(a, b);
    return order ? order : program_compare_numbers(a->data->tokens, b->data->tokens);
}

static int compare(const void *left, const void *right)
{
    const report_row *a = *(const report_row *const *)left, *b = *(const report_row *const *)right;
    const int order = compare_points(a, b);
    return order ? order : program_compare_numbers(a->number, b->number);
}

static report_plot make_plot(report_page *p, const group *g)
{
    double low = INFINITY, high = 0, fewest = INFINITY, most = 0;
    for (size_t i = 0; i < g->count; i++) {
        low = fmin(low, time_of(g->rows[i]));
        high = fmax(high, time_of(g->rows[i]));
        fewest = fmin(fewest, g->rows[i]->data->tokens);
        most = fmax(most, g->rows[i]->data->tokens);
    }
    return (report_plot){p, report_log_axis(fewest, most, LEFT, RIGHT),
                         report_log_axis(low / 1e9, high / 1e9, BOTTOM, TOP)};
}

static void draw_line(const report_plot *plot, const group *line, int mark)
{
    report_put(plot->page, "<path class=\"c%d u\" d=\"", mark % REPORT_MARKS);
    for (size_t i = 0; i < line->count; i++)
        report_put(plot->page, "%s%.1f %.1f", i ? "L" : "M", report_place(&plot->x, line->rows[i]->data->tokens),
                   report_place(&plot->y, time_of(line->rows[i]) / 1e9));
    report_put(plot->page, "\"/>");
    for (size_t i = 0; i < line->count; i++)
        report_draw_mark(plot->page, report_place(&plot->x, line->rows[i]->data->tokens),
                         report_place(&plot->y, time_of(line->rows[i]) / 1e9), mark, true);
}

/* Whether another line of the picture has as many experts. */
static bool has_twin(const group *picture, const group *line)
{
    bool twin = false;
    for (size_t i = 0; i < picture->count; i++)
        twin = twin || (picture->rows[i]->data->shape.experts == line->rows[0]->data->shape.experts &&
                        compare_lines(picture->rows[i], line->rows[0]) != 0);
    return twin;
}

/* Beside a line's end, and above the name of the line before. */
static void draw_name(const report_plot *plot, const group *picture, const group *line, double *above)
{
    const results_shape *shape = &line->rows[0]->data->shape;
    const double y = fmin(report_place(&plot->y, time_of(line->rows[line->count - 1]) / 1e9), *above);
    char most[32] = " experts";
    if (has_twin(picture, line))
        snprintf(most, sizeof most, ", most %u", shape->max_active);
    if (y >= TOP)
        report_put(plot->page, "<text x=%d y=%.1f>%u%s</text>", RIGHT + 8, y + 4, shape->experts, most);
    *above = y - LABEL_HEIGHT;
}

static void begin_picture(report_page *p, const report_row *first)
{
    char title[REPORT_TEXT_SIZE];
    snprintf(title, sizeof title, "Routing on %s: %.40s, D = %u, k = %u", first->series->letter, first->data->layer,
             first->data->shape.d_model, first->data->shape.top_k);
    report_begin_picture(
        p, WIDTH, HEIGHT, title,
        "The time of hard routing alone for each token over the tokens, both axes logarithmic, a line for each "
        "number of experts. The table has the numbers.");
}

static void write_picture(report_page *p, const group *g)
{
    const report_plot plot = make_plot(p, g);
    double above = BOTTOM;
    int mark = 0;
    begin_picture(p, g->rows[0]);
    report_draw_axes(&plot, NULL, "tokens", "s", "time for each token");
    for (size_t i = 0; i < g->count; mark++) {
        group line = {&g->rows[i], 0};
        for (; i < g->count && compare_lines(g->rows[i], line.rows[0]) == 0; i++)
            line.count++;
        draw_line(&plot, &line, mark);
        draw_name(&plot, g, &line, &above);
    }
    report_end_picture(p, NULL);
}

/* The first of rows at the same point. */
static size_t collect(const report_view *view, const report_row **rows)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < view->row_count; i++)
        if (is_shown(&view->rows[i]))
            rows[count++] = &view->rows[i];
    qsort(rows, count, sizeof *rows, compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || compare_points(rows[kept - 1], rows[i]) != 0)
            rows[kept++] = rows[i];
    return kept;
}

void report_write_routing_pictures(report_page *p, const report_view *view)
{
    const report_row **rows = calloc(view->row_count + 1, sizeof *rows);
    const size_t count = rows ? collect(view, rows) : 0;
    p->no_memory = p->no_memory || !rows;
    for (size_t i = 0; i < count;) {
        group g = {&rows[i], 0};
        for (; i < count && compare_pictures(rows[i], g.rows[0]) == 0; i++)
            g.count++;
        write_picture(p, &g);
    }
    free(rows);
}
