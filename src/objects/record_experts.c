/* The stages from sort on: the experts' rows, and their sum. */
#include "base/arithmetic.h"
#include "recording.h"

static void record_sort(const smoe_recording *r, const smoe_regimes *regimes, VkDescriptorSet io)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_control *control = &shape->control;
    const smoe_expert_selection *experts = &r->plan->selection.experts[regimes->experts];
    const smoe_push_sort push = {
        .token_count = r->token_count,
        .expert_count = shape->desc.expert_count,
        .active_stride = shape->desc.max_active,
        .range_count = shape->range_count,
        .range_experts = shape->range_experts,
        .up_column_tiles = smoe_divide_up(shape->desc.d_hidden, experts->up.tile_columns),
        .down_column_tiles = smoe_divide_up(shape->desc.d_model, experts->down.tile_columns),
        .active_at = (uint32_t)control->active,
        .ids_at = (uint32_t)control->ids,
        .rows_at = (uint32_t)control->rows,
        .row_tokens_at = (uint32_t)control->row_tokens,
        .tiles_at = (uint32_t)control->tiles,
        .tile_counts_at = (uint32_t)control->tile_counts,
    };
    smoe_record_bind(r, r->plan->experts[regimes->experts].sort, io, NULL, &push, sizeof push);
    smoe_record_dispatch(r, (smoe_workgroups){1, 1, 1});
}

/* expert_up or expert_down, for the shared expert or for the routed ones. */
typedef struct expert_stage {
    VkPipeline pipeline;
    const smoe_kernel_config *config;
    uint32_t depth, columns;
    bool down;
} expert_stage;

static void record_shared(const smoe_recording *r, const expert_stage *stage, VkDescriptorSet io, const smoe_weights_set *weights)
{
    const smoe_push_matmul push = smoe_matmul_push(r, weights, stage->depth, stage->columns);
    smoe_record_bind(r, stage->pipeline, io, weights, &push, sizeof push);
    smoe_record_dispatch(r, smoe_matmul_workgroups(stage->config, stage->columns, r->token_count));
}

/* One dispatch per range of experts; sort has written their sizes. Nothing orders them: they write rows of their own. Those of the ranges
 * interleave, and validation that looks into shaders takes them for hazards. */
static void record_ranges(const smoe_recording *r, const expert_stage *stage, VkDescriptorSet io)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_buffer *workspace = &r->binding->workspace;
    for (uint32_t range = 0; range < shape->range_count; range++) {
        const smoe_weights_set *weights = stage->down ? &r->layer->ranges[range].down : &r->layer->ranges[range].up;
        const uint32_t arguments_at = SMOE_ARGUMENTS_AT(range, stage->down);
        smoe_push_matmul push = smoe_matmul_push(r, weights, stage->depth, stage->columns);
        push.first_expert = range * shape->range_experts;
        push.arguments_at = arguments_at;
        push.tile_count_at = (uint32_t)shape->control.tile_counts + range;
        push.tiles_at = (uint32_t)shape->control.tiles;
        push.row_tokens_at = (uint32_t)shape->control.row_tokens;
        smoe_record_bind(r, stage->pipeline, io, weights, &push, sizeof push);
        r->context->vk.vkCmdDispatchIndirect(r->command_buffer, workspace->buffer, workspace->offset + 4ull * arguments_at);
    }
}

static void record_up(const smoe_recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io)
{
    const smoe_plan *plan = r->plan;
    const smoe_plan_desc *desc = &plan->shape.desc;
    if (desc->shared_hidden > 0)
        record_shared(r,
                      &(expert_stage){plan->experts[regimes->shared].shared_up, &plan->selection.experts[regimes->shared].shared_up,
                                      desc->d_model, desc->shared_hidden, false},
                      io->x_shared_expert, &r->layer->shared_up);
    record_ranges(r,
                  &(expert_stage){plan->experts[regimes->experts].up, &plan->selection.experts[regimes->experts].up, desc->d_model,
                                  desc->d_hidden, false},
                  io->x_hidden);
}

static void record_down(const smoe_recording *r, const smoe_regimes *regimes)
{
    const smoe_plan *plan = r->plan;
    const smoe_plan_desc *desc = &plan->shape.desc;
    if (desc->shared_hidden > 0)
        record_shared(r,
                      &(expert_stage){plan->experts[regimes->shared].shared_down, &plan->selection.experts[regimes->shared].shared_down,
                                      desc->shared_hidden, desc->d_model, true},
                      r->binding->shared_rows, &r->layer->shared_down);
    record_ranges(r,
                  &(expert_stage){plan->experts[regimes->experts].down, &plan->selection.experts[regimes->experts].down, desc->d_hidden,
                                  desc->d_model, true},
                  r->binding->hidden_rows);
}

static void record_combine(const smoe_recording *r, VkDescriptorSet io)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_push_combine push = {
        .d_model = shape->desc.d_model,
        .active_stride = shape->desc.max_active,
        .active_at = (uint32_t)shape->control.active,
        .weights_at = (uint32_t)shape->control.weights,
        .rows_at = (uint32_t)shape->control.rows,
        .shared_gate_at = (uint32_t)shape->control.shared_gate,
        .shared_start = (uint32_t)((shape->shared_rows_offset - shape->rows_offset) / 4),
    };
    smoe_record_bind(r, r->plan->combine, io, NULL, &push, sizeof push);
    smoe_record_dispatch(r, smoe_combine_workgroups(shape, &r->plan->selection.combine, r->token_count));
}

void smoe_record_experts(const smoe_recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io)
{
    record_sort(r, regimes, io->x_hidden);
    smoe_record_barrier(r);
    smoe_record_stage_end(r, SMOE_STAGE_SORT);

    record_up(r, regimes, io);
    smoe_record_barrier(r);
    smoe_record_stage_end(r, SMOE_STAGE_EXPERT_UP);

    record_down(r, regimes);
    smoe_record_barrier(r);
    smoe_record_stage_end(r, SMOE_STAGE_EXPERT_DOWN);

    record_combine(r, io->rows_y);
    smoe_record_barrier(r);
    smoe_record_stage_end(r, SMOE_STAGE_COMBINE);
}
