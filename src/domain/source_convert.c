/* Sources to the types of the device: the public calls that read arrays. */
#include <math.h>

#include "base/arithmetic.h"
#include "base/text.h"
#include "source.h"
#include "weights_block.h"

/* GPTQ's g_idx, where it is given. */
static smoe_result check_group_index(const smoe_source_reading *r)
{
    const unsigned char *from = r->source->group_index.data;
    for (uint32_t k = 0; from && k < r->source->columns; k++)
        if (smoe_source_word(from + 4 * (uint64_t)k) != k / r->group_columns)
            return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED,
                                      "source.group_index: %d for column %u, must be %u: act-order is not supported",
                                      (int)smoe_source_word(from + 4 * (uint64_t)k), k, k / r->group_columns);
    return SMOE_SUCCESS;
}

smoe_result smoe_weights_source_factor(const smoe_weights_source *source, smoe_type type, float *factor,
                                       char reason[SMOE_REASON_SIZE])
{
    char unwanted[SMOE_REASON_SIZE];
    smoe_source_reading r;
    smoe_result result = smoe_source_read(&r, source, &type, reason, unwanted);
    if (result == SMOE_SUCCESS && !factor)
        return smoe_source_refuse(r.reason, SMOE_ERROR_INVALID_ARGUMENT, "factor must not be NULL");
    if (result == SMOE_SUCCESS)
        result = check_group_index(&r);
    return result == SMOE_SUCCESS ? smoe_source_factor(&r, factor) : result;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static smoe_result put_blocks(const smoe_source_reading *r, const smoe_weights_rows *to, uint32_t first)
{
    const smoe_weights_source *s = r->source;
    const unsigned char *from = (const unsigned char *)s->elements.data + first * r->row_size;
    unsigned char *const rows = to->rows, *const scales = to->scales, *const second = to->second_scales;
    for (uint32_t i = 0; i < to->row_count; i++)
        if (!r->format->blocks(from + i * r->row_size, s->columns / r->format->block_columns,
                               rows + i * r->layout.row_size, scales + i * r->layout.scale_row_size,
                               second ? second + i * r->layout.second_row_size : NULL))
            return smoe_source_refuse(r->reason, SMOE_ERROR_UNSUPPORTED,
                                      "source.elements: row %u has a scale that %s does not hold", first + i,
                                      smoe_type_name(r->type));
    return SMOE_SUCCESS;
}

static smoe_result put_scales(const smoe_source_reading *r, const smoe_weights_rows *to, uint32_t first)
{
    unsigned char *scales = to->scales, *second = to->second_scales;
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < to->row_count; i += r->kind->block_rows) {
        result = smoe_source_put_scales(r, first + i, scales, second);
        scales += r->layout.scale_row_size;
        second = second ? second + r->layout.second_row_size : NULL;
    }
    return result;
}

static smoe_result put(const smoe_source_reading *r, const smoe_weights_rows *to, uint32_t first)
{
    if (r->format->order == SMOE_ORDER_BLOCKS)
        return put_blocks(r, to, first);
    if (r->format->order == SMOE_ORDER_ROWS)
        smoe_source_put_rows(r, first, to->row_count, to->rows);
    else if (r->format->order == SMOE_ORDER_K_WORDS)
        smoe_source_put_k_words(r, first, to->row_count, to->rows);
    else
        smoe_source_put_n_words(r, first, to->row_count, to->rows);
    smoe_weights_clear_ends(to);
    return put_scales(r, to, first);
}

/* ---- smoe_weights_convert ---------------------------------------------------------------------------------------- */

static smoe_result check_rows(const smoe_source_reading *r, const smoe_weights_rows *to, uint32_t first)
{
    const smoe_weights_source *s = r->source;
    const uint32_t unit = smoe_max_u32(r->kind->block_rows, r->format->order == SMOE_ORDER_N_WORDS ? 8 : 1);
    if (!to->rows || !to->scales || (r->kind->second_size > 0 && !to->second_scales))
        return smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT, "to: a part of %s must not be NULL",
                                  smoe_type_name(r->type));
    if (to->columns != s->columns || first > s->rows || to->row_count == 0 || to->row_count > s->rows - first)
        return smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT,
                                  "to: %u rows of %u from %u on, must be of a matrix [%u,%u]", to->row_count,
                                  to->columns, first, s->rows, s->columns);
    if (first % unit != 0 || (to->row_count % unit != 0 && first + to->row_count != s->rows))
        return smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT,
                                  "first: %u and %u rows, must be multiples of %u for %s", first, to->row_count, unit,
                                  r->format->name);
    return SMOE_SUCCESS;
}

/* Scales are divided by it; for formats with a number of their own nothing is. */
static smoe_result read_factor(smoe_source_reading *r, float factor)
{
    char text[SMOE_NUMBER_SIZE];
    if (r->format->factor || !r->kind->factor || factor == 0)
        return SMOE_SUCCESS;
    const float half = frexpf(isfinite(factor) ? factor : 0, &r->exponent);
    r->exponent--;
    return half == 0.5f ? SMOE_SUCCESS
                        : smoe_source_refuse(r->reason, SMOE_ERROR_INVALID_ARGUMENT,
                                             "to.factor: %s, must be what smoe_weights_source_factor gave",
                                             smoe_number_text(text, 9, (double)factor));
}

smoe_result smoe_weights_convert(const smoe_weights_rows *to, const smoe_weights_source *source, uint32_t first,
                                 char reason[SMOE_REASON_SIZE])
{
    char unwanted[SMOE_REASON_SIZE];
    smoe_source_reading r;
    if (!to)
        return smoe_source_refuse(reason ? reason : unwanted, SMOE_ERROR_INVALID_ARGUMENT, "to must not be NULL");
    smoe_result result = smoe_source_read(&r, source, &to->type, reason, unwanted);
    if (result == SMOE_SUCCESS)
        result = check_rows(&r, to, first);
    if (result == SMOE_SUCCESS)
        result = check_group_index(&r);
    if (result == SMOE_SUCCESS)
        result = read_factor(&r, to->factor);
    return result == SMOE_SUCCESS ? put(&r, to, first) : result;
}
