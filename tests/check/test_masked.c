/* The case table again with capabilities masked: every second row with all of them, and each one alone. Of the single ones, a row counts
 * as checked where every stage's kernel is that of the unmasked device or that of the device with everything masked; every eighth runs
 * all the same. */
#include <stdio.h>
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"

#define EVERY 8
#define EVERY_BARE 2 /* with everything masked most of the time goes into compiling */

typedef struct masked_run {
    smoe_device_info none_masked, masked, all_masked;
    plan_keeper keeper;
    test_gpu gpu;
    check_tally tally;
    uint32_t checked, failed;
} masked_run;

/* A required subgroup size makes no other kernel where the device has but one. */
static bool same_kernel(const masked_run *run, const smoe_kernel_choice *a, const smoe_kernel_choice *b)
{
    const bool one_size = run->none_masked.subgroup_size_min == run->none_masked.subgroup_size_max;
    return strcmp(a->name, b->name) == 0 && a->workgroup_size == b->workgroup_size &&
           (one_size || a->subgroup_size == b->subgroup_size) &&
           a->tile_rows == b->tile_rows && a->tile_columns == b->tile_columns && a->tile_depth == b->tile_depth;
}

/* Whether the row has a kernel that neither extreme has. */
static bool has_new_kernel(const masked_run *run, const case_data *data)
{
    smoe_kernel_choice none[SMOE_STAGE_COUNT], some[SMOE_STAGE_COUNT], all[SMOE_STAGE_COUNT];
    const uint32_t tokens = data->shape->tokens;
    bool is_new = false;

    assert_int_equal(smoe_select_kernels(&run->none_masked, &data->plan, tokens, none, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_select_kernels(&run->masked, &data->plan, tokens, some, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_select_kernels(&run->all_masked, &data->plan, tokens, all, NULL), SMOE_SUCCESS);
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++)
        is_new = is_new || !(same_kernel(run, &some[stage], &none[stage]) || same_kernel(run, &some[stage], &all[stage]));
    return is_new;
}

static void check_row(masked_run *run, const layer_case *shape, bool always)
{
    case_data data;
    stage_run stages;

    assert_true(case_data_create(&data, shape, test_seed()));
    if (always || has_new_kernel(run, &data)) {
        bool good = stage_run_create(&stages, &run->gpu, &run->keeper, &data);
        if (good) {
            const layer_output output = stage_run_output(&stages);
            good = check_output(&data, &data.ref_params, &output, &run->tally) == 0;
        }
        stage_run_destroy(&stages, &run->gpu);
        if (!good)
            case_print(&data);
        run->failed += !good;
        run->checked++;
    }
    case_data_destroy(&data);
}

static void check_masked(void **state, uint32_t masked)
{
    const test_device *unmasked = *state;
    test_device *device = test_calloc(1, sizeof *device);
    masked_run run = {.none_masked = *smoe_context_device_info(smoe_device_context(unmasked->device))};

    assert_true(test_device_open(device, masked));
    run.keeper.context = smoe_device_context(device->device);
    run.masked = *smoe_context_device_info(run.keeper.context);
    assert_int_equal(run.masked.capabilities, run.none_masked.capabilities & ~masked);
    run.all_masked = run.none_masked;
    run.all_masked.capabilities = 0;
    assert_true(test_gpu_open(&run.gpu, device->device));
    for (uint32_t i = 0; i < layer_case_count; i++)
        check_row(&run, &layer_cases[i], i % (masked == SMOE_CAPABILITY_ALL ? EVERY_BARE : EVERY) == 0);
    plan_keeper_clear(&run.keeper);
    test_gpu_close(&run.gpu);
    print_message("capabilities %#x instead of %#x: %u of %u cases checked, the rest has the kernels of other runs\n",
                  run.masked.capabilities, run.none_masked.capabilities, run.checked, layer_case_count);
    assert_true(test_device_is_quiet(device));
    assert_true(test_device_close(device));
    assert_int_equal(run.failed, 0);
    assert_true(run.tally.excused * 200 <= run.tally.tokens);
    test_free(device);
}

static void test_all(void **state)
{
    check_masked(state, SMOE_CAPABILITY_ALL);
}

static void test_arithmetic(void **state)
{
    check_masked(state, SMOE_CAPABILITY_SUBGROUP_ARITHMETIC);
}

static void test_ballot(void **state)
{
    check_masked(state, SMOE_CAPABILITY_SUBGROUP_BALLOT);
}

static void test_shuffle(void **state)
{
    check_masked(state, SMOE_CAPABILITY_SUBGROUP_SHUFFLE);
}

static void test_size_control(void **state)
{
    check_masked(state, SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_all, test_device_check),     cmocka_unit_test_teardown(test_arithmetic, test_device_check),
        cmocka_unit_test_teardown(test_ballot, test_device_check),  cmocka_unit_test_teardown(test_shuffle, test_device_check),
        cmocka_unit_test_teardown(test_size_control, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("masked", tests, test_device_setup, test_device_teardown);
}
