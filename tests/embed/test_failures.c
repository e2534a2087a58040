/* Everything that can fail fails, one after another: each Vulkan call with each of four results, each host allocation.
 * Every time the call of smoe gives the error that fits, leaves NULL, loses nothing, destroys nothing it did not make,
 * and works afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "common/cmocka_all.h"
#include "common/system.h"
#include "faults.h"

#define MAX_CALLS 500u /* an operation of more is a loop that does not end */
#define CALLS_OF_PIPELINE 2u

typedef struct shared {
    test_problem problems[2]; /* by problem_kind */
    const test_problem *problem;
    test_app app;
    faults_heap heap;
    smoe_allocator allocator;
    smoe_device *device; /* for the operations that need one */
    smoe_device_layer *layer;
    float eps; /* what calibration gave, -1 for nothing yet */
    /* what a device may keep from an operation: its staging buffer and what belongs to it */
    uint32_t lasting, lasting_blocks;
} shared;

/* One operation of the library: makes what it makes, and takes it back. *out_null: whether a failing creation left
 * NULL. */
typedef smoe_result (*operation)(shared *all, bool *out_null);

static const struct {
    VkResult vulkan;
    smoe_result smoe;
} failures[] = {
    {VK_ERROR_OUT_OF_HOST_MEMORY, SMOE_ERROR_OUT_OF_HOST_MEMORY},
    {VK_ERROR_OUT_OF_DEVICE_MEMORY, SMOE_ERROR_OUT_OF_DEVICE_MEMORY},
    {VK_ERROR_DEVICE_LOST, SMOE_ERROR_DEVICE_LOST},
    {VK_INCOMPLETE, SMOE_ERROR_VULKAN},
};

/* ---- operations of device.h -------------------------------------------------------------------------------------- */

static smoe_result list_devices(shared *all, bool *out_null)
{
    smoe_device_info infos[4];
    uint32_t count = 4;

    (void)all;
    const smoe_result result = smoe_device_list(faults_get_instance_proc_addr, NULL, &count, infos);
    *out_null = result == SMOE_SUCCESS || count == 0;
    return result;
}

static smoe_result create_device_of(shared *all, bool validation, smoe_device **out)
{
    const smoe_device_desc desc = {
        .selector = getenv("SMOE_TEST_DEVICE"),
        .validation = validation,
        .get_instance_proc_addr = faults_get_instance_proc_addr,
        .allocator = &all->allocator,
    };
    return smoe_device_create(&desc, out);
}

static smoe_result create_device(shared *all, bool *out_null)
{
    smoe_device *device = (smoe_device *)all; /* anything but NULL */
    const smoe_result result = create_device_of(all, test_validates(), &device);

    *out_null = result == SMOE_SUCCESS || !device;
    if (result == SMOE_SUCCESS)
        smoe_device_destroy(device);
    return result;
}

static smoe_result create_device_layer(shared *all, bool *out_null)
{
    smoe_device_layer *layer = (smoe_device_layer *)all;
    const smoe_result result =
        smoe_device_layer_create(all->device, &all->problem->plan, &all->problem->weights, &layer);

    *out_null = result == SMOE_SUCCESS || !layer;
    if (result == SMOE_SUCCESS)
        smoe_device_layer_destroy(layer);
    return result;
}

static smoe_result run_device_layer(shared *all, bool *out_null)
{
    float y[PROBLEM_ROWS];
    uint32_t report[PROBLEM_REPORT];
    smoe_timings timings;
    const smoe_result result =
        smoe_device_layer_forward(all->layer, &all->problem->params, all->problem->x, y, report, &timings);

    *out_null = true;
    if (result == SMOE_SUCCESS)
        assert_true(problem_is_solved(all->problem, y, report));
    return result;
}

static smoe_result repeat_device_layer(shared *all, bool *out_null)
{
    smoe_timings timings[2];

    *out_null = true;
    return smoe_device_layer_repeat(all->layer, &all->problem->params, true, 2, timings);
}

static smoe_result read_logits(shared *all, bool *out_null)
{
    float logits[PROBLEM_LOGITS] = {0};
    const smoe_result result = smoe_device_layer_logits(all->layer, logits);

    *out_null = true;
    if (result == SMOE_SUCCESS)
        assert_true(problem_has_logits(all->problem, logits));
    return result;
}

/* Only routing, with its scores. */
static smoe_result route_device_layer(shared *all, bool *out_null)
{
    smoe_forward_params params = all->problem->params;
    float scores[PROBLEM_LOGITS];

    *out_null = true;
    params.keep_scores = true;
    const smoe_result result = smoe_device_layer_forward(all->layer, &params, all->problem->x, NULL, NULL, NULL);
    return result == SMOE_SUCCESS ? smoe_device_layer_logits(all->layer, scores) : result;
}

/* Totals from nothing to numbers, over a forward and over only a routing. */
static smoe_result count_device_layer(shared *all, bool *out_null)
{
    float y[PROBLEM_ROWS];
    uint32_t report[PROBLEM_REPORT];
    uint64_t expert_tokens[PROBLEM_EXPERTS];
    smoe_totals totals;
    const test_problem *problem = all->problem;

    *out_null = true;
    smoe_result result = smoe_device_layer_reset_totals(all->layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(all->layer, &problem->params, problem->x, y, report, NULL);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(all->layer, &problem->params, problem->x, NULL, NULL, NULL);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_totals(all->layer, &totals, expert_tokens);
    if (result == SMOE_SUCCESS) {
        assert_true(problem_is_solved(problem, y, report));
        assert_true(problem_has_totals(problem, 2, &totals, expert_tokens));
    }
    return result;
}

/* The same numbers whenever it succeeds, and nothing written when it does not. */
static smoe_result calibrate_device_layer(shared *all, bool *out_null)
{
    float eps = -1;
    double mean = -1;
    const smoe_result result =
        smoe_device_layer_calibrate(all->layer, &all->problem->params, all->problem->x, 0.7, &eps, &mean);

    *out_null = result == SMOE_SUCCESS || (eps < 0 && mean < 0);
    if (result == SMOE_SUCCESS) {
        assert_true(eps > 0 && mean > 0 && mean <= 0.7);
        assert_true(all->eps < 0 || all->eps == eps);
        all->eps = eps;
    }
    return result;
}

/* ---- operations of smoe.h ---------------------------------------------------------------------------------------- */

static smoe_result describe_physical_device(shared *all, bool *out_null)
{
    smoe_device_info info;

    *out_null = true;
    return smoe_physical_device_info(faults_get_instance_proc_addr, all->app.instance, all->app.api_version,
                                     all->app.physical_device, 0, &info);
}

/* Records, but submits only when told to: a failure before has no work to run. */
static smoe_result record_forward(shared *all, const smoe_layer *layer, const smoe_binding *binding)
{
    assert_true(app_begin(&all->app));
    const smoe_result result = smoe_forward(all->app.commands, layer, binding, &all->problem->params, NULL);
    assert_int_equal(smoe_route(all->app.commands, layer, binding, &all->problem->params, NULL), result);
    assert_int_equal(vkEndCommandBuffer(all->app.commands), VK_SUCCESS);
    return result;
}

/* Everything of smoe.h in one operation; each creation only when the one before was well. */
static smoe_result use_core(shared *all, bool *out_null)
{
    void *const wrong = all;
    smoe_context *context = wrong;
    smoe_plan *plan = NULL;
    smoe_layer *layer = NULL;
    smoe_binding *binding = NULL;
    size_t size = 0;

    smoe_context_desc desc = app_context_desc(&all->app, &all->allocator, NULL);
    desc.get_instance_proc_addr = faults_get_instance_proc_addr;
    const smoe_layer_desc layer_desc = app_layer_desc(&all->app);
    smoe_binding_desc binding_desc = app_binding_desc(&all->app, true);
    binding_desc.totals = all->app.parts[APP_TOTALS];
    smoe_result result = smoe_context_create(&desc, &context);
    *out_null = result == SMOE_SUCCESS || !context;
    if (result == SMOE_SUCCESS)
        result = smoe_context_pipeline_cache(context, &size, NULL);
    if (result == SMOE_SUCCESS) {
        plan = wrong;
        result = smoe_plan_create(context, &all->problem->plan, &plan);
        *out_null = result == SMOE_SUCCESS || !plan;
    }
    if (result == SMOE_SUCCESS) {
        layer = wrong;
        result = smoe_layer_create(plan, &layer_desc, &layer);
        *out_null = result == SMOE_SUCCESS || !layer;
    }
    if (result == SMOE_SUCCESS) {
        binding = wrong;
        result = smoe_binding_create(plan, &binding_desc, &binding);
        *out_null = result == SMOE_SUCCESS || !binding;
    }
    if (result == SMOE_SUCCESS)
        result = record_forward(all, layer, binding);
    if (!*out_null) /* what stands there is no object */
        return result;
    smoe_binding_destroy(binding);
    smoe_layer_destroy(layer);
    smoe_plan_destroy(plan);
    smoe_context_destroy(context);
    return result;
}

/* ---- loops ------------------------------------------------------------------------------------------------------- */

/* What is alive beside the pipelines: those that a failing plan has got stay with its context, each with one block of
 * host memory. */
typedef struct accounts {
    uint32_t objects, blocks;
} accounts;

static accounts count_alive(const shared *all)
{
    const uint32_t pipelines = faults_alive_pipelines();
    assert_true(all->device || pipelines == 0); /* between operations only a device has a context */
    return (accounts){faults_alive_count() - pipelines, all->heap.alive - pipelines};
}

static void check_accounts(const shared *all, accounts before)
{
    assert_false(faults_seen_misuse());
    const accounts alive = count_alive(all);
    if (alive.objects > before.objects + all->lasting)
        faults_print_alive(before.objects);
    assert_in_range(alive.objects, before.objects, before.objects + all->lasting);
    assert_in_range(alive.blocks, before.blocks, before.blocks + all->lasting_blocks);
}

static bool is_one_of(const char *call, const char *const *names, size_t count)
{
    while (count > 0 && strcmp(call, names[count - 1]) != 0)
        count--;
    return count > 0;
}

/* What an operation gives when the call fails. It succeeds all the same where cooperative matrices cannot be asked for,
 * where a list has grown meanwhile, and where an allocation has another memory type to go to. */
static smoe_result result_of(const char *call, size_t kind)
{
    static const char *const lists[] = {"vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR",
                                        "vkEnumeratePhysicalDevices", "vkEnumerateDeviceExtensionProperties",
                                        "vkEnumerateInstanceLayerProperties", "vkEnumerateInstanceExtensionProperties",
                                        "vkGetPipelineCacheData"};
    const VkResult failure = failures[kind].vulkan;
    const bool goes_on =
        (failure == VK_INCOMPLETE && is_one_of(call, lists, sizeof lists / sizeof *lists)) ||
        (failure != VK_ERROR_OUT_OF_HOST_MEMORY && is_one_of(call, lists, 1)) ||
        (failure == VK_ERROR_OUT_OF_DEVICE_MEMORY && !strcmp(call, "vkAllocateMemory") && faults_type_count() > 1);
    return goes_on ? SMOE_SUCCESS : failures[kind].smoe;
}

/* Runs an operation with its 0th call failing, its 1st, and so on, until it gets by without a failure: those calls are
 * not counted again that a pipeline saves which an earlier try has got. `fresh`, if not NULL, puts back what an
 * operation needs and may have changed. */
static void fail_every_call(shared *all, const char *name, operation run, void (*fresh)(shared *all))
{
    const uint32_t pipelines = faults_alive_pipelines();
    uint32_t failed = 0;

    for (size_t kind = 0; kind < sizeof failures / sizeof *failures; kind++) {
        for (uint32_t i = 0;; i++) {
            bool out_null = false;
            const uint32_t saved = CALLS_OF_PIPELINE * (faults_alive_pipelines() - pipelines) * (kind == 0);
            assert_in_range(i, 0, MAX_CALLS);
            faults_fail_nothing();
            if (fresh)
                fresh(all);
            const accounts before = count_alive(all);
            faults_fail_call(i - saved, failures[kind].vulkan);
            const smoe_result result = run(all, &out_null);
            const bool has_failed = faults_has_failed();
            if (!has_failed && result == SMOE_SUCCESS)
                break;
            const smoe_result expected = result_of(faults_failed_call(), kind);
            if (result != expected || !out_null)
                print_error("%s: call %u, %s, gave VkResult %d: the result is \"%s\"%s\n", name, i,
                            faults_failed_call(), failures[kind].vulkan, smoe_result_text(result),
                            out_null ? "" : ", and *out is not NULL");
            assert_int_equal(result, expected);
            assert_true(out_null);
            faults_fail_nothing();
            failed++;
            if (!fresh) {
                check_accounts(all, before);
                continue;
            }
            /* Objects may have come to stay, whose owner gives them back at the end; and it goes on as if nothing had
             * been. */
            assert_int_equal(run(all, &out_null), SMOE_SUCCESS);
            assert_false(faults_seen_misuse());
        }
    }
    faults_fail_nothing();
    print_message("%s: %u failing calls\n", name, failed);
    assert_true(failed >= sizeof failures / sizeof *failures);
}

static void fail_every_allocation(shared *all, const char *name, operation run, void (*fresh)(shared *all))
{
    uint32_t i = 0;

    for (;; i++) {
        bool out_null = false;
        assert_in_range(i, 0, MAX_CALLS);
        faults_heap_fail(&all->heap, UINT32_MAX);
        if (fresh)
            fresh(all);
        const accounts before = count_alive(all);
        faults_heap_fail(&all->heap, i);
        const smoe_result result = run(all, &out_null);
        if (!all->heap.failed && result == SMOE_SUCCESS)
            break;
        if (result != SMOE_ERROR_OUT_OF_HOST_MEMORY || !out_null)
            print_error("%s: allocation %u failed: the result is \"%s\"%s\n", name, i, smoe_result_text(result),
                        out_null ? "" : ", and *out is not NULL");
        assert_int_equal(result, SMOE_ERROR_OUT_OF_HOST_MEMORY);
        assert_true(out_null);
        faults_heap_fail(&all->heap, UINT32_MAX);
        if (!fresh) {
            check_accounts(all, before);
            continue;
        }
        assert_int_equal(run(all, &out_null), SMOE_SUCCESS);
        assert_false(faults_seen_misuse());
    }
    faults_heap_fail(&all->heap, UINT32_MAX);
    print_message("%s: %u failing allocations\n", name, i);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void open_device(shared *all, faults_memory memory)
{
    assert_true(faults_reset(memory));
    all->allocator = faults_heap_allocator(&all->heap);
    assert_int_equal(create_device_of(all, test_validates(), &all->device), SMOE_SUCCESS);
}

static void close_device(shared *all)
{
    smoe_device_layer_destroy(all->layer);
    assert_int_equal(smoe_device_validation_count(all->device), 0);
    smoe_device_destroy(all->device);
    all->layer = NULL;
    all->device = NULL;
    all->lasting = all->lasting_blocks = 0;
    check_accounts(all, (accounts){0, 0});
}

/* A layer that has never run. */
static void make_new_layer(shared *all)
{
    smoe_device_layer_destroy(all->layer);
    assert_int_equal(smoe_device_layer_create(all->device, &all->problem->plan, &all->problem->weights, &all->layer),
                     SMOE_SUCCESS);
}

/* One that has, without a report; after a failure in the round before, as any app would go on. */
static void make_run_layer(shared *all)
{
    float y[PROBLEM_ROWS];

    make_new_layer(all);
    assert_int_equal(smoe_device_layer_forward(all->layer, &all->problem->params, all->problem->x, y, NULL, NULL),
                     SMOE_SUCCESS);
    assert_true(problem_is_solved(all->problem, y, NULL));
}

static void test_list(void **state)
{
    shared *all = *state;

    assert_true(faults_reset(FAULTS_MEMORY_AS_IS));
    fail_every_call(all, "smoe_device_list", list_devices, NULL);
    check_accounts(all, (accounts){0, 0});
}

static void test_device_create(void **state)
{
    shared *all = *state;

    assert_true(faults_reset(FAULTS_MEMORY_AS_IS));
    all->allocator = faults_heap_allocator(&all->heap);
    fail_every_call(all, "smoe_device_create", create_device, NULL);
    fail_every_allocation(all, "smoe_device_create", create_device, NULL);
    check_accounts(all, (accounts){0, 0});
}

static void fail_layers(shared *all, faults_memory memory)
{
    smoe_device_handles handles;

    open_device(all, memory);
    assert_int_equal(smoe_device_get_handles(all->device, &handles), SMOE_SUCCESS);
    if (memory != FAULTS_MEMORY_AS_IS && !faults_can_change_memory(handles.physical_device)) {
        close_device(all);
        print_message("this device's memory cannot be made to look otherwise\n");
        skip();
    }
    all->lasting = memory == FAULTS_MEMORY_DISCRETE ? 6 : 0;
    all->lasting_blocks = memory == FAULTS_MEMORY_DISCRETE ? 2 : 0; /* lists of command buffers */
    fail_every_call(all, "smoe_device_layer_create", create_device_layer, NULL);
    fail_every_allocation(all, "smoe_device_layer_create", create_device_layer, NULL);
    fail_every_call(all, "smoe_device_layer_forward", run_device_layer, make_new_layer);
    fail_every_allocation(all, "smoe_device_layer_forward", run_device_layer, make_new_layer);
    fail_every_call(all, "smoe_device_layer_repeat", repeat_device_layer, make_run_layer);
    fail_every_allocation(all, "smoe_device_layer_repeat", repeat_device_layer, make_run_layer);
    if (memory == FAULTS_MEMORY_AS_IS) /* the workspace is read in one way whatever the memory is */
        fail_every_call(all, "smoe_device_layer_logits", read_logits, make_run_layer);
    fail_every_call(all, "routing alone", route_device_layer, make_new_layer);
    fail_every_call(all, "smoe_device_layer_totals", count_device_layer, make_new_layer);
    fail_every_allocation(all, "smoe_device_layer_totals", count_device_layer, make_new_layer);
    all->eps = -1;
    fail_every_call(all, "smoe_device_layer_calibrate", calibrate_device_layer, make_new_layer);
    fail_every_allocation(all, "smoe_device_layer_calibrate", calibrate_device_layer, make_new_layer);
    assert_true(problem_runs(all->problem, all->device));
    close_device(all);
}

/* What a layer of every other kind makes more: the way to it, and its run. */
static void test_cosine_layers(void **state)
{
    shared *all = *state;

    all->problem = &all->problems[PROBLEM_COSINE];
    open_device(all, FAULTS_MEMORY_AS_IS);
    fail_every_call(all, "smoe_device_layer_create", create_device_layer, NULL);
    fail_every_allocation(all, "smoe_device_layer_create", create_device_layer, NULL);
    fail_every_call(all, "smoe_device_layer_totals", count_device_layer, make_new_layer);
    all->eps = -1;
    fail_every_call(all, "smoe_device_layer_calibrate", calibrate_device_layer, make_new_layer);
    assert_true(problem_runs(all->problem, all->device));
    close_device(all);
    all->problem = &all->problems[PROBLEM_LINEAR];
}

static void test_layers(void **state)
{
    fail_layers(*state, FAULTS_MEMORY_AS_IS);
}

static void test_layers_discrete(void **state)
{
    fail_layers(*state, FAULTS_MEMORY_DISCRETE);
}

static void test_layers_incoherent(void **state)
{
    fail_layers(*state, FAULTS_MEMORY_INCOHERENT);
}

static void fail_core(shared *all, problem_kind kind)
{
    smoe_plan *plan = NULL;
    smoe_context *context = NULL;

    all->problem = &all->problems[kind];
    assert_true(faults_reset(FAULTS_MEMORY_AS_IS));
    all->allocator = faults_heap_allocator(&all->heap);
    assert_true(app_open(&all->app, APP_EVERYTHING_ENABLED));
    const smoe_context_desc desc = app_context_desc(&all->app, NULL, NULL);
    assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_create(context, &all->problem->plan, &plan), SMOE_SUCCESS);
    assert_true(app_buffer_create(&all->app, all->problem, smoe_plan_workspace_size(plan)));
    smoe_plan_destroy(plan);
    smoe_context_destroy(context);

    fail_every_call(all, "smoe_physical_device_info", describe_physical_device, NULL);
    fail_every_call(all, "smoe.h", use_core, NULL);
    fail_every_allocation(all, "smoe.h", use_core, NULL);
    check_accounts(all, (accounts){0, 0});
    faults_drop_pipelines(all->app.device);
    app_close(&all->app);
    assert_int_equal(all->app.message_count, 0);
    all->problem = &all->problems[PROBLEM_LINEAR];
}

static void test_core(void **state)
{
    fail_core(*state, PROBLEM_LINEAR);
}

static void test_core_with_everything(void **state)
{
    fail_core(*state, PROBLEM_COSINE);
}

static int setup(void **state)
{
    static shared all;

    *state = &all;
    all.problem = &all.problems[PROBLEM_LINEAR];
    return problem_init(&all.problems[PROBLEM_LINEAR], PROBLEM_LINEAR) &&
                   problem_init(&all.problems[PROBLEM_COSINE], PROBLEM_COSINE)
               ? 0
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_device_create),
        cmocka_unit_test(test_core),
        cmocka_unit_test(test_core_with_everything),
        cmocka_unit_test(test_cosine_layers),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_layers_discrete),
        cmocka_unit_test(test_layers_incoherent),
    };

    return cmocka_run_group_tests_name("failures", tests, setup, NULL);
}
