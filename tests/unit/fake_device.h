/* A Vulkan device that is not there, as wrong as a driver can be: what it reports is plain data. */
#ifndef UNIT_FAKE_DEVICE_H
#define UNIT_FAKE_DEVICE_H

#include <smoe/smoe.h>

#include "vulkan/cooperative_matrix.h"

#define FAKE_MAX_LISTED 24

typedef struct fake_device {
    const char *name;
    uint32_t driver_id, vendor_id, driver_version, lanes;
    uint32_t api_version;
    VkDeviceSize offset_alignment; /* minStorageBufferOffsetAlignment */
    uint32_t buffer_range;         /* maxStorageBufferRange */
    uint32_t least_lanes; /* as size control, there from Vulkan 1.3 on, tells; 0: lanes */
    VkPhysicalDeviceType type;
    VkShaderStageFlags matrix_stages;
    VkCooperativeMatrixPropertiesKHR listed[FAKE_MAX_LISTED]; /* what the query of cooperative matrices gives */
    uint32_t listed_count;
    VkResult count_result, fill_result; /* of that query without and with an array */
    uint32_t incomplete;                /* so many queries with an array find one entry more than the array has */
    uint32_t queries;                   /* calls of it */
    const char *hidden;                 /* a function that the device does not have */
} fake_device;

extern fake_device fake;

/* A discrete GPU of no known driver, with every capability: 32 lanes, 16x16x16 of float16 and of bfloat16. */
void fake_reset(void);

/* Appends to fake.listed one for a subgroup, with float32 sums, and gives it back to be spoilt. */
VkCooperativeMatrixPropertiesKHR *fake_list(VkComponentTypeKHR type, uint32_t rows, uint32_t columns, uint32_t depth);

PFN_vkVoidFunction VKAPI_CALL fake_get_instance_proc_addr(VkInstance instance, const char *name);

VkInstance fake_instance(void);
VkPhysicalDevice fake_physical_device(void);

/* Its VkDevice with everything enabled; contexts, plans, layers and bindings can be made with it, and nothing more. Its
 * pipelines: fake_pipelines.h. Its descriptors: fake_descriptors.h. */
smoe_context_desc fake_context_desc(void);

#endif
