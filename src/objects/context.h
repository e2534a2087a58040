/* The context's inside: what plans, layers and bindings need of the device. */
#ifndef SMOE_OBJECTS_CONTEXT_H
#define SMOE_OBJECTS_CONTEXT_H

#include "base/host.h"
#include "vulkan/pipeline_store.h"
#include "vulkan/device_table.h"

struct smoe_context {
    smoe_host host;
    VkDevice device;
    smoe_device_table vk;
    smoe_device_info info; /* as enabled and masked */
    uint64_t slice_work;   /* resolved */
    VkPipelineCache cache;
    /* One layout for every kernel, see shaders/common/interface.h. */
    VkDescriptorSetLayout io_layout, weights_layout;
    VkPipelineLayout pipeline_layout;
    smoe_pipeline_store *pipelines; /* grows with the plans, from any thread, though the context is const */
};

#endif
