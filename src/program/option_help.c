/* What -h, --help and --version print. */
#include "option_help.h"

#include <stdio.h>

#include <smoe/smoe.h>

static int finish(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

static void print_row(const char *name, const char *value, const char *about)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", name, value ? " " : "", value ? value : "");
    printf("  %-24s %s", left, about);
}

static void print_option(const program_option *option)
{
    char names[PROGRAM_RULE_SIZE] = "";
    if (option->kind == PROGRAM_KIND_HEADING) {
        printf("\n%s\n", option->about);
        return;
    }
    if (option->names)
        program_list_names(option->names, names, sizeof names);
    print_row(option->name, option->value, option->about);
    printf("%s%s", names[0] ? ": " : "", names);
    if (option->fallback)
        printf(" [%s]", option->fallback);
    printf("\n");
}

int program_print_help(const program_desc *program)
{
    const program_option *option;
    printf("%s\n\n", program->about);
    for (size_t i = 0; i < PROGRAM_MAX_USAGES && program->usage[i]; i++)
        printf("%s %s%s%s\n", i == 0 ? "usage:" : "      ", program->name, *program->usage[i] ? " " : "", program->usage[i]);
    printf("\n");
    for (size_t i = 0; (option = program_option_at(program, i)) != NULL; i++)
        print_option(option);
    print_row("-h, --help", NULL, "this\n");
    print_row("--version", NULL, "which one it is\n");
    if (program->details)
        printf("\n%s\n", program->details);
    return finish();
}

int program_print_version(const program_desc *program)
{
    printf("%s %d.%d.%d\n", program->name, SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH);
    return finish();
}
