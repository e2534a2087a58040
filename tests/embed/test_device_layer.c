/* device.h's layers: arguments, runs, totals, scores, times, repeats. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/random.h"
#include "common/system.h"
#include "device/device_internal.h"
#include "layer_fixture.h"

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static void test_forward_arguments(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_device_layer *layer = NULL;
    smoe_forward_params params = problem->params;
    float y[PROBLEM_ROWS];
    smoe_timings timings;

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_plan_get_desc(smoe_device_layer_plan(layer))->d_model, PROBLEM_WIDTH);
    const smoe_result invalid = SMOE_ERROR_INVALID_ARGUMENT;
    assert_int_equal(smoe_device_layer_forward(NULL, &params, problem->x, y, NULL, NULL), invalid);
    check_failure(fixture, smoe_device_layer_forward(layer, NULL, problem->x, y, NULL, NULL), invalid, "params");
    check_failure(fixture, smoe_device_layer_forward(layer, &params, NULL, y, NULL, NULL), invalid, "x must");
    params.token_count = PROBLEM_TOKENS + 1;
    check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), invalid,
                  "token_count");
    params = problem->params;
    params.eps = -1;
    check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), invalid, "eps");
    check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, NULL, NULL, NULL), invalid, "eps");
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

/* ---- runs -------------------------------------------------------------------------------------------------------- */

/* Times are no assertions; that they are numbers, and are there where the device has timestamps, is. */
static void check_timings(const layer_fixture *fixture, const smoe_timings *timings)
{
    const bool timed = smoe_context_device_info(smoe_device_context(fixture->device))->timestamp_period > 0;

    assert_true(timings->host_total >= 0);
    assert_true(timed ? timings->device_total > 0 : timings->device_total == 0);
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        assert_true(isfinite(timings->stage[i]) && timings->stage[i] >= 0 &&
                    timings->stage[i] <= timings->device_total);
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

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    assert_true(problem_is_solved(problem, y, NULL));
    for (int round = 0; round < 4; round++) {
        memset(again, 0xff, sizeof again);
        params.token_count = round == 1 ? 1 : PROBLEM_TOKENS;
        assert_int_equal(
            smoe_device_layer_forward(layer, &params, problem->x, again, round ? report : NULL, round ? timings : NULL),
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

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, logits), SMOE_SUCCESS);
    assert_true(problem_has_logits(problem, logits));
    params.eps = -1;
    for (uint32_t tokens = 0; tokens <= 1; tokens++) {
        params.token_count = tokens;
        check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL),
                      SMOE_ERROR_INVALID_ARGUMENT, "eps");
        check_failure(fixture, smoe_device_layer_logits(layer, again), SMOE_ERROR_INVALID_ARGUMENT, "comes after");
        check_failure(fixture, smoe_device_layer_repeat(layer, &problem->params, false, 1, &timings),
                      SMOE_ERROR_INVALID_ARGUMENT, "comes after");
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

/* Every router, gate and group through host arrays, with its totals: none before the first reset, then those of every
 * forward, with and without a report, of only routing and of repeats, but not of calibration. */
static void check_totals(layer_fixture *fixture, const test_problem *problem)
{
    smoe_device_layer *layer = NULL;
    float y[PROBLEM_ROWS], eps;
    uint32_t report[PROBLEM_REPORT];
    smoe_timings timings[3];
    smoe_totals totals;
    uint64_t expert_tokens[PROBLEM_EXPERTS];

    assert_int_equal(smoe_device_layer_reset_totals(NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_device_layer_totals(NULL, &totals, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer),
                     SMOE_SUCCESS);
    check_failure(fixture, smoe_device_layer_totals(layer, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT, "out must");
    check_failure(fixture, smoe_device_layer_totals(layer, &totals, expert_tokens), SMOE_ERROR_INVALID_ARGUMENT,
                  "reset_totals");
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(smoe_device_layer_reset_totals(layer), SMOE_SUCCESS);
        assert_int_equal(smoe_device_layer_totals(layer, &totals, expert_tokens), SMOE_SUCCESS);
        assert_true(problem_has_totals(problem, 0, &totals, expert_tokens));
        assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
        assert_true(problem_is_solved(problem, y, NULL));
        assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, report, timings),
                         SMOE_SUCCESS);
        assert_true(problem_is_solved(problem, y, report));
        assert_int_equal(smoe_device_layer_totals(layer, &totals, expert_tokens), SMOE_SUCCESS);
        assert_true(problem_has_totals(problem, 2, &totals, expert_tokens));
        assert_int_equal(smoe_device_layer_repeat(layer, &problem->params, round, 3, timings), SMOE_SUCCESS);
        memset(report, 0xff, sizeof report);
        assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, NULL, report, timings),
                         SMOE_SUCCESS);
        assert_true(problem_is_solved(problem, y, report));
        assert_int_equal(smoe_device_layer_calibrate(layer, &problem->params, problem->x, 0.5, &eps, NULL),
                         SMOE_SUCCESS);
        assert_int_equal(smoe_device_layer_totals(layer, &totals, expert_tokens), SMOE_SUCCESS);
        assert_int_equal(smoe_device_layer_totals(layer, &totals, NULL), SMOE_SUCCESS);
        assert_true(problem_has_totals(problem, 6, &totals, expert_tokens));
    }
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

static void test_totals(void **state)
{
    layer_fixture *fixture = *state;

    check_totals(fixture, &fixture->problem);
    check_totals(fixture, &fixture->cosine);
}

/* Without y: the same logits and report, and no expert runs, in repeats neither. */
static void test_routing_alone(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->cosine;
    const bool timed = smoe_context_device_info(smoe_device_context(fixture->device))->timestamp_period > 0;
    smoe_device_layer *layer = NULL;
    float y[PROBLEM_ROWS], logits[PROBLEM_LOGITS], again[PROBLEM_LOGITS];
    uint32_t report[PROBLEM_REPORT], report_again[PROBLEM_REPORT];
    smoe_timings timings[2];

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, report, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, logits), SMOE_SUCCESS);
    assert_true(problem_has_logits(problem, logits));
    memset(report_again, 0xff, sizeof report_again);
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, NULL, report_again, &timings[0]),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, again), SMOE_SUCCESS);
    assert_int_equal(test_compare_bits("logits", PROBLEM_LOGITS, again, logits), 0);
    assert_int_equal(test_compare_bits("report", PROBLEM_REPORT, report_again, report), 0);
    assert_int_equal(smoe_device_layer_repeat(layer, &problem->params, true, 1, &timings[1]), SMOE_SUCCESS);
    for (int i = 0; i < 2; i++) {
        check_timings(fixture, &timings[i]);
        assert_true(!timed || timings[i].stage[SMOE_STAGE_ROUTE_LOGITS] > 0);
    }
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, report_again, NULL),
                     SMOE_SUCCESS);
    assert_true(problem_is_solved(problem, y, report_again));
    assert_int_equal(test_compare_bits("report", PROBLEM_REPORT, report_again, report), 0);
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* The scores that selection ranked, in place of the logits: for sigmoid gates sigmoid(z) + selection_bias, where no
 * group lowers them. */
static void test_scores(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->cosine;
    smoe_plan_desc plan = problem->plan;
    smoe_forward_params params = problem->params;
    smoe_device_layer *layer = NULL;
    float scores[PROBLEM_LOGITS], logits[PROBLEM_LOGITS];
    double want[PROBLEM_LOGITS];

    plan.group_count = plan.top_groups = 0;
    for (int i = 0; i < PROBLEM_LOGITS; i++)
        want[i] = 1 / (1 + exp(-problem->logits[i])) + (double)problem->selection_bias[i % PROBLEM_EXPERTS];
    assert_int_equal(smoe_device_layer_create(fixture->device, &plan, &problem->weights, &layer), SMOE_SUCCESS);
    params.keep_scores = true;
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, NULL, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, scores), SMOE_SUCCESS);
    assert_int_equal(test_compare("scores", PROBLEM_LOGITS, scores, want, 1e-5), 0);
    params.keep_scores = false;
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, NULL, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, logits), SMOE_SUCCESS);
    assert_true(problem_has_logits(problem, logits));
    smoe_device_layer_destroy(layer);

    /* Hard groups: the experts of one of the three are left out. */
    params.keep_scores = true;
    params.group_eps = 0;
    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, NULL, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_logits(layer, logits), SMOE_SUCCESS);
    for (int t = 0; t < PROBLEM_TOKENS; t++) {
        int left_out = 0;
        for (int i = t * PROBLEM_EXPERTS; i < (t + 1) * PROBLEM_EXPERTS; i++) {
            left_out += logits[i] == -FLT_MAX;
            assert_true(logits[i] == -FLT_MAX || logits[i] == scores[i]);
        }
        assert_int_equal(left_out, PROBLEM_EXPERTS / PROBLEM_GROUPS);
    }
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* Many submissions leave the bits of one. */
static void test_slices(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->cosine;
    float y[2][PROBLEM_ROWS], logits[2][PROBLEM_LOGITS], eps[2];
    uint32_t report[2][PROBLEM_REPORT], routed[2][PROBLEM_REPORT];

    if (test_pieces_look_like_hazards())
        skip();
    for (int sliced = 0; sliced < 2; sliced++) {
        smoe_device_layer *layer = NULL;
        smoe_timings timings[2];
        assert_true(faults_reset(FAULTS_MEMORY_AS_IS));
        smoe_device *device = layer_fixture_open_sliced(fixture, sliced ? 3000 : 0);
        assert_int_equal(smoe_device_layer_create(device, &problem->plan, &problem->weights, &layer), SMOE_SUCCESS);
        assert_int_equal(
            smoe_device_layer_forward(layer, &problem->params, problem->x, y[sliced], report[sliced], &timings[0]),
            SMOE_SUCCESS);
        check_timings(fixture, &timings[0]);
        assert_true(problem_is_solved(problem, y[sliced], report[sliced]));
        assert_int_equal(smoe_device_layer_logits(layer, logits[sliced]), SMOE_SUCCESS);
        assert_int_equal(smoe_device_layer_repeat(layer, &problem->params, true, 2, timings), SMOE_SUCCESS);
        check_timings(fixture, &timings[1]);
        assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, NULL, routed[sliced], NULL),
                         SMOE_SUCCESS);
        assert_int_equal(
            smoe_device_layer_calibrate(layer, &problem->params, problem->x, 0.5, &eps[sliced], NULL), SMOE_SUCCESS);
        assert_int_equal(device->commands.capacity > 8, sliced);
        smoe_device_layer_destroy(layer);
        layer_fixture_close(fixture, device);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    assert_memory_equal(report[0], report[1], sizeof report[0]);
    assert_memory_equal(routed[0], routed[1], sizeof routed[0]);
    assert_memory_equal(report[0], routed[0], sizeof report[0]);
    assert_true(eps[0] == eps[1]);
}

/* Arguments of calibration; what it finds is for tests/check/test_calibrate.c. Afterwards there is no forward to look
 * back on. */
static void test_calibrate_arguments(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    const smoe_result invalid = SMOE_ERROR_INVALID_ARGUMENT;
    const double bad_budgets[] = {-1e-9, -INFINITY, INFINITY, NAN};
    smoe_forward_params params = problem->params;
    smoe_device_layer *layer = NULL;
    smoe_timings timings;
    float y[PROBLEM_ROWS], logits[PROBLEM_LOGITS], eps = -1;
    double mean = -1;

    assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &problem->weights, &layer),
                     SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_calibrate(NULL, &params, problem->x, 0.5, &eps, &mean), invalid);
    check_failure(fixture, smoe_device_layer_calibrate(layer, NULL, problem->x, 0.5, &eps, &mean), invalid,
                  "params must");
    check_failure(fixture, smoe_device_layer_calibrate(layer, &params, NULL, 0.5, &eps, &mean), invalid, "x must");
    check_failure(fixture, smoe_device_layer_calibrate(layer, &params, problem->x, 0.5, NULL, &mean), invalid,
                  "eps must");
    for (size_t i = 0; i < sizeof bad_budgets / sizeof *bad_budgets; i++)
        check_failure(fixture, smoe_device_layer_calibrate(layer, &params, problem->x, bad_budgets[i], &eps, &mean),
                      invalid, "extra is");
    params.token_count = 0;
    check_failure(fixture, smoe_device_layer_calibrate(layer, &params, problem->x, 0.5, &eps, &mean), invalid,
                  "token_count");
    params.token_count = PROBLEM_TOKENS + 1;
    check_failure(fixture, smoe_device_layer_calibrate(layer, &params, problem->x, 0.5, &eps, &mean), invalid,
                  "token_count");
    /* none of these has touched the last forward */
    assert_int_equal(smoe_device_layer_logits(layer, logits), SMOE_SUCCESS);
    assert_true(problem_has_logits(problem, logits));
    params = problem->params;
    params.tie_tolerance = -1;
    check_failure(fixture, smoe_device_layer_calibrate(layer, &params, problem->x, 0.5, &eps, &mean), invalid,
                  "tie_tolerance");
    assert_true(eps == -1 && mean == -1);
    params = problem->params;
    params.eps = params.a = params.b = NAN; /* not looked at */
    params.max_active = 77;
    assert_int_equal(smoe_device_layer_calibrate(layer, &params, problem->x, 0.5, &eps, &mean), SMOE_SUCCESS);
    assert_true(eps > 0 && mean >= 0 && mean <= 0.5);
    check_failure(fixture, smoe_device_layer_logits(layer, logits), invalid, "comes after");
    check_failure(fixture, smoe_device_layer_repeat(layer, &problem->params, false, 1, &timings), invalid,
                  "comes after");
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    assert_true(problem_is_solved(problem, y, NULL));
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* A plan with pipelines for PROBLEM_TOKENS only: fewer are refused, except none at all. */
static void test_fewest_tokens(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    const smoe_result invalid = SMOE_ERROR_INVALID_ARGUMENT;
    smoe_plan_desc plan = problem->plan;
    smoe_forward_params params = problem->params;
    smoe_device_layer *layer = NULL;
    float y[PROBLEM_ROWS], eps;

    plan.min_tokens = PROBLEM_TOKENS;
    assert_int_equal(smoe_device_layer_create(fixture->device, &plan, &problem->weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    assert_true(problem_is_solved(problem, y, NULL));
    assert_int_equal(smoe_device_layer_calibrate(layer, &params, problem->x, 0.5, &eps, NULL), SMOE_SUCCESS);
    params.token_count = PROBLEM_TOKENS - 1;
    check_failure(fixture, smoe_device_layer_forward(layer, &params, problem->x, y, NULL, NULL), invalid,
                  "token_count");
    check_failure(fixture, smoe_device_layer_calibrate(layer, &params, problem->x, 0.5, &eps, NULL), invalid,
                  "token_count");
    params.token_count = 0;
    assert_int_equal(smoe_device_layer_forward(layer, &params, NULL, NULL, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* Both libraries take a Vulkan result by one function: these have a smoe_result of their own, all others are VULKAN. */
static void test_vulkan_results(void **state)
{
    static const struct {
        VkResult vulkan;
        smoe_result result;
    } own[] = {
        {VK_ERROR_OUT_OF_HOST_MEMORY, SMOE_ERROR_OUT_OF_HOST_MEMORY},
        {VK_ERROR_OUT_OF_DEVICE_MEMORY, SMOE_ERROR_OUT_OF_DEVICE_MEMORY},
        {VK_ERROR_OUT_OF_POOL_MEMORY, SMOE_ERROR_OUT_OF_DEVICE_MEMORY},
        {VK_ERROR_FRAGMENTED_POOL, SMOE_ERROR_OUT_OF_DEVICE_MEMORY},
        {VK_ERROR_DEVICE_LOST, SMOE_ERROR_DEVICE_LOST},
    };
    test_record record;
    smoe_host host;

    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_host_init(&host, NULL, &log);
    assert_int_equal(smoe_vulkan_check(&host, VK_SUCCESS, "vkTest"), SMOE_SUCCESS);
    assert_int_equal(test_record_problem_count(&record), 0);
    for (int block = 0; block < 700; block++) /* extensions have a thousand values each */
        for (int i = block ? 0 : 1; i < 20; i++) {
            const VkResult vulkan = (VkResult)(-i - (block ? 1000000000 + 1000 * (block - 1) : 0));
            smoe_result want = SMOE_ERROR_VULKAN;
            for (size_t k = 0; k < sizeof own / sizeof own[0]; k++)
                want = own[k].vulkan == vulkan ? own[k].result : want;
            assert_int_equal(smoe_vulkan_check(&host, vulkan, "vkTest"), want);
        }
    test_record_clear(&record);
    /* no success, though it is positive */
    assert_int_equal(smoe_vulkan_check(&host, VK_TIMEOUT, "vkTest"), SMOE_ERROR_VULKAN);
    assert_true(test_record_has_problem(&record, "vkTest: VkResult 2 VK_TIMEOUT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_arguments),
        cmocka_unit_test(test_calls_do_not_disturb_each_other),
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_routing_alone),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_calibrate_arguments),
        cmocka_unit_test(test_fewest_tokens),
        cmocka_unit_test(test_vulkan_results),
    };

    return cmocka_run_group_tests_name("device layer", tests, layer_fixture_setup, layer_fixture_teardown);
}
