/* Selection for devices and layers that nobody has: every description that Vulkan allows above the floor, every plan.
 * Each choice is legal, each pipeline that a token count leads to is made, each buffer is within the limits:
 * tests/common/selection_rules.h. */
#include <stdio.h>
#include <string.h>

#include "common/block_widths.h"
#include "common/cmocka_all.h"
#include "common/random.h"
#include "common/selection_rules.h"
#include "devices.h"

#define TRIES 30000u

#define PICK(random, ...)                                                                                              \
    pick(random, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static uint32_t pick(test_random *random, const uint32_t *values, size_t count)
{
    return values[test_random_below(random, (uint32_t)count)];
}

/* 1 .. most, as many below a hundred as above. */
static uint32_t any_size(test_random *random, uint32_t most)
{
    const uint32_t bits = test_random_below(random, 21);
    const uint32_t value = 1 + test_random_below(random, 1u << bits);
    return value <= most ? value : most;
}

static void random_lanes(test_random *random, smoe_device_info *info)
{
    const uint32_t least = test_random_below(random, 8),
                   more = test_random_below(random, 3) ? 0 : test_random_below(random, 8 - least);
    info->subgroup_size_min = 1u << least;
    info->subgroup_size_max = 1u << (least + more);
    info->subgroup_size = 1u << (least + test_random_below(random, more + 1));
}

static void random_matrices(test_random *random, smoe_device_info *info)
{
    info->matrix_shape_count = test_random_below(random, 5);
    for (uint32_t i = 0; i < info->matrix_shape_count; i++)
        info->matrix_shapes[i] =
            (smoe_matrix_shape){.type = test_random_below(random, 2) ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16,
                                .rows = PICK(random, 1, 7, 8, 16, 32, 64),
                                .columns = PICK(random, 1, 5, 8, 16, 32, 64),
                                .depth = PICK(random, 1, 4, 8, 16, 32, 64)};
}

static smoe_device_info random_device(test_random *random)
{
    smoe_device_info info = {
        .name = "random",
        .vendor_id = PICK(random, 0, 0x1002, 0x10de, 0x13b5, 0x8086, 0x5143),
        .driver_id = test_random_below(random, 30),
        .api_version = VK_API_VERSION_1_1,
        .type = (VkPhysicalDeviceType)test_random_below(random, 5),
        .capabilities = test_random_below(random, SMOE_CAPABILITY_ALL + 1),
        .max_workgroup_invocations = PICK(random, 128, 255, 256, 1024, 2048),
        .max_workgroup_size_x = PICK(random, 128, 256, 1024, UINT32_MAX),
        .max_workgroup_count = {PICK(random, 65535, INT32_MAX, UINT32_MAX), 65535, 65535},
        .max_shared_memory_size = PICK(random, 16384, 16385, 32767, 32768, 49152, 65536, UINT32_MAX),
        .max_stage_storage_buffers = 8,
        .max_storage_buffer_range = 1ull << (17 + test_random_below(random, 20)),
        .min_storage_buffer_offset_alignment = 1ull << test_random_below(random, 9),
        .usable = true,
    };
    random_lanes(random, &info);
    random_matrices(random, &info);
    return info;
}

/* Half of them are made up. The others are those of devices.c, half of these with capabilities masked. */
static smoe_device_info any_device(test_random *random)
{
    if (test_random_below(random, 2))
        return random_device(random);
    smoe_device_info info = test_device(test_random_below(random, TEST_DEVICE_COUNT));
    info.capabilities &=
        test_random_below(random, 2) ? test_random_below(random, SMOE_CAPABILITY_ALL + 1) : SMOE_CAPABILITY_ALL;
    return info;
}

static void any_groups(test_random *random, smoe_plan_desc *desc)
{
    desc->group_count = any_size(random, desc->expert_count);
    while (desc->expert_count % desc->group_count)
        desc->group_count--;
    const uint32_t groups = desc->group_count, size = desc->expert_count / groups;
    const uint32_t least = groups > 1 ? (desc->top_k + size - 1) / size : 0; /* as many hold k experts */
    desc->top_groups = least + test_random_below(random, groups - least + 1);
}

static smoe_type any_type(test_random *random)
{
    return (smoe_type)test_random_below(random, test_type_count());
}

/* Of so many experts that k and A may stay. */
static void any_balanced_groups(test_random *random, smoe_plan_desc *desc)
{
    const uint32_t cap = desc->max_active ? desc->max_active : desc->expert_count;
    uint32_t groups = 1 + test_random_below(random, desc->top_k);
    while (desc->expert_count % groups || desc->top_k % groups || cap % groups)
        groups--;
    desc->balanced_groups = groups;
}

static void any_types(test_random *random, smoe_plan_desc *desc)
{
    const smoe_type all = any_type(random);
    if (test_random_below(random, 2)) {
        desc->types = (smoe_matrix_types)SMOE_TYPES(all);
        const smoe_precision narrow = !smoe_type_has_scales(all)     ? smoe_type_precision(all)
                                      : test_random_below(random, 2) ? SMOE_PRECISION_FLOAT16
                                                                     : SMOE_PRECISION_BFLOAT16;
        desc->precision = test_random_below(random, 2) ? narrow : SMOE_PRECISION_FLOAT32;
    } else {
        desc->types = (smoe_matrix_types){any_type(random), any_type(random), any_type(random),
                                          any_type(random), any_type(random), any_type(random)};
    }
}

/* One of the numbers that 0 switches off, or none. */
static void any_number(test_random *random, smoe_plan_desc *desc)
{
    const smoe_plan_number *number = smoe_plan_number_get(test_random_below(random, SMOE_MAX_PLAN_NUMBERS));
    smoe_plan_desc changed = *desc;
    smoe_plan_number_set(number, &changed, 0.5f + 0.5f * (float)test_random_below(random, 2));
    if (smoe_plan_numbers_check(&changed, NULL) == SMOE_SUCCESS)
        *desc = changed;
}

static smoe_plan_desc any_plan(test_random *random)
{
    uint32_t activations = 0, gates = 0;
    while (smoe_activation_name((smoe_activation)activations))
        activations++;
    while (smoe_gate_name((smoe_gate)gates))
        gates++;
    smoe_plan_desc desc = {
        .d_model = any_size(random, SMOE_MAX_WIDTH),
        .d_hidden = any_size(random, SMOE_MAX_WIDTH),
        .expert_count = any_size(random, SMOE_MAX_EXPERTS),
        .max_tokens = any_size(random, SMOE_MAX_TOKENS),
        .activation = (smoe_activation)test_random_below(random, activations),
        .gate = (smoe_gate)test_random_below(random, gates),
        .gated = test_random_below(random, 2) != 0,
        .renormalize = test_random_below(random, 2) != 0,
    };
    desc.gated |= desc.activation == SMOE_ACTIVATION_SWIGLU_CLAMPED;
    desc.top_k = any_size(random, desc.expert_count);
    desc.max_active =
        test_random_below(random, 2) ? desc.top_k + test_random_below(random, desc.expert_count - desc.top_k + 1) : 0;
    const uint32_t cap = desc.max_active ? desc.max_active : desc.expert_count;
    if (test_random_below(random, 2))
        desc.max_expected_active = desc.top_k + test_random_below(random, cap - desc.top_k + 1);
    any_types(random, &desc);
    if (test_random_below(random, 3) == 0) {
        desc.router = SMOE_ROUTER_COSINE;
        desc.projection_width = any_size(random, SMOE_MAX_WIDTH);
    }
    const uint32_t kind = test_random_below(random, 6);
    if (kind < 2)
        any_groups(random, &desc);
    else if (kind == 2)
        any_balanced_groups(random, &desc);
    desc.group_score = (smoe_group_score)test_random_below(random, 2);
    desc.expert_scale = test_random_below(random, 2) != 0;
    if (desc.renormalize && desc.gate != SMOE_GATE_SOFTMAX)
        *(test_random_below(random, 2) ? &desc.renormalize_floor : &desc.renormalize_add) =
            test_random_below(random, 2) ? 1e-6f : 0;
    if (test_random_below(random, 3) == 0) {
        desc.given_count = desc.top_k + test_random_below(random, cap - desc.top_k + 1);
        desc.given_weights = test_random_below(random, 2) != 0;
    }
    if (test_random_below(random, 3) == 0)
        desc.zero_experts = test_random_below(random, desc.expert_count);
    if (test_random_below(random, 3) == 0)
        desc.min_tokens = test_random_below(random, desc.max_tokens + 1);
    desc.weighted_input = desc.gate == SMOE_GATE_SIGMOID && !desc.renormalize && desc.zero_experts == 0 &&
                          test_random_below(random, 2) != 0;
    if (test_random_below(random, 4) == 0)
        desc.d_latent = any_size(random, SMOE_MAX_WIDTH);
    if (test_random_below(random, 3) == 0) {
        desc.shared_hidden = any_size(random, SMOE_MAX_WIDTH);
        desc.shared_gate = test_random_below(random, 2) != 0;
    }
    any_number(random, &desc);
    test_blocks_fit(&desc.types, TEST_WIDTHS(&desc));
    return desc;
}

static void describe(const smoe_device_info *i, const smoe_plan_desc *d, uint32_t tokens)
{
    print_error("%s: type %d vendor 0x%x driver %u capabilities 0x%x, %u lanes from %u to %u, %u invocations, %u in x, "
                "%u bytes of shared "
                "memory, range %llu, alignment %llu, %u matrices\n",
                i->name, i->type, i->vendor_id, i->driver_id, i->capabilities, i->subgroup_size, i->subgroup_size_min,
                i->subgroup_size_max, i->max_workgroup_invocations, i->max_workgroup_size_x, i->max_shared_memory_size,
                (unsigned long long)i->max_storage_buffer_range,
                (unsigned long long)i->min_storage_buffer_offset_alignment, i->matrix_shape_count);
    print_error("D=%u H=%u L=%u E=%u k=%u A=%u min_tokens=%u max_tokens=%u tokens=%u types=%d %d %d %d %d %d "
                "weighted=%d activation=%d gated=%d router=%d p=%u gate=%d groups=%u/%u/%u shared=%u/%d precision=%d "
                "given=%u/%d "
                "zero_experts=%u\n",
                d->d_model, d->d_hidden, d->d_latent, d->expert_count, d->top_k, d->max_active, d->min_tokens,
                d->max_tokens, tokens, d->types.up, d->types.down, d->types.shared_up, d->types.shared_down,
                d->types.latent_down, d->types.latent_up, d->weighted_input, d->activation, d->gated,
                d->router, d->projection_width, d->gate, d->top_groups, d->group_count, d->balanced_groups,
                d->shared_hidden, d->shared_gate, d->precision, d->given_count, d->given_weights, d->zero_experts);
}

static void test_any_device(void **state)
{
    test_random random = test_random_make(test_seed(), 4);
    uint32_t accepted = 0;
    (void)state;
    print_message("SMOE_TEST_SEED=%llu\n", (unsigned long long)test_seed());
    for (uint32_t i = 0; i < TRIES; i++) {
        const smoe_device_info info = any_device(&random);
        const smoe_plan_desc desc = any_plan(&random);
        const uint32_t least = desc.min_tokens ? desc.min_tokens : 1;
        const uint32_t tokens = least + test_random_below(&random, desc.max_tokens - least + 1);
        smoe_result result;
        const char *rule = test_broken_choice(&info, &desc, tokens, &result);
        if (rule) {
            describe(&info, &desc, tokens);
            fail_msg("SMOE_TEST_SEED=%llu, try %u: broken rule: %s", (unsigned long long)test_seed(), i, rule);
        }
        accepted += result == SMOE_SUCCESS;
    }
    assert_true(accepted > TRIES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_device)};
    return cmocka_run_group_tests_name("selection fuzz", tests, NULL, NULL);
}
