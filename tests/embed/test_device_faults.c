/* Devices that are lost, at each of their submissions, and devices without timestamps. */
#include <string.h>

#include "common/cmocka_all.h"
#include "common/system.h"
#include "layer_fixture.h"

#define MAX_SUBMISSIONS 100u /* more is a loop that does not end */

/* Everything that submits, in turn, up to the first failure. */
static smoe_result use_everything(const test_problem *problem, smoe_device *device)
{
    smoe_device_layer *layer = NULL;
    smoe_timings timings[2];
    smoe_totals totals;
    float y[PROBLEM_ROWS], logits[PROBLEM_LOGITS], eps;
    uint32_t report[PROBLEM_REPORT];

    smoe_result result = smoe_device_layer_create(device, &problem->plan, &problem->weights, &layer);
    assert_int_equal(layer != NULL, result == SMOE_SUCCESS);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_reset_totals(layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(layer, &problem->params, problem->x, y, report, timings);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_logits(layer, logits);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_repeat(layer, &problem->params, true, 2, timings);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_totals(layer, &totals, NULL);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_calibrate(layer, &problem->params, problem->x, 0.5, &eps, NULL);
    smoe_device_layer_destroy(layer);
    return result;
}

/* From one submission on nothing runs and no wait succeeds: every call that submits says so, and all is given back. */
static void lose_everywhere(layer_fixture *fixture, faults_memory memory, uint64_t slice_work, uint32_t least)
{
    assert_true(faults_reset(memory));
    smoe_device *device = layer_fixture_open_sliced(fixture, slice_work);
    smoe_result result = use_everything(&fixture->problem, device);
    const uint32_t alive = faults_alive_count(); /* with what a device keeps: its staging buffer, pipelines */
    uint32_t at = 0;

    assert_int_equal(result, SMOE_SUCCESS);
    for (;; at++) {
        assert_in_range(at, 0, MAX_SUBMISSIONS);
        faults_lose_device(at);
        result = use_everything(&fixture->problem, device);
        assert_int_equal(faults_alive_count(), alive);
        if (result == SMOE_SUCCESS)
            break;
        assert_int_equal(result, SMOE_ERROR_DEVICE_LOST);
        assert_true(test_record_has_problem(&fixture->record, "VK_ERROR_DEVICE_LOST"));
        assert_int_equal(use_everything(&fixture->problem, device), SMOE_ERROR_DEVICE_LOST);
        assert_int_equal(faults_alive_count(), alive);
        test_record_clear(&fixture->record);
    }
    print_message("lost at each of %u submissions\n", at);
    assert_true(at > least);
    assert_int_equal(smoe_device_validation_count(device), 0);
    layer_fixture_close(fixture, device);
}

static void test_lost(void **state)
{
    lose_everywhere(*state, FAULTS_MEMORY_AS_IS, 0, 5);
}

/* Between the slices of a forward. */
static void test_lost_within_a_forward(void **state)
{
    if (test_pieces_look_like_hazards())
        skip();
    lose_everywhere(*state, FAULTS_MEMORY_AS_IS, 60000, 15);
}

static void test_lost_while_copying(void **state)
{
    layer_fixture_needs_memory(*state);
    lose_everywhere(*state, FAULTS_MEMORY_DISCRETE, 0, 5);
}

static bool is_untimed(const smoe_timings *timings)
{
    bool zero = timings->device_total == 0 && timings->host_total > 0;

    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        zero = zero && timings->stage[i] == 0;
    return zero;
}

/* Only the host's times are there then, and the results are what they always are. */
static void test_no_timestamps(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_device_layer *layer = NULL;
    smoe_timings timings[3];
    float y[PROBLEM_ROWS];

    assert_true(faults_reset(FAULTS_MEMORY_AS_IS));
    faults_hide_timestamps();
    smoe_device *device = layer_fixture_open_as_set(fixture);
    assert_true(smoe_context_device_info(smoe_device_context(device))->timestamp_period == 0);
    assert_int_equal(smoe_device_layer_create(device, &problem->plan, &problem->weights, &layer), SMOE_SUCCESS);
    memset(timings, 0xff, sizeof timings);
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, NULL, &timings[0]),
                     SMOE_SUCCESS);
    assert_true(problem_is_solved(problem, y, NULL));
    assert_int_equal(smoe_device_layer_repeat(layer, &problem->params, false, 2, &timings[1]), SMOE_SUCCESS);
    for (int i = 0; i < 3; i++)
        assert_true(is_untimed(&timings[i]));
    smoe_device_layer_destroy(layer);
    assert_int_equal(smoe_device_validation_count(device), 0);
    layer_fixture_close(fixture, device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_lost_within_a_forward),
        cmocka_unit_test(test_lost_while_copying),
        cmocka_unit_test(test_no_timestamps),
    };

    return cmocka_run_group_tests_name("device faults", tests, layer_fixture_setup, layer_fixture_teardown);
}
