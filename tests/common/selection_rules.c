#include "selection_rules.h"

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"
#include "blocks.h"
#include "domain/pieces.h"
#include "domain/selection.h"
#include "vulkan/device_info.h"
#include "vulkan/quirks.h"

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* A class of a count: the least power of two that is not below it. */
static bool is_class(uint32_t most, uint32_t count)
{
    return power_of_two(most) && most >= count && most / 2 < count;
}

/* Without the kernel itself, which may be left out of a build. A kernel with a subgroup_size above 1 counts on whole
 * subgroups. */
static const char *broken_size(const smoe_device_info *info, const smoe_kernel_config *c)
{
    const uint32_t most = smoe_min_u32(info->max_workgroup_invocations, info->max_workgroup_size_x);
    const uint32_t whole = c->required_subgroup_size ? c->required_subgroup_size : info->subgroup_size_max;
    const bool controlled = (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0;
    RULE("a workgroup within the limits", c->workgroup_size >= 1 && c->workgroup_size <= most);
    RULE("shared memory within the limit", c->shared_memory_size <= info->max_shared_memory_size);
    RULE("a subgroup size is required where size control is", c->required_subgroup_size == 0 || controlled);
    RULE("whole subgroups", c->subgroup_size <= 1 || c->workgroup_size % whole == 0);
    return NULL;
}

static const char *broken_limit(const smoe_device_info *info, const smoe_kernel_config *c)
{
    const smoe_kernel_row *row = smoe_kernel_row_get(c->kernel);
    RULE("a kernel of this build", row->spirv_size > 0);
    RULE("a kernel of the device's capabilities", (row->capabilities & ~info->capabilities) == 0);
    RULE("subgroup operations where the least number of lanes is known",
         row->capabilities == 0 || info->subgroup_size_min > 1);
    RULE("whole subgroups for subgroup operations only", (c->subgroup_size > 1) == (row->capabilities != 0));
    return broken_size(info, c);
}

/* A kernel that is right with subgroups of one size only. */
static const char *broken_exact(const smoe_device_info *info, const smoe_kernel_config *c)
{
    const bool one_size = info->subgroup_size_min == info->subgroup_size_max;
    RULE("the exact subgroup size",
         c->required_subgroup_size == c->subgroup_size || (c->required_subgroup_size == 0 && one_size));
    RULE("a subgroup size of the device",
         c->subgroup_size >= info->subgroup_size_min && c->subgroup_size <= info->subgroup_size_max);
    return NULL;
}

/* What the kernel's matrix units multiply. */
static smoe_type narrow_type(smoe_kernel kernel)
{
    return kernel == SMOE_KERNEL_expert_up_cooperative || kernel == SMOE_KERNEL_expert_down_cooperative
               ? SMOE_TYPE_FLOAT16
               : SMOE_TYPE_BFLOAT16;
}

static bool is_listed(const smoe_device_info *info, const smoe_kernel_config *c)
{
    for (uint32_t i = 0; i < info->matrix_shape_count; i++) {
        const smoe_matrix_shape *shape = &info->matrix_shapes[i];
        if (shape->type == narrow_type(c->kernel) && shape->rows == c->matrix_rows &&
            shape->columns == c->matrix_columns && shape->depth == c->matrix_depth)
            return true;
    }
    return false;
}

const char *test_broken_cooperative(const smoe_device_info *info, const smoe_kernel_config *c, uint32_t matrices)
{
    const uint32_t columns = matrices * c->tile_columns, stride = c->tile_depth / 8 + 1, lanes = c->subgroup_size;
    const uint32_t sums = c->thread_rows * c->thread_columns;
    RULES(broken_size(info, c));
    RULES(broken_exact(info, c));
    const smoe_type type = (smoe_type)c->weight_type;
    RULE("a matrix of the device", is_listed(info, c));
    RULE("weights of the matrices' type, or with scales", type == narrow_type(c->kernel) || smoe_type_has_scales(type));
    RULE("depth: whole loads of weights", c->tile_depth % test_block_load(type) == 0);
    RULE("matrices: eight elements of depth, four columns", c->matrix_depth % 8 == 0 && c->matrix_columns % 4 == 0);
    RULE("depth: whole matrices", c->tile_depth % c->matrix_depth == 0);
    RULE("rows: whole matrices", c->thread_rows >= 1 && c->thread_rows % c->matrix_rows == 0);
    RULE("columns: whole matrices", c->thread_columns >= 1 && c->thread_columns % c->matrix_columns == 0);
    RULE("rows: whole subgroups' parts", c->tile_rows % c->thread_rows == 0);
    RULE("columns: whole subgroups' parts", c->tile_columns % c->thread_columns == 0);
    RULE("a subgroup for each part",
         c->workgroup_size == c->tile_rows / c->thread_rows * (c->tile_columns / c->thread_columns) * lanes);
    RULE("shared memory in uvec4s", c->shared_memory_size % 16 == 0);
    RULE("shared memory for the tiles", c->shared_memory_size >= 16 * stride * (c->tile_rows + columns));
    RULE("shared memory for the sums", c->shared_memory_size >= 16 * c->tile_rows * (columns / 4 + 1));
    RULE("registers for the sums, or a single matrix",
         sums == c->matrix_rows * c->matrix_columns || sums * matrices <= 64 * lanes);
    return NULL;
}

static const char *broken_vector(const smoe_device_info *info, const smoe_kernel_config *c, uint32_t load)
{
    const uint32_t team = c->tile_depth / load;
    RULE("vector: a team is a power of two", power_of_two(team) && c->workgroup_size % team == 0);
    RULE("vector: columns of the teams", c->tile_columns == c->workgroup_size / team * c->thread_columns);
    RULE("vector: a team within a subgroup", c->subgroup_size == 1 || team <= info->subgroup_size_min);
    return NULL;
}

static const char *broken_tiled(const smoe_kernel_config *c, uint32_t matrices)
{
    RULE("tiled: whole invocations' parts",
         c->tile_rows % c->thread_rows == 0 && c->tile_columns % c->thread_columns == 0);
    RULE("tiled: an invocation for each part",
         c->workgroup_size == c->tile_columns / c->thread_columns * (c->tile_rows / c->thread_rows));
    RULE("tiled: shared memory for the tiles",
         c->shared_memory_size >= 4 * c->tile_depth * (c->tile_rows + matrices * c->tile_columns));
    return NULL;
}

static const char *broken_broadcast(const smoe_device_info *info, const smoe_kernel_config *c)
{
    const uint32_t inputs = c->tile_rows * c->tile_depth / 4;
    RULE("broadcast: columns of the lanes", c->tile_columns == c->workgroup_size * c->thread_columns);
    RULE("broadcast: every lane reads as many inputs", inputs >= c->subgroup_size && inputs % c->subgroup_size == 0);
    return broken_exact(info, c);
}

/* What a matrix multiplication is asked for. */
typedef struct matmul_need {
    smoe_matmul matmul;
    uint32_t matrices;
    uint32_t load;  /* weights in 16 bytes */
    uint32_t depth; /* K */
    bool scales;    /* their rows are padded to whole loads */
} matmul_need;

/* The rules that the comments of the matmul_*.comp state. */
static const char *broken_matmul(const smoe_device_info *info, const smoe_kernel_config *c, const matmul_need *need)
{
    RULES(broken_limit(info, c));
    RULE("inputs are read by fours where K allows", c->inputs_aligned == (need->depth % 4 == 0));
    RULE("weights are read 16 bytes at a time where K allows",
         c->weights_aligned == (need->scales || need->depth % need->load == 0));
    RULE("depth: whole loads", c->tile_depth >= need->load && c->tile_depth % need->load == 0);
    RULE("the last tile is whole where K allows", c->depth_aligned == (need->depth % c->tile_depth == 0));
    RULE("a tile has outputs", c->tile_rows >= 1 && c->tile_columns >= 1);
    switch (need->matmul) {
    case SMOE_MATMUL_VECTOR: return broken_vector(info, c, need->load);
    case SMOE_MATMUL_TILED: return broken_tiled(c, need->matrices);
    case SMOE_MATMUL_BROADCAST: return broken_broadcast(info, c);
    case SMOE_MATMUL_COOPERATIVE: break;
    }
    return test_broken_cooperative(info, c, need->matrices);
}

static const char *broken_cosine(const smoe_device_info *info, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("cosine: whole rows of experts", c->workgroup_size % c->tile_columns == 0);
    RULE("cosine: tokens", c->tile_rows == c->workgroup_size / c->tile_columns * c->thread_rows);
    return NULL;
}

static const char *broken_group(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("group: room for the groups", is_class(c->most_groups, shape->group_count));
    RULE("group: tokens, and shared memory for them",
         c->tile_rows >= 1 && c->shared_memory_size >= 4 * c->tile_rows * (c->most_groups + 7));
    return NULL;
}

static const char *broken_balance(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("balance: room for the experts", is_class(c->most_experts, shape->desc.expert_count));
    RULE("balance: room for the groups", is_class(c->most_groups, shape->balanced_groups));
    RULE("balance: shared memory for both",
         c->shared_memory_size >= 4 * (c->most_experts + 2 * c->most_groups + c->workgroup_size));
    return NULL;
}

static const char *broken_select(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("select: room for the experts", is_class(c->most_experts, shape->desc.expert_count));
    if (c->kernel == SMOE_KERNEL_route_select_subgroup) {
        RULE("select: room for the active experts", is_class(c->most_active, shape->desc.max_active));
        RULE("select: a bit for each expert of a lane", smoe_divide_up(c->most_experts, c->subgroup_size) <= 32);
    } else {
        RULE("select: shared memory for the ranks",
             c->shared_memory_size >= 12 * c->most_experts + 4 * c->workgroup_size + 12);
    }
    return NULL;
}

static const char *broken_given(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("given: room for the experts of a token", is_class(c->most_active, shape->desc.max_active));
    RULE("given: an invocation has 8 experts at most", 8 * c->workgroup_size >= shape->desc.expert_count);
    RULE("given: shared memory", c->shared_memory_size >= 8 * c->most_active + 4 * c->workgroup_size + 4);
    RULE("given: weights where they are given", (c->given == SMOE_GIVEN_WEIGHTS) == shape->desc.given_weights);
    return NULL;
}

static const char *broken_totals(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("totals: room for the experts", is_class(c->most_experts, shape->desc.expert_count));
    RULE("totals: shared memory", c->shared_memory_size >= 2 * SMOE_TOTALS_WORDS(c->most_experts));
    return NULL;
}

static const char *broken_sort(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("sort: room for the experts", is_class(c->most_experts, shape->desc.expert_count - shape->desc.zero_experts));
    RULE("sort: zero experts", c->zero_experts == (shape->desc.zero_experts > 0));
    RULE("sort: shared memory", c->shared_memory_size >= 12 * c->most_experts + 4 + 8 * c->workgroup_size);
    return NULL;
}

static const smoe_kernel_config *single(const smoe_selection *s, smoe_step step)
{
    return &s->configs[step][0];
}

static const char *broken_sum(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *c)
{
    RULES(broken_limit(info, c));
    RULE("sum: rows are read by fours where L allows", c->inputs_aligned == (shape->desc.d_latent % 4 == 0));
    RULE("sum: of the routed experts only", !c->latent && !c->shared_expert && !c->shared_gate);
    return NULL;
}

/* The stages without regimes. */
static const char *broken_single(const smoe_device_info *info, const smoe_shape *shape, const smoe_selection *s)
{
    const smoe_kernel_config *combine = single(s, SMOE_STEP_COMBINE);
    if (shape->desc.router == SMOE_ROUTER_COSINE)
        RULES(broken_cosine(info, single(s, SMOE_STEP_ROUTE_LOGITS_COSINE)));
    if (shape->group_count)
        RULES(broken_group(info, shape, single(s, SMOE_STEP_ROUTE_GROUP)));
    if (shape->balanced_groups)
        RULES(broken_balance(info, shape, single(s, SMOE_STEP_ROUTE_GROUP_BALANCED)));
    RULES(broken_select(info, shape, single(s, SMOE_STEP_ROUTE_SELECT)));
    if (shape->desc.given_count)
        RULES(broken_given(info, shape, single(s, SMOE_STEP_ROUTE_GIVEN)));
    RULES(broken_totals(info, shape, single(s, SMOE_STEP_TOTALS)));
    RULES(broken_limit(info, combine));
    const bool zero = shape->desc.zero_experts > 0, latent = shape->desc.d_latent > 0;
    RULE("combine: zero experts", (combine->kernel == SMOE_KERNEL_combine_zero) == (zero && !latent));
    RULE("latent sum: zero experts",
         !latent || (single(s, SMOE_STEP_LATENT_SUM)->kernel == SMOE_KERNEL_combine_zero) == zero);
    RULE("combine: tokens without experts", (combine->given != 0) == (shape->desc.given_count > 0));
    RULE("combine: rows are read by fours where D allows", combine->inputs_aligned == (shape->desc.d_model % 4 == 0));
    if (shape->desc.d_latent)
        RULES(broken_sum(info, shape, single(s, SMOE_STEP_LATENT_SUM)));
    RULE("combine: of latent experts", combine->latent == (shape->desc.d_latent > 0));
    return NULL;
}

static bool is_used(const smoe_selection *s, smoe_step step, uint32_t regime)
{
    return s->used[step] >> regime & 1;
}

static const char *broken_router(const smoe_device_info *info, const smoe_shape *shape, const smoe_selection *s,
                                 uint32_t i)
{
    const bool cosine = shape->desc.router == SMOE_ROUTER_COSINE;
    const smoe_step step = cosine ? SMOE_STEP_ROUTE_PROJECT : SMOE_STEP_ROUTE_LOGITS;
    const smoe_tile *tile = &s->tuning->regimes[i];
    RULE("router: no unused regime is led to",
         tile->rows > 0 || (!is_used(s, step, i) && !is_used(s, SMOE_STEP_SHARED_GATE, i)));
    RULE("router: inputs stay float32", tile->matmul != SMOE_MATMUL_COOPERATIVE);
    const matmul_need need = {tile->matmul, 1, 4, shape->desc.d_model, false};
    if (tile->rows == 0)
        return NULL;
    RULES(broken_matmul(info, &s->configs[step][i], &need));
    return shape->desc.shared_gate ? broken_matmul(info, &s->configs[SMOE_STEP_SHARED_GATE][i], &need) : NULL;
}

/* As smoe_plan_desc has it: gpt-oss's activation is silu with limits, and an alpha of 1 changes nothing. */
static const char *broken_gating(const smoe_plan_desc *desc, const smoe_kernel_config *up, bool shared)
{
    const bool clamped = desc->activation == SMOE_ACTIVATION_SWIGLU_CLAMPED;
    const bool limits = shared ? desc->shared_gate_max + desc->shared_up_limit + desc->shared_gate_limit_after > 0
                               : desc->gate_max + desc->up_limit + desc->gate_limit_after > 0;
    const bool others = (desc->gate_alpha > 0 && desc->gate_alpha != 1) || desc->up_offset != 0;
    RULE("expert_up: its activation",
         up->activation == (uint32_t)(clamped ? SMOE_ACTIVATION_SILU : desc->activation) && up->gated == desc->gated);
    RULE("expert_up: limits where there are some", (up->limited != 0) == (clamped || limits || others));
    return NULL;
}

/* Only where there is one: its types may be anything elsewhere. */
static const char *broken_shared_expert(const smoe_device_info *info, const smoe_shape *shape, const smoe_selection *s,
                                        uint32_t i)
{
    const smoe_plan_desc *desc = &shape->desc;
    const smoe_matmul matmul = s->expert_tuning->regimes[i].matmul;
    const smoe_kernel_config *up = &s->configs[SMOE_STEP_SHARED_UP][i], *down = &s->configs[SMOE_STEP_SHARED_DOWN][i];
    const matmul_need need_up = {matmul, desc->gated ? 2 : 1, test_block_load(desc->types.shared_up), desc->d_model,
                                 smoe_type_has_scales(desc->types.shared_up)};
    const matmul_need need_down = {matmul, 1, test_block_load(desc->types.shared_down), desc->shared_hidden,
                                   smoe_type_has_scales(desc->types.shared_down)};
    RULE("shared expert: of the shared one", up->shared_expert && down->shared_expert && !up->weighted_input);
    RULES(broken_gating(desc, up, true));
    RULES(broken_matmul(info, up, &need_up));
    RULES(broken_matmul(info, down, &need_down));
    return NULL;
}

/* Likewise the latent matrices. */
static const char *broken_latent(const smoe_device_info *info, const smoe_shape *shape, const smoe_selection *s,
                                 uint32_t i)
{
    const smoe_plan_desc *desc = &shape->desc;
    const smoe_matmul matmul = s->expert_tuning->regimes[i].matmul;
    const smoe_kernel_config *down = &s->configs[SMOE_STEP_LATENT_DOWN][i], *up = &s->configs[SMOE_STEP_LATENT_UP][i];
    const matmul_need need_down = {matmul, 1, test_block_load(desc->types.latent_down), desc->d_model,
                                   smoe_type_has_scales(desc->types.latent_down)};
    const matmul_need need_up = {matmul, 1, test_block_load(desc->types.latent_up), desc->d_latent,
                                 smoe_type_has_scales(desc->types.latent_up)};
    RULE("latent: of tokens, and nothing but a product", up->shared_expert && down->shared_expert && !up->gated &&
                                                             !down->gated && !up->activation && !down->activation &&
                                                             !up->weighted_input && !down->weighted_input);
    RULES(broken_matmul(info, down, &need_down));
    RULES(broken_matmul(info, up, &need_up));
    return NULL;
}

static const char *broken_experts(const smoe_device_info *info, const smoe_shape *shape, const smoe_selection *s,
                                  uint32_t i)
{
    const smoe_tile *tile = &s->expert_tuning->regimes[i];
    const smoe_kernel_config *sort = &s->configs[SMOE_STEP_SORT][i];
    const smoe_kernel_config *up = &s->configs[SMOE_STEP_EXPERT_UP][i], *down = &s->configs[SMOE_STEP_EXPERT_DOWN][i];
    const uint32_t most_workgroups = info->max_workgroup_count[0], matrices = shape->desc.gated ? 2 : 1;
    const smoe_matrix_types *types = &shape->desc.types;
    const matmul_need need_up = {tile->matmul, matrices, test_block_load(types->up), smoe_axis_width(&shape->desc, 'L'),
                                 smoe_type_has_scales(types->up)};
    const matmul_need need_down = {tile->matmul, 1, test_block_load(types->down), shape->desc.d_hidden,
                                   smoe_type_has_scales(types->down)};
    for (smoe_step step = SMOE_STEP_SORT; step <= SMOE_STEP_EXPERT_DOWN; step++)
        RULE("experts: no unused regime is led to", tile->rows > 0 || !is_used(s, step, i));
    RULE("experts: inputs stay float32 unless mixed precision is asked for",
         tile->matmul != SMOE_MATMUL_COOPERATIVE || shape->desc.precision != SMOE_PRECISION_FLOAT32);
    if (tile->rows == 0)
        return NULL;
    RULES(broken_matmul(info, up, &need_up));
    RULES(broken_matmul(info, down, &need_down));
    RULES(broken_sort(info, shape, sort));
    RULES(broken_gating(&shape->desc, up, false));
    RULE("experts: not of the shared one", !up->shared_expert && !down->shared_expert);
    RULE("sort: the tiles' rows", up->tile_rows == down->tile_rows && sort->tile_rows == up->tile_rows);
    RULE("sort: expert_up within the limits",
         smoe_divide_up(shape->desc.d_hidden, up->tile_columns) <= most_workgroups);
    RULE("sort: expert_down within the limits",
         smoe_divide_up(smoe_axis_width(&shape->desc, 'L'), down->tile_columns) <= most_workgroups);
    RULE("weighted inputs: of the routed experts, and as select and sort have it",
         up->weighted_input == shape->desc.weighted_input && sort->weighted_input == up->weighted_input &&
             single(s, SMOE_STEP_ROUTE_SELECT)->weighted_input == up->weighted_input && !down->weighted_input);
    if (shape->desc.shared_hidden > 0)
        RULES(broken_shared_expert(info, shape, s, i));
    return shape->desc.d_latent > 0 ? broken_latent(info, shape, s, i) : NULL;
}

static bool fits(const smoe_device_info *info, smoe_workgroups count)
{
    return count.x >= 1 && count.x <= info->max_workgroup_count[0] && count.y >= 1 &&
           count.y <= info->max_workgroup_count[1] && count.z >= 1 && count.z <= info->max_workgroup_count[2];
}

/* A step's pieces in one pass with the most tokens: as many tiles as there can be, none too large, none too many. */
static const char *broken_pieces(const smoe_shape *shape, const smoe_kernel_config *config, smoe_step step)
{
    const uint64_t limits[] = {1, 1000000, SMOE_SLICE_WORK, UINT64_MAX};
    const uint64_t T = shape->pass_tokens, h = config->tile_rows, A = shape->desc.max_active;
    const bool repeated = shape->desc.given_count > 0; /* an expert may get several rows of a token */
    const uint64_t own = repeated || A < shape->range_experts ? A : shape->range_experts;
    uint32_t count = UINT32_MAX;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const smoe_pieces pieces = smoe_step_pieces(shape, config, step, limits[i], shape->pass_tokens, (uint32_t)A);
        const uint64_t tiles = (uint64_t)pieces.count * pieces.tile_count;
        RULE("pieces: some work", pieces.count >= 1 && pieces.work >= 1 && pieces.count <= count);
        count = pieces.count;
        if (!smoe_step_get(step)->kernels)
            continue;
        RULE("pieces: workgroups", pieces.tile_count >= 1 && pieces.tile_count <= SMOE_MOST_PIECE_TILES);
        if (!smoe_step_is_routed(step)) {
            RULE("pieces: every tile", tiles * h >= T && (tiles - pieces.tile_count) * h < T);
            continue;
        }
        RULE("pieces: within a range's", pieces.count <= shape->range_pieces);
        /* the most tiles: one row for each of as many experts as there are, the rest for one of them */
        const uint64_t rows = T * own, single = rows < shape->range_experts ? rows : shape->range_experts;
        RULE("pieces: every routed tile", tiles >= single - 1 + (rows - single + 1 + h - 1) / h);
        RULE("pieces: within the limit",
             pieces.tile_count == 1 || pieces.work <= limits[i] || pieces.count + 1 >= shape->range_pieces / 2);
    }
    return NULL;
}

/* The dispatches of one pass with the most tokens. */
static const char *broken_dispatch(const smoe_device_info *info, const smoe_shape *shape, const smoe_selection *s)
{
    const uint32_t features = smoe_shape_features(shape) | SMOE_HAS_TOTALS | SMOE_HAS_EXPERTS;
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++) {
        const bool indirect = step == SMOE_STEP_EXPERT_UP || step == SMOE_STEP_EXPERT_DOWN;
        for (uint32_t i = 0; i < SMOE_REGIME_COUNT && !indirect; i++)
            RULE(smoe_stage_name(smoe_step_get(step)->stage),
                 !smoe_step_runs(step, features) || !is_used(s, step, i) ||
                     fits(info, smoe_step_workgroups(shape, &s->configs[step][i], step, shape->pass_tokens)));
        for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
            const char *broken = smoe_step_runs(step, features) && is_used(s, step, i)
                                     ? broken_pieces(shape, &s->configs[step][i], step)
                                     : NULL;
            if (broken)
                return broken;
        }
    }
    return NULL;
}

/* tests/unit/test_matmul.c has every count; here few and some of many. */
static const char *broken_use(const smoe_shape *shape, const smoe_selection *s)
{
    const smoe_plan_desc *desc = &shape->desc;
    const bool cosine = desc->router == SMOE_ROUTER_COSINE, shared = desc->shared_hidden > 0;
    uint32_t at[SMOE_STEP_COUNT];
    for (uint32_t step = 1, tokens = smoe_max_u32(desc->min_tokens, 1); tokens <= desc->max_tokens; tokens += step) {
        /* The two ends and what lies between, in turns. */
        const uint32_t more = (desc->max_expected_active - desc->top_k) * (tokens % 4) / 3;
        smoe_selection_regimes(s, desc, tokens, desc->top_k + more, at);
        const uint32_t sort = at[SMOE_STEP_SORT];
        RULE("regimes: one height of tile for the experts",
             sort == at[SMOE_STEP_EXPERT_UP] && sort == at[SMOE_STEP_EXPERT_DOWN]);
        for (smoe_step k = 0; k < SMOE_STEP_COUNT; k++) {
            const bool grouped = shape->group_count > 0, balanced = shape->balanced_groups > 0,
                       latent = desc->d_latent > 0;
            const bool here = k == SMOE_STEP_ROUTE_PROJECT || k == SMOE_STEP_ROUTE_LOGITS_COSINE ? cosine
                              : k == SMOE_STEP_ROUTE_LOGITS                                      ? !cosine
                              : k == SMOE_STEP_ROUTE_GROUP                                       ? grouped
                              : k == SMOE_STEP_ROUTE_GROUP_BALANCED                              ? balanced
                              : k == SMOE_STEP_ROUTE_GIVEN                                       ? desc->given_count > 0
                              : k == SMOE_STEP_SHARED_GATE                                       ? desc->shared_gate
                              : k == SMOE_STEP_SHARED_UP || k == SMOE_STEP_SHARED_DOWN           ? shared
                              : k == SMOE_STEP_LATENT_DOWN || k == SMOE_STEP_LATENT_SUM          ? latent
                              : k == SMOE_STEP_LATENT_UP                                         ? latent
                                                                                                 : true;
            RULE("used: what the shape has, and where its tokens lead", here ? is_used(s, k, at[k]) : s->used[k] == 0);
        }
        step = smoe_max_u32(tokens / 8, 1);
        if (tokens < desc->max_tokens && desc->max_tokens - tokens < step)
            step = desc->max_tokens - tokens; /* the last one too */
    }
    return NULL;
}

const char *test_broken_selection(const smoe_device_info *info, const smoe_shape *shape)
{
    smoe_selection s;
    smoe_selection_init(info, shape, &s);
    RULES(broken_single(info, shape, &s));
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
        RULES(broken_router(info, shape, &s, i));
        RULES(broken_experts(info, shape, &s, i));
    }
    RULES(broken_dispatch(info, shape, &s));
    RULES(broken_use(shape, &s));
    return NULL;
}

/* The kernels with cooperative matrices too, which the build may have left out. */
static const char *broken_cooperative(const smoe_device_info *info, const smoe_plan_desc *desc)
{
    const smoe_tuning *tuning = smoe_tuning_cooperative();
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
        const smoe_matmul_stage stage = {.kernels = &smoe_expert_up_kernels,
                                         .depth = smoe_axis_width(desc, 'L'),
                                         .type = desc->types.up,
                                         .precision = desc->precision,
                                         .gated = desc->gated};
        if (tuning->regimes[i].matmul != SMOE_MATMUL_COOPERATIVE || !smoe_cooperative_fits(info, desc->precision))
            continue;
        const smoe_kernel_config config = smoe_matmul_config(info, &tuning->regimes[i], &stage);
        RULES(test_broken_cooperative(info, &config, smoe_matmul_matrices(&stage)));
    }
    return NULL;
}

const char *test_broken_choice(const smoe_device_info *info, const smoe_plan_desc *desc, uint32_t tokens,
                               smoe_result *result)
{
    const smoe_host host = {0};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    smoe_device_info mended = *info;
    smoe_shape shape;
    smoe_quirks_apply(&mended);
    *result = smoe_shape_init(&host, &mended, desc, &shape);
    RULE("a legal plan is refused for a limit only", *result == SMOE_SUCCESS || *result == SMOE_ERROR_UNSUPPORTED);
    RULE("smoe_select_kernels says the same",
         smoe_select_kernels(&(smoe_selection_desc){info, desc, tokens, 0}, choices, reason) == *result);
    if (*result)
        return NULL;
    RULES(test_broken_shape(&mended, desc, &shape));
    RULES(test_broken_selection(&mended, &shape));
    RULES(broken_cooperative(&mended, desc));
    return NULL;
}
