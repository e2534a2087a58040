#!/usr/bin/env python3
"""Writes the layer of samples/digits with all of its digits as inputs, embedded, as a layer file: a trained router on its own inputs.

    src/tools/analyze/digits_layer.py OUT.safetensors
"""
import array
import json
import os
import struct
import sys

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'samples', 'digits')
INK = 16.0  # of a pixel


def read(name):
    """(metadata, {name: (type, shape, bytes)}) of a safetensors file."""
    with open(os.path.join(DIGITS, name), 'rb') as file:
        size = struct.unpack('<Q', file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop('__metadata__', {})
    return metadata, {name: (entry['dtype'], entry['shape'], data[slice(*entry['data_offsets'])]) for name, entry in header.items()}


def write(path, metadata, tensors):
    header, offset = {'__metadata__': metadata}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(data for _, _, data in tensors.values()))


def floats(tensor):
    return array.array('f', tensor[2])


def main():
    if len(sys.argv) != 2:
        sys.exit('usage: digits_layer.py OUT.safetensors')
    metadata, model = read('model.safetensors')
    _, digits = read('digits.safetensors')
    count, pixels = digits['images'][1]
    width = model['embed.weight'][1][0]
    weight, bias, images = floats(model['embed.weight']), floats(model['embed.bias']), digits['images'][2]
    rows = [weight[d * pixels:(d + 1) * pixels] for d in range(width)]
    x = array.array('f')
    for t in range(count):
        image = [value / INK for value in images[t * pixels:(t + 1) * pixels]]
        x.extend(bias[d] + sum(map(float.__mul__, rows[d], image)) for d in range(width))
    layer = {name: tensor for name, tensor in model.items() if name.startswith(('router.', 'experts.'))}
    layer['x'] = ('F32', [count, width], x.tobytes())
    write(sys.argv[1], {**metadata, 'name': 'digits with all inputs', 'tokens': str(count)}, layer)


if __name__ == '__main__':
    main()
