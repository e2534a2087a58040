/* The totals of a binding, as numbers. Part of smoe.h, which apps include; report.h has the layout that the device writes. */
#ifndef SMOE_TOTALS_H
#define SMOE_TOTALS_H

#include "report.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The totals of a binding (arXiv 2606.19036's orders, 2605.02124's boundary mass P(gap <= w)), as numbers. */
typedef struct smoe_totals {
    uint64_t tokens;     /* of all forwards since the buffer was cleared */
    uint64_t active;     /* experts run; mean active is active / (tokens - nonfinite) */
    uint64_t capped, nonfinite, group_ties; /* tokens with that flag (report.h) */
    uint32_t max_active; /* the most experts that ran for one token */
    uint64_t order[SMOE_TOTALS_ORDER_COUNT]; /* tokens by order, the last for all higher ones; non-finite tokens not counted */
    uint64_t gap[SMOE_TOTALS_GAP_COUNT];     /* tokens by gap: bin b from smoe_totals_gap_edge(b) to that of b + 1; likewise */
} smoe_totals;

/* words: what the device wrote, SMOE_TOTALS_WORDS(expert_count) of them. expert_tokens: NULL, or [E], the tokens that each expert ran.
 * Errors: INVALID_ARGUMENT (words or out NULL, expert_count not 1 .. SMOE_MAX_EXPERTS). */
SMOE_API smoe_result smoe_totals_read(const uint32_t *words, uint32_t expert_count, smoe_totals *out, uint64_t *expert_tokens);

/* The lower edge of a bin of gaps: 0 for bin 0 (which holds exact ties), 2^((b - 1) / 4 - 24), rounded to float32, for the others up
 * to 2^8, infinity past the last bin. The last bin holds every larger gap, infinite ones included. */
SMOE_API float smoe_totals_gap_edge(uint32_t bin);

#ifdef __cplusplus
}
#endif

#endif
