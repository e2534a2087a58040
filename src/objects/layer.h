/* The layer's inside: sets for the router and the shared expert, and two per range of experts. */
#ifndef SMOE_OBJECTS_LAYER_H
#define SMOE_OBJECTS_LAYER_H

#include "plan.h"

/* A set of weights as a stage binds it, with the push constants that belong to it. */
typedef struct smoe_weights_set {
    VkDescriptorSet set;
    uint32_t flags;      /* SMOE_FLAG_BIAS, SMOE_FLAG_BIAS3 */
    uint32_t offsets[4]; /* w, b, w3, b3: elements between the descriptor's aligned start and the range's first */
} smoe_weights_set;

typedef struct smoe_layer_range {
    smoe_weights_set up, down;
} smoe_layer_range;

struct smoe_layer {
    const smoe_plan *plan;
    VkDescriptorPool pool;
    smoe_weights_set router;  /* route_logits: W and b, of the cosine router S and log_scale */
    smoe_weights_set project; /* route_project */
    smoe_weights_set select;  /* route_group, route_select: b is the selection bias */
    /* written, and bound, only where the plan has them; project too */
    smoe_weights_set shared_gate, shared_up, shared_down, latent_down, latent_up;
    smoe_layer_range *ranges; /* range_count */
};

#endif
