/* Types of weights with scales: layouts, every code and scale, and rounding, against tests/common/blocks.c. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"

static const smoe_type scaled[] = {SMOE_TYPE_MXFP4, SMOE_TYPE_Q4, SMOE_TYPE_Q8, SMOE_TYPE_FP8};
enum { SCALED_COUNT = sizeof scaled / sizeof scaled[0] };

/* Bits that are equal; every NaN is. */
static bool is_same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static smoe_weights_rows rows_of(smoe_type type, uint32_t rows, uint32_t columns, unsigned char *stored)
{
    smoe_weights_layout layout;
    assert_true(smoe_weights_layout_get(type, rows, columns, &layout));
    return (smoe_weights_rows){type, rows, columns, stored, stored + layout.scales_offset};
}

static void test_layouts(void **state)
{
    static const double bits[] = {4.25, 4.5, 8.5, 8.002};
    smoe_weights_layout layout = {.size = 7};
    (void)state;
    for (int i = 0; i < SCALED_COUNT; i++) {
        const uint64_t size = smoe_weights_size(scaled[i], 3, 4096, 4096);
        assert_true(fabs((double)size * 8 / (3.0 * 4096 * 4096) - bits[i]) < 0.0005);
        assert_int_equal(smoe_type_size(scaled[i], 32), 0);
        assert_int_equal(smoe_weights_size(scaled[i], 1, 0, 32), 0);
        assert_int_equal(smoe_weights_size(scaled[i], 1, 32, 0), 0);
        assert_int_equal(smoe_weights_size(scaled[i], 1, 3, 33) > 0, scaled[i] == SMOE_TYPE_FP8);
        assert_true(smoe_weights_layout_get(scaled[i], 5, 96, &layout));
        assert_true(layout.row_size % 16 == 0 && layout.size % 16 == 0 && layout.scales_offset == 5 * layout.row_size);
    }
    assert_true(smoe_weights_layout_get(SMOE_TYPE_FP8, 129, 257, &layout));
    assert_int_equal(layout.row_size, 272);
    assert_int_equal(layout.scale_row_size, 3 * 4);
    assert_int_equal(layout.size, (129 * 272 + 2 * 3 * 4 + 15) / 16 * 16);
    assert_true(smoe_weights_layout_get(SMOE_TYPE_FLOAT16, 3, 5, &layout));
    assert_int_equal(layout.size, 30);
    layout.size = 7;
    assert_false(smoe_weights_layout_get((smoe_type)99, 3, 32, &layout));
    assert_false(smoe_weights_layout_get(SMOE_TYPE_FLOAT32, SMOE_MAX_WIDTH + 1, 1, &layout));
    assert_false(smoe_weights_layout_get(SMOE_TYPE_FLOAT32, 1, SMOE_MAX_WIDTH + 1, &layout));
    assert_int_equal(smoe_weights_size(SMOE_TYPE_MXFP4, UINT64_MAX / 500, 32, 32), 0);
    assert_false(smoe_weights_layout_get(SMOE_TYPE_Q4, 3, 48, &layout));
    assert_int_equal(layout.size, 7);
}

/* A block of 32 with each code, for a scale that is given as it is stored. */
static void check_codes(smoe_type type, const unsigned char *scale, size_t scale_size)
{
    unsigned char stored[64];
    float got[32];
    const uint32_t bits = type == SMOE_TYPE_MXFP4 || type == SMOE_TYPE_Q4 ? 4 : 8;
    const smoe_weights_rows rows = rows_of(type, 1, 32, stored);
    for (uint32_t first = 0; first < 1u << bits; first += 32) {
        for (uint32_t k = 0; k < 32; k++) {
            const uint32_t code = (first + k) & ((1u << bits) - 1);
            unsigned char *byte = &stored[bits == 4 ? k / 2 : k];
            *byte = (unsigned char)(bits == 4 ? (k % 2 ? (*byte & 15u) | code << 4 : code) : code);
        }
        memcpy(rows.scales, scale, scale_size);
        assert_int_equal(smoe_weights_unpack(got, &rows), SMOE_SUCCESS);
        for (uint32_t k = 0; k < 32; k++) {
            const uint32_t code = (first + k) & ((1u << bits) - 1);
            const float want = test_block_element(type, code) * test_block_scale(type, scale);
            if (!is_same(got[k], want))
                fail_msg("%s: code %u times scale %g is %g, not %g", smoe_type_name(type), code,
                         (double)test_block_scale(type, scale), (double)got[k], (double)want);
        }
    }
}

static void test_every_code_and_scale(void **state)
{
    const float floats[] = {0, -0.0f, 1, -3.25f, FLT_MIN, FLT_MIN / 8, FLT_TRUE_MIN, FLT_MAX, 1e36f, INFINITY, NAN};
    (void)state;
    for (uint32_t code = 0; code < 256; code++)
        check_codes(SMOE_TYPE_MXFP4, &(unsigned char){(unsigned char)code}, 1);
    for (uint32_t half = 0; half < 1u << 16; half += half < 1040 || half > 31700 ? 1 : 37) {
        const unsigned char scale[2] = {(unsigned char)half, (unsigned char)(half >> 8)};
        check_codes(SMOE_TYPE_Q4, scale, sizeof scale);
        check_codes(SMOE_TYPE_Q8, scale, sizeof scale);
    }
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++)
        check_codes(SMOE_TYPE_FP8, (const unsigned char *)&floats[i], sizeof floats[i]);
}

/* The largest element of a type. */
static float largest_of(smoe_type type)
{
    return type == SMOE_TYPE_MXFP4 ? 6 : type == SMOE_TYPE_Q4 ? 8 : type == SMOE_TYPE_Q8 ? 127 : 448;
}

/* What an element may be off by, for a block whose largest size is `most`; weights.h's words. */
static double allowed_error(smoe_type type, double value, double most)
{
    const double half_ulp = 0x1p-11 * fabs(value) + 0x1p-25 * largest_of(type);
    switch (type) {
    case SMOE_TYPE_MXFP4: return most / 4 * 1.000001;      /* 8 less 6, of 8; half a step of 2 is less */
    case SMOE_TYPE_Q4: return most / 8 * 1.001 + half_ulp; /* 7 steps are the most on the side without the largest */
    case SMOE_TYPE_Q8: return most / 127 / 2 * 1.001 + half_ulp;
    default: return fmax(fabs(value) / 16, most / 448 * 0x1p-10) * 1.000001;
    }
}

static void check_rounding(smoe_type type, uint32_t rows, uint32_t columns, float limit, test_random *random)
{
    const size_t count = (size_t)rows * columns;
    const uint32_t across = type == SMOE_TYPE_FP8 ? 128 : 32, down = type == SMOE_TYPE_FP8 ? 128 : 1;
    float *from = test_malloc(count * sizeof *from), *to = test_malloc(count * sizeof *to);
    unsigned char *stored = test_malloc((size_t)smoe_weights_size(type, 1, rows, columns));
    const smoe_weights_rows all = rows_of(type, rows, columns, stored);
    for (size_t i = 0; i < count; i++)
        from[i] = i % 11 == 3 ? 0 : i % 13 == 5 ? -0.0f : test_random_uniform(random, -limit, limit);
    assert_int_equal(smoe_weights_pack(&all, from, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
    test_blocks_read(type, 1, rows, columns, stored, to);
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t k = 0; k < columns; k++) {
            double most = 0;
            for (uint32_t y = r / down * down; y < rows && y < r / down * down + down; y++)
                for (uint32_t x = k / across * across; x < columns && x < k / across * across + across; x++)
                    most = fmax(most, fabs((double)from[(size_t)y * columns + x]));
            const double value = (double)from[(size_t)r * columns + k], got = (double)to[(size_t)r * columns + k];
            if (!(fabs(got - value) <= (value == 0 ? 0 : allowed_error(type, value, most))))
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
    for (int i = 0; i < SCALED_COUNT; i++)
        for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
            check_rounding(scaled[i], 3, 64, limits[k], &random);
            check_rounding(scaled[i], 1, 32, limits[k], &random);
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
    for (int i = 0; i < SCALED_COUNT; i++) {
        const smoe_type type = scaled[i];
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
            const smoe_weights_rows some = {type, count, COLUMNS, parts + row * layout.row_size,
                                            parts + layout.scales_offset +
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
    for (int i = 0; i < SCALED_COUNT; i++) {
        const smoe_weights_rows rows = rows_of(scaled[i], 1, 32, stored);
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
        const bool half = scaled[i] == SMOE_TYPE_Q4 || scaled[i] == SMOE_TYPE_Q8;
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
        cmocka_unit_test(test_layouts),   cmocka_unit_test(test_every_code_and_scale),
        cmocka_unit_test(test_rounding),  cmocka_unit_test(test_what_fits_stays),
        cmocka_unit_test(test_own_codes), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
