/* Weights with scales on cooperative matrices: each is rounded to the plan's 16 bits after its scale and no further, or
 * infinite; matrices of several types in one layer; ranges of experts. test_cooperative has the case table's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_layer.h"
#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "common/half.h"
#include "common/random.h"
#include "cooperative.h"

enum { WIDTH = 256, TOKENS = 64 };

static const smoe_precision precisions[] = {SMOE_PRECISION_FLOAT16, SMOE_PRECISION_BFLOAT16};

static smoe_type type_of(smoe_precision precision)
{
    return precision == SMOE_PRECISION_FLOAT16 ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16;
}

static bool runs_or_tells(const test_device *device, smoe_precision precision)
{
    if (cooperative_runs(cooperative_info(device), precision))
        return true;
    print_message("left out with bfloat16: ");
    cooperative_tell_missing(cooperative_info(device), precision);
    return false;
}

/* y of T tokens; fails where the experts' kernels are not the cooperative ones. */
static void run_layer(const test_device *device, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                      const float *x, float *y)
{
    const smoe_selection_desc selection = {cooperative_info(device), plan, plan->max_tokens, 0};
    smoe_forward_params params = smoe_forward_defaults();
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    smoe_device_layer *layer;

    assert_int_equal(smoe_select_kernels(&selection, choices, NULL), SMOE_SUCCESS);
    assert_non_null(strstr(choices[SMOE_STAGE_EXPERT_UP].name, "_cooperative"));
    assert_non_null(strstr(choices[SMOE_STAGE_EXPERT_DOWN].name, "_cooperative"));
    params.token_count = plan->max_tokens;
    assert_int_equal(smoe_device_layer_create(device->device, plan, weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, x, y, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
}

/* ---- one weight at a time ---------------------------------------------------------------------------------------- */

/* The element of a row that token t reads: some of every block. */
static uint32_t element_of(uint32_t token)
{
    return 4 * token + token % 4;
}

/* y[t][i] is w1[i][element_of(t)], or w2's: one expert, no activation, tokens all 0 but for a 1, and ones in the
 * diagonal of the other matrix. */
static void read_weights(const test_device *device, smoe_precision precision, smoe_type type, bool up,
                         const unsigned char *stored, float *y)
{
    static float router[WIDTH], x[TOKENS * WIDTH];
    static uint16_t ones[WIDTH * WIDTH];
    const smoe_type narrow = type_of(precision);
    const smoe_plan_desc plan = {.d_model = WIDTH,
                                 .d_hidden = WIDTH,
                                 .expert_count = 1,
                                 .top_k = 1,
                                 .max_tokens = TOKENS,
                                 .min_tokens = TOKENS,
                                 .types = {.up = up ? type : narrow, .down = up ? narrow : type},
                                 .precision = precision};
    const smoe_host_weight matrix = {stored, type}, diagonal = {ones, narrow};
    const smoe_host_weights weights = {
        .router_weight = router, .w1 = up ? matrix : diagonal, .w2 = up ? diagonal : matrix};

    for (uint32_t i = 0; i < WIDTH; i++)
        ones[i * (WIDTH + 1)] = test_narrow_from_float(narrow, 1);
    for (uint32_t t = 0; t < TOKENS; t++)
        x[t * WIDTH + element_of(t)] = 1;
    run_layer(device, &plan, &weights, x, y);
}

/* How a weight came out, that the 16 bits do not hold. */
typedef struct rounding_tally {
    uint32_t nearest, to_zero, vanished;
} rounding_tally;

/* Vulkan lets a device round to float16 in either way, and take what is denormal for 0. */
static bool is_rounded(smoe_precision precision, float want, float got, rounding_tally *tally)
{
    const smoe_type narrow = type_of(precision);
    const uint16_t bits = test_narrow_from_float(narrow, want);
    const float nearest = test_narrow_to_float(narrow, bits);
    const bool away = fabsf(nearest) > fabsf(want), half = precision == SMOE_PRECISION_FLOAT16;
    const float to_zero = away ? test_narrow_to_float(narrow, (uint16_t)(bits - 1)) : nearest;

    tally->nearest += got == nearest && nearest != to_zero;
    tally->to_zero += got == to_zero && nearest != to_zero;
    if (got == nearest || (half && got == to_zero))
        return true;
    tally->vanished++;
    return half && got == 0 && fabsf(want) < 0x1p-14f;
}

static void check_type(const test_device *device, smoe_precision precision, smoe_type type, bool up, float limit)
{
    static unsigned char stored[WIDTH * WIDTH * 2];
    static float floats[WIDTH * WIDTH], y[TOKENS * WIDTH];
    const test_block_layout at = test_block_layout_of(type, WIDTH, WIDTH);
    const bool has_factor = test_block_kind_of(type).factor, held = type == SMOE_TYPE_MXFP4 || type == SMOE_TYPE_NVFP4;
    const float factor = has_factor ? 4 : 1; /* of the sum: nothing is rounded once more */
    test_random random = test_random_make(test_seed(), (uint64_t)type);
    rounding_tally tally = {0};
    float unwanted;

    assert_true(at.size <= sizeof stored);
    test_blocks_fill(type, 1, WIDTH, WIDTH, limit, &random, stored, floats, &unwanted);
    if (has_factor)
        memcpy(stored + at.factor_at, &factor, sizeof factor);
    read_weights(device, precision, type, up, stored, y);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t i = 0; i < WIDTH; i++) {
            const float want = floats[i * WIDTH + element_of(t)], got = y[t * WIDTH + i] / factor;
            if (!is_rounded(precision, want, got, &tally))
                fail_msg("%s of %s, in bits of %s: %.9g is no rounding of %.9g", up ? "w1" : "w2", smoe_type_name(type),
                         smoe_type_name(type_of(precision)), (double)got, (double)want);
        }
    print_message("%s, %s, up to %g: %u to nearest, %u towards zero, %u denormal that are 0\n", smoe_type_name(type),
                  smoe_type_name(type_of(precision)), (double)limit, tally.nearest, tally.to_zero, tally.vanished);
    assert_true(tally.nearest == 0 || tally.to_zero == 0);
    if (limit == 1) /* E2M1 times a short number */
        assert_int_equal(tally.nearest + tally.to_zero == 0, held);
}

/* Weights about 1, and in float16's denormal numbers; of half the types those of w1, of the others w2's. */
static void test_roundings(void **state)
{
    const test_device *device = *state;

    cooperative_need(device);
    for (size_t p = 0; p < sizeof precisions / sizeof precisions[0]; p++) {
        if (!runs_or_tells(device, precisions[p]))
            continue;
        for (int type = 0; smoe_type_name((smoe_type)type); type++)
            for (int k = 0; k < 4 && smoe_type_has_scales((smoe_type)type); k++)
                if (k % 2 == type % 2 || test_everything())
                    check_type(device, precisions[p], (smoe_type)type, k % 2 == 0, k < 2 ? 1 : 0x1p-13f);
    }
}

/* 7 times a scale of q4, in the last place of the last row: 65464 is finite in float16, 65520 is not, and in bfloat16
 * both are. */
static void test_overflow(void **state)
{
    static const uint16_t scales[] = {0x7091, 0x7092}; /* 9352, 9360 */
    static unsigned char stored[WIDTH * WIDTH];
    static float y[TOKENS * WIDTH];
    const float factor = 1;
    const test_device *device = *state;
    smoe_weights_layout layout;

    cooperative_need(device);
    assert_true(smoe_weights_layout_get(SMOE_TYPE_Q4, WIDTH, WIDTH, &layout) && layout.size <= sizeof stored);
    for (size_t p = 0; p < sizeof precisions / sizeof precisions[0]; p++)
        for (int k = 0; k < 4 && runs_or_tells(device, precisions[p]); k++) {
            const bool fits = k < 2 || precisions[p] == SMOE_PRECISION_BFLOAT16;
            memset(stored, 0x88, sizeof stored); /* zeros */
            memset(stored + layout.scales_offset, 0, (size_t)(layout.size - layout.scales_offset));
            memcpy(stored + layout.factor_offset, &factor, sizeof factor);
            memcpy(stored + layout.scales_offset + WIDTH * layout.scale_row_size - 2, &scales[k / 2], 2);
            stored[layout.scales_offset - 1] = 0xf8; /* element 255 */
            read_weights(device, precisions[p], SMOE_TYPE_Q4, k % 2 == 0, stored, y);
            const float last = y[TOKENS * WIDTH - 1];
            assert_true(fits ? fabsf(last / 65500 - 1) < 0.01f : !isfinite(last));
            /* w1's infinity is an input of every row of w2; w2's spoils only its own */
            for (uint32_t i = 0; i + 1 < TOKENS * WIDTH && (fits || k % 2); i++)
                assert_true(y[i] == 0 || (!fits && i % WIDTH == WIDTH - 1));
        }
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* A layer whose floats are rounded to the types at the upload, and by the reference. */
static void check_layer(const test_device *device, const layer_case *shape, const smoe_matrix_types *types,
                        uint32_t ranges)
{
    smoe_device_layer *layer;
    layer_output output;
    case_data data;
    uint32_t count;

    assert_true(case_data_create(&data, shape, test_seed()));
    data.plan.types = data.ref.types = *types;
    assert_int_equal(smoe_device_layer_create(device->device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
    count = smoe_plan_range_count(smoe_device_layer_plan(layer), NULL);
    assert_int_equal(count, ranges);
    assert_true(layer_output_create(&output, layer, &data, NULL));
    if (check_output(&data, &data.ref_params, &output, NULL) != 0) {
        case_print(&data);
        fail_msg("up %s, down %s, shared %s and %s", smoe_type_name(types->up), smoe_type_name(types->down),
                 smoe_type_name(types->shared_up), smoe_type_name(types->shared_down));
    }
    layer_output_destroy(&output);
    smoe_device_layer_destroy(layer);
    case_data_destroy(&data);
}

static const layer_case several = {.name = "several types",
                                   .tokens = 90,
                                   .d_model = 160,
                                   .d_hidden = 96,
                                   .expert_count = 3,
                                   .top_k = 2,
                                   .eps = 0.5f,
                                   .gated = true,
                                   .activation = SMOE_ACTIVATION_SILU,
                                   .shared_hidden = 64,
                                   .biases = BIAS_ALL};

/* Each matrix has each kind of type, in both precisions; the shared expert as the checkpoint had it. */
static void test_several_types(void **state)
{
    const test_device *device = *state;

    cooperative_need(device);
    for (size_t p = 0; p < sizeof precisions / sizeof precisions[0]; p++) {
        const smoe_type narrow = type_of(precisions[p]);
        const smoe_matrix_types types[] = {
            {.up = SMOE_TYPE_MXFP4, .down = SMOE_TYPE_NVFP4, .shared_up = narrow, .shared_down = narrow},
            {.up = SMOE_TYPE_Q4, .down = SMOE_TYPE_Q8, .shared_up = SMOE_TYPE_MXFP4, .shared_down = narrow},
            {.up = narrow, .down = SMOE_TYPE_FP8, .shared_up = SMOE_TYPE_Q8, .shared_down = SMOE_TYPE_Q4},
        };
        layer_case shape = several;
        shape.precision = precisions[p];
        for (size_t i = 0; i < sizeof types / sizeof types[0] && runs_or_tells(device, precisions[p]); i++)
            check_layer(device, &shape, &types[i], 1);
    }
}

/* Parts of the experts one after another: a device that allocates no more than three of 70 kB. */
static void test_ranges(void **state)
{
    static const smoe_matrix_types types = {
        .up = SMOE_TYPE_Q8, .down = SMOE_TYPE_FP8, .shared_up = SMOE_TYPE_Q4, .shared_down = SMOE_TYPE_MXFP4};
    const test_device *given = *state;
    smoe_device_info as = *cooperative_info(given);
    test_device *device;
    layer_case shape = several;

    cooperative_need(given);
    device = test_calloc(1, sizeof *device);
    as.max_allocation_size = 256 << 10;
    shape.precision = SMOE_PRECISION_FLOAT16;
    shape.tokens = 40;
    shape.d_model = shape.d_hidden = 256;
    shape.expert_count = 7;
    shape.max_active = 2;
    assert_true(test_device_open_as(device, &as));
    check_layer(device, &shape, &types, 3);
    assert_true(test_device_is_quiet(device));
    assert_true(test_device_close(device));
    test_free(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_roundings, test_device_check),
        cmocka_unit_test_teardown(test_overflow, test_device_check),
        cmocka_unit_test_teardown(test_several_types, test_device_check),
        cmocka_unit_test_teardown(test_ranges, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("cooperative scales", tests, cooperative_setup, test_device_teardown);
}
