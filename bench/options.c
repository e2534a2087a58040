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

/* E,k,D,H,T[,gated]: in the order of the peer's program. */
static bool set_shape(const program_option *option, const char *value, void *to, char rule[PROGRAM_RULE_SIZE])
{
    bench_options *options = to;
    smoe_plan_desc plan = {.activation = SMOE_ACTIVATION_SILU, .renormalize = true};
    const struct {
        uint32_t *field, largest;
    } fields[] = {{&plan.expert_count, SMOE_MAX_EXPERTS},
                  {&plan.top_k, SMOE_MAX_EXPERTS},
                  {&plan.d_model, SMOE_MAX_WIDTH},
                  {&plan.d_hidden, SMOE_MAX_WIDTH},
                  {&options->shape.tokens[0], SMOE_MAX_TOKENS}};
    const char *at = value;

    (void)option;
    snprintf(rule, PROGRAM_RULE_SIZE,
             "must be E,k,D,H,T or E,k,D,H,T,gated with 1 <= k <= E <= %u, D and H up to %u, T up to %u",
             SMOE_MAX_EXPERTS, SMOE_MAX_WIDTH, SMOE_MAX_TOKENS);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if ((i > 0 && *at++ != ',') || !read_count(&at, fields[i].largest, fields[i].field))
            return false;
    plan.gated = strcmp(at, ",gated") == 0;
    if ((*at && !plan.gated) || plan.top_k > plan.expert_count)
        return false;
    options->has_shape = true;
    options->shape.name = "shape";
    options->shape.about = "from the command line";
    options->shape.plan = plan;
    return true;
}

static const char *preset_name(int index)
{
    return (size_t)index < bench_preset_count ? bench_presets[index].name : NULL;
}

static const program_names presets = {.name = preset_name};

static const program_option option_rows[] = {
    PROGRAM_HEADING("what is timed:"),
    {"--list", NULL, "print the presets, and time nothing", PROGRAM_FLAG(bench_options, list)},
    {"--preset", "NAME", "only this one; may stand several times", PROGRAM_SET(bench_options, presets, &presets)},
    {"--shape", "E,k,D,H,T[,gated]", "a layer of your own in place of the presets: silu, renormalised, no biases",
     PROGRAM_OTHER(set_shape)},
    {"--tokens", "T", "in place of the preset's own", PROGRAM_COUNT(bench_options, tokens, 1, SMOE_MAX_TOKENS)},
    {"--weights", "TYPE", "only these; may stand several times", PROGRAM_SET(bench_options, weights, &program_types)},
    {"--hard", NULL, "hard routing only", PROGRAM_FLAG(bench_options, hard_only)},
    {"--max-active", "A", "most experts that may run for a token [k + 4]",
     PROGRAM_COUNT(bench_options, max_active, 1, SMOE_MAX_EXPERTS)},
    {"--expected-active", "A",
     "experts that a token of the smooth run is expected to run: its tiles are chosen for so many [k]",
     PROGRAM_COUNT(bench_options, expected_active, 1, SMOE_MAX_EXPERTS)},
    {"--eps", "X", "the smooth run's band width [half an extra expert per token]", PROGRAM_FORWARD(bench_options, eps)},
    {"--group-eps", "X", "its band width for groups of experts [eps as it would be with hard groups]",
     PROGRAM_FORWARD(bench_options, group_eps)},
    {"--totals", NULL, "forwards add to totals; hard ones are timed without them too (twice the weights)",
     PROGRAM_FLAG(bench_options, totals)},
    {"--mixed-precision", NULL,
     "f16 and bf16: inputs may be rounded too; hard ones are timed without that too (twice the weights)",
     PROGRAM_FLAG(bench_options, mixed_precision)},
    PROGRAM_HEADING("how:"),
    {"--device", "N|NAME|UUID", "which device; smoe-devices lists them [best]", PROGRAM_TEXT(bench_options, device)},
    {"--seconds", "S", "time for each row; three forwards at least", PROGRAM_NUMBER(bench_options, seconds, 0, 3600),
     .above = true, .fallback = "1"},
    {"--repeat", "N", "N forwards each, however long they take; the peak's kernels run N times too, 24 at most",
     PROGRAM_COUNT(bench_options, repeat, 1, 100000)},
    {"--memory", "SHARE", "the part of the device's memory that may be used",
     PROGRAM_NUMBER(bench_options, memory, 0, 1), .above = true, .fallback = "0.6"},
    {"--mask", "BITS", "capabilities to do without, SMOE_CAPABILITY_* of smoe.h; 4: subgroup shuffle",
     PROGRAM_COUNT(bench_options, mask, 1, SMOE_CAPABILITY_ALL)},
    {"--no-peak", NULL, "do not measure the device's own peak", PROGRAM_FLAG(bench_options, no_peak)},
    {"--validate", NULL, "run under the validation layers; any message fails", PROGRAM_FLAG(bench_options, validate)},
    {"--json", "FILE|-", "the results as JSON; with -, the table goes to stderr", PROGRAM_TEXT(bench_options, json)},
    {"--peer-data", NULL, "fill a gated --shape as the peer's program does (peer.py)",
     PROGRAM_FLAG(bench_options, peer_data)},
    {"--dump", "FILE", "write the last row's hard y, raw float32", PROGRAM_TEXT(bench_options, dump)},
};

static const program_desc description = {
    .name = "smoe-bench",
    .about = "Times smooth mixture-of-experts layers on a Vulkan device, stage by stage, hard against smooth routing.",
    .usage = {"[options]", "compare [options] RESULTS.json...", "compare --help"},
    .tables = {PROGRAM_TABLE(option_rows)},
    .details = "Exit status: 0, with unsupported rows too; 1 if the device, validation or writing failed; 2 for a "
               "wrong command line,\n"
               "or an output that may not be written.",
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

uint32_t bench_max_active(const bench_options *options, const bench_preset *preset)
{
    const uint32_t roomy = preset->plan.top_k + (options->hard_only ? 0 : 4), experts = preset->plan.expert_count;
    return options->max_active ? options->max_active : roomy < experts ? roomy : experts;
}

/* What the options must be together, and what follows where they say nothing. */
static bool complete(bench_options *options)
{
    bool any_preset = false, any_type = false;

    for (size_t i = 0; i < bench_preset_count; i++)
        any_preset = any_preset || options->presets[i];
    if (options->has_shape && any_preset)
        return refuse("--shape", "stands in place of presets: give either");
    for (size_t i = 0; i < bench_preset_count && !options->has_shape; i++)
        options->presets[i] = options->presets[i] || !any_preset;
    if (program_is_stdout(options->dump))
        return refuse("--dump", "is written again for each row: give a file's name");
    if (options->peer_data && !(options->has_shape && options->shape.plan.gated))
        return refuse("--peer-data", "needs --shape E,k,D,H,T,gated: the peer's program has no other layers");
    if (options->hard_only && (!isnan(options->eps) || !isnan(options->group_eps)))
        return refuse(!isnan(options->eps) ? "--eps" : "--group-eps", "is for the smooth run, which --hard leaves out");
    if (options->hard_only && options->expected_active)
        return refuse("--expected-active", "is for the smooth run, which --hard leaves out");
    if (options->eps <= 0 || options->group_eps <= 0)
        return refuse(options->eps <= 0 ? "--eps" : "--group-eps", "must be above 0: the smooth run needs a band");
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        any_type = any_type || options->weights[type];
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        options->weights[type] = options->weights[type] || (!any_type && may_be_mixed(options, type));
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        if (options->weights[type] && !may_be_mixed(options, type))
            return refuse("--mixed-precision", "is for 16-bit weights: --weights f16 or bf16");
    if (options->mixed_precision && options->totals)
        return refuse("--mixed-precision", "excludes --totals: one thing is timed with and without");
    for (size_t i = 0; i < bench_preset_count + 1; i++) {
        const bench_preset *preset = i < bench_preset_count ? &bench_presets[i] : &options->shape;
        const bool used = i < bench_preset_count ? options->presets[i] : options->has_shape;
        if (used && options->max_active > 0 &&
            (options->max_active < preset->plan.top_k || options->max_active > preset->plan.expert_count))
            return program_refuse(&description, "--max-active", preset->name,
                                  "must lie between k and the number of experts of each layer");
        const uint32_t expected = options->expected_active;
        if (used && expected > 0 && (expected < preset->plan.top_k || expected > bench_max_active(options, preset)))
            return program_refuse(&description, "--expected-active", preset->name,
                                  "must lie between k and the most experts that may run for a token of each layer");
    }
    return true;
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
    return options->list || complete(options);
}
