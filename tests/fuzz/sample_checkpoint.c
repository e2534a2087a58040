#include "sample_checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "sample_file.h"

const char *const sample_checkpoint_files[SAMPLE_CHECKPOINT_FILES] = {"config.json", "model.safetensors.index.json",
                                                                      "one.safetensors", "two.safetensors"};

static const char config[] =
    "{\n \"model_type\": \"deepseek_v3\", \"architectures\": [\"DeepseekV3ForCausalLM\"], \"hidden_size\": 3,\n"
    " \"moe_intermediate_size\": 2, \"n_routed_experts\": 4, \"num_experts_per_tok\": 2, \"n_group\": 2,\n"
    " \"topk_group\": 1, \"routed_scaling_factor\": 2.5e0, \"norm_topk_prob\": true, \"rope_scaling\": null,\n"
    " \"scoring_func\": \"sigmoid\", \"topk_method\": \"noaux_tc\", \"hidden_act\": \"silu\",\n"
    " \"n_shared_experts\": 2\n}\n";

enum { SHARDS = 2, FIRST_SHARD = 2, NAME_SIZE = 80 };

typedef struct shard {
    smoe_tensor tensors[32];
    char names[32][NAME_SIZE];
    uint32_t count;
} shard;

static void add(shard *to, const char *name, smoe_tensor_type type, uint64_t n0, uint64_t n1)
{
    static const float values[64] = {1, 2, 3, 4, 5, 6, 7, 8};
    const uint32_t i = to->count++;
    snprintf(to->names[i], NAME_SIZE, "model.layers.1.mlp.%s", name);
    const uint64_t size = n0 * n1 * (type == SMOE_TENSOR_FLOAT32 ? 4 : 2);
    to->tensors[i] = (smoe_tensor){to->names[i], type, n1 == 1 ? 1 : 2, {n0, n1, 1, 1}, values, size};
}

static void add_tensors(shard shards[SHARDS])
{
    static const char *const matrices[] = {"gate_proj", "up_proj", "down_proj"};
    add(&shards[0], "gate.weight", SMOE_TENSOR_FLOAT32, 4, 3);
    add(&shards[0], "gate.e_score_correction_bias", SMOE_TENSOR_FLOAT32, 4, 1);
    for (int m = 0; m < 3; m++) {
        char name[48];
        for (int expert = 0; expert < 5; expert++) { /* the fifth is the shared one */
            const int file = expert % 2;
            const uint64_t hidden = expert == 4 ? 4 : 2; /* two shared ones in one */
            if (expert == 4)
                snprintf(name, sizeof name, "shared_experts.%s.weight", matrices[m]);
            else
                snprintf(name, sizeof name, "experts.%d.%s.weight", expert, matrices[m]);
            add(&shards[file], name, file ? SMOE_TENSOR_BFLOAT16 : SMOE_TENSOR_FLOAT32, m < 2 ? hidden : 3,
                m < 2 ? 3 : hidden);
        }
    }
}

static void write_index(const shard shards[SHARDS], char *index, size_t size)
{
    int used = snprintf(index, size, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    for (int file = 0; file < SHARDS; file++)
        for (uint32_t i = 0; i < shards[file].count; i++)
            used += snprintf(index + used, size - (size_t)used, "%s\"%s\": \"%s\"", file || i ? ", " : "",
                             shards[file].names[i], sample_checkpoint_files[FIRST_SHARD + file]);
    snprintf(index + used, size - (size_t)used, "}}");
}

bool sample_checkpoint_write(const char *folder)
{
    static shard shards[SHARDS];
    char path[400], index[8192];
    memset(shards, 0, sizeof shards);
    add_tensors(shards);
    write_index(shards, index, sizeof index);
    bool good = true;
    for (int file = 0; file < SAMPLE_CHECKPOINT_FILES; file++) {
        const char *text = file == 0 ? config : index;
        snprintf(path, sizeof path, "%s/%s", folder, sample_checkpoint_files[file]);
        if (file < FIRST_SHARD) {
            good = sample_write_bytes(path, text, strlen(text)) && good;
        } else {
            const shard *from = &shards[file - FIRST_SHARD];
            good = smoe_layer_file_write(path, from->tensors, from->count, NULL, 0, NULL, NULL) == SMOE_SUCCESS && good;
        }
    }
    return good;
}
