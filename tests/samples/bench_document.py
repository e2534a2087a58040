"""What a document of smoe-bench's results must hold, and how its numbers hang together."""
import datetime
import math
import re

STAGES = ['route_project', 'route_logits', 'route_group', 'route_select', 'totals', 'sort', 'expert_up', 'expert_down', 'combine']
# What the JSON must say of these presets; what is not named here must be absent.
LAYERS = {
    'tiny': {'d_model': 64, 'd_hidden': 96, 'experts': 8, 'top_k': 2, 'max_active': 6, 'router': 'linear', 'router_bias': False,
             'gate': 'softmax', 'selection_bias': False, 'activation': 'gelu', 'gated': False, 'renormalize': True, 'biases': True},
    'tiny-grouped': {'d_model': 64, 'd_hidden': 48, 'experts': 16, 'top_k': 4, 'max_active': 8, 'router': 'linear',
                     'router_bias': True, 'gate': 'sigmoid', 'selection_bias': True, 'groups': 4, 'top_groups': 2, 'group_score': 'sum2',
                     'shared_hidden': 80, 'shared_gate': True, 'activation': 'silu', 'gated': True, 'renormalize': True, 'biases': True},
    'tiny-balanced': {'d_model': 64, 'd_hidden': 48, 'experts': 16, 'top_k': 4, 'max_active': 8, 'router': 'linear', 'router_bias': False,
                      'gate': 'softmax_bias', 'selection_bias': True, 'balanced_groups': 2, 'expert_scale': True, 'gate_max': 0.5,
                      'up_limit': 0.75, 'gate_limit_after': 0.25, 'gate_alpha': 1.7020000219345093, 'up_offset': 1,
                      'renormalize_floor': 0.5, 'shared_hidden': 80, 'shared_gate': False, 'shared_gate_max': 1, 'shared_up_limit': 0.5,
                      'activation': 'silu', 'gated': True, 'renormalize': True, 'biases': False},
    'gmoe-s16': {'d_model': 384, 'd_hidden': 1536, 'experts': 6, 'top_k': 2, 'max_active': 6, 'router': 'cosine',
                 'projection_width': 256, 'router_bias': True, 'gate': 'softmax', 'selection_bias': False, 'activation': 'gelu',
                 'gated': False, 'renormalize': True, 'biases': True},
    'shape': {'d_model': 256, 'd_hidden': 256, 'experts': 5, 'top_k': 2, 'max_active': 5, 'router': 'linear', 'router_bias': False,
              'gate': 'softmax', 'selection_bias': False, 'activation': 'silu', 'gated': True, 'renormalize': True, 'biases': False},
}
LAYERS = {name: {'expert_scale': False, **members} for name, members in LAYERS.items()}
OF_LAYERS = set().union(*LAYERS.values())
TYPES = ['f32', 'f16', 'bf16']
# The format of files that a type is made for, and bits of a weight there.
FORMATS = {'f32': ('F32', 32), 'f16': ('F16', 16), 'bf16': ('BF16', 16), 'mxfp4': ('MXFP4', 4.25), 'q4': ('Q4_0', 4.5), 'q8': ('Q8_0', 8.5),
           'fp8': ('FP8 128x128', 8 + 32 / 128 ** 2), 'nvfp4': ('NVFP4', 4.5), 'iq4': ('IQ4_NL', 4.5), 'iq4_xs': ('IQ4_XS', 4.25),
           'q4_min': ('Q4_1', 5), 'q4_zero': ('INT4 zero 128', 4.15625), 'q4_k': ('Q4_K', 4.5), 'q8_min': ('Q5_1', 6),
           'q8_zero': ('INT8 zero 128', 8.1875), 'q8_k': ('Q5_K', 5.5), 'q6_k': ('Q6_K', 6.5625), 'q8_rows': ('INT8 rows', 8),
           'fp8_rows': ('FP8 rows', 8)}
# include/smoe/weights.h: bits of an element; columns and rows of a block, bytes of its scale; columns and bytes of a second scale; whether
# there is a factor.
BLOCKS = {'mxfp4': (4, 32, 1, 1, 0, 0, False), 'q4': (4, 32, 1, 2, 0, 0, True), 'q8': (8, 32, 1, 2, 0, 0, True),
          'fp8': (8, 128, 128, 4, 0, 0, False), 'nvfp4': (4, 16, 1, 1, 0, 0, True), 'iq4': (4, 32, 1, 2, 0, 0, False),
          'iq4_xs': (4, 32, 1, 1, 256, 2, False), 'q4_min': (4, 32, 1, 4, 0, 0, False), 'q4_zero': (4, 32, 1, 2, 32, 1, True),
          'q4_k': (4, 32, 1, 2, 256, 4, False), 'q8_min': (8, 32, 1, 4, 0, 0, False), 'q8_zero': (8, 32, 1, 2, 32, 1, True),
          'q8_k': (8, 32, 1, 2, 256, 4, False), 'q6_k': (8, 16, 1, 1, 256, 2, False), 'q8_rows': (8, 128, 1, 4, 0, 0, False),
          'fp8_rows': (8, 128, 1, 4, 0, 0, False)}
CAPABILITIES = ['subgroup_arithmetic', 'subgroup_ballot', 'subgroup_shuffle', 'subgroup_size_control', 'cooperative_matrix',
                'cooperative_matrix_bfloat16']  # by bit, as smoe-devices --json names them
# Every peak that is not of the device's matrices, and its unit.
PEAKS = {'fma_float32': 'flop/s', 'fma_float16': 'flop/s', 'dot_int8': 'op/s', 'copy_command': 'byte/s', 'copy_kernel': 'byte/s',
         'read': 'byte/s', 'host_to_device': 'byte/s', 'device_to_host': 'byte/s', 'empty_dispatch': 'ns', 'barrier': 'ns'}
# What may be missing on a device that is usable, and why.
MAY_MISS = {'fma_float16': 'no shaderFloat16', 'dot_int8': 'no shaderIntegerDotProduct', 'empty_dispatch': 'more took no longer',
            'barrier': 'more took no longer', 'matrix': 'no kernel of smoe-bench|the device has no|too old'}
MATRIX = re.compile(r'matrix_(\w+?[0-9])_(\w+?[0-9])_(\d+)x(\d+)x(\d+)')


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-9)


def check_spread(spread, what):
    values = [spread[name] for name in ('min', 'p10', 'median', 'p90', 'max')]
    assert values == sorted(values) and values[0] > 0, '%s: %s' % (what, spread)


def stages_of(row, totals):
    groups = 'groups' in row or 'balanced_groups' in row
    absent = [name for name, there in (('route_project', row['router'] == 'cosine'), ('route_group', groups), ('totals', totals))
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


def matrix_bytes(weights, rows, columns):
    if weights not in BLOCKS:
        return rows * columns * (4 if weights == 'f32' else 2)
    bits, block_columns, block_rows, scale, second_columns, second, factor = BLOCKS[weights]
    size = rows * -(-columns * bits // 128) * 16 + -(-rows // block_rows) * -(-columns // block_columns) * scale
    if second:
        size = -(-size // 4) * 4 + rows * (columns // second_columns) * second
    return -(-size // 16) * 16 + (16 if factor else 0)


def weights_of(row, active_experts):
    """Of the matrices of the experts that ran: their number, and their bytes."""
    d, up_matrices = row['d_model'], 2 if row['gated'] else 1
    count = size = 0
    for experts, hidden in ((active_experts, row['d_hidden']), (1, row.get('shared_hidden', 0))):
        count += experts * (up_matrices + 1) * d * hidden
        if hidden:
            size += experts * (up_matrices * matrix_bytes(row['weights'], hidden, d) + matrix_bytes(row['weights'], d, hidden))
    return count, size


def bytes_of(row, active_experts):
    tokens, d, e, p = row['tokens'], row['d_model'], row['experts'], row.get('projection_width', 0)
    up_matrices = 2 if row['gated'] else 1

    def biases(hidden):
        return 4 * (up_matrices * hidden + d) if row['biases'] else 0

    if row['router'] == 'cosine':
        numbers = p * d + p * e + 1 + (p if row['router_bias'] else 0)
    else:
        numbers = e * d + (e if row['router_bias'] else 0)
    numbers += e * row['selection_bias'] + e * row['expert_scale'] + (d if row.get('shared_gate') else 0) + 2 * tokens * d
    of_biases = active_experts * biases(row['d_hidden']) + (biases(row['shared_hidden']) if 'shared_hidden' in row else 0)
    return weights_of(row, active_experts)[1] + of_biases + 4 * numbers


def middle(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def check_samples(one, timestamps, what):
    """The kept samples give the median, its error and the drift; half of the ranks a standard deviation around the middle."""
    samples, count = one['samples_ns'], one['forwards']
    assert len(samples) == min(count, 256) and all(value == int(value) for value in samples), what
    if count > 256:
        return
    median, ordered, first = middle(samples), sorted(samples), count // 10
    assert abs(median - one['device_ns' if timestamps else 'host_ns']['median']) <= 1, what
    low, high = (int(f((count - 1) / 2 + sign * math.sqrt(count) / 2)) for f, sign in ((math.floor, -1), (math.ceil, 1)))
    expected = (ordered[high] - ordered[low]) / 2 / median if count >= 16 else None
    assert one['median_error'] is expected is None or abs(one['median_error'] - expected) < 1e-5, (what, one['median_error'], expected)
    expected = middle(samples[first:]) / middle(samples[:first]) if first >= 4 else None
    assert one['drift'] is expected is None or abs(one['drift'] - expected) < 1e-4, (what, one['drift'], expected)


def check_head(result, line):
    assert result['format'] == 1 and result['run']['command_line'] == line, result['run']
    assert set(result['program']) == {'name', 'version', 'commit', 'compiler', 'mode', 'shader_tools'}, result['program']
    assert result['program']['name'] == 'smoe-bench' and result['program']['compiler'] and result['program']['mode'], result['program']
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(result['run']['date'] + '+0000', '%Y-%m-%dT%H:%M:%SZ%z')
    assert datetime.timedelta(0) <= age < datetime.timedelta(hours=1), result['run']
    assert set(result['system']) == {'os', 'cpu', 'cpu_count', 'memory_bytes'}, result['system']


def check_peaks(peaks, repeats):
    """Each kind once and first, then the matrices, each once; a value and the number of runs, or the reason."""
    names = [peak['name'] for peak in peaks]
    assert names[:len(PEAKS)] == list(PEAKS) and len(set(names)) == len(names), names
    for peak in peaks:
        name, matrix = peak['name'], MATRIX.fullmatch(peak['name'])
        assert name in PEAKS or matrix, name
        unit = PEAKS[name] if name in PEAKS else 'op/s' if 'int' in matrix[1] else 'flop/s'
        if 'not_measured' in peak:
            assert set(peak) == {'name', 'unit', 'not_measured'}, peak
            assert re.search(MAY_MISS.get('matrix' if matrix else name, 'nothing'), peak['not_measured']), peak
        else:
            assert set(peak) == {'name', 'unit', 'value', 'best_of'}, peak
            assert 0 < peak['value'] < 1e18 and 1 <= peak['best_of'] <= repeats, peak
        assert peak['unit'] == unit, peak


def value_of(peaks, name):
    return next((peak['value'] for peak in peaks if peak['name'] == name and 'value' in peak), None)


def peak_of_kernel(peaks, kernel):
    """The name and the value that a kernel's share is of; None where it was not measured."""
    if 'cooperative' not in kernel:
        value = value_of(peaks, 'fma_float32')
        return value and ('fma_float32', value)
    prefix = 'matrix_%s_float32_' % ('bfloat16' if 'bfloat16' in kernel else 'float16')
    found = [(peak['value'], peak['name']) for peak in peaks if peak['name'].startswith(prefix) and 'value' in peak]
    return (max(found)[1], max(found)[0]) if found else None


def check_shares(row, one, peaks, time, what):
    """Stage by stage, and the run's: the time that its operations would take at the peaks, over its time."""
    least = 0
    for name, flop in work_of(row, one['active_total']).items():
        found = peak_of_kernel(peaks, row['kernels'][name]['name'])
        least = least + flop / found[1] * 1e9 if found and least is not None else None
        stage = one.get('stages', {}).get(name)
        if stage and found:
            assert stage['peak'] == found[0], '%s: %s: %s' % (what, name, stage)
            if stage['ns']['median']:
                assert near(stage['share_of_peak'], flop / stage['ns']['median'] * 1e9 / found[1]), '%s: %s' % (what, name)
        elif stage:
            assert stage['peak'] is None and stage['share_of_peak'] is None, '%s: %s: %s' % (what, name, stage)
    assert one['share_of_operations'] is None if least is None else near(one['share_of_operations'], least / time), what
    moved = [value for value in (value_of(peaks, name) for name in ('copy_command', 'copy_kernel', 'read')) if value]
    assert near(one['share_of_bytes'], one['bytes_per_second'] / max(moved)) if moved else one['share_of_bytes'] is None, what


def check_answers(one, tokens, what, most=1e-4):
    """What the device computed is compared with the reference, for 8 tokens at most."""
    check = one['check']
    assert check['good'] is True and 'wrong' not in check and 'not_checked' not in one, '%s: %s' % (what, check)
    assert check['tokens'] == min(tokens, 8) and 0 <= check['excused'] <= check['tokens'], '%s: %s' % (what, check)
    assert 0 < check['largest_difference'] <= check['allowed'] < most, '%s: %s' % (what, check)


def check_run(row, routing, result, totals, forwards):
    one = row[routing]
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
    count, size = weights_of(row, one['active_experts'])
    assert (row['file_format'], row['file_bits']) == FORMATS[row['weights']], row
    assert near(one['weights_bytes'], size) and near(one['file_bytes'], count * row['file_bits'] / 8), (what, one)

    check_spread(one['host_ns'], what)
    check_samples(one, result['devices'][row['device']]['timestamps'], what)
    time = one['host_ns']['median']
    if result['devices'][row['device']]['timestamps']:
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
    assert near(one['ns_per_file_byte'], time / one['file_bytes']), what
    check_shares(row, one, result['devices'][row['device']]['peaks'], time, what)


def check_row(row, result, totals, forwards):
    assert {name: row[name] for name in OF_LAYERS if name in row} == LAYERS[row['layer']], row
    assert list(row['kernels']) == stages_of(row, totals) and all(kernel['name'] for kernel in row['kernels'].values()), row['kernels']
    for routing in ('hard', 'smooth'):
        check_run(row, routing, result, totals, forwards)
    assert row['smooth_over_hard_time'] > 0, row
    assert near(row['smooth_over_hard_experts'], row['smooth']['active_total'] / row['hard']['active_total']), row
    assert row['totals_over_none_time'] > 0 if totals else 'totals_over_none_time' not in row, row
