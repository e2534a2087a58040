"""DRM shims: libraries that a Vulkan driver is started under, and that answer for a GPU which is not there. Mesa has them, Debian does
not build them; they are made here from Debian's source package of Mesa with only the C compiler. A driver under a shim compiles
shaders as on the real device; work that is submitted to it never runs.

The shims are of Mesa 25.0 and serve drivers of Mesa 26.1, whose source package the mirrors no longer have. SOURCE_EDITS is what 26.1 asks
of them beyond 25.0, and a device of their table that 25.0 has not."""
import concurrent.futures
import os
import re
import shutil
import sys
import tarfile
import tempfile

from debian import Failure, all_or_nothing, run

SOURCE_FOLDERS = ('src/drm-shim', 'src/util', 'src/c11', 'src/amd/drm-shim', 'src/amd/common', 'src/freedreno/drm-shim', 'src/nouveau',
                  'src/panfrost/drm-shim', 'src/intel/dev', 'src/intel/common', 'src/intel/tools', 'src/intel/isl', 'src/intel/genxml',
                  'src/gallium/include', 'src/gallium/drivers/nouveau', 'src/mesa/main', 'src/compiler', 'include')
SOURCE_SUFFIXES = ('.c', '.h', '.py', '.json', '.hpp')

# What Mesa's build would find out about a Linux with glibc.
DEFINES = '''_GNU_SOURCE HAVE_PTHREAD HAVE_STRUCT_TIMESPEC HAVE_TIMESPEC_GET HAVE_ENDIAN_H HAVE_LINUX_FUTEX_H HAVE_DLFCN_H
HAVE_DL_ITERATE_PHDR HAVE_MEMFD_CREATE HAVE_FLOCK HAVE_POSIX_FALLOCATE HAVE_MKOSTEMP HAVE_STRTOF HAVE_SECURE_GETENV HAVE_RANDOM_R
HAVE_PROGRAM_INVOCATION_NAME HAVE_DIRENT_D_TYPE HAVE___BUILTIN_UNREACHABLE HAVE___BUILTIN_EXPECT HAVE___BUILTIN_CLZ HAVE___BUILTIN_CTZ
HAVE___BUILTIN_POPCOUNT HAVE_FUNC_ATTRIBUTE_PACKED HAVE_FUNC_ATTRIBUTE_FLATTEN USE_GCC_ATOMIC_BUILTINS HAVE_LIBDRM HAVE_DRM_SHIM NDEBUG
HAVE_QSORT_S=0 HAVE_SYS_SYSCTL_H=0 DETECT_OS_LINUX=1 UTIL_ARCH_LITTLE_ENDIAN=1 UTIL_ARCH_BIG_ENDIAN=0 PACKAGE_VERSION="shim"'''.split()

COMMON = ['src/util/%s.c' % name for name in '''anon_file fast_idiv_by_const futex hash_table log memstream os_file os_memory_fd os_misc
    ralloc rand_xor set simple_mtx string_buffer strtod u_debug u_math u_process vma'''.split()]
COMMON += ['src/c11/impl/time.c', 'src/c11/impl/threads_posix.c', 'src/drm-shim/device.c', 'src/drm-shim/drm_shim.c']
INTEL = ['src/intel/dev/%s.c' % name for name in '''intel_debug intel_device_info intel_hwconfig intel_kmd i915/intel_device_info
    xe/intel_device_info'''.split()]
INTEL += ['src/intel/common/%s.c' % name for name in '''intel_engine intel_gem i915/intel_engine i915/intel_gem xe/intel_device_query
    xe/intel_engine xe/intel_gem'''.split()]
INTEL += ['src/util/%s.c' % name for name in 'bitscan build_id mesa-sha1 parson sha1/sha1'.split()]
INTEL += ['src/intel/tools/intel_noop_drm_shim.c', 'generated/intel/dev/intel_wa.c', 'generated/intel_device_info_serialize_gen.c']

# What each is made of beside COMMON, and where the headers are that these include.
SHIMS = {
    'amdgpu': (['src/amd/drm-shim/amdgpu_noop_drm_shim.c', 'src/amd/drm-shim/amdgpu_devices.c'], ['src/amd', 'src/amd/drm-shim']),
    'freedreno': (['src/freedreno/drm-shim/freedreno_noop.c'], []),
    'nouveau': (['src/nouveau/drm-shim/nouveau_noop.c'], ['src/nouveau/drm', 'src/nouveau/headers', 'src/nouveau/winsys']),
    'intel': (INTEL, ['src/intel', 'generated', 'generated/intel', 'generated/intel/dev', 'src/intel/dev', 'src/intel/common']),
    'panfrost': (['src/panfrost/drm-shim/panfrost_noop.c'], []),
}

# file: [(pattern, replacement)]; each pattern must be there.
SOURCE_EDITS = {
    'src/amd/drm-shim/amdgpu_noop_drm_shim.c': [(r'(version_minor =) \d+', r'\1 60')],
    # DRM_MSM_VM_BIND, which turnip calls and the shim has no name for
    'src/freedreno/drm-shim/freedreno_noop.c': [(r'(\[)DRM_MSM_SET_PARAM(\] = msm_ioctl_noop,)', r'\g<0> \g<1>0x0d\2')],
}

# Navi 48 (RDNA 4), described as Navi 31 with another family, generation and number of compute units.
NEW_DEVICE = ('src/amd/drm-shim/amdgpu_devices.c', 'navi31', [
    (r'"navi31"', '"gfx1201"'), (r'CHIP_NAVI31', 'CHIP_GFX1201'), (r'(hw_ip_version_major =) 11', r'\1 12'), (r'0xb0000', '0xc0000'),
    (r'AMDGPU_FAMILY_GC_11_0_0', 'AMDGPU_FAMILY_GC_12_0_0'), (r'(\.external_rev =) 0x01', r'\1 0x51'), (r'0x744c', '0x7550'),
    (r'(num_shader_engines =) 6', r'\1 4'), (r'(cu_active_number =) 96', r'\1 64')])


def substitute(text, edits, path):
    for pattern, replacement in edits:
        text, count = re.subn(pattern, replacement, text)
        if count == 0:
            raise Failure('%s: %s is not in it: this Mesa needs other edits (shims.py)' % (path, pattern))
    return text


def unpack_source(archive, target):
    """The part of Mesa that the shims are made of, edited."""
    with all_or_nothing(target) as folder:
        extract(archive, folder)
        edit(folder)


def extract(archive, target):
    with tarfile.open(archive) as tar:
        for member in tar:
            path = member.name.partition('/')[2]
            if member.isfile() and path.startswith(SOURCE_FOLDERS) and path.endswith(SOURCE_SUFFIXES):
                where = os.path.join(target, os.path.normpath('/' + path)[1:])
                os.makedirs(os.path.dirname(where), exist_ok=True)
                with tar.extractfile(member) as content, open(where, 'wb') as file:
                    shutil.copyfileobj(content, file)


def edit(source):
    for path, edits in SOURCE_EDITS.items():
        rewrite(os.path.join(source, path), lambda text, edits=edits, path=path: substitute(text, edits, path))
    path, like, edits = NEW_DEVICE

    def add_device(text):
        entry = re.search(r'^ *\{\s*\.name = "%s".*?^ {3}\},' % like, text, re.MULTILINE | re.DOTALL)
        if not entry:
            raise Failure('%s: no device %s: this Mesa needs other edits (shims.py)' % (path, like))
        return text[:entry.end()] + '\n' + substitute(entry.group(0), edits, path) + text[entry.end():]
    rewrite(os.path.join(source, path), add_device)


def rewrite(path, change):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    with open(path, 'w', encoding='utf-8') as file:
        file.write(change(text))


def generate_intel(source, mako):
    """Three files that Mesa's build writes with Mako."""
    here = os.path.join(source, 'generated')
    os.makedirs(here + '/intel/dev', exist_ok=True)
    open(here + '/git_sha1.h', 'w').close()
    for script, arguments in (('intel_device_info_gen_h.py', [here + '/intel/dev/intel_device_info_gen.h']),
                              ('intel_device_info_serialize_gen_c.py', [here + '/intel_device_info_serialize_gen.c']),
                              ('gen_wa_helpers.py', ['mesa_defs.json', here + '/intel/dev/intel_wa.h', here + '/intel/dev/intel_wa.c'])):
        run([sys.executable, script] + arguments, cwd=source + '/src/intel/dev', env={**os.environ, 'PYTHONPATH': mako})
    shutil.copytree(here + '/intel/dev', here + '/dev', dirs_exist_ok=True)


def build(source, target, drm, names, compiler='gcc', drm_library=None):
    """lib<name>_noop_drm_shim.so in target, for each name. drm: the folder of libdrm's headers."""
    flags = ['-std=gnu11', '-O1', '-fPIC', '-fvisibility=hidden', '-ffunction-sections', '-fdata-sections', '-w']
    flags += ['-D' + name for name in DEFINES]
    flags += ['-I' + path for path in ('include', 'src', 'src/util', 'src/mesa', 'src/gallium/include', drm, drm + '/libdrm', 'generated')]

    def compile_one(job):
        path, includes = job
        target_path = os.path.join(objects_folder, re.sub(r'\W', '_', path) + '.o')
        run([compiler] + flags + ['-I' + include for include in includes] + ['-c', path, '-o', target_path], cwd=source)
        return path, target_path
    jobs = [(path, []) for path in COMMON] + [(path, SHIMS[name][1]) for name in names for path in SHIMS[name][0]]
    with all_or_nothing(target) as folder, tempfile.TemporaryDirectory(dir=folder) as objects_folder:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = dict(pool.map(compile_one, jobs))
        for name in names:
            libraries = [drm_library] if name == 'intel' else []
            run([compiler, '-shared', '-Wl,--gc-sections', '-o', '%s/lib%s_noop_drm_shim.so' % (folder, name)]
                + [objects[path] for path in SHIMS[name][0] + COMMON] + libraries + ['-ldl', '-lpthread', '-lm'])
