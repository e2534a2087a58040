/* Runs a vision transformer on a Vulkan device: this folder's kernels and smoe's layers, recorded into one command
 * buffer. */
#ifndef VISION_ENGINE_H
#define VISION_ENGINE_H

#include "model.h"

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

typedef struct vision_engine_desc {
    uint32_t max_batch;    /* images of one run; the engine may take fewer at once: vision_engine_max_batch */
    smoe_type weight_type; /* of the matrices on the device: float32 or float16 */
    float eps;             /* band width of every block with experts; NaN: the model's own */
    bool report;           /* keep the boundary report of every block with experts */
    bool no_subgroups;     /* kernels without subgroup operations, whatever the device can do: for tests */
} vision_engine_desc;

typedef struct vision_times {
    double stage[VISION_STAGE_COUNT]; /* nanoseconds on the device; 0 where it has no timestamps */
    /* of the whole run; the host's includes copying, recording, submitting and waiting */
    double device, host;
} vision_times;

/* What the engines of one device share: its queue, and pipelines, which do not depend on the model. False after one
 * line that says why; *out is NULL then. It is destroyed after the engines and before the device. */
typedef struct gpu gpu;
bool gpu_create(smoe_device *device, gpu **out);
void gpu_destroy(gpu *g);

typedef struct vision_engine vision_engine;

/* All device memory is planned and allocated here. The model's files are not needed afterwards, its descriptions are.
 * False after one line that says why; *out is NULL then. */
bool vision_engine_create(gpu *g, const vision_model *model, const vision_engine_desc *desc, vision_engine **out);
void vision_engine_destroy(vision_engine *engine);

/* Images that one run takes at most: what was asked for, or what fits into the device. */
uint32_t vision_engine_max_batch(const vision_engine *engine);

/* One submission, blocking. images: float32 [count, 3, image_size, image_size], normalised; logits: float32 [count,
 * classes]; count from 1 to vision_engine_max_batch; times may be NULL. An image's logits do not depend, to the bit, on
 * the others of its batch. False after one line that says why. */
bool vision_engine_run(vision_engine *engine, const float *images, uint32_t count, float *logits, vision_times *times);

/* The last run's report (smoe/report.h) of a block with experts: count * tokens records of *stride words, valid until
 * the next run. NULL without a report, and for a block without experts. */
const uint32_t *vision_engine_report(const vision_engine *engine, uint32_t block, uint32_t *stride);

/* Multiply-adds of one image but for its experts, whose number the routing decides; and of one expert of a block for
 * one token. */
double vision_image_operations(const vision_model *model);
double vision_expert_operations(const vision_model *model, uint32_t block);

#endif
