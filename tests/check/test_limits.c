/* What limits of gated experts do with NaN and infinities (smoe_plan_desc, gate_max): a NaN stays, an infinity becomes
 * the limit. Biases bring them in behind the router, so that tokens are finite. */
#include <math.h>
#include <stdlib.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "layer_session.h"

enum { WIDTH = 20, EXPERTS = 6 };

#define LIMITED                                                                                                        \
    .d_model = WIDTH, .d_hidden = 12, .expert_count = EXPERTS, .top_k = 2, .activation = SMOE_ACTIVATION_SILU,         \
    .gated = true, .gate_max = 1.5f, .up_limit = 1.25f, .shared_hidden = 9, .shared_gate_max = 2,                      \
    .shared_up_limit = 0.5f, .biases = BIAS_ALL, .logits = LOGITS_EXACT

/* Few rows for each expert, many, and mixed precision where the device has it. */
static const layer_case cases[] = {
    {.name = "limits, few tokens", .tokens = 7, LIMITED, .gate_limit_after = 1, .shared_gate_limit_after = 0.75f},
    {.name = "limits, many tokens", .tokens = 70, LIMITED, .gate_alpha = 1.702f, .up_offset = 1},
    {.name = "limits, float16", .tokens = 70, LIMITED, .weight_type = SMOE_TYPE_FLOAT16,
     .precision = SMOE_PRECISION_FLOAT16},
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

static void check_layer(smoe_device *device, const layer_case *shape, const spoilt_bias *shared)
{
    const uint32_t T = shape->tokens, H = shape->d_hidden;
    layer_session session;
    uint32_t finite = 0;

    session_prepare(&session, device, shape);
    const smoe_host_weights *weights = &session.data.weights;
    for (uint32_t e = 0; e < EXPERTS; e++)
        spoil(&biases[e], weights->b1 + e * H, weights->b3 + e * H);
    spoil(shared, weights->shared_b1, weights->shared_b3);
    session_create_layer(&session);
    float *y = session_rows(&session, T);
    uint32_t *report = session_report(&session, T);
    session_run(&session, NULL, T, NULL, y, report);
    for (uint32_t t = 0; t < T; t++) {
        const bool good = stays_finite(report + (size_t)t * session_stride(&session));
        compare_token(&session, t, y + (size_t)t * WIDTH, good && shared->finite);
        finite += good;
    }
    session_expect(&session, finite > 0 && finite < T, "all tokens are alike");
    free(y);
    free(report);
    session_close(&session);
}

static void test_biases(void **state)
{
    const test_device *device = *state;

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (size_t i = 0; i < sizeof shared_biases / sizeof shared_biases[0]; i++)
            check_layer(device->device, &cases[c], &shared_biases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_biases, test_device_check),
        cmocka_unit_test(test_device_closes),
    };
    return cmocka_run_group_tests_name("limits", tests, test_device_setup, test_device_teardown);
}
