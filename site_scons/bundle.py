"""`scons bundle`: a folder for a machine with a GPU, which needs nothing there but the C library and a Vulkan loader with its driver.
bench/bundle/run.sh, which goes along, checks and measures there."""
import glob
import os
import platform
import re
import shutil
import subprocess

MOST_BYTES = 50000000
NEWEST_GLIBC = (2, 34)  # of Debian 12, Ubuntu 22.04, Fedora 35 and all that came after
OF_GLIBC = ('libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1', 'ld-linux-x86-64.so.2')
# Of tests/check: those whose outcome depends on the device.
CHECKS = ('calibrate', 'continuity', 'cooperative', 'cooperative_properties', 'denormals', 'layer', 'masked', 'nonfinite', 'properties',
          'route', 'stages', 'tiers', 'totals')
# Where files go. Models keep their names, but for the digits', which are called as the classifiers' are.
FILES = [('golden', 'tests/golden/*.safetensors'), ('models', 'tests/vision/check_*.safetensors'),
         ('models', 'tests/vision/gmoe_*.safetensors'), ('', 'bench/bundle/run.sh'), ('', 'LICENSE')]
RENAMED = {'models/digits.safetensors': 'samples/digits/model.safetensors',
           'models/digits-images.safetensors': 'samples/digits/digits.safetensors'}


def possible(system, sanitizers):
    """Whether this build's programs are what a bundle is made of."""
    return system.system == 'linux' and not system.cross and not sanitizers and platform.machine() == 'x86_64'


def refusal(system, sanitizers, left_out):
    """Why a bundle that is asked for by name cannot be, '' if it can. left_out: kernels that the shader tools are too old for."""
    if not possible(system, sanitizers):
        return 'is made on Linux on x86-64, without cross= and sanitize='
    return '%s not in this build: run tests/drivers/setup.py, which gets newer shader tools' % ', '.join(left_out) if left_out else ''


# ---- what a program needs

class Needs:
    """libraries: names; versions: those of symbols, as GLIBC_2.34, by library."""

    def __init__(self, path):
        text = subprocess.run(['objdump', '-p', path], stdout=subprocess.PIPE, check=True, encoding='utf-8').stdout
        self.libraries = re.findall(r'^ +NEEDED +(\S+)', text, re.MULTILINE)
        references = text.partition('Version References:')[2]
        self.versions = {library: re.findall(r'0x\w+ 0x\w+ \d+ (\S+)', rows)
                         for library, rows in re.findall(r'required from (\S+):\n((?: +0x.*\n)+)', references)}


def is_old_enough(version):
    numbers = re.match(r'^GLIBC_(\d+(?:\.\d+)+)$', version)
    return bool(numbers) and tuple(map(int, numbers.group(1).split('.'))) <= NEWEST_GLIBC


def wrong_of(path, beside):
    """What one program or library needs and may not. beside: names of libraries that come along."""
    needs = Needs(path)
    for library in needs.libraries:
        if library not in OF_GLIBC and library not in beside:
            yield 'needs %s' % library
    for library, versions in needs.versions.items():
        for version in versions:
            if library in OF_GLIBC and not is_old_enough(version):
                yield 'needs %s of %s: build on Debian 12 or Ubuntu 22.04' % (version, library)


def files_of(folder):
    return sorted(os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)


def wrong(folder):
    """What a bundle breaks of its promises, a line each."""
    beside = os.listdir(folder + '/lib')
    for path in files_of(folder):
        with open(path, 'rb') as file:
            if file.read(4) != b'\x7fELF':
                continue
        for reason in wrong_of(path, beside):
            yield '%s %s' % (os.path.relpath(path, folder), reason)
    size = sum(map(os.path.getsize, files_of(folder)))
    if size >= MOST_BYTES:
        yield 'has %d bytes, and may have %d' % (size, MOST_BYTES - 1)


# ---- packing

def other_libraries(program):
    """Paths of the libraries that a program is linked with, besides the C library's."""
    text = subprocess.run(['ldd', program], stdout=subprocess.PIPE, check=True, encoding='utf-8').stdout
    return [path for name, path in re.findall(r'^\s*(\S+) => (/\S+)', text, re.MULTILINE) if name not in OF_GLIBC]


def about(env):
    """The line that a summary begins with."""
    glslang = subprocess.run([env['GLSLANG'], '--version'], stdout=subprocess.PIPE, check=True, encoding='utf-8').stdout
    found = re.search(r'(\d+\.\d+\.\d+)', glslang)
    return '%s; glslang %s, kernels left out: %s\n' % (env['BUNDLE_SMOE'], found.group(1) if found else 'of no known version',
                                                       ', '.join(env['BUNDLE_LEFT_OUT']) or 'none')


def pack(target, source, env):
    folder = os.path.dirname(target[0].abspath)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder + '/lib')
    for place, path in env['BUNDLE_FILES']:
        to = os.path.join(folder, place)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if place.startswith(('bin/', 'check/')):
            subprocess.run(['strip', '-o', to, path], check=True)
            for library in other_libraries(path):
                shutil.copy(library, folder + '/lib')
        else:
            shutil.copy(path, to)
    with open(target[0].abspath, 'w', encoding='utf-8') as file:  # last: it is what the build knows the folder by
        file.write(about(env))


def add(env, build, version, commit, left_out, programs, tests, spirv):
    """Adds the folder, by the file about.txt in it, and gives that. left_out: as above; programs: nodes of the tools; tests: nodes of all
    test programs; spirv: paths of the programs' own shaders."""
    checks = ['%s/tests/check/test_%s' % (build, name) for name in CHECKS] + [build + '/tests/drivers/compile']
    files = [('bin/' + os.path.basename(str(node)), str(node)) for node in programs]
    files += [('check/' + os.path.basename(str(node)), str(node)) for node in tests if str(node) in checks]
    files += [('shaders/' + os.path.basename(path), path) for path in spirv]
    files += [(os.path.join(place, os.path.basename(path)), path) for place, pattern in FILES for path in sorted(glob.glob(pattern))]
    files += sorted((place, path) for place, path in RENAMED.items() if os.path.exists(path))
    here = env.Clone(BUNDLE_FILES=files, BUNDLE_SMOE='smoe %s, commit %s' % (version, commit or 'unknown'), BUNDLE_LEFT_OUT=left_out)
    node = here.Command(build + '/bundle/about.txt', [path for _, path in files],
                        here.Action(pack, 'packing ' + build + '/bundle', varlist=['BUNDLE_FILES', 'BUNDLE_SMOE', 'BUNDLE_LEFT_OUT']))
    env.Clean(node, build + '/bundle')
    return node


def say(target, source, env):
    """What `scons bundle` ends with."""
    folder = os.path.dirname(str(source[0]))
    problems = list(wrong(folder))
    print('\n'.join('%s: %s' % (folder, problem) for problem in problems)
          or '%s has %.1f MB: take it to a machine with a GPU, and run run.sh there'
          % (folder, sum(map(os.path.getsize, files_of(folder))) / 1e6))
    return len(problems)
