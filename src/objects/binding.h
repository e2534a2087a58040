/* The binding's inside: the io sets of every pass. */
#ifndef SMOE_OBJECTS_BINDING_H
#define SMOE_OBJECTS_BINDING_H

#include "plan.h"

/* The sets that see a pass's part of x, y or the report, see shaders/common/interface.h. */
typedef struct smoe_binding_pass {
    VkDescriptorSet x_hidden;  /* route_project, route_logits, sort, expert_up */
    VkDescriptorSet x_report;  /* route_group, route_select */
    VkDescriptorSet rows_y;    /* combine */
    VkDescriptorSet x_shared_gate;    /* the shared expert's gate; VK_NULL_HANDLE without */
    VkDescriptorSet x_shared_expert;  /* the shared expert's expert_up; VK_NULL_HANDLE without */
} smoe_binding_pass;

struct smoe_binding {
    const smoe_plan *plan;
    uint32_t max_tokens; /* T */
    uint32_t pass_count;
    bool has_report, has_totals;
    smoe_buffer workspace; /* holds the indirect arguments */
    VkDescriptorPool pool;
    VkDescriptorSet hidden_rows; /* expert_down */
    VkDescriptorSet shared_rows; /* the shared expert's; VK_NULL_HANDLE without */
    VkDescriptorSet totals;      /* VK_NULL_HANDLE without totals */
    smoe_binding_pass *passes;   /* pass_count */
};

#endif
