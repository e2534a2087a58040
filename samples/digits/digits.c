/* smoe-digits: classifies handwritten digits with a small smooth mixture-of-experts model, and shows which experts ran.
 *
 *     x = embed(pixels / 16)      linear, 64 -> D, here in plain C
 *     y = smoe(x)                 the smooth MoE layer, on the Vulkan device, all digits in one forward
 *     answer = softmax(head(x + y))  linear, D -> 10, here in plain C
 *
 * Everything outside the MoE layer is linear. train.py made the model; README.md names the source of the digits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smoe/device.h"
#include "smoe/layer_file.h"

#include "digits.h"
#include "program/data.h"
#include "program/options.h"
#include "program/output.h"

typedef struct digits_options {
    const char *model, *data, *device;
    float eps; /* NaN: the model's own */
    uint32_t index;
    bool all, validate, one; /* one: --index is given */
} digits_options;

static const program_option option_rows[] = {
    {"--device", "N|NAME|UUID", "which device; smoe-devices lists them [best]", PROGRAM_TEXT(digits_options, device)},
    {"--eps", "X", "band width instead of the model's own; 0 is hard routing", PROGRAM_FORWARD(digits_options, eps)},
    {"--index", "N", "only digit N of the data, with all ten probabilities",
     PROGRAM_COUNT(digits_options, index, 0, UINT32_MAX)},
    {"--all", NULL, "a line for each held-out digit, not only for the first and the wrong ones",
     PROGRAM_FLAG(digits_options, all)},
    {"--model", "FILE", "the model [the one that comes with the program]", PROGRAM_TEXT(digits_options, model)},
    {"--data", "FILE", "the digits [those that come with the program]", PROGRAM_TEXT(digits_options, data)},
    {"--validate", NULL, "run under the Vulkan validation layers; any message is a failure",
     PROGRAM_FLAG(digits_options, validate)},
};

static const program_desc description = {
    .name = "smoe-digits",
    .about = "Classifies handwritten digits with a small smooth mixture-of-experts model, and shows which experts ran.",
    .usage = {"[options]"},
    .tables = {PROGRAM_TABLE(option_rows)},
    .details = "Exit status: 0; 1 if the device, validation or writing failed; 2 for a wrong command line, model or "
               "data.",
};

/* False where the program is to exit with *status. */
static bool parse_options(digits_options *out, int argc, char **argv, int *status)
{
    program_line line;
    const bool read = program_read(&description, argc, argv, out, &line);
    *status = line.status;
    if (!read)
        return false;
    out->one = program_given(&line, "--index") != NULL;
    *status = PROGRAM_REFUSED;
    return !(out->all && out->one) || program_refuse(&description, "--all", NULL, "contradicts --index");
}

static void print_message(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    if (level != SMOE_LOG_INFO)
        program_say("smoe-digits", "%s%s", level == SMOE_LOG_WARNING ? "warning: " : "", text);
}

/* The options' files, or those that come with the program. */
static bool find_files(digits_options *options, const char *started, char data[SMOE_SYSTEM_NAME_SIZE],
                       char model[SMOE_SYSTEM_NAME_SIZE])
{
    if (!options->data && !program_find_data("smoe-digits", started, "--data", "digits/digits.safetensors", data))
        return false;
    if (!options->model && !program_find_data("smoe-digits", started, "--model", "digits/model.safetensors", model))
        return false;
    options->data = options->data ? options->data : data;
    options->model = options->model ? options->model : model;
    return true;
}

/* The data of a tensor of exactly this type and shape (columns 0: of rank 1), or NULL after a message. */
static const void *require_tensor(const smoe_layer_file *file, const char *path, const char *name,
                                  smoe_tensor_type type, uint64_t rows, uint64_t columns)
{
    const smoe_tensor *tensor = smoe_layer_file_tensor(file, name);
    if (tensor && tensor->type == type && tensor->rank == (columns ? 2u : 1u) && tensor->shape[0] == rows &&
        (!columns || tensor->shape[1] == columns))
        return tensor->data;
    program_say("smoe-digits", "%s: tensor %s is missing or not %s [%llu%s%.0llu]", path, name,
                type == SMOE_TENSOR_UINT8 ? "U8" : "F32", (unsigned long long)rows, columns ? ", " : "",
                (unsigned long long)columns);
    return NULL;
}

static bool open_data(digits_data *data, smoe_layer_file **file, const char *path, const smoe_log *log)
{
    if (smoe_layer_file_open(path, NULL, log, file) != SMOE_SUCCESS)
        return false;
    const smoe_tensor *images = smoe_layer_file_tensor(*file, "images");
    uint64_t count = images ? images->shape[0] : 1;
    if (count == 0 || count > SMOE_MAX_TOKENS) {
        program_say("smoe-digits", "%s: images must have 1 to %u rows", path, SMOE_MAX_TOKENS);
        return false;
    }
    data->count = (uint32_t)count;
    data->images = require_tensor(*file, path, "images", SMOE_TENSOR_UINT8, count, DIGITS_PIXELS);
    data->labels = require_tensor(*file, path, "labels", SMOE_TENSOR_UINT8, count, 0);
    data->held_out = require_tensor(*file, path, "held_out", SMOE_TENSOR_UINT8, count, 0);
    if (!data->images || !data->labels || !data->held_out)
        return false;
    for (uint32_t i = 0; i < data->count; i++) {
        bool legal = data->labels[i] < DIGITS_CLASSES && data->held_out[i] <= 1;
        for (uint32_t p = 0; p < DIGITS_PIXELS; p++)
            legal = legal && data->images[i * DIGITS_PIXELS + p] <= DIGITS_INK;
        if (!legal) {
            program_say("smoe-digits",
                        "%s: digit %u has a label above 9, a pixel above 16 or a split that is not 0 or 1", path, i);
            return false;
        }
    }
    return true;
}

/* out[r] = bias[r] + sum over c of weight[r,c] in[c] */
static void linear(float *out, const float *weight, const float *bias, const float *in, uint32_t rows, uint32_t columns)
{
    for (uint32_t r = 0; r < rows; r++) {
        float sum = bias[r];
        for (uint32_t c = 0; c < columns; c++)
            sum += weight[r * columns + c] * in[c];
        out[r] = sum;
    }
}

static void answer_digit(digits_result *result, const float *logits)
{
    uint32_t best = 0;
    float sum = 0.0f;
    for (uint32_t c = 1; c < DIGITS_CLASSES; c++)
        best = logits[c] > logits[best] ? c : best;
    for (uint32_t c = 0; c < DIGITS_CLASSES; c++) {
        result->probability[c] = expf(logits[c] - logits[best]);
        sum += result->probability[c];
    }
    for (uint32_t c = 0; c < DIGITS_CLASSES; c++)
        result->probability[c] /= sum;
    result->answer = isfinite(sum) ? best : DIGITS_NO_ANSWER;
}

/* The model's file, and what it holds beside the plan and the numbers of a forward. */
typedef struct digits_model {
    smoe_layer_file *file;
    smoe_host_weights weights;
    const float *embed_weight, *embed_bias, *head_weight, *head_bias;
} digits_model;

static bool open_model(digits_model *model, digits_run *run, const char *path, const smoe_log *log)
{
    if (smoe_layer_file_open(path, NULL, log, &model->file) != SMOE_SUCCESS ||
        smoe_layer_file_layer(model->file, &run->plan, &run->params, &model->weights) != SMOE_SUCCESS)
        return false;
    const uint32_t width = run->plan.d_model;
    model->embed_weight = require_tensor(model->file, path, "embed.weight", SMOE_TENSOR_FLOAT32, width, DIGITS_PIXELS);
    model->embed_bias = require_tensor(model->file, path, "embed.bias", SMOE_TENSOR_FLOAT32, width, 0);
    model->head_weight = require_tensor(model->file, path, "head.weight", SMOE_TENSOR_FLOAT32, DIGITS_CLASSES, width);
    model->head_bias = require_tensor(model->file, path, "head.bias", SMOE_TENSOR_FLOAT32, DIGITS_CLASSES, 0);
    return model->embed_weight && model->embed_bias && model->head_weight && model->head_bias;
}

static bool classify(digits_run *run, const digits_options *options, const digits_model *model, smoe_device *device)
{
    bool done = false;
    smoe_device_layer *layer = NULL;
    float *x = NULL, *y = NULL;
    smoe_plan_desc *plan = &run->plan;
    const uint32_t width = plan->d_model;
    plan->min_tokens = plan->max_tokens = run->params.token_count = run->count;
    plan->max_active = plan->max_active ? plan->max_active : plan->expert_count;
    run->params.eps = !isnan(options->eps) ? options->eps : run->params.eps;
    x = malloc(sizeof *x * run->count * width);
    y = malloc(sizeof *y * run->count * width);
    run->report = malloc(sizeof *run->report * run->count * SMOE_REPORT_STRIDE(plan->max_active));
    if (!x || !y || !run->report) {
        program_say("smoe-digits", "out of memory");
        goto done;
    }
    for (uint32_t t = 0; t < run->count; t++) {
        float pixels[DIGITS_PIXELS];
        for (uint32_t p = 0; p < DIGITS_PIXELS; p++)
            pixels[p] = (float)run->data->images[run->index[t] * DIGITS_PIXELS + p] / (float)DIGITS_INK;
        linear(x + (size_t)t * width, model->embed_weight, model->embed_bias, pixels, width, DIGITS_PIXELS);
    }
    if (smoe_device_layer_create(device, plan, &model->weights, &layer) != SMOE_SUCCESS ||
        smoe_device_layer_forward(layer, &run->params, x, y, run->report, NULL) != SMOE_SUCCESS ||
        /* the first run may compile */
        smoe_device_layer_repeat(layer, &run->params, true, 1, &run->timings) != SMOE_SUCCESS)
        goto done;
    for (uint32_t t = 0; t < run->count; t++) {
        float logits[DIGITS_CLASSES], *row = y + (size_t)t * width;
        for (uint32_t d = 0; d < width; d++)
            row[d] += x[(size_t)t * width + d];
        linear(logits, model->head_weight, model->head_bias, row, DIGITS_CLASSES, width);
        answer_digit(&run->results[t], logits);
    }
    done = true;
done:
    smoe_device_layer_destroy(layer);
    free(x);
    free(y);
    return done;
}

int main(int argc, char **argv)
{
    int status;
    char model_path[SMOE_SYSTEM_NAME_SIZE], data_path[SMOE_SYSTEM_NAME_SIZE];
    digits_options options;
    smoe_log log = {print_message, NULL};
    digits_data data = {0};
    digits_run run = {.data = &data};
    digits_model model = {0};
    smoe_layer_file *data_file = NULL;
    smoe_device *device = NULL;
    program_begin("smoe-digits");
    if (!parse_options(&options, argc, argv, &status))
        return status;
    status = PROGRAM_REFUSED;
    if (!find_files(&options, argv[0], data_path, model_path) || !open_data(&data, &data_file, options.data, &log) ||
        !open_model(&model, &run, options.model, &log))
        goto done;
    if (options.one && options.index >= data.count) {
        program_say("smoe-digits", "--index: must be below %u, the number of digits in the data", data.count);
        goto done;
    }
    run.index = malloc(sizeof *run.index * data.count);
    run.results = calloc(data.count, sizeof *run.results);
    if (!run.index || !run.results) {
        program_say("smoe-digits", "out of memory");
        status = PROGRAM_FAILED;
        goto done;
    }
    for (uint32_t i = 0; i < data.count; i++)
        if (options.one ? i == options.index : data.held_out[i] == 1)
            run.index[run.count++] = i;
    if (run.count == 0) {
        program_say("smoe-digits", "the data holds no held-out digit");
        goto done;
    }
    status = PROGRAM_FAILED;
    smoe_device_desc desc = {.selector = options.device, .validation = options.validate, .log = &log};
    if (smoe_device_create(&desc, &device) != SMOE_SUCCESS || !classify(&run, &options, &model, device))
        goto done;
    run.device_name = smoe_context_device_info(smoe_device_context(device))->name;
    if (options.one)
        digits_print_one(&run);
    else
        digits_print_all(&run, options.all);
    status = smoe_device_validation_count(device) > 0 ? PROGRAM_FAILED : PROGRAM_OK;
done:
    status = program_end("smoe-digits", status);
    smoe_device_destroy(device);
    smoe_layer_file_close(data_file);
    smoe_layer_file_close(model.file);
    free(run.index);
    free(run.results);
    free(run.report);
    return status;
}
