/* Layers that are written as files: they come back as they are, and what the reader would refuse is not written. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "common/record.h"
#include "file/file_internal.h"
#include "sample_file.h"

/* What the reader would refuse is not written. */
static void test_write_refuses(void **state)
{
    const char *path = sample_path("refused");
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    test_record record;
    sample_file sample;
    (void)state;
    sample_init_full(&sample);
    smoe_layer_file *file = sample_layer(&sample, &plan, &params, &weights), *none;
    assert_non_null(file);
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
#define REFUSED(change, text)                                                                           \
    do {                                                                                                \
        smoe_plan_desc good_plan = plan;                                                                \
        smoe_forward_params good_params = params;                                                       \
        smoe_host_weights good_weights = weights;                                                       \
        change;                                                                                         \
        test_record_clear(&record);                                                                     \
        assert_int_equal(smoe_layer_file_write_layer(path, &plan, &params, &weights, NULL, NULL, &log), \
                         SMOE_ERROR_INVALID_ARGUMENT);                                                  \
        assert_true(test_record_problem_count(&record) == 1 && test_record_has_problem(&record, text)); \
        assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &none), SMOE_ERROR_FILE);               \
        plan = good_plan;                                                                               \
        params = good_params;                                                                           \
        weights = good_weights;                                                                         \
    } while (0)
    REFUSED(weights.w2.data = NULL, "weights.w2 must not be NULL");
    REFUSED(weights.w3.data = NULL, "weights.w3 must not be NULL where the experts are gated");
    REFUSED(weights.router_weight = weights.b1, "weights.router_weight must be NULL unless the router is linear");
    REFUSED(weights.w3.type = SMOE_TYPE_FLOAT16, "weights.w1 and weights.w3 must have one type");
    REFUSED(weights.shared_w1.type = SMOE_TYPE_FLOAT16, "weights.shared_w1 and weights.shared_w3 must have one type");
    REFUSED(weights.shared_w2.type = (smoe_type)99, "weights.shared_w2.type must be a smoe_type, is 99");
    REFUSED(params.eps = -1, "params.eps: must be 0 or 1e-30 .. 1e30");
    REFUSED(params.tie_tolerance = -1, "params.tie_tolerance: must be");
    REFUSED(plan.top_k = 9, "plan.top_k is 9, but must be 1 to expert_count, 4");
    REFUSED(plan.max_active = 1, "plan.max_active is 1");
#undef REFUSED
    smoe_layer_file_close(file);
}

/* What smoe_layer_file_write_layer writes is read as the same layer. */
static void test_write_layer(void **state)
{
    (void)state;
    const char *path = sample_path("written");
    for (int kind = 0; kind < 3; kind++) {
        sample_file sample;
        smoe_plan_desc plan, again;
        smoe_forward_params params, params_again;
        smoe_host_weights weights, weights_again;
        if (kind == 2)
            sample_init_full(&sample);
        else
            sample_init(&sample, kind == 1);
        smoe_layer_file *file = sample_layer(&sample, &plan, &params, &weights), *copy;
        assert_non_null(file);
        const float *x = smoe_layer_file_tensor(file, "x")->data;
        assert_int_equal(smoe_layer_file_write_layer(path, &plan, &params, &weights, x, NULL, NULL), SMOE_SUCCESS);
        assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &copy), SMOE_SUCCESS);
        assert_int_equal(smoe_layer_file_layer(copy, &again, &params_again, &weights_again), SMOE_SUCCESS);
        assert_memory_equal(&plan, &again, sizeof plan);
        assert_true(params.eps == params_again.eps && params.group_eps == params_again.group_eps &&
                    params.scale == params_again.scale);
        assert_true(params.temperature == params_again.temperature &&
                    params.tie_tolerance == params_again.tie_tolerance);
        const smoe_tensor *tensor;
        uint32_t count = 0;
        for (; (tensor = smoe_layer_file_tensor_at(file, count)) != NULL; count++) {
            const smoe_tensor *other = smoe_layer_file_tensor(copy, tensor->name);
            assert_non_null(other);
            assert_int_equal(other->type, tensor->type);
            assert_memory_equal(other->shape, tensor->shape, sizeof tensor->shape);
            assert_memory_equal(other->data, tensor->data, tensor->size);
        }
        assert_null(smoe_layer_file_tensor_at(copy, count));
        smoe_layer_file_close(copy);
        assert_int_equal(smoe_layer_file_write_layer(path, NULL, &params, &weights, x, NULL, NULL),
                         SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(smoe_layer_file_write_layer(NULL, &plan, &params, &weights, x, NULL, NULL),
                         SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(smoe_layer_file_write_layer("/nowhere/at/all", &plan, &params, &weights, x, NULL, NULL),
                         SMOE_ERROR_FILE);
        test_record record;
        test_record_init(&record);
        const smoe_log log = test_record_log(&record);
        const uint32_t wrong[] = {0, SMOE_MAX_TOKENS + 1, UINT32_MAX};
        remove(path);
        for (uint32_t i = 0; i < 3; i++) {
            smoe_forward_params changed = params;
            changed.token_count = wrong[i];
            test_record_clear(&record);
            assert_int_equal(smoe_layer_file_write_layer(path, &plan, &changed, &weights, x, NULL, &log),
                             SMOE_ERROR_INVALID_ARGUMENT);
            assert_true(test_record_problem_count(&record) == 1 &&
                        test_record_has_problem(&record, "params.token_count is"));
            assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &copy), SMOE_ERROR_FILE); /* nothing was written */
            assert_int_equal(smoe_layer_file_write_layer(path, &plan, &changed, &weights, NULL, NULL, &log),
                             SMOE_SUCCESS);
            remove(path);
        }
        smoe_plan_desc unnamed[] = {plan, plan, plan, plan};
        unnamed[0].activation = (smoe_activation)99;
        unnamed[1].gate = (smoe_gate)99;
        unnamed[2].router = (smoe_router)99;
        unnamed[3].router = (smoe_router)-1;
        for (int i = 0; i < 4; i++)
            assert_int_equal(smoe_layer_file_write_layer(path, &unnamed[i], &params, &weights, x, NULL, NULL),
                             SMOE_ERROR_INVALID_ARGUMENT);
        smoe_layer_file_close(file);
    }
    remove(path);
}

/* Every type of weights has one in files, and the way back. */
static void test_types_of_files(void **state)
{
    uint32_t count = 0;
    (void)state;
    for (smoe_type type = 0; smoe_type_name(type); type++, count++) {
        smoe_tensor_type dtype;
        smoe_type back;
        assert_true(smoe_file_tensor_type(type, &dtype));
        assert_true(smoe_tensor_type_weights(dtype, &back) && back == type);
    }
    assert_true(count >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_layer),
        cmocka_unit_test(test_write_refuses),
        cmocka_unit_test(test_types_of_files),
    };
    return cmocka_run_group_tests_name("written layer files", tests, NULL, NULL);
}
