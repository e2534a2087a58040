"""A project that consists of the runner and a few tests, on drivers and systems that are not there: for the tests of tests/run.py."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import terminal

# Tells its environment; as a Python test it also starts a program.
TOLD = ('LP_NATIVE_VECTOR_WIDTH', 'MESA_SHADER_CACHE_DIR', 'SMOE_BUILD', 'SMOE_TEST_EVERYTHING', 'VK_DRIVER_FILES',
        'VK_LAYER_PATH', 'VK_LAYER_MESSAGE_ID_FILTER', 'VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC')
TEST = '''
import os, subprocess
for name in %r:
    print('#', name, os.environ.get(name))
print('# program:', subprocess.run([os.environ['SMOE_BUILD'] + '/bin/smoe-x', 'a b'], stdout=subprocess.PIPE).stdout.decode().strip())
print('1..1\\nnot ok 1 - told')
''' % (TOLD,)
PASSES = 'print("1..1\\nok 1 - fine")\n'
PROGRAM = '#!/bin/sh\necho "program $0 $1"\n'
LAUNCHER = '#!/bin/sh\necho "launched $(basename "$1") $2"\n'


class Project:
    """A copy of the runner, with tests that tell their environment and fail, so that it is shown."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.top = os.path.realpath(self.folder.name)
        os.makedirs(self.top + '/tests/drivers')
        for name in ('run.py', 'closing_line.py', 'cross.py', 'environments.py', 'summary.py', 'tap_output.py', 'variants.py',
                     'drivers/devices.py'):
            shutil.copy('tests/' + name, '%s/tests/%s' % (self.top, name))
        for name in ('check/test_large', 'golden/test_golden', 'unit/test_shape'):
            self.write('tests/%s.py' % name, TEST)
        self.write('build/bin/smoe-x', PROGRAM)
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, 0o755)

    def set_up(self, layers=True):
        """Drivers as tests/drivers/setup.py leaves them, as far as the runner looks."""
        for name, part in (('mesa26-lvp', 'mesa26'), ('swiftshader', 'chromium')):
            self.write('build/drivers/icd/%s.json' % name, '{}')
            self.write('build/drivers/state/%s.json' % part, '{}')
            os.makedirs('%s/build/drivers/%s' % (self.top, part), exist_ok=True)
        self.write('build/drivers/bin/run-mesa26', LAUNCHER)
        if layers:
            self.write('build/drivers/layers/VkLayer_khronos_validation.json', '{}')

    def start(self, *arguments, env=None):
        """What starts the runner without the variables that this test itself runs under."""
        environment = {**{name: value for name, value in os.environ.items() if name not in TOLD}, **(env or {})}
        return {'args': [sys.executable, self.top + '/tests/run.py', *arguments], 'stderr': subprocess.STDOUT, 'env': environment,
                'cwd': self.top}

    def run(self, *arguments, env=None):
        """Exit status and output."""
        run = subprocess.run(**self.start(*arguments, env=env), stdout=subprocess.PIPE, encoding='utf-8')
        return run.returncode, run.stdout

    def run_on_terminal(self, *arguments):
        """What a terminal is sent."""
        return terminal.run(**self.start(*arguments))[1]

    def keep_durations(self, durations):
        self.write('build/tests/durations.json', json.dumps(durations))

    def only_tests(self, names):
        """In place of those that fail: tests that pass, by name and what else they do."""
        shutil.rmtree(self.top + '/tests/unit')
        shutil.rmtree(self.top + '/tests/check')
        shutil.rmtree(self.top + '/tests/golden')
        for name, text in names.items():
            self.write('tests/%s.py' % name, text + PASSES)

    def told(self, *arguments, env=None):
        """What each test was told: [(label, {variable: value})]."""
        status, output = self.run('--jobs', '1', *arguments, env=env)
        assert status == 1 and re.search(r'^\d+ passed, [1-9]\d* failed$', output, re.MULTILINE), output
        found = []
        for line in output.splitlines():
            if line.startswith('tests/') and ' failed, ' in line:
                found.append((re.split(' {2,}', line)[0].split()[0], {}))
            elif re.match(r'    # [\w]+:? ', line):
                name, value = line[6:].split(' ', 1)
                found[-1][1][name.rstrip(':')] = value
        return found, output
