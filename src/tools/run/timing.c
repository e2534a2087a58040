/* --repeat: how long the stages take. */
#include "run.h"

#include "program/order.h"
#include "program/output.h"

#include <stdio.h>
#include <stdlib.h>

/* Sorts the values of one row of the table, in nanoseconds. */
static void print_times(const char *name, double *values, uint32_t count)
{
    program_sort_numbers(values, count);
    const double median = count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
    program_printf("  %-14s %12.3f us median %12.3f us least\n", name, median / 1000.0, values[0] / 1000.0);
}

/* The rows: of each stage that the layer has, of the device and of the host. A device without timestamps has only the
 * host's. */
static void print_table(const run *r, const smoe_timings *timings, double *values)
{
    const uint32_t count = r->options->repeat;
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(r->device));
    const bool timestamps = info->timestamp_period > 0;
    smoe_kernel_choice choices[SMOE_STAGE_COUNT] = {0};
    const smoe_selection_desc selection = {info, &r->plan, r->params.token_count, r->params.expected_active};
    const bool known = smoe_select_kernels(&selection, choices, NULL) == SMOE_SUCCESS;
    program_printf("times of %u runs, without the report%s\n", count,
                   timestamps ? "" : "; no timestamps on this device: the host's only");
    const int end = r->options->route_only ? SMOE_STAGE_SORT : SMOE_STAGE_COUNT; /* smoe_route has those before */
    for (int stage = 0; timestamps && stage < end; stage++) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = timings[i].stage[stage];
        if (!known || choices[stage].name[0])
            print_times(smoe_stage_name((smoe_stage)stage), values, count);
    }
    for (uint32_t i = 0; i < count; i++)
        values[i] = timings[i].device_total;
    if (timestamps)
        print_times("device", values, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = timings[i].host_total;
    print_times("host", values, count);
}

int run_time(const run *r)
{
    const uint32_t count = r->options->repeat;
    smoe_timings *timings = malloc(count * sizeof *timings);
    double *values = malloc(count * sizeof *values);
    int status = PROGRAM_FAILED;
    if (timings && values) {
        const smoe_result result = smoe_device_layer_repeat(r->layer, &r->params, false, count, timings);
        status = run_status(result);
        if (result != SMOE_SUCCESS)
            program_say("smoe-run", "--repeat: %s", smoe_result_text(result));
    } else {
        program_say("smoe-run", "no host memory for --repeat");
    }
    if (status == PROGRAM_OK)
        print_table(r, timings, values);
    free(timings);
    free(values);
    return status;
}
