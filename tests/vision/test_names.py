"""smoe-classify on a terminal: names of classes, pictures and reports that would move its cursor or turn its text, and no room to write."""
import os
import re
import subprocess

import odd_run  # first: it says where the others are
import pictures
import tap
import tensor_file
import tiny_model
from odd_run import CLASSIFY, DEVICE, MODEL, SEED, path_of

NAMES = ('red \x9b31m', 'left \u202etxt', 'in \u2066side\u2069', 'löwenäffchen', 'ä' * 50, 'plain', 'a\x1b[2J')
SHOWN = ('red ?31m', 'left ?txt', 'in ?side?', 'löwenäffchen', 'ä' * 40, 'plain', 'a?[2J')
HARM = re.compile('[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]')


def run(*arguments, **options):
    done = subprocess.run([CLASSIFY, *DEVICE, *arguments], **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **options})
    return done.returncode, (done.stdout or b'').decode(), done.stderr.decode()


def picture(name):
    os.makedirs(os.path.dirname(path_of(name)), exist_ok=True)
    pictures.write_png(path_of(name), 8, 8, pictures.noise(SEED, 8, 8))
    return path_of(name)


def named_model(names):
    tensors, metadata = tiny_model.make(SEED, image_size=8, classes=len(names), width=16, depth=1)
    tensor_file.write(path_of('names.safetensors'), tensors, {**metadata, 'classes': ','.join(names)})
    return path_of('names.safetensors')


def classes():
    """Each is shown once, with what a terminal must not see as question marks; names of any letters keep the columns in line."""
    for first in range(0, len(NAMES) - 4):
        model = named_model(NAMES[first:first + 5])
        status, output, messages = run('--model', model, picture('a.png'))
        lines = output.splitlines()[4:9]
        assert status == 0 and not messages and not HARM.search(output), (status, output, messages)
        for name in SHOWN[first:first + 5]:
            start = '  %-20s ' % name
            line, = (line for line in lines if line.startswith(start))
            assert re.match(r' {0,2}[\d.]+ %  ', line[len(start):]), line


def folders():
    names = ('ant', 'b\u202ee', 'löwe')
    model = named_model(names)
    for name in ('ant', 'löwe'):
        picture('folders/%s/1.png' % name)
    status, output, messages = run('--model', model, '--batch', path_of('folders'))
    rows = output.splitlines()[4:8]
    assert status == 0 and not messages and not HARM.search(output) and len({len(row) for row in rows[1::2]}) == 1, output + messages
    assert [row.split()[0] for row in rows[1:]] == ['ant', 'b?e', 'löwe'], rows


def files():
    path, out = picture('p/\u202egnp.a \x9b1m.png'), path_of('r\x1b[1m\u2067.html')
    status, output, messages = run('--model', MODEL, '--report', out, path)
    assert status == 0 and not messages and not HARM.search(output), (status, output, messages)
    for shown in (r'p/\xe2\x80\xaegnp.a \xc2\x9b1m.png', r'r\x1b[1m\xe2\x81\xa7.html: 1 picture, '):
        assert shown in output, output
    status, _, messages = run('--model', MODEL, path + '.none')
    assert status == 1 and not HARM.search(messages) and r'\xe2\x80\xae' in messages, messages


def no_room():
    if not os.path.exists('/dev/full'):
        raise tap.Skip('there is no /dev/full')
    with open('/dev/full', 'wb') as full:
        status, _, messages = run('--model', MODEL, picture('a.png'), stdout=full)
    assert status == 1 and messages == 'smoe-classify: standard output cannot be written: No space left on device\n', (status, messages)


tap.run([classes, folders, files, no_room])
