/* smoe-bench: layers row by row, on one device or several. */
#include "bench.h"

#include "compare/compare.h"
#include "program/output.h"
#include "report/command.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

static void receive(void *user, smoe_log_level level, const char *text)
{
    bench_log *log = user;
    if (level == SMOE_LOG_ERROR)
        snprintf(log->error, sizeof log->error, "%s", text);
    if (level == SMOE_LOG_INFO || !log->print)
        return;
    program_say("smoe-bench", "%s", text);
}

static bool check_files(const bench_options *options)
{
    program_files files = {0};
    const bool good = program_files_write(&files, "--json", options->json, PROGRAM_JSON) &&
                      program_files_write(&files, "--dump", options->dump, PROGRAM_BYTES);
    if (!good)
        program_say("smoe-bench", "%s", files.reason);
    program_files_release(&files);
    return good;
}

static int run(const bench_options *options)
{
    bench_results results = {.options = options};
    bench_runner b = {.options = options, .results = &results, .out = program_text()};
    const smoe_log log = {receive, &b.log};

    b.log.print = options->validate;
    bench_describe_system(&results.system);
    bench_date(results.date);
    bench_watch_interrupt();
    int status = bench_run_all(&b, &log);
    bench_show_end(b.out, &results);
    if (options->json && results.device_count > 0 && !b.unwritten && !bench_write_json(options->json, &results))
        status = PROGRAM_FAILED;
    uint32_t wrong = 0;
    for (size_t i = 0; i < results.device_count; i++) {
        wrong += bench_count_wrong(&results.devices[i]);
        free(results.devices[i].rows);
    }
    if (wrong > 0) {
        program_say("smoe-bench", "%u runs are WRONG: what the device computed is not what it was asked for", wrong);
        status = PROGRAM_FAILED;
    }
    free(results.devices);
    return status;
}

int main(int count, char **arguments)
{
    static bench_options options;
    int status;
    program_begin("smoe-bench");
    if (count > 1 && strcmp(arguments[1], "compare") == 0)
        return compare_main(count - 1, arguments + 1);
    if (count > 1 && strcmp(arguments[1], "report") == 0)
        return report_main(count - 1, arguments + 1);
    if (bench_parse_options(count, arguments, &options, &status)) {
        status = PROGRAM_OK;
        if (options.list)
            bench_print_presets(stdout);
        else
            status = check_files(&options) ? run(&options) : PROGRAM_REFUSED;
        status = program_end("smoe-bench", status);
    }
    bench_free_options(&options);
    return status;
}
