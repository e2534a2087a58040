#include "layer_fixture.h"

#include <stdlib.h>

#include "common/cmocka_all.h"
#include "common/system.h"

smoe_device *layer_fixture_open_as_set(layer_fixture *fixture)
{
    return layer_fixture_open_sliced(fixture, 0);
}

smoe_device *layer_fixture_open_sliced(layer_fixture *fixture, uint64_t slice_work)
{
    const smoe_device_desc desc = {
        .selector = getenv("SMOE_TEST_DEVICE"),
        .validation = test_validates(),
        .get_instance_proc_addr = faults_get_instance_proc_addr,
        .slice_work = slice_work,
        .log = &fixture->log,
    };
    smoe_device *device = NULL;

    assert_int_equal(smoe_device_create(&desc, &device), SMOE_SUCCESS);
    return device;
}

smoe_device *layer_fixture_open(layer_fixture *fixture, faults_memory memory)
{
    assert_true(faults_reset(memory));
    return layer_fixture_open_as_set(fixture);
}

void layer_fixture_close(layer_fixture *fixture, smoe_device *device)
{
    smoe_device_destroy(device);
    if (test_record_problem_count(&fixture->record))
        test_record_print(&fixture->record);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
    faults_print_alive(0);
    assert_int_equal(faults_alive_count(), 0);
    assert_false(faults_seen_misuse());
}

void layer_fixture_needs_memory(const layer_fixture *fixture)
{
    smoe_device_handles handles;

    assert_int_equal(smoe_device_get_handles(fixture->device, &handles), SMOE_SUCCESS);
    if (faults_can_change_memory(handles.physical_device))
        return;
    print_message("this device's memory cannot be made to look otherwise\n");
    skip();
}

void check_failure(layer_fixture *fixture, smoe_result result, smoe_result wanted, const char *text)
{
    if (result != wanted || !test_record_has_problem(&fixture->record, text)) {
        print_error("the result is \"%s\", and the log should say \"%s\" and says:\n", smoe_result_text(result), text);
        test_record_print(&fixture->record);
    }
    assert_int_equal(result, wanted);
    assert_true(test_record_has_problem(&fixture->record, text));
    test_record_clear(&fixture->record);
}

void check_create(layer_fixture *fixture, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                  smoe_result wanted, const char *text)
{
    smoe_device_layer *layer = (smoe_device_layer *)fixture; /* anything but NULL */
    const smoe_result result = smoe_device_layer_create(fixture->device, plan, weights, &layer);

    assert_null(layer);
    check_failure(fixture, result, wanted, text);
}

bool layer_fixture_init(layer_fixture *fixture)
{
    test_record_init(&fixture->record);
    fixture->log = test_record_log(&fixture->record);
    return problem_init(&fixture->problem, PROBLEM_LINEAR) && problem_init(&fixture->cosine, PROBLEM_COSINE);
}

int layer_fixture_setup(void **state)
{
    static layer_fixture fixture;

    if (!layer_fixture_init(&fixture))
        return -1;
    const smoe_device_desc desc = {
        .selector = getenv("SMOE_TEST_DEVICE"), .validation = test_validates(), .log = &fixture.log};
    *state = &fixture;
    return smoe_device_create(&desc, &fixture.device) == SMOE_SUCCESS ? 0 : -1;
}

int layer_fixture_teardown(void **state)
{
    layer_fixture *fixture = *state;

    smoe_device_destroy(fixture->device);
    test_record_print(&fixture->record);
    return test_record_problem_count(&fixture->record) ? -1 : 0;
}
