#include "recording.h"

/* Global rather than per buffer: on every driver in use the cost is the same, and what a stage may touch needs no list. */
void smoe_record_barrier(const smoe_recording *r)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_INDIRECT_COMMAND_READ_BIT,
    };
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT;
    r->context->vk.vkCmdPipelineBarrier(r->command_buffer, stages, stages, 0, 1, &memory, 0, NULL, 0, NULL);
}

static void write_timestamp(const smoe_recording *r, uint32_t index)
{
    if (r->timestamps)
        r->context->vk.vkCmdWriteTimestamp(r->command_buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, r->timestamps->pool,
                                           r->timestamps->first + index);
}

void smoe_record_begin(const smoe_recording *r)
{
    write_timestamp(r, 0);
}

void smoe_record_stage_end(const smoe_recording *r, smoe_stage stage)
{
    write_timestamp(r, (uint32_t)stage + 1);
}

void smoe_record_bind(const smoe_recording *r, VkPipeline pipeline, VkDescriptorSet io, const smoe_weights_set *weights, const void *push,
                      uint32_t push_size)
{
    const smoe_device_table *vk = &r->context->vk;
    const VkPipelineLayout layout = r->context->pipeline_layout;
    vk->vkCmdBindPipeline(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk->vkCmdBindDescriptorSets(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, SMOE_SET_IO, 1, &io, 0, NULL);
    if (weights)
        vk->vkCmdBindDescriptorSets(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, SMOE_SET_WEIGHTS, 1, &weights->set, 0,
                                    NULL);
    vk->vkCmdPushConstants(r->command_buffer, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size, push);
}

void smoe_record_dispatch(const smoe_recording *r, smoe_groups groups)
{
    r->context->vk.vkCmdDispatch(r->command_buffer, groups.x, groups.y, groups.z);
}

smoe_push_matmul smoe_matmul_push(const smoe_recording *r, const smoe_weights_set *weights, uint32_t depth, uint32_t columns)
{
    return (smoe_push_matmul){
        .token_count = r->token_count,
        .flags = weights->flags,
        .depth = depth,
        .columns = columns,
        .w_offset = weights->offsets[SMOE_BINDING_W],
        .b_offset = weights->offsets[SMOE_BINDING_B],
        .w_gate_offset = weights->offsets[SMOE_BINDING_W_GATE],
        .b_gate_offset = weights->offsets[SMOE_BINDING_B_GATE],
    };
}
