/* Runs a vision transformer on a Vulkan device: this folder's kernels and smoe's layers, recorded into a command buffer
 * of the app's, or into one of its own.
 *
 * Errors: a function that returns bool gives false after one line of the gpu_desc's log that says why, or of the smoe
 * context's where smoe refused; *out is NULL then, and nothing is left behind. Nothing is printed.
 * Threads: of the functions that take one gpu, or engines of it, one at a time, with an exception for apps that load
 * while they draw: vision_engine_record, vision_engine_times and what is const may be called for a finished engine
 * while another thread is in vision_engine_create, _run or _destroy for another one. One engine belongs to one thread
 * at a time. */
#ifndef VISION_ENGINE_H
#define VISION_ENGINE_H

#include "program/compute.h" /* first: it brings volk */

#include "model.h"

/* ---- device ------------------------------------------------------------------------------------------------------ */

/* What to enable in vkCreateDevice: smoe_recommended_features and smoe_recommended_extensions have it. The engine's own
 * kernels want nothing further, and all of it may be left out. */

/* A device, the app's own or a smoe_device's. */
typedef struct gpu_desc {
    /* queue: only for what blocks, which is vision_engine_run, and vision_engine_create where the host cannot see all
     * of the device's memory. Command buffers that runs are recorded into are of queue_family, which has compute. */
    smoe_device_handles handles;
    const smoe_context *context; /* smoe's for that device; lives as long as the gpu */
    compute_lock lock;           /* for an app that submits to the queue, or presents, while another thread blocks */
    /* Both queue families, where queues of another one read what runs leave, or write images. */
    uint32_t sharing[2], sharing_count;
    const smoe_log *log; /* NULL: none; lives as long as the gpu. Called by the thread that meets an error */
} gpu_desc;

/* What the engines of one device share: its queue, and pipelines, which do not depend on the model. Compiles and
 * allocates next to nothing. It is destroyed after the engines and before the context. (compute_create_on has what
 * volk means to threads: an app that has loaded volk's functions of its instance need not think of it.) */
typedef struct gpu gpu;
bool gpu_create(const gpu_desc *desc, gpu **out);
void gpu_destroy(gpu *g);

/* ---- engine ------------------------------------------------------------------------------------------------------ */

/* Where the device's time goes. Each layer norm counts with what follows it. */
typedef enum vision_stage {
    VISION_STAGE_EMBED, /* stem, patches, positions */
    VISION_STAGE_ATTENTION,
    VISION_STAGE_MLP,
    VISION_STAGE_EXPERTS,
    VISION_STAGE_HEAD,
    VISION_STAGE_COUNT
} vision_stage;

const char *vision_stage_name(vision_stage stage);

#define VISION_MAX_SLOTS 1024u

typedef struct vision_engine_desc {
    uint32_t max_batch;    /* images of one run; the engine may take fewer at once: vision_engine_max_batch */
    uint32_t slots;        /* places for images and for results, 1 .. VISION_MAX_SLOTS; 0: 1 */
    smoe_type weight_type; /* of the matrices on the device: float32 or float16 */
    float eps;             /* band width of every block with experts; NaN: the model's own */
    bool report;           /* keep the boundary report of every block with experts */
    bool no_subgroups;     /* kernels without subgroup operations, whatever the device can do: for tests */
    /* Called between the pipelines that are compiled, with how many of `total` are done; NULL: not. */
    void (*progress)(void *user, uint32_t done, uint32_t total);
    void *user;
} vision_engine_desc;

typedef struct vision_engine vision_engine;

/* All device memory is planned and allocated here, and pipelines compiled: seconds, where the driver has none cached.
 * The model's files are not needed afterwards, its descriptions are. */
bool vision_engine_create(gpu *g, const vision_model *model, const vision_engine_desc *desc, vision_engine **out);
/* Once no run of it is on the device, or will be. */
void vision_engine_destroy(vision_engine *engine);

/* Images that one run takes at most: what was asked for, or what fits into the device. */
uint32_t vision_engine_max_batch(const vision_engine *engine);

/* Bytes that the engine takes: of the device's own memory for weights and for activations, which all slots share; and
 * of memory that the host sees too, for the slots' images, logits and reports. */
typedef struct vision_memory {
    uint64_t weights, activations, slots;
} vision_memory;
vision_memory vision_engine_memory(const vision_engine *engine);

/* ---- slots ------------------------------------------------------------------------------------------------------- */

/* A part of a VkBuffer for storage, uniform and texel descriptors and for copies; it lies in memory that the host has
 * mapped, coherent, as long as the engine lives. A device with memory of its own reaches it over the bus: quick enough
 * for these sizes; what shaders read often may be copied. */
typedef struct vision_buffer {
    smoe_buffer buffer; /* VK_NULL_HANDLE: absent */
    void *mapped;
} vision_buffer;

/* float32 [max_batch, 3, image_size, image_size], normalised as image_prepare leaves them: what runs that read the slot
 * take. The app writes them, through `mapped` or on the device, while no run on the device reads them. */
vision_buffer vision_engine_images(const vision_engine *engine, uint32_t slot);
/* float32 [max_batch, classes] */
vision_buffer vision_engine_logits(const vision_engine *engine, uint32_t slot);
/* smoe/report.h: max_batch * tokens records of *stride words, token 0 of an image being its class token, the others its
 * patches row by row. Absent without vision_engine_desc.report, and for a block without experts. */
vision_buffer vision_engine_report(const vision_engine *engine, uint32_t slot, uint32_t block, uint32_t *stride);
/* Each kind lies in one VkBuffer, in the order of the slots, at equal distances: slot s at the offset of slot 0 plus
 * s times what slot 1 is behind it. */

/* out = from + share (to - from), of `count` numbers; exactly `from` for a share of 0 and `to` for 1. For pictures: a
 * point of the path between two, as a model sees them. */
void vision_blend(const float *from, const float *to, float share, size_t count, float *out);

/* ---- runs -------------------------------------------------------------------------------------------------------- */

/* How the blocks with experts route in one run, as members of smoe_forward_params with the same ranges. NaN and 0: as
 * each block has it. A slider that moves rebuilds nothing. */
typedef struct vision_routing {
    float eps;           /* band width; 0: hard; NaN: vision_engine_desc.eps */
    uint32_t max_active; /* cap; k .. the block's own (smoe_plan_desc.max_active); 0: that */
    float temperature;   /* NaN: the block's */
    float a, b;          /* the mask's exponents; NaN: the block's */
} vision_routing;
vision_routing vision_routing_defaults(void); /* all as each block has it */

typedef struct vision_run {
    uint32_t images; /* the slot whose images it reads */
    uint32_t slot;   /* the slot whose logits, reports and times it leaves; may be the same */
    uint32_t count;  /* the first images of the slot, 1 .. vision_engine_max_batch */
    vision_routing routing;
} vision_run;

typedef struct vision_times {
    double stage[VISION_STAGE_COUNT]; /* nanoseconds on the device; 0 where it has no timestamps */
    /* of the whole run; the host's includes copying, recording, submitting and waiting, 0 for recorded runs */
    double device, host;
} vision_times;

/* Records one run, without submitting or waiting: into a primary or secondary command buffer that is recording, outside
 * a render pass, for a queue of the gpu's family. Any number of runs, of one engine or several, may follow one another
 * in one command buffer, and in several on one queue: an engine's runs use the same activations, so each begins with a
 * barrier behind the compute shaders before it. On several queues an engine's runs need semaphores between them.
 * - Before it: images that the host writes need nothing where the submission comes later, nor those that a compute
 *   shader writes. Images from other stages (a copy: TRANSFER_WRITE) need the app's barrier to COMPUTE_SHADER,
 *   SHADER_READ. What other stages still read of the slot's results (a fragment shader of the last frame) needs an
 *   execution dependency to COMPUTE_SHADER, and what the host still reads the app's fence.
 * - After it: the results are for the app to make visible, from COMPUTE_SHADER, SHADER_WRITE, to what reads them: HOST,
 *   HOST_READ; FRAGMENT_SHADER, SHADER_READ; TRANSFER, TRANSFER_READ.
 * An image's logits do not depend, to the bit, on the others of its run. Compute pipeline, descriptor sets 0 and 1 and
 * push constants are overwritten. False for a run that is out of range, with nothing recorded. */
bool vision_engine_record(vision_engine *engine, VkCommandBuffer commands, const vision_run *run);

/* The times of the last run that left results in the slot, once its fence has passed, and not before: Vulkan has no
 * stamps to look at yet. Waits for nothing. False, without a line, where the device has no timestamps. */
bool vision_engine_times(const vision_engine *engine, uint32_t slot, vision_times *times);

/* One submission, blocking, over slot 0 and with the engine's own routing. images: float32 [count, 3, image_size,
 * image_size], normalised; logits: float32 [count, classes]; times may be NULL. */
bool vision_engine_run(vision_engine *engine, const float *images, uint32_t count, float *logits, vision_times *times);

/* Multiply-adds of one image but for its experts, whose number the routing decides; and of one expert of a block for
 * one token. */
double vision_image_operations(const vision_model *model);
double vision_expert_operations(const vision_model *model, uint32_t block);

#endif
