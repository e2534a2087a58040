"""What tests/run.py promises of what runs under what: the lean set and --everything, how programs start on other drivers and systems, and
what is said where something is missing."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
import variants
from runner_project import PROGRAM, TEST, Project


def lean_set_is_one_width_where_lanes_do_not_matter():
    with Project() as project:
        found, output = project.told()
        own_cache = project.top + '/cache'
        caches = {told['LP_NATIVE_VECTOR_WIDTH']: told['MESA_SHADER_CACHE_DIR']
                  for _, told in project.told(env={'MESA_SHADER_CACHE_DIR': own_cache})[0]}
        assert caches == {width: '%s/%s' % (own_cache, width) for width in ('128', '256', '512')}, caches
        paths = [path for path, _ in found]
        assert sorted(paths) == ['tests/check/test_large.py'] * 3 + ['tests/golden/test_golden.py', 'tests/unit/test_shape.py'], output
        assert 'lean set: everything=yes has 2 more runs' in output, output
        for _, told in found:
            assert told['VK_DRIVER_FILES'] == told['VK_LAYER_PATH'] == told['VK_LAYER_MESSAGE_ID_FILTER'] == 'None', output
            assert told['SMOE_BUILD'] == project.top + '/build' and told['program'].endswith('/build/bin/smoe-x a b'), output
            assert told['SMOE_TEST_EVERYTHING'] == 'None', output
        caches = {told['LP_NATIVE_VECTOR_WIDTH']: told['MESA_SHADER_CACHE_DIR'] for _, told in found}
        assert sorted(caches) == ['128', '256', '512'] and len(set(caches.values())) == 3, caches
        assert all(os.path.isdir(cache) for cache in caches.values()), caches


def everything_is_every_width_on_every_driver():
    with Project() as project:
        status, output = project.run('--everything')
        assert status == 1 and output.splitlines()[-1] == '0 passed, 7 failed, 3 skipped', output
        assert re.search('^skipped: driver=swiftshader: .*: run tests/drivers/setup.py$', output, re.MULTILINE), output
        project.set_up()
        found, output = project.told('--everything')
        assert all(told['SMOE_TEST_EVERYTHING'] == '1' for _, told in found) and 'lean set' not in output, output
        runs = re.findall(r'^(tests/\w+)/\S+(?: driver=(\S+))?(?: LP_NATIVE_VECTOR_WIDTH=(\d+))? +0 passed', output, re.MULTILINE)
        wanted = {(folder, driver, width) for folder in ('tests/check', 'tests/golden') for driver in ('', 'lavapipe-22', 'lavapipe-26')
                  for width in ('128', '256', '512')}
        wanted |= {('tests/check', 'swiftshader', ''), ('tests/golden', 'swiftshader', ''), ('tests/unit', '', '')}
        assert len(runs) == len(wanted) and set(runs) == wanted, output
        assert len(project.told('--everything', '--sanitize', 'address')[0]) == 3, 'sanitizers have one width and no driver'


def sanitizers_have_one_width():
    with Project() as project:
        for arguments, runs in ((('--sanitize', 'address'), 1), (('--sanitize', 'address', '--everything'), 1), ((), 3)):
            found, output = project.told(*arguments)
            assert len([path for path, _ in found if path.startswith('tests/check/')]) == runs, output


def policy_is_sound():
    """In the project's own tests: each row names something, once, and everything leaves out nothing that the lean set has."""
    for table in (variants.LANES, variants.SANITIZED, variants.DRIVEN):
        names = [row.path for row in table]
        assert len(set(names)) == len(names), names
        assert all(os.path.exists(name) for name in names), [name for name in names if not os.path.exists(name)]
        assert all(row.why for row in table), table
    for path in glob.glob('tests/*/test_*'):
        for where in [('', False), ('', True)] + [(driver, False) for driver in variants.DRIVERS]:
            lean, everything = (variants.find(path, *where, everything=which) for which in (False, True))
            assert where[0] or where[1] or lean or path.startswith('tests/cross/'), '%s runs nowhere' % path
            assert len(lean) <= len(everything), '%s %s: %s, %s with everything' % (path, where, lean, everything)


def driver_runs_what_uses_a_device():
    with Project() as project:
        project.set_up()
        for name in ('loader', 'report_browser', 'report_files'):
            project.write('tests/vision/test_%s.py' % name, TEST)
        assert [path for path, _ in project.told('--driver', 'swiftshader')[0]] == ['tests/check/test_large.py']
        found, output = project.told('--driver', 'swiftshader', '--everything')
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
        found, output = project.told('--driver', 'lavapipe-26', '--everything')
        widths = [(path, told['LP_NATIVE_VECTOR_WIDTH']) for path, told in found]
        assert sorted(widths) == [(path, width) for path in ('tests/check/test_large.py', 'tests/golden/test_golden.py')
                                  for width in ('128', '256', '512')], output
        for _, told in found:
            assert told['SMOE_BUILD'] != project.top + '/build' and told['program'] == 'launched smoe-x a b', output


def lean_set_of_a_driver_is_what_it_can_change():
    with Project() as project:
        project.set_up()
        for name in ('tests/samples/test_demo.py', 'tests/check/test_threads.c', 'tests/check/test_tiers.c'):
            project.write(name, TEST)
        width = 'echo "# LP_NATIVE_VECTOR_WIDTH $LP_NATIVE_VECTOR_WIDTH"\n'
        project.write('build/tests/check/test_tiers', '#!/bin/sh\n' + width + 'echo "1..1"; echo "not ok 1 - told"\n')
        for driver, widths, paths in (('swiftshader', {'256'}, ['check/test_large.py', 'check/test_tiers.c']),
                                      ('lavapipe-22', {'512'}, ['check/test_large.py', 'check/test_tiers.c']),
                                      ('lavapipe-26', {'256'}, ['check/test_large.py', 'golden/test_golden.py'])):
            found, output = project.told('--driver', driver)
            assert sorted(path for path, _ in found) == ['tests/' + path for path in paths], output
            assert {told['LP_NATIVE_VECTOR_WIDTH'] for _, told in found} == widths, output


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


tap.run([lean_set_is_one_width_where_lanes_do_not_matter, everything_is_every_width_on_every_driver, policy_is_sound,
         sanitizers_have_one_width,
         driver_runs_what_uses_a_device, programs_start_with_the_driver_s_libraries, lean_set_of_a_driver_is_what_it_can_change,
         hazards_between_ranges_are_left_out_aloud, another_system_s_programs_start_with_what_runs_them, what_is_missing_is_said])
