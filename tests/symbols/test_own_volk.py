"""An app that carries its own volk links against the libraries, static and shared, without a clash, and runs."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
import tap

LIB = tap.BUILD + '/lib'
ARCHIVES = [LIB + '/libsmoe-file.a', LIB + '/libsmoe-device.a', LIB + '/libsmoe.a']
SYSTEM = ['-lm', '-lpthread'] + ([] if sys.platform == 'darwin' else ['-ldl'])


def build_and_run(*libraries, env=None):
    with tempfile.TemporaryDirectory() as folder:
        app = folder + '/own_volk'
        tap.command(tap.CC, '-std=c11', '-Iinclude', *tap.SANITIZE_FLAGS, HERE + '/own_volk.c', '-o', app, *libraries)
        device = tap.command(app, env=env).splitlines()[-1:]
        assert device and device[0], 'no device was named'


def static():
    build_and_run(*ARCHIVES, *SYSTEM)


def static_with_every_object():
    """Every object of every archive in one program, so that two definitions of one name cannot hide from the linker."""
    whole = ['-Wl,-all_load', *ARCHIVES] if sys.platform == 'darwin' else \
        ['-Wl,--whole-archive', *ARCHIVES, '-Wl,--no-whole-archive']
    build_and_run(*whole, *SYSTEM)


def shared():
    path = 'DYLD_LIBRARY_PATH' if sys.platform == 'darwin' else 'LD_LIBRARY_PATH'
    build_and_run('-L' + LIB, '-lsmoe-file', '-lsmoe-device', '-lsmoe', env={path: LIB})


tap.run([static, static_with_every_object, shared])
