/* Every wrong argument of the functions of smoe.h up to the plan. */
#include <math.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "refusal.h"

static void *const garbage = (void *)(uintptr_t)8; /* what an output must not keep */

static void test_texts(void **state)
{
    (void)state;
    for (int result = 0; result >= SMOE_ERROR_FILE; result--) {
        assert_string_not_equal(smoe_result_text((smoe_result)result), "");
        assert_string_not_equal(smoe_result_text((smoe_result)result), "unknown result");
    }
    assert_string_equal(smoe_result_text((smoe_result)1), "unknown result");
    assert_string_equal(smoe_result_text((smoe_result)(SMOE_ERROR_FILE - 1)), "unknown result");
    static const char *const stages[SMOE_STAGE_COUNT] = {"route_project", "route_logits", "route_group", "route_select",
                                                         "totals",        "sort",         "latent_down", "expert_up",
                                                         "expert_down",   "latent_sum",   "latent_up",   "combine"};
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++)
        assert_string_equal(smoe_stage_name((smoe_stage)stage), stages[stage]);
    assert_string_equal(smoe_stage_name(SMOE_STAGE_COUNT), "unknown");
    assert_string_equal(smoe_stage_name((smoe_stage)-1), "unknown");
}

static void test_features(void **state)
{
    uint32_t count = 99;

    (void)state;
    assert_int_equal(smoe_recommended_features()->sType, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2);
    const char *const *names = smoe_recommended_extensions(&count);
    for (uint32_t i = 0; i < count; i++)
        assert_memory_equal(names[i], "VK_", 3);
    assert_int_equal(count, 3);
    smoe_recommended_extensions(NULL);
}

static void test_device_info(void **state)
{
    const test_device *device = *state;
    smoe_device_handles h;
    smoe_device_info info;

    assert_int_equal(smoe_device_get_handles(device->device, &h), SMOE_SUCCESS);
    const PFN_vkGetInstanceProcAddr load = h.get_instance_proc_addr;
    assert_int_equal(smoe_physical_device_info(load, h.instance, VK_API_VERSION_1_1, h.physical_device, 0, &info),
                     SMOE_SUCCESS);
    assert_true(info.usable);
    assert_string_equal(info.reason, "");
    const smoe_result refused = SMOE_ERROR_INVALID_ARGUMENT;
    assert_int_equal(smoe_physical_device_info(NULL, h.instance, VK_API_VERSION_1_1, h.physical_device, 0, &info),
                     refused);
    assert_int_equal(smoe_physical_device_info(load, NULL, VK_API_VERSION_1_1, h.physical_device, 0, &info), refused);
    assert_int_equal(smoe_physical_device_info(load, h.instance, VK_API_VERSION_1_1, NULL, 0, &info), refused);
    assert_int_equal(smoe_physical_device_info(load, h.instance, VK_API_VERSION_1_1, h.physical_device, 0, NULL),
                     refused);
    assert_int_equal(
        smoe_physical_device_info(load, h.instance, VK_API_VERSION_1_1, h.physical_device, 1u << 31, &info), refused);
    assert_int_equal(smoe_physical_device_info(load, h.instance, 0, h.physical_device, 0, &info), SMOE_SUCCESS);
    assert_false(info.usable);
    assert_string_not_equal(info.reason, "");
}

#define CONTEXT_REFUSED(field, value, name)                      \
    do {                                                         \
        smoe_context_desc bad = good;                            \
        smoe_context *out = garbage;                             \
        bad.field = value;                                       \
        REFUSED(&record, name, smoe_context_create(&bad, &out)); \
        assert_null(out);                                        \
    } while (0)

static void *half_allocate(void *user, size_t size)
{
    (void)user;
    (void)size;
    return NULL;
}

static void test_context(void **state)
{
    static const smoe_allocator half = {.allocate = half_allocate};
    const test_device *device = *state;
    test_record record;
    smoe_context *context = garbage;

    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const smoe_context_desc good = plain_context_desc(device->device, &log);
    CONTEXT_REFUSED(get_instance_proc_addr, NULL, "get_instance_proc_addr");
    CONTEXT_REFUSED(instance, VK_NULL_HANDLE, "instance");
    CONTEXT_REFUSED(physical_device, VK_NULL_HANDLE, "physical_device");
    CONTEXT_REFUSED(device, VK_NULL_HANDLE, "device");
    CONTEXT_REFUSED(enabled_extension_count, 1, "enabled_extensions");
    CONTEXT_REFUSED(masked_capabilities, 1u << 31, "masked_capabilities");
    CONTEXT_REFUSED(pipeline_cache_size, 16, "pipeline_cache");
    CONTEXT_REFUSED(allocator, &half, "allocator");
    REFUSED(&record, NULL, smoe_context_create(NULL, &context));
    assert_null(context);
    REFUSED(&record, "out", smoe_context_create(&good, NULL));

    const char *const no_name = NULL;
    smoe_context_desc bad = good;
    bad.enabled_extensions = &no_name;
    bad.enabled_extension_count = 1;
    context = garbage;
    REFUSED(&record, "enabled_extensions", smoe_context_create(&bad, &context));
    assert_null(context);

    bad = good;
    bad.api_version = 0;
    context = garbage;
    REFUSED_AS(&record, SMOE_ERROR_UNSUPPORTED, "Vulkan", smoe_context_create(&bad, &context));
    assert_null(context);

    smoe_context_destroy(NULL);
    assert_null(smoe_context_device_info(NULL));
}

/* Each of the two structs that have them, alone. */
static void test_memory_model(void **state)
{
    const test_device *device = *state;
    VkPhysicalDeviceVulkan12Features core = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkanMemoryModelFeatures model = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};
    VkPhysicalDeviceFeatures2 chain = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    test_record record;

    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_context_desc desc = plain_context_desc(device->device, &log);
    desc.enabled_features = &chain;
    for (uint32_t i = 0; i < 8; i++) {
        const VkBool32 enabled = i & 1, scope = i >> 1 & 1;
        smoe_context *context = garbage;
        chain.pNext = i < 4 ? (void *)&core : (void *)&model;
        core.vulkanMemoryModel = model.vulkanMemoryModel = enabled;
        core.vulkanMemoryModelDeviceScope = model.vulkanMemoryModelDeviceScope = scope;
        if (enabled && !scope) {
            REFUSED(&record, "enabled_features: vulkanMemoryModel ", smoe_context_create(&desc, &context));
            assert_null(context);
        } else {
            assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
            smoe_context_destroy(context);
        }
    }
}

static void test_pipeline_cache(void **state)
{
    const test_device *device = *state;
    test_record record;
    smoe_context *context;
    size_t size = 0, small;

    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const smoe_context_desc desc = plain_context_desc(device->device, &log);
    assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
    REFUSED(&record, NULL, smoe_context_pipeline_cache(NULL, &size, NULL));
    REFUSED(&record, "size", smoe_context_pipeline_cache(context, NULL, NULL));
    assert_int_equal(smoe_context_pipeline_cache(context, &size, NULL), SMOE_SUCCESS);
    assert_true(size > 0);
    unsigned char *data = test_malloc(size);
    small = size - 1;
    REFUSED(&record, "size", smoe_context_pipeline_cache(context, &small, data));
    smoe_context_destroy(context);
    test_free(data);
}

#define MOST_BAD_PLANS 96

typedef struct bad_plan {
    smoe_plan_desc desc;
    const char *name;
} bad_plan;

/* Writes every way of breaking one rule of smoe_plan_desc; returns how many. */
static uint32_t bad_plans(bad_plan *bad)
{
    const smoe_plan_desc plain = plain_plan_desc();
    smoe_plan_desc good = plain;
    uint32_t count = 0;

#define BAD_PLAN(field, value) bad[count] = (bad_plan){good, "plan desc." #field}, bad[count++].desc.field = value
    BAD_PLAN(d_model, 0);
    BAD_PLAN(d_model, SMOE_MAX_WIDTH + 1);
    BAD_PLAN(d_hidden, 0);
    BAD_PLAN(d_hidden, SMOE_MAX_WIDTH + 1);
    BAD_PLAN(expert_count, 0);
    BAD_PLAN(expert_count, SMOE_MAX_EXPERTS + 1);
    BAD_PLAN(top_k, 0);
    BAD_PLAN(top_k, good.expert_count + 1);
    BAD_PLAN(max_active, good.top_k - 1);
    BAD_PLAN(max_active, good.expert_count + 1);
    BAD_PLAN(max_expected_active, good.top_k - 1);
    BAD_PLAN(max_expected_active, good.max_active + 1);
    BAD_PLAN(max_tokens, 0);
    BAD_PLAN(max_tokens, SMOE_MAX_TOKENS + 1);
    BAD_PLAN(max_tokens, UINT32_MAX);
    BAD_PLAN(min_tokens, 10);
    BAD_PLAN(min_tokens, UINT32_MAX);
    BAD_PLAN(router, (smoe_router)99);
    BAD_PLAN(router, (smoe_router)-1);
    BAD_PLAN(gate, (smoe_gate)99);
    BAD_PLAN(gate, (smoe_gate)-1);
    BAD_PLAN(activation, (smoe_activation)99);
    BAD_PLAN(activation, (smoe_activation)-1);
    BAD_PLAN(types.up, (smoe_type)99);
    BAD_PLAN(types.up, (smoe_type)-1);
    BAD_PLAN(types.down, (smoe_type)99);
    BAD_PLAN(precision, SMOE_PRECISION_FLOAT16);
    BAD_PLAN(projection_width, 1); /* the router is linear */
    BAD_PLAN(group_count, 4);      /* of 6 experts */
    BAD_PLAN(group_count, 12);
    BAD_PLAN(group_count, UINT32_MAX);
    BAD_PLAN(top_groups, 1);
    BAD_PLAN(top_groups, UINT32_MAX);
    BAD_PLAN(group_score, (smoe_group_score)99);
    BAD_PLAN(group_score, (smoe_group_score)-1);
    BAD_PLAN(renormalize_floor, 0.5f); /* the gate is softmax */
    BAD_PLAN(renormalize_add, 0.5f);
    BAD_PLAN(weighted_input, true); /* the gate is softmax */
    BAD_PLAN(d_latent, SMOE_MAX_WIDTH + 1);
    BAD_PLAN(balanced_groups, 4); /* of 6 experts */
    BAD_PLAN(balanced_groups, 6); /* k is 2 */
    BAD_PLAN(balanced_groups, UINT32_MAX);
    BAD_PLAN(given_count, 1); /* k is 2 */
    BAD_PLAN(given_count, good.max_active + 1);
    BAD_PLAN(given_count, UINT32_MAX);
    BAD_PLAN(given_weights, true); /* of no given ids */
    BAD_PLAN(zero_experts, good.expert_count);
    BAD_PLAN(zero_experts, UINT32_MAX);
    BAD_PLAN(shared_hidden, SMOE_MAX_WIDTH + 1);
    BAD_PLAN(shared_hidden, UINT32_MAX);
    BAD_PLAN(shared_gate, true); /* of no shared expert */
    BAD_PLAN(gate_max, -1);
    BAD_PLAN(up_limit, INFINITY);
    BAD_PLAN(gate_limit_after, NAN);
    BAD_PLAN(gate_alpha, 2); /* the activation is not silu */
    BAD_PLAN(up_offset, 2e30f);
    BAD_PLAN(shared_up_limit, 1); /* of no shared expert */
    good.activation = SMOE_ACTIVATION_SWIGLU_CLAMPED;
    BAD_PLAN(gate_max, 7);
    good = plain;
    good.gated = false;
    BAD_PLAN(activation, SMOE_ACTIVATION_SWIGLU_CLAMPED);
    BAD_PLAN(gate_limit_after, 1);
    good = plain;
    good.router = SMOE_ROUTER_COSINE;
    BAD_PLAN(projection_width, 0);
    BAD_PLAN(projection_width, SMOE_MAX_WIDTH + 1);
    good = plain;
    good.group_count = 1;
    BAD_PLAN(top_groups, 2);
    good.group_count = 3;
    BAD_PLAN(top_groups, 0);
    BAD_PLAN(top_groups, 4);
    good.group_count = 6;
    BAD_PLAN(top_groups, 1); /* holds one expert, and k is 2 */
    good = plain;
    good.gate = SMOE_GATE_SIGMOID;
    BAD_PLAN(weighted_input, true); /* renormalised */
    BAD_PLAN(renormalize_floor, -1.0f);
    BAD_PLAN(renormalize_floor, 1e-31f);
    BAD_PLAN(renormalize_floor, NAN);
    BAD_PLAN(renormalize_add, 1.1e30f);
    BAD_PLAN(renormalize_add, INFINITY);
    good.renormalize_floor = 1;
    BAD_PLAN(renormalize_add, 1.0f); /* both */
    BAD_PLAN(renormalize, false);
    good = plain;
    good.max_active = 3;
    BAD_PLAN(balanced_groups, 2);
    good = plain;
    good.group_count = good.top_groups = 2;
    BAD_PLAN(balanced_groups, 2);
    assert_in_range(count, 1, MOST_BAD_PLANS);
    return count;
}

static void test_select_kernels(void **state)
{
    const test_device *device = *state;
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device->device));
    const smoe_plan_desc good = plain_plan_desc();
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE] = "";
    bad_plan bad[MOST_BAD_PLANS];
    const uint32_t count = bad_plans(bad);

    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &good, good.max_tokens, 0}, choices, NULL),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){NULL, &good, 1, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "info"));
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, NULL, 1, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "desc"));
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &good, 1, 0}, NULL, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "choices"));
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &good, 0, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "token_count"));
    const smoe_selection_desc more = {info, &good, good.max_tokens + 1, 0};
    assert_int_equal(smoe_select_kernels(&more, choices, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "token_count"));
    smoe_plan_desc wide = good;
    wide.max_expected_active = 3;
    const uint32_t unexpected[] = {1, 4};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &wide, 1, unexpected[i]}, choices, reason),
                         SMOE_ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(reason, "expected_active"));
    }
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &wide, 1, 3}, choices, NULL), SMOE_SUCCESS);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &bad[i].desc, 1, 0}, choices, reason),
                         SMOE_ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(reason, bad[i].name));
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &bad[i].desc, 1, 0}, choices, NULL),
                         SMOE_ERROR_INVALID_ARGUMENT);
    }
    uint32_t ranges = 7, experts = 7;
    const smoe_selection_desc right = {info, &good, 0, 0};
    assert_int_equal(smoe_select_ranges(&right, &ranges, &experts, reason), SMOE_SUCCESS);
    assert_true(ranges == 1 && experts == good.expert_count && reason[0] == '\0');
    assert_int_equal(smoe_select_ranges(NULL, &ranges, &experts, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "desc"));
    assert_int_equal(smoe_select_ranges(&right, NULL, &experts, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "range_count"));
    assert_int_equal(smoe_select_ranges(&right, &ranges, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_select_ranges(&(smoe_selection_desc){info, &bad[0].desc, 0, 0}, &ranges, &experts, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_true(ranges == 0 && experts == 0 && strstr(reason, bad[0].name));
    smoe_device_info unusable = *info;
    unusable.usable = false;
    strcpy(unusable.reason, "of its colour");
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&unusable, &good, 1, 0}, choices, reason),
                     SMOE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(reason, "of its colour"));
}

/* Legal shapes that a device with 128 MiB ranges cannot serve. */
static void refuse_beyond_limits(const smoe_device_info *info, const smoe_context *context, test_record *record)
{
    const smoe_plan_desc large[] = {
        /* one expert's matrix */
        {.d_model = 65536, .d_hidden = 1024, .expert_count = 2, .top_k = 1, .max_tokens = 1},
        /* the router */
        {.d_model = 65536, .d_hidden = 1, .expert_count = 1024, .top_k = 1, .max_active = 1, .max_tokens = 1},
        /* the rows of one token */
        {.d_model = 1, .d_hidden = 65536, .expert_count = 1024, .top_k = 1024, .max_tokens = 1},
        {.d_model = 65536, .d_hidden = 1, .expert_count = 2, .top_k = 1, .max_tokens = 1, .router = SMOE_ROUTER_COSINE,
         .projection_width = 1024}, /* the projection */
        {.d_model = 1, .d_hidden = 1, .expert_count = 1024, .top_k = 1, .max_active = 1, .max_tokens = 1,
         .router = SMOE_ROUTER_COSINE,
         .projection_width = 65536}, /* the similarity matrix */
        {.d_model = 65536, .d_hidden = 1, .expert_count = 2, .top_k = 1, .max_tokens = 1, .shared_hidden = 1024},
    };

    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        smoe_device_info small = *info;
        smoe_kernel_choice choices[SMOE_STAGE_COUNT];
        char reason[SMOE_REASON_SIZE] = "";
        small.max_storage_buffer_range = 134217728;
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&small, &large[i], 1, 0}, choices, reason),
                         SMOE_ERROR_UNSUPPORTED);
        assert_non_null(strstr(reason, "maxStorageBufferRange"));
        smoe_plan *plan = garbage;
        if (info->max_storage_buffer_range == 134217728) {
            REFUSED_AS(record, SMOE_ERROR_UNSUPPORTED, "maxStorageBufferRange",
                       smoe_plan_create(context, &large[i], &plan));
            assert_null(plan);
        }
    }
}

static void test_plan(void **state)
{
    const test_device *device = *state;
    smoe_plan_desc good = plain_plan_desc();
    test_record record;
    smoe_context *context;
    bad_plan bad[MOST_BAD_PLANS];
    const uint32_t count = bad_plans(bad);

    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const smoe_context_desc desc = plain_context_desc(device->device, &log);
    assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
    for (uint32_t i = 0; i < count; i++) {
        smoe_plan *out = garbage;
        REFUSED(&record, bad[i].name, smoe_plan_create(context, &bad[i].desc, &out));
        assert_null(out);
    }
    smoe_plan *plan = garbage;
    REFUSED(&record, NULL, smoe_plan_create(NULL, &good, &plan));
    assert_null(plan);
    plan = garbage;
    REFUSED(&record, "desc", smoe_plan_create(context, NULL, &plan));
    assert_null(plan);
    REFUSED(&record, "out", smoe_plan_create(context, &good, NULL));
    refuse_beyond_limits(smoe_context_device_info(context), context, &record);

    good.max_active = 0;
    assert_int_equal(smoe_plan_create(context, &good, &plan), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_get_desc(plan)->max_active, good.expert_count);
    assert_true(smoe_plan_workspace_size(plan) > 0);
    assert_int_equal(smoe_plan_report_size(plan, 3), 3 * 4 * SMOE_REPORT_STRIDE(good.expert_count));
    assert_int_equal(smoe_plan_report_size(plan, 0), 0);
    assert_int_equal(smoe_plan_totals_size(plan), 4 * SMOE_TOTALS_WORDS(good.expert_count));
    smoe_plan_destroy(plan);
    smoe_plan_destroy(NULL);
    assert_null(smoe_plan_get_desc(NULL));
    assert_int_equal(smoe_plan_workspace_size(NULL), 0);
    assert_int_equal(smoe_plan_report_size(NULL, 7), 0);
    assert_int_equal(smoe_plan_totals_size(NULL), 0);
    smoe_context_destroy(context);
}

/* ---- totals ------------------------------------------------------------------------------------------------------ */

enum { EXPERTS = 3, WORDS = SMOE_TOTALS_WORDS(EXPERTS) };

/* A count whose words are all different. */
static uint64_t count_at(uint32_t word)
{
    return (uint64_t)(word + 7) << 32 | (UINT32_MAX - word);
}

static void test_totals_read(void **state)
{
    uint32_t words[WORDS];
    uint64_t expert_tokens[EXPERTS + 1];
    smoe_totals totals;

    (void)state;
    for (uint32_t i = 0; i < WORDS; i += 2) {
        words[i] = (uint32_t)count_at(i);
        words[i + 1] = (uint32_t)(count_at(i) >> 32);
    }
    words[SMOE_TOTALS_MAX_ACTIVE + 1] = 0;
    expert_tokens[EXPERTS] = 77; /* not to be touched */
    assert_int_equal(smoe_totals_read(NULL, EXPERTS, &totals, expert_tokens), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_totals_read(words, EXPERTS, NULL, expert_tokens), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_totals_read(words, 0, &totals, expert_tokens), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_totals_read(words, SMOE_MAX_EXPERTS + 1, &totals, expert_tokens),
                     SMOE_ERROR_INVALID_ARGUMENT);
    for (int with_experts = 0; with_experts < 2; with_experts++) {
        memset(&totals, 0xa5, sizeof totals);
        assert_int_equal(smoe_totals_read(words, EXPERTS, &totals, with_experts ? expert_tokens : NULL), SMOE_SUCCESS);
        assert_true(totals.tokens == count_at(SMOE_TOTALS_TOKENS));
        assert_true(totals.active == count_at(SMOE_TOTALS_ACTIVE));
        assert_true(totals.capped == count_at(SMOE_TOTALS_CAPPED));
        assert_true(totals.nonfinite == count_at(SMOE_TOTALS_NONFINITE));
        assert_true(totals.group_ties == count_at(SMOE_TOTALS_GROUP_TIES));
        assert_int_equal(totals.max_active, words[SMOE_TOTALS_MAX_ACTIVE]);
        for (uint32_t i = 0; i < SMOE_TOTALS_ORDER_COUNT; i++)
            assert_true(totals.order[i] == count_at(SMOE_TOTALS_ORDER + 2 * i));
        for (uint32_t i = 0; i < SMOE_TOTALS_GAP_COUNT; i++)
            assert_true(totals.gap[i] == count_at(SMOE_TOTALS_GAP + 2 * i));
    }
    for (uint32_t i = 0; i < EXPERTS; i++)
        assert_true(expert_tokens[i] == count_at(SMOE_TOTALS_EXPERTS + 2 * i));
    assert_true(expert_tokens[EXPERTS] == 77);
}

static void test_gap_edges(void **state)
{
    (void)state;
    assert_true(smoe_totals_gap_edge(0) == 0);
    for (uint32_t bin = 1; bin < SMOE_TOTALS_GAP_COUNT; bin++)
        assert_true(smoe_totals_gap_edge(bin) == (float)pow(2, (bin - 1) / 4.0 - 24));
    assert_true(smoe_totals_gap_edge(SMOE_TOTALS_GAP_COUNT - 1) == 256);
    assert_true(smoe_totals_gap_edge(SMOE_TOTALS_GAP_COUNT) == INFINITY);
    assert_true(smoe_totals_gap_edge(UINT32_MAX) == INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_features),
        cmocka_unit_test_teardown(test_device_info, test_device_check),
        cmocka_unit_test_teardown(test_context, test_device_check),
        cmocka_unit_test_teardown(test_memory_model, test_device_check),
        cmocka_unit_test_teardown(test_pipeline_cache, test_device_check),
        cmocka_unit_test_teardown(test_select_kernels, test_device_check),
        cmocka_unit_test_teardown(test_plan, test_device_check),
        cmocka_unit_test(test_totals_read),
        cmocka_unit_test(test_gap_edges),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("arguments", tests, test_device_setup, test_device_teardown);
}
