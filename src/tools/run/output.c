/* What smoe-run prints. */
#include "run.h"

#include "program/output.h"
#include "program/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* "float16", or "float16 up, float32 down". */
static const char *types_text(const smoe_matrix_types *types, char text[64])
{
    const char *up = smoe_type_name(types->up), *down = smoe_type_name(types->down);
    snprintf(text, 64, types->up == types->down ? "%s" : "%s up, %s down", up, down);
    return text;
}

/* The numbers of smoe_plan_number_get that the layer has. */
static void print_numbers(const smoe_plan_desc *plan)
{
    const smoe_plan_number *number;
    const char *separator = "numbers       ";
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++) {
        const float value = smoe_plan_number_value(number, plan);
        if (value == 0.0f)
            continue;
        program_printf("%s%s %g", separator, number->name, (double)value);
        separator = ", ";
    }
    if (separator[0] == ',')
        program_printf("\n");
}

static void print_layer(const run *r)
{
    const smoe_plan_desc *plan = &r->plan;
    char types[64];
    if (r->options->checkpoint_count)
        program_printf("checkpoint    %s, layer %u\n", r->format, r->source.layer);
    program_printf("layer         d_model %u, ", plan->d_model);
    if (!r->options->route_only)
        program_printf("d_hidden %u, ", plan->d_hidden);
    program_printf("%u experts, k %u, at most %u active", plan->expert_count, plan->top_k, plan->max_active);
    if (r->options->route_only)
        program_printf("; only the router runs\n");
    else
        program_printf(", %s%s, %s weights\n", smoe_activation_name(plan->activation), plan->gated ? " gated" : "",
                       types_text(&plan->types, types));
    print_numbers(plan);
    program_printf("router        %s", smoe_router_name(plan->router));
    if (plan->router == SMOE_ROUTER_COSINE)
        program_printf(" of width %u", plan->projection_width);
    program_printf(", %s%s", smoe_gate_name(plan->gate), r->weights.selection_bias ? " with selection bias" : "");
    if (plan->group_count)
        program_printf(", the %u best of %u groups%s, group eps %g", plan->top_groups, plan->group_count,
                       plan->group_score == SMOE_GROUP_SCORE_MAX ? " by their best expert" : "",
                       (double)r->params.group_eps);
    if (plan->balanced_groups > 1)
        program_printf(", the %u best of each of %u groups", plan->top_k / plan->balanced_groups,
                       plan->balanced_groups);
    if (plan->expert_scale)
        program_printf(", a factor for each expert");
    if (plan->weighted_input)
        program_printf(", weights on the experts' inputs");
    if (plan->zero_experts)
        program_printf(", the last %u experts the identity", plan->zero_experts);
    if (plan->given_count)
        program_printf("; %u experts given%s", plan->given_count, plan->given_weights ? " with weights" : "");
    program_printf("\n");
    if (plan->d_latent)
        program_printf("latent        width %u of the routed experts' inputs and rows\n", plan->d_latent);
    if (plan->shared_hidden)
        program_printf("shared        hidden width %u%s\n", plan->shared_hidden,
                       plan->shared_gate ? ", with a gate" : "");
}

/* What mixed precision comes to on the device: other kernels, or none. */
static void print_precision(const run *r)
{
    smoe_kernel_choice kernels[SMOE_STAGE_COUNT];
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(r->device));
    const smoe_selection_desc selection = {info, &r->plan, r->params.token_count, r->params.expected_active};
    const bool rounds = r->plan.precision != SMOE_PRECISION_FLOAT32;
    if (rounds && smoe_select_kernels(&selection, kernels, NULL) == SMOE_SUCCESS)
        program_printf("precision     mixed where the device has it: %s, %s\n", kernels[SMOE_STAGE_EXPERT_UP].name,
               kernels[SMOE_STAGE_EXPERT_DOWN].name);
}

static void print_inputs(const run *r)
{
    if (r->random_x) {
        program_printf("input         %u tokens of normal random numbers, seed %u\n", r->params.token_count, r->seed);
    } else {
        program_printf("input         %u tokens of tensor x in ", r->params.token_count);
        program_print(program_text(), r->options->x ? r->options->x : r->source.path);
        program_printf("\n");
    }
    if (!isnan(r->options->calibrate))
        program_printf("calibration   eps %.9g: %.6f extra experts on average, wanted at most %g\n",
                       (double)r->params.eps, r->calibrated_extra, r->options->calibrate);
}

/* The totals that the device has added up. */
static void print_totals(const run *r)
{
    const smoe_totals *totals = &r->totals;
    const uint64_t finite = totals->tokens - totals->nonfinite;
    uint32_t busiest = 0, idlest = 0;
    for (uint32_t e = 1; e < r->plan.expert_count; e++) {
        busiest = r->expert_tokens[e] > r->expert_tokens[busiest] ? e : busiest;
        idlest = r->expert_tokens[e] < r->expert_tokens[idlest] ? e : idlest;
    }
    program_printf("tokens        %" PRIu64 ": %.3f experts active on average, %u at most; %" PRIu64
                   " on a boundary, %" PRIu64 " capped, %" PRIu64 " non-finite\n",
                   totals->tokens, finite ? (double)totals->active / (double)finite : 0.0, totals->max_active,
                   finite - totals->order[0], totals->capped, totals->nonfinite);
    program_printf("orders       ");
    const char *separator = " ";
    for (uint32_t order = 0; order < SMOE_TOTALS_ORDER_COUNT; order++) {
        if (totals->order[order] > 0) {
            program_printf("%s%u%s: %" PRIu64, separator, order, order + 1 == SMOE_TOTALS_ORDER_COUNT ? "+" : "",
                           totals->order[order]);
            separator = ", ";
        }
    }
    program_printf(" tokens\n");
    if (r->plan.group_count)
        program_printf("groups        %" PRIu64 " tokens where groups tie\n", totals->group_ties);
    program_printf("experts       busiest %u with %" PRIu64 " tokens, idlest %u with %" PRIu64 "\n", busiest,
                   r->expert_tokens[busiest], idlest, r->expert_tokens[idlest]);
}

void run_print_heading(const run *r)
{
    if (run_source_count(r->options) == 1)
        return;
    program_printf("file          ");
    program_print(program_text(), r->source.path);
    if (r->options->checkpoint_count)
        program_printf(", layer %u", r->source.layer);
    program_printf("\n");
}

void run_print_summary(const run *r)
{
    program_printf("device        %s\n", smoe_context_device_info(smoe_device_context(r->device))->name);
    print_layer(r);
    print_precision(r);
    print_inputs(r);
    program_printf("gate          eps %g, a %g, b %g, temperature %g, scale %g, %s\n", (double)r->params.eps,
                   (double)r->params.a, (double)r->params.b, (double)r->params.temperature, (double)r->params.scale,
                   r->plan.renormalize ? "renormalized" : "not renormalized");
    print_totals(r);
}
