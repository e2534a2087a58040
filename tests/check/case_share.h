/* Cases of a test's own, which the devices that share the case table share too. */
#ifndef CASE_SHARE_H
#define CASE_SHARE_H

#include "cases.h"

/* runs[count]: whether this device runs the case. Each device runs as many as show every kernel with subgroups that the
 * cases have, with tiles of each height. Cases whose pipelines test_stages makes are chosen first. Every case runs on
 * one of the devices, so all of them run where a driver's tests run at each number of lanes. With
 * SMOE_TEST_EVERYTHING=1 each device runs all. False after printing why. */
bool case_share(const smoe_device_info *info, const layer_case *cases, uint32_t count, bool *runs);

#endif
