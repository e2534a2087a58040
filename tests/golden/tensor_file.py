"""Reads and writes safetensors files, written apart from the library's own reader: only what the tests need."""
import array
import json
import math
import os
import struct

CODES = {'F32': 'f', 'F64': 'd', 'I32': 'i', 'I64': 'q', 'F16': 'H', 'BF16': 'H', 'U8': 'B', 'F8_E4M3': 'B'}  # 16 bits: their words


class Tensor:
    def __init__(self, dtype, shape, values):
        self.dtype, self.shape, self.values = dtype, list(shape), values

    def rows(self):
        """The values cut along the first axis."""
        width = len(self.values) // self.shape[0]
        return [self.values[at:at + width] for at in range(0, len(self.values), width)]


def read(path):
    """(tensors by name, metadata)"""
    with open(path, 'rb') as file:
        data = file.read()
    size, = struct.unpack('<Q', data[:8])
    header = json.loads(data[8:8 + size].decode('utf-8'))
    metadata = header.pop('__metadata__', {})
    tensors, used = {}, 0
    for name, entry in header.items():
        begin, end = entry['data_offsets']
        values = array.array(CODES[entry['dtype']])
        values.frombytes(data[8 + size + begin:8 + size + end])
        count = 1
        for length in entry['shape']:
            count *= length
        assert len(values) == count, '%s: shape %s, %d values' % (name, entry['shape'], len(values))
        tensors[name] = Tensor(entry['dtype'], entry['shape'], list(values))
        used += end - begin
    assert 8 + size + used == len(data), '%s: %d bytes, described are %d' % (path, len(data), 8 + size + used)
    return tensors, metadata


def write(path, tensors, metadata):
    header, chunks, offset = {'__metadata__': metadata} if metadata else {}, [], 0
    for name, tensor in tensors.items():
        chunk = array.array(CODES[tensor.dtype], tensor.values).tobytes()
        header[name] = {'dtype': tensor.dtype, 'shape': tensor.shape, 'data_offsets': [offset, offset + len(chunk)]}
        chunks.append(chunk)
        offset += len(chunk)
    write_raw(path, json.dumps(header), b''.join(chunks))


def write_raw(path, header, data):
    with open(path, 'wb') as file:
        text = header.encode('utf-8')
        file.write(struct.pack('<Q', len(text)) + text + data)


def word(dtype, value):
    """The nearest float16 or bfloat16, ties to even, as its 16 bits."""
    if dtype == 'F16':
        return struct.unpack('<H', struct.pack('<e', value))[0]
    bits, = struct.unpack('<I', struct.pack('<f', value))
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16


def value_of(dtype, bits):
    """What a word stands for."""
    return struct.unpack('<e', struct.pack('<H', bits))[0] if dtype == 'F16' else struct.unpack('<f', struct.pack('<I', bits << 16))[0]


def rounded(dtype, values):
    """Values as a tensor of the type has them."""
    if dtype == 'F32':
        return list(array.array('f', values))
    return [value_of(dtype, word(dtype, value)) for value in values]


def tensor(dtype, shape, values):
    """A tensor of numbers, rounded to its type."""
    return Tensor(dtype, shape, [word(dtype, value) for value in values] if dtype in ('F16', 'BF16') else values)


def q8(shape, steps):
    """Whole numbers from -127 to 127, rows of a multiple of 32, times scales that are powers of two, and a factor of 0.5 for each matrix of
    a tensor [E,N,K]: as q8 (include/smoe/weights.h) has them; and the same numbers as float32."""
    columns, matrix, data, values = shape[-1], shape[-2] * shape[-1], [], []
    assert columns % 32 == 0
    for first in range(0, len(steps), matrix):
        part = steps[first:first + matrix]
        scales = [2.0 ** -(6 + block % 3) for block in range(matrix // 32)]
        stored = struct.pack('<%db' % matrix, *part) + struct.pack('<%de' % len(scales), *scales)
        data += stored + bytes(-len(stored) % 16) + struct.pack('<f12x', 0.5)
        values += [step * scales[i // 32] * 0.5 for i, step in enumerate(part)]
    return Tensor('U8', shape[:-2] + [len(data) * matrix // len(steps)], data), Tensor('F32', shape, values)


def write_q8_pair(folder, shapes, floats, source, metadata):
    """Writes a layer whose matrices are random numbers that q8 holds: as a file with scales, and as one of float32. shapes: the matrices'
    by name; floats: the other tensors. Gives the two paths."""
    stored, whole, types = dict(floats), dict(floats), {}
    for name, shape in shapes.items():
        stored[name], whole[name] = q8(shape, [source.randint(-127, 127) for _ in range(math.prod(shape))])
        types[name + '.type'] = 'q8'
    for key, name in (('d_hidden', 'experts.w1'), ('shared_hidden', 'shared.w1')):
        if name in shapes:
            types[key] = str(shapes[name][-2])
    paths = [os.path.join(folder, name) for name in ('q8.safetensors', 'q8_as_floats.safetensors')]
    write(paths[0], stored, {**metadata, **types})
    write(paths[1], whole, metadata)
    return paths
