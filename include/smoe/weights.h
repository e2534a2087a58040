/* Matrices of weights as they lie in memory: sizes and layouts of every type, and rounding to the types with scales. For apps that pack
 * and upload weights themselves. Part of smoe.h, which has the general rules, and which apps include.
 *
 * A matrix W [N,K] has N rows (outputs) of K elements (inputs). Several matrices, those of the experts, lie one behind the other.
 *
 * Types without scales, float32, float16 and bfloat16: N rows of K elements, nothing between them.
 *
 * Types with scales, in this order:
 *   1. N rows, each from a multiple of 16 bytes on
 *   2. the scales of all blocks, row by row of blocks
 *   3. where a type has them, the second scales, row by row, from a multiple of 4 bytes on
 *   4. zeros up to a multiple of 16 bytes
 *   5. where a type has one, the factor of the matrix: a float32, then 12 bytes 0
 * A buffer with them begins at a multiple of 16 bytes. The elements of a block share a scale; several blocks share a second scale. With 4
 * bits the even element is the lower half of a byte. Numbers of several bytes are little-endian. A weight, of its element q:
 *
 *   type      q        block      scale of a block      second scale, of    weight       factor  bits in all  in files
 *   mxfp4     E2M1     32 of K    E8M0 d                                    d q                  4.25         4.25, GGUF's and HF's MXFP4
 *   q4        0..15-8  32 of K    float16 d                                 d q          f       4.5          4.5, Q4_0; 4 to 4.5, INT4
 *   q8        int8     32 of K    float16 d                                 d q          f       8.5          8.5, Q8_0; 5.5, Q5_0; INT8
 *   fp8       E4M3     128 x 128  float32 d                                 d q                  8.002        8.002; 8, one scale
 *   nvfp4     E2M1     16 of K    E4M3 d                                    d q          f       4.5          4.5, NVFP4
 *   iq4       IQ4      32 of K    float16 d                                 d q                  4.5          4.5, IQ4_NL
 *   iq4_xs    IQ4      32 of K    int8 s                float16 d, 256      d s q                4.3125       4.25, IQ4_XS
 *   q4_min    0..15    32 of K    float16 d, float16 m                      d q + m              5            5, Q4_1
 *   q4_zero   0..15    32 of K    float16 d             int8 z, 32          d (q - z)    f       4.75         4 to 4.63, INT4, GPTQ, AWQ
 *   q4_k      0..15    32 of K    uint8 s, uint8 m      float16 d, e, 256   d s q - e m          4.625        4.5, Q4_K
 *   q8_min    uint8    32 of K    float16 d, float16 m                      d q + m              9            6, Q5_1
 *   q8_zero   int8     32 of K    float16 d             int8 z, 32          d (q - z)    f       8.75         8 to 8.75, INT8
 *   q8_k      uint8    32 of K    uint8 s, uint8 m      float16 d, e, 256   d s q - e m          8.625        5.5, Q5_K
 *   q6_k      int8     16 of K    int8 s                float16 d, 256      d s q                8.5625       6.5625, Q6_K
 *   q8_rows   int8     128 of K   float32 d                                 d q                  8.25         8 to 8.25, INT8
 *   fp8_rows  E4M3     128 of K   float32 d                                 d q                  8.25         8, a scale for each row
 *
 * E2M1 is 0 0.5 1 1.5 2 3 4 6, then the same with a minus sign; E8M0 2^(code - 127); IQ4 -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69
 * 89 113. E8M0's code 255 is NaN, E4M3's 0x7f and 0xff too; E4M3 has no infinity. What files have in 5 or 6 bits takes 8 here; the others
 * take at most 1.15 times the file's bytes, but for INT4 by channel with zero points, which takes 1.19 times. Sources: OCP Microscaling
 * Formats (MX) Specification 1.0, sections 5.3 and 5.4; OCP 8-bit Floating Point Specification (OFP8) 1.0, section 5; for the others the
 * files' own formats, as weights_source.h lists them.
 *
 * K is a multiple of the columns of a block and of those of a second scale. Where a block has 128 columns K may be any: the last blocks of
 * a row, and with fp8 of a column of blocks, may be partial. The bytes behind a row are 0.
 *
 * A kernel's weight is as above, in float32. Products are exact for what files hold, but for fp8, fp8_rows and q8_rows, whose product is
 * rounded once. The addition of a minimum rounds once. Where numbers are not a file's, a product may need more than 24 bits, as a large s
 * times a large q of q8_k; it may then be rounded too. mxfp4's weight is infinite where float32 does not hold it. The factor multiplies a
 * whole sum over K, before the bias.
 *
 * On a device without denormal numbers a product below 2^-126 counts as 0, and so do these numbers: float16 d and m of a block below 2^-14,
 * float32 scales and factors below 2^-126 (smoe_forward). Second scales never do. Bytes behind a row of 8-bit elements that are not 0 may
 * make the row NaN on a device.
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
    uint32_t second_columns;   /* elements of a row that share a second scale; 0 where there is none */
    uint64_t row_size;         /* of a row's elements, with the zeros behind them */
    uint64_t scales_offset;    /* of the scales, behind the rows */
    uint64_t scale_row_size;   /* of the scales of a row of blocks */
    uint64_t second_offset;    /* of the second scales, behind the scales; 0 where there are none */
    uint64_t second_row_size;  /* of the second scales of a row */
    uint64_t factor_offset;    /* of the factor; 0 where there is none */
    uint64_t size;             /* of the matrix */
} smoe_weights_layout;

/* False, with *out as it was: a number that is not a type, rows or columns that are not 1 .. SMOE_MAX_WIDTH, or columns that the type's
 * blocks or second scales do not divide. */
SMOE_API bool smoe_weights_layout_get(smoe_type type, uint32_t rows, uint32_t columns, smoe_weights_layout *out);

/* Bytes of `count` matrices; 0 where there is no layout, and where they exceed 64 bits. */
SMOE_API uint64_t smoe_weights_size(smoe_type type, uint64_t count, uint32_t rows, uint32_t columns);

/* Some rows of a matrix: of the parts that smoe_weights_layout names, only theirs. */
typedef struct smoe_weights_rows {
    smoe_type type;
    uint32_t row_count, columns;
    void *rows;          /* [row_count] rows of row_size bytes */
    void *scales;        /* of their blocks, from a row of blocks on; NULL for types without scales */
    void *second_scales; /* of the rows; NULL for types without second scales */
    float factor;        /* of the matrix: smoe_weights_pack divides by it; 0 counts as 1. For types without one it is not looked at. */
} smoe_weights_rows;

/* The rows of a whole matrix [rows,columns] that lies at `matrix`, with factor 1: only addresses, so that memory that is only read serves
 * for smoe_weights_unpack. False, with *out as it was, where there is no layout or an argument is NULL. */
SMOE_API bool smoe_weights_rows_get(smoe_type type, uint32_t rows, uint32_t columns, void *matrix, smoe_weights_rows *out);

/* Whether smoe_weights_pack rounds to a type: to those without scales, and to those whose scales it describes. The other types, which come
 * behind them in smoe_type, only hold what files have. */
SMOE_API bool smoe_weights_can_pack(smoe_type type);

/* The factor of a matrix of float32, float16 or bfloat16 with `count` elements, which smoe_weights_pack wants before any of its rows: with
 * nvfp4 m / (6 * 448), m being the largest size among them, so that m has the largest scale, but at least 2^-126; 1 for every other type,
 * and with an element that is infinite or NaN, which smoe_weights_pack refuses. A matrix in parts has the largest factor of its parts. 0
 * for invalid arguments. */
SMOE_API float smoe_weights_factor(smoe_type type, const void *from, smoe_type from_type, uint64_t count);

/* Rounds rows of float32, float16 or bfloat16 [row_count,columns] to the type of `to`, to nearest even. With a factor, each element is
 * divided by it first. With scales, m being the largest size in a block:
 *   mxfp4  2^(floor(log2 m) - 2), at least 2^-127; elements above 6 become 6 (MX, section 6.3)
 *   q4     m / -8 with the sign of the element that has it, rounded to float16: that element is exact but for the rounding of the scale
 *   q8     m / 127, rounded to float16
 *   fp8    m / 448
 *   nvfp4  m / 6, rounded to E4M3, at most 448; elements above 6 become 6
 * and elements whose scale is 0 become 0: with q4, q8 and nvfp4 a block whose m is so small that its scale rounds to 0. The rounding mode
 * is the caller's, to nearest even unless it was changed. An element is off by half a step of its type at most, times the scale, and by the
 * rounding of the scale times its value; a step is 1 for q4 and q8, and for the others the distance to the next value. Two are off by more:
 * with q4 an element of the other sign than m's, by up to a step where its size is above 7.5 / 8 m, for q4 has -8 and no 8; with mxfp4 one
 * above 6 scales, by up to 2 scales. Every row of blocks must be whole but the matrix's last. The factor itself, and the zeros behind the
 * parts, are the caller's to write. Errors, with nothing said in a log: INVALID_ARGUMENT (no such layout, NULL, `from_type` has scales, a
 * factor that is negative, infinite or NaN), UNSUPPORTED (a type that it does not round to; with scales: an element that is infinite or
 * NaN, or an m that makes a float16 scale infinite); what `to` holds is undefined then. */
SMOE_API smoe_result smoe_weights_pack(const smoe_weights_rows *to, const void *from, smoe_type from_type);

/* The values of rows as float32 [row_count,columns], as a kernel takes them: without the factor. `from` and its arrays are only read.
 * Errors: INVALID_ARGUMENT. */
SMOE_API smoe_result smoe_weights_unpack(float *to, const smoe_weights_rows *from);

#ifdef __cplusplus
}
#endif

#endif
