/* What smoe-run prints and writes. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


void run_print_summary(const run *r)
{
    static const char *const activations[] = {"identity", "relu", "gelu", "gelu_tanh", "silu"};
    const smoe_plan_desc *plan = &r->plan;
    const uint32_t tokens = r->params.token_count;
    uint64_t active = 0;
    uint32_t most = 0, boundary = 0, capped = 0, nonfinite = 0;
    for (uint32_t t = 0; t < tokens; t++) {
        const uint32_t *record = run_record(r, t);
        active += record[SMOE_REPORT_ACTIVE];
        most = record[SMOE_REPORT_ACTIVE] > most ? record[SMOE_REPORT_ACTIVE] : most;
        boundary += record[SMOE_REPORT_ORDER] > 0;
        capped += (record[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_CAPPED) != 0;
        nonfinite += (record[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_NONFINITE) != 0;
    }
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(r->device));
    printf("device        %s\n", info->name);
    printf("layer         d_model %u, d_hidden %u, %u experts, k %u, at most %u active, %s%s, %s weights\n", plan->d_model, plan->d_hidden,
           plan->expert_count, plan->top_k, plan->max_active, activations[plan->activation], plan->gated ? " gated" : "",
           plan->weight_type == SMOE_TYPE_FLOAT16 ? "float16" : "float32");
    printf("gate          eps %g, a %g, b %g, temperature %g, scale %g, %s\n", (double)r->params.eps, (double)r->params.a,
           (double)r->params.b, (double)r->params.temperature, (double)r->params.scale,
           plan->renormalize ? "renormalized" : "not renormalized");
    printf("tokens        %u: %.3f experts active on average, %u at most; %u on a boundary, %u capped, %u non-finite\n", tokens,
           (double)active / tokens, most, boundary, capped, nonfinite);
}

/* One word of every record as a tensor's data; NULL without memory. */
static uint32_t *gather(const run *r, uint32_t first, uint32_t width)
{
    uint32_t *words = malloc((size_t)r->params.token_count * width * sizeof *words);
    for (uint32_t t = 0; words && t < r->params.token_count; t++)
        memcpy(words + (size_t)t * width, run_record(r, t) + first, width * sizeof *words);
    return words;
}

int run_write(const run *r)
{
    const uint32_t most = r->plan.max_active;
    const uint64_t tokens = r->params.token_count;
    const struct {
        const char *name;
        smoe_tensor_type type;
        uint32_t first, width;
    } fields[] = {
        {"report.gap", SMOE_TENSOR_FLOAT32, SMOE_REPORT_GAP, 1},       {"report.eps", SMOE_TENSOR_FLOAT32, SMOE_REPORT_EPS, 1},
        {"report.order", SMOE_TENSOR_INT32, SMOE_REPORT_ORDER, 1},     {"report.active", SMOE_TENSOR_INT32, SMOE_REPORT_ACTIVE, 1},
        {"report.flags", SMOE_TENSOR_INT32, SMOE_REPORT_FLAGS, 1},     {"report.ids", SMOE_TENSOR_INT32, SMOE_REPORT_IDS, most},
        {"report.weights", SMOE_TENSOR_FLOAT32, SMOE_REPORT_WEIGHTS(most), most},
    };
    enum { FIELDS = sizeof fields / sizeof *fields };
    smoe_tensor tensors[1 + FIELDS];
    uint32_t *words[FIELDS];
    const uint64_t width = r->plan.d_model;
    tensors[0] = (smoe_tensor){"y", SMOE_TENSOR_FLOAT32, 2, {tokens, width, 1, 1}, r->y, tokens * width * sizeof *r->y};
    bool have_memory = true;
    for (size_t i = 0; i < FIELDS; i++) {
        /* SMOE_REPORT_UNUSED among the ids reads as -1 in the file's signed integers. */
        words[i] = gather(r, fields[i].first, fields[i].width);
        have_memory = have_memory && words[i];
        const bool per_token = fields[i].first < SMOE_REPORT_IDS;
        tensors[1 + i] = (smoe_tensor){fields[i].name, fields[i].type, per_token ? 1 : 2, {tokens, fields[i].width, 1, 1}, words[i],
                                       tokens * fields[i].width * sizeof(uint32_t)};
    }
    char numbers[6][24];
    const double values[6] = {(double)r->params.eps, (double)r->params.a, (double)r->params.b, (double)r->params.temperature,
                              (double)r->params.tie_tolerance, (double)r->params.scale};
    for (int i = 0; i < 6; i++)
        snprintf(numbers[i], sizeof numbers[i], "%.9g", values[i]);
    char top_k[12], max_active[12];
    snprintf(top_k, sizeof top_k, "%u", r->plan.top_k);
    snprintf(max_active, sizeof max_active, "%u", most);
    const char *const metadata[] = {"device", smoe_context_device_info(smoe_device_context(r->device))->name,
                                    "k", top_k, "max_active", max_active, "eps", numbers[0], "a", numbers[1], "b", numbers[2],
                                    "temperature", numbers[3], "tie_tolerance", numbers[4], "scale", numbers[5],
                                    "weights", r->plan.weight_type == SMOE_TYPE_FLOAT16 ? "f16" : "f32"};
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (have_memory)
        result = smoe_layer_file_write(r->options.out, tensors, 1 + FIELDS, metadata, sizeof metadata / sizeof *metadata / 2, NULL,
                                       &r->log);
    else
        fprintf(stderr, "smoe-run: no host memory for --out\n");
    for (size_t i = 0; i < FIELDS; i++)
        free(words[i]);
    return run_status(result);
}

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Sorts the values of one row of the table, in nanoseconds. */
static void print_times(const char *name, double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    const double median = count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
    printf("  %-14s %12.3f us median %12.3f us least\n", name, median / 1000.0, values[0] / 1000.0);
}

int run_time(const run *r)
{
    const uint32_t count = r->options.repeat;
    smoe_timings *timings = malloc(count * sizeof *timings);
    double *values = malloc(count * sizeof *values);
    int status = RUN_FAILED;
    if (timings && values) {
        const smoe_result result = smoe_device_layer_repeat(r->layer, &r->params, false, count, timings);
        status = run_status(result);
        if (result != SMOE_SUCCESS)
            fprintf(stderr, "smoe-run: --repeat: %s\n", smoe_result_text(result));
    } else {
        fprintf(stderr, "smoe-run: no host memory for --repeat\n");
    }
    if (status == RUN_OK) {
        printf("times of %u runs, without the report\n", count);
        for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
            for (uint32_t i = 0; i < count; i++)
                values[i] = timings[i].stage[stage];
            print_times(smoe_stage_name((smoe_stage)stage), values, count);
        }
        for (uint32_t i = 0; i < count; i++)
            values[i] = timings[i].device_total;
        print_times("device", values, count);
        for (uint32_t i = 0; i < count; i++)
            values[i] = timings[i].host_total;
        print_times("host", values, count);
    }
    free(timings);
    free(values);
    return status;
}
