/* Scales, zero points and factors of sources: each is written as what it is, or refused. */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/text.h"
#include "half.h"
#include "source.h"
#include "weights_block.h"

/* ---- scales ------------------------------------------------------------------------------------------------------ */

/* The scales of a row: where the first one is, and bytes from one to the next. */
typedef struct scale_row {
    const unsigned char *first;
    uint64_t step;
    smoe_scale_type type;
} scale_row;

static scale_row scales_of(const smoe_source_reading *r, uint32_t row)
{
    const uint32_t size = smoe_source_scale_size(r->source->scale_type);
    const bool transposed = smoe_source_is_transposed(r->format);
    const uint64_t at = transposed ? row : row / r->group_rows * r->scale_step;
    return (scale_row){(const unsigned char *)r->source->scales.data + at * size,
                       transposed ? (uint64_t)r->source->rows * size : size, r->source->scale_type};
}

/* Each number that a scale may be is a float32. */
static inline float scale_at(const scale_row *scales, uint32_t group)
{
    const unsigned char *from = scales->first + group * scales->step;
    uint16_t word;
    switch (scales->type) {
    case SMOE_SCALE_TYPE_FLOAT32: return smoe_float_value(from);
    case SMOE_SCALE_TYPE_BFLOAT16: memcpy(&word, from, sizeof word); return smoe_float_of_bfloat(word);
    case SMOE_SCALE_TYPE_E8M0: return smoe_e8m0_value(*from);
    default: return smoe_half_value(from);
    }
}

/* value / 2^exponent as a float16; false where it is none. NaN stays NaN, with its upper bits. */
static bool half_of(float value, int exponent, uint16_t *half)
{
    const uint32_t bits = smoe_bits_of_float(value);
    const int biased = (int)(bits >> 23 & 255u), normal = biased - exponent - 112; /* the float16's */
    /* Nearly all scales are normal numbers in both types: for these the way below takes more than twice as long. */
    if (biased > 0 && biased < 255 && normal > 0 && normal < 31 && (bits & 0x1fffu) == 0) {
        *half = (uint16_t)((bits >> 16 & 0x8000u) | (uint32_t)normal << 10 | (bits >> 13 & 0x3ffu));
        return true;
    }
    const double exact = ldexp((double)value, -exponent);
    *half = smoe_half_of_float((float)exact);
    return isnan(value) || (double)smoe_float_of_half(*half) == exact;
}

/* A scale, and what it must do. */
static smoe_result not_held(const smoe_source_reading *r, uint32_t row, uint32_t group, const char *rule)
{
    const scale_row scales = scales_of(r, row);
    char text[SMOE_NUMBER_SIZE];
    return smoe_source_refuse(
        r->reason, SMOE_ERROR_UNSUPPORTED, "source.scales: %s of row %u, group %u, must %s for %s",
        smoe_number_text(text, 9, (double)scale_at(&scales, group)), row, group, rule, smoe_type_name(r->type));
}

/* The blocks of the type that a group has. */
static uint32_t blocks_of_group(const smoe_source_reading *r)
{
    return smoe_divide_up(r->group_columns, r->kind->block_columns);
}

static smoe_result put_halves(const smoe_source_reading *r, uint32_t row, unsigned char *to)
{
    const uint32_t count = blocks_of_group(r), blocks = r->source->columns / r->kind->block_columns;
    const scale_row scales = scales_of(r, row);
    const bool as_is = scales.type == SMOE_SCALE_TYPE_FLOAT16 && r->exponent == 0;
    uint16_t half;
    for (uint32_t group = 0; group < r->groups; group++) {
        if (as_is)
            memcpy(&half, scales.first + group * scales.step, sizeof half);
        else if (!half_of(scale_at(&scales, group), r->exponent, &half))
            return not_held(r, row, group, "be a float16 number times to.factor");
        for (uint32_t b = group * count; b < smoe_min_u32((group + 1) * count, blocks); b++)
            memcpy(to + 2 * b, &half, sizeof half);
    }
    return SMOE_SUCCESS;
}

static smoe_result put_floats(const smoe_source_reading *r, uint32_t row, unsigned char *to)
{
    const uint32_t count = blocks_of_group(r);
    const uint32_t blocks = smoe_divide_up(r->source->columns, r->kind->block_columns);
    const scale_row scales = scales_of(r, row);
    for (uint32_t group = 0; group < r->groups; group++) {
        const float value = scale_at(&scales, group);
        for (uint32_t b = group * count; b < smoe_min_u32((group + 1) * count, blocks); b++)
            memcpy(to + 4 * b, &value, sizeof value);
    }
    return SMOE_SUCCESS;
}

/* ---- zero points ------------------------------------------------------------------------------------------------- */

/* As the types have it: of 4 bits 0 .. 15, of 8 bits -128 .. 127. */
static int middle(const smoe_source_reading *r)
{
    return r->format->bits == 4 ? 8 : 0;
}

/* The zeros of a row: where the first one is, bytes from one to the next, and its lowest bit in the word there. */
typedef struct zero_row {
    const unsigned char *first;
    uint64_t step;
    uint32_t shift;
} zero_row;

static zero_row zeros_of(const smoe_source_reading *r, uint32_t row)
{
    const unsigned char *from = r->source->zeros.data;
    const uint32_t bits = r->format->bits, each = 32 / bits;
    uint32_t place = row % each;
    if (!from)
        return (zero_row){NULL, 0, 0};
    if (r->source->format == SMOE_FORMAT_INT8)
        return (zero_row){from + row * r->scale_step, 1, 0};
    if (r->format->order == SMOE_ORDER_N_WORDS)
        for (place = 0; smoe_awq_columns[place] != row % each;)
            place++;
    return smoe_source_is_transposed(r->format)
               ? (zero_row){from + 4 * (row / each), 4 * (uint64_t)(r->source->rows / each), place * bits}
               : (zero_row){from + 4 * (uint64_t)(row / each) * r->groups, 4, place * bits};
}

static int zero_at(const smoe_source_reading *r, const zero_row *zeros, uint32_t group)
{
    const unsigned char *from = zeros->first + group * zeros->step;
    const uint32_t bits = r->format->bits;
    if (r->source->format == SMOE_FORMAT_INT8)
        return (signed char)*from;
    const uint32_t stored = smoe_source_word(from) >> zeros->shift & ((1u << bits) - 1);
    return (int)(stored + r->format->less_one) - (bits == 4 ? 0 : 128);
}

static smoe_result check_zero(const smoe_source_reading *r, uint32_t row, uint32_t group, int zero)
{
    const int most = r->format->bits == 4 ? 15 : 127;
    if (r->format->less_one && zero > most)
        return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED,
                                  "source.zeros: row %u, group %u, stored as all ones, which readers of %s take for "
                                  "different numbers",
                                  row, group, r->format->name);
    if (zero != middle(r) && r->kind->form != SMOE_SCALE_HALF_ZERO)
        return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED,
                                  "source.zeros: row %u, group %u, must be half of the range for %s", row, group,
                                  smoe_type_name(r->type));
    return SMOE_SUCCESS;
}

/* to: NULL, or their place. */
static smoe_result put_zeros(const smoe_source_reading *r, uint32_t row, unsigned char *to)
{
    const uint32_t count = blocks_of_group(r), blocks = r->source->columns / r->kind->block_columns;
    const zero_row zeros = zeros_of(r, row);
    for (uint32_t group = 0; group < r->groups; group++) {
        const int zero = zeros.first ? zero_at(r, &zeros, group) : middle(r);
        const smoe_result result = check_zero(r, row, group, zero);
        if (result != SMOE_SUCCESS)
            return result;
        const uint32_t first = group * count;
        if (to)
            memset(to + first, zero, smoe_min_u32(first + count, blocks) - first);
    }
    return SMOE_SUCCESS;
}

smoe_result smoe_source_put_scales(const smoe_source_reading *r, uint32_t row, unsigned char *scales,
                                   unsigned char *second)
{
    smoe_result result = SMOE_SUCCESS;
    if (r->format->group)
        memcpy(scales, (const unsigned char *)r->source->scales.data + row * r->scale_step, r->groups);
    else if (r->kind->form == SMOE_SCALE_FLOAT)
        result = put_floats(r, row, scales);
    else
        result = put_halves(r, row, scales);
    const bool zeros = r->source->zeros.data || r->kind->form == SMOE_SCALE_HALF_ZERO;
    return result == SMOE_SUCCESS && zeros ? put_zeros(r, row, second) : result;
}

/* ---- factors ----------------------------------------------------------------------------------------------------- */

/* The exponents of scales that are neither 0, infinite nor NaN: of their first bits and of the last one that is set. */
typedef struct exponents {
    int most, least, last;
} exponents;

/* Rounded down; the number is 1 .. 2^24 - 1. */
static int log2_of(uint32_t number)
{
    const float exact = (float)number;
    uint32_t bits;
    memcpy(&bits, &exact, sizeof bits);
    return (int)(bits >> 23) - 127;
}

static bool add_exponents(exponents *e, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t biased = bits >> 23 & 255u, fraction = bits & 0x7fffffu;
    const uint32_t digits = biased > 0 ? fraction | 0x800000u : fraction;
    if (digits == 0 || biased == 255)
        return true;
    const int unit = (int)(biased > 0 ? biased : 1) - 150; /* the value is digits 2^unit */
    const int first = unit + log2_of(digits), last = unit + log2_of(digits & (0u - digits));
    e->most = first > e->most ? first : e->most;
    e->least = first < e->least ? first : e->least;
    e->last = last < e->last ? last : e->last;
    return first - last <= 10;
}

/* smoe/weights_source.h has the rule. A float16 is 2^-14 .. 2^16 where it is normal, and a multiple of 2^-24. */
static smoe_result choose_exponent(const smoe_source_reading *r, const exponents *e, int *out)
{
    int exponent = e->most < e->least + 14 ? e->most : e->least + 14;
    exponent = exponent < e->most - 15 ? e->most - 15 : exponent;
    exponent = exponent < -126 ? -126 : exponent; /* the factor is a normal float32 */
    *out = e->most <= 15 && e->least >= -14 ? 0 : exponent;
    if (*out <= e->last + 24)
        return SMOE_SUCCESS;
    return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED,
                              "source.scales: sizes from 2^%d to 2^%d, of which no power of two makes float16 numbers, "
                              "must be so for %s",
                              e->least, e->most, smoe_type_name(r->type));
}

/* All scales: rows of groups, in their order or transposed. */
static smoe_result find_exponent(const smoe_source_reading *r, int *out)
{
    exponents e = {-1000, 1000, 1000};
    for (uint32_t row = 0; row < r->source->rows; row += r->group_rows) {
        const scale_row scales = scales_of(r, row);
        for (uint32_t group = 0; group < r->groups; group++)
            if (!add_exponents(&e, scale_at(&scales, group)))
                return not_held(r, row, group, "have 11 significant bits");
    }
    *out = 0;
    return e.most == -1000 ? SMOE_SUCCESS : choose_exponent(r, &e, out);
}

static double number_at(const void *from)
{
    return from ? (double)smoe_float_value(from) : 1;
}

static smoe_result own_factor(const smoe_source_reading *r, float *factor)
{
    const double multiplier = number_at(r->source->multiplier), divisor = number_at(r->source->divisor);
    char texts[2][SMOE_NUMBER_SIZE];
    *factor = (float)(multiplier / divisor);
    if (isfinite(*factor) && (multiplier == 0 || fabsf(*factor) >= 0x1p-126f))
        return SMOE_SUCCESS;
    return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED,
                              "source.multiplier, divisor: %s over %s, must be 0 or a normal float32 number",
                              smoe_number_text(texts[0], 9, multiplier), smoe_number_text(texts[1], 9, divisor));
}

smoe_result smoe_source_factor(const smoe_source_reading *r, float *factor)
{
    const bool halves = r->kind->form == SMOE_SCALE_HALF || r->kind->form == SMOE_SCALE_HALF_ZERO;
    const bool chosen = halves && r->format->order != SMOE_ORDER_BLOCKS;
    smoe_result result = SMOE_SUCCESS;
    *factor = 1;
    if (r->format->factor)
        return own_factor(r, factor);
    if (chosen && r->source->scale_type != SMOE_SCALE_TYPE_FLOAT16) {
        int exponent = 0;
        result = find_exponent(r, &exponent);
        *factor = result == SMOE_SUCCESS ? ldexpf(1, exponent) : 1;
    }
    for (uint32_t row = 0; result == SMOE_SUCCESS && r->source->zeros.data && row < r->source->rows; row++)
        result = put_zeros(r, row, NULL);
    return result;
}
