/* soft-to-hard: |L_tau - L_0| of the dense layer softmax(z / tau) and the hard top-1 layer (arXiv 2605.02124).
 *
 * Both are smoe's: k = 1 and renormalized, eps 0 for L_0; eps 1e30, where every mask is 1 to float32, for L_tau. With w
 * the winner, p_e the softmax's weights, gap the top-two margin: |L_tau - L_0| = |sum over e of p_e (f_e - f_w)| <= (1
 * - p_w) spread,        spread = max over e of |f_e - f_w|, 1 - p_w <= r / (1 + r), r = (E-1) exp(-gap / tau), and for
 * small tau, where two experts are all that matter and P(gap <= w) = slope w, the mean over inputs is slope J integral
 * over w > 0 of 1 / (1 + exp(w / tau)) = ln(2) tau slope J,   J = mean |f_1 - f_2| at the boundary. One forward serves
 * three distributions of inputs, which differ in the boundary mass: all of them, the quarter nearest to a boundary, and
 * the half farthest from one. */
#include "layers.h"
#include "program/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const program_option options[] = {
    LAYERS_SHAPE_OPTIONS,
    {"--tokens", "N", "inputs drawn",
     PROGRAM_COUNT(analyze_options, tokens, 256, SMOE_MAX_TOKENS), .fallback = "16384"},
    {"--tau-max", "X", "the first temperature; each next one is half",
     PROGRAM_NUMBER(analyze_options, tau_max, 1e-3, 1e3), .fallback = "2"},
    {"--tau-count", "N", "temperatures", PROGRAM_COUNT(analyze_options, tau_count, 4, 24), .fallback = "11"},
    {"--width-factor", "C", "the mass beside the errors is P(gap <= C tau)",
     PROGRAM_NUMBER(analyze_options, width_factor, 0.1, 100), .fallback = "3"},
};

enum { MAX_TAUS = 24, SETS = 3, BLOCKS = 20 };

static const char *const set_names[SETS] = {"all", "near", "far"};
static const char *const set_titles[SETS] = {
    "all inputs; errors relative to mean |L_0|, mass: P(gap <= width-factor tau)",
    "near: the quarter of the inputs with the smallest gaps", "far: the half of the inputs with the largest gaps"};

typedef struct study {
    analyze *a;
    layers_source source;
    smoe_device_layer *layer;
    uint32_t count, width, experts; /* T, D, E */
    float *hard, *soft;             /* L_0 and L_tau, [T,D] */
    float *gaps, *sorted, *logits;  /* [T], [T], [T,E] */
    float *singles;                 /* every expert alone, [E,T,D] */
    uint32_t *report;
    double *spread, *error;         /* [T]: max over e of |f_e - f_w|; |L_tau - L_0| */
    double taus[MAX_TAUS], factor, scale; /* scale: mean |L_0| */
    uint32_t tau_count;
    float edges[SETS][2];           /* the gaps of a set, lower edge excluded */
    layers_mass mass;
    double jump, jump_error;        /* J */
    double mean[SETS][MAX_TAUS], blocks[MAX_TAUS][BLOCKS]; /* blocks: sums of errors of all, for the slope's error */
    double weight_off;              /* the largest |w - p| seen */
} study;

static const uint32_t *record_of(const study *s, uint32_t token)
{
    return s->report + (size_t)token * SMOE_REPORT_STRIDE(s->experts);
}

static smoe_result forward(study *s, float eps, double tau, float *y)
{
    smoe_forward_params params = smoe_forward_defaults();
    params.token_count = s->count;
    params.eps = eps;
    params.temperature = (float)tau;
    return smoe_device_layer_forward(s->layer, &params, s->source.x, y, s->report, NULL);
}

/* L_0, gaps, every expert's output, spreads, and J: the mean of |f_1 - f_2| over the gaps that the line was fitted
 * to. */
static int measure_hard(study *s)
{
    smoe_result result = forward(s, 0, 1, s->hard);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_logits(s->layer, s->logits);
    if (result != SMOE_SUCCESS)
        return analyze_fail_result(s->a, result);
    uint32_t *ids = layers_allocate(s->experts, sizeof *ids);
    if (!ids)
        return PROGRAM_FAILED;
    for (uint32_t e = 0; e < s->experts; e++)
        ids[e] = e;
    const int status = layers_run_experts(s->a, &s->source, ids, s->experts, s->source.x, s->count, s->singles);
    free(ids);
    if (status != PROGRAM_OK)
        return status;
    for (uint32_t t = 0; t < s->count; t++) {
        memcpy(&s->gaps[t], &record_of(s, t)[SMOE_REPORT_GAP], sizeof *s->gaps);
        if (!isfinite(s->gaps[t]))
            return analyze_fail("input %u: the gap is not finite", t);
        s->scale += layers_norm(s->hard + (size_t)t * s->width, s->width) / s->count;
    }
    memcpy(s->sorted, s->gaps, s->count * sizeof *s->sorted);
    layers_sort(s->sorted, s->count);
    if (!layers_fit_mass(s->sorted, s->count, &s->mass))
        return analyze_fail("too few different gaps for a line through the boundary mass");
    double sum = 0, squares = 0;
    for (uint32_t t = 0; t < s->count; t++) {
        const float *z = s->logits + (size_t)t * s->experts;
        const size_t stride = (size_t)s->count * s->width, at = (size_t)t * s->width;
        const uint32_t winner = record_of(s, t)[SMOE_REPORT_IDS];
        uint32_t second = winner ? 0 : 1;
        for (uint32_t e = 0; e < s->experts; e++) {
            s->spread[t] = fmax(s->spread[t], layers_distance(s->singles + e * stride + at,
                                                              s->singles + winner * stride + at, s->width));
            if (e != winner && z[e] > z[second])
                second = e;
        }
        if (s->gaps[t] <= s->mass.to) {
            const double d =
                layers_distance(s->singles + second * stride + at, s->singles + winner * stride + at, s->width);
            sum += d;
            squares += d * d;
        }
    }
    s->jump = sum / s->mass.below;
    s->jump_error = sqrt(fmax(squares / s->mass.below - s->jump * s->jump, 0) / s->mass.below);
    return PROGRAM_OK;
}

/* 1 - p_w of one input, and the largest |w - p| of smoe's weights in its report. */
static double measure_weights(study *s, uint32_t token, double tau)
{
    const float *z = s->logits + (size_t)token * s->experts;
    const uint32_t *record = record_of(s, token);
    const uint32_t winner = record[SMOE_REPORT_IDS];
    double others = 0;
    for (uint32_t e = 0; e < s->experts; e++)
        others += e == winner ? 0 : exp(((double)z[e] - z[winner]) / tau);
    for (uint32_t i = 0; i < s->experts; i++) {
        const uint32_t e = record[SMOE_REPORT_IDS + i];
        float weight = 0;
        memcpy(&weight, &record[SMOE_REPORT_WEIGHTS(s->experts) + i], sizeof weight);
        if (e != SMOE_REPORT_UNUSED)
            s->weight_off = fmax(s->weight_off, fabs(weight - exp(((double)z[e] - z[winner]) / tau) / (1 + others)));
    }
    return others / (1 + others);
}

typedef struct row {
    /* errors: mean, its standard error, largest; the means of the two bounds */
    double mean, error, largest, exact, crude;
    uint32_t count, below;                     /* inputs, and those with gap <= C tau */
} row;

static row measure_set(const study *s, uint32_t set, double tau, const double *soft_mass)
{
    row r = {0};
    double squares = 0;
    for (uint32_t t = 0; t < s->count; t++) {
        if (s->gaps[t] <= s->edges[set][0] || s->gaps[t] > s->edges[set][1])
            continue;
        const double ratio = (s->experts - 1) * exp(-s->gaps[t] / tau);
        r.count++;
        r.below += s->gaps[t] <= s->factor * tau;
        r.mean += s->error[t];
        squares += s->error[t] * s->error[t];
        r.largest = fmax(r.largest, s->error[t]);
        r.exact += s->spread[t] * soft_mass[t];
        r.crude += s->spread[t] * ratio / (1 + ratio);
    }
    r.mean /= r.count;
    r.exact /= r.count;
    r.crude /= r.count;
    r.error = sqrt(fmax(squares / r.count - r.mean * r.mean, 0) / r.count);
    return r;
}

/* The power of the mean error of all inputs on tau where the mass is linear; its error by leaving out one block of
 * inputs at a time, as the same inputs serve every tau. */
static void put_slope(study *s)
{
    double mean[MAX_TAUS], left_out[BLOCKS], tau[MAX_TAUS], average = 0, sum = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < s->tau_count; i++)
        if (s->factor * s->taus[i] <= s->mass.to)
            tau[used++] = s->taus[i]; /* the last ones: taus descend */
    const uint32_t first = s->tau_count - used;
    analyze_fit fit, part;
    memcpy(mean, s->mean[0] + first, used * sizeof *mean);
    if (!analyze_fit_power(tau, mean, NULL, used, &fit)) {
        analyze_put_note(s->a, "too few temperatures below w*/%g = %.4g for a slope", s->factor,
                         s->mass.to / s->factor);
        return;
    }
    for (uint32_t b = 0; b < BLOCKS; b++) {
        for (uint32_t i = 0; i < used; i++) {
            double total = 0;
            for (uint32_t other = 0; other < BLOCKS; other++)
                total += other == b ? 0 : s->blocks[first + i][other];
            mean[i] = total;
        }
        left_out[b] = analyze_fit_power(tau, mean, NULL, used, &part) ? part.slope : fit.slope;
        average += left_out[b] / BLOCKS;
    }
    for (uint32_t b = 0; b < BLOCKS; b++)
        sum += (left_out[b] - average) * (left_out[b] - average);
    fit.slope_error = sqrt(sum * (BLOCKS - 1) / BLOCKS);
    analyze_put_fit(s->a, "slope", "power of tau in mean |L_tau - L_0|, all inputs", &fit, 1);
}

static int measure_soft(study *s)
{
    double *soft_mass = layers_allocate(s->count, sizeof *soft_mass);
    static double table[SETS][8][MAX_TAUS];
    if (!soft_mass)
        return PROGRAM_FAILED;
    for (uint32_t i = 0; i < s->tau_count; i++) {
        const double tau = s->taus[i];
        const smoe_result result = forward(s, 1e30f, tau, s->soft);
        if (result != SMOE_SUCCESS) {
            free(soft_mass);
            return analyze_fail_result(s->a, result);
        }
        for (uint32_t t = 0; t < s->count; t++) {
            soft_mass[t] = measure_weights(s, t, tau);
            s->error[t] =
                layers_distance(s->soft + (size_t)t * s->width, s->hard + (size_t)t * s->width, s->width) / s->scale;
            s->blocks[i][(uint64_t)t * BLOCKS / s->count] += s->error[t];
        }
        for (uint32_t set = 0; set < SETS; set++) {
            const row r = measure_set(s, set, tau, soft_mass);
            /* the part of the mass that the set holds, over its size */
            const double share = (double)s->count / r.count;
            const double theory = set == 2 ? NAN : log(2) * tau * s->mass.slope * share * s->jump / s->scale;
            const double values[8] = {tau,       (double)r.below / r.count, r.mean, r.error, theory, r.exact / s->scale,
                                      r.crude / s->scale, r.largest};
            s->mean[set][i] = r.mean;
            for (uint32_t c = 0; c < 8; c++)
                table[set][c][i] = values[c];
        }
        program_progress(i + 1, s->tau_count, NULL);
    }
    free(soft_mass);
    for (uint32_t set = 0; set < SETS; set++) {
        const analyze_column columns[] = {
            {"tau", table[set][0]},    {"mass", table[set][1]},  {"mean", table[set][2]},      {"error", table[set][3]},
            {"theory", table[set][4]}, {"bound", table[set][5]}, {"gap_bound", table[set][6]}, {"max", table[set][7]}};
        analyze_put_table(s->a, set_names[set], set_titles[set], columns, sizeof columns / sizeof *columns,
                          s->tau_count);
    }
    return PROGRAM_OK;
}

/* At the smallest tau: the errors of two sets beside their masses, and all inputs beside theory. */
static void put_comparisons(study *s)
{
    const uint32_t last = s->tau_count - 1;
    analyze_put_value(s->a, "weight_off", s->weight_off,
                      "largest |w - softmax(z/tau)| of the weights that smoe reports");
    analyze_put_value(s->a, "factor", s->factor, NULL);
    analyze_put_value(s->a, "jump", s->jump / s->scale, "J, mean |f_1 - f_2| at the boundary over mean |L_0|");
    analyze_put_value(s->a, "jump_error", s->jump_error / s->scale, "  standard error");
    put_slope(s);
    /* The two errors share one sampling error, which counts once: near holds the same boundary inputs as all. */
    double blocks = 0, squares = 0;
    for (uint32_t b = 0; b < BLOCKS; b++) {
        blocks += s->blocks[last][b] / BLOCKS;
        squares += s->blocks[last][b] * s->blocks[last][b] / BLOCKS;
    }
    const double relative = sqrt(fmax(squares - blocks * blocks, 0) / (BLOCKS - 1)) / blocks;
    const double tau = s->taus[last], rate = s->mean[0][last] / tau;
    analyze_put_comparison(s->a, "rate", "mean |L_tau - L_0| / tau at the smallest tau, theory ln(2) slope J", rate,
                           rate * sqrt(relative * relative + pow(s->mass.slope_error / s->mass.slope, 2)),
                           log(2) * s->mass.slope * s->jump / s->scale);
    if (s->mean[0][last] > 0) {
        analyze_put_value(s->a, "near_over_all", s->mean[1][last] / s->mean[0][last],
                          "error of near / error of all at the smallest tau; their masses: 4");
        analyze_put_value(s->a, "far_over_all", s->mean[2][last] / s->mean[0][last],
                          "error of far / error of all at the smallest tau; their masses: 0");
    }
}

static int open_study(study *s)
{
    analyze *a = s->a;
    const int status = layers_open(a, a->options.tokens, &s->source);
    if (status != PROGRAM_OK)
        return status;
    smoe_plan_desc *plan = &s->source.plan;
    if (plan->gate != SMOE_GATE_SOFTMAX || plan->expert_scale || layers_has_groups(&s->source) ||
        plan->expert_count < 2)
        return analyze_refuse(a->file,
                              "softmax(z/tau) needs a softmax gate, no groups, no factors and two experts or more");
    /* The shared expert adds the same to both layers. */
    plan->top_k = 1;
    plan->renormalize = true;
    plan->shared_hidden = 0;
    plan->shared_gate = false;
    plan->max_active = plan->expert_count;
    smoe_host_weights *w = &s->source.weights;
    w->shared_w1 = w->shared_w2 = w->shared_w3 = (smoe_host_weight){0};
    w->shared_b1 = w->shared_b2 = w->shared_b3 = w->shared_gate = NULL;
    layers_put(a, &s->source);
    s->count = s->source.token_count;
    s->width = plan->d_model;
    s->experts = plan->expert_count;
    const size_t rows = s->count, values = rows * s->width;
    s->hard = layers_allocate(values, sizeof *s->hard);
    s->soft = layers_allocate(values, sizeof *s->soft);
    s->gaps = layers_allocate(rows, sizeof *s->gaps);
    s->sorted = layers_allocate(rows, sizeof *s->sorted);
    s->logits = layers_allocate(rows * s->experts, sizeof *s->logits);
    s->singles = layers_allocate(values * s->experts, sizeof *s->singles);
    s->report = layers_allocate(rows * SMOE_REPORT_STRIDE(s->experts), sizeof *s->report);
    s->spread = layers_allocate(rows, sizeof *s->spread);
    s->error = layers_allocate(rows, sizeof *s->error);
    if (!s->hard || !s->soft || !s->gaps || !s->sorted || !s->logits || !s->singles || !s->report || !s->spread ||
        !s->error)
        return PROGRAM_FAILED;
    const smoe_result result = smoe_device_layer_create(a->device, plan, w, &s->layer);
    return result == SMOE_SUCCESS ? PROGRAM_OK : analyze_fail_result(a, result);
}

static int run(analyze *a)
{
    static study s;
    memset(&s, 0, sizeof s);
    s.a = a;
    s.factor = a->options.width_factor;
    s.tau_count = a->options.tau_count;
    for (uint32_t i = 0; i < s.tau_count; i++)
        s.taus[i] = ldexp(a->options.tau_max, -(int)i);
    int status = open_study(&s);
    if (status == PROGRAM_OK)
        status = measure_hard(&s);
    if (status == PROGRAM_OK) {
        const float quarter = s.sorted[s.count / 4], half = s.sorted[s.count / 2], largest = s.sorted[s.count - 1];
        const float edges[SETS][2] = {{-1, largest}, {-1, quarter}, {half, largest}};
        memcpy(s.edges, edges, sizeof edges);
        analyze_put_value(a, "scale", s.scale, "mean |L_0|, what errors are relative to");
        analyze_put_value(a, "near_to", quarter, "near: gaps up to");
        analyze_put_value(a, "far_from", half, "far: gaps above");
        layers_put_mass(a, &s.mass, s.count);
        status = measure_soft(&s);
    }
    if (status == PROGRAM_OK)
        put_comparisons(&s);
    free(s.hard), free(s.soft), free(s.gaps), free(s.sorted), free(s.logits), free(s.singles), free(s.report);
    free(s.spread), free(s.error);
    smoe_device_layer_destroy(s.layer);
    layers_close(&s.source);
    return status;
}

const analyze_command analyze_soft_to_hard = {
    .name = "soft-to-hard",
    .about = "the dense softmax(z/tau) layer against hard top-1, by tau",
    .run = run,
    .options = PROGRAM_TABLE(options),
    .file = ANALYZE_FILE_OPTIONAL,
};
