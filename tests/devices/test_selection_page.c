/* What smoe chooses on real devices, as a page that is kept: a change's effect on each device shows in its diff. The
 * test writes the page anew beside the build and compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/device_files.h"
#include "domain/stage.h"
#include "layers.h"

#define PAGE DEVICE_FILES_FOLDER "/SELECTION.md"

#define MATRICES (SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16)

static device_file files[DEVICE_FILES_MOST];
static uint32_t file_count;

static void write_devices(FILE *out)
{
    fprintf(
        out,
        "| device | name | driver | lanes | invocations | shared memory | buffer range | tiles | without | quirks |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < file_count; i++) {
        const smoe_device_info *info = &files[i].info;
        const smoe_quirk *quirk;
        const char *name, *separator = "";
        fprintf(out, "| %s | %s | %s %s | ", files[i].name, info->name, info->driver_name, info->driver_info);
        if (!info->usable) {
            fprintf(out, "not usable: %s | | | | | | |\n", info->reason);
            continue;
        }
        fprintf(out, "%u to %u | %u | %u KiB | %llu MiB | %s | ", info->subgroup_size_min, info->subgroup_size_max,
                info->max_workgroup_invocations, info->max_shared_memory_size >> 10,
                (unsigned long long)((info->max_storage_buffer_range + 1) >> 20), smoe_tuning_find(info)->name);
        for (uint32_t bit = 1; (name = smoe_capability_name(bit)) != NULL; bit *= 2)
            if (!(info->capabilities & bit) && !(bit & MATRICES)) { /* those have a table of their own */
                fprintf(out, "%s%s", separator, name);
                separator = ", ";
            }
        fprintf(out, " | ");
        for (uint32_t k = 0; (quirk = smoe_device_quirk(info, k)) != NULL; k++)
            fprintf(out, "%s%s", k ? ", " : "", quirk->name);
        fprintf(out, " |\n");
    }
}

/* "tiled 64x32x16 @128": the kernel without its stage's name, its tile, its workgroup; "sg8": the subgroup size it
 * requires. */
static void write_choice(FILE *out, smoe_stage stage, const smoe_kernel_choice *choice)
{
    const char *prefix = smoe_stage_name(stage), *name = choice->name;
    if (strncmp(name, prefix, strlen(prefix)) == 0 && name[strlen(prefix)] == '_')
        name += strlen(prefix) + 1;
    else if (stage == SMOE_STAGE_ROUTE_PROJECT && strncmp(name, "route_logits_", 13) == 0)
        name += 13;
    fprintf(out, " %s", *name ? name : "-");
    if (choice->tile_columns)
        fprintf(out, " %ux%ux%u", choice->tile_rows, choice->tile_columns, choice->tile_depth);
    if (choice->workgroup_size)
        fprintf(out, " @%u", choice->workgroup_size);
    if (choice->subgroup_size)
        fprintf(out, " sg%u", choice->subgroup_size);
    fprintf(out, " |");
}

static void write_layer(FILE *out, const device_layer *layer)
{
    static const smoe_stage all[] = {SMOE_STAGE_ROUTE_PROJECT, SMOE_STAGE_ROUTE_LOGITS, SMOE_STAGE_ROUTE_SELECT,
                                     SMOE_STAGE_SORT,          SMOE_STAGE_EXPERT_UP,    SMOE_STAGE_EXPERT_DOWN};
    const smoe_stage *stages = layer->plan.router == SMOE_ROUTER_COSINE ? all : all + 1;
    const int count = layer->plan.router == SMOE_ROUTER_COSINE ? 6 : 5;
    const smoe_host host = {0};

    fprintf(out, "\n## %s, %u token%s\n\n| device |", layer->name, layer->tokens, layer->tokens == 1 ? "" : "s");
    for (int i = 0; i < count; i++)
        fprintf(out, " %s |", smoe_stage_name(stages[i]));
    fprintf(out, " ranges | tokens per pass |\n|---|");
    for (int i = 0; i < count + 2; i++)
        fprintf(out, "---|");
    fprintf(out, "\n");
    for (uint32_t i = 0; i < file_count; i++) {
        smoe_kernel_choice choices[SMOE_STAGE_COUNT];
        char reason[SMOE_REASON_SIZE];
        smoe_shape shape;
        fprintf(out, "| %s |", files[i].name);
        if (smoe_select_kernels(&(smoe_selection_desc){&files[i].info, &layer->plan, layer->tokens, 0}, choices,
                                reason) != SMOE_SUCCESS) {
            fprintf(out, " %s |\n", files[i].info.usable ? reason : "not usable");
            continue;
        }
        assert_int_equal(smoe_shape_init(&host, &files[i].info, &layer->plan, &shape), SMOE_SUCCESS);
        for (int k = 0; k < count; k++)
            write_choice(out, stages[k], &choices[stages[k]]);
        fprintf(out, " %u | %u |\n", shape.range_count, shape.pass_tokens);
    }
}

static void write_cooperative(FILE *out, const smoe_device_info *info, smoe_type type, const smoe_tile *tile)
{
    for (int gated = 1; gated >= 0; gated--) {
        const smoe_matmul_stage stage = {.kernels = &smoe_expert_up_kernels,
                                         .depth = 1024,
                                         .type = type,
                                         .precision = smoe_type_precision(type),
                                         .gated = gated};
        const smoe_kernel_config c = smoe_cooperative_config(info, tile, &stage);
        fprintf(out, " %ux%ux%u in %ux%u @%u, %u bytes |", c.tile_rows, c.tile_columns, c.tile_depth, c.thread_rows,
                c.thread_columns, c.workgroup_size, c.shared_memory_size);
    }
}

/* What no build decides: with or without the kernels, which some compilers cannot make. */
static void write_mixed(FILE *out)
{
    const smoe_tuning *tuning = smoe_tuning_cooperative();
    fprintf(
        out,
        "\n## Mixed precision: the devices with matrix units\n\n"
        "Tile in a subgroup's part of it, invocations, shared memory; gated experts have two such matrices side by "
        "side. From so\n"
        "many rows per expert on. Software devices run their ordinary kernels all the same.\n\n"
        "| device | matrix | lanes | rows | gated expert_up | expert_up, expert_down |\n|---|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < file_count; i++)
        for (int type = SMOE_TYPE_FLOAT16; type <= SMOE_TYPE_BFLOAT16; type++)
            for (uint32_t k = 0; k < SMOE_REGIME_COUNT; k++) {
                const smoe_device_info *info = &files[i].info;
                char text[SMOE_MATRIX_SHAPE_TEXT_SIZE];
                if (tuning->regimes[k].matmul != SMOE_MATMUL_COOPERATIVE || !info->usable ||
                    !smoe_cooperative_fits(info, smoe_type_precision((smoe_type)type)))
                    continue;
                fprintf(
                    out, "| %s | %s | %u | %g |", files[i].name,
                    smoe_matrix_shape_text(smoe_cooperative_shape(info, smoe_type_precision((smoe_type)type)), text),
                    info->subgroup_size_min, (double)tuning->regimes[k].min_rows);
                write_cooperative(out, info, (smoe_type)type, &tuning->regimes[k]);
                fprintf(out, "\n");
            }
}

static void write_page(FILE *out)
{
    fprintf(out, "# What smoe chooses on real devices\n\n"
                 "Written by tests/devices/test_selection_page.c from the capability files of this folder, which "
                 "`smoe-devices --json` wrote\n"
                 "under the drivers of tests/drivers; the test fails where selection chooses otherwise, and says how "
                 "to accept that.\n"
                 "`tiled 64x32x16 @128`: the kernel, rows x columns x depth of its tile, invocations of its workgroup; "
                 "`sg8`: the subgroup\n"
                 "size it requires. Ranges: parts of the experts' weights, each within the device's buffer range.\n\n");
    write_devices(out);
    for (uint32_t i = 0; i < device_layer_count; i++)
        write_layer(out, &device_layers[i]);
    write_mixed(out);
}

static void test_page(void **state)
{
    const char *build = getenv("SMOE_BUILD");
    char path[512];
    size_t kept_size, size;
    (void)state;

    snprintf(path, sizeof path, "%s/tests/SELECTION.md", build ? build : "build");
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    write_page(out);
    assert_int_equal(ferror(out), 0);
    assert_int_equal(fclose(out), 0);
    char *text = device_files_text(path, &size), *kept = device_files_text(PAGE, &kept_size);
    size_t line = 1, at = 0;
    for (; at < size && at < kept_size && text[at] == kept[at]; at++)
        line += text[at] == '\n';
    if (at < size || at < kept_size)
        fail_msg("line %zu of %s is no longer true: diff %s %s shows what changed, and if that is meant, cp %s %s",
                 line, PAGE, PAGE, path, path, PAGE);
    free(text);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page)};
    file_count = device_files_read(files);
    return cmocka_run_group_tests_name("selection page", tests, NULL, NULL);
}
