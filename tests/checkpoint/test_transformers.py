"""smoe-run --checkpoint against the output of transformers' own modules, from checkpoints that transformers itself saves. Needs torch and
transformers in the Python that runs this (python -m venv v && v/bin/pip install torch transformers && v/bin/python this file); without
them there is nothing to compare with, and the test is skipped with that reason."""
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap
from models import tensor_file
from tensor_file import Tensor

try:
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    MISSING = None
except ImportError as error:
    MISSING = 'transformers cannot be run here: %s' % error

RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
LAYER, WIDTH, TOKENS = 1, 32, 40
scratch = tempfile.TemporaryDirectory()

COMMON = dict(hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, vocab_size=20,
              max_position_embeddings=64)
DEEPSEEK = dict(COMMON, moe_intermediate_size=24, intermediate_size=40, n_routed_experts=16, num_experts_per_tok=4, n_shared_experts=2,
                first_k_dense_replace=1, routed_scaling_factor=2.5)
# name: (classes, configuration, what of the decoder layer is the layer)
MODELS = {
    'mixtral': ('Mixtral', dict(COMMON, intermediate_size=24, num_local_experts=8, num_experts_per_tok=2)),
    'qwen3_moe, normalised': ('Qwen3Moe', dict(COMMON, moe_intermediate_size=24, num_experts=16, num_experts_per_tok=4,
                                                     norm_topk_prob=True)),
    'qwen3_moe': ('Qwen3Moe', dict(COMMON, moe_intermediate_size=24, num_experts=16, num_experts_per_tok=4, norm_topk_prob=False)),
    'qwen2_moe': ('Qwen2Moe', dict(COMMON, moe_intermediate_size=24, num_experts=16, num_experts_per_tok=4,
                                   shared_expert_intermediate_size=20)),
    'olmoe': ('Olmoe', dict(COMMON, intermediate_size=24, num_experts=16, num_experts_per_tok=4)),
    'granitemoe': ('GraniteMoe', dict(COMMON, intermediate_size=24, num_local_experts=8, num_experts_per_tok=2)),
    'granitemoeshared': ('GraniteMoeShared', dict(COMMON, intermediate_size=24, num_local_experts=8, num_experts_per_tok=2,
                                                  shared_intermediate_size=20)),
    'granitemoehybrid': ('GraniteMoeHybrid', dict(COMMON, intermediate_size=24, num_local_experts=8, num_experts_per_tok=2,
                                                  shared_intermediate_size=20, layer_types=['attention'] * 3, mamba_n_heads=8)),
    'deepseek_v3': ('DeepseekV3', dict(DEEPSEEK, n_group=4, topk_group=2, q_lora_rank=16, kv_lora_rank=8, qk_rope_head_dim=8,
                                       qk_nope_head_dim=8, v_head_dim=8, num_key_value_heads=4)),
    'glm4_moe': ('Glm4Moe', dict(DEEPSEEK, n_group=1, topk_group=1, head_dim=8)),
    'gpt_oss': ('GptOss', dict(COMMON, intermediate_size=24, num_local_experts=8, num_experts_per_tok=2, head_dim=8,
                               layer_types=['full_attention'] * 3)),
}


def build(name):
    """A model with weights that make a layer's parts matter."""
    classes, settings = MODELS[name]
    config = getattr(transformers, classes + 'Config')(**settings)
    config._experts_implementation = 'eager'  # the modelling code itself, which also runs in double
    torch.manual_seed(1)
    model = getattr(transformers, classes + 'ForCausalLM')(config).eval()
    with torch.no_grad():
        for key, value in list(model.named_parameters()) + list(model.named_buffers()):
            if '.layers.' in key and value.is_floating_point() and value.dim() > 0 and 'norm' not in key:
                scale = 0.1 if 'correction' in key else 1.5 if 'gate_up_proj' in key and 'gpt' in name else 0.3
                value.copy_(torch.randn_like(value) * scale)
    return model


def output_of(model, name, x):
    """The mixture's part of a decoder layer."""
    layer = model.model.layers[LAYER]
    block = layer.mlp if hasattr(layer, 'mlp') else layer.block_sparse_moe
    y = block(x)
    y = y[0] if isinstance(y, tuple) else y
    if 'granite' in name and getattr(layer, 'shared_mlp', None) is not None:
        y = y + layer.shared_mlp(x)
    return y


def matches(name, dtype, sharded):
    model = build(name).to(dtype)
    folder = os.path.join(scratch.name, 'folder-%s-%s' % (name.replace(' ', ''), sharded))
    model.save_pretrained(folder, max_shard_size='60KB' if sharded else '1GB')
    shards = [file for file in os.listdir(folder) if file.endswith('.safetensors')]
    assert (len(shards) > 1) == sharded, shards
    rng = random.Random(2)
    values = tensor_file.rounded('BF16', [rng.gauss(0.0, 1.0) for _ in range(TOKENS * WIDTH)])
    x_path, out_path = os.path.join(scratch.name, 'x.safetensors'), os.path.join(scratch.name, 'out.safetensors')
    tensor_file.write(x_path, {'x': Tensor('F32', [TOKENS, WIDTH], values)}, {})
    with torch.no_grad():
        # The same rounded weights, in double: float32's own rounding is not what is compared.
        y = output_of(model.to(torch.float64), name, torch.tensor(values, dtype=torch.float64).reshape(1, TOKENS, WIDTH))
    y = y.reshape(-1).tolist()
    output = tap.command(RUN, *DEVICE, '--checkpoint', folder, '--layer', str(LAYER), '--x', x_path, '--out', out_path)
    assert ('bfloat16' if dtype == torch.bfloat16 else 'float32') + ' weights' in output, output
    got, largest = tensor_file.read(out_path)[0]['y'].values, max(map(abs, y))
    assert all(value == value for value in y)
    worst = max(abs(a - b) for a, b in zip(got, y))
    print('# %s, %s, %d files: largest difference %.3g of %.3g' % (name, str(dtype).split('.')[1], len(shards), worst, largest))
    # transformers rounds the weights to the model's type in some models, and its softmaxes are float32: 2^-24 each, and sums of them
    assert worst <= 1e-5 * largest, 'y is off by %g of %g' % (worst, largest)


def skipped():
    raise tap.Skip(MISSING)


tap.run([('every format', skipped)] if MISSING else
        [('%s, %s' % (name, 'bfloat16 in shards' if sharded else 'float32 in one file'),
          lambda name=name, sharded=sharded: matches(name, torch.bfloat16 if sharded else torch.float32, sharded))
         for name in MODELS for sharded in (False, True)])
