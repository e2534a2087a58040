#include "context.h"

#include <string.h>

#include "push.h"
#include "vulkan/device_info.h"
#include "vulkan/quirks.h"

static smoe_result create_set_layout(smoe_context *context, uint32_t binding_count, VkDescriptorSetLayout *out)
{
    VkDescriptorSetLayoutBinding bindings[4];
    for (uint32_t i = 0; i < binding_count; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = binding_count,
        .pBindings = bindings,
    };
    const smoe_result result =
        smoe_vulkan_check(&context->host, context->vk.vkCreateDescriptorSetLayout(context->device, &info, NULL, out),
                          "vkCreateDescriptorSetLayout");
    if (result != SMOE_SUCCESS)
        *out = VK_NULL_HANDLE;
    return result;
}

static smoe_result create_pipeline_layout(smoe_context *context)
{
    const VkDescriptorSetLayout sets[] = {context->io_layout, context->weights_layout};
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(smoe_push)};
    const VkPipelineLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 2,
        .pSetLayouts = sets,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &push,
    };
    const smoe_result result = smoe_vulkan_check(
        &context->host, context->vk.vkCreatePipelineLayout(context->device, &info, NULL, &context->pipeline_layout),
        "vkCreatePipelineLayout");
    if (result != SMOE_SUCCESS)
        context->pipeline_layout = VK_NULL_HANDLE;
    return result;
}

static smoe_result create_store(smoe_context *context)
{
    const smoe_pipeline_device device = {&context->vk, context->device, context->cache, context->pipeline_layout};
    return smoe_pipeline_store_create(&context->host, &device, &context->pipelines);
}

static smoe_result check_desc(const smoe_host *host, const smoe_context_desc *desc)
{
    const char *missing = !desc->get_instance_proc_addr ? "get_instance_proc_addr"
                          : !desc->instance             ? "instance"
                          : !desc->physical_device      ? "physical_device"
                          : !desc->device               ? "device"
                                                        : NULL;
    if (missing)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "context desc.%s: must not be NULL", missing);
    if (desc->enabled_extension_count > 0 && !desc->enabled_extensions)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "context desc.enabled_extensions: must not be NULL when enabled_extension_count is %u",
                         desc->enabled_extension_count);
    for (uint32_t i = 0; i < desc->enabled_extension_count; i++)
        if (!desc->enabled_extensions[i])
            return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "context desc.enabled_extensions[%u]: must not be NULL",
                             i);
    if (smoe_features_lack_device_scope(desc->enabled_features))
        return smoe_fail(
            host, SMOE_ERROR_INVALID_ARGUMENT,
            "context desc.enabled_features: vulkanMemoryModel must come with vulkanMemoryModelDeviceScope");
    if (desc->masked_capabilities & ~(uint32_t)SMOE_CAPABILITY_ALL)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "context desc.masked_capabilities: 0x%x, must be SMOE_CAPABILITY_* bits",
                         desc->masked_capabilities);
    if (desc->pipeline_cache_size > 0 && !desc->pipeline_cache)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "context desc.pipeline_cache: must not be NULL when pipeline_cache_size is not 0");
    return SMOE_SUCCESS;
}

static smoe_result act_as(const smoe_host *host, const smoe_device_info *as, smoe_device_info *info)
{
    char reason[SMOE_REASON_SIZE];
    if (!smoe_device_info_is_consistent(as, reason))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "context desc.act_as: %s", reason);
    if (!as->usable)
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED, "context desc.act_as: %s", as->reason);
    smoe_device_info_act_as(info, as);
    return smoe_device_info_reaches_floor(info, reason)
               ? SMOE_SUCCESS
               : smoe_fail(host, SMOE_ERROR_UNSUPPORTED, "context desc.act_as: %s", reason);
}

static bool has_quirk(const smoe_device_info *info, const smoe_quirk *wanted)
{
    const smoe_quirk *quirk;
    for (uint32_t i = 0; (quirk = smoe_device_quirk(info, i)) != NULL; i++)
        if (quirk == wanted)
            return true;
    return false;
}

/* Tells of those that `told`, unless NULL, does not have. */
static void apply_quirks(const smoe_host *host, const smoe_device_info *told, smoe_device_info *info)
{
    const smoe_quirk *quirk;
    for (uint32_t i = 0; (quirk = smoe_device_quirk(info, i)) != NULL; i++)
        if (!told || !has_quirk(told, quirk))
            smoe_inform(host, "quirk %s: %s (%s)", quirk->name, quirk->text, quirk->source);
    smoe_quirks_apply(info);
}

static bool is_enabled(const void *where, const char *extension)
{
    const smoe_context_desc *desc = where;
    for (uint32_t i = 0; i < desc->enabled_extension_count; i++)
        if (strcmp(desc->enabled_extensions[i], extension) == 0)
            return true;
    return false;
}

/* The capabilities that the app has enabled, where they want to be, and not masked. */
static uint32_t enabled_capabilities(const smoe_context_desc *desc, uint32_t api_version)
{
    const uint32_t featured = smoe_features_capabilities(smoe_recommended_features());
    return (~featured | smoe_features_capabilities(desc->enabled_features)) &
           smoe_extensions_capabilities(api_version, is_enabled, desc) & ~desc->masked_capabilities;
}

/* Whether the app leaves any to smoe: a driver is not asked for what goes unused. */
static bool wants_matrices(const smoe_context_desc *desc)
{
    return (enabled_capabilities(desc, desc->api_version) & SMOE_CAPABILITY_COOPERATIVE_MATRIX) != 0;
}

smoe_result smoe_context_create(const smoe_context_desc *desc, smoe_context **out)
{
    smoe_host host;
    smoe_instance_table instance;
    smoe_device_info info;
    VkPhysicalDeviceProperties properties;
    if (out)
        *out = NULL;
    if (!desc || !smoe_host_init(&host, desc->allocator, desc->log))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!out)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "out: must not be NULL");
    smoe_result result = check_desc(&host, desc);
    if (result == SMOE_SUCCESS)
        result = smoe_instance_table_load(&host, desc->get_instance_proc_addr, desc->instance, &instance);
    if (result == SMOE_SUCCESS)
        result = smoe_device_info_query(&host, &instance, desc->api_version, desc->physical_device,
                                        wants_matrices(desc), &info);
    if (result != SMOE_SUCCESS)
        return result;
    if (!info.usable)
        return smoe_fail(&host, SMOE_ERROR_UNSUPPORTED, "context desc.physical_device: %s: %s", info.name, info.reason);
    /* Before act_as: driver and VkDevice stay what they are under any name and version. */
    apply_quirks(&host, NULL, &info);
    info.capabilities &= enabled_capabilities(desc, info.api_version);
    if (desc->act_as) {
        const smoe_device_info real = info;
        if ((result = act_as(&host, desc->act_as, &info)) != SMOE_SUCCESS)
            return result;
        apply_quirks(&host, &real, &info);
    }

    smoe_context *context = smoe_host_alloc(&host, 1, sizeof *context);
    if (!context)
        return smoe_fail(&host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "context: no host memory");
    context->host = host;
    context->device = desc->device;
    context->info = info;
    context->slice_work = desc->slice_work ? desc->slice_work : SMOE_SLICE_WORK;
    instance.vkGetPhysicalDeviceProperties(desc->physical_device, &properties);
    context->cache_origin = smoe_pipeline_cache_origin_of(&properties);
    const char *missing = smoe_device_table_load(instance.vkGetDeviceProcAddr, desc->device, &context->vk);
    if (missing) {
        result =
            smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT,
                      "context desc.get_instance_proc_addr: vkGetDeviceProcAddr must find %s for desc.device", missing);
        smoe_host_free(&host, context);
        return result;
    }
    if ((result = smoe_context_create_cache(context, desc)) != SMOE_SUCCESS ||
        (result = create_set_layout(context, 3, &context->io_layout)) != SMOE_SUCCESS ||
        (result = create_set_layout(context, 4, &context->weights_layout)) != SMOE_SUCCESS ||
        (result = create_pipeline_layout(context)) != SMOE_SUCCESS ||
        (result = create_store(context)) != SMOE_SUCCESS)
        goto fail;
    *out = context;
    return SMOE_SUCCESS;
fail:
    smoe_context_destroy(context);
    return result;
}

void smoe_context_destroy(smoe_context *context)
{
    if (!context)
        return;
    const smoe_device_table *vk = &context->vk;
    smoe_pipeline_store_destroy(context->pipelines);
    vk->vkDestroyPipelineLayout(context->device, context->pipeline_layout, NULL);
    vk->vkDestroyDescriptorSetLayout(context->device, context->weights_layout, NULL);
    vk->vkDestroyDescriptorSetLayout(context->device, context->io_layout, NULL);
    vk->vkDestroyPipelineCache(context->device, context->cache, NULL);
    const smoe_host host = context->host;
    smoe_host_free(&host, context);
}

const smoe_device_info *smoe_context_device_info(const smoe_context *context)
{
    return context ? &context->info : NULL;
}
