/* The table of the formats that files have: what smoe/weights_source.h says of them, for the code that reads them. */
#include "source.h"

const unsigned char smoe_awq_columns[8] = {0, 2, 4, 6, 1, 3, 5, 7};

#define TYPES_OF_4_BITS                                                                                                \
    {                                                                                                                  \
        SMOE_TYPE_Q4, SMOE_TYPE_Q4_ZERO                                                                                \
    }
#define TYPES_OF_8_BITS                                                                                                \
    {                                                                                                                  \
        SMOE_TYPE_Q8_ROWS, SMOE_TYPE_Q8, SMOE_TYPE_Q8_ZERO                                                             \
    }

#define GPTQ(name_, bits_, less_one_, ...)                                                                             \
    {                                                                                                                  \
        .name = (name_), .order = SMOE_ORDER_K_WORDS, .bits = (bits_), .unit = 32 / (bits_),                           \
        .unsigned_byte = (bits_) == 8, .zeros = true, .less_one = (less_one_), .types = __VA_ARGS__                    \
    }
#define GGUF(name_, columns, size, function, type, factor_)                                                            \
    {                                                                                                                  \
        .name = (name_), .order = SMOE_ORDER_BLOCKS, .unit = (columns), .factor = (factor_),                           \
        .block_columns = (columns), .block_size = (size), .blocks = (function), .types = {                             \
            (type)                                                                                                     \
        }                                                                                                              \
    }

static const smoe_source_format formats[] = {
    [SMOE_FORMAT_MXFP4] = {.name = "mxfp4", .bits = 4, .unit = 32, .group = 32, .types = {SMOE_TYPE_MXFP4}},
    [SMOE_FORMAT_NVFP4] =
        {.name = "nvfp4", .bits = 4, .unit = 16, .group = 16, .factor = true, .types = {SMOE_TYPE_NVFP4}},
    [SMOE_FORMAT_FP8] = {.name = "fp8", .bits = 8, .unit = 1, .types = {SMOE_TYPE_FP8, SMOE_TYPE_FP8_ROWS}},
    [SMOE_FORMAT_INT4] = {.name = "int4", .bits = 4, .unit = 8, .zeros = true, .types = TYPES_OF_4_BITS},
    [SMOE_FORMAT_INT8] = {.name = "int8", .bits = 8, .unit = 1, .zeros = true, .types = TYPES_OF_8_BITS},
    [SMOE_FORMAT_INT8_PACKED] =
        {.name = "int8_packed", .bits = 8, .unit = 4, .unsigned_byte = true, .zeros = true, .types = TYPES_OF_8_BITS},
    [SMOE_FORMAT_GPTQ4] = GPTQ("gptq4", 4, true, TYPES_OF_4_BITS),
    [SMOE_FORMAT_GPTQ8] = GPTQ("gptq8", 8, true, TYPES_OF_8_BITS),
    [SMOE_FORMAT_GPTQ4_V2] = GPTQ("gptq4_v2", 4, false, TYPES_OF_4_BITS),
    [SMOE_FORMAT_GPTQ8_V2] = GPTQ("gptq8_v2", 8, false, TYPES_OF_8_BITS),
    [SMOE_FORMAT_AWQ4] =
        {.name = "awq4", .order = SMOE_ORDER_N_WORDS, .bits = 4, .unit = 1, .zeros = true, .types = TYPES_OF_4_BITS},
    [SMOE_FORMAT_GGUF_Q8_0] = GGUF("Q8_0", 32, 34, smoe_blocks_q8_0, SMOE_TYPE_Q8, true),
    [SMOE_FORMAT_GGUF_Q4_0] = GGUF("Q4_0", 32, 18, smoe_blocks_q4_0, SMOE_TYPE_Q4, true),
    [SMOE_FORMAT_GGUF_Q4_1] = GGUF("Q4_1", 32, 20, smoe_blocks_q4_1, SMOE_TYPE_Q4_MIN, false),
    [SMOE_FORMAT_GGUF_Q5_0] = GGUF("Q5_0", 32, 22, smoe_blocks_q5_0, SMOE_TYPE_Q8, true),
    [SMOE_FORMAT_GGUF_Q5_1] = GGUF("Q5_1", 32, 24, smoe_blocks_q5_1, SMOE_TYPE_Q8_MIN, false),
    [SMOE_FORMAT_GGUF_Q4_K] = GGUF("Q4_K", 256, 144, smoe_blocks_q4_k, SMOE_TYPE_Q4_K, false),
    [SMOE_FORMAT_GGUF_Q5_K] = GGUF("Q5_K", 256, 176, smoe_blocks_q5_k, SMOE_TYPE_Q8_K, false),
    [SMOE_FORMAT_GGUF_Q6_K] = GGUF("Q6_K", 256, 210, smoe_blocks_q6_k, SMOE_TYPE_Q6_K, false),
    [SMOE_FORMAT_GGUF_IQ4_NL] = GGUF("IQ4_NL", 32, 18, smoe_blocks_q4_0, SMOE_TYPE_IQ4, false),
    [SMOE_FORMAT_GGUF_IQ4_XS] = GGUF("IQ4_XS", 256, 136, smoe_blocks_iq4_xs, SMOE_TYPE_IQ4_XS, false),
    [SMOE_FORMAT_GGUF_MXFP4] = GGUF("MXFP4", 32, 17, smoe_blocks_mxfp4, SMOE_TYPE_MXFP4, false),
    [SMOE_FORMAT_GGUF_NVFP4] = GGUF("NVFP4", 64, 36, smoe_blocks_nvfp4, SMOE_TYPE_NVFP4, true),
};
_Static_assert(sizeof formats / sizeof formats[0] == SMOE_FORMAT_COUNT, "a row for each format");

const smoe_source_format *smoe_source_format_of(smoe_weights_format format)
{
    return (uint32_t)format < SMOE_FORMAT_COUNT ? &formats[format] : NULL;
}

uint32_t smoe_source_scale_size(smoe_scale_type type)
{
    static const unsigned char sizes[] = {4, 2, 2, 1}; /* by smoe_scale_type */
    return sizes[type];
}

const char *smoe_weights_format_name(smoe_weights_format format)
{
    const smoe_source_format *row = smoe_source_format_of(format);
    return row ? row->name : NULL;
}
