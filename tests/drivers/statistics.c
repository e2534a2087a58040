#include "statistics.h"

#include <inttypes.h>
#include <stdio.h>

void print_json_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_value(const VkPipelineExecutableStatisticKHR *statistic)
{
    switch (statistic->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: printf("%u", statistic->value.b32); break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: printf("%" PRId64, statistic->value.i64); break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: printf("%" PRIu64, statistic->value.u64); break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR: printf("%.17g", statistic->value.f64); break;
    default: printf("null");
    }
}

static void print_executable(PFN_vkGetPipelineExecutableStatisticsKHR get, VkDevice device, VkPipeline pipeline, uint32_t index,
                             uint32_t subgroup_size)
{
    const VkPipelineExecutableInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline, .executableIndex = index};
    VkPipelineExecutableStatisticKHR statistics[128] = {{.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR}};
    uint32_t count = sizeof statistics / sizeof *statistics;

    for (uint32_t i = 0; i < count; i++)
        statistics[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    if (get(device, &info, &count, statistics) < 0)
        count = 0;
    printf("%s{\"subgroup\": %u, \"statistics\": {", index ? ", " : "", subgroup_size);
    for (uint32_t i = 0; i < count; i++) {
        printf(i ? ", " : "");
        print_json_string(statistics[i].name);
        printf(": ");
        print_value(&statistics[i]);
    }
    printf("}}");
}

void print_executables(PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device, VkPipeline pipeline)
{
    const VkPipelineInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
    const PFN_vkGetPipelineExecutablePropertiesKHR get_properties =
        (PFN_vkGetPipelineExecutablePropertiesKHR)get_device_proc_addr(device, "vkGetPipelineExecutablePropertiesKHR");
    const PFN_vkGetPipelineExecutableStatisticsKHR get_statistics =
        (PFN_vkGetPipelineExecutableStatisticsKHR)get_device_proc_addr(device, "vkGetPipelineExecutableStatisticsKHR");
    VkPipelineExecutablePropertiesKHR properties[8] = {{.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR}};
    uint32_t count = sizeof properties / sizeof *properties;

    for (uint32_t i = 0; i < count; i++)
        properties[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
    if (get_properties(device, &info, &count, properties) < 0)
        count = 0;
    for (uint32_t i = 0; i < count; i++)
        print_executable(get_statistics, device, pipeline, i, properties[i].subgroupSize);
}
