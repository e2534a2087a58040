/* What a driver tells of a pipeline (VK_KHR_pipeline_executable_properties), as JSON on stdout. */
#ifndef DRIVERS_STATISTICS_H
#define DRIVERS_STATISTICS_H

#include <vulkan/vulkan.h>

void print_json_string(const char *text);

/* {"subgroup": lanes, "statistics": {name: value, ...}}, ... of every executable. The pipeline must have been made with
 * VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR. */
void print_executables(PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device, VkPipeline pipeline);

/* In the machine code of a pipeline that was made with VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR. */
uint32_t count_matrix_instructions(PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device, VkPipeline pipeline);

#endif
