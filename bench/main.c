/* smoe-bench: presets or a shape, row by row, on one device. */
#include "bench.h"

#include "program/output.h"
#include "program/progress.h"

#include <stdlib.h>
#include <string.h>

/* The library's last error line: the reason of an unsupported row. */
typedef struct log_state {
    bool print;
    char error[BENCH_REASON_SIZE];
} log_state;

static void receive(void *user, smoe_log_level level, const char *text)
{
    log_state *state = user;
    if (level == SMOE_LOG_ERROR)
        snprintf(state->error, sizeof state->error, "%s", text);
    if (level == SMOE_LOG_INFO || !state->print)
        return;
    program_say("smoe-bench", "%s", text);
}

typedef struct bench {
    bench_options options;
    log_state log;
    smoe_device *device;
    bench_preset presets[BENCH_MAX_PRESETS]; /* as the options change them */
    bench_result result;
    uint32_t row_total; /* of all presets */
    FILE *out;
} bench;

static int fail(const bench *b, smoe_result result)
{
    program_say("smoe-bench", "%s%s%s", smoe_result_text(result), b->log.error[0] ? ": " : "", b->log.error);
    return PROGRAM_FAILED;
}

static uint32_t max_tokens(const bench_preset *preset)
{
    uint32_t most = 0;
    for (int i = 0; i < BENCH_MAX_TOKEN_COUNTS; i++)
        most = preset->tokens[i] > most ? preset->tokens[i] : most;
    return most;
}

static uint32_t min_tokens(const bench_preset *preset)
{
    uint32_t least = preset->tokens[0];
    for (int i = 1; i < BENCH_MAX_TOKEN_COUNTS && preset->tokens[i] > 0; i++)
        least = preset->tokens[i] < least ? preset->tokens[i] : least;
    return least;
}

static uint32_t count_rows(const bench_options *options, const bench_preset *preset)
{
    uint32_t tokens = 0, types = 0;
    while (tokens < BENCH_MAX_TOKEN_COUNTS && preset->tokens[tokens] > 0)
        tokens++;
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        types += options->weights[type];
    return tokens * types;
}

static bench_row *add_row(bench *b, const bench_preset *preset, const smoe_plan_desc *plan, uint32_t tokens,
                          const char *unsupported)
{
    bench_row *rows = realloc(b->result.rows, (b->result.row_count + 1) * sizeof *rows);
    if (!rows)
        return NULL;
    b->result.rows = rows;
    bench_row *row = &rows[b->result.row_count++];
    memset(row, 0, sizeof *row);
    row->preset = preset;
    row->plan = *plan;
    row->tokens = tokens;
    snprintf(row->unsupported, sizeof row->unsupported, "%s", unsupported);
    return row;
}

/* The reason of an unsupported row, if that is what creating its layer failed for. */
static bool explain(const bench *b, smoe_result result, char unsupported[BENCH_REASON_SIZE])
{
    const bool known = result == SMOE_ERROR_UNSUPPORTED || result == SMOE_ERROR_OUT_OF_DEVICE_MEMORY ||
                       result == SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (known)
        snprintf(unsupported, BENCH_REASON_SIZE, "%s", b->log.error[0] ? b->log.error : smoe_result_text(result));
    return known;
}

/* The layer that is measured and, with --totals, the same without them: a layer that has begun to count does not stop.
 * The same holds for --mixed-precision, which is the plan's. */
static smoe_result create_layers(const bench *b, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                                 smoe_device_layer **layer, smoe_device_layer **plain)
{
    smoe_result result = smoe_device_layer_create(b->device, plan, weights, layer);
    if (result == SMOE_SUCCESS && (b->options.totals || b->options.mixed_precision)) {
        smoe_plan_desc without = *plan;
        without.precision = SMOE_PRECISION_FLOAT32;
        result = smoe_device_layer_create(b->device, &without, weights, plain);
    }
    if (result == SMOE_SUCCESS && b->options.totals)
        result = smoe_device_layer_reset_totals(*layer);
    return result;
}

static smoe_result select_kernels(const bench *b, bench_row *row)
{
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(b->device));
    const smoe_result result =
        smoe_select_kernels(&(smoe_selection_desc){info, &row->plan, row->tokens, 0}, row->kernels, NULL);
    if (!b->options.totals)
        row->kernels[SMOE_STAGE_TOTALS].name = ""; /* chosen for every plan, but run only where there are totals */
    return result;
}

/* After each row: what was measured is not lost with the device. stdout gets the document once, at the end. */
static bool keep_rows(const bench *b)
{
    const char *path = b->options.json;
    return !path || program_is_stdout(path) || bench_write_json(path, &b->options, &b->result);
}

/* The rows of a preset at one weight type share a layer, as an app's token counts would. */
static int run_type(bench *b, const bench_preset *preset, const bench_data *data, const smoe_plan_desc *plan,
                    const char *reason)
{
    smoe_device_layer *layer = NULL, *plain = NULL;
    char unsupported[BENCH_REASON_SIZE];
    bench_plan_times plan_times = {0};
    int status = PROGRAM_OK;

    snprintf(unsupported, sizeof unsupported, "%.*s", BENCH_REASON_SIZE - 1, reason);
    program_progress((double)b->result.row_count, b->row_total, "rows");
    if (!unsupported[0]) {
        smoe_result result = bench_measure_plan(b->device, plan, &plan_times);
        if (result == SMOE_SUCCESS)
            result = create_layers(b, plan, &data->weights, &layer, &plain);
        if (result != SMOE_SUCCESS && !explain(b, result, unsupported))
            status = fail(b, result);
    }
    for (int i = 0; status == PROGRAM_OK && i < BENCH_MAX_TOKEN_COUNTS && preset->tokens[i] > 0; i++) {
        program_progress((double)b->result.row_count, b->row_total, "rows");
        bench_row *row = add_row(b, preset, plan, preset->tokens[i], unsupported);
        smoe_result result = row ? SMOE_SUCCESS : SMOE_ERROR_OUT_OF_HOST_MEMORY;
        if (row)
            row->plan_times = plan_times;
        if (!unsupported[0] && row)
            result = select_kernels(b, row);
        if (!unsupported[0] && result == SMOE_SUCCESS)
            result = bench_measure_row(layer, plain, &b->options, data, row);
        if (result != SMOE_SUCCESS) {
            status = fail(b, result);
            b->result.row_count -= row != NULL; /* it is half a row */
        } else {
            program_progress_clear();
            bench_print_row(b->out, &b->result, row);
            status = keep_rows(b) ? PROGRAM_OK : PROGRAM_FAILED;
        }
    }
    smoe_device_layer_destroy(plain);
    smoe_device_layer_destroy(layer);
    return status;
}

static void set_type(smoe_plan_desc *plan, smoe_type type, bool mixed_precision)
{
    plan->types = (smoe_matrix_types)SMOE_TYPES(type);
    plan->precision = mixed_precision ? smoe_type_precision(type) : SMOE_PRECISION_FLOAT32;
}

static int run_preset(bench *b, const bench_preset *preset)
{
    char reasons[BENCH_TYPE_COUNT][BENCH_REASON_SIZE] = {"", "", ""};
    smoe_plan_desc plan = preset->plan;
    bench_data data = {0};
    int status = PROGRAM_OK;

    plan.max_active = bench_max_active(&b->options, preset);
    plan.max_expected_active = b->options.expected_active;
    plan.max_tokens = max_tokens(preset);
    plan.min_tokens = min_tokens(preset);
    bool any = false;
    for (int type = 0; type < BENCH_TYPE_COUNT; type++) {
        set_type(&plan, (smoe_type)type, b->options.mixed_precision);
        if (b->options.weights[type])
            any = !bench_is_unsupported(&b->result.info, &b->options, preset, &plan, reasons[type]) || any;
    }
    if (any && !bench_data_create(preset, plan.max_tokens, b->options.peer_data, &data))
        for (int type = 0; type < BENCH_TYPE_COUNT; type++)
            if (!reasons[type][0])
                snprintf(reasons[type], sizeof reasons[type], "no host memory for the weights");
    for (int type = 0; status == PROGRAM_OK && type < BENCH_TYPE_COUNT; type++) {
        set_type(&plan, (smoe_type)type, b->options.mixed_precision);
        if (b->options.weights[type])
            status = run_type(b, preset, &data, &plan, reasons[type]);
    }
    bench_data_destroy(&data);
    return status;
}

static void set_tokens(bench_preset *preset, uint32_t tokens)
{
    memset(preset->tokens, 0, sizeof preset->tokens);
    preset->tokens[0] = tokens;
}

static void choose_rows(bench *b)
{
    for (size_t i = 0; i < bench_preset_count; i++) {
        b->presets[i] = bench_presets[i];
        if (b->options.tokens)
            set_tokens(&b->presets[i], b->options.tokens);
        if (b->options.presets[i])
            b->row_total += count_rows(&b->options, &b->presets[i]);
    }
    if (b->options.has_shape && b->options.tokens)
        set_tokens(&b->options.shape, b->options.tokens);
    if (b->options.has_shape)
        b->row_total += count_rows(&b->options, &b->options.shape);
}

static int run_all(bench *b)
{
    const smoe_log log = {receive, &b->log};
    const smoe_device_desc desc = {.selector = b->options.device, .validation = b->options.validate,
                                   .masked_capabilities = b->options.mask, .log = &log};
    int status = PROGRAM_OK;

    const smoe_result result = smoe_device_create(&desc, &b->device);
    if (result != SMOE_SUCCESS)
        return fail(b, result);
    b->result.info = *smoe_context_device_info(smoe_device_context(b->device));
    if (b->options.no_peak)
        snprintf(b->result.peak.reason, sizeof b->result.peak.reason, "not asked for: --no-peak");
    else if (!bench_measure_peak(b->device, b->options.repeat, &b->result.peak))
        program_say("smoe-bench", "the device's peak: %s", b->result.peak.reason);
    bench_print_device(b->out, &b->options, &b->result);
    program_progress_begin(false);
    choose_rows(b);
    for (size_t i = 0; status == PROGRAM_OK && i < bench_preset_count; i++)
        if (b->options.presets[i])
            status = run_preset(b, &b->presets[i]);
    if (status == PROGRAM_OK && b->options.has_shape)
        status = run_preset(b, &b->options.shape);
    program_progress_clear();
    return status;
}

/* The device's own end is part of what validation watches: its messages come through the log. */
static int finish(bench *b, int status)
{
    if (b->options.validate && b->device) {
        const uint32_t messages = smoe_device_validation_count(b->device);
        fprintf(b->out, "validation: %u messages\n", messages);
        status = messages > 0 && status == PROGRAM_OK ? PROGRAM_FAILED : status;
    }
    smoe_device_destroy(b->device);
    free(b->result.rows);
    return program_end("smoe-bench", status);
}

static bool check_files(const bench_options *options)
{
    program_files files = {0};
    const bool good = program_files_write(&files, "--json", options->json, PROGRAM_JSON) &&
                      program_files_write(&files, "--dump", options->dump, PROGRAM_BYTES);
    if (!good)
        program_say("smoe-bench", "%s", files.reason);
    program_files_release(&files);
    return good;
}

int main(int count, char **arguments)
{
    bench b;
    int status;
    program_begin("smoe-bench");
    memset(&b, 0, sizeof b);
    if (!bench_parse_options(count, arguments, &b.options, &status))
        return status;
    if (b.options.list) {
        bench_print_presets(stdout);
        return program_end("smoe-bench", PROGRAM_OK);
    }
    if (!check_files(&b.options))
        return PROGRAM_REFUSED;
    b.out = program_text();
    b.log.print = b.options.validate;
    status = run_all(&b);
    if (b.result.row_count > 0)
        bench_print_summary(b.out, &b.result);
    if (program_is_stdout(b.options.json) && b.result.row_count > 0 &&
        !bench_write_json(b.options.json, &b.options, &b.result))
        status = PROGRAM_FAILED;
    const uint32_t wrong = bench_count_wrong(&b.result);
    if (wrong > 0) {
        program_say("smoe-bench", "%u runs are WRONG: what the device computed is not what it was asked for", wrong);
        status = PROGRAM_FAILED;
    }
    return finish(&b, status);
}
