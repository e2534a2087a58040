/* The plan's inside: the shape, the choices and the pipelines, which are the context's. */
#ifndef SMOE_OBJECTS_PLAN_H
#define SMOE_OBJECTS_PLAN_H

#include "context.h"
#include "domain/selection.h"
#include "domain/shape.h"

/* A pipeline per configuration of the selection; VK_NULL_HANDLE for those no token count leads to. */
typedef struct smoe_expert_pipelines {
    VkPipeline sort, up, down, shared_up, shared_down;
} smoe_expert_pipelines;

struct smoe_plan {
    const smoe_context *context;
    smoe_shape shape;
    smoe_selection selection;
    VkPipeline cosine, group, select, totals, combine;
    VkPipeline router[SMOE_REGIME_COUNT];
    smoe_expert_pipelines experts[SMOE_REGIME_COUNT];
};

/* Whether a forward over so many tokens finds every pipeline that it binds. INVALID_ARGUMENT and a log line where one is missing. */
smoe_result smoe_plan_check_pipelines(const smoe_plan *plan, uint32_t token_count, bool has_totals, bool routing_alone);

#endif
