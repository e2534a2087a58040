#include "devices.h"

#include <smoe/capability_file.h>

#include <stdio.h>

#define PRESET_COUNT 4
#define COLUMN 32 /* characters of a preset in the table */

static const struct preset {
    const char *name;
    smoe_plan_desc plan;
} presets[PRESET_COUNT] = {
    {"GMoE-S/16, 197 tokens",
     {.d_model = 384, .d_hidden = 1536, .expert_count = 6, .top_k = 2, .max_active = 3, .max_tokens = 197,
      .activation = SMOE_ACTIVATION_GELU}},
    {"OLMoE, 1 token",
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 10, .max_tokens = 1,
      .activation = SMOE_ACTIVATION_SILU, .gated = true}},
    {"OLMoE, 512 tokens",
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 10, .max_tokens = 512,
      .activation = SMOE_ACTIVATION_SILU, .gated = true}},
    {"the same, float16, mixed precision",
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 10, .max_tokens = 512,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16),
      .precision = SMOE_PRECISION_FLOAT16}},
};

/* 0 is what drivers leave where they do not tell. */
static void print_size(const char *name, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
    double value = (double)bytes;
    int unit = 0;
    while (unit < 3 && value >= 1024) {
        value /= 1024;
        unit++;
    }
    if (bytes == 0)
        printf("  %-16s unknown\n", name);
    else
        printf("  %-16s %.4g %s\n", name, value, units[unit]);
}

static void print_capabilities(uint32_t capabilities)
{
    const char *name;
    printf("  %-16s", "capabilities");
    for (uint32_t bit = 1; (name = smoe_capability_name(bit)) != NULL; bit *= 2)
        if (capabilities & bit)
            printf(" %s", name);
    printf("%s\n", capabilities ? "" : " none");
}

/* Only where there are any: most devices have none. */
static void print_matrices(const smoe_device_info *info)
{
    char text[SMOE_MATRIX_SHAPE_TEXT_SIZE];
    for (uint32_t i = 0; i < info->matrix_shape_count; i++)
        printf("%s%s%s", i == 0 ? "  matrices        " : "", i == 0 ? " " : ", ",
               smoe_matrix_shape_text(&info->matrix_shapes[i], text));
    if (info->matrix_shape_count > 0)
        printf("\n");
}

static void print_quirks(const smoe_device_info *info)
{
    const smoe_quirk *quirk;
    for (uint32_t i = 0; (quirk = smoe_device_quirk(info, i)) != NULL; i++)
        printf("  %-16s %s: %s; see %s\n", i == 0 ? "quirks" : "", quirk->name, quirk->text, quirk->source);
}

static void print_facts(const smoe_device_info *info)
{
    printf("  %-16s %s, vendor 0x%04x, device 0x%04x\n", "type", smoe_device_type_name(info->type), info->vendor_id,
           info->device_id);
    printf("  %-16s %s %s, version 0x%x, Vulkan %u.%u.%u\n", "driver",
           info->driver_name[0] ? info->driver_name : "unnamed", info->driver_info, info->driver_version,
           VK_API_VERSION_MAJOR(info->api_version), VK_API_VERSION_MINOR(info->api_version),
           VK_API_VERSION_PATCH(info->api_version));
    printf("  %-16s ", "uuid");
    for (size_t i = 0; i < VK_UUID_SIZE; i++)
        printf("%02x", info->uuid[i]);
    printf("\n  %-16s %u lanes, from %u to %u\n", "subgroups", info->subgroup_size, info->subgroup_size_min,
           info->subgroup_size_max);
    printf("  %-16s %u invocations, %u in x; %u x %u x %u workgroups\n", "workgroups", info->max_workgroup_invocations,
           info->max_workgroup_size_x, info->max_workgroup_count[0], info->max_workgroup_count[1],
           info->max_workgroup_count[2]);
    print_size("shared memory", info->max_shared_memory_size);
    printf("  %-16s %u per stage, offsets in multiples of %llu bytes\n", "storage buffers",
           info->max_stage_storage_buffers, (unsigned long long)info->min_storage_buffer_offset_alignment);
    print_size("buffer range", info->max_storage_buffer_range);
    print_size("allocation", info->max_allocation_size);
    print_size("device memory", info->device_memory_size);
    if (info->timestamp_period > 0)
        printf("  %-16s %g ns\n", "timestamp", (double)info->timestamp_period);
    else
        printf("  %-16s none\n", "timestamp");
    print_capabilities(info->capabilities);
    print_matrices(info);
    print_quirks(info);
}

static bool has_stage(smoe_kernel_choice choices[PRESET_COUNT][SMOE_STAGE_COUNT],
                      const smoe_result results[PRESET_COUNT], int stage)
{
    for (int i = 0; i < PRESET_COUNT; i++)
        if (results[i] != SMOE_SUCCESS || choices[i][stage].name[0])
            return true;
    return false;
}

/* One row per stage that any of them has, one column per preset. */
static void print_kernels(const smoe_device_info *info)
{
    smoe_kernel_choice choices[PRESET_COUNT][SMOE_STAGE_COUNT];
    smoe_result results[PRESET_COUNT];
    char reasons[PRESET_COUNT][SMOE_REASON_SIZE] = {{0}};

    printf("  %-16s", "kernels");
    for (int i = 0; i < PRESET_COUNT; i++) {
        const smoe_plan_desc *plan = &presets[i].plan;
        results[i] =
            smoe_select_kernels(&(smoe_selection_desc){info, plan, plan->max_tokens, 0}, choices[i], reasons[i]);
        printf(" %-*s", i + 1 < PRESET_COUNT ? COLUMN : 0, presets[i].name);
    }
    printf("\n");
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
        if (!has_stage(choices, results, stage))
            continue;
        printf("    %-14s", smoe_stage_name((smoe_stage)stage));
        for (int i = 0; i < PRESET_COUNT; i++) {
            const smoe_kernel_choice *choice = &choices[i][stage];
            char text[64] = "-";
            if (results[i] == SMOE_SUCCESS && choice->tile_rows && choice->tile_columns)
                snprintf(text, sizeof text, "%s %ux%ux%u", choice->name, choice->tile_rows, choice->tile_columns,
                         choice->tile_depth);
            else if (results[i] == SMOE_SUCCESS && choice->name[0])
                snprintf(text, sizeof text, "%s", choice->name);
            printf(" %-*s", i + 1 < PRESET_COUNT ? COLUMN : 0, text);
        }
        printf("\n");
    }
    for (int i = 0; i < PRESET_COUNT; i++)
        if (results[i] != SMOE_SUCCESS)
            printf("    %s: %s: %s\n", presets[i].name, smoe_result_text(results[i]), reasons[i]);
}

void print_device(const smoe_device_info *info)
{
    print_facts(info);
    if (info->usable)
        print_kernels(info);
    else
        printf("  %-16s %s\n", "NOT USABLE", info->reason);
}
