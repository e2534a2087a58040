/* The layers that are timed by default: the published shapes of known models, and a tiny one for tests. */
#include "bench.h"

#include <string.h>

const bench_preset bench_presets[] = {
    {"tiny",
     "for tests",
     {.d_model = 64,
      .d_hidden = 96,
      .expert_count = 8,
      .top_k = 2,
      .activation = SMOE_ACTIVATION_GELU,
      .renormalize = true},
     .biases = true,
     .tokens = {1, 33}},
    {"tiny-grouped",
     "for tests: all that DeepSeek-V3's layers have, and a shared gate",
     {.d_model = 64,
      .d_hidden = 48,
      .expert_count = 16,
      .top_k = 4,
      .gate = SMOE_GATE_SIGMOID,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .renormalize = true,
      .group_count = 4,
      .top_groups = 2,
      .shared_hidden = 80,
      .shared_gate = true},
     .biases = true,
     .router_bias = true,
     .selection_bias = true,
     .tokens = {1, 33}},
    {"tiny-balanced",
     "for tests: balanced groups, and what gates and gated experts may have besides",
     {.d_model = 64,
      .d_hidden = 48,
      .expert_count = 16,
      .top_k = 4,
      .gate = SMOE_GATE_SOFTMAX_BIAS,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .gate_max = 0.5f,
      .up_limit = 0.75f,
      .gate_limit_after = 0.25f,
      .gate_alpha = 1.702f,
      .up_offset = 1,
      .renormalize = true,
      .renormalize_floor = 0.5f,
      .expert_scale = true,
      .balanced_groups = 2,
      .shared_hidden = 80,
      .shared_gate_max = 1,
      .shared_up_limit = 0.5f},
     .selection_bias = true,
     .tokens = {1, 33}},
    /* Its published router is Tutel's cosine_top, with that gate's own projection width and initial temperature. */
    {"gmoe-s16",
     "GMoE-S/16: a ViT-S/16 of 197 tokens per image, one image and eight",
     {.d_model = 384,
      .d_hidden = 1536,
      .expert_count = 6,
      .top_k = 2,
      .router = SMOE_ROUTER_COSINE,
      .projection_width = 256,
      .activation = SMOE_ACTIVATION_GELU,
      .renormalize = true},
     .biases = true,
     .router_bias = true,
     .tokens = {197, 8 * 197}},
    {"switch-base-16",
     "Switch-Base-16",
     {.d_model = 768, .d_hidden = 3072, .expert_count = 16, .top_k = 1, .activation = SMOE_ACTIVATION_RELU},
     .tokens = {1, 32, 512}},
    {"olmoe",
     "OLMoE-1B-7B",
     {.d_model = 2048,
      .d_hidden = 1024,
      .expert_count = 64,
      .top_k = 8,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true},
     .tokens = {1, 32, 512}},
    {"qwen3-30b-a3b",
     "Qwen3-30B-A3B",
     {.d_model = 2048,
      .d_hidden = 768,
      .expert_count = 128,
      .top_k = 8,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .renormalize = true},
     .published = SMOE_TYPE_Q4, /* Q4_0 of GGUF and INT4; bfloat16 too */
     .tokens = {1, 32, 512}},
    {"gpt-oss-20b",
     "gpt-oss-20b",
     {.d_model = 2880,
      .d_hidden = 2880,
      .expert_count = 32,
      .top_k = 4,
      .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED,
      .gated = true,
      .renormalize = true},
     .biases = true,
     .router_bias = true,
     .published = SMOE_TYPE_MXFP4,
     .tokens = {1, 32, 512}},
    /* Two shared experts of 1408: one of their sum. */
    {"moonlight-16b",
     "Moonlight-16B-A3B: DeepSeek-V3's layer, without groups",
     {.d_model = 2048,
      .d_hidden = 1408,
      .expert_count = 64,
      .top_k = 6,
      .gate = SMOE_GATE_SIGMOID,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .renormalize = true,
      .shared_hidden = 2 * 1408},
     .selection_bias = true,
     .tokens = {1, 32, 512}},
    {"ling-mini-2.0",
     "Ling-mini-2.0: DeepSeek-V3's layer, small",
     {.d_model = 2048,
      .d_hidden = 512,
      .expert_count = 256,
      .top_k = 8,
      .gate = SMOE_GATE_SIGMOID,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .renormalize = true,
      .group_count = 8,
      .top_groups = 4,
      .shared_hidden = 512},
     .selection_bias = true,
     .tokens = {1, 32, 512}},
    /* moe_norm_min 1e-12; two shared experts of 1536: one of their sum. */
    {"ernie-4.5-21b-a3b",
     "ERNIE-4.5-21B-A3B: softmax over all experts, with a selection bias",
     {.d_model = 2560,
      .d_hidden = 1536,
      .expert_count = 64,
      .top_k = 6,
      .gate = SMOE_GATE_SOFTMAX_BIAS,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .renormalize = true,
      .renormalize_floor = 1e-12f,
      .shared_hidden = 2 * 1536},
     .selection_bias = true,
     .tokens = {1, 32, 512}},
    /* swiglu_limit 10, of the shared expert too; a layer behind the first three, whose ids come from a table. */
    {"deepseek-v4-flash",
     "DeepSeek-V4-Flash: sqrt_softplus, limits",
     {.d_model = 4096,
      .d_hidden = 2048,
      .expert_count = 256,
      .top_k = 6,
      .gate = SMOE_GATE_SQRT_SOFTPLUS,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .gate_max = 10,
      .up_limit = 10,
      .renormalize = true,
      .shared_hidden = 2048,
      .shared_gate_max = 10,
      .shared_up_limit = 10},
     .selection_bias = true,
     .published = SMOE_TYPE_MXFP4,
     .tokens = {1, 32, 512}},
    {"deepseek-v3",
     "DeepSeek-V3",
     {.d_model = 7168,
      .d_hidden = 2048,
      .expert_count = 256,
      .top_k = 8,
      .gate = SMOE_GATE_SIGMOID,
      .activation = SMOE_ACTIVATION_SILU,
      .gated = true,
      .renormalize = true,
      .group_count = 8,
      .top_groups = 4,
      .shared_hidden = 2048},
     .selection_bias = true,
     .published = SMOE_TYPE_FP8,
     .tokens = {1, 32, 512}},
};

const size_t bench_preset_count = sizeof bench_presets / sizeof *bench_presets;
_Static_assert(sizeof bench_presets / sizeof *bench_presets <= BENCH_MAX_PRESETS,
               "bench_options.presets has room for all of them");

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool bench_has_tensor(const bench_preset *preset, const smoe_layer_tensor *tensor)
{
    if (tensor->presence != SMOE_PRESENCE_OPTIONAL)
        return tensor->presence == SMOE_PRESENCE_REQUIRED;
    if (strcmp(tensor->name, "selection_bias") == 0)
        return preset->selection_bias;
    return begins(tensor->file_name, "router.") ? preset->router_bias : preset->biases;
}

bool bench_is_routing(const smoe_layer_tensor *tensor)
{
    return begins(tensor->file_name, "router.") || strcmp(tensor->name, "shared_gate") == 0;
}

const char *bench_describe_routing(const smoe_plan_desc *plan, char text[RESULTS_ROUTING_SIZE])
{
    const results_shape shape = {.router = smoe_router_name(plan->router),
                                 .gate = smoe_gate_name(plan->gate),
                                 .group_score = smoe_group_score_name(plan->group_score),
                                 .projection_width = plan->projection_width,
                                 .groups = plan->group_count > 1 ? plan->group_count : 0,
                                 .top_groups = plan->top_groups,
                                 .balanced_groups = plan->balanced_groups,
                                 .shared_hidden = plan->shared_hidden,
                                 .shared_gate = plan->shared_gate,
                                 .expert_scale = plan->expert_scale};
    return results_describe_routing(&shape, text);
}

void bench_print_presets(FILE *out)
{
    fprintf(out, "%-17s %5s %5s %4s %2s  %-20s %-7s %-52s %-8s %s\n", "preset", "D", "H", "E", "k", "activation",
            "biases", "routing", "weights", "tokens");
    for (size_t i = 0; i < bench_preset_count; i++) {
        const bench_preset *preset = &bench_presets[i];
        const smoe_plan_desc *plan = &preset->plan;
        char activation[32], routing[RESULTS_ROUTING_SIZE];
        snprintf(activation, sizeof activation, "%s%s", plan->gated ? "gated " : "",
                 smoe_activation_name(plan->activation));
        bench_describe_routing(plan, routing);
        fprintf(out, "%-17s %5u %5u %4u %2u  %-20s %-7s %-52s %-8s", preset->name, plan->d_model, plan->d_hidden,
                plan->expert_count, plan->top_k, activation, preset->biases ? "yes" : "no",
                routing[0] ? routing : "linear",
                smoe_type_has_scales(preset->published) ? smoe_type_short_name(preset->published) : "");
        for (int t = 0; t < BENCH_MAX_TOKEN_COUNTS && preset->tokens[t] > 0; t++)
            fprintf(out, " %u", preset->tokens[t]);
        fprintf(out, "   %s\n", preset->about);
    }
}
