/* Documents of results: from a file to the structs. */
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "fields.h"
#include "program/order.h"
#include "rows.h"

/* ---- what is not rows -------------------------------------------------------------------------------------------- */

static bool read_peaks(results_reader *reader, const cJSON *object, results_device *device)
{
    static const field fields[] = {
        {TEXT(results_peak, name), NEEDED}, {TEXT(results_peak, unit), NEEDED}, {NUMBER(results_peak, value)},
        {COUNT(results_peak, best_of)},     {TEXT(results_peak, not_measured)},
    };
    const cJSON *peaks = fields_list(reader, object, "peaks", false, RESULTS_MAX_PEAKS), *item;
    if (!peaks)
        return !reader->rule[0];
    device->peaks = fields_allocate(reader, (size_t)cJSON_GetArraySize(peaks), sizeof *device->peaks);
    cJSON_ArrayForEach(item, peaks)
    {
        results_peak *peak = device->peaks ? &device->peaks[device->peak_count++] : NULL;
        const size_t before = fields_enter(reader, "peaks", (long)device->peak_count - 1);
        if (!peak || !fields_must_be_object(reader, item) || !FIELDS_READ(reader, item, fields, peak))
            return false;
        if (isnan(peak->value) && !peak->not_measured[0])
            return fields_fail(reader, NULL, "must have \"value\" or \"not_measured\"");
        fields_leave(reader, before);
    }
    return device->peaks != NULL;
}

static bool read_devices(results_reader *reader, const cJSON *document)
{
    static const field fields[] = {
        {TEXT(results_device, name), NEEDED},   {TEXT(results_device, driver), NEEDED},
        {TEXT(results_device, driver_info)},    {COUNT(results_device, driver_version)},
        {COUNT(results_device, vendor_id)},     {COUNT(results_device, device_id)},
        {COUNT(results_device, api_version)},   {COUNT(results_device, type)},
        {COUNT(results_device, subgroup_size)}, {NUMBER(results_device, memory_size)},
        {FLAG(results_device, timestamps)},     {TEXTS(results_device, capabilities)},
        {TEXTS(results_device, masked)},        {TEXTS(results_device, quirks)},
    };
    results_document *out = reader->document;
    const cJSON *devices = fields_list(reader, document, "devices", true, RESULTS_MAX_DEVICES), *item;
    out->devices = devices ? fields_allocate(reader, (size_t)cJSON_GetArraySize(devices), sizeof *out->devices) : NULL;
    if (!out->devices)
        return false;
    cJSON_ArrayForEach(item, devices)
    {
        results_device *device = &out->devices[out->device_count];
        const size_t before = fields_enter(reader, "devices", (long)out->device_count++);
        if (!fields_must_be_object(reader, item) || !FIELDS_READ(reader, item, fields, device) ||
            !read_peaks(reader, item, device))
            return false;
        fields_leave(reader, before);
    }
    return true;
}

/* An object of the document that has fields only. Where it is missing, its fields are as in an empty one. */
static bool read_part(results_reader *reader, const cJSON *document, const char *name, bool needed, const field *fields,
                      size_t count, void *into)
{
    const cJSON *object = fields_object(reader, document, name, needed, FIELDS_MAX_MEMBERS);
    const size_t before = fields_enter(reader, name, -1);
    if (reader->rule[0] || !fields_read(reader, object, fields, count, into))
        return false;
    fields_leave(reader, before);
    return true;
}
#define READ_PART(reader, document, name, needed, fields, into)                                                        \
    read_part(reader, document, name, needed, fields, sizeof(fields) / sizeof *(fields), into)

static bool read_head(results_reader *reader, const cJSON *document)
{
    static const field program[] = {
        {TEXT(results_program, name), NEEDED}, {TEXT(results_program, version), NEEDED},
        {TEXT(results_program, commit)},       {TEXT(results_program, compiler)},
        {TEXT(results_program, mode)},         {TEXT(results_program, shader_tools)},
    };
    static const field session[] = {
        {TEXT(results_session, date)},
        {TEXTS(results_session, command_line)},
        {FLAG(results_session, finished), NEEDED},
    };
    static const field system[] = {
        {TEXT(results_system, os)},
        {TEXT(results_system, cpu)},
        {COUNT(results_system, cpu_count)},
        {NUMBER(results_system, memory_bytes)},
    };
    results_document *out = reader->document;
    return READ_PART(reader, document, "program", true, program, &out->program) &&
           READ_PART(reader, document, "run", true, session, &out->session) &&
           READ_PART(reader, document, "system", false, system, &out->system);
}

static bool check_format(results_reader *reader, const cJSON *document)
{
    const cJSON *format = fields_member(document, "format");
    char rule[96];
    if (!cJSON_IsObject(document) || !cJSON_IsNumber(format))
        return fields_fail(reader, NULL, "is no document of results: it has no number \"format\"");
    snprintf(rule, sizeof rule, "must be %d, the only format that this program reads, is %.17g", RESULTS_FORMAT,
             format->valuedouble);
    return format->valuedouble == RESULTS_FORMAT || fields_fail(reader, "format", rule);
}

/* ---- documents --------------------------------------------------------------------------------------------------- */

static const char too_large[] = "is larger than 32 MiB: no document of results is";

/* text: size bytes, and a zero behind them, which keeps cJSON 1.7.15 from reading on behind an open string. */
static bool parse(results_reader *reader, const char *text, size_t size)
{
    results_document *out = reader->document;
    const char *end = text;
    char rule[96];
    if (size > RESULTS_MAX_BYTES)
        return fields_fail(reader, NULL, too_large);
    if (strlen(text) < size)
        return fields_fail(reader, NULL, "is no JSON: it has a zero byte");
    out->texts = cJSON_ParseWithLengthOpts(text, size + 1, &end, true);
    snprintf(rule, sizeof rule, "is no JSON, or no memory is left, at byte %zu of %zu", (size_t)(end - text), size);
    if (!out->texts)
        return fields_fail(reader, NULL, rule);
    return check_format(reader, out->texts) && read_head(reader, out->texts) && read_devices(reader, out->texts) &&
           rows_read(reader, out->texts);
}

bool results_parse(const char *name, const char *text, size_t size, results_document *out,
                   char reason[RESULTS_REASON_SIZE])
{
    results_reader reader = {.document = out};
    char *copy = size <= RESULTS_MAX_BYTES ? malloc(size + 1) : NULL;
    *out = (results_document){.path = name};
    if (copy && size > 0)
        memcpy(copy, text, size);
    if (copy)
        copy[size] = '\0';
    const bool good =
        copy || size > RESULTS_MAX_BYTES ? parse(&reader, copy, size) : fields_fail(&reader, NULL, "no memory for it");
    free(copy);
    if (!good) {
        snprintf(reason, RESULTS_REASON_SIZE, "%s: %s", name, reader.rule);
        results_release(out);
    }
    return good;
}

/* The whole file; NULL, and a rule is broken, where it cannot be read. */
static char *load(results_reader *reader, const char *path, size_t *size)
{
    char why[SMOE_SYSTEM_REASON_SIZE], rule[SMOE_SYSTEM_REASON_SIZE + 32];
    FILE *file = smoe_system_file_open(path, SMOE_SYSTEM_FILE_READ);
    const uint64_t bytes = file ? smoe_system_file_size(file) : 0;
    if (bytes > RESULTS_MAX_BYTES)
        fields_fail(reader, NULL, too_large);
    char *text = file && !reader->rule[0] && smoe_system_file_seek(file, 0) ? malloc((size_t)bytes + 1) : NULL;
    if (text)
        *size = fread(text, 1, (size_t)bytes, file);
    snprintf(rule, sizeof rule, "cannot be read: %s", smoe_system_reason(why));
    if (!text || ferror(file))
        fields_fail(reader, NULL, rule);
    if (file)
        fclose(file);
    return text;
}

bool results_read(const char *path, results_document *out, char reason[RESULTS_REASON_SIZE])
{
    results_reader reader = {.document = out};
    size_t size = 0;
    char *text = load(&reader, path, &size);
    const bool good = !reader.rule[0] && results_parse(path, text, size, out, reason);
    if (reader.rule[0])
        snprintf(reason, RESULTS_REASON_SIZE, "%s: %s", path, reader.rule);
    free(text);
    return good;
}

void results_release(results_document *document)
{
    cJSON_Delete(document->texts);
    fields_release(document);
    *document = (results_document){.path = ""};
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

double results_median(double *values, size_t count)
{
    program_sort_numbers(values, count);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double results_run_time(const results_run *run)
{
    double values[RESULTS_MAX_SAMPLES];
    if (!isnan(run->device_ns.median))
        return run->device_ns.median;
    if (!isnan(run->host_ns.median))
        return run->host_ns.median;
    memcpy(values, run->samples_ns, run->sample_count * sizeof *values);
    return results_median(values, run->sample_count);
}
