/* What is shown while rows are measured: a table for people, or a line for each for other programs. */
#include "bench.h"
#include "program/output.h"
#include "read/results.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <string.h>

/* ---- columns ----------------------------------------------------------------------------------------------------- */

enum { CELL_SIZE = 256 };

/* What a column's cell is made of. run: NULL for a row that is not supported. */
typedef struct cell_source {
    const bench_result *result;
    const bench_row *row;
    const bench_run *run;
    int routing;
} cell_source;

typedef void fill_cell(const cell_source *from, char text[CELL_SIZE]);

static void fill_text(char text[CELL_SIZE], const char *value)
{
    snprintf(text, CELL_SIZE, "%s", value);
}

static void fill_number(char text[CELL_SIZE], double value)
{
    snprintf(text, CELL_SIZE, "%.6g", value);
}

/* Empty in place of 0, for what was not measured. */
static void fill_measured(char text[CELL_SIZE], double value)
{
    text[0] = '\0';
    if (value > 0)
        fill_number(text, value);
}

#define CELL(name, call) \
    static void name(const cell_source *from, char text[CELL_SIZE]) \
    { \
        call; \
    }
#define MEASURED(name, value) CELL(name, fill_measured(text, from->run ? (value) : 0))

CELL(cell_device, fill_text(text, from->result->info.name))
CELL(cell_driver, fill_text(text, from->result->info.driver_name))
CELL(cell_kind, fill_text(text, from->row->route ? "route" : "layer"))
CELL(cell_layer, fill_text(text, from->row->preset->name))
CELL(cell_experts, fill_number(text, from->row->plan.expert_count))
CELL(cell_top_k, fill_number(text, from->row->plan.top_k))
CELL(cell_max_active, fill_number(text, from->row->plan.max_active))
CELL(cell_d_model, fill_number(text, from->row->plan.d_model))
CELL(cell_d_hidden, fill_number(text, from->row->plan.d_hidden))
CELL(cell_tokens, fill_number(text, from->row->tokens))
CELL(cell_weights, fill_text(text, smoe_type_short_name(from->row->plan.types.up)))
CELL(cell_file_format, fill_text(text, from->row->route ? "" : bench_file_format_of(from->row->plan.types.up).name))
CELL(cell_precision, fill_text(text, from->row->plan.precision != SMOE_PRECISION_FLOAT32 ? "mixed" : "float32"))
CELL(cell_routing, fill_text(text, results_routing_names[from->routing]))
MEASURED(cell_eps, (double)from->run->eps)
MEASURED(cell_active, (double)from->run->active_total / from->row->tokens)
MEASURED(cell_median, bench_run_time(from->run))
MEASURED(cell_p10, from->run->device.median > 0 ? from->run->device.p10 : from->run->host.p10)
MEASURED(cell_p90, from->run->device.median > 0 ? from->run->device.p90 : from->run->host.p90)
MEASURED(cell_host, from->run->host.median)
MEASURED(cell_token, bench_run_time(from->run) / from->row->tokens)
MEASURED(cell_drift, from->run->drift)
MEASURED(cell_forwards, from->run->repeat_count)
MEASURED(cell_flop, from->run->flop / bench_run_time(from->run) * 1e9)
MEASURED(cell_bytes, from->run->bytes / bench_run_time(from->run) * 1e9)
MEASURED(cell_weights_bytes, from->run->weights_bytes)
MEASURED(cell_file_byte, from->run->file_bytes > 0 ? bench_run_time(from->run) / from->run->file_bytes : 0)

static void cell_error(const cell_source *from, char text[CELL_SIZE])
{
    text[0] = '\0';
    if (from->run && !isnan(from->run->median_error))
        fill_number(text, from->run->median_error);
}

static void cell_wrong(const cell_source *from, char text[CELL_SIZE])
{
    snprintf(text, CELL_SIZE, "%.*s", CELL_SIZE - 1, from->run ? from->run->check.wrong : "");
}

static void cell_unsupported(const cell_source *from, char text[CELL_SIZE])
{
    const char *reason =
        from->row->unsupported[0] ? from->row->unsupported : from->row->runs[from->routing].unsupported;
    snprintf(text, CELL_SIZE, "%.*s", CELL_SIZE - 1, reason);
}

static const struct {
    const char *name;
    fill_cell *fill;
} columns[] = {
    {"device", cell_device}, {"driver", cell_driver}, {"kind", cell_kind}, {"layer", cell_layer},
    {"experts", cell_experts}, {"top_k", cell_top_k}, {"max_active", cell_max_active}, {"d_model", cell_d_model},
    {"d_hidden", cell_d_hidden}, {"tokens", cell_tokens}, {"weights", cell_weights}, {"precision", cell_precision},
    {"routing", cell_routing}, {"eps", cell_eps}, {"active_mean", cell_active}, {"median_ns", cell_median},
    {"p10_ns", cell_p10}, {"p90_ns", cell_p90}, {"host_median_ns", cell_host}, {"ns_per_token", cell_token},
    {"median_error", cell_error}, {"drift", cell_drift}, {"forwards", cell_forwards}, {"flop_per_second", cell_flop},
    {"bytes_per_second", cell_bytes}, {"weights_bytes", cell_weights_bytes}, {"file_format", cell_file_format},
    {"ns_per_file_byte", cell_file_byte}, {"wrong", cell_wrong}, {"unsupported", cell_unsupported},
};
#define COLUMNS (sizeof columns / sizeof *columns)

/* ---- CSV (RFC 4180) and Markdown --------------------------------------------------------------------------------- */

static void print_csv_cell(FILE *out, const char *text)
{
    if (!strpbrk(text, "\",\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void print_md_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("|\\`*_<>[]", *text))
            fputc('\\', out);
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
    }
}

static void print_cells(FILE *out, int format, const cell_source *from)
{
    char text[CELL_SIZE];
    for (size_t i = 0; i < COLUMNS; i++) {
        if (from)
            columns[i].fill(from, text);
        else
            snprintf(text, sizeof text, "%s", columns[i].name);
        if (format == BENCH_FORMAT_CSV) {
            fputs(i > 0 ? "," : "", out);
            print_csv_cell(out, text);
        } else {
            fputs(i > 0 ? " | " : "| ", out);
            print_md_cell(out, text);
        }
    }
    fputs(format == BENCH_FORMAT_CSV ? "\r\n" : " |\n", out);
}

static void print_head(FILE *out, int format)
{
    print_cells(out, format, NULL);
    for (size_t i = 0; i < COLUMNS && format == BENCH_FORMAT_MD; i++)
        fputs(i + 1 < COLUMNS ? "|---" : "|---|\n", out);
}

/* One line for each routing that was asked for. */
static void print_lines(FILE *out, const bench_results *results, size_t device, const bench_row *row)
{
    for (int i = 0; i < BENCH_ROUTING_COUNT; i++) {
        const bench_run *run = row->unsupported[0] || row->runs[i].unsupported[0] ? NULL : &row->runs[i];
        const cell_source from = {&results->devices[device], row, run, i};
        if (i == BENCH_HARD || !results->options->hard_only)
            print_cells(out, results->options->format, &from);
    }
}

/* ---- JSON lines -------------------------------------------------------------------------------------------------- */

/* text: is freed; NULL: there was no memory for it. */
static bool print_json(FILE *out, char *text)
{
    if (text)
        fprintf(out, "%s\n", text);
    cJSON_free(text);
    return text != NULL;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

bool bench_show_device(FILE *out, const bench_results *results, size_t device)
{
    const int format = results->options->format;
    bool good = true;
    if (format == BENCH_FORMAT_TABLE)
        bench_print_device(out, &results->devices[device]);
    else if (format != BENCH_FORMAT_JSONL && device == 0)
        print_head(out, format);
    if (format == BENCH_FORMAT_JSONL && device == 0)
        good = print_json(out, bench_json_head(results));
    if (format == BENCH_FORMAT_JSONL)
        good = print_json(out, bench_json_device(results, device)) && good;
    fflush(out);
    return good;
}

bool bench_show_row(FILE *out, const bench_results *results, size_t device, const bench_row *row)
{
    bool good = true;
    switch (results->options->format) {
    case BENCH_FORMAT_TABLE: bench_print_row(out, &results->devices[device], row); break;
    case BENCH_FORMAT_JSONL: good = print_json(out, bench_json_row(results, device, row)); break;
    default: print_lines(out, results, device, row); break;
    }
    fflush(out);
    return good;
}

void bench_show_end(FILE *out, const bench_results *results)
{
    for (size_t i = 0; i < results->device_count && results->options->format == BENCH_FORMAT_TABLE; i++)
        if (results->devices[i].row_count > 0)
            bench_print_summary(out, &results->devices[i], results->device_count > 1);
}
