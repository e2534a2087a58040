"""What the build promises: shaders follow their includes and nothing else, kernels for newer compilers are left out aloud, wrong
options and targets are errors. Runs scons in a copy of the project."""
import glob
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

SHADERS = 'build/gen/smoe_spirv.h'  # built last of all that is made of shaders


class Copy:
    """A copy of the project's sources; with of=COPY, of that one with what scons has built there."""

    def __init__(self, of=None):
        self.folder = tempfile.TemporaryDirectory()
        if of:
            shutil.copytree(of.folder.name, self.folder.name, dirs_exist_ok=True)
            self.left_out = of.left_out
            return
        for name in ('include', 'shaders', 'site_scons', 'src'):
            shutil.copytree(name, self.path(name), ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy('SConstruct', self.path('SConstruct'))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def read(self, name):
        with open(self.path(name), encoding='utf-8') as file:
            return file.read()

    def append(self, name, text):
        with open(self.path(name), 'a', encoding='utf-8') as file:
            file.write(text)

    def scons(self, *arguments, status=0):
        return tap.command('scons', '-C', self.folder.name, 'cc=' + tap.CC, *arguments, status=status)

    def compiled(self, *options):
        """The kernels that scons compiles now, or with -n would compile."""
        output = self.scons(*options, SHADERS)
        self.left_out = set(re.findall(r'^kernel (\w+) is left out: ', output, re.MULTILINE))
        return set(re.findall(r'^compiling \S+ to (\w+)$', output, re.MULTILINE))

    def users(self, include):
        """The kernels whose source includes a file, by a reading of the sources that is not the build's; but for those left out."""
        def includes(path):
            return any(name == include or (os.path.exists(self.path('shaders/common/' + name)) and includes('shaders/common/' + name))
                       for name in re.findall(r'#include "([^"]+)"', self.read(path)))
        rows = re.findall(r'^SMOE_KERNEL\(\s*(\w+)\s*,\s*"([^"]+)"', self.read('src/domain/kernel_table.inc'), re.MULTILINE)
        return {name for name, source in rows if includes('shaders/' + source)} - self.left_out


@tap.once
def built():
    """A copy for the tests that begin with everything built, and its kernels."""
    copy = Copy()
    return copy, copy.compiled()


def touched_include_compiles_its_users_alone():
    original, everything = built()
    with Copy(original) as copy:
        assert everything and not copy.compiled(), 'a second scons compiled again'
        several = 0
        for include in sorted(os.listdir('shaders/common')):
            users = copy.users(include)
            several += len(users) not in (0, len(everything))
            before = os.path.getmtime(copy.path('shaders/common/' + include))
            os.utime(copy.path('shaders/common/' + include), (before + 10, before + 10))
            compiled = copy.compiled('-n')
            os.utime(copy.path('shaders/common/' + include), (before, before))
            assert compiled == users, '%s: compiled %s, its users are %s' % (include, sorted(compiled), sorted(users))
        assert several, 'every include is used by all kernels or by none: this has shown nothing'


def touched_shader_compiles_alone():
    with Copy(built()[0]) as copy:
        copy.append('shaders/sort.comp', '// changed\n')
        assert copy.compiled() == {'sort'}


def kernel_for_a_newer_compiler_is_left_out():
    with Copy(built()[0]) as copy:
        copy.append('src/domain/kernel_table.inc',
                    'SMOE_KERNEL(future, "sort.comp", "", 0, "GL_SMOE_no_such_extension")\n'
                    'SMOE_KERNEL(present, "sort.comp", "", 0, "GL_KHR_shader_subgroup_arithmetic")\n')
        output = copy.scons(SHADERS)
        left_out = [line for line in output.splitlines() if ' is left out: ' in line and 'SMOE' in line]
        assert len(left_out) == 1 and left_out[0].startswith('kernel future '), output
        header = copy.read(SHADERS)
        assert '#define smoe_spirv_future ((const uint32_t *)NULL)' in header and 'smoe_spirv_future_size = 0' in header
        assert 'extern const uint32_t smoe_spirv_present[];' in header and 'smoe_spirv_present_size = 0' not in header


def compiler_that_knows_but_the_name_is_found_out():
    """Cooperative matrices are tried, not asked for: here a compiler takes the extensions' names and knows nothing behind them."""
    with Copy() as copy:
        shutil.copytree('bench', copy.path('bench'))
        tool = copy.path('tools/glslangValidator')
        os.mkdir(copy.path('tools'))
        with open(tool, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\n'
                       'for source; do :; done\n'
                       'case $source in *probe.comp) grep -v "^#extension" "$source" >"$source.new"; mv "$source.new" "$source";; esac\n'
                       'exec %s "$@"\n' % shutil.which('glslangValidator'))
        os.chmod(tool, 0o755)
        output = copy.scons('shader_tools=' + copy.path('tools'), SHADERS)
        left_out = re.findall(r'^kernel (\w+) is left out: (\S+) does not know (\w+)$', output, re.MULTILINE)
        stages = ['expert_up_cooperative', 'expert_up_cooperative_bfloat16', 'expert_down_cooperative', 'expert_down_cooperative_bfloat16']
        features = ['GL_KHR_cooperative_matrix', 'GL_EXT_bfloat16'] * 2
        assert left_out == [(stage, tool, feature) for stage, feature in zip(stages, features)], output
        shaders = re.findall(r'^shader (\w+) is left out: (\S+) does not know \w+$', output, re.MULTILINE)
        names = ['bench_' + os.path.basename(path)[:-len('.comp')] for path in sorted(glob.glob('bench/matrix_*.comp'))]
        assert shaders == [(name, tool) for name in names] and names, output
        header = 'build/gen/bench/bench_matrix_float16_float32.h'
        copy.scons('shader_tools=' + copy.path('tools'), header)
        assert 'static const uint32_t bench_matrix_float16_float32_spirv[] = {0};' in copy.read(header), header


def broken_shader_fails():
    with Copy(built()[0]) as copy:
        copy.append('shaders/sort.comp', 'no glsl\n')
        copy.scons(SHADERS, status=2)


def unknown_options_and_targets_are_errors():
    with Copy() as copy:
        for wrong in ('no_such_option=1', 'no_such_target', 'README.md', 'src', 'mode=fast', 'sanitize=adress', 'werror=perhaps',
                      '--no-such-flag'):
            copy.scons(wrong, status=2)


def help_names_every_option():
    with Copy() as copy:
        text = copy.scons('-h')
        options = re.findall(r"^    (?:\w+Variable)?\('(\w+)'", copy.read('SConstruct'), re.MULTILINE)
        assert len(options) > 5, options
        for name in [option + '=' for option in options] + ['test', 'demo', 'install', 'bench']:
            assert name in text, '%s is not in scons -h' % name


def fuzz_without_clang_says_what_to_install():
    with Copy() as copy, tempfile.TemporaryDirectory() as folder:
        for name in ('gcc', 'glslangValidator', 'spirv-opt', 'spirv-val'):
            os.symlink(shutil.which(name), '%s/%s' % (folder, name))
        output = tap.command(shutil.which('scons'), '-C', copy.folder.name, 'fuzz', status=2, env={'PATH': folder})
        assert 'fuzz: clang not found: ./setup.sh --ci installs' in output, output


def a_window_without_glfw_is_left_out():
    with Copy() as copy:
        nowhere = {'PKG_CONFIG_LIBDIR': copy.path('nowhere'), 'PKG_CONFIG_PATH': ''}
        why = 'GLFW (pkg-config glfw3) not found: ./setup.sh names its package'
        output = tap.command('scons', '-C', copy.folder.name, SHADERS, env=nowhere)
        assert output.count('smoe-window is left out: %s\n' % why) == 1, output
        assert 'window: %s\n' % why in tap.command('scons', '-C', copy.folder.name, 'window', status=2, env=nowhere)


tap.run([touched_include_compiles_its_users_alone, touched_shader_compiles_alone, kernel_for_a_newer_compiler_is_left_out,
         compiler_that_knows_but_the_name_is_found_out, broken_shader_fails, unknown_options_and_targets_are_errors,
         help_names_every_option, fuzz_without_clang_says_what_to_install,
         a_window_without_glfw_is_left_out])
