/* cost: mean active experts and time against eps.
 *
 * Without the cap the mean number active is exactly k + extra(eps),
 *     extra(eps) = mean over inputs of #{e beyond the k best : s[k] - s_e < eps},
 * here counted on the host from the scores that the device ranked; for small eps it is k + slope eps, slope that of the
 * boundary mass P(gap <= w) at 0, as only the (k+1)-th expert comes arbitrarily near. The eps of the table are powers
 * of sqrt(2) times the one that calibration gives for the budget; the host's own answer stands beside it: the distance
 * after as many as the budget allows (README.md). Where every band keeps to the budget, the eps go up to the first with
 * which all run. */
#include "layers.h"
#include "program/order.h"
#include "program/progress.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const program_option options[] = {
    LAYERS_SHAPE_OPTIONS,
    LAYERS_CHOICE_OPTIONS,
    {"--tokens", "N", "inputs drawn",
     PROGRAM_COUNT(analyze_options, tokens, 256, SMOE_MAX_TOKENS), .fallback = "4096"},
    {"--budget", "X", "extra experts on average; arXiv 2606.19036 allows 0.5",
     PROGRAM_NUMBER(analyze_options, budget, 1e-6, 1024), .fallback = "0.5"},
    {"--group-eps", "X", "band width of the groups' scores; 0: hard groups [the file's, or 0]",
     PROGRAM_NUMBER(analyze_options, group_eps, 0, 1e6)},
    {"--repeats", "N", "timed rounds, each over all eps in turn; 0: no times",
     PROGRAM_COUNT(analyze_options, repeats, 0, 1000), .fallback = "7"},
};

enum { ROWS = 14, CALIBRATED = 9, MAX_REPEATS = 1000 }; /* row 0 is hard; row CALIBRATED the calibrated eps */

typedef struct study {
    analyze *a;
    layers_source source;
    smoe_device_layer *layer;
    const smoe_forward_number *band; /* what smoe takes as one */
    float *y, *scores, *distances; /* distances: s[k] - s_e of the experts beyond the k best, ascending */
    uint32_t *report;
    size_t distance_count;
    double eps[ROWS], mean[ROWS], host[ROWS], line[ROWS], most[ROWS], ratio[ROWS], floors[ROWS], capped[ROWS];
} study;

static smoe_forward_params params_of(const study *s, double eps)
{
    smoe_forward_params params = s->source.params;
    params.token_count = s->source.token_count;
    params.eps = (float)eps;
    return params;
}

static uint32_t stride_of(const study *s)
{
    return SMOE_REPORT_STRIDE(s->source.plan.max_active);
}

/* The scores that selection ranked, every distance from the k-th, sorted, and the line through the boundary mass. */
static int measure_scores(study *s, layers_mass *mass)
{
    const uint32_t tokens = s->source.token_count, experts = s->source.plan.expert_count, k = s->source.plan.top_k;
    smoe_forward_params params = params_of(s, 0);
    params.keep_scores = true;
    smoe_result result = smoe_device_layer_forward(s->layer, &params, s->source.x, s->y, s->report, NULL);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_logits(s->layer, s->scores);
    float *gaps = layers_allocate(tokens, sizeof *gaps);
    if (result != SMOE_SUCCESS || !gaps) {
        free(gaps);
        return result == SMOE_SUCCESS ? PROGRAM_FAILED : analyze_fail_result(s->a, result);
    }
    for (uint32_t t = 0; t < tokens; t++) {
        const uint32_t *record = s->report + (size_t)t * stride_of(s);
        const float *scores = s->scores + (size_t)t * experts;
        if (record[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_NONFINITE) {
            free(gaps);
            return analyze_fail("input %u: the scores are not finite", t);
        }
        memcpy(&gaps[t], &record[SMOE_REPORT_GAP], sizeof *gaps);
        for (uint32_t e = 0; e < experts; e++) {
            bool chosen = scores[e] == -FLT_MAX; /* left out */
            for (uint32_t i = 0; i < k; i++)
                chosen = chosen || record[SMOE_REPORT_IDS + i] == e;
            if (!chosen)
                s->distances[s->distance_count++] = scores[record[SMOE_REPORT_IDS + k - 1]] - scores[e];
        }
    }
    if (s->distance_count == 0) {
        free(gaps);
        return analyze_refuse(s->a->file ? s->a->file : "--k",
                              "no expert is left for a band: every band keeps to the budget");
    }
    layers_put(s->a, &s->source);
    layers_sort(s->distances, s->distance_count);
    layers_sort(gaps, tokens);
    if (layers_fit_mass(gaps, tokens, mass))
        layers_put_mass(s->a, mass, tokens);
    else
        mass->slope = mass->slope_error = NAN;
    free(gaps);
    return PROGRAM_OK;
}

/* Distances below eps, as float32 has it. */
static size_t count_below(const study *s, float eps)
{
    size_t from = 0, to = s->distance_count;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (s->distances[middle] < eps)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The largest band that lets in as many distances as have, in double, a mean over the inputs of at most the budget. */
static float host_answer(const study *s, double budget)
{
    size_t allowed = 0, to = s->distance_count;
    while (allowed < to) {
        const size_t middle = to - (to - allowed) / 2;
        if ((double)middle / s->source.token_count <= budget)
            allowed = middle;
        else
            to = middle - 1;
    }
    const float eps = allowed < s->distance_count ? s->distances[allowed] : s->band->most;
    return eps < s->band->least ? 0 : fminf(eps, s->band->most);
}

/* *eps: the one of row CALIBRATED. */
static int calibrate(study *s, float *eps)
{
    const double budget = s->a->options.budget;
    const smoe_forward_params params = params_of(s, 0);
    double mean = 0;
    const smoe_result result = smoe_device_layer_calibrate(s->layer, &params, s->source.x, budget, eps, &mean);
    if (result != SMOE_SUCCESS)
        return analyze_fail_result(s->a, result);
    const float host = host_answer(s, budget);
    analyze_put_value(s->a, "budget", budget, "budget of extra experts");
    analyze_put_value(s->a, "calibrated_eps", *eps, "calibrated eps");
    analyze_put_value(s->a, "calibrated_extra", mean, "extra experts there");
    analyze_put_value(s->a, "host_eps", host, "the host's own answer");
    if (*eps < s->band->most)
        analyze_put_value(s->a, "extra_at_next",
                          (double)count_below(s, nextafterf(*eps, INFINITY)) / s->source.token_count,
                          "extra experts with the next larger float32");
    if (*eps != host)
        return analyze_fail("calibration gave %.9g, sorting the distances %.9g", *eps, host);
    if (*eps <= 0)
        return analyze_fail("more experts tie with the k-th than the budget of %g allows: no band keeps to it", budget);
    if (*eps >= s->band->most) {
        analyze_put_note(s->a,
                         "every band keeps to the budget: the eps below go up to where all experts that may run do");
        *eps = 0.25f * nextafterf(s->distances[s->distance_count - 1], INFINITY); /* four rows below the last */
    }
    return PROGRAM_OK;
}

static int measure_active(study *s, double slope)
{
    const uint32_t tokens = s->source.token_count, k = s->source.plan.top_k;
    for (uint32_t i = 0; i < ROWS; i++) {
        const smoe_forward_params params = params_of(s, s->eps[i]);
        const smoe_result result = smoe_device_layer_forward(s->layer, &params, s->source.x, s->y, s->report, NULL);
        if (result != SMOE_SUCCESS)
            return analyze_fail_result(s->a, result);
        uint64_t active = 0;
        for (uint32_t t = 0; t < tokens; t++) {
            const uint32_t *record = s->report + (size_t)t * stride_of(s);
            active += record[SMOE_REPORT_ACTIVE];
            s->most[i] = fmax(s->most[i], record[SMOE_REPORT_ACTIVE]);
            s->capped[i] += record[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_CAPPED ? 1 : 0;
        }
        s->mean[i] = (double)active / tokens;
        s->host[i] = ((double)k * tokens + (double)count_below(s, (float)s->eps[i])) / tokens;
        s->line[i] = k + slope * s->eps[i];
        s->floors[i] = s->mean[i] / s->mean[0];
        program_progress(i + 1, ROWS, NULL);
    }
    return PROGRAM_OK;
}

/* Ratios to hard of the same round, their median: what else the machine does weighs on both. */
static int measure_times(study *s, uint32_t repeats)
{
    double *ratios = layers_allocate((size_t)ROWS * (repeats ? repeats : 1), sizeof *ratios);
    if (!ratios)
        return PROGRAM_FAILED;
    bool device_time = true;
    double hard_time = 0;
    for (uint32_t round = 0; round < repeats; round++)
        for (uint32_t i = 0; i < ROWS; i++) {
            const smoe_forward_params params = params_of(s, s->eps[i]);
            smoe_timings timings;
            const smoe_result result = smoe_device_layer_repeat(s->layer, &params, false, 1, &timings);
            if (result != SMOE_SUCCESS) {
                free(ratios);
                return analyze_fail_result(s->a, result);
            }
            device_time = device_time && timings.device_total > 0;
            const double time = device_time ? timings.device_total : timings.host_total;
            hard_time = i == 0 ? time : hard_time;
            ratios[(size_t)i * repeats + round] = time / hard_time;
            program_progress((double)round * ROWS + i + 1, (double)repeats * ROWS, NULL);
        }
    for (uint32_t i = 0; i < ROWS; i++) {
        program_sort_numbers(ratios + (size_t)i * repeats, repeats);
        s->ratio[i] = repeats ? ratios[(size_t)i * repeats + repeats / 2] : NAN;
    }
    free(ratios);
    if (repeats)
        analyze_put_text(s->a, "clock", device_time ? "device" : "host", "clock of the times");
    return PROGRAM_OK;
}

static int measure(study *s)
{
    layers_mass mass = {0};
    float eps = 0;
    int status = measure_scores(s, &mass);
    if (status == PROGRAM_OK)
        status = calibrate(s, &eps);
    for (int i = 1; i < ROWS; i++)
        s->eps[i] = i == CALIBRATED ? eps : (double)(float)(eps * pow(2, 0.5 * (i - CALIBRATED)));
    if (status == PROGRAM_OK)
        status = measure_active(s, mass.slope);
    if (status == PROGRAM_OK)
        status = measure_times(s, s->a->options.repeats);
    if (status != PROGRAM_OK)
        return status;
    if (s->source.plan.max_active < s->source.plan.expert_count)
        analyze_put_note(s->a, "the layer runs at most %u experts for an input: k + extra is without that cap",
                         s->source.plan.max_active);
    const analyze_column columns[] = {{"eps", s->eps},         {"mean_active", s->mean},  {"k_plus_extra", s->host},
                                      {"k_plus_slope_eps", s->line}, {"max_active", s->most}, {"capped", s->capped},
                                      {"time_ratio", s->ratio}, {"active_ratio", s->floors}};
    analyze_put_table(s->a, "cost", "cost by eps; the first row is hard", columns, sizeof columns / sizeof *columns,
                      ROWS);
    return PROGRAM_OK;
}

static int open_study(study *s)
{
    analyze *a = s->a;
    s->band = smoe_forward_number_find("eps");
    const int status = layers_open(a, a->options.tokens, &s->source);
    if (status != PROGRAM_OK)
        return status;
    const smoe_plan_desc *plan = &s->source.plan;
    const size_t tokens = s->source.token_count;
    if (program_given(&a->line, "--group-eps"))
        s->source.params.group_eps = (float)a->options.group_eps;
    s->y = layers_allocate(tokens * plan->d_model, sizeof *s->y);
    s->scores = layers_allocate(tokens * plan->expert_count, sizeof *s->scores);
    s->distances = layers_allocate(tokens * plan->expert_count, sizeof *s->distances);
    s->report = layers_allocate(tokens * stride_of(s), sizeof *s->report);
    if (!s->y || !s->scores || !s->distances || !s->report)
        return PROGRAM_FAILED;
    const smoe_result result = smoe_device_layer_create(a->device, plan, &s->source.weights, &s->layer);
    return result == SMOE_SUCCESS ? PROGRAM_OK : analyze_fail_result(a, result);
}

static int run(analyze *a)
{
    static study s;
    memset(&s, 0, sizeof s);
    s.a = a;
    int status = open_study(&s);
    if (status == PROGRAM_OK)
        status = measure(&s);
    smoe_device_layer_destroy(s.layer);
    free(s.y), free(s.scores), free(s.distances), free(s.report);
    layers_close(&s.source);
    return status;
}

const analyze_command analyze_cost = {
    .name = "cost",
    .about = "mean active experts and time against eps, with calibration's eps",
    .run = run,
    .options = PROGRAM_TABLE(options),
    .file = ANALYZE_FILE_OPTIONAL,
};
