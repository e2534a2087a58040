/* What limits of gated experts do with NaN and infinities (smoe_plan_desc, gate_max): a NaN stays, an infinity becomes
 * the limit. Biases bring them in behind the router, so that tokens are finite. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "cooperative.h"
#include "layer_session.h"

enum { WIDTH = 20, EXPERTS = 6 };

#define LIMITED                                                                                                        \
    .d_model = WIDTH, .d_hidden = 12, .expert_count = EXPERTS, .top_k = 2, .activation = SMOE_ACTIVATION_SILU,         \
    .gated = true, .gate_max = 1.5f, .up_limit = 1.25f, .shared_hidden = 9, .shared_gate_max = 2,                      \
    .shared_up_limit = 0.5f, .biases = BIAS_ALL, .logits = LOGITS_EXACT

/* Few rows for each expert, and many. */
static const layer_case cases[] = {
    {.name = "limits, few tokens", .tokens = 7, LIMITED, .gate_limit_after = 1, .shared_gate_limit_after = 0.75f},
    {.name = "limits, many tokens", .tokens = 70, LIMITED, .gate_alpha = 1.702f, .up_offset = 1},
    {.name = "swiglu_clamped",
     .tokens = 7,
     .d_model = WIDTH,
     .d_hidden = 12,
     .expert_count = EXPERTS,
     .top_k = 2,
     .gated = true,
     .activation = SMOE_ACTIVATION_SWIGLU_CLAMPED,
     .shared_hidden = 9,
     .biases = BIAS_ALL,
     .logits = LOGITS_EXACT},
};

static const layer_case mixed = {.name = "limits, mixed precision", .tokens = 70, LIMITED,
                                 .weight_type = SMOE_TYPE_FLOAT16, .precision = SMOE_PRECISION_FLOAT16};

/* A bias of one hidden number of an expert, what it becomes, and whether y is finite with it. */
typedef struct spoilt_bias {
    bool third;
    float value;
    bool finite;
} spoilt_bias;

static const spoilt_bias biases[EXPERTS] = {
    {false, NAN, false},     {true, NAN, false},        {false, INFINITY, true}, {true, INFINITY, true},
    {true, -INFINITY, true}, {false, -INFINITY, false}, /* -inf / (1 + exp(inf)) is silu's NaN */
};

/* Those of the shared expert, one layer each. */
static const spoilt_bias shared_biases[] = {{false, INFINITY, true}, {true, -INFINITY, true}, {true, NAN, false}};
enum { CASES = sizeof cases / sizeof cases[0], LAYERS = sizeof shared_biases / sizeof shared_biases[0] };

static void spoil(const spoilt_bias *bias, const float *b1, const float *b3)
{
    ((float *)(bias->third ? b3 : b1))[4] = bias->value;
}

static bool stays_finite(const uint32_t *record)
{
    for (uint32_t i = 0; i < record[SMOE_REPORT_ACTIVE]; i++)
        if (!biases[record[SMOE_REPORT_IDS + i]].finite)
            return false;
    return true;
}

/* Float32's and float16's roundings alike: what is asked here is which numbers are there at all. */
static void compare_token(const layer_session *session, uint32_t token, const float *y, bool finite)
{
    const float *x = session->data.x + (size_t)token * WIDTH;
    double logits[EXPERTS], want[WIDTH];
    ref_token routed;

    assert_true(ref_forward(&session->data.ref, &session->data.ref_params, x, logits, &routed, want));
    session_expect(session, isnan(want[0]) == !finite, "the reference has another opinion of what is finite");
    session_expect(session, test_compare("y", WIDTH, y, want, 0.02 * fmax(1, test_max_abs(WIDTH, want))) == 0,
                   "y of a spoilt layer");
}

static void open_layer(layer_session *session, smoe_device *device, const layer_case *shape, const spoilt_bias *shared)
{
    session_prepare(session, device, shape);
    const smoe_host_weights *weights = &session->data.weights;
    for (uint32_t e = 0; e < EXPERTS; e++)
        spoil(&biases[e], weights->b1 + e * shape->d_hidden, weights->b3 + e * shape->d_hidden);
    spoil(shared, weights->shared_b1, weights->shared_b3);
    session_create_layer(session);
}

static void check_layer(const layer_session *session, const spoilt_bias *shared)
{
    const uint32_t T = session->data.shape->tokens;
    float *y = session_rows(session, T);
    uint32_t *report = session_report(session, T), finite = 0;

    session_run(session, NULL, T, NULL, y, report);
    for (uint32_t t = 0; t < T; t++) {
        const bool good = stays_finite(report + (size_t)t * session_stride(session));
        compare_token(session, t, y + (size_t)t * WIDTH, good && shared->finite);
        finite += good;
    }
    session_expect(session, finite > 0 && finite < T, "all tokens are alike");
    free(y);
    free(report);
}

/* A layer of each case for each bias of the shared expert, all open at once: they share their pipelines. */
static void check_biases(smoe_device *device, const layer_case *shapes, uint32_t count)
{
    layer_session sessions[CASES * LAYERS];

    for (uint32_t i = 0; i < count * LAYERS; i++)
        open_layer(&sessions[i], device, &shapes[i / LAYERS], &shared_biases[i % LAYERS]);
    for (uint32_t i = 0; i < count * LAYERS; i++)
        check_layer(&sessions[i], &shared_biases[i % LAYERS]);
    for (uint32_t i = 0; i < count * LAYERS; i++)
        session_close(&sessions[i]);
}

static void test_biases(void **state)
{
    const test_device *device = *state;

    check_biases(device->device, cases, CASES);
}

/* On a device of its own: what software devices take by themselves is no cooperative kernel. */
static void test_mixed(void **state)
{
    test_device *device = *state;
    const smoe_plan_desc plan = case_plan_desc(&mixed);
    const smoe_selection_desc selection = {cooperative_info(device), &plan, mixed.tokens, 0};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];

    cooperative_need(device);
    assert_int_equal(smoe_select_kernels(&selection, choices, NULL), SMOE_SUCCESS);
    assert_non_null(strstr(choices[SMOE_STAGE_EXPERT_UP].name, "_cooperative"));
    check_biases(device->device, &mixed, 1);
    assert_true(test_device_close(device));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_biases, test_device_check),
        cmocka_unit_test_setup_teardown(test_mixed, cooperative_setup, test_device_teardown),
        cmocka_unit_test(test_device_closes),
    };
    return cmocka_run_group_tests_name("limits", tests, test_device_setup, test_device_teardown);
}
