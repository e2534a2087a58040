/* The command line. */
#include "classify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void classify_print_help(void)
{
    puts("Classifies pictures with a vision transformer whose blocks may hold mixtures of experts, on a Vulkan device.\n"
         "\n"
         "usage: smoe-classify [options] PICTURE...    each picture's five best classes; a folder stands for the files in it\n"
         "       smoe-classify [options] --batch FOLDER    FOLDER/CLASS/PICTURE: confusion matrix and accuracy\n"
         "       smoe-classify [options] --check FILE    a model with images and expected.logits: the largest error; --check\n"
         "                                                  FILE again for each further file\n"
         "\n"
         "  --model FILE           safetensors [samples/vision/model.safetensors]\n"
         "  --device N|NAME|UUID   which device; smoe-devices lists them [best]\n"
         "  --weights f32|f16      what the matrices are converted to [f16 if they are f16 in the file]\n"
         "  --eps X                band width of the routing in place of the model's own; 0 = hard routing\n"
         "  --batch-size N         pictures per submission [16]\n"
         "  --out FILE             write logits, and for pictures the model's inputs, as safetensors; not with --batch; for several\n"
         "                         files of --check a folder, which gets NAME.out.safetensors for NAME.safetensors\n"
         "  --report OUT.html      write a page: each picture, its answer and, laid over it, what the experts did\n"
         "  --repeat N             with --check: time N more runs of the last batch\n"
         "  --no-subgroups         kernels without subgroup operations, smoe's too\n"
         "  --                     what follows are pictures, whatever they begin with\n"
         "  --validate             run under the validation layers; any message fails\n"
         "\n"
         "A file of --check that is refused does not keep the others from running, and the largest exit status counts.\n"
         "Exit status: 0; 1 if a picture could not be read, or the check, validation or the device failed; 2 for a model or a\n"
         "command line that cannot be followed: files that cannot be written, folders that are no classes, no such device.");
}

static bool refuse(const char *option, const char *rule)
{
    return vision_fail("%s %s", option, rule);
}

static bool parse_count(const char *name, const char *value, uint32_t most, uint32_t *out)
{
    char *end;
    const unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || strlen(value) > 9 || *end || number < 1 || number > most)
        return vision_fail("%s must be a whole number from 1 to %u; it is '%s'", name, most, value);
    *out = (uint32_t)number;
    return true;
}

static bool parse_eps(const char *value, float *out)
{
    char *end;
    const double number = strtod(value, &end);
    const bool plain = *value && strspn(value, "0123456789+-.eE") == strlen(value) && !*end;
    if (!plain || (number != 0 && !(number >= 1e-30 && number <= 1e30)))
        return vision_fail("--eps must be 0 or 1e-30 .. 1e30; it is '%s'", value);
    *out = (float)number;
    return true;
}

static bool parse_weights(const char *value, classify_options *options)
{
    options->has_weights = strcmp(value, "f32") == 0 || strcmp(value, "f16") == 0;
    options->weights = value[0] == 'f' && value[1] == '1' ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_FLOAT32;
    return options->has_weights || vision_fail("--weights must be f32 or f16; it is '%s'", value);
}

static bool parse_value(const char *name, char *value, classify_options *options)
{
    const struct { const char *name; const char **to; } texts[] = {{"--model", &options->model}, {"--batch", &options->batch},
                                                                   {"--device", &options->device}, {"--out", &options->out},
                                                                   {"--report", &options->report}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            if (*texts[i].to)
                return refuse(name, "is there twice");
            *texts[i].to = value;
            return *value || refuse(name, "needs a value that is not empty");
        }
    if (strcmp(name, "--check") == 0) {
        options->check_count++;
        options->pictures[options->picture_count++] = value;
        return *value || refuse(name, "needs a value that is not empty");
    }
    if (strcmp(name, "--weights") == 0)
        return parse_weights(value, options);
    if (strcmp(name, "--eps") == 0)
        return parse_eps(value, &options->eps);
    return strcmp(name, "--repeat") == 0 ? parse_count(name, value, 100000, &options->repeat)
                                         : parse_count(name, value, 65536, &options->batch_size);
}

static bool takes_value(const char *name)
{
    static const char *const names[] = {"--model", "--check", "--batch", "--device", "--out", "--weights", "--eps", "--batch-size",
                                        "--repeat", "--report"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool classify_parse_options(int count, char **arguments, classify_options *options)
{
    *options = (classify_options){.eps = NAN, .batch_size = 16, .pictures = arguments + 1};
    bool ended = false; /* by --: whatever follows is a picture */
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        if (!*name)
            return refuse("an argument", "is empty; it names no picture");
        if (ended || name[0] != '-')
            options->pictures[options->picture_count++] = arguments[i];
        else if (strcmp(name, "--") == 0)
            ended = true;
        else if (strcmp(name, "--validate") == 0)
            options->validate = true;
        else if (strcmp(name, "--no-subgroups") == 0)
            options->no_subgroups = true;
        else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
            options->help = true;
        else if (!takes_value(name))
            return refuse(name, "is no option; --help lists them");
        else if (i + 1 == count)
            return refuse(name, "needs a value");
        else if (!parse_value(name, arguments[++i], options))
            return false;
    }
    if (options->help)
        return true;
    const bool pictures = options->picture_count > options->check_count, check = options->check_count > 0;
    const int modes = check + (options->batch != NULL) + pictures;
    if (modes != 1)
        return modes == 0 ? refuse("a picture, --batch FOLDER or --check FILE", "is needed; --help lists the options")
                          : refuse("pictures, --batch and --check", "exclude one another");
    if (options->out && options->batch)
        return refuse("--out", "does not go with --batch");
    if (options->report && !pictures)
        return refuse("--report", "shows pictures one by one, and goes with neither --batch nor --check");
    if (options->repeat && !check)
        return refuse("--repeat", "goes with --check alone");
    if (check && options->model)
        return refuse("--check FILE", "is a model itself; --model does not go with it");
    if (check && !isnan(options->eps))
        return refuse("--check", "compares with what the file expects; --eps would change the result");
    return true;
}
