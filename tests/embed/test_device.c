/* device.h's devices: listing, selectors, validation, arguments, and many at once. Layers are in
 * test_device_layer.c. */
#define _POSIX_C_SOURCE 200809L /* barriers */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/record.h"
#include "common/system.h"
#include "problem.h"

static test_record record;
static smoe_log record_log;

/* What a call must give, and what its one log line must contain; "" where it must log nothing. */
static void check_result(smoe_result result, smoe_result wanted, const char *text)
{
    const bool logged = *text ? test_record_has_problem(&record, text) : test_record_problem_count(&record) == 0;

    if (result != wanted || !logged) {
        print_error("the result is \"%s\", and the log should say \"%s\" and says:\n", smoe_result_text(result), text);
        test_record_print(&record);
    }
    assert_int_equal(result, wanted);
    assert_true(logged);
    test_record_clear(&record);
}

static void check_create(const smoe_device_desc *desc, smoe_result wanted, const char *text)
{
    smoe_device *device = (smoe_device *)&record; /* anything but NULL */
    smoe_device_desc logged = *desc;

    if (!logged.log)
        logged.log = &record_log;
    const smoe_result result = smoe_device_create(&logged, &device);
    if (wanted != SMOE_SUCCESS)
        assert_null(device);
    else if (result == SMOE_SUCCESS)
        smoe_device_destroy(device);
    check_result(result, wanted, text);
}

/* ---- lists and selectors ----------------------------------------------------------------------------------------- */

static smoe_device_info *list(uint32_t *count)
{
    check_result(smoe_device_list(NULL, &record_log, count, NULL), SMOE_SUCCESS, "");
    assert_true(*count > 0);
    smoe_device_info *infos = calloc(*count, sizeof *infos);
    assert_non_null(infos);
    check_result(smoe_device_list(NULL, &record_log, count, infos), SMOE_SUCCESS, "");
    return infos;
}

static void test_list(void **state)
{
    uint32_t count = 0, none = 0;
    smoe_device_info unwritten;

    (void)state;
    smoe_device_info *infos = list(&count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(infos[i].name[0] != 0);
        assert_int_equal(infos[i].usable, infos[i].reason[0] == 0);
    }
    memset(&unwritten, 0x5a, sizeof unwritten);
    const smoe_device_info before = unwritten;
    check_result(smoe_device_list(NULL, &record_log, &none, &unwritten), SMOE_SUCCESS, "");
    assert_int_equal(none, 0);
    assert_memory_equal(&unwritten, &before, sizeof before);
    check_result(smoe_device_list(NULL, &record_log, NULL, infos), SMOE_ERROR_INVALID_ARGUMENT, "count");
    assert_int_equal(smoe_device_list(NULL, NULL, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    free(infos);
}

static void check_selects(const char *selector, const smoe_device_info *wanted)
{
    const smoe_device_desc desc = {.selector = selector, .log = &record_log};
    smoe_device *device = NULL;

    check_result(smoe_device_create(&desc, &device), SMOE_SUCCESS, "");
    assert_memory_equal(smoe_context_device_info(smoe_device_context(device))->uuid, wanted->uuid, VK_UUID_SIZE);
    smoe_device_destroy(device);
}

static void test_selectors(void **state)
{
    uint32_t count = 0;
    char text[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];

    (void)state;
    smoe_device_info *infos = list(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (!infos[i].usable)
            continue;
        snprintf(text, sizeof text, "%u", i);
        check_selects(text, &infos[i]);
        for (int upper = 0; upper < 2; upper++) {
            for (size_t k = 0; k < VK_UUID_SIZE; k++)
                snprintf(text + 2 * k, 3, upper ? "%02X" : "%02x", infos[i].uuid[k]);
            check_selects(text, &infos[i]);
        }
    }
    /* Parts of the first device's name, in the other case. */
    for (size_t from = 0; infos[0].usable && from < 3; from++) {
        snprintf(text, sizeof text, "%.6s", infos[0].name + from);
        for (char *c = text; *c; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
        check_selects(text, &infos[0]);
    }
    check_selects("best", &infos[0]);
    free(infos);

    check_create(&(smoe_device_desc){.selector = "no such device"}, SMOE_ERROR_NO_DEVICE, "no such device");
    check_create(&(smoe_device_desc){.selector = "ffffffffffffffffffffffffffffffff"}, SMOE_ERROR_NO_DEVICE, "selector");
    snprintf(text, sizeof text, "%u", count);
    check_create(&(smoe_device_desc){.selector = text}, SMOE_ERROR_NO_DEVICE, "selector");
    check_create(&(smoe_device_desc){.selector = "4294967296"}, SMOE_ERROR_NO_DEVICE, "selector");
    check_create(&(smoe_device_desc){.selector = "99999999999999999999999999"}, SMOE_ERROR_NO_DEVICE, "selector");
    check_create(&(smoe_device_desc){.selector = ""}, SMOE_ERROR_INVALID_ARGUMENT, "selector");
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static void *never_called(void *user, size_t size)
{
    (void)user;
    (void)size;
    return NULL;
}

static void test_create_arguments(void **state)
{
    const smoe_allocator half = {never_called, NULL, NULL};
    const smoe_device_desc desc = {.log = &record_log};
    smoe_device *device = NULL;
    smoe_device_handles handles;

    (void)state;
    check_result(smoe_device_create(&desc, NULL), SMOE_ERROR_INVALID_ARGUMENT, "out");
    assert_int_equal(smoe_device_create(NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    check_create(&(smoe_device_desc){.allocator = &half}, SMOE_ERROR_INVALID_ARGUMENT, "allocator");
    check_create(&(smoe_device_desc){.masked_capabilities = SMOE_CAPABILITY_ALL + 1}, SMOE_ERROR_INVALID_ARGUMENT,
                 "masked_capabilities");
    check_create(&(smoe_device_desc){.pipeline_cache_size = 1}, SMOE_ERROR_INVALID_ARGUMENT, "pipeline_cache");

    smoe_device_destroy(NULL);
    assert_null(smoe_device_context(NULL));
    assert_int_equal(smoe_device_validation_count(NULL), 0);
    assert_int_equal(smoe_device_get_handles(NULL, &handles), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_device_create(NULL, &device), SMOE_SUCCESS);
    assert_int_equal(smoe_device_get_handles(device, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_device_validation_count(device), 0);
    smoe_device_destroy(device);
}

static void test_masked_capabilities(void **state)
{
    (void)state;
    for (uint32_t mask = 1; mask < SMOE_CAPABILITY_ALL; mask <<= 1) {
        const smoe_device_desc desc = {.masked_capabilities = mask, .log = &record_log};
        smoe_device *device = NULL;
        check_result(smoe_device_create(&desc, &device), SMOE_SUCCESS, "");
        assert_int_equal(smoe_context_device_info(smoe_device_context(device))->capabilities & mask, 0);
        smoe_device_destroy(device);
    }
}

/* The lesser of the limits, the capabilities of both, and the quirks of the driver that it acts as, which the log
 * names; those of the real one: tests/unit/test_context.c. */
static void test_act_as(void **state)
{
    smoe_device *device = NULL;
    uint32_t told = 0;
    (void)state;
    assert_int_equal(smoe_device_create(NULL, &device), SMOE_SUCCESS);
    const smoe_device_info real = *smoe_context_device_info(smoe_device_context(device));
    smoe_device_destroy(device);

    smoe_device_info as = real;
    snprintf(as.name, sizeof as.name, "Adreno (TM) 640");
    as.type = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    as.driver_id = 8; /* Qualcomm's */
    as.capabilities &=
        SMOE_CAPABILITY_SUBGROUP_ARITHMETIC | SMOE_CAPABILITY_SUBGROUP_BALLOT | SMOE_CAPABILITY_SUBGROUP_SHUFFLE;
    as.subgroup_size = as.subgroup_size_min = as.subgroup_size_max = 128;
    as.max_shared_memory_size = UINT32_MAX;
    as.max_workgroup_invocations = 128;
    const smoe_device_desc desc = {.act_as = &as, .log = &record_log};
    test_record_clear(&record);
    assert_int_equal(smoe_device_create(&desc, &device), SMOE_SUCCESS);
    const smoe_device_info *acting = smoe_context_device_info(smoe_device_context(device));
    assert_string_equal(acting->name, as.name);
    assert_int_equal(acting->type, as.type);
    assert_int_equal(acting->capabilities, 0);
    assert_int_equal(acting->subgroup_size_min, real.subgroup_size_min);
    assert_int_equal(acting->max_shared_memory_size, real.max_shared_memory_size);
    assert_int_equal(acting->max_workgroup_invocations, 128);
    smoe_device_destroy(device);
    for (uint32_t i = 0; i < record.line_count && i < TEST_RECORD_LINES; i++)
        told += record.levels[i] == SMOE_LOG_INFO && strstr(record.lines[i], "quirk qualcomm_subgroups: ") &&
                strstr(record.lines[i], "github");
    assert_int_equal(told, 1);

    as = real;
    as.subgroup_size_min = 0;
    check_create(&desc, SMOE_ERROR_INVALID_ARGUMENT, "act_as: subgroup_size_min: 0");
    as = real;
    as.max_shared_memory_size = 8192;
    check_create(&desc, SMOE_ERROR_UNSUPPORTED, "act_as: 8192 bytes of shared memory");
    as.usable = false;
    snprintf(as.reason, sizeof as.reason, "switched off");
    check_create(&desc, SMOE_ERROR_UNSUPPORTED, "act_as: switched off");
}

static void test_pipeline_cache(void **state)
{
    const test_problem *problem = *state;
    smoe_device *device = NULL;
    size_t size = 0;

    assert_int_equal(smoe_device_create(&(smoe_device_desc){.log = &record_log}, &device), SMOE_SUCCESS);
    assert_true(problem_runs(problem, device));
    assert_int_equal(smoe_context_pipeline_cache(smoe_device_context(device), &size, NULL), SMOE_SUCCESS);
    void *cache = malloc(size);
    assert_non_null(cache);
    assert_int_equal(smoe_context_pipeline_cache(smoe_device_context(device), &size, cache), SMOE_SUCCESS);
    smoe_device_destroy(device);

    const smoe_device_desc desc = {
        .validation = test_validates(), .pipeline_cache = cache, .pipeline_cache_size = size, .log = &record_log};
    check_result(smoe_device_create(&desc, &device), SMOE_SUCCESS, "");
    assert_true(problem_runs(problem, device));
    assert_int_equal(smoe_device_validation_count(device), 0);
    smoe_device_destroy(device);
    free(cache);
    check_result(SMOE_SUCCESS, SMOE_SUCCESS, "");
}

/* ---- where something is missing ---------------------------------------------------------------------------------- */

static PFN_vkVoidFunction VKAPI_CALL find_nothing(VkInstance instance, const char *name)
{
    (void)instance;
    (void)name;
    return NULL;
}

static void test_no_loader(void **state)
{
    uint32_t count = 7;

    (void)state;
    check_create(&(smoe_device_desc){.get_instance_proc_addr = find_nothing}, SMOE_ERROR_NO_DEVICE, "loader");
    check_result(smoe_device_list(find_nothing, &record_log, &count, NULL), SMOE_ERROR_NO_DEVICE, "loader");
    assert_int_equal(count, 0);
}

/* Sets a variable that the Vulkan loader reads, and gives back what was there. */
static char *replace_variable(const char *name, const char *value)
{
    const char *old = getenv(name);
    char *copy = old ? malloc(strlen(old) + 1) : NULL;

    if (copy)
        strcpy(copy, old);
    test_set_variable(name, value);
    return copy;
}

static void restore_variable(const char *name, char *old)
{
    free(replace_variable(name, old));
    free(old);
}

static void test_no_driver(void **state)
{
    char *files = replace_variable("VK_ICD_FILENAMES", "/nonexistent"),
         *new_files = replace_variable("VK_DRIVER_FILES", "/nonexistent");
    uint32_t count = 7;

    (void)state;
    if (!test_loader_reads_environment())
        skip();
    const smoe_result result = smoe_device_list(NULL, &record_log, &count, NULL);
    assert_int_equal(result, SMOE_SUCCESS);
    assert_int_equal(count, 0);
    test_record_clear(&record);
    check_create(&(smoe_device_desc){.selector = NULL}, SMOE_ERROR_NO_DEVICE, "no Vulkan d");
    restore_variable("VK_ICD_FILENAMES", files);
    restore_variable("VK_DRIVER_FILES", new_files);
}

static void test_no_validation_layer(void **state)
{
    char *path = replace_variable("VK_LAYER_PATH", "/nonexistent");

    (void)state;
    if (!test_loader_reads_environment())
        skip();
    check_create(&(smoe_device_desc){.validation = true}, SMOE_ERROR_UNSUPPORTED, "VK_LAYER_KHRONOS_validation");
    check_create(&(smoe_device_desc){.validation = false}, SMOE_SUCCESS, "");
    restore_variable("VK_LAYER_PATH", path);
}

/* ---- validation -------------------------------------------------------------------------------------------------- */

/* Overwrites a buffer twice with nothing in between: only synchronization validation objects. */
static void record_hazard(const smoe_device_handles *handles)
{
/* Without the vk: with it volk.h has declared them, which clang calls shadowing. */
#define DEVICE_FUNCTION(name)                                                                                          \
    const PFN_vk##name name = (PFN_vk##name)handles->get_instance_proc_addr(handles->instance, "vk" #name)
    DEVICE_FUNCTION(CreateBuffer);
    DEVICE_FUNCTION(DestroyBuffer);
    DEVICE_FUNCTION(GetBufferMemoryRequirements);
    DEVICE_FUNCTION(AllocateMemory);
    DEVICE_FUNCTION(FreeMemory);
    DEVICE_FUNCTION(BindBufferMemory);
    DEVICE_FUNCTION(CreateCommandPool);
    DEVICE_FUNCTION(DestroyCommandPool);
    DEVICE_FUNCTION(AllocateCommandBuffers);
    DEVICE_FUNCTION(BeginCommandBuffer);
    DEVICE_FUNCTION(EndCommandBuffer);
    DEVICE_FUNCTION(CmdFillBuffer);
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = 64,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    const VkCommandPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = handles->queue_family,
    };
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VkMemoryRequirements needs;
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkCommandPool pool;
    VkCommandBuffer commands;

    assert_int_equal(CreateBuffer(handles->device, &info, NULL, &buffer), VK_SUCCESS);
    GetBufferMemoryRequirements(handles->device, buffer, &needs);
    VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size};
    while (!(needs.memoryTypeBits >> allocate.memoryTypeIndex & 1))
        allocate.memoryTypeIndex++;
    assert_int_equal(AllocateMemory(handles->device, &allocate, NULL, &memory), VK_SUCCESS);
    assert_int_equal(BindBufferMemory(handles->device, buffer, memory, 0), VK_SUCCESS);
    assert_int_equal(CreateCommandPool(handles->device, &pool_info, NULL, &pool), VK_SUCCESS);
    const VkCommandBufferAllocateInfo one = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .commandBufferCount = 1,
    };
    assert_int_equal(AllocateCommandBuffers(handles->device, &one, &commands), VK_SUCCESS);
    assert_int_equal(BeginCommandBuffer(commands, &begin), VK_SUCCESS);
    CmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, 1);
    CmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, 2);
    assert_int_equal(EndCommandBuffer(commands), VK_SUCCESS);
    DestroyCommandPool(handles->device, pool, NULL);
    DestroyBuffer(handles->device, buffer, NULL);
    FreeMemory(handles->device, memory, NULL);
}

static void test_validation_counts(void **state)
{
    const smoe_device_desc desc = {.validation = true, .log = &record_log};
    smoe_device *device = NULL;
    smoe_device_handles handles;

    (void)state;
    if (!test_loader_reads_environment())
        skip();
    check_result(smoe_device_create(&desc, &device), SMOE_SUCCESS, "");
    assert_int_equal(smoe_device_validation_count(device), 0);
    assert_int_equal(smoe_device_get_handles(device, &handles), SMOE_SUCCESS);
    record_hazard(&handles);
    assert_int_equal(smoe_device_validation_count(device), 1);
    smoe_device_destroy(device);
    check_result(SMOE_SUCCESS, SMOE_SUCCESS, "WRITE_AFTER_WRITE");
}

/* ---- many at once ------------------------------------------------------------------------------------------------ */

#define THREAD_COUNT 4

typedef struct worker {
    const test_problem *problem;
    pthread_barrier_t *start;
    pthread_t thread;
    bool good;
} worker;

static void *work(void *user)
{
    worker *self = user;
    const smoe_device_desc desc = {.log = &record_log};
    smoe_device *device = NULL;

    pthread_barrier_wait(self->start);
    if (smoe_device_create(&desc, &device) == SMOE_SUCCESS)
        self->good = problem_runs(self->problem, device);
    smoe_device_destroy(device);
    return NULL;
}

static void test_threads(void **state)
{
    worker workers[THREAD_COUNT];
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, THREAD_COUNT), 0);
    for (int i = 0; i < THREAD_COUNT; i++) {
        workers[i] = (worker){.problem = *state, .start = &start};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_true(workers[i].good);
    }
    pthread_barrier_destroy(&start);
    check_result(SMOE_SUCCESS, SMOE_SUCCESS, "");
}

static int setup(void **state)
{
    static test_problem problem;

    test_record_init(&record);
    record_log = test_record_log(&record);
    *state = &problem;
    return problem_init(&problem, PROBLEM_LINEAR) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_create_arguments),
        cmocka_unit_test(test_masked_capabilities),
        cmocka_unit_test(test_act_as),
        cmocka_unit_test(test_pipeline_cache),
        cmocka_unit_test(test_no_loader),
        cmocka_unit_test(test_no_driver),
        cmocka_unit_test(test_no_validation_layer),
        cmocka_unit_test(test_validation_counts),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests_name("device", tests, setup, NULL);
}
