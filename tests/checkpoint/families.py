"""A tiny random model of every mixture-of-experts class that the installed transformers knows: what its module computes in double, and the
folders that transformers saves of it. Nothing of smoe is in here."""
import importlib
import os
import pkgutil
import re
import warnings

import torch
import transformers
import transformers.models

warnings.filterwarnings('ignore')
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

WIDTH, TOKENS = 32, 24

# Settings that make a model small, wherever its configuration has them.
SMALL = dict(
    hidden_size=WIDTH, d_model=WIDTH, n_embd=WIDTH, intermediate_size=24, moe_intermediate_size=24, ffn_hidden_size=24, d_ff=24,
    encoder_ffn_dim=24, decoder_ffn_dim=24, dense_intermediate_size=40, shared_expert_intermediate_size=20, shared_intermediate_size=20,
    share_expert_dim=20, moe_shared_expert_intermediate_size=20, expert_ffn_hidden_size=24, shared_experts_intermediate_size=20,
    moe_hidden_size=16, num_hidden_layers=4, num_layers=4, n_layers=4, encoder_layers=2, decoder_layers=2, num_decoder_layers=2,
    num_attention_heads=4, n_heads=4, num_heads=4, num_key_value_heads=4, head_dim=8, vocab_size=64, pad_token_id=0, bos_token_id=1,
    eos_token_id=2, max_position_embeddings=64, num_experts=16, num_local_experts=16, n_routed_experts=16, moe_num_experts=16,
    num_experts_per_tok=4, moe_topk=4, moe_top_k=4, moe_k=4, num_experts_per_token=4, top_k_experts=4, n_group=4, topk_group=2,
    num_expert_group=4, topk_groups=2, q_lora_rank=16, kv_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
    qk_head_dim=16, mamba_n_heads=8, mamba_d_head=8, mamba_num_heads=8, mamba_head_dim=8, n_groups=2, ssm_state_size=8, mamba_d_state=8,
    mamba_dt_rank=4, linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
    first_k_dense_replace=1, num_dense_layers=1, moe_layer_start_index=1, index_n_heads=2, index_head_dim=16, index_topk=8, kv_channels=8,
    global_head_dim=8, linear_head_dim=8, linear_num_heads=2, sliding_window=16, use_mamba_kernels=False, router_dtype='float32',
    num_nextn_predict_layers=0, expert_capacity=64, vocab_size_per_layer_input=64, hidden_size_per_layer_input=8,
    attention_chunk_size=16, intermediate_size_mlp=24)

# What a class needs besides.
SETTINGS = {
    'axk2': dict(n_group=None, topk_group=None),
    'cohere2_moe': dict(expert_selection_fn='sigmoid', num_shared_experts=2, shared_expert_combination_strategy='sum'),
    'dbrx': dict(attn_config=dict(kv_n_heads=4, rope_theta=1e4),
                 ffn_config=dict(hidden_size=WIDTH, ffn_hidden_size=24, moe_num_experts=16, moe_top_k=4)),
    'deepseek_ocr2_text': dict(topk_method='greedy', mlp_layer_types=['sparse'] * 4),
    'deepseek_v2': dict(topk_method='group_limited_greedy', routed_scaling_factor=2.0),
    'dots1': dict(n_shared_experts=2, norm_topk_prob=True),
    'gemma4_text': dict(enable_moe_block=True),
    'ernie4_5_vl_moe_text': dict(moe_intermediate_size=[24, 24]),
    'glm5_next_text': dict(index_topk=16, index_kpool=4, swiglu_limit=2.0, qk_rope_head_dim=0),
    'hy_v4_vl_text': dict(swiglu_limit=2.0, rope_parameters=dict(rope_type='default', rope_theta=1e4, mrope_section=[2, 1, 1])),
    'hy_v4': dict(swiglu_limit=2.0),
    'deepseek_v4': dict(swiglu_limit=2.0),
    'lfm2_moe': dict(layer_types=['full_attention'] * 4),
    'minimax_m3_vl_text': dict(swiglu_limit=2.0),
    'qwen4_exp_text': dict(indexer_budget=64, indexer_compress_ratio=4, indexer_n_heads=4, indexer_kv_heads=1, indexer_head_dim=8),
    'qwen3_omni_moe_talker_text': dict(shared_expert_intermediate_size=20),
    'step3p5': dict(swiglu_limits=[0, 0, 0.5, 1.5], swiglu_limits_shared=[0, 1, 2, 0.7]),
    'zaya': dict(num_experts_per_tok=1),
}


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def configurations():
    """{model_type: configuration class} of every text model whose module has experts."""
    found = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(transformers.models.__path__)):
        folder = os.path.join(transformers.models.__path__[0], module)
        modelling = [name for name in os.listdir(folder) if name.startswith('modeling_')]
        if not any(re.search(r'self\.experts|MoE\b', read(os.path.join(folder, name))) for name in modelling):
            continue
        for name in os.listdir(folder):
            if not name.startswith('configuration_'):
                continue
            for value in vars(importlib.import_module('transformers.models.%s.%s' % (module, name[:-3]))).values():
                if isinstance(value, type) and issubclass(value, transformers.PretrainedConfig) and value.model_type and \
                        value.__module__.startswith('transformers.models.%s.' % module) and \
                        (not value.sub_configs or value.model_type == 'dbrx') and \
                        not re.search('vision|audio|encoder|_sam_|code_predictor|vitpose', value.model_type):
                    found[value.model_type] = value
    return found


def configure(kind, more):
    known = kind().to_dict()
    names = set(known) | set(getattr(kind, 'attribute_map', {}))
    settings = {name: value for name, value in SMALL.items() if name in names}
    for name, target in getattr(kind, 'attribute_map', {}).items():
        if name in settings and target in settings:
            del settings[name]
    settings.update(more)
    config = kind(**settings)
    config._experts_implementation = 'eager'  # the modelling code itself, which also runs in double
    config._attn_implementation = 'eager'
    return config


def build(config):
    for auto in (transformers.AutoModelForCausalLM, transformers.AutoModelForSeq2SeqLM, transformers.AutoModelForTokenClassification,
                 transformers.AutoModel):
        if type(config) in auto._model_mapping.keys():
            return auto.from_config(config).eval()
    module = importlib.import_module(type(config).__module__.replace('configuration_', 'modeling_'))
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, transformers.PreTrainedModel) and value.config_class is type(config) and \
                not value.__name__.endswith('PreTrainedModel'):
            return value(config).eval()
    raise LookupError('no model class')


def blocks(model):
    """(name, module, layer) of the modules that have experts."""
    for name, module in model.named_modules():
        layer = re.search(r'(?:layers|layer|block|blocks)\.(\d+)\.', name + '.')
        mixes = isinstance(getattr(module, 'experts', None), torch.nn.Module) or hasattr(module, 'input_linear') and \
            hasattr(module, 'router')
        if layer and mixes and 'attention' not in name and not name.endswith('experts'):
            yield name, module, int(layer.group(1))


def randomise(model):
    torch.manual_seed(1)
    with torch.no_grad():
        for key, value in list(model.named_parameters()) + list(model.named_buffers()):
            if value.is_floating_point() and value.dim() > 0 and 'norm' not in key and 'inv_freq' not in key and 'rotary' not in key:
                scale = 0.1 if 'correction' in key or 'expert_bias' in key else 0.3
                value.copy_((torch.randn_like(value) * scale).to(torch.bfloat16))  # the same numbers in every type


def output_of(model, name, block, x):
    y = block(x)
    y = y[0] if isinstance(y, tuple) else y
    parent = model.get_submodule(name.rsplit('.', 1)[0])
    if getattr(parent, 'shared_mlp', None) is not None and 'block_sparse_moe' in name:
        y = y + parent.shared_mlp(x)
    return y.reshape(-1, WIDTH)


class Family:
    """A model of one type, and what its last layer with experts computes."""

    def __init__(self, model_type, kind):
        self.model_type = model_type
        self.config = configure(kind, SETTINGS.get(model_type, {}))
        self.model = build(self.config)
        found = list(blocks(self.model))
        if not found:
            raise LookupError('no experts in it')
        self.name, self.block, self.layer = found[-1]
        randomise(self.model)

    def save(self, folder, original):
        """The files that transformers writes: names as on the Hub, in float32 and one file; or its own, in bfloat16 and shards."""
        if original:
            self.model.save_pretrained(folder, save_original_format=True)
        else:
            self.model.to(torch.bfloat16).save_pretrained(folder, save_original_format=False, max_shard_size='60KB')
            self.model.to(torch.float32)

    def output(self, x):
        with torch.no_grad():
            model = self.model.to(torch.float64)
            return output_of(model, self.name, self.block, x.to(torch.float64)[None])
