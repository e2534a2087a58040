/* Weights that are denormal numbers: each counts as itself, or as 0 (smoe.h, "Promises"). A forward's kernel does the
 * one or the other for all of them, and nothing else. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "layer_session.h"

#define D 36u
#define H 44u
#define MANY_TOKENS 40u

/* The weights of a type, all but every eighth below its smallest normal number. */
typedef struct denormal_type {
    smoe_type type;
    const char *name;
    float least, normal; /* the smallest number above 0; the smallest normal one */
    float scale;         /* of x: float32 holds its products with them */
} denormal_type;

static const denormal_type types[] = {
    {SMOE_TYPE_FLOAT32, "float32", 0x1p-149f, FLT_MIN, 0x1p60f},
    {SMOE_TYPE_FLOAT16, "float16", 0x1p-24f, 0x1p-14f, 1},
    {SMOE_TYPE_BFLOAT16, "bfloat16", 0x1p-133f, FLT_MIN, 0x1p60f},
};

/* The matrix in float32, twice: as it is, and with 0 for what is denormal. */
typedef struct denormal_matrix {
    float kept[D * H], flushed[D * H], stored[D * H]; /* stored: in its type */
} denormal_matrix;

static void make_matrix(const denormal_type *type, denormal_matrix *matrix)
{
    const uint32_t steps = (uint32_t)(type->normal / type->least);
    for (uint32_t i = 0; i < D * H; i++) {
        const float size =
            i % 8 == 7 ? type->normal * (float)(1 + i % 5) : type->least * (float)(1 + i * 2654435761u % (steps - 1));
        matrix->kept[i] = i % 3 == 0 ? -size : size;
        matrix->flushed[i] = fabsf(matrix->kept[i]) < type->normal ? 0 : matrix->kept[i];
    }
    assert_int_equal(smoe_type_convert(matrix->stored, type->type, matrix->kept, SMOE_TYPE_FLOAT32, D * H),
                     SMOE_SUCCESS);
}

/* Whether y is what the matrix gives. */
static bool is_given_by(const layer_session *session, const float *matrix, bool down, const float *y)
{
    ref_layer ref = session->data.ref;
    double want[D], logits[1], largest = 0, error = 0;
    static ref_token token;

    if (down)
        ref.w2 = matrix;
    else
        ref.w1 = matrix;
    for (uint32_t t = 0; t < session->data.shape->tokens; t++) {
        assert_true(ref_forward(&ref, &session->data.ref_params, session->data.x + t * D, logits, &token, want));
        for (uint32_t i = 0; i < D; i++) {
            largest = fmax(largest, fabs(want[i]));
            error = fmax(error, fabs((double)y[t * D + i] - want[i]));
        }
    }
    return error <= 1e-5 * largest;
}

/* True: kept. False: 0. */
static bool check_matrix(smoe_device *device, const denormal_type *type, bool down, uint32_t tokens)
{
    const layer_case shape = {.name = "denormal weights",
                              .tokens = tokens,
                              .d_model = D,
                              .d_hidden = H,
                              .expert_count = 1,
                              .top_k = 1,
                              .weight_type = type->type};
    static denormal_matrix matrix;
    layer_session session;

    make_matrix(type, &matrix);
    session_prepare(&session, device, &shape);
    session.data.plan = case_plan_of_one_count(&session.data);
    *(down ? &session.data.weights.w2 : &session.data.weights.w1) = (smoe_host_weight){matrix.stored, type->type};
    for (uint32_t i = 0; i < tokens * D; i++)
        session.data.x[i] *= type->scale;
    session_create_layer(&session);
    float *y = session_rows(&session, tokens);
    session_run(&session, NULL, tokens, NULL, y, NULL);
    const bool kept = is_given_by(&session, matrix.kept, down, y);
    const bool flushed = is_given_by(&session, matrix.flushed, down, y);
    session_expect(&session, kept != flushed, "denormal weights are neither kept nor 0");
    free(y);
    session_close(&session);
    return kept;
}

static void check_device(smoe_device *device)
{
    static const uint32_t tokens[] = {1, MANY_TOKENS}; /* kernels for few rows and for many */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        uint32_t kept = 0;
        for (size_t j = 0; j < sizeof tokens / sizeof *tokens; j++)
            kept +=
                check_matrix(device, &types[i], false, tokens[j]) + check_matrix(device, &types[i], true, tokens[j]);
        print_message("denormal weights of %s: %u forwards of 4 keep them, the others take 0\n", types[i].name, kept);
    }
}

static void test_weights(void **state)
{
    const test_device *device = *state;
    check_device(device->device);
}

/* By the vector and tiled kernels, which every device can run. */
static void test_weights_masked(void **state)
{
    test_device masked;
    (void)state;
    assert_true(test_device_open(&masked, SMOE_CAPABILITY_ALL));
    check_device(masked.device);
    assert_true(test_device_is_quiet(&masked));
    assert_true(test_device_close(&masked));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_weights, test_device_check),
        cmocka_unit_test_teardown(test_weights_masked, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("denormals", tests, test_device_setup, test_device_teardown);
}
