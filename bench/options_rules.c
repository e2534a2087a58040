/* What the options must be together, and what follows where they say nothing. */
#include "options_rules.h"

#include "program/output.h"

const bench_preset bench_new_shape = {.name = "shape",
                                      .about = "from the command line",
                                      .plan = {.activation = SMOE_ACTIVATION_SILU, .renormalize = true}};

static bool refuse(const program_desc *program, const char *option, const char *rule)
{
    return program_refuse(program, option, NULL, rule);
}

/* --mixed-precision changes nothing for weights of a type that matrix units do not take. */
static bool may_be_mixed(const bench_options *options, int type)
{
    const smoe_plan_desc plan = {.types = SMOE_TYPES((smoe_type)type)};
    return !options->mixed_precision || smoe_select_precision(NULL, &plan) != SMOE_PRECISION_FLOAT32;
}

uint32_t bench_most_tokens(const program_counts *tokens)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < tokens->count; i++)
        most = tokens->values[i] > most ? tokens->values[i] : most;
    return most;
}

uint32_t bench_fewest_tokens(const program_counts *tokens)
{
    uint32_t fewest = UINT32_MAX;
    for (uint32_t i = 0; i < tokens->count; i++)
        fewest = tokens->values[i] < fewest ? tokens->values[i] : fewest;
    return fewest;
}

program_counts bench_tokens_of(const bench_options *options, const bench_preset *preset)
{
    program_counts own = {0};
    while (own.count < BENCH_MAX_TOKEN_COUNTS && preset->tokens[own.count] > 0) {
        own.values[own.count] = preset->tokens[own.count];
        own.count++;
    }
    return options->tokens.count > 0 ? options->tokens : own;
}

program_counts bench_caps_of(const bench_options *options, const bench_preset *preset)
{
    const uint32_t groups = preset->plan.balanced_groups > 1 ? preset->plan.balanced_groups : 1; /* share it evenly */
    const uint32_t room = (4 + groups - 1) / groups * groups, experts = preset->plan.expert_count;
    const uint32_t roomy = preset->plan.top_k + (options->hard_only ? 0 : room);
    return options->max_active.count > 0 ? options->max_active
                                         : (program_counts){.count = 1, .values = {roomy < experts ? roomy : experts}};
}

bool bench_takes_type(const bench_options *options, const bench_preset *preset, smoe_type type)
{
    return options->weights[type] || (options->published_weights && type == preset->published &&
                                      smoe_type_has_scales(type) && may_be_mixed(options, (int)type));
}

/* A layer of --route has experts as narrow as they can be: they do not run. */
#define ROUTE_WIDTH 256u

static bool add_route_shapes(const program_desc *program, bench_options *options)
{
    static const program_counts experts = {8, {8, 16, 32, 64, 128, 256, 512, 1024}}, top_k = {5, {1, 2, 4, 8, 16}};
    static const program_counts tokens = {6, {1, 8, 64, 512, 4096, 8192}};
    const program_counts *e = options->experts.count > 0 ? &options->experts : &experts;
    const program_counts *k = options->top_k.count > 0 ? &options->top_k : &top_k;
    if (options->tokens.count == 0)
        options->tokens = tokens;
    for (uint32_t i = 0; i < e->count * k->count; i++) {
        bench_preset shape = bench_new_shape;
        shape.name = "route";
        shape.plan.d_model = ROUTE_WIDTH;
        shape.plan.d_hidden = 1;
        shape.plan.expert_count = e->values[i / k->count];
        shape.plan.top_k = k->values[i % k->count];
        if (shape.plan.top_k > shape.plan.expert_count)
            continue;
        if (options->shape_count == BENCH_MAX_SHAPES)
            return refuse(program, "--experts", "and --top-k make more layers than fit into a run");
        options->shapes[options->shape_count++] = shape;
    }
    return options->shape_count > 0 || refuse(program, "--top-k", "must have a k up to one of --experts");
}

/* Routing alone needs no room for experts: those of a layer are as narrow as they can be. */
static void narrow_experts(bench_preset *layer)
{
    const smoe_plan_number *number;
    layer->plan.d_hidden = 1;
    layer->plan.shared_hidden = 0;
    layer->plan.shared_gate = false;
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (number->shared)
            smoe_plan_number_set(number, &layer->plan, 0.0f);
}

/* The layers that were named, for --route. */
static bool take_routers(const program_desc *program, bench_options *options)
{
    for (uint32_t i = 0; i < options->shape_count; i++)
        narrow_experts(&options->shapes[i]);
    for (size_t i = 0; i < bench_preset_count; i++) {
        if (!options->presets[i])
            continue;
        options->presets[i] = false;
        options->shapes[options->shape_count] = bench_presets[i];
        narrow_experts(&options->shapes[options->shape_count++]);
    }
    return options->shape_count > 0 || add_route_shapes(program, options);
}

/* Which layers. */
static bool complete_layers(const program_desc *program, bench_options *options)
{
    const bool lists = options->experts.count > 0 || options->top_k.count > 0;
    bool any_preset = false;
    for (size_t i = 0; i < bench_preset_count; i++)
        any_preset = any_preset || options->presets[i];
    if (options->shape_count > 0 && any_preset)
        return refuse(program, "--shape", "stands in place of presets: give either");
    if (lists && (!options->route || any_preset || options->shape_count > 0))
        return refuse(program, options->experts.count > 0 ? "--experts" : "--top-k",
                      "is for --route without --preset and --shape");
    for (size_t i = 0; i < bench_preset_count && options->shape_count == 0 && !options->route; i++)
        options->presets[i] = options->presets[i] || !any_preset;
    return !options->route || take_routers(program, options);
}

static bool complete_types(const program_desc *program, bench_options *options)
{
    bool any_type = false;
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        any_type = any_type || options->weights[type];
    options->published_weights = !any_type && !options->route;
    for (int type = 0; type < BENCH_TYPE_COUNT; type++) {
        /* The router's own weights are float32 whatever the experts' are. */
        const bool chosen = options->route ? type == SMOE_TYPE_FLOAT32
                                           : may_be_mixed(options, type) && !smoe_type_has_scales((smoe_type)type);
        options->weights[type] = options->weights[type] || (!any_type && chosen);
        if (options->weights[type] && !may_be_mixed(options, type))
            return refuse(program, "--mixed-precision",
                          "is for weights of 16 bits or with scales, not for --weights f32");
    }
    return true;
}

/* What excludes one another. */
static bool check_together(const program_desc *program, const bench_options *options)
{
    const bool bands = options->eps.count > 0 || options->group_eps.count > 0;
    const char *band = options->eps.count > 0 ? "--eps" : "--group-eps";
    if (program_is_stdout(options->dump))
        return refuse(program, "--dump", "is written again for each row: give a file's name");
    if (options->dump && options->route)
        return refuse(program, "--dump", "is for whole layers: --route has no y");
    if (options->hard_only && bands)
        return refuse(program, band, "is for the smooth run, which --hard leaves out");
    if (options->hard_only && options->expected_active.count > 0)
        return refuse(program, "--expected-active", "is for the smooth run, which --hard leaves out");
    for (uint32_t i = 0; i < options->eps.count; i++)
        if (!(options->eps.values[i] > 0))
            return refuse(program, "--eps", "must be above 0: the smooth run needs a band");
    for (uint32_t i = 0; i < options->group_eps.count; i++)
        if (!(options->group_eps.values[i] > 0))
            return refuse(program, "--group-eps", "must be above 0: the smooth run needs a band");
    if (options->mixed_precision && options->totals)
        return refuse(program, "--mixed-precision", "excludes --totals: one thing is timed with and without");
    return !options->mixed_precision || !options->route ||
           refuse(program, "--mixed-precision", "is for experts: --route has none");
}

/* Caps and expected experts that each layer can have. */
static bool check_counts(const program_desc *program, const bench_options *options, const bench_preset *layer)
{
    const program_counts caps = bench_caps_of(options, layer);
    for (uint32_t i = 0; i < caps.count; i++) {
        if (caps.values[i] < layer->plan.top_k || caps.values[i] > layer->plan.expert_count)
            return program_refuse(program, "--max-active", layer->name,
                                  "must lie between k and the number of experts of each layer");
        if (layer->plan.balanced_groups > 1 && caps.values[i] % layer->plan.balanced_groups != 0)
            return program_refuse(program, "--max-active", layer->name,
                                  "must be a multiple of the balanced groups of each layer");
        for (uint32_t k = 0; k < options->expected_active.count; k++) {
            const uint32_t expected = options->expected_active.values[k];
            if (expected < layer->plan.top_k || expected > caps.values[i])
                return program_refuse(program, "--expected-active", layer->name,
                                      "must lie between k and the most experts that may run for a token of each layer");
        }
    }
    return true;
}

static bool all_gated(const bench_options *options)
{
    for (uint32_t i = 0; i < options->shape_count; i++)
        if (!options->shapes[i].plan.gated)
            return false;
    return options->shape_count > 0;
}

/* What the options must be together, and what follows where they say nothing. */
bool bench_complete_options(const program_desc *program, bench_options *options)
{
    if (!complete_layers(program, options) || !complete_types(program, options))
        return false;
    if (options->peer_data && !all_gated(options))
        return refuse(program, "--peer-data", "needs --shape E,k,D,H,T,gated: the peer's program has no other layers");
    for (size_t i = 0; i < bench_preset_count; i++)
        if (options->presets[i] && !check_counts(program, options, &bench_presets[i]))
            return false;
    for (uint32_t i = 0; i < options->shape_count; i++)
        if (!check_counts(program, options, &options->shapes[i]))
            return false;
    return check_together(program, options);
}
