/* The stages of a forward, by the table of steps, each with its barrier and timestamp; as far as they lie in the slices
 * that are wanted. */
#include "base/arithmetic.h"
#include "recording.h"

static void write_timestamp(const smoe_recording *r, uint32_t index)
{
    if (r->timestamps && smoe_slices_wanted(&r->slices))
        r->context->vk.vkCmdWriteTimestamp(r->command_buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, r->timestamps->pool,
                                           r->timestamps->first + index);
}

void smoe_record_begin(const smoe_recording *r)
{
    write_timestamp(r, 0);
}

static void (*const steps[SMOE_STEP_COUNT])(const smoe_recording *r, const smoe_piece *piece) = {
    [SMOE_STEP_ROUTE_PROJECT] = smoe_record_route_project,
    [SMOE_STEP_ROUTE_LOGITS] = smoe_record_route_logits,
    [SMOE_STEP_ROUTE_LOGITS_COSINE] = smoe_record_route_logits_cosine,
    [SMOE_STEP_SHARED_GATE] = smoe_record_shared_gate,
    [SMOE_STEP_ROUTE_GROUP] = smoe_record_route_group,
    [SMOE_STEP_ROUTE_GROUP_BALANCED] = smoe_record_route_group_balanced,
    [SMOE_STEP_ROUTE_SELECT] = smoe_record_route_select,
    [SMOE_STEP_ROUTE_GIVEN] = smoe_record_route_given,
    [SMOE_STEP_TOTALS] = smoe_record_totals,
    [SMOE_STEP_SORT] = smoe_record_sort,
    [SMOE_STEP_LATENT_DOWN] = smoe_record_latent_down,
    [SMOE_STEP_SHARED_UP] = smoe_record_shared_up,
    [SMOE_STEP_EXPERT_UP] = smoe_record_expert_up,
    [SMOE_STEP_SHARED_DOWN] = smoe_record_shared_down,
    [SMOE_STEP_EXPERT_DOWN] = smoe_record_expert_down,
    [SMOE_STEP_LATENT_SUM] = smoe_record_latent_sum,
    [SMOE_STEP_LATENT_UP] = smoe_record_latent_up,
    [SMOE_STEP_COMBINE] = smoe_record_combine,
};

static void record_step(smoe_recording *r, smoe_step step)
{
    const smoe_pieces pieces = smoe_record_pieces(r, step);
    const bool routed = smoe_step_is_routed(step);
    for (uint32_t range = 0; range < (routed ? r->plan->shape.range_count : 1); range++)
        for (uint32_t i = 0; i < pieces.count; i++) {
            const uint32_t first = i * pieces.tile_count;
            const smoe_piece piece = {range, i, first,
                                      routed ? 0 : smoe_min_u32(pieces.tile_count, pieces.tiles - first)};
            if (smoe_slices_take(&r->slices, pieces.work))
                steps[step](r, &piece);
        }
}

/* The barrier after the totals, too: sort writes other words of control, an overlap that synchronization validation
 * takes for a hazard. */
void smoe_record_stage(smoe_recording *r, smoe_stage stage)
{
    bool ran = false;
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
        if (smoe_step_get(step)->stage == stage && smoe_step_runs(step, r->features)) {
            if (smoe_step_get(step)->follows && smoe_slices_wanted(&r->slices))
                smoe_record_barrier(r);
            record_step(r, step);
            ran = true;
        }
    if (ran && smoe_slices_wanted(&r->slices))
        smoe_record_barrier(r);
    write_timestamp(r, (uint32_t)stage + 1);
}
