/* What must hold of a device's selection whatever the device: for made-up ones (tests/unit) and real ones
 * (tests/devices). Each function gives NULL, or the name of the first rule that does not hold. */
#ifndef TEST_SELECTION_RULES_H
#define TEST_SELECTION_RULES_H

#include "domain/stage.h"

/* The kernels: within the limits, of the device's capabilities, with the constants that their shaders' comments demand;
 * every direct dispatch within the limits; every token count's kernels among those that are used. */
const char *test_broken_selection(const smoe_device_info *info, const smoe_shape *shape);

/* A shape that smoe_shape_init has accepted: every buffer within the range, parts aligned, nothing overlaps. */
const char *test_broken_shape(const smoe_device_info *info, const smoe_plan_desc *desc, const smoe_shape *shape);

/* One configuration with cooperative matrices, which may be of a kernel that the build has not. matrices: 2 if
 * gated. */
const char *test_broken_cooperative(const smoe_device_info *info, const smoe_kernel_config *c, uint32_t matrices);

/* All of these, for a plan on a device that Vulkan allows, above the floor: a plan without a mistake in it is refused
 * for a limit only. *result: what smoe_select_kernels says for so many tokens. */
const char *test_broken_choice(const smoe_device_info *info, const smoe_plan_desc *desc, uint32_t tokens,
                               smoe_result *result);

/* One rule a line: its name, and what must hold. RULES: those of another function. */
#define RULE(name, condition) \
    do {                      \
        if (!(condition))     \
            return name;      \
    } while (0)
#define RULES(rules)                      \
    do {                                  \
        const char *broken_rule = rules;  \
        if (broken_rule)                  \
            return broken_rule;           \
    } while (0)

#endif
