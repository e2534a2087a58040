"""smoe-bench report: every row of the documents in its tables, every mark of its pictures at the place of its numbers, nothing loaded from
elsewhere, texts that do no harm, and what is refused."""
import json
import math
import os
import random
import re
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(FOLDER, '..'))
import report_reader
from report_reader import amount, share
import results_documents as results
import tap

PROGRAM = tap.BUILD + '/bin/smoe-bench'
scratch = tempfile.TemporaryDirectory()
MARKUP = '<script>alert(1)</script>"\'&amp;<img src=x onerror=alert(2)>'
LIMITS = ('bytes', 'operations', 'dispatches')


def path_of(name):
    return os.path.join(scratch.name, name)


def write(name, document):
    path = path_of(name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(document if isinstance(document, str) else json.dumps(document))
    return path


def report(*documents, status=0):
    """The page of documents, and the messages."""
    paths = [write('%d.json' % i, document) for i, document in enumerate(documents)]
    out = path_of('out.html')
    if os.path.exists(out):
        os.remove(out)
    _, messages = tap.outputs(PROGRAM, 'report', *paths, '--html', out, status=status)
    assert os.path.exists(out) == (status == 0), messages
    if status:
        return None, messages
    with open(out, encoding='utf-8') as file:
        return report_reader.Page(file.read()), messages


@tap.once
def three():
    """Two documents of ours, the second of two devices, and one of a peer."""
    documents = [results.document([results.software()], ['tiny-grouped', 'gmoe-s16', 'olmoe', 'deepseek-v3'], (1, 512)),
                 results.document([results.large(), results.small()], ['tiny-grouped', 'olmoe', 'deepseek-v3'], (1, 64, 512), seed=3,
                                  mixed=True, route=True), results.peer(results.large())]
    page, messages = report(*documents)
    assert not messages, messages
    return documents, page


def devices_of(documents):
    """(letter, document, device, its rows of layers, in the order of their layers), as the page orders them."""
    layers = [row['layer'] for document in documents for row in document['rows'] if row['kind'] == 'layer']
    found = []
    for document in documents:
        for index, device in enumerate(document['devices']):
            rows = [row for row in document['rows'] if row['device'] == index and row['kind'] == 'layer']
            found.append((chr(ord('A') + len(found)), document, device, sorted(rows, key=lambda row: layers.index(row['layer']))))
    return found


def numbered(documents):
    """(number, letter, device, row) of every row of a layer: rows of routing have theirs behind the layers' of their device."""
    number = 0
    for letter, document, device, rows in devices_of(documents):
        for row in rows:
            number += 1
            yield number, letter, device, row
        index = document['devices'].index(device)
        number += sum(row['kind'] == 'route' and row['device'] == index for row in document['rows'])


def runs_of(documents):
    for number, letter, device, row in numbered(documents):
        for routing in ('hard', 'smooth'):
            if routing in row and 'unsupported' not in row:
                yield number, letter, device, row, routing


def time_of(run):
    return (run.get('device_ns') or run['host_ns'])['median']


def near(a, b, digits=3):
    """Equal as far as so many digits tell."""
    return (a is None) == (b is None) and (a is None or math.isclose(a, b, rel_tol=0.6 * 10 ** (1 - digits)))


def shares_of(device, row, run):
    """What of its time a run's bytes, operations and dispatches take, and which bounds it."""
    empty, barrier = (results.peak_of(device, name) for name in ('empty_dispatch', 'barrier'))
    count = len(row.get('kernels', ()))
    found = [run.get('share_of_bytes'), run.get('share_of_operations'),
             (count * empty + (count - 1) * barrier) / time_of(run) if count and empty else None]
    if all(one is None for one in found):
        return found, ''
    largest = max(range(3), key=lambda i: -1 if found[i] is None else found[i])
    percent = 100 * found[largest]
    text = LIMITS[largest], re.escape('%.1f %%' % percent if percent < 9.95 else '%.0f %%' % percent)
    return found, '%s %s' % text if found[largest] >= 0.5 else r'none \(%s %s\)' % text


def every_row_is_in_the_table():
    documents, page = three()
    rows = page.tables['Every row of the results'].rows
    expected = list(runs_of(documents))
    ran = [row for row in rows if 'rest' not in row]
    assert len(ran) == len(expected) > 60, (len(ran), len(expected))
    for said, (number, letter, device, row, routing) in zip(ran, expected):
        run = row[routing]
        spread = run.get('device_ns') or run['host_ns']
        weights = row['weights'] + ', mixed' * row['mixed_precision']
        assert [said[name] for name in ('row', 'device', 'layer', 'tokens', 'weights', 'routing')] == [
            str(number), letter, row['layer'], str(row['tokens']), weights, routing], (said, number, row)
        times = ('time', spread['median']), ('10th', spread['p10']), ('90th', spread['p90']), ('host', run['host_ns']['median'])
        for name, value in times:
            assert near(amount(said[name], 's'), value / 1e9), (said, name, value)
        assert near(amount(said['op/s'], 'op/s'), run['flop'] / time_of(run) * 1e9), (said, run)
        assert near(amount(said['byte/s'], 'B/s'), run['bytes'] / time_of(run) * 1e9), (said, run)
        found, bound = shares_of(device, row, run)
        for name, value in zip(('of peak 2', 'of peak', 'dispatches'), found):
            assert (share(said[name]) is None) == (value is None), (said, name)
            assert value is None or abs(share(said[name]) - value) < 0.0051, (said, name)
        assert re.fullmatch(bound, said['bound by']), (said, bound)
        assert near(amount(said['experts']), run.get('active_mean')), said
        assert near(amount(said['of hard 2']), row['smooth_over_hard_time'] if routing == 'smooth' else None), said
        assert (said['check'] == 'good, 1.2e-06') == ('check' in run), said
        assert near(amount(said['run']), run.get('active_experts')) and near(amount(said['clock'], 'Hz'), run.get('clock_hz')), said
        for name, key, unit, scale in (('plan', 'plan_first_ns', 's', 1e9), ('plan again', 'plan_again_ns', 's', 1e9),
                                       ('totals', 'totals_over_none_time', '', 1), ('mixed', 'mixed_over_float32_time', '', 1)):
            value = row.get(key) if routing == 'hard' else None
            assert near(amount(said[name], unit), value and value / scale), (said, name)
    unsupported = [(said['row'], said['rest']) for said in rows if 'rest' in said]
    assert unsupported == [(str(number), 'unsupported: ' + row['unsupported']) for number, _, _, row in numbered(documents)
                           if 'unsupported' in row] != [], unsupported


def every_stage_and_every_peak_is_in_a_table():
    documents, page = three()
    rows = iter(page.tables['Every stage of every row'].rows)
    for number, letter, _, row, routing in runs_of(documents):
        for name, stage in row[routing].get('stages', {}).items():
            said, kernel = next(rows), row['kernels'][name]
            assert [said[key] for key in ('row', 'device', 'routing', 'stage')] == [str(number), letter, routing, name], said
            assert said['kernel, and its tile'] == '%s %d×%d×%d' % (kernel['name'], kernel['tile_rows'], kernel['tile_columns'],
                                                                    kernel['tile_depth']), said
            assert near(amount(said['time'], 's'), stage['ns']['median'] / 1e9), said
            assert abs(share(said['of the forward']) - stage['ns']['median'] / time_of(row[routing])) < 0.0051, said
            assert near(amount(said['op/s'], 'op/s'), stage.get('flop_per_second')), said
            assert said['peak'] == stage.get('peak', ''), said
    assert next(rows, None) is None
    for letter, _, device, _ in devices_of(documents):
        if not device['peaks']:
            continue
        table = page.tables['Peaks of %s, measured in the same run' % letter]
        units = {'flop/s': 'op/s', 'op/s': 'op/s', 'byte/s': 'B/s', 'ns': 's'}
        for said, peak in zip(table.rows, device['peaks'], strict=True):
            assert said['peak'] == peak['name'], said
            if 'value' in peak:
                assert near(amount(said['best'], units[peak['unit']]), peak['value'] / (1e9 if peak['unit'] == 'ns' else 1)), said
            else:
                assert said['rest'] == 'not measured: ' + peak['not_measured'], said


def marks_lie_at_their_numbers():
    """Both pictures with marks, by the ticks of their axes."""
    documents, page = three()
    for letter, _, _, rows in devices_of(documents):
        pictures = {picture.title: picture for picture in page.pictures('device-' + letter)}
        roofline = pictures['Roofline of ' + letter]
        x, y = roofline.x_axis(), roofline.y_axis('op/s')
        runs = [(row[routing], routing) for routing in ('smooth', 'hard') for row in rows if routing in row]
        marks = roofline.marks()
        assert len(marks) == len(runs) > 0, (letter, len(marks), len(runs))
        for (at_x, at_y, filled), (run, routing) in zip(marks, runs):
            assert filled == (routing == 'hard'), letter
            assert abs(at_x - x.place(run['flop'] / run['bytes'])) < 0.3, (letter, at_x, run['flop'] / run['bytes'])
            assert abs(at_y - y.place(run['flop'] / time_of(run) * 1e9)) < 0.3, (letter, at_y)
        rows = [row for row in rows if 'smooth_over_hard_time' in row]
        if rows:
            smooth = pictures['Smooth against hard on ' + letter]
            x, y = smooth.x_axis(logarithmic=False), smooth.y_axis(logarithmic=False)
            for (at_x, at_y, _), row in zip(smooth.marks(), rows, strict=True):
                assert abs(at_x - x.place(row['smooth_over_hard_experts'])) < 0.3, (letter, at_x, row)
                assert abs(at_y - y.place(row['smooth_over_hard_time'])) < 0.3, (letter, at_y, row)


def bars_end_at_their_times():
    documents, page = three()
    seen = 0
    for picture in page.pictures('times'):
        axis = picture.x_axis('s')
        runs = [(number, letter, row, row[routing], routing) for number, letter, _, row, routing in runs_of(documents)
                if row['layer'] == picture.title]
        # by tokens, weights, mixed precision, and device
        runs.sort(key=lambda one: (one[2]['tokens'], list(results.BITS).index(one[2]['weights']), one[2]['mixed_precision'], one[0]))
        bars = [(kind, d) for kind, d, _ in picture.paths if kind[-1:] in (['f'], ['v'])]
        whiskers = [d for kind, d, _ in picture.paths if kind == ['w']]
        letters = [text for _, _, text, kind in picture.texts if kind == ['e', 'b']]
        assert letters == [letter for _, letter, _, _, routing in runs if routing == 'hard'], (picture.title, letters)
        for (kind, d), whisker, (_, _, row, run, routing) in zip(bars, whiskers, runs, strict=True):
            spread = run.get('device_ns') or run['host_ns']
            end = float(re.match(r'M\d+ \S+?H([\d.]+)v', d).group(1))
            assert kind[-1] == {'hard': 'f', 'smooth': 'v'}[routing] and abs(end - axis.place(spread['median'] / 1e9)) < 0.3, (row, d)
            low, high = map(float, re.match(r'M([\d.]+) .*H([\d.]+)', whisker).groups())
            assert abs(low - axis.place(spread['p10'] / 1e9)) < 0.3 and abs(high - axis.place(spread['p90'] / 1e9)) < 0.3, (row, whisker)
            seen += 1
    assert seen == len(list(runs_of(documents))), seen


def stages_and_limits_have_their_shares():
    documents, page = three()
    for letter, _, device, rows in devices_of(documents):
        rows = [row for row in rows if 'stages' in row.get('hard', {})]
        shares, limits = [], []
        for picture in page.pictures('device-' + letter):
            axis = None
            if any(kind[-1:] == ['z'] for kind, _, _ in picture.paths):
                axis = picture.x_axis(logarithmic=False)
                shares += [float(re.match(r'M\S+ \S+?h([\d.]+)v', d).group(1)) / (axis.place(1) - axis.place(0)) / 100
                           for kind, d, _ in picture.paths if kind[-1:] == ['z']]
            elif any(kind[:1] == ['l0'] for kind, _, _ in picture.paths):
                axis = picture.x_axis(logarithmic=False)
                limits += [(kind[0], (float(re.match(r'M(\S+) ', d).group(1)) - axis.place(0)) / (axis.place(1) - axis.place(0)) / 100)
                           for kind, d, _ in picture.paths if kind[-1:] == ['f']]
        expected = []
        for row in rows:
            stages = [stage['ns']['median'] / time_of(row['hard']) for stage in row['hard']['stages'].values()]
            expected += stages + [1 - sum(stages)]
        assert len(shares) == len(expected), (letter, len(shares), len(expected))
        assert all(abs(a - b) < 2e-3 for a, b in zip(shares, expected)), (letter, shares, expected)
        expected = [('l%d' % i, value) for row in rows for i, value in enumerate(shares_of(device, row, row['hard'])[0])]
        assert [name for name, _ in limits] == [name for name, _ in expected], letter
        assert all(abs(a - b) < 2e-3 for (_, a), (_, b) in zip(limits, expected)), (letter, limits, expected)


def routing_alone_has_its_table():
    documents, page = three()
    rows = [row for document in documents for row in document['rows'] if row['kind'] == 'route']
    for said, row in zip(page.tables['Routing alone'].rows, rows, strict=True):
        names = {'layer': 'layer', 'D': 'd_model', 'experts': 'experts', 'k': 'top_k', 'most': 'max_active', 'tokens': 'tokens'}
        assert [said[name] for name in names] == [str(row[key]) for key in names.values()], said
        assert near(amount(said['hard'], 's'), row['hard']['ns_per_token'] / 1e9), said
        if 'unsupported' in row['smooth']:
            assert said['rest'] == 'unsupported: ' + row['smooth']['unsupported'], said
        else:
            assert near(amount(said['smooth'], 's'), row['smooth']['ns_per_token'] / 1e9), said


def routing_alone_has_its_lines():
    documents, page = three()
    for picture in page.pictures('routing'):
        letter, top_k = re.fullmatch(r'Routing on (.): route, D = 256, k = (\d+)', picture.title).groups()
        x, y = picture.x_axis(), picture.y_axis('s')
        document, device = next((document, device) for one, document, device, _ in devices_of(documents) if one == letter)
        rows = [row for row in document['rows'] if row['kind'] == 'route' and row['device'] == document['devices'].index(device)
                and row['top_k'] == int(top_k)]
        rows.sort(key=lambda row: (row['experts'], row['tokens']))
        for (at_x, at_y, _), row in zip(picture.marks(), rows, strict=True):
            assert abs(at_x - x.place(row['tokens'])) < 0.3 and abs(at_y - y.place(row['hard']['ns_per_token'] / 1e9)) < 0.3, (letter, row)
    assert len(page.pictures('routing')) == 4, 'two devices, each with two k'


def routing_of_other_layers_has_lines_of_its_own():
    """Layers, widths and caps of a sweep are not joined to one line; what hard routing does not see makes no line."""
    draw, device = random.Random(5), results.large()
    document = results.document([device], [], ())
    layers = (('wide', 2048, 4), ('narrow', 64, 4), ('narrow', 128, 4), ('narrow', 64, 2))
    for layer, width, extra in layers:
        document['rows'] += [results.route_row(device, 0, 16, 2, tokens, draw, layer, width, extra) for tokens in (1, 64)]
    document['rows'] += [{**row, 'given_eps': 0.5} for row in document['rows'][:2]]
    page, _ = report(document)
    pictures = page.pictures('routing')

    def names(picture):
        return [text for _, _, text, kind in picture.texts if not kind and text.startswith('16')]
    assert [picture.title for picture in pictures] == ['Routing on A: narrow, D = 64, k = 2', 'Routing on A: narrow, D = 128, k = 2',
                                                       'Routing on A: wide, D = 2048, k = 2'], [picture.title for picture in pictures]
    assert [len(picture.marks()) for picture in pictures] == [4, 2, 2]
    assert names(pictures[0]) == ['16, most 4', '16, most 6']
    assert names(pictures[1]) == ['16 experts']
    assert len(page.tables['Routing alone'].rows) == 10


def how_it_was_measured_is_there():
    documents, page = three()
    text = page.sections['measured'].text()
    for document in documents:
        for part in (*document['program'].values(), document['run']['date'], document['system']['os'], document['system']['cpu']):
            assert part is None or part in text, part
        assert '%s --seconds 1 --json FILE' % document['program']['name'] in text
        for device in document['devices']:
            for part in (device['name'], device['driver'], device['driver_info'], *device['masked'], *device['quirks']):
                assert part in text, part
        forwards = sum(row[routing].get('forwards', 0) for row in document['rows'] for routing in ('hard', 'smooth') if routing in row)
        assert '%d rows, %d of them unsupported; %d forwards timed' % (
            len(document['rows']), sum('unsupported' in row for row in document['rows']), forwards) in text, text


def nothing_is_loaded():
    _, page = three()
    assert page.text.startswith('<!doctype html>') and '<html lang=en>' in page.text
    found = re.search(r'https?:|//[a-z]|url\(|@import|<script|<link|<img|<iframe|javascript:|\son\w+=', page.text)
    assert not found, 'something is loaded, or runs: %s' % found
    assert "default-src 'none'" in page.text
    for element in page.root.all():
        for name in ('src', 'href', 'srcset', 'data', 'action'):
            assert element.attributes.get(name, '#').startswith('#'), element.attributes
    targets = {element.attributes['id'] for element in page.root.all() if 'id' in element.attributes}
    links = {element.attributes['href'][1:] for element in page.root.all('a')}
    assert links <= targets and len(links) > 5, (links, targets)
    for svg in page.root.all('svg'):
        if svg.attributes.get('aria-hidden') != 'true':
            assert svg.attributes['role'] == 'img' and svg.one('title').text() and len(svg.one('desc').text()) > 40, svg.attributes
    assert set(re.findall('prefers-color-scheme:dark|@media print', page.text)) == {'prefers-color-scheme:dark', '@media print'}


def texts_do_no_harm():
    """Every text of a document is markup; the page has the elements that it has without."""
    def poison(value, path):
        if isinstance(value, dict):
            return {name: poison(one, path + (name,)) for name, one in value.items()}
        if isinstance(value, list):
            return [poison(one, path) for one in value]
        # What readers and charts go by: the kind of a row, names of peaks, their units.
        return MARKUP + value if isinstance(value, str) and path[-1] not in ('kind', 'unit') and path[-2:] != ('peaks', 'name') else value
    plain = results.document([results.small()], ['tiny-grouped', 'deepseek-v3'], (1, 64))
    plain['rows'][0]['hard']['check']['good'] = False
    poisoned = poison(plain, ('',))
    for document in (plain, poisoned):
        document['devices'][0]['peaks'].append({'name': MARKUP, 'unit': MARKUP, 'value': 1.5e9})
        document['devices'][0]['peaks'].append({'name': MARKUP, 'unit': 'flop/s', 'value': 1e15})
    good, _ = report(plain)
    page, _ = report(poisoned)

    def elements(of):
        return [element.tag for element in of.root.all() if element.tag not in ('text', 'path')]
    assert elements(page) == elements(good), 'a text of the document is an element of the page'
    assert not [element.attributes for element in page.root.all() if any(name.startswith('on') for name in element.attributes)]
    assert MARKUP + plain['devices'][0]['name'] in page.root.text()
    long = results.document([{**results.small(), 'name': '😀' * 250}], ['olmoe'], (1,))
    assert '😀' * 250 in report(long)[0].root.text()
    long['devices'][0]['name'] = 'x' * 1000
    assert 'x' * 300 + '…' in report(long)[0].root.text()


def doubts_are_said():
    document = results.document([results.large()], ['olmoe'], (1, 64), ('f16',))
    assert 'To be doubted' not in report(document)[0].text
    document['run']['finished'] = False
    document['rows'][0]['hard']['check'].update(good=False, largest_difference=0.25)
    document['rows'][1]['hard']['drift'] = 1.31
    document['rows'][1]['smooth']['median_error'] = 0.07
    page, _ = report(document)
    doubts = [item.text().strip() for lists in page.root.all('ul', 'doubts') for item in lists.all('li')]
    parts = ['the run ended before', 'Row 1, A, olmoe, 1 token, f16, hard: its answers are wrong: they differ by up to 0.25, and 0.0001',
             'Row 2, A, olmoe, 64 tokens, f16, hard: its later forwards took 1.31 times',
             'Row 2, A, olmoe, 64 tokens, f16, smooth: its median']
    assert len(doubts) == len(parts) and all(part in doubt for part, doubt in zip(parts, doubts)), doubts
    said = page.tables['Every row of the results'].rows[0]
    assert said['check'] == 'wrong, 0.25', said
    document = results.document([results.large()], ['olmoe'], (1,), ('f16',), route=True)
    place, routing = next((i, row) for i, row in enumerate(document['rows']) if row['kind'] == 'route')
    routing['hard']['check'] = {'tokens': 1, 'largest_difference': 0, 'allowed': 0, 'good': False, 'wrong': 'token 0 has <2> experts'}
    routing['hard']['drift'] = 1.5
    doubts = [item.text().strip() for lists in report(document)[0].root.all('ul', 'doubts') for item in lists.all('li')]
    assert len(doubts) == 2 and 'its answers are wrong: token 0 has <2> experts.' in doubts[0] and '1.5 times' in doubts[1], (place, doubts)
    for row in document['rows']:
        row['hard']['median_error'] = row['smooth']['median_error'] = 0.5
    document['rows'] *= 30
    page, _ = report(document)
    doubts = [item.text().strip() for lists in page.root.all('ul', 'doubts') for item in lists.all('li')]
    assert len(doubts) == 41 and doubts[-1].startswith('and '), doubts[-1]


def types_of_weights_are_beside_float16s():
    """Rows with scales, and the same layers without: their bits, their time over float16's, and over the bytes of files."""
    document = results.document([results.large(), results.small()], ['olmoe', 'gmoe-s16'], (1, 32),
                                ('f32', 'f16', 'mxfp4', 'q8', 'of tomorrow'))
    document['rows'] = [row for row in document['rows'] if (row['layer'], row['tokens'], row['weights']) not in (
        ('gmoe-s16', 1, 'f16'), ('gmoe-s16', 32, 'mxfp4'), ('gmoe-s16', 32, 'q8'))]
    document['rows'][0]['experts_cut_from'] = 256
    page, _ = report(document)
    said, expected = page.tables['Types of weights'].rows, []
    for number, letter, _, row in numbered([document]):
        if (row['layer'], row['tokens']) != ('gmoe-s16', 32):  # without a type with scales there
            expected.append((number, letter, row))
    assert len(said) == len(expected) == 2 * (10 + 4), (len(said), len(expected))
    for cells, (number, letter, row) in zip(said, expected):
        run, bits = row['hard'], results.BITS[row['weights']]
        same = [time_of(one['hard']) for one in document['rows'] if one['weights'] == 'f16' and all(
            one[name] == row[name] for name in ('device', 'layer', 'tokens'))]
        assert [cells[name] for name in ('row', 'device', 'layer', 'tokens', 'weights', 'format of files')] == [
            str(number), letter, row['layer'], str(row['tokens']), row['weights'], bits[2]], (cells, row)
        assert cells['experts'] == '%d%s' % (row['experts'], ' of 256' * ('experts_cut_from' in row)), cells
        assert (amount(cells['bits']), amount(cells['its bits'])) == bits[:2], cells
        assert near(amount(cells['time'], 's'), time_of(run) / 1e9), cells
        assert near(amount(cells["over float16's"]), time_of(run) / same[0] if same else None), (cells, same)
        assert near(amount(cells['byte/s'], 'B/s'), run['bytes_per_second']), cells
        assert abs(share(cells['of peak']) - run['share_of_bytes']) < 0.0051, cells
        assert near(amount(cells['for 1 GB of files'], 's'), time_of(run) / run['file_bytes']), cells
    page, _ = report(results.document([results.small()], ['olmoe'], (1,)))
    assert 'Types of weights' not in page.tables


def layers_say_their_routing():
    document = results.document([results.large()], ['olmoe', 'tiny-grouped', 'gmoe-s16'], (1,), ('f16',))
    document['rows'][0].update(gate='softmax_bias', balanced_groups=8, expert_scale=True)
    page, _ = report(document)
    text = page.root.text()
    for part in ('softmax_bias, 8 balanced groups, factors', 'sigmoid, 2 of 4 groups, gated shared 80', 'cosine 256'):
        assert part in text, part


def rows_of_a_sweep_are_told_apart():
    """By what they differ in: pictures name it, and give such rows' numbers where there is no room."""
    document = results.document([results.large()], ['olmoe', 'tiny-grouped'], (1,), ('f16',), route=True)
    row, other = document['rows'][:2]
    document['rows'] += [{**row, 'given_eps': 0.25}, {**row, 'max_active': 10}, {**other, 'd_hidden': 96, 'experts': 32}]
    page, _ = report(document)
    headings = {picture.title: [text for _, _, text, kind in picture.texts if kind in (['q'], [])] for picture in page.pictures('times')}
    assert headings == {'olmoe': ['1 token, f16', 'at most 10', '1 token, f16', 'at most 12', '1 token, f16', 'at most 12, eps 0.25'],
                        'tiny-grouped': ['1 token, f16', 'D 64, H 48, E 16, k 4', '1 token, f16', 'D 64, H 96, E 32, k 4']}, headings
    weights = [said['weights'] for said in page.tables['Every row of the results'].rows]
    assert weights[::2] == ['f16, at most 12', 'f16, at most 12, eps 0.25', 'f16, at most 10', 'f16, D 64, H 48, E 16, k 4',
                            'f16, D 64, H 96, E 32, k 4'], weights
    stages = [picture for picture in page.pictures('device-A') if any(kind[-1:] == ['z'] for kind, _, _ in picture.paths)]
    assert [text for picture in stages for _, _, text, _ in picture.texts if text.startswith('row')] == ['row %d' % i for i in range(1, 6)]
    document['rows'] = [one for one in document['rows'] if one['kind'] == 'route']
    page, _ = report(document)
    assert 'device-A' not in page.sections and len(page.pictures('routing')) == 2, 'a device that only routed has no part of its own'


def little_is_enough():
    """Documents without rows, without devices, of unsupported rows alone, and with no more than readers ask for."""
    document = results.document([results.software()], ['olmoe'], (1,))
    unsupported = results.document([results.software()], ['deepseek-v3'], (1,))['rows']
    for change in ({'rows': []}, {'rows': [], 'devices': []}, {'rows': unsupported}):
        page, _ = report({**document, **change})
        assert not list(page.root.all('figure')) and len(page.tables['Every row of the results'].rows) == len(change['rows']), change
    least = {'format': 1, 'program': {'name': 'p', 'version': '1'}, 'run': {'finished': True}, 'devices': [{'name': 'n', 'driver': 'd'}],
             'rows': [{'device': 0, 'kind': 'layer', 'layer': 'l', 'd_model': 1, 'd_hidden': 1, 'experts': 1, 'top_k': 1, 'tokens': 1,
                       'weights': 'f32', 'hard': {'samples_ns': [5]}}]}
    page, _ = report(least)
    row, = page.tables['Every row of the results'].rows
    assert (row['time'], row['10th'], row['op/s'], row['bound by']) == ('5.00 ns', '–', '–', ''), row
    for time in (0, 1e-30, 1e30):
        least['rows'][0]['hard'].update(samples_ns=[time], flop=1e30, bytes=1e-30, share_of_bytes=1e30, share_of_operations=0)
        page, _ = report(least)
        assert 'nan' not in page.text and 'inf' not in re.sub('[a-z]*inf[a-z]+', '', page.text), time


def what_is_refused():
    good = results.document([results.large()], ['olmoe'], (1,))
    for text, rule in (('', ''), ('[1', ''), ('{"format": 2}', 'format'), ('{"format": 1}', ''),
                       (json.dumps(good).replace('"median": ', '"median": NaN, "x": ', 1), ''), (json.dumps({**good, 'rows': 5}), 'rows'),
                       (json.dumps(good)[:-200], '')):
        _, messages = report(results.document([results.small()], ['olmoe'], (1,)), text, status=2)
        assert messages.startswith('smoe-bench: ' + path_of('1.json') + ': ') and messages.count('\n') == 1 and rule in messages, messages
    path, out = write('good.json', good), path_of('page.html')
    for arguments, part in (([], 'RESULTS.json'), ([path], '--html'), ([path, '--html'], '--html'),
                            ([path, '--html', out, '--nothing'], '--nothing'),
                            ([path_of('none.json'), '--html', out], path_of('none.json')), (['--html', out], 'RESULTS.json'),
                            ([path, '--html', path], 'one of the documents'), ([path, '--html', scratch.name], scratch.name),
                            ([path, '--html', write('text.html', 'a text of my own')], 'text.html'),
                            ([path, '--html', path_of('no folder/page.html')], 'no folder')):
        _, messages = tap.outputs(PROGRAM, 'report', *arguments, status=2)
        assert part in messages and messages.startswith('smoe-bench: ') and messages.count('\n') == 1, (arguments, messages)
        assert not os.path.exists(out), arguments
    with open(path, encoding='utf-8') as file:
        assert json.load(file) == good
    with open(path_of('text.html'), encoding='utf-8') as file:
        assert file.read() == 'a text of my own'


def pages_go_where_they_are_told():
    path = write('good.json', results.document([results.large()], ['olmoe'], (1,)))
    printed, messages = tap.outputs(PROGRAM, 'report', path, '--html', '-')
    assert printed.startswith('<!doctype html>') and not messages
    out = write('old.html', '<!doctype html><p>old')
    tap.outputs(PROGRAM, 'report', '--html=' + out, path)
    with open(out, encoding='utf-8') as file:
        assert file.read() == printed


tap.run([every_row_is_in_the_table, every_stage_and_every_peak_is_in_a_table, marks_lie_at_their_numbers, bars_end_at_their_times,
         stages_and_limits_have_their_shares, routing_alone_has_its_table,
         routing_alone_has_its_lines, routing_of_other_layers_has_lines_of_its_own,
         how_it_was_measured_is_there, nothing_is_loaded, texts_do_no_harm,
         doubts_are_said, types_of_weights_are_beside_float16s, layers_say_their_routing, rows_of_a_sweep_are_told_apart,
         little_is_enough, what_is_refused, pages_go_where_they_are_told])
