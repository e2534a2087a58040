"""smoe-classify: files that it writes destroy nothing, and that they cannot be written is known before anything runs."""
import functools
import json
import os
import shutil

import odd_run  # first: it says where the others are
import pictures
import tap
import tensor_file
from odd_run import CLASSIFY, DEVICE, MODEL, SIDE, path_of, scratch, write

run = functools.partial(tap.outputs, CLASSIFY, *DEVICE, timeout=120)


def make_picture(name):
    pictures.write_png(path_of(name), SIDE, SIDE, pictures.noise(1, SIDE, SIDE))
    return path_of(name)


def content(path):
    with open(path, 'rb') as file:
        return file.read()


def refused(said, *arguments):
    output, messages = run(*arguments, status=2)
    assert not output and len(messages.splitlines()) == 1 and said in messages, (output, messages)


def out_destroys_nothing():
    picture, text = make_picture('a.png'), write('notes.txt', b'what nobody else has')
    os.link(picture, path_of('hard link'))
    os.symlink(MODEL, path_of('soft link'))
    check = write('check.safetensors', content(os.path.join(os.path.dirname(__file__), 'gmoe_smooth_top2.safetensors')))
    for path, said, *arguments in ((picture, 'one of the pictures', picture), (path_of('hard link'), 'one of the pictures', picture),
                                   (MODEL, 'is the model', picture), (path_of('soft link'), 'is the model', picture),
                                   (text, 'is no safetensors file', picture)):
        before = content(path)
        refused(said, '--model', MODEL, '--out', path, *arguments)
        assert content(path) == before, path
    before = content(check)
    refused('is one of the files of --check', '--check', check, '--out', check)
    assert content(check) == before
    both = path_of('both')
    open(both, 'wb').close()
    refused('name the same file', '--model', MODEL, '--out', both, '--report', both, picture)
    good = path_of('good.safetensors')
    for _ in range(2):  # a new file, then one of its own
        run('--model', MODEL, '--out', good, picture)
        assert tensor_file.read(good)[0]['logits'].shape[0] == 1


def what_cannot_be_written_is_said_first():
    picture = make_picture('b.png')
    for option in ('--out', '--report'):
        refused('cannot be written', '--model', MODEL, option, path_of('nowhere/x'), picture)
        fifo = path_of('fifo' + option)
        os.mkfifo(fifo)
        output, messages = run('--model', MODEL, option, fifo, picture, status=2)
        assert not output and len(messages.splitlines()) == 1, messages
    fresh = path_of('fresh.safetensors')
    run('--model', MODEL, '--out', fresh, path_of('missing.png'), status=1)
    assert not os.path.exists(fresh)


def several_files_are_checked_in_one_run():
    """A bad one keeps no other from running, the worst exit status counts, and outputs go into a folder, where none takes the place of
    another."""
    here, folder = os.path.dirname(__file__), path_of('outs')
    os.mkdir(folder)
    good = [os.path.join(here, 'gmoe_%s.safetensors' % name) for name in ('linear_top2', 'smooth_top2')]
    tensors, metadata = tensor_file.read(good[0])
    tensors['expected.logits'].values[0] += 1
    wrong, bad = path_of('wrong.safetensors'), write('bad.safetensors', b'no model')
    tensor_file.write(wrong, tensors, metadata)

    def checks(*paths):
        return [argument for path in paths for argument in ('--check', path)]
    alone = [run(*checks(path))[0] for path in good]
    output, messages = run('--out', folder, *checks(*good))
    assert output == '\n'.join('%s\n%s' % pair for pair in zip(good, alone)) and not messages, output
    assert sorted(os.listdir(folder)) == ['gmoe_linear_top2.out.safetensors', 'gmoe_smooth_top2.out.safetensors']
    output, messages = run(*checks(bad, wrong, good[1], path_of('none.safetensors')), status=2)
    assert [line for line in output.splitlines() if line.endswith('.safetensors')] == [wrong, good[1]], output
    assert [line.split(': ')[-1] for line in output.splitlines() if line.startswith('largest')] == ['FAILED', 'ok'], output
    assert [line.split(': ')[1] for line in messages.splitlines()] == [bad, path_of('none.safetensors')], messages
    for paths in ((wrong, good[1]), (good[1], wrong)):
        run(*checks(*paths), status=1)
    refused('would be written twice', '--out', folder, *checks(good[0], wrong, good[0]))
    read = shutil.copy(good[1], os.path.join(folder, 'wrong.out.safetensors'))
    refused('--out %s is one of the files of --check; it is not overwritten' % read, '--out', folder, *checks(wrong, read))
    assert content(read) == content(good[1])
    refused('nowhere/gmoe_', '--out', path_of('nowhere'), *checks(*good))
    output, messages = run('--device', 'no such device', *checks(*good), status=1)
    assert 'no such device' in messages and messages.count('\n') == 1 and not output, (output, messages)
    refused('exclude one another', *checks(*good), make_picture('e.png'))


def what_lies_beside_pictures():
    """The run's own files of last time are no pictures, nor is what neither its name nor its content calls one."""
    folder = path_of('folder')
    os.mkdir(folder)
    picture = make_picture('folder/a.png')
    os.link(picture, folder + '/unnamed')
    for number, name in enumerate(('baseline.jpg', 'lossless.webp')):
        shutil.copy(odd_run.FOLDER + '/seeds/' + name, '%s/unnamed too %d' % (folder, number))
    page, out = folder + '/page.html', folder + '/z.safetensors'
    for _ in range(2):
        _, messages = run('--model', MODEL, '--report', page, '--out', out, folder)
        assert not messages and tensor_file.read(out)[0]['logits'].shape[0] == 4, messages
    notes = write('folder/notes.txt', b'milk')
    os.mkfifo(folder + '/pipe')
    output, messages = run('--model', MODEL, '--report', page, '--out', out, folder)
    lines = messages.splitlines()
    assert picture in output and len(lines) == 2 and all('note: ' in line for line in lines) and notes in lines[0], messages
    bad = write('folder/b.JPG', b'milk')
    _, messages = run('--model', MODEL, '--report', page, '--out', out, folder, status=1)
    assert bad + ' is no JPEG' in messages, messages
    run('--model', MODEL, notes, status=1)  # named on the command line: it was meant


def default_model():
    """Found through PATH and through a link; where it is missing, the places are named."""
    tap.needs_its_own_place(CLASSIFY)
    picture = make_picture('c.png')
    os.symlink(CLASSIFY, path_of('classify'))
    for call, path in (('classify', scratch.name), (os.path.basename(CLASSIFY), os.path.dirname(CLASSIFY))):
        output, messages = tap.outputs(call, *DEVICE, picture, cwd=scratch.name, env={'PATH': path})
        assert picture in output, messages
    copy = path_of('alone')
    shutil.copy(CLASSIFY, copy)
    _, messages = tap.outputs(copy, picture, status=2, cwd=scratch.name)
    assert messages.count('/samples/vision/model.safetensors') == 2 and '--model' in messages, messages


def arguments():
    picture = make_picture('-d.png')
    output, messages = run('--model', MODEL, '--', '-d.png', cwd=scratch.name)
    assert '\n\n-d.png\n' in output, messages
    for option in ('--model', '--out', '--report', '--device'):
        refused(option + ': is given twice', option, 'a', option, 'a', picture)
        refused(option + ': must not be empty', option, '', picture)
    refused('PICTURE: must not be empty', '--model', MODEL, '', picture)


def rows_have_their_paths():
    names = [b'plain.png', 'ünï 猫 😀.png'.encode(), b'"quoted\\\n\x1b.png', b'latin\xe9.png', b'sur\xed\xa0\x80.png']
    paths = [os.fsencode(scratch.name) + b'/' + name for name in names]
    for path in paths:
        make_picture(os.fsdecode(path))
    out = path_of('paths.safetensors')
    run('--model', MODEL, '--out', out, paths[0], path_of('missing.png'), *paths[1:], status=1)
    tensors, metadata = tensor_file.read(out)
    assert [os.fsencode(path) for path in json.loads(metadata['paths'])] == paths, metadata
    assert tensors['logits'].shape[0] == len(paths)


tap.run([several_files_are_checked_in_one_run, rows_have_their_paths, arguments, default_model, what_lies_beside_pictures,
         out_destroys_nothing, what_cannot_be_written_is_said_first])
