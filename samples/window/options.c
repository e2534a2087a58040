/* The command line. */
#include "app.h"

#include "program/options.h"

static const program_option option_rows[] = {
    {"--device", "N|NAME|UUID", "which device; smoe-devices lists them [best]", PROGRAM_TEXT(window_options, device)},
    {"--model", "FILE", "the digits' or the pictures' model [the one that comes with the program]",
     PROGRAM_TEXT(window_options, model)},
    {"--pictures", NULL, "classify pictures that are dropped on the window, as with PICTURE",
     PROGRAM_FLAG(window_options, pictures)},
    {"--data", "FILE", "the digits [those that come with the program]", PROGRAM_TEXT(window_options, data)},
    {"--scale", "X", "pixels of a unit of the interface [the display's]",
     PROGRAM_NUMBER(window_options, scale, 0.5, 4)},
    {"--no-vsync", NULL, "draw without waiting for the display", PROGRAM_FLAG(window_options, no_vsync)},
    {"--script", "FILE", "do what its lines say, a line a frame, as a user would (samples/window/README.md)",
     PROGRAM_TEXT(window_options, script)},
    {"--validate", NULL, "run under the Vulkan validation layers; any message is a failure",
     PROGRAM_FLAG(window_options, validate)},
};

static const program_desc description = {
    .name = "smoe-window",
    .about =
        "Shows hard and smooth routing side by side, live: paint a digit, or drop pictures, move the sliders, zoom "
        "into a jump.",
    .usage = {"[options]", "[options] PICTURE..."},
    .argument = "PICTURE",
    .most_arguments = UINT32_MAX,
    .tables = {PROGRAM_TABLE(option_rows)},
    .details = "Exit status: 0; 1 without a display or a device that draws, or if the device, validation or writing "
               "failed;\n2 for a wrong command line, model, data or script.",
};

bool window_read_options(window_options *out, int argc, char **argv, int *status)
{
    program_line line;
    const bool read = program_read(&description, argc, argv, out, &line);
    *status = line.status;
    out->picture_paths = line.arguments;
    out->picture_count = line.argument_count;
    out->pictures = out->pictures || line.argument_count > 0;
    return read;
}
