"""smoe-run --checkpoint FILE.gguf: every architecture and every type of weights, whole and split files, against the models' definitions;
and what is refused."""
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
sys.path.insert(0, HERE)
import gguf_blocks
import gguf_file
import gguf_models
import models
import tap
from gguf_models import ARCHITECTURES
from models import LAYER, Array, tensor_file
from tensor_file import Tensor

RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
SEED = int(os.environ.get('SMOE_TEST_SEED', '1'))
scratch = tempfile.TemporaryDirectory()


def path_of(name):
    return os.path.join(scratch.name, name)


def run(*arguments, status=0):
    return tap.command(RUN, *DEVICE, *arguments, status=status)


def write_x(x):
    tensor_file.write(path_of('x.safetensors'), {'x': Tensor('F32', [len(x), len(x[0])], sum(x, []))}, {})
    return path_of('x.safetensors')


def compare(y, expected, what):
    got, largest = y.rows(), max(abs(value) for row in expected for value in row)
    assert len(got) == len(expected), what
    worst = max(abs(a - b) for left, right in zip(got, expected) for a, b in zip(left, right))
    assert worst <= 2e-5 * largest, '%s: y is off by %g of %g' % (what, worst, largest)


def run_all_on(files, layers, x, *options):
    """{(file, layer): (y, output)}, of one process."""
    folder = tempfile.mkdtemp(dir=scratch.name)
    output = run(*(argument for file in files for argument in ('--checkpoint', file)), '--layer', ','.join(map(str, layers)), '--x',
                 write_x(x), '--out', folder, *options)
    parts = ('\n' + output).split('\nfile ')[1:]
    assert len(parts) == len(files) * len(layers), output
    found = {}
    for (file, layer), part in zip([(file, layer) for file in files for layer in layers], parts):
        stem = os.path.basename(file)[:-len('.gguf')]
        found[file, layer] = tensor_file.read(os.path.join(folder, '%s.%d.out.safetensors' % (stem, layer)))[0]['y'], part
    return found


# ---- architectures

CASES = [(architecture, ('F32', 'BF16', 'F16')[number % 3]) for number, architecture in enumerate(ARCHITECTURES)]


@tap.once
def read_architectures():
    layers, files = [], {}
    for number, (architecture, dtype) in enumerate(CASES):
        model, layer, tensors = gguf_models.whole(architecture, dtype)
        layers.append((model, layer))
        metadata = gguf_models.metadata_of(architecture)
        if number % 2:  # any part may be named
            files[architecture] = gguf_file.write_parts(path_of(architecture), metadata, tensors, 2 + number % 3)[number % 2]
        else:
            files[architecture] = path_of(architecture + '.gguf')
            gguf_file.write(files[architecture], metadata, tensors, alignment=32 << number % 3, version=2 + number % 4 // 2)
    x, y = models.inputs_of_all(layers)
    found = run_all_on(files.values(), (LAYER, models.OTHER), x, '--validate')
    return {architecture: (*found[files[architecture], LAYER], rows) for (architecture, _), rows in zip(CASES, y)}


def architecture_is_read(architecture, dtype):
    got, output, expected = read_architectures()[architecture]
    compare(got, expected, architecture)
    assert 'checkpoint    %s, layer %d\n' % (architecture, LAYER) in output, output
    assert 'warning' not in output and 'validation    0 messages' in output, output
    assert ' %s weights' % {'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16'}[dtype] in output, output


def every_architecture():
    with open('src/file/gguf_table.c', encoding='utf-8') as file:
        names = [line.split('"')[1] for line in file if line.startswith('    {"')]
    assert sorted(names) == sorted(ARCHITECTURES), names


# ---- types in blocks

LARGE, SMALL = ['Q4_K', 'Q6_K', 'Q5_K', 'IQ4_XS'], ['Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'IQ4_NL', 'MXFP4', 'NVFP4']
D, E = 256, 2


class Blocks:
    """A layer of random blocks, both experts of which run: its tensors, and what it computes."""

    def __init__(self, up, down, width, fused=False, factors=False, shared=None):
        self.rng = random.Random('%d %s %s %s' % (SEED, up, down, fused))
        self.tensors, self.values, self.factors = {}, {}, {}
        self.width, self.shared = width, shared
        self.router = [[self.rng.gauss(0.0, 1.0) for _ in range(D)] for _ in range(E)]
        self.router = [tensor_file.rounded('F32', row) for row in self.router]
        self.add('ffn_gate_inp.weight', 'F32', [E, D], sum(self.router, []))
        if fused:
            self.add_blocks('ffn_gate_up_exps.weight', up, [E, 2 * width, D])
        else:
            self.add_blocks('ffn_gate_exps.weight', up, [E, width, D])
            self.add_blocks('ffn_up_exps.weight', up, [E, width, D])
        self.add_blocks('ffn_down_exps.weight', down, [E, D, width])
        for name in [name for name in self.values if factors]:
            self.factors[name] = tensor_file.rounded('F32', [self.rng.uniform(0.5, 2.0) for _ in range(E)])
            self.add(name.replace('.weight', '.scale'), 'F32', [E], self.factors[name])
        if shared:
            for name, kind, shape in (('gate', shared[0], [64, D]), ('up', shared[0], [64, D]), ('down', shared[1], [D, 64])):
                self.add_blocks('ffn_%s_shexp.weight' % name, kind, shape)

    def add(self, name, kind, shape, values):
        self.tensors[name] = gguf_file.tensor(kind, shape, values)

    def add_blocks(self, name, kind, shape):
        count = math.prod(shape)
        if kind in gguf_blocks.DECODERS:
            data = gguf_blocks.random_blocks(self.rng, kind, count // gguf_file.TYPES[kind][1])
            self.tensors[name] = gguf_file.Tensor(kind, shape, data)
            values = gguf_blocks.values_of(kind, data)
        else:
            values = tensor_file.rounded(kind, [self.rng.gauss(0.0, 0.5) for _ in range(count)])
            self.add(name, kind, shape, values)
        self.values[name] = Array(shape, values)

    def part(self, name, e):
        """An expert's matrix, the halves of a fused one as two."""
        array = self.values[name].part(e)
        factor = self.factors.get(name, [1.0] * E)[e]
        return Array(array.shape, [factor * value for value in array.values])

    def expert(self, e, x):
        if 'ffn_gate_up_exps.weight' in self.values:
            h = models.times(self.part('ffn_gate_up_exps.weight', e), x)
            gate, up = h[:self.width], h[self.width:]
        else:
            gate, up = (models.times(self.part('ffn_%s_exps.weight' % name, e), x) for name in ('gate', 'up'))
        return models.times(self.part('ffn_down_exps.weight', e), [models.silu(a) * b for a, b in zip(gate, up)])

    def forward(self, x):
        weights = models.softmax([models.dot(row, x) for row in self.router])
        y = models.mixed(dict(enumerate(weights)), lambda e: self.expert(e, x))
        if self.shared:
            y = models.plus(y, models.gated(*(self.values['ffn_%s_shexp.weight' % name] for name in ('gate', 'up', 'down')), x))
        return y


def write_layers(name, architecture, layers):
    """One file with all of them, from layer 0 on. No key says how wide the experts are, which differs from layer to layer."""
    metadata = gguf_models.metadata_of(architecture, embedding_length=D, expert_count=E, expert_used_count=E, feed_forward_length=None,
                                       expert_feed_forward_length=None, expert_group_count=None, expert_group_used_count=None,
                                       expert_gating_func=None, expert_weights_scale=None)
    tensors = {'blk.%d.%s' % (number, name): one for number, layer in enumerate(layers) for name, one in layer.tensors.items()}
    gguf_file.write(path_of(name), metadata, tensors)
    return path_of(name)


def x_of_blocks(tokens=1):
    rng = random.Random(SEED)
    return [tensor_file.rounded('F32', [rng.gauss(0.0, 0.1) for _ in range(D)]) for _ in range(tokens)]


PAIRS = [('Q4_K', 'Q6_K', 256), ('Q5_K', 'IQ4_XS', 256), ('Q8_0', 'Q4_0', 64), ('Q5_1', 'MXFP4', 64), ('IQ4_NL', 'Q5_0', 64),
         ('NVFP4', 'Q4_1', 64)]
if os.environ.get('SMOE_TEST_EVERYTHING') == '1':  # the other way round
    PAIRS += [(down, up, 256 if up in LARGE else 64) for up, down, _ in PAIRS]


@tap.once
def read_types():
    layers = [Blocks(*pair) for pair in PAIRS]
    file, x = write_layers('types.gguf', 'qwen3moe', layers), x_of_blocks()
    found = run_all_on([file], range(len(layers)), x, '--validate')
    return {pair: (*found[file, number], [layer.forward(row) for row in x]) for number, (pair, layer) in enumerate(zip(PAIRS, layers))}


def types_are_read(pair):
    got, output, expected = read_types()[pair]
    compare(got, expected, 'seed %d: %s up, %s down, width %d' % ((SEED,) + pair))
    assert 'validation    0 messages' in output, output


def decoders():
    """Those of the tests, against what the package gguf says."""
    tensors, metadata = tensor_file.read(os.path.join(HERE, '..', 'weights', 'blocks.safetensors'))
    compared = 0
    for kind in LARGE + SMALL:
        name = 'gguf_' + kind
        values = gguf_blocks.values_of(kind, bytes(tensors[name + '.elements'].values))
        if name + '.multiplier' in tensors:
            factor, = struct.unpack('<f', bytes(tensors[name + '.multiplier'].values))
            values = [factor * value for value in values]
        expected = tensors[name + '.values'].values
        assert len(values) == len(expected) and all(abs(a - b) <= 4e-7 * abs(b) + 1e-6 * (kind in ('Q4_1', 'Q5_1', 'Q4_K', 'Q5_K'))
                                                    * max(map(abs, expected)) for a, b in zip(values, expected)), kind
        compared += len(values)
    assert compared == 12 * 256 and metadata, compared


def mixtures():
    """A fused tensor, factors, and a shared expert of other types than the routed ones; gate and up of different formats but one type."""
    fused = Blocks('Q4_K', 'Q8_0', 32, fused=True)
    fused_floats = Blocks('BF16', 'F16', 10, fused=True)
    factors = Blocks('NVFP4', 'NVFP4', 64, factors=True)
    fused_factors = Blocks('Q8_0', 'Q5_0', 32, fused=True, factors=True)
    one_type = Blocks('Q8_0', 'Q6_K', 256)
    one_type.add_blocks('ffn_up_exps.weight', 'Q5_0', [E, 256, D])
    layers, x = [fused, fused_floats, factors, fused_factors, one_type], x_of_blocks(2)
    file = write_layers('mixtures.gguf', 'qwen3moe', layers)
    shared = [Blocks('Q4_K', 'Q5_1', 32, shared=('Q8_0', 'F16')), Blocks('F16', 'Q4_0', 32, shared=('F32', 'IQ4_NL'))]
    with_shared = write_layers('shared.gguf', 'deepseek2', shared)
    found = run_all_on([file], range(len(layers)), x)
    found.update(run_all_on([with_shared], range(len(shared)), x))
    for source, some in ((file, layers), (with_shared, shared)):
        for number, layer in enumerate(some):
            compare(found[source, number][0], [layer.forward(row) for row in x], '%s, layer %d' % (source, number))


def written():
    """--write keeps the types, and the layer file gives the same bits."""
    layer, x = Blocks('Q4_K', 'MXFP4', 32), x_of_blocks(2)
    file = write_layers('write.gguf', 'qwen3moe', [layer])
    run('--checkpoint', file, '--layer', '0', '--x', write_x(x), '--out', path_of('first.safetensors'), '--write',
        path_of('layer.safetensors'))
    run('--out', path_of('second.safetensors'), path_of('layer.safetensors'))
    first, second = (tensor_file.read(path_of(name + '.safetensors'))[0]['y'].values for name in ('first', 'second'))
    assert first == second
    metadata = tensor_file.read(path_of('layer.safetensors'))[1]
    assert metadata['experts.w1.type'] == 'q4_k' and metadata['experts.w2.type'] == 'mxfp4', metadata


# ---- --check

def without_bias(tensors):
    """A golden layer whose router's bias is a weight: x gets a last element 1, which only the router looks at, and y one of 0."""
    def longer(tensor, last):
        rows = tensor.rows() if len(tensor.shape) == 2 else [row for at in range(tensor.shape[0]) for row in
                                                             Tensor('F32', tensor.shape[1:], tensor.rows()[at]).rows()]
        return Tensor(tensor.dtype, tensor.shape[:-1] + [tensor.shape[-1] + 1], sum((row + [end] for row, end in zip(rows, last)), []))
    zeros = [0.0] * 10 ** 5
    bias = tensors['router.bias'].values
    out = {**tensors, 'x': longer(tensors['x'], [1.0] * len(zeros)), 'expected.y': longer(tensors['expected.y'], zeros),
           'router.weight': longer(tensors['router.weight'], bias)}
    for name in tensors:
        if name[-3:] in ('.w1', '.w3'):
            out[name] = longer(tensors[name], zeros)
        elif name[-3:] == '.w2':  # a row of zeros behind each matrix
            shape, columns = tensors[name].shape, tensors[name].shape[-1]
            count = shape[0] if len(shape) == 3 else 1
            size = len(tensors[name].values) // count
            values = [tensors[name].values[at * size:(at + 1) * size] + [0.0] * columns for at in range(count)]
            out[name] = Tensor('F32', shape[:-2] + [shape[-2] + 1, columns], sum(values, []))
    return out


def write_golden(name, architecture, **changes):
    """The layer as a GGUF file, the inputs and what is expected as another; eps."""
    tensors, metadata = tensor_file.read(os.path.join(HERE, '..', 'golden', name + '.safetensors'))
    tensors = without_bias(tensors)
    experts, width = tensors['router.weight'].shape
    sizes = {'embedding_length': width, 'expert_feed_forward_length': tensors['experts.w1'].shape[1], 'expert_count': experts,
             'expert_used_count': int(metadata['k']), 'expert_weights_scale': float(metadata['scale'])}
    names = {'router.weight': 'ffn_gate_inp.weight', 'router.selection_bias': 'exp_probs_b.bias', 'experts.w1': 'ffn_gate_exps.weight',
             'experts.w3': 'ffn_up_exps.weight', 'experts.w2': 'ffn_down_exps.weight', 'shared.w1': 'ffn_gate_shexp.weight',
             'shared.w3': 'ffn_up_shexp.weight', 'shared.w2': 'ffn_down_shexp.weight'}
    gguf_file.write(path_of(name + '.gguf'), gguf_models.metadata_of(architecture, **sizes, **changes),
                    {'blk.7.' + to: gguf_file.tensor('F32', tensors[of].shape, tensors[of].values)
                     for of, to in names.items() if of in tensors})
    expected = {key: one for key, one in tensors.items() if key == 'x' or key.startswith('expected.')}
    tensor_file.write(path_of(name + '.safetensors'), expected, {})
    wrong = Tensor('F32', tensors['x'].shape, [-value for value in tensors['x'].values])
    tensor_file.write(path_of(name + '.wrong.safetensors'), {**expected, 'x': wrong}, {})
    return metadata['eps']


def checked():
    """--check: against the expected results of --x's file, with the band that they are for."""
    for name, architecture, changes in (('many_experts', 'qwen3moe', {}),
                                        ('sigmoid_grouped', 'deepseek2', {'expert_group_count': 8, 'expert_group_used_count': 3,
                                                                          'expert_shared_count': 1})):
        eps = write_golden(name, architecture, **changes)
        arguments = ['--checkpoint', path_of(name + '.gguf'), '--layer', '7', '--eps', eps, '--check', '--x']
        output = run(*arguments, path_of(name + '.safetensors'))
        assert 'check         passed' in output, output
        output = run(*arguments, path_of(name + '.wrong.safetensors'), status=1)
        assert 'check         FAILED' in output, output


# ---- what is read of a file

def only_the_layer():
    """A layer that lies behind 5 GiB of other tensors: offsets need more than 32 bits, and nothing else is read."""
    model, layer, tensors = gguf_models.whole('gpt-oss', 'BF16')
    x, y = models.inputs(model, layer)
    metadata, far = gguf_models.metadata_of('gpt-oss'), 5 << 30
    ballast = gguf_file.Tensor('F32', [0], b'')
    ballast.shape = [far // 4]
    header, places = gguf_file.header_of(metadata, {**tensors, 'ballast': ballast})
    places = dict(zip(tensors, places))
    moved = {name: place + far for name, place in places.items()}
    header, _ = gguf_file.header_of(metadata, {'ballast': ballast, **tensors}, offsets=moved)
    with open(path_of('far.gguf'), 'wb') as file:
        file.write(header)
        for name, one in tensors.items():
            file.seek(len(header) + moved[name])
            file.write(one.data)
    if os.stat(path_of('far.gguf')).st_blocks * 512 > 1 << 30:
        os.remove(path_of('far.gguf'))
        raise tap.Skip('this file system has no sparse files')

    def read_so_far():  # by this process and the children it waited for
        with open('/proc/self/io', encoding='ascii') as file:
            return int(file.readline().split()[1])
    before = read_so_far() if os.path.exists('/proc/self/io') else None
    got = run_all_on([path_of('far.gguf')], (LAYER, models.OTHER), x)[path_of('far.gguf'), LAYER][0]
    compare(got, y, 'far')
    if before is not None:
        assert read_so_far() - before < 1 << 30, 'read %d bytes' % (read_so_far() - before)
    os.remove(path_of('far.gguf'))


def package():
    """A file that the package gguf wrote, and what it says that the weights are: make_gguf.py."""
    output = run('--checkpoint', os.path.join(HERE, 'package.gguf'), '--layer', '3', '--x', os.path.join(HERE, 'package.safetensors'),
                 '--check')
    assert 'check         passed' in output, output


# ---- what is refused

def refused(file, text, *options, layer=LAYER, warnings=0):
    """Exit status 2 and one line with the text."""
    done = subprocess.run([RUN, '--checkpoint', file, '--layer', str(layer), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True)
    said = 'exit status %d, stdout %r, stderr %r' % (done.returncode, done.stdout, done.stderr)
    assert done.returncode == 2 and done.stdout == '' and done.stderr.count('\n') == 1 + warnings, said
    assert text in done.stderr and done.stderr.startswith('smoe-run: '), 'no "%s": %s' % (text, said)


def settings():
    """Metadata against the tensors and against what smoe can do."""
    for architecture, changes, text in (
            ('qwen3moe', {'expert_count': 8}, 'metadata: qwen3moe.expert_count is "8", but the tensors of layer 1 have 6'),
            ('qwen3moe', {'embedding_length': 13}, 'qwen3moe.embedding_length is "13"'),
            ('qwen3moe', {'expert_feed_forward_length': -10 & 0xffffffff}, 'expert_feed_forward_length is "4294967286"'),
            ('qwen3moe', {'expert_used_count': None}, 'no metadata has qwen3moe.expert_used_count: --k and --activation'),
            ('qwen3moe', {'expert_used_count': 7}, 'a whole number from 1 to 6'),
            ('qwen3moe', {'expert_used_count': (gguf_file.INT8, -2)}, 'expert_used_count is "-2"'),
            ('qwen3moe', {'expert_used_count': 2.5}, 'expert_used_count is "2.5"'),
            ('qwen3moe', {'expert_used_count': [2, 3]}, 'metadata: qwen3moe.expert_used_count is null, or no string, number'),
            ('qwen3moe', {'expert_weights_norm': 1}, 'expert_weights_norm is "1", but must be true or false'),
            ('qwen3moe', {'expert_weights_scale': math.inf}, 'must be finite'),
            ('qwen3moe', {'expert_gating_func': 5}, 'expert_gating_func is "5", but must be 1 (softmax), 2 (sigmoid)'),
            ('qwen3moe', {'expert_group_count': 2, 'expert_group_used_count': 1}, 'groups of experts and a softmax'),
            ('qwen2moe', {'expert_shared_feed_forward_length': 8}, 'is "8", but the tensors of layer 1 have 7'),
            ('granitemoe', {'expert_shared_feed_forward_length': 8}, 'is "8", but the tensors of layer 1 have 0'),
            ('deepseek2', {'expert_shared_count': 0}, 'expert_shared_count is "0", but layer 1 has a shared expert'),
            ('deepseek2', {'expert_gating_func': None}, 'expert_gating_func is missing, and layer 1 has a selection bias'),
            ('deepseek2', {'expert_gating_func': 3}, 'expert_gating_func is "3"'),
            ('glm4moe', {'expert_gating_func': 'sigmoid'}, 'expert_gating_func is "sigmoid"'),
            ('deepseek2', {'expert_group_count': 5}, 'metadata: expert_group_count is 5, which does not divide the 12 experts'),
            ('deepseek2', {'expert_group_used_count': 5}, 'expert_group_used_count is 5, but'),
            ('glm4moe', {'expert_shared_count': 'two'}, 'expert_shared_count is "two"')):
        _, _, tensors = gguf_models.whole(architecture, 'F32')
        gguf_file.write(path_of('settings.gguf'), gguf_models.metadata_of(architecture, **changes), tensors)
        refused(path_of('settings.gguf'), text)
    _, _, tensors = gguf_models.whole('qwen3moe', 'F32')
    metadata = gguf_models.metadata_of('qwen3moe')
    for value, text in (('bert', 'general.architecture is "bert"; smoe knows llama, qwen3moe'), (None, 'general.architecture is missing')):
        changed = {**metadata, 'general.architecture': value} if value else \
            {key: one for key, one in metadata.items() if key != 'general.architecture'}
        gguf_file.write(path_of('settings.gguf'), changed, tensors)
        refused(path_of('settings.gguf'), text)
    gguf_file.write(path_of('settings.gguf'), metadata, tensors)
    refused(path_of('settings.gguf'), 'layer 0 has no experts of format qwen3moe', layer=0)
    refused(path_of('settings.gguf'), 'needs --x FILE with the expected results', '--check')


def others():
    """Settings of other values than an architecture's own are obeyed."""
    model, layer, tensors = gguf_models.whole('qwen3moe', 'F32')
    x, _ = models.inputs(model, layer)
    changes = {'sum': {'expert_weights_norm': False}, 'scaled': {'expert_weights_scale': 0.5}, 'scores': {'expert_gating_func': 2},
               'chosen': {'expert_gating_func': 3, 'expert_weights_norm': False}, 'roots': {'expert_gating_func': 4}}
    says = {'sum': ' not renormalized', 'scaled': 'scale 0.5', 'scores': 'linear, sigmoid', 'chosen': ', renormalized',
            'roots': 'linear, sqrt_softplus'}
    for name, change in changes.items():
        gguf_file.write(path_of(name + '.gguf'), gguf_models.metadata_of('qwen3moe', **change), tensors)
    found = run_all_on([path_of(name + '.gguf') for name in changes], (LAYER,), x)
    for name in changes:
        output = found[path_of(name + '.gguf'), LAYER][1]
        assert says[name] in output, output


def tensors():
    """Tensors that are missing, of other shapes, or of types that are not read; others are told of by name."""
    def changed(architecture, name, new, **options):
        _, _, tensors = gguf_models.whole(architecture, 'F32')
        name = 'blk.%d.%s' % (LAYER, name)
        if new is None:
            del tensors[name]
        else:
            tensors[name] = new
        gguf_file.write(path_of('tensors.gguf'), gguf_models.metadata_of(architecture), tensors, **options)
        return path_of('tensors.gguf')

    def zeros(kind, *shape):
        number, columns, size = gguf_file.TYPES[kind]
        return gguf_file.Tensor(kind, shape, bytes(math.prod(shape) // columns * size))
    blocks = ('ffn_gate_exps.weight', zeros('Q8_0', 6, 10, 32))
    for architecture, name, new, text in (
            ('qwen3moe', 'ffn_gate_exps.weight', None, 'blk.1.ffn_gate_exps.weight is missing from layer 1 of format qwen3moe'),
            ('qwen3moe', 'ffn_up_exps.weight', None, 'blk.1.ffn_up_exps.weight is missing'),
            ('glm4moe', 'exp_probs_b.bias', None, 'exp_probs_b.bias is missing'),
            ('gpt-oss', 'ffn_down_exps.bias', None, 'ffn_down_exps.bias is missing'),
            ('qwen2moe', 'ffn_gate_inp_shexp.weight', None, 'ffn_gate_inp_shexp.weight is missing'),
            ('qwen2moe', 'ffn_down_shexp.weight', None, 'ffn_down_shexp.weight is missing'),
            ('qwen3moe', 'ffn_down_exps.weight', zeros('F32', 6, 10, 12), 'is [6,10,12], but the other tensors ask for [6,12,10]'),
            ('qwen3moe', 'ffn_up_exps.weight', zeros('F32', 6, 120), 'is [1,6,120], but the other tensors ask for [6,10,12]'),
            ('qwen3moe', 'ffn_up_exps.weight', zeros('Q4_0', 6, 10, 32), 'blk.1.ffn_up_exps.weight is Q4_0, but'),
            ('qwen3moe', *blocks, 'blk.1.ffn_gate_exps.weight is [6,10,32], but the other tensors ask for [6,10,12]'),
            ('qwen3moe', 'ffn_gate_exps.weight', zeros('Q2_K', 6, 10, 256), 'is Q2_K, but must be F32, F16, BF16, Q8_0, Q4_0, Q4_1'),
            ('qwen3moe', 'ffn_gate_inp.weight', zeros('Q8_0', 6, 32), 'ffn_gate_inp.weight is Q8_0, but must be F32, F16 or BF16'),
            ('qwen3moe', 'ffn_gate_inp.weight', zeros('I8', 6, 12), 'ffn_gate_inp.weight is I8, but must be F32, F16 or BF16'),
            ('qwen3moe', 'ffn_gate_exps.weight', gguf_file.Tensor(77, [6, 10, 12], b''), 'is an unknown type, but must be F32'),
            ('qwen3moe', 'ffn_up_exps.scale', zeros('F32', 6), 'ffn_up_exps.weight is F32, but has a tensor .scale'),
            ('qwen3moe', 'ffn_down_exps.weight', zeros('F32', 6, 12, 10, 1), 'is [6,12,10,1]')):
        refused(changed(architecture, name, new), text)
    layer = Blocks('Q4_K', 'Q8_0', 32)
    layer.add('ffn_gate_exps.scale', 'F32', [E], [1.0] * E)
    refused(write_layers('factors.gguf', 'qwen3moe', [layer]), 'source.multiplier must be NULL for Q4_K', layer=0)
    for name in ('ffn_gate_up_exps.scale', 'ffn_gate_exps.scale'):
        layer.add(name, 'F32', [E], [1.0] * E)
    refused(write_layers('factors.gguf', 'qwen3moe', [layer]), 'layer 0 has both ffn_gate_up_exps.scale and ffn_gate_exps.scale', layer=0)
    layer = Blocks('Q4_K', 'Q8_0', 32)
    layer.add_blocks('ffn_up_exps.weight', 'Q6_K', [E, 32, D])
    refused(write_layers('mixed.gguf', 'qwen3moe', [layer]),
            'blk.0.ffn_up_exps.weight is Q6_K, but blk.0.ffn_gate_exps.weight is Q4_K: no type of weights holds both', layer=0)
    _, messages = tap.outputs(RUN, '--checkpoint', changed('qwen3moe', 'ffn_gate_up_exps.bias', zeros('F32', 6, 20)), '--layer', str(LAYER))
    assert 'blk.1.ffn_gate_up_exps.bias is not read: format qwen3moe has no such part' in messages, messages
    assert messages.count('\n') == 1, messages
    for architecture, name, text in (('granitehybrid', 'ffn_gate_exps.weight', 'is not read beside ffn_gate_up_exps.weight'),
                                     ('llama', 'ffn_down_shexp.weight', 'is not read: format llama has no such part')):
        _, messages = tap.outputs(RUN, '--checkpoint', changed(architecture, name, zeros('F32', 6, 10, 12)), '--layer', str(LAYER))
        assert 'blk.1.%s %s' % (name, text) in messages and messages.count('\n') == 1, messages


def one_expert():
    """Lengths of 1 that a file leaves out, or has besides, are no other shape."""
    model, layer, tensors = gguf_models.whole('qwen2moe', 'F32')
    x, y = models.inputs(model, layer)
    name = 'blk.%d.ffn_gate_inp_shexp.weight' % LAYER
    tensors[name].shape = [1, model.D]
    gguf_file.write(path_of('one.gguf'), gguf_models.metadata_of('qwen2moe'), tensors)
    compare(run_all_on([path_of('one.gguf')], (LAYER, models.OTHER), x)[path_of('one.gguf'), LAYER][0], y, 'one')


def parts():
    """Split files: a part that is missing, of another place, or that has a tensor twice."""
    _, _, tensors = gguf_models.whole('qwen3moe', 'F32')
    metadata = gguf_models.metadata_of('qwen3moe')

    def split(name='parts'):
        return gguf_file.write_parts(path_of(name), metadata, tensors, 3)
    paths = split()
    os.remove(paths[1])
    refused(paths[0], 'parts-00002-of-00003.gguf: cannot be opened')
    paths = split()
    os.replace(paths[2], paths[1])
    refused(paths[0], 'parts-00002-of-00003.gguf: metadata split.no is "2", but must be 1')
    paths = split()
    os.rename(paths[0], path_of('alone.gguf'))
    refused(path_of('alone.gguf'), 'metadata split.count is "3", but must be 1')
    name = next(iter(tensors))
    for change, text in (({'split.tensors.count': 99}, 'split.tensors.count is "99", but must be'),
                         ({}, 'tensor "%s" is in both parts-00001-of-00003.gguf and parts-00002' % name)):
        paths = split()
        some = {**dict(list(tensors.items())[1::3]), **({} if change else {name: tensors[name]})}
        gguf_file.write(paths[1], {'split.no': 1, 'split.count': 3}, some)
        gguf_file.write(paths[0], {**metadata, 'split.no': 0, 'split.count': 3, **change}, dict(list(tensors.items())[0::3]))
        refused(paths[2], text)


def container():
    """What is no GGUF file, or one of another time or machine."""
    _, _, tensors = gguf_models.whole('qwen3moe', 'F32')
    good = gguf_file.file_of(gguf_models.metadata_of('qwen3moe'), tensors)

    def told(data, text):
        with open(path_of('container.gguf'), 'wb') as file:
            file.write(data)
        refused(path_of('container.gguf'), text)
    told(b'', 'GGUF: the file ends after 0 bytes')
    told(b'PK' + good[2:], 'not a GGUF file')
    told(good[:4] + struct.pack('<I', 1) + good[8:], 'GGUF version 1, must be 2 or 3')
    told(good[:4] + struct.pack('>I', 3) + good[8:], 'big-endian')
    told(good[:-32], 'ends behind the file')
    refused(path_of('none.gguf'), 'cannot be opened')
    with open(path_of('gguf.safetensors'), 'wb') as file:
        file.write(good)
    done = subprocess.run([RUN, path_of('gguf.safetensors')], stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 2 and 'a GGUF file, which is read as a checkpoint where its name ends in .gguf' in done.stderr, done.stderr


ARCHITECTURE_TESTS = [('%s, %s' % case, lambda case=case: architecture_is_read(*case)) for case in CASES]
TYPE_TESTS = [('%s and %s' % pair[:2], lambda pair=pair: types_are_read(pair)) for pair in PAIRS]
print('# seed %d' % SEED)
tap.run(ARCHITECTURE_TESTS + [every_architecture, decoders] + TYPE_TESTS +
        [mixtures, written, checked, only_the_layer, package, settings, others, tensors, one_expert, parts, container])
