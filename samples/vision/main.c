/* The program: its command line, its model, and what it is to do. */
#include "classify.h"

#include "program/data.h"
#include "program/output.h"

static void print_message(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    if (level != SMOE_LOG_INFO)
        vision_fail("%s%s", level == SMOE_LOG_WARNING ? "warning: " : "", text);
}

static int run(classify_session *session, const char *started)
{
    const classify_options *options = session->options;
    char path[SMOE_SYSTEM_NAME_SIZE];
    if (options->check_count > 0)
        return classify_run_check(session);
    if (!options->model && !program_find_data("smoe-classify", started, "--model", "vision/model.safetensors", path))
        return PROGRAM_REFUSED;
    if (!vision_model_open(session->model, options->model ? options->model : path, session->log))
        return PROGRAM_REFUSED;
    if (options->fit >= 0)
        session->model->fit = (vision_fit)options->fit;
    return options->batch ? classify_run_batch(session) : classify_run_pictures(session);
}

int main(int count, char **arguments)
{
    static vision_model model;
    const smoe_log log = {print_message, NULL};
    classify_options options;
    classify_session session = {.options = &options, .model = &model, .log = &log};

    int status;
    program_begin("smoe-classify");
    if (!classify_parse_options(count, arguments, &options, &status))
        return status;
    session.out = options.out;
    /* Before the driver goes: SwiftShader's flushes stdout then, and the reason would be lost. */
    status = program_end("smoe-classify", run(&session, arguments[0]));
    vision_engine_destroy(session.engine);
    gpu_destroy(session.gpu);
    if (session.device && smoe_device_validation_count(session.device) > 0)
        status = status == PROGRAM_OK ? PROGRAM_FAILED : status;
    smoe_device_destroy(session.device);
    vision_model_close(&model);
    return status;
}
