// What every kernel includes first: constants, push constants, the control buffer.
// Define before the include PUSH_BLOCK, one of interface.h's SMOE_PUSH_*, and CONTROL_ACCESS (readonly, or empty):
// synchronization validation tells readers from writers by it.
#include "interface.h"

layout(local_size_x_id = SMOE_WORKGROUP_SIZE_ID) in;
#define DECLARE_CONSTANT(id, NAME, name, value) layout(constant_id = id) const uint NAME = value;
SMOE_CONSTANTS(DECLARE_CONSTANT)
#define DECLARE_ENUMERATOR(NAME, value) const uint NAME = value;
SMOE_ENUMERATORS(DECLARE_ENUMERATOR)

layout(push_constant) uniform Push {
    PUSH_BLOCK(uint, float)
} push;

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_CONTROL, std430) CONTROL_ACCESS buffer Control { uint control[]; };

// 1 / (1 + exp(-z)) = exp(min(z,0)) / (1 + exp(-|z|)): Vulkan promises no division by what 1 + exp(88) overflows to.
// precise: one kernel must not fuse what another does not.
float sigmoid(float z) {
    precise float numerator = exp(min(z, 0.0));
    precise float denominator = 1.0 + exp(-abs(z));
    precise float result = numerator / denominator;
    return result;
}
