/* Matrices in blocks, as GGUF has them: read some rows at a time, and converted exactly to a type with scales. */
#include "checkpoint_internal.h"

#include <string.h>

/* Bytes of the file that are converted at a time; a whole row where that is more. */
#define TILE_SIZE (UINT64_C(1) << 20)

/* One matrix on its way from the file to the layer's memory. */
typedef struct conversion {
    const smoe_file_host *host;
    const smoe_file_stream *in;
    const smoe_file_entry *entry;
    smoe_weights_source tile; /* its rows: those of a tile */
    smoe_type type;
    uint32_t rows, tile_rows;
    uint64_t row_size; /* bytes in the file */
    void *buffer;
    smoe_weights_layout layout;
} conversion;

static smoe_result refuse(const smoe_file_host *host, const smoe_file_entry *entry, const char *reason)
{
    return smoe_file_fail(host, SMOE_ERROR_UNSUPPORTED, "tensor %.64s: %s", entry->tensor.name, reason);
}

smoe_result smoe_layer_type_of_blocks(const smoe_checkpoint_reading *r, const smoe_file_entry *entry, smoe_type *type)
{
    char reason[SMOE_REASON_SIZE];
    const uint32_t rank = entry->tensor.rank;
    const uint64_t columns = rank > 0 ? entry->tensor.shape[rank - 1] : 0;
    const smoe_weights_source source = {
        .format = entry->format,
        .rows = 1,
        .columns = columns <= UINT32_MAX ? (uint32_t)columns : 0,
        .elements = {entry, UINT64_MAX}, /* only its presence is checked */
    };
    if (smoe_weights_source_type(&source, type, reason) == SMOE_SUCCESS)
        return SMOE_SUCCESS;
    return refuse(&r->checkpoint->host, entry, reason);
}

/* Rows of the matrix from `row` on. */
static smoe_result convert_tile(conversion *c, const smoe_weights_rows *matrix, uint32_t row, char *reason)
{
    const uint64_t size = c->tile.rows * c->row_size;
    smoe_weights_rows to = *matrix;
    const smoe_result result = smoe_file_stream_read(c->host, c->in, c->buffer, size, c->entry->tensor.name);
    if (result != SMOE_SUCCESS)
        return result;
    to.row_count = c->tile.rows;
    to.rows = (char *)matrix->rows + row * c->layout.row_size;
    to.scales = (char *)matrix->scales + row * c->layout.scale_row_size;
    to.second_scales = matrix->second_scales ? (char *)matrix->second_scales + row * c->layout.second_row_size : NULL;
    return smoe_weights_convert(&to, &c->tile, 0, reason) == SMOE_SUCCESS ? SMOE_SUCCESS
                                                                          : refuse(c->host, c->entry, reason);
}

/* The next matrix of the file. */
static smoe_result convert_matrix(conversion *c, const void *factor, void *out)
{
    char reason[SMOE_REASON_SIZE];
    smoe_weights_rows matrix;
    c->tile.multiplier = factor;
    c->tile.rows = c->tile_rows;
    memset(out, 0, (size_t)c->layout.size);
    smoe_weights_rows_get(c->type, c->rows, c->tile.columns, out, &matrix); /* there is a layout */
    if (smoe_weights_source_factor(&c->tile, c->type, &matrix.factor, reason) != SMOE_SUCCESS)
        return refuse(c->host, c->entry, reason);
    if (c->layout.factor_offset)
        memcpy((char *)out + c->layout.factor_offset, &matrix.factor, sizeof matrix.factor);
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t row = 0; result == SMOE_SUCCESS && row < c->rows; row += c->tile_rows) {
        c->tile.rows = c->rows - row < c->tile_rows ? c->rows - row : c->tile_rows;
        result = convert_tile(c, &matrix, row, reason);
    }
    return result;
}

/* All matrices of a tensor: each expert's, a fused one's first part before its second. */
static smoe_result convert_all(const smoe_checkpoint_reading *r, const smoe_piece *piece, conversion *c,
                               uint64_t matrices)
{
    const smoe_slot slot = piece->row->slot;
    const bool fused = strchr(piece->row->axes, '2') != NULL;
    const smoe_slot to[2] = {slot, smoe_slot_partner(slot)};
    const smoe_slot_memory *factors = &r->slots[smoe_slot_factor(slot)];
    smoe_result result = SMOE_SUCCESS;
    for (uint64_t i = 0; result == SMOE_SUCCESS && i < matrices * (fused ? 2 : 1); i++) {
        const uint64_t matrix = fused ? i / 2 : i;
        const smoe_slot_memory *memory = &r->slots[to[fused ? i % 2 : 0]];
        result = convert_matrix(c, factors->there ? r->out->memory + factors->offset + matrix * sizeof(float) : NULL,
                                r->out->memory + memory->offset + matrix * c->layout.size);
    }
    return result;
}

smoe_result smoe_layer_copy_blocks(const smoe_checkpoint_reading *r, const smoe_piece *piece)
{
    const smoe_shard *shard = &r->shards[piece->shard];
    smoe_layer_tensor tensor;
    smoe_slot_tensor(r, piece->row->slot, &tensor);
    const uint32_t rows = tensor.shape[tensor.axis_count - 2], columns = tensor.shape[tensor.axis_count - 1];
    const uint64_t matrices = tensor.axis_count == SMOE_TENSOR_AXES ? tensor.shape[0] : 1;
    conversion c = {
        .host = &shard->headers->host, .in = &shard->stream, .entry = piece->entry, .type = tensor.type, .rows = rows};
    smoe_weights_layout_get(tensor.type, rows, columns, &c.layout); /* the type was found with these columns */
    c.row_size = piece->entry->tensor.size / (matrices * rows * (strchr(piece->row->axes, '2') ? 2 : 1));
    const uint64_t wanted = TILE_SIZE / c.row_size;
    c.tile_rows = wanted < 1 ? 1 : wanted < rows ? (uint32_t)wanted : rows;
    c.buffer = smoe_file_allocate(c.host, c.tile_rows * c.row_size);
    if (!c.buffer)
        return smoe_file_out_of_memory(c.host, c.tile_rows * c.row_size);
    c.tile = (smoe_weights_source){
        .format = piece->entry->format, .columns = columns, .elements = {c.buffer, c.tile_rows * c.row_size}};
    const smoe_result result = convert_all(r, piece, &c, matrices);
    smoe_file_release(c.host, c.buffer);
    return result;
}
