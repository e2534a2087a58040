/* The weights of a layer file, by the table of a layer's tensors, and what they show of the plan. */
#include "layer_reading.h"

#include <string.h>

#define FAIL SMOE_LAYER_READING_FAIL

/* ---- which tensors there are ------------------------------------------------------------------------------------- */

/* The first tensor that the file has of those that only layers with this router have; NULL: none. */
static const char *tensor_of_router(smoe_layer_reading *r, smoe_router router)
{
    const smoe_plan_desc with = {.router = router};
    const smoe_plan_desc without = {.router = router == SMOE_ROUTER_LINEAR ? SMOE_ROUTER_COSINE : SMOE_ROUTER_LINEAR};
    smoe_layer_tensor tensor, other;
    for (uint32_t i = 0; smoe_layer_tensor_get(&with, i, &tensor) && smoe_layer_tensor_get(&without, i, &other); i++)
        if (tensor.presence != SMOE_PRESENCE_FORBIDDEN && other.presence == SMOE_PRESENCE_FORBIDDEN &&
            smoe_layer_reading_find(r, tensor.file_name))
            return tensor.file_name;
    return NULL;
}

/* The file's router, by its tensors; the metadata must say the same. */
static void find_router(smoe_layer_reading *r)
{
    const char *name = smoe_layer_reading_metadata(r, "router");
    const char *linear = tensor_of_router(r, SMOE_ROUTER_LINEAR), *cosine = tensor_of_router(r, SMOE_ROUTER_COSINE);
    const smoe_router found = cosine ? SMOE_ROUTER_COSINE : SMOE_ROUTER_LINEAR;
    smoe_router named = found;
    char known[SMOE_NAME_LIST_SIZE];
    smoe_router_list(known);
    if (cosine && linear)
        FAIL(r, SMOE_ERROR_FILE, "the tensors are those of a linear and of a cosine router at once: %s and %s", linear,
             cosine);
    else if (name && !smoe_router_find(name, &named))
        FAIL(r, SMOE_ERROR_FILE, "metadata router is \"%.40s\", but must be %s", name, known);
    else if (name && named != found)
        FAIL(r, SMOE_ERROR_FILE, "metadata router is \"%s\", but the tensors are those of a %s router", name,
             smoe_router_name(found));
    r->plan.router = found;
}

/* A file that does not say has a softmax. */
static void find_gate(smoe_layer_reading *r)
{
    const char *score = smoe_layer_reading_metadata(r, "score");
    char known[SMOE_NAME_LIST_SIZE];
    smoe_gate_list(known);
    r->plan.gate = SMOE_GATE_SOFTMAX;
    if (score && !smoe_gate_find(score, &r->plan.gate))
        FAIL(r, SMOE_ERROR_FILE, "metadata score is \"%.40s\", but must be %s", score, known);
}

/* The first tensor whose name begins so, "shared.": NULL if there is none. */
static const char *first_tensor(const smoe_layer_reading *r, const char *prefix)
{
    for (uint32_t i = 0; smoe_layer_file_tensor_at(r->file, i); i++)
        if (strncmp(smoe_layer_file_tensor_at(r->file, i)->name, prefix, strlen(prefix)) == 0)
            return smoe_layer_file_tensor_at(r->file, i)->name;
    return NULL;
}

/* Several shared experts lie one after another in the hidden width of one: how many there were is the file's own
 * business. */
static bool has_shared(smoe_layer_reading *r)
{
    const char *tensor = first_tensor(r, "shared.");
    const uint32_t count = smoe_layer_reading_count(r, "shared", 0, SMOE_MAX_WIDTH, tensor ? 1 : 0);
    if (r->result == SMOE_SUCCESS && (tensor != NULL) != (count > 0)) {
        if (tensor)
            FAIL(r, SMOE_ERROR_FILE, "metadata shared is 0, but the file has a tensor \"%.80s\"", tensor);
        else
            FAIL(r, SMOE_ERROR_FILE, "metadata shared is %u, but the file has no tensor \"shared.*\"", count);
    }
    return r->result == SMOE_SUCCESS && tensor != NULL;
}

/* The rows of a matrix that no other tensor tells: its own tell, or metadata of that key where it has scales. */
static uint32_t find_rows(smoe_layer_reading *r, const char *name, const char *type_key, const char *key,
                          const char *what)
{
    if (smoe_layer_reading_metadata(r, type_key))
        return smoe_layer_reading_stored_width(r, key);
    const smoe_tensor *matrix = smoe_layer_reading_take(r, name, 2, (const uint64_t[2]){0, 0});
    return smoe_layer_reading_width(r, name, matrix, 0, what, SMOE_MAX_WIDTH);
}

static void find_shared(smoe_layer_reading *r)
{
    if (!has_shared(r))
        return;
    r->plan.shared_gate = smoe_layer_reading_find(r, "shared.gate") != NULL;
    r->plan.shared_hidden = find_rows(r, "shared.w1", "shared.w1.type", "shared_hidden", "hidden width");
}

static void find_latent(smoe_layer_reading *r)
{
    if (first_tensor(r, "latent."))
        r->plan.d_latent = find_rows(r, "latent.down", "latent.down.type", "d_latent", "d_latent");
}

static void find_experts(smoe_layer_reading *r)
{
    r->plan.gated = smoe_layer_reading_find(r, "experts.w3") != NULL;
    find_shared(r);
    find_latent(r);
}

/* ---- what they hold ---------------------------------------------------------------------------------------------- */

/* The widths that the first tensor with such an axis tells. */
static const struct {
    char axis;
    size_t offset; /* in smoe_plan_desc */
    uint32_t most;
    const char *what;
} widths[] = {
    {'E', offsetof(smoe_plan_desc, expert_count), SMOE_MAX_EXPERTS, "experts:"},
    {'D', offsetof(smoe_plan_desc, d_model), SMOE_MAX_WIDTH, "d_model"},
    {'H', offsetof(smoe_plan_desc, d_hidden), SMOE_MAX_WIDTH, "d_hidden"},
    {'P', offsetof(smoe_plan_desc, projection_width), SMOE_MAX_WIDTH, "projection width"},
};

static void learn_widths(smoe_layer_reading *r, const smoe_layer_tensor *row, const smoe_tensor *tensor)
{
    for (uint32_t axis = 0; axis < row->axis_count; axis++)
        for (size_t i = 0; row->shape[axis] == 0 && i < sizeof widths / sizeof *widths; i++)
            if (widths[i].axis == row->axes[axis]) {
                void *field = (char *)&r->plan + widths[i].offset;
                uint32_t *width = field;
                if (*width == 0) /* not where all experts are said to be zero experts, which is refused later */
                    *width = smoe_layer_reading_width(r, row->file_name, tensor, axis, widths[i].what, widths[i].most);
            }
}

/* The type of an array without scales. */
static smoe_type plain_type(smoe_layer_reading *r, const smoe_layer_tensor *row, const smoe_tensor *tensor)
{
    const char *const name = smoe_file_type_of(tensor->type).name;
    smoe_type type = SMOE_TYPE_FLOAT32;
    if (!smoe_tensor_type_weights(tensor->type, &type) || (!row->matrix && type != SMOE_TYPE_FLOAT32))
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor %s is %s; smoe %s", row->file_name, name,
             row->matrix ? "takes F32, F16 and BF16, and U8 with metadata that names its type"
                         : "reads it as F32 only");
    return type;
}

/* An array's type: float32, or for matrices the one of the others that share its field of the plan. */
static smoe_type learn_type(smoe_layer_reading *r, uint32_t index, const smoe_layer_tensor *row, smoe_type type)
{
    smoe_layer_tensor other;
    for (uint32_t i = 0; row->matrix && i < index && smoe_layer_tensor_get(&r->plan, i, &other); i++) {
        const smoe_host_weight array = smoe_host_weights_get(&r->weights, &other);
        if (other.matrix && other.type_offset == row->type_offset && array.data && array.type != type)
            FAIL(r, SMOE_ERROR_FILE, "tensors %s and %s must have one type", other.file_name, row->file_name);
    }
    if (row->matrix) {
        void *field = (char *)&r->plan + row->type_offset;
        *(smoe_type *)field = type;
    }
    return type;
}

static void read_tensor(smoe_layer_reading *r, uint32_t index, const smoe_layer_tensor *row)
{
    const bool there = smoe_layer_reading_find(r, row->file_name) != NULL;
    uint64_t shape[SMOE_TENSOR_AXES];
    for (uint32_t axis = 0; axis < SMOE_TENSOR_AXES; axis++)
        shape[axis] = row->shape[axis];
    if (r->result == SMOE_SUCCESS && there && row->presence == SMOE_PRESENCE_FORBIDDEN)
        FAIL(r, SMOE_ERROR_FILE, "tensor %s must not be there unless %s", row->file_name, row->condition);
    if (r->result != SMOE_SUCCESS || (!there && row->presence != SMOE_PRESENCE_REQUIRED))
        return;
    smoe_type type;
    if (row->matrix && smoe_layer_reading_stored_type(r, row, &type)) {
        learn_type(r, index, row, type); /* first: a type that is not w1's says more than a wrong size */
        smoe_host_weights_set(&r->weights, row, (smoe_host_weight){smoe_layer_reading_stored(r, index, type), type});
        return;
    }
    const smoe_tensor *tensor = smoe_layer_reading_take(r, row->file_name, row->axis_count, shape);
    if (!tensor)
        return;
    learn_widths(r, row, tensor);
    type = plain_type(r, row, tensor);
    smoe_host_weights_set(&r->weights, row, (smoe_host_weight){tensor->data, learn_type(r, index, row, type)});
}

void smoe_layer_reading_tensors(smoe_layer_reading *r)
{
    smoe_layer_tensor row;
    find_router(r);
    find_gate(r);
    r->plan.weighted_input = smoe_layer_reading_bool(r, "weighted_input", false);
    r->plan.expert_scale = smoe_layer_reading_find(r, "router.expert_scale") != NULL;
    r->plan.zero_experts = smoe_layer_reading_count(r, "zero_experts", 0, SMOE_MAX_EXPERTS, 0);
    if (!r->router_only)
        find_experts(r);
    for (uint32_t i = 0; r->result == SMOE_SUCCESS && smoe_layer_tensor_get(&r->plan, i, &row); i++)
        if (!r->router_only || row.router)
            read_tensor(r, i, &row);
}
