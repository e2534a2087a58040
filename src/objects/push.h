/* The push constants as C sees them: a block for each kind of stage. */
#ifndef SMOE_OBJECTS_PUSH_H
#define SMOE_OBJECTS_PUSH_H

#include <stdint.h>

#include "../../shaders/common/interface.h"

#define SMOE_DECLARE_PUSH(name, FIELDS) \
    typedef struct smoe_push_##name {   \
        FIELDS(uint32_t, float)         \
    } smoe_push_##name

SMOE_DECLARE_PUSH(matmul, SMOE_PUSH_MATMUL);
SMOE_DECLARE_PUSH(cosine, SMOE_PUSH_COSINE);
SMOE_DECLARE_PUSH(sort, SMOE_PUSH_SORT);
SMOE_DECLARE_PUSH(totals, SMOE_PUSH_TOTALS);
SMOE_DECLARE_PUSH(combine, SMOE_PUSH_COMBINE);

SMOE_DECLARE_PUSH(scores, SMOE_PUSH_SCORES);
#undef SMOE_DECLARE_PUSH

typedef struct smoe_push_group {
    smoe_push_scores scores;
    SMOE_PUSH_GROUP_ONLY(uint32_t, float)
} smoe_push_group;

typedef struct smoe_push_balance {
    smoe_push_scores scores;
    SMOE_PUSH_BALANCE_ONLY(uint32_t, float)
} smoe_push_balance;

typedef struct smoe_push_select {
    smoe_push_scores scores;
    SMOE_PUSH_SELECT_ONLY(uint32_t, float)
} smoe_push_select;

typedef struct smoe_push_given {
    smoe_push_select select;
    SMOE_PUSH_GIVEN_ONLY(uint32_t, float)
} smoe_push_given;

/* One range for all of them. */
typedef union smoe_push {
    smoe_push_matmul matmul;
    smoe_push_cosine cosine;
    smoe_push_group group;
    smoe_push_balance balance;
    smoe_push_select select;
    smoe_push_given given;
    smoe_push_sort sort;
    smoe_push_totals totals;
    smoe_push_combine combine;
} smoe_push;

_Static_assert(sizeof(smoe_push) <= 128 - 28,
               "128 bytes of push constants are Vulkan's floor, and 28 are kept for what stages still get");

#endif
