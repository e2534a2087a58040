/* Matrices of other programs' files: what the files source_*.c share; smoe/weights_source.h has the formats. */
#ifndef SMOE_DOMAIN_SOURCE_H
#define SMOE_DOMAIN_SOURCE_H

#include <string.h>

#include "base/host.h"
#include "weights.h"

/* ---- source_format.c: the table of formats ----------------------------------------------------------------------- */

typedef enum smoe_source_order {
    SMOE_ORDER_ROWS,    /* [N,K] */
    SMOE_ORDER_K_WORDS, /* [K/8,N]: words of several k; scales and zeros are [K/c,N] too */
    SMOE_ORDER_N_WORDS, /* [K,N/8]: words of several n; likewise */
    SMOE_ORDER_BLOCKS   /* blocks along K, with their scales in them */
} smoe_source_order;

/* `blocks` blocks of a row, to where its elements, scales and second scales lie. False where a scale is one that the
 * type does not hold. */
typedef bool smoe_source_blocks(const unsigned char *from, uint32_t blocks, unsigned char *elements,
                                unsigned char *scales, unsigned char *second);

enum { SMOE_SOURCE_TYPES = 3 };

typedef struct smoe_source_format {
    const char *name;
    smoe_source_order order;
    uint32_t bits;                      /* of an element */
    uint32_t unit;                      /* columns of a word, a group or a block, or 1: a row of ORDER_ROWS is padded to
                                           a multiple of it, one of another order must be a multiple */
    uint32_t group;                     /* columns of a group where the format says so; 0: the source does */
    bool unsigned_byte;                 /* 8 bits that stand for their number less 128 */
    bool zeros;                         /* may have them */
    bool less_one;                      /* zeros are stored less 1 */
    bool factor;                        /* may have multiplier and divisor */
    uint32_t block_columns, block_size; /* ORDER_BLOCKS: elements and bytes of a block */
    smoe_source_blocks *blocks;
    smoe_type types[SMOE_SOURCE_TYPES]; /* that hold it, the preferred one first; then SMOE_TYPE_FLOAT32 */
} smoe_source_format;

/* Which of the eight columns of a word of AWQ the nibbles are, from the lowest bits on. */
extern const unsigned char smoe_awq_columns[8];

const smoe_source_format *smoe_source_format_of(smoe_weights_format format); /* NULL: no format */

uint32_t smoe_source_scale_size(smoe_scale_type type); /* bytes; the type is one */

/* Whether elements, scales and zeros lie by k first: words of several k, or of several n. */
static inline bool smoe_source_is_transposed(const smoe_source_format *format)
{
    return format->order == SMOE_ORDER_K_WORDS || format->order == SMOE_ORDER_N_WORDS;
}

/* ---- source_check.c ---------------------------------------------------------------------------------------------- */

/* A source that is as the header says, and the type that it goes to. */
typedef struct smoe_source_reading {
    const smoe_weights_source *source;
    const smoe_source_format *format;
    smoe_type type;
    const smoe_weight_kind *kind;
    smoe_weights_layout layout;
    uint32_t group_rows, group_columns, groups; /* groups of a row */
    uint64_t row_size;   /* bytes from a row of ORDER_ROWS or ORDER_BLOCKS to the next that is the matrix's */
    uint64_t scale_step; /* likewise, in groups */
    int exponent;        /* scales are divided by 2^exponent */
    char *reason;        /* [SMOE_REASON_SIZE] */
} smoe_source_reading;

/* Fills *r but for its exponent, for `type`, or for the type that suits the source best where it is NULL. `unwanted`:
 * the reason where the caller has none. */
smoe_result smoe_source_read(smoe_source_reading *r, const smoe_weights_source *source, const smoe_type *type,
                             char *reason, char unwanted[SMOE_REASON_SIZE]);

/* Writes the reason, and returns `result`. */
smoe_result smoe_source_refuse(char *reason, smoe_result result, const char *format, ...) SMOE_PRINTF(3, 4);

/* ---- source_scale.c: scales, zeros and factors ------------------------------------------------------------------- */

/* smoe_weights_source_factor's work. */
smoe_result smoe_source_factor(const smoe_source_reading *r, float *factor);

/* Writes the scales of a row of blocks, and the zeros of its first row, whose place `second` is; NULL: none. */
smoe_result smoe_source_put_scales(const smoe_source_reading *r, uint32_t row, unsigned char *scales,
                                   unsigned char *second);

/* ---- source_rows.c, source_blocks.c: elements -------------------------------------------------------------------- */

/* The elements of `count` rows from `first` on, without the zeros behind a row. */
void smoe_source_put_rows(const smoe_source_reading *r, uint32_t first, uint32_t count, unsigned char *to);
void smoe_source_put_k_words(const smoe_source_reading *r, uint32_t first, uint32_t count, unsigned char *to);
void smoe_source_put_n_words(const smoe_source_reading *r, uint32_t first, uint32_t count, unsigned char *to);

smoe_source_blocks smoe_blocks_q8_0, smoe_blocks_q4_0, smoe_blocks_q4_1, smoe_blocks_q5_0, smoe_blocks_q5_1;
smoe_source_blocks smoe_blocks_q4_k, smoe_blocks_q5_k, smoe_blocks_q6_k;
smoe_source_blocks smoe_blocks_iq4_xs, smoe_blocks_mxfp4, smoe_blocks_nvfp4;

/* A word of a file, at any address. */
static inline uint32_t smoe_source_word(const unsigned char *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

#endif
