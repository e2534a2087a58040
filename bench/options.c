/* The command line. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

void bench_print_help(void)
{
    puts("Times smooth mixture-of-experts layers on a Vulkan device, stage by stage, hard against smooth routing.\n"
         "\n"
         "usage: smoe-bench [options]\n"
         "\n"
         "what is timed:\n"
         "  --list                 the presets\n"
         "  --preset NAME          only this one; may stand several times\n"
         "  --shape E,k,D,H,T[,gated]   a layer of your own in place of the presets: silu, renormalised, no biases\n"
         "  --tokens T             in place of the preset's own\n"
         "  --weights f32|f16|bf16 only these; may stand several times\n"
         "  --hard                 hard routing only\n"
         "  --max-active A         most experts that may run for a token [k + 4]\n"
         "  --eps X                the smooth run's band width [half an extra expert per token]\n"
         "  --group-eps X          its band width for groups of experts [eps as it would be with hard groups]\n"
         "  --totals               forwards add to totals; hard ones are timed without them too (twice the weights)\n"
         "  --mixed-precision      f16 and bf16: inputs may be rounded too; hard ones are timed without that too (twice the weights)\n"
         "\n"
         "how:\n"
         "  --device N|NAME|UUID   which device; smoe-devices lists them [best]\n"
         "  --seconds S            time for each row [1]; three forwards at least\n"
         "  --repeat N             N forwards each, however long they take; the peak's kernels run N times too, 24 at most\n"
         "  --memory SHARE         the part of the device's memory that may be used [0.6]\n"
         "  --mask BITS            capabilities to do without, SMOE_CAPABILITY_* of smoe.h; 4: subgroup shuffle\n"
         "  --no-peak              do not measure the device's own peak\n"
         "  --validate             run under the validation layers; any message fails\n"
         "  --json FILE|-          the results as JSON; with -, the table goes to stderr\n"
         "  --peer-data            fill a gated --shape as the peer's program does (peer.py)\n"
         "  --dump FILE            write the last row's hard y, raw float32\n"
         "\n"
         "Exit status: 0, with unsupported rows too; 1 if the device or the validation failed; 2 for a wrong command line.");
}

static bool refuse(const char *option, const char *value, const char *rule)
{
    fprintf(stderr, "smoe-bench: %s%s%s: %s\n", option, *value ? " " : "", value, rule);
    return false;
}

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

static bool parse_count(const char *option, const char *value, uint32_t largest, uint32_t *out)
{
    const char *end = value;
    if (read_count(&end, largest, out) && !*end)
        return true;
    char rule[64];
    snprintf(rule, sizeof rule, "must be a whole number from 1 to %u", largest);
    return refuse(option, value, rule);
}

static bool parse_number(const char *option, const char *value, double largest, double *out)
{
    char *end;
    const double number = strtod(value, &end);
    /* Plain decimals only: strtod would take "inf", "nan", blanks and hexadecimals too. */
    const bool plain = *value && strspn(value, "0123456789+-.eE") == strlen(value) && !*end;
    if (plain && (float)number > 0 && number <= largest) {
        *out = number;
        return true;
    }
    char rule[64];
    snprintf(rule, sizeof rule, "must be a number above 0, at most %g", largest);
    return refuse(option, value, rule);
}

/* E,k,D,H,T[,gated]: in the order of the peer's program. */
static bool parse_shape(const char *value, bench_options *options)
{
    static const char *const rule = "must be E,k,D,H,T or E,k,D,H,T,gated with 1 <= k <= E <= 1024, D and H up to 65536, T up to 1048576";
    smoe_plan_desc plan = {.activation = SMOE_ACTIVATION_SILU, .renormalize = true};
    const struct {
        uint32_t *field, largest;
    } fields[] = {{&plan.expert_count, SMOE_MAX_EXPERTS},
                  {&plan.top_k, SMOE_MAX_EXPERTS},
                  {&plan.d_model, SMOE_MAX_WIDTH},
                  {&plan.d_hidden, SMOE_MAX_WIDTH},
                  {&options->shape.tokens[0], SMOE_MAX_TOKENS}};
    const char *at = value;

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if ((i > 0 && *at++ != ',') || !read_count(&at, fields[i].largest, fields[i].field))
            return refuse("--shape", value, rule);
    plan.gated = strcmp(at, ",gated") == 0;
    if ((*at && !plan.gated) || plan.top_k > plan.expert_count)
        return refuse("--shape", value, rule);
    options->has_shape = true;
    options->shape.name = "shape";
    options->shape.about = "from the command line";
    options->shape.plan = plan;
    return true;
}

static bool parse_preset(const char *value, bench_options *options)
{
    for (size_t i = 0; i < bench_preset_count; i++) {
        if (strcmp(value, bench_presets[i].name) == 0) {
            options->presets[i] = true;
            return true;
        }
    }
    return refuse("--preset", value, "no such preset; --list shows them");
}

static bool *find_flag(const char *name, size_t size, bench_options *options)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--list", &options->list}, {"--hard", &options->hard_only}, {"--no-peak", &options->no_peak},
                 {"--totals", &options->totals}, {"--validate", &options->validate}, {"--peer-data", &options->peer_data},
                 {"--mixed-precision", &options->mixed_precision}, {"--help", &options->help}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strlen(flags[i].name) == size && strncmp(name, flags[i].name, size) == 0)
            return flags[i].flag;
    return NULL;
}

enum { DEVICE, JSON, DUMP, PRESET, SHAPE, WEIGHTS, TOKENS, REPEAT, MAX_ACTIVE, SECONDS, EPS, GROUP_EPS, MEMORY, MASK, VALUE_COUNT };
static const char *const value_names[VALUE_COUNT] = {
    "--device", "--json", "--dump", "--preset", "--shape", "--weights", "--tokens", "--repeat", "--max-active", "--seconds", "--eps",
    "--group-eps", "--memory", "--mask"};

static bool parse_weights(const char *value, bench_options *options)
{
    smoe_type type;
    if (!smoe_type_find(value, &type))
        return refuse("--weights", value, "must be f32, f16 or bf16");
    return options->weights[type] = true;
}

static bool parse_value(int option, const char *value, bench_options *options)
{
    const char *name = value_names[option];
    switch (option) {
    case DEVICE: options->device = value; return true;
    case JSON: options->json = value; return *value || refuse(name, value, "must be a file, or - for stdout");
    case DUMP: options->dump = value; return *value || refuse(name, value, "must be a file");
    case PRESET: return parse_preset(value, options);
    case SHAPE: return parse_shape(value, options);
    case TOKENS: return parse_count(name, value, SMOE_MAX_TOKENS, &options->tokens);
    case REPEAT: return parse_count(name, value, 100000, &options->repeat);
    case MAX_ACTIVE: return parse_count(name, value, SMOE_MAX_EXPERTS, &options->max_active);
    case SECONDS: return parse_number(name, value, 3600, &options->seconds);
    case EPS: return parse_number(name, value, 1e30, &options->eps);
    case GROUP_EPS: return parse_number(name, value, 1e30, &options->group_eps);
    case MEMORY: return parse_number(name, value, 1, &options->memory);
    case MASK: return parse_count(name, value, SMOE_CAPABILITY_ALL, &options->mask);
    default: return parse_weights(value, options);
    }
}

static bool parse_argument(int count, char **arguments, int *at, bench_options *options)
{
    const char *argument = arguments[*at];
    const char *equals = strchr(argument, '=');
    const size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
    bool *flag = find_flag(argument, size, options);

    if (flag) {
        *flag = true;
        return !equals || refuse(argument, "", "takes no value");
    }
    for (int i = 0; i < VALUE_COUNT; i++) {
        if (strlen(value_names[i]) != size || strncmp(argument, value_names[i], size) != 0)
            continue;
        if (!equals && *at + 1 >= count)
            return refuse(argument, "", "needs a value");
        return parse_value(i, equals ? equals + 1 : arguments[++*at], options);
    }
    return refuse(argument, "", "no such option; --help lists them");
}

/* What the options must be together, and what follows where they say nothing. */
static bool complete(bench_options *options)
{
    bool any_preset = false, any_type = false;

    for (size_t i = 0; i < bench_preset_count; i++)
        any_preset = any_preset || options->presets[i];
    if (options->has_shape && any_preset)
        return refuse("--shape", "", "stands in place of presets: give either");
    for (size_t i = 0; i < bench_preset_count && !options->has_shape; i++)
        options->presets[i] = options->presets[i] || !any_preset;
    if (options->peer_data && !(options->has_shape && options->shape.plan.gated))
        return refuse("--peer-data", "", "needs --shape E,k,D,H,T,gated: the peer's program has no other layers");
    if (options->hard_only && (options->eps > 0 || options->group_eps > 0))
        return refuse(options->eps > 0 ? "--eps" : "--group-eps", "", "is for the smooth run, which --hard leaves out");
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        any_type = any_type || options->weights[type];
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        options->weights[type] = options->weights[type] || (!any_type && !(options->mixed_precision && type == SMOE_TYPE_FLOAT32));
    if (options->mixed_precision && options->weights[SMOE_TYPE_FLOAT32])
        return refuse("--mixed-precision", "", "is for 16-bit weights: --weights f16 or bf16");
    if (options->mixed_precision && options->totals)
        return refuse("--mixed-precision", "", "excludes --totals: one thing is timed with and without");
    for (size_t i = 0; i < bench_preset_count + 1; i++) {
        const bench_preset *preset = i < bench_preset_count ? &bench_presets[i] : &options->shape;
        const bool used = i < bench_preset_count ? options->presets[i] : options->has_shape;
        if (used && options->max_active > 0 &&
            (options->max_active < preset->plan.top_k || options->max_active > preset->plan.expert_count))
            return refuse("--max-active", preset->name, "must lie between the layer's k and its number of experts");
    }
    return true;
}

bool bench_parse_options(int count, char **arguments, bench_options *options)
{
    *options = (bench_options){.seconds = 1, .memory = 0.6};
    for (int i = 1; i < count; i++)
        if (!parse_argument(count, arguments, &i, options))
            return false;
    return options->help || options->list || complete(options);
}
