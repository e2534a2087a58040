#define _POSIX_C_SOURCE 200809L /* readlink, access */
#include "classify.h"
#include "program/output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef _WIN32
#include <windows.h>
#endif

static void print_message(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    if (level != SMOE_LOG_INFO)
        vision_fail("%s%s", level == SMOE_LOG_WARNING ? "warning: " : "", text);
}

/* The program's own file, where the system tells; `name` may have come by PATH or a link. */
static void find_program(char *program, size_t size, const char *name)
{
#ifdef _WIN32
    const DWORD length = GetModuleFileNameA(NULL, program, (DWORD)size);
    if (length == 0 || length == size)
        snprintf(program, size, "%s", name);
#else
    const ssize_t length = readlink("/proc/self/exe", program, size - 1); /* Linux */
    if (length > 0)
        program[length] = '\0';
    else
        snprintf(program, size, "%s", name);
#endif
}

/* The file beside this sample's sources, seen from build/bin or build/CONFIGURATION/bin; else from the current
 * directory. NULL after saying where it was looked for. */
static const char *find_model(char *path, size_t size, const char *name)
{
    static const char *const up[] = {"/../../", "/../../../", ""};
    char program[2048], tried[3 * 4096 + 64] = "";
    find_program(program, sizeof program, name);
    const size_t folder = (size_t)(path_name(program) - program);
    if (folder > 0)
        program[folder - 1] = '\0';
    for (uint32_t i = folder > 0 ? 0 : 2; i < 3; i++) {
        const size_t used = strlen(tried);
        snprintf(path, size, "%s%ssamples/vision/model.safetensors", i < 2 ? program : "", up[i]);
        if (access(path, R_OK) == 0)
            return path;
        snprintf(tried + used, sizeof tried - used, "%s%s", used ? ", " : "", path);
    }
    vision_fail("there is no --model, and the default one cannot be read at %s", tried);
    return NULL;
}

static int run(classify_session *session, const char *program)
{
    const classify_options *options = session->options;
    char path[4096];
    if (options->check_count > 0)
        return classify_run_check(session);
    const char *file = options->model ? options->model : find_model(path, sizeof path, program);
    if (!file || !vision_model_open(session->model, file, session->log))
        return PROGRAM_REFUSED;
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
