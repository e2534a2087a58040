"""Pictures made by the tests: PNG files, and what a resize makes of them."""
import math
import random
import struct
import zlib


def noise(seed, width, height):
    """Bytes [height, width, 3]."""
    return random.Random(seed).randbytes(3 * width * height)


def write_png(path, width, height, pixels):
    def chunk(name, data):
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    lines = b''.join(b'\0' + pixels[3 * width * y:3 * width * (y + 1)] for y in range(height))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) +
                   chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))


def read_png(data):
    """(width, height, bytes [height, width, 3]) of a PNG of 8 bits, colour, with or without opacity, which is left out."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed = 8, b''
    while at < len(data):
        size, name = struct.unpack('>I4s', data[at:at + 8])
        content = data[at + 8:at + 8 + size]
        assert zlib.crc32(name + content) == struct.unpack('>I', data[at + 8 + size:at + 12 + size])[0]
        if name == b'IHDR':
            width, height, depth, kind, _, _, interlaced = struct.unpack('>IIBBBBB', content)
            assert depth == 8 and kind in (2, 6) and not interlaced
        packed += content if name == b'IDAT' else b''
        at += size + 12
    step = 3 if kind == 2 else 4
    raw, line, lines = zlib.decompress(packed), bytearray(width * step), []
    for y in range(height):
        filtering, now = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for i in range(width * step if filtering else 0):
            a, b, c = now[i - step] if i >= step else 0, line[i], line[i - step] if i >= step else 0
            if filtering == 4:  # Paeth's: the neighbour nearest to a + b - c
                near = (abs(b - c), abs(a - c), abs(a + b - 2 * c))
                now[i] = now[i] + (a, b, c)[near.index(min(near))] & 255
            else:
                now[i] = now[i] + (0, a, b, (a + b) // 2)[filtering] & 255
        line = now
        lines.append(bytes(now) if step == 3 else bytes(value for i, value in enumerate(now) if i % 4 < 3))
    return width, height, b''.join(lines)


# ---- resize and crop, in double and in plain loops


def cubic(x):
    x = abs(x)
    if x < 1:
        return 1.5 * x ** 3 - 2.5 * x ** 2 + 1
    return -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 if x < 2 else 0.0


def triangle(x):
    return max(0.0, 1 - abs(x))


def resized_line(line, length, curve, reach):
    """A line of numbers, resized; the filter is as wide as an output where the line shrinks."""
    scale = len(line) / length
    stretch = max(scale, 1.0)
    result = []
    for i in range(length):
        centre = (i + 0.5) * scale
        # Inputs whose centres lie within the filter; rounding as Pillow does: a tap at its very edge weighs nothing
        taps = range(max(0, math.floor(centre - reach * stretch + 0.5)), min(len(line), math.floor(centre + reach * stretch + 0.5)))
        weights = [curve((j + 0.5 - centre) / stretch) for j in taps]
        result.append(sum(w * line[j] for w, j in zip(weights, taps)) / sum(weights))
    return result


def to_byte(value):
    return min(255, max(0, math.floor(value + 0.5)))


def whole_sizes(width, height, longer):
    """Pillow's ImageOps.contain: the longer side becomes `longer`; but a side does not vanish."""
    if width > height:
        return longer, max(1, round(height / width * longer))
    return (max(1, round(width / height * longer)), longer) if height > width else (longer, longer)


def crop_sizes(width, height, shorter):
    """torchvision's: the shorter side becomes `shorter`."""
    return (shorter, int(shorter * height / width)) if width <= height else (int(shorter * width / height), shorter)


def sizes_and_place(width, height, size, fit, crop_pct):
    """The sizes that the picture is given, and where the square's corner lies in it: negative where there is a border."""
    if fit == 'squash':
        return (size, size), (0, 0)
    new = whole_sizes(width, height, size) if fit == 'pad' else crop_sizes(width, height, int(size / crop_pct))
    sign = -1 if fit == 'pad' else 1
    return new, tuple(sign * round(abs(length - size) / 2) for length in new)


def fitted(pixels, width, height, size, interpolation, fit='crop', crop_pct=1.0, border=(0, 0, 0)):
    """Bytes [size, size, 3], each at most 1 off where a double sum lies near a half."""
    curve, reach = (cubic, 2) if interpolation == 'bicubic' else (triangle, 1)
    (new_width, new_height), (left, top) = sizes_and_place(width, height, size, fit, crop_pct)

    def cut(line, begin, outside):
        return [line[i] if 0 <= i < len(line) else outside for i in range(begin, begin + size)]
    planes = []
    for channel in range(3):
        rows = []
        for y in range(height):
            line = resized_line(pixels[3 * width * y + channel:3 * width * (y + 1):3], new_width, curve, reach)
            rows.append(cut([to_byte(value) for value in line], left, None))
        columns = [[border[channel]] * size if None in column else
                   cut([to_byte(value) for value in resized_line(column, new_height, curve, reach)], top, border[channel])
                   for column in zip(*rows)]
        planes.append([list(row) for row in zip(*columns)])
    return bytes(planes[c][y][x] for y in range(size) for x in range(size) for c in range(3))
