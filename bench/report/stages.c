/* Where a forward's time goes, stage by stage: bars of shares. */
#include "report.h"

#include <math.h>
#include <string.h>

#include <smoe/smoe.h>

enum {
    WIDTH = 400,
    LEFT = 92,
    BARS = 338,
    RIGHT = 396,
    TOP = 6,
    BAR = 20,
    THICK = 15,
    BELOW = 39,
    LETTER_ROOM = 14,
    TEXT_ROOM = 52
};

/* What a stage is called where there is little room: by its place in a forward. The last one is the time between. */
static const char letters[] = "PLGRTSdUDsuC";
enum { BETWEEN = sizeof letters - 1, OTHER = BETWEEN + 1 };
_Static_assert(sizeof letters - 1 == SMOE_STAGE_COUNT, "each stage has a letter");

static int stage_index(const char *name)
{
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        if (strcmp(smoe_stage_name((smoe_stage)i), name) == 0)
            return i;
    return OTHER;
}

static bool has_stages(const report_row *row)
{
    const int routing = report_main_run(row);
    return routing >= 0 && row->data->runs[routing].stage_count > 0;
}

static double sum_of_stages(const results_run *run)
{
    double sum = 0;
    for (size_t i = 0; i < run->stage_count; i++)
        sum += run->stages[i].ns.median;
    return sum;
}

static void draw_share(report_page *p, int stage, double *from, double share, double y)
{
    const double width = share * (BARS - LEFT), x = *from;
    *from += width;
    report_put(p, "<path class=\"z%d z\" d=\"M%.1f %.1fh%.2fv%dh%.2fz\"/>", stage, x, y, width, THICK, -width);
    if (stage > BETWEEN || width < LETTER_ROOM)
        return;
    report_put(p, "<text class=\"m x%d\" x=%.1f y=%.1f>", stage, x + width / 2, y + 11.5);
    if (stage < BETWEEN)
        report_put(p, "%c", letters[stage]);
    if (width > TEXT_ROOM)
        report_put(p, " %.0f %%", 100 * share);
    report_put(p, "</text>");
}

static void draw_row(report_page *p, const report_row *row, double y)
{
    const results_run *run = &row->data->runs[report_main_run(row)];
    const double stages = sum_of_stages(run), time = fmax(results_run_time(run), stages);
    char text[REPORT_TEXT_SIZE];
    double from = LEFT;
    report_put(p, "<text class=e x=%d y=%.1f>", LEFT - 6, y + 12);
    report_text(p, report_row_short(row, text));
    report_put(p, "</text>");
    for (size_t i = 0; i < run->stage_count; i++)
        draw_share(p, stage_index(run->stages[i].name), &from, run->stages[i].ns.median / time, y);
    draw_share(p, BETWEEN, &from, (time - stages) / time, y);
    report_put(p, "<text class=e x=%d y=%.1f>%s</text>", RIGHT, y + 12, report_time(text, time));
}

static void write_layer(report_page *p, const report_view *view, const report_row *rows, size_t count, size_t shown)
{
    const int height = TOP + (int)shown * BAR;
    const report_axis axis = report_linear_axis(0, 100, LEFT, BARS);
    double y = TOP;
    report_begin_picture(p, WIDTH, height + BELOW, view->layers[rows->layer],
                         "The shares of a forward's time that its stages take, by tokens and type of the weights; on "
                         "the right its time. The table of stages has the numbers.");
    for (size_t i = 0; i < count; i++)
        if (has_stages(&rows[i])) {
            draw_row(p, &rows[i], y);
            y += BAR;
        }
    report_draw_ticks(p, &axis, height - 4, height, NULL);
    report_put(p, "<text class=m x=%d y=%d>%% of the time of a forward</text>", (LEFT + BARS) / 2, height + 33);
    report_end_picture(p, NULL);
}

static void write_key(report_page *p)
{
    report_put(p, "<ul class=key>");
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        report_put(p, "<li><b class=\"z%d x%d\">%c</b>%s</li>", i, i, letters[i], smoe_stage_name((smoe_stage)i));
    report_put(p, "<li><b class=\"z%d\"> </b>between them</li></ul>\n", BETWEEN);
}

void report_write_stages(report_page *p, const report_view *view, const report_series *series)
{
    if (report_count_rows(series->rows, series->row_count, has_stages) == 0)
        return;
    report_put(p,
               "<h3>Where the time goes on %s</h3><p>The medians of the stages with hard routing, in their "
               "order. On the left "
               "tokens and type of the weights, on the right the time.</p>",
               series->letter);
    write_key(p);
    report_write_cards(p, view, series, has_stages, write_layer);
}
