/* What a forward is made of: commands that are recorded into an app's command buffer. */
#ifndef SMOE_OBJECTS_RECORDING_H
#define SMOE_OBJECTS_RECORDING_H

#include "binding.h"
#include "domain/pieces.h"
#include "layer.h"
#include "push.h"

/* A dispatch of a step. */
typedef struct smoe_piece {
    uint32_t range, index;           /* routed experts: which, and which of its pieces; else 0 */
    uint32_t first_tile, tile_count; /* other matrix multiplications: its tiles */
} smoe_piece;

typedef struct smoe_recording {
    VkCommandBuffer command_buffer;
    const smoe_context *context;
    const smoe_plan *plan;
    const smoe_layer *layer;
    const smoe_binding *binding;
    const smoe_forward_params *params;
    const smoe_timestamps *timestamps; /* NULL: none */
    uint32_t features;                 /* SMOE_HAS_* of the shape and of the forward */
    uint32_t regimes[SMOE_STEP_COUNT]; /* those for all tokens, in every pass */
    const smoe_binding_pass *io;       /* of this pass */
    uint32_t token_count;              /* of this pass */
    uint32_t range_pieces;             /* of this pass: smoe_record_range_pieces */
    smoe_slices slices;                /* what lies outside the wanted ones is not recorded */
} smoe_recording;

/* Orders everything before against everything after among compute shaders and indirect arguments. */
void smoe_record_barrier(const smoe_recording *r);

/* The steps of a stage that run, with a barrier after them and before each that follows, and its timestamp; also that
 * of a stage of which none runs. */
void smoe_record_stage(smoe_recording *r, smoe_stage stage);
/* Before the first stage. */
void smoe_record_begin(const smoe_recording *r);

/* What a step runs in this forward, and how it is cut. */
const smoe_kernel_config *smoe_record_config(const smoe_recording *r, smoe_step step);
smoe_pieces smoe_record_pieces(const smoe_recording *r, smoe_step step);
/* How many records of ARGUMENTS sort writes for each range: the pieces of expert_up or expert_down, whichever has more
 * in this pass. Their room is for shape.range_pieces. */
uint32_t smoe_record_range_pieces(const smoe_recording *r);

/* weights: NULL for steps that have none. push: one of push.h's blocks. */
void smoe_record_bind(const smoe_recording *r, smoe_step step, VkDescriptorSet io, const smoe_weights_set *weights,
                      const void *push, uint32_t push_size);
/* What was bound, over the tokens of this pass. */
void smoe_record_dispatch(const smoe_recording *r, smoe_step step);

/* What a matrix multiplication by a set of weights is told. */
smoe_push_matmul smoe_matmul_push(const smoe_recording *r, smoe_step step, const smoe_weights_set *weights);
/* A matrix multiplication over the tokens of this piece. output_at: of the router's, the word of control where the
 * outputs begin. */
void smoe_record_matmul(const smoe_recording *r, smoe_step step, const smoe_piece *piece, VkDescriptorSet io,
                        const smoe_weights_set *weights, uint64_t output_at);

/* One for each step: record_routing.c, record_experts.c. */
void smoe_record_route_project(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_route_logits(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_route_logits_cosine(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_shared_gate(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_route_group(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_route_group_balanced(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_route_select(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_route_given(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_totals(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_sort(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_latent_down(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_shared_up(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_expert_up(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_shared_down(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_expert_down(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_latent_sum(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_latent_up(const smoe_recording *r, const smoe_piece *piece);
void smoe_record_combine(const smoe_recording *r, const smoe_piece *piece);

#endif
