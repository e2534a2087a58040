"""`scons drivers`: tests/drivers/compile, for arm64 too where that part of build/drivers is set up."""
import glob
import os

FOLDER = 'build/drivers'
CROSS = 'aarch64-linux-gnu-'


def missing(env):
    """What `scons drivers` cannot do without here, '' if nothing."""
    if os.path.isdir(FOLDER + '/arm64') and not env.WhereIs(CROSS + 'gcc'):
        return ('%sgcc not found, for the arm64 part of %s: ./setup.sh --ci installs gcc-aarch64-linux-gnu on Debian\'s amd64; '
                'elsewhere install it and libc6-dev-arm64-cross by hand' % (CROSS, FOLDER))
    return ''


def arm64_program(env, sources):
    """tests/drivers/compile for arm64, nothing where it is not wanted. The headers of Vulkan and volk are the same for every processor."""
    if not os.path.isdir(FOLDER + '/arm64') or not env.WhereIs(CROSS + 'gcc'):
        return []
    cross = env.Clone(CC=CROSS + 'gcc', LINK=CROSS + 'gcc')
    cross.Append(CCFLAGS=['-idirafter', '/usr/include'])
    here = FOLDER + '/program-arm64/'
    nodes = [cross.Object(here + 'obj/' + os.path.splitext(path)[0] + '.o', path) for path in sources]
    return cross.Program(here + 'compile', nodes, LIBS=['m', 'dl'])


def sources(c_files, kernels):
    """The program's, and those of the libraries that it is linked with. c_files: SConstruct's, of what a folder has for this system."""
    folders = ('src/base', 'src/vulkan', 'src/domain', 'src/objects', 'src/device', 'tests/drivers')
    return c_files(*folders) + [str(node) for node in kernels]


def other_shaders(gen):
    """SPIR-V of the tools, the samples and the benchmark, as shaders.add_program_shaders names it. Not the products of matrices: the
    constants that they have by default are the shapes of few devices, and drivers crash on other shapes than they list."""
    paths = sorted(path for pattern in ('src/tools/*/*.comp', 'samples/*/*.comp', 'bench/*.comp') for path in glob.glob(pattern)
                   if not path.startswith('bench/matrix_'))
    return ['%s/%s/%s_%s.spv' % (gen, folder, os.path.basename(folder), os.path.splitext(name)[0])
            for folder, name in map(os.path.split, paths)]


def command(env, python, program, shaders):
    """What compiles everything and compares with the page."""
    return ([python, 'tests/drivers/table.py', '--program', str(program), '--glslang', env['GLSLANG'], '--spirv-opt', env['SPIRV_OPT']]
            + ['--update'] * bool(env['update']) + ['--only=' + name for name in env['only'].split(',') if name] + shaders)
