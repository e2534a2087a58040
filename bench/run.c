/* Device by device. */
#include "program/output.h"
#include "program/progress.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

/* The devices of --device, as smoe_device_desc.selector has them. */
typedef struct device_list {
    uint32_t count;
    const char *selectors[PROGRAM_MAX_VALUES];
    char texts[PROGRAM_MAX_VALUES][12]; /* what some of them are in */
} device_list;

static int run_presets(bench_runner *b)
{
    int status = PROGRAM_OK;
    for (size_t i = 0; status == PROGRAM_OK && i < bench_preset_count; i++)
        if (b->options->presets[i])
            status = bench_run_preset(b, &bench_presets[i]);
    for (uint32_t i = 0; status == PROGRAM_OK && i < b->options->shape_count; i++)
        status = bench_run_preset(b, &b->options->shapes[i]);
    return status;
}

/* The device's own end is part of what validation watches: its messages come through the log. */
static int close_device(bench_runner *b, int status)
{
    if (b->options->validate) {
        const uint32_t messages = smoe_device_validation_count(b->device);
        fprintf(b->out, "validation: %u messages\n", messages);
        status = messages > 0 && status == PROGRAM_OK ? PROGRAM_FAILED : status;
    }
    smoe_device_destroy(b->device);
    b->device = NULL;
    return status;
}

static int run_device(bench_runner *b, const char *selector, uint32_t mask, const smoe_log *log)
{
    const smoe_device_desc desc = {.selector = selector, .validation = b->options->validate,
                                   .masked_capabilities = mask, .log = log};
    bench_results *all = b->results;
    bench_result *devices = realloc(all->devices, (all->device_count + 1) * sizeof *devices);
    if (!devices)
        return bench_fail(b, SMOE_ERROR_OUT_OF_HOST_MEMORY);
    all->devices = devices;
    const smoe_result result = smoe_device_create(&desc, &b->device);
    if (result != SMOE_SUCCESS)
        return bench_fail(b, result);
    bench_result *to = &devices[all->device_count++];
    *to = (bench_result){.info = *smoe_context_device_info(smoe_device_context(b->device)), .mask = mask};
    if (b->options->no_peak)
        snprintf(to->peaks.reason, sizeof to->peaks.reason, "not asked for: --no-peak");
    else
        bench_measure_peaks(b->device, b->options->repeat, &to->peaks);
    program_progress_clear();
    const bool shown = bench_show_device(b->out, all, all->device_count - 1);
    return close_device(b, shown ? run_presets(b) : bench_fail(b, SMOE_ERROR_OUT_OF_HOST_MEMORY));
}

static void count_all_rows(bench_runner *b, uint32_t device_count)
{
    const bench_options *options = b->options;
    for (size_t i = 0; i < bench_preset_count; i++)
        b->row_total += options->presets[i] ? bench_count_rows(options, &bench_presets[i]) : 0;
    for (uint32_t i = 0; i < options->shape_count; i++)
        b->row_total += bench_count_rows(options, &options->shapes[i]);
    b->row_total *= device_count * bench_at_least_one(options->masks.count);
}

/* The usable ones, by their places in the list. */
static int list_all(bench_runner *b, const smoe_log *log, device_list *list)
{
    uint32_t count = 0;
    smoe_result result = smoe_device_list(NULL, log, &count, NULL);
    smoe_device_info *infos = result == SMOE_SUCCESS ? calloc(count > 0 ? count : 1, sizeof *infos) : NULL;
    if (result == SMOE_SUCCESS)
        result = infos ? smoe_device_list(NULL, log, &count, infos) : SMOE_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count && list->count < PROGRAM_MAX_VALUES; i++)
        if (infos[i].usable)
            snprintf(list->texts[list->count++], sizeof list->texts[0], "%u", i);
    free(infos);
    if (result == SMOE_SUCCESS && list->count == 0)
        result = SMOE_ERROR_NO_DEVICE;
    return result == SMOE_SUCCESS ? PROGRAM_OK : bench_fail(b, result);
}

static int list_devices(bench_runner *b, const smoe_log *log, device_list *list)
{
    const program_texts *asked = &b->options->devices;
    for (uint32_t i = 0; i < asked->count; i++) {
        list->selectors[i] = asked->values[i];
        if (strcmp(asked->values[i], "all") == 0) {
            const int status = list_all(b, log, list);
            for (uint32_t k = 0; k < list->count; k++)
                list->selectors[k] = list->texts[k];
            return status;
        }
    }
    list->count = bench_at_least_one(asked->count); /* selectors[0] NULL: the best */
    return PROGRAM_OK;
}

static bool is_ended(const bench_runner *b)
{
    return bench_is_interrupted() || b->unwritten;
}

int bench_run_all(bench_runner *b, const smoe_log *log)
{
    const program_counts *masks = &b->options->masks;
    static device_list list;
    int status = list_devices(b, log, &list);

    count_all_rows(b, list.count);
    program_progress_begin(false);
    /* A device that fails leaves the others to be measured. */
    for (uint32_t i = 0; i < list.count * bench_at_least_one(masks->count) && !is_ended(b); i++) {
        const uint32_t device = i / bench_at_least_one(masks->count), mask = i % bench_at_least_one(masks->count);
        if (run_device(b, list.selectors[device], masks->count > 0 ? masks->values[mask] : 0, log) != PROGRAM_OK)
            status = PROGRAM_FAILED;
    }
    program_progress_clear();
    b->results->finished = status == PROGRAM_OK;
    if (bench_is_interrupted())
        program_say("smoe-bench", "interrupted: %u of %u rows are kept", (unsigned)b->row_done, b->row_total);
    return status;
}
