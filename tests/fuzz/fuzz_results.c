/* Documents of results of any bytes. What is accepted holds what results.h promises, and can be compared with itself.
 */
#include <math.h>
#include <string.h>

#include "../../bench/compare/compare.h"
#include "../../bench/read/results.h"
#include "base/text.h"
#include "fuzz.h"
#include "sample_file.h"

enum { MOST_COMPARED = 4 }; /* rows: resampling takes its time */

static void expect_line(const char *text)
{
    char copy[RESULTS_REASON_SIZE];
    FUZZ_EXPECT(strncmp(text, "FILE: ", 6) == 0 && strlen(text) > 6 && strlen(text) < sizeof copy);
    memcpy(copy, text, strlen(text) + 1);
    FUZZ_EXPECT(smoe_text_clean(copy, ' '));
}

static void expect_text(const char *text)
{
    char copy[RESULTS_MAX_TEXT + 1];
    FUZZ_EXPECT(strlen(text) <= RESULTS_MAX_TEXT);
    memcpy(copy, text, strlen(text) + 1);
    FUZZ_EXPECT(smoe_text_clean(copy, ' '));
}

static void expect_texts(const results_texts *list)
{
    for (size_t i = 0; i < list->count; i++)
        expect_text(list->texts[i]);
}

static void expect_number(double number)
{
    FUZZ_EXPECT(isnan(number) || (number >= 0 && number <= 1e30));
}

static void expect_spread(const results_spread *spread)
{
    expect_number(spread->min);
    FUZZ_EXPECT(isnan(spread->min) || (spread->min <= spread->p10 && spread->p10 <= spread->median));
    FUZZ_EXPECT(isnan(spread->min) || (spread->median <= spread->p90 && spread->p90 <= spread->max));
    expect_number(spread->max);
}

static void expect_device(const results_device *device)
{
    FUZZ_EXPECT(device->name && device->driver);
    expect_text(device->driver_info);
    expect_texts(&device->capabilities);
    expect_texts(&device->masked);
    expect_texts(&device->quirks);
    for (size_t i = 0; i < device->peak_count; i++) {
        expect_text(device->peaks[i].name);
        expect_text(device->peaks[i].unit);
        expect_number(device->peaks[i].value);
        FUZZ_EXPECT(!isnan(device->peaks[i].value) || device->peaks[i].not_measured[0]);
    }
}

static void expect_run(const results_run *run)
{
    expect_text(run->unsupported);
    if (!run->there || run->unsupported[0])
        return;
    FUZZ_EXPECT(run->sample_count > 0 && run->sample_count <= RESULTS_MAX_SAMPLES);
    for (size_t i = 0; i < run->sample_count; i++)
        FUZZ_EXPECT(!isnan(run->samples_ns[i]));
    expect_spread(&run->device_ns);
    expect_spread(&run->host_ns);
    expect_number(run->share_of_bytes);
    FUZZ_EXPECT(results_run_time(run) >= 0);
    for (size_t i = 0; i < run->stage_count; i++) {
        expect_text(run->stages[i].name);
        expect_text(run->stages[i].peak);
        FUZZ_EXPECT(run->stages[i].ns.median >= 0);
    }
}

static void expect_row(const results_document *document, const results_row *row)
{
    const bool any = row->runs[RESULTS_HARD].there || row->runs[RESULTS_SMOOTH].there;
    FUZZ_EXPECT(row->device < document->device_count && row->tokens > 0 && (any || row->unsupported[0]));
    FUZZ_EXPECT(row->shape.experts > 0 && row->shape.top_k > 0);
    FUZZ_EXPECT(row->kind == RESULTS_ROUTE || (row->shape.d_model > 0 && row->shape.d_hidden > 0));
    expect_text(row->layer);
    expect_text(row->weights);
    expect_text(row->shape.router);
    for (size_t i = 0; i < row->kernel_count; i++) {
        expect_text(row->kernels[i].stage);
        expect_text(row->kernels[i].name);
    }
    for (int i = 0; i < RESULTS_ROUTING_COUNT; i++)
        expect_run(&row->runs[i]);
}

/* Every run has the time of itself; resampled twice, that is no longer certain. */
static void expect_equal(const compare_column *columns, size_t count)
{
    compare_result result;
    FUZZ_EXPECT(compare_columns(columns, count, 0.02, &result));
    for (size_t i = 0; i < result.line_count; i++) {
        const compare_line *line = &result.lines[i];
        if (line->first->run != line->other->run || line->ratio.verdict == COMPARE_NOT_COUNTED)
            continue;
        FUZZ_EXPECT(line->ratio.ratio == 1 && (isnan(line->ratio.low) || line->ratio.low <= 1));
        FUZZ_EXPECT(isnan(line->ratio.low) || line->ratio.high >= 1);
        FUZZ_EXPECT(line->ratio.verdict == COMPARE_SAME || line->ratio.verdict == COMPARE_UNCLEAR);
    }
    FILE *out = fopen(sample_path("fuzz"), "w");
    FUZZ_EXPECT(out);
    compare_print(out, COMPARE_TABLE, &result);
    compare_print(out, COMPARE_MARKDOWN, &result);
    fclose(out);
    compare_release(&result);
}

static void compare_with_itself(const results_document *document)
{
    compare_column columns[COMPARE_MAX_COLUMNS];
    char reason[RESULTS_REASON_SIZE];
    size_t count = 0;
    if (compare_add_columns(document, NULL, columns, &count, reason) &&
        compare_add_columns(document, NULL, columns, &count, reason))
        expect_equal(columns, count);
    else
        expect_line(reason);
    compare_release_columns(columns, count);
}

bool fuzz_results(const uint8_t *data, size_t size)
{
    results_document document;
    char reason[RESULTS_REASON_SIZE];
    if (!results_parse("FILE", (const char *)data, size, &document, reason)) {
        expect_line(reason);
        FUZZ_EXPECT(!document.rows && !document.devices && !document.texts && !document.memory);
        return false;
    }
    expect_text(document.program.name);
    expect_text(document.session.date);
    expect_texts(&document.session.command_line);
    expect_text(document.system.os);
    for (size_t i = 0; i < document.device_count; i++)
        expect_device(&document.devices[i]);
    for (size_t i = 0; i < document.row_count; i++)
        expect_row(&document, &document.rows[i]);
    if (document.row_count <= MOST_COMPARED)
        compare_with_itself(&document);
    results_release(&document);
    return true;
}
