// What every kernel includes first: constants, push constants, the control buffer.
// Define CONTROL_ACCESS (readonly, or empty) before the include: synchronization validation tells readers from writers by it.
#include "interface.h"

layout(local_size_x_id = SMOE_ID_WORKGROUP_SIZE) in;
layout(constant_id = SMOE_ID_WORKGROUP_SIZE) const uint WORKGROUP_SIZE = 64;
layout(constant_id = SMOE_ID_SUBGROUP_SIZE) const uint SUBGROUP_SIZE = 32;
layout(constant_id = SMOE_ID_D_MODEL) const uint D_MODEL = 512;
layout(constant_id = SMOE_ID_D_HIDDEN) const uint D_HIDDEN = 1024;
layout(constant_id = SMOE_ID_EXPERT_COUNT) const uint EXPERT_COUNT = 8;
layout(constant_id = SMOE_ID_TOP_K) const uint TOP_K = 2;
layout(constant_id = SMOE_ID_MAX_ACTIVE) const uint MAX_ACTIVE = 2;
layout(constant_id = SMOE_ID_PASS_TOKENS) const uint PASS_TOKENS = 64;
layout(constant_id = SMOE_ID_RANGE_COUNT) const uint RANGE_COUNT = 1;
layout(constant_id = SMOE_ID_RANGE_EXPERTS) const uint RANGE_EXPERTS = 8;
layout(constant_id = SMOE_ID_WEIGHT_TYPE) const uint WEIGHT_TYPE = 0;
layout(constant_id = SMOE_ID_ACTIVATION) const uint ACTIVATION = 0;
layout(constant_id = SMOE_ID_GATED) const uint GATED = 0;
layout(constant_id = SMOE_ID_RENORMALIZE) const uint RENORMALIZE = 1;
layout(constant_id = SMOE_ID_ALIGNED) const uint ALIGNED = 1;
layout(constant_id = SMOE_ID_TILE_ROWS) const uint TILE_ROWS = 32;
layout(constant_id = SMOE_ID_TILE_COLUMNS) const uint TILE_COLUMNS = 32;
layout(constant_id = SMOE_ID_TILE_DEPTH) const uint TILE_DEPTH = 16;
layout(constant_id = SMOE_ID_THREAD_ROWS) const uint THREAD_ROWS = 4;
layout(constant_id = SMOE_ID_THREAD_COLUMNS) const uint THREAD_COLUMNS = 4;
layout(constant_id = SMOE_ID_UP_COLUMN_TILES) const uint UP_COLUMN_TILES = 1;
layout(constant_id = SMOE_ID_DOWN_COLUMN_TILES) const uint DOWN_COLUMN_TILES = 1;

layout(constant_id = SMOE_ID_PROJECTION_WIDTH) const uint PROJECTION_WIDTH = 0;
layout(constant_id = SMOE_ID_GATE) const uint GATE = 0;
layout(constant_id = SMOE_ID_GROUP_COUNT) const uint GROUP_COUNT = 0;
layout(constant_id = SMOE_ID_TOP_GROUPS) const uint TOP_GROUPS = 0;
layout(constant_id = SMOE_ID_SHARED_HIDDEN) const uint SHARED_HIDDEN = 0;
layout(constant_id = SMOE_ID_SHARED_GATE) const uint SHARED_GATE = 0;
layout(constant_id = SMOE_ID_PART) const uint PART = 0;
layout(constant_id = SMOE_ID_MATRIX_ROWS) const uint MATRIX_ROWS = 16;
layout(constant_id = SMOE_ID_MATRIX_COLUMNS) const uint MATRIX_COLUMNS = 16;
layout(constant_id = SMOE_ID_MATRIX_DEPTH) const uint MATRIX_DEPTH = 16;
layout(constant_id = SMOE_ID_SHARED_SIZE) const uint SHARED_SIZE = 1024;

layout(push_constant) uniform Push {
    SMOE_PUSH_FIELDS(uint, float)
} push;

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_CONTROL, std430) CONTROL_ACCESS buffer Control { uint control[]; };

// 1 / (1 + exp(-z)) = exp(min(z,0)) / (1 + exp(-|z|)): Vulkan promises no division by what 1 + exp(88) overflows to. precise: one kernel
// must not fuse what another does not.
float sigmoid(float z) {
    precise float numerator = exp(min(z, 0.0));
    precise float denominator = 1.0 + exp(-abs(z));
    precise float result = numerator / denominator;
    return result;
}

const uint AT_TILE_COUNTS = SMOE_CONTROL_TILE_COUNTS(RANGE_COUNT);
const uint AT_ACTIVE = SMOE_CONTROL_ACTIVE(RANGE_COUNT);
const uint AT_IDS = SMOE_CONTROL_IDS(RANGE_COUNT, PASS_TOKENS);
const uint AT_WEIGHTS = SMOE_CONTROL_WEIGHTS(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE);
const uint AT_ROWS = SMOE_CONTROL_ROWS(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE);
const uint AT_ROW_TOKENS = SMOE_CONTROL_ROW_TOKENS(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE);
const uint AT_LOGITS = SMOE_CONTROL_LOGITS(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE);
const uint AT_TILES = SMOE_CONTROL_TILES(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE, EXPERT_COUNT);
const uint AT_NOTES = SMOE_CONTROL_NOTES(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE, EXPERT_COUNT);
const uint AT_PROJECTED = SMOE_CONTROL_PROJECTED(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE, EXPERT_COUNT);
const uint AT_GROUPS = SMOE_CONTROL_GROUPS(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE, EXPERT_COUNT, PROJECTION_WIDTH);
const uint AT_SHARED_GATE = SMOE_CONTROL_SHARED_GATE(RANGE_COUNT, PASS_TOKENS, MAX_ACTIVE, EXPERT_COUNT, PROJECTION_WIDTH, GROUP_COUNT);
