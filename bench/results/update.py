#!/usr/bin/env python3
"""Writes bench/results/README.md from the documents of results beside it: which there are, and what smoe-bench compare says of them.

    scons bench && bench/results/update.py

--check: writes nothing, and fails where the page is another."""
import argparse
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HEAD = '''# Results

Written by `bench/results/update.py` from the documents beside it, `VENDOR/DEVICE.json`, one for each device and driver.
[../README.md](../README.md) says how everything is measured and counted. All of them as one page:

    build/bin/smoe-bench report bench/results/*/*.json --html page.html

## How to send one

    ./setup.sh && scons bench
    build/bin/smoe-bench %s --json result.json

takes some minutes. Please let nothing else run meanwhile, and have a laptop plugged in. Then open a pull request that adds the file as
`bench/results/VENDOR/DEVICE-DRIVER.json`, in small letters, and this page, written again. A machine without compilers takes the folder that
`scons bundle` packs ([../README.md](../README.md)).

The document has the times, and what they depend on: the device and its driver, the processor, the memory's size, the system's name
and version, the date, the command line and the build. It has no path, user or host name in it. Tests
hold the program and what is kept here to that (`tests/samples/test_bench.py`, `tests/bench/test_kept_results.py`).

## What there is

| | device | driver | system | date | smoe |
|---|---|---|---|---|---|
'''
LINE = '--preset tiny,gmoe-s16,switch-base-16,olmoe --tokens 1,32,512 --weights f32,f16'


def escape(text):
    return re.sub(r'([|\\`*_<>\[\]])', r'\\\1', str(text))


def documents():
    return sorted(os.path.relpath(path, ROOT) for path in glob.glob(HERE + '/*/*.json'))


def rows(paths):
    for path in paths:
        with open(os.path.join(ROOT, path), encoding='utf-8') as file:
            document = json.load(file)
        program, system = document['program'], document['system']
        for device in document['devices']:
            name = escape(os.path.basename(path)[:-len('.json')])
            cells = ('[%s](%s)' % (name, os.path.relpath(path, 'bench/results')), escape(device['name']),
                     escape('%s %s' % (device['driver'], device['driver_info'])), escape('%s, %s' % (system['os'], system['cpu'])),
                     document['run']['date'][:10], '%s %s' % (program['version'], program['commit'] or ''))
            yield '| ' + ' | '.join(cells) + ' |\n'


def page(program):
    paths = documents()
    text = HEAD % LINE + ''.join(rows(paths))
    if len(paths) > 1:
        run = subprocess.run([program, 'compare', '--format', 'md', *paths], cwd=ROOT, stdout=subprocess.PIPE, encoding='utf-8')
        if run.returncode:
            sys.exit('smoe-bench compare: exit status %d' % run.returncode)
        text += '\n## Beside one another\n\n`smoe-bench compare bench/results/*/*.json`; ratios above 1 are slower than A.\n\n' + run.stdout
    return text


def main():
    parser = argparse.ArgumentParser(description='Writes bench/results/README.md.')
    parser.add_argument('--program', default=os.path.join(ROOT, 'build/bin/smoe-bench'), help='[build/bin/smoe-bench]')
    parser.add_argument('--check', action='store_true', help='fail where the page is another, and write nothing')
    arguments = parser.parse_args()
    path, text = os.path.join(HERE, 'README.md'), page(os.path.abspath(arguments.program))
    if arguments.check:
        with open(path, encoding='utf-8') as file:
            if file.read() != text:
                sys.exit('bench/results/README.md is not what bench/results/update.py writes')
        return 0
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
