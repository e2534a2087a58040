"""smoe-window over pictures, by a script: its answers are smoe-classify's to the bit, its pixels show what its state says, and a picture
that is dropped on it is shown. Every run is under the validation layers, where any message fails."""
import os
import random
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import window_run as window
from window_run import mix, rgb, is_like, tap

sys.path[1:1] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', part) for part in ('vision', 'golden')]
import pictures
import tensor_file

CLASSIFY = tap.BUILD + '/bin/smoe-classify'
MODEL = ['--model', os.path.abspath(os.path.join(os.path.dirname(__file__), '..', 'vision', 'check_smooth.safetensors'))]  # a small one
NAMES = ('first.png', 'second.png', 'third.png')
SCRIPT = '''
wait
frames 2
screenshot first.ppm
state first.json
drop {third}
wait
frames 2
screenshot dropped.ppm
state dropped.json
drop {broken}
frames 2
state broken.json
move use_from 0.5 0.5
press
release
wait
frames 2
move eps 0.3 0.5
press
move eps -1 0.5
release
wait
frames 2
state no_band.json
move zoom 0.5 0.5
press
release
wait
frames 2
state near.json
quit
'''
SIDES = ('hard', 'smooth')


def blotches(seed):
    """A picture of a few colours in large parts: bytes [36, 40, 3]."""
    draw = random.Random(seed)
    parts = [[draw.randrange(256) for _ in range(3)] for _ in range(12)]
    return bytes(value + draw.randrange(-9, 9) & 255 if 9 < value < 246 else value
                 for y in range(36) for x in range(40) for value in parts[y // 12 * 4 + x // 10])


@tap.once
def paths():
    found = [window.path_of(name) for name in NAMES]
    for seed, path in enumerate(found):
        pictures.write_png(path, 40, 36, blotches(seed))
    with open(window.path_of('broken.png'), 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\nno more')
    return found


@tap.once
def classified(*arguments):
    """Logits of the three pictures."""
    out = window.path_of('out%d.safetensors' % len(arguments))
    tap.outputs(CLASSIFY, *MODEL, *arguments, '--out', out, *paths())
    logits = tensor_file.read(out)[0]['logits']
    count = logits.shape[1]
    return [list(logits.values[i * count:(i + 1) * count]) for i in range(logits.shape[0])]


@tap.once
def first_run():
    first, second, third = paths()
    window.run(SCRIPT.format(third=third, broken=window.path_of('broken.png')), *MODEL, first, second)


def shown(name):
    first_run()
    return window.state(name + '.json'), window.picture(name + '.ppm') if os.path.exists(window.path_of(name + '.ppm')) else None


def answers(state, side, item):
    """As the float32 that they are; JSON has them in fewer digits."""
    logits = state[side]['logits'][item]
    return list(struct.unpack('%df' % len(logits), struct.pack('%df' % len(logits), *logits)))


def answers_are_those_of_smoe_classify():
    """Of the picture that is looked at, and of both ends of the path, which a batch has beside others."""
    state, _ = shown('first')
    for side, arguments in (('hard', ('--eps', '0')), ('smooth', ())):
        logits = classified(*arguments)
        assert answers(state, side, 0) == logits[0] and answers(state, side, 1) == logits[0], (side, answers(state, side, 0), logits[0])
        assert answers(state, side, -1) == logits[1], (side, answers(state, side, -1), logits[1])
        middle = answers(state, side, len(state[side]['logits']) // 2)
        assert middle not in logits and len(state[side]['logits']) >= 32
    assert classified() != classified('--eps', '0')


def a_picture_that_is_dropped_is_shown():
    before, _ = shown('first')
    state, _ = shown('dropped')
    assert before['pictures'] == list(NAMES[:2]) and before['shown'] == 0
    assert state['pictures'] == list(NAMES) and state['shown'] == 2 and state['reason'] == ''
    assert (state['from'], state['to']) == (0, 1)
    for side, arguments in (('hard', ('--eps', '0')), ('smooth', ())):
        assert answers(state, side, 0) == classified(*arguments)[2]
        assert answers(state, side, 1) == answers(before, side, 1)


def a_file_that_is_no_picture_is_said():
    state, _ = shown('broken')
    assert 'broken.png' in state['reason'] and state['pictures'] == list(NAMES) and state['shown'] == 2, state['reason']


def without_a_band_both_sides_are_one():
    """And the path begins where the button said."""
    state, _ = shown('no_band')
    assert state['eps'] == 0 and state['from'] == 2
    for part in ('logits', 'records', 'blocks'):
        assert state['hard'][part] == state['smooth'][part], part
    assert answers(state, 'hard', 1) == classified('--eps', '0')[2]


def zoom_looks_at_the_largest_step():
    wide, _ = shown('no_band')
    state, _ = shown('near')
    assert 0.09 < state['high'] - state['low'] < 0.11
    points = wide['hard']['probabilities'][1:]
    steps = [max(abs(a - b) for a, b in zip(*pair)) for pair in zip(points, points[1:])]
    at = (steps.index(max(steps)) + 0.5) / len(steps)
    assert state['low'] <= at <= state['high'], (at, state['low'], state['high'])


# ---- pixels


def pixels_of(picture, rect, side):
    """The middles of side x side squares of a rectangle."""
    left, top, width, height = rect
    return [picture.at(left + width * (x + 0.5) / side, top + height * (y + 0.5) / side) for y in range(side) for x in range(side)]


def the_picture_is_drawn():
    state, picture = shown('dropped')
    side, planes = state['side'], state['canvas']
    for i, pixel in enumerate(pixels_of(picture, state['areas']['canvas'], side)):
        expected = [255 * planes[c * side * side + i] for c in range(3)]
        assert is_like(pixel, expected), (i, pixel, expected)


def maps_show_the_patches():
    for name in ('first', 'dropped'):
        state, picture = shown(name)
        for index, block in enumerate(state['smooth']['blocks']):
            grid, most = round(len(block['experts']) ** 0.5), block['max_active'] - block['top_k']
            wanted = {'expert': [rgb(window.CLASS_COLOURS[expert]) for expert in block['experts']],
                      'near': [mix(window.TRACK, window.NEAR, 1 - min(gap / window.NEAR_GAP, 1)) for gap in block['gaps']],
                      'extra': [mix(window.TRACK, window.EXPERT, (ran - block['top_k']) / most) for ran in block['active']]}
            for kind, colours in wanted.items():
                found = pixels_of(picture, state['areas']['patches_%s_%d' % (kind, index)], grid)
                assert len(set(colours)) > 1, 'all patches are alike'
                for i, (pixel, colour) in enumerate(zip(found, colours)):
                    assert is_like(pixel, colour), (name, block['number'], kind, i, pixel, colour)


def bars_show_the_best_classes():
    state, picture = shown('dropped')
    smooth = state['smooth']['probabilities'][0]
    best = sorted(range(len(smooth)), key=lambda c: (-smooth[c], c))[:5]
    for side in SIDES:
        for row, which in enumerate(best):
            left, top, width, height = state['areas']['best_%d_%s' % (row, side)]
            line = [picture.at(x, top + height / 2) for x in range(int(left + 0.5), int(left + width))]
            filled = sum(is_like(pixel, rgb(window.CLASS_COLOURS[which]), 30) for pixel in line)
            assert abs(filled - state[side]['probabilities'][0][which] * width) <= 1.5, (side, row, filled)


# ---- others


def without_a_picture_it_waits_for_one():
    window.run('wait\nframes 2\nstate empty.json\nquit\n', *MODEL, '--pictures')
    state = window.state('empty.json')
    assert state['pictures'] == ['grey'] and len(set(state['canvas'])) <= 3, state['pictures']


def a_queue_of_its_own():
    """The engine's buffers are for both families, and the results are the same."""
    before, _ = shown('first')
    first, second, _ = paths()
    window.run('wait\nstate own.json\nquit\n', *MODEL, first, second, env=window.shim('own-queue'))
    own = window.state('own.json')
    assert own['own_queue'] and not before['own_queue']
    for side in SIDES:
        assert own[side]['logits'] == before[side]['logits'] and own[side]['blocks'] == before[side]['blocks'], side


def what_cannot_be_shown_is_refused():
    window.needs_window()
    for arguments, text in (([*MODEL, paths()[0], window.path_of('broken.png')], 'broken.png'), ([*MODEL, 'none.png'], 'none.png'),
                            (['--model', paths()[0], paths()[1]], 'first.png')):
        run = subprocess.run([window.WINDOW, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8',
                             cwd=window.scratch.name)
        assert run.returncode == 2 and text in run.stdout and run.stdout.count('\n') == 1, run.stdout


tap.run([answers_are_those_of_smoe_classify, a_picture_that_is_dropped_is_shown, a_file_that_is_no_picture_is_said,
         without_a_band_both_sides_are_one, zoom_looks_at_the_largest_step, the_picture_is_drawn, maps_show_the_patches,
         bars_show_the_best_classes, without_a_picture_it_waits_for_one, a_queue_of_its_own, what_cannot_be_shown_is_refused])
