/* What the device reaches at its best, each figure by a kernel or a command made for nothing else: ../README.md says
 * how it is counted. */
#ifndef SMOE_BENCH_PEAKS_H
#define SMOE_BENCH_PEAKS_H

#include <volk.h>

#include <smoe/device.h>

#include <stdio.h>

#define BENCH_MAX_PEAKS 96 /* the kinds of peaks.c, and each product of matrices that the device lists */
#define BENCH_PEAK_NAME_SIZE 64
#define BENCH_PEAK_REASON_SIZE 256

typedef struct bench_peak {
    char name[BENCH_PEAK_NAME_SIZE];
    const char *unit; /* "flop/s", "op/s", "byte/s", "ns" */
    const char *how;  /* what it counts, in a few words */
    double value;     /* 0: not measured, and `not_measured` says why */
    uint32_t best_of; /* runs */
    char not_measured[BENCH_PEAK_REASON_SIZE];
} bench_peak;

/* reason: why there are none at all, else empty. */
typedef struct bench_peaks {
    bench_peak list[BENCH_MAX_PEAKS];
    uint32_t count;
    char reason[BENCH_PEAK_REASON_SIZE];
} bench_peaks;

/* most_repeats: how often each runs at most; 0: as often as measure.c says. */
void bench_measure_peaks(smoe_device *device, uint32_t most_repeats, bench_peaks *peaks);

/* ---- shares.c ---------------------------------------------------------------------------------------------------- */

/* The peak of a kernel's kind: of the fastest product of matrices of its types for a kernel that multiplies by matrix
 * units, fma_float32 for every other. NULL where that was not measured. */
const bench_peak *bench_peak_of_kernel(const bench_peaks *peaks, const char *kernel);

/* 0 where a peak that they need was not measured. Of operations: the time that the stages' would take at the peaks of
 * their kernels' kinds, over the time; of bytes: their number in that time over that of the fastest copy or reading of
 * the device's memory. Times are nanoseconds. */
double bench_share_of_operations(const bench_peaks *peaks, const smoe_kernel_choice kernels[SMOE_STAGE_COUNT],
                                 const double flop[SMOE_STAGE_COUNT], double time);
double bench_share_of_bytes(const bench_peaks *peaks, double bytes, double time);

/* A line for each, in the form of the program's table. */
void bench_print_peaks(FILE *out, const bench_peaks *peaks);

#endif
