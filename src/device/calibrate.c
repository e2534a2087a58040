/* The band for a wanted mean of extra experts (docs/routing.md, 5; the budget is arXiv 2606.19036's k* = k + 0.5).
 *
 * extra(eps) counts the distances s[k] - s_e < eps, so that the largest eps with at most m of them is the (m+1)-th
 * smallest distance. There are up to 2^30 distances. A radix selection finds it by counting, in two rounds of 16 bits:
 * bits of floats that are not negative order as the floats do. Nothing is kept but the counts: where the batch is more
 * than one chunk the second round routes it again, and gets the same bits (smoe_forward promises them). Memory is
 * bounded by one pass, whatever the batch. */
#include "base/arithmetic.h"
#include "base/text.h"
#include "layer_internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define DIGIT_COUNT 65536u

typedef struct calibration {
    smoe_device_layer *layer;
    smoe_forward_params params; /* token_count: the chunk's */
    const smoe_forward_number *band; /* eps */
    const float *x;
    uint32_t tokens, chunk;
    float *scores;     /* [chunk,E] */
    uint32_t *report;  /* chunk records */
    uint64_t *counts;  /* by digit */
    bool low;          /* the second round: lower digits of the distances whose upper digit is `upper` */
    uint32_t upper;
} calibration;

static void count_distance(calibration *c, float distance)
{
    uint32_t bits;

    if (!(distance < c->band->most)) /* no band reaches it */
        return;
    memcpy(&bits, &distance, sizeof bits);
    if (!c->low)
        c->counts[bits >> 16]++;
    else if (bits >> 16 == c->upper)
        c->counts[bits & 0xffffu]++;
}

/* The k-th largest: the root of a heap of the k largest so far, whose root is the smallest of them. */
static float kth_largest(const float *scores, uint32_t count, uint32_t k)
{
    float heap[SMOE_MAX_EXPERTS];

    for (uint32_t i = 0; i < k; i++)
        heap[i] = -INFINITY;
    for (uint32_t e = 0; e < count; e++) {
        uint32_t at = 0;
        if (!(scores[e] > heap[0]))
            continue;
        for (uint32_t child; (child = 2 * at + 1) < k; at = child) {
            if (child + 1 < k && heap[child + 1] < heap[child])
                child++;
            if (!(heap[child] < scores[e]))
                break;
            heap[at] = heap[child];
        }
        heap[at] = scores[e];
    }
    return heap[0];
}

/* Counts the distances of all but the k best of these experts. Which of those that tie at s[k] are among the k best
 * does not matter. */
static void count_experts(calibration *c, const float *scores, uint32_t count, uint32_t top_k)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(c->layer->plan);
    const float s_k = kth_largest(scores, count, top_k);
    uint32_t reached = 0;

    for (uint32_t e = 0; e < count; e++) {
        if (scores[e] >= s_k)
            reached++;
        else if (plan->group_count < 2 || scores[e] > -FLT_MAX) /* else its group left it out */
            count_distance(c, s_k - scores[e]);                 /* the kernels' own subtraction, rounded likewise */
    }
    for (uint32_t extra = top_k; extra < reached; extra++)
        count_distance(c, 0.0f);
}

/* Counts one token's scores: balanced groups each have a band of their own. */
static void count_token(calibration *c, const float *scores)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(c->layer->plan);
    const uint32_t groups = plan->balanced_groups > 1 ? plan->balanced_groups : 1, size = plan->expert_count / groups;

    for (uint32_t g = 0; g < groups; g++)
        count_experts(c, scores + (size_t)g * size, size, plan->top_k / groups);
}

static smoe_result route_chunk(calibration *c, uint32_t first)
{
    const size_t row = smoe_plan_get_desc(c->layer->plan)->d_model;
    const smoe_result result =
        smoe_helper_forward(c->layer, &c->params, c->x + first * row, NULL, c->report, NULL, false);

    return result == SMOE_SUCCESS ? smoe_device_layer_logits(c->layer, c->scores) : result;
}

/* Counts the whole batch. Every chunk has the same number of tokens, so that all run the same kernels: the last one
 * begins with tokens that the one before it has counted. */
static smoe_result count_batch(calibration *c, bool routed)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(c->layer->plan);
    const size_t stride = SMOE_REPORT_STRIDE(plan->max_active);
    smoe_result result = SMOE_SUCCESS;

    memset(c->counts, 0, DIGIT_COUNT * sizeof *c->counts);
    for (uint32_t done = 0; result == SMOE_SUCCESS && done < c->tokens;) {
        const uint32_t first = c->tokens - done < c->chunk ? c->tokens - c->chunk : done;
        if (!routed)
            result = route_chunk(c, first);
        for (size_t t = done - first; result == SMOE_SUCCESS && t < c->chunk; t++)
            if (!(c->report[t * stride + SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_NONFINITE))
                count_token(c, c->scores + t * plan->expert_count);
        done = first + c->chunk;
    }
    return result;
}

/* The digit of the rank-th smallest (from 0) and, in *below, how many have a smaller one; DIGIT_COUNT and all of them
 * where there is no such rank. */
static uint32_t find_digit(const calibration *c, uint64_t rank, uint64_t *below)
{
    uint32_t digit = 0;

    for (*below = 0; digit < DIGIT_COUNT && *below + c->counts[digit] <= rank; digit++)
        *below += c->counts[digit];
    return digit;
}

/* How many distances the budget allows: the most whose mean over the tokens, in double as the caller gets it, is at
 * most `extra`. The product may be one off by its rounding: 0.29 * 100 < 29. */
static uint64_t allowed_count(const smoe_plan_desc *plan, uint32_t tokens, double extra)
{
    const uint64_t all = (uint64_t)tokens * (plan->expert_count - plan->top_k);
    uint64_t count = extra * tokens < (double)all ? (uint64_t)(extra * tokens) : all;

    while (count < all && (double)(count + 1) / tokens <= extra)
        count++;
    while (count > 0 && (double)count / tokens > extra)
        count--;
    return count;
}

/* *count: the distances below *eps. */
static smoe_result select_eps(calibration *c, uint64_t allowed, float *eps, uint64_t *count)
{
    uint64_t below_upper, below_lower;
    float distance;

    smoe_result result = count_batch(c, false);
    if (result != SMOE_SUCCESS)
        return result;
    c->upper = find_digit(c, allowed, &below_upper);
    if (c->upper == DIGIT_COUNT) {
        *eps = c->band->most;
        *count = below_upper;
        return SMOE_SUCCESS;
    }
    c->low = true;
    result = count_batch(c, c->chunk == c->tokens);
    if (result != SMOE_SUCCESS)
        return result;
    const uint32_t lower = find_digit(c, allowed - below_upper, &below_lower);
    if (lower == DIGIT_COUNT)
        return smoe_fail(&c->layer->device->instance.host, SMOE_ERROR_VULKAN,
                         "smoe_device_layer_calibrate: the device gave other scores for the same tokens");
    const uint32_t bits = c->upper << 16 | lower;
    memcpy(&distance, &bits, sizeof distance);
    *eps = distance < c->band->least ? 0 : distance;
    *count = distance < c->band->least ? 0 : below_upper + below_lower;
    return SMOE_SUCCESS;
}

static smoe_result calibrate(calibration *c, double extra, float *eps, double *mean)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(c->layer->plan);
    const smoe_host *host = &c->layer->device->instance.host;
    /* A pass is 2^15 tokens and a record 2^11 words at most, give or take: every size fits 32 bits. */
    const size_t score_count = (size_t)c->chunk * plan->expert_count,
                 word_count = (size_t)c->chunk * SMOE_REPORT_STRIDE(plan->max_active);
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    uint64_t count = 0;
    float found = 0;

    c->counts = smoe_host_alloc(host, DIGIT_COUNT, sizeof *c->counts);
    c->scores = c->counts ? smoe_host_alloc(host, score_count, sizeof *c->scores) : NULL;
    c->report = c->scores ? smoe_host_alloc(host, word_count, sizeof *c->report) : NULL;
    if (c->report)
        result = select_eps(c, allowed_count(plan, c->tokens, extra), &found, &count);
    else
        smoe_fail(host, result,
                  "smoe_device_layer_calibrate: no memory for the scores of %u tokens", c->chunk);
    smoe_host_free(host, c->report);
    smoe_host_free(host, c->scores);
    smoe_host_free(host, c->counts);
    if (result != SMOE_SUCCESS)
        return result;
    *eps = found;
    if (mean)
        *mean = (double)count / c->tokens;
    return SMOE_SUCCESS;
}

smoe_result smoe_device_layer_calibrate(smoe_device_layer *layer, const smoe_forward_params *params, const float *x,
                                        double extra, float *eps, double *mean)
{
    static const char call[] = "smoe_device_layer_calibrate";
    const smoe_host *host = layer ? &layer->device->instance.host : &smoe_host_silent;
    const smoe_forward_params defaults = smoe_forward_defaults();
    uint32_t pass_tokens;

    if (!layer || !params || !x || !eps)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: %s must not be NULL", call,
                         !layer ? "layer" : !params ? "params" : !x ? "x" : "eps");
    smoe_result result = smoe_helper_check_tokens(layer, call, params, false);
    if (result != SMOE_SUCCESS)
        return result;
    char text[SMOE_NUMBER_SIZE];
    if (!(extra >= 0) || isinf(extra))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: extra is %s, must be finite and at least 0", call,
                         smoe_number_text(text, 6, extra));
    if (smoe_plan_get_desc(layer->plan)->given_count > 0)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "%s: the plan's given_count is %u: given routing has no band to choose", call,
                         smoe_plan_get_desc(layer->plan)->given_count);
    smoe_plan_logits_offset(layer->plan, &pass_tokens);
    const uint32_t fewest = smoe_plan_get_desc(layer->plan)->min_tokens;
    if (pass_tokens < fewest && pass_tokens < params->token_count)
        return smoe_fail(
            host, SMOE_ERROR_INVALID_ARGUMENT,
            "%s: params.token_count is %u: one pass has %u of them, must have at least the plan's min_tokens, %u", call,
            params->token_count, pass_tokens, fewest);
    calibration c = {
        .layer = layer,
        .params = *params,
        .band = smoe_forward_number_find("eps"),
        .x = x,
        .tokens = params->token_count,
        .chunk = smoe_min_u32(params->token_count, pass_tokens),
    };
    c.params.token_count = c.chunk;
    c.params.eps = 0;
    c.params.a = defaults.a;
    c.params.b = defaults.b;
    c.params.max_active = 0;
    c.params.keep_scores = true;
    result = calibrate(&c, extra, eps, mean);
    layer->has_run = false; /* the x and the scores of its last chunk are nobody's forward */
    return result;
}
