#!/usr/bin/env python3
"""`scons stress`: runs the program tests/stress/stress for some minutes, on the system's driver or on one of tests/drivers, a share of the
time at each size of subgroups that the driver has. The last line is `N passed, N failed`: a run at each size is one."""
import argparse
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import closing_line  # noqa: E402
import environments  # noqa: E402

TEST = 'tests/stress/test_stress.py'  # whose sizes of subgroups tests/variants.py has
COUNTS = re.compile(r'^(\d+) plans, (\d+) pairs of plan and values, (\d+) tokens, (\d+) excused as ambiguous, \d+ failures$', re.MULTILINE)


def describe(variant, driver):
    return ' '.join(['%s=%s' % item for item in sorted(variant.items())] + ['scons stress'] + ['driver=' + driver] * bool(driver))


def run(command, environment):
    """The program's exit status and counts. What it prints is shown; its progress, on stderr, where that is a terminal."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, universal_newlines=True) as process:
        output = ''
        for line in process.stdout:
            output += line
            print(line, end='', flush=True)
    counts = COUNTS.search(output)
    return process.returncode, [int(count) for count in counts.groups()] if counts else None


def read_arguments():
    parser = argparse.ArgumentParser(description='Runs random layers against the reference.')
    parser.add_argument('--build', default='build', help='the build folder [build]')
    parser.add_argument('--driver', default='', help='one of tests/drivers; tests/drivers/setup.py first')
    parser.add_argument('--minutes', type=float, default=1, help='in all [1]')
    parser.add_argument('--seed', type=int, default=int(time.time()), help='of everything random [the time]')
    parser.add_argument('--plan', type=int, help='only this plan of the seed, with all of its values')
    parser.add_argument('--closing-line', help='write the closing line into this file in place of printing it')
    arguments = parser.parse_args()
    if not arguments.minutes > 0:
        parser.error('minutes must be above 0')
    return arguments


def main():
    os.chdir(ROOT)
    arguments = read_arguments()
    build = os.path.abspath(arguments.build)
    try:
        driver = environments.find_driver(arguments.driver, build, '')
    except environments.Missing as missing:
        print('tests/stress/run.py: %s' % missing, file=sys.stderr)
        return 2
    variants = driver.variants(TEST, True)
    width = os.environ.get('LP_NATIVE_VECTOR_WIDTH')  # one of them, to run something again
    variants = [one for one in variants if width in (None, one.get('LP_NATIVE_VECTOR_WIDTH'))] or [{}]
    seconds, totals, failed = 60 * arguments.minutes / len(variants), [0, 0, 0, 0], 0
    for variant in variants:
        command = driver.command([build + '/tests/stress/stress', '--seed', str(arguments.seed), '--seconds', '%g' % seconds]
                                 + (['--plan', str(arguments.plan)] if arguments.plan is not None else []))
        print('%s seed=%d' % (describe(variant, arguments.driver), arguments.seed), flush=True)
        status, counts = run(command, environments.with_shader_cache({**os.environ, **driver.environment(), **variant}))
        totals = [total + count for total, count in zip(totals, counts or totals)]
        if status != 0 or not counts:
            failed += 1
            print('exit status %d; run what FAILED says again by: %s seed=%d plan=N' % (status, describe(variant, arguments.driver),
                                                                                       arguments.seed))
    print('in all {:,} plans, {:,} pairs of plan and values, {:,} tokens, {:,} of them excused as ambiguous'.format(*totals))
    closing = '%d passed, %d failed' % (len(variants) - failed, failed)
    closing_line.close(closing, arguments.closing_line)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
