/* Matrices with scales as they lie in memory. A few experts' are made, and stand for all: to round those of all would
 * take minutes for a large layer, and its floats more memory than the layer. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A prime number leaves no power of two at which experts are the same. */
_Static_assert(BENCH_DISTINCT == 3, "a prime number, and not 2");

/* A tensor of matrices [count,rows,columns]. */
typedef struct stored_part {
    smoe_layer_tensor tensor;
    uint32_t count, rows, columns;
    uint64_t size; /* bytes of a matrix */
} stored_part;

/* The next one behind *index; false behind the last one. Every matrix but the router's has the type. */
static bool next_part(const bench_preset *preset, smoe_type type, uint32_t *index, stored_part *out)
{
    while (smoe_layer_tensor_get(&preset->plan, (*index)++, &out->tensor)) {
        const smoe_layer_tensor *tensor = &out->tensor;
        if (!tensor->matrix || !bench_has_tensor(preset, tensor))
            continue;
        const uint32_t last = tensor->axis_count - 1;
        out->count = tensor->axis_count == SMOE_TENSOR_AXES ? tensor->shape[0] : 1;
        out->rows = tensor->shape[last - 1];
        out->columns = tensor->shape[last];
        out->size = smoe_weights_size(type, 1, out->rows, out->columns);
        return true;
    }
    return false;
}

double bench_stored_bytes(const bench_preset *preset, smoe_type type)
{
    stored_part part;
    double bytes = 0;
    for (uint32_t i = 0; next_part(preset, type, &i, &part);)
        bytes += (double)part.count * (double)part.size;
    return bytes;
}

/* Rounds the floats, or draws blocks where smoe does not round to the type. Gives the matrix's factor; 0: none. */
static float make_blocks(const smoe_weights_rows *to, uint64_t elements, const float *from, uint32_t seed)
{
    smoe_weights_rows rows = *to;
    if (!smoe_weights_can_pack(rows.type))
        return bench_draw_blocks(&rows, seed);
    rows.factor = smoe_weights_factor(rows.type, from, SMOE_TYPE_FLOAT32, elements);
    return smoe_weights_pack(&rows, from, SMOE_TYPE_FLOAT32) == SMOE_SUCCESS ? rows.factor : 0;
}

static bool make_matrix(const stored_part *part, smoe_type type, uint32_t number, const float *from, unsigned char *to)
{
    const uint64_t elements = (uint64_t)part->rows * part->columns;
    smoe_weights_layout layout;
    smoe_weights_rows rows;
    if (!smoe_weights_layout_get(type, part->rows, part->columns, &layout) ||
        !smoe_weights_rows_get(type, part->rows, part->columns, to, &rows))
        return false;
    const float factor =
        make_blocks(&rows, elements, from + number * elements, (uint32_t)part->tensor.host_offset + number);
    if (layout.factor_offset > 0)
        memcpy(to + layout.factor_offset, &factor, sizeof factor);
    return factor > 0;
}

static bool make_part(const stored_part *part, smoe_type type, const float *from, unsigned char *to)
{
    bool good = true;
    for (uint32_t i = 0; good && i < part->count; i++, to += part->size)
        if (i < BENCH_DISTINCT)
            good = make_matrix(part, type, i, from, to);
        else
            memcpy(to, to - BENCH_DISTINCT * part->size, (size_t)part->size);
    return good;
}

bool bench_store(const bench_preset *preset, smoe_type type, bench_data *data)
{
    const double bytes = bench_stored_bytes(preset, type);
    stored_part part;
    bool good = true;
    data->stored = bytes < (double)SIZE_MAX ? calloc(1, (size_t)bytes) : NULL; /* what lies between the parts is 0 */
    unsigned char *to = data->stored;
    for (uint32_t i = 0; to && good && next_part(preset, type, &i, &part); to += part.count * part.size) {
        good = make_part(&part, type, smoe_host_weights_get(&data->weights, &part.tensor).data, to);
        smoe_host_weights_set(&data->weights, &part.tensor, (smoe_host_weight){to, type});
    }
    return data->stored && good;
}
