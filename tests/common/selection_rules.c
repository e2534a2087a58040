#include "selection_rules.h"

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"
#include "domain/selection.h"

#define RULE(condition) \
    if (!(condition))   \
    return __LINE__

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Without the kernel itself, which may be left out of a build. */
static int broken_size(const smoe_device_info *info, const smoe_kernel_config *c)
{
    RULE(c->workgroup_size >= 1 && c->workgroup_size <= info->max_workgroup_invocations &&
         c->workgroup_size <= info->max_workgroup_size_x);
    RULE(c->shared_memory_size <= info->max_shared_memory_size);
    RULE(c->required_subgroup_size == 0 || (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL));
    if (c->subgroup_size > 1) /* a kernel that counts on whole subgroups */
        RULE(c->workgroup_size % (c->required_subgroup_size ? c->required_subgroup_size : info->subgroup_size_max) == 0);
    return 0;
}

static int broken_limit(const smoe_device_info *info, const smoe_kernel_config *c)
{
    const smoe_kernel_row *row = smoe_kernel_row_get(c->kernel);
    RULE(row->spirv_size > 0);
    RULE((row->capabilities & ~info->capabilities) == 0);
    return broken_size(info, c);
}

int test_broken_cooperative(const smoe_device_info *info, const smoe_kernel_config *c, uint32_t matrices)
{
    const int size = broken_size(info, c);
    const uint32_t columns = matrices * c->tile_columns, stride = c->tile_depth / 8 + 1, lanes = c->subgroup_size;
    bool listed = false;
    RULE(size == 0);
    for (uint32_t i = 0; i < info->matrix_shape_count; i++) {
        const smoe_matrix_shape *shape = &info->matrix_shapes[i];
        listed = listed || ((uint32_t)shape->type == c->weight_type && shape->rows == c->matrix_rows && shape->columns == c->matrix_columns &&
                            shape->depth == c->matrix_depth);
    }
    RULE(listed);
    RULE(c->required_subgroup_size == lanes || (c->required_subgroup_size == 0 && info->subgroup_size_min == info->subgroup_size_max));
    RULE(lanes >= info->subgroup_size_min && lanes <= info->subgroup_size_max);
    RULE(c->matrix_depth % 8 == 0 && c->tile_depth % c->matrix_depth == 0 && c->matrix_columns % 4 == 0);
    RULE(c->thread_rows >= 1 && c->thread_rows % c->matrix_rows == 0 && c->tile_rows % c->thread_rows == 0);
    RULE(c->thread_columns >= 1 && c->thread_columns % c->matrix_columns == 0 && c->tile_columns % c->thread_columns == 0);
    RULE(c->workgroup_size == c->tile_rows / c->thread_rows * (c->tile_columns / c->thread_columns) * lanes);
    RULE(c->shared_memory_size % 16 == 0 && c->shared_memory_size >= 16 * stride * (c->tile_rows + columns));
    RULE(c->shared_memory_size >= 16 * c->tile_rows * (columns / 4 + 1));
    /* A single matrix cannot be parted; beyond that no lane is to hold more than the registers that are there. */
    RULE(c->thread_rows * c->thread_columns == c->matrix_rows * c->matrix_columns ||
         c->thread_rows * c->thread_columns * matrices <= 64 * lanes);
    return 0;
}

/* The rules that the comments of the matmul_*.comp state. load: weights in 16 bytes. */
static int broken_matmul(const smoe_device_info *info, const smoe_kernel_config *c, smoe_matmul matmul, uint32_t matrices, uint32_t load)
{
    const int limit = broken_limit(info, c);
    RULE(limit == 0);
    if (matmul == SMOE_MATMUL_COOPERATIVE)
        return test_broken_cooperative(info, c, matrices);
    RULE(c->tile_rows >= 1 && c->tile_columns >= 1 && c->tile_depth % load == 0);
    if (matmul == SMOE_MATMUL_VECTOR) {
        const uint32_t team = c->tile_depth / load;
        RULE(power_of_two(team) && c->workgroup_size % team == 0);
        RULE(c->tile_columns == c->workgroup_size / team * c->thread_columns);
        RULE(c->subgroup_size == 1 || team <= info->subgroup_size_min);
    } else if (matmul == SMOE_MATMUL_TILED) {
        RULE(c->tile_rows % c->thread_rows == 0 && c->tile_columns % c->thread_columns == 0);
        RULE(c->workgroup_size == c->tile_columns / c->thread_columns * (c->tile_rows / c->thread_rows));
        RULE(c->shared_memory_size >= 4 * c->tile_depth * (c->tile_rows + matrices * c->tile_columns));
    } else {
        RULE(c->tile_columns == c->workgroup_size * c->thread_columns);
        RULE(c->tile_rows * c->tile_depth / 4 % c->subgroup_size == 0 && c->tile_rows * c->tile_depth / 4 >= c->subgroup_size);
        RULE(c->required_subgroup_size == c->subgroup_size || info->subgroup_size_min == info->subgroup_size_max);
    }
    return 0;
}

int test_broken_selection(const smoe_device_info *info, const smoe_shape *shape)
{
    smoe_selection s;
    smoe_selection_init(info, shape, &s);
    int rule = broken_limit(info, &s.select);
    RULE(rule == 0);
    RULE((rule = broken_limit(info, &s.combine)) == 0);
    RULE((rule = broken_limit(info, &s.totals)) == 0);
    RULE(s.totals.shared_memory_size >= 2 * SMOE_TOTALS_WORDS(shape->desc.expert_count));
    const bool cosine = shape->desc.router == SMOE_ROUTER_COSINE;
    if (cosine) {
        RULE((rule = broken_limit(info, &s.cosine)) == 0);
        RULE(s.cosine.workgroup_size % s.cosine.tile_columns == 0);
        RULE(s.cosine.tile_rows == s.cosine.workgroup_size / s.cosine.tile_columns * s.cosine.thread_rows);
    }
    if (shape->group_count) {
        RULE((rule = broken_limit(info, &s.group)) == 0);
        RULE(s.group.tile_rows >= 1 && s.group.shared_memory_size >= 4 * s.group.tile_rows * shape->group_count);
    }
    const uint32_t load = 16 / smoe_shape_weight_size(shape);
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
        const smoe_tile *router = &s.tuning->regimes[i], *tile = &s.expert_tuning->regimes[i];
        const smoe_expert_selection *e = &s.experts[i];
        RULE(router->rows > 0 || !s.router_used[i]);
        RULE(router->rows == 0 || (rule = broken_matmul(info, &s.router[i], router->matmul, 1, 4)) == 0);
        RULE(router->matmul != SMOE_MATMUL_COOPERATIVE);
        RULE(tile->rows > 0 || (!e->used && !e->shared_used));
        RULE(tile->matmul != SMOE_MATMUL_COOPERATIVE || shape->desc.mixed_precision);
        if (tile->rows == 0)
            continue;
        RULE((rule = broken_matmul(info, &e->up, tile->matmul, shape->desc.gated ? 2 : 1, load)) == 0);
        RULE((rule = broken_matmul(info, &e->down, tile->matmul, 1, load)) == 0);
        RULE((rule = broken_limit(info, &e->sort)) == 0);
        RULE(e->up.tile_rows == e->down.tile_rows && e->sort.tile_rows == e->up.tile_rows);
        RULE(smoe_divide_up(shape->desc.d_hidden, e->up.tile_columns) <= info->max_workgroup_count[0]);
        RULE(smoe_divide_up(shape->desc.d_model, e->down.tile_columns) <= info->max_workgroup_count[0]);
        if (!shape->desc.shared_hidden)
            continue;
        RULE((rule = broken_matmul(info, &e->shared_up, tile->matmul, shape->desc.gated ? 2 : 1, load)) == 0);
        RULE((rule = broken_matmul(info, &e->shared_down, tile->matmul, 1, load)) == 0);
    }
    for (uint32_t tokens = 1; tokens <= shape->desc.max_tokens; tokens += tokens < 300 ? 1 : tokens / 3) {
        const smoe_regimes regimes = smoe_selection_regimes(&s, &shape->desc, tokens);
        RULE(s.experts[regimes.experts].used);
        RULE(s.router_used[cosine ? regimes.project : regimes.logits]);
        RULE(!shape->desc.shared_gate || s.router_used[regimes.shared_gate]);
        RULE(!shape->desc.shared_hidden || s.experts[regimes.shared].shared_used);
    }
    return 0;
}

int test_broken_shape(const smoe_device_info *info, const smoe_plan_desc *desc,
                      const smoe_shape *s)
{
    const uint64_t range = info->max_storage_buffer_range, T = s->pass_tokens, A = s->desc.max_active;
    const uint64_t sizes[] = {(uint64_t)desc->d_model * desc->d_hidden * smoe_shape_weight_size(s), 4ull * desc->d_model,
                              4ull * desc->d_hidden}; /* of one expert: matrices, biases */
    RULE(A == (desc->max_active ? desc->max_active : desc->expert_count));
    RULE(T >= 1 && T <= desc->max_tokens && T <= SMOE_MAX_PASS_TOKENS);
    const uint64_t shared = desc->shared_hidden, hidden = T * A * desc->d_hidden, rows = T * A * desc->d_model;
    RULE(s->hidden_size == 4 * (shared ? smoe_part_begin(T * A * desc->d_hidden) + T * shared : hidden) && s->hidden_size <= range);
    RULE(s->rows_size == 4 * (shared ? smoe_part_begin(T * A * desc->d_model) + T * desc->d_model : rows) && s->rows_size <= range);
    RULE(s->shared_hidden_offset % 256 == 0 || shared == 0);
    RULE(s->shared_hidden_offset >= s->hidden_offset + 4 * hidden);
    RULE(s->shared_hidden_offset + 4 * T * shared == s->hidden_offset + s->hidden_size);
    RULE(s->shared_rows_offset % 256 == 0 || shared == 0);
    RULE(s->shared_rows_offset >= s->rows_offset + 4 * rows);
    RULE(s->shared_rows_offset + (shared ? 4 * rows / A : 0) == s->rows_offset + s->rows_size);
    RULE(s->shared_gate_offset % 256 == 0 && s->shared_gate_offset + 4 * T == s->control_size);
    RULE(desc->d_model * shared * smoe_shape_weight_size(s) <= range && 4ull * desc->projection_width * desc->d_model <= range);
    RULE(4ull * desc->projection_width * desc->expert_count <= range);
    RULE(4 * T * SMOE_REPORT_STRIDE(A) <= range);
    const uint64_t parts = 9 * s->range_count + T * (1 + 8 * A + desc->expert_count + 2 + desc->projection_width + 1) +
                           T * (s->group_count ? s->group_count + 2 : 0); /* what the shapes of control.c's regions come to */
    RULE(s->control_size <= range && s->control_size == 4 * s->control.words);
    RULE(s->control.words >= parts && s->control.words < parts + 64);
    RULE(s->hidden_offset % 256 == 0 && s->hidden_offset >= s->control_size);
    RULE(s->rows_offset % 256 == 0 && s->rows_offset >= s->hidden_offset + s->hidden_size);
    RULE(s->workspace_size == s->rows_offset + s->rows_size);
    /* the budget, or the fewest tokens that begin aligned */
    RULE(s->control_size + s->hidden_size + s->rows_size <= 512ull << 20 || T <= 64);
    if (T < desc->max_tokens) {
        RULE(4 * T * desc->d_model % info->min_storage_buffer_offset_alignment == 0);
        RULE(4 * T * SMOE_REPORT_STRIDE(A) % info->min_storage_buffer_offset_alignment == 0);
    }
    RULE(s->range_count >= 1 && (uint64_t)s->range_count * s->range_experts >= desc->expert_count);
    RULE((uint64_t)(s->range_count - 1) * s->range_experts < desc->expert_count);
    uint64_t covered = 0;
    for (uint32_t r = 0; r < s->range_count; r++) {
        const uint64_t count = smoe_shape_range_expert_count(s, r);
        for (int i = 0; i < 3; i++) {
            const uint64_t begin = covered * sizes[i];
            const uint64_t aligned = begin - begin % info->min_storage_buffer_offset_alignment;
            RULE(count >= 1 && begin + count * sizes[i] - aligned <= range);
        }
        covered += count;
    }
    RULE(covered == desc->expert_count);
    uint64_t tokens = 0;
    for (uint32_t pass = 0; tokens < desc->max_tokens; pass++) {
        const uint32_t count = smoe_shape_pass_token_count(s, desc->max_tokens, pass);
        RULE(count >= 1 && count <= T);
        tokens += count;
    }
    RULE(tokens == desc->max_tokens);
    return 0;
}
