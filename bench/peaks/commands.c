/* What a command costs besides its work: the time of many of them against that of twice as many, or of the same
 * without. */
#include "measure.h"

#include "bench_empty.h" /* empty.comp as SPIR-V, made by the build */

#define TIME 1e6 /* nanoseconds that the shorter run takes at least */
#define FEWEST 64u
#define MOST 8192u

/* Commands until they take long enough: a clock has a step, and a submission a cost of its own. */
static bool choose_count(peak_bench *b, peak_work *work)
{
    double time = 0;
    for (work->repeats = FEWEST;; work->repeats *= 2) {
        if (!peak_time_once(b, work, &time))
            return false;
        if (time >= TIME || work->repeats >= MOST)
            return true;
    }
}

/* The difference of two works, over the number of commands in it. */
static bool measure_difference(peak_bench *b, const peak_work works[2], uint32_t commands, bench_peak *out)
{
    double times[2] = {0, 0};
    if (!peak_best_times(b, works, 2, times, out))
        return false;
    if (times[1] <= times[0]) {
        snprintf(out->not_measured, sizeof out->not_measured, "%u more took no longer", commands);
        return false;
    }
    out->value = (times[1] - times[0]) / commands;
    return true;
}

/* twice: the longer run has twice as many dispatches; else it has a barrier behind each. */
static bool measure(peak_bench *b, bool twice, bench_peak *out)
{
    peak_work works[2] = {{.workgroups = 1}};
    bool done = compute_create_pipeline(&b->gpu, &b->layout, bench_empty_spirv, sizeof bench_empty_spirv, NULL, 0, 0,
                                        &works[0].pipeline) &&
                choose_count(b, &works[0]);
    if (done) {
        works[1] = works[0];
        works[1].repeats *= twice ? 2 : 1;
        works[1].barriers = !twice;
        done = measure_difference(b, works, works[0].repeats, out);
    }
    b->gpu.vk.vkDestroyPipeline(b->gpu.device, works[0].pipeline, NULL);
    return done;
}

bool peak_empty_dispatch(peak_bench *b, bench_peak *out)
{
    return measure(b, true, out);
}

bool peak_barrier(peak_bench *b, bench_peak *out)
{
    return measure(b, false, out);
}
