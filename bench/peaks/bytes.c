/* Bytes per second: within the device's memory, and between it and the host's. */
#include "measure.h"

#include "bench_copy.h" /* copy.comp and read.comp as SPIR-V, made by the build */
#include "bench_read.h"

#include <string.h>


static bool time_bytes(peak_bench *b, const peak_work *work, double bytes, bench_peak *out)
{
    double time = 0;
    const bool done = peak_best_times(b, work, 1, &time, out);
    if (done && time > 0)
        out->value = bytes / time * 1e9;
    return done;
}

bool peak_copy_command(peak_bench *b, bench_peak *out)
{
    const peak_work work = {
        .from = b->buffers[0].buffer, .to = b->buffers[1].buffer, .size = b->buffers[0].size, .repeats = 1};
    return time_bytes(b, &work, 2 * (double)work.size, out);
}

static bool measure_kernel(peak_bench *b, const uint32_t *spirv, size_t size, double times, bench_peak *out)
{
    const VkDeviceSize bytes = b->buffers[0].size;
    peak_work work = {.workgroups = (uint32_t)(bytes / PEAK_WORKGROUP_BYTES), .repeats = 1};
    const bool done = compute_create_pipeline(&b->gpu, &b->layout, spirv, size, NULL, 0, 0, &work.pipeline) &&
                      time_bytes(b, &work, times * (double)bytes, out);
    b->gpu.vk.vkDestroyPipeline(b->gpu.device, work.pipeline, NULL);
    return done;
}

bool peak_copy_kernel(peak_bench *b, bench_peak *out)
{
    return measure_kernel(b, bench_copy_spirv, sizeof bench_copy_spirv, 2, out);
}

bool peak_read(peak_bench *b, bench_peak *out)
{
    return measure_kernel(b, bench_read_spirv, sizeof bench_read_spirv, 1, out);
}

/* A quarter of the device's buffer: the link between the two is slower than either's memory. */
static bool measure_link(peak_bench *b, bool up, bench_peak *out)
{
    const VkDeviceSize bytes = b->buffers[0].size / 4;
    compute_buffer host;
    bool done = compute_create_buffer(&b->gpu, bytes, COMPUTE_HOST, "buffer of the host", &host);
    if (done && host.mapped)
        memset(host.mapped, 1, (size_t)bytes); /* so that its pages exist */
    if (done) {
        const peak_work work = {.from = up ? host.buffer : b->buffers[1].buffer,
                                .to = up ? b->buffers[1].buffer : host.buffer,
                                .size = bytes,
                                .repeats = 1};
        done = time_bytes(b, &work, (double)bytes, out);
    }
    compute_destroy_buffer(&b->gpu, &host);
    return done;
}

bool peak_host_to_device(peak_bench *b, bench_peak *out)
{
    return measure_link(b, true, out);
}

bool peak_device_to_host(peak_bench *b, bench_peak *out)
{
    return measure_link(b, false, out);
}
