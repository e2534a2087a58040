/* Types of weights as the domain sees them; smoe/weights.h has their layouts. */
#ifndef SMOE_DOMAIN_WEIGHTS_H
#define SMOE_DOMAIN_WEIGHTS_H

#include "../../shaders/common/interface.h"
#include "smoe/smoe.h"

#define SMOE_ELEMENT_ENUMERATOR(NAME, number, bits) SMOE_ELEMENT_##NAME = number,
typedef enum smoe_element { SMOE_ELEMENTS(SMOE_ELEMENT_ENUMERATOR) } smoe_element;
#undef SMOE_ELEMENT_ENUMERATOR

#define SMOE_SCALE_ENUMERATOR(NAME, number, size, second_size) SMOE_SCALE_##NAME = number,
typedef enum smoe_scale_form { SMOE_SCALE_FORMS(SMOE_SCALE_ENUMERATOR) } smoe_scale_form;
#undef SMOE_SCALE_ENUMERATOR

/* A row of SMOE_WEIGHT_TYPES, with those of its element and form of scales. */
typedef struct smoe_weight_kind {
    smoe_element element;
    smoe_scale_form form;
    uint32_t bits; /* of an element */
    uint32_t block_columns, block_rows;
    uint32_t scale_size, second_size; /* bytes of a block's, and of a second one; 0: none */
    uint32_t second_columns;
    bool factor;
    bool packs; /* smoe_weights_can_pack */
} smoe_weight_kind;

const smoe_weight_kind *smoe_weight_kind_of(smoe_type type); /* NULL: no type */

/* What the elements of a row are a multiple of: those of a block or a second scale, or 1. */
uint32_t smoe_weights_unit(smoe_type type);

/* Whether matrices of a type may be in a plan of a precision: with scales in any, where they are rounded to its type;
 * else in that of their own type, and in float32's. */
static inline bool smoe_precision_takes(smoe_precision precision, smoe_type type)
{
    return precision == SMOE_PRECISION_FLOAT32 || smoe_type_has_scales(type) || smoe_type_precision(type) == precision;
}

/* What offsets of bindings are counted in: elements, or the 16 bytes that rows with scales begin at. */
static inline uint32_t smoe_weights_offset_unit(smoe_type type)
{
    return smoe_type_has_scales(type) ? 16 : (uint32_t)smoe_type_size(type, 1);
}

#endif
