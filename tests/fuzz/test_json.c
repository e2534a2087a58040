/* JSON as RFC 8259 has it and nothing else: what is read, what is refused, what values become. Each text is exactly its
 * bytes in memory of its own, so that the address sanitizer sees what lies beyond. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record.h"
#include "file/file_internal.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT(text) {text, sizeof(text) - 1}

typedef struct test_text {
    const char *text;
    size_t size;
} test_text;

/* {"a":VALUE}, to be freed. */
static smoe_json_span wrap(const char *value, size_t size)
{
    const smoe_json_span span = {malloc(size + 6), size + 6};
    assert_non_null(span.text);
    memcpy(span.text, "{\"a\":", 5);
    memcpy(span.text + 5, value, size);
    span.text[size + 5] = '}';
    return span;
}

static bool accepts(smoe_json_span span, bool python, test_record *record)
{
    smoe_file_host host;
    const smoe_log log = test_record_log(record);
    uint32_t count;
    test_record_clear(record);
    assert_true(smoe_file_host_init(&host, NULL, &log, "test"));
    smoe_json_cursor object = smoe_json_enter(span);
    object.python = python;
    const bool accepted = smoe_json_count(&host, object, "it", &count) == SMOE_SUCCESS;
    assert_int_equal(test_record_problem_count(record), !accepted);
    return accepted;
}

static void check(const test_text *texts, size_t count, bool wrapped, bool python, bool expected)
{
    test_record record;
    int wrong = 0;
    test_record_init(&record);
    for (size_t i = 0; i < count; i++) {
        smoe_json_span span = wrap(texts[i].text, texts[i].size);
        if (!wrapped) {
            span.size = texts[i].size;
            free(span.text);
            span.text = malloc(span.size ? span.size : 1);
            assert_non_null(span.text);
            memcpy(span.text, texts[i].text, span.size);
        }
        if (accepts(span, python, &record) != expected) {
            printf("%s: %s; log:\n", texts[i].text, expected ? "refused" : "read");
            test_record_print(&record);
            wrong++;
        }
        free(span.text);
    }
    assert_int_equal(wrong, 0);
}

static void test_values_that_are_read(void **state)
{
    static const test_text texts[] = {
        TEXT("0"), TEXT("-0"), TEXT("-0.0"), TEXT("10"), TEXT("0.5"), TEXT("0e0"), TEXT("0E+1"), TEXT("1e-2"),
        TEXT("1E22"), TEXT("1.50e07"), TEXT("123456789012345678901234567890"), TEXT("1e999999"), TEXT("true"),
        TEXT("false"), TEXT("null"), TEXT(" 1 "), TEXT("\t\r\n 1\t\r\n "), TEXT("\"\""), TEXT("\" \""), TEXT("\"/\""),
        TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\u0001\\u001F\""), TEXT("\"\\uabcd\\uABCD\""),
        TEXT("\"\\ud834\\udd1e\""), TEXT("\"\\uDBFF\\uDFFF\""), TEXT("\"\\\\u0000\""), TEXT("\"\x7f\""),
        TEXT("\"\xc2\x80\xdf\xbf\""), TEXT("\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""),
        TEXT("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""), TEXT("\"'\""), TEXT("\"{[\""), TEXT("[]"), TEXT("[ ]"),
        TEXT("[1]"), TEXT("[ 1 , \"a\" , true , null , [ ] , { } ]"), TEXT("{}"), TEXT("{ }"), TEXT("{\"\":0}"),
        TEXT("{ \"b\" : 1 , \"b\" : 2 }"), TEXT("{\"\\u0061\":[{\"b\":[]}]}"), TEXT("[[[[[[[[]]]]]]]]"),
        TEXT("[{\"a\":[{\"a\":[{\"a\":[{}]}]}]}]"),
    };
    (void)state;
    check(texts, COUNT(texts), true, false, true);
}

static void test_values_that_are_refused(void **state)
{
    static const test_text texts[] = {
        TEXT(""), TEXT(" "), TEXT("01"), TEXT("-01"), TEXT("00"), TEXT("1."), TEXT("1.e1"), TEXT(".5"), TEXT("-.5"),
        TEXT("-"), TEXT("--1"), TEXT("+1"), TEXT("1e"), TEXT("1e+"), TEXT("1e-"), TEXT("1e1.5"), TEXT("1e1e1"),
        TEXT("1.2.3"), TEXT("0x1"), TEXT("1_0"), TEXT("1 2"), TEXT("- 1"), TEXT("1f"), TEXT("\xd9\xa1"), TEXT("NaN"),
        TEXT("Infinity"), TEXT("-Infinity"), TEXT("nan"), TEXT("inf"), TEXT("tru"), TEXT("True"), TEXT("TRUE"),
        TEXT("truee"), TEXT("true false"), TEXT("nul"), TEXT("nulll"), TEXT("None"), TEXT("undefined"), TEXT("a"),
        TEXT("null\0"), TEXT("\0"), TEXT("1\0"), TEXT("\""), TEXT("'a'"), TEXT("\"a"), TEXT("a\""), TEXT("\"a\"b"),
        TEXT("\"a\" \"b\""), TEXT("\"\\\""), TEXT("\"\t\""), TEXT("\"\n\""), TEXT("\"\x1f\""), TEXT("\"a\0b\""),
        TEXT("\"\\x41\""), TEXT("\"\\'\""), TEXT("\"\\a\""), TEXT("\"\\ \""), TEXT("\"\\0\""), TEXT("\"\\\0\""),
        TEXT("\"\\U0041\""), TEXT("\"\\u\""), TEXT("\"\\u041\""), TEXT("\"\\u004g\""), TEXT("\"\\u00 4\""),
        TEXT("\"\\u+041\""), TEXT("\"\\u00\0" "4\""), TEXT("\"\\u0000\""), TEXT("\"\\ud800\""), TEXT("\"\\udc00\""),
        TEXT("\"\\ud800a\""), TEXT("\"\\ud800\\u0041\""), TEXT("\"\\ud800\\ue000\""), TEXT("\"\\ud800\\ud800\""),
        TEXT("\"\\udc00\\ud800\""), TEXT("\"\\ud800\\\""), TEXT("\"\\ud800\\udc0\""), TEXT("\"\x80\""),
        TEXT("\"\xbf\""), TEXT("\"\xc3\""), TEXT("\"\xc3(\""), TEXT("\"\xc0\x80\""), TEXT("\"\xc1\xbf\""),
        TEXT("\"\xe0\x80\x80\""), TEXT("\"\xe0\x9f\xbf\""), TEXT("\"\xe2\x82\""), TEXT("\"\xe2(\xac\""),
        TEXT("\"\xed\xa0\x80\""), TEXT("\"\xed\xbf\xbf\""), TEXT("\"\xf0\x80\x80\x80\""), TEXT("\"\xf0\x8f\xbf\xbf\""),
        TEXT("\"\xf0\x9f\x98\""), TEXT("\"\xf4\x90\x80\x80\""), TEXT("\"\xf5\x80\x80\x80\""),
        TEXT("\"\xf8\x88\x80\x80\x80\""), TEXT("\"\xfe\""), TEXT("\"\xff\""), TEXT("["), TEXT("]"), TEXT("[1"),
        TEXT("[1,"), TEXT("[1,]"), TEXT("[,1]"), TEXT("[,]"), TEXT("[1,,2]"), TEXT("[1 2]"), TEXT("[1;2]"), TEXT("[1}"),
        TEXT("[1]]"), TEXT("[1:2]"), TEXT("[\"a\":1]"), TEXT("[(1)]"), TEXT("{"), TEXT("{\"b\""), TEXT("{\"b\":"),
        TEXT("{\"b\":1"), TEXT("{\"b\":1,}"), TEXT("{,}"), TEXT("{\"b\"}"), TEXT("{\"b\" 1}"), TEXT("{\"b\":}"),
        TEXT("{\"b\"::1}"), TEXT("{\"b\":1]"), TEXT("{\"b\":1 \"c\":2}"), TEXT("{\"b\":1;\"c\":2}"), TEXT("{b:1}"),
        TEXT("{'b':1}"), TEXT("{1:1}"), TEXT("{null:1}"), TEXT("{:1}"), TEXT("{\"b\\x\":1}"), TEXT("{\"\xff\":1}"),
        TEXT("{\"b\":\"\\q\"}"), TEXT("{\"b\":01}"), TEXT("[\"\\u0000\"]"), TEXT("/**/1"), TEXT("1//"), TEXT("#1"),
        TEXT("\f1"), TEXT("\v1"), TEXT("\xc2\xa0" "1"), TEXT("\xef\xbb\xbf" "1"), TEXT("[[[[[[[[[]]]]]]]]]"),
        TEXT("{\"a\":[{\"a\":[{\"a\":[{\"a\":[{}]}]}]}]}"),
    };
    (void)state;
    check(texts, COUNT(texts), true, false, false);
}

static void test_whole_texts(void **state)
{
    static const test_text good[] = {
        TEXT("{}"), TEXT(" {\n} \r\n\t"), TEXT("{\"a\":1,\"b\":[2]}"),
    };
    static const test_text bad[] = {
        TEXT(""), TEXT(" "), TEXT("[]"), TEXT("1"), TEXT("null"), TEXT("\"{}\""), TEXT("{"), TEXT("}"), TEXT("{}}"),
                                    TEXT("{}{}"), TEXT("{}\0"), TEXT("\0{}"), TEXT("{} x"), TEXT("{},"),
                                    TEXT("\xef\xbb\xbf{}"),
                                    TEXT("{\"a\":1,\"b\"}"), TEXT("{\"a\":[1}")};
    (void)state;
    check(good, COUNT(good), false, false, true);
    check(bad, COUNT(bad), false, false, false);
}

static void test_words_of_python(void **state)
{
    static const test_text good[] = {
        TEXT("NaN"), TEXT("Infinity"), TEXT("-Infinity"), TEXT("[0.0, Infinity]"), TEXT("null"), TEXT("-1"),
    };
    static const test_text bad[] = {
        TEXT("nan"), TEXT("+Infinity"), TEXT("-NaN"), TEXT("Infinit"), TEXT("Infinityy"), TEXT("True"), TEXT("'a'")};
    (void)state;
    check(good, COUNT(good), true, true, true);
    check(bad, COUNT(bad), true, true, false);
}

/* The value of {"a":VALUE}. */
static smoe_json_span take(smoe_json_span span)
{
    smoe_json_cursor object = smoe_json_enter(span);
    smoe_json_span name, value;
    const char *reason;
    assert_int_equal(smoe_json_next_member(&object, &name, &value, &reason), SMOE_JSON_ITEM);
    assert_string_equal(smoe_json_string(name), "a");
    return value;
}

static void test_strings(void **state)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"\"\"", ""}, {"\"a b\"", "a b"}, {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u007f\"", "A\x7f"}, {"\"\\u0080\\u07ff\"", "\xc2\x80\xdf\xbf"},
        {"\"\\u0800\\uFFFF\"", "\xe0\xa0\x80\xef\xbf\xbf"}, {"\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80"},
        {"\"\\ud800\\udc00\"", "\xf0\x90\x80\x80"}, {"\"\\uD83D\\uDE00!\"", "\xf0\x9f\x98\x80!"},
        {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"}, {"\"\xe2\x82\xac\\u20ac\"", "\xe2\x82\xac\xe2\x82\xac"},
        {"\"\\\\u0041\"", "\\u0041"}, {"1", NULL}, {"null", NULL}, {"true", NULL}, {"[\"a\"]", NULL},
        {"{\"a\":\"b\"}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const smoe_json_span span = wrap(cases[i].text, strlen(cases[i].text));
        const char *value = smoe_json_string(take(span));
        if (cases[i].value ? !value || strcmp(value, cases[i].value) != 0 : value != NULL)
            fail_msg("%s is \"%s\", not \"%s\"", cases[i].text, value ? value : "NULL",
                     cases[i].value ? cases[i].value : "NULL");
        free(span.text);
    }
}

static void test_scalars(void **state)
{
    static const char *const cases[][2] = {
        {" 12 ", "12"}, {"-0.5e+3", "-0.5e+3"}, {"true", "true"}, {"false", "false"}, {"\"\\u0061\"", "a"},
        {"null", NULL}, {"[]", NULL}, {"{}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const smoe_json_span span = wrap(cases[i][0], strlen(cases[i][0]));
        const char *value = smoe_json_scalar(take(span));
        if (cases[i][1] ? !value || strcmp(value, cases[i][1]) != 0 : value != NULL)
            fail_msg("%s is %s", cases[i][0], value ? value : "NULL");
        free(span.text);
    }
}

static void test_numbers(void **state)
{
    static const uint64_t most = UINT64_C(1) << 53;
    static const struct {
        const char *text;
        bool whole;
        uint64_t value;
    } cases[] = {
        {"0", true, 0}, {"-0", true, 0}, {"-0.0", true, 0}, {"7", true, 7}, {"2.0", true, 2}, {"1e3", true, 1000},
        {"1E+0003", true, 1000}, {"120e-1", true, 12}, {"0.5e1", true, 5}, {"0e99999999999999999999", true, 0},
        {"9007199254740992", true, UINT64_C(1) << 53}, {"9007199254740991", true, (UINT64_C(1) << 53) - 1},
        {"9007199254740993", false, 0}, {"18446744073709551617", false, 0}, {"1.5", false, 0}, {"-1", false, 0},
        {"1e999", false, 0}, {"1e-999", true, 0}, {"1e99999999999999999999", false, 0}, {"\"1\"", false, 0},
        {"true", false, 0}, {"null", false, 0}, {"[1]", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const smoe_json_span span = wrap(cases[i].text, strlen(cases[i].text));
        uint64_t value = 0;
        const bool whole = smoe_json_whole(take(span), most, &value);
        if (whole != cases[i].whole || (whole && value != cases[i].value))
            fail_msg("%s is %d, %llu", cases[i].text, whole, (unsigned long long)value);
        free(span.text);
    }
}

static void test_elements(void **state)
{
    const smoe_json_span span = wrap("[1,\"b\" , 30]", 12);
    smoe_json_cursor array = smoe_json_enter(take(span));
    smoe_json_span value;
    const char *reason;
    uint64_t number;
    (void)state;
    assert_int_equal(smoe_json_next_element(&array, &value, &reason), SMOE_JSON_ITEM);
    assert_true(smoe_json_whole(value, 9, &number) && number == 1);
    assert_int_equal(smoe_json_next_element(&array, &value, &reason), SMOE_JSON_ITEM);
    assert_string_equal(smoe_json_string(value), "b");
    assert_int_equal(smoe_json_next_element(&array, &value, &reason), SMOE_JSON_ITEM);
    assert_true(smoe_json_whole(value, 30, &number) && number == 30);
    assert_int_equal(smoe_json_next_element(&array, &value, &reason), SMOE_JSON_END);
    free(span.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_that_are_read),
        cmocka_unit_test(test_values_that_are_refused),
        cmocka_unit_test(test_whole_texts),
        cmocka_unit_test(test_words_of_python),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_elements),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
