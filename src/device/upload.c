/* Weights on their way to the device, from the type or format that they have to the type that the plan wants. */
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "layer_internal.h"
#include "work.h"

/* Elements that are converted at a time, or a row of blocks where that is more. */
#define TILE_ELEMENTS (1u << 20)

/* Rows whose number is a multiple of this are rows of whole words in every format of weights_source.h. */
#define SOURCE_ROWS 8

/* Zeros behind the parts end at a multiple of 16 bytes: a matrix may have so many more of them than its last tile. */
#define MORE_ZEROS 15

/* What a tile is converted in. */
typedef struct slot {
    float *floats;      /* [tile_rows,columns], where `from` has scales */
    unsigned char *out; /* a matrix [tile_rows,columns] of `to`, and MORE_ZEROS bytes */
    float factor;       /* of a matrix, while factors are found */
    char reason[SMOE_REASON_SIZE];
} slot;

/* Matrices [matrices,rows,columns] of a tensor. */
typedef struct conversion {
    smoe_device *device;
    const smoe_layer_tensor *tensor;
    smoe_helper_buffer *buffer;
    smoe_type from, to;
    const unsigned char *data;          /* of the first one; NULL where there are sources */
    const smoe_weights_source *sources; /* [matrices] */
    smoe_weights_layout from_layout, to_layout;
    uint32_t matrices, rows, columns;
    uint32_t tile_rows; /* whole rows of blocks of both types */
    uint32_t tiles;     /* of a matrix */
    uint32_t threads;
    float *factors; /* [matrices] */
    slot slots[SMOE_HELPER_SLOTS];
} conversion;

static uint64_t scales_size(const smoe_weights_layout *layout, uint32_t rows)
{
    return layout->scale_row_size * smoe_divide_up(rows, layout->block_rows);
}

/* ---- what is converted ------------------------------------------------------------------------------------------- */

static smoe_result check_sources(const conversion *c)
{
    for (uint32_t i = 0; i < c->matrices; i++)
        if (c->sources[i].rows != c->rows || c->sources[i].columns != c->columns)
            return smoe_fail(&c->device->instance.host, SMOE_ERROR_INVALID_ARGUMENT,
                             "weights.%s: source %u is [%u,%u], must be [%u,%u]", c->tensor->name, i,
                             c->sources[i].rows, c->sources[i].columns, c->rows, c->columns);
    return SMOE_SUCCESS;
}

/* Only matrices have other types than float32. */
static smoe_result set_shape(conversion *c)
{
    const smoe_host *host = &c->device->instance.host;
    const smoe_layer_tensor *tensor = c->tensor;
    const uint32_t last = tensor->axis_count - 1;
    c->columns = tensor->shape[last];
    c->rows = tensor->shape[last - 1];
    if (!smoe_weights_layout_get(c->to, c->rows, c->columns, &c->to_layout))
        return SMOE_ERROR_INVALID_ARGUMENT; /* the plan's own check has seen to it */
    if (c->sources)
        return check_sources(c);
    if (!smoe_weights_layout_get(c->from, c->rows, c->columns, &c->from_layout))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "weights.%s.type: blocks of %s do not divide its rows of %u", tensor->name,
                         smoe_type_name(c->from), c->columns);
    if (!smoe_weights_can_pack(c->to))
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED,
                         "weights.%s.type: %s, must be %s like the plan's, which nothing is rounded to", tensor->name,
                         smoe_type_name(c->from), smoe_type_name(c->to));
    return SMOE_SUCCESS;
}

static void set_tiles(conversion *c)
{
    const uint32_t source_rows = c->sources ? SOURCE_ROWS : c->from_layout.block_rows;
    const uint32_t unit = smoe_max_u32(source_rows, c->to_layout.block_rows);
    const uint32_t wanted = smoe_max_u32(TILE_ELEMENTS / c->columns / unit, 1) * unit;
    c->tile_rows = smoe_min_u32(wanted, c->rows);
    c->tiles = smoe_divide_up(c->rows, c->tile_rows);
    c->threads = (uint32_t)smoe_min_u64(c->device->thread_count, (uint64_t)c->tiles * c->matrices);
}

static smoe_result begin(conversion *c)
{
    const smoe_host *host = &c->device->instance.host;
    set_tiles(c);
    const uint64_t floats = c->from_layout.scale_row_size > 0 ? (uint64_t)c->tile_rows * c->columns : 0;
    const uint64_t out = smoe_weights_size(c->to, 1, c->tile_rows, c->columns) + MORE_ZEROS;
    c->factors = smoe_host_alloc(host, c->matrices, sizeof *c->factors);
    bool all = c->factors != NULL;
    for (uint32_t i = 0; all && i < smoe_helper_slot_count(c->threads); i++) {
        c->slots[i].floats = floats ? smoe_host_alloc(host, (size_t)floats, sizeof(float)) : NULL;
        c->slots[i].out = smoe_host_alloc(host, (size_t)out, 1);
        all = c->slots[i].out && (c->slots[i].floats || floats == 0);
    }
    return all ? SMOE_SUCCESS
               : smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "smoe_device_layer_create: no memory to convert %s",
                           c->tensor->name);
}

static void end(conversion *c)
{
    const smoe_host *host = &c->device->instance.host;
    for (uint32_t i = 0; i < smoe_helper_slot_count(c->threads); i++) {
        smoe_host_free(host, c->slots[i].floats);
        smoe_host_free(host, c->slots[i].out);
    }
    smoe_host_free(host, c->factors);
}

/* ---- rows, on any thread ----------------------------------------------------------------------------------------- */

/* Rows of a matrix that has scales and lies at `from`, into the slot's floats: the weights, times the factor. */
static smoe_result unpack(const conversion *c, slot *s, const unsigned char *from, uint32_t row, uint32_t count)
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
    const smoe_result result = smoe_weights_unpack(s->floats, &rows);
    for (uint64_t i = 0; factor != 1 && i < (uint64_t)count * c->columns; i++)
        s->floats[i] *= factor;
    return result;
}

/* Rows of a matrix as numbers without scales, of *type. */
static smoe_result read_rows(const conversion *c, slot *s, uint32_t matrix, uint32_t row, uint32_t count,
                             const void **data, smoe_type *type)
{
    const unsigned char *from = c->data + matrix * c->from_layout.size;
    *data = s->floats ? (const void *)s->floats : from + row * c->from_layout.row_size;
    *type = s->floats ? SMOE_TYPE_FLOAT32 : c->from;
    return s->floats ? unpack(c, s, from, row, count) : SMOE_SUCCESS;
}

/* Whether the numbers of a matrix decide its factor: else it is always 1. */
static bool chooses_factor(smoe_type to)
{
    const float zero = 0;
    return smoe_weights_factor(to, &zero, SMOE_TYPE_FLOAT32, 1) != 1;
}

/* The factor of a matrix to the slot's, before the first of its rows is converted. */
static smoe_result find_factor(void *user, uint32_t matrix, uint32_t index)
{
    conversion *c = user;
    slot *s = &c->slots[index];
    const bool chosen = chooses_factor(c->to);
    smoe_result result = SMOE_SUCCESS;
    s->factor = chosen ? 0 : 1;
    if (c->sources)
        return smoe_weights_source_factor(&c->sources[matrix], c->to, &s->factor, s->reason);
    for (uint32_t row = 0; chosen && result == SMOE_SUCCESS && row < c->rows; row += c->tile_rows) {
        const uint32_t count = smoe_min_u32(c->tile_rows, c->rows - row);
        const void *data;
        smoe_type type;
        result = read_rows(c, s, matrix, row, count, &data, &type);
        const float part =
            result == SMOE_SUCCESS ? smoe_weights_factor(c->to, data, type, (uint64_t)count * c->columns) : 0;
        s->factor = part > s->factor ? part : s->factor;
    }
    return result;
}

/* Where a job's tile is. */
typedef struct place {
    uint32_t matrix, row, count;
} place;

static place place_of(const conversion *c, uint32_t job)
{
    const uint32_t row = job % c->tiles * c->tile_rows;
    return (place){job / c->tiles, row, smoe_min_u32(c->tile_rows, c->rows - row)};
}

static smoe_result round_rows(const conversion *c, slot *s, place at, const smoe_weights_rows *to)
{
    smoe_type type;
    const void *data;
    smoe_result result = read_rows(c, s, at.matrix, at.row, at.count, &data, &type);
    if (result == SMOE_SUCCESS)
        result = smoe_weights_pack(to, data, type);
    if (result != SMOE_SUCCESS)
        snprintf(s->reason, sizeof s->reason,
                 "has an element that %s does not hold, in rows %u .. %u: infinite, NaN, or too large for a float16 "
                 "scale",
                 smoe_type_name(c->to), at.row, at.row + at.count - 1);
    return result;
}

static smoe_result convert_tile(void *user, uint32_t job, uint32_t index)
{
    conversion *c = user;
    slot *s = &c->slots[index];
    const place at = place_of(c, job);
    smoe_weights_rows to;
    if (!smoe_weights_rows_get(c->to, at.count, c->columns, s->out, &to))
        return SMOE_ERROR_INVALID_ARGUMENT;
    to.factor = c->factors[at.matrix];
    return c->sources ? smoe_weights_convert(&to, &c->sources[at.matrix], at.row, s->reason)
                      : round_rows(c, s, at, &to);
}

/* ---- results, on the calling thread ------------------------------------------------------------------------------ */

static smoe_result say(const conversion *c, uint32_t matrix, const slot *s, smoe_result result)
{
    return result == SMOE_SUCCESS ? result
                                  : smoe_fail(&c->device->instance.host, result, "weights.%s: matrix %u: %s",
                                              c->tensor->name, matrix, s->reason);
}

static smoe_result keep_factor(void *user, uint32_t matrix, uint32_t index, smoe_result result)
{
    conversion *c = user;
    c->factors[matrix] = c->slots[index].factor;
    return say(c, matrix, &c->slots[index], result);
}

/* A part of a tile, and where in a matrix it begins. */
typedef struct part {
    unsigned char *data;
    uint64_t offset, size;
} part;

/* Puts the zeros and the factor that end a matrix behind its last part. */
static void add_end(const conversion *c, uint32_t matrix, part *last)
{
    const smoe_weights_layout *to = &c->to_layout;
    const uint64_t size = to->size - last->offset;
    memset(last->data + last->size, 0, (size_t)(size - last->size));
    if (to->factor_offset)
        memcpy(last->data + (to->factor_offset - last->offset), &c->factors[matrix], sizeof(float));
    last->size = size;
}

/* Gives how many parts a tile has. */
static uint32_t find_parts(const conversion *c, place at, const smoe_weights_rows *tile, part parts[3])
{
    const smoe_weights_layout *to = &c->to_layout;
    uint32_t count = 0;
    parts[count++] = (part){tile->rows, at.row * to->row_size, at.count * to->row_size};
    if (tile->scales)
        parts[count++] = (part){tile->scales, to->scales_offset + scales_size(to, at.row), scales_size(to, at.count)};
    if (tile->second_scales)
        parts[count++] = (part){tile->second_scales, to->second_offset + at.row * to->second_row_size,
                                at.count * to->second_row_size};
    if (at.row + at.count == c->rows)
        add_end(c, at.matrix, &parts[count - 1]);
    return count;
}

static smoe_result upload_tile(void *user, uint32_t job, uint32_t index, smoe_result result)
{
    conversion *c = user;
    const place at = place_of(c, job);
    smoe_weights_rows tile;
    part parts[3];
    if (result != SMOE_SUCCESS || !smoe_weights_rows_get(c->to, at.count, c->columns, c->slots[index].out, &tile))
        return say(c, at.matrix, &c->slots[index], result);
    const uint32_t count = find_parts(c, at, &tile, parts);
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count; i++)
        result = smoe_helper_upload(c->device, c->buffer, at.matrix * c->to_layout.size + parts[i].offset,
                                    parts[i].data, (size_t)parts[i].size);
    return result;
}

static smoe_result run(conversion *c)
{
    const smoe_host *host = &c->device->instance.host;
    const smoe_helper_work factors = {c->matrices, c, find_factor, keep_factor};
    const smoe_helper_work tiles = {c->matrices * c->tiles, c, convert_tile, upload_tile};
    const smoe_result result =
        c->to_layout.factor_offset ? smoe_helper_work_run(host, c->threads, &factors) : SMOE_SUCCESS;
    return result == SMOE_SUCCESS ? smoe_helper_work_run(host, c->threads, &tiles) : result;
}

smoe_result smoe_helper_upload_weights(smoe_device *device, const smoe_layer_tensor *tensor, smoe_host_weight from,
                                       uint32_t first, uint32_t count, smoe_helper_buffer *buffer)
{
    const bool sources = from.type == SMOE_TYPE_SOURCES;
    const unsigned char *data = sources ? NULL : from.data;
    if (data && first)
        data += smoe_layer_tensor_size(tensor, from.type, first);
    if (from.type == tensor->type)
        return smoe_helper_upload(device, buffer, 0, data, (size_t)smoe_layer_tensor_size(tensor, from.type, count));
    conversion c = {
        .device = device,
        .tensor = tensor,
        .buffer = buffer,
        .from = from.type,
        .to = tensor->type,
        .data = data,
        .sources = sources ? (const smoe_weights_source *)from.data + first : NULL,
        .matrices = tensor->axis_count == SMOE_TENSOR_AXES ? count : 1,
    };
    smoe_result result = set_shape(&c);
    if (result != SMOE_SUCCESS)
        return result;
    result = begin(&c);
    if (result == SMOE_SUCCESS)
        result = run(&c);
    end(&c);
    return result;
}
