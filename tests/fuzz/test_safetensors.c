/* The safetensors container: headers, paths, writing and numbers. What is wrong is refused with a line that says
 * why. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record.h"
#include "file/file_internal.h"
#include "sample_file.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OK SMOE_SUCCESS
#define BAD SMOE_ERROR_FILE
#define F32 SMOE_TENSOR_FLOAT32

/* Headers as text, with the bytes of data behind them. */
typedef struct raw_file {
    const char *header;
    size_t data_size;
    smoe_result result;
    const char *text;
} raw_file;

#define ENTRY(dtype, shape, begin, end)                                                                                \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"
#define SEVEN "1,1,1,1,1,1,1"

static const raw_file raw_files[] = {
    {"{}", 0, OK, ""},
    {" {\n\t\"a\" : " ENTRY("F32", "[1]", "0", "4") " , \"b\":" ENTRY("U8", "[ 0 ]", "4", "4") "} ", 4, OK, ""},
    /* any order in the text */
    {"{\"b\":" ENTRY("F32", "[1]", "4", "8") ",\"a\":" ENTRY("F32", "[1]", "0", "4") "}", 8, OK, ""},
    {"{\"a\":" ENTRY("F8_E4M3", "[3]", "0", "3") ",\"b\":" ENTRY("F4", "[2]", "3", "4") "}", 4, OK, ""},
    {"{\"a\":" ENTRY("F32", "[" SEVEN "]", "0", "4") "}", 4, OK, ""},
    {"{\"a\":" ENTRY("F32", "[0,9007199254740992]", "0", "0") "}", 0, OK, ""}, /* 2^53 */
    {"{\"__metadata__\":{}}", 0, OK, ""},
    {"{\"__metadata__\":{\"a\":\"\\u20ac\\ud83d\\ude00\"}}", 0, OK, ""},
    {"", 0, BAD, "not an object"},
    {"[]", 0, BAD, "not an object"},
    {"null", 0, BAD, "not an object"},
    {"{", 0, BAD, "does not end"},
    {"{}x", 0, BAD, "something follows"},
    {"{}{}", 0, BAD, "something follows"},
    {"{\"a\"}", 0, BAD, "colon"},
    {"{\"a\":}", 0, BAD, "the value of \"a\": a value is missing"},
    {"{\"a\":1,}", 0, BAD, "name is missing"},
    {"{\"a\":1 \"b\":2}", 0, BAD, "a comma or a closing bracket is missing"},
    {"{\"a", 0, BAD, "does not end"},
    {"{\"a\\", 0, BAD, "does not end"},
    {"{\"a\":{", 0, BAD, "does not end"},
    {"{\"a\":]}", 0, BAD, "a value is missing"},
    {"{\"a\":[}]}", 0, BAD, "a value is missing"},
    {"{\"a\\u0000b\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "NUL"},
    {"{\"a\x01\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "control character"},
    {"{\"a\\x\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "an escape that JSON does not have"},
    {"{\"a\\ud800\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "half of a surrogate pair"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"a\":" ENTRY("F32", "[1]", "4", "8") "}", 8, BAD,
     "two tensors are named \"a\""},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"\\u0061\":" ENTRY("F32", "[1]", "4", "8") "}", 8, BAD, "two tensors"},
    {"{\"a\":" ENTRY("F31", "[1]", "0", "4") "}", 4, BAD, "\"F31\" is not a dtype"},
    {"{\"a\":" ENTRY("F32", "[2]", "0", "4") "}", 4, BAD, "need 8"},
    {"{\"a\":" ENTRY("F4", "[3]", "0", "1") "}", 1, BAD, "need 2"},
    {"{\"a\":" ENTRY("F32", "[-1]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1.5]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[\"1\"]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1e300]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[9007199254740993]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[0,9007199254740993]", "0", "0") "}", 0, BAD, "whole numbers from 0 to 2^53"},
    {"{\"a\":" ENTRY("F32", "[4294967296,4294967296]", "0", "4") "}", 4, BAD, "more elements"},
    {"{\"a\":" ENTRY("F32", "[4611686018427387904,4]", "0", "0") "}", 0, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "-4", "0") "}", 4, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "0.5", "4.5") "}", 5, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "4", "0") "}", 4, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4,8") "}", 8, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "1e18") "}", 4, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "9007199254740992") "}", 4, BAD, "span 9007199254740992 bytes"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "9007199254740993") "}", 4, BAD, "two whole numbers up to 2^53"},
    {"{\"a\":" ENTRY("F32", "[1]", "4", "8") "}", 8, BAD, "belong to no tensor"},
    {"{\"a\":" ENTRY("F32", "[2]", "0", "8") ",\"b\":" ENTRY("F32", "[2]", "4", "12") "}", 12, BAD, "overlaps"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"b\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "overlaps"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"b\":" ENTRY("F32", "[1]", "8", "12") "}", 12, BAD,
     "belong to no tensor"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") "}", 3, BAD, ""},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") "}", 5, BAD, ""},
    {"{\"a\":" ENTRY("F32", "[1000000000000]", "0", "4000000000000") "}", 4, BAD, ""},
    {"{\"a\":" ENTRY("BOOL", "[1000000000000]", "0", "1000000000000") "}", 4, BAD, ""},
    {"{\"a\":" ENTRY("BOOL", "[3]", "0", "3") ",\"b\":" ENTRY("U8", "[4]", "3", "7") ",\"c\":"
     ENTRY("U8", "[4]", "7", "11") "}", 8, BAD, ""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, BAD, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, BAD, "shape"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "dtype"},
    {"{\"a\":{\"DTYPE\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "dtype"},
    {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, BAD, "shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "once each"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[[[[[[[[[1]]]]]]]]]],\"data_offsets\":[0,4]}}", 4, BAD, "nests too deeply"},
    {"{\"a\":[0,4]}", 4, BAD, "not a JSON object"},
    {"{\"__metadata__\":[]}", 0, BAD, "__metadata__ is not valid JSON"},
    {"{\"__metadata__\":{\"a\":1}}", 0, BAD, "strings to strings"},
    {"{\"__metadata__\":{\"a\":null}}", 0, BAD, "strings to strings"},
    {"{\"__metadata__\":{\"a\":[\"b\"]}}", 0, BAD, "strings to strings"},
    {"{\"__metadata__\":{\"a\":\"b\"x}}", 0, BAD, "a comma or a closing bracket is missing"},
    {"{\"__metadata__\":{\"a\":\"b\\u0000\"}}", 0, BAD, "NUL"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, BAD, "two members named \"a\""},
    {"{\"__metadata__\":{\"key\":\"some longer value\"},\"__metadata__\":{}}", 0, BAD, "two members named"},
    {"{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0}", 0, BAD, "too short"},
};

static void test_headers(void **state)
{
    (void)state;
    const char *path = sample_path("raw");
    test_record record;
    int wrong = 0;
    test_record_init(&record);
    for (size_t i = 0; i < COUNT(raw_files); i++) {
        const raw_file *raw = &raw_files[i];
        const smoe_log log = test_record_log(&record);
        size_t size;
        unsigned char *bytes = sample_raw(raw->header, raw->data_size, &size);
        smoe_layer_file *file;
        test_record_clear(&record);
        const smoe_result result = sample_open_bytes(path, bytes, size, NULL, &log, &file);
        const bool right = result == raw->result && (result == SMOE_SUCCESS) == (file != NULL) &&
                           test_record_problem_count(&record) == (result != SMOE_SUCCESS) &&
                           (result == SMOE_SUCCESS || test_record_has_problem(&record, raw->text));
        if (!right) {
            printf("%s, %zu bytes of data: got %d, want %d and \"%s\"; log:\n", raw->header, raw->data_size,
                   (int)result, (int)raw->result, raw->text);
            test_record_print(&record);
        }
        wrong += !right;
        smoe_layer_file_close(file);
        free(bytes);
    }
    remove(path);
    assert_int_equal(wrong, 0);
}

static void release_nothing(void *user, void *memory)
{
    (void)user;
    (void)memory;
}

static void test_paths(void **state)
{
    (void)state;
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_layer_file *file = (smoe_layer_file *)&record;
    assert_int_equal(smoe_layer_file_open("/nowhere/at/all", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_null(file);
    assert_int_equal(smoe_layer_file_open("/tmp", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_int_equal(smoe_layer_file_open("/dev/null", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_int_equal(smoe_layer_file_open("/dev/zero", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_int_equal(smoe_layer_file_open(NULL, NULL, &log, &file), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_open("/tmp", NULL, &log, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    const smoe_allocator half = {NULL, release_nothing, NULL};
    assert_int_equal(smoe_layer_file_open("/tmp", &half, &log, &file), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write("/dev/null", NULL, 0, NULL, 0, &half, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_layer(NULL, NULL, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    smoe_layer_file_close(NULL);
    assert_null(smoe_layer_file_tensor(NULL, "x"));
    assert_null(smoe_layer_file_tensor_at(NULL, 0));
    assert_null(smoe_layer_file_metadata(NULL, "x"));
}

/* Every wrong argument of smoe_layer_file_write, and files that cannot be written. */
static void test_write_refuses(void **state)
{
    (void)state;
    static const float data[4] = {1, 2, 3, 4};
    const smoe_tensor good = {"a", F32, 1, {4, 1, 1, 1}, data, 16};
    smoe_tensor bad[10];
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good;
    bad[0].name = NULL;
    bad[1].name = "__metadata__";
    bad[2].type = (smoe_tensor_type)77;
    bad[3].rank = 5;
    bad[4].size = 15;
    bad[5].data = NULL;
    bad[6].shape[0] = UINT64_MAX / 2;
    bad[7].shape[0] = 5;
    bad[8].rank = 2, bad[8].shape[0] = UINT64_C(1) << 62, bad[8].shape[1] = 4, bad[8].size = 0;
    bad[9].name = "caf\xe9";
    const char *path = sample_path("write");
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    for (size_t i = 0; i < COUNT(bad); i++) {
        test_record_clear(&record);
        assert_int_equal(smoe_layer_file_write(path, &bad[i], 1, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(test_record_problem_count(&record), 1);
    }
    const smoe_tensor twice[] = {good, good};
    const char *const same[] = {"k", "1", "k", "2"}, *const hole[] = {"k", NULL};
    const char *const latin[][2] = {{"\xe9", "1"}, {"k", "\xe9"}};
    assert_int_equal(smoe_layer_file_write(path, twice, 2, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, same, 2, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, hole, 1, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, latin[0], 1, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, latin[1], 1, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, NULL, 1, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, NULL, 1, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(NULL, &good, 1, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    test_record_clear(&record);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, same, UINT32_MAX / 2 + 1, NULL, &log),
                     SMOE_ERROR_INVALID_ARGUMENT);
    assert_true(test_record_has_problem(&record, "metadata_count"));
    assert_null(fopen(path, "rb"));
    assert_int_equal(smoe_layer_file_write("/nowhere/at/all", &good, 1, NULL, 0, NULL, &log), SMOE_ERROR_FILE);
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const texts[] = {"0", "0.1", "0.05", "1e-5", "3.4028234663852886e38", "1.17549435e-38", "50.0",
                                        "0.30000001192092896", "123456789012345678901234567890", "2.5E+3", "1e-45",
                                        "-0.25", "00012.500", "1e22", "7e-23",
                                        "0.1000000014901161193847656250000000000000001"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        double value;
        assert_true(smoe_file_parse_number(texts[i], &value));
        assert_true((float)value == strtof(texts[i], NULL)); /* the C locale */
    }
    uint64_t whole;
    assert_true(smoe_file_parse_integer("18446744073709551615", &whole));
    assert_true(whole == UINT64_MAX);
    assert_false(smoe_file_parse_integer("18446744073709551616", &whole));
}

static void test_types_of_weights(void **state)
{
    static const struct {
        smoe_tensor_type tensor;
        smoe_type weights;
    } rows[] = {{SMOE_TENSOR_FLOAT32, SMOE_TYPE_FLOAT32},
                {SMOE_TENSOR_FLOAT16, SMOE_TYPE_FLOAT16},
                {SMOE_TENSOR_BFLOAT16, SMOE_TYPE_BFLOAT16}};
    static const smoe_tensor_type others[] = {SMOE_TENSOR_FLOAT64, SMOE_TENSOR_INT32, SMOE_TENSOR_UINT8,
                                              SMOE_TENSOR_INT64, (smoe_tensor_type)77};
    smoe_type type = (smoe_type)99;
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(smoe_tensor_type_weights(others[i], &type));
    assert_int_equal(type, 99);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(smoe_tensor_type_weights(rows[i].tensor, &type));
        assert_int_equal(type, rows[i].weights);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_headers), cmocka_unit_test(test_paths),
                                       cmocka_unit_test(test_write_refuses), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_types_of_weights)};
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
