/* Every choice for one shape on one device, made once: which kernels a forward of any token count runs. */
#ifndef SMOE_DOMAIN_SELECTION_H
#define SMOE_DOMAIN_SELECTION_H

#include "stage.h"

/* Configurations of one regime of the experts: sort, expert_up and expert_down belong together. */
typedef struct smoe_expert_selection {
    bool used;        /* some token count from min_tokens to max_tokens leads here */
    bool shared_used; /* for the shared expert */
    smoe_kernel_config sort, up, down, shared_up, shared_down;
} smoe_expert_selection;

typedef struct smoe_selection {
    const smoe_tuning *tuning;        /* of the routers */
    const smoe_tuning *expert_tuning; /* of the experts, the shared one too; the same but for mixed precision */
    smoe_kernel_config cosine;  /* cosine router only */
    smoe_kernel_config group;   /* groups only */
    smoe_kernel_config select, totals, combine;
    smoe_kernel_config router[SMOE_REGIME_COUNT]; /* route_project, the linear route_logits and the shared expert's gate */
    bool router_used[SMOE_REGIME_COUNT];
    smoe_expert_selection experts[SMOE_REGIME_COUNT];
} smoe_selection;

/* The regimes of one forward. */
typedef struct smoe_regimes {
    uint32_t logits, project, shared_gate, shared, experts;
} smoe_regimes;

smoe_regimes smoe_selection_regimes(const smoe_selection *selection, const smoe_plan_desc *desc, uint32_t token_count);

void smoe_selection_init(const smoe_device_info *info, const smoe_shape *shape, smoe_selection *out);

#endif
