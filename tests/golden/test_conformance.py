"""smoe-run --route-only: the router without its experts, what it writes for other engines, and the program of docs/conformance.md."""
import math
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
import tensor_file
from tensor_file import Tensor

FOLDER = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
NAMES = ('sigmoid_grouped', 'smooth_capped', 'ties_tolerance', 'cosine_gmoe', 'balanced_capped', 'floor_reached', 'expert_scale',
         'softmax_bias', 'shared_limits', 'given_ids', 'given_weights', 'weighted_input', 'latent', 'latent_zero', 'softmax_bias_raw')
RESULTS = {'ids': 'I32', 'weights': 'F64', 'gap': 'F64', 'order': 'I32', 'eps': 'F64', 'active': 'I32', 'logits': 'F64'}
OF_EXPERTS = ('activation', 'gated', 'shared', 'bias', 'd_hidden', 'd_latent', 'gate_max', 'shared_gate_max')
scratch = tempfile.TemporaryDirectory()


def golden(name):
    return os.path.join(FOLDER, name + '.safetensors')


def path_of(name):
    return os.path.join(scratch.name, name)


def run(*arguments, status=0):
    return tap.command(RUN, *DEVICE, *arguments, status=status)


def without_experts(name):
    """A golden file of the router: its experts and all that is said of them are gone, and so is y."""
    tensors, metadata = tensor_file.read(golden(name))
    kept = {key: tensor for key, tensor in tensors.items() if key.startswith(('router.', 'given.', 'expected.')) or key == 'x'}
    del kept['expected.y']
    tensor_file.write(path_of(name + '.safetensors'), kept, {key: value for key, value in metadata.items() if key not in OF_EXPERTS})
    return path_of(name + '.safetensors')


@tap.once
def routings():
    """What --out writes for each name: path and output of the program, for files with their experts and without."""
    os.makedirs(path_of('with'))
    os.makedirs(path_of('without'))
    run('--route-only', '--check', '--validate', '--out', path_of('with'), *[golden(name) for name in NAMES])
    output = run('--route-only', '--check', '--validate', '--out', path_of('without'), *[without_experts(name) for name in NAMES])
    assert output.count('check         passed') == len(NAMES), output
    assert output.count('validation    0 messages') == len(NAMES) and '\ny  ' not in output, output
    return {name: path_of('without/%s.out.safetensors' % name) for name in NAMES}


def same_without_experts():
    for name, path in routings().items():
        with open(path, 'rb') as one, open(path_of('with/%s.out.safetensors' % name), 'rb') as other:
            assert one.read() == other.read(), name


def what_is_written():
    for name, path in routings().items():
        tensors, metadata = tensor_file.read(golden(name))
        written, said = tensor_file.read(path)
        router = {key for key in tensors if key.startswith(('router.', 'given.'))}
        assert set(written) == router | {'x'} | {'expected.' + key for key in RESULTS}, (name, list(written))
        for key in router | {'x'}:
            assert written[key].values == tensors[key].values and written[key].shape == tensors[key].shape, key
        for key, dtype in RESULTS.items():
            one, other = written['expected.' + key], tensors['expected.' + key]
            assert (one.dtype, one.shape) == (dtype, other.shape), (name, key)
            assert dtype != 'I32' or one.values == other.values, (name, key)
            assert all(a == b or abs(a - b) < 1e-3 for a, b in zip(one.values, other.values)), (name, key)
        assert not set(said) & set(OF_EXPERTS), (name, said)
        assert all(said[key] == metadata[key] for key in ('k', 'score', 'router', 'max_active')), (name, said)
        for key, default in (('zero_experts', '0'), ('weighted_input', 'False')):
            assert said.get(key, default) == metadata.get(key, default), (name, key)


def comes_back():
    """What one run writes, another checks; a weight that is wrong fails it."""
    paths = list(routings().values())
    assert run('--route-only', '--check', *paths).count('check         passed') == len(paths)
    tensors, metadata = tensor_file.read(paths[0])
    tensors['expected.weights'].values[tensors['expected.ids'].values[0]] += 0.01
    tensor_file.write(path_of('wrong.safetensors'), tensors, metadata)
    output = run('--route-only', '--check', path_of('wrong.safetensors'), status=1)
    assert 'ids           0 of 37 tokens differ' in output and re.search('^weights .*FAILED$', output, re.M), output


def options():
    """Those about the routing hold and are written; so do calibration, times, and other inputs."""
    out, path = path_of('options.safetensors'), without_experts('smooth_wide')
    run('--route-only', '--k', '3', '--eps', '0', '--tokens', '7', '--seed', '5', '--out', out, path)
    written, said = tensor_file.read(out)
    assert said['k'] == '3' and float(said['eps']) == 0.0 and written['expected.active'].values == [3] * 7
    assert written['x'].shape[0] == 7 and 'check         passed' in run('--route-only', '--check', out)
    output = run('--route-only', '--calibrate', '0.5', '--repeat', '2', '--out', out, path)
    said = tensor_file.read(out)[1]
    assert 'calibration   eps %s:' % said['eps'] in output and 'route_select' in output and 'expert_up' not in output, output


def not_finite():
    tensors, metadata = tensor_file.read(without_experts('smooth_wide'))
    tensors['x'].values[0] = math.nan
    tensor_file.write(path_of('nan.safetensors'), tensors, metadata)
    out = path_of('nan_out.safetensors')
    run('--route-only', '--out', out, path_of('nan.safetensors'))
    written, _ = tensor_file.read(out)
    experts, most = written['expected.weights'].shape[1], written['expected.ids'].shape[1]
    assert math.isnan(written['expected.gap'].values[0]) and written['expected.active'].values[0] == 0
    assert written['expected.ids'].values[:most] == [-1] * most and written['expected.weights'].values[:experts] == [0.0] * experts
    assert written['expected.active'].values[1] > 0
    run('--route-only', '--check', out)


def several_passes():
    """More tokens than the device keeps logits of: the rest is written."""
    tokens, out = 32768 + 4, path_of('passes_out.safetensors')
    tensors = {'router.weight': Tensor('F32', [2, 1], [1.0, -1.0]), 'x': Tensor('F32', [tokens, 1], [1.0, -1.0] * (tokens // 2))}
    tensor_file.write(path_of('passes.safetensors'), tensors, {'k': '1', 'renormalize': 'True'})
    output = run('--route-only', '--out', out, path_of('passes.safetensors'))
    written, _ = tensor_file.read(out)
    assert 'expected.logits is left out' in output and 'expected.logits' not in written, output
    assert written['expected.ids'].shape == [tokens, 2] and written['expected.ids'].values[::2] == [0, 1] * (tokens // 2)


def refused():
    out, good = path_of('refused.safetensors'), golden('one_expert')
    for arguments, text in (
            (['--route-only', good], '--route-only: needs --out FILE or --check'),
            (['--route-only', '--repeat', '3', good], 'needs --out FILE or --check'),
            (['--route-only', '--out', out, '--write', path_of('w.safetensors'), good], '--write: is about experts'),
            (['--route-only', '--out', out, '--weights', 'f16', good], '--weights: is about experts'),
            (['--route-only', '--out', out, '--activation', 'silu', good], '--activation: is about experts'),
            (['--route-only', '--out', out, '--mixed-precision', good], '--mixed-precision: is about experts'),
            (['--route-only', '--out', out, '--expected-active', '1', good], '--expected-active: is about experts'),
            (['--route-only', '--check', '--k', '1', good], 'options that change the result exclude it'),
            (['--route-only', '--out', good, good], 'a layer file that is read'),
            (['--route-only', '--out', out, '--k', '2', good], '--k is more')):
        assert text in run(*arguments, status=2), arguments
    tensors, metadata = tensor_file.read(without_experts('sigmoid_grouped'))
    for key, text in (('router.weight', 'router.weight is missing'), ('x', 'there is no tensor x')):
        tensor_file.write(path_of('bad.safetensors'), {name: tensor for name, tensor in tensors.items() if name != key}, metadata)
        assert text in run('--route-only', '--out', out, path_of('bad.safetensors'), status=2), key
    for key in ('k', 'renormalize'):
        tensor_file.write(path_of('bad.safetensors'), tensors, {name: value for name, value in metadata.items() if name != key})
        assert 'metadata %s is missing' % key in run('--route-only', '--out', out, path_of('bad.safetensors'), status=2), key
    del tensors['expected.gap']
    tensor_file.write(path_of('bad.safetensors'), tensors, metadata)
    assert 'expected.gap is missing' in run('--route-only', '--check', path_of('bad.safetensors'), status=2)
    assert not os.path.exists(out)


def checkpoint():
    """A layer of a checkpoint: its experts are read and left out."""
    source = [0.01 * (17 * i % 101 - 50) for i in range(4 * 32 * 8)]
    tensors = {'model.layers.0.mlp.gate.weight': Tensor('F32', [4, 8], source[:32])}
    for expert in range(4):
        for name, shape in (('gate', [32, 8]), ('up', [32, 8]), ('down', [8, 32])):
            tensors['model.layers.0.mlp.experts.%d.%s_proj.weight' % (expert, name)] = Tensor('F32', shape, source[:256])
    folder = path_of('model')
    os.makedirs(folder)
    tensor_file.write(os.path.join(folder, 'model.safetensors'), tensors, {'format': 'pt'})
    with open(os.path.join(folder, 'config.json'), 'w', encoding='utf-8') as file:
        file.write('{"model_type": "olmoe", "num_experts": 4, "num_experts_per_tok": 2, "hidden_size": 8, "intermediate_size": 32,'
                   ' "hidden_act": "silu", "norm_topk_prob": false}')
    out = path_of('checkpoint_out.safetensors')
    run('--route-only', '--tokens', '9', '--validate', '--out', out, '--checkpoint', folder, '--layer', '0')
    written, said = tensor_file.read(out)
    assert written['router.weight'].values == tensor_file.rounded('F32', source[:32]) and said['k'] == '2', said
    assert written['expected.ids'].shape == [9, 4] and written['x'].shape == [9, 8], written
    run('--route-only', '--check', out)


# ---- the page

def program():
    """The page's block of Python."""
    with open('docs/conformance.md', encoding='utf-8') as file:
        found = re.findall(r'^```python\n(.*?)^```$', file.read(), re.M | re.S)
    assert len(found) == 1, found
    names = {}
    exec(found[0], names)
    return names


def engine(path, with_bias):
    """A router as DeepSeek-V3's, in plain Python: ids and weights. with_bias: its mistake."""
    tensors, metadata = tensor_file.read(path)
    k, groups, kept = int(metadata['k']), int(metadata['n_group']), int(metadata['topk_group'])
    bias, ids, weights = tensors['router.selection_bias'].values, [], []
    for x in tensors['x'].rows():
        added = tensors['router.bias'].values if 'router.bias' in tensors else [0.0] * len(bias)
        gates = [1 / (1 + math.exp(-sum(a * b for a, b in zip(x, row)) - c)) for row, c in zip(tensors['router.weight'].rows(), added)]
        scores = [gate + one for gate, one in zip(gates, bias)]
        size = len(scores) // groups
        best = sorted(range(groups), key=lambda group: -sum(sorted(scores[group * size:][:size])[-2:]))[:kept]
        chosen = sorted((e for e in range(len(scores)) if e // size in best), key=lambda e: -scores[e])[:k]
        raw = [(scores if with_bias else gates)[e] for e in chosen]
        ids.append(chosen)
        weights.append([float(metadata['scale']) * one / sum(raw) for one in raw])
    return ids, weights


def the_page():
    """The page's program finds the mistake of the page's engine, in as many tokens as the page says, and none in the right one."""
    out = path_of('page.safetensors')
    run('--route-only', '--eps', '0', '--out', out, golden('sigmoid_grouped'))
    misrouted = program()['misrouted']
    assert misrouted(out, *engine(out, False)) == []
    assert misrouted(out, *engine(out, True)) == list(range(37))
    ids, weights = engine(out, False)
    ids[4] = ids[5]
    assert misrouted(out, ids, weights) == [4]


tap.run([same_without_experts, what_is_written, comes_back, options, not_finite, several_passes, refused, checkpoint, the_page])
