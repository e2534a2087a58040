#define _POSIX_C_SOURCE 200809L
#include "sample_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/block_widths.h"
#include "common/system.h"

/* A pattern for data that sample_file.values has no room for. */
static const void *pattern_of(uint64_t size)
{
    static unsigned char bytes[1 << 20];
    uint32_t value = 1;
    if (size > sizeof bytes)
        abort();
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((value = value * 1664525u + 1013904223u) >> 24); /* of Numerical Recipes */
    return bytes;
}

void sample_tensor(sample_file *sample, const char *name, smoe_tensor_type type, uint32_t rank, uint64_t n0,
                   uint64_t n1, uint64_t n2)
{
    static const uint64_t sizes[] = {4, 2, 8, 4, 1, 8, 2};
    uint32_t i = 0;
    while (i < sample->tensor_count && strcmp(sample->tensors[i].name, name) != 0)
        i++;
    if (rank == SAMPLE_ABSENT) {
        memmove(&sample->tensors[i], &sample->tensors[i + 1], (sample->tensor_count - i - 1) * sizeof *sample->tensors);
        sample->tensor_count--;
        return;
    }
    if (i == sample->tensor_count)
        sample->tensor_count++;
    const uint64_t size = n0 * n1 * n2 * sizes[type];
    const void *data = size > sizeof sample->values ? pattern_of(size) : sample->values;
    sample->tensors[i] = (smoe_tensor){name, type, rank, {n0, n1, n2, 1}, data, size};
}

void sample_set(sample_file *sample, const char *key, const char *value)
{
    uint32_t i = 0;
    while (i < sample->metadata_count && strcmp(sample->metadata[2 * i], key) != 0)
        i++;
    if (!value) {
        sample->metadata_count--;
        sample->metadata[2 * i] = sample->metadata[2 * sample->metadata_count];
        sample->metadata[2 * i + 1] = sample->metadata[2 * sample->metadata_count + 1];
        return;
    }
    if (i == sample->metadata_count)
        sample->metadata_count++;
    sample->metadata[2 * i] = key;
    sample->metadata[2 * i + 1] = value;
}

void sample_init(sample_file *sample, bool gated)
{
    static const char *const pairs[] = {
        "tokens",      "6",    "d_model",       "4",       "d_hidden", "5",      "n_experts",   "3",
        "k",           "2",    "eps",           "0.25",    "a",        "1.0",    "b",           "50.0",
        "temperature", "0.5",  "score",         "softmax", "router",   "linear", "renormalize", "True",
        "scale",       "2.5",  "tie_tolerance", "1e-3",    "n_group",  "1",      "topk_group",  "1",
        "activation",  "gelu", "bias",          "True",    "shared",   "0",      "max_active",  "3"};
    memset(sample, 0, sizeof *sample);
    for (uint32_t i = 0; i < sizeof sample->values / sizeof *sample->values; i++)
        sample->values[i] = (float)i - 100.5f;
    for (uint32_t i = 0; i < sizeof pairs / sizeof *pairs; i += 2)
        sample_set(sample, pairs[i], pairs[i + 1]);
    sample_set(sample, "gated", gated ? "True" : "False");
    sample_tensor(sample, "router.weight", SMOE_TENSOR_FLOAT32, 2, 3, 4, 1);
    sample_tensor(sample, "router.bias", SMOE_TENSOR_FLOAT32, 1, 3, 1, 1);
    sample_tensor(sample, "experts.w1", SMOE_TENSOR_FLOAT32, 3, 3, 5, 4);
    sample_tensor(sample, "experts.w2", SMOE_TENSOR_FLOAT32, 3, 3, 4, 5);
    sample_tensor(sample, "experts.b1", SMOE_TENSOR_FLOAT32, 2, 3, 5, 1);
    sample_tensor(sample, "experts.b2", SMOE_TENSOR_FLOAT32, 2, 3, 4, 1);
    sample_tensor(sample, "x", SMOE_TENSOR_FLOAT32, 2, 6, 4, 1);
    if (gated) {
        sample_tensor(sample, "experts.w3", SMOE_TENSOR_FLOAT32, 3, 3, 5, 4);
        sample_tensor(sample, "experts.b3", SMOE_TENSOR_FLOAT32, 2, 3, 5, 1);
    }
}

static void sample_set_all(sample_file *sample, const char *const pairs[], size_t count)
{
    for (size_t i = 0; i < count; i += 2)
        sample_set(sample, pairs[i], pairs[i + 1]);
}

/* 4 experts in place of 3, gated, with biases, and a shared expert. */
static void sample_init_four(sample_file *sample)
{
    const smoe_tensor_type f32 = SMOE_TENSOR_FLOAT32;
    sample_init(sample, true);
    sample_set(sample, "n_experts", "4");
    sample_set(sample, "shared", "1");
    sample_set(sample, "temperature", "1");
    sample_tensor(sample, "router.weight", f32, 2, 4, 4, 1);
    sample_tensor(sample, "router.bias", f32, 1, 4, 1, 1);
    sample_tensor(sample, "router.selection_bias", f32, 1, 4, 1, 1);
    sample_tensor(sample, "latent.down", f32, 2, 3, 4, 1);
    sample_tensor(sample, "latent.down.bias", f32, 1, 3, 1, 1);
    sample_tensor(sample, "latent.up", f32, 2, 4, 3, 1);
    sample_tensor(sample, "latent.up.bias", f32, 1, 4, 1, 1);
    sample_tensor(sample, "experts.w1", f32, 3, 4, 5, 3);
    sample_tensor(sample, "experts.w2", f32, 3, 4, 3, 5);
    sample_tensor(sample, "experts.w3", f32, 3, 4, 5, 3);
    sample_tensor(sample, "experts.b1", f32, 2, 4, 5, 1);
    sample_tensor(sample, "experts.b2", f32, 2, 4, 3, 1);
    sample_tensor(sample, "experts.b3", f32, 2, 4, 5, 1);
    sample_tensor(sample, "shared.w1", f32, 2, 7, 4, 1);
    sample_tensor(sample, "shared.w2", f32, 2, 4, 7, 1);
    sample_tensor(sample, "shared.w3", f32, 2, 7, 4, 1);
    sample_tensor(sample, "shared.b1", f32, 1, 7, 1, 1);
    sample_tensor(sample, "shared.b2", f32, 1, 4, 1, 1);
    sample_tensor(sample, "shared.b3", f32, 1, 7, 1, 1);
    sample_tensor(sample, "shared.gate", f32, 1, 4, 1, 1);
}

void sample_init_full(sample_file *sample)
{
    static const char *const pairs[] = {"router",    "cosine",     "score",      "sigmoid",        "n_group",
                                        "2",         "topk_group", "1",          "group_score",    "max",
                                        "group_eps", "0.125",      "activation", "swiglu_clamped", "renormalize_floor",
                                        "0.25"};
    const smoe_tensor_type f32 = SMOE_TENSOR_FLOAT32;
    sample_init_four(sample);
    sample_set_all(sample, pairs, sizeof pairs / sizeof *pairs);
    sample_tensor(sample, "router.weight", f32, SAMPLE_ABSENT, 1, 1, 1);
    sample_tensor(sample, "router.bias", f32, SAMPLE_ABSENT, 1, 1, 1);
    sample_tensor(sample, "router.projection.weight", f32, 2, 2, 4, 1);
    sample_tensor(sample, "router.projection.bias", f32, 1, 2, 1, 1);
    sample_tensor(sample, "router.similarity", f32, 2, 2, 4, 1);
    sample_tensor(sample, "router.log_scale", f32, 1, 1, 1, 1);
}

void sample_init_balanced(sample_file *sample)
{
    static const char *const pairs[] = {"score",      "softmax_bias", "balanced_groups", "2",    "max_active", "4",
                                        "activation", "silu",         "renormalize_add", "1e-20"};
    const smoe_plan_number *number;
    sample_init_four(sample);
    sample_set_all(sample, pairs, sizeof pairs / sizeof *pairs);
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (!number->router)
            sample_set(sample, number->name, "2.5");
    sample_tensor(sample, "router.expert_scale", SMOE_TENSOR_FLOAT32, 1, 4, 1, 1);
}

void sample_init_given(sample_file *sample)
{
    sample_init(sample, false);
    sample_set(sample, "zero_experts", "1");
    sample_tensor(sample, "experts.w1", SMOE_TENSOR_FLOAT32, 3, 2, 5, 4);
    sample_tensor(sample, "experts.w2", SMOE_TENSOR_FLOAT32, 3, 2, 4, 5);
    sample_tensor(sample, "experts.b1", SMOE_TENSOR_FLOAT32, 2, 2, 5, 1);
    sample_tensor(sample, "experts.b2", SMOE_TENSOR_FLOAT32, 2, 2, 4, 1);
    sample_tensor(sample, "given.ids", SMOE_TENSOR_INT32, 2, 6, 2, 1);
    sample_tensor(sample, "given.weights", SMOE_TENSOR_FLOAT32, 2, 6, 2, 1);
}

static const void *data_of(const smoe_layer_file *file, const char *name)
{
    const smoe_tensor *tensor = smoe_layer_file_tensor(file, name);
    return tensor ? tensor->data : NULL;
}

smoe_layer_inputs sample_inputs(const smoe_layer_file *file)
{
    return (smoe_layer_inputs){data_of(file, "x"), data_of(file, "given.ids"), data_of(file, "given.weights")};
}

/* A tensor of a plan; where it has scales, bytes, of each expert as many. key: room for that of its type. */
static void sample_plan_tensor(sample_file *sample, const smoe_layer_tensor *tensor, char key[SAMPLE_TEXT])
{
    const uint32_t *shape = tensor->shape;
    const bool by_expert = tensor->axis_count == SMOE_TENSOR_AXES;
    if (!smoe_type_has_scales(tensor->type)) {
        sample_tensor(sample, tensor->file_name, SMOE_TENSOR_FLOAT32, tensor->axis_count, shape[0], shape[1], shape[2]);
        return;
    }
    const uint64_t size = smoe_layer_tensor_size(tensor, tensor->type, 1);
    sample_tensor(sample, tensor->file_name, SMOE_TENSOR_UINT8, by_expert ? 2 : 1, by_expert ? shape[0] : size,
                  by_expert ? size : 1, 1);
    snprintf(key, SAMPLE_TEXT, "%s.type", tensor->file_name);
    sample_set(sample, key, smoe_type_short_name(tensor->type));
}

void sample_init_stored(sample_file *sample, const smoe_matrix_types *types)
{
    smoe_plan_desc plan = {.expert_count = 2,
                           .d_model = 32,
                           .d_hidden = 32,
                           .d_latent = 32,
                           .shared_hidden = 32,
                           .gated = true,
                           .types = *types};
    const char *const keys[SAMPLE_WIDTHS] = {"n_experts", "d_model", "d_hidden", "d_latent", "shared_hidden"};
    const uint32_t *const widths[SAMPLE_WIDTHS] = {&plan.expert_count, &plan.d_model, &plan.d_hidden, &plan.d_latent,
                                                   &plan.shared_hidden};
    smoe_layer_tensor tensor;
    uint32_t text = 0;
    sample_init(sample, true);
    test_blocks_fit(types, TEST_WIDTHS(&plan));
    sample_set(sample, "shared", "1");
    sample_set(sample, "max_active", "2");
    for (; text < SAMPLE_WIDTHS; text++) {
        snprintf(sample->texts[text], SAMPLE_TEXT, "%u", *widths[text]);
        sample_set(sample, keys[text], sample->texts[text]);
    }
    for (uint32_t i = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++)
        if (tensor.presence != SMOE_PRESENCE_FORBIDDEN) {
            sample_plan_tensor(sample, &tensor, sample->texts[text]);
            text += tensor.matrix;
        }
    sample_tensor(sample, "x", SMOE_TENSOR_FLOAT32, 2, 6, plan.d_model, 1);
}

smoe_result sample_write(const sample_file *sample, const char *path)
{
    return smoe_layer_file_write(path, sample->tensors, sample->tensor_count, sample->metadata, sample->metadata_count,
                                 NULL, NULL);
}

smoe_layer_file *sample_layer(const sample_file *sample, smoe_plan_desc *plan, smoe_forward_params *params,
                              smoe_host_weights *weights)
{
    const char *path = sample_path("sample-layer");
    smoe_layer_file *file = NULL;
    smoe_result result = sample_write(sample, path);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_file_open(path, NULL, NULL, &file);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_file_layer(file, plan, params, weights);
    remove(path);
    if (result == SMOE_SUCCESS)
        return file;
    fprintf(stderr, "the sample as a layer: %s\n", smoe_result_text(result));
    smoe_layer_file_close(file);
    return NULL;
}

bool sample_layer_gives(test_record *record, const char *path, smoe_result expected, const char *text, const char *what)
{
    const smoe_log log = test_record_log(record);
    smoe_layer_file *file = NULL;
    test_record_clear(record);
    smoe_result result = smoe_layer_file_open(path, NULL, &log, &file);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_file_layer(file, NULL, NULL, NULL);
    smoe_layer_file_close(file);
    const bool told = test_record_problem_count(record) == 1 && test_record_has_problem(record, text) &&
                      test_record_has_problem(record, path);
    const bool right = result == expected && (expected == SMOE_SUCCESS ? test_record_problem_count(record) == 0 : told);
    if (!right) {
        printf("%s: got %d, want %d and one line with the path and \"%s\"; log:\n", what, (int)result, (int)expected,
               text);
        test_record_print(record);
    }
    return right;
}

const char *sample_path(const char *name)
{
    enum { NAMES = 12 };
    static char paths[NAMES][256];
    static char names[NAMES][64];
    const char *folder = test_temporary_folder();
    for (size_t i = 0; i < NAMES; i++) {
        if (names[i][0] == '\0') {
            snprintf(names[i], sizeof names[i], "%s", name);
            snprintf(paths[i], sizeof paths[i], "%s/smoe-test-%ld-%s", folder, (long)getpid(), name);
        }
        if (strcmp(names[i], name) == 0)
            return paths[i];
    }
    fprintf(stderr, "sample_path: more than %d names\n", NAMES);
    abort();
}

bool sample_write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    if (!stream)
        return false;
    const bool ok = fwrite(bytes, 1, size, stream) == size;
    return fclose(stream) == 0 && ok;
}

unsigned char *sample_read_bytes(const char *path, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);
    *size = stream && bytes ? fread(bytes, 1, 1 << 20, stream) : 0;
    if (stream)
        fclose(stream);
    return bytes;
}

smoe_result sample_open_bytes(const char *path, const void *bytes, size_t size, const smoe_allocator *allocator,
                              const smoe_log *log, smoe_layer_file **out)
{
    if (!sample_write_bytes(path, bytes, size))
        abort();
    return smoe_layer_file_open(path, allocator, log, out);
}

unsigned char *sample_raw(const char *header, size_t data_size, size_t *size)
{
    const size_t header_size = strlen(header);
    *size = 8 + header_size + data_size;
    unsigned char *bytes = calloc(1, *size);
    if (!bytes)
        abort();
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)header_size >> 8 * i);
    memcpy(bytes + 8, header, header_size);
    return bytes;
}

void *sample_allocate(void *user, size_t size)
{
    sample_counting *c = user;
    if (++c->calls == c->fail_at)
        return NULL;
    size_t *memory = malloc(16 + size);
    if (!memory)
        return NULL;
    *memory = size;
    c->live++;
    c->live_bytes += size;
    c->peak_bytes = c->live_bytes > c->peak_bytes ? c->live_bytes : c->peak_bytes;
    return (char *)memory + 16;
}

void sample_release(void *user, void *memory)
{
    sample_counting *c = user;
    size_t *begin = (size_t *)(void *)((char *)memory - 16);
    c->live--;
    c->live_bytes -= *begin;
    free(begin);
}

size_t sample_mutate(test_random *random, unsigned char *bytes, size_t size, size_t capacity)
{
    static const char *const words[] = {"{",
                                        "}", "[", "]", "\"", ":", ",", "\\u0000", "-1", "1e300", "9007199254740993",
                                        "null", "0.5", "99999999999", "\"dtype\"", "F16", "F64", "BOOL", "True",
                                        "18446744073709551615"};
    const uint32_t count = 1 + test_random_below(random, 4);
    for (uint32_t i = 0; i < count && size > 8; i++) {
        /* The header is where the decisions are: half of the mutations go there. */
        const size_t reach = test_random_below(random, 2) && size > 1200 ? 1200 : size;
        const size_t at = test_random_below(random, (uint32_t)reach);
        const size_t length = 1 + test_random_below(random, 40);
        const size_t rest = size - at;
        switch (test_random_below(random, 6)) {
        case 0: bytes[at] ^= (unsigned char)(1u << test_random_below(random, 8)); break;
        case 1: bytes[at] = (unsigned char)test_random_bits(random); break;
        case 2: size = test_random_below(random, 4) == 0 ? at : size; break;
        case 3: /* take a piece out */
            memmove(bytes + at, bytes + at + (length < rest ? length : rest), rest - (length < rest ? length : rest));
            size -= length < rest ? length : rest;
            break;
        case 4: /* double a piece */
            if (length <= rest && size + length <= capacity) {
                memmove(bytes + at + length, bytes + at, rest);
                size += length;
            }
            break;
        default: {
            const char *word = words[test_random_below(random, sizeof words / sizeof *words)];
            memcpy(bytes + at, word, strlen(word) < rest ? strlen(word) : rest);
        }
        }
    }
    /* A length that fits lets the damage behind it be reached. */
    if (size > 8 && test_random_below(random, 2)) {
        for (size_t end = 8; end < size; end++)
            if (bytes[end] == '}' && (end + 1 == size || bytes[end + 1] == ' ' || test_random_below(random, 20) == 0)) {
                const uint64_t length = end + 1 - 8;
                for (int b = 0; b < 8; b++)
                    bytes[b] = (unsigned char)(length >> 8 * b);
                break;
            }
    }
    return size;
}
