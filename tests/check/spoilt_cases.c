#include "spoilt_cases.h"

const layer_case spoilt_cases[SPOILT_CASES] = {
    {.name = "few", .tokens = 4, .d_model = 37, .d_hidden = 13, .expert_count = 7, .top_k = 2, .eps = 0.5f,
     .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "many", .tokens = 70, .d_model = 64, .d_hidden = 40, .expert_count = 5, .top_k = 1, .max_active = 3,
     .eps = 1, .activation = SMOE_ACTIVATION_SILU, .gated = true, .biases = BIAS_ALL, .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "sigmoid, groups, shared", .tokens = 9, .d_model = 20, .d_hidden = 12, .expert_count = 8, .top_k = 2,
     .eps = 0.1f, .gate = SMOE_GATE_SIGMOID, .group_count = 4, .top_groups = 2, .group_eps = 0.2f, .shared_hidden = 10,
     .shared_gate = true, .activation = SMOE_ACTIVATION_GELU, .biases = BIAS_ALL},
    {.name = "cosine, groups, bfloat16", .tokens = 66, .d_model = 24, .d_hidden = 8, .expert_count = 6, .top_k = 1,
     .max_active = 3, .eps = 0.3f, .router = SMOE_ROUTER_COSINE, .projection_width = 9, .group_count = 3,
     .top_groups = 2, .group_eps = 0.3f, .activation = SMOE_ACTIVATION_SILU, .gated = true, .biases = BIAS_ALL,
     .weight_type = SMOE_TYPE_BFLOAT16},
};
