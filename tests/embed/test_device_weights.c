/* The weights of device.h's layers: which arrays are given when, and the types that they come in and that the device
 * keeps. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/block_widths.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/half.h"
#include "common/random.h"
#include "device/device_internal.h"
#include "layer_fixture.h"

/* ---- arguments --------------------------------------------------------------------------------------------------- */

/* What a weight is needed for, or may be given for. */
#define MISSING(field)                                                                                                 \
    do {                                                                                                               \
        smoe_host_weights without = problem->weights;                                                                  \
        memset(&without.field, 0, sizeof without.field);                                                               \
        check_create(fixture, &problem->plan, &without, SMOE_ERROR_INVALID_ARGUMENT,                                   \
                     "weights." #field " must not be NULL");                                                           \
    } while (0)
#define SUPERFLUOUS(field, rule)                                                                                       \
    do {                                                                                                               \
        smoe_host_weights more = weights;                                                                              \
        memcpy(&more.field, &(const void *){problem->router_weight}, sizeof(void *));                                  \
        check_create(fixture, &plan, &more, SMOE_ERROR_INVALID_ARGUMENT,                                               \
                     "weights." #field " must be NULL unless " rule);                                                  \
    } while (0)
#define OPTIONAL(field)                                                                                              \
    do {                                                                                                             \
        smoe_host_weights without = problem->weights;                                                                \
        memset(&without.field, 0, sizeof without.field);                                                             \
        assert_int_equal(smoe_device_layer_create(fixture->device, &problem->plan, &without, &layer), SMOE_SUCCESS); \
        smoe_device_layer_destroy(layer);                                                                            \
    } while (0)

static void test_create_arguments(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->problem;
    smoe_plan_desc plan = problem->plan;
    smoe_host_weights weights = problem->weights;
    smoe_device_layer *layer = NULL;

    assert_int_equal(smoe_device_layer_create(NULL, &plan, &weights, &layer), SMOE_ERROR_INVALID_ARGUMENT);
    check_failure(fixture, smoe_device_layer_create(fixture->device, &plan, &weights, NULL),
                  SMOE_ERROR_INVALID_ARGUMENT, "out");
    check_create(fixture, NULL, &weights, SMOE_ERROR_INVALID_ARGUMENT, "plan");
    check_create(fixture, &plan, NULL, SMOE_ERROR_INVALID_ARGUMENT, "weights");
    MISSING(router_weight);
    MISSING(w1);
    MISSING(w2);
    MISSING(w3);
    OPTIONAL(router_bias);
    SUPERFLUOUS(router_projection, "the router is cosine");
    SUPERFLUOUS(router_projection_bias, "the router is cosine");
    SUPERFLUOUS(router_similarity, "the router is cosine");
    SUPERFLUOUS(router_log_scale, "the router is cosine");
    SUPERFLUOUS(selection_bias, "the gate is not softmax");
    SUPERFLUOUS(latent_down, "there is a latent width");
    SUPERFLUOUS(latent_down_bias, "there is a latent width");
    SUPERFLUOUS(latent_up, "there is a latent width");
    SUPERFLUOUS(latent_up_bias, "there is a latent width");
    SUPERFLUOUS(shared_w1, "there is a shared expert");
    SUPERFLUOUS(shared_b1, "there is a shared expert");
    SUPERFLUOUS(shared_w3, "there is a gated shared expert");
    SUPERFLUOUS(shared_b3, "there is a gated shared expert");
    SUPERFLUOUS(shared_w2, "there is a shared expert");
    SUPERFLUOUS(shared_b2, "there is a shared expert");
    SUPERFLUOUS(shared_gate, "shared_gate is true");
    plan.d_latent = 3;
    check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT,
                 "weights.latent_down must not be NULL where there is a latent width");
    plan.d_latent = 0;
    plan.gated = false;
    check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT,
                 "weights.w3 must be NULL unless the experts are gated");
    weights.w3.data = NULL;
    check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT,
                 "weights.b3 must be NULL unless the experts are gated");
    weights = problem->weights;
    weights.w1.type = (smoe_type)99;
    check_create(fixture, &problem->plan, &weights, SMOE_ERROR_INVALID_ARGUMENT,
                 "weights.w1.type must be a smoe_type, is 99");
    weights = problem->weights;
    weights.w2.type = (smoe_type)-1;
    check_create(fixture, &problem->plan, &weights, SMOE_ERROR_INVALID_ARGUMENT,
                 "weights.w2.type must be a smoe_type, is -1");
    plan = problem->plan;
    plan.top_k = PROBLEM_EXPERTS + 1;
    check_create(fixture, &plan, &problem->weights, SMOE_ERROR_INVALID_ARGUMENT, "top_k");
    smoe_device_layer_destroy(NULL);
    assert_null(smoe_device_layer_plan(NULL));
}

/* The same for the other router and gate, and for the shared expert. */
static void test_create_arguments_of_cosine(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->cosine;
    smoe_plan_desc plan = problem->plan;
    smoe_host_weights weights = problem->weights;
    smoe_device_layer *layer = NULL;

    MISSING(router_projection);
    MISSING(router_similarity);
    MISSING(router_log_scale);
    MISSING(latent_down);
    MISSING(latent_up);
    OPTIONAL(latent_down_bias);
    OPTIONAL(latent_up_bias);
    MISSING(shared_w1);
    MISSING(shared_w3);
    MISSING(shared_w2);
    MISSING(shared_gate);
    OPTIONAL(router_projection_bias);
    OPTIONAL(selection_bias);
    OPTIONAL(shared_b1);
    OPTIONAL(shared_b3);
    OPTIONAL(shared_b2);
    SUPERFLUOUS(router_weight, "the router is linear");
    SUPERFLUOUS(router_bias, "the router is linear");
    plan.shared_gate = false;
    check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT,
                 "weights.shared_gate must be NULL unless shared_gate is true");
    plan = problem->plan;
    plan.gated = false;
    weights.w3.data = NULL;
    weights.b3 = NULL;
    check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT, "weights.shared_w3 must be NULL");
    weights.shared_w3.data = NULL;
    check_create(fixture, &plan, &weights, SMOE_ERROR_INVALID_ARGUMENT, "weights.shared_b3 must be NULL");
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* Host arrays of a type whose blocks do not divide a matrix's rows, which a plan of float32 has: in one line. */
static void test_host_blocks(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->cosine;
    smoe_layer_tensor tensor;
    uint32_t refused = 0;

    for (smoe_type type = 0; smoe_type_name(type); type++)
        for (uint32_t i = 0; smoe_layer_tensor_get(&problem->plan, i, &tensor); i++) {
            const uint32_t columns = tensor.shape[tensor.axis_count - 1];
            smoe_host_weights weights = problem->weights;
            char text[128];
            if (!tensor.matrix || test_blocks_width(type, columns) == columns)
                continue;
            snprintf(text, sizeof text, "weights.%s.type: blocks of %s do not divide its rows of %u", tensor.name,
                     smoe_type_name(type), columns);
            smoe_host_weights_set(&weights, &tensor, (smoe_host_weight){problem->w1, type});
            check_create(fixture, &problem->plan, &weights, SMOE_ERROR_INVALID_ARGUMENT, text);
            refused++;
        }
    assert_true(refused > 0);
}

/* ---- weights of every type --------------------------------------------------------------------------------------- */

enum { TYPE_COUNT = 3, TYPED_COUNT = 3 * PROBLEM_MATRIX + 3 * PROBLEM_SHARED_MATRIX };

/* The matrices of a problem one after another, in a type. */
typedef union typed_matrices {
    float floats[TYPED_COUNT];
    uint16_t words[TYPED_COUNT];
} typed_matrices;

static void convert_matrices(typed_matrices *to, smoe_type type, const float *from)
{
    for (int i = 0; i < TYPED_COUNT; i++) {
        if (type == SMOE_TYPE_FLOAT32)
            to->floats[i] = from[i];
        else
            to->words[i] = test_narrow_from_float(type, from[i]);
    }
}

static void floats_of_matrices(float *to, smoe_type type, const typed_matrices *from)
{
    for (int i = 0; i < TYPED_COUNT; i++) {
        if (type == SMOE_TYPE_FLOAT32)
            to[i] = from->floats[i];
        else
            to[i] = test_narrow_to_float(type, from->words[i]);
    }
}

static void run_with(layer_fixture *fixture, smoe_type plan_type, smoe_type host_type, const typed_matrices *matrices,
                     float *y)
{
    const test_problem *problem = &fixture->cosine;
    const size_t size = (size_t)smoe_type_size(host_type, 1);
    const char *at = (const char *)matrices;
    smoe_plan_desc plan = problem->plan;
    smoe_host_weights weights = problem->weights;
    smoe_device_layer *layer = NULL;

    plan.types = (smoe_matrix_types)SMOE_TYPES(plan_type);
    weights.w1 = (smoe_host_weight){at, host_type};
    weights.w3 = (smoe_host_weight){at + size * PROBLEM_MATRIX, host_type};
    weights.w2 = (smoe_host_weight){at + size * 2 * PROBLEM_MATRIX, host_type};
    weights.shared_w1 = (smoe_host_weight){at + size * 3 * PROBLEM_MATRIX, host_type};
    weights.shared_w3 = (smoe_host_weight){at + size * (3 * PROBLEM_MATRIX + PROBLEM_SHARED_MATRIX), host_type};
    weights.shared_w2 = (smoe_host_weight){at + size * (3 * PROBLEM_MATRIX + 2 * PROBLEM_SHARED_MATRIX), host_type};
    assert_int_equal(smoe_device_layer_create(fixture->device, &plan, &weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &problem->params, problem->x, y, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
}

/* Whichever type the weights come in and the device keeps, the numbers are those that a caller's own conversion
 * gives. */
static void test_weight_types(void **state)
{
    layer_fixture *fixture = *state;
    const test_problem *problem = &fixture->cosine;
    static typed_matrices host, own;
    static float exact[TYPED_COUNT], rounded[TYPED_COUNT];
    float y[PROBLEM_ROWS], want[PROBLEM_ROWS];

    memcpy(exact, problem->w1, sizeof problem->w1);
    memcpy(exact + PROBLEM_MATRIX, problem->w3, sizeof problem->w3);
    memcpy(exact + 2 * PROBLEM_MATRIX, problem->w2, sizeof problem->w2);
    memcpy(exact + 3 * PROBLEM_MATRIX, problem->shared_w1, sizeof problem->shared_w1);
    memcpy(exact + 3 * PROBLEM_MATRIX + PROBLEM_SHARED_MATRIX, problem->shared_w3, sizeof problem->shared_w3);
    memcpy(exact + 3 * PROBLEM_MATRIX + 2 * PROBLEM_SHARED_MATRIX, problem->shared_w2, sizeof problem->shared_w2);
    for (int from = 0; from < TYPE_COUNT; from++) {
        convert_matrices(&host, (smoe_type)from, exact);
        floats_of_matrices(rounded, (smoe_type)from, &host);
        for (int to = 0; to < TYPE_COUNT; to++) {
            convert_matrices(&own, (smoe_type)to, rounded);
            run_with(fixture, (smoe_type)to, (smoe_type)from, &host, y);
            run_with(fixture, (smoe_type)to, (smoe_type)to, &own, want);
            if (test_compare_bits("y", PROBLEM_ROWS, y, want))
                fail_msg("weights of type %d in a layer of type %d", from, to);
        }
        if (from == SMOE_TYPE_FLOAT32) {
            run_with(fixture, SMOE_TYPE_FLOAT32, SMOE_TYPE_FLOAT32, &host, y);
            assert_true(problem_is_solved(problem, y, NULL));
        }
    }
    assert_int_equal(test_record_problem_count(&fixture->record), 0);
}

/* Pipelines are slow to make, and these tests make the same few again and again: the Vulkan of faults.h keeps them. */
static int setup(void **state)
{
    static layer_fixture fixture;

    *state = &fixture;
    return layer_fixture_init(&fixture) ? 0 : -1;
}

static void test_open(void **state)
{
    layer_fixture *fixture = *state;

    fixture->device = layer_fixture_open(fixture, FAULTS_MEMORY_AS_IS);
}

static void test_close(void **state)
{
    layer_fixture *fixture = *state;

    layer_fixture_close(fixture, fixture->device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_create_arguments),
        cmocka_unit_test(test_create_arguments_of_cosine),
        cmocka_unit_test(test_host_blocks),
        cmocka_unit_test(test_weight_types),
        cmocka_unit_test(test_close),
    };

    return cmocka_run_group_tests_name("device weights", tests, setup, NULL);
}
