/* The command line. */
#include "run.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(value) #value
#define TEXT_OF(value) TEXT(value)

void run_print_help(void)
{
    char activations[SMOE_ACTIVATION_LIST_SIZE];
    smoe_activation_list(activations);
    printf("Runs a mixture-of-experts layer over inputs, on a Vulkan device: a layer file, or a layer of a model's checkpoint.\n"
           "\n"
           "usage: smoe-run [options] FILE.safetensors...\n"
           "       smoe-run [options] --checkpoint DIR... --layer N,...\n"
           "\n"
           "  --checkpoint DIR       folder with config.json and model.safetensors or its shards, or one .safetensors file\n"
           "  --layer N,...          which of the model's layers, from 0\n"
           "  --x FILE               inputs: tensor x [T,d_model] of a safetensors file\n"
           "  --tokens N, --seed N   inputs of N tokens of normal random numbers instead [64, 1]; the default with --checkpoint\n"
           "  --device N|NAME|UUID   which device; smoe-devices lists them [best]\n"
           "  --validate             run under the validation layers; any message fails\n"
           "  --check                compare with the file's expected.* tensors\n"
           "  --calibrate X          choose the largest eps that runs at most X extra experts on average over the inputs\n"
           "  --out FILE             write y and the boundary report as safetensors; of several layers, into a folder\n"
           "  --write FILE           write the layer and its inputs as a layer file; of several layers, into a folder\n"
           "  --repeat N             time N more runs\n"
           "\n"
           "in place of what the file says:\n"
           "  --k N                  experts chosen\n"
           "  --activation NAME      %s\n"
           "  --max-active N         most experts that may run for a token\n"
           "  --eps X                band width; 0 = hard routing\n"
           "  --group-eps X          band width of the groups' scores; 0 = hard groups\n"
           "  --a X, --b X           exponents of the mask\n"
           "  --temperature X        of the softmax\n"
           "  --tie-tolerance X      scores this close count as tied in the report\n"
           "  --scale X              factor on the weights\n"
           "  --weights f32|f16|bf16 what the experts' weights are converted to\n"
           "  --mixed-precision      round the inputs of experts with 16-bit weights too, for the device's matrix units\n"
           "\n"
           "Several files run one after another on one device, with the same options, and so do several layers of one or more\n"
           "checkpoints: --checkpoint and --layer add to a list. --out and --write then name a folder that is there, which gets\n"
           "NAME.out.safetensors and NAME.layer.safetensors for NAME.safetensors, NAME.N.out.safetensors for a checkpoint's layer N.\n"
           "\n"
           "Exit status: 0; 1 if the check, validation or the device failed; 2 for a wrong command line or file. A file that is\n"
           "refused does not keep the others from running; of several layers the largest status counts.\n",
           activations);
}

static bool refuse(const char *option, const char *value, const char *rule)
{
    fprintf(stderr, "smoe-run: %s%s%s: %s\n", option, *value ? " " : "", value, rule);
    return false;
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

typedef struct option {
    const char *name;
    enum { FLAG, TEXT, CHECKPOINT, LAYERS, COUNT, NUMBER, WEIGHTS, ACTIVATION } kind;
    size_t offset; /* in run_options */
    double least, largest;
    bool zero;    /* is allowed, whatever least is */
    bool changes; /* the layer's results */
    const char *rule;
} option;

#define OPTION(name, kind, member, ...) {name, kind, offsetof(run_options, member), __VA_ARGS__}
#define BAND "must be a number, 0 or 1e-30 .. 1e30"

static const option options_known[] = {
    OPTION("--check", FLAG, check, 0, 0, false, false, NULL),
    OPTION("--validate", FLAG, validate, 0, 0, false, false, NULL),
    OPTION("--help", FLAG, help, 0, 0, false, false, NULL),
    OPTION("--mixed-precision", FLAG, mixed_precision, 0, 0, false, true, NULL),
    OPTION("--checkpoint", CHECKPOINT, checkpoint, 0, 0, false, false, NULL),
    OPTION("--device", TEXT, device, 0, 0, false, false, NULL),
    OPTION("--out", TEXT, out, 0, 0, false, false, NULL),
    OPTION("--write", TEXT, write, 0, 0, false, false, NULL),
    OPTION("--x", TEXT, x, 0, 0, false, true, NULL),
    OPTION("--layer", LAYERS, layers, 0, 65535, true, false, "must be a whole number from 0 to 65535, or several with commas between"),
    OPTION("--tokens", COUNT, tokens, 1, SMOE_MAX_TOKENS, false, true, NULL),
    OPTION("--seed", COUNT, seed, 0, 999999999, true, true, NULL),
    OPTION("--repeat", COUNT, repeat, 1, 100000, false, false, NULL),
    OPTION("--k", COUNT, top_k, 1, SMOE_MAX_EXPERTS, false, true, NULL),
    OPTION("--max-active", COUNT, max_active, 1, SMOE_MAX_EXPERTS, false, true, NULL),
    OPTION("--eps", NUMBER, eps, 1e-30, 1e30, true, true, BAND),
    OPTION("--group-eps", NUMBER, group_eps, 1e-30, 1e30, true, true, BAND),
    OPTION("--calibrate", NUMBER, calibrate, 0, SMOE_MAX_EXPERTS, true, true, "must be a number of experts, 0 .. 1024"),
    OPTION("--a", NUMBER, a, 0, 1024, false, true, "must be a number above 0, at most 1024"),
    OPTION("--b", NUMBER, b, 0, 1024, false, true, "must be a number above 0, at most 1024"),
    OPTION("--temperature", NUMBER, temperature, 1e-30, 1e30, false, true, "must be a number, 1e-30 .. 1e30"),
    OPTION("--tie-tolerance", NUMBER, tie_tolerance, 0, FLT_MAX, true, true, "must be a number, 0 or above"),
    OPTION("--scale", NUMBER, scale, -FLT_MAX, FLT_MAX, true, true, "must be a finite number"),
    OPTION("--weights", WEIGHTS, weights, 0, 0, false, false, "must be f32, f16 or bf16"),
    OPTION("--activation", ACTIVATION, activation, 0, 0, false, true, NULL),
};

static bool parse_count(const option *known, const char *value, uint32_t *out)
{
    char *end;
    const unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || strlen(value) > 9 || *end || (double)number < known->least || (double)number > known->largest) {
        char rule[64];
        snprintf(rule, sizeof rule, "must be a whole number from %.0f to %.0f", known->least, known->largest);
        return refuse(known->name, value, rule);
    }
    *out = (uint32_t)number;
    return true;
}

static bool parse_number(const option *known, const char *value, double *out)
{
    char *end;
    const double number = strtod(value, &end);
    /* Plain decimals only: strtod would take "inf", "nan", blanks and hexadecimals too. */
    const bool plain = *value && strspn(value, "0123456789+-.eE") == strlen(value) && !*end;
    /* The library works in float32: what rounds to 0 there is 0. */
    const bool legal = fabs(number) <= known->largest && ((float)number == 0.0f ? known->zero : number >= known->least);
    if (!plain || !legal)
        return refuse(known->name, value, known->rule);
    *out = number;
    return true;
}

static bool parse_layers(const option *known, const char *value, run_options *options)
{
    for (const char *at = value;; at++) {
        char *end;
        const unsigned long layer = strtoul(at, &end, 10);
        if (*at < '0' || *at > '9' || end - at > 9 || (*end && *end != ',') || (double)layer > known->largest)
            return refuse(known->name, value, known->rule);
        if (options->layer_count == RUN_MAX_LAYERS)
            return refuse(known->name, value, "more layers than " TEXT_OF(RUN_MAX_LAYERS));
        options->layers[options->layer_count++] = (uint32_t)layer;
        if (!*end)
            return true;
        at = end;
    }
}

static void add_path(run_options *options, char *path, const char **first)
{
    *first = *first ? *first : path;
    options->paths[options->path_count++] = path;
}

static bool parse_activation(const option *known, const char *value, run_options *options)
{
    char rule[SMOE_ACTIVATION_LIST_SIZE + 8] = "must be ";
    options->has_activation = smoe_activation_find(value, &options->activation);
    smoe_activation_list(rule + strlen(rule));
    return options->has_activation || refuse(known->name, value, rule);
}

static bool parse_value(const option *known, char *value, run_options *options)
{
    void *member = (char *)options + known->offset;
    switch (known->kind) {
    case FLAG: break;
    case TEXT: memcpy(member, &value, sizeof value); return true;
    case CHECKPOINT: add_path(options, value, &options->checkpoint); return true;
    case LAYERS: return parse_layers(known, value, options);
    case COUNT: return parse_count(known, value, member);
    case NUMBER: return parse_number(known, value, member);
    case WEIGHTS:
        options->has_weights = smoe_type_find(value, &options->weights);
        return options->has_weights || refuse(known->name, value, known->rule);
    case ACTIVATION: return parse_activation(known, value, options);
    }
    return true;
}

/* ---- the line ------------------------------------------------------------------------------------------------------ */

/* size: of the name in the argument. */
static const option *find_option(const char *argument, size_t size)
{
    for (size_t i = 0; i < sizeof options_known / sizeof *options_known; i++)
        if (strlen(options_known[i].name) == size && strncmp(argument, options_known[i].name, size) == 0)
            return &options_known[i];
    return NULL;
}

/* What no single option can tell. */
static bool check_together(const run_options *options)
{
    if (options->checkpoint && options->file)
        return refuse(options->file, "", "either a layer file or --checkpoint");
    if (options->checkpoint && options->layer_count == 0)
        return refuse("--checkpoint", "", "needs --layer N");
    if (!options->checkpoint && options->layer_count > 0)
        return refuse("--layer", "", "needs --checkpoint DIR");
    if (!options->checkpoint && !options->file)
        return refuse("FILE.safetensors", "", "is missing; --help tells the rest");
    if (options->x && (options->tokens != RUN_NONE || options->seed != RUN_NONE))
        return refuse("--x", "", "excludes --tokens and --seed");
    if (!isnan(options->calibrate) && !isnan(options->eps))
        return refuse("--calibrate", "", "chooses eps; --eps excludes it");
    if (options->check && options->checkpoint)
        return refuse("--check", "", "compares with a layer file's expected results; checkpoints have none");
    if (options->check && options->changed)
        return refuse("--check", "", "compares with what the file expects; options that change the result exclude it");
    return run_check_outputs(options);
}

static const run_options none = {
    .tokens = RUN_NONE, .seed = RUN_NONE, .repeat = RUN_NONE, .top_k = RUN_NONE, .max_active = RUN_NONE, .eps = NAN,
    .group_eps = NAN, .a = NAN, .b = NAN, .temperature = NAN, .tie_tolerance = NAN, .scale = NAN, .calibrate = NAN,
};

bool run_parse_options(int count, char **arguments, run_options *options)
{
    *options = none;
    options->paths = arguments + 1;
    for (int i = 1; i < count; i++) {
        char *argument = arguments[i];
        if (argument[0] != '-') {
            add_path(options, argument, &options->file);
            continue;
        }
        char *equals = strchr(argument, '=');
        const option *known = find_option(argument, equals ? (size_t)(equals - argument) : strlen(argument));
        if (!known)
            return refuse(argument, "", "no such option; --help lists them");
        options->changed = known->changes ? known->name : options->changed;
        if (known->kind == FLAG && equals)
            return refuse(argument, "", "takes no value");
        if (known->kind == FLAG)
            *((bool *)((char *)options + known->offset)) = true;
        else if (!equals && i + 1 >= count)
            return refuse(argument, "", "needs a value");
        else if (!parse_value(known, equals ? equals + 1 : arguments[++i], options))
            return false;
    }
    return options->help || check_together(options);
}
