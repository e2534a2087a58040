/* What a run has to have before it classifies: the device, and the engine on it. */
#include "classify.h"
#include "program/output.h"
#include "program/progress.h"

#include <stdio.h>
#include <stdlib.h>

#include "program/text.h"

#define NAME_COLUMNS 40u

static bool open_gpu(classify_session *session)
{
    gpu_desc desc = {.context = smoe_device_context(session->device), .log = session->log};
    return smoe_device_get_handles(session->device, &desc.handles) == SMOE_SUCCESS && gpu_create(&desc, &session->gpu);
}

static void show_compiling(void *user, uint32_t done, uint32_t total)
{
    (void)user;
    program_progress(done, total, "kernels compiled");
}

int classify_open_device(classify_session *session)
{
    const classify_options *options = session->options;
    const smoe_device_desc desc = {.selector = options->device, .validation = options->validate, .log = session->log,
                                   /* smoe's kernels too */
                                   .masked_capabilities = options->no_subgroups ? SMOE_CAPABILITY_ALL : 0};
    const smoe_result result = session->device ? SMOE_SUCCESS : smoe_device_create(&desc, &session->device);
    session->lost = result != SMOE_SUCCESS || !(session->gpu || open_gpu(session));
    return session->lost ? PROGRAM_FAILED : PROGRAM_OK;
}

smoe_type classify_weight_type(const classify_session *session)
{
    if (session->options->weights >= 0)
        return (smoe_type)session->options->weights;
    return session->model->weight_type == SMOE_TYPE_FLOAT16 ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_FLOAT32;
}

static void print_classes(const vision_model *model)
{
    char number[16];
    program_printf("%u class%s", model->class_count, model->class_count == 1 ? "" : "es");
    for (uint32_t c = 0; model->classes && c < model->class_count && c < CLASSIFY_LISTED; c++) {
        program_printf(c ? ", " : ": ");
        program_print_name(program_text(), vision_class_name(model, c, number), 0, NAME_COLUMNS, false);
    }
    if (model->classes && model->class_count > CLASSIFY_LISTED)
        program_printf(" and %u more", model->class_count - CLASSIFY_LISTED);
}

void classify_introduce(const classify_session *session)
{
    const vision_model *model = session->model;
    program_print(program_text(), path_name(model->path));
    program_printf(" on ");
    program_print(program_text(), smoe_context_device_info(smoe_device_context(session->device))->name);
    program_printf("\n");
    print_classes(model);
    if (model->unsure_below > 0)
        program_printf("; unsure below %.4g %%", 100 * model->unsure_below);
    if (!model->calibrated)
        program_printf("; the probabilities are not calibrated");
    program_printf("\n\n");
    fflush(program_text());
}

bool classify_start(classify_session *session, uint32_t count, bool report)
{
    const classify_options *options = session->options;
    const vision_engine_desc desc = {.max_batch = count < options->batch_size ? count : options->batch_size,
                                     .eps = options->eps,
                                     .weight_type = classify_weight_type(session),
                                     .report = report,
                                     .no_subgroups = options->no_subgroups,
                                     .progress = show_compiling};
    const double begin = program_now();
    program_progress_begin(false);
    const bool created = vision_engine_create(session->gpu, session->model, &desc, &session->engine);
    program_progress_clear();
    session->times.preparing = program_now() - begin;
    return created;
}

bool classify_warm_up(classify_session *session)
{
    const vision_model *model = session->model;
    float *blank = calloc(3 * (size_t)model->image_size * model->image_size, sizeof *blank),
          *logits = malloc(model->class_count * sizeof *logits);
    const double begin = program_now();
    program_progress_wait("compiling shaders");
    const bool done =
        blank && logits ? vision_engine_run(session->engine, blank, 1, logits, NULL) : vision_fail("out of memory");
    program_progress_clear();
    session->times.first_run = program_now() - begin;
    free(logits);
    free(blank);
    return done;
}
