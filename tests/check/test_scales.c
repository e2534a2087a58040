/* Weights with scales on the device: every code of every type, and scales that are 0, small, large or no number.
 * tests/unit/test_weights.c has the same on the host. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cases.h"
#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "floor_device.h"
#include "layer_runner.h"

enum { WIDTH = 256, TOKENS = 32, EXPERTS = 96 };

/* Block scales and second scales as they are stored, each a little-endian number. */
typedef struct scale_list {
    const uint32_t *scales;
    uint32_t scale_count;
    const uint32_t *seconds;
    uint32_t second_count;
} scale_list;

#define LIST(...) (const uint32_t[]){__VA_ARGS__}, sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t)
#define NO_SECONDS NULL, 0
#define HALVES(d, e) ((uint32_t)(d) | (uint32_t)(e) << 16)

static void put_number(uint32_t number, uint32_t size, unsigned char *to)
{
    for (uint32_t i = 0; i < size; i++)
        to[i] = (unsigned char)(number >> 8 * i);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Scales one behind the other, in the order of the blocks. The lists' lengths do not divide a row's blocks, so that
 * every place gets every kind. */
static void put_scales(smoe_type type, uint32_t rows, uint32_t columns, scale_list list, uint32_t first,
                       unsigned char *matrix)
{
    const test_block_kind kind = test_block_kind_of(type);
    uint32_t block = first, second = first;
    for (uint32_t r = 0; r < rows; r += kind.block_rows)
        for (uint32_t k = 0; k < columns; k += kind.block_columns)
            put_number(list.scales[block++ % list.scale_count], kind.scale_size,
                       matrix + test_block_scale_at(type, rows, columns, r, k));
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t k = 0; kind.second_size && k < columns; k += kind.second_columns)
            put_number(list.seconds[second++ % list.second_count], kind.second_size,
                       matrix + test_block_second_at(type, rows, columns, r, k));
}

/* ---- scales that keep numbers finite ----------------------------------------------------------------------------- */

/* The element of a row that token t reads: some of every block. */
static uint32_t element_of(uint32_t token)
{
    return 8 * token + token % 8;
}

static smoe_plan_desc plan_of_codes(smoe_type type, uint32_t tokens)
{
    return (smoe_plan_desc){.d_model = WIDTH, .d_hidden = WIDTH, .expert_count = 1, .top_k = 1, .max_tokens = tokens,
                            .min_tokens = tokens, .types = {.up = type}};
}

/* y[t][i] is w1[i][element_of(t)]: one expert, no activation, tokens all 0 but for a 1, and w2 with ones in its
 * diagonal. */
static void read_weights(layer_runner *runner, smoe_type type, const unsigned char *stored, uint32_t tokens, float *y)
{
    static float router[WIDTH], w2[WIDTH * WIDTH], x[TOKENS * WIDTH];
    const smoe_plan_desc plan = plan_of_codes(type, tokens);
    const smoe_host_weights weights = {.router_weight = router, .w1 = {stored, type}, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    smoe_forward_params params = smoe_forward_defaults();

    for (uint32_t i = 0; i < WIDTH * WIDTH; i++)
        w2[i] = i % (WIDTH + 1) == 0;
    for (uint32_t t = 0; t < tokens; t++)
        x[t * WIDTH + element_of(t)] = 1;
    params.token_count = tokens;
    run_layer(runner, &plan, &weights, &params, x, y);
}

static bool is_small_half(const unsigned char *half)
{
    return (half[1] & 0x7c) == 0;
}

static bool is_small_float(const unsigned char *bits)
{
    return (bits[3] & 0x7f) == 0 && bits[2] < 0x80;
}

/* The float16 of a block's scale. */
static uint32_t half_count(smoe_type type)
{
    switch (type) {
    case SMOE_TYPE_Q4_MIN:
    case SMOE_TYPE_Q8_MIN: return 2;
    case SMOE_TYPE_Q4:
    case SMOE_TYPE_Q8:
    case SMOE_TYPE_IQ4:
    case SMOE_TYPE_Q4_ZERO:
    case SMOE_TYPE_Q8_ZERO: return 1;
    default: return 0;
    }
}

/* Whether a device may give `got` for a weight: weights.h lists what a device without denormal numbers may take for 0.
 * Where both d and m may be, each of them or both. */
static bool is_possible(smoe_type type, uint32_t code, const unsigned char *scale, const unsigned char *second,
                        float factor, float got)
{
    const test_block_kind kind = test_block_kind_of(type);
    for (uint32_t zeros = 0; zeros < 4; zeros++) {
        unsigned char left[4] = {0};
        memcpy(left, scale, kind.scale_size);
        for (uint32_t i = 0; i < half_count(type); i++)
            if (zeros >> i & 1 && is_small_half(left + 2 * i))
                memset(left + 2 * i, 0, 2);
        if (half_count(type) == 0 && kind.scale_size == 4 && zeros & 1 && is_small_float(left))
            memset(left, 0, 4);
        const float weight = test_block_weight(type, code, left, second), want = weight * factor;
        if (got == want || (got == 0 && (fabsf(weight) < FLT_MIN || fabsf(want) < FLT_MIN)))
            return true;
    }
    return false;
}

static uint32_t bit_of(smoe_type type)
{
    return 1u << type;
}

/* A bit for each type with scales. */
static uint32_t scaled_types(void)
{
    uint32_t bits = 0;
    for (smoe_type type = 0; smoe_type_name(type); type++)
        bits |= smoe_type_has_scales(type) ? bit_of(type) : 0;
    return bits;
}

/* A matrix of every code with such scales. */
static void check_scales(layer_runner *runner, smoe_type type, scale_list list, uint32_t tokens)
{
    static unsigned char stored[WIDTH * WIDTH * 2];
    static float y[TOKENS * WIDTH];
    const test_block_kind kind = test_block_kind_of(type);
    const test_block_layout at = test_block_layout_of(type, WIDTH, WIDTH);
    const bool is_e4m3 = type == SMOE_TYPE_FP8 || type == SMOE_TYPE_FP8_ROWS;
    const float factor = kind.factor ? -0.3f : 1;

    assert_true(at.size <= sizeof stored);
    memset(stored, 0, at.size);
    for (uint32_t i = 0; i < at.scales_at; i++) {
        const unsigned char byte = (unsigned char)(i * 37u + i / WIDTH * 5u);
        stored[i] = is_e4m3 && (byte & 127) == 127 ? 0x7e : type == SMOE_TYPE_Q8_K ? byte & 31 : byte;
    }
    put_scales(type, WIDTH, WIDTH, list, 0, stored);
    if (kind.factor)
        memcpy(stored + at.factor_at, &factor, sizeof factor);
    read_weights(runner, type, stored, tokens, y);
    for (uint32_t t = 0; t < tokens; t++)
        for (uint32_t r = 0; r < WIDTH; r++) {
            const uint32_t k = element_of(t), code = test_block_code(type, WIDTH, WIDTH, stored, r, k);
            const unsigned char *scale = stored + test_block_scale_at(type, WIDTH, WIDTH, r, k),
                                *second = stored + test_block_second_at(type, WIDTH, WIDTH, r, k);
            const float got = y[t * WIDTH + r];
            if (!is_possible(type, code, scale, second, factor, got))
                fail_msg("%s, %u tokens, row %u, element %u, code %u, scale %02x%02x..., second %02x%02x...: %.9g, not "
                         "%.9g",
                         smoe_type_name(type), tokens, r, k, code, scale[0], scale[1], second[0], second[1],
                         (double)got, (double)(factor * test_block_weight(type, code, scale, second)));
        }
}

/* Halves of every kind but infinity and NaN, about half of them below 2^-14. */
static uint32_t half_of(uint32_t i)
{
    return (i < 1100 ? i : i * 31u % 0x7c00u) | (i % 3 == 0 ? 0x8000u : 0);
}

/* Every type, or one in `parts` of them, from number `part` on. */
static void check_types(layer_runner *runner, uint32_t tokens, uint32_t part, uint32_t parts)
{
    enum { BYTES = 251, HALF_COUNT = 2039 };
    static const struct {
        smoe_type type;
        bool halves, two; /* scales of float16, two of them; else bytes */
    } types[] = {
        {SMOE_TYPE_MXFP4, false, false},  {SMOE_TYPE_NVFP4, false, false},  {SMOE_TYPE_IQ4_XS, false, false},
        {SMOE_TYPE_Q6_K, false, false},   {SMOE_TYPE_Q4_K, false, true},    {SMOE_TYPE_Q8_K, false, true},
        {SMOE_TYPE_Q4, true, false},      {SMOE_TYPE_Q8, true, false},      {SMOE_TYPE_IQ4, true, false},
        {SMOE_TYPE_Q4_ZERO, true, false}, {SMOE_TYPE_Q8_ZERO, true, false}, {SMOE_TYPE_Q4_MIN, true, true},
        {SMOE_TYPE_Q8_MIN, true, true},
    };
    static const smoe_type wide[] = {SMOE_TYPE_FP8, SMOE_TYPE_FP8_ROWS, SMOE_TYPE_Q8_ROWS};
    uint32_t bytes[BYTES], halves[HALF_COUNT], pairs[HALF_COUNT], byte_pairs[BYTES], listed = 0, number = 0;

    for (uint32_t i = 0; i < BYTES; i++) {
        bytes[i] = i; /* 12 * 2^(250 - 128) is below float32's largest */
        byte_pairs[i] = i * 5 % 64 | i * 7 % 64 << 8;
    }
    for (uint32_t i = 0; i < HALF_COUNT; i++) {
        halves[i] = half_of(i);
        pairs[i] = HALVES(half_of(i), half_of(i * 7 % HALF_COUNT));
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        listed |= bit_of(types[i].type);
        if (number++ % parts != part)
            continue;
        scale_list list = {bytes, BYTES, pairs, HALF_COUNT};
        if (types[i].halves)
            list = (scale_list){types[i].two ? pairs : halves, HALF_COUNT, bytes, BYTES};
        else if (types[i].two)
            list.scales = byte_pairs;
        if (types[i].type == SMOE_TYPE_NVFP4)
            list.scale_count = 127; /* without NaN */
        check_scales(runner, types[i].type, list, tokens);
    }
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        listed |= bit_of(wide[i]);
        if (number++ % parts == part)
            check_scales(runner, wide[i],
                         (scale_list){LIST(bits_of(1), bits_of(-0x1.8p-3f), 0, bits_of(FLT_MIN), bits_of(FLT_MIN / 8),
                                           bits_of(0x1p118f), 1),
                                      NO_SECONDS},
                         tokens);
    }
    assert_int_equal(listed, scaled_types());
}

static void test_scales(void **state)
{
    layer_runner runner = runner_of(state);
    check_types(&runner, TOKENS, 0, 1);
    smoe_device_layer_destroy(runner.last);
}

/* The kernels of other devices. All have their decoding from one place, and each type compiles each of them anew: a
 * type has one of the kernels, unless SMOE_TEST_EVERYTHING asks for all. */
static void test_scales_elsewhere(void **state)
{
    static const struct {
        uint32_t capabilities, tokens;
        const char *kernel; /* what expert_up takes there */
    } devices[] = {
        {SMOE_CAPABILITY_SUBGROUP_BALLOT | SMOE_CAPABILITY_SUBGROUP_SHUFFLE | SMOE_CAPABILITY_SUBGROUP_ARITHMETIC, 1,
         "expert_up_vector"},
        {0, 3, "expert_up_vector_basic"},
        {0, TOKENS, "expert_up_tiled"},
    };
    const uint32_t count = sizeof devices / sizeof devices[0];
    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        const smoe_plan_desc plan = plan_of_codes(SMOE_TYPE_NVFP4, devices[i].tokens);
        smoe_device_info as = floor_device("the floor");
        smoe_kernel_choice choices[SMOE_STAGE_COUNT];
        test_device device;
        as.capabilities = devices[i].capabilities;
        assert_true(test_device_open_as(&device, &as));
        const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device.device));
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &plan, devices[i].tokens, 0}, choices, NULL),
                         SMOE_SUCCESS);
        assert_string_equal(choices[SMOE_STAGE_EXPERT_UP].name, devices[i].kernel);
        layer_runner runner = {device.device, NULL};
        check_types(&runner, devices[i].tokens, test_everything() ? 0 : i, test_everything() ? 1 : count);
        smoe_device_layer_destroy(runner.last);
        assert_true(test_device_is_quiet(&device));
        assert_true(test_device_close(&device));
    }
}

/* ---- scales that do not ------------------------------------------------------------------------------------------ */

/* Which element expert e is about. */
static uint32_t place_of(uint32_t e)
{
    return (e * 37 + 5) % WIDTH;
}

/* Token t goes only to expert t, which has one hidden element: y[t] is the sum of its w1 with the token. So an expert
 * that is not finite spoils no other. */
static void read_experts(layer_runner *runner, smoe_type type, const unsigned char *stored, const float *x, float *y)
{
    static float w2[EXPERTS * WIDTH];
    const smoe_plan_desc plan = {.d_model = WIDTH, .d_hidden = 1, .expert_count = EXPERTS, .top_k = 1,
                                 .max_tokens = EXPERTS, .min_tokens = EXPERTS, .types = {.up = type},
                                 .renormalize = true};
    const smoe_host_weights weights = {.router_weight = x, .w1 = {stored, type}, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    smoe_forward_params params = smoe_forward_defaults();

    for (uint32_t i = 0; i < EXPERTS * WIDTH; i++)
        w2[i] = 1;
    params.token_count = EXPERTS;
    run_layer(runner, &plan, &weights, &params, x, y);
}

/* The code of the element 0, or of the smallest one. */
static uint32_t zero_code(smoe_type type)
{
    return type == SMOE_TYPE_Q4 ? 8 : type == SMOE_TYPE_IQ4 || type == SMOE_TYPE_IQ4_XS ? 7 : 0;
}

/* Expert e has 0 but in one element, and there some code; its scales begin with number e of the list. Returns the
 * type's bit. */
static uint32_t check_ends(layer_runner *runner, smoe_type type, scale_list list)
{
    static unsigned char stored[EXPERTS * 1024];
    static float floats[EXPERTS * WIDTH], x[EXPERTS * WIDTH], y[EXPERTS * WIDTH];
    const test_block_kind kind = test_block_kind_of(type);
    const test_block_layout at = test_block_layout_of(type, 1, WIDTH);
    const float factor = 0.75f;

    assert_true(at.size <= 1024);
    memset(stored, 0, sizeof stored);
    for (uint32_t e = 0; e < EXPERTS; e++) {
        unsigned char *matrix = stored + e * at.size;
        for (uint32_t k = 0; k < WIDTH; k++) {
            const uint32_t code = k == place_of(e) ? e / list.scale_count + 1 : zero_code(type);
            if (kind.element_bits == 4)
                matrix[k / 2] = (unsigned char)(matrix[k / 2] | (code & 15u) << 4 * (k % 2));
            else
                matrix[k] = (unsigned char)code;
            x[e * WIDTH + k] = k == place_of(e);
        }
        put_scales(type, 1, WIDTH, list, e, matrix);
        if (kind.factor)
            memcpy(matrix + at.factor_at, &factor, sizeof factor);
    }
    test_blocks_read(type, EXPERTS, 1, WIDTH, stored, floats);
    read_experts(runner, type, stored, x, y);
    for (uint32_t t = 0; t < EXPERTS; t++) {
        float want = 0;
        for (uint32_t k = 0; k < WIDTH; k++)
            want += floats[t * WIDTH + k] * x[t * WIDTH + k];
        want *= kind.factor ? factor : 1;
        const float got = y[t * WIDTH];
        if (got != want && !(isnan(got) && isnan(want)))
            fail_msg("%s, expert %u: %.9g, not %.9g", smoe_type_name(type), t, (double)got, (double)want);
    }
    return bit_of(type);
}

static void test_scales_without_end(void **state)
{
    static const smoe_type halves[] = {SMOE_TYPE_Q4, SMOE_TYPE_Q8, SMOE_TYPE_IQ4, SMOE_TYPE_Q4_ZERO, SMOE_TYPE_Q8_ZERO};
    static const smoe_type pairs[] = {SMOE_TYPE_Q4_MIN, SMOE_TYPE_Q8_MIN};
    static const smoe_type bytes[] = {SMOE_TYPE_IQ4_XS, SMOE_TYPE_Q6_K, SMOE_TYPE_Q4_K, SMOE_TYPE_Q8_K};
    static const smoe_type wide[] = {SMOE_TYPE_FP8, SMOE_TYPE_FP8_ROWS, SMOE_TYPE_Q8_ROWS};
    layer_runner runner = runner_of(state);
    uint32_t listed = 0;

    listed |= check_ends(&runner, SMOE_TYPE_MXFP4, (scale_list){LIST(251, 252, 253, 254, 255), NO_SECONDS});
    listed |= check_ends(&runner, SMOE_TYPE_NVFP4, (scale_list){LIST(0x7d, 0x7e, 0x7f, 0xfe, 0xff), NO_SECONDS});
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++)
        listed |= check_ends(&runner, halves[i], (scale_list){LIST(0x7c00, 0xfc00, 0x7e00, 0x7bff), LIST(0, 1, 0xff)});
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        listed |= check_ends(&runner, pairs[i],
                             (scale_list){LIST(HALVES(0x7c00, 0x3c00), HALVES(0x3c00, 0xfc00), HALVES(0x7e00, 0),
                                               HALVES(0x3c00, 0x7e00), HALVES(0x7bff, 0xfbff)),
                                          NO_SECONDS});
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        listed |= check_ends(&runner, bytes[i],
                             (scale_list){LIST(0x013f, 0x3f01, 0, 0x1021),
                                          LIST(HALVES(0x7c00, 0x3c00), HALVES(0x3c00, 0xfc00), HALVES(0x7e00, 0),
                                               HALVES(0x3c00, 0x7e00), HALVES(0x7bff, 0x7bff))});
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        listed |= check_ends(
            &runner, wide[i],
            (scale_list){LIST(bits_of(INFINITY), bits_of(-INFINITY), bits_of(NAN), bits_of(FLT_MAX), bits_of(1e37f)),
                         NO_SECONDS});
    smoe_device_layer_destroy(runner.last);
    assert_int_equal(listed, scaled_types());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_scales, test_device_check),
        cmocka_unit_test_teardown(test_scales_elsewhere, test_device_check),
        cmocka_unit_test_teardown(test_scales_without_end, test_device_check),
        cmocka_unit_test(test_device_closes),
    };
    return cmocka_run_group_tests_name("scales", tests, test_device_setup, test_device_teardown);
}
