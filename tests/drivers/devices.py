"""The devices of build/drivers, and how a program is started on one of them. `tests/drivers/on.py` does it from a shell."""
import glob
import json
import os

FOLDER = 'build/drivers'
RUNNERS = ('mesa26', 'arm64')  # parts with a program of their own to start others: bin/run-PART
# lvp_icd.x86_64.json; newer packages of Mesa call it lvp_icd.json
SYSTEM_LAVAPIPE = (sorted(glob.glob('/usr/share/vulkan/icd.d/lvp_icd*.json')) or ['/usr/share/vulkan/icd.d/lvp_icd.json'])[0]


class Missing(Exception):
    """Its text says what must be set up."""


class Device:
    """title: for people. part: which folder of build/drivers the driver is of, '' for the system's. executes: work that is submitted runs;
    on the others, which have no GPU behind them, nothing may be submitted. unusable: how the reason begins for which the library does not
    use it, '' where it does."""

    def __init__(self, name, title, group, part, manifest, shim='', environment=None, executes=False, unusable=''):
        self.name, self.title, self.group, self.part, self.manifest, self.shim = name, title, group, part, manifest, shim
        self.variables, self.executes, self.unusable = environment or {}, executes, unusable

    def path(self, folder, *parts):
        return os.path.join(os.path.abspath(folder), *parts)

    def parts(self):
        """The parts that setup.py makes of which this device has something."""
        return [part for part in (self.part, self.shim and ('shims-arm64' if self.part == 'arm64' else 'shims')) if part]

    def manifest_path(self, folder=FOLDER):
        return self.manifest if self.manifest.startswith('/') else self.path(folder, 'icd', self.manifest)

    def check(self, folder=FOLDER):
        """Raises Missing where the device has not been set up."""
        needed = [self.manifest_path(folder)]
        needed += [self.path(folder, name) for part in self.parts() for name in (part, 'state/%s.json' % part)]
        if self.part in RUNNERS:
            needed += [path for path in self.command([], folder) if path.startswith('/')]
        path = next((path for path in needed if not os.path.exists(path)), '')
        if path:
            how = './setup.sh' if not self.part else 'tests/drivers/setup.py' + (' --arm64' if self.part == 'arm64' else '')
            raise Missing('%s: %s not found: run %s' % (self.name, path, how))

    def environment(self, folder=FOLDER):
        """What must be set; VK_ICD_FILENAMES is the older loaders' name."""
        path = self.manifest_path(folder)
        found = {'VK_DRIVER_FILES': path, 'VK_ICD_FILENAMES': path, 'MESA_SHADER_CACHE_DISABLE': '1', **self.variables}
        if self.part == 'mesa25':
            found['LD_LIBRARY_PATH'] = self.path(folder, 'mesa25/usr/lib/x86_64-linux-gnu')
        return found

    def command(self, program, folder=FOLDER):
        """program: a list. Mesa 26.1 needs a newer C library than Debian 12 has, so its programs start with the one it came with."""
        if self.part not in RUNNERS:
            return program
        run = [self.path(folder, 'bin/run-' + self.part)]
        if self.shim:
            run += ['--preload', self.path(folder, self.parts()[1], 'lib%s_noop_drm_shim.so' % self.shim)]
        return run + program


def table():
    def mesa26(group, manifest, shim, variable, rows, **more):
        return [Device(name, title, group, 'mesa26', 'mesa26-%s.json' % manifest, shim, {variable: value, **more})
                for name, title, value in rows]

    def amd(rows):
        return [(name, title, name) for name, title in rows]
    lanes = {'LP_NATIVE_VECTOR_WIDTH': os.environ.get('LP_NATIVE_VECTOR_WIDTH', '256')}  # the default depends on the processor
    found = [
        Device('lavapipe-22', 'lavapipe 22.3 (the system\'s)', 'software', '', SYSTEM_LAVAPIPE, environment=lanes, executes=True),
        Device('lavapipe-25', 'lavapipe 25.0', 'software', 'mesa25', 'mesa25-lvp.json', environment=lanes, executes=True),
        Device('lavapipe-26', 'lavapipe 26.1', 'software', 'mesa26', 'mesa26-lvp.json', environment=lanes, executes=True),
        Device('swiftshader', 'SwiftShader', 'software', 'chromium', 'swiftshader.json', executes=True),
    ]
    found += mesa26('AMD', 'radeon', 'amdgpu', 'AMDGPU_GPU_ID', amd([
        ('polaris10', 'Polaris 10 (GCN 4)'), ('vega10', 'Vega 10 (GCN 5)'), ('renoir', 'Renoir (GCN 5, integrated)'),
        ('navi10', 'Navi 10 (RDNA 1)'), ('navi21', 'Navi 21 (RDNA 2)'), ('navi31', 'Navi 31 (RDNA 3)'),
        ('gfx1150', 'GFX1150 (RDNA 3.5, integrated)'), ('gfx1201', 'GFX1201 (RDNA 4)')]))
    found += mesa26('Intel', 'intel', 'intel', 'INTEL_STUB_GPU_PLATFORM', amd([
        ('skl', 'Skylake'), ('icl', 'Ice Lake'), ('tgl', 'Tiger Lake'), ('dg2', 'DG2 (Xe HPG)'), ('mtl', 'Meteor Lake'),
        ('lnl', 'Lunar Lake (Xe2)'), ('bmg', 'Battlemage (Xe2)')]))
    found += mesa26('NVIDIA', 'nouveau', 'nouveau', 'NOUVEAU_CHIPSET', [
        ('maxwell', 'GM204 (Maxwell)', '124'), ('pascal', 'GP104 (Pascal)', '134'), ('volta', 'GV100 (Volta)', '140'),
        ('turing', 'TU102 (Turing)', '162'), ('ampere', 'GA102 (Ampere)', '172')])
    found += mesa26('Adreno', 'freedreno', 'freedreno', 'FD_GPU_ID', [
        ('a' + number, 'Adreno ' + number, number) for number in ('618', '630', '660', '730', '740', '750')])
    found += [Device(name, title, 'Mali', 'arm64', 'arm64-panfrost.json', 'panfrost',
                     {'PAN_GPU_ID': value, 'PAN_I_WANT_A_BROKEN_VULKAN_DRIVER': '1'}, unusable=unusable)
              for name, title, value, unusable in (('g52', 'Mali-G52 (Bifrost)', '7212', 'Vulkan 1.0 '),
                                                   ('g310', 'Mali-G310 (Valhall)', 'ac74', ''),
                                                   ('g610', 'Mali-G610 (Valhall)', 'a867', ''))]
    return found


def find(name):
    for device in table():
        if device.name == name:
            return device
    raise Missing('%s: no such device; there are %s' % (name, ', '.join(device.name for device in table())))


def versions(folder=FOLDER):
    """{part: {package: version}} for the parts that have been set up."""
    found = {}
    for path in glob.glob(os.path.join(glob.escape(folder), 'state', '*.json')):
        with open(path, encoding='utf-8') as file:
            found[os.path.basename(path)[:-len('.json')]] = json.load(file)['versions']
    return found
