#include "check_layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compare.h"

bool layer_output_create(layer_output *output, smoe_device_layer *layer, const case_data *data,
                         const smoe_forward_params *params)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(smoe_device_layer_plan(layer));
    const size_t y_count = (size_t)data->shape->tokens * data->shape->d_model;

    output->stride = SMOE_REPORT_STRIDE(plan->max_active);
    const size_t word_count = (size_t)data->shape->tokens * output->stride;
    output->y = malloc(y_count * sizeof *output->y);
    output->report = malloc(word_count * sizeof *output->report);
    if (output->y && output->report) {
        /* What is not written must be seen. */
        memset(output->y, 0xa5, y_count * sizeof *output->y);
        memset(output->report, 0xa5, word_count * sizeof *output->report);
        smoe_result result = case_give_routing(data, layer, 0, 1, data->shape->tokens);
        if (result == SMOE_SUCCESS)
            result = smoe_device_layer_forward(layer, params ? params : &data->params, data->x, output->y,
                                               output->report, NULL);
        if (result == SMOE_SUCCESS)
            return true;
        fprintf(stderr, "    smoe_device_layer_forward: %s\n", smoe_result_text(result));
    }
    layer_output_destroy(output);
    return false;
}

void layer_output_destroy(layer_output *output)
{
    free(output->y);
    free(output->report);
    *output = (layer_output){0};
}

float report_float(const layer_output *output, uint32_t token, uint32_t word)
{
    float value;

    memcpy(&value, output->report + (size_t)token * output->stride + word, sizeof value);
    return value;
}

static size_t expect_word(const char *what, uint32_t token, uint32_t got, uint32_t want)
{
    if (got != want)
        fprintf(stderr, "    token %u: %s is %u, want %u\n", token, what, got, want);
    return got != want;
}

static size_t check_report(const layer_output *output, uint32_t token, const ref_token *want, const ref_bounds *bounds,
                           double tolerance)
{
    const uint32_t *record = output->report + (size_t)token * output->stride;
    const uint32_t capacity = (output->stride - SMOE_REPORT_IDS) / 2;
    const float gap = report_float(output, token, SMOE_REPORT_GAP), eps = report_float(output, token, SMOE_REPORT_EPS);
    const float group_gap = report_float(output, token, SMOE_REPORT_GROUP_GAP);
    size_t wrong = 0;

    wrong += test_compare("gap", 1, &gap, &want->gap, 2 * bounds->gap + 1e-7 * fabs(want->gap));
    wrong += test_compare("eps", 1, &eps, &want->eps, 2 * bounds->eps + 1e-7 * want->eps);
    wrong += test_compare("group_gap", 1, &group_gap, &want->group_gap,
                          2 * bounds->group_gap + 1e-7 * fabs(want->group_gap));
    wrong += expect_word("order", token, record[SMOE_REPORT_ORDER], want->order);
    wrong += expect_word("active", token, record[SMOE_REPORT_ACTIVE], want->active);
    wrong += expect_word("flags", token, record[SMOE_REPORT_FLAGS], want->flags);
    wrong += expect_word("groups", token, record[SMOE_REPORT_GROUPS], want->groups);
    wrong += expect_word("the reserved word", token, record[SMOE_REPORT_IDS - 1], 0);
    for (uint32_t r = 0; r < capacity && wrong < 8; r++) {
        wrong += expect_word("an id", token, record[SMOE_REPORT_IDS + r], want->ids[r]);
        const float weight = report_float(output, token, SMOE_REPORT_WEIGHTS(capacity) + r);
        wrong += test_compare("weight", 1, &weight, &want->weights[r], r < want->active ? tolerance : 0);
    }
    return wrong;
}

/* The last one of a thread is kept: finding it takes longer than a small layer. */
static double mask_slope(const ref_params *params)
{
    static _Thread_local double a, b, slope;

    if (params->eps > 0 && (params->a != a || params->b != b)) {
        slope = ref_mask_slope(params->a, params->b);
        a = params->a;
        b = params->b;
    }
    return params->eps > 0 ? slope : 0;
}

size_t check_output(const case_data *data, const ref_params *params, const layer_output *output, check_tally *tally)
{
    const uint32_t T = data->shape->tokens, D = data->shape->d_model;
    double *logits = malloc(SMOE_MAX_EXPERTS * sizeof *logits), *y = calloc((size_t)T * D, sizeof *y);
    double *tolerances = calloc(T, sizeof *tolerances), *narrowing = calloc((size_t)T * D, sizeof *narrowing);
    bool *excused = calloc(T, sizeof *excused);
    ref_token *token = malloc(sizeof *token);
    const double slope = mask_slope(params);
    size_t wrong = 0;

    if (!logits || !y || !tolerances || !narrowing || !excused || !token) {
        fprintf(stderr, "    out of memory\n");
        wrong = 1;
    }
    for (uint32_t t = 0; t < T && !wrong; t++) {
        const float *x = data->x + (size_t)t * D;
        const ref_params own = ref_params_at(params, t);
        if (!ref_forward(&data->ref, &own, x, logits, token, y + (size_t)t * D) ||
            (data->plan.precision != SMOE_PRECISION_FLOAT32 &&
             !ref_forward_error(&data->ref, token, data->plan.precision, x, narrowing + (size_t)t * D))) {
            fprintf(stderr, "    out of memory\n");
            wrong = 1;
            break;
        }
        const ref_bounds bounds = ref_bound(&data->ref, &own, logits, case_logit_error(data, t));
        tolerances[t] = ref_output_weight_error(&data->ref, params, slope, &bounds, token->eps);
        excused[t] = bounds.ambiguous;
        if (!excused[t]) {
            wrong = check_report(output, t, token, &bounds, ref_weight_error(params, slope, &bounds, token->eps));
            if (wrong)
                fprintf(stderr, "    ... in the report of token %u\n", t);
        } else if (tally) {
            tally->excused++;
        }
    }
    const double largest = wrong ? 0 : test_max_abs((size_t)T * D, y); /* O(1) by construction */
    for (uint32_t t = 0; t < T && !wrong; t++) {
        const size_t first = (size_t)t * D;
        for (uint32_t i = 0; i < D; i++)
            narrowing[first + i] += ref_output_error(tolerances[t], largest, 1);
        if (!excused[t])
            wrong = test_compare_each("y", D, output->y + first, y + first, narrowing + first);
        if (wrong)
            fprintf(stderr, "    ... in y of token %u\n", t);
    }
    if (tally)
        tally->tokens += T;
    free(logits);
    free(y);
    free(tolerances);
    free(narrowing);
    free(excused);
    free(token);
    return wrong;
}

bool check_case(smoe_device *device, const layer_case *shape, uint64_t seed, check_tally *tally)
{
    case_data data;
    layer_output output = {0};
    smoe_device_layer *layer = NULL;
    bool good = false;

    if (!case_data_create(&data, shape, seed)) {
        fprintf(stderr, "  \"%s\": out of memory\n", shape->name);
        return false;
    }
    const smoe_plan_desc plan = case_plan_of_one_count(&data);
    const smoe_result result = smoe_device_layer_create(device, &plan, &data.weights, &layer);
    if (result != SMOE_SUCCESS)
        fprintf(stderr, "    smoe_device_layer_create: %s\n", smoe_result_text(result));
    else if (layer_output_create(&output, layer, &data, NULL))
        good = check_output(&data, &data.ref_params, &output, tally) == 0;
    if (!good)
        case_print(&data);
    layer_output_destroy(&output);
    smoe_device_layer_destroy(layer);
    case_data_destroy(&data);
    return good;
}
