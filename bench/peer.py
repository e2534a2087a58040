#!/usr/bin/env python3
"""Times smoe-bench and another program beside each other: the same layer, the same numbers in it, the same device, alternating.

    bench/peer.py --peer /path/to/moe_peer

The peer is called as `moe_peer Vulkan0 E k D H T f32|f16|q4_0|q8_0|mxfp4 GATE SECONDS DUMP`: it runs one gated layer (silu, softmax,
the k weights renormalised, no biases) for SECONDS, writes its y to DUMP as raw float32, and prints "median X us min Y us". README.md
says what it must draw its numbers from. Prints a Markdown table; ratios above 1 mean that smoe is faster. --json and --peer-json write both
programs' results in the form of smoe-bench, for smoe-bench compare and report.
"""
import argparse
import array
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What the peer calls a type, and smoe: as many bits for a weight.
TYPES = {'f32': 'f32', 'f16': 'f16', 'q4_0': 'q4', 'q8_0': 'q8', 'mxfp4': 'mxfp4'}
SHAPES = ((128, 8, 512, 256), (8, 2, 1024, 2048), (8, 2, 512, 1024))  # E, k, D, H
CASES = [shape + (tokens, weights) for shape in SHAPES for tokens in (1, 32, 512) for weights in TYPES]
TIMES = re.compile(r'median ([\d.]+) us min ([\d.]+) us')


class Refused(Exception):
    """A program that did not run a case; its text is the reason."""


def parse_case(text):
    parts = text.split(',')
    if len(parts) != 6 or parts[5] not in TYPES or not all(part.isdigit() for part in parts[:5]):
        raise argparse.ArgumentTypeError('%s: must be E,k,D,H,T,TYPE with the type %s' % (text, ' or '.join(TYPES)))
    return tuple(int(part) for part in parts[:5]) + (parts[5],)


def output_of(command, environment, timeout):
    try:
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8', errors='replace',
                             timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Refused('stopped after %d s' % timeout)
    if run.returncode != 0:
        lines = (run.stderr + run.stdout).strip().splitlines()
        raise Refused('exit status %d%s' % (run.returncode, ': ' + lines[-1] if lines else ''))
    return run.stdout


def run_peer(arguments, case, dump):
    """Nanoseconds: median and minimum of the run."""
    experts, top_k, width, hidden, tokens, weights = case
    command = [arguments.peer, arguments.peer_backend] + [str(n) for n in (experts, top_k, width, hidden, tokens)]
    command += [weights, arguments.gate, str(arguments.seconds), dump]
    environment = dict(os.environ, GGML_VK_VISIBLE_DEVICES=arguments.peer_device)
    if arguments.full_precision:
        environment['GGML_VK_DISABLE_F16'] = '1'
    found = TIMES.search(output_of(command, environment, arguments.timeout))
    if not found:
        raise Refused('no times in what it printed')
    return float(found.group(1)) * 1e3, float(found.group(2)) * 1e3


def run_smoe(arguments, case, dump):
    *shape, weights = case
    command = [arguments.smoe, '--shape', ','.join(str(n) for n in shape) + ',gated', '--weights', TYPES[weights], '--hard', '--no-peak',
               '--peer-data', '--seconds', str(arguments.seconds), '--dump', dump, '--json', '-']
    command += ['--device', arguments.device] if arguments.device else []
    document = json.loads(output_of(command, None, arguments.timeout))
    row = document['rows'][0]
    if 'unsupported' in row:
        raise Refused('unsupported: ' + row['unsupported'])
    return row['hard']['host_ns']['median'], row['hard']['host_ns']['min'], document


def floats(path):
    values = array.array('f')
    with open(path, 'rb') as file:
        values.frombytes(file.read())
    return values


def difference(ours, theirs):
    """The largest difference of two outputs over the largest output."""
    ours, theirs = floats(ours), floats(theirs)
    if len(ours) != len(theirs) or not ours:
        raise Refused('outputs of %d and %d numbers' % (len(ours), len(theirs)))
    largest = max(abs(value) for value in theirs)
    worst = max(abs(a - b) for a, b in zip(ours, theirs))
    return worst / largest if largest > 0 and worst == worst else float('nan')


def compare(arguments, case):
    """What both measured, [(median, minimum, ...)], and how far their outputs differ. Alternates, so that what else the machine does
    meets both."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        dumps = [os.path.join(folder, name) for name in ('smoe', 'peer')]
        for _ in range(arguments.alternations):
            theirs.append(run_peer(arguments, case, dumps[1]))
            ours.append(run_smoe(arguments, case, dumps[0]))
        return ours, theirs, difference(*dumps)


def cells_of(ours, theirs, error):
    (our_median, our_min), (their_median, their_min) = (
        (statistics.median(run[0] for run in runs) / 1e6, min(run[1] for run in runs) / 1e6) for runs in (ours, theirs))
    return '%.4g (%.4g) | %.4g (%.4g) | %.3g (%.3g) | %.1e' % (their_min, their_median, our_min, our_median, their_min / our_min,
                                                              their_median / our_median, error)


def run_of(runs, like):
    """A routing of a row: host times, whose samples are the runs' medians."""
    medians = sorted(run[0] for run in runs)

    def place(share):
        at = share * (len(medians) - 1)
        low = int(at)
        return medians[low] + (at - low) * (medians[min(low + 1, len(medians) - 1)] - medians[low])

    times = {'min': min(run[1] for run in runs), 'p10': place(0.1), 'median': place(0.5), 'p90': place(0.9), 'max': medians[-1]}
    kept = {name: like[name] for name in ('active_total', 'active_mean', 'active_experts', 'flop', 'bytes', 'weights_bytes', 'file_bytes')}
    return {**kept, 'forwards': len(runs), 'samples_ns': [round(run[0]) for run in runs], 'host_ns': times,
            'flop_per_second': like['flop'] / times['median'] * 1e9, 'bytes_per_second': like['bytes'] / times['median'] * 1e9,
            'ns_per_file_byte': times['median'] / like['file_bytes']}


NOT_SHAPE = ('kernels', 'plan_first_ns', 'plan_again_ns', 'hard', 'smooth', 'smooth_over_hard_time', 'smooth_over_hard_experts')


def hide_files(words):
    """The command line, with FILE for a file's name."""
    options, hidden = ('--peer', '--smoe', '--json', '--peer-json'), []
    for i, word in enumerate(words):
        name = word.split('=')[0]
        hidden.append('FILE' if i > 0 and words[i - 1] in options else name + '=FILE' if name in options and name != word else word)
    return hidden


class Documents:
    """The results of both, for --json and --peer-json; the files are whole after each case."""

    def __init__(self, arguments):
        self.paths, self.documents = (arguments.json, arguments.peer_json), None
        self.peer = {'name': arguments.peer_name, 'version': arguments.peer_version, 'commit': None}

    def add(self, ours, theirs):
        head = ours[0][2]
        shape = {name: value for name, value in head['rows'][0].items() if name not in NOT_SHAPE}
        if not self.documents:
            line = hide_files(sys.argv[1:])
            both = {**head, 'run': {**head['run'], 'command_line': line, 'finished': False}}
            self.documents = [{**both, 'program': program, 'rows': []} for program in (head['program'], self.peer)]
        for document, runs in zip(self.documents, (ours, theirs)):
            document['rows'].append({**shape, 'hard': run_of(runs, head['rows'][0]['hard'])})
        self.write()

    def finish(self):
        for document in self.documents or []:
            document['run']['finished'] = True
        self.write()

    def write(self):
        for path, document in zip(self.paths, self.documents or []):
            if path:
                with open(path + '.part', 'w', encoding='utf-8') as file:
                    json.dump(document, file, indent=1)
                    file.write('\n')
                os.replace(path + '.part', path)


def main():
    parser = argparse.ArgumentParser(description='Times smoe-bench beside another program.')
    parser.add_argument('--peer', required=True, help="the peer's program")
    parser.add_argument('--smoe', default=os.path.join(ROOT, 'build/bin/smoe-bench'), help='[build/bin/smoe-bench]')
    parser.add_argument('--device', help="smoe's device, as smoe-bench takes it")
    parser.add_argument('--peer-backend', default='Vulkan0', help="the peer's name of the backend [Vulkan0]")
    parser.add_argument('--peer-device', default='0', help='GGML_VK_VISIBLE_DEVICES for the peer [0]')
    parser.add_argument('--gate', default='late', choices=('late', 'softmax'),
                        help='softmax over the k chosen, or over all and then renormalised: the same result [late]')
    parser.add_argument('--full-precision', action='store_true', help='GGML_VK_DISABLE_F16=1: the peer computes in float32, as smoe does')
    parser.add_argument('--case', type=parse_case, action='append', metavar='E,k,D,H,T,TYPE', help='only this; may stand several times')
    parser.add_argument('--alternations', type=int, default=6,
                        help='runs of each program per case; smoe-bench compare tells nothing of fewer than 6 [6]')
    parser.add_argument('--seconds', type=float, default=2.0, help='of each run [2]')
    parser.add_argument('--timeout', type=int, default=600, help='seconds for one run, its start included [600]')
    parser.add_argument('--json', metavar='FILE', help="smoe's results in the form of smoe-bench, with the host's times")
    parser.add_argument('--peer-json', metavar='FILE', help="the peer's results in the same form")
    parser.add_argument('--peer-name', default='ggml-vulkan', help='what the peer is called there [ggml-vulkan]')
    parser.add_argument('--peer-version', default='unknown', help='and its version [unknown]')
    arguments = parser.parse_args()
    if arguments.alternations < 1:
        parser.error('--alternations must be at least 1')

    print('| E, k, D, H | T | weights | peer ms: best (median) | smoe ms: best (median) | ratio of best (medians) | difference |')
    print('|---|---|---|---|---|---|---|', flush=True)
    refused, documents = 0, Documents(arguments)
    for case in arguments.case or CASES:
        experts, top_k, width, hidden, tokens, weights = case
        try:
            ours, theirs, error = compare(arguments, case)
            cells = cells_of(ours, theirs, error)
            documents.add(ours, theirs)
        except Refused as reason:
            cells, refused = '%s | | | ' % reason, refused + 1
        print('| %d, %d, %d, %d | %d | %s | %s |' % (experts, top_k, width, hidden, tokens, weights, cells), flush=True)
    documents.finish()
    return 1 if refused else 0


if __name__ == '__main__':
    sys.exit(main())
