"""Results documents of devices that are not there (format 1 of smoe-bench --json), for tests of what reads them. Times follow from a
device's peaks and a little noise, always the same."""
import copy
import random

SHAPES = {  # d_model, d_hidden, experts, top_k, gated, and further members
    'tiny-grouped': (64, 48, 16, 4, True, {'gate': 'sigmoid', 'groups': 4, 'top_groups': 2, 'shared_hidden': 80, 'shared_gate': True}),
    'gmoe-s16': (384, 1536, 6, 2, False, {'router': 'cosine', 'projection_width': 256}),
    'switch-base-16': (768, 3072, 16, 1, False, {}),
    'olmoe': (2048, 1024, 64, 8, True, {}),
    'qwen3-30b-a3b': (2048, 768, 128, 8, True, {}),
    'gpt-oss-20b': (2880, 2880, 32, 4, True, {}),
    'deepseek-v3': (7168, 2048, 256, 8, True, {'gate': 'sigmoid', 'groups': 8, 'top_groups': 4, 'shared_hidden': 2048}),
}
# Bits of a weight in memory and in the format of files, and that.
BITS = {'f32': (32, 32, 'F32'), 'f16': (16, 16, 'F16'), 'bf16': (16, 16, 'BF16'), 'mxfp4': (4.25, 4.25, 'MXFP4'), 'q8': (8.5, 5.5, 'Q5_0'),
        'of tomorrow': (3, 3, '<b>')}
STAGES = ['route_project', 'route_logits', 'route_group', 'route_select', 'sort', 'expert_up', 'expert_down', 'combine']


def device(name, driver, info, flop, bandwidth, dispatch, matrix=None, masked=(), quirks=(), kind=2, memory=8 << 30):
    """flop: float32's a second; matrix: float16's of matrix units, None for a device without; dispatch: nanoseconds of an empty one."""
    peaks = [{'name': 'fma_float32', 'unit': 'flop/s', 'value': flop, 'best_of': 24},
             {'name': 'fma_float16', 'unit': 'flop/s', 'value': 2 * flop, 'best_of': 24} if matrix else
             {'name': 'fma_float16', 'unit': 'flop/s', 'not_measured': 'the device has no shaderFloat16'},
             {'name': 'dot_int8', 'unit': 'op/s', 'value': 4 * flop, 'best_of': 24},
             {'name': 'matrix_float16_float32_16x16x16', 'unit': 'flop/s', 'value': matrix, 'best_of': 24} if matrix else
             {'name': 'matrix_float16_float32_16x16x16', 'unit': 'flop/s', 'not_measured': 'the device has no matrix units'},
             {'name': 'copy_command', 'unit': 'byte/s', 'value': bandwidth, 'best_of': 24},
             {'name': 'copy_kernel', 'unit': 'byte/s', 'value': 0.93 * bandwidth, 'best_of': 24},
             {'name': 'read', 'unit': 'byte/s', 'value': 0.97 * bandwidth, 'best_of': 24},
             {'name': 'host_to_device', 'unit': 'byte/s', 'value': 2.1e10, 'best_of': 24},
             {'name': 'device_to_host', 'unit': 'byte/s', 'value': 1.9e10, 'best_of': 24},
             {'name': 'empty_dispatch', 'unit': 'ns', 'value': dispatch, 'best_of': 24},
             {'name': 'barrier', 'unit': 'ns', 'value': 0.4 * dispatch, 'best_of': 24}]
    return {'name': name, 'driver': driver, 'driver_info': info, 'driver_version': 1, 'vendor_id': 4318, 'device_id': 9016,
            'api_version': 4206847, 'type': kind, 'subgroup_size': 32, 'memory_size': memory, 'timestamps': True,
            'capabilities': ['subgroup_arithmetic', 'subgroup_shuffle'], 'masked': list(masked), 'quirks': list(quirks), 'peaks': peaks}


def peak_of(one, name):
    return next((peak.get('value') for peak in one['peaks'] if peak['name'] == name), None)


def spread(median, noise):
    return {'min': median * (1 - 1.2 * noise), 'p10': median * (1 - noise), 'median': median, 'p90': median * (1 + 1.6 * noise),
            'max': median * (1 + 3 * noise)}


def layer_of(name):
    d, h, experts, top_k, gated, more = SHAPES[name]
    return {'layer': name, 'd_model': d, 'd_hidden': h, 'experts': experts, 'top_k': top_k, 'max_active': min(experts, top_k + 4),
            'router': 'linear', 'router_bias': False, 'gate': 'softmax', 'selection_bias': False, 'activation': 'silu', 'gated': gated,
            'renormalize': True, 'biases': False, **more}


def run_of(one, row, draw, smooth):
    tokens, d, h = row['tokens'], row['d_model'], row['d_hidden']
    active = tokens * row['top_k'] + (max(1, tokens // 2) if smooth else 0)
    distinct = min(row['experts'], active)
    matrices = 3 if row['gated'] else 2
    of_weights = distinct * matrices * d * h * BITS[row['weights']][0] / 8
    of_files = of_weights / BITS[row['weights']][0] * BITS[row['weights']][1]
    moved = of_weights + row['experts'] * d * 4 + 8 * tokens * d
    mixed = row['mixed_precision'] and peak_of(one, 'matrix_float16_float32_16x16x16')
    kind = 'matrix_float16_float32_16x16x16' if mixed else 'fma_float32'
    flop_peak, bandwidth, dispatch = peak_of(one, kind), peak_of(one, 'copy_command'), peak_of(one, 'empty_dispatch')
    flop = {'route_logits': 2 * tokens * d * row['experts'], 'expert_up': 2 * active * d * h * (matrices - 1),
            'expert_down': 2 * active * d * h, 'combine': 2 * active * d}
    stages = {}
    for name in row['kernels']:
        share = {'expert_up': (matrices - 1) / matrices, 'expert_down': 1 / matrices}.get(name, 0.002)
        time = max(flop.get(name, 0) / flop_peak * 2.4, moved * share / bandwidth * 1.5) * 1e9 + 1.3 * dispatch
        stage = {'ns': spread(time * draw.uniform(0.9, 1.2), 0.04), 'flop': flop.get(name, 0)}
        if stage['flop']:
            stage['flop_per_second'] = stage['flop'] / stage['ns']['median'] * 1e9
            stage['peak'], stage['share_of_peak'] = kind, stage['flop_per_second'] / flop_peak
        stages[name] = stage
    total = sum(stage['ns']['median'] for stage in stages.values()) * 1.04
    time = spread(total, draw.uniform(0.01, 0.09))
    done = sum(flop.values())
    return {'eps': 0.21 if smooth else 0, 'expected_active': row['top_k'], 'active_total': active, 'active_mean': active / tokens,
            'active_experts': distinct, 'forwards': 120, 'stages': stages, 'device_ns': time, 'host_ns': spread(total * 1.05 + 3e4, 0.06),
            'weights_bytes': of_weights, 'file_bytes': of_files, 'ns_per_file_byte': total / of_files,
            'flop': done, 'bytes': moved, 'flop_per_second': done / total * 1e9, 'bytes_per_second': moved / total * 1e9,
            'share_of_operations': done / flop_peak / total * 1e9, 'share_of_bytes': moved / bandwidth / total * 1e9,
            'samples_ns': [round(total * draw.uniform(0.97, 1.06)) for _ in range(24)], 'median_error': 0.004, 'drift': 1.002,
            'clock_hz': 2.6e9,
            'check': {'tokens': min(tokens, 8), 'largest_difference': 1.2e-6, 'allowed': 1e-4, 'good': True}}


def row_of(one, index, name, tokens, weights, draw, mixed=False):
    row = {'device': index, 'kind': 'layer', **layer_of(name), 'tokens': tokens, 'weights': weights, 'file_format': BITS[weights][2],
           'file_bits': BITS[weights][1], 'mixed_precision': mixed}
    total = row['experts'] * 3 * row['d_model'] * row['d_hidden'] * BITS[weights][0] / 8
    if total > one['memory_size'] * 0.6:
        row['unsupported'] = 'needs %.2f GB of device memory, more than 60 %% of its %.2f GB (--memory)' % (
            total / 1e9, one['memory_size'] / 1e9)
        return row
    absent = {'route_project'} if row['router'] != 'cosine' else set()
    absent |= {'route_group'} if 'groups' not in row else set()
    row['kernels'] = {stage: {'name': stage + ('_cooperative' if mixed and 'expert' in stage else '_tiled'), 'workgroup_size': 128,
                              'tile_rows': 64 if tokens > 8 else 4, 'tile_columns': 64, 'tile_depth': 16}
                      for stage in STAGES if stage not in absent}
    row['plan_first_ns'], row['plan_again_ns'] = 3.1e7, 1.2e5
    row['hard'], row['smooth'] = run_of(one, row, draw, False), run_of(one, row, draw, True)
    row['smooth_over_hard_time'] = row['smooth']['device_ns']['median'] / row['hard']['device_ns']['median']
    row['smooth_over_hard_experts'] = row['smooth']['active_total'] / row['hard']['active_total']
    row['mixed_over_float32_time' if mixed else 'totals_over_none_time'] = draw.uniform(0.4, 1.3)
    return row


def route_row(one, index, experts, top_k, tokens, draw, layer='route', d_model=256, extra=4):
    time = peak_of(one, 'empty_dispatch') / tokens * 2 + experts * top_k * 4e9 / peak_of(one, 'copy_command') * draw.uniform(1.2, 2)
    smooth = {'ns_per_token': 1.2 * time, 'share_of_bytes': 0.26, 'samples_ns': [round(1.2 * time * tokens)] * 3}
    return {'device': index, 'kind': 'route', 'layer': layer, 'd_model': d_model, 'experts': experts, 'top_k': top_k,
            'max_active': min(experts, top_k + extra), 'tokens': tokens,
            'hard': {'ns_per_token': time, 'share_of_bytes': 0.3, 'samples_ns': [round(time * tokens)] * 3},
            'smooth': smooth if experts > top_k else {'unsupported': 'max_active is k: no extra expert may run'}}


def document(devices, names, tokens, weights=('f32', 'f16', 'bf16'), seed=1, mixed=False, route=False, **program):
    draw = random.Random(seed)
    rows = [row_of(one, index, name, count, kind, draw, mixed and kind != 'f32') for index, one in enumerate(devices) for name in names
            for kind in weights for count in tokens]
    if route:
        rows += [route_row(one, index, experts, top_k, count, draw) for index, one in enumerate(devices) for experts in (8, 64, 256, 1024)
                 for top_k in (2, 8) for count in (1, 64, 1024, 8192)]
    return {'format': 1,
            'program': {'name': 'smoe-bench', 'version': '0.2.0', 'commit': 'abc1234', 'compiler': 'gcc 12.2.0', 'mode': 'release',
                        'shader_tools': 'glslang 11.13.0', **program},
            'run': {'date': '2026-11-29T20:30:00Z', 'command_line': ['--seconds', '1', '--json', 'FILE'], 'finished': True},
            'system': {'os': 'Linux 6.1.0 x86_64', 'cpu': 'Invented CPU @ 3.1 GHz', 'cpu_count': 16, 'memory_bytes': 128e9},
            'devices': devices, 'rows': rows}


def software():
    return device('llvmpipe (LLVM 15.0.6, 256 bits)', 'llvmpipe', 'Mesa 22.3.6 (LLVM 15.0.6)', 1.14e11, 1.42e10, 2.1e4, kind=4,
                  memory=2 << 30, quirks=['lavapipe 22.3: gl_NumSubgroups is rounded down'])


def large():
    return device('Invented Accelerator H', 'Inventor', '570.1', 6.1e13, 4.2e12, 3.1e3, matrix=8.1e14, memory=141 << 30)


def small():
    return device('Imaginary Radiance 7900 of the North, Special Edition', 'radiance', 'Mesa 25.0', 4.6e13, 8.6e11, 4.4e3, matrix=1.1e14,
                  masked=['subgroup_shuffle'], memory=24 << 30)


def peer(of, seed=9):
    """What another program's results look like: no stages, no shares."""
    made = document([copy.deepcopy(of)], ['olmoe'], (1, 32, 512), ('f16',), seed, name='ggml-vulkan', version='d99724f', commit=None)
    made['devices'][0]['peaks'] = []
    for row in made['rows']:
        for name in ('kernels', 'plan_first_ns', 'plan_again_ns', 'smooth', 'smooth_over_hard_time', 'smooth_over_hard_experts'):
            row.pop(name, None)
        if 'hard' in row:
            kept = spread(3.3 * row['hard']['device_ns']['median'], 0.05)
            row['hard'] = {'active_total': row['hard']['active_total'], 'forwards': 30, 'host_ns': kept, 'flop': row['hard']['flop'],
                           'bytes': row['hard']['bytes'], 'samples_ns': [round(kept['median'])] * 9}
    return made
