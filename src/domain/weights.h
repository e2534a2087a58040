/* Types of weights as the domain sees them; smoe/weights.h has their layouts. */
#ifndef SMOE_DOMAIN_WEIGHTS_H
#define SMOE_DOMAIN_WEIGHTS_H

#include "smoe/smoe.h"

/* A row of SMOE_WEIGHT_TYPES. */
typedef struct smoe_weight_kind {
    uint32_t bits; /* of an element */
    uint32_t block_columns, block_rows;
    uint32_t scale_size; /* bytes of a block's; 0: no scales */
} smoe_weight_kind;

const smoe_weight_kind *smoe_weight_kind_of(smoe_type type); /* NULL: no type */

/* Whether rows of so many elements are blocks of a type. */
bool smoe_weights_blocks_fit(smoe_type type, uint32_t columns);

/* What offsets of bindings are counted in: elements, or the 16 bytes that rows with scales begin at. */
static inline uint32_t smoe_weights_offset_unit(smoe_type type)
{
    return smoe_type_has_scales(type) ? 16 : (uint32_t)smoe_type_size(type, 1);
}

#endif
