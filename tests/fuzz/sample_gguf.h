/* GGUF files for tests: pieces of a header, and a small, valid file that tests bend. */
#ifndef TEST_SAMPLE_GGUF_H
#define TEST_SAMPLE_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAMPLE_GGUF_SIZE = 1 << 14 };

typedef struct sample_gguf {
    unsigned char bytes[SAMPLE_GGUF_SIZE];
    size_t size;
} sample_gguf;

/* The types of values that tests use, as the format numbers them. */
enum {
    SAMPLE_GGUF_UINT8 = 0,
    SAMPLE_GGUF_UINT16 = 2,
    SAMPLE_GGUF_UINT32 = 4,
    SAMPLE_GGUF_FLOAT32 = 6,
    SAMPLE_GGUF_BOOL = 7,
    SAMPLE_GGUF_STRING = 8,
    SAMPLE_GGUF_ARRAY = 9,
    SAMPLE_GGUF_UINT64 = 10
};

/* Adds a little-endian number of so many bytes, a text with its length, and the beginning of a file. */
void sample_gguf_number(sample_gguf *file, uint64_t value, uint32_t size);
void sample_gguf_text(sample_gguf *file, const char *text);
void sample_gguf_begin(sample_gguf *file, uint64_t tensors, uint64_t pairs);

/* Pairs of the metadata. */
void sample_gguf_pair(sample_gguf *file, const char *key, uint32_t type, uint64_t value, uint32_t size);
void sample_gguf_pair_text(sample_gguf *file, const char *key, const char *value);

/* A tensor's entry; lengths as GGUF has them. */
void sample_gguf_tensor(sample_gguf *file, const char *name, uint32_t rank, const uint64_t *lengths, uint32_t type,
                        uint64_t offset);

/* Zeros up to a multiple of 32 bytes. */
void sample_gguf_pad(sample_gguf *file);

/* Layer 1 of a deepseek2 of E 2, D 32, H 32, S 2: Q8_0 up, MXFP4 down, F16 in the shared expert, and an embedding of
 * Q4_0 besides. parts: 1, or 2 of a split file, of which this is `part`, from 0. */
void sample_gguf_make(sample_gguf *file, uint32_t part, uint32_t parts);

#endif
