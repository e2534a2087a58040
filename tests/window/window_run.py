"""Runs smoe-window on a screen of its own, and reads what it leaves: pictures, states, and the screen itself."""
import atexit
import ctypes
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, '..'))
import tap

WINDOW = tap.BUILD + '/bin/smoe-window'
POINTS = 512  # of the path; item 0 is what is looked at, they are items 1 and on
CLASS_COLOURS = (0x4e79a7, 0xf28e2b, 0xe15759, 0x56a3a6, 0x59a14f, 0xc9a227, 0x9467a8, 0xe377a2, 0x8c6248, 0x3f444b)
PAPER, TRACK, EXPERT, NEAR, INK = 0xffffff, 0xeceef1, 0x1f5fa8, 0xd9541e, 0x22262b
NEAR_GAP = 0.5
scratch = tempfile.TemporaryDirectory()


def path_of(name):
    return os.path.join(scratch.name, name)


def needs_window():
    if not os.path.exists(WINDOW):
        raise tap.Skip('%s is not in this build, which was made without GLFW' % WINDOW)


@tap.once
def screen():
    """Name of a display, and the file that its pixels are in."""
    needs_window()
    if not shutil.which('Xvfb'):
        raise tap.Skip('Xvfb not found: ./setup.sh installs it on Debian')
    ours, theirs = os.pipe()
    folder = path_of('screen')
    os.makedirs(folder)
    server = subprocess.Popen(['Xvfb', '-displayfd', str(theirs), '-screen', '0', '2600x1650x24', '-nolisten', 'tcp', '-fbdir', folder],
                              pass_fds=[theirs], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={name: value for name, value in os.environ.items() if name != 'LD_PRELOAD'})
    atexit.register(server.wait)
    atexit.register(server.terminate)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        number = pipe.readline().strip()
    assert number, 'Xvfb gave no display'
    return ':' + number, folder + '/Xvfb_screen0'


def start(script, *arguments, env=None, validate=True):
    """The program, following a script, under the validation layers unless it is to be refused."""
    display, _ = screen()
    path = tempfile.NamedTemporaryFile('w', dir=scratch.name, suffix='.script', delete=False, encoding='utf-8')
    with path as file:
        file.write(script)
    ours = {name: value for name, value in os.environ.items() if name != 'WAYLAND_DISPLAY'}
    return subprocess.Popen([WINDOW, *['--validate'] * validate, '--script', path.name, *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, encoding='utf-8', cwd=scratch.name, env={**ours, 'DISPLAY': display, **(env or {})})


def finish(program, status=0):
    """What it printed."""
    try:
        output, _ = program.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        program.kill()
        output, _ = program.communicate()
        raise AssertionError('smoe-window did not end\n' + output)
    assert program.returncode == status and (status or not output), 'exit status %d\n%s' % (program.returncode, output)
    return output


def run(script, *arguments, status=0, **options):
    return finish(start(script, *arguments, **options), status)


@tap.once
def shim(device):
    """The environment with tests/window/other_device.c as what programs take for the loader."""
    tap.needs_its_own_place(WINDOW)
    ctypes.CDLL('libvulkan.so.1')
    with open('/proc/self/maps', encoding='utf-8') as maps:
        loader = next(line.split()[-1] for line in maps if '/libvulkan.so' in line)
    library = path_of('libvulkan.so.1')
    if not os.path.exists(library):
        tap.outputs(tap.CC, '-shared', '-fPIC', FOLDER + '/other_device.c', '-Wl,-soname,libvulkan.so.1', '-Wl,-z,nodelete', '-ldl',
                    '-o', library)
    folders = [scratch.name, *filter(None, [os.environ.get('LD_LIBRARY_PATH')])]
    return {'LD_LIBRARY_PATH': ':'.join(folders), 'SHIM_LOADER': loader, 'SHIM_DEVICE': device}


def state(name):
    with open(path_of(name), encoding='utf-8') as file:
        return json.load(file)


class Picture:
    """Pixels (r, g, b) by place."""

    def __init__(self, width, height, stride, pixel, order, data):
        self.width, self.height, self.stride, self.pixel, self.order, self.data = width, height, stride, pixel, order, data

    def at(self, x, y):
        start = int(y) * self.stride + int(x) * self.pixel
        return tuple(self.data[start + i] for i in self.order)


def picture(name):
    """A screenshot by the program."""
    with open(path_of(name), 'rb') as file:
        magic, size, most, data = file.read().split(b'\n', 3)
    width, height = map(int, size.split())
    assert magic == b'P6' and most == b'255' and len(data) == 3 * width * height, (magic, size, most, len(data))
    return Picture(width, height, 3 * width, 3, (0, 1, 2), data)


def screen_picture():
    """All of the screen, by the X server: a file of xwd's."""
    with open(screen()[1], 'rb') as file:
        data = file.read()
    header = struct.unpack('>25I', data[:100])
    header_size, width, height, bits, stride, colours = header[0], header[4], header[5], header[11], header[12], header[19]
    assert bits == 32 and header[7] == 0, header  # bytes B, G, R and one more
    return Picture(width, height, stride, 4, (2, 1, 0), data[header_size + 12 * colours:])


def rgb(colour):
    return colour >> 16 & 255, colour >> 8 & 255, colour & 255


def mix(a, b, part):
    return tuple(x + (y - x) * part for x, y in zip(rgb(a), rgb(b)))


def is_like(a, b, most=2.5):
    """Each channel within what rounding makes of it."""
    return all(abs(x - y) <= most for x, y in zip(a, b))
