"""smoe-bench compare on documents that are made here, whose answers are known: times, ratios and verdicts, what is not counted and why,
what only one has, exit statuses; and documents that cannot be read. tests/bench/test_bootstrap.c has how often intervals are right,
test_results.c what else is no document."""
import copy
import functools
import json
import math
import os
import random
import re
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, '..'))
import tap

run = functools.partial(tap.outputs, tap.BUILD + '/bin/smoe-bench', 'compare')
scratch = tempfile.TemporaryDirectory()
with open(os.path.join(FOLDER, 'sample.json'), encoding='utf-8') as file:
    SAMPLE = json.load(file)
LAYER = {name: value for name, value in SAMPLE['rows'][0].items() if name not in ('hard', 'smooth')}
HARD = {name: value for name, value in SAMPLE['rows'][0]['hard'].items() if name not in ('samples_ns', 'host_ns', 'device_ns')}


def spread(samples):
    ordered = sorted(samples)
    values = [ordered[0], ordered[len(ordered) // 10], (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2,
              ordered[len(ordered) - 1 - len(ordered) // 10], ordered[-1]]
    return dict(zip(('min', 'p10', 'median', 'p90', 'max'), values))


def a_run(samples, **changes):
    return dict(HARD, samples_ns=samples, device_ns=spread(samples), host_ns=spread([2 * value for value in samples]), **changes)


def noisy(seed, median, noise=0.01, count=100):
    draw = random.Random(seed)
    return [round(median * math.exp(draw.gauss(0, noise))) for _ in range(count)]


def a_row(layer, tokens, hard, smooth=None, **changes):
    """A layer's row; hard and smooth: samples, or a run."""
    runs = {name: value if isinstance(value, dict) else a_run(value) for name, value in (('hard', hard), ('smooth', smooth)) if value}
    return dict(LAYER, layer=layer, tokens=tokens, **runs, **changes)


def document(rows, **changes):
    made = copy.deepcopy(dict(SAMPLE, devices=SAMPLE['devices'][:1], rows=rows))
    for path, value in changes.items():
        made[path.split('__')[0]][path.split('__')[1]] = value
    return made


def write(name, made):
    path = os.path.join(scratch.name, name)
    with open(path, 'wb') as file:
        file.write(made if isinstance(made, bytes) else json.dumps(made).encode())
    return path


def table_of(text):
    """Layer, tokens and routing of each row -> its cells, by the letter of its file."""
    found = {}
    for line in text.splitlines():
        cells = [re.sub(r'\\(.)', r'\1', cell.strip()) for cell in line[1:-1].split(' | ')]
        if line.startswith('| ') and not line.startswith('| layer'):
            layer, shape, tokens, weights, routing, first, letter, other, ratio, interval, verdict, note = cells
            key = layer, int(tokens), routing
            assert (key, letter) not in found, text
            found[key, letter] = {'shape': shape, 'weights': weights, 'first': first, 'other': other, 'ratio': ratio, 'interval': interval,
                                  'verdict': verdict, 'note': note.strip()}
    return found


def compared(*documents, options=(), status=0):
    paths = [write('%s.json' % 'abcdefgh'[i], made) for i, made in enumerate(documents)]
    text, messages = run('--format', 'md', *options, *paths, status=status)
    return table_of(text), text, messages


def verdicts(*documents, **options):
    return {key[0][0] + key[1]: cells['verdict'] for key, cells in compared(*documents, **options)[0].items()}


# ---- ratios

def shifted_times_have_their_ratio():
    factors = {'a': 0.5, 'b': 0.9, 'c': 1, 'd': 1.1, 'e': 3}
    before = document([a_row(name, 32, noisy(name, 1e6)) for name in factors])
    after = document([a_row(name, 32, noisy(name + "'", 1e6 * factor)) for name, factor in factors.items()])
    table, text, _ = compared(before, after)
    for name, factor in factors.items():
        cells = table[(name, 32, 'hard'), 'B']
        low, high = (float(part) for part in cells['interval'].split(' .. '))
        assert low <= factor <= high and high / low < 1.015, (name, cells)
        assert low <= float(cells['ratio']) <= high and abs(float(cells['ratio']) / factor - 1) < 0.008, (name, cells)
        assert abs(float(cells['first']) - 1) < 0.006 and abs(float(cells['other']) / factor - 1) < 0.006, (name, cells)
        assert cells['verdict'] == ('SAME' if factor == 1 else 'FASTER' if factor < 1 else 'SLOWER'), (name, cells)
    mean = re.search(r'B over A: 2 FASTER, 2 SLOWER, 1 SAME, 0 UNCLEAR, 0 not counted; geometric mean of the 5 that all have: '
                     r'([\d.]+) \(([\d.]+) \.\. ([\d.]+)\) SLOWER', text)
    assert mean, text
    value, low, high = map(float, mean.groups())
    expected = math.prod(factors.values()) ** (1 / len(factors))
    assert low <= expected <= high and low <= value <= high and high / low < 1.006, (mean.group(), expected)


def rows_of_a_sweep_match_by_what_was_given():
    rows = [a_row('a', 32, noisy(i, 1e6 * i), given_eps=0.1 * i) for i in (1, 2, 3)] + [a_row('a', 32, noisy(9, 9e6))]
    text, _ = run(write('a.json', document(rows)), write('b.json', document(rows[::-1])))
    assert 'B over A: 0 FASTER, 0 SLOWER, 4 SAME, 0 UNCLEAR, 0 not counted; geometric mean of the 4 that all have: 1.000' in text, text


def equal_documents_are_the_same():
    made = document([a_row('a', 32, noisy(1, 1e6), noisy(2, 2e6)), a_row('b', 1, [5000] * 40)])
    table, text, _ = compared(made, made, options=['--fail-above', '0%'])
    assert len(table) == 3 and all(cells['ratio'] == '1.000' and cells['verdict'] == 'SAME' for cells in table.values()), text
    assert table[('b', 1, 'hard'), 'B']['interval'] == '1.000 .. 1.000', text
    low, high = map(float, table[('a', 32, 'hard'), 'B']['interval'].split(' .. '))
    assert low < 1 < high, text  # equal samples, and yet their medians are not known without error
    assert 'differs from A' not in text and ' has not' not in text and 'cut off' not in text, text


def noise_is_not_taken_for_a_difference():
    """Noise of 30 % hides a difference of 4 %; no noise shows it; and of 40 pairs of equal noise at most one in eight says more than 0."""
    noisy_pair = [document([a_row('a', 1, noisy(seed, 1e6 * factor, 0.3, 60))]) for seed, factor in ((1, 1), (2, 1.04))]
    assert verdicts(*noisy_pair) == {'aB': 'UNCLEAR'}
    assert verdicts(document([a_row('a', 1, noisy(1, 1e6, 0.001))]), document([a_row('a', 1, noisy(2, 1.04e6, 0.001))])) == {'aB': 'SLOWER'}
    pairs = [document([a_row(str(i), 1, noisy(letter + str(i), 1e6, 0.05, 60)) for i in range(40)]) for letter in 'ab']
    table, text, _ = compared(*pairs, options=['--same', '0%'])
    found = [cells['verdict'] for cells in table.values()]
    assert len(found) == 40 and sum(verdict != 'UNCLEAR' for verdict in found) <= 5, text


def what_counts_as_the_same():
    """1.04 with an interval of a few thousandths."""
    pair = document([a_row('a', 1, noisy(1, 1e6))]), document([a_row('a', 1, noisy(2, 1.04e6))])
    for same, verdict in (('0%', 'SLOWER'), ('2%', 'SLOWER'), ('3.9%', 'UNCLEAR'), ('6%', 'SAME')):
        assert verdicts(*pair, options=['--same', same]) == {'aB': verdict}, same
    for same, verdict in (('2%', 'FASTER'), ('3.6%', 'UNCLEAR'), ('6%', 'SAME')):
        assert verdicts(*reversed(pair), options=['--same', same]) == {'aB': verdict}, same


def samples_that_depend_on_one_another_tell_less():
    """A clock that steps between two speeds, ten samples at a time: the interval is wider than that of the same samples shuffled."""
    def width(samples):
        other = document([a_row('a', 1, [1000000] * 100)])
        cells, = compared(other, document([a_row('a', 1, samples)]))[0].values()
        low, high = map(float, cells['interval'].split(' .. '))
        return high - low
    steps = [round(value * (1 if i // 10 % 2 else 1.1)) for i, value in enumerate(noisy(3, 1e6, 0.02))]
    shuffled = steps[:]
    random.Random(1).shuffle(shuffled)
    assert width(steps) > 1.3 * width(shuffled), (width(steps), width(shuffled))


def few_samples_have_no_interval():
    pair = document([a_row('a', 1, [100, 101, 102, 103, 104])]), document([a_row('a', 1, noisy(1, 500))])
    table, text, _ = compared(*pair, options=['--fail-above', '5%'])
    cells = table[('a', 1, 'hard'), 'B']
    assert (cells['interval'], cells['verdict'], cells['note']) == ('-', 'UNCLEAR', '5 and 100 samples: too few to tell'), text
    assert abs(float(cells['ratio']) - 5) < 0.1, text
    six = document([a_row('a', 1, [100, 101, 102, 103, 104, 105])])
    assert verdicts(six, pair[1]) == {'aB': 'SLOWER'}
    for count, verdict in ((2, 'UNCLEAR'), (3, 'clear')):
        rows = [a_row(str(i), 1, [1000 + i, 1001 + i, 1002 + i][:count]) for i in range(9)]
        slow = [a_row(str(i), 1, [3000 + i, 3001 + i, 3002 + i]) for i in range(9)]
        for pair, mean in (((rows, slow), r'[23]\.\d+'), ((slow, rows), r'0\.3\d+')):
            _, text, _ = compared(*map(document, pair))
            found = re.search(r'9 UNCLEAR, 0 not counted; geometric mean of the 9 that all have: %s (\(.*\) )?([A-Z]+)$' % mean, text, re.M)
            assert found and (found.group(2) == 'UNCLEAR') == (verdict == 'UNCLEAR') == (not found.group(1)), text


def every_times_its_own_clock():
    """Device times beside a document that has only host times: the host's, twice as long in each run here, are compared."""
    host_only = a_run(noisy(1, 3e6))
    del host_only['device_ns'], host_only['stages']
    host_only['host_ns'] = spread(host_only['samples_ns'])
    table, text, _ = compared(document([a_row('a', 1, noisy(2, 1e6))]), document([a_row('a', 1, host_only)]))
    cells = table[('a', 1, 'hard'), 'B']
    assert abs(float(cells['ratio']) - 1.5) < 0.01 and abs(float(cells['first']) - 2) < 0.02 and cells['note'] == 'host times', text
    low, high = map(float, cells['interval'].split(' .. '))
    assert low <= 1.5 <= high, text
    table, text, _ = compared(document([a_row('a', 1, host_only)]), document([a_row('a', 1, noisy(2, 1e6))]))
    assert abs(float(table[('a', 1, 'hard'), 'B']['ratio']) - 2 / 3) < 0.01, text
    device_only = a_run(noisy(3, 1e6))
    del device_only['host_ns']
    table, text, _ = compared(document([a_row('a', 1, host_only)]), document([a_row('a', 1, device_only)]), status=1)
    cells = table[('a', 1, 'hard'), 'B']
    assert (cells['ratio'], cells['verdict'], cells['note']) == ('-', 'not counted', 'device times beside host times'), text


# ---- which rows

def rows_match_by_all_that_makes_a_layer():
    row = a_row('a', 1, noisy(1, 1e6))
    changes = {name: value + 1 if isinstance(value, int) and not isinstance(value, bool) else not value if isinstance(value, bool)
               else 'other' for name, value in row.items() if name in set(LAYER) - {'kernels', 'device', 'kind'}
               and not name.endswith(('_ns', '_time', '_experts'))}
    changes['projection_width'] = 256
    assert len(changes) == 22 and {'layer', 'tokens', 'weights', 'mixed_precision', 'biases', 'max_active'} < set(changes), changes
    for name, value in changes.items():
        table, text, messages = compared(document([row]), document([dict(row, **{name: value})]), status=1)
        assert not table and 'A has and B has not:' in text and 'B has and A has not:' in text, (name, text)
        assert messages == 'smoe-bench: no row could be compared\n', messages
    again = dict(row, kernels={}, plan_first_ns=7, smooth_over_hard_time=9, projection_width=None)
    assert len(compared(document([row]), document([again]))[0]) == 1


def what_only_one_has():
    both, a, b = (a_row(name, 32, noisy(name, 1e6)) for name in ('both', 'first', 'second'))
    smooth = a_row('smooth', 32, noisy(1, 1e6), noisy(2, 2e6))
    hard = a_row('smooth', 32, noisy(3, 1e6))
    unsupported = dict(a_row('unsupported', 32, None), unsupported='no memory')  # nobody misses it
    table, text, _ = compared(document([both, a, smooth, unsupported]), document([hard, b, both]))
    assert [key[0] for key in table] == [('both', 32, 'hard'), ('smooth', 32, 'hard')], text
    lonely = re.search(r'- A has and B has not:\n((?:  - .*\n)*)- B has and A has not:\n((?:  - .*\n)*)- FASTER', text)
    assert lonely and lonely.group(1) == '  - first 64,48,16,4,8 32 f16 hard\n  - smooth 64,48,16,4,8 32 f16 smooth\n', text
    assert lonely.group(2) == '  - second 64,48,16,4,8 32 f16 hard\n', text


def what_is_not_counted():
    good, slow = noisy(1, 1e6), noisy(2, 9e6)
    failed = a_run(slow, check={'tokens': 8, 'largest_difference': 0.5, 'allowed': 1e-4, 'good': False})
    not_finite = a_run(slow, check={'tokens': 8, 'largest_difference': None, 'allowed': 1e-4, 'good': False})
    unchecked = a_run(good, check=None)
    unsupported = dict(a_row('d', 1, None), unsupported='22 GB of | memory')
    before = [a_row('a', 1, good), a_row('b', 1, not_finite), a_row('c', 1, good, good), unsupported, a_row('e', 1, unchecked),
              a_row('f', 1, [0] * 9)]
    after = [a_row('a', 1, failed), a_row('b', 1, good), a_row('c', 1, good, {'unsupported': 'every expert runs already'}),
             dict(unsupported, unsupported='other'), a_row('e', 1, good), a_row('f', 1, good)]
    table, text, messages = compared(document(before), document(after), options=['--fail-above', '5%'])
    notes = {key[0][0] + ' ' + key[0][2]: (cells['verdict'], cells['note']) for key, cells in table.items()}
    assert notes == {'a hard': ('not counted', 'check failed in B: differs by 0.5, allowed is 0.0001'),
                     'b hard': ('not counted', 'check failed in A'), 'c hard': ('SAME', ''),
                     'c smooth': ('not counted', 'unsupported in B: every expert runs already'),
                     'd hard': ('not counted', 'unsupported in A: 22 GB of | memory'), 'e hard': ('SAME', ''),
                     'f hard': ('not counted', 'a time of 0')}, notes
    assert '0 SLOWER, 2 SAME, 0 UNCLEAR, 5 not counted; geometric mean of the 2 that all have: 1.000' in text and not messages, text
    _, text, messages = compared(document(before[:2]), document(after[:2]), status=1)
    assert messages == 'smoe-bench: no row could be compared\n' and 'geometric' not in text, text


def other_work_is_said():
    pair = [document([a_row('a', 1, None, a_run(noisy(seed, 1e6), active_mean=active))]) for seed, active in ((1, 8.5), (2, 9))]
    cells, = compared(*pair)[0].values()
    assert cells['note'] == '8.5 and 9 experts per token' and cells['verdict'] == 'SAME', cells


def routing_alone_is_compared():
    pair = [document([dict(SAMPLE['rows'][3], hard=a_run(noisy(seed, median)))]) for seed, median in ((1, 1e4), (2, 2e4))]
    (key, cells), = compared(*pair)[0].items()
    assert key[0] == ('route', 64, 'hard') and cells['shape'] == '-,-,64,8,-' and cells['verdict'] == 'SLOWER', cells


def a_row_that_stands_twice_counts_once():
    first, again = a_row('a', 1, noisy(1, 1e6)), a_row('a', 1, noisy(2, 5e6))
    table, text, _ = compared(document([first, again]), document([again, first]))
    cells, = table.values()
    assert abs(float(cells['ratio']) - 5) < 0.1 and text.count('1 of its runs stand there twice: the first counts') == 2, text


def the_means_rows_are_those_that_all_have():
    rows = {name: [a_row(name, 1, noisy(name + str(i), 1e6 * factor)) for i, factor in enumerate(factors)]
            for name, factors in {'a': (1, 2, 4), 'b': (1, 8, 1), 'c': (1, 3, 3)}.items()}
    documents = [document([rows[name][i] for name in names]) for i, names in enumerate(('abc', 'abc', 'ac'))]
    table, text, _ = compared(*documents)
    assert [(key[0][0], key[1]) for key in table] == [('a', 'B'), ('a', 'C'), ('b', 'B'), ('c', 'B'), ('c', 'C')], text
    means = re.findall(r'([BC]) over A: .*geometric mean of the (\d) that all have: ([\d.]+) ', text)
    assert [(letter, count) for letter, count, _ in means] == [('B', '2'), ('C', '2')], text
    for (_, _, mean), expected in zip(means, (6 ** 0.5, 12 ** 0.5)):
        assert abs(float(mean) / expected - 1) < 0.01, text
    assert 'A has and C has not:\n  - b ' in text, text


# ---- documents, devices, formats

def what_differs_is_named():
    rows = [a_row('a', 1, noisy(1, 1e6))]
    other = document(rows, program__version='0.3.0', program__commit='abc1234', system__os='Windows 11', run__finished=False)
    other['devices'][0].update(name='A <device> | of `another`', driver='radv', masked=[])
    _, text, _ = compared(document(rows), other)
    assert ('- B differs from A: version 0.3.0, not 0.2.0; commit abc1234, not nothing; '
            'device A \\<device> \\| of \\`another\\`, not A device; driver radv, not a driver; '
            'masked nothing, not cooperative_matrix; system Windows 11, not Linux 6.1.0 x86_64\n') in text, text
    head = text.split('\n\n')[0].splitlines()
    assert len(head) == 3 and head[1].endswith('; cut off: rows are missing') and 'cut off' not in head[0], head
    assert re.match(r'- A: \S+a\.json: smoe-bench 0\.2\.0, 2026-11-29T20:30:00Z; A device, a driver 1\.2\.3; Linux 6', head[0]), head


def devices_of_one_document():
    rows = [a_row('a', 1, noisy(1, 1e6), device=0), a_row('a', 1, noisy(2, 2e6), device=1)]
    made = dict(document(rows), devices=SAMPLE['devices'])
    table, text, _ = compared(made)
    assert {key[1]: cells['verdict'] for key, cells in table.items()} == {'B': 'SLOWER'}, text
    assert 'B differs from A: device Another device, not A device\n' in text, text
    again = dict(made, rows=[rows[0], dict(rows[1], hard=a_run(noisy(3, 1e6)))])
    assert verdicts(made, again, options=['--device', 'Another']) == {'aB': 'FASTER'}
    assert list(verdicts(made, again)) == ['aB', 'aC', 'aD']
    for documents, options, said in (((made, made), ['--device', 'none'], 'a.json: has no row of a device of that name'),
                                     ((made,), ['--device', 'Another'], 'a.json: has one device, and there is no other document'),
                                     ((document(rows[:1]), document([])), [], 'b.json: has no row to compare')):
        _, text, messages = compared(*documents, options=options, status=2)
        assert not text and messages.endswith(said + '\n') and messages.count('\n') == 1, messages


def too_many_devices():
    many = [a_row('a', 1, [1] * 9, device=i) for i in range(27)]
    made = dict(document(many), devices=SAMPLE['devices'][:1] * 27)
    _, _, messages = compared(made, status=2)
    assert messages.endswith('a.json: its devices are too many: 26 in all can be compared\n'), messages
    made['rows'] = many[:26]
    assert list(verdicts(made))[-1] == 'aZ'


def the_table_says_what_markdown_says():
    layer, reason = 'größe' * 3, 'of | it'
    pair = [document([a_row(layer, 1, noisy(seed, 1e6)), dict(a_row('b', 512, None), unsupported=reason)]) for seed in (1, 2)]
    table, markdown, _ = compared(*pair)
    text, _ = run(*[os.path.join(scratch.name, name) for name in ('a.json', 'b.json')])
    lines = [line for line in text.splitlines() if re.match('layer|%s|b ' % layer, line)]
    assert len(lines) == 3 and len({line.index(word) for line, word in zip(lines, ('D,H,E', '64,48', '64,48'))}) == 1, text
    for (layer, tokens, routing), cells in ((key[0], cells) for key, cells in table.items()):
        line, = [line for line in lines if line.startswith(layer + ' ')]
        expected = [layer, cells['shape'], str(tokens), cells['weights'], routing, cells['first'], 'B', cells['other'], cells['ratio'],
                    cells['interval'], cells['verdict'], *([cells['note']] if cells['note'] else [])]
        assert re.split('  +', line) == expected, (line, expected)
    assert not any(line.endswith(' ') for line in text.splitlines()) and r'unsupported in A: of \| it' in markdown, text
    assert len({line.count(' | ') for line in markdown.replace('\\|', '').splitlines() if line.startswith('| ')}) == 1, markdown


# ---- statuses

def the_exit_status_is_for_ci():
    before = document([a_row('a', 1, noisy(1, 1e6)), a_row('b', 1, noisy(2, 1e6))])
    after = document([a_row('a', 1, noisy(3, 1.1e6)), a_row('b', 1, noisy(4, 0.5e6))])
    for limit, status in (('0%', 1), ('9%', 1), ('10%', 0), ('11%', 0), ('1000%', 0)):
        _, text, messages = compared(before, after, options=['--fail-above', limit], status=status)
        assert messages == ('smoe-bench: --fail-above: 1 row is slower by more than %s %%\n' % limit[:-1] if status else ''), messages
        assert 'over A' in text, text
    compared(before, after)
    compared(after, before, options=['--fail-above', '50%'], status=1)
    for value in ('5', '%', '', 'x%', '5%%', '-1%', '1001%', 'nan%', '1e1%', '0x1%', '1.2.3%', ' 5%'):
        _, messages = run('--fail-above', value, 'a', status=2)
        assert messages == 'smoe-bench: --fail-above: must be a percentage from 0%% to 1000%%, is "%s"\n' % value, messages


def damaged_documents_are_refused():
    good = write('good.json', document([a_row('a', 1, noisy(1, 1e6))]))
    whole = json.dumps(document([a_row('a', 1, [1] * 9)])).encode()
    cases = [(whole[:len(whole) * i // 20], 'is no JSON') for i in range(20)]
    cases += [(whole.replace(b'"drift": 1.002', b'"drift": ' + text), said) for text, said in (
        (b'NaN', 'is no JSON'), (b'1e999', 'rows[0].hard.drift: must be a number from 0 to 1e30'),
        (b'"1"', 'rows[0].hard.drift: must be a number from 0 to 1e30'), (b'-1', 'rows[0].hard.drift: must be a number from 0 to 1e30'))]
    cases += [(whole.replace(b'"format": 1', b'"format": 2'), 'format: must be 1, the only format that this program reads, is 2'),
              (whole.replace(b'"rows"', b'"lines"'), 'rows: is missing'), (b' ' * (32 * 2 ** 20 + 1), 'is larger than 32 MiB'),
              (b'{"version": "0.1.0", "rows": []}', 'is no document of results: it has no number "format"'),
              (b'\0' + whole, 'has a zero byte')]
    for text, said in cases:
        assert text != whole, said
        path = write('damaged.json', text)
        for arguments in ((good, path), (path, good)):
            output, messages = run(*arguments, status=2)
            assert not output and messages.startswith('smoe-bench: %s: ' % path) and messages.count('\n') == 1, (text[:99], messages)
            assert said in messages, (said, messages)
    for path in (os.path.join(scratch.name, 'missing.json'), scratch.name):
        output, messages = run(good, path, status=2)
        assert not output and messages.startswith('smoe-bench: %s: cannot be read: ' % path) and messages.count('\n') == 1, messages


def names_stay_on_their_line():
    if 'mingw' in tap.CROSS:
        raise tap.Skip('Windows has no names with such characters')
    path = write('a\n\x1b[1m.json', document([a_row('a', 1, noisy(1, 1e6))]))
    text, _ = run(path, path)
    assert r'a\n\x1b[1m.json: smoe-bench' in text and '\x1b' not in text, text
    _, messages = run(path + '\n', status=2)
    assert messages.count('\n') == 1 and '\x1b' not in messages, messages


tap.run([shifted_times_have_their_ratio, rows_of_a_sweep_match_by_what_was_given, equal_documents_are_the_same,
         noise_is_not_taken_for_a_difference, what_counts_as_the_same,
         samples_that_depend_on_one_another_tell_less, few_samples_have_no_interval, every_times_its_own_clock,
         rows_match_by_all_that_makes_a_layer, what_only_one_has, what_is_not_counted, other_work_is_said, routing_alone_is_compared,
         a_row_that_stands_twice_counts_once, the_means_rows_are_those_that_all_have, what_differs_is_named, devices_of_one_document,
         too_many_devices, the_table_says_what_markdown_says, the_exit_status_is_for_ci, damaged_documents_are_refused,
         names_stay_on_their_line])
