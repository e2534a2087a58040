#!/usr/bin/env python3
"""Sets up Vulkan drivers of many vendors for machines without their GPUs, from Debian's packages; README.md says what comes out.

    tests/drivers/setup.py [FOLDER]            build/drivers, unless FOLDER is given
    tests/drivers/setup.py --arm64 [FOLDER]    also panvk for Mali, which Debian has only for arm64: runs under qemu-user

Nothing is installed. What is there already is left alone, so a second run takes no time; a part that failed leaves nothing half-made
behind. The versions are those that TABLE.md was made with; --any-version takes what the mirror has. SMOE_DEBIAN_MIRROR names another
mirror. Exit status 3 means that the mirror is out of reach or has no such package, 1 that anything else went wrong.
"""
import argparse
import concurrent.futures
import ctypes
import hashlib
import json
import os
import re
import shutil
import sys
import time

import debian
import shims
from debian import Apt, Failure, Unavailable

HERE = os.path.dirname(os.path.abspath(__file__))
TESTING = ('testing',)  # trixie's glslang knows no bfloat16
TRIXIE = ('trixie', 'trixie-updates', 'trixie-backports')
BOOKWORM = ('bookworm', 'bookworm-updates', 'bookworm-backports')

# Upstream versions by part; '' is any. Chromium's change with every security update.
VERSIONS = {
    'mesa26': {'mesa-vulkan-drivers': '26.1.6', 'libvulkan1': ''},
    'mesa25': {'mesa-vulkan-drivers': '25.0.7', 'libdrm2': '', 'libdrm-dev': '', 'python3-mako': '', 'python3-markupsafe': ''},
    'chromium': {'chromium-common': ''},
    'tools': {'glslang-tools': '16.6.0', 'spirv-tools': '2026.4~rc2'},
    'shims': {'mesa': '25.0.7'},
    'arm64': {'mesa-vulkan-drivers': '26.1.6', 'libvulkan1': ''},
    'qemu': {'qemu-user-static': ''},
}
VERSIONS['shims-arm64'] = VERSIONS['shims']
LIBRARIES = {'mesa26': 'usr/lib/x86_64-linux-gnu', 'mesa25': 'usr/lib/x86_64-linux-gnu', 'chromium': 'usr/lib/chromium',
             'tools': 'usr/lib/x86_64-linux-gnu', 'arm64': 'usr/lib/aarch64-linux-gnu'}
# part: drivers of it that are used, as in the library's name
DRIVERS = {
    'mesa26': ('lvp', 'radeon', 'intel', 'nouveau', 'freedreno'),
    'mesa25': ('lvp',),
    'arm64': ('panfrost',),
}
SHIMS = ('amdgpu', 'freedreno', 'nouveau', 'intel')

# What a program needs that is started with other libraries than the system's: the loader that came with them. It takes a space in a
# library's path for the end of it, but finds libraries by their names in folders that have one.
RUN = '''#!/bin/sh
# run-%(part)s [--preload SHIM] PROGRAM [ARGUMENT...]: the program with the libraries of %(part)s, the C library included
top=$(dirname "$(dirname "$(readlink -f "$0")")")
libraries=$top/%(part)s/%(libraries)s
shim=
if [ "$1" = --preload ]; then
    libraries=$libraries:$(dirname "$2")
    shim=$(basename "$2")
    shift 2
fi
program=$(command -v "$1") || { echo "$1: not found" >&2; exit 127; }
shift
exec %(command)s ${shim:+--preload "$shim"} --library-path "$libraries" "$program" "$@"
'''
TOOL = '''#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/run-tools" "$(dirname "$(dirname "$(readlink -f "$0")")")/tools/usr/bin/%s" "$@"
'''


class Setup:
    def __init__(self, folder, any_version):
        self.folder, self.any_version, self.begin = os.path.abspath(folder), any_version, time.monotonic()
        self.mirror = debian.find_mirror()
        self.done = {}

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def say(self, text):
        print('[%5.1f s] %s' % (time.monotonic() - self.begin, text), flush=True)

    def stamp(self, part):
        """What a part is made of: another version wanted, or another script, makes it again."""
        digest = hashlib.sha256(json.dumps(VERSIONS[part], sort_keys=True).encode())
        if part in ('shims', 'shims-arm64'):
            with open(os.path.join(HERE, 'shims.py'), 'rb') as file:
                digest.update(file.read())
        return digest.hexdigest()

    def state(self, part):
        """What `finish` wrote of a part that is there."""
        try:
            with open(self.path('state', part + '.json'), encoding='utf-8') as file:
                return json.load(file) if os.path.isdir(self.path(part)) else None
        except (OSError, ValueError):
            return None

    def is_done(self, part):
        """Also after --any-version: what that took need not be what is wanted now."""
        state = self.state(part)
        if not state or state['stamp'] != self.stamp(part):
            return False
        if not all(debian.is_version(state['versions'].get(package, ''), self.wanted(part, package)) for package in VERSIONS[part]):
            return False
        self.done[part] = state['versions']
        return True

    def finish(self, part, versions):
        os.makedirs(self.path('state'), exist_ok=True)
        with open(self.path('state', part + '.json'), 'w', encoding='utf-8') as file:
            json.dump({'stamp': self.stamp(part), 'versions': versions}, file)
        self.done[part] = versions
        self.say('%s: %s' % (part, ', '.join('%s %s' % item for item in sorted(versions.items()))))

    def tell_others(self):
        """Parts of an earlier run are still there, as they were then."""
        for part in VERSIONS:
            state = self.state(part)
            if part not in self.done and state and not self.is_done(part):
                self.say('%s: %s, which is not what is wanted now: --arm64 makes it again' % (
                    part, ', '.join('%s %s' % item for item in sorted(state['versions'].items()))))

    def wanted(self, part, package):
        return '' if self.any_version else VERSIONS[part][package]

    def packages(self, parts, suites, release, dependencies=False, architecture='amd64'):
        """Unpacks the packages of parts, each into its folder."""
        parts = [part for part in parts if not self.is_done(part)]
        if not parts:
            return
        with Apt(self.path('apt', parts[0]), self.mirror, suites, architecture, release) as apt:
            apt.update()
            for part in parts:
                versions = {package: apt.check(package, self.wanted(part, package)) for package in VERSIONS[part]}
                apt.unpack(list(versions), self.path(part), dependencies)
                self.finish(part, versions)

    def source(self):
        """The source that the shims are made of, in the folder `mesa`."""
        with Apt(self.path('apt/source'), self.mirror, TRIXIE[:1]) as apt:
            apt.update()
            version = apt.source_version('mesa', self.wanted('shims', 'mesa'))
            shutil.rmtree(self.path('mesa'), ignore_errors=True)
            shims.unpack_source(apt.source('mesa', version), self.path('mesa'))
        return {'mesa': version}

    def build_shims(self):
        drm = self.path('mesa25', 'usr/include')
        shims.generate_intel(self.path('mesa'), self.path('mesa25/usr/lib/python3/dist-packages'))
        shims.build(self.path('mesa'), self.path('shims'), drm, SHIMS,
                    drm_library=self.path('mesa25', LIBRARIES['mesa25'], 'libdrm.so.2'))

    def manifests(self, part):
        """For the Vulkan loader. Their paths are relative: the folder may be moved."""
        found = {'%s-%s.json' % (part, name): 'libvulkan_%s.so' % name for name in DRIVERS.get(part, ())}
        if part == 'chromium':
            found = {'swiftshader.json': 'libvk_swiftshader.so'}
        for name, library in found.items():
            if not os.path.isfile(self.path(part, LIBRARIES[part], library)):
                raise Failure('%s: the packages have no %s' % (part, library))
            self.write('icd/' + name, json.dumps({'file_format_version': '1.0.0', 'ICD': {
                'library_path': '../%s/%s/%s' % (part, LIBRARIES[part], library), 'api_version': '1.3.0'}}, indent=1) + '\n')

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def layer_manifest(self):
        library = '../chromium/%s/libVkLayer_khronos_validation.so' % LIBRARIES['chromium']
        name, version = layer_properties(os.path.normpath(self.path('layers', library)))
        extensions = {'instance': ('VK_EXT_debug_report', 'VK_EXT_debug_utils', 'VK_EXT_layer_settings', 'VK_EXT_validation_features'),
                      'device': ('VK_EXT_debug_marker', 'VK_EXT_tooling_info', 'VK_EXT_validation_cache')}
        layer = {'name': name, 'type': 'GLOBAL', 'library_path': library, 'api_version': version, 'implementation_version': '1',
                 'description': 'Khronos validation layer'}
        for kind, names in extensions.items():
            layer[kind + '_extensions'] = [{'name': one, 'spec_version': '1'} for one in names]
        self.write('layers/VkLayer_khronos_validation.json',
                   json.dumps({'file_format_version': '1.2.0', 'layer': layer}, indent=1) + '\n')

    def runner(self, part, command):
        self.write('bin/run-' + part, RUN % {'part': part, 'libraries': LIBRARIES[part], 'command': command}, 0o755)

    def x86_64(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            source = None if self.is_done('shims') else pool.submit(self.source)
            wait_for([pool.submit(self.packages, ('mesa26',), TRIXIE, 'trixie-backports', True),
                      pool.submit(self.packages, ('tools',), TESTING, 'testing', True),
                      pool.submit(self.packages, ('mesa25', 'chromium'), BOOKWORM, 'bookworm-backports')] + [source] * bool(source))
        if source:
            self.build_shims()
            self.finish('shims', source.result())
        self.layer_manifest()
        for part in ('mesa26', 'tools'):
            self.runner(part, '"$top/%s/usr/lib64/ld-linux-x86-64.so.2"' % part)
        for tool in ('glslangValidator', 'spirv-dis', 'spirv-opt', 'spirv-val'):
            self.write('bin/' + tool, TOOL % tool, 0o755)
        for part in ('mesa26', 'mesa25', 'chromium'):  # last: by them a device counts as set up
            self.manifests(part)

    def arm64(self):
        compiler = 'aarch64-linux-gnu-gcc'
        if not shutil.which(compiler):
            raise Failure('%s not found: install gcc-aarch64-linux-gnu and libc6-dev-arm64-cross; on Debian\'s amd64 ./setup.sh --ci does'
                          % compiler)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            wait_for([pool.submit(self.packages, ('qemu',), BOOKWORM, 'bookworm'),
                      pool.submit(self.packages, ('arm64',), TRIXIE, 'trixie-backports', True, 'arm64')])
        if not self.is_done('shims-arm64'):
            shims.build(self.path('mesa'), self.path('shims-arm64'), self.path('mesa25/usr/include'), ('panfrost',), compiler)
            self.finish('shims-arm64', self.done['shims'])
        self.runner('arm64', '"$top/qemu/usr/bin/qemu-aarch64-static" -L "$top/arm64" "$top/arm64/usr/lib/ld-linux-aarch64.so.1"')
        self.manifests('arm64')


def wait_for(jobs):
    """For all of them. What is wrong here is told before what the mirror lacks."""
    errors = [job.exception() for job in jobs if job.exception()]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, Unavailable))


def layer_properties(path):
    """Name and API version, as the layer itself tells."""
    class Properties(ctypes.Structure):
        _fields_ = [('name', ctypes.c_char * 256), ('api', ctypes.c_uint32), ('version', ctypes.c_uint32), ('text', ctypes.c_char * 256)]
    count, properties = ctypes.c_uint32(1), Properties()
    try:
        result = ctypes.CDLL(path).vkEnumerateInstanceLayerProperties(ctypes.byref(count), ctypes.byref(properties))
    except (OSError, AttributeError) as error:
        raise Failure('%s: %s' % (path, error))
    if result != 0 or count.value != 1:
        raise Failure('%s: vkEnumerateInstanceLayerProperties: VkResult %d, %d layers' % (path, result, count.value))
    return properties.name.decode(), '%d.%d.%d' % (properties.api >> 22 & 0x7f, properties.api >> 12 & 0x3ff, properties.api & 0xfff)


def main():
    parser = argparse.ArgumentParser(description='Sets up Vulkan drivers of many vendors, for compiling shaders without their GPUs.')
    parser.add_argument('folder', nargs='?', default='build/drivers')
    parser.add_argument('--arm64', action='store_true', help='also panvk for Mali, under qemu-user')
    parser.add_argument('--any-version', action='store_true', help='take whatever version the mirror has')
    arguments = parser.parse_args()
    try:
        setup = Setup(arguments.folder, arguments.any_version)
        setup.x86_64()
        if arguments.arm64:
            setup.arm64()
        setup.tell_others()
    except Failure as failure:
        disk = re.search(debian.DISK, str(failure))  # tar has a line for each file
        print('setup.py: %s' % ('%s: %s' % (arguments.folder, disk.group(0)) if disk else failure), file=sys.stderr)
        return 3 if isinstance(failure, Unavailable) else 1
    except OSError as error:
        print('setup.py: %s: %s' % (error.filename or arguments.folder, error.strerror or error), file=sys.stderr)
        return 1
    setup.say('ready: ' + setup.folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
