/* Operations per second, in registers. */
#include "measure.h"

#include "bench_dot_int8.h" /* dot_int8.comp, fma.comp and fma_float16.comp as SPIR-V, made by the build */
#include "bench_fma.h"
#include "bench_fma_float16.h"

#define INVOCATIONS 64u /* of a workgroup of these */
#define TIME 5e6        /* nanoseconds that a run takes at least: what a dispatch costs vanishes beside them */
#define FEWEST_WORKGROUPS 16u
#define FEWEST_ROUNDS 16u /* and an invocation's own start and end */
#define MOST_ROUNDS (1u << 20)

/* Far more than run at once; each invocation writes a word of the buffer. */
static uint32_t most_workgroups(const peak_bench *b, const peak_shader *shader)
{
    const uint32_t many = b->info->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? 1024 : 16384;
    const VkDeviceSize fit = b->buffers[1].size / (sizeof(float) * shader->invocations);
    return fit < many ? (uint32_t)fit : many;
}

/* First as many workgroups as fill the device, then more rounds, until a run takes long enough. Begins small: a
 * software device may need seconds for what a GPU does in no time. */
static bool choose_amount(peak_bench *b, const peak_shader *shader, peak_work *work)
{
    const uint32_t most = most_workgroups(b, shader);
    double time = 0;

    work->workgroups = most < FEWEST_WORKGROUPS ? most : FEWEST_WORKGROUPS;
    work->push.count = FEWEST_ROUNDS;
    for (;;) {
        if (!peak_time_once(b, work, &time))
            return false;
        if (time >= TIME || (work->workgroups == most && work->push.count >= MOST_ROUNDS))
            return true;
        const uint32_t more = time > TIME / 8 ? 2 : 8;
        if (work->workgroups < most)
            work->workgroups = work->workgroups > most / more ? most : work->workgroups * more;
        else
            work->push.count *= more;
    }
}

bool peak_operations(peak_bench *b, const peak_shader *shader, bench_peak *out)
{
    compute *gpu = &b->gpu;
    peak_work work = {.push = {0, shader->factor, shader->step}, .repeats = 1};
    double time = 0;

    bool done = compute_create_pipeline(gpu, &b->layout, shader->spirv, shader->size, shader->constants,
                                        shader->constant_count, shader->lanes, &work.pipeline);
    done = done && choose_amount(b, shader, &work) && peak_best_times(b, &work, 1, &time, out);
    gpu->vk.vkDestroyPipeline(gpu->device, work.pipeline, NULL);
    if (done && time > 0)
        out->value = shader->operations * work.push.count * work.workgroups / time * 1e9;
    return done;
}

/* 16 multiply-adds, or dot products with their sums, in each of 8 chains. */
static bool measure(peak_bench *b, const uint32_t *spirv, size_t size, double operations, bench_peak *out)
{
    const peak_shader shader = {.spirv = spirv,
                                .size = size,
                                .invocations = INVOCATIONS,
                                .operations = 128 * operations * INVOCATIONS,
                                .factor = 0.999f,
                                .step = 0.001f};
    return peak_operations(b, &shader, out);
}

bool peak_fma_float32(peak_bench *b, bench_peak *out)
{
    return measure(b, bench_fma_spirv, sizeof bench_fma_spirv, 2, out);
}

bool peak_fma_float16(peak_bench *b, bench_peak *out)
{
    if (b->device.float16)
        return measure(b, bench_fma_float16_spirv, sizeof bench_fma_float16_spirv, 2, out);
    snprintf(out->not_measured, sizeof out->not_measured, "the device has no shaderFloat16");
    return false;
}

bool peak_dot_int8(peak_bench *b, bench_peak *out)
{
    if (b->device.dot_product)
        return measure(b, bench_dot_int8_spirv, sizeof bench_dot_int8_spirv, 8, out);
    snprintf(out->not_measured, sizeof out->not_measured, "the device has no shaderIntegerDotProduct");
    return false;
}
