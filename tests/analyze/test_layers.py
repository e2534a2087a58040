"""smoe-analyze's subcommands that run a layer: what they measured against the theory beside it, within bounds or sampling errors; a
layer file with a router whose boundary mass is known; wrong command lines; and the pictures, where matplotlib can be imported.

A measured number may be LIMIT standard errors off. The seed is 1 or SMOE_TEST_SEED, and every failure prints the command line."""
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden'))
import tap
import tensor_file

PROGRAM = tap.BUILD + '/bin/smoe-analyze'
SEED = os.environ.get('SMOE_TEST_SEED', '') or '1'
SEED = str(int(time.time()) if SEED == 'time' else int(SEED, 0) % 2 ** 53)
LIMIT = 5
FOLDER = tempfile.TemporaryDirectory()
WRITTEN = {}  # name: path of a result's JSON, for the pictures


class Result:
    """What a subcommand wrote as JSON, run under the validation layers."""

    def __init__(self, name, command, *options):
        WRITTEN[name] = os.path.join(FOLDER.name, name + '.json')
        arguments = [command, *options, '--seed', SEED]
        self.how = ' '.join(arguments)
        out = tap.command(PROGRAM, *arguments, '--validate', '--json', WRITTEN[name])
        self.check('validation: 0 messages' in out, out)
        with open(WRITTEN[name], encoding='utf-8') as file:
            self.json = json.load(file)
        for part in ('tables', 'fits', 'comparisons', 'values', 'arrays'):
            setattr(self, part, self.json[part])

    def check(self, condition, text):
        assert condition, '%s: %s' % (self.how, text)

    def check_near(self, what, measured, predicted, error):
        self.check(error > 0 and abs(measured - predicted) <= LIMIT * error, '%s: %g, not %g +- %g' % (what, measured, predicted, error))

    def check_at_most(self, what, measured, bounds, slack):
        for i, (value, bound) in enumerate(zip(measured, bounds)):
            self.check(value <= bound * (1 + slack) + slack, '%s, row %d: %g exceeds %g' % (what, i, value, bound))


def write_layer(name, tensors, **metadata):
    """A layer file of float32 tensors: {name: (shape, values)}."""
    header, data = {'__metadata__': {key: str(value) for key, value in metadata.items()}}, b''
    for tensor, (shape, values) in tensors.items():
        raw = struct.pack('<%df' % len(values), *values)
        header[tensor] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path = os.path.join(FOLDER.name, name + '.safetensors')
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)
    return path


def two_experts(name, tokens, offset, inputs=True, **metadata):
    """Two experts whose scores differ by <v, x> + offset, |v| = 2, on inputs N(0, I) of width 4; and the inputs' gaps."""
    source = random.Random(int(SEED))
    x = [struct.unpack('<f', struct.pack('<f', source.gauss(0, 1)))[0] for _ in range(4 * tokens)]
    tensors = {'router.weight': ([2, 4], [1, 1, -1, 1, 0, 0, 0, 0]), 'router.bias': ([2], [offset, 0]),
               'experts.w1': ([2, 1, 4], [1] * 8), 'experts.w2': ([2, 4, 1], [1] * 4 + [-1] * 4)}
    if inputs:
        tensors['x'] = ([tokens, 4], x)
    known = dict(k=1, score='softmax', router='linear', renormalize=True, activation='identity', gated=False, max_active=2)
    gaps = [abs(x[i] + x[i + 1] - x[i + 2] + x[i + 3] + offset) for i in range(0, len(x), 4)]
    return write_layer(name, tensors, **{**known, **metadata}), gaps


# ---- the tests

def soft_to_hard():
    result = Result('soft', 'soft-to-hard', '--tokens', '4096', '--tau-count', '9')
    values = result.values
    for name in ('all', 'near', 'far'):
        table = result.tables[name]
        # Float32's own errors are relative to |L_0|, the unit of the table.
        result.check_at_most(name + ': mean error', table['mean'], table['bound'], 1e-5)
        result.check_at_most(name + ': bound', table['bound'], table['gap_bound'], 1e-12)
        result.check(table['mean'] == sorted(table['mean'], reverse=True), '%s does not fall with tau: %s' % (name, table['mean']))
    everything, near, far = (result.tables[name] for name in ('all', 'near', 'far'))
    for tau, theory in zip(everything['tau'], everything['theory']):
        predicted = math.log(2) * tau * values['mass_slope'] * values['jump']
        result.check(math.isclose(theory, predicted, rel_tol=1e-9), 'theory at %g: %g, not %g' % (tau, theory, predicted))
    # Every mask is 1 to float32, and the weights are the softmax's: x exp(-x) < 1 is what an error of z / tau can do to them.
    result.check(values['weight_off'] < 8 * 2 ** -23, 'weights off by %g' % values['weight_off'])
    slope, rate = result.fits['slope'], result.comparisons['rate']
    result.check(0 < slope['slope_error'] < 0.2, slope)
    result.check_near('power of tau', slope['slope'], 1, slope['slope_error'])
    result.check_near('error over tau', rate['measured'], rate['predicted'], rate['error'])
    # At the last tau the quarter with the smallest gaps has all of the error, up to (E-1) exp(-gap / tau); the far half has none.
    left = 7 * math.exp(-values['near_to'] / everything['tau'][-1])
    result.check(abs(near['mean'][-1] / everything['mean'][-1] - 4) < 4 * left / everything['mean'][-1] + 0.01, 'near: %s' % near['mean'])
    result.check(far['mass'][-1] == 0 and far['mean'][-1] < 1e-6 < everything['mean'][-1], 'far: %s' % far['mean'])


def check_line(result, steps, jump):
    """What holds of every line: the hard step is J up to what the layer moves within a cell, the smooth one is below its bound."""
    result.check(abs(jump['measured'] - jump['predicted']) <= steps['bound'][-1] + 1e-5 * jump['predicted'], jump)
    result.check_at_most('smooth', steps['smooth'], steps['bound'], 1e-4)
    result.check(result.values['bound'] >= steps['smooth_per_step'][-1] > 0, result.values)
    result.check(result.values['crossings'] >= 1, result.values)
    result.check(result.values['outside_different'] == 0, result.values)
    for fine, coarse in zip(steps['input_step'][1:], steps['input_step']):
        result.check(math.isclose(2 * fine, coarse), steps['input_step'])


def continuity_of_experts():
    result = Result('continuity', 'continuity', '--experts', '6', '--k', '2', '--eps', '0.4')
    steps, jump = result.tables['steps'], result.comparisons['jump']
    check_line(result, steps, jump)
    result.check(min(steps['hard'][-6:]) > 0.9 * jump['predicted'] > 0, 'the hard step vanishes: %s' % steps['hard'])
    # Twelve halvings of the step: those of the output follow once the step is below the mask's own width.
    result.check(steps['smooth'][-1] < 0.02 * jump['predicted'], 'the smooth step does not vanish: %s' % steps['smooth'])
    result.check(abs(result.comparisons['power_hard']['measured']) < 0.01, result.comparisons)
    result.check(abs(result.comparisons['power_smooth']['measured'] - 1) < 0.1, result.comparisons)
    result.check('eps_only' not in steps and 'y_eps_only' not in result.arrays, 'groups in a layer without')


def continuity_of_groups():
    result = Result('groups', 'continuity', '--experts', '16', '--k', '3', '--groups', '4', '--top-groups', '2', '--group-eps', '0.5')
    steps, jump = result.tables['steps'], result.comparisons['jump']
    result.check(result.json['texts']['boundary'] == 'groups', result.json['texts'])
    check_line(result, steps, jump)
    result.check(result.values['outside_groups_different'] == 0, result.values)
    for name in ('hard', 'eps_only'):  # eps alone does not smooth over groups
        result.check(min(steps[name][-6:]) > 0.9 * max(steps[name][-6:]) > 0.1 * jump['predicted'] > 0, '%s: %s' % (name, steps[name]))
        result.check(abs(result.comparisons['power_' + name]['measured']) < 0.01, result.comparisons)
    result.check(steps['smooth'][-1] < 0.1 * steps['smooth'][-6], 'the smooth step does not vanish: %s' % steps['smooth'])


def bits_outside_the_bands():
    """A line far longer than the bands are wide."""
    result = Result('bits', 'continuity', '--experts', '16', '--k', '3', '--groups', '4', '--eps', '0.05', '--group-eps', '0.5',
                    '--reach', '10', '--levels', '10')
    values = result.values
    for name in ('outside', 'outside_groups'):
        result.check(values[name] > 0 and values[name + '_different'] == 0, values)
    result.check(values['outside'] <= values['outside_groups'] < 1025, values)


def cost_and_calibration():
    result = Result('cost', 'cost', '--experts', '12', '--tokens', '3001', '--repeats', '2', '--budget', '0.4')
    table, values = result.tables['cost'], result.values
    result.check(table['mean_active'] == table['k_plus_extra'], 'the device ran %s, not %s' % (table['mean_active'], table['k_plus_extra']))
    result.check(table['eps'][0] == 0 and table['mean_active'][0] == 2, table)
    result.check(table['mean_active'] == sorted(table['mean_active']) and not any(table['capped']), table)
    at = table['eps'].index(values['calibrated_eps'])
    result.check(math.isclose(table['mean_active'][at], 2 + values['calibrated_extra']), 'calibration counts otherwise: %s' % values)
    result.check(values['calibrated_extra'] <= 0.4 < values['extra_at_next'], values)
    result.check(values['calibrated_eps'] == values['host_eps'], values)
    # k + slope eps up to eps^2: at a 16th of the calibrated eps what is missing there is a 256th.
    extra = table['mean_active'][1] - 2
    missing = abs(table['mean_active'][at] - table['k_plus_slope_eps'][at]) / 200
    error = math.hypot(math.sqrt(extra / 3001), values['mass_slope_error'] * table['eps'][1])
    result.check(abs(table['mean_active'][1] - table['k_plus_slope_eps'][1]) <= LIMIT * error + missing, table)
    result.check(all(ratio > 0 for ratio in table['time_ratio']), table['time_ratio'])


def budgets_at_the_edges():
    """A budget whose product with T rounds to below a whole number, and one that every band keeps to: all run with the last eps."""
    result = Result('rounding', 'cost', '--tokens', '300', '--budget', '0.41', '--repeats', '0')
    result.check(0.41 * 300 < 123 and result.values['calibrated_extra'] <= 123 / 300 < result.values['extra_at_next'], result.values)
    result = Result('unlimited', 'cost', '--tokens', '256', '--budget', '100', '--repeats', '0')
    table = result.tables['cost']
    result.check(any('every band keeps to the budget' in note for note in result.json['notes']), result.json['notes'])
    result.check(result.values['host_eps'] >= 1e30 and 'extra_at_next' not in result.values, result.values)
    result.check(table['mean_active'] == table['k_plus_extra'] == sorted(table['mean_active']), table)
    result.check(table['mean_active'][0] == 2 and table['mean_active'][-2] < table['mean_active'][-1] == 8, table['mean_active'])


def bands_of_a_file():
    """continuity takes eps and group_eps of the file, unless they are given."""
    source = random.Random(int(SEED))
    tensors = {'router.weight': ([8, 4], [source.gauss(0, 1) for _ in range(32)]), 'experts.w1': ([8, 1, 4], [1] * 32),
               'experts.w2': ([8, 4, 1], [source.gauss(0, 1) for _ in range(32)])}
    path = write_layer('groups', tensors, k=2, score='softmax', router='linear', renormalize=True, activation='identity', gated=False,
                       max_active=8, n_group=4, topk_group=2, eps=0.375, group_eps=0.625)
    for given, eps, group_eps in (([], 0.375, 0.625), (['--eps', '0.5', '--group-eps', '0.75'], 0.5, 0.75)):
        result = Result('bands', 'continuity', path, '--levels', '8', '--boundary', 'experts', *given)
        result.check((result.values['eps'], result.values['group_eps']) == (eps, group_eps), result.values)


def numbers_of_experts():
    """Experts with limits, an alpha and an offset: the jump, of each expert run by itself, is the layer's."""
    source, experts, width, hidden = random.Random(int(SEED)), 6, 8, 12
    shapes = {'router.weight': [experts, width], 'experts.w1': [experts, hidden, width], 'experts.w3': [experts, hidden, width],
              'experts.w2': [experts, width, hidden]}
    tensors = {name: (shape, [source.gauss(0, 1) for _ in range(math.prod(shape))]) for name, shape in shapes.items()}
    path = write_layer('numbers', tensors, k=2, score='softmax', renormalize=True, activation='silu', max_active=6, eps=0.4, gate_max=0.5,
                       up_limit=0.75, gate_limit_after=0.125, gate_alpha=1.702, up_offset=2)
    result = Result('numbers', 'continuity', path)
    check_line(result, result.tables['steps'], result.comparisons['jump'])


def mass_of_a_known_router():
    tokens, offset = 20000, 0.7
    path, gaps = two_experts('known', tokens, offset)
    result = Result('mass', 'boundary-mass', path)
    table, values = result.tables['layer_mass'], result.values
    result.check(values['finite'] == tokens and values['totals_off'] == 0, values)
    for w, measured in zip(table['w'], table['mass']):
        near = sum(abs(gap - w) < 1e-5 for gap in gaps)  # float32 may put these on the other side
        count = sum(gap <= w for gap in gaps)
        result.check(abs(measured * tokens - count) <= near + 1e-6, 'gaps up to %g: %g, not %d' % (w, measured * tokens, count))
        exact = 0.5 * (math.erf((w - offset) / math.sqrt(8)) + math.erf((w + offset) / math.sqrt(8)))
        result.check_near('mass at %g' % w, measured, exact, math.sqrt(exact * (1 - exact) / tokens) + 1e-9)
    # The line up to w* is the chord there: the closed form's own slope differs by its mean curvature.
    to = values['mass_to']
    chord = 0.5 * (math.erf((to - offset) / math.sqrt(8)) + math.erf((to + offset) / math.sqrt(8))) / to
    result.check_near('slope', values['mass_slope'], chord, values['mass_slope_error'])
    at_0 = 2 * math.exp(-(offset / 2) ** 2 / 2) / math.sqrt(2 * math.pi) / 2
    result.check(abs(chord / at_0 - 1) < 0.1, 'w* = %g is beyond where the mass is linear' % to)
    power = result.comparisons['layer_power']
    result.check_near('power of w', power['measured'], power['predicted'], power['error'])


def mass_of_the_digits():
    path = os.path.join(FOLDER.name, 'digits.safetensors')
    tap.command('src/tools/analyze/digits_layer.py', path)  # as README.md has it
    result = Result('digits', 'boundary-mass', path)
    result.check(result.values['tokens'] == 1797 and result.values['totals_off'] == 0, result.values)
    power = result.comparisons['layer_power']
    result.check_near('power of w', power['measured'], 1, power['error'])


def weights_with_scales():
    """A file whose weights have scales gives what one of the same numbers in float32 gives, each expert run by itself, too."""
    source, experts, width, hidden, tokens = random.Random(int(SEED)), 4, 32, 64, 512
    floats = {'router.weight': tensor_file.tensor('F32', [experts, width], [source.gauss(0, 0.3) for _ in range(experts * width)]),
              'x': tensor_file.tensor('F32', [tokens, width], [source.gauss(0, 1) for _ in range(tokens * width)])}
    shapes = {'experts.w1': [experts, hidden, width], 'experts.w2': [experts, width, hidden]}
    metadata = {'k': '1', 'activation': 'relu', 'gated': 'False', 'renormalize': 'True', 'score': 'softmax', 'max_active': '2'}
    paths = tensor_file.write_q8_pair(FOLDER.name, shapes, floats, source, metadata)
    for name, options in (('soft-to-hard', ('--tau-count', '4')), ('continuity', ('--levels', '8', '--eps', '0.4'))):
        one, two = (Result(kind, name, *options, path) for kind, path in zip(('stored', 'floats'), paths))
        compared = 0
        for table, columns in two.tables.items():
            for column, numbers in columns.items():
                same = [(a, b) for a, b in zip(one.tables[table][column], numbers) if b is not None]
                one.check(len(same) == sum(a is not None for a in one.tables[table][column]), '%s.%s' % (table, column))
                for a, b in same:
                    one.check(abs(a - b) <= 1e-3 * max(abs(value) for _, value in same), '%s.%s: %g, not %g' % (table, column, a, b))
                compared += len(same)
        one.check(compared > 0, list(one.tables))


def wrong_command_lines():
    sigmoid, _ = two_experts('sigmoid', 4, 0, score='sigmoid')
    known, _ = two_experts('bare', 4, 0, inputs=False)
    capped, _ = two_experts('capped', 4, 0, max_active=1)
    plain, _ = two_experts('plain', 512, 0)
    unknown, _ = two_experts('unknown', 4, 0, activation='mish')
    ones = [1] * 4
    balanced, _ = two_experts('balanced', 4, 0, k=2, balanced_groups=2)
    single = write_layer('single', {'router.weight': ([1, 4], ones), 'experts.w1': ([1, 1, 4], ones), 'experts.w2': ([1, 4, 1], ones)}, k=1,
                         score='softmax', router='linear', renormalize=True, activation='identity', gated=False, max_active=1)
    for arguments in (['soft-to-hard', sigmoid], ['soft-to-hard', '--tokens', '1'], ['soft-to-hard', '--k', '2'],
                      ['soft-to-hard', 'no-such-file'], ['continuity', '--boundary', 'walls'], ['continuity', '--boundary', 'groups'],
                      ['continuity', '--k', '8'], ['continuity', '--k', '9'], ['continuity', '--groups', '3'],
                      ['continuity', '--groups', '4', '--top-groups', '5'], ['continuity', capped], ['cost', unknown],
                      ['cost', '--groups', '8', '--top-groups', '1'], ['cost', known, '--experts', '4'], ['cost', known, '--k', '1'],
                      ['cost', '--budget', 'nan'], ['boundary-mass', 'no-such-file'], ['cost', plain, '--tokens', '512'],
                      ['soft-to-hard', plain, '--tokens', '512'], ['continuity', plain, '--group-eps', '0.5'],
                      ['continuity', '--group-eps', '0.5'], ['cost', plain, '--group-eps', '0.5'], ['cost', '--top-groups', '2'],
                      ['cost', '--k', '8'], ['cost', single], ['cost', balanced],
                      ['continuity', balanced], ['cost', '--groups', '4', '--top-groups', '1'], ['boundary-mass', single]):
        output, messages = tap.outputs(PROGRAM, *arguments, status=2)
        alone = len(messages.splitlines()) == 1 and messages.startswith('smoe-analyze: ') and not output
        assert alone, '%s: %s%s' % (arguments, output, messages)
    # Without inputs in the file they are drawn, and a note says so.
    out = tap.command(PROGRAM, 'boundary-mass', known)
    assert 'they are drawn' in out, out
    # Then their number is an option's to say.
    out = tap.command(PROGRAM, 'cost', known, '--tokens', '300', '--repeats', '0')
    assert 'inputs T: 300' in out, out


def python_with_matplotlib():
    for python in (sys.executable, '/usr/bin/python3'):
        if os.path.exists(python) and subprocess.run([python, '-c', 'import matplotlib, PIL'], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise tap.Skip('matplotlib cannot be imported (python3-matplotlib)')


def pictures():
    python = python_with_matplotlib()
    for command in ('volume', 'occupation', 'paths', 'boundary-mass'):
        path = WRITTEN['simulated-' + command] = os.path.join(FOLDER.name, command + '.json')
        tap.command(PROGRAM, command, '--samples', '2000', '--seed', SEED, '--json', path)
    assert len(WRITTEN) >= 11, 'only these ran: %s' % sorted(WRITTEN)
    others = ('bits', 'bands', 'numbers', 'rounding', 'stored', 'floats')
    pairs = [(path, os.path.join(FOLDER.name, name)) for name, path in WRITTEN.items() if name not in others]
    # As README.md has it; a python3 first in PATH that has matplotlib.
    path = os.path.dirname(python) + os.pathsep + os.environ['PATH']
    tap.command('src/tools/analyze/plot.py', *[path for pair in pairs for path in pair], env={'PATH': path})
    for _, picture in pairs:
        root = xml.etree.ElementTree.parse(picture + '.svg').getroot()
        assert root.tag.endswith('svg') and len(list(root.iter())) > 100, '%s: an empty picture' % picture
        with open(picture + '.png', 'rb') as file:
            png = file.read()
        assert png[:8] == b'\x89PNG\r\n\x1a\n' and 5000 < len(png) < 60000, '%s: a PNG of %d bytes' % (picture, len(png))
    tap.command(python, 'src/tools/analyze/plot.py', WRITTEN['cost'], status=1)


tap.run([soft_to_hard, continuity_of_experts, continuity_of_groups, bits_outside_the_bands, cost_and_calibration, budgets_at_the_edges,
         bands_of_a_file, numbers_of_experts, mass_of_a_known_router, mass_of_the_digits, weights_with_scales,
         wrong_command_lines, pictures])
