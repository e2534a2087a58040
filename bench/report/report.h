/* smoe-bench report: results documents as one page. What its files share; ../README.md says what the page shows.
 *
 * A number that a document does not have is NaN. Numbers are printed by the C locale, which no program here changes. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../read/results.h"

/* ---- page.c: text ------------------------------------------------------------------------------------------------ */

typedef struct report_page {
    FILE *to;
    bool no_memory; /* something is missing */
} report_page;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void report_put(report_page *p, const char *format, ...);
void report_text(report_page *p, const char *text); /* of a document: harmless, and not too long */

enum { REPORT_TEXT_SIZE = 160 };

bool report_known(double value); /* finite and above 0 */
/* Each gives `text`; "–" for what is not known. */
const char *report_amount(char text[REPORT_TEXT_SIZE], double value,
                          const char *unit); /* "15.8 ms", of seconds and "s" */
/* The same, as short as can be: "1 ms". */
const char *report_tick(char text[REPORT_TEXT_SIZE], double value, const char *unit);
const char *report_number(char text[REPORT_TEXT_SIZE], double value, int digits);
const char *report_time(char text[REPORT_TEXT_SIZE], double nanoseconds);
const char *report_share(char text[REPORT_TEXT_SIZE], double share); /* "38.6 %" */

/* ---- axis.c: from values to places ------------------------------------------------------------------------------- */

typedef struct report_axis {
    double low, high; /* values at its ends, both of them ticks */
    double from, to;  /* their places */
    double step;      /* between the ticks of a linear axis; 0: the axis is logarithmic */
} report_axis;

enum { REPORT_MAX_TICKS = 16 };

/* Axes that hold every value from low to high. */
report_axis report_log_axis(double low, double high, double from, double to);
report_axis report_linear_axis(double low, double high, double from, double to);
double report_place(const report_axis *axis, double value);
/* Values with a label. most: labels that there is room for. */
int report_ticks(const report_axis *axis, int most, double ticks[REPORT_MAX_TICKS]);

/* ---- plot.c: what charts share ----------------------------------------------------------------------------------- */

/* The place of a chart within its picture. */
typedef struct report_plot {
    report_page *page;
    report_axis x, y;
} report_plot;

/* Opens a card with a picture: its title is a heading too, and about says what is seen, for those who do not see it. */
void report_begin_picture(report_page *p, int width, int height, const char *title, const char *about);
void report_end_picture(report_page *p, const char *note); /* below it; NULL: none */
/* Grid, ticks, and what the axes are. unit: of the ticks, behind SI's prefixes; NULL: plain numbers. */
void report_draw_axes(const report_plot *plot, const char *x_unit, const char *x_title, const char *y_unit,
                      const char *y_title);
/* Vertical lines from y0 to y1, and their ticks below. */
void report_draw_ticks(report_page *p, const report_axis *x, double y0, double y1, const char *unit);

enum { REPORT_MARKS = 8 };
/* A layer's mark: filled for hard, hollow for smooth. */
void report_draw_mark(report_page *p, double x, double y, int mark, bool filled);

/* ---- labels.c: labels that cover nothing ------------------------------------------------------------------------- */

typedef struct report_box {
    double x, y, width, height;
} report_box;

enum { REPORT_MOST_BOXES = 2048 }; /* beyond, a picture is full */

typedef struct report_labels {
    report_box within, taken[REPORT_MOST_BOXES];
    size_t count;
} report_labels;

void report_take_box(report_labels *labels, report_box box);
/* Finds room for a label beside a point and takes it. False where there is none. out: its box. */
bool report_find_room(report_labels *labels, double x, double y, double width, double height, report_box *out);
/* A row's number beside its mark, where there is room. */
void report_draw_number(report_page *p, report_labels *labels, uint32_t number, double x, double y);

/* ---- view.c: the documents as rows, numbered over the page ------------------------------------------------------- */

/* What of a device's peaks a forward needs at the least. */
enum { REPORT_BYTES, REPORT_OPERATIONS, REPORT_DISPATCHES, REPORT_LIMITS };
extern const char *const report_limit_names[REPORT_LIMITS];

/* A device of a document. */
typedef struct report_series {
    char letter[8]; /* "A", "B", ... */
    int colour;     /* from 0 on */
    const results_document *document;
    const results_device *device;
    /* float32's, the highest of all and its name, and the fastest transfer within the device and its name */
    double flop_peak, best_flop_peak, byte_peak;
    const char *best_flop_name, *byte_name;
    double dispatch, barrier;      /* nanoseconds of one more */
    const struct report_row *rows; /* [row_count], a layer's one after another, then those of routing alone */
    size_t row_count, unsupported_count;
} report_series;

typedef struct report_row {
    const results_row *data;
    const report_series *series;
    uint32_t number;   /* from 1 on */
    int layer;         /* of view->layers, and its mark; -1: a row of routing */
    bool shapes, caps; /* the layer's rows have several shapes, or several values of max_active */
    double share[RESULTS_ROUTING_COUNT][REPORT_LIMITS]; /* of a run's time */
} report_row;

typedef struct report_view {
    const results_document *documents;
    size_t document_count;
    report_series *series;
    size_t series_count;
    report_row *rows;           /* [row_count], a device's one after another */
    const report_row **by_work; /* the same: those of the same work one after another, in the order of devices */
    size_t row_count;
    const char **layers; /* names, in the order of their first rows */
    int layer_count;
} report_view;

double report_peak(const results_device *device, const char *name); /* NaN: not measured */

/* False: no memory. */
bool report_view_create(const results_document *documents, size_t count, report_view *out);
void report_view_destroy(report_view *view);

/* Whether a run has times, and its times: the device's where it has timestamps, else the host's. */
bool report_measured(const report_row *row, int routing); /* routing alone too */
bool report_ran(const report_row *row, int routing);
const results_spread *report_spread(const results_run *run);
/* The limit that takes the largest share of a run's time; -1: none is known. */
int report_largest_limit(const report_row *row, int routing);
/* A run is bound by its largest limit from this share of its time on. */
#define REPORT_BOUND 0.5
/* By layer, tokens, weights and shape; 0: what two devices can be compared by. */
int report_compare_work(const report_row *a, const report_row *b);
/* "512 tokens, f16, mixed precision"; what else tells it from rows of the same layer, "at most 6, eps 0.2", or ""; and
 * "512 f16 mix" or, where that does not tell it, "row 12". Each gives `text`. */
const char *report_row_text(const report_row *row, char text[REPORT_TEXT_SIZE]);
const char *report_row_details(const report_row *row, char text[REPORT_TEXT_SIZE]);
const char *report_row_short(const report_row *row, char text[REPORT_TEXT_SIZE]);
/* "bytes 88 %", or "none (bytes 31 %)": gives `text`, or "" where no limit is known. limits.c */
const char *report_bound_text(const report_row *row, int routing, char text[REPORT_TEXT_SIZE]);
/* Where the rows of a device's layer that begin at i end. */
size_t report_layer_end(const report_series *series, size_t i);
/* The run that stands for a row: hard, or smooth where there is no other; -1: none ran. */
int report_main_run(const report_row *row);
bool report_any_ran(const report_row *rows, size_t count); /* of layers */

/* ---- the parts of the page, in their order ----------------------------------------------------------------------- */

void report_write_style(report_page *p);                             /* style.c */
void report_write_overview(report_page *p, const report_view *view); /* overview.c: the devices, and what to doubt */
void report_write_times(report_page *p, const report_view *view);    /* times.c: bars by layer */
/* roofline.c: the marks of a device's layers */
void report_write_key(report_page *p, const report_view *view, const report_series *series);
void report_write_roofline(report_page *p, const report_series *series);                        /* roofline.c */
void report_write_smooth(report_page *p, const report_series *series);                          /* smooth.c */
void report_write_stages(report_page *p, const report_view *view, const report_series *series); /* stages.c */
void report_write_limits(report_page *p, const report_view *view, const report_series *series); /* limits.c */
void report_write_routing_pictures(report_page *p, const report_view *view);                    /* routing_picture.c */
void report_write_routing(report_page *p, const report_view *view);  /* routing.c: rows of routing alone */
void report_write_types(report_page *p, const report_view *view);    /* types.c: rows by the type of their weights */
void report_write_table(report_page *p, const report_view *view);    /* table.c: every row, and its stages */
void report_write_measured(report_page *p, const report_view *view); /* measured.c: how */

/* ---- report.c ---------------------------------------------------------------------------------------------------- */

void report_write_page(report_page *p, const report_view *view);

/* ---- cards.c: what pictures of one layer each have in common ----------------------------------------------------- */

typedef bool report_shows(const report_row *row); /* whether a card shows the row */
size_t report_count_rows(const report_row *rows, size_t count, report_shows *shows);

/* Draws a layer's card. count: of its rows, `shown` of which it shows. */
typedef void report_card(report_page *p, const report_view *view, const report_row *rows, size_t count, size_t shown);
/* A card for each layer of the series that has rows to show. */
void report_write_cards(report_page *p, const report_view *view, const report_series *series, report_shows *shows,
                        report_card *card);

#endif
