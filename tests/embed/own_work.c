#include "own_work.h"

#include "embed_scale.h" /* scale.comp as SPIR-V, made by the build */

typedef struct push {
    uint32_t count;
    float factor;
} push;

static bool create_layouts(test_app *app, own_work *work)
{
    const VkDescriptorSetLayoutBinding bindings[] = {
        {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
    };
    const VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = 2,
        .pBindings = bindings,
    };
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push)};
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 * OWN_WORK_MAX_SETS};
    const VkDescriptorPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = OWN_WORK_MAX_SETS,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };

    if (vkCreateDescriptorSetLayout(app->device, &set, NULL, &work->set_layout) != VK_SUCCESS ||
        vkCreateDescriptorPool(app->device, &pool, NULL, &work->descriptor_pool) != VK_SUCCESS)
        return false;
    const VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &work->set_layout,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &range,
    };
    return vkCreatePipelineLayout(app->device, &layout, NULL, &work->pipeline_layout) == VK_SUCCESS;
}

static bool create_pipeline(test_app *app, own_work *work)
{
    const VkShaderModuleCreateInfo module = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = sizeof embed_scale_spirv,
        .pCode = embed_scale_spirv,
    };
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .pName = "main"},
        .layout = work->pipeline_layout,
    };

    if (vkCreateShaderModule(app->device, &module, NULL, &info.stage.module) != VK_SUCCESS)
        return false;
    const VkResult result = vkCreateComputePipelines(app->device, VK_NULL_HANDLE, 1, &info, NULL, &work->pipeline);
    vkDestroyShaderModule(app->device, info.stage.module, NULL);
    return result == VK_SUCCESS;
}

bool own_work_create(test_app *app, own_work *work)
{
    *work = (own_work){.pipeline = VK_NULL_HANDLE};
    return create_layouts(app, work) && create_pipeline(app, work);
}

void own_work_destroy(test_app *app, own_work *work)
{
    vkDestroyPipeline(app->device, work->pipeline, NULL);
    vkDestroyPipelineLayout(app->device, work->pipeline_layout, NULL);
    vkDestroyDescriptorPool(app->device, work->descriptor_pool, NULL);
    vkDestroyDescriptorSetLayout(app->device, work->set_layout, NULL);
}

bool own_work_scale(test_app *app, const own_work *work, app_part from, app_part to, float factor)
{
    const VkDescriptorSetAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = work->descriptor_pool,
        .descriptorSetCount = 1,
        .pSetLayouts = &work->set_layout,
    };
    const app_part parts[2] = {from, to};
    const push constants = {(uint32_t)(app->parts[from].size / sizeof(float)), factor};
    VkDescriptorBufferInfo buffers[2];
    VkWriteDescriptorSet writes[2];
    VkDescriptorSet set = VK_NULL_HANDLE;

    if (vkAllocateDescriptorSets(app->device, &allocate, &set) != VK_SUCCESS)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        const smoe_buffer *part = &app->parts[parts[i]];
        buffers[i] = (VkDescriptorBufferInfo){part->buffer, part->offset, part->size};
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = set,
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &buffers[i],
        };
    }
    vkUpdateDescriptorSets(app->device, 2, writes, 0, NULL);
    vkCmdBindPipeline(app->commands, VK_PIPELINE_BIND_POINT_COMPUTE, work->pipeline);
    vkCmdBindDescriptorSets(app->commands, VK_PIPELINE_BIND_POINT_COMPUTE, work->pipeline_layout, 0, 1, &set, 0, NULL);
    vkCmdPushConstants(app->commands, work->pipeline_layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof constants,
                       &constants);
    vkCmdDispatch(app->commands, (constants.count + 63) / 64, 1, 1);
    return true;
}
