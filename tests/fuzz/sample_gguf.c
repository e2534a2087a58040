#include "sample_gguf.h"

#include <stdlib.h>
#include <string.h>

void sample_gguf_number(sample_gguf *file, uint64_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (file->size == sizeof file->bytes)
            abort(); /* a test that asks for too much */
        file->bytes[file->size++] = (unsigned char)(value >> 8 * i);
    }
}

void sample_gguf_text(sample_gguf *file, const char *text)
{
    sample_gguf_number(file, strlen(text), 8);
    for (; *text; text++)
        sample_gguf_number(file, (unsigned char)*text, 1);
}

void sample_gguf_begin(sample_gguf *file, uint64_t tensors, uint64_t pairs)
{
    file->size = 0;
    sample_gguf_number(file, 0x46554747, 4);
    sample_gguf_number(file, 3, 4);
    sample_gguf_number(file, tensors, 8);
    sample_gguf_number(file, pairs, 8);
}

void sample_gguf_pair(sample_gguf *file, const char *key, uint32_t type, uint64_t value, uint32_t size)
{
    sample_gguf_text(file, key);
    sample_gguf_number(file, type, 4);
    sample_gguf_number(file, value, size);
}

void sample_gguf_pair_text(sample_gguf *file, const char *key, const char *value)
{
    sample_gguf_pair(file, key, SAMPLE_GGUF_STRING, 0, 0);
    sample_gguf_text(file, value);
}

void sample_gguf_tensor(sample_gguf *file, const char *name, uint32_t rank, const uint64_t *lengths, uint32_t type,
                        uint64_t offset)
{
    sample_gguf_text(file, name);
    sample_gguf_number(file, rank, 4);
    for (uint32_t i = 0; i < rank; i++)
        sample_gguf_number(file, lengths[i], 8);
    sample_gguf_number(file, type, 4);
    sample_gguf_number(file, offset, 8);
}

void sample_gguf_pad(sample_gguf *file)
{
    while (file->size % 32 != 0)
        sample_gguf_number(file, 0, 1);
}

/* ---- the valid file ---------------------------------------------------------------------------------------------- */

enum { F32 = 0, F16 = 1, Q4_0 = 2, Q8_0 = 8, MXFP4 = 39 };

typedef struct row {
    const char *name;
    uint32_t type, rank;
    uint64_t lengths[3];
    uint32_t size; /* bytes */
} row;

static const row rows[] = {
    {"token_embd.weight", Q4_0, 2, {32, 3}, 54},
    {"blk.1.ffn_gate_inp.weight", F32, 2, {32, 2}, 256},
    {"blk.1.exp_probs_b.bias", F32, 1, {2}, 8},
    {"blk.1.ffn_gate_exps.weight", Q8_0, 3, {32, 32, 2}, 2176},
    {"blk.1.ffn_up_exps.weight", Q8_0, 3, {32, 32, 2}, 2176},
    {"blk.1.ffn_down_exps.weight", MXFP4, 3, {32, 32, 2}, 1088},
    {"blk.1.ffn_gate_exps.scale", F32, 1, {2}, 8},
    {"blk.1.ffn_gate_shexp.weight", F16, 2, {32, 2}, 128},
    {"blk.1.ffn_up_shexp.weight", F16, 2, {32, 2}, 128},
    {"blk.1.ffn_down_shexp.weight", F16, 2, {2, 32}, 128},
};
enum { ROWS = sizeof rows / sizeof *rows };

static bool is_in(uint32_t index, uint32_t part, uint32_t parts)
{
    return index % parts == part;
}

static void put_array(sample_gguf *file, const char *key)
{
    static const char *const words[] = {"<s>", "", "word"};
    sample_gguf_pair(file, key, SAMPLE_GGUF_ARRAY, SAMPLE_GGUF_STRING, 4);
    sample_gguf_number(file, 3, 8);
    for (int i = 0; i < 3; i++)
        sample_gguf_text(file, words[i]);
}

enum { MODEL_PAIRS = 10, SPLIT_PAIRS = 3 };

static void put_model(sample_gguf *file)
{
    sample_gguf_pair_text(file, "general.architecture", "deepseek2");
    sample_gguf_pair(file, "general.alignment", SAMPLE_GGUF_UINT32, 32, 4);
    put_array(file, "tokenizer.ggml.tokens");
    sample_gguf_pair(file, "deepseek2.expert_count", SAMPLE_GGUF_UINT32, 2, 4);
    sample_gguf_pair(file, "deepseek2.expert_used_count", SAMPLE_GGUF_UINT8, 1, 1);
    sample_gguf_pair(file, "deepseek2.embedding_length", SAMPLE_GGUF_UINT64, 32, 8);
    sample_gguf_pair(file, "deepseek2.expert_shared_count", SAMPLE_GGUF_UINT16, 1, 2);
    sample_gguf_pair(file, "deepseek2.expert_gating_func", SAMPLE_GGUF_UINT32, 2, 4);
    sample_gguf_pair(file, "deepseek2.expert_weights_norm", SAMPLE_GGUF_BOOL, 1, 1);
    sample_gguf_pair(file, "deepseek2.expert_weights_scale", SAMPLE_GGUF_FLOAT32, 0x40200000, 4); /* 2.5 */
}

static void put_split(sample_gguf *file, uint32_t part, uint32_t parts)
{
    sample_gguf_pair(file, "split.no", SAMPLE_GGUF_UINT16, part, 2);
    sample_gguf_pair(file, "split.count", SAMPLE_GGUF_UINT16, parts, 2);
    sample_gguf_pair(file, "split.tensors.count", SAMPLE_GGUF_UINT32, ROWS, 4);
}

static void put_entries(sample_gguf *file, uint32_t part, uint32_t parts)
{
    uint64_t offset = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        if (!is_in(i, part, parts))
            continue;
        sample_gguf_tensor(file, rows[i].name, rows[i].rank, rows[i].lengths, rows[i].type, offset);
        offset += (rows[i].size + 31) / 32 * 32;
    }
}

static void put_data(sample_gguf *file, uint32_t part, uint32_t parts)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        if (!is_in(i, part, parts))
            continue;
        sample_gguf_pad(file);
        for (uint32_t k = 0; k < rows[i].size; k++)
            sample_gguf_number(file, 0x20 + (k * 7 + i) % 0x20, 1); /* small numbers in every type */
    }
    sample_gguf_pad(file);
}

void sample_gguf_make(sample_gguf *file, uint32_t part, uint32_t parts)
{
    uint32_t tensors = 0;
    for (uint32_t i = 0; i < ROWS; i++)
        tensors += is_in(i, part, parts);
    sample_gguf_begin(file, tensors, (part == 0 ? MODEL_PAIRS : 0u) + (parts > 1 ? SPLIT_PAIRS : 0u));
    if (part == 0)
        put_model(file);
    if (parts > 1)
        put_split(file, part, parts);
    put_entries(file, part, parts);
    put_data(file, part, parts);
}
