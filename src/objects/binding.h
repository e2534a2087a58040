/* The binding's inside: the io sets of every pass. */
#ifndef SMOE_OBJECTS_BINDING_H
#define SMOE_OBJECTS_BINDING_H

#include "plan.h"

/* The sets that see a pass's part of x, y or the report, see shaders/common/interface.h. */
typedef struct smoe_binding_pass {
    VkDescriptorSet x_hidden;  /* route_project, route_logits, sort, expert_up without latent experts */
    VkDescriptorSet x_report;  /* route_group, route_select */
    VkDescriptorSet ids_report; /* route_select with given routing; VK_NULL_HANDLE without */
    VkDescriptorSet rows_y;    /* combine */
    VkDescriptorSet x_shared_gate;    /* the shared expert's gate; VK_NULL_HANDLE without */
    VkDescriptorSet x_shared_expert;  /* the shared expert's expert_up; VK_NULL_HANDLE without */
    VkDescriptorSet inputs; /* of the weights' layout: w is given weights, b is what zero experts see, x or latent x;
                               VK_NULL_HANDLE without either */
    VkDescriptorSet x_latent;         /* latent_down; VK_NULL_HANDLE without */
} smoe_binding_pass;

struct smoe_binding {
    const smoe_plan *plan;
    uint32_t max_tokens; /* T */
    uint32_t pass_count;
    bool has_report, has_totals;
    smoe_buffer workspace; /* holds the indirect arguments */
    VkDescriptorPool pool, inputs_pool; /* the second: VK_NULL_HANDLE without inputs */
    VkDescriptorSet hidden_rows; /* expert_down */
    VkDescriptorSet shared_rows; /* the shared expert's; VK_NULL_HANDLE without */
    VkDescriptorSet totals;      /* VK_NULL_HANDLE without totals */
    VkDescriptorSet latent_hidden, rows_sum, sum_lifted; /* expert_up's, latent_sum, latent_up; likewise */
    smoe_binding_pass *passes;   /* pass_count */
};

#endif
