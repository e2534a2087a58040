/* Activations, routers, gates, group scores and types by name: the one list of each. */
#include <stdio.h>
#include <string.h>

#include "../../shaders/common/interface.h"
#include "smoe/smoe.h"

#define SMOE_CHECK_ENUMERATOR(NAME, value) _Static_assert((int)SMOE_##NAME == (value), "interface.h and smoe.h agree");
SMOE_ENUMERATORS(SMOE_CHECK_ENUMERATOR)
#undef SMOE_CHECK_ENUMERATOR

#define SMOE_COUNT_PACKED(NAME, number, element, columns, rows, form, second, factor, packs) +(packs)
enum { PACKED_COUNT = 0 SMOE_WEIGHT_TYPES(SMOE_COUNT_PACKED) };
#undef SMOE_COUNT_PACKED
#define SMOE_CHECK_TYPE(NAME, number, element, columns, rows, form, second, factor, packs)                             \
    _Static_assert((int)SMOE_TYPE_##NAME == (number), "interface.h and smoe.h agree");                                 \
    _Static_assert((packs) == ((number) < PACKED_COUNT), "smoe/weights.h: types that are packed come first");          \
    _Static_assert((second) % 32 == 0 && (second) / 32 < 16 && (columns) < 256 && (rows) < 2048 && (factor) < 2,       \
                   "weights.glsl packs a row so");
SMOE_WEIGHT_TYPES(SMOE_CHECK_TYPE)
#undef SMOE_CHECK_TYPE
#define SMOE_CHECK_ELEMENT(NAME, number, bits) _Static_assert((number) < 16, "weights.glsl packs a row so");
SMOE_ELEMENTS(SMOE_CHECK_ELEMENT)
#undef SMOE_CHECK_ELEMENT
#define SMOE_CHECK_FORM(NAME, number, size, second_size) _Static_assert((number) < 16, "weights.glsl packs a row so");
SMOE_SCALE_FORMS(SMOE_CHECK_FORM)
#undef SMOE_CHECK_FORM

typedef struct name_row {
    const char *name;
    int value;
} name_row;

/* smoe's own name comes before others of the same value. */
static const name_row activations[] = {
    {"identity", SMOE_ACTIVATION_IDENTITY},
    {"linear", SMOE_ACTIVATION_IDENTITY},
    {"relu", SMOE_ACTIVATION_RELU},
    {"gelu", SMOE_ACTIVATION_GELU},
    {"gelu_tanh", SMOE_ACTIVATION_GELU_TANH},
    {"gelu_pytorch_tanh", SMOE_ACTIVATION_GELU_TANH},
    {"gelu_new", SMOE_ACTIVATION_GELU_TANH},
    {"silu", SMOE_ACTIVATION_SILU},
    {"swish", SMOE_ACTIVATION_SILU},
    {"relu2", SMOE_ACTIVATION_RELU_SQUARED},
    {"relu_squared", SMOE_ACTIVATION_RELU_SQUARED},
    {"swiglu_clamped", SMOE_ACTIVATION_SWIGLU_CLAMPED},
};

static const name_row routers[] = {{"linear", SMOE_ROUTER_LINEAR}, {"cosine", SMOE_ROUTER_COSINE}};
static const name_row gates[] = {
    {"softmax", SMOE_GATE_SOFTMAX},
    {"sigmoid", SMOE_GATE_SIGMOID},
    {"sqrt_softplus", SMOE_GATE_SQRT_SOFTPLUS},
    {"softmax_bias", SMOE_GATE_SOFTMAX_BIAS},
};

static const name_row group_scores[] = {{"sum2", SMOE_GROUP_SCORE_SUM2}, {"max", SMOE_GROUP_SCORE_MAX}};

/* interface.h has what their elements take. */
typedef struct type_row {
    const char *name, *short_name;
    smoe_precision precision; /* of matrix units that multiply it */
} type_row;

static const type_row types[] = {
    [SMOE_TYPE_FLOAT32] = {"float32", "f32", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_FLOAT16] = {"float16", "f16", SMOE_PRECISION_FLOAT16},
    [SMOE_TYPE_BFLOAT16] = {"bfloat16", "bf16", SMOE_PRECISION_BFLOAT16},
    [SMOE_TYPE_MXFP4] = {"mxfp4", "mxfp4", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q4] = {"q4", "q4", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q8] = {"q8", "q8", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_FP8] = {"fp8", "fp8", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_NVFP4] = {"nvfp4", "nvfp4", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_IQ4] = {"iq4", "iq4", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_IQ4_XS] = {"iq4_xs", "iq4_xs", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q4_MIN] = {"q4_min", "q4_min", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q4_ZERO] = {"q4_zero", "q4_zero", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q4_K] = {"q4_k", "q4_k", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q8_MIN] = {"q8_min", "q8_min", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q8_ZERO] = {"q8_zero", "q8_zero", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q8_K] = {"q8_k", "q8_k", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q6_K] = {"q6_k", "q6_k", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_Q8_ROWS] = {"q8_rows", "q8_rows", SMOE_PRECISION_FLOAT32},
    [SMOE_TYPE_FP8_ROWS] = {"fp8_rows", "fp8_rows", SMOE_PRECISION_FLOAT32},
};

#define COUNT(rows) (sizeof (rows) / sizeof (rows)[0])

static const char *name_of(const name_row *rows, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].value == value)
            return rows[i].name;
    return NULL;
}

static const name_row *find(const name_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const char *smoe_activation_name(smoe_activation activation)
{
    return name_of(activations, COUNT(activations), (int)activation);
}

const char *smoe_router_name(smoe_router router)
{
    return name_of(routers, COUNT(routers), (int)router);
}

const char *smoe_gate_name(smoe_gate gate)
{
    return name_of(gates, COUNT(gates), (int)gate);
}

const char *smoe_group_score_name(smoe_group_score score)
{
    return name_of(group_scores, COUNT(group_scores), (int)score);
}

static bool is_type(smoe_type type)
{
    return (uint32_t)type < COUNT(types);
}

const char *smoe_type_name(smoe_type type)
{
    return is_type(type) ? types[type].name : NULL;
}

const char *smoe_type_short_name(smoe_type type)
{
    return is_type(type) ? types[type].short_name : NULL;
}

smoe_precision smoe_type_precision(smoe_type type)
{
    return is_type(type) ? types[type].precision : SMOE_PRECISION_FLOAT32;
}

/* "a, b or c", of the names of 0, 1, ... */
static void list(const name_row *rows, size_t count, char *text)
{
    const char *name;
    size_t used = 0;
    for (int i = 0; (name = name_of(rows, count, i)) != NULL && used < SMOE_NAME_LIST_SIZE; i++) {
        const char *separator = i == 0 ? "" : name_of(rows, count, i + 1) ? ", " : " or ";
        used += (size_t)snprintf(text + used, SMOE_NAME_LIST_SIZE - used, "%s%s", separator, name);
    }
}

void smoe_activation_list(char text[SMOE_NAME_LIST_SIZE])
{
    list(activations, COUNT(activations), text);
}

void smoe_router_list(char text[SMOE_NAME_LIST_SIZE])
{
    list(routers, COUNT(routers), text);
}

void smoe_gate_list(char text[SMOE_NAME_LIST_SIZE])
{
    list(gates, COUNT(gates), text);
}

void smoe_group_score_list(char text[SMOE_NAME_LIST_SIZE])
{
    list(group_scores, COUNT(group_scores), text);
}

bool smoe_activation_find(const char *name, smoe_activation *out)
{
    const name_row *row = find(activations, COUNT(activations), name);
    if (row && out)
        *out = (smoe_activation)row->value;
    return row && out;
}

bool smoe_router_find(const char *name, smoe_router *out)
{
    const name_row *row = find(routers, COUNT(routers), name);
    if (row && out)
        *out = (smoe_router)row->value;
    return row && out;
}

bool smoe_gate_find(const char *name, smoe_gate *out)
{
    const name_row *row = find(gates, COUNT(gates), name);
    if (row && out)
        *out = (smoe_gate)row->value;
    return row && out;
}

bool smoe_group_score_find(const char *name, smoe_group_score *out)
{
    const name_row *row = find(group_scores, COUNT(group_scores), name);
    if (row && out)
        *out = (smoe_group_score)row->value;
    return row && out;
}

bool smoe_type_find(const char *name, smoe_type *out)
{
    for (size_t i = 0; name && out && i < COUNT(types); i++)
        if (strcmp(types[i].name, name) == 0 || strcmp(types[i].short_name, name) == 0) {
            *out = (smoe_type)i;
            return true;
        }
    return false;
}
