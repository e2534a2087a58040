/* The command line. */
#include "classify.h"

#include <math.h>

/* Types of the matrices: the engine has no bfloat16. */
static const char *matrix_type(int index)
{
    return index <= SMOE_TYPE_FLOAT16 ? smoe_type_short_name((smoe_type)index) : NULL;
}

static const program_names matrix_types = {.name = matrix_type}, fits = {.name = vision_fit_name};

static const program_option option_rows[] = {
    {"--batch", "FOLDER", "FOLDER/CLASS/PICTURE: confusion matrix and accuracy", PROGRAM_TEXT(classify_options, batch)},
    {"--check", "FILE", "a model with images and expected.logits: the largest error; may stand several times",
     PROGRAM_ARGUMENT(classify_options, check_count)},
    {"--model", "FILE", "safetensors [the model that comes with the program]", PROGRAM_TEXT(classify_options, model)},
    {"--device", "N|NAME|UUID", "which device; smoe-devices lists them [best]", PROGRAM_TEXT(classify_options, device)},
    {"--weights", "TYPE", "what the matrices are converted to; without it f16 where the file has f16",
     PROGRAM_NAME(classify_options, weights, &matrix_types)},
    {"--eps", "X", "band width of the routing in place of the model's own; 0 = hard routing",
     PROGRAM_FORWARD(classify_options, eps)},
    {"--fit", "HOW",
     "how a picture becomes a square: its middle, all of it with borders, or all of it distorted; without it as the "
     "model says",
     PROGRAM_NAME(classify_options, fit, &fits)},
    {"--batch-size", "N", "pictures per submission", PROGRAM_COUNT(classify_options, batch_size, 1, 65536),
     .fallback = "16"},
    {"--out", "FILE",
     "write logits, and for pictures the model's inputs, as safetensors; not with --batch; for several files of "
     "--check "
     "a folder, which gets NAME.out.safetensors for NAME.safetensors",
     PROGRAM_TEXT(classify_options, out)},
    {"--report", "OUT.html", "write a page: each picture, its answer and, laid over it, what the experts did",
     PROGRAM_TEXT(classify_options, report)},
    {"--repeat", "N", "with --check: time N more runs of the last batch",
     PROGRAM_COUNT(classify_options, repeat, 1, 100000)},
    {"--no-subgroups", NULL, "kernels without subgroup operations, smoe's too",
     PROGRAM_FLAG(classify_options, no_subgroups)},
    {"--validate", NULL, "run under the validation layers; any message fails",
     PROGRAM_FLAG(classify_options, validate)},
};

static const program_desc description = {
    .name = "smoe-classify",
    .about =
        "Classifies pictures with a vision transformer whose blocks may hold mixtures of experts, on a Vulkan device:\n"
        "each picture's five best classes. A folder stands for the files in it.",
    .usage = {"[options] PICTURE...", "[options] --batch FOLDER", "[options] --check FILE..."},
    .tables = {PROGRAM_TABLE(option_rows)},
    .argument = "PICTURE",
    .most_arguments = UINT32_MAX,
    .details =
        "A file of --check that is refused does not keep the others from running, and the largest exit status counts.\n"
        "Exit status: 0; 1 if a picture could not be read, or the check, validation, the device or writing failed; 2 "
        "for a model\n"
        "or a command line that cannot be followed: files that may not be written, folders that are no classes.",
};

static bool refuse(const char *option, const char *rule)
{
    return program_refuse(&description, option, NULL, rule);
}

/* What no single option can tell. */
static bool check_together(const classify_options *options)
{
    const bool pictures = options->picture_count > options->check_count, check = options->check_count > 0;
    const int modes = check + (options->batch != NULL) + pictures;
    if (modes == 0)
        return refuse("PICTURE", "is missing, as are --batch and --check; --help tells the rest");
    if (modes > 1)
        return refuse(check ? "--check" : "--batch", "pictures, --batch and --check exclude one another");
    if (options->out && options->batch)
        return refuse("--out", "does not go with --batch");
    if (options->report && !pictures)
        return refuse("--report", "shows pictures one by one, and goes with neither --batch nor --check");
    if (options->repeat && !check)
        return refuse("--repeat", "only goes with --check");
    if (check && options->model)
        return refuse("--check", "FILE is a model itself; --model does not go with it");
    if (check && options->fit >= 0)
        return refuse("--fit", "is for pictures; the images of --check are squares");
    if (check && !isnan(options->eps))
        return refuse("--check", "compares with what the file expects; --eps would change the result");
    return true;
}

bool classify_parse_options(int count, char **arguments, classify_options *options, int *status)
{
    program_line line;
    const bool read = program_read(&description, count, arguments, options, &line);
    *status = line.status;
    if (!read)
        return false;
    options->pictures = line.arguments;
    options->picture_count = line.argument_count;
    *status = PROGRAM_REFUSED;
    return check_together(options);
}
