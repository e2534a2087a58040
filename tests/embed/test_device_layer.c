/* device.h's layers: arguments, weights in either type, memory that the host reaches and memory it does not, times, repeats. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/half.h"
#include "common/random.h"
#include "common/record.h"
#include "device/device_internal.h"
#include "faults.h"
#include "problem.h"
#include "vulkan/call.h"

typedef struct layer_fixture {
    test_problem problem;
    test_record record;
    smoe_log log;
    smoe_device *device; /* one for the tests that want nothing special */
} layer_fixture;

static smoe_device *open_device(layer_fixture *fixture, faults_memory memory)
{
    const smoe_device_desc desc = {
        .selector = getenv("SMOE_TEST_DEVICE"),
        .validation = true,
        .get_instance_proc_addr = faults_get_instance_proc_addr,
        .log = &fixture->log,
    };
    smoe_device *device = NULL;

    assert_true(faults_reset(memory));
    assert_int_equal(smoe_device_create(&desc, &device), SMOE_SUCCESS);
    return device;
}

static void close_device(layer_fixture *fixture, smoe_device *device)
{
    smoe_device_destroy(device);
    if (test_record_problem_count(&fixture->record))
        test_record_print(&fixture->record);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
    faults_print_alive(0);
    assert_int_equal(faults_alive_count(), 0);
    assert_false(faults_seen_misuse());
}

static void check_failure(layer_fixture *fixture, smoe_result result, smoe_result wanted, const char *text)
{
    if (result != wanted || !test_record_has_problem(&fixture->record, text)) {
        print_error("the result is \"%s\", and the log should say \"%s\" and says:\n", smoe_result_text(result), text);
        test_record_print(&fixture->record);
    }
    assert_int_equal(result, wanted);
    assert_true(test_record_has_problem(&fixture->record, text));
    test_record_clear(&fixture->record);
}

/* ---- arguments ---------------------------------------------------------------------------------------------------------------- */

static void check_create(layer_fixture *fixture, const smoe_plan_desc *plan, const smoe_host_weights *weights, smoe_result wanted,
                         const char *text)
{
    smoe_device_layer *layer = (smoe_device_layer *)fixture; /* anything but NULL */
    const smoe_result result = smoe_device_layer_create(fixture->device, plan, weights, &layer);

    assert_null(layer);
    check_failure(fixture, result, wanted, text);
}

static void test_create_arguments(void **state)
{
    layer_fixture *fixture = *state;
    const smoe_plan_desc plan = fixture->problem.plan;
    smoe_plan_desc plain = plan;
    smoe_host_weights weights = fixture->problem.weights;
    smoe_device_layer *layer = NULL;

    assert_int_equal(smoe_device_layer_create(NULL, &plan, &weights, &layer), SMOE_ERROR_INVALID_ARGUMENT);
    check_failure(fixture, smoe_device_layer_create(fixture->device, &plan, &weights, NULL), SMOE_ERROR_INVALID_ARGUMENT, "out");
    check_create(fixture, NULL, &weights, SMOE_ERROR_INVALID_ARGUMENT, "plan");
    check_create(fixture, &plan, NULL, SMOE_ERROR_INVALID_ARGUMENT, "weights");
#define MISSING(name)                                                                   \
    do {                                                                                \
        weights = fixture->problem.weights;                                             \
        weights.name = NULL;                                                            \
        check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT,             \
                     "weights." #name " must not be NULL");                             \
    } while (0)
    MISSING(router_weight);
    MISSING(w1);
    MISSING(w2);
    MISSING(w3);
    plain.gated = false;
    weights = fixture->problem.weights;
    check_create(fixture, &plain, &weights, SMOE_ERROR_INVALID_ARGUMENT, "weights.w3 must be NULL");
    weights.w3 = NULL;
    check_create(fixture, &plain, &weights, SMOE_ERROR_INVALID_ARGUMENT, "weights.b3 must be NULL");
    weights = fixture->problem.weights;
    weights.weight_type = (smoe_type)7;
    check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT, "weight_type");
    plain = plan;
    plain.top_k = PROBLEM_EXPERTS + 1;
    check_create(fixture, &plain, &fixture->problem.weights, SMOE_ERROR_INVALID_ARGUMENT, "top_k");
    smoe_device_layer_destroy(NULL);
    assert_null(smoe_device_layer_plan(NULL));
}

static void test_forward_arguments(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_device_layer *layer = NULL;
    smoe_forward_params params = problem->params;
    float y[PROBLEM_ROWS];
    smoe_timings timings;

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_get_desc(smoe_device_layer_plan(layer))->d_model, PROBLEM_WIDTH);
    const smoe_result invalid = SMOE_ERROR_INVALID_ARGUMENT;
    assert_int_equal(smoe_device_layer_forward(NULL, &params, problem->x, y, NULL, NULL), invalid);
    check_failure(fixture, smoe_device_layer_forward(layer, NULL, problem->x, y, NULL, NULL), invalid, "params");
    check_failure(fixture, smoe_device_layer_forward(layer, &params, NULL, y, NULL, NULL), invalid, "x must");
    check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, NULL, NULL, NULL), invalid, "y must");
    params.token_count = PROBLEM_TOKENS + 1;
    check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), invalid, "token_count");
    params = problem->params;
    params.eps = -1;
    check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), invalid, "eps");
    params = problem->params;

    assert_int_equal(smoe_device_layer_logits(NULL, y), invalid);
    check_failure(fixture, smoe_device_layer_logits(layer, NULL), invalid, "logits must");
    check_failure(fixture, smoe_device_layer_logits(layer, y), invalid, "comes after");
    assert_int_equal(smoe_device_layer_repeat(NULL, &params, false, 1, &timings), invalid);
    check_failure(fixture, smoe_device_layer_repeat(layer, NULL, false, 1, &timings), invalid, "params");
    check_failure(fixture, smoe_device_layer_repeat(layer, &params, false, 1, NULL), invalid, "timings");
    check_failure(fixture, smoe_device_layer_repeat(layer, &params, false, 1, &timings), invalid, "comes after");
    params.token_count = 0;
    assert_int_equal(smoe_device_layer_forward(layer, &params, NULL, NULL, NULL, &timings), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_repeat(layer, &params, true, 1, &timings), SMOE_SUCCESS);
    params.token_count = 1;
    check_failure(fixture, smoe_device_layer_repeat(layer, &params, false, 1, &timings), invalid, "token_count");
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* ---- runs --------------------------------------------------------------------------------------------------------------------- */

/* Times are no assertions; that they are numbers, and are there where the device has timestamps, is. */
static void check_timings(const layer_fixture *fixture, const smoe_timings *timings)
{
    const bool timed = smoe_context_device_info(smoe_device_context(fixture->device))->timestamp_period > 0;

    assert_true(timings->host_total >= 0);
    assert_true(timed ? timings->device_total > 0 : timings->device_total == 0);
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        assert_true(isfinite(timings->stage[i]) && timings->stage[i] >= 0 && timings->stage[i] <= timings->device_total);
}

/* With and without a report, with and without times, fewer tokens than before, and more again: the same bits. */
static void test_calls_do_not_disturb_each_other(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_device_layer *layer = NULL;
    smoe_forward_params params = problem->params;
    smoe_timings timings[3];
    float y[PROBLEM_ROWS], again[PROBLEM_ROWS];
    uint32_t report[PROBLEM_REPORT], report_again[PROBLEM_REPORT];

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    assert_true(problem_is_solved(problem, y, NULL));
    for (int round = 0; round < 4; round++) {
        memset(again, 0xff, sizeof again);
        params.token_count = round == 1 ? 1 : PROBLEM_TOKENS;
        assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, again, round ? report : NULL, round ? timings : NULL),
                         SMOE_SUCCESS);
        if (round)
            check_timings(fixture, timings);
        if (round != 1) /* one token alone may run other kernels */
            assert_int_equal(test_compare_bits("y", PROBLEM_ROWS, again, y), 0);
    }
    assert_true(problem_is_solved(problem, again, report));

    for (int with_report = 0; with_report < 2; with_report++) {
        assert_int_equal(smoe_device_layer_repeat(layer, &params, with_report, 3, timings), SMOE_SUCCESS);
        for (int i = 0; i < 3; i++)
            check_timings(fixture, &timings[i]);
    }
    assert_int_equal(smoe_device_layer_repeat(layer, &params, true, 0, timings), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, again, report_again, NULL), SMOE_SUCCESS);
    assert_int_equal(test_compare_bits("y", PROBLEM_ROWS, again, y), 0);
    assert_int_equal(test_compare_bits("report", PROBLEM_REPORT, report_again, report), 0);
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* The logits are those of the last forward: none after one that failed, which may have left another's x behind. */
static void test_logits(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_device_layer *layer = NULL;
    smoe_forward_params params = problem->params;
    float y[PROBLEM_ROWS], logits[PROBLEM_LOGITS], again[PROBLEM_LOGITS];
    smoe_timings timings;

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, logits), SMOE_SUCCESS);
    assert_true(problem_has_logits(problem, logits));
    params.eps = -1;
    for (uint32_t tokens = 0; tokens <= 1; tokens++) {
        params.token_count = tokens;
        check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT, "eps");
        check_failure(fixture, smoe_device_layer_logits(layer, again), SMOE_ERROR_INVALID_ARGUMENT, "comes after");
        check_failure(fixture, smoe_device_layer_repeat(layer, &problem->params, false, 1, &timings), SMOE_ERROR_INVALID_ARGUMENT,
                      "comes after");
        assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
        assert_int_equal(smoe_device_layer_logits(layer, again), SMOE_SUCCESS);
        assert_int_equal(test_compare_bits("logits", PROBLEM_LOGITS, again, logits), 0);
    }
    params = problem->params;
    params.token_count = 0;
    assert_int_equal(smoe_device_layer_forward(layer, &params, NULL, NULL, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, again), SMOE_SUCCESS);
    assert_int_equal(test_compare_bits("logits of no tokens", PROBLEM_LOGITS, again, logits), 0);
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* A Vulkan error means the same to both libraries. */
static void test_errors_agree(void **state)
{
    const smoe_log none = {NULL, NULL};
    smoe_host host;

    (void)state;
    smoe_host_init(&host, NULL, NULL);
    for (int block = 0; block < 700; block++) /* extensions have a thousand values each */
        for (int i = block ? 0 : 1; i < 20; i++) {
            const VkResult result = (VkResult)(-i - (block ? 1000000000 + 1000 * (block - 1) : 0));
            assert_int_equal(smoe_helper_check(&none, result, ""), smoe_vulkan_check(&host, result, ""));
        }
    assert_int_equal(smoe_helper_check(&none, VK_ERROR_OUT_OF_POOL_MEMORY, ""), SMOE_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_int_equal(smoe_helper_check(&none, VK_SUCCESS, ""), SMOE_SUCCESS);
}

/* ---- float16 ------------------------------------------------------------------------------------------------------------------ */

static bool same_half(uint16_t a, uint16_t b)
{
    const bool nan_a = (a & 0x7fffu) > 0x7c00u, nan_b = (b & 0x7fffu) > 0x7c00u;
    return nan_a || nan_b ? nan_a && nan_b : a == b;
}

static void check_half_of(float value)
{
    const uint16_t got = smoe_helper_half_from_float(value), want = test_half_from_float(value);

    if (!same_half(got, want))
        print_error("%a: got %04x, want %04x\n", (double)value, got, want);
    assert_true(same_half(got, want));
}

/* Every half; the floats in the middle between neighbours, and those next to them; random bits. */
static void test_half_conversion(void **state)
{
    test_random random = test_random_make(test_seed(), 0x16);

    (void)state;
    for (uint32_t bits = 0; bits < 0x10000u; bits++) {
        const float value = smoe_helper_float_from_half((uint16_t)bits), want = test_half_to_float((uint16_t)bits);
        assert_true(isnan(want) ? isnan(value) : value == want && signbit(value) == signbit(want));
        assert_true(same_half(smoe_helper_half_from_float(value), (uint16_t)bits));
        if (!isfinite(value))
            continue;
        const float next = (bits & 0x7fffu) == 0x7bffu ? copysignf(65536.0f, value) : test_half_to_float((uint16_t)(bits + 1));
        const float middle = value + (next - value) / 2;
        check_half_of(middle);
        check_half_of(nextafterf(middle, INFINITY));
        check_half_of(nextafterf(middle, -INFINITY));
    }
    for (int i = 0; i < 1000000; i++) {
        const uint32_t bits = (uint32_t)test_random_bits(&random);
        float value;
        memcpy(&value, &bits, sizeof value);
        check_half_of(value);
    }
}

typedef struct half_weights {
    uint16_t w1[PROBLEM_MATRIX], w3[PROBLEM_MATRIX], w2[PROBLEM_MATRIX];
} half_weights;

static void run_with(layer_fixture *fixture, smoe_type plan_type, smoe_type host_type, const void *w1, const void *w3, const void *w2,
                     float *y)
{
    const test_problem *problem = &fixture->problem;
    smoe_plan_desc plan = problem->plan;
    smoe_host_weights weights = problem->weights;
    smoe_device_layer *layer = NULL;

    plan.weight_type = plan_type;
    weights.weight_type = host_type;
    weights.w1 = w1;
    weights.w3 = w3;
    weights.w2 = w2;
    assert_int_equal(smoe_device_layer_create(fixture->device, &plan, &weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
}

/* Whichever type the weights come in and the device keeps, the numbers are those that a caller's own conversion gives. */
static void test_weight_types(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    half_weights halves;
    static float w1[PROBLEM_MATRIX], w3[PROBLEM_MATRIX], w2[PROBLEM_MATRIX];
    float y[4][PROBLEM_ROWS];

    for (int i = 0; i < PROBLEM_MATRIX; i++) {
        w1[i] = test_half_to_float(halves.w1[i] = test_half_from_float(problem->w1[i]));
        w3[i] = test_half_to_float(halves.w3[i] = test_half_from_float(problem->w3[i]));
        w2[i] = test_half_to_float(halves.w2[i] = test_half_from_float(problem->w2[i]));
    }
    run_with(fixture, SMOE_TYPE_FLOAT16, SMOE_TYPE_FLOAT16, halves.w1, halves.w3, halves.w2, y[0]);
    run_with(fixture, SMOE_TYPE_FLOAT16, SMOE_TYPE_FLOAT32, problem->w1, problem->w3, problem->w2, y[1]);
    run_with(fixture, SMOE_TYPE_FLOAT32, SMOE_TYPE_FLOAT32, w1, w3, w2, y[2]);
    run_with(fixture, SMOE_TYPE_FLOAT32, SMOE_TYPE_FLOAT16, halves.w1, halves.w3, halves.w2, y[3]);
    assert_int_equal(test_compare_bits("float32 weights in a float16 layer", PROBLEM_ROWS, y[1], y[0]), 0);
    assert_int_equal(test_compare_bits("float16 weights in a float32 layer", PROBLEM_ROWS, y[3], y[2]), 0);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------------- */

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
    const smoe_host_weights weights = {.router_weight = values, .w1 = values + width, .w2 = values + width + matrix};
    params.token_count = tokens;
    assert_int_equal(smoe_device_layer_create(device, &plan, &weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, values + width + 2 * matrix, y, NULL, NULL), SMOE_SUCCESS);
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
    smoe_device *device = open_device(fixture, memory);
    smoe_device_handles handles;

    assert_int_equal(smoe_device_get_handles(device, &handles), SMOE_SUCCESS);
    if (!faults_can_change_memory(handles.physical_device)) {
        close_device(fixture, device);
        print_message("this device's memory cannot be made to look otherwise\n");
        skip();
    }
    assert_true(problem_runs(&fixture->problem, device));
    if (memory == FAULTS_MEMORY_DISCRETE) {
        /* 17 MB of weights, then 17 MB of x and of y, with a last chunk of an odd size. */
        check_same_large(fixture->device, device, 2081, 2081, 1);
        check_same_large(fixture->device, device, 61, 1, 70001);
    }
    close_device(fixture, device);
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

static void test_too_large_an_allocation(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_device *shared = fixture->device;
    const VkDeviceSize w1_size = sizeof problem->w1;

    assert_true(faults_reset(FAULTS_MEMORY_AS_IS));
    faults_limit_allocation((w1_size + 15) / 16 * 16 - 1);
    const smoe_device_desc desc = {.get_instance_proc_addr = faults_get_instance_proc_addr, .log = &fixture->log};
    fixture->device = NULL;
    assert_int_equal(smoe_device_create(&desc, &fixture->device), SMOE_SUCCESS);
    check_create(fixture, &problem->plan, &problem->weights, SMOE_ERROR_UNSUPPORTED, "w1: ");
    close_device(fixture, fixture->device);
    fixture->device = shared;
}

/* ---- fixture ------------------------------------------------------------------------------------------------------------------ */

static int setup(void **state)
{
    static layer_fixture fixture;

    test_record_init(&fixture.record);
    fixture.log = test_record_log(&fixture.record);
    const smoe_device_desc desc = {.selector = getenv("SMOE_TEST_DEVICE"), .validation = true, .log = &fixture.log};
    *state = &fixture;
    return problem_init(&fixture.problem) && smoe_device_create(&desc, &fixture.device) == SMOE_SUCCESS ? 0 : -1;
}

static int teardown(void **state)
{
    layer_fixture *fixture = *state;

    smoe_device_destroy(fixture->device);
    test_record_print(&fixture->record);
    return test_record_problem_count(&fixture->record) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_arguments),
        cmocka_unit_test(test_forward_arguments),
        cmocka_unit_test(test_calls_do_not_disturb_each_other),
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_errors_agree),
        cmocka_unit_test(test_half_conversion),
        cmocka_unit_test(test_weight_types),
        cmocka_unit_test(test_discrete_memory),
        cmocka_unit_test(test_incoherent_memory),
        cmocka_unit_test(test_small_window),
        cmocka_unit_test(test_too_large_an_allocation),
    };

    return cmocka_run_group_tests_name("device layer", tests, setup, teardown);
}
