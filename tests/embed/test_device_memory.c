/* The memory of device.h's layers: memory that the host reaches and memory it does not, heaps that are full, and
 * allocations that are too large. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/random.h"
#include "layer_fixture.h"

/* ---- copies ------------------------------------------------------------------------------------------------------ */

/* A layer with a tensor larger than the staging buffer: its weights, or x and y. */
static float *run_large(smoe_device *device, uint32_t width, uint32_t hidden, uint32_t tokens)
{
    const smoe_plan_desc plan = {
        .d_model = width,
        .d_hidden = hidden,
        .expert_count = 1,
        .top_k = 1,
        .max_tokens = tokens,
        .activation = SMOE_ACTIVATION_IDENTITY,
        .renormalize = true,
    };
    const size_t matrix = (size_t)width * hidden, rows = (size_t)width * tokens;
    float *values = malloc((width + 2 * matrix + rows) * sizeof *values), *y = malloc(rows * sizeof *y);
    test_random random = test_random_make(test_seed(), width);
    smoe_forward_params params = smoe_forward_defaults();
    smoe_device_layer *layer = NULL;

    assert_true(values && y);
    for (size_t i = 0; i < width + 2 * matrix + rows; i++)
        values[i] = test_random_uniform(&random, -1, 1);
    const smoe_host_weights weights = {.router_weight = values,
                                       .w1 = {values + width, SMOE_TYPE_FLOAT32},
                                       .w2 = {values + width + matrix, SMOE_TYPE_FLOAT32}};
    params.token_count = tokens;
    assert_int_equal(smoe_device_layer_create(device, &plan, &weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, values + width + 2 * matrix, y, NULL, NULL),
                     SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
    free(values);
    return y;
}

static void check_same_large(smoe_device *direct, smoe_device *other, uint32_t width, uint32_t hidden, uint32_t tokens)
{
    float *want = run_large(direct, width, hidden, tokens), *got = run_large(other, width, hidden, tokens);

    assert_int_equal(test_compare_bits("y", (size_t)width * tokens, got, want), 0);
    free(want);
    free(got);
}

static void check_memory(layer_fixture *fixture, faults_memory memory)
{
    layer_fixture_needs_memory(fixture);
    smoe_device *device = layer_fixture_open(fixture, memory);

    assert_true(problem_runs(&fixture->problem, device));
    assert_true(problem_runs(&fixture->cosine, device));
    if (memory == FAULTS_MEMORY_DISCRETE) {
        /* 17 MB of weights, then 17 MB of x and of y: three chunks, of which the last has an odd size. */
        check_same_large(fixture->device, device, 2081, 2081, 1);
        check_same_large(fixture->device, device, 61, 1, 70001);
    }
    layer_fixture_close(fixture, device);
}

static void test_discrete_memory(void **state)
{
    check_memory(*state, FAULTS_MEMORY_DISCRETE);
}

static void test_incoherent_memory(void **state)
{
    check_memory(*state, FAULTS_MEMORY_INCOHERENT);
}

static void test_small_window(void **state)
{
    check_memory(*state, FAULTS_MEMORY_SMALL_WINDOW);
}

/* ---- full heaps -------------------------------------------------------------------------------------------------- */

/* With some memory types full: a problem that runs all the same, or the error and nothing left. */
static void check_full(layer_fixture *fixture, smoe_device *device, uint32_t full, bool survives)
{
    const smoe_plan_desc *plan = &fixture->problem.plan;
    const uint32_t alive = faults_alive_count() - faults_alive_pipelines();
    smoe_device_layer *layer = NULL;

    faults_refuse_types(full);
    if (survives) {
        assert_true(problem_runs(&fixture->problem, device));
        assert_int_equal(test_record_problem_count(&fixture->record) > 0, (full & 1) != 0);
    } else {
        assert_int_equal(smoe_device_layer_create(device, plan, &fixture->problem.weights, &layer),
                         SMOE_ERROR_OUT_OF_DEVICE_MEMORY);
        assert_null(layer);
        assert_int_equal(faults_alive_count() - faults_alive_pipelines(), alive);
        assert_true(test_record_has_problem(&fixture->record, ": vkAllocateMemory of "));
    }
    faults_refuse_types(0);
    test_record_clear(&fixture->record);
}

/* Every set of full types. Where the first type is full the next best has the buffers; there is no way without one that
 * the host can write. */
static void test_full_heaps(void **state)
{
    static const struct {
        faults_memory memory;
        uint32_t plain;  /* types that smoe may use */
        uint32_t needed; /* one of these must have room */
    } rows[] = {
        {FAULTS_MEMORY_DISCRETE, 7, 6},
        {FAULTS_MEMORY_INCOHERENT, 3, 3},
        {FAULTS_MEMORY_SMALL_WINDOW, 7, 2}, /* the window holds no staging buffer */
    };
    layer_fixture *fixture = *state;

    layer_fixture_needs_memory(fixture);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        smoe_device *device = layer_fixture_open(fixture, rows[i].memory);
        for (int survives = 0; survives < 2; survives++) /* the device keeps a staging buffer once it has one */
            for (uint32_t full = 0; full <= rows[i].plain; full++)
                if (((full & rows[i].needed) != rows[i].needed) == survives)
                    check_full(fixture, device, full, survives);
        layer_fixture_close(fixture, device);
    }
}

/* What the log says of a buffer that is elsewhere. */
static void test_full_heap_is_told(void **state)
{
    layer_fixture *fixture = *state;
    char line[128];

    layer_fixture_needs_memory(fixture);
    smoe_device *device = layer_fixture_open(fixture, FAULTS_MEMORY_DISCRETE);
    faults_refuse_types(1);
    assert_true(problem_runs(&fixture->problem, device));
    snprintf(line, sizeof line,
             "w1: no room for %zu bytes in memory of type 0; they are in type 1, not the device's own",
             (sizeof fixture->problem.w1 + 15) / 16 * 16);
    assert_true(test_record_has_problem(&fixture->record, line));
    test_record_clear(&fixture->record);
    faults_refuse_types(3);
    assert_true(problem_runs(&fixture->problem, device));
    assert_true(test_record_has_problem(&fixture->record, "in memory of type 0; they are in type 2"));
    test_record_clear(&fixture->record);
    faults_refuse_types(UINT32_MAX);
    assert_false(problem_runs(&fixture->problem, device));
    assert_true(test_record_has_problem(&fixture->record, "router_weight: vkAllocateMemory of "));
    assert_true(test_record_has_problem(&fixture->record, "VK_ERROR_OUT_OF_DEVICE_MEMORY"));
    test_record_clear(&fixture->record);
    layer_fixture_close(fixture, device);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

/* A device that allocates `most` bytes at once, in place of the fixture's. */
static void open_limited(layer_fixture *fixture, VkDeviceSize most)
{
    const smoe_device_desc desc = {.get_instance_proc_addr = faults_get_instance_proc_addr, .log = &fixture->log};

    assert_true(faults_reset(FAULTS_MEMORY_AS_IS));
    faults_limit_allocation(most);
    fixture->device = NULL;
    assert_int_equal(smoe_device_create(&desc, &fixture->device), SMOE_SUCCESS);
}

/* A matrix that no allocation holds comes in ranges of experts; one expert that none holds is refused, and so is a
 * workspace. */
static void test_too_large_an_allocation(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_device *shared = fixture->device;
    const VkDeviceSize w1_size = sizeof problem->w1;
    smoe_plan_desc plan = problem->plan;

    open_limited(fixture, (w1_size + 15) / 16 * 16 - 1);
    assert_true(problem_runs(problem, fixture->device));
    plan.max_tokens = 100000;
    check_create(fixture, &plan, &problem->weights, SMOE_ERROR_UNSUPPORTED, "x: ");
    layer_fixture_close(fixture, fixture->device);
    open_limited(fixture, w1_size / PROBLEM_EXPERTS - 1);
    check_create(fixture, &problem->plan, &problem->weights, SMOE_ERROR_UNSUPPORTED, "plan desc: one expert's ");
    layer_fixture_close(fixture, fixture->device);
    fixture->device = shared;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discrete_memory),
        cmocka_unit_test(test_incoherent_memory),
        cmocka_unit_test(test_small_window),
        cmocka_unit_test(test_full_heaps),
        cmocka_unit_test(test_full_heap_is_told),
        cmocka_unit_test(test_too_large_an_allocation),
    };

    return cmocka_run_group_tests_name("device memory", tests, layer_fixture_setup, layer_fixture_teardown);
}
