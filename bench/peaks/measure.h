/* What the kinds of peaks share: a device, its buffers, and how the best time is found. */
#ifndef SMOE_BENCH_PEAKS_MEASURE_H
#define SMOE_BENCH_PEAKS_MEASURE_H

#include "peaks.h"

#include "program/compute.h"
#include "vulkan/cooperative_matrix.h"

/* ---- device.c ---------------------------------------------------------------------------------------------------- */

/* A VkDevice with every feature that some peak needs. smoe's own device has only what its kernels use, and enabling
 * more there would change the device that the rows are measured on. */
typedef struct peak_device {
    smoe_device_handles handles; /* device NULL: there is none */
    bool float16, int8, dot_product, matrices, bfloat16, size_control;
} peak_device;

/* False with the reason; peak_device_destroy is not needed then. */
bool peak_device_create(smoe_device *device, peak_device *out, char reason[BENCH_PEAK_REASON_SIZE]);
void peak_device_destroy(peak_device *device);

/* ---- measure.c --------------------------------------------------------------------------------------------------- */

#define PEAK_WORKGROUP_BYTES 16384u /* what a workgroup of copy.comp and read.comp covers */

/* As in the shaders' block of push constants. */
typedef struct peak_push {
    uint32_t count; /* rounds */
    float factor, step;
} peak_push;

typedef struct peak_bench {
    const smoe_device_info *info;
    peak_device device;
    compute gpu;
    compute_layout layout;
    compute_buffer buffers[2]; /* read, written; as large as one another */
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkQueryPool stamps;
    uint32_t most_repeats;
    double time; /* for each peak, nanoseconds of the host's clock */
} peak_bench;

/* Everything but the peaks' own pipelines. peak_bench_release undoes it, also where it failed in between. */
bool peak_bench_prepare(peak_bench *b, smoe_device *device, char reason[BENCH_PEAK_REASON_SIZE]);
void peak_bench_release(peak_bench *b);

/* What is timed: dispatches of a pipeline, or for VK_NULL_HANDLE copies of `size` bytes. */
typedef struct peak_work {
    VkPipeline pipeline;
    peak_push push;
    uint32_t workgroups;
    VkBuffer from, to;
    VkDeviceSize size;
    uint32_t repeats; /* in one command buffer */
    bool barriers;    /* behind each */
} peak_work;

/* The functions below give false once gpu.error says what failed.
 * Nanoseconds on the device, on the host where it has no timestamps. */
bool peak_time_once(peak_bench *b, const peak_work *work, double *nanoseconds);
/* The shortest of some runs of each of `count` works, which take turns; a first run of each warms up. */
bool peak_best_times(peak_bench *b, const peak_work *works, uint32_t count, double *best, bench_peak *out);

/* ---- operations.c, bytes.c, commands.c: the kinds ---------------------------------------------------------------- */

/* Fill in value and best_of; false once gpu.error or out->not_measured says why not. */
typedef bool (*peak_measure)(peak_bench *b, bench_peak *out);
bool peak_fma_float32(peak_bench *b, bench_peak *out);
bool peak_fma_float16(peak_bench *b, bench_peak *out);
bool peak_dot_int8(peak_bench *b, bench_peak *out);
bool peak_copy_command(peak_bench *b, bench_peak *out);
bool peak_copy_kernel(peak_bench *b, bench_peak *out);
bool peak_read(peak_bench *b, bench_peak *out);
bool peak_host_to_device(peak_bench *b, bench_peak *out);
bool peak_device_to_host(peak_bench *b, bench_peak *out);
bool peak_empty_dispatch(peak_bench *b, bench_peak *out);
bool peak_barrier(peak_bench *b, bench_peak *out);

/* A kernel that only computes. */
typedef struct peak_shader {
    const uint32_t *spirv;
    size_t size;
    uint32_t constants[COMPUTE_MAX_CONSTANTS];
    uint32_t constant_count;
    uint32_t lanes;       /* as compute_create_pipeline has it */
    uint32_t invocations; /* of a workgroup */
    double operations;    /* of a workgroup, in each round */
    float factor, step;
} peak_shader;

bool peak_operations(peak_bench *b, const peak_shader *shader, bench_peak *out);

/* ---- matrix.c ---------------------------------------------------------------------------------------------------- */

/* The products that the device lists, by one subgroup, with factors of one type, and sums of one type that do not
 * saturate. */
typedef struct peak_matrices {
    VkCooperativeMatrixPropertiesKHR list[BENCH_MAX_PEAKS];
    uint32_t count;
} peak_matrices;

bool peak_list_matrices(peak_bench *b, uint32_t most, peak_matrices *out);
/* Name and unit. */
void peak_name_matrix(const VkCooperativeMatrixPropertiesKHR *matrix, bench_peak *out);
bool peak_matrix(peak_bench *b, const VkCooperativeMatrixPropertiesKHR *matrix, bench_peak *out);

#endif
