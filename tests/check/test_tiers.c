/* Layers on devices that this one is not, as far as it can act as them: the floor of Vulkan 1.1, the same with
 * subgroups, buffers of a few KiB, and one real device (tests/drivers/devices) for every table of tiles. The results
 * are the reference's on all of them. */
#include <stdio.h>
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/device_files.h"
#include "common/fixture.h"
#include "common/random.h"
#include "domain/selection.h"
#include "floor_device.h"

#define SUBGROUPS                                                                                                      \
    (SMOE_CAPABILITY_SUBGROUP_ARITHMETIC | SMOE_CAPABILITY_SUBGROUP_BALLOT | SMOE_CAPABILITY_SUBGROUP_SHUFFLE)

/* Rows of the case table: one row of a matrix and many, with widths that no tile divides; every type, router and gate;
 * the shared expert; more experts than invocations. Each has a plan of its own, and compiles. */
static const char *const rows[] = {
    "one of everything, gated, half",
    "one token, 127 and 129",
    "33 tokens, 129 and 127, half",
    "197 tokens, gated",
    "257 experts",
    "1024 experts, k 1",
    "cosine, groups, shared, gate",
    "cosine, one token, p 128",
    "mxfp4, 257 tokens",
};

/* Rows for tiles of the experts that none of those leads to. */
static const char *const rows_of_tiles[] = {
    "clamped swiglu, clamped",
    "8192 tokens",
};

static const layer_case *find(const char *name)
{
    for (uint32_t i = 0; i < layer_case_count; i++)
        if (strcmp(layer_cases[i].name, name) == 0)
            return &layer_cases[i];
    fail_msg("no case \"%s\"", name);
    return NULL;
}

typedef struct tier_run {
    test_device device;
    smoe_device_info info; /* what selection sees */
    plan_keeper keeper;
    test_gpu gpu;
    uint32_t ranges, passes; /* the most that a case had */
    bool used[SMOE_KERNEL_COUNT], regimes[SMOE_REGIME_COUNT]; /* of the experts' tiles */
} tier_run;

static uint32_t regime_of(const tier_run *run, const layer_case *shape)
{
    const smoe_rows of_expert = {shape->top_k, shape->expert_count, UINT32_MAX};
    return smoe_regime_for(smoe_tuning_find(&run->info), &of_expert, shape->tokens);
}

static void note_kernels(tier_run *run, const case_data *data)
{
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    const smoe_selection_desc selection = {&run->info, &data->plan, data->shape->tokens, 0};
    assert_int_equal(smoe_select_kernels(&selection, choices, NULL), SMOE_SUCCESS);
    run->regimes[regime_of(run, data->shape)] = true;
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
        assert_true(choices[stage].workgroup_size <= run->info.max_workgroup_invocations);
        assert_true(choices[stage].shared_memory_size <= run->info.max_shared_memory_size);
        for (int kernel = 0; kernel < SMOE_KERNEL_COUNT; kernel++)
            if (strcmp(choices[stage].name, smoe_kernel_row_get((smoe_kernel)kernel)->name) == 0) {
                assert_true(smoe_kernel_runs((smoe_kernel)kernel, &run->info));
                run->used[kernel] = true;
            }
    }
}

static void check_row(tier_run *run, const char *name)
{
    check_tally tally = {0};
    case_data data;
    stage_run stages;
    assert_true(case_data_create(&data, find(name), test_seed()));
    note_kernels(run, &data);
    bool good = stage_run_create(&stages, &run->gpu, &run->keeper, &data);
    if (good) {
        const layer_output output = stage_run_output(&stages);
        const uint32_t passes = (data.shape->tokens + stages.shape.pass_tokens - 1) / stages.shape.pass_tokens;
        run->ranges = stages.shape.range_count > run->ranges ? stages.shape.range_count : run->ranges;
        run->passes = passes > run->passes ? passes : run->passes;
        good = check_output(&data, &data.ref_params, &output, &tally) == 0;
    }
    stage_run_destroy(&stages, &run->gpu);
    if (!good) {
        case_print(&data);
        fail_msg("\"%s\" as %s", name, run->info.name);
    }
    case_data_destroy(&data);
}

static void run_as(tier_run *run, const smoe_device_info *as)
{
    *run = (tier_run){.ranges = 0};
    assert_true(test_device_open_as(&run->device, as));
    run->keeper.context = smoe_device_context(run->device.device);
    run->info = *smoe_context_device_info(run->keeper.context);
    assert_string_equal(run->info.name, as->name);
    assert_int_equal(run->info.capabilities & ~as->capabilities, 0);
    assert_true(test_gpu_open(&run->gpu, run->device.device));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(run, rows[i]);
    for (size_t i = 0; i < sizeof rows_of_tiles / sizeof rows_of_tiles[0]; i++)
        if (!run->regimes[regime_of(run, find(rows_of_tiles[i]))])
            check_row(run, rows_of_tiles[i]);
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++)
        if (!run->regimes[i] && smoe_tuning_find(&run->info)->regimes[i].rows > 0)
            fail_msg("as %s: no row with a mean of %g rows for an expert", as->name,
                     (double)smoe_tuning_find(&run->info)->regimes[i].min_rows);
    plan_keeper_clear(&run->keeper);
    test_gpu_close(&run->gpu);
    assert_true(test_device_is_quiet(&run->device));
    assert_true(test_device_close(&run->device));
}

static void test_floor(void **state)
{
    const smoe_device_info as = floor_device("the floor");
    tier_run run;
    (void)state;
    run_as(&run, &as);
    for (int kernel = 0; kernel < SMOE_KERNEL_COUNT; kernel++)
        assert_true(!run.used[kernel] || smoe_kernel_row_get((smoe_kernel)kernel)->capabilities == 0);
    assert_true(run.used[SMOE_KERNEL_route_select_rank] && run.used[SMOE_KERNEL_expert_up_vector_basic]);
    assert_true(run.used[SMOE_KERNEL_expert_up_tiled]);
}

static void test_subgroups(void **state)
{
    smoe_device_info as = floor_device("the floor with subgroups");
    tier_run run;
    (void)state;
    as.capabilities = SUBGROUPS;
    run_as(&run, &as);
    assert_true(run.used[SMOE_KERNEL_route_select_subgroup] && run.used[SMOE_KERNEL_expert_up_vector]);
    assert_true(run.used[SMOE_KERNEL_expert_down_vector] && run.used[SMOE_KERNEL_route_logits_vector]);
}

/* As if weights of gigabytes met Adreno's 128 MiB: parts of the experts one after another, tokens in several passes. */
static void test_small_ranges(void **state)
{
    smoe_device_info as = floor_device("the floor with small ranges");
    tier_run run;
    (void)state;
    as.max_storage_buffer_range = 144 << 10;
    run_as(&run, &as);
    assert_true(run.ranges > 2 && run.passes > 2);
}

/* As if DeepSeek-V3's w1 of gigabytes met a device that allocates less at once: device.h has a buffer for each range of
 * experts. */
static void test_small_allocations(void **state)
{
    static const layer_case shape = {.name = "small allocations", .tokens = 5, .d_model = 66, .d_hidden = 70,
                                     .expert_count = 11, .top_k = 2, .max_active = 3, .gated = true,
                                     .activation = SMOE_ACTIVATION_SILU, .shared_hidden = 6};
    smoe_device_info as = floor_device("the floor with small allocations");
    test_device device;
    smoe_device_layer *layer;
    layer_output output;
    case_data data;
    uint32_t count, experts;
    (void)state;
    as.max_allocation_size = 64 << 10; /* three experts of 18,480 bytes, and 66 kB of a matrix in float32 do not fit */
    assert_true(test_device_open_as(&device, &as));
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device.device));
    assert_true(case_data_create(&data, &shape, test_seed()));
    assert_int_equal(smoe_select_ranges(&(smoe_selection_desc){info, &data.plan, 0, 0}, &count, &experts, NULL),
                     SMOE_SUCCESS);
    assert_int_equal(experts, 3);
    assert_int_equal(count, 4);
    assert_int_equal(smoe_device_layer_create(device.device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_range_count(smoe_device_layer_plan(layer), NULL), count);
    assert_true(layer_output_create(&output, layer, &data, NULL));
    assert_int_equal(check_output(&data, &data.ref_params, &output, NULL), 0);
    layer_output_destroy(&output);
    smoe_device_layer_destroy(layer);
    data.plan.d_model = 512; /* one expert is too large: the line says for what */
    char reason[SMOE_REASON_SIZE];
    assert_int_equal(smoe_select_ranges(&(smoe_selection_desc){info, &data.plan, 0, 0}, &count, &experts, reason),
                     SMOE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(reason, "exceed maxMemoryAllocationSize, 65536"));
    case_data_destroy(&data);
    assert_true(test_device_is_quiet(&device));
    assert_true(test_device_close(&device));
}

static void test_every_table_of_tiles(void **state)
{
    static device_file files[DEVICE_FILES_MOST];
    const uint32_t count = device_files_read(files);
    const smoe_tuning *done[DEVICE_FILES_MOST];
    uint32_t tables = 0;
    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        const smoe_device_info *info = &files[i].info;
        bool seen = !info->usable || info->type == VK_PHYSICAL_DEVICE_TYPE_CPU; /* those run by themselves */
        for (uint32_t k = 0; !seen && k < tables; k++)
            seen = done[k] == smoe_tuning_find(info);
        if (seen)
            continue;
        tier_run run;
        done[tables++] = smoe_tuning_find(info);
        print_message("as %s, tiles \"%s\"\n", files[i].name, smoe_tuning_find(info)->name);
        run_as(&run, info);
    }
    assert_true(tables > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_subgroups),
        cmocka_unit_test(test_small_ranges),
        cmocka_unit_test(test_small_allocations),
        cmocka_unit_test(test_every_table_of_tiles),
    };
    return cmocka_run_group_tests_name("tiers", tests, NULL, NULL);
}
