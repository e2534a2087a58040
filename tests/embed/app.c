#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/system.h"

static bool passed(const char *call, VkResult result)
{
    if (result != VK_SUCCESS)
        fprintf(stderr, "    app: %s: VkResult %d\n", call, (int)result);
    return result == VK_SUCCESS;
}

static VKAPI_ATTR VkBool32 VKAPI_CALL count_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                    VkDebugUtilsMessageTypeFlagsEXT types,
                                                    const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    test_app *app = user;

    (void)severity;
    if (types & VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT) { /* the loader's own are general */
        fprintf(stderr, "    validation: %s\n", data->pMessage);
        app->message_count++;
        snprintf(app->last_message, sizeof app->last_message, "%s", data->pMessage);
    }
    return VK_FALSE;
}

static bool create_instance(test_app *app)
{
    static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"};
    static const char *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
                                             VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME};
    static const VkValidationFeatureEnableEXT synchronization =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    app->api_version = volkGetInstanceVersion() < VK_API_VERSION_1_3 ? VK_API_VERSION_1_1 : VK_API_VERSION_1_3;
    const VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = count_message,
        .pUserData = app,
    };
    const VkValidationFeaturesEXT validation = {
        .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
        .pNext = &messenger,
        .enabledValidationFeatureCount = 1,
        .pEnabledValidationFeatures = &synchronization,
    };
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = app->api_version};
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = test_validates() ? &validation : NULL,
        .pApplicationInfo = &application,
        .enabledLayerCount = test_validates() ? 1 : 0,
        .ppEnabledLayerNames = layers,
        .enabledExtensionCount = test_validates() ? 2 : 0,
        .ppEnabledExtensionNames = extensions,
    };

    if (!passed("vkCreateInstance", vkCreateInstance(&info, NULL, &app->instance)))
        return false;
    volkLoadInstance(app->instance);
    return !test_validates() ||
           passed("vkCreateDebugUtilsMessengerEXT",
                  vkCreateDebugUtilsMessengerEXT(app->instance, &messenger, NULL, &app->messenger));
}

/* SMOE_TEST_DEVICE names a device by a part of its name; without it the first usable one. */
static bool find_device(test_app *app)
{
    const char *wanted = getenv("SMOE_TEST_DEVICE");
    VkPhysicalDevice devices[16];
    VkQueueFamilyProperties families[16];
    uint32_t count = 16, family_count = 16;

    const VkResult listed = vkEnumeratePhysicalDevices(app->instance, &count, devices);
    if (listed < 0)
        return passed("vkEnumeratePhysicalDevices", listed);
    for (uint32_t i = 0; i < count; i++) {
        app->physical_device = devices[i];
        if (smoe_physical_device_info(vkGetInstanceProcAddr, app->instance, app->api_version, devices[i], 0,
                                      &app->info) == SMOE_SUCCESS &&
            app->info.usable && (!wanted || strstr(app->info.name, wanted)))
            break;
        app->physical_device = VK_NULL_HANDLE;
    }
    if (!app->physical_device) {
        fprintf(stderr, "    app: no usable device\n");
        return false;
    }
    vkGetPhysicalDeviceQueueFamilyProperties(app->physical_device, &family_count, families);
    while (!(families[app->queue_family].queueFlags & VK_QUEUE_COMPUTE_BIT))
        app->queue_family++;
    return true;
}

static bool has_extension(VkPhysicalDevice device, const char *name)
{
    uint32_t count = 0;
    bool found = false;

    vkEnumerateDeviceExtensionProperties(device, NULL, &count, NULL);
    VkExtensionProperties *extensions = calloc(count + 1, sizeof *extensions);
    if (extensions && vkEnumerateDeviceExtensionProperties(device, NULL, &count, extensions) == VK_SUCCESS)
        for (uint32_t i = 0; i < count; i++)
            found = found || !strcmp(extensions[i].extensionName, name);
    free(extensions);
    return found;
}

static void enable_everything(test_app *app)
{
    uint32_t count = 0;
    const char *const *recommended = smoe_recommended_extensions(&count);

    for (uint32_t i = 0; i < count && app->extension_count < APP_MAX_EXTENSIONS; i++)
        if (has_extension(app->physical_device, recommended[i]))
            app->extensions[app->extension_count++] = recommended[i];
    app->features11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
    app->features12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
    app->features13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
    app->size_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
    app->matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
    app->bfloat16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR;
    if (app->info.api_version >= VK_API_VERSION_1_3) {
        const bool matrix = has_extension(app->physical_device, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
        const bool bfloat16 = has_extension(app->physical_device, VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME);
        app->features.pNext = &app->features11;
        app->features11.pNext = &app->features12;
        app->features12.pNext = &app->features13;
        app->bfloat16.pNext = matrix ? &app->matrix : NULL;
        app->features13.pNext = bfloat16 ? (void *)&app->bfloat16 : app->bfloat16.pNext;
    } else if (app->extension_count) {
        app->features.pNext = &app->size_control;
    }
    vkGetPhysicalDeviceFeatures2(app->physical_device, &app->features);
    /* Some drivers cannot combine robustBufferAccess with these. */
    app->features12.descriptorBindingUniformBufferUpdateAfterBind = VK_FALSE;
    app->features12.descriptorBindingStorageBufferUpdateAfterBind = VK_FALSE;
    app->features12.descriptorBindingUniformTexelBufferUpdateAfterBind = VK_FALSE;
    app->features12.descriptorBindingStorageTexelBufferUpdateAfterBind = VK_FALSE;
    if (!app->features12.vulkanMemoryModelDeviceScope) /* smoe.h: both or none */
        app->features12.vulkanMemoryModel = VK_FALSE;
}

static bool create_device(test_app *app, app_features features)
{
    const float priority = 1;

    app->features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    if (features == APP_EVERYTHING_ENABLED)
        enable_everything(app);
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = app->queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = features == APP_EVERYTHING_ENABLED ? &app->features : NULL,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = app->extension_count,
        .ppEnabledExtensionNames = app->extensions,
    };
    if (!passed("vkCreateDevice", vkCreateDevice(app->physical_device, &info, NULL, &app->device)))
        return false;
    volkLoadDevice(app->device);
    vkGetDeviceQueue(app->device, app->queue_family, 0, &app->queue);
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = app->queue_family,
    };
    if (!passed("vkCreateCommandPool", vkCreateCommandPool(app->device, &pool, NULL, &app->command_pool)))
        return false;
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = app->command_pool,
        .commandBufferCount = 1,
    };
    return passed("vkAllocateCommandBuffers", vkAllocateCommandBuffers(app->device, &commands, &app->commands));
}

bool app_open(test_app *app, app_features features)
{
    memset(app, 0, sizeof *app);
    if (passed("volkInitialize", volkInitialize()) && create_instance(app) && find_device(app) &&
        create_device(app, features))
        return true;
    app_close(app);
    return false;
}

void app_close(test_app *app)
{
    if (app->device) {
        vkDestroyBuffer(app->device, app->buffer, NULL);
        vkFreeMemory(app->device, app->memory, NULL);
        vkDestroyCommandPool(app->device, app->command_pool, NULL);
        vkDestroyDevice(app->device, NULL);
    }
    if (app->messenger)
        vkDestroyDebugUtilsMessengerEXT(app->instance, app->messenger, NULL);
    if (app->instance)
        vkDestroyInstance(app->instance, NULL);
    app->device = VK_NULL_HANDLE;
    app->messenger = VK_NULL_HANDLE;
    app->instance = VK_NULL_HANDLE;
}

smoe_context_desc app_context_desc(test_app *app, const smoe_allocator *allocator, const smoe_log *log)
{
    return (smoe_context_desc){
        .get_instance_proc_addr = vkGetInstanceProcAddr,
        .instance = app->instance,
        .physical_device = app->physical_device,
        .device = app->device,
        .api_version = app->api_version,
        .enabled_features = app->features.pNext ? &app->features : NULL,
        .enabled_extensions = app->extensions,
        .enabled_extension_count = app->extension_count,
        .allocator = allocator,
        .log = log,
    };
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static bool allocate(test_app *app)
{
    const VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties memory;
    VkMemoryRequirements needs;
    void *mapped = NULL;
    uint32_t type = 0;

    vkGetPhysicalDeviceMemoryProperties(app->physical_device, &memory);
    vkGetBufferMemoryRequirements(app->device, app->buffer, &needs);
    while (!(needs.memoryTypeBits >> type & 1) || (memory.memoryTypes[type].propertyFlags & wanted) != wanted)
        type++; /* the specification promises one */
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needs.size,
        .memoryTypeIndex = type,
    };
    if (!passed("vkAllocateMemory", vkAllocateMemory(app->device, &info, NULL, &app->memory)) ||
        !passed("vkBindBufferMemory", vkBindBufferMemory(app->device, app->buffer, app->memory, 0)) ||
        !passed("vkMapMemory", vkMapMemory(app->device, app->memory, 0, VK_WHOLE_SIZE, 0, &mapped)))
        return false;
    app->mapped = mapped;
    memset(mapped, 0xff, needs.size); /* NaN as float32: what is not written must be seen */
    return true;
}

typedef struct part_content {
    const void *from; /* NULL: none */
    VkDeviceSize size;
} part_content;

/* Room for every tensor, the absent ones too, which get no buffer. */
static void list_tensors(const test_problem *problem, part_content *contents)
{
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; smoe_layer_tensor_get(&problem->plan, i, &tensor); i++)
        contents[i] =
            (part_content){smoe_host_weights_get(&problem->weights, &tensor).data, tensor.size ? tensor.size : 4};
}

bool app_buffer_create(test_app *app, const test_problem *problem, VkDeviceSize workspace_size)
{
    const VkDeviceSize alignment = app->info.min_storage_buffer_offset_alignment;
    part_content contents[APP_PART_COUNT] = {
        [APP_X] = {problem->x, sizeof problem->x},
        [APP_Y] = {NULL, sizeof problem->x},
        [APP_WORKSPACE] = {NULL, workspace_size},
        [APP_REPORT] = {NULL, PROBLEM_REPORT * sizeof(uint32_t)},
        [APP_TOTALS] = {NULL, SMOE_TOTALS_WORDS(PROBLEM_EXPERTS) * sizeof(uint32_t)},
    };
    list_tensors(problem, contents);
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
    };

    for (int i = 0; i < APP_PART_COUNT; i++) {
        app->parts[i] = (smoe_buffer){.offset = info.size, .size = contents[i].size};
        info.size += (contents[i].size + alignment - 1) / alignment * alignment;
    }
    if (!passed("vkCreateBuffer", vkCreateBuffer(app->device, &info, NULL, &app->buffer)) || !allocate(app))
        return false;
    for (int i = 0; i < APP_PART_COUNT; i++) {
        if (i >= APP_X || contents[i].from)
            app->parts[i].buffer = app->buffer;
        if (contents[i].from)
            memcpy(app_part_data(app, (app_part)i), contents[i].from, contents[i].size);
    }
    memset(app_part_data(app, APP_TOTALS), 0, contents[APP_TOTALS].size);
    return true;
}

void *app_part_data(const test_app *app, app_part part)
{
    return app->mapped + app->parts[part].offset;
}

smoe_layer_desc app_layer_desc(const test_app *app)
{
    const smoe_plan_desc any = {.d_model = 1};
    smoe_layer_desc desc = {0};
    smoe_layer_tensor tensor;

    for (uint32_t i = 0; smoe_layer_tensor_get(&any, i, &tensor); i++)
        smoe_layer_desc_set(&desc, &tensor, app->parts[i]);
    return desc;
}

smoe_binding_desc app_binding_desc(const test_app *app, bool report)
{
    smoe_binding_desc desc = {.x = app->parts[APP_X], .y = app->parts[APP_Y], .workspace = app->parts[APP_WORKSPACE]};

    if (report)
        desc.report = app->parts[APP_REPORT];
    return desc;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

bool app_begin(test_app *app)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};

    return passed("vkResetCommandPool", vkResetCommandPool(app->device, app->command_pool, 0)) &&
           passed("vkBeginCommandBuffer", vkBeginCommandBuffer(app->commands, &info));
}

bool app_submit(test_app *app)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
    };
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &app->commands,
    };

    vkCmdPipelineBarrier(app->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                         &barrier, 0, NULL, 0, NULL);
    return passed("vkEndCommandBuffer", vkEndCommandBuffer(app->commands)) &&
           passed("vkQueueSubmit", vkQueueSubmit(app->queue, 1, &info, VK_NULL_HANDLE)) &&
           passed("vkQueueWaitIdle", vkQueueWaitIdle(app->queue));
}
