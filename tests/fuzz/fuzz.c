#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { MOST_TEXT = 2048 };

void fuzz_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

static void count_line(void *user, smoe_log_level level, const char *text)
{
    fuzz_lines *lines = user;
    char copy[MOST_TEXT];
    const size_t length = strlen(text);
    FUZZ_EXPECT(length > 0 && length < sizeof copy);
    memcpy(copy, text, length + 1);
    FUZZ_EXPECT(smoe_text_clean(copy, ' '));
    lines->errors += level == SMOE_LOG_ERROR;
    lines->others += level != SMOE_LOG_ERROR;
}

smoe_log fuzz_log(fuzz_lines *lines)
{
    *lines = (fuzz_lines){0, 0};
    return (smoe_log){count_line, lines};
}

void fuzz_expect_told(const fuzz_lines *lines, smoe_result result)
{
    FUZZ_EXPECT(lines->errors == (result != SMOE_SUCCESS));
}

/* By pieces: a loop over bytes would be most of what fuzzers trace. */
void fuzz_read(const void *data, uint64_t size)
{
    static volatile unsigned char seen;
    unsigned char piece[4096];
    for (uint64_t at = 0; at < size; at += sizeof piece) {
        const uint64_t count = size - at < sizeof piece ? size - at : sizeof piece;
        memcpy(piece, (const unsigned char *)data + at, count);
        seen = piece[count - 1];
    }
    (void)seen;
}

/* A device without limits worth the name. */
static smoe_device_info large_device(void)
{
    return (smoe_device_info){.api_version = VK_API_VERSION_1_1,
                              .subgroup_size = 1,
                              .subgroup_size_min = 1,
                              .subgroup_size_max = 1,
                              .max_workgroup_invocations = 1024,
                              .max_workgroup_size_x = 1024,
                              .max_workgroup_count = {65535, 65535, 65535},
                              .max_shared_memory_size = 1u << 16,
                              .max_stage_storage_buffers = 8,
                              .max_storage_buffer_range = UINT64_C(1) << 40,
                              .min_storage_buffer_offset_alignment = 16,
                              .usable = true};
}

void fuzz_expect_layer(const smoe_plan_desc *plan, const smoe_forward_params *params, const smoe_host_weights *weights)
{
    const smoe_device_info info = large_device();
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    smoe_layer_tensor tensor;
    FUZZ_EXPECT(smoe_host_weights_check(plan, weights, NULL) == SMOE_SUCCESS);
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++) {
        const smoe_host_weight array = smoe_host_weights_get(weights, &tensor);
        FUZZ_EXPECT(array.data || tensor.presence != SMOE_PRESENCE_REQUIRED);
        if (array.data)
            fuzz_read(array.data, smoe_layer_tensor_size(&tensor, array.type, tensor.shape[0]));
    }
    const smoe_forward_number *number;
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++)
        FUZZ_EXPECT(smoe_forward_number_allows(number, smoe_forward_number_value(number, params)) ||
                    (number->groups && plan->group_count < 2));
    const smoe_selection_desc desc = {&info, plan, plan->max_tokens, 0};
    FUZZ_EXPECT(smoe_select_kernels(&desc, choices, NULL) == SMOE_SUCCESS);
}

bool fuzz_read_checkpoint(const smoe_checkpoint *checkpoint, uint32_t layer, const smoe_checkpoint_options *options,
                          fuzz_lines *lines)
{
    smoe_checkpoint_layer *read;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    lines->errors = 0;
    const smoe_result result = smoe_checkpoint_read(checkpoint, layer, options, &read);
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_FILE || result == SMOE_ERROR_UNSUPPORTED ||
                result == SMOE_ERROR_INVALID_ARGUMENT);
    FUZZ_EXPECT(!read == (result != SMOE_SUCCESS));
    fuzz_expect_told(lines, result);
    if (result != SMOE_SUCCESS)
        return false;
    FUZZ_EXPECT(smoe_checkpoint_layer_get(read, &plan, &params, &weights) == SMOE_SUCCESS);
    fuzz_expect_layer(&plan, &params, &weights);
    smoe_checkpoint_layer_destroy(read);
    return true;
}
