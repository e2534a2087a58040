/* The pipelines of a context: each is made when it is first asked for, by whichever plan, and kept until the context
 * ends. */
#ifndef SMOE_VULKAN_PIPELINE_STORE_H
#define SMOE_VULKAN_PIPELINE_STORE_H

#include "base/host.h"
#include "pipeline.h"

typedef struct smoe_pipeline_store smoe_pipeline_store;

/* `host` and what `device` points to must outlive the store. Destroying NULL is legal. */
smoe_result smoe_pipeline_store_create(const smoe_host *host, const smoe_pipeline_device *device,
                                       smoe_pipeline_store **out);
void smoe_pipeline_store_destroy(smoe_pipeline_store *store);

/* The pipeline of a description, the store's own: descriptions are the same if they have the same SPIR-V in memory,
 * constants and subgroups. From any threads at once: one of those that want the same new pipeline makes it, and the
 * others wait for it. Each of them tries for itself if that one fails, so that every error is the caller's own. No
 * callback of the app's runs while another thread may be kept waiting. */
smoe_result smoe_pipeline_store_get(smoe_pipeline_store *store, const smoe_pipeline_desc *desc, VkPipeline *out);

#endif
