/* Layer files of any bytes: opened, interpreted and read to the last byte; a layer is written again. */
#include <string.h>

#include "fuzz.h"
#include "sample_file.h"

static void expect_same_layer(const char *path, const smoe_plan_desc *plan, const smoe_forward_params *params,
                              const smoe_host_weights *weights, const smoe_layer_inputs *inputs)
{
    smoe_layer_file *file;
    smoe_plan_desc again;
    smoe_forward_params params_again;
    smoe_host_weights weights_again;
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    FUZZ_EXPECT(smoe_layer_file_write_layer(path, plan, params, weights, inputs, NULL, &log) == SMOE_SUCCESS);
    FUZZ_EXPECT(smoe_layer_file_open(path, NULL, &log, &file) == SMOE_SUCCESS);
    FUZZ_EXPECT(smoe_layer_file_layer(file, &again, &params_again, &weights_again) == SMOE_SUCCESS);
    FUZZ_EXPECT(memcmp(&again.types, &plan->types, sizeof again.types) == 0 && again.top_k == plan->top_k);
    FUZZ_EXPECT(again.max_active == plan->max_active && again.max_tokens == plan->max_tokens);
    FUZZ_EXPECT(again.given_count == plan->given_count && again.given_weights == plan->given_weights &&
                again.zero_experts == plan->zero_experts);
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++) {
        const smoe_host_weight one = smoe_host_weights_get(weights, &tensor),
                               two = smoe_host_weights_get(&weights_again, &tensor);
        FUZZ_EXPECT(!one.data == !two.data);
        const uint64_t size = smoe_layer_tensor_size(&tensor, one.type, tensor.shape[0]);
        FUZZ_EXPECT(!one.data || (one.type == two.type && memcmp(one.data, two.data, size) == 0));
    }
    smoe_layer_file_close(file);
}

static bool read_layer(const smoe_layer_file *file, fuzz_lines *lines)
{
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    const smoe_result result = smoe_layer_file_layer(file, &plan, &params, &weights);
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_FILE || result == SMOE_ERROR_UNSUPPORTED);
    fuzz_expect_told(lines, result);
    if (result != SMOE_SUCCESS)
        return false;
    fuzz_expect_layer(&plan, &params, &weights);
    const smoe_tensor *x = smoe_layer_file_tensor(file, "x"), *ids = smoe_layer_file_tensor(file, "given.ids"),
                      *given = smoe_layer_file_tensor(file, "given.weights");
    FUZZ_EXPECT(!x || x->size == 4ull * params.token_count * plan.d_model);
    FUZZ_EXPECT(!ids == (plan.given_count == 0) && !given == !plan.given_weights);
    FUZZ_EXPECT(!ids || ids->size == 4ull * params.token_count * plan.given_count);
    FUZZ_EXPECT(!given || given->size == ids->size);
    const smoe_layer_inputs inputs = sample_inputs(file);
    expect_same_layer(sample_path("fuzz-again"), &plan, &params, &weights, &inputs);
    return true;
}

/* Whoever reads a layer reads its router; a file that is no layer may have one. */
static bool read_router(const smoe_layer_file *file, bool layer, fuzz_lines *lines)
{
    smoe_plan_desc plan;
    smoe_host_weights weights;
    *lines = (fuzz_lines){0};
    const smoe_result result = smoe_layer_file_router(file, &plan, NULL, &weights);
    FUZZ_EXPECT(result == SMOE_SUCCESS || (!layer && (result == SMOE_ERROR_FILE || result == SMOE_ERROR_UNSUPPORTED)));
    fuzz_expect_told(lines, result);
    if (result != SMOE_SUCCESS)
        return false;
    FUZZ_EXPECT(plan.d_hidden == 0 && !plan.gated && plan.shared_hidden == 0 && !weights.w1.data &&
                !weights.shared_gate);
    fuzz_read(plan.router == SMOE_ROUTER_LINEAR ? weights.router_weight : weights.router_projection, 4);
    return true;
}

static bool read_everything(const char *path, const uint8_t *data, size_t size)
{
    smoe_layer_file *file;
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    const smoe_result result = sample_open_bytes(path, data, size, NULL, &log, &file);
    FUZZ_EXPECT(result == SMOE_SUCCESS || (result == SMOE_ERROR_FILE && !file));
    fuzz_expect_told(&lines, result);
    if (result != SMOE_SUCCESS)
        return false;
    const smoe_tensor *tensor;
    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(file, i)) != NULL; i++) {
        fuzz_read(tensor->data, tensor->size);
        fuzz_read(tensor->name, strlen(tensor->name));
    }
    const bool layer = read_layer(file, &lines), good = read_router(file, layer, &lines);
    smoe_layer_file_close(file);
    return good;
}

bool fuzz_layer_file(const uint8_t *data, size_t size)
{
    return read_everything(sample_path("fuzz"), data, size);
}
