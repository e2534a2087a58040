/* Layer files of any bytes: opened, interpreted and read to the last byte; a layer is written again. */
#include <string.h>

#include "fuzz.h"
#include "sample_file.h"

static void expect_same_layer(const char *path, const smoe_plan_desc *plan, const smoe_forward_params *params,
                              const smoe_host_weights *weights, const float *x)
{
    smoe_layer_file *file;
    smoe_plan_desc again;
    smoe_forward_params params_again;
    smoe_host_weights weights_again;
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    FUZZ_EXPECT(smoe_layer_file_write_layer(path, plan, params, weights, x, NULL, &log) == SMOE_SUCCESS);
    FUZZ_EXPECT(smoe_layer_file_open(path, NULL, &log, &file) == SMOE_SUCCESS);
    FUZZ_EXPECT(smoe_layer_file_layer(file, &again, &params_again, &weights_again) == SMOE_SUCCESS);
    FUZZ_EXPECT(memcmp(&again.types, &plan->types, sizeof again.types) == 0 && again.top_k == plan->top_k);
    FUZZ_EXPECT(again.max_active == plan->max_active && again.max_tokens == plan->max_tokens);
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
    const smoe_tensor *x = smoe_layer_file_tensor(file, "x");
    FUZZ_EXPECT(!x || x->size == 4ull * params.token_count * plan.d_model);
    expect_same_layer(sample_path("fuzz-again"), &plan, &params, &weights, x ? x->data : NULL);
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
    const bool good = read_layer(file, &lines);
    smoe_layer_file_close(file);
    return good;
}

bool fuzz_layer_file(const uint8_t *data, size_t size)
{
    return read_everything(sample_path("fuzz"), data, size);
}
