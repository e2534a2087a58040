"""smoe-window by a script: its pixels show what its state says. Every run is under the validation layers, where any message fails."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import window_run as window
from window_run import mix, rgb, is_like, tap

SCRIPT = '''
hold                     # nothing is compiled before the first wait
frames 2
screenshot loading.ppm
state loading.json
wait
frames 2
screenshot whole.ppm
state whole.json
{zoom}
screenshot near.ppm
state near.json
{zoom}
state nearer.json
move whole 0.5 0.5
press
release
wait
move canvas 0.5 0.5      # off the buttons
frames 2
move eps 0.3 0.5
press
move eps -1 0.5
release
wait
state no_band.json
move reset 0.5 0.5
press
release
move max_active 0.4 0.5
press
move max_active -1 0.5
release
move temperature 0.9 0.5
press
release
wait
state capped.json
quit
'''
ZOOM = 'move zoom 0.5 0.5\npress\nrelease\nmove canvas 0.5 0.5\nwait\nframes 2'
SIDES = ('hard', 'smooth')


@tap.once
def first_run():
    window.run(SCRIPT.format(zoom=ZOOM))


def shown(name):
    """State and screenshot of a moment of the run."""
    first_run()
    picture = window.picture(name + '.ppm') if os.path.exists(window.path_of(name + '.ppm')) else None
    return window.state(name + '.json'), picture


def places(rect, count):
    """Points of the path that are a whole pixel's middle, spread over a rectangle: (point, x)."""
    left, _, width, _ = rect
    for i in range(count):
        x = int(left + width * (i + 0.5) / count)
        yield round((x + 0.5 - left) / width * (window.POINTS - 1)), x


# ---- pixels


def a_frame_comes_before_the_model():
    state, picture = shown('loading')
    assert state['loading'] and 'hard' not in state and state['frames'] >= 1, state.keys()
    later, _ = shown('whole')
    left, top, width, height = later['areas']['curves_hard']
    colours = {picture.at(x, y) for x in range(int(left), int(left + width)) for y in range(int(top + 2), int(top + height), 3)}
    greys = [colour for colour in colours if max(colour) - min(colour) < 24]
    assert greys == list(colours) and len(colours) > 3, 'only the line of text: %s' % colours
    print('# the first frame came after %.0f ms' % state['first_frame_milliseconds'])


def maps_show_the_weights_of_the_report():
    for name in ('whole', 'near'):
        state, picture = shown(name)
        for side in SIDES:
            rect, seen = state['areas']['map_' + side], set()
            for point, x in places(rect, 60):
                for expert in range(8):
                    y = rect[1] + rect[3] * (expert + 0.6) / 8
                    weight = state[side]['records'][1 + point]['weights'].get(str(expert), 0)
                    seen.add(round(weight, 1))
                    expected = mix(window.TRACK, window.EXPERT, weight)
                    assert is_like(picture.at(x, y), expected), (name, side, point, expert, weight, picture.at(x, y), expected)
            assert len(seen) >= 3, 'too few weights to tell: %s' % seen


def strips_show_the_gap():
    state, picture = shown('whole')
    for side in SIDES:
        rect = state['areas']['near_' + side]
        parts = []
        for point, x in places(rect, 60):
            part = 1 - min(state[side]['records'][1 + point]['gap'] / window.NEAR_GAP, 1)
            parts.append(part)
            assert is_like(picture.at(x, rect[1] + rect[3] / 2), mix(window.TRACK, window.NEAR, part)), (side, point, part)
        assert max(parts) > 0.8 and min(parts) < 0.2, parts


def bars_show_the_item():
    state, picture = shown('whole')
    for side in SIDES:
        weights = [state[side]['records'][0]['weights'].get(str(e), 0) for e in range(8)]
        for name, values in (('answers', state[side]['probabilities'][0]), ('experts', weights)):
            left, top, width, height = state['areas']['%s_%s' % (name, side)]
            for row, value in enumerate(values):
                y = top + height * (row + 0.6) / len(values)
                filled = sum(not is_like(picture.at(x, y), rgb(window.TRACK)) for x in range(int(left), int(left + width)))
                assert abs(filled - value * width) <= 1, (side, name, row, value, filled)


# ---- curves


def height_of(state, side, point, which):
    """Pixels from the top of the picture at which a class's curve should be."""
    _, top, _, height = state['areas']['curves_' + side]
    low, high = state['axis']
    return top + height * (1 - (state[side]['probabilities'][1 + point][which] - low) / (high - low))


def coloured(picture, state, side, x, which):
    """Rows in a column of pixels that have a class's colour."""
    _, top, _, height = state['areas']['curves_' + side]
    return [y for y in range(int(top), int(top + height)) if is_like(picture.at(x, y), rgb(window.CLASS_COLOURS[which]), 30)]


def curves_are_as_high_as_the_answers():
    for name in ('whole', 'near'):
        state, picture = shown(name)
        found = 0
        for side in SIDES:
            for point, x in places(state['areas']['curves_' + side], 40):
                for which, value in enumerate(state[side]['probabilities'][1 + point]):
                    others = [abs(value - other) for c, other in enumerate(state[side]['probabilities'][1 + point]) if c != which]
                    steps = [abs(value - state[side]['probabilities'][min(max(1 + point + d, 1), window.POINTS)][which]) for d in (-2, 2)]
                    if min(others) < 0.03 or max(steps) > 0.03:
                        continue  # another curve is over it, or it is steep
                    expected = height_of(state, side, point, which)
                    rows = [y for y in coloured(picture, state, side, x, which) if abs(y + 0.5 - expected) < 5]
                    assert rows and abs(sum(rows) / len(rows) + 0.5 - expected) < 1.6, (name, side, point, which, rows, expected)
                    found += 1
        assert found > 40, found


def experts_of(state, side, point):
    return set(state[side]['records'][1 + point]['weights'])


def jumps_of(state, side):
    """Points after which the hard side takes other experts, and by how much an answer changes there."""
    found = []
    for i in range(window.POINTS - 1):
        here, there = (state[side]['probabilities'][1 + i + d] for d in (0, 1))
        if experts_of(state, side, i) != experts_of(state, side, i + 1):
            found.append((i, max(abs(a - b) for a, b in zip(here, there))))
    return found


def hard_jumps_and_smooth_glides():
    """However far one zooms: by the numbers. The steps of the smooth side shrink with the zoom, the hard side's jump stays."""
    largest, steps = [], []
    for name in ('whole', 'near', 'nearer'):
        state, _ = shown(name)
        jumps = jumps_of(state, 'hard')
        assert jumps and state['hard']['jumps'] == len(jumps) and state['smooth']['jumps'] == 0, (name, jumps)
        largest.append(max(step for _, step in jumps))
        steps.append(state['smooth']['largest_step'])
        assert abs(largest[-1] - state['hard']['largest_step']) < 1e-6, (name, largest, state['hard']['largest_step'])
    widths = [shown(name)[0]['high'] - shown(name)[0]['low'] for name in ('whole', 'near', 'nearer')]
    assert widths[0] == 1 and abs(widths[1] - 0.1) < 1e-9 and abs(widths[2] - 0.01) < 1e-9, widths
    assert min(largest) > 0.7 and max(largest) - min(largest) < 0.02, largest
    assert steps[0] < 0.1 and steps[1] < steps[0] / 5 and steps[2] < steps[1] / 5, steps


def a_jump_is_a_break_and_a_glide_is_not():
    """The same by the pixels: between both ends of the hard side's largest jump no pixel has the curve's colour; the smooth side's curve is
    in every column, and near where it was in the one before."""
    for name in ('whole', 'near'):
        state, picture = shown(name)
        point, _ = max(jumps_of(state, 'hard'), key=lambda jump: jump[1])
        here, there = (state['hard']['probabilities'][1 + point + d] for d in (0, 1))
        which = max(range(10), key=lambda c: abs(here[c] - there[c]))
        left, _, width, _ = state['areas']['curves_hard']
        ends = sorted(height_of(state, 'hard', point + d, which) for d in (0, 1))
        middle = left + width * (point + 0.5) / (window.POINTS - 1)
        between = [y for x in range(int(middle) - 2, int(middle) + 4) for y in coloured(picture, state, 'hard', x, which)
                   if ends[0] + 6 < y < ends[1] - 6]
        assert ends[1] - ends[0] > 150 and not between, (name, ends, between)
        left, _, width, _ = state['areas']['curves_smooth']
        last, hidden = None, 0
        for x in range(int(left) + 2, int(left + width) - 2):
            rows = coloured(picture, state, 'smooth', x, which)
            hidden = 0 if rows else hidden + 1  # where another curve crosses it
            assert hidden < 8, (name, x)
            assert not last or not rows or (rows[0] <= last[-1] + 2 + hidden and rows[-1] >= last[0] - 2), (name, x, last, rows)
            last = rows


# ---- numbers


def answers_are_those_of_smoe_digits():
    """Another program, with the head in plain C: the sample that is shown at first, hard and smooth."""
    state, _ = shown('whole')
    for side, options in (('smooth', []), ('hard', ['--eps', '0'])):
        output = tap.command(tap.BUILD + '/bin/smoe-digits', '--index', str(state['sample']), *options)
        printed = [float(value) for value in re.findall(r'^  \d +([\d.]+) %', output, re.MULTILINE)]
        assert len(printed) == 10, output
        for value, expected in zip(state[side]['probabilities'][0], printed):
            assert abs(100 * value - expected) < 0.0051, (side, value, expected)
        experts = dict(re.findall(r'(\d): +([\d.]+)', output.partition('experts that ran')[2]))
        weights = state[side]['records'][0]['weights']
        assert experts.keys() == weights.keys(), (side, experts, weights)
        assert all(abs(100 * weights[e] - float(experts[e])) < 0.051 for e in experts), (side, experts, weights)


def the_path_ends_at_its_digits():
    state, _ = shown('whole')
    assert state['from'] == state['seen'], 'the first sample is the path\'s beginning too'
    for side in SIDES:
        for a, b in zip(state[side]['logits'][0], state[side]['logits'][1]):
            assert abs(a - b) < 1e-4, (side, a, b)


def sliders_move_the_layer():
    whole, no_band, capped = (shown(name)[0] for name in ('whole', 'no_band', 'capped'))
    assert abs(whole['eps'] - 0.4234913) < 1e-6 and whole['max_active'] == 4 and whole['temperature'] == 1, whole['eps']
    assert no_band['eps'] == 0, no_band['eps']
    assert no_band['smooth']['logits'] == no_band['hard']['logits'], 'eps = 0 is hard routing, to the bit'
    assert whole['smooth']['logits'] != whole['hard']['logits']
    assert capped['max_active'] == 2 and abs(capped['eps'] - whole['eps']) < 1e-6 and capped['temperature'] > 2, capped['temperature']
    active = [max(len(record['weights']) for record in state['smooth']['records']) for state in (whole, capped)]
    assert active[0] > 2 and active[1] == 2, active
    for hot, cold in zip(capped['hard']['records'], whole['hard']['records']):
        assert hot['weights'].keys() == cold['weights'].keys() and max(hot['weights'].values()) <= max(cold['weights'].values()) + 1e-6


tap.run([a_frame_comes_before_the_model, maps_show_the_weights_of_the_report, strips_show_the_gap, bars_show_the_item,
         curves_are_as_high_as_the_answers, hard_jumps_and_smooth_glides, a_jump_is_a_break_and_a_glide_is_not,
         answers_are_those_of_smoe_digits, the_path_ends_at_its_digits, sliders_move_the_layer])
