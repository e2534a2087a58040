/* Reads a header of GGUF from its first byte on. The file's size bounds every length before it is believed. */
#include "gguf.h"

#include <string.h>

#include "base/system.h"

void smoe_gguf_begin(smoe_gguf_cursor *cursor, const smoe_file_host *host, const smoe_file_stream *in)
{
    cursor->host = host;
    cursor->in = in;
    cursor->at = cursor->end = 0;
    cursor->filled = 0;
    cursor->result =
        smoe_system_file_seek(in->stream, 0) ? SMOE_SUCCESS : smoe_file_fail_for_reason(host, "cannot be read");
}

uint64_t smoe_gguf_left(const smoe_gguf_cursor *cursor)
{
    return cursor->in->size > cursor->at ? cursor->in->size - cursor->at : 0;
}

static bool has(smoe_gguf_cursor *cursor, uint64_t size, const char *what)
{
    if (cursor->result == SMOE_SUCCESS && size > smoe_gguf_left(cursor))
        cursor->result = smoe_file_fail(cursor->host, SMOE_ERROR_FILE, "%s: the file ends after %llu bytes", what,
                                        (unsigned long long)cursor->in->size);
    return cursor->result == SMOE_SUCCESS;
}

/* The next bytes into the buffer, which is empty. */
static void fill(smoe_gguf_cursor *cursor, const char *what)
{
    cursor->filled = fread(cursor->buffer, 1, sizeof cursor->buffer, cursor->in->stream);
    cursor->end = cursor->at + cursor->filled;
    if (cursor->filled == 0)
        cursor->result = smoe_file_fail(cursor->host, SMOE_ERROR_FILE, "%s: the file cannot be read", what);
}

void smoe_gguf_take(smoe_gguf_cursor *cursor, void *out, uint64_t size, const char *what)
{
    unsigned char *to = out;
    uint64_t left = size;
    (void)has(cursor, size, what);
    while (cursor->result == SMOE_SUCCESS && left > 0) {
        const uint64_t buffered = cursor->end - cursor->at, some = buffered < left ? buffered : left;
        memcpy(to, cursor->buffer + cursor->filled - buffered, (size_t)some);
        cursor->at += some;
        to += some;
        left -= some;
        if (left > 0)
            fill(cursor, what);
    }
    if (cursor->result != SMOE_SUCCESS)
        memset(out, 0, (size_t)size);
}

void smoe_gguf_skip(smoe_gguf_cursor *cursor, uint64_t size, const char *what)
{
    if (!has(cursor, size, what))
        return;
    cursor->at += size;
    if (cursor->at <= cursor->end)
        return;
    cursor->end = cursor->at;
    if (!smoe_system_file_seek(cursor->in->stream, cursor->at))
        cursor->result = smoe_file_fail_for_reason(cursor->host, "cannot be read");
}

uint64_t smoe_gguf_number(smoe_gguf_cursor *cursor, uint32_t size, const char *what)
{
    unsigned char bytes[8] = {0};
    uint64_t value = 0;
    smoe_gguf_take(cursor, bytes, size, what);
    for (uint32_t i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return cursor->result == SMOE_SUCCESS ? value : 0;
}

uint64_t smoe_gguf_length(smoe_gguf_cursor *cursor, uint64_t most, const char *what)
{
    const uint64_t length = smoe_gguf_number(cursor, 8, what);
    if (cursor->result == SMOE_SUCCESS && length > most)
        cursor->result = smoe_file_fail(cursor->host, SMOE_ERROR_FILE, "%s has %llu bytes, must have at most %llu",
                                        what, (unsigned long long)length, (unsigned long long)most);
    return has(cursor, length, what) ? length : 0;
}
