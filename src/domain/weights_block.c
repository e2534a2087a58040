#include "weights_block.h"

#include <math.h>
#include <string.h>

#include "base/arithmetic.h"

bool smoe_weight_block_begin(smoe_weight_block *b, const smoe_weights_rows *rows)
{
    *b = (smoe_weight_block){.all = rows};
    if (!rows || !rows->rows || !smoe_weights_layout_get(rows->type, rows->row_count, rows->columns, &b->layout))
        return false;
    b->kind = smoe_weight_kind_of(rows->type);
    return (rows->scales || b->kind->scale_size == 0) && (rows->second_scales || b->kind->second_size == 0);
}

bool smoe_weight_block_next(smoe_weight_block *b)
{
    const smoe_weights_rows *all = b->all;
    if (!b->scale) {
        b->scale = all->scales;
    } else {
        b->scale += b->kind->scale_size;
        b->k += b->count;
        b->row += b->k < all->columns ? 0 : b->row_count;
        b->k = b->k < all->columns ? b->k : 0;
    }
    if (b->row == all->row_count)
        return false;
    b->row_count = smoe_min_u32(b->kind->block_rows, all->row_count - b->row);
    b->count = smoe_min_u32(b->kind->block_columns, all->columns - b->k);
    return true;
}

unsigned char *smoe_weight_block_row(const smoe_weight_block *b, uint32_t row)
{
    return (unsigned char *)b->all->rows + row * b->layout.row_size;
}

float smoe_e2m1_value(uint32_t code)
{
    static const float sizes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    return code & 8 ? -sizes[code & 7] : sizes[code & 7];
}

float smoe_e4m3_value(uint32_t code)
{
    const uint32_t exponent = code >> 3 & 15u, fraction = code & 7u;
    float size = exponent ? ldexpf((float)(8 + fraction), (int)exponent - 10) : ldexpf((float)fraction, -9);
    if ((code & 127u) == 127u)
        size = NAN;
    return code & 128u ? -size : size;
}

float smoe_half_value(const unsigned char *half)
{
    float value;
    smoe_type_convert(&value, SMOE_TYPE_FLOAT32, half, SMOE_TYPE_FLOAT16, 1);
    return value;
}

float smoe_float_value(const unsigned char *bits)
{
    float value;
    memcpy(&value, bits, sizeof value);
    return value;
}
