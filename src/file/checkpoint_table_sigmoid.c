/* Formats whose routers weigh each expert by itself: by a sigmoid, mostly. */
#include "checkpoint_rows.h"

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static const smoe_tensor_row minimax_m2_tensors[] = {
    MIXTRAL_EXPERTS,
    EITHER(SELECTION_BIAS, "block_sparse_moe.e_score_correction_bias", "mlp.e_score_correction_bias", "E"),
    END,
};

/* Shared experts that are not gated. */
static const smoe_tensor_row flint_tensors[] = {QWEN_EXPERTS, SHARED("mlp.shared_expert."), END};

static const smoe_tensor_row mistral4_tensors[] = {QWEN_EXPERTS, SHARED("mlp.shared_experts."), END};

static const smoe_tensor_row deepseek_tensors[] = {
    QWEN_EXPERTS,
    ALWAYS(SELECTION_BIAS, "mlp.gate.e_score_correction_bias", "E"),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row exaone_tensors[] = {
    QWEN_EXPERTS,
    EITHER(SELECTION_BIAS, "mlp.e_score_correction_bias", "mlp.gate.e_score_correction_bias", "E"),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row bailing_tensors[] = {
    QWEN_EXPERTS,
    EITHER(SELECTION_BIAS, "mlp.gate.expert_bias", "mlp.gate.e_score_correction_bias", "E"),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row laguna_tensors[] = {
    QWEN_EXPERTS,
    EITHER(SELECTION_BIAS, "mlp.experts.e_score_correction_bias", "mlp.gate.e_score_correction_bias", "E"),
    SHARED("mlp.shared_expert."),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row kimi_linear_tensors[] = {
    MIXTRAL_EXPERTS,
    EITHER(SELECTION_BIAS, "block_sparse_moe.gate.e_score_correction_bias", "mlp.gate.e_score_correction_bias", "E"),
    SHARED("block_sparse_moe.shared_experts."),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row afmoe_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mlp.router.gate.weight", "ED"),
    ALWAYS(SELECTION_BIAS, "mlp.expert_bias", "E"),
    EXPERTS("mlp."),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row hy_v3_tensors[] = {
    EITHER(ROUTER_WEIGHT, "mlp.router.gate.weight", "mlp.gate.weight", "ED"),
    EITHER(SELECTION_BIAS, "mlp.expert_bias", "mlp.e_score_correction_bias", "E"),
    EXPERTS("mlp."),
    SHARED("mlp.shared_mlp."),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row hy_v4_tensors[] = {
    QWEN_EXPERTS,
    ALWAYS(SELECTION_BIAS, "mlp.gate.e_score_correction_bias", "E"),
    SHARED_BY_NAME("mlp.shared_experts.", "linear_gate", "up_proj", "down_proj"),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row lfm2_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "feed_forward.gate.weight", "ED"),
    OPTIONAL(SELECTION_BIAS, "feed_forward.expert_bias", "E"),
    EXPERTS_BY_NAME("feed_forward.", "feed_forward.", "w1", "w3", "w2"),
    END,
};

/* Not gated. */
static const smoe_tensor_row nemotron_tensors[] = {
    ALWAYS(ROUTER_WEIGHT, "mixer.gate.weight", "ED"),
    ALWAYS(SELECTION_BIAS, "mixer.gate.e_score_correction_bias", "E"),
    WITHOUT("mixer.experts.up_proj", W1, "mixer.experts.#.up_proj.weight", "HD"),
    WITHOUT("mixer.experts.up_proj", W2, "mixer.experts.#.down_proj.weight", "DH"),
    OPTIONAL(W1, "mixer.experts.up_proj", "EHD"),
    WITH("mixer.experts.up_proj", W2, "mixer.experts.down_proj", "EDH"),
    OPTIONAL(SHARED_W1, "mixer.shared_experts.up_proj.weight", "SD"),
    WITH("mixer.shared_experts.up_proj.weight", SHARED_W2, "mixer.shared_experts.down_proj.weight", "DS"),
    END,
};

static const smoe_tensor_row deepseek_v4_tensors[] = {
    EITHER(ROUTER_WEIGHT, "ffn.gate.weight", "mlp.gate.weight", "ED"),
    EITHER(SELECTION_BIAS, "ffn.gate.bias", "mlp.gate.e_score_correction_bias", "E"),
    EXPERTS_BY_NAME("ffn.", "mlp.", "w1", "w3", "w2"),
    SHARED_BY_NAME("ffn.shared_experts.", "w1", "w3", "w2"),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row step_tensors[] = {
    EITHER(ROUTER_WEIGHT, "mlp.gate.weight", "moe.gate.weight", "ED"),
    EITHER(SELECTION_BIAS, "mlp.gate.e_score_correction_bias", "moe.router_bias", "E"),
    WITH("moe.gate.weight", W1, "moe.gate_proj.weight", "EHD"),
    WITH("moe.gate.weight", W3, "moe.up_proj.weight", "EHD"),
    WITH("moe.gate.weight", W2, "moe.down_proj.weight", "EDH"),
    FUSED("mlp."),
    SHARED("share_expert."),
    SHARED("mlp.shared_experts."),
    END,
};

static const smoe_tensor_row minimax_m3_tensors[] = {
    EITHER(ROUTER_WEIGHT, "block_sparse_moe.gate.weight", "mlp.gate.weight", "ED"),
    EITHER(SELECTION_BIAS, "block_sparse_moe.e_score_correction_bias", "mlp.gate.e_score_correction_bias", "E"),
    EXPERTS_BY_NAME("block_sparse_moe.", "mlp.", "w1", "w3", "w2"),
    SHARED("block_sparse_moe.shared_experts."),
    OPTIONAL(SHARED_W1, "mlp.shared_experts.gate_up_proj.weight", "2SD"),
    WITH("mlp.shared_experts.gate_up_proj.weight", SHARED_W2, "mlp.shared_experts.down_proj.weight", "DS"),
    END,
};

/* ---- config.json ------------------------------------------------------------------------------------------------- */

static const smoe_config_row deepseek_config[] = {
    SIZES(OWN), CHOICE, SIGMOID("norm_topk_prob", "routed_scaling_factor", "2.5"), GROUPS("8", "4"), SHARED_COUNT, LAST,
};

static const smoe_config_row glm4_config[] = {
    SIZES(OWN), CHOICE, SIGMOID("norm_topk_prob", "routed_scaling_factor", "1.0"), GROUPS("1", "1"), SHARED_COUNT, LAST,
};

/* glm4_config but for what a missing setting means. */
static const smoe_config_row dots1_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(SCORE, NULL, "sigmoid"),
    SETTING(EXACTLY, "scoring_func", "sigmoid|noaux_tc"),
    SETTING(RENORMALIZE, "norm_topk_prob", "false"),
    NUMBER(renormalize_add, NULL, "1e-20"),
    SETTING(SCALE, "routed_scaling_factor", "1.0"),
    GROUPS("1", "1"),
    SETTING(SHARED_COUNT, "n_shared_experts", "0"),
    LAST,
};

static const smoe_config_row glm4_lite_config[] = {
    SIZES(OWN), CHOICE, SIGMOID("norm_topk_prob", "routed_scaling_factor", "1.8"), GROUPS("1", "1"), SHARED_COUNT, LAST,
};

static const smoe_config_row exaone_config[] = {
    SIZES(OWN), CHOICE, SIGMOID("norm_topk_prob", "routed_scaling_factor", "2.5"), GROUPS("1", "1"), SHARED_COUNT, LAST,
};

/* Other code fills the groups left out with 0, not with minus infinity: another choice where scores are negative. */
static const smoe_config_row axk2_config[] = {
    SIZES(OWN),   CHOICE, SIGMOID("norm_topk_prob", "routed_scaling_factor", "2.5"), SETTING(NONE, "n_group", NULL),
    SHARED_COUNT, LAST,
};

/* No shared expert. */
static const smoe_config_row mimo_config[] = {
    SIZES(OWN), CHOICE, SIGMOID("norm_topk_prob", "routed_scaling_factor", "1.0"), GROUPS("1", "1"), LAST,
};

static const smoe_config_row beam_config[] = {
    SIZES(OWN), CHOICE, SIGMOID("norm_topk_prob", "routed_scaling_factor", "2.5"), GROUPS("8", "4"), LAST,
};

static const smoe_config_row kimi_linear_config[] = {
    SIZES(OWN),
    CHOICE,
    SIGMOID("moe_renormalize|norm_topk_prob", "routed_scaling_factor", "2.446"),
    SETTING(EXACTLY, "moe_router_activation_func", "sigmoid"),
    GROUPS("1", "1"),
    SHARED_COUNT,
    LAST,
};

static const smoe_config_row bailing_config[] = {
    SIZES(OWN),
    CHOICE,
    SIGMOID("norm_topk_prob|moe_renormalize", "routed_scaling_factor", "2.5"),
    SETTING(EXACTLY, "score_function", "sigmoid"),
    GROUPS("8", "4"),
    SHARED_COUNT,
    LAST,
};

static const smoe_config_row glm5_config[] = {
    SIZES(OWN),
    CHOICE,
    SIGMOID("norm_topk_prob", "routed_scaling_factor", "2.5"),
    GROUPS("1", "1"),
    SHARED_COUNT,
    SETTING(EXACTLY, "hidden_act", "silu"), /* the experts' is always silu */
    LIMITS_OF_BOTH("swiglu_limit", "10"),
    LAST,
};

/* The limits are the experts' only. */
static const smoe_config_row hy_v4_config[] = {
    SIZES(OWN),
    CHOICE,
    SIGMOID("norm_topk_prob", "routed_scaling_factor", "2.827"),
    GROUPS("1", "1"),
    SHARED_COUNT,
    SETTING(EXACTLY, "hidden_act", "silu"),
    NUMBER(gate_max, "swiglu_limit", "10"),
    NUMBER(up_limit, "swiglu_limit", "10"),
    LAST,
};

static const smoe_config_row hy_v3_config[] = {
    SIZES(OWN),
    CHOICE,
    SIGMOID(NULL, "router_scaling_factor", "2.826"),
    SHARED_COUNT,
    SETTING(EXACTLY, "mlp_bias", "false"),
    LAST,
};

static const smoe_config_row afmoe_config[] = {
    SIZES(OWN), CHOICE, SIGMOID(NULL, "route_scale", "1.0"), SETTING(SHARED_COUNT, "num_shared_experts", "2"), LAST,
};

static const smoe_config_row minimax_m2_config[] = {
    SIZES("intermediate_size"),
    CHOICE,
    SETTING(SCORE, NULL, "sigmoid"),
    SETTING(EXACTLY, "scoring_func", "sigmoid"),
    RENORMALIZED,
    LAST,
};

static const smoe_config_row minimax_m3_config[] = {
    SIZES("intermediate_size"),
    SETTING(TOP_K, TOP_K, NULL),
    SETTING(ACTIVATION, NULL, "silu"), /* whatever hidden_act says */
    SETTING(SCORE, NULL, "sigmoid"),
    SETTING(EXACTLY, "scoring_func", "sigmoid"),
    RENORMALIZED,
    SETTING(SCALE, "routed_scaling_factor", "2.0"),
    SETTING(SHARED_WIDTH, "shared_intermediate_size", NULL),
    NUMBER(gate_alpha, "swiglu_alpha", "1.702"),
    NUMBER(up_offset, NULL, "1"),
    LIMITS_OF_BOTH("swiglu_limit", "7"),
    LAST,
};

static const smoe_config_row lfm2_config[] = {
    SIZES(OWN),
    SETTING(TOP_K, TOP_K, NULL),
    SETTING(ACTIVATION, NULL, "silu"),
    SETTING(SCORE, NULL, "sigmoid"),
    SETTING(RENORMALIZE, "norm_topk_prob", "true"),
    NUMBER(renormalize_add, NULL, "1e-6"),
    SETTING(SCALE, "routed_scaling_factor", "1.0"),
    SETTING(SELECTION_BIAS, "use_expert_bias", "true"),
    LAST,
};

static const smoe_config_row laguna_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(SCORE, NULL, "sigmoid"),
    RENORMALIZED,
    SETTING(SCALE, "moe_routed_scaling_factor", "1.0"),
    SETTING(EXACTLY, "moe_apply_router_weight_on_input", "false"),
    SETTING(EXACTLY, "moe_router_logit_softcapping", "0"),
    SHARED_EXPERT_WIDTH,
    LAST,
};

static const smoe_config_row flint_config[] = {
    SIZES(OWN),          CHOICE, SETTING(SCORE, NULL, "sigmoid"), SETTING(RENORMALIZE, "norm_topk_prob", "true"),
    SHARED_EXPERT_WIDTH, LAST,
};

/* The shared expert's part is added, not averaged; sigmoid gates may be kept as they are. */
static const smoe_config_row cohere2_config[] = {
    SIZES("intermediate_size"),
    CHOICE,
    SETTING(SCORE, "expert_selection_fn", "softmax"),
    SETTING(RENORMALIZE, "norm_topk_prob", "true"),
    SETTING(SHARED_COUNT, "num_shared_experts", "0"),
    SETTING(SHARED_SUM, "shared_expert_combination_strategy", "average"),
    LAST,
};

static const smoe_config_row nemotron_config[] = {
    SIZES(OWN),
    SETTING(TOP_K, TOP_K, NULL),
    SETTING(ACTIVATION, "mlp_hidden_act", "relu2"),
    SIGMOID("norm_topk_prob", "routed_scaling_factor", "1.0"),
    GROUPS("1", "1"),
    SHARED_COUNT,
    SETTING(EXACTLY, "mlp_bias", "false"),
    SETTING(NONE, "moe_latent_size", NULL),
    LAST,
};

static const smoe_config_row deepseek_v4_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(SCORE, NULL, "sqrt_softplus"),
    SETTING(EXACTLY, "scoring_func", "sqrtsoftplus"),
    RENORMALIZED,
    NUMBER(renormalize_add, NULL, "1e-20"),
    SETTING(SCALE, "routed_scaling_factor", "1.5"),
    SHARED_COUNT,
    LIMITS_OF_BOTH("swiglu_limit", "10"),
    SETTING(EXACTLY, "mlp_bias", "false"),
    LAST,
};

static const smoe_config_row step_config[] = {
    SIZES(OWN),
    CHOICE,
    SETTING(SCORE, NULL, "sigmoid"),
    RENORMALIZED,
    SETTING(SCALE, "moe_router_scaling_factor", "1.0"),
    SETTING(SHARED_WIDTH, "share_expert_dim|share_expert_dims", NULL),
    SETTING(EXACTLY, "mlp_bias", "false"),
    NUMBER(gate_limit_after, "swiglu_limits", "0"),
    NUMBER(up_limit, "swiglu_limits", "0"),
    NUMBER(shared_gate_limit_after, "swiglu_limits_shared", "0"),
    NUMBER(shared_up_limit, "swiglu_limits_shared", "0"),
    LAST,
};

/* ---- formats ----------------------------------------------------------------------------------------------------- */

const smoe_checkpoint_table smoe_checkpoint_sigmoid_tables[] = {
    {"minimax_m2", "layers.", minimax_m2_tensors, minimax_m2_config},
    {"minimax_m3_vl", "layers.", minimax_m3_tensors, minimax_m3_config},
    {"flint", "layers.", flint_tensors, flint_config},
    {"cohere2_moe", "layers.", mistral4_tensors, cohere2_config},
    {"deepseek_v3", "layers.", deepseek_tensors, deepseek_config},
    {"deepseek_v32", "layers.", deepseek_tensors, deepseek_config},
    {"kimi_k2", "layers.", deepseek_tensors, deepseek_config},
    {"nemotron_h", "layers.", nemotron_tensors, nemotron_config},
    {"deepseek_v4", "layers.", deepseek_v4_tensors, deepseek_v4_config},
    {"axk2", "layers.", deepseek_tensors, axk2_config},
    {"glm4_moe", "layers.", deepseek_tensors, glm4_config},
    {"glm4v_moe", "layers.", deepseek_tensors, glm4_config},
    {"glm4_moe_lite", "layers.", deepseek_tensors, glm4_lite_config},
    {"glm_moe_dsa", "layers.", deepseek_tensors, exaone_config},
    {"glm5_next", "layers.", deepseek_tensors, glm5_config},
    {"solar_open", "layers.", deepseek_tensors, glm4_config},
    {"dots1", "layers.", deepseek_tensors, dots1_config},
    {"dots3_note", "layers.", deepseek_tensors, glm4_config},
    {"mimo_v2_flash", "layers.", deepseek_tensors, mimo_config},
    {"beam", "layers.", deepseek_tensors, beam_config},
    {"exaone_moe", "layers.", exaone_tensors, exaone_config},
    {"bailing_hybrid", "layers.", bailing_tensors, bailing_config},
    {"bailing_moe_v2", "layers.", bailing_tensors, bailing_config},
    {"kimi_linear", "layers.", kimi_linear_tensors, kimi_linear_config},
    {"laguna", "layers.", laguna_tensors, laguna_config},
    {"afmoe", "layers.", afmoe_tensors, afmoe_config},
    {"hy_v3", "layers.", hy_v3_tensors, hy_v3_config},
    {"hy_v4", "layers.", hy_v4_tensors, hy_v4_config},
    {"hy_v4_vl", "layers.", hy_v4_tensors, hy_v4_config},
    {"lfm2_moe", "layers.", lfm2_tensors, lfm2_config},
    {"step3p5", "layers.", step_tensors, step_config},
    {"step3p7", "layers.", step_tensors, step_config},
    {NULL, NULL, NULL, NULL},
};
