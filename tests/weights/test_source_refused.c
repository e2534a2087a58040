/* Sources that are refused, by a result and a reason that names the argument. */
#include <math.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "matrix.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- what is refused --------------------------------------------------------------------------------------------- */

/* Shapes and groups that no type holds, and wrong arguments: arrays are there, and larger than any of these needs. */
static void test_refused(void **state)
{
    static const struct {
        smoe_weights_source source;
        smoe_result result;
        const char *text;
    } rows[] = {
        {SOURCE(FP8, 128, 128, GROUP(64, 64, FLOAT32)), SMOE_ERROR_UNSUPPORTED, "64 x 64 elements of fp8"},
        {SOURCE(FP8, 128, 256, GROUP(128, 192, FLOAT32)), SMOE_ERROR_UNSUPPORTED, "fp8_rows"},
        {SOURCE(INT4, 8, 64, GROUP(1, 16, FLOAT16)), SMOE_ERROR_UNSUPPORTED, "1 x 16 elements of int4"},
        {SOURCE(INT4, 8, 48, GROUP(1, 0, FLOAT16)), SMOE_ERROR_UNSUPPORTED, "source.columns: 48"},
        {SOURCE(INT8, 8, 60, GROUP(1, 20, FLOAT16)), SMOE_ERROR_UNSUPPORTED, "1 x 20 elements of int8"},
        {SOURCE(MXFP4, 8, 48, .row_step = 0), SMOE_ERROR_UNSUPPORTED, "source.columns: 48"},
        {SOURCE(NVFP4, 8, 40, .row_step = 0), SMOE_ERROR_UNSUPPORTED, "source.columns: 40"},
        {SOURCE(GGUF_Q4_K, 8, 128, .row_step = 0), SMOE_ERROR_UNSUPPORTED, "multiple of 256"},
        {SOURCE(GGUF_NVFP4, 8, 32, .row_step = 0), SMOE_ERROR_UNSUPPORTED, "multiple of 64"},
        {SOURCE(GPTQ4, 12, 64, GROUP(1, 32, FLOAT16)), SMOE_ERROR_UNSUPPORTED, "source.rows: 12"},
        {SOURCE(GPTQ8, 6, 64, GROUP(1, 32, FLOAT16)), SMOE_ERROR_UNSUPPORTED, "source.rows: 6"},
        {SOURCE(AWQ4, 4, 64, GROUP(1, 32, FLOAT16)), SMOE_ERROR_UNSUPPORTED, "source.rows: 4"},
        {SOURCE(GPTQ8, 8, 130, GROUP(1, 0, FLOAT16)), SMOE_ERROR_UNSUPPORTED, "source.columns: 130"},
        {SOURCE(GPTQ4, 8, 64, GROUP(0, 32, FLOAT16)), SMOE_ERROR_INVALID_ARGUMENT, "source.group_rows"},
        {SOURCE(GPTQ4, 8, 64, GROUP(1, 32, E8M0)), SMOE_ERROR_INVALID_ARGUMENT, "source.scale_type"},
        {SOURCE(COUNT, 8, 64, .row_step = 0), SMOE_ERROR_INVALID_ARGUMENT, "source.format"},
        {SOURCE(MXFP4, 0, 64, .row_step = 0), SMOE_ERROR_INVALID_ARGUMENT, "source.rows"},
        {SOURCE(MXFP4, 8, 0, .row_step = 0), SMOE_ERROR_INVALID_ARGUMENT, "source.columns"},
        {SOURCE(MXFP4, SMOE_MAX_WIDTH + 1, 32, .row_step = 0), SMOE_ERROR_INVALID_ARGUMENT, "source.rows"},
        {SOURCE(MXFP4, 1, UINT32_MAX, .row_step = 0), SMOE_ERROR_INVALID_ARGUMENT, "source.columns"},
        {SOURCE(MXFP4, 8, 64, .row_step = UINT32_MAX), SMOE_ERROR_INVALID_ARGUMENT, "source.row_step"},
        {SOURCE(FP8, 8, 64, GROUP(1, 0, FLOAT32), .row_step = 2), SMOE_ERROR_INVALID_ARGUMENT, "source.row_step"},
        {SOURCE(MXFP4, SMOE_MAX_WIDTH, SMOE_MAX_WIDTH, .row_step = SMOE_MAX_WIDTH), SMOE_ERROR_INVALID_ARGUMENT,
         "bytes"},
        {SOURCE(MXFP4, 8, 64, .multiplier = ""), SMOE_ERROR_INVALID_ARGUMENT, "source.multiplier"},
        {SOURCE(GGUF_Q4_K, 8, 256, .divisor = ""), SMOE_ERROR_INVALID_ARGUMENT, "source.divisor"},
    };
    static unsigned char bytes[1 << 17];
    const smoe_weights_array all = {bytes, sizeof bytes};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        smoe_weights_source source = rows[i].source;
        smoe_type type = SMOE_TYPE_Q8;
        char reason[SMOE_REASON_SIZE] = "";
        source.elements = source.scales = all;
        const smoe_result result = smoe_weights_source_type(&source, &type, reason);
        if (result != rows[i].result || !strstr(reason, rows[i].text) || type != SMOE_TYPE_Q8)
            fail_msg("row %zu: %d, \"%s\"", i, (int)result, reason);
        assert_int_equal(smoe_weights_source_type(&source, &type, NULL), rows[i].result);
    }
}

/* A shape of every order of arrays. */
static const struct {
    smoe_weights_source source;
    bool zeros;
} shapes[] = {
    {SOURCE(MXFP4, 5, 96, .row_step = 2), false},
    {SOURCE(NVFP4, 3, 48, .row_step = 1), false},
    {SOURCE(FP8, 131, 257, GROUP(128, 128, FLOAT32)), false},
    {SOURCE(FP8, 5, 33, GROUP(1, 0, BFLOAT16)), false},
    {SOURCE(INT4, 9, 160, GROUP(1, 32, BFLOAT16)), false},
    {SOURCE(INT4, 19, 128, GROUP(1, 64, BFLOAT16)), true},
    {SOURCE(INT8, 5, 160, GROUP(1, 0, BFLOAT16)), false},
    {SOURCE(INT8, 5, 128, GROUP(1, 64, FLOAT16)), true},
    {SOURCE(INT8_PACKED, 6, 160, GROUP(1, 0, BFLOAT16)), false},
    {SOURCE(INT8_PACKED, 7, 96, GROUP(1, 32, BFLOAT16)), true},
    {SOURCE(GPTQ4, 40, 192, GROUP(1, 64, FLOAT16)), true},
    {SOURCE(GPTQ8, 36, 256, GROUP(1, 128, FLOAT16)), false},
    {SOURCE(AWQ4, 144, 320, GROUP(1, 64, FLOAT16)), true},
    {SOURCE(GGUF_Q8_0, 5, 96, .row_step = 0), false},
    {SOURCE(GGUF_Q6_K, 3, 512, .row_step = 0), false},
};

/* Each array that is missing, or one byte short, or given to a format that has none. */
static void test_arrays(void **state)
{
    test_random random = test_random_make(test_seed(), 23);
    (void)state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        matrix m = matrix_make(shapes[i].source, shapes[i].zeros, &random);
        smoe_weights_array *const arrays[] = {&m.source.elements, &m.source.scales, &m.source.zeros};
        static const char *const names[] = {"source.elements", "source.scales", "source.zeros"};
        smoe_type type;
        char reason[SMOE_REASON_SIZE];
        for (int a = 0; a < 3; a++) {
            const smoe_weights_array kept = *arrays[a];
            if (kept.data)
                arrays[a]->size--;
            else
                *arrays[a] = (smoe_weights_array){"", 1};
            const smoe_result result = smoe_weights_source_type(&m.source, &type, reason);
            assert_true(kept.data ? result == SMOE_ERROR_INVALID_ARGUMENT : (result != SMOE_SUCCESS) == (a == 2));
            assert_true(!kept.data || strstr(reason, names[a]));
            *arrays[a] = kept;
        }
        m.source.elements.data = NULL;
        assert_int_equal(smoe_weights_source_type(&m.source, &type, reason), SMOE_ERROR_INVALID_ARGUMENT);
        matrix_free(&m);
    }
}

static void test_arguments(void **state)
{
    unsigned char stored[4096];
    smoe_weights_rows good;
    char reason[SMOE_REASON_SIZE];
    float factor;
    smoe_type type;
    test_random random = test_random_make(test_seed(), 24);
    matrix m = matrix_make((smoe_weights_source)SOURCE(AWQ4, 16, 64, GROUP(1, 32, FLOAT16)), true, &random);
    (void)state;
    assert_true(smoe_weights_rows_get(SMOE_TYPE_Q4_ZERO, 16, 64, stored, &good));
    smoe_weights_rows bad[8] = {good, good, good, good, good, good, good, good};
    bad[0].rows = NULL;
    bad[1].scales = NULL;
    bad[2].second_scales = NULL;
    bad[3].row_count = 0;
    bad[4].row_count = 17;
    bad[5].columns = 32;
    bad[6].row_count = 4; /* not 8, and not the end */
    bad[7].row_count = UINT32_MAX;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(smoe_weights_convert(&bad[i], &m.source, 0, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_convert(&good, &m.source, 4, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_convert(&good, &m.source, UINT32_MAX, reason), SMOE_ERROR_INVALID_ARGUMENT);
    bad[0] = good;
    bad[0].row_count = 8;
    assert_int_equal(smoe_weights_convert(&bad[0], &m.source, 4, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_convert(&bad[0], &m.source, 8, reason), SMOE_SUCCESS);
    bad[0].type = SMOE_TYPE_Q8;
    assert_int_equal(smoe_weights_convert(&bad[0], &m.source, 0, reason), SMOE_ERROR_UNSUPPORTED);
    assert_string_equal(reason, "q8 does not hold awq4");
    bad[0].type = (smoe_type)99;
    assert_int_equal(smoe_weights_convert(&bad[0], &m.source, 0, NULL), SMOE_ERROR_UNSUPPORTED);
    assert_int_equal(smoe_weights_convert(NULL, &m.source, 0, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_convert(&good, NULL, 0, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_source_type(NULL, &type, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_source_type(&m.source, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_source_factor(NULL, SMOE_TYPE_Q4, &factor, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_weights_source_factor(&m.source, SMOE_TYPE_Q4_ZERO, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    matrix_free(&m);
}

static void test_group_index(void **state)
{
    test_random random = test_random_make(test_seed(), 22);
    matrix m = matrix_make((smoe_weights_source)SOURCE(GPTQ4, 8, 64, GROUP(1, 32, FLOAT16)), true, &random);
    int32_t index[64];
    unsigned char stored[1024];
    smoe_weights_rows to;
    char reason[SMOE_REASON_SIZE];
    (void)state;
    for (int k = 0; k < 64; k++)
        index[k] = k / 32;
    m.source.group_index = (smoe_weights_array){index, sizeof index};
    matrix_choose_type(&m);
    index[31] = 1;
    assert_true(smoe_weights_rows_get(m.type, 8, 64, stored, &to));
    assert_int_equal(matrix_factor_result(&m, m.type, reason), SMOE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(reason, "act-order"));
    assert_int_equal(smoe_weights_convert(&to, &m.source, 0, reason), SMOE_ERROR_UNSUPPORTED);
    m.source.group_index.size--;
    assert_int_equal(matrix_factor_result(&m, m.type, reason), SMOE_ERROR_INVALID_ARGUMENT);
    matrix_free(&m);
}

/* A scale that the given factor does not suit is refused by the conversion itself. */
static void test_wrong_factors(void **state)
{
    static const float factors[] = {1, 0x1p-40f, 0.75f, INFINITY, NAN, -1};
    static const smoe_result results[] = {SMOE_ERROR_UNSUPPORTED,      SMOE_ERROR_UNSUPPORTED,
                                          SMOE_ERROR_INVALID_ARGUMENT, SMOE_ERROR_INVALID_ARGUMENT,
                                          SMOE_ERROR_INVALID_ARGUMENT, SMOE_ERROR_INVALID_ARGUMENT};
    const float scale = 0x1.8p-24f;
    unsigned char elements[16] = {0}, stored[64];
    smoe_weights_source source = SOURCE(INT4, 1, 32, GROUP(1, 32, FLOAT32));
    smoe_weights_rows to;
    char reason[SMOE_REASON_SIZE];
    (void)state;
    source.elements = (smoe_weights_array){elements, sizeof elements};
    source.scales = (smoe_weights_array){&scale, sizeof scale};
    assert_true(smoe_weights_rows_get(SMOE_TYPE_Q4, 1, 32, stored, &to));
    for (size_t i = 0; i < COUNT(factors); i++) {
        to.factor = factors[i];
        assert_int_equal(smoe_weights_convert(&to, &source, 0, reason), results[i]);
        assert_non_null(strstr(reason, results[i] == SMOE_ERROR_UNSUPPORTED ? "source.scales" : "to.factor"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_arrays),        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_group_index), cmocka_unit_test(test_wrong_factors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
