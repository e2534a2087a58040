/* Every choice for one shape on one device, made once: which kernels a forward of any token count runs. */
#ifndef SMOE_DOMAIN_SELECTION_H
#define SMOE_DOMAIN_SELECTION_H

#include "stage.h"

/* Configurations of one regime of the experts: sort, expert_up and expert_down belong together. */
typedef struct smoe_expert_selection {
    bool used; /* some token count up to max_tokens leads here */
    smoe_kernel_config sort, up, down;
} smoe_expert_selection;

typedef struct smoe_selection {
    const smoe_tuning *tuning;
    smoe_kernel_config select, combine;
    smoe_kernel_config logits[SMOE_REGIME_COUNT];
    bool logits_used[SMOE_REGIME_COUNT];
    smoe_expert_selection experts[SMOE_REGIME_COUNT];
} smoe_selection;

void smoe_selection_init(const smoe_device_info *info, const smoe_shape *shape, smoe_selection *out);

#endif
