"""What runs under what: the environments of the tests, and the drivers that they run on."""
import glob
import os
import shlex
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT + '/tests/drivers')
import devices  # noqa: E402
from devices import Missing  # noqa: E402

# Lavapipe's vectors of 128, 256 and 512 bits are subgroups of 4, 8 and 16.
WIDTHS = [{'LP_NATIVE_VECTOR_WIDTH': width} for width in ('128', '256', '512')]
# Where the newest validation layer is wrong: the dispatches of a layer's ranges of experts write rows of their own, in turns, of one buffer
# (src/objects/forward.c), and the layer judges by what their descriptors cover. The tests with such layers go without these messages.
RANGES = {'VK_LAYER_MESSAGE_ID_FILTER': 'SYNC-HAZARD-WRITE-AFTER-WRITE'}
WITH_RANGES = ('tests/check/test_large.c', 'tests/check/test_tiers.c')
RANGES_NOTE = ('note: VK_LAYER_MESSAGE_ID_FILTER: ranges of experts write rows of their own side by side, which the validation layer takes '
               'for write-after-write hazards')

# The same at every subgroup size: what one run shows, more would not. test_layer has a part of test_stages' table. Lavapipe 26.1 has
# cooperative matrices at 8 lanes alone.
ONE_WIDTH = {'tests/check/test_%s.c' % name: WIDTHS[1:2]
             for name in ('arguments', 'arguments_device', 'arguments_forward', 'barriers', 'cooperative', 'cooperative_properties',
                          'lanes', 'layer', 'recording', 'threads', 'tuning')}
CHECK = {'tests/check': WIDTHS, **ONE_WIDTH,
         'tests/check/test_tiers.c': WIDTHS[::2],  # the tiles of GPUs, at the two ends
         # Compiles for minutes. What is left without capabilities knows no subgroups. What is left where one is masked does, and kernels
         # that nothing else chooses are run at 4 lanes alone.
         'tests/check/test_masked.c': WIDTHS[:1]}
ON_DEVICE = ['tests/' + name for name in ('analyze', 'checkpoint', 'devices', 'embed', 'golden', 'samples', 'vision')]
# What runs under what: the environments of each test of a folder, or of one test, one after another. The longest name wins; what is not
# named does not run. By driver; '' is the system's, `sanitize` the same in a build with sanitizers.
VARIANTS = {
    '': {'tests': [{}], **CHECK, 'tests/vision/test_check.py': WIDTHS, 'tests/cross': []},
    # The sanitizers see the library's code and not the shaders': one width, and of the table what test_layer has. Nothing new in the rest.
    'sanitize': {'tests': [{}], **{path: [] for path in (
        'tests/build', 'tests/cross', 'tests/drivers', 'tests/headers', 'tests/style', 'tests/symbols/test_symbols.py',
        'tests/check/test_masked.c', 'tests/check/test_stages.c')}},
    'lavapipe-22': {**{path: WIDTHS for path in ON_DEVICE}, **CHECK},
    'lavapipe-26': {**{path: WIDTHS for path in ON_DEVICE}, **CHECK},
    'swiftshader': {**{path: [{}] for path in ON_DEVICE + ['tests/check']}, 'tests/check/test_layer.c': []},
}
# No device, or not for its sake: what test_refusals runs ends in a refusal, and test_report_browser is about how a page looks in a browser,
# which test_report and test_report_files have the device make.
for driver in ('lavapipe-22', 'lavapipe-26', 'swiftshader'):
    VARIANTS[driver].update({'tests/' + path: [] for path in (
        'devices/test_capability_file.c', 'devices/test_kernels.c', 'devices/test_selection_page.c', 'golden/test_refusals.py',
        'vision/test_report_browser.py')})
DRIVERS = [kind for kind in VARIANTS if kind not in ('', 'sanitize')]
# With --brief, as CI runs them: the folders whose outcome hangs on the driver most, at SwiftShader's subgroups of 4 and one width on each
# lavapipe: the newer one's has cooperative matrices. Samples, checkpoints and analyses are the same kernels again, as are those that the
# library's threads record. The system's tests have run all of it on lavapipe 22.3: the newest layer sees the kernels there, and no more.
KERNELS, PROGRAMS, FILES = ('tests/check/',), ('tests/devices/', 'tests/embed/'), ('tests/golden/',)
BRIEF = {'swiftshader': (None, KERNELS + PROGRAMS), 'lavapipe-22': ('512', KERNELS), 'lavapipe-26': ('256', KERNELS + PROGRAMS + FILES)}
BRIEF_WIDTH = {('lavapipe-26', 'tests/check/test_tiers.c'): '128'}  # not at 256; the tiers are for every driver
NOT_BRIEF = ('tests/check/test_layer.c', 'tests/check/test_threads.c')  # the former is a part of test_stages
# The longest come first, that none is left for the end. Their shaders are the others' too, and are in the cache then.
FIRST = ['tests/check/test_%s.c' % name for name in ('stages', 'cooperative', 'tiers', 'masked')]


def find(path, kind, brief=False):
    """The environments of a test; kind: one of VARIANTS."""
    table = VARIANTS[kind]
    names = [name for name in table if path == name or path.startswith(name + '/')]
    found = table[max(names, key=len)] if names else []
    if brief:
        width, folders = BRIEF[kind]
        width = BRIEF_WIDTH.get((kind, path), width)
        chosen = path.startswith(folders) and path not in NOT_BRIEF
        found = [variant for variant in found if chosen and variant.get('LP_NATIVE_VECTOR_WIDTH') == width]
    return [{**variant, **RANGES} for variant in found] if kind in DRIVERS and path in WITH_RANGES else found


def note(variant):
    return RANGES_NOTE if RANGES.items() <= variant.items() else ''


def order(path):
    return FIRST.index(path) if path in FIRST else len(FIRST), path


def with_shader_cache(environment):
    """Mesa's cache of machine code, one for all configurations of the build, so that those with sanitizers find what others compiled.
    Mesa 22.3's knows shaders apart by their instructions and not by the width of the vectors: each width gets a cache of its own."""
    environment.setdefault('LP_NATIVE_VECTOR_WIDTH', '256')  # what lavapipe itself chooses where there is AVX2
    folder = environment.get('MESA_SHADER_CACHE_DIR', ROOT + '/build/shader_cache')  # where there is one, inside it
    environment['MESA_SHADER_CACHE_DIR'] = '%s/%s' % (folder, environment['LP_NATIVE_VECTOR_WIDTH'])
    os.makedirs(environment['MESA_SHADER_CACHE_DIR'], exist_ok=True)  # of its parents Mesa makes none, and goes without a cache
    return environment


class System:
    """The system's drivers and validation layer."""

    def __init__(self, build):
        self.build = build

    def command(self, program):
        return program

    def environment(self):
        return {'SMOE_BUILD': self.build}


class Driver:
    """A driver of tests/drivers, under the newest validation layer."""
    LAYERS = os.path.join(ROOT, devices.FOLDER, 'layers')

    def __init__(self, name, build):
        self.device, self.build = devices.find(name), build
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

    def write_scripts(self, build):
        """Where programs cannot start by themselves, tests find scripts in their places, in a build folder made of those."""
        os.makedirs(self.build + '/bin', exist_ok=True)
        new = '%s/%d' % (self.build, os.getpid())  # put in place whole: the tests of another run may be starting the old one
        os.symlink(build + '/lib', new)
        os.replace(new, self.build + '/lib')
        for path in glob.glob(build + '/bin/*'):
            script = self.build + path[len(build):]
            with open(new, 'w', encoding='utf-8') as file:
                file.write('#!/bin/sh\nexec %s "$@"\n' % ' '.join(map(shlex.quote, self.command([path]))))
            os.chmod(new, 0o755)
            os.replace(new, script)


def find_driver(name, build, sanitize):
    if not name:
        return System(build)
    if name not in DRIVERS:
        raise Missing('--driver %s: must be one of %s' % (name, ', '.join(DRIVERS)))
    if sanitize:
        raise Missing('--driver %s: must be of a build without sanitizers' % name)
    return Driver(name, build)
