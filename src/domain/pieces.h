/* What a device must do at once. Dispatches are cut into pieces, and a slice is as many pieces as a slow device ends
 * before its system takes it for hung. Pure arithmetic. */
#ifndef SMOE_DOMAIN_PIECES_H
#define SMOE_DOMAIN_PIECES_H

#include "stage_table.h"

/* How a step's dispatch is cut: a matrix multiplication over its tiles, other steps not at all. */
typedef struct smoe_pieces {
    uint32_t tiles;      /* of the step; for routed experts of each range, at most. 0: the step has none */
    uint32_t tile_count; /* of a piece; the last one may have fewer */
    uint32_t count;      /* of each range for routed experts: as many as there may be tiles for */
    uint64_t work;       /* of a piece at most, in the unit of SMOE_SLICE_WORK */
} smoe_pieces;

/* The pieces of a step over token_count tokens, 1 or more, each of which runs max_active experts at most. A piece has
 * work up to `limit`; a single tile may exceed it, and so may pieces where range_pieces allows no more of them. */
smoe_pieces smoe_step_pieces(const smoe_shape *shape, const smoe_kernel_config *config, smoe_step step, uint64_t limit,
                             uint32_t token_count, uint32_t max_active);

/* Which slices of a forward are wanted, and where a walk over its pieces has come to. */
typedef struct smoe_slices {
    uint64_t limit;        /* of a slice's work */
    uint32_t first, count; /* wanted */
    uint32_t at;           /* the slice of the last piece, or 0 */
    uint64_t work;         /* of its pieces so far */
} smoe_slices;

/* Whether the slice that the walk has come to is wanted. */
bool smoe_slices_wanted(const smoe_slices *slices);
/* Goes on to the next piece: into the slice that it has come to, or into a new one where that would get too much. */
bool smoe_slices_take(smoe_slices *slices, uint64_t work);

#endif
