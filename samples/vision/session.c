/* What a run has to have before it classifies: the device, and the engine on it. */
#include "classify.h"
#include "program/progress.h"

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

bool classify_start(classify_session *session, uint32_t count, bool report)
{
    const classify_options *options = session->options;
    const vision_engine_desc desc = {.max_batch = count < options->batch_size ? count : options->batch_size,
                                     .eps = options->eps,
                                     .weight_type = classify_weight_type(session),
                                     .report = report,
                                     .no_subgroups = options->no_subgroups,
                                     .progress = show_compiling};
    program_progress_begin(false);
    const bool created = vision_engine_create(session->gpu, session->model, &desc, &session->engine);
    program_progress_clear();
    return created;
}
