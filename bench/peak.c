/* What the device reaches at its best: bytes per second and multiply-adds per second, by kernels made for nothing else. */
#include "peak_gpu.h"

#include "bench_copy.h" /* copy.comp, fma.comp and read.comp as SPIR-V, made by the build */
#include "bench_fma.h"
#include "bench_read.h"

#include <string.h>

#define GROUP_SIZE 64u
#define GROUP_BYTES 16384u        /* what a workgroup of copy.comp and read.comp covers */
#define FMA_FLOP_PER_ROUND 256.0  /* fma.comp: 16 multiply-adds in each of 8 chains */
#define FMA_MIN_ROUNDS 64u        /* an invocation's own start and end vanish beside them */
#define FMA_MIN_TIME 10e6         /* nanoseconds: and so do the dispatch's */
#define REPEATS 24u

/* Large enough that caches do not hold it, small enough for the device. */
static VkDeviceSize choose_size(const smoe_device_info *info)
{
    VkDeviceSize size = (VkDeviceSize)(info->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? 128 : 512) << 20;
    const VkDeviceSize limits[] = {info->max_storage_buffer_range, info->max_allocation_size, info->device_memory_size / 8,
                                   (VkDeviceSize)info->max_workgroup_count[0] * GROUP_BYTES};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i] > 0 && limits[i] < size) /* 0: unknown */
            size = limits[i];
    return size / GROUP_BYTES * GROUP_BYTES;
}

/* What all kinds have in common. */
typedef struct peak_run {
    peak_gpu gpu;
    uint32_t repeats;
} peak_run;

/* The shortest of some runs; the first warms up. */
static bool best_time(peak_run *run, VkPipeline pipeline, const peak_push *push, uint32_t groups, double *best)
{
    for (uint32_t i = 0; i <= run->repeats; i++) {
        double time;
        if (!peak_gpu_time(&run->gpu, pipeline, push, groups, &time))
            return false;
        if (i == 1 || (i > 1 && time < *best))
            *best = time;
    }
    return true;
}

static bool measure_bytes(peak_run *run, const uint32_t *spirv, size_t spirv_size, double bytes, double *out)
{
    peak_gpu *gpu = &run->gpu;
    const peak_push push = {0};
    VkPipeline pipeline = VK_NULL_HANDLE;
    double time = 0;

    bool done = !spirv || peak_gpu_pipeline(gpu, spirv, spirv_size, &pipeline);
    done = done && best_time(run, pipeline, &push, (uint32_t)(gpu->size / GROUP_BYTES), &time);
    peak_gpu_destroy_pipeline(gpu, pipeline);
    if (done && time > 0)
        *out = bytes / time * 1e9;
    return done;
}

static bool measure_fma(peak_run *run, bool cpu, double *out)
{
    peak_gpu *gpu = &run->gpu;
    const uint32_t groups = cpu ? 1024 : 16384; /* far more than run at once */
    peak_push push = {FMA_MIN_ROUNDS, 0.999f, 0.001f};
    VkPipeline pipeline = VK_NULL_HANDLE;
    double time = 0;

    bool done = peak_gpu_pipeline(gpu, bench_fma_spirv, sizeof bench_fma_spirv, &pipeline);
    for (; done && push.count < 1u << 20; push.count *= 2) {
        done = peak_gpu_time(gpu, pipeline, &push, groups, &time);
        if (time > FMA_MIN_TIME)
            break;
    }
    done = done && best_time(run, pipeline, &push, groups, &time);
    peak_gpu_destroy_pipeline(gpu, pipeline);
    if (done && time > 0)
        *out = FMA_FLOP_PER_ROUND * push.count * groups * GROUP_SIZE / time * 1e9;
    return done;
}

double bench_peak_bytes(const bench_peak *peak)
{
    const double copy = peak->copy_command > peak->copy_kernel ? peak->copy_command : peak->copy_kernel;
    return copy > peak->read ? copy : peak->read;
}

bool bench_measure_peak(smoe_device *device, uint32_t most_repeats, bench_peak *peak)
{
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device));
    const VkDeviceSize size = choose_size(info);
    peak_run run = {.repeats = most_repeats > 0 && most_repeats < REPEATS ? most_repeats : REPEATS};

    memset(peak, 0, sizeof *peak);
    peak->buffer_size = size;
    peak->repeat_count = run.repeats;
    const bool done = peak_gpu_create(&run.gpu, device, size) &&
                      measure_bytes(&run, NULL, 0, 2 * (double)size, &peak->copy_command) &&
                      measure_bytes(&run, bench_copy_spirv, sizeof bench_copy_spirv, 2 * (double)size, &peak->copy_kernel) &&
                      measure_bytes(&run, bench_read_spirv, sizeof bench_read_spirv, (double)size, &peak->read) &&
                      measure_fma(&run, info->type == VK_PHYSICAL_DEVICE_TYPE_CPU, &peak->fma);
    if (!done)
        snprintf(peak->reason, sizeof peak->reason, "%s failed", run.gpu.failed ? run.gpu.failed : "it");
    peak_gpu_destroy(&run.gpu);
    return done;
}
