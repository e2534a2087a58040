"""The values of GGUF's blocks, from the definitions of ggml-common.h and ggml-quants.c; blocks.safetensors of tests/weights, which the
package gguf made, has some of each to compare with. And random blocks."""
import struct

from gguf_file import TYPES

E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]
IQ4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
# bytes of each block that are float16 numbers, and those that are scales of another kind
HALVES = {'Q8_0': (0,), 'Q4_0': (0,), 'Q4_1': (0, 2), 'Q5_0': (0,), 'Q5_1': (0, 2), 'Q4_K': (0, 2), 'Q5_K': (0, 2), 'Q6_K': (208,),
          'IQ4_NL': (0,), 'IQ4_XS': (0,), 'MXFP4': (), 'NVFP4': ()}


def half(block, at=0):
    return struct.unpack_from('<e', block, at)[0]


def nibbles(data, group):
    """The lower halves of `group` bytes, then their upper ones, and so on."""
    out = []
    for at in range(0, len(data), group):
        out += [byte & 15 for byte in data[at:at + group]] + [byte >> 4 for byte in data[at:at + group]]
    return out


def fifths(data):
    bits = int.from_bytes(data, 'little')
    return [(bits >> i & 1) << 4 for i in range(32)]


def pairs_of_scales(data):
    """The eight scales and the eight minima of 6 bits of Q4_K and Q5_K."""
    low, middle, high = data[0:4], data[4:8], data[8:12]
    scales = [byte & 63 for byte in low] + [h & 15 | (l >> 6) << 4 for h, l in zip(high, low)]
    minima = [byte & 63 for byte in middle] + [h >> 4 | (m >> 6) << 4 for h, m in zip(high, middle)]
    return scales, minima


def by_eights(block, q):
    scales, minima = pairs_of_scales(block[4:16])
    d, least = half(block), half(block, 2)
    return [d * scales[i // 32] * q[i] - least * minima[i // 32] for i in range(256)]


def q5_k(block):
    low, upper = nibbles(block[48:], 32), block[16:48]
    return by_eights(block, [low[i] | (upper[i % 32] >> i // 32 & 1) << 4 for i in range(256)])


def q6_k(block):
    out = []
    for part in range(2):
        low, upper = block[64 * part:64 * part + 64], block[128 + 32 * part:160 + 32 * part]
        for quarter in range(4):
            for i in range(32):
                q = low[i + 32 * (quarter % 2)] >> 4 * (quarter // 2) & 15 | (upper[i] >> 2 * quarter & 3) << 4
                scale, = struct.unpack_from('<b', block, 192 + 8 * part + 2 * quarter + i // 16)
                out.append(half(block, 208) * scale * (q - 32))
    return out


def iq4_xs(block):
    upper, = struct.unpack_from('<H', block, 2)
    q, out = nibbles(block[8:], 16), []
    for i in range(256):
        group = i // 32
        scale = (block[4 + group // 2] >> 4 * (group % 2) & 15 | (upper >> 2 * group & 3) << 4) - 32
        out.append(half(block) * scale * IQ4[q[i]])
    return out


def e4m3(byte):
    """Without sign; 0x7f counts as 0."""
    exponent, fraction = byte >> 3 & 15, byte & 7
    if byte & 127 == 127:
        return 0.0
    return (8 + fraction) * 2.0 ** (exponent - 10) if exponent else fraction * 2.0 ** -9


def nvfp4(block):
    q = nibbles(block[4:], 8)
    return [e4m3(block[i // 16]) * E2M1[q[i]] for i in range(64)]


DECODERS = {
    'Q8_0': lambda b: [half(b) * q for q in struct.unpack_from('<32b', b, 2)],
    'Q4_0': lambda b: [half(b) * (q - 8) for q in nibbles(b[2:], 16)],
    'Q4_1': lambda b: [half(b) * q + half(b, 2) for q in nibbles(b[4:], 16)],
    'Q5_0': lambda b: [half(b) * ((q | f) - 16) for q, f in zip(nibbles(b[6:], 16), fifths(b[2:6]))],
    'Q5_1': lambda b: [half(b) * (q | f) + half(b, 2) for q, f in zip(nibbles(b[8:], 16), fifths(b[4:8]))],
    'Q4_K': lambda b: by_eights(b, nibbles(b[16:], 32)),
    'Q5_K': q5_k,
    'Q6_K': q6_k,
    'IQ4_NL': lambda b: [half(b) * IQ4[q] for q in nibbles(b[2:], 16)],
    'IQ4_XS': iq4_xs,
    'MXFP4': lambda b: [2.0 ** (b[0] - 127) * E2M1[q] for q in nibbles(b[1:], 16)],
    'NVFP4': nvfp4,
}


def values_of(kind, data):
    _, _, size = TYPES[kind]
    return [value for at in range(0, len(data), size) for value in DECODERS[kind](data[at:at + size])]


def random_blocks(rng, kind, count):
    """Blocks of any bytes, their scales of sizes that make weights of about 1."""
    _, _, size = TYPES[kind]
    out = bytearray(rng.randbytes(size * count))
    spread = {'Q4_K': 2.0 ** -8, 'Q5_K': 2.0 ** -9, 'Q6_K': 2.0 ** -11, 'IQ4_XS': 2.0 ** -10}.get(kind, 2.0 ** -5)
    for block in range(0, len(out), size):
        for at in HALVES[kind]:
            struct.pack_into('<e', out, block + at, rng.uniform(-1.0, 1.0) * spread)
        if kind == 'MXFP4':
            out[block] = rng.randrange(120, 128)
        if kind == 'NVFP4':
            out[block:block + 4] = bytes(rng.randrange(0, 72) for _ in range(4))
    return bytes(out)
