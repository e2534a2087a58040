"""Matrices as other programs' packages make and read them, in a safetensors file that tests/weights/test_blocks.c converts and compares:
make_blocks.py [FILE [SEED ROWS]] writes it; without FILE it is blocks.safetensors beside this script, with few rows. Needs numpy, torch,
gguf, compressed_tensors and transformers (python -m venv v && v/bin/pip install numpy torch gguf compressed-tensors transformers).

A matrix NAME is tensors NAME.elements, .scales, .zeros, .group_index, .multiplier, .divisor, bytes as a file has them, and NAME.values, the
weights by the package that reads the format, as float32. Metadata NAME is its format's number and other numbers of smoe_weights_source."""
import os
import sys

import numpy as np
import torch
from compressed_tensors.compressors import pack_fp4_to_uint8, pack_to_int32, unpack_fp4_from_uint8, unpack_from_int32
from compressed_tensors.entrypoints.convert.converters.autoawq import AutoAWQConverter
from gguf import GGMLQuantizationType, quants
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden'))
import tensor_file

HERE = os.path.dirname(os.path.abspath(__file__))
# as in smoe/weights_source.h
(MXFP4, NVFP4, FP8, INT4, INT8, INT8_PACKED, GPTQ4, GPTQ8, GPTQ4_V2, GPTQ8_V2, AWQ4, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL,
 IQ4_XS, GGUF_MXFP4, GGUF_NVFP4) = range(23)
FLOAT32, FLOAT16, BFLOAT16, E8M0 = range(4)
STORED = {1: torch.uint8, 2: torch.int16, 4: torch.int32}
SCALES = {FLOAT32: torch.float32, FLOAT16: torch.float16, BFLOAT16: torch.bfloat16}

# format, its name in gguf, bytes of a block, elements, places of float16 numbers in a block, places of E8M0 or E4M3
GGUF = [(Q8_0, 'Q8_0', 34, 32, [0]), (Q4_0, 'Q4_0', 18, 32, [0]), (Q4_1, 'Q4_1', 20, 32, [0, 2]), (Q5_0, 'Q5_0', 22, 32, [0]),
        (Q5_1, 'Q5_1', 24, 32, [0, 2]), (Q4_K, 'Q4_K', 144, 256, [0, 2]), (Q5_K, 'Q5_K', 176, 256, [0, 2]), (Q6_K, 'Q6_K', 210, 256, [208]),
        (IQ4_NL, 'IQ4_NL', 18, 32, [0]), (IQ4_XS, 'IQ4_XS', 136, 256, [0]), (GGUF_MXFP4, 'MXFP4', 17, 32, []),
        (GGUF_NVFP4, 'NVFP4', 36, 64, [])]


class Matrices:
    """What is to be written: tensors and metadata."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        torch.manual_seed(seed)
        self.tensors, self.metadata = {}, {}

    def add(self, name, form, values, group=(1, 0), scale_type=FLOAT32, row_step=0, **arrays):
        """arrays: tensors or numpy arrays, None: absent."""
        values = np.asarray(values, dtype=np.float32)
        rows, columns = values.shape
        self.metadata[name] = '%d %d %d %d %d %d %d' % (form, rows, columns, group[0], group[1], scale_type, row_step)
        self.tensors[name + '.values'] = tensor_file.Tensor('F32', values.shape, values.ravel().tolist())
        for part, array in arrays.items():
            if array is not None:
                stored = bytes_of(array)
                self.tensors[name + '.' + part] = tensor_file.Tensor('U8', [len(stored)], stored)

    def scales(self, shape, scale_type):
        """Numbers that the type has."""
        values = torch.tensor(self.random.uniform(0.5, 1, shape) * 2.0 ** -self.random.integers(3, 9, shape))
        return values.to(SCALES[scale_type])

    def bytes(self, shape):
        return self.random.integers(0, 256, shape, dtype=np.uint8)


def bytes_of(array):
    if isinstance(array, torch.Tensor):
        array = array.contiguous().view(STORED[array.element_size()]).numpy()  # numpy has neither bfloat16 nor E4M3
    return list(np.ascontiguousarray(array).tobytes())


def add_gguf(m, rows):
    rows = -(-rows // 2)
    for form, name, size, elements, halves in GGUF:
        blocks = m.bytes((rows, 256 // elements, size))
        for at in halves:
            numbers = m.random.uniform(-2, 2, blocks.shape[:2]) * 2.0 ** -m.random.integers(0, 12, blocks.shape[:2])
            blocks[..., at:at + 2] = numbers.astype('<f2')[..., None].view(np.uint8)
        if form == GGUF_MXFP4:
            blocks[..., 0] = m.random.integers(0, 250, blocks.shape[:2])
        multiplier = None
        if form == GGUF_NVFP4:
            blocks[..., :4] = m.random.integers(0, 128, blocks.shape[:2] + (4,))
            blocks[0, 0, 0] = 0x7f
            multiplier = np.float32([0.3])
        values = quants.dequantize(blocks.reshape(rows, -1), GGMLQuantizationType[name]).astype(np.float64)
        if multiplier is not None:
            values = values * np.float64(multiplier[0])
        m.add('gguf_' + name, form, values, elements=blocks, multiplier=multiplier)


def add_fp4(m, rows):
    """gpt-oss, whose gate and up rows alternate; compressed-tensors; NVFP4 with a factor that multiplies, and one that divides."""
    blocks, scales = m.bytes((1, 2 * rows, 3, 16)), m.random.integers(100, 150, (1, 2 * rows, 3)).astype(np.uint8)
    both = convert_moe_packed_tensors(torch.tensor(blocks), torch.tensor(scales), dtype=torch.float32)[0].T
    for part, name in enumerate(('gate', 'up')):
        m.add('mxfp4_' + name, MXFP4, both[part::2], row_step=2, elements=blocks[0, part:], scales=scales[0, part:])
    packed = m.bytes((rows, 48))
    elements = unpack_fp4_from_uint8(torch.tensor(packed), rows, 96, torch.float64).numpy()
    e4m3 = m.random.integers(0, 127, (rows, 6)).astype(np.uint8)
    scale = torch.tensor(e4m3).view(torch.float8_e4m3fn).to(torch.float64).numpy().repeat(16, axis=1)
    number = np.float32([0.0123])
    m.add('nvfp4_multiplied', NVFP4, elements * scale * np.float64(number), elements=packed, scales=e4m3, multiplier=number)
    number = np.float32([311.0])
    m.add('nvfp4_divided', NVFP4, elements * scale / np.float64(number), elements=packed, scales=e4m3, divisor=number)
    values = torch.tensor(m.random.choice([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.5, -1, -1.5, -2, -3, -4, -6], (rows, 64)))
    e8m0 = m.random.integers(90, 140, (rows, 2))
    m.add('mxfp4_packed', MXFP4, values.numpy() * 2.0 ** (e8m0.repeat(32, axis=1) - 127), elements=pack_fp4_to_uint8(values),
          scales=e8m0.astype(np.uint8))


def add_fp8(m, rows):
    """Blocks, one scale, a scale for each row. transformers reads blocks that divide the matrix."""
    dequantize = Fp8Dequantize(None)
    for name, shape, group, scale_type in (('blocks', (rows, 256), (128, 128), FLOAT32), ('bfloat16', (rows, 160), (128, 128), BFLOAT16),
                                           ('one', (rows, 72), (0, 0), FLOAT32), ('rows', (rows, 130), (1, 0), FLOAT32),
                                           ('row_blocks', (rows, 256), (1, 128), BFLOAT16), ('e8m0', (rows, 128), (128, 128), E8M0)):
        stored = m.bytes(shape)
        stored[(stored & 127) == 127] -= 1
        weight = torch.tensor(stored).view(torch.float8_e4m3fn)
        r, c = [group[i] or shape[i] for i in (0, 1)]
        counts = [-(-shape[0] // r), -(-shape[1] // c)]
        scales = (torch.tensor(m.random.integers(100, 140, counts).astype(np.uint8)) if scale_type == E8M0
                  else m.scales(counts, scale_type))
        if any(shape[i] != counts[i] * min((r, c)[i], shape[i]) for i in (0, 1)):
            numbers = 2 ** (scales.to(torch.float64) - 127) if scale_type == E8M0 else scales.to(torch.float64)
            grid = numbers.repeat_interleave(r, 0)[:shape[0]].repeat_interleave(c, 1)[:, :shape[1]]
            values = weight.to(torch.float64) * grid
        else:
            values = dequantize._dequantize_one(weight, scales, torch.float32)
        m.add('fp8_' + name, FP8, values, group=group, scale_type=scale_type, elements=weight, scales=scales)


def integers(m, shape, bits):
    return torch.tensor(m.random.integers(-(1 << bits - 1), 1 << bits - 1, shape)).to(torch.int8)


def add_compressed(m, rows):
    """pack-quantized and int-quantized: what compressed-tensors' packing unpacks, in double."""
    for bits, form, columns, c, scale_type, zeros in ((4, INT4, 256, 128, BFLOAT16, False), (4, INT4, 96, 32, FLOAT16, False),
                                                      (4, INT4, 64, 0, BFLOAT16, False), (4, INT4, 128, 64, FLOAT16, True),
                                                      (4, INT4, 96, 0, BFLOAT16, True), (8, INT8_PACKED, 256, 128, FLOAT32, False),
                                                      (8, INT8_PACKED, 131, 0, BFLOAT16, False), (8, INT8_PACKED, 64, 32, BFLOAT16, False),
                                                      (8, INT8_PACKED, 64, 32, FLOAT16, True), (8, INT8, 128, 128, BFLOAT16, False),
                                                      (8, INT8, 64, 0, FLOAT16, True)):
        groups = -(-columns // (c or columns))
        packed = pack_to_int32(integers(m, (rows, columns), bits), bits)
        weight = unpack_from_int32(packed, bits, torch.Size((rows, columns)))
        scales, zero, stored_zero = m.scales((rows, groups), scale_type), torch.zeros((rows, groups)), None
        if zeros:
            zero = integers(m, (rows, groups), bits)
            stored_zero = zero if form == INT8 else pack_to_int32(zero, bits, packed_dim=0)
        spread = [array.to(torch.float64).repeat_interleave(c or columns, 1)[:, :columns] for array in (zero, scales)]
        name = 'int%d_%s_%d%s%s' % (bits, c or 'channel', columns, '_zeros' * zeros, '_plain' * (form == INT8))
        m.add(name, form, (weight.to(torch.float64) - spread[0]) * spread[1], group=(1, c), scale_type=scale_type,
              elements=weight if form == INT8 else packed, scales=scales, zeros=stored_zero)


def pack_words(numbers, bits, axis):
    """By the definition of AutoGPTQ: the lowest bits first, along an axis."""
    numbers = np.moveaxis(numbers.astype(np.uint32), axis, 0)
    words = numbers.reshape((-1, 32 // bits) + numbers.shape[1:])
    words = sum(words[:, i] << np.uint32(bits * i) for i in range(32 // bits))
    return np.moveaxis(words, 0, axis)


def add_gptq(m, rows):
    """AutoGPTQ's QuantLinear.pack and its dequantization: no package that has it installs without a GPU's compiler."""
    for form, bits, less in ((GPTQ4, 4, 1), (GPTQ8, 8, 1), (GPTQ4_V2, 4, 0), (GPTQ8_V2, 8, 0)):
        n, k, c = -(-rows // 8) * 8, 64, 32
        weight, zero = m.random.integers(0, 1 << bits, (k, n)), m.random.integers(less, 1 << bits, (k // c, n))
        scales = m.scales((k // c, n), FLOAT16)
        index = np.arange(k, dtype='<i4') // c
        values = (weight - zero[index]) * scales.to(torch.float64).numpy()[index]
        m.add('gptq%d%s' % (bits, '' if less else '_v2'), form, values.T, group=(1, c), scale_type=FLOAT16,
              elements=pack_words(weight, bits, 0), scales=scales, zeros=pack_words(zero - less, bits, 1), group_index=index)


def add_awq(m, rows):
    """AutoAWQ's WQLinear_GEMM, unpacked by compressed-tensors' converter."""
    n, k, c = -(-rows // 8) * 8, 64, 32
    qweight, qzeros = m.bytes((k, n // 2)).view(np.int32), m.bytes((k // c, n // 2)).view(np.int32)
    scales = m.scales((k // c, n), FLOAT16)
    weight, transposed, zero = AutoAWQConverter(group_size=c)._convert_gemm_module(torch.tensor(qweight), scales, torch.tensor(qzeros))
    spread = [array.to(torch.float64).repeat_interleave(c, 1) for array in (zero, transposed)]
    m.add('awq4', AWQ4, (weight.to(torch.float64) - spread[0]) * spread[1], group=(1, c), scale_type=FLOAT16, elements=qweight,
          scales=scales, zeros=qzeros)


def write(path, seed, rows):
    m = Matrices(seed)
    for add in (add_gguf, add_fp4, add_fp8, add_compressed, add_gptq, add_awq):
        add(m, rows)
    tensor_file.write(path, m.tensors, m.metadata)


if __name__ == '__main__':
    write(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, 'blocks.safetensors'), *map(int, sys.argv[2:4] or (1, 2)))
