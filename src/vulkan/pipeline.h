/* Compute pipelines with specialisation constants. */
#ifndef SMOE_VULKAN_PIPELINE_H
#define SMOE_VULKAN_PIPELINE_H

#include <stdbool.h>

#include "device_table.h"

#define SMOE_PIPELINE_MAX_CONSTANTS 40

/* What pipelines of one device have in common. */
typedef struct smoe_pipeline_device {
    const smoe_device_table *vk;
    VkDevice handle;
    VkPipelineCache cache;
    VkPipelineLayout layout;
} smoe_pipeline_device;

/* What a pipeline is made from beside that. constants[i] is the constant with id i, a uint32; at most
 * SMOE_PIPELINE_MAX_CONSTANTS. */
typedef struct smoe_pipeline_desc {
    const char *name; /* for the log */
    const uint32_t *spirv;
    size_t spirv_size;
    const uint32_t *constants;
    uint32_t constant_count;
    uint32_t required_subgroup_size; /* 0 = any */
    bool full_subgroups; /* every lane lives, whatever size the driver picks if none is required. Wants size control,
                            and a workgroup size that is a multiple of the required or largest subgroup size */
} smoe_pipeline_desc;

/* Calls nothing of the app's: a failure is the caller's to log. *call, only then: the Vulkan function that failed. */
VkResult smoe_pipeline_create(const smoe_pipeline_device *device, const smoe_pipeline_desc *desc, VkPipeline *out,
                              const char **call);

#endif
