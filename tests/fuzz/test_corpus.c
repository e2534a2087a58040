/* The inputs that fuzzers start from, tests/fuzz/corpus: each target takes every one of its own, those that fuzzing has
 * found among them, and takes the seeds for good ones. The seeds are what is made here: a changed format changes them,
 * and the test says how to keep the new ones. */
#include "common/cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/device_files.h"
#include "common/system.h"
#include "fuzz.h"
#include "fuzz_selection.h"
#include "sample_checkpoint.h"
#include "sample_file.h"
#include "sample_gguf.h"

#define CORPUS "tests/fuzz/corpus"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *name;
    fuzz_target *run;
} targets[] = {{"layer_file", fuzz_layer_file},
               {"checkpoint", fuzz_checkpoint},
               {"capability_file", fuzz_capability_file},
               {"selection", fuzz_selection},
               {"pipeline_cache", fuzz_pipeline_cache},
               {"results", fuzz_results},
               {"weights_source", fuzz_weights_source},
               {"gguf", fuzz_gguf},
               {"picture", fuzz_picture}}; /* its seeds are those of tests/vision */

typedef struct seed {
    unsigned char bytes[1 << 14];
    size_t size;
} seed;

static void append(seed *to, const void *bytes, size_t size)
{
    assert_true(size <= sizeof to->bytes - to->size);
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void append_file(seed *to, const char *path)
{
    size_t size;
    unsigned char *bytes = sample_read_bytes(path, &size);
    assert_true(size > 0);
    append(to, bytes, size);
    free(bytes);
    remove(path);
}

/* ---- the seeds --------------------------------------------------------------------------------------------------- */

static void append_layer(seed *to, const sample_file *sample)
{
    const char *path = sample_path("seed");
    assert_int_equal(sample_write(sample, path), SMOE_SUCCESS);
    append_file(to, path);
}

static void make_plain_layer(seed *to)
{
    sample_file sample;
    sample_init(&sample, false);
    append_layer(to, &sample);
}

static void make_full_layer(seed *to)
{
    sample_file sample;
    sample_init_full(&sample);
    append_layer(to, &sample);
}

static void make_balanced_layer(seed *to)
{
    sample_file sample;
    sample_init_balanced(&sample);
    append_layer(to, &sample);
}

/* A router without experts, with a result. */
static void make_router(seed *to)
{
    const float gap[6] = {1, 2, 3, 4, 5, 6};
    const smoe_tensor result = {"expected.gap", SMOE_TENSOR_FLOAT32, 1, {6, 1, 1, 1}, gap, sizeof gap};
    const char *path = sample_path("seed");
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    sample_file sample;
    sample_init_balanced(&sample);
    smoe_layer_file *file = sample_layer(&sample, &plan, &params, &weights);
    assert_non_null(file);
    assert_int_equal(smoe_layer_file_write_router(
                         path, &plan, &params, &weights,
                         &(smoe_layer_inputs){.x = smoe_layer_file_tensor(file, "x")->data}, &result, 1, NULL, NULL),
                     SMOE_SUCCESS);
    append_file(to, path);
    smoe_layer_file_close(file);
}

static void make_given_layer(seed *to)
{
    sample_file sample;
    sample_init_given(&sample);
    append_layer(to, &sample);
}

static void make_stored_layer(seed *to)
{
    static const smoe_matrix_types types = {SMOE_TYPE_MXFP4, SMOE_TYPE_Q4,    SMOE_TYPE_Q8,
                                            SMOE_TYPE_FP8,   SMOE_TYPE_NVFP4, SMOE_TYPE_Q4};
    sample_file sample;
    sample_init_stored(&sample, &types);
    append_layer(to, &sample);
}

/* A file's text behind a zero byte; a shard's is its header, and *words become those of its data. */
static void append_text(seed *to, const char *path, unsigned char *words)
{
    seed *file = calloc(1, sizeof *file);
    assert_non_null(file);
    append_file(file, path);
    uint64_t length = 0;
    for (int i = 0; words && i < 8; i++)
        length |= (uint64_t)file->bytes[i] << 8 * i;
    const size_t begin = words ? 8 : 0, size = words ? (size_t)length : file->size;
    append(to, file->bytes + begin, size);
    if (words)
        *words = (unsigned char)((file->size - begin - size) / 4);
    free(file);
}

static void make_deepseek(seed *to)
{
    unsigned char head[5] = {0, 0, 0, 0, 255};
    char path[400];
    const char *folder = sample_path("seed-folder");
    assert_true(test_make_folder(folder) && sample_checkpoint_write(folder));
    append(to, head, sizeof head);
    for (int i = 0; i < SAMPLE_CHECKPOINT_FILES; i++) {
        if (i > 0)
            append(to, "", 1);
        snprintf(path, sizeof path, "%s/%s", folder, sample_checkpoint_files[i]);
        append_text(to, path, i < 2 ? NULL : &to->bytes[i - 1]);
    }
    assert_true(test_remove_folder(folder));
}

/* layout: of fuzz_checkpoint.c. The data of one shard, in words, are as many as its header says. */
static void make_texts(seed *to, unsigned char layout, unsigned char words, const char *config, const char *header)
{
    const unsigned char head[5] = {layout, words, 0, 0, 255};
    append(to, head, sizeof head);
    if (config)
        append(to, config, strlen(config) + 1);
    append(to, header, strlen(header));
}

#define EXPERT(index, w1, w3, w2, end)                                                                                 \
    "\"model.layers.0.block_sparse_moe.experts." index ".w1.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],"              \
    "\"data_offsets\":[" w1 "]},\"model.layers.0.block_sparse_moe.experts." index ".w3.weight\":{\"dtype\":\"F32\","   \
    "\"shape\":[1,2],\"data_offsets\":[" w3 "]},\"model.layers.0.block_sparse_moe.experts." index                      \
    ".w2.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[" w2 "]}" end

static void make_mixtral(seed *to)
{
    make_texts(to, 1, 16,
               "{\"model_type\":\"mixtral\",\"hidden_size\":2,\"intermediate_size\":1,\"num_local_experts\":2,"
               "\"num_experts_per_tok\":1,\"hidden_act\":\"silu\"}",
               "{\"model.layers.0.block_sparse_moe.gate.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
               "\"data_offsets\":[0,16]}," EXPERT("0", "16,24", "24,32", "32,40", ",")
                   EXPERT("1", "40,48", "48,56", "56,64", "}"));
}

static void make_tutel(seed *to)
{
    make_texts(to, 3, 12, NULL,
               "{\"__metadata__\":{\"k\":\"1\",\"activation\":\"relu\"},\"gates.0.wg.weight\":{\"dtype\":\"F32\","
               "\"shape\":[2,2],\"data_offsets\":[0,16]},\"experts.batched_fc1_w\":{\"dtype\":\"F32\","
               "\"shape\":[2,1,2],\"data_offsets\":[16,32]},\"experts.batched_fc2_w\":{\"dtype\":\"F32\","
               "\"shape\":[2,1,2],\"data_offsets\":[32,48]}}");
}

static smoe_device_info device_with_matrices(void)
{
    smoe_device_info info;
    assert_int_equal(smoe_capability_file_read(DEVICE_FILES_FOLDER "/anv_bmg.json", NULL, NULL, &info), SMOE_SUCCESS);
    return info;
}

static void make_capabilities(seed *to)
{
    const smoe_device_info info = device_with_matrices();
    to->size = sizeof to->bytes;
    assert_int_equal(smoe_capability_file_text(&info, NULL, &to->size, (char *)to->bytes), SMOE_SUCCESS);
}

static void make_small_selection(seed *to)
{
    const smoe_device_info info = device_with_matrices();
    const smoe_plan_desc plan = {.d_model = 8, .d_hidden = 8, .expert_count = 2, .top_k = 1, .max_tokens = 1};
    to->size = fuzz_selection_input(&info, &plan, 1, to->bytes);
}

static void make_full_selection(seed *to)
{
    const smoe_device_info info = device_with_matrices();
    const smoe_plan_desc plan = {.d_model = 2048,
                                 .d_hidden = 768,
                                 .expert_count = 128,
                                 .top_k = 8,
                                 .max_active = 12,
                                 .max_tokens = 4096,
                                 .min_tokens = 2,
                                 .router = SMOE_ROUTER_COSINE,
                                 .projection_width = 256,
                                 .gate = SMOE_GATE_SIGMOID,
                                 .group_count = 8,
                                 .top_groups = 4,
                                 .activation = SMOE_ACTIVATION_SILU,
                                 .types = SMOE_TYPES(SMOE_TYPE_FLOAT16),
                                 .precision = SMOE_PRECISION_FLOAT16,
                                 .gated = true,
                                 .renormalize = true,
                                 .shared_hidden = 512,
                                 .shared_gate = true,
                                 .gate_max = 7,
                                 .up_limit = 7,
                                 .gate_limit_after = 3,
                                 .gate_alpha = 1.702f,
                                 .up_offset = 1,
                                 .shared_gate_max = 10,
                                 .shared_up_limit = 10,
                                 .shared_gate_limit_after = 2,
                                 .renormalize_floor = 1e-12f,
                                 .expert_scale = true,
                                 .group_score = SMOE_GROUP_SCORE_MAX};
    to->size = fuzz_selection_input(&info, &plan, 512, to->bytes);
}

static void make_balanced_selection(seed *to)
{
    const smoe_device_info info = device_with_matrices();
    const smoe_plan_desc plan = {.d_model = 5120,
                                 .d_hidden = 1344,
                                 .expert_count = 64,
                                 .top_k = 8,
                                 .max_active = 16,
                                 .max_tokens = 512,
                                 .gate = SMOE_GATE_SOFTMAX_BIAS,
                                 .balanced_groups = 8,
                                 .gated = true,
                                 .activation = SMOE_ACTIVATION_SILU,
                                 .renormalize = true,
                                 .renormalize_add = 1e-20f};
    to->size = fuzz_selection_input(&info, &plan, 64, to->bytes);
}

/* The data of a driver, VkPipelineCacheHeaderVersionOne and a few bytes; way: what becomes of them, of
 * fuzz_pipeline_cache.c. */
static void make_cache(seed *to, unsigned char way)
{
    const unsigned char head[] = {way, 70, 0, 1};
    const unsigned char header[32] = {32, 0, 0, 0, 1, 0, 0, 0, 0x86, 0x80, 0, 0, 1, 2, 3, 4};
    append(to, head, sizeof head);
    append(to, header, sizeof header);
    append(to, "kernel", 6);
}

static void make_kept_cache(seed *to)
{
    make_cache(to, 1);
}

static void make_changed_cache(seed *to)
{
    make_cache(to, 2);
}

static void make_cut_cache(seed *to)
{
    make_cache(to, 3);
}

/* A document of the benchmark with one layer, once unsupported, and routing alone. */
static void make_results(seed *to)
{
    static const char text[] =
        "{\"format\":1,\"program\":{\"name\":\"smoe-bench\",\"version\":\"1\",\"commit\":null},\"run\":{\"command_l"
        "ine\":[\"--json\",\"FILE\"],\"finished\":true},\"system\":{\"cpu_count\":2},\"devices\":[{\"name\":\"a\","
        "\"driver\":\"b\",\"timestamps\":true,\"peaks\":[{\"name\":\"read\",\"unit\":\"byte/s\",\"value\":1e9},{\"n"
        "ame\":\"barrier\",\"unit\":\"ns\",\"not_measured\":\"c\"}]}],\"rows\":[{\"device\":0,\"kind\":\"layer\",\""
        "layer\":\"tiny\",\"d_model\":64,\"d_hidden\":96,\"experts\":8,\"top_k\":2,\"gated\":true,\"tokens\":1,\"we"
        "ights\":\"f32\",\"kernels\":{\"sort\":{\"name\":\"sort\",\"tile_rows\":4}},\"hard\":{\"stages\":{\"sort\":"
        "{\"ns\":{\"min\":1,\"p10\":1,\"median\":2,\"p90\":3,\"max\":4},\"flop\":8}},\"device_ns\":{\"min\":5,\"p10"
        "\":5,\"median\":6,\"p90\":7,\"max\":9},\"samples_ns\":[6,5,9,6,7,5],\"check\":{\"tokens\":1,\"good\":true}"
        "},\"smooth\":{\"unsupported\":\"d\"}},{\"device\":0,\"kind\":\"layer\",\"layer\":\"tiny\",\"d_model\":64,"
        "\"d_hidden\":96,\"experts\":8,\"top_k\":2,\"tokens\":512,\"weights\":\"f32\",\"unsupported\":\"e\"},{\"dev"
        "ice\":0,\"kind\":\"route\",\"experts\":8,\"top_k\":2,\"tokens\":1,\"hard\":{\"samples_ns\":[3,4],\"ns_per_"
        "token\":3.5,\"check\":null}}]}\n";
    append(to, text, sizeof text - 1);
}

/* The words of fuzz_weights_source.c's head, then bytes that count up. */
static void make_source(seed *to, const uint32_t head[12], uint32_t size)
{
    append(to, head, 12 * sizeof *head);
    for (uint32_t i = 0; i < size; i++)
        append(to, &(unsigned char){(unsigned char)(i * 37)}, 1);
}

static void make_int4_source(seed *to)
{
    make_source(to, (uint32_t[12]){SMOE_FORMAT_INT4, 5, 64, SMOE_SCALE_TYPE_FLOAT16, 1, 32, 0, 160, 20, 8, 0, 0}, 188);
}

static void make_awq_source(seed *to)
{
    make_source(to, (uint32_t[12]){SMOE_FORMAT_AWQ4, 8, 64, SMOE_SCALE_TYPE_FLOAT16, 1, 64, 0, 256, 16, 4, 0, 0}, 276);
}

static void make_gguf_source(seed *to)
{
    make_source(to, (uint32_t[12]){SMOE_FORMAT_GGUF_Q4_K, 1, 256, 0, 0, 0, 0, 144}, 144);
}

/* The parts of a file, and the size of the first one before them where there are two. */
static void make_gguf(seed *to, uint32_t parts)
{
    sample_gguf *file = test_calloc(1, sizeof *file);
    append(to, (unsigned char[2]){0, 0}, 2);
    for (uint32_t part = 0; part < parts; part++) {
        sample_gguf_make(file, part, parts);
        append(to, file->bytes, file->size);
        if (part + 1 < parts) {
            to->bytes[0] = (unsigned char)file->size;
            to->bytes[1] = (unsigned char)(file->size >> 8);
        }
    }
    test_free(file);
}

static void make_whole_gguf(seed *to)
{
    make_gguf(to, 1);
}

static void make_split_gguf(seed *to)
{
    make_gguf(to, 2);
}

static const struct {
    const char *target, *name;
    void (*make)(seed *to);
} seeds[] = {
    {"layer_file", "plain", make_plain_layer},
    {"layer_file", "full", make_full_layer},
    {"layer_file", "balanced", make_balanced_layer},
    {"layer_file", "given", make_given_layer},
    {"layer_file", "router", make_router},
    {"layer_file", "stored", make_stored_layer},
    {"checkpoint", "deepseek", make_deepseek},
    {"checkpoint", "mixtral", make_mixtral},
    {"checkpoint", "tutel", make_tutel},
    {"capability_file", "matrices", make_capabilities},
    {"selection", "small", make_small_selection},
    {"selection", "full", make_full_selection},
    {"selection", "balanced", make_balanced_selection},
    {"pipeline_cache", "kept", make_kept_cache},
    {"pipeline_cache", "changed", make_changed_cache},
    {"pipeline_cache", "cut", make_cut_cache},
    {"results", "layer", make_results},
    {"weights_source", "int4", make_int4_source},
    {"weights_source", "awq4", make_awq_source},
    {"weights_source", "q4_k", make_gguf_source},
    {"gguf", "whole", make_whole_gguf},
    {"gguf", "split", make_split_gguf},
};

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static fuzz_target *target_of(const char *name)
{
    for (size_t i = 0; i < COUNT(targets); i++)
        if (strcmp(targets[i].name, name) == 0)
            return targets[i].run;
    fail_msg("no target is called %s", name);
    return NULL;
}

/* False, and the seed is put beside the test, where the one that is kept differs. */
static bool is_kept(const seed *made, const char *target, const char *name)
{
    const char *build = getenv("SMOE_BUILD");
    char path[600];
    size_t size;
    snprintf(path, sizeof path, CORPUS "/%s/%s", target, name);
    unsigned char *kept = sample_read_bytes(path, &size);
    const bool same = size == made->size && memcmp(kept, made->bytes, size) == 0;
    free(kept);
    if (same)
        return true;
    snprintf(path, sizeof path, "%s/tests/fuzz/%s-%s", build ? build : "build", target, name);
    assert_true(sample_write_bytes(path, made->bytes, made->size));
    print_error("the seed has changed: cp %s " CORPUS "/%s/%s\n", path, target, name);
    return false;
}

static void test_seeds(void **state)
{
    seed *made = test_calloc(1, sizeof *made);
    uint32_t changed = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(seeds); i++) {
        made->size = 0;
        seeds[i].make(made);
        if (!target_of(seeds[i].target)(made->bytes, made->size))
            fail_msg("%s: %s is not taken for a good one", seeds[i].target, seeds[i].name);
        changed += !is_kept(made, seeds[i].target, seeds[i].name);
    }
    test_free(made);
    assert_int_equal(changed, 0);
}

static bool has_text(const seed *in, const char *text)
{
    const size_t size = strlen(text);
    for (size_t at = 0; at + size <= in->size; at++)
        if (memcmp(in->bytes + at, text, size) == 0)
            return true;
    return false;
}

/* Whether a seed of layer files has the name, of a key or a tensor. */
static bool layer_seeds_have(const char *name)
{
    seed *made = test_calloc(1, sizeof *made);
    char quoted[64];
    bool found = false;
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    for (size_t i = 0; i < COUNT(seeds) && !found; i++) {
        made->size = 0;
        if (strcmp(seeds[i].target, "layer_file") == 0)
            seeds[i].make(made);
        found = has_text(made, quoted);
    }
    test_free(made);
    if (!found)
        print_error("no seed of layer_file has %s\n", quoted);
    return found;
}

/* Every tensor of a layer, and every number of a plan and of a forward. */
static void test_layer_seeds(void **state)
{
    const smoe_plan_desc plan = {.d_model = 1};
    const smoe_plan_number *number;
    const smoe_forward_number *forward;
    smoe_layer_tensor tensor;
    uint32_t missing = 0;
    (void)state;
    for (uint32_t i = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++)
        missing += !layer_seeds_have(tensor.file_name);
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        missing += !layer_seeds_have(number->name);
    for (uint32_t i = 0; (forward = smoe_forward_number_get(i)) != NULL; i++)
        missing += !layer_seeds_have(forward->name);
    assert_int_equal(missing, 0);
}

/* Every kept input of a target; gives their number. */
static uint32_t run_kept(size_t target)
{
    char path[600];
    uint32_t count = 0;
    snprintf(path, sizeof path, CORPUS "/%s", targets[target].name);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t size;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, CORPUS "/%s/%s", targets[target].name, entry->d_name);
        unsigned char *bytes = sample_read_bytes(path, &size);
        targets[target].run(bytes, size);
        free(bytes);
        count++;
    }
    closedir(folder);
    return count;
}

static void test_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        const uint32_t count = run_kept(i);
        print_message("%s: %u inputs\n", targets[i].name, count);
        assert_true(count > 0);
        targets[i].run((const uint8_t *)"", 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds), cmocka_unit_test(test_layer_seeds),
                                       cmocka_unit_test(test_kept)};
    const int failed = cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
    remove(sample_path("fuzz"));
    remove(sample_path("fuzz-again"));
    return failed;
}
