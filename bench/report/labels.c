/* Labels that cover nothing: the first free place around a point, from near to far. */
#include "report.h"

#include <math.h>
#include <string.h>

enum { DIGIT_WIDTH = 7, DIGIT_HEIGHT = 10, GAP = 3, BESIDE = 9 };

static bool overlap(report_box a, report_box b)
{
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

static bool is_free(const report_labels *labels, report_box box)
{
    const report_box within = labels->within;
    if (box.x < within.x || box.y < within.y || box.x + box.width > within.x + within.width ||
        box.y + box.height > within.y + within.height)
        return false;
    for (size_t i = 0; i < labels->count; i++)
        if (overlap(box, labels->taken[i]))
            return false;
    return true;
}

void report_take_box(report_labels *labels, report_box box)
{
    if (labels->count < REPORT_MOST_BOXES)
        labels->taken[labels->count++] = box;
}

bool report_find_room(report_labels *labels, double x, double y, double width, double height, report_box *out)
{
    static const struct {
        double x, y; /* of the label's middle from the point, in halves of its size */
    } places[] = {{1, 0}, {-1, 0}, {0, -1}, {0, 1}, {1, -1}, {1, 1}, {-1, -1}, {-1, 1}};
    for (int far = 0; far < 3 && labels->count < REPORT_MOST_BOXES; far++)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            const double away_x = width / 2 + 6 + 7 * far, away_y = height / 2 + 5 + 7 * far;
            const report_box box = {x + places[i].x * away_x - width / 2, y + places[i].y * away_y - height / 2, width,
                                    height};
            if (is_free(labels, box)) {
                report_take_box(labels, box);
                *out = box;
                return true;
            }
        }
    return false;
}

/* From a point to the nearest side of a label that is not beside it. */
static void draw_leader(report_page *p, double x, double y, report_box box)
{
    const double left = box.x, right = box.x + box.width, top = box.y, bottom = box.y + box.height;
    const double to_x = x < left ? left : x > right ? right : x, to_y = y < top ? top : y > bottom ? bottom : y;
    if ((to_x - x) * (to_x - x) + (to_y - y) * (to_y - y) > BESIDE * BESIDE)
        report_put(p, "<path class=a d=\"M%.1f %.1fL%.1f %.1f\"/>", x, y, to_x, to_y);
}

void report_draw_number(report_page *p, report_labels *labels, uint32_t number, double x, double y)
{
    char text[REPORT_TEXT_SIZE];
    report_box box;
    snprintf(text, sizeof text, "%u", number);
    if (!report_find_room(labels, x, y, (double)strlen(text) * DIGIT_WIDTH + GAP, DIGIT_HEIGHT, &box))
        return;
    draw_leader(p, x, y, box);
    report_put(p, "<text class=n x=%.1f y=%.1f>%s</text>", box.x + box.width / 2, box.y + 8.5, text);
}
