/* Where weights lie in memory: the sizes and layouts of every type. */
#include "weights.h"

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"

#define ROW(NAME, number, bits, columns, rows, scale) [SMOE_TYPE_##NAME] = {bits, columns, rows, scale},
static const smoe_weight_kind kinds[] = {SMOE_WEIGHT_TYPES(ROW)};
#undef ROW

const smoe_weight_kind *smoe_weight_kind_of(smoe_type type)
{
    return (uint32_t)type < sizeof kinds / sizeof kinds[0] ? &kinds[type] : NULL;
}

bool smoe_type_has_scales(smoe_type type)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    return kind && kind->scale_size > 0;
}

uint64_t smoe_type_size(smoe_type type, uint64_t count)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    return kind && kind->scale_size == 0 ? count * (kind->bits / 8) : 0;
}

/* The last block of a row may be partial only where blocks are larger than a load: fp8's. */
bool smoe_weights_blocks_fit(smoe_type type, uint32_t columns)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    return kind->block_rows > 1 || columns % kind->block_columns == 0;
}

bool smoe_weights_layout_get(smoe_type type, uint32_t rows, uint32_t columns, smoe_weights_layout *out)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    if (!kind || !out || rows == 0 || rows > SMOE_MAX_WIDTH || columns == 0 || columns > SMOE_MAX_WIDTH ||
        !smoe_weights_blocks_fit(type, columns))
        return false;
    const bool scaled = kind->scale_size > 0;
    const uint64_t row = (uint64_t)columns * kind->bits / 8, padded = scaled ? smoe_align_up(row, 16) : row;
    const uint64_t scale_row = (uint64_t)smoe_divide_up(columns, kind->block_columns) * kind->scale_size;
    const uint64_t all = padded * rows + scale_row * smoe_divide_up(rows, kind->block_rows);
    *out = (smoe_weights_layout){
        .block_rows = kind->block_rows,
        .block_columns = kind->block_columns,
        .row_size = padded,
        .scales_offset = padded * rows,
        .scale_row_size = scale_row,
        .size = scaled ? smoe_align_up(all, 16) : all,
    };
    return true;
}

uint64_t smoe_weights_size(smoe_type type, uint64_t count, uint32_t rows, uint32_t columns)
{
    smoe_weights_layout layout;
    const bool fits = smoe_weights_layout_get(type, rows, columns, &layout) && count <= UINT64_MAX / layout.size;
    return fits ? count * layout.size : 0;
}
