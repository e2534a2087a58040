/* Weights on their way to the device, from the type that they have to the one that the plan wants. */
#include <string.h>

#include "base/arithmetic.h"
#include "layer_internal.h"

/* Elements that are converted at a time, or a row of blocks where that is more. */
#define TILE_ELEMENTS (1u << 20)

/* A tensor as matrices [count,rows,columns], and what holds some rows of one on their way. */
typedef struct conversion {
    smoe_device *device;
    const smoe_layer_tensor *tensor;
    smoe_helper_buffer *buffer;
    smoe_type from, to;
    smoe_weights_layout from_layout, to_layout;
    uint32_t rows, columns;
    uint32_t tile_rows; /* whole rows of blocks of both types */
    float *floats;      /* [tile_rows,columns], where `from` has scales */
    unsigned char *out; /* a matrix [tile_rows,columns] of `to` */
} conversion;

static uint64_t scales_size(const smoe_weights_layout *layout, uint32_t rows)
{
    return layout->scale_row_size * smoe_divide_up(rows, layout->block_rows);
}

/* Only matrices have other types than float32. */
static smoe_result set_shape(conversion *c)
{
    const smoe_host *host = &c->device->instance.host;
    const smoe_layer_tensor *tensor = c->tensor;
    const uint32_t last = tensor->axis_count - 1;
    c->columns = tensor->shape[last];
    c->rows = tensor->shape[last - 1];
    if (!smoe_weights_layout_get(c->from, c->rows, c->columns, &c->from_layout) ||
        !smoe_weights_layout_get(c->to, c->rows, c->columns, &c->to_layout))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "weights.%s.type: blocks of %s do not divide its rows of %u", tensor->name,
                         smoe_type_name(c->from), c->columns);
    if (!smoe_weights_can_pack(c->to))
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED,
                         "weights.%s.type: %s, must be %s like the plan's, which nothing is rounded to", tensor->name,
                         smoe_type_name(c->from), smoe_type_name(c->to));
    return SMOE_SUCCESS;
}

static smoe_result begin(conversion *c)
{
    const smoe_host *host = &c->device->instance.host;
    const uint32_t unit = smoe_max_u32(c->from_layout.block_rows, c->to_layout.block_rows);
    const uint32_t wanted = smoe_max_u32(TILE_ELEMENTS / c->columns / unit, 1) * unit;
    c->tile_rows = smoe_min_u32(wanted, c->rows);
    const uint64_t floats = c->from_layout.scale_row_size > 0 ? (uint64_t)c->tile_rows * c->columns : 0;
    const uint64_t out = smoe_weights_size(c->to, 1, c->tile_rows, c->columns);
    c->floats = floats ? smoe_host_alloc(host, (size_t)floats, sizeof *c->floats) : NULL;
    c->out = smoe_host_alloc(host, (size_t)out, 1);
    if (c->out && (c->floats || floats == 0))
        return SMOE_SUCCESS;
    return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "smoe_device_layer_create: no memory to convert %s",
                     c->tensor->name);
}

static void end(conversion *c)
{
    const smoe_host *host = &c->device->instance.host;
    smoe_host_free(host, c->floats);
    smoe_host_free(host, c->out);
}

/* Rows of a matrix that has scales and lies at `from`, into c->floats: the weights, times the factor. */
static smoe_result unpack(conversion *c, const unsigned char *from, uint32_t row, uint32_t count)
{
    const smoe_weights_layout *layout = &c->from_layout;
    unsigned char *const matrix = (unsigned char *)(uintptr_t)from; /* only read */
    const smoe_weights_rows rows = {
        .type = c->from,
        .row_count = count,
        .columns = c->columns,
        .rows = matrix + row * layout->row_size,
        .scales = matrix + layout->scales_offset + scales_size(layout, row),
        .second_scales = matrix + layout->second_offset + row * layout->second_row_size,
        .factor = 1,
    };
    float factor = 1;
    if (layout->factor_offset)
        memcpy(&factor, from + layout->factor_offset, sizeof factor);
    const smoe_result result = smoe_weights_unpack(c->floats, &rows);
    for (uint64_t i = 0; factor != 1 && i < (uint64_t)count * c->columns; i++)
        c->floats[i] *= factor;
    return result;
}

/* Rows of a matrix as numbers without scales, of *type. */
static smoe_result read_rows(conversion *c, const unsigned char *from, uint32_t row, uint32_t count, const void **data,
                             smoe_type *type)
{
    *data = c->floats ? (const void *)c->floats : from + row * c->from_layout.row_size;
    *type = c->floats ? SMOE_TYPE_FLOAT32 : c->from;
    return c->floats ? unpack(c, from, row, count) : SMOE_SUCCESS;
}

static smoe_result upload_rows(conversion *c, const unsigned char *from, float factor, uint64_t at, uint32_t row,
                               uint32_t count)
{
    const smoe_weights_layout *to = &c->to_layout;
    const uint64_t scales = scales_size(to, count);
    smoe_weights_rows rows;
    smoe_type type;
    const void *data;
    smoe_result result = read_rows(c, from, row, count, &data, &type);
    if (!smoe_weights_rows_get(c->to, count, c->columns, c->out, &rows))
        return SMOE_ERROR_INVALID_ARGUMENT;
    rows.factor = factor;
    if (result == SMOE_SUCCESS)
        result = smoe_weights_pack(&rows, data, type);
    if (result == SMOE_ERROR_UNSUPPORTED)
        return smoe_fail(
            &c->device->instance.host, result,
            "weights.%s: has an element that %s does not hold, in rows %u .. %u of a matrix: infinite, NaN, or "
            "too large for a float16 scale",
            c->tensor->name, smoe_type_name(c->to), row, row + count - 1);
    if (result == SMOE_SUCCESS)
        result =
            smoe_helper_upload(c->device, c->buffer, at + row * to->row_size, c->out, (size_t)(count * to->row_size));
    if (result == SMOE_SUCCESS && scales > 0)
        result = smoe_helper_upload(c->device, c->buffer, at + to->scales_offset + scales_size(to, row), rows.scales,
                                    (size_t)scales);
    return result;
}

/* The factor of a matrix: of all its rows, before the first of them is rounded. */
static smoe_result choose_factor(conversion *c, const unsigned char *from, float *factor)
{
    smoe_result result = SMOE_SUCCESS;
    *factor = 0;
    for (uint32_t row = 0; result == SMOE_SUCCESS && row < c->rows; row += c->tile_rows) {
        const uint32_t count = smoe_min_u32(c->tile_rows, c->rows - row);
        const void *data;
        smoe_type type;
        result = read_rows(c, from, row, count, &data, &type);
        const float part =
            result == SMOE_SUCCESS ? smoe_weights_factor(c->to, data, type, (uint64_t)count * c->columns) : 0;
        *factor = part > *factor ? part : *factor;
    }
    return result;
}

static smoe_result upload_factor(conversion *c, float factor, uint64_t at)
{
    const float padded[4] = {factor};
    return smoe_helper_upload(c->device, c->buffer, at + c->to_layout.factor_offset, padded, sizeof padded);
}

static smoe_result upload_matrix(conversion *c, const unsigned char *from, uint64_t at)
{
    float factor = 1;
    smoe_result result = SMOE_SUCCESS;
    if (c->to_layout.factor_offset) {
        result = choose_factor(c, from, &factor);
        if (result == SMOE_SUCCESS)
            result = upload_factor(c, factor, at);
    }
    for (uint32_t row = 0; result == SMOE_SUCCESS && row < c->rows; row += c->tile_rows)
        result = upload_rows(c, from, factor, at, row, smoe_min_u32(c->tile_rows, c->rows - row));
    return result;
}

smoe_result smoe_helper_upload_weights(smoe_device *device, const smoe_layer_tensor *tensor, smoe_host_weight from,
                                       uint32_t first, uint32_t count, smoe_helper_buffer *buffer)
{
    const unsigned char *data =
        (const unsigned char *)from.data + (first ? smoe_layer_tensor_size(tensor, from.type, first) : 0);
    if (from.type == tensor->type)
        return smoe_helper_upload(device, buffer, 0, data, (size_t)smoe_layer_tensor_size(tensor, from.type, count));
    conversion c = {.device = device, .tensor = tensor, .buffer = buffer, .from = from.type, .to = tensor->type};
    const uint32_t matrices = tensor->axis_count == SMOE_TENSOR_AXES ? count : 1;
    smoe_result result = set_shape(&c);
    if (result != SMOE_SUCCESS)
        return result;
    result = begin(&c);
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < matrices; i++)
        result = upload_matrix(&c, data + i * c.from_layout.size, i * c.to_layout.size);
    end(&c);
    return result;
}
