/* The table of a layer's tensors against a list of its own: names, places, sizes, and which layers have them. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "smoe/smoe.h"

/* A layer with everything; its widths are different primes. */
static const smoe_plan_desc full = {
    .d_model = 5, .d_hidden = 7, .expert_count = 3, .top_k = 1, .max_tokens = 1, .router = SMOE_ROUTER_COSINE,
    .gate = SMOE_GATE_SIGMOID, .types = {SMOE_TYPE_FLOAT16, SMOE_TYPE_FLOAT32, SMOE_TYPE_BFLOAT16, SMOE_TYPE_FLOAT16,
                                         SMOE_TYPE_FLOAT32, SMOE_TYPE_BFLOAT16},
    .d_latent = 17, .gated = true, .expert_scale = true, .projection_width = 11, .shared_hidden = 13,
    .shared_gate = true};
static const smoe_plan_desc least = {.d_model = 5, .d_hidden = 7, .expert_count = 3, .top_k = 1, .max_tokens = 1};

typedef struct expectation {
    const char *name, *file_name;
    size_t layer_offset, host_offset;
    uint64_t size; /* in the full layer */
    smoe_presence in_full, in_least;
    bool matrix;
} expectation;

#define REQUIRED SMOE_PRESENCE_REQUIRED
#define OPTIONAL SMOE_PRESENCE_OPTIONAL
#define FORBIDDEN SMOE_PRESENCE_FORBIDDEN
#define PLACE(field) offsetof(smoe_layer_desc, field), offsetof(smoe_host_weights, field)

static const expectation expected[] = {
    {"router_weight", "router.weight", PLACE(router_weight), 60, FORBIDDEN, REQUIRED, false},
    {"router_bias", "router.bias", PLACE(router_bias), 12, FORBIDDEN, OPTIONAL, false},
    {"router_projection", "router.projection.weight", PLACE(router_projection), 220, REQUIRED, FORBIDDEN, false},
    {"router_projection_bias", "router.projection.bias", PLACE(router_projection_bias), 44, OPTIONAL, FORBIDDEN, false},
    {"router_similarity", "router.similarity", PLACE(router_similarity), 132, REQUIRED, FORBIDDEN, false},
    {"router_log_scale", "router.log_scale", PLACE(router_log_scale), 4, REQUIRED, FORBIDDEN, false},
    {"selection_bias", "router.selection_bias", PLACE(selection_bias), 12, OPTIONAL, FORBIDDEN, false},
    {"expert_scale", "router.expert_scale", PLACE(expert_scale), 12, REQUIRED, FORBIDDEN, false},
    {"latent_down", "latent.down", PLACE(latent_down), 340, REQUIRED, FORBIDDEN, true},
    {"latent_down_bias", "latent.down.bias", PLACE(latent_down_bias), 68, OPTIONAL, FORBIDDEN, false},
    {"latent_up", "latent.up", PLACE(latent_up), 172, REQUIRED, FORBIDDEN, true}, /* 85 of 2 bytes, whole words */
    {"latent_up_bias", "latent.up.bias", PLACE(latent_up_bias), 20, OPTIONAL, FORBIDDEN, false},
    {"w1", "experts.w1", PLACE(w1), 716, REQUIRED, REQUIRED, true}, /* 357 numbers */
    {"b1", "experts.b1", PLACE(b1), 84, OPTIONAL, OPTIONAL, false},
    {"w3", "experts.w3", PLACE(w3), 716, REQUIRED, FORBIDDEN, true},
    {"b3", "experts.b3", PLACE(b3), 84, OPTIONAL, FORBIDDEN, false},
    {"w2", "experts.w2", PLACE(w2), 1428, REQUIRED, REQUIRED, true},
    {"b2", "experts.b2", PLACE(b2), 204, OPTIONAL, OPTIONAL, false},
    {"shared_w1", "shared.w1", PLACE(shared_w1), 132, REQUIRED, FORBIDDEN, true},
    {"shared_b1", "shared.b1", PLACE(shared_b1), 52, OPTIONAL, FORBIDDEN, false},
    {"shared_w3", "shared.w3", PLACE(shared_w3), 132, REQUIRED, FORBIDDEN, true},
    {"shared_b3", "shared.b3", PLACE(shared_b3), 52, OPTIONAL, FORBIDDEN, false},
    {"shared_w2", "shared.w2", PLACE(shared_w2), 132, REQUIRED, FORBIDDEN, true},
    {"shared_b2", "shared.b2", PLACE(shared_b2), 20, OPTIONAL, FORBIDDEN, false},
    {"shared_gate", "shared.gate", PLACE(shared_gate), 20, REQUIRED, FORBIDDEN, false},
};

#define COUNT (sizeof expected / sizeof expected[0])

static void test_rows(void **state)
{
    smoe_layer_tensor tensor, other;
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        const expectation *want = &expected[i];
        assert_true(smoe_layer_tensor_get(&full, i, &tensor) && smoe_layer_tensor_get(&least, i, &other));
        assert_string_equal(tensor.name, want->name);
        assert_string_equal(tensor.file_name, want->file_name);
        assert_int_equal(tensor.layer_offset, want->layer_offset);
        assert_int_equal(tensor.host_offset, want->host_offset);
        assert_int_equal(tensor.size, want->size);
        assert_int_equal(tensor.presence, want->in_full);
        assert_int_equal(other.presence, want->in_least);
        assert_int_equal(tensor.matrix, want->matrix);
        assert_int_equal(tensor.router, want->layer_offset < offsetof(smoe_layer_desc, latent_down));
        assert_int_equal(strlen(tensor.axes), tensor.axis_count);
        assert_true(tensor.condition || (tensor.presence != FORBIDDEN && other.presence != FORBIDDEN));
    }
    assert_false(smoe_layer_tensor_get(&full, COUNT, &tensor));
    assert_false(smoe_layer_tensor_get(NULL, 0, &tensor));
    assert_false(smoe_layer_tensor_get(&full, 0, NULL));
}

/* Zero experts have a row of the router, and no matrices. */
static void test_zero_experts(void **state)
{
    smoe_plan_desc plan = full;
    smoe_layer_tensor tensor;
    (void)state;
    plan.zero_experts = 1;
    for (uint32_t i = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        assert_int_equal(tensor.by_expert, tensor.axes[0] == 'E');
        if (tensor.by_expert)
            assert_int_equal(tensor.shape[0], strncmp(tensor.file_name, "experts.", 8) == 0 ? 2 : 3);
    }
}

/* Every field of both structs has a row: their sizes are those of the rows' fields. */
static void test_every_field(void **state)
{
    smoe_layer_tensor tensor;
    size_t layer_size = 0, host_size = 0;
    (void)state;
    for (uint32_t i = 0; smoe_layer_tensor_get(&full, i, &tensor); i++) {
        assert_int_equal(tensor.layer_offset, layer_size);
        assert_int_equal(tensor.host_offset, host_size);
        layer_size += tensor.matrix ? sizeof(smoe_weight) : sizeof(smoe_buffer);
        host_size += tensor.matrix ? sizeof(smoe_host_weight) : sizeof(const float *);
    }
    assert_int_equal(layer_size, sizeof(smoe_layer_desc));
    assert_int_equal(host_size, sizeof(smoe_host_weights));
}

static void test_types(void **state)
{
    const smoe_type types[] = {full.types.latent_down, full.types.latent_up, full.types.up,
                               full.types.up,          full.types.down,      full.types.shared_up,
                               full.types.shared_up,   full.types.shared_down};
    smoe_layer_tensor tensor;
    uint32_t matrices = 0;
    (void)state;
    for (uint32_t i = 0; smoe_layer_tensor_get(&full, i, &tensor); i++) {
        if (!tensor.matrix) {
            assert_int_equal(tensor.type, SMOE_TYPE_FLOAT32);
            continue;
        }
        smoe_plan_desc plan = full;
        void *field = (char *)&plan + tensor.type_offset;
        assert_int_equal(tensor.type, types[matrices++]);
        *(smoe_type *)field = SMOE_TYPE_BFLOAT16;
        assert_true(smoe_layer_tensor_get(&plan, i, &tensor));
        assert_int_equal(tensor.type, SMOE_TYPE_BFLOAT16);
    }
    assert_int_equal(matrices, 8);
}

static void test_fields(void **state)
{
    static const float numbers[1] = {1};
    smoe_layer_tensor tensor;
    smoe_host_weights weights = {0};
    smoe_layer_desc layer = {0};
    (void)state;
    for (uint32_t i = 0; smoe_layer_tensor_get(&full, i, &tensor); i++) {
        assert_null(smoe_host_weights_get(&weights, &tensor).data);
        smoe_host_weights_set(&weights, &tensor, (smoe_host_weight){numbers, SMOE_TYPE_BFLOAT16});
        const smoe_host_weight got = smoe_host_weights_get(&weights, &tensor);
        assert_ptr_equal(got.data, numbers);
        assert_int_equal(got.type, tensor.matrix ? SMOE_TYPE_BFLOAT16 : SMOE_TYPE_FLOAT32);
        smoe_layer_desc_set(&layer, &tensor, (smoe_buffer){.size = i + 1});
    }
    const smoe_buffer ranges[1] = {{.size = 1}};
    for (uint32_t i = 0; smoe_layer_tensor_get(&full, i, &tensor); i++)
        smoe_layer_desc_set_ranges(&layer, &tensor, ranges);
    assert_ptr_equal(layer.w2.ranges, ranges);
    assert_ptr_equal(layer.shared_w3.ranges, ranges);
    assert_int_equal(layer.b1.size, 14); /* numbers have no ranges */
    smoe_host_weights_set(NULL, &tensor, (smoe_host_weight){numbers, SMOE_TYPE_FLOAT32});
    smoe_host_weights_set(&weights, NULL, (smoe_host_weight){numbers, SMOE_TYPE_FLOAT32});
    smoe_layer_desc_set(NULL, &tensor, ranges[0]);
    smoe_layer_desc_set_ranges(&layer, NULL, ranges);
    assert_null(smoe_host_weights_get(NULL, &tensor).data);
    assert_null(smoe_host_weights_get(&weights, NULL).data);
    assert_ptr_equal(weights.w3.data, numbers);
    assert_ptr_equal(weights.shared_gate, numbers);
    assert_int_equal(layer.router_weight.size, 1);
    assert_int_equal(layer.w1.buffer.size, 13);
    assert_int_equal(layer.shared_gate.size, COUNT);
}

/* Without a latent width the experts' is D, also by its letter. */
static void test_axes(void **state)
{
    smoe_layer_tensor tensor, other;
    uint32_t latent = 0;
    (void)state;
    for (uint32_t i = 0; smoe_layer_tensor_get(&full, i, &tensor) && smoe_layer_tensor_get(&least, i, &other); i++) {
        const char *const at = strchr(tensor.axes, 'L');
        if (!at || other.presence == FORBIDDEN)
            continue;
        assert_int_equal(other.axes[at - tensor.axes], 'D');
        assert_int_equal(other.shape[at - tensor.axes], least.d_model);
        latent++;
    }
    assert_int_equal(latent, 3); /* w1, w2, b2 */
}

static void test_check(void **state)
{
    static const float numbers[1] = {1};
    smoe_layer_tensor tensor;
    smoe_host_weights weights = {0};
    char reason[SMOE_REASON_SIZE];
    (void)state;
    for (uint32_t i = 0; smoe_layer_tensor_get(&full, i, &tensor); i++)
        if (tensor.presence != FORBIDDEN)
            smoe_host_weights_set(&weights, &tensor, (smoe_host_weight){numbers, SMOE_TYPE_FLOAT16});
    assert_int_equal(smoe_host_weights_check(&full, &weights, reason), SMOE_SUCCESS);
    assert_int_equal(reason[0], '\0');
    assert_int_equal(smoe_host_weights_check(&least, &weights, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_string_equal(reason, "weights.router_weight must not be NULL where the router is linear");
    assert_int_equal(smoe_host_weights_check(&full, NULL, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_string_equal(reason, "weights must not be NULL");
    assert_int_equal(smoe_host_weights_check(NULL, &weights, NULL), SMOE_ERROR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_zero_experts), cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_types),  cmocka_unit_test(test_fields),       cmocka_unit_test(test_axes),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests_name("layer tensors", tests, NULL, NULL);
}
