/* An expert whose weights have been rounded to a type with scales, as at an upload. What a rounded weight is worth is
 * held to account elsewhere: tests/unit/test_weights.c reads the library's blocks by itself. */
#include "ref_scaled.h"

#include <stdlib.h>

/* NULL: no memory, or what the type does not hold. */
static float *round_matrix(smoe_type type, uint32_t rows, uint32_t columns, const float *from)
{
    smoe_weights_layout layout = {.size = 0};
    float *floats = malloc((size_t)rows * columns * sizeof *floats);
    unsigned char *stored = NULL;
    bool good = floats && smoe_weights_layout_get(type, rows, columns, &layout);
    if (good) {
        stored = malloc((size_t)layout.size);
        const smoe_weights_rows all = {type, rows, columns, stored, stored ? stored + layout.scales_offset : NULL};
        good = stored && smoe_weights_pack(&all, from, SMOE_TYPE_FLOAT32) == SMOE_SUCCESS &&
               smoe_weights_unpack(floats, &all) == SMOE_SUCCESS;
    }
    free(stored);
    if (good)
        return floats;
    free(floats);
    return NULL;
}

bool ref_round_expert(uint32_t d_model, ref_expert *expert, float *memory[REF_EXPERT_MATRICES])
{
    const float **const matrices[REF_EXPERT_MATRICES] = {&expert->w1, &expert->w3, &expert->w2};
    bool good = true;
    for (int i = 0; i < REF_EXPERT_MATRICES; i++) {
        const bool down = matrices[i] == &expert->w2;
        const smoe_type type = down ? expert->down : expert->up;
        memory[i] = NULL;
        if (!good || !*matrices[i] || !smoe_type_has_scales(type))
            continue;
        memory[i] = down ? round_matrix(type, d_model, expert->d_hidden, *matrices[i])
                         : round_matrix(type, expert->d_hidden, d_model, *matrices[i]);
        *matrices[i] = memory[i];
        good = memory[i] != NULL;
    }
    expert->up = smoe_type_has_scales(expert->up) ? SMOE_TYPE_FLOAT32 : expert->up;
    expert->down = smoe_type_has_scales(expert->down) ? SMOE_TYPE_FLOAT32 : expert->down;
    return good;
}

void ref_free_expert(float *memory[REF_EXPERT_MATRICES])
{
    for (int i = 0; i < REF_EXPERT_MATRICES; i++)
        free(memory[i]);
}
