/* Opens a safetensors file: 8 bytes of little-endian header length, the header, the tensors' bytes.
 *
 * No size that the file merely claims is allocated: where the file's real size is known it is compared first, elsewhere (pipes)
 * memory grows with the bytes that have really come. */
#include "file_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER_SIZE 100000000u /* safetensors' own bound */
#define UNKNOWN_SIZE UINT64_MAX
#define FIRST_CHUNK 1048576u

typedef struct reader {
    FILE *stream;
    uint64_t size; /* of the whole file, or UNKNOWN_SIZE */
} reader;

/* Leaves the stream at its beginning. */
static uint64_t stream_size(FILE *stream)
{
#ifdef _WIN32
    const int64_t size = _fseeki64(stream, 0, SEEK_END) == 0 ? _ftelli64(stream) : -1;
#else
    const int64_t size = fseek(stream, 0, SEEK_END) == 0 ? ftell(stream) : -1;
#endif
    clearerr(stream);
    /* Devices and kernel files call themselves empty. */
    return size > 0 && fseek(stream, 0, SEEK_SET) == 0 ? (uint64_t)size : UNKNOWN_SIZE;
}

/* Reads size bytes into new memory, and a zero behind them: some releases of cJSON look one byte past what they are given. "what" is
 * for the log. */
static smoe_result read_bytes(const smoe_file_host *host, const reader *in, uint64_t size, const char *what, void **out)
{
    uint64_t capacity = in->size != UNKNOWN_SIZE || size < FIRST_CHUNK ? size : FIRST_CHUNK;
    uint64_t have = 0;
    smoe_result result = SMOE_SUCCESS;
    char *memory = capacity < SIZE_MAX ? smoe_file_allocate(host, capacity + 1) : NULL;
    *out = NULL;
    for (;;) {
        if (!memory)
            return smoe_file_out_of_memory(host, capacity);
        const size_t got = fread(memory + have, 1, (size_t)(capacity - have), in->stream);
        have += got;
        if (have < capacity) {
            result = smoe_file_fail(host, SMOE_ERROR_FILE, "%s: the file %s after %llu of %llu bytes", what,
                                    ferror(in->stream) ? "cannot be read" : "ends", (unsigned long long)have, (unsigned long long)size);
            smoe_file_release(host, memory);
            return result;
        }
        if (have == size)
            break;
        capacity = size - have < have ? size : 2 * have;
        char *larger = capacity < SIZE_MAX ? smoe_file_allocate(host, capacity + 1) : NULL;
        if (larger)
            memcpy(larger, memory, (size_t)have);
        smoe_file_release(host, memory);
        memory = larger;
    }
    memory[size] = 0;
    *out = memory;
    return SMOE_SUCCESS;
}

/* Reads past bytes that nobody wants. */
static smoe_result skip_bytes(const smoe_file_host *host, const reader *in, uint64_t size, const char *what)
{
    char scratch[4096];
    for (uint64_t left = size; left > 0;) {
        const size_t want = left < sizeof scratch ? (size_t)left : sizeof scratch;
        if (fread(scratch, 1, want, in->stream) != want)
            return smoe_file_fail(host, SMOE_ERROR_FILE, "tensor \"%.80s\": the file ends or cannot be read before its last byte", what);
        left -= want;
    }
    return SMOE_SUCCESS;
}

static smoe_result read_header(smoe_layer_file *file, const reader *in, uint64_t *header_size)
{
    const smoe_file_host *host = &file->host;
    unsigned char prefix[8];
    if (fread(prefix, 1, sizeof prefix, in->stream) != sizeof prefix)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s", ferror(in->stream) ? "cannot be read (is it a directory?)"
                                                                              : "not a safetensors file: shorter than 8 bytes");
    uint64_t size = 0;
    for (int i = 8; i-- > 0;)
        size = size << 8 | prefix[i];
    if (size > MAX_HEADER_SIZE)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "not a safetensors file: header length %llu is above the bound of %u",
                              (unsigned long long)size, MAX_HEADER_SIZE);
    if (in->size != UNKNOWN_SIZE && size + sizeof prefix > in->size)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "header length %llu, but the file ends after %llu bytes", (unsigned long long)size,
                              (unsigned long long)in->size);
    void *header;
    const smoe_result result = read_bytes(host, in, size, "header", &header);
    file->header = header;
    *header_size = size;
    return result;
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

/* As the safetensors crate has it: the tensors follow one another from the first byte to the file's last. */
static smoe_result check_layout(const smoe_layer_file *file, const reader *in, uint64_t header_size)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < file->entry_count; i++) {
        const smoe_file_entry *entry = &file->entries[i];
        if (entry->begin != end)
            return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "tensor \"%.80s\": data_offsets begin at %llu, but must at %llu (%s)",
                                  entry->tensor.name, (unsigned long long)entry->begin, (unsigned long long)end,
                                  entry->begin < end ? "it overlaps another tensor" : "the bytes between belong to no tensor");
        end = entry->end;
    }
    if (in->size != UNKNOWN_SIZE && in->size != 8 + header_size + end)
        return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "the file holds %llu bytes, but its header describes %llu",
                              (unsigned long long)in->size, (unsigned long long)(8 + header_size + end));
    return SMOE_SUCCESS;
}

static smoe_result read_tensors(smoe_layer_file *file, const reader *in)
{
    const smoe_file_host *host = &file->host;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < file->entry_count; i++) {
        smoe_file_entry entry = file->entries[i];
        smoe_result result;
        if (entry.readable) {
            /* Memory of its own for each tensor: aligned wherever the file has it. */
            void *data;
            char what[96];
            snprintf(what, sizeof what, "tensor \"%.80s\"", entry.tensor.name);
            result = read_bytes(host, in, entry.tensor.size, what, &data);
            entry.tensor.data = data;
            if (result == SMOE_SUCCESS)
                file->entries[kept++] = entry;
        } else {
            result = skip_bytes(host, in, entry.tensor.size, entry.tensor.name);
        }
        if (result != SMOE_SUCCESS)
            return result; /* entries without data release nothing */
    }
    file->entry_count = kept;
    if (fgetc(in->stream) != EOF)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "the file goes on after its last tensor");
    return SMOE_SUCCESS;
}

static smoe_result read_file(smoe_layer_file *file)
{
    reader in = {fopen(file->path, "rb"), UNKNOWN_SIZE};
    if (!in.stream)
        return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "cannot be opened");
    in.size = stream_size(in.stream);
    uint64_t header_size = 0;
    smoe_result result = read_header(file, &in, &header_size);
    if (result == SMOE_SUCCESS)
        result = smoe_file_parse_header(file, header_size);
    if (result == SMOE_SUCCESS) {
        qsort(file->entries, file->entry_count, sizeof *file->entries, compare_offsets);
        result = check_layout(file, &in, header_size);
    }
    if (result == SMOE_SUCCESS)
        result = read_tensors(file, &in);
    fclose(in.stream);
    return result;
}

smoe_result smoe_layer_file_open(const char *path, const smoe_allocator *allocator, const smoe_log *log, smoe_layer_file **out)
{
    smoe_file_host host;
    if (out)
        *out = NULL;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_layer_file_open"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || !out)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL", path ? "out" : "path");
    const size_t path_size = strlen(path) + 1;
    smoe_layer_file *file = smoe_file_allocate(&host, sizeof *file);
    if (!file)
        return smoe_file_out_of_memory(&host, sizeof *file);
    memset(file, 0, sizeof *file);
    file->host = host;
    file->path = smoe_file_allocate(&host, path_size);
    smoe_result result = SMOE_SUCCESS;
    if (file->path) {
        memcpy(file->path, path, path_size);
        file->host.path = file->path;
        result = read_file(file);
    } else {
        result = smoe_file_out_of_memory(&host, path_size);
    }
    if (result != SMOE_SUCCESS) {
        smoe_layer_file_close(file);
        return result;
    }
    *out = file;
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

const smoe_tensor *smoe_layer_file_tensor(const smoe_layer_file *file, const char *name)
{
    for (uint32_t i = 0; file && name && i < file->entry_count; i++)
        if (strcmp(file->entries[i].tensor.name, name) == 0)
            return &file->entries[i].tensor;
    return NULL;
}

const smoe_tensor *smoe_layer_file_tensor_at(const smoe_layer_file *file, uint32_t index)
{
    return file && index < file->entry_count ? &file->entries[index].tensor : NULL;
}

const char *smoe_layer_file_metadata(const smoe_layer_file *file, const char *key)
{
    for (uint32_t i = 0; file && key && i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].value;
    return NULL;
}
