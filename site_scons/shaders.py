"""Kernels: GLSL -> glslang -> spirv-opt -> spirv-val -> C, one row of src/domain/kernel_table.inc at a time."""
import glob
import os
import re
import subprocess
import tempfile

from SCons.Script import Action, Exit

ROW = re.compile(r'^SMOE_KERNEL\(\s*(\w+)\s*,\s*"([^"]*)"\s*,\s*"([^"]*)"\s*,\s*([^",]+?)\s*,\s*"([^"]*)"\s*\)\s*?$', re.MULTILINE)
EXTENSION = re.compile(r'^[ \t]*#[ \t]*extension[ \t]+(\w+)', re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]', re.MULTILINE)
TARGET_ENV = 'vulkan1.1'  # SPIR-V 1.3; a row's extra arguments may ask for another


class Kernel:
    def __init__(self, name, source, arguments, capabilities, feature):
        self.name, self.source, self.arguments, self.feature = name, source, arguments.split(), feature
        self.target_env = TARGET_ENV
        if '--target-env' in self.arguments:
            at = self.arguments.index('--target-env')
            self.target_env = self.arguments[at + 1]
            del self.arguments[at:at + 2]


def tools_version(env):
    """What glslang calls itself, "" where it does not."""
    run = subprocess.run([env['GLSLANG'], '--version'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    found = re.search(r'Glslang Version: *(?:\d+:)?([\w.-]+)', run.stdout)
    return 'glslang ' + found.group(1) if found else ''


def read_table(path):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    kernels, rows = [], set()
    for match in ROW.finditer(text):
        kernels.append(Kernel(*match.groups()))
        rows.add(match.start())
    for match in re.finditer(r'^SMOE_KERNEL', text, re.MULTILINE):
        if match.start() not in rows:
            print('%s:%d: not a row: SMOE_KERNEL(name, "source", "arguments", capabilities, "feature")'
                  % (path, text.count('\n', 0, match.start()) + 1))
            Exit(2)
    names = [kernel.name for kernel in kernels]
    for name in names:
        if names.count(name) > 1:
            print('%s: kernel %s is listed twice' % (path, name))
            Exit(2)
    return kernels


MATRIX = '''
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
layout(constant_id = 0) const uint SIDE = 8;
shared uvec4 tile[64];
void main() {
    coopmat<%s, gl_ScopeSubgroup, SIDE, SIDE, gl_MatrixUseA> a;
    coopMatLoad(a, tile, 0, 1, gl_CooperativeMatrixLayoutRowMajor);
    coopMatStore(a, tile, 8, 1, gl_CooperativeMatrixLayoutRowMajor);
}
'''
# What a probe does with a feature: a tool that takes the extension's name may yet not know its instructions. Others: nothing.
PROBES = {'GL_KHR_cooperative_matrix': MATRIX % 'float16_t', 'GL_EXT_bfloat16': MATRIX % 'bfloat16_t'}


def missing_feature(env, feature, target_env):
    """Why this build's shader tools cannot make what needs a feature; empty if they can."""
    with tempfile.TemporaryDirectory() as folder:
        source, spirv, small = (os.path.join(folder, 'probe.' + suffix) for suffix in ('comp', 'spv', 'opt.spv'))
        with open(source, 'w', encoding='utf-8') as file:
            file.write('#version 450\n#extension %s : require\nlayout(local_size_x = 8) in;\n%s'
                       % (feature, PROBES.get(feature, 'void main() {}\n')))
        for command in ([env['GLSLANG'], '-V', '--target-env', target_env, '-o', spirv, source],
                        [env['SPIRV_OPT'], '--target-env=' + target_env, '-O', spirv, '-o', small],
                        [env['SPIRV_VAL'], '--target-env', target_env, small]):
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
            if run.returncode != 0:
                return '%s does not know %s' % (command[0], feature)
    return ''


def includes_of(path, search, found):
    """Every file that a shader includes, however deep. Conditional includes count: a rebuild too many is harmless."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    for name in INCLUDE.findall(text):
        for folder in [os.path.dirname(path)] + search:
            candidate = os.path.normpath(os.path.join(folder, name))
            if os.path.isfile(candidate):
                if candidate not in found:
                    found.append(candidate)
                    includes_of(candidate, search, found)
                break
    return found


SEARCH = ['shaders/common', 'shaders', 'include']


def add_spirv(base, path, stem, name, arguments=(), target_env=TARGET_ENV):
    """Adds stem.spv, made from the shader at path, and gives its node."""
    env = base.Clone(TARGET_ENV=target_env, SHADER_ARGUMENTS=list(arguments) + ['-I' + folder for folder in SEARCH])
    # By time stamp, as make does: touching an include compiles its users again. What they give is compared by content, so a
    # change that leaves the SPIR-V alone goes no further.
    env.Decider('timestamp-match')
    steps = ['$GLSLANG -V --quiet --target-env $TARGET_ENV $SHADER_ARGUMENTS -e main -o ${TARGETS[1]} $SOURCE',
             '$SPIRV_OPT --target-env=$TARGET_ENV -O ${TARGETS[1]} -o $TARGET',
             '$SPIRV_VAL --target-env $TARGET_ENV $TARGET']
    if not env['verbose']:
        steps = [Action(steps[0], 'compiling $SOURCE to ' + name)] + [Action(step, None) for step in steps[1:]]
    blob = env.Command([stem + '.spv', stem + '.raw.spv'], path, steps)[0]
    env.Depends(blob, includes_of(path, SEARCH, []))
    return blob


def write_array(target, source, env):
    with open(source[0].abspath, 'rb') as file:
        data = file.read()
    words = [int.from_bytes(data[at:at + 4], 'little') for at in range(0, len(data), 4)]
    with open(target[0].abspath, 'w', encoding='utf-8') as file:
        file.write(env['ARRAY_HEAD'] + ' = {\n')
        for at in range(0, len(words), 10):
            file.write('    ' + ' '.join('0x%08x,' % word for word in words[at:at + 10]) + '\n')
        file.write('};\n')


def add_array(base, target, blob, head):
    """Adds a C file that is `head = { words of the SPIR-V };`."""
    return base.Clone(ARRAY_HEAD=head).Command(target, blob, Action(write_array, 'embedding $TARGET', varlist=['ARRAY_HEAD']))


def features_of(path):
    """The features among PROBES that a shader asks for, in what it includes too."""
    features = set()
    for part in [path] + includes_of(path, SEARCH, []):
        with open(part, encoding='utf-8') as file:
            features.update(EXTENSION.findall(file.read()))
    return sorted(features & set(PROBES))


def write_nothing(target, source, env):
    with open(target[0].abspath, 'w', encoding='utf-8') as file:
        file.write(env['ARRAY_HEAD'] + ' = {0}; /* the shader tools of this build are too old */\n')


def add_program_shaders(env, folder, gen):
    """For FOLDER/NAME/SHADER.comp of a sample, the benchmark or a test: NAME_SHADER.h, which holds
    `static const uint32_t NAME_SHADER_spirv[]`, a single 0 where the shader tools are too old; for SHADER.vert and SHADER.frag
    NAME_SHADER_vert.h and NAME_SHADER_frag.h. Gives the folder to include it from."""
    here = '%s/%s' % (gen, folder)
    missing = {}
    for path in sorted(path for stage in ('comp', 'vert', 'frag') for path in glob.glob('%s/*.%s' % (folder, stage))):
        shader, stage = os.path.basename(path).rsplit('.', 1)
        name = '_'.join([os.path.basename(folder), shader] + [stage] * (stage != 'comp'))
        head = '#include <stdint.h>\n\nstatic const uint32_t %s_spirv[]' % name
        for feature in features_of(path):
            if feature not in missing:
                missing[feature] = missing_feature(env, feature, TARGET_ENV)
        reasons = [missing[feature] for feature in features_of(path) if missing[feature]]
        if reasons:
            print('shader %s is left out: %s' % (name, reasons[0]))
            env.Clone(ARRAY_HEAD=head).Command('%s/%s.h' % (here, name), env.Value('left out'),
                                               Action(write_nothing, 'writing $TARGET', varlist=['ARRAY_HEAD']))
            continue
        blob = add_spirv(env, path, '%s/%s' % (here, name), name)
        add_array(env, '%s/%s.h' % (here, name), blob, head)
    return here


def write_header(target, source, env):
    """smoe_spirv_NAME and smoe_spirv_NAME_size (bytes, a constant expression) for every row; NULL and 0 for those left out."""
    sizes = {os.path.basename(node.path)[:-len('.spv')]: os.path.getsize(node.abspath) for node in source
             if str(node).endswith('.spv')}
    with open(target[0].abspath, 'w', encoding='utf-8') as file:
        file.write('/* Generated by site_scons/shaders.py from src/domain/kernel_table.inc. */\n'
                   '#ifndef SMOE_SPIRV_H\n#define SMOE_SPIRV_H\n\n#include <stddef.h>\n#include <stdint.h>\n')
        for name in env['KERNELS']:
            if name in sizes:
                file.write('\nextern const uint32_t smoe_spirv_%s[];\nenum { smoe_spirv_%s_size = %d };\n'
                           % (name, name, sizes[name]))
            else:
                file.write('\n#define smoe_spirv_%s ((const uint32_t *)NULL)\nenum { smoe_spirv_%s_size = 0 };\n' % (name, name))
        file.write('\n#endif\n')


def add_kernels(env, gen):
    """Adds the kernels of the table. Gives their C files, and the names of those that the shader tools are too old for."""
    table = 'src/domain/kernel_table.inc'
    kernels = read_table(table)
    missing, left_out, spirv, sources = {}, [], [], []
    for kernel in kernels:
        path = 'shaders/' + kernel.source
        if kernel.feature and kernel.feature not in missing:
            missing[kernel.feature] = missing_feature(env, kernel.feature, kernel.target_env)
        if not os.path.isfile(path):
            print('%s: kernel %s: %s does not exist' % (table, kernel.name, path))
            Exit(2)
        if missing.get(kernel.feature):
            print('kernel %s is left out: %s' % (kernel.name, missing[kernel.feature]))
            left_out.append(kernel.name)
            continue
        blob = add_spirv(env, path, '%s/spirv/%s' % (gen, kernel.name), kernel.name, kernel.arguments, kernel.target_env)
        spirv.append(blob)
        sources += add_array(env, '%s/smoe_spirv_%s.c' % (gen, kernel.name), blob,
                             '#include "smoe_spirv.h"\n\nconst uint32_t smoe_spirv_%s[]' % kernel.name)
    header = env.Clone(KERNELS=[kernel.name for kernel in kernels])
    header.Command(gen + '/smoe_spirv.h', spirv or env.Value('no kernels'),
                   Action(write_header, 'writing $TARGET', varlist=['KERNELS']))
    return sources, left_out
