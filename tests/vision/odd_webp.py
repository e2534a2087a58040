"""WebP files, written by the tests themselves: lossless pictures (the WebP Lossless Bitstream Specification) from given pixels, and the
RIFF container with alpha, EXIF and animations around them. Pixels are lists of tuples (red, green, blue, alpha), row by row."""
import struct

ALPHA, EXIF, ANIMATION = 0x10, 0x08, 0x02  # flags of VP8X
PLAIN = 8  # bits of the codes of all colours: the byte itself, from its highest bit on


class Bits:
    """From the lowest bit of each byte on."""

    def __init__(self):
        self.value = self.count = 0

    def add(self, value, count):
        self.value |= value << self.count
        self.count += count

    def bytes(self):
        return self.value.to_bytes((self.count + 7) // 8, 'little')


def reversed_byte(value):
    return int(format(value, '08b')[::-1], 2)


def add_plain_code(bits):
    """The first 256 symbols have codes of 8 bits; of the symbols of a code's lengths only 8 is there, and takes no bits."""
    bits.add(0, 1)  # not a code of one or two symbols
    bits.add(12 - 4, 4)  # lengths of the lengths' codes follow, in an order in which that of 8 is the twelfth
    for number in range(12):
        bits.add(int(number == 11), 3)
    bits.add(1, 1)  # not for all symbols
    bits.add(3, 3)
    bits.add(256 - 2, 8)  # but for so many


def lossless(width, height, pixels, alpha=True):
    """The data of a VP8L chunk."""
    bits = Bits()
    bits.add(0x2f, 8)
    bits.add(width - 1, 14)
    bits.add(height - 1, 14)
    bits.add(int(alpha), 1)
    bits.add(0, 3)  # version
    bits.add(0, 3)  # no transform, no cache of colours, the same codes everywhere
    for _ in range(4):
        add_plain_code(bits)
    bits.add(1, 4)  # distances: one symbol, 0
    for red, green, blue, opacity in pixels:
        for value in (green, red, blue, opacity):
            bits.add(reversed_byte(value), PLAIN)
    return bits.bytes()


def chunk(name, data):
    return name + struct.pack('<I', len(data)) + data + bytes(len(data) % 2)


def riff(*chunks):
    content = b'WEBP' + b''.join(chunk(*one) for one in chunks)
    return b'RIFF' + struct.pack('<I', len(content)) + content


def chunks_of(content):
    """[(name, data)] of a file."""
    at, result = 12, []
    while at < len(content):
        size, = struct.unpack_from('<I', content, at + 4)
        result.append((content[at:at + 4], content[at + 8:at + 8 + size]))
        at += 8 + size + size % 2
    return result


def extended(width, height, flags, *chunks):
    return riff((b'VP8X', struct.pack('<I', flags) + struct.pack('<I', width - 1)[:3] + struct.pack('<I', height - 1)[:3]), *chunks)


def webp(width, height, pixels, exif=None, alpha=True):
    picture = b'VP8L', lossless(width, height, pixels, alpha)
    if exif is None:
        return riff(picture)
    return extended(width, height, EXIF | ALPHA * alpha, picture, (b'EXIF', exif))


def frame(left, top, width, height, pixels):
    """Of an animation; left and top are even."""
    places = (left // 2, top // 2, width - 1, height - 1, 100)
    return b'ANMF', b''.join(struct.pack('<I', value)[:3] for value in places) + b'\0' + chunk(b'VP8L', lossless(width, height, pixels))


def animation(width, height, *frames):
    return extended(width, height, ANIMATION | ALPHA, (b'ANIM', bytes(6)), *frames)
