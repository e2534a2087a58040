"""smoe-classify with GMoE-S/16 at 224 x 224 and random float16 weights: too large for a reference here, so what must hold whatever it
computes."""
import array
import math
import os
import random
import struct
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import pictures
import tap
import tensor_file
from tensor_file import Tensor

CLASSIFY = os.path.join(tap.BUILD, 'bin', 'smoe-classify')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
scratch = tempfile.TemporaryDirectory()


def path_of(name):
    return os.path.join(scratch.name, name)


def make_picture(path, seed):
    pictures.write_png(path, 40, 50, pictures.noise(seed, 40, 50))
    return path


def classify(paths, *arguments):
    """Logits per picture."""
    out = path_of('out.safetensors')
    tap.command(CLASSIFY, *DEVICE, '--out', out, *arguments, *paths)
    return [list(row) for row in tensor_file.read(out)[0]['logits'].rows()]


def gmoe_s16(blocks=12, expert_blocks=(8, 10)):
    """Tensors by name. With 12 blocks 33 million numbers, drawn from a table of 60 thousand."""
    pick = random.Random(11)
    table = [pick.gauss(0, 1) for _ in range(60013)]
    scaled = {}

    def halves(scale, count, middle=0.0):
        if (scale, middle) not in scaled:
            scaled[scale, middle] = struct.pack('<%de' % len(table), *(middle + scale * value for value in table))
        start = pick.randrange(len(table))
        data = (scaled[scale, middle] * (2 + count // len(table)))[2 * start:2 * (start + count)]
        return array.array('H', data)
    tensors = {}

    def add(name, shape, scale, middle=0.0):
        tensors[name] = Tensor('F16', shape, halves(scale, math.prod(shape), middle))

    def linear(name, rows, columns):
        add(name + '.weight', [rows, columns], columns ** -0.5)
        add(name + '.bias', [rows], 0.1)
    width, hidden, experts = 384, 1536, 6
    add('patch_embed.proj.weight', [width, 3, 16, 16], 768 ** -0.5)
    add('patch_embed.proj.bias', [width], 0.1)
    add('cls_token', [1, 1, width], 1)
    add('pos_embed', [1, 197, width], 0.2)
    for block in range(blocks):
        name = 'blocks.%d.' % block
        for norm in ('norm1', 'norm2'):
            add(name + norm + '.weight', [width], 0.1, 1.0)
            add(name + norm + '.bias', [width], 0.1)
        linear(name + 'attn.qkv', 3 * width, width)
        linear(name + 'attn.proj', width, width)
        if block in expert_blocks:
            linear(name + 'mlp.gates.0.cosine_projector', 256, width)
            add(name + 'mlp.gates.0.sim_matrix', [256, experts], 1)
            add(name + 'mlp.gates.0.temperature', [1], 0, 2.3)
            add(name + 'mlp.experts.batched_fc1_w', [experts, hidden, width], width ** -0.5)
            add(name + 'mlp.experts.batched_fc1_bias', [experts, hidden], 0.1)
            add(name + 'mlp.experts.batched_fc2_w', [experts, hidden, width], hidden ** -0.5)
            add(name + 'mlp.experts.batched_fc2_bias', [experts, width], 0.1)
        else:
            linear(name + 'mlp.fc1', hidden, width)
            linear(name + 'mlp.fc2', width, hidden)
    add('norm.weight', [width], 0.1, 1.0)
    add('norm.bias', [width], 0.1)
    linear('head', 65, width)
    return tensors


def write_model(name, tensors):
    model = path_of(name)
    tensor_file.write(model, tensors, {'image_size': '224', 'patch_size': '16', 'num_heads': '6', 'router': 'cosine_top',
                                       'mean': '0.485,0.456,0.406', 'std': '0.229,0.224,0.225'})
    return model


def batches_agree():
    model = write_model('gmoe_s16.safetensors', gmoe_s16())
    paths = [make_picture(path_of('full%d.png' % seed), seed) for seed in (1, 2, 3)]
    together = classify(paths, '--model', model, '--batch-size', '2')
    assert all(map(math.isfinite, sum(together, []))) and len({tuple(row) for row in together}) == 3
    assert together[1] == classify(paths[1:2], '--model', model)[0]


def kernels_without_subgroups_agree():
    """The lean set has one block of each kind: lavapipe takes over ten times as long for these kernels, and blocks of a kind have the
    same."""
    tensors = gmoe_s16() if os.environ.get('SMOE_TEST_EVERYTHING') == '1' else gmoe_s16(2, (1,))
    model = write_model('without.safetensors', tensors)
    paths = [make_picture(path_of('without.png'), 4)]
    logits = classify(paths, '--model', model)[0]
    without = classify(paths, '--model', model, '--no-subgroups')[0]
    largest = max(map(abs, logits))
    assert largest > 0.5 and max(abs(a - b) for a, b in zip(without, logits)) < 1e-4 * largest


tap.run([batches_agree, kernels_without_subgroups_agree])
