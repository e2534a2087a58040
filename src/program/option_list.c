#include "option_list.h"

#include <stdio.h>
#include <string.h>

#include "option_number.h"

bool program_next_item(const char **list, char item[PROGRAM_ITEM_SIZE])
{
    if (!*list)
        return false;
    const size_t size = strcspn(*list, ",");
    snprintf(item, PROGRAM_ITEM_SIZE, "%.*s", (int)(size < PROGRAM_ITEM_SIZE ? size : PROGRAM_ITEM_SIZE), *list);
    *list = (*list)[size] ? *list + size + 1 : NULL;
    return true;
}

/* "8", "1:16", "0:64+8" or "64:8192*2", as its numbers. by: what is added, or multiplied by; 0: neither. */
typedef struct list_range {
    double first, last, by;
    bool multiply;
} list_range;

static bool is_whole(const program_option *option)
{
    return option->kind == PROGRAM_KIND_COUNTS;
}

static bool read_step(const program_option *option, const char *text, double *by)
{
    uint64_t whole;
    if (!is_whole(option))
        return program_parse_number(text, by);
    if (!program_parse_count(text, &whole))
        return false;
    *by = (double)whole;
    return true;
}

/* text: an item, is cut to pieces. Whole numbers rise by 1 where nothing else is said. rule: what one number of it
 * breaks, or empty. */
static bool read_range(const program_option *option, char *text, program_read_one *read, list_range *range, char *rule)
{
    char *colon = strchr(text, ':'), *sign = colon ? strpbrk(colon + 1, "+*") : NULL, one[PROGRAM_RULE_SIZE];
    *range = (list_range){.by = colon && is_whole(option) ? 1 : 0, .multiply = sign && *sign == '*'};
    *rule = '\0';
    if (sign && !read_step(option, sign + 1, &range->by))
        return false;
    if (sign)
        *sign = '\0';
    if (colon)
        *colon = '\0';
    if (!read(option, text, &range->first, one) || (colon && !read(option, colon + 1, &range->last, one))) {
        snprintf(rule, PROGRAM_RULE_SIZE, "%s", one);
        return false;
    }
    if (!colon)
        range->last = range->first;
    return !colon ||
           (range->first <= range->last && (range->multiply ? range->by > 1 && range->first > 0 : range->by > 0));
}

/* False where the list is full. A value that is there already is not added. */
static bool add_value(const program_option *option, void *to, double value)
{
    program_counts *counts = is_whole(option) ? to : NULL;
    program_floats *floats = is_whole(option) ? NULL : to;
    uint32_t *count = counts ? &counts->count : &floats->count;
    for (uint32_t i = 0; i < *count; i++)
        if (counts ? counts->values[i] == (uint32_t)value : floats->values[i] == (float)value)
            return true;
    if (*count == PROGRAM_MAX_VALUES)
        return false;
    if (counts)
        counts->values[*count] = (uint32_t)value;
    else
        floats->values[*count] = (float)value;
    ++*count;
    return true;
}

/* Steps such as 0.1 may end a rounding of float32 above the last value. */
static bool add_range(const program_option *option, const list_range *range, void *to)
{
    double value = range->first;
    for (uint32_t i = 1; value <= range->last + 1e-6 * range->by; i++) {
        if (!add_value(option, to, value))
            return false;
        if (!(range->by > 0))
            return true;
        value = range->multiply ? value * range->by : range->first + i * range->by;
    }
    return true;
}

bool program_set_list(const program_option *option, const char *value, program_read_one *read, void *to,
                      char rule[PROGRAM_RULE_SIZE])
{
    char item[PROGRAM_ITEM_SIZE], broken[PROGRAM_RULE_SIZE];
    list_range range;
    while (program_next_item(&value, item)) {
        if (!read_range(option, item, read, &range, broken)) {
            snprintf(rule, PROGRAM_RULE_SIZE, "%.200s%sin a list such as %s",
                     *broken ? broken : "must be rising numbers", *broken ? ", " : " ",
                     is_whole(option) ? "1,8,64:8192*2 or 1:16+5" : "0.1,0.2:1.6*2 or 0.1:0.5+0.1");
            return false;
        }
        snprintf(rule, PROGRAM_RULE_SIZE, "must be %d values at most", (int)PROGRAM_MAX_VALUES);
        if (!add_range(option, &range, to))
            return false;
    }
    return true;
}
