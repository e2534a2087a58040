/* What the tests of device.h's layers share: both problems, a log, and a device under validation. */
#ifndef EMBED_LAYER_FIXTURE_H
#define EMBED_LAYER_FIXTURE_H

#include "common/record.h"
#include "faults.h"
#include "problem.h"

typedef struct layer_fixture {
    test_problem problem, cosine; /* of both kinds */
    test_record record;
    smoe_log log;
    smoe_device *device; /* one for the tests that want nothing special */
} layer_fixture;

/* Everything but the device; false when out of memory. */
bool layer_fixture_init(layer_fixture *fixture);

/* cmocka: *state is a layer_fixture. */
int layer_fixture_setup(void **state);
int layer_fixture_teardown(void **state);

/* A device of its own, whose Vulkan is the one of faults.h: as it is set, or started over with such memory. Closing it
 * checks that nobody complained and nothing is left. */
smoe_device *layer_fixture_open_as_set(layer_fixture *fixture);
smoe_device *layer_fixture_open_sliced(layer_fixture *fixture, uint64_t slice_work); /* as it is set */
smoe_device *layer_fixture_open(layer_fixture *fixture, faults_memory memory);
void layer_fixture_close(layer_fixture *fixture, smoe_device *device);

/* Skips the test where the device's memory cannot be made to look otherwise. */
void layer_fixture_needs_memory(const layer_fixture *fixture);

/* Fails the test unless the result is the wanted one and a problem that contains the text was logged. Clears the
 * log. */
void check_failure(layer_fixture *fixture, smoe_result result, smoe_result wanted, const char *text);

/* The same for smoe_device_layer_create, which must leave NULL. */
void check_create(layer_fixture *fixture, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                  smoe_result wanted, const char *text);

#endif
