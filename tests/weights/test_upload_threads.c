/* Sources given to a layer: the device's weights are those that an app's own conversion gives, on every number of
 * threads; rounding of floats too. */
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/system.h"
#include "matrix.h"

enum { WIDTH = 256, HIDDEN = 264, EXPERTS = 5, TOKENS = 6, ROUNDED = HIDDEN * WIDTH };

/* Of 128 columns and more, so that the hidden width is rows only. */
static const struct {
    smoe_weights_source source;
    bool zeros;
} formats[] = {
    {SOURCE(MXFP4, HIDDEN, WIDTH, .row_step = 2), false},
    {SOURCE(NVFP4, HIDDEN, WIDTH, .row_step = 0), false},
    {SOURCE(FP8, HIDDEN, WIDTH, GROUP(128, 128, FLOAT32)), false},
    {SOURCE(FP8, HIDDEN, WIDTH, GROUP(1, 0, FLOAT32)), false},
    {SOURCE(INT4, HIDDEN, WIDTH, GROUP(1, 64, BFLOAT16)), false},
    {SOURCE(INT8_PACKED, HIDDEN, WIDTH, GROUP(1, 64, BFLOAT16)), true},
    {SOURCE(GPTQ4, HIDDEN, WIDTH, GROUP(1, 128, FLOAT16)), true},
    {SOURCE(AWQ4, HIDDEN, WIDTH, GROUP(1, 64, FLOAT16)), true},
    {SOURCE(GGUF_Q4_K, HIDDEN, WIDTH, .row_step = 0), false},
    {SOURCE(GGUF_Q6_K, HIDDEN, WIDTH, .row_step = 0), false},
    {SOURCE(GGUF_Q5_1, HIDDEN, WIDTH, .row_step = 0), false},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

typedef struct opened {
    smoe_device *device;
    uint32_t threads;
} opened;

static opened devices[] = {{NULL, 1}, {NULL, 2}, {NULL, 7}};
enum { DEVICES = sizeof devices / sizeof devices[0] };
static test_record record;
static float router[EXPERTS * WIDTH], w2[EXPERTS * WIDTH * HIDDEN], x[TOKENS * WIDTH];

static int open_devices(void **state)
{
    test_random random = test_random_make(test_seed(), 40);
    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    for (int i = 0; i < DEVICES; i++) {
        const smoe_device_desc desc = {.selector = getenv("SMOE_TEST_DEVICE"),
                                       .validation = test_validates(),
                                       .thread_count = devices[i].threads,
                                       .log = &log};
        if (smoe_device_create(&desc, &devices[i].device) != SMOE_SUCCESS) {
            test_record_print(&record);
            return -1;
        }
    }
    for (int i = 0; i < EXPERTS * WIDTH; i++)
        router[i] = test_random_uniform(&random, -1, 1);
    for (int i = 0; i < EXPERTS * WIDTH * HIDDEN; i++)
        w2[i] = test_random_uniform(&random, -0.1f, 0.1f);
    for (int i = 0; i < TOKENS * WIDTH; i++)
        x[i] = test_random_uniform(&random, -1, 1);
    return 0;
}

static smoe_plan_desc plan_of(smoe_type up)
{
    return (smoe_plan_desc){
        .d_model = WIDTH,
        .d_hidden = HIDDEN,
        .expert_count = EXPERTS,
        .top_k = EXPERTS, /* every expert counts */
        .max_tokens = TOKENS,
        .min_tokens = TOKENS,
        .activation = SMOE_ACTIVATION_SILU,
        .types = {.up = up, .down = SMOE_TYPE_FLOAT32},
        .gated = true,
        .renormalize = true,
    };
}

static void run_layer(smoe_device *device, smoe_type up, smoe_host_weight w1, smoe_host_weight w3, float *y)
{
    const smoe_plan_desc plan = plan_of(up);
    const smoe_host_weights weights = {.router_weight = router, .w1 = w1, .w3 = w3, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    smoe_forward_params params = smoe_forward_defaults();
    smoe_device_layer *layer;
    params.token_count = TOKENS;
    if (smoe_device_layer_create(device, &plan, &weights, &layer) != SMOE_SUCCESS) {
        test_record_print(&record);
        fail_msg("no layer of %s", smoe_type_name(up));
    }
    assert_int_equal(smoe_device_layer_forward(layer, &params, x, y, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
}

/* Every expert's matrix as the device shall have it. */
static unsigned char *convert_experts(const matrix *experts)
{
    smoe_weights_layout layout;
    assert_true(smoe_weights_layout_get(experts[0].type, HIDDEN, WIDTH, &layout));
    unsigned char *stored = test_calloc(EXPERTS, (size_t)layout.size);
    for (uint32_t e = 0; e < EXPERTS; e++) {
        matrix_convert(&experts[e], stored + e * layout.size, 0, HIDDEN);
        if (layout.factor_offset)
            memcpy(stored + e * layout.size + layout.factor_offset, &experts[e].factor, sizeof(float));
    }
    return stored;
}

/* Factors that differ, so that each must find its own matrix. */
static const float multipliers[EXPERTS] = {1, 0.3f, -2, 0.125f, 5};

/* The first device, and one of the others: each compiles its own pipelines. */
static int other_device(int index)
{
    return 1 + index % (DEVICES - 1);
}

static void check_format(int index)
{
    test_random random = test_random_make(test_seed(), 41 + (uint64_t)index);
    matrix experts[EXPERTS];
    smoe_weights_source sources[EXPERTS];
    float want[TOKENS * WIDTH], y[TOKENS * WIDTH];
    for (uint32_t e = 0; e < EXPERTS; e++) {
        experts[e] = matrix_make(formats[index].source, formats[index].zeros, &random);
        matrix_make_finite(&experts[e], &random);
        if (formats[index].source.format == SMOE_FORMAT_NVFP4)
            experts[e].source.multiplier = &multipliers[e];
        matrix_choose_type(&experts[e]);
        sources[e] = experts[e].source;
    }
    const smoe_type type = experts[0].type;
    unsigned char *stored = convert_experts(experts);
    const smoe_host_weight own = {stored, type}, given = {sources, SMOE_TYPE_SOURCES};
    run_layer(devices[0].device, type, own, own, want);
    for (int i = 0; i < TOKENS * WIDTH; i++)
        assert_true(want[i] == want[i] && want[i] - want[i] == 0); /* finite: else equal bits would say little */
    for (int k = 0; k < 2; k++) {
        const int d = k == 0 ? 0 : other_device(index);
        run_layer(devices[d].device, type, given, own, y);
        if (test_compare_bits("y", TOKENS * WIDTH, y, want))
            fail_msg("%s on %u threads, seed %llu", smoe_weights_format_name(formats[index].source.format),
                     devices[d].threads, (unsigned long long)test_seed());
    }
    test_free(stored);
    for (uint32_t e = 0; e < EXPERTS; e++)
        matrix_free(&experts[e]);
}

static void test_sources(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++)
        check_format(i);
    assert_int_equal(test_record_problem_count(&record), 0);
}

static void test_rounding(void **state)
{
    static const smoe_type types[] = {SMOE_TYPE_MXFP4, SMOE_TYPE_Q4, SMOE_TYPE_Q8, SMOE_TYPE_FP8, SMOE_TYPE_NVFP4};
    static float floats[EXPERTS * ROUNDED], want[TOKENS * WIDTH], y[TOKENS * WIDTH];
    test_random random = test_random_make(test_seed(), 60);
    const smoe_host_weight given = {floats, SMOE_TYPE_FLOAT32};
    (void)state;
    for (int i = 0; i < EXPERTS * ROUNDED; i++)
        floats[i] = test_random_uniform(&random, -0.1f, 0.1f) * (float)(1 + i / ROUNDED);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (int k = 0; k < 2; k++) {
            const int d = k == 0 ? 0 : other_device((int)i);
            run_layer(devices[d].device, types[i], given, given, k == 0 ? want : y);
            if (k > 0 && test_compare_bits("y", TOKENS * WIDTH, y, want))
                fail_msg("%s on %u threads", smoe_type_name(types[i]), devices[d].threads);
        }
    assert_int_equal(test_record_problem_count(&record), 0);
}

/* The first expert whose matrix is refused is the one that the log names, whichever thread meets it. */
static void test_refused(void **state)
{
    test_random random = test_random_make(test_seed(), 61);
    matrix m = matrix_make((smoe_weights_source)SOURCE(GPTQ4, HIDDEN, WIDTH, GROUP(1, 64, FLOAT16)), true, &random);
    const int32_t act_order[WIDTH] = {3};
    const smoe_plan_desc plan = plan_of(SMOE_TYPE_Q4_ZERO);
    smoe_weights_source sources[EXPERTS];
    smoe_host_weights weights = {
        .router_weight = router, .w1 = {sources, SMOE_TYPE_SOURCES}, .w2 = {w2, SMOE_TYPE_FLOAT32}};
    (void)state;
    weights.w3 = weights.w1;
    for (int d = 0; d < DEVICES; d++)
        for (int k = 0; k < 2; k++) {
            smoe_device_layer *layer = (smoe_device_layer *)&record;
            for (uint32_t e = 0; e < EXPERTS; e++)
                sources[e] = m.source;
            for (uint32_t e = 2; e < EXPERTS; e++) {
                sources[e].group_index = (smoe_weights_array){act_order, sizeof act_order};
                sources[e].rows = k ? HIDDEN - 8 : HIDDEN;
            }
            test_record_clear(&record);
            assert_int_equal(smoe_device_layer_create(devices[d].device, &plan, &weights, &layer),
                             k ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_ERROR_UNSUPPORTED);
            assert_null(layer);
            assert_int_equal(test_record_problem_count(&record), 1);
            assert_true(test_record_has_problem(&record, k ? "weights.w1: source 2 is [256,256], must be [264,256]"
                                                           : "weights.w1: matrix 2: source.group_index"));
        }
    test_record_clear(&record);
    matrix_free(&m);
}

static void test_close(void **state)
{
    (void)state;
    for (int i = 0; i < DEVICES; i++)
        smoe_device_destroy(devices[i].device);
    assert_int_equal(test_record_problem_count(&record), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests_name("upload", tests, open_devices, NULL);
}
