/* Weights that an upload rounds to types with scales, or reads of them. tests/weights/test_upload_threads.c has those
 * of files' formats. */
#include <math.h>
#include <string.h>

#include "cases.h"
#include "common/blocks.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "layer_runner.h"
#include "refusal.h"

enum { WIDTH = 256 };

static void run_case(layer_runner *runner, const case_data *data, smoe_matrix_types types,
                     const smoe_host_weights *weights, float *y)
{
    smoe_plan_desc plan = data->plan;
    plan.types = types;
    run_layer(runner, &plan, weights, &data->params, data->x, y);
}

/* A tensor of floats as smoe_weights_pack rounds it, and back, with the factor. */
static void round_tensor(const smoe_layer_tensor *tensor, smoe_type type, const float *from, unsigned char *stored,
                         float *floats)
{
    const uint32_t last = tensor->axis_count - 1, rows = tensor->shape[last - 1], columns = tensor->shape[last];
    const uint32_t count = (uint32_t)(tensor->element_count / rows / columns);
    smoe_weights_layout layout;

    assert_true(smoe_weights_layout_get(type, rows, columns, &layout));
    for (uint32_t i = 0; i < count; i++) {
        const size_t size = (size_t)rows * columns, first = i * size;
        unsigned char *const matrix = stored + i * layout.size;
        smoe_weights_rows all;
        assert_true(smoe_weights_rows_get(type, rows, columns, matrix, &all));
        all.factor = smoe_weights_factor(type, from + first, SMOE_TYPE_FLOAT32, size);
        assert_int_equal(smoe_weights_pack(&all, from + first, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
        assert_int_equal(smoe_weights_unpack(floats + first, &all), SMOE_SUCCESS);
        for (size_t k = 0; k < size; k++)
            floats[first + k] *= all.factor;
        if (layout.factor_offset)
            memcpy(matrix + layout.factor_offset, &all.factor, sizeof all.factor);
    }
}

/* Floats that are rounded at the upload give what the host's rounding gives, and so do stored weights that are uploaded
 * to a plan of float32 or of another type with scales: both by way of float32. */
static void test_conversions(void **state)
{
    enum { T = 3, D = 160, H = 96, MOST = 3 * D * H };
    static float floats[8][MOST], unwanted[MOST], want[T * D], got[T * D];
    static unsigned char stored[8][2 * MOST], again[8][2 * MOST];
    static const smoe_matrix_types wide = SMOE_TYPES(SMOE_TYPE_FLOAT32);
    static const smoe_matrix_types types = {SMOE_TYPE_MXFP4, SMOE_TYPE_Q4, SMOE_TYPE_Q8,
                                            SMOE_TYPE_FP8,   SMOE_TYPE_Q8, SMOE_TYPE_NVFP4};
    static const smoe_matrix_types others = {SMOE_TYPE_Q8, SMOE_TYPE_NVFP4, SMOE_TYPE_NVFP4,
                                             SMOE_TYPE_Q4, SMOE_TYPE_MXFP4, SMOE_TYPE_Q4};
    const layer_case shape = {.name = "conversion",
                              .tokens = T,
                              .d_model = D,
                              .d_hidden = H,
                              .expert_count = 3,
                              .top_k = 2,
                              .gated = true,
                              .activation = SMOE_ACTIVATION_SILU,
                              .shared_hidden = 64,
                              .d_latent = 128};
    layer_runner runner = runner_of(state);
    smoe_layer_tensor tensor, other;
    case_data data;

    assert_true(case_data_create(&data, &shape, test_seed()));
    smoe_host_weights host = data.weights, rounded = data.weights, twice = data.weights;
    smoe_plan_desc plan = data.plan, other_plan = data.plan;
    plan.types = types;
    other_plan.types = others;
    for (uint32_t i = 0, k = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        if (!tensor.matrix || !smoe_layer_tensor_get(&other_plan, i, &other))
            continue;
        const float *from = smoe_host_weights_get(&data.weights, &tensor).data;
        round_tensor(&tensor, tensor.type, from, stored[k], floats[k]);
        round_tensor(&tensor, other.type, floats[k], again[k], unwanted);
        smoe_host_weights_set(&host, &tensor, (smoe_host_weight){stored[k], tensor.type});
        smoe_host_weights_set(&rounded, &tensor, (smoe_host_weight){floats[k], SMOE_TYPE_FLOAT32});
        smoe_host_weights_set(&twice, &tensor, (smoe_host_weight){again[k++], other.type});
    }
    run_case(&runner, &data, types, &host, want);
    run_case(&runner, &data, types, &data.weights, got);
    assert_int_equal(test_compare_bits("y of weights rounded at the upload", T * D, got, want), 0);
    run_case(&runner, &data, wide, &rounded, want);
    run_case(&runner, &data, wide, &host, got);
    assert_int_equal(test_compare_bits("y of stored weights in a float32 plan", T * D, got, want), 0);
    run_case(&runner, &data, others, &twice, want);
    run_case(&runner, &data, others, &host, got);
    assert_int_equal(test_compare_bits("y of stored weights in a plan of other types", T * D, got, want), 0);
    smoe_device_layer_destroy(runner.last);
    case_data_destroy(&data);
}

enum { LONG_ROWS = 2199, LONG_MOST = 528 * LONG_ROWS };

/* Rounds a long matrix of the type, and gives its weights, times its factor. */
static void store_long(smoe_type type, uint32_t columns, const float *from, unsigned char *stored, float *rounded)
{
    smoe_weights_layout layout;
    smoe_weights_rows rows;
    assert_true(smoe_weights_layout_get(type, LONG_ROWS, columns, &layout) && layout.size <= 2 * LONG_MOST);
    memset(stored, 0, (size_t)layout.size);
    assert_true(smoe_weights_rows_get(type, LONG_ROWS, columns, stored, &rows));
    const float factor = smoe_weights_factor(type, from, SMOE_TYPE_FLOAT32, (uint64_t)LONG_ROWS * columns);
    rows.factor = factor;
    assert_int_equal(smoe_weights_pack(&rows, from, SMOE_TYPE_FLOAT32), SMOE_SUCCESS);
    assert_int_equal(smoe_weights_unpack(rounded, &rows), SMOE_SUCCESS);
    for (uint32_t i = 0; i < LONG_ROWS * columns; i++)
        rounded[i] *= factor;
    if (layout.factor_offset)
        memcpy(stored + layout.factor_offset, &factor, sizeof factor);
}

/* A matrix of more rows than are converted at a time, the last of which are no whole block, or do not end at the same
 * place of 16 bytes as the matrix. */
static void check_long(layer_runner *runner, smoe_type type, uint32_t columns)
{
    enum { T = 2, MOST = LONG_MOST / LONG_ROWS };
    static float router[MOST], w1[LONG_MOST], w2[LONG_MOST], rounded[LONG_MOST], x[T * MOST], want[T * MOST],
        got[T * MOST];
    static unsigned char stored[2 * LONG_MOST];
    const smoe_plan_desc plan = {.d_model = columns,
                                 .d_hidden = LONG_ROWS,
                                 .expert_count = 1,
                                 .top_k = 1,
                                 .max_tokens = T,
                                 .min_tokens = T,
                                 .types = {.up = type}};
    smoe_plan_desc wide = plan;
    smoe_host_weights weights = {.router_weight = router, .w1 = {w1, SMOE_TYPE_FLOAT32}, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    smoe_forward_params params = smoe_forward_defaults();
    test_random random = test_random_make(test_seed(), 7);

    for (uint32_t i = 0; i < LONG_MOST; i++) {
        w1[i] = test_random_uniform(&random, -1, 1);
        w2[i] = test_random_uniform(&random, -1, 1);
    }
    for (uint32_t i = 0; i < T * columns; i++)
        x[i] = test_random_uniform(&random, -1, 1);
    store_long(type, columns, w1, stored, rounded);
    params.token_count = T;
    run_layer(runner, &plan, &weights, &params, x, got);
    weights.w1 = (smoe_host_weight){stored, type};
    run_layer(runner, &plan, &weights, &params, x, want);
    assert_int_equal(test_compare_bits("y of tiles rounded at the upload", T * columns, got, want), 0);
    wide.types.up = SMOE_TYPE_FLOAT32;
    run_layer(runner, &wide, &weights, &params, x, got);
    weights.w1 = (smoe_host_weight){rounded, SMOE_TYPE_FLOAT32};
    run_layer(runner, &wide, &weights, &params, x, want);
    assert_int_equal(test_compare_bits("y of tiles unpacked at the upload", T * columns, got, want), 0);
}

static void test_long_conversion(void **state)
{
    layer_runner runner = runner_of(state);
    check_long(&runner, SMOE_TYPE_FP8, 513);
    check_long(&runner, SMOE_TYPE_NVFP4, 528);
    smoe_device_layer_destroy(runner.last);
}

/* Matrices of a type that nothing is rounded to, in a plan of float32: their values times their factors. */
static void test_from_files(void **state)
{
    enum { T = 3, E = 2, COUNT = E * WIDTH * WIDTH };
    static float floats[COUNT], router[E * WIDTH], w2[COUNT], x[T * WIDTH], want[T * WIDTH], got[T * WIDTH];
    static unsigned char stored[2 * COUNT];
    const smoe_plan_desc plan = {
        .d_model = WIDTH, .d_hidden = WIDTH, .expert_count = E, .top_k = 2, .max_tokens = T, .min_tokens = T};
    smoe_host_weights weights = {.router_weight = router, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    layer_runner runner = runner_of(state);
    smoe_forward_params params = smoe_forward_defaults();
    test_random random = test_random_make(test_seed(), 8);

    for (uint32_t i = 0; i < COUNT; i++)
        w2[i] = test_random_uniform(&random, -1, 1);
    for (uint32_t i = 0; i < T * WIDTH; i++)
        x[i] = test_random_uniform(&random, -1, 1);
    params.token_count = T;
    for (smoe_type type = 0; smoe_type_name(type); type++) {
        float factors[E];
        if (!smoe_type_has_scales(type))
            continue;
        test_blocks_fill(type, E, WIDTH, WIDTH, 1, &random, stored, floats, factors);
        for (uint32_t i = 0; i < COUNT; i++)
            floats[i] *= factors[i / WIDTH / WIDTH];
        weights.w1 = (smoe_host_weight){floats, SMOE_TYPE_FLOAT32};
        run_layer(&runner, &plan, &weights, &params, x, want);
        weights.w1 = (smoe_host_weight){stored, type};
        run_layer(&runner, &plan, &weights, &params, x, got);
        assert_int_equal(test_compare_bits(smoe_type_name(type), T * WIDTH, got, want), 0);
    }
    smoe_device_layer_destroy(runner.last);
}

/* What a type does not hold is refused by name. */
static void test_refused(void **state)
{
    test_device *device = *state;
    static float router[WIDTH], w[32 * WIDTH]; /* of the widest layer */
    smoe_plan_desc plan = {
        .d_model = 32, .d_hidden = 32, .expert_count = 1, .top_k = 1, .max_tokens = 1, .types = {.up = SMOE_TYPE_Q8}};
    const smoe_host_weights weights = {
        .router_weight = router, .w1 = {w, SMOE_TYPE_FLOAT32}, .w2 = {w, SMOE_TYPE_FLOAT32}};
    smoe_device_layer *layer;

    w[5 * 32 + 7] = INFINITY;
    REFUSED_AS(&device->record, SMOE_ERROR_UNSUPPORTED,
               "weights.w1: matrix 0: has an element that q8 does not hold, in rows 0 .. 31",
               smoe_device_layer_create(device->device, &plan, &weights, &layer));
    plan.d_model = 48;
    REFUSED(&device->record, "plan desc.d_model: 48, must be a multiple of 32, the elements of a block of q8",
            smoe_device_layer_create(device->device, &plan, &weights, &layer));
    plan.d_model = WIDTH + 32;
    plan.types.up = SMOE_TYPE_Q4_K;
    REFUSED(&device->record,
            "plan desc.d_model: 288, must be a multiple of 256, the elements of a second scale of q4_k",
            smoe_device_layer_create(device->device, &plan, &weights, &layer));
    plan.d_model = WIDTH;
    REFUSED_AS(&device->record, SMOE_ERROR_UNSUPPORTED,
               "weights.w1.type: float32, must be q4_k like the plan's, which nothing is rounded to",
               smoe_device_layer_create(device->device, &plan, &weights, &layer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_conversions, test_device_check),
        cmocka_unit_test_teardown(test_long_conversion, test_device_check),
        cmocka_unit_test_teardown(test_from_files, test_device_check),
        cmocka_unit_test_teardown(test_refused, test_device_check),
        cmocka_unit_test(test_device_closes),
    };
    return cmocka_run_group_tests_name("scales at the upload", tests, test_device_setup, test_device_teardown);
}
