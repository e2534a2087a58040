/* Reads bytes of a regular file: in order, or from an offset beyond what a long can say. */
#include "file_internal.h"

#include "base/system.h"

smoe_result smoe_file_stream_open(const smoe_file_host *host, smoe_file_stream *in, const char *path)
{
    in->stream = smoe_system_file_open(path, SMOE_SYSTEM_FILE_READ);
    if (!in->stream)
        return smoe_file_fail_for_reason(host, "cannot be opened");
    in->size = smoe_system_file_size(in->stream);
    if (smoe_system_file_seek(in->stream, 0))
        return SMOE_SUCCESS;
    const smoe_result result = smoe_file_fail_for_reason(host, "cannot be read");
    smoe_file_stream_close(in);
    return result;
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
    *out = NULL;
    void *memory = smoe_file_allocate(host, size);
    if (!memory)
        return smoe_file_out_of_memory(host, size);
    const size_t got = fread(memory, 1, (size_t)size, in->stream);
    if (got < size) {
        const smoe_result result = smoe_file_fail(host, SMOE_ERROR_FILE, "%s: the file %s after %llu of %llu bytes",
                                                  what, ferror(in->stream) ? "cannot be read" : "ends",
                                                  (unsigned long long)got, (unsigned long long)size);
        smoe_file_release(host, memory);
        return result;
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
