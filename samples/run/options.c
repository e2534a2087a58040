/* The command line. */
#include "run.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void run_print_help(void)
{
    puts("Runs a mixture-of-experts layer file (safetensors) over the inputs it holds, on a Vulkan device.\n"
         "\n"
         "usage: smoe-run [options] FILE.safetensors\n"
         "\n"
         "  --device N|NAME|UUID   which device; smoe-devices lists them [best]\n"
         "  --validate             run under the validation layers; any message fails\n"
         "  --check                compare with the file's expected.* tensors\n"
         "  --out FILE             write y and the boundary report as safetensors\n"
         "  --repeat N             time N more runs\n"
         "\n"
         "in place of what the file says:\n"
         "  --k N                  experts chosen\n"
         "  --max-active N         most experts that may run for a token\n"
         "  --eps X                band width; 0 = hard routing\n"
         "  --a X, --b X           exponents of the mask\n"
         "  --temperature X        of the softmax\n"
         "  --tie-tolerance X      scores this close count as tied in the report\n"
         "  --scale X              factor on the weights\n"
         "  --weights f32|f16      what the experts' weights are converted to\n"
         "\n"
         "Exit status: 0; 1 if the check, validation or the device failed; 2 for a wrong command line or file.");
}

static bool refuse(const char *option, const char *value, const char *rule)
{
    fprintf(stderr, "smoe-run: %s %s: %s\n", option, value, rule);
    return false;
}

static bool parse_count(const char *option, const char *value, uint32_t largest, uint32_t *out)
{
    char *end;
    const unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || strlen(value) > 9 || *end || number < 1 || number > largest) {
        char rule[64];
        snprintf(rule, sizeof rule, "must be a whole number from 1 to %u", largest);
        return refuse(option, value, rule);
    }
    *out = (uint32_t)number;
    return true;
}

typedef struct number_option {
    const char *name;
    size_t offset;
    double least, largest;
    bool zero; /* is allowed, whatever least is */
    const char *rule;
} number_option;

static const number_option numbers[] = {
    {"--eps", offsetof(run_options, eps), 1e-30, 1e30, true, "must be a number, 0 or 1e-30 .. 1e30"},
    {"--a", offsetof(run_options, a), 0, 1024, false, "must be a number above 0, at most 1024"},
    {"--b", offsetof(run_options, b), 0, 1024, false, "must be a number above 0, at most 1024"},
    {"--temperature", offsetof(run_options, temperature), 1e-30, 1e30, false, "must be a number, 1e-30 .. 1e30"},
    {"--tie-tolerance", offsetof(run_options, tie_tolerance), 0, FLT_MAX, true, "must be a number, 0 or above"},
    {"--scale", offsetof(run_options, scale), -FLT_MAX, FLT_MAX, true, "must be a finite number"},
};

static bool parse_number(const number_option *option, const char *value, run_options *options)
{
    char *end;
    const double number = strtod(value, &end);
    /* Plain decimals only: strtod would take "inf", "nan", blanks and hexadecimals too. */
    const bool plain = *value && strspn(value, "0123456789+-.eE") == strlen(value) && !*end;
    /* The library works in float32: what rounds to 0 there is 0. */
    const bool legal = fabs(number) <= option->largest && ((float)number == 0.0f ? option->zero : number >= option->least);
    if (!plain || !legal)
        return refuse(option->name, value, option->rule);
    memcpy((char *)options + option->offset, &number, sizeof number);
    options->changed = option->name;
    return true;
}

static bool parse_value(const char *name, const char *value, run_options *options)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return parse_number(&numbers[i], value, options);
    if (strcmp(name, "--device") == 0)
        options->device = value;
    else if (strcmp(name, "--out") == 0)
        options->out = value;
    else if (strcmp(name, "--repeat") == 0)
        return parse_count(name, value, 100000, &options->repeat);
    else if (strcmp(name, "--k") == 0)
        return options->changed = name, parse_count(name, value, SMOE_MAX_EXPERTS, &options->top_k);
    else if (strcmp(name, "--max-active") == 0)
        return options->changed = name, parse_count(name, value, SMOE_MAX_EXPERTS, &options->max_active);
    else if (strcmp(value, "f32") == 0 || strcmp(value, "f16") == 0) /* --weights */
        options->weights = value[1] == '3' ? SMOE_TYPE_FLOAT32 : SMOE_TYPE_FLOAT16, options->has_weights = true;
    else
        return refuse(name, value, "must be f32 or f16");
    return true;
}

/* The option as its table spells it, NULL if there is none such. size: of the name in the argument. */
static const char *find_option(const char *argument, size_t size, bool *takes_value)
{
    static const char *const flags[] = {"--check", "--validate", "--help"};
    static const char *const others[] = {"--device", "--out", "--repeat", "--k", "--max-active", "--weights"};
    *takes_value = false;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strlen(flags[i]) == size && strncmp(argument, flags[i], size) == 0)
            return flags[i];
    *takes_value = true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i]) == size && strncmp(argument, others[i], size) == 0)
            return others[i];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strlen(numbers[i].name) == size && strncmp(argument, numbers[i].name, size) == 0)
            return numbers[i].name;
    return NULL;
}

bool run_parse_options(int count, char **arguments, run_options *options)
{
    const run_options none = {.eps = NAN, .a = NAN, .b = NAN, .temperature = NAN, .tie_tolerance = NAN, .scale = NAN};
    *options = none;
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (argument[0] != '-') {
            if (options->file)
                return refuse(argument, "", "one file at a time");
            options->file = argument;
            continue;
        }
        const char *equals = strchr(argument, '=');
        const size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
        bool takes_value;
        const char *name = find_option(argument, size, &takes_value);
        if (!name)
            return refuse(argument, "", "no such option; --help lists them");
        if (!takes_value) {
            if (equals)
                return refuse(argument, "", "takes no value");
            options->check = options->check || strcmp(name, "--check") == 0;
            options->validate = options->validate || strcmp(name, "--validate") == 0;
            options->help = options->help || strcmp(name, "--help") == 0;
        } else if (!equals && i + 1 >= count) {
            return refuse(argument, "", "needs a value");
        } else if (!parse_value(name, equals ? equals + 1 : arguments[++i], options)) {
            return false;
        }
    }
    if (options->help)
        return true;
    if (!options->file)
        return refuse("FILE.safetensors", "", "is missing; --help tells the rest");
    if (options->check && options->changed)
        return refuse("--check", "", "compares with what the file expects; options that change the result exclude it");
    return true;
}
