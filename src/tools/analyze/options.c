/* The command line: the options of every subcommand, and which subcommand it is. */
#include "analyze.h"

#include <string.h>

static const analyze_command *const commands[] = {
    &analyze_volume,     &analyze_paths,      &analyze_occupation, &analyze_boundary_mass,
    &analyze_soft_to_hard, &analyze_continuity, &analyze_cost,       &analyze_philox,
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands, TEXT_SIZE = 2048 };

static const program_option common[] = {
    {"--device", "N|NAME|UUID", "which device; smoe-devices lists them [best]",
     PROGRAM_TEXT(analyze_options, device)},
    {"--seed", "N", "of everything random", PROGRAM_LARGE(analyze_options, seed, 0, PROGRAM_LARGEST), .fallback = "1"},
    {"--json", "FILE|-", "the results as JSON; with -, the tables go to stderr", PROGRAM_TEXT(analyze_options, json)},
    {"--progress", NULL, "show progress on stderr even where that is no terminal",
     PROGRAM_FLAG(analyze_options, progress)},
    {"--validate", NULL, "run under the validation layers; any message fails",
     PROGRAM_FLAG(analyze_options, validate)},
};

static const program_desc without_subcommand = {
    .name = "smoe-analyze",
    .about = "Measures on a Vulkan device what theory predicts of sparse mixture-of-experts routing.",
    .usage = {"SUBCOMMAND [options]", "SUBCOMMAND --help"},
    .argument = "SUBCOMMAND",
    .least_arguments = 1,
    .most_arguments = UINT32_MAX,
};

/* Help of the program as a whole, or why its first argument is no subcommand. An exit status. */
static int read_without_subcommand(int count, char **arguments)
{
    static char text[TEXT_SIZE];
    program_desc program = without_subcommand;
    program_line line;
    size_t used = 0;
    for (int i = 0; i < COMMAND_COUNT; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "  %-14s %s\n", commands[i]->name, commands[i]->about);
    snprintf(text + used, sizeof text - used,
             "\nExit status: 0; 1 if the device, validation or writing failed; 2 for a wrong command line or file, or "
             "an output\n"
             "that may not be written.");
    program.details = text;
    if (program_read(&program, count, arguments, NULL, &line))
        return analyze_refuse(line.arguments[0], "no such subcommand; --help lists them");
    return line.status;
}

static void describe(const analyze_command *command, program_desc *program, char usage[TEXT_SIZE])
{
    static const char *const files[] = {"", " [FILE]", " FILE"};
    snprintf(usage, TEXT_SIZE, "%s [options]%s", command->name, files[command->file]);
    *program = (program_desc){
        .name = without_subcommand.name,
        .about = command->about,
        .usage = {usage},
        .tables = {command->options, PROGRAM_TABLE(common)},
        .argument = command->file == ANALYZE_NO_FILE ? NULL : "FILE",
        .least_arguments = command->file == ANALYZE_FILE_NEEDED,
        .most_arguments = command->file != ANALYZE_NO_FILE,
    };
}

bool analyze_parse_options(analyze *a, int count, char **arguments, int *status)
{
    static char usage[TEXT_SIZE];
    for (int i = 0; i < COMMAND_COUNT && count > 1; i++)
        if (strcmp(arguments[1], commands[i]->name) == 0)
            a->command = commands[i];
    if (!a->command) {
        *status = read_without_subcommand(count, arguments);
        return false;
    }
    describe(a->command, &a->program, usage);
    const bool read = program_read(&a->program, count - 1, arguments + 1, &a->options, &a->line);
    a->file = read && a->line.argument_count > 0 ? a->line.arguments[0] : NULL;
    *status = a->line.status;
    return read;
}
