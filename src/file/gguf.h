/* What the files that read GGUF share. Source of the format: docs/gguf.md of ggml. */
#ifndef SMOE_GGUF_H
#define SMOE_GGUF_H

#include "file_internal.h"

/* ---- types ------------------------------------------------------------------------------------------------------- */

/* A type of tensors. Elements lie in blocks along the first length of GGUF's shape, which is the last one of smoe's. */
typedef struct smoe_gguf_type {
    uint32_t number;
    const char *name;
    uint32_t block_columns, block_size; /* elements and bytes of a block; 0: a number that smoe does not know */
    bool plain, blocks;                 /* smoe reads its numbers, of tensor_type; its blocks, of format */
    smoe_tensor_type tensor_type;
    smoe_weights_format format;
} smoe_gguf_type;

/* One of the name "an unknown type" for a number that is none. */
smoe_gguf_type smoe_gguf_type_of(uint32_t number);

/* ---- the bytes of a header --------------------------------------------------------------------------------------- */

enum { SMOE_GGUF_BUFFER_SIZE = 8192 };

/* Reads a file from its first byte on. After a failure everything gives 0 and reads nothing. */
typedef struct smoe_gguf_cursor {
    const smoe_file_host *host;
    const smoe_file_stream *in;
    smoe_result result; /* of the first failure, which has its line */
    uint64_t at;        /* of the next byte */
    uint64_t end;       /* of the bytes in the buffer: they are those before it */
    size_t filled;
    unsigned char buffer[SMOE_GGUF_BUFFER_SIZE];
} smoe_gguf_cursor;

void smoe_gguf_begin(smoe_gguf_cursor *cursor, const smoe_file_host *host, const smoe_file_stream *in);
/* Bytes from the next one to the file's end. */
uint64_t smoe_gguf_left(const smoe_gguf_cursor *cursor);
/* "what" is for the log. */
void smoe_gguf_take(smoe_gguf_cursor *cursor, void *out, uint64_t size, const char *what);
void smoe_gguf_skip(smoe_gguf_cursor *cursor, uint64_t size, const char *what);
/* A little-endian number of 1, 2, 4 or 8 bytes. */
uint64_t smoe_gguf_number(smoe_gguf_cursor *cursor, uint32_t size, const char *what);
/* The bytes of a text, of which there are so many; more than `most`, or than the file has, is a failure. */
uint64_t smoe_gguf_length(smoe_gguf_cursor *cursor, uint64_t most, const char *what);

/* ---- the header -------------------------------------------------------------------------------------------------- */

/* Fills entries, metadata and data_offset of a file. Shapes are row-major: the reverse of GGUF's. Numbers and truth
 * values of the metadata become text as JSON has it; arrays and long texts become NULL. */
smoe_result smoe_gguf_read_header(smoe_layer_file *file, const smoe_file_stream *in);

/* The headers of a GGUF file: no tensor's data. Tensors lie within the file, aligned, and none overlaps another. */
smoe_result smoe_gguf_open(const smoe_file_host *host, const char *path, smoe_layer_file **out);

#endif
