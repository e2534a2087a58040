/* --out and --write: results and layers as safetensors files, and how they are named. */
#include "run.h"

#include "program/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begin_writing(program_output *output, const char *path, const char **name)
{
    const bool named = program_output_name(output, path, name);
    if (!named)
        program_say("smoe-run", "%s", output->reason);
    return named;
}

/* result: of the library, which has said what went wrong. An exit status. */
static int end_writing(program_output *output, smoe_result result)
{
    const bool written = program_output_close(output, result == SMOE_SUCCESS);
    if (!written)
        program_say("smoe-run", "%s", output->reason);
    return written && result == SMOE_SUCCESS ? PROGRAM_OK : PROGRAM_FAILED;
}

/* One word of every record as a tensor's data; NULL without memory. */
static uint32_t *gather(const run *r, uint32_t first, uint32_t width)
{
    uint32_t *words = malloc((size_t)r->params.token_count * width * sizeof *words);
    for (uint32_t t = 0; words && t < r->params.token_count; t++)
        memcpy(words + (size_t)t * width, run_record(r, t) + first, width * sizeof *words);
    return words;
}

enum { MAX_PAIRS = 8 + SMOE_MAX_FORWARD_NUMBERS }; /* describe_results has fewer than 8 others */

typedef struct result_metadata {
    const char *pairs[2 * MAX_PAIRS];
    char numbers[MAX_PAIRS][24];
    uint32_t pair_count;
} result_metadata;

static void add_text(result_metadata *m, const char *key, const char *value)
{
    m->pairs[2 * m->pair_count] = key;
    m->pairs[2 * m->pair_count++ + 1] = value;
}

static void add_number(result_metadata *m, const char *key, double value)
{
    char *room = m->numbers[m->pair_count];
    snprintf(room, sizeof m->numbers[0], "%.9g", value);
    add_text(m, key, room);
}

static void describe_results(const run *r, result_metadata *m)
{
    const smoe_forward_number *number;
    add_text(m, "device", smoe_context_device_info(smoe_device_context(r->device))->name);
    add_number(m, "k", r->plan.top_k);
    add_number(m, "max_active", r->plan.max_active);
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++)
        add_number(m, number->name, (double)smoe_forward_number_value(number, &r->params));
    add_text(m, "weights", smoe_type_short_name(r->plan.types.up));
}

int run_write_results(const run *r)
{
    char path[RUN_PATH_SIZE];
    if (!run_output_path(r->options, &r->source, r->options->out, RUN_OUT_ENDING, path))
        return PROGRAM_REFUSED;
    const uint32_t most = r->plan.max_active;
    const uint64_t tokens = r->params.token_count;
    const struct {
        const char *name;
        smoe_tensor_type type;
        uint32_t first, width;
    } fields[] = {
        {"report.gap", SMOE_TENSOR_FLOAT32, SMOE_REPORT_GAP, 1},
        {"report.eps", SMOE_TENSOR_FLOAT32, SMOE_REPORT_EPS, 1},
        {"report.order", SMOE_TENSOR_INT32, SMOE_REPORT_ORDER, 1},
        {"report.active", SMOE_TENSOR_INT32, SMOE_REPORT_ACTIVE, 1},
        {"report.flags", SMOE_TENSOR_INT32, SMOE_REPORT_FLAGS, 1},
        {"report.group_gap", SMOE_TENSOR_FLOAT32, SMOE_REPORT_GROUP_GAP, 1},
        {"report.groups", SMOE_TENSOR_INT32, SMOE_REPORT_GROUPS, 1},
        {"report.ids", SMOE_TENSOR_INT32, SMOE_REPORT_IDS, most},
        {"report.weights", SMOE_TENSOR_FLOAT32, SMOE_REPORT_WEIGHTS(most), most},
    };
    enum { FIELDS = sizeof fields / sizeof *fields };
    smoe_tensor tensors[1 + FIELDS];
    uint32_t *words[FIELDS];
    const uint64_t width = r->plan.d_model;
    tensors[0] = (smoe_tensor){"y", SMOE_TENSOR_FLOAT32, 2, {tokens, width, 1, 1}, r->y, tokens * width * sizeof *r->y};
    bool have_memory = true;
    for (size_t i = 0; i < FIELDS; i++) {
        /* SMOE_REPORT_UNUSED among the ids reads as -1 in the file's signed integers. */
        words[i] = gather(r, fields[i].first, fields[i].width);
        have_memory = have_memory && words[i];
        const bool per_token = fields[i].first < SMOE_REPORT_IDS;
        tensors[1 + i] = (smoe_tensor){fields[i].name,    fields[i].type,
                                       per_token ? 1 : 2, {tokens, fields[i].width, 1, 1},
                                       words[i],          tokens * fields[i].width * sizeof(uint32_t)};
    }
    result_metadata metadata = {.pair_count = 0};
    describe_results(r, &metadata);
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    program_output output;
    const char *name;
    const bool named = have_memory && begin_writing(&output, path, &name);
    if (named)
        result = smoe_layer_file_write(name, tensors, 1 + FIELDS, metadata.pairs, metadata.pair_count, NULL, &r->log);
    if (!have_memory)
        program_say("smoe-run", "no host memory for --out");
    for (size_t i = 0; i < FIELDS; i++)
        free(words[i]);
    return named ? end_writing(&output, result) : PROGRAM_FAILED;
}

/* The layer as it was run, except that the weights keep the types of the file. */
int run_write_layer(const run *r)
{
    char path[RUN_PATH_SIZE];
    if (!run_output_path(r->options, &r->source, r->options->write, RUN_WRITE_ENDING, path))
        return PROGRAM_REFUSED;
    program_output output;
    const char *name;
    if (!begin_writing(&output, path, &name))
        return PROGRAM_FAILED;
    return end_writing(&output,
                       smoe_layer_file_write_layer(name, &r->plan, &r->params, &r->weights, r->x, NULL, &r->log));
}
