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

/* The first width from `least` on that both types' blocks divide. */
static uint32_t width_of_both(smoe_type one, smoe_type other, uint32_t least)
{
    uint32_t before;
    do {
        before = least;
        least = test_blocks_width(other, test_blocks_width(one, before));
    } while (least != before);
    return least;
}

void test_blocks_fit(const smoe_matrix_types *types, test_layer_widths widths)
{
    const bool latent = *widths.d_latent > 0;
    *widths.d_model = width_of_both(latent ? types->latent_down : types->up, types->shared_up, *widths.d_model);
    *widths.d_latent = width_of_both(types->up, types->latent_up, *widths.d_latent);
    *widths.d_hidden = test_blocks_width(types->down, *widths.d_hidden);
    *widths.shared_hidden = test_blocks_width(types->shared_down, *widths.shared_hidden);
}
