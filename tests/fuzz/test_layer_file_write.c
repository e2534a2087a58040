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
#define REFUSED(change, text)                                                                                          \
    do {                                                                                                               \
        smoe_plan_desc good_plan = plan;                                                                               \
        smoe_forward_params good_params = params;                                                                      \
        smoe_host_weights good_weights = weights;                                                                      \
        change;                                                                                                        \
        test_record_clear(&record);                                                                                    \
        assert_int_equal(smoe_layer_file_write_layer(path, &plan, &params, &weights, NULL, NULL, &log),                \
                         SMOE_ERROR_INVALID_ARGUMENT);                                                                 \
        assert_true(test_record_problem_count(&record) == 1 && test_record_has_problem(&record, text));                \
        assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &none), SMOE_ERROR_FILE);                              \
        plan = good_plan;                                                                                              \
        params = good_params;                                                                                          \
        weights = good_weights;                                                                                        \
    } while (0)
    REFUSED(weights.w2.data = NULL, "weights.w2 must not be NULL");
    REFUSED(weights.w3.data = NULL, "weights.w3 must not be NULL where the experts are gated");
    REFUSED(weights.router_weight = weights.b1, "weights.router_weight must be NULL unless the router is linear");
    REFUSED(weights.w3.type = SMOE_TYPE_FLOAT16, "weights.w1 and weights.w3 must have one type");
    REFUSED(weights.shared_w1.type = SMOE_TYPE_FLOAT16, "weights.shared_w1 and weights.shared_w3 must have one type");
    REFUSED(weights.shared_w2.type = (smoe_type)99, "weights.shared_w2.type must be a smoe_type, is 99");
    REFUSED(params.eps = -1, "params.eps: -1, must be 0 or 1e-30 .. 1e30");
    REFUSED(params.temperature = 2, "params.temperature: 2, must be 1 unless the gate is softmax");
    REFUSED(params.tie_tolerance = -1, "params.tie_tolerance: -1, must be");
    REFUSED(plan.top_k = 9, "plan.top_k is 9, but must be 1 to expert_count, 4");
    REFUSED(plan.max_active = 1, "plan.max_active is 1");
#undef REFUSED
    smoe_layer_file_close(file);
}

/* The router of a layer, with results: read as a router, and as no layer. */
static void test_write_router(void **state)
{
    const char *path = sample_path("router");
    const float numbers[2] = {1, 2};
    const smoe_tensor good = {"expected.gap", SMOE_TENSOR_FLOAT32, 1, {2, 1, 1, 1}, numbers, sizeof numbers};
    smoe_tensor twice = good, results[SMOE_MAX_RESULTS + 1] = {good};
    smoe_plan_desc plan, again;
    smoe_forward_params params, params_again;
    smoe_host_weights weights, weights_again;
    sample_file sample;
    (void)state;
    twice.name = "router.similarity";
    sample_init_full(&sample);
    smoe_layer_file *file = sample_layer(&sample, &plan, &params, &weights), *copy;
    assert_non_null(file);
    const float *x = smoe_layer_file_tensor(file, "x")->data;
#define WRITE(results, count)                                                                                          \
    smoe_layer_file_write_router(path, &plan, &params, &weights, &(smoe_layer_inputs){.x = x}, results, count, NULL,   \
                                 NULL)
    assert_int_equal(WRITE(&good, 1), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &copy), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_layer(copy, NULL, NULL, NULL), SMOE_ERROR_FILE);
    assert_int_equal(smoe_layer_file_router(copy, &again, &params_again, &weights_again), SMOE_SUCCESS);
    assert_memory_equal(smoe_layer_file_tensor(copy, "expected.gap")->data, numbers, sizeof numbers);
    assert_null(smoe_layer_file_tensor(copy, "experts.w1"));
    assert_null(smoe_layer_file_metadata(copy, "activation"));
    assert_memory_equal(weights_again.selection_bias, weights.selection_bias, plan.expert_count * sizeof(float));
    assert_true(again.d_hidden == 0 && !again.gated && again.shared_hidden == 0 && !weights_again.w1.data);
    plan.d_hidden = plan.shared_hidden = plan.d_latent = 0; /* what a router has is as it was */
    plan.gated = plan.shared_gate = false;
    plan.activation = SMOE_ACTIVATION_IDENTITY;
    assert_memory_equal(&again, &plan, sizeof plan);
    assert_true(params_again.eps == params.eps && params_again.token_count == params.token_count);
    smoe_layer_file_close(copy);
    assert_int_equal(smoe_layer_file_layer(file, &plan, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(WRITE(results, SMOE_MAX_RESULTS + 1), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(WRITE(NULL, 1), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(WRITE(&twice, 1), SMOE_ERROR_INVALID_ARGUMENT);
    plan.top_k = 0;
    assert_int_equal(WRITE(&good, 1), SMOE_ERROR_INVALID_ARGUMENT);
#undef WRITE
    assert_int_equal(smoe_layer_file_router(NULL, NULL, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    smoe_layer_file_close(file);
}

/* What smoe_layer_file_write_layer writes is read as the same layer. */
static void test_write_layer(void **state)
{
    (void)state;
    const char *path = sample_path("written");
    for (int kind = 0; kind < 4; kind++) {
        sample_file sample;
        smoe_plan_desc plan, again;
        smoe_forward_params params, params_again;
        smoe_host_weights weights, weights_again;
        if (kind == 3)
            sample_init_given(&sample);
        else if (kind == 2)
            sample_init_full(&sample);
        else
            sample_init(&sample, kind == 1);
        smoe_layer_file *file = sample_layer(&sample, &plan, &params, &weights), *copy;
        assert_non_null(file);
        const smoe_layer_inputs inputs = sample_inputs(file);
        assert_int_equal(smoe_layer_file_write_layer(path, &plan, &params, &weights, &inputs, NULL, NULL),
                         SMOE_SUCCESS);
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
        assert_int_equal(smoe_layer_file_write_layer(path, NULL, &params, &weights, &inputs, NULL, NULL),
                         SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(smoe_layer_file_write_layer(NULL, &plan, &params, &weights, &inputs, NULL, NULL),
                         SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(smoe_layer_file_write_layer("/nowhere/at/all", &plan, &params, &weights, &inputs, NULL, NULL),
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
            assert_int_equal(smoe_layer_file_write_layer(path, &plan, &changed, &weights, &inputs, NULL, &log),
                             SMOE_ERROR_INVALID_ARGUMENT);
            assert_true(test_record_problem_count(&record) == 1 &&
                        test_record_has_problem(&record, "params.token_count is"));
            assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &copy), SMOE_ERROR_FILE); /* nothing was written */
            assert_int_equal(smoe_layer_file_write_layer(path, &plan, &changed, &weights, NULL, NULL, &log),
                             kind == 3 ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_SUCCESS); /* without what is given */
            remove(path);
        }
        smoe_plan_desc unnamed[] = {plan, plan, plan, plan};
        unnamed[0].activation = (smoe_activation)99;
        unnamed[1].gate = (smoe_gate)99;
        unnamed[2].router = (smoe_router)99;
        unnamed[3].router = (smoe_router)-1;
        for (int i = 0; i < 4; i++)
            assert_int_equal(smoe_layer_file_write_layer(path, &unnamed[i], &params, &weights, &inputs, NULL, NULL),
                             SMOE_ERROR_INVALID_ARGUMENT);
        smoe_layer_file_close(file);
    }
    remove(path);
}

/* What is given belongs to the plan. */
static void test_write_given(void **state)
{
    const char *path = sample_path("given");
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    test_record record;
    sample_file sample;
    (void)state;
    sample_init_given(&sample);
    smoe_layer_file *file = sample_layer(&sample, &plan, &params, &weights), *none;
    assert_non_null(file);
    assert_true(plan.given_count == 2 && plan.given_weights && plan.zero_experts == 1 && plan.max_tokens == 6);
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const smoe_layer_inputs good = sample_inputs(file);
#define REFUSED(change, text)                                                                                          \
    do {                                                                                                               \
        smoe_plan_desc bad_plan = plan;                                                                                \
        smoe_layer_inputs bad = good;                                                                                  \
        change;                                                                                                        \
        test_record_clear(&record);                                                                                    \
        assert_int_equal(smoe_layer_file_write_layer(path, &bad_plan, &params, &weights, &bad, NULL, &log),            \
                         SMOE_ERROR_INVALID_ARGUMENT);                                                                 \
        assert_true(test_record_problem_count(&record) == 1 && test_record_has_problem(&record, text));                \
        assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &none), SMOE_ERROR_FILE);                              \
    } while (0)
    REFUSED(bad.given_ids = NULL, "inputs.given_ids must not be NULL where the plan's given_count is 2");
    REFUSED(bad.given_weights = NULL, "inputs.given_weights must not be NULL where the plan's given_weights is true");
    REFUSED(bad_plan.given_weights = false,
            "inputs.given_weights must be NULL where the plan's given_weights is false");
    REFUSED((bad_plan.given_count = 0, bad_plan.given_weights = false),
            "inputs.given_ids must be NULL where the plan's given_count is 0");
    REFUSED(bad_plan.given_count = 4, "plan.given_count: 4, must be 0 or 2 .. 3, from k to max_active");
    REFUSED(bad_plan.zero_experts = 3, "plan.zero_experts: 3, must be less than expert_count, 3");
#undef REFUSED
    smoe_layer_file_close(file);
}

/* The matrices of a layer in types with scales. */
static void make_stored(const smoe_plan_desc *plan, smoe_host_weights *weights, unsigned char *bytes, size_t room)
{
    smoe_layer_tensor tensor;
    uint32_t value = 1;
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++) {
        if (!tensor.matrix || tensor.presence == SMOE_PRESENCE_FORBIDDEN)
            continue;
        const size_t size = (size_t)smoe_layer_tensor_size(&tensor, tensor.type, tensor.shape[0]);
        assert_true(size > 0 && size <= room);
        for (size_t k = 0; k < size; k++)
            bytes[k] = (unsigned char)((value = value * 1664525u + 1013904223u) >> 24);
        smoe_host_weights_set(weights, &tensor, (smoe_host_weight){bytes, tensor.type});
        bytes += size;
        room -= size;
    }
}

static void expect_refused(const char *path, const char *from, const char *to, smoe_result result, const char *text)
{
    FILE *file = fopen(path, "rb+");
    static char header[8192];
    test_record record;
    smoe_layer_file *changed;
    smoe_plan_desc plan;
    assert_non_null(file);
    const size_t size = fread(header, 1, sizeof header - 1, file);
    char *at = NULL;
    for (size_t i = 8; i + strlen(from) < size && !at; i++)
        at = memcmp(header + i, from, strlen(from)) == 0 ? header + i : NULL;
    assert_true(at != NULL && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
    rewind(file);
    assert_int_equal(fwrite(header, 1, size, file), size);
    fclose(file);
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    assert_int_equal(smoe_layer_file_open(path, NULL, &log, &changed), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_layer(changed, &plan, NULL, NULL), result);
    if (!test_record_has_problem(&record, text)) {
        test_record_print(&record);
        fail_msg("\"%s\" for \"%s\" is not refused by \"%s\"", to, from, text);
    }
    smoe_layer_file_close(changed);
    file = fopen(path, "rb+"); /* as it was */
    assert_non_null(file);
    memcpy(at, from, strlen(from));
    assert_int_equal(fwrite(header, 1, size, file), size);
    fclose(file);
}

/* Types with scales are written as bytes and read back: bit for bit, with the widths that no shape tells. */
static void test_stored_weights(void **state)
{
    enum { D = 64, H = 96, L = 32, S = 32, E = 3 };
    static unsigned char bytes[1 << 17];
    static float router[E * D];
    smoe_plan_desc plan = {.d_model = D,
                           .d_hidden = H,
                           .expert_count = E,
                           .top_k = 2,
                           .max_active = 3,
                           .gated = true,
                           .shared_hidden = S,
                           .max_tokens = 1,
                           .activation = SMOE_ACTIVATION_SILU,
                           .d_latent = L,
                           .types = {SMOE_TYPE_MXFP4, SMOE_TYPE_Q4, SMOE_TYPE_Q8, SMOE_TYPE_FP8, SMOE_TYPE_NVFP4,
                                     SMOE_TYPE_Q8_ZERO}},
                   read;
    smoe_host_weights weights = {.router_weight = router}, got;
    const smoe_forward_params params = smoe_forward_defaults();
    const char *path = sample_path("stored");
    smoe_layer_tensor tensor;
    smoe_layer_file *file;
    (void)state;
    make_stored(&plan, &weights, bytes, sizeof bytes);
    assert_int_equal(smoe_layer_file_write_layer(path, &plan, &params, &weights, NULL, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_layer(file, &read, NULL, &got), SMOE_SUCCESS);
    assert_true(read.d_model == D && read.d_hidden == H && read.shared_hidden == S && read.expert_count == E &&
                read.d_latent == L);
    assert_memory_equal(&read.types, &plan.types, sizeof plan.types);
    for (uint32_t i = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        const smoe_host_weight a = smoe_host_weights_get(&weights, &tensor), b = smoe_host_weights_get(&got, &tensor);
        assert_int_equal(a.data != NULL, b.data != NULL);
        assert_int_equal(a.type, b.type);
        if (a.data)
            assert_memory_equal(a.data, b.data, smoe_layer_tensor_size(&tensor, a.type, tensor.shape[0]));
    }
    smoe_layer_file_close(file);
    expect_refused(path, "\"q8\"", "\"q9\"", SMOE_ERROR_UNSUPPORTED,
                   "metadata shared.w1.type is \"q9\", but must be one of");
    expect_refused(path, "\"q4\"", "\"q8\"", SMOE_ERROR_FILE, "tensor experts.w2 is [3,");
    expect_refused(path, "\"d_hidden\"", "\"d_hiddem\"", SMOE_ERROR_FILE, "metadata d_hidden is missing");
    expect_refused(path, "\"96\"", "\"97\"", SMOE_ERROR_FILE, "tensor experts.w1 is [3,");
    expect_refused(path, "experts.w3.type", "experts.w3.typo", SMOE_ERROR_FILE, "tensor experts.w3 is [3,");
    expect_refused(path, "shared_hidden", "shared_hiddem", SMOE_ERROR_FILE, "metadata shared_hidden is missing");
    plan.d_model = 48;
    assert_int_equal(smoe_layer_file_write_layer(path, &plan, &params, &weights, NULL, NULL, NULL),
                     SMOE_ERROR_INVALID_ARGUMENT);
    remove(path);
}

static void check_stored(const char *path, const smoe_plan_desc *plan, unsigned char *bytes, size_t room)
{
    static const float router[2 * 256];
    smoe_host_weights weights = {.router_weight = router}, got;
    const smoe_forward_params params = smoe_forward_defaults();
    smoe_layer_tensor tensor;
    smoe_layer_file *file;
    smoe_plan_desc read;
    make_stored(plan, &weights, bytes, room);
    assert_int_equal(smoe_layer_file_write_layer(path, plan, &params, &weights, NULL, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_layer(file, &read, NULL, &got), SMOE_SUCCESS);
    assert_memory_equal(&read.types, &plan->types, sizeof plan->types);
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++) {
        const smoe_host_weight a = smoe_host_weights_get(&weights, &tensor), b = smoe_host_weights_get(&got, &tensor);
        if (tensor.matrix && a.data)
            assert_memory_equal(a.data, b.data, smoe_layer_tensor_size(&tensor, a.type, tensor.shape[0]));
    }
    smoe_layer_file_close(file);
}

/* Each type with scales in each place, beside another one. */
static void test_every_stored_type(void **state)
{
    enum { ROOM = 1 << 21 };
    unsigned char *bytes = test_malloc(ROOM);
    const char *path = sample_path("stored_types");
    (void)state;
    for (smoe_type type = SMOE_TYPE_MXFP4; smoe_type_name(type); type++) {
        const smoe_type other = smoe_type_name((smoe_type)(type + 1)) ? (smoe_type)(type + 1) : SMOE_TYPE_MXFP4;
        const smoe_plan_desc plan = {.d_model = 256,
                                     .d_hidden = 512,
                                     .expert_count = 2,
                                     .top_k = 1,
                                     .max_active = 2,
                                     .gated = true,
                                     .shared_hidden = 256,
                                     .max_tokens = 1,
                                     .activation = SMOE_ACTIVATION_SILU,
                                     .types = {.up = type, .down = other, .shared_up = other, .shared_down = type}};
        check_stored(path, &plan, bytes, ROOM);
    }
    /* d_hidden of a second scale that it is no multiple of */
    expect_refused(path, "\"512\"", "\"520\"", SMOE_ERROR_FILE, "tensor experts.w1 is [2,");
    remove(path);
    test_free(bytes);
}

/* Every type of weights without scales has one in files, and the way back. */
static void test_types_of_files(void **state)
{
    uint32_t count = 0;
    (void)state;
    for (smoe_type type = 0; smoe_type_name(type); type++, count++) {
        smoe_tensor_type dtype;
        smoe_type back;
        if (smoe_type_has_scales(type)) {
            assert_false(smoe_file_tensor_type(type, &dtype));
            continue;
        }
        assert_true(smoe_file_tensor_type(type, &dtype));
        assert_true(smoe_tensor_type_weights(dtype, &back) && back == type);
    }
    assert_true(count >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_router),      cmocka_unit_test(test_write_layer),
        cmocka_unit_test(test_write_refuses),     cmocka_unit_test(test_stored_weights),
        cmocka_unit_test(test_every_stored_type), cmocka_unit_test(test_types_of_files),
        cmocka_unit_test(test_write_given),
    };
    return cmocka_run_group_tests_name("written layer files", tests, NULL, NULL);
}
