#include "case_kernels.h"

#include <stdio.h>
#include <string.h>

#include "domain/kernel_table.h"

static uint32_t reader_of(smoe_stage stage)
{
    switch (stage) {
    case SMOE_STAGE_ROUTE_PROJECT:
    case SMOE_STAGE_ROUTE_LOGITS: return READ_BY_LOGITS;
    case SMOE_STAGE_ROUTE_GROUP:
    case SMOE_STAGE_ROUTE_SELECT:
    case SMOE_STAGE_TOTALS: return READ_BY_CHOICE;
    case SMOE_STAGE_SORT: return READ_BY_SORT;
    case SMOE_STAGE_EXPERT_UP: return READ_BY_UP;
    case SMOE_STAGE_EXPERT_DOWN: return READ_BY_DOWN;
    case SMOE_STAGE_COMBINE: return READ_BY_COMBINE;
    case SMOE_STAGE_COUNT: break;
    }
    return 0;
}

static bool uses_subgroups(const char *name)
{
    for (int kernel = 0; kernel < SMOE_KERNEL_COUNT; kernel++)
        if (strcmp(smoe_kernel_row_get((smoe_kernel)kernel)->name, name) == 0)
            return smoe_kernel_row_get((smoe_kernel)kernel)->capabilities != 0;
    return false;
}

/* The columns of a tile are the table's choice in tiled kernels; elsewhere they follow from lanes. */
static case_kernel kernel_of(const char *part, smoe_stage stage, const smoe_kernel_choice *choice)
{
    case_kernel kernel = {.rows = choice->tile_rows, .readers = reader_of(stage), .by_lanes = uses_subgroups(choice->name)};

    if (strstr(choice->name, "_tiled"))
        snprintf(kernel.name, sizeof kernel.name, "%s%s of %u columns,", part, choice->name, choice->tile_columns);
    else
        snprintf(kernel.name, sizeof kernel.name, "%s%s", part, choice->name);
    return kernel;
}

/* The shared expert and its gate are chosen as a layer of one expert. */
static smoe_plan_desc shared_desc(const smoe_plan_desc *desc)
{
    smoe_plan_desc shared = *desc;

    shared.router = SMOE_ROUTER_LINEAR;
    shared.projection_width = 0;
    shared.expert_count = shared.top_k = 1;
    shared.max_active = shared.group_count = shared.top_groups = 0;
    shared.d_hidden = desc->shared_hidden;
    return shared;
}

static bool select_kernels(const smoe_device_info *device, const smoe_plan_desc *desc, const layer_case *shape,
                           smoe_kernel_choice choices[SMOE_STAGE_COUNT])
{
    char reason[SMOE_REASON_SIZE];
    const smoe_result result = smoe_select_kernels(device, desc, shape->tokens, choices, reason);

    if (result != SMOE_SUCCESS)
        fprintf(stderr, "    no kernels for \"%s\" on %s: %s\n", shape->name, device->name, reason);
    return result == SMOE_SUCCESS;
}

uint32_t case_kernels_find(const smoe_device_info *device, const layer_case *shape, case_kernel kernels[CASE_KERNELS_MOST])
{
    const smoe_plan_desc desc = case_plan_desc(shape), shared = shared_desc(&desc);
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    uint32_t count = 0;

    if (!select_kernels(device, &desc, shape, choices))
        return 0;
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++)
        if (choices[stage].name[0])
            kernels[count++] = kernel_of(stage == SMOE_STAGE_ROUTE_PROJECT ? "project " : "", (smoe_stage)stage, &choices[stage]);
    if (!desc.shared_hidden)
        return count;
    if (!select_kernels(device, &shared, shape, choices))
        return 0;
    if (desc.shared_gate)
        kernels[count++] = kernel_of("gate ", SMOE_STAGE_ROUTE_LOGITS, &choices[SMOE_STAGE_ROUTE_LOGITS]);
    kernels[count++] = kernel_of("shared ", SMOE_STAGE_EXPERT_UP, &choices[SMOE_STAGE_EXPERT_UP]);
    kernels[count++] = kernel_of("shared ", SMOE_STAGE_EXPERT_DOWN, &choices[SMOE_STAGE_EXPERT_DOWN]);
    return count;
}

uint32_t case_devices(const smoe_device_info *info, smoe_device_info devices[CASE_DEVICES_MOST], uint32_t *at)
{
    static const uint32_t lanes[] = {4, 8, 16};
    static const uint32_t count = sizeof lanes / sizeof lanes[0];

    devices[0] = *info;
    *at = 0;
    while (*at < count && info->subgroup_size != lanes[*at])
        (*at)++;
    if (info->driver_id != VK_DRIVER_ID_MESA_LLVMPIPE || *at == count) {
        *at = 0;
        return 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        devices[i] = *info;
        devices[i].subgroup_size = devices[i].subgroup_size_min = devices[i].subgroup_size_max = lanes[i];
    }
    return count;
}
