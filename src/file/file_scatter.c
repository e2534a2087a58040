/* Reads a tensor's elements into other places than they stand in, and widens them. */
#include "checkpoint_internal.h"

#include <string.h>

#define CHUNK 16384u /* bytes */

/* Every float16 is a float32: exponent rebiased by 112; subnormals are multiples of 2^-24. */
static float float16_value(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u, fraction = half & 1023u;
    uint32_t bits = sign | (exponent + 112u) << 23 | fraction << 13;
    float value;
    if (exponent == 31)
        bits = sign | 0x7f800000u | fraction << 13;
    memcpy(&value, &bits, sizeof value);
    if (exponent == 0)
        value = (float)fraction * (sign ? -0x1p-24f : 0x1p-24f);
    return value;
}

static float widen(smoe_tensor_type from, const unsigned char *in)
{
    float value;
    uint16_t half;
    if (from == SMOE_TENSOR_FLOAT32) {
        memcpy(&value, in, sizeof value);
        return value;
    }
    memcpy(&half, in, sizeof half);
    if (from == SMOE_TENSOR_FLOAT16)
        return float16_value(half);
    const uint32_t bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

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

smoe_result smoe_file_scatter(const smoe_file_host *host, const smoe_file_stream *in, const smoe_scatter *scatter, const char *name)
{
    const uint32_t in_size = scatter->from == SMOE_TENSOR_FLOAT32 ? 4 : 2, out_size = (uint32_t)smoe_type_size(scatter->to, 1);
    uint64_t count = 1, at = 0, index[SMOE_TENSOR_MAX_RANK + 1] = {0};
    for (uint32_t i = 0; i < scatter->rank; i++)
        count *= scatter->lengths[i];
    if (in_size == out_size && is_contiguous(scatter))
        return smoe_file_stream_read(host, in, scatter->out, count * in_size, name);
    unsigned char chunk[CHUNK], *out = scatter->out;
    while (count > 0) {
        const uint64_t some = count < CHUNK / in_size ? count : CHUNK / in_size;
        const smoe_result result = smoe_file_stream_read(host, in, chunk, some * in_size, name);
        if (result != SMOE_SUCCESS)
            return result;
        for (uint64_t i = 0; i < some; i++) {
            const float value = out_size == 4 ? widen(scatter->from, chunk + i * in_size) : 0.0f;
            memcpy(out + at * out_size, out_size == 4 ? (const void *)&value : (const void *)(chunk + i * in_size), out_size);
            step(scatter, index, &at);
        }
        count -= some;
    }
    return SMOE_SUCCESS;
}
