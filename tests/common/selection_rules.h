/* What must hold of a device's selection whatever the device: for made-up ones (tests/unit) and real ones (tests/devices). */
#ifndef TEST_SELECTION_RULES_H
#define TEST_SELECTION_RULES_H

#include "domain/stage.h"

/* 0, or the line in selection_rules.c of a rule that does not hold. The kernels: within the limits, of the device's capabilities, with
 * the constants that their shaders' comments demand. */
int test_broken_selection(const smoe_device_info *info, const smoe_shape *shape);

/* Likewise of a shape that smoe_shape_init has accepted: every buffer within the range, parts aligned, nothing overlaps. */
int test_broken_shape(const smoe_device_info *info, const smoe_plan_desc *desc, const smoe_shape *shape);

/* Likewise of one configuration with cooperative matrices, which may be of a kernel that the build has not. matrices: 2 if gated. */
int test_broken_cooperative(const smoe_device_info *info, const smoe_kernel_config *c, uint32_t matrices);

#endif
