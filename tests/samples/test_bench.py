"""smoe-bench: what its JSON holds and how its numbers hang together, its outputs against the layer computed here in plain Python,
rows that do not fit the device, and wrong command lines. No time is judged."""
import array
import csv
import functools
import getpass
import io
import json
import math
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
from bench_document import (CAPABILITIES, FORMATS, PEAKS, TYPES, check_answers, check_head, check_peaks, check_row, check_shares, near,
                            value_of)

PROGRAM = tap.BUILD + '/bin/smoe-bench'
run = functools.partial(tap.outputs, PROGRAM)
# A matrix of 137 GB: within the floor's 128 MiB an expert, beyond any device's memory.
HUGE = '1024,1,8192,4096,1'

WRONG = [['--preset'], ['--preset', 'nobody'], ['--weights', 'f64'], ['--weights', 'bf'], ['--weights='],
         ['--seconds', '0'], ['--seconds', 'inf'], ['--seconds', '1s'], ['--repeat', '0'], ['--repeat', '-1'], ['--repeat', '1000000'],
         ['--tokens', '0'], ['--tokens', '1.5'], ['--eps', '0'], ['--eps', 'nan'], ['--group-eps', '0'], ['--memory', '1.5'], ['--json'],
         ['--json='], ['--list=yes'], ['--max-active', '1', '--preset', 'tiny'], ['--max-active', '9', '--preset', 'tiny'],
         ['--max-active', '7', '--preset', 'tiny-balanced'],
         ['--hard', '--eps', '0.1'], ['--hard', '--group-eps', '0.1'], ['--totals=1'], ['--hard', '--expected-active', '2'],
         ['--expected-active', '1', '--preset', 'tiny'], ['--expected-active', '7', '--preset', 'tiny'],
         ['--expected-active', '4', '--max-active', '3', '--preset', 'tiny'], ['--shape', '8,2,64,96'],
         ['--shape', '8,2,64,96,1,2'], ['--shape', '8,2,64,96,1,gated,gated'], ['--shape', '8,9,64,96,1'], ['--shape', '8,0,64,96,1'],
         ['--shape', '1025,2,64,96,1'], ['--shape', '8,2,65537,96,1'], ['--shape', '8, 2,64,96,1'],
         ['--shape', '8,2,64,96,1', '--preset', 'tiny'], ['--peer-data', '--shape', '8,2,64,96,1'], ['--peer-data'],
         ['--peer-data', '--preset', 'olmoe'], ['--mixed-precision', '--weights', 'f32'], ['--mixed-precision', '--totals'],
         ['--mixed-precision=1'], ['--mask', '1000000'], ['--mask', '1,'], ['--mask=1:9*0'],
         ['--tokens', '8:1'], ['--tokens', '1,x'], ['--weights', 'f16,'], ['--weights', 'f16,f64'], ['--eps', '0.1:0.2'],
         ['--eps', '0.1,0'],
         ['--format', 'xml'], ['--error', '-1'], ['--error', '1.5'], ['--route', '--mixed-precision'], ['--route', '--dump', 'y'],
         ['--experts', '8'], ['--top-k', '2', '--preset', 'tiny'], ['--route', '--experts', '8', '--preset', 'tiny'],
         ['--route', '--experts', '4', '--top-k', '8'], ['--route', '--experts', '1:60', '--top-k', '1,2'], ['--device='],
         ['--max-active', '2,9', '--preset', 'tiny'], ['--mask', 'f16'],
         ['--weights', 'mxfp5'], ['--weights', 'q4_0'], ['--weights', 'all,'], ['--fit=1'], ['--mixed-precision', '--weights', 'all'],
         ['--weights', 'mxfp4,q4,'], ['--route', '--weights', 'fp9']]


def rows_of(*arguments):
    return json.loads(run(*arguments, '--no-peak', '--repeat', '1', '--json', '-')[0])['rows']


def json_of_the_tiny_preset():
    text, table = run('--preset', 'tiny', '--repeat', '3', '--json', '-')
    result = json.loads(text)
    check_head(result, ['--preset', 'tiny', '--repeat', '3', '--json', 'FILE'])
    device, = result['devices']
    for name in ('name', 'driver', 'driver_info', 'driver_version', 'memory_size', 'masked', 'quirks'):
        assert name in device, name
    check_peaks(device['peaks'], 3)
    for name in ('fma_float32', 'copy_command', 'copy_kernel', 'read', 'host_to_device', 'device_to_host'):
        assert value_of(device['peaks'], name), device['peaks']
    for peak in device['peaks']:
        line, = [line for line in table.splitlines() if line.split()[:1] == [peak['name']]]
        assert ('not measured' in line) == ('not_measured' in peak), line
    found = [(row['layer'], row['weights'], row['tokens']) for row in result['rows']]
    assert found == [('tiny', weights, tokens) for weights in TYPES for tokens in (1, 33)], found
    for row in result['rows']:
        check_row(row, result, False, 3)
    for part in ('tiny, T = 33, f16', 'checked: 8 tokens', 'layer, host', 'smooth over hard', device['name']):
        assert part in table, table
    assert not any(name in table for name in ('route_project', 'route_group', 'totals')), table


def every_stage_and_the_cost_of_totals():
    for totals in (False, True):
        text, table = run('--preset', 'tiny-grouped', '--preset', 'gmoe-s16', '--tokens', '5', '--repeat', '2', '--no-peak', '--json', '-',
                          *(['--totals'] if totals else []))
        result = json.loads(text)
        assert result['devices'][0]['peaks'] == [] and 'peaks: not measured: not asked for: --no-peak' in table, table
        found = [(row['layer'], row['weights'], row['tokens']) for row in result['rows']]
        assert found == [(layer, weights, 5) for layer in ('tiny-grouped', 'gmoe-s16') for weights in TYPES], found
        for row in result['rows']:
            check_row(row, result, totals, 2)
        for part in ('cosine 256', 'sigmoid, 2 of 4 groups, gated shared 80', 'group eps'):
            assert part in table, table
        assert ('hard with totals over hard without' in table) == totals, table


def every_number_of_a_layer():
    text, table = run('--preset', 'tiny-balanced', '--weights', 'f32', '--tokens', '5', '--repeat', '2', '--no-peak', '--json', '-')
    result = json.loads(text)
    row, = result['rows']
    check_row(row, result, False, 2)
    assert 'softmax_bias, 2 balanced groups, factors, shared 80' in table, table


def options_choose_what_runs():
    row, = rows_of('--preset=tiny', '--weights=f16', '--tokens', '5', '--eps', '0.25', '--max-active', '3')
    assert (row['tokens'], row['weights'], row['max_active'], row['smooth']['eps']) == (5, 'f16', 3, 0.25), row
    assert row['hard']['active_mean'] == 2 and row['smooth']['share_of_operations'] is None, row
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


def weights_with_scales():
    """Each type there is; with biases and a cosine router those that such a layer can have; what blocks do not divide is unsupported."""
    names = list(FORMATS)
    for arguments, layer, least in ((['--shape', '5,2,256,256,3,gated'], 'shape', len(names)),
                                    (['--preset', 'gmoe-s16', '--tokens', '3'], 'gmoe-s16', len(names) - 4)):
        text, table = run(*arguments, '--weights', 'all', '--repeat', '2', '--json', '-')
        result = json.loads(text)
        assert [(row['layer'], row['weights']) for row in result['rows']] == [(layer, name) for name in names], result['rows']
        there = [row for row in result['rows'] if 'unsupported' not in row]
        assert len(there) == least, [row.get('unsupported') for row in result['rows']]
        for row in there:
            check_row(row, result, False, 2)
            found = re.search(r'^%s, T = 3, %s: .*\n(?:.+\n)*?    weights: .* as (.*) of ([\d.]+) bits: ' % (layer, row['weights']), table,
                              re.MULTILINE)
            assert (found[1], found[2]) == (row['file_format'], '%.4g' % row['file_bits']), (found, row)
    rows = rows_of('--preset', 'tiny-grouped', '--weights', 'fp8,mxfp4', '--tokens', '3')  # a hidden width of 48, and a shared one of 80
    assert 'd_hidden: 48, must be a multiple of 32' in rows[0]['unsupported'] and rows[1]['hard']['check']['good'], rows


def presets_have_the_type_that_they_are_published_in():
    own = {row['layer']: row['weights'] for row in rows_of('--tokens', '1', '--memory', '1e-9') if row['weights'] not in TYPES}
    assert own == {'qwen3-30b-a3b': 'q4', 'gpt-oss-20b': 'mxfp4', 'deepseek-v4-flash': 'mxfp4', 'deepseek-v3': 'fp8'}, own
    found = [row['weights'] for row in rows_of('--preset', 'gpt-oss-20b', '--tokens', '1', '--memory', '1e-9', '--weights', 'f16,q8')]
    assert found == ['f16', 'q8'], found


def what_fits_of_a_layer():
    """Half the experts, as often as it takes, and as many for every type."""
    shape, least = '64,1,256,1024,2', 2 * 256 * 1024 * 64 * 4
    memory = json.loads(run('--preset', 'tiny', '--memory', '1e-9', '--no-peak', '--json', '-')[0])['devices'][0]['memory_size']
    arguments = ['--shape', shape, '--weights', 'f32,q4', '--hard', '--memory', '%.9f' % (0.9 * least / memory)]
    text, table = run(*arguments, '--fit', '--no-peak', '--repeat', '1', '--json', '-')
    first, second = json.loads(text)['rows']
    assert first['experts'] == second['experts'] in (32, 16, 8, 4, 2) and first['experts_cut_from'] == 64, (first, second)
    assert first['hard']['check']['good'] and second['hard']['check']['good'], (first, second)
    assert table.count('E %d of 64,' % first['experts']) == 2, table
    first, second = rows_of(*arguments)  # without --fit, and with a reason that fewer experts do not mend
    assert 'GB' in first['unsupported'] and 'unsupported' not in second, (first, second)
    assert first['experts'] == 64 and 'experts_cut_from' not in first, first
    row, = rows_of('--preset', 'tiny', '--fit', '--tokens', '1', '--weights', 'f32', '--memory', '1e-9')
    assert 'GB' in row['unsupported'] and row['experts'] == 8, row


def lists_and_ranges_are_swept():
    rows = rows_of('--preset', 'tiny', '--weights', 'f16,f32', '--tokens', '1,3:12*2', '--max-active', '3,4', '--eps', '0.1,0.3')
    found = [(row['max_active'], row['weights'], row['tokens'], round(row['given_eps'], 6)) for row in rows]
    assert found == [(cap, weights, tokens, eps) for cap in (3, 4) for weights in ('f32', 'f16') for tokens in (1, 3, 6, 12)
                     for eps in (0.1, 0.3)], found
    assert all(row['smooth']['eps'] == row['given_eps'] and 'given_group_eps' not in row for row in rows), rows
    rows = rows_of('--preset', 'tiny-grouped,tiny', '--weights', 'f32', '--tokens', '9', '--expected-active', '4:6', '--group-eps', '0.5,1',
                   '--eps', '0.25')
    found = [(row['layer'], row['given_expected_active'], row.get('given_group_eps')) for row in rows]
    assert found == [('tiny', expected, None) for expected in (4, 5, 6)] + [
        ('tiny-grouped', expected, band) for band in (0.5, 1) for expected in (4, 5, 6)], found
    rows = rows_of('--shape', '5,2,7,9,3', '--shape=8,1,16,4,2,gated', '--weights', 'f32', '--hard')
    assert [(row['experts'], row['tokens'], row['gated']) for row in rows] == [(5, 3, False), (8, 2, True)], rows


def several_devices_and_masks():
    text, table = run('--device', '0', '--device', '0', '--mask', '0,4', '--preset', 'tiny', '--weights', 'f32', '--tokens', '2', '--hard',
                      '--no-peak', '--repeat', '1', '--json', '-')
    result = json.loads(text)
    assert [device['masked'] for device in result['devices']] == [[], ['subgroup_shuffle']] * 2, result['devices']
    assert [row['device'] for row in result['rows']] == [0, 1, 2, 3] and result['run']['finished'], result['rows']
    assert table.count('device: ') == 4 and table.count(result['devices'][0]['name']) == 8, table
    result = json.loads(run('--device', 'all', '--preset', 'tiny', '--weights', 'f32', '--tokens', '2', '--hard', '--no-peak', '--repeat',
                            '1', '--json', '-')[0])
    listed = re.split(r'^\d+: ', tap.outputs(tap.BUILD + '/bin/smoe-devices')[0], flags=re.MULTILINE)[1:]
    usable = [part.split('\n')[0] for part in listed if 'NOT USABLE' not in part]
    assert [device['name'] for device in result['devices']] == usable and len(result['rows']) == len(usable), (result['devices'], listed)
    text, messages = run('--device', 'nobody', '--device', '0', '--preset', 'tiny', '--weights', 'f32', '--tokens', '2', '--hard',
                         '--no-peak', '--repeat', '1', '--json', '-', status=1)
    result = json.loads(text)
    assert 'nobody' in messages and len(result['devices']) == len(result['rows']) == 1 and not result['run']['finished'], (text, messages)


def routing_alone():
    rows = rows_of('--route', '--experts', '4,16', '--top-k', '2,8', '--tokens', '1,33')
    assert [(row['experts'], row['top_k'], row['tokens']) for row in rows] == [
        (e, k, t) for e, k in ((4, 2), (16, 2), (16, 8)) for t in (1, 33)], rows
    for row in rows:
        assert row['kind'] == 'route' and row['layer'] == 'route' and list(row['kernels']) == ['route_logits', 'route_select'], row
        one, d, words = row['hard'], row['d_model'], 8 + 2 * row['max_active']
        assert one['flop'] == 2 * row['tokens'] * d * row['experts'] and list(one['stages']) == ['route_logits', 'route_select'], one
        assert one['bytes'] == 4 * (row['experts'] * d + row['tokens'] * (d + words)), (one['bytes'], row)
        assert one['check']['good'] and one['check']['tokens'] == min(row['tokens'], 8), one['check']
        assert one['select_bytes'] == 4 * row['tokens'] * (row['experts'] + words), one
        assert near(one['ns_per_token'], one['device_ns']['median'] / row['tokens']), one
        assert near(one['select_ns_per_token'], one['stages']['route_select']['ns']['median'] / row['tokens']), one
    assert [row['gate'] for row in rows_of('--route', '--preset', 'deepseek-v4-flash,tiny-balanced', '--tokens', '3')] == \
        ['softmax_bias', 'sqrt_softplus']
    row, = rows_of('--route', '--preset', 'gmoe-s16', '--tokens', '3')
    assert list(row['kernels']) == ['route_project', 'route_logits', 'route_select'] and row['weights'] == 'f32', row


def formats_say_the_same():
    arguments = ['--preset', 'tiny,deepseek-v3', '--memory', '0.05', '--tokens', '1,3', '--weights', 'f32', '--no-peak', '--repeat', '3']
    lines = [json.loads(line) for line in run(*arguments, '--format', 'jsonl')[0].splitlines()]
    assert lines[0]['format'] == 1 and lines[0]['run']['finished'] is False and lines[1]['device'] == 0 and lines[1]['name'], lines[:2]
    found = [(row['layer'], row['tokens'], 'unsupported' in row) for row in lines[2:]]
    assert found == [('tiny', 1, False), ('tiny', 3, False), ('deepseek-v3', 1, True), ('deepseek-v3', 3, True)], found
    text = run(*arguments, '--format', 'csv')[0]
    rows = list(csv.DictReader(io.StringIO(text, newline=''), strict=True))
    expected = [(layer, tokens, routing) for layer in ('tiny', 'deepseek-v3') for tokens in ('1', '3') for routing in ('hard', 'smooth')]
    assert [(row['layer'], row['tokens'], row['routing']) for row in rows] == expected, rows
    for row in rows:
        assert None not in row and None not in row.values() and row['device'] == lines[1]['name'], row
        if row['layer'] == 'tiny':
            assert 0 < float(row['p10_ns']) <= float(row['median_ns']) <= float(row['p90_ns']) and not row['unsupported'], row
        else:
            assert row['median_ns'] == '' and 'GB' in row['unsupported'], row
    text, document = run(*arguments, '--format', 'md', '--json', '-')[::-1]
    table = [[cell.strip() for cell in line.replace('\\|', '/').strip().strip('|').split('|')] for line in text.splitlines()]
    assert len(table) == 2 + len(expected) and {len(cells) for cells in table} == {len(rows[0])}, text
    assert [cell.replace('\\', '') for cell in table[0]] == list(rows[0]) and set(table[1]) == {'---'}, table[:2]
    at = list(rows[0]).index('median_ns')
    for cells, row in zip(table[2::2], json.loads(document)['rows']):
        assert cells[at] == ('' if 'unsupported' in row else '%.6g' % row['hard']['device_ns']['median']), (cells, row)


def interrupted(after, number):
    """A run that gets a signal behind that many rows: its exit status and its document."""
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/results.json'
        command = [PROGRAM, '--preset', 'tiny', '--weights', 'f32', '--tokens', '1:6', '--hard', '--no-peak', '--seconds', '0.3', '--error',
                   '0', '--format', 'jsonl', '--json', path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True) as process:
            for _ in range(2 + after):  # the head, the device, the rows
                assert process.stdout.readline(), process.stderr.read()
            time.sleep(0.05)  # the file follows its line
            process.send_signal(number)
            _, messages = process.communicate()
        if not os.path.exists(path):
            return process.returncode, None, messages
        with open(path, encoding='utf-8') as file:
            return process.returncode, json.load(file), messages


def what_was_measured_outlives_the_run():
    for after in range(6):
        status, result, messages = interrupted(after, signal.SIGTERM if after % 2 else signal.SIGINT)
        rows = len(result['rows'])
        assert after <= rows <= after + 1 and result['run']['finished'] is (rows == 6), (after, rows, result['run'])
        if rows < 6:
            assert status == 1 and messages == 'smoe-bench: interrupted: %d of 6 rows are kept\n' % rows, (status, messages)
    for after in range(1, 6):
        status, result, _ = interrupted(after, signal.SIGKILL)
        assert status == -signal.SIGKILL and after <= len(result['rows']) <= after + 1, (after, status, result['rows'])
        assert result['run']['finished'] is False, result['run']


def nothing_private_is_in_the_document():
    with tempfile.TemporaryDirectory(prefix='private-') as folder:
        path, other = folder + '/results.json', folder + '/y'
        run('--preset', 'tiny', '--tokens', '1', '--repeat', '1', '--json=' + path, '--dump', other)
        with open(path, encoding='utf-8') as file:
            text = file.read()
    line = json.loads(text)['run']['command_line']
    assert line == ['--preset', 'tiny', '--tokens', '1', '--repeat', '1', '--json=FILE', '--dump', 'FILE'], line
    for what in (folder, os.path.basename(folder), os.getcwd(), os.path.expanduser('~') + '/', socket.gethostname(), getpass.getuser()):
        found = re.search(r'(?<![\w.-])%s(?![\w.-])' % re.escape(what), text)
        assert not found, '%s is in the document: %s' % (what, text[max(0, found.start() - 40):found.end() + 40])


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


def mixed_precision_with_scales():
    """Weights with scales are rounded too where the device has matrix units: software devices use them only without shuffles."""
    allowed = {}
    for weights in ('mxfp4', 'q8'):
        row, = rows_of('--shape', '4,2,64,96,33,gated', '--weights', weights, '--mixed-precision', '--mask', '4', '--hard')
        assert row['mixed_precision'] is True, row
        check_answers(row['hard'], 33, weights, 0.1)
        allowed[weights] = row['hard']['check']['allowed']
    assert allowed['q8'] > 1.3 * allowed['mxfp4'], allowed  # 16 bits hold mxfp4


def matrix_units_have_peaks_of_their_own():
    """Without shuffles software devices multiply by cooperative matrices too, where they have any: each row's shares are of the kernels'
    kinds. Masked matrices are not asked for."""
    for mask in (4, 4 + 16):
        text, _ = run('--preset', 'tiny', '--mixed-precision', '--mask', str(mask), '--tokens', '33', '--repeat', '1', '--hard',
                      '--json', '-')
        result = json.loads(text)
        check_peaks(result['devices'][0]['peaks'], 1)
        listed = any(peak['name'].startswith('matrix_') for peak in result['devices'][0]['peaks'])
        assert listed == ('cooperative_matrix' in result['devices'][0]['capabilities']), result['devices'][0]['peaks']
        for row in result['rows']:
            time = row['hard']['device_ns' if result['devices'][0]['timestamps'] else 'host_ns']['median']
            check_shares(row, row['hard'], result['devices'][0]['peaks'], time, row['weights'])


def run_masked(mask):
    """The device and the kernels of a row's JSON, and the line of the table's header that says what is masked."""
    text, table = run('--preset', 'tiny', '--weights', 'f32', '--tokens', '33', '--hard', '--no-peak', '--repeat', '1', '--json', '-',
                      *(['--mask', str(mask)] if mask else []))
    result = json.loads(text)
    assert result['devices'][0]['masked'] == [name for i, name in enumerate(CAPABILITIES) if mask >> i & 1], result['devices']
    return result['devices'][0]['capabilities'], result['rows'][0]['kernels'], [line for line in table.splitlines() if 'masked' in line]


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


def page_says_how_each_peak_is_counted():
    with open('bench/README.md', encoding='utf-8') as file:
        counted = [line.split('|')[1] for line in file.read().split('\n## Peaks\n')[1].splitlines() if line.startswith('|')]
    for name in [*PEAKS, '`matrix_A_C_MxNxK`']:
        assert any(name in cell.replace(',', ' ').split() for cell in counted), name


def presets_are_listed():
    assert all(name in run('--list')[0] for name in ('tiny-grouped', 'gmoe-s16', 'switch-base-16', 'olmoe', 'qwen3-30b-a3b', 'gpt-oss-20b',
                                                  'moonlight-16b', 'ling-mini-2.0', 'deepseek-v3', 'ernie-4.5-21b-a3b',
                                                  'deepseek-v4-flash'))


def wrong_command_lines():
    for arguments in WRONG:
        text, messages = run(*arguments, status=2)
        assert messages.startswith('smoe-bench: ') and len(messages.splitlines()) == 1 and not text, '%s: %s' % (arguments, messages)


tap.run([json_of_the_tiny_preset, every_stage_and_the_cost_of_totals, every_number_of_a_layer, options_choose_what_runs,
         weights_with_scales, presets_have_the_type_that_they_are_published_in, what_fits_of_a_layer, lists_and_ranges_are_swept,
         several_devices_and_masks, routing_alone, formats_say_the_same, what_was_measured_outlives_the_run,
         nothing_private_is_in_the_document, mixed_precision_beside_none, mixed_precision_with_scales,
         matrix_units_have_peaks_of_their_own,
         masked_capabilities_are_named_and_choose_other_kernels,
         peer_data_gives_the_layer_that_plain_python_gives, what_does_not_fit_is_unsupported, validation_layers_say_nothing,
         files_and_devices, page_says_how_each_peak_is_counted, presets_are_listed, wrong_command_lines])
