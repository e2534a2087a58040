/* The values of weights with scales. */
#include "weights_block.h"

static const float iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static float element_of_code(smoe_element element, uint32_t code)
{
    switch (element) {
    case SMOE_ELEMENT_E2M1: return smoe_e2m1_value(code);
    case SMOE_ELEMENT_IQ4: return iq4_values[code];
    case SMOE_ELEMENT_OFFSET4: return (float)code - 8;
    case SMOE_ELEMENT_INT8: return (float)(signed char)code;
    case SMOE_ELEMENT_E4M3: return smoe_e4m3_value(code);
    default: return (float)code;
    }
}

/* A weight is (element - zero) * factor + minimum; a minimum of -0 changes nothing. */
typedef struct block_scale {
    float factor, zero, minimum;
} block_scale;

static const unsigned char *second_scale(const smoe_weight_block *b)
{
    return (const unsigned char *)b->all->second_scales + b->row * b->layout.second_row_size +
           b->k / b->kind->second_columns * b->kind->second_size;
}

static block_scale read_scale(const smoe_weight_block *b)
{
    const unsigned char *first = b->scale, *second;
    switch (b->kind->form) {
    case SMOE_SCALE_E8M0: return (block_scale){smoe_e8m0_value(*first), 0, -0.0f};
    case SMOE_SCALE_E4M3: return (block_scale){smoe_e4m3_value(*first), 0, -0.0f};
    case SMOE_SCALE_FLOAT: return (block_scale){smoe_float_value(first), 0, -0.0f};
    case SMOE_SCALE_HALF_MINIMUM: return (block_scale){smoe_half_value(first), 0, smoe_half_value(first + 2)};
    case SMOE_SCALE_HALF_ZERO:
        return (block_scale){smoe_half_value(first), (float)(signed char)*second_scale(b), -0.0f};
    case SMOE_SCALE_BYTE_HALF:
        return (block_scale){smoe_half_value(second_scale(b)) * (float)(signed char)*first, 0, -0.0f};
    case SMOE_SCALE_BYTES_HALVES:
        second = second_scale(b);
        return (block_scale){smoe_half_value(second) * (float)first[0], 0,
                             -(smoe_half_value(second + 2) * (float)first[1])};
    default: return (block_scale){smoe_half_value(first), 0, -0.0f};
    }
}

static void unpack_block(const smoe_weight_block *b, float *to)
{
    const block_scale scale = read_scale(b);
    const uint32_t bits = b->kind->bits;
    for (uint32_t r = b->row; r < b->row + b->row_count; r++) {
        const unsigned char *row = smoe_weight_block_row(b, r);
        float *const out = to + (uint64_t)r * b->all->columns;
        for (uint32_t k = b->k; k < b->k + b->count; k++) {
            const uint32_t code = bits == 8 ? row[k] : (uint32_t)row[k / 2] >> k % 2 * 4 & 15u;
            out[k] = (element_of_code(b->kind->element, code) - scale.zero) * scale.factor + scale.minimum;
        }
    }
}

smoe_result smoe_weights_unpack(float *to, const smoe_weights_rows *from)
{
    smoe_weight_block b;
    if (!to || !smoe_weight_block_begin(&b, from))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (b.kind->scale_size == 0)
        return smoe_type_convert(to, SMOE_TYPE_FLOAT32, from->rows, from->type,
                                 (size_t)from->row_count * from->columns);
    while (smoe_weight_block_next(&b))
        unpack_block(&b, to);
    return SMOE_SUCCESS;
}
