/* Checkpoints as an enemy would make them: configuration, index and files cut at every byte, bits flipped, pieces
 * moved; no memory when it is asked for; and that nothing but a layer's own bytes is read. What a right checkpoint
 * gives is for tests/checkpoint. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/record.h"
#include "common/system.h"
#include "sample_checkpoint.h"
#include "sample_file.h"
#include "smoe/checkpoint.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MUTATIONS 1500

enum { CONFIG, INDEX, FIRST, SECOND, FILES = SAMPLE_CHECKPOINT_FILES };
static const char *const *const names = sample_checkpoint_files;

typedef struct folder {
    char path[200];
    unsigned char *bytes[FILES]; /* as they are right */
    size_t size[FILES];
} folder;

static const char *file_path(const folder *f, int file)
{
    static char text[300];
    snprintf(text, sizeof text, "%s/%s", f->path, names[file]);
    return text;
}

static void restore(const folder *f, int file)
{
    assert_true(sample_write_bytes(file_path(f, file), f->bytes[file], f->size[file]));
}

static void make_files(folder *f)
{
    assert_true(sample_checkpoint_write(f->path));
    for (int i = 0; i < FILES; i++)
        f->bytes[i] = sample_read_bytes(file_path(f, i), &f->size[i]);
}

static int make_folder(void **state)
{
    static folder f;
    snprintf(f.path, sizeof f.path, "%s", sample_path("checkpoint"));
    if (!test_make_folder(f.path))
        return -1;
    make_files(&f);
    *state = &f;
    return 0;
}

static int remove_folder(void **state)
{
    folder *f = *state;
    for (int i = 0; i < FILES; i++) {
        remove(file_path(f, i));
        free(f->bytes[i]);
    }
    return test_remove_folder(f->path) ? 0 : -1;
}

/* Every array of the layer, each element. */
static double sum_layer(const smoe_checkpoint_layer *layer)
{
    smoe_plan_desc plan;
    smoe_host_weights w;
    assert_int_equal(smoe_checkpoint_layer_get(layer, &plan, NULL, &w), SMOE_SUCCESS);
    smoe_layer_tensor tensor;
    double sum = 0.0;
    for (uint32_t i = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        const smoe_host_weight array = smoe_host_weights_get(&w, &tensor);
        const uint64_t words = smoe_type_size(array.type, tensor.element_count) / 2;
        for (uint64_t j = 0; array.data && j < words; j++)
            sum += ((const uint16_t *)array.data)[j];
    }
    return sum;
}

/* The first failure of opening the folder and reading every layer that it says it has. */
static smoe_result read_all(const folder *f, const smoe_allocator *allocator, const smoe_log *log)
{
    smoe_checkpoint *checkpoint;
    smoe_result result = smoe_checkpoint_open(f->path, allocator, log, &checkpoint);
    uint32_t count = 0, layers[4] = {0};
    if (result == SMOE_SUCCESS) {
        count = COUNT(layers);
        result = smoe_checkpoint_layers(checkpoint, &count, layers);
    }
    if (result == SMOE_SUCCESS && count == 0)
        result = SMOE_ERROR_FILE;
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count; i++) {
        smoe_checkpoint_layer *layer;
        result = smoe_checkpoint_read(checkpoint, layers[i], NULL, &layer);
        if (result == SMOE_SUCCESS)
            assert_true(sum_layer(layer) > 0.0);
        smoe_checkpoint_layer_destroy(layer);
    }
    smoe_checkpoint_close(checkpoint);
    return result;
}

static void test_right(void **state)
{
    const folder *f = *state;
    smoe_checkpoint *checkpoint;
    smoe_checkpoint_layer *layer;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    assert_int_equal(smoe_checkpoint_open(f->path, NULL, NULL, &checkpoint), SMOE_SUCCESS);
    assert_string_equal(smoe_checkpoint_format(checkpoint), "deepseek_v3");
    uint32_t count = 0;
    assert_int_equal(smoe_checkpoint_layers(checkpoint, &count, NULL), SMOE_SUCCESS);
    assert_int_equal(count, 1);
    assert_int_equal(smoe_checkpoint_read(checkpoint, 1, NULL, &layer), SMOE_SUCCESS);
    smoe_checkpoint_close(checkpoint); /* the layer stands alone */
    assert_int_equal(smoe_checkpoint_layer_get(layer, &plan, &params, &weights), SMOE_SUCCESS);
    assert_int_equal(plan.gate, SMOE_GATE_SIGMOID);
    assert_int_equal(plan.types.up, SMOE_TYPE_FLOAT32); /* of two types */
    assert_int_equal(plan.shared_hidden, 4);
    assert_int_equal(plan.group_count, 2);
    assert_true(params.scale == 2.5f && params.eps == 0.0f && plan.renormalize);
    const float first[] = {1, 2, 3, 4, 5, 6};
    assert_memory_equal(weights.w1.data, first, sizeof first);
    /* Expert 1 is bfloat16 in the file: its words are the halves of 1, 2, 3, .. as float32. */
    const float *w1 = weights.w1.data;
    assert_true(w1[7] == 1.0f && w1[6] == 0.0f && w1[9] == 2.0f);
    smoe_checkpoint_layer_destroy(layer);
}

static void test_arguments(void **state)
{
    const folder *f = *state;
    smoe_checkpoint *checkpoint = (smoe_checkpoint *)*state;
    smoe_checkpoint_layer *layer = (smoe_checkpoint_layer *)*state;
    uint32_t count = 0;
    const smoe_allocator half = {sample_allocate, NULL, NULL};
    assert_int_equal(smoe_checkpoint_open(NULL, NULL, NULL, &checkpoint), SMOE_ERROR_INVALID_ARGUMENT);
    assert_null(checkpoint);
    assert_int_equal(smoe_checkpoint_open(f->path, NULL, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_checkpoint_open(f->path, &half, NULL, &checkpoint), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_checkpoint_open("", NULL, NULL, &checkpoint), SMOE_ERROR_FILE);
    assert_int_equal(smoe_checkpoint_open("/nowhere/at/all", NULL, NULL, &checkpoint), SMOE_ERROR_FILE);
    assert_int_equal(smoe_checkpoint_open(".safetensors", NULL, NULL, &checkpoint), SMOE_ERROR_FILE);
    assert_int_equal(smoe_checkpoint_open("/dev/null.safetensors", NULL, NULL, &checkpoint), SMOE_ERROR_FILE);
    assert_int_equal(smoe_checkpoint_read(NULL, 0, NULL, &layer), SMOE_ERROR_INVALID_ARGUMENT);
    assert_null(layer);
    assert_int_equal(smoe_checkpoint_layers(NULL, &count, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_checkpoint_layer_get(NULL, NULL, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_null(smoe_checkpoint_format(NULL));
    smoe_checkpoint_close(NULL);
    smoe_checkpoint_layer_destroy(NULL);
    assert_int_equal(smoe_checkpoint_open(f->path, NULL, NULL, &checkpoint), SMOE_SUCCESS);
    assert_int_equal(smoe_checkpoint_read(checkpoint, 1, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_checkpoint_read(checkpoint, 0, NULL, &layer), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_checkpoint_read(checkpoint, UINT32_MAX, NULL, &layer), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_checkpoint_layers(checkpoint, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    smoe_checkpoint_close(checkpoint);
}

/* What is wrong with the arguments says a line each. */
static void test_argument_lines(void **state)
{
    const folder *f = *state;
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_checkpoint *checkpoint;
    smoe_checkpoint_layer *layer;
    assert_int_equal(smoe_checkpoint_open(f->path, NULL, &log, &checkpoint), SMOE_SUCCESS);
    uint32_t layers[1] = {0};
    assert_int_equal(smoe_checkpoint_layers(checkpoint, NULL, layers), SMOE_ERROR_INVALID_ARGUMENT);
    assert_true(test_record_problem_count(&record) == 1 && test_record_has_problem(&record, "count must not be NULL"));
    test_record_clear(&record);
    assert_int_equal(smoe_checkpoint_read(checkpoint, 1, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_true(test_record_problem_count(&record) == 1 && test_record_has_problem(&record, "out must not be NULL"));
    const smoe_activation activations[] = {SMOE_ACTIVATION_SILU, (smoe_activation)99, (smoe_activation)-1};
    const struct {
        smoe_checkpoint_options options;
        const char *text;
    } cases[] = {{{5, NULL}, "options.top_k is 5, but layer 1 has 4 experts"},
                 {{3, NULL}, "options.top_k is 3, but the groups chosen in layer 1 have 2 experts"},
                 {{0, &activations[1]}, "options.activation must be a smoe_activation"},
                 {{1, &activations[2]}, "options.activation must be a smoe_activation"},
                 {{1, &activations[0]}, NULL}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        test_record_clear(&record);
        layer = (smoe_checkpoint_layer *)*state;
        const smoe_result result = smoe_checkpoint_read(checkpoint, 1, &cases[i].options, &layer);
        assert_int_equal(result, cases[i].text ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_SUCCESS);
        assert_int_equal(test_record_problem_count(&record), cases[i].text != NULL);
        assert_true(!cases[i].text || (!layer && test_record_has_problem(&record, cases[i].text)));
        smoe_checkpoint_layer_destroy(layer);
    }
    smoe_checkpoint_close(checkpoint);
}

/* Cut anywhere but in the blanks at its end, each of the files is refused, with a line. */
static void test_truncation(void **state)
{
    const folder *f = *state;
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    for (int file = 0; file < FILES; file++) {
        for (size_t cut = 0; cut < f->size[file]; cut++) {
            assert_true(sample_write_bytes(file_path(f, file), f->bytes[file], cut));
            test_record_clear(&record);
            const bool whole = file == CONFIG && cut + 1 == f->size[file];
            const smoe_result result = read_all(f, NULL, &log);
            if (result != (whole ? SMOE_SUCCESS : SMOE_ERROR_FILE) || test_record_problem_count(&record) != !whole)
                fail_msg("%s cut at %zu of %zu: %d", names[file], cut, f->size[file], (int)result);
        }
        restore(f, file);
    }
}

static void test_mutations(void **state)
{
    const folder *f = *state;
    const uint64_t seed = test_seed();
    printf("# seed %llu\n", (unsigned long long)seed);
    for (int file = 0; file < FILES; file++) {
        unsigned char *mutant = malloc(f->size[file] + 4096);
        assert_non_null(mutant);
        for (uint64_t i = 0; i < MUTATIONS; i++) {
            test_random random = test_random_make(seed, FILES * i + (uint64_t)file);
            memcpy(mutant, f->bytes[file], f->size[file]);
            const size_t size = sample_mutate(&random, mutant, f->size[file], f->size[file] + 4096);
            assert_true(sample_write_bytes(file_path(f, file), mutant, size));
            (void)read_all(f, NULL, NULL);
        }
        free(mutant);
        restore(f, file);
    }
}

static void test_allocation_failures(void **state)
{
    const folder *f = *state;
    uint64_t failures = 0;
    for (uint64_t fail_at = 1;; fail_at++) {
        sample_counting c = {0, fail_at, 0, 0, 0};
        const smoe_allocator allocator = {sample_allocate, sample_release, &c};
        const smoe_result result = read_all(f, &allocator, NULL);
        assert_int_equal(c.live, 0);
        if (c.calls < fail_at) {
            assert_int_equal(result, SMOE_SUCCESS);
            break;
        }
        if (result != SMOE_ERROR_OUT_OF_HOST_MEMORY)
            fail_msg("call %llu: %d", (unsigned long long)fail_at, (int)result);
        failures++;
    }
    assert_true(failures > 20);
}

/* Configurations that promise much take little memory: a small multiple of their bytes, and what a small checkpoint
 * needs. */
static void test_memory_bound(void **state)
{
    enum { TEXT_SIZE = 60000 };
    static const char *const patterns[] = {"\"a\":[1,1,1,1,1,1,1,1],", "\"a\":{\"b\":{\"c\":1}},", "\"x\":1,", "[",
                                           "{\"a\":"};
    const folder *f = *state;
    char *text = malloc(TEXT_SIZE);
    assert_non_null(text);
    for (int file = CONFIG; file <= INDEX; file++) {
        for (size_t p = 0; p < COUNT(patterns); p++) {
            size_t used = (size_t)snprintf(text, TEXT_SIZE, file == CONFIG ? "{" : "{\"weight_map\":{");
            while (used + strlen(patterns[p]) + 16 < TEXT_SIZE)
                used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%s", patterns[p]);
            used += (size_t)snprintf(text + used, TEXT_SIZE - used, file == CONFIG ? "\"b\":0}" : "\"b\":\"c\"}}");
            assert_true(sample_write_bytes(file_path(f, file), text, used));
            sample_counting c = {0, 0, 0, 0, 0};
            const smoe_allocator allocator = {sample_allocate, sample_release, &c};
            assert_int_equal(read_all(f, &allocator, NULL), SMOE_ERROR_FILE);
            assert_int_equal(c.live, 0);
            if (c.peak_bytes > 8 * used + 65536)
                fail_msg("%s of %s: %llu bytes for %zu", names[file], patterns[p], (unsigned long long)c.peak_bytes,
                         used);
        }
        restore(f, file);
    }
    free(text);
}

static uint64_t bytes_read_so_far(void)
{
#ifdef _WIN32
    return 0; /* what wine shows there has its own conversations in it */
#else
    char line[64] = "";
    unsigned long long bytes = 0;
    FILE *stream = fopen("/proc/self/io", "r");
    if (stream && fgets(line, sizeof line, stream) && sscanf(line, "rchar: %llu", &bytes) != 1)
        bytes = 0;
    if (stream)
        fclose(stream);
    return bytes;
#endif
}

/* A layer's bytes, the headers and the index are read, not the 64 MiB of other tensors beside and between them. */
static void test_only_its_bytes(void **state)
{
    enum { BALLAST = 32 << 20, LENGTH = 300 };
    (void)state;
    const char *path = sample_path("layer.safetensors");
    unsigned char *ballast = calloc(1, BALLAST);
    float *values = calloc(2 * LENGTH * LENGTH, sizeof *values);
    assert_true(ballast && values);
    for (size_t i = 0; i < 2 * LENGTH * LENGTH; i++)
        values[i] = (float)i;
    const uint64_t matrix = (uint64_t)LENGTH * LENGTH * 4;
    const smoe_tensor tensors[] = {
        {"before", SMOE_TENSOR_UINT8, 1, {BALLAST, 1, 1, 1}, ballast, BALLAST},
        {"gates.0.wg.weight", SMOE_TENSOR_FLOAT32, 2, {2, LENGTH, 1, 1}, values, 8 * LENGTH},
        {"experts.batched_fc1_w", SMOE_TENSOR_FLOAT32, 3, {2, LENGTH, LENGTH, 1}, values, 2 * matrix},
        {"between", SMOE_TENSOR_UINT8, 1, {BALLAST, 1, 1, 1}, ballast, BALLAST},
        {"experts.batched_fc2_w", SMOE_TENSOR_FLOAT32, 3, {2, LENGTH, LENGTH, 1}, values, 2 * matrix},
    };
    const char *const metadata[] = {"k", "1", "activation", "relu"};
    assert_int_equal(smoe_layer_file_write(path, tensors, COUNT(tensors), metadata, 2, NULL, NULL), SMOE_SUCCESS);
    const uint64_t before = bytes_read_so_far();
    smoe_checkpoint *checkpoint;
    smoe_checkpoint_layer *layer;
    smoe_host_weights weights;
    assert_int_equal(smoe_checkpoint_open(path, NULL, NULL, &checkpoint), SMOE_SUCCESS);
    assert_int_equal(smoe_checkpoint_read(checkpoint, 0, NULL, &layer), SMOE_SUCCESS);
    const uint64_t bytes = bytes_read_so_far() - before;
    assert_int_equal(smoe_checkpoint_layer_get(layer, NULL, NULL, &weights), SMOE_SUCCESS);
    assert_memory_equal(weights.w1.data, values, 2 * matrix);
    const float *w2 = weights.w2.data; /* transposed: [E,D,H] of [E,H,D] */
    for (uint64_t e = 0; e < 2; e++)
        for (uint64_t d = 0; d < LENGTH; d++)
            for (uint64_t h = 0; h < LENGTH; h++)
                assert_true(w2[(e * LENGTH + d) * LENGTH + h] == values[(e * LENGTH + h) * LENGTH + d]);
    smoe_checkpoint_layer_destroy(layer);
    smoe_checkpoint_close(checkpoint);
    remove(path);
    free(values);
    free(ballast);
    if (before == 0) {
        printf("no /proc/self/io here: the bytes read cannot be counted\n");
        skip();
    }
    assert_true(bytes >= 4 * matrix && bytes < 4 * matrix + 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right), cmocka_unit_test(test_arguments), cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_mutations), cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_memory_bound), cmocka_unit_test(test_only_its_bytes),
        cmocka_unit_test(test_argument_lines),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, make_folder, remove_folder);
}
