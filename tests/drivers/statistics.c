#include "statistics.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EXECUTABLES 8u

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

/* Lines of machine code that multiply matrices, by the names that AMD, Intel and NVIDIA gave such instructions. Intel's
 * compiler shows its NIR too, where dpas_intel is one that is yet to be made. */
static uint32_t count_matrix_lines(const char *code)
{
    static const char *const names[] = {"v_wmma", "dpas.", "hmma"};
    uint32_t count = 0;
    for (const char *line = code; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const size_t length = strcspn(line, "\n");
        bool found = false;
        for (size_t at = 0; at < length; at++)
            for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                size_t same = 0;
                while (at + same < length && names[i][same] &&
                       tolower((unsigned char)line[at + same]) == names[i][same])
                    same++;
                found = found || !names[i][same];
            }
        count += found;
    }
    return count;
}

/* The most of what the driver shows, since some show the code in several forms. */
static uint32_t count_in_executable(PFN_vkGetPipelineExecutableInternalRepresentationsKHR get, VkDevice device,
                                    VkPipeline pipeline, uint32_t index)
{
    const VkPipelineExecutableInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline, .executableIndex = index};
    VkPipelineExecutableInternalRepresentationKHR shown[16];
    uint32_t count = sizeof shown / sizeof *shown, most = 0;

    memset(shown, 0, sizeof shown);
    for (uint32_t i = 0; i < count; i++)
        shown[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    if (get(device, &info, &count, shown) < 0)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        shown[i].pData = shown[i].isText && shown[i].dataSize > 0 ? calloc(1, shown[i].dataSize + 1) : NULL;
    if (get(device, &info, &count, shown) >= 0)
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t found = shown[i].pData ? count_matrix_lines(shown[i].pData) : 0;
            most = found > most ? found : most;
        }
    for (uint32_t i = 0; i < count; i++)
        free(shown[i].pData);
    return most;
}

static uint32_t count_executables(PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device, VkPipeline pipeline,
                                  VkPipelineExecutablePropertiesKHR properties[MAX_EXECUTABLES])
{
    const VkPipelineInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
    const PFN_vkGetPipelineExecutablePropertiesKHR get =
        (PFN_vkGetPipelineExecutablePropertiesKHR)get_device_proc_addr(device, "vkGetPipelineExecutablePropertiesKHR");
    uint32_t count = MAX_EXECUTABLES;

    memset(properties, 0, MAX_EXECUTABLES * sizeof *properties);
    for (uint32_t i = 0; i < count; i++)
        properties[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
    return get(device, &info, &count, properties) < 0 ? 0 : count;
}

uint32_t count_matrix_instructions(PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device, VkPipeline pipeline)
{
    const PFN_vkGetPipelineExecutableInternalRepresentationsKHR get =
        (PFN_vkGetPipelineExecutableInternalRepresentationsKHR)get_device_proc_addr(
            device, "vkGetPipelineExecutableInternalRepresentationsKHR");
    VkPipelineExecutablePropertiesKHR properties[MAX_EXECUTABLES];
    const uint32_t count = count_executables(get_device_proc_addr, device, pipeline, properties);
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += count_in_executable(get, device, pipeline, i);
    return sum;
}

static void print_executable(PFN_vkGetPipelineExecutableStatisticsKHR get, VkDevice device, VkPipeline pipeline,
                             uint32_t index, uint32_t subgroup_size)
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
    const PFN_vkGetPipelineExecutableStatisticsKHR get =
        (PFN_vkGetPipelineExecutableStatisticsKHR)get_device_proc_addr(device, "vkGetPipelineExecutableStatisticsKHR");
    VkPipelineExecutablePropertiesKHR properties[MAX_EXECUTABLES];
    const uint32_t count = count_executables(get_device_proc_addr, device, pipeline, properties);

    for (uint32_t i = 0; i < count; i++)
        print_executable(get, device, pipeline, i, properties[i].subgroupSize);
}
