"""smoe-classify over pictures and over folders of classes, end to end."""
import os
import re
import subprocess

from answers import CLASSIFY, DEVICE, GOLDEN, NAMES, blocks_of, classify, make_picture, named_model, path_of, run, scratch, softmax  # first
import tap
import tensor_file
import terminal
import tiny_model
from tensor_file import Tensor

# The validation layer leaks, and is unloaded when the leaks are listed: no suppression can name it. Runs without it look.
QUIET = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}


def best_five():
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(7)]
    for model, names in ((named_model(), NAMES), (GOLDEN, [str(c) for c in range(10)])):
        rows = classify(paths, '--model', model)
        output, messages = run('--model', model, '--batch-size', '3', *paths)
        blocks = blocks_of(output)
        assert list(blocks) == paths and not messages, output
        for path, logits in zip(paths, rows):
            probabilities = softmax(logits)
            order = sorted(range(10), key=lambda c: -probabilities[c])[:5]
            assert [name for name, _, _ in blocks[path]] == [names[c] for c in order], (path, blocks[path], probabilities)
            for (_, percent, bar), c in zip(blocks[path], order):
                assert abs(percent - 100 * probabilities[c]) < 0.006 and abs(len(bar) - 40 * probabilities[c]) <= 1, (percent, bar)
        assert re.search(r'^compiling, s: [\d.]+ \(weights and pipelines [\d.]+, a first run that counts to no picture [\d.]+\)$', output,
                         re.MULTILINE), output
        assert re.search(r'^time per picture, ms, 7 pictures in 3 submissions: read [\d.]+, host [\d.]+', output, re.MULTILINE), output
    assert len({tuple(row) for row in rows}) == 7


def inputs_and_logits_belong_together():
    """What --out wrote, as a model's images and expected.logits, passes --check with no error at all."""
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(5)]
    out, model = path_of('out.safetensors'), path_of('again.safetensors')
    run('--model', GOLDEN, '--out', out, *paths)
    written, (tensors, metadata) = tensor_file.read(out)[0], tensor_file.read(GOLDEN)
    assert written['images'].shape == [5, 3, 32, 32] and written['logits'].shape == [5, 10]
    tensors['images'] = written['images']
    tensors['expected.logits'] = Tensor('F64', [5, 10], written['logits'].values)
    tensor_file.write(model, tensors, metadata)
    assert 'largest error 0 of' in tap.command(CLASSIFY, *DEVICE, '--check', model)


def one_by_one():
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(5)]
    together = classify(paths, '--model', GOLDEN)
    assert together == classify(paths, '--model', GOLDEN, '--batch-size', '1')
    assert together[3:4] == classify(paths[3:4], '--model', GOLDEN)


def band_width():
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(3)]
    own, hard, wide = (classify(paths, '--model', GOLDEN, *eps) for eps in ((), ('--eps', '0'), ('--eps', '100')))
    assert own != hard and own != wide and hard != wide


def default_model():
    """Found by the program's place, wherever it is called from."""
    tap.needs_its_own_place(CLASSIFY)
    path = make_picture(path_of('default.png'), 3)
    names = [name for name, _, _ in blocks_of(run(path, cwd=scratch.name)[0])[path]]
    assert len(names) == 5 and not any(name.isdigit() for name in names), names


def bad_pictures():
    """Each has its line, and the others go on."""
    good = [make_picture(path_of('good%d.png' % seed), seed) for seed in range(2)]
    with open(good[0], 'rb') as file:
        content = file.read()
    bad = {path_of('empty.png'): b'', path_of('text.jpg'): b'not a picture', path_of('half.png'): content[:len(content) // 2],
           path_of('head.png'): content[:8]}
    for path, data in bad.items():
        with open(path, 'wb') as file:
            file.write(data)
    missing = path_of('missing.png')
    output, messages = run('--model', GOLDEN, '--batch-size', '2', good[0], *bad, missing, good[1], status=1)
    assert list(blocks_of(output)) == good and all(len(lines) == 5 for lines in blocks_of(output).values()), output
    lines = messages.splitlines()
    assert [line.split(': ')[1].split(' ')[0] for line in lines] == [*bad, missing], messages
    output, messages = run('--model', GOLDEN, missing, status=1)
    assert not blocks_of(output) and len(messages.splitlines()) == 1, output
    clean = blocks_of(run('--model', GOLDEN, *good)[0])
    assert clean == blocks_of(run('--model', GOLDEN, good[0], missing, good[1], status=1)[0])


def folder_of_pictures():
    folder = path_of('some')
    os.makedirs(folder + '/deeper')
    paths = [make_picture('%s/%s.png' % (folder, name), seed) for seed, name in enumerate('bca')]
    make_picture(folder + '/.hidden.png', 9)
    make_picture(folder + '/deeper/not.png', 9)
    for argument in (folder, folder + '/'):
        assert list(blocks_of(run('--model', GOLDEN, argument)[0])) == sorted(paths)
    os.makedirs(folder + '/none')
    assert 'has no pictures' in run('--model', GOLDEN, folder + '/none', status=1)[1]


def validation():
    output, messages = run('--model', GOLDEN, '--validate', make_picture(path_of('valid.png'), 3), env=QUIET)
    assert blocks_of(output) and not messages, messages


# ---- classes


def make_classes(top, names, count, seed):
    """{path: class index}"""
    labels = {}
    for c, name in enumerate(names):
        os.makedirs('%s/%s' % (top, name))
        for i in range(count):
            labels[make_picture('%s/%s/%02d.png' % (top, name, i), seed + 100 * c + i)] = c
    return labels


def expected_counts(labels, model, classes):
    paths = sorted(labels)
    counts = [[0] * classes for _ in range(classes)]
    for path, logits in zip(paths, classify(paths, '--model', model)):
        counts[labels[path]][max(range(classes), key=lambda c: logits[c])] += 1
    return counts


def accuracy_line(counts):
    right, count = sum(row[c] for c, row in enumerate(counts)), sum(map(sum, counts))
    return 'accuracy %.4f (%d of %d)' % (right / count, right, count)


def confusion_matrix():
    top, model = path_of('set'), named_model()
    labels = make_classes(top, [NAMES[c] for c in (0, 3, 4, 7)], 5, 1000)
    labels = {path: (0, 3, 4, 7)[c] for path, c in labels.items()}
    with open(top + '/README', 'w', encoding='utf-8') as file:
        file.write('not a class')
    counts = expected_counts(labels, model, 10)
    output, messages = run('--model', model, '--batch', top, '--batch-size', '4')
    assert not messages and output.splitlines()[-1] == accuracy_line(counts), output
    rows = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) >= 12 and words[0] in NAMES and words[1] not in NAMES:
            rows[NAMES.index(words[0])] = [0 if word == '.' else int(word) for word in words[1:11]]
    assert [rows[c] for c in range(10)] == counts, output
    broken = top + '/deer/broken.png'
    with open(broken, 'wb') as file:
        file.write(b'nothing')
    output, messages = run('--model', model, '--batch', top, status=1)
    assert broken in messages and len(messages.splitlines()) == 1
    assert output.splitlines()[-1] == accuracy_line(counts) and '1 picture could not be classified' in output, output
    os.remove(broken)


def many_classes():
    """More than a table holds: the most frequent confusions. Names by place: ImageFolder's way."""
    model, top = path_of('many.safetensors'), path_of('many')
    tensors, metadata = tiny_model.make(5, image_size=8, classes=23, width=16, depth=1)
    tensor_file.write(model, tensors, metadata)
    labels = make_classes(top, ['%02d' % c for c in range(23)], 3, 5000)
    counts = expected_counts(labels, model, 23)
    output, _ = run('--model', model, '--batch', top)
    assert output.splitlines()[-1] == accuracy_line(counts), output
    listed = [(int(n), int(a), int(b)) for n, a, b in re.findall(r'^ +(\d+)  (\d+) for (\d+)$', output, re.MULTILINE)]
    pairs = [(n, a, b) for a, row in enumerate(counts) for b, n in enumerate(row) if a != b and n]
    pairs.sort(key=lambda pair: -pair[0])
    assert listed == pairs[:20], (listed, pairs[:20])


def wrong_folders():
    model, top = named_model(), path_of('wrong')
    make_classes(top, ['airship', 'zebra'], 1, 2000)
    assert 'zebra' in run('--model', model, '--batch', top, status=2)[1]
    assert 'it has 2' in run('--model', GOLDEN, '--batch', top, status=2)[1]
    os.makedirs(path_of('void', 'airship'))
    assert 'no pictures' in run('--model', model, '--batch', path_of('void'), status=2)[1]
    assert 'no folders' in run('--model', model, '--batch', path_of('void', 'airship'), status=2)[1]
    assert 'cannot be opened' in run('--model', model, '--batch', path_of('nowhere'), status=2)[1]


def progress_bar():
    """On a terminal only; gone at the end. Before it, that shaders are compiled."""
    top, model = path_of('progress'), named_model()
    make_classes(top, [NAMES[1], NAMES[2]], 3, 3000)
    for pictures, count in ((('--batch', top), 6), ((os.path.join(top, NAMES[1]),), 3)):
        status, shown = terminal.run([CLASSIFY, *DEVICE, '--model', model, '--batch-size', '2', *pictures], stdout=subprocess.DEVNULL)
        steps = re.findall(r'\r\[(#*)(\.*)\] (\d+) of %d pictures' % count, shown)
        counts = [int(n) for _, _, n in steps]
        assert status == 0 and counts and counts == sorted(counts) and set(counts) <= set(range(1, count + 1)), shown
        assert all(len(full) == 40 * int(n) // count and len(full + rest) == 40 for full, rest, n in steps) and shown.endswith(' \r'), shown
        assert shown.index('kernels compiled') < shown.index('\rcompiling shaders') < shown.index(' pictures'), shown
    status, shown = terminal.run([CLASSIFY, *DEVICE, '--model', model, os.path.join(top, NAMES[1])])  # both on one terminal
    left = [line for line in shown.replace('\r\n', '\n').split('\n') if line.split('\r')[-1].strip()]
    assert status == 0 and sum(line.split('\r')[-1].endswith('.png') for line in left) == 3, shown
    assert not any('[#' in line.split('\r')[-1] for line in left), shown


# ---- the rest


def wrong_options():
    picture = make_picture(path_of('option.png'), 1)
    for arguments in ((), ('--nothing', picture), (picture, '--model'), ('--weights', 'f64', picture), ('--weights', '', picture),
                      ('--eps', '-1', picture), ('--eps', 'nan', picture), ('--eps', '1x', picture), ('--eps', '', picture),
                      ('--batch-size', '0', picture), ('--batch-size', '-1', picture), ('--batch-size', '70000', picture),
                      ('--check', GOLDEN, picture), ('--check', GOLDEN, '--batch', 'x'), ('--check', GOLDEN, '--model', GOLDEN),
                      ('--check', GOLDEN, '--eps', '0'),
                      ('--check', GOLDEN, '--fit', 'pad'), ('--fit', 'cut', picture), ('--repeat', '2', picture),
                      ('--batch', 'x', '--out', 'y'),
                      ('--batch', 'x', picture)):
        output, messages = run(*arguments, status=2)
        assert len(messages.splitlines()) == 1 and messages.startswith('smoe-classify: ') and not output, (arguments, messages)
    assert run('--help')[0].startswith('Classifies pictures')
    assert 'no such' in run('--model', path_of('no such.safetensors'), picture, status=2)[1]
    output, messages = tap.outputs(CLASSIFY, '--device', 'no such device', '--model', GOLDEN, picture, status=1)
    assert messages and not output


tap.run([best_five, inputs_and_logits_belong_together, one_by_one, band_width, default_model, bad_pictures, folder_of_pictures, validation,
         confusion_matrix, many_classes, wrong_folders, progress_bar, wrong_options])
