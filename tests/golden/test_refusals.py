"""What smoe-run must refuse: exit status 2, a line that says why, no crash, no memory for what a file only claims to hold."""
import copy
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
import tensor_file
from tensor_file import Tensor

FOLDER = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
GOOD = os.path.join(FOLDER, 'one_expert.safetensors')
SMOOTH = os.path.join(FOLDER, 'all_equal_smooth.safetensors')
GROUPED = os.path.join(FOLDER, 'sigmoid_grouped.safetensors')
GIVEN = os.path.join(FOLDER, 'given_ids.safetensors')
BALANCED = os.path.join(FOLDER, 'balanced_groups.safetensors')
PASS_TOKENS = 32768  # the most of one pass: SMOE_MAX_PASS_TOKENS of src/domain/shape.h
scratch = tempfile.TemporaryDirectory()
BAD = os.path.join(scratch.name, 'bad.safetensors')


def refused(*arguments, text='', path=None):
    """Exit status 2, `text` and the file's name on stderr, nothing on stdout."""
    run = subprocess.run([RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    said = '%s: exit status %d, stdout %r, stderr %r' % (' '.join(arguments), run.returncode, run.stdout, run.stderr)
    assert run.returncode == 2, said
    assert text in run.stderr and (path or '') in run.stderr and run.stderr.startswith('smoe-run: '), 'no "%s": %s' % (text, said)
    assert run.stdout == '' and run.stderr.count('\n') == 1, said


def command_lines():
    for arguments, text in (
            ([], 'FILE'), (['--check'], 'FILE'), (['--ep', '1', GOOD], '--ep: no such option'), ([GOOD, '--eps'], '--eps: needs a value'),
            (['--check=1', GOOD], 'takes no value'), (['--eps', '-1', GOOD], '--eps: must be a number, 0 or 1e-30 .. 1e30, is "-1"'),
            (['--eps=nan', GOOD], '1e30, is "nan"'),
            (['--eps', '0x1', GOOD], '--eps'), (['--eps', '1e99', GOOD], '--eps'), (['--eps', '', GOOD], '--eps: must be a number'),
            (['--eps', '1 ', GOOD], '--eps'), (['--eps', '1.2.3', GOOD], '--eps'), (['--a', '0', GOOD], 'above 0'),
            (['--b', '1025', GOOD], 'at most 1024'), (['--temperature', '0', GOOD], '1e-30 .. 1e30'),
            (['--temperature', '9e-31', GOOD], '1e-30 .. 1e30'),
            (['--temperature', '1.1e30', GOOD], '1e-30 .. 1e30'), (['--eps', '1.1e30', GOOD], '0 or 1e-30'),
            (['--eps', '9e-31', GOOD], '0 or 1e-30'), (['--tie-tolerance', '-1', GOOD], 'finite and at least 0'),
            (['--scale', 'inf', GOOD], 'finite'), (['--weights', 'f8', GOOD], 'f32, f16, bf16, mxfp4, q4, q8, fp8 or nvfp4'),
            (['--repeat', '0', GOOD], 'whole number'),
            (['--repeat', '1e6', GOOD], 'whole number'), (['--repeat', '1.5e3', GOOD], 'whole number'),
            (['--repeat', '-1', GOOD], 'whole number'),
            (['--repeat', '99999999999999999999', GOOD], 'whole number'), (['--k', '2', GOOD], '--k is more'),
            (['--k', '1.5', GOOD], 'whole number'), (['--max-active', '2', GOOD], '--max-active'),
            (['--max-active', '1', SMOOTH], '--max-active'),
            (['--expected-active', '1', SMOOTH], '--expected-active'), (['--expected-active', '99', SMOOTH], '--expected-active'),
            (['--expected-active', '0', SMOOTH], '--expected-active'), (['--check', '--eps', '0', GOOD], '--check'),
            (['--check', '--k', '1', GOOD], '--check'), (['--check', '--tokens', '3', GOOD], '--check'),
            (['--check', '--calibrate', '0.5', GOOD], '--check'), (['--calibrate', '1025', GOOD], 'from 0 to 1024'),
            (['--temperature', '0.5', GROUPED], 'not softmax\'s'),
            (['--group-eps', '0.1', GOOD], 'no groups'), (['--group-eps', '9e-31', GOOD], '0 or 1e-30'),
            (['--activation', 'mish', GOOD], 'must be identity'), (['--activation', 'swiglu_clamped', GOOD], 'needs gated'),
            (['--calibrate', '0.5', GIVEN], '--calibrate: the file gives the routing'),
            (['--tokens', '7', GIVEN], 'must have as many as given.ids'),
            (['--k', '4', GIVEN], '--k or --max-active: given_count: 3, must be 0 or 4 .. 16, from k to max_active'),
            (['--k', '7', BALANCED], '--k or --max-active: balanced_groups: 4, must divide expert_count, k and max_active, but k is 7'),
            (['--max-active', '10', BALANCED], 'but max_active is 10'),
            (['--k', '25', GROUPED], 'groups that may be chosen'), (['--x', GROUPED, GOOD], 'tensor x must be'),
            (['--check', '--weights', 'f16', GOOD], '--check'),
            (['--mixed-precision', GOOD], 'needs weights with scales, or all of one 16-bit type'),
            (['--check', '--mixed-precision', GOOD], '--check'), (['--mixed-precision=1', GOOD], 'takes no value'),
            (['/no/such/file'], '/no/such/file'), ([FOLDER], FOLDER), (['/dev/null'], '/dev/null'), (['/dev/zero'], '/dev/zero')):
        refused(*arguments, text=text)


def blocks():
    """--weights of a type whose blocks do not divide a row, before anything is loaded onto a device."""
    refused('--weights', 'q8', GOOD, text='--weights q8: its blocks do not divide experts.w1\'s rows of 24', path=GOOD)
    refused('--weights', 'mxfp4', GROUPED, text='--weights mxfp4: its blocks do not divide experts.w2\'s rows of 20', path=GROUPED)
    names = tap.names_of(tap.command(RUN, '--weights', '?', GOOD, status=2))
    assert names[:3] == ['f32', 'f16', 'bf16'] and len(names) >= 7, names
    for name in names[3:]:
        if name != 'fp8':  # it takes any row
            refused('--weights', name, GOOD, text='--weights %s: its blocks do not divide' % name, path=GOOD)


def environment():
    """What is neither the file's nor the command line's fault is exit status 1; what may not be written is 2."""
    output = tap.command(RUN, '--device', 'no such device anywhere', GOOD, status=1)
    assert 'no such device anywhere' in output, output
    output = tap.command(RUN, '--validate', GOOD, env={'VK_LAYER_PATH': scratch.name}, status=1)
    assert 'validation' in output and 'not installed' in output, output
    output = tap.command(RUN, '--out', '/no/such/folder/y', GOOD, status=2)
    assert '/no/such/folder/y' in output, output
    full = os.path.join(scratch.name, 'full')
    os.symlink('/dev/full', full)
    tap.command(RUN, '--out', full, GOOD, status=2)
    assert os.path.islink(full), 'what was there before is gone'


def truncated():
    """Every cut of the header that a structure could end at, and cuts all over the data."""
    with open(GOOD, 'rb') as file:
        data = file.read()
    size, = struct.unpack('<Q', data[:8])
    cuts = {0, 1, 7, 8, 9, 8 + size - 1, 8 + size, 8 + size + 1, len(data) - 1}
    cuts |= {8 + at for at in range(size) if data[8 + at:9 + at] in b'{}' and at % 3 == 0}
    cuts |= set(range(8 + size, len(data), 1009))
    for cut in sorted(cuts):
        with open(BAD, 'wb') as file:
            file.write(data[:cut])
        refused(BAD, path=BAD)
    with open(BAD, 'wb') as file:
        file.write(data + b'\0')
    refused(BAD, text='its header describes', path=BAD)


def header_lengths():
    with open(GOOD, 'rb') as file:
        data = file.read()
    for length in (0, 1, 2, len(data), len(data) - 8, 10 ** 8, 10 ** 8 + 1, 2 ** 31, 2 ** 32, 2 ** 63, 2 ** 64 - 1, 2 ** 64 - 8):
        with open(BAD, 'wb') as file:
            file.write(struct.pack('<Q', length) + data[8:])
        refused(BAD, path=BAD)


def entries():
    """Entries of the header that contradict themselves, one another or the file."""
    def entry(begin=0, end=4, shape=(1,), dtype='F32'):
        return {'dtype': dtype, 'shape': list(shape), 'data_offsets': [begin, end]}
    for header, data, text in (
            ({'a': entry(), 'b': entry(2, 6)}, 6, 'overlaps'), ({'a': entry(), 'b': entry(8, 12)}, 12, 'belong to no tensor'),
            ({'a': entry(4, 8)}, 8, 'belong to no tensor'), ({'a': entry(4, 0)}, 8, 'data_offsets'),
            ({'a': entry(-4, 0)}, 8, 'data_offsets'), ({'a': entry(0.5, 4.5)}, 8, 'data_offsets'),
            ({'a': entry(0, 2 ** 60)}, 4, 'data_offsets'), ({'a': entry(shape=[2])}, 4, 'need 8'),
            ({'a': entry(shape=[2 ** 40, 2 ** 40])}, 4, 'more elements'), ({'a': entry(shape=[2 ** 62, 4])}, 4, 'shape'),
            ({'a': entry(0, 2 ** 42, [2 ** 40])}, 4, 'describes'), ({'a': entry(dtype='F99')}, 4, 'not a dtype'),
            ({'a': {'dtype': 'F32'}}, 4, 'must have'), ({'a': None}, 4, 'not a JSON object'),
            ({'__metadata__': {'k': 1}}, 0, 'strings to strings'), ({'__metadata__': ['k']}, 0, 'not an object'),
            ({'a\0b': entry()}, 4, 'NUL'), ({}, 0, 'router.weight is missing')):
        tensor_file.write_raw(BAD, json.dumps(header), bytes(data))
        refused(BAD, text=text, path=BAD)
    for header, text in (('{' * 90000, 'name'), ('{"a":' * 20000, 'nests'), ('{"a":' + '[' * 90000, 'nests'),
                         ('{"a":"' + 'x' * 90000, 'does not end'), ('', 'not an object'), ('{}{}', 'follows'), ('{"a":1}', ''),
                         ('{"__metadata__":{"a":[' + '1,' * 1000000 + '1]}}', 'strings to strings'),
                         ('{"a":[' + '1,' * 1000000 + '1]}', 'not a JSON object'),
                         ('{' + ','.join('"%d":0' % i for i in range(200000)) + '}', 'too short')):
        tensor_file.write_raw(BAD, header, b'')
        refused(BAD, text=text, path=BAD)


def contradictions():
    tensors, metadata = tensor_file.read(SMOOTH)

    def f32(*shape):
        count = 1
        for length in shape:
            count *= length
        return Tensor('F32', shape, [0.0] * count)

    for key, value, text in (
            ('tokens', '4', 'metadata tokens'), ('d_model', '15', 'metadata d_model'), ('d_hidden', '25', 'metadata d_hidden'),
            ('n_experts', '9', 'metadata n_experts'), ('k', '9', 'metadata k'), ('k', '0', 'metadata k'), ('k', 'two', 'metadata k'),
            ('k', None, 'k is missing'), ('max_active', '1', 'metadata max_active'), ('max_active', '9', 'metadata max_active'),
            ('eps', '-0.5', 'metadata eps'), ('eps', 'nan', 'metadata eps'), ('eps', '1,5', 'metadata eps'), ('a', '0', 'metadata a'),
            ('b', '2000', 'metadata b'), ('temperature', '0', 'metadata temperature'), ('scale', '1e60', 'metadata scale'),
            ('gated', 'True', 'metadata gated'), ('bias', 'False', 'metadata bias'), ('renormalize', 'maybe', 'metadata renormalize'),
            ('shared', '1', 'metadata shared'), ('router', 'cosine', 'metadata router'), ('score', 'tanh', 'sqrt_softplus or softmax_bias'),
            ('n_group', '3', 'does not divide'), ('n_group', '2000', 'from 1 to 1024'), ('topk_group', '2', 'metadata topk_group is 2'),
            ('group_eps', '-1', 'metadata group_eps'), ('activation', 'mish', 'mish'), ('activation', 'swiglu_clamped', 'needs gated'),
            ('activation', None, 'activation is missing'),
            ('renormalize_floor', '0.5', 'renormalize_floor: 0.5, must be 0 with softmax gates'),
            ('renormalize_add', '-1', 'renormalize_add: -1, must be 0 or'), ('group_score', 'mean', 'must be sum2 or max'),
            ('balanced_groups', '3', 'but expert_count is 8'), ('balanced_groups', 'x', 'metadata balanced_groups'),
            ('weighted_input', 'True', 'must be false unless the gate is sigmoid'),
            ('zero_experts', '8', 'must be less than expert_count, 8'), ('zero_experts', '-1', 'metadata zero_experts')):
        changed = {**metadata, key: value}
        if value is None:
            del changed[key]
        tensor_file.write(BAD, tensors, changed)
        refused(BAD, text=text, path=BAD)
    for name, tensor, text in (
            ('x', None, 'tensor x'), ('x', f32(3, 15), 'tensor x'), ('x', f32(0, 16), 'tensor x'), ('x', f32(48), 'tensor x'),
            ('router.weight', None, 'router.weight'), ('router.weight', f32(7, 16), ''), ('router.bias', f32(7), 'router.bias'),
            ('experts.w1', None, 'experts.w1'), ('experts.w1', f32(8, 16, 24), 'experts.w1'), ('experts.w2', f32(8, 24, 16), ''),
            ('experts.b1', None, 'metadata bias'), ('experts.b1', f32(8, 16), 'experts.b1'), ('experts.w3', f32(8, 24, 16), 'gated'),
            ('experts.w2', Tensor('F64', (8, 16, 24), [0.0] * 3072), 'experts.w2 is F64'), ('shared.w1', f32(24, 16), 'metadata shared'),
            ('router.similarity', f32(4, 8), 'cosine'), ('router.selection_bias', f32(8), 'the gate is not softmax'),
            ('router.expert_scale', f32(7), 'router.expert_scale'),
            ('latent.down', f32(4, 16), 'latent.up'), ('latent.up', f32(16, 4), 'latent.down is missing'),
            ('x', Tensor('F64', (3, 16), [0.0] * 48), 'F64')):
        changed = copy.copy(tensors)
        if tensor:
            changed[name] = tensor
        else:
            del changed[name]
        tensor_file.write(BAD, changed, metadata)
        refused(BAD, text=text, path=BAD)


def expectations():
    """--check asks for every expected.*, in the layer's shapes."""
    tensors, metadata = tensor_file.read(SMOOTH)
    for name in ('logits', 'weights', 'gap', 'eps', 'order', 'active', 'ids', 'y'):
        name = 'expected.' + name
        tensor_file.write(BAD, {key: tensor for key, tensor in tensors.items() if key != name}, metadata)
        refused('--check', BAD, text=name + ' is missing', path=BAD)
        wrong = Tensor(tensors[name].dtype, [1] + tensors[name].shape, tensors[name].values)
        tensor_file.write(BAD, {**tensors, name: wrong}, metadata)
        refused('--check', BAD, text=name, path=BAD)


def memory():
    """The most that any of the programs above took; none of them had reason to open a device."""
    if tap.SANITIZE:
        raise tap.Skip('a sanitizer takes memory of its own')
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert largest < 40 * 1024, '%d KiB' % largest


def several_passes():
    """--check needs all logits, and the device keeps those of one pass: nothing is wrong with the file."""
    tokens = PASS_TOKENS + 4
    weights = {'router.weight': [1, 1], 'experts.w1': [1, 1, 1], 'experts.w2': [1, 1, 1], 'x': [tokens, 1], 'expected.y': [tokens, 1]}
    tensors = {name: Tensor('F64' if 'expected' in name else 'F32', shape, [1.0] * (shape[0])) for name, shape in weights.items()}
    for name, rank in (('logits', 2), ('weights', 2), ('gap', 1), ('eps', 1)):
        tensors['expected.' + name] = Tensor('F64', [tokens, 1][:rank], [1.0] * tokens)
    for name, rank in (('order', 1), ('active', 1), ('ids', 2)):
        tensors['expected.' + name] = Tensor('I32', [tokens, 1][:rank], [0] * tokens)
    path = os.path.join(scratch.name, 'passes.safetensors')
    tensor_file.write(path, tensors, {'k': '1', 'activation': 'identity', 'renormalize': 'True'})
    output = tap.command(RUN, '--check', path, status=1)
    assert 'of one pass' in output, output


# memory comes before the test that opens devices
tap.run([command_lines, blocks, truncated, header_lengths, entries, contradictions, expectations, memory, environment, several_passes])
