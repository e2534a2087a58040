/* Types of weights with scales: layouts, every code and scale, and rounding, against tests/common/blocks.c. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"

/* Those that smoe_weights_pack rounds to. */
static const smoe_type packed[] = {SMOE_TYPE_MXFP4, SMOE_TYPE_Q4, SMOE_TYPE_Q8, SMOE_TYPE_FP8, SMOE_TYPE_NVFP4};
enum { PACKED_COUNT = sizeof packed / sizeof packed[0] };

/* The first type with scales from `type` on, or none with a name. */
static smoe_type scaled_from(uint32_t type)
{
    while (smoe_type_name((smoe_type)type) && !smoe_type_has_scales((smoe_type)type))
        type++;
    return (smoe_type)type;
}

#define EVERY_SCALED_TYPE(type)                                                                                        \
    smoe_type type = scaled_from(0);                                                                                   \
    smoe_type_name(type);                                                                                              \
    type = scaled_from(type + 1u)

/* Bits that are equal; every NaN is. */
static bool is_same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static smoe_weights_rows rows_of(smoe_type type, uint32_t rows, uint32_t columns, unsigned char *stored)
{
    smoe_weights_rows all;
    assert_true(smoe_weights_rows_get(type, rows, columns, stored, &all));
    return all;
}

/* As weights.h's table has them. */
static double bits_of(smoe_type type)
{
    static const double bits[] = {
        [SMOE_TYPE_MXFP4] = 4.25,   [SMOE_TYPE_Q4] = 4.5,      [SMOE_TYPE_Q8] = 8.5,      [SMOE_TYPE_FP8] = 8.002,
        [SMOE_TYPE_NVFP4] = 4.5,    [SMOE_TYPE_IQ4] = 4.5,     [SMOE_TYPE_IQ4_XS] = 4.3125, [SMOE_TYPE_Q4_MIN] = 5,
        [SMOE_TYPE_Q4_ZERO] = 4.75, [SMOE_TYPE_Q4_K] = 4.625,  [SMOE_TYPE_Q8_MIN] = 9,    [SMOE_TYPE_Q8_ZERO] = 8.75,
        [SMOE_TYPE_Q8_K] = 8.625,   [SMOE_TYPE_Q6_K] = 8.5625, [SMOE_TYPE_Q8_ROWS] = 8.25, [SMOE_TYPE_FP8_ROWS] = 8.25,
    };
    assert_true((size_t)type < sizeof bits / sizeof bits[0]);
    return bits[type];
}

static bool may_be_partial(smoe_type type)
{
    return test_block_kind_of(type).block_columns == 128;
}

static void check_layout(smoe_type type, uint32_t rows, uint32_t columns)
{
    const test_block_layout want = test_block_layout_of(type, rows, columns);
    unsigned char unread[1];
    smoe_weights_layout layout;
    assert_true(smoe_weights_layout_get(type, rows, columns, &layout));
    const smoe_weights_rows all = rows_of(type, rows, columns, unread);
    assert_int_equal(layout.row_size, want.row_size);
    assert_int_equal(layout.scales_offset, want.scales_at);
    assert_int_equal(layout.second_offset, want.second_at);
    assert_int_equal(layout.factor_offset, want.factor_at);
    assert_int_equal(layout.size, want.size);
    assert_int_equal(smoe_weights_size(type, 3, rows, columns), 3 * want.size);
    assert_ptr_equal(all.rows, unread);
    assert_true((unsigned char *)all.scales == unread + want.scales_at);
    assert_true(want.second_at ? (unsigned char *)all.second_scales == unread + want.second_at : !all.second_scales);
    assert_true(all.factor == 1);
}

static void test_layouts(void **state)
{
    smoe_weights_layout layout = {.size = 7};
    smoe_weights_rows rows = {.row_count = 7};
    unsigned char unread[1];
    (void)state;
    for (EVERY_SCALED_TYPE(type)) {
        const uint64_t size = smoe_weights_size(type, 3, 4096, 4096);
        const uint32_t unit = type == SMOE_TYPE_NVFP4 ? 16 : test_block_kind_of(type).second_columns == 256 ? 256 : 32;
        assert_true(fabs((double)size * 8 / (3.0 * 4096 * 4096) - bits_of(type)) < 0.0005);
        assert_int_equal(smoe_type_size(type, 32), 0);
        assert_int_equal(smoe_weights_size(type, 1, 0, 256), 0);
        assert_int_equal(smoe_weights_size(type, 1, 256, 0), 0);
        assert_int_equal(smoe_weights_size(type, 1, 3, 257) > 0, may_be_partial(type));
        assert_int_equal(smoe_weights_size(type, 1, 3, unit / 2) > 0, may_be_partial(type));
        for (uint32_t n = 1; n < 6; n++)
            check_layout(type, 2 * n - 1, n * unit);
        if (may_be_partial(type))
            check_layout(type, 129, 257);
    }
    assert_true(smoe_weights_layout_get(SMOE_TYPE_FLOAT16, 3, 5, &layout));
    assert_int_equal(layout.size, 30);
    layout.size = 7;
    assert_false(smoe_weights_layout_get((smoe_type)99, 3, 32, &layout));
    assert_false(smoe_weights_layout_get(SMOE_TYPE_FLOAT32, SMOE_MAX_WIDTH + 1, 1, &layout));
    assert_false(smoe_weights_layout_get(SMOE_TYPE_FLOAT32, 1, SMOE_MAX_WIDTH + 1, &layout));
    assert_int_equal(smoe_weights_size(SMOE_TYPE_MXFP4, UINT64_MAX / 500, 32, 32), 0);
    assert_false(smoe_weights_layout_get(SMOE_TYPE_Q4, 3, 48, &layout));
    assert_int_equal(layout.size, 7);
    assert_false(smoe_weights_rows_get(SMOE_TYPE_Q4, 3, 48, unread, &rows));
    assert_false(smoe_weights_rows_get(SMOE_TYPE_Q4, 3, 32, NULL, &rows));
    assert_int_equal(rows.row_count, 7);
}

/* Of q8_k 24 bits hold d s q where s has 6 bits and q 5, as in files; else it may be rounded before the sum. */
static bool is_right(smoe_type type, uint32_t code, const unsigned char *scale, const unsigned char *second, float got,
                     float want)
{
    const unsigned char without_m[2] = {scale[0], 0};
    if (type == SMOE_TYPE_Q8_K && (code > 31 || *scale > 63) && isfinite(want))
        return fabs((double)got - (double)want) <=
               0x1p-23 * (fabs((double)test_block_weight(type, code, without_m, second)) + fabs((double)want));
    return is_same(got, want);
}

/* A row with each code, whose scales are all as given. */
static void check_codes(smoe_type type, const unsigned char scale[4], const unsigned char second[4])
{
    enum { COLUMNS = 256 };
    const test_block_kind kind = test_block_kind_of(type);
    unsigned char stored[COLUMNS * 2];
    float got[COLUMNS];
    const smoe_weights_rows row = rows_of(type, 1, COLUMNS, stored);
    for (uint32_t i = 0; i < COLUMNS; i++)
        stored[i] = (unsigned char)(kind.element_bits == 8 ? i : i * 0x11u + i / 16); /* of 4 bits: twice as many */
    for (uint32_t k = 0; k < COLUMNS; k += kind.block_columns)
        memcpy(stored + test_block_scale_at(type, 1, COLUMNS, 0, k), scale, kind.scale_size);
    for (uint32_t k = 0; kind.second_size && k < COLUMNS; k += kind.second_columns)
        memcpy(stored + test_block_second_at(type, 1, COLUMNS, 0, k), second, kind.second_size);
    assert_int_equal(smoe_weights_unpack(got, &row), SMOE_SUCCESS);
    for (uint32_t k = 0; k < COLUMNS; k++) {
        const uint32_t code = test_block_code(type, 1, COLUMNS, stored, 0, k);
        const float want = test_block_weight(type, code, scale, second);
        if (!is_right(type, code, scale, second, got[k], want))
            fail_msg("%s: code %u with scale %02x%02x%02x%02x, second %02x%02x%02x%02x is %.9g, not %.9g",
                     smoe_type_name(type), code, scale[3], scale[2], scale[1], scale[0], second[3], second[2],
                     second[1], second[0], (double)got[k], (double)want);
    }
}

/* Every byte, and halves of every kind, with whatever else there is at random. */
static void test_every_code_and_scale(void **state)
{
    const float floats[] = {0, -0.0f, 1, -3.25f, FLT_MIN, FLT_MIN / 8, FLT_TRUE_MIN, FLT_MAX, 1e36f, INFINITY, NAN};
    test_random random = test_random_make(test_seed(), 4);
    (void)state;
    for (EVERY_SCALED_TYPE(type))
        for (uint32_t half = 0; half < 1u << 16; half += half < 1040 || half > 31700 ? 7 : 37) {
            unsigned char bytes[8];
            for (int i = 0; i < 8; i++)
                bytes[i] = (unsigned char)test_random_below(&random, 256);
            unsigned char *const swept = half % 2 && test_block_kind_of(type).second_size ? bytes + 4 : bytes;
            swept[0] = (unsigned char)half;
            swept[1] = (unsigned char)(half >> 8);
            check_codes(type, bytes, bytes + 4);
        }
    for (EVERY_SCALED_TYPE(type))
        for (uint32_t i = 0; i < 256; i++)
            check_codes(type, (unsigned char[4]){(unsigned char)i, 0x3c, (unsigned char)i, 0xbc},
                        (unsigned char[4]){(unsigned char)i, 0x3c, 0x21, 0x03});
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        unsigned char bytes[4];
        memcpy(bytes, &floats[i], sizeof bytes);
        check_codes(SMOE_TYPE_FP8, bytes, bytes);
        check_codes(SMOE_TYPE_FP8_ROWS, bytes, bytes);
        check_codes(SMOE_TYPE_Q8_ROWS, bytes, bytes);
    }
}

/* Rows and blocks each with scales of their own, from files of every kind. */
static void test_matrices(void **state)
{
    test_random random = test_random_make(test_seed(), 3);
    (void)state;
    for (EVERY_SCALED_TYPE(type)) {
        const uint32_t rows = 3, columns = may_be_partial(type) ? 397 : type == SMOE_TYPE_NVFP4 ? 528 : 512;
        const size_t count = (size_t)rows * columns;
        unsigned char *stored = test_malloc((size_t)smoe_weights_size(type, 1, rows, columns));
        float *want = test_malloc(count * sizeof *want), *got = test_malloc(count * sizeof *got), factor;
        test_blocks_fill(type, 1, rows, columns, 2, &random, stored, want, &factor);
        const smoe_weights_rows all = rows_of(type, rows, columns, stored);
        assert_int_equal(smoe_weights_unpack(got, &all), SMOE_SUCCESS);
        for (size_t i = 0; i < count; i++) {
            assert_true(is_same(got[i], want[i]));
            assert_true(fabsf(got[i] * factor) < 4.1f);
        }
        test_free(stored);
        test_free(want);
        test_free(got);
    }
}

/* The largest element of a type that is rounded to. */
static float largest_of(smoe_type type)
{
    return type == SMOE_TYPE_Q8 ? 127 : test_block_kind_of(type).largest;
}

/* What an element may be off by, for a block whose largest size is `most`; weights.h's words. */
static double allowed_error(smoe_type type, double value, double most, double factor)
{
    const double half_ulp = 0x1p-11 * fabs(value) + 0x1p-25 * (double)largest_of(type);
    switch (type) {
    case SMOE_TYPE_MXFP4: return most / 4 * 1.000001;      /* 8 less 6, of 8; half a step of 2 is less */
    case SMOE_TYPE_Q4: return most / 8 * 1.001 + half_ulp; /* 7 steps are the most on the side without the largest */
    case SMOE_TYPE_Q8: return most / 127 / 2 * 1.001 + half_ulp;
    case SMOE_TYPE_NVFP4: return (most / 6 * 1.0625 + fabs(value) / 16 + 8 * 0x1p-10 * factor) * 1.000001;
    default: return fmax(fabs(value) / 16, most / 448 * 0x1p-10) * 1.000001;
    }
}

static void check_rounding(smoe_type type, uint32_t rows, uint32_t columns, float limit, test_random *random)
{
    const size_t count = (size_t)rows * columns;
    const uint32_t across = test_block_kind_of(type).block_columns, down = test_block_kind_of(type).block_rows;
    float *from = test_malloc(count * sizeof *from), *to = test_malloc(count * sizeof *to);
    unsigned char *stored = test_malloc((size_t)smoe_weights_size(type, 1, rows, columns));
    smoe_weights_rows all = rows_of(type, rows, columns, stored);
    for (size_t i = 0; i < count; i++)
        from[i] = i % 11 == 3 ? 0 : i % 13 == 5 ? -0.0f : test_random_uniform(random, -limit, limit);
    all.factor = smoe_weights_factor(type, from, SMOE_TYPE_FLOAT32, count);
    assert_int_equal(smoe_weights_pack(&all, from, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
    test_blocks_read(type, 1, rows, columns, stored, to);
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t k = 0; k < columns; k++) {
            double most = 0;
            for (uint32_t y = r / down * down; y < rows && y < r / down * down + down; y++)
                for (uint32_t x = k / across * across; x < columns && x < k / across * across + across; x++)
                    most = fmax(most, fabs((double)from[(size_t)y * columns + x]));
            const double factor = (double)all.factor, value = (double)from[(size_t)r * columns + k],
                         got = factor * (double)to[(size_t)r * columns + k];
            if (!(fabs(got - value) <= (value == 0 ? 0 : allowed_error(type, value, most, factor))))
                fail_msg("%s: %g became %g where the largest is %g", smoe_type_name(type), value, got, most);
        }
    test_free(from);
    test_free(to);
    test_free(stored);
}

static void test_rounding(void **state)
{
    static const float limits[] = {1, 0.02f, 300, 1e-3f};
    test_random random = test_random_make(test_seed(), 5);
    (void)state;
    for (int i = 0; i < PACKED_COUNT; i++)
        for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
            check_rounding(packed[i], 3, 64, limits[k], &random);
            check_rounding(packed[i], 1, 32, limits[k], &random);
        }
    check_rounding(SMOE_TYPE_FP8, 131, 37, 2, &random);
}

/* What a type holds stays as it is, also by rows and from 16 bits. */
static void test_what_fits_stays(void **state)
{
    enum { ROWS = 130, COLUMNS = 160 };
    static float from[ROWS * COLUMNS], to[ROWS * COLUMNS];
    static unsigned char stored[ROWS * COLUMNS * 2], parts[ROWS * COLUMNS * 2];
    static uint16_t halves[ROWS * COLUMNS];
    test_random random = test_random_make(test_seed(), 6);
    (void)state;
    for (int i = 0; i < PACKED_COUNT; i++) {
        const smoe_type type = packed[i];
        const uint32_t whole = type == SMOE_TYPE_FP8 ? 128 : 3;
        const size_t size = (size_t)smoe_weights_size(type, 1, ROWS, COLUMNS);
        smoe_weights_layout layout;
        const smoe_weights_rows all = rows_of(type, ROWS, COLUMNS, stored);
        assert_true(smoe_weights_layout_get(type, ROWS, COLUMNS, &layout));
        /* Powers of two below the largest, which every block has: each type has them all. */
        for (uint32_t k = 0; k < ROWS * COLUMNS; k++)
            from[k] = k % 16 == 0 ? -largest_of(type) : ldexpf(1, (int)test_random_below(&random, 2));
        for (uint32_t k = 0; k < ROWS * COLUMNS; k++)
            halves[k] = 0;
        assert_int_equal(smoe_type_convert(halves, SMOE_TYPE_FLOAT16, from, SMOE_TYPE_FLOAT32, ROWS * COLUMNS),
                         SMOE_SUCCESS);
        memset(stored, 0xee, size);
        memset(parts, 0xdd, size);
        assert_int_equal(smoe_weights_pack(&all, from, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
        assert_int_equal(smoe_weights_unpack(to, &all), SMOE_SUCCESS);
        for (uint32_t k = 0; k < ROWS * COLUMNS; k++)
            assert_true(to[k] == from[k]);
        for (uint32_t row = 0; row < ROWS; row += whole) {
            const uint32_t count = ROWS - row < whole ? ROWS - row : whole;
            const smoe_weights_rows some = {.type = type,
                                            .row_count = count,
                                            .columns = COLUMNS,
                                            .rows = parts + row * layout.row_size,
                                            .scales = parts + layout.scales_offset +
                                                      row / layout.block_rows * layout.scale_row_size};
            assert_int_equal(smoe_weights_pack(&some, halves + (size_t)row * COLUMNS, SMOE_TYPE_FLOAT16), SMOE_SUCCESS);
        }
        assert_memory_equal(parts, stored, layout.scales_offset);
        assert_memory_equal(parts + layout.scales_offset, stored + layout.scales_offset,
                            layout.scale_row_size * ((ROWS + layout.block_rows - 1) / layout.block_rows));
    }
}

/* Every value that fp8 has becomes its own code again beside the largest one. */
static void test_own_codes(void **state)
{
    unsigned char stored[2 * 256 + 16];
    float values[256], got[256];
    const smoe_weights_rows rows = rows_of(SMOE_TYPE_FP8, 1, 256, stored);
    (void)state;
    for (uint32_t code = 0; code < 256; code++)
        values[code] = (code & 127) == 127 ? 448 : test_block_element(SMOE_TYPE_FP8, code);
    assert_int_equal(smoe_weights_pack(&rows, values, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
    assert_int_equal(smoe_weights_unpack(got, &rows), SMOE_SUCCESS);
    for (uint32_t code = 0; code < 256; code++) {
        assert_true(got[code] == values[code]);
        assert_int_equal(stored[code], (code & 127) == 127 ? 0x7e : code);
    }
}

static void test_extremes(void **state)
{
    unsigned char stored[64];
    float values[32], got[32];
    (void)state;
    for (int i = 0; i < PACKED_COUNT; i++) {
        const smoe_weights_rows rows = rows_of(packed[i], 1, 32, stored);
        const float bad[] = {NAN, INFINITY, -INFINITY};
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            for (int j = 0; j < 32; j++)
                values[j] = (float)j;
            values[7] = bad[k];
            assert_int_equal(smoe_weights_pack(&rows, values, SMOE_TYPE_FLOAT32), SMOE_ERROR_UNSUPPORTED);
        }
        memset(values, 0, sizeof values);
        assert_int_equal(smoe_weights_pack(&rows, values, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
        assert_int_equal(smoe_weights_unpack(got, &rows), SMOE_SUCCESS);
        for (int j = 0; j < 32; j++)
            assert_true(got[j] == 0);
        values[3] = 3e38f; /* a scale of float16 ends at 65504 */
        const bool half = packed[i] == SMOE_TYPE_Q4 || packed[i] == SMOE_TYPE_Q8;
        assert_int_equal(smoe_weights_pack(&rows, values, SMOE_TYPE_FLOAT32),
                         half ? SMOE_ERROR_UNSUPPORTED : SMOE_SUCCESS);
        for (int j = 0; j < 32; j++)
            values[j] = FLT_TRUE_MIN * (float)(j + 1);
        assert_int_equal(smoe_weights_pack(&rows, values, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
        assert_int_equal(smoe_weights_unpack(got, &rows), SMOE_SUCCESS);
        for (int j = 0; j < 32; j++)
            assert_true(fabsf(got[j]) <= 0x1p-126f);
    }
}

static void test_factors(void **state)
{
    const float values[] = {0.25f, -3, 1}, bad[] = {1, NAN}, zeros[2] = {0, 0};
    const uint16_t halves[] = {0x3c00, 0xc600}; /* 1, -6 */
    unsigned char stored[64];
    float wide[32] = {0};
    (void)state;
    assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, values, SMOE_TYPE_FLOAT32, 3) == 3.0f / (6 * 448));
    assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, values, SMOE_TYPE_FLOAT32, 1) == 0.25f / (6 * 448));
    assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, halves, SMOE_TYPE_FLOAT16, 2) == 6.0f / (6 * 448));
    assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, zeros, SMOE_TYPE_FLOAT32, 2) == FLT_MIN);
    assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, bad, SMOE_TYPE_FLOAT32, 2) == 1);
    assert_true(smoe_weights_factor(SMOE_TYPE_Q4, values, SMOE_TYPE_FLOAT32, 3) == 1);
    assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, NULL, SMOE_TYPE_FLOAT32, 3) == 0);
    assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, values, SMOE_TYPE_Q8, 3) == 0);
    assert_true(smoe_weights_factor((smoe_type)99, values, SMOE_TYPE_FLOAT32, 3) == 0);
    for (int i = 0; i < 301; i++) { /* wherever the largest is */
        float many[301] = {0};
        many[i] = -2;
        assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, many, SMOE_TYPE_FLOAT32, 301) == 2.0f / (6 * 448));
        assert_true(smoe_weights_factor(SMOE_TYPE_NVFP4, many, SMOE_TYPE_FLOAT32, (uint64_t)i) == FLT_MIN);
    }
    for (int i = 0; i < PACKED_COUNT; i++) { /* elements are divided by it, where the type has one */
        smoe_weights_rows rows = rows_of(packed[i], 1, 32, stored);
        const bool divided = test_block_kind_of(packed[i]).factor;
        rows.factor = 0.5f;
        wide[0] = wide[16] = -largest_of(packed[i]);
        assert_int_equal(smoe_weights_pack(&rows, wide, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
        assert_int_equal(smoe_weights_unpack(wide, &rows), SMOE_SUCCESS);
        assert_true(wide[0] == -largest_of(packed[i]) * (divided ? 2 : 1));
        const float refused[] = {-1, INFINITY, NAN};
        for (int k = 0; k < 3; k++) {
            rows.factor = refused[k];
            assert_int_equal(smoe_weights_pack(&rows, wide, SMOE_TYPE_FLOAT32),
                             divided ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_SUCCESS);
        }
        rows.factor = 0;
        assert_int_equal(smoe_weights_pack(&rows, wide, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
        assert_int_equal(smoe_weights_unpack(wide, &rows), SMOE_SUCCESS);
        assert_true(wide[0] == -largest_of(packed[i]) * (divided ? 2 : 1));
    }
}

static void test_types_that_pack(void **state)
{
    static unsigned char stored[1024];
    static const float values[256];
    (void)state;
    for (smoe_type type = 0; smoe_type_name(type); type++) {
        bool packs = !smoe_type_has_scales(type);
        for (int i = 0; i < PACKED_COUNT; i++)
            packs = packs || packed[i] == type;
        const smoe_weights_rows row = rows_of(type, 1, 256, stored);
        assert_int_equal(smoe_weights_can_pack(type), packs);
        assert_int_equal(smoe_weights_pack(&row, values, SMOE_TYPE_FLOAT32),
                         packs ? SMOE_SUCCESS : SMOE_ERROR_UNSUPPORTED);
    }
    assert_false(smoe_weights_can_pack((smoe_type)99));
}

static void test_arguments(void **state)
{
    unsigned char stored[64];
    float values[32] = {1};
    const smoe_weights_rows good = rows_of(SMOE_TYPE_Q8, 1, 32, stored);
    smoe_weights_rows bad[5] = {good, good, good, good, good};
    (void)state;
    bad[0].type = (smoe_type)99;
    bad[1].columns = 33;
    bad[2].rows = NULL;
    bad[3].scales = NULL;
    bad[4].row_count = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(smoe_weights_pack(&bad[i], values, SMOE_TYPE_FLOAT32), SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(smoe_weights_unpack(values, &bad[i]), SMOE_ERROR_INVALID_ARGUMENT);
    }
    static unsigned char large[1024];
    static float many[256];
    smoe_weights_rows no_second = rows_of(SMOE_TYPE_Q4_K, 1, 256, large);
    no_second.second_scales = NULL;
    assert_int_equal(smoe_weights_unpack(many, &no_second), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_pack(&good, NULL, SMOE_TYPE_FLOAT32), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_pack(&good, values, SMOE_TYPE_Q8), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_pack(NULL, values, SMOE_TYPE_FLOAT32), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_unpack(NULL, &good), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_unpack(values, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_type_convert(values, SMOE_TYPE_FLOAT32, stored, SMOE_TYPE_Q8, 32),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_pack(&good, values, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),         cmocka_unit_test(test_every_code_and_scale),
        cmocka_unit_test(test_matrices),        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_what_fits_stays), cmocka_unit_test(test_own_codes),
        cmocka_unit_test(test_extremes),        cmocka_unit_test(test_factors),
        cmocka_unit_test(test_types_that_pack), cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
