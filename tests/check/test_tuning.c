/* Every tile of the tuning table's rows for vendors, on the device at hand, which acts as theirs; with enough rows per
 * expert to reach each regime. */
#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"
#include "domain/tuning.h"

static const struct {
    uint32_t vendor;
    const char *tuning;
} vendors[] = {{0x10de, "wide"}, {0x13b5, "mali"}, {0x8086, "standard"}};

/* Odd widths and whole ones, gated and not, every weight type: the tile of the most rows, then those of fewer. */
static const layer_case cases[] = {
    {.name = "most rows", .tokens = 263, .d_model = 100, .d_hidden = 132, .expert_count = 2, .top_k = 1,
     .max_active = 2, .eps = 0.1f, .activation = SMOE_ACTIVATION_SILU, .gated = true, .biases = BIAS_ALL},
    {.name = "most rows, odd", .tokens = 257, .d_model = 65, .d_hidden = 131, .expert_count = 3, .top_k = 2,
     .activation = SMOE_ACTIVATION_GELU, .weight_type = SMOE_TYPE_FLOAT16, .biases = BIAS_2},
    {.name = "most rows, gated", .tokens = 200, .d_model = 136, .d_hidden = 64, .expert_count = 2, .top_k = 1,
     .activation = SMOE_ACTIVATION_SILU, .gated = true, .weight_type = SMOE_TYPE_BFLOAT16},
    {.name = "a high tile", .tokens = 61, .d_model = 72, .d_hidden = 67, .expert_count = 1, .top_k = 1,
     .activation = SMOE_ACTIVATION_RELU},
    {.name = "a low tile", .tokens = 30, .d_model = 72, .d_hidden = 67, .expert_count = 1, .top_k = 1, .gated = true,
     .activation = SMOE_ACTIVATION_SILU, .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "fewer than a tile", .tokens = 3, .d_model = 72, .d_hidden = 67, .expert_count = 1, .top_k = 1,
     .activation = SMOE_ACTIVATION_RELU, .weight_type = SMOE_TYPE_FLOAT16},
    {.name = "a small tile", .tokens = 11, .d_model = 72, .d_hidden = 67, .expert_count = 1, .top_k = 1,
     .activation = SMOE_ACTIVATION_RELU},
};

/* With limits that leave the real device's. */
static smoe_device_info device_of(uint32_t vendor)
{
    return (smoe_device_info){
        .name = "a device of that vendor",
        .vendor_id = vendor,
        .type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU,
        .api_version = VK_API_VERSION_1_1,
        .capabilities = SMOE_CAPABILITY_ALL,
        .subgroup_size = 32,
        .subgroup_size_min = 32,
        .subgroup_size_max = 32,
        .max_workgroup_invocations = 1024,
        .max_workgroup_size_x = 1024,
        .max_workgroup_count = {65535, 65535, 65535},
        .max_shared_memory_size = 32768,
        .max_stage_storage_buffers = 8,
        .max_storage_buffer_range = 1u << 27,
        .min_storage_buffer_offset_alignment = 256,
        .usable = true,
    };
}

/* Sees to it that the rows of the table lead to every regime. */
static void mark_regimes(const smoe_device_info *info, const layer_case *shape, bool *reached)
{
    const smoe_tuning *tuning = smoe_tuning_find(info);
    const smoe_plan_desc desc = {.d_model = shape->d_model, .d_hidden = shape->d_hidden,
                                 .expert_count = shape->expert_count, .top_k = shape->top_k,
                                 .max_tokens = shape->tokens, .gated = shape->gated, .activation = shape->activation,
                                 .types = SMOE_TYPES(shape->weight_type)};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];

    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &desc, shape->tokens, 0}, choices, NULL),
                     SMOE_SUCCESS);
    for (int i = 0; i < SMOE_REGIME_COUNT; i++)
        reached[i] |= tuning->regimes[i].rows == choices[SMOE_STAGE_EXPERT_DOWN].tile_rows &&
                      (tuning->regimes[i].matmul != SMOE_MATMUL_TILED ||
                       tuning->regimes[i].columns == choices[SMOE_STAGE_EXPERT_DOWN].tile_columns);
}

static void test_vendors(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof vendors / sizeof *vendors; v++) {
        test_device device;
        check_tally tally = {0};
        bool reached[SMOE_REGIME_COUNT] = {true}; /* the first is for a row or less per expert: test_masked runs it */
        uint32_t failed = 0;

        const smoe_device_info as = device_of(vendors[v].vendor);
        assert_true(test_device_open_as(&device, &as));
        const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device.device));
        const smoe_tuning *tuning = smoe_tuning_find(info);
        assert_string_equal(tuning->name, vendors[v].tuning);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            failed += !check_case(device.device, &cases[i], test_seed(), &tally);
            mark_regimes(info, &cases[i], reached);
        }
        for (int i = 0; i < SMOE_REGIME_COUNT; i++)
            assert_true(reached[i] || tuning->regimes[i].rows == 0);
        assert_int_equal(failed, 0);
        assert_true(test_device_is_quiet(&device));
        assert_true(test_device_close(&device));
    }
}

/* With so many experts the regime of the widest tiles begins beyond 65,536 tokens. Its pipelines are there, and a
 * forward that binds them is recorded. It is run with everything only: so many tokens take about 20 seconds of
 * processor time. */
static void test_late_regime(void **state)
{
    static const layer_case late = {.name = "96 rows each", .tokens = 65568, .d_model = 4, .d_hidden = 4,
                                    .expert_count = 683, .top_k = 1, .max_active = 1,
                                    .activation = SMOE_ACTIVATION_RELU};
    const smoe_device_info as = device_of(0x10de);
    test_device device;
    test_gpu gpu;
    case_data data;
    stage_run run;
    (void)state;
    assert_true(test_device_open_as(&device, &as));
    plan_keeper keeper = {.context = smoe_device_context(device.device)};
    assert_true(test_gpu_open(&gpu, device.device));
    assert_true(case_data_create(&data, &late, test_seed()));
    assert_true(stage_run_prepare(&run, &gpu, &keeper, &data));
    assert_true(test_gpu_begin(&gpu));
    assert_int_equal(smoe_forward(gpu.commands, run.layer, run.binding, &data.params, NULL), SMOE_SUCCESS);
    stage_run_destroy(&run, &gpu);
    case_data_destroy(&data);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
    if (test_everything())
        assert_true(check_case(device.device, &late, test_seed(), NULL));
    assert_true(test_device_is_quiet(&device));
    assert_true(test_device_close(&device));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vendors), cmocka_unit_test(test_late_regime)};

    return cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
}
