"""smoe-classify --batch: tables of classes with any names, what is counted, and what a terminal shows. test_pictures.py has the rest."""
import os
import pty
import re
import resource
import signal
import subprocess

import odd_run  # first: it says where the others are
import pictures
import tap
import tensor_file
import tiny_model
from odd_run import CLASSIFY, DEVICE, SEED, path_of, write


def make_model(name, count, classes=None):
    tensors, metadata = tiny_model.make(SEED, image_size=8, classes=count, width=16, depth=1)
    tensor_file.write(path_of(name), tensors, {**metadata, **({'classes': ','.join(classes)} if classes else {})})
    return path_of(name)


def make_folders(top, counts):
    """{class folder: its pictures}"""
    made, number = {}, 0
    for name, count in counts.items():
        os.makedirs(os.path.join(path_of(top), name))
        made[name] = [os.path.join(path_of(top), name, '%d.png' % i) for i in range(count)]
        for path in made[name]:
            number += 1
            pictures.write_png(path, 8, 8, bytes(number * 37 * (1 + i % 3) % 256 for i in range(192)))
    return made


def run(model, top, status=0, *arguments):
    return tap.outputs(CLASSIFY, *DEVICE, '--model', model, '--batch', path_of(top), *arguments, status=status)


def answers(model, made):
    """{class folder: its pictures' answers}, in one run."""
    out = path_of('out.safetensors')
    tap.command(CLASSIFY, *DEVICE, '--model', model, '--out', out, *(path for paths in made.values() for path in paths))
    rows = iter(tensor_file.read(out)[0]['logits'].rows())
    found = {name: [max(enumerate(next(rows)), key=lambda pair: pair[1])[0] for _ in paths] for name, paths in made.items()}
    assert not list(rows)
    return found


def columns(line):
    """How far each number or dot of a line of the table reaches, in characters."""
    return [match.end() for match in re.finditer(r' +(?:\d+|\.)(?= |$)', line)]


def long_names():
    """Names that are the same when they are cut: numbers head the columns. Letters of several bytes keep the columns in line."""
    for names, named in ((('tiger shark', 'tiger cat', 'ox'), False), (('Löwenäffchen', 'Dachs', 'Ärger'), True),
                         (('a class with a name that is far longer than any table can show', 'b', 'c'), True)):
        top, model = 'names%d' % len(names[0]), make_model('names.safetensors', 3, names)
        made = make_folders(top, dict(zip(names, (4, 3, 2))))
        counts = {(r, c): 0 for r in range(3) for c in range(3)}
        answered = answers(model, made)
        for r, name in enumerate(names):
            for c in answered[name]:
                counts[r, c] += 1
        head, *rows = run(model, top)[0].splitlines()[4:8]
        assert head.split()[:3] == ([name.split()[0][:6] if ' ' not in name[:6] else name.split()[0] for name in names] if named
                                    else ['0', '1', '2']) or 'a clas' in head, head
        for r, row in enumerate(rows):
            start = ('' if named else '%3d ' % r) + names[r][:32]
            assert row.startswith(start), row
            values = [0 if word == '.' else int(word) for word in row[len(start):].split()[:3]]
            assert values == [counts[r, c] for c in range(3)] and columns(row)[-3:] == columns(rows[0])[-3:], '\n'.join([head] + rows)


def hundred_classes():
    model = make_model('hundred.safetensors', 100)
    made = make_folders('hundred', {'%02d' % c: c % 4 for c in range(100)})
    outcomes, right, answered = [], 0, answers(model, made)
    for label, (name, paths) in enumerate(made.items()):
        if paths:
            own = answered[name].count(label)
            outcomes.append((own / len(paths), label, own, len(paths)))
            right += own
    lines = run(model, 'hundred')[0].splitlines()[3:]
    assert lines[0] == 'the classes least often right, of 75 with pictures' and lines[21].startswith('what was most often'), lines
    expected = ['%5.1f %%  %d of %d  %d' % (100 * share, own, count, label) for share, label, own, count in sorted(outcomes)[:20]]
    assert lines[1:21] == expected, (lines[1:21], expected)
    assert lines[-1] == 'accuracy %.4f (%d of 150)' % (right / 150, right), lines[-1]


def what_is_not_counted():
    """Classes without pictures, files beside the class folders, hidden ones, folders in class folders, and what cannot be read."""
    names = ('ant', 'bee', 'cow')
    model = make_model('counted.safetensors', 3, names)
    make_folders('counted', {'ant': 3, 'bee': 0})
    make_folders('counted/ant', {'deeper': 2, '.hidden': 2})
    write('counted/beside.png', b'no picture')
    write('counted/ant/.hidden.png', b'no picture')
    output, messages = run(model, 'counted')
    rows = output.splitlines()[5:8]
    assert not messages and re.search(r'^accuracy [\d.]+ \(\d of 3\)$', output.splitlines()[-1]), output
    assert [row.split()[0] for row in rows] == list(names) and [row.split()[-1] for row in rows[1:]] == ['-', '-'], rows
    bad = write('counted/bee/bad.png', b'no picture')
    again, messages = run(model, 'counted', 1)
    assert messages == 'smoe-classify: %s is no JPEG, PNG or WebP\n' % bad
    assert again.splitlines()[-1] == output.splitlines()[-1] and '1 picture could not be classified' in again, again
    for name in os.listdir(path_of('counted/ant')):
        if name.endswith('.png'):
            write('counted/ant/' + name, b'no picture')
    output, messages = run(model, 'counted', 1)
    assert 'accuracy' not in output and len(messages.splitlines()) == 5 and 'none of its 4 pictures' in messages, messages
    os.makedirs(path_of('counted/Cow'))
    output, messages = run(model, 'counted', 2)
    assert not output and len(messages.splitlines()) == 1 and 'Cow is no class of the model' in messages, messages


def equal_names():
    """ImageNet has two cranes. A folder of that name could be either; other folders do no harm."""
    model = make_model('cranes.safetensors', 3, ('crane', 'ox', 'crane'))
    make_folders('oxen', {'ox': 2})
    run(model, 'oxen')
    make_folders('cranes', {'crane': 2, 'ox': 1})
    output, messages = run(model, 'cranes', 2)
    assert not output and len(messages.splitlines()) == 1 and '2 classes of that name' in messages, messages


def many_classes_take_little_memory():
    """16,000 classes and three pictures: a table of them all would have 1 GB."""
    model = make_model('wide.safetensors', 16000, ['c%d' % c for c in range(16000)])
    make_folders('wide', {'c1': 1, 'c15999': 2})
    limit = 900 << 20  # bytes that may be written to
    done = subprocess.run([CLASSIFY, *DEVICE, '--model', model, '--batch', path_of('wide')], stdout=subprocess.PIPE, encoding='utf-8',
                          preexec_fn=lambda: tap.SANITIZE or resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and 'of 2 with pictures' in lines[3] and lines[-1].endswith(' of 3)'), lines


def screen(shown):
    """A terminal's lines after what was written to it: returns, new lines and the erasing of a line."""
    lines, column = [[]], 0
    for part in re.findall(r'\x1b\[K|\r|\n|[^\x1b\r\n]', shown):
        if part == '\x1b[K':
            del lines[-1][column:]
        elif part == '\r':
            column = 0
        elif part == '\n':
            lines.append([])
        else:
            lines[-1][column:column + 1] = part
            column += 1
    return [''.join(line).rstrip() for line in lines]


def read_until(terminal, text, shown=''):
    while text is None or text not in shown:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not data:
            break
        shown += data.decode()
    return shown


def start(model, top, *arguments):
    ours, theirs = pty.openpty()
    child = subprocess.Popen([CLASSIFY, *DEVICE, '--model', model, '--batch', path_of(top), *arguments], stdout=subprocess.PIPE,
                             stderr=theirs)
    os.close(theirs)
    return child, ours


def messages_and_progress():
    """Messages stand whole above the progress bar, which goes when all is done."""
    model = make_model('shown.safetensors', 2, ('ant', 'bee'))
    make_folders('shown', {'ant': 6, 'bee': 5})
    bad = [write('shown/ant/%d.png' % i, b'no picture') for i in (0, 1, 4)]
    child, terminal = start(model, 'shown', '--batch-size', '2')
    shown = read_until(terminal, None)
    child.communicate()
    os.close(terminal)
    lines = screen(shown)
    assert child.returncode == 1 and lines == ['smoe-classify: %s is no JPEG, PNG or WebP' % path for path in bad] + \
        [''], lines
    bars = re.findall(r'\[[#.]{40}\] (\d+) of (\d+) ([a-z ]+)', shown)
    assert [bar for bar in bars if bar[1:] == ('11', 'pictures')], shown
    assert [bar for bar in bars if bar[2] == 'kernels compiled'], shown


def interrupted():
    """Ctrl-C ends it at once, by that signal, and leaves nothing behind."""
    model = make_model('interrupted.safetensors', 2, ('ant', 'bee'))
    make_folders('interrupted', {'ant': 600, 'bee': 600})
    before = sorted(os.listdir(path_of('')))
    child, terminal = start(model, 'interrupted', '--batch-size', '1')
    shown = read_until(terminal, ' of 1200')
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate()
    os.close(terminal)
    assert '] 1200 of' not in shown and child.returncode == -signal.SIGINT and b'accuracy' not in output, (child.returncode, output)
    assert sorted(os.listdir(path_of(''))) == before


tap.run([equal_names, many_classes_take_little_memory, long_names, hundred_classes, what_is_not_counted,
         messages_and_progress, interrupted])
