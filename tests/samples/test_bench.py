"""smoe-bench: what its JSON holds and how its numbers hang together, its outputs against the layer computed here in plain Python,
rows that do not fit the device, and wrong command lines. No time is judged."""
import array
import functools
import json
import math
import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

PROGRAM = tap.BUILD + '/bin/smoe-bench'
run = functools.partial(tap.outputs, PROGRAM)
STAGES = ['route_project', 'route_logits', 'route_group', 'route_select', 'totals', 'sort', 'expert_up', 'expert_down', 'combine']
# What the JSON must say of these presets; what is not named here must be absent.
LAYERS = {
    'tiny': {'d_model': 64, 'd_hidden': 96, 'experts': 8, 'top_k': 2, 'max_active': 6, 'router': 'linear', 'router_bias': False,
             'gate': 'softmax', 'selection_bias': False, 'activation': 'gelu', 'gated': False, 'renormalize': True, 'biases': True},
    'tiny-grouped': {'d_model': 64, 'd_hidden': 48, 'experts': 16, 'top_k': 4, 'max_active': 8, 'router': 'linear',
                     'router_bias': True, 'gate': 'sigmoid', 'selection_bias': True, 'groups': 4, 'top_groups': 2, 'shared_hidden': 80,
                     'shared_gate': True, 'activation': 'silu', 'gated': True, 'renormalize': True, 'biases': True},
    'gmoe-s16': {'d_model': 384, 'd_hidden': 1536, 'experts': 6, 'top_k': 2, 'max_active': 6, 'router': 'cosine',
                 'projection_width': 256, 'router_bias': True, 'gate': 'softmax', 'selection_bias': False, 'activation': 'gelu',
                 'gated': False, 'renormalize': True, 'biases': True},
}
OF_LAYERS = set().union(*LAYERS.values())
TYPES = ['f32', 'f16', 'bf16']
CAPABILITIES = ['subgroup_arithmetic', 'subgroup_ballot', 'subgroup_shuffle', 'subgroup_size_control', 'cooperative_matrix',
                'cooperative_matrix_bfloat16']  # by bit, as smoe-devices --json names them
# A matrix of 137 GB: within the floor's 128 MiB an expert, beyond any device's memory.
HUGE = '1024,1,8192,4096,1'

WRONG = [['--preset'], ['--preset', 'nobody'], ['--weights', 'f64'], ['--weights', 'bf'], ['--weights='],
         ['--seconds', '0'], ['--seconds', 'inf'], ['--seconds', '1s'], ['--repeat', '0'], ['--repeat', '-1'], ['--repeat', '1000000'],
         ['--tokens', '0'], ['--tokens', '1.5'], ['--eps', '0'], ['--eps', 'nan'], ['--group-eps', '0'], ['--memory', '1.5'], ['--json'],
         ['--json='], ['--list=yes'], ['--max-active', '1', '--preset', 'tiny'], ['--max-active', '9', '--preset', 'tiny'],
         ['--hard', '--eps', '0.1'], ['--hard', '--group-eps', '0.1'], ['--totals=1'], ['--hard', '--expected-active', '2'],
         ['--expected-active', '1', '--preset', 'tiny'], ['--expected-active', '7', '--preset', 'tiny'],
         ['--expected-active', '4', '--max-active', '3', '--preset', 'tiny'], ['--shape', '8,2,64,96'],
         ['--shape', '8,2,64,96,1,2'], ['--shape', '8,2,64,96,1,gated,gated'], ['--shape', '8,9,64,96,1'], ['--shape', '8,0,64,96,1'],
         ['--shape', '1025,2,64,96,1'], ['--shape', '8,2,65537,96,1'], ['--shape', '8, 2,64,96,1'],
         ['--shape', '8,2,64,96,1', '--preset', 'tiny'], ['--peer-data', '--shape', '8,2,64,96,1'], ['--peer-data'],
         ['--peer-data', '--preset', 'olmoe'], ['--mixed-precision', '--weights', 'f32'], ['--mixed-precision', '--totals'],
         ['--mixed-precision=1'], ['--mask', '0'], ['--mask', '1000000'], ['--mask', 'f16']]


def rows_of(*arguments):
    return json.loads(run(*arguments, '--no-peak', '--repeat', '1', '--json', '-')[0])['rows']


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-9)


def check_spread(spread, what):
    values = [spread[name] for name in ('min', 'p10', 'median', 'p90', 'max')]
    assert values == sorted(values) and values[0] > 0, '%s: %s' % (what, spread)


def stages_of(row, totals):
    absent = [name for name, there in (('route_project', row['router'] == 'cosine'), ('route_group', 'groups' in row), ('totals', totals))
              if not there]
    return [name for name in STAGES if name not in absent]


def work_of(row, active):
    """Operations by stage: every matrix multiplication of `rows` rows is 2 * rows * inputs * outputs."""
    tokens, d, h, e, p = row['tokens'], row['d_model'], row['d_hidden'], row['experts'], row.get('projection_width', 0)
    shared = row.get('shared_hidden', 0)
    up_matrices = 2 if row['gated'] else 1
    flop = {'expert_up': up_matrices * (2 * active * d * h + 2 * tokens * d * shared),
            'expert_down': 2 * active * h * d + 2 * tokens * shared * d,
            'combine': 2 * active * d + (2 * tokens * d if shared else 0)}
    if row['router'] == 'cosine':
        flop['route_project'] = 2 * tokens * d * p
        flop['route_logits'] = 2 * tokens * p * e + 2 * tokens * p + 2 * e * p
    else:
        flop['route_logits'] = 2 * tokens * d * e
    if row.get('shared_gate'):
        flop['route_logits'] += 2 * tokens * d
    return flop


def bytes_of(row, active_experts):
    tokens, d, e, p = row['tokens'], row['d_model'], row['experts'], row.get('projection_width', 0)
    weight, up_matrices = 4 if row['weights'] == 'f32' else 2, 2 if row['gated'] else 1

    def expert(hidden):
        return (up_matrices + 1) * d * hidden * weight + (4 * (up_matrices * hidden + d) if row['biases'] else 0)

    if row['router'] == 'cosine':
        numbers = p * d + p * e + 1 + (p if row['router_bias'] else 0)
    else:
        numbers = e * d + (e if row['router_bias'] else 0)
    numbers += (e if row['selection_bias'] else 0) + (d if row.get('shared_gate') else 0) + 2 * tokens * d
    return active_experts * expert(row['d_hidden']) + (expert(row['shared_hidden']) if 'shared_hidden' in row else 0) + 4 * numbers


def check_answers(one, tokens, what, most=1e-4):
    """What the device computed is compared with the reference, for 8 tokens at most."""
    check = one['check']
    assert check['good'] is True and 'wrong' not in check and 'not_checked' not in one, '%s: %s' % (what, check)
    assert check['tokens'] == min(tokens, 8) and 0 <= check['excused'] <= check['tokens'], '%s: %s' % (what, check)
    assert 0 < check['largest_difference'] <= check['allowed'] < most, '%s: %s' % (what, check)


def check_run(row, routing, result, totals, forwards):
    one, peak = row[routing], result['peak']
    what = '%s, %d tokens, %s, %s' % (row['layer'], row['tokens'], row['weights'], routing)
    tokens = row['tokens']
    extra = 0 if routing == 'hard' else max(1, tokens // 2)
    assert one['active_total'] == tokens * row['top_k'] + extra, '%s: %d active' % (what, one['active_total'])
    assert near(one['active_mean'], one['active_total'] / tokens), what
    assert row['top_k'] <= one['active_experts'] <= min(row['experts'], one['active_total']), what
    assert (one['eps'] > 0) == (routing == 'smooth'), what
    assert ('group_eps' in one) == ('groups' in row) and (one.get('group_eps', 0) > 0) == (routing == 'smooth' and 'groups' in row), what
    assert one['forwards'] == forwards, what
    check_answers(one, tokens, what)

    flop = work_of(row, one['active_total'])
    assert near(one['flop'], sum(flop.values())), '%s: %g' % (what, one['flop'])
    assert near(one['bytes'], bytes_of(row, one['active_experts'])), '%s: %g' % (what, one['bytes'])

    check_spread(one['host_ns'], what)
    time = one['host_ns']['median']
    if result['device']['timestamps']:
        time = one['device_ns']['median']
        check_spread(one['device_ns'], what)
        assert list(one['stages']) == stages_of(row, totals), '%s: %s' % (what, list(one['stages']))
        for name, stage in one['stages'].items():
            assert near(stage['flop'], flop.get(name, 0)), '%s: %s' % (what, name)
            if stage['flop'] and stage['ns']['median']:
                assert near(stage['flop_per_second'], stage['flop'] / stage['ns']['median'] * 1e9), '%s: %s' % (what, name)
        assert one['stages']['expert_up']['ns']['median'] > 0, what
    assert near(one['flop_per_second'], one['flop'] / time * 1e9), what
    assert near(one['bytes_per_second'], one['bytes'] / time * 1e9), what
    if peak['fma_flop_per_second']:
        assert near(one['share_of_fma'], one['flop_per_second'] / peak['fma_flop_per_second']), what
        fastest = max(value for name, value in peak.items() if name.endswith('bytes_per_second'))
        assert near(one['share_of_bytes'], one['bytes_per_second'] / fastest), what
    else:
        assert one['share_of_fma'] is None and one['share_of_bytes'] is None, what


def check_row(row, result, totals, forwards):
    assert {name: row[name] for name in OF_LAYERS if name in row} == LAYERS[row['layer']], row
    assert list(row['kernels']) == stages_of(row, totals) and all(kernel['name'] for kernel in row['kernels'].values()), row['kernels']
    for routing in ('hard', 'smooth'):
        check_run(row, routing, result, totals, forwards)
    assert row['smooth_over_hard_time'] > 0, row
    assert near(row['smooth_over_hard_experts'], row['smooth']['active_total'] / row['hard']['active_total']), row
    assert row['totals_over_none_time'] > 0 if totals else 'totals_over_none_time' not in row, row


def json_of_the_tiny_preset():
    text, table = run('--preset', 'tiny', '--repeat', '3', '--json', '-')
    result = json.loads(text)
    assert result['version'] and 'commit' in result, text
    for name in ('name', 'driver', 'driver_info', 'driver_version', 'memory_size'):
        assert name in result['device'], name
    for name in ('fma_flop_per_second', 'copy_command_bytes_per_second', 'copy_kernel_bytes_per_second', 'read_bytes_per_second'):
        assert result['peak'][name] > 0, name
    assert result['peak']['repeats'] == 3, result['peak']
    found = [(row['layer'], row['weights'], row['tokens']) for row in result['rows']]
    assert found == [('tiny', weights, tokens) for weights in TYPES for tokens in (1, 33)], found
    for row in result['rows']:
        check_row(row, result, False, 3)
    for part in ('tiny, T = 33, f16', 'checked: 8 tokens', 'layer, host', 'smooth over hard', result['device']['name']):
        assert part in table, table
    assert not any(name in table for name in ('route_project', 'route_group', 'totals')), table


def every_stage_and_the_cost_of_totals():
    for totals in (False, True):
        text, table = run('--preset', 'tiny-grouped', '--preset', 'gmoe-s16', '--tokens', '5', '--repeat', '2', '--no-peak', '--json', '-',
                          *(['--totals'] if totals else []))
        result = json.loads(text)
        found = [(row['layer'], row['weights'], row['tokens']) for row in result['rows']]
        assert found == [(layer, weights, 5) for layer in ('tiny-grouped', 'gmoe-s16') for weights in TYPES], found
        for row in result['rows']:
            check_row(row, result, totals, 2)
        for part in ('cosine 256', 'sigmoid, 2 of 4 groups, gated shared 80', 'group eps'):
            assert part in table, table
        assert ('hard with totals over hard without' in table) == totals, table


def options_choose_what_runs():
    row, = rows_of('--preset=tiny', '--weights=f16', '--tokens', '5', '--eps', '0.25', '--max-active', '3')
    assert (row['tokens'], row['weights'], row['max_active'], row['smooth']['eps']) == (5, 'f16', 3, 0.25), row
    assert row['hard']['active_mean'] == 2 and row['smooth']['share_of_fma'] is None, row
    assert (row['hard']['expected_active'], row['smooth']['expected_active']) == (2, 2), row
    row, = rows_of('--preset=tiny', '--weights=f16', '--tokens', '33', '--eps', '9', '--expected-active', '6')
    assert (row['hard']['expected_active'], row['smooth']['expected_active'], row['smooth']['active_mean']) == (2, 6, 6), row
    row, = rows_of('--preset', 'tiny-grouped', '--weights', 'f32', '--tokens', '5', '--eps', '0.25', '--group-eps', '0.5')
    assert (row['smooth']['eps'], row['smooth']['group_eps']) == (0.25, 0.5), row
    row, = rows_of('--preset', 'tiny-grouped', '--weights', 'f32', '--tokens', '5', '--eps', '0.25')
    assert (row['smooth']['eps'], row['smooth']['group_eps']) == (0.25, 0.25), row
    first, second = rows_of('--preset', 'tiny', '--weights', 'bf16', '--weights', 'f32', '--tokens', '5', '--hard')
    assert (first['weights'], second['weights']) == ('f32', 'bf16'), (first, second)
    row, = rows_of('--shape', '5,2,7,9,3', '--weights', 'f32', '--hard')
    assert (row['experts'], row['top_k'], row['d_model'], row['d_hidden'], row['tokens'], row['gated']) == (5, 2, 7, 9, 3, False), row
    assert row['max_active'] == 2 and 'smooth' not in row and row['smooth_over_hard_time'] is None, row


def mixed_precision_beside_none():
    text, table = run('--preset', 'tiny', '--mixed-precision', '--tokens', '33', '--no-peak', '--repeat', '2', '--hard', '--json', '-')
    rows = json.loads(text)['rows']
    assert [row['weights'] for row in rows] == ['f16', 'bf16'], rows
    assert all(row['mixed_precision'] is True and row['mixed_over_float32_time'] > 0 for row in rows), rows
    assert table.count('hard with mixed precision over hard without') == 2, table
    row, = rows_of('--preset', 'tiny', '--weights', 'f16', '--tokens', '33', '--hard')
    assert row['mixed_precision'] is False and 'mixed_over_float32_time' not in row, row
    check_answers(row['hard'], 33, 'f16')
    for mixed in rows:
        check_answers(mixed['hard'], 33, mixed['weights'], 0.1)
        assert mixed['hard']['check']['allowed'] > row['hard']['check']['allowed'], (mixed, row)


def run_masked(mask):
    """The device and the kernels of a row's JSON, and the line of the table's header that says what is masked."""
    text, table = run('--preset', 'tiny', '--weights', 'f32', '--tokens', '33', '--hard', '--no-peak', '--repeat', '1', '--json', '-',
                      *(['--mask', str(mask)] if mask else []))
    result = json.loads(text)
    return result['device']['capabilities'], result['rows'][0]['kernels'], [line for line in table.splitlines() if 'masked' in line]


def masked_capabilities_are_named_and_choose_other_kernels():
    there, _, lines = run_masked(0)
    assert len(there) > 1 and there == [name for name in CAPABILITIES if name in there] and not lines, (there, lines)
    for mask in (1, 6, 63):
        masked = [name for i, name in enumerate(CAPABILITIES) if mask >> i & 1]
        left, kernels, lines = run_masked(mask)
        assert left == [name for name in there if name not in masked], (mask, left)
        assert lines == ['masked: ' + ' '.join(masked)], (mask, lines)
    assert kernels['expert_up']['name'] in ('expert_up_tiled', 'expert_up_vector_basic'), kernels


def half(value):
    return struct.unpack('<e', struct.pack('<e', value))[0]


def bfloat(value):
    """The upper half of a float32, rounded to nearest even."""
    bits, = struct.unpack('<I', struct.pack('<f', value))
    return struct.unpack('<f', struct.pack('<I', (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000))[0]


def single(value):
    return struct.unpack('<f', struct.pack('<f', value))[0]


def draw(seed, count, scale):
    """The peer's generator: 16 bits at a time."""
    values, scale = [], single(scale)
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) % 2 ** 32
        values.append(single(((seed >> 8 & 0xffff) / 32768 - 1) * scale))
    return values


def product(matrix, vector):
    width = len(vector)
    return [sum(w * v for w, v in zip(matrix[i:i + width], vector)) for i in range(0, len(matrix), width)]


def layer(experts, top_k, d, h, tokens, rounded):
    """The peer's layer in double: gated silu, softmax over the chosen experts' logits."""
    x, router = draw(1, tokens * d, 1), draw(2, experts * d, 1)
    up, gate = ([rounded(w) for w in draw(seed, experts * h * d, 1 / math.sqrt(d))] for seed in (4, 5))
    down = [rounded(w) for w in draw(6, experts * d * h, 1 / math.sqrt(h))]
    result, size = [], d * h
    for t in range(tokens):
        row = x[t * d:(t + 1) * d]
        logits = product(router, row)
        chosen = sorted(range(experts), key=lambda e: (-logits[e], e))[:top_k]
        exponentials = [math.exp(logits[e] - logits[chosen[0]]) for e in chosen]
        y = [0.0] * d
        for e, exponential in zip(chosen, exponentials):
            part = slice(e * size, (e + 1) * size)
            hidden = [g / (1 + math.exp(-g)) * u for g, u in zip(product(gate[part], row), product(up[part], row))]
            y = [a + exponential / sum(exponentials) * b for a, b in zip(y, product(down[part], hidden))]
        result += y
    return result


def peer_data_gives_the_layer_that_plain_python_gives():
    shape = (7, 3, 20, 24, 5)
    with tempfile.TemporaryDirectory() as folder:
        for weights, rounded in (('f32', lambda w: w), ('f16', half), ('bf16', bfloat)):
            path = os.path.join(folder, weights)
            rows_of('--shape', ','.join(map(str, shape)) + ',gated', '--weights', weights, '--hard', '--peer-data', '--dump', path)
            values, expected = array.array('f'), layer(*shape, rounded)
            with open(path, 'rb') as file:
                values.frombytes(file.read())
            assert len(values) == len(expected), '%s: %d numbers' % (weights, len(values))
            worst = max(abs(a - b) for a, b in zip(values, expected))
            # Sums of 24 float32 products of numbers below 1: 24 roundings of 2^-24 and the hidden values' own.
            assert worst < 1e-5 * max(map(abs, expected)), '%s: %s differs by %g' % (weights, shape, worst)


def what_does_not_fit_is_unsupported():
    for arguments, part in ((['--shape', HUGE], 'GB'), (['--preset', 'tiny', '--memory', '0.00000001'], 'GB of device memory'),
                            (['--preset', 'deepseek-v3', '--memory', '0.05'], 'GB'),
                            (['--shape', '1,1,65536,65536,1'], 'maxStorageBufferRange')):
        for row in rows_of(*arguments):
            assert part in row['unsupported'] and 'hard' not in row and 'smooth' not in row, row
        table, _ = run(*arguments, '--no-peak')
        assert 'unsupported: ' in table and 'ms' not in table.split('unsupported: ')[1].splitlines()[0], table
    for row in rows_of('--shape', '2,2,8,8,3'):
        assert row['hard']['active_mean'] == 2 and row['smooth']['unsupported'], row


def validation_layers_say_nothing():
    # The layer leaks, and is unloaded before the leak check runs, so that no suppression can name it.
    table, messages = run('--preset', 'tiny', '--preset', 'tiny-grouped', '--preset', 'gmoe-s16', '--tokens', '5', '--totals',
                          '--repeat', '1', '--validate',
                          env={'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'})
    assert 'validation: 0 messages' in table and not messages, table + messages


def files_and_devices():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'result.json')
        table, _ = run('--preset', 'tiny', '--tokens', '1', '--repeat', '1', '--no-peak', '--json', path)
        with open(path, encoding='utf-8') as file:
            assert len(json.load(file)['rows']) == len(TYPES) and 'tiny' in table, table
        for option in ('--json', '--dump'):
            _, messages = run('--preset', 'tiny', '--repeat', '1', '--no-peak', option, folder + '/missing/file', status=2)
            assert 'cannot be written' in messages, messages
    _, messages = run('--device', 'no such device', status=1)
    assert 'no such device' in messages, messages


def presets_are_listed():
    assert all(name in run('--list')[0] for name in ('tiny-grouped', 'gmoe-s16', 'switch-base-16', 'olmoe', 'qwen3-30b-a3b', 'gpt-oss-20b',
                                                  'moonlight-16b', 'ling-mini-2.0', 'deepseek-v3'))


def wrong_command_lines():
    for arguments in WRONG:
        text, messages = run(*arguments, status=2)
        assert messages.startswith('smoe-bench: ') and len(messages.splitlines()) == 1 and not text, '%s: %s' % (arguments, messages)


tap.run([json_of_the_tiny_preset, every_stage_and_the_cost_of_totals, options_choose_what_runs, mixed_precision_beside_none,
         masked_capabilities_are_named_and_choose_other_kernels,
         peer_data_gives_the_layer_that_plain_python_gives, what_does_not_fit_is_unsupported, validation_layers_say_nothing,
         files_and_devices, presets_are_listed, wrong_command_lines])
