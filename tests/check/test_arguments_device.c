/* Every wrong argument of the functions of device.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "common/cmocka_all.h"
#include "refusal.h"

static void *const garbage = (void *)(uintptr_t)8; /* what an output must not keep */

static void *half_allocate(void *user, size_t size)
{
    (void)user;
    (void)size;
    return NULL;
}

static void test_list(void **state)
{
    test_record record;
    uint32_t count = 0;

    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    REFUSED(&record, "count", smoe_device_list(NULL, &log, NULL, NULL));
    assert_int_equal(smoe_device_list(NULL, NULL, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_device_list(NULL, &log, &count, NULL), SMOE_SUCCESS);
    assert_true(count > 0);
    smoe_device_info *infos = test_calloc(count, sizeof *infos);
    uint32_t few = 0;
    assert_int_equal(smoe_device_list(NULL, &log, &few, infos), SMOE_SUCCESS);
    assert_int_equal(few, 0);
    few = count + 3; /* more than there are: *count becomes the number written */
    smoe_device_info *many = test_calloc(few, sizeof *many);
    assert_int_equal(smoe_device_list(NULL, &log, &few, many), SMOE_SUCCESS);
    assert_int_equal(few, count);
    test_free(infos);
    test_free(many);
}

static void test_create(void **state)
{
    static const smoe_allocator half = {.allocate = half_allocate};
    test_record record;
    smoe_device *device = garbage;

    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const smoe_device_desc good = {.log = &log};
#define REFUSE_DEVICE(field, value, result, name)                             \
    do {                                                                      \
        smoe_device_desc bad = good;                                          \
        bad.field = value;                                                    \
        device = garbage;                                                     \
        REFUSED_AS(&record, result, name, smoe_device_create(&bad, &device)); \
        assert_null(device);                                                  \
    } while (0)
    REFUSE_DEVICE(selector, "", SMOE_ERROR_INVALID_ARGUMENT, "selector");
    REFUSE_DEVICE(selector, "4294967295", SMOE_ERROR_NO_DEVICE, "4294967295");
    REFUSE_DEVICE(selector, "99999999999999999999", SMOE_ERROR_NO_DEVICE, "99999999999999999999");
    REFUSE_DEVICE(selector, "no such device", SMOE_ERROR_NO_DEVICE, "no such device");
    REFUSE_DEVICE(selector, "00000000000000000000000000000001", SMOE_ERROR_NO_DEVICE,
                  "00000000000000000000000000000001");
    REFUSE_DEVICE(masked_capabilities, 1u << 30, SMOE_ERROR_INVALID_ARGUMENT, "masked_capabilities");
    REFUSE_DEVICE(pipeline_cache_size, 8, SMOE_ERROR_INVALID_ARGUMENT, "pipeline_cache");
    REFUSE_DEVICE(allocator, &half, SMOE_ERROR_INVALID_ARGUMENT, "allocator");
#undef REFUSE_DEVICE
    REFUSED(&record, "out", smoe_device_create(&good, NULL));
    assert_int_equal(smoe_device_create(NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_device_create(NULL, &device), SMOE_SUCCESS);
    assert_int_equal(smoe_device_validation_count(device), 0);
    smoe_device_destroy(device);
    smoe_device_destroy(NULL);
}

static void test_getters(void **state)
{
    test_device *device = *state;
    smoe_device_handles handles;

    REFUSED(&device->record, NULL, smoe_device_get_handles(NULL, &handles));
    REFUSED(&device->record, "out", smoe_device_get_handles(device->device, NULL));
    assert_null(smoe_device_context(NULL));
    assert_int_equal(smoe_device_validation_count(NULL), 0);
    assert_null(smoe_device_layer_plan(NULL));
    smoe_device_layer_destroy(NULL);
}

#define MODEL 8

static const layer_case shape = {.name = "arguments", .tokens = 3, .d_model = MODEL, .d_hidden = 12, .expert_count = 6,
                                 .top_k = 2, .max_active = 4, .gated = true, .biases = BIAS_ALL};

static void refuse_layer(test_device *device, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                         const char *name)
{
    smoe_device_layer *out = garbage;

    REFUSED(&device->record, name, smoe_device_layer_create(device->device, plan, weights, &out));
    assert_null(out);
}

static void test_layer_create(void **state)
{
    test_device *device = *state;
    smoe_device_layer *out = garbage;
    case_data data;

    assert_true(case_data_create(&data, &shape, 1));
#define REFUSE_MISSING(field)                           \
    do {                                                \
        smoe_host_weights bad = data.weights;           \
        memset(&bad.field, 0, sizeof bad.field);        \
        refuse_layer(device, &data.plan, &bad, #field); \
    } while (0)
    REFUSE_MISSING(router_weight);
    REFUSE_MISSING(w1);
    REFUSE_MISSING(w3);
    REFUSE_MISSING(w2);
#undef REFUSE_MISSING
    smoe_host_weights bad = data.weights;
    bad.w2.type = (smoe_type)99;
    refuse_layer(device, &data.plan, &bad, "weights.w2.type");
    smoe_plan_desc plan = data.plan;
    plan.gated = false;
    refuse_layer(device, &plan, &data.weights, "w3");
    bad = data.weights;
    bad.w3.data = NULL;
    refuse_layer(device, &plan, &bad, "b3");
    plan = data.plan;
    plan.top_k = 7;
    refuse_layer(device, &plan, &data.weights, "top_k");
    refuse_layer(device, NULL, &data.weights, "plan");
    refuse_layer(device, &data.plan, NULL, "weights");
    REFUSED(&device->record, NULL, smoe_device_layer_create(NULL, &data.plan, &data.weights, &out));
    assert_null(out);
    REFUSED(&device->record, "out", smoe_device_layer_create(device->device, &data.plan, &data.weights, NULL));
    case_data_destroy(&data);
}

/* A weight that the plan has no place for. */
static void test_layer_superfluous(void **state)
{
    static const float ones[64] = {1};
    test_device *device = *state;
    case_data data;

    assert_true(case_data_create(&data, &shape, 1));
    smoe_layer_tensor tensor;
    uint32_t forbidden = 0;
    for (uint32_t i = 0; smoe_layer_tensor_get(&data.plan, i, &tensor); i++) {
        smoe_host_weights bad = data.weights;
        char name[64];
        if (tensor.presence != SMOE_PRESENCE_FORBIDDEN)
            continue;
        smoe_host_weights_set(&bad, &tensor, (smoe_host_weight){ones, SMOE_TYPE_FLOAT32});
        snprintf(name, sizeof name, "weights.%s must be NULL unless %s", tensor.name, tensor.condition);
        refuse_layer(device, &data.plan, &bad, name);
        forbidden++;
    }
    assert_int_equal(forbidden, 17);
    case_data_destroy(&data);
}

static void refuse_runs(test_device *device, smoe_device_layer *layer, const smoe_forward_params *params,
                        const float *x, const char *name)
{
    smoe_timings timings;
    float y[3 * MODEL];

    /* In this order, because a refused forward has taken its x already: there is nothing to repeat after it. */
    REFUSED(&device->record, name, smoe_device_layer_repeat(layer, params, false, 1, &timings));
    REFUSED(&device->record, name, smoe_device_layer_forward(layer, params, x, y, NULL, NULL));
}

static void test_layer_forward(void **state)
{
    test_device *device = *state;
    smoe_device_layer *layer;
    smoe_timings timings;
    case_data data;
    float y[3 * MODEL];

    assert_true(case_data_create(&data, &shape, 1));
    assert_int_equal(smoe_device_layer_create(device->device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
    REFUSED(&device->record, "forward", smoe_device_layer_repeat(layer, &data.params, false, 1, &timings));
    assert_int_equal(smoe_device_layer_forward(layer, &data.params, data.x, y, NULL, &timings), SMOE_SUCCESS);
    REFUSED(&device->record, NULL, smoe_device_layer_forward(NULL, &data.params, data.x, y, NULL, NULL));
    REFUSED(&device->record, "params", smoe_device_layer_forward(layer, NULL, data.x, y, NULL, NULL));
    REFUSED(&device->record, "x", smoe_device_layer_forward(layer, &data.params, NULL, y, NULL, NULL));
    REFUSED(&device->record, NULL, smoe_device_layer_repeat(NULL, &data.params, false, 1, &timings));
    REFUSED(&device->record, "params", smoe_device_layer_repeat(layer, NULL, false, 1, &timings));
    REFUSED(&device->record, "timings", smoe_device_layer_repeat(layer, &data.params, false, 1, NULL));
#define REFUSE_VALUE(field, value)                                                                             \
    do {                                                                                                       \
        smoe_forward_params bad = data.params;                                                                 \
        bad.field = value;                                                                                     \
        refuse_runs(device, layer, &bad, data.x, #field);                                                      \
        assert_int_equal(smoe_device_layer_forward(layer, &data.params, data.x, y, NULL, NULL), SMOE_SUCCESS); \
    } while (0)
    REFUSE_VALUE(token_count, 4);
    REFUSE_VALUE(eps, -1);
    REFUSE_VALUE(a, NAN);
    REFUSE_VALUE(b, 0);
    REFUSE_VALUE(max_active, 5);
    REFUSE_VALUE(temperature, 0);
    REFUSE_VALUE(tie_tolerance, INFINITY);
    REFUSE_VALUE(scale, NAN);
#undef REFUSE_VALUE
    smoe_forward_params not_looked_at = data.params;
    not_looked_at.group_eps = NAN; /* without groups */
    assert_int_equal(smoe_device_layer_forward(layer, &not_looked_at, data.x, NULL, NULL, NULL), SMOE_SUCCESS);
    smoe_forward_params none = data.params;
    none.token_count = 0;
    assert_int_equal(smoe_device_layer_forward(layer, &none, NULL, NULL, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
    case_data_destroy(&data);
}

static void test_totals_and_calibration(void **state)
{
    test_device *device = *state;
    layer_case grouped = shape;
    smoe_device_layer *layer;
    smoe_totals totals;
    case_data data;
    float eps, y[3 * MODEL];

    grouped.group_count = 3;
    grouped.top_groups = 2;
    assert_true(case_data_create(&data, &grouped, 1));
    assert_int_equal(smoe_device_layer_create(device->device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
    REFUSED(&device->record, NULL, smoe_device_layer_reset_totals(NULL));
    REFUSED(&device->record, NULL, smoe_device_layer_totals(NULL, &totals, NULL));
    REFUSED(&device->record, "out", smoe_device_layer_totals(layer, NULL, NULL));
    REFUSED(&device->record, "reset", smoe_device_layer_totals(layer, &totals, NULL));
    REFUSED(&device->record, NULL, smoe_device_layer_calibrate(NULL, &data.params, data.x, 1, &eps, NULL));
    REFUSED(&device->record, "params", smoe_device_layer_calibrate(layer, NULL, data.x, 1, &eps, NULL));
    REFUSED(&device->record, "x", smoe_device_layer_calibrate(layer, &data.params, NULL, 1, &eps, NULL));
    REFUSED(&device->record, "eps", smoe_device_layer_calibrate(layer, &data.params, data.x, 1, NULL, NULL));
    REFUSED(&device->record, "extra", smoe_device_layer_calibrate(layer, &data.params, data.x, -1, &eps, NULL));
    REFUSED(&device->record, "extra", smoe_device_layer_calibrate(layer, &data.params, data.x, NAN, &eps, NULL));
    REFUSED(&device->record, "extra", smoe_device_layer_calibrate(layer, &data.params, data.x, INFINITY, &eps, NULL));
    const float bad_group_eps[] = {-1, 0.9e-30f, 1.1e30f, INFINITY, NAN};
    for (size_t i = 0; i < sizeof bad_group_eps / sizeof *bad_group_eps; i++) {
        smoe_forward_params bad = data.params;
        bad.group_eps = bad_group_eps[i];
        REFUSED(&device->record, "group_eps", smoe_device_layer_forward(layer, &bad, data.x, y, NULL, NULL));
        REFUSED(&device->record, "group_eps", smoe_device_layer_calibrate(layer, &bad, data.x, 1, &eps, NULL));
    }
#define REFUSE_VALUE(field, value)                                                                         \
    do {                                                                                                   \
        smoe_forward_params bad = data.params;                                                             \
        bad.field = value;                                                                                 \
        REFUSED(&device->record, #field, smoe_device_layer_calibrate(layer, &bad, data.x, 1, &eps, NULL)); \
    } while (0)
    REFUSE_VALUE(token_count, 0);
    REFUSE_VALUE(token_count, 4);
    REFUSE_VALUE(temperature, 0);
    REFUSE_VALUE(tie_tolerance, -1);
    REFUSE_VALUE(scale, NAN);
#undef REFUSE_VALUE
    smoe_device_layer_destroy(layer);
    case_data_destroy(&data);
}

/* A layer whose routing is given runs once it has been, for as many tokens, and has no band to choose. */
static void test_given(void **state)
{
    test_device *device = *state;
    layer_case given = shape;
    smoe_device_layer *layer, *other;
    smoe_timings timings;
    case_data data, plain;
    float eps, y[3 * MODEL];

    given.given_count = 3;
    assert_true(case_data_create(&data, &given, 1) && case_data_create(&plain, &shape, 1));
    assert_int_equal(smoe_device_layer_create(device->device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_create(device->device, &plain.plan, &plain.weights, &other), SMOE_SUCCESS);
    REFUSED(&device->record, "given the routing of 0 tokens",
            smoe_device_layer_forward(layer, &data.params, data.x, y, NULL, NULL));
    REFUSED(&device->record, NULL, smoe_device_layer_give_routing(NULL, 3, data.given_ids, NULL));
    REFUSED(&device->record, "given_count", smoe_device_layer_give_routing(other, 3, data.given_ids, NULL));
    REFUSED(&device->record, "token_count", smoe_device_layer_give_routing(layer, 4, data.given_ids, NULL));
    REFUSED(&device->record, "ids", smoe_device_layer_give_routing(layer, 3, NULL, NULL));
    REFUSED(&device->record, "weights must be NULL", smoe_device_layer_give_routing(layer, 3, data.given_ids, data.x));
    assert_int_equal(smoe_device_layer_give_routing(layer, 2, data.given_ids, NULL), SMOE_SUCCESS);
    REFUSED(&device->record, "given the routing of 2 tokens",
            smoe_device_layer_forward(layer, &data.params, data.x, y, NULL, NULL));
    assert_int_equal(smoe_device_layer_give_routing(layer, 3, data.given_ids, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &data.params, data.x, y, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_repeat(layer, &data.params, false, 1, &timings), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_give_routing(layer, 0, NULL, NULL), SMOE_SUCCESS);
    REFUSED(&device->record, "given the routing of 0 tokens",
            smoe_device_layer_repeat(layer, &data.params, false, 1, &timings));
    REFUSED(&device->record, "given_count", smoe_device_layer_calibrate(layer, &data.params, data.x, 1, &eps, NULL));
    smoe_device_layer_destroy(layer);
    data.plan.given_weights = true;
    assert_int_equal(smoe_device_layer_create(device->device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
    REFUSED(&device->record, "weights must not be NULL",
            smoe_device_layer_give_routing(layer, 3, data.given_ids, NULL));
    assert_int_equal(smoe_device_layer_give_routing(layer, 3, data.given_ids, data.x), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
    smoe_device_layer_destroy(other);
    case_data_destroy(&plain);
    case_data_destroy(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_list, test_device_check),
        cmocka_unit_test_teardown(test_create, test_device_check),
        cmocka_unit_test_teardown(test_getters, test_device_check),
        cmocka_unit_test_teardown(test_layer_create, test_device_check),
        cmocka_unit_test_teardown(test_layer_superfluous, test_device_check),
        cmocka_unit_test_teardown(test_layer_forward, test_device_check),
        cmocka_unit_test_teardown(test_totals_and_calibration, test_device_check),
        cmocka_unit_test_teardown(test_given, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("arguments_device", tests, test_device_setup, test_device_teardown);
}
