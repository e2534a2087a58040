/* Random bits everywhere: nothing is written outside of the buffers, and ids are experts. */
#include "case_share.h"
#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"
#include "spoilt_cases.h"

static void random_bits(test_random *random, void *values, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)values)[i] = (unsigned char)(test_random_bits(random) >> 56);
}

/* The arrays are const for the library's sake: case_data_create made them. */
static void random_weights(test_random *random, const void *values, size_t size)
{
    random_bits(random, (void *)(uintptr_t)values, size);
}

/* More of the input is random in each round: x, the experts, the router, the selection bias. */
static void spoil(test_random *random, case_data *data, int round)
{
    const smoe_host_weights *w = &data->weights;
    const size_t T = data->shape->tokens, D = data->shape->d_model, H = data->shape->d_hidden,
                 E = data->shape->expert_count;
    const size_t p = data->shape->projection_width, S = data->shape->shared_hidden,
                 element = case_weight_size(data->shape);

    random_bits(random, data->x, T * D * 4);
    if (round > 0) {
        random_weights(random, w->w1.data, E * H * D * element);
        random_weights(random, w->w2.data, E * H * D * element);
    }
    if (round > 0 && S) {
        random_weights(random, w->shared_w1.data, S * D * element);
        random_weights(random, w->shared_w2.data, S * D * element);
        random_weights(random, w->shared_gate, D * 4);
    }
    if (round > 1 && p) {
        random_weights(random, w->router_projection, p * D * 4);
        random_weights(random, w->router_similarity, p * E * 4);
        random_weights(random, w->router_log_scale, 4);
    }
    if (round > 1 && !p)
        random_weights(random, w->router_weight, E * D * 4);
    if (round > 2 && w->selection_bias)
        random_weights(random, w->selection_bias, E * 4);
}

static void expect_experts(const stage_run *run)
{
    const layer_output output = stage_run_output(run);

    for (uint32_t t = 0; t < run->data->shape->tokens; t++) {
        const uint32_t *record = output.report + (size_t)t * output.stride;
        assert_true(record[SMOE_REPORT_ACTIVE] <= run->shape.desc.max_active);
        for (uint32_t r = 0; r < record[SMOE_REPORT_ACTIVE]; r++)
            assert_true(record[SMOE_REPORT_IDS + r] < run->data->shape->expert_count);
    }
}

static void test_random_input(void **state)
{
    const test_device *device = *state;
    test_random random = test_random_make(test_seed(), 28);
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    bool runs[SPOILT_CASES];
    test_gpu gpu;

    assert_true(case_share(smoe_context_device_info(keeper.context), spoilt_cases, SPOILT_CASES, runs));
    assert_true(test_gpu_open(&gpu, device->device));
    for (size_t s = 0; s < SPOILT_CASES; s++)
        for (int round = 0; runs[s] && round < 4; round++) {
            case_data data;
            stage_run run;
            assert_true(case_data_create(&data, &spoilt_cases[s], test_seed()));
            spoil(&random, &data, round);
            const bool good = stage_run_create(&run, &gpu, &keeper, &data);
            if (!good)
                case_print(&data);
            assert_true(good);
            expect_experts(&run);
            stage_run_destroy(&run, &gpu);
            case_data_destroy(&data);
        }
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_input, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("random input", tests, test_device_setup, test_device_teardown);
}
