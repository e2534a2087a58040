/* The blocks of GGUF, whose scales lie between the elements. A function for each format takes a row's blocks. */
#include <string.h>

#include "source.h"

/* ---- elements of 4 bits ------------------------------------------------------------------------------------------ */

static uint64_t load_8(const unsigned char *from)
{
    uint64_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

/* The lower halves of 8 bytes, side by side. */
static uint32_t gather_halves(uint64_t bytes)
{
    bytes &= UINT64_C(0x0f0f0f0f0f0f0f0f);
    bytes = (bytes | bytes >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    bytes = (bytes | bytes >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(bytes | bytes >> 16);
}

/* `count` bytes, a multiple of 8: their lower halves to count / 2 bytes of `low`, the upper ones to `high`. */
static inline void split_halves(const unsigned char *from, uint32_t count, unsigned char *low, unsigned char *high)
{
    for (uint32_t i = 0; i < count; i += 8) {
        const uint64_t bytes = load_8(from + i);
        const uint32_t halves[2] = {gather_halves(bytes), gather_halves(bytes >> 4)};
        memcpy(low + i / 2, &halves[0], 4);
        memcpy(high + i / 2, &halves[1], 4);
    }
}

/* Blocks of a scale, of `size` bytes, and 32 elements: with a constant a compiler copies the scale without a call. */
static inline bool take_halves(const unsigned char *from, uint32_t blocks, uint32_t size, unsigned char *elements,
                               unsigned char *scales)
{
    for (uint32_t b = 0; b < blocks; b++, from += size + 16, elements += 16) {
        memcpy(scales + size * b, from, size);
        split_halves(from + size, 16, elements, elements + 8);
    }
    return true;
}

bool smoe_blocks_q4_0(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    (void)second;
    return take_halves(from, blocks, 2, elements, scales);
}

bool smoe_blocks_q4_1(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    (void)second;
    return take_halves(from, blocks, 4, elements, scales);
}

bool smoe_blocks_mxfp4(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                       unsigned char *second)
{
    (void)second;
    return take_halves(from, blocks, 1, elements, scales);
}

bool smoe_blocks_nvfp4(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                       unsigned char *second)
{
    bool held = true;
    (void)second;
    for (uint32_t b = 0; b < blocks; b++, from += 36) {
        for (uint32_t i = 0; i < 4; i++, elements += 8, scales++) {
            /* the sign counts for nothing but in 0xff, which ggml takes for 480 */
            held &= from[i] != 0xff;
            *scales = (unsigned char)((from[i] & 0x7fu) == 0x7fu ? 0 : from[i] & 0x7fu);
            split_halves(from + 4 + 8 * i, 8, elements, elements + 4);
        }
    }
    return held;
}

bool smoe_blocks_iq4_xs(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                        unsigned char *second)
{
    for (uint32_t b = 0; b < blocks; b++, from += 136) {
        const uint32_t upper = from[2] | (uint32_t)from[3] << 8;
        memcpy(second + 2 * b, from, 2);
        for (uint32_t i = 0; i < 8; i++, elements += 16, scales++) {
            const uint32_t lower = (uint32_t)from[4 + i / 2] >> i % 2 * 4 & 15u;
            *scales = (unsigned char)((lower | (upper >> 2 * i & 3u) << 4) - 32);
            split_halves(from + 8 + 16 * i, 16, elements, elements + 8);
        }
    }
    return true;
}

/* Q4_K's and Q5_K's eight scales s and minima m of 6 bits in 12 bytes, as s, m, s, m. The first four of each are the
 * lower bits of bytes 0 .. 7, whose upper two bits are those of the last four. */
static void unpack_six_bits(const unsigned char *from, unsigned char *scales)
{
    for (uint32_t i = 0; i < 4; i++) {
        scales[2 * i] = from[i] & 63u;
        scales[2 * i + 1] = from[i + 4] & 63u;
        scales[2 * i + 8] = (unsigned char)((from[i + 8] & 15u) | (uint32_t)(from[i] >> 6 << 4));
        scales[2 * i + 9] = (unsigned char)(from[i + 8] >> 4 | (uint32_t)(from[i + 4] >> 6 << 4));
    }
}

bool smoe_blocks_q4_k(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    for (uint32_t b = 0; b < blocks; b++, from += 144, scales += 16) {
        memcpy(second + 4 * b, from, 4);
        unpack_six_bits(from + 4, scales);
        for (uint32_t i = 0; i < 4; i++, elements += 32)
            split_halves(from + 16 + 32 * i, 32, elements, elements + 16);
    }
    return true;
}

/* ---- elements of 5, 6 and 8 bits --------------------------------------------------------------------------------- */

bool smoe_blocks_q8_0(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    (void)second;
    for (uint32_t b = 0; b < blocks; b++, from += 34, elements += 32) {
        memcpy(scales + 2 * b, from, 2);
        memcpy(elements, from + 2, 32);
    }
    return true;
}

static void store_8(unsigned char *to, uint64_t bytes)
{
    memcpy(to, &bytes, sizeof bytes);
}

/* A byte in each of 8. */
static uint64_t each(uint32_t byte)
{
    return UINT64_C(0x0101010101010101) * byte;
}

/* 8 numbers below 128, less `offset`, as signed bytes. */
static uint64_t subtract(uint64_t bytes, uint32_t offset)
{
    return ((bytes | each(0x80)) - each(offset)) ^ each(0x80);
}

/* The lowest 8 bits, each as bit 4 of a byte. */
static uint64_t spread_bits(uint32_t bits)
{
    const uint64_t own = each(bits & 255u) & UINT64_C(0x8040201008040201); /* bit i of byte i */
    return ((own + each(0x7f)) & each(0x80)) >> 3;
}

/* 32 elements of 5 bits, less `offset`: the fifth bits, then 16 bytes of the lower four. */
static inline void widen_five_bits(const unsigned char *from, uint32_t offset, unsigned char *to)
{
    const uint32_t fifth = smoe_source_word(from);
    for (uint32_t i = 0; i < 16; i += 8) {
        const uint64_t bytes = load_8(from + 4 + i);
        store_8(to + i, subtract((bytes & each(15)) | spread_bits(fifth >> i), offset));
        store_8(to + 16 + i, subtract((bytes >> 4 & each(15)) | spread_bits(fifth >> (16 + i)), offset));
    }
}

/* Blocks of a scale, of `size` bytes, and 32 elements of 5 bits. */
static inline bool take_five_bits(const unsigned char *from, uint32_t blocks, uint32_t size, uint32_t offset,
                                  unsigned char *elements, unsigned char *scales)
{
    for (uint32_t b = 0; b < blocks; b++, from += size + 20, elements += 32) {
        memcpy(scales + size * b, from, size);
        widen_five_bits(from + size, offset, elements);
    }
    return true;
}

bool smoe_blocks_q5_0(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    (void)second;
    return take_five_bits(from, blocks, 2, 16, elements, scales);
}

bool smoe_blocks_q5_1(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    (void)second;
    return take_five_bits(from, blocks, 4, 0, elements, scales);
}

/* 64 elements of Q5_K: 32 bytes of lower bits, and two of the bits in each of 32 bytes of fifth ones. */
static inline void widen_q5_k(const unsigned char *lower, const unsigned char *fifth, uint32_t bit, unsigned char *to)
{
    for (uint32_t i = 0; i < 32; i += 8) {
        const uint64_t low = load_8(lower + i), high = load_8(fifth + i) >> bit;
        store_8(to + i, (low & each(15)) | (high & each(1)) << 4);
        store_8(to + 32 + i, (low >> 4 & each(15)) | (high >> 1 & each(1)) << 4);
    }
}

bool smoe_blocks_q5_k(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    for (uint32_t b = 0; b < blocks; b++, from += 176, scales += 16) {
        memcpy(second + 4 * b, from, 4);
        unpack_six_bits(from + 4, scales);
        for (uint32_t i = 0; i < 4; i++, elements += 64)
            widen_q5_k(from + 48 + 32 * i, from + 16, 2 * i, elements);
    }
    return true;
}

/* 128 elements: 64 bytes of lower halves, 32 bytes of four times two upper bits. */
static inline void widen_q6_k(const unsigned char *lower, const unsigned char *upper, unsigned char *to)
{
    for (uint32_t i = 0; i < 32; i += 8) {
        const uint64_t a = load_8(lower + i), b = load_8(lower + 32 + i), bits = load_8(upper + i);
        store_8(to + i, subtract((a & each(15)) | (bits & each(3)) << 4, 32));
        store_8(to + 32 + i, subtract((b & each(15)) | (bits >> 2 & each(3)) << 4, 32));
        store_8(to + 64 + i, subtract((a >> 4 & each(15)) | (bits >> 4 & each(3)) << 4, 32));
        store_8(to + 96 + i, subtract((b >> 4 & each(15)) | (bits >> 6 & each(3)) << 4, 32));
    }
}

bool smoe_blocks_q6_k(const unsigned char *from, uint32_t blocks, unsigned char *elements, unsigned char *scales,
                      unsigned char *second)
{
    for (uint32_t b = 0; b < blocks; b++, from += 210, scales += 16, elements += 256) {
        widen_q6_k(from, from + 128, elements);
        widen_q6_k(from + 64, from + 160, elements + 128);
        memcpy(scales, from + 192, 16);
        memcpy(second + 2 * b, from + 208, 2);
    }
    return true;
}
