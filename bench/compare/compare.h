/* smoe-bench compare: rows of documents of results side by side. bench/README.md, "Compare", says what it prints. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "../read/results.h"

/* The program: arguments begin with "compare". An exit status. */
int compare_main(int count, char **arguments);

/* ---- columns.c: what is compared --------------------------------------------------------------------------------- */

enum { COMPARE_MAX_COLUMNS = 26 }; /* a letter each */

/* One way of routing in a row. */
typedef struct compare_entry {
    const results_row *row;
    int routing;            /* RESULTS_HARD, RESULTS_SMOOTH */
    const results_run *run; /* of a row that is unsupported it is not there */
    bool repeated;          /* one before it matches, and this one does not count */
} compare_entry;

/* The rows of a device in a document: the first column is what others are compared with. */
typedef struct compare_column {
    char letter;
    const results_document *document;
    const results_device *device;
    compare_entry *entries; /* [count], in the document's order */
    compare_entry **sorted; /* [count - repeated], without those that do not count */
    size_t count, repeated;
} compare_column;

/* A column for each device of a document that has rows and `device` in its name; NULL: any. Adds to *column_count.
 * False with the reason: there is none, there are too many, or no memory is left. */
bool compare_add_columns(const results_document *document, const char *device, compare_column *columns,
                         size_t *column_count, char reason[RESULTS_REASON_SIZE]);
void compare_release_columns(compare_column *columns, size_t column_count);

/* The entry of a column that is of the same layer and run; NULL if there is none. */
const compare_entry *compare_find(const compare_column *column, const compare_entry *entry);

/* ---- verdict.c: how they differ ---------------------------------------------------------------------------------- */

typedef enum compare_verdict {
    COMPARE_FASTER, /* the whole interval lies below, above or within what counts as the same */
    COMPARE_SLOWER,
    COMPARE_SAME,
    COMPARE_UNCLEAR, /* none of them, or there are too few samples for an interval */
    COMPARE_NOT_COUNTED,
    COMPARE_VERDICT_COUNT
} compare_verdict;

extern const char *const compare_verdict_names[COMPARE_VERDICT_COUNT];

/* Times of another column's over the first's. NaN: there is none. */
typedef struct compare_ratio {
    double ratio, low, high; /* an interval of 95 % */
    compare_verdict verdict;
} compare_ratio;

/* A row of the table. */
typedef struct compare_line {
    const compare_entry *first, *other;
    size_t column;       /* of the other */
    double times[2];     /* nanoseconds: medians of the samples, of one clock. NaN: there is none */
    compare_ratio ratio; /* NOT_COUNTED: the note says why */
    char note[160];
    const char *reason; /* behind the note: why it is unsupported, or "" */
} compare_line;

/* The geometric mean over the rows that all columns have, of a column. */
typedef struct compare_mean {
    size_t row_count;
    compare_ratio ratio;
} compare_mean;

typedef struct compare_result {
    const compare_column *columns; /* [column_count] */
    size_t column_count;
    double same;         /* the share by which a ratio may differ from 1 and counts as none */
    compare_line *lines; /* [line_count], in the order of the first column's document */
    size_t line_count;
    compare_mean means[COMPARE_MAX_COLUMNS]; /* from 1 on */
} compare_result;

/* same: as in the result. False where there is no memory. */
bool compare_columns(const compare_column *columns, size_t column_count, double same, compare_result *result);
void compare_release(compare_result *result);

/* ---- print.c ----------------------------------------------------------------------------------------------------- */

typedef enum compare_format { COMPARE_TABLE, COMPARE_MARKDOWN } compare_format;

void compare_print(FILE *out, compare_format format, const compare_result *result);

#endif
