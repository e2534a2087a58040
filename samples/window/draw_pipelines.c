/* The pipelines that draw, and the descriptor sets that they read from. */
#include "draw_internal.h"

#include "window_bars_frag.h"
#include "window_curves_frag.h"
#include "window_curves_vert.h"
#include "window_map_frag.h"
#include "window_near_frag.h"
#include "window_patches_frag.h"
#include "window_picture_frag.h"
#include "window_quad_vert.h"
#include "window_ui_frag.h"
#include "window_ui_vert.h"

typedef struct spirv {
    const uint32_t *words;
    size_t size;
} spirv;

#define SPIRV(name)                                                                                                    \
    {                                                                                                                  \
        window_##name##_spirv, sizeof window_##name##_spirv                                                            \
    }

static const struct {
    spirv vertex, fragment;
    VkPrimitiveTopology topology;
} shaders[PLOT_KINDS] = {
    [PLOT_TRIANGLES] = {SPIRV(ui_vert), SPIRV(ui_frag), VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST},
    [PLOT_CURVES] = {SPIRV(curves_vert), SPIRV(curves_frag), VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST},
    [PLOT_MAP] = {SPIRV(quad_vert), SPIRV(map_frag), VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP},
    [PLOT_NEAR] = {SPIRV(quad_vert), SPIRV(near_frag), VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP},
    [PLOT_BARS] = {SPIRV(quad_vert), SPIRV(bars_frag), VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP},
    [PLOT_PICTURE] = {SPIRV(quad_vert), SPIRV(picture_frag), VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP},
    [PLOT_PATCHES] = {SPIRV(quad_vert), SPIRV(patches_frag), VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP},
};

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

enum { STAGES = VK_SHADER_STAGE_VERTEX_BIT | VK_SHADER_STAGE_FRAGMENT_BIT };

static bool create_set_layout(window_draw *draw, uint32_t count, VkDescriptorSetLayout *out)
{
    VkDescriptorSetLayoutBinding bindings[WINDOW_FRAME_BINDINGS];
    for (uint32_t i = 0; i < count; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, STAGES, NULL};
    const VkDescriptorSetLayoutCreateInfo info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, NULL, 0, count,
                                                  bindings};
    return window_check(draw->device, vkCreateDescriptorSetLayout(draw->device->device, &info, NULL, out),
                        "vkCreateDescriptorSetLayout");
}

bool draw_create_layouts(window_draw *draw)
{
    enum { SETS = WINDOW_FRAMES + MODEL_SLOTS * MODEL_SIDES };
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                       WINDOW_FRAMES * WINDOW_FRAME_BINDINGS +
                                           MODEL_SLOTS * MODEL_SIDES * WINDOW_RESULTS_BINDINGS};
    const VkDescriptorPoolCreateInfo pool = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, SETS, 1, &size};
    if (!create_set_layout(draw, WINDOW_FRAME_BINDINGS, &draw->frame_layout) ||
        !create_set_layout(draw, WINDOW_RESULTS_BINDINGS, &draw->results_layout) ||
        !window_check(draw->device, vkCreateDescriptorPool(draw->device->device, &pool, NULL, &draw->pool),
                      "vkCreateDescriptorPool"))
        return false;
    const VkDescriptorSetLayout sets[] = {
        [WINDOW_SET_FRAME] = draw->frame_layout, [WINDOW_SET_RESULTS] = draw->results_layout};
    const VkPushConstantRange push = {STAGES, 0, sizeof(plot_push)};
    const VkPipelineLayoutCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 2, sets, 1, &push};
    return window_check(draw->device, vkCreatePipelineLayout(draw->device->device, &info, NULL, &draw->layout),
                        "vkCreatePipelineLayout");
}

bool draw_create_set(window_draw *draw, VkDescriptorSetLayout layout, VkDescriptorSet *out)
{
    const VkDescriptorSetAllocateInfo allocate = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL, draw->pool, 1,
                                                  &layout};
    return window_check(draw->device, vkAllocateDescriptorSets(draw->device->device, &allocate, out),
                        "vkAllocateDescriptorSets");
}

void draw_write_set(window_draw *draw, VkDescriptorSet set, uint32_t binding, VkBuffer buffer)
{
    const VkDescriptorBufferInfo whole = {buffer, 0, VK_WHOLE_SIZE};
    const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                        .dstSet = set,
                                        .dstBinding = binding,
                                        .descriptorCount = 1,
                                        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                        .pBufferInfo = &whole};
    vkUpdateDescriptorSets(draw->device->device, 1, &write, 0, NULL);
}

/* ---- pipelines --------------------------------------------------------------------------------------------------- */

static bool create_module(window_draw *draw, spirv code, VkShaderModule *out)
{
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = code.size, .pCode = code.words};
    return window_check(draw->device, vkCreateShaderModule(draw->device->device, &info, NULL, out),
                        "vkCreateShaderModule");
}

static bool create_from_modules(window_draw *draw, VkRenderPass render_pass, plot_kind kind,
                                const VkShaderModule modules[2])
{
    const VkPipelineShaderStageCreateInfo stages[] = {{.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                       .stage = VK_SHADER_STAGE_VERTEX_BIT,
                                                       .module = modules[0],
                                                       .pName = "main"},
                                                      {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                       .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
                                                       .module = modules[1],
                                                       .pName = "main"}};
    const VkPipelineVertexInputStateCreateInfo input = {.sType =
                                                            VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO};
    const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO, .topology = shaders[kind].topology};
    const VkPipelineViewportStateCreateInfo viewport = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO, .viewportCount = 1, .scissorCount = 1};
    const VkPipelineRasterizationStateCreateInfo rasterization = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
        .polygonMode = VK_POLYGON_MODE_FILL,
        .cullMode = VK_CULL_MODE_NONE,
        .lineWidth = 1};
    const VkPipelineMultisampleStateCreateInfo samples = {.sType =
                                                              VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                                                          .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT};
    const VkPipelineColorBlendAttachmentState blend = {VK_TRUE,
                                                       VK_BLEND_FACTOR_SRC_ALPHA,
                                                       VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA,
                                                       VK_BLEND_OP_ADD,
                                                       VK_BLEND_FACTOR_ONE,
                                                       VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA,
                                                       VK_BLEND_OP_ADD,
                                                       0xf};
    const VkPipelineColorBlendStateCreateInfo blending = {.sType =
                                                              VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                                                          .attachmentCount = 1,
                                                          .pAttachments = &blend};
    const VkDynamicState states[] = {VK_DYNAMIC_STATE_VIEWPORT, VK_DYNAMIC_STATE_SCISSOR};
    const VkPipelineDynamicStateCreateInfo dynamic = {.sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
                                                      .dynamicStateCount = 2,
                                                      .pDynamicStates = states};
    const VkGraphicsPipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                                               .stageCount = 2,
                                               .pStages = stages,
                                               .pVertexInputState = &input,
                                               .pInputAssemblyState = &assembly,
                                               .pViewportState = &viewport,
                                               .pRasterizationState = &rasterization,
                                               .pMultisampleState = &samples,
                                               .pColorBlendState = &blending,
                                               .pDynamicState = &dynamic,
                                               .layout = draw->layout,
                                               .renderPass = render_pass};
    return window_check(
        draw->device,
        vkCreateGraphicsPipelines(draw->device->device, VK_NULL_HANDLE, 1, &info, NULL, &draw->pipelines[kind]),
        "vkCreateGraphicsPipelines");
}

static bool create_pipeline(window_draw *draw, VkRenderPass render_pass, plot_kind kind)
{
    VkShaderModule modules[2] = {VK_NULL_HANDLE, VK_NULL_HANDLE};
    const bool created = create_module(draw, shaders[kind].vertex, &modules[0]) &&
                         create_module(draw, shaders[kind].fragment, &modules[1]) &&
                         create_from_modules(draw, render_pass, kind, modules);
    vkDestroyShaderModule(draw->device->device, modules[0], NULL);
    vkDestroyShaderModule(draw->device->device, modules[1], NULL);
    return created;
}

bool draw_create_pipelines(window_draw *draw, VkRenderPass render_pass)
{
    for (int kind = 0; kind < PLOT_KINDS; kind++)
        if (!create_pipeline(draw, render_pass, (plot_kind)kind))
            return false;
    return true;
}
