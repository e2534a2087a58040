/* What is run: a layer file or a layer of a checkpoint, its inputs, and what the options put in place of what the file
 * says. */
#include "run.h"

#include "program/output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REPORT_SIZE (UINT64_C(1) << 30)

/* While a file is read, it is the file that asks for too much. */
static int file_status(smoe_result result)
{
    return result == SMOE_ERROR_UNSUPPORTED ? PROGRAM_REFUSED : run_status(result);
}

/* ---- the layer --------------------------------------------------------------------------------------------------- */

/* Passes a line of the library on, its options under the names that they have here. user: the smoe_log. */
static void name_options(void *user, smoe_log_level level, const char *text)
{
    static const struct {
        const char *library, *here;
    } names[] = {{"options.top_k", "--k"}, {"options.activation", "--activation"}};
    const smoe_log *log = user;
    char line[1024];
    size_t used = 0;
    while (*text && used + 1 < sizeof line) {
        const char *here = NULL;
        for (size_t i = 0; !here && i < sizeof names / sizeof *names; i++) {
            const size_t size = strlen(names[i].library);
            if (strncmp(text, names[i].library, size) == 0) {
                here = names[i].here;
                text += size;
            }
        }
        if (!here)
            line[used++] = *text++;
        for (; here && *here && used + 1 < sizeof line; here++)
            line[used++] = *here;
    }
    line[used] = '\0';
    log->message(log->user, level, line);
}

static int load_checkpoint(run *r)
{
    const run_options *given = r->options;
    const smoe_activation activation = (smoe_activation)given->activation;
    const smoe_checkpoint_options options = {given->top_k, given->activation >= 0 ? &activation : NULL};
    const smoe_log log = {name_options, &r->log};
    smoe_checkpoint *checkpoint;
    smoe_result result = smoe_checkpoint_open(r->source.path, NULL, &log, &checkpoint);
    if (result != SMOE_SUCCESS)
        return file_status(result);
    result = smoe_checkpoint_read(checkpoint, r->source.layer, &options, &r->checkpoint_layer);
    r->format = smoe_checkpoint_format(checkpoint);
    smoe_checkpoint_close(checkpoint);
    if (result == SMOE_SUCCESS)
        result = smoe_checkpoint_layer_get(r->checkpoint_layer, &r->plan, &r->params, &r->weights);
    return file_status(result);
}

static const void *tensor_of(const run *r, const char *name)
{
    const smoe_tensor *tensor = smoe_layer_file_tensor(r->file, name);
    return tensor ? tensor->data : NULL;
}

static int load_file(run *r)
{
    smoe_result result = smoe_layer_file_open(r->source.path, NULL, &r->log, &r->file);
    if (result == SMOE_SUCCESS)
        result = r->options->route_only ? smoe_layer_file_router(r->file, &r->plan, &r->params, &r->weights)
                                        : smoe_layer_file_layer(r->file, &r->plan, &r->params, &r->weights);
    if (result != SMOE_SUCCESS)
        return file_status(result);
    r->x = tensor_of(r, "x");
    r->given_ids = tensor_of(r, "given.ids");
    r->given_weights = tensor_of(r, "given.weights");
    return PROGRAM_OK;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static int load_x(run *r)
{
    const char *path = r->options->x;
    const smoe_result result = smoe_layer_file_open(path, NULL, &r->log, &r->x_file);
    if (result != SMOE_SUCCESS)
        return file_status(result);
    const smoe_tensor *x = smoe_layer_file_tensor(r->x_file, "x");
    const bool right = x && x->type == SMOE_TENSOR_FLOAT32 && x->rank == 2 && x->shape[0] >= 1 &&
                       x->shape[0] <= SMOE_MAX_TOKENS && x->shape[1] == r->plan.d_model;
    if (!right) {
        program_say("smoe-run", "%s: tensor x must be F32 [T,%u], T from 1 to %u", path, r->plan.d_model,
                    SMOE_MAX_TOKENS);
        return PROGRAM_REFUSED;
    }
    r->x = x->data;
    r->plan.max_tokens = (uint32_t)x->shape[0];
    return PROGRAM_OK;
}

/* SplitMix64 (Steele, Lea and Flood 2014), as a number in (0, 1). */
static double next_uniform(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

/* Standard normal numbers, two by two (Box and Muller 1958). */
static int make_x(run *r)
{
    const double turn = 6.283185307179586;
    r->plan.max_tokens = r->options->tokens;
    r->seed = r->options->seed;
    const size_t count = (size_t)r->plan.max_tokens * r->plan.d_model;
    uint64_t state = r->seed;
    r->random_x = malloc(count * sizeof *r->random_x);
    if (!r->random_x) {
        program_say("smoe-run", "no host memory for %u tokens", r->plan.max_tokens);
        return PROGRAM_FAILED;
    }
    for (size_t i = 0; i < count; i += 2) {
        const double radius = sqrt(-2.0 * log(next_uniform(&state))), angle = turn * next_uniform(&state);
        r->random_x[i] = (float)(radius * cos(angle));
        if (i + 1 < count)
            r->random_x[i + 1] = (float)(radius * sin(angle));
    }
    r->x = r->random_x;
    return PROGRAM_OK;
}

static int load_inputs(run *r)
{
    int status = PROGRAM_OK;
    const uint32_t given = r->given_ids ? r->plan.max_tokens : 0;
    if (r->options->x)
        status = load_x(r);
    else if (r->options->make_x || r->options->checkpoint_count)
        status = make_x(r);
    else if (!r->x)
        return run_refuse(r,
                          "there is no tensor x: nothing to run the layer on; --x FILE or --tokens N gives it inputs");
    if (given && r->plan.max_tokens != given)
        return run_refuse(
            r, "the file gives the routing of other tokens: --x and --tokens must have as many as given.ids");
    r->params.token_count = r->plan.max_tokens;
    if (isnan(r->options->calibrate)) /* which routes pass by pass */
        r->plan.min_tokens = r->plan.max_tokens;
    return status;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static void override_numbers(const smoe_forward_params *given, smoe_forward_params *params)
{
    const smoe_forward_number *number;
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++)
        if (!isnan(smoe_forward_number_value(number, given)))
            smoe_forward_number_set(number, params, smoe_forward_number_value(number, given));
}

static void override_file(run *r)
{
    const run_options *options = r->options;
    override_numbers(&options->params, &r->params);
    r->plan.top_k = options->top_k ? options->top_k : r->plan.top_k;
    r->plan.max_active = options->max_active ? options->max_active : r->plan.max_active;
    r->plan.max_active = r->plan.max_active ? r->plan.max_active : r->plan.expert_count;
    r->plan.max_expected_active = r->params.expected_active = options->expected_active;
    if (options->weights >= 0)
        r->plan.types = (smoe_matrix_types)SMOE_TYPES((smoe_type)options->weights);
    r->plan.activation = options->activation >= 0 ? (smoe_activation)options->activation : r->plan.activation;
}

static bool narrows(const run *r)
{
    const smoe_matrix_types *own = &r->own_types;
    const smoe_type type = (smoe_type)r->options->weights;
    const bool routed = own->up == type && own->down == type,
               shared = own->shared_up == type && own->shared_down == type,
               latent = own->latent_down == type && own->latent_up == type;
    return r->options->weights >= 0 && type != SMOE_TYPE_FLOAT32 &&
           !(routed && (shared || r->plan.shared_hidden == 0) && (latent || r->plan.d_latent == 0));
}

/* The file's own types have been looked at: it can only be --weights whose blocks do not divide a row. */
static int check_blocks(const run *r)
{
    smoe_layer_tensor tensor;
    char text[SMOE_REASON_SIZE];
    for (uint32_t i = 0; smoe_layer_tensor_get(&r->plan, i, &tensor); i++) {
        if (!tensor.matrix || tensor.presence == SMOE_PRESENCE_FORBIDDEN || tensor.size > 0)
            continue;
        snprintf(text, sizeof text, "--weights %s: its blocks do not divide %s's rows of %u",
                 smoe_type_short_name(tensor.type), tensor.file_name, tensor.shape[tensor.axis_count - 1]);
        return run_refuse(r, text);
    }
    return PROGRAM_OK;
}

static int check_overrides(const run *r)
{
    const smoe_plan_desc *plan = &r->plan;
    char reason[SMOE_REASON_SIZE], text[SMOE_REASON_SIZE + 64];
    const uint32_t group_size = plan->group_count ? plan->expert_count / plan->group_count : 0;
    if (r->options->check && r->narrowed)
        return run_refuse(r, "--check: the tolerances are for the file's own weights, not for narrower --weights");
    if (r->options->mixed_precision && smoe_select_precision(NULL, plan) == SMOE_PRECISION_FLOAT32)
        return run_refuse(r, "--mixed-precision needs weights with scales, or all of one 16-bit type: --weights "
                             "converts them");
    if (plan->top_k > plan->expert_count)
        return run_refuse(r, "--k is more than the layer's experts");
    if (plan->group_count && plan->top_k > group_size * plan->top_groups)
        return run_refuse(r, "--k is more than the experts of the groups that may be chosen from");
    if (plan->max_active < plan->top_k || plan->max_active > plan->expert_count)
        return run_refuse(r, "--max-active must lie between k and the layer's number of experts");
    if (r->options->expected_active &&
        (plan->max_expected_active < plan->top_k || plan->max_expected_active > plan->max_active))
        return run_refuse(r, "--expected-active must lie between k and the most experts that may run for a token");
    if (smoe_plan_numbers_check(plan, reason) != SMOE_SUCCESS) {
        snprintf(text, sizeof text, "--activation %s: %s", smoe_activation_name(plan->activation), reason);
        return run_refuse(r, text);
    }
    if (smoe_plan_routing_check(plan, reason) != SMOE_SUCCESS) {
        snprintf(text, sizeof text, "--k or --max-active: %s", reason);
        return run_refuse(r, text);
    }
    if (r->given_ids && !isnan(r->options->calibrate))
        return run_refuse(r, "--calibrate: the file gives the routing, which has no band");
    if (!isnan(r->options->params.temperature) && plan->gate != SMOE_GATE_SOFTMAX)
        return run_refuse(r, "--temperature: the layer's scores are not softmax's, which only has one");
    if (!isnan(r->options->params.group_eps) && !plan->group_count)
        return run_refuse(r, "--group-eps: the layer has no groups of experts");
    if (r->options->check && plan->group_count && r->params.group_eps > 0.0f)
        return run_refuse(r, "--check: expected results are for hard groups, metadata group_eps must be 0");
    return check_blocks(r);
}

static int allocate(run *r)
{
    const uint64_t tokens = r->params.token_count;
    const uint64_t report_size = tokens * SMOE_REPORT_STRIDE(r->plan.max_active) * 4;
    if (report_size > MAX_REPORT_SIZE)
        return run_refuse(
            r, "the report of so many tokens and active experts would take over 1 GiB; --max-active makes it smaller");
    r->report = malloc((size_t)report_size);
    r->y = r->options->route_only ? NULL : malloc((size_t)(tokens * r->plan.d_model * sizeof *r->y));
    r->expert_tokens = malloc(r->plan.expert_count * sizeof *r->expert_tokens);
    if (r->report && (r->y || r->options->route_only) && r->expert_tokens)
        return PROGRAM_OK;
    program_say("smoe-run", "no host memory for the output");
    return PROGRAM_FAILED;
}

smoe_result run_give_routing(const run *r, smoe_device_layer *layer)
{
    return r->given_ids ? smoe_device_layer_give_routing(layer, r->params.token_count, r->given_ids, r->given_weights)
                        : SMOE_SUCCESS;
}

int run_load(run *r)
{
    int status = r->options->checkpoint_count ? load_checkpoint(r) : load_file(r);
    if (status == PROGRAM_OK && r->options->route_only)
        status = run_replace_experts(r);
    r->own_types = r->plan.types;
    if (status == PROGRAM_OK)
        status = load_inputs(r);
    if (status != PROGRAM_OK)
        return status;
    override_file(r);
    r->narrowed = narrows(r);
    status = check_overrides(r);
    return status == PROGRAM_OK ? allocate(r) : status;
}
