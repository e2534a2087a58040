"""Writes the seeds of pictures that the tests and the fuzzer begin with: python3 make_seeds.py seeds
Pillow codes the lossy WebP. arithmetic.jpg is made by hand: jpegtran -copy all -arithmetic seeds/baseline.jpg > seeds/arithmetic.jpg"""
import io
import random
import struct
import sys

import odd_webp
from odd_files import AC_SYMBOLS, DC_SYMBOLS, Bits, Codes, exif, jpeg, planes_of, png, segment, ycc


def overflowing():
    """Every block is far brighter than the one before, times the largest quantisation."""
    dc, ac, bits = Codes(0x00, DC_SYMBOLS, 4), Codes(0x10, AC_SYMBOLS, 8), Bits()
    for _ in range(64):
        dc.put(bits, 11)
        bits.signed(2047, 11)
        ac.put(bits, 0)
    return b'\xff\xd8' + segment(0xdb, b'\x10' + b'\xff' * 128) + segment(0xc4, dc.table) + segment(0xc4, ac.table) + \
        segment(0xc1, struct.pack('>BHHB', 8, 64, 64, 1) + b'\1\x11\0') + segment(0xda, b'\1\1\0\0\x3f\0') + bits.bytes() + b'\xff\xd9'


def lossy_webp(width, height):
    from PIL import Image
    file = io.BytesIO()
    Image.new('RGB', (width, height), (200, 30, 90)).save(file, 'WEBP', quality=80)
    return file.getvalue()


def write_seeds(folder):
    def smooth(width, height):
        places = [(x, y) for y in range(height) for x in range(width)]
        return [(255 * x // width, 255 * y // height, 255 - 120 * (x + y) // max(width, height)) for x, y in places]
    pick = random.Random(0)
    deep = [tuple(257 * value for value in pixel) + (65535 * (i % 7) // 6,) for i, pixel in enumerate(smooth(9, 10))]
    grid, small = smooth(24, 17), smooth(9, 10)
    ink = planes_of(24, 17, [pixel + (max(pixel),) for pixel in grid])
    colours, grey = planes_of(24, 17, [ycc(*pixel) for pixel in grid]), planes_of(24, 17, [pixel[:1] for pixel in grid])
    quarter = [(2, 2), (1, 1), (1, 1)]
    files = {'baseline.jpg': jpeg(24, 17, colours, sampling=quarter, before=[(0xe1, b'Exif\0\0' + exif(6))]),
             'progressive.jpg': jpeg(24, 17, colours, sampling=quarter, progressive=True),
             'restarts.jpg': jpeg(24, 17, colours, restart=2, code_length=12),
             'progressive_restarts.jpg': jpeg(24, 17, colours, sampling=[(2, 1), (1, 1), (1, 1)], progressive=True, restart=3),
             'cmyk.jpg': jpeg(24, 17, ink, adobe=0, jfif=False), 'ycck.jpg': jpeg(24, 17, ink, adobe=2, jfif=False, progressive=True),
             'rgb.jpg': jpeg(24, 17, planes_of(24, 17, grid), ids=b'RGB', jfif=False), 'grey.jpg': jpeg(24, 17, grey),
             'steep.jpg': jpeg(16, 16, [[[pick.choice((0, 255)) for _ in range(16)] for _ in range(16)] for _ in range(3)], code_length=16),
             'overflow.jpg': overflowing(),
             'rgb.png': png(24, 17, grid, pieces=3, before=[(b'eXIf', exif(8, False))]),
             'rgb_key.png': png(9, 10, small, transparency=b''.join(struct.pack('>H', value) for value in small[40])),
             'rgba_16_interlaced.png': png(9, 10, deep, colour=6, depth=16, interlaced=True),
             'grey_alpha.png': png(9, 10, [pixel[:2] for pixel in small], colour=4),
             'grey_2.png': png(9, 10, [(pixel[0] >> 6,) for pixel in small], colour=0, depth=2, transparency=b'\0\1'),
             'grey_1_interlaced.png': png(24, 17, [(pixel[0] >> 7,) for pixel in grid], colour=0, depth=1, interlaced=True),
             'palette_4.png': png(9, 10, [((pixel[0] >> 4) + 1,) for pixel in small], colour=3, depth=4, palette=small[:15],
                                  transparency=b'\0\x80')}
    files['lossy.webp'], opaque = lossy_webp(24, 17), [pixel + (255 - i % 256,) for i, pixel in enumerate(small)]
    files['lossy_alpha.webp'] = odd_webp.extended(24, 17, odd_webp.ALPHA, (b'ALPH', bytes([0]) + bytes(i % 256 for i in range(24 * 17))),
                                                  odd_webp.chunks_of(files['lossy.webp'])[0])
    files['lossless.webp'] = odd_webp.webp(9, 10, opaque, exif(3))
    files['animated.webp'] = odd_webp.animation(11, 12, odd_webp.frame(2, 2, 9, 10, opaque), odd_webp.frame(0, 0, 9, 10, opaque))
    for name, content in files.items():
        with open('%s/%s' % (folder, name), 'wb') as file:
            file.write(content)


if __name__ == '__main__':
    write_seeds(sys.argv[1])
