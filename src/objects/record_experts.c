/* The steps from sort on: the experts' rows, and their sum. */
#include "base/arithmetic.h"
#include "recording.h"

static uint32_t column_tiles(const smoe_recording *r, smoe_step step)
{
    return smoe_divide_up(smoe_step_columns(&r->plan->shape.desc, step), smoe_record_config(r, step)->tile_columns);
}

void smoe_record_sort(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    const smoe_shape *shape = &r->plan->shape;
    const smoe_control *control = &shape->control;
    const smoe_push_sort push = {
        .token_count = r->token_count,
        .expert_count = shape->matrix_experts,
        .active_stride = shape->desc.max_active,
        .range_count = shape->range_count,
        .range_experts = shape->range_experts,
        .up_column_tiles = column_tiles(r, SMOE_STEP_EXPERT_UP),
        .down_column_tiles = column_tiles(r, SMOE_STEP_EXPERT_DOWN),
        .range_pieces = r->range_pieces,
        .up_piece_tiles = smoe_record_pieces(r, SMOE_STEP_EXPERT_UP).tile_count,
        .down_piece_tiles = smoe_record_pieces(r, SMOE_STEP_EXPERT_DOWN).tile_count,
        .active_at = (uint32_t)control->active,
        .ids_at = (uint32_t)control->ids,
        .rows_at = (uint32_t)control->rows,
        .row_tokens_at = (uint32_t)control->row_tokens,
        .tiles_at = (uint32_t)control->tiles,
        .input_weights_at = (uint32_t)control->input_weights,
        .row_weights_at = (uint32_t)control->row_weights,
    };
    smoe_record_bind(r, SMOE_STEP_SORT, r->io->x_hidden, NULL, &push, sizeof push);
    smoe_record_dispatch(r, SMOE_STEP_SORT);
}

void smoe_record_latent_down(const smoe_recording *r, const smoe_piece *piece)
{
    smoe_record_matmul(r, SMOE_STEP_LATENT_DOWN, piece, r->io->x_latent, &r->layer->latent_down, 0);
}

void smoe_record_shared_up(const smoe_recording *r, const smoe_piece *piece)
{
    smoe_record_matmul(r, SMOE_STEP_SHARED_UP, piece, r->io->x_shared_expert, &r->layer->shared_up, 0);
}

void smoe_record_shared_down(const smoe_recording *r, const smoe_piece *piece)
{
    smoe_record_matmul(r, SMOE_STEP_SHARED_DOWN, piece, r->binding->shared_rows, &r->layer->shared_down, 0);
}

/* Sort has written how many tiles a piece of a range has. Nothing orders the pieces: they write rows of their own.
 * Those of the ranges interleave, and validation that looks into shaders takes them for hazards. */
static void record_piece(const smoe_recording *r, smoe_step step, const smoe_piece *piece, VkDescriptorSet io,
                         const smoe_weights_set *weights, uint32_t stage)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_buffer *workspace = &r->binding->workspace;
    const uint32_t arguments_at = SMOE_ARGUMENTS_AT(piece->range * r->range_pieces + piece->index, stage);
    smoe_push_matmul push = smoe_matmul_push(r, step, weights);
    push.first_expert = piece->range * shape->range_experts;
    push.arguments_at = arguments_at;
    push.tiles_at = (uint32_t)shape->control.tiles;
    push.row_tokens_at = (uint32_t)shape->control.row_tokens;
    push.row_weights_at = (uint32_t)shape->control.row_weights;
    smoe_record_bind(r, step, io, weights, &push, sizeof push);
    r->context->vk.vkCmdDispatchIndirect(r->command_buffer, workspace->buffer, workspace->offset + 4ull * arguments_at);
}

void smoe_record_expert_up(const smoe_recording *r, const smoe_piece *piece)
{
    const bool latent = (r->features & SMOE_HAS_LATENT) != 0;
    record_piece(r, SMOE_STEP_EXPERT_UP, piece, latent ? r->binding->latent_hidden : r->io->x_hidden,
                 &r->layer->ranges[piece->range].up, SMOE_ARGUMENTS_UP);
}

void smoe_record_expert_down(const smoe_recording *r, const smoe_piece *piece)
{
    record_piece(r, SMOE_STEP_EXPERT_DOWN, piece, r->binding->hidden_rows, &r->layer->ranges[piece->range].down,
                 SMOE_ARGUMENTS_DOWN);
}

static void record_sum(const smoe_recording *r, smoe_step step, VkDescriptorSet io)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_push_combine push = {
        .width = smoe_step_columns(&shape->desc, step),
        .active_stride = shape->desc.max_active,
        .active_at = (uint32_t)shape->control.active,
        .weights_at = (uint32_t)shape->control.weights,
        .rows_at = (uint32_t)shape->control.rows,
        .shared_gate_at = (uint32_t)shape->control.shared_gate,
        .lifted_start = (uint32_t)((shape->lifted_rows_offset - shape->rows_offset) / 4),
        .shared_start = (uint32_t)((shape->shared_rows_offset - shape->rows_offset) / 4),
    };
    /* What zero experts give back. */
    const smoe_weights_set inputs = {.set = r->io->inputs};
    const bool zero = smoe_record_config(r, step)->kernel == SMOE_KERNEL_combine_zero;
    smoe_record_bind(r, step, io, zero ? &inputs : NULL, &push, sizeof push);
    smoe_record_dispatch(r, step);
}

void smoe_record_latent_sum(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    record_sum(r, SMOE_STEP_LATENT_SUM, r->binding->rows_sum);
}

void smoe_record_latent_up(const smoe_recording *r, const smoe_piece *piece)
{
    smoe_record_matmul(r, SMOE_STEP_LATENT_UP, piece, r->binding->sum_lifted, &r->layer->latent_up, 0);
}

void smoe_record_combine(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    record_sum(r, SMOE_STEP_COMBINE, r->io->rows_y);
}
