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

    *kernel = (case_kernel){.rows = config->tile_rows, .readers = readers, .by_lanes = row->capabilities != 0, .again = part[0] != 0,
                            .config = *config};
    if (strstr(row->name, "_tiled"))
        snprintf(kernel->name, sizeof kernel->name, "%s%s of %u columns,", part, row->name, config->tile_columns);
    else
        snprintf(kernel->name, sizeof kernel->name, "%s%s", part, row->name);
}

static void put_router(kernel_list *list, const smoe_selection *s, const smoe_regimes *regimes, const smoe_shape *shape)
{
    const bool cosine = shape->desc.router == SMOE_ROUTER_COSINE;

    if (cosine)
        put(list, "project ", READ_BY_PROJECT, &s->router[regimes->project]);
    put(list, "", READ_BY_LOGITS, cosine ? &s->cosine : &s->router[regimes->logits]);
    if (shape->group_count)
        put(list, "", READ_BY_CHOICE, &s->group);
    put(list, "", READ_BY_CHOICE, &s->select);
    put(list, "", READ_BY_CHOICE, &s->totals);
}

static void put_experts(kernel_list *list, const smoe_selection *s, const smoe_regimes *regimes, const smoe_shape *shape)
{
    const smoe_expert_selection *experts = &s->experts[regimes->experts], *shared = &s->experts[regimes->shared];

    put(list, "", READ_BY_SORT, &experts->sort);
    put(list, "", READ_BY_UP, &experts->up);
    put(list, "", READ_BY_DOWN, &experts->down);
    put(list, "", READ_BY_COMBINE, &s->combine);
    if (shape->desc.shared_gate)
        put(list, "gate ", READ_BY_GATE, &s->router[regimes->shared_gate]);
    if (!shape->desc.shared_hidden)
        return;
    put(list, "shared ", READ_BY_SHARED_UP, &shared->shared_up);
    put(list, "shared ", READ_BY_SHARED_DOWN, &shared->shared_down);
}

static void print_reason(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    (void)level;
    fprintf(stderr, "    %s\n", text);
}

uint32_t case_kernels_find(const smoe_device_info *device, const layer_case *shape, case_kernel kernels[CASE_KERNELS_MOST])
{
    const smoe_host host = {.log = {print_reason, NULL}};
    const smoe_plan_desc desc = case_plan_desc(shape);
    kernel_list list = {.kernels = kernels};
    smoe_shape whole;
    smoe_selection selection;

    if (smoe_shape_init(&host, device, &desc, &whole) != SMOE_SUCCESS) {
        fprintf(stderr, "    no kernels for \"%s\" on %s\n", shape->name, device->name);
        return 0;
    }
    smoe_selection_init(device, &whole, &selection);
    const smoe_regimes regimes = smoe_selection_regimes(&selection, &whole.desc, shape->tokens);
    put_router(&list, &selection, &regimes, &whole);
    put_experts(&list, &selection, &regimes, &whole);
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
