/* What a forward is made of: commands that are recorded into an app's command buffer. */
#ifndef SMOE_OBJECTS_RECORDING_H
#define SMOE_OBJECTS_RECORDING_H

#include "binding.h"
#include "layer.h"
#include "push.h"

typedef struct smoe_recording {
    VkCommandBuffer command_buffer;
    const smoe_context *context;
    const smoe_plan *plan;
    const smoe_layer *layer;
    const smoe_binding *binding;
    const smoe_forward_params *params;
    const smoe_timestamps *timestamps; /* NULL: none */
    bool routing_alone;
    uint32_t token_count; /* of this pass */
} smoe_recording;

/* Orders everything before against everything after among compute shaders and indirect arguments. */
void smoe_record_barrier(const smoe_recording *r);

/* Before the first stage. */
void smoe_record_begin(const smoe_recording *r);
/* At the end of a stage, also of one that the shape does not have. */
void smoe_record_stage_end(const smoe_recording *r, smoe_stage stage);

/* weights: NULL for stages that have none. push: one of push.h's blocks. */
void smoe_record_bind(const smoe_recording *r, VkPipeline pipeline, VkDescriptorSet io, const smoe_weights_set *weights, const void *push,
                      uint32_t push_size);
void smoe_record_dispatch(const smoe_recording *r, smoe_workgroups count);

/* What a matrix multiplication of [tokens,depth] by a set of weights with so many columns is told. */
smoe_push_matmul smoe_matmul_push(const smoe_recording *r, const smoe_weights_set *weights, uint32_t depth, uint32_t columns);

void smoe_record_routing(const smoe_recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io);
void smoe_record_experts(const smoe_recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io);

#endif
