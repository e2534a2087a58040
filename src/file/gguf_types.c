/* The types of tensors that GGUF files have. Source: ggml_type and its traits in ggml.h and ggml.c. */
#include "gguf.h"

#define PLAIN(number, name, size, type) {number, name, 1, size, true, false, type, SMOE_FORMAT_COUNT}
#define BLOCKS(number, name, columns, size) \
    {number, #name, columns, size, false, true, SMOE_TENSOR_UINT8, SMOE_FORMAT_GGUF_##name}
#define OTHER(number, name, columns, size) \
    {number, name, columns, size, false, false, SMOE_TENSOR_UINT8, SMOE_FORMAT_COUNT}

/* The others may stand in a file beside a layer: their sizes tell whether the tensors are where they can be. */
static const smoe_gguf_type types[] = {
    PLAIN(0, "F32", 4, SMOE_TENSOR_FLOAT32),
    PLAIN(1, "F16", 2, SMOE_TENSOR_FLOAT16),
    PLAIN(30, "BF16", 2, SMOE_TENSOR_BFLOAT16),
    BLOCKS(2, Q4_0, 32, 18),
    BLOCKS(3, Q4_1, 32, 20),
    BLOCKS(6, Q5_0, 32, 22),
    BLOCKS(7, Q5_1, 32, 24),
    BLOCKS(8, Q8_0, 32, 34),
    BLOCKS(12, Q4_K, 256, 144),
    BLOCKS(13, Q5_K, 256, 176),
    BLOCKS(14, Q6_K, 256, 210),
    BLOCKS(20, IQ4_NL, 32, 18),
    BLOCKS(23, IQ4_XS, 256, 136),
    BLOCKS(39, MXFP4, 32, 17),
    BLOCKS(40, NVFP4, 64, 36),
    OTHER(9, "Q8_1", 32, 36),
    OTHER(10, "Q2_K", 256, 84),
    OTHER(11, "Q3_K", 256, 110),
    OTHER(15, "Q8_K", 256, 292),
    OTHER(16, "IQ2_XXS", 256, 66),
    OTHER(17, "IQ2_XS", 256, 74),
    OTHER(18, "IQ3_XXS", 256, 98),
    OTHER(19, "IQ1_S", 256, 50),
    OTHER(21, "IQ3_S", 256, 110),
    OTHER(22, "IQ2_S", 256, 82),
    OTHER(24, "I8", 1, 1),
    OTHER(25, "I16", 1, 2),
    OTHER(26, "I32", 1, 4),
    OTHER(27, "I64", 1, 8),
    OTHER(28, "F64", 1, 8),
    OTHER(29, "IQ1_M", 256, 56),
    OTHER(34, "TQ1_0", 256, 54),
    OTHER(35, "TQ2_0", 256, 66),
};

smoe_gguf_type smoe_gguf_type_of(uint32_t number)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].number == number)
            return types[i];
    return (smoe_gguf_type)OTHER(number, "an unknown type", 0, 0);
}
