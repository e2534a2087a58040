/* float16 and bfloat16 on the host: every one of them, and the floats beside and between them. */
#include <math.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/half.h"
#include "common/random.h"
#include "smoe/smoe.h"

static uint16_t word_of(smoe_type type, float value)
{
    uint16_t word = 0;
    assert_int_equal(smoe_type_convert(&word, type, &value, SMOE_TYPE_FLOAT32, 1), SMOE_SUCCESS);
    return word;
}

static uint16_t half_of(float value)
{
    return word_of(SMOE_TYPE_FLOAT16, value);
}

static uint16_t bfloat_of(float value)
{
    return word_of(SMOE_TYPE_BFLOAT16, value);
}

static float float_of(smoe_type type, uint16_t word)
{
    float value = 0;
    assert_int_equal(smoe_type_convert(&value, SMOE_TYPE_FLOAT32, &word, type, 1), SMOE_SUCCESS);
    return value;
}

static bool same_half(uint16_t a, uint16_t b)
{
    const bool nan_a = (a & 0x7fffu) > 0x7c00u, nan_b = (b & 0x7fffu) > 0x7c00u;
    return nan_a || nan_b ? nan_a && nan_b : a == b;
}

static void check_half_of(float value)
{
    const uint16_t got = half_of(value), want = test_half_from_float(value);

    if (!same_half(got, want))
        print_error("%a: got %04x, want %04x\n", (double)value, got, want);
    assert_true(same_half(got, want));
}

/* Every half; the floats in the middle between neighbours, and those next to them; random bits. */
static void test_half_conversion(void **state)
{
    test_random random = test_random_make(test_seed(), 0x16);

    (void)state;
    for (uint32_t bits = 0; bits < 0x10000u; bits++) {
        const float value = float_of(SMOE_TYPE_FLOAT16, (uint16_t)bits), want = test_half_to_float((uint16_t)bits);
        assert_true(isnan(want) ? isnan(value) : value == want && signbit(value) == signbit(want));
        assert_true(same_half(half_of(value), (uint16_t)bits));
        if (!isfinite(value))
            continue;
        const float next =
            (bits & 0x7fffu) == 0x7bffu ? copysignf(65536.0f, value) : test_half_to_float((uint16_t)(bits + 1));
        const float middle = value + (next - value) / 2;
        check_half_of(middle);
        check_half_of(nextafterf(middle, INFINITY));
        check_half_of(nextafterf(middle, -INFINITY));
    }
    for (int i = 0; i < 1000000; i++) {
        const uint32_t bits = (uint32_t)test_random_bits(&random);
        float value;
        memcpy(&value, &bits, sizeof value);
        check_half_of(value);
    }
}

static void check_bfloat_of(float value)
{
    const uint16_t got = bfloat_of(value), want = test_bfloat16_from_float(value);
    const bool good = isnan(value) ? (got & 0x7fffu) > 0x7f80u && got >> 15 == want >> 15 : got == want;

    if (!good)
        print_error("%a: got %04x, want %04x\n", (double)value, got, want);
    assert_true(good);
}

static void test_bfloat_conversion(void **state)
{
    test_random random = test_random_make(test_seed(), 0xbf16);

    (void)state;
    for (uint32_t bits = 0; bits < 0x10000u; bits++) {
        const float value = float_of(SMOE_TYPE_BFLOAT16, (uint16_t)bits);
        const int exponent = (int)(bits >> 7 & 0xffu), fraction = (int)(bits & 0x7fu);
        const float magnitude = exponent == 255 ? INFINITY
                                : exponent    ? ldexpf((float)(128 + fraction), exponent - 134)
                                              : ldexpf((float)fraction, -133);
        assert_true(exponent == 255 && fraction ? isnan(value)
                                                : value == copysignf(magnitude, bits & 0x8000u ? -1.0f : 1.0f));
        assert_int_equal(signbit(value) != 0, bits >> 15);
        check_bfloat_of(value);
        for (uint32_t low = 0x7fff; low <= 0x8001; low++) { /* the middle between neighbours, and what is next to it */
            const uint32_t near_bits = bits << 16 | low;
            float near_value;
            memcpy(&near_value, &near_bits, sizeof near_value);
            check_bfloat_of(near_value);
        }
    }
    for (int i = 0; i < 1000000; i++) {
        const uint32_t bits = (uint32_t)test_random_bits(&random);
        float value;
        memcpy(&value, &bits, sizeof value);
        check_bfloat_of(value);
    }
}

/* From any type without scales to any, at odd places of memory; equal types keep their bits, NaN's too. */
static void test_types(void **state)
{
    const float values[] = {1.0f, -2.5f, 65504.0f, 0x1p-20f};
    unsigned char from[32], to[32], back[32];
    (void)state;
    for (int a = 0; a <= SMOE_TYPE_BFLOAT16; a++)
        for (int b = 0; b <= SMOE_TYPE_BFLOAT16; b++) {
            const size_t size = (size_t)smoe_type_size((smoe_type)a, 4);
            assert_int_equal(smoe_type_convert(from + 1, (smoe_type)a, values, SMOE_TYPE_FLOAT32, 4), SMOE_SUCCESS);
            assert_int_equal(smoe_type_convert(to + 3, (smoe_type)b, from + 1, (smoe_type)a, 4), SMOE_SUCCESS);
            assert_int_equal(smoe_type_convert(back + 1, (smoe_type)a, to + 3, (smoe_type)b, 2), SMOE_SUCCESS);
            assert_memory_equal(back + 1, from + 1, size / 2); /* 1 and -2.5, which every type has */
        }
    const uint16_t nan = 0xfe01;
    uint16_t kept = 0;
    assert_int_equal(smoe_type_convert(&kept, SMOE_TYPE_FLOAT16, &nan, SMOE_TYPE_FLOAT16, 1), SMOE_SUCCESS);
    assert_int_equal(kept, nan);
}

static void test_arguments(void **state)
{
    float value = 1;
    (void)state;
    assert_int_equal(smoe_type_convert(&value, (smoe_type)99, &value, SMOE_TYPE_FLOAT32, 1),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_type_convert(&value, SMOE_TYPE_FLOAT32, &value, (smoe_type)-1, 1),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_type_convert(NULL, SMOE_TYPE_FLOAT32, &value, SMOE_TYPE_FLOAT16, 1),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_type_convert(&value, SMOE_TYPE_FLOAT32, NULL, SMOE_TYPE_FLOAT16, 1),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_type_convert(NULL, SMOE_TYPE_FLOAT32, NULL, SMOE_TYPE_FLOAT16, 0), SMOE_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_conversion),
        cmocka_unit_test(test_bfloat_conversion),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
