#include "control.h"

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"
#include "vulkan/device_info.h"

uint64_t smoe_part_begin(uint64_t words)
{
    return smoe_align_up(words, SMOE_MOST_OFFSET_ALIGNMENT / 4);
}

smoe_control smoe_control_layout(const smoe_plan_desc *desc, uint64_t piece_count, uint64_t group_words,
                                 uint64_t pass_tokens)
{
    const uint64_t T = pass_tokens, E = desc->expert_count, rows = T * desc->max_active;
    const uint64_t weighted = desc->weighted_input ? rows : 0;
    smoe_control c = {0};
    const struct {
        uint64_t *place;
        uint64_t words;
    } regions[] = {
        /* {x, y, 1, first tile} for expert_up of each piece of each range and for expert_down: a
         * VkDispatchIndirectCommand, and where the piece's tiles begin in `tiles`. Workgroup (x, y) computes tile
         * first + y. y is 0 past the range's last tile. */
        {&c.arguments, SMOE_ARGUMENTS_AT(piece_count, SMOE_ARGUMENTS_UP)},
        {&c.active, T},           /* how many experts are active for each token; 0 if it is not finite or given none */
        {&c.ids, rows},           /* [T,A] in rank order, or as given */
        /* [T,A] float32; of weighted inputs the masks. Of a token without experts that the app gives: first what y
         * begins with */
        {&c.weights, rows},
        {&c.rows, rows},          /* [T,A] the row of each active expert of each token */
        {&c.row_tokens, rows},    /* the token of each row */
        {&c.logits, T * E},       /* [T,E] float32 */
        /* {expert, first row, row count, 0} by ascending expert. No tile is empty, so there are at most as many tiles
           as rows. */
        {&c.tiles, SMOE_TILE_WORDS * rows},
        /* {gap (float32), order in bits 0 .. 15 with SMOE_REPORT_FLAG_* from bit 16} of each token, for the totals */
        {&c.notes, 2 * T},
        {&c.projected, T * desc->projection_width}, /* [T,p] float32 */
        /* For each token: what each group takes from its experts' scores (float32; SMOE_GROUP_OUT if they may not be
         * chosen), then the group gap (float32), then how many groups take part (0 if a group score is not finite). Of
         * balanced groups: SMOE_BALANCE_WORDS. */
        {&c.groups, T * group_words},
        {&c.input_weights, weighted}, /* [T,A] float32 */
        {&c.row_weights, weighted},   /* the same of each row */
        /* float32 logits of the shared expert's gate; the last region, since it begins a part of its own */
        {&c.shared_gate, T},
    };
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        *regions[i].place = regions[i].place == &c.shared_gate ? smoe_part_begin(c.words) : c.words;
        c.words = *regions[i].place + regions[i].words;
    }
    return c;
}
