/* What the files of the report share. */
#ifndef VISION_REPORT_INTERNAL_H
#define VISION_REPORT_INTERNAL_H

#include "program/output.h"
#include "report.h"

#include <stdio.h>

/* ---- the file (report_page.c) ------------------------------------------------------------------------------------ */

/* Functions that write remember the first failure and go on: page_close, and page_good, say so. */
typedef struct page {
    program_output output;
    const char *path;
    uint64_t size; /* bytes written */
    int error;     /* errno of the first failure; 0: none */
} page;

/* False after printing why not. */
bool page_open(page *p, const char *path);
bool page_good(page *p);  /* what was written so far has reached the file */
bool page_close(page *p);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void page_put(page *p, const char *format, ...);

/* Text from anywhere by program_html: harmless, and of at most `most` characters. */
void page_text(page *p, const char *text, uint32_t most);

#define REPORT_CRISP 96u /* pictures up to this side are shown pixel by pixel */

/* A picture as a data URI: crisp, as PNG, which loses nothing; else JPEG. */
void page_picture(page *p, const image *picture, bool crisp);

/* ---- what one block did with one picture (report_routing.c) ------------------------------------------------------ */

#define REPORT_NEAR 0.01f /* a gap below this is counted as near a boundary */

/* Sums over all pictures. */
typedef struct routing_totals {
    /* extended: with extra experts; near: gap < REPORT_NEAR; tied: order > 0 */
    uint64_t tokens, active, extended, near, tied, nonfinite;
} routing_totals;

typedef struct routing {
    page *page;
    uint32_t picture, block;  /* numbers, for names within the page */
    uint32_t grid;            /* patches along a side */
    uint32_t expert_count, k, max_active;
    float eps;
    const uint32_t *records;  /* [1 + grid * grid, stride] (smoe/report.h), the class token first */
    uint32_t stride;
    uint32_t *cells;          /* [grid * grid], to work in */
    float *gaps;              /* likewise */
    uint32_t *patches;        /* [expert_count]: likewise */
} routing;

void routing_write(const routing *r, routing_totals *totals);

/* ---- the page as a whole (report_summary.c) ---------------------------------------------------------------------- */

#define REPORT_NAME_LENGTH 200u /* characters that are shown of a name */

/* A line of the index. */
typedef struct entry {
    const char *path;
    uint32_t answer;
    double probability;
    bool read, answered, unsure;
} entry;

/* The page while it is written. */
struct report {
    const classify_session *session;
    page page;
    image seen; /* by the model: [image_size, image_size, 3] */
    uint32_t *cells, *patches;
    float *gaps;
    entry *entries;
    uint32_t count, capacity, read, unsure;
    uint64_t smallest, largest; /* bytes of a picture that was read */
    routing_totals totals[VISION_MAX_DEPTH];
};

/* The band width that a block with experts runs with. */
float report_eps(const report *r, uint32_t block);
void report_write_class(report *r, uint32_t index, uint32_t most);
void report_write_summary(report *r, bool complete);

/* ---- what never changes (report_style.c) ------------------------------------------------------------------------- */

#define REPORT_GAP_STEPS 9u    /* colours of the gap: below each of the limits, and the rest */
#define REPORT_EXTRA_STEPS 4u  /* colours of 1, 2, 3, and 4 or more extra experts */
#define REPORT_COLOURS 30u     /* of experts; then they come again */

extern const float report_gap_limits[REPORT_GAP_STEPS - 1];
void report_write_head(page *p);    /* as far as the body's beginning */
void report_write_legend(page *p, bool smooth);
void report_write_script(page *p);

#endif
