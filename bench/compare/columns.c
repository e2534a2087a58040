/* Which rows of documents match. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#include "program/order.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- matching ---------------------------------------------------------------------------------------------------- */

/* 0 for entries that match. */
static int compare_keys(const compare_entry *left, const compare_entry *right)
{
    const results_row *a = left->row, *b = right->row;
    const int orders[] = {
        program_compare_numbers(a->kind, b->kind),
        strcmp(a->layer, b->layer),
        results_compare_shapes(&a->shape, &b->shape),
        program_compare_numbers(a->tokens, b->tokens),
        strcmp(a->weights, b->weights),
        program_compare_numbers(a->mixed_precision, b->mixed_precision),
        left->routing - right->routing,
    };
    for (size_t i = 0; i < COUNT(orders); i++)
        if (orders[i] != 0)
            return orders[i];
    return 0;
}

/* Entries that match are in the order of their document. */
static int compare_pointers(const void *left, const void *right)
{
    const compare_entry *a = *(compare_entry *const *)left, *b = *(compare_entry *const *)right;
    const int order = compare_keys(a, b);
    return order != 0 ? order : (a > b) - (a < b);
}

const compare_entry *compare_find(const compare_column *column, const compare_entry *entry)
{
    for (size_t low = 0, high = column->count - column->repeated; low < high;) {
        const size_t middle = (low + high) / 2;
        const int order = compare_keys(entry, column->sorted[middle]);
        if (order == 0)
            return column->sorted[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

static bool has_row(const results_document *document, size_t device)
{
    for (size_t i = 0; i < document->row_count; i++)
        if (document->rows[i].device == device)
            return true;
    return false;
}

static void add_entries(compare_column *column, size_t device)
{
    for (size_t i = 0; i < column->document->row_count; i++) {
        const results_row *row = &column->document->rows[i];
        for (int routing = 0; row->device == device && routing < RESULTS_ROUTING_COUNT; routing++)
            if (row->unsupported[0] || row->runs[routing].there)
                column->entries[column->count++] =
                    (compare_entry){.row = row, .routing = routing, .run = &row->runs[routing]};
    }
}

/* Of entries that match, the first one stays. */
static void sort_entries(compare_column *column)
{
    size_t kept = 0;
    for (size_t i = 0; i < column->count; i++)
        column->sorted[i] = &column->entries[i];
    qsort(column->sorted, column->count, sizeof(compare_entry *), compare_pointers);
    for (size_t i = 0; i < column->count; i++) {
        compare_entry *entry = column->sorted[i];
        entry->repeated = kept > 0 && compare_keys(column->sorted[kept - 1], entry) == 0;
        if (!entry->repeated)
            column->sorted[kept++] = entry;
    }
    column->repeated = column->count - kept;
}

static bool add_column(const results_document *document, size_t device, compare_column *column)
{
    const size_t most = document->row_count * RESULTS_ROUTING_COUNT;
    column->document = document;
    column->device = &document->devices[device];
    column->entries = calloc(most, sizeof(compare_entry));
    column->sorted = calloc(most, sizeof(compare_entry *));
    if (!column->entries || !column->sorted)
        return false;
    add_entries(column, device);
    sort_entries(column);
    return true;
}

static bool fail(char reason[RESULTS_REASON_SIZE], const char *path, const char *rule)
{
    snprintf(reason, RESULTS_REASON_SIZE, "%s: %s", path, rule);
    return false;
}

bool compare_add_columns(const results_document *document, const char *device, compare_column *columns,
                         size_t *column_count, char reason[RESULTS_REASON_SIZE])
{
    const size_t before = *column_count;
    for (size_t i = 0; i < document->device_count; i++) {
        if ((device && !strstr(document->devices[i].name, device)) || !has_row(document, i))
            continue;
        if (*column_count == COMPARE_MAX_COLUMNS)
            return fail(reason, document->path, "its devices are too many: 26 in all can be compared");
        compare_column *column = &columns[*column_count];
        *column = (compare_column){.letter = (char)('A' + *column_count)};
        ++*column_count;
        if (!add_column(document, i, column))
            return fail(reason, document->path, "no memory for its rows");
    }
    return *column_count > before ||
           fail(reason, document->path, device ? "has no row of a device of that name" : "has no row to compare");
}

void compare_release_columns(compare_column *columns, size_t column_count)
{
    for (size_t i = 0; i < column_count; i++) {
        free(columns[i].entries);
        free(columns[i].sorted);
    }
}
