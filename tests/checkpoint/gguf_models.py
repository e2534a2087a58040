"""The models of models.py as GGUF files: the names and metadata that converters give them."""
import math

import gguf_file
import models
from models import Array

EMBEDDING = 'token_embd.weight'


def stack(arrays):
    """Arrays of one shape, one behind the other."""
    return Array((len(arrays),) + arrays[0].shape, [value for one in arrays for value in one.values])


def halves(array):
    """The first and the second half of the rows, for each expert."""
    parts = [array.part(e) for e in range(array.shape[0])]
    size = math.prod(parts[0].shape) // 2
    shape = (parts[0].shape[0] // 2,) + parts[0].shape[1:]
    return [stack([Array(shape, part.values[half * size:(half + 1) * size]) for part in parts]) for half in range(2)]


def transposed(array, first, step):
    """Of each expert [n,m] the columns first, first + step, ... as rows."""
    return stack([Array((len(range(first, array.shape[2], step)), array.shape[1]),
                        [row[column] for column in range(first, array.shape[2], step) for row in array.part(e).rows()])
                  for e in range(array.shape[0])])


def columns(array, first, step):
    return Array((array.shape[0], array.shape[1] // step), [value for row in array.rows() for value in row[first::step]])


def qwen_tensors(model, t):
    tensors = {'ffn_gate_inp.weight': t[model.router]}
    for name, part in (('gate', model.gate), ('up', model.up), ('down', model.down)):
        tensors['ffn_%s_exps.weight' % name] = stack([t[model.expert % e + part] for e in range(model.E)])
        if hasattr(model, 'shared_name'):
            tensors['ffn_%s_shexp.weight' % name] = t[model.shared_name + part]
    if 'mlp.shared_expert_gate.weight' in t:
        tensors['ffn_gate_inp_shexp.weight'] = Array((model.D,), t['mlp.shared_expert_gate.weight'].values)
    if 'mlp.gate.e_score_correction_bias' in t:
        tensors['exp_probs_b.bias'] = t['mlp.gate.e_score_correction_bias']
    return tensors


def granite_tensors(model, t, fused):
    tensors = {'ffn_gate_inp.weight': t['block_sparse_moe.router.layer.weight'],
               'ffn_down_exps.weight': t['block_sparse_moe.output_linear.weight']}
    both = t['block_sparse_moe.input_linear.weight']
    if fused:
        tensors['ffn_gate_up_exps.weight'] = both
    else:
        tensors['ffn_gate_exps.weight'], tensors['ffn_up_exps.weight'] = halves(both)
    if 'shared_mlp.input_linear.weight' in t:
        gate, up = halves(stack([t['shared_mlp.input_linear.weight']]))
        tensors.update({'ffn_gate_shexp.weight': gate.part(0), 'ffn_up_shexp.weight': up.part(0),
                        'ffn_down_shexp.weight': t['shared_mlp.output_linear.weight']})
    return tensors


def gpt_oss_tensors(t):
    both, bias, down = t['mlp.experts.gate_up_proj'], t['mlp.experts.gate_up_proj_bias'], t['mlp.experts.down_proj']
    return {'ffn_gate_inp.weight': t['mlp.router.weight'], 'ffn_gate_inp.bias': t['mlp.router.bias'],
            'ffn_gate_exps.weight': transposed(both, 0, 2), 'ffn_up_exps.weight': transposed(both, 1, 2),
            'ffn_down_exps.weight': transposed(down, 0, 1), 'ffn_gate_exps.bias': columns(bias, 0, 2),
            'ffn_up_exps.bias': columns(bias, 1, 2), 'ffn_down_exps.bias': t['mlp.experts.down_proj_bias']}


# architecture: model, what its metadata has besides the sizes, its tensors
def sizes(model, hidden='expert_feed_forward_length'):
    return {'embedding_length': model.D, hidden: model.H, 'expert_count': model.E, 'expert_used_count': model.K, 'block_count': 11}


ARCHITECTURES = {
    'llama': (models.Mixtral, lambda m: sizes(m, 'feed_forward_length'), qwen_tensors),
    'qwen3moe': (models.Qwen3, lambda m: {**sizes(m), 'feed_forward_length': 99}, qwen_tensors),
    'qwen2moe': (models.Qwen2, lambda m: {**sizes(m), 'expert_shared_feed_forward_length': m.S}, qwen_tensors),
    'olmoe': (models.Olmoe, lambda m: sizes(m, 'feed_forward_length'), qwen_tensors),
    'granitemoe': (models.Granite, lambda m: sizes(m, 'feed_forward_length'), lambda m, t: granite_tensors(m, t, False)),
    'granitehybrid': (models.GraniteHybrid, lambda m: {**sizes(m, 'feed_forward_length'), 'expert_shared_feed_forward_length': m.S},
                      lambda m, t: granite_tensors(m, t, True)),
    'deepseek2': (models.DeepseekV3,
                  lambda m: {**sizes(m), 'expert_shared_count': 2, 'expert_group_count': m.groups, 'expert_group_used_count': m.top_groups,
                             'expert_weights_scale': m.scale, 'expert_weights_norm': True, 'expert_gating_func': 2,
                             'leading_dense_block_count': 1}, qwen_tensors),
    'glm4moe': (models.Glm4, lambda m: {**sizes(m), 'expert_shared_count': 2, 'expert_weights_scale': 0.0}, qwen_tensors),
    'gpt-oss': (models.GptOss, sizes, lambda m, t: gpt_oss_tensors(t)),
}


def metadata_of(architecture, **changes):
    """changes: keys without the architecture; None: left out."""
    kind, of, _ = ARCHITECTURES[architecture]
    values = {**of(kind()), **changes}
    return {'general.architecture': architecture, 'general.name': 'tiny', 'tokenizer.ggml.tokens': ['<s>', 'a', 'é'],
            'tokenizer.ggml.scores': [0.0, 1.0, -1.5],
            **{'%s.%s' % (architecture, key): value for key, value in values.items() if value is not None}}


def whole(architecture, dtype):
    """The layer's numbers by the names of models.py, and the tensors of a file. Only matrices have 16 bits."""
    kind, _, of = ARCHITECTURES[architecture]
    model = kind()
    layers = {layer: models.draw(model, layer, dtype) for layer in (models.LAYER, models.OTHER)}
    tensors = {EMBEDDING: gguf_file.tensor('F16', (3, model.D), [0.5] * 3 * model.D)}
    for layer, named in layers.items():
        for name, array in of(model, named).items():
            matrix = 'exps.weight' in name or 'shexp.weight' in name and len(array.shape) > 1
            tensors['blk.%d.%s' % (layer, name)] = gguf_file.tensor(dtype if matrix else 'F32', array.shape, array.values)
        tensors['blk.%d.ffn_norm.weight' % layer] = gguf_file.tensor('F32', (model.D,), [1.0] * model.D)
    tensors['blk.%d.ffn_up.weight' % models.DENSE] = gguf_file.tensor(dtype, (4, model.D), [1.0] * 4 * model.D)
    return model, layers[models.LAYER], tensors
