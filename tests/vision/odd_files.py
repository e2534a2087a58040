"""PNG and JPEG files of every kind, written by the tests themselves from given pixels. Pixels are lists of tuples, row by row."""
import math
import struct
import zlib

SIGNATURE = b'\x89PNG\r\n\x1a\n'
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of PNG's colour types: grey, RGB, palette, grey and alpha, RGBA
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, data):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def paeth(a, b, c):
    return min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]


def filtered(line, above, kind, step):
    result = bytearray([kind])
    for i, value in enumerate(line):
        left, up, corner = line[i - step] if i >= step else 0, above[i], above[i - step] if i >= step else 0
        result.append((value - (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]) & 255)
    return bytes(result)


def packed_line(pixels, depth):
    """Samples of depth bits, as bytes."""
    samples, bits, line = [sample for pixel in pixels for sample in pixel], 0, bytearray()
    if depth == 16:
        return b''.join(struct.pack('>H', sample) for sample in samples)
    for i in range(0, len(samples), 8 // depth):
        group = samples[i:i + 8 // depth]
        bits = 0
        for sample in group:
            bits = bits << depth | sample
        line.append(bits << depth * (8 // depth - len(group)))
    return bytes(line)


def lines_of(pixels, width, height, depth, step):
    """A picture's lines with every filter in turn."""
    result, above = b'', None
    for y in range(height):
        line = packed_line(pixels[y * width:(y + 1) * width], depth)
        result += filtered(line, above or bytes(len(line)), y % 5, step)
        above = line
    return result


def png(width, height, pixels, colour=2, depth=8, palette=None, transparency=None, interlaced=False, before=(), pieces=1):
    """before: more chunks, (name, data), before the pixels."""
    step = max(1, CHANNELS[colour] * depth // 8)
    if interlaced:
        data = b''
        for left, top, across, down in ADAM7:
            part = [pixels[y * width + x] for y in range(top, height, down) for x in range(left, width, across)]
            columns = len(range(left, width, across))
            data += lines_of(part, columns, len(part) // columns, depth, step) if part else b''
    else:
        data = lines_of(pixels, width, height, depth, step)
    data = zlib.compress(data)
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, int(interlaced))), (b'gAMA', struct.pack('>I', 45455)),
              *before]
    if palette is not None:
        chunks.append((b'PLTE', bytes(value for entry in palette for value in entry)))
    if transparency is not None:
        chunks.append((b'tRNS', transparency))
    size = -(-len(data) // pieces)
    chunks += [(b'IDAT', data[i:i + size]) for i in range(0, len(data), size)] + [(b'IEND', b'')]
    return SIGNATURE + b''.join(chunk(*one) for one in chunks)


# ---- JPEG (ITU-T T.81)

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))
COSINES = [[math.cos((2 * x + 1) * u * math.pi / 16) * (math.sqrt(0.125) if u == 0 else 0.5) for x in range(8)] for u in range(8)]
DC_SYMBOLS = list(range(12))
AC_SYMBOLS = [0, 0xf0] + [run << 4 | size for run in range(16) for size in range(1, 11)] + [run << 4 for run in range(1, 15)]


def segment(marker, data):
    return struct.pack('>BBH', 0xff, marker, len(data) + 2) + data


class Bits:
    def __init__(self):
        self.text = []

    def add(self, value, count):
        if count:
            self.text.append(format(value, '0%db' % count))

    def signed(self, value, size):
        self.add(value if value > 0 else value + (1 << size) - 1, size)

    def bytes(self):
        text = ''.join(self.text)
        text += '1' * (-len(text) % 8)
        return bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)).replace(b'\xff', b'\xff\0')


class Codes:
    """All codes of one length: no optimal table, but a valid one."""

    def __init__(self, kind, symbols, length):
        self.of, self.length = {symbol: i for i, symbol in enumerate(symbols)}, length
        self.table = bytes([kind] + [len(symbols) if i + 1 == length else 0 for i in range(16)] + symbols)

    def put(self, bits, symbol):
        bits.add(self.of[symbol], self.length)


def coefficients(plane, width, height):
    """Rows of blocks of 64 numbers in zigzag order; the plane's edges are repeated. Quantisation by 1."""
    rows = []
    for top in range(0, height, 8):
        row = []
        for left in range(0, width, 8):
            block = [[plane[min(top + y, height - 1)][min(left + x, width - 1)] - 128 for x in range(8)] for y in range(8)]
            half = [[sum(line[x] * COSINES[u][x] for x in range(8)) for u in range(8)] for line in block]
            full = [[sum(half[y][u] * COSINES[v][y] for y in range(8)) for u in range(8)] for v in range(8)]
            row.append([round(full[i // 8][i % 8]) for i in ZIGZAG])
        rows.append(row)
    return rows


def halved(value, shift):
    """Towards zero, as point transforms of AC coefficients are."""
    return (abs(value) >> shift) * (1 if value > 0 else -1)


class Scan:
    """One scan's coded data."""

    def __init__(self, dc, ac):
        self.dc, self.ac, self.bits, self.last = dc, ac, Bits(), {}

    def put_dc(self, component, block, shift):
        value = block[0] >> shift
        difference, self.last[component] = value - self.last.get(component, 0), value
        size = abs(difference).bit_length()
        self.dc.put(self.bits, size)
        self.bits.signed(difference, size)

    def put_ac(self, block, first=1, last=63, shift=0):
        run = 0
        for value in (halved(block[k], shift) for k in range(first, last + 1)):
            if value == 0:
                run += 1
                continue
            while run > 15:
                self.ac.put(self.bits, 0xf0)
                run -= 16
            size = abs(value).bit_length()
            self.ac.put(self.bits, run << 4 | size)
            self.bits.signed(value, size)
            run = 0
        if run:
            self.ac.put(self.bits, 0)

    def refine_ac(self, block, first, last, shift):
        """The next bit of coefficients whose higher bits were sent (G.1.2.3)."""
        values = [abs(block[k]) >> shift for k in range(first, last + 1)]
        final = max((i for i, value in enumerate(values) if value == 1), default=-1)
        run, corrections = 0, []
        for i, value in enumerate(values):
            if value == 0:
                run += 1
                continue
            while run > 15 and i <= final:
                self.ac.put(self.bits, 0xf0)
                self.send(corrections)
                run -= 16
            if value > 1:
                corrections.append(value & 1)
                continue
            self.ac.put(self.bits, run << 4 | 1)
            self.bits.add(int(block[first + i] > 0), 1)
            self.send(corrections)
            run = 0
        if run or corrections:
            self.ac.put(self.bits, 0)
            self.send(corrections)

    def send(self, corrections):
        for bit in corrections:
            self.bits.add(bit, 1)
        corrections.clear()


def jpeg(width, height, planes, sampling=None, progressive=False, restart=0, ids=None, before=(), code_length=8, adobe=None, jfif=True,
         late=False, end=b'\xff\xd9'):
    """planes[component][y][x] in the colours of the file; sampling: (h, v) per component. before: more segments, (marker, data).
    late: Adobe's segment behind the frame header."""
    sampling = sampling or [(1, 1)] * len(planes)
    ids = ids or list(range(1, len(planes) + 1))
    most_h, most_v = max(h for h, _ in sampling), max(v for _, v in sampling)
    units_x, units_y = -(-width // (8 * most_h)), -(-height // (8 * most_v))
    sizes, blocks = [], []
    for plane, (h, v) in zip(planes, sampling):
        across, down = most_h // h, most_v // v
        w, t = -(-width // across), -(-height // down)
        area = [(i, j) for j in range(down) for i in range(across)]
        small = [[round(sum(plane[min(y * down + j, height - 1)][min(x * across + i, width - 1)] for i, j in area) / len(area))
                  for x in range(w)] for y in range(t)]
        padded = [[small[min(y, t - 1)][min(x, w - 1)] for x in range(8 * h * units_x)] for y in range(8 * v * units_y)]
        sizes.append((-(-w // 8), -(-t // 8)))
        blocks.append(coefficients(padded, len(padded[0]), len(padded)))
    dc, ac = Codes(0x00, DC_SYMBOLS, min(code_length, 4)), Codes(0x10, AC_SYMBOLS, code_length)
    out = b'\xff\xd8' + (segment(0xe0, b'JFIF\0\1\1\0\0\1\0\1\0\0') if jfif else b'') + b''.join(segment(*one) for one in before)
    adobes = segment(0xee, b'Adobe' + struct.pack('>HHHB', 100, 0, 0, adobe)) if adobe is not None else b''
    out += b'' if late else adobes
    out += segment(0xdb, bytes([0] + [1] * 64)) + segment(0xc4, dc.table) + segment(0xc4, ac.table)
    frame = b''.join(bytes([i, h << 4 | v, 0]) for i, (h, v) in zip(ids, sampling))
    out += segment(0xc2 if progressive else 0xc0, struct.pack('>BHHB', 8, height, width, len(planes)) + frame) + (adobes if late else b'')
    if restart:
        out += segment(0xdd, struct.pack('>H', restart))

    def coded(units, put):
        """put(scan, x, y) for every unit, with a restart marker after every so many."""
        data, scan = b'', Scan(dc, ac)
        for number, (x, y) in enumerate(units):
            if restart and number and number % restart == 0:
                data += scan.bits.bytes() + bytes([0xff, 0xd0 + (number // restart - 1) % 8])
                scan = Scan(dc, ac)
            put(scan, x, y)
        return data + scan.bits.bytes()

    def units_of(columns, rows):
        return [(x, y) for y in range(rows) for x in range(columns)]

    def interleaved(shift=None):
        """All components; shift: only the DC coefficients of a progressive file."""
        single = len(planes) == 1

        def put(scan, x, y):
            for i in range(len(planes)):
                h, v = (1, 1) if single else sampling[i]
                for block in (blocks[i][y * v + b][x * h + a] for b in range(v) for a in range(h)):
                    scan.put_dc(i, block, shift or 0)
                    if shift is None:
                        scan.put_ac(block)
        spectral = bytes([0, 63, 0]) if shift is None else bytes([0, 0, shift])
        header = bytes([len(planes)]) + b''.join(bytes([i, 0]) for i in ids) + spectral
        return segment(0xda, header) + coded(units_of(*(sizes[0] if single else (units_x, units_y))), put)

    def of_one(i, first, last, high, low):
        def put(scan, x, y):
            block = blocks[i][y][x]
            if first == 0:
                scan.bits.add(block[0] >> low & 1, 1)
            elif high:
                scan.refine_ac(block, first, last, low)
            else:
                scan.put_ac(block, first, last, low)
        return segment(0xda, bytes([1, ids[i], 0, first, last, high << 4 | low])) + coded(units_of(*sizes[i]), put)
    if not progressive:
        return out + interleaved() + end
    out += interleaved(shift=1)
    for i in range(len(planes)):
        out += of_one(i, 1, 5, 0, 1) + of_one(i, 6, 63, 0, 1) + of_one(i, 1, 63, 1, 0) + of_one(i, 0, 0, 1, 0)
    return out + end


def ycc(red, green, blue):
    """JFIF's colours."""
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    return tuple(min(255, max(0, round(value))) for value in (y, 128 + (blue - y) / 1.772, 128 + (red - y) / 1.402))


def planes_of(width, height, pixels):
    return [[[pixels[y * width + x][c] for x in range(width)] for y in range(height)] for c in range(len(pixels[0]))]


def exif(orientation, big_endian=True, long=False, tag=0x112):
    """A TIFF structure with a tag before and one after."""
    order = '>' if big_endian else '<'
    entries = [struct.pack(order + 'HHII', 0x100, 4, 1, 7), struct.pack(order + 'HHI', tag, 4 if long else 3, 1) +
               (struct.pack(order + 'I', orientation) if long else struct.pack(order + 'HH', orientation, 0)),
               struct.pack(order + 'HHIHH', 0x128, 3, 1, 2, 0)]
    return (b'MM' if big_endian else b'II') + struct.pack(order + 'HIH', 42, 8, len(entries)) + b''.join(entries) + bytes(4)
