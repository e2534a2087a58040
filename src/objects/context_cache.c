/* A context's pipeline cache: what of the app's data its driver sees, and what the app gets to store. */
#include "context.h"

#include <string.h>

/* A driver must ignore data of another device or version, yet some crash on data that is damaged: they see only what
 * the header vouches for. */
smoe_result smoe_context_create_cache(smoe_context *context, const smoe_context_desc *desc)
{
    const bool given = desc->pipeline_cache_size > 0;
    const char *fault =
        given ? smoe_pipeline_cache_fault(&context->cache_origin, desc->pipeline_cache, desc->pipeline_cache_size)
              : NULL;
    const bool used = given && !fault;
    const VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = used ? desc->pipeline_cache_size - SMOE_PIPELINE_CACHE_HEADER_SIZE : 0,
        .pInitialData = used ? (const char *)desc->pipeline_cache + SMOE_PIPELINE_CACHE_HEADER_SIZE : NULL,
    };
    if (fault)
        smoe_inform(&context->host, "context desc.pipeline_cache: ignored, it is %s", fault);
    const smoe_result result = smoe_vulkan_check(
        &context->host, context->vk.vkCreatePipelineCache(context->device, &info, NULL, &context->cache),
        "vkCreatePipelineCache");
    if (result != SMOE_SUCCESS)
        context->cache = VK_NULL_HANDLE;
    return result;
}

/* While another thread's plan adds data, which makes what was counted too little. */
#define MOST_TRIES 8

/* Bytes that the driver has, into `data` where that is not NULL. VK_INCOMPLETE: more than *size. */
static VkResult get_driver_data(const smoe_context *context, size_t *size, void *data)
{
    return context->vk.vkGetPipelineCacheData(context->device, context->cache, size, data);
}

static VkResult count_driver_data(const smoe_context *context, size_t *size)
{
    VkResult vulkan = VK_INCOMPLETE;
    for (int i = 0; i < MOST_TRIES && vulkan == VK_INCOMPLETE; i++)
        vulkan = get_driver_data(context, size, NULL);
    return vulkan;
}

/* All of it, with room for the header before it. *out: the caller's to free, also on failure. */
static smoe_result read_cache(const smoe_context *context, char **out, size_t *size)
{
    VkResult vulkan = VK_INCOMPLETE;
    *out = NULL;
    for (int i = 0; i < MOST_TRIES && vulkan == VK_INCOMPLETE; i++) {
        size_t driver_size = 0;
        smoe_host_free(&context->host, *out);
        *out = NULL;
        if ((vulkan = count_driver_data(context, &driver_size)) != VK_SUCCESS)
            break;
        *out = smoe_host_alloc(&context->host, SMOE_PIPELINE_CACHE_HEADER_SIZE + driver_size, 1);
        if (!*out)
            return smoe_fail(&context->host, SMOE_ERROR_OUT_OF_HOST_MEMORY,
                             "context: no host memory for the pipeline cache's data");
        vulkan = get_driver_data(context, &driver_size, *out + SMOE_PIPELINE_CACHE_HEADER_SIZE);
        *size = SMOE_PIPELINE_CACHE_HEADER_SIZE + driver_size;
    }
    return smoe_vulkan_check(&context->host, vulkan, "vkGetPipelineCacheData");
}

static smoe_result measure_cache(const smoe_context *context, size_t *size)
{
    size_t driver_size = 0;
    const smoe_result result =
        smoe_vulkan_check(&context->host, count_driver_data(context, &driver_size), "vkGetPipelineCacheData");
    if (result == SMOE_SUCCESS)
        *size = SMOE_PIPELINE_CACHE_HEADER_SIZE + driver_size;
    return result;
}

/* By way of smoe's own memory: a driver writes what it has room for. */
smoe_result smoe_context_pipeline_cache(const smoe_context *context, size_t *size, void *data)
{
    char *own;
    size_t needed = 0;
    if (!context)
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!size)
        return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT, "size: must not be NULL");
    if (!data)
        return measure_cache(context, size);
    const size_t room = *size;
    smoe_result result = read_cache(context, &own, &needed);
    if (result == SMOE_SUCCESS) {
        *size = needed;
        if (room < needed) {
            result = smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT,
                               "size: %llu bytes, must be at least the pipeline cache's %llu", (unsigned long long)room,
                               (unsigned long long)needed);
        } else {
            smoe_pipeline_cache_seal(&context->cache_origin, own, needed);
            memcpy(data, own, needed);
        }
    }
    smoe_host_free(&context->host, own);
    return result;
}
