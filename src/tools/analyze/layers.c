/* Layers to run, from a file or drawn, and their experts one by one. */
#include "layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Streams of random numbers, one per array. */
enum { STREAM_X = 512, STREAM_ROUTER, STREAM_W1, STREAM_B1, STREAM_W2, STREAM_B2 };

void *layers_allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        analyze_fail("out of host memory: %zu times %zu bytes", count, size);
    return memory;
}

static float *draw(analyze *a, layers_source *source, uint32_t slot, size_t count, double scale)
{
    float *out = layers_allocate(count, sizeof *out);
    if (!out)
        return NULL;
    source->drawn[slot] = out;
    analyze_draw_normals(a, STREAM_X + slot, out, count);
    for (size_t i = 0; i < count; i++)
        out[i] *= (float)scale;
    return out;
}

/* Refuses an option that is given. */
static int refuse_given(const analyze *a, const char *name, const char *rule)
{
    return program_given(&a->line, name) ? analyze_refuse_option(a, name, rule) : PROGRAM_OK;
}

static int draw_layer(analyze *a, uint32_t tokens, layers_source *source)
{
    const analyze_options *o = &a->options;
    const uint32_t width = o->width, experts = o->experts, k = o->k ? o->k : 1;
    const uint32_t groups = o->groups, top_groups = groups > 1 ? o->top_groups : 0;
    const size_t hidden = o->hidden;
    if (k > experts)
        return analyze_refuse_option(a, "--k", "must be at most --experts");
    if (groups > 1 && (experts % groups || top_groups > groups || experts / groups * top_groups < k))
        return analyze_refuse_option(a, "--groups",
                                     "must divide --experts, and --top-groups of them must exist and hold --k experts");
    source->plan = (smoe_plan_desc){.d_model = width,
                                    .d_hidden = (uint32_t)hidden,
                                    .expert_count = experts,
                                    .top_k = k,
                                    .max_active = experts,
                                    .min_tokens = tokens,
                                    .max_tokens = tokens,
                                    .router = SMOE_ROUTER_LINEAR,
                                    .gate = SMOE_GATE_SOFTMAX,
                                    .activation = SMOE_ACTIVATION_GELU,
                                    .types = SMOE_TYPES(SMOE_TYPE_FLOAT32),
                                    .renormalize = true,
                                    .group_count = groups > 1 ? groups : 0,
                                    .top_groups = top_groups};
    source->params = smoe_forward_defaults();
    const float *router = draw(a, source, STREAM_ROUTER - STREAM_X, (size_t)experts * width, 1.0 / sqrt((double)width));
    const float *w1 = draw(a, source, STREAM_W1 - STREAM_X, experts * hidden * width, 1.0 / sqrt((double)width));
    const float *b1 = draw(a, source, STREAM_B1 - STREAM_X, experts * hidden, 0.1);
    const float *w2 = draw(a, source, STREAM_W2 - STREAM_X, experts * hidden * width, 1.0 / sqrt((double)hidden));
    const float *b2 = draw(a, source, STREAM_B2 - STREAM_X, (size_t)experts * width, 1.0);
    source->x = draw(a, source, 0, (size_t)tokens * width, 1.0);
    source->weights = (smoe_host_weights){
        .router_weight = router, .w1 = {w1, SMOE_TYPE_FLOAT32}, .b1 = b1, .w2 = {w2, SMOE_TYPE_FLOAT32}, .b2 = b2};
    source->token_count = tokens;
    return router && w1 && b1 && w2 && b2 && source->x ? PROGRAM_OK : PROGRAM_FAILED;
}

static int open_file(analyze *a, uint32_t drawn_tokens, layers_source *source)
{
    static const char *const shapes[] = {"--width", "--hidden", "--experts", "--k", "--groups", "--top-groups"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (refuse_given(a, shapes[i], "a layer file has a shape of its own") != PROGRAM_OK)
            return PROGRAM_REFUSED;
    smoe_result result = smoe_layer_file_open(a->file, NULL, &a->log, &source->file);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_file_layer(source->file, &source->plan, &source->params, &source->weights);
    if (result != SMOE_SUCCESS) {
        analyze_fail_result(a, result);
        return result == SMOE_ERROR_OUT_OF_HOST_MEMORY ? PROGRAM_FAILED : PROGRAM_REFUSED;
    }
    if (source->plan.balanced_groups > 1)
        return analyze_refuse(a->file,
                              "what is measured here is one choice among all experts, not one in each balanced group");
    if (source->plan.given_count > 0)
        return analyze_refuse(a->file, "what is measured here is the router's own choice, not a given one");
    if (source->plan.d_latent > 0 || source->plan.weighted_input || source->plan.zero_experts > 0)
        return analyze_refuse(a->file,
                              "what is measured here adds up experts by their weights, each of them run by itself: "
                              "neither latent experts nor zero ones, nor weights on inputs");
    if (source->plan.max_active == 0)
        source->plan.max_active = source->plan.expert_count;
    const smoe_tensor *x = smoe_layer_file_tensor(source->file, "x");
    if (x) {
        source->x = x->data;
        source->token_count = source->plan.min_tokens = source->plan.max_tokens;
        return refuse_given(a, "--tokens", "this layer file has inputs of its own");
    }
    source->token_count = source->plan.min_tokens = source->plan.max_tokens = drawn_tokens;
    source->x = draw(a, source, 0, (size_t)drawn_tokens * source->plan.d_model, 1.0);
    return source->x ? PROGRAM_OK : PROGRAM_FAILED;
}

bool layers_has_groups(const layers_source *source)
{
    return source->plan.group_count > 1;
}

int layers_open(analyze *a, uint32_t drawn_tokens, layers_source *source)
{
    static const char *const of_groups[] = {"--top-groups", "--group-eps"};
    memset(source, 0, sizeof *source);
    int status = a->file ? open_file(a, drawn_tokens, source) : draw_layer(a, drawn_tokens, source);
    for (size_t i = 0; i < sizeof of_groups / sizeof *of_groups && status == PROGRAM_OK && !layers_has_groups(source);
         i++)
        status = refuse_given(a, of_groups[i], "the layer has no groups");
    if (status != PROGRAM_OK)
        return status;
    for (size_t i = 0; i < (size_t)source->token_count * source->plan.d_model; i++)
        if (!isfinite(source->x[i]))
            return analyze_refuse(a->file ? a->file : "inputs", "x holds a NaN or an infinity");
    return PROGRAM_OK;
}

void layers_put(analyze *a, const layers_source *source)
{
    analyze_put_text(a, "layer", a->file ? a->file : "drawn by the seed", "layer");
    if (a->file && source->x == source->drawn[0])
        analyze_put_note(a, "%s has no inputs: they are drawn, N(0,1)", a->file);
    analyze_put_value(a, "experts", source->plan.expert_count, "experts E");
    analyze_put_value(a, "k", source->plan.top_k, "chosen k");
    analyze_put_value(a, "width", source->plan.d_model, "width D");
    analyze_put_value(a, "hidden", source->plan.d_hidden, "hidden width H");
    if (layers_has_groups(source)) {
        analyze_put_value(a, "groups", source->plan.group_count, "groups");
        analyze_put_value(a, "top_groups", source->plan.top_groups, "groups kept");
    }
    analyze_put_value(a, "tokens", source->token_count, "inputs T");
}

void layers_close(layers_source *source)
{
    smoe_layer_file_close(source->file);
    for (size_t i = 0; i < sizeof source->drawn / sizeof *source->drawn; i++)
        free(source->drawn[i]);
    memset(source, 0, sizeof *source);
}

static const float *row_of(const float *all, uint32_t row, size_t width)
{
    return all ? all + (size_t)row * width : NULL;
}

static smoe_host_weight matrix_of(smoe_host_weight all, uint32_t expert, uint32_t rows, uint32_t columns)
{
    const size_t size = (size_t)smoe_weights_size(all.type, 1, rows, columns);
    return (smoe_host_weight){all.data ? (const char *)all.data + size * expert : NULL, all.type};
}

/* The numbers of gated experts, which an expert has also by itself. */
static void copy_numbers(const smoe_plan_desc *from, smoe_plan_desc *to)
{
    const smoe_plan_number *number;
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (!number->router && !number->shared)
            smoe_plan_number_set(number, to, smoe_plan_number_value(number, from));
}

int layers_run_experts(analyze *a, const layers_source *source, const uint32_t *ids, uint32_t count, const float *x,
                       uint32_t token_count, float *f)
{
    const uint32_t width = source->plan.d_model, hidden = source->plan.d_hidden;
    smoe_plan_desc plan = {.d_model = width,
                           .d_hidden = hidden,
                           .expert_count = 1,
                           .top_k = 1,
                           .max_active = 1,
                           .min_tokens = token_count,
                           .max_tokens = token_count,
                           .activation = source->plan.activation,
                           .types = source->plan.types,
                           .gated = source->plan.gated,
                           .renormalize = true};
    copy_numbers(&source->plan, &plan);
    float *router = layers_allocate(width, sizeof *router);
    if (!router)
        return PROGRAM_FAILED;
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count; i++) {
        const smoe_host_weights *all = &source->weights;
        const smoe_host_weights one = {.router_weight = router,
                                       .w1 = matrix_of(all->w1, ids[i], hidden, width),
                                       .b1 = row_of(all->b1, ids[i], hidden),
                                       .w3 = matrix_of(all->w3, ids[i], hidden, width),
                                       .b3 = row_of(all->b3, ids[i], hidden),
                                       .w2 = matrix_of(all->w2, ids[i], width, hidden),
                                       .b2 = row_of(all->b2, ids[i], width)};
        smoe_device_layer *layer = NULL;
        smoe_forward_params params = smoe_forward_defaults();
        params.token_count = token_count;
        result = smoe_device_layer_create(a->device, &plan, &one, &layer);
        if (result == SMOE_SUCCESS)
            result = smoe_device_layer_forward(layer, &params, x, f + (size_t)i * token_count * width, NULL, NULL);
        smoe_device_layer_destroy(layer);
    }
    free(router);
    return result == SMOE_SUCCESS ? PROGRAM_OK : analyze_fail_result(a, result);
}

double layers_distance(const float *p, const float *q, uint32_t width)
{
    double sum = 0;
    for (uint32_t i = 0; i < width; i++)
        sum += ((double)p[i] - q[i]) * ((double)p[i] - q[i]);
    return sqrt(sum);
}

double layers_norm(const float *p, uint32_t width)
{
    double sum = 0;
    for (uint32_t i = 0; i < width; i++)
        sum += (double)p[i] * p[i];
    return sqrt(sum);
}
