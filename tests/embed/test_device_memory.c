/* The memory of device.h's layers: memory that the host reaches and memory it does not, and allocations that are too
 * large. */
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
        cmocka_unit_test(test_too_large_an_allocation),
    };

    return cmocka_run_group_tests_name("device memory", tests, layer_fixture_setup, layer_fixture_teardown);
}
