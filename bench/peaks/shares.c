/* Which peak a share is of, and the peaks as text. */
#include "peaks.h"

#include <string.h>

/* NULL where it was not measured. */
static const bench_peak *find(const bench_peaks *peaks, const char *name)
{
    for (uint32_t i = 0; i < peaks->count; i++)
        if (strcmp(peaks->list[i].name, name) == 0 && peaks->list[i].value > 0)
            return &peaks->list[i];
    return NULL;
}

/* The larger of two, of which either may be missing. */
static const bench_peak *larger(const bench_peak *a, const bench_peak *b)
{
    return !a || (b && b->value > a->value) ? b : a;
}

/* The kernels' names say which matrices they multiply: those of bfloat16 by a word of its own. All have float32 sums.
 * Which shape the library takes is its own affair: what it could take is the peak. */
const bench_peak *bench_peak_of_kernel(const bench_peaks *peaks, const char *kernel)
{
    const char *prefix = strstr(kernel, "bfloat16") ? "matrix_bfloat16_float32_" : "matrix_float16_float32_";
    const bench_peak *best = NULL;

    if (!strstr(kernel, "cooperative"))
        return find(peaks, "fma_float32");
    for (uint32_t i = 0; i < peaks->count; i++)
        if (strncmp(peaks->list[i].name, prefix, strlen(prefix)) == 0 && peaks->list[i].value > 0)
            best = larger(best, &peaks->list[i]);
    return best;
}

double bench_share_of_operations(const bench_peaks *peaks, const smoe_kernel_choice kernels[SMOE_STAGE_COUNT],
                                 const double flop[SMOE_STAGE_COUNT], double time)
{
    double least = 0;
    for (int i = 0; i < SMOE_STAGE_COUNT; i++) {
        const bench_peak *peak = flop[i] > 0 ? bench_peak_of_kernel(peaks, kernels[i].name) : NULL;
        if (flop[i] > 0 && !peak)
            return 0;
        least += peak ? flop[i] / peak->value * 1e9 : 0;
    }
    return time > 0 ? least / time : 0;
}

double bench_share_of_bytes(const bench_peaks *peaks, double bytes, double time)
{
    const bench_peak *peak =
        larger(larger(find(peaks, "copy_command"), find(peaks, "copy_kernel")), find(peaks, "read"));
    return peak && time > 0 ? bytes / time * 1e9 / peak->value : 0;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void print_value(FILE *out, const bench_peak *peak)
{
    static const struct {
        const char *unit, *shown;
        double scale;
    } units[] = {{"flop/s", "GFLOP/s", 1e9}, {"op/s", "GOP/s", 1e9}, {"byte/s", "GB/s", 1e9}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(peak->unit, units[i].unit) == 0) {
            fprintf(out, "%10.4g %-8s", peak->value / units[i].scale, units[i].shown);
            return;
        }
    fprintf(out, "%10.4g %-8s", peak->value, peak->unit);
}

void bench_print_peaks(FILE *out, const bench_peaks *peaks)
{
    if (peaks->reason[0])
        fprintf(out, "peaks: not measured: %s\n", peaks->reason);
    else
        fprintf(out, "peaks:\n");
    for (uint32_t i = 0; i < peaks->count; i++) {
        const bench_peak *peak = &peaks->list[i];
        fprintf(out, "  %-34s", peak->name);
        if (peak->value > 0) {
            print_value(out, peak);
            fprintf(out, "  %s\n", peak->how);
        } else {
            fprintf(out, "  not measured: %s\n", peak->not_measured);
        }
    }
}
