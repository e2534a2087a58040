"""For tests that are scripts: runs functions as tests and writes TAP."""
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

import cross

BUILD = os.environ.get('SMOE_BUILD', os.path.abspath('build'))
CC = os.environ.get('SMOE_CC', 'gcc')
SANITIZE = os.environ.get('SMOE_SANITIZE', '')
CROSS = os.environ.get('SMOE_CROSS', '')  # the triple of the system that the programs are for, '' for this one
SANITIZE_FLAGS = ['-fsanitize=' + SANITIZE] if SANITIZE else []


class Skip(Exception):
    """Raised by a test that cannot run here; its text is the reason."""


def outputs(*arguments, status=0, env=None, **options):
    """Runs a program and gives its output and its messages, None for one that an option of subprocess.run sends elsewhere. Any other exit
    status fails the test, and shows both. env is in addition to this program's environment."""
    if arguments[0].startswith(BUILD + '/'):
        arguments = cross.runner(CROSS) + list(arguments)
    done = subprocess.run(arguments, **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'encoding': 'utf-8',
                                        'env': {**os.environ, **(env or {})}, **options})
    assert done.returncode == status, '%s: exit status %d\n%s%s' % (' '.join(map(str, arguments)), done.returncode, done.stdout or '',
                                                                    done.stderr or '')
    return done.stdout, done.stderr


def command(*arguments, **options):
    """The same with the messages in the output."""
    return outputs(*arguments, stderr=subprocess.STDOUT, **options)[0]


def names_of(refusal):
    """The names that the refusal of a wrong one lists: must be A, B or C, is ..."""
    return refusal.split('must be ')[1].split(', is')[0].replace(' or ', ', ').split(', ')


def once(function):
    """Remembers what a function gives or raises: tests that share a run of a program share its failure too, and do not run it again."""
    outcomes = {}

    @functools.wraps(function)
    def remembered(*arguments, **named):
        key = arguments, tuple(sorted(named.items()))
        if key not in outcomes:
            try:
                outcomes[key] = function(*arguments, **named), None
            except Exception as error:
                outcomes[key] = None, error
        result, error = outcomes[key]
        if error:
            raise error
        return result
    return remembered


def needs_its_own_place(program):
    """Skips where the program is a script of tests/environments.py."""
    with open(program, 'rb') as file:
        if file.read(2) == b'#!':
            raise Skip('%s is a script, by which another C library loads the program: its place is that of the loader' % program)


def script(folder, name, text):
    """Writes a program, and gives its path."""
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, 0o755)
    return path


def with_prefix(test):
    """Makes a test of a function of (folder, prefix): in a new folder, where prefix holds a copy of what `scons install` puts there."""
    def prepare():
        with tempfile.TemporaryDirectory() as folder:
            prefix = folder + '/prefix'
            shutil.copytree(BUILD + '/stage', prefix, symlinks=True)
            test(folder, prefix)
    prepare.__name__ = test.__name__
    return prepare


def run(tests):
    """tests: functions, or (name, function) pairs. Ends the program."""
    tests = [(test.__name__, test) if callable(test) else test for test in tests]
    print('1..%d' % len(tests))
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print('ok %d - %s' % (number, name), flush=True)
        except Skip as reason:
            print('ok %d - %s # SKIP %s' % (number, name, reason), flush=True)
        except AssertionError as error:
            failed += 1
            print('%s\nnot ok %d - %s' % ('\n'.join('# ' + line for line in str(error).splitlines()), number, name), flush=True)
        except Exception:
            failed += 1
            print('%s\nnot ok %d - %s' % ('\n'.join('# ' + line for line in traceback.format_exc().splitlines()), number, name),
                  flush=True)
    sys.exit(1 if failed else 0)
