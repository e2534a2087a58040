"""Shared libraries with versioned names, and what `scons install` copies and writes."""
import glob
import os
import subprocess
import sys

from SCons.Script import Action

DARWIN = sys.platform == 'darwin'


class Library:
    """static: the archive; shared: the shared object, then its two symbolic links; needs: Libraries; libs: those of others."""

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


def shared_suffix(version):
    return '.%s.dylib' % version if DARWIN else '.so.%s' % version


def make_link(target, source, env):
    if os.path.lexists(target[0].abspath):
        os.remove(target[0].abspath)
    os.symlink(os.path.basename(str(source[0])), target[0].abspath)


def link_names(name, version):
    return ['lib%s%s' % (name, shared_suffix(interface_of(version))), 'lib%s%s' % (name, '.dylib' if DARWIN else '.so')]


def add_links(env, folder, name, version, shared):
    return [env.Command('%s/%s' % (folder, link), shared, Action(make_link, 'linking $TARGET to $SOURCE'))[0]
            for link in link_names(name, version)]


def shared_library(env, folder, name, version, objects, needs, libs, sanitized):
    """lib<name>.so.X.Y.Z, which programs ask for by a soname with the interface's version alone, and the links to it."""
    soname = link_names(name, version)[0]
    flags = ['-Wl,-install_name,@rpath/' + soname] if DARWIN else ['-Wl,-soname,' + soname]
    if not DARWIN and not sanitized:
        flags.append('-Wl,-z,defs')  # a sanitizer's run-time functions come from the program
    shared = env.SharedLibrary('%s/lib%s%s' % (folder, name, shared_suffix(version)), objects, SHLIBPREFIX='', SHLIBSUFFIX='',
                               LIBS=[need.shared[0] for need in needs] + libs, LINKFLAGS=env['LINKFLAGS'] + flags)[0]
    return [shared] + add_links(env, folder, name, version, shared)


DESCRIPTIONS = {
    'smoe': 'Smooth sparse mixture-of-experts layers on any Vulkan device: records into your command buffer',
    'smoe-device': 'Owns a Vulkan device for smoe: blocking calls on host arrays',
    'smoe-file': 'Reads and writes smoe layer files (safetensors)',
}


def pkg_config_file(env, folder, library, version):
    private = ['libcjson'] if 'cjson' in library.libs else []
    return env.Substfile('%s/%s.pc' % (folder, library.name), 'src/package/library.pc.in', SUBST_DICT={
        '@NAME@': library.name, '@DESCRIPTION@': DESCRIPTIONS[library.name], '@VERSION@': version,
        '@REQUIRES@': ' '.join(need.name for need in library.needs), '@REQUIRES_PRIVATE@': ' '.join(private),
        '@LIBS_PRIVATE@': ' '.join('-l' + lib for lib in library.libs if lib != 'cjson')})


def cmake_files(env, folder, version):
    interface = interface_of(version)
    values = {'@VERSION@': version, '@INTERFACE_REGEX@': interface.replace('.', '\\\\.'), '@SHARED_PREFIX@': 'lib',
              '@SHARED_SUFFIX@': shared_suffix(version), '@SONAME_PREFIX@': '@rpath/lib' if DARWIN else 'lib',
              '@SONAME_SUFFIX@': shared_suffix(interface)}
    return [env.Substfile('%s/%s' % (folder, name), 'src/package/%s.in' % name, SUBST_DICT=values)[0]
            for name in ('smoeConfig.cmake', 'smoeConfigVersion.cmake')]


def destination(env):
    prefix = os.path.abspath(env['prefix'])
    return env['destdir'] + prefix if env['destdir'] else prefix


def metadata(env, folder, version, libraries):
    """What tells others how to use the libraries: (pkg-config files, CMake files)."""
    return [pkg_config_file(env, folder, library, version) for library in libraries], cmake_files(env, folder, version)


def install(env, root, version, libraries, tools, pkg_config_files, package_files):
    """Nodes of everything installed under root. Nothing that is written has root in it: a copy may be moved."""
    files = env.Install(root + '/include/smoe', sorted(glob.glob('include/smoe/*.h')))
    for library in libraries:
        files += env.Install(root + '/lib', library.static)
        shared = env.Install(root + '/lib', library.shared[0])
        files += shared + add_links(env, root + '/lib', library.name, version, shared)
    files += env.Install(root + '/lib/pkgconfig', pkg_config_files)
    files += env.Install(root + '/lib/cmake/smoe', package_files)
    return files + env.Install(root + '/bin', tools)
