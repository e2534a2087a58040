/* Whether a source is as smoe/weights_source.h says, and which type holds it. Looks at no array's bytes. */
#include <stdarg.h>
#include <stdio.h>

#include "base/arithmetic.h"
#include "source.h"

smoe_result smoe_source_refuse(char *reason, smoe_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, SMOE_REASON_SIZE, format, arguments);
    va_end(arguments);
    return result;
}

static smoe_result invalid(const smoe_source_reading *r, const char *field, uint64_t value, const char *rule)
{
    return smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT, "source.%s: %llu, must be %s", field,
                              (unsigned long long)value, rule);
}

static smoe_result check_numbers(const smoe_source_reading *r)
{
    const smoe_weights_source *s = r->source;
    const smoe_source_format *f = r->format;
    const bool by_words = smoe_source_is_transposed(f);
    if (s->rows == 0 || s->rows > SMOE_MAX_WIDTH)
        return invalid(r, "rows", s->rows, "1 .. SMOE_MAX_WIDTH");
    if (s->columns == 0 || s->columns > SMOE_MAX_WIDTH)
        return invalid(r, "columns", s->columns, "1 .. SMOE_MAX_WIDTH");
    if (s->row_step > (f->group ? SMOE_MAX_WIDTH : 1))
        return invalid(r, "row_step", s->row_step, f->group ? "at most SMOE_MAX_WIDTH" : "0 or 1 for this format");
    if (f->order != SMOE_ORDER_BLOCKS && f->group == 0 &&
        ((uint32_t)s->scale_type > SMOE_SCALE_TYPE_E8M0 ||
         (s->scale_type == SMOE_SCALE_TYPE_E8M0 && s->format != SMOE_FORMAT_FP8)))
        return invalid(r, "scale_type", (uint32_t)s->scale_type, "a smoe_scale_type, E8M0 only for fp8");
    if ((by_words || s->zeros.data) && f->zeros && s->group_rows != 1)
        return invalid(r, "group_rows", s->group_rows, by_words ? "1 for this format" : "1 where there are zeros");
    if (by_words && s->rows % (32 / f->bits) != 0)
        return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED, "source.rows: %u, must be a multiple of %u for %s",
                                  s->rows, 32 / f->bits, f->name);
    if ((by_words || f->order == SMOE_ORDER_BLOCKS) && s->columns % f->unit != 0)
        return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED,
                                  "source.columns: %u, must be a multiple of %u for %s", s->columns, f->unit, f->name);
    return SMOE_SUCCESS;
}

static void set_groups(smoe_source_reading *r)
{
    const smoe_weights_source *s = r->source;
    const uint32_t columns = r->format->group ? r->format->group : s->group_columns;
    const uint32_t rows = r->format->group ? 1 : s->group_rows;
    r->group_columns = columns ? smoe_min_u32(columns, s->columns) : s->columns;
    r->group_rows = rows ? smoe_min_u32(rows, s->rows) : s->rows;
    r->groups = smoe_divide_up(s->columns, r->group_columns);
    r->scale_step = (uint64_t)smoe_max_u32(s->row_step, 1) * r->groups;
}

/* ---- the type ---------------------------------------------------------------------------------------------------- */

/* Whether each block of a type has one scale in the source. */
static bool blocks_fit(const smoe_source_reading *r, smoe_type type)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(type);
    const smoe_weights_source *s = r->source;
    if (r->format->order == SMOE_ORDER_BLOCKS)
        return true;
    return (r->group_columns % kind->block_columns == 0 || r->group_columns == s->columns) &&
           (r->group_rows % kind->block_rows == 0 || r->group_rows == s->rows);
}

static bool has_zeros(smoe_type type)
{
    return smoe_weight_kind_of(type)->form == SMOE_SCALE_HALF_ZERO;
}

static smoe_result no_type(const smoe_source_reading *r, smoe_type nearest)
{
    const smoe_weight_kind *kind = smoe_weight_kind_of(nearest);
    return smoe_source_refuse(
        r->reason, SMOE_ERROR_UNSUPPORTED,
        "source.group_rows, group_columns: %u x %u elements of %s have a scale, must be multiples "
        "of %u x %u for %s, or all",
        r->group_rows, r->group_columns, r->format->name, kind->block_rows, kind->block_columns,
        smoe_type_name(nearest));
}

/* The type that is wanted, or NULL: the one that suits best. */
static smoe_result choose_type(smoe_source_reading *r, const smoe_type *wanted)
{
    const bool zeros = r->source->zeros.data && r->format->zeros;
    smoe_type nearest = SMOE_TYPE_FLOAT32;
    for (int i = 0; i < SMOE_SOURCE_TYPES && r->format->types[i] != SMOE_TYPE_FLOAT32; i++) {
        const smoe_type type = r->format->types[i];
        if (wanted ? type != *wanted : has_zeros(type) != zeros)
            continue;
        nearest = r->type = type;
        if (blocks_fit(r, type))
            return SMOE_SUCCESS;
    }
    if (nearest == SMOE_TYPE_FLOAT32)
        return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED, "%s does not hold %s",
                                  wanted && smoe_type_name(*wanted) ? smoe_type_name(*wanted) : "no type",
                                  r->format->name);
    return no_type(r, nearest);
}

static smoe_result set_type(smoe_source_reading *r, const smoe_type *wanted)
{
    const smoe_weights_source *s = r->source;
    const smoe_result result = choose_type(r, wanted);
    if (result != SMOE_SUCCESS)
        return result;
    const smoe_type type = r->type;
    r->kind = smoe_weight_kind_of(type);
    if (smoe_weights_layout_get(type, s->rows, s->columns, &r->layout))
        return SMOE_SUCCESS;
    return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED, "source.columns: %u, must be a multiple of %u for %s",
                              s->columns, smoe_weights_unit(type), smoe_type_name(type));
}

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

static smoe_result check_array(const smoe_source_reading *r, const char *name, smoe_weights_array array, uint64_t size)
{
    if (!array.data)
        return smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT, "source.%s must not be NULL for %s", name,
                                  r->format->name);
    if (array.size < size)
        return smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT,
                                  "source.%s: %llu bytes, must be %llu for [%u,%u] of %s", name,
                                  (unsigned long long)array.size, (unsigned long long)size, r->source->rows,
                                  r->source->columns, r->format->name);
    return SMOE_SUCCESS;
}

static smoe_result check_absent(const smoe_source_reading *r, const char *name, const void *data, bool allowed)
{
    return !data || allowed ? SMOE_SUCCESS
                            : smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT,
                                                 "source.%s must be NULL for %s", name, r->format->name);
}

/* Bytes of all rows, where one has `row` bytes: with a step, those between the rows count, those behind the last do
 * not. */
static uint64_t rows_size(const smoe_source_reading *r, uint64_t row)
{
    return (uint64_t)(r->source->rows - 1) * smoe_max_u32(r->source->row_step, 1) * row + row;
}

static uint64_t elements_size(const smoe_source_reading *r, uint64_t *row)
{
    const smoe_weights_source *s = r->source;
    const smoe_source_format *f = r->format;
    if (smoe_source_is_transposed(f)) {
        *row = 0;
        return (uint64_t)s->rows * s->columns * f->bits / 8;
    }
    *row = f->order == SMOE_ORDER_BLOCKS ? (uint64_t)(s->columns / f->block_columns) * f->block_size
                                         : (uint64_t)smoe_divide_up(s->columns, f->unit) * f->unit * f->bits / 8;
    return rows_size(r, *row);
}

static uint64_t scales_size(const smoe_source_reading *r)
{
    if (r->format->group)
        return rows_size(r, r->groups);
    return (uint64_t)smoe_divide_up(r->source->rows, r->group_rows) * r->groups *
           smoe_source_scale_size(r->source->scale_type);
}

static uint64_t zeros_size(const smoe_source_reading *r)
{
    const bool bytes = r->source->format == SMOE_FORMAT_INT8;
    return (bytes ? (uint64_t)r->source->rows : (uint64_t)smoe_divide_up(r->source->rows, 32 / r->format->bits) * 4) *
           r->groups;
}

static smoe_result check_arrays(smoe_source_reading *r)
{
    const smoe_weights_source *s = r->source;
    const smoe_source_format *f = r->format;
    uint64_t row;
    const uint64_t size = elements_size(r, &row);
    r->row_size = row * smoe_max_u32(s->row_step, 1);
    smoe_result result = check_array(r, "elements", s->elements, size);
    if (result == SMOE_SUCCESS && f->order != SMOE_ORDER_BLOCKS)
        result = check_array(r, "scales", s->scales, scales_size(r));
    if (result == SMOE_SUCCESS && s->zeros.data && f->zeros)
        result = check_array(r, "zeros", s->zeros, zeros_size(r));
    if (result == SMOE_SUCCESS && s->group_index.data)
        result = check_array(r, "group_index", s->group_index, (uint64_t)s->columns * 4);
    if (result == SMOE_SUCCESS)
        result = check_absent(r, "zeros", s->zeros.data, f->zeros);
    if (result == SMOE_SUCCESS)
        result = check_absent(r, "group_index", s->group_index.data, f->order == SMOE_ORDER_K_WORDS);
    if (result == SMOE_SUCCESS)
        result = check_absent(r, "multiplier", s->multiplier, f->factor);
    return result == SMOE_SUCCESS ? check_absent(r, "divisor", s->divisor, f->factor) : result;
}

smoe_result smoe_source_read(smoe_source_reading *r, const smoe_weights_source *source, const smoe_type *type,
                             char *reason, char unwanted[SMOE_REASON_SIZE])
{
    *r = (smoe_source_reading){.source = source, .reason = reason ? reason : unwanted};
    r->reason[0] = '\0';
    if (!source)
        return smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT, "source must not be NULL");
    r->format = smoe_source_format_of(source->format);
    if (!r->format)
        return invalid(r, "format", (uint32_t)source->format, "a smoe_weights_format");
    smoe_result result = check_numbers(r);
    if (result != SMOE_SUCCESS)
        return result;
    set_groups(r);
    result = set_type(r, type);
    return result == SMOE_SUCCESS ? check_arrays(r) : result;
}

smoe_result smoe_weights_source_type(const smoe_weights_source *source, smoe_type *type, char reason[SMOE_REASON_SIZE])
{
    char unwanted[SMOE_REASON_SIZE];
    smoe_source_reading r;
    const smoe_result result = smoe_source_read(&r, source, NULL, reason, unwanted);
    if (result != SMOE_SUCCESS)
        return result;
    if (!type)
        return smoe_source_refuse(r.reason, SMOE_ERROR_INVALID_ARGUMENT, "type must not be NULL");
    *type = r.type;
    return SMOE_SUCCESS;
}
