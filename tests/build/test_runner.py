"""What tests/run.py promises of --driver and --cross: what runs under what, how programs start there, and what is said where something is
missing. In a project that consists of the runner and a few tests, on drivers and systems that are not there."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

# Tells its environment; as a Python test it also starts a program.
TOLD = ('LP_NATIVE_VECTOR_WIDTH', 'MESA_SHADER_CACHE_DIR', 'SMOE_BUILD', 'VK_DRIVER_FILES', 'VK_LAYER_PATH', 'VK_LAYER_MESSAGE_ID_FILTER',
        'VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC')
TEST = '''
import os, subprocess
for name in %r:
    print('#', name, os.environ.get(name))
print('# program:', subprocess.run([os.environ['SMOE_BUILD'] + '/bin/smoe-x', 'a b'], stdout=subprocess.PIPE).stdout.decode().strip())
print('1..1\\nnot ok 1 - told')
''' % (TOLD,)
PROGRAM = '#!/bin/sh\necho "program $0 $1"\n'
LAUNCHER = '#!/bin/sh\necho "launched $(basename "$1") $2"\n'


class Project:
    """A copy of the runner, with tests that tell their environment and fail, so that it is shown."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.top = os.path.realpath(self.folder.name)
        os.makedirs(self.top + '/tests/drivers')
        for name in ('run.py', 'variants.py', 'cross.py', 'drivers/devices.py'):
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

    def run(self, *arguments, env=None):
        """Exit status and output, without the variables that this test itself runs under."""
        environment = {**{name: value for name, value in os.environ.items() if name not in TOLD}, **(env or {})}
        run = subprocess.run([sys.executable, self.top + '/tests/run.py', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             encoding='utf-8', env=environment, cwd=self.top)
        return run.returncode, run.stdout

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


def system_runs_everything():
    with Project() as project:
        found, output = project.told()
        own_cache = project.top + '/cache'
        caches = {told['LP_NATIVE_VECTOR_WIDTH']: told['MESA_SHADER_CACHE_DIR']
                  for _, told in project.told(env={'MESA_SHADER_CACHE_DIR': own_cache})[0]}
        assert caches == {width: '%s/%s' % (own_cache, width) for width in ('128', '256', '512')}, caches
        paths = [path for path, _ in found]
        assert sorted(paths) == ['tests/check/test_large.py'] * 3 + ['tests/golden/test_golden.py', 'tests/unit/test_shape.py'], output
        for _, told in found:
            assert told['VK_DRIVER_FILES'] == told['VK_LAYER_PATH'] == told['VK_LAYER_MESSAGE_ID_FILTER'] == 'None', output
            assert told['SMOE_BUILD'] == project.top + '/build' and told['program'].endswith('/build/bin/smoe-x a b'), output
        caches = {told['LP_NATIVE_VECTOR_WIDTH']: told['MESA_SHADER_CACHE_DIR'] for _, told in found}
        assert sorted(caches) == ['128', '256', '512'] and len(set(caches.values())) == 3, caches
        assert all(os.path.isdir(cache) for cache in caches.values()), caches


def driver_runs_what_uses_a_device():
    with Project() as project:
        project.set_up()
        for name in ('loader', 'report_browser', 'report_files'):
            project.write('tests/vision/test_%s.py' % name, TEST)
        found, output = project.told('--driver', 'swiftshader')
        paths = ['check/test_large.py', 'golden/test_golden.py', 'vision/test_loader.py', 'vision/test_report_files.py']
        assert sorted(path for path, _ in found) == ['tests/' + path for path in paths], output
        for _, told in found:
            assert told['VK_DRIVER_FILES'] == project.top + '/build/drivers/icd/swiftshader.json', output
            assert os.path.isfile(told['VK_LAYER_PATH'] + '/VkLayer_khronos_validation.json'), output
            assert told['VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC'] == '1', output
            assert told['program'].startswith('program '), output


def programs_start_with_the_driver_s_libraries():
    with Project() as project:
        project.set_up()
        found, output = project.told('--driver', 'lavapipe-26')
        widths = [(path, told['LP_NATIVE_VECTOR_WIDTH']) for path, told in found]
        assert sorted(widths) == [(path, width) for path in ('tests/check/test_large.py', 'tests/golden/test_golden.py')
                                  for width in ('128', '256', '512')], output
        for _, told in found:
            assert told['SMOE_BUILD'] != project.top + '/build' and told['program'] == 'launched smoe-x a b', output


def brief_is_one_width_of_what_the_driver_can_change():
    with Project() as project:
        project.set_up()
        for name in ('tests/samples/test_demo.py', 'tests/check/test_threads.c'):
            project.write(name, TEST)
        for driver, paths in (('swiftshader', ['check/test_large.py']), ('lavapipe-26', ['check/test_large.py', 'golden/test_golden.py'])):
            found, output = project.told('--driver', driver, '--brief')
            assert sorted(path for path, _ in found) == ['tests/' + path for path in paths], output
            assert driver == 'swiftshader' or {told['LP_NATIVE_VECTOR_WIDTH'] for _, told in found} == {'256'}, output
        project.write('tests/check/test_tiers.c', '')
        project.write('build/tests/check/test_tiers', '#!/bin/sh\necho "# LP_NATIVE_VECTOR_WIDTH $LP_NATIVE_VECTOR_WIDTH"\n'
                                                      'echo "1..1"; echo "not ok 1 - told"\n')
        project.write('build/drivers/bin/run-mesa26', '#!/bin/sh\nexec "$@"\n')
        found, output = project.told('--driver', 'lavapipe-26', '--brief')
        assert dict(found)['tests/check/test_tiers.c']['LP_NATIVE_VECTOR_WIDTH'] == '128', output
        status, output = project.run('--brief')
        assert status == 2 and '--brief: needs --driver' in output, output


def hazards_between_ranges_are_left_out_aloud():
    with Project() as project:
        project.set_up()
        os.rename(project.top + '/tests/check/test_large.py', project.top + '/tests/check/test_other.py')
        found, output = project.told('--driver', 'swiftshader')
        assert all(told['VK_LAYER_MESSAGE_ID_FILTER'] == 'None' for _, told in found) and 'note:' not in output, output
        project.write('tests/check/test_large.c', '')
        project.write('build/tests/check/test_large', '#!/bin/sh\necho "# VK_LAYER_MESSAGE_ID_FILTER $VK_LAYER_MESSAGE_ID_FILTER"\n'
                                                      'echo "1..1"; echo "not ok 1 - told"\n')
        found, output = project.told('--driver', 'swiftshader')
        filters = {path: told['VK_LAYER_MESSAGE_ID_FILTER'] for path, told in found}
        assert filters['tests/check/test_large.c'] == 'SYNC-HAZARD-WRITE-AFTER-WRITE', output
        assert filters['tests/check/test_other.py'] == 'None' and 'note: VK_LAYER_MESSAGE_ID_FILTER' in output, output
        found, output = project.told()
        assert {told['VK_LAYER_MESSAGE_ID_FILTER'] for path, told in found if path.endswith('_large.c')} == {''}, output


def another_system_s_programs_start_with_what_runs_them():
    with Project() as project:
        for name in ('cross/test_programs', 'symbols/test_symbols'):
            project.write('tests/%s.py' % name, TEST)
        for name in ('fuzz/test_files_posix', 'unit/test_other'):
            project.write('tests/%s.c' % name, '')
        project.write('tests/cross/run', '#!/bin/sh\necho "# program: $*"\necho "# SMOE_BUILD $SMOE_BUILD"\n'
                                         'echo "1..1"; echo "not ok 1 - told"\n')
        for triple, left_out in (('aarch64-linux-gnu', []), ('x86_64-w64-mingw32', ['tests/fuzz/test_files_posix.c'])):
            build = '%s/build/%s' % (project.top, triple)
            project.write(build + '/bin/smoe-x', PROGRAM)
            found, output = project.told('--cross', triple, '--build', 'build/' + triple)
            found = dict(found)
            wanted = {'unit/test_other.c', 'fuzz/test_files_posix.c', 'cross/test_programs.py', 'symbols/test_symbols.py'}
            assert set(found) == {'tests/' + path for path in wanted} - set(left_out), output
            assert found['tests/unit/test_other.c']['program'] == '%s %s/tests/unit/test_other' % (triple, build), output
            assert all(told['SMOE_BUILD'] == build for told in found.values()), output
            assert 'left out: all scripts but' in output and all('left out: %s: ' % path in output for path in left_out), output


def what_is_missing_is_said():
    with Project() as project:
        status, output = project.run('--driver', 'swiftshader', '--cross', 'aarch64-linux-gnu')
        assert status == 2 and '--driver cannot be given too' in output, output
        for arguments, text in ((['--driver', 'nonsense'], 'lavapipe-22, lavapipe-26, swiftshader'),
                                (['--driver', 'swiftshader'], 'swiftshader.json not found: run '),
                                (['--driver', 'swiftshader', '--sanitize', 'address'], 'without sanitizers')):
            status, output = project.run(*arguments)
            assert status == 2 and text in output and output.count('\n') == 1, output
        project.set_up(layers=False)
        status, output = project.run('--driver', 'swiftshader')
        assert status == 2 and 'layers not found: run tests/drivers/setup.py' in output, output


tap.run([system_runs_everything, driver_runs_what_uses_a_device, programs_start_with_the_driver_s_libraries,
         hazards_between_ranges_are_left_out_aloud, another_system_s_programs_start_with_what_runs_them,
         brief_is_one_width_of_what_the_driver_can_change, what_is_missing_is_said])
