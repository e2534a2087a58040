/* The case table again with capabilities masked: all of them, and each one on its own. The masked devices share the
 * table. A kernel with subgroups runs on every masked device that chooses it. Every kernel runs with each property of a
 * case that test_stages does not show with it on the unmasked device. */
#include <stdlib.h>

#include "case_cover.h"
#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"

static const uint32_t masks[] = {
    SMOE_CAPABILITY_ALL,
    SMOE_CAPABILITY_SUBGROUP_ARITHMETIC,
    SMOE_CAPABILITY_SUBGROUP_BALLOT,
    SMOE_CAPABILITY_SUBGROUP_SHUFFLE,
    SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL,
};

#define MASKS (sizeof masks / sizeof masks[0])

/* The unmasked device, and what runs on the masked ones. */
typedef struct masked_state {
    test_device device; /* first, for test_device_check */
    smoe_device_info unmasked, masked[MASKS];
    case_cover cover;
} masked_state;

static int setup(void **state)
{
    masked_state *all = calloc(1, sizeof *all);

    if (!all || !test_device_open(&all->device, 0))
        return -1;
    all->unmasked = *smoe_context_device_info(smoe_device_context(all->device.device));
    for (size_t i = 0; i < MASKS; i++) {
        all->masked[i] = all->unmasked;
        all->masked[i].capabilities &= ~masks[i];
    }
    *state = all;
    return case_cover_create(&all->cover, &(cover_wish){.cases = layer_cases, .case_count = layer_case_count,
                                                        .devices = all->masked, .device_count = MASKS,
                                                        .kinds = COVER_PROPERTY_KERNELS | COVER_KERNEL_DEVICES,
                                                        .together = true,
                                                        .known = &all->unmasked})
               ? 0
               : -1;
}

static int teardown(void **state)
{
    masked_state *all = *state;

    case_cover_destroy(&all->cover);
    return test_device_teardown(state);
}

typedef struct masked_run {
    plan_keeper keeper;
    test_gpu gpu;
    check_tally tally;
    uint32_t checked, failed;
} masked_run;

static void check_row(masked_run *run, const layer_case *shape)
{
    case_data data;
    stage_run stages;

    assert_true(case_data_create(&data, shape, test_seed()));
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
    case_data_destroy(&data);
}

/* masks[which] */
static void check_masked(void **state, uint32_t which)
{
    const masked_state *all = *state;
    test_device *device = test_calloc(1, sizeof *device);
    masked_run run = {.checked = 0};

    assert_true(test_device_open(device, masks[which]));
    run.keeper.context = smoe_device_context(device->device);
    const uint32_t capabilities = smoe_context_device_info(run.keeper.context)->capabilities;
    assert_int_equal(capabilities, all->masked[which].capabilities);
    assert_true(test_gpu_open(&run.gpu, device->device));
    for (uint32_t i = 0; i < layer_case_count; i++)
        if (test_everything() || case_cover_has(&all->cover, which, i))
            check_row(&run, &layer_cases[i]);
    plan_keeper_clear(&run.keeper);
    test_gpu_close(&run.gpu);
    print_message("capabilities %#x instead of %#x: %u of %u cases\n", capabilities, all->unmasked.capabilities,
                  run.checked, layer_case_count);
    assert_true(test_device_is_quiet(device));
    assert_true(test_device_close(device));
    assert_int_equal(run.failed, 0);
    assert_true(run.checked > 0 && run.tally.excused * 200 <= run.tally.tokens);
    test_free(device);
}

static void test_all(void **state)
{
    check_masked(state, 0);
}

static void test_arithmetic(void **state)
{
    check_masked(state, 1);
}

static void test_ballot(void **state)
{
    check_masked(state, 2);
}

static void test_shuffle(void **state)
{
    check_masked(state, 3);
}

static void test_size_control(void **state)
{
    check_masked(state, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_all, test_device_check),
        cmocka_unit_test_teardown(test_arithmetic, test_device_check),
        cmocka_unit_test_teardown(test_ballot, test_device_check),
        cmocka_unit_test_teardown(test_shuffle, test_device_check),
        cmocka_unit_test_teardown(test_size_control, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("masked", tests, setup, teardown);
}
