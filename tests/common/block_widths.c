#include "block_widths.h"

uint32_t test_type_count(void)
{
    uint32_t count = 0;
    while (smoe_type_name((smoe_type)count))
        count++;
    return count;
}

uint32_t test_blocks_width(smoe_type type, uint32_t least)
{
    smoe_weights_layout layout;
    while (least > 0 && !smoe_weights_layout_get(type, 1, least, &layout))
        least++;
    return least;
}

void test_blocks_fit(const smoe_matrix_types *types, uint32_t *d_model, uint32_t *d_hidden, uint32_t *shared_hidden)
{
    uint32_t before;
    do {
        before = *d_model;
        *d_model = test_blocks_width(types->shared_up, test_blocks_width(types->up, before));
    } while (*d_model != before);
    *d_hidden = test_blocks_width(types->down, *d_hidden);
    *shared_hidden = test_blocks_width(types->shared_down, *shared_hidden);
}
