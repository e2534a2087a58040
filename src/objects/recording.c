/* The commands that every step records. */
#include "recording.h"

#include "base/arithmetic.h"

/* Global rather than per buffer: what a stage may touch needs no list. */
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

const smoe_kernel_config *smoe_record_config(const smoe_recording *r, smoe_step step)
{
    return &r->plan->selection.configs[step][r->regimes[step]];
}

smoe_pieces smoe_record_pieces(const smoe_recording *r, smoe_step step)
{
    const smoe_shape *shape = &r->plan->shape;
    const uint32_t most = r->params->max_active ? r->params->max_active : shape->desc.max_active;
    return smoe_step_pieces(shape, smoe_record_config(r, step), step, r->slices.limit, r->token_count, most);
}

uint32_t smoe_record_range_pieces(const smoe_recording *r)
{
    return smoe_max_u32(smoe_record_pieces(r, SMOE_STEP_EXPERT_UP).count,
                        smoe_record_pieces(r, SMOE_STEP_EXPERT_DOWN).count);
}

void smoe_record_bind(const smoe_recording *r, smoe_step step, VkDescriptorSet io, const smoe_weights_set *weights,
                      const void *push, uint32_t push_size)
{
    const smoe_device_table *vk = &r->context->vk;
    const VkPipelineLayout layout = r->context->pipeline_layout;
    vk->vkCmdBindPipeline(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE,
                          r->plan->pipelines[step][r->regimes[step]]);
    vk->vkCmdBindDescriptorSets(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, SMOE_SET_IO, 1, &io, 0,
                                NULL);
    if (weights)
        vk->vkCmdBindDescriptorSets(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, SMOE_SET_WEIGHTS, 1,
                                    &weights->set, 0, NULL);
    vk->vkCmdPushConstants(r->command_buffer, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size, push);
}

void smoe_record_dispatch(const smoe_recording *r, smoe_step step)
{
    const smoe_workgroups count =
        smoe_step_workgroups(&r->plan->shape, smoe_record_config(r, step), step, r->token_count);
    r->context->vk.vkCmdDispatch(r->command_buffer, count.x, count.y, count.z);
}

smoe_push_matmul smoe_matmul_push(const smoe_recording *r, smoe_step step, const smoe_weights_set *weights)
{
    const smoe_gating gating = smoe_step_gating(&r->plan->shape.desc, step);
    return (smoe_push_matmul){
        .token_count = r->token_count,
        .flags = weights->flags,
        .depth = smoe_step_depth(&r->plan->shape.desc, step),
        .columns = smoe_step_columns(&r->plan->shape.desc, step),
        .w_offset = weights->offsets[SMOE_BINDING_W],
        .b_offset = weights->offsets[SMOE_BINDING_B],
        .w3_offset = weights->offsets[SMOE_BINDING_W3],
        .b3_offset = weights->offsets[SMOE_BINDING_B3],
        .gate_max = gating.gate_max,
        .up_limit = gating.up_limit,
        .gate_limit_after = gating.gate_limit_after,
        .gate_alpha = gating.gate_alpha,
        .up_offset = gating.up_offset,
    };
}

void smoe_record_matmul(const smoe_recording *r, smoe_step step, const smoe_piece *piece, VkDescriptorSet io,
                        const smoe_weights_set *weights, uint64_t output_at)
{
    smoe_push_matmul push = smoe_matmul_push(r, step, weights);
    push.output_at = (uint32_t)output_at;
    push.first_tile = piece->first_tile;
    smoe_record_bind(r, step, io, weights, &push, sizeof push);
    const smoe_workgroups count =
        smoe_step_workgroups(&r->plan->shape, smoe_record_config(r, step), step, r->token_count);
    r->context->vk.vkCmdDispatch(r->command_buffer, count.x, piece->tile_count, 1);
}
