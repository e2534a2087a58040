"""What tests/fuzz/run.py says of fuzzers that find something and of those that do not. Scripts stand for libFuzzer's programs."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

HEAD = '#!/bin/sh\nfor argument; do case $argument in -artifact_prefix=*) prefix=${argument#*=};; esac; done\n'
STATS = 'echo "stat::number_of_executed_units: %d" >&2; echo "stat::average_exec_per_sec:     4321" >&2\n'
GOOD = HEAD + 'echo "arguments: $*" >&2\n' + STATS % 1234567
CRASH = (HEAD + 'echo "the reason" >&2; echo bad >"${prefix}crash-1"; echo "Test unit written to ${prefix}crash-1" >&2\n' + STATS % 7
         + 'exit 77\n')
# As libFuzzer reports a slow input before it goes on, and a program that ends without having run anything.
SLOW = HEAD + 'echo "Test unit written to ${prefix}slow-unit-1" >&2\n' + STATS % 7
IDLE = HEAD + STATS % 0


class Fuzzers:
    """A folder of programs."""

    def __init__(self, **programs):
        self.folder = tempfile.TemporaryDirectory()
        for name, text in programs.items():
            tap.script(self.folder.name, 'fuzz_' + name, text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def run(self, *arguments):
        done = subprocess.run([sys.executable, 'tests/fuzz/run.py', '--build', self.folder.name, '--seconds', '3', *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8')
        return done.returncode, done.stdout

    def log(self, name):
        with open('%s/%s.log' % (self.folder.name, name), encoding='utf-8') as file:
            return file.read()


def executions_are_counted():
    with Fuzzers(checkpoint=GOOD, other=GOOD) as fuzzers:
        status, output = fuzzers.run()
        assert status == 0 and output.splitlines()[-1] == '2 passed, 0 failed', output
        assert len(re.findall(r'^(checkpoint|other) +1,234,567 executions, +4,321 a second$', output, re.MULTILINE)) == 2, output
        arguments = fuzzers.log('checkpoint')
        assert '-max_total_time=3' in arguments and '-timeout=10' in arguments and '-malloc_limit_mb=64' in arguments, arguments
        assert arguments.rstrip().split('\n')[0].endswith('tests/fuzz/corpus/checkpoint'), arguments
        assert 'tests/fuzz/corpus' not in fuzzers.log('other')


def found_inputs_are_named():
    with Fuzzers(good=GOOD, crash=CRASH) as fuzzers:
        status, output = fuzzers.run()
        assert status == 1 and output.splitlines()[-1] == '1 passed, 1 failed', output
        assert re.search('^FAILED: fuzz: crash$', output, re.MULTILINE) and 'the reason' in output, output
        command = re.search(r'^crash: run it again by: (\S+) (\S+)$', output, re.MULTILINE).groups()
        assert command[0] == fuzzers.folder.name + '/fuzz_crash' and os.path.isfile(command[1]), output


def what_is_no_crash_fails_too():
    with Fuzzers(slow=SLOW, idle=IDLE) as fuzzers:
        status, output = fuzzers.run()
        assert status == 1 and output.splitlines()[-1] == '0 passed, 2 failed', output
        assert 'slow-unit-1' in output and 'idle: exit status 0, all that it said is in ' in output, output


def targets_are_chosen_by_name():
    with Fuzzers(good=GOOD, crash=CRASH) as fuzzers:
        status, output = fuzzers.run('--only', 'goo,none')
        assert status == 0 and output.splitlines()[-1] == '1 passed, 0 failed', output
        status, output = fuzzers.run('--only', 'none')
        assert status == 2 and 'no target of' in output, output
        assert fuzzers.run('--seconds', '0')[0] == 2


def every_target_has_kept_inputs():
    names = {name[len('fuzz_'):-len('.c')] for name in os.listdir('tests/fuzz') if re.fullmatch(r'fuzz_\w+\.c', name)}
    kept = {name for name in os.listdir('tests/fuzz/corpus') if os.listdir('tests/fuzz/corpus/' + name)}
    assert len(names) >= 5 and names == kept, (names, kept)


tap.run([executions_are_counted, found_inputs_are_named, what_is_no_crash_fails_too, targets_are_chosen_by_name,
         every_target_has_kept_inputs])
