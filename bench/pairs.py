#!/usr/bin/env python3
"""Two builds of smoe-bench in turns, stage by stage: whether a change made anything slower.

    bench/pairs.py OLD NEW [--pairs N] [--seed S] [-- OPTIONS OF SMOE-BENCH]

Each pair runs both programs, one after the other, in an order drawn at random. Prints a Markdown table with a row for each layer, token
count, weight type and stage: the median over the pairs of NEW's median time over OLD's, and the interval that the true median lies in with
95 % (by the binomial distribution of the signs, which assumes nothing of the times). A row whose whole interval lies above 1.02 is marked
slower, one whose whole interval lies below 0.98 faster.
"""
import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile

BOUND = 0.02


def measure(program, options):
    """(layer, tokens, weights, routing, stage) -> median nanoseconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/results.json'
        run = subprocess.run([program, '--json', path, '--no-peak'] + options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             encoding='utf-8', errors='replace')
        if run.returncode != 0:
            sys.exit('%s: exit status %d: %s' % (program, run.returncode, run.stdout.strip()[-300:]))
        with open(path, encoding='utf-8') as file:
            result = json.load(file)
    times = {}
    for row in result['rows']:
        for routing in ('hard', 'smooth'):
            found = row.get(routing)
            if not found or 'stages' not in found:
                continue
            key = (row['layer'], row['tokens'], row['weights'], routing)
            if key + ('layer',) in times:
                sys.exit('two rows of %s, T = %d, %s, %s: options may sweep tokens, weights and presets only' % key)
            for stage, spread in found['stages'].items():
                times[key + (stage,)] = spread['ns']['median']
            times[key + ('layer',)] = found['device_ns']['median']
    return times


def interval(ratios):
    """A confidence interval of the true median: the order statistics that enclose it with 95 % or more."""
    ordered, count = sorted(ratios), len(ratios)
    below, outside = 0, 0.0  # outside: twice the chance that `below` or fewer of the ratios lie below the median
    while below < (count - 1) // 2 and outside + 2 * math.comb(count, below) / 2 ** count <= 0.05:
        outside += 2 * math.comb(count, below) / 2 ** count
        below += 1
    low = max(below - 1, 0)
    return ordered[low], ordered[count - 1 - low]


def verdict(low, high):
    return 'slower' if low > 1 + BOUND else 'faster' if high < 1 - BOUND else ''


def main():
    parser = argparse.ArgumentParser(description='Two builds of smoe-bench in turns, stage by stage.')
    parser.add_argument('old')
    parser.add_argument('new')
    parser.add_argument('--pairs', type=int, default=20, help='how often each program runs [20]')
    parser.add_argument('--seed', type=int, default=1, help='of the order within pairs [1]')
    parser.epilog = 'Behind --: options of smoe-bench, for both programs.'
    at = sys.argv.index('--') if '--' in sys.argv else len(sys.argv)
    arguments, options = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1:]
    draw, ratios, old_times = random.Random(arguments.seed), {}, {}
    for pair in range(arguments.pairs):
        programs, seen = (arguments.old, arguments.new), {}
        for which in draw.sample((0, 1), 2):
            seen[which] = measure(programs[which], options)
        for key, time in seen[0].items():
            if time > 0 and key in seen[1]:
                ratios.setdefault(key, []).append(seen[1][key] / time)
                old_times.setdefault(key, []).append(time)
        print('pair %d of %d' % (pair + 1, arguments.pairs), file=sys.stderr, flush=True)
    print('| layer | T | weights | routing | stage | old, ms | new / old | 95 % | |\n|---|---|---|---|---|---|---|---|---|')
    for key, values in ratios.items():
        low, high = interval(values)
        print('| %s | %d | %s | %s | %s | %.3f | %.3f | %.3f .. %.3f | %s |'
              % (*key, statistics.median(old_times[key]) / 1e6, statistics.median(values), low, high, verdict(low, high)))


if __name__ == '__main__':
    main()
