"""That results of compiling are kept as long as they hold, and that a driver's crash, an interrupt and a failed start cost what they must
and no more. A script stands in for `compile`."""
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap

import collect
import devices
import page

HERE = 'tests/drivers/'


def stand_in(folder, *keys, bad=None, how='kill -SEGV $$', driver='1'):
    """A `compile` that lists the pipelines `keys` and does `how` at the bad one, unless it is told to leave it."""
    line = '{"key": "%d", "kernel": "sort", "shape": "odd", "tile": [1, 0, 0], "thread": [0, 0], "shared": 64}'
    text = '#!/bin/sh\necho \'{"device": "stand-in", "driver_info": "%s"}\'\necho "a driver prints too"\n' % driver
    for key in keys:
        what = how if key == bad else 'echo \'{"compiled": "%d", "result": 0, "executables": []}\'' % key
        text += "echo '%s'\ngrep -qx %d \"$2\" || %s\n" % (line % key, key, what)
    return tap.script(folder, 'compile', text + 'echo \'{"done": true}\'\n')


def kept_in(folder, device):
    return collect.read_json('%s/results/%s.json' % (folder, device.name))


def a_crash_costs_one_pipeline():
    with tempfile.TemporaryDirectory() as folder:
        program = stand_in(folder, 1, 2, 3, bad=2)
        device = devices.find('lavapipe-22')
        for compiled in (2, 0):  # in the end kept results are used, and the crash is seen again
            results = collect.collect(device, folder, program, [])
            assert sorted(results.pipelines) == ['1', '2', '3'] and not results.failed, vars(results)
            assert results.compiled == compiled and sorted(kept_in(folder, device)['pipelines']) == ['1', '3'], vars(results)
            assert results.pipelines['2']['crashed'] == 'SIGSEGV', results.pipelines
            assert ['crashed' in text for text in page.problems(results)] == [True]
        text = tap.command(sys.executable, HERE + 'table.py', '--folder', folder, '--program', program, '--only', device.name,
                           '--page', folder + '/T.md', '--update', status=1)
        assert 'WRONG: lavapipe-22: sort, odd: the driver crashed: SIGSEGV' in text and '3 pipelines on 1 devices' in text, text
        assert collect.collect(device, folder, stand_in(folder, 1, 2, 3), []).compiled == 1, 'a driver that was only out of luck'


def a_pipeline_that_crashes_once_is_compiled():
    with tempfile.TemporaryDirectory() as folder:
        how = '{ [ ! -e %s/crashed ] && touch %s/crashed && kill -SEGV $$; echo \'{"compiled": "2", "result": 0}\'; }' % (folder, folder)
        results = collect.collect(devices.find('lavapipe-22'), folder, stand_in(folder, 1, 2, 3, bad=2, how=how), [])
        assert os.path.exists(folder + '/crashed') and results.compiled == 3 and not list(page.problems(results)), vars(results)


def a_driver_that_only_crashes_is_given_up():
    with tempfile.TemporaryDirectory() as folder:
        text = '#!/bin/sh\necho \'{"device": "stand-in"}\'\necho "{\\"key\\": \\"$$\\", \\"kernel\\": \\"sort\\"}"\nkill -SEGV $$\n'
        results = collect.collect(devices.find('lavapipe-22'), folder, tap.script(folder, 'compile', text), [])
        assert results.failed == 'more than 39 crashes' and not os.path.exists(folder + '/results'), vars(results)


def an_interrupt_is_no_crash():
    device = devices.find('lavapipe-22')
    for name in ('HUP', 'INT', 'TERM'):
        with tempfile.TemporaryDirectory() as folder:
            program = stand_in(folder, 1, 2, 3, bad=2, how='kill -%s $$' % name)
            text = tap.command(sys.executable, HERE + 'table.py', '--folder', folder, '--program', program, '--only', device.name,
                               '--page', folder + '/T.md', '--update', status=130)
            assert text.endswith('table.py: interrupted; %s/T.md is as it was\n' % folder), text
            assert not os.path.exists(folder + '/results') and not os.path.exists(folder + '/T.md')


def results_outlive_a_failed_start():
    device = devices.find('lavapipe-22')
    with tempfile.TemporaryDirectory() as folder:
        assert collect.collect(device, folder, stand_in(folder, 1, 2, 3), []).compiled == 3
        for text in ('echo "no such library" >&2\nexit 3\n', 'echo \'{"unusable": "no Vulkan"}\'\necho \'{"done": true}\'\n',
                     'echo \'{"device": "another"}\'\nexit 1\n'):
            collect.collect(device, folder, tap.script(folder, 'compile', '#!/bin/sh\n' + text), [])
        assert collect.collect(device, folder, stand_in(folder, 1, 2, 3), []).compiled == 0


def results_of_what_is_gone_are_dropped():
    device = devices.find('lavapipe-22')
    with tempfile.TemporaryDirectory() as folder:
        collect.collect(device, folder, stand_in(folder, 1, 2, 3), [])
        for whole, keys in ((False, ['1', '2', '3']), (True, ['3'])):
            collect.collect(device, folder, stand_in(folder, 3), [], whole=whole)
            assert sorted(kept_in(folder, device)['pipelines']) == keys, kept_in(folder, device)


def another_driver_compiles_everything_once():
    device = devices.find('lavapipe-22')
    with tempfile.TemporaryDirectory() as folder:
        def compiled(program):
            with open(folder + '/count', 'w', encoding='utf-8'):
                pass
            results = collect.collect(device, folder, program, [])
            with open(folder + '/count', encoding='utf-8') as file:
                return results.compiled, len(file.read())

        def program(driver):
            path = stand_in(folder, 1, 2, driver=driver)
            with open(path, 'a', encoding='utf-8') as file:
                file.write('printf x >>%s/count\n' % folder)
            return path
        assert compiled(program('1')) == (2, 1)
        assert compiled(program('2')) == (2, 2), 'the system has another driver, which it says itself'
        os.mkdir(folder + '/state')
        device.part = 'mesa25'  # another package
        with open(folder + '/state/mesa25.json', 'w', encoding='utf-8') as file:
            json.dump({}, file)
        assert compiled(program('3')) == (2, 1)


def a_program_that_fails_is_said_to():
    with tempfile.TemporaryDirectory() as folder:
        program = tap.script(folder, 'compile', '#!/bin/sh\necho "no such library" >&2\nexit 3\n')
        results = collect.collect(devices.find('lavapipe-22'), folder, program, [])
        assert results.failed == 'exit status 3: no such library', results.failed


def what_is_measured_is_part_of_the_identity():
    device, before = devices.find('navi31'), collect.SOURCES
    one = collect.driver_identity(device, devices.FOLDER)
    try:
        collect.SOURCES = before[1:]
        assert collect.driver_identity(device, devices.FOLDER) != one
    finally:
        collect.SOURCES = before


def a_refusal_is_asked_for_again():
    with tempfile.TemporaryDirectory() as folder:
        device = devices.find('lavapipe-22')
        how = 'echo \'{"compiled": "2", "result": -1, "executables": []}\''
        for compiled in (3, 1):
            results = collect.collect(device, folder, stand_in(folder, 1, 2, 3, bad=2, how=how), [])
            assert results.compiled == compiled and sorted(kept_in(folder, device)['pipelines']) == ['1', '3'], vars(results)
            assert ['VkResult -1' in text for text in page.problems(results)] == [True]


tap.run([a_crash_costs_one_pipeline, a_pipeline_that_crashes_once_is_compiled, a_driver_that_only_crashes_is_given_up,
         an_interrupt_is_no_crash, results_outlive_a_failed_start, results_of_what_is_gone_are_dropped,
         another_driver_compiles_everything_once, a_program_that_fails_is_said_to, what_is_measured_is_part_of_the_identity,
         a_refusal_is_asked_for_again])
