/* Formats of weights in files. Some types hold more bits than the format that they are made for, so that a kernel reads
 * more than the file has: the time for a byte of the file says what that costs. */
#include "bench.h"

/* By type: the format that it is made for, the one with the most models where there are several. Bits of a weight with
 * its share of the scales. */
static const bench_file_format formats[BENCH_TYPE_COUNT] = {
    [SMOE_TYPE_FLOAT32] = {"F32", 32},
    [SMOE_TYPE_FLOAT16] = {"F16", 16},
    [SMOE_TYPE_BFLOAT16] = {"BF16", 16},
    [SMOE_TYPE_MXFP4] = {"MXFP4", 4 + 8 / 32.0},
    [SMOE_TYPE_Q4] = {"Q4_0", 4 + 16 / 32.0},
    [SMOE_TYPE_Q8] = {"Q8_0", 8 + 16 / 32.0},
    [SMOE_TYPE_FP8] = {"FP8 128x128", 8 + 32 / (128 * 128.0)},
    [SMOE_TYPE_NVFP4] = {"NVFP4", 4 + 8 / 16.0},
    [SMOE_TYPE_IQ4] = {"IQ4_NL", 4 + 16 / 32.0},
    [SMOE_TYPE_IQ4_XS] = {"IQ4_XS", 4 + 6 / 32.0 + 16 / 256.0},
    [SMOE_TYPE_Q4_MIN] = {"Q4_1", 4 + 2 * 16 / 32.0},
    [SMOE_TYPE_Q4_ZERO] = {"INT4 zero 128", 4 + (16 + 4) / 128.0}, /* AWQ, GPTQ: groups of 128 */
    [SMOE_TYPE_Q4_K] = {"Q4_K", 4 + 2 * 6 / 32.0 + 2 * 16 / 256.0},
    [SMOE_TYPE_Q8_MIN] = {"Q5_1", 5 + 2 * 16 / 32.0},
    [SMOE_TYPE_Q8_ZERO] = {"INT8 zero 128", 8 + (16 + 8) / 128.0},
    [SMOE_TYPE_Q8_K] = {"Q5_K", 5 + 2 * 6 / 32.0 + 2 * 16 / 256.0},
    [SMOE_TYPE_Q6_K] = {"Q6_K", 6 + 8 / 16.0 + 16 / 256.0},
    [SMOE_TYPE_Q8_ROWS] = {"INT8 rows", 8}, /* and a scale for each row */
    [SMOE_TYPE_FP8_ROWS] = {"FP8 rows", 8},
};

bench_file_format bench_file_format_of(smoe_type type)
{
    return formats[type];
}
