/* Routing alone: the time for a token over the tokens, a line for each number of experts. */
#include "report.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 400, HEIGHT = 300, LEFT = 56, RIGHT = 318, TOP = 22, BOTTOM = 258, LABEL_HEIGHT = 13 };

/* Rows with a time: by device, k, experts, tokens. */
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

static int compare(const void *left, const void *right)
{
    const report_row *a = *(const report_row *const *)left, *b = *(const report_row *const *)right;
    const results_shape *x = &a->data->shape, *y = &b->data->shape;
    if (a->series != b->series)
        return a->series < b->series ? -1 : 1;
    if (x->top_k != y->top_k)
        return x->top_k < y->top_k ? -1 : 1;
    if (x->experts != y->experts)
        return x->experts < y->experts ? -1 : 1;
    return (a->data->tokens > b->data->tokens) - (a->data->tokens < b->data->tokens);
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

/* Beside a line's end, and above the name of the line before. */
static void draw_name(const report_plot *plot, const group *line, double *above)
{
    const double y = fmin(report_place(&plot->y, time_of(line->rows[line->count - 1]) / 1e9), *above);
    if (y >= TOP)
        report_put(plot->page, "<text x=%d y=%.1f>%u experts</text>", RIGHT + 8, y + 4,
                   line->rows[0]->data->shape.experts);
    *above = y - LABEL_HEIGHT;
}

static void write_picture(report_page *p, const group *g)
{
    const report_plot plot = make_plot(p, g);
    const report_row *first = g->rows[0];
    double above = BOTTOM;
    int mark = 0;
    char title[64];
    snprintf(title, sizeof title, "Routing on %s, k = %u", first->series->letter, first->data->shape.top_k);
    report_begin_picture(
        p, WIDTH, HEIGHT, title,
        "The time of hard routing alone for each token over the tokens, both axes logarithmic, a line for each "
        "number of experts. The table has the numbers.");
    report_draw_axes(&plot, NULL, "tokens", "s", "time for each token");
    for (size_t i = 0; i < g->count; mark++) {
        group line = {&g->rows[i], 0};
        for (; i < g->count && g->rows[i]->data->shape.experts == line.rows[0]->data->shape.experts; i++)
            line.count++;
        draw_line(&plot, &line, mark);
        draw_name(&plot, &line, &above);
    }
    report_end_picture(p, NULL);
}

static size_t collect(const report_view *view, const report_row **rows)
{
    size_t count = 0;
    for (size_t i = 0; i < view->row_count; i++)
        if (is_shown(&view->rows[i]))
            rows[count++] = &view->rows[i];
    qsort(rows, count, sizeof *rows, compare);
    return count;
}

/* Whether two rows are of one picture. */
static bool is_together(const report_row *a, const report_row *b)
{
    return a->series == b->series && a->data->shape.top_k == b->data->shape.top_k;
}

void report_write_routing_pictures(report_page *p, const report_view *view)
{
    const report_row **rows = calloc(view->row_count + 1, sizeof *rows);
    const size_t count = rows ? collect(view, rows) : 0;
    p->no_memory = p->no_memory || !rows;
    for (size_t i = 0; i < count;) {
        group g = {&rows[i], 0};
        for (; i < count && is_together(rows[i], g.rows[0]); i++)
            g.count++;
        write_picture(p, &g);
    }
    free(rows);
}
