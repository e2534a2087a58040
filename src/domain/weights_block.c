#include "weights_block.h"

#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "half.h"

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

void smoe_weights_clear_ends(const smoe_weights_rows *rows)
{
    smoe_weight_block b;
    if (!smoe_weight_block_begin(&b, rows))
        return;
    const uint64_t used = (uint64_t)rows->columns * b.kind->bits / 8;
    for (uint32_t row = 0; used < b.layout.row_size && row < rows->row_count; row++)
        memset(smoe_weight_block_row(&b, row) + used, 0, (size_t)(b.layout.row_size - used));
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

float smoe_e8m0_value(uint32_t code)
{
    return code == 255 ? NAN : ldexpf(1, (int)code - 127);
}

float smoe_half_value(const unsigned char *half)
{
    uint16_t word;
    memcpy(&word, half, sizeof word);
    return smoe_float_of_half(word);
}
