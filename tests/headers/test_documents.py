"""What the documents promise: README's snippets compile, links lead somewhere, and so do the sections that comments cite."""
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

README_LINES = 120
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror']
COMPILERS = [tap.CC] + [name for name in ('gcc', 'clang') if name != tap.CC and shutil.which(name)]
# An enumeration of one page's sections in a comment: "docs/routing.md, 2.4 to 2.6 and 3".
CITATION = re.compile(r'(docs/\w+\.md), (\d(?:\.\d)?(?:(?:, | and | to )\d(?:\.\d)?)*)')


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def files(*suffixes):
    for folder, folders, names in os.walk('.'):
        folders[:] = sorted(name for name in folders if not name.startswith('.') and name != 'build')
        yield from (os.path.join(folder, name)[2:] for name in sorted(names) if name.endswith(suffixes))


# ---- snippets

def snippet(language):
    """The one block of README.md in this language."""
    found = re.findall(r'^```%s\n(.*?)^```$' % language, read('README.md'), re.M | re.S)
    assert len(found) == 1, 'README.md has %d blocks of %s' % (len(found), language)
    return found[0]


def close(text, start):
    """The place behind the brace that closes the one before start."""
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] == '{') - (text[place] == '}')
        if depth == 0:
            return place + 1
    raise AssertionError('a brace is not closed: ' + text[start:start + 60])


def in_cxx(source):
    """README's C with README's change: a function takes the address of each description."""
    literal = re.search(r'&\((\w+)\)\{', source)
    if not literal:
        return source
    end = close(source, literal.end())
    initializer = source[literal.end():end]
    return '%saddress(%s{%s)%s' % (source[:literal.start()], literal[1], initializer, in_cxx(source[end:]))


def compile_snippet(source, suffix, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/snippet' + suffix
        with open(path, 'w', encoding='utf-8') as file:
            file.write(source)
        for compiler in COMPILERS:
            tap.command(compiler, *options, *WARNINGS, '-Iinclude', '-fsyntax-only', path)


def the_snippet_is_c():
    compile_snippet(snippet('c'), '.c', '-std=c11')


def the_snippet_with_its_change_is_cxx():
    function, *shown = [line for line in snippet('cpp').splitlines() if line]
    changed = in_cxx(snippet('c'))
    assert shown and changed != snippet('c'), 'no change is shown'
    for line in shown:
        assert line in changed.splitlines(), 'shown, but not what the change makes of the C: ' + line
    include, rest = changed.split('\n', 1)
    # Members that are not named are 0 in both languages; g++ warns of them in C++ only.
    compile_snippet('\n'.join((include, function, rest)), '.cpp', '-std=c++20', '-Wno-missing-field-initializers')


def readme_is_short():
    lines = len(read('README.md').splitlines())
    assert lines <= README_LINES, 'README.md has %d lines, more than %d' % (lines, README_LINES)


# ---- links and citations

def without_code(text):
    text = re.sub(r'^```.*?^```$', '', text, flags=re.M | re.S)
    text = re.sub(r'^    .*$', '', text, flags=re.M)
    return text


def headings(text):
    return re.findall(r'^#+ (.*?)\s*$', re.sub(r'^```.*?^```$', '', text, flags=re.M | re.S), re.M)


def anchors(text):
    """As GitHub makes them: lower case, no punctuation, hyphens for spaces; the second of the same name gets -1."""
    found, times = [], {}
    for heading in headings(text):
        name = re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        times[name] = times.get(name, -1) + 1
        found.append('%s-%d' % (name, times[name]) if times[name] else name)
    return found


def broken_links(path):
    for target in re.findall(r'\]\(([^()\s]+)\)', re.sub(r'`[^`\n]*`', '', without_code(read(path)))):
        if re.match(r'\w+:', target):
            continue
        name, _, anchor = target.partition('#')
        to = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not os.path.exists(to):
            yield '%s: %s is not there' % (path, target)
        elif anchor and (not to.endswith('.md') or anchor not in anchors(read(to))):
            yield '%s: %s has no such heading' % (path, target)


def links_lead_somewhere():
    paths = list(files('.md'))
    assert 'README.md' in paths and 'docs/routing.md' in paths, paths
    broken = [line for path in paths for line in broken_links(path)]
    assert not broken, '\n'.join(broken)


def cited_sections_are_there():
    wrong, count = [], 0
    for path in files('.c', '.h', '.inc', '.comp', '.glsl', '.py', '.md'):
        for page, numbers in CITATION.findall(read(path)):
            sections = [heading.split()[0].rstrip('.') for heading in headings(read(page))] if os.path.exists(page) else []
            missing = [number for number in re.findall(r'\d(?:\.\d)?', numbers) if number not in sections]
            wrong += ['%s: %s has no section %s' % (path, page, number) for number in missing]
            count += 1
    assert count >= 10, count
    assert not wrong, '\n'.join(wrong)


def every_model_is_documented():
    tables = ('checkpoint_table.c', 'checkpoint_table_softmax.c', 'checkpoint_table_sigmoid.c')
    formats = re.findall(r'^    \{"([\w-]+)", ', ''.join(read('src/file/' + name) for name in tables), re.M)
    page = read('docs/checkpoints.md').lower()
    assert len(formats) >= 10, formats
    missing = [name for name in formats if not re.search(r'\b%s\b' % name, page)]
    assert not missing, 'not in docs/checkpoints.md: %s' % missing


tap.run([the_snippet_is_c, the_snippet_with_its_change_is_cxx, readme_is_short, links_lead_somewhere, cited_sections_are_there,
         every_model_is_documented])
