/* The workspace of a run, as src/domain/control.c lays it out. */
#ifndef STAGE_VIEW_H
#define STAGE_VIEW_H

#include "check_stages.h"
#include "common/interface.h"

static inline const uint32_t *stage_words(const stage_run *run, uint64_t word)
{
    return (const uint32_t *)(const void *)run->workspace.data + word;
}

static inline const float *stage_floats(const stage_run *run, uint64_t word)
{
    return (const float *)(const void *)stage_words(run, word);
}

/* The layout's A is the plan's cap, not this call's. */
static inline uint64_t stage_cap(const stage_run *run)
{
    return run->shape.desc.max_active;
}

/* How many records of ARGUMENTS the last forward wrote: stage_run_record fills their room with STAGE_UNWRITTEN
 * before. */
static inline uint32_t stage_record_count(const stage_run *run)
{
    const uint32_t room = run->shape.range_count * run->shape.range_pieces;
    uint32_t count = 0;
    while (count < room && *stage_words(run, SMOE_ARGUMENTS_AT(count, SMOE_ARGUMENTS_UP)) != STAGE_UNWRITTEN)
        count++;
    return count;
}

/* Each range has as many. */
static inline uint32_t stage_range_pieces(const stage_run *run)
{
    return stage_record_count(run) / run->shape.range_count;
}

/* A piece's. stage: SMOE_ARGUMENTS_UP or _DOWN. */
static inline const uint32_t *stage_arguments(const stage_run *run, uint32_t range, uint32_t piece, uint32_t stage)
{
    return stage_words(run, SMOE_ARGUMENTS_AT(range * stage_range_pieces(run) + piece, stage));
}

/* How many tiles expert_up's dispatches of a range have. */
static inline uint32_t stage_tile_count(const stage_run *run, uint32_t range)
{
    uint32_t tiles = 0;
    for (uint32_t piece = 0; piece < stage_range_pieces(run); piece++)
        tiles += stage_arguments(run, range, piece, SMOE_ARGUMENTS_UP)[1];
    return tiles;
}

static inline const uint32_t *stage_active(const stage_run *run)
{
    return stage_words(run, run->shape.control.active);
}

/* By the report. A token that is not runs no expert. */
static inline bool stage_is_finite(const stage_run *run, uint32_t token)
{
    const uint32_t *record =
        (const uint32_t *)(const void *)run->report.data + token * SMOE_REPORT_STRIDE((size_t)stage_cap(run));
    return !(record[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_NONFINITE);
}

static inline const uint32_t *stage_ids(const stage_run *run, uint32_t token)
{
    return stage_words(run, run->shape.control.ids + token * stage_cap(run));
}

static inline const float *stage_weights(const stage_run *run, uint32_t token)
{
    return stage_floats(run, run->shape.control.weights + token * stage_cap(run));
}

/* With weighted inputs: what multiplies each expert's, and each row's. */
static inline const float *stage_input_weights(const stage_run *run, uint32_t token)
{
    return stage_floats(run, run->shape.control.input_weights + token * stage_cap(run));
}

static inline const float *stage_row_weights(const stage_run *run)
{
    return stage_floats(run, run->shape.control.row_weights);
}

static inline const uint32_t *stage_rows(const stage_run *run, uint32_t token)
{
    return stage_words(run, run->shape.control.rows + token * stage_cap(run));
}

static inline const uint32_t *stage_row_tokens(const stage_run *run)
{
    return stage_words(run, run->shape.control.row_tokens);
}

static inline const float *stage_logits(const stage_run *run, uint32_t token)
{
    return stage_floats(run, run->shape.control.logits + (uint64_t)token * run->shape.desc.expert_count);
}

static inline const uint32_t *stage_tile(const stage_run *run, uint32_t tile)
{
    return stage_words(run, run->shape.control.tiles + (uint64_t)tile * SMOE_TILE_WORDS);
}

static inline uint32_t stage_row_count(const stage_run *run)
{
    uint32_t rows = 0;
    for (uint32_t t = 0; t < run->data->shape->tokens; t++)
        for (uint32_t r = 0; r < stage_active(run)[t]; r++)
            rows += !ref_is_zero_expert(&run->data->ref, stage_ids(run, t)[r]);
    return rows;
}

/* [2]: gap; order and flags */
static inline const uint32_t *stage_notes(const stage_run *run, uint32_t token)
{
    return stage_words(run, run->shape.control.notes + (uint64_t)token * 2);
}

/* The logit of the shared expert's gate. */
static inline float stage_shared_gate(const stage_run *run, uint32_t token)
{
    return ((const float *)(const void *)(run->workspace.data + run->shape.shared_gate_offset))[token];
}

/* v [p] */
static inline const float *stage_projected(const stage_run *run, uint32_t token)
{
    return stage_floats(run, run->shape.control.projected + (uint64_t)token * run->shape.desc.projection_width);
}

/* Penalties [G], the group gap, how many groups take part. */
static inline const float *stage_groups(const stage_run *run, uint32_t token)
{
    return stage_floats(run, run->shape.control.groups + token * SMOE_GROUP_WORDS((uint64_t)run->shape.group_count));
}

/* hidden [rows,H] and the experts' rows [rows,L] */
static inline const float *stage_hidden(const stage_run *run, uint32_t row)
{
    return (const float *)(const void *)(run->workspace.data + run->shape.hidden_offset) +
           (size_t)row * run->shape.desc.d_hidden;
}

static inline const float *stage_expert_row(const stage_run *run, uint32_t row)
{
    return (const float *)(const void *)(run->workspace.data + run->shape.rows_offset) +
           (size_t)row * smoe_axis_width(&run->shape.desc, 'L');
}

/* Of latent experts: what they see and the sum of their rows [T,L], and what becomes of it [T,D]. */
static inline const float *stage_latent(const stage_run *run, uint32_t token)
{
    return (const float *)(const void *)(run->workspace.data + run->shape.latent_offset) +
           (size_t)token * run->shape.desc.d_latent;
}

static inline const float *stage_latent_sum(const stage_run *run, uint32_t token)
{
    return (const float *)(const void *)(run->workspace.data + run->shape.latent_sum_offset) +
           (size_t)token * run->shape.desc.d_latent;
}

static inline const float *stage_lifted_row(const stage_run *run, uint32_t token)
{
    return (const float *)(const void *)(run->workspace.data + run->shape.lifted_rows_offset) +
           (size_t)token * run->shape.desc.d_model;
}

/* The shared expert's part of both, a row for each token. */
static inline const float *stage_shared_hidden(const stage_run *run, uint32_t token)
{
    return (const float *)(const void *)(run->workspace.data + run->shape.shared_hidden_offset) +
           (size_t)token * run->shape.desc.shared_hidden;
}

static inline const float *stage_shared_row(const stage_run *run, uint32_t token)
{
    return (const float *)(const void *)(run->workspace.data + run->shape.shared_rows_offset) +
           (size_t)token * run->shape.desc.d_model;
}

#endif
