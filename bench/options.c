/* The command line. */
#include "bench.h"
#include "program/output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A whole number at *text, which moves behind it. */
static bool read_count(const char **text, uint32_t largest, uint32_t *out)
{
    const size_t digits = strspn(*text, "0123456789");
    if (digits < 1 || digits > 9)
        return false;
    const unsigned long number = strtoul(*text, NULL, 10);
    *text += digits;
    *out = (uint32_t)number;
    return number >= 1 && number <= largest;
}

static const bench_preset new_shape = {.name = "shape", .about = "from the command line",
                                       .plan = {.activation = SMOE_ACTIVATION_SILU, .renormalize = true}};

/* E,k,D,H,T[,gated]: in the order of the peer's program. */
static bool set_shape(const program_option *option, const char *value, void *to, char rule[PROGRAM_RULE_SIZE])
{
    bench_options *options = to;
    bench_preset shape = new_shape;
    smoe_plan_desc *plan = &shape.plan;
    const struct {
        uint32_t *field, largest;
    } fields[] = {{&plan->expert_count, SMOE_MAX_EXPERTS},
                  {&plan->top_k, SMOE_MAX_EXPERTS},
                  {&plan->d_model, SMOE_MAX_WIDTH},
                  {&plan->d_hidden, SMOE_MAX_WIDTH},
                  {&shape.tokens[0], SMOE_MAX_TOKENS}};
    const char *at = value;

    (void)option;
    snprintf(rule, PROGRAM_RULE_SIZE, "must be given %d times at most", BENCH_MAX_SHAPES);
    if (options->shape_count == BENCH_MAX_SHAPES)
        return false;
    snprintf(rule, PROGRAM_RULE_SIZE,
             "must be E,k,D,H,T or E,k,D,H,T,gated with 1 <= k <= E <= %u, D and H up to %u, T up to %u",
             SMOE_MAX_EXPERTS, SMOE_MAX_WIDTH, SMOE_MAX_TOKENS);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if ((i > 0 && *at++ != ',') || !read_count(&at, fields[i].largest, fields[i].field))
            return false;
    plan->gated = strcmp(at, ",gated") == 0;
    if ((*at && !plan->gated) || plan->top_k > plan->expert_count)
        return false;
    options->shapes[options->shape_count++] = shape;
    return true;
}

static const char *preset_name(int index)
{
    return (size_t)index < bench_preset_count ? bench_presets[index].name : NULL;
}

static const program_names presets = {.name = preset_name};

static const char *format_name(int index)
{
    static const char *const names[] = {"table", "csv", "md", "jsonl"};
    return (size_t)index < sizeof names / sizeof *names ? names[index] : NULL;
}

const program_names bench_formats = {.name = format_name};

static const program_option option_rows[] = {
    PROGRAM_HEADING("what is timed:"),
    {"--list", NULL, "print the presets, and time nothing", PROGRAM_FLAG(bench_options, list)},
    {"--preset", "NAME,NAME", "only these", PROGRAM_SET(bench_options, presets, &presets)},
    {"--shape", "E,k,D,H,T[,gated]",
     "a layer of your own in place of the presets: silu, renormalised, no biases; may stand several times",
     PROGRAM_OTHER(set_shape)},
    {"--route", NULL, "only the routing, with its report; without --preset and --shape over --experts and --top-k",
     PROGRAM_FLAG(bench_options, route)},
    {"--tokens", "T,T", "in place of the preset's own", PROGRAM_COUNTS(bench_options, tokens, 1, SMOE_MAX_TOKENS)},
    {"--weights", "TYPE,TYPE", "only these", PROGRAM_SET(bench_options, weights, &program_types)},
    {"--hard", NULL, "hard routing only", PROGRAM_FLAG(bench_options, hard_only)},
    {"--max-active", "A,A", "most experts that may run for a token [k + 4]",
     PROGRAM_COUNTS(bench_options, max_active, 1, SMOE_MAX_EXPERTS)},
    {"--expected-active", "A,A",
     "experts that a token of the smooth run is expected to run: its tiles are chosen for so many [k]",
     PROGRAM_COUNTS(bench_options, expected_active, 1, SMOE_MAX_EXPERTS)},
    {"--eps", "X,X", "the smooth run's band width [half an extra expert per token]",
     PROGRAM_FORWARDS(bench_options, eps)},
    {"--group-eps", "X,X", "its band width for groups of experts [eps as it would be with hard groups]",
     PROGRAM_FORWARDS(bench_options, group_eps)},
    {"--experts", "E,E", "of --route [8:1024*2]", PROGRAM_COUNTS(bench_options, experts, 1, SMOE_MAX_EXPERTS)},
    {"--top-k", "K,K", "of --route, as far as there are experts [1:16*2]",
     PROGRAM_COUNTS(bench_options, top_k, 1, SMOE_MAX_EXPERTS)},
    {"--totals", NULL, "forwards add to totals; hard ones are timed without them too (twice the weights)",
     PROGRAM_FLAG(bench_options, totals)},
    {"--mixed-precision", NULL,
     "f16 and bf16: inputs may be rounded too; hard ones are timed without that too (twice the weights)",
     PROGRAM_FLAG(bench_options, mixed_precision)},
    PROGRAM_HEADING("how:"),
    {"--device", "N|NAME|UUID", "which device, smoe-devices lists them, or all; may stand several times [best]",
     PROGRAM_TEXTS(bench_options, devices)},
    {"--seconds", "S", "time for each row at most; three forwards at least",
     PROGRAM_NUMBER(bench_options, seconds, 0, 3600), .above = true, .fallback = "1"},
    {"--error", "X", "a row is over once its medians are this certain: their standard error over the median",
     PROGRAM_NUMBER(bench_options, error, 0, 1), .fallback = "0.01"},
    {"--repeat", "N", "N forwards each, however long they take; the peak's kernels run N times too, 24 at most",
     PROGRAM_COUNT(bench_options, repeat, 1, 100000)},
    {"--memory", "SHARE", "the part of the device's memory that may be used",
     PROGRAM_NUMBER(bench_options, memory, 0, 1), .above = true, .fallback = "0.6"},
    {"--mask", "BITS,BITS", "capabilities to do without, SMOE_CAPABILITY_* of smoe.h; 0: none; 4: subgroup shuffle",
     PROGRAM_COUNTS(bench_options, masks, 0, SMOE_CAPABILITY_ALL)},
    {"--no-peak", NULL, "do not measure the device's own peak", PROGRAM_FLAG(bench_options, no_peak)},
    {"--validate", NULL, "run under the validation layers; any message fails", PROGRAM_FLAG(bench_options, validate)},
    {"--format", "NAME", "what is shown, a row at a time", PROGRAM_NAME(bench_options, format, &bench_formats),
     .fallback = "table"},
    {"--json", "FILE|-", "the results as JSON; with -, what is shown goes to stderr",
     PROGRAM_TEXT(bench_options, json)},
    {"--peer-data", NULL, "fill a gated --shape as the peer's program does (peer.py)",
     PROGRAM_FLAG(bench_options, peer_data)},
    {"--dump", "FILE", "write the last row's hard y, raw float32", PROGRAM_TEXT(bench_options, dump)},
};

static const program_desc description = {
    .name = "smoe-bench",
    .about = "Times smooth mixture-of-experts layers on a Vulkan device, stage by stage, hard against smooth routing.",
    .usage = {"[options]", "compare [options] RESULTS.json...", "compare --help"},
    .tables = {PROGRAM_TABLE(option_rows)},
    .details = "Lists are of values and ranges, 1,8,64:8192*2 or 1:16+5, and rows are timed for each combination.\n"
               "Ctrl-C ends the measuring: what is measured is kept.\n\n"
               "Exit status: 0, with unsupported rows too; 1 if the device, validation or writing failed, or it was "
               "interrupted;\n2 for a wrong command line, or an output that may not be written.",
};

static bool refuse(const char *option, const char *rule)
{
    return program_refuse(&description, option, NULL, rule);
}

/* --mixed-precision changes nothing for weights of a type that matrix units do not take. */
static bool may_be_mixed(const bench_options *options, int type)
{
    return !options->mixed_precision || smoe_type_precision((smoe_type)type) != SMOE_PRECISION_FLOAT32;
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
    const uint32_t roomy = preset->plan.top_k + (options->hard_only ? 0 : 4), experts = preset->plan.expert_count;
    return options->max_active.count > 0
               ? options->max_active
               : (program_counts){.count = 1, .values = {roomy < experts ? roomy : experts}};
}

/* A layer of --route has experts as narrow as they can be: they do not run. */
#define ROUTE_WIDTH 256u

static bool add_route_shapes(bench_options *options)
{
    static const program_counts experts = {8, {8, 16, 32, 64, 128, 256, 512, 1024}}, top_k = {5, {1, 2, 4, 8, 16}};
    static const program_counts tokens = {6, {1, 8, 64, 512, 4096, 8192}};
    const program_counts *e = options->experts.count > 0 ? &options->experts : &experts;
    const program_counts *k = options->top_k.count > 0 ? &options->top_k : &top_k;
    if (options->tokens.count == 0)
        options->tokens = tokens;
    for (uint32_t i = 0; i < e->count * k->count; i++) {
        bench_preset shape = new_shape;
        shape.name = "route";
        shape.plan.d_model = ROUTE_WIDTH;
        shape.plan.d_hidden = 1;
        shape.plan.expert_count = e->values[i / k->count];
        shape.plan.top_k = k->values[i % k->count];
        if (shape.plan.top_k > shape.plan.expert_count)
            continue;
        if (options->shape_count == BENCH_MAX_SHAPES)
            return refuse("--experts", "and --top-k make more layers than fit into a run");
        options->shapes[options->shape_count++] = shape;
    }
    return options->shape_count > 0 || refuse("--top-k", "must have a k up to one of --experts");
}

/* Which layers. */
static bool complete_layers(bench_options *options)
{
    const bool lists = options->experts.count > 0 || options->top_k.count > 0;
    bool any_preset = false;
    for (size_t i = 0; i < bench_preset_count; i++)
        any_preset = any_preset || options->presets[i];
    if (options->shape_count > 0 && any_preset)
        return refuse("--shape", "stands in place of presets: give either");
    if (lists && (!options->route || any_preset || options->shape_count > 0))
        return refuse(options->experts.count > 0 ? "--experts" : "--top-k",
                      "is for --route without --preset and --shape");
    for (size_t i = 0; i < bench_preset_count && options->shape_count == 0 && !options->route; i++)
        options->presets[i] = options->presets[i] || !any_preset;
    return any_preset || options->shape_count > 0 || !options->route || add_route_shapes(options);
}

static bool complete_types(bench_options *options)
{
    bool any_type = false;
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        any_type = any_type || options->weights[type];
    for (int type = 0; type < BENCH_TYPE_COUNT; type++) {
        /* The router's own weights are float32 whatever the experts' are. */
        const bool chosen = options->route ? type == SMOE_TYPE_FLOAT32 : may_be_mixed(options, type);
        options->weights[type] = options->weights[type] || (!any_type && chosen);
        if (options->weights[type] && !may_be_mixed(options, type))
            return refuse("--mixed-precision", "is for 16-bit weights: --weights f16 or bf16");
    }
    return true;
}

/* What excludes one another. */
static bool check_together(const bench_options *options)
{
    const bool bands = options->eps.count > 0 || options->group_eps.count > 0;
    const char *band = options->eps.count > 0 ? "--eps" : "--group-eps";
    if (program_is_stdout(options->dump))
        return refuse("--dump", "is written again for each row: give a file's name");
    if (options->dump && options->route)
        return refuse("--dump", "is for whole layers: --route has no y");
    if (options->hard_only && bands)
        return refuse(band, "is for the smooth run, which --hard leaves out");
    if (options->hard_only && options->expected_active.count > 0)
        return refuse("--expected-active", "is for the smooth run, which --hard leaves out");
    for (uint32_t i = 0; i < options->eps.count; i++)
        if (!(options->eps.values[i] > 0))
            return refuse("--eps", "must be above 0: the smooth run needs a band");
    for (uint32_t i = 0; i < options->group_eps.count; i++)
        if (!(options->group_eps.values[i] > 0))
            return refuse("--group-eps", "must be above 0: the smooth run needs a band");
    if (options->mixed_precision && options->totals)
        return refuse("--mixed-precision", "excludes --totals: one thing is timed with and without");
    return !options->mixed_precision || !options->route ||
           refuse("--mixed-precision", "is for experts: --route has none");
}

/* Caps and expected experts that each layer can have. */
static bool check_counts(const bench_options *options, const bench_preset *layer)
{
    const program_counts caps = bench_caps_of(options, layer);
    for (uint32_t i = 0; i < caps.count; i++) {
        if (caps.values[i] < layer->plan.top_k || caps.values[i] > layer->plan.expert_count)
            return program_refuse(&description, "--max-active", layer->name,
                                  "must lie between k and the number of experts of each layer");
        for (uint32_t k = 0; k < options->expected_active.count; k++) {
            const uint32_t expected = options->expected_active.values[k];
            if (expected < layer->plan.top_k || expected > caps.values[i])
                return program_refuse(&description, "--expected-active", layer->name,
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
static bool complete(bench_options *options)
{
    if (!complete_layers(options) || !complete_types(options))
        return false;
    if (options->peer_data && !all_gated(options))
        return refuse("--peer-data", "needs --shape E,k,D,H,T,gated: the peer's program has no other layers");
    for (size_t i = 0; i < bench_preset_count; i++)
        if (options->presets[i] && !check_counts(options, &bench_presets[i]))
            return false;
    for (uint32_t i = 0; i < options->shape_count; i++)
        if (!check_counts(options, &options->shapes[i]))
            return false;
    return check_together(options);
}

/* A file's name says where its user keeps files. */
static const char *hide_file(char *word, bool *is_next)
{
    static const char *const names[] = {"--json", "--dump"};
    if (*is_next) {
        *is_next = false;
        return "FILE";
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t size = strlen(names[i]);
        if (strcmp(word, names[i]) == 0)
            *is_next = true;
        if (strncmp(word, names[i], size) == 0 && word[size] == '=')
            return i == 0 ? "--json=FILE" : "--dump=FILE";
    }
    return word;
}

static bool keep_words(bench_options *options, int count, char **arguments)
{
    bool is_next = false;
    options->words = calloc((size_t)count, sizeof *options->words);
    for (int i = 1; options->words && i < count; i++) {
        const char *word = hide_file(arguments[i], &is_next);
        const size_t size = strlen(word) + 1;
        char *copy = malloc(size);
        if (!copy)
            return false;
        memcpy(copy, word, size);
        options->words[options->word_count++] = copy;
    }
    return options->words != NULL;
}

void bench_free_options(bench_options *options)
{
    for (uint32_t i = 0; i < options->word_count; i++)
        free(options->words[i]);
    free(options->words);
}

bool bench_parse_options(int count, char **arguments, bench_options *options, int *status)
{
    program_line line;
    memset(options, 0, sizeof *options);
    const bool read = program_read(&description, count, arguments, options, &line);
    *status = line.status;
    if (!read)
        return false;
    *status = PROGRAM_REFUSED;
    if (!options->list && !complete(options))
        return false;
    *status = PROGRAM_FAILED;
    return keep_words(options, count, arguments) || refuse("the command line", "no memory for it");
}
