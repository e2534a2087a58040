/* smoe-run FILE.safetensors...: layers, one after another, through device.h, layer_file.h and checkpoint.h. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "program/output.h"
#include "program/progress.h"

static void print_message(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    if (level == SMOE_LOG_INFO)
        return;
    program_say("smoe-run", "%s%s", level == SMOE_LOG_WARNING ? "warning: " : "", text);
}

/* What the runs of one command share. */
typedef struct session {
    run_options options;
    smoe_log log;
    smoe_device *device; /* NULL until a layer is ready to run */
    bool lost;           /* there is no such device, and no layer can run */
} session;

static int open_device(session *s)
{
    const smoe_device_desc desc = {.selector = s->options.device, .validation = s->options.validate, .log = &s->log};
    const smoe_result result = s->device ? SMOE_SUCCESS : smoe_device_create(&desc, &s->device);
    s->lost = result != SMOE_SUCCESS;
    if (s->lost)
        program_say("smoe-run", "%s", smoe_result_text(result));
    return run_status(result);
}

static int run_layer(run *r)
{
    smoe_result result = smoe_device_layer_create(r->device, &r->plan, &r->weights, &r->layer);
    if (result == SMOE_SUCCESS)
        result = run_give_routing(r, r->layer);
    if (result == SMOE_SUCCESS && !isnan(r->options->calibrate))
        result = smoe_device_layer_calibrate(r->layer, &r->params, r->x, r->options->calibrate, &r->params.eps,
                                             &r->calibrated_extra);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_reset_totals(r->layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(r->layer, &r->params, r->x, r->y, r->report, NULL);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_totals(r->layer, &r->totals, r->expert_tokens);
    if (result != SMOE_SUCCESS)
        run_refuse(r, smoe_result_text(result));
    return run_status(result);
}

static void keep_first(int *status, int next)
{
    *status = *status == PROGRAM_OK ? next : *status;
}

/* All that is said and written of a layer that has run. */
static int show(run *r, const run_expected *expected)
{
    int status = PROGRAM_OK;
    run_print_summary(r);
    if (r->options->check)
        status = run_check(r, expected);
    if (r->options->repeat)
        keep_first(&status, run_time(r));
    if (r->options->out)
        keep_first(&status, r->options->route_only ? run_write_routing(r) : run_write_results(r));
    if (r->options->write)
        keep_first(&status, run_write_layer(r));
    if (r->narrowed) /* last: the layer goes for it */
        keep_first(&status, run_show_rounding(r));
    return status;
}

/* The layer's end is part of what validation watches; the device's own end is reported through the log. */
static int finish(run *r, uint32_t messages_before, int status)
{
    smoe_device_layer_destroy(r->layer);
    if (r->options->validate && r->device) {
        const uint32_t messages = smoe_device_validation_count(r->device) - messages_before;
        program_printf("validation    %u messages\n", messages);
        keep_first(&status, messages > 0 ? PROGRAM_FAILED : PROGRAM_OK);
    }
    if (r->device && run_source_count(r->options) > 1)
        program_printf("\n");
    smoe_layer_file_close(r->file);
    smoe_layer_file_close(r->x_file);
    smoe_checkpoint_layer_destroy(r->checkpoint_layer);
    free(r->random_x);
    free(r->stand_in);
    free(r->expert_tokens);
    free(r->report);
    free(r->y);
    return status;
}

static int run_one(session *s, run_source source)
{
    const uint32_t messages = s->device ? smoe_device_validation_count(s->device) : 0;
    run r = {.options = &s->options, .source = source, .log = s->log};
    run_expected expected = {0};
    int status = run_load(&r);
    if (status == PROGRAM_OK && r.options->check && !run_find_expected(&r, &expected))
        status = PROGRAM_REFUSED;
    if (status == PROGRAM_OK)
        status = open_device(s);
    if (status == PROGRAM_OK) {
        r.device = s->device;
        if (s->options.mixed_precision) /* what this device's matrix units multiply */
            r.plan.precision = smoe_select_precision(smoe_context_device_info(smoe_device_context(s->device)), &r.plan);
        program_progress_clear();
        run_print_heading(&r);
        status = run_layer(&r);
    }
    if (status == PROGRAM_OK)
        status = show(&r, &expected);
    return finish(&r, messages, status);
}

/* The largest of the layers' exit statuses. What each prints comes out before the next one's errors. */
static int run_all(session *s)
{
    int status = PROGRAM_OK;
    const uint32_t count = run_source_count(&s->options);
    program_progress_begin(false);
    for (uint32_t i = 0; i < count && !s->lost; i++) {
        if (count > 1) /* each loads and compiles before it prints */
            program_progress(i, count, "layers");
        const int one = run_one(s, run_source_at(&s->options, i));
        status = one > status ? one : status;
        program_flush();
    }
    status = program_end("smoe-run", status); /* before the driver's end, which may print */
    smoe_device_destroy(s->device);
    return status;
}

int main(int count, char **arguments)
{
    session s = {.log = {print_message, NULL}};
    int status;
    program_begin("smoe-run");
    return run_parse_options(count, arguments, &s.options, &status) ? run_all(&s) : status;
}
