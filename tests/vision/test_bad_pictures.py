"""What smoe-classify says of pictures that cannot be read, one line for each, and how much memory they may take."""
import functools
import os
import socket
import struct
import subprocess
import zlib

import odd_run  # first: it says where the others are
import odd_files
import odd_webp
import tap
from odd_files import jpeg, planes_of, png, segment, ycc
from odd_run import CLASSIFY, DEVICE, MODEL, SIDE, classify, path_of, smooth, write

LIMIT = 1024  # MiB for a picture


def changed(content, at, data):
    return content[:at] + data + content[at + len(data):]


def with_checksums(content):
    """A PNG whose chunks have the checksums that they should have."""
    result, at = content[:8], 8
    while at < len(content):
        length, = struct.unpack_from('>I', content, at)
        result += odd_files.chunk(content[at + 4:at + 8], content[at + 8:at + 8 + length])
        at += 12 + length
    return result


def deflated_zeros(blocks):
    """Blocks of 16 MiB. All but the first are deflated to the same bytes, as each ends where the window is forgotten."""
    stream, block, checksum = zlib.compressobj(9), bytes(1 << 24), 1
    first, other = (stream.compress(block) + stream.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    for _ in range(blocks):
        checksum = zlib.adler32(block, checksum)
    return first + other * (blocks - 1) + b'\3\0' + checksum.to_bytes(4, 'big')


def scans_of_nothing(width, height, count):
    """A progressive JPEG whose scans are empty, as arithmetic coding lets them be: each costs a pass over the picture all the same."""
    frame = segment(0xca, struct.pack('>BHHB', 8, height, width, 1) + b'\1\x11\0')
    scans = [segment(0xda, bytes([1, 1, 0, first, last, 0])) for first, last in [(0, 0)] + [(1, 63)] * count]
    return b'\xff\xd8' + segment(0xdb, bytes([0] + [1] * 64)) + frame + b''.join(scans) + b'\xff\xd9'


@functools.lru_cache(None)
def refused():
    """{name: (content, what the line must say)}"""
    pixels = smooth(SIDE, SIDE)
    good, photo = png(SIDE, SIDE, pixels), jpeg(SIDE, SIDE, planes_of(SIDE, SIDE, [ycc(*p) for p in pixels]))
    progressive = jpeg(SIDE, SIDE, planes_of(SIDE, SIDE, [ycc(*p) for p in pixels]), progressive=True)
    frame, dht, dqt, scan = photo.index(b'\xff\xc0'), photo.index(b'\xff\xc4'), photo.index(b'\xff\xdb'), photo.index(b'\xff\xda')
    header, idat = 16, good.index(b'IDAT')
    first = progressive.index(b'\xff\xda')
    second = progressive.index(b'\xff\xda', first + 1)
    clear = [pixel + (9 * i % 256,) for i, pixel in enumerate(pixels)]
    lossless, moving = odd_webp.webp(SIDE, SIDE, clear), odd_webp.animation(SIDE, SIDE, odd_webp.frame(0, 0, SIDE, SIDE, clear))
    cases = {
        'empty.jpg': (b'', 'is empty'), 'text.jpg': (b'not a picture\n', 'is no JPEG, PNG or WebP'),
        'one byte.png': (b'\x89', 'is no JPEG'),
        'gif.png': (b'GIF89a\1\0\1\0\0\0\0;', 'is a GIF; only JPEG, PNG and WebP are read'), 'bmp.png': (b'BM' + bytes(60), 'is a BMP'),
        'heic.jpg': (b'\0\0\0\x18ftypheic' + bytes(20), 'is a HEIC'),
        'tiff.jpg': (b'II*\0' + bytes(20), 'is a TIFF'),
        'huge lie.png': (with_checksums(changed(good, header, struct.pack('>II', 65535, 65535))), 'is damaged (it claims 65535 x 65535'),
        'wide lie.png': (with_checksums(changed(good, header, struct.pack('>II', 2 ** 31 - 1, 1))), 'is damaged (it claims'),
        'zero.png': (with_checksums(changed(good, header, struct.pack('>II', 0, 1))), 'cannot be decoded ('),
        'more than int.png': (with_checksums(changed(good, header, struct.pack('>II', 2 ** 31, 2 ** 31))), 'cannot be decoded ('),
        'depth.png': (with_checksums(changed(good, header + 8, b'\4')), 'cannot be decoded ('),
        'colour.png': (with_checksums(changed(good, header + 9, b'\5')), 'cannot be decoded ('),
        'colour 7.png': (with_checksums(changed(good, header + 9, b'\7')), 'cannot be decoded ('),
        'interlace.png': (with_checksums(changed(good, header + 12, b'\2')), 'cannot be decoded ('),
        'checksum.png': (changed(good, idat + 6, bytes([good[idat + 6] ^ 1])), 'cannot be decoded (IDAT: CRC error)'),
        'deflate.png': (with_checksums(changed(good, idat + 8, b'\xff' * 9)), 'cannot be decoded (IDAT: '),
        'too few.png': (with_checksums(changed(good, header, struct.pack('>II', SIDE, SIDE + 1))), 'cannot be decoded (Not enough'),
        'no palette.png': (png(2, 2, [(0,)] * 4, colour=3, depth=8), 'cannot be decoded (IDAT: Missing PLTE'),
        'long palette.png': (png(2, 2, [(0,)] * 4, colour=3, palette=[(0, 0, 0)] * 257), 'cannot be decoded (PLTE: '),
        'no pixels.png': (good[:idat - 4] + odd_files.chunk(b'IEND', b''), 'cannot be decoded ('),
        'critical.png': (png(SIDE, SIDE, pixels, before=[(b'FUNK', b'')]), 'cannot be decoded (FUNK: unhandled critical chunk)'),
        'apple.png': (odd_files.SIGNATURE + odd_files.chunk(b'CgBI', b'\0\0\0\0') + good[8:],
                      'cannot be decoded (CgBI: unhandled critical chunk)'),
        'headless.png': (good[:8] + good[33:], 'Missing IHDR'),
        'huge lie.jpg': (changed(photo, frame + 5, b'\xff\xdc\xff\xdc'), 'is damaged (it claims 65500 x 65500'),
        '12 bits.jpg': (changed(changed(photo, frame + 1, b'\xc1'), frame + 4, b'\x0c'), '12'),
        'lossless.jpg': (changed(photo, frame + 1, b'\xc3'), 'cannot be decoded ('),
        'hierarchical.jpg': (changed(photo, frame + 1, b'\xc5'), 'SOF type 0xc5'),
        'no height.jpg': (changed(photo, frame + 5, b'\0\0'), 'cannot be decoded ('),
        'no width.jpg': (changed(photo, frame + 7, b'\0\0'), 'cannot be decoded ('),
        'two.jpg': (changed(photo, frame + 9, b'\2'), 'cannot be decoded ('),
        'sampling.jpg': (changed(photo, frame + 11, b'\x51'), 'sampling factors'),
        'thirds.jpg': (changed(changed(photo, frame + 11, b'\x31'), frame + 14, b'\x21'), 'sampling'),
        'table.jpg': (changed(photo, dht + 4, b'\4'), 'cannot be decoded (Bogus '),
        'long table.jpg': (changed(photo, dht + 2, b'\0\x18'), 'Huffman table'),
        'many codes.jpg': (photo[:scan] + segment(0xc4, bytes([0x11] + 8 * [0] + [255, 45] + 6 * [0] + 300 * [1])) + photo[scan:],
                           'cannot be decoded (Bogus '),
        'codes.jpg': (changed(photo, dht + 5, b'\3'), 'Huffman table'),
        'quantisation.jpg': (changed(photo, dqt + 4, b'\x20'), 'cannot be decoded ('),
        'no quantisation.jpg': (photo[:dqt] + photo[dqt + 69:], 'Quantization table'),
        'other table.jpg': (changed(photo, scan + 6, b'\x11'), 'is damaged (Corrupt JPEG data'),  # libjpeg takes its default one
        'component.jpg': (changed(photo, scan + 5, b'\x09'), 'Invalid component ID 9'),
        'no scan.jpg': (photo[:scan] + b'\xff\xd9', 'missing'),
        'one of three.jpg': (photo[:scan] + segment(0xda, bytes([1, 1, 0, 0, 63, 0])) + photo[scan + 14:], 'is damaged'),
        'two frames.jpg': (photo[:scan] + photo[frame:], 'two SOF markers'), 'restarted.jpg': (photo[:scan] + photo, 'two SOI markers'),
        'many scans.jpg': (progressive[:-2] + progressive[first:second] * 200 + b'\xff\xd9', '201 scans and more'),
        'much work.jpg': (scans_of_nothing(8000, 8000, 100), '68 scans and more, which is too much work'),
    }
    vp8l = lossless.index(b'VP8L') + 8
    cases.update({
        'no chunks.webp': (odd_webp.riff(), 'is damaged (its parts do not fit together)'),
        'riff.webp': (b'RIFX' + lossless[4:], 'is damaged (its parts do not fit together)'),
        'nothing known.webp': (odd_webp.riff((b'FUNK', b'1234')), 'is damaged (its parts do not fit together)'),
        'header.webp': (changed(lossless, vp8l, b'\x2e'), 'is damaged (its parts do not fit together)'),
        'short.webp': (odd_webp.riff((b'VP8L', lossless[vp8l:vp8l + 200])), 'is damaged (its pixels cannot be decoded)'),
        'canvas.webp': (odd_webp.extended(SIDE, SIDE + 1, odd_webp.ALPHA, (b'VP8L', lossless[vp8l:])), 'is damaged ('),
        'outside.webp': (odd_webp.animation(SIDE, SIDE, odd_webp.frame(2, 0, SIDE, SIDE, clear)), 'is damaged ('),
        'no frame.webp': (odd_webp.animation(SIDE, SIDE), 'is damaged ('),
        'large.webp': (odd_webp.riff((b'VP8L', odd_webp.lossless(16384, 16384, []) + bytes(99))), 'is 16384 x 16384 pixels; decoding')})
    for name, content in (('png', good), ('jpg', photo), ('progressive.jpg', progressive), ('webp', lossless), ('moving.webp', moving)):
        for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
            cases['cut %g.%s' % (share, name)] = content[:int(share * len(content))], 'is damaged (it ends early)'
    return cases


def clear_errors():
    """Each file has one line with its name, and the good ones among them the same answer as alone."""
    good = write('good.png', png(SIDE, SIDE, smooth(SIDE, SIDE)))
    cases = refused()
    paths = [write(name, content) for name, (content, _) in cases.items()]
    images, messages = classify([good, *paths[:30], good, *paths[30:], good], 1)
    lines = messages.splitlines()
    assert len(lines) == len(cases), messages
    for line, path, (name, (_, said)) in zip(lines, paths, cases.items()):
        assert line.startswith('smoe-classify: %s ' % path) and said in line[len('smoe-classify: ' + path):], '%s: %s' % (name, line)
    assert images == classify([good] * 3)[0]
    for path in paths[:3]:
        assert classify([path], 1) == ([], messages[:0] + [line + '\n' for line in lines if path + ' ' in line][0])


def no_files():
    """What is no regular file, or cannot be opened, without waiting for it."""
    good = write('fine.png', png(SIDE, SIDE, smooth(SIDE, SIDE)))
    fifo, loop, folder, sock = (path_of(name) for name in ('fifo.jpg', 'loop.jpg', 'folder', 'socket.jpg'))
    os.mkfifo(fifo)
    os.symlink(loop, loop)
    os.makedirs(folder + '/.hidden')
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sock)
    cases = [(fifo, 'is no regular file'), (loop, 'cannot be opened: '), (sock, 'cannot be opened: '), ('/dev/zero', 'is no regular file'),
             (path_of('nothing.jpg'), 'cannot be opened: No such file'), (good + '/x.png', 'cannot be opened: ')]
    if os.geteuid() != 0:  # root may read everything
        secret = write('secret.png', b'x')
        os.chmod(secret, 0)
        cases.append((secret, 'cannot be opened: Permission denied'))
    with open(path_of('large.png'), 'wb') as file:
        file.truncate((256 << 20) + 1)
    cases.append((path_of('large.png'), 'is larger than 256 MiB'))
    images, messages = classify([*(path for path, _ in cases), good], 1)
    lines = messages.splitlines()
    assert len(images) == 1 and len(lines) == len(cases), messages
    for line, (path, said) in zip(lines, cases):
        assert line.startswith('smoe-classify: %s %s' % (path, said)), line
    assert 'has no pictures' in classify([folder], 1)[1]
    listening.close()


def strange_names():
    """Messages and results stay on their lines, whatever a file is called."""
    names = {b'new\nline.png': 'new\\nline.png', b'esc\x1b[31m.png': 'esc\\x1b[31m.png', b'latin\xe9.png': 'latin\\xe9.png',
             'ünï 日本 😀.png'.encode(): 'ünï 日本 😀.png', b'half\xe6\x97.png': 'half\\xe6\\x97.png',
             b'over\xc0\xaf.png': 'over\\xc0\\xaf.png',
             'c1\u0085.png'.encode(): 'c1\\xc2\\x85.png', b'sur\xed\xa0\x80.png': 'sur\\xed\\xa0\\x80.png', b'100%s%n.png': '100%s%n.png',
             b'tab\t.png': 'tab\\t.png', b'x' * 236 + b'.png': 'x' * 236 + '.png'}
    folder = os.fsencode(path_of('strange'))
    os.makedirs(folder + b'/bad')
    good = png(SIDE, SIDE, smooth(SIDE, SIDE))
    for name in names:
        for path, content in ((folder + b'/' + name, good), (folder + b'/bad/' + name, b'x')):
            with open(path, 'wb') as file:
                file.write(content)
    done = subprocess.run([CLASSIFY, *DEVICE, '--model', MODEL, folder, folder + b'/bad'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    here = path_of('strange') + '/'
    titles = [line for line in done.stdout.decode('utf-8').splitlines() if line and line[0] == '/']
    assert done.returncode == 1 and titles == [here + names[name] for name in sorted(names)], titles
    assert done.stderr.decode('utf-8').splitlines() == ['smoe-classify: %sbad/%s is no JPEG, PNG or WebP' % (here, names[name])
                                                        for name in sorted(names)], done.stderr


# ---- sizes


def one_colour(width, height, depth=1, colour=0):
    """A large PNG of zeros, written without having it in memory."""
    packer, line = zlib.compressobj(1), bytes(1 + (width * depth * odd_files.CHANNELS[colour] + 7) // 8)
    step = max(1, (1 << 22) // len(line))
    data = b''.join(packer.compress(line * min(step, height - y)) for y in range(0, height, step)) + packer.flush()
    return odd_files.SIGNATURE + odd_files.chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)) + \
        odd_files.chunk(b'IDAT', data) + odd_files.chunk(b'IEND', b'')


def claiming(width, height, **options):
    """A JPEG of a few pixels that claims more, and has bytes enough behind it to be believed."""
    content = jpeg(SIDE, SIDE, planes_of(SIDE, SIDE, [ycc(*p) for p in smooth(SIDE, SIDE)]), **options)
    frame = content.index(b'\xff\xc2' if options else b'\xff\xc0')
    return changed(content, frame + 5, struct.pack('>HH', height, width)) + bytes(width * height // 512)


def with_comment(deflated):
    """A good PNG with a text that unpacks to more than a picture may take, which nobody asks for."""
    return png(SIDE, SIDE, smooth(SIDE, SIDE), before=[(b'zTXt', b'Comment\0\0' + deflated)])


def peak(path, status):
    """MiB that smoe-classify had at most."""
    child = subprocess.Popen([CLASSIFY, *DEVICE, '--model', MODEL, path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             encoding='utf-8')
    message = child.stderr.read()
    _, code, usage = os.wait4(child.pid, 0)
    child.returncode = os.WEXITSTATUS(code)
    assert child.returncode == status, message
    return usage.ru_maxrss >> 10, message


def memory_is_bounded():
    least, _ = peak(write('small.png', png(2, 2, smooth(2, 2))), 0)
    black, _ = classify([write('large.png', one_colour(9000, 9000))])
    assert black == [bytes(3 * SIDE * SIDE)]
    most, _ = peak(path_of('large.png'), 0)
    assert 3 * 9000 * 9000 >> 20 < most < least + LIMIT, (least, most)
    huge = {(width, height): one_colour(width, height, depth, colour)
            for width, height, depth, colour in ((20000, 20000, 1, 0), (20001, 20000, 8, 2), (16000, 16000, 8, 6), (12000, 14000, 16, 6))}
    huge[14000, 14000] = claiming(14000, 14000)
    huge[11000, 11000] = claiming(11000, 11000, progressive=True)
    huge[16383, 16383] = odd_webp.riff((b'VP8L', odd_webp.lossless(16383, 16383, []) + bytes(99)))
    for (width, height), content in huge.items():
        path = write('huge.png', content)
        most, message = peak(path, 1)
        assert '%s is %d x %d pixels; decoding them takes ' % (path, width, height) in message and len(message.splitlines()) == 1, message
        assert most - least < 64, 'decoded all the same: %d MiB and %d' % (least, most)
    most, message = peak(write('huge.png', one_colour(1 << 20, 1)), 0)
    assert 'at most 1048576' in peak(write('huge.png', one_colour((1 << 20) + 1, 1)), 1)[1]
    bomb = png(1, 1, [(1, 2, 3)])  # its one pixel, and 640 MiB of zeros behind it
    bomb = bomb[:bomb.index(b'IDAT') - 4] + odd_files.chunk(b'IDAT', deflated_zeros(40)) + odd_files.chunk(b'IEND', b'')
    for name, content in (('bomb.png', bomb), ('comment.png', with_comment(deflated_zeros(40)))):
        most, message = peak(write(name, content), 0)
        assert most - least < 64, 'unpacked: %d MiB and %d, %s' % (least, most, message)


tap.run([clear_errors, no_files, strange_names, memory_is_bounded])
