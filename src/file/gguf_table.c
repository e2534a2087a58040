/* The architectures of GGUF files. The names of tensors are the same in all; which are there, and what the metadata
 * leaves out, is each one's own. Sources: constants.py of gguf, and the loader and graph of each model in llama.cpp. */
#include "checkpoint_words.h"

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

/* bias: ALWAYS or OPTIONAL. */
#define EXPERTS(bias) \
    ALWAYS(ROUTER_WEIGHT, "ffn_gate_inp.weight", "ED"), \
    bias(SELECTION_BIAS, "exp_probs_b.bias", "E"), \
    OPTIONAL(W1, "ffn_gate_up_exps.weight", "E2HD"), \
    WITHOUT("ffn_gate_up_exps.weight", W1, "ffn_gate_exps.weight", "EHD"), \
    WITHOUT("ffn_gate_up_exps.weight", W3, "ffn_up_exps.weight", "EHD"), \
    ALWAYS(W2, "ffn_down_exps.weight", "EDH"), \
    OPTIONAL(FACTOR_W1, "ffn_gate_up_exps.scale", "E"), \
    OPTIONAL(FACTOR_W1, "ffn_gate_exps.scale", "E"), \
    OPTIONAL(FACTOR_W3, "ffn_up_exps.scale", "E"), \
    OPTIONAL(FACTOR_W2, "ffn_down_exps.scale", "E")

/* Several shared experts lie in one. */
#define SHARED(presence) \
    presence(SHARED_W1, "ffn_gate_shexp.weight", "SD"), \
    WITH("ffn_gate_shexp.weight", SHARED_W3, "ffn_up_shexp.weight", "SD"), \
    WITH("ffn_gate_shexp.weight", SHARED_W2, "ffn_down_shexp.weight", "DS"), \
    OPTIONAL(FACTOR_SHARED_W1, "ffn_gate_shexp.scale", "1"), \
    OPTIONAL(FACTOR_SHARED_W3, "ffn_up_shexp.scale", "1"), \
    OPTIONAL(FACTOR_SHARED_W2, "ffn_down_shexp.scale", "1")

static const smoe_tensor_row plain_tensors[] = {EXPERTS(OPTIONAL), END};

static const smoe_tensor_row shared_tensors[] = {EXPERTS(OPTIONAL), SHARED(OPTIONAL), END}; /* DeepSeek's too */

static const smoe_tensor_row qwen2_tensors[] = {
    EXPERTS(OPTIONAL),
    SHARED(ALWAYS),
    ALWAYS(SHARED_GATE, "ffn_gate_inp_shexp.weight", "D"),
    END,
};

static const smoe_tensor_row glm4_tensors[] = {EXPERTS(ALWAYS), SHARED(OPTIONAL), END};

static const smoe_tensor_row gpt_oss_tensors[] = {
    EXPERTS(OPTIONAL),
    ALWAYS(ROUTER_BIAS, "ffn_gate_inp.bias", "E"),
    ALWAYS(B1, "ffn_gate_exps.bias", "EH"),
    ALWAYS(B3, "ffn_up_exps.bias", "EH"),
    ALWAYS(B2, "ffn_down_exps.bias", "ED"),
    END,
};

/* ---- metadata ---------------------------------------------------------------------------------------------------- */

#define SIZES(hidden) \
    SETTING(EXPERTS, "expert_count", NULL), \
    SETTING(MODEL, "embedding_length", NULL), \
    SETTING(HIDDEN, hidden, NULL)

/* Where a key is absent, what the architecture does. */
#define ROUTING(normed, score) \
    SETTING(TOP_K, "expert_used_count", NULL), \
    SETTING(RENORMALIZE, "expert_weights_norm", normed), \
    SETTING(SCORE_NUMBER, "expert_gating_func", score), \
    SETTING(SCALE, "expert_weights_scale", "1"), \
    SETTING(GROUPS, "expert_group_count", "1"), \
    SETTING(TOP_GROUPS, "expert_group_used_count", "1")

#define SILU SETTING(ACTIVATION, NULL, "silu")
#define SHARED_WIDTH SETTING(SHARED_WIDTH, "expert_shared_feed_forward_length", NULL)
#define SHARED_COUNT SETTING(SHARED_COUNT, "expert_shared_count", "1")

static const smoe_config_row mixtral_config[] = {SIZES("feed_forward_length"), SILU, ROUTING("true", "1"), LAST};

static const smoe_config_row qwen3_config[] = {SIZES("expert_feed_forward_length"), SILU, ROUTING("true", "1"), LAST};

static const smoe_config_row qwen2_config[] = {
    SIZES("expert_feed_forward_length"), SILU, ROUTING("false", "1"), SHARED_WIDTH, LAST,
};

static const smoe_config_row olmoe_config[] = {SIZES("feed_forward_length"), SILU, ROUTING("false", "1"), LAST};

static const smoe_config_row granite_config[] = {
    SIZES("feed_forward_length"), SILU, ROUTING("true", "1"), SHARED_WIDTH, LAST,
};

static const smoe_config_row deepseek_config[] = {
    SIZES("expert_feed_forward_length"), SILU, ROUTING("false", "1"), SHARED_COUNT, LAST,
};

static const smoe_config_row glm4_config[] = {
    SIZES("expert_feed_forward_length"), SILU, ROUTING("false", "2"), SHARED_COUNT, LAST,
};

static const smoe_config_row gpt_oss_config[] = {
    SIZES("expert_feed_forward_length"),
    SETTING(ACTIVATION, NULL, "swiglu_clamped"),
    ROUTING("false", "3"),
    LAST,
};

/* ---- architectures ----------------------------------------------------------------------------------------------- */

const smoe_checkpoint_table smoe_gguf_tables[] = {
    {"llama", "blk.", plain_tensors, mixtral_config}, /* Mixtral is one of them */
    {"qwen3moe", "blk.", plain_tensors, qwen3_config},
    {"qwen2moe", "blk.", qwen2_tensors, qwen2_config},
    {"olmoe", "blk.", plain_tensors, olmoe_config},
    {"granitemoe", "blk.", shared_tensors, granite_config},
    {"granitehybrid", "blk.", shared_tensors, granite_config},
    {"deepseek2", "blk.", shared_tensors, deepseek_config},
    {"glm4moe", "blk.", glm4_tensors, glm4_config},
    {"gpt-oss", "blk.", gpt_oss_tensors, gpt_oss_config},
    {NULL, NULL, NULL, NULL},
};
