#!/usr/bin/env python3
"""Runs every test and counts: `scons test`, or by hand `tests/run.py --only unit` after `scons`. With --driver NAME, those that run on
a device, on a driver of tests/drivers, under the newest validation layer, which finds hazards between dispatches that Debian 12's misses.

A test is a file tests/FOLDER/test_NAME: .c, built to BUILD/tests/FOLDER/test_NAME (cmocka), or .py, or .sh. All of them write
TAP: `1..N`, then `ok 1 - name`, `not ok 2 - name`, `ok 3 - name # SKIP reason`, anything else between. A C test that skips prints
the reason before it calls skip(). They run in the root of the project with SMOE_BUILD, SMOE_CC and SMOE_SANITIZE set. With --cross the
programs are another system's: tests/cross/run runs them, and what tests/cross.py says.
The last line is `N passed, N failed`, with `, N skipped` where there are any; exit status 0 means that none failed.
"""
import argparse
import concurrent.futures
import glob
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import tty

import cross
import variants

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = 1800  # seconds; the slowest folder under sanitizers on two slow cores stays far below
TAIL = 60      # lines shown of a test that failed

PLAN = re.compile(r'^1\.\.(\d+)')
RESULT = re.compile(r'^(not )?ok\b[ \d]*(?:- )?(.*)$')
SKIP = re.compile(r'# SKIP\b', re.IGNORECASE)


class Run:
    """One test file under one environment."""

    def __init__(self, path, variant, driver, arguments):
        self.path, self.variant, self.driver, self.arguments = path, variant, driver, arguments
        self.label = ' '.join([path] + ['%s=%s' % item for item in sorted(variant.items())])
        self.passed, self.failed, self.skipped, self.seconds, self.cpu, self.output = 0, [], [], 0.0, 0.0, ''

    def command(self):
        stem, suffix = os.path.splitext(self.path)
        return {'.c': self.driver.command([os.path.join(self.arguments.build, stem)]), '.py': [sys.executable, self.path],
                '.sh': ['bash', self.path]}[suffix]

    def environment(self):
        ours = {**self.driver.environment(), 'SMOE_CC': self.arguments.cc, 'SMOE_SANITIZE': self.arguments.sanitize,
                'CMOCKA_MESSAGE_OUTPUT': 'TAP', 'PYTHONUNBUFFERED': '1'}
        defaults = {'LSAN_OPTIONS': 'suppressions=%s/tests/lsan.supp:print_suppressions=0' % ROOT,
                    'UBSAN_OPTIONS': 'print_stacktrace=1', 'TSAN_OPTIONS': 'suppressions=%s/tests/tsan.supp' % ROOT}
        preload = self.arguments.build + '/tests/keep_libraries.so'
        if os.path.exists(preload):
            ours['LD_PRELOAD'] = preload
            defaults['ASAN_OPTIONS'] = 'verify_asan_link_order=0'
        return variants.with_shader_cache({**defaults, **os.environ, **ours, **self.variant})

    def execute(self):
        begin = time.monotonic()
        try:
            self.output, status, self.cpu = capture(self.command(), self.environment(), self.arguments.timeout)
        except OSError as error:
            self.output, status = str(error), 'did not start'
        self.seconds = time.monotonic() - begin
        self.judge(status)
        return self

    def judge(self, status):
        planned, lines_since = 0, []
        for line in self.output.splitlines():
            plan, result = PLAN.match(line), RESULT.match(line)
            if plan:
                planned += int(plan.group(1))
            elif result:
                name = result.group(2)
                if SKIP.search(name):
                    before, after = (part.strip(' -') for part in SKIP.split(name, 1))
                    # cmocka: `not ok 3 # SKIP name`, the reason being what the test printed; others: `ok 3 - name # SKIP reason`.
                    name, reason = (before, after) if before else (after, ' '.join(lines_since))
                    if reason:
                        self.skipped.append('%s: %s' % (name, reason))
                    else:
                        self.failed.append('%s: skipped without a printed reason' % name)
                elif result.group(1):
                    self.failed.append(name)
                else:
                    self.passed += 1
                lines_since = []
            elif line.strip() and not line.startswith('#'):
                lines_since.append(line.strip())
        seen = self.passed + len(self.failed) + len(self.skipped)
        if not planned and not seen:
            self.failed.append('no test ran: %s' % (status or 'no TAP in its output'))
        elif seen < planned:
            self.failed.append('ended after %d of %d tests: %s' % (seen, planned, status or 'no error'))
        elif status and not self.failed:
            self.failed.append(status)


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


def find_runs(driver, arguments):
    runs = []
    paths = [path for suffix in ('c', 'py', 'sh') for path in glob.glob('tests/*/test_*.' + suffix)]
    for path in sorted(paths, key=variants.order):
        which = arguments.driver or ('sanitize' if arguments.sanitize else '')
        for variant in driver.variants(path) if arguments.cross else variants.find(path, which, arguments.brief):
            run = Run(path, variant, driver, arguments)
            if any(part in run.label for part in arguments.only.split(',')):
                runs.append(run)
    return runs


def main():
    parser = argparse.ArgumentParser(description='Runs every test and counts.')
    parser.add_argument('--build', default='build', help='the build folder [build]')
    parser.add_argument('--cc', default='gcc', help='the compiler for tests that compile [gcc]')
    parser.add_argument('--sanitize', default='', help='the sanitizers of the build')
    parser.add_argument('--driver', default='', help='one of %s; tests/drivers/setup.py first' % ', '.join(variants.DRIVERS))
    parser.add_argument('--cross', default='', help='the triple of the system that the programs are for')
    parser.add_argument('--brief', action='store_true', help='with --driver: the part that CI runs')
    parser.add_argument('--only', default='', help='only tests that have this, or one of these (a,b), in their path or environment')
    parser.add_argument('--jobs', type=int, default=min(os.cpu_count() or 1, 4), help='tests at the same time')
    parser.add_argument('--timeout', type=int, default=TIMEOUT, help='seconds for one test file [%d]' % TIMEOUT)
    parser.add_argument('--closing-line', help='write the closing line into this file in place of printing it')
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    if arguments.brief and not arguments.driver:
        parser.error('--brief: needs --driver')
    os.chdir(ROOT)
    if arguments.cross and arguments.driver:
        parser.error('--cross has a driver of its own: --driver cannot be given too')
    try:
        driver = cross.Target(arguments.cross, arguments.build) if arguments.cross else \
            variants.find_driver(arguments.driver, arguments.build, arguments.sanitize)
    except variants.Missing as missing:
        print('tests/run.py: %s' % missing, file=sys.stderr)
        return 2

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    runs = find_runs(driver, arguments)
    for note in sorted({variants.note(run.variant) for run in runs} - {''}):
        print(note, flush=True)
    if arguments.cross:
        driver.print_left_out()
    passed, failed, skipped = 0, [], []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run.execute) for run in runs]):
            run = done.result()
            passed += run.passed
            failed += ['%s: %s' % (run.label, text) for text in run.failed]
            skipped += ['%s: %s' % (run.label, text) for text in run.skipped]
            counts = '%d passed' % run.passed + (', %d failed' % len(run.failed) if run.failed else '')
            print('%-72s %s, %.1f s, %.1f s of processor' % (run.label, counts, run.seconds, run.cpu), flush=True)
            if run.failed:
                print('\n'.join('    ' + line for line in run.output.splitlines()[-TAIL:]), flush=True)
    if not runs:
        failed.append('no test has "%s" in its path' % arguments.only)
    for kind, texts in (('skipped', skipped), ('FAILED', failed)):
        for text in texts:
            print('%s: %s' % (kind, text))
    closing = '%d passed, %d failed' % (passed, len(failed)) + (', %d skipped' % len(skipped) if skipped else '')
    if arguments.closing_line:
        with open(arguments.closing_line, 'w', encoding='utf-8') as file:
            file.write(closing + '\n')
    else:
        print(closing)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
