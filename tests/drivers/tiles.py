#!/usr/bin/env python3
"""What other tiles of the tiled kernels would compile to, as a table for docs/performance.md:

    tests/drivers/tiles.py [TILE...]        after scons; TILE: 64x64x16:4x4, rows x columns x depth : rows x columns of an invocation

Of each device the registers and what limits occupancy, as in TABLE.md, and the spills: the worst over route_logits, expert_up (gated) and
expert_down with float32 and bfloat16 weights.
"""
import argparse
import re
import sys

import collect
import devices
import page

DEVICES = ('navi31', 'vega10', 'bmg', 'ampere', 'a740', 'g610')
TILES = ('16x64x16:2x4', '32x64x16:2x4', '32x64x16:4x4', '64x64x16:4x4', '64x64x8:4x4', '32x128x16:4x8', '64x128x16:4x8', '128x128x16:8x8')
PROGRAMS = {'arm64': 'build/drivers/program-arm64/compile'}


def numbers(tile):
    found = re.match(r'^(\d+)x(\d+)x(\d+):(\d+)x(\d+)$', tile)
    sizes = [int(part) for part in found.groups()] if found else [0]
    if min(sizes) == 0:
        raise devices.Missing('%s: no tile like 64x64x16:4x4' % tile)
    return sizes


def shared_memory(tile):
    """Bytes, as tiled_config in src/domain/matmul.c counts them."""
    rows, columns, depth, _, _ = numbers(tile)
    return 16 * (depth // 4 | 1) * (rows + columns)


def multiply_adds_per_byte(tile):
    """An invocation reads thread_rows + thread_columns vectors of four from shared memory for as many products of them."""
    _, _, _, rows, columns = numbers(tile)
    return 4 * rows * columns / (16 * (rows + columns))


def cell(device, tile):
    results = collect.collect(device, devices.FOLDER, PROGRAMS.get(device.part, 'build/tests/drivers/compile'), ['--tile', tile])
    if results.failed or not results.pipelines:
        raise devices.Missing('%s: %s' % (device.name, results.failed or 'no tiled kernel'))
    metrics, pipelines = page.METRICS[device.group], list(results.pipelines.values())
    if any(pipeline.get('result') != 0 for pipeline in pipelines):
        return 'refused'
    spills = max(sum(executable['statistics'][name] for name in metrics.spills)
                 for pipeline in pipelines for executable in pipeline['executables'])
    return page.cell(pipelines, metrics).replace(' SPILL', '') + (', %d spills' % spills if spills else '')


def main():
    parser = argparse.ArgumentParser(description='What other tiles of the tiled kernels would compile to.')
    parser.add_argument('tiles', nargs='*', metavar='TILE')
    parser.add_argument('--device', action='append', help='in place of ' + ', '.join(DEVICES))
    arguments = parser.parse_args()
    try:
        for tile in arguments.tiles:
            numbers(tile)
        chosen = [devices.find(name) for name in arguments.device or DEVICES]
        for device in chosen:
            device.check()
            if device.group not in page.METRICS:
                raise devices.Missing('%s: its driver tells no statistics' % device.name)
        print('| tile | shared | multiply-adds per byte | %s |' % ' | '.join(device.name for device in chosen))
        print('|---|---|---|' + '---|' * len(chosen))
        for tile in arguments.tiles or TILES:
            columns = ['%d' % shared_memory(tile), '%.2f' % multiply_adds_per_byte(tile)] + [cell(device, tile) for device in chosen]
            print('| %s | %s |' % (tile, ' | '.join(columns)), flush=True)
    except devices.Missing as missing:
        print('tiles.py: %s' % missing, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
