"""What a user does with smoe-window, by a script: paint, choose, zoom, and change the window."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import window_run as window
from window_run import mix, is_like, tap

SCRIPT = '''
wait
state first.json
move next 0.5 0.5
press
release
wait
state next.json
key left                 # the sample before, which is the first one
key left
wait
state previous.json
move clear 0.5 0.5
press
release
wait
state clear.json
move canvas 0.5 0.15
press
move canvas 0.5 0.4
move canvas 0.52 0.85
release
wait
frames 2
state painted.json
screenshot painted.ppm
move use_to 0.5 0.5
press
release
wait
state used.json
move curves_smooth 0.25 0.2
press
move curves_smooth 0.5 0.5
frames 2
release
wait
state selected.json
move curves_hard 0.2 0.5
wheel 2
wait
state wheel.json
key home
key l
wait
state logits.json
key l
move vsync 0.2 0.5
press
release
frames 3
resize 1100 760
frames 3
state resized.json
screenshot resized.ppm
minimise
frames 20
restore
state restored.json
resize 640 480
frames 3
screenshot small.ppm
resize 2560 1600
scale 2
move curves_hard 0.5 0.5
wait
frames 2
state large.json
screenshot large.ppm
key escape
frames 1000              # never reached
screenshot after.ppm
'''


@tap.once
def state(name):
    run_once()
    return window.state(name + '.json')


@tap.once
def run_once():
    window.run(SCRIPT)


@tap.once
def picture(name):
    run_once()
    return window.picture(name + '.ppm')


def samples_are_stepped_through():
    first, following, previous = state('first'), state('next'), state('previous')
    assert following['sample'] > first['sample'] > previous['sample'], [s['sample'] for s in (first, following, previous)]
    assert following['seen'] != first['seen'] and following['smooth']['logits'][0] != first['smooth']['logits'][0]
    assert following['smooth']['logits'][1:] == first['smooth']['logits'][1:], 'the path is as it was'


def strokes_are_ink():
    empty, painted = state('clear'), state('painted')
    assert not any(empty['canvas']) and empty['sample'] == painted['sample'] == -1, empty['sample']
    side = 32
    rows = [y for y in range(side) if any(painted['canvas'][y * side:(y + 1) * side])]
    columns = [x for x in range(side) if any(painted['canvas'][x::side])]
    assert abs(rows[0] - (0.15 * side - 3)) < 1.5 and abs(rows[-1] - (0.85 * side + 2)) < 1.5, rows
    assert 12 <= columns[0] and columns[-1] <= 20 and max(painted['canvas']) == 1, columns
    assert rows == list(range(rows[0], rows[-1] + 1)), 'a stroke between two places has no holes'
    for p in range(64):
        cell = [painted['canvas'][(p // 8 * 4 + y) * side + p % 8 * 4 + x] for y in range(4) for x in range(4)]
        assert abs(painted['seen'][p] - sum(cell) / 16) < 1e-5, p
    assert painted['smooth']['answer'] == 1, painted['smooth']['probabilities'][0]


def the_canvas_is_what_it_holds():
    painted, shot = state('painted'), picture('painted')
    left, top, width, height = painted['areas']['canvas']
    for i, ink in enumerate(painted['canvas']):
        at = left + width * (i % 32 + 0.5) / 32, top + height * (i // 32 + 0.5) / 32
        assert is_like(shot.at(*at), mix(window.PAPER, window.INK, ink)), (i, ink, shot.at(*at))


def a_painted_digit_ends_the_path():
    painted, used = state('painted'), state('used')
    assert used['to'] == used['seen'] == painted['seen'] and used['from'] == painted['from']
    assert all(abs(a - b) < 1e-4 for a, b in zip(used['hard']['logits'][0], used['hard']['logits'][-1]))


def a_rectangle_zooms():
    selected, wheel = state('selected'), state('wheel')
    assert abs(selected['low'] - 0.25) < 0.01 and abs(selected['high'] - 0.5) < 0.01, (selected['low'], selected['high'])
    assert abs(selected['axis'][0] - 0.5) < 0.01 and abs(selected['axis'][1] - 0.8) < 0.01, selected['axis']
    # by 0.8 each turn, around the pointer
    at = selected['low'] + 0.2 * (selected['high'] - selected['low'])
    for end in ('low', 'high'):
        assert abs(wheel[end] - (at + 0.64 * (selected[end] - at))) < 0.001, (end, wheel[end], selected[end])


def logits_have_their_own_axis():
    logits = state('logits')
    values = [value for side in ('hard', 'smooth') for row in logits[side]['logits'][1:] for value in row]
    assert logits['logits'] and (logits['low'], logits['high']) == (0, 1), (logits['low'], logits['high'])
    assert abs(logits['axis'][0] - min(values)) < 1e-4 and abs(logits['axis'][1] - max(values)) < 1e-4, logits['axis']


def the_window_changes():
    resized, restored, shot = state('resized'), state('restored'), picture('resized')
    assert (shot.width, shot.height) == (resized['width'], resized['height']) == (1100, 760), (shot.width, shot.height)
    assert not resized['vsync'] and state('logits')['vsync']
    assert restored['frames'] - resized['frames'] <= 5, 'nothing is drawn while minimised'
    small = picture('small')
    assert (small.width, small.height) == (640, 480), (small.width, small.height)
    # what does not fit scrolls: the bars at its edges
    assert small.at(636, 100) != (255, 255, 255) and small.at(300, 476) != (255, 255, 255), (small.at(636, 100), small.at(300, 476))


def twice_the_scale_is_twice_as_large():
    large, shot = state('large'), picture('large')
    first = state('first')
    assert large['pixels_per_unit'] == 2 and (shot.width, shot.height) == (2560, 1600), large['pixels_per_unit']
    for name in ('canvas', 'clear', 'map_hard', 'curves_smooth', 'eps'):
        assert all(abs(b - 2 * a) < 2.1 for a, b in zip(first['areas'][name], large['areas'][name])), name
    left, top, width, height = large['areas']['map_hard']
    for i in range(40):
        x, expert = int(left + width * (i + 0.5) / 40), i % 8
        point = round((x + 0.5 - left) / width * (window.POINTS - 1))
        expected = mix(window.TRACK, window.EXPERT, large['hard']['records'][1 + point]['weights'].get(str(expert), 0))
        shown = shot.at(x, top + height * (expert + 0.6) / 8)
        pointer = abs(x - left - width / 2) < 3
        assert pointer or is_like(shown, expected), (i, expert, shown, expected)


def escape_closes():
    run_once()
    assert not os.path.exists(window.path_of('after.ppm'))


tap.run([samples_are_stepped_through, strokes_are_ink, the_canvas_is_what_it_holds, a_painted_digit_ends_the_path, a_rectangle_zooms,
         logits_have_their_own_axis, the_window_changes, twice_the_scale_is_twice_as_large, escape_closes])
