/* Made-up devices for the tests of pure functions: the corners of what Vulkan drivers report. */
#ifndef TEST_DEVICES_H
#define TEST_DEVICES_H

#include <smoe/smoe.h>

#define TEST_DEVICE_COUNT 20

/* device i of TEST_DEVICE_COUNT; its name says what it stands for */
smoe_device_info test_device(uint32_t i);

#endif
