"""What smoe-classify says of pictures that cannot be read, one line for each, and how much memory they may take."""
import functools
import os
import socket
import struct
import subprocess
import zlib

import odd_run  # first: it says where the others are
import odd_files
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


@functools.lru_cache(None)
def refused():
    """{name: (content, what the line must say)}"""
    pixels = smooth(SIDE, SIDE)
    good, photo = png(SIDE, SIDE, pixels), jpeg(SIDE, SIDE, planes_of(SIDE, SIDE, [ycc(*p) for p in pixels]))
    progressive = jpeg(SIDE, SIDE, planes_of(SIDE, SIDE, [ycc(*p) for p in pixels]), progressive=True)
    frame, dht, dqt, scan = photo.index(b'\xff\xc0'), photo.index(b'\xff\xc4'), photo.index(b'\xff\xdb'), photo.index(b'\xff\xda')
    header, idat = 16, good.index(b'IDAT')
    bomb = png(1, 1, [(1, 2, 3)])
    inflating = deflated_zeros(40)  # 640 MiB
    bomb = bomb[:bomb.index(b'IDAT') - 4] + odd_files.chunk(b'IDAT', inflating) + odd_files.chunk(b'IEND', b'')
    cases = {
        'empty.jpg': (b'', 'is empty'), 'text.jpg': (b'not a picture\n', 'is neither JPEG nor PNG'),
        'one byte.png': (b'\x89', 'is neither'),
        'gif.png': (b'GIF89a\1\0\1\0\0\0\0;', 'is a GIF'), 'bmp.png': (b'BM' + bytes(60), 'is a BMP'),
        'webp.png': (b'RIFF\x1a\0\0\0WEBPVP8L' + bytes(20), 'is a WebP'), 'heic.jpg': (b'\0\0\0\x18ftypheic' + bytes(20), 'is a HEIC'),
        'tiff.jpg': (b'II*\0' + bytes(20), 'is a TIFF'),
        'huge lie.png': (with_checksums(changed(good, header, struct.pack('>II', 65535, 65535))), 'is damaged (it claims 65535 x 65535'),
        'wide lie.png': (with_checksums(changed(good, header, struct.pack('>II', 2 ** 31 - 1, 1))), 'is damaged (it claims'),
        'zero.png': (with_checksums(changed(good, header, struct.pack('>II', 0, 1))), 'is damaged'),
        'more than int.png': (with_checksums(changed(good, header, struct.pack('>II', 2 ** 31, 2 ** 31))), 'is damaged'),
        'depth.png': (with_checksums(changed(good, header + 8, b'\4')), 'is damaged'),
        'colour.png': (with_checksums(changed(good, header + 9, b'\5')), 'is damaged'),
        'colour 7.png': (with_checksums(changed(good, header + 9, b'\7')), 'is damaged'),
        'interlace.png': (with_checksums(changed(good, header + 12, b'\2')), 'is damaged'),
        'checksum.png': (changed(good, idat + 6, bytes([good[idat + 6] ^ 1])), 'is damaged (a wrong checksum)'),
        'deflate.png': (with_checksums(changed(good, idat + 8, b'\xff' * 9)), 'is damaged ('),
        'too few.png': (with_checksums(changed(good, header, struct.pack('>II', SIDE, SIDE + 1))), 'is damaged (not enough pixels)'),
        'no palette.png': (png(2, 2, [(0,)] * 4, colour=3, depth=8), 'is damaged (it has no palette)'),
        'long palette.png': (png(2, 2, [(0,)] * 4, colour=3, palette=[(0, 0, 0)] * 257), 'is damaged (a wrong palette)'),
        'no pixels.png': (good[:idat - 4] + odd_files.chunk(b'IEND', b''), 'is damaged (it has no pixels)'),
        'critical.png': (png(SIDE, SIDE, pixels, before=[(b'FUNK', b'')]), 'is a PNG with parts'),
        'apple.png': (odd_files.SIGNATURE + odd_files.chunk(b'CgBI', b'\0\0\0\0') + good[8:], "of Apple's own kind"),
        'headless.png': (good[:8] + good[33:], 'does not begin with a header'), 'bomb.png': (bomb, 'takes more memory'),
        'huge lie.jpg': (changed(photo, frame + 5, b'\xff\xff\xff\xff'), 'is damaged (it claims 65535 x 65535'),
        '12 bits.jpg': (changed(changed(photo, frame + 1, b'\xc1'), frame + 4, b'\x0c'), 'other than 8 bits'),
        'lossless.jpg': (changed(photo, frame + 1, b'\xc3'), 'lossless'),
        'arithmetic.jpg': (changed(photo, frame + 1, b'\xc9'), 'arithmetic'),
        'hierarchical.jpg': (changed(photo, frame + 1, b'\xc5'), 'hierarchical'),
        'no height.jpg': (changed(photo, frame + 5, b'\0\0'), 'height'),
        'no width.jpg': (changed(photo, frame + 7, b'\0\0'), 'width'), 'two.jpg': (changed(photo, frame + 9, b'\2'), 'is damaged'),
        'sampling.jpg': (changed(photo, frame + 11, b'\x51'), 'is damaged'),
        'thirds.jpg': (changed(changed(photo, frame + 11, b'\x31'), frame + 14, b'\x21'), 'is damaged'),
        'table.jpg': (changed(photo, dht + 4, b'\4'), 'a wrong Huffman table'),
        'long table.jpg': (changed(photo, dht + 2, b'\0\x18'), 'is damaged'),
        'many codes.jpg': (photo[:scan] + segment(0xc4, bytes([0x11] + 8 * [0] + [255, 45] + 6 * [0] + 300 * [1])) + photo[scan:],
                           'a wrong Huffman table'),
        'codes.jpg': (changed(photo, dht + 5, b'\3'), 'is damaged'),
        'quantisation.jpg': (changed(photo, dqt + 4, b'\x20'), 'a wrong quantisation'),
        'no quantisation.jpg': (photo[:dqt] + photo[dqt + 69:], 'a table is missing'),
        'other table.jpg': (changed(photo, scan + 6, b'\x11'), 'a table is missing'),
        'component.jpg': (changed(photo, scan + 5, b'\x09'), 'a scan of no component'),
        'no scan.jpg': (photo[:scan] + b'\xff\xd9', 'missing'),
        'one of three.jpg': (photo[:scan] + segment(0xda, bytes([1, 1, 0, 0, 63, 0])) + photo[scan + 14:], 'is damaged'),
        'two frames.jpg': (photo[:scan] + photo[frame:], 'two frames'), 'restarted.jpg': (photo[:scan] + photo, 'a second start'),
        'many scans.jpg': (progressive[:-2] + progressive[progressive.index(b'\xff\xda'):-2] * 40 + b'\xff\xd9', 'more than 200 scans'),
    }
    for name, content in (('png', good), ('jpg', photo), ('progressive.jpg', progressive)):
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
    assert done.stderr.decode('utf-8').splitlines() == ['smoe-classify: %sbad/%s is neither JPEG nor PNG' % (here, names[name])
                                                        for name in sorted(names)], done.stderr


# ---- sizes


def one_colour(width, height, depth=1, colour=0):
    """A large PNG of zeros, written without having it in memory."""
    packer, line = zlib.compressobj(1), bytes(1 + (width * depth * odd_files.CHANNELS[colour] + 7) // 8)
    step = max(1, (1 << 22) // len(line))
    data = b''.join(packer.compress(line * min(step, height - y)) for y in range(0, height, step)) + packer.flush()
    return odd_files.SIGNATURE + odd_files.chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)) + \
        odd_files.chunk(b'IDAT', data) + odd_files.chunk(b'IEND', b'')


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
    assert 3 * 9000 * 9000 >> 20 < most - least < LIMIT, (least, most)
    for width, height, depth, colour in ((20000, 20000, 1, 0), (20000, 20000, 8, 2), (16000, 16000, 8, 6), (8000, 10000, 16, 6)):
        path = write('huge.png', one_colour(width, height, depth, colour))
        most, message = peak(path, 1)
        assert '%s is %d x %d pixels; decoding them takes ' % (path, width, height) in message and len(message.splitlines()) == 1, message
        assert most - least < 64, 'decoded all the same: %d MiB and %d' % (least, most)
    most, message = peak(write('huge.png', one_colour(1 << 20, 1)), 0)
    assert 'at most 1048576' in peak(write('huge.png', one_colour((1 << 20) + 1, 1)), 1)[1]
    most, message = peak(write('bomb.png', refused()['bomb.png'][0]), 1)
    assert most - least < 2 * LIMIT and 'takes more memory' in message, (least, most, message)


tap.run([clear_errors, no_files, strange_names, memory_is_bounded])
