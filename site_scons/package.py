"""Shared libraries with versioned names, and what `scons install` copies and writes."""
import glob
import os
import re
import subprocess

from SCons.Script import Action

import public_headers


class Library:
    """static: the archive; shared: the shared object, then its two symbolic links, on Windows its import library; needs: Libraries;
    libs: those of others."""

    def __init__(self, name, static, shared, needs, libs):
        self.name, self.static, self.shared, self.needs, self.libs = name, static, shared, needs, libs


def commit():
    """What git calls this tree, "" where it cannot tell: the source may come without its history."""
    try:
        run = subprocess.run(['git', '--no-optional-locks', 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
    except OSError:
        return ''
    return run.stdout.strip() if run.returncode == 0 else ''


def interface_of(version):
    """The part of a version that a program depends on: before 1.0 each minor version may break the interface."""
    major, minor, _ = version.split('.')
    return major if major != '0' else '0.' + minor


def shared_names(system, name, version):
    """What a shared library is called: the file, the name that programs ask for, which has only the interface's version, and the
    name that the linker looks for. The latter two are links, but on Windows."""
    prefix, interface = 'lib' + name, interface_of(version)
    if system.windows:
        dll = '%s-%s.dll' % (prefix, interface)
        return dll, dll, prefix + '.dll.a'
    if system.darwin:
        return '%s.%s.dylib' % (prefix, version), '%s.%s.dylib' % (prefix, interface), prefix + '.dylib'
    return '%s.so.%s' % (prefix, version), '%s.so.%s' % (prefix, interface), prefix + '.so'


def make_link(target, source, env):
    if os.path.lexists(target[0].abspath):
        os.remove(target[0].abspath)
    os.symlink(os.path.basename(str(source[0])), target[0].abspath)


def add_links(env, system, folder, name, version, shared):
    return [env.Command('%s/%s' % (folder, link), shared, Action(make_link, 'linking $TARGET to $SOURCE'))[0]
            for link in shared_names(system, name, version)[1:]]


def write_exports(target, source, env):
    """What a DLL exports: every function that the headers declare. (Marked in the source, it would leave programs that link the
    static library too.)"""
    names = []
    for header in source:
        names += re.findall(r'^SMOE_API\b[^;(]*\b(smoe_\w+)\s*\(', header.get_text_contents(), re.MULTILINE)
    with open(target[0].abspath, 'w', encoding='utf-8') as file:
        file.write('EXPORTS\n' + ''.join('    %s\n' % name for name in sorted(names)))


def add_dll(env, system, folder, name, version, objects, needs, libs):
    dll, _, imports = shared_names(system, name, version)
    exports = env.Command('%s/%s.def' % (folder, name), public_headers.find(name),
                          Action(write_exports, 'writing $TARGET'))
    shared = env.SharedLibrary('%s/%s' % (folder, dll), objects + exports, SHLIBPREFIX='', SHLIBSUFFIX='',
                               LIBS=[need.shared[1] for need in needs] + libs,
                               LINKFLAGS=env['LINKFLAGS'] + ['-Wl,--out-implib,%s/%s' % (folder, imports)])[0]
    return [shared] + env.SideEffect('%s/%s' % (folder, imports), shared)


def shared_library(env, system, folder, name, version, objects, needs, libs, sanitized):
    """lib<name>.so.X.Y.Z and the links to it; elsewhere what is there in its place."""
    if system.windows:
        return add_dll(env, system, folder, name, version, objects, needs, libs)
    file, soname, _ = shared_names(system, name, version)
    flags = ['-Wl,-install_name,@rpath/' + soname] if system.darwin else ['-Wl,-soname,' + soname]
    if not system.darwin and not sanitized:
        flags.append('-Wl,-z,defs')  # a sanitizer's run-time functions come from the program
    if needs:  # they lie beside it, also in a prefix of the user's own, which the system's loader does not look through
        flags.append("-Wl,-rpath,@loader_path" if system.darwin else "-Wl,-rpath,'$$ORIGIN'")
    shared = env.SharedLibrary('%s/%s' % (folder, file), objects, SHLIBPREFIX='', SHLIBSUFFIX='',
                               LIBS=[need.shared[0] for need in needs] + libs, LINKFLAGS=env['LINKFLAGS'] + flags)[0]
    return [shared] + add_links(env, system, folder, name, version, shared)


DESCRIPTIONS = {
    'smoe': 'Smooth sparse mixture-of-experts layers on any Vulkan device: records into your command buffer',
    'smoe-device': 'Owns a Vulkan device for smoe: blocking calls on host arrays',
    'smoe-file': 'Reads and writes layer files (safetensors) and capability files for smoe, and reads checkpoints of models',
}


def pkg_config_file(env, folder, library, version):
    return env.Substfile('%s/%s.pc' % (folder, library.name), 'src/package/library.pc.in', SUBST_DICT={
        '@NAME@': library.name, '@DESCRIPTION@': DESCRIPTIONS[library.name], '@VERSION@': version,
        '@REQUIRES@': ' '.join(need.name for need in library.needs),
        '@LIBS_PRIVATE@': ' '.join('-l' + lib for lib in library.libs)})


def cmake_files(env, system, folder, version):
    interface = interface_of(version)
    (prefix, suffix), (soname_prefix, soname_suffix) = (name.split('NAME') for name in shared_names(system, 'NAME', version)[:2])
    values = {'@VERSION@': version, '@INTERFACE_REGEX@': interface.replace('.', '\\\\.'),
              '@SHARED_PREFIX@': ('bin/' if system.windows else 'lib/') + prefix, '@SHARED_SUFFIX@': suffix,
              '@SONAME_PREFIX@': ('@rpath/' if system.darwin else '') + soname_prefix, '@SONAME_SUFFIX@': soname_suffix}
    return [env.Substfile('%s/%s' % (folder, name), 'src/package/%s.in' % name, SUBST_DICT=values)[0]
            for name in ('smoeConfig.cmake', 'smoeConfigVersion.cmake')]


# What programs read, by their folders in share/smoe (src/program/data.h): the samples' models, and digits to classify.
DATA = 'samples/*/*.safetensors'


def destination(env):
    prefix = os.path.abspath(env['prefix'])
    return env['destdir'] + prefix if env['destdir'] else prefix


def metadata(env, system, folder, version, libraries):
    """What tells others how to use the libraries: (pkg-config files, CMake files)."""
    return [pkg_config_file(env, folder, library, version) for library in libraries], cmake_files(env, system, folder, version)


def install(env, root, system, version, libraries, tools, pkg_config_files, package_files):
    """Nodes of everything installed under root. Nothing that is written has root in it: a copy may be moved."""
    files = env.Install(root + '/include/smoe', sorted(glob.glob('include/smoe/*.h')))
    for library in libraries:
        files += env.Install(root + '/lib', library.static)
        if system.windows:
            files += env.Install(root + '/bin', library.shared[0]) + env.Install(root + '/lib', library.shared[1])
        else:
            shared = env.Install(root + '/lib', library.shared[0])
            files += shared + add_links(env, system, root + '/lib', library.name, version, shared)
    files += env.Install(root + '/lib/pkgconfig', pkg_config_files)
    files += env.Install(root + '/lib/cmake/smoe', package_files)
    for path in sorted(glob.glob(DATA)):
        files += env.Install('%s/share/smoe/%s' % (root, os.path.basename(os.path.dirname(path))), path)
    return files + env.Install(root + '/bin', tools)
