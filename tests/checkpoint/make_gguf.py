"""A GGUF file by the package gguf, and in a safetensors file inputs and the results that its weights have by that package's decoders, in
double precision: make_gguf.py writes package.gguf and package.safetensors beside this script. Needs numpy and gguf
(python -m venv v && v/bin/pip install gguf)."""
import os
import random
import sys

import gguf
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gguf_blocks
from gguf_file import TYPES
from models import tensor_file
from tensor_file import Tensor

LAYER, TOP_K, TOKENS = 3, 2, 7


def quantised(rng, kind, shape):
    """A matrix for each expert: its bytes, rounded by the package where it can, and their values."""
    number = gguf.GGMLQuantizationType[kind]
    try:
        data = gguf.quants.quantize(rng.normal(0.0, 0.3, shape).astype(np.float32), number)
    except NotImplementedError:
        _, columns, size = TYPES[kind]
        blocks = gguf_blocks.random_blocks(random.Random(int(rng.integers(1 << 30))), kind, int(np.prod(shape)) // columns)
        data = np.frombuffer(blocks, np.uint8).reshape(*shape[:-1], shape[-1] // columns * size)
    return data, gguf.quants.dequantize(data, number).astype(np.float64)


def results(router, gate, up, down, x):
    """What smoe-run --check compares: hard routing by softmax, renormalised."""
    experts = len(router)
    logits = x @ router.T
    order = np.argsort(-logits, axis=1, kind='stable')
    ids = np.full((len(x), experts), -1)
    ids[:, :TOP_K] = order[:, :TOP_K]
    weights, y = np.zeros_like(logits), np.zeros_like(x)
    for t, chosen in enumerate(order[:, :TOP_K]):
        e = np.exp(logits[t, chosen] - logits[t, chosen[0]])
        weights[t, chosen] = e / e.sum()
        for one in chosen:
            h = gate[one] @ x[t]
            y[t] += weights[t, one] * (down[one] @ (h / (1.0 + np.exp(-h)) * (up[one] @ x[t])))
    ranks = np.take_along_axis(logits, order, axis=1)
    return {'logits': logits, 'weights': weights, 'gap': ranks[:, TOP_K - 1] - ranks[:, TOP_K], 'eps': np.zeros(len(x)),
            'order': np.zeros(len(x)), 'active': np.full(len(x), TOP_K), 'ids': ids, 'y': y}


def write(stem, seed, up_kind, down_kind, experts, width, hidden, **options):
    """STEM.gguf, of parts where options say so, and STEM.safetensors."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(stem + '.gguf', 'qwen3moe', **options)
    writer.add_name('a layer')
    writer.add_block_count(LAYER + 1)
    writer.add_embedding_length(width)
    writer.add_expert_count(experts)
    writer.add_expert_used_count(TOP_K)
    writer.add_expert_feed_forward_length(hidden)
    writer.add_token_list(['<s>', 'a', 'b'])
    writer.add_token_scores([0.0, -1.0, -2.0])
    writer.add_tensor('token_embd.weight', rng.normal(size=(3, width)).astype(np.float16))
    router = rng.normal(size=(experts, width)).astype(np.float32)
    writer.add_tensor('blk.%d.ffn_gate_inp.weight' % LAYER, router)
    values = []
    for name, kind, shape in (('gate', up_kind, (experts, hidden, width)), ('up', up_kind, (experts, hidden, width)),
                              ('down', down_kind, (experts, width, hidden))):
        data, decoded = quantised(rng, kind, shape)
        writer.add_tensor('blk.%d.ffn_%s_exps.weight' % (LAYER, name), data, raw_dtype=gguf.GGMLQuantizationType[kind])
        values.append(decoded)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    x = rng.normal(0.0, 0.3, (TOKENS, width)).astype(np.float32)
    with np.errstate(over='ignore'):
        expected = results(router.astype(np.float64), *values, x.astype(np.float64))
    tensors = {'x': Tensor('F32', x.shape, x.ravel().tolist())}
    for name, array in expected.items():
        whole = name in ('order', 'active', 'ids')
        tensors['expected.' + name] = Tensor('I32' if whole else 'F64', array.shape, [int(v) if whole else float(v) for v in array.ravel()])
    tensor_file.write(stem + '.safetensors', tensors, {})


if __name__ == '__main__':
    write(os.path.join(HERE, 'package'), 1, 'Q5_1', 'Q8_0', 4, 64, 32)
