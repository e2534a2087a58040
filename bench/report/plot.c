/* What charts share: cards, axes, marks. */
#include "report.h"

enum { MOST_ACROSS = 6, MOST_UP = 9 };

void report_begin_picture(report_page *p, int width, int height, const char *title, const char *about)
{
    report_put(p, "<figure class=card><figcaption>");
    report_text(p, title);
    report_put(p, "</figcaption><svg role=img viewBox=\"0 0 %d %d\"><title>", width, height);
    report_text(p, title);
    report_put(p, "</title><desc>");
    report_text(p, about);
    report_put(p, "</desc>");
}

void report_end_picture(report_page *p, const char *note)
{
    report_put(p, "</svg>");
    if (note && note[0]) {
        report_put(p, "<p class=note>");
        report_text(p, note);
        report_put(p, "</p>");
    }
    report_put(p, "</figure>\n");
}

static const char *label_of(char text[REPORT_TEXT_SIZE], double value, const char *unit)
{
    return unit ? report_tick(text, value, unit) : report_number(text, value, 6);
}

void report_draw_ticks(report_page *p, const report_axis *x, double y0, double y1, const char *unit)
{
    double ticks[REPORT_MAX_TICKS];
    char text[REPORT_TEXT_SIZE];
    const int count = report_ticks(x, MOST_ACROSS, ticks);
    for (int i = 0; i < count; i++) {
        const double at = report_place(x, ticks[i]);
        report_put(p, "<path class=g d=\"M%.1f %.1fV%.1f\"/>", at, y0, y1);
        report_put(p, "<text class=\"t m\" x=%.1f y=%.1f>%s</text>", at, y1 + 16, label_of(text, ticks[i], unit));
    }
}

static void draw_y_ticks(report_page *p, const report_axis *y, double x0, double x1, const char *unit)
{
    double ticks[REPORT_MAX_TICKS];
    char text[REPORT_TEXT_SIZE];
    const int count = report_ticks(y, MOST_UP, ticks);
    for (int i = 0; i < count; i++) {
        const double at = report_place(y, ticks[i]);
        report_put(p, "<path class=g d=\"M%.1f %.1fH%.1f\"/>", x0, at, x1);
        report_put(p, "<text class=\"t e\" x=%.1f y=%.1f>%s</text>", x0 - 5, at + 4, label_of(text, ticks[i], unit));
    }
}

void report_draw_axes(const report_plot *plot, const char *x_unit, const char *x_title, const char *y_unit,
                      const char *y_title)
{
    report_page *p = plot->page;
    report_draw_ticks(p, &plot->x, plot->y.to, plot->y.from, x_unit);
    draw_y_ticks(p, &plot->y, plot->x.from, plot->x.to, y_unit);
    report_put(p, "<path class=a d=\"M%.1f %.1fV%.1fH%.1f\"/>", plot->x.from, plot->y.to, plot->y.from, plot->x.to);
    report_put(p, "<text class=m x=%.1f y=%.1f>%s</text>", (plot->x.from + plot->x.to) / 2, plot->y.from + 33, x_title);
    report_put(p, "<text x=2 y=12>%s</text>", y_title);
}

/* Within a circle of radius 5. */
static const char *const marks[REPORT_MARKS] = {
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",                                           /* circle */
    "M-3.6-3.6h7.2v7.2h-7.2z",                                                       /* square */
    "M0-5L4.6 3.4H-4.6z",                                                            /* triangle */
    "M0-5.2L4.2 0L0 5.2L-4.2 0z",                                                    /* diamond */
    "M0 5L4.6-3.4H-4.6z",                                                            /* triangle that points down */
    "M-1.6-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",                                 /* cross */
    "M-4.4-4.4L4.4-4.4L-4.4 4.4L4.4 4.4z",                                           /* hourglass */
    "M0-5.4L1.5-1.7L5.2-1.7L2.3.8L3.3 4.6L0 2.3L-3.3 4.6L-2.3.8L-5.2-1.7L-1.5-1.7z", /* star */
};

void report_draw_mark(report_page *p, double x, double y, int mark, bool filled)
{
    /* Where there are more layers than marks, the same mark has another colour. */
    const int shape = mark % REPORT_MARKS, colour = (mark + mark / REPORT_MARKS) % REPORT_MARKS;
    report_put(p, "<path class=\"c%d %s\" transform=\"translate(%.1f %.1f)\" d=\"%s\"/>", colour, filled ? "f" : "h", x,
               y, marks[shape]);
}
