#!/usr/bin/env python3
"""Compiles every kernel on every device of build/drivers and compares what comes out with TABLE.md: `scons drivers`.

It fails on a spill, on a refusal, on a driver that crashes, on a device that the library does not use, and where TABLE.md says something
else; `scons drivers update=yes` rewrites it. Groups of devices that are not set up keep what TABLE.md has of
them, and where a driver or the shader compiler has another version than there, numbers are not compared.
"""
import argparse
import concurrent.futures
import difflib
import os
import re
import subprocess
import sys
import time

import collect
import devices
import page

HERE = os.path.dirname(os.path.abspath(__file__))
FEW = ('arm64',)  # parts whose devices compile the shapes that find most, with nothing and all masked: emulated, a kernel takes seconds


def capability_names():
    with open(os.path.join(collect.ROOT, 'include/smoe/smoe.h'), encoding='utf-8') as file:
        found = re.findall(r'SMOE_CAPABILITY_(\w+) = 1 << (\d+)', file.read())
    return [(1 << int(bit), name.lower().replace('_', ' ')) for name, bit in found]


def tool_versions(tools):
    """What the shaders were compiled with."""
    lines = []
    for tool in tools:
        try:
            text = subprocess.run([tool, '--version'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  universal_newlines=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise devices.Missing('%s: %s' % (tool, error))
        lines.append(re.sub(r'^Glslang Version: (?:\d+:)?', 'glslang ', text.splitlines()[0]).split(' unknown')[0])
    return ' and '.join(lines)


def group_versions(group, gathered, versions):
    """The drivers' versions: what the packages say, and for the system's driver what it says itself."""
    found = []
    for results in gathered:
        part = results.device.part
        if part:
            package = 'chromium-common' if part == 'chromium' else 'mesa-vulkan-drivers'
            text = '%s %s' % (part if part == 'chromium' else 'Mesa', versions[part][package])
        else:
            text = results.header.get('driver_info', '').split(' (')[0]
        if text not in found:
            found.append(text)
    return ', '.join(found)


def choose(folder, only):
    """The devices that are set up. Those that are wanted by name must be."""
    chosen, absent = [], []
    for device in devices.table():
        try:
            device.check(folder)
        except devices.Missing as missing:
            if device.name in only or device.group in only:
                raise
            absent.append('%s (%s)' % (device.name, str(missing).partition(': run ')[2]))
            continue
        if not only or device.name in only or device.group in only:
            chosen.append(device)
    for name in only:
        if not any(name in (device.name, device.group) for device in chosen):
            raise devices.Missing('%s: no such device or group' % name)
    if absent:
        print('not set up: ' + ', '.join(absent))
    return chosen


def gather(arguments, chosen):
    """Results of every device, a process for each of as many as there are cores."""
    def one(device):
        program = arguments.program_arm64 if device.part == 'arm64' else arguments.program
        if not program or not os.path.exists(program):
            raise devices.Missing('%s: %s not found: scons drivers builds it' % (device.name, program or 'the arm64 program'))
        flags = ['--few'] if arguments.few or device.part in FEW else []
        whole = bool(arguments.shaders) and not arguments.few
        results = collect.collect(device, arguments.folder, program, flags + arguments.shaders, whole=whole)
        print('%-12s %4d pipelines, %4d compiled, %5.1f s' % (device.name, len(results.pipelines), results.compiled, results.seconds),
              flush=True)
        return results
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        # The emulated ones take longest: first.
        futures = {device.name: pool.submit(one, device) for device in sorted(chosen, key=lambda device: device.part != 'arm64')}
        try:
            return [futures[device.name].result() for device in chosen]
        finally:
            for future in futures.values():
                future.cancel()


def sections(gathered, versions, tools):
    """The page's parts, for the groups all of whose devices are here and told what they had to."""
    parts = {'': page.HEAD % tools + page.LEGEND}
    for group in page.GROUPS:
        here = [results for results in gathered if results.device.group == group and not results.failed]
        if len(here) == len([device for device in devices.table() if device.group == group]):
            parts[group] = page.section(group, here, group_versions(group, here, versions), capability_names())
    return parts


def compare(kept, made, name):
    """Prints how two pages differ; whether they do. Sections of other versions are not compared."""
    differ = False
    if not kept:
        print('%s: not there' % name)
        return True

    def version_of(text):
        found = (line for line in text.splitlines() if line.startswith('Drivers: ') or 'compiled by' in line)
        return next(found, '').partition(' Cells: ')[0]
    if version_of(kept.get('', '')) != version_of(made['']):
        print('%s: not compared: "%s", here "%s"' % (name, version_of(kept.get('', '')), version_of(made[''])))
        return False
    for group, text in made.items():
        old = kept.get(group, '')
        if old and version_of(old) != version_of(text):
            print('%s: %s not compared: there "%s", here "%s"' % (name, group, version_of(old), version_of(text)))
        elif old != text:
            if group in page.IRREPRODUCIBLE and page.without_numbers(old) == page.without_numbers(text):
                print('%s: %s: other numbers, which is no failure: %s' % (name, group, page.IRREPRODUCIBLE[group]))
            else:
                differ = True
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, name + ' as made now', n=0))
    return differ


def main():
    parser = argparse.ArgumentParser(description='Compiles every kernel on every device of build/drivers and compares with TABLE.md.')
    parser.add_argument('--folder', default=devices.FOLDER, help='what setup.py made [%s]' % devices.FOLDER)
    parser.add_argument('--program', default='build/tests/drivers/compile')
    parser.add_argument('--program-arm64', default='build/drivers/program-arm64/compile')
    parser.add_argument('--page', default=os.path.relpath(os.path.join(HERE, 'TABLE.md')))
    parser.add_argument('--glslang', default='glslangValidator')
    parser.add_argument('--spirv-opt', default='spirv-opt')
    parser.add_argument('--update', action='store_true', help='rewrite the page')
    parser.add_argument('--few', action='store_true', help='the layer shapes that find most alone, with nothing and all masked')
    parser.add_argument('--only', action='append', default=[], help='a device or group; may be given again')
    parser.add_argument('--jobs', type=int, choices=range(1, 257), metavar='N', default=os.cpu_count() or 1)
    parser.add_argument('shaders', nargs='*', help='SPIR-V to compile too, with its constants\' defaults')
    arguments = parser.parse_args()
    begin = time.monotonic()
    try:
        versions = devices.versions(arguments.folder)
        gathered = gather(arguments, choose(arguments.folder, arguments.only))
        made = sections(gathered, versions, tool_versions([arguments.glslang, arguments.spirv_opt]))
    except devices.Missing as missing:
        print('table.py: %s' % missing, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('table.py: interrupted; %s is as it was' % arguments.page, file=sys.stderr)
        return 130
    wrong = [text for results in gathered for text in page.problems(results)]
    for text in wrong:
        print('WRONG: ' + text)
    kept = {}
    if os.path.exists(arguments.page):
        with open(arguments.page, encoding='utf-8') as file:
            kept = page.split(file.read())
    differ = compare(kept, made, arguments.page)
    if arguments.update:
        with open(arguments.page, 'w', encoding='utf-8') as file:
            file.write(page.join({**kept, **made}))
    elif differ:
        print('%s is not what comes out now: scons drivers update=yes rewrites it' % arguments.page)
    pipelines = sum(len(results.pipelines) for results in gathered)
    print('%d pipelines on %d devices, %d of them compiled now, %d wrong, %.0f s' % (
        pipelines, len(gathered), sum(results.compiled for results in gathered), len(wrong), time.monotonic() - begin))
    return 1 if wrong or (differ and not arguments.update) else 0


if __name__ == '__main__':
    sys.exit(main())
