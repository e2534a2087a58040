"""TABLE.md: kernels by devices, and what about them is wrong."""
import re

GROUPS = ('AMD', 'Intel', 'NVIDIA', 'Adreno', 'Mali', 'software')

# Seen with Mesa 26.1.6: in a folder whose name is two letters longer, kernels with shared memory have other numbers.
IRREPRODUCIBLE = {'Intel': 'its compiler merges loads in an order that depends on the addresses of its own memory'}


class Metrics:
    """The names that a group of drivers gives its statistics. spills: what no kernel may have any of."""

    def __init__(self, registers, waves, shared, spills, instructions, legend):
        self.registers, self.waves, self.shared, self.spills, self.instructions = registers, waves, shared, spills, instructions
        self.legend = legend

    def names(self):
        return [name for name in (self.registers, self.waves, self.shared, self.instructions) if name] + list(self.spills)


METRICS = {
    'AMD': Metrics('VGPRs', 'Subgroups per SIMD', 'LDS size', ('Spilled SGPRs', 'Spilled VGPRs', 'Scratch size'), 'Instructions',
                   'vector registers / subgroups per SIMD'),
    'Intel': Metrics('Max live registers', None, 'Workgroup Memory Size', ('Spills', 'Fills', 'Scratch Memory Size'), 'Instructions',
                     'live registers'),
    'NVIDIA': Metrics('Number of GPRs', 'Max warps/SM', None, ('Spills to memory', 'Fills from memory', 'SLM size'), 'Instruction count',
                      'registers / warps per multiprocessor. "Spills to reg", a uniform register kept in an ordinary one, is no spill: '
                      'nothing goes to memory, and the ordinary ones are counted'),
    'Adreno': Metrics('Registers used', 'Max Waves Per Core', None, ('STP Count', 'LDP Count'), 'Instruction Count',
                      'registers of four words / waves per core; a spill is any load or store of private memory'),
    'Mali': Metrics('Registers used', 'Threads', None, ('Spills', 'Fills'), 'Instructions',
                    'registers / threads, 2 where the core holds as many as it can'),
}


def is_cooperative(pipeline):
    return '_cooperative' in pipeline['kernel']


def label(pipeline):
    """The row that a pipeline belongs to."""
    rows, columns, depth = pipeline['tile']
    if pipeline['kernel'].endswith(('_tiled', '_cosine', '_cooperative', '_cooperative_bfloat16')):
        return '%s %dx%dx%d' % (pipeline['kernel'], rows, columns, depth)
    if '_vector' in pipeline['kernel'] or pipeline['kernel'].endswith('_broadcast'):
        return '%s %d row%s' % (pipeline['kernel'], rows, 's' * (rows > 1))
    return pipeline['kernel']


def natural(text):
    return [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', text)]


def spills_of(pipeline, metrics):
    return ['%s %d' % (name, executable['statistics'][name]) for executable in pipeline.get('executables', ())
            for name in metrics.spills if executable['statistics'].get(name)]


def problems(results):
    """What must not be, one line each."""
    device, metrics = results.device, METRICS.get(results.device.group)
    if results.failed:
        yield '%s: failed: %s' % (device.name, results.failed)
    elif results.unusable and not (device.unusable and results.unusable.startswith(device.unusable)):
        yield '%s: not used: %s' % (device.name, results.unusable)
    elif device.unusable and not results.unusable:
        yield '%s: used, although devices.py says that it is not: %s' % (device.name, device.unusable.strip())
    elif not results.unusable and not results.pipelines:
        yield '%s: no pipelines' % device.name
    for name, missing in results.rows.items():
        if not missing and not results.embedded.get(name, True):
            yield '%s: %s: not in this build: its shader tools are too old' % (device.name, name)
    for name, reason in results.refused.items():
        if not name.endswith('.spv'):  # the samples' shaders may ask for what only their programs bind
            yield '%s: %s: refused: %s' % (device.name, name, reason)
    for pipeline in results.pipelines.values():
        name = '%s: %s, %s' % (device.name, label(pipeline), pipeline['shape'])
        if 'crashed' in pipeline:
            yield '%s: the driver crashed: %s' % (name, pipeline['crashed'])
        elif pipeline.get('result') != 0:
            yield '%s: refused, although the kernel table and the device say that it runs: VkResult %s' % (name, pipeline.get('result'))
        elif metrics:
            if not pipeline['executables']:
                yield '%s: no statistics' % name
            missing = {key for executable in pipeline['executables'] for key in metrics.names() if key not in executable['statistics']}
            if missing:
                yield '%s: the driver no longer tells %s' % (name, ', '.join(sorted(missing)))
            else:
                for spill in spills_of(pipeline, metrics):
                    yield '%s: spills: %s' % (name, spill)
                if is_cooperative(pipeline) and not pipeline.get('matrix_instructions'):
                    yield '%s: no matrix instructions' % name


def values(pipelines, name):
    return [executable['statistics'][name] for pipeline in pipelines for executable in pipeline.get('executables', ())
            if name and name in executable['statistics']]


def shared_memory(pipelines, metrics):
    """Bytes as the driver tells them or, where it does not, as selection counts them, of the library's kernels only."""
    if metrics and metrics.shared:
        return values(pipelines, metrics.shared)
    return [pipeline['shared'] for pipeline in pipelines if not pipeline['kernel'].endswith('.spv')]


def cell(pipelines, metrics):
    if any('crashed' in pipeline for pipeline in pipelines):
        return 'CRASH'
    if any(pipeline.get('result') != 0 for pipeline in pipelines):
        return 'REFUSED'
    if not metrics:
        return 'yes'
    sizes = sorted({executable['subgroup'] for pipeline in pipelines for executable in pipeline['executables']})
    registers, waves = values(pipelines, metrics.registers), values(pipelines, metrics.waves)
    text = '%s: %s' % (','.join(map(str, sizes)), '%d' % max(registers) if registers else '?')
    if waves:
        text += '/%d' % min(waves)
    if any(map(is_cooperative, pipelines)):
        text += ' m%d' % min(pipeline.get('matrix_instructions', 0) for pipeline in pipelines)
    return text + ' SPILL' * any(spills_of(pipeline, metrics) for pipeline in pipelines)


def without(kernel, results, capability_names):
    """Why a device has no pipeline of a kernel."""
    missing = results.rows.get(kernel, 0)
    if missing:
        names = [name for bit, name in capability_names if missing & bit]
        implied = [name for name in names if any(name.startswith(other + ' ') for other in names)]
        return 'no ' + ', '.join(name for name in names if name not in implied)
    return 'left out' if not results.embedded.get(kernel, True) else '·'


def section(group, gathered, versions, capability_names):
    """The part of the page for one group of devices."""
    metrics, usable = METRICS.get(group), [one for one in gathered if not one.unusable]
    rows = {}
    for results in usable:
        for pipeline in results.pipelines.values():
            rows.setdefault(label(pipeline), {}).setdefault(results.device.name, []).append(pipeline)
    for results in usable:
        for kernel in results.rows:
            if not any(name.split(' ')[0] == kernel for name in rows):
                rows[kernel] = {}
    order = list(usable[0].rows) if usable else []
    ranked = sorted(rows, key=lambda name: (order.index(name.split(' ')[0]) if name.split(' ')[0] in order else len(order), natural(name)))
    lines = ['## ' + group, '', 'Drivers: %s.%s' % (versions, ' Cells: subgroup size: %s.' % metrics.legend if metrics else ''), '']
    lines += ['- %s: %s' % (one.device.name, one.device.title + (': not used: ' + one.unusable if one.unusable else ''))
              for one in gathered]
    lines += ['', '| kernel and tile | shared | %s |' % ' | '.join(one.device.name for one in usable),
              '|---|---|' + '---|' * len(usable)]
    for name in ranked:
        cells = [cell(rows[name][one.device.name], metrics) if one.device.name in rows[name]
                 else without(name.split(' ')[0], one, capability_names) for one in usable]
        used = shared_memory([pipeline for pipelines in rows[name].values() for pipeline in pipelines], metrics)
        lines.append('| %s | %s | %s |' % (name, max(used, default=''), ' | '.join(cells)))
    counts = ['%d' % len(one.pipelines) for one in usable]
    lines.append('| *pipelines* | | %s |' % ' | '.join(counts))
    if metrics:
        sums = ['%d' % sum(values(one.pipelines.values(), metrics.instructions)) for one in usable]
        lines.append('| *instructions* | | %s |' % ' | '.join(sums))
    refused = sorted({'- %s: %s: %s' % (one.device.name, name, reason) for one in usable for name, reason in one.refused.items()})
    if refused:
        lines += ['', 'Beyond a limit of the device, or for want of a feature:', ''] + refused
    return '\n'.join(lines) + '\n'


HEAD = '''# Kernels by devices

Written by `scons drivers update=yes`; do not edit. README.md says how to read it. Shaders compiled by %s.
'''

LEGEND = '''
A cell has the subgroup sizes that the driver chose, then what is said below for each group, the worst over all layer shapes and weight
types. Compiled are the layer shapes of compile.c as the device is, those marked `first` also with each capability masked alone and with
all; on Mali those marked alone, as the device is and with all capabilities masked. `·`: for none of these does selection choose the
kernel; `no ...`: the kernel table asks for what the device has not. On lavapipe-26 the cooperative kernels are chosen only where a
capability is masked that the broadcast ones need. Shared memory is bytes per workgroup, the most: AMD's and Intel's as the driver tells
it, the others' as selection counts it, in steps of 16. Last the shaders of the tools, the samples and the benchmark, with their
constants' defaults; vision_matmul_broadcast.spv is compiled on no device, since nothing here binds texel buffers, nor are the benchmark's
products of matrices, whose shapes the device lists.
m4: four instructions that multiply matrices (v_wmma, dpas, HMMA) in the code of a cooperative kernel, the fewest of any.
A cell with a spill would say SPILL: `scons drivers` fails on one.
'''


def without_numbers(text):
    """A section's rows and subgroup sizes, without the statistics."""
    return re.sub(r'^(\| \*instructions\*).*', r'\1', re.sub(r': \d+', ':', text), flags=re.MULTILINE)


def split(text):
    """{'': head, group: section} of a page."""
    parts = re.split(r'^(?=## )', text, flags=re.MULTILINE)
    return {(part.splitlines()[0][3:] if part.startswith('## ') else ''): part.strip('\n') + '\n' for part in parts}


def join(parts):
    return '\n'.join(parts[name] for name in ('',) + GROUPS if name in parts)
