/* Weights with scales on the device: every code of every type, scales that are 0, small, large or no number, and the
 * conversions of an upload. tests/unit/test_weights.c has the same on the host. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cases.h"
#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "refusal.h"

enum { WIDTH = 256, TOKENS = 32, EXPERTS = 96 };

static uint32_t scale_size_of(smoe_type type)
{
    return type == SMOE_TYPE_MXFP4 ? 1 : type == SMOE_TYPE_FP8 ? 4 : 2;
}

static void put_scale(smoe_type type, uint32_t scale, unsigned char *to)
{
    const uint32_t size = scale_size_of(type);
    for (uint32_t i = 0; i < size; i++)
        to[i] = (unsigned char)(scale >> 8 * i);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void run_layer(smoe_device *device, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                      const smoe_forward_params *params, const float *x, float *y)
{
    smoe_device_layer *layer;
    assert_int_equal(smoe_device_layer_create(device, plan, weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, params, x, y, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
}

/* ---- scales that keep numbers finite ----------------------------------------------------------------------------- */

/* The element of a row that token t reads: some of every block. */
static uint32_t element_of(uint32_t token)
{
    return 8 * token + token % 8;
}

/* y[t][i] is w1[i][element_of(t)]: one expert, no activation, tokens all 0 but for a 1, and w2 with ones in its
 * diagonal. */
static void read_weights(smoe_device *device, smoe_type type, const unsigned char *stored, uint32_t tokens, float *y)
{
    static float router[WIDTH], w2[WIDTH * WIDTH], x[TOKENS * WIDTH];
    const smoe_plan_desc plan = {.d_model = WIDTH,
                                 .d_hidden = WIDTH,
                                 .expert_count = 1,
                                 .top_k = 1,
                                 .max_tokens = tokens,
                                 .min_tokens = tokens,
                                 .types = {.up = type}};
    const smoe_host_weights weights = {.router_weight = router, .w1 = {stored, type}, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    smoe_forward_params params = smoe_forward_defaults();

    for (uint32_t i = 0; i < WIDTH * WIDTH; i++)
        w2[i] = i % (WIDTH + 1) == 0;
    for (uint32_t t = 0; t < tokens; t++)
        x[t * WIDTH + element_of(t)] = 1;
    params.token_count = tokens;
    run_layer(device, &plan, &weights, &params, x, y);
}

/* Whether a device without denormal numbers may take it for 0: smoe.h, "Promises". E8M0 never is. */
static bool may_vanish(smoe_type type, float scale, float weight)
{
    const float least = type == SMOE_TYPE_Q4 || type == SMOE_TYPE_Q8 ? 0x1p-14f : FLT_MIN;
    return fabsf(weight) < FLT_MIN || (type != SMOE_TYPE_MXFP4 && fabsf(scale) < least);
}

/* A matrix of every code whose block b has the scale scales[b % scale_count], as it is stored. */
static void check_scales(smoe_device *device, smoe_type type, const uint32_t *scales, uint32_t scale_count,
                         uint32_t tokens)
{
    static unsigned char stored[WIDTH * WIDTH * 2];
    static float floats[WIDTH * WIDTH], y[TOKENS * WIDTH];
    const uint32_t scale_size = scale_size_of(type);
    smoe_weights_layout layout;

    assert_true(smoe_weights_layout_get(type, WIDTH, WIDTH, &layout) && layout.size <= sizeof stored);
    for (uint32_t i = 0; i < layout.scales_offset; i++) {
        const unsigned char byte = (unsigned char)(i * 37u + i / WIDTH * 5u);
        stored[i] = type == SMOE_TYPE_FP8 && (byte & 127) == 127 ? 0x7e : byte;
    }
    for (uint32_t b = 0; layout.scales_offset + (b + 1) * scale_size <= layout.size; b++)
        put_scale(type, scales[b % scale_count], stored + layout.scales_offset + b * scale_size);
    test_blocks_read(type, 1, WIDTH, WIDTH, stored, floats);
    read_weights(device, type, stored, tokens, y);
    for (uint32_t t = 0; t < tokens; t++)
        for (uint32_t r = 0; r < WIDTH; r++) {
            const uint32_t k = element_of(t);
            const uint64_t block =
                r / layout.block_rows * (layout.scale_row_size / scale_size) + k / layout.block_columns;
            const float scale = test_block_scale(type, stored + layout.scales_offset + block * scale_size);
            const float want = floats[r * WIDTH + k], got = y[t * WIDTH + r];
            if (got != want && !(got == 0 && may_vanish(type, scale, want)))
                fail_msg("%s, %u tokens, scale %.9g: %.9g, not %.9g", smoe_type_name(type), tokens, (double)scale,
                         (double)got, (double)want);
        }
}

static void test_scales(void **state)
{
    const uint32_t tokens[] = {1, TOKENS}; /* kernels for few rows and for many */
    smoe_device *device = ((const test_device *)*state)->device;
    uint32_t codes[251], halves[2039]; /* neither divides the blocks of a row: every place gets every kind */

    for (uint32_t i = 0; i < 251; i++)
        codes[i] = i; /* 12 * 2^(250 - 128) is below float32's largest */
    for (uint32_t i = 0; i < 2039; i++)
        halves[i] = (i < 1100 ? i : i * 31u % 0x7c00u) | (i % 3 == 0 ? 0x8000u : 0);
    for (int i = 0; i < 2; i++) {
        check_scales(device, SMOE_TYPE_MXFP4, codes, 251, tokens[i]);
        check_scales(device, SMOE_TYPE_Q4, halves, 2039, tokens[i]);
        check_scales(device, SMOE_TYPE_Q8, halves, 2039, tokens[i]);
        check_scales(device, SMOE_TYPE_FP8, (uint32_t[]){bits_of(1), bits_of(-0x1.8p-3f), 0, bits_of(FLT_MIN)}, 4,
                     tokens[i]);
        check_scales(device, SMOE_TYPE_FP8, (uint32_t[]){bits_of(FLT_MIN / 8), bits_of(0x1p118f), 1}, 3, tokens[i]);
    }
}

/* ---- scales that do not ------------------------------------------------------------------------------------------ */

/* Token t goes only to expert t, which has one hidden element: y[t] is the sum of its w1 with the token. So an expert
 * that is not finite spoils no other. */
static void read_experts(smoe_device *device, smoe_type type, const unsigned char *stored, const float *x, float *y)
{
    static float w2[EXPERTS * EXPERTS];
    const smoe_plan_desc plan = {.d_model = EXPERTS,
                                 .d_hidden = 1,
                                 .expert_count = EXPERTS,
                                 .top_k = 1,
                                 .max_tokens = EXPERTS,
                                 .types = {.up = type},
                                 .renormalize = true};
    const smoe_host_weights weights = {.router_weight = x, .w1 = {stored, type}, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    smoe_forward_params params = smoe_forward_defaults();

    for (uint32_t i = 0; i < EXPERTS * EXPERTS; i++)
        w2[i] = 1;
    params.token_count = EXPERTS;
    run_layer(device, &plan, &weights, &params, x, y);
}

/* Expert e has 0 but in element e, and there some code; the scale of that block is scales[e % scale_count]. */
static void check_ends(smoe_device *device, smoe_type type, const uint32_t *scales, uint32_t scale_count)
{
    static unsigned char stored[EXPERTS * 1024];
    static float floats[EXPERTS * EXPERTS], x[EXPERTS * EXPERTS], y[EXPERTS * EXPERTS];
    const uint32_t scale_size = scale_size_of(type);
    smoe_weights_layout layout;

    assert_true(smoe_weights_layout_get(type, 1, EXPERTS, &layout) && layout.size <= 1024);
    memset(stored, 0, sizeof stored);
    for (uint32_t e = 0; e < EXPERTS; e++) {
        unsigned char *matrix = stored + e * layout.size;
        for (uint32_t k = 0; k < EXPERTS; k++) {
            const uint32_t code = k == e ? e / scale_count + 1 : type == SMOE_TYPE_Q4 ? 8 : 0;
            if (layout.row_size < EXPERTS)
                matrix[k / 2] = (unsigned char)(matrix[k / 2] | (code & 15u) << 4 * (k % 2));
            else
                matrix[k] = (unsigned char)code;
        }
        put_scale(type, scales[e % scale_count], matrix + layout.scales_offset + e / layout.block_columns * scale_size);
        for (uint32_t k = 0; k < EXPERTS; k++)
            x[e * EXPERTS + k] = k == e;
    }
    test_blocks_read(type, EXPERTS, 1, EXPERTS, stored, floats);
    read_experts(device, type, stored, x, y);
    for (uint32_t t = 0; t < EXPERTS; t++) {
        float want = 0;
        for (uint32_t k = 0; k < EXPERTS; k++)
            want += floats[t * EXPERTS + k] * x[t * EXPERTS + k];
        const float got = y[t * EXPERTS];
        if (got != want && !(isnan(got) && isnan(want)))
            fail_msg("%s, scale %x: %.9g, not %.9g", smoe_type_name(type), scales[t % scale_count], (double)got,
                     (double)want);
    }
}

static void test_scales_without_end(void **state)
{
    smoe_device *device = ((const test_device *)*state)->device;
    check_ends(device, SMOE_TYPE_MXFP4, (uint32_t[]){251, 252, 253, 254, 255}, 5);
    check_ends(device, SMOE_TYPE_Q4, (uint32_t[]){0x7c00, 0xfc00, 0x7e00, 0x7bff}, 4);
    check_ends(device, SMOE_TYPE_Q8, (uint32_t[]){0x7c00, 0xfc00, 0x7e00, 0x7bff}, 4);
    check_ends(device, SMOE_TYPE_FP8,
               (uint32_t[]){bits_of(INFINITY), bits_of(-INFINITY), bits_of(NAN), bits_of(FLT_MAX), bits_of(1e37f)}, 5);
}

/* ---- conversions ------------------------------------------------------------------------------------------------- */

static void run_case(const test_device *device, const case_data *data, smoe_matrix_types types,
                     const smoe_host_weights *weights, float *y)
{
    smoe_plan_desc plan = data->plan;
    plan.types = types;
    run_layer(device->device, &plan, weights, &data->params, data->x, y);
}

/* A tensor of floats as smoe_weights_pack rounds it, and back. */
static void round_tensor(const smoe_layer_tensor *tensor, smoe_type type, const float *from, unsigned char *stored,
                         float *floats)
{
    const uint32_t last = tensor->axis_count - 1, rows = tensor->shape[last - 1], columns = tensor->shape[last];
    const uint32_t count = (uint32_t)(tensor->element_count / rows / columns);
    smoe_weights_layout layout;

    assert_true(smoe_weights_layout_get(type, rows, columns, &layout));
    for (uint32_t i = 0; i < count; i++) {
        const size_t first = (size_t)i * rows * columns;
        const smoe_weights_rows all = {type, rows, columns, stored + i * layout.size,
                                       stored + i * layout.size + layout.scales_offset};
        assert_int_equal(smoe_weights_pack(&all, from + first, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
        assert_int_equal(smoe_weights_unpack(floats + first, &all), SMOE_SUCCESS);
    }
}

/* Floats that are rounded at the upload give what the host's rounding gives, and so do stored weights that are uploaded
 * to a plan of float32 or of another type with scales: both by way of float32. */
static void test_conversions(void **state)
{
    enum { T = 3, D = 160, H = 96, MOST = 3 * D * H };
    static float floats[6][MOST], unwanted[MOST], want[T * D], got[T * D];
    static unsigned char stored[6][2 * MOST], again[6][2 * MOST];
    static const smoe_matrix_types wide = SMOE_TYPES(SMOE_TYPE_FLOAT32);
    static const smoe_matrix_types types = {SMOE_TYPE_MXFP4, SMOE_TYPE_Q4, SMOE_TYPE_Q8, SMOE_TYPE_FP8};
    static const smoe_matrix_types others = {SMOE_TYPE_Q8, SMOE_TYPE_FP8, SMOE_TYPE_Q4, SMOE_TYPE_MXFP4};
    const layer_case shape = {.name = "conversion",
                              .tokens = T,
                              .d_model = D,
                              .d_hidden = H,
                              .expert_count = 3,
                              .top_k = 2,
                              .gated = true,
                              .activation = SMOE_ACTIVATION_SILU,
                              .shared_hidden = 64};
    const test_device *device = *state;
    smoe_layer_tensor tensor, other;
    case_data data;

    assert_true(case_data_create(&data, &shape, test_seed()));
    smoe_host_weights host = data.weights, rounded = data.weights, twice = data.weights;
    smoe_plan_desc plan = data.plan, other_plan = data.plan;
    plan.types = types;
    other_plan.types = others;
    for (uint32_t i = 0, k = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        if (!tensor.matrix || !smoe_layer_tensor_get(&other_plan, i, &other))
            continue;
        const float *from = smoe_host_weights_get(&data.weights, &tensor).data;
        round_tensor(&tensor, tensor.type, from, stored[k], floats[k]);
        round_tensor(&tensor, other.type, floats[k], again[k], unwanted);
        smoe_host_weights_set(&host, &tensor, (smoe_host_weight){stored[k], tensor.type});
        smoe_host_weights_set(&rounded, &tensor, (smoe_host_weight){floats[k], SMOE_TYPE_FLOAT32});
        smoe_host_weights_set(&twice, &tensor, (smoe_host_weight){again[k++], other.type});
    }
    run_case(device, &data, types, &host, want);
    run_case(device, &data, types, &data.weights, got);
    assert_int_equal(test_compare_bits("y of weights rounded at the upload", T * D, got, want), 0);
    run_case(device, &data, wide, &rounded, want);
    run_case(device, &data, wide, &host, got);
    assert_int_equal(test_compare_bits("y of stored weights in a float32 plan", T * D, got, want), 0);
    run_case(device, &data, others, &twice, want);
    run_case(device, &data, others, &host, got);
    assert_int_equal(test_compare_bits("y of stored weights in a plan of other types", T * D, got, want), 0);
    case_data_destroy(&data);
}

/* A matrix of more rows than are converted at a time, the last of which are no whole block. */
static void test_long_conversion(void **state)
{
    enum { D = 513, H = 2199, T = 2 };
    static float router[D], w1[D * H], w2[D * H], rounded[D * H], x[T * D], want[T * D], got[T * D];
    static unsigned char stored[2 * D * H];
    const smoe_plan_desc plan = {.d_model = D,
                                 .d_hidden = H,
                                 .expert_count = 1,
                                 .top_k = 1,
                                 .max_tokens = T,
                                 .min_tokens = T,
                                 .types = {.up = SMOE_TYPE_FP8}};
    smoe_plan_desc wide = plan;
    smoe_host_weights weights = {.router_weight = router, .w1 = {w1, SMOE_TYPE_FLOAT32}, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    smoe_device *device = ((const test_device *)*state)->device;
    smoe_forward_params params = smoe_forward_defaults();
    smoe_weights_layout layout;
    test_random random = test_random_make(test_seed(), 7);

    for (uint32_t i = 0; i < D * H; i++) {
        w1[i] = test_random_uniform(&random, -1, 1);
        w2[i] = test_random_uniform(&random, -1, 1);
    }
    for (uint32_t i = 0; i < T * D; i++)
        x[i] = test_random_uniform(&random, -1, 1);
    assert_true(smoe_weights_layout_get(SMOE_TYPE_FP8, H, D, &layout) && layout.size <= sizeof stored);
    const smoe_weights_rows all = {SMOE_TYPE_FP8, H, D, stored, stored + layout.scales_offset};
    assert_int_equal(smoe_weights_pack(&all, w1, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
    assert_int_equal(smoe_weights_unpack(rounded, &all), SMOE_SUCCESS);
    params.token_count = T;
    run_layer(device, &plan, &weights, &params, x, got);
    weights.w1 = (smoe_host_weight){stored, SMOE_TYPE_FP8};
    run_layer(device, &plan, &weights, &params, x, want);
    assert_int_equal(test_compare_bits("y of tiles rounded at the upload", T * D, got, want), 0);
    wide.types.up = SMOE_TYPE_FLOAT32;
    run_layer(device, &wide, &weights, &params, x, got);
    weights.w1 = (smoe_host_weight){rounded, SMOE_TYPE_FLOAT32};
    run_layer(device, &wide, &weights, &params, x, want);
    assert_int_equal(test_compare_bits("y of tiles unpacked at the upload", T * D, got, want), 0);
}

/* What a type does not hold is refused by name. */
static void test_refused(void **state)
{
    test_device *device = *state;
    static float router[32], w[32 * 32];
    smoe_plan_desc plan = {
        .d_model = 32, .d_hidden = 32, .expert_count = 1, .top_k = 1, .max_tokens = 1, .types = {.up = SMOE_TYPE_Q8}};
    const smoe_host_weights weights = {
        .router_weight = router, .w1 = {w, SMOE_TYPE_FLOAT32}, .w2 = {w, SMOE_TYPE_FLOAT32}};
    smoe_device_layer *layer;

    w[5 * 32 + 7] = INFINITY;
    REFUSED_AS(&device->record, SMOE_ERROR_UNSUPPORTED,
               "weights.w1: has an element that q8 does not hold, in rows 0 .. 31",
               smoe_device_layer_create(device->device, &plan, &weights, &layer));
    plan.d_model = 48;
    REFUSED(&device->record, "plan desc.d_model: 48, must be a multiple of 32, the elements of a block of q8",
            smoe_device_layer_create(device->device, &plan, &weights, &layer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_scales, test_device_check),
        cmocka_unit_test_teardown(test_scales_without_end, test_device_check),
        cmocka_unit_test_teardown(test_conversions, test_device_check),
        cmocka_unit_test_teardown(test_long_conversion, test_device_check),
        cmocka_unit_test_teardown(test_refused, test_device_check),
        cmocka_unit_test(test_device_closes),
    };
    return cmocka_run_group_tests_name("scales", tests, test_device_setup, test_device_teardown);
}
