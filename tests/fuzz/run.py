#!/usr/bin/env python3
"""Runs libFuzzer's programs, which `scons fuzz` builds: each for some seconds, on the kept inputs (tests/fuzz/corpus/TARGET) and on what
earlier runs have found to be new (build/fuzz/corpus/TARGET). Prints a line with the executions of each. A crash, a leak, an input that
takes too long or too much memory is a failure: the input stays in build/fuzz/found, and a line says how to run it again. The last line is
`N passed, N failed`."""
import argparse
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import closing_line  # noqa: E402

TAIL = 40  # lines shown of a target that failed
# For one input: seconds, megabytes in all, megabytes at once. Readers need a few times an input's bytes, fuzz_picture.c lets 32 MB be used.
LIMITS = ['-timeout=10', '-rss_limit_mb=2048', '-malloc_limit_mb=64']
LENGTHS = {'layer_file': 65536, 'checkpoint': 16384, 'capability_file': 8192, 'selection': 2048, 'pipeline_cache': 4096}


class Fuzzer:
    def __init__(self, path, arguments):
        self.path, self.name, self.build, self.seconds = path, os.path.basename(path)[len('fuzz_'):], arguments.build, arguments.seconds
        self.log = self.build + '/%s.log' % self.name
        self.process = None

    def start(self, temporary):
        folders = (self.build + '/corpus', 'tests/fuzz/corpus', self.build + '/found')
        grown, kept, found = ('%s/%s' % (folder, self.name) for folder in folders)
        for folder in (grown, found):
            os.makedirs(folder, exist_ok=True)
        command = [self.path, '-max_total_time=%d' % self.seconds, '-print_final_stats=1', '-artifact_prefix=%s/' % found, *LIMITS,
                   '-max_len=%d' % LENGTHS.get(self.name, 4096), grown, *([kept] if os.path.isdir(kept) else [])]
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                            env={**os.environ, 'TMPDIR': temporary, 'UBSAN_OPTIONS': 'print_stacktrace=1'})

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def report(self):
        """True where nothing was found."""
        with open(self.log, encoding='utf-8', errors='replace') as file:
            text = file.read()
        done = re.search(r'^stat::number_of_executed_units:\s*(\d+)', text, re.MULTILINE)
        rate = re.search(r'^stat::average_exec_per_sec:\s*(\d+)', text, re.MULTILINE)
        found = re.search(r'Test unit written to (\S+)', text)
        good = self.process.returncode == 0 and done and int(done.group(1)) > 0 and not found
        if done and rate:
            print('%-16s %12s executions, %9s a second' % (self.name, '{:,}'.format(int(done.group(1))), '{:,}'.format(int(rate.group(1)))))
        if not good:
            print('\n'.join('    ' + line for line in text.splitlines()[-TAIL:]))
            print('%s: %s' % (self.name, 'run it again by: %s %s' % (self.path, found.group(1)) if found
                              else 'exit status %d, all that it said is in %s' % (self.process.returncode, self.log)))
        sys.stdout.flush()
        return good


def show(text):
    """The last line of a terminal."""
    if sys.stdout.isatty():
        print('\r%-60s\r' % '' + text, end='', flush=True)


def run_all(fuzzers, jobs, temporary):
    """The names of those that failed."""
    waiting, running, failed, begin = list(fuzzers), [], [], time.monotonic()
    seconds = fuzzers[0].seconds if fuzzers else 0
    expected = -(-len(fuzzers) // jobs) * seconds
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(waiting.pop(0))
            running[-1].start(temporary)
        time.sleep(0.1)
        for fuzzer in [one for one in running if one.process.poll() is not None]:
            running.remove(fuzzer)
            show('')
            if not fuzzer.report():
                failed.append(fuzzer.name)
        show('%d of %d targets, about %d s left' % (len(fuzzers) - len(waiting) - len(running), len(fuzzers),
                                                   max(0, expected - (time.monotonic() - begin))))
    show('')
    return failed


def read_arguments():
    parser = argparse.ArgumentParser(description='Runs the fuzzers of build/fuzz.')
    parser.add_argument('--build', default='build/fuzz', help='the folder of the programs [build/fuzz]')
    parser.add_argument('--seconds', type=int, default=20, help='for each target [20]')
    parser.add_argument('--only', default='', help='only targets that have this, or one of these (a,b), in their name')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1, help='targets at the same time')
    parser.add_argument('--closing-line', help='write the closing line into this file in place of printing it')
    arguments = parser.parse_args()
    if arguments.seconds < 1 or arguments.jobs < 1:
        parser.error('seconds and jobs must be at least 1')
    return arguments


def main():
    os.chdir(ROOT)
    arguments = read_arguments()
    fuzzers = [Fuzzer(path, arguments) for path in sorted(glob.glob(arguments.build + '/fuzz_*')) if os.access(path, os.X_OK)]
    fuzzers = [one for one in fuzzers if any(part in one.name for part in arguments.only.split(','))]
    if not fuzzers:
        print('tests/fuzz/run.py: no target of %s has "%s" in its name' % (arguments.build, arguments.only), file=sys.stderr)
        return 2
    memory = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    temporary = tempfile.mkdtemp(prefix='smoe-fuzz-', dir=memory)
    try:
        failed = run_all(fuzzers, arguments.jobs, temporary)
    finally:
        for one in fuzzers:
            one.stop()
        shutil.rmtree(temporary, ignore_errors=True)
    for name in failed:
        print('FAILED: fuzz: %s' % name)
    closing = '%d passed, %d failed' % (len(fuzzers) - len(failed), len(failed))
    closing_line.close(closing, arguments.closing_line)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
