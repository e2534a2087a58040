"""`scons demo photos=FOLDER`: what it runs, and what comes of it with the trained model and made pictures."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'vision'), os.path.join(FOLDER, '..', '..', 'site_scons')]
import photographs
import pictures
import tap

CLASSIFY = tap.BUILD + '/bin/smoe-classify'
CLASSES = ('airplane', 'frog', 'truck')
scratch = tempfile.TemporaryDirectory()


def folder_of(name, *files):
    """A folder with files of those names; PNGs are pictures."""
    for file in files:
        path = os.path.join(scratch.name, name, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if file.endswith('.png'):
            pictures.write_png(path, 40, 50, pictures.noise(len(path), 40, 50))
        else:
            with open(path, 'wb') as text:
                text.write(b'no picture')
    os.makedirs(os.path.join(scratch.name, name), exist_ok=True)
    return os.path.join(scratch.name, name)


def scons(*arguments, status=0):
    """What it would run."""
    if not shutil.which('scons'):
        raise tap.Skip('scons is not in PATH')
    settings = ['cc=' + os.environ.get('SMOE_CC', 'gcc'), 'sanitize=' + os.environ.get('SMOE_SANITIZE', '')]
    environment = {key: value for key, value in os.environ.items() if key not in ('LD_PRELOAD', 'MAKEFLAGS')}
    done = subprocess.run(['scons', '--dry-run', 'demo', *settings, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding='utf-8', env=environment)
    assert done.returncode == status, done.stdout
    return done.stdout.splitlines()


def classify(folder, status=0):
    return tap.outputs(*photographs.command(CLASSIFY, folder), status=status)


def what_it_runs():
    flat, classes = folder_of('my photos', 'one.png', 'more/two.png'), folder_of('classes', *(name + '/1.png' for name in CLASSES))
    assert photographs.command('x', flat) == ['x', flat] and photographs.command('x', classes) == ['x', '--batch', classes]
    assert photographs.command('x', folder_of('none')) == ['x', folder_of('none')]
    assert photographs.command('x', folder_of('hidden', '.git/a', 'frog/1.png', '.x')) == ['x', '--batch', folder_of('hidden')]
    digits = [line for line in scons() if line.endswith('/bin/smoe-digits --all')]
    for folder, said in ((flat, ' ' + flat), (classes, ' --batch ' + classes)):
        lines = scons('photos=' + folder)
        assert digits and digits[0] in lines and lines[-1].endswith('/bin/smoe-classify' + said), lines
    assert not any('smoe-classify ' in line for line in scons())
    assert 'photos=/no/such: there is no such folder' in scons('photos=/no/such', status=2)
    assert photographs.find('') == '' and photographs.find('~') == os.path.expanduser('~')


def hint():
    done = subprocess.run([sys.executable, '-c', 'import sys; sys.path.insert(0, "site_scons"); import photographs; '
                           'sys.exit(photographs.classify([], "/no/such/program", ""))'], stdout=subprocess.PIPE, encoding='utf-8')
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1 and 'scons demo photos=FOLDER' in done.stdout, done


def answers():
    folder = folder_of('flat', 'b.png', 'a.png')
    output, messages = classify(folder)
    assert not messages and re.findall(r'^/.*$', output, re.MULTILINE) == [folder + '/a.png', folder + '/b.png'], output
    assert len(re.findall(r'^  [a-z]+ +[\d.]+ %', output, re.MULTILINE)) == 10, output


def accuracy():
    output, messages = classify(folder_of('right', *('%s/%d.png' % (name, i) for name in CLASSES for i in range(2))))
    assert not messages and re.match(r'^accuracy 0\.\d{4} \(\d of 6\)$|^accuracy 1.0000 \(6 of 6\)$', output.splitlines()[-1]), output


def no_pictures():
    for name, files, status, said in (('empty', (), 1, 'has no pictures'), ('texts', ('a.txt',), 1, 'has no pictures'),
                                      ('no classes', ('holiday/1.png',), 2, 'holiday is no class of the model'),
                                      ('empty class', ('frog/.x',), 2, 'has no pictures')):
        output, messages = classify(folder_of(name, *files), status)
        lines = [line for line in messages.splitlines() if not line.startswith('smoe-classify: note: ')]
        assert not output and len(lines) == 1 and said in lines[0] and lines[0].startswith('smoe-classify: '), messages


tap.run([what_it_runs, hint, answers, accuracy, no_pictures])
