/* Several files that are read as one checkpoint: their names and headers. */
#include "checkpoint_internal.h"

#include <string.h>

smoe_result smoe_checkpoint_allocate_parts(smoe_checkpoint *checkpoint, uint32_t count, size_t name_size)
{
    const smoe_file_host *host = &checkpoint->host;
    smoe_parts *parts = &checkpoint->parts;
    parts->count = count;
    parts->name_size = name_size;
    parts->names = smoe_file_allocate(host, (uint64_t)count * name_size);
    parts->files = smoe_file_allocate(host, (uint64_t)count * sizeof *parts->files);
    if (!parts->names || !parts->files)
        return smoe_file_out_of_memory(host, (uint64_t)count * (name_size + sizeof *parts->files));
    return SMOE_SUCCESS;
}

void smoe_checkpoint_close_parts(smoe_checkpoint *checkpoint)
{
    smoe_parts *parts = &checkpoint->parts;
    for (uint32_t i = 0; i < parts->opened; i++)
        smoe_layer_file_close(parts->files[i]);
    smoe_file_release(&checkpoint->host, parts->files);
    smoe_file_release(&checkpoint->host, parts->names);
}

char *smoe_checkpoint_part_name(const smoe_checkpoint *checkpoint, uint32_t index)
{
    return checkpoint->parts.names + index * checkpoint->parts.name_size;
}

smoe_result smoe_checkpoint_add_part(smoe_checkpoint *checkpoint, smoe_layer_file *part)
{
    checkpoint->parts.files[checkpoint->parts.opened++] = part;
    return smoe_file_sort_entries(part);
}

smoe_layer_file *smoe_checkpoint_part(const smoe_checkpoint *checkpoint, const char *file)
{
    for (uint32_t i = 0; i < checkpoint->parts.opened; i++)
        if (strcmp(smoe_checkpoint_part_name(checkpoint, i), file) == 0)
            return checkpoint->parts.files[i];
    return NULL;
}
