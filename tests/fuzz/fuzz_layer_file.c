/* What both the seeded test and libFuzzer run on hostile bytes. For libFuzzer, with clang, after `scons`:
 *   mkdir -p corpus && cd tests/golden && cp one_expert.safetensors ties_*.safetensors sigmoid_grouped.safetensors ../../corpus && cd -
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -Isrc -Itests tests/fuzz/fuzz_layer_file.c \
 *       tests/fuzz/sample_file.c tests/common/random.c src/file/?*.c src/base/system_file.c build/lib/libsmoe.a -lm -o fuzz_layer_file
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
    const uint64_t e = plan.expert_count, d = plan.d_model, h = plan.d_hidden, p = plan.projection_width, s = plan.shared_hidden;
    const uint64_t size = smoe_type_size(plan.weight_type, 1);
    const struct {
        const void *data;
        uint64_t size;
    } arrays[] = {
        {weights.router_weight, 4 * e * d}, {weights.router_bias, 4 * e}, {weights.router_projection, 4 * p * d},
        {weights.router_projection_bias, 4 * p}, {weights.router_similarity, 4 * p * e}, {weights.router_log_scale, 4},
        {weights.selection_bias, 4 * e}, {weights.w1, size * e * h * d}, {weights.w2, size * e * d * h}, {weights.w3, size * e * h * d},
        {weights.b1, 4 * e * h}, {weights.b3, 4 * e * h}, {weights.b2, 4 * e * d}, {weights.shared_w1, size * s * d},
        {weights.shared_w2, size * d * s}, {weights.shared_w3, size * s * d}, {weights.shared_b1, 4 * s}, {weights.shared_b3, 4 * s},
        {weights.shared_b2, 4 * d}, {weights.shared_gate, 4 * d},
    };
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        sum += arrays[i].data ? sum_bytes(arrays[i].data, arrays[i].size) : 0;
    const smoe_tensor *x = smoe_layer_file_tensor(file, "x");
    return x ? sum + sum_bytes(x->data, 4 * (uint64_t)params.token_count * d) : sum;
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
    if (SAMPLE_WAYS > 1 && size <= 65536)
        sum += read_everything(NULL, data, size);
    (void)sum;
    return 0;
}
