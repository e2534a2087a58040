/* Elements of sources that lie as the types have them: row by row, or as words of several k or n, which are
 * transposed. */
#include <string.h>

#include "base/arithmetic.h"
#include "source.h"

/* What stands for numbers less 128 becomes signed. */
static void flip(unsigned char *bytes, uint64_t count)
{
    uint64_t i = 0, eight;
    for (; i + 8 <= count; i += 8) {
        memcpy(&eight, bytes + i, 8);
        eight ^= UINT64_C(0x8080808080808080);
        memcpy(bytes + i, &eight, 8);
    }
    for (; i < count; i++)
        bytes[i] ^= 0x80u;
}

void smoe_source_put_rows(const smoe_source_reading *r, uint32_t first, uint32_t count, unsigned char *to)
{
    const uint64_t size = (uint64_t)r->source->columns * r->format->bits / 8;
    const unsigned char *from = (const unsigned char *)r->source->elements.data + first * r->row_size;
    if (size == r->row_size && size == r->layout.row_size) {
        memcpy(to, from, (size_t)(count * size));
        if (r->format->unsigned_byte)
            flip(to, count * size);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *row = to + i * r->layout.row_size;
        memcpy(row, from + i * r->row_size, (size_t)size);
        if (r->format->unsigned_byte)
            flip(row, size);
    }
}

/* ---- words of several k ------------------------------------------------------------------------------------------ */

/* A square of words at a time: 16 of them are a line of a cache, in both matrices. */
enum {
    SIDE = 16,
    STRIP = 8 * SIDE /* rows that are done before others: so much is read side by side */
};

/* Nearly always SIDE of them, which a compiler knows how to copy. */
static inline void copy_words(void *to, const void *from, uint32_t count)
{
    if (count == SIDE)
        memcpy(to, from, SIDE * sizeof(uint32_t));
    else
        memcpy(to, from, count * sizeof(uint32_t));
}

/* Words `word` .. word + words of rows first .. first + rows, to the first of these rows. */
static void transpose(const smoe_source_reading *r, uint32_t first, uint32_t rows, uint32_t word, uint32_t words,
                      unsigned char *to)
{
    uint32_t in[SIDE][SIDE], out[SIDE][SIDE];
    const unsigned char *from = r->source->elements.data;
    const uint32_t sign = r->format->unsigned_byte ? 0x80808080u : 0;
    if (rows < SIDE || words < SIDE)
        memset(in, 0, sizeof in);
    for (uint32_t i = 0; i < words; i++)
        copy_words(in[i], from + 4 * ((uint64_t)(word + i) * r->source->rows + first), rows);
    for (uint32_t row = 0; row < SIDE; row++)
        for (uint32_t i = 0; i < SIDE; i++)
            out[row][i] = in[i][row] ^ sign;
    for (uint32_t row = 0; row < rows; row++)
        copy_words(to + row * r->layout.row_size + 4 * word, out[row], words);
}

static void transpose_strip(const smoe_source_reading *r, uint32_t first, uint32_t rows, unsigned char *to)
{
    const uint32_t words = r->source->columns / r->format->unit;
    for (uint32_t word = 0; word < words; word += SIDE)
        for (uint32_t row = 0; row < rows; row += SIDE)
            transpose(r, first + row, smoe_min_u32(rows - row, SIDE), word, smoe_min_u32(words - word, SIDE),
                      to + row * r->layout.row_size);
}

void smoe_source_put_k_words(const smoe_source_reading *r, uint32_t first, uint32_t count, unsigned char *to)
{
    for (uint32_t row = 0; row < count; row += STRIP)
        transpose_strip(r, first + row, smoe_min_u32(count - row, STRIP), to + row * r->layout.row_size);
}

/* ---- words of eight n -------------------------------------------------------------------------------------------- */

/* Nibbles that are `distance` words and nibbles apart change places, in each of SIDE columns of 8 words. */
static inline void swap_nibbles(uint32_t w[8][SIDE], uint32_t distance, uint32_t mask)
{
    for (uint32_t k = 0; k < 8; k += (k + 1) & distance ? distance + 1 : 1) {
        uint32_t *restrict low = w[k], *restrict high = w[k + distance];
        for (uint32_t i = 0; i < SIDE; i++) {
            const uint32_t swap = (low[i] >> 4 * distance ^ high[i]) & mask;
            high[i] ^= swap;
            low[i] ^= swap << 4 * distance;
        }
    }
}

/* Nibble n of word k becomes nibble k of word n. */
static void transpose_nibbles(uint32_t w[8][SIDE])
{
    swap_nibbles(w, 1, 0x0f0f0f0fu);
    swap_nibbles(w, 2, 0x00ff00ffu);
    swap_nibbles(w, 4, 0x0000ffffu);
}

/* 8 x SIDE columns of k from `k` on, of the words `word` .. word + words of 8 rows each, to these rows. */
static void transpose_awq(const smoe_source_reading *r, uint32_t word, uint32_t words, uint32_t k, unsigned char *to)
{
    uint32_t out[STRIP][SIDE];
    const unsigned char *from = r->source->elements.data;
    const uint32_t across = r->source->rows / 8, octets = smoe_min_u32((r->source->columns - k) / 8, SIDE);
    for (uint32_t octet = 0; octet < octets; octet++) {
        uint32_t w[8][SIDE];
        if (words < SIDE)
            memset(w, 0, sizeof w);
        for (uint32_t i = 0; i < 8; i++)
            copy_words(w[i], from + 4 * ((uint64_t)(k + 8 * octet + i) * across + word), words);
        transpose_nibbles(w);
        for (uint32_t n = 0; n < 8; n++)
            for (uint32_t i = 0; i < words; i++)
                out[8 * i + smoe_awq_columns[n]][octet] = w[n][i];
    }
    for (uint32_t row = 0; row < 8 * words; row++)
        copy_words(to + row * r->layout.row_size + k / 2, out[row], octets);
}

void smoe_source_put_n_words(const smoe_source_reading *r, uint32_t first, uint32_t count, unsigned char *to)
{
    for (uint32_t row = 0; row < count; row += STRIP)
        for (uint32_t k = 0; k < r->source->columns; k += 8 * SIDE)
            transpose_awq(r, (first + row) / 8, smoe_min_u32(count - row, STRIP) / 8, k, to + row * r->layout.row_size);
}
