"""smoe-window by real events of an X server, with xdotool: a stroke, another size, and the end. The pixels are the server's."""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import window_run as window
from window_run import rgb, is_like, tap


def until(condition, what):
    """Waits, since nothing tells when a program has drawn."""
    for _ in range(600):
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError('it never came: ' + what)


def xdotool(*arguments):
    bare = {name: value for name, value in os.environ.items() if name != 'LD_PRELOAD'}
    return subprocess.run(['xdotool', *map(str, arguments)], env={**bare, 'DISPLAY': window.screen()[0]}, check=True,
                          stdout=subprocess.PIPE, encoding='utf-8').stdout.split()


def inked(rect, place):
    """How many of a grid's places in the canvas are ink on the screen."""
    shot = window.screen_picture()
    left, top, width, height = rect
    return sum(is_like(shot.at(place[0] + left + width * (i + 0.5) / 32, place[1] + top + height * (j + 0.5) / 32), rgb(window.INK), 4)
               for i in range(32) for j in range(32))


def geometry(name):
    words = dict(word.split('=') for word in xdotool('getwindowgeometry', '--shell', name))
    return tuple(int(words[key]) for key in ('X', 'Y', 'WIDTH', 'HEIGHT'))


def a_stroke_a_resize_and_the_end():
    window.screen()
    if not shutil.which('xdotool'):
        raise tap.Skip('xdotool not found: ./setup.sh installs it on Debian')
    program = window.start('wait\nmove clear 0.5 0.5\npress\nrelease\nwait\nframes 3\nstate ready.json\n')
    try:
        until(lambda: program.poll() is not None or os.path.exists(window.path_of('ready.json')), 'the state')
        assert program.poll() is None, program.communicate()[0]
        areas = window.state('ready.json')['areas']
        name = xdotool('search', '--name', 'smoe: hard and smooth')[0]
        x, y, width, height = geometry(name)
        left, top, side, _ = areas['canvas']
        until(lambda: inked(areas['canvas'], (x, y)) == 0, 'an empty canvas')
        bars = [areas['answers_smooth'][0] + x, areas['answers_smooth'][1] + y, *areas['answers_smooth'][2:]]

        def filled():
            """Pixels of each class's bar."""
            shot = window.screen_picture()
            return [sum(not is_like(shot.at(bars[0] + i, bars[1] + bars[3] * (row + 0.6) / 10), rgb(window.TRACK))
                        for i in range(int(bars[2]))) for row in range(10)]
        empty = filled()
        xdotool('mousemove', x + left + side / 2, y + top + 0.15 * side, 'mousedown', 1)
        for step in range(2, 9):
            xdotool('mousemove', x + left + side / 2, y + top + side * step / 10 + 5)
        xdotool('mouseup', 1)
        until(lambda: 60 < inked(areas['canvas'], (x, y)) < 200, 'a stroke of ink')
        until(lambda: filled() != empty and filled()[1] > 0.5 * bars[2], 'a bar that says 1')
        xdotool('windowsize', name, 1400, 900)
        until(lambda: geometry(name)[2:] == (1400, 900), 'the size')
        # The line above the status is where the new height has it.
        until(lambda: window.screen_picture().at(x + 700, y + 900 - 27) not in ((0, 0, 0), (255, 255, 255)), 'a frame of the new size')
        xdotool('windowfocus', name, 'key', 'Escape')
        assert window.finish(program) == ''
    finally:
        program.kill()
        program.wait()


tap.run([a_stroke_a_resize_and_the_end])
