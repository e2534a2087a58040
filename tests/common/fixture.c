#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "system.h"

static bool open_device(test_device *device, smoe_device_desc desc)
{
    test_record_init(&device->record);
    const smoe_log log = test_record_log(&device->record);
    desc.validation = test_validates();
    desc.log = &log;
    const smoe_result result = smoe_device_create(&desc, &device->device);

    if (result != SMOE_SUCCESS) {
        fprintf(stderr, "smoe_device_create: %s\n", smoe_result_text(result));
        test_record_print(&device->record);
    }
    return result == SMOE_SUCCESS;
}

bool test_device_open(test_device *device, uint32_t masked_capabilities)
{
    return test_device_open_selected(device, getenv("SMOE_TEST_DEVICE"), masked_capabilities);
}

bool test_device_open_selected(test_device *device, const char *selector, uint32_t masked_capabilities)
{
    return open_device(device, (smoe_device_desc){.selector = selector, .masked_capabilities = masked_capabilities});
}

bool test_device_open_as(test_device *device, const smoe_device_info *as)
{
    return open_device(device, (smoe_device_desc){.selector = getenv("SMOE_TEST_DEVICE"), .act_as = as});
}

bool test_everything(void)
{
    const char *everything = getenv("SMOE_TEST_EVERYTHING");

    return everything && strcmp(everything, "1") == 0;
}

bool test_device_is_quiet(test_device *device)
{
    const uint32_t validation = smoe_device_validation_count(device->device);
    const uint32_t problems = test_record_problem_count(&device->record);

    if (validation || problems) {
        fprintf(stderr, "%u validation messages so far, %u problems logged:\n", validation, problems);
        test_record_print(&device->record);
    }
    test_record_clear(&device->record);
    return !validation && !problems;
}

bool test_device_close(test_device *device)
{
    smoe_device_destroy(device->device);
    device->device = NULL;
    const bool quiet = test_record_problem_count(&device->record) == 0;
    if (!quiet)
        test_record_print(&device->record);
    return quiet;
}

int test_device_setup(void **state)
{
    test_device *device = calloc(1, sizeof *device);

    if (!device || !test_device_open(device, 0)) {
        free(device);
        return -1;
    }
    *state = device;
    return 0;
}

int test_device_check(void **state)
{
    return test_device_is_quiet(*state) ? 0 : -1;
}

void test_device_closes(void **state)
{
    assert_true(test_device_close(*state));
}

int test_device_teardown(void **state)
{
    test_device *device = *state;

    test_device_close(device);
    free(device);
    return 0;
}
