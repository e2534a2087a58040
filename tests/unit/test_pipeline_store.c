/* The pipelines of a context on many threads at once: each is made once, whoever waits is woken, no failure is
 * another's. In tests/unit, where none is compiled: under the thread sanitizer that takes minutes. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cmocka_all.h"
#include "common/record.h"
#include "fake_device.h"
#include "fake_pipelines.h"
#include "vulkan/pipeline_store.h"

#define THREADS 4
#define KEYS 8
#define NEVER UINT32_MAX
#define PATIENCE 120 /* seconds: a thread that is never woken ends the program, by the watchdog */

/* ---- host memory ------------------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t mutex;
    uint32_t calls, fail_at;
    int alive;
    void (*callback)(void); /* within both, without anything locked */
} heap = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void *heap_allocate(void *user, size_t size)
{
    (void)user;
    if (heap.callback)
        heap.callback();
    pthread_mutex_lock(&heap.mutex);
    void *memory = heap.calls++ == heap.fail_at ? NULL : malloc(size);
    heap.alive += memory != NULL;
    pthread_mutex_unlock(&heap.mutex);
    return memory;
}

static void heap_release(void *user, void *memory)
{
    (void)user;
    if (heap.callback)
        heap.callback();
    pthread_mutex_lock(&heap.mutex);
    heap.alive--;
    pthread_mutex_unlock(&heap.mutex);
    free(memory);
}

static const smoe_allocator allocator = {heap_allocate, heap_release, NULL};

/* The index-th allocation from now on fails. */
static void heap_fail(uint32_t index)
{
    heap.calls = 0;
    heap.fail_at = index;
}

/* ---- a store on the fake device ---------------------------------------------------------------------------------- */

static test_record record;
static smoe_host host;
static smoe_device_table vk;
static smoe_pipeline_store *store;

static void open_store(void)
{
    fake_pipelines_reset();
    heap_fail(NEVER);
    test_record_clear(&record);
    const smoe_log log = test_record_log(&record);
    assert_true(smoe_host_init(&host, &allocator, &log));
    vk = (smoe_device_table){
        .vkCreateShaderModule = (PFN_vkCreateShaderModule)fake_pipeline_function("vkCreateShaderModule"),
        .vkDestroyShaderModule = (PFN_vkDestroyShaderModule)fake_pipeline_function("vkDestroyShaderModule"),
        .vkCreateComputePipelines = (PFN_vkCreateComputePipelines)fake_pipeline_function("vkCreateComputePipelines"),
        .vkDestroyPipeline = (PFN_vkDestroyPipeline)fake_pipeline_function("vkDestroyPipeline"),
    };
    const smoe_pipeline_device device = {.vk = &vk};
    assert_int_equal(smoe_pipeline_store_create(&host, &device, &store), SMOE_SUCCESS);
}

/* Everything is given back, and so many pipelines were made, each once. */
static void close_store(uint32_t created)
{
    smoe_pipeline_store_destroy(store);
    const fake_pipeline_counts counts = fake_pipelines_count();
    assert_int_equal(counts.created, created);
    assert_int_equal(counts.repeated, 0);
    assert_int_equal(counts.modules, 0);
    assert_int_equal(counts.alive, 0);
    assert_false(counts.misused);
    assert_int_equal(heap.alive, 0);
}

static smoe_result get_key(uint32_t key, VkPipeline *out)
{
    static const uint32_t spirv[2];
    const uint32_t constants[3] = {64, key, 7};
    const smoe_pipeline_desc desc = {
        .name = "some kernel", .spirv = spirv, .spirv_size = sizeof spirv, .constants = constants, .constant_count = 3};
    return smoe_pipeline_store_get(store, &desc, out);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

typedef struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    uint32_t number;
    uint32_t failed[4]; /* by -smoe_result */
    VkPipeline pipelines[KEYS];
    const smoe_context *context;
    bool good;
} worker;

static void run_workers(worker workers[THREADS], void *(*work)(void *), const smoe_context *context)
{
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.start = &start, .number = i, .context = context, .good = true};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    pthread_barrier_destroy(&start);
}

static uint32_t failures_of(const worker workers[THREADS], smoe_result result)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < THREADS; i++)
        count += workers[i].failed[-result];
    return count;
}

/* Every key, two threads in the same order, and again where that failed. */
static void *get_every_key(void *argument)
{
    worker *self = argument;
    pthread_barrier_wait(self->start);
    for (uint32_t i = 0; i < KEYS; i++) {
        const uint32_t key = (i + self->number / 2 * (KEYS / 2)) % KEYS;
        for (smoe_result result = -1; result != SMOE_SUCCESS;) {
            result = get_key(key, &self->pipelines[key]);
            self->failed[-result]++;
        }
    }
    return NULL;
}

static void assert_same_pipelines(const worker workers[THREADS])
{
    for (uint32_t i = 0; i < THREADS; i++)
        assert_memory_equal(workers[i].pipelines, workers[0].pipelines, sizeof workers[0].pipelines);
    for (uint32_t key = 1; key < KEYS; key++)
        assert_true(workers[0].pipelines[key] != workers[0].pipelines[0]);
}

static void test_same_keys(void **state)
{
    worker workers[THREADS];

    (void)state;
    open_store();
    fake_pipelines_slow();
    run_workers(workers, get_every_key, NULL);
    assert_same_pipelines(workers);
    assert_int_equal(fake_pipelines_count().calls, 2 * KEYS);
    assert_int_equal(failures_of(workers, SMOE_SUCCESS), THREADS * KEYS);
    close_store(KEYS);
}

/* What tells pipelines apart: each part of a description on its own. */
static void test_keys_differ(void **state)
{
    static const uint32_t spirv[2][2], constants[4] = {1, 2, 3, 4};
    const smoe_pipeline_desc descs[] = {
        {"a", spirv[0], sizeof spirv[0], constants, 3, 0, false},
        {"a", spirv[1], sizeof spirv[1], constants, 3, 0, false},
        {"a", spirv[0], sizeof spirv[0], constants + 1, 3, 0, false},
        {"a", spirv[0], sizeof spirv[0], constants, 2, 0, false},
        {"a", spirv[0], sizeof spirv[0], constants, 3, 8, false},
        {"a", spirv[0], sizeof spirv[0], constants, 3, 0, true},
        {"a", spirv[0], sizeof spirv[0], constants, 3, 8, true},
    };
    enum { COUNT = sizeof descs / sizeof *descs };
    VkPipeline found[COUNT], again;

    (void)state;
    open_store();
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(smoe_pipeline_store_get(store, &descs[i], &found[i]), SMOE_SUCCESS);
    assert_int_equal(fake_pipelines_count().created, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const uint32_t copy[] = {descs[i].constants[0], descs[i].constants[1], descs[i].constants[2]};
        smoe_pipeline_desc same = descs[i]; /* constants are compared, not their places */
        same.constants = copy;
        assert_int_equal(smoe_pipeline_store_get(store, &same, &again), SMOE_SUCCESS);
        assert_true(again == found[i]);
    }
    close_store(COUNT);
}

static void *get_own_key(void *argument)
{
    worker *self = argument;
    pthread_barrier_wait(self->start);
    get_key(self->number, &self->pipelines[0]);
    return NULL;
}

/* Nobody compiles behind a lock: all are inside vkCreateComputePipelines at the same time. */
static void test_other_keys_at_once(void **state)
{
    worker workers[THREADS];

    (void)state;
    open_store();
    fake_pipelines_meet(THREADS);
    run_workers(workers, get_own_key, NULL);
    assert_int_equal(fake_pipelines_count().most_at_once, THREADS);
    close_store(THREADS);
}

/* The i-th Vulkan call of all threads fails, for every i: one of them gets the error, in its own log line, and all get
 * the pipeline. */
static void test_calls_fail(void **state)
{
    worker workers[THREADS];
    char line[80];

    (void)state;
    for (uint32_t i = 0; i < 2 * KEYS; i++) {
        open_store();
        fake_pipelines_fail(i, 1, VK_ERROR_OUT_OF_DEVICE_MEMORY);
        run_workers(workers, get_every_key, NULL);
        assert_int_equal(failures_of(workers, SMOE_ERROR_OUT_OF_DEVICE_MEMORY), 1);
        assert_int_equal(failures_of(workers, SMOE_SUCCESS), THREADS * KEYS);
        assert_same_pipelines(workers);
        assert_int_equal(test_record_problem_count(&record), 1);
        snprintf(line, sizeof line, " of some kernel: VkResult %d", VK_ERROR_OUT_OF_DEVICE_MEMORY);
        assert_true(test_record_has_problem(&record, line));
        close_store(KEYS);
    }
}

static void *get_one_key_once(void *argument)
{
    worker *self = argument;
    pthread_barrier_wait(self->start);
    self->failed[-get_key(0, &self->pipelines[0])]++;
    return NULL;
}

/* Who fails gives up, and nobody makes anything else: those who wait are woken all the same, and try for themselves. */
static void test_waiters_try_for_themselves(void **state)
{
    worker workers[THREADS];

    (void)state;
    for (uint32_t failing = 0; failing <= THREADS; failing++) {
        open_store();
        fake_pipelines_slow();
        fake_pipelines_fail(0, failing, VK_ERROR_OUT_OF_DEVICE_MEMORY);
        run_workers(workers, get_one_key_once, NULL);
        assert_int_equal(failures_of(workers, SMOE_ERROR_OUT_OF_DEVICE_MEMORY), failing);
        assert_int_equal(failures_of(workers, SMOE_SUCCESS), THREADS - failing);
        assert_int_equal(test_record_problem_count(&record), failing);
        close_store(failing < THREADS);
    }
}

static void test_allocations_fail(void **state)
{
    worker workers[THREADS];

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++) { /* at least so many are tried */
        open_store();
        heap_fail(i);
        run_workers(workers, get_every_key, NULL);
        assert_int_equal(failures_of(workers, SMOE_ERROR_OUT_OF_HOST_MEMORY), 1);
        assert_int_equal(failures_of(workers, SMOE_SUCCESS), THREADS * KEYS);
        assert_int_equal(test_record_problem_count(&record), 1);
        assert_true(test_record_has_problem(&record, "no host memory for the pipeline of some kernel"));
        close_store(KEYS);
    }
}

/* ---- callbacks --------------------------------------------------------------------------------------------------- */

static bool within;
static uint32_t served; /* by the other threads */

static void *get_first_key(void *argument)
{
    *(smoe_result *)argument = get_key(0, &(VkPipeline){VK_NULL_HANDLE});
    return NULL;
}

/* As an app whose log or allocator waits for another thread that makes a plan. */
static void let_another_get_it(void)
{
    pthread_t other;
    smoe_result result = SMOE_ERROR_VULKAN;
    if (within)
        return;
    within = true;
    if (pthread_create(&other, NULL, get_first_key, &result) == 0)
        pthread_join(other, NULL);
    served += result == SMOE_SUCCESS;
    within = false;
}

static void log_that_waits(void *user, smoe_log_level level, const char *text)
{
    (void)user, (void)level, (void)text;
    let_another_get_it();
}

static void test_callbacks_hold_nobody_up(void **state)
{
    VkPipeline pipeline;

    (void)state;
    open_store();
    served = 0;
    host.log.message = log_that_waits;
    fake_pipelines_fail(1, 1, VK_ERROR_DEVICE_LOST);
    assert_int_equal(get_key(0, &pipeline), SMOE_ERROR_DEVICE_LOST);
    assert_int_equal(served, 1);
    assert_int_equal(get_key(0, &pipeline), SMOE_SUCCESS);
    close_store(1);

    /* The other one makes it while this one gets memory for it, and finds it while this one gives that back. */
    open_store();
    served = 0;
    heap.callback = let_another_get_it;
    assert_int_equal(get_key(0, &pipeline), SMOE_SUCCESS);
    heap.callback = NULL;
    assert_int_equal(served, 2);
    close_store(1);
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static smoe_context *open_context(void)
{
    smoe_context *context;
    fake_reset();
    fake_pipelines_reset();
    heap_fail(NEVER);
    test_record_clear(&record);
    const smoe_log log = test_record_log(&record);
    smoe_context_desc desc = fake_context_desc();
    desc.allocator = &allocator;
    desc.log = &log;
    assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
    return context;
}

static void close_context(smoe_context *context)
{
    smoe_context_destroy(context);
    const fake_pipeline_counts counts = fake_pipelines_count();
    assert_int_equal(counts.repeated, 0);
    assert_int_equal(counts.modules, 0);
    assert_int_equal(counts.alive, 0);
    assert_false(counts.misused);
    assert_int_equal(heap.alive, 0);
}

/* Two layers of a model, say. */
static const smoe_plan_desc plans[2] = {
    {.d_model = 64, .d_hidden = 96, .expert_count = 8, .top_k = 2, .max_active = 4, .max_tokens = 512,
     .activation = SMOE_ACTIVATION_SILU, .gated = true, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .renormalize = true},
    {.d_model = 64, .d_hidden = 96, .expert_count = 8, .top_k = 2, .max_active = 4, .max_tokens = 512,
     .activation = SMOE_ACTIVATION_GELU, .types = SMOE_TYPES(SMOE_TYPE_FLOAT32), .shared_hidden = 32},
};

/* tests/unit/test_plan.c has two plans that live at the same time. */
static void test_pipelines_outlive_their_plan(void **state)
{
    smoe_context *context = open_context();
    smoe_plan *plan;

    (void)state;
    assert_int_equal(smoe_plan_create(context, &plans[0], &plan), SMOE_SUCCESS);
    smoe_plan_destroy(plan);
    const fake_pipeline_counts counts = fake_pipelines_count();
    assert_true(counts.created > 5 && counts.calls == 2 * counts.created);
    assert_int_equal(counts.alive, counts.created);
    assert_int_equal(smoe_plan_create(context, &plans[0], &plan), SMOE_SUCCESS);
    smoe_plan_destroy(plan);
    assert_int_equal(fake_pipelines_count().calls, counts.calls);
    close_context(context);
}

static void *make_plans(void *argument)
{
    worker *self = argument;
    smoe_plan *plan;
    pthread_barrier_wait(self->start);
    for (uint32_t i = 0; i < 4; i++) {
        const smoe_result result = smoe_plan_create(self->context, &plans[(i + self->number) % 2], &plan);
        self->failed[-result]++;
        self->good &= (result == SMOE_SUCCESS) == (plan != NULL);
        smoe_plan_destroy(plan);
    }
    return NULL;
}

/* Some are destroyed while others are made of the same pipelines; and the i-th call fails, for every i. */
static void test_plans_on_threads(void **state)
{
    worker workers[THREADS];
    uint32_t created = 0, i = 0;

    (void)state;
    for (;; i++) {
        smoe_context *context = open_context();
        if (i > 0)
            fake_pipelines_fail(i - 1, 1, VK_ERROR_OUT_OF_DEVICE_MEMORY);
        run_workers(workers, make_plans, context);
        const fake_pipeline_counts counts = fake_pipelines_count();
        const bool failed = failures_of(workers, SMOE_SUCCESS) < 4 * THREADS;
        for (uint32_t w = 0; w < THREADS; w++)
            assert_true(workers[w].good);
        created = i == 0 ? counts.created : created;
        assert_int_equal(counts.created, created);
        close_context(context);
        if (i > 0 && !failed)
            break;
        assert_int_equal(failures_of(workers, SMOE_ERROR_OUT_OF_DEVICE_MEMORY), i > 0);
    }
    print_message("%u pipelines, %u failing calls\n", created, i - 1);
    assert_int_equal(i - 1, 2 * created);
}

/* ---- the watchdog ------------------------------------------------------------------------------------------------ */

static void *watch(void *argument)
{
    pthread_mutex_t *ended = argument;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE;
    if (pthread_mutex_timedlock(ended, &end) == 0)
        return NULL;
    fprintf(stderr, "a thread still waits after %d s\n", PATIENCE);
    _Exit(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_keys),
        cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_other_keys_at_once),
        cmocka_unit_test(test_calls_fail),
        cmocka_unit_test(test_waiters_try_for_themselves),
        cmocka_unit_test(test_allocations_fail),
        cmocka_unit_test(test_callbacks_hold_nobody_up),
        cmocka_unit_test(test_pipelines_outlive_their_plan),
        cmocka_unit_test(test_plans_on_threads),
    };
    pthread_mutex_t ended = PTHREAD_MUTEX_INITIALIZER;
    pthread_t watchdog;

    test_record_init(&record);
    pthread_mutex_lock(&ended);
    if (pthread_create(&watchdog, NULL, watch, &ended) != 0)
        return 1;
    const int failed = cmocka_run_group_tests_name("pipelines on threads", tests, NULL, NULL);
    pthread_mutex_unlock(&ended);
    pthread_join(watchdog, NULL);
    return failed;
}
