/* The layers that are timed by default: the published shapes of known models, and a tiny one for tests. */
#include "bench.h"

const bench_preset bench_presets[] = {
    {"tiny", "for tests",
     {.d_model = 64, .d_hidden = 96, .expert_count = 8, .top_k = 2, .activation = SMOE_ACTIVATION_GELU, .renormalize = true},
     true, {1, 33}},
    {"gmoe-s16", "GMoE-S/16: a ViT-S/16 of 197 tokens per image, one image and eight",
     {.d_model = 384, .d_hidden = 1536, .expert_count = 6, .top_k = 2, .activation = SMOE_ACTIVATION_GELU, .renormalize = true},
     true, {197, 8 * 197}},
    {"switch-base-16", "Switch-Base-16",
     {.d_model = 768, .d_hidden = 3072, .expert_count = 16, .top_k = 1, .activation = SMOE_ACTIVATION_RELU},
     false, {1, 32, 512}},
    {"olmoe", "OLMoE-1B-7B",
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .activation = SMOE_ACTIVATION_SILU, .gated = true},
     false, {1, 32, 512}},
    {"qwen3-30b-a3b", "Qwen3-30B-A3B",
     {.d_model = 2048, .d_hidden = 768, .expert_count = 128, .top_k = 8, .activation = SMOE_ACTIVATION_SILU, .gated = true,
      .renormalize = true},
     false, {1, 32, 512}},
};

const size_t bench_preset_count = sizeof bench_presets / sizeof *bench_presets;
_Static_assert(sizeof bench_presets / sizeof *bench_presets <= BENCH_MAX_PRESETS, "bench_options.presets has room for all of them");

const char *bench_activation_name(smoe_activation activation)
{
    switch (activation) {
    case SMOE_ACTIVATION_IDENTITY: return "identity";
    case SMOE_ACTIVATION_RELU: return "relu";
    case SMOE_ACTIVATION_GELU: return "gelu";
    case SMOE_ACTIVATION_GELU_TANH: return "gelu_tanh";
    case SMOE_ACTIVATION_SILU: return "silu";
    default: return "unknown";
    }
}

const char *bench_type_name(smoe_type type)
{
    return type == SMOE_TYPE_FLOAT16 ? "f16" : "f32";
}

void bench_print_presets(FILE *out)
{
    fprintf(out, "%-15s %5s %5s %4s %2s  %-11s %-7s %s\n", "preset", "D", "H", "E", "k", "activation", "biases", "tokens");
    for (size_t i = 0; i < bench_preset_count; i++) {
        const bench_preset *preset = &bench_presets[i];
        const smoe_plan_desc *plan = &preset->plan;
        char activation[32];
        snprintf(activation, sizeof activation, "%s%s", plan->gated ? "gated " : "", bench_activation_name(plan->activation));
        fprintf(out, "%-15s %5u %5u %4u %2u  %-11s %-7s", preset->name, plan->d_model, plan->d_hidden, plan->expert_count, plan->top_k,
                activation, preset->biases ? "yes" : "no");
        for (int t = 0; t < BENCH_MAX_TOKEN_COUNTS && preset->tokens[t] > 0; t++)
            fprintf(out, " %u", preset->tokens[t]);
        fprintf(out, "   %s\n", preset->about);
    }
}
