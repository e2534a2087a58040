/* Selection on real devices, as their drivers describe them: the rules that hold for every device, and what is known of
 * each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/device_files.h"
#include "common/selection_rules.h"
#include "layers.h"

#define ALL SMOE_CAPABILITY_ALL
#define NO_SIZE_CONTROL (ALL & ~SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL)
#define MIB (1ull << 20)
#define CPU VK_PHYSICAL_DEVICE_TYPE_CPU
#define INTEGRATED VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
#define DISCRETE VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU

/* What the hardware and its driver are: a file that says otherwise is damaged, or of another device. */
static const struct {
    const char *name;
    VkPhysicalDeviceType type;
    uint32_t vendor_id, lanes_min, lanes_max, capabilities, shared_memory;
    uint64_t range_mib;
} known[] = {
    {"anv_bmg", DISCRETE, 0x8086, 16, 32, ALL, 49152, 4096},
    {"anv_dg2", DISCRETE, 0x8086, 8, 32, ALL, 49152, 4096},
    {"anv_lnl", INTEGRATED, 0x8086, 16, 32, ALL, 49152, 2048},
    {"anv_skl", INTEGRATED, 0x8086, 8, 32, ALL, 49152, 2048},
    {"anv_tgl", INTEGRATED, 0x8086, 8, 32, ALL, 49152, 2048},
    {"lavapipe_22", CPU, 0x10005, 8, 8, ALL, 32768, 128},
    {"lavapipe_26", CPU, 0x10005, 8, 8, ALL, 32768, 128},
    {"nvk_124", DISCRETE, 0x10de, 32, 32, NO_SIZE_CONTROL, 49152, 2048},
    {"nvk_140", DISCRETE, 0x10de, 32, 32, NO_SIZE_CONTROL, 49152, 2048},
    {"nvk_162", DISCRETE, 0x10de, 32, 32, NO_SIZE_CONTROL, 49152, 2048},
    {"nvk_172", DISCRETE, 0x10de, 32, 32, NO_SIZE_CONTROL, 49152, 2048},
    {"panvk_g310", INTEGRATED, 0x13b5, 16, 16, ALL, 32768, 4096},
    {"panvk_g610", INTEGRATED, 0x13b5, 16, 16, ALL, 32768, 4096},
    {"radv_gfx1201", DISCRETE, 0x1002, 32, 64, ALL, 65536, 4096},
    {"radv_navi10", DISCRETE, 0x1002, 32, 64, ALL, 65536, 4096},
    {"radv_navi21", DISCRETE, 0x1002, 32, 64, ALL, 65536, 4096},
    {"radv_navi31", DISCRETE, 0x1002, 32, 64, ALL, 65536, 4096},
    {"radv_polaris10", DISCRETE, 0x1002, 64, 64, NO_SIZE_CONTROL, 65536, 4096},
    {"radv_vega10", DISCRETE, 0x1002, 64, 64, NO_SIZE_CONTROL, 65536, 4096},
    {"swiftshader", CPU, 0x1ae0, 4, 4, ALL, 32768, 1024},
    {"turnip_a618", INTEGRATED, 0x5143, 64, 128, ALL, 32768, 128},
    {"turnip_a660", INTEGRATED, 0x5143, 64, 128, ALL, 32768, 128},
    {"turnip_a730", INTEGRATED, 0x5143, 64, 128, ALL, 32768, 128},
    {"turnip_a750", INTEGRATED, 0x5143, 64, 128, ALL, 32768, 128},
};

static device_file files[DEVICE_FILES_MOST];
static uint32_t file_count;

static const smoe_device_info *find(const char *name)
{
    for (uint32_t i = 0; i < file_count; i++)
        if (strcmp(files[i].name, name) == 0)
            return &files[i].info;
    fail_msg("%s/%s.json is missing", DEVICE_FILES_FOLDER, name);
    return NULL;
}

static void test_known_devices(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const smoe_device_info *info = find(known[i].name);
        /* later capabilities, of which this table does not know, may be there or not */
        if (!info->usable || info->type != known[i].type || info->vendor_id != known[i].vendor_id ||
            info->subgroup_size_min != known[i].lanes_min || info->subgroup_size_max != known[i].lanes_max ||
            (info->capabilities & 0xf) != (known[i].capabilities & 0xf) ||
            info->max_shared_memory_size != known[i].shared_memory ||
            (info->max_storage_buffer_range + 1) / MIB != known[i].range_mib)
            fail_msg("%s/%s.json is not that device", DEVICE_FILES_FOLDER, known[i].name);
    }
    assert_int_equal(file_count, sizeof known / sizeof known[0] + 1);
    const smoe_device_info *old = find("panvk_g52"); /* Vulkan 1.0 */
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    assert_false(old->usable);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){old, &device_layers[0].plan, 1, 0}, choices, reason),
                     SMOE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(reason, "1.1 is needed"));
}

static void test_files_are_as_written(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < file_count; i++) {
        char path[320];
        size_t size, again_size = 0;
        snprintf(path, sizeof path, "%s/%s.json", DEVICE_FILES_FOLDER, files[i].name);
        char *text = device_files_text(path, &size);
        assert_int_equal(smoe_capability_file_text(&files[i].info, NULL, &again_size, NULL), SMOE_SUCCESS);
        char *again = malloc(again_size);
        assert_non_null(again);
        assert_int_equal(smoe_capability_file_text(&files[i].info, NULL, &again_size, again), SMOE_SUCCESS);
        if (again_size != size || memcmp(text, again, size) != 0)
            fail_msg("%s: read and written again it is another", path);
        free(text);
        free(again);
    }
}

static uint32_t check(const device_file *file, const smoe_device_info *info, const smoe_plan_desc *plan)
{
    const smoe_host host = {0};
    smoe_shape shape;
    if (smoe_shape_init(&host, info, plan, &shape))
        return 0;
    const char *rule = test_broken_shape(info, plan, &shape);
    if (!rule)
        rule = test_broken_selection(info, &shape);
    if (rule)
        fail_msg("rule \"%s\": %s with capabilities 0x%x, D=%u H=%u E=%u k=%u", rule, file->name, info->capabilities,
                 plan->d_model, plan->d_hidden, plan->expert_count, plan->top_k);
    return 1;
}

static void test_rules(void **state)
{
    const uint32_t widths[] = {1, 65, 768, 2880, 7168}, experts[] = {1, 7, 64, 257, 1024};
    (void)state;
    for (uint32_t i = 0; i < file_count; i++) {
        uint32_t checked = 0;
        for (uint32_t masked = 0; files[i].info.usable && masked <= SMOE_CAPABILITY_ALL;
             masked = masked ? 2 * masked : 1) {
            smoe_device_info info = files[i].info;
            info.capabilities &= ~masked;
            for (uint32_t k = 0; k < device_layer_count; k++)
                checked += check(&files[i], &info, &device_layers[k].plan);
            for (uint32_t k = 0; k < 50; k++)
                checked += check(&files[i], &info,
                                 &(smoe_plan_desc){.d_model = widths[k % 5],
                                                   .d_hidden = widths[(k + masked) % 5],
                                                   .expert_count = experts[k / 5 % 5],
                                                   .top_k = 1,
                                                   .max_active = 1,
                                                   .max_tokens = 700,
                                                   .gated = k % 2 != 0,
                                                   .types = SMOE_TYPES((smoe_type)(k % 3))});
            for (uint32_t k = 0; smoe_type_name((smoe_type)k); k++) /* blocks divide these widths */
                checked += check(&files[i], &info,
                                 &(smoe_plan_desc){.d_model = 2880,
                                                   .d_hidden = 96 + 32 * k,
                                                   .expert_count = experts[k % 5],
                                                   .top_k = 1,
                                                   .max_active = 1,
                                                   .max_tokens = 700,
                                                   .gated = k % 2 != 0,
                                                   .types = SMOE_TYPES((smoe_type)k)});
        }
        assert_true(!files[i].info.usable || checked >= 250); /* most of them fit every device */
    }
}

/* 128 MiB of weights per range: Mixtral's experts of 112 MiB go one by one there, and in one range where 4 GiB are
 * bound at once. */
static void test_ranges(void **state)
{
    const smoe_host host = {0};
    const smoe_plan_desc *mixtral = &device_layers[4].plan;
    smoe_shape shape;
    (void)state;
    assert_int_equal(smoe_shape_init(&host, find("turnip_a618"), mixtral, &shape), SMOE_SUCCESS);
    assert_int_equal(shape.range_count, 8);
    assert_int_equal(smoe_shape_init(&host, find("anv_lnl"), mixtral, &shape), SMOE_SUCCESS);
    assert_int_equal(shape.range_count, 1);
    smoe_plan_desc wide = *mixtral;
    wide.types = (smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_FLOAT32); /* 224 MiB each */
    assert_int_equal(smoe_shape_init(&host, find("turnip_a618"), &wide, &shape), SMOE_ERROR_UNSUPPORTED);
    assert_int_equal(smoe_shape_init(&host, find("panvk_g610"), &wide, &shape), SMOE_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_devices),
        cmocka_unit_test(test_files_are_as_written),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_ranges),
    };
    file_count = device_files_read(files);
    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
