/* An app with its own volk, instance, device, queue and memory, as smoe.h expects it: no part of smoe helps to make
 * it. */
#ifndef EMBED_APP_H
#define EMBED_APP_H

#include <volk.h>

#include "vulkan/cooperative_matrix.h"

#include "problem.h"

typedef enum app_part {
    APP_X = SMOE_MAX_LAYER_TENSORS, /* before it the layer's tensors, by smoe_layer_tensor_get's index */
    APP_Y,
    APP_WORKSPACE,
    APP_REPORT,
    APP_TOTALS,
    APP_PART_COUNT
} app_part;

/* What an app has enabled when it knows nothing of smoe, and when it enables everything there is. */
typedef enum app_features { APP_NOTHING_ENABLED, APP_EVERYTHING_ENABLED } app_features;

#define APP_MAX_EXTENSIONS 4

typedef struct test_app {
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    uint32_t message_count; /* of the validation layers, printed as they come */
    char last_message[256]; /* its beginning */
    uint32_t api_version;
    VkPhysicalDevice physical_device;
    smoe_device_info info;
    VkPhysicalDeviceFeatures2 features; /* the head of the chain of what is enabled */
    VkPhysicalDeviceVulkan11Features features11;
    VkPhysicalDeviceVulkan12Features features12;
    VkPhysicalDeviceVulkan13Features features13;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix;
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16;
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control; /* where the device has no Vulkan 1.3 */
    const char *extensions[APP_MAX_EXTENSIONS];
    uint32_t extension_count;
    VkDevice device;
    uint32_t queue_family;
    VkQueue queue;
    VkCommandPool command_pool;
    VkCommandBuffer commands;
    VkBuffer buffer; /* one for everything, made by app_buffer_create */
    VkDeviceMemory memory;
    char *mapped;
    smoe_buffer parts[APP_PART_COUNT];
} test_app;

/* Under validation, synchronization validation included. False after printing what failed. The app must not move. */
bool app_open(test_app *app, app_features features);
void app_close(test_app *app);

/* A description of the app's device; allocator and log may be NULL. */
smoe_context_desc app_context_desc(test_app *app, const smoe_allocator *allocator, const smoe_log *log);

/* Memory for a problem, with its weights and input in place and its totals zero. */
bool app_buffer_create(test_app *app, const test_problem *problem, VkDeviceSize workspace_size);
void *app_part_data(const test_app *app, app_part part);
smoe_layer_desc app_layer_desc(const test_app *app);
smoe_binding_desc app_binding_desc(const test_app *app, bool report); /* without totals */

bool app_begin(test_app *app);
bool app_submit(test_app *app); /* ends, submits, waits; the host sees what was written */

#endif
