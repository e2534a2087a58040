#include "case_kernels.h"

#include <stdio.h>
#include <string.h>

typedef struct kernel_list {
    case_kernel *kernels;
    uint32_t count;
} kernel_list;

/* The columns of a tile are the table's choice in tiled kernels; elsewhere they follow from lanes. */
static void put(kernel_list *list, const char *part, uint32_t readers, const smoe_kernel_config *config)
{
    const smoe_kernel_row *row = smoe_kernel_row_get(config->kernel);
    case_kernel *kernel = &list->kernels[list->count++];

    *kernel = (case_kernel){.rows = config->tile_rows, .readers = readers, .by_lanes = row->capabilities != 0,
                            .again = part[0] != 0, .config = *config};
    if (strstr(row->name, "_tiled"))
        snprintf(kernel->name, sizeof kernel->name, "%s%s of %u columns,", part, row->name, config->tile_columns);
    else
        snprintf(kernel->name, sizeof kernel->name, "%s%s", part, row->name);
}

/* A step's part of the layer; `part` tells apart what has another step's kernel. */
static const struct {
    const char *part;
    uint32_t readers;
} parts[SMOE_STEP_COUNT] = {
    [SMOE_STEP_ROUTE_PROJECT] = {"project ", READ_BY_PROJECT},
    [SMOE_STEP_ROUTE_LOGITS] = {"", READ_BY_LOGITS},
    [SMOE_STEP_ROUTE_LOGITS_COSINE] = {"", READ_BY_LOGITS},
    [SMOE_STEP_SHARED_GATE] = {"gate ", READ_BY_GATE},
    [SMOE_STEP_ROUTE_GROUP] = {"", READ_BY_CHOICE},
    [SMOE_STEP_ROUTE_GROUP_BALANCED] = {"", READ_BY_CHOICE},
    [SMOE_STEP_ROUTE_SELECT] = {"", READ_BY_CHOICE},
    [SMOE_STEP_ROUTE_GIVEN] = {"", READ_BY_CHOICE},
    [SMOE_STEP_TOTALS] = {"", READ_BY_CHOICE},
    [SMOE_STEP_SORT] = {"", READ_BY_SORT},
    [SMOE_STEP_LATENT_DOWN] = {"latent_down ", READ_BY_LATENT_DOWN},
    [SMOE_STEP_SHARED_UP] = {"shared ", READ_BY_SHARED_UP},
    [SMOE_STEP_EXPERT_UP] = {"", READ_BY_UP},
    [SMOE_STEP_SHARED_DOWN] = {"shared ", READ_BY_SHARED_DOWN},
    [SMOE_STEP_EXPERT_DOWN] = {"", READ_BY_DOWN},
    [SMOE_STEP_LATENT_SUM] = {"latent_sum ", READ_BY_LATENT_SUM},
    [SMOE_STEP_LATENT_UP] = {"latent_up ", READ_BY_LATENT_UP},
    [SMOE_STEP_COMBINE] = {"", READ_BY_COMBINE},
};

static void print_reason(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    (void)level;
    fprintf(stderr, "    %s\n", text);
}

uint32_t case_kernels_find(const smoe_device_info *device, const layer_case *shape,
                           case_kernel kernels[CASE_KERNELS_MOST])
{
    const smoe_host host = {.log = {print_reason, NULL}};
    const smoe_plan_desc desc = case_plan_desc(shape);
    kernel_list list = {.kernels = kernels};
    smoe_shape whole;
    smoe_selection selection;
    uint32_t regimes[SMOE_STEP_COUNT];

    if (smoe_shape_init(&host, device, &desc, &whole) != SMOE_SUCCESS) {
        fprintf(stderr, "    no kernels for \"%s\" on %s\n", shape->name, device->name);
        return 0;
    }
    smoe_selection_init(device, &whole, &selection);
    smoe_selection_regimes(&selection, &whole.desc, shape->tokens, 0, regimes);
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++) {
        if (!parts[step].part) {
            fprintf(stderr, "    no part of a layer for step %d, of %s\n", (int)step,
                    smoe_stage_name(smoe_step_get(step)->stage));
            return 0;
        }
        if (smoe_step_runs(step, smoe_shape_features(&whole) | SMOE_HAS_TOTALS | SMOE_HAS_EXPERTS))
            put(&list, parts[step].part, parts[step].readers, &selection.configs[step][regimes[step]]);
    }
    return list.count;
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
