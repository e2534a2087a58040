"""Programs of a cross build, run as another system's: digits, pictures, the shared libraries in somebody's program, and on
Windows what its own rules may break. tests/golden and tests/samples do the rest, for this system's programs."""
import glob
import json
import os
import re
import shlex
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
import cross
import tap

BIN = tap.BUILD + '/bin/'
CONSUMER = 'tests/install/consumer.c'
WINDOWS = tap.CROSS == cross.WINDOWS


def digits():
    accuracy = re.search(r'accuracy [\d.]+ \((\d+) of (\d+)\)', tap.command(BIN + 'smoe-digits'))
    right, all_of_them = map(int, accuracy.groups())
    assert right > 0.95 * all_of_them, accuracy.group(0)


def digits_from_another_folder():
    """The model lies beside the sources, seen from where the program is."""
    program = os.path.abspath(BIN + 'smoe-digits')
    with tempfile.TemporaryDirectory() as folder:
        script = 'cd "$1" && shift && exec "$@" --index 3'
        assert 'digit' in tap.command('bash', '-c', script, 'bash', folder, *cross.runner(tap.CROSS), program)


def embed():
    tap.command(BIN + 'smoe-embed')


def run_consumer(program, prefix):
    """Where shared libraries are found differs: beside the program on Windows, where a variable says elsewhere."""
    if WINDOWS:
        for dll in glob.glob(prefix + '/bin/*.dll'):
            shutil.copy(dll, os.path.dirname(program))
    path = {'LD_LIBRARY_PATH': prefix + '/lib'}
    output = tap.command(*cross.runner(tap.CROSS), program, env=path)
    assert re.search(r'smoe [\d.]+: [1-9]\d* devices \(success\), unreadable', output), output
    return output


def dependencies(program):
    text = tap.command(tap.CROSS + '-objdump', '-p', program)
    return set(re.findall(r'(?:DLL Name:|NEEDED) +(\S+)', text))


@tap.with_prefix
def shared_by_pkg_config(folder, prefix):
    program, system = folder + '/consumer', 'build/cross/' + tap.CROSS
    flags = shlex.split(tap.command('pkg-config', '--cflags', '--libs', 'smoe-file', 'smoe-device', 'smoe',
                                    env={'PKG_CONFIG_LIBDIR': prefix + '/lib/pkgconfig'}))
    tap.command(tap.CC, '-std=c11', '-isystem', system + '/include', CONSUMER, '-o', program, *flags,
                *([] if WINDOWS else ['-Wl,-rpath-link,' + system + '/lib']))
    program += '.exe' if WINDOWS else ''
    assert len([name for name in dependencies(program) if name.startswith('libsmoe')]) >= 2, dependencies(program)
    run_consumer(program, prefix)


@tap.with_prefix
def shared_by_cmake(folder, prefix):
    system = os.path.abspath('build/cross/' + tap.CROSS)
    tap.command('cmake', '-S', 'tests/install', '-B', folder + '/build', '-DCMAKE_PREFIX_PATH=' + prefix,
                '-DCMAKE_SYSTEM_NAME=' + ('Windows' if WINDOWS else 'Linux'), '-DCMAKE_C_COMPILER=' + tap.CC,
                '-DCMAKE_C_FLAGS=-isystem %s/include' % system,
                *([] if WINDOWS else ['-DCMAKE_EXE_LINKER_FLAGS=-Wl,-rpath-link,%s/lib' % system]))
    tap.command('cmake', '--build', folder + '/build')
    run_consumer(folder + '/build/consumer' + ('.exe' if WINDOWS else ''), prefix)


def needs_nothing_else():
    """A program that is copied to another machine needs what every Windows has, and no library of a compiler. Only the benchmark reads the
    registry, by ADVAPI32, for the names of processor and system."""
    every_windows = {'KERNEL32.dll', 'msvcrt.dll'}
    files = glob.glob(BIN + '*.exe') + glob.glob(tap.BUILD + '/lib/*.dll')
    assert len(files) > 5
    for path in files:
        system = every_windows | ({'ADVAPI32.dll'} if path.endswith('smoe-bench.exe') else set())
        others = {name for name in dependencies(path) - system if not name.startswith('libsmoe')}
        assert not others, '%s needs %s' % (path, others)


def no_loader():
    """A machine without Vulkan: vulkan-1.dll is not there."""
    output = tap.command(BIN + 'smoe-devices', env={'WINEDLLOVERRIDES': 'vulkan-1='}, status=1)
    assert 'no Vulkan loader on this system' in output, output


PLANTED = """#include <stdio.h>
#include <windows.h>
BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved)
{
    (void)instance, (void)reserved;
    if (reason == DLL_PROCESS_ATTACH)
        fprintf(stderr, "a planted library was loaded\\n");
    return TRUE;
}
"""


def loader_is_the_systems():
    """A vulkan-1.dll in the current folder and beside the program, where Windows looks first, is not taken for Vulkan's loader."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + '/planted.c', 'w', encoding='utf-8') as file:
            file.write(PLANTED)
        tap.command(tap.CC, '-shared', folder + '/planted.c', '-o', folder + '/vulkan-1.dll')
        shutil.copy(BIN + 'smoe-devices.exe', folder)
        program = [*cross.runner(tap.CROSS), os.path.join(folder, 'smoe-devices.exe')]
        script = 'cd "$1" && shift && exec "$@"'
        for overrides, status in (('', 0), ('vulkan-1=n', 1)):  # as wine is; with libraries of its own for nothing of this name
            output = tap.command('bash', '-c', script, 'bash', folder, *program, env={'WINEDLLOVERRIDES': overrides}, status=status)
            assert 'planted' not in output, output


def validation_is_watched():
    """tests/cross/run, with something in wine's place: a message of the layer fails, and so does a layer that is not there."""
    with tempfile.TemporaryDirectory() as folder:
        wine = tap.script(folder, 'wine', '#!/bin/sh\necho "$2"\n')
        env = {'PATH': folder + os.pathsep + os.environ['PATH'], 'DISPLAY': ':none', 'SMOE_TEST_VALIDATION': 'outside'}
        for text, layer, status in (('all is well', 'VK_LAYER_KHRONOS_validation', 0), ('all is well', 'VK_LAYER_NO_such', 1),
                                    ('Validation Error: [ VUID-x ]', 'VK_LAYER_KHRONOS_validation', 1)):
            tap.command(*cross.runner(tap.CROSS), wine, text, env={**env, 'VK_INSTANCE_LAYERS': layer}, status=status)


def pictures():
    """Bytes that are line ends in text, in files of pictures; the model, seen from another folder; what is written, and what is not written
    over, by whatever name."""
    for name in ('rgb.png', 'baseline.jpg', 'lossless.webp'):
        assert ' %  ' in tap.command(BIN + 'smoe-classify', 'tests/vision/seeds/' + name)
    tap.command(BIN + 'smoe-classify', '--check', 'tests/vision/check_smooth.safetensors')
    with tempfile.TemporaryDirectory() as folder:
        picture, out, report = (os.path.join(folder, name) for name in ('猫.png', 'out.safetensors', 'report.html'))
        shutil.copy('tests/vision/seeds/rgb.png', picture)
        for _ in range(2):  # the second time they are there, and the folder's pictures are as many
            output = tap.command(BIN + 'smoe-classify', '--out', out, '--report', report, folder.replace('/', '\\'), cwd=folder)
            assert '猫.png' in output and 'could not be read' not in output, output
        with open(out, 'rb') as file:
            size = int.from_bytes(file.read(8), 'little')
            tensors = json.loads(file.read(size))
            assert os.path.getsize(out) == 8 + size + max(tensors[name]['data_offsets'][1] for name in ('logits', 'images'))
        with open(report, encoding='utf-8', newline='') as file:
            page = file.read()
            assert page.startswith('<!doctype html>') and '猫.png' in page and '\r' not in page
        before = os.path.getsize(picture)
        other_case = os.path.join(folder, '猫.PNG')
        assert 'is one of the pictures' in tap.command(BIN + 'smoe-classify', '--out', other_case, picture, status=2)
        assert os.path.getsize(picture) == before


def arguments():
    """Names beyond the code page, from the command line to the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'ε-层 é.safetensors')
        shutil.copy('tests/golden/one_expert.safetensors', path)
        tap.command(BIN + 'smoe-run', '--check', path)


TESTS = [digits, digits_from_another_folder, embed, shared_by_pkg_config, shared_by_cmake]
tap.run(TESTS + ([needs_nothing_else, no_loader, loader_is_the_systems, validation_is_watched, pictures, arguments] if WINDOWS else []))
