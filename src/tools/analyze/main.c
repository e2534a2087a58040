/* smoe-analyze: one subcommand per prediction; README.md has the theory. */
#include "analyze.h"
#include "program/output.h"
#include "program/progress.h"

#include <string.h>

static void receive(void *user, smoe_log_level level, const char *text)
{
    analyze *a = user;
    if (level == SMOE_LOG_ERROR)
        snprintf(a->error, sizeof a->error, "%s", text);
    if (level == SMOE_LOG_INFO || !a->print_log)
        return;
    program_say("smoe-analyze", "%s", text);
}

static int run(analyze *a, const char *json)
{
    const smoe_device_desc desc = {.selector = a->options.device, .validation = a->options.validate, .log = &a->log};
    const smoe_result result = smoe_device_create(&desc, &a->device);

    if (result != SMOE_SUCCESS)
        return analyze_fail_result(a, result);
    a->info = smoe_context_device_info(smoe_device_context(a->device));
    analyze_json_begin(a);
    int status = a->command->run(a);
    program_progress_clear();
    if (status == PROGRAM_OK && json && !analyze_json_write(a, json))
        status = PROGRAM_FAILED;
    analyze_json_end(a);
    return status;
}

/* Before hours go into what it is for. */
static bool check_json(analyze *a, const char *json)
{
    program_files files = {0};
    if (a->file)
        program_files_read(&files, "the layer file that is read", a->file);
    const bool good = program_files_write(&files, "--json", json, PROGRAM_JSON);
    if (!good)
        analyze_fail("%s", files.reason);
    program_files_release(&files);
    return good;
}

/* The device's own end is part of what validation watches: its messages come through the log. */
static int finish(analyze *a, int status)
{
    if (a->options.validate && a->device) {
        const uint32_t messages = smoe_device_validation_count(a->device);
        fprintf(a->out, "validation: %u messages\n", messages);
        status = messages > 0 && status == PROGRAM_OK ? PROGRAM_FAILED : status;
    }
    smoe_device_destroy(a->device);
    return program_end("smoe-analyze", status);
}

int main(int count, char **arguments)
{
    static analyze a; /* large */
    int status;
    program_begin("smoe-analyze");
    if (!analyze_parse_options(&a, count, arguments, &status))
        return status;
    const char *json = a.options.json;
    a.log = (smoe_log){receive, &a};
    a.print_log = a.options.validate;
    program_progress_begin(a.options.progress);
    if (!check_json(&a, json))
        return PROGRAM_REFUSED;
    a.out = program_text();
    return finish(&a, run(&a, json));
}
