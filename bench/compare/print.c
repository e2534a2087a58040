/* What compare prints: whose results they are, a row for each pair of runs, and what follows from them. */
#include "compare.h"

#include <math.h>
#include <string.h>

#include "program/text.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { CELL_SIZE = 2 * RESULTS_MAX_TEXT, ESCAPED_SIZE = 2 * PROGRAM_REASON_SIZE };

typedef struct printer {
    FILE *out;
    bool markdown;
    const compare_result *result;
} printer;

/* Markdown takes what is behind a backslash for itself. */
static const char *escape(const printer *p, const char *text, char escaped[ESCAPED_SIZE])
{
    size_t used = 0;
    for (; *text && used + 2 < ESCAPED_SIZE; escaped[used++] = *text++)
        if (p->markdown && strchr("|<`*[\\", *text))
            escaped[used++] = '\\';
    escaped[used] = '\0';
    return escaped;
}

/* Text of a document, or a file's name. */
static void print_text(const printer *p, const char *before, const char *text)
{
    char escaped[ESCAPED_SIZE];
    fputs(before, p->out);
    program_print(p->out, escape(p, text, escaped));
}

/* ---- whose results ----------------------------------------------------------------------------------------------- */

static void begin_item(const printer *p, const char *plain)
{
    fputs(p->markdown ? "- " : plain, p->out);
}

static void print_some(const printer *p, const char *before, const char *text)
{
    if (text[0])
        print_text(p, before, text);
}

static void print_column(const printer *p, const compare_column *column)
{
    const results_document *d = column->document;
    const results_device *device = column->device;
    begin_item(p, "");
    fprintf(p->out, "%c: ", column->letter);
    print_text(p, "", d->path);
    print_text(p, ": ", d->program.name);
    print_text(p, " ", d->program.version);
    print_some(p, ", ", d->program.commit);
    print_some(p, ", ", d->session.date);
    print_text(p, p->markdown ? "; " : "\n   ", device->name);
    print_text(p, ", ", device->driver);
    print_some(p, " ", device->driver_info);
    print_some(p, "; ", d->system.os);
    print_some(p, "; ", d->system.cpu);
    if (!d->session.finished)
        fputs(p->markdown ? "; cut off: rows are missing" : "\n   cut off: rows are missing", p->out);
    if (column->repeated > 0)
        fprintf(p->out, "%s%zu of its runs stand there twice: the first counts", p->markdown ? "; " : "\n   ",
                column->repeated);
    fputc('\n', p->out);
}

static void join(const results_texts *list, char text[CELL_SIZE])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->count && used < CELL_SIZE; i++)
        used += (size_t)snprintf(text + used, CELL_SIZE - used, "%s%s", i > 0 ? " " : "", list->texts[i]);
}

/* What of two columns is not the same, beside their rows. */
static void print_differences(const printer *p, const compare_column *a, const compare_column *b)
{
    const results_program *ap = &a->document->program, *bp = &b->document->program;
    const results_device *ad = a->device, *bd = b->device;
    char masked[2][CELL_SIZE];
    const struct {
        const char *what, *first, *other;
    } parts[] = {{"program", ap->name, bp->name},
                 {"version", ap->version, bp->version},
                 {"commit", ap->commit, bp->commit},
                 {"compiler", ap->compiler, bp->compiler},
                 {"mode", ap->mode, bp->mode},
                 {"shader tools", ap->shader_tools, bp->shader_tools},
                 {"device", ad->name, bd->name},
                 {"driver", ad->driver, bd->driver},
                 {"driver's version", ad->driver_info, bd->driver_info},
                 {"masked", masked[0], masked[1]},
                 {"system", a->document->system.os, b->document->system.os},
                 {"processor", a->document->system.cpu, b->document->system.cpu}};
    const char *before = " differs from A: ";
    join(&ad->masked, masked[0]);
    join(&bd->masked, masked[1]);
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (strcmp(parts[i].first, parts[i].other) == 0)
            continue;
        if (before[0] == ' ') {
            begin_item(p, "");
            fputc(b->letter, p->out);
        }
        fprintf(p->out, "%s%s ", before, parts[i].what);
        print_text(p, "", parts[i].other[0] ? parts[i].other : "nothing");
        print_text(p, ", not ", parts[i].first[0] ? parts[i].first : "nothing");
        before = "; ";
    }
    fputs(before[0] == ' ' ? "" : "\n", p->out);
}

static void print_head(const printer *p)
{
    const compare_result *r = p->result;
    for (size_t i = 0; i < r->column_count; i++)
        print_column(p, &r->columns[i]);
    for (size_t i = 1; i < r->column_count; i++)
        print_differences(p, &r->columns[0], &r->columns[i]);
    fputc('\n', p->out);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

typedef void write_cell(const compare_result *result, const compare_line *line, char cell[CELL_SIZE]);

static void write_layer(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    const results_row *row = line->first->row;
    const bool named = row->kind == RESULTS_LAYER || (row->layer[0] && strcmp(row->layer, "route") != 0);
    snprintf(cell, CELL_SIZE, "%s%s", row->kind == RESULTS_ROUTE ? named ? "route " : "route" : "",
             named ? row->layer : "");
}

static void write_shape(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    const results_shape *s = &line->first->row->shape;
    (void)result;
    int used = s->d_model > 0 ? snprintf(cell, CELL_SIZE, "%u,%u,%u,%u,%u", s->d_model, s->d_hidden, s->experts,
                                         s->top_k, s->max_active)
                              : snprintf(cell, CELL_SIZE, "-,-,%u,%u,-", s->experts, s->top_k);
    if (!isnan(s->given_eps))
        used += snprintf(cell + used, CELL_SIZE - (size_t)used, " eps %.4g", s->given_eps);
    if (!isnan(s->given_group_eps))
        used += snprintf(cell + used, CELL_SIZE - (size_t)used, " group eps %.4g", s->given_group_eps);
    if (!isnan(s->given_expected_active))
        snprintf(cell + used, CELL_SIZE - (size_t)used, " expected %.4g", s->given_expected_active);
}

static void write_tokens(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    snprintf(cell, CELL_SIZE, "%u", line->first->row->tokens);
}

static void write_weights(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    snprintf(cell, CELL_SIZE, "%s%s", line->first->row->weights, line->first->row->mixed_precision ? " mixed" : "");
}

static void write_routing(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    snprintf(cell, CELL_SIZE, "%s", results_routing_names[line->first->routing]);
}

static void write_time(double nanoseconds, char cell[CELL_SIZE])
{
    snprintf(cell, CELL_SIZE, isnan(nanoseconds) ? "-" : "%.4g", nanoseconds / 1e6);
}

static void write_first_time(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    write_time(line->times[0], cell);
}

static void write_letter(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    snprintf(cell, CELL_SIZE, "%c", result->columns[line->column].letter);
}

static void write_other_time(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    write_time(line->times[1], cell);
}

static void write_ratio(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    snprintf(cell, CELL_SIZE, isnan(line->ratio.ratio) ? "-" : "%.3f", line->ratio.ratio);
}

static void write_interval(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    snprintf(cell, CELL_SIZE, isnan(line->ratio.low) ? "-" : "%.3f .. %.3f", line->ratio.low, line->ratio.high);
}

static void write_verdict(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    snprintf(cell, CELL_SIZE, "%s", compare_verdict_names[line->ratio.verdict]);
}

static void write_note(const compare_result *result, const compare_line *line, char cell[CELL_SIZE])
{
    (void)result;
    snprintf(cell, CELL_SIZE, "%s%s", line->note, line->reason);
}

static const struct {
    const char *name;
    bool right;
    write_cell *write;
} cells[] = {{"layer", false, write_layer},     {"D,H,E,k,most", false, write_shape}, {"T", true, write_tokens},
             {"weights", false, write_weights}, {"routing", false, write_routing},    {"A, ms", true, write_first_time},
             {"", false, write_letter},         {"ms", true, write_other_time},       {"over A", true, write_ratio},
             {"95 %", false, write_interval},   {"verdict", false, write_verdict},           {"", false, write_note}};

static void print_cell(const printer *p, size_t index, const char *cell, uint32_t width)
{
    char escaped[ESCAPED_SIZE];
    if (p->markdown)
        print_text(p, index > 0 ? " | " : "| ", cell);
    else if (index + 1 < COUNT(cells)) {
        fputs(index > 0 ? "  " : "", p->out);
        program_print_name(p->out, escape(p, cell, escaped), width, UINT32_MAX, cells[index].right);
    } else
        print_text(p, cell[0] ? "  " : "", cell);
    if (index + 1 == COUNT(cells))
        fputs(p->markdown ? " |\n" : "\n", p->out);
}

static uint32_t columns_of(const char *text)
{
    uint32_t columns = 0, code;
    for (int length; *text && (length = program_decode(text, &code)) > 0; text += length)
        columns++;
    return columns;
}

static void print_lines(const printer *p)
{
    const compare_result *r = p->result;
    uint32_t widths[COUNT(cells)];
    char cell[CELL_SIZE];
    for (size_t k = 0; k < COUNT(cells); k++) {
        widths[k] = columns_of(cells[k].name);
        for (size_t i = 0; i < r->line_count; i++) {
            cells[k].write(r, &r->lines[i], cell);
            widths[k] = columns_of(cell) > widths[k] ? columns_of(cell) : widths[k];
        }
    }
    for (size_t k = 0; k < COUNT(cells); k++)
        print_cell(p, k, cells[k].name, k + 2 < COUNT(cells) ? widths[k] : 0);
    for (size_t k = 0; p->markdown && k < COUNT(cells); k++)
        fprintf(p->out, "%s%s", cells[k].right ? "|---:" : "|---", k + 1 == COUNT(cells) ? "|\n" : "");
    for (size_t i = 0; i < r->line_count; i++)
        for (size_t k = 0; k < COUNT(cells); k++) {
            cells[k].write(r, &r->lines[i], cell);
            const bool last = k + 2 == COUNT(cells) && !r->lines[i].note[0];
            print_cell(p, k, cell, last ? 0 : widths[k]);
        }
}

/* ---- what follows ------------------------------------------------------------------------------------------------ */

static void print_mean(const printer *p, size_t column)
{
    const compare_mean *mean = &p->result->means[column];
    const compare_ratio *ratio = &mean->ratio;
    size_t counts[COMPARE_VERDICT_COUNT] = {0};
    for (size_t i = 0; i < p->result->line_count; i++)
        counts[p->result->lines[i].ratio.verdict] += p->result->lines[i].column == column;
    begin_item(p, "");
    fprintf(p->out, "%c over A:", p->result->columns[column].letter);
    for (int i = 0; i < COMPARE_VERDICT_COUNT; i++)
        fprintf(p->out, "%s %zu %s", i > 0 ? "," : "", counts[i], compare_verdict_names[i]);
    if (mean->row_count > 0)
        fprintf(p->out, "; geometric mean of the %zu that all have: %.3f", mean->row_count, ratio->ratio);
    if (mean->row_count > 0 && !isnan(ratio->low))
        fprintf(p->out, " (%.3f .. %.3f)", ratio->low, ratio->high);
    if (mean->row_count > 0)
        fprintf(p->out, " %s", compare_verdict_names[ratio->verdict]);
    fputc('\n', p->out);
}

/* A run that only one of two columns has, as its row in the table would begin. */
static void print_lonely(const printer *p, const compare_entry *entry)
{
    const compare_line line = {.first = entry};
    char cell[CELL_SIZE];
    fputs(p->markdown ? "  - " : "  ", p->out);
    for (size_t k = 0; cells[k].write != write_first_time; k++) {
        cells[k].write(p->result, &line, cell);
        print_some(p, k > 0 ? " " : "", cell);
    }
    fputc('\n', p->out);
}

static bool is_supported(const compare_entry *entry)
{
    return !entry->row->unsupported[0] && !entry->run->unsupported[0];
}

/* What `has` has and `lacks` has not: one of them is the first column. */
static void print_missing(const printer *p, const compare_column *has, const compare_column *lacks)
{
    bool any = false;
    for (size_t i = 0; i < has->count; i++) {
        const compare_entry *entry = &has->entries[i];
        if (entry->repeated || !is_supported(entry) || compare_find(lacks, entry))
            continue;
        if (!any) {
            begin_item(p, "");
            fprintf(p->out, "%c has and %c has not:\n", has->letter, lacks->letter);
        }
        any = true;
        print_lonely(p, entry);
    }
}

void compare_print(FILE *out, compare_format format, const compare_result *result)
{
    const printer p = {out, format == COMPARE_MARKDOWN, result};
    print_head(&p);
    if (result->line_count > 0)
        print_lines(&p);
    if (result->line_count > 0)
        fputc('\n', out);
    for (size_t i = 1; i < result->column_count; i++)
        print_mean(&p, i);
    for (size_t i = 1; i < result->column_count; i++) {
        print_missing(&p, &result->columns[0], &result->columns[i]);
        print_missing(&p, &result->columns[i], &result->columns[0]);
    }
    begin_item(&p, "");
    fprintf(out,
            "FASTER, SLOWER, SAME: the whole interval of 95 %% lies below %.4g, above %.4g, between them; UNCLEAR: "
            "neither\n",
            1 - result->same, 1 + result->same);
}
