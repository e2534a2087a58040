"""What leaves the libraries, and what they ask for: only names that begin with smoe are defined and visible, shared objects
export just what the headers declare, and no function is used that prints, ends the program or reads the environment."""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, '..'), os.path.join(HERE, '..', '..', 'site_scons')]
import public_headers
import tap

WINDOWS = 'mingw' in tap.CROSS
TOOLS = tap.CROSS + '-' if tap.CROSS else ''
BANNED = {'abort', 'exit', '_exit', '_Exit', 'quick_exit', 'atexit', 'raise', 'signal', '__assert_fail', '__assert_rtn', 'printf',
          'vprintf', 'puts', 'putchar', 'perror', '__printf_chk', '__vprintf_chk', 'stdout', 'stderr', '__stdoutp', '__stderrp',
          'getenv', 'secure_getenv', 'setenv', 'system', 'srand', 'setlocale', '_assert', '_wassert', '__mingw_printf', '__mingw_vprintf',
          '__acrt_iob_func', '__iob_func', '_exit', 'OutputDebugStringA', 'GetEnvironmentVariableA', 'GetEnvironmentVariableW'}


def names(*arguments):
    """Names that nm lists, without the underscore that macOS puts before each, and what mingw-w64 puts before pointers to names."""
    found = set()
    for line in tap.command(TOOLS + 'nm', '-P', *arguments).splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[1]) == 1:
            name = fields[0][1:] if sys.platform == 'darwin' else fields[0].split('@')[0]
            found.add(re.sub(r'^(__imp_|\.refptr\.)', '', name) if WINDOWS else name)
    return found


def archive(library):
    return '%s/lib/lib%s.a' % (tap.BUILD, library)


def shared(library):
    if WINDOWS:
        # the build folder may still have the DLL of an older interface
        return max(glob.glob('%s/lib/lib%s-[0-9]*.dll' % (tap.BUILD, library)), key=os.path.getmtime)
    return '%s/lib/lib%s.%s' % (tap.BUILD, library, 'dylib' if sys.platform == 'darwin' else 'so')


def exported(library):
    if WINDOWS:
        table = tap.command(TOOLS + 'objdump', '-p', shared(library)).split('[Ordinal/Name Pointer] Table')[1].split('\n\n')[0]
        return set(re.findall(r'^\s*\[ *\d+\].* (\w+)$', table, re.MULTILINE))
    return names('-gU', shared(library)) if sys.platform == 'darwin' else names('-D', '--defined-only', shared(library))


def without_sanitizers():
    if tap.SANITIZE:
        raise tap.Skip('a sanitizer adds names of its own')


def archive_defines_only_smoe(library):
    without_sanitizers()
    defined = names('-gU' if sys.platform == 'darwin' else '-g', *([] if sys.platform == 'darwin' else ['--defined-only']),
                    archive(library))
    assert defined, 'nothing is defined'
    others = sorted(name for name in defined if not name.startswith('smoe'))
    assert not others, 'not smoe\'s: %s' % ', '.join(others)


def shared_exports_what_headers_declare(library):
    without_sanitizers()
    declared = set()
    for header in public_headers.find(library):
        with open(header, encoding='utf-8') as file:
            declared |= set(re.findall(r'^SMOE_API\b[^;(]*\b(smoe_\w+)\s*\(', file.read(), re.MULTILINE))
    assert declared, 'no declaration found'
    assert exported(library) == declared, 'declared but not exported: %s; exported but not declared: %s' % (
        sorted(declared - exported(library)), sorted(exported(library) - declared))


def uses_nothing_banned(library):
    without_sanitizers()
    banned = sorted(names('-u', archive(library)) & BANNED)
    assert not banned, 'used: %s' % ', '.join(banned)


def every_library_is_known():
    found = {os.path.basename(path)[len('lib'):-len('.a')] for path in glob.glob(tap.BUILD + '/lib/*.a')
             if not path.endswith('.dll.a')}
    assert found == set(public_headers.LIBRARIES), 'libraries are %s' % sorted(found)


TESTS = [every_library_is_known]
for each in (archive_defines_only_smoe, shared_exports_what_headers_declare, uses_nothing_banned):
    TESTS += [('%s: %s' % (each.__name__, name), lambda each=each, name=name: each(name)) for name in public_headers.LIBRARIES]
tap.run(TESTS)
