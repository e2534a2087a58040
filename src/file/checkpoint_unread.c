/* Tensors of a layer's block that no row of the format reads: the model may compute something else with them. */
#include "checkpoint_internal.h"

#include <string.h>

#define MOST_LINES 8u /* a layer of experts in a format of its own has thousands */

/* Behind the expert's number that stands at `text`; NULL if there is none. */
static const char *skip_number(const char *text)
{
    const size_t digits = strspn(text, "0123456789");
    return digits > 0 ? text + digits : NULL;
}

/* Whether a row's name is this one; # is any expert's number. */
static bool matches(const char *pattern, const char *name)
{
    for (; *pattern && name; pattern++) {
        if (*pattern == '#')
            name = skip_number(name);
        else if (*name++ != *pattern)
            return false;
    }
    return name && *name == '\0';
}

/* Whether a name is in a block that rows read from: "mlp." of "mlp.gate.weight", GGUF: "ffn_" of "ffn_gate_inp.weight",
 * where norms are the model's. */
static bool is_in_block(const smoe_checkpoint *checkpoint, const char *name)
{
    for (const smoe_tensor_row *row = checkpoint->table->tensors; row->name; row++) {
        const size_t size = strcspn(row->name, checkpoint->gguf ? "._" : ".") + 1;
        if (strncmp(row->name, name, size) == 0)
            return !checkpoint->gguf || !strstr(name, "norm");
    }
    return false;
}

static bool is_read(const smoe_checkpoint_reading *r, const smoe_tensor_row *row)
{
    return r->slots[row->slot].there && r->slots[row->slot].row == row;
}

/* The row that a name is of: one that reads it, if any does; else NULL or one that another tensor keeps from being
 * read. */
static const smoe_tensor_row *find_row(const smoe_checkpoint_reading *r, const char *name)
{
    const smoe_tensor_row *found = NULL;
    for (const smoe_tensor_row *row = r->checkpoint->table->tensors; row->name; row++)
        if (matches(row->name, name) && (!found || is_read(r, row)))
            found = row;
    return found;
}

static void warn(const smoe_checkpoint *checkpoint, const smoe_tensor_row *row, const char *name)
{
    if (row && row->with && strncmp(row->with, SMOE_WITHOUT, 1) == 0)
        smoe_file_warn(&checkpoint->host, "tensor %.200s is not read beside %.100s", name, row->with + 1);
    else if (row && row->with)
        smoe_file_warn(&checkpoint->host, "tensor %.200s is not read without %.100s", name, row->with);
    else
        smoe_file_warn(&checkpoint->host, "tensor %.300s is not read: format %s has no such part", name,
                       checkpoint->table->model_type);
}

void smoe_layer_tell_unread(const smoe_checkpoint_reading *r)
{
    const smoe_checkpoint *checkpoint = r->checkpoint;
    uint32_t unread = 0;
    for (uint32_t i = 0; i < checkpoint->name_count; i++) {
        const char *name = checkpoint->names[i].name;
        if (strncmp(name, r->prefix, r->prefix_size) != 0 || !is_in_block(checkpoint, name + r->prefix_size))
            continue;
        const smoe_tensor_row *row = find_row(r, name + r->prefix_size);
        if (row && is_read(r, row))
            continue;
        if (++unread <= MOST_LINES)
            warn(checkpoint, row, name);
    }
    if (unread > MOST_LINES)
        smoe_file_warn(&checkpoint->host, "%u more tensors of layer %u are not read", unread - MOST_LINES, r->layer);
}
