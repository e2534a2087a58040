/* Formats whose routers weigh by a softmax, and Tutel's. */
#include "checkpoint_rows.h"

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static const smoe_tensor_row mixtral_tensors[] = {MIXTRAL_EXPERTS, END};

static const smoe_tensor_row qwen3_tensors[] = {QWEN_EXPERTS, END};

/* Their own files have the fused experts transposed; those that transformers 5 saves do not. */
static const smoe_tensor_row qwen3_vl_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mlp.gate.weight", "ED"),
    ALWAYS(W1, "mlp.experts.gate_up_proj", "E2HD|ED2H"),
    ALWAYS(W2, "mlp.experts.down_proj", "EDH|EHD"),
    END,
};

static const smoe_tensor_row qwen2_tensors[] = {
    QWEN_EXPERTS,
    ALWAYS(SHARED_W1, "mlp.shared_expert.gate_proj.weight", "SD"),
    ALWAYS(SHARED_W3, "mlp.shared_expert.up_proj.weight", "SD"),
    ALWAYS(SHARED_W2, "mlp.shared_expert.down_proj.weight", "DS"),
    ALWAYS(SHARED_GATE, "mlp.shared_expert_gate.weight", "1D"),
    END,
};

/* Shared experts that are not gated. */
static const smoe_tensor_row flint_tensors[] = {QWEN_EXPERTS, SHARED("mlp.shared_expert."), END};

static const smoe_tensor_row mistral4_tensors[] = {QWEN_EXPERTS, SHARED("mlp.shared_experts."), END};

static const smoe_tensor_row ernie_tensors[] = {
    QWEN_EXPERTS,
    EITHER(SELECTION_BIAS, "mlp.moe_statics.e_score_correction_bias", "mlp.gate.moe_statics.e_score_correction_bias",
           "1E"),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row hunyuan_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mlp.gate.wg.weight", "ED"),
    EXPERTS("mlp."),
    SHARED("mlp.shared_mlp."),
    END,
};

static const smoe_tensor_row jamba_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "feed_forward.router.weight", "ED"),
    EXPERTS("feed_forward."),
    END,
};

static const smoe_tensor_row mistral_large4_tensors[] = {
    EITHER(ROUTER_WEIGHT, "gate.weight", "mlp.gate.weight", "ED"),
    EXPERTS_BY_NAME("", "mlp.", "w1", "w3", "w2"),
    SHARED("shared_experts."),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row aria_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mlp.router.weight", "ED"),
    EITHER(W1, "mlp.experts.fc1.weight", "mlp.experts.gate_up_proj", "ED2H"),
    EITHER(W2, "mlp.experts.fc2.weight", "mlp.experts.down_proj", "EHD"),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row granite_tensors[] = {
    EITHER(ROUTER_WEIGHT, "block_sparse_moe.router.layer.weight", "block_sparse_moe.router.weight", "ED"),
    WITHOUT("block_sparse_moe.experts.gate_up_proj", W1, "block_sparse_moe.input_linear.weight", "E2HD"),
    WITHOUT("block_sparse_moe.experts.gate_up_proj", W2, "block_sparse_moe.output_linear.weight", "EDH"),
    FUSED("block_sparse_moe."),
    OPTIONAL(SHARED_W1, "shared_mlp.input_linear.weight", "2SD"),
    WITH("shared_mlp.input_linear.weight", SHARED_W2, "shared_mlp.output_linear.weight", "DS"),
    END,
};

/* Its bias is added to the experts' sum, whose weights sum to 1: the same as a bias of each expert. */
static const smoe_tensor_row jetmoe_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mlp.router.layer.weight", "ED"),
    ALWAYS(W1, "mlp.input_linear.weight", "E2HD"),
    ALWAYS(W2, "mlp.output_linear.weight", "EDH"),
    ALWAYS(B2, "mlp.bias", "D"),
    END,
};

static const smoe_tensor_row dbrx_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "ffn.router.layer.weight", "ED"),
    ALWAYS(W1, "ffn.experts.mlp.w1", "E*HD"),
    ALWAYS(W3, "ffn.experts.mlp.v1", "E*HD"),
    ALWAYS(W2, "ffn.experts.mlp.w2", "E*HD"),
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

static const smoe_tensor_row privacy_filter_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mlp.router.weight", "ED"),
    ALWAYS(ROUTER_BIAS, "mlp.router.bias", "E"),
    ALWAYS(W1, "mlp.experts.gate_up_proj", "ED2H"),
    ALWAYS(B1, "mlp.experts.gate_up_proj_bias", "E2H"),
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

/* Groups ranked by their two largest probabilities. */
#define PROBABILITIES(norm)                                                                                            \
    SETTING(SCORE, NULL, "softmax_bias"), SETTING(RENORMALIZE, norm, "true"),                                          \
        SETTING(SCALE, "routed_scaling_factor", "1.0"), SETTING(GROUPS, "n_group", "1"),                               \
        SETTING(TOP_GROUPS, "topk_group", "1"), SHARED_COUNT

/* A softmax over the k best logits: Granite's too. */
static const smoe_config_row mixtral_config[] = {SIZES("intermediate_size"), CHOICE, RENORMALIZED, LAST};

static const smoe_config_row qwen_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(RENORMALIZE, "norm_topk_prob", "false"),
    LAST,
};

static const smoe_config_row mellum_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(RENORMALIZE, "norm_topk_prob", "true"),
    LAST,
};

static const smoe_config_row qwen3_vl_config[] = {SIZES(OWN), CHOICE, RENORMALIZED, LAST};

static const smoe_config_row qwen2_config[] = {
    SIZES(OWN), CHOICE, SETTING(RENORMALIZE, "norm_topk_prob", "false"), SHARED_EXPERT_WIDTH, LAST,
};

static const smoe_config_row qwen3_next_config[] = {
    SIZES(OWN), CHOICE, SETTING(RENORMALIZE, "norm_topk_prob", "true"), SHARED_EXPERT_WIDTH, LAST,
};

static const smoe_config_row qwen3_5_config[] = {SIZES(OWN), CHOICE, RENORMALIZED, SHARED_EXPERT_WIDTH, LAST};

static const smoe_config_row granite_shared_config[] = {
    SIZES("intermediate_size"), CHOICE, RENORMALIZED, SETTING(SHARED_WIDTH, "shared_intermediate_size", NULL), LAST,
};

static const smoe_config_row olmoe_config[] = {
    SIZES("intermediate_size"),
    CHOICE,
    SETTING(RENORMALIZE, "norm_topk_prob", "false"),
    LAST,
};

static const smoe_config_row jamba_config[] = {
    SIZES("intermediate_size"),
    CHOICE,
    SETTING(RENORMALIZE, NULL, "false"),
    LAST,
};

static const smoe_config_row aria_config[] = {
    SIZES("intermediate_size"),
    SETTING(TOP_K, TOP_K, NULL),
    SETTING(ACTIVATION, NULL, "silu"), /* the shared expert's is hidden_act */
    SETTING(EXACTLY, "hidden_act", "silu"),
    SETTING(EXACTLY, "mlp_bias", "false"),
    RENORMALIZED,
    LAST,
};

static const smoe_config_row deepseek_v2_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(EXACTLY, "scoring_func", "softmax"),
    SETTING(EXACTLY, "norm_topk_prob", "false"),
    SETTING(RENORMALIZE, NULL, "false"),
    SETTING(SCALE, "routed_scaling_factor", "1.0"),
    SETTING(GROUP_METHOD, "topk_method", "greedy"),
    SETTING(GROUPS, "n_group", "1"),
    SETTING(TOP_GROUPS, "topk_group", "1"),
    SETTING(SHARED_COUNT, "n_shared_experts", "2"),
    LAST,
};

static const smoe_config_row mistral4_config[] = {SIZES(OWN), CHOICE, PROBABILITIES("norm_topk_prob"), LAST};

static const smoe_config_row mistral_large4_config[] = {SIZES(OWN), CHOICE, PROBABILITIES(NULL), LAST};

static const smoe_config_row ernie_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(SCORE, NULL, "softmax_bias"),
    RENORMALIZED,
    NUMBER(renormalize_floor, "moe_norm_min", "1e-12"),
    SETTING(SHARED_COUNT, "moe_num_shared_experts", "2"),
    SETTING(EXACTLY, "use_bias", "false"),
    LAST,
};

static const smoe_config_row jetmoe_config[] = {
    SIZES("intermediate_size"),
    SETTING(TOP_K, TOP_K, NULL),
    SETTING(ACTIVATION, "activation_function", "silu"),
    RENORMALIZED,
    LAST,
};

/* Weights divided by their norm of the order moe_normalize_expert_weights. */
static const smoe_config_row dbrx_config[] = {
    SETTING(EXPERTS, "ffn_config.moe_num_experts", NULL),
    SETTING(MODEL, "d_model", NULL),
    SETTING(HIDDEN, "ffn_config.ffn_hidden_size", NULL),
    SETTING(TOP_K, "ffn_config.moe_top_k", NULL),
    SETTING(ACTIVATION, "ffn_config.ffn_act_fn.name", "silu"),
    SETTING(EXACTLY, "ffn_config.moe_normalize_expert_weights", "1"),
    RENORMALIZED,
    LAST,
};

static const smoe_config_row gpt_oss_config[] = {
    SIZES("intermediate_size"),
    SETTING(TOP_K, TOP_K, NULL),
    SETTING(ACTIVATION, NULL, "swiglu_clamped"),
    SETTING(EXACTLY, "swiglu_limit", "7.0"),
    SETTING(EXACTLY, "swiglu_alpha", "1.702"),
    RENORMALIZED,
    LAST,
};

/* Keys of the file's own metadata: Tutel writes none of them. */
static const smoe_config_row tutel_config[] = {
    SETTING(TOP_K, "k", NULL),
    SETTING(ACTIVATION, "activation", NULL),
    SETTING(RENORMALIZE, "renormalize", SMOE_CONFIG_TUTEL_RULE),
    LAST,
};

/* ---- formats ----------------------------------------------------------------------------------------------------- */

const smoe_checkpoint_table smoe_checkpoint_softmax_tables[] = {
    {"mixtral", "layers.", mixtral_tensors, mixtral_config},
    {"minimax", "layers.", mixtral_tensors, mixtral_config},
    {"qwen3_moe", "layers.", qwen3_tensors, qwen_config},
    {"flex_olmo", "layers.", qwen3_tensors, olmoe_config},
    {"olmoe", "layers.", qwen3_tensors, olmoe_config},
    {"mellum", "layers.", qwen3_tensors, mellum_config},
    {"qwen3_vl_moe", "layers.", qwen3_vl_tensors, qwen3_vl_config},
    {"qwen3_omni_moe_text", "layers.", qwen3_tensors, mellum_config}, /* the thinker's */
    {"qwen3_omni_moe", "thinker.model.layers.", qwen3_tensors, mellum_config},
    {"qwen3_omni_moe_thinker", "layers.", qwen3_tensors, mellum_config},
    {"qwen3_omni_moe_talker", "layers.", qwen2_tensors, qwen2_config},
    {"qwen2_moe", "layers.", qwen2_tensors, qwen2_config},
    {"qwen3_next", "layers.", qwen2_tensors, qwen3_next_config},
    {"qwen4_exp", "layers.", qwen2_tensors, qwen3_next_config},
    {"qwen3_5_moe", "layers.", qwen2_tensors, qwen3_5_config},
    {"lara_mini", "layers.", flint_tensors, qwen3_next_config},
    {"granitemoe", "layers.", granite_tensors, mixtral_config},
    {"granitemoeshared", "layers.", granite_tensors, granite_shared_config},
    {"granitemoehybrid", "layers.", granite_tensors, granite_shared_config},
    {"granitemoe_swa", "layers.", granite_tensors, granite_shared_config},
    {"deepseek_v2", "layers.", mistral4_tensors, deepseek_v2_config},
    {"unlimited_ocr", "layers.", mistral4_tensors, deepseek_v2_config},
    {"deepseek_ocr2", "layers.", mistral4_tensors, deepseek_v2_config},
    {"hunyuan_v1_moe", "layers.", hunyuan_tensors, mixtral_config},
    {"jamba", "layers.", jamba_tensors, jamba_config},
    {"ernie4_5_moe", "layers.", ernie_tensors, ernie_config},
    {"mistral4", "layers.", mistral4_tensors, mistral4_config},
    {"mistral_large4", "layers.", mistral_large4_tensors, mistral_large4_config},
    {"aria", "layers.", aria_tensors, aria_config},
    {"jetmoe", "layers.", jetmoe_tensors, jetmoe_config},
    {"dbrx", "blocks.", dbrx_tensors, dbrx_config},
    {"gpt_oss", "layers.", gpt_oss_tensors, gpt_oss_config},
    {"openai_privacy_filter", "layers.", privacy_filter_tensors, gpt_oss_config},
    {"tutel", NULL, tutel_tensors, tutel_config},
    {NULL, NULL, NULL, NULL},
};
