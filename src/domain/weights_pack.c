/* Weights rounded to the types with scales. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "weights_block.h"

/* The most columns that are converted to float32 at a time. */
enum { BLOCK_MOST = 128 };

/* The largest sizes of elements; q4's is -8. */
#define E2M1_MOST 6.0f
#define E4M3_MOST 448.0f

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* To nearest, ties to the even code; beyond 6 it is 6. */
static uint32_t e2m1_code(float value)
{
    const float size = fabsf(value);
    uint32_t code = 0;
    while (code < 7) {
        const float middle = (smoe_e2m1_value(code) + smoe_e2m1_value(code + 1)) / 2;
        if (size < middle || (size == middle && code % 2 == 0))
            break;
        code++;
    }
    return code | (signbit(value) ? 8u : 0u);
}

/* To nearest even; beyond 448 it is 448. */
static uint32_t e4m3_code(float value)
{
    const float size = fabsf(value);
    const uint32_t sign = signbit(value) ? 128u : 0u;
    int exponent;
    if (size == 0) /* which frexp gives an exponent of 0 */
        return sign;
    if (size > E4M3_MOST)
        return sign | 126u;
    frexpf(size, &exponent); /* size in 2^(exponent - 1) .. 2^exponent */
    const int step = exponent - 1 < -6 ? -9 : exponent - 4;
    const float steps = nearbyintf(ldexpf(size, -step)); /* at most 16; the rounding mode is the caller's, as usual */
    const uint32_t codes = step == -9 ? (uint32_t)steps : (uint32_t)steps + ((uint32_t)(step + 9) << 3);
    return sign | smoe_min_u32(codes, 126);
}

static uint32_t int_code(float value, float least, float most)
{
    return (uint32_t)(int)fminf(fmaxf(nearbyintf(value), least), most);
}

static void put_nibble(unsigned char *row, uint32_t k, uint32_t code)
{
    const unsigned char other = k % 2 ? (unsigned char)(row[k / 2] & 15u) : 0;
    row[k / 2] = (unsigned char)(other | code << k % 2 * 4);
}

static void put_element(smoe_element element, unsigned char *row, uint32_t k, float steps)
{
    switch (element) {
    case SMOE_ELEMENT_E2M1: put_nibble(row, k, e2m1_code(steps)); break;
    case SMOE_ELEMENT_OFFSET4: put_nibble(row, k, int_code(steps, -8, 7) + 8); break;
    case SMOE_ELEMENT_E4M3: row[k] = (unsigned char)e4m3_code(steps); break;
    default: row[k] = (unsigned char)int_code(steps, -127, 127); break;
    }
}

/* ---- scales ------------------------------------------------------------------------------------------------------ */

/* Each chooses and stores the scale of a block whose largest element is `most`, which is finite; *value: what it is
 * worth. False where the type does not hold it. */
static bool choose_e8m0(float most, unsigned char *scale, float *value)
{
    int exponent;
    frexpf(fabsf(most), &exponent); /* below 2^exponent */
    const int code = exponent - 1 - 2 + 127;
    *scale = (unsigned char)(most == 0 || code < 0 ? 0 : code);
    *value = smoe_e8m0_value(*scale);
    return true;
}

static bool choose_e4m3(float most, unsigned char *scale, float *value)
{
    *scale = (unsigned char)e4m3_code(fabsf(most) / E2M1_MOST);
    *value = smoe_e4m3_value(*scale);
    return true;
}

static bool choose_float(float most, unsigned char *scale, float *value)
{
    *value = fabsf(most) / E4M3_MOST;
    memcpy(scale, value, sizeof *value);
    return true;
}

static bool choose_half(float wanted, unsigned char *scale, float *value)
{
    smoe_type_convert(scale, SMOE_TYPE_FLOAT16, &wanted, SMOE_TYPE_FLOAT32, 1);
    *value = smoe_half_value(scale);
    return isfinite(*value);
}

static bool choose_scale(const smoe_weight_kind *kind, float most, unsigned char *scale, float *value)
{
    if (!isfinite(most))
        return false;
    switch (kind->form) {
    case SMOE_SCALE_E8M0: return choose_e8m0(most, scale, value);
    case SMOE_SCALE_E4M3: return choose_e4m3(most, scale, value);
    case SMOE_SCALE_FLOAT: return choose_float(most, scale, value);
    default: break;
    }
    const float wanted = kind->element == SMOE_ELEMENT_OFFSET4 ? most / -8 : fabsf(most) / 127;
    return choose_half(most == 0 ? 0 : wanted, scale, value);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* What a matrix is rounded from. */
typedef struct source {
    const unsigned char *data;
    smoe_type type;
    float factor; /* that elements are divided by */
} source;

static void read_floats(const smoe_weight_block *b, uint32_t row, const source *from, float out[BLOCK_MOST])
{
    const uint64_t first = (uint64_t)row * b->all->columns + b->k;
    smoe_type_convert(out, SMOE_TYPE_FLOAT32, from->data + smoe_type_size(from->type, first), from->type, b->count);
    for (uint32_t i = 0; from->factor != 1 && i < b->count; i++)
        out[i] /= from->factor;
}

/* The one of the larger size, with its sign; NaN where one is: nothing is above it. */
static float larger(float most, float value)
{
    return isnan(value) || fabsf(value) > fabsf(most) ? value : most;
}

static float largest(const smoe_weight_block *b, const source *from)
{
    float values[BLOCK_MOST], most = 0;
    for (uint32_t r = b->row; r < b->row + b->row_count; r++) {
        read_floats(b, r, from, values);
        for (uint32_t i = 0; i < b->count; i++)
            most = larger(most, values[i]);
    }
    return most;
}

static bool pack_block(const smoe_weight_block *b, const source *from)
{
    float values[BLOCK_MOST], scale;
    if (!choose_scale(b->kind, largest(b, from), b->scale, &scale))
        return false;
    for (uint32_t r = b->row; r < b->row + b->row_count; r++) {
        read_floats(b, r, from, values);
        for (uint32_t i = 0; i < b->count; i++)
            put_element(b->kind->element, smoe_weight_block_row(b, r), b->k + i, scale != 0 ? values[i] / scale : 0);
    }
    return true;
}

bool smoe_weights_can_pack(smoe_type type)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    return kind && kind->packs;
}

float smoe_weights_factor(smoe_type type, const void *from, smoe_type from_type, uint64_t count)
{
    const uint64_t size = smoe_type_size(from_type, 1);
    const bool own = type == SMOE_TYPE_NVFP4;
    float values[BLOCK_MOST], most = 0;
    if (!from || size == 0 || !smoe_weight_kind_of(type))
        return 0;
    for (uint64_t i = 0, step; own && i < count; i += step) {
        step = smoe_min_u64(count - i, BLOCK_MOST);
        smoe_type_convert(values, SMOE_TYPE_FLOAT32, (const unsigned char *)from + i * size, from_type, (size_t)step);
        for (uint32_t k = 0; k < step; k++)
            most = larger(most, values[k]);
    }
    return own && isfinite(most) ? fmaxf(fabsf(most) / (E2M1_MOST * E4M3_MOST), FLT_MIN) : 1;
}

smoe_result smoe_weights_pack(const smoe_weights_rows *to, const void *from, smoe_type from_type)
{
    smoe_weight_block b;
    if (!from || !smoe_weight_block_begin(&b, to) || smoe_type_size(from_type, 1) == 0)
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!smoe_weights_can_pack(to->type))
        return SMOE_ERROR_UNSUPPORTED;
    if (b.kind->scale_size == 0)
        return smoe_type_convert(to->rows, to->type, from, from_type, (size_t)to->row_count * to->columns);
    const source floats = {from, from_type, b.kind->factor && to->factor != 0 ? to->factor : 1};
    if (!(floats.factor > 0 && isfinite(floats.factor)))
        return SMOE_ERROR_INVALID_ARGUMENT;
    smoe_weights_clear_ends(to);
    while (smoe_weight_block_next(&b))
        if (!pack_block(&b, &floats))
            return SMOE_ERROR_UNSUPPORTED;
    return SMOE_SUCCESS;
}
