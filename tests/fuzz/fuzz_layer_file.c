/* What both the seeded test and libFuzzer run on hostile bytes. For libFuzzer, with clang, after `scons`:
 *   mkdir -p corpus && cd tests/golden && cp one_expert.safetensors ties_*.safetensors sigmoid_grouped.safetensors
 * ../../corpus && cd -
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Isrc -Itests tests/fuzz/fuzz_layer_file.c \
 *       tests/fuzz/sample_file.c tests/common/random.c src/file/?*.c src/base/system_file.c build/lib/libsmoe.a -lm -o
 * fuzz_layer_file
 *   ./fuzz_layer_file -max_len=65536 corpus */
#include "sample_file.h"

static uint64_t sum_bytes(const void *data, uint64_t size)
{
    const unsigned char *bytes = data;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < size; i++)
        sum += bytes[i];
    return sum;
}

static uint64_t sum_string(const char *text)
{
    uint64_t sum = 0;
    for (; text && *text; text++)
        sum += (unsigned char)*text;
    return sum;
}

static uint64_t read_layer(const smoe_layer_file *file)
{
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    if (smoe_layer_file_layer(file, &plan, &params, &weights) != SMOE_SUCCESS)
        return 0;
    smoe_layer_tensor tensor;
    uint64_t sum = 0;
    for (uint32_t i = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        const smoe_host_weight array = smoe_host_weights_get(&weights, &tensor);
        sum += array.data ? sum_bytes(array.data, smoe_type_size(array.type, tensor.element_count)) : 0;
    }
    const smoe_tensor *x = smoe_layer_file_tensor(file, "x");
    return x ? sum + sum_bytes(x->data, 4ull * params.token_count * plan.d_model) : sum;
}

static uint64_t read_everything(const char *path, const uint8_t *data, size_t size)
{
    smoe_layer_file *file;
    if (sample_open_bytes(path, data, size, NULL, NULL, &file) != SMOE_SUCCESS)
        return 0;
    uint64_t sum = 0;
    const smoe_tensor *tensor;
    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(file, i)) != NULL; i++)
        sum += sum_bytes(tensor->data, tensor->size) + sum_string(tensor->name);
    sum += sum_string(smoe_layer_file_metadata(file, "name")) + read_layer(file);
    smoe_layer_file_close(file);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    volatile uint64_t sum = read_everything(sample_path("fuzz"), data, size);
    (void)sum;
    return 0;
}
