"""`scons fuzz`: a program with libFuzzer for each tests/fuzz/fuzz_NAME.c, in build/fuzz, with the address and undefined-behaviour
sanitizers, whatever the rest of the build is made by."""
import os
import subprocess
import tempfile

from SCons.Script import Exit

BUILD = 'build/fuzz'
SANITIZERS = 'address,undefined'
# Of files that no test is; what no fuzzer uses is not linked.
FOLDERS = ('src/file', 'src/program', 'bench/compare', 'bench/read', 'tests/common', 'tests/fuzz', 'tests/unit')


def compiler_of(env):
    """The compiler of the build if it is clang, which may have a version behind its name."""
    name = str(env['CC'])
    return name if 'clang' in os.path.basename(name) else 'clang'


def missing(env):
    """What `scons fuzz` cannot do without here, '' if nothing."""
    compiler = compiler_of(env)
    help_text = './setup.sh --ci installs clang and libclang-rt-dev on Debian; elsewhere install clang with its compiler-rt'
    if not env.WhereIs(compiler):
        return 'fuzz: %s not found: %s' % (compiler, help_text)
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, 'probe.c')
        with open(source, 'w', encoding='utf-8') as file:
            file.write('int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size) { return !data && size; }\n')
        probe = subprocess.run([compiler, '-fsanitize=fuzzer,' + SANITIZERS, source, '-o', os.path.join(folder, 'probe')],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    return '' if probe.returncode == 0 else 'fuzz: %s has no libFuzzer: %s\n%s' % (compiler, help_text, probe.stderr)


def programs(env, system, c_files, sources, libs):
    """env: that of the libraries; c_files: SConstruct's; sources: what more the fuzzers are made of. A program for each target."""
    lack = 'fuzz: is for programs of this system, without cross=' if system.cross else missing(env)
    if lack:
        print(lack)
        Exit(2)
    flags = ['-fsanitize=fuzzer-no-link,' + SANITIZERS, '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-O1']
    fuzz_env = env.Clone(CC=compiler_of(env), CCFLAGS=[flag for flag in env['CCFLAGS'] if 'sanitize' not in str(flag)] + flags,
                         LINKFLAGS=[flag for flag in env['LINKFLAGS'] if 'sanitize' not in str(flag)]
                         + ['-fsanitize=fuzzer,' + SANITIZERS])
    fuzz_env.Append(CPPPATH=['tests'])
    files = [path for path in c_files(*FOLDERS) if not os.path.basename(path).startswith('test_')]
    nodes = [fuzz_env.Object('%s/obj/%s.o' % (BUILD, os.path.splitext(str(path))[0]), path) for path in sources + files]
    archive = fuzz_env.StaticLibrary(BUILD + '/libeverything.a', nodes)
    names = [os.path.basename(path)[:-len('.c')] for path in files if path.startswith('tests/fuzz/fuzz_')]
    return [fuzz_env.Program('%s/%s' % (BUILD, name),
                             fuzz_env.Object('%s/obj/entry/%s.o' % (BUILD, name), 'tests/fuzz/libfuzzer/entry.c',
                                             CPPDEFINES=fuzz_env['CPPDEFINES'] + ['FUZZ_TARGET=' + name]),
                             LIBS=archive + libs)[0] for name in names]
