/* Reads the digits and their model, and computes what is linear around the MoE layer. */
#include "model.h"

#include <math.h>

#include "program/data.h"
#include "program/output.h"

static void print_message(void *user, smoe_log_level level, const char *text)
{
    if (level != SMOE_LOG_INFO)
        program_say(user, "%s%s", level == SMOE_LOG_WARNING ? "warning: " : "", text);
}

/* The data of a tensor of exactly this type and shape (columns 0: of rank 1), or NULL after a message. */
static const void *require_tensor(const smoe_layer_file *file, const char *name, const char *path, const char *tensor,
                                  smoe_tensor_type type, uint64_t rows, uint64_t columns)
{
    const smoe_tensor *found = smoe_layer_file_tensor(file, tensor);
    if (found && found->type == type && found->rank == (columns ? 2u : 1u) && found->shape[0] == rows &&
        (!columns || found->shape[1] == columns))
        return found->data;
    program_say(name, "%s: tensor %s is missing or not %s [%llu%s%.0llu]", path, tensor,
                type == SMOE_TENSOR_UINT8 ? "U8" : "F32", (unsigned long long)rows, columns ? ", " : "",
                (unsigned long long)columns);
    return NULL;
}

static bool check_digits(const digits_data *data, const char *name, const char *path)
{
    for (uint32_t i = 0; i < data->count; i++) {
        bool legal = data->labels[i] < DIGITS_CLASSES && data->held_out[i] <= 1;
        for (uint32_t p = 0; p < DIGITS_PIXELS; p++)
            legal = legal && data->images[i * DIGITS_PIXELS + p] <= DIGITS_INK;
        if (!legal) {
            program_say(name, "%s: digit %u has a label above 9, a pixel above 16 or a split that is not 0 or 1", path,
                        i);
            return false;
        }
    }
    return true;
}

bool digits_open_data(digits_data *data, const char *name, const char *program, const char *path)
{
    char found[SMOE_SYSTEM_NAME_SIZE];
    const smoe_log log = {print_message, (void *)name};
    *data = (digits_data){.count = 0};
    if (!path && !program_find_data(name, program, "--data", "digits/digits.safetensors", found))
        return false;
    path = path ? path : found;
    if (smoe_layer_file_open(path, NULL, &log, &data->file) != SMOE_SUCCESS)
        return false;
    const smoe_tensor *images = smoe_layer_file_tensor(data->file, "images");
    const uint64_t count = images ? images->shape[0] : 1;
    if (count == 0 || count > SMOE_MAX_TOKENS) {
        program_say(name, "%s: images must have 1 to %u rows", path, SMOE_MAX_TOKENS);
        return false;
    }
    data->count = (uint32_t)count;
    const smoe_tensor_type type = SMOE_TENSOR_UINT8;
    return (data->images = require_tensor(data->file, name, path, "images", type, count, DIGITS_PIXELS)) &&
           (data->labels = require_tensor(data->file, name, path, "labels", type, count, 0)) &&
           (data->held_out = require_tensor(data->file, name, path, "held_out", type, count, 0)) &&
           check_digits(data, name, path);
}

void digits_close_data(digits_data *data)
{
    smoe_layer_file_close(data->file);
    *data = (digits_data){.count = 0};
}

bool digits_open_model(digits_model *model, const char *name, const char *program, const char *path)
{
    char found[SMOE_SYSTEM_NAME_SIZE];
    const smoe_log log = {print_message, (void *)name};
    *model = (digits_model){.file = NULL};
    if (!path && !program_find_data(name, program, "--model", "digits/model.safetensors", found))
        return false;
    path = path ? path : found;
    if (smoe_layer_file_open(path, NULL, &log, &model->file) != SMOE_SUCCESS ||
        smoe_layer_file_layer(model->file, &model->plan, &model->params, &model->weights) != SMOE_SUCCESS)
        return false;
    smoe_plan_desc *plan = &model->plan;
    const uint32_t width = plan->d_model;
    plan->max_active = plan->max_active ? plan->max_active : plan->expert_count;
    const smoe_tensor_type type = SMOE_TENSOR_FLOAT32;
    return (model->embed_weight =
                require_tensor(model->file, name, path, "embed.weight", type, width, DIGITS_PIXELS)) &&
           (model->embed_bias = require_tensor(model->file, name, path, "embed.bias", type, width, 0)) &&
           (model->head_weight = require_tensor(model->file, name, path, "head.weight", type, DIGITS_CLASSES, width)) &&
           (model->head_bias = require_tensor(model->file, name, path, "head.bias", type, DIGITS_CLASSES, 0));
}

void digits_close_model(digits_model *model)
{
    smoe_layer_file_close(model->file);
    *model = (digits_model){.file = NULL};
}

/* out[r] = bias[r] + sum over c of weight[r,c] in[c] */
static void linear(float *out, const float *weight, const float *bias, const float *in, uint32_t rows, uint32_t columns)
{
    for (uint32_t r = 0; r < rows; r++) {
        float sum = bias[r];
        for (uint32_t c = 0; c < columns; c++)
            sum += weight[r * columns + c] * in[c];
        out[r] = sum;
    }
}

void digits_embed(const digits_model *model, const float pixels[DIGITS_PIXELS], float *x)
{
    linear(x, model->embed_weight, model->embed_bias, pixels, model->plan.d_model, DIGITS_PIXELS);
}

void digits_head(const digits_model *model, const float *x, float *y, float logits[DIGITS_CLASSES])
{
    for (uint32_t d = 0; d < model->plan.d_model; d++)
        y[d] += x[d];
    linear(logits, model->head_weight, model->head_bias, y, DIGITS_CLASSES, model->plan.d_model);
}

uint32_t digits_answer(const float logits[DIGITS_CLASSES], float probability[DIGITS_CLASSES])
{
    uint32_t best = 0;
    float sum = 0.0f;
    for (uint32_t c = 1; c < DIGITS_CLASSES; c++)
        best = logits[c] > logits[best] ? c : best;
    for (uint32_t c = 0; c < DIGITS_CLASSES; c++) {
        probability[c] = expf(logits[c] - logits[best]);
        sum += probability[c];
    }
    for (uint32_t c = 0; c < DIGITS_CLASSES; c++)
        probability[c] /= sum;
    return isfinite(sum) ? best : DIGITS_NO_ANSWER;
}
