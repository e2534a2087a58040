"""What the tests of smoe-classify's answers share: a named model, made pictures, and what the program says of them."""
import functools
import glob
import math
import os
import random
import re
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import pictures
import tap
import tensor_file

CLASSIFY = os.path.join(tap.BUILD, 'bin', 'smoe-classify')
GOLDEN = sorted(glob.glob(FOLDER + '/gmoe_smooth*.safetensors'))[0]
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
run = functools.partial(tap.outputs, CLASSIFY, *DEVICE)
NAMES = ('airship', 'bee', 'canoe', 'deer', 'elm', 'fig', 'goat', 'house', 'iris', 'jay')
scratch = tempfile.TemporaryDirectory()


def path_of(*names):
    return os.path.join(scratch.name, *names)


def named_model(**more):
    tensors, metadata = tensor_file.read(GOLDEN)
    path = path_of('named%s.safetensors' % ''.join('_' + key for key in more))
    tensor_file.write(path, tensors, {**metadata, 'classes': ', '.join(NAMES), 'crop_pct': '1', **more})
    return path


def make_picture(path, seed):
    """Noise over a colour, so that different pictures get different answers."""
    pick = random.Random(seed)
    width, height, colour = pick.randint(20, 60), pick.randint(20, 60), [pick.randint(0, 255) for _ in range(3)]
    noise = pictures.noise(seed, width, height)
    pictures.write_png(path, width, height, bytes((colour[i % 3] + value // 2) // 2 for i, value in enumerate(noise)))
    return path


def blocks_of(output):
    """{path: [(class, percent, bar)]} of the output's pictures. Before them stands what runs, and what it knows."""
    result, current = {}, None
    lines = output.splitlines()
    assert not lines or (' on ' in lines[0] and re.match(r'\d+ class', lines[1]) and not lines[2]), output
    for line in lines[3:]:
        match = re.match(r'^  (\S.*?) +([\d.]+) %  ([█▏▎▍▌▋▊▉]*)$', line)
        if match:
            result[current].append((match.group(1), float(match.group(2)), match.group(3)))
        elif line and not re.match('time per picture|compiling, s|unsure of|  unsure: ', line):
            current = line
            result[current] = []
    return result


def unsure_of(output):
    """{path: what is said} where the program says that it is unsure."""
    lines = output.splitlines()
    return {path: line.strip() for path, line in zip(lines, lines[1:]) if line.startswith('  unsure: ')}


def softmax(z, temperature=1):
    exponentials = [math.exp((value - max(z)) / temperature) for value in z]
    return [value / sum(exponentials) for value in exponentials]


def classify(paths, *arguments):
    """Logits per picture."""
    out = path_of('out.safetensors')
    run('--out', out, *arguments, *paths)
    return [list(row) for row in tensor_file.read(out)[0]['logits'].rows()]
