/* What the device reaches at its best: bytes per second and multiply-adds per second, by kernels made for nothing
 * else. */
#include "bench.h"
#include "program/compute.h"
#include "program/progress.h"

#include "bench_copy.h" /* copy.comp, fma.comp and read.comp as SPIR-V, made by the build */
#include "bench_fma.h"
#include "bench_read.h"

#include <string.h>

#define WORKGROUP_SIZE 64u
#define WORKGROUP_BYTES 16384u    /* what a workgroup of copy.comp and read.comp covers */
#define FMA_FLOP_PER_ROUND 256.0  /* fma.comp: 16 multiply-adds in each of 8 chains */
#define FMA_MIN_ROUNDS 64u        /* an invocation's own start and end vanish beside them */
#define FMA_MIN_TIME 10e6         /* nanoseconds: and so do the dispatch's */
#define REPEATS 24u

/* Large enough that caches do not hold it, small enough for the device. */
static VkDeviceSize choose_size(const smoe_device_info *info)
{
    VkDeviceSize size = (VkDeviceSize)(info->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? 128 : 512) << 20;
    const VkDeviceSize limits[] = {info->max_storage_buffer_range, info->max_allocation_size,
                                   info->device_memory_size / 8,
                                   (VkDeviceSize)info->max_workgroup_count[0] * WORKGROUP_BYTES};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i] > 0 && limits[i] < size) /* 0: unknown */
            size = limits[i];
    return size / WORKGROUP_BYTES * WORKGROUP_BYTES;
}

typedef struct peak_push {
    uint32_t count;
    float factor, step;
} peak_push;

/* What all kinds have in common. */
typedef struct peak_run {
    compute gpu;
    compute_layout layout;
    compute_buffer buffers[2]; /* read, written */
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkQueryPool stamps;
    uint32_t repeats;
} peak_run;

/* Memory that was never written may not even exist: some systems let all of it read from one page of zeros. */
static bool fill_buffers(peak_run *run)
{
    if (!compute_begin(&run->gpu))
        return false;
    for (int i = 0; i < 2; i++)
        run->gpu.vk.vkCmdFillBuffer(run->gpu.commands, run->buffers[i].buffer, 0, VK_WHOLE_SIZE, 0x3f800000);
    return compute_submit(&run->gpu);
}

static bool prepare(peak_run *run, smoe_device *device, VkDeviceSize size)
{
    static const VkDescriptorType types[2] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    compute *gpu = &run->gpu;
    const bool made = compute_create(gpu, device) && compute_create_layout(gpu, types, 2, &run->layout) &&
                      compute_create_buffer(gpu, size, COMPUTE_LOCAL, "what is read", &run->buffers[0]) &&
                      compute_create_buffer(gpu, size, COMPUTE_LOCAL, "what is written", &run->buffers[1]) &&
                      compute_create_pool(gpu, &run->layout, 1, &run->pool) &&
                      compute_create_set(gpu, &run->layout, run->pool, &run->set) &&
                      compute_create_stamps(gpu, 2, &run->stamps);
    if (made)
        compute_write_set(gpu, &run->layout, run->set, run->buffers);
    return made && fill_buffers(run);
}

static void release(peak_run *run)
{
    compute *gpu = &run->gpu;
    if (gpu->device) {
        gpu->vk.vkDestroyQueryPool(gpu->device, run->stamps, NULL);
        gpu->vk.vkDestroyDescriptorPool(gpu->device, run->pool, NULL);
    }
    for (int i = 0; i < 2; i++)
        compute_destroy_buffer(gpu, &run->buffers[i]);
    compute_destroy_layout(gpu, &run->layout);
    compute_destroy(gpu);
}

/* Runs a pipeline, or a copy command for VK_NULL_HANDLE, and gives its nanoseconds on the device, or on the host where
 * the device has no timestamps. */
static bool time_once(peak_run *run, VkPipeline pipeline, const peak_push *push, uint32_t workgroups,
                      double *nanoseconds)
{
    compute *gpu = &run->gpu;
    const VkBufferCopy whole = {0, 0, run->buffers[0].size};
    double stamps[2];

    if (!compute_begin(gpu))
        return false;
    compute_first_stamp(gpu, run->stamps, 2);
    if (pipeline)
        compute_dispatch(gpu, &run->layout, pipeline, run->set, push, sizeof *push, workgroups, 1, 1);
    else
        gpu->vk.vkCmdCopyBuffer(gpu->commands, run->buffers[0].buffer, run->buffers[1].buffer, 1, &whole);
    compute_stamp(gpu, run->stamps, 1);
    const double begin = program_now();
    if (!compute_submit(gpu))
        return false;
    *nanoseconds = program_now() - begin;
    if (!run->stamps)
        return true;
    if (!compute_read_stamps(gpu, run->stamps, 2, stamps))
        return false;
    *nanoseconds = stamps[1];
    return true;
}

/* The shortest of some runs; the first warms up. */
static bool best_time(peak_run *run, VkPipeline pipeline, const peak_push *push, uint32_t workgroups, double *best)
{
    for (uint32_t i = 0; i <= run->repeats; i++) {
        double time;
        if (!time_once(run, pipeline, push, workgroups, &time))
            return false;
        if (i == 1 || (i > 1 && time < *best))
            *best = time;
    }
    return true;
}

static bool measure_bytes(peak_run *run, const uint32_t *spirv, size_t spirv_size, double bytes, double *out)
{
    compute *gpu = &run->gpu;
    const peak_push push = {0};
    VkPipeline pipeline = VK_NULL_HANDLE;
    double time = 0;

    bool done = !spirv || compute_create_pipeline(gpu, &run->layout, spirv, spirv_size, NULL, 0, &pipeline);
    done = done && best_time(run, pipeline, &push, (uint32_t)(run->buffers[0].size / WORKGROUP_BYTES), &time);
    gpu->vk.vkDestroyPipeline(gpu->device, pipeline, NULL);
    if (done && time > 0)
        *out = bytes / time * 1e9;
    return done;
}

static bool measure_fma(peak_run *run, bool cpu, double *out)
{
    compute *gpu = &run->gpu;
    const uint32_t workgroups = cpu ? 1024 : 16384; /* far more than run at once */
    peak_push push = {FMA_MIN_ROUNDS, 0.999f, 0.001f};
    VkPipeline pipeline = VK_NULL_HANDLE;
    double time = 0;

    bool done = compute_create_pipeline(gpu, &run->layout, bench_fma_spirv, sizeof bench_fma_spirv, NULL, 0, &pipeline);
    for (; done && push.count < 1u << 20; push.count *= 2) {
        done = time_once(run, pipeline, &push, workgroups, &time);
        if (time > FMA_MIN_TIME)
            break;
    }
    done = done && best_time(run, pipeline, &push, workgroups, &time);
    gpu->vk.vkDestroyPipeline(gpu->device, pipeline, NULL);
    if (done && time > 0)
        *out = FMA_FLOP_PER_ROUND * push.count * workgroups * WORKGROUP_SIZE / time * 1e9;
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
    const bool done =
        prepare(&run, device, size) && measure_bytes(&run, NULL, 0, 2 * (double)size, &peak->copy_command) &&
        measure_bytes(&run, bench_copy_spirv, sizeof bench_copy_spirv, 2 * (double)size, &peak->copy_kernel) &&
        measure_bytes(&run, bench_read_spirv, sizeof bench_read_spirv, (double)size, &peak->read) &&
        measure_fma(&run, info->type == VK_PHYSICAL_DEVICE_TYPE_CPU, &peak->fma);
    if (!done)
        snprintf(peak->reason, sizeof peak->reason, "%s", run.gpu.error);
    release(&run);
    return done;
}
