/* Devices and plans of any numbers, as an app may give them to what chooses kernels: the numbers, then the strings,
 * each up to a zero byte. */
#include "fuzz_selection.h"

#include <stdlib.h>
#include <string.h>

#include "common/selection_rules.h"
#include "fuzz.h"
#include "smoe/capability_file.h"

typedef struct subject {
    smoe_device_info info;
    smoe_plan_desc plan;
    uint32_t token_count, expected_active;
} subject;

typedef struct field {
    size_t offset, size;
    bool truth; /* a bool, which has two values */
} field;

#define NUMBER(member)                                                                                                 \
    {                                                                                                                  \
        offsetof(subject, member), sizeof(((subject *)0)->member), false                                               \
    }
#define TRUTH(member)                                                                                                  \
    {                                                                                                                  \
        offsetof(subject, member), sizeof(bool), true                                                                  \
    }

/* A number of several members is as many bytes: all machines that run fuzzers have their lowest first. */
static const field numbers[] = {
    NUMBER(info.vendor_id),
    NUMBER(info.device_id),
    NUMBER(info.driver_id),
    NUMBER(info.driver_version),
    NUMBER(info.api_version),
    NUMBER(info.type),
    NUMBER(info.capabilities),
    NUMBER(info.subgroup_size),
    NUMBER(info.subgroup_size_min),
    NUMBER(info.subgroup_size_max),
    NUMBER(info.max_workgroup_invocations),
    NUMBER(info.max_workgroup_size_x),
    NUMBER(info.max_workgroup_count),
    NUMBER(info.max_shared_memory_size),
    NUMBER(info.max_stage_storage_buffers),
    NUMBER(info.max_storage_buffer_range),
    NUMBER(info.min_storage_buffer_offset_alignment),
    NUMBER(info.max_allocation_size),
    NUMBER(info.device_memory_size),
    NUMBER(info.timestamp_period),
    NUMBER(info.matrix_shape_count),
    TRUTH(info.usable),
    NUMBER(plan.d_model),
    NUMBER(plan.d_hidden),
    NUMBER(plan.expert_count),
    NUMBER(plan.top_k),
    NUMBER(plan.max_active),
    NUMBER(plan.max_tokens),
    NUMBER(plan.min_tokens),
    NUMBER(plan.router),
    NUMBER(plan.gate),
    NUMBER(plan.activation),
    NUMBER(plan.types),
    TRUTH(plan.gated),
    TRUTH(plan.renormalize),
    NUMBER(plan.projection_width),
    NUMBER(plan.group_count),
    NUMBER(plan.top_groups),
    NUMBER(plan.shared_hidden),
    TRUTH(plan.shared_gate),
    NUMBER(plan.precision),
    NUMBER(token_count),
    NUMBER(info.matrix_shapes[0]),
    NUMBER(info.matrix_shapes[1]),
    NUMBER(info.matrix_shapes[2]),
    NUMBER(plan.max_expected_active),
    NUMBER(expected_active),
    NUMBER(plan.gate_max),
    NUMBER(plan.up_limit),
    NUMBER(plan.gate_limit_after),
    NUMBER(plan.gate_alpha),
    NUMBER(plan.up_offset),
    NUMBER(plan.shared_gate_max),
    NUMBER(plan.shared_up_limit),
    NUMBER(plan.shared_gate_limit_after),
    NUMBER(plan.renormalize_floor),
    NUMBER(plan.renormalize_add),
    TRUTH(plan.expert_scale),
    NUMBER(plan.group_score),
    NUMBER(plan.balanced_groups),
    TRUTH(plan.weighted_input),
    NUMBER(plan.d_latent),
    NUMBER(plan.given_count),
    TRUTH(plan.given_weights),
    NUMBER(plan.zero_experts),
};
static const field strings[] = {NUMBER(info.name), NUMBER(info.driver_name), NUMBER(info.driver_info),
                                NUMBER(info.reason)};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Where the input ends, zeros follow. A string that fills its array has no end. */
static void decode(const uint8_t *data, size_t size, subject *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < COUNT(numbers) && size > 0; i++) {
        unsigned char *at = (unsigned char *)out + numbers[i].offset;
        const size_t used = numbers[i].size < size ? numbers[i].size : size;
        if (numbers[i].truth)
            *(bool *)at = data[0] & 1;
        else
            memcpy(at, data, used);
        data += used;
        size -= used;
    }
    for (size_t i = 0; i < COUNT(strings) && size > 0; i++) {
        const uint8_t *end = memchr(data, '\0', size);
        const size_t length = end ? (size_t)(end - data) : size;
        memcpy((unsigned char *)out + strings[i].offset, data, length < strings[i].size ? length : strings[i].size);
        data += end ? length + 1 : length;
        size -= end ? length + 1 : length;
    }
}

size_t fuzz_selection_input(const smoe_device_info *info, const smoe_plan_desc *plan, uint32_t token_count,
                            unsigned char input[FUZZ_SELECTION_SIZE])
{
    const subject from = {*info, *plan, token_count, 0};
    size_t size = 0;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        memcpy(input + size, (const unsigned char *)&from + numbers[i].offset, numbers[i].size);
        size += numbers[i].size;
    }
    for (size_t i = 0; i < COUNT(strings); i++) {
        const char *text = (const char *)&from + strings[i].offset;
        memcpy(input + size, text, strlen(text) + 1);
        size += strlen(text) + 1;
    }
    return size;
}

static bool strings_end(const subject *s)
{
    bool all = true;
    for (size_t i = 0; i < COUNT(strings); i++)
        all &= memchr((const unsigned char *)s + strings[i].offset, '\0', strings[i].size) != NULL;
    return all;
}

static void expect_told(smoe_result result, const char *reason)
{
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_INVALID_ARGUMENT || result == SMOE_ERROR_UNSUPPORTED);
    FUZZ_EXPECT(memchr(reason, '\0', SMOE_REASON_SIZE) && !reason[0] == (result == SMOE_SUCCESS));
}

/* What else takes such structs. */
static void use(const subject *s)
{
    const smoe_host_weights none = {0};
    char reason[SMOE_REASON_SIZE];
    smoe_layer_tensor tensor;
    smoe_device_info again;
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    size_t size;
    for (uint32_t i = 0; smoe_layer_tensor_get(&s->plan, i, &tensor); i++)
        FUZZ_EXPECT(i < SMOE_MAX_LAYER_TENSORS);
    smoe_host_weights_check(&s->plan, &none, reason);
    if (!strings_end(s))
        return;
    for (uint32_t i = 0; smoe_device_quirk(&s->info, i); i++)
        FUZZ_EXPECT(i < 100);
    if (smoe_capability_file_text(&s->info, &log, &size, NULL) != SMOE_SUCCESS)
        return;
    char *text = malloc(size);
    FUZZ_EXPECT(text && smoe_capability_file_text(&s->info, &log, &size, text) == SMOE_SUCCESS);
    smoe_capability_file_parse(text, size, "FILE", NULL, &log, &again);
    free(text);
}

bool fuzz_selection(const uint8_t *data, size_t size)
{
    static subject s;
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    uint32_t range_count, range_experts;
    decode(data, size, &s);
    const smoe_selection_desc desc = {&s.info, &s.plan, s.token_count, s.expected_active};
    const smoe_result result = smoe_select_kernels(&desc, choices, reason);
    expect_told(result, reason);
    const smoe_result ranges = smoe_select_ranges(&desc, &range_count, &range_experts, reason);
    expect_told(ranges, reason);
    FUZZ_EXPECT(ranges == result || result == SMOE_ERROR_INVALID_ARGUMENT); /* of the counts of the forward */
    use(&s);
    if (result != SMOE_SUCCESS)
        return false;
    FUZZ_EXPECT((uint64_t)range_count * range_experts >= s.plan.expert_count);
    smoe_result same;
    const char *rule = test_broken_choice(&s.info, &s.plan, s.token_count, &same);
    if (rule)
        fuzz_broken(__FILE__, __LINE__, rule);
    FUZZ_EXPECT(same == SMOE_SUCCESS);
    return true;
}
