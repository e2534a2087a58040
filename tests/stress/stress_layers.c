/* Which layers there are: every choice that a plan or a call has, widths and counts small, with the values at which
 * something changes among them. */
#include <math.h>

#include "common/block_widths.h"
#include "common/random.h"
#include "stress.h"

#define PICK(random, ...)                                                                                              \
    ((const float[]){__VA_ARGS__})[test_random_below(random, sizeof((const float[]){__VA_ARGS__}) / sizeof(float))]

/* What keeps a pair at some milliseconds: the weights to make, and the multiplications. A block of w1 times one of w2
 * is WIDEST_BLOCKS at most, or there may be more (more_of). */
enum { MOST_WEIGHTS = 40000, MOST_WORK = 80000, MOST_TOKENS = 300, EDGE = 16, WIDEST_BLOCKS = 8192 };

static bool one_of(test_random *random, uint32_t count)
{
    return test_random_below(random, count) == 0;
}

/* 1 .. most: half of them below a root of it. */
static uint32_t size_up_to(test_random *random, uint32_t most)
{
    const float power = test_random_uniform(random, 0, logf((float)most + 1));
    const uint32_t size = (uint32_t)expf(power);
    return size < 1 ? 1 : size > most ? most : size;
}

/* Tiles and subgroups end at powers of two: every third width is one, or one off. */
static uint32_t width_up_to(test_random *random, uint32_t most)
{
    const uint32_t size = size_up_to(random, most);
    if (!one_of(random, 3))
        return size;
    uint32_t power = 1;
    while (2 * power <= size)
        power *= 2;
    power = power + test_random_below(random, 3) - 1;
    return power < 1 ? 1 : power;
}

static uint32_t count_names(const char *(*name)(int))
{
    uint32_t count = 0;
    while (name((int)count))
        count++;
    return count;
}

static const char *activation_name(int i)
{
    return smoe_activation_name((smoe_activation)i);
}

static const char *gate_name(int i)
{
    return smoe_gate_name((smoe_gate)i);
}

static void choose_groups(test_random *random, layer_case *shape)
{
    const uint32_t E = shape->expert_count;
    uint32_t groups = size_up_to(random, E);
    while (E % groups)
        groups--;
    if (groups < 2)
        return;
    const uint32_t size = E / groups, least = (shape->top_k + size - 1) / size; /* as many hold k experts */
    shape->group_count = groups;
    shape->top_groups = least + test_random_below(random, groups - least + 1);
}

static smoe_type some_type(test_random *random)
{
    return (smoe_type)test_random_below(random, test_type_count());
}

/* One for all matrices, or of each its own. */
static void choose_types(test_random *random, layer_case *shape)
{
    if (one_of(random, 2)) {
        shape->weight_type = some_type(random);
        shape->types = (smoe_matrix_types)SMOE_TYPES(shape->weight_type);
        return;
    }
    shape->types.up = some_type(random);
    shape->types.down = some_type(random);
    shape->types.shared_up = some_type(random);
    shape->types.shared_down = some_type(random);
    shape->types.latent_down = some_type(random);
    shape->types.latent_up = some_type(random);
}

/* Sometimes one that every matrix may have. */
static void choose_precision(test_random *random, layer_case *shape)
{
    const smoe_type types[] = {shape->types.up,          shape->types.down,        shape->types.shared_up,
                               shape->types.shared_down, shape->types.latent_down, shape->types.latent_up};
    const smoe_precision precision = PICK(random, SMOE_PRECISION_FLOAT16, SMOE_PRECISION_BFLOAT16);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!smoe_type_has_scales(types[i]) && smoe_type_precision(types[i]) != precision)
            return;
    shape->precision = precision;
}

static void fit_widths(layer_case *shape)
{
    test_blocks_fit(&shape->types, TEST_WIDTHS(shape));
}

/* How much more than usual a layer may have, so that the widest blocks leave it several experts and tokens. */
static uint32_t more_of(const layer_case *shape)
{
    layer_case least = {.types = shape->types, .d_model = 1, .d_hidden = 1};
    fit_widths(&least);
    const uint32_t more = least.d_model * least.d_hidden / WIDEST_BLOCKS;
    return more < 1 ? 1 : more;
}

static uint32_t up_to_multiple(uint32_t count, uint32_t of)
{
    return (count + of - 1) / of * of;
}

static void choose_balanced_groups(test_random *random, layer_case *shape)
{
    uint32_t groups = size_up_to(random, shape->expert_count);
    while (shape->expert_count % groups)
        groups--;
    shape->balanced_groups = groups;
    shape->top_k = up_to_multiple(shape->top_k, groups);
    shape->max_active = up_to_multiple(shape->max_active, groups);
}

/* A token's multiplications, as tiles that are not full have them too: the experts' and the router's. */
static uint32_t work_of(const layer_case *shape)
{
    const uint32_t cap = shape->max_active ? shape->max_active : shape->expert_count;
    return (shape->d_model + EDGE) * (cap * (shape->d_hidden + EDGE) + shape->expert_count);
}

static void choose_sizes(test_random *random, layer_case *shape)
{
    const uint32_t more = more_of(shape);
    do {
        const uint32_t widest = one_of(random, 6) ? 260 : 80;
        shape->expert_count = one_of(random, 12) ? 64 + size_up_to(random, 960) : size_up_to(random, 64);
        shape->d_model = width_up_to(random, widest);
        shape->d_hidden = width_up_to(random, widest);
        fit_widths(shape);
        shape->top_k = size_up_to(random, shape->expert_count);
        shape->max_active =
            one_of(random, 4) ? 0 : shape->top_k + size_up_to(random, shape->expert_count - shape->top_k + 1) - 1;
    } while (shape->expert_count * shape->d_model * shape->d_hidden > more * MOST_WEIGHTS ||
             work_of(shape) > more * MOST_WORK);
    const uint32_t most = more * MOST_WORK / work_of(shape);
    shape->tokens = size_up_to(random, most > MOST_TOKENS ? MOST_TOKENS : most);
    if (one_of(random, 5))
        shape->max_tokens = shape->tokens + test_random_below(random, shape->tokens + 1);
}

/* Any of a gated expert's numbers: some far from what sums are, some amid them. */
static void choose_numbers(test_random *random, layer_case *shape)
{
    float *const limits[] = {&shape->gate_max, &shape->up_limit, &shape->gate_limit_after};
    float *const shared[] = {&shape->shared_gate_max, &shape->shared_up_limit, &shape->shared_gate_limit_after};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        *limits[i] = PICK(random, 0, 0, 1e-30f, 0.25f, 1, 7, 1e30f);
        *shared[i] = shape->shared_hidden ? PICK(random, 0, 0, 1e-30f, 0.25f, 1, 7, 1e30f) : 0;
    }
    shape->up_offset = PICK(random, 0, 0, 1, -0.5f, 3);
    if (shape->activation == SMOE_ACTIVATION_SILU)
        shape->gate_alpha = PICK(random, 0, 1, 1.702f, 0.125f, 20);
}

/* Below, near and above what gates add up to. */
static void choose_divisor(test_random *random, layer_case *shape)
{
    const float divisor = PICK(random, 0, 1e-30f, 1e-20f, 1e-6f, 0.25f, 1, 30, 1e30f);
    if (shape->gate == SMOE_GATE_SOFTMAX || shape->keep_softmax)
        return;
    if (one_of(random, 2))
        shape->renormalize_floor = divisor;
    else
        shape->renormalize_add = divisor;
}

static void choose_given(test_random *random, layer_case *shape)
{
    const uint32_t cap = shape->max_active ? shape->max_active : shape->expert_count;
    if (!one_of(random, 5))
        return;
    shape->given_count = shape->top_k + test_random_below(random, cap - shape->top_k + 1);
    shape->given_weights = one_of(random, 2);
    shape->given = (given_kind)test_random_below(random, GIVEN_BAD + 1);
}

layer_case stress_plan(uint64_t seed, uint32_t plan)
{
    test_random stream = test_random_make(seed, 2 * (uint64_t)plan), *random = &stream;
    layer_case shape = {.name = "random", .gated = one_of(random, 2), .keep_softmax = one_of(random, 4)};
    choose_types(random, &shape);
    choose_sizes(random, &shape);
    shape.activation = (smoe_activation)test_random_below(random, count_names(activation_name));
    shape.gated |= shape.activation == SMOE_ACTIVATION_SWIGLU_CLAMPED;
    choose_precision(random, &shape);
    if (one_of(random, 3)) {
        shape.router = SMOE_ROUTER_COSINE;
        /* Vectors of 1 or 2 numbers are often parallel: only roundings would tell such experts apart. */
        shape.projection_width = width_up_to(random, 200);
        if (shape.expert_count > 2 && shape.projection_width < 3)
            shape.projection_width += 2;
    }
    shape.gate = one_of(random, 2) ? SMOE_GATE_SOFTMAX : (smoe_gate)test_random_below(random, count_names(gate_name));
    if (one_of(random, 3))
        choose_groups(random, &shape);
    else if (one_of(random, 4))
        choose_balanced_groups(random, &shape);
    choose_given(random, &shape);
    if (shape.expert_count > 1 && one_of(random, 4))
        shape.zero_experts = size_up_to(random, shape.expert_count - 1);
    shape.group_score = (smoe_group_score)test_random_below(random, 2);
    shape.expert_scale = one_of(random, 4);
    choose_divisor(random, &shape);
    shape.weighted_input = shape.gate == SMOE_GATE_SIGMOID && shape.keep_softmax && shape.zero_experts == 0 &&
                           one_of(random, 2);
    if (one_of(random, 4)) {
        shape.d_latent = width_up_to(random, 100);
        fit_widths(&shape);
    }
    if (one_of(random, 3)) {
        shape.shared_hidden = width_up_to(random, 100);
        fit_widths(&shape);
        shape.shared_gate = one_of(random, 2);
    }
    if (shape.gated && shape.activation != SMOE_ACTIVATION_SWIGLU_CLAMPED && one_of(random, 2))
        choose_numbers(random, &shape);
    return shape;
}

/* Bands as wide as the distances of scores are, and narrower and wider ones. The narrowest make sense with exact
 * numbers only: any rounding there is a whole band. */
static float choose_band(test_random *random, const layer_case *shape, bool exact)
{
    if (one_of(random, 4))
        return 0;
    if (one_of(random, 8))
        return exact ? PICK(random, 1e-30f, 1e30f) : 1e30f;
    static const float sizes[] = {[SMOE_GATE_SOFTMAX] = 1,
                                  [SMOE_GATE_SIGMOID] = 0.2f,
                                  [SMOE_GATE_SQRT_SOFTPLUS] = 0.3f,
                                  [SMOE_GATE_SOFTMAX_BIAS] = 0.05f};
    const float larger = shape->gate == SMOE_GATE_SOFTMAX ? 200 : 20;
    const float size = sizes[shape->gate] * (shape->logits == LOGITS_LARGE ? larger : 1);
    return size * expf(test_random_uniform(random, -3, 1.5f));
}

static void choose_mask(test_random *random, layer_case *shape)
{
    static const float exponents[][2] = {{2, 2}, {1, 1}, {0.5f, 3}, {1.75f, 33.3f}, {20, 20}, {1024, 1024}};
    if (!one_of(random, 3))
        return;
    const uint32_t i = test_random_below(random, sizeof exponents / sizeof exponents[0]);
    shape->a = exponents[i][0];
    shape->b = exponents[i][1];
}

/* Sigmoids of thousands are all 1, and all probabilities but one 0: a rounding decides between them, and no result is
 * wrong. */
static void choose_logits(test_random *random, layer_case *shape)
{
    do
        shape->logits =
            (logits_kind)(one_of(random, 2) ? LOGITS_RANDOM : (int)test_random_below(random, LOGITS_KIND_COUNT));
    while (shape->logits == LOGITS_LARGE &&
           (shape->gate == SMOE_GATE_SIGMOID || shape->gate == SMOE_GATE_SOFTMAX_BIAS));
    if (shape->logits == LOGITS_TIED)
        shape->tied_experts = 1 + test_random_below(random, shape->expert_count);
    shape->log_scale = PICK(random, 0, 0, -3, 1, 2, 6);
}

void stress_values(uint64_t seed, uint32_t plan, uint32_t values, layer_case *shape)
{
    test_random stream = test_random_make(seed, 2 * (uint64_t)plan + 1), *random = &stream;
    stream = test_random_make(test_random_bits(random), values);
    choose_logits(random, shape);
    const bool exact = case_has_exact_logits(shape) && shape->gate == SMOE_GATE_SOFTMAX;
    shape->eps = choose_band(random, shape, exact);
    shape->group_eps = shape->group_count ? choose_band(random, shape, exact) : 0;
    choose_mask(random, shape);
    const bool has_temperature = shape->gate == SMOE_GATE_SOFTMAX && one_of(random, 3);
    shape->temperature = has_temperature ? PICK(random, 0.25f, 7, 1.5f) : 0;
    if (exact && one_of(random, 10))
        shape->temperature = PICK(random, 1e-30f, 1e30f);
    shape->scale = PICK(random, 0, 0, 2.5f, -0.5f);
    shape->tie_tolerance = PICK(random, 0, 0, 1e-3f, 0.125f, 3);
    shape->biases = one_of(random, 3) ? BIAS_ALL : test_random_below(random, BIAS_ALL + 1);
    if (shape->logits >= LOGITS_SATURATED && !shape->weighted_input && shape->gate != SMOE_GATE_SOFTMAX)
        shape->biases |= BIAS_SELECTION; /* tells apart those that have vanished */
    shape->loud = one_of(random, 4) ? 4 : 1;
    const uint32_t cap = shape->max_active ? shape->max_active : shape->expert_count;
    const uint32_t least = shape->given_count > 0 ? shape->given_count : shape->top_k;
    if (one_of(random, 3))
        shape->call_active = least + test_random_below(random, cap - least + 1);
    if (shape->balanced_groups > 1)
        shape->call_active = up_to_multiple(shape->call_active, shape->balanced_groups);
    if (shape->max_tokens)
        shape->tokens = 1 + test_random_below(random, shape->max_tokens);
}
