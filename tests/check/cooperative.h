/* A device for the tests of mixed precision. */
#ifndef CHECK_COOPERATIVE_H
#define CHECK_COOPERATIVE_H

#include "check_stages.h"
#include "common/fixture.h"

/* cmocka: as test_device_setup. A software device acts as a GPU: its own kernels come before the cooperative ones. */
int cooperative_setup(void **state);

/* Whether plans of the precision get cooperative kernels, on a device and in a build that have them. */
bool cooperative_runs(const smoe_device_info *info, smoe_precision precision);

/* The reason why they get none, as a message: the device's matrices, its shapes, or the build. */
void cooperative_tell_missing(const smoe_device_info *info, smoe_precision precision);

/* Skips the test, after printing why, where they get none for float16. */
void cooperative_need(const test_device *device);

const smoe_device_info *cooperative_info(const test_device *device);

#endif
