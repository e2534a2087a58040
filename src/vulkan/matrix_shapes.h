/* Which products of cooperative matrices a device makes. */
#ifndef SMOE_VULKAN_MATRIX_SHAPES_H
#define SMOE_VULKAN_MATRIX_SHAPES_H

#include "instance.h"

/* Fills out->matrix_shapes with those of 16-bit floats and float32 sums, by one subgroup. What can be done without is
 * no reason to lose the device: where the driver fails for another reason than host memory, there are none, and the log
 * says so. */
smoe_result smoe_matrix_shapes_query(const smoe_host *host, const smoe_instance_table *table,
                                     VkPhysicalDevice physical_device, smoe_device_info *out);

#endif
