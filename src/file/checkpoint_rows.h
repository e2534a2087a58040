/* The words that the tables of models' files are written in. */
#ifndef SMOE_CHECKPOINT_ROWS_H
#define SMOE_CHECKPOINT_ROWS_H

#include "checkpoint_words.h"

/* A tensor by the name that it must have, or by another. */
#define EITHER(slot, name, other, axes) WITHOUT(other, slot, name, axes), OPTIONAL(slot, other, axes)

/* The experts as files of the Hub have them, in block `at`, and as transformers 5 fuses them, in block `fused`. */
#define FUSED(fused)                                                                                                   \
    OPTIONAL(W1, fused "experts.gate_up_proj", "E2HD"),                                                                \
        WITH(fused "experts.gate_up_proj", W2, fused "experts.down_proj", "EDH")

#define EXPERTS_BY_NAME(at, fused, gate, up, down)                                                                     \
    WITHOUT(fused "experts.gate_up_proj", W1, at "experts.#." gate ".weight", "HD"),                                   \
        WITHOUT(fused "experts.gate_up_proj", W3, at "experts.#." up ".weight", "HD"),                                 \
        WITHOUT(fused "experts.gate_up_proj", W2, at "experts.#." down ".weight", "DH"), FUSED(fused)

#define EXPERTS(at) EXPERTS_BY_NAME(at, at, "gate_proj", "up_proj", "down_proj")

/* All shared experts in one, if there are any. */
#define SHARED_BY_NAME(at, gate, up, down)                                                                             \
    OPTIONAL(SHARED_W1, at gate ".weight", "SD"), WITH(at gate ".weight", SHARED_W3, at up ".weight", "SD"),           \
        WITH(at gate ".weight", SHARED_W2, at down ".weight", "DS")

#define SHARED(at) SHARED_BY_NAME(at, "gate_proj", "up_proj", "down_proj")

#define MIXTRAL_EXPERTS                                                                                                \
    EITHER(ROUTER_WEIGHT, "block_sparse_moe.gate.weight", "mlp.gate.weight", "ED"),                                    \
        EXPERTS_BY_NAME("block_sparse_moe.", "mlp.", "w1", "w3", "w2")

#define QWEN_EXPERTS ALWAYS(ROUTER_WEIGHT, "mlp.gate.weight", "ED"), EXPERTS("mlp.")

#define NUMBER(number, key, absent)                                                                                    \
    {                                                                                                                  \
        SMOE_CONFIG_NUMBER, key, absent, #number                                                                       \
    }

#define EXPERT_COUNT "n_routed_experts|num_experts|num_local_experts|moe_num_experts"

#define SIZES(hidden)                                                                                                  \
    SETTING(EXPERTS, EXPERT_COUNT, NULL), SETTING(MODEL, "hidden_size|d_model", NULL), SETTING(HIDDEN, hidden, NULL)

#define TOP_K "num_experts_per_tok|num_experts_per_token|moe_topk|moe_top_k|moe_k"

#define CHOICE SETTING(TOP_K, TOP_K, NULL), SETTING(ACTIVATION, "hidden_act", "silu")

#define OWN "moe_intermediate_size" /* H where dense layers have a width of their own */

/* Sigmoid gates, renormalised unless a setting says otherwise, as DeepSeek-V3 does it. */
#define SIGMOID(norm, scale, factor)                                                                                   \
    SETTING(SCORE, NULL, "sigmoid"), SETTING(EXACTLY, "scoring_func", "sigmoid"), SETTING(RENORMALIZE, norm, "true"),  \
        NUMBER(renormalize_add, NULL, "1e-20"), SETTING(SCALE, scale, factor)

/* Groups ranked by their two best; other methods rank by one. */
#define GROUPS(count, top)                                                                                             \
    SETTING(EXACTLY, "topk_method", "noaux_tc"), SETTING(GROUPS, "n_group|num_expert_group", count),                   \
        SETTING(TOP_GROUPS, "topk_group", top)

#define SHARED_COUNT SETTING(SHARED_COUNT, "n_shared_experts|num_shared_experts", "1")

#define RENORMALIZED SETTING(RENORMALIZE, NULL, "true")

#define LIMITS_OF_BOTH(key, absent)                                                                                    \
    NUMBER(gate_max, key, absent), NUMBER(up_limit, key, absent), NUMBER(shared_gate_max, key, absent),                \
        NUMBER(shared_up_limit, key, absent)

#define SHARED_EXPERT_WIDTH SETTING(SHARED_WIDTH, "shared_expert_intermediate_size", NULL)

#endif
