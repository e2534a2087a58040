/* Layer files, checkpoints and capability files, good and broken, opened by several threads at once: each thread gets
 * what is in its own files, and the reasons of its own. The thread sanitizer sees what the threads would share. */
#include "common/cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/device_files.h"
#include "common/record.h"
#include "common/system.h"
#include "sample_file.h"
#include "smoe/checkpoint.h"

#define THREADS 6
#define ROUNDS 100
#define GOOD_DEVICE DEVICE_FILES_FOLDER "/anv_tgl.json"
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The header of a broken file, and why it is. */
static const char *const broken[THREADS][2] = {
    {"{\"a\":tru}", "neither a number"}, {"{\"a\":\"\\x\"}", "escape"},       {"{\"a\" 1}", "colon"},
    {"{\"a\":[1 2]}", "comma"},          {"{\"a\":\"\\udc00\"}", "surrogate"}, {"{\"a\":\"\xff\"}", "UTF-8"},
};

typedef struct worker {
    pthread_t thread;
    uint32_t index, wrong;
    char folder[200], good[240], bad[240];
    test_record record;
} worker;

static void write_checkpoint(const worker *w)
{
    static const float values[16] = {1, 2, 3, 4};
    static const char *const names[] = {"gate", "experts.0.w1", "experts.0.w2", "experts.0.w3",
                                        "experts.1.w1", "experts.1.w2", "experts.1.w3"};
    smoe_tensor tensors[COUNT(names)];
    char text[COUNT(names)][80], path[240], config[160];
    for (size_t i = 0; i < COUNT(names); i++) {
        const uint64_t rows = i == 0 ? 2 : 4;
        snprintf(text[i], sizeof text[i], "model.layers.%u.block_sparse_moe.%s.weight", w->index, names[i]);
        tensors[i] = (smoe_tensor){text[i], SMOE_TENSOR_FLOAT32, 2, {rows, 4, 1, 1}, values, rows * 16};
    }
    snprintf(path, sizeof path, "%s/model.safetensors", w->folder);
    assert_int_equal(smoe_layer_file_write(path, tensors, COUNT(names), NULL, 0, NULL, NULL), SMOE_SUCCESS);
    snprintf(path, sizeof path, "%s/config.json", w->folder);
    const int size = snprintf(
        config, sizeof config,
        "{\"model_type\": \"m\\u0069xtral\", \"num_experts_per_tok\": %u, \"hidden_act\": \"silu\"}", 1 + w->index % 2);
    assert_true(sample_write_bytes(path, config, (size_t)size));
}

static void prepare(worker *w, uint32_t index)
{
    sample_file sample;
    char tokens[12], name[32];
    size_t size;
    w->index = index;
    test_record_init(&w->record);
    snprintf(name, sizeof name, "threads_%u", index);
    snprintf(w->folder, sizeof w->folder, "%s", sample_path(name));
    assert_true(test_make_folder(w->folder));
    snprintf(w->good, sizeof w->good, "%s/layer.safetensors", w->folder);
    snprintf(w->bad, sizeof w->bad, "%s/bad.safetensors", w->folder);
    sample_init(&sample, true);
    snprintf(tokens, sizeof tokens, "%u", index);
    sample_set(&sample, "thread", tokens);
    assert_int_equal(sample_write(&sample, w->good), SMOE_SUCCESS);
    unsigned char *bytes = sample_raw(broken[index][0], 0, &size);
    assert_true(sample_write_bytes(w->bad, bytes, size));
    free(bytes);
    write_checkpoint(w);
}

static void clean_up(const worker *w)
{
    char path[240];
    snprintf(path, sizeof path, "%s/config.json", w->folder);
    remove(path);
    snprintf(path, sizeof path, "%s/model.safetensors", w->folder);
    remove(path);
    remove(w->good);
    remove(w->bad);
    test_remove_folder(w->folder);
}

static bool layer_is_right(worker *w, const smoe_log *log)
{
    smoe_layer_file *file;
    smoe_plan_desc plan;
    if (smoe_layer_file_open(w->good, NULL, log, &file) != SMOE_SUCCESS)
        return false;
    const char *thread = smoe_layer_file_metadata(file, "thread");
    const bool right = smoe_layer_file_layer(file, &plan, NULL, NULL) == SMOE_SUCCESS && plan.d_hidden == 5 && thread &&
                       (uint32_t)atoi(thread) == w->index;
    smoe_layer_file_close(file);
    return right;
}

static bool checkpoint_is_right(worker *w, const smoe_log *log)
{
    smoe_checkpoint *checkpoint;
    smoe_checkpoint_layer *layer = NULL;
    smoe_plan_desc plan = {0};
    if (smoe_checkpoint_open(w->folder, NULL, log, &checkpoint) != SMOE_SUCCESS)
        return false;
    if (smoe_checkpoint_read(checkpoint, w->index, NULL, &layer) == SMOE_SUCCESS)
        smoe_checkpoint_layer_get(layer, &plan, NULL, NULL);
    smoe_checkpoint_layer_destroy(layer);
    smoe_checkpoint_close(checkpoint);
    return plan.top_k == 1 + w->index % 2 && plan.expert_count == 2;
}

static bool device_is_right(const smoe_log *log)
{
    smoe_device_info info;
    return smoe_capability_file_read(GOOD_DEVICE, NULL, log, &info) == SMOE_SUCCESS && info.usable &&
           info.subgroup_size == 32;
}

/* One line each, with this thread's reason. */
static bool reasons_are_right(worker *w, const smoe_log *log)
{
    const char *text = broken[w->index][0], *reason = broken[w->index][1];
    smoe_layer_file *file;
    smoe_device_info info;
    test_record_clear(&w->record);
    bool right = smoe_layer_file_open(w->bad, NULL, log, &file) == SMOE_ERROR_FILE;
    right = right && w->record.line_count == 1 && test_record_has_problem(&w->record, reason);
    test_record_clear(&w->record);
    right = right && smoe_capability_file_parse(text, strlen(text), "text", NULL, log, &info) == SMOE_ERROR_FILE;
    right = right && w->record.line_count == 1 && test_record_has_problem(&w->record, reason);
    if (right)
        test_record_clear(&w->record);
    return right;
}

static void *run(void *argument)
{
    worker *w = argument;
    const smoe_log log = test_record_log(&w->record);
    for (int i = 0; i < ROUNDS && w->wrong == 0; i++)
        w->wrong += !layer_is_right(w, &log) || !checkpoint_is_right(w, &log) || !device_is_right(&log) ||
                    !reasons_are_right(w, &log);
    return NULL;
}

static void test_all_at_once(void **state)
{
    static worker workers[THREADS];
    (void)state;
    for (uint32_t i = 0; i < THREADS; i++)
        prepare(&workers[i], i);
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        clean_up(&workers[i]);
        if (workers[i].wrong > 0)
            test_record_print(&workers[i].record);
        wrong += workers[i].wrong;
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};
    return cmocka_run_group_tests_name("files on several threads", tests, NULL, NULL);
}
