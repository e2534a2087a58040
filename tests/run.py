#!/usr/bin/env python3
"""Runs every test and counts: `scons test`, or by hand `tests/run.py --only unit` after `scons`. With --driver NAME, those that run on
a device, on a driver of tests/drivers, under the newest validation layer, which finds hazards between dispatches that Debian 12's misses.

A test is a file tests/FOLDER/test_NAME: .c, built to BUILD/tests/FOLDER/test_NAME (cmocka), or .py, or .sh. All of them write
TAP: `1..N`, then `ok 1 - name`, `not ok 2 - name`, `ok 3 - name # SKIP reason`, anything else between. A C test that skips prints
the reason before it calls skip(). They run in the root of the project with SMOE_BUILD, SMOE_CC and SMOE_SANITIZE set. With --cross the
programs are another system's: tests/cross/run runs them, and what tests/cross.py says. With --everything SMOE_TEST_EVERYTHING is set too,
and tests/variants.py leaves nothing out; docs/testing.md has more.
The last line is `N passed, N failed`, with `, N skipped` where there are any; exit status 0 means that none failed.
"""
import argparse
import concurrent.futures
import glob
import os
import pty
import select
import signal
import subprocess
import sys
import time
import tty

import closing_line
import cross
import environments
import summary
import tap_output
import variants

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = 1800  # seconds; the slowest folder under sanitizers on two slow cores stays far below
TAIL = 60      # lines shown of a test that failed

class Run:
    """One test file under one environment."""

    def __init__(self, path, variant, driver, arguments):
        self.path, self.variant, self.driver, self.arguments = path, variant, driver, arguments
        words = ['driver=' + driver.name] * bool(driver.name) + ['%s=%s' % item for item in sorted(variant.items())]
        self.label = ' '.join([path] + words)
        self.begin, self.finished, self.seconds, self.cpu, self.output, self.verdict = None, False, 0.0, 0.0, '', None

    def command(self):
        stem, suffix = os.path.splitext(self.path)
        return {'.c': self.driver.command([os.path.join(self.arguments.build, stem)]), '.py': [sys.executable, self.path],
                '.sh': ['bash', self.path]}[suffix]

    def environment(self):
        ours = {**self.driver.environment(), 'SMOE_CC': self.arguments.cc, 'SMOE_SANITIZE': self.arguments.sanitize,
                'CMOCKA_MESSAGE_OUTPUT': 'TAP', 'PYTHONUNBUFFERED': '1'}
        if self.arguments.everything:
            ours['SMOE_TEST_EVERYTHING'] = '1'  # rows of tables that the lean set has no need of
        defaults = {'LSAN_OPTIONS': 'suppressions=%s/tests/lsan.supp:print_suppressions=0' % ROOT,
                    'UBSAN_OPTIONS': 'print_stacktrace=1', 'TSAN_OPTIONS': 'suppressions=%s/tests/tsan.supp' % ROOT}
        preload = self.arguments.build + '/tests/keep_libraries.so'
        if os.path.exists(preload):
            ours['LD_PRELOAD'] = preload
            defaults['ASAN_OPTIONS'] = 'verify_asan_link_order=0'
        return environments.with_shader_cache({**defaults, **os.environ, **ours, **self.variant})

    def execute(self):
        self.begin = time.monotonic()
        try:
            self.output, status, self.cpu = capture(self.command(), self.environment(), self.arguments.timeout)
        except OSError as error:
            self.output, status = str(error), 'did not start'
        self.seconds = time.monotonic() - self.begin
        self.verdict = tap_output.judge(self.output, status)
        self.finished = True
        return self

    def report(self):
        """A line, and the end of what a failed one printed."""
        counts = '%d passed' % self.verdict.passed + (', %d failed' % len(self.verdict.failed) if self.verdict.failed else '')
        lines = ['%-72s %s, %.1f s, %.1f s of processor' % (self.label, counts, self.seconds, self.cpu)]
        return '\n'.join(lines + ['    ' + line for line in self.output.splitlines()[-TAIL:] if self.verdict.failed])


LIVE = set()  # process groups of the tests that run now


def stop(number, frame):
    for group in list(LIVE):
        os.killpg(group, signal.SIGKILL)
    os._exit(128 + number)


def capture(command, environment, timeout):
    """Runs a command; gives its whole output and what went wrong, '' for nothing. A terminal in place of a pipe keeps stdout and
    stderr in order, and what was printed before a crash."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                               start_new_session=True)
    LIVE.add(process.pid)
    os.close(theirs)
    chunks, status, deadline = [], '', time.monotonic() + timeout
    while True:
        if not select.select([ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            status = 'stopped after %d s' % timeout
            os.killpg(process.pid, signal.SIGKILL)
            break
        try:
            data = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            data = b''
        if not data:
            break
        chunks.append(data)
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = code = os.WEXITSTATUS(code) if os.WIFEXITED(code) else -os.WTERMSIG(code)
    LIVE.discard(process.pid)
    os.close(ours)
    if not status and code:
        status = 'signal %s' % signal.Signals(-code).name if code < 0 else 'exit status %d' % code
    return b''.join(chunks).decode('utf-8', 'replace'), status, usage.ru_utime + usage.ru_stime


def find_runs(drivers, arguments, everything):
    runs = []
    paths = sorted(path for suffix in ('c', 'py', 'sh') for path in glob.glob('tests/*/test_*.' + suffix))
    for driver in drivers:
        for path in paths:
            for variant in driver.variants(path, everything):
                run = Run(path, variant, driver, arguments)
                if any(part in run.label for part in arguments.only.split(',')):
                    runs.append(run)
    return runs


def find_drivers(arguments):
    """Those to run on, and for each that everything would have and that is not there why."""
    if arguments.cross:
        return [cross.Target(arguments.cross, arguments.build)], []
    drivers, missing = [environments.find_driver(arguments.driver, arguments.build, arguments.sanitize)], []
    for name in variants.DRIVERS if arguments.everything and not arguments.driver and not arguments.sanitize else ():
        try:
            drivers.append(environments.find_driver(name, arguments.build, ''))
        except environments.Missing as reason:
            missing.append('driver=%s' % reason)
    return drivers, missing


def print_notes(drivers, runs, arguments):
    for note in sorted({variants.note(run.variant) for run in runs} - {''}):
        print(note)
    if arguments.cross:
        drivers[0].print_left_out()
    elif not arguments.everything:
        rest = len(find_runs(drivers, arguments, True)) - len(runs)
        if rest:
            print('lean set: everything=yes has %d more runs of test files here' % rest)
    sys.stdout.flush()


def execute(runs, arguments):
    """Runs them all, some at a time, and says how each went."""
    durations = summary.Durations(arguments.build, os.path.join(ROOT, 'build'))
    status = summary.StatusLine(sys.stdout, runs, durations, arguments.jobs)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        waiting = {pool.submit(run.execute) for run in durations.longest_first(runs)}
        while waiting:
            status.show()
            done, waiting = concurrent.futures.wait(waiting, 1, concurrent.futures.FIRST_COMPLETED)
            for future in done:
                status.print(future.result().report())
    status.clear()
    durations.keep(runs)


def close(passed, failed, skipped, arguments):
    """Lists what did not pass, and counts."""
    for kind, texts in (('skipped', skipped), ('FAILED', failed)):
        for text in texts:
            print('%s: %s' % (kind, text))
    closing = '%d passed, %d failed' % (passed, len(failed)) + (', %d skipped' % len(skipped) if skipped else '')
    closing_line.close(closing, arguments.closing_line)
    return 1 if failed else 0


def read_arguments():
    parser = argparse.ArgumentParser(description='Runs every test and counts.')
    parser.add_argument('--build', default='build', help='the build folder [build]')
    parser.add_argument('--cc', default='gcc', help='the compiler for tests that compile [gcc]')
    parser.add_argument('--sanitize', default='', help='the sanitizers of the build')
    parser.add_argument('--driver', default='', help='one of %s; tests/drivers/setup.py first' % ', '.join(variants.DRIVERS))
    parser.add_argument('--cross', default='', help='the triple of the system that the programs are for')
    parser.add_argument('--everything', action='store_true', help='every width, row and driver, in place of the lean set')
    parser.add_argument('--only', default='', help='only tests that have this, or one of these (a,b), in their path or environment')
    parser.add_argument('--jobs', type=int, default=min(os.cpu_count() or 1, 4), help='tests at the same time')
    parser.add_argument('--timeout', type=int, default=TIMEOUT, help='seconds for one test file [%d]' % TIMEOUT)
    parser.add_argument('--closing-line', help='write the closing line into this file in place of printing it')
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    if arguments.cross and arguments.driver:
        parser.error('--cross has a driver of its own: --driver cannot be given too')
    return arguments


def main():
    arguments = read_arguments()
    os.chdir(ROOT)
    try:
        drivers, skipped = find_drivers(arguments)
    except environments.Missing as missing:
        print('tests/run.py: %s' % missing, file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)

    runs = find_runs(drivers, arguments, arguments.everything)
    print_notes(drivers, runs, arguments)
    execute(runs, arguments)
    passed = sum(run.verdict.passed for run in runs)
    failed = ['%s: %s' % (run.label, text) for run in runs for text in run.verdict.failed]
    skipped += ['%s: %s' % (run.label, text) for run in runs for text in run.verdict.skipped]
    if runs:
        print('\n'.join([*summary.slowest(runs), *summary.by_kind(runs)]))
    else:
        failed.append('no test has "%s" in its path' % arguments.only)
    return close(passed, failed, skipped, arguments)


if __name__ == '__main__':
    sys.exit(main())
