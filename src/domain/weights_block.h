/* Blocks of weights with scales on the host: what packing and unpacking share. */
#ifndef SMOE_DOMAIN_WEIGHTS_BLOCK_H
#define SMOE_DOMAIN_WEIGHTS_BLOCK_H

#include <string.h>

#include "weights.h"

/* Columns k .. k + count of some rows, and where their scales lie. */
typedef struct smoe_weight_block {
    const smoe_weights_rows *all;
    const smoe_weight_kind *kind;
    smoe_weights_layout layout; /* of the rows */
    unsigned char *scale;
    uint32_t row, row_count, k, count;
} smoe_weight_block;

/* Before the first block; false where they are no rows. */
bool smoe_weight_block_begin(smoe_weight_block *b, const smoe_weights_rows *rows);

/* The next block, in the order of their scales; false behind the last one. */
bool smoe_weight_block_next(smoe_weight_block *b);

unsigned char *smoe_weight_block_row(const smoe_weight_block *b, uint32_t row);

/* Sets the bytes behind each row to 0. */
void smoe_weights_clear_ends(const smoe_weights_rows *rows);

/* Numbers as types store them; e2m1 is below 16, e4m3 and e8m0 below 256. */
float smoe_e2m1_value(uint32_t code);
float smoe_e4m3_value(uint32_t code);
float smoe_e8m0_value(uint32_t code);
float smoe_half_value(const unsigned char *half); /* 2 bytes */
static inline float smoe_float_value(const unsigned char bits[4])
{
    float value;
    memcpy(&value, bits, sizeof value);
    return value;
}

#endif
