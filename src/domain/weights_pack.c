/* Weights rounded to the types with scales, and back. */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "weights.h"

/* The most columns that are converted to float32 at a time. */
enum { BLOCK_MOST = 128 };

static float float_of(uint16_t half)
{
    float value;
    smoe_type_convert(&value, SMOE_TYPE_FLOAT32, &half, SMOE_TYPE_FLOAT16, 1);
    return value;
}

static uint16_t half_of(float value)
{
    uint16_t half;
    smoe_type_convert(&half, SMOE_TYPE_FLOAT16, &value, SMOE_TYPE_FLOAT32, 1);
    return half;
}

/* ---- elements ---------------------------------------------------------------------------------------------------- */

static const float e2m1_values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

static float e2m1_value(uint32_t code)
{
    return code & 8 ? -e2m1_values[code & 7] : e2m1_values[code & 7];
}

/* To nearest, ties to the even code; beyond 6 it is 6. */
static uint32_t e2m1_code(float value)
{
    const float size = fabsf(value);
    uint32_t code = 0;
    while (code < 7) {
        const float middle = (e2m1_values[code] + e2m1_values[code + 1]) / 2;
        if (size < middle || (size == middle && code % 2 == 0))
            break;
        code++;
    }
    return code | (signbit(value) ? 8u : 0u);
}

static float e4m3_value(uint32_t code)
{
    const uint32_t exponent = code >> 3 & 15u, fraction = code & 7u;
    float size = exponent ? ldexpf((float)(8 + fraction), (int)exponent - 10) : ldexpf((float)fraction, -9);
    if ((code & 127u) == 127u)
        size = NAN;
    return code & 128u ? -size : size;
}

/* To nearest even; beyond 448 it is 448. */
static uint32_t e4m3_code(float value)
{
    const float size = fabsf(value);
    const uint32_t sign = signbit(value) ? 128u : 0u;
    int exponent;
    if (size == 0) /* which frexp gives an exponent of 0 */
        return sign;
    frexpf(size, &exponent); /* size in 2^(exponent - 1) .. 2^exponent */
    const int step = exponent - 1 < -6 ? -9 : exponent - 4;
    const float steps = nearbyintf(ldexpf(size, -step)); /* at most 16; the rounding mode is the caller's, as usual */
    const uint32_t codes = step == -9 ? (uint32_t)steps : (uint32_t)steps + ((uint32_t)(step + 9) << 3);
    return sign | smoe_min_u32(codes, 126);
}

static uint32_t nibble_at(const unsigned char *row, uint32_t k)
{
    return (uint32_t)row[k / 2] >> k % 2 * 4 & 15u;
}

static void put_nibble(unsigned char *row, uint32_t k, uint32_t code)
{
    const unsigned char other = k % 2 ? (unsigned char)(row[k / 2] & 15u) : 0;
    row[k / 2] = (unsigned char)(other | code << k % 2 * 4);
}

/* ---- scales ------------------------------------------------------------------------------------------------------ */

static float scale_value(smoe_type type, const unsigned char *scale)
{
    uint16_t half;
    float value;
    switch (type) {
    case SMOE_TYPE_MXFP4: return *scale == 255 ? NAN : ldexpf(1, (int)*scale - 127);
    case SMOE_TYPE_FP8: memcpy(&value, scale, sizeof value); return value;
    default: memcpy(&half, scale, sizeof half); return float_of(half);
    }
}

/* The scale of a block whose largest element is `most`; false where it does not hold it. */
static bool choose_scale(smoe_type type, float most, unsigned char *scale)
{
    const float size = fabsf(most);
    if (!isfinite(most))
        return false;
    if (type == SMOE_TYPE_MXFP4) {
        int exponent;
        frexpf(size, &exponent); /* size below 2^exponent */
        const int code = exponent - 1 - 2 + 127;
        *scale = (unsigned char)(size == 0 || code < 0 ? 0 : code);
        return true;
    }
    if (type == SMOE_TYPE_FP8) {
        const float value = size / 448;
        memcpy(scale, &value, sizeof value);
        return true;
    }
    const uint16_t half = half_of(size == 0 ? 0 : type == SMOE_TYPE_Q4 ? most / -8 : size / 127);
    memcpy(scale, &half, sizeof half);
    return isfinite(float_of(half));
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* Columns k .. k + count of some rows. */
typedef struct block {
    const smoe_weights_rows *all;
    uint64_t row_size;
    unsigned char *scale;
    uint32_t row, row_count, k, count;
} block;

static unsigned char *row_of(const block *b, uint32_t row)
{
    return (unsigned char *)b->all->rows + row * b->row_size;
}

static void put_element(smoe_type type, unsigned char *row, uint32_t k, float value, float scale)
{
    const float steps = scale != 0 ? value / scale : 0;
    switch (type) {
    case SMOE_TYPE_MXFP4: put_nibble(row, k, e2m1_code(steps)); break;
    case SMOE_TYPE_Q4: put_nibble(row, k, (uint32_t)fminf(fmaxf(nearbyintf(steps) + 8, 0), 15)); break;
    case SMOE_TYPE_FP8: row[k] = (unsigned char)e4m3_code(steps); break;
    default: row[k] = (unsigned char)(int)fminf(fmaxf(nearbyintf(steps), -127), 127); break;
    }
}

static float element(smoe_type type, const unsigned char *row, uint32_t k)
{
    switch (type) {
    case SMOE_TYPE_MXFP4: return e2m1_value(nibble_at(row, k));
    case SMOE_TYPE_Q4: return (float)nibble_at(row, k) - 8;
    case SMOE_TYPE_FP8: return e4m3_value(row[k]);
    default: return (float)(signed char)row[k];
    }
}

static const float *read_floats(const block *b, uint32_t row, const void *from, smoe_type type, float out[BLOCK_MOST])
{
    const uint64_t first = (uint64_t)row * b->all->columns + b->k;
    smoe_type_convert(out, SMOE_TYPE_FLOAT32, (const unsigned char *)from + smoe_type_size(type, first), type,
                      b->count);
    return out;
}

/* The element of the largest size, with its sign; NaN where one is. */
static float largest(const block *b, const void *from, smoe_type type)
{
    float values[BLOCK_MOST], most = 0;
    for (uint32_t r = b->row; r < b->row + b->row_count; r++) {
        read_floats(b, r, from, type, values);
        for (uint32_t i = 0; i < b->count; i++)
            if (isnan(values[i]) || fabsf(values[i]) > fabsf(most)) /* nothing is above NaN: it stays */
                most = values[i];
    }
    return most;
}

static bool pack_block(const block *b, const void *from, smoe_type type)
{
    float values[BLOCK_MOST];
    if (!choose_scale(b->all->type, largest(b, from, type), b->scale))
        return false;
    const float scale = scale_value(b->all->type, b->scale);
    for (uint32_t r = b->row; r < b->row + b->row_count; r++) {
        read_floats(b, r, from, type, values);
        for (uint32_t i = 0; i < b->count; i++)
            put_element(b->all->type, row_of(b, r), b->k + i, values[i], scale);
    }
    return true;
}

static void unpack_block(const block *b, float *to)
{
    const float scale = scale_value(b->all->type, b->scale);
    for (uint32_t r = b->row; r < b->row + b->row_count; r++)
        for (uint32_t k = b->k; k < b->k + b->count; k++)
            to[(uint64_t)r * b->all->columns + k] = element(b->all->type, row_of(b, r), k) * scale;
}

/* The next block, in the order of their scales; false behind the last one. *b: zeros at first. */
static bool next_block(block *b, const smoe_weights_rows *all, const smoe_weights_layout *layout)
{
    if (!b->all) {
        *b = (block){.all = all, .row_size = layout->row_size, .scale = all->scales};
    } else {
        b->scale += smoe_weight_kind_of(all->type)->scale_size;
        b->k += b->count;
        b->row += b->k < all->columns ? 0 : b->row_count;
        b->k = b->k < all->columns ? b->k : 0;
    }
    if (b->row == all->row_count)
        return false;
    b->row_count = smoe_min_u32(layout->block_rows, all->row_count - b->row);
    b->count = smoe_min_u32(layout->block_columns, all->columns - b->k);
    return true;
}

static bool are_rows(const smoe_weights_rows *rows, smoe_weights_layout *layout)
{
    return rows && rows->rows && smoe_weights_layout_get(rows->type, rows->row_count, rows->columns, layout) &&
           (rows->scales || layout->scale_row_size == 0);
}

static void clear_ends(const smoe_weights_rows *rows, const smoe_weights_layout *layout)
{
    const uint64_t used = (uint64_t)rows->columns * smoe_weight_kind_of(rows->type)->bits / 8;
    for (uint32_t r = 0; used < layout->row_size && r < rows->row_count; r++)
        memset((unsigned char *)rows->rows + r * layout->row_size + used, 0, (size_t)(layout->row_size - used));
}

smoe_result smoe_weights_pack(const smoe_weights_rows *to, const void *from, smoe_type from_type)
{
    smoe_weights_layout layout;
    block b = {0};
    if (!from || !are_rows(to, &layout) || smoe_type_size(from_type, 1) == 0)
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (layout.scale_row_size == 0)
        return smoe_type_convert(to->rows, to->type, from, from_type, (size_t)to->row_count * to->columns);
    clear_ends(to, &layout);
    while (next_block(&b, to, &layout))
        if (!pack_block(&b, from, from_type))
            return SMOE_ERROR_UNSUPPORTED;
    return SMOE_SUCCESS;
}

smoe_result smoe_weights_unpack(float *to, const smoe_weights_rows *from)
{
    smoe_weights_layout layout;
    block b = {0};
    if (!to || !are_rows(from, &layout))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (layout.scale_row_size == 0)
        return smoe_type_convert(to, SMOE_TYPE_FLOAT32, from->rows, from->type,
                                 (size_t)from->row_count * from->columns);
    while (next_block(&b, from, &layout))
        unpack_block(&b, to);
    return SMOE_SUCCESS;
}
