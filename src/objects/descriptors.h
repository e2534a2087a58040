/* Descriptor sets of storage buffers: allocated together, written one by one, freed with their pool. */
#ifndef SMOE_OBJECTS_DESCRIPTORS_H
#define SMOE_OBJECTS_DESCRIPTORS_H

#include "context.h"

#define SMOE_WEIGHTS_BUFFERS 4u /* of a set of the weights' layout */

/* A pool that holds exactly `count` sets of `layout`, with buffer_count storage buffers each, and the sets. On failure
 * *pool is VK_NULL_HANDLE. */
smoe_result smoe_descriptors_create(const smoe_context *context, VkDescriptorSetLayout layout, uint32_t buffer_count,
                                    uint32_t count, VkDescriptorPool *pool, VkDescriptorSet *sets);

/* Writes bindings 0 .. count-1 of a set; count at most 4. */
void smoe_descriptors_write(const smoe_context *context, VkDescriptorSet set, const VkDescriptorBufferInfo *buffers,
                            uint32_t count);

/* Checks a buffer of a description: given (if needed), aligned, and at least `size` bytes. name: "layer desc.w1". */
smoe_result smoe_buffer_check(const smoe_context *context, const char *name, const smoe_buffer *buffer, bool needed,
                              uint64_t size);

#endif
