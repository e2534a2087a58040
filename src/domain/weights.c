/* Where weights lie in memory: the sizes and layouts of every type. */
#include "weights.h"

#include "base/arithmetic.h"

#define ELEMENT(NAME, number, bits) BITS_##NAME = (bits),
enum { SMOE_ELEMENTS(ELEMENT) };
#undef ELEMENT

#define FORM(NAME, number, size, second_size) SIZE_##NAME = (size), SECOND_##NAME = (second_size),
enum { SMOE_SCALE_FORMS(FORM) };
#undef FORM

#define ROW(NAME, number, ELEMENT, columns, rows, FORM, second, has_factor, can_pack)                                  \
    [SMOE_TYPE_##NAME] = {                                                                                             \
        .element = SMOE_ELEMENT_##ELEMENT,                                                                             \
        .form = SMOE_SCALE_##FORM,                                                                                     \
        .bits = BITS_##ELEMENT,                                                                                        \
        .block_columns = (columns),                                                                                    \
        .block_rows = (rows),                                                                                          \
        .scale_size = SIZE_##FORM,                                                                                     \
        .second_size = SECOND_##FORM,                                                                                  \
        .second_columns = (second),                                                                                    \
        .factor = (has_factor),                                                                                        \
        .packs = (can_pack),                                                                                           \
    },
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

/* The last block of a row may be partial where a load is a part of one: blocks of 128. */
uint32_t smoe_weights_unit(smoe_type type)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    return kind->block_columns > 32 ? 1 : smoe_max_u32(kind->block_columns, kind->second_columns);
}

bool smoe_weights_layout_get(smoe_type type, uint32_t rows, uint32_t columns, smoe_weights_layout *out)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    if (!kind || !out || rows == 0 || rows > SMOE_MAX_WIDTH || columns == 0 || columns > SMOE_MAX_WIDTH ||
        columns % smoe_weights_unit(type) != 0)
        return false;
    const bool scaled = kind->scale_size > 0, second = kind->second_size > 0;
    const uint64_t row = (uint64_t)columns * kind->bits / 8, padded = scaled ? smoe_align_up(row, 16) : row;
    const uint64_t scale_row = (uint64_t)smoe_divide_up(columns, kind->block_columns) * kind->scale_size;
    const uint64_t second_row = second ? (uint64_t)(columns / kind->second_columns) * kind->second_size : 0;
    const uint64_t scales_end = padded * rows + scale_row * smoe_divide_up(rows, kind->block_rows);
    const uint64_t second_offset = second ? smoe_align_up(scales_end, 4) : scales_end;
    const uint64_t parts = second_offset + second_row * rows, end = scaled ? smoe_align_up(parts, 16) : parts;
    *out = (smoe_weights_layout){
        .block_rows = kind->block_rows,
        .block_columns = kind->block_columns,
        .second_columns = kind->second_columns,
        .row_size = padded,
        .scales_offset = padded * rows,
        .scale_row_size = scale_row,
        .second_offset = second ? second_offset : 0,
        .second_row_size = second_row,
        .factor_offset = kind->factor ? end : 0,
        .size = end + (kind->factor ? 16 : 0),
    };
    return true;
}

uint64_t smoe_weights_size(smoe_type type, uint64_t count, uint32_t rows, uint32_t columns)
{
    smoe_weights_layout layout;
    const bool fits = smoe_weights_layout_get(type, rows, columns, &layout) && count <= UINT64_MAX / layout.size;
    return fits ? count * layout.size : 0;
}

bool smoe_weights_rows_get(smoe_type type, uint32_t rows, uint32_t columns, void *matrix, smoe_weights_rows *out)
{
    smoe_weights_layout layout;
    if (!matrix || !out || !smoe_weights_layout_get(type, rows, columns, &layout))
        return false;
    unsigned char *const bytes = matrix;
    *out = (smoe_weights_rows){
        .type = type,
        .row_count = rows,
        .columns = columns,
        .rows = bytes,
        .scales = layout.scale_row_size ? bytes + layout.scales_offset : NULL,
        .second_scales = layout.second_row_size ? bytes + layout.second_offset : NULL,
        .factor = 1,
    };
    return true;
}
