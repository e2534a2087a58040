/* The formats that smoe_checkpoint reads. Names and settings are those of transformers' modelling code and of files on
 * the Hub; Tutel's are those of its gates and experts, and smooth_top's of the released code of arXiv 2606.19036. */
#include "checkpoint_format.h"

#include <stddef.h>

#define ALWAYS(slot, name, axes) {SMOE_SLOT_##slot, name, axes, NULL}
#define OPTIONAL(slot, name, axes) {SMOE_SLOT_##slot, name, axes, name}
#define WITH(tensor, slot, name, axes) {SMOE_SLOT_##slot, name, axes, tensor}
#define END {SMOE_SLOT_COUNT, NULL, NULL, NULL}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static const smoe_tensor_row mixtral_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "block_sparse_moe.gate.weight", "ED"),
    ALWAYS(W1, "block_sparse_moe.experts.#.w1.weight", "HD"),
    ALWAYS(W3, "block_sparse_moe.experts.#.w3.weight", "HD"),
    ALWAYS(W2, "block_sparse_moe.experts.#.w2.weight", "DH"),
    END,
};

#define QWEN_EXPERTS \
    ALWAYS(ROUTER_WEIGHT, "mlp.gate.weight", "ED"), \
    ALWAYS(W1, "mlp.experts.#.gate_proj.weight", "HD"), \
    ALWAYS(W3, "mlp.experts.#.up_proj.weight", "HD"), \
    ALWAYS(W2, "mlp.experts.#.down_proj.weight", "DH")

static const smoe_tensor_row qwen3_tensors[] = {QWEN_EXPERTS, END}; /* OLMoE's too */

static const smoe_tensor_row qwen2_tensors[] = {
    QWEN_EXPERTS,
    ALWAYS(SHARED_W1, "mlp.shared_expert.gate_proj.weight", "SD"),
    ALWAYS(SHARED_W3, "mlp.shared_expert.up_proj.weight", "SD"),
    ALWAYS(SHARED_W2, "mlp.shared_expert.down_proj.weight", "DS"),
    ALWAYS(SHARED_GATE, "mlp.shared_expert_gate.weight", "1D"),
    END,
};

static const smoe_tensor_row deepseek_tensors[] = {
    QWEN_EXPERTS,
    ALWAYS(SELECTION_BIAS, "mlp.gate.e_score_correction_bias", "E"),
    OPTIONAL(SHARED_W1, "mlp.shared_experts.gate_proj.weight", "SD"), /* all of them in one */
    WITH("mlp.shared_experts.gate_proj.weight", SHARED_W3, "mlp.shared_experts.up_proj.weight", "SD"),
    WITH("mlp.shared_experts.gate_proj.weight", SHARED_W2, "mlp.shared_experts.down_proj.weight", "DS"),
    END,
};

static const smoe_tensor_row granite_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "block_sparse_moe.router.layer.weight", "ED"),
    ALWAYS(W1, "block_sparse_moe.input_linear.weight", "E2HD"),
    ALWAYS(W2, "block_sparse_moe.output_linear.weight", "EDH"),
    OPTIONAL(SHARED_W1, "shared_mlp.input_linear.weight", "2SD"),
    WITH("shared_mlp.input_linear.weight", SHARED_W2, "shared_mlp.output_linear.weight", "DS"),
    END,
};

static const smoe_tensor_row gpt_oss_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mlp.router.weight", "ED"),
    ALWAYS(ROUTER_BIAS, "mlp.router.bias", "E"),
    ALWAYS(W1, "mlp.experts.gate_up_proj", "EDH2"),
    ALWAYS(B1, "mlp.experts.gate_up_proj_bias", "EH2"),
    ALWAYS(W2, "mlp.experts.down_proj", "EHD"),
    ALWAYS(B2, "mlp.experts.down_proj_bias", "ED"),
    END,
};

static const smoe_tensor_row tutel_tensors[] = {
    OPTIONAL(ROUTER_WEIGHT, "gates.0.wg.weight", "ED"), /* top and smooth_top */
    OPTIONAL(SIMILARITY, "gates.0.sim_matrix", "PE"),   /* cosine_top */
    WITH("gates.0.sim_matrix", PROJECTION, "gates.0.cosine_projector.weight", "PD"),
    WITH("gates.0.sim_matrix", PROJECTION_BIAS, "gates.0.cosine_projector.bias", "P"),
    WITH("gates.0.sim_matrix", LOG_SCALE, "gates.0.temperature", "1"),
    OPTIONAL(BAND, "gates.0.eta_parameterized", "1"), /* smooth_top */
    ALWAYS(W1, "experts.batched_fc1_w", "EHD"),
    ALWAYS(W2, "experts.batched_fc2_w", "EHD"),
    OPTIONAL(B1, "experts.batched_fc1_bias", "EH"),
    OPTIONAL(B2, "experts.batched_fc2_bias", "ED"),
    END,
};

/* ---- config.json ------------------------------------------------------------------------------------------------- */

#define SIZES(experts, hidden) \
    {SMOE_CONFIG_EXPERTS, experts, NULL}, {SMOE_CONFIG_MODEL, "hidden_size", NULL}, {SMOE_CONFIG_HIDDEN, hidden, NULL}
#define CHOICE {SMOE_CONFIG_TOP_K, "num_experts_per_tok", NULL}, {SMOE_CONFIG_ACTIVATION, "hidden_act", "silu"}

static const smoe_config_row mixtral_config[] = {
    SIZES("num_local_experts", "intermediate_size"),
    CHOICE,
    {SMOE_CONFIG_RENORMALIZE, NULL, "true"},
    {SMOE_CONFIG_END, NULL, NULL},
}; /* Granite's too: a softmax over the k best logits */

static const smoe_config_row qwen_config[] = {
    SIZES("num_experts", "moe_intermediate_size"),
    CHOICE,
    {SMOE_CONFIG_RENORMALIZE, "norm_topk_prob", "false"},
    {SMOE_CONFIG_END, NULL, NULL},
};

static const smoe_config_row qwen2_config[] = {
    SIZES("num_experts", "moe_intermediate_size"),
    CHOICE,
    {SMOE_CONFIG_RENORMALIZE, "norm_topk_prob", "false"},
    {SMOE_CONFIG_SHARED_WIDTH, "shared_expert_intermediate_size", NULL},
    {SMOE_CONFIG_END, NULL, NULL},
};

static const smoe_config_row granite_shared_config[] = {
    SIZES("num_local_experts", "intermediate_size"),
    CHOICE,
    {SMOE_CONFIG_RENORMALIZE, NULL, "true"},
    {SMOE_CONFIG_SHARED_WIDTH, "shared_intermediate_size", NULL},
    {SMOE_CONFIG_END, NULL, NULL},
};

static const smoe_config_row olmoe_config[] = {
    SIZES("num_experts", "intermediate_size"),
    CHOICE,
    {SMOE_CONFIG_RENORMALIZE, "norm_topk_prob", "false"},
    {SMOE_CONFIG_END, NULL, NULL},
};

static const smoe_config_row deepseek_config[] = {
    SIZES("n_routed_experts", "moe_intermediate_size"),
    CHOICE,
    {SMOE_CONFIG_SCORE, NULL, "sigmoid"},
    {SMOE_CONFIG_EXACTLY, "scoring_func", "sigmoid"},
    {SMOE_CONFIG_EXACTLY, "topk_method", "noaux_tc"}, /* groups ranked by their two best; others by one */
    {SMOE_CONFIG_RENORMALIZE, "norm_topk_prob", "true"},
    {SMOE_CONFIG_SCALE, "routed_scaling_factor", "2.5"},
    {SMOE_CONFIG_GROUPS, "n_group", "8"},
    {SMOE_CONFIG_TOP_GROUPS, "topk_group", "4"},
    {SMOE_CONFIG_SHARED_COUNT, "n_shared_experts", "1"},
    {SMOE_CONFIG_END, NULL, NULL},
};

static const smoe_config_row glm4_config[] = {
    SIZES("n_routed_experts", "moe_intermediate_size"),
    CHOICE,
    {SMOE_CONFIG_SCORE, NULL, "sigmoid"},
    {SMOE_CONFIG_EXACTLY, "scoring_func", "sigmoid"},
    {SMOE_CONFIG_EXACTLY, "topk_method", "noaux_tc"},
    {SMOE_CONFIG_RENORMALIZE, "norm_topk_prob", "true"},
    {SMOE_CONFIG_SCALE, "routed_scaling_factor", "1.0"},
    {SMOE_CONFIG_GROUPS, "n_group", "1"},
    {SMOE_CONFIG_TOP_GROUPS, "topk_group", "1"},
    {SMOE_CONFIG_SHARED_COUNT, "n_shared_experts", "1"},
    {SMOE_CONFIG_END, NULL, NULL},
};

static const smoe_config_row gpt_oss_config[] = {
    SIZES("num_local_experts", "intermediate_size"),
    {SMOE_CONFIG_TOP_K, "num_experts_per_tok", NULL},
    {SMOE_CONFIG_ACTIVATION, NULL, "swiglu_clamped"},
    {SMOE_CONFIG_EXACTLY, "swiglu_limit", "7.0"},
    {SMOE_CONFIG_EXACTLY, "swiglu_alpha", "1.702"},
    {SMOE_CONFIG_RENORMALIZE, NULL, "true"},
    {SMOE_CONFIG_END, NULL, NULL},
};

/* Keys of the file's own metadata: Tutel writes none of them. */
static const smoe_config_row tutel_config[] = {
    {SMOE_CONFIG_TOP_K, "k", NULL},
    {SMOE_CONFIG_ACTIVATION, "activation", NULL},
    {SMOE_CONFIG_RENORMALIZE, "renormalize", SMOE_CONFIG_TUTEL_RULE},
    {SMOE_CONFIG_END, NULL, NULL},
};

/* ---- formats ----------------------------------------------------------------------------------------------------- */

const smoe_checkpoint_table smoe_checkpoint_tables[] = {
    {"mixtral", "layers.", mixtral_tensors, mixtral_config},
    {"qwen3_moe", "layers.", qwen3_tensors, qwen_config},
    {"qwen2_moe", "layers.", qwen2_tensors, qwen2_config},
    {"olmoe", "layers.", qwen3_tensors, olmoe_config},
    {"granitemoe", "layers.", granite_tensors, mixtral_config},
    {"granitemoeshared", "layers.", granite_tensors, granite_shared_config},
    {"granitemoehybrid", "layers.", granite_tensors, granite_shared_config},
    {"deepseek_v3", "layers.", deepseek_tensors, deepseek_config},
    {"glm4_moe", "layers.", deepseek_tensors, glm4_config},
    {"gpt_oss", "layers.", gpt_oss_tensors, gpt_oss_config},
    {"tutel", NULL, tutel_tensors, tutel_config},
    {NULL, NULL, NULL, NULL},
};
