/* The batches of a simulation. */
#include "program/compute.h" /* first: it brings volk */

#include "program/progress.h"
#include "simulation.h"

#include <stdlib.h>
#include <string.h>

enum { LOCAL_SIZE = 64, MAX_GROUPS = 16384, SAMPLES_PER_INVOCATION = 8, FIRST_BATCH = 256 /* samples, or work */ };

typedef struct push {
    uint32_t seed[2], first[2], samples, stream;
} push;

enum { PARAMETERS, COUNTERS, READBACK, BUFFER_COUNT };

struct simulation {
    analyze *a;
    simulation_desc desc;
    compute gpu;
    compute_layout layout;
    compute_buffer buffers[BUFFER_COUNT];
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkPipeline pipeline;
    uint64_t batch; /* samples of the next one */
    double seconds;
};

static bool prepare(simulation *s)
{
    static const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    const VkDeviceSize size = s->desc.counter_count * sizeof(uint32_t);
    compute *gpu = &s->gpu;
    const bool made = compute_create(gpu, s->a->device) && compute_create_layout(gpu, types, 2, &s->layout) &&
                      compute_create_buffer(gpu, SIMULATION_MAX_PARAMETERS * sizeof(float), COMPUTE_UPLOAD,
                                            "the parameters", &s->buffers[PARAMETERS]) &&
                      compute_create_buffer(gpu, size, COMPUTE_LOCAL, "the counters", &s->buffers[COUNTERS]) &&
                      compute_create_buffer(gpu, size, COMPUTE_HOST, "the counts", &s->buffers[READBACK]) &&
                      compute_create_pool(gpu, &s->layout, 1, &s->pool) &&
                      compute_create_set(gpu, &s->layout, s->pool, &s->set) &&
                      compute_create_pipeline(gpu, &s->layout, s->desc.spirv, s->desc.spirv_size, s->desc.constants,
                                              s->desc.constant_count, 0, &s->pipeline);
    if (made)
        compute_write_set(gpu, &s->layout, s->set, s->buffers);
    return made;
}

int simulation_create(analyze *a, const simulation_desc *desc, simulation **out)
{
    simulation *s = *out = calloc(1, sizeof *s);
    if (!s)
        return analyze_fail("no host memory");
    s->a = a;
    s->desc = *desc;
    /* it grows */
    s->batch = desc->work < FIRST_BATCH / SIMULATION_MIN_BATCH ? FIRST_BATCH / desc->work : SIMULATION_MIN_BATCH;
    return prepare(s) ? PROGRAM_OK : analyze_fail("%s", s->gpu.error);
}

void simulation_destroy(simulation *s)
{
    if (s && s->gpu.device) {
        s->gpu.vk.vkDestroyPipeline(s->gpu.device, s->pipeline, NULL);
        s->gpu.vk.vkDestroyDescriptorPool(s->gpu.device, s->pool, NULL);
        for (int i = 0; i < BUFFER_COUNT; i++)
            compute_destroy_buffer(&s->gpu, &s->buffers[i]);
        compute_destroy_layout(&s->gpu, &s->layout);
        compute_destroy(&s->gpu);
    }
    free(s);
}

void simulation_set_parameters(simulation *s, const float *parameters, size_t count)
{
    memcpy(s->buffers[PARAMETERS].mapped, parameters, count * sizeof *parameters);
}

static bool run_on_device(simulation *s, const push *constants)
{
    compute *gpu = &s->gpu;
    const VkBufferCopy whole = {0, 0, s->buffers[COUNTERS].size};
    const uint32_t wanted =
        (constants->samples + LOCAL_SIZE * SAMPLES_PER_INVOCATION - 1) / (LOCAL_SIZE * SAMPLES_PER_INVOCATION);

    if (!compute_begin(gpu))
        return false;
    gpu->vk.vkCmdFillBuffer(gpu->commands, s->buffers[COUNTERS].buffer, 0, VK_WHOLE_SIZE, 0);
    compute_barrier(gpu, gpu->commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    compute_dispatch(gpu, gpu->commands, &s->layout, s->pipeline, s->set, constants, sizeof *constants,
                     wanted < MAX_GROUPS ? wanted : MAX_GROUPS, 1, 1);
    compute_barrier(gpu, gpu->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                    VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
    gpu->vk.vkCmdCopyBuffer(gpu->commands, s->buffers[COUNTERS].buffer, s->buffers[READBACK].buffer, 1, &whole);
    return compute_submit(gpu);
}

static int run_batch(simulation *s, const push *constants, uint64_t *counts)
{
    if (!run_on_device(s, constants))
        return analyze_fail("%s", s->gpu.error);
    const uint32_t *counted = s->buffers[READBACK].mapped;
    for (uint32_t i = 0; i < s->desc.counter_count; i++)
        counts[i] += counted[i];
    return PROGRAM_OK;
}

int simulation_run(simulation *s, uint32_t stream, uint64_t first, uint64_t samples, uint64_t *counts)
{
    const uint64_t seed = s->a->options.seed;
    /* The device's counters have 32 bits and are read after every batch. */
    const uint64_t most = SIMULATION_MAX_BATCH / s->desc.work;

    for (uint64_t done = 0; done < samples;) {
        const uint64_t left = samples - done, batch = left < s->batch ? left : s->batch, at = first + done;
        const push constants = {
            {(uint32_t)seed, (uint32_t)(seed >> 32)}, {(uint32_t)at, (uint32_t)(at >> 32)}, (uint32_t)batch, stream};
        const double begin = program_now();
        const int status = run_batch(s, &constants, counts);
        if (status != PROGRAM_OK)
            return status;
        const double seconds = (program_now() - begin) * 1e-9;
        s->seconds += seconds;
        done += batch;
        if (seconds < 0.05 && batch == s->batch)
            s->batch *= seconds < 0.02 ? 4 : 2;
        else if (seconds > 0.15 && s->batch >= 2 * SIMULATION_MIN_BATCH)
            s->batch /= 2;
        s->batch = s->batch < most ? s->batch : most;
        s->a->work_done += (double)batch * s->desc.work;
        program_progress(s->a->work_done, s->a->work_total, NULL);
    }
    return PROGRAM_OK;
}

void simulation_expect(analyze *a, double work)
{
    a->work_done = 0;
    a->work_total = work;
}

double simulation_seconds(const simulation *s)
{
    return s->seconds;
}

void analyze_put_rate(analyze *a, const char *things, double count, double seconds)
{
    char about[64];
    analyze_put_value(a, "seconds", seconds, NULL);
    snprintf(about, sizeof about, "\n%s per second", things);
    analyze_put_value(a, "rate", count / seconds, about);
}
