/* Reading capability files: what is wrong with a bad one is said in one line with the key and the rule, and no bytes
 * make it crash or give a device that selection cannot work with. */
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/device_files.h"
#include "common/random.h"
#include "common/record.h"
#include "file/file_internal.h"
#include "sample_file.h"

#define GOOD DEVICE_FILES_FOLDER "/anv_tgl.json"
#define WITH_MATRICES DEVICE_FILES_FOLDER "/anv_bmg.json" /* for float16 and bfloat16 */

static char *good;
static size_t good_size;

typedef struct bad_value {
    const char *from, *to, *key, *rule;
} bad_value;

/* The good file with the first `from` replaced; to be freed. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    if (!at)
        fail_msg("the good file has no %s", from);
    char *text = malloc(good_size + strlen(to) + 1);
    assert_non_null(text);
    const size_t before = (size_t)(at - good);
    memcpy(text, good, before);
    strcpy(text + before, to);
    strcat(text, at + strlen(from));
    return text;
}

/* Reads it; "key: rule" where it is refused, else "". */
static smoe_result read_text(const char *text, size_t size, smoe_device_info *info, char *reason)
{
    static const char name[] = "FILE: ";
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const smoe_result result = smoe_capability_file_parse(text, size, "FILE", NULL, &log, info);
    assert_int_equal(record.line_count, result != SMOE_SUCCESS);
    assert_true(result == SMOE_SUCCESS || strncmp(record.lines[0], name, strlen(name)) == 0);
    strcpy(reason, result == SMOE_SUCCESS ? "" : record.lines[0] + strlen(name));
    return result;
}

/* Whatever is accepted can be selected for. */
static bool parse(const char *text, size_t size, char *reason)
{
    const smoe_plan_desc desc = {
        .d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 8, .max_tokens = 33};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    smoe_device_info info;
    /* exactly the bytes, so that the address sanitizer sees what lies beyond */
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    const bool accepted = read_text(copy, size, &info, reason) == SMOE_SUCCESS;
    free(copy);
    if (accepted) {
        const smoe_result result = smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 33, 0}, choices, NULL);
        assert_true(result == SMOE_SUCCESS || result == SMOE_ERROR_UNSUPPORTED);
        assert_true(info.usable == !info.reason[0]);
        assert_true(smoe_text_clean(info.name, ' ') && smoe_text_clean(info.driver_name, ' '));
        assert_true(smoe_text_clean(info.driver_info, ' ') && smoe_text_clean(info.reason, ' '));
    }
    assert_true(smoe_text_clean(reason, ' '));
    assert_true(accepted == !reason[0]);
    return accepted;
}

static void check_refused(const bad_value *cases, size_t count)
{
    char reason[TEST_RECORD_TEXT];
    assert_true(parse(good, good_size, reason));
    for (size_t i = 0; i < count; i++) {
        char *text = changed(cases[i].from, cases[i].to);
        const bool accepted = parse(text, strlen(text), reason);
        if (accepted || strncmp(reason, cases[i].key, strlen(cases[i].key)) != 0 || !strstr(reason, cases[i].rule))
            fail_msg("%s: \"%s\" does not say %s%s", cases[i].to, reason, cases[i].key, cases[i].rule);
        free(text);
    }
}

static void test_bad_values(void **state)
{
    static const bad_value cases[] = {
        {"\"smoe_device\": 2", "\"smoe_device\": 1", "smoe_device: ", "version 1, this smoe reads 2"},
        {"\"smoe_device\": 2", "\"smoe_device\": \"1\"", "smoe_device: ", "number"},
        {"\"smoe_device\": 2,", "", "smoe_device: ", "missing"},
        {"\"subgroup_size\": 32,", "", "subgroup_size: ", "missing"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": \"32\"", "subgroup_size: ", "number"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 0", "subgroup_size: ", "power of two"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 31", "subgroup_size: ", "power of two"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 31.5", "subgroup_size: ", "whole number"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": -32", "subgroup_size: ", "whole number"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 4294967328", "subgroup_size: ", "4294967295"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 1e999", "subgroup_size: ", "4294967295"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": null", "subgroup_size: ", "number"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 4", "subgroup_size: ", "subgroup_size_min"},
        {"\"subgroup_size_min\": 8", "\"subgroup_size_min\": 64", "subgroup_size_min: ", "subgroup_size_max"},
        {"\"subgroup_size_max\": 32", "\"subgroup_size_max\": 256", "subgroup_size_max: ", "up to 128"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 32, \"subgroup_size\": 32", "subgroup_size: ", "once"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 32, \"Subgroup_Size\": 32", "Subgroup_Size: ", "no key"},
        {"\"subgroup_size\": 32", "\"subgroup_size\": 32, \"a\\nb\\u0007\": 32", "a?b?: ", "no key"},
        {"\"max_workgroup_count\": [", "\"max_workgroup_count\": [1, ", "max_workgroup_count: ", "3 numbers"},
        {", 65535, 65535]", ", 65535, 1]", "max_workgroup_count: ", "at least 65535"},
        {"[\"subgroup_arithmetic\"", "[\"subgroup_magic\"", "capabilities: ", "name of a capability"},
        {"[\"subgroup_arithmetic\"", "[3", "capabilities: ", "name of a capability"},
        {"[\"subgroup_arithmetic\", \"subgroup_ballot\", \"subgroup_shuffle\", \"subgroup_size_control\"]", "7",
         "capabilities: ", "array"},
        {"\"type\": \"integrated GPU\"", "\"type\": \"toaster\"", "type: ", "\"CPU\""},
        {"\"vendor_id\": \"0x8086\"", "\"vendor_id\": \"8086\"", "vendor_id: ", "0x"},
        {"\"vendor_id\": \"0x8086\"", "\"vendor_id\": \"0x123456789\"", "vendor_id: ", "8 hexadecimal"},
        {"\"vendor_id\": \"0x8086\"", "\"vendor_id\": \"0xgg\"", "vendor_id: ", "hexadecimal"},
        {"\"api_version\": \"1.3.0\"", "\"api_version\": \"1.3\"", "api_version: ", "1.3.0"},
        {"\"api_version\": \"1.3.0\"", "\"api_version\": \"1.3.99999\"", "api_version: ", "1.3.0"},
        {"\"uuid\": \"", "\"uuid\": \"0", "uuid: ", "32 hexadecimal"},
        {"\"timestamp_period\": 80", "\"timestamp_period\": -1", "timestamp_period: ", "not negative"},
        {"\"timestamp_period\": 80", "\"timestamp_period\": 1e31", "timestamp_period: ", "1e30"},
        {"\"timestamp_period\": 80", "\"timestamp_period\": \"1\"", "timestamp_period: ", "number"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": 0", "matrix_shapes: ", "array"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": [8]", "matrix_shapes: ", "16x16x16"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": [\"8x8x8 float32\"]", "matrix_shapes: ", "16x16x16"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": [\"8x8x8\"]", "matrix_shapes: ", "16x16x16"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": [\"8x8xfloat16\"]", "matrix_shapes: ", "16x16x16"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": [\"8x8x8 float16\", \"08x8x8 float16\"]",
         "matrix_shapes: ", "16x16x16"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": [\"8x0x8 float16\"]", "matrix_shapes: ", "at least 1"},
        {"\"matrix_shapes\": []", "\"matrix_shapes\": [0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6]",
         "matrix_shapes: ", "at most 16"},
        {"\"usable\": true", "\"usable\": 1", "usable: ", "true or false"},
        {"\"usable\": true", "\"usable\": false", "reason: ", "must not be empty"},
        {"\"reason\": \"\"", "\"reason\": \"none\"", "reason: ", "must be empty"},
        {"\"reason\": \"\"", "\"reason\": \"\\r\"", "reason: ", "control"},
        {"\"name\": \"", "\"name\": \"\\u001b[31m", "name: ", "control"},
        {"\"name\": \"", "\"name\": \"\x1b", "the file is not valid JSON: the value of \"name\": ", "control"},
        {"\"name\": \"", "\"name\": \"\\u009b", "name: ", "control"},
        {"\"driver_name\": \"", "\"driver_name\": \"\\u007f", "driver_name: ", "control"},
        {"\"driver_info\": \"", "\"driver_info\": \"a\\nb", "driver_info: ", "control"},
        {"\"min_storage_buffer_offset_alignment\": 4", "\"min_storage_buffer_offset_alignment\": 0",
         "min_storage_buffer_offset_alignment: ", "power of two"},
        {"\"max_storage_buffer_range\": 2147483648", "\"max_storage_buffer_range\": 1e17",
         "max_storage_buffer_range: ", "9007199254740992"},
        {"\"max_storage_buffer_range\": 2147483648", "\"max_storage_buffer_range\": 0",
         "max_storage_buffer_range: ", "at least 1"},
        {"\"max_allocation_size\": 2147483648", "\"max_allocation_size\": 9007199254740994",
         "max_allocation_size: ", "9007199254740992"},
    };
    (void)state;
    check_refused(cases, sizeof cases / sizeof cases[0]);
}

static void test_bad_matrices(void **state)
{
    static const bad_value cases[] = {
        {"[\"8x16x16 float16\", \"8x16x16 bfloat16\"]", "[]", "capabilities: ", "cooperative_matrix needs"},
        {"\"8x16x16 float16\", ", "", "capabilities: ", "for float16"},
        {", \"8x16x16 bfloat16\"", "", "capabilities: ", "for bfloat16"},
        {" \"cooperative_matrix\",", "", "capabilities: ", "bfloat16 needs cooperative_matrix"},
        {", \"cooperative_matrix\", \"cooperative_matrix_bfloat16\"", "", "matrix_shapes: ", "must be empty"},
    };
    char *without = good, reason[TEST_RECORD_TEXT];
    const size_t size = good_size;
    (void)state;
    good = device_files_text(WITH_MATRICES, &good_size);
    check_refused(cases, sizeof cases / sizeof cases[0]);
    char *text = changed(", \"cooperative_matrix_bfloat16\"", ""); /* the shapes are there, the feature need not be */
    assert_true(parse(text, strlen(text), reason));
    free(text);
    free(good);
    good = without;
    good_size = size;
}

/* A driver may report what a file must not hold: Qualcomm's driver_info has line breaks. */
static void test_control_characters_are_not_written(void **state)
{
    char text[SMOE_CAPABILITY_FILE_MAX_SIZE], reason[TEST_RECORD_TEXT];
    smoe_device_info info, again;
    size_t size = sizeof text;
    (void)state;
    assert_int_equal(read_text(good, good_size, &info, reason), SMOE_SUCCESS);
    strcpy(info.name, "\"\\\xc3\xa9\xc2\xa0\xc2\x9b" "31m\x1b[0m\x7f");
    strcpy(info.driver_name, "\xc2");
    strcpy(info.driver_info, "Driver Build: 1\nDate: 12/02/2025\r\n");
    assert_int_equal(smoe_capability_file_text(&info, NULL, &size, text), SMOE_SUCCESS);
    if (read_text(text, size, &again, reason) != SMOE_SUCCESS)
        fail_msg("%s", reason);
    assert_string_equal(again.name, "\"\\\xc3\xa9\xc2\xa0  31m [0m ");
    assert_string_equal(again.driver_name, " "); /* no UTF-8 */
    assert_string_equal(again.driver_info, "Driver Build: 1 Date: 12/02/2025  ");
}

static void test_every_key_is_needed(void **state)
{
    char reason[TEST_RECORD_TEXT], expected[64];
    uint32_t count = 0;
    (void)state;
    for (const char *line = good; (line = strstr(line, "\n  \"")) != NULL; line++, count++) {
        const char *end = strchr(line + 1, '\n');
        const size_t before = (size_t)(line - good) - (end[-1] != ','); /* the last one's comma stands before it */
        snprintf(expected, sizeof expected, "%.*s: missing", (int)strcspn(line + 4, "\""), line + 4);
        char *text = malloc(good_size + 1);
        assert_non_null(text);
        memcpy(text, good, before);
        strcpy(text + before, end);
        if (parse(text, strlen(text), reason) || strncmp(reason, expected, strlen(expected)) != 0)
            fail_msg("\"%s\" does not say %s", reason, expected);
        free(text);
    }
    assert_int_equal(count, 28);
}

static void test_not_json(void **state)
{
    static const char *const texts[] = {
        "", " ", "{", "[]", "7", "\"\"", "null", "{}", "{} {}", "{\"smoe_device\": 2}x", "\xff\xfe"};
    char reason[TEST_RECORD_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(parse(texts[i], strlen(texts[i]), reason));
    assert_false(parse(good, good_size - 3, reason));
    assert_string_equal(reason, "the file is not valid JSON: it does not end");
    assert_false(parse("{\0}", 3, reason));
    char *deep = malloc(200001);
    assert_non_null(deep);
    memset(deep, '[', 200000);
    assert_false(parse(deep, 60000, reason));
    free(deep);
}

/* A usable device below the floor is one that cannot be used, for the reason that a driver's would give. */
static void test_below_the_floor(void **state)
{
    char reason[TEST_RECORD_TEXT];
    smoe_device_info info;
    (void)state;
    char *text = changed("\"max_workgroup_invocations\": 1024", "\"max_workgroup_invocations\": 64");
    assert_int_equal(read_text(text, strlen(text), &info, reason), SMOE_SUCCESS);
    assert_false(info.usable);
    assert_string_equal(info.reason, "64 invocations per workgroup, 128 are needed");
    free(text);
}

static void expect(test_record *record, smoe_result result, smoe_result expected, const char *text)
{
    if (result != expected || record->line_count != (expected != SMOE_SUCCESS) ||
        (text && !test_record_has_problem(record, text)))
        fail_msg("%s where %s is due: %s; not %s", smoe_result_text(result), smoe_result_text(expected),
                 record->lines[0], text);
    test_record_clear(record);
}

/* By path and back, byte for byte; arguments that are missing, files that are not there, too large, or of another
 * version. */
static void test_files(void **state)
{
    const char *path = sample_path("capabilities");
    smoe_device_info info, again;
    char large_enough[4096];
    size_t size = 0, least;
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    (void)state;
    expect(&record, smoe_capability_file_read(GOOD, NULL, &log, &info), SMOE_SUCCESS, NULL);
    expect(&record, smoe_capability_file_write(path, &info, NULL, &log), SMOE_SUCCESS, NULL);
    unsigned char *text = sample_read_bytes(path, &size);
    assert_true(size == good_size && memcmp(text, good, size) == 0);
    free(text);
    expect(&record, smoe_capability_file_read(path, NULL, &log, &again), SMOE_SUCCESS, NULL);
    assert_memory_equal(&info, &again, sizeof info);

    char *large = malloc(SMOE_CAPABILITY_FILE_MAX_SIZE + 1);
    assert_non_null(large);
    memset(large, ' ', SMOE_CAPABILITY_FILE_MAX_SIZE + 1);
    memcpy(large, good, good_size);
    expect(&record, smoe_capability_file_parse(large, SMOE_CAPABILITY_FILE_MAX_SIZE, "a", NULL, &log, &again),
           SMOE_SUCCESS, NULL);
    expect(&record, smoe_capability_file_parse(large, SMOE_CAPABILITY_FILE_MAX_SIZE + 1, "a", NULL, &log, &again),
           SMOE_ERROR_FILE, "a: larger than 65536 bytes");
    assert_true(sample_write_bytes(path, large, SMOE_CAPABILITY_FILE_MAX_SIZE + 1));
    expect(&record, smoe_capability_file_read(path, NULL, &log, &again), SMOE_ERROR_FILE, "larger than 65536 bytes");
    free(large);
    remove(path);
    expect(&record, smoe_capability_file_read(path, NULL, &log, &again), SMOE_ERROR_FILE, "cannot be opened");
    expect(&record, smoe_capability_file_write("/nowhere/at/all", &info, NULL, &log), SMOE_ERROR_FILE,
           "cannot be opened");
    char *newer = changed("\"smoe_device\": 2", "\"a_key_of_then\": 1, \"smoe_device\": 3");
    expect(&record, smoe_capability_file_parse(newer, strlen(newer), "a", NULL, &log, &again), SMOE_ERROR_UNSUPPORTED,
           "version 3");
    free(newer);
    assert_false(again.usable || again.name[0]);

    expect(&record, smoe_capability_file_read(NULL, NULL, &log, &again), SMOE_ERROR_INVALID_ARGUMENT, "path");
    expect(&record, smoe_capability_file_read(GOOD, NULL, &log, NULL), SMOE_ERROR_INVALID_ARGUMENT, "out");
    expect(&record, smoe_capability_file_parse(NULL, 0, "a", NULL, &log, &again), SMOE_ERROR_INVALID_ARGUMENT, "text");
    expect(&record, smoe_capability_file_parse("{}", 2, NULL, NULL, &log, &again), SMOE_ERROR_INVALID_ARGUMENT, "name");
    expect(&record, smoe_capability_file_parse("{}", 2, "a", NULL, &log, NULL), SMOE_ERROR_INVALID_ARGUMENT, "out");
    expect(&record, smoe_capability_file_write(NULL, &info, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT, "path");
    expect(&record, smoe_capability_file_write(path, NULL, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT, "info");
    expect(&record, smoe_capability_file_text(NULL, &log, &size, NULL), SMOE_ERROR_INVALID_ARGUMENT, "info");
    expect(&record, smoe_capability_file_text(&info, &log, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT, "size");
    expect(&record, smoe_capability_file_text(&info, &log, &least, NULL), SMOE_SUCCESS, NULL);
    assert_true(least == good_size);
    size = least - 1;
    expect(&record, smoe_capability_file_text(&info, &log, &size, large_enough), SMOE_ERROR_INVALID_ARGUMENT, "size");
}

/* No allocation fails without a word, and none leaks. */
static void test_memory(void **state)
{
    smoe_device_info info;
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const char *path = sample_path("capabilities");
    (void)state;
    for (int way = 0; way < 3; way++)
        for (uint64_t fail_at = 1; fail_at <= 2; fail_at++) {
            sample_counting counting = {.fail_at = fail_at};
            const smoe_allocator allocator = {sample_allocate, sample_release, &counting};
            const smoe_allocator *const own = &allocator;
            assert_int_equal(smoe_capability_file_read(GOOD, NULL, &log, &info), SMOE_SUCCESS);
            const smoe_result result = way == 0   ? smoe_capability_file_read(GOOD, own, &log, &info)
                                       : way == 1 ? smoe_capability_file_parse(good, good_size, "a", own, &log, &info)
                                                  : smoe_capability_file_write(path, &info, own, &log);
            expect(&record, result, fail_at == 1 ? SMOE_ERROR_OUT_OF_HOST_MEMORY : SMOE_SUCCESS,
                   fail_at == 1 ? "memory" : NULL);
            assert_int_equal(counting.calls, 1);
            assert_int_equal(counting.live, 0);
        }
    remove(path);
}

static void test_names(void **state)
{
    char text[SMOE_MATRIX_SHAPE_TEXT_SIZE];
    uint32_t all = 0, found;
    const char *name;
    (void)state;
    for (uint32_t bit = 1; (name = smoe_capability_name(bit)) != NULL; bit *= 2) {
        assert_true(smoe_capability_find(name, &found) && found == bit);
        all |= bit;
    }
    assert_int_equal(all, SMOE_CAPABILITY_ALL);
    assert_null(smoe_capability_name(0));
    assert_null(smoe_capability_name(3));
    assert_false(smoe_capability_find("subgroup_magic", &found) || smoe_capability_find("", &found) ||
                 smoe_capability_find(NULL, &found));
    assert_string_equal(smoe_device_type_name(VK_PHYSICAL_DEVICE_TYPE_CPU), "CPU");
    assert_string_equal(smoe_device_type_name((VkPhysicalDeviceType)77), "other");
    const smoe_matrix_shape shape = {SMOE_TYPE_BFLOAT16, 16, 8, 32},
                            strange = {(smoe_type)99, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    assert_string_equal(smoe_matrix_shape_text(&shape, text), "16x8x32 bfloat16");
    assert_string_equal(smoe_matrix_shape_text(&strange, text), "4294967295x4294967295x4294967295 unknown");
}

static void test_byte_order_mark(void **state)
{
    char reason[TEST_RECORD_TEXT];
    (void)state;
    char *text = malloc(good_size + 7);
    assert_non_null(text);
    memcpy(text, "\xef\xbb\xbf", 3);
    memcpy(text + 3, good, good_size);
    assert_true(parse(text, good_size + 3, reason));
    memcpy(text, "\xef\xbb\xbf\xef\xbb\xbf", 6);
    memcpy(text + 6, good, good_size);
    assert_false(parse(text, good_size + 6, reason));
    free(text);
}

static void mutate(test_random *random, char *text, size_t *size)
{
    static const char *const parts[] = {
        "0",  "-1",      "1e999", "4294967296",       "\"\"", "null", "[]",    "{}",    "[[[[",   "true", "\\u", ",",
        "\"", "\\u0000", "0x",    "9007199254740993", "\n",   "}",    "false", "\"x\"", "\\u001b"};
    const size_t at = test_random_below(random, (uint32_t)*size);
    const char *part = parts[test_random_below(random, sizeof parts / sizeof parts[0])];
    switch (test_random_below(random, 5)) {
    case 0: text[at] = (char)test_random_below(random, 256); break;
    case 1: text[at] ^= (char)(1u << test_random_below(random, 8)); break;
    case 2: /* cut a piece out */ {
        const size_t wanted = test_random_below(random, 40), cut = wanted < *size - at ? wanted : 1;
        memmove(text + at, text + at + cut, *size - at - cut);
        *size -= cut;
        break;
    }
    case 3: /* put one in */
        memmove(text + at + strlen(part), text + at, *size - at);
        memcpy(text + at, part, strlen(part));
        *size += strlen(part);
        break;
    default: /* another value for a key */ {
        char *colon = memchr(text + at, ':', *size - at);
        char *end = colon ? memchr(colon, '\n', *size - (size_t)(colon - text)) : NULL;
        if (!end)
            break;
        end -= end[-1] == ',';
        memmove(colon + 1 + strlen(part), end, *size - (size_t)(end - text));
        memcpy(colon + 1, part, strlen(part));
        *size = *size + strlen(part) - (size_t)(end - colon - 1);
    }
    }
}

#define ROUNDS 20000

static void test_fuzz(void **state)
{
    const uint64_t seed = test_seed();
    test_random random = test_random_make(seed, 1);
    char reason[TEST_RECORD_TEXT];
    uint32_t accepted = 0;
    char *text = malloc(good_size + 1024);
    (void)state;
    assert_non_null(text);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t size = good_size;
        memcpy(text, good, size);
        for (uint32_t k = test_random_below(&random, 4) + 1; k > 0; k--)
            mutate(&random, text, &size);
        accepted += parse(text, size, reason);
    }
    free(text);
    print_message("SMOE_TEST_SEED=%llu: %u of %u damaged files are still capability files\n", (unsigned long long)seed,
                  accepted, ROUNDS);
    assert_true(accepted > 0 && accepted < ROUNDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_matrices),
        cmocka_unit_test(test_control_characters_are_not_written),
        cmocka_unit_test(test_every_key_is_needed),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_below_the_floor),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_fuzz),
    };
    good = device_files_text(GOOD, &good_size);
    const int failed = cmocka_run_group_tests_name("capability file", tests, NULL, NULL);
    free(good);
    return failed;
}
