"""Where tests run: the system's drivers, or one of tests/drivers under the newest validation layer, and which cache of machine code."""
import glob
import os
import shlex
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT + '/tests/drivers')
import devices  # noqa: E402
import variants  # noqa: E402
from devices import Missing  # noqa: E402


def with_shader_cache(environment):
    """Mesa's cache of machine code, one for all configurations of the build, so that those with sanitizers find what others compiled.
    Mesa 22.3's knows shaders apart by their instructions and not by the width of the vectors: each width gets a cache of its own."""
    environment.setdefault('LP_NATIVE_VECTOR_WIDTH', '256')  # what lavapipe itself chooses where there is AVX2
    folder = environment.get('MESA_SHADER_CACHE_DIR', ROOT + '/build/shader_cache')  # where there is one, inside it
    environment['MESA_SHADER_CACHE_DIR'] = '%s/%s' % (folder, environment['LP_NATIVE_VECTOR_WIDTH'])
    os.makedirs(environment['MESA_SHADER_CACHE_DIR'], exist_ok=True)  # Mesa makes no parent folders, and goes without a cache there
    return environment


class System:
    """The system's drivers and validation layer."""
    name = ''

    def __init__(self, build, sanitized):
        self.build, self.sanitized = build, sanitized

    def command(self, program):
        return program

    def environment(self):
        return {'SMOE_BUILD': self.build}

    def variants(self, path, everything):
        return variants.find(path, sanitized=self.sanitized, everything=everything)


class Driver:
    """A driver of tests/drivers, under the newest validation layer."""
    LAYERS = os.path.join(ROOT, devices.FOLDER, 'layers')

    def __init__(self, name, build):
        self.name, self.device, self.build = name, devices.find(name), build
        self.device.check()
        if not os.path.isdir(self.LAYERS):
            raise Missing('%s: %s not found: run tests/drivers/setup.py' % (name, self.LAYERS))
        if self.command(['program']) != ['program']:
            self.build = '%s/on/%s' % (build, name)
            self.write_scripts(build)

    def command(self, program):
        return self.device.command(program)

    def environment(self):
        found = self.device.environment()
        found.pop('MESA_SHADER_CACHE_DISABLE', None)
        return {**found, 'SMOE_BUILD': self.build, 'VK_LAYER_PATH': self.LAYERS,
                'VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC': '1'}

    def variants(self, path, everything):
        return variants.find(path, self.name, everything=everything)

    def write_scripts(self, build):
        """Where programs cannot start by themselves, tests find scripts in their places, in a build folder made of those."""
        os.makedirs(self.build + '/bin', exist_ok=True)
        new = '%s/%d' % (self.build, os.getpid())  # put in place whole: the tests of another run may be starting the old one
        for part in 'lib', 'obj':
            os.symlink('%s/%s' % (build, part), new)
            os.replace(new, '%s/%s' % (self.build, part))
        for path in glob.glob(build + '/bin/*'):
            script = self.build + path[len(build):]
            with open(new, 'w', encoding='utf-8') as file:
                file.write('#!/bin/sh\nexec %s "$@"\n' % ' '.join(map(shlex.quote, self.command([path]))))
            os.chmod(new, 0o755)
            os.replace(new, script)


def find_driver(name, build, sanitize):
    if not name:
        return System(build, bool(sanitize))
    if name not in variants.DRIVERS:
        raise Missing('--driver %s: must be one of %s' % (name, ', '.join(variants.DRIVERS)))
    if sanitize:
        raise Missing('--driver %s: must be of a build without sanitizers' % name)
    return Driver(name, build)
