/* expert_up and expert_down on matrix units: which shape, and how much a subgroup and a workgroup take. */
#include "base/arithmetic.h"
#include "stage.h"

/* What a lane may hold through the loop: its sums, and the next depth's elements on their way into shared memory.
 * Subgroups below 32 lanes are Intel's (and software's), where a lane has 128 registers; the drivers need about as many
 * more for addresses and operands, on DG2, whose subgroups have 8 lanes, most. Intel's compiler merges loads in an
 * order that depends on the addresses of its own memory, so that the same kernel now spills and now does not: these
 * leave room for either. */
#define NARROW_LANES 32u
#define REGISTERS_8 40u
#define REGISTERS_NARROW 48u
#define REGISTERS 64u
#define DEPTH_NARROW 16u /* and where rows are read by words: each load has a place of its own to keep */
#define MOST_SUBGROUPS 16u

static bool takes_side(uint32_t side)
{
    return side == 8 || side == 16 || side == 32;
}

/* Rows are copied eight elements at a time, and tiles are cut by halves. */
static bool takes_shape(const smoe_matrix_shape *shape)
{
    return takes_side(shape->rows) && takes_side(shape->columns) && takes_side(shape->depth) &&
           shape->rows * shape->columns <= 256;
}

const smoe_matrix_shape *smoe_cooperative_shape(const smoe_device_info *info, smoe_precision precision)
{
    const smoe_matrix_shape *best = NULL;
    for (uint32_t i = 0; i < info->matrix_shape_count && i < SMOE_MAX_MATRIX_SHAPES; i++) {
        const smoe_matrix_shape *shape = &info->matrix_shapes[i];
        if (smoe_type_precision(shape->type) == precision && takes_shape(shape) &&
            (!best || shape->rows * shape->columns * shape->depth > best->rows * best->columns * best->depth))
            best = shape;
    }
    return best;
}

bool smoe_cooperative_fits(const smoe_device_info *info, smoe_precision precision)
{
    /* Two subgroups of 32 rows each, of at most 128 lanes, and the sums of 64 rows by 2 * 32 columns. */
    return smoe_subgroups_are_exact(info) && smoe_cooperative_shape(info, precision) &&
           info->max_workgroup_invocations >= 256 && info->max_workgroup_size_x >= 256 &&
           info->max_shared_memory_size >= 32768;
}

static smoe_kernel kernel_for(const smoe_matmul_kernels *kernels, smoe_precision precision)
{
    return precision == SMOE_PRECISION_BFLOAT16 ? kernels->cooperative_bfloat16 : kernels->cooperative;
}

bool smoe_cooperative_runs(const smoe_device_info *info, smoe_precision precision)
{
    return precision != SMOE_PRECISION_FLOAT32 &&
           smoe_kernel_runs(kernel_for(&smoe_expert_up_kernels, precision), info) &&
           smoe_kernel_runs(kernel_for(&smoe_expert_down_kernels, precision), info) &&
           smoe_cooperative_fits(info, precision);
}

/* Bytes: the tiles of both operands, then in their place the sums, as in matmul_cooperative.comp. */
static uint32_t shared_memory_size(const smoe_kernel_config *config, uint32_t matrices)
{
    const uint32_t columns = matrices * config->tile_columns;
    const uint32_t tiles = (config->tile_rows + columns) * (config->tile_depth / 8 + 1);
    return 16 * smoe_max_u32(tiles, config->tile_rows * (columns / 4 + 1));
}

/* Registers that one lane holds through the loop: one for each of its float32 sums, and those for its share of the next
 * depth's elements. Eight elements of the inputs, in float32, take 8 of them; a load of weights takes 4, and its scale
 * as many again at most. */
static uint32_t registers(const smoe_kernel_config *config, const smoe_matmul_stage *stage)
{
    const uint32_t matrices = smoe_matmul_matrices(stage), lanes = config->workgroup_size;
    const uint32_t steps = config->tile_depth / 8, weight_steps = config->tile_depth / smoe_matmul_load(stage);
    const uint32_t of_load = smoe_type_has_scales(stage->type) ? 8 : 4;
    return config->thread_rows * config->thread_columns * matrices / config->subgroup_size +
           8 * smoe_divide_up(config->tile_rows * steps, lanes) +
           of_load * smoe_divide_up(matrices * config->tile_columns * weight_steps, lanes);
}

/* Halves the longer side of a subgroup's part; false where it is a single matrix already (two if gated). */
static bool halve_part(smoe_kernel_config *config, uint32_t matrices)
{
    const bool wide =
        config->thread_columns * matrices >= config->thread_rows || config->thread_rows == config->matrix_rows;
    if (wide && config->thread_columns > config->matrix_columns)
        config->thread_columns /= 2;
    else if (config->thread_rows > config->matrix_rows)
        config->thread_rows /= 2;
    else
        return false;
    return true;
}

/* Fewer columns, until the limits are kept; false where even one subgroup's are too many. */
static bool fit_columns(const smoe_device_info *info, smoe_kernel_config *config, uint32_t matrices)
{
    const uint32_t most = smoe_min_u32(info->max_workgroup_invocations, info->max_workgroup_size_x);
    for (;; config->tile_columns /= 2) {
        const uint32_t subgroups =
            config->tile_rows / config->thread_rows * (config->tile_columns / config->thread_columns);
        config->workgroup_size = subgroups * config->subgroup_size;
        config->shared_memory_size = shared_memory_size(config, matrices);
        if (subgroups <= MOST_SUBGROUPS && config->workgroup_size <= most &&
            config->shared_memory_size <= info->max_shared_memory_size)
            return true;
        if (config->tile_columns == config->thread_columns)
            return false;
    }
}

smoe_kernel_config smoe_cooperative_config(const smoe_device_info *info, const smoe_tile *tile,
                                           const smoe_matmul_stage *stage)
{
    const smoe_matrix_shape *matrix = smoe_cooperative_shape(info, stage->precision);
    const uint32_t lanes = info->subgroup_size_min, matrices = smoe_matmul_matrices(stage);
    const uint32_t whole_depth = smoe_max_u32(matrix->depth, smoe_matmul_load(stage));
    const bool controlled = (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0,
               narrow = lanes < NARROW_LANES;
    smoe_kernel_config config = {
        .kernel = kernel_for(stage->kernels, stage->precision),
        .subgroup_size = lanes,
        .required_subgroup_size = controlled ? lanes : 0,
        .tile_rows = smoe_max_u32(tile->rows, matrix->rows),
        .tile_columns = smoe_max_u32(tile->columns / matrices, matrix->columns),
        .tile_depth = smoe_max_u32(
            narrow || stage->depth % 4 != 0 ? smoe_min_u32(tile->depth, DEPTH_NARROW) : tile->depth, whole_depth),
        .thread_rows = smoe_max_u32(tile->thread_rows, matrix->rows),
        .thread_columns = smoe_max_u32(tile->thread_columns / matrices, matrix->columns),
        .matrix_rows = matrix->rows,
        .matrix_columns = matrix->columns,
        .matrix_depth = matrix->depth,
    };
    const uint32_t most = !narrow ? REGISTERS : lanes > 8 ? REGISTERS_NARROW : REGISTERS_8;
    fit_columns(info, &config, matrices); /* it does: smoe_cooperative_fits */
    while (registers(&config, stage) > most) {
        smoe_kernel_config next = config;
        if (!halve_part(&next, matrices) || !fit_columns(info, &next, matrices))
            break;
        config = next;
    }
    return config;
}
