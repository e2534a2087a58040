"""smoe-analyze's simulations: the generator against published vectors, its counts against closed forms and against sums done here in
plain Python, the fitted slopes against theory, each within its own sampling error; and wrong command lines.

A measured number may be LIMIT standard errors off: of the some hundred numbers compared here one in 10,000 seeds would put one farther.
The seed is 1 or SMOE_TEST_SEED, and every failure prints it."""
import functools
import json
import math
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

PROGRAM = tap.BUILD + '/bin/smoe-analyze'
start = functools.partial(tap.outputs, PROGRAM)
SEED = os.environ.get('SMOE_TEST_SEED', '') or '1'
SEED = str(int(time.time()) if SEED == 'time' else int(SEED, 0) % 2 ** 53)
LIMIT = 5

# Random123's kat_vectors (D. E. Shaw Research), philox4x32 with 10 rounds: counter, key, words.
PUBLISHED = [
    ('00000000,00000000,00000000,00000000', '00000000,00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'),
    ('ffffffff,ffffffff,ffffffff,ffffffff', 'ffffffff,ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'),
    ('243f6a88,85a308d3,13198a2e,03707344', 'a4093822,299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'),
]

WRONG = [['volume', '--samples'],
         ['volume', '--samples', '0'], ['volume', '--samples', '1.5'], ['volume', '--samples', '-1'], ['volume', '--samples=inf'],
         ['volume', '--seed', '1e16'], ['volume', '--seed', '0x1'], ['volume', '--device='], ['volume', '--json='],
         ['volume', '--gaussian=yes'], ['volume', '--k', '8'], ['volume', '--k', '0'], ['volume', '--experts', '65'],
         ['volume', '--experts', '64', '--width', '64'], ['volume', '--radius', '0'], ['volume', '--eps-from', '0.3'],
         ['volume', '--fit-to', '0.6'], ['volume', '--eps-to', 'nan'], ['paths', '--steps', '100'], ['paths', '--steps', '128'],
         ['paths', '--steps', '32'], ['paths', '--sigma', '0'], ['paths', '--k', '4', '--experts', '4'],
         ['occupation', '--time', '0'], ['occupation', '--steps', '16385'], ['boundary-mass', '--norm', '0'],
         ['boundary-mass', 'a', 'b'], ['boundary-mass', '--norm', '2', 'file'], ['boundary-mass', '--samples', '2', 'file'],
         ['philox', '--samples', '1'], ['philox', '--counter', '1,2,3'], ['philox', '--counter', '1,2,3,4,5'],
         ['philox', '--key', '1'], ['philox', '--key', 'g,1'], ['philox', '--counter', '123456789,0,0,0'],
         ['philox', '--blocks', '4097']]


class Result:
    """What a subcommand wrote as JSON, run under the validation layers; how says in a failure's message how to see it again."""

    def __init__(self, command, *options, samples=None, seed=SEED):
        arguments = [command, '--seed', seed, *options] + (['--samples', '%d' % samples] if samples else [])
        self.samples = samples
        self.how = ' '.join(arguments)
        out, self.messages = start(*arguments, '--validate', '--json', '-')
        assert 'validation: 0 messages' in self.messages, '%s: %s' % (self.how, self.messages)
        self.json = json.loads(out)
        for part in ('tables', 'fits', 'comparisons', 'values', 'arrays'):
            setattr(self, part, self.json[part])

    def check(self, condition, text):
        assert condition, '%s: %s' % (self.how, text)

    def check_near(self, what, measured, predicted, error):
        self.check(abs(measured - predicted) <= LIMIT * error, '%s: %g, not %g +- %g' % (what, measured, predicted, error))

    def check_slope(self, name, error_below):
        """That the fit's slope is the predicted one, and is known well enough for that to mean something."""
        fit = self.fits[name]
        self.check(fit['slope'] is not None, '%s: no fit' % name)
        self.check(0 < fit['slope_error'] < error_below, '%s: error %s' % (name, fit['slope_error']))
        self.check_near('slope of ' + name, fit['slope'], fit['predicted'], fit['slope_error'])


def below(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def band(eps, mean, spread):
    """P(|X| <= eps), X normal."""
    return below((eps - mean) / spread) - below((-eps - mean) / spread)


def philox_published():
    for counter, key, words in PUBLISHED:
        result = Result('philox', '--counter', counter, '--key', key)
        result.check(result.json['texts']['words'] == words, result.json['texts']['words'])


def philox_like_the_host():
    """4096 blocks on, over the carry into the counter's second word; the program compares word by word."""
    for counter in ('fffff800,0,0,0', 'fffff800,ffffffff,89abcdef,ffffffff'):
        result = Result('philox', '--counter', counter, '--blocks', '4096')
        result.check(result.values['different'] == 0 and result.values['blocks'] == 4096, result.values)


def same_seed_same_counts():
    """And samples that are in both of two runs count the same in both, whatever the batches were."""
    for command, table, samples in (('volume', 'share', 300007), ('occupation', 'time', 4096), ('paths', 'hits', 1009),
                                    ('boundary-mass', 'mass', 300007)):
        options = ['--steps', '64'] if command in ('paths', 'occupation') else []
        one, two = (Result(command, *options, samples=samples) for _ in range(2))
        other = Result(command, *options, samples=samples, seed=str(int(SEED) + 1))
        one.check(one.tables == two.tables, 'two runs counted differently')
        one.check(one.tables[table] != other.tables[table], 'another seed counted the same')


def volume_slopes():
    for options in ([], ['--gaussian', '--radius', '0.5'], ['--width', '5', '--experts', '7', '--k', '3', '--bias', '0.3']):
        result = Result('volume', *options, samples=6e6)
        for order, error_below in ((1, 0.01), (2, 0.03), (3, 0.2)):
            result.check_slope('order_%d' % order, error_below)
        shares = [result.tables['share']['order_%d' % order] for order in (1, 2, 3)]
        for values in shares:
            result.check(values == sorted(values) and 0 < values[-1] < 1, values)
        result.check(all(a >= b >= c for a, b, c in zip(*shares)), 'a higher order is seen more often')


def volume_two_experts():
    """One face: the share of the first band is that of a normal variable in an interval; higher orders do not exist."""
    result = Result('volume', '--experts', '2', '--k', '1', '--width', '3', '--gaussian', '--radius', '0.5', samples=2e6)
    router = result.arrays['router']
    normal = [router[d] - router[4 + d] for d in range(3)]
    table = result.tables['share']
    for eps, share in zip(table['eps'], table['order_1']):
        predicted = band(eps, router[3] - router[7], 0.5 * math.hypot(*normal))
        result.check_near('share at %g' % eps, share, predicted, math.sqrt(predicted * (1 - predicted) / result.samples))
    result.check(not any(table['order_2']) and not any(table['order_3']), 'three of two experts tie')
    result.check(result.fits['order_2']['predicted'] is None, 'an order that does not exist has a theory')


def widths(scores, k):
    """w_n of the orders 1, 2, 3, by their definition in band.glsl."""
    ranked = sorted(scores, reverse=True)
    return [min([ranked[i] - ranked[i + n] for i in range(max(0, k - n), k) if i + n < len(ranked)], default=math.inf) for n in (1, 2, 3)]


def volume_on_a_line():
    """Inputs on [-R, R]: the bands' shares by looking at 20,000 points of the line, each good for its part of it."""
    for experts, k in ((5, 2), (4, 1), (6, 5), (3, 2)):
        result = Result('volume', '--width', '1', '--experts', str(experts), '--k', str(k), '--radius', '1.5', '--bias', '0.5', samples=1e6)
        router, table = result.arrays['router'], result.tables['share']
        points = 20000
        found = [[], [], []]
        for i in range(points):
            x = 1.5 * ((2 * i + 1) / points - 1)
            for order, width in enumerate(widths([router[2 * e] * x + router[2 * e + 1] for e in range(experts)], k)):
                found[order].append(width)
        steepest = max(abs(router[2 * a] - router[2 * b]) for a in range(experts) for b in range(experts))
        for order in range(3):
            for eps, share in zip(table['eps'], table['order_%d' % (order + 1)]):
                predicted = sum(width <= eps for width in found[order]) / points
                # Beside the sampling error: a band has at most an end per pair of experts and side, each off by a point.
                grid = experts * (experts - 1) * 2 / points
                error = math.sqrt(max(predicted * (1 - predicted), 1 / result.samples) / result.samples)
                result.check(abs(share - predicted) <= LIMIT * error + grid,
                             'order %d, eps %g: %g, not %g (steepest %g)' % (order + 1, eps, share, predicted, steepest))
            if order < experts - 1:
                near = any(width < table['eps'][-1] for width in found[order])
                result.check(near == (table['order_%d' % (order + 1)][-1] > 0), 'order %d' % (order + 1))


def paths_one_face():
    """With one face the hitting time's law is known, and holds at every step whatever its size."""
    result = Result('paths', '--experts', '2', '--k', '1', '--width', '3', '--sigma', '0.7', '--steps', '256', samples=2e5)
    router, begin, table = result.arrays['router'], result.arrays['start'], result.tables['hits']
    off = [router[d] - router[4 + d] for d in range(3)]
    distance = abs(sum(o * x for o, x in zip(off, begin)) + router[3] - router[7]) / math.hypot(*off)
    result.check(math.isclose(distance, result.values['nearest'], rel_tol=1e-6), 'distance %g' % distance)
    result.check(math.isclose(table['t'][-1], 4 * (distance / 0.7) ** 2, rel_tol=1e-6), 'horizon %g' % table['t'][-1])
    for i, t in enumerate(table['t']):
        predicted = math.erfc(distance / (0.7 * math.sqrt(2 * t)))
        result.check(math.isclose(table['lower'][i], predicted, rel_tol=1e-6) and
                     math.isclose(table['upper'][i], predicted, rel_tol=1e-6), 'bounds at %g' % t)
        for column in ('hit', 'hit_64_steps'):
            error = math.sqrt(predicted * (1 - predicted) / result.samples)
            result.check_near('%s by %g' % (column, t), table[column][i], predicted, error)
    orders = result.tables['orders']
    result.check(not any(orders['order_2'] + orders['order_3'] + orders['order_4_up']), 'two experts switch at order 2')


def paths_many_faces():
    for options in ([], ['--width', '5', '--experts', '7', '--k', '3']):
        result = Result('paths', *options, '--steps', '1024', samples=2e4)
        table, orders = result.tables['hits'], result.tables['orders']
        distances = result.arrays['distances']
        result.check(math.isclose(min(distances), result.values['nearest'], rel_tol=1e-6), distances)
        for i, t in enumerate(table['t']):
            each = [math.erfc(d / math.sqrt(2 * t)) for d in distances]
            for column in ('hit', 'hit_64_steps', 'hit_256_steps'):
                for bound, sign in ((max(each), -1), (min(sum(each), 1), 1)):
                    error = math.sqrt(bound * (1 - bound) / result.samples) + 1 / result.samples
                    result.check(sign * (table[column][i] - bound) <= LIMIT * error,
                                 '%s by %g: %g beyond %g' % (column, t, table[column][i], bound))
        for i, steps in enumerate(orders['steps']):
            seen = [orders[name][i] for name in ('order_1', 'order_2', 'order_3', 'order_4_up')]
            result.check(math.isclose(sum(seen) / result.samples, orders['switched'][i], rel_tol=1e-12), seen)
            # A path seen to have switched has hit; between its steps it may have hit and come back.
            column = 'hit' if steps == 1024 else 'hit_%d_steps' % steps
            result.check(orders['switched'][i] <= table[column][-1], 'more paths switched than hit')
        share, error = orders['share_2_up'], orders['error']
        for i in (0, 1):
            result.check(share[i] - share[i + 1] > LIMIT * math.hypot(error[i], error[i + 1]), 'share of order 2 and above: %s' % share)
        fit = result.fits['order_2_up']
        result.check(fit['slope'] > LIMIT * fit['slope_error'], 'does not tend to 0: power %g +- %g' % (fit['slope'], fit['slope_error']))


def occupation_slopes():
    result = Result('occupation', samples=1e5)
    for order, error_below in ((1, 0.02), (2, 0.05), (3, 0.4)):
        result.check_slope('order_%d' % order, error_below)


def occupation_two_experts():
    """One face: the mean time in the band is the integral of a normal variable's probability, here by 2000 midpoints; looking at
    the path only 7 times does not change the mean."""
    result = Result('occupation', '--experts', '2', '--k', '1', '--width', '5', '--time', '0.5', '--sigma', '1.5', '--steps', '7',
                    samples=2e5)
    router, begin, table = result.arrays['router'], result.arrays['start'], result.tables['time']
    off = [router[d] - router[6 + d] for d in range(5)]
    mean = sum(o * x for o, x in zip(off, begin)) + router[5] - router[11]
    spread = 1.5 * math.hypot(*off)
    for eps, measured, error in zip(table['eps'], table['order_1'], table['error_1']):
        points = 2000
        # In sqrt(t), for the integrand's sake.
        predicted = sum(band(eps, mean, spread * (i + 0.5) / points * math.sqrt(0.5)) * (2 * i + 1) / points ** 2 * 0.5
                        for i in range(points))
        # The error of 32 blocks has one of its own, of 13 %.
        result.check_near('time at %g' % eps, measured, predicted, 1.6 * error + 1e-4 * predicted)
    result.check(not any(table['order_2']), 'three of two experts tie')


def boundary_mass_closed_form():
    for options, norm, offset, to in (([], 1, 0.5, 1), (['--width', '1', '--norm', '3', '--offset', '-2', '--gap-to', '4'], 3, -2, 4),
                                      (['--width', '13', '--offset', '0', '--gap-to', '0.5'], 1, 0, 0.5)):
        result = Result('boundary-mass', *options, samples=3e6)
        table = result.tables['mass']
        result.check(math.isclose(table['w'][-1], to), table['w'])
        for w, measured, theory in zip(table['w'], table['mass'], table['theory']):
            predicted = band(w, -offset, norm)
            result.check(math.isclose(theory, predicted, rel_tol=1e-9), 'theory at %g: %g, not %g' % (w, theory, predicted))
            result.check_near('mass at %g' % w, measured, predicted, math.sqrt(predicted * (1 - predicted) / result.samples))
        # chi square of 32 degrees of freedom: mean 32, variance 64
        result.check(abs(result.values['chi_square'] - 32) < LIMIT * 8, 'chi square %g' % result.values['chi_square'])
        slope = result.comparisons['slope']
        predicted = 2 / norm * math.exp(-(offset / norm) ** 2 / 2) / math.sqrt(2 * math.pi)
        result.check(math.isclose(slope['predicted'], predicted, rel_tol=1e-9), slope)
        result.check(0 < slope['error'] < 0.01 * predicted, slope)
        result.check_near('slope', slope['measured'], predicted, slope['error'])


def wrong_command_lines():
    for arguments in WRONG:
        out, messages = start(*arguments, status=2)
        assert not out and messages.startswith('smoe-analyze: ') and messages.count('\n') == 1, '%s: %s%s' % (arguments, out, messages)


def missing_device():
    out, messages = start('philox', '--device', 'no such device', status=1)
    assert not out and messages.startswith('smoe-analyze: ') and messages.count('\n') == 1, messages


def files_and_progress():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'out.json')
        out, messages = start('volume', '--samples', '1e5', '--json', path)
        assert not messages and 'slope' in out, messages
        with open(path, encoding='utf-8') as file:
            one = json.load(file)
        assert one['command'] == 'volume' and one['options']['samples'] == 1e5 and one['options']['k'] == 2, one['options']
        assert len(one['tables']['share']['eps']) == 32 and one['fits']['order_1']['predicted'] == 1, one['fits']
        out, messages = start('volume', '--samples', '1e5', '--progress')
        assert '[' in messages and ' %' in messages, messages
        out, messages = start('volume', '--samples', '1e5', '--json', os.path.join(folder, 'none', 'out.json'), status=2)
        assert not out and messages.count('\n') == 1 and 'cannot be written' in messages, messages
        start('volume', '--k', '8', '--json', path + '2', status=2)
        assert not os.path.exists(path + '2'), 'a refused run leaves a file'


tap.run([philox_published, philox_like_the_host, same_seed_same_counts, volume_slopes, volume_two_experts, volume_on_a_line, paths_one_face,
         paths_many_faces, occupation_slopes, occupation_two_experts, boundary_mass_closed_form, wrong_command_lines, missing_device,
         files_and_progress])
