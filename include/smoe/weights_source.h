/* Matrices of weights as the files of other programs hold them, and their exact conversion to the types of weights.h, rows at a time. For
 * apps and readers of files. Part of smoe.h, which has the general rules, and which apps include.
 *
 * All conversions are exact: no number of a file is rounded, but for the quotient by a `divisor`. What a type does not hold is refused,
 * and the reason names the rule. weights.h has the types, with their bits beside those of files. A weight w of a matrix [N,K], with u an
 * element as an unsigned number, s its scale, z its zero point, and x the matrix's own number (`multiplier` over `divisor`), which becomes
 * the type's factor:
 *
 *   format       arrays                                                       w               types
 *   mxfp4        elements [N,K/2], scales E8M0 [N,K/32]                       E2M1 s          mxfp4
 *   nvfp4        elements [N,K/2], scales E4M3 [N,K/16]                       E2M1 s x        nvfp4
 *   fp8          elements [N,K], scales [N/r,K/c]                             E4M3 s          fp8, fp8_rows
 *   int4         elements [N,K/8], scales [N/r,K/c], zeros [N/8,K/c]          (u - z) s       q4, q4_zero
 *   int8         elements [N,K], signed, scales [N/r,K/c], zeros [N,K/c]      (u - z) s       q8_rows, q8, q8_zero
 *   int8_packed  elements [N,K/4], scales [N/r,K/c], zeros [N/4,K/c]          (u - z) s       q8_rows, q8, q8_zero
 *   gptq4        elements [K/8,N], scales [K/c,N], zeros [K/c,N/8] less 1     (u - z) s       q4, q4_zero
 *   gptq8        elements [K/4,N], scales [K/c,N], zeros [K/c,N/4] less 1     (u - z) s       q8_rows, q8, q8_zero
 *   gptq4_v2     as gptq4, with the zeros as they are                         (u - z) s       q4, q4_zero
 *   gptq8_v2     as gptq8, with the zeros as they are                         (u - z) s       q8_rows, q8, q8_zero
 *   awq4         elements [K,N/8], scales [K/c,N], zeros [K/c,N/8]            (u - z) s       q4, q4_zero
 *   Q8_0         34 bytes for 32: float16 d, int8 q                           d q x           q8
 *   Q4_0         18 bytes for 32: float16 d, q                                d (q - 8) x     q4
 *   Q4_1         20 bytes for 32: float16 d, float16 m, q                     d q + m         q4_min
 *   Q5_0         22 bytes for 32: float16 d, fifth bits, q                    d (q - 16) x    q8
 *   Q5_1         24 bytes for 32: float16 d, float16 m, fifth bits, q         d q + m         q8_min
 *   Q4_K         144 bytes for 256: float16 d, e, 6 bits of s, m for 32, q    d s q - e m     q4_k
 *   Q5_K         176 bytes for 256: likewise, fifth bits, q                   d s q - e m     q8_k
 *   Q6_K         210 bytes for 256: q, upper bits, int8 s for 16, float16 d   d s (q - 32)    q6_k
 *   IQ4_NL       18 bytes for 32: float16 d, q                                d IQ4           iq4
 *   IQ4_XS       136 bytes for 256: float16 d, 6 bits of s for 32, q          d (s - 32) IQ4  iq4_xs
 *   MXFP4        17 bytes for 32: E8M0 d, q                                   d E2M1          mxfp4
 *   NVFP4        36 bytes for 64: four E4M3 d, q                              d E2M1 x        nvfp4
 *
 * Arrays are as they lie in the file: little-endian, row-major, at any address; quotients of shapes are rounded up. mxfp4, nvfp4, int4 and
 * gptq4 have the element of even k in the lower half of a byte. E4M3 and E2M1 are OCP's, as in weights.h.
 * mxfp4: gpt-oss (`_blocks`, `_scales`; its gate and up rows alternate: row_step) and compressed-tensors. nvfp4: modelopt, whose
 *   weight_scale_2 multiplies, and compressed-tensors, whose weight_global_scale divides.
 * fp8: a scale for group_rows x group_columns elements (r x c). Blocks of 128 x 128, or of multiples of them, and one scale for all go to
 *   fp8; others whose columns are 128, a multiple of that, or all, such as a scale for each row, to fp8_rows. Smaller blocks are refused.
 * int4, int8_packed: pack-quantized of compressed-tensors; int8 its int-quantized. Without zeros z is half of the range, 8 or 128; with
 *   int8 z is signed, and 0 without zeros. Zeros are packed along N, one for each row and c columns. c is a multiple of the type's block,
 *   32 or with q8_rows 128, or all of K.
 * gptq: r is 1. Its group_index (g_idx), where it is given, must be k / c: act-order is refused. A zero of gptq4 and gptq8 that is stored
 *   as all ones is refused: readers take it for 0, for one more than all ones, or carry it into the next one. N is a multiple of 8 (gptq8:
 *   of 4), K likewise.
 * awq4: r is 1. The eight N of a word of elements and zeros are, from its lowest bits on, 0 2 4 6 1 3 5 7. N is a multiple of 8.
 * GGUF: names as GGUF has them. 4-bit elements of 32 have 0 .. 15 in the lower halves of 16 bytes and 16 .. 31 in the upper ones; those
 *   of NVFP4 go by 16, those of Q4_K and Q5_K by 64. NVFP4's scales are without sign, 0x7f counts as 0 there, and 0xff is refused.
 *   x is the tensor's `.scale` of the expert.
 *
 * float16 scales of q4, q8, q4_zero and q8_zero from float32 or bfloat16: smoe_weights_source_factor chooses a power of two for the
 * matrix, by which they are divided. 1 where all of them are normal float16 numbers or 0; else the one that makes the largest 1 .. 2, or
 * a smaller one where that keeps the least of them normal or exact. Where none keeps them all exact, the matrix is refused. Scales that
 * are infinite or NaN stay so.
 *
 * How an app converts:
 *   for each expert's matrix:        smoe_weights_source_type (all experts have one type: the plan's), smoe_weights_size for the buffer,
 *                                    smoe_weights_source_factor, written at smoe_weights_layout.factor_offset where there is one
 *   for some of its rows at a time:  smoe_weights_convert, and a copy to the device; several threads may have a part each
 *
 * smoe_device_layer_create does all this for weights of type SMOE_TYPE_SOURCES. Thread safe: all of it, on arrays of the caller's. */
#ifndef SMOE_WEIGHTS_SOURCE_H
#define SMOE_WEIGHTS_SOURCE_H

#include "weights.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum smoe_weights_format {
    SMOE_FORMAT_MXFP4 = 0,
    SMOE_FORMAT_NVFP4 = 1,
    SMOE_FORMAT_FP8 = 2,
    SMOE_FORMAT_INT4 = 3,
    SMOE_FORMAT_INT8 = 4,
    SMOE_FORMAT_INT8_PACKED = 5,
    SMOE_FORMAT_GPTQ4 = 6,
    SMOE_FORMAT_GPTQ8 = 7,
    SMOE_FORMAT_GPTQ4_V2 = 8,
    SMOE_FORMAT_GPTQ8_V2 = 9,
    SMOE_FORMAT_AWQ4 = 10,
    SMOE_FORMAT_GGUF_Q8_0 = 11,
    SMOE_FORMAT_GGUF_Q4_0 = 12,
    SMOE_FORMAT_GGUF_Q4_1 = 13,
    SMOE_FORMAT_GGUF_Q5_0 = 14,
    SMOE_FORMAT_GGUF_Q5_1 = 15,
    SMOE_FORMAT_GGUF_Q4_K = 16,
    SMOE_FORMAT_GGUF_Q5_K = 17,
    SMOE_FORMAT_GGUF_Q6_K = 18,
    SMOE_FORMAT_GGUF_IQ4_NL = 19,
    SMOE_FORMAT_GGUF_IQ4_XS = 20,
    SMOE_FORMAT_GGUF_MXFP4 = 21,
    SMOE_FORMAT_GGUF_NVFP4 = 22,
    SMOE_FORMAT_COUNT = 23 /* later versions may have more */
} smoe_weights_format;

/* As in the table above: "gptq4", "Q4_K"; GGUF's have its own names. Static text; NULL for any other number. */
SMOE_API const char *smoe_weights_format_name(smoe_weights_format format);

/* What the scales of fp8, int4, int8, gptq and awq are. */
typedef enum smoe_scale_type {
    SMOE_SCALE_TYPE_FLOAT32 = 0,
    SMOE_SCALE_TYPE_FLOAT16 = 1,
    SMOE_SCALE_TYPE_BFLOAT16 = 2,
    SMOE_SCALE_TYPE_E8M0 = 3 /* a byte, 2^(code - 127); 255 is NaN. fp8 only */
} smoe_scale_type;

/* Bytes of the caller's, only read; NULL: absent. size is what may be read: more than is needed is allowed. */
typedef struct smoe_weights_array {
    const void *data;
    uint64_t size;
} smoe_weights_array;

/* One matrix. What a format does not have is not looked at, but for zeros, group_index, multiplier and divisor, which must be absent. */
typedef struct smoe_weights_source {
    smoe_weights_format format;
    uint32_t rows, columns;         /* N and K, 1 .. SMOE_MAX_WIDTH */
    smoe_weights_array elements;    /* GGUF: the blocks, row by row */
    smoe_weights_array scales;
    smoe_weights_array zeros;       /* NULL: as above */
    smoe_weights_array group_index; /* gptq: int32 [K], or NULL */
    smoe_scale_type scale_type;
    uint32_t group_rows, group_columns; /* elements that share a scale, r and c; 0: all of N, all of K */
    uint32_t row_step;              /* row n of the matrix is row n row_step of the arrays; 0 = 1. Else only for mxfp4 and nvfp4 */
    const void *multiplier;         /* NULL = 1, or a float32 at any address: NVFP4's weight_scale_2, GGUF's .scale */
    const void *divisor;            /* likewise: weight_global_scale of compressed-tensors */
} smoe_weights_source;

/* The type that holds a matrix: the first of its format's, in the table's order, whose blocks and zero points suit the source; the bytes
 * are smoe_weights_size's. Whether the arrays are there and large enough is checked, and nothing of them read. A source with zeros may
 * suit a type without them too, where all are half of the range, and one without them a type with zeros: the calls below take any type of
 * the format that holds it. Errors, with `reason`, if not NULL, the text: INVALID_ARGUMENT, UNSUPPORTED (no type has such blocks, or they
 * do not divide K). */
SMOE_API smoe_result smoe_weights_source_type(const smoe_weights_source *source, smoe_type *type, char reason[SMOE_REASON_SIZE]);

/* Reads all scales, zeros and group_index of a matrix but not its elements or blocks, and gives the factor: for nvfp4 and GGUF's formats
 * x, for the others the power of two of the text above; 1 for types without a factor. Errors as above; UNSUPPORTED also where `type` does
 * not hold what is there. */
SMOE_API smoe_result smoe_weights_source_factor(const smoe_weights_source *source, smoe_type type, float *factor,
                                                char reason[SMOE_REASON_SIZE]);

/* Converts the rows `first` .. first + to->row_count of a matrix to the type, and the place, of `to`; to->factor is what
 * smoe_weights_source_factor gave, or 0 as 1. `first` is a multiple of 128 for fp8, and of 8 for awq4, and so is the end, unless it is the
 * matrix's. The factor itself, and the zeros behind the parts of a matrix, are the caller's to write. Errors as above; what `to` holds is
 * undefined then. */
SMOE_API smoe_result smoe_weights_convert(const smoe_weights_rows *to, const smoe_weights_source *source, uint32_t first,
                                          char reason[SMOE_REASON_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
