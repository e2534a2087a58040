#include "../../shaders/common/interface.h"
#include "selection_rules.h"

/* The workspace: three parts, each with the shared expert's at its end, and one for latent experts. */
static const char *broken_workspace(const smoe_device_info *info, const smoe_plan_desc *desc, const smoe_shape *s)
{
    const uint64_t range = info->max_storage_buffer_range, T = s->pass_tokens, A = s->desc.max_active,
                   shared = desc->shared_hidden;
    const uint64_t L = desc->d_latent, width = L ? L : desc->d_model;
    const uint64_t hidden = T * A * desc->d_hidden, routed = T * A * width,
                   rows = L ? smoe_part_begin(routed) + T * desc->d_model : routed,
                   own_rows = shared ? T * desc->d_model : 0;
    /* What the shapes of control.c's regions come to, in words. */
    const uint64_t regions = 8ull * s->range_count * s->range_pieces +
                             T * (1 + 8 * A + desc->expert_count + 2 + desc->projection_width + 1) +
                             (desc->weighted_input ? 2 * T * A : 0) + (s->group_count ? T * (s->group_count + 2) : 0) +
                             (s->balanced_groups ? T * (3 * s->balanced_groups + 3) : 0);
    RULE("control: its words", s->control_size == 4 * s->control.words);
    RULE("control: room for every region", s->control.words >= regions && s->control.words < regions + 64);
    RULE("control: within a buffer", s->control_size <= range);
    RULE("the shared gate: aligned", s->shared_gate_offset % 256 == 0);
    RULE("the shared gate: at the end of control", s->shared_gate_offset + 4 * T == s->control_size);
    RULE("hidden: aligned, behind control", s->hidden_offset % 256 == 0 && s->hidden_offset >= s->control_size);
    RULE("hidden: its rows",
         s->hidden_size == 4 * (shared ? smoe_part_begin(T * A * desc->d_hidden) + T * shared : hidden));
    RULE("hidden: within a buffer", s->hidden_size <= range);
    RULE("shared hidden: aligned", s->shared_hidden_offset % 256 == 0 || shared == 0);
    RULE("shared hidden: behind the routed", s->shared_hidden_offset >= s->hidden_offset + 4 * hidden);
    RULE("shared hidden: at the end of hidden",
         s->shared_hidden_offset + 4 * T * shared == s->hidden_offset + s->hidden_size);
    RULE("rows: aligned, behind hidden",
         s->rows_offset % 256 == 0 && s->rows_offset >= s->hidden_offset + s->hidden_size);
    RULE("rows: their number", s->rows_size == 4 * (shared ? smoe_part_begin(rows) + own_rows : rows));
    RULE("rows: within a buffer", s->rows_size <= range);
    RULE("shared rows: aligned", s->shared_rows_offset % 256 == 0 || shared == 0);
    RULE("shared rows: behind the routed", s->shared_rows_offset >= s->rows_offset + 4 * rows);
    RULE("shared rows: at the end of the rows", s->shared_rows_offset + 4 * own_rows == s->rows_offset + s->rows_size);
    RULE("lifted rows: behind the routed, aligned where there are any",
         s->lifted_rows_offset >= s->rows_offset + 4 * routed && (L == 0 || s->lifted_rows_offset % 256 == 0));
    RULE("lifted rows: before the shared",
         s->lifted_rows_offset + (L ? 4 * T * desc->d_model : 0) <= s->shared_rows_offset);
    RULE("latent: aligned, behind the rows",
         s->latent_offset >= s->rows_offset + s->rows_size && (L == 0 || s->latent_offset % 256 == 0));
    RULE("latent: then the sum",
         s->latent_sum_offset >= s->latent_offset + 4 * T * L && (L == 0 || s->latent_sum_offset % 256 == 0));
    RULE("latent: its rows, twice", s->latent_sum_offset + 4 * T * L == s->latent_offset + s->latent_size);
    RULE("latent: within a buffer", s->latent_size <= range);
    RULE("the workspace: all of it", s->workspace_size == s->latent_offset + s->latent_size);
    RULE("the budget, or the fewest tokens that begin aligned",
         s->control_size + s->hidden_size + s->rows_size + s->latent_size <= 512ull << 20 || T <= 64);
    return NULL;
}

static const char *broken_passes(const smoe_device_info *info, const smoe_plan_desc *desc, const smoe_shape *s)
{
    const uint64_t T = s->pass_tokens, A = s->desc.max_active, alignment = info->min_storage_buffer_offset_alignment;
    uint64_t tokens = 0;
    RULE("a pass has tokens, and not too many", T >= 1 && T <= desc->max_tokens && T <= SMOE_MAX_PASS_TOKENS);
    RULE("a pass's report within a buffer", 4 * T * SMOE_REPORT_STRIDE(A) <= info->max_storage_buffer_range);
    RULE("passes begin aligned in x and y", T == desc->max_tokens || 4 * T * desc->d_model % alignment == 0);
    RULE("passes begin aligned in what is given", T == desc->max_tokens || 4 * T * desc->given_count % alignment == 0);
    RULE("passes begin aligned in the report", T == desc->max_tokens || 4 * T * SMOE_REPORT_STRIDE(A) % alignment == 0);
    for (uint32_t pass = 0; tokens < desc->max_tokens; pass++) {
        const uint32_t count = smoe_shape_pass_token_count(s, desc->max_tokens, pass);
        RULE("every pass has tokens", count >= 1 && count <= T);
        tokens += count;
    }
    RULE("passes have every token", tokens == desc->max_tokens);
    return NULL;
}

static const char *broken_ranges(const smoe_device_info *info, const smoe_plan_desc *desc, const smoe_shape *s)
{
    const uint32_t width = desc->d_latent ? desc->d_latent : desc->d_model;
    const uint64_t sizes[] = {smoe_weights_size(desc->types.up, 1, desc->d_hidden, width),
                              smoe_weights_size(desc->types.down, 1, width, desc->d_hidden), 4ull * width,
                              4ull * desc->d_hidden}; /* of one expert: matrices, biases */
    const uint64_t experts = desc->expert_count - desc->zero_experts;
    uint64_t covered = 0;
    RULE("ranges hold every expert", s->range_count >= 1 && (uint64_t)s->range_count * s->range_experts >= experts);
    RULE("no range is empty", (uint64_t)(s->range_count - 1) * s->range_experts < experts);
    for (uint32_t r = 0; r < s->range_count; r++) {
        const uint64_t count = smoe_shape_range_expert_count(s, r);
        RULE("every range has experts", count >= 1);
        for (int i = 0; i < 4; i++) {
            const uint64_t begin = covered * sizes[i], slack = begin % info->min_storage_buffer_offset_alignment;
            RULE("a range from an aligned start within a buffer",
                 slack + count * sizes[i] <= info->max_storage_buffer_range);
        }
        covered += count;
    }
    RULE("ranges have every expert once", covered == experts);
    return NULL;
}

const char *test_broken_shape(const smoe_device_info *info, const smoe_plan_desc *desc, const smoe_shape *s)
{
    const uint64_t range = info->max_storage_buffer_range, shared = desc->shared_hidden;
    RULE("max_active resolved", s->desc.max_active == (desc->max_active ? desc->max_active : desc->expert_count));
    RULE("the shared expert within a buffer",
         smoe_weights_size(desc->types.shared_up, 1, (uint32_t)shared, desc->d_model) <= range &&
             smoe_weights_size(desc->types.shared_down, 1, desc->d_model, (uint32_t)shared) <= range);
    RULE("the latent matrices within a buffer",
         smoe_weights_size(desc->types.latent_down, 1, desc->d_latent, desc->d_model) <= range &&
             smoe_weights_size(desc->types.latent_up, 1, desc->d_model, desc->d_latent) <= range);
    RULE("the projection within a buffer", 4ull * desc->projection_width * desc->d_model <= range);
    RULE("the similarities within a buffer", 4ull * desc->projection_width * desc->expert_count <= range);
    RULES(broken_workspace(info, desc, s));
    RULES(broken_passes(info, desc, s));
    RULES(broken_ranges(info, desc, s));
    return NULL;
}
