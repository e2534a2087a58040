/* Threads: two devices in two threads, and two threads on one context. What the threads of one context may do to one
 * another's pipelines is tested in tests/unit/test_pipeline_store.c. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"

#define THREADS 2
/* One row of the case table in so many runs, another one in each thread: what threads share does not depend on the
 * row. */
static uint32_t every(void)
{
    return test_everything() ? 12 : 40;
}

typedef struct device_thread {
    pthread_t thread;
    test_device device;
    uint32_t number, failed, checked;
} device_thread;

static void *run_device(void *argument)
{
    device_thread *self = argument;

    for (uint32_t i = self->number; i < layer_case_count; i += every()) {
        self->failed += !check_case(self->device.device, &layer_cases[i], test_seed(), NULL);
        self->checked++;
    }
    return NULL;
}

/* Indices of usable devices, the same one again where there are too few. */
static void choose_devices(char selectors[THREADS][16])
{
    smoe_device_info *infos;
    uint32_t count = 0, chosen = 0;

    assert_int_equal(smoe_device_list(NULL, NULL, &count, NULL), SMOE_SUCCESS);
    infos = test_calloc(count ? count : 1, sizeof *infos);
    assert_int_equal(smoe_device_list(NULL, NULL, &count, infos), SMOE_SUCCESS);
    for (uint32_t i = 0; i < count && chosen < THREADS; i++)
        if (infos[i].usable)
            snprintf(selectors[chosen++], sizeof selectors[0], "%u", i);
    assert_true(chosen > 0);
    print_message("%u usable devices chosen of %u\n", chosen, count);
    for (; chosen < THREADS; chosen++)
        memcpy(selectors[chosen], selectors[0], sizeof selectors[0]);
    test_free(infos);
}

static void test_two_devices(void **state)
{
    device_thread *threads = test_calloc(THREADS, sizeof *threads);
    char selectors[THREADS][16];
    uint32_t failed = 0;

    (void)state;
    choose_devices(selectors);
    for (uint32_t i = 0; i < THREADS; i++) {
        threads[i].number = i;
        assert_true(test_device_open_selected(&threads[i].device, selectors[i], 0));
    }
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run_device, &threads[i]), 0);
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        print_message("thread %u: %u cases\n", i, threads[i].checked);
        failed +=
            threads[i].failed + !test_device_is_quiet(&threads[i].device) + !test_device_close(&threads[i].device);
    }
    assert_int_equal(failed, 0);
    test_free(threads);
}

typedef struct context_thread {
    pthread_t thread;
    pthread_mutex_t *queue_mutex;
    const smoe_device *device;
    uint32_t number, failed, checked;
} context_thread;

static bool check_on_context(test_gpu *gpu, plan_keeper *keeper, const layer_case *shape)
{
    case_data data;
    stage_run run;

    if (!case_data_create(&data, shape, test_seed()))
        return false;
    bool good = stage_run_create(&run, gpu, keeper, &data);
    if (good) {
        const layer_output output = stage_run_output(&run);
        good = check_output(&data, &data.ref_params, &output, NULL) == 0;
    }
    if (!good)
        case_print(&data);
    stage_run_destroy(&run, gpu);
    case_data_destroy(&data);
    return good;
}

/* Plans, layers, bindings and command buffers of its own, on the context that the threads share and that has the
 * pipelines. */
static void *run_context(void *argument)
{
    context_thread *self = argument;
    plan_keeper keeper = {.context = smoe_device_context(self->device)};
    test_gpu gpu;

    if (!test_gpu_open(&gpu, self->device)) {
        self->failed++;
        return NULL;
    }
    gpu.queue_mutex = self->queue_mutex;
    self->failed += !check_on_context(&gpu, &keeper, &layer_cases[0]); /* in both threads: with the same pipelines */
    for (uint32_t i = self->number; i < layer_case_count; i += every()) {
        self->failed += !check_on_context(&gpu, &keeper, &layer_cases[i]);
        self->checked++;
    }
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
    return NULL;
}

static void test_one_context(void **state)
{
    const test_device *device = *state;
    context_thread threads[THREADS];
    pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
    uint32_t failed = 0;

    for (uint32_t i = 0; i < THREADS; i++) {
        threads[i] = (context_thread){.queue_mutex = &queue_mutex, .device = device->device, .number = i + THREADS};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run_context, &threads[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
        failed += threads[i].failed;
        print_message("thread %u: %u cases\n", i, threads[i].checked);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_two_devices, test_device_check),
        cmocka_unit_test_teardown(test_one_context, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("threads", tests, test_device_setup, test_device_teardown);
}
