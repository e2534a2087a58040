/* Reads a tensor's elements into other places than they stand in, and converts them. */
#include "checkpoint_internal.h"

#include <string.h>

#define CHUNK 4096u /* elements, of 4 bytes at most */

/* The tensor stands as it is wanted: one axis after another without gaps. */
static bool is_contiguous(const smoe_scatter *scatter)
{
    uint64_t stride = 1;
    for (uint32_t i = scatter->rank; i-- > 0;) {
        if (scatter->lengths[i] > 1 && scatter->strides[i] != stride)
            return false;
        stride *= scatter->lengths[i];
    }
    return true;
}

/* To the next element in the order of the file; *at: where it belongs. */
static void step(const smoe_scatter *scatter, uint64_t *index, uint64_t *at)
{
    for (uint32_t i = scatter->rank; i-- > 0;) {
        *at += scatter->strides[i];
        if (++index[i] < scatter->lengths[i])
            return;
        *at -= scatter->lengths[i] * scatter->strides[i];
        index[i] = 0;
    }
}

smoe_result smoe_file_scatter(const smoe_file_host *host, const smoe_file_stream *in, const smoe_scatter *scatter,
                              const char *name)
{
    const size_t in_size = (size_t)smoe_type_size(scatter->from, 1), out_size = (size_t)smoe_type_size(scatter->to, 1);
    uint64_t count = 1, at = 0, index[SMOE_TENSOR_MAX_RANK + 1] = {0};
    for (uint32_t i = 0; i < scatter->rank; i++)
        count *= scatter->lengths[i];
    if (scatter->from == scatter->to && is_contiguous(scatter))
        return smoe_file_stream_read(host, in, scatter->out, count * in_size, name);
    unsigned char chunk[4 * CHUNK], converted[4 * CHUNK], *out = scatter->out;
    while (count > 0) {
        const size_t some = count < CHUNK ? (size_t)count : CHUNK;
        smoe_result result = smoe_file_stream_read(host, in, chunk, some * in_size, name);
        if (result == SMOE_SUCCESS)
            result = smoe_type_convert(converted, scatter->to, chunk, scatter->from, some);
        if (result != SMOE_SUCCESS)
            return result;
        for (size_t i = 0; i < some; i++) {
            memcpy(out + at * out_size, converted + i * out_size, out_size);
            step(scatter, index, &at);
        }
        count -= some;
    }
    return SMOE_SUCCESS;
}
