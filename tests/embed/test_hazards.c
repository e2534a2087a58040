/* Synchronization validation finds hazards between shaders where the runner asks the layer to look into them
 * (tests/environments.py). A layer that no longer knew the setting would stay silent, and the other tests would pass
 * unchecked. What is recorded here is never submitted. */
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/system.h"
#include "own_work.h"

typedef struct dispatches {
    app_part from[2], to[2]; /* of the first and the second */
    bool barrier;            /* between them */
    const char *hazard;      /* NULL for none, and no other message */
} dispatches;

static void check(const test_problem *problem, const dispatches *wanted)
{
    const VkMemoryBarrier written = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
    };
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    test_app app;
    own_work work;

    assert_true(app_open(&app, APP_NOTHING_ENABLED));
    assert_true(app_buffer_create(&app, problem, sizeof problem->x));
    assert_true(own_work_create(&app, &work));
    assert_true(app_begin(&app));
    for (int i = 0; i < 2; i++) {
        if (i > 0 && wanted->barrier)
            vkCmdPipelineBarrier(app.commands, compute, compute, 0, 1, &written, 0, NULL, 0, NULL);
        assert_true(own_work_scale(&app, &work, wanted->from[i], wanted->to[i], 2));
    }
    assert_int_equal(vkEndCommandBuffer(app.commands), VK_SUCCESS);
    own_work_destroy(&app, &work);
    app_close(&app);
    assert_int_equal(app.message_count, wanted->hazard ? 1 : 0);
    if (wanted->hazard && !strstr(app.last_message, wanted->hazard))
        fail_msg("no %s: %s", wanted->hazard, app.last_message);
}

/* Not where the layer sees no more than it does by itself: Debian 12's takes no such setting, and misses write after
 * write; newer ones then look at no storage buffer. */
static void check_hazard(const test_problem *problem, const dispatches *wanted)
{
    if (!test_layer_looks_into_shaders() || !test_validates()) {
        print_message(
            TEST_LOOKS_INTO_SHADERS
            " is not set, as it is with a driver of tests/drivers, or the runner reads the layer's messages\n");
        skip();
    }
    print_message("a hazard on purpose:\n");
    check(problem, wanted);
}

static void test_read_after_write(void **state)
{
    check_hazard(*state,
                 &(dispatches){.from = {APP_X, APP_Y}, .to = {APP_Y, APP_WORKSPACE}, .hazard = "READ_AFTER_WRITE"});
}

static void test_write_after_write(void **state)
{
    check_hazard(*state, &(dispatches){.from = {APP_X, APP_X}, .to = {APP_Y, APP_Y}, .hazard = "WRITE_AFTER_WRITE"});
}

static void test_barrier(void **state)
{
    check(*state, &(dispatches){.from = {APP_X, APP_Y}, .to = {APP_Y, APP_WORKSPACE}, .barrier = true});
    check(*state, &(dispatches){.from = {APP_X, APP_X}, .to = {APP_Y, APP_Y}, .barrier = true});
}

static int setup(void **state)
{
    static test_problem problem;

    *state = &problem;
    return problem_init(&problem, PROBLEM_LINEAR) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_after_write),
        cmocka_unit_test(test_write_after_write),
        cmocka_unit_test(test_barrier),
    };

    return cmocka_run_group_tests_name("hazards", tests, setup, NULL);
}
