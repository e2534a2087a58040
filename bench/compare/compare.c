/* The command line of smoe-bench compare, and its exit status. */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/options.h"

typedef struct compare_options {
    double same, fail_above; /* shares; fail_above NaN: not given */
    const char *device;
    int format;
} compare_options;

/* "5%" into a double that the option's offset tells. */
static bool set_percentage(const program_option *option, const char *value, void *to, char rule[PROGRAM_RULE_SIZE])
{
    const size_t digits = strspn(value, "0123456789."), length = strlen(value);
    char *end;
    const double percentage = strtod(value, &end);
    snprintf(rule, PROGRAM_RULE_SIZE, "must be a percentage from 0%% to %.0f%%", option->most);
    if (digits < 1 || length != digits + 1 || end != value + digits || *end != '%' || percentage > option->most)
        return false;
    *(double *)(void *)((char *)to + option->offset) = percentage / 100;
    return true;
}

static const char *format_name(int index)
{
    static const char *const names[] = {"table", "md"}; /* by compare_format */
    return index < (int)(sizeof names / sizeof *names) ? names[index] : NULL;
}

static const program_names formats = {.name = format_name};

static const program_option option_rows[] = {
    {"--same", "P%", "a ratio that differs from 1 by no more counts as the same", PROGRAM_OTHER(set_percentage),
     .offset = offsetof(compare_options, same), .most = 50, .fallback = "2%"},
    {"--fail-above", "P%", "exit with 1 where a row is slower by more, with its whole interval",
     PROGRAM_OTHER(set_percentage), .offset = offsetof(compare_options, fail_above), .most = 1000},
    {"--device", "NAME", "only devices that have this in their names", PROGRAM_TEXT(compare_options, device)},
    {"--format", "NAME", "how it is printed", PROGRAM_NAME(compare_options, format, &formats), .fallback = "table"},
};

static const program_desc description = {
    .name = "smoe-bench",
    .about = "Compares results of smoe-bench, row by row: those of each device of each document with the first one's.",
    .usage = {"compare [options] RESULTS.json..."},
    .tables = {PROGRAM_TABLE(option_rows)},
    .details = "Exit status: 0; 1 where a row is slower than --fail-above allows, where no row could be compared, or "
               "where the\n"
               "output could not be written; 2 for a wrong command line, or a document that cannot be read.",
    .argument = "RESULTS.json",
    .least_arguments = 1,
    .most_arguments = COMPARE_MAX_COLUMNS,
};

typedef struct comparison {
    compare_options options;
    results_document documents[COMPARE_MAX_COLUMNS];
    size_t document_count;
    compare_column columns[COMPARE_MAX_COLUMNS];
    size_t column_count;
} comparison;

/* False after one line that says why. */
static bool load(comparison *c, char *const *paths, size_t count)
{
    char reason[RESULTS_REASON_SIZE];
    for (size_t i = 0; i < count; i++) {
        results_document *document = &c->documents[i];
        bool good = results_read(paths[i], document, reason);
        c->document_count += good;
        good = good && compare_add_columns(document, c->options.device, c->columns, &c->column_count, reason);
        if (!good) {
            program_say("smoe-bench", "%s", reason);
            return false;
        }
    }
    if (c->column_count < 2)
        return program_refuse(&description, paths[0], NULL, "has one device, and there is no other document");
    return true;
}

/* What the rows mean for who asked whether anything has become slower. */
static int status_of(const compare_result *result, double fail_above)
{
    size_t counted = 0, slower = 0;
    for (size_t i = 0; i < result->line_count; i++) {
        counted += result->lines[i].ratio.verdict != COMPARE_NOT_COUNTED;
        slower += result->lines[i].ratio.low > 1 + fail_above; /* false where one of the two is NaN */
    }
    if (counted == 0)
        program_say("smoe-bench", "no row could be compared");
    if (slower > 0)
        program_say("smoe-bench", "--fail-above: %zu %s slower by more than %.4g %%", slower,
                    slower == 1 ? "row is" : "rows are", fail_above * 100);
    return counted == 0 || slower > 0 ? PROGRAM_FAILED : PROGRAM_OK;
}

static int run(comparison *c)
{
    compare_result result;
    int status = PROGRAM_FAILED;
    if (compare_columns(c->columns, c->column_count, c->options.same, &result)) {
        compare_print(stdout, (compare_format)c->options.format, &result);
        program_flush(); /* before what status_of says; what fails is said at the end */
        status = status_of(&result, c->options.fail_above);
    } else {
        program_say("smoe-bench", "no memory to compare so many rows");
    }
    compare_release(&result);
    return status;
}

int compare_main(int count, char **arguments)
{
    static comparison c; /* large */
    program_line line;
    c.options.fail_above = NAN;
    if (!program_read(&description, count, arguments, &c.options, &line))
        return line.status;
    int status = PROGRAM_REFUSED;
    if (load(&c, line.arguments, line.argument_count))
        status = run(&c);
    compare_release_columns(c.columns, c.column_count);
    for (size_t i = 0; i < c.document_count; i++)
        results_release(&c.documents[i]);
    return program_end("smoe-bench", status);
}
