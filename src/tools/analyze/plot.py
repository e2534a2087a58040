#!/usr/bin/env python3
"""Draws what a subcommand of smoe-analyze wrote with --json. Needs matplotlib (Debian: python3-matplotlib).

    src/tools/analyze/plot.py RESULT.json PICTURE [RESULT.json PICTURE ...]    writes PICTURE.svg and PICTURE.png

Measurements are points or solid lines, theory is dashed.
"""
import json
import math
import sys

import matplotlib
from PIL import Image  # matplotlib needs it too
matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402: after use()

# Okabe and Ito's colours, which colour-blind people can tell apart.
BLUE, ORANGE, GREEN, RED, GREY = '#0072b2', '#e69f00', '#009e73', '#d55e00', '#777777'
STYLE = {'font.size': 12, 'axes.titlesize': 12, 'axes.labelsize': 12, 'legend.fontsize': 10, 'lines.linewidth': 1.8,
         'lines.markersize': 4.5, 'axes.grid': True, 'grid.color': '#dddddd', 'grid.linewidth': 0.6, 'axes.axisbelow': True,
         'axes.spines.top': False, 'axes.spines.right': False, 'legend.framealpha': 0.85, 'legend.edgecolor': 'none',
         'svg.hashsalt': 'smoe', 'svg.fonttype': 'none', 'figure.constrained_layout.use': True}
THEORY = {'color': GREY, 'linestyle': '--', 'linewidth': 1.4}


def panels(count):
    figure, axes = plt.subplots(1, count, figsize=(4.9 * count, 3.9), squeeze=False)
    return figure, axes[0]


def columns(result, table):
    """Lists by name, with NaN for what is null."""
    return {name: [math.nan if value is None else value for value in values] for name, values in result['tables'][table].items()}


def counted(xs, ys):
    """The points with something counted: a logarithm shows no others."""
    pairs = [(x, y) for x, y in zip(xs, ys) if y > 0]
    return [x for x, _ in pairs], [y for _, y in pairs]


def where(result):
    """What the measurement ran over, for titles."""
    if 'experts' in result['values']:
        return 'E = %d, k = %d' % (result['values']['experts'], result['values']['k'])
    return 'E = %d, k = %d' % (result['options']['experts'], result['options']['k'])


# ---- a subcommand each

def bands(result, table, what, title):
    data = columns(result, table)
    figure, (axis,) = panels(1)
    figure.set_size_inches(6.2, 4.3)
    for order, colour in ((1, BLUE), (2, ORANGE), (3, GREEN)):
        fit = result['fits'].get('order_%d' % order, {})
        eps, values = counted(data['eps'], data['order_%d' % order])
        if not values:
            continue
        slope = '' if fit.get('slope') is None else ', fitted slope %.3f' % fit['slope']
        axis.loglog(eps, values, 'o', color=colour, label='order %d%s' % (order, slope))
        # Through the first point that is known to 5 %.
        known = [(x, y) for x, y, error in zip(data['eps'], data['order_%d' % order], data['error_%d' % order]) if 0 < error < 0.05 * y]
        if known:
            line = [known[0][1] * (x / known[0][0]) ** order for x in eps]
            axis.loglog(eps, line, **THEORY, label='theory for small ε: $ε^n$' if order == 3 else None)
    axis.set(xlabel='band width ε, in units of the scores', ylabel=what, title=title)
    axis.legend(loc='lower right')
    return figure


def volume(result):
    inputs = 'Gaussian inputs' if result['options'].get('gaussian') else 'inputs uniform in a ball'
    return bands(result, 'share', 'share of the inputs in the band', 'Volume near order n falls as $ε^n$\n%s, %s' % (inputs, where(result)))


def occupation(result):
    return bands(result, 'time', 'mean time in the band, up to T = %g' % result['options']['time'],
                 'Time near order n falls as $ε^n$\nBrownian paths, %s' % where(result))


def paths(result):
    hits, orders = columns(result, 'hits'), columns(result, 'orders')
    figure, (left, right) = panels(2)
    left.fill_between(hits['t_unit'], hits['lower'], [min(1, value) for value in hits['upper']], color=GREY, alpha=0.15, linewidth=0)
    left.plot(hits['t_unit'], hits['upper'], **THEORY, label='union bound')
    left.plot(hits['t_unit'], hits['hit'], color=BLUE, label='measured')
    left.plot(hits['t_unit'], hits['lower'], color=GREY, linestyle=':', linewidth=1.8, label='nearest face only')
    left.set(xlabel='time t, in units of $(d/σ)^2$', ylabel='P(switched by t)', ylim=(0, 1.02), title='When a path first switches')
    left.legend(loc='lower right')
    used = [(h, s, e) for h, s, e in zip(orders['step'], orders['share_2_up'], orders['error']) if s > 0]
    right.errorbar([u[0] for u in used], [u[1] for u in used], [2 * u[2] for u in used], fmt='o', color=BLUE, capsize=3,
                   label='measured, 2 standard errors')
    fit = result['fits'].get('order_2_up', {})
    if fit.get('slope') is not None:
        ends = [used[0][0], used[-1][0]]
        line = [math.exp(fit['intercept']) * h ** fit['slope'] for h in ends]
        right.plot(ends, line, color=ORANGE, label='fitted power %.2f of the step' % fit['slope'])
    right.set(xscale='log', yscale='log', xlabel='time step', ylabel='share of order 2 and above',
              title='The first switch is of order 1\nas the step goes to 0')
    ticks = [value for value in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if used and used[-1][1] / 2 < value < 2 * used[0][1]]
    right.set_yticks(ticks, ['%g' % value for value in ticks])
    right.minorticks_off()
    right.legend(loc='lower right')
    return figure


def boundary_mass(result):
    figure, (axis,) = panels(1)
    figure.set_size_inches(6.2, 4.3)
    if 'mass' in result['tables']:
        data = columns(result, 'mass')
        slope = result['comparisons']['slope']
        axis.plot(data['w'], data['theory'], color=ORANGE, label='closed form')
        axis.plot(data['w'], data['mass'], 'o', color=BLUE, label='measured')
        axis.plot(data['w'], [slope['predicted'] * w for w in data['w']], **THEORY, label='slope at 0: %.4f; measured %.4f' %
                  (slope['predicted'], slope['measured']))
        axis.set(title='Boundary mass of two experts\non Gaussian inputs')
    else:
        gaps, shares = result['arrays']['gap'], result['arrays']['share']
        to, slope = result['values'].get('mass_to'), result['values'].get('mass_slope')
        shown = [(g, s) for g, s in zip(gaps, shares) if to is None or g <= 2 * to]
        axis.step([g for g, _ in shown], [s for _, s in shown], where='post', color=BLUE, label='measured')
        if slope is not None:
            axis.plot([0, to], [0, slope * to], **{**THEORY, 'color': RED}, label='line through 0, %.3f ± %.3f' %
                      (slope, result['values']['mass_slope_error']))
            axis.axvline(to, color=GREY, linewidth=0.8, linestyle=':')
            axis.annotate('fitted up to here', (to, 0), xytext=(4, 6), textcoords='offset points', color=GREY, fontsize=10)
        axis.set(title='Boundary mass of a layer on its own inputs\n%s, %d inputs' % (where(result), result['values']['finite']))
    axis.set(xlabel='gap w, in units of the scores', ylabel='P(gap ≤ w)', xlim=(0, None), ylim=(0, None))
    axis.legend(loc='upper left')
    return figure


def soft_to_hard(result):
    figure, (left, right) = panels(2)
    shown = (('all', BLUE, 'o', 'all inputs'), ('near', ORANGE, 's', 'near: mass × 4'), ('far', GREEN, '^', 'far: no mass at 0'))
    floor = 1e-5  # of the picture: what float32 tells apart
    for name, colour, marker, label in shown:
        data = columns(result, name)
        tau, mean = counted(data['tau'], data['mean'])
        left.loglog(tau, mean, marker + '-', color=colour, label=label)
        tau, theory = counted(data['tau'], data['theory'])
        left.loglog(tau, theory, **THEORY, label='ln 2 · τ · slope · J' if name == 'all' else None)
        both = [(m, e) for m, e in zip(data['mass'], data['mean']) if 0 < m < 0.9 and e > 0]  # at 1 it says nothing
        right.loglog([m for m, _ in both], [e for _, e in both], marker, color=colour, label=label)
    left.set(xlabel='temperature τ, in units of the scores', ylabel='mean |$L_τ - L_0$| / mean |$L_0$|',
             title='By temperature: three curves', ylim=(floor, 3))
    left.legend(loc='lower right')
    factor = result['values']['factor']
    slope = math.log(2) * result['values']['jump'] / factor
    ends = [min(m for m in columns(result, 'all')['mass'] if m > 0), 1]
    right.loglog(ends, [slope * m for m in ends], **THEORY, label='ln 2 · J · mass / %g' % factor)
    right.set(xlabel='mass near the boundary, P(gap ≤ %g τ)' % factor, title='By boundary mass: one line')
    right.legend(loc='lower right')
    return figure


def continuity(result):
    steps, arrays = columns(result, 'steps'), result['arrays']
    figure, (left, right) = panels(2)
    groups = 'eps_only' in steps
    left.plot(arrays['position'], arrays['y_hard'], color=RED, label='hard', linewidth=1.4)
    if groups:
        left.plot(arrays['position'], arrays['y_eps_only'], color=ORANGE, label='ε only', linewidth=1.4)
    left.plot(arrays['position'], arrays['y_smooth'], color=BLUE, label='ε and group ε' if groups else 'smooth')
    left.set(xlabel='distance from the boundary, |x|', ylabel='output coordinate %d' % result['values']['coordinate'],
             title='One output along a line:\n%s tie at 0' % result['texts']['boundary'])
    left.legend(loc='best')
    right.loglog(steps['input_step'], steps['hard'], 'o-', color=RED, label='hard')
    if groups:
        right.loglog(steps['input_step'], steps['eps_only'], 's-', color=ORANGE, label='ε only')
    right.loglog(steps['input_step'], steps['smooth'], '^-', color=BLUE, label='ε and group ε' if groups else 'smooth')
    right.axhline(result['comparisons']['jump']['predicted'], color=GREY, linestyle=':', linewidth=1.8, label='theory: jump J')
    bound = [(h, b) for h, b in zip(steps['input_step'], steps['bound']) if b == b]
    if bound:
        right.loglog([h for h, _ in bound], [b for _, b in bound], **THEORY, label='theory: L · step')
    right.set(xlabel='input step |x′ − x|', ylabel='largest output step |y′ − y|', title='Output step by input step')
    right.set_ylim(min(steps['smooth']) / 2, 30 * max(steps['hard']))
    right.legend(loc='upper left', ncol=2)
    return figure


def cost(result):
    data, values = columns(result, 'cost'), result['values']
    figure, (left, right) = panels(2)
    eps = values['calibrated_eps']
    limited = eps <= max(data['eps'])  # else every band keeps to the budget
    limit = 2.1 * eps if limited else 1.05 * max(data['eps'])
    shown = [i for i, e in enumerate(data['eps']) if e <= limit]
    pick = {name: [column[i] for i in shown] for name, column in data.items()}
    left.plot(pick['eps'], pick['mean_active'], 'o', color=BLUE, label='measured')
    left.plot(pick['eps'], pick['k_plus_extra'], color=ORANGE, label='k + extra(ε), counted')
    left.plot(pick['eps'], pick['k_plus_slope_eps'], **THEORY, label='k + slope · ε')
    budget = values['k'] + values['budget']
    if limited:
        left.plot([0, eps, eps], [budget, budget, values['k']], color=RED, linestyle=':', linewidth=1.6,
                  label='calibrated: k + %g at ε = %.3g' % (values['budget'], eps))
    left.set(xlabel='band width ε, in units of the scores', ylabel='mean active experts', xlim=(0, limit),
             title='Active experts: k + O(ε)\n%s' % where(result))
    left.legend(loc='upper left')
    if any(value == value for value in data['time_ratio']):
        right.plot(data['mean_active'], data['time_ratio'], 'o', color=BLUE, label='measured, median')
        ends = [data['mean_active'][0], data['mean_active'][-1]]
        right.plot(ends, [value / ends[0] for value in ends], **THEORY, label='in proportion to the active experts')
    right.set(xlabel='mean active experts', ylabel='time / time of hard', title='Time\n%s' % result['device']['name'].split(' (')[0])
    right.legend(loc='upper left')
    return figure


DRAW = {'volume': volume, 'paths': paths, 'occupation': occupation, 'boundary-mass': boundary_mass, 'soft-to-hard': soft_to_hard,
        'continuity': continuity, 'cost': cost}


def save_png(figure, path):
    """With a palette: a third of the size."""
    figure.set_dpi(100)
    figure.canvas.draw()
    image = Image.frombytes('RGBA', figure.canvas.get_width_height(), figure.canvas.buffer_rgba().tobytes())
    image.convert('RGB').quantize(128).save(path, optimize=True)


def main():
    if len(sys.argv) < 3 or len(sys.argv) % 2 == 0:
        sys.exit('usage: plot.py RESULT.json PICTURE [RESULT.json PICTURE ...]')
    for path, picture in zip(sys.argv[1::2], sys.argv[2::2]):
        with open(path, encoding='utf-8') as file:
            result = json.load(file)
        if result.get('command') not in DRAW:
            sys.exit('plot.py: %s: not the result of %s' % (path, ', '.join(sorted(DRAW))))
        with plt.rc_context(STYLE):
            figure = DRAW[result['command']](result)
            figure.savefig(picture + '.svg', metadata={'Date': None})
            save_png(figure, picture + '.png')
        plt.close(figure)


if __name__ == '__main__':
    main()
