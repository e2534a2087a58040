/* The command line: options as tables, those of every subcommand and its own. */
#include "analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COUNT 9007199254740992.0 /* 2^53: a double holds every whole number up to it */

static const analyze_option common[] = {
    {"--device", "N|NAME|UUID", NULL, "which device; smoe-devices lists them [best]", ANALYZE_TEXT, 0, 0},
    {"--seed", "N", "1", "of everything random", ANALYZE_COUNT, 0, MAX_COUNT},
    {"--json", "FILE|-", NULL, "the results as JSON; with -, the tables go to stderr", ANALYZE_TEXT, 0, 0},
    {"--progress", NULL, NULL, "show progress on stderr even where that is no terminal", ANALYZE_FLAG, 0, 0},
    {"--validate", NULL, NULL, "run under the validation layers; any message fails", ANALYZE_FLAG, 0, 0},
    {"--help", NULL, NULL, "this", ANALYZE_FLAG, 0, 0},
};
static const analyze_option samples_option = {"--samples", "N", NULL, "", ANALYZE_COUNT, 1, 1e15};

int analyze_refuse(const char *option, const char *value, const char *rule)
{
    fprintf(stderr, "smoe-analyze: %s%s%s: %s\n", option, *value ? " " : "", value, rule);
    return ANALYZE_REFUSED;
}

static const analyze_setting *find(const analyze *a, const char *name, size_t size)
{
    for (size_t i = 0; i < a->setting_count; i++)
        if (strlen(a->settings[i].option->name) == size && strncmp(a->settings[i].option->name, name, size) == 0)
            return &a->settings[i];
    return NULL;
}

static const analyze_setting *get(const analyze *a, const char *name)
{
    const analyze_setting *setting = find(a, name, strlen(name));
    if (!setting) {
        fprintf(stderr, "smoe-analyze: %s has no option %s\n", a->command->name, name);
        abort();
    }
    return setting;
}

bool analyze_flag(const analyze *a, const char *name)
{
    return get(a, name)->given;
}

uint64_t analyze_count(const analyze *a, const char *name)
{
    const analyze_setting *setting = get(a, name);
    return setting->text ? (uint64_t)setting->number : 0;
}

double analyze_number(const analyze *a, const char *name)
{
    const analyze_setting *setting = get(a, name);
    return setting->text ? setting->number : (double)NAN;
}

const char *analyze_text(const analyze *a, const char *name)
{
    return get(a, name)->text;
}

bool analyze_is_given(const analyze *a, const char *name)
{
    return get(a, name)->given;
}

bool analyze_has_option(const analyze *a, const char *name)
{
    return find(a, name, strlen(name)) != NULL;
}

static int set(analyze_setting *setting, const char *text)
{
    const analyze_option *option = setting->option;
    char rule[96], *end;

    setting->text = text;
    if (option->kind == ANALYZE_TEXT)
        return *text ? ANALYZE_OK : analyze_refuse(option->name, "", "needs a value");
    setting->number = strtod(text, &end);
    /* Plain decimals only: strtod would take "inf", "nan", blanks and hexadecimals too. */
    bool legal = *text && strspn(text, "0123456789+-.eE") == strlen(text) && !*end && setting->number >= option->least &&
                 setting->number <= option->largest;
    if (option->kind == ANALYZE_COUNT)
        legal = legal && setting->number <= MAX_COUNT && floor(setting->number) >= setting->number;
    if (legal)
        return ANALYZE_OK;
    snprintf(rule, sizeof rule, "must be a %snumber from %.10g to %.10g", option->kind == ANALYZE_COUNT ? "whole " : "", option->least,
             option->largest);
    return analyze_refuse(option->name, text, rule);
}

static void add(analyze *a, const analyze_option *option, const char *fallback)
{
    analyze_setting *setting = &a->settings[a->setting_count++];
    *setting = (analyze_setting){.option = option};
    if (fallback && set(setting, fallback) != ANALYZE_OK)
        abort();
}

static int parse_argument(analyze *a, int count, char **arguments, int *at)
{
    const char *argument = arguments[*at];
    const char *equals = strchr(argument, '=');
    const size_t size = equals ? (size_t)(equals - argument) : strlen(argument);

    if (argument[0] != '-') {
        if (a->command->file == ANALYZE_NO_FILE)
            return analyze_refuse(argument, "", "the subcommand takes no file");
        if (a->file)
            return analyze_refuse(argument, "", "one file at a time");
        a->file = argument;
        return *argument ? ANALYZE_OK : analyze_refuse("FILE", "", "is missing");
    }
    analyze_setting *setting = (analyze_setting *)find(a, argument, size);
    if (!setting)
        return analyze_refuse(argument, "", "no such option; --help lists them");
    setting->given = true;
    if (setting->option->kind == ANALYZE_FLAG)
        return equals ? analyze_refuse(argument, "", "takes no value") : ANALYZE_OK;
    if (!equals && *at + 1 >= count)
        return analyze_refuse(argument, "", "needs a value");
    return set(setting, equals ? equals + 1 : arguments[++*at]);
}

int analyze_parse_options(analyze *a, int count, char **arguments)
{
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        add(a, &common[i], common[i].fallback);
    if (a->command->samples)
        add(a, &samples_option, a->command->samples);
    for (size_t i = 0; i < a->command->option_count; i++)
        add(a, &a->command->options[i], a->command->options[i].fallback);
    for (int i = 0; i < count; i++) {
        const int status = parse_argument(a, count, arguments, &i);
        if (status != ANALYZE_OK)
            return status;
    }
    a->seed = analyze_count(a, "--seed");
    a->samples = a->command->samples ? analyze_count(a, "--samples") : 0;
    if (a->command->file == ANALYZE_FILE_NEEDED && !a->file && !analyze_flag(a, "--help"))
        return analyze_refuse("FILE", "", "is missing; --help tells the rest");
    return ANALYZE_OK;
}

static void print_option(const analyze_option *option, const char *about, const char *fallback)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
    printf("  %-24s %s", left, about);
    if (fallback)
        printf(" [%s]", fallback);
    printf("\n");
}

void analyze_print_command_help(const analyze_command *command)
{
    static const char *const files[] = {"", " [FILE]", " FILE"};
    printf("%s\n\nusage: smoe-analyze %s [options]%s\n\n", command->about, command->name, files[command->file]);
    for (size_t i = 0; i < command->option_count; i++)
        print_option(&command->options[i], command->options[i].about, command->options[i].fallback);
    if (command->samples)
        print_option(&samples_option, command->samples_about ? command->samples_about : "how many", command->samples);
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        print_option(&common[i], common[i].about, common[i].fallback);
}
