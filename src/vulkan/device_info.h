/* A physical device as plain data, and what of it an app's VkDevice has enabled. */
#ifndef SMOE_VULKAN_DEVICE_INFO_H
#define SMOE_VULKAN_DEVICE_INFO_H

#include "features.h"
#include "instance.h"

/* Fills *out; api_version is the instance's. The device's supported capabilities, before enabling and masking. The
 * driver is not asked for cooperative matrices where `with_matrices` is false or a quirk takes them away: there are
 * drivers that crash at the question. */
smoe_result smoe_device_info_query(const smoe_host *host, const smoe_instance_table *table, uint32_t api_version,
                                   VkPhysicalDevice physical_device, bool with_matrices, smoe_device_info *out);

/* The most that Vulkan lets a driver ask for as minStorageBufferOffsetAlignment; bytes. */
#define SMOE_MOST_OFFSET_ALIGNMENT 256u

/* ---- device_rules.c: pure functions ------------------------------------------------------------------------------ */

/* Whether every number is one that Vulkan allows; else `reason` names the field and its rule. */
bool smoe_device_info_is_consistent(const smoe_device_info *info, char reason[SMOE_REASON_SIZE]);

/* Whether the limits are at least what every kernel assumes; else `reason` says which is not. */
bool smoe_device_info_reaches_floor(const smoe_device_info *info, char reason[SMOE_REASON_SIZE]);

/* What the offsets of storage buffers are multiples of: whatever the device allows, kernels read words of 4 bytes, and
 * indirect arguments begin at multiples of 4. */
uint64_t smoe_device_info_offset_alignment(const smoe_device_info *info);

/* A driver that reports impossible subgroup sizes has none: 0 lanes were seen on a Mali-G72
 * (github.com/Tencent/ncnn/issues/6457). */
void smoe_device_info_mend_subgroups(smoe_device_info *info);

/* smoe_context_desc.act_as: what this device and that one can both do, under that one's name and type. */
void smoe_device_info_act_as(smoe_device_info *info, const smoe_device_info *as);

#endif
