"""Writes volk_rename.h: every global name of volk with a prefix of smoe's.

An app may link its own volk beside smoe, and a static archive hides nothing, so smoe's copy needs other names.
"""
import re
import subprocess

HEAD = """/* Generated from {source} by site_scons/volk_rename.py. Include before volk.h. */
#ifndef SMOE_VOLK_RENAME_H
#define SMOE_VOLK_RENAME_H

"""


def find_volk_header(env):
    """The volk.h that the compiler finds, or None."""
    command = [env.subst('$CC')] + env.subst('$CFLAGS $CCFLAGS $CPPFLAGS').split() + ['-E', '-x', 'c', '-']
    run = subprocess.run(command, input='#include <volk.h>\n', stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         universal_newlines=True, env=env['ENV'])
    found = re.search(r'^# \d+ "([^"]*volk\.h)"', run.stdout, re.MULTILINE)
    return found.group(1) if run.returncode == 0 and found else None


def write_rename_header(target, source, env):
    path = source[0].abspath
    with open(path, encoding='utf-8') as file:
        text = file.read()
    names = re.findall(r'^extern PFN_\w+ (\w+);', text, re.MULTILINE)
    names += re.findall(r'^[\w ]+\b(volk[A-Z]\w*)\s*\(', text, re.MULTILINE)
    if len(names) < 100 or 'vkCreateInstance' not in names or 'volkInitialize' not in names:
        print('%s does not read like volk.h: only %d names found' % (path, len(names)))
        return 1
    with open(target[0].abspath, 'w', encoding='utf-8') as file:
        file.write(HEAD.format(source=path))
        for name in sorted(set(names)):
            file.write('#define %s smoe_volk_%s\n' % (name, name))
        file.write('\n#endif\n')
    return None
