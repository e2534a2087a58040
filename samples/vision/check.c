/* --check: the images that a model's file carries, against the logits it expects. */
#include "classify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ALLOWED 1e-4 /* of the largest |logit| */

typedef struct expected {
    const float *images;
    const double *logits;
    uint32_t count;
    double largest; /* |logit| */
} expected;

static bool find_expected(const vision_model *model, expected *out)
{
    const smoe_tensor *images = smoe_layer_file_tensor(model->file, "images");
    const smoe_tensor *logits = smoe_layer_file_tensor(model->file, "expected.logits");
    const uint64_t size = model->image_size, classes = model->class_count;

    if (!images || !logits)
        return vision_fail("%s: tensor %s is missing", model->path, images ? "expected.logits" : "images");
    if (images->type != SMOE_TENSOR_FLOAT32 || images->rank != 4 || images->shape[0] < 1 || images->shape[0] > 1u << 20 ||
        images->shape[1] != 3 || images->shape[2] != size || images->shape[3] != size)
        return vision_fail("%s: tensor images must be F32 [n, 3, %u, %u]", model->path, model->image_size, model->image_size);
    if (logits->type != SMOE_TENSOR_FLOAT64 || logits->rank != 2 || logits->shape[0] != images->shape[0] || logits->shape[1] != classes)
        return vision_fail("%s: tensor expected.logits must be F64 [%llu, %u]", model->path, (unsigned long long)images->shape[0],
                           model->class_count);
    *out = (expected){images->data, logits->data, (uint32_t)images->shape[0], 0};
    for (uint64_t i = 0; i < out->count * classes; i++) {
        if (!isfinite(out->logits[i]))
            return vision_fail("%s: tensor expected.logits holds a number that is not finite", model->path);
        out->largest = fmax(out->largest, fabs(out->logits[i]));
    }
    return out->largest > 0 || vision_fail("%s: tensor expected.logits holds zeros alone", model->path);
}

/* The kernel of a block's expert_up, which is the same for one image and for many (engine.h). */
static const char *expert_kernel(const classify_session *session, uint32_t block)
{
    const vision_model *model = session->model;
    const classify_options *options = session->options;
    const uint32_t tokens = model->tokens;
    smoe_plan_desc plan = model->blocks[block].plan;
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(session->device));
    plan.max_tokens = tokens;
    plan.weight_type = options->has_weights ? options->weights : model->weight_type;
    return smoe_select_kernels(info, &plan, tokens, choices, reason) == SMOE_SUCCESS ? choices[SMOE_STAGE_EXPERT_UP].name : "no kernel";
}

/* The experts of the last run, of `count` images; *operations receives the multiply-adds of that run. */
static void print_active(const classify_session *session, uint32_t count, double *operations)
{
    const vision_model *model = session->model;
    const uint32_t tokens = count * model->tokens;
    *operations = count * vision_image_operations(model);
    for (uint32_t b = 0; b < model->depth; b++) {
        uint32_t stride;
        const uint32_t *report = vision_engine_report(session->engine, b, &stride);
        uint64_t active = 0;
        for (uint32_t t = 0; report && t < tokens; t++)
            active += report[(size_t)t * stride + SMOE_REPORT_ACTIVE];
        *operations += (double)active * vision_expert_operations(model, b);
        if (report)
            printf("block %u: %u experts by %s, mean active %.4f\n", b, model->blocks[b].plan.expert_count,
                   expert_kernel(session, b), (double)active / tokens);
    }
}

/* Times --repeat more runs of the last batch. */
static bool repeat(const classify_session *session, const float *images, uint32_t count, double operations, float *logits)
{
    const uint32_t runs = session->options->repeat;
    vision_times best = {.host = INFINITY};
    double sum = 0;
    for (uint32_t i = 0; i < runs; i++) {
        vision_times times;
        if (!vision_engine_run(session->engine, images, count, logits, &times))
            return false;
        sum += times.host;
        best = times.host < best.host ? times : best;
    }
    if (runs == 0)
        return true;
    printf("%u image%s, best of %u run%s: host %.2f ms (mean %.2f)", count, count == 1 ? "" : "s", runs, runs == 1 ? "" : "s",
           best.host * 1e-6, sum / runs * 1e-6);
    if (best.device > 0) {
        printf(", device %.2f (", best.device * 1e-6);
        for (int i = 0; i < VISION_STAGE_COUNT; i++)
            printf("%s%s %.2f", i ? ", " : "", vision_stage_name((vision_stage)i), best.stage[i] * 1e-6);
        printf(")");
    }
    printf(", %.3f GFLOP, %.1f GFLOP/s\n", 2e-9 * operations, 2 * operations / best.host);
    return true;
}

/* The largest difference of an image's logits from what is expected; infinite for what is not finite. */
static double compare(const float *got, const double *right, uint32_t classes, bool *agrees)
{
    uint32_t best = 0, expected_best = 0;
    double error = 0;
    for (uint32_t c = 0; c < classes; c++) {
        const double difference = fabs((double)got[c] - right[c]);
        error = isfinite(difference) ? fmax(error, difference) : INFINITY;
        best = got[c] > got[best] ? c : best;
        expected_best = right[c] > right[expected_best] ? c : expected_best;
    }
    *agrees = best == expected_best;
    return error;
}

int classify_run_check(classify_session *session)
{
    const vision_model *model = session->model;
    const size_t classes = model->class_count, image_size = 3 * (size_t)model->image_size * model->image_size;
    double error = 0, operations = 0;
    uint32_t agree = 0, last = 0;
    expected want = {0};

    if (!find_expected(model, &want) || !classify_check_out(session, NULL, 0))
        return CLASSIFY_REFUSED;
    if (!classify_start(session, want.count, true))
        return CLASSIFY_FAILED;
    const uint32_t batch = vision_engine_max_batch(session->engine);
    float *logits = malloc(sizeof *logits * want.count * classes);
    bool done = logits || vision_fail("out of memory");
    for (uint32_t begin = 0; done && begin < want.count; begin += last) {
        last = want.count - begin < batch ? want.count - begin : batch;
        done = vision_engine_run(session->engine, want.images + begin * image_size, last, logits + begin * classes, NULL);
    }
    for (uint32_t i = 0; done && i < want.count; i++) {
        bool agrees;
        error = fmax(error, compare(logits + i * classes, want.logits + i * classes, model->class_count, &agrees));
        agree += agrees;
    }
    if (done)
        print_active(session, last, &operations);
    if (done && session->options->out)
        done = classify_write(session, want.count, NULL, NULL, logits);
    done = done && repeat(session, want.images + (want.count - last) * image_size, last, operations, logits);
    free(logits);
    if (!done)
        return CLASSIFY_FAILED;
    const bool right = error <= ALLOWED * want.largest;
    printf("the best class agrees for %u of %u images\n", agree, want.count);
    printf("largest error %.3g of the largest |logit| %.6g, allowed %.3g: %s\n", error / want.largest, want.largest, ALLOWED,
           right ? "ok" : "FAILED");
    return right ? CLASSIFY_OK : CLASSIFY_FAILED;
}
