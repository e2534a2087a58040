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
    const smoe_layer_inputs inputs = {r->x, r->given_ids, r->given_weights};
    program_output output;
    const char *name;
    if (!begin_writing(&output, path, &name))
        return PROGRAM_FAILED;
    return end_writing(&output,
                       smoe_layer_file_write_layer(name, &r->plan, &r->params, &r->weights, &inputs, NULL, &r->log));
}

/* ---- --route-only ------------------------------------------------------------------------------------------------ */

/* What docs/conformance.md lists: the results of a golden file, but for y. */
typedef struct routing {
    double *logits, *weights; /* [T,E] */
    double *gap, *eps;        /* [T] */
    uint32_t *order, *active; /* [T] */
    uint32_t *ids;            /* [T,A] */
    float *device_logits;     /* [T,E] */
} routing;

static double *gather_numbers(const run *r, uint32_t word)
{
    const uint32_t tokens = r->params.token_count;
    double *numbers = malloc(tokens * sizeof *numbers);
    for (uint32_t t = 0; numbers && t < tokens; t++)
        numbers[t] = (double)run_word(run_record(r, t)[word]);
    return numbers;
}

static bool gather_routing(const run *r, routing *out)
{
    const uint32_t tokens = r->params.token_count, experts = r->plan.expert_count;
    const size_t count = (size_t)tokens * experts;
    out->logits = malloc(count * sizeof *out->logits);
    out->weights = malloc(count * sizeof *out->weights);
    out->device_logits = malloc(count * sizeof *out->device_logits);
    out->gap = gather_numbers(r, SMOE_REPORT_GAP);
    out->eps = gather_numbers(r, SMOE_REPORT_EPS);
    out->order = gather(r, SMOE_REPORT_ORDER, 1);
    out->active = gather(r, SMOE_REPORT_ACTIVE, 1);
    out->ids = gather(r, SMOE_REPORT_IDS, r->plan.max_active);
    if (!out->logits || !out->weights || !out->device_logits || !out->gap || !out->eps || !out->order || !out->active ||
        !out->ids)
        return false;
    for (uint32_t t = 0; t < tokens; t++)
        run_scatter_weights(r, t, out->weights + (size_t)t * experts);
    return true;
}

static void release_routing(routing *all)
{
    free(all->logits);
    free(all->weights);
    free(all->device_logits);
    free(all->gap);
    free(all->eps);
    free(all->order);
    free(all->active);
    free(all->ids);
}

/* False, with a warning, where the device no longer has all of them. */
static bool read_logits(const run *r, const routing *all)
{
    const size_t count = (size_t)r->params.token_count * r->plan.expert_count;
    const bool read = smoe_device_layer_logits(r->layer, all->device_logits) == SMOE_SUCCESS;
    for (size_t i = 0; read && i < count; i++)
        all->logits[i] = (double)all->device_logits[i];
    if (!read)
        program_say("smoe-run", "warning: %s: expected.logits is left out", r->source.path);
    return read;
}

/* width: 0 for one number a token. */
static smoe_tensor rows_of(const run *r, const char *name, smoe_tensor_type type, const void *data, uint32_t width)
{
    const uint64_t tokens = r->params.token_count, columns = width ? width : 1;
    const uint64_t size = type == SMOE_TENSOR_FLOAT64 ? sizeof(double) : sizeof(int32_t);
    return (smoe_tensor){name, type, width ? 2 : 1, {tokens, columns, 1, 1}, data, tokens * columns * size};
}

static int write_routing(const run *r, const char *path, const routing *all)
{
    const uint32_t experts = r->plan.expert_count;
    const smoe_tensor tensors[] = {
        rows_of(r, "expected.ids", SMOE_TENSOR_INT32, all->ids, r->plan.max_active), /* unused ones read as -1 */
        rows_of(r, "expected.weights", SMOE_TENSOR_FLOAT64, all->weights, experts),
        rows_of(r, "expected.gap", SMOE_TENSOR_FLOAT64, all->gap, 0),
        rows_of(r, "expected.order", SMOE_TENSOR_INT32, all->order, 0),
        rows_of(r, "expected.eps", SMOE_TENSOR_FLOAT64, all->eps, 0),
        rows_of(r, "expected.active", SMOE_TENSOR_INT32, all->active, 0),
        rows_of(r, "expected.logits", SMOE_TENSOR_FLOAT64, all->logits, experts), /* last: it may be left out */
    };
    const uint32_t count = (uint32_t)(sizeof tensors / sizeof *tensors) - !read_logits(r, all);
    program_output output;
    const char *name;
    if (!begin_writing(&output, path, &name))
        return PROGRAM_FAILED;
    const smoe_layer_inputs inputs = {r->x, r->given_ids, r->given_weights};
    return end_writing(&output, smoe_layer_file_write_router(name, &r->plan, &r->params, &r->weights, &inputs, tensors,
                                                             count, NULL, &r->log));
}

int run_write_routing(const run *r)
{
    char path[RUN_PATH_SIZE];
    routing all = {0};
    if (!run_output_path(r->options, &r->source, r->options->out, RUN_OUT_ENDING, path))
        return PROGRAM_REFUSED;
    int status = PROGRAM_FAILED;
    if (gather_routing(r, &all))
        status = write_routing(r, path, &all);
    else
        program_say("smoe-run", "no host memory for --out");
    release_routing(&all);
    return status;
}
