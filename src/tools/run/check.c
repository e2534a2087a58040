/* --check: the results against the file's expected.*, at the tolerances of docs/layer-file.md. */
#include "run.h"

#include "program/output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A quantity's worst element: the one whose error is the largest share of what is allowed there. */
typedef struct worst {
    const char *name;
    double share, error, allowed;
    uint32_t token;
} worst;

/* A NaN equals a NaN, an infinity itself; else nothing is close to them. */
static double distance(double got, double expected)
{
    if (isnan(expected) || isnan(got))
        return isnan(expected) && isnan(got) ? 0.0 : INFINITY;
    return got == expected ? 0.0 : fabs(got - expected);
}

static void compare(worst *w, uint32_t token, double got, double expected, double allowed)
{
    const double error = distance(got, expected);
    const double share = error == 0.0 ? 0.0 : error / allowed;
    if (share > w->share || w->allowed == 0.0) {
        w->share = share;
        w->error = error;
        w->allowed = allowed;
        w->token = token;
    }
}

static bool print_worst(const worst *w)
{
    const bool ok = w->share <= 1.0;
    program_printf("%-13s largest error %.3g, allowed %.3g (token %u)  %s\n", w->name, w->error, w->allowed, w->token,
                   ok ? "ok" : "FAILED");
    return ok;
}

static double largest_finite(const double *values, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]) && fabs(values[i]) > largest)
            largest = fabs(values[i]);
    return largest;
}

/* ---- the file's side --------------------------------------------------------------------------------------------- */

/* The file that has them. */
static const smoe_layer_file *expected_file(const run *r)
{
    return r->file ? r->file : r->x_file;
}

static const void *find(const run *r, const char *name, smoe_tensor_type type, uint32_t width)
{
    const smoe_tensor *tensor = smoe_layer_file_tensor(expected_file(r), name);
    const uint32_t rank = width ? 2 : 1;
    if (tensor && tensor->type == type && tensor->rank == rank && tensor->shape[0] == r->params.token_count &&
        (!width || tensor->shape[1] == width))
        return tensor->data;
    program_say("smoe-run", "%s: --check: tensor %s is %s", r->file ? r->source.path : r->options->x, name,
                tensor ? "not of the type and shape that the layer's results have" : "missing");
    return NULL;
}

bool run_find_expected(const run *r, run_expected *expected)
{
    const uint32_t experts = r->plan.expert_count;
    const char *name = smoe_layer_file_metadata(expected_file(r), "name");
    expected->exact = name && (strncmp(name, "ties_", 5) == 0 || strncmp(name, "all_equal_", 10) == 0);
    return (expected->logits = find(r, "expected.logits", SMOE_TENSOR_FLOAT64, experts)) != NULL &&
           (expected->weights = find(r, "expected.weights", SMOE_TENSOR_FLOAT64, experts)) != NULL &&
           (expected->gap = find(r, "expected.gap", SMOE_TENSOR_FLOAT64, 0)) != NULL &&
           (expected->eps = find(r, "expected.eps", SMOE_TENSOR_FLOAT64, 0)) != NULL &&
           (expected->order = find(r, "expected.order", SMOE_TENSOR_INT32, 0)) != NULL &&
           (expected->active = find(r, "expected.active", SMOE_TENSOR_INT32, 0)) != NULL &&
           (expected->ids = find(r, "expected.ids", SMOE_TENSOR_INT32, r->plan.max_active)) != NULL &&
           (r->options->route_only ||
            (expected->y = find(r, "expected.y", SMOE_TENSOR_FLOAT64, r->plan.d_model)) != NULL);
}

/* ---- the comparison ---------------------------------------------------------------------------------------------- */

typedef struct check {
    const run *run;
    const run_expected *expected;
    float *logits;      /* [T,E] */
    double *scratch;    /* [E] */
    bool *other_choice; /* [T]: excused, and other experts ran: neither weights nor y can be compared */
    double score_tolerance, logit_error, largest_y;
    uint32_t excused; /* tokens whose order, active or ids differ and may */
} check;

static bool is_ambiguous(const check *c, uint32_t token)
{
    const uint32_t experts = c->run->plan.expert_count;
    const double *logits = c->expected->logits + (size_t)token * experts;
    if (c->expected->exact)
        return false;
    for (uint32_t e = 0; e < experts; e++)
        if (!isfinite(logits[e]))
            return false;
    return run_is_ambiguous(c->run, logits, c->scratch, c->score_tolerance);
}

static bool check_scores(check *c)
{
    const run_expected *expected = c->expected;
    const uint32_t experts = c->run->plan.expert_count;
    worst logits = {.name = "logits"}, gap = {.name = "gap"}, eps = {.name = "eps"};
    for (uint32_t t = 0; t < c->run->params.token_count; t++) {
        const uint32_t *record = run_record(c->run, t);
        for (uint32_t e = 0; e < experts; e++) {
            const size_t i = (size_t)t * experts + e;
            compare(&logits, t, (double)c->logits[i], expected->logits[i], c->score_tolerance);
        }
        compare(&gap, t, (double)run_word(record[SMOE_REPORT_GAP]), expected->gap[t], c->score_tolerance);
        compare(&eps, t, (double)run_word(record[SMOE_REPORT_EPS]), expected->eps[t], c->score_tolerance);
    }
    /* Logits that fail must not make the other rows' tolerances generous. */
    c->logit_error = fmin(logits.error, c->score_tolerance);
    const bool logits_ok = print_worst(&logits), gap_ok = print_worst(&gap), eps_ok = print_worst(&eps);
    return logits_ok && gap_ok && eps_ok;
}

/* order, active and ids, which must be equal. */
static bool check_choices(check *c)
{
    const run *r = c->run;
    const run_expected *expected = c->expected;
    const uint32_t tokens = r->params.token_count, most = r->plan.max_active;
    static const char *const names[3] = {"order", "active", "ids"};
    uint32_t different[3] = {0, 0, 0}, wrong[3] = {0, 0, 0}, first[3] = {0, 0, 0};
    for (uint32_t t = 0; t < tokens; t++) {
        const uint32_t *record = run_record(r, t);
        const bool differs[3] = {
            (int32_t)record[SMOE_REPORT_ORDER] != expected->order[t],
            (int32_t)record[SMOE_REPORT_ACTIVE] != expected->active[t],
            memcmp(record + SMOE_REPORT_IDS, expected->ids + (size_t)t * most, most * sizeof *record) != 0};
        const bool other_ids = differs[1] || differs[2], any = differs[0] || other_ids;
        const bool ambiguous = any && !(other_ids && r->given_ids) && is_ambiguous(c, t);
        c->excused += ambiguous;
        c->other_choice[t] = ambiguous && other_ids && expected->eps[t] == 0.0;
        for (int i = 0; i < 3; i++) {
            different[i] += differs[i];
            first[i] = differs[i] && !ambiguous && wrong[i] == 0 ? t : first[i];
            wrong[i] += differs[i] && !ambiguous;
        }
    }
    bool ok = true;
    for (int i = 0; i < 3; i++) {
        program_printf("%-13s %u of %u tokens differ, %u without excuse", names[i], different[i], tokens, wrong[i]);
        if (wrong[i])
            program_printf(" (first: token %u)", first[i]);
        program_printf("  %s\n", wrong[i] ? "FAILED" : "ok");
        ok = ok && wrong[i] == 0;
    }
    const bool few = (uint64_t)c->excused * 200 <= tokens;
    program_printf("%-13s %u tokens, where scores %.3g apart decide; allowed %u%s  %s\n", "excused", c->excused,
                   2 * c->score_tolerance, tokens / 200, expected->exact ? " (none: exact logits)" : "",
                   few ? "ok" : "FAILED");
    return ok && few;
}

static bool check_results(const check *c)
{
    const run *r = c->run;
    const run_expected *expected = c->expected;
    const uint32_t experts = r->plan.expert_count, width = r->options->route_only ? 0 : r->plan.d_model;
    worst weights = {.name = "weights"}, y = {.name = "y"};
    for (uint32_t t = 0; t < r->params.token_count; t++) {
        if (c->other_choice[t])
            continue;
        const double eps = expected->eps[t];
        const double allowed = 2e-6 + (eps > 0.0 ? 20.0 * c->logit_error / eps : c->logit_error);
        const bool valid = run_scatter_weights(r, t, c->scratch);
        for (uint32_t e = 0; e < experts; e++)
            compare(&weights, t, valid ? c->scratch[e] : NAN, expected->weights[(size_t)t * experts + e], allowed);
        for (uint32_t i = 0; i < width; i++)
            compare(&y, t, (double)r->y[(size_t)t * width + i], expected->y[(size_t)t * width + i],
                    (2e-5 + 10.0 * allowed) * c->largest_y);
    }
    const bool weights_ok = print_worst(&weights), y_ok = r->options->route_only || print_worst(&y);
    return weights_ok && y_ok;
}

int run_check(const run *r, const run_expected *expected)
{
    const uint32_t tokens = r->params.token_count, experts = r->plan.expert_count;
    const size_t logit_count = (size_t)tokens * experts;
    check c = {.run = r, .expected = expected};
    c.logits = malloc(logit_count * sizeof *c.logits);
    c.scratch = malloc(experts * sizeof *c.scratch);
    c.other_choice = calloc(tokens, sizeof *c.other_choice);
    c.score_tolerance = 1e-5 * fmax(1.0, largest_finite(expected->logits, logit_count));
    c.largest_y = expected->y ? largest_finite(expected->y, (size_t)tokens * r->plan.d_model) : 0.0;
    int status = PROGRAM_FAILED;
    if (!c.logits || !c.scratch || !c.other_choice) {
        program_say("smoe-run", "no host memory for --check");
    } else {
        status = run_status(smoe_device_layer_logits(r->layer, c.logits));
        if (status == PROGRAM_OK) {
            const bool scores_ok = check_scores(&c), choices_ok = check_choices(&c), results_ok = check_results(&c);
            status = scores_ok && choices_ok && results_ok ? PROGRAM_OK : PROGRAM_FAILED;
            program_printf("check         %s\n", status == PROGRAM_OK ? "passed" : "FAILED");
        }
    }
    free(c.logits);
    free(c.scratch);
    free(c.other_choice);
    return status;
}
