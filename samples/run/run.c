/* smoe-run FILE.safetensors: one layer through device.h, layer_file.h and checkpoint.h. README.md says what it prints. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int run_layer(run *r)
{
    const smoe_device_desc desc = {.selector = r->options.device, .validation = r->options.validate, .log = &r->log};
    smoe_result result = smoe_device_create(&desc, &r->device);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_create(r->device, &r->plan, &r->weights, &r->layer);
    if (result == SMOE_SUCCESS && !isnan(r->options.calibrate))
        result = smoe_device_layer_calibrate(r->layer, &r->params, r->x, r->options.calibrate, &r->params.eps, &r->calibrated_extra);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_reset_totals(r->layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(r->layer, &r->params, r->x, r->y, r->report, NULL);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_totals(r->layer, &r->totals, r->expert_tokens);
    if (result != SMOE_SUCCESS)
        fprintf(stderr, "smoe-run: %s\n", smoe_result_text(result));
    return run_status(result);
}

static int run_all(run *r)
{
    run_expected expected;
    int status = run_load(r);
    if (status == RUN_OK && r->options.check && !run_find_expected(r, &expected))
        status = RUN_REFUSED;
    if (status == RUN_OK)
        status = run_layer(r);
    if (status != RUN_OK)
        return status;
    run_print_summary(r);
    if (r->options.check)
        status = run_check(r, &expected);
    if (r->options.repeat != RUN_NONE) {
        const int timed = run_time(r);
        status = status == RUN_OK ? timed : status;
    }
    if (r->options.out) {
        const int written = run_write_results(r);
        status = written == RUN_OK ? status : written;
    }
    if (r->options.write) {
        const int written = run_write_layer(r);
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
    smoe_layer_file_close(r->x_file);
    smoe_checkpoint_layer_destroy(r->checkpoint_layer);
    free(r->random_x);
    free(r->expert_tokens);
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
