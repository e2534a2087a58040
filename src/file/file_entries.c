/* A file's tensors and metadata, whatever its format: how they are found, sorted and released. */
#include "file_internal.h"

#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const smoe_file_pair *)a)->key, ((const smoe_file_pair *)b)->key);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const smoe_file_entry *)a)->tensor.name, ((const smoe_file_entry *)b)->tensor.name);
}

static int compare_offsets(const void *a, const void *b)
{
    const smoe_file_entry *left = a, *right = b;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    if (left->end != right->end)
        return left->end < right->end ? -1 : 1;
    return strcmp(left->tensor.name, right->tensor.name);
}

smoe_result smoe_file_sort_entries(smoe_layer_file *file)
{
    if (file->entry_count > 0)
        qsort(file->entries, file->entry_count, sizeof *file->entries, compare_names);
    for (uint32_t i = 1; i < file->entry_count; i++)
        if (compare_names(&file->entries[i - 1], &file->entries[i]) == 0)
            return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "two tensors are named \"%.80s\"",
                                  file->entries[i].tensor.name);
    return SMOE_SUCCESS;
}

const smoe_file_entry *smoe_file_find_sorted(const smoe_layer_file *file, const char *name)
{
    smoe_file_entry key;
    key.tensor.name = name;
    return file->entry_count ? bsearch(&key, file->entries, file->entry_count, sizeof key, compare_names) : NULL;
}

smoe_result smoe_file_sort_metadata(smoe_layer_file *file)
{
    if (file->metadata_count > 0)
        qsort(file->metadata, file->metadata_count, sizeof *file->metadata, compare_keys);
    for (uint32_t i = 1; i < file->metadata_count; i++)
        if (compare_keys(&file->metadata[i - 1], &file->metadata[i]) == 0)
            return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "the metadata has two members named \"%.80s\"",
                                  file->metadata[i].key);
    return SMOE_SUCCESS;
}

void smoe_file_sort_by_offset(smoe_layer_file *file)
{
    if (file->entry_count > 0)
        qsort(file->entries, file->entry_count, sizeof *file->entries, compare_offsets);
}

smoe_result smoe_file_begin(const smoe_file_host *host, const char *path, smoe_layer_file **out)
{
    const size_t path_size = strlen(path) + 1;
    smoe_layer_file *file = smoe_file_allocate(host, sizeof *file);
    *out = file;
    if (!file)
        return smoe_file_out_of_memory(host, sizeof *file);
    memset(file, 0, sizeof *file);
    file->host = *host;
    file->path = smoe_file_allocate(host, path_size);
    if (!file->path)
        return smoe_file_out_of_memory(host, path_size);
    memcpy(file->path, path, path_size);
    file->host.path = file->path;
    return SMOE_SUCCESS;
}

void smoe_layer_file_close(smoe_layer_file *file)
{
    if (!file)
        return;
    const smoe_file_host host = file->host;
    for (uint32_t i = 0; i < file->entry_count; i++)
        smoe_file_release(&host, (void *)(uintptr_t)file->entries[i].tensor.data);
    smoe_file_release(&host, file->entries);
    smoe_file_release(&host, file->metadata);
    smoe_file_release(&host, file->header);
    smoe_file_release(&host, file->path);
    smoe_file_release(&host, file);
}

const smoe_file_entry *smoe_file_find_entry(const smoe_layer_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->entry_count; i++)
        if (strcmp(file->entries[i].tensor.name, name) == 0)
            return &file->entries[i];
    return NULL;
}

const smoe_tensor *smoe_layer_file_tensor(const smoe_layer_file *file, const char *name)
{
    const smoe_file_entry *entry = file && name ? smoe_file_find_entry(file, name) : NULL;
    return entry && entry->readable ? &entry->tensor : NULL;
}

const smoe_tensor *smoe_layer_file_tensor_at(const smoe_layer_file *file, uint32_t index)
{
    uint32_t before = 0;
    for (uint32_t i = 0; file && i < file->entry_count; i++)
        if (file->entries[i].readable && before++ == index)
            return &file->entries[i].tensor;
    return NULL;
}

const char *smoe_layer_file_metadata(const smoe_layer_file *file, const char *key)
{
    const smoe_file_pair *pair = file && key ? smoe_file_find_pair(file->metadata, file->metadata_count, key) : NULL;
    return pair ? pair->value : NULL;
}
