"""That `scons drivers` finds what it is there to find, and says clearly what is missing. What needs a driver runs on those that
setup.py has set up in build/drivers."""
import contextlib
import importlib.util
import io
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap

import collect
import devices
import page
import table
import tiles

HERE = 'tests/drivers/'
SPILL = os.path.join('build/gen/tests/drivers/drivers_spill.spv')
PROGRAM = tap.BUILD + '/tests/drivers/compile'
GOOD = {'VGPRs': 40, 'Subgroups per SIMD': 16, 'LDS size': 1024, 'Spilled VGPRs': 0, 'Scratch size': 0, 'Spilled SGPRs': 0,
        'Instructions': 9}
KERNEL = {'key': '1', 'kernel': 'expert_up_tiled', 'shape': 'gated', 'tile': [16, 64, 16], 'thread': [2, 4], 'shared': 6400, 'result': 0}


def results_with(statistics=None, name='navi31', **more):
    results = collect.Results(devices.find(name))
    results.rows = {'expert_up_tiled': 0, 'combine': 0, 'sort': 2}
    results.pipelines = {'1': {**KERNEL, 'executables': [{'subgroup': 64, 'statistics': {**GOOD, **(statistics or {})}}], **more}}
    return results


def need(*names):
    for name in names:
        try:
            devices.find(name).check()
        except devices.Missing as missing:
            raise tap.Skip(str(missing))


def run_table(*arguments, status=0):
    return tap.command(sys.executable, HERE + 'table.py', '--program', PROGRAM, *arguments, status=status)


def nothing_is_wrong_with_a_good_kernel():
    assert list(page.problems(results_with())) == []


def every_kind_of_spill_is_found():
    for name in ('Spilled VGPRs', 'Scratch size', 'Spilled SGPRs'):
        found = list(page.problems(results_with({name: 3})))
        assert len(found) == 1 and 'navi31: expert_up_tiled 16x64x16, gated: spills: %s 3' % name in found[0], found
    assert 'SPILL' in page.section('AMD', [results_with({'Scratch size': 3})], 'x', [])


def cooperative_kernels_have_matrix_instructions():
    for count, wrong in ((None, True), (0, True), (4, False)):
        results = results_with(kernel='expert_up_cooperative', **({} if count is None else {'matrix_instructions': count}))
        found = list(page.problems(results))
        assert len(found) == wrong and all('no matrix instructions' in text for text in found), found
        assert '64: 40/16 m%d |' % (count or 0) in page.section('AMD', [results], 'x', [])


def refusals_crashes_and_silence_are_found():
    for more, text in (({'result': -13, 'executables': []}, 'VkResult -13'), ({'crashed': 'SIGSEGV', 'executables': []}, 'SIGSEGV'),
                       ({'executables': []}, 'no statistics')):
        found = list(page.problems(results_with(**more)))
        assert len(found) == 1 and text in found[0], found
    fewer = results_with()
    del fewer.pipelines['1']['executables'][0]['statistics']['Scratch size']
    assert ['no longer tells Scratch size' in text for text in page.problems(fewer)] == [True]
    old = results_with()
    old.embedded = {'expert_up_tiled': True, 'combine': False, 'sort': False}
    assert list(page.problems(old)) == ['navi31: combine: not in this build: its shader tools are too old']
    failed = results_with()
    failed.failed = 'exit status 1: no driver'
    assert len(list(page.problems(failed))) == 1


def devices_and_shapes_that_are_not_used_are_found():
    unused = collect.Results(devices.find('navi31'))
    assert list(page.problems(unused)) == ['navi31: no pipelines']
    unused.unusable = 'Vulkan 1.0 under'
    assert list(page.problems(unused)) == ['navi31: not used: Vulkan 1.0 under']
    expected = collect.Results(devices.find('g52'))
    expected.unusable = 'Vulkan 1.0 under'
    assert list(page.problems(expected)) == []
    for reason, text in (('no compute queue', 'g52: not used: no compute queue'),
                         ('', 'g52: used, although devices.py says that it is not: Vulkan 1.0')):
        expected.unusable = reason
        assert list(page.problems(expected)) == [text], list(page.problems(expected))
    refused = results_with()
    refused.refused = {'odd': 'd_model must be', 'sample.spv': 'texel buffers'}
    assert list(page.problems(refused)) == ['navi31: odd: refused: d_model must be']


def cells_say_what_the_driver_said():
    text = page.section('AMD', [results_with()], 'Mesa 1', [(1, 'arithmetic'), (2, 'shuffle')])
    assert '| expert_up_tiled 16x64x16 | 1024 | 64: 40/16 |' in text, text
    assert '| combine |  | · |' in text and '| sort |  | no shuffle |' in text, text
    results = results_with(name='ampere')
    results.pipelines['1']['executables'][0]['statistics'].update({'Number of GPRs': 64, 'Max warps/SM': 32})
    text = page.section('NVIDIA', [results], 'Mesa 1', [])
    assert '| expert_up_tiled 16x64x16 | 6400 | 64: 64/32 |' in text, text


def pages_differ_by_their_sections():
    made = {'': 'compiled by x\n', 'AMD': '## AMD\n\nDrivers: Mesa 1.\n\n| a | 64: 40/16 |\n'}

    def difference(old, new):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            return table.compare(old, new, 'page'), out.getvalue()
    assert page.split(page.join(made)) == made
    assert difference(made, made)[0] is False
    differ, text = difference({**made, 'AMD': made['AMD'].replace('40', '44')}, made)
    assert differ and '-| a | 64: 44/16 |' in text and '+| a | 64: 40/16 |' in text, text
    differ, text = difference({**made, 'AMD': made['AMD'].replace('Mesa 1', 'Mesa 2').replace('40', '44')}, made)
    assert not differ and 'AMD not compared: there "Drivers: Mesa 2."' in text, text
    legend = {**made, 'AMD': made['AMD'].replace('Mesa 1.', 'Mesa 1. Cells: registers.')}
    assert difference(legend, made)[0], 'the words are compared too'
    assert difference({}, made) == (True, 'page: not there\n')
    made = {'': 'compiled by x\n', 'Intel': '## Intel\n\nDrivers: Mesa 1.\n\n| a | 16: 40 |\n| *instructions* | 7 |\n'}
    differ, text = difference({**made, 'Intel': made['Intel'].replace('40', '44').replace('7', '8')}, made)
    assert not differ and 'Intel: other numbers, which is no failure' in text and '-| a | 16: 44 |' in text, text
    assert difference({**made, 'Intel': made['Intel'].replace('16:', '8:')}, made)[0]
    assert difference({**made, 'Intel': made['Intel'].replace('| a ', '| b ')}, made)[0]


def a_missing_driver_is_named():
    with tempfile.TemporaryDirectory() as folder:
        text = run_table('--folder', folder, '--only', 'navi31', status=1)
        assert 'navi31: ' in text and 'not found: run tests/drivers/setup.py' in text, text
        text = run_table('--folder', folder, '--only', 'g610', status=1)
        assert 'run tests/drivers/setup.py --arm64' in text, text
    text = tap.command(sys.executable, HERE + 'on.py', 'navi99', 'true', status=1)
    assert 'navi99: no such device; there are lavapipe-22, ' in text, text
    assert tap.command(sys.executable, HERE + 'on.py', 'navi31', status=2) == 'on.py: navi31: no program given\n'


def half_of_a_setup_is_none():
    need('navi31')
    device = devices.find('navi31')
    for path in ('icd/mesa26-radeon.json', 'bin/run-mesa26', 'shims/libamdgpu_noop_drm_shim.so', 'state/mesa26.json', 'state/shims.json'):
        with tempfile.TemporaryDirectory() as folder:
            for one in ('icd', 'bin', 'shims', 'state'):
                shutil.copytree(os.path.join(devices.FOLDER, one), os.path.join(folder, one), symlinks=True)
            os.mkdir(folder + '/mesa26')
            device.check(folder)
            os.remove(os.path.join(folder, path))
            try:
                device.check(folder)
            except devices.Missing as missing:
                assert path in str(missing), missing
            else:
                raise AssertionError('nothing said without ' + path)


def a_page_keeps_what_a_failed_device_had():
    failed, good = results_with(), results_with()
    failed.failed = 'exit status 1'
    count = len([device for device in devices.table() if device.group == 'AMD'])
    good.header = {'driver_info': ''}
    versions = {'mesa26': {'mesa-vulkan-drivers': '1'}}
    assert 'AMD' in table.sections([good] * count, versions, 'x')
    assert 'AMD' not in table.sections([failed] + [good] * (count - 1), versions, 'x')


def tiles_are_checked():
    assert tiles.shared_memory('64x64x16:4x4') == 10240 and tiles.multiply_adds_per_byte('64x128x16:4x8') == 128 / 192
    for tile in ('64x64', '0x0x0:0x0', '64x64x16:0x4', '64x64x0:4x4', '64x64x16:4x-4'):
        text = tap.command(sys.executable, HERE + 'tiles.py', tile, status=1)
        assert text == 'tiles.py: %s: no tile like 64x64x16:4x4\n' % tile, text


def a_missing_cross_compiler_is_named():
    spec = importlib.util.spec_from_file_location('scons_drivers', 'site_scons/drivers.py')
    scons = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scons)

    class Environment:
        WhereIs = staticmethod(lambda name: None)
    with tempfile.TemporaryDirectory() as folder:
        scons.FOLDER = folder
        assert scons.missing(Environment) == ''
        os.mkdir(folder + '/arm64')
        assert 'aarch64-linux-gnu-gcc not found' in scons.missing(Environment) and 'installs gcc-aarch64' in scons.missing(Environment)


def a_shader_that_spills_fails_on_every_vendor():
    names = ('navi31', 'dg2', 'ampere', 'a750')  # Mali's compiler, emulated, has no end with this shader within ten minutes
    need(*names)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            results = collect.collect(devices.find(name), devices.FOLDER, PROGRAM, ['--none', os.path.abspath(SPILL)], kept_in=folder)
            assert not results.failed and len(results.pipelines) == 1, vars(results)
            found = list(page.problems(results))
            assert found and all('spills: ' in text for text in found), '%s: %s %s' % (name, found, vars(results))


def few_shapes_lead_to_every_kernel():
    need('navi31')
    results = collect.collect(devices.find('navi31'), devices.FOLDER, PROGRAM, ['--few'])
    runs = {kernel for kernel, missing in results.rows.items() if not missing and results.embedded[kernel]}
    left = runs - {pipeline['kernel'] for pipeline in results.pipelines.values()}
    assert left == {'route_logits_broadcast', 'expert_up_broadcast', 'expert_down_broadcast'}, left  # those are for software


def the_page_is_compared_and_rewritten():
    need('navi31')
    with tempfile.TemporaryDirectory() as folder:
        arguments = ('--only', 'AMD', '--few', '--page', folder + '/T.md')
        run_table(*arguments, status=1)
        run_table(*arguments, '--update')
        assert '0 of them compiled now, 0 wrong' in run_table(*arguments)
        with open(folder + '/T.md', encoding='utf-8') as file:
            text = file.read()
        with open(folder + '/T.md', 'w', encoding='utf-8') as file:
            file.write(text.replace('| combine | 0 | 64: ', '| combine | 0 | 64: 1'))
        text = run_table(*arguments, status=1)
        assert '-| combine | 0 | 64: 1' in text and '+| combine | 0 | 64: ' in text, text


tap.run([nothing_is_wrong_with_a_good_kernel, every_kind_of_spill_is_found, cooperative_kernels_have_matrix_instructions,
         refusals_crashes_and_silence_are_found, devices_and_shapes_that_are_not_used_are_found, cells_say_what_the_driver_said,
         pages_differ_by_their_sections, a_missing_driver_is_named, half_of_a_setup_is_none, a_page_keeps_what_a_failed_device_had,
         tiles_are_checked, a_missing_cross_compiler_is_named, a_shader_that_spills_fails_on_every_vendor,
         few_shapes_lead_to_every_kernel, the_page_is_compared_and_rewritten])
