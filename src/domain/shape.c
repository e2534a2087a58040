#include "shape.h"

#include <math.h>

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"
#include "vulkan/device_info.h"
#include "weights.h"

/* Regions of the workspace begin at multiples of this. */
#define REGION_ALIGNMENT SMOE_MOST_OFFSET_ALIGNMENT

static smoe_result check_number(const smoe_host *host, const char *name, uint32_t value, uint32_t least, uint32_t most)
{
    if (value >= least && value <= most)
        return SMOE_SUCCESS;
    return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan desc.%s: %u, must be %u .. %u", name, value, least, most);
}

static smoe_result check_router(const smoe_host *host, const smoe_plan_desc *desc)
{
    if (desc->router == SMOE_ROUTER_COSINE)
        return check_number(host, "projection_width", desc->projection_width, 1, SMOE_MAX_WIDTH);
    if (desc->projection_width == 0)
        return SMOE_SUCCESS;
    return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                     "plan desc.projection_width: %u, must be 0 with the linear router", desc->projection_width);
}

/* name: that of the enumerator, NULL where the number is none. */
static smoe_result check_named(const smoe_host *host, const char *field, const char *type, uint32_t value,
                               const char *name)
{
    return name ? SMOE_SUCCESS
                : smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan desc.%s: %u, must be a %s", field, value, type);
}

static smoe_result check_types(const smoe_host *host, const smoe_plan_desc *desc)
{
    const struct {
        const char *field, *width;
        smoe_type type;
        uint32_t columns; /* 0: there is no such matrix */
    } types[] = {
        {"types.up", desc->d_latent ? "d_latent" : "d_model", desc->types.up, smoe_axis_width(desc, 'L')},
        {"types.down", "d_hidden", desc->types.down, desc->d_hidden},
        {"types.shared_up", "d_model", desc->types.shared_up, desc->shared_hidden ? desc->d_model : 0},
        {"types.shared_down", "shared_hidden", desc->types.shared_down, desc->shared_hidden},
        {"types.latent_down", "d_model", desc->types.latent_down, desc->d_latent ? desc->d_model : 0},
        {"types.latent_up", "d_latent", desc->types.latent_up, desc->d_latent},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].columns == 0)
            continue;
        const char *const name = smoe_type_name(types[i].type);
        const smoe_result result = check_named(host, types[i].field, "smoe_type", (uint32_t)types[i].type, name);
        if (result != SMOE_SUCCESS)
            return result;
        const uint32_t unit = smoe_weights_unit(types[i].type);
        if (types[i].columns % unit != 0)
            return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                             "plan desc.%s: %u, must be a multiple of %u, the elements of a %s of %s (%s)",
                             types[i].width, types[i].columns, unit,
                             unit > smoe_weight_kind_of(types[i].type)->block_columns ? "second scale" : "block", name,
                             types[i].field);
        if (!smoe_precision_takes(desc->precision, types[i].type))
            return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                             "plan desc.precision: %u, must be SMOE_PRECISION_FLOAT32 or the one of every matrix "
                             "without scales, but %s is %s",
                             (uint32_t)desc->precision, types[i].field, name);
    }
    return check_number(host, "precision", (uint32_t)desc->precision, SMOE_PRECISION_FLOAT32, SMOE_PRECISION_BFLOAT16);
}

static smoe_result check_groups(const smoe_host *host, const smoe_plan_desc *desc)
{
    const uint32_t groups = desc->group_count;
    if (groups <= 1)
        return check_number(host, "top_groups", desc->top_groups, 0, groups);
    if (groups > desc->expert_count || desc->expert_count % groups != 0)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan desc.group_count: %u, must divide expert_count, %u",
                         groups, desc->expert_count);
    const uint32_t least = smoe_divide_up(desc->top_k, desc->expert_count / groups); /* as many groups hold k experts */
    return check_number(host, "top_groups", desc->top_groups, least, groups);
}

static smoe_result check_desc(const smoe_host *host, const smoe_plan_desc *desc)
{
    smoe_result result;
    if ((result = check_number(host, "d_model", desc->d_model, 1, SMOE_MAX_WIDTH)) != SMOE_SUCCESS ||
        (result = check_number(host, "d_hidden", desc->d_hidden, 1, SMOE_MAX_WIDTH)) != SMOE_SUCCESS ||
        (result = check_number(host, "expert_count", desc->expert_count, 1, SMOE_MAX_EXPERTS)) != SMOE_SUCCESS ||
        (result = check_number(host, "top_k", desc->top_k, 1, desc->expert_count)) != SMOE_SUCCESS ||
        (result = check_number(host, "max_tokens", desc->max_tokens, 1, SMOE_MAX_TOKENS)) != SMOE_SUCCESS ||
        (result = check_number(host, "min_tokens", desc->min_tokens, 0, desc->max_tokens)) != SMOE_SUCCESS ||
        (result = check_named(host, "router", "smoe_router", (uint32_t)desc->router, smoe_router_name(desc->router))) !=
            SMOE_SUCCESS ||
        (result = check_named(host, "gate", "smoe_gate", (uint32_t)desc->gate, smoe_gate_name(desc->gate))) !=
            SMOE_SUCCESS ||
        (result = check_named(host, "group_score", "smoe_group_score", (uint32_t)desc->group_score,
                              smoe_group_score_name(desc->group_score))) != SMOE_SUCCESS ||
        (result = check_named(host, "activation", "smoe_activation", (uint32_t)desc->activation,
                              smoe_activation_name(desc->activation))) != SMOE_SUCCESS ||
        (result = check_number(host, "d_latent", desc->d_latent, 0, SMOE_MAX_WIDTH)) != SMOE_SUCCESS ||
        (result = check_number(host, "shared_hidden", desc->shared_hidden, 0, SMOE_MAX_WIDTH)) != SMOE_SUCCESS ||
        (result = check_types(host, desc)) != SMOE_SUCCESS || (result = check_router(host, desc)) != SMOE_SUCCESS ||
        (result = check_groups(host, desc)) != SMOE_SUCCESS)
        return result;
    char reason[SMOE_REASON_SIZE];
    if (smoe_plan_numbers_check(desc, reason) != SMOE_SUCCESS || smoe_plan_routing_check(desc, reason) != SMOE_SUCCESS)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan desc.%s", reason);
    if (desc->shared_gate && desc->shared_hidden == 0)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "plan desc.shared_gate: must be false where shared_hidden is 0");
    return desc->max_active == 0 ? SMOE_SUCCESS
                                 : check_number(host, "max_active", desc->max_active, desc->top_k, desc->expert_count);
}

/* What is bound whole, not in ranges. */
static smoe_result check_whole(const smoe_host *host, const smoe_device_info *info, const smoe_shape *shape)
{
    const smoe_plan_desc *desc = &shape->desc;
    const uint64_t limit = info->max_storage_buffer_range;
    const uint64_t model = desc->d_model, hidden = desc->shared_hidden, p = desc->projection_width;
    const uint64_t latent = desc->d_latent;
    const bool cosine = desc->router == SMOE_ROUTER_COSINE;
    const struct {
        const char *name;
        uint64_t size;
    } rules[] = {
        {"router", 4 * desc->expert_count * (cosine ? p : model)},
        {"router's projection", 4 * p * model},
        {"shared expert's up matrix", smoe_weights_size(desc->types.shared_up, 1, desc->shared_hidden, desc->d_model)},
        {"shared expert's down matrix",
         smoe_weights_size(desc->types.shared_down, 1, desc->d_model, desc->shared_hidden)},
        {"shared expert's bias", hidden ? 4 * (model > hidden ? model : hidden) : 0},
        {"latent down matrix", smoe_weights_size(desc->types.latent_down, 1, desc->d_latent, desc->d_model)},
        {"latent up matrix", smoe_weights_size(desc->types.latent_up, 1, desc->d_model, desc->d_latent)},
        {"latent bias", latent ? 4 * (model > latent ? model : latent) : 0},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].size > limit)
            return smoe_fail(host, SMOE_ERROR_UNSUPPORTED,
                             "plan desc: the %s's %llu bytes exceed maxStorageBufferRange, %llu", rules[i].name,
                             (unsigned long long)rules[i].size, (unsigned long long)limit);
    return SMOE_SUCCESS;
}

/* What a range of experts must fit: what a shader sees at once, and what an app can allocate for a buffer of its
 * own. */
static uint64_t range_limit(const smoe_device_info *info, const char **name)
{
    const bool allocation = info->max_allocation_size > 0 && info->max_allocation_size < info->max_storage_buffer_range;
    *name = allocation ? "maxMemoryAllocationSize" : "maxStorageBufferRange";
    return allocation ? info->max_allocation_size : info->max_storage_buffer_range;
}

/* Splits the experts so that one range of a matrix fits, with the slack of an aligned start and end. */
static smoe_result split_ranges(const smoe_host *host, const smoe_device_info *info, smoe_shape *shape)
{
    const smoe_plan_desc *desc = &shape->desc;
    const char *limit_name;
    const uint64_t limit = range_limit(info, &limit_name);
    const uint32_t width = smoe_axis_width(desc, 'L');
    const uint64_t up_size = smoe_weights_size(desc->types.up, 1, desc->d_hidden, width);
    const uint64_t down_size = smoe_weights_size(desc->types.down, 1, width, desc->d_hidden);
    /* A float32 bias is the larger one beside a float16 matrix with one column. */
    const uint64_t bias_size = 4ull * smoe_max_u32(width, desc->d_hidden);
    const uint64_t matrix_size = up_size > down_size ? up_size : down_size;
    const uint64_t expert_size = matrix_size > bias_size ? matrix_size : bias_size;
    if (expert_size * shape->matrix_experts + 4 <= limit) {
        shape->range_count = 1;
        shape->range_experts = shape->matrix_experts;
        return SMOE_SUCCESS;
    }
    const bool aligned = up_size % REGION_ALIGNMENT == 0 && down_size % REGION_ALIGNMENT == 0 &&
                         4 * width % REGION_ALIGNMENT == 0 && 4 * desc->d_hidden % REGION_ALIGNMENT == 0;
    const uint64_t slack = aligned ? 0 : REGION_ALIGNMENT;
    const uint64_t fitting = limit > slack ? (limit - slack) / expert_size : 0;
    if (fitting == 0)
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED, "plan desc: one expert's %llu bytes exceed %s, %llu",
                         (unsigned long long)expert_size, limit_name, (unsigned long long)limit);
    shape->range_experts = (uint32_t)(fitting < shape->matrix_experts ? fitting : shape->matrix_experts);
    shape->range_count = smoe_divide_up(shape->matrix_experts, shape->range_experts);
    return SMOE_SUCCESS;
}

/* What the workspace may come to, its parts' alignment aside, unless the smallest pass needs more: more passes cost
 * less than gigabytes that an app must find. */
#define WORKSPACE_BUDGET (512ull << 20)

/* Each has its indirect arguments. 128 are for 5 TFLOP by SMOE_SLICE_WORK, more than WORKSPACE_BUDGET has rows for;
 * several ranges share that work, but not evenly. */
static uint64_t range_pieces(const smoe_shape *shape, uint64_t pass_tokens)
{
    const uint64_t rows = pass_tokens * smoe_shape_range_rows(shape, shape->desc.max_active);
    const uint64_t usual = smoe_min_u64(smoe_max_u32(128 / shape->range_count, 16), rows);
    return smoe_max_u64(usual, (rows + SMOE_MOST_PIECE_TILES - 1) / SMOE_MOST_PIECE_TILES);
}

static uint64_t group_words(const smoe_shape *shape)
{
    return shape->balanced_groups ? SMOE_BALANCE_WORDS((uint64_t)shape->balanced_groups)
           : shape->group_count   ? SMOE_GROUP_WORDS((uint64_t)shape->group_count)
                                  : 0;
}

static smoe_control control_layout(const smoe_shape *shape, uint64_t pass_tokens)
{
    return smoe_control_layout(&shape->desc, shape->range_count * range_pieces(shape, pass_tokens), group_words(shape),
                               pass_tokens);
}

static uint64_t control_words(const smoe_shape *shape, uint64_t pass_tokens)
{
    return control_layout(shape, pass_tokens).words;
}

/* Elements with a part behind them, or without one. */
static uint64_t add_part(uint64_t elements, bool there, uint64_t part)
{
    return there ? smoe_part_begin(elements) + part : elements;
}

/* Elements of hidden: the routed experts', then the shared expert's. */
static uint64_t hidden_elements(const smoe_shape *shape, uint64_t pass_tokens)
{
    const smoe_plan_desc *desc = &shape->desc;
    return add_part(pass_tokens * desc->max_active * desc->d_hidden, desc->shared_hidden > 0,
                    pass_tokens * desc->shared_hidden);
}

static uint64_t routed_elements(const smoe_shape *shape, uint64_t pass_tokens)
{
    return pass_tokens * shape->desc.max_active * smoe_axis_width(&shape->desc, 'L');
}

/* Elements of the experts' rows without the shared expert's: the routed experts', then what latent_up gives. */
static uint64_t lifted_elements(const smoe_shape *shape, uint64_t pass_tokens)
{
    return add_part(routed_elements(shape, pass_tokens), shape->desc.d_latent > 0, pass_tokens * shape->desc.d_model);
}

/* All elements of the experts' rows: those, then the shared expert's. */
static uint64_t output_elements(const smoe_shape *shape, uint64_t pass_tokens)
{
    return add_part(lifted_elements(shape, pass_tokens), shape->desc.shared_hidden > 0,
                    pass_tokens * shape->desc.d_model);
}

/* What latent_down gives, then the sum. */
static uint64_t latent_elements(const smoe_shape *shape, uint64_t pass_tokens)
{
    const uint64_t one = pass_tokens * shape->desc.d_latent;
    return add_part(one, shape->desc.d_latent > 0, one);
}

static bool pass_fits(const smoe_device_info *info, const smoe_shape *shape, uint64_t pass_tokens)
{
    const smoe_plan_desc *desc = &shape->desc;
    const uint64_t limit = info->max_storage_buffer_range;
    return 4 * hidden_elements(shape, pass_tokens) <= limit && 4 * output_elements(shape, pass_tokens) <= limit &&
           4 * control_words(shape, pass_tokens) <= limit && 4 * latent_elements(shape, pass_tokens) <= limit &&
           4 * pass_tokens * SMOE_REPORT_STRIDE((uint64_t)desc->max_active) <= limit;
}

static bool within_budget(const smoe_shape *shape, uint64_t pass_tokens)
{
    return 4 * (control_words(shape, pass_tokens) + hidden_elements(shape, pass_tokens) +
                output_elements(shape, pass_tokens) + latent_elements(shape, pass_tokens)) <=
           WORKSPACE_BUDGET;
}

/* The most tokens whose buffers each fit a storage buffer range. Where that is fewer than max_tokens, every pass but
 * the last has the same count, and it must begin at an aligned place in x, y, the report and what is given. */
static smoe_result split_passes(const smoe_host *host, const smoe_device_info *info, smoe_shape *shape)
{
    const smoe_plan_desc *desc = &shape->desc;
    const uint32_t most = smoe_min_u32(desc->max_tokens, SMOE_MAX_PASS_TOKENS);
    uint32_t low = 0, high = most;
    while (low < high) {
        const uint32_t middle = high - (high - low) / 2;
        if (pass_fits(info, shape, middle) && within_budget(shape, middle))
            low = middle;
        else
            high = middle - 1;
    }
    uint32_t unit = 1;
    shape->pass_tokens = low;
    if (low < desc->max_tokens) {
        const uint64_t alignment = info->min_storage_buffer_offset_alignment;
        while ((4ull * unit * desc->d_model) % alignment ||
               (4ull * unit * SMOE_REPORT_STRIDE((uint64_t)desc->max_active)) % alignment ||
               (4ull * unit * desc->given_count) % alignment)
            unit *= 2; /* ends: alignment is a power of two, at most 256 */
        shape->pass_tokens = low / unit * unit;
        if (shape->pass_tokens == 0 && unit <= desc->max_tokens && pass_fits(info, shape, unit))
            shape->pass_tokens = unit;
    }
    if (shape->pass_tokens == 0)
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED,
                         "plan desc: max_tokens %u with max_active %u: not even one pass of the fewest tokens that "
                         "begin aligned, %u, fits "
                         "maxStorageBufferRange, %llu bytes",
                         desc->max_tokens, desc->max_active, unit, (unsigned long long)info->max_storage_buffer_range);
    return SMOE_SUCCESS;
}

/* Of the floor or addend; 0 where there is none. */
static float log_divisor(const smoe_plan_desc *desc)
{
    const float divisor = desc->renormalize_floor > 0 ? desc->renormalize_floor : desc->renormalize_add;
    return divisor > 0 ? (float)log((double)divisor) : 0;
}

/* A part's place behind so many elements of a region; where there is none, the region's end. */
static uint64_t part_offset(uint64_t offset, uint64_t size, bool there, uint64_t elements_before)
{
    return offset + (there ? 4 * smoe_part_begin(elements_before) : size);
}

static void lay_out_parts(smoe_shape *out)
{
    const smoe_plan_desc *desc = &out->desc;
    const uint64_t tokens = out->pass_tokens;
    const bool shared = desc->shared_hidden > 0, latent = desc->d_latent > 0;
    out->shared_gate_offset = 4 * out->control.shared_gate;
    out->shared_hidden_offset =
        part_offset(out->hidden_offset, out->hidden_size, shared, tokens * desc->max_active * desc->d_hidden);
    out->shared_rows_offset = part_offset(out->rows_offset, out->rows_size, shared, lifted_elements(out, tokens));
    out->lifted_rows_offset =
        latent ? part_offset(out->rows_offset, 0, true, routed_elements(out, tokens)) : out->shared_rows_offset;
    const uint64_t rows_end = out->rows_offset + out->rows_size;
    out->latent_size = 4 * latent_elements(out, tokens);
    out->latent_offset = latent ? smoe_align_up(rows_end, REGION_ALIGNMENT) : rows_end;
    out->latent_sum_offset = part_offset(out->latent_offset, 0, latent, tokens * desc->d_latent);
    out->workspace_size = out->latent_offset + out->latent_size;
}

smoe_result smoe_shape_init(const smoe_host *host, const smoe_device_info *info, const smoe_plan_desc *desc,
                            smoe_shape *out)
{
    smoe_result result = check_desc(host, desc);
    if (result != SMOE_SUCCESS)
        return result;
    *out = (smoe_shape){.desc = *desc};
    out->desc.min_tokens = smoe_max_u32(desc->min_tokens, 1);
    if (desc->max_active == 0)
        out->desc.max_active = desc->expert_count;
    if (desc->max_expected_active == 0)
        out->desc.max_expected_active = desc->top_k;
    if ((result = check_number(host, "max_expected_active", out->desc.max_expected_active, desc->top_k,
                               out->desc.max_active)) != SMOE_SUCCESS)
        return result;
    out->group_count = desc->group_count > 1 ? desc->group_count : 0;
    out->balanced_groups = desc->balanced_groups > 1 ? desc->balanced_groups : 0;
    out->matrix_experts = smoe_axis_width(desc, 'M');
    out->log_divisor = log_divisor(desc);
    if ((result = check_whole(host, info, out)) != SMOE_SUCCESS ||
        (result = split_ranges(host, info, out)) != SMOE_SUCCESS ||
        (result = split_passes(host, info, out)) != SMOE_SUCCESS)
        return result;
    out->range_pieces = (uint32_t)range_pieces(out, out->pass_tokens);
    out->control = control_layout(out, out->pass_tokens);
    out->control_size = 4 * out->control.words;
    out->hidden_offset = smoe_align_up(out->control_size, REGION_ALIGNMENT);
    out->hidden_size = 4 * hidden_elements(out, out->pass_tokens);
    out->rows_offset = smoe_align_up(out->hidden_offset + out->hidden_size, REGION_ALIGNMENT);
    out->rows_size = 4 * output_elements(out, out->pass_tokens);
    lay_out_parts(out);
    return SMOE_SUCCESS;
}

uint32_t smoe_shape_range_rows(const smoe_shape *shape, uint32_t max_active)
{
    return shape->desc.given_count > 0 ? max_active : smoe_min_u32(max_active, shape->range_experts);
}

uint32_t smoe_shape_range_expert_count(const smoe_shape *shape, uint32_t range)
{
    return smoe_min_u32(shape->range_experts, shape->matrix_experts - range * shape->range_experts);
}

uint32_t smoe_shape_pass_token_count(const smoe_shape *shape, uint32_t token_count, uint32_t pass)
{
    return smoe_min_u32(shape->pass_tokens, token_count - pass * shape->pass_tokens);
}
