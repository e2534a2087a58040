/* Opens a GGUF file: its header, and whether its tensors can lie where it says. */
#include "gguf.h"

/* Bytes between two tensors belong to no tensor: files pad them. */
static smoe_result check_layout(const smoe_layer_file *file, const smoe_file_stream *in)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < file->entry_count; i++) {
        const smoe_file_entry *entry = &file->entries[i];
        const char *problem = entry->begin % file->alignment != 0 ? "which is no multiple of the file's alignment"
                              : entry->begin < end                ? "where it overlaps another tensor"
                              : file->data_offset + entry->end > in->size ? "and it ends behind the file's last byte"
                                                                          : NULL;
        if (problem)
            return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "tensor \"%.64s\": its offset is %llu, %s",
                                  entry->tensor.name, (unsigned long long)entry->begin, problem);
        end = entry->end;
    }
    return SMOE_SUCCESS;
}

static smoe_result read_file(smoe_layer_file *file)
{
    smoe_file_stream in;
    smoe_result result = smoe_file_stream_open(&file->host, &in, file->path);
    if (result == SMOE_SUCCESS)
        result = smoe_gguf_read_header(file, &in);
    if (result == SMOE_SUCCESS) {
        smoe_file_sort_by_offset(file);
        result = check_layout(file, &in);
    }
    smoe_file_stream_close(&in);
    return result;
}

smoe_result smoe_gguf_open(const smoe_file_host *host, const char *path, smoe_layer_file **out)
{
    smoe_result result = smoe_file_begin(host, path, out);
    if (result == SMOE_SUCCESS)
        result = read_file(*out);
    if (result != SMOE_SUCCESS) {
        smoe_layer_file_close(*out);
        *out = NULL;
    }
    return result;
}
