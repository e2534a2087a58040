"""smoe-classify over pictures of every kind: the pixels it makes of them."""
import io
import random
import struct

import odd_run  # first: it says where the others are
import odd_files
import odd_webp
import pictures
import tap
from odd_files import exif, jpeg, planes_of, png, ycc
from odd_run import SEED, SIDE, classify, path_of, smooth, write
try:
    from PIL import Image, ImageOps, features
except ImportError:
    Image = None

CLOSE = 4  # JPEG's pixels: colours and coefficients are rounded, and decoders may differ by 1 in each step


def noisy(count, channels, depth):
    pick = random.Random(SEED)
    return [tuple(pick.randrange(1 << depth) for _ in range(channels)) for _ in range(count)]


def scaled(sample, depth):
    """To 8 bits: 16 are cut, fewer are spread."""
    return sample >> 8 if depth == 16 else sample * 255 // ((1 << depth) - 1)


def before_white(value, alpha):
    return round((value * alpha + 255 * (255 - alpha)) / 255)


def shown(pixel, depth=8, transparent=None):
    """What one sees: RGB before white. transparent: the colour that is not there."""
    alpha = scaled(pixel[-1], depth) if len(pixel) % 2 == 0 else 0 if pixel == transparent else 255
    colour = [scaled(sample, depth) for sample in (pixel[:3] if len(pixel) > 2 else pixel[:1] * 3)]
    return tuple(before_white(value, alpha) for value in colour)


def exact(cases):
    """{name: (content, width, height, RGB pixels)}: the same inputs as those of a plain picture with these pixels."""
    odd, plain = [], []
    for i, (name, (content, width, height, pixels)) in enumerate(cases.items()):
        odd.append(write('odd%d' % i, content))
        plain.append(path_of('plain%d.png' % i))
        pictures.write_png(plain[-1], width, height, bytes(value for pixel in pixels for value in pixel))
    images, messages = classify(odd + plain)
    assert not messages, messages
    for i, (name, (_, width, height, pixels)) in enumerate(cases.items()):
        got, expected = images[i], images[len(cases) + i]
        if (width, height) == (SIDE, SIDE):
            assert expected == bytes(value for pixel in pixels for value in pixel), name
        yield name, max(abs(a - b) for a, b in zip(got, expected))


# ---- PNG


def png_cases():
    cases = {}

    def add(name, width, height, samples, pixels, **options):
        for interlaced in (False, True):
            cases['%s %dx%d%s' % (name, width, height, ' interlaced' * interlaced)] = (
                png(width, height, samples, interlaced=interlaced, **options), width, height, pixels)
    for width, height in ((SIDE, SIDE), (13, 7), (1, 1), (3, 21)):
        for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (4, (8, 16)), (6, (8, 16))):
            for depth in depths:
                samples = noisy(width * height, odd_files.CHANNELS[colour], depth)
                add('colour %d, %d bits' % (colour, depth), width, height, samples, [shown(s, depth) for s in samples], colour=colour,
                    depth=depth)
                if colour in (0, 2):
                    key = samples[len(samples) // 2]
                    add('colour %d, %d bits, one not there' % (colour, depth), width, height, samples,
                        [shown(s, depth, key) for s in samples], colour=colour, depth=depth,
                        transparency=b''.join(struct.pack('>H', value) for value in key))
        for depth in (1, 2, 4, 8):
            samples = noisy(width * height, 1, depth)
            for length in {1 << depth, max(1, (1 << depth) - 1)}:  # a colour beyond the palette's end is black, as it is to libpng
                palette = noisy(length, 3, 8)
                alphas = bytes(alpha for alpha, in noisy(max(1, length - 1), 1, 8))
                full, clear = palette + [(0, 0, 0)], list(alphas) + [255] * (1 + length - len(alphas))
                name = '%s of %d' % ('palette' if length == 1 << depth else 'short palette', length)
                add(name, width, height, samples, [full[min(s, length)] for s, in samples], colour=3, depth=depth,
                    palette=palette)
                add(name + ', transparent', width, height, samples,
                    [shown(full[min(s, length)] + (clear[min(s, length)],)) for s, in samples], colour=3, depth=depth, palette=palette,
                    transparency=alphas)
    samples = noisy(SIDE * SIDE, 3, 8)
    cases['many pieces'] = png(SIDE, SIDE, samples, pieces=40), SIDE, SIDE, samples
    cases['more behind it'] = png(SIDE, SIDE, samples) + b'more', SIDE, SIDE, samples
    cases['a suggested palette'] = png(SIDE, SIDE, samples, palette=[(1, 2, 3)], before=[(b'sPLT', b'x')]), SIDE, SIDE, samples
    cases['senseless transparency'] = png(SIDE, SIDE, samples, transparency=b'\0'), SIDE, SIDE, samples
    return cases


def kinds_of_png():
    for name, off in exact(png_cases()):
        assert off == 0, '%s: off by %d, seed %d' % (name, off, SEED)


def long_and_thin():
    cases = {}
    for width, height in ((1, 5000), (5000, 1), (2, 70000), (70000, 2)):
        pixels = [(min(255, i * 256 // (width * height)), 7, 200) for i in range(width * height)]
        cases['%d x %d, grey' % (width, height)] = (png(width, height, [pixel[:1] for pixel in pixels], colour=0), width, height,
                                                    [pixel[:1] * 3 for pixel in pixels])
        cases['%d x %d' % (width, height)] = png(width, height, pixels), width, height, pixels
    for name, off in exact(cases):
        assert off == 0, name


# ---- JPEG


def cmyk(pixel):
    """Ink, inverted as Adobe writes it."""
    most = max(pixel)
    return tuple(round(255 * value / most) if most else 0 for value in pixel) + (most,)


def jpeg_cases():
    cases = {}
    for width, height in ((SIDE, SIDE), (21, 18), (1, 1), (40, 9)):
        pixels = smooth(width, height)
        colours, grey = planes_of(width, height, [ycc(*p) for p in pixels]), [pixel[:1] for pixel in pixels]
        inks = [cmyk(pixel) for pixel in pixels]
        inverted = [ycc(*(255 - value for value in ink[:3])) + ink[3:] for ink in inks]
        made = {'baseline': jpeg(width, height, colours),
                'progressive': jpeg(width, height, colours, progressive=True),
                'restarts': jpeg(width, height, colours, restart=2),
                'progressive restarts': jpeg(width, height, colours, progressive=True, restart=3),
                'long codes': jpeg(width, height, colours, code_length=14),
                'RGB by Adobe': jpeg(width, height, planes_of(width, height, pixels), adobe=0, jfif=False),
                'RGB by Adobe, late': jpeg(width, height, planes_of(width, height, pixels), adobe=0, jfif=False, late=True),
                'RGB by name': jpeg(width, height, planes_of(width, height, pixels), ids=b'RGB', jfif=False),
                'YCbCr by Adobe': jpeg(width, height, colours, adobe=1, jfif=False),
                'CMYK by Adobe': jpeg(width, height, planes_of(width, height, inks), adobe=0, jfif=False),
                'CMYK by nobody': jpeg(width, height, planes_of(width, height, inks), jfif=False),
                'YCCK by Adobe': jpeg(width, height, planes_of(width, height, inverted), adobe=2, jfif=False),
                'YCCK by Adobe, late': jpeg(width, height, planes_of(width, height, inverted), adobe=2, jfif=False, late=True),
                'progressive YCCK': jpeg(width, height, planes_of(width, height, inverted), adobe=2, jfif=False, progressive=True),
                'filled up': jpeg(width, height, colours, before=[(0xfe, b'a comment'), (0xe2, b'ICC_PROFILE\0' + bytes(500))],
                                  end=b'\xff\xff\xff\xd9') + b'\xff\xd8 and more',
                'grey': jpeg(width, height, planes_of(width, height, grey)),
                'grey, sampled 2x2': jpeg(width, height, planes_of(width, height, grey), sampling=[(2, 2)]),
                'progressive grey': jpeg(width, height, planes_of(width, height, grey), progressive=True)}
        for name, content in made.items():
            cases['%s %dx%d' % (name, width, height)] = content, width, height, [p * 3 for p in grey] if 'grey' in name else pixels
    return cases


def kinds_of_jpeg():
    for name, off in exact(jpeg_cases()):
        assert off <= CLOSE, '%s: off by %d' % (name, off)


def sampled_jpeg():
    """Colours at fewer points: of one colour, which every way of filling in must give back; and of many, roughly."""
    cases = {}
    for sampling in ((2, 1), (2, 2), (1, 2), (4, 1), (4, 2), (1, 4), (3, 1)):
        for progressive in (False, True):
            for colour in (None, (200, 30, 90)):
                pixels = smooth(37, 29) if colour is None else [colour] * (37 * 29)
                planes = planes_of(37, 29, [ycc(*pixel) for pixel in pixels])
                content = jpeg(37, 29, planes, sampling=[sampling, (1, 1), (1, 1)], progressive=progressive)
                cases['%s, progressive %s, %s' % (sampling, progressive, colour)] = content, 37, 29, pixels
    for name, off in exact(cases):
        assert off <= (16 if 'None' in name else CLOSE), '%s: off by %d' % (name, off)


def arithmetic_jpeg():
    """seeds/arithmetic.jpg has the coefficients of seeds/baseline.jpg."""
    images, messages = classify([odd_run.FOLDER + '/seeds/%s.jpg' % name for name in ('arithmetic', 'baseline')])
    assert not messages and images[0] == images[1], messages


# ---- WebP


def webp_cases():
    cases = {}
    for width, height in ((SIDE, SIDE), (13, 7), (1, 1), (3, 21)):
        samples = noisy(width * height, 4, 8)
        content = odd_webp.webp(width, height, samples)
        cases['lossless %dx%d' % (width, height)] = content, width, height, [shown(pixel) for pixel in samples]
        cases['without alpha %dx%d' % (width, height)] = (odd_webp.webp(width, height, samples, alpha=False), width, height,
                                                          [pixel[:3] for pixel in samples])
        cases['more behind it %dx%d' % (width, height)] = content + b'more', width, height, [shown(pixel) for pixel in samples]
    back, front = noisy(SIDE * SIDE, 4, 8), noisy(6 * 5, 4, 8)
    cases['animated'] = (odd_webp.animation(SIDE, SIDE, odd_webp.frame(0, 0, SIDE, SIDE, back), odd_webp.frame(2, 4, 6, 5, front)),
                         SIDE, SIDE, [shown(pixel) for pixel in back])
    inside = [shown(front[(y - 4) * 6 + x - 2]) if 2 <= x < 8 and 4 <= y < 9 else (255, 255, 255) for y in range(SIDE) for x in range(SIDE)]
    cases['a small first frame'] = (odd_webp.animation(SIDE, SIDE, odd_webp.frame(2, 4, 6, 5, front)), SIDE, SIDE, inside)
    return cases


def kinds_of_webp():
    for name, off in exact(webp_cases()):
        assert off == 0, '%s: off by %d, seed %d' % (name, off, SEED)


def lossy_webp():
    """Of one colour. Alpha, which is not coded here, is that of its own pixels."""
    with open(odd_run.FOLDER + '/seeds/lossy.webp', 'rb') as file:
        coded = odd_webp.chunks_of(file.read())[0]
    alphas = [value for value, in noisy(24 * 17, 1, 8)]
    clear = odd_webp.extended(24, 17, odd_webp.ALPHA, (b'ALPH', bytes([0] + alphas)), coded)
    colour = (200, 30, 90)
    cases = {'lossy': (odd_webp.riff(coded), 24, 17, [colour] * (24 * 17)),
             'lossy with alpha': (clear, 24, 17, [shown(colour + (alpha,)) for alpha in alphas])}
    for name, off in exact(cases):
        assert off <= CLOSE, '%s: off by %d' % (name, off)


# ---- EXIF


def turned(width, height, pixels, orientation):
    """Upright. Orientation o says which side the first row and the first column are: 1 top left, 2 top right, 3 bottom right,
    4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom."""
    row_side, column_side = {1: ('top', 'left'), 2: ('top', 'right'), 3: ('bottom', 'right'), 4: ('bottom', 'left'), 5: ('left', 'top'),
                             6: ('right', 'top'), 7: ('right', 'bottom'), 8: ('left', 'bottom')}[orientation]
    new_width, new_height = (height, width) if orientation > 4 else (width, height)
    result = [None] * (width * height)
    for row in range(height):
        for column in range(width):
            place = {row_side: row, column_side: column}
            x = place['left'] if 'left' in place else new_width - 1 - place['right']
            y = place['top'] if 'top' in place else new_height - 1 - place['bottom']
            result[y * new_width + x] = pixels[row * width + column]
    return new_width, new_height, result


def orientations():
    lossless, lossy = {}, {}
    width, height = 22, 13
    pixels, grey = smooth(width, height), [(x * 11, 255 - y * 9) for y in range(height) for x in range(width)]
    planes = planes_of(width, height, [ycc(*pixel) for pixel in pixels])
    for o in range(1, 9):
        upright = turned(width, height, pixels, o)
        for big_endian in (False, True):
            for long in (False, True):
                data = exif(o, big_endian, long)
                lossless['PNG %d, %s, %s' % (o, big_endian, long)] = png(width, height, pixels, before=[(b'eXIf', data)]), *upright
                segments = [(0xe1, b'http://ns.adobe.com/xap/1.0/\0'), (0xe1, b'Exif\0\0' + data), (0xe1, b'Exif\0\0' + exif(o % 8 + 1))]
                lossy['JPEG %d, %s, %s' % (o, big_endian, long)] = jpeg(width, height, planes, before=segments), *upright
                for begin in (b'', b'Exif\0\0'):
                    lossless['WebP %d, %s, %s, %s' % (o, big_endian, long, begin)] = (
                        odd_webp.webp(width, height, [pixel + (255,) for pixel in pixels], begin + data), *upright)
        lossless['grey and alpha %d' % o] = (png(width, height, grey, colour=4, before=[(b'eXIf', exif(o))]),
                                             *turned(width, height, [shown(pixel) for pixel in grey], o))
        lossless['RGBA %d' % o] = (png(width, height, [p + a[1:] for p, a in zip(pixels, grey)], colour=6, before=[(b'eXIf', exif(o))]),
                                   *turned(width, height, [shown(p + a[1:]) for p, a in zip(pixels, grey)], o))
    # What gives no orientation leaves the picture as it is.
    for name, data in (('0', exif(0)), ('9', exif(9)), ('another tag', exif(6, tag=0x113)), ('cut', exif(6)[:20]), ('empty', b''),
                       ('order', b'XX' + exif(6)[2:]), ('42', exif(6)[:3] + b'+' + exif(6)[4:]), ('far', exif(6)[:4] + b'\xff' * 4),
                       ('at the end', exif(6)[:4] + struct.pack('>I', len(exif(6)) - 1) + exif(6)[8:]),
                       ('many', exif(6, tag=0x113)[:8] + b'\xff\xff' + exif(6, tag=0x113)[10:])):
        lossless['none: ' + name] = png(width, height, pixels, before=[(b'eXIf', data)]), width, height, pixels
        lossy['none: ' + name] = jpeg(width, height, planes, before=[(0xe1, b'Exif\0\0' + data)]), width, height, pixels
    for name, off in exact(lossless):
        assert off == 0, '%s: off by %d' % (name, off)
    for name, off in exact(lossy):
        assert off <= CLOSE, '%s: off by %d' % (name, off)


def pillow_agrees():
    """The same pixels as Pillow's, where this machine has one: what the tests' own writers make is what others read in it."""
    if not Image:
        raise tap.Skip('Pillow is not installed; the other tests compare with the pixels that were written')
    cases = {**png_cases(), **jpeg_cases()}
    for o in range(1, 9):
        planes = planes_of(22, 13, [ycc(*pixel) for pixel in smooth(22, 13)])
        cases['orientation %d' % o] = jpeg(22, 13, planes, before=[(0xe1, b'Exif\0\0' + exif(o))]), *turned(22, 13, smooth(22, 13), o)
    del cases['senseless transparency']  # which Pillow refuses
    for name, (content, width, height, pixels) in cases.items():
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
        few = any('%d bits, one not there' % depth in name for depth in (1, 2, 4, 16))
        if picture.mode.startswith('I') or few or 'short' in name:
            continue  # Pillow clips grey of 16 bits, compares the transparent colour with scaled ones, and makes colours up
        if 'transparent' in name or 'A' in picture.mode or 'one not' in name:
            over = picture.convert('RGBA')
            picture = Image.new('RGB', picture.size, (255, 255, 255))
            picture.paste(over, mask=over.getchannel('A'))
        off = max(abs(a - b) for one, other in zip(picture.convert('RGB').getdata(), pixels) for a, b in zip(one, other))
        assert picture.size == (width, height) and off <= (CLOSE if content[:1] == b'\xff' else 0), '%s: off by %d' % (name, off)


def saved(width, height):
    """What Pillow's own writers make, at every setting that a decoder sees."""
    picture = Image.new('RGB', (width, height))
    picture.putdata(smooth(width, height))
    noise = Image.new('RGBA', (width, height))
    noise.putdata(noisy(width * height, 4, 8))
    for quality in (1, 50, 90, 100):
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                for one, mode in ((picture, 'RGB'), (noise, 'RGB'), (noise, 'L'), (noise, 'CMYK')):
                    yield one.convert(mode), 'JPEG', {'quality': quality, 'subsampling': subsampling, 'progressive': progressive}
    for one in (picture, noise):
        for quality in (1, 50, 100):
            for lossless in (False, True):
                for method in (0, 6):
                    yield one, 'WEBP', {'quality': quality, 'lossless': lossless, 'method': method, 'exact': True}
        yield one, 'WEBP', {'save_all': True, 'append_images': [noise], 'lossless': True, 'duration': 20}
        yield one.convert('P'), 'PNG', {}
        yield one.convert('LA'), 'PNG', {}
        yield one.convert('1'), 'PNG', {}


def before_white_by_pillow(picture):
    """As the sample does it: Pillow's own paste rounds as well."""
    if 'A' not in picture.mode and 'transparency' not in picture.info:
        return list(picture.convert('RGB').getdata())
    return [shown(pixel) for pixel in picture.convert('RGBA').getdata()]


def pillow_to_the_bit():
    """Where Pillow has the same libraries, the same pixels as its, of what the tests' own writers and Pillow's make."""
    if not Image or not features.check_feature('libjpeg_turbo') or not features.check('webp_anim'):
        raise tap.Skip('Pillow is not installed, or without libjpeg-turbo or libwebp')
    contents = {name: content for name, (content, *_) in {**jpeg_cases(), **webp_cases()}.items()}
    for size in ((SIDE, SIDE), (37, 29), (1, 1), (130, 66)):
        for picture, kind, settings in saved(*size):
            file = io.BytesIO()
            picture.save(file, kind, **settings)
            settings.pop('append_images', None)
            contents['%s %s %s %s' % (kind, size, picture.mode, settings)] = file.getvalue()
    cases = {}
    for name, content in contents.items():
        picture = Image.open(io.BytesIO(content))
        cases[name] = content, *picture.size, before_white_by_pillow(picture)
    for name, off in exact(cases):
        assert off == 0, '%s: off by %d, seed %d' % (name, off, SEED)


tap.run([kinds_of_png, long_and_thin, kinds_of_jpeg, sampled_jpeg, arithmetic_jpeg, kinds_of_webp, lossy_webp, orientations, pillow_agrees,
         pillow_to_the_bit])
