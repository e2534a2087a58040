#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

bool load_fail(const load *l, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return vision_error(l->model->log, "%s: %s", l->model->path, text);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

bool load_begin(load *l)
{
    static const char landmark[] = "patch_embed.proj.weight";
    const size_t length = sizeof landmark - 1;
    const smoe_layer_file *file = l->model->file;
    const smoe_tensor *tensor;
    const char *found = NULL;

    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(file, i)) != NULL; i++) {
        const size_t size = strlen(tensor->name);
        if (i >= LOAD_MAX_TENSORS)
            return load_fail(l, "more than %u tensors", LOAD_MAX_TENSORS);
        if (size < length || size - length >= sizeof l->prefix - 128 ||
            strcmp(tensor->name + size - length, landmark) != 0 ||
            (size > length && tensor->name[size - length - 1] != '.'))
            continue;
        if (found)
            return load_fail(l, "two models: both %.100s and %.100s are there", found, tensor->name);
        found = tensor->name;
        memcpy(l->prefix, found, size - length);
    }
    return true; /* without it, its absence is reported when it is looked for */
}

static bool is_under(const load *l, const char *name, const char *start)
{
    const size_t prefix = strlen(l->prefix);
    return strncmp(name, l->prefix, prefix) == 0 && strncmp(name + prefix, start, strlen(start)) == 0;
}

bool load_has_prefix(const load *l, const char *start)
{
    const smoe_tensor *tensor;
    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(l->model->file, i)) != NULL; i++)
        if (is_under(l, tensor->name, start))
            return true;
    return false;
}

const smoe_tensor *load_find(load *l, const char *name)
{
    const smoe_tensor *tensor;
    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(l->model->file, i)) != NULL; i++)
        if (is_under(l, tensor->name, name) && strlen(tensor->name) == strlen(l->prefix) + strlen(name)) {
            l->used[i] = true;
            return tensor;
        }
    return NULL;
}

/* The model's own names, and what comes beside a model: inputs and expected results. */
static bool has_place(const load *l, uint32_t index, const char *name)
{
    static const char *const others[] = {"images", "labels"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i]) == 0)
            return true;
    return l->used[index] || strncmp(name, "expected.", 9) == 0;
}

/* A name that is there and has no place: most likely the missing one under another name. The one with the longest start
 * in common. */
static const char *find_stray(const load *l, const char *missing)
{
    const smoe_tensor *tensor;
    const char *best = NULL;
    size_t longest = 0;
    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(l->model->file, i)) != NULL; i++) {
        size_t common = 0;
        while (missing[common] && tensor->name[common] == missing[common])
            common++;
        if (!has_place(l, i, tensor->name) && common > longest) {
            best = tensor->name;
            longest = common;
        }
    }
    return best;
}

static bool fail_missing(const load *l, const char *name)
{
    char full[2 * LOAD_NAME_SIZE];
    snprintf(full, sizeof full, "%s%s", l->prefix, name);
    const char *stray = find_stray(l, full);
    return stray ? load_fail(l, "tensor %.200s is missing; %.200s is there instead, or comes later", full, stray)
                 : load_fail(l, "tensor %.200s is missing", full);
}

bool load_end(const load *l)
{
    const smoe_tensor *tensor;
    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(l->model->file, i)) != NULL; i++)
        if (!has_place(l, i, tensor->name))
            return load_fail(l, "tensor %.200s has no place in this model", tensor->name);
    return true;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static void write_shape(char *text, size_t size, uint32_t rank, const uint64_t *shape)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (uint32_t i = 0; i < rank && used < size; i++)
        used += (size_t)(shape[i]
                             ? snprintf(text + used, size - used, "%s%llu", i ? ", " : "", (unsigned long long)shape[i])
                             : snprintf(text + used, size - used, "%sn", i ? ", " : ""));
    if (used < size)
        snprintf(text + used, size - used, "]");
}

const smoe_tensor *load_tensor(load *l, const char *name, uint32_t rank, uint64_t *shape)
{
    const smoe_tensor *tensor = load_find(l, name);
    if (!tensor)
        return fail_missing(l, name), NULL;
    bool right = tensor->rank == rank;
    for (uint32_t i = 0; i < rank && right; i++)
        right = tensor->shape[i] > 0 && (shape[i] == 0 || shape[i] == tensor->shape[i]);
    if (!right) {
        char is[128], expected[128];
        write_shape(is, sizeof is, tensor->rank, tensor->shape);
        write_shape(expected, sizeof expected, rank, shape);
        return load_fail(l, "tensor %.200s is %s, but must be %s", tensor->name, is, expected), NULL;
    }
    smoe_type type;
    if (!smoe_tensor_type_weights(tensor->type, &type))
        return load_fail(l, "tensor %.200s must be F32, F16 or BF16", tensor->name), NULL;
    for (uint32_t i = 0; i < rank; i++)
        shape[i] = tensor->shape[i];
    return tensor;
}

bool load_vector(load *l, const char *folder, const char *name, uint64_t size, const smoe_tensor **out)
{
    char full[LOAD_NAME_SIZE];
    snprintf(full, sizeof full, "%s%s", folder, name);
    *out = load_tensor(l, full, 1, &size);
    return *out != NULL;
}

bool load_norm(load *l, const char *folder, uint32_t width, vision_norm *out)
{
    return load_vector(l, folder, ".weight", width, &out->weight) && load_vector(l, folder, ".bias", width, &out->bias);
}

/* The matrices' common type, by which the engine chooses its own. */
static void note_type(load *l, const smoe_tensor *tensor)
{
    smoe_type type = SMOE_TYPE_FLOAT32; /* load_tensor takes only types of weights */
    smoe_tensor_type_weights(tensor->type, &type);
    l->mixed = l->mixed || (l->has_type && type != l->model->weight_type);
    l->has_type = true;
    l->model->weight_type = l->mixed ? SMOE_TYPE_FLOAT32 : type;
}

/* The matrix, seen as [rows, columns], and its bias if it has one. */
static bool load_matrix(load *l, const char *folder, uint32_t rank, uint64_t *shape, vision_linear *out)
{
    char name[LOAD_NAME_SIZE];
    snprintf(name, sizeof name, "%s.weight", folder);
    out->weight = load_tensor(l, name, rank, shape);
    if (!out->weight)
        return false;
    for (uint32_t i = 0; i < rank; i++)
        if (shape[i] > SMOE_MAX_WIDTH)
            return load_fail(l, "tensor %.200s has a length of %llu; at most %u is allowed", out->weight->name,
                             (unsigned long long)shape[i], SMOE_MAX_WIDTH);
    note_type(l, out->weight);
    out->rows = (uint32_t)shape[0];
    out->columns = (uint32_t)shape[1];
    for (uint32_t i = 2; i < rank; i++) {
        if ((uint64_t)out->columns * shape[i] > SMOE_MAX_WIDTH)
            return load_fail(l, "tensor %.200s: windows of more than %u numbers", out->weight->name, SMOE_MAX_WIDTH);
        out->columns *= (uint32_t)shape[i];
    }
    snprintf(name, sizeof name, "%s.bias", folder);
    return !load_find(l, name) || load_vector(l, folder, ".bias", out->rows, &out->bias);
}

bool load_linear(load *l, const char *folder, uint32_t rows, uint32_t columns, vision_linear *out)
{
    uint64_t shape[2] = {rows, columns};
    return load_matrix(l, folder, 2, shape, out);
}

bool load_convolution(load *l, const char *folder, uint32_t *channels, uint32_t *size, vision_linear *out)
{
    uint64_t shape[4] = {out->rows, *channels, *size, *size};
    if (!load_matrix(l, folder, 4, shape, out))
        return false;
    if (shape[2] != shape[3])
        return load_fail(l, "tensor %.200s: the windows must be square", out->weight->name);
    *channels = (uint32_t)shape[1];
    *size = (uint32_t)shape[2];
    return true;
}
