"""Runs smoe-classify --check over several files in one process, as what it does before and beside a model is most of the time."""
import collections
import os
import re
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import tap
import tensor_file

CLASSIFY = os.path.join(tap.BUILD, 'bin', 'smoe-classify')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
LAST = re.compile(r'^largest error (\S+) of the largest \|logit\| (\S+), allowed 0.0001: (ok|FAILED)$')
# The validation layer leaks, and is unloaded when the leaks are listed: no suppression can name it. Runs without it look.
QUIET = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}
scratch = tempfile.TemporaryDirectory()


def path_of(name):
    return os.path.join(scratch.name, name)


# error: as the last line has it. logits: by --out, None without it.
Checked = collections.namedtuple('Checked', 'error ok lines logits')


class Run(dict):
    """A Checked by path for each file that ran, the lines of the others, and the exit status."""

    def __init__(self, status, messages):
        super().__init__()
        self.status, self.messages = status, messages


def run(paths, *arguments, out=False, device=DEVICE):
    folder = tempfile.mkdtemp(dir=scratch.name)
    files = [argument for path in paths for argument in ('--check', path)]
    done = subprocess.run([CLASSIFY, *device, *files, *arguments, *(['--out', folder] if out else [])], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding='utf-8', env={**os.environ, **(QUIET if '--validate' in arguments else {})})
    found = Run(done.returncode, done.stderr.splitlines())
    for part in filter(None, done.stdout.split('\n\n')):
        path, *lines = part.splitlines()
        last = lines and LAST.match(lines[-1])
        assert last, '%s\n%s' % (part, done.stderr)
        written = '%s/%s.out.safetensors' % (folder, os.path.basename(path)[:-len('.safetensors')])
        logits = tensor_file.read(written)[0]['logits'] if out else None
        assert not out or logits.dtype == 'F32'
        found[path] = Checked(float(last.group(1)), last.group(3) == 'ok', lines, logits and logits.values)
    return found


@tap.once
def check(paths, *arguments, out=False):
    """As run, for files that must all run. At least two: with one file no line names it."""
    found = run(paths, *arguments, out=out)
    said = '%s: exit status %d, %s' % (arguments, found.status, found.messages)
    assert list(found) == list(paths) and not found.messages, said
    assert found.status == (0 if all(one.ok for one in found.values()) else 1), said
    return found
