/* GGUF files as an enemy would make them: headers that lie, files cut at every byte, bits flipped, pieces moved; no
 * memory when it is asked for. What a right file gives is for tests/checkpoint. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/record.h"
#include "sample_file.h"
#include "sample_gguf.h"
#include "smoe/checkpoint.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MUTATIONS 3000

static const char *path_of(const char *ending)
{
    static char path[512];
    snprintf(path, sizeof path, "%s%s", sample_path("hostile"), ending);
    return path;
}

/* Opens the file and reads every layer that it says it has: the first failure. */
static smoe_result read_all(const char *path, const smoe_allocator *allocator, const smoe_log *log)
{
    smoe_checkpoint *checkpoint;
    smoe_result result = smoe_checkpoint_open(path, allocator, log, &checkpoint);
    uint32_t count = 4, layers[4] = {0};
    if (result == SMOE_SUCCESS)
        result = smoe_checkpoint_layers(checkpoint, &count, layers);
    if (result == SMOE_SUCCESS && count == 0)
        result = SMOE_ERROR_FILE;
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count; i++) {
        smoe_checkpoint_layer *layer;
        result = smoe_checkpoint_read(checkpoint, layers[i], NULL, &layer);
        smoe_checkpoint_layer_destroy(layer);
    }
    smoe_checkpoint_close(checkpoint);
    return result;
}

static smoe_result read_bytes(const unsigned char *bytes, size_t size, const smoe_allocator *allocator,
                              const smoe_log *log)
{
    assert_true(sample_write_bytes(path_of(".gguf"), bytes, size));
    return read_all(path_of(".gguf"), allocator, log);
}

/* ---- headers that lie -------------------------------------------------------------------------------------------- */

static const uint64_t square[4] = {32, 2, 1, 1};

/* A file of one tensor, 256 bytes of data, and no metadata. */
static void one_tensor(sample_gguf *file, const char *name, uint32_t rank, const uint64_t *lengths, uint32_t type,
                       uint64_t offset)
{
    sample_gguf_begin(file, 1, 0);
    sample_gguf_tensor(file, name, rank, lengths, type, offset);
    sample_gguf_pad(file);
    for (int i = 0; i < 32; i++)
        sample_gguf_number(file, 0, 8);
}

static void two_tensors(sample_gguf *file, const char *first, const char *second, uint64_t offset)
{
    sample_gguf_begin(file, 2, 0);
    sample_gguf_tensor(file, first, 2, square, 0, 0);
    sample_gguf_tensor(file, second, 2, square, 0, offset);
    sample_gguf_pad(file);
    for (int i = 0; i < 64; i++)
        sample_gguf_number(file, 0, 8);
}

static void many_tensors(sample_gguf *f)
{
    sample_gguf_begin(f, UINT64_C(1) << 63, 0);
}
static void million_tensors(sample_gguf *f)
{
    sample_gguf_begin(f, 1000000, 0);
}
static void many_pairs(sample_gguf *f)
{
    sample_gguf_begin(f, 0, UINT64_MAX);
}
static void long_name(sample_gguf *f)
{
    one_tensor(f, "a name of a tensor that has more bytes than the format allows: 65", 2, square, 0, 0);
}
static void many_lengths(sample_gguf *f)
{
    one_tensor(f, "t", 4, square, 0, 0), f->bytes[24 + 8 + 1] = 5;
}
static void overflow(sample_gguf *f)
{
    one_tensor(f, "t", 3, (uint64_t[]){UINT64_C(1) << 32, UINT64_C(1) << 31, 4}, 0, 0);
}
static void large(sample_gguf *f)
{
    one_tensor(f, "t", 1, (uint64_t[]){UINT64_C(1) << 52}, 0, 0);
}
static void partial_block(sample_gguf *f)
{
    one_tensor(f, "t", 1, (uint64_t[]){33}, 8, 0);
}
static void unaligned(sample_gguf *f)
{
    one_tensor(f, "t", 2, square, 0, 16);
}
static void behind_end(sample_gguf *f)
{
    one_tensor(f, "t", 2, square, 0, 32);
}
static void far_offset(sample_gguf *f)
{
    one_tensor(f, "t", 2, square, 0, UINT64_C(1) << 63);
}
static void overlapping(sample_gguf *f)
{
    two_tensors(f, "a", "b", 224);
}
static void same_place(sample_gguf *f)
{
    two_tensors(f, "a", "b", 0);
}
static void same_name(sample_gguf *f)
{
    two_tensors(f, "a", "a", 256);
}
static void zero_in_name(sample_gguf *f)
{
    two_tensors(f, "a", "b", 256), f->bytes[24 + 8] = 0;
}

static void pair(sample_gguf *f, const char *key, uint32_t type, uint64_t value, uint32_t size)
{
    sample_gguf_begin(f, 0, 1);
    sample_gguf_pair(f, key, type, value, size);
    sample_gguf_pad(f);
}

static void same_keys(sample_gguf *f)
{
    sample_gguf_begin(f, 0, 2);
    sample_gguf_pair(f, "a", SAMPLE_GGUF_UINT8, 1, 1);
    sample_gguf_pair(f, "a", SAMPLE_GGUF_UINT8, 2, 1);
}
static void zero_in_key(sample_gguf *f)
{
    pair(f, "a", SAMPLE_GGUF_UINT8, 1, 1), f->bytes[24 + 8] = 0;
}
static void key_of(sample_gguf *f, uint64_t size)
{
    sample_gguf_begin(f, 0, 1);
    sample_gguf_number(f, size, 8);
    sample_gguf_number(f, 0, 8);
}

static void long_key(sample_gguf *f)
{
    key_of(f, 65536);
}

static void endless_key(sample_gguf *f)
{
    key_of(f, UINT64_MAX);
}

static void endless_text(sample_gguf *f)
{
    pair(f, "a", SAMPLE_GGUF_STRING, UINT64_MAX - 7, 8);
}
static void unknown_value(sample_gguf *f)
{
    pair(f, "a", 13, 0, 8);
}
static void array(sample_gguf *f, uint32_t type, uint64_t count)
{
    pair(f, "a", SAMPLE_GGUF_ARRAY, type, 4);
    f->size = 24 + 9 + 4 + 4;
    sample_gguf_number(f, count, 8);
    sample_gguf_pad(f);
}
static void arrays_in_array(sample_gguf *f)
{
    array(f, SAMPLE_GGUF_ARRAY, 1);
}
static void unknown_array(sample_gguf *f)
{
    array(f, 99, 1);
}
static void endless_array(sample_gguf *f)
{
    array(f, SAMPLE_GGUF_UINT64, UINT64_C(1) << 61);
}
static void endless_texts(sample_gguf *f)
{
    array(f, SAMPLE_GGUF_STRING, UINT64_C(1) << 60);
}
static void no_alignment(sample_gguf *f)
{
    pair(f, "general.alignment", SAMPLE_GGUF_UINT32, 0, 4);
}
static void odd_alignment(sample_gguf *f)
{
    pair(f, "general.alignment", SAMPLE_GGUF_UINT32, 48, 4);
}
static void large_alignment(sample_gguf *f)
{
    pair(f, "general.alignment", SAMPLE_GGUF_UINT32, 1u << 21, 4);
}

static const struct {
    void (*make)(sample_gguf *file);
    const char *text;
} lies[] = {
    {many_tensors, "9223372036854775808 tensors, must be at most 1048576"},
    {million_tensors, "1000000 tensors, must be at most 1048576, and no more than the file has bytes for"},
    {many_pairs, "18446744073709551615 pairs of metadata, must be at most 65536"},
    {long_name, "a tensor's name has 65 bytes, must have at most 64"},
    {many_lengths, "tensor \"t\": its shape has more than 4 lengths"},
    {overflow, "tensor \"t\": its shape has more elements than any file can hold"},
    {large, "tensor \"t\": it has more bytes than any file can hold"},
    {partial_block, "tensor \"t\": its rows have 33 elements, must have a multiple of 32 for Q8_0"},
    {unaligned, "tensor \"t\": its offset is 16, which is no multiple of the file's alignment"},
    {behind_end, "tensor \"t\": its offset is 32, and it ends behind the file's last byte"},
    {far_offset, "tensor \"t\": its offset lies beyond any file"},
    {overlapping, "tensor \"b\": its offset is 224, where it overlaps another tensor"},
    {same_place, "tensor \"b\": its offset is 0, where it overlaps another tensor"},
    {same_name, "two tensors are named \"a\""},
    {zero_in_name, "a tensor's name has a zero byte"},
    {same_keys, "the metadata has two members named \"a\""},
    {zero_in_key, "a key or value of the metadata has a zero byte"},
    {long_key, "a key of the metadata has 65536 bytes, must have at most 65535"},
    {endless_key, "a key of the metadata has 18446744073709551615 bytes, must have at most 65535"},
    {endless_text, "a value of the metadata: the file ends after"},
    {unknown_value, "a value of the metadata has an unknown type"},
    {arrays_in_array, "an array of the metadata has arrays, or values of an unknown type"},
    {unknown_array, "an array of the metadata has arrays, or values of an unknown type"},
    {endless_array, "an array of the metadata is longer than the file"},
    {endless_texts, "an array of the metadata is longer than the file"},
    {no_alignment, "general.alignment is \"0\", but must be a power of two up to 2^20"},
    {odd_alignment, "general.alignment is \"48\""},
    {large_alignment, "general.alignment is \"2097152\""},
};

/* Each is refused with its line, and no memory is asked for that the file could not fill. */
static void test_lies(void **state)
{
    static sample_gguf file;
    test_record record;
    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    for (size_t i = 0; i < COUNT(lies); i++) {
        sample_counting counting = {0};
        const smoe_allocator allocator = {sample_allocate, sample_release, &counting};
        lies[i].make(&file);
        test_record_clear(&record);
        const smoe_result result = read_bytes(file.bytes, file.size, &allocator, &log);
        if (result != SMOE_ERROR_FILE || test_record_problem_count(&record) != 1 ||
            !test_record_has_problem(&record, lies[i].text)) {
            test_record_print(&record);
            fail_msg("lie %u: result %d, must be \"%s\"", (unsigned)i, (int)result, lies[i].text);
        }
        assert_int_equal(counting.live, 0);
        assert_true(counting.peak_bytes < 16384);
    }
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void test_right(void **state)
{
    sample_gguf *files = test_calloc(3, sizeof *files);
    (void)state;
    sample_gguf_make(&files[0], 0, 1);
    assert_int_equal(read_bytes(files[0].bytes, files[0].size, NULL, NULL), SMOE_SUCCESS);
    sample_gguf_make(&files[1], 0, 2);
    sample_gguf_make(&files[2], 1, 2);
    assert_true(sample_write_bytes(path_of("-00001-of-00002.gguf"), files[1].bytes, files[1].size));
    assert_true(sample_write_bytes(path_of("-00002-of-00002.gguf"), files[2].bytes, files[2].size));
    for (int i = 1; i < 3; i++)
        assert_int_equal(read_all(path_of(i == 1 ? "-00001-of-00002.gguf" : "-00002-of-00002.gguf"), NULL, NULL),
                         SMOE_SUCCESS);
    remove(path_of("-00001-of-00002.gguf"));
    remove(path_of("-00002-of-00002.gguf"));
    test_free(files);
}

/* Cut anywhere but in the zeros at its end, a file is refused, with a line. */
static void test_cut(void **state)
{
    static sample_gguf file;
    test_record record;
    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    sample_gguf_make(&file, 0, 1);
    for (size_t size = 0; size < file.size; size += size < 2048 ? 1 : 97) {
        test_record_clear(&record);
        const smoe_result result = read_bytes(file.bytes, size, NULL, &log);
        if (result != SMOE_ERROR_FILE || test_record_problem_count(&record) != 1)
            fail_msg("cut at %u of %u: %d", (unsigned)size, (unsigned)file.size, (int)result);
    }
}

/* Every answer is one of those that the headers name. */
static void test_changed(void **state)
{
    static sample_gguf right;
    const uint64_t seed = test_seed();
    unsigned char *bytes = test_malloc(SAMPLE_GGUF_SIZE);
    uint32_t good = 0;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    sample_gguf_make(&right, 0, 1);
    for (uint64_t i = 0; i < MUTATIONS; i++) {
        test_random random = test_random_make(seed, i);
        memcpy(bytes, right.bytes, right.size);
        const size_t size = sample_mutate(&random, bytes, right.size, SAMPLE_GGUF_SIZE);
        const smoe_result result = read_bytes(bytes, size, NULL, NULL);
        assert_true(result == SMOE_SUCCESS || result == SMOE_ERROR_FILE || result == SMOE_ERROR_UNSUPPORTED ||
                    result == SMOE_ERROR_INVALID_ARGUMENT);
        good += result == SMOE_SUCCESS;
    }
    print_message("%u of %u changed files were read\n", good, (unsigned)MUTATIONS);
    assert_true(good > 0 && good < MUTATIONS);
    test_free(bytes);
}

/* Each call of the allocator fails once. */
static void test_no_memory(void **state)
{
    static sample_gguf file;
    uint64_t failures = 0;
    (void)state;
    sample_gguf_make(&file, 0, 1);
    for (uint64_t fail_at = 1;; fail_at++) {
        sample_counting counting = {.fail_at = fail_at};
        const smoe_allocator allocator = {sample_allocate, sample_release, &counting};
        const smoe_result result = read_bytes(file.bytes, file.size, &allocator, NULL);
        assert_int_equal(counting.live, 0);
        if (counting.calls < fail_at) {
            assert_int_equal(result, SMOE_SUCCESS);
            break;
        }
        assert_int_equal(result, SMOE_ERROR_OUT_OF_HOST_MEMORY);
        failures++;
    }
    assert_true(failures > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),   cmocka_unit_test(test_lies),      cmocka_unit_test(test_cut),
        cmocka_unit_test(test_changed), cmocka_unit_test(test_no_memory),
    };
    const int failed = cmocka_run_group_tests_name("GGUF files", tests, NULL, NULL);
    remove(path_of(".gguf"));
    return failed;
}
