"""smoe-run on the golden files, whose expected results were computed in float64: --check, and what --check would catch."""
import copy
import glob
import math
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
import tensor_file
from tensor_file import Tensor

FOLDER = os.path.dirname(os.path.abspath(__file__))
FILES = sorted(glob.glob(FOLDER + '/*.safetensors'))
RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
QUANTITIES = ('logits', 'gap', 'eps', 'order', 'active', 'ids', 'excused', 'weights', 'y')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
scratch = tempfile.TemporaryDirectory()


def run(*arguments, status=0):
    return tap.command(RUN, *DEVICE, *arguments, status=status)


def rows(output):
    """First word -> line."""
    return {line.split()[0]: line for line in output.splitlines() if line.strip()}


def golden(name):
    return tensor_file.read(os.path.join(FOLDER, name + '.safetensors'))


def stem(path):
    return os.path.basename(path)[:-len('.safetensors')]


def output_of(path, *arguments):
    out = os.path.join(scratch.name, 'out.safetensors')
    run(*arguments, '--out', out, path)
    return tensor_file.read(out)


def close(got, expected, allowed, what):
    assert len(got) == len(expected), '%s: %d values, expected %d' % (what, len(got), len(expected))
    for index, (a, b) in enumerate(zip(got, expected)):
        assert a == b or abs(a - b) <= allowed, '%s[%d]: %r, expected %r, allowed %g' % (what, index, a, b, allowed)


class Together(dict):
    def __init__(self, status, messages):
        super().__init__()
        self.status, self.messages = status, messages


@tap.once
def together(paths, *arguments):
    """One process for several files, as what it does before and beside a layer is most of the time: for each file that ran, its lines by
    their first words, and what --out wrote."""
    out = tempfile.mkdtemp(dir=scratch.name)
    done = subprocess.run([RUN, *DEVICE, *arguments, '--out', out, *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding='utf-8')
    found = Together(done.returncode, done.stderr)
    for part in ('\n' + done.stdout).split('\nfile ')[1:]:
        path = part.splitlines()[0].strip()
        found[path] = rows(part), tensor_file.read(os.path.join(out, stem(path) + '.out.safetensors'))
    return found


CHECKED = ('--check', '--validate')


def single(path):
    """What --out wrote for a golden file as it is."""
    return together(tuple(FILES), *CHECKED)[path][1]


def check_of_all():
    found = together(tuple(FILES), *CHECKED)
    assert list(found) == FILES and found.status == 0 and not found.messages, (found.status, found.messages, list(found))


def check_passes(path):
    lines, _ = together(tuple(FILES), *CHECKED)[path]
    for quantity in QUANTITIES:
        assert lines.get(quantity, '').endswith(' ok'), 'no good row for %s in %s' % (quantity, lines)
    assert lines['validation'].split()[1] == '0'


def dense(metadata, ids, weights, tokens, experts):
    """[T][E] weights from the report's lists."""
    most = int(metadata['max_active'])
    result = [[0.0] * experts for _ in range(tokens)]
    for token in range(tokens):
        for place in range(most):
            expert = ids[token * most + place]
            if expert >= 0:
                result[token][expert] = weights[token * most + place]
            else:
                assert expert == -1 and weights[token * most + place] == 0.0
    return result


def out_comes_back(path):
    """The file that --out writes, by a reader of its own, against the golden file itself; tolerances are --check's business."""
    tensors, metadata = tensor_file.read(path)
    written, said = single(path)
    tokens, width = tensors['x'].shape
    experts, most = tensors['expected.logits'].shape[1], int(metadata['max_active'])
    shapes = {'y': ('F32', [tokens, width]), 'report.gap': ('F32', [tokens]), 'report.eps': ('F32', [tokens]),
              'report.order': ('I32', [tokens]), 'report.active': ('I32', [tokens]), 'report.flags': ('I32', [tokens]),
              'report.group_gap': ('F32', [tokens]), 'report.groups': ('I32', [tokens]),
              'report.ids': ('I32', [tokens, most]), 'report.weights': ('F32', [tokens, most])}
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in written.items()} == shapes
    assert float(said['eps']) == float(metadata['eps']) or math.isclose(float(said['eps']), float(metadata['eps']), rel_tol=1e-7)
    assert said['k'] == metadata['k'] and said['max_active'] == metadata['max_active'] and said['weights'] == 'f32' and said['device']
    for name in ('order', 'active', 'ids'):
        assert written['report.' + name].values == tensors['expected.' + name].values, name
    largest = max(map(abs, tensors['expected.logits'].values))
    close(written['report.gap'].values, tensors['expected.gap'].values, 1e-5 * max(1.0, largest), 'gap')
    close(written['report.eps'].values, tensors['expected.eps'].values, 1e-5 * max(1.0, largest), 'eps')
    weights = dense(metadata, written['report.ids'].values, written['report.weights'].values, tokens, experts)
    close(sum(weights, []), tensors['expected.weights'].values, 1e-3, 'weights')
    close(written['y'].values, tensors['expected.y'].values, 1e-3 * max(map(abs, tensors['expected.y'].values)), 'y')


def narrow_weights(path, name, allowed):
    """The router stays float32: the report is the same to the bit. y moves by the rounding of the weights and more."""
    tensors, _ = tensor_file.read(path)
    whole, _ = single(path)
    lines, (half, said) = together(NARROW[name], '--weights', name, '--validate')[path]
    assert said['weights'] == name and lines['validation'].split()[1] == '0', lines
    for field, tensor in whole.items():
        if field != 'y':
            assert half[field].values == tensor.values, field
    close(half['y'].values, tensors['expected.y'].values, allowed * max(map(abs, tensors['expected.y'].values)), 'y')
    assert half['y'].values != whole['y'].values, '%s weights changed nothing at all' % name
    lines, (mixed, _) = together(NARROW[name], '--weights', name, '--mixed-precision', '--validate')[path]
    assert lines['validation'].split()[1] == '0', lines
    for field, tensor in half.items():
        if field != 'y':
            assert mixed[field].values == tensor.values, 'mixed precision changes %s' % field
    close(mixed['y'].values, tensors['expected.y'].values, 2 * allowed * max(map(abs, tensors['expected.y'].values)), 'mixed y')


def narrow_file(dtype, name):
    """A file whose own weights are float16 or bfloat16 gives the bits that converting on the way gives; the shared expert's too."""
    halves = {}
    for file in ('smooth_small', 'sigmoid_grouped'):
        tensors, metadata = golden(file)
        for key in [key for key in tensors if key[:-1] in ('experts.w', 'shared.w')]:
            tensors[key] = tensor_file.tensor(dtype, tensors[key].shape, tensors[key].values)
        half = os.path.join(scratch.name, '%s_%s.safetensors' % (file, name))
        tensor_file.write(half, tensors, metadata)
        halves[half] = os.path.join(FOLDER, file + '.safetensors')
    for half, whole in halves.items():
        converted, _ = together(NARROW[name], '--weights', name, '--validate')[whole][1]
        own, said = together(tuple(halves))[half][1]
        assert said['weights'] == name
        assert converted['y'].values == own['y'].values
        widened, said = together(tuple(halves), '--weights', 'f32')[half][1]
        assert said['weights'] == 'f32'
        close(widened['y'].values, own['y'].values, 1e-4 * max(map(abs, own['y'].values)), 'y')


def scaled_layer():
    """A layer of random numbers that q8 holds: as a file with scales, and as one of float32. Widths of 256, which every type divides."""
    source, tokens, experts, width, hidden, shared = random.Random(1), 5, 3, 256, 256, 256

    def numbers(*shape):
        return Tensor('F32', list(shape), tensor_file.rounded('F32', [source.uniform(-1, 1) for _ in range(math.prod(shape))]))
    floats = {'router.weight': numbers(experts, width), 'x': numbers(tokens, width), 'experts.b1': numbers(experts, hidden),
              'experts.b2': numbers(experts, width), 'shared.b1': numbers(shared), 'shared.b2': numbers(width)}
    shapes = {'experts.w1': [experts, hidden, width], 'experts.w2': [experts, width, hidden], 'shared.w1': [shared, width],
              'shared.w2': [width, shared]}
    metadata = {'k': '2', 'activation': 'gelu', 'gated': 'False', 'renormalize': 'True', 'shared': '1', 'score': 'softmax'}
    return tensor_file.write_q8_pair(scratch.name, shapes, floats, source, metadata)


scaled_layer = tap.once(scaled_layer)


def scaled_file():
    """What a file's own scales give is what its numbers give: as they are, widened on the way, and rounded to the type they have."""
    stored, whole = scaled_layer()
    expected, said = output_of(whole, '--validate')
    assert said['weights'] == 'f32'
    own, said = output_of(stored, '--validate')
    assert said['weights'] == 'q8'
    close(own['y'].values, expected['y'].values, 1e-4 * max(map(abs, expected['y'].values)), 'y')
    widened, said = output_of(stored, '--weights', 'f32')
    assert said['weights'] == 'f32' and widened['y'].values == expected['y'].values
    out = os.path.join(scratch.name, 'scaled.layer.safetensors')
    run('--write', out, stored)
    tensors, metadata = tensor_file.read(stored)
    again, written = tensor_file.read(out)
    assert {name: (one.dtype, one.shape, one.values) for name, one in again.items()} == \
        {name: (one.dtype, one.shape, one.values) for name, one in tensors.items()}
    assert all(written[key] == metadata[key] for key in metadata), (written, metadata)


def rounding():
    """--weights of every type with scales says what it does to y: that is what --out has."""
    _, whole = scaled_layer()
    expected = output_of(whole)[0]['y'].values
    sizes = {'mxfp4': (0.01, 0.3), 'q4': (0.01, 0.2), 'q8': (1e-4, 0.02), 'fp8': (1e-3, 0.1), 'nvfp4': (0.05, 0.2)}
    names = tap.names_of(run('--weights', '?', whole, status=2))
    assert set(sizes) == set(names[3:]), names
    for name in sizes:
        out = os.path.join(scratch.name, 'rounding.safetensors')
        done = subprocess.run([RUN, *DEVICE, '--weights', name, '--out', out, '--validate', whole], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding='utf-8')
        assert done.returncode == 0 and not done.stderr, done
        lines, (written, said) = rows(done.stdout), tensor_file.read(out)
        y = written['y'].values
        error = [a - b for a, b in zip(y, expected)]
        change = math.dist(y, expected) / math.hypot(*expected)
        most = max(map(abs, error)) / max(map(abs, expected))
        line = lines['rounding'].split()
        assert said['weights'] == line[1] == name and lines['validation'].split()[1] == '0', (line, said)
        assert math.isclose(float(line[6]), change, rel_tol=0.01), (line, change)
        assert math.isclose(float(line[-4]), most, rel_tol=0.01), (line, most)
        assert sizes[name][0] <= change <= sizes[name][1], (name, change)


def overrides():
    """Options in place of the file's values: hard routing from a smooth file, by the expected logits."""
    path = os.path.join(FOLDER, 'smooth_wide.safetensors')
    tensors, metadata = tensor_file.read(path)
    written, said = output_of(path, '--eps', '0', '--k=3', '--max-active', '5', '--scale', '-2', '--temperature', '0.5',
                              '--tie-tolerance', '0.25', '--validate')
    assert (said['k'], said['max_active'], float(said['eps']), float(said['scale'])) == ('3', '5', 0.0, -2.0)
    for token, logits in enumerate(tensors['expected.logits'].rows()):
        ranks = sorted(range(len(logits)), key=lambda expert: (-logits[expert], expert))
        assert written['report.ids'].rows()[token] == ranks[:3] + [-1, -1], 'token %d' % token
        raw = [math.exp((logits[expert] - logits[ranks[0]]) / 0.5) for expert in ranks[:3]]
        close(written['report.weights'].rows()[token], [-2.0 * value / sum(raw) for value in raw] + [0.0, 0.0], 1e-5, 'weights')
        third, gap = logits[ranks[2]], logits[ranks[2]] - logits[ranks[3]]
        near = sum(abs(value - third) <= 0.25 for value in logits)
        if all(abs(abs(value - third) - 0.25) > 1e-4 for value in logits):
            assert written['report.order'].values[token] == (near - 1 if gap <= 0.25 else 0), 'token %d' % token
    run('--check', '--expected-active', '12', path)  # other tiles, the same results
    wide, _ = output_of(path, '--a', '2', '--b', '3')
    assert wide['report.active'].values == tensors['expected.active'].values
    assert wide['report.weights'].values != single(path)[0]['report.weights'].values


def check_catches():
    """One expected value moved by a little more than is allowed fails its row, and no other."""
    tensors, metadata = golden('smooth_capped')
    moved_in = {}  # path: the quantity

    def move(name, index, change):
        moved = copy.deepcopy(tensors)
        moved['expected.' + name].values[index] = change(moved['expected.' + name].values[index])
        path = os.path.join(scratch.name, 'moved_%d.safetensors' % len(moved_in))
        tensor_file.write(path, moved, metadata)
        moved_in[path] = name
    for name, step in (('logits', 1e-4), ('gap', 1e-4), ('eps', 1e-4), ('weights', 1e-2), ('y', 1.0), ('order', 1), ('active', 1),
                       ('ids', 1)):
        for index in (0, len(tensors['expected.' + name].values) - 1):
            move(name, index, lambda value: value + step)
    finite = len(moved_in)
    for value in (math.nan, math.inf):
        for name in ('logits', 'gap', 'eps', 'weights', 'y'):
            move(name, 1, lambda _: value)
    found = together(tuple(moved_in), '--check')
    assert list(found) == list(moved_in) and found.status == 1, (found.status, found.messages)
    for number, (path, name) in enumerate(moved_in.items()):
        lines, _ = found[path]
        for quantity in QUANTITIES if number < finite else (name,):
            # logits also set the tolerance of what follows; nothing that was right may become wrong by that
            expected = 'FAILED' if quantity == name else 'ok'
            assert lines[quantity].endswith(' ' + expected), '%s moved: %s' % (name, lines[quantity])
        assert lines['check'].endswith('FAILED')


def repeated(tensors, metadata, times):
    """The same tokens several times over: the file of a larger batch."""
    result, tokens = copy.deepcopy(tensors), tensors['x'].shape[0]
    for name, tensor in result.items():
        if name == 'x' or name.startswith('expected.'):
            tensor.values, tensor.shape = tensor.values * times, [tokens * times] + tensor.shape[1:]
    return result, dict(metadata, tokens=str(tokens * times))


def excuses():
    """Where two scores tie, another choice is excused for one token in 200, and not at all where logits are exact."""
    tensors, metadata = repeated(*golden('ties_hard'), 10)
    tokens = tensors['x'].shape[0]
    logits, ids = tensors['expected.logits'].rows(), tensors['expected.ids'].rows()
    most, tied = int(metadata['max_active']), []
    for token in range(tokens):
        chosen, other = ids[token][:2], [e for e in range(8) if e not in ids[token][:2]]
        same = [e for e in other if logits[token][e] == logits[token][chosen[1]]]
        if same and logits[token][chosen[0]] > logits[token][chosen[1]]:
            tied.append((token, same[0]))
    certain = [t for t in range(tokens) if tensors['expected.order'].values[t] == 0 and logits[t][ids[t][0]] > logits[t][ids[t][1]]]
    assert tokens == 240 and len(tied) >= 20 and certain
    paths = []

    def add(count, name, wrong=0):
        changed = copy.deepcopy(tensors)
        for token, expert in tied[:count]:
            changed['expected.ids'].values[token * most + 1] = expert
            changed['expected.y'].values[token * 16] += 1.0  # another expert's output
        for token in certain[:wrong]:
            changed['expected.ids'].values[token * most + 1] = 5  # never among the two best where nothing ties
        paths.append(os.path.join(scratch.name, 'excuses_%d.safetensors' % len(paths)))
        tensor_file.write(paths[-1], changed, dict(metadata, name=name))

    add(0, 'other'), add(1, 'other'), add(2, 'other'), add(1, 'ties_hard'), add(0, 'other', 1)
    found = together(tuple(paths), '--check')
    lines = [found[path][0] for path in paths]
    assert [one['check'].endswith('passed') for one in lines] == [True, True, False, False, False] and found.status == 1, lines
    assert lines[0]['excused'].split()[1] == '0'
    assert lines[1]['excused'].split()[1] == '1'
    assert lines[2]['excused'].endswith('FAILED')
    assert lines[3]['ids'].endswith('FAILED')
    assert '1 without excuse' in lines[4]['ids']


def of_tokens(tensors, metadata, kept):
    """The file of some of the tokens."""
    result = copy.deepcopy(tensors)
    for name, tensor in result.items():
        if name == 'x' or name.startswith('expected.'):
            step = len(tensor.values) // tensor.shape[0]
            tensor.values = [value for token in kept for value in tensor.values[token * step:(token + 1) * step]]
            tensor.shape = [len(kept)] + tensor.shape[1:]
    return result, dict(metadata, tokens=str(len(kept)))


def with_logit(tensors, experts, logit):
    """The layer with a router that gives these experts one logit for every token."""
    result, width, count = copy.deepcopy(tensors), tensors['x'].shape[1], tensors['expected.logits'].shape[1]
    for expert in experts:
        result['router.weight'].values[expert * width:(expert + 1) * width] = [0.0] * width
        result['router.bias'].values[expert] = logit
        result['expected.logits'].values[expert::count] = [logit] * tensors['x'].shape[0]
    return result


def balance_excuses():
    """Who runs ranks among all in balanced groups: two experts of one score that run excuse another order, and two far below every band
    do not."""
    experts, size, cap = (10, 24), 8, 3  # of a group
    tensors, metadata = golden('balanced_capped')
    most, logits = int(metadata['max_active']), tensors['expected.logits'].rows()
    lowest = min(map(min, logits)) - 1.0

    def runs_without(row):  # neither is one of the first cap + 1 of its group
        return all(sum(z > row[e] for z in row[e // size * size:][:size]) > cap for e in experts)
    tensors, metadata = of_tokens(tensors, metadata, [token for token, row in enumerate(logits) if runs_without(row)])
    low, high = with_logit(tensors, experts, lowest), with_logit(tensors, experts, -lowest)
    swapped = copy.deepcopy(low)
    swapped['expected.ids'].values[most:most + 2] = reversed(low['expected.ids'].values[most:most + 2])
    paths = [os.path.join(scratch.name, 'balance_%s.safetensors' % name) for name in ('low', 'swapped', 'high')]
    for path, written in zip(paths, (low, swapped, high)):
        tensor_file.write(path, written, metadata)
    found = together(tuple(paths), '--check')
    low, swapped, high = (found[path][0] for path in paths)
    tokens = tensors['x'].shape[0]
    assert tokens > 1 and low['check'].endswith('passed'), low
    assert '1 of %d tokens differ, 1 without excuse (first: token 1)' % tokens in swapped['ids'], swapped
    assert '%d of %d tokens differ, 0 without excuse' % (tokens, tokens) in high['ids'], high


def summary():
    """The device's totals in the summary, against the expected report."""
    for name in ('ties_tolerance', 'smooth_capped', 'all_equal_capped', 'sigmoid_grouped', 'balanced_capped'):
        tensors, metadata = golden(name)
        active, order, ids = (tensors['expected.' + key].values for key in ('active', 'order', 'ids'))
        eps = tensors['expected.eps'].values
        lines, _ = together(tuple(FILES), *CHECKED)[os.path.join(FOLDER, name + '.safetensors')]
        capped = sum(value == 0.0 for value in eps) if float(metadata['eps']) > 0 else 0
        assert lines['tokens'].split(': ')[1] == '%.3f experts active on average, %d at most; %d on a boundary, %d capped, 0 non-finite' % (
            sum(active) / len(active), max(active), sum(value > 0 for value in order), capped), lines['tokens']
        counts = ', '.join('%d: %d' % (value, order.count(value)) for value in range(8) if value in order)
        assert lines['orders'] == 'orders        %s tokens' % counts, lines['orders']
        by_expert = [ids.count(expert) for expert in range(int(metadata['n_experts']))]
        busiest, idlest = by_expert.index(max(by_expert)), by_expert.index(min(by_expert))
        assert lines['experts'].split('busiest ')[1] == '%d with %d tokens, idlest %d with %d' % (
            busiest, by_expert[busiest], idlest, by_expert[idlest]), lines['experts']
    for name, router in (('cosine_gmoe', 'cosine of width 16, softmax'),
                         ('sigmoid_grouped', 'linear, sigmoid with selection bias, the 3 best of 8 groups, group eps 0'),
                         ('group_max', 'linear, softmax, the 2 best of 4 groups by their best expert, group eps 0'),
                         ('balanced_capped', 'linear, softmax, the 1 best of each of 4 groups'),
                         ('weighted_input', 'linear, sigmoid, weights on the experts\' inputs'),
                         ('given_ids', 'linear, sqrt_softplus with selection bias; 3 experts given'),
                         ('given_weights', 'linear, softmax; 3 experts given with weights'),
                         ('softmax_bias_raw', 'linear, softmax_bias with selection bias, the last 4 experts the identity'),
                         ('expert_scale', 'linear, softmax, a factor for each expert')):
        lines, _ = together(tuple(FILES), *CHECKED)[os.path.join(FOLDER, name + '.safetensors')]
        assert lines['router'] == 'router        ' + router, lines['router']
    lines, _ = together(tuple(FILES), *CHECKED)[os.path.join(FOLDER, 'latent.safetensors')]
    assert lines['latent'] == "latent        width 20 of the routed experts' inputs and rows", lines['latent']


def divisors():
    """The floor's file has tokens whose weights' sum reaches the floor and tokens whose sum does not; an addend takes from every sum. What
    the device reports adds up to it."""
    for name, reached in (('floor_reached', {False, True}), ('addend_reached', {False})):
        path = os.path.join(FOLDER, name + '.safetensors')
        tensors, metadata = tensor_file.read(path)
        sums = [sum(row) / float(metadata['scale']) for row in tensors['expected.weights'].rows()]
        assert {value > 1 - 1e-9 for value in sums} == reached and max(sums) < 1 + 1e-9, (name, sums)
        close([sum(row) / float(metadata['scale']) for row in single(path)[0]['report.weights'].rows()], sums, 1e-5, name)


def groups():
    """report.groups and report.group_gap against the expected logits; a band for groups lets more of them in."""
    path = os.path.join(FOLDER, 'sigmoid_grouped.safetensors')
    tensors, metadata = tensor_file.read(path)
    written, _ = single(path)
    bias, band = tensors['router.selection_bias'].values, 0.25
    out = os.path.join(scratch.name, 'smooth_groups.safetensors')
    lines = rows(run('--group-eps', str(band), '--validate', '--out', out, path))
    smooth, said = tensor_file.read(out)
    assert float(said['group_eps']) == band and 'group eps 0.25' in lines['router']
    for token, logits in enumerate(tensors['expected.logits'].rows()):
        scores = [1.0 / (1.0 + math.exp(-z)) + b for z, b in zip(logits, bias)]
        ranks = sorted((sum(sorted(scores[at:at + 8])[-2:]) for at in range(0, 64, 8)), reverse=True)
        close([written['report.group_gap'].values[token]], [ranks[2] - ranks[3]], 1e-5, 'group gap')
        assert written['report.groups'].values[token] == 3
        if all(abs(ranks[2] - score - band) > 1e-5 for score in ranks):
            assert smooth['report.groups'].values[token] == sum(ranks[2] - score < band for score in ranks), 'token %d' % token
    assert max(smooth['report.groups'].values) > 3
    # The file may say so itself; --check is for hard groups.
    changed = os.path.join(scratch.name, 'grouped.safetensors')
    tensor_file.write(changed, tensors, dict(metadata, group_eps=str(band)))
    assert output_of(changed)[0]['y'].values == smooth['y'].values != written['y'].values
    assert 'group_eps must be 0' in run('--check', changed, status=2)


DEFAULTS = {'group_score': 'sum2'}  # what files need not say


def write_layer():
    """--write: the file it writes is the same layer with the same inputs, whatever the layer has."""
    paths = [os.path.join(FOLDER, name + '.safetensors')
             for name in ('cosine_gmoe', 'sigmoid_grouped', 'gated_swiglu', 'hard_top2_nobias', 'temperature', 'clamp_after', 'clamp_alpha',
                          'shared_limits', 'floor_reached', 'addend_reached', 'scaled_negative', 'group_max', 'balanced_capped',
                          'given_ids', 'given_weights', 'softmax_bias_raw', 'weighted_input', 'latent', 'latent_zero')]
    run('--write', scratch.name, *paths)
    copies = [os.path.join(scratch.name, stem(path) + '.layer.safetensors') for path in paths]
    again = together(tuple(copies))
    for path, copied in zip(paths, copies):
        tensors, metadata = tensor_file.read(path)
        written, said = tensor_file.read(copied)
        assert {key: (tensor.dtype, tensor.shape, tensor.values) for key, tensor in written.items()} == \
            {key: (tensor.dtype, tensor.shape, tensor.values) for key, tensor in tensors.items() if not key.startswith('expected.')}
        for key in ('k', 'renormalize', 'activation', 'gated', 'score', 'router', 'max_active', 'group_score', 'balanced_groups',
                    'weighted_input', 'zero_experts'):
            assert said.get(key, DEFAULTS.get(key)) == metadata.get(key, DEFAULTS.get(key)), key
        for key in ('renormalize_floor', 'renormalize_add'):
            assert math.isclose(float(said.get(key, 0)), float(metadata.get(key, 0)), rel_tol=1e-7), key
        for key in ('eps', 'a', 'b', 'temperature', 'tie_tolerance', 'scale'):
            assert math.isclose(float(said[key]), float(metadata[key]), rel_tol=1e-7), key
        for key in LIMITS:
            assert (key in said) == (key in metadata), key
            assert key not in said or math.isclose(float(said[key]), float(metadata[key]), rel_tol=1e-7), key
        assert again[copied][1][0]['y'].values == single(path)[0]['y'].values


def other_inputs():
    """--x and --tokens in place of the file's own inputs."""
    path, other = os.path.join(FOLDER, 'smooth_small.safetensors'), os.path.join(scratch.name, 'x.safetensors')
    tensors, _ = tensor_file.read(path)
    x = tensors['x']
    tensor_file.write(other, {'x': Tensor('F32', [3, 48], x.values[5 * 48:8 * 48])}, {})
    assert output_of(path, '--x', other)[0]['y'].values == single(path)[0]['y'].values[5 * 48:8 * 48]
    assert output_of(path, '--tokens', '7')[0]['y'].shape == [7, 48]


def calibrate():
    """--calibrate is exact: by the expected logits the eps it prints gives what it prints, and a little more breaks the budget."""
    paths = tuple(os.path.join(FOLDER, name + '.safetensors') for name in ('smooth_small', 'cosine_gmoe'))
    for path in paths:
        tensors, metadata = tensor_file.read(path)
        k, distances = int(metadata['k']), []
        for logits in tensors['expected.logits'].rows():
            kth = sorted(logits, reverse=True)[k - 1]
            distances += sorted((kth - z for z in logits), reverse=True)[:len(logits) - k]
        tokens = tensors['x'].shape[0]
        for wanted in (0, 0.25, 0.5, 1.0):
            words = together(paths, '--calibrate', str(wanted))[path][0]['calibration'].split()
            eps, extra = float(words[2].rstrip(':')), float(words[3])
            allowed = math.floor(wanted * tokens + 1e-9)
            assert abs(extra - allowed / tokens) < 1e-6, words  # distances all differ
            assert abs(eps - sorted(distances)[allowed]) < 1e-4, (words, sorted(distances)[allowed])


def timing():
    lines = rows(run('--repeat', '4', os.path.join(FOLDER, 'one_token.safetensors')))
    for stage in ('route_logits', 'route_select', 'sort', 'expert_up', 'expert_down', 'combine', 'device', 'host'):
        assert stage in lines and 'median' in lines['host'], lines
    for stage in ('route_project', 'route_group'):
        assert stage not in lines, 'a linear router without groups has no ' + stage


LIMITS = ('gate_max', 'up_limit', 'gate_limit_after', 'gate_alpha', 'up_offset', 'shared_gate_max', 'shared_up_limit',
          'shared_gate_limit_after')
assert len(FILES) >= 37, 'only %d golden files in %s' % (len(FILES), FOLDER)
NAMES = [(path, stem(path)) for path in FILES]
# Weights of 16 bits are the experts': the lean set has a file for each kind of experts, and not those with only another routing or widths
# that are aligned as theirs.
EXPERTS = ('smooth_small', 'gated_swiglu', 'cosine_gmoe', 'sigmoid_grouped', 'hard_top2_nobias')
EVERYTHING = os.environ.get('SMOE_TEST_EVERYTHING') == '1'
MORE = EXPERTS + ('smooth_c1', 'one_token', 'many_experts')
assert set(MORE) <= {name for _, name in NAMES}, 'no file for %s' % (set(MORE) - {name for _, name in NAMES})
NARROW = {'f16': tuple(path for path, name in NAMES if EVERYTHING or name in MORE),
          'bf16': tuple(path for path, name in NAMES if name in EXPERTS),
          'fp8': tuple(path for path, name in NAMES if name in EXPERTS[:2])}
tap.run([check_of_all] +
        [('%s: --check' % name, lambda path=path: check_passes(path)) for path, name in NAMES] +
        [('%s: --out' % name, lambda path=path: out_comes_back(path)) for path, name in NAMES] +
        [('%s: float16 weights' % stem(path), lambda path=path: narrow_weights(path, 'f16', 0.01)) for path in NARROW['f16']] +
        [('%s: bfloat16 weights' % stem(path), lambda path=path: narrow_weights(path, 'bf16', 0.05)) for path in NARROW['bf16']] +
        [('%s: fp8 weights' % stem(path), lambda path=path: narrow_weights(path, 'fp8', 0.1)) for path in NARROW['fp8']] +
        [('a float16 file', lambda: narrow_file('F16', 'f16')), ('a bfloat16 file', lambda: narrow_file('BF16', 'bf16'))] +
        [scaled_file, rounding, overrides, check_catches, excuses, balance_excuses, summary, divisors, groups, write_layer, other_inputs,
         calibrate, timing])
