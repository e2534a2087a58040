/* Sources converted, against decode.c: random bytes of every format in shapes of every kind, whole and in parts, and
 * every scale. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "matrix.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* What the type holds is the weight, rounded once: exactly it, where a power of two has been taken out of it. */
static void check_values(const matrix *m, unsigned char *stored)
{
    const smoe_weights_source *s = &m->source;
    const double factor = s->multiplier || s->divisor ? 1 : (double)m->factor;
    float *got = test_malloc((size_t)s->rows * s->columns * sizeof *got);
    smoe_weights_rows rows;
    assert_true(smoe_weights_rows_get(m->type, s->rows, s->columns, stored, &rows));
    assert_int_equal(smoe_weights_unpack(got, &rows), SMOE_SUCCESS);
    for (uint32_t n = 0; n < s->rows; n++)
        for (uint32_t k = 0; k < s->columns; k++) {
            const double want = test_source_weight(s, n, k), value = (double)got[(size_t)n * s->columns + k];
            if (!is_same(value, (double)(float)(want / factor)) || (factor != 1 && !is_same(value * factor, want)))
                fail_msg("%s as %s [%u,%u], seed %llu: row %u, column %u: %.17g times %g, not %.17g",
                         smoe_weights_format_name(s->format), smoe_type_name(m->type), s->rows, s->columns,
                         (unsigned long long)test_seed(), n, k, value, factor, want);
        }
    test_free(got);
}

static bool is_all(const unsigned char *bytes, uint64_t from, uint64_t end, unsigned char byte)
{
    while (from < end && bytes[from] == byte)
        from++;
    return from >= end;
}

/* Two conversions, to memory that was filled with different bytes: what lies in the parts is written, with zeros behind
 * each row, and nothing else is. */
enum { FILL_WHOLE = 0xa5, FILL_PARTS = 0x5a };

static void check_written(const matrix *m, const unsigned char *whole, const unsigned char *parts)
{
    const uint32_t rows = m->source.rows;
    smoe_weights_layout layout;
    assert_true(smoe_weights_layout_get(m->type, rows, m->source.columns, &layout));
    const uint64_t scales = (rows + layout.block_rows - 1) / layout.block_rows * layout.scale_row_size;
    const uint64_t scales_end = layout.scales_offset + scales, second = rows * layout.second_row_size;
    const uint64_t end = layout.second_columns ? layout.second_offset + second : scales_end;
    const uint64_t used = (uint64_t)m->source.columns * test_block_kind_of(m->type).element_bits / 8;
    assert_memory_equal(whole, parts, layout.scales_offset);
    for (uint32_t row = 0; row < rows; row++)
        assert_true(is_all(whole, row * layout.row_size + used, (row + 1) * layout.row_size, 0));
    assert_memory_equal(whole + layout.scales_offset, parts + layout.scales_offset, scales);
    if (layout.second_columns) {
        assert_memory_equal(whole + layout.second_offset, parts + layout.second_offset, second);
        assert_true(is_all(whole, scales_end, layout.second_offset, FILL_WHOLE));
        assert_true(is_all(parts, scales_end, layout.second_offset, FILL_PARTS));
    }
    assert_true(is_all(whole, end, layout.size, FILL_WHOLE));
    assert_true(is_all(parts, end, layout.size, FILL_PARTS));
}

/* The whole matrix at once, and in parts. */
static void check_matrix(const matrix *m)
{
    const smoe_weights_source *s = &m->source;
    const size_t size = (size_t)smoe_weights_size(m->type, 1, s->rows, s->columns);
    const uint32_t unit = m->type == SMOE_TYPE_FP8 ? 128 : s->format == SMOE_FORMAT_AWQ4 ? 8 : 1;
    unsigned char *whole = test_malloc(size), *parts = test_malloc(size);
    memset(whole, FILL_WHOLE, size);
    memset(parts, FILL_PARTS, size);
    matrix_convert(m, whole, 0, s->rows);
    for (uint32_t row = 0, count = unit; row < s->rows; row += count, count += unit) {
        count = s->rows - row < count ? s->rows - row : count;
        matrix_convert(m, parts, row, count);
    }
    check_written(m, whole, parts);
    check_values(m, whole);
    test_free(whole);
    test_free(parts);
}

/* Odd N, one row, groups that are a block, several, all of K, and partial; and the type that they go to. */
static const struct {
    smoe_weights_source source;
    bool zeros;
    smoe_type type;
} shapes[] = {
    {SOURCE(MXFP4, 5, 96, .row_step = 0), false, SMOE_TYPE_MXFP4},
    {SOURCE(MXFP4, 7, 64, .row_step = 2), false, SMOE_TYPE_MXFP4},
    {SOURCE(NVFP4, 3, 48, .row_step = 1), false, SMOE_TYPE_NVFP4},
    {SOURCE(NVFP4, 3, 32, .row_step = 3), false, SMOE_TYPE_NVFP4},
    {SOURCE(FP8, 131, 257, GROUP(128, 128, FLOAT32)), false, SMOE_TYPE_FP8},
    {SOURCE(FP8, 300, 130, GROUP(256, 384, BFLOAT16)), false, SMOE_TYPE_FP8},
    {SOURCE(FP8, 257, 5, GROUP(128, 128, E8M0)), false, SMOE_TYPE_FP8},
    {SOURCE(FP8, 130, 140, GROUP(0, 0, FLOAT32)), false, SMOE_TYPE_FP8},
    {SOURCE(FP8, 5, 33, GROUP(1, 0, FLOAT32)), false, SMOE_TYPE_FP8_ROWS},
    {SOURCE(FP8, 5, 300, GROUP(1, 128, FLOAT32)), false, SMOE_TYPE_FP8_ROWS},
    {SOURCE(FP8, 131, 513, GROUP(64, 256, FLOAT16)), false, SMOE_TYPE_FP8_ROWS},
    {SOURCE(INT4, 9, 160, GROUP(1, 32, BFLOAT16)), false, SMOE_TYPE_Q4},
    {SOURCE(INT4, 4, 384, GROUP(1, 128, FLOAT16)), false, SMOE_TYPE_Q4},
    {SOURCE(INT4, 5, 96, GROUP(1, 0, FLOAT32)), false, SMOE_TYPE_Q4},
    {SOURCE(INT4, 5, 96, GROUP(0, 0, BFLOAT16)), false, SMOE_TYPE_Q4},
    {SOURCE(INT4, 3, 320, GROUP(1, 128, BFLOAT16)), false, SMOE_TYPE_Q4},
    {SOURCE(INT4, 19, 128, GROUP(1, 64, BFLOAT16)), true, SMOE_TYPE_Q4_ZERO},
    {SOURCE(INT4, 9, 96, GROUP(1, 0, FLOAT16)), true, SMOE_TYPE_Q4_ZERO},
    {SOURCE(INT8, 5, 131, GROUP(1, 0, BFLOAT16)), false, SMOE_TYPE_Q8_ROWS},
    {SOURCE(INT8, 5, 300, GROUP(1, 128, FLOAT32)), false, SMOE_TYPE_Q8_ROWS},
    {SOURCE(INT8, 5, 96, GROUP(1, 32, BFLOAT16)), false, SMOE_TYPE_Q8},
    {SOURCE(INT8, 5, 128, GROUP(1, 64, FLOAT16)), true, SMOE_TYPE_Q8_ZERO},
    {SOURCE(INT8_PACKED, 6, 130, GROUP(1, 0, BFLOAT16)), false, SMOE_TYPE_Q8_ROWS},
    {SOURCE(INT8_PACKED, 6, 64, GROUP(1, 64, BFLOAT16)), false, SMOE_TYPE_Q8_ROWS},
    {SOURCE(INT8_PACKED, 6, 192, GROUP(1, 64, BFLOAT16)), false, SMOE_TYPE_Q8},
    {SOURCE(INT8_PACKED, 7, 96, GROUP(1, 32, BFLOAT16)), true, SMOE_TYPE_Q8_ZERO},
    {SOURCE(GPTQ4, 40, 192, GROUP(1, 64, FLOAT16)), true, SMOE_TYPE_Q4_ZERO},
    {SOURCE(GPTQ4, 8, 160, GROUP(1, 0, FLOAT16)), false, SMOE_TYPE_Q4},
    {SOURCE(GPTQ4, 24, 288, GROUP(1, 128, BFLOAT16)), true, SMOE_TYPE_Q4_ZERO},
    {SOURCE(GPTQ4_V2, 8, 64, GROUP(1, 32, FLOAT16)), true, SMOE_TYPE_Q4_ZERO},
    {SOURCE(GPTQ8, 20, 128, GROUP(1, 32, FLOAT16)), true, SMOE_TYPE_Q8_ZERO},
    {SOURCE(GPTQ8, 36, 200, GROUP(1, 128, FLOAT16)), false, SMOE_TYPE_Q8_ROWS},
    {SOURCE(GPTQ8_V2, 4, 64, GROUP(1, 64, BFLOAT16)), true, SMOE_TYPE_Q8_ZERO},
    {SOURCE(AWQ4, 144, 320, GROUP(1, 64, FLOAT16)), true, SMOE_TYPE_Q4_ZERO},
    {SOURCE(AWQ4, 8, 32, GROUP(1, 32, BFLOAT16)), true, SMOE_TYPE_Q4_ZERO},
    {SOURCE(AWQ4, 136, 160, GROUP(1, 0, FLOAT16)), false, SMOE_TYPE_Q4},
    {SOURCE(GGUF_Q8_0, 35, 480, .row_step = 0), false, SMOE_TYPE_Q8},
    {SOURCE(GGUF_Q4_0, 35, 480, .row_step = 0), false, SMOE_TYPE_Q4},
    {SOURCE(GGUF_Q4_1, 35, 480, .row_step = 0), false, SMOE_TYPE_Q4_MIN},
    {SOURCE(GGUF_Q5_0, 35, 480, .row_step = 0), false, SMOE_TYPE_Q8},
    {SOURCE(GGUF_Q5_1, 35, 480, .row_step = 0), false, SMOE_TYPE_Q8_MIN},
    {SOURCE(GGUF_Q4_K, 35, 768, .row_step = 0), false, SMOE_TYPE_Q4_K},
    {SOURCE(GGUF_Q5_K, 35, 768, .row_step = 0), false, SMOE_TYPE_Q8_K},
    {SOURCE(GGUF_Q6_K, 35, 768, .row_step = 0), false, SMOE_TYPE_Q6_K},
    {SOURCE(GGUF_IQ4_NL, 35, 480, .row_step = 0), false, SMOE_TYPE_IQ4},
    {SOURCE(GGUF_IQ4_XS, 35, 768, .row_step = 0), false, SMOE_TYPE_IQ4_XS},
    {SOURCE(GGUF_MXFP4, 35, 480, .row_step = 0), false, SMOE_TYPE_MXFP4},
    {SOURCE(GGUF_NVFP4, 35, 448, .row_step = 0), false, SMOE_TYPE_NVFP4},
};

static void test_every_format(void **state)
{
    bool seen[SMOE_FORMAT_COUNT] = {false};
    test_random random = test_random_make(test_seed(), 17);
    (void)state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        matrix m = matrix_make(shapes[i].source, shapes[i].zeros, &random);
        matrix_choose_type(&m);
        if (m.type != shapes[i].type)
            fail_msg("row %zu: %s, not %s", i, smoe_type_name(m.type), smoe_type_name(shapes[i].type));
        check_matrix(&m);
        seen[m.source.format] = true;
        matrix_free(&m);
    }
    for (uint32_t i = 0; i < SMOE_FORMAT_COUNT; i++)
        if (!seen[i])
            fail_msg("no shape of %s", smoe_weights_format_name((smoe_weights_format)i));
    assert_null(smoe_weights_format_name(SMOE_FORMAT_COUNT));
}

/* The other types of a format. */
static void test_other_types(void **state)
{
    static const struct {
        smoe_weights_source source;
        smoe_type type;
    } others[] = {
        {SOURCE(FP8, 131, 257, GROUP(128, 128, FLOAT32)), SMOE_TYPE_FP8_ROWS},
        {SOURCE(INT4, 5, 96, GROUP(1, 32, BFLOAT16)), SMOE_TYPE_Q4_ZERO},
        {SOURCE(INT8, 5, 96, GROUP(1, 0, BFLOAT16)), SMOE_TYPE_Q8},
        {SOURCE(INT8_PACKED, 5, 256, GROUP(1, 128, BFLOAT16)), SMOE_TYPE_Q8_ZERO},
        {SOURCE(GPTQ8, 8, 256, GROUP(1, 128, FLOAT16)), SMOE_TYPE_Q8},
    };
    test_random random = test_random_make(test_seed(), 18);
    char reason[SMOE_REASON_SIZE];
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        matrix m = matrix_make(others[i].source, false, &random);
        m.type = others[i].type;
        if (smoe_weights_source_factor(&m.source, m.type, &m.factor, reason) != SMOE_SUCCESS)
            fail_msg("row %zu: %s", i, reason);
        check_matrix(&m);
        matrix_free(&m);
    }
}

/* ---- scales ------------------------------------------------------------------------------------------------------ */

/* One block of int4 with a scale. */
static smoe_weights_source one_block(const void *scale, smoe_scale_type type, const unsigned char elements[16])
{
    return (smoe_weights_source){
        .format = SMOE_FORMAT_INT4,
        .rows = 1,
        .columns = 32,
        .elements = {elements, 16},
        .scales = {scale, type == SMOE_SCALE_TYPE_FLOAT32 ? 4 : 2},
        .scale_type = type,
        .group_rows = 1,
        .group_columns = 32,
    };
}

/* Every bfloat16 is a float16 number times a power of two, and every float16 one stays. */
static void test_every_scale(void **state)
{
    unsigned char elements[16], stored[64];
    test_random random = test_random_make(test_seed(), 19);
    (void)state;
    for (size_t i = 0; i < sizeof elements; i++)
        elements[i] = (unsigned char)test_random_below(&random, 256);
    for (uint32_t bits = 0; bits < 1u << 16; bits++)
        for (int type = SMOE_SCALE_TYPE_FLOAT16; type <= SMOE_SCALE_TYPE_BFLOAT16; type++) {
            const uint16_t word = (uint16_t)bits;
            matrix m = {.source = one_block(&word, (smoe_scale_type)type, elements)};
            matrix_choose_type(&m);
            assert_true(type == SMOE_SCALE_TYPE_BFLOAT16 || m.factor == 1);
            matrix_convert(&m, stored, 0, 1);
            check_values(&m, stored);
        }
}

/* Two scales of a matrix, and its factor; 0: refused. */
static void test_factors(void **state)
{
    static const struct {
        float a, b, factor;
    } rows[] = {
        {1, 0x1p-14f, 1},
        {0, -0.0f, 1},
        {0x1.ffcp15f, 0x1p-14f, 1},     /* 65504, the largest */
        {0x1p16f, 1, 0x1p14f},          /* the largest would become 4 */
        {0x1p-15f, 0x1p-20f, 0x1p-15f}, /* denormal ones become normal */
        {1, 0x1p-15f, 0x1p-1f},         /* both are normal */
        {0x1p10f, 0x1p-19f, 0x1p-5f},   /* the whole range */
        {0x1p10f, 0x1p-20f, 0x1p-5f},   /* the least is denormal, and exact */
        {0x1p10f, 0x1p-29f, 0x1p-5f},   /* the least of all */
        {0x1p10f, 0x1p-30f, 0},
        {0x1p10f, 0x1.8p-29f, 0},          /* its last bit is lost */
        {0x1.ffcp100f, 0x1p90f, 0x1p100f}, /* 11 bits */
        {0x1.ffep100f, 0x1p90f, 0},        /* 12 bits */
        {1, 0x1.002p0f, 0},
        {FLT_TRUE_MIN, 0, 0x1p-126f},
        {FLT_TRUE_MIN, 1, 0},
        {INFINITY, 0x1p-20f, 0x1p-20f}, /* what is not finite counts for nothing */
        {NAN, 0x1p-20f, 0x1p-20f},
        {FLT_MAX, 1, 0},
    };
    unsigned char elements[32] = {0x18}, stored[80];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const float scales[2] = {rows[i].a, rows[i].b};
        matrix m = {.source = one_block(scales, SMOE_SCALE_TYPE_FLOAT32, elements), .type = SMOE_TYPE_Q4, .factor = -1};
        char reason[SMOE_REASON_SIZE];
        m.source.columns = 64;
        m.source.elements.size = 32;
        m.source.scales.size = 8;
        const smoe_result result = smoe_weights_source_factor(&m.source, m.type, &m.factor, reason);
        if (result != (rows[i].factor > 0 ? SMOE_SUCCESS : SMOE_ERROR_UNSUPPORTED))
            fail_msg("row %zu: %d, %s", i, (int)result, reason);
        if (result != SMOE_SUCCESS) {
            assert_non_null(strstr(reason, "source.scales"));
            continue;
        }
        if (m.factor != rows[i].factor)
            fail_msg("row %zu: factor %a, not %a", i, (double)m.factor, (double)rows[i].factor);
        matrix_convert(&m, stored, 0, 1);
        check_values(&m, stored);
    }
}

/* NVFP4's and GGUF's own factors: one rounding. */
static void test_own_factors(void **state)
{
    static const struct {
        float multiplier, divisor, factor; /* NaN: absent; refused */
    } rows[] = {
        {0.3f, NAN, 0.3f}, {NAN, 448.0f, 1.0f / 448}, {0.3f, 3, 0.3f / 3}, {0, NAN, 0},          {-2, NAN, -2},
        {NAN, 0, NAN},     {INFINITY, 1, NAN},        {1, INFINITY, NAN},  {1e-30f, 1e30f, NAN}, {0, 0, NAN},
    };
    test_random random = test_random_make(test_seed(), 20);
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const smoe_weights_source source = {
            .format = i % 2 ? SMOE_FORMAT_NVFP4 : SMOE_FORMAT_GGUF_NVFP4, .rows = 2, .columns = 64};
        matrix m = matrix_make(source, false, &random);
        char reason[SMOE_REASON_SIZE];
        float factor = -1;
        m.source.multiplier = isnan(rows[i].multiplier) ? NULL : &rows[i].multiplier;
        m.source.divisor = isnan(rows[i].divisor) ? NULL : &rows[i].divisor;
        const smoe_result result = smoe_weights_source_factor(&m.source, SMOE_TYPE_NVFP4, &factor, reason);
        if (result != (isnan(rows[i].factor) ? SMOE_ERROR_UNSUPPORTED : SMOE_SUCCESS) ||
            (result == SMOE_SUCCESS && factor != rows[i].factor))
            fail_msg("row %zu: %d, factor %a, %s", i, (int)result, (double)factor, reason);
        matrix_free(&m);
    }
}

static void test_nvfp4_scales(void **state)
{
    unsigned char block[36] = {0x7f, 0x80, 0xfe, 0x38, 0x21}, stored[64];
    matrix m = {
        .source = {.format = SMOE_FORMAT_GGUF_NVFP4, .rows = 1, .columns = 64, .elements = {block, sizeof block}}};
    smoe_weights_rows to;
    char reason[SMOE_REASON_SIZE];
    (void)state;
    matrix_choose_type(&m);
    matrix_convert(&m, stored, 0, 1);
    check_values(&m, stored);
    block[2] = 0xff;
    assert_true(smoe_weights_rows_get(SMOE_TYPE_NVFP4, 1, 64, stored, &to));
    assert_int_equal(smoe_weights_convert(&to, &m.source, 0, reason), SMOE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(reason, "row 0"));
}

/* ---- zero points ------------------------------------------------------------------------------------------------- */

static void test_zeros(void **state)
{
    static const struct {
        smoe_weights_source source;
        unsigned char middle,
            ones; /* a byte of zeros that are half of the range, and one that is refused; 0: none is */
        smoe_type type, without;
    } rows[] = {
        {SOURCE(GPTQ4, 8, 64, GROUP(1, 32, FLOAT16)), 0x77, 0x7f, SMOE_TYPE_Q4_ZERO, SMOE_TYPE_Q4},
        {SOURCE(GPTQ8, 8, 64, GROUP(1, 32, FLOAT16)), 0x7f, 0xff, SMOE_TYPE_Q8_ZERO, SMOE_TYPE_Q8},
        {SOURCE(GPTQ4_V2, 8, 64, GROUP(1, 32, FLOAT16)), 0x88, 0, SMOE_TYPE_Q4_ZERO, SMOE_TYPE_Q4},
        {SOURCE(AWQ4, 8, 64, GROUP(1, 32, FLOAT16)), 0x88, 0, SMOE_TYPE_Q4_ZERO, SMOE_TYPE_Q4},
        {SOURCE(INT4, 8, 64, GROUP(1, 32, FLOAT16)), 0x88, 0, SMOE_TYPE_Q4_ZERO, SMOE_TYPE_Q4},
        {SOURCE(INT8, 8, 64, GROUP(1, 0, FLOAT16)), 0, 0, SMOE_TYPE_Q8_ZERO, SMOE_TYPE_Q8_ROWS},
    };
    test_random random = test_random_make(test_seed(), 21);
    char reason[SMOE_REASON_SIZE];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        matrix m = matrix_make(rows[i].source, true, &random);
        memset(m.zeros, rows[i].middle, m.sizes.zeros);
        assert_int_equal(matrix_factor_result(&m, rows[i].without, reason), SMOE_SUCCESS);
        m.type = rows[i].without;
        m.factor = 1;
        check_matrix(&m);
        m.zeros[m.sizes.zeros - 1] ^= 0x10;
        assert_int_equal(matrix_factor_result(&m, rows[i].without, reason), SMOE_ERROR_UNSUPPORTED);
        assert_non_null(strstr(reason, "half of the range"));
        assert_int_equal(matrix_factor_result(&m, rows[i].type, reason), SMOE_SUCCESS);
        m.type = rows[i].type;
        check_matrix(&m);
        m.zeros[0] = rows[i].ones;
        assert_int_equal(matrix_factor_result(&m, rows[i].type, reason),
                         rows[i].ones ? SMOE_ERROR_UNSUPPORTED : SMOE_SUCCESS);
        assert_true(!rows[i].ones || strstr(reason, "all ones"));
        matrix_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format), cmocka_unit_test(test_other_types), cmocka_unit_test(test_every_scale),
        cmocka_unit_test(test_factors),      cmocka_unit_test(test_own_factors), cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_nvfp4_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
