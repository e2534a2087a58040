/* Dispatches of the app's own, to be recorded before and after smoe's. */
#ifndef EMBED_OWN_WORK_H
#define EMBED_OWN_WORK_H

#include "app.h"

#define OWN_WORK_MAX_SETS 4

typedef struct own_work {
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout pipeline_layout;
    VkPipeline pipeline;
    VkDescriptorPool descriptor_pool;
} own_work;

bool own_work_create(test_app *app, own_work *work);
void own_work_destroy(test_app *app, own_work *work);

/* Records to = factor * from over a whole part, without any barrier. Takes one of OWN_WORK_MAX_SETS descriptor sets. */
bool own_work_scale(test_app *app, const own_work *work, app_part from, app_part to, float factor);

#endif
