/* smoe_selection_init: what every kernel demands of its constants holds on every device, for every shape and token
 * count. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/selection_rules.h"
#include "devices.h"
#include "domain/selection.h"

/* Every device with every mask gets a thirteenth of the shapes; the next one gets another thirteenth. */
static void test_every_device(void **state)
{
    const uint32_t widths[] = {1, 3, 64, 65, 384, 2048, 65536};
    const uint32_t experts[] = {1, 2, 8, 31, 32, 33, 64, 128, 256, 512, 1024};
    const smoe_host host = {0};
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++)
        for (uint32_t masked = 0; masked <= SMOE_CAPABILITY_ALL; masked++)
            for (uint32_t j = (i + masked) % 13; j < 7 * 11 * 4 && !(masked & ~test_device(i).capabilities); j += 13) {
                smoe_device_info info = test_device(i);
                info.capabilities &= ~masked;
                smoe_plan_desc desc = {
                    .d_model = widths[j % 7],
                    .d_hidden = widths[(j + masked) % 7],
                    .expert_count = experts[j / 7 % 11],
                    .top_k = 1,
                    .max_active = 1,
                    .max_tokens = 5000,
                    .gated = j / 77 % 2 != 0,
                    .types = SMOE_TYPES(j / 154 ? (j % 2 ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16) : SMOE_TYPE_FLOAT32),
                    .router = j % 3 ? SMOE_ROUTER_LINEAR : SMOE_ROUTER_COSINE,
                    .projection_width = j % 3 ? 0 : widths[(j + 3) % 7],
                    .group_count = j % 4 ? 0 : experts[j / 7 % 11],
                    .top_groups = j % 4 || experts[j / 7 % 11] == 1 ? 0 : 1,
                    .shared_hidden = j % 5 ? 0 : widths[(j + 5) % 7],
                    .shared_gate = j % 10 == 0,
                };
                desc.precision = j % 7 < 4 ? smoe_type_precision(desc.types.up) : SMOE_PRECISION_FLOAT32;
                smoe_shape shape;
                if (smoe_shape_init(&host, &info, &desc, &shape))
                    continue; /* beyond the device's range: test_shape's business */
                const char *rule = test_broken_selection(&info, &shape);
                if (rule)
                    fail_msg("rule \"%s\": %s without 0x%x, D=%u H=%u E=%u gated=%d type=%d precision=%d", rule,
                             info.name, masked, desc.d_model, desc.d_hidden, desc.expert_count, desc.gated,
                             desc.types.up, desc.precision);
            }
}

/* ---- policy ------------------------------------------------------------------------------------------------------ */

/* Which table of tiles, and how 32 experts are ranked, by device; in the order of devices.c. */
static const struct {
    const char *device, *tuning, *ranks_by;
} tables[TEST_DEVICE_COUNT] = {
    {"the floor", "small", "rank"},
    {"lavapipe, 4 lanes", "software", "subgroup"},
    {"lavapipe, 8 lanes", "software", "subgroup"},
    {"lavapipe, 16 lanes", "software", "subgroup"},
    {"SwiftShader", "software", "subgroup"},
    {"Intel", "standard", "subgroup"},
    {"NVIDIA", "wide", "subgroup"},
    {"AMD, RDNA", "wide", "subgroup"},
    {"AMD, GCN", "standard", "subgroup"},
    {"Mali", "mali", "rank"},
    {"Adreno", "standard", "subgroup"},
    {"Xe2", "standard", "subgroup"},
    {"NVIDIA, no size control, 16x8x16 alone", "standard", "subgroup"}, /* of no known vendor */
    {"several subgroup sizes, no size control", "standard", "subgroup"},
    {"odd matrices", "standard", "subgroup"},
    {"128 lanes, long matrices", "standard", "subgroup"},
    {"few invocations", "standard", "subgroup"},
    {"matrices on the floor", "small", "subgroup"},
    {"Mali with matrices", "mali", "rank"},
    {"more than 256 outputs", "standard", "subgroup"},
};

static void choose(const smoe_device_info *info, const smoe_plan_desc *desc, uint32_t tokens,
                   smoe_kernel_choice *choices)
{
    char reason[SMOE_REASON_SIZE];
    if (smoe_select_kernels(&(smoe_selection_desc){info, desc, tokens, 0}, choices, reason))
        fail_msg("%s: %s", info->name, reason);
}

static void test_tables(void **state)
{
    const smoe_plan_desc few = {.d_model = 8, .d_hidden = 8, .expert_count = 32, .top_k = 2, .max_tokens = 9};
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++) {
        smoe_device_info info = test_device(i);
        smoe_kernel_choice choices[SMOE_STAGE_COUNT];
        assert_string_equal(info.name, tables[i].device);
        assert_string_equal(smoe_tuning_find(&info)->name, tables[i].tuning);
        choose(&info, &few, 9, choices);
        assert_string_equal(choices[SMOE_STAGE_ROUTE_SELECT].name + strlen("route_select_"), tables[i].ranks_by);
        info.max_workgroup_invocations = 128;
        assert_string_equal(smoe_tuning_find(&info)->name, strcmp(tables[i].tuning, "software") ? "small" : "software");
    }
}

/* From 96 rows per expert on, tiles of 128 columns, unless most of them would idle. */
static void test_widest_tiles(void **state)
{
    const smoe_plan_desc desc = {
        .d_model = 2048, .d_hidden = 1024, .expert_count = 40, .top_k = 2, .max_tokens = 4096, .gated = true};
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++) {
        const smoe_device_info info = test_device(i);
        smoe_kernel_choice choices[SMOE_STAGE_COUNT];
        if (strcmp(tables[i].tuning, "wide") != 0)
            continue;
        choose(&info, &desc, 20 * 96, choices);
        assert_int_equal(choices[SMOE_STAGE_EXPERT_DOWN].tile_columns, 128);
        assert_int_equal(choices[SMOE_STAGE_EXPERT_UP].tile_columns, 64);    /* of two matrices */
        /* most of 128 would idle with 40 experts */
        assert_int_equal(choices[SMOE_STAGE_ROUTE_LOGITS].tile_columns, 64);
        choose(&info, &desc, 20 * 96 - 1, choices);
        assert_int_equal(choices[SMOE_STAGE_EXPERT_DOWN].tile_columns, 64);
    }
}

/* No subgroup operations where nobody knows how few lanes there may be: whatever else the device is, the kernels of the
 * floor. */
static void test_unknown_lanes(void **state)
{
    const smoe_plan_desc desc = {.d_model = 512, .d_hidden = 256, .expert_count = 64, .top_k = 2, .max_tokens = 900,
                                 .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .precision = SMOE_PRECISION_FLOAT16};
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++)
        for (uint32_t tokens = 1; tokens <= 900; tokens *= 30) {
            smoe_device_info unknown = test_device(i), without = unknown;
            smoe_kernel_choice choices[2][SMOE_STAGE_COUNT];
            unknown.capabilities &= ~(uint32_t)SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL;
            unknown.subgroup_size_min = 1;
            without.capabilities = 0;
            choose(&unknown, &desc, tokens, choices[0]);
            choose(&without, &desc, tokens, choices[1]);
            for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++)
                assert_string_equal(choices[0][stage].name, choices[1][stage].name);
        }
}

static bool same_choice(const smoe_kernel_choice *a, const smoe_kernel_choice *b)
{
    return strcmp(a->name, b->name) == 0 && a->workgroup_size == b->workgroup_size &&
           a->subgroup_size == b->subgroup_size && a->tile_rows == b->tile_rows && a->tile_columns == b->tile_columns &&
           a->tile_depth == b->tile_depth && a->shared_memory_size == b->shared_memory_size;
}

static bool follows_expectation(smoe_stage stage)
{
    return stage == SMOE_STAGE_SORT || stage == SMOE_STAGE_EXPERT_UP || stage == SMOE_STAGE_EXPERT_DOWN;
}

/* For the experts, kernels are those of a layer whose k is what is expected; for the rest, its own. True where the
 * experts have other ones than without. */
static bool check_expectation(const smoe_device_info *info, const smoe_plan_desc *plan, uint32_t tokens,
                              uint32_t expected)
{
    smoe_kernel_choice own[SMOE_STAGE_COUNT], got[SMOE_STAGE_COUNT], want[SMOE_STAGE_COUNT];
    smoe_plan_desc as_k = *plan;
    bool other = false;
    as_k.top_k = expected;
    choose(info, plan, tokens, own);
    choose(info, &as_k, tokens, want);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, plan, tokens, expected}, got, NULL),
                     SMOE_SUCCESS);
    for (smoe_stage i = 0; i < SMOE_STAGE_COUNT; i++) {
        assert_true(same_choice(&got[i], follows_expectation(i) ? &want[i] : &own[i]));
        other = other || !same_choice(&got[i], &own[i]);
    }
    return other;
}

static void init_selection(const smoe_device_info *info, const smoe_plan_desc *plan, smoe_selection *out)
{
    const smoe_host host = {0};
    smoe_shape shape;
    assert_int_equal(smoe_shape_init(&host, info, plan, &shape), SMOE_SUCCESS);
    smoe_selection_init(info, &shape, out);
}

/* A plan has pipelines for k and for what may be expected, and for nothing else. */
static void check_used(const smoe_device_info *info, const smoe_plan_desc *plan)
{
    smoe_selection none, all, one;
    smoe_plan_desc other = *plan;
    uint32_t used[SMOE_STEP_COUNT] = {0};
    init_selection(info, plan, &all);
    for (other.top_k = plan->top_k; other.top_k <= plan->max_expected_active; other.top_k++) {
        other.max_expected_active = other.top_k;
        init_selection(info, &other, &one);
        for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
            used[step] |= one.used[step];
    }
    assert_memory_equal(all.used, used, sizeof used);
    other = *plan;
    other.max_expected_active = 0;
    init_selection(info, &other, &none);
    other.max_expected_active = other.top_k;
    init_selection(info, &other, &one);
    assert_memory_equal(none.used, one.used, sizeof none.used);
}

static void test_expected_active(void **state)
{
    const uint32_t tokens[] = {1, 5, 33, 200, 512};
    smoe_plan_desc plan = {.d_model = 64,
                           .d_hidden = 64,
                           .expert_count = 64,
                           .top_k = 2,
                           .max_active = 12,
                           .max_expected_active = 12,
                           .max_tokens = 512,
                           .shared_hidden = 64};
    uint32_t others = 0;
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++) {
        const smoe_device_info info = test_device(i);
        for (size_t j = 0; j < sizeof tokens / sizeof *tokens; j++) {
            for (uint32_t expected = 2; expected <= 12; expected++)
                others += check_expectation(&info, &plan, tokens[j], expected);
            plan.min_tokens = plan.max_tokens = tokens[j];
            check_used(&info, &plan);
            plan.min_tokens = 1;
            plan.max_tokens = 512;
        }
        assert_false(check_expectation(&info, &plan, 33, 2));
    }
    assert_true(others > 0);
}

static bool is_latent(int stage)
{
    return stage == SMOE_STAGE_LATENT_DOWN || stage == SMOE_STAGE_LATENT_SUM || stage == SMOE_STAGE_LATENT_UP;
}

static void test_public_errors(void **state)
{
    (void)state;
    smoe_device_info info = test_device(0);
    const smoe_plan_desc desc = {.d_model = 8, .d_hidden = 8, .expert_count = 4, .top_k = 2, .max_tokens = 9};
    smoe_plan_desc wrong = desc;
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, NULL), SMOE_SUCCESS);
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        assert_int_equal(choices[i].name[0] == '\0',
                         i == SMOE_STAGE_ROUTE_PROJECT || i == SMOE_STAGE_ROUTE_GROUP || is_latent(i));
    smoe_plan_desc every = desc;
    every.router = SMOE_ROUTER_COSINE;
    every.projection_width = 3;
    every.group_count = 2;
    every.top_groups = 1;
    every.d_latent = 4;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &every, 9, 0}, choices, NULL), SMOE_SUCCESS);
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        assert_true(choices[i].name[0] != '\0');
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){NULL, &desc, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "info"));
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, NULL, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "desc"));
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, NULL, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "choices"));
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 0, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 10, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "token_count"));
    wrong.top_k = 5;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &wrong, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "top_k"));
    info.usable = false;
    snprintf(info.reason, sizeof info.reason, "too old");
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason),
                     SMOE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(reason, "too old"));
}

/* A description may come from anywhere: each broken field is refused by its name, or its limit is, and nothing is
 * divided by it. */
static void test_impossible_devices(void **state)
{
    const smoe_plan_desc desc = {.d_model = 8, .d_hidden = 8, .expert_count = 4, .top_k = 2, .max_tokens = 9};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    (void)state;
#define REFUSED(change, result, text)                                                                                  \
    do {                                                                                                               \
        smoe_device_info info = test_device(7);                                                                        \
        change;                                                                                                        \
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason), result);    \
        if (strncmp(reason, "info", 4) != 0 || !strstr(reason, text))                                                  \
            fail_msg("\"%s\" does not say %s", reason, text);                                                          \
    } while (0)
#define IMPOSSIBLE(field, value) REFUSED(info.field = (value), SMOE_ERROR_INVALID_ARGUMENT, "." #field ": ")
#define TOO_LITTLE(field, value, text) REFUSED(info.field = (value), SMOE_ERROR_UNSUPPORTED, text)
    IMPOSSIBLE(subgroup_size, 0);
    IMPOSSIBLE(subgroup_size, 48);
    IMPOSSIBLE(subgroup_size, 16);
    IMPOSSIBLE(subgroup_size_min, 0);
    IMPOSSIBLE(subgroup_size_min, 128);
    IMPOSSIBLE(subgroup_size_max, 0);
    IMPOSSIBLE(subgroup_size_max, 256);
    IMPOSSIBLE(subgroup_size_max, UINT32_MAX);
    IMPOSSIBLE(capabilities, UINT32_MAX);
    IMPOSSIBLE(max_storage_buffer_range, 0);
    IMPOSSIBLE(min_storage_buffer_offset_alignment, 0);
    IMPOSSIBLE(min_storage_buffer_offset_alignment, 24);
    IMPOSSIBLE(min_storage_buffer_offset_alignment, 1ull << 40);
    IMPOSSIBLE(timestamp_period, -1.0f);
    IMPOSSIBLE(timestamp_period, 0.0f / 0.0f);
    REFUSED(info.max_workgroup_count[2] = 0, SMOE_ERROR_INVALID_ARGUMENT, ".max_workgroup_count: ");
    REFUSED(memset(info.name, 'A', sizeof info.name), SMOE_ERROR_INVALID_ARGUMENT, ".name: ");
    REFUSED(memset(info.driver_info, 'A', sizeof info.driver_info), SMOE_ERROR_INVALID_ARGUMENT, ".driver_info: ");
    REFUSED((memset(info.reason, 'A', sizeof info.reason), info.usable = false), SMOE_ERROR_INVALID_ARGUMENT,
            ".reason: ");
    TOO_LITTLE(max_workgroup_invocations, 127, "127 invocations");
    TOO_LITTLE(max_workgroup_size_x, 64, "64 invocations");
    TOO_LITTLE(max_shared_memory_size, 16383, "shared memory");
    TOO_LITTLE(max_stage_storage_buffers, 7, "storage buffers");
#undef REFUSED
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_device),      cmocka_unit_test(test_tables),
                                       cmocka_unit_test(test_widest_tiles),      cmocka_unit_test(test_unknown_lanes),
                                       cmocka_unit_test(test_expected_active),   cmocka_unit_test(test_public_errors),
                                       cmocka_unit_test(test_impossible_devices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
