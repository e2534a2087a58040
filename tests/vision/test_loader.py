"""smoe-classify's checkpoints: other names, types and sizes that must work, and damaged ones, each refused with one line that says why."""
import array
import copy
import functools
import glob
import os
import random
import re
import struct
import subprocess

import check_runs  # first: it says where the others are
import tap
import tensor_file
import tiny_model
from check_runs import CLASSIFY, DEVICE, FOLDER, path_of
from tensor_file import Tensor

FILES = sorted(glob.glob(FOLDER + '/gmoe_*.safetensors'))
SEED = int(os.environ.get('SMOE_TEST_SEED', '1'))
BESIDE = ('images', 'expected.logits')
tensor_file.CODES['BF16'] = 'H'
PATH = path_of('model.safetensors')


def logits(paths, *arguments):
    """The logits of several files, checked in one process."""
    return [one.logits for one in check_runs.run(paths, *arguments, out=True).values()]


QUEUE = []  # (path, what its line must hold) of files that are to be refused
MOST = 100  # of them in one process: starting it is most of the time


def refusal(tensors, metadata, *parts):
    """Has a model refused with one line, which must hold all the parts."""
    def judge(line):
        assert all(part in line for part in parts), '%s: %s' % (parts, line)
    queue(tensors, metadata, judge)


def queue(tensors, metadata, judge):
    if len(QUEUE) == MOST:
        judge_queue()
    path = path_of('refused_%d.safetensors' % len(QUEUE))
    tensor_file.write(path, tensors, metadata)
    QUEUE.append((path, judge))


def judge_queue():
    files = [argument for path, _ in QUEUE for argument in ('--check', path)]
    done = subprocess.run([CLASSIFY, '--device', 'none is opened', *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding='utf-8')
    lines = done.stderr.splitlines()
    said = '%d files: exit status %d, %s' % (len(QUEUE), done.returncode, done.stderr)
    assert done.returncode == 2 and len(lines) == len(QUEUE) and not done.stdout, said
    for line, (path, judge) in zip(lines, QUEUE):
        assert line.startswith('smoe-classify: ' + path), '%s: %s' % (path, line)
        judge(line)
    QUEUE.clear()


def judged(test):
    """The test, and the rest of what it had refused."""
    @functools.wraps(test)
    def run():
        QUEUE.clear()
        test()
        assert QUEUE, 'nothing was to be refused'
        judge_queue()
    return run


def own_names(tensors):
    return [name for name in tensors if name not in BESIDE]


def is_optional(name):
    """Linear layers may have no bias, Tutel's experts too; a smooth router without its band is a hard one."""
    linear = name.endswith('.bias') and 'norm' not in name and 'gates' not in name
    return linear or name.endswith(('fc1_bias', 'fc2_bias', 'eta_parameterized'))


def read(path):
    """Values are arrays here: these tests write them again and again, and writing a list takes longer."""
    tensors, metadata = tensor_file.read(path)
    for tensor in tensors.values():
        tensor.values = array.array(tensor_file.CODES[tensor.dtype], tensor.values)
    return tensors, metadata


def each_file():
    """The golden models, one of each router, with what to call them."""
    for path in FILES:
        yield (os.path.basename(path), *read(path))


def missing():
    for file, tensors, metadata in each_file():
        for name in own_names(tensors):
            if not is_optional(name):
                rest = {other: tensor for other, tensor in tensors.items() if other != name}
                refusal(rest, metadata, 'gates.0.' if name.endswith(('wg.weight', 'sim_matrix')) else name)


def missing_that_metadata_misses():
    tensors, metadata = read([path for path in FILES if 'smooth' in path][0])
    del tensors['blocks.1.mlp.gates.0.eta_parameterized']
    refusal(tensors, metadata, 'smooth_top', 'blocks.1.mlp.gates.0.eta_parameterized')


def renamed():
    """The line says which name was expected, and which is there instead."""
    for file, tensors, metadata in each_file():
        for name in own_names(tensors):
            other = name + 's'
            changed = {(other if key == name else key): tensor for key, tensor in tensors.items()}
            refusal(changed, metadata, *([other] if is_optional(name) and 'eta' not in name else [name] if 'eta' in name else []))
            if not is_optional(name) and '.mlp.gates' not in name and '.mlp.experts' not in name:
                refusal(changed, metadata, 'tensor %s is missing' % name, other)


def refused_shape(tensors, metadata, name, changed):
    """The line says what is wrong with the tensor, or with one that asked for its old length."""
    def judge(line):
        match = re.search(r': tensor (\S+) is \[([\d, ]+)\], but (?:must be|the other tensors ask for) \[([\dn, ]+)\]$', line)
        assert match, line
        found, asked = (re.findall(r'\w+', text) for text in match.groups()[1:])
        shape = list(map(str, changed.shape))
        assert found == shape != asked if match.group(1) == name else shape[0] in asked, '%s: %s' % (name, line)
    queue({**tensors, name: changed}, metadata, judge)


def misshapen():
    for file, tensors, metadata in each_file():
        for name in own_names(tensors):
            tensor = tensors[name]
            count, rank = len(tensor.values), len(tensor.shape)
            shapes = [[1, count], [1] + tensor.shape] if rank == 1 else [[count], tensor.shape[:-2] + tensor.shape[:-3:-1]]
            for shape in shapes:
                if shape != tensor.shape:
                    refused_shape(tensors, metadata, name, Tensor('F32', shape, tensor.values))
            shape = [tensor.shape[0] + 1] + tensor.shape[1:]
            more = Tensor('F32', shape, tensor.values + tensor.values[:count // tensor.shape[0]])
            refused_shape(tensors, metadata, name, more)


def extra():
    tensors, metadata = read(FILES[0])
    for name in ('blocks.1.mlp.fc1.weight', 'blocks.1.mlp.gates.1.sim_matrix', 'blocks.1.mlp.experts.batched_fc3_w', 'blocks.0.ls1.gamma',
                 'dist_token', 'head_dist.weight', 'fc_norm.weight', 'norm_pre.weight', 'blocks.1.mlp.gates.0.wg.bias', 'something'):
        refusal({**tensors, name: Tensor('F32', [48], [0.0] * 48)}, metadata, name, 'no place')
    for name, *parts in (('blocks.0.mlp.experts.batched_fc1_w', 'block 0 has experts, but neither blocks.0.mlp.gates.0.'),
                         ('blocks.4.norm1.weight', 'metadata depth is 4, but the tensors have 5'),
                         ('blocks.1.mlp.gates.0.wg.weight', 'tensor blocks.1.mlp.gates.0.wg.weight is [48], but the other tensors'),
                         ('patch_embed.stem.0.weight', 'metadata stem_strides has 0 numbers, but the stem has 1'),
                         ('model.patch_embed.proj.weight', 'two models: both patch_embed.proj.weight and model.patch_embed.proj.weight')):
        refusal({**tensors, name: Tensor('F32', [48], [0.0] * 48)}, metadata, *parts)
    tensors['labels'] = Tensor('I32', [5], [0] * 5)  # beside a model there may be more
    tensors['blocks.1.mlp._num_global_experts'] = Tensor('I32', [1], [6])  # Tutel's
    tensor_file.write(PATH, tensors, metadata)
    one, plain = logits((PATH, FILES[0]))
    assert one == plain


def wrong_types():
    tensors, metadata = read(FILES[0])
    for name in ('patch_embed.proj.weight', 'cls_token', 'blocks.2.norm1.bias', 'blocks.0.attn.qkv.weight',
                 'blocks.3.mlp.experts.batched_fc1_w', 'head.weight', 'blocks.1.mlp.gates.0.temperature'):
        for dtype in ('F64', 'I32'):
            values = [0] * len(tensors[name].values)
            refusal({**tensors, name: Tensor(dtype, tensors[name].shape, values)}, metadata, name, 'F32, F16')


def contradicting_metadata():
    tensors, metadata = read([path for path in FILES if 'smooth' in path][0])
    wrong = {'image_size': ('24', '33', '0', '32.5', '', 'x', '1e9', '-32', '4294967328'), 'patch_size': ('4', 'eight'),
             'num_heads': ('5', '24', '0'), 'embed_dim': ('49',), 'depth': ('3', '5'), 'num_classes': ('11',), 'num_experts': ('5',),
             'k': ('0', '7', 'two'), 'router': ('top', 'cosine_top', 'sigmoid'), 'max_active': ('1', '7', '0'),
             'a': ('0', '-1', 'nan', 'inf', '2000'), 'b': ('0', '1,2'), 'mean': ('0.5', '0.5,0.5', '1,2,x', '1,2,3,4'),
             'std': ('0,1,1', '1,1', '-1,1,1'), 'crop_pct': ('0', '1.1', 'nan'), 'interpolation': ('nearest', ''),
             'fit': ('cut', '', 'Crop', 'crop,pad'), 'temperature': ('0', '-1', 'nan', 'inf', '', '1,2', 'warm', '1e999'),
             'unsure_below': ('0', '-0.5', 'nan', '1.0001', '62 %', '', '0.5x'),
             'classes': ('a,b', 'a,b,c,d,e,f,g,h,i,', 'a,b,c,d,e,f,g,h,i,j,k'), 'stem_strides': ('1', '1,2'), 'stem_residuals': ('0',)}
    rule = {('image_size', '24'): 'tensor pos_embed has 17 positions, but images of 24 make 9', ('num_heads', '5'): 'multiple of 4',
            ('image_size', '33'): 'the patches of 8 do not divide the 33 pixels', ('num_heads', '24'): 'multiple of 4'}  # no key's name
    for key, values in wrong.items():
        for value in values:
            refusal(tensors, {**metadata, key: value}, rule.get((key, value), key))


def contradicting_stem():
    tensors, metadata = tiny_model.make(SEED, stem=((5, 1, 0), (6, 2, 0), (6, 1, 1)), patch=2)
    tensors['expected.logits'] = Tensor('F64', [2, 3], [0.0] * 6)
    for key, value in (('stem_strides', '1,2'), ('stem_strides', '1,2,0'), ('stem_strides', '1,2,1.5'), ('stem_strides', '1,2,17'),
                       ('stem_residuals', '0,0'), ('stem_residuals', '0,1,1'), ('stem_residuals', '0,0,2'), ('stem_residuals', '0,0,4'),
                       ('stem_residuals', '0,0,-1')):
        refusal(tensors, {**metadata, key: value}, key)
    for value in ('1,0,0', '0,2,0'):
        refusal(tensors, {**metadata, 'stem_residuals': value}, 'stem_residuals', 'layer 0, which is the image')
    refusal({name: t for name, t in tensors.items() if not name.startswith('patch_embed.stem.1')}, metadata, 'stem')
    del metadata['stem_strides']
    refusal(tensors, metadata, 'stem_strides')


def random_damage():
    """Any name, shape or type replaced by another of the file's: refused, or run, and never anything else."""
    damaged = {}
    for case in range(60):
        seed = SEED * 1000 + case
        pick = random.Random(seed)
        tensors, metadata = tensor_file.read(FILES[case % len(FILES)])
        names = own_names(tensors)
        a, b = pick.sample(names, 2)
        damage = pick.randint(0, 2)
        if damage == 0:
            tensors[a], tensors[b] = tensors[b], tensors[a]
        elif damage == 1:
            tensors[a] = copy.deepcopy(tensors[b])
        else:
            del tensors[a], tensors[b]
        path = path_of('damaged_%d.safetensors' % case)
        tensor_file.write(path, tensors, metadata)
        damaged[path] = 'seed %d, %s and %s' % (seed, a, b)
    found = check_runs.run(tuple(damaged))  # which looks at the last lines of those that ran
    refused = [path for path in damaged if path not in found]
    assert found and refused and len(found.messages) == len(refused) and found.status == 2, (found.status, found.messages)
    for path, line in zip(refused, found.messages):
        assert line.startswith('smoe-classify: ' + path), '%s: %s' % (damaged[path], line)


def what_check_needs():
    tensors, metadata = tensor_file.read(FILES[0])
    expected, wrong = 'expected.logits', {}
    for name, tensor in (('images', None), (expected, None), ('images', Tensor('F32', [5, 3, 32, 31], [0.0] * 5 * 3 * 32 * 31)),
                         ('images', Tensor('F64', [5, 3, 32, 32], [0.0] * 5 * 3 * 32 * 32)), (expected, Tensor('F32', [5, 10], [0.0] * 50)),
                         (expected, Tensor('F64', [4, 10], [0.0] * 40)), (expected, Tensor('F64', [5, 10], [0.0] * 50)),
                         (expected, Tensor('F64', [5, 10], [float('nan')] * 50))):
        changed = {key: value for key, value in tensors.items() if key != name}
        if tensor:
            changed[name] = tensor
        path = path_of('wrong_%d.safetensors' % len(wrong))
        tensor_file.write(path, changed, metadata)
        wrong[path] = name
    found = check_runs.run(tuple(wrong), device=('--device', 'none is opened'))
    assert found.status == 2 and not found and len(found.messages) == len(wrong), (found.status, found.messages)
    for (path, name), line in zip(wrong.items(), found.messages):
        assert path in line and name in line, (name, line)


# ---- what must work


def prefix_of_a_module():
    """Checkpoints of wrapped models: the same bits."""
    tensors, metadata = tensor_file.read(FILES[-1])
    prefixes = ('model.', 'module.', 'network.', 'module.model.', 'network.0.')
    paths = [path_of('prefix_%d.safetensors' % number) for number in range(len(prefixes))]
    for path, prefix in zip(paths, prefixes):
        tensor_file.write(path, {(name if name in BESIDE else prefix + name): t for name, t in tensors.items()}, metadata)
        changed = {(name if name in BESIDE else prefix + name): t for name, t in tensors.items() if name != 'norm.bias'}
        refusal(changed, metadata, prefix + 'norm.bias')
    plain, *others = logits((FILES[-1], *paths))
    assert len(others) == len(prefixes), 'only %d of them ran' % len(others)
    for prefix, other in zip(prefixes, others):
        assert other == plain, prefix


def without_metadata():
    """timm's 64 per head, the image's size from the positions, k = 1."""
    tensors, _ = tiny_model.add_expected(*tiny_model.make(SEED, width=64, heads=1, hidden=8, depth=1))
    tensor_file.write(PATH, tensors, None)
    tap.command(CLASSIFY, *DEVICE, '--check', PATH)


def repeated_metadata():
    tensors, metadata = tensor_file.read([path for path in FILES if 'smooth' in path][0])
    same, capped, other = (path_of(name + '.safetensors') for name in ('same', 'capped', 'other'))
    tensor_file.write(same, tensors, {**metadata, 'a': '1', 'b': '50.0', 'max_active': '6', 'mean': '0.5,0.5,0.5', 'crop_pct': '1',
                                      'classes': 'a, b,c,d,e,f,g,h,i,j', 'anything': 'else'})
    tensor_file.write(capped, tensors, {**metadata, 'max_active': '2'})  # the cap closes the band
    tensor_file.write(other, tensors, {**metadata, 'b': '2'})
    found = check_runs.run((FILES[-1], same, capped, other), out=True)
    assert [one.ok for one in found.values()] == [True, True, False, False] and found.status == 1, found.messages
    plain = found[FILES[-1]].logits
    assert found[same].logits == plain and found[capped].logits != plain and found[other].logits != plain


def half(values):
    return [struct.unpack('<H', struct.pack('<e', value))[0] for value in values]


def bfloat(values):
    return list(array.array('H', array.array('f', values).tobytes())[1::2])


def narrow_weights():
    """Numbers that bfloat16 and float16 hold: stored as either they give the bits that float32 gives."""
    tensors, metadata = tiny_model.add_expected(*tiny_model.make(SEED, bits=8, experts=[1], router='smooth_top', k=2, width=24, heads=2))
    paths = [path_of('single.safetensors')]
    tensor_file.write(paths[0], tensors, metadata)
    own = own_names(tensors)
    for names in ([name for name in own if len(tensors[name].shape) > 1 and 'gates' not in name], own, own[::3]):
        for dtype, convert in (('F16', half), ('BF16', bfloat)):
            narrow = {name: Tensor(dtype, t.shape, convert(t.values)) if name in names else t for name, t in tensors.items()}
            paths.append(path_of('%s_%d.safetensors' % (dtype, len(names))))
            tensor_file.write(paths[-1], narrow, metadata)
    for weights in ((), ('--weights', 'f32')):
        single, *others = logits(paths, *weights)
        assert len(others) == 6
        for path, other in zip(paths[1:], others):
            assert other == single, '%s, %s' % (path, weights)


def float16_on_the_device():
    """Rounding every matrix moves the logits, and not far; a file that holds the rounded numbers gives the same bits."""
    path = path_of('rounded.safetensors')
    tensors, metadata = tensor_file.read(FILES[-1])
    for name, tensor in tensors.items():
        if len(tensor.shape) > 1 and name.endswith(('weight', '_w')) and 'gates' not in name:
            tensors[name] = Tensor('F16', tensor.shape, half(tensor.values))
    tensor_file.write(path, tensors, metadata)
    found = check_runs.run((FILES[-1], path), out=True)
    single, own = found[FILES[-1]].logits, found[path].logits
    assert found[FILES[-1]].ok and not found[path].ok
    rounded, own_rounded = logits((FILES[-1], path), '--weights', 'f16')
    largest = max(map(abs, single))
    others, widened = logits((FILES[-1], path), '--weights', 'f16', '--no-subgroups')[0], logits((path, FILES[-1]), '--weights', 'f32')[0]
    # other sums: smoe's kernels change too
    assert max(abs(a - b) for a, b in zip(others, rounded)) < 1e-5 * largest, (others, rounded)
    assert single != rounded and max(abs(a - b) for a, b in zip(single, rounded)) < 0.01 * largest
    assert own == rounded and own_rounded == rounded and widened == rounded


assert len(FILES) == 4, FILES
REFUSING = [missing, missing_that_metadata_misses, renamed, misshapen, extra, wrong_types, contradicting_metadata, contradicting_stem,
            prefix_of_a_module]
tap.run([*map(judged, REFUSING), random_damage, what_check_needs, without_metadata, repeated_metadata, narrow_weights,
         float16_on_the_device])
