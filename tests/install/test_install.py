"""The installed package, moved to another place, serves programs by pkg-config and by CMake, static and shared.

build/stage is what `scons install` makes, with another prefix; the test's copy stands where it was not installed to."""
import filecmp
import glob
import os
import shlex
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
import tap

TOOLS = ['smoe-bench', 'smoe-classify', 'smoe-digits'] + ['smoe-' + name for name in sorted(os.listdir('src/tools'))]
SANITIZE = tap.SANITIZE_FLAGS


def version():
    with open('include/smoe/smoe.h', encoding='utf-8') as file:
        lines = [line.split() for line in file if line.startswith('#define SMOE_VERSION_')]
    return '.'.join(line[2] for line in lines)


def drop_shared(prefix):
    """Where both are, linkers take the shared library."""
    for path in glob.glob(prefix + '/lib/*.so*') + glob.glob(prefix + '/lib/*.dylib'):
        os.remove(path)


# Distributions differ in what a linker leaves out that the program itself does not call.
LINKERS = ((),) if sys.platform == 'darwin' else ((), ('-Wl,--as-needed',), ('-Wl,--no-as-needed',))


def run_consumer(folder):
    """Without LD_LIBRARY_PATH: a program knows where libsmoe-device lies, and that finds libsmoe beside it."""
    environment = {name: '' for name in ('LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH') if name in os.environ}
    output = tap.command(folder + '/consumer', env=environment)
    assert 'smoe %s: ' % version() in output, output
    tap.command(folder + '/device_only', env=environment)


def needs_smoe_shared(program):
    return 'libsmoe' in tap.command('otool' if sys.platform == 'darwin' else 'ldd', *(['-L'] if sys.platform == 'darwin' else []),
                                    program)


def pkg_config(folder, prefix, *options, linker=()):
    env = {'PKG_CONFIG_PATH': prefix + '/lib/pkgconfig'}
    if not shutil.which('pkg-config'):
        raise tap.Skip('no pkg-config here')
    assert tap.command('pkg-config', '--modversion', 'smoe', env=env).strip() == version()
    for name, packages in (('consumer', ('smoe-file', 'smoe-device', 'smoe')), ('device_only', ('smoe-device',))):
        flags = shlex.split(tap.command('pkg-config', '--cflags', '--libs', *options, *packages, env=env))
        tap.command(tap.CC, '-std=c11', *SANITIZE, '%s/%s.c' % (HERE, name), '-o', '%s/%s' % (folder, name), *linker, *flags,
                    '-Wl,-rpath,%s/lib' % prefix)
    run_consumer(folder)
    return folder + '/consumer'


@tap.with_prefix
def pkg_config_shared(folder, prefix):
    for linker in LINKERS:
        assert needs_smoe_shared(pkg_config(folder, prefix, linker=linker))


@tap.with_prefix
def pkg_config_static(folder, prefix):
    drop_shared(prefix)
    assert not needs_smoe_shared(pkg_config(folder, prefix, '--static'))


def need_cmake():
    for program in ('cmake', 'make'):
        if not shutil.which(program):
            raise tap.Skip('no %s here' % program)


def cmake(folder, prefix, *options):
    need_cmake()
    build = folder + '/build'
    tap.command('cmake', '-S', HERE, '-B', build, '-DCMAKE_PREFIX_PATH=' + prefix, '-DCMAKE_C_COMPILER=' + tap.CC,
                '-DCMAKE_C_FLAGS=' + ' '.join(SANITIZE), *options)
    tap.command('cmake', '--build', build)
    run_consumer(build)
    return build + '/consumer'


@tap.with_prefix
def cmake_shared(folder, prefix):
    for i, linker in enumerate(LINKERS):
        assert needs_smoe_shared(cmake('%s/%d' % (folder, i), prefix, '-DCMAKE_EXE_LINKER_FLAGS=' + ' '.join(linker)))


@tap.with_prefix
def cmake_static(folder, prefix):
    assert not needs_smoe_shared(cmake(folder, prefix, '-Dsmoe_USE_STATIC_LIBS=ON'))


@tap.with_prefix
def cmake_refuses_another_interface(folder, prefix):
    need_cmake()
    with open(folder + '/CMakeLists.txt', 'w', encoding='utf-8') as file:
        file.write('cmake_minimum_required(VERSION 3.13)\nproject(newer NONE)\nfind_package(smoe 99.0 REQUIRED)\n')
    output = tap.command('cmake', '-S', folder, '-B', folder + '/build', '-DCMAKE_PREFIX_PATH=' + prefix, status=1)
    assert 'version: ' + version() in output, output


@tap.with_prefix
def every_file_is_there(folder, prefix):
    headers = sorted(os.path.basename(path) for path in glob.glob('include/smoe/*.h'))
    assert sorted(os.listdir(prefix + '/include/smoe')) == headers
    for tool in TOOLS:
        assert os.access('%s/bin/%s' % (prefix, tool), os.X_OK), 'bin/%s is missing' % tool
    assert not os.path.exists(prefix + '/bin/smoe-embed'), 'an example is installed'
    for path in glob.glob('samples/*/*.safetensors'):
        assert filecmp.cmp(path, prefix + '/share/smoe/' + path[len('samples/'):], shallow=False), path
    for library in ('smoe', 'smoe-device', 'smoe-file'):
        assert os.path.isfile('%s/lib/lib%s.a' % (prefix, library)), 'lib%s.a is missing' % library


@tap.with_prefix
def programs_find_their_models(folder, prefix):
    """From any folder, by PATH and by a link; where the files are not, the places are named."""
    os.symlink(prefix + '/bin/smoe-digits', folder + '/digits')
    for command, path in ((prefix + '/bin/smoe-digits', ''), ('smoe-digits', prefix + '/bin'), ('digits', folder)):
        output, _ = tap.outputs(command, '--index', '3', cwd=folder, env={'PATH': path})
        assert 'digit' in output, output
    picture = os.path.abspath(sorted(glob.glob('tests/vision/seeds/*.png'))[0])
    output, _ = tap.outputs(prefix + '/bin/smoe-classify', picture, cwd=folder)
    assert picture in output, output
    shutil.rmtree(prefix + '/share')
    for program, option, file in (('smoe-digits', '--data', 'digits/digits'), ('smoe-classify', '--model', 'vision/model')):
        _, messages = tap.outputs(prefix + '/bin/' + program, *[picture] * (program == 'smoe-classify'), cwd=folder, status=2)
        assert messages.startswith('%s: there is no %s, ' % (program, option)), messages
        assert '/share/smoe/%s.safetensors, ' % file in messages and messages.count('\n') == 1, messages


tap.run([every_file_is_there, programs_find_their_models,
         pkg_config_shared, pkg_config_static, cmake_shared, cmake_static, cmake_refuses_another_interface])
