/* Layer files as an enemy would make them: cut at every byte, bits flipped, pieces moved; and no memory when it is
 * asked for. Run with sanitizers (scons sanitize=address,undefined test) this is the fuzzer of every CI run;
 * fuzz_layer_file.c is libFuzzer's. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/record.h"
#include "fuzz.h"
#include "sample_file.h"

#define MUTATIONS 2000

/* kind: 0 ungated, 1 gated, 2 all that a layer can have. */
static unsigned char *sample_bytes(int kind, size_t *size)
{
    const char *path = sample_path("valid");
    sample_file sample;
    if (kind == 2)
        sample_init_full(&sample);
    else
        sample_init(&sample, kind == 1);
    assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
    return sample_read_bytes(path, size);
}

static void test_truncation(void **state)
{
    (void)state;
    const char *path = sample_path("cut");
    for (int gated = 0; gated < 2; gated++) {
        size_t size;
        unsigned char *bytes = sample_bytes(gated, &size);
        for (size_t cut = 0; cut <= size; cut++) {
            smoe_layer_file *file;
            const smoe_result result = sample_open_bytes(path, bytes, cut, NULL, NULL, &file);
            if (result != (cut == size ? SMOE_SUCCESS : SMOE_ERROR_FILE))
                fail_msg("cut at %zu of %zu: %d", cut, size, (int)result);
            smoe_layer_file_close(file);
        }
        free(bytes);
    }
    remove(path);
}

/* Every value of a header length's low bytes, and lengths no file has. */
static void test_header_lengths(void **state)
{
    (void)state;
    const char *path = sample_path("length");
    size_t size;
    unsigned char *bytes = sample_bytes(0, &size);
    unsigned char right[8];
    memcpy(right, bytes, 8);
    for (uint64_t i = 0; i < 3000; i++) {
        const uint64_t length = i < 2900 ? i : UINT64_C(1) << (i % 64) | (i & 1);
        for (int b = 0; b < 8; b++)
            bytes[b] = (unsigned char)(length >> 8 * b);
        smoe_layer_file *file;
        const smoe_result result = sample_open_bytes(path, bytes, size, NULL, NULL, &file);
        assert_int_equal(result, memcmp(bytes, right, 8) == 0 ? SMOE_SUCCESS : SMOE_ERROR_FILE);
        smoe_layer_file_close(file);
    }
    free(bytes);
    /* Formats that people give for another say so. */
    static const char *const others[][2] = {{"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
                                            {"GGUF\3\0\0\0", "a GGUF file"},
                                            {"PK\3\4\0\0\10\10", "a zip archive"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        test_record other;
        test_record_init(&other);
        const smoe_log to_other = test_record_log(&other);
        smoe_layer_file *none;
        assert_int_equal(sample_open_bytes(path, others[i][0], i ? 8 : strlen(others[i][0]), NULL, &to_other, &none),
                         SMOE_ERROR_FILE);
        assert_true(test_record_problem_count(&other) == 1 && test_record_has_problem(&other, others[i][1]));
    }
    /* One above the bound, in a file (of holes) that is long enough for it. */
    const unsigned char above[8] = {0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0}; /* 100,000,001 */
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_layer_file *file;
    assert_true(sample_write_bytes(path, above, sizeof above));
    FILE *stream = fopen(path, "r+b");
    assert_true(stream && fseek(stream, 100000099, SEEK_SET) == 0 && fputc(0, stream) == 0 && fclose(stream) == 0);
    assert_int_equal(smoe_layer_file_open(path, NULL, &log, &file), SMOE_ERROR_FILE);
    assert_true(test_record_has_problem(&record, "above the bound"));
    remove(path);
}

static void test_mutations(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    printf("# seed %llu\n", (unsigned long long)seed);
    for (int kind = 0; kind < 3; kind++) {
        size_t size;
        unsigned char *bytes = sample_bytes(kind, &size), *mutant = malloc(size + 4096);
        assert_non_null(mutant);
        for (uint64_t i = 0; i < MUTATIONS; i++) {
            test_random random = test_random_make(seed, 3 * i + (uint64_t)kind);
            memcpy(mutant, bytes, size);
            fuzz_layer_file(mutant, sample_mutate(&random, mutant, size, size + 4096));
        }
        free(mutant);
        free(bytes);
    }
    remove(sample_path("fuzz"));
    remove(sample_path("fuzz-again"));
}

static void test_allocation_failures(void **state)
{
    (void)state;
    const char *path = sample_path("no-memory");
    for (int writing = 0; writing < 2; writing++) {
        size_t size;
        unsigned char *bytes = sample_bytes(2, &size);
        sample_file sample;
        sample_init_full(&sample);
        uint64_t failures = 0;
        for (uint64_t fail_at = 1;; fail_at++) {
            sample_counting c = {0, fail_at, 0, 0, 0};
            const smoe_allocator allocator = {sample_allocate, sample_release, &c};
            smoe_layer_file *file = NULL;
            smoe_result result;
            if (writing)
                result = smoe_layer_file_write(path, sample.tensors, sample.tensor_count, sample.metadata,
                                               sample.metadata_count, &allocator, NULL);
            else
                result = sample_open_bytes(path, bytes, size, &allocator, NULL, &file);
            if (result == SMOE_SUCCESS && file)
                assert_int_equal(smoe_layer_file_layer(file, NULL, NULL, NULL), SMOE_SUCCESS);
            smoe_layer_file_close(file);
            assert_int_equal(c.live, 0);
            if (c.calls < fail_at) {
                assert_int_equal(result, SMOE_SUCCESS);
                break;
            }
            assert_int_equal(result, SMOE_ERROR_OUT_OF_HOST_MEMORY);
            failures++;
        }
        assert_true(failures >= (writing ? 1u : 10u));
        free(bytes);
    }
    remove(path);
}

/* A file's claims do not turn into memory: at most four times its own bytes, and what a small file needs. */
static void test_memory_bound(void **state)
{
    (void)state;
    enum { TEXT_SIZE = 65000 };
    static const char *const patterns[] = {"\"a\":0,", "\"\":\"\",", "1,",
                                           "[",        "{\"a\":",    "\"a\":{\"b\":[1,1,1,1,1,1]},"};
    static const char *const starts[] = {"{", "{\"__metadata__\":{", "{\"__metadata__\":{\"a\":[", "{\"a\":["};
    static const char *const ends[] = {"\"b\":0}", "\"b\":\"\"}}", "1]}}", "1]}"};
    const char *path = sample_path("bound");
    char *text = malloc(TEXT_SIZE);
    assert_non_null(text);
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
            size_t used = (size_t)snprintf(text, TEXT_SIZE, "%s", starts[s]);
            while (used + strlen(patterns[p]) + 16 < TEXT_SIZE)
                used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%s", patterns[p]);
            snprintf(text + used, TEXT_SIZE - used, "%s", ends[s]);
            size_t size;
            unsigned char *bytes = sample_raw(text, 8, &size);
            sample_counting c = {0, 0, 0, 0, 0};
            const smoe_allocator allocator = {sample_allocate, sample_release, &c};
            smoe_layer_file *file;
            assert_int_equal(sample_open_bytes(path, bytes, size, &allocator, NULL, &file), SMOE_ERROR_FILE);
            assert_int_equal(c.live, 0);
            if (c.peak_bytes > 4 * size + 4096)
                fail_msg("%s %s: %llu bytes for a file of %zu", starts[s], patterns[p],
                         (unsigned long long)c.peak_bytes, size);
            free(bytes);
        }
    }
    free(text);
    /* Sizes that are consistent with one another, but not with the file. */
    size_t size;
    unsigned char *bytes = sample_raw(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1000000,1000000],\"data_offsets\":[0,4000000000000]}}", 64, &size);
    sample_counting c = {0, 0, 0, 0, 0};
    const smoe_allocator allocator = {sample_allocate, sample_release, &c};
    smoe_layer_file *file;
    assert_int_equal(sample_open_bytes(path, bytes, size, &allocator, NULL, &file), SMOE_ERROR_FILE);
    assert_true(c.peak_bytes < 4096);
    free(bytes);
    remove(path);
}

static int clean_up(void **state)
{
    (void)state;
    return remove(sample_path("valid"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation),   cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_mutations),    cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_memory_bound),
    };
    return cmocka_run_group_tests_name("layer file", tests, NULL, clean_up);
}
