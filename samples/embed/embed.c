/* smoe-embed: a program with its own volk, instance, device, queue and shader that puts an MoE layer between its own
 * dispatches: residual += moe(residual / rms(residual)) in one command buffer and one submission, checked against plain
 * C. */
#define VOLK_IMPLEMENTATION
#include <volk.h>

#include <smoe/smoe.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/options.h"
#include "program/output.h"

#include "embed_block.h" /* block.comp as SPIR-V, made by the build */
#include "reference.h"

#define REQUIRE(condition)                                                                                             \
    ((condition) ? (void)0 : (fprintf(stderr, "smoe-embed: line %d: %s\n", __LINE__, #condition), exit(1)))
#define VK(call) REQUIRE((call) == VK_SUCCESS)
#define SMOE(call) REQUIRE((call) == SMOE_SUCCESS)

/* everything lies in one VkBuffer; these are its parts */
enum { RESIDUAL, X, Y, WORKSPACE, ROUTER, W1, W2, PART_COUNT };

struct app {
    VkInstance instance;
    VkPhysicalDevice physical_device;
    smoe_device_info info;
    VkDevice device;
    uint32_t queue_family;
    VkQueue queue;
    VkBuffer buffer;
    VkDeviceMemory memory;
    void *mapped;
    smoe_buffer parts[PART_COUNT];
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout pipeline_layout;
    VkPipeline pipeline;
    VkDescriptorPool descriptor_pool;
    VkDescriptorSet set;
    VkCommandPool command_pool;
};

static void print_log(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    fprintf(stderr, "smoe (level %d): %s\n", (int)level, text);
}

static float *host(const struct app *app, int part)
{
    return (float *)app->mapped + app->parts[part].offset / sizeof(float);
}

/* Whether a device has an extension; with VK_NULL_HANDLE, whether instances do. */
static bool has_extension(VkPhysicalDevice device, const char *name)
{
    VkExtensionProperties listed[512];
    uint32_t count = 512;
    REQUIRE((device ? vkEnumerateDeviceExtensionProperties(device, NULL, &count, listed)
                    : vkEnumerateInstanceExtensionProperties(NULL, &count, listed)) >= 0);
    while (count > 0 && strcmp(listed[count - 1].extensionName, name) != 0)
        count--;
    return count > 0;
}

static void create_device(struct app *app, VkPhysicalDeviceFeatures2 *features)
{
    /* Devices on top of another API, as on macOS, show themselves to those who ask, and have an extension that must be
     * enabled. */
    static const char *const enumeration = "VK_KHR_portability_enumeration";
    static const char *const subset = "VK_KHR_portability_subset";
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo instance_info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                          .pApplicationInfo = &application,
                                          .ppEnabledExtensionNames = &enumeration};
    VkPhysicalDevice devices[16];
    VkQueueFamilyProperties families[16];
    uint32_t device_count = 16, family_count = 16;

    VK(volkInitialize());
    if (has_extension(VK_NULL_HANDLE, enumeration)) {
        instance_info.flags = 0x1; /* VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR, younger than some headers */
        instance_info.enabledExtensionCount = 1;
    }
    VK(vkCreateInstance(&instance_info, NULL, &app->instance));
    volkLoadInstanceOnly(app->instance);
    REQUIRE(vkEnumeratePhysicalDevices(app->instance, &device_count, devices) >= 0); /* VK_INCOMPLETE: 16 are enough */
    for (uint32_t i = 0; i < device_count && !app->info.usable; i++) {
        app->physical_device = devices[i];
        SMOE(smoe_physical_device_info(vkGetInstanceProcAddr, app->instance, application.apiVersion, devices[i], 0,
                                       &app->info));
    }
    REQUIRE(app->info.usable);
    vkGetPhysicalDeviceQueueFamilyProperties(app->physical_device, &family_count, families);
    while (app->queue_family < family_count && !(families[app->queue_family].queueFlags & VK_QUEUE_COMPUTE_BIT))
        app->queue_family++;
    REQUIRE(app->queue_family < family_count);

    /* smoe needs no feature and profits from those of smoe_recommended_features: here, the ones that are core in
     * Vulkan 1.3. */
    if (app->info.api_version < VK_API_VERSION_1_3)
        features->pNext = NULL;
    vkGetPhysicalDeviceFeatures2(app->physical_device, features);
    features->features = (VkPhysicalDeviceFeatures){0};
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue_info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                                .queueFamilyIndex = app->queue_family, .queueCount = 1,
                                                .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = features,
                                     .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue_info,
                                     .ppEnabledExtensionNames = &subset,
                                     .enabledExtensionCount = has_extension(app->physical_device, subset)};
    VK(vkCreateDevice(app->physical_device, &info, NULL, &app->device));
    volkLoadDevice(app->device);
    vkGetDeviceQueue(app->device, app->queue_family, 0, &app->queue);
}

static void create_buffer(struct app *app, VkDeviceSize workspace_size)
{
    const VkDeviceSize rows = 4 * TOKENS * WIDTH, matrices = 4 * EXPERTS * HIDDEN * WIDTH;
    const VkDeviceSize sizes[PART_COUNT] = {rows, rows, rows, workspace_size, 4 * EXPERTS * WIDTH, matrices, matrices};
    const VkDeviceSize alignment = app->info.min_storage_buffer_offset_alignment;
    const VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                                looked_at = wanted | VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD;
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT};
    VkPhysicalDeviceMemoryProperties memory;
    VkMemoryRequirements needs;
    uint32_t type = 0;

    for (int i = 0; i < PART_COUNT; info.size += (sizes[i] + alignment - 1) / alignment * alignment, i++)
        app->parts[i] = (smoe_buffer){.offset = info.size, .size = sizes[i]};
    VK(vkCreateBuffer(app->device, &info, NULL, &app->buffer));
    for (int i = 0; i < PART_COUNT; i++)
        app->parts[i].buffer = app->buffer;
    vkGetBufferMemoryRequirements(app->device, app->buffer, &needs);
    vkGetPhysicalDeviceMemoryProperties(app->physical_device, &memory);
    /* The specification promises that one fits. AMD's device-coherent memory needs a feature that is not enabled. */
    while (!(needs.memoryTypeBits >> type & 1) || (memory.memoryTypes[type].propertyFlags & looked_at) != wanted)
        type++;
    const VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, NULL, needs.size, type};
    VK(vkAllocateMemory(app->device, &allocate, NULL, &app->memory));
    VK(vkBindBufferMemory(app->device, app->buffer, app->memory, 0));
    VK(vkMapMemory(app->device, app->memory, 0, VK_WHOLE_SIZE, 0, &app->mapped));
}

static void create_pipeline(struct app *app)
{
    const VkDescriptorSetLayoutBinding binding = {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT,
                                                  NULL};
    const VkDescriptorSetLayoutCreateInfo set_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, NULL, 0, 1,
                                                      &binding};
    VK(vkCreateDescriptorSetLayout(app->device, &set_info, NULL, &app->set_layout));
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, 5 * sizeof(uint32_t)};
    const VkPipelineLayoutCreateInfo layout_info = {
        VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, &app->set_layout, 1, &push};
    VK(vkCreatePipelineLayout(app->device, &layout_info, NULL, &app->pipeline_layout));
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                  .codeSize = sizeof embed_block_spirv, .pCode = embed_block_spirv};
    VkShaderModule module;
    VK(vkCreateShaderModule(app->device, &module_info, NULL, &module));
    const VkPipelineShaderStageCreateInfo stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module,
                                                   .pName = "main"};
    const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .stage = stage,
                                              .layout = app->pipeline_layout};
    VK(vkCreateComputePipelines(app->device, VK_NULL_HANDLE, 1, &info, NULL, &app->pipeline));
    vkDestroyShaderModule(app->device, module, NULL);

    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1};
    const VkDescriptorPoolCreateInfo pool_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, 1, 1, &size};
    VK(vkCreateDescriptorPool(app->device, &pool_info, NULL, &app->descriptor_pool));
    const VkDescriptorSetAllocateInfo allocate = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL,
                                                  app->descriptor_pool, 1, &app->set_layout};
    VK(vkAllocateDescriptorSets(app->device, &allocate, &app->set));
    const VkDescriptorBufferInfo whole = {app->buffer, 0, VK_WHOLE_SIZE};
    const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = app->set,
                                        .descriptorCount = 1, .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                        .pBufferInfo = &whole};
    vkUpdateDescriptorSets(app->device, 1, &write, 0, NULL);
}

static void record_own_work(const struct app *app, VkCommandBuffer commands, int part, uint32_t after)
{
    const uint32_t push[] = {TOKENS, WIDTH, (uint32_t)app->parts[RESIDUAL].offset / 4,
                             (uint32_t)app->parts[part].offset / 4, after};
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, app->pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, app->pipeline_layout, 0, 1, &app->set, 0, NULL);
    vkCmdPushConstants(commands, app->pipeline_layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push, push);
    vkCmdDispatch(commands, (TOKENS + 63) / 64, 1, 1);
}

static void run(struct app *app, const smoe_layer *layer, const smoe_binding *binding)
{
    const VkCommandPoolCreateInfo pool_info = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL, 0, app->queue_family};
    VK(vkCreateCommandPool(app->device, &pool_info, NULL, &app->command_pool));
    const VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL,
                                                  app->command_pool, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    VkCommandBuffer commands;
    VK(vkAllocateCommandBuffers(app->device, &allocate, &commands));
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    smoe_forward_params params = smoe_forward_defaults();
    params.token_count = TOKENS;
    params.eps = EPS;

    VK(vkBeginCommandBuffer(commands, &begin));
    record_own_work(app, commands, X, 0); /* smoe_forward orders itself after earlier compute work: no barrier */
    SMOE(smoe_forward(commands, layer, binding, &params, NULL));
    record_own_work(app, commands, Y, 1); /* smoe_forward leaves y visible to compute shaders: no barrier */
    const VkMemoryBarrier barrier = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT,
                                     VK_ACCESS_HOST_READ_BIT};
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0,
                         NULL, 0, NULL);
    VK(vkEndCommandBuffer(commands));
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
    VK(vkQueueSubmit(app->queue, 1, &submit, VK_NULL_HANDLE));
    VK(vkQueueWaitIdle(app->queue));
}

static void fill(const struct app *app, int part, float size)
{
    uint32_t state = (uint32_t)part;
    for (VkDeviceSize i = 0; i < app->parts[part].size / sizeof(float); i++) {
        state = state * 1664525u + 1013904223u;
        host(app, part)[i] = size * ((float)(state >> 8) / 8388608.0f - 1);
    }
}

static const program_desc description = {
    .name = "smoe-embed",
    .about = "Puts a mixture-of-experts layer between a program's own Vulkan dispatches, and compares with plain C.",
    .usage = {""},
};

int main(int count, char **arguments)
{
    static struct app app;
    program_line line;
    const smoe_log log = {print_log, NULL};
    smoe_context *context;
    smoe_plan *plan;
    smoe_layer *layer;
    smoe_binding *binding;
    double expected[TOKENS * WIDTH], difference = 0;
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &size_control};

    program_begin("smoe-embed");
    if (!program_read(&description, count, arguments, NULL, &line))
        return line.status;
    create_device(&app, &features);
    const smoe_context_desc context_desc = {.get_instance_proc_addr = vkGetInstanceProcAddr, .instance = app.instance,
                                            .physical_device = app.physical_device, .device = app.device,
                                            .api_version = VK_API_VERSION_1_3, .enabled_features = &features,
                                            .log = &log};
    SMOE(smoe_context_create(&context_desc, &context));
    const smoe_plan_desc plan_desc = {.d_model = WIDTH, .d_hidden = HIDDEN, .expert_count = EXPERTS, .top_k = TOP_K,
                                      .max_tokens = TOKENS, .activation = SMOE_ACTIVATION_RELU, .renormalize = true};
    SMOE(smoe_plan_create(context, &plan_desc, &plan));
    create_buffer(&app, smoe_plan_workspace_size(plan));
    const smoe_layer_desc layer_desc = {
        .router_weight = app.parts[ROUTER], .w1.buffer = app.parts[W1], .w2.buffer = app.parts[W2]};
    SMOE(smoe_layer_create(plan, &layer_desc, &layer));
    const smoe_binding_desc binding_desc = {.x = app.parts[X], .y = app.parts[Y], .workspace = app.parts[WORKSPACE]};
    SMOE(smoe_binding_create(plan, &binding_desc, &binding));
    create_pipeline(&app);

    fill(&app, RESIDUAL, 1.0f);
    fill(&app, ROUTER, 0.5f);
    fill(&app, W1, 0.2f);
    fill(&app, W2, 0.2f);
    for (int i = 0; i < TOKENS * WIDTH; i++)
        expected[i] = (double)host(&app, RESIDUAL)[i];
    run(&app, layer, binding);
    reference(host(&app, ROUTER), host(&app, W1), host(&app, W2), expected);
    for (int i = 0; i < TOKENS * WIDTH; i++)
        difference += fabs((double)host(&app, RESIDUAL)[i] - expected[i]) / (TOKENS * WIDTH);
    printf("%s: %d tokens of width %d, mean difference from plain C %.2g\n", app.info.name, TOKENS, WIDTH, difference);

    smoe_binding_destroy(binding);
    smoe_layer_destroy(layer);
    smoe_plan_destroy(plan);
    smoe_context_destroy(context);
    vkDestroyCommandPool(app.device, app.command_pool, NULL);
    vkDestroyDescriptorPool(app.device, app.descriptor_pool, NULL);
    vkDestroyPipeline(app.device, app.pipeline, NULL);
    vkDestroyPipelineLayout(app.device, app.pipeline_layout, NULL);
    vkDestroyDescriptorSetLayout(app.device, app.set_layout, NULL);
    vkDestroyBuffer(app.device, app.buffer, NULL);
    vkFreeMemory(app.device, app.memory, NULL);
    vkDestroyDevice(app.device, NULL);
    vkDestroyInstance(app.instance, NULL);
    return program_end("smoe-embed", difference < 1e-5 ? PROGRAM_OK : PROGRAM_FAILED);
}
