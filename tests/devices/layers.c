#include "layers.h"

#define GMOE                                                                                                           \
    .d_model = 384, .d_hidden = 1536, .expert_count = 6, .top_k = 2, .max_active = 3, .activation = SMOE_ACTIVATION_GELU
#define OLMOE                                                                                                     \
    .d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 10, .renormalize = true,     \
    .activation = SMOE_ACTIVATION_SILU, .gated = true, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16)
#define MIXTRAL                                                                                                   \
    .d_model = 4096, .d_hidden = 14336, .expert_count = 8, .top_k = 2, .max_active = 3, .renormalize = true,      \
    .activation = SMOE_ACTIVATION_SILU, .gated = true, .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16)
#define DEEPSEEK                                                                                                  \
    .d_model = 7168, .d_hidden = 2048, .expert_count = 256, .top_k = 8, .max_active = 10, .renormalize = true,    \
    .gate = SMOE_GATE_SIGMOID, .group_count = 8, .top_groups = 4, .shared_hidden = 2048,                          \
    .activation = SMOE_ACTIVATION_SILU, .gated = true, .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16)
#define GPT_OSS                                                                                                   \
    .d_model = 2880, .d_hidden = 2880, .expert_count = 32, .top_k = 4, .max_active = 6, .renormalize = true,      \
    .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .gated = true, .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16)
#define WIDE                                                                                                      \
    .d_model = 513, .d_hidden = 127, .expert_count = 1024, .top_k = 1, .max_active = 2, .projection_width = 255,  \
    .router = SMOE_ROUTER_COSINE, .activation = SMOE_ACTIVATION_GELU

#define LAYER(name, tokens, ...) {name, tokens, {__VA_ARGS__, .max_tokens = tokens}}

/* One token, few, many; every router; the layers whose weights exceed the ranges of small devices. */
const device_layer device_layers[] = {
    LAYER("GMoE-S/16, float32", 197, GMOE),
    LAYER("OLMoE, float16", 1, OLMOE),
    LAYER("OLMoE, float16", 32, OLMOE),
    LAYER("OLMoE, float16", 512, OLMOE),
    LAYER("Mixtral 8x7B, bfloat16", 1, MIXTRAL),
    LAYER("Mixtral 8x7B, bfloat16", 33, MIXTRAL),
    LAYER("DeepSeek-V3, bfloat16", 1, DEEPSEEK),
    LAYER("DeepSeek-V3, bfloat16", 4096, DEEPSEEK),
    LAYER("gpt-oss-20b, bfloat16", 7, GPT_OSS),
    LAYER("1,024 experts, cosine router, odd widths, float32", 127, WIDE),
};
const uint32_t device_layer_count = sizeof device_layers / sizeof device_layers[0];
