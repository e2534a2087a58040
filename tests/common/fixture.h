/* A smoe_device under validation, synchronization validation included, for a group of tests:
 *
 *   cmocka_run_group_tests_name("layer", tests, test_device_setup, test_device_teardown)
 *   each test: cmocka_unit_test_teardown(test, test_device_check)
 *   the last one: cmocka_unit_test(test_device_closes)
 *
 * SMOE_TEST_DEVICE selects the device as smoe_device_desc.selector does. */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "record.h"
#include "smoe/device.h"

typedef struct test_device {
    smoe_device *device;
    test_record record;
} test_device;

/* False, with the log printed, when there is no such device: a test never goes on without. Takes back what it
 * opened. */
bool test_device_open(test_device *device, uint32_t masked_capabilities);
bool test_device_open_selected(test_device *device, const char *selector, uint32_t masked_capabilities);
bool test_device_open_as(test_device *device, const smoe_device_info *as); /* smoe_device_desc.act_as */

/* False, with the messages printed, when validation or smoe itself complained since the last check. */
bool test_device_is_quiet(test_device *device);
bool test_device_close(test_device *device); /* false, with the messages printed, when that gave any */

/* SMOE_TEST_EVERYTHING=1: tests run all that they can, not only the part that shows as much. */
bool test_everything(void);

/* cmocka: *state is a test_device. A check fails the test that made the device complain. */
int test_device_setup(void **state);
int test_device_check(void **state);
int test_device_teardown(void **state);

/* The last test of a group: destroys the device, and fails when validation finds objects left behind. A teardown could
 * not say so: cmocka does not count a group's teardown that fails. */
void test_device_closes(void **state);

#endif
