/* Layer files: what is written comes back, what is wrong is refused with a line that says why. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "common/record.h"
#include "file/file_internal.h"
#include "sample_file.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_round_trip(void **state)
{
    (void)state;
    static const uint64_t longs[3] = {1, UINT64_MAX, 7};
    static const unsigned char bytes[5] = {1, 2, 3, 4, 255};
    const smoe_tensor written[] = {
        {"bytes: \"quoted\" \\ \x01 \xc3\xa9", SMOE_TENSOR_UINT8, 1, {5, 1, 1, 1}, bytes, 5},
        {"scalar", SMOE_TENSOR_FLOAT64, 0, {1, 1, 1, 1}, longs, 8},
        {"none", SMOE_TENSOR_FLOAT32, 3, {4, 0, 2, 1}, NULL, 0},
        {"", SMOE_TENSOR_INT64, 4, {3, 1, 1, 1}, longs, 24},
        {"half", SMOE_TENSOR_FLOAT16, 2, {2, 1, 1, 1}, bytes, 4},
        {"brain", SMOE_TENSOR_BFLOAT16, 1, {1, 1, 1, 1}, bytes, 2},
        {"int", SMOE_TENSOR_INT32, 1, {1, 1, 1, 1}, bytes, 4},
    };
    const char *const metadata[] = {"key", "value", "z \" \n", "", "", "\xe2\x82\xac"};
    const char *path = sample_path("round-trip");
    smoe_layer_file *file;

    assert_int_equal(smoe_layer_file_write(path, written, COUNT(written), metadata, 3, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
    for (uint32_t i = 0; i < COUNT(written); i++) {
        const smoe_tensor *read = smoe_layer_file_tensor(file, written[i].name);
        assert_non_null(read);
        assert_int_equal(read->type, written[i].type);
        assert_int_equal(read->rank, written[i].rank);
        assert_memory_equal(read->shape, written[i].shape, sizeof read->shape);
        assert_int_equal(read->size, written[i].size);
        assert_int_equal((uintptr_t)read->data % 8, 0); /* five bytes come first: the file has the others misaligned */
        if (read->size > 0)
            assert_memory_equal(read->data, written[i].data, read->size);
        assert_non_null(smoe_layer_file_tensor_at(file, i));
    }
    assert_null(smoe_layer_file_tensor_at(file, COUNT(written)));
    assert_null(smoe_layer_file_tensor(file, "absent"));
    assert_string_equal(smoe_layer_file_metadata(file, "key"), "value");
    assert_string_equal(smoe_layer_file_metadata(file, "z \" \n"), "");
    assert_string_equal(smoe_layer_file_metadata(file, ""), "\xe2\x82\xac");
    assert_null(smoe_layer_file_metadata(file, "absent"));
    smoe_layer_file_close(file);
    remove(path);
}

static void test_layer(void **state)
{
    (void)state;
    const char *path = sample_path("layer");
    for (int gated = 0; gated < 2; gated++) {
        sample_file sample;
        smoe_layer_file *file;
        smoe_plan_desc plan;
        smoe_forward_params params;
        smoe_host_weights weights;
        sample_init(&sample, gated);
        assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
        assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
        assert_int_equal(smoe_layer_file_layer(file, &plan, &params, &weights), SMOE_SUCCESS);
        const smoe_plan_desc plan_expected = {.d_model = 4, .d_hidden = 5, .expert_count = 3, .top_k = 2,
                                              .max_active = 3, .max_tokens = 6, .activation = SMOE_ACTIVATION_GELU,
                                              .gated = gated, .renormalize = true};
        assert_int_equal(plan.d_model, plan_expected.d_model);
        assert_int_equal(plan.d_hidden, plan_expected.d_hidden);
        assert_int_equal(plan.expert_count, plan_expected.expert_count);
        assert_int_equal(plan.top_k, plan_expected.top_k);
        assert_int_equal(plan.max_active, plan_expected.max_active);
        assert_int_equal(plan.max_tokens, plan_expected.max_tokens);
        assert_int_equal(plan.activation, plan_expected.activation);
        assert_memory_equal(&plan.types, &plan_expected.types, sizeof plan.types);
        assert_int_equal(plan.gated, plan_expected.gated);
        assert_int_equal(plan.renormalize, plan_expected.renormalize);
        assert_int_equal(plan.router, SMOE_ROUTER_LINEAR);
        assert_int_equal(plan.gate, SMOE_GATE_SOFTMAX);
        assert_int_equal(
            plan.group_count + plan.top_groups + plan.projection_width + plan.shared_hidden + plan.shared_gate, 0);
        assert_int_equal(params.token_count, 6);
        assert_true(params.eps == 0.25f && params.a == 1.0f && params.b == 50.0f && params.temperature == 0.5f);
        assert_true(params.scale == 2.5f && params.tie_tolerance == 1e-3f && params.max_active == 0);
        assert_ptr_equal(weights.router_weight, smoe_layer_file_tensor(file, "router.weight")->data);
        assert_ptr_equal(weights.router_bias, smoe_layer_file_tensor(file, "router.bias")->data);
        assert_ptr_equal(weights.w1.data, smoe_layer_file_tensor(file, "experts.w1")->data);
        assert_ptr_equal(weights.w2.data, smoe_layer_file_tensor(file, "experts.w2")->data);
        assert_ptr_equal(weights.b1, smoe_layer_file_tensor(file, "experts.b1")->data);
        assert_ptr_equal(weights.b2, smoe_layer_file_tensor(file, "experts.b2")->data);
        assert_ptr_equal(weights.w3.data, gated ? smoe_layer_file_tensor(file, "experts.w3")->data : NULL);
        assert_ptr_equal(weights.b3, gated ? smoe_layer_file_tensor(file, "experts.b3")->data : NULL);
        smoe_layer_file_close(file);
    }
    remove(path);
}

/* One thing changed in a valid file: a metadata value (NULL: taken out) or a tensor. */
typedef struct change {
    const char *key, *value;
    const char *tensor;
    smoe_tensor_type type;
    uint32_t rank;
    uint64_t shape[3];
    bool gated;
    smoe_result result;
    const char *text;
} change;

#define META(key, value, result, text) {key, value, NULL, SMOE_TENSOR_FLOAT32, 0, {1, 1, 1}, false, result, text}
#define GATED_META(key, value, result, text) {key, value, NULL, SMOE_TENSOR_FLOAT32, 0, {1, 1, 1}, true, result, text}
#define TENSOR(gated, name, type, rank, n0, n1, n2, result, text) \
    {NULL, NULL, name, type, rank, {n0, n1, n2}, gated, result, text}
#define F32 SMOE_TENSOR_FLOAT32
#define OK SMOE_SUCCESS
#define BAD SMOE_ERROR_FILE
#define UNSUPPORTED SMOE_ERROR_UNSUPPORTED

static const change changes[] = {
    META("name", "anything", OK, ""),
    META("d_model", NULL, OK, ""),
    META("tokens", NULL, OK, ""),
    META("max_active", NULL, OK, ""),
    META("eps", "0", OK, ""),
    META("eps", "+1.5E-2", OK, ""),
    META("scale", "-.5", OK, ""),
    META("max_active", "2", OK, ""),
    META("activation", "gelu_tanh", OK, ""),
    META("bias", NULL, OK, ""),
    META("k", NULL, BAD, "metadata k is missing"),
    META("activation", NULL, BAD, "metadata activation is missing"),
    META("renormalize", NULL, BAD, "metadata renormalize is missing"),
    META("tokens", "7", BAD, "metadata tokens is \"7\", but tensor x has 6"),
    META("d_model", "5", BAD, "metadata d_model"),
    META("d_hidden", "4", BAD, "metadata d_hidden"),
    META("n_experts", "2", BAD, "metadata n_experts"),
    META("n_experts", "3.0", BAD, "metadata n_experts"),
    META("k", "0", BAD, "metadata k is \"0\""),
    META("k", "4", BAD, "from 1 to 3"),
    META("k", "2 ", BAD, "metadata k"),
    META("k", "-1", BAD, "metadata k"),
    META("k", "18446744073709551617", BAD, "metadata k"),
    META("max_active", "1", BAD, "from 2 to 3"),
    META("max_active", "4", BAD, "from 2 to 3"),
    META("eps", "1e-30", OK, ""),
    META("eps", "1e30", OK, ""),
    META("eps", "1e-60", OK, ""), /* 0 in float32 */
    META("temperature", "1e-30", OK, ""),
    META("temperature", "1e30", OK, ""),
    META("eps", "-0.1", BAD, "0 or 1e-30 .. 1e30"),
    META("eps", "9e-31", BAD, "0 or 1e-30 .. 1e30"),
    META("eps", "1.1e30", BAD, "0 or 1e-30 .. 1e30"),
    META("eps", "nan", BAD, "not a finite number"),
    META("eps", "inf", BAD, "not a finite number"),
    META("eps", "1e999", BAD, "not a finite number"),
    META("eps", "1e39", BAD, "not a finite number"),
    META("eps", "1e4294967296", BAD, "not a finite number"),
    META("eps", "0x1", BAD, "not a finite number"),
    META("eps", "0,5", BAD, "not a finite number"),
    META("eps", "", BAD, "not a finite number"),
    META("eps", ".", BAD, "not a finite number"),
    META("eps", "1e", BAD, "not a finite number"),
    META("eps", " 1", BAD, "not a finite number"),
    META("eps", "1.5.2", BAD, "not a finite number"),
    META("a", "0", BAD, "above 0"),
    META("b", "1025", BAD, "at most 1024"),
    META("temperature", "0.0", BAD, "must be 1e-30 .. 1e30"),
    META("temperature", "9e-31", BAD, "must be 1e-30 .. 1e30"),
    META("temperature", "1.1e30", BAD, "must be 1e-30 .. 1e30"),
    META("tie_tolerance", "-1", BAD, "at least 0"),
    META("renormalize", "yes", BAD, "True or False"),
    META("gated", "True", BAD, "gated contradicts"),
    META("gated", "1", BAD, "True or False"),
    META("bias", "False", BAD, "bias contradicts"),
    META("router", "cosine", BAD, "metadata router is \"cosine\""),
    META("router", "star", BAD, "linear or cosine"),
    META("score", "sigmoid", BAD, "metadata temperature: 0.5, must be 1 unless the gate is softmax"),
    META("score", "softmax_bias", BAD, "metadata temperature: 0.5, must be 1 unless the gate is softmax"),
    META("score", "tanh", BAD, "softmax, sigmoid, sqrt_softplus or softmax_bias"),
    META("renormalize_floor", "0.5", BAD, "metadata renormalize_floor: 0.5, must be 0 with softmax gates"),
    META("renormalize_add", "1e-31", BAD, "metadata renormalize_add: 1e-31, must be 0 or 1e-30 .. 1e30"),
    META("renormalize_add", "1e-20x", BAD, "not a finite number"),
    META("renormalize_add", "0", OK, ""),
    META("group_score", "max", OK, ""),
    META("group_score", "sum", BAD, "metadata group_score is \"sum\", but must be sum2 or max"),
    META("weighted_input", "True", BAD, "metadata weighted_input: must be false unless the gate is sigmoid"),
    META("balanced_groups", "0", OK, ""),
    META("balanced_groups", "2", BAD,
         "metadata balanced_groups: 2, must divide expert_count, k and max_active, but expert_count is 3"),
    META("balanced_groups", "3", BAD,
         "metadata balanced_groups: 3, must divide expert_count, k and max_active, but k is 2"),
    META("balanced_groups", "1025", BAD, "from 0 to 1024"),
    META("zero_experts", "0", OK, ""),
    META("zero_experts", "1", BAD, "experts.w1 is [3,5,4], but the other tensors ask for [2,n,4]"),
    META("zero_experts", "3", BAD, "metadata zero_experts: 3, must be less than expert_count, 3"),
    META("zero_experts", "7", BAD, "metadata zero_experts: 7, must be less than expert_count, 3"),
    META("zero_experts", "1025", BAD, "from 0 to 1024"),
    TENSOR(false, "given.ids", SMOE_TENSOR_INT32, 2, 6, 2, 1, OK, ""),
    TENSOR(false, "given.ids", SMOE_TENSOR_INT32, 2, 6, 1, 1, BAD,
           "given_count: 1, must be 0 or 2 .. 3, from k to max_active"),
    TENSOR(false, "given.ids", SMOE_TENSOR_INT32, 2, 6, 4, 1, BAD,
           "given_count: 4, must be 0 or 2 .. 3, from k to max_active"),
    TENSOR(false, "given.ids", SMOE_TENSOR_INT32, 2, 5, 2, 1, BAD, "tensor x is [6,4]"),
    TENSOR(false, "given.ids", SMOE_TENSOR_INT32, 1, 6, 1, 1, BAD, "given.ids is [6]"),
    TENSOR(false, "given.ids", SMOE_TENSOR_INT32, 2, 6, 1025, 1, UNSUPPORTED, "given.ids has experts of a token: 1025"),
    TENSOR(false, "given.ids", SMOE_TENSOR_INT64, 2, 6, 2, 1, UNSUPPORTED, "given.ids is I64; smoe reads it as I32"),
    TENSOR(false, "given.weights", F32, 2, 6, 2, 1, BAD, "given.weights must not be there without given.ids"),
    META("n_group", "2", BAD, "metadata n_group is 2, which does not divide the 3 experts"),
    META("n_group", "0", BAD, "from 1 to 1024"),
    META("n_group", "3", BAD, "metadata topk_group is 1: so many groups of 1 experts hold fewer than k = 2"),
    META("topk_group", "2", BAD, "metadata topk_group is 2, but metadata n_group is 1"),
    META("topk_group", NULL, OK, ""),
    META("group_eps", "0.5", OK, ""),
    META("group_eps", "1e-31", BAD, "metadata group_eps is \"1e-31\", but must be 0 or 1e-30 .. 1e30"),
    META("shared", "1", BAD, "no tensor \"shared.*\""),
    META("shared", "-1", BAD, "metadata shared"),
    META("activation", "relu2", OK, ""),
    META("activation", "gelu_pytorch_tanh", OK, ""),
    META("activation", "mish", UNSUPPORTED, "metadata activation is \"mish\", but must be identity, relu"),
    META("activation", "swiglu_clamped", BAD, "metadata activation: swiglu_clamped needs gated experts"),
    GATED_META("gate_max", "2.5", OK, ""),
    GATED_META("gate_max", "0", OK, ""),
    GATED_META("gate_max", "-2.5", BAD, "metadata gate_max: -2.5, must be 0 or 1e-30 .. 1e30"),
    GATED_META("gate_max", "None", BAD, "metadata gate_max is \"None\", which is not a finite number"),
    GATED_META("up_limit", "1e31", BAD, "metadata up_limit: 1e+31, must be 0 or 1e-30 .. 1e30"),
    GATED_META("gate_limit_after", "0.5", OK, ""),
    GATED_META("gate_limit_after", "inf", BAD, "not a finite number"),
    GATED_META("gate_alpha", "1.5", BAD, "metadata gate_alpha: 1.5, must be 0 unless activation is silu"),
    GATED_META("up_offset", "-1", OK, ""),
    GATED_META("up_offset", "-2e30", BAD, "metadata up_offset: -2e+30, must be -1e30 .. 1e30"),
    GATED_META("shared_up_limit", "1", BAD, "metadata shared_up_limit: 1, must be 0 where there is no shared expert"),
    META("gate_max", "1", BAD, "metadata gate_max: 1, must be 0 unless the experts are gated"),
    META("up_offset", "1", BAD, "metadata up_offset: 1, must be 0 unless the experts are gated"),
    META("gate_alpha", "1", OK, ""), /* these two change nothing */
    META("up_offset", "0.0", OK, ""),
    TENSOR(false, "x", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(false, "router.bias", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(false, "something.else", SMOE_TENSOR_INT64, 3, 1, 2, 3, OK, ""),
    TENSOR(false, "router.weight", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "router.weight is missing"),
    TENSOR(false, "experts.w1", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "experts.w1 is missing"),
    TENSOR(false, "experts.w2", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "experts.w2 is missing"),
    TENSOR(true, "experts.w3", F32, SAMPLE_ABSENT, 1, 1, 1, BAD,
           "experts.b3 must not be there unless the experts are gated"),
    TENSOR(false, "experts.b1", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "bias contradicts"),
    TENSOR(true, "experts.b1", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "bias contradicts"),
    TENSOR(true, "experts.b2", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "bias contradicts"),
    TENSOR(true, "experts.b3", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(false, "experts.w3", F32, 3, 3, 5, 4, BAD, "gated contradicts"),
    TENSOR(false, "router.weight", F32, 1, 3, 1, 1, BAD, "router.weight is [3], but the other tensors ask for [n,n]"),
    TENSOR(false, "router.weight", F32, 2, 0, 4, 1, BAD, "router.weight"),
    TENSOR(false, "router.bias", F32, 1, 4, 1, 1, BAD, "router.bias is [4]"),
    TENSOR(false, "experts.w1", F32, 3, 3, 4, 5, BAD, "experts.w1 is [3,4,5], but the other tensors ask for [3,n,4]"),
    TENSOR(false, "experts.w2", F32, 3, 3, 5, 4, BAD, "experts.w2"),
    TENSOR(false, "experts.w2", SMOE_TENSOR_FLOAT16, 3, 3, 4, 5, OK, ""),
    TENSOR(true, "experts.w3", SMOE_TENSOR_FLOAT16, 3, 3, 5, 4, BAD, "experts.w1 and experts.w3 must have one type"),
    TENSOR(false, "experts.b1", F32, 2, 3, 4, 1, BAD, "experts.b1"),
    TENSOR(false, "experts.b2", F32, 2, 3, 5, 1, BAD, "experts.b2"),
    TENSOR(false, "experts.b2", SMOE_TENSOR_FLOAT64, 2, 3, 4, 1, UNSUPPORTED, "experts.b2 is F64"),
    TENSOR(false, "x", F32, 2, 6, 5, 1, BAD, "tensor x is [6,5]"),
    TENSOR(false, "x", F32, 2, 0, 4, 1, BAD, "tensor x is [0,4], but must have elements: every length at least 1"),
    TENSOR(false, "x", SMOE_TENSOR_FLOAT64, 2, 6, 4, 1, UNSUPPORTED, "tensor x is F64"),
    TENSOR(false, "router.selection_bias", F32, 1, 3, 1, 1, BAD, "selection_bias"),
    TENSOR(false, "router.similarity", F32, 2, 2, 3, 1, BAD, "linear and of a cosine router"),
    TENSOR(false, "router.log_scale", F32, 1, 1, 1, 1, BAD, "router.weight and router.log_scale"),
    TENSOR(false, "shared.w1", F32, 2, 5, 4, 1, BAD, "metadata shared is 0, but the file has a tensor \"shared.w1\""),
    TENSOR(false, "experts.w1", SMOE_TENSOR_FLOAT64, 3, 3, 5, 4, UNSUPPORTED,
           "experts.w1 is F64; smoe takes F32, F16 and BF16"),
};

static void test_contradictions(void **state)
{
    (void)state;
    const char *path = sample_path("contradiction");
    test_record record;
    int wrong = 0;
    test_record_init(&record);
    for (size_t i = 0; i < COUNT(changes); i++) {
        const change *c = &changes[i];
        sample_file sample;
        char what[96];
        sample_init(&sample, c->gated);
        if (c->key)
            sample_set(&sample, c->key, c->value);
        else
            sample_tensor(&sample, c->tensor, c->type, c->rank, c->shape[0], c->shape[1], c->shape[2]);
        snprintf(what, sizeof what, "%s = %s", c->key ? c->key : c->tensor, c->value ? c->value : "(changed)");
        assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
        wrong += !sample_layer_gives(&record, path, c->result, c->text, what);
    }
    remove(path);
    assert_int_equal(wrong, 0);
}

/* ---- layers with more than a linear router and a softmax --------------------------------------------------------- */

static bool sample_gives(const sample_file *sample, smoe_result expected, const char *text)
{
    const char *path = sample_path("variant");
    test_record record;
    test_record_init(&record);
    assert_int_equal(sample_write(sample, path), SMOE_SUCCESS);
    const bool right = sample_layer_gives(&record, path, expected, text, text);
    remove(path);
    return right;
}

static void test_types(void **state)
{
    (void)state;
    static const smoe_tensor_type types[] = {F32, SMOE_TENSOR_FLOAT16, SMOE_TENSOR_BFLOAT16};
    static const smoe_type expected[] = {SMOE_TYPE_FLOAT32, SMOE_TYPE_FLOAT16, SMOE_TYPE_BFLOAT16};
    for (size_t i = 0; i < COUNT(types); i++) {
        sample_file sample;
        smoe_plan_desc plan;
        smoe_host_weights weights;
        sample_init_full(&sample);
        sample_tensor(&sample, "experts.w1", types[i], 3, 4, 5, 3);
        sample_tensor(&sample, "experts.w2", types[i], 3, 4, 3, 5);
        sample_tensor(&sample, "experts.w3", types[i], 3, 4, 5, 3);
        smoe_layer_file *own = sample_layer(&sample, &plan, NULL, &weights); /* the shared expert's types are its own */
        assert_non_null(own);
        assert_true(plan.types.up == expected[i] && plan.types.shared_up == SMOE_TYPE_FLOAT32);
        smoe_layer_file_close(own);
        sample_tensor(&sample, "shared.w1", types[i], 2, 7, 4, 1);
        if (types[i] != F32)
            assert_true(sample_gives(&sample, BAD, "shared.w1 and shared.w3 must have one type"));
        sample_tensor(&sample, "shared.w1", types[i], 2, 7, 4, 1);
        sample_tensor(&sample, "shared.w2", types[i], 2, 4, 7, 1);
        sample_tensor(&sample, "shared.w3", types[i], 2, 7, 4, 1);
        sample_tensor(&sample, "latent.down", types[i], 2, 3, 4, 1);
        sample_tensor(&sample, "latent.up", types[i], 2, 4, 3, 1);
        smoe_layer_file *file = sample_layer(&sample, &plan, NULL, &weights);
        assert_non_null(file);
        const smoe_matrix_types all = SMOE_TYPES(expected[i]);
        assert_memory_equal(&plan.types, &all, sizeof all);
        assert_int_equal(weights.w1.type, expected[i]);
        assert_int_equal(weights.shared_w2.type, expected[i]);
        smoe_layer_file_close(file);
        sample_tensor(&sample, "experts.w1", SMOE_TENSOR_FLOAT64, 3, 4, 5, 3);
        sample_tensor(&sample, "experts.w2", SMOE_TENSOR_FLOAT64, 3, 4, 3, 5);
        sample_tensor(&sample, "experts.w3", SMOE_TENSOR_FLOAT64, 3, 4, 5, 3);
        assert_true(sample_gives(&sample, UNSUPPORTED, "experts.w1 is F64; smoe takes F32, F16 and BF16"));
    }
}

static void test_full_layer(void **state)
{
    (void)state;
    sample_file sample;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    sample_init_full(&sample);
    smoe_layer_file *file = sample_layer(&sample, &plan, &params, &weights);
    assert_non_null(file);
    assert_int_equal(plan.router, SMOE_ROUTER_COSINE);
    assert_int_equal(plan.gate, SMOE_GATE_SIGMOID);
    assert_int_equal(plan.projection_width, 2);
    assert_int_equal(plan.expert_count, 4);
    assert_int_equal(plan.group_count, 2);
    assert_int_equal(plan.top_groups, 1);
    assert_int_equal(plan.shared_hidden, 7);
    assert_true(plan.shared_gate);
    assert_int_equal(plan.activation, SMOE_ACTIVATION_SWIGLU_CLAMPED);
    assert_true(params.group_eps == 0.125f);
    const struct {
        const char *name;
        const void *data;
    } tensors[] = {
        {"router.projection.weight", weights.router_projection},
        {"router.projection.bias", weights.router_projection_bias},
        {"router.similarity", weights.router_similarity},
        {"router.log_scale", weights.router_log_scale},
        {"router.selection_bias", weights.selection_bias},
        {"shared.w1", weights.shared_w1.data},
        {"shared.w2", weights.shared_w2.data},
        {"shared.w3", weights.shared_w3.data},
        {"shared.b1", weights.shared_b1}, {"shared.b2", weights.shared_b2}, {"shared.b3", weights.shared_b3},
        {"shared.gate", weights.shared_gate}, {"router.weight", weights.router_weight},
        {"router.bias", weights.router_bias},
    };
    for (size_t i = 0; i < COUNT(tensors); i++) {
        const smoe_tensor *tensor = smoe_layer_file_tensor(file, tensors[i].name);
        assert_ptr_equal(tensors[i].data, tensor ? tensor->data : NULL);
    }
    smoe_layer_file_close(file);
}

static const change given_changes[] = {
    TENSOR(false, "given.weights", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(false, "given.weights", F32, 2, 6, 3, 1, BAD, "given.weights is [6,3], but the other tensors ask for [6,2]"),
    TENSOR(false, "given.weights", SMOE_TENSOR_FLOAT16, 2, 6, 2, 1, UNSUPPORTED, "given.weights is F16"),
    TENSOR(false, "given.ids", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "given.weights must not be there without given.ids"),
    TENSOR(false, "x", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    META("zero_experts", NULL, BAD, "experts.w1 is [2,5,4], but the other tensors ask for [3,n,4]"),
    META("zero_experts", "2", BAD, "experts.w1 is [2,5,4], but the other tensors ask for [1,n,4]"),
    META("n_experts", "2", BAD, "tensor router.weight has 3"),
    META("tokens", "7", BAD, "metadata tokens is \"7\", but tensor x has 6"),
};

static bool change_gives(void (*init)(sample_file *), const change *c)
{
    sample_file sample;
    init(&sample);
    if (c->key)
        sample_set(&sample, c->key, c->value);
    else
        sample_tensor(&sample, c->tensor, c->type, c->rank, c->shape[0], c->shape[1], c->shape[2]);
    return sample_gives(&sample, c->result, c->text);
}

static void test_given_contradictions(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < COUNT(given_changes); i++)
        wrong += !change_gives(sample_init_given, &given_changes[i]);
    assert_int_equal(wrong, 0);
}

static const change full_changes[] = {
    TENSOR(true, "router.projection.bias", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(true, "router.selection_bias", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(true, "shared.b1", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(true, "shared.gate", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    META("shared", NULL, OK, ""),
    META("shared", "2", OK, ""),
    META("group_eps", NULL, OK, ""),
    TENSOR(true, "router.projection.weight", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "router.projection.weight is missing"),
    TENSOR(true, "router.similarity", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "router.similarity is missing"),
    TENSOR(true, "router.log_scale", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "router.log_scale is missing"),
    TENSOR(true, "router.log_scale", F32, 1, 2, 1, 1, BAD, "router.log_scale is [2]"),
    TENSOR(true, "router.similarity", F32, 2, 3, 4, 1, BAD,
           "router.similarity is [3,4], but the other tensors ask for [2,n]"),
    TENSOR(true, "router.similarity", SMOE_TENSOR_FLOAT16, 2, 2, 4, 1, UNSUPPORTED, "router.similarity is F16"),
    TENSOR(true, "router.projection.bias", F32, 1, 3, 1, 1, BAD, "router.projection.bias"),
    TENSOR(true, "router.selection_bias", F32, 1, 3, 1, 1, BAD, "router.selection_bias is [3]"),
    TENSOR(true, "router.bias", F32, 1, 4, 1, 1, BAD, "router.bias and router.projection.weight"),
    TENSOR(true, "shared.w1", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "shared.w1 is missing"),
    TENSOR(true, "shared.w1", F32, 2, 7, 5, 1, BAD, "shared.w1 is [7,5]"),
    TENSOR(true, "shared.w2", F32, 2, 7, 4, 1, BAD, "shared.w2 is [7,4], but the other tensors ask for [4,7]"),
    TENSOR(true, "shared.w3", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "shared.w3 is missing"),
    TENSOR(true, "shared.b3", F32, 1, 6, 1, 1, BAD, "shared.b3"),
    TENSOR(true, "shared.gate", F32, 1, 7, 1, 1, BAD, "shared.gate is [7]"),
    META("shared", "0", BAD, "metadata shared is 0"),
    META("router", "linear", BAD, "tensors are those of a cosine router"),
    META("score", "softmax", BAD, "router.selection_bias must not be there unless the gate is not softmax"),
    META("n_group", "3", BAD, "does not divide the 4 experts"),
    META("n_group", "1", OK, ""), /* and topk_group 1: no groups */
    META("n_group", "4", BAD, "topk_group is 1: so many groups of 1 experts hold fewer than k = 2"),
    META("topk_group", NULL, BAD, "metadata topk_group is missing"),
    META("topk_group", "3", BAD, "metadata topk_group is 3"),
    META("group_eps", "-0.1", BAD, "metadata group_eps"),
    META("score", "sqrt_softplus", OK, ""),
    META("score", "softmax_bias", OK, ""),
    META("renormalize_floor", NULL, OK, ""),
    META("renormalize_add", "0.5", BAD, "metadata renormalize_add: 0.5, must be 0 where renormalize_floor is not"),
    META("renormalize", "False", BAD, "metadata renormalize_floor: 0.25, must be 0 where renormalize is false"),
    META("temperature", "0.5", BAD, "metadata temperature: 0.5, must be 1 unless the gate is softmax"),
    META("balanced_groups", "2", BAD, "metadata balanced_groups: 2, must be 0 where there are 2 groups to choose from"),
    META("n_experts", "3", BAD, "tensor router.similarity has 4"),
    META("d_model", "3", BAD, "tensor router.projection.weight has 4"),
    TENSOR(true, "latent.down.bias", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(true, "latent.up.bias", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(true, "latent.down", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "latent.down is missing"),
    TENSOR(true, "latent.up", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "latent.up is missing"),
    TENSOR(true, "latent.down", F32, 2, 3, 5, 1, BAD, "latent.down is [3,5]"),
    TENSOR(true, "latent.down", F32, 2, 2, 4, 1, BAD, "latent.down.bias is [3]"),
    TENSOR(true, "latent.up", F32, 2, 3, 4, 1, BAD, "latent.up is [3,4], but the other tensors ask for [4,3]"),
    TENSOR(true, "latent.up.bias", F32, 1, 3, 1, 1, BAD, "latent.up.bias is [3]"),
    TENSOR(true, "experts.w2", F32, 3, 4, 4, 5, BAD, "experts.w2 is [4,4,5], but the other tensors ask for [4,3,5]"),
    META("d_latent", "3", OK, ""),
    META("d_latent", "4", BAD, "metadata d_latent is \"4\", but tensor latent.down has 3"),
    META("weighted_input", "False", OK, ""),
    META("weighted_input", "yes", BAD, "metadata weighted_input is \"yes\", but must be True or False"),
    META("weighted_input", "True", BAD, "router.selection_bias must not be there unless weighted_input is false"),
};

static void test_full_contradictions(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < COUNT(full_changes); i++)
        wrong += !change_gives(sample_init_full, &full_changes[i]);
    assert_int_equal(wrong, 0);
}

static void test_balanced_layer(void **state)
{
    static const change changes_of_balanced[] = {
        META("max_active", "3", BAD, "but max_active is 3"),
        META("k", "1", BAD, "but k is 1"),
        META("balanced_groups", "3", BAD, "but expert_count is 4"),
        META("n_group", "2", BAD, "metadata balanced_groups: 2, must be 0 where there are 2 groups to choose from"),
        META("renormalize", "False", BAD, "metadata renormalize_add: 1e-20, must be 0 where renormalize is false"),
        META("activation", "relu", BAD, "metadata gate_alpha: 2.5, must be 0 unless activation is silu"),
        META("activation", "swiglu_clamped", BAD, "metadata gate_max: 2.5, must be 0 with swiglu_clamped"),
        TENSOR(true, "router.expert_scale", F32, 1, 3, 1, 1, BAD, "router.expert_scale is [3]"),
        TENSOR(true, "router.expert_scale", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
        TENSOR(true, "router.selection_bias", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    };
    sample_file sample;
    smoe_plan_desc plan;
    smoe_host_weights weights;
    const smoe_plan_number *number;
    (void)state;
    sample_init_balanced(&sample);
    smoe_layer_file *file = sample_layer(&sample, &plan, NULL, &weights);
    assert_non_null(file);
    assert_int_equal(plan.gate, SMOE_GATE_SOFTMAX_BIAS);
    assert_int_equal(plan.balanced_groups, 2);
    assert_true(plan.expert_scale && plan.renormalize_add == 1e-20f && plan.renormalize_floor == 0);
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        assert_true(number->router || smoe_plan_number_value(number, &plan) == 2.5f);
    assert_ptr_equal(weights.expert_scale, smoe_layer_file_tensor(file, "router.expert_scale")->data);
    smoe_layer_file_close(file);
    for (size_t i = 0; i < COUNT(changes_of_balanced); i++)
        assert_true(change_gives(sample_init_balanced, &changes_of_balanced[i]));
}

/* Makes of the one U8 tensor of a file one of I8, which smoe does not read. */
static void make_unreadable(const char *path)
{
    char text[8192];
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    const size_t size = fread(text, 1, sizeof text, file);
    for (size_t i = 0; i + 4 < size; i++)
        if (memcmp(text + i, "\"U8\"", 4) == 0) {
            assert_int_equal(fseek(file, (long)i + 1, SEEK_SET), 0);
            assert_int_equal(fputc('I', file), 'I');
            assert_int_equal(fclose(file), 0);
            return;
        }
    fail_msg("%s: no tensor of U8", path);
}

/* A tensor of the layer that cannot be read is refused, the optional ones too: without it the layer would be another
 * function. One that no layer has is passed over. */
static void test_unreadable(void **state)
{
    static const struct {
        const char *name;
        uint32_t rank;
        uint64_t shape[3];
        smoe_result result;
    } tensors[] = {
        {"experts.b1", 2, {3, 5, 1}, UNSUPPORTED},
        {"experts.w3", 3, {3, 5, 4}, UNSUPPORTED},
        {"router.selection_bias", 1, {3, 1, 1}, UNSUPPORTED},
        {"x", 2, {6, 4, 1}, UNSUPPORTED},
        {"something.else", 2, {3, 5, 1}, OK},
    };
    const char *path = sample_path("unreadable");
    char text[64];
    smoe_layer_file *file;
    const smoe_tensor *listed;
    test_record record;
    (void)state;
    test_record_init(&record);
    for (size_t i = 0; i < COUNT(tensors); i++) {
        sample_file sample;
        sample_init(&sample, false);
        sample_tensor(&sample, tensors[i].name, SMOE_TENSOR_UINT8, tensors[i].rank, tensors[i].shape[0],
                      tensors[i].shape[1], tensors[i].shape[2]);
        assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
        make_unreadable(path);
        snprintf(text, sizeof text, "tensor %s is I8", tensors[i].name);
        assert_true(sample_layer_gives(&record, path, tensors[i].result, text, tensors[i].name));
        assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
        assert_null(smoe_layer_file_tensor(file, tensors[i].name));
        for (uint32_t k = 0; (listed = smoe_layer_file_tensor_at(file, k)) != NULL; k++)
            assert_string_not_equal(listed->name, tensors[i].name);
        smoe_layer_file_close(file);
    }
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_layer), cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_types), cmocka_unit_test(test_full_layer), cmocka_unit_test(test_full_contradictions),
        cmocka_unit_test(test_balanced_layer), cmocka_unit_test(test_given_contradictions),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests_name("layer file rules", tests, NULL, NULL);
}
