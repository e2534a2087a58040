/* smoe.h as an app uses it that made its own device: with nothing enabled and with everything, with its own pipeline
 * cache, its own host memory, and its own work in the same command buffer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "common/cmocka_all.h"
#include "common/record.h"
#include "faults.h"
#include "own_work.h"

typedef struct embed_fixture {
    test_problem problem, cosine;
    test_record record;
    smoe_log log;
} embed_fixture;

/* Everything smoe makes, in the order of making. */
typedef struct objects {
    smoe_context *context;
    smoe_plan *plan;
    smoe_layer *layer;
    smoe_binding *binding;
} objects;

static void create_objects(test_app *app, const smoe_context_desc *desc, const test_problem *problem, bool report,
                           objects *out)
{
    assert_int_equal(smoe_context_create(desc, &out->context), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_create(out->context, &problem->plan, &out->plan), SMOE_SUCCESS);
    assert_true(app_buffer_create(app, problem, smoe_plan_workspace_size(out->plan)));
    const smoe_layer_desc layer = app_layer_desc(app);
    const smoe_binding_desc binding = app_binding_desc(app, report);
    assert_int_equal(smoe_layer_create(out->plan, &layer, &out->layer), SMOE_SUCCESS);
    assert_int_equal(smoe_binding_create(out->plan, &binding, &out->binding), SMOE_SUCCESS);
}

static void destroy_objects(objects *all)
{
    smoe_binding_destroy(all->binding);
    smoe_layer_destroy(all->layer);
    smoe_plan_destroy(all->plan);
    smoe_context_destroy(all->context);
}

static void run(test_app *app, const objects *all, const test_problem *problem)
{
    assert_true(app_begin(app));
    assert_int_equal(smoe_forward(app->commands, all->layer, all->binding, &problem->params, NULL), SMOE_SUCCESS);
    assert_true(app_submit(app));
}

static void check_quiet(embed_fixture *fixture, const test_app *app)
{
    const uint32_t problems = test_record_problem_count(&fixture->record);

    if (problems)
        test_record_print(&fixture->record);
    assert_int_equal(problems, 0);
    assert_int_equal(app->message_count, 0);
}

static void run_on_device(embed_fixture *fixture, app_features features, uint32_t wanted_capabilities,
                          uint32_t unwanted_capabilities)
{
    const test_problem *problem = &fixture->problem;
    test_app app;
    objects all = {.context = NULL};

    assert_true(app_open(&app, features));
    const smoe_context_desc desc = app_context_desc(&app, NULL, &fixture->log);
    create_objects(&app, &desc, problem, true, &all);
    const uint32_t capabilities = smoe_context_device_info(all.context)->capabilities;
    assert_int_equal(capabilities & wanted_capabilities, wanted_capabilities & app.info.capabilities);
    assert_int_equal(capabilities & unwanted_capabilities, 0);
    run(&app, &all, problem);
    assert_true(problem_is_solved(problem, app_part_data(&app, APP_Y), app_part_data(&app, APP_REPORT)));
    destroy_objects(&all);
    app_close(&app);
    check_quiet(fixture, &app);
}

static void test_nothing_enabled(void **state)
{
    run_on_device(*state, APP_NOTHING_ENABLED, 0, SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL);
}

static void test_everything_enabled(void **state)
{
    run_on_device(*state, APP_EVERYTHING_ENABLED, SMOE_CAPABILITY_ALL, 0);
}

/* Totals that the app clears, and reads when its work is done: a forward and only a routing, one after another on one
 * command buffer, of which the second leaves y alone. */
static void run_with_totals(embed_fixture *fixture, const test_problem *problem, app_features features)
{
    test_app app;
    objects all = {.context = NULL};
    smoe_totals totals;
    uint64_t expert_tokens[PROBLEM_EXPERTS];

    assert_true(app_open(&app, features));
    const smoe_context_desc desc = app_context_desc(&app, NULL, &fixture->log);
    create_objects(&app, &desc, problem, true, &all);
    smoe_binding_destroy(all.binding);
    smoe_binding_desc binding = app_binding_desc(&app, true);
    binding.totals = app.parts[APP_TOTALS];
    assert_int_equal(smoe_plan_totals_size(all.plan), app.parts[APP_TOTALS].size);
    assert_int_equal(smoe_binding_create(all.plan, &binding, &all.binding), SMOE_SUCCESS);
    for (uint32_t forwards = 1; forwards <= 5; forwards += 2) {
        memset(app_part_data(&app, APP_Y), 0xff, sizeof problem->x);
        assert_true(app_begin(&app));
        assert_int_equal(smoe_route(app.commands, all.layer, all.binding, &problem->params, NULL), SMOE_SUCCESS);
        if (forwards > 1)
            assert_int_equal(smoe_forward(app.commands, all.layer, all.binding, &problem->params, NULL), SMOE_SUCCESS);
        assert_true(app_submit(&app));
        const unsigned char *y = app_part_data(&app, APP_Y);
        for (size_t i = 0; forwards == 1 && i < sizeof problem->x; i++)
            assert_int_equal(y[i], 0xff);
        if (forwards > 1)
            assert_true(problem_is_solved(problem, app_part_data(&app, APP_Y), app_part_data(&app, APP_REPORT)));
        assert_int_equal(smoe_totals_read(app_part_data(&app, APP_TOTALS), PROBLEM_EXPERTS, &totals, expert_tokens),
                         SMOE_SUCCESS);
        assert_true(problem_has_totals(problem, forwards, &totals, expert_tokens));
    }
    destroy_objects(&all);
    app_close(&app);
    check_quiet(fixture, &app);
}

static void test_totals(void **state)
{
    embed_fixture *fixture = *state;

    run_with_totals(fixture, &fixture->problem, APP_NOTHING_ENABLED);
    run_with_totals(fixture, &fixture->problem, APP_EVERYTHING_ENABLED);
}

static void test_every_router(void **state)
{
    embed_fixture *fixture = *state;

    run_with_totals(fixture, &fixture->cosine, APP_NOTHING_ENABLED);
    run_with_totals(fixture, &fixture->cosine, APP_EVERYTHING_ENABLED);
}

/* Without a report smoe has nowhere to write one: what lies where it was must stay. */
static void test_no_report(void **state)
{
    embed_fixture *fixture = *state;
    test_app app;
    objects all = {.context = NULL};

    assert_true(app_open(&app, APP_NOTHING_ENABLED));
    const smoe_context_desc desc = app_context_desc(&app, NULL, &fixture->log);
    create_objects(&app, &desc, &fixture->problem, false, &all);
    run(&app, &all, &fixture->problem);
    assert_true(problem_is_solved(&fixture->problem, app_part_data(&app, APP_Y), NULL));
    const unsigned char *report = app_part_data(&app, APP_REPORT);
    for (VkDeviceSize i = 0; i < app.parts[APP_REPORT].size; i++)
        assert_int_equal(report[i], 0xff);
    destroy_objects(&all);
    app_close(&app);
    check_quiet(fixture, &app);
}

/* Two forwards in one command buffer, the second over what the first gave: y of the first is x of the second, with no
 * barrier of the app's in between. The result is that of two submissions. */
static void test_chain_in_one_command_buffer(void **state)
{
    embed_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    float expected[PROBLEM_ROWS];
    test_app app;
    objects all = {.context = NULL};
    smoe_binding *back = NULL;

    assert_true(app_open(&app, APP_EVERYTHING_ENABLED));
    const smoe_context_desc desc = app_context_desc(&app, NULL, &fixture->log);
    create_objects(&app, &desc, problem, false, &all);
    smoe_binding_desc swapped = app_binding_desc(&app, false);
    swapped.x = app.parts[APP_Y];
    swapped.y = app.parts[APP_X];
    assert_int_equal(smoe_binding_create(all.plan, &swapped, &back), SMOE_SUCCESS);

    run(&app, &all, problem);
    assert_true(app_begin(&app));
    assert_int_equal(smoe_forward(app.commands, all.layer, back, &problem->params, NULL), SMOE_SUCCESS);
    assert_true(app_submit(&app));
    memcpy(expected, app_part_data(&app, APP_X), sizeof expected);

    memcpy(app_part_data(&app, APP_X), problem->x, sizeof problem->x);
    assert_true(app_begin(&app));
    assert_int_equal(smoe_forward(app.commands, all.layer, all.binding, &problem->params, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_forward(app.commands, all.layer, back, &problem->params, NULL), SMOE_SUCCESS);
    assert_true(app_submit(&app));
    assert_memory_equal(app_part_data(&app, APP_X), expected, sizeof expected);
    smoe_binding_destroy(back);
    destroy_objects(&all);
    app_close(&app);
    check_quiet(fixture, &app);
}

/* The app's own dispatches write x and read y, and overwrite x after the forward has read it, all without a barrier of
 * the app's: smoe.h promises that none is needed, and synchronization validation would object. */
static void test_own_work_around_it(void **state)
{
    embed_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    test_app app;
    objects all = {.context = NULL};
    own_work work;

    assert_true(app_open(&app, APP_EVERYTHING_ENABLED));
    const smoe_context_desc desc = app_context_desc(&app, NULL, &fixture->log);
    create_objects(&app, &desc, problem, true, &all);
    assert_true(own_work_create(&app, &work));
    memset(app_part_data(&app, APP_X), 0xff, sizeof problem->x);
    float *y = app_part_data(&app, APP_Y);
    for (int i = 0; i < PROBLEM_ROWS; i++)
        y[i] = problem->x[i] / 2;
    assert_true(app_begin(&app));
    assert_true(own_work_scale(&app, &work, APP_Y, APP_X, 2));
    assert_int_equal(smoe_forward(app.commands, all.layer, all.binding, &problem->params, NULL), SMOE_SUCCESS);
    assert_true(own_work_scale(&app, &work, APP_Y, APP_X, 1));
    assert_true(app_submit(&app));
    assert_true(problem_is_solved(problem, app_part_data(&app, APP_X), app_part_data(&app, APP_REPORT)));
    own_work_destroy(&app, &work);
    destroy_objects(&all);
    app_close(&app);
    check_quiet(fixture, &app);
}

/* ---- pipeline cache ---------------------------------------------------------------------------------------------- */

static void *read_cache(const smoe_context *context, size_t *size)
{
    assert_int_equal(smoe_context_pipeline_cache(context, size, NULL), SMOE_SUCCESS);
    assert_true(*size > 0);
    void *data = malloc(*size);
    assert_non_null(data);
    assert_int_equal(smoe_context_pipeline_cache(context, size, data), SMOE_SUCCESS);
    return data;
}

static void test_pipeline_cache(void **state)
{
    embed_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    test_app app;
    objects first = {.context = NULL}, second = {.context = NULL};
    size_t size = 0;

    assert_true(app_open(&app, APP_EVERYTHING_ENABLED));
    smoe_context_desc desc = app_context_desc(&app, NULL, &fixture->log);
    create_objects(&app, &desc, problem, false, &first);
    void *cache = read_cache(first.context, &size);
    destroy_objects(&first);
    app_close(&app);
    check_quiet(fixture, &app);

    /* Another device of the same driver takes it. */
    assert_true(app_open(&app, APP_EVERYTHING_ENABLED));
    desc = app_context_desc(&app, NULL, &fixture->log);
    desc.pipeline_cache = cache;
    desc.pipeline_cache_size = size;
    create_objects(&app, &desc, problem, false, &second);
    run(&app, &second, problem);
    assert_true(problem_is_solved(problem, app_part_data(&app, APP_Y), NULL));
    destroy_objects(&second);
    app_close(&app);
    check_quiet(fixture, &app);
    free(cache);
}

/* ---- host memory ------------------------------------------------------------------------------------------------- */

static void test_allocator_gets_everything_back(void **state)
{
    embed_fixture *fixture = *state;
    test_app app;
    objects all = {.context = NULL};
    faults_heap heap;
    const smoe_allocator allocator = faults_heap_allocator(&heap);

    assert_true(app_open(&app, APP_NOTHING_ENABLED));
    const smoe_context_desc desc = app_context_desc(&app, &allocator, &fixture->log);
    create_objects(&app, &desc, &fixture->problem, true, &all);
    assert_true(heap.alive >= 4); /* one for each object, at the least */
    const uint32_t alive = heap.alive, calls = heap.calls;
    run(&app, &all, &fixture->problem);
    assert_int_equal(heap.alive, alive);
    assert_int_equal(heap.calls, calls); /* a forward allocates nothing */
    destroy_objects(&all);
    assert_int_equal(heap.alive, 0);
    app_close(&app);
    check_quiet(fixture, &app);
}

/* Contexts may share a VkDevice; the second still works when the first is gone. */
static void test_two_contexts_on_one_device(void **state)
{
    embed_fixture *fixture = *state;
    test_app app;
    objects first = {.context = NULL}, second = {.context = NULL};

    assert_true(app_open(&app, APP_NOTHING_ENABLED));
    const smoe_context_desc desc = app_context_desc(&app, NULL, &fixture->log);
    create_objects(&app, &desc, &fixture->problem, true, &first);
    assert_int_equal(smoe_context_create(&desc, &second.context), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_create(second.context, &fixture->problem.plan, &second.plan), SMOE_SUCCESS);
    const smoe_layer_desc layer = app_layer_desc(&app);
    const smoe_binding_desc binding = app_binding_desc(&app, true);
    assert_int_equal(smoe_layer_create(second.plan, &layer, &second.layer), SMOE_SUCCESS);
    assert_int_equal(smoe_binding_create(second.plan, &binding, &second.binding), SMOE_SUCCESS);
    destroy_objects(&first);
    run(&app, &second, &fixture->problem);
    assert_true(problem_is_solved(&fixture->problem, app_part_data(&app, APP_Y), app_part_data(&app, APP_REPORT)));
    destroy_objects(&second);
    app_close(&app);
    check_quiet(fixture, &app);
}

static int setup(void **state)
{
    static embed_fixture fixture;

    test_record_init(&fixture.record);
    fixture.log = test_record_log(&fixture.record);
    *state = &fixture;
    return problem_init(&fixture.problem, PROBLEM_LINEAR) && problem_init(&fixture.cosine, PROBLEM_COSINE) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_enabled),
        cmocka_unit_test(test_everything_enabled),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_every_router),
        cmocka_unit_test(test_no_report),
        cmocka_unit_test(test_chain_in_one_command_buffer),
        cmocka_unit_test(test_own_work_around_it),
        cmocka_unit_test(test_pipeline_cache),
        cmocka_unit_test(test_allocator_gets_everything_back),
        cmocka_unit_test(test_two_contexts_on_one_device),
    };

    return cmocka_run_group_tests_name("embed", tests, setup, NULL);
}
