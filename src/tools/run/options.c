/* The command line. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole numbers with commas between, added to those of an earlier --layer. */
static bool add_layers(const program_option *option, const char *value, void *to, char rule[PROGRAM_RULE_SIZE])
{
    run_options *options = to;
    for (const char *at = value;; at++) {
        char *end;
        const unsigned long layer = strtoul(at, &end, 10);
        snprintf(rule, PROGRAM_RULE_SIZE, "must be a whole number from %.0f to %.0f, or several with commas between",
                 option->least, option->most);
        if (*at < '0' || *at > '9' || end - at > 9 || (*end && *end != ',') || (double)layer > option->most)
            return false;
        snprintf(rule, PROGRAM_RULE_SIZE, "must be %d layers at most", RUN_MAX_LAYERS);
        if (options->layer_count == RUN_MAX_LAYERS)
            return false;
        options->layers[options->layer_count++] = (uint32_t)layer;
        if (!*end)
            return true;
        at = end;
    }
}

static const program_option option_rows[] = {
    {"--checkpoint", "PATH",
     "folder with config.json and model.safetensors or its shards, or a .safetensors or .gguf file",
     PROGRAM_ARGUMENT(run_options, checkpoint_count)},
    {"--layer", "N,...", "which of the model's layers, from 0", PROGRAM_OTHER(add_layers), .most = 65535},
    {"--x", "FILE", "inputs: tensor x [T,d_model] of a safetensors file", PROGRAM_TEXT(run_options, x)},
    {"--tokens", "N", "inputs of N tokens of normal random numbers instead; the default with --checkpoint",
     PROGRAM_COUNT(run_options, tokens, 1, SMOE_MAX_TOKENS), .fallback = "64"},
    {"--seed", "N", "of those numbers", PROGRAM_COUNT(run_options, seed, 0, 999999999), .fallback = "1"},
    {"--device", "N|NAME|UUID", "which device; smoe-devices lists them [best]", PROGRAM_TEXT(run_options, device)},
    {"--validate", NULL, "run under the validation layers; any message fails", PROGRAM_FLAG(run_options, validate)},
    {"--check", NULL, "compare with the expected.* tensors of the file, or with --checkpoint of that of --x",
     PROGRAM_FLAG(run_options, check)},
    {"--route-only", NULL, "run only the router: --out and --check are about routing; experts need not be there",
     PROGRAM_FLAG(run_options, route_only)},
    {"--calibrate", "X", "choose the largest eps that runs at most X extra experts on average over the inputs",
     PROGRAM_NUMBER(run_options, calibrate, 0, SMOE_MAX_EXPERTS)},
    {"--out", "FILE", "write y and the boundary report as safetensors; of several layers, into a folder",
     PROGRAM_TEXT(run_options, out)},
    {"--write", "FILE", "write the layer and its inputs as a layer file; of several layers, into a folder",
     PROGRAM_TEXT(run_options, write)},
    {"--repeat", "N", "time N more runs", PROGRAM_COUNT(run_options, repeat, 1, 100000)},
    {"--expected-active", "N", "experts that a token is expected to run: tiles are chosen for so many [k]",
     PROGRAM_COUNT(run_options, expected_active, 1, SMOE_MAX_EXPERTS)},
    PROGRAM_HEADING("in place of what the file says:"),
    {"--k", "N", "experts chosen", PROGRAM_COUNT(run_options, top_k, 1, SMOE_MAX_EXPERTS)},
    {"--activation", "NAME", "of the experts", PROGRAM_NAME(run_options, activation, &program_activations)},
    {"--max-active", "N", "most experts that may run for a token",
     PROGRAM_COUNT(run_options, max_active, 1, SMOE_MAX_EXPERTS)},
    {"--eps", "X", "band width; 0 = hard routing", PROGRAM_FORWARD(run_options, params.eps)},
    {"--group-eps", "X", "band width of the groups' scores; 0 = hard groups",
     PROGRAM_FORWARD(run_options, params.group_eps)},
    {"--a", "X", "exponent of the mask", PROGRAM_FORWARD(run_options, params.a)},
    {"--b", "X", "exponent of the mask", PROGRAM_FORWARD(run_options, params.b)},
    {"--temperature", "X", "of the softmax", PROGRAM_FORWARD(run_options, params.temperature)},
    {"--tie-tolerance", "X", "scores this close count as tied in the report",
     PROGRAM_FORWARD(run_options, params.tie_tolerance)},
    {"--scale", "X", "factor on the weights", PROGRAM_FORWARD(run_options, params.scale)},
    {"--weights", "TYPE", "what the experts' weights are converted to",
     PROGRAM_NAME(run_options, weights, &program_rounded_types)},
    {"--mixed-precision", NULL,
     "round the experts' inputs to 16 bits, and weights with scales, for the device's matrix units",
     PROGRAM_FLAG(run_options, mixed_precision)},
};

/* The options that leave a layer's results as the file has them, and go with --check. */
static const char *const same_results[] = {"--checkpoint", "--layer", "--device", "--validate", "--check",
                                           "--out",        "--write", "--repeat", "--weights",  "--expected-active",
                                           "--route-only"};
/* With a checkpoint the results that are expected come in another file, for any options but this, which has other
 * tolerances. */
static const char other_tolerances[] = "--mixed-precision";

/* The options about experts, which --route-only leaves out. */
static const char *const of_experts[] = {"--write", "--expected-active", "--activation", "--weights",
                                         "--mixed-precision"};

static const program_desc description = {
    .name = "smoe-run",
    .about = "Runs a mixture-of-experts layer over inputs, on a Vulkan device: a layer file, or a layer of a model's "
             "checkpoint.",
    .usage = {"[options] FILE.safetensors...", "[options] --checkpoint PATH... --layer N,..."},
    .tables = {PROGRAM_TABLE(option_rows)},
    .argument = "FILE.safetensors",
    .most_arguments = UINT32_MAX,
    .details = "Several files run one after another on one device, with the same options, and so do several layers of "
               "one or more\n"
               "checkpoints: --checkpoint and --layer add to a list. --out and --write then name a folder that is "
               "there, which gets\n"
               "NAME.out.safetensors and NAME.layer.safetensors for NAME.safetensors, NAME.N.out.safetensors for a "
               "checkpoint's layer N.\n"
               "\n"
               "Exit status: 0; 1 if the check, validation, the device or writing failed; 2 for a wrong command line "
               "or file, or an\n"
               "output that may not be written. A file that is refused does not keep the others from running; of "
               "several layers the\n"
               "largest status counts.",
};

static bool refuse(const char *option, const char *rule)
{
    return program_refuse(&description, option, NULL, rule);
}

static bool keeps_results(const char *option, bool checkpoint)
{
    if (checkpoint)
        return strcmp(other_tolerances, option) != 0;
    for (size_t i = 0; i < sizeof same_results / sizeof *same_results; i++)
        if (strcmp(same_results[i], option) == 0)
            return true;
    return false;
}

static bool changes_results(const program_line *line, bool checkpoint)
{
    for (size_t i = 0; i < sizeof option_rows / sizeof *option_rows; i++)
        if (option_rows[i].name && program_given(line, option_rows[i].name) &&
            !keeps_results(option_rows[i].name, checkpoint))
            return true;
    return false;
}

static bool check_route_only(const run_options *options, const program_line *line)
{
    if (!options->route_only)
        return true;
    for (size_t i = 0; i < sizeof of_experts / sizeof *of_experts; i++)
        if (program_given(line, of_experts[i]))
            return refuse(of_experts[i], "is about experts; --route-only runs none");
    return options->out || options->check || refuse("--route-only", "needs --out FILE or --check");
}

/* What no single option can tell. */
static bool check_together(const run_options *options, const program_line *line)
{
    const bool checkpoint = options->checkpoint_count > 0;
    if (checkpoint && options->checkpoint_count < options->path_count)
        return refuse("--checkpoint", "stands in place of layer files: give either");
    if (checkpoint && options->layer_count == 0)
        return refuse("--checkpoint", "needs --layer N");
    if (!checkpoint && options->layer_count > 0)
        return refuse("--layer", "needs --checkpoint PATH");
    if (options->path_count == 0)
        return refuse(description.argument, "is missing; --help tells the rest");
    if (options->x && options->make_x)
        return refuse("--x", "excludes --tokens and --seed");
    if (!isnan(options->calibrate) && !isnan(options->params.eps))
        return refuse("--calibrate", "chooses eps; --eps excludes it");
    if (options->check && checkpoint && !options->x)
        return refuse("--check", "needs --x FILE with the expected results: checkpoints have none");
    if (options->check && changes_results(line, checkpoint))
        return refuse("--check", "compares with what the file expects; options that change the result exclude it");
    return check_route_only(options, line) && run_check_outputs(options);
}

bool run_parse_options(int count, char **arguments, run_options *options, int *status)
{
    program_line line;
    const smoe_forward_number *number;
    options->layer_count = 0;
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++)
        smoe_forward_number_set(number, &options->params, NAN); /* those without an option too */
    const bool read = program_read(&description, count, arguments, options, &line);
    *status = line.status;
    if (!read)
        return false;
    options->paths = line.arguments;
    options->path_count = line.argument_count;
    options->make_x = program_given(&line, "--tokens") || program_given(&line, "--seed");
    *status = PROGRAM_REFUSED;
    return check_together(options, &line);
}
