"""What a build is for: the system that it runs on, or with cross=TRIPLE another one. tests/cross/README.md has more."""
import os
import sys

from SCons.Script import Action, Exit

CROSS = {'x86_64-w64-mingw32': 'windows', 'aarch64-linux-gnu': 'linux'}


class Target:
    """system: linux, darwin or windows; runner: what runs a program of the target here, [] where it runs by itself."""

    def __init__(self, env):
        self.cross = env['cross']
        here = {'darwin': 'darwin', 'win32': 'windows', 'cygwin': 'windows', 'msys': 'windows'}.get(sys.platform, 'linux')
        self.system = CROSS[self.cross] if self.cross else here
        self.windows, self.darwin = self.system == 'windows', self.system == 'darwin'
        self.program_suffix = '.exe' if self.windows else ''
        self.compiler = self.cross + '-gcc' if self.cross and env['cc'] == 'gcc' else env['cc']
        self.runner = ['tests/cross/run', self.cross] if self.cross else []
        self.has_drivers = not self.cross and not self.windows  # tests/drivers: programs that Linux's drivers are loaded into
        self.folder = 'build/cross/' + self.cross
        if self.cross and not os.path.isdir(self.folder):
            print('%s not found: run tests/cross/setup.sh %s' % (self.folder, self.cross))
            Exit(2)

    def configuration(self):
        """What a build for this target has in its folder's name."""
        default = self.cross + '-gcc' if self.cross else 'gcc'
        compiler = os.path.basename(self.compiler)
        return [self.cross] * bool(self.cross) + [compiler] * (compiler != default)

    def configure(self, env):
        """Compiler, its flags for this system, and names."""
        env.Replace(CC=self.compiler, PROGSUFFIX=self.program_suffix)
        if self.cross:
            env.Replace(AR=self.cross + '-ar', RANLIB=self.cross + '-ranlib')
            env.Append(CCFLAGS=['-isystem', self.folder + '/include'], LIBPATH=[self.folder + '/lib'])
            if not self.windows:  # libraries that the libraries need are there too
                env.Append(LINKFLAGS=['-Wl,-rpath-link,' + self.folder + '/lib'])
        env.Append(LINKFLAGS=['-Wl,-dead_strip'] if self.darwin else ['-Wl,--as-needed', '-Wl,--gc-sections'])
        if self.windows:
            # No libgcc or libwinpthread beside each program. isfinite() of mingw-w64 converts to float, and its gcc takes the printf
            # of an attribute for Microsoft's old one; the builds for other systems see to both.
            env.Append(LINKFLAGS=['-static'], CCFLAGS=['-D_FILE_OFFSET_BITS=64', '-Wno-float-conversion', '-Wno-format',
                                                       '-Wno-format-extra-args'])

    def resource(self, env, target, sources):
        """What Windows reads from a program before it runs: an object for the linker, made from sources[0]; elsewhere nothing."""
        windres = self.cross + '-windres' if self.cross else 'windres'
        return env.Command(target, sources, Action('%s $SOURCE -O coff -o $TARGET' % windres, 'compiling $SOURCE')) if self.windows else []

    def test_runner(self):
        """What the tests run within: one screen for all that wine runs, which tests/cross/run would else make for each program."""
        return ['xvfb-run', '--auto-servernum'] if self.windows and self.cross and not os.environ.get('DISPLAY') else []

    def libraries(self, *names):
        """Names of the C library's own libraries, without those that this system has in one piece. threads: what the libraries' own
        are from; Windows has its own, and pthread there is a library of programs."""
        missing = {'darwin': ['dl'], 'windows': ['dl', 'm', 'threads']}.get(self.system, [])
        return ['pthread' if name == 'threads' else name for name in names if name not in missing]
