/* Matrices of weights as they lie in memory: sizes and layouts of every type, and rounding to the types with scales. For apps that pack
 * and upload weights themselves. Part of smoe.h, which has the general rules, and which apps include.
 *
 * A matrix W [N,K] has N rows (outputs) of K elements (inputs). Several matrices, those of the experts, lie one behind the other.
 *
 * Types without scales, float32, float16 and bfloat16: N rows of K elements, nothing between them.
 *
 * Types with scales: N rows, each from a multiple of 16 bytes on, then the scales of all blocks, then zeros up to a multiple of 16 bytes.
 * A buffer with them begins at a multiple of 16 bytes. The elements of a block share a scale; an element is its value times that. Of 4 bits
 * the even element is the lower half of a byte. Scales lie row by row of blocks. Numbers of several bytes are little-endian.
 *
 *   type    element                                  block      scale                             bits of an element in all
 *   mxfp4   E2M1: 0 0.5 1 1.5 2 3 4 6, then minus    32 of K    1 byte, E8M0: 2^(code - 127)      4.25
 *   q4      4 bits, 0 .. 15, less 8                  32 of K    float16                           4.5
 *   q8      a signed byte                            32 of K    float16                           8.5
 *   fp8     E4M3, as OCP's                           128 x 128  float32                           8.002
 *
 * K is a multiple of 32; with fp8 it may be any: the last blocks of a row, and of a column of blocks, may be partial, and the bytes behind
 * a row are 0. E8M0's code 255 is NaN, E4M3's 0x7f and 0xff too; E4M3 has no infinity. Sources: OCP Microscaling Formats (MX)
 * Specification 1.0, sections 5.3 and 5.4; OCP 8-bit Floating Point Specification (OFP8) 1.0, section 5.
 *
 * A kernel's weight is the element times the scale, rounded once to float32; mxfp4's is exact, or infinite where float32 does not hold it.
 * On a device without denormal numbers a product below 2^-126 counts as 0, and so do q4's and q8's scales below 2^-14 and fp8's below
 * 2^-126 (smoe_forward). Bytes behind a row of fp8 that are not 0 may make the row NaN on a device.
 *
 * Thread safe: all of it, on arrays of the caller's. Rows can be packed by several threads, a part each. */
#ifndef SMOE_WEIGHTS_H
#define SMOE_WEIGHTS_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* False for a number that is not a type, too. */
SMOE_API bool smoe_type_has_scales(smoe_type type);

/* Where the parts of a matrix lie, in bytes. Types without scales have block 1 x 1, and no scales. */
typedef struct smoe_weights_layout {
    uint32_t block_rows, block_columns; /* elements that share a scale; a row of blocks has block_rows rows */
    uint64_t row_size;       /* of a row's elements, with the zeros behind them */
    uint64_t scales_offset;  /* of the scales, behind the rows */
    uint64_t scale_row_size; /* of the scales of a row of blocks */
    uint64_t size;           /* of the matrix */
} smoe_weights_layout;

/* False, with *out as it was: a number that is not a type, rows or columns that are not 1 .. SMOE_MAX_WIDTH, or columns that the type's
 * blocks do not divide. */
SMOE_API bool smoe_weights_layout_get(smoe_type type, uint32_t rows, uint32_t columns, smoe_weights_layout *out);

/* Bytes of `count` matrices; 0 where there is no layout, and where they exceed 64 bits. */
SMOE_API uint64_t smoe_weights_size(smoe_type type, uint64_t count, uint32_t rows, uint32_t columns);

/* Some rows of a matrix: of the parts that smoe_weights_layout names, only theirs. */
typedef struct smoe_weights_rows {
    smoe_type type;
    uint32_t row_count, columns;
    void *rows;   /* [row_count] rows of row_size bytes */
    void *scales; /* of their blocks, from a row of blocks on; NULL for types without scales */
} smoe_weights_rows;

/* Rounds rows of float32, float16 or bfloat16 [row_count,columns] to the type of `to`, to nearest even. With scales, m being the largest
 * size in a block:
 *   mxfp4  2^(floor(log2 m) - 2), at least 2^-127; elements above 6 become 6 (MX, section 6.3)
 *   q4     m / -8 with the sign of the element that has it, rounded to float16: that element is exact but for the rounding of the scale
 *   q8     m / 127, rounded to float16
 *   fp8    m / 448
 * and elements whose scale is 0 become 0: with q4 and q8 a block whose m is so small that its float16 scale is 0. The rounding mode is the
 * caller's, to nearest even unless it was changed. An element is off by half a step of its type at most, times the scale, and by the
 * rounding of the scale times its value; a step is 1 for q4 and q8, and for the others the distance to the next value. Two are off by more:
 * with q4 an element of the other sign than m's, by up to a step where its size is above 7.5 / 8 m, for q4 has -8 and no 8; with mxfp4 one
 * above 6 scales, by up to 2 scales. Every row of blocks must be whole but the matrix's last. Errors, with nothing said in a log:
 * INVALID_ARGUMENT (no such layout, NULL, `from_type` has scales), UNSUPPORTED (with scales: an element that is infinite or NaN, or an m
 * that makes a float16 scale infinite); what `to` holds is undefined then. */
SMOE_API smoe_result smoe_weights_pack(const smoe_weights_rows *to, const void *from, smoe_type from_type);

/* The values of rows as float32 [row_count,columns], as a kernel takes them: rounded once. `from` and its arrays are only read. Errors:
 * INVALID_ARGUMENT. */
SMOE_API smoe_result smoe_weights_unpack(float *to, const smoe_weights_rows *from);

#ifdef __cplusplus
}
#endif

#endif
