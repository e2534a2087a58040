/* An expert whose weights are of a type with scales: rounded to it, as at an upload, or stored so. What a stored weight
 * is worth is held to account elsewhere: tests/unit/test_weights.c reads the library's blocks by itself. */
#include "ref_scaled.h"

#include <stdlib.h>
#include <string.h>

typedef struct matrix {
    smoe_type type;
    uint32_t rows, columns;
    bool stored;
    const float **values;
    double *factor;
} matrix;

/* NULL: no memory, or what the type does not hold. */
static void *pack(const matrix *m, size_t size)
{
    const size_t count = (size_t)m->rows * m->columns;
    smoe_weights_rows all;
    void *stored = malloc(size);
    if (!stored || !smoe_weights_rows_get(m->type, m->rows, m->columns, stored, &all)) {
        free(stored);
        return NULL;
    }
    all.factor = smoe_weights_factor(m->type, *m->values, SMOE_TYPE_FLOAT32, count);
    *m->factor = (double)all.factor;
    if (smoe_weights_pack(&all, *m->values, SMOE_TYPE_FLOAT32) == SMOE_SUCCESS)
        return stored;
    free(stored);
    return NULL;
}

static void read_factor(const matrix *m, const smoe_weights_layout *layout)
{
    float factor = 1;
    if (layout->factor_offset)
        memcpy(&factor, (const char *)*m->values + layout->factor_offset, sizeof factor);
    *m->factor = (double)factor;
}

/* NULL: as of pack. */
static float *unpack(const matrix *m)
{
    smoe_weights_layout layout;
    smoe_weights_rows all;
    if (!smoe_weights_layout_get(m->type, m->rows, m->columns, &layout))
        return NULL;
    float *floats = malloc((size_t)m->rows * m->columns * sizeof *floats);
    void *packed = m->stored ? NULL : pack(m, (size_t)layout.size);
    if (m->stored)
        read_factor(m, &layout);
    /* It is only read. */
    void *const stored = m->stored ? (void *)(uintptr_t)*m->values : packed;
    const bool good = floats && stored && smoe_weights_rows_get(m->type, m->rows, m->columns, stored, &all) &&
                      smoe_weights_unpack(floats, &all) == SMOE_SUCCESS;
    free(packed);
    if (good)
        return floats;
    free(floats);
    return NULL;
}

bool ref_round_expert(ref_expert *expert, float *memory[REF_EXPERT_MATRICES])
{
    const uint32_t L = expert->width, H = expert->d_hidden;
    const matrix matrices[REF_EXPERT_MATRICES] = {
        {expert->up, H, L, expert->stored_up, &expert->w1, &expert->w1_factor},
        {expert->up, H, L, expert->stored_up, &expert->w3, &expert->w3_factor},
        {expert->down, L, H, expert->stored_down, &expert->w2, &expert->w2_factor},
    };
    bool good = true;
    for (int i = 0; i < REF_EXPERT_MATRICES; i++) {
        memory[i] = NULL;
        if (!good || !*matrices[i].values || !smoe_type_has_scales(matrices[i].type))
            continue;
        memory[i] = unpack(&matrices[i]);
        *matrices[i].values = memory[i];
        good = memory[i] != NULL;
    }
    expert->up = smoe_type_has_scales(expert->up) ? SMOE_TYPE_FLOAT32 : expert->up;
    expert->down = smoe_type_has_scales(expert->down) ? SMOE_TYPE_FLOAT32 : expert->down;
    expert->stored_up = expert->stored_down = false;
    return good;
}

void ref_free_expert(float *memory[REF_EXPERT_MATRICES])
{
    for (int i = 0; i < REF_EXPERT_MATRICES; i++)
        free(memory[i]);
}
