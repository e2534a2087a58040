/* The table of smoe_forward_params' numbers: no float of the struct is missing, and each row's rule says what its range
 * is. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "common/cmocka_all.h"
#include "smoe/smoe.h"

static uint32_t count_numbers(void)
{
    uint32_t count = 0;
    while (smoe_forward_number_get(count))
        count++;
    return count;
}

static void cover(bool *covered, size_t offset, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        assert_false(covered[offset + i]);
        covered[offset + i] = true;
    }
}

/* Every byte of the struct, up to the end of its last member, belongs to a row or to a member that is no float. */
static void test_every_member(void **state)
{
    bool covered[sizeof(smoe_forward_params)] = {false};
    const size_t keep_scores = offsetof(smoe_forward_params, keep_scores);
    (void)state;
    cover(covered, offsetof(smoe_forward_params, token_count), sizeof(uint32_t));
    cover(covered, offsetof(smoe_forward_params, max_active), sizeof(uint32_t));
    cover(covered, offsetof(smoe_forward_params, expected_active), sizeof(uint32_t));
    cover(covered, keep_scores, sizeof(bool));
    for (uint32_t i = 0; i < count_numbers(); i++)
        cover(covered, smoe_forward_number_get(i)->offset, sizeof(float));
    for (size_t i = 0; i <= keep_scores; i++)
        if (!covered[i])
            fail_msg("a member of smoe_forward_params at byte %zu is not in src/domain/params.c", i);
    assert_true(sizeof covered - keep_scores <= sizeof(float)); /* keep_scores is the last */
}

static void test_names(void **state)
{
    smoe_forward_params params = {
        .eps = 1, .a = 2, .b = 3, .temperature = 4, .tie_tolerance = 5, .scale = 6, .group_eps = 7};
    static const char *const names[] = {"eps", "a", "b", "temperature", "tie_tolerance", "scale", "group_eps"};
    (void)state;
    assert_int_equal(count_numbers(), sizeof names / sizeof *names);
    assert_null(smoe_forward_number_get(UINT32_MAX));
    assert_null(smoe_forward_number_find("token_count"));
    assert_null(smoe_forward_number_find(NULL));
    for (uint32_t i = 0; i < count_numbers(); i++) {
        const smoe_forward_number *number = smoe_forward_number_get(i);
        assert_string_equal(number->name, names[i]);
        assert_ptr_equal(smoe_forward_number_find(names[i]), number);
        assert_true(smoe_forward_number_value(number, &params) == (float)(i + 1));
        smoe_forward_number_set(number, &params, -8);
        assert_true(smoe_forward_number_value(number, &params) == -8);
        assert_int_equal(number->groups, strcmp(number->name, "group_eps") == 0);
    }
    assert_true(params.eps == -8 && params.group_eps == -8 && params.tie_tolerance == -8);
}

/* The rule in words, from the numbers. */
static void describe(const smoe_forward_number *number, char text[64])
{
    if (number->most < FLT_MAX && number->least > 0)
        snprintf(text, 64, "%s%g .. %g", number->zero ? "0 or " : "", (double)number->least, (double)number->most);
    else if (number->most < FLT_MAX)
        snprintf(text, 64, "above 0 and at most %g", (double)number->most);
    else
        snprintf(text, 64, "finite%s", number->least < 0 ? "" : " and at least 0");
    char *plus = strchr(text, '+'); /* 1e+30 */
    if (plus)
        memmove(plus, plus + 1, strlen(plus));
}

static void test_ranges(void **state)
{
    const smoe_forward_params defaults = smoe_forward_defaults();
    (void)state;
    for (uint32_t i = 0; i < count_numbers(); i++) {
        const smoe_forward_number *number = smoe_forward_number_get(i);
        char rule[64];
        describe(number, rule);
        assert_string_equal(number->rule, rule);
        assert_true(smoe_forward_number_allows(number, smoe_forward_number_value(number, &defaults)));
        assert_true(smoe_forward_number_allows(number, number->most));
        assert_int_equal(smoe_forward_number_allows(number, 0), number->zero);
        assert_int_equal(smoe_forward_number_allows(number, -0.0f), number->zero);
        assert_int_equal(smoe_forward_number_allows(number, number->least), number->zero || number->least > 0);
        assert_int_equal(smoe_forward_number_allows(number, -1), number->least < 0);
        assert_false(smoe_forward_number_allows(number, nextafterf(number->most, INFINITY)));
        assert_false(smoe_forward_number_allows(number, INFINITY));
        assert_false(smoe_forward_number_allows(number, -INFINITY));
        assert_false(smoe_forward_number_allows(number, NAN));
        if (number->least > 0)
            assert_false(smoe_forward_number_allows(number, nextafterf(number->least, 0)));
    }
}

/* A number that is not normal is no 0 where a band must be 0 or large: also to a thread that counts it as 0. */
static void expect_no_zeros(void)
{
    const float values[] = {FLT_MIN / 2, -FLT_MIN / 2, FLT_TRUE_MIN};
    for (uint32_t i = 0; i < count_numbers(); i++) {
        const smoe_forward_number *number = smoe_forward_number_get(i);
        for (size_t j = 0; j < sizeof values / sizeof *values; j++)
            if (number->least > 0)
                assert_false(smoe_forward_number_allows(number, values[j]));
    }
}

static void test_not_normal(void **state)
{
    (void)state;
    expect_no_zeros();
#ifdef __SSE2__
    const unsigned int control = _mm_getcsr(), flush = 0x8040; /* results, and operands */
    _mm_setcsr(control | flush);
    expect_no_zeros();
    _mm_setcsr(control);
#endif
}

/* All of them at once, for layers with groups or without, of one gate or another. */
static void test_check(void **state)
{
    const smoe_plan_desc plain = {.group_count = 1}, grouped = {.group_count = 2},
                         sigmoid = {.gate = SMOE_GATE_SIGMOID};
    const struct {
        const smoe_plan_desc *plan;
        const char *name;
        float value;
        const char *text; /* "": legal */
    } rows[] = {
        {&plain, "eps", 0.5f, ""},
        {&plain, "eps", -1, "eps: -1, must be 0 or 1e-30 .. 1e30"},
        {&plain, "group_eps", -1, ""},
        {&grouped, "group_eps", -1, "group_eps: -1, must be 0 or 1e-30 .. 1e30"},
        {&plain, "temperature", 0.5f, ""},
        {&plain, "temperature", 0, "temperature: 0, must be 1e-30 .. 1e30"},
        {&sigmoid, "temperature", 1, ""},
        {&sigmoid, "temperature", 0.5f, "temperature: 0.5, must be 1 unless the gate is softmax"},
        {&sigmoid, "temperature", 0, "temperature: 0, must be 1e-30 .. 1e30"},
    };
    const smoe_forward_params defaults = smoe_forward_defaults();
    char reason[SMOE_REASON_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        smoe_forward_params params = defaults;
        smoe_forward_number_set(smoe_forward_number_find(rows[i].name), &params, rows[i].value);
        const smoe_result expected = rows[i].text[0] ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_SUCCESS;
        assert_int_equal(smoe_forward_numbers_check(rows[i].plan, &params, reason), expected);
        assert_string_equal(reason, rows[i].text);
        assert_int_equal(smoe_forward_numbers_check(rows[i].plan, &params, NULL), expected);
    }
    assert_int_equal(smoe_forward_numbers_check(NULL, &defaults, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_string_equal(reason, "plan must not be NULL");
    assert_int_equal(smoe_forward_numbers_check(&plain, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_member), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_ranges), cmocka_unit_test(test_not_normal),
                                       cmocka_unit_test(test_check)};
    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
