/* A command line, argument by argument. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "option_help.h"
#include "option_value.h"
#include "text.h"

bool program_refuse(const program_desc *program, const char *what, const char *value, const char *rule)
{
    fprintf(stderr, "%s: ", program->name);
    program_print(stderr, what);
    fprintf(stderr, ": %s", rule);
    if (value) {
        fputs(", is \"", stderr);
        program_print(stderr, value);
        fputc('"', stderr);
    }
    fputc('\n', stderr);
    return false;
}

/* size: of the name. PROGRAM_MAX_OPTIONS if there is none. */
static size_t find_option(const program_desc *program, const char *name, size_t size)
{
    const program_option *option;
    for (size_t i = 0; i < PROGRAM_MAX_OPTIONS && (option = program_option_at(program, i)) != NULL; i++)
        if (option->name && strlen(option->name) == size && strncmp(option->name, name, size) == 0)
            return i;
    return PROGRAM_MAX_OPTIONS;
}

const char *program_given(const program_line *line, const char *name)
{
    const size_t index = find_option(line->program, name, strlen(name));
    return index < PROGRAM_MAX_OPTIONS ? line->given[index] : NULL;
}

const char *program_value(const program_line *line, const char *name)
{
    const char *given = program_given(line, name);
    const size_t index = find_option(line->program, name, strlen(name));
    return given || index == PROGRAM_MAX_OPTIONS ? given : program_option_at(line->program, index)->fallback;
}

/* What one program_read carries along. next: the argument that is read next. */
typedef struct line_reader {
    program_line *line;
    void *options;
    int count, next;
    char **arguments;
    bool ended; /* by "--" */
} line_reader;

static bool refuse(const line_reader *r, const char *what, const char *value, const char *rule)
{
    return program_refuse(r->line->program, what, value, rule);
}

static bool set_fallbacks(const line_reader *r)
{
    const program_option *option;
    char rule[PROGRAM_RULE_SIZE];
    for (size_t i = 0; (option = program_option_at(r->line->program, i)) != NULL; i++) {
        program_clear_value(option, r->options);
        if (option->fallback && !program_set_value(option, option->fallback, r->options, rule))
            return refuse(r, option->name, option->fallback, rule);
    }
    return true;
}

/* name: of the option whose value it is, or what an argument is called. */
static bool add_argument(const line_reader *r, const char *name, char *argument)
{
    const program_desc *program = r->line->program;
    char rule[PROGRAM_RULE_SIZE];
    if (!*argument)
        return refuse(r, name, NULL, "must not be empty");
    snprintf(rule, sizeof rule, "only %u %s at most; --help tells the rest", program->most_arguments,
             program->argument);
    if (r->line->argument_count == program->most_arguments)
        return refuse(r, argument, NULL, rule);
    r->line->arguments[r->line->argument_count++] = argument;
    return true;
}

static bool read_plain_argument(const line_reader *r, char *argument)
{
    const char *name = r->line->program->argument;
    return name ? add_argument(r, name, argument)
                : refuse(r, argument, NULL, "no argument is taken; --help lists the options");
}

/* argument: "--name" or "--name=value", of the index-th option. */
static bool read_value(line_reader *r, size_t index, char *argument)
{
    const program_option *option = program_option_at(r->line->program, index);
    char rule[PROGRAM_RULE_SIZE], *equals = strchr(argument, '='), *value = equals ? equals + 1 : "";
    if (!program_takes_value(option) && equals)
        return refuse(r, option->name, NULL, "takes no value");
    if (program_takes_value(option) && !equals) {
        if (r->next == r->count)
            return refuse(r, option->name, NULL, "needs a value");
        value = r->arguments[r->next++];
    }
    if (r->line->given[index] && !program_may_repeat(option))
        return refuse(r, option->name, NULL, "is given twice");
    r->line->given[index] = value;
    if (!program_set_value(option, value, r->options, rule))
        return refuse(r, option->name, option->kind == PROGRAM_KIND_TEXT ? NULL : value, rule);
    return option->kind != PROGRAM_KIND_ARGUMENT || add_argument(r, option->name, value);
}

/* False where the line ends here: with status 0 or 1 after help or the version. */
static bool read_argument(line_reader *r, char *argument)
{
    const program_desc *program = r->line->program;
    if (r->ended || argument[0] != '-' || !argument[1])
        return read_plain_argument(r, argument);
    if (strcmp(argument, "--") == 0)
        return r->ended = true;
    if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
        r->line->status = program_print_help(program);
        return false;
    }
    if (strcmp(argument, "--version") == 0) {
        r->line->status = program_print_version(program);
        return false;
    }
    const size_t index = find_option(program, argument, strcspn(argument, "="));
    return index < PROGRAM_MAX_OPTIONS ? read_value(r, index, argument)
                                       : refuse(r, argument, NULL, "no such option; --help lists them");
}

bool program_read(const program_desc *program, int count, char **arguments, void *options, program_line *line)
{
    *line = (program_line){.program = program, .arguments = arguments + 1, .status = PROGRAM_REFUSED};
    line_reader r = {.line = line, .options = options, .count = count, .next = 1, .arguments = arguments};
    if (!set_fallbacks(&r))
        return false;
    while (r.next < count)
        if (!read_argument(&r, arguments[r.next++]))
            return false;
    if (line->argument_count < program->least_arguments)
        return refuse(&r, program->argument, NULL, "is missing; --help tells the rest");
    line->status = 0;
    return true;
}
