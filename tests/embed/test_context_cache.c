/* A context's pipeline cache, between an app's disk and a driver that is watched: the driver sees what it gave, or
 * nothing; the app gets all of it, or nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "common/cmocka_all.h"
#include "common/record.h"
#include "faults.h"

/* The watch. Vulkan's functions have no user pointer. */
static struct {
    uint32_t created;
    size_t size;             /* of what the driver saw last */
    void *data;              /* a copy of it */
    uint32_t incomplete;     /* so many calls that take data from now on find that there is more than was counted */
    uint32_t driver_version; /* added to the real one */
} watch;

static VKAPI_ATTR VkResult VKAPI_CALL create_cache(VkDevice device, const VkPipelineCacheCreateInfo *info,
                                                   const VkAllocationCallbacks *callbacks, VkPipelineCache *out)
{
    watch.created++;
    watch.size = info->initialDataSize;
    free(watch.data);
    watch.data = watch.size > 0 ? malloc(watch.size) : NULL;
    if (watch.data)
        memcpy(watch.data, info->pInitialData, watch.size);
    return vkCreatePipelineCache(device, info, callbacks, out);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_data(VkDevice device, VkPipelineCache cache, size_t *size, void *data)
{
    if (!data || watch.incomplete == 0)
        return vkGetPipelineCacheData(device, cache, size, data);
    watch.incomplete--;
    memset(data, 0xee, *size);
    return VK_INCOMPLETE;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *out)
{
    vkGetPhysicalDeviceProperties(device, out);
    out->driverVersion += watch.driver_version;
}

static PFN_vkVoidFunction VKAPI_CALL get_device_proc_addr(VkDevice device, const char *name)
{
    if (!strcmp(name, "vkCreatePipelineCache"))
        return (PFN_vkVoidFunction)create_cache;
    if (!strcmp(name, "vkGetPipelineCacheData"))
        return (PFN_vkVoidFunction)get_data;
    return vkGetDeviceProcAddr(device, name);
}

static PFN_vkVoidFunction VKAPI_CALL get_instance_proc_addr(VkInstance instance, const char *name)
{
    if (!strcmp(name, "vkGetDeviceProcAddr"))
        return (PFN_vkVoidFunction)get_device_proc_addr;
    if (!strcmp(name, "vkGetPhysicalDeviceProperties"))
        return (PFN_vkVoidFunction)get_properties;
    return vkGetInstanceProcAddr(instance, name);
}

typedef struct cache_fixture {
    test_app app;
    test_record record;
    smoe_log log;
    smoe_context_desc desc;
    smoe_context *context; /* with a plan's pipelines */
    unsigned char *data;   /* its cache */
    size_t size;
} cache_fixture;

/* A context that is given these data: how it is told of them, and that it is there all the same. */
static void give(cache_fixture *fixture, const void *data, size_t size)
{
    smoe_context *context = NULL;

    fixture->desc.pipeline_cache = data;
    fixture->desc.pipeline_cache_size = size;
    test_record_clear(&fixture->record);
    watch.created = 0;
    assert_int_equal(smoe_context_create(&fixture->desc, &context), SMOE_SUCCESS);
    smoe_context_destroy(context);
    assert_int_equal(watch.created, 1);
}

static uint32_t count_lines(const cache_fixture *fixture)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < fixture->record.line_count; i++)
        if (strstr(fixture->record.lines[i], "context desc.pipeline_cache: ignored")) {
            assert_int_equal(fixture->record.levels[i], SMOE_LOG_INFO);
            count++;
        }
    return count;
}

/* `data` of `size` bytes in memory of just that size, so that a read past its end is seen. */
static void check_ignored(cache_fixture *fixture, const void *data, size_t size, const char *what, size_t where)
{
    void *exact = malloc(size);

    assert_non_null(exact);
    memcpy(exact, data, size);
    give(fixture, exact, size);
    free(exact);
    if (watch.size > 0 || count_lines(fixture) != 1)
        fail_msg("%s %zu: the driver saw %zu bytes, and the log has %u lines", what, where, watch.size,
                 count_lines(fixture));
}

static void test_round_trip(void **state)
{
    cache_fixture *fixture = *state;

    give(fixture, fixture->data, fixture->size);
    assert_int_equal(count_lines(fixture), 0);
    assert_true(watch.size > 0 && watch.size < fixture->size);
    assert_memory_equal(watch.data, fixture->data + (fixture->size - watch.size), watch.size);
    give(fixture, NULL, 0);
    assert_int_equal(count_lines(fixture), 0);
    assert_int_equal(watch.size, 0);
}

/* All of a small cache; of a large one its beginning, and places spread over the rest. */
static size_t next(size_t at, size_t size)
{
    const size_t whole = 512, spread = size / 512 + 1;
    return at < whole ? at + 1 : at + spread;
}

static void test_changed(void **state)
{
    cache_fixture *fixture = *state;

    for (size_t at = 0; at < fixture->size; at = next(at, fixture->size)) {
        const unsigned char kept = fixture->data[at];
        fixture->data[at] = (unsigned char)(kept ^ (1u << at % 8));
        check_ignored(fixture, fixture->data, fixture->size, "a bit of byte", at);
        fixture->data[at] = kept;
    }
    give(fixture, fixture->data, fixture->size);
    assert_true(watch.size > 0);
}

static void test_cut(void **state)
{
    cache_fixture *fixture = *state;

    for (size_t size = 1; size < fixture->size; size = next(size, fixture->size))
        check_ignored(fixture, fixture->data, size, "a length of", size);
    check_ignored(fixture, fixture->data, fixture->size - 1, "a length of", fixture->size - 1);
}

/* As smoe 0.1 gave it: what begins with the header of Vulkan. */
static void test_of_the_driver(void **state)
{
    cache_fixture *fixture = *state;

    give(fixture, fixture->data, fixture->size);
    const size_t size = watch.size;
    unsigned char *raw = malloc(size);
    assert_non_null(raw);
    memcpy(raw, watch.data, size);
    check_ignored(fixture, raw, size, "the driver's own data of", size);
    free(raw);
}

static void test_of_another_driver(void **state)
{
    cache_fixture *fixture = *state;

    watch.driver_version = 1;
    check_ignored(fixture, fixture->data, fixture->size, "a driver of a later version, later by", 1);
    watch.driver_version = 0;
}

static void test_too_small(void **state)
{
    cache_fixture *fixture = *state;
    unsigned char *room = malloc(fixture->size);
    size_t needed = 0;

    assert_non_null(room);
    assert_int_equal(smoe_context_pipeline_cache(fixture->context, &needed, NULL), SMOE_SUCCESS);
    assert_int_equal(needed, fixture->size);
    memset(room, 0x77, fixture->size);
    for (size_t given = 0; given < fixture->size; given = next(given, fixture->size)) {
        size_t size = given;
        test_record_clear(&fixture->record);
        assert_int_equal(smoe_context_pipeline_cache(fixture->context, &size, room), SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(size, fixture->size);
        assert_int_equal(test_record_problem_count(&fixture->record), 1);
        assert_true(test_record_has_problem(&fixture->record, "size: "));
    }
    for (size_t i = 0; i < fixture->size; i++)
        assert_int_equal(room[i], 0x77);
    free(room);
}

/* Another thread's plan adds to the cache between the two calls that measure and take it. */
static void test_grows_meanwhile(void **state)
{
    cache_fixture *fixture = *state;
    unsigned char *room = malloc(fixture->size);

    assert_non_null(room);
    test_record_clear(&fixture->record);
    size_t size = fixture->size;
    watch.incomplete = 1;
    assert_int_equal(smoe_context_pipeline_cache(fixture->context, &size, room), SMOE_SUCCESS);
    assert_int_equal(size, fixture->size);
    assert_memory_equal(room, fixture->data, size);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
    /* A driver that never ends is given up. */
    memset(room, 0x77, fixture->size);
    watch.incomplete = UINT32_MAX;
    assert_int_equal(smoe_context_pipeline_cache(fixture->context, &size, room), SMOE_ERROR_VULKAN);
    assert_true(test_record_has_problem(&fixture->record, "VK_INCOMPLETE"));
    watch.incomplete = 0;
    for (size_t i = 0; i < fixture->size; i++)
        assert_int_equal(room[i], 0x77);
    free(room);
}

static void test_no_host_memory(void **state)
{
    cache_fixture *fixture = *state;
    faults_heap heap;
    const smoe_allocator allocator = faults_heap_allocator(&heap);
    smoe_context_desc desc = fixture->desc;
    smoe_context *context;
    unsigned char room[1 << 16];
    size_t size = sizeof room;

    desc.allocator = &allocator;
    desc.pipeline_cache_size = 0;
    assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
    const uint32_t alive = heap.alive;
    faults_heap_fail(&heap, 0);
    assert_int_equal(smoe_context_pipeline_cache(context, &size, room), SMOE_ERROR_OUT_OF_HOST_MEMORY);
    assert_int_equal(size, sizeof room);
    faults_heap_fail(&heap, UINT32_MAX);
    assert_int_equal(smoe_context_pipeline_cache(context, &size, room), SMOE_SUCCESS);
    assert_int_equal(heap.alive, alive);
    smoe_context_destroy(context);
}

static int setup(void **state)
{
    static cache_fixture fixture;
    static test_problem problem;
    smoe_plan *plan;

    *state = &fixture;
    test_record_init(&fixture.record);
    fixture.log = test_record_log(&fixture.record);
    if (!problem_init(&problem, PROBLEM_LINEAR) || !app_open(&fixture.app, APP_NOTHING_ENABLED))
        return -1;
    fixture.desc = app_context_desc(&fixture.app, NULL, &fixture.log);
    fixture.desc.get_instance_proc_addr = get_instance_proc_addr;
    if (smoe_context_create(&fixture.desc, &fixture.context) != SMOE_SUCCESS ||
        smoe_plan_create(fixture.context, &problem.plan, &plan) != SMOE_SUCCESS)
        return -1;
    smoe_plan_destroy(plan);
    if (smoe_context_pipeline_cache(fixture.context, &fixture.size, NULL) != SMOE_SUCCESS)
        return -1;
    fixture.data = malloc(fixture.size);
    return fixture.data ? (int)smoe_context_pipeline_cache(fixture.context, &fixture.size, fixture.data) : -1;
}

static int teardown(void **state)
{
    cache_fixture *fixture = *state;
    const uint32_t messages = fixture->app.message_count;

    free(fixture->data);
    free(watch.data);
    smoe_context_destroy(fixture->context);
    app_close(&fixture->app);
    return messages == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_of_the_driver),
        cmocka_unit_test(test_of_another_driver),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_grows_meanwhile),
        cmocka_unit_test(test_no_host_memory),
    };

    return cmocka_run_group_tests_name("context_cache", tests, setup, teardown);
}
