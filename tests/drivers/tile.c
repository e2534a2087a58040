#include "tile.h"

#include <stdio.h>

#include "domain/stage.h"

bool tile_parse(const char *text, tile_candidate *out)
{
    char rest;
    if (sscanf(text, "%ux%ux%u:%ux%u%c", &out->rows, &out->columns, &out->depth, &out->thread_rows,
               &out->thread_columns, &rest) != 5 ||
        !out->rows || !out->columns || !out->depth || !out->thread_rows || !out->thread_columns)
        return false;
    return out->rows % out->thread_rows == 0 && out->columns % out->thread_columns == 0 && out->depth % 4 == 0;
}

void tile_apply(const tile_candidate *tile, uint32_t matrices, uint32_t *constants)
{
    const uint32_t columns = tile->columns / matrices;
    const uint32_t thread_columns = tile->thread_columns > matrices ? tile->thread_columns / matrices : 1;
    constants[SMOE_ID_WORKGROUP_SIZE] = columns / thread_columns * (tile->rows / tile->thread_rows);
    constants[SMOE_ID_TILE_ROWS] = tile->rows;
    constants[SMOE_ID_TILE_COLUMNS] = columns;
    constants[SMOE_ID_TILE_DEPTH] = tile->depth;
    constants[SMOE_ID_THREAD_ROWS] = tile->thread_rows;
    constants[SMOE_ID_THREAD_COLUMNS] = thread_columns;
}
