/* The plan's inside: the shape, the choices and the pipelines, which are the context's. */
#ifndef SMOE_OBJECTS_PLAN_H
#define SMOE_OBJECTS_PLAN_H

#include "context.h"
#include "domain/selection.h"
#include "domain/shape.h"

struct smoe_plan {
    const smoe_context *context;
    smoe_shape shape;
    smoe_selection selection;
    /* VK_NULL_HANDLE for those that no token count leads to */
    VkPipeline pipelines[SMOE_STEP_COUNT][SMOE_REGIME_COUNT];
};

/* Whether a forward over so many tokens finds every pipeline that it binds. features: SMOE_HAS_* of the shape and of
 * the forward. INVALID_ARGUMENT and a log line where one is missing. */
smoe_result smoe_plan_check_pipelines(const smoe_plan *plan, const uint32_t regimes[SMOE_STEP_COUNT],
                                      uint32_t token_count, uint32_t features);

#endif
