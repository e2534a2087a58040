/* The context's inside: what plans, layers and bindings need of the device. */
#ifndef SMOE_OBJECTS_CONTEXT_H
#define SMOE_OBJECTS_CONTEXT_H

#include "base/host.h"
#include "vulkan/device_table.h"
#include "vulkan/pipeline_cache.h"
#include "vulkan/pipeline_store.h"

struct smoe_context {
    smoe_host host;
    VkDevice device;
    smoe_device_table vk;
    smoe_device_info info; /* as enabled and masked */
    uint64_t slice_work;   /* resolved */
    VkPipelineCache cache;
    smoe_pipeline_cache_origin cache_origin;
    /* One layout for every kernel, see shaders/common/interface.h. */
    VkDescriptorSetLayout io_layout, weights_layout;
    VkPipelineLayout pipeline_layout;
    smoe_pipeline_store *pipelines; /* grows with the plans, from any thread, though the context is const */
};

/* From the data of an earlier run, where its origin is this context's. */
smoe_result smoe_context_create_cache(smoe_context *context, const smoe_context_desc *desc);

#endif
