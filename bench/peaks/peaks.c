/* The table of peaks, and how all of them are measured. */
#include "measure.h"

#include <string.h>

#define ALL 2e9      /* nanoseconds for all of them together, where each can be had in its part of it */
#define LONGEST 15e7 /* for one */

static const struct {
    const char *name, *unit, *how;
    peak_measure measure;
} kinds[] = {
    {"fma_float32", "flop/s", "multiply-adds in registers, two operations each", peak_fma_float32},
    {"fma_float16", "flop/s", "multiply-adds in registers, two operations each", peak_fma_float16},
    {"dot_int8", "op/s", "four products and four sums in registers, eight operations", peak_dot_int8},
    {"copy_command", "byte/s", "vkCmdCopyBuffer within the device, both ways counted", peak_copy_command},
    {"copy_kernel", "byte/s", "copy.comp, both ways counted", peak_copy_kernel},
    {"read", "byte/s", "read.comp", peak_read},
    {"host_to_device", "byte/s", "vkCmdCopyBuffer from the host's memory, counted once", peak_host_to_device},
    {"device_to_host", "byte/s", "vkCmdCopyBuffer to the host's memory, counted once", peak_device_to_host},
    {"empty_dispatch", "ns", "what one more dispatch of an empty kernel adds", peak_empty_dispatch},
    {"barrier", "ns", "what a barrier behind each of these adds", peak_barrier},
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

#define MATRIX_HOW "products of matrices in registers, 2 M N K operations each"

static bench_peak *add(bench_peaks *peaks)
{
    bench_peak *peak = &peaks->list[peaks->count++];
    memset(peak, 0, sizeof *peak);
    return peak;
}

static void list_kinds(bench_peaks *peaks)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        bench_peak *peak = add(peaks);
        snprintf(peak->name, sizeof peak->name, "%s", kinds[i].name);
        peak->unit = kinds[i].unit;
        peak->how = kinds[i].how;
    }
}

/* A peak that fails leaves the next ones their turn. */
static void conclude(peak_bench *b, bool done, bench_peak *peak)
{
    if (!done && !peak->not_measured[0])
        snprintf(peak->not_measured, sizeof peak->not_measured, "%s", b->gpu.error);
    if (!done)
        peak->value = peak->best_of = 0;
    b->gpu.error[0] = '\0';
}

static void measure_all(peak_bench *b, bench_peaks *peaks)
{
    peak_matrices matrices = {.count = 0};

    /* A list that cannot be had is a list of none: the context says so in the log. */
    peak_list_matrices(b, BENCH_MAX_PEAKS - peaks->count, &matrices);
    b->gpu.error[0] = '\0';
    b->time = ALL / (KIND_COUNT + matrices.count);
    if (b->time > LONGEST)
        b->time = LONGEST;
    for (uint32_t i = 0; i < KIND_COUNT; i++)
        conclude(b, kinds[i].measure(b, &peaks->list[i]), &peaks->list[i]);
    for (uint32_t i = 0; i < matrices.count; i++) {
        bench_peak *peak = add(peaks);
        peak_name_matrix(&matrices.list[i], peak);
        peak->how = MATRIX_HOW;
        conclude(b, peak_matrix(b, &matrices.list[i], peak), peak);
    }
}

void bench_measure_peaks(smoe_device *device, uint32_t most_repeats, bench_peaks *peaks)
{
    char reason[BENCH_PEAK_REASON_SIZE];
    peak_bench b;

    memset(peaks, 0, sizeof *peaks);
    list_kinds(peaks);
    memset(&b, 0, sizeof b);
    b.most_repeats = most_repeats;
    if (peak_bench_prepare(&b, device, reason))
        measure_all(&b, peaks);
    else
        for (uint32_t i = 0; i < peaks->count; i++)
            snprintf(peaks->list[i].not_measured, sizeof peaks->list[i].not_measured, "%s", reason);
    peak_bench_release(&b);
}
