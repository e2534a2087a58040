/* The vision engine on an app's own device, under validation: what its tests share. */
#ifndef VISION_ENGINE_FIXTURE_H
#define VISION_ENGINE_FIXTURE_H

#include "../embed/app.h" /* first: it brings volk */

#include <pthread.h>

#include "../../samples/vision/engine.h"
#include "common/record.h"

enum { FIXTURE_IMAGES = 3 /* of a run; the model's file has more */ };

typedef struct engine_fixture {
    test_app app;
    test_record record;
    smoe_log log;
    smoe_context *context;
    gpu *gpu;
    pthread_mutex_t queue; /* held by whoever uses the app's queue */
    uint32_t lock_count;   /* how often the gpu has asked for it */
    vision_model model;
    const float *images; /* of the model's file, [image_count, image_numbers] */
    uint32_t image_count, image_numbers;
} engine_fixture;

/* The app and the model; then smoe's context and the gpu, whose Vulkan comes by `get_instance_proc_addr`. Fail the
 * test. */
void engine_fixture_open(engine_fixture *fixture);
gpu_desc engine_fixture_describe(engine_fixture *fixture, PFN_vkGetInstanceProcAddr get_instance_proc_addr,
                                 const smoe_allocator *allocator);
void engine_fixture_close(engine_fixture *fixture); /* fails where anybody complained */

/* Reports and these slots; a batch of FIXTURE_IMAGES. */
vision_engine *engine_fixture_create(engine_fixture *fixture, const vision_model *model, uint32_t slots, float eps);

/* Slot `slot` gets `count` of the file's images, from `first` on. */
void engine_fixture_fill(const engine_fixture *fixture, const vision_engine *engine, uint32_t slot, uint32_t first,
                         uint32_t count);

/* A command buffer of the app's, begun; and submitted behind a barrier to the host, the queue being locked, and waited
 * for. */
VkCommandBuffer engine_fixture_begin(engine_fixture *fixture);
void engine_fixture_submit(engine_fixture *fixture, VkCommandBuffer commands);

/* One recorded run. */
void engine_fixture_run(engine_fixture *fixture, vision_engine *engine, const vision_run *run);

/* To the bit: the first `count` images' logits and reports of a slot, and those of another engine's. */
bool engine_fixture_same_logits(const vision_engine *a, uint32_t slot_a, const vision_engine *b, uint32_t slot_b,
                                uint32_t count);
bool engine_fixture_same_reports(const engine_fixture *fixture, const vision_engine *a, uint32_t slot_a,
                                 const vision_engine *b, uint32_t slot_b, uint32_t count);

#endif
