"""smoe-run --checkpoint: every format, single files and shards, in every type, against the models' definitions; and what it refuses."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models
import tap
from models import LAYER, tensor_file
from models_fused import MODELS, DeepseekV4, Qwen3VL, Step
from tensor_file import Tensor

RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
scratch = tempfile.TemporaryDirectory()


def path_of(*names):
    return os.path.join(scratch.name, *names)


def new_folder(name='folder'):
    shutil.rmtree(path_of(name), ignore_errors=True)
    return path_of(name)


def run(*arguments, status=0):
    return tap.command(RUN, *DEVICE, *arguments, status=status)


def compare(y, expected, allowed, what):
    got, largest = y.rows(), max(abs(value) for row in expected for value in row)
    assert len(got) == len(expected), '%s: %d tokens, expected %d' % (what, len(got), len(expected))
    worst = max(abs(a - b) for left, right in zip(got, expected) for a, b in zip(left, right))
    assert worst <= allowed * largest, '%s: y is off by %g of %g' % (what, worst, largest)


def write_x(x):
    tensor_file.write(path_of('x.safetensors'), {'x': Tensor('F32', [len(x), len(x[0])], sum(x, []))}, {})
    return path_of('x.safetensors')


def run_all_on(sources, x, *options, layers=(LAYER,)):
    """One process for several checkpoints, as what it does before and beside a layer is most of the time: y, the output and the layer that
    --write wrote, for each layer of each source in turn."""
    folder = tempfile.mkdtemp(dir=scratch.name)
    output = run(*(argument for source in sources for argument in ('--checkpoint', source)), '--layer', ','.join(map(str, layers)), '--x',
                 write_x(x), '--out', folder, '--write', folder, *options)
    found = []
    for source, part in zip([(source, layer) for source in sources for layer in layers], ('\n' + output).split('\nfile ')[1:]):
        assert part.startswith(' ' * 9 + '%s, layer %d\n' % source), part
        stem = os.path.join(folder, os.path.basename(source[0]).replace('.safetensors', ''))
        stem += '.%d' % source[1]
        found.append((tensor_file.read(stem + '.out.safetensors')[0]['y'], part, stem + '.layer.safetensors'))
    assert len(found) == len(sources) * len(layers), output
    return found


def run_on(source, x, *options, layer=LAYER):
    """y and the output."""
    output = run('--checkpoint', source, '--layer', str(layer), '--x', write_x(x), '--out', path_of('out.safetensors'), *options)
    return tensor_file.read(path_of('out.safetensors'))[0]['y'], output


# ---- what is read

CASES = [(kind, dtype, shards) for number, kind in enumerate(MODELS)
         for dtype, shards in (('F32', 1), ('BF16', 3), ('F16', 1 + number % 2))]


@tap.once
def read_all():
    """{case: (y, expected y, output, the layer file, y of the layer file)}, with the same inputs for all."""
    layers, folders, found = [], {}, {}
    for kind, dtype, shards in CASES:
        model = kind()
        layer, tensors = models.all_tensors(model, dtype)
        folders[kind, dtype, shards] = new_folder('%s-%s' % (kind.__name__, dtype))
        models.write_folder(folders[kind, dtype, shards], tensors, model.config(), shards)
        layers.append((model, layer))
    x, y = models.inputs_of_all(layers)
    for options in sorted({model.options for model, _ in layers}):
        cases = [case for case, (model, _) in zip(CASES, layers) if model.options == options]
        found.update(zip(cases, run_all_on([folders[case] for case in cases], x, '--validate', *options)))
    again = new_folder('again')
    os.mkdir(again)
    files = [found[case][2] for case in CASES if case[1] == 'BF16']
    run('--out', again, *files)
    result = {}
    for case, expected in zip(CASES, y):
        got, output, file = found[case]
        copied = os.path.join(again, os.path.basename(file).replace('.safetensors', '.out.safetensors'))
        result[case] = got, expected, output, file, tensor_file.read(copied)[0]['y'] if case[1] == 'BF16' else None
    return result


def format_is_read(kind, dtype, shards):
    got, expected, output, file, again = read_all()[kind, dtype, shards]
    compare(got, expected, 2e-5, kind.model_type)
    assert 'checkpoint    %s, layer %d\n' % (kind.model_type, LAYER) in output, output
    assert '%d tokens of tensor x' % len(expected) in output, output
    assert 'validation    0 messages' in output, output
    types = {'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16'}
    assert ' %s weights' % types[dtype] in output, output
    if dtype == 'BF16':  # the layer file is the same layer: the same bits come out
        assert again.values == got.values
    assert tensor_file.read(file)[0]['experts.w1'].dtype == dtype


def other_layer():
    """Layer 10 is another layer than 1, and counts as a number, not as text. Both in one run, in the order that is asked for."""
    model = models.Mixtral()
    layer, tensors = models.all_tensors(model, 'F32')
    x, expected = models.inputs_of_all([(model, models.draw(model, models.OTHER, 'F32')), (model, layer)])
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())
    for (got, _, _), y in zip(run_all_on([folder], x, layers=(models.OTHER, LAYER)), expected):
        compare(got, y, 2e-5, 'layers 10 and 1')
    compare(run_on(folder, x, layer=models.OTHER)[0], expected[0], 2e-5, 'layer 10')
    output = run('--checkpoint', folder, '--layer', '1,2', '--layer', '10', '--tokens', '3', status=2)
    assert 'layer 2 has no experts' in output and [part.split('\n')[0] for part in ('\n' + output).split('\nfile          ')[1:]] == \
        ['%s, layer %d' % (folder, layer) for layer in (1, 10)], output


def single_file():
    """A file by its own path, config.json beside it; Tutel's with k and activation in its metadata, and no prefix at all."""
    model = models.Qwen3()
    layer, tensors = models.all_tensors(model, 'BF16')
    x, y = models.inputs(model, layer)
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())
    os.rename(os.path.join(folder, 'model.safetensors'), os.path.join(folder, 'weights.of.qwen.safetensors'))
    compare(run_on(os.path.join(folder, 'weights.of.qwen.safetensors'), x)[0], y, 2e-5, 'by its path')
    model = models.TutelTop1()
    layer = models.draw(model, 0, 'F32')
    x, y = models.inputs(model, layer)
    bare = {name: tensor_file.tensor('F32', array.shape, array.values) for name, array in layer.items()}
    files = [path_of('tutel.safetensors'), path_of('renormalized.safetensors')]
    tensor_file.write(files[0], bare, {'k': '1', 'activation': 'relu'})
    tensor_file.write(files[1], bare, {'k': '1', 'activation': 'relu', 'renormalize': 'True'})
    (got, output, _), (_, renormalized, _) = run_all_on(files, x, layers=(0,))
    compare(got, y, 2e-5, 'Tutel')
    assert 'not renormalized' in output, output
    assert ' renormalized' in renormalized.replace('not renormalized', ''), renormalized


def other_prefix():
    """A base model without its head has no "model." before its layers; a model of several parts has more."""
    model = models.Mixtral()
    layer, tensors = models.all_tensors(model, 'F32')
    x, y = models.inputs(model, layer)
    prefixes = ('', 'model.language_model.', 'language_model.model.')
    folders = [new_folder('prefix%d' % number) for number in range(len(prefixes))]
    for prefix, folder in zip(prefixes, folders):
        models.write_folder(folder, {name.replace('model.', prefix, 1): tensor for name, tensor in tensors.items()}, model.config())
    for prefix, (got, _, _) in zip(prefixes, run_all_on(folders, x)):
        compare(got, y, 2e-5, prefix)


def mixed_types():
    """w1 and w3 of several types become float32, and w2 keeps its own; a float32 router does not change the others' type."""
    model = models.Qwen2()
    layer, tensors = models.all_tensors(model, 'BF16')
    x, y = models.inputs(model, layer)
    name = model.prefix(LAYER) + 'mlp.experts.3.up_proj.weight'
    values = layer['mlp.experts.3.up_proj.weight'].values
    folders = [new_folder('mixed'), new_folder('router')]
    models.write_folder(folders[0], {**tensors, name: tensor_file.tensor('F32', tensors[name].shape, values)}, model.config())
    name = model.prefix(LAYER) + 'mlp.gate.weight'
    models.write_folder(folders[1], {**tensors, name: tensor_file.tensor('F32', tensors[name].shape, layer['mlp.gate.weight'].values)},
                        model.config())
    for kind, (got, output, _) in zip(('float32 up, bfloat16 down', 'bfloat16'), run_all_on(folders, x)):
        compare(got, y, 2e-5, kind)
        assert ' %s weights' % kind in output, output


def float16_values():
    """Subnormals, infinities and the largest float16 survive the way to float32: the router's bits show it."""
    model = models.Mixtral()
    layer, tensors = models.all_tensors(model, 'F16')
    words = [0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff, 0x0000, 0x8000, 0x3c01, 0xb555, 0x0200, 0x7c00]
    name = model.prefix(LAYER) + model.router
    tensors[name].values[:len(words)] = words
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())
    run('--checkpoint', folder, '--layer', str(LAYER), '--write', path_of('layer.safetensors'))
    got = tensor_file.read(path_of('layer.safetensors'))[0]['router.weight'].values[:len(words)]
    want = [tensor_file.value_of('F16', word) for word in words]
    assert [struct.pack('<f', value) for value in got] == [struct.pack('<f', value) for value in want], '%s, not %s' % (got, want)


def far_offsets():
    """A layer that lies behind 5 GiB of other tensors: offsets need more than 32 bits, and nothing else is read."""
    model = models.GptOss()
    layer, tensors = models.all_tensors(model, 'BF16')
    x, y = models.inputs(model, layer)
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())
    source, ballast = os.path.join(folder, 'model.safetensors'), 5 << 30
    with open(source, 'rb') as file:
        data = file.read()
    size, = struct.unpack('<Q', data[:8])
    header = json.loads(data[8:8 + size])
    for name, entry in header.items():
        if name != '__metadata__':
            entry['data_offsets'] = [offset + ballast for offset in entry['data_offsets']]
    header['ballast'] = {'dtype': 'F32', 'shape': [ballast // 4], 'data_offsets': [0, ballast]}
    text = json.dumps(header).encode()
    with open(source, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        file.seek(8 + len(text) + ballast)
        file.write(data[8 + size:])
    if os.stat(source).st_blocks * 512 > 1 << 30:
        os.remove(source)
        raise tap.Skip('this file system has no sparse files')

    def read_so_far():  # by this process and the children it waited for
        with open('/proc/self/io', encoding='ascii') as file:
            return int(file.readline().split()[1])
    before = read_so_far() if os.path.exists('/proc/self/io') else None
    got, _ = run_on(folder, x)
    compare(got, y, 2e-5, 'far')
    if before is not None:
        assert read_so_far() - before < 1 << 30, 'read %d bytes' % (read_so_far() - before)
    shutil.rmtree(folder)


def random_inputs():
    """Without --x: as many normal random numbers as asked for, the same ones for the same seed."""
    model = models.Mixtral()
    _, tensors = models.all_tensors(model, 'F32')
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())

    def x_of(*options):
        output = run('--checkpoint', folder, '--layer', '1', '--write', path_of('layer.safetensors'), *options)
        return output, tensor_file.read(path_of('layer.safetensors'))[0]['x']
    output, x = x_of()
    assert '64 tokens of normal random numbers, seed 1' in output and x.shape == [64, model.D], output
    assert x_of('--seed', '1')[1].values == x.values and x_of('--seed', '2')[1].values != x.values
    output, x = x_of('--tokens', '4001', '--seed', '7')
    assert '4001 tokens of normal random numbers, seed 7' in output
    n = len(x.values)
    mean, square = sum(x.values) / n, sum(v * v for v in x.values) / n
    inside = sum(abs(v) < 1.0 for v in x.values) / n  # 0.6827; five standard errors each
    assert abs(mean) < 5 / n ** 0.5 and abs(square - 1) < 5 * (2 / n) ** 0.5 and abs(inside - 0.682689) < 5 * (0.2166 / n) ** 0.5, \
        (mean, square, inside)


def calibration():
    """--calibrate: the eps it prints gives the mean it prints, by the report of a run with that eps."""
    model = models.Qwen3()
    _, tensors = models.all_tensors(model, 'F32')
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())
    arguments = ('--checkpoint', folder, '--layer', '1', '--tokens', '200', '--out', path_of('out.safetensors'))
    for wanted in (0.0, 0.1, 0.5, 2.0):
        lines = {line.split()[0]: line for line in run('--calibrate', str(wanted), *arguments).splitlines()}
        eps, extra = float(lines['calibration'].split()[2].rstrip(':')), float(lines['calibration'].split()[3])
        active = tensor_file.read(path_of('out.safetensors'))[0]['report.active'].values
        assert extra <= wanted and abs(sum(active) / 200 - model.K - extra) < 1e-6, (wanted, lines['calibration'], sum(active) / 200)
        assert wanted - extra < 0.006, lines['calibration']  # no two of 200 tokens have the same distance
        run('--eps', repr(eps), *arguments)
        assert tensor_file.read(path_of('out.safetensors'))[0]['report.active'].values == active


# ---- what is refused

def refused(*arguments, text=''):
    """Exit status 2 and one line with the text."""
    done = subprocess.run([RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    said = '%s: exit status %d, stdout %r, stderr %r' % (' '.join(arguments), done.returncode, done.stdout, done.stderr)
    assert done.returncode == 2 and done.stdout == '' and done.stderr.count('\n') == 1, said
    assert text in done.stderr and done.stderr.startswith('smoe-run: '), 'no "%s": %s' % (text, said)


def layer_refused(folder, text, *options, layer=LAYER):
    refused('--checkpoint', folder, '--layer', str(layer), *options, text=text)


def layers():
    model = models.Mixtral()
    _, tensors = models.all_tensors(model, 'F32')
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())
    for layer in (models.DENSE, 2, 11):
        layer_refused(folder, 'layer %d has no experts' % layer, layer=layer)
        layer_refused(folder, 'layers with experts: 1, 10', layer=layer)
    both = {name.replace('model.layers', 'draft.layers'): tensor for name, tensor in tensors.items()}
    models.write_folder(folder, {**tensors, **both}, model.config())
    layer_refused(folder, 'two blocks have that number')


def folders():
    model = models.Mixtral()
    _, tensors = models.all_tensors(model, 'F32')
    folder = new_folder()
    layer_refused(folder, 'no folder with model.safetensors or model.safetensors.index.json in it; smoe downloads no model')
    models.write_folder(folder, tensors, None)
    layer_refused(folder, 'there is no config.json')
    for text, expected in (('', 'has 0 bytes, must have 1 to '), ('{', 'not valid JSON'), ('[]', 'not an object'), ('{}', 'no model_type'),
                           ('version https://git-lfs.github.com/spec/v1\n', 'not valid JSON: a pointer of git-lfs'),
                           ('{"model_type": null}', 'no model_type'), ('{"model_type": "mixtral"} x', 'something follows'),
                           ('{"model_type": "mixtral", "x": [0.0, inf]}', 'the value of "x": a value is neither'),
                           ('{"model_type": "mixtral", "model_type": "olmoe"}', 'two members'),
                           ('{"model_type": "llama", "time_step_limit": [0.0, Infinity, -Infinity, NaN]}', 'model_type is "llama"'),
                           ('{"model_type": "llama"}', 'model_type is "llama", none of those in docs/checkpoints.md'),
                           ('{"model_type": "tutel"}', 'model_type is "tutel"')):
        with open(os.path.join(folder, 'config.json'), 'w', encoding='utf-8') as file:
            file.write(text)
        layer_refused(folder, expected)
    refused('--checkpoint', os.path.join(folder, 'none.safetensors'), '--layer', '1', text='cannot be opened')
    os.remove(os.path.join(folder, 'config.json'))
    os.mkdir(os.path.join(folder, 'config.json'))
    layer_refused(folder, 'config.json: cannot be opened: Is a directory')


def shards():
    model = models.Mixtral()
    _, tensors = models.all_tensors(model, 'F32')
    folder = new_folder()
    models.write_folder(folder, tensors, model.config(), 3)
    with open(os.path.join(folder, 'model.safetensors.index.json'), encoding='utf-8') as file:
        where = json.load(file)['weight_map']
    name = model.prefix(LAYER) + 'block_sparse_moe.experts.2.w3.weight'
    for value in ('../model-00001-of-00003.safetensors', '/etc/passwd', '..', '.', '', 'a/', 'a//b.safetensors', 'a/../b.safetensors',
                  'a\\b.safetensors', 'c:x'):
        models.write_index(folder, {**where, name: value})
        layer_refused(folder, 'not the name of a file within this folder')
    for value in (3, ['x'], None):
        models.write_index(folder, {**where, name: value})
        layer_refused(folder, 'must map names to file names')
    models.write_index(folder, {**where, name: next(file for file in where.values() if file != where[name])})
    layer_refused(folder, 'is not here, where the index has it')
    models.write_index(folder, {key: file for key, file in where.items() if key != name})
    layer_refused(folder, 'experts.2.w3.weight is missing')
    models.write_index(folder, where)
    os.remove(os.path.join(folder, where[name]))
    layer_refused(folder, where[name] + ': cannot be opened: No such file or directory')
    os.mkfifo(os.path.join(folder, where[name]))
    layer_refused(folder, where[name] + ': cannot be opened: Is no regular file')
    os.remove(os.path.join(folder, where[name]))
    with open(os.path.join(folder, where[name]), 'wb') as file:
        file.write(b'version https://git-lfs.github.com/spec/v1\n')
    layer_refused(folder, where[name])
    for text, expected in (('{}', 'no member "weight_map"'), ('{"weight_map": []}', 'weight_map is not valid JSON'),
                           ('{"weight_map": {}, "x": NaN}', 'not valid JSON: the value of "x"'),
                           ('{"weight_map": {"a": "b", "a": "c"}}', 'two members'), ('{"weight_map": {}, "weight_map": {}}', 'two members'),
                           ('{"weight_map": {}}', 'layers with experts: none')):
        with open(os.path.join(folder, 'model.safetensors.index.json'), 'w', encoding='utf-8') as file:
            file.write(text)
        layer_refused(folder, expected)


def shards_without_an_index():
    """The first shard's name tells how many there are; a folder within the folder has shards too, where an index says so."""
    model = models.Mixtral()
    layer, tensors = models.all_tensors(model, 'F32')
    x, y = models.inputs(model, layer)
    folders = [new_folder('no-index'), new_folder('inner')]
    for folder in folders:
        models.write_folder(folder, tensors, model.config(), 3)
    index = os.path.join(folders[1], 'model.safetensors.index.json')
    with open(index, encoding='utf-8') as file:
        where = json.load(file)['weight_map']
    os.mkdir(os.path.join(folders[1], 'a'))
    for name in set(where.values()):
        os.rename(os.path.join(folders[1], name), os.path.join(folders[1], 'a', name))
    models.write_index(folders[1], {name: 'a/' + file for name, file in where.items()})
    os.remove(os.path.join(folders[0], 'model.safetensors.index.json'))
    for folder, (got, _, _) in zip(folders, run_all_on(folders, x)):
        compare(got, y, 2e-5, folder)
    names = [os.path.join(folders[0], 'model-0000%d-of-00003.safetensors' % number) for number in (1, 2)]
    shutil.copy(*names)
    layer_refused(folders[0], 'is in both model-0000')
    os.remove(names[1])
    layer_refused(folders[0], 'model-00002-of-00003.safetensors: cannot be opened')


def tensors():
    """Missing, misshapen, quantised and superfluous tensors."""
    for kind, name, change, text in (
            (models.Mixtral, 'block_sparse_moe.experts.5.w2.weight', None, 'experts.5.w2.weight is missing from layer 1 of format mixtral'),
            (models.Mixtral, 'block_sparse_moe.experts.6.w1.weight', ('F32', (10, 12)), 'the router has 6 experts'),
            (models.Mixtral, 'block_sparse_moe.experts.1.w1.weight', ('F32', (12, 10)),
             'is [12,10], but the other tensors ask for [10,12]'),
            (models.Mixtral, 'block_sparse_moe.experts.1.w1.weight', ('F32', (120,)), 'is [120], but'),
            (models.Mixtral, 'block_sparse_moe.gate.weight', ('F32', (6, 12, 1)), 'is [6,12,1], but'),
            (models.Mixtral, 'block_sparse_moe.gate.weight', ('F32', (6, 12, 1, 1, 1)), 'is [6,12,1,1,...], but'),
            (models.Mixtral, 'block_sparse_moe.experts.1.w1.weight', ('F32', (1, 1, 1, 1, 10, 12)), 'is [1,1,1,1,...], but'),
            (models.Granite, 'block_sparse_moe.input_linear.weight', ('F32', (6, 20, 12, 1)), 'input_linear.weight is [6,20,12,1]'),
            (models.Mixtral, 'block_sparse_moe.gate.weight', ('F32', ()), 'is [], but'),
            (models.Mixtral, 'block_sparse_moe.gate.weight', ('F32', (0, 12)), 'is [0,12], but must have elements'),
            (models.Mixtral, 'block_sparse_moe.gate.weight', ('F32', (1025, 12)), 'smoe takes 1024 at most'),
            (models.Mixtral, 'block_sparse_moe.experts.1.w1.weight', ('F8_E4M3', (10, 12)), 'is F8_E4M3, a type of quantised weights, but'),
            (models.Mixtral, 'block_sparse_moe.experts.1.w1.weight', ('F64', (10, 12)), 'is F64, but must be F32, F16 or BF16'),
            (models.Granite, 'block_sparse_moe.input_linear.weight', ('F32', (6, 21, 12)), 'input_linear.weight is [6,21,12]'),
            (models.GptOss, 'mlp.experts.gate_up_proj', ('F32', (6, 20, 12)), 'gate_up_proj is [6,20,12]'),
            (models.GptOss, 'mlp.experts.down_proj_bias', None, 'down_proj_bias is missing'),
            (models.Qwen2, 'mlp.shared_expert_gate.weight', None, 'shared_expert_gate.weight is missing'),
            (models.Qwen2, 'mlp.shared_expert_gate.weight', ('F32', (2, 12)), 'shared_expert_gate.weight is [2,12]'),
            (models.DeepseekV3, 'mlp.shared_experts.down_proj.weight', None, 'shared_experts.down_proj.weight is missing'),
            (models.DeepseekV3, 'mlp.gate.e_score_correction_bias', ('F32', (11,)), 'e_score_correction_bias is [11]')):
        model = kind()
        _, all_tensors = models.all_tensors(model, 'F32')
        name = model.prefix(LAYER) + name
        if change:
            count = 1
            for length in change[1]:
                count *= length
            all_tensors[name] = Tensor(change[0], list(change[1]), [0] * count)
        else:
            del all_tensors[name]
        folder = new_folder()
        models.write_folder(folder, all_tensors, model.config())
        layer_refused(folder, text)
    for kind, name, endings in ((models.GptOss, 'mlp.experts.gate_up_proj', ('_blocks', '_scales')),
                                (models.Mixtral, 'block_sparse_moe.experts.0.w1.weight', ('_packed', '_scale'))):
        model = kind()
        _, all_tensors = models.all_tensors(model, 'BF16')
        del all_tensors[model.prefix(LAYER) + name]
        for ending in endings:
            all_tensors[model.prefix(LAYER) + name + ending] = Tensor('U8', [6, 4], [0] * 24)
        folder = new_folder()
        models.write_folder(folder, all_tensors, model.config())
        layer_refused(folder, endings[0] + ' is there: quantised')


def promised_parts():
    """What the format or config.json promises is there; what stands there and is not read is told by name."""
    model = models.DeepseekV3()
    shared = [model.prefix(LAYER) + name for name in model.shapes() if 'shared_experts' in name]
    bias = model.prefix(LAYER) + 'mlp.gate.e_score_correction_bias'
    for gone, text in (((bias,), 'e_score_correction_bias is missing'),
                       (shared, 'n_shared_experts is "2", but layer 1 has no shared expert')):
        _, tensors = models.all_tensors(model, 'F32')
        for name in gone:
            del tensors[name]
        folder = new_folder()
        models.write_folder(folder, tensors, model.config())
        layer_refused(folder, text)
    for count, text in ((1, 'is "1"'), ('default', 'is "1"'), (0, None), (None, None)):
        _, tensors = models.all_tensors(model, 'F32')
        for name in shared:
            del tensors[name]
        config = {**model.config(), 'n_shared_experts': count}
        if count == 'default':
            del config['n_shared_experts']
        folder = new_folder()
        models.write_folder(folder, tensors, config)
        if text:
            layer_refused(folder, 'n_shared_experts %s, but layer 1 has no shared expert' % text)
        else:
            tap.command(RUN, '--checkpoint', folder, '--layer', str(LAYER), '--tokens', '4')
    _, tensors = models.all_tensors(model, 'F32')
    gate, = [name for name in shared if 'gate_proj' in name]
    del tensors[gate]
    folder = new_folder()
    models.write_folder(folder, tensors, {**model.config(), 'n_shared_experts': 0})
    _, messages = tap.outputs(RUN, '--checkpoint', folder, '--layer', str(LAYER), '--tokens', '4')
    assert messages.count('is not read without mlp.shared_experts.gate_proj.weight') == 2, messages
    model = models.Qwen3()
    _, tensors = models.all_tensors(model, 'F32')
    for name in ['mlp.bias', 'other.bias'] + ['mlp.experts.%d.scale' % e for e in range(12)]:
        tensors[model.prefix(LAYER) + name] = Tensor('F32', [1], [0])
    tensors[model.prefix(LAYER + 1) + 'mlp.bias'] = Tensor('F32', [1], [0])
    folder = new_folder()
    models.write_folder(folder, tensors, model.config())
    _, messages = tap.outputs(RUN, '--checkpoint', folder, '--layer', str(LAYER), '--tokens', '4')
    warnings = [line for line in messages.splitlines() if 'warning' in line]
    assert len(warnings) == 9, messages
    assert sum('.%d.mlp.bias is not read: format qwen3_moe has no such part' % LAYER in line for line in warnings) == 1, warnings
    assert '5 more tensors of layer %d are not read' % LAYER in warnings[-1] and 'other' not in messages, warnings
    _, tensors = models.all_tensors(model, 'F32')
    tensors[model.prefix(LAYER) + 'mlp.experts.gate_up_proj'] = Tensor('F32', [6, 20, 12], [0] * 1440)
    tensors[model.prefix(LAYER) + 'mlp.experts.down_proj'] = Tensor('F32', [6, 12, 10], [0] * 720)
    models.write_folder(folder, tensors, model.config())
    _, messages = tap.outputs(RUN, '--checkpoint', folder, '--layer', str(LAYER), '--tokens', '4')
    assert messages.count('is not read beside mlp.experts.gate_up_proj') == 8 and '10 more tensors' in messages, messages


def settings():
    """config.json against the tensors and against what smoe can do."""
    for kind, key, value, text in (
            (models.Mixtral, 'num_local_experts', 8, 'num_local_experts is "8", but the tensors of layer 1 have 6'),
            (models.Mixtral, 'hidden_size', 13, 'hidden_size is "13"'),
            (models.Mixtral, 'intermediate_size', 'ten', 'intermediate_size is "ten"'),
            (models.Mixtral, 'num_experts_per_tok', None, 'num_experts_per_tok'),
            (models.Mixtral, 'num_experts_per_tok', 7, 'a whole number from 1 to 6'),
            (models.Mixtral, 'num_experts_per_tok', 2.5, 'a whole number from 1 to 6'),
            (models.Mixtral, 'hidden_act', 'mish', 'hidden_act is "mish", but must be identity'),
            (models.Mixtral, 'num_experts_per_tok', 2 ** 32 + 2, 'a whole number from 1 to 6'),
            (models.Mixtral, 'num_experts_per_tok', 2 ** 64 + 2, 'a whole number from 1 to 6'),
            (models.Mixtral, 'num_experts_per_tok', 10 ** 4000, 'a whole number from 1 to 6'),
            (models.Mixtral, 'num_experts_per_tok', [2], 'num_experts_per_tok is null, or no string, number'),
            (models.Mixtral, 'num_local_experts', 2 ** 32 + 6, 'num_local_experts is "4294967302", but the tensors of layer 1 have 6'),
            (models.Mixtral, 'hidden_size', 2 ** 64 + 12, 'hidden_size is "18446744073709551628", but'),
            (models.Mixtral, 'hidden_act', None, 'hidden_act is null'),
            (models.Qwen3, 'norm_topk_prob', None, 'norm_topk_prob is null'),
            (models.Qwen3, 'norm_topk_prob', 'maybe', 'true or false'),
            (models.DeepseekV3, 'n_group', None, 'n_group is null'),
            (models.DeepseekV3, 'n_group', 2 ** 32 + 4, 'a whole number from 1 to 1024'),
            (models.DeepseekV3, 'topk_group', None, 'topk_group is null'),
            (models.DeepseekV3, 'topk_group', {'of': 2}, 'topk_group is null, or no string, number'),
            (models.DeepseekV3, 'topk_group', 2 ** 64 + 2, 'a whole number from 1 to 1024'),
            (models.DeepseekV3, 'norm_topk_prob', None, 'norm_topk_prob is null'),
            (models.DeepseekV3, 'routed_scaling_factor', None, 'routed_scaling_factor is null'),
            (models.DeepseekV3, 'routed_scaling_factor', float('nan'), 'routed_scaling_factor is null, or no string, number'),
            (models.DeepseekV3, 'routed_scaling_factor', 10 ** 39, 'must be finite'),
            (models.DeepseekV3, 'routed_scaling_factor', 10 ** 4000, 'must be finite'),
            (models.DeepseekV3, 'scoring_func', None, 'scoring_func is null'),
            (models.DeepseekV3, 'topk_method', None, 'topk_method is null'),
            (models.Glm4, 'n_group', None, 'n_group is null'),
            (DeepseekV4, 'scoring_func', 'softmax', 'scoring_func is "softmax", but must be sqrtsoftplus'),
            (DeepseekV4, 'swiglu_limit', -3, 'gate_max: -3, must be 0 or 1e-30 .. 1e30'),
            (DeepseekV4, 'swiglu_limit', 'ten', 'swiglu_limit is "ten", but must be 0 or 1e-30 .. 1e30'),
            (DeepseekV4, 'mlp_bias', True, 'mlp_bias is "true", but must be false'),
            (Step, 'swiglu_limits', [1], 'no string, number'),
            (Step, 'swiglu_limits', [1, [2]], 'no string, number'),
            (Qwen3VL, 'text_config', {'hidden_size': 13}, 'hidden_size is "13"'),
            (Qwen3VL, 'text_config', {'hidden_size': models.Model.D}, 'has num_experts_per_tok'),
            (models.GptOss, 'swiglu_limit', None, 'swiglu_limit is null'),
            (models.DeepseekV3, 'scoring_func', 'softmax', 'scoring_func is "softmax", but must be sigmoid'),
            (models.DeepseekV3, 'topk_method', 'group_limited_greedy', 'topk_method'),
            (models.DeepseekV3, 'n_group', 5, 'does not divide the 12 experts'),
            (models.DeepseekV3, 'n_group', 0, 'n_group'),
            (models.DeepseekV3, 'topk_group', 5, 'topk_group is 5, but config.json: n_group is 4'),
            (models.DeepseekV3, 'num_experts_per_tok', 7, 'fewer than k = 7'),
            (models.DeepseekV3, 'routed_scaling_factor', '1e60', 'must be finite'),
            (models.DeepseekV3, 'n_shared_experts', 0, 'n_shared_experts is "0", but layer 1 has a shared expert'),
            (models.Qwen2, 'shared_expert_intermediate_size', 8,
             'shared_expert_intermediate_size is "8", but the tensors of layer 1 have 7'),
            (models.GraniteShared, 'shared_intermediate_size', 0, 'shared_intermediate_size is "0", but the tensors of layer 1 have 7'),
            (models.GptOss, 'swiglu_limit', 6.0, 'swiglu_limit is "6.0", but must be 7.0'),
            (models.GptOss, 'swiglu_alpha', 1.7, 'must be 1.702')):
        model = kind()
        _, all_tensors = models.all_tensors(model, 'F32')
        folder = new_folder()
        models.write_folder(folder, all_tensors, {**model.config(), key: value})
        layer_refused(folder, text)
    model = models.Tutel()
    _, all_tensors = models.all_tensors(model, 'F32')
    folder = new_folder()
    models.write_folder(folder, all_tensors, None)
    layer_refused(folder, 'has k: --k and --activation give what a checkpoint leaves open')
    layer_refused(folder, 'has k: --k and --activation give', '--activation', 'gelu')
    layer_refused(folder, 'has activation: --k and --activation give', '--k', '2')
    layer_refused(folder, '--k is 7, but layer 1 has 6 experts', '--activation', 'gelu', '--k', '7')
    layer_refused(folder, 'needs gated experts', '--activation', 'swiglu_clamped', '--k', '2')
    cosine = {models.Tutel().prefix(LAYER) + name: tensor_file.tensor('F32', array.shape, array.values)
              for name, array in models.draw(models.TutelCosine(), LAYER, 'F32').items()}
    models.write_folder(folder, {**all_tensors, **cosine}, None)
    layer_refused(folder, 'linear and of a cosine router at once', '--k', '2', '--activation', 'gelu')
    del cosine[model.prefix(LAYER) + 'gates.0.temperature']
    models.write_folder(folder, cosine, None)
    layer_refused(folder, 'gates.0.temperature is missing', '--k', '2', '--activation', 'gelu')


def command_lines():
    model = models.Mixtral()
    _, all_tensors = models.all_tensors(model, 'F32')
    folder = new_folder()
    models.write_folder(folder, all_tensors, model.config())
    x = path_of('x.safetensors')
    tensor_file.write(x, {'x': Tensor('F32', [2, 11], [0.0] * 22)}, {})
    for arguments, text in (
            (['--checkpoint', folder], 'needs --layer'), (['--layer', '1'], 'needs --checkpoint'),
            (['--layer', '1', x], 'needs --checkpoint'),
            (['--checkpoint', folder, '--layer', '-1'], 'whole number from 0'),
            (['--checkpoint', folder, '--layer', '1,'], 'whole number from 0'), (['--checkpoint', folder, '--layer', ''], 'whole number'),
            (['--checkpoint', folder, '--layer', '1,x'], 'commas between'), (['--checkpoint', folder, '--layer', '1,65536'], 'to 65535'),
            (['--checkpoint', folder, '--layer', ','.join(['1'] * 257)], 'must be 256 layers at most'),
            (['--checkpoint', folder, '--layer', '1', '--layer', '1', '--out', folder], 'would be written twice'),
            (['--checkpoint', folder, '--checkpoint', folder + '/', '--layer', '1', '--write', folder], 'would be written twice'),
            (['--checkpoint', folder, '--layer', '1', x], 'either'),
            (['--checkpoint', folder, '--layer', '1', '--check'], 'checkpoints have none'),
            (['--checkpoint', folder, '--layer', '1', '--x', x], 'tensor x must be F32 [T,12]'),
            (['--checkpoint', folder, '--layer', '1', '--x', x, '--tokens', '3'], 'excludes --tokens'),
            (['--checkpoint', folder, '--layer', '1', '--x', path_of('none')], 'cannot be opened: No such file'),
            (['--checkpoint', folder, '--layer', '1', '--x', '/dev/zero'], 'cannot be opened: Is no regular file'),
            (['--checkpoint', folder, '--layer', '1', '--tokens', '0'], 'from 1 to 1048576'),
            (['--checkpoint', folder, '--layer', '1', '--calibrate', '-1'], '--calibrate: must be a number from 0 to 1024, is "-1"'),
            (['--checkpoint', folder, '--layer', '1', '--calibrate', '1', '--eps', '1'], '--eps excludes it'),
            (['--checkpoint', folder, '--layer', '1', '--activation', 'mish'], 'must be identity, relu'),
            (['--checkpoint', folder, '--layer', '1', '--activation', 'swiglu_clamped', '--k', '9'], '--k is 9'),
            (['--checkpoint', folder, '--layer', '1', '--group-eps', '1'], 'no groups'),
            (['--checkpoint', folder, '--layer', '1', '--weights', 'f64'], 'f32, f16, bf16, mxfp4, q4, q8, fp8 or nvfp4')):
        refused(*arguments, text=text)


FORMATS = [('%s, %s, %s' % (kind.__name__, dtype, 'one file' if shards == 1 else '%d shards' % shards),
            lambda kind=kind, dtype=dtype, shards=shards: format_is_read(kind, dtype, shards))
           for kind, dtype, shards in CASES]
tap.run(FORMATS + [other_layer, single_file, other_prefix, mixed_types, float16_values, far_offsets, random_inputs, calibration, layers,
                   folders, shards, shards_without_an_index, tensors, promised_parts, settings, command_lines])
