/* Reads bytes of a file: in order, or from an offset beyond what a long can say.
 *
 * No size that the file merely claims is allocated: where the file's real size is known it is compared first, elsewhere
 * (pipes) memory grows with the bytes that have really come. */
#include "file_internal.h"

#include <string.h>

#include "base/system.h"

#define FIRST_CHUNK 1048576u

/* Leaves the stream at its beginning. Devices and kernel files call themselves empty. */
static uint64_t stream_size(FILE *stream)
{
    const uint64_t size = smoe_system_file_size(stream);
    return size > 0 && smoe_system_file_seek(stream, 0) ? size : SMOE_FILE_UNKNOWN_SIZE;
}

bool smoe_file_stream_open(smoe_file_stream *in, const char *path)
{
    in->stream = smoe_system_file_open(path, SMOE_SYSTEM_FILE_READ);
    if (!in->stream)
        return false;
    in->size = stream_size(in->stream);
    return true;
}

void smoe_file_stream_close(smoe_file_stream *in)
{
    if (in->stream)
        fclose(in->stream);
    in->stream = NULL;
}

smoe_result smoe_file_stream_take(const smoe_file_host *host, const smoe_file_stream *in, uint64_t size,
                                  const char *what, void **out)
{
    uint64_t capacity = in->size != SMOE_FILE_UNKNOWN_SIZE || size < FIRST_CHUNK ? size : FIRST_CHUNK;
    uint64_t have = 0;
    smoe_result result = SMOE_SUCCESS;
    char *memory = smoe_file_allocate(host, capacity);
    *out = NULL;
    for (;;) {
        if (!memory)
            return smoe_file_out_of_memory(host, capacity);
        const size_t got = fread(memory + have, 1, (size_t)(capacity - have), in->stream);
        have += got;
        if (have < capacity) {
            result = smoe_file_fail(host, SMOE_ERROR_FILE, "%s: the file %s after %llu of %llu bytes", what,
                                    ferror(in->stream) ? "cannot be read" : "ends", (unsigned long long)have,
                                    (unsigned long long)size);
            smoe_file_release(host, memory);
            return result;
        }
        if (have == size)
            break;
        capacity = size - have < have ? size : 2 * have;
        char *larger = smoe_file_allocate(host, capacity);
        if (larger)
            memcpy(larger, memory, (size_t)have);
        smoe_file_release(host, memory);
        memory = larger;
    }
    *out = memory;
    return SMOE_SUCCESS;
}

smoe_result smoe_file_stream_read(const smoe_file_host *host, const smoe_file_stream *in, void *out, uint64_t size,
                                  const char *what)
{
    if (size > SIZE_MAX || fread(out, 1, (size_t)size, in->stream) != size)
        return smoe_file_fail(host, SMOE_ERROR_FILE,
                              "tensor \"%.200s\": the file ends or cannot be read before its last byte", what);
    return SMOE_SUCCESS;
}

smoe_result smoe_file_stream_skip(const smoe_file_host *host, const smoe_file_stream *in, uint64_t size,
                                  const char *what)
{
    char scratch[4096];
    for (uint64_t left = size; left > 0;) {
        const uint64_t want = left < sizeof scratch ? left : sizeof scratch;
        const smoe_result result = smoe_file_stream_read(host, in, scratch, want, what);
        if (result != SMOE_SUCCESS)
            return result;
        left -= want;
    }
    return SMOE_SUCCESS;
}
