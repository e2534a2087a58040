/* The vision engine on an app's device where things go wrong: each Vulkan call fails, each allocation of smoe's for it,
 * each submission loses the device. Every time there is a line that says so, nothing is left behind, and it works
 * afterwards. */
#include "engine_fixture.h"

#include <math.h>
#include <string.h>

#include "../embed/faults.h"
#include "common/cmocka_all.h"

#define MAX_FAILURES 1000u /* more is a loop that does not end */
#define CLASSES 10u        /* of the model, at most */

typedef struct failing {
    engine_fixture fixture;
    faults_heap heap;
    smoe_allocator allocator;
    gpu_desc desc;
    PFN_vkGetDeviceProcAddr real_get_device_proc_addr;
    PFN_vkGetPhysicalDeviceMemoryProperties real_get_memory;
} failing;

/* compute.h has its functions by volk's, the engine's device by what they are now. */
static void open_failing(failing *all, faults_memory memory)
{
    engine_fixture *fixture = &all->fixture;
    engine_fixture_open(fixture);
    assert_true(faults_reset(memory));
    all->real_get_device_proc_addr = vkGetDeviceProcAddr;
    all->real_get_memory = vkGetPhysicalDeviceMemoryProperties;
    vkGetDeviceProcAddr =
        (PFN_vkGetDeviceProcAddr)faults_get_instance_proc_addr(fixture->app.instance, "vkGetDeviceProcAddr");
    vkGetPhysicalDeviceMemoryProperties = (PFN_vkGetPhysicalDeviceMemoryProperties)faults_get_instance_proc_addr(
        fixture->app.instance, "vkGetPhysicalDeviceMemoryProperties");
    all->allocator = faults_heap_allocator(&all->heap);
    all->desc = engine_fixture_describe(fixture, faults_get_instance_proc_addr, &all->allocator);
}

static void close_failing(failing *all)
{
    const VkDevice device = all->fixture.app.device;
    assert_false(faults_seen_misuse());
    smoe_context_destroy(all->fixture.context);
    all->fixture.context = NULL;
    faults_print_alive(0);
    assert_int_equal(faults_alive_count(), 0);
    assert_int_equal(all->heap.alive, 0);
    faults_drop_pipelines(device);
    vkGetDeviceProcAddr = all->real_get_device_proc_addr;
    vkGetPhysicalDeviceMemoryProperties = all->real_get_memory;
    engine_fixture_close(&all->fixture);
}

/* Everything: a gpu, an engine, a run. logits of one image, or NULL. */
static bool use_engine(failing *all, float *logits)
{
    const engine_fixture *fixture = &all->fixture;
    const vision_engine_desc desc = {.max_batch = 1, .slots = 2, .eps = NAN, .report = true};
    float own[CLASSES];
    vision_times times;
    gpu *g = (gpu *)all; /* anything but NULL */
    vision_engine *engine = (vision_engine *)all;
    assert_in_range(fixture->model.class_count, 1, CLASSES);
    const bool opened = gpu_create(&all->desc, &g);
    if (!opened) {
        assert_null(g);
        return false;
    }
    const bool created = vision_engine_create(g, &fixture->model, &desc, &engine);
    assert_true(created || !engine);
    const bool done = created && vision_engine_run(engine, fixture->images, 1, logits ? logits : own, &times);
    vision_engine_destroy(engine);
    gpu_destroy(g);
    return done;
}

/* What is alive beside the pipelines, which stay with smoe's context, each with a block of host memory. */
static void count_alive(const failing *all, uint32_t alive[2])
{
    const uint32_t pipelines = faults_alive_pipelines();
    alive[0] = faults_alive_count() - pipelines;
    alive[1] = all->heap.alive - pipelines;
}

/* Fails the test unless the last try failed with a line, and left what was there before it. */
static void check_failed(failing *all, const char *what, uint32_t at, const uint32_t before[2])
{
    uint32_t after[2];
    count_alive(all, after);
    if (test_record_problem_count(&all->fixture.record) == 0)
        fail_msg("%s %u failed without a line", what, at);
    if (memcmp(before, after, sizeof after) != 0)
        faults_print_alive(before[0]);
    assert_memory_equal(before, after, sizeof after);
    assert_false(faults_seen_misuse());
    test_record_clear(&all->fixture.record);
}

/* breaks: makes the index-th of something fail from now on; has_failed: whether it came to that. */
static uint32_t fail_every(failing *all, const char *what, void (*breaks)(failing *all, uint32_t index),
                           bool (*has_failed)(const failing *all))
{
    uint32_t before[2], at = 0;
    assert_true(use_engine(all, NULL)); /* smoe's context has its pipelines */
    count_alive(all, before);
    for (;; at++) {
        assert_in_range(at, 0, MAX_FAILURES);
        breaks(all, at);
        const bool done = use_engine(all, NULL);
        const bool failed = has_failed(all);
        breaks(all, UINT32_MAX);
        if (!failed) {
            assert_true(done);
            break;
        }
        if (done)
            fail_msg("%s %u (%s) failed and nobody said so", what, at, faults_failed_call());
        check_failed(all, what, at, before);
    }
    print_message("%s: %u failures\n", what, at);
    return at;
}

static void break_call(failing *all, uint32_t index)
{
    (void)all;
    faults_fail_call(index, VK_ERROR_OUT_OF_DEVICE_MEMORY);
}

static bool call_failed(const failing *all)
{
    (void)all;
    return faults_has_failed();
}

static void break_allocation(failing *all, uint32_t index)
{
    faults_heap_fail(&all->heap, index);
}

static bool allocation_failed(const failing *all)
{
    return all->heap.failed;
}

static void test_calls_and_allocations(void **state)
{
    failing *all = *state;
    open_failing(all, FAULTS_MEMORY_AS_IS);
    assert_true(fail_every(all, "calls", break_call, call_failed) > 50);
    assert_true(fail_every(all, "allocations", break_allocation, allocation_failed) > 2);
    close_failing(all);
}

/* Memory that the host cannot reach: weights go through the queue, which is locked, and a lost device shows there. */
static void test_staged_weights(void **state)
{
    failing *all = *state;
    float logits[CLASSES], expected[CLASSES];
    uint32_t before[2], at = 0;

    open_failing(all, FAULTS_MEMORY_AS_IS);
    assert_true(use_engine(all, expected));
    const uint32_t runs_only = all->fixture.lock_count;
    const bool can_change = faults_can_change_memory(all->fixture.app.physical_device);
    const uint32_t classes = all->fixture.model.class_count;
    close_failing(all);
    assert_int_equal(runs_only, 1);
    if (!can_change) {
        print_message("this device's memory cannot be made to look otherwise\n");
        skip();
    }
    open_failing(all, FAULTS_MEMORY_DISCRETE);
    assert_true(use_engine(all, logits));
    assert_memory_equal(logits, expected, sizeof *logits * classes);
    assert_true(all->fixture.lock_count > runs_only);
    count_alive(all, before);
    for (; at < MAX_FAILURES; at++) {
        faults_lose_device(at);
        if (use_engine(all, NULL))
            break;
        check_failed(all, "submission", at, before);
    }
    assert_in_range(at, all->fixture.lock_count / 100, MAX_FAILURES - 1);
    print_message("lost at each of %u submissions\n", at);
    close_failing(all);
}

static int setup(void **state)
{
    static failing all;
    *state = &all;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_and_allocations),
        cmocka_unit_test(test_staged_weights),
    };

    return cmocka_run_group_tests_name("engine failures", tests, setup, NULL);
}
