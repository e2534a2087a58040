/* The core API against the reference, over the case table. The workspace of one forward is read back, and every stage
 * is judged on what the device's own earlier stages gave it; then y and the report on what the whole layer must give.
 * The devices of case_devices share the table: each runs only some of its rows, and together they show what the whole
 * table shows. */
#include <stdio.h>

#include "case_cover.h"
#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"

static size_t check_whole(const stage_run *run, check_tally *tally)
{
    const layer_output output = stage_run_output(run);

    return check_output(run->data, &run->data->ref_params, &output, tally);
}

static bool check_row(test_gpu *gpu, plan_keeper *keeper, const layer_case *shape, check_tally *tally)
{
    case_data data;
    stage_run run;
    size_t wrong = 1;

    if (!case_data_create(&data, shape, test_seed()))
        return false;
    if (stage_run_create(&run, gpu, keeper, &data)) {
        if (run.shape.pass_tokens < shape->tokens) {
            fprintf(stderr, "    the workspace holds the last pass only: %u of %u tokens\n", run.shape.pass_tokens,
                    shape->tokens);
        } else {
            size_t (*const checks[])(const stage_run *) = {check_route_project, check_route_logits, check_route_group,
                                                           check_route_select,  check_sort,         check_latent_down,
                                                           check_expert_up,     check_expert_down,  check_latent_sum,
                                                           check_latent_up,     check_combine};
            wrong = 0;
            for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !wrong; i++)
                wrong = checks[i](&run);
            wrong = wrong ? wrong : check_whole(&run, tally);
        }
    }
    if (wrong)
        case_print(&data);
    stage_run_destroy(&run, gpu);
    case_data_destroy(&data);
    return wrong == 0;
}

static void test_table(void **state)
{
    const test_device *device = *state;
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    smoe_device_info devices[CASE_DEVICES_MOST];
    uint32_t at, failed = 0, checked = 0;
    check_tally tally = {0};
    case_cover cover;
    test_gpu gpu;

    const cover_wish wish = cover_wish_of_table(smoe_context_device_info(keeper.context), devices, &at);
    assert_true(case_cover_create(&cover, &wish));
    assert_true(test_gpu_open(&gpu, device->device));
    for (uint32_t i = 0; i < layer_case_count; i++) {
        if (!test_everything() && !case_cover_has(&cover, at, i))
            continue;
        failed += !check_row(&gpu, &keeper, &layer_cases[i], &tally);
        checked++;
    }
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
    case_cover_destroy(&cover);
    print_message("%u of %u cases, %llu tokens, %llu of them excused as ambiguous\n", checked, layer_case_count,
                  (unsigned long long)tally.tokens, (unsigned long long)tally.excused);
    assert_int_equal(failed, 0);
    assert_true(tally.excused * 200 <= tally.tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_table, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("stages", tests, test_device_setup, test_device_teardown);
}
