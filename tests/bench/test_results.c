/* Documents of results as bench/read takes them: a whole one with every member, and what is refused, which is one line
 * with the file's name and the rule. */
#include "common/cmocka_all.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bench/read/results.h"
#include "program/text.h"

#define SAMPLE "tests/bench/sample.json"
#define NAME "FILE"

static char sample[1 << 14];
static size_t sample_size;

static int load_sample(void **state)
{
    (void)state;
    FILE *file = fopen(SAMPLE, "rb");
    assert_non_null(file);
    sample_size = fread(sample, 1, sizeof sample - 1, file);
    fclose(file);
    return sample_size > 0 && sample_size < sizeof sample - 1 ? 0 : -1;
}

/* ---- what is taken ----------------------------------------------------------------------------------------------- */

static void check_head(const results_document *d)
{
    assert_string_equal(d->path, SAMPLE);
    assert_string_equal(d->program.name, "smoe-bench");
    assert_string_equal(d->program.version, "0.2.0");
    assert_string_equal(d->program.commit, ""); /* null */
    assert_string_equal(d->program.compiler, "gcc 12.2.0");
    assert_string_equal(d->program.mode, "release");
    assert_string_equal(d->program.shader_tools, "glslang 11.13.0");
    assert_string_equal(d->session.date, "2026-11-29T20:30:00Z");
    assert_int_equal(d->session.command_line.count, 4);
    assert_string_equal(d->session.command_line.texts[3], "FILE");
    assert_true(d->session.finished);
    assert_string_equal(d->system.os, "Linux 6.1.0 x86_64");
    assert_string_equal(d->system.cpu, "A processor");
    assert_int_equal(d->system.cpu_count, 2);
    assert_true(d->system.memory_bytes == 8e9);
}

static void check_device(const results_device *device)
{
    assert_string_equal(device->name, "Another device");
    assert_string_equal(device->driver, "a driver");
    assert_string_equal(device->driver_info, "1.2.3");
    const uint32_t expected[] = {4206594, 4318, 9525, 4206592, 2, 32};
    const uint32_t found[] = {device->driver_version, device->vendor_id, device->device_id,
                              device->api_version,    device->type,      device->subgroup_size};
    assert_memory_equal(found, expected, sizeof expected);
    assert_true(device->memory_size == 8589934592.0 && device->timestamps);
    assert_int_equal(device->capabilities.count, 2);
    assert_string_equal(device->capabilities.texts[1], "subgroup_shuffle");
    assert_int_equal(device->masked.count, 1);
    assert_string_equal(device->quirks.texts[0], "a text of a quirk");
    assert_int_equal(device->peak_count, 2);
    assert_string_equal(device->peaks[0].name, "fma_float32");
    assert_string_equal(device->peaks[0].unit, "flop/s");
    assert_true(device->peaks[0].value == 1.1e13 && device->peaks[0].best_of == 24);
    assert_string_equal(device->peaks[0].not_measured, "");
    assert_true(isnan(device->peaks[1].value));
    assert_string_equal(device->peaks[1].not_measured, "masked");
}

static void check_shape(const results_row *row)
{
    const results_shape *shape = &row->shape;
    const uint32_t expected[] = {64, 48, 16, 4, 8, 256, 4, 2, 3, 80};
    const uint32_t found[] = {shape->d_model,         shape->d_hidden,         shape->experts, shape->top_k,
                              shape->max_active,      shape->projection_width, shape->groups,  shape->top_groups,
                              shape->balanced_groups, shape->shared_hidden};
    const double numbers[] = {shape->gate_max,         shape->up_limit,
                              shape->gate_limit_after, shape->gate_alpha,
                              shape->up_offset,        shape->renormalize_floor,
                              shape->renormalize_add,  shape->shared_gate_max,
                              shape->shared_up_limit,  shape->shared_gate_limit_after};
    char text[RESULTS_ROUTING_SIZE];
    assert_memory_equal(found, expected, sizeof expected);
    assert_string_equal(row->layer, "shape");
    assert_string_equal(row->weights, "bf16");
    assert_string_equal(row->file_format, "BF16");
    assert_true(row->file_bits == 16 && row->experts_cut_from == 256);
    assert_string_equal(shape->router, "cosine");
    assert_string_equal(shape->gate, "sigmoid");
    assert_string_equal(shape->activation, "silu");
    assert_true(shape->router_bias && shape->selection_bias && shape->shared_gate && shape->gated);
    assert_true(shape->renormalize && shape->biases && shape->expert_scale && row->mixed_precision);
    assert_string_equal(shape->group_score, "max");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_true(numbers[i] == 0.5 * (double)(i + 1));
    assert_string_equal(
        results_describe_routing(shape, text),
        "cosine 256, sigmoid, 2 of 4 groups by their best, 3 balanced groups, factors, gated shared 80");
}

static void check_run(const results_run *run)
{
    const double numbers[][2] = {{run->eps, 0.125},
                                 {run->group_eps, 0.25},
                                 {run->expected_active, 2},
                                 {run->active_total, 3},
                                 {run->active_mean, 3},
                                 {run->active_experts, 3},
                                 {run->forwards, 8},
                                 {run->flop, 50176},
                                 {run->bytes, 66048},
                                 {run->weights_bytes, 55296},
                                 {run->file_bytes, 51840},
                                 {run->ns_per_file_byte, 0.125},
                                 {run->flop_per_second, 1.00352e10},
                                 {run->bytes_per_second, 1.32096e10},
                                 {run->share_of_operations, 0.125},
                                 {run->share_of_bytes, 0.5},
                                 {run->median_error, 0.004},
                                 {run->drift, 1.002},
                                 {run->device_ns.min, 4980},
                                 {run->device_ns.p10, 4990},
                                 {run->device_ns.median, 5000},
                                 {run->device_ns.p90, 5015},
                                 {run->device_ns.max, 5090},
                                 {run->host_ns.median, 5500},
                                 {run->check.largest_difference, 1e-6},
                                 {run->check.allowed, 1e-4},
                                 {results_run_time(run), 5000}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_true(fabs(numbers[i][0] - numbers[i][1]) <= 1e-9 * numbers[i][1]);
    assert_true(run->there && !run->unsupported[0] && isnan(run->ns_per_token));
    assert_true(run->has_check && run->check.good && run->check.tokens == 1);
    assert_int_equal(run->sample_count, 8);
    assert_true(run->samples_ns[0] == 4980 && run->samples_ns[7] == 5090);
    assert_int_equal(run->stage_count, 2);
    assert_string_equal(run->stages[1].name, "expert_up");
    assert_string_equal(run->stages[1].peak, "fma_float32");
    assert_true(run->stages[1].ns.median == 2500 && run->stages[1].flop == 24576);
    assert_true(run->stages[1].share_of_peak == 0.25 && isnan(run->stages[0].flop_per_second));
}

static void test_every_member(void **state)
{
    results_document d;
    char reason[RESULTS_REASON_SIZE] = "";
    (void)state;
    if (!results_read(SAMPLE, &d, reason))
        fail_msg("%s", reason);
    check_head(&d);
    assert_int_equal(d.device_count, 2);
    check_device(&d.devices[1]);
    assert_int_equal(d.row_count, 4);
    const results_row *row = d.rows;
    assert_true(row->device == 0 && row->kind == RESULTS_LAYER && row->tokens == 1);
    assert_true(row->plan_first_ns == 1.5e6 && row->plan_again_ns == 2e4 && row->smooth_over_hard_time == 1.25);
    assert_true(row->smooth_over_hard_experts == 1.5 && row->totals_over_none_time == 1.01);
    assert_true(isnan(row->mixed_over_float32_time));
    assert_int_equal(row->kernel_count, 2);
    assert_string_equal(row->kernels[1].stage, "expert_up");
    assert_string_equal(row->kernels[1].name, "expert_up_tiled");
    assert_true(row->kernels[1].workgroup_size == 64 && row->kernels[1].tile_rows == 8);
    assert_true(row->kernels[1].tile_columns == 16 && row->kernels[1].tile_depth == 4);
    check_run(&row->runs[RESULTS_SMOOTH]);
    assert_true(row->runs[RESULTS_HARD].samples_ns[0] == 3980);
    assert_string_equal(d.rows[1].unsupported, "22.6 GB of device memory, 0.6 of it are 8 GB");
    assert_false(d.rows[1].runs[RESULTS_HARD].there);
    assert_int_equal(d.rows[2].device, 1);
    check_shape(&d.rows[2]);
    assert_string_equal(d.rows[2].runs[RESULTS_SMOOTH].unsupported, "every expert runs already");
    row = &d.rows[3];
    assert_true(row->kind == RESULTS_ROUTE && row->shape.experts == 64 && row->shape.top_k == 8 && !row->layer[0]);
    assert_true(row->runs[RESULTS_HARD].ns_per_token == 100 && !row->runs[RESULTS_HARD].has_check);
    assert_false(row->runs[RESULTS_SMOOTH].there);
    results_release(&d);
    assert_null(d.rows);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

/* Whether it was taken. If not, one line of text that begins with the file's name says why. */
static bool take(const char *text, size_t size, char reason[RESULTS_REASON_SIZE])
{
    results_document d;
    const bool taken = results_parse(NAME, text, size, &d, reason);
    if (taken)
        results_release(&d);
    else
        assert_true(strncmp(reason, NAME ": ", strlen(NAME ": ")) == 0 && strlen(reason) > strlen(NAME ": "));
    for (const char *at = reason; !taken && *at; at += program_printable(at))
        assert_true(program_printable(at) > 0);
    return taken;
}

static void test_prefixes(void **state)
{
    char reason[RESULTS_REASON_SIZE];
    (void)state;
    for (size_t size = 0; size < sample_size - 1; size++) /* the last byte is the end of the line */
        if (take(sample, size, reason))
            fail_msg("%zu bytes of it are taken for a document", size);
    assert_true(take(sample, sample_size - 1, reason) && take(sample, sample_size, reason));
}

/* Replaces what is at a path, "rows/0/hard/eps", and expects the refusal; text NULL: takes it out; refusal NULL: it is
 * taken all the same. */
static void replaced(const char *path, const char *text, const char *refusal)
{
    char name[64], reason[RESULTS_REASON_SIZE];
    cJSON *root = cJSON_Parse(sample), *at = root;
    const char *part = path;
    for (const char *slash; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(slash - part), part);
        at = cJSON_IsArray(at) ? cJSON_GetArrayItem(at, atoi(name)) : cJSON_GetObjectItem(at, name);
    }
    assert_non_null(at);
    if (cJSON_IsArray(at))
        assert_true(cJSON_ReplaceItemInArray(at, atoi(part), cJSON_CreateRaw(text)));
    else
        cJSON_DeleteItemFromObject(at, part);
    if (cJSON_IsObject(at) && text)
        assert_true(cJSON_AddItemToObject(at, part, cJSON_CreateRaw(text)));
    char *changed = cJSON_PrintUnformatted(root);
    const bool taken = take(changed, strlen(changed), reason);
    if (taken != !refusal || (refusal && strcmp(reason + strlen(NAME ": "), refusal) != 0))
        fail_msg("%s as %s: %s, not %s", path, text ? text : "nothing", taken ? "taken" : reason, refusal);
    free(changed);
    cJSON_Delete(root);
}

static const char no_format[] = "is no document of results: it has no number \"format\"";
static const char number_rule[] = "rows[0].hard.eps: must be a number from 0 to 1e30";
#define TEXT_RULE ": must be UTF-8 of at most 1024 bytes without control characters"

static void test_rules(void **state)
{
    (void)state;
    replaced("format", NULL, no_format);
    replaced("format", "\"1\"", no_format);
    replaced("format", "2", "format: must be 1, the only format that this program reads, is 2");
    replaced("format", "1e999", "format: must be 1, the only format that this program reads, is inf");
    replaced("program", NULL, "program: is missing");
    replaced("program/name", "null", "program.name: is missing");
    replaced("program/version", "2", "program.version: must be a text");
    replaced("program/commit", "\"abc1234\"", NULL);
    replaced("run", "[]", "run: must be an object");
    replaced("run/finished", "1", "run.finished: must be true or false");
    replaced("run/finished", NULL, "run.finished: is missing");
    replaced("run/command_line", "{}", "run.command_line: must be a list");
    replaced("run/command_line/1", "3", "run.command_line: must be a text");
    replaced("system", NULL, NULL);
    replaced("devices", NULL, "devices: is missing");
    replaced("devices", "[]", "rows[0].device: must be the place of one of the devices");
    replaced("devices/1", "3", "devices[1]: must be an object");
    replaced("devices/1/peaks/0/value", NULL, "devices[1].peaks[0]: must have \"value\" or \"not_measured\"");
    replaced("devices/1/peaks/0", "[]", "devices[1].peaks[0]: must be an object");
    replaced("devices/0/driver", NULL, "devices[0].driver: is missing");
    replaced("rows/2/file_format", "5", "rows[2].file_format: must be a text");
    replaced("rows/2/file_bits", "-1", "rows[2].file_bits: must be a number from 0 to 1e30");
    replaced("rows/2/experts_cut_from", "0.5", "rows[2].experts_cut_from: must be a whole number from 0 to 4294967295");
    replaced("rows/0/smooth/file_bytes", "\"1\"", "rows[0].smooth.file_bytes: must be a number from 0 to 1e30");
    replaced("rows/0/smooth/ns_per_file_byte", NULL, NULL);
    replaced("rows", NULL, "rows: is missing");
    replaced("rows", "[]", NULL);
    replaced("rows/1", "null", "rows[1]: must be an object");
    replaced("rows/0/kind", "\"peak\"", "rows[0].kind: must be \"layer\" or \"route\"");
    replaced("rows/0/kind", NULL, "rows[0].kind: must be \"layer\" or \"route\"");
    replaced("rows/0/device", "2", "rows[0].device: must be the place of one of the devices");
    replaced("rows/0/device", NULL, "rows[0].device: is missing");
    replaced("rows/0/layer", NULL, "rows[0].layer: is missing");
    replaced("rows/0/weights", NULL, "rows[0].weights: is missing");
    replaced("rows/3/hard", NULL, "rows[3]: must have \"hard\", \"smooth\" or \"unsupported\"");
}

static void test_values(void **state)
{
    (void)state;
    replaced("rows/0/hard/eps", "-1", number_rule);
    replaced("rows/0/hard/eps", "1e999", number_rule);
    replaced("rows/0/hard/eps", "1.1e30", number_rule);
    replaced("rows/0/hard/eps", "\"1\"", number_rule);
    replaced("rows/0/hard/eps", "null", NULL);
    replaced("rows/0/hard/eps", NULL, NULL);
    replaced("rows/0/tokens", "0", "rows[0].tokens: must be a whole number from 1 to 4294967295");
    replaced("rows/0/tokens", "1.5", "rows[0].tokens: must be a whole number from 1 to 4294967295");
    replaced("rows/0/tokens", "4294967296", "rows[0].tokens: must be a whole number from 1 to 4294967295");
    replaced("rows/0/groups", "-1", "rows[0].groups: must be a whole number from 0 to 4294967295");
    replaced("rows/0/hard/samples_ns", NULL, "rows[0].hard.samples_ns: is missing");
    replaced("rows/0/hard/samples_ns", "[]", "rows[0].hard.samples_ns: must have one element at least");
    replaced("rows/0/hard/samples_ns/3", "[4]", "rows[0].hard.samples_ns: must be a number from 0 to 1e30");
    replaced("rows/0/hard/device_ns/p90", "3999", "rows[0].hard.device_ns: min, p10, median, p90 and max must rise");
    replaced("rows/0/hard/device_ns/max", NULL, "rows[0].hard.device_ns.max: is missing");
    replaced("rows/0/hard/device_ns", "4000", "rows[0].hard.device_ns: must be an object");
    replaced("rows/0/hard/device_ns", NULL, NULL);
    replaced("rows/0/hard/check", "null", NULL);
    replaced("rows/0/hard/check", "true", "rows[0].hard.check: must be an object");
    replaced("rows/0/hard/check/good", NULL, "rows[0].hard.check.good: is missing");
    replaced("rows/0/hard/check/largest_difference", "null", NULL);
    replaced("rows/0/hard/stages", "[]", "rows[0].hard.stages: must be an object");
    replaced("rows/0/hard/stages/expert_up", "[]", "rows[0].hard.stages.expert_up: must be an object");
    replaced("rows/0/hard/stages/expert_up/ns", NULL, "rows[0].hard.stages.expert_up.ns: is missing");
    replaced("rows/0/kernels/expert_up/name", NULL, "rows[0].kernels.expert_up.name: is missing");
    replaced("rows/2/smooth/unsupported", "7", "rows[2].smooth.unsupported: must be a text");
    replaced("rows/2/smooth/unsupported", "\"\"", "rows[2].smooth.samples_ns: is missing");
}

/* A document's text with so many of something in place of a member. */
static void repeated(const char *path, const char *before, const char *element, size_t count, const char *after,
                     const char *refusal)
{
    const size_t each = strlen(element);
    char *text = malloc(strlen(before) + count * each + strlen(after) + 1), *at = text;
    assert_non_null(text);
    at += sprintf(at, "%s", before);
    for (size_t i = 0; i < count; i++, at += each)
        memcpy(at, element, each);
    sprintf(at, "%s", after);
    replaced(path, text, refusal);
    free(text);
}

static void test_sizes(void **state)
{
    (void)state;
    repeated("program/mode", "\"", "x", 1024, "\"", NULL);
    repeated("program/mode", "\"", "x", 1025, "\"", "program.mode" TEXT_RULE);
    repeated("rows/0/hard/samples_ns", "[1", ",1", 255, "]", NULL);
    repeated("rows/0/hard/samples_ns", "[1", ",1", 256, "]", "rows[0].hard.samples_ns: must have at most 256 elements");
    repeated("rows", "[1", ",1", RESULTS_MAX_ROWS, "]", "rows: must have at most 65536 elements");
    repeated("rows/1", "{\"a\":1", ",\"a\":1", 1024, "}", "rows[1]: must have at most 1024 elements");
}

static void refuse_text(const char *text, size_t size, const char *part)
{
    char reason[RESULTS_REASON_SIZE];
    assert_false(take(text, size, reason));
    if (!strstr(reason, part))
        fail_msg("%s, not %s", reason, part);
}

static void test_texts(void **state)
{
    char *huge = calloc(1, RESULTS_MAX_BYTES + 1);
    (void)state;
    assert_non_null(huge);
    memset(huge, ' ', RESULTS_MAX_BYTES + 1);
    refuse_text(huge, RESULTS_MAX_BYTES + 1, "is larger than 32 MiB: no document of results is");
    refuse_text(huge, RESULTS_MAX_BYTES, "is no JSON");
    memset(huge, '[', RESULTS_MAX_BYTES);
    refuse_text(huge, RESULTS_MAX_BYTES, "is no JSON");
    free(huge);
    refuse_text("", 0, "is no JSON, or no memory is left, at byte 0 of 0");
    refuse_text("{}", 2, no_format);
    refuse_text("[]", 2, no_format);
    refuse_text("null", 4, no_format);
    refuse_text("{\"format\": NaN}", 15, "is no JSON");
    refuse_text("{\"format\": 1}\0", 14, "is no JSON: it has a zero byte");
    refuse_text("{\"format\": 1} 2", 15, "is no JSON");
    refuse_text("{\"format\": 1", 12, "is no JSON");
    refuse_text("{\"format", 8, "is no JSON");
    replaced("program/name", "\"\x1b[1m\"", "program.name" TEXT_RULE);
    replaced("program/name", "\"\\u001b\"", "program.name" TEXT_RULE);
    replaced("program/name", "\"\xff\"", "program.name" TEXT_RULE);
    replaced("program/name", "\"\xe2\x80\xae\"", "program.name" TEXT_RULE);
    replaced("program/name", "\"\xc3\xa9|<\"", NULL);
    replaced("rows/0/kernels", "{\"\\n\":{}}", "rows[0].kernels.a member's name" TEXT_RULE);
}

/* Every value of the document in turn becomes each of these: whatever the reader thinks of it, it says so as it should.
 */
static void spoil(cJSON *root, cJSON *item)
{
    static const char *const values[] = {"null", "-1", "1e999", "7", "0.5", "\"text\"", "[]", "{}", "[[1,2],{\"a\":3}]",
                                         "true"};
    char reason[RESULTS_REASON_SIZE];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const cJSON kept = *item;
        item->type = cJSON_Raw;
        item->valuestring = (char *)(uintptr_t)values[i];
        char *text = cJSON_PrintUnformatted(root);
        *item = kept;
        take(text, strlen(text), reason);
        free(text);
    }
    for (cJSON *child = item->child; child; child = child->next)
        spoil(root, child);
}

static void test_every_value(void **state)
{
    cJSON *root = cJSON_Parse(sample);
    (void)state;
    assert_non_null(root);
    spoil(root, root);
    cJSON_Delete(root);
}

static void test_files(void **state)
{
    results_document d;
    char reason[RESULTS_REASON_SIZE];
    (void)state;
    assert_false(results_read("tests/bench/no such file.json", &d, reason));
    assert_string_equal(reason, "tests/bench/no such file.json: cannot be read: No such file or directory");
    assert_false(results_read("tests/bench", &d, reason));
    assert_string_equal(reason, "tests/bench: cannot be read: Is a directory");
}

static void test_medians(void **state)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
    results_run run = {.device_ns = {.median = NAN}, .host_ns = {.median = 9}, .samples_ns = odd, .sample_count = 3};
    (void)state;
    assert_true(results_run_time(&run) == 9);
    run.host_ns.median = NAN;
    assert_true(results_run_time(&run) == 3 && odd[0] == 5);
    assert_true(results_median(odd, 3) == 3 && results_median(even, 4) == 2.5 && results_median(one, 1) == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member), cmocka_unit_test(test_prefixes), cmocka_unit_test(test_rules),
        cmocka_unit_test(test_values),       cmocka_unit_test(test_sizes),    cmocka_unit_test(test_texts),
        cmocka_unit_test(test_every_value),  cmocka_unit_test(test_files),    cmocka_unit_test(test_medians),
    };
    return cmocka_run_group_tests_name("results", tests, load_sample, NULL);
}
