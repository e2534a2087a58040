#include "shader_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines.h"

#define MAX_WORDS (1u << 20)
#define MAX_SETS 4u
#define MAX_BINDINGS 16u
#define PUSH_SIZE 128u /* what every device has */

enum { MAGIC = 0x07230203, HEADER_WORDS = 5, OP_CAPABILITY = 17, OP_VARIABLE = 59, OP_DECORATE = 71 };
enum { STORAGE_CLASS_UNIFORM = 2, BINDING = 33, DESCRIPTOR_SET = 34 };

typedef struct shader_file {
    uint32_t *words;
    size_t size; /* bytes */
} shader_file;

static bool read_file(const char *path, shader_file *out)
{
    FILE *file = fopen(path, "rb");
    out->words = malloc(4 * (size_t)MAX_WORDS);
    out->size = file && out->words ? fread(out->words, 1, 4 * (size_t)MAX_WORDS, file) : 0;
    if (file)
        fclose(file);
    if (out->size < 4 * HEADER_WORDS || out->size % 4 || out->words[0] != MAGIC) {
        fprintf(stderr, "%s: no SPIR-V\n", path);
        free(out->words);
        return false;
    }
    return true;
}

/* Where the next instruction begins; the end where the length is no length. */
static size_t next(const shader_file *shader, size_t at)
{
    const size_t words = shader->words[at] >> 16;
    return words ? at + words : shader->size / 4;
}

/* What the shader asks for and does not get; NULL if nothing. */
static const char *missing_operation(const shader_file *shader, VkSubgroupFeatureFlags supported, bool float16)
{
    const struct {
        uint32_t capability; /* SPIR-V's number */
        bool there;
        const char *name;
    } operations[] = {
        {9, float16, "no float16 arithmetic"},
        {46, false, "texel buffers are not bound here"},
        {61, supported & VK_SUBGROUP_FEATURE_BASIC_BIT, "no basic subgroup operations"},
        {62, supported & VK_SUBGROUP_FEATURE_VOTE_BIT, "no subgroup votes"},
        {63, supported & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT, "no subgroup arithmetic"},
        {64, supported & VK_SUBGROUP_FEATURE_BALLOT_BIT, "no subgroup ballot"},
        {65, supported & VK_SUBGROUP_FEATURE_SHUFFLE_BIT, "no subgroup shuffle"},
    };
    for (size_t at = HEADER_WORDS; at < shader->size / 4; at = next(shader, at))
        for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
            if ((shader->words[at] & 0xffff) == OP_CAPABILITY && shader->words[at + 1] == operations[i].capability &&
                !operations[i].there)
                return operations[i].name;
    return NULL;
}

/* The number of the decoration `kind` of an object, `missing` if it has none. */
static uint32_t decoration(const shader_file *shader, uint32_t object, uint32_t kind, uint32_t missing)
{
    for (size_t at = HEADER_WORDS; at < shader->size / 4; at = next(shader, at))
        if ((shader->words[at] & 0xffff) == OP_DECORATE && shader->words[at + 1] == object &&
            shader->words[at + 2] == kind)
            return shader->words[at + 3];
    return missing;
}

/* A uniform buffer by its storage class, as SPIR-V 1.3 has it; else a storage buffer. */
static VkDescriptorType descriptor_type(const shader_file *shader, uint32_t object)
{
    for (size_t at = HEADER_WORDS; at < shader->size / 4; at = next(shader, at))
        if ((shader->words[at] & 0xffff) == OP_VARIABLE && shader->words[at + 2] == object)
            return shader->words[at + 3] == STORAGE_CLASS_UNIFORM ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER
                                                                  : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    return VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
}

static VkResult create_set_layout(PFN_vkCreateDescriptorSetLayout create, VkDevice device, const shader_file *shader,
                                  uint32_t set, VkDescriptorSetLayout *out)
{
    VkDescriptorSetLayoutBinding bindings[MAX_BINDINGS];
    VkDescriptorType types[MAX_BINDINGS];
    uint32_t used = 0, count = 0;

    for (size_t at = HEADER_WORDS; at < shader->size / 4; at = next(shader, at))
        if ((shader->words[at] & 0xffff) == OP_DECORATE && shader->words[at + 2] == BINDING &&
            shader->words[at + 3] < MAX_BINDINGS &&
            decoration(shader, shader->words[at + 1], DESCRIPTOR_SET, 0) == set) {
            used |= 1u << shader->words[at + 3];
            types[shader->words[at + 3]] = descriptor_type(shader, shader->words[at + 1]);
        }
    for (uint32_t i = 0; i < MAX_BINDINGS; i++)
        if (used >> i & 1)
            bindings[count++] = (VkDescriptorSetLayoutBinding){i, types[i], 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = count, .pBindings = bindings};
    return create(device, &info, NULL, out);
}

/* The objects die with the program. */
static VkResult compile(const smoe_device_handles *handles, const shader_file *shader)
{
#define LOAD(name)                                                                                                     \
    const PFN_vk##name name = (PFN_vk##name)handles->get_instance_proc_addr(handles->instance, "vk" #name)
    LOAD(CreateDescriptorSetLayout);
    LOAD(CreatePipelineLayout);
    LOAD(CreateShaderModule);
    LOAD(CreateComputePipelines);
#undef LOAD
    VkDescriptorSetLayout sets[MAX_SETS];
    VkPipelineLayout layout;
    VkShaderModule module;
    VkPipeline pipeline;
    VkResult result = VK_SUCCESS;

    for (uint32_t i = 0; i < MAX_SETS && result == VK_SUCCESS; i++)
        result = create_set_layout(CreateDescriptorSetLayout, handles->device, shader, i, &sets[i]);
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, PUSH_SIZE};
    const VkPipelineLayoutCreateInfo layout_info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                                    .setLayoutCount = MAX_SETS, .pSetLayouts = sets,
                                                    .pushConstantRangeCount = 1, .pPushConstantRanges = &push};
    if (result == VK_SUCCESS)
        result = CreatePipelineLayout(handles->device, &layout_info, NULL, &layout);
    const VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = shader->size, .pCode = shader->words};
    if (result == VK_SUCCESS)
        result = CreateShaderModule(handles->device, &module_info, NULL, &module);
    if (result != VK_SUCCESS)
        return result;
    const VkSpecializationInfo defaults = {0};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module, .pName = "main", .pSpecializationInfo = &defaults},
        .layout = layout,
    };
    return CreateComputePipelines(handles->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline);
}

bool shader_file_compile(const smoe_device *device, const char *path)
{
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &subgroup};
    VkPhysicalDeviceShaderFloat16Int8Features float16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &float16};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    smoe_device_handles handles;
    shader_file shader;

    if (!read_file(path, &shader))
        return false;
    smoe_device_get_handles(device, &handles);
    ((PFN_vkGetPhysicalDeviceProperties2)handles.get_instance_proc_addr(
        handles.instance, "vkGetPhysicalDeviceProperties2"))(handles.physical_device, &properties);
    ((PFN_vkGetPhysicalDeviceFeatures2)handles.get_instance_proc_addr(
        handles.instance, "vkGetPhysicalDeviceFeatures2"))(handles.physical_device, &features);
    const char *missing = missing_operation(&shader, subgroup.supportedOperations, float16.shaderFloat16);
    pipelines_name_shape(name);
    if (missing)
        printf("{\"refused\": \"%s\", \"reason\": \"%s\"}\n", name, missing);
    const VkResult result = missing ? VK_SUCCESS : compile(&handles, &shader);
    if (result != VK_SUCCESS)
        fprintf(stderr, "%s: VkResult %d\n", name, (int)result);
    free(shader.words);
    return result == VK_SUCCESS;
}
