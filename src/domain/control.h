/* The control buffer, the first part of the workspace: what the stages tell one another. */
#ifndef SMOE_DOMAIN_CONTROL_H
#define SMOE_DOMAIN_CONTROL_H

#include <smoe/smoe.h>

/* Where each region begins, in 32-bit words; control.c has their shapes. words: of the whole buffer. */
typedef struct smoe_control {
    uint64_t arguments, active, ids, weights, rows, row_tokens, logits, tiles, notes, projected, groups,
        input_weights, row_weights, shared_gate, words;
} smoe_control;

/* desc: with max_active resolved; piece_count: of all ranges; group_words: of a token; pass_tokens: T, the buffer's
 * capacity. */
smoe_control smoe_control_layout(const smoe_plan_desc *desc, uint64_t piece_count, uint64_t group_words,
                                 uint64_t pass_tokens);

/* Dispatches that nothing orders write parts of one buffer. Each sees only its own part, so that no driver and no
 * validation layer takes them for dependent: a part begins at a multiple of 256 bytes, the most that
 * minStorageBufferOffsetAlignment may be. */
uint64_t smoe_part_begin(uint64_t words);

#endif
