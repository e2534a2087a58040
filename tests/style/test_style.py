"""The rules of CONTRIBUTING.md that a script can check."""
import fnmatch
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
import tested_by

VENDORED = ('samples/window/nuklear',)  # other people's files, as they are
FOLDERS = ('include', 'src', 'shaders', 'tests', 'bench', 'samples', 'site_scons', '.ci')
SUFFIXES = ('.c', '.h', '.inc', '.comp', '.vert', '.frag', '.glsl', '.py', '.sh')
LINES = 600
NARROW, WIDE = 120, 140  # columns: of C and GLSL; of public headers, Python and tables of one row a line

# What a layer of src may include besides itself and the public headers.
BELOW = {'base': set(), 'vulkan': {'base'}, 'domain': {'base', 'vulkan'}, 'objects': {'base', 'vulkan', 'domain'},
         'device': {'base'}, 'file': {'base'}, 'program': set(), 'reference': set(), 'tools': {'program', 'reference'}}
# The one room where systems differ. Each library has the part that it uses: any layer may include the header.
SYSTEM = 'src/base/system'
OLD_VULKAN = 'src/vulkan/cooperative_matrix.h'  # what older headers of Vulkan lack: any layer may include it too
TOOLS = ('src/tools/', 'src/program/', 'src/reference/')  # programs and what they share, not libraries
SYSTEMS = '|'.join((
    r'\b_WIN(32|64)\b|__(MINGW\w+|APPLE|linux|unix|ANDROID)__|_(POSIX_C|GNU|DEFAULT|DARWIN_C)_SOURCE|_FILE_OFFSET_BITS',
    r'#\s*include\s*<(unistd|pthread|threads|fcntl|strings|dirent|dlfcn|sched|semaphore|spawn|poll|signal|sys/\w+|mach/\w+)\.h>',
    r'#\s*include\s*<(windows|io|direct|process|synchapi)\.h>',
    # Without such a header: what C's own headers and volk's code also declare.
    r'\b(fseeko|ftello|fileno|fdopen|popen|strn?dup|strtok_r|str(n)?casecmp|realpath|mkstemp|posix_memalign|clock_gettime|nanosleep|'
    r'localtime_r|gmtime_r|newlocale|uselocale|dlopen|dlsym|dlclose|LoadLibrary\w*|FreeLibrary|GetProcAddress|_w\w+|_\w+i64)\s*\('))
VENDORS = r'\b0x0*(1002|1010|106b|10de|13b5|14e4|1ae0|5143|8086|10001|10003|10005|10006)\b|VK_VENDOR_ID_|VK_DRIVER_ID_'
VOLK = 'src/base/volk_table.h'
MAY_NAME_VENDORS = ('src/domain/tuning.c', 'src/vulkan/quirks.c')


def files(*folders, suffixes=SUFFIXES):
    for top in folders:
        for folder, _, names in sorted(os.walk(top)):
            for name in sorted(names if folder not in VENDORED else ()):
                if name.endswith(suffixes) or name == 'run':
                    yield '%s/%s' % (folder, name)


def library_files(*suffixes):
    return (path for path in files('src', suffixes=suffixes or SUFFIXES) if not path.startswith(TOOLS))


def all_files():
    yield from ('SConstruct', 'setup.sh')
    yield from files(*FOLDERS)


def read(path):
    with open(path, encoding='utf-8', newline='') as file:
        return file.read()


def report(found):
    found = list(found)
    assert not found, '\n'.join(found)


def matches(paths, pattern, why):
    for path in paths:
        for number, line in enumerate(read(path).splitlines(), 1):
            if re.search(pattern, line):
                yield '%s:%d: %s: %s' % (path, number, why, line.strip()[:100])


def lines_are_short():
    def columns(path):
        return NARROW if path.endswith(('.c', '.h', '.comp', '.vert', '.frag', '.glsl')) and not path.startswith('include/') else WIDE
    report('%s:%d: %d columns' % (path, number, len(line)) for path in all_files()
           for number, line in enumerate(read(path).splitlines(), 1) if len(line) > columns(path))


def files_are_short():
    report('%s: %d lines' % (path, read(path).count('\n')) for path in all_files() if read(path).count('\n') > LINES)


def white_space_is_plain():
    report(matches(all_files(), r'\t|\r|[ ]+$', 'tab, carriage return, or space at the end'))
    report('%s: no newline at the end' % path for path in all_files() if read(path) and not read(path).endswith('\n'))


def includes_point_down():
    found = []
    for path in files('src', 'samples', 'bench', suffixes=('.c', '.h')):
        layer = path.split('/')[1] if path.startswith('src/') else 'tools'
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', read(path), re.MULTILINE):
            target = name if '/' in name and not name.startswith('.') else os.path.normpath(os.path.join(os.path.dirname(path), name))
            target = target if target.startswith(('src/', 'shaders/')) else 'src/' + target
            other = target.split('/')[1] if target.startswith('src/') else layer
            if other in BELOW and other != layer and other not in BELOW[layer] and target not in (SYSTEM + '.h', OLD_VULKAN):
                found.append('%s: %s includes %s' % (path, layer, name))
    report(found)


def volk_has_one_room():
    """An app may bring its own, whose variables a static library would define twice."""
    report(matches((path for path in library_files('.c', '.h') if path != VOLK), r'#\s*include\s*[<"]volk\.',
                   'include base/volk_table.h'))


def vendors_have_two_files():
    report(matches((path for path in (*library_files(), *files('shaders')) if path not in MAY_NAME_VENDORS), VENDORS,
                   'a vendor or driver by name'))


def systems_differ_in_one_room():
    report(matches((path for path in files('src', suffixes=('.c', '.h', '.inc')) if not path.startswith(SYSTEM)), SYSTEMS,
                   'systems differ in %s*.c' % SYSTEM))


def vulkan_is_loaded_from_a_known_place():
    """macOS and Windows would look for a name without a folder in the current one, too."""
    path = SYSTEM + '_loader.c'
    names = re.findall(r'(BUNDLE )?"([^"\n]*(?:\.dylib|\.framework/\w+))"', read(path))
    assert len(names) > 4 and re.search(r'#define BUNDLE "@executable_path/\.\./Frameworks/"', read(path)), names
    report('%s: %s: a name without its folder' % (path, name) for bundle, name in names if not bundle and not name.startswith('/'))
    report(matches(files('src', suffixes=('.c', '.h')), r'\bLoadLibrary(?!ExW\(.*, LOAD_LIBRARY_SEARCH_SYSTEM32\))',
                   'LoadLibraryExW with LOAD_LIBRARY_SEARCH_SYSTEM32'))


def times_are_of_a_clock_that_is_never_set_back():
    # bench/system.c tells the date of a run
    report(matches((path for path in files('src', 'bench', 'samples', suffixes=('.c', '.h')) if path != 'bench/system.c'),
                   r'\b(time|clock|ftime|gettimeofday|timespec_get|GetSystemTime\w*|GetLocalTime)\s*\(|\bCLOCK_REALTIME\b',
                   'smoe_system_time, or program_now'))
    report(matches(files('bench', 'samples', suffixes=('.py',)), r'\btime\.time\(', 'time.monotonic'))


def library_does_not_end_the_program():
    report(matches(library_files('.c', '.h'), r'#\s*include\s*<assert\.h>', 'not in the library'))
    report(matches((path for path in library_files('.c', '.h') if not path.startswith(SYSTEM)), r'#\s*include\s*<errno\.h>',
                   'only in %s*.c, which keeps it as the system has set it' % SYSTEM))


def numbers_know_no_locale():
    report(matches((path for path in library_files('.c', '.h') if not path.startswith('src/base/text.')),
                   r'%[-+#0-9.*]*[lL]?[aefgAEFG]|\b(strto(d|f|ld)|atof)\(', 'follows the locale, which is the app\'s: smoe_number_text'))


def results_are_compared():
    report(matches(library_files('.c', '.h'), r'\b(if|while) \(!?result(\)| \|\|| &&)|[( ]!result\b|\bresult \?[ :]',
                   'compare with SMOE_SUCCESS'))


def files_are_tested_by_name():
    own = {os.path.basename(path).rsplit('.', 1)[0] for path in glob.glob('tests/*/test_*.*')}
    used = set()
    for path in (*library_files('.c'), *files('src/program', 'src/reference', suffixes=('.c',))):
        rows = {row for row in tested_by.TESTED_BY if fnmatch.fnmatch(path, row.files)}
        used.update(rows)
        has_own = 'test_' + os.path.basename(path)[:-len('.c')] in own
        assert has_own or rows, '%s: no test of its name, no row of tests/tested_by.py' % path
        assert not has_own or not any(row.files == path for row in rows), '%s: a test of its name, and a row of tests/tested_by.py' % path
    report('tests/tested_by.py: %s: no such file' % (row.tests if row in used else row.files)
           for row in tested_by.TESTED_BY if row not in used or not os.path.isfile(row.tests))


def shaders_have_a_file_of_their_name():
    domain = [os.path.basename(path)[:-len('.c')] for path in files('src/domain', suffixes=('.c',))]
    report('%s: no file of src/domain has its name, or the beginning of it' % path for path in files('shaders', suffixes=('.comp',))
           if not any((os.path.basename(path)[:-len('.comp')] + '_').startswith(name + '_') for name in domain))


def shaders_name_enumerators():
    report(matches(files('shaders', suffixes=('.comp', '.glsl')), r'\b(WEIGHT_TYPE|TYPE|ACTIVATION|GATE)\s*[!=<>]=?\s*\d',
                   'a number of an enumeration: interface.h has its name'))


tap.run([lines_are_short, files_are_short, white_space_is_plain, includes_point_down, volk_has_one_room,
         vendors_have_two_files, systems_differ_in_one_room, times_are_of_a_clock_that_is_never_set_back,
         vulkan_is_loaded_from_a_known_place, library_does_not_end_the_program, numbers_know_no_locale,
         results_are_compared, files_are_tested_by_name, shaders_have_a_file_of_their_name, shaders_name_enumerators])
