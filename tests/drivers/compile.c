/* compile [--known FILE] [--few | --none | --tile RxCxD:TRxTC] [SPIRV...]: compiles every kernel that selection picks
 * on the device at hand, for a table of layer shapes and with capabilities masked, and the shaders named, and writes
 * what comes out to stdout, one JSON object a line. FILE: keys of pipelines to list only. --few: the shapes that find
 * most, as the device is and with every capability masked; --none: no kernels; --tile: the tiled kernels of those
 * shapes, without mixed precision, with another tile. Nothing is submitted, so that a driver without its GPU will do.
 *
 *   {"device": name, "driver": ..., "capabilities": bits, "subgroup": [min, max], ...}, or "unusable": why
 *   {"row": kernel, "missing": bits, "embedded": whether this build has it}      one for each row of the kernel table
 *   {"key": ..., "kernel": ..., "shape": ...}     a pipeline, before it is compiled: where the driver crashes, this
 * line is the last
 *   {"compiled": key, "result": VkResult, "executables": [...], "matrix_instructions": in a cooperative kernel}
 *   {"refused": shape, "reason": ...}             no pipeline was tried: the shape is beyond a limit of the device
 *   {"done": true} */
#include <stdio.h>
#include <string.h>

#include <smoe/device.h>

#include "domain/kernel_table.h"
#include "pipelines.h"
#include "shader_file.h"
#include "statistics.h"

#define MOST_DEVICES 34u /* is_masked: of 32 capabilities at most */

typedef struct shape {
    const char *name;
    /* one of the few; also with capabilities masked: between them they lead to every kernel but those of bfloat16
     * matrices */
    bool first;
    smoe_plan_desc desc;
} shape;

#define TYPES(up_, down_, shared_up_, shared_down_)                                                                    \
    {                                                                                                                  \
        .up = SMOE_TYPE_##up_, .down = SMOE_TYPE_##down_, .shared_up = SMOE_TYPE_##shared_up_,                         \
        .shared_down = SMOE_TYPE_##shared_down_                                                                        \
    }

/* Each type of weights with matrix units, in its turn as w1 and w3 and as w2, in the highest tile. */
#define MIXED(precision_, up_, down_, shared_up_, shared_down_)                                                        \
    {                                                                                                                  \
        "mixed " #precision_ " " #up_ " " #down_ " " #shared_up_ " " #shared_down_, false,                             \
        {                                                                                                              \
            .d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,   \
            .min_tokens = 4096, .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,              \
            .precision = SMOE_PRECISION_##precision_,                                                                  \
            .types = TYPES(up_, down_, shared_up_, shared_down_)                                                       \
        }                                                                                                              \
    }
#define MIXED_TYPES(precision)                                                                                         \
    MIXED(precision, NVFP4, IQ4, IQ4_XS, Q6_K), MIXED(precision, Q4_MIN, NVFP4, Q4_ZERO, IQ4_XS),                      \
        MIXED(precision, Q4_K, Q4_MIN, Q8_MIN, Q4_ZERO), MIXED(precision, Q8_ZERO, Q4_K, Q8_K, Q8_MIN),                \
        MIXED(precision, Q6_K, Q8_ZERO, Q8_ROWS, Q8_K), MIXED(precision, FP8_ROWS, Q8_ROWS, IQ4, FP8_ROWS)

/* Between them every stage, both routers, every gate, groups of each kind, shared and latent experts, weighted inputs,
 * every weight type and activation, gated and not, widths that are no multiple of anything, few experts and the most,
 * mixed precision, and tokens enough for every regime. */
static const shape shapes[] = {
    {"gated",
     true,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .renormalize = true}},
    {"gated f16",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU_TANH, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .gated = true}},
    {"gated bf16",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_RELU, .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16), .gated = true, .renormalize = true}},
    {"plain",
     false,
     {.d_model = 768, .d_hidden = 3072, .expert_count = 16, .top_k = 1, .max_active = 2, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU}},
    {"plain f16",
     false,
     {.d_model = 384, .d_hidden = 1536, .expert_count = 6, .top_k = 2, .max_active = 3, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .router = SMOE_ROUTER_COSINE,
      .projection_width = 256, .renormalize = true}},
    {"everything",
     true,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 256, .top_k = 8, .max_active = 12, .max_tokens = 8192,
      .router = SMOE_ROUTER_COSINE, .projection_width = 256, .gate = SMOE_GATE_SIGMOID, .renormalize = true,
      .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16), .gated = true,
      .group_count = 8, .top_groups = 4, .shared_hidden = 2048, .shared_gate = true}},
    {"odd",
     false,
     {.d_model = 65, .d_hidden = 33, .expert_count = 31, .top_k = 3, .max_active = 31, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_RELU_SQUARED, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .shared_hidden = 17}},
    {"most",
     false,
     {.d_model = 512, .d_hidden = 64, .expert_count = SMOE_MAX_EXPERTS, .top_k = 32, .max_active = 64,
      .max_tokens = 4096, .activation = SMOE_ACTIVATION_IDENTITY, .gated = true, .group_count = 32, .top_groups = 32}},
    {"scales",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,
      .types = TYPES(MXFP4, Q4, Q8, FP8)}},
    {"other scales",
     false,
     {.d_model = 2880, .d_hidden = 1440, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 1440,
      .types = TYPES(Q4, MXFP4, FP8, Q8)}},
    {"scales, minimums",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,
      .types = TYPES(Q4_ZERO, Q8_MIN, Q8_ZERO, Q4_MIN)}},
    {"scales of two levels",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,
      .types = TYPES(Q4_K, Q6_K, Q8_K, IQ4_XS)}},
    {"scales, odd",
     false,
     {.d_model = 2880, .d_hidden = 1440, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 1440,
      .types = TYPES(NVFP4, IQ4, FP8_ROWS, Q8_ROWS)}},
    /* as "gated", but for the routing */
    {"balanced",
     true,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 16, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .gate = SMOE_GATE_SOFTMAX_BIAS, .renormalize = true,
      .renormalize_floor = 1e-12f, .expert_scale = true, .balanced_groups = 8, .given_count = 12,
      .zero_experts = 16}},
    {"probabilities",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .gate = SMOE_GATE_SOFTMAX_BIAS, .renormalize = true,
      .renormalize_add = 1e-20f, .group_count = 8, .top_groups = 4, .group_score = SMOE_GROUP_SCORE_MAX}},
    {"square root",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .gate = SMOE_GATE_SQRT_SOFTPLUS}},
    /* as "gated", and as "gated f16" with limits, but for the weights on the inputs */
    {"weighted",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 1, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .gate = SMOE_GATE_SIGMOID, .weighted_input = true}},
    {"weighted plain",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 1, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .gate = SMOE_GATE_SIGMOID,
      .weighted_input = true, .expert_scale = true}},
    {"latent",
     false,
     {.d_model = 2048, .d_hidden = 1024, .d_latent = 512, .expert_count = 64, .top_k = 8, .max_active = 12,
      .max_tokens = 4096, .activation = SMOE_ACTIVATION_RELU_SQUARED, .shared_hidden = 2048, .renormalize = true}},
    {"latent odd",
     false,
     {.d_model = 2047, .d_hidden = 1023, .d_latent = 511, .expert_count = 31, .top_k = 3, .max_active = 31,
      .max_tokens = 4096, .activation = SMOE_ACTIVATION_RELU_SQUARED}},
    {"mixed f16",
     true,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .gated = true,
      .precision = SMOE_PRECISION_FLOAT16}},
    {"mixed bf16",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16), .gated = true,
      .precision = SMOE_PRECISION_BFLOAT16}},
    {"mixed plain",
     false,
     {.d_model = 384, .d_hidden = 1536, .expert_count = 6, .top_k = 2, .max_active = 3, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .precision = SMOE_PRECISION_FLOAT16}},
    {"mixed odd",
     false,
     {.d_model = 2047, .d_hidden = 1023, .expert_count = 31, .top_k = 3, .max_active = 31, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU_TANH, .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16), .shared_hidden = 17,
      .precision = SMOE_PRECISION_BFLOAT16}},
    {"mixed odd f16",
     false,
     {.d_model = 1023, .d_hidden = 511, .expert_count = 31, .top_k = 3, .max_active = 31, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .gated = true, .shared_hidden = 17,
      .precision = SMOE_PRECISION_FLOAT16}},
    {"mixed scales",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,
      .types = TYPES(MXFP4, Q4, Q8, FP8), .precision = SMOE_PRECISION_FLOAT16}},
    {"other mixed scales",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,
      .types = TYPES(Q4, MXFP4, FP8, Q8), .precision = SMOE_PRECISION_FLOAT16}},
    {"mixed scales bf16",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,
      .types = TYPES(MXFP4, Q4, Q8, FP8), .precision = SMOE_PRECISION_BFLOAT16}},
    {"other mixed scales bf16",
     false,
     {.d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 2048,
      .types = TYPES(Q4, MXFP4, FP8, Q8), .precision = SMOE_PRECISION_BFLOAT16}},
    {"mixed odd scales",
     false,
     {.d_model = 1023, .d_hidden = 511, .expert_count = 31, .top_k = 3, .max_active = 31, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU, .types = SMOE_TYPES(SMOE_TYPE_FP8), .precision = SMOE_PRECISION_FLOAT16}},
    {"mixed plain scales",
     false,
     {.d_model = 480, .d_hidden = 1504, .expert_count = 6, .top_k = 2, .max_active = 3, .max_tokens = 4096,
      .activation = SMOE_ACTIVATION_GELU, .types = {.up = SMOE_TYPE_MXFP4, .down = SMOE_TYPE_Q8},
      .precision = SMOE_PRECISION_FLOAT16}},
    MIXED_TYPES(FLOAT16),
    MIXED_TYPES(BFLOAT16),
};

static void keep_line(void *user, smoe_log_level level, const char *text)
{
    if (level == SMOE_LOG_ERROR)
        snprintf(user, 512, "%s", text);
}

static void print_device(const smoe_device_info *info)
{
    printf("{\"device\": ");
    print_json_string(info->name);
    printf(", \"driver\": ");
    print_json_string(info->driver_name);
    printf(", \"driver_info\": ");
    print_json_string(info->driver_info);
    printf(", \"capabilities\": %u, \"subgroup\": [%u, %u]", info->capabilities, info->subgroup_size_min,
           info->subgroup_size_max);
    printf(", \"invocations\": %u, \"shared_memory\": %u}\n", info->max_workgroup_invocations,
           info->max_shared_memory_size);
    for (int i = 0; i < SMOE_KERNEL_COUNT; i++) {
        const smoe_kernel_row *row = smoe_kernel_row_get((smoe_kernel)i);
        printf("{\"row\": \"%s\", \"missing\": %u, \"embedded\": %s}\n", row->name,
               row->capabilities & ~info->capabilities, row->spirv_size ? "true" : "false");
    }
}

/* Nothing masked, one capability, or all; of --few nothing and all. */
static bool is_masked(uint32_t masked, const char *which)
{
    if (masked == 0 || (masked == SMOE_CAPABILITY_ALL && strcmp(which, "--few") == 0))
        return true;
    return which[0] == '\0' && ((masked & (masked - 1)) == 0 || masked == SMOE_CAPABILITY_ALL);
}

/* tiled: --tile, whose devices should all compile the same; those with matrix units have no tiled kernel for mixed
 * precision. */
static void compile_shapes(const smoe_device *device, bool all, bool tiled, char *line)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        smoe_plan *plan = NULL;
        if ((!all && !shapes[i].first) || (tiled && shapes[i].desc.precision != SMOE_PRECISION_FLOAT32))
            continue;
        line[0] = '\0';
        pipelines_name_shape(shapes[i].name);
        if (smoe_plan_create(smoe_device_context(device), &shapes[i].desc, &plan) != SMOE_SUCCESS) {
            printf("{\"refused\": \"%s\", \"reason\": ", shapes[i].name);
            print_json_string(line);
            printf("}\n");
        }
        smoe_plan_destroy(plan);
    }
}

int main(int argument_count, char **arguments)
{
    char line[512] = "";
    const smoe_log log = {keep_line, line};
    const char *known = NULL, *which = "";
    /* kept to the end: panvk of Mesa 26.1.6 crashes in a device made after another's end */
    smoe_device *devices[MOST_DEVICES];
    uint32_t device_count = 0;
    bool good = true;

    argument_count--;
    arguments++;
    if (argument_count > 1 && strcmp(arguments[0], "--known") == 0) {
        known = arguments[1];
        argument_count -= 2;
        arguments += 2;
    }
    if (argument_count > 0 && strncmp(arguments[0], "--", 2) == 0) {
        which = arguments[0];
        argument_count--;
        arguments++;
    }
    if (strcmp(which, "--tile") == 0 && argument_count-- > 0 && !pipelines_set_tile(*arguments++)) {
        fprintf(stderr, "%s: no tile like 64x64x16:4x4\n", arguments[-1]);
        return 2;
    }
    if (!pipelines_open(known))
        return 2;
    for (uint32_t masked = 0; masked <= SMOE_CAPABILITY_ALL; masked++) {
        smoe_device *device = NULL;
        if (!is_masked(masked, which))
            continue;
        const smoe_device_desc desc = {
            .get_instance_proc_addr = pipelines_get_instance_proc_addr, .masked_capabilities = masked, .log = &log};
        if (smoe_device_create(&desc, &device) != SMOE_SUCCESS) {
            static smoe_device_info info;
            uint32_t count = 1;
            printf("{\"unusable\": ");
            print_json_string(smoe_device_list(NULL, NULL, &count, &info) == SMOE_SUCCESS && count && !info.usable
                                  ? info.reason
                                  : line);
            printf("}\n");
            break;
        }
        if (masked == 0)
            print_device(smoe_context_device_info(smoe_device_context(device)));
        if (strcmp(which, "--none") != 0)
            compile_shapes(device, masked == 0 && which[0] == '\0', strcmp(which, "--tile") == 0, line);
        for (int i = 0; masked == 0 && i < argument_count; i++)
            good = shader_file_compile(device, arguments[i]) && good;
        devices[device_count++] = device;
    }
    while (device_count > 0)
        smoe_device_destroy(devices[--device_count]);
    printf("{\"done\": true}\n");
    return good ? 0 : 1;
}
