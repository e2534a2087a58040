/* Reads the tensors of one layer into the layer's memory. */
#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/system.h"

#define ALIGNMENT 64u

static uint64_t axis_length(const smoe_checkpoint_reading *r, char letter)
{
    const int axis = smoe_layer_axis(letter);
    return axis >= 0 ? r->axes[axis] : letter == '2' ? 2 : 1;
}

static uint64_t count_elements(const smoe_checkpoint_reading *r, const char *axes)
{
    uint64_t count = 1;
    for (; *axes; axes++)
        count *= axis_length(r, *axes);
    return count;
}

/* Elements from one step along an axis of the slot to the next. */
static uint64_t stride_of(const smoe_checkpoint_reading *r, const smoe_layer_tensor *tensor, char letter)
{
    return count_elements(r, strchr(tensor->axes, letter) + 1);
}

static smoe_result allocate(smoe_checkpoint_reading *r)
{
    uint64_t size = 0;
    for (int i = 0; i < SMOE_SLOT_COUNT; i++) {
        smoe_layer_tensor tensor;
        smoe_slot_memory *slot = &r->slots[i];
        if (!slot->there)
            continue;
        smoe_slot_tensor(r, (smoe_slot)i, &tensor);
        slot->element_size = (uint32_t)smoe_type_size(tensor.type, 1); /* 0 with scales */
        slot->offset = size;
        size += slot->element_size ? smoe_type_size(tensor.type, tensor.element_count)
                                   : smoe_layer_tensor_size(&tensor, tensor.type, tensor.shape[0]);
        size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    r->out->memory = smoe_file_allocate(&r->checkpoint->host, size);
    return r->out->memory ? SMOE_SUCCESS : smoe_file_out_of_memory(&r->checkpoint->host, size);
}

/* The piece's axes as strides in its slot. */
static void lay_out(const smoe_checkpoint_reading *r, const smoe_piece *piece, const smoe_layer_tensor *tensor,
                    smoe_scatter *scatter)
{
    const smoe_slot slot = piece->row->slot;
    for (const char *letter = piece->axes; *letter && *letter != '|'; letter++) {
        uint64_t stride = 0;
        if (*letter == '*')
            continue;
        /* the partner's slot lies behind this one; both offsets are multiples of the element's size */
        if (*letter == '2')
            stride = (r->slots[smoe_slot_partner(slot)].offset - r->slots[slot].offset) / r->slots[slot].element_size;
        else if (smoe_layer_axis(*letter) >= 0)
            stride = stride_of(r, tensor, *letter);
        scatter->lengths[scatter->rank] = axis_length(r, *letter);
        scatter->strides[scatter->rank++] = stride;
    }
}

static smoe_result seek(const smoe_shard *shard, const smoe_piece *piece)
{
    if (smoe_system_file_seek(shard->stream.stream, shard->headers->data_offset + piece->entry->begin))
        return SMOE_SUCCESS;
    return smoe_file_fail(&shard->headers->host, SMOE_ERROR_FILE, "tensor \"%.200s\": the file cannot be read there",
                          piece->entry->tensor.name);
}

static smoe_result copy_numbers(const smoe_checkpoint_reading *r, const smoe_piece *piece, uint32_t expert)
{
    const smoe_slot_memory *slot = &r->slots[piece->row->slot];
    const smoe_shard *shard = &r->shards[piece->shard];
    smoe_layer_tensor tensor;
    smoe_slot_tensor(r, piece->row->slot, &tensor);
    smoe_scatter scatter = {.to = tensor.type};
    smoe_tensor_type_weights(piece->entry->tensor.type, &scatter.from); /* as when the tensors were found */
    lay_out(r, piece, &tensor, &scatter);
    const uint64_t first = expert > 0 ? expert * stride_of(r, &tensor, 'E') : 0;
    scatter.out = r->out->memory + slot->offset + first * slot->element_size;
    const smoe_result result = seek(shard, piece);
    return result == SMOE_SUCCESS
               ? smoe_file_scatter(&shard->headers->host, &shard->stream, &scatter, piece->entry->tensor.name)
               : result;
}

static smoe_result copy_blocks(const smoe_checkpoint_reading *r, const smoe_piece *piece)
{
    const smoe_result result = seek(&r->shards[piece->shard], piece);
    return result == SMOE_SUCCESS ? smoe_layer_copy_blocks(r, piece) : result;
}

/* Numbers go once, or to each expert where all get the same. */
static smoe_result copy_piece(const smoe_checkpoint_reading *r, const smoe_piece *piece)
{
    smoe_layer_tensor tensor;
    smoe_slot_tensor(r, piece->row->slot, &tensor);
    if (piece->entry->blocks)
        return copy_blocks(r, piece);
    if (strchr(piece->row->name, '#') || !strchr(tensor.axes, 'E') || strchr(piece->row->axes, 'E'))
        return copy_numbers(r, piece, piece->expert);
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t expert = 0; result == SMOE_SUCCESS && expert < r->axes[SMOE_AXIS_E]; expert++)
        result = copy_numbers(r, piece, expert);
    return result;
}

/* Numbers before blocks, whose factors are among them; then in the order of the files and of the bytes in them. */
static int compare_pieces(const void *a, const void *b)
{
    const smoe_piece *left = a, *right = b;
    if (left->entry->blocks != right->entry->blocks)
        return left->entry->blocks ? 1 : -1;
    if (left->shard != right->shard)
        return left->shard < right->shard ? -1 : 1;
    return left->entry->begin < right->entry->begin ? -1 : left->entry->begin > right->entry->begin;
}

static void set_weights(smoe_checkpoint_reading *r)
{
    for (int i = 0; i < SMOE_SLOT_COUNT; i++) {
        smoe_layer_tensor tensor;
        if (r->slots[i].there && smoe_slot_tensor(r, (smoe_slot)i, &tensor))
            smoe_host_weights_set(&r->out->weights, &tensor,
                                  (smoe_host_weight){r->out->memory + r->slots[i].offset, tensor.type});
    }
}

smoe_result smoe_layer_copy(smoe_checkpoint_reading *r)
{
    smoe_result result = allocate(r);
    qsort(r->pieces, r->piece_count, sizeof *r->pieces, compare_pieces);
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < r->piece_count; i++) {
        smoe_shard *shard = &r->shards[r->pieces[i].shard];
        if (!shard->stream.stream)
            result = smoe_file_stream_open(&shard->headers->host, &shard->stream, shard->path);
        if (result == SMOE_SUCCESS)
            result = copy_piece(r, &r->pieces[i]);
        if (i + 1 == r->piece_count || r->pieces[i + 1].shard != r->pieces[i].shard) /* one open file at a time */
            smoe_file_stream_close(&shard->stream);
    }
    set_weights(r);
    return result;
}
