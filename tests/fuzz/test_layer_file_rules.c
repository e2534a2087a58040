/* Layer files: what is written comes back, what is wrong is refused with a line that says why. */
#define _POSIX_C_SOURCE 200809L
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/record.h"
#include "file/file_internal.h"
#include "sample_file.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Opens and interprets what lies at path; prints what a wrong answer was. */
static bool layer_gives(test_record *record, const char *path, smoe_result expected, const char *text, const char *what)
{
    const smoe_log log = test_record_log(record);
    smoe_layer_file *file = NULL;
    test_record_clear(record);
    smoe_result result = smoe_layer_file_open(path, NULL, &log, &file);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_file_layer(file, NULL, NULL, NULL);
    smoe_layer_file_close(file);
    const bool right = result == expected && (expected == SMOE_SUCCESS ? test_record_problem_count(record) == 0
                                                                       : test_record_problem_count(record) == 1 &&
                                                                             test_record_has_problem(record, text) &&
                                                                             test_record_has_problem(record, path));
    if (!right) {
        printf("%s: got %d, want %d and one line with the path and \"%s\"; log:\n", what, (int)result, (int)expected, text);
        test_record_print(record);
    }
    return right;
}

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
        const smoe_plan_desc plan_expected = {4, 5, 3, 2, 3, 6, SMOE_ROUTER_LINEAR, SMOE_GATE_SOFTMAX, SMOE_ACTIVATION_GELU,
                                              SMOE_TYPE_FLOAT32, gated, true};
        assert_int_equal(plan.d_model, plan_expected.d_model);
        assert_int_equal(plan.d_hidden, plan_expected.d_hidden);
        assert_int_equal(plan.expert_count, plan_expected.expert_count);
        assert_int_equal(plan.top_k, plan_expected.top_k);
        assert_int_equal(plan.max_active, plan_expected.max_active);
        assert_int_equal(plan.max_tokens, plan_expected.max_tokens);
        assert_int_equal(plan.activation, plan_expected.activation);
        assert_int_equal(plan.weight_type, plan_expected.weight_type);
        assert_int_equal(plan.gated, plan_expected.gated);
        assert_int_equal(plan.renormalize, plan_expected.renormalize);
        assert_int_equal(params.token_count, 6);
        assert_true(params.eps == 0.25f && params.a == 1.0f && params.b == 50.0f && params.temperature == 0.5f);
        assert_true(params.scale == 2.5f && params.tie_tolerance == 1e-3f && params.max_active == 0);
        assert_ptr_equal(weights.router_weight, smoe_layer_file_tensor(file, "router.weight")->data);
        assert_ptr_equal(weights.router_bias, smoe_layer_file_tensor(file, "router.bias")->data);
        assert_ptr_equal(weights.w1, smoe_layer_file_tensor(file, "experts.w1")->data);
        assert_ptr_equal(weights.w2, smoe_layer_file_tensor(file, "experts.w2")->data);
        assert_ptr_equal(weights.b1, smoe_layer_file_tensor(file, "experts.b1")->data);
        assert_ptr_equal(weights.b2, smoe_layer_file_tensor(file, "experts.b2")->data);
        assert_ptr_equal(weights.w3, gated ? smoe_layer_file_tensor(file, "experts.w3")->data : NULL);
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
#define TENSOR(gated, name, type, rank, n0, n1, n2, result, text) {NULL, NULL, name, type, rank, {n0, n1, n2}, gated, result, text}
#define F32 SMOE_TENSOR_FLOAT32
#define OK SMOE_SUCCESS
#define BAD SMOE_ERROR_FILE
#define NOT_YET SMOE_ERROR_UNSUPPORTED

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
    META("score", "sigmoid", NOT_YET, "sigmoid"),
    META("score", "tanh", BAD, "softmax or sigmoid"),
    META("n_group", "2", NOT_YET, "n_group"),
    META("topk_group", "2", BAD, "topk_group"),
    META("shared", "1", BAD, "no tensor \"shared.*\""),
    META("activation", "relu2", NOT_YET, "relu2"),
    TENSOR(false, "x", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(false, "router.bias", F32, SAMPLE_ABSENT, 1, 1, 1, OK, ""),
    TENSOR(false, "something.else", SMOE_TENSOR_INT64, 3, 1, 2, 3, OK, ""),
    TENSOR(false, "router.weight", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "router.weight is missing"),
    TENSOR(false, "experts.w1", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "experts.w1 is missing"),
    TENSOR(false, "experts.w2", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "experts.w2 is missing"),
    TENSOR(true, "experts.w3", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "experts.b3 is there without experts.w3"),
    TENSOR(false, "experts.b1", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "bias contradicts"),
    TENSOR(true, "experts.b3", F32, SAMPLE_ABSENT, 1, 1, 1, BAD, "bias contradicts"),
    TENSOR(false, "experts.w3", F32, 3, 3, 5, 4, BAD, "gated contradicts"),
    TENSOR(false, "router.weight", F32, 1, 3, 1, 1, BAD, "router.weight is [3], but the other tensors ask for [n,n]"),
    TENSOR(false, "router.weight", F32, 2, 0, 4, 1, BAD, "router.weight"),
    TENSOR(false, "router.bias", F32, 1, 4, 1, 1, BAD, "router.bias is [4]"),
    TENSOR(false, "experts.w1", F32, 3, 3, 4, 5, BAD, "experts.w1 is [3,4,5], but the other tensors ask for [3,n,4]"),
    TENSOR(false, "experts.w2", F32, 3, 3, 5, 4, BAD, "experts.w2"),
    TENSOR(false, "experts.w2", SMOE_TENSOR_FLOAT16, 3, 3, 4, 5, BAD, "one dtype"),
    TENSOR(true, "experts.w3", SMOE_TENSOR_FLOAT16, 3, 3, 5, 4, BAD, "one dtype"),
    TENSOR(false, "experts.b1", F32, 2, 3, 4, 1, BAD, "experts.b1"),
    TENSOR(false, "experts.b2", F32, 2, 3, 5, 1, BAD, "experts.b2"),
    TENSOR(false, "experts.b2", SMOE_TENSOR_FLOAT64, 2, 3, 4, 1, NOT_YET, "experts.b2 is F64"),
    TENSOR(false, "x", F32, 2, 6, 5, 1, BAD, "tensor x is [6,5]"),
    TENSOR(false, "x", F32, 2, 0, 4, 1, BAD, "tensor x is"),
    TENSOR(false, "x", SMOE_TENSOR_FLOAT64, 2, 6, 4, 1, NOT_YET, "tensor x is F64"),
    TENSOR(false, "router.selection_bias", F32, 1, 3, 1, 1, BAD, "selection_bias"),
    TENSOR(false, "router.similarity", F32, 2, 2, 3, 1, BAD, "linear and of a cosine router"),
    TENSOR(false, "shared.w1", F32, 2, 5, 4, 1, BAD, "metadata shared is 0"),
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
        wrong += !layer_gives(&record, path, c->result, c->text, what);
    }
    remove(path);
    assert_int_equal(wrong, 0);
}

/* Several changes that are right, or not supported, only together. */
static void test_combinations(void **state)
{
    (void)state;
    const char *path = sample_path("combination");
    test_record record;
    sample_file sample;
    test_record_init(&record);

    sample_init(&sample, true);
    sample_tensor(&sample, "experts.w1", SMOE_TENSOR_FLOAT16, 3, 3, 5, 4);
    sample_tensor(&sample, "experts.w2", SMOE_TENSOR_FLOAT16, 3, 3, 4, 5);
    sample_tensor(&sample, "experts.w3", SMOE_TENSOR_FLOAT16, 3, 3, 5, 4);
    assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
    smoe_layer_file *file;
    smoe_plan_desc plan;
    smoe_host_weights weights;
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
    assert_int_equal(smoe_layer_file_layer(file, &plan, NULL, &weights), SMOE_SUCCESS);
    assert_int_equal(plan.weight_type, SMOE_TYPE_FLOAT16);
    assert_int_equal(weights.weight_type, SMOE_TYPE_FLOAT16);
    smoe_layer_file_close(file);

    sample_tensor(&sample, "experts.w1", SMOE_TENSOR_BFLOAT16, 3, 3, 5, 4);
    sample_tensor(&sample, "experts.w2", SMOE_TENSOR_BFLOAT16, 3, 3, 4, 5);
    sample_tensor(&sample, "experts.w3", SMOE_TENSOR_BFLOAT16, 3, 3, 5, 4);
    assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
    assert_true(layer_gives(&record, path, NOT_YET, "BF16", "bfloat16 weights"));

    sample_init(&sample, false);
    sample_set(&sample, "router", "cosine");
    sample_tensor(&sample, "router.weight", F32, SAMPLE_ABSENT, 1, 1, 1);
    sample_tensor(&sample, "router.similarity", F32, 2, 2, 3, 1);
    assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
    assert_true(layer_gives(&record, path, NOT_YET, "cosine", "cosine router"));

    sample_init(&sample, false);
    sample_set(&sample, "shared", "1");
    sample_tensor(&sample, "shared.w1", F32, 2, 5, 4, 1);
    assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
    assert_true(layer_gives(&record, path, NOT_YET, "shared experts", "shared experts"));
    remove(path);
}

/* Headers as text, with the bytes of data behind them. */
typedef struct raw_file {
    const char *header;
    size_t data_size;
    smoe_result result;
    const char *text;
} raw_file;

#define ENTRY(dtype, shape, begin, end) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"
#define SEVEN "1,1,1,1,1,1,1"

static const raw_file raw_files[] = {
    {"{}", 0, OK, ""},
    {" {\n\t\"a\" : " ENTRY("F32", "[1]", "0", "4") " , \"b\":" ENTRY("U8", "[ 0 ]", "4", "4") "} ", 4, OK, ""},
    {"{\"b\":" ENTRY("F32", "[1]", "4", "8") ",\"a\":" ENTRY("F32", "[1]", "0", "4") "}", 8, OK, ""}, /* any order in the text */
    {"{\"a\":" ENTRY("F8_E4M3", "[3]", "0", "3") ",\"b\":" ENTRY("F4", "[2]", "3", "4") "}", 4, OK, ""},
    {"{\"a\":" ENTRY("F32", "[" SEVEN "]", "0", "4") "}", 4, OK, ""},
    {"{\"__metadata__\":{}}", 0, OK, ""},
    {"{\"__metadata__\":{\"a\":\"\\u20ac\\ud83d\\ude00\"}}", 0, OK, ""},
    {"", 0, BAD, "not an object"},
    {"[]", 0, BAD, "not an object"},
    {"null", 0, BAD, "not an object"},
    {"{", 0, BAD, "name is missing"},
    {"{}x", 0, BAD, "something follows"},
    {"{}{}", 0, BAD, "something follows"},
    {"{\"a\"}", 0, BAD, "colon"},
    {"{\"a\":}", 0, BAD, "not a JSON object"},
    {"{\"a\":1,}", 0, BAD, "name is missing"},
    {"{\"a\":1 \"b\":2}", 0, BAD, ""},
    {"{\"a", 0, BAD, "does not end"},
    {"{\"a\\", 0, BAD, "does not end"},
    {"{\"a\":{", 0, BAD, "does not end"},
    {"{\"a\":]}", 0, BAD, "brackets"},
    {"{\"a\":[}]}", 0, BAD, "brackets"},
    {"{\"a\\u0000b\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "NUL"},
    {"{\"a\x01\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "control character"},
    {"{\"a\\x\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "not a proper string"},
    {"{\"a\\ud800\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "not a proper string"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"a\":" ENTRY("F32", "[1]", "4", "8") "}", 8, BAD, "two tensors are named \"a\""},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"\\u0061\":" ENTRY("F32", "[1]", "4", "8") "}", 8, BAD, "two tensors"},
    {"{\"a\":" ENTRY("F31", "[1]", "0", "4") "}", 4, BAD, "\"F31\" is not a dtype"},
    {"{\"a\":" ENTRY("F32", "[2]", "0", "4") "}", 4, BAD, "need 8"},
    {"{\"a\":" ENTRY("F4", "[3]", "0", "1") "}", 1, BAD, "need 2"},
    {"{\"a\":" ENTRY("F32", "[-1]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1.5]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[\"1\"]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1e300]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[9007199254740993]", "0", "4") "}", 4, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[4294967296,4294967296]", "0", "4") "}", 4, BAD, "more elements"},
    {"{\"a\":" ENTRY("F32", "[4611686018427387904,4]", "0", "0") "}", 0, BAD, "whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "-4", "0") "}", 4, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "0.5", "4.5") "}", 5, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "4", "0") "}", 4, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4,8") "}", 8, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "1e18") "}", 4, BAD, "two whole numbers"},
    {"{\"a\":" ENTRY("F32", "[1]", "4", "8") "}", 8, BAD, "belong to no tensor"},
    {"{\"a\":" ENTRY("F32", "[2]", "0", "8") ",\"b\":" ENTRY("F32", "[2]", "4", "12") "}", 12, BAD, "overlaps"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"b\":" ENTRY("F32", "[1]", "0", "4") "}", 4, BAD, "overlaps"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") ",\"b\":" ENTRY("F32", "[1]", "8", "12") "}", 12, BAD, "belong to no tensor"},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") "}", 3, BAD, ""},
    {"{\"a\":" ENTRY("F32", "[1]", "0", "4") "}", 5, BAD, ""},
    {"{\"a\":" ENTRY("F32", "[1000000000000]", "0", "4000000000000") "}", 4, BAD, ""},
    {"{\"a\":" ENTRY("BOOL", "[1000000000000]", "0", "1000000000000") "}", 4, BAD, ""},
    {"{\"a\":" ENTRY("BOOL", "[3]", "0", "3") ",\"b\":" ENTRY("U8", "[4]", "3", "7") ",\"c\":" ENTRY("U8", "[4]", "7", "11") "}", 8, BAD,
     ""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, BAD, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, BAD, "shape"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "dtype"},
    {"{\"a\":{\"DTYPE\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "dtype"},
    {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, BAD, "shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BAD, "once each"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[[[[[[[[[1]]]]]]]]]],\"data_offsets\":[0,4]}}", 4, BAD, "nests too deeply"},
    {"{\"a\":[0,4]}", 4, BAD, "not a JSON object"},
    {"{\"__metadata__\":[]}", 0, BAD, "__metadata__ is not valid JSON"},
    {"{\"__metadata__\":{\"a\":1}}", 0, BAD, "strings to strings"},
    {"{\"__metadata__\":{\"a\":null}}", 0, BAD, "strings to strings"},
    {"{\"__metadata__\":{\"a\":[\"b\"]}}", 0, BAD, "strings to strings"},
    {"{\"__metadata__\":{\"a\":\"b\"x}}", 0, BAD, "strings to strings"},
    {"{\"__metadata__\":{\"a\":\"b\\u0000\"}}", 0, BAD, "NUL"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, BAD, "two members named \"a\""},
    {"{\"__metadata__\":{\"key\":\"some longer value\"},\"__metadata__\":{}}", 0, BAD, "two members named"},
    {"{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0}", 0, BAD, "too short"},
};

static void test_headers(void **state)
{
    (void)state;
    const char *path = sample_path("raw");
    test_record record;
    int wrong = 0;
    test_record_init(&record);
    for (size_t i = 0; i < COUNT(raw_files); i++) {
        const raw_file *raw = &raw_files[i];
        const smoe_log log = test_record_log(&record);
        size_t size;
        unsigned char *bytes = sample_raw(raw->header, raw->data_size, &size);
        for (int piped = 0; piped < 2; piped++) {
            smoe_layer_file *file;
            test_record_clear(&record);
            const smoe_result result = sample_open_bytes(piped ? NULL : path, bytes, size, NULL, &log, &file);
            const bool right = result == raw->result && (result == SMOE_SUCCESS) == (file != NULL) &&
                               test_record_problem_count(&record) == (result != SMOE_SUCCESS) &&
                               (result == SMOE_SUCCESS || test_record_has_problem(&record, raw->text));
            if (!right) {
                printf("%s, %zu bytes of data, %s: got %d, want %d and \"%s\"; log:\n", raw->header, raw->data_size,
                       piped ? "pipe" : "file", (int)result, (int)raw->result, raw->text);
                test_record_print(&record);
            }
            wrong += !right;
            smoe_layer_file_close(file);
        }
        free(bytes);
    }
    remove(path);
    assert_int_equal(wrong, 0);
}

static void release_nothing(void *user, void *memory)
{
    (void)user;
    (void)memory;
}

static void test_paths(void **state)
{
    (void)state;
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_layer_file *file = (smoe_layer_file *)&record;
    assert_int_equal(smoe_layer_file_open("/nowhere/at/all", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_null(file);
    assert_int_equal(smoe_layer_file_open("/tmp", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_int_equal(smoe_layer_file_open("/dev/null", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_int_equal(smoe_layer_file_open("/dev/zero", NULL, &log, &file), SMOE_ERROR_FILE);
    assert_int_equal(smoe_layer_file_open(NULL, NULL, &log, &file), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_open("/tmp", NULL, &log, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    const smoe_allocator half = {NULL, release_nothing, NULL};
    assert_int_equal(smoe_layer_file_open("/tmp", &half, &log, &file), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write("/dev/null", NULL, 0, NULL, 0, &half, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_layer(NULL, NULL, NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
    smoe_layer_file_close(NULL);
    assert_null(smoe_layer_file_tensor(NULL, "x"));
    assert_null(smoe_layer_file_tensor_at(NULL, 0));
    assert_null(smoe_layer_file_metadata(NULL, "x"));
}

/* Every wrong argument of smoe_layer_file_write, and files that cannot be written. */
static void test_write_refuses(void **state)
{
    (void)state;
    static const float data[4] = {1, 2, 3, 4};
    const smoe_tensor good = {"a", F32, 1, {4, 1, 1, 1}, data, 16};
    smoe_tensor bad[9];
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good;
    bad[0].name = NULL;
    bad[1].name = "__metadata__";
    bad[2].type = (smoe_tensor_type)77;
    bad[3].rank = 5;
    bad[4].size = 15;
    bad[5].data = NULL;
    bad[6].shape[0] = UINT64_MAX / 2;
    bad[7].shape[0] = 5;
    bad[8].rank = 2, bad[8].shape[0] = UINT64_C(1) << 62, bad[8].shape[1] = 4, bad[8].size = 0;
    const char *path = sample_path("write");
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    for (size_t i = 0; i < COUNT(bad); i++) {
        test_record_clear(&record);
        assert_int_equal(smoe_layer_file_write(path, &bad[i], 1, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(test_record_problem_count(&record), 1);
    }
    const smoe_tensor twice[] = {good, good};
    const char *const same[] = {"k", "1", "k", "2"}, *const hole[] = {"k", NULL};
    assert_int_equal(smoe_layer_file_write(path, twice, 2, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, same, 2, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, hole, 1, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, NULL, 1, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, NULL, 1, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_layer_file_write(NULL, &good, 1, NULL, 0, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    test_record_clear(&record);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, same, UINT32_MAX / 2 + 1, NULL, &log), SMOE_ERROR_INVALID_ARGUMENT);
    assert_true(test_record_has_problem(&record, "metadata_count"));
    assert_null(fopen(path, "rb"));
    assert_int_equal(smoe_layer_file_write("/nowhere/at/all", &good, 1, NULL, 0, NULL, &log), SMOE_ERROR_FILE);
    /* A path that was there before may be a device: a failing write does not remove it. The link stands for it. */
    remove(path);
    assert_int_equal(symlink("/dev/full", path), 0);
    assert_int_equal(smoe_layer_file_write(path, &good, 1, NULL, 0, NULL, &log), SMOE_ERROR_FILE);
    assert_int_equal(remove(path), 0);
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",       "0.1",    "0.05",  "1e-5", "3.4028234663852886e38", "1.17549435e-38", "50.0",
                                        "0.30000001192092896", "123456789012345678901234567890", "2.5E+3", "1e-45", "-0.25",
                                        "00012.500", "1e22", "7e-23", "0.1000000014901161193847656250000000000000001"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        double value;
        assert_true(smoe_file_parse_number(texts[i], &value));
        assert_true((float)value == strtof(texts[i], NULL)); /* the C locale */
    }
    uint64_t whole;
    assert_true(smoe_file_parse_integer("18446744073709551615", &whole));
    assert_true(whole == UINT64_MAX);
    assert_false(smoe_file_parse_integer("18446744073709551616", &whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_layer),   cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_combinations), cmocka_unit_test(test_headers), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_write_refuses), cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests_name("layer file rules", tests, NULL, NULL);
}
