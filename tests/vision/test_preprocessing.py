"""How smoe-classify turns a picture into a model's input: against plain loops in double, against Pillow's own bytes, and JPEG."""
import base64
import glob
import math
import os
import struct
import sys
import tempfile
import zlib

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import pictures
import tap
import tensor_file
import tiny_model
try:
    from PIL import Image, ImageOps
except ImportError:
    Image = None

CLASSIFY = os.path.join(tap.BUILD, 'bin', 'smoe-classify')
MODEL = sorted(glob.glob(FOLDER + '/gmoe_*.safetensors'))[0]
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
SIDE = 32  # of the model's images
SIZES = ((32, 32), (33, 47), (200, 100), (31, 90), (7, 5), (1, 1), (35, 36), (128, 37), (64, 64), (1, 40), (300, 2))
SETTINGS = (('bicubic', '0.9', 'crop'), ('bilinear', '0.9', 'crop'), ('bicubic', '1.0', 'crop'), ('bilinear', '1.0', 'crop'),
            ('bicubic', '0.5', 'crop'), ('bicubic', '0.875', 'crop'), ('bicubic', '0.9', 'pad'), ('bilinear', '1.0', 'pad'),
            ('bicubic', '0.5', 'squash'), ('bilinear', '1.0', 'squash'))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BORDER = tuple(math.floor(255 * mean + 0.5) for mean in MEAN)
# crc32 of what Pillow makes of all SIZES, one after another, with seeds 0, 1, ..., for each of SETTINGS; made with 9.4.0
PILLOW = (0xdb1bfce1, 0x774e5ab2, 0xde16c97a, 0xd5905c97, 0xd9ba7f39, 0x1322691b, 0x64bed1ad, 0xa6f9dffa,
          0x67f90ed4, 0xe9bd0453)
# 40 x 30 pixels of (6 x, 8 y, 255 - 3 x - 3 y), quality 90, chroma at half the size: written by Pillow 9.4.0
JPEG = (
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/2wBDAQME'
    'BAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wAARCAAeACgDASIAAhEBAxEB/8QAGAABAQEBAQAA'
    'AAAAAAAAAAAABQYABwj/xAAcEAABBAMBAAAAAAAAAAAAAAAABAYiMQMFoSH/xAAYAQEBAAMAAAAAAAAAAAAAAAAHCAUGCf/EAB4RAAEDBQEBAAAAAAAAAAAAAAUAAiEB'
    'BAYiMRMj/9oADAMBAAIRAxEAPwDxaia9Q4PomvUC+RNeocH0TXqHCzy+Td2WlATnJUCia9Q4PomvUOF8ia9Q4PomvUAUL5N3ZUWBOclQKJr1Ax11E16hwwRXWTfSuyd7'
    'I58aSgETXqA+ia9Q4XSLQYvKH0WgxeUZovkbplcewJp0KFRNeocH0TXqBdItBi8ofRaDF5QJl8jdMqigJp0KFRNeocMdZRaDF5Rgjusjd6VlPFkad40X/9k=')
scratch = tempfile.TemporaryDirectory()


def path_of(name):
    return os.path.join(scratch.name, name)


@tap.once
def prepared(paths, interpolation, crop_pct, fit, *options):
    """The model's inputs as bytes [side, side, 3], by undoing the normalisation; they must be normalised bytes exactly."""
    tensors, metadata = tensor_file.read(MODEL)
    metadata.update(interpolation=interpolation, crop_pct=crop_pct, fit=fit, mean='%g,%g,%g' % MEAN, std='%g,%g,%g' % STD)
    model, out = path_of('model.safetensors'), path_of('out.safetensors')
    tensor_file.write(model, tensors, metadata)
    tap.command(CLASSIFY, *DEVICE, '--model', model, '--out', out, *options, *paths)
    results = []
    for values in tensor_file.read(out)[0]['images'].rows():
        planes = [values[c * SIDE * SIDE:(c + 1) * SIDE * SIDE] for c in range(3)]
        result = bytes(max(0, min(255, round((planes[c][i] * STD[c] + MEAN[c]) * 255))) for i in range(SIDE * SIDE) for c in range(3))
        for i in range(0, SIDE * SIDE, 7):
            for c in range(3):
                assert abs((result[3 * i + c] / 255 - MEAN[c]) / STD[c] - planes[c][i]) < 1e-6, 'pixel %d, channel %d' % (i, c)
        results.append(result)
    return results


def made():
    for seed, (width, height) in enumerate(SIZES):
        pictures.write_png(path_of('%02d.png' % seed), width, height, pictures.noise(seed, width, height))
    return tuple(path_of('%02d.png' % seed) for seed in range(len(SIZES)))


def against_plain_loops():
    paths = made()
    for interpolation, crop_pct, fit in SETTINGS:
        for seed, (got, size) in enumerate(zip(prepared(paths, interpolation, crop_pct, fit), SIZES)):
            expected = pictures.fitted(pictures.noise(seed, *size), *size, SIDE, interpolation, fit, float(crop_pct), BORDER)
            off = [abs(a - b) for a, b in zip(got, expected)]
            said = '%s, %s %s, %d x %d, seed %d' % (interpolation, fit, crop_pct, *size, seed)
            # Where the sizes' ratio is simple, many sums are exact halves, which one rounds up and the other down.
            assert max(off) <= 1 and sum(off) <= len(off) // 20, '%s: %d of %d off, by %d' % (said, sum(off), len(off), max(off))


def pillow_bytes():
    """The same bytes as Pillow gave where this list was made."""
    paths = made()
    for setting, right in zip(SETTINGS, PILLOW):
        crc = 0
        for got in prepared(paths, *setting):
            crc = zlib.crc32(got, crc)
        assert crc == right, '%s, %s, %s: %08x' % (*setting, crc)


def pillow_here():
    """The same with the Pillow of this machine, if it has one."""
    if not Image:
        raise tap.Skip('Pillow is not installed; pillow_bytes compares with what it gave elsewhere')
    paths = made()
    for interpolation, crop_pct, fit in SETTINGS:
        how = Image.BICUBIC if interpolation == 'bicubic' else Image.BILINEAR
        for path, got, size in zip(paths, prepared(paths, interpolation, crop_pct, fit), SIZES):
            new, (left, top) = pictures.sizes_and_place(*size, SIDE, fit, float(crop_pct))
            with Image.open(path) as picture:
                resized = picture.resize((new[0], size[1]), how).resize(new, how)  # 13.0.0 has another order where that is quicker
                if fit == 'pad':
                    square = Image.new('RGB', (SIDE, SIDE), BORDER)
                    square.paste(resized, (-left, -top))
                    where = Image.new('L', (SIDE, SIDE))
                    where.paste(255, (-left, -top, new[0] - left, new[1] - top))
                    if min(size) / max(size) * SIDE > 0.5:  # Pillow's own refuses where a side would vanish
                        assert ImageOps.pad(Image.new('L', size, 255), (SIDE, SIDE), how, 0).tobytes() == where.tobytes(), size
                else:
                    square = resized.crop((left, top, left + SIDE, top + SIDE))
            assert square.tobytes() == got, '%s, %s %s, %s' % (interpolation, fit, crop_pct, size)


def fit_of_the_command_line():
    """--fit in place of the model's; a model that does not say is cropped."""
    paths = made()
    for own, option in (('crop', 'pad'), ('pad', 'squash'), ('squash', 'crop')):
        assert prepared(paths, 'bicubic', '0.9', own, '--fit', option) == prepared(paths, 'bicubic', '0.9', option)
    out = path_of('silent.safetensors')
    tap.command(CLASSIFY, *DEVICE, '--model', MODEL, '--out', out, *paths)  # its metadata have no fit
    silent = tensor_file.read(out)[0]['images'].values
    tap.command(CLASSIFY, *DEVICE, '--model', MODEL, '--out', out, '--fit', 'crop', *paths)
    assert silent == tensor_file.read(out)[0]['images'].values and 'fit' not in tensor_file.read(MODEL)[1]


def nothing_is_lost():
    """A line at each end of a long picture: the crop does not see them, the others do. At a length of a million, too."""
    for width, height in ((300, 3), (3, 300), (1 << 20, 1), (1, 1 << 20)):
        end = max(width, height) // 64 * (width if height > width else 1) * 3
        line = bytes([255, 0, 0]) * (end // 3) + bytes([0, 0, 255]) * (width - 2 * (end // 3)) + bytes([255, 0, 0]) * (end // 3)
        pixels = line * height if width > height else \
            bytes([255, 0, 0]) * (end // 3) + bytes([0, 0, 255]) * (width * height - 2 * (end // 3)) + bytes([255, 0, 0]) * (end // 3)
        path = path_of('ends_%d_%d.png' % (width, height))
        pictures.write_png(path, width, height, pixels)
        for fit in ('crop', 'pad', 'squash'):
            got, = prepared((path,), 'bilinear', '1.0', fit)
            middle = [got[3 * i:3 * i + 3] for i in (range(16 * SIDE, 17 * SIDE) if width > height else range(16, SIDE * SIDE, SIDE))]
            red = [pixel[0] > 40 and pixel[2] < 215 for pixel in middle]
            assert (red[0] and red[-1] and not any(red[2:-2])) == (fit != 'crop') and not any(red[2:-2]), (width, height, fit, middle)
            outside = got[:3] if fit == 'pad' else bytes(BORDER)
            assert outside == bytes(BORDER), (width, height, fit, outside)


def large_picture():
    """Only what the crop needs is computed: a panorama of 60,000 x 3 pixels."""
    width, height = 60000, 3
    path = path_of('wide.png')
    pixels = ((x * 255 // width, 7 * y, 9) for y in range(height) for x in range(width))
    pictures.write_png(path, width, height, bytes(value for pixel in pixels for value in pixel))
    got, = prepared((path,), 'bicubic', '1.0', 'crop')
    assert set(got[0::3]) <= {126, 127, 128} and set(got[2::3]) == {9} and min(got[1::3]) <= 1 and max(got[1::3]) >= 13


def too_long():
    """Resized, it would be 4,294,967,300 pixels wide: 4 in 32 bits."""
    model, path = path_of('large.safetensors'), path_of('long.png')
    tensors, metadata = tiny_model.make(1, image_size=512, patch=64, width=4, heads=1, depth=1, hidden=4)
    tensor_file.write(model, tensors, {**metadata, 'crop_pct': '0.124878'})
    pictures.write_png(path, 1047553, 1, bytes(3 * 1047553))
    output, messages = tap.outputs(CLASSIFY, *DEVICE, '--model', model, path, status=1)
    assert messages.startswith('smoe-classify: %s is too long' % path) and '4294967300' in messages and '%' not in output, messages


def jpeg():
    path = path_of('gradient.jpg')
    with open(path, 'wb') as file:
        file.write(base64.b64decode(JPEG))
    got, = prepared((path,), 'bicubic', '1.0', 'crop')
    pixels = bytes((6 * x, 8 * y, 255 - 3 * x - 3 * y)[c] for y in range(30) for x in range(40) for c in range(3))
    expected = pictures.fitted(pixels, 40, 30, SIDE, 'bicubic')
    off = [abs(a - b) for a, b in zip(got, expected)]
    assert max(off) <= 12 and sum(off) <= 3 * len(off), '%d at most, %.2f on average' % (max(off), sum(off) / len(off))


tap.run([against_plain_loops, pillow_bytes, pillow_here, fit_of_the_command_line, nothing_is_lost, large_picture, too_long, jpeg])
