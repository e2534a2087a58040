"""Writes GGUF files, apart from any other program's writer: only what the tests need."""
import array
import math
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden'))
import tensor_file

# the number of each type, elements and bytes of a block
TYPES = {'F32': (0, 1, 4), 'F16': (1, 1, 2), 'BF16': (30, 1, 2), 'Q4_0': (2, 32, 18), 'Q4_1': (3, 32, 20), 'Q5_0': (6, 32, 22),
         'Q5_1': (7, 32, 24), 'Q8_0': (8, 32, 34), 'Q2_K': (10, 256, 84), 'Q4_K': (12, 256, 144), 'Q5_K': (13, 256, 176),
         'Q6_K': (14, 256, 210), 'IQ4_NL': (20, 32, 18), 'IQ4_XS': (23, 256, 136), 'MXFP4': (39, 32, 17), 'NVFP4': (40, 64, 36),
         'I8': (24, 1, 1)}
UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64 = range(13)
SCALARS = {UINT8: 'B', INT8: 'b', UINT16: 'H', INT16: 'h', UINT32: 'I', INT32: 'i', FLOAT32: 'f', BOOL: '?', UINT64: 'Q', INT64: 'q',
           FLOAT64: 'd'}


class Tensor:
    """Bytes of a type; shape: row-major, as everywhere but in the file."""

    def __init__(self, kind, shape, data):
        self.kind, self.shape, self.data = kind, list(shape), bytes(data)
        if kind in TYPES:
            _, columns, size = TYPES[kind]
            assert len(self.data) == math.prod(shape) // columns * size, (kind, shape, len(self.data))


def tensor(kind, shape, values):
    """Numbers, rounded to F32, F16 or BF16."""
    stored = tensor_file.tensor(kind, shape, values)
    return Tensor(kind, shape, array.array(tensor_file.CODES[kind], stored.values).tobytes())


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack('<Q', len(data)) + data


def value_of(value):
    """The type of a value of the metadata, and its bytes. A pair of a type and a value is of that type."""
    if isinstance(value, tuple):
        kind, value = value
    else:
        kind = {bool: BOOL, int: UINT32, float: FLOAT32, str: STRING, bytes: STRING, list: ARRAY}[type(value)]
    if kind == STRING:
        return kind, text(value)
    if kind == ARRAY:
        parts = [value_of(element) for element in value]
        of = parts[0][0] if parts else UINT32
        return kind, struct.pack('<IQ', of, len(parts)) + b''.join(data for _, data in parts)
    return kind, struct.pack('<' + SCALARS[kind], value)


def header_of(metadata, tensors, alignment=32, version=3, offsets=None):
    """The header with its padding, and the offset of each tensor. offsets: in place of those that follow from the sizes."""
    out = [b'GGUF', struct.pack('<IQQ', version, len(tensors), len(metadata))]
    for key, value in metadata.items():
        kind, data = value_of(value)
        out.append(text(key) + struct.pack('<I', kind) + data)
    at, places = 0, []
    for name, one in tensors.items():
        places.append(at)
        number = TYPES[one.kind][0] if one.kind in TYPES else one.kind
        offset = (offsets or {}).get(name, at)
        out.append(text(name) + struct.pack('<I%dQIQ' % len(one.shape), len(one.shape), *reversed(one.shape), number, offset))
        at += -(-len(one.data) // alignment) * alignment
    header = b''.join(out)
    return header + bytes(-len(header) % alignment), places


def file_of(metadata, tensors, alignment=32, version=3, offsets=None):
    if alignment != 32:
        metadata = {**metadata, 'general.alignment': alignment}
    header, places = header_of(metadata, tensors, alignment, version, offsets)
    data = bytearray()
    for place, one in zip(places, tensors.values()):
        data += bytes(place - len(data)) + one.data
    return header + bytes(data) + bytes(-len(data) % alignment)


def write(path, metadata, tensors, **options):
    with open(path, 'wb') as file:
        file.write(file_of(metadata, tensors, **options))


def write_parts(stem, metadata, tensors, count):
    """NAME-00001-of-0000N.gguf, the tensors dealt out in turn; the paths."""
    paths = ['%s-%05d-of-%05d.gguf' % (stem, part + 1, count) for part in range(count)]
    for part, path in enumerate(paths):
        split = {'split.no': (UINT16, part), 'split.count': (UINT16, count), 'split.tensors.count': (INT32, len(tensors))}
        some = {name: one for index, (name, one) in enumerate(tensors.items()) if index % count == part}
        write(path, {**(metadata if part == 0 else {}), **split}, some)
    return paths
