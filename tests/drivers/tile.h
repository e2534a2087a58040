/* Another tile than selection's for the tiled kernels: what candidates for the tuning table would compile to. */
#ifndef DRIVERS_TILE_H
#define DRIVERS_TILE_H

#include <stdbool.h>
#include <stdint.h>

/* As in smoe_tile: with two matrices (a gated expert_up) columns are halved. */
typedef struct tile_candidate {
    uint32_t rows, columns, depth, thread_rows, thread_columns;
} tile_candidate;

/* "64x64x16:4x4". false where it is no such text, or no whole number of invocations. */
bool tile_parse(const char *text, tile_candidate *out);

/* Puts the tile into a kernel's constants, by SMOE_ID_*. */
void tile_apply(const tile_candidate *tile, uint32_t matrices, uint32_t *constants);

#endif
