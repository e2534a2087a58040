/* The results as JSON. README.md lists the members. */
#include "json_add.h"
#include "program/output.h"
#include "read/results.h"

#include "bench_build.h" /* made by the build */

#include <smoe/capability_file.h>

#include <string.h>

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "another"
#endif

_Static_assert((int)BENCH_MAX_SAMPLES <= (int)RESULTS_MAX_SAMPLES, "readers take no more");

const char *bench_commit(void)
{
    return BENCH_COMMIT;
}

/* Empty with --no-peak. */
static void add_peaks(json *j, cJSON *to, const bench_peaks *peaks)
{
    cJSON *array = json_add(j, to, "peaks", cJSON_CreateArray());
    for (uint32_t i = 0; i < peaks->count; i++) {
        const bench_peak *peak = &peaks->list[i];
        cJSON *object = json_add(j, array, NULL, cJSON_CreateObject());
        json_add_text(j, object, "name", peak->name);
        json_add_text(j, object, "unit", peak->unit);
        if (peak->value > 0) {
            json_add_number(j, object, "value", peak->value);
            json_add_number(j, object, "best_of", peak->best_of);
        } else {
            json_add_text(j, object, "not_measured", peak->not_measured);
        }
    }
}

static void add_capabilities(json *j, cJSON *to, const char *name, uint32_t bits)
{
    cJSON *capabilities = json_add(j, to, name, cJSON_CreateArray());
    const char *one;
    for (uint32_t bit = 1; (one = smoe_capability_name(bit)) != NULL; bit *= 2)
        if (bits & bit)
            json_add_text(j, capabilities, NULL, one);
}

/* What is known of the driver, that is worked around. */
static void add_quirks(json *j, cJSON *to, const smoe_device_info *info)
{
    cJSON *quirks = json_add(j, to, "quirks", cJSON_CreateArray());
    const smoe_quirk *quirk;
    for (uint32_t i = 0; (quirk = smoe_device_quirk(info, i)) != NULL; i++)
        json_add_text(j, quirks, NULL, quirk->text);
}

static void fill_device(json *j, cJSON *device, const bench_result *result)
{
    const smoe_device_info *info = &result->info;
    json_add_text(j, device, "name", info->name);
    json_add_text(j, device, "driver", info->driver_name);
    json_add_text(j, device, "driver_info", info->driver_info);
    json_add_number(j, device, "driver_version", info->driver_version);
    json_add_number(j, device, "vendor_id", info->vendor_id);
    json_add_number(j, device, "device_id", info->device_id);
    json_add_number(j, device, "api_version", info->api_version);
    json_add_number(j, device, "type", info->type);
    json_add_number(j, device, "subgroup_size", info->subgroup_size);
    json_add_number(j, device, "memory_size", (double)info->device_memory_size);
    json_add_bool(j, device, "timestamps", info->timestamp_period > 0);
    add_capabilities(j, device, "capabilities", info->capabilities);
    add_capabilities(j, device, "masked", result->mask);
    add_quirks(j, device, info);
    add_peaks(j, device, &result->peaks);
}

static void add_program(json *j, cJSON *to)
{
    cJSON *program = json_add(j, to, "program", cJSON_CreateObject());
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH);
    json_add_text(j, program, "name", "smoe-bench");
    json_add_text(j, program, "version", version);
    json_add_known(j, program, "commit", bench_commit());
    json_add_text(j, program, "compiler", COMPILER);
    json_add_text(j, program, "mode", BENCH_MODE);
    json_add_text(j, program, "shader_tools", BENCH_SHADER_TOOLS);
}

static void add_run_of(json *j, cJSON *to, const bench_results *results)
{
    const bench_options *options = results->options;
    cJSON *run = json_add(j, to, "run", cJSON_CreateObject());
    json_add_text(j, run, "date", results->date);
    cJSON *line = json_add(j, run, "command_line", cJSON_CreateArray());
    for (uint32_t i = 0; i < options->word_count; i++)
        json_add_text(j, line, NULL, options->words[i]);
    json_add_bool(j, run, "finished", results->finished);
}

static void add_system(json *j, cJSON *to, const bench_system *known)
{
    cJSON *system = json_add(j, to, "system", cJSON_CreateObject());
    json_add_known(j, system, "os", known->os);
    json_add_known(j, system, "cpu", known->cpu);
    json_add_measured(j, system, "cpu_count", known->cpu_count);
    json_add_measured(j, system, "memory_bytes", known->memory);
}

static void fill_head(json *j, cJSON *root, const bench_results *results)
{
    json_add_number(j, root, "format", RESULTS_FORMAT);
    add_program(j, root);
    add_run_of(j, root, results);
    add_system(j, root, &results->system);
}

/* One line, or NULL; the object is no more. */
static char *print_line(const json *j, cJSON *object)
{
    char *text = j->failed ? NULL : cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

char *bench_json_head(const bench_results *results)
{
    json j = {false};
    cJSON *object = cJSON_CreateObject();
    fill_head(&j, object, results);
    return print_line(&j, object);
}

char *bench_json_device(const bench_results *results, size_t device)
{
    json j = {false};
    cJSON *object = cJSON_CreateObject();
    json_add_number(&j, object, "device", (double)device);
    fill_device(&j, object, &results->devices[device]);
    return print_line(&j, object);
}

char *bench_json_row(const bench_results *results, size_t device, const bench_row *row)
{
    json j = {false};
    cJSON *object = cJSON_CreateObject();
    json_fill_row(&j, object, results, device, row);
    return print_line(&j, object);
}

bool bench_write_json(const char *path, const bench_results *results)
{
    json j = {false};
    cJSON *root = cJSON_CreateObject();

    fill_head(&j, root, results);
    cJSON *devices = json_add(&j, root, "devices", cJSON_CreateArray());
    for (size_t i = 0; i < results->device_count; i++)
        fill_device(&j, json_add(&j, devices, NULL, cJSON_CreateObject()), &results->devices[i]);
    cJSON *rows = json_add(&j, root, "rows", cJSON_CreateArray());
    for (size_t i = 0; i < results->device_count; i++)
        for (size_t k = 0; k < results->devices[i].row_count; k++)
            json_fill_row(&j, json_add(&j, rows, NULL, cJSON_CreateObject()), results, i, &results->devices[i].rows[k]);
    char *text = j.failed ? NULL : cJSON_Print(root);
    cJSON_Delete(root);
    if (!text)
        program_say("smoe-bench", "%s: no host memory for the document", path);
    const bool written = text && bench_write_file(path, text, strlen(text), "\n");
    cJSON_free(text);
    return written;
}
