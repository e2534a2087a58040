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

#include "smoe/device.h"

#include "digits.h"
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

static bool classify(digits_run *run, const digits_options *options, const digits_model *model, smoe_device *device)
{
    bool done = false;
    smoe_device_layer *layer = NULL;
    float *x = NULL, *y = NULL;
    smoe_plan_desc *plan = &run->plan;
    const uint32_t width = plan->d_model;
    plan->min_tokens = plan->max_tokens = run->params.token_count = run->count;
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
        digits_embed(model, pixels, x + (size_t)t * width);
    }
    if (smoe_device_layer_create(device, plan, &model->weights, &layer) != SMOE_SUCCESS ||
        smoe_device_layer_forward(layer, &run->params, x, y, run->report, NULL) != SMOE_SUCCESS ||
        /* the first run may compile */
        smoe_device_layer_repeat(layer, &run->params, true, 1, &run->timings) != SMOE_SUCCESS)
        goto done;
    for (uint32_t t = 0; t < run->count; t++) {
        float logits[DIGITS_CLASSES];
        digits_head(model, x + (size_t)t * width, y + (size_t)t * width, logits);
        run->results[t].answer = digits_answer(logits, run->results[t].probability);
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
    digits_options options;
    smoe_log log = {print_message, NULL};
    digits_data data = {0};
    digits_model model = {0};
    digits_run run = {.data = &data};
    smoe_device *device = NULL;
    program_begin("smoe-digits");
    if (!parse_options(&options, argc, argv, &status))
        return status;
    status = PROGRAM_REFUSED;
    if (!digits_open_data(&data, "smoe-digits", argv[0], options.data) ||
        !digits_open_model(&model, "smoe-digits", argv[0], options.model))
        goto done;
    run.plan = model.plan;
    run.params = model.params;
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
    digits_close_data(&data);
    digits_close_model(&model);
    free(run.index);
    free(run.results);
    free(run.report);
    return status;
}
