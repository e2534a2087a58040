"""Each public header compiles alone, and twice, as C11 and as C++17, with and without Vulkan's prototypes, under strict warnings."""
import glob
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror']
C_WARNINGS = ['-Wvla', '-Wstrict-prototypes']
CXX_WARNINGS = ['-Wold-style-cast']


def compiles(compiler, header, language):
    with tempfile.TemporaryDirectory() as folder:
        source = folder + '/header.' + ('c' if language == 'c11' else 'cpp')
        with open(source, 'w', encoding='utf-8') as file:
            file.write('#include <smoe/%s>\n#include <smoe/%s>\nint main(void) { return 0; }\n' % (header, header))
        for define in ([], ['-DVK_NO_PROTOTYPES']):
            tap.command(compiler, '-std=' + language, *WARNINGS, *(C_WARNINGS if language == 'c11' else CXX_WARNINGS), *define,
                        '-Iinclude', '-fsyntax-only', source)


HEADERS = sorted(os.path.basename(path) for path in glob.glob('include/smoe/*.h'))
COMPILERS = [tap.CC] + [name for name in ('gcc', 'clang') if name != tap.CC and shutil.which(name)]
tap.run([('%s as %s by %s' % (header, language, compiler),
          lambda compiler=compiler, header=header, language=language: compiles(compiler, header, language))
         for header in HEADERS for language in ('c11', 'c++17') for compiler in COMPILERS])
