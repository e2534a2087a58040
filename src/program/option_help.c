/* What -h, --help and --version print. */
#include "option_help.h"

#include <stdio.h>
#include <string.h>

#include <smoe/smoe.h>

#include "output.h"

enum { INDENT = 26, COLUMNS = 120, ABOUT_SIZE = 1024 };

/* Words, from the column `used` on, with further lines indented as much as the first. */
static void print_words(const char *text, size_t used)
{
    while (*text) {
        const size_t word = strcspn(text, " ");
        if (used + 1 + word > COLUMNS)
            used = (size_t)printf("\n%*s", INDENT, "") - 1;
        used += (size_t)printf(" %.*s", (int)word, text);
        text += word + strspn(text + word, " ");
    }
    printf("\n");
}

static void print_row(const char *name, const char *value, const char *about)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", name, value ? " " : "", value ? value : "");
    print_words(about, (size_t)printf("  %-*s", INDENT - 2, left));
}

static void print_option(const program_option *option)
{
    char names[PROGRAM_RULE_SIZE] = "", about[ABOUT_SIZE];
    if (option->kind == PROGRAM_KIND_HEADING) {
        printf("\n%s\n", option->about);
        return;
    }
    if (option->names)
        program_list_names(option->names, names, sizeof names);
    snprintf(about, sizeof about, "%s%s%s%s%s%s", option->about, names[0] ? ": " : "", names,
             option->fallback ? " [" : "", option->fallback ? option->fallback : "", option->fallback ? "]" : "");
    print_row(option->name, option->value, about);
}

int program_print_help(const program_desc *program)
{
    const program_option *option;
    printf("%s\n\n", program->about);
    for (size_t i = 0; i < PROGRAM_MAX_USAGES && program->usage[i]; i++)
        printf("%s %s%s%s\n", i == 0 ? "usage:" : "      ", program->name, *program->usage[i] ? " " : "",
               program->usage[i]);
    printf("\n");
    print_row("-h, --help", NULL, "this");
    print_row("--version", NULL, "which one it is");
    for (size_t i = 0; (option = program_option_at(program, i)) != NULL; i++)
        print_option(option);
    if (program->details)
        printf("\n%s\n", program->details);
    return program_end(program->name, PROGRAM_OK);
}

int program_print_version(const program_desc *program)
{
    printf("%s %d.%d.%d\n", program->name, SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH);
    return program_end(program->name, PROGRAM_OK);
}
