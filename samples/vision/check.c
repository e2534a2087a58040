/* --check: the images that models' files carry, against the logits they expect. */
#include "classify.h"
#include "program/output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/text.h"

#define ALLOWED 1e-4 /* of the largest |logit| */
#define OUT_PATH_SIZE 4096

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
    if (images->type != SMOE_TENSOR_FLOAT32 || images->rank != 4 || images->shape[0] < 1 ||
        images->shape[0] > 1u << 20 || images->shape[1] != 3 || images->shape[2] != size || images->shape[3] != size)
        return vision_fail("%s: tensor images must be F32 [n, 3, %u, %u]", model->path, model->image_size,
                           model->image_size);
    if (logits->type != SMOE_TENSOR_FLOAT64 || logits->rank != 2 || logits->shape[0] != images->shape[0] ||
        logits->shape[1] != classes)
        return vision_fail("%s: tensor expected.logits must be F64 [%llu, %u]", model->path,
                           (unsigned long long)images->shape[0], model->class_count);
    *out = (expected){images->data, logits->data, (uint32_t)images->shape[0], 0};
    for (uint64_t i = 0; i < out->count * classes; i++) {
        if (!isfinite(out->logits[i]))
            return vision_fail("%s: tensor expected.logits holds a number that is not finite", model->path);
        out->largest = fmax(out->largest, fabs(out->logits[i]));
    }
    return out->largest > 0 || vision_fail("%s: tensor expected.logits holds only zeros", model->path);
}

/* The kernel of a block's expert_up, which is the same for one image and for many (engine.h). */
static const char *expert_kernel(const classify_session *session, uint32_t block)
{
    const vision_model *model = session->model;
    const uint32_t tokens = model->tokens;
    smoe_plan_desc plan = model->blocks[block].plan;
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(session->device));
    plan.max_tokens = tokens;
    plan.types = (smoe_matrix_types)SMOE_TYPES(classify_weight_type(session));
    const smoe_result result = smoe_select_kernels(&(smoe_selection_desc){info, &plan, tokens, 0}, choices, reason);
    return result == SMOE_SUCCESS ? choices[SMOE_STAGE_EXPERT_UP].name : "no kernel";
}

/* The experts of the last run, of `count` images; *operations receives the multiply-adds of that run. */
static void print_active(const classify_session *session, uint32_t count, double *operations)
{
    const vision_model *model = session->model;
    const uint32_t tokens = count * model->tokens;
    *operations = count * vision_image_operations(model);
    for (uint32_t b = 0; b < model->depth; b++) {
        uint32_t stride;
        const uint32_t *report = vision_engine_report(session->engine, 0, b, &stride).mapped;
        uint64_t active = 0;
        for (uint32_t t = 0; report && t < tokens; t++)
            active += report[(size_t)t * stride + SMOE_REPORT_ACTIVE];
        *operations += (double)active * vision_expert_operations(model, b);
        if (report)
            program_printf("block %u: %u experts by %s, mean active %.4f\n", b, model->blocks[b].plan.expert_count,
                   expert_kernel(session, b), (double)active / tokens);
    }
}

/* Times --repeat more runs of the last batch. */
static bool repeat(const classify_session *session, const float *images, uint32_t count, double operations,
                   float *logits)
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
    program_printf("%u image%s, best of %u run%s: host %.2f ms (mean %.2f)", count, count == 1 ? "" : "s", runs,
                   runs == 1 ? "" : "s", best.host * 1e-6, sum / runs * 1e-6);
    if (best.device > 0) {
        program_printf(", device %.2f (", best.device * 1e-6);
        for (int i = 0; i < VISION_STAGE_COUNT; i++)
            program_printf("%s%s %.2f", i ? ", " : "", vision_stage_name((vision_stage)i), best.stage[i] * 1e-6);
        program_printf(")");
    }
    program_printf(", %.3f GFLOP, %.1f GFLOP/s\n", 2e-9 * operations, 2 * operations / best.host);
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

/* Which of several files, as pictures have it. */
static void print_heading(classify_session *session)
{
    if (session->heading_count++ > 0)
        program_printf("\n");
    program_print(program_text(), session->model->path);
    program_printf("\n");
}

/* One file, whose model is open. */
static int check_model(classify_session *session)
{
    const vision_model *model = session->model;
    const size_t classes = model->class_count, image_size = 3 * (size_t)model->image_size * model->image_size;
    double error = 0, operations = 0;
    uint32_t agree = 0, last = 0;
    expected want = {0};

    if (!find_expected(model, &want))
        return PROGRAM_REFUSED;
    const int opened = classify_open_device(session);
    if (opened != PROGRAM_OK)
        return opened;
    if (session->options->check_count > 1)
        print_heading(session);
    if (!classify_start(session, want.count, true))
        return PROGRAM_FAILED;
    const uint32_t batch = vision_engine_max_batch(session->engine);
    float *logits = malloc(sizeof *logits * want.count * classes);
    bool done = logits || vision_fail("out of memory");
    for (uint32_t begin = 0; done && begin < want.count; begin += last) {
        last = want.count - begin < batch ? want.count - begin : batch;
        done =
            vision_engine_run(session->engine, want.images + begin * image_size, last, logits + begin * classes, NULL);
    }
    for (uint32_t i = 0; done && i < want.count; i++) {
        bool agrees;
        error = fmax(error, compare(logits + i * classes, want.logits + i * classes, model->class_count, &agrees));
        agree += agrees;
    }
    if (done)
        print_active(session, last, &operations);
    if (done && session->out)
        done = classify_write(session, want.count, NULL, NULL, logits);
    done = done && repeat(session, want.images + (want.count - last) * image_size, last, operations, logits);
    free(logits);
    if (!done)
        return PROGRAM_FAILED;
    const bool right = error <= ALLOWED * want.largest;
    program_printf("the best class agrees for %u of %u images\n", agree, want.count);
    program_printf("largest error %.3g of the largest |logit| %.6g, allowed %.3g: %s\n", error / want.largest,
                   want.largest, ALLOWED, right ? "ok" : "FAILED");
    return right ? PROGRAM_OK : PROGRAM_FAILED;
}

/* ---- several files ----------------------------------------------------------------------------------------------- */

/* Where one file's results go; with several files NAME.out.safetensors, for NAME.safetensors, in the folder that --out
 * names. */
static bool name_out(const classify_options *options, uint32_t index, char *path, size_t size)
{
    static const char suffix[] = ".safetensors";
    const char *name = path_name(options->pictures[index]);
    size_t stem = strlen(name);
    if (stem >= sizeof suffix && strcmp(name + stem - (sizeof suffix - 1), suffix) == 0)
        stem -= sizeof suffix - 1;
    const int length = options->check_count == 1
                           ? snprintf(path, size, "%s", options->out)
                           : snprintf(path, size, "%s/%.*s.out%s", options->out, (int)stem, name, suffix);
    return (length > 0 && (size_t)length < size) || vision_fail("--out %s: the path is too long", options->out);
}

/* Before anything runs. */
static bool check_files(const classify_options *options)
{
    char path[OUT_PATH_SIZE];
    program_files files = {0};
    bool good = true;
    if (!options->out)
        return true;
    for (uint32_t i = 0; i < options->check_count; i++)
        program_files_read(&files, "one of the files of --check", options->pictures[i]);
    for (uint32_t i = 0; good && i < options->check_count; i++) {
        good = name_out(options, i, path, sizeof path);
        if (good && !program_files_write(&files, "--out", path, PROGRAM_SAFETENSORS))
            good = vision_fail("%s", files.reason);
    }
    program_files_release(&files);
    return good;
}

static int check_file(classify_session *session, uint32_t index)
{
    const classify_options *options = session->options;
    char path[OUT_PATH_SIZE];
    int status = PROGRAM_REFUSED;
    session->out = options->out && name_out(options, index, path, sizeof path) ? path : NULL;
    if (vision_model_open(session->model, options->pictures[index], session->log))
        status = check_model(session);
    vision_engine_destroy(session->engine);
    session->engine = NULL;
    session->out = NULL;
    vision_model_close(session->model);
    return status;
}

/* The largest of the files' exit statuses. What is printed of each comes out before the next one's errors. */
int classify_run_check(classify_session *session)
{
    int status = check_files(session->options) ? PROGRAM_OK : PROGRAM_REFUSED;
    const uint32_t count = status == PROGRAM_OK ? session->options->check_count : 0;
    for (uint32_t i = 0; i < count && !session->lost; i++) {
        const int one = check_file(session, i);
        status = one > status ? one : status;
        if (i + 1 < count)
            program_flush();
    }
    return status;
}
