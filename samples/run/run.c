/* smoe-run FILE.safetensors: one layer file through device.h and layer_file.h. README.md says what it prints. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REPORT_SIZE (UINT64_C(1) << 30)

static void print_message(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    if (level != SMOE_LOG_INFO)
        fprintf(stderr, "smoe-run: %s%s\n", level == SMOE_LOG_WARNING ? "warning: " : "", text);
}

int run_status(smoe_result result)
{
    switch (result) {
    case SMOE_SUCCESS: return RUN_OK;
    case SMOE_ERROR_INVALID_ARGUMENT:
    case SMOE_ERROR_FILE: return RUN_REFUSED;
    default: return RUN_FAILED;
    }
}

static int refuse(const run *r, const char *text)
{
    fprintf(stderr, "smoe-run: %s: %s\n", r->options.file, text);
    return RUN_REFUSED;
}

static void override_number(double given, float *value)
{
    if (!isnan(given))
        *value = (float)given;
}

static void override_file(run *r)
{
    const run_options *options = &r->options;
    override_number(options->eps, &r->params.eps);
    override_number(options->a, &r->params.a);
    override_number(options->b, &r->params.b);
    override_number(options->temperature, &r->params.temperature);
    override_number(options->tie_tolerance, &r->params.tie_tolerance);
    override_number(options->scale, &r->params.scale);
    r->plan.top_k = options->top_k ? options->top_k : r->plan.top_k;
    r->plan.max_active = options->max_active ? options->max_active : r->plan.max_active;
    r->plan.max_active = r->plan.max_active ? r->plan.max_active : r->plan.expert_count;
    r->plan.weight_type = options->has_weights ? options->weights : r->plan.weight_type;
}

/* All that can be refused before a device is opened. */
static int load(run *r, run_expected *expected)
{
    smoe_result result = smoe_layer_file_open(r->options.file, NULL, &r->log, &r->file);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_file_layer(r->file, &r->plan, &r->params, &r->weights);
    if (result != SMOE_SUCCESS)
        return result == SMOE_ERROR_UNSUPPORTED ? RUN_REFUSED : run_status(result); /* here it is the file that asks for too much */
    const smoe_tensor *x = smoe_layer_file_tensor(r->file, "x");
    if (!x)
        return refuse(r, "there is no tensor x: nothing to run the layer on");
    r->x = x->data;
    const bool narrows = r->options.has_weights && r->options.weights != r->plan.weight_type && r->options.weights == SMOE_TYPE_FLOAT16;
    override_file(r);
    if (r->options.check && narrows)
        return refuse(r, "--check: the tolerances are for the file's own float32 weights, not for --weights f16");
    if (r->plan.top_k > r->plan.expert_count)
        return refuse(r, "--k is more than the layer's experts");
    if (r->plan.max_active < r->plan.top_k || r->plan.max_active > r->plan.expert_count)
        return refuse(r, "--max-active must lie between k and the layer's number of experts");
    if (r->options.check && !run_find_expected(r, expected))
        return RUN_REFUSED;
    const uint64_t tokens = r->params.token_count;
    const uint64_t report_size = tokens * SMOE_REPORT_STRIDE(r->plan.max_active) * 4;
    if (report_size > MAX_REPORT_SIZE)
        return refuse(r, "the report of so many tokens and active experts would take over 1 GiB; --max-active makes it smaller");
    r->report = malloc((size_t)report_size);
    r->y = malloc((size_t)(tokens * r->plan.d_model * sizeof *r->y));
    if (r->report && r->y)
        return RUN_OK;
    fprintf(stderr, "smoe-run: no host memory for the output\n");
    return RUN_FAILED;
}

static int run_layer(run *r)
{
    const smoe_device_desc desc = {.selector = r->options.device, .validation = r->options.validate, .log = &r->log};
    smoe_result result = smoe_device_create(&desc, &r->device);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_create(r->device, &r->plan, &r->weights, &r->layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(r->layer, &r->params, r->x, r->y, r->report, NULL);
    if (result != SMOE_SUCCESS)
        fprintf(stderr, "smoe-run: %s\n", smoe_result_text(result));
    return run_status(result);
}

static int run_all(run *r)
{
    run_expected expected;
    int status = load(r, &expected);
    if (status == RUN_OK)
        status = run_layer(r);
    if (status != RUN_OK)
        return status;
    run_print_summary(r);
    if (r->options.check)
        status = run_check(r, &expected);
    if (r->options.repeat > 0) {
        const int timed = run_time(r);
        status = status == RUN_OK ? timed : status;
    }
    if (r->options.out) {
        const int written = run_write(r);
        status = written == RUN_OK ? status : written;
    }
    return status;
}

/* The layer's end is part of what validation watches; the device's own end is reported through the log. */
static int finish(run *r, int status)
{
    smoe_device_layer_destroy(r->layer);
    if (r->options.validate && r->device) {
        const uint32_t messages = smoe_device_validation_count(r->device);
        printf("validation    %u messages\n", messages);
        if (messages > 0 && status == RUN_OK)
            status = RUN_FAILED;
    }
    smoe_device_destroy(r->device);
    smoe_layer_file_close(r->file);
    free(r->report);
    free(r->y);
    return status;
}

int main(int count, char **arguments)
{
    run r;
    memset(&r, 0, sizeof r);
    r.log.message = print_message;
    if (!run_parse_options(count, arguments, &r.options))
        return RUN_REFUSED;
    if (r.options.help) {
        run_print_help();
        return RUN_OK;
    }
    const int status = finish(&r, run_all(&r));
    return fflush(stdout) == 0 ? status : RUN_FAILED;
}
