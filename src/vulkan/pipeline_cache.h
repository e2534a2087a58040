/* The data of a pipeline cache as apps store it: the driver's, behind a header of smoe's own. Drivers have crashed on
 * data that was cut or changed on a disk, so none sees what the header does not vouch for. */
#ifndef SMOE_VULKAN_PIPELINE_CACHE_H
#define SMOE_VULKAN_PIPELINE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/functions.h"

/* Which driver made the data, on which device. Drivers forget to tell some of their versions and builds apart. */
typedef struct smoe_pipeline_cache_origin {
    uint32_t vendor_id, device_id, driver_version;
    uint32_t pointer_size; /* drivers of 32 and of 64 bits may have the same UUID */
    uint8_t uuid[VK_UUID_SIZE];
} smoe_pipeline_cache_origin;

/* The driver's data begins here: aligned as the whole is, since drivers read structs from it. */
#define SMOE_PIPELINE_CACHE_HEADER_SIZE 64u

smoe_pipeline_cache_origin smoe_pipeline_cache_origin_of(const VkPhysicalDeviceProperties *properties);

/* Writes the header at the beginning of `data`, size bytes, which has the driver's behind it. */
void smoe_pipeline_cache_seal(const smoe_pipeline_cache_origin *origin, void *data, size_t size);

/* NULL where the driver of this origin may see what lies behind the header, else why not. */
const char *smoe_pipeline_cache_fault(const smoe_pipeline_cache_origin *origin, const void *data, size_t size);

#endif
