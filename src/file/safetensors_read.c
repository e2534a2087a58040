/* Opens a safetensors file: 8 bytes of little-endian header length, the header, the tensors' bytes. */
#include "file_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/system.h"

#define MAX_HEADER_SIZE 100000000u /* safetensors' own bound */

static smoe_result read_header(smoe_layer_file *file, const smoe_file_stream *in, uint64_t *header_size)
{
    const smoe_file_host *host = &file->host;
    unsigned char prefix[8];
    if (fread(prefix, 1, sizeof prefix, in->stream) != sizeof prefix)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s",
                              ferror(in->stream) ? "cannot be read"
                                                 : "not a safetensors file: shorter than 8 bytes");
    uint64_t size = 0;
    for (int i = 8; i-- > 0;)
        size = size << 8 | prefix[i];
    const char *known = smoe_file_known_format(prefix, sizeof prefix);
    if (known && size > MAX_HEADER_SIZE)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "not a safetensors file, but %s", known);
    if (size > MAX_HEADER_SIZE)
        return smoe_file_fail(host, SMOE_ERROR_FILE,
                              "not a safetensors file: header length %llu is above the bound of %u",
                              (unsigned long long)size, MAX_HEADER_SIZE);
    if (size + sizeof prefix > in->size)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "header length %llu, but the file ends after %llu bytes",
                              (unsigned long long)size, (unsigned long long)in->size);
    void *header;
    const smoe_result result = smoe_file_stream_take(host, in, size, "header", &header);
    file->header = header;
    *header_size = size;
    return result;
}

/* As the safetensors crate has it: the tensors follow one another from the first byte to the file's last. */
static smoe_result check_layout(const smoe_layer_file *file, const smoe_file_stream *in, uint64_t header_size)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < file->entry_count; i++) {
        const smoe_file_entry *entry = &file->entries[i];
        if (entry->begin != end)
            return smoe_file_fail(
                &file->host, SMOE_ERROR_FILE, "tensor \"%.80s\": data_offsets begin at %llu, but must at %llu (%s)",
                entry->tensor.name, (unsigned long long)entry->begin, (unsigned long long)end,
                entry->begin < end ? "it overlaps another tensor" : "the bytes between belong to no tensor");
        end = entry->end;
    }
    if (in->size != 8 + header_size + end)
        return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "the file holds %llu bytes, but its header describes %llu",
                              (unsigned long long)in->size, (unsigned long long)(8 + header_size + end));
    return SMOE_SUCCESS;
}

static smoe_result read_tensors(smoe_layer_file *file, const smoe_file_stream *in)
{
    const smoe_file_host *host = &file->host;
    for (uint32_t i = 0; i < file->entry_count; i++) {
        smoe_file_entry *entry = &file->entries[i];
        smoe_result result;
        if (entry->readable) {
            /* Memory of its own for each tensor: aligned wherever the file has it. */
            void *data;
            char what[96];
            snprintf(what, sizeof what, "tensor \"%.80s\"", entry->tensor.name);
            result = smoe_file_stream_take(host, in, entry->tensor.size, what, &data);
            entry->tensor.data = result == SMOE_SUCCESS ? data : NULL;
        } else {
            result = smoe_system_file_seek(in->stream, file->data_offset + entry->end)
                         ? SMOE_SUCCESS
                         : smoe_file_fail_for_reason(host, "cannot be read");
        }
        if (result != SMOE_SUCCESS)
            return result; /* entries without data release nothing */
    }
    if (fgetc(in->stream) != EOF)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "the file goes on after its last tensor");
    return SMOE_SUCCESS;
}

static smoe_result read_file(smoe_layer_file *file, bool headers_only)
{
    smoe_file_stream in;
    uint64_t header_size = 0;
    smoe_result result = smoe_file_stream_open(&file->host, &in, file->path);
    if (result == SMOE_SUCCESS)
        result = read_header(file, &in, &header_size);
    if (result == SMOE_SUCCESS)
        result = smoe_file_parse_header(file, header_size);
    if (result == SMOE_SUCCESS) {
        smoe_file_sort_by_offset(file);
        result = check_layout(file, &in, header_size);
    }
    file->data_offset = 8 + header_size;
    if (result == SMOE_SUCCESS && !headers_only)
        result = read_tensors(file, &in);
    smoe_file_stream_close(&in);
    return result;
}

smoe_result smoe_file_open_tensors(const smoe_file_host *host, const char *path, bool headers_only,
                                   smoe_layer_file **out)
{
    smoe_result result = smoe_file_begin(host, path, out);
    if (result == SMOE_SUCCESS)
        result = read_file(*out, headers_only);
    if (result != SMOE_SUCCESS) {
        smoe_layer_file_close(*out);
        *out = NULL;
    }
    return result;
}

smoe_result smoe_layer_file_open(const char *path, const smoe_allocator *allocator, const smoe_log *log,
                                 smoe_layer_file **out)
{
    smoe_file_host host;
    if (out)
        *out = NULL;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_layer_file_open"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || !out)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL", path ? "out" : "path");
    return smoe_file_open_tensors(&host, path, false, out);
}
