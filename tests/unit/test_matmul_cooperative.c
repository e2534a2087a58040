/* Mixed precision as pure functions: which of a device's shapes of matrices is taken, what is made of it, and where
 * none is. In a build without the kernels too: they are asked for by configuration. */
#include <string.h>

#include "common/block_widths.h"
#include "common/cmocka_all.h"
#include "common/selection_rules.h"
#include "devices.h"
#include "domain/selection.h"

/* The shape that a device's float16 and bfloat16 plans take; 0 rows: none. Every device of devices.c. */
static const struct {
    const char *name;
    smoe_matrix_shape half, bfloat;
} expected[] = {
    {"the floor", {0}, {0}},
    {"lavapipe, 4 lanes", {SMOE_TYPE_FLOAT16, 8, 8, 8}, {0}},
    {"lavapipe, 8 lanes", {SMOE_TYPE_FLOAT16, 8, 8, 8}, {0}},
    {"lavapipe, 16 lanes", {SMOE_TYPE_FLOAT16, 8, 8, 8}, {0}},
    {"SwiftShader", {0}, {0}},
    {"Intel", {SMOE_TYPE_FLOAT16, 8, 8, 16}, {SMOE_TYPE_BFLOAT16, 8, 8, 16}},
    {"NVIDIA", {SMOE_TYPE_FLOAT16, 16, 16, 16}, {0}},
    {"AMD, RDNA", {SMOE_TYPE_FLOAT16, 16, 16, 16}, {SMOE_TYPE_BFLOAT16, 16, 16, 16}},
    {"AMD, GCN", {0}, {0}},
    {"Mali", {0}, {0}},
    {"Adreno", {0}, {0}},
    {"Xe2", {SMOE_TYPE_FLOAT16, 8, 16, 16}, {SMOE_TYPE_BFLOAT16, 8, 16, 16}},
    {"NVIDIA, no size control, 16x8x16 alone", {SMOE_TYPE_FLOAT16, 16, 8, 16}, {0}},
    {"several subgroup sizes, no size control", {0}, {0}},
    {"odd matrices", {0}, {0}},
    {"128 lanes, long matrices", {SMOE_TYPE_FLOAT16, 32, 8, 32}, {0}},
    {"few invocations", {SMOE_TYPE_FLOAT16, 8, 32, 16}, {SMOE_TYPE_BFLOAT16, 16, 16, 32}},
    {"matrices on the floor", {0}, {0}},
    {"Mali with matrices", {SMOE_TYPE_FLOAT16, 16, 16, 16}, {0}},
    {"more than 256 outputs", {0}, {0}},
};

static smoe_matrix_shape taken(const smoe_device_info *info, smoe_type type)
{
    const smoe_precision precision = smoe_type_precision(type);
    const smoe_matrix_shape *shape =
        smoe_cooperative_fits(info, precision) ? smoe_cooperative_shape(info, precision) : NULL;
    return shape ? *shape : (smoe_matrix_shape){0};
}

static bool same(smoe_matrix_shape a, smoe_matrix_shape b)
{
    return a.type == b.type && a.rows == b.rows && a.columns == b.columns && a.depth == b.depth;
}

static void test_shapes(void **state)
{
    (void)state;
    assert_int_equal(sizeof expected / sizeof expected[0], TEST_DEVICE_COUNT);
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++) {
        const smoe_device_info info = test_device(i);
        assert_string_equal(info.name, expected[i].name);
        if (!same(taken(&info, SMOE_TYPE_FLOAT16), expected[i].half) ||
            !same(taken(&info, SMOE_TYPE_BFLOAT16), expected[i].bfloat))
            fail_msg("%s: another shape is taken", info.name);
        assert_null(smoe_cooperative_shape(&info, SMOE_PRECISION_FLOAT32));
    }
}

/* The order in which a driver lists its shapes decides only between equal ones. */
static void test_order_of_shapes(void **state)
{
    smoe_device_info info = test_device(6);
    (void)state;
    const smoe_matrix_shape first = info.matrix_shapes[0];
    info.matrix_shapes[0] = info.matrix_shapes[1];
    info.matrix_shapes[1] = first;
    assert_true(same(taken(&info, SMOE_TYPE_FLOAT16), expected[6].half));
    info.matrix_shapes[0] = (smoe_matrix_shape){SMOE_TYPE_FLOAT16, 32, 8, 16};
    info.matrix_shapes[1] = expected[6].half;
    assert_int_equal(taken(&info, SMOE_TYPE_FLOAT16).rows, 32);
}

/* Not of whole tiles, where the type's blocks let it be. */
static uint32_t odd_depth(smoe_type type)
{
    return smoe_weights_size(type, 1, 1, 1023) > 0 ? 1023 : smoe_weights_size(type, 1, 1, 992) > 0 ? 992 : 768;
}

static smoe_matmul_stage stage_of(smoe_precision precision, smoe_type type, bool up, bool gated, bool aligned)
{
    return (smoe_matmul_stage){
        .kernels = up ? &smoe_expert_up_kernels : &smoe_expert_down_kernels,
        .depth = aligned ? 1024 : odd_depth(type),
        .type = type,
        .precision = precision,
        .gated = gated,
    };
}

/* One configuration. k: a bit each for expert_up, gated and rows that are whole tiles. */
static void check_configuration(const smoe_device_info *info, const smoe_tile *tile, smoe_precision precision,
                                smoe_type type, uint32_t k)
{
    const smoe_kernel float16[] = {SMOE_KERNEL_expert_down_cooperative, SMOE_KERNEL_expert_up_cooperative};
    const smoe_kernel bfloat16[] = {SMOE_KERNEL_expert_down_cooperative_bfloat16,
                                    SMOE_KERNEL_expert_up_cooperative_bfloat16};
    const bool up = k % 2 != 0, gated = k / 2 % 2 != 0 && up, aligned = k / 4 != 0;
    const smoe_matmul_stage stage = stage_of(precision, type, up, gated, aligned);
    const smoe_kernel_config config = smoe_matmul_config(info, tile, &stage);
    const smoe_matmul_stage other =
        stage_of(precision, smoe_type_has_scales(type) ? SMOE_TYPE_Q8 : type, !up, false, aligned);
    const char *rule = test_broken_cooperative(info, &config, smoe_matmul_matrices(&stage));
    if (rule)
        fail_msg("rule \"%s\": %s, %u lanes, %s, tile of %u rows, %s, gated %d", rule, info->name,
                 info->subgroup_size_min, smoe_type_name(type), tile->rows, up ? "up" : "down", gated);
    assert_int_equal(config.kernel, precision == SMOE_PRECISION_FLOAT16 ? float16[up] : bfloat16[up]);
    assert_int_equal(config.weight_type, type);
    /* sort has one height */
    assert_int_equal(config.tile_rows, smoe_matmul_config(info, tile, &other).tile_rows);
}

/* Every tile of the table on every device and shape, as it is and with every other number of lanes, with every type of
 * weights. */
static void test_configurations(void **state)
{
    const smoe_tuning *tuning = smoe_tuning_cooperative();
    uint32_t checked = 0;
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++)
        for (uint32_t lanes = 1; lanes <= 128; lanes *= 2)
            for (uint32_t k = 0; k < 16 * SMOE_REGIME_COUNT * test_type_count(); k++) {
                const smoe_tile *tile = &tuning->regimes[k / 16 % SMOE_REGIME_COUNT];
                const smoe_type type = (smoe_type)(k / 16 / SMOE_REGIME_COUNT);
                const smoe_precision precision = k % 2 ? SMOE_PRECISION_BFLOAT16 : SMOE_PRECISION_FLOAT16;
                smoe_device_info info = test_device(i);
                if (lanes > 1) /* 1: the device's own */
                    info.subgroup_size = info.subgroup_size_min = info.subgroup_size_max = lanes;
                if (tile->rows == 0 || tile->matmul != SMOE_MATMUL_COOPERATIVE ||
                    !smoe_cooperative_fits(&info, precision) || !smoe_precision_takes(precision, type))
                    continue;
                check_configuration(&info, tile, precision, type, k / 2 % 8);
                checked++;
            }
    assert_true(checked > 2500);
}

/* What scons drivers finds: DG2, of 8 lanes, has registers for half of what Xe2, of 16, holds. */
static void test_narrow_subgroups(void **state)
{
    const smoe_tile *tile = smoe_tuning_cooperative()->regimes;
    (void)state;
    while (tile->rows != 32)
        tile++;
    for (uint32_t k = 0; k < 2; k++) {
        smoe_device_info info = test_device(5);
        assert_string_equal(info.name, "Intel");
        const smoe_matmul_stage stage = stage_of(SMOE_PRECISION_FLOAT16, SMOE_TYPE_FLOAT16, false, false, k != 0);
        info.subgroup_size = info.subgroup_size_min = info.subgroup_size_max = 8;
        const smoe_kernel_config small = smoe_matmul_config(&info, tile, &stage);
        info.subgroup_size = info.subgroup_size_min = info.subgroup_size_max = 16;
        const smoe_kernel_config large = smoe_matmul_config(&info, tile, &stage);
        assert_true(small.thread_rows * small.thread_columns / 8 <= 16);
        assert_true(large.thread_rows * large.thread_columns / 16 <= 32);
        assert_true(small.thread_rows * small.thread_columns < large.thread_rows * large.thread_columns);
    }
}

static bool is_cooperative(const smoe_kernel_choice *choice)
{
    return strstr(choice->name, "_cooperative") != NULL;
}

/* What smoe_select_kernels names: the cooperative kernels where both the device and this build have them, else those of
 * the plan without mixed precision, and the router's in any case. */
static void test_choices(void **state)
{
    const uint32_t tokens[] = {1, 12, 30, 512}; /* a quarter, 3, 7.5 and 128 rows per expert */
    smoe_kernel_choice plain[SMOE_STAGE_COUNT], mixed[SMOE_STAGE_COUNT];
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++)
        for (uint32_t k = 0; k < 32; k++) { /* the second half: weights with scales */
            smoe_device_info info = test_device(i);
            const smoe_type narrow = k % 2 ? SMOE_TYPE_BFLOAT16 : SMOE_TYPE_FLOAT16;
            smoe_plan_desc desc = {.d_model = 512, .d_hidden = 224, .expert_count = 8, .top_k = 2, .max_active = 3,
                                   .max_tokens = 512, .gated = true,
                                   .types = SMOE_TYPES(k / 16 ? SMOE_TYPE_MXFP4 : narrow)};
            const uint32_t needs =
                SMOE_CAPABILITY_COOPERATIVE_MATRIX | (k % 2 ? SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16 : 0u);
            if (k / 8 % 2)
                info.capabilities &= ~needs;
            const bool built = smoe_kernel_row_get(k % 2 ? SMOE_KERNEL_expert_up_cooperative_bfloat16
                                                         : SMOE_KERNEL_expert_up_cooperative)->spirv_size > 0;
            const bool expects = built && k / 8 % 2 == 0 && k / 2 % 4 > 1 && taken(&info, narrow).rows > 0 &&
                                 info.type != VK_PHYSICAL_DEVICE_TYPE_CPU && (needs & ~info.capabilities) == 0;
            assert_int_equal(
                smoe_select_kernels(&(smoe_selection_desc){&info, &desc, tokens[k / 2 % 4], 0}, plain, NULL),
                SMOE_SUCCESS);
            desc.precision = smoe_type_precision(narrow);
            assert_int_equal(
                smoe_select_kernels(&(smoe_selection_desc){&info, &desc, tokens[k / 2 % 4], 0}, mixed, NULL),
                SMOE_SUCCESS);
            for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
                const bool expert = stage == SMOE_STAGE_EXPERT_UP || stage == SMOE_STAGE_EXPERT_DOWN;
                if (is_cooperative(&mixed[stage]) != (expert && expects) || is_cooperative(&plain[stage]))
                    fail_msg("%s, %u tokens, %s: %s", info.name, tokens[k / 2 % 4], smoe_type_name(narrow),
                             mixed[stage].name);
                if (!expects)
                    assert_memory_equal(&mixed[stage], &plain[stage], sizeof plain[stage]);
                else if (!expert)
                    assert_string_equal(mixed[stage].name, plain[stage].name);
            }
        }
}

/* The precision must be the one of every matrix that the plan has, but of those with scales. */
static void test_other_types_are_refused(void **state)
{
    const smoe_device_info info = test_device(7);
    smoe_plan_desc desc = {.d_model = 8, .d_hidden = 8, .expert_count = 4, .top_k = 2, .max_tokens = 9,
                           .types = {.up = SMOE_TYPE_FLOAT16, .down = SMOE_TYPE_FLOAT32},
                           .precision = SMOE_PRECISION_FLOAT16};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    (void)state;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "plan desc.precision"));
    assert_non_null(strstr(reason, "types.down is float32"));
    desc.types.down = SMOE_TYPE_FLOAT16; /* there is no shared expert */
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason), SMOE_SUCCESS);
    desc.shared_hidden = 8;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "types.shared_up is float32"));
    desc.types = (smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_FLOAT16);
    desc.precision = SMOE_PRECISION_BFLOAT16;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    desc.precision = (smoe_precision)3;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    desc.precision = SMOE_PRECISION_FLOAT16;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason), SMOE_SUCCESS);
}

/* Weights with scales go with any precision, beside weights of its type, and with no other number. */
static void test_scales_go_with_either(void **state)
{
    const smoe_device_info info = test_device(7);
    smoe_plan_desc desc = {.d_model = 32, .d_hidden = 64, .expert_count = 4, .top_k = 2, .max_tokens = 9,
                           .shared_hidden = 32, .types = SMOE_TYPES(SMOE_TYPE_MXFP4)};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    (void)state;
    for (uint32_t k = 0; k < 8; k++) { /* with and without weights of 16 bits, of either type, in either plan */
        const smoe_type shared = k / 2 == 0   ? SMOE_TYPE_FP8
                                 : k / 2 == 1 ? SMOE_TYPE_FLOAT16
                                 : k / 2 == 2 ? SMOE_TYPE_BFLOAT16
                                              : SMOE_TYPE_FLOAT32;
        desc.precision = k % 2 ? SMOE_PRECISION_BFLOAT16 : SMOE_PRECISION_FLOAT16;
        desc.types.down = SMOE_TYPE_Q4;
        desc.types.shared_down = shared;
        const bool goes = k / 2 == 0 || (k / 2 == 1 && k % 2 == 0) || (k / 2 == 2 && k % 2 == 1);
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason),
                         goes ? SMOE_SUCCESS : SMOE_ERROR_INVALID_ARGUMENT);
        if (!goes)
            assert_non_null(strstr(reason, "types.shared_down is "));
    }
    desc.types = (smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_MXFP4);
    desc.precision = (smoe_precision)3;
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 9, 0}, choices, reason),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_string_equal(reason, "plan desc.precision: 3, must be 0 .. 2");
}

/* What a device runs, float16 first; else what the matrices may have, float16 first. */
static void test_select_precision(void **state)
{
    static const struct {
        smoe_type routed, shared;
        smoe_precision both, only_half, only_bfloat, none; /* what the device has, and this build */
    } rows[] = {
#define FLOAT SMOE_PRECISION_FLOAT32
#define HALF SMOE_PRECISION_FLOAT16
#define BFLOAT SMOE_PRECISION_BFLOAT16
        {SMOE_TYPE_MXFP4, SMOE_TYPE_Q8, HALF, HALF, BFLOAT, HALF},
        {SMOE_TYPE_FLOAT16, SMOE_TYPE_Q4, HALF, HALF, HALF, HALF},
        {SMOE_TYPE_FP8, SMOE_TYPE_BFLOAT16, BFLOAT, BFLOAT, BFLOAT, BFLOAT},
        {SMOE_TYPE_FLOAT16, SMOE_TYPE_BFLOAT16, FLOAT, FLOAT, FLOAT, FLOAT},
        {SMOE_TYPE_FLOAT32, SMOE_TYPE_MXFP4, FLOAT, FLOAT, FLOAT, FLOAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smoe_plan_desc desc = {.shared_hidden = 32,
                               .precision = SMOE_PRECISION_BFLOAT16,
                               .types = {.up = rows[i].routed,
                                         .down = rows[i].routed,
                                         .shared_up = rows[i].shared,
                                         .shared_down = rows[i].shared}};
        smoe_device_info both = test_device(7), half = both, bfloat = both, none = test_device(0);
        half.capabilities &= ~(uint32_t)SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16;
        half.matrix_shape_count = bfloat.matrix_shape_count = 0;
        for (uint32_t k = 0; k < both.matrix_shape_count; k++) {
            smoe_device_info *only = both.matrix_shapes[k].type == SMOE_TYPE_FLOAT16 ? &half : &bfloat;
            only->matrix_shapes[only->matrix_shape_count++] = both.matrix_shapes[k];
        }
        const bool built = smoe_cooperative_runs(&both, SMOE_PRECISION_BFLOAT16);
        assert_int_equal(smoe_select_precision(&both, &desc), rows[i].both);
        assert_int_equal(smoe_select_precision(&half, &desc), rows[i].only_half);
        assert_int_equal(smoe_select_precision(&bfloat, &desc), built ? rows[i].only_bfloat : rows[i].none);
        assert_int_equal(smoe_select_precision(&none, &desc), rows[i].none);
        assert_int_equal(smoe_select_precision(NULL, &desc), rows[i].none);
        desc.shared_hidden = 0;
        assert_int_equal(smoe_select_precision(NULL, &desc), rows[i].routed == SMOE_TYPE_FLOAT32 ? FLOAT : HALF);
    }
    const smoe_device_info info = test_device(7);
    assert_int_equal(smoe_select_precision(&info, NULL), SMOE_PRECISION_FLOAT32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_order_of_shapes),
                                       cmocka_unit_test(test_configurations), cmocka_unit_test(test_narrow_subgroups),
                                       cmocka_unit_test(test_choices), cmocka_unit_test(test_other_types_are_refused),
                                       cmocka_unit_test(test_scales_go_with_either),
                                       cmocka_unit_test(test_select_precision)};
    return cmocka_run_group_tests_name("matmul_cooperative", tests, NULL, NULL);
}
