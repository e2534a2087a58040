"""smoe-classify --report: names and pictures from anywhere, files that cannot be written, and what goes with what."""
import base64
import hashlib
import os
import re
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import full_disk
import report_page
from report_check import check_page
from report_runs import CLASSIFY, make_model, make_picture, make_report, path_of, run, scratch
import tap

# The validation layer leaks.
QUIET = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def folders_and_cost():
    folder = path_of('folder')
    os.makedirs(folder)
    for seed in range(3):
        make_picture('%s/%d.png' % (folder, seed), seed)
    model, out = make_model('folder.safetensors', 48, experts=[0]), path_of('folder.html')
    output, _ = run('--model', model, '--report', out, folder)
    assert [picture.name for picture in report_page.Page(out).pictures] == ['0.png', '1.png', '2.png']
    line = '%s: 3 pictures, %.1f kB' % (out, os.path.getsize(out) / 1000)
    assert line in output, (line, output)
    articles = re.findall(rb'<article .*?</article>\n', read(out), re.DOTALL)
    sizes = sorted(len(article) / 1000 for article in articles)
    assert ', %.1f to %.1f kB for each' % (sizes[0], sizes[-1]) in output, (sizes, output)


def validation():
    model = make_model('valid.safetensors', 48, experts=[0, 1], router='smooth_top')
    _, messages = run('--model', model, '--validate', '--report', path_of('valid.html'), make_picture(path_of('v.png'), 1), env=QUIET)
    assert not messages


# ---- what comes from anywhere


def names_do_no_harm():
    markup = '<script>alert(1)<\u2044script>"\'&amp;<img src=x onerror=alert(2)>'
    names = [(markup + '.png').encode(), 'ünï ✓ 猫 😀.png'.encode(), b'line\nbreak\ttab\x7f\x1b[31m.png',
             b'bad \xff\xc0\xaf\xed\xa0\x80 utf8.png',
             b'x' * 250 + b'.png', '</title></style></svg>.png'.replace('/', '\u2044').encode(), b'c1 \xc2\x85.png']
    shown = [markup + '.png', 'ünï ✓ 猫 😀.png', 'line\u240abreak\u2409tab\u2421\u241b[31m.png',
             'bad ' + '\ufffd' * 6 + ' utf8.png',
             'x' * 200 + '…', '<⁄title><⁄style><⁄svg>.png', 'c1 \ufffd.png']
    paths = []
    for seed, name in enumerate(names):
        paths.append(os.fsencode(scratch.name) + b'/' + name)
        make_picture(paths[-1], seed)
    classes = ['<b>bold</b>', '"&quot;', "it's", '</ol><script>alert(3)</script>', 'e' * 300]

    def change(tensors, metadata):
        metadata['classes'] = ','.join(classes)
    model, out = make_model('<i>names & more.safetensors', 49, change, classes=5, experts=[0]), path_of('names.html')
    run('--model', model, '--report', out, *paths)
    page = report_page.Page(out)
    assert [picture.name for picture in page.pictures] == shown
    expected = sorted(name if len(name) <= 200 else name[:200] + '…' for name in classes)
    assert all(sorted(name for name, _, _ in picture.answers) == expected for picture in page.pictures)
    assert 'Model <i>names & more.safetensors,' in page.root.text()
    assert len(list(page.root.all('script'))) == 1
    assert list(page.root.all('img')) == [picture.original for picture in page.pictures]
    assert all(one.attributes['src'].startswith('data:image/jpeg;base64,') for one in page.root.all('img'))
    assert not [name for element in page.root.all() for name in element.attributes if name.startswith('on')]


def pictures_that_cannot_be_read():
    good = [make_picture(path_of('good%d.png' % seed), seed) for seed in range(3)]
    with open(path_of('text.png'), 'w', encoding='utf-8') as file:
        file.write('no picture')
    missing = path_of('missing <b>.png')
    model = make_model('bad.safetensors', 50, experts=[0])
    page, images, _ = make_report(model, [path_of('text.png'), good[0], missing, good[1], good[2]], '--batch-size', '4', status=1)
    assert [picture.read for picture in page.pictures] == [False, True, False, True, True] and page.whole and len(images) == 3
    check_page(page, images, model)  # their records are those of their places among the read
    assert 'is no JPEG, PNG or WebP' in page.pictures[0].notes[1] and 'cannot be opened' in page.pictures[2].notes[1]
    assert page.pictures[2].name == 'missing <b>.png' and '2 could not be read' in page.root.text()
    out = path_of('none.html')
    run('--model', model, '--report', out, missing, status=1)
    assert report_page.Page(out).whole and not report_page.Page(out).totals


# ---- files


def files_that_cannot_be_written():
    picture = make_picture(path_of('file.png'), 1)
    model = make_model('file.safetensors', 51, experts=[0])
    for path in (path_of('no such folder', 'r.html'), scratch.name):
        output, messages = run('--model', model, '--report', path, picture, status=2)
        assert len(messages.splitlines()) == 1 and path in messages and 'cannot be written' in messages and 'kB' not in output, messages
    out = path_of('full.html')
    run('--model', model, '--report', out, picture)
    before = read(out)
    output, messages = run('--model', model, '--report', out, *[picture] * 40, '--batch-size', '4', status=1,
                           env=full_disk.environment(scratch.name, CLASSIFY, 20000))
    assert len(messages.splitlines()) == 1 and 'cannot be written: No space left on device' in messages and 'kB' not in output, messages
    assert output.count('file.png') < 40, 'it went on after the disk was full'
    assert read(out) == before, 'what was there is gone'


def files_that_are_no_report():
    """Who forgets the name gives a picture in its place."""
    paths = [make_picture(path_of('mine%d.png' % seed), seed) for seed in range(2)]
    model = make_model('mine.safetensors', 51, experts=[0])
    before = read(paths[0])
    _, messages = run('--model', model, '--report', *paths, status=2)
    assert 'is no HTML; it is not overwritten' in messages and paths[0] in messages, messages
    assert read(paths[0]) == before
    out = path_of('again.html')
    open(out, 'w', encoding='utf-8').close()
    for _ in range(2):  # an empty file, then a report
        run('--model', model, '--report', out, paths[0])
        assert report_page.Page(out).whole


def wrong_options():
    picture, out = make_picture(path_of('option.png'), 1), path_of('option.html')
    model = make_model('option.safetensors', 52, experts=[0])
    for arguments, reason in ((('--report', out, '--report', out, picture), 'twice'),
                              (('--report', out, '--batch', scratch.name), '--batch'),
                              (('--report', out, '--check', model), '--check'), ((picture, '--report'), 'needs a value'),
                              (('--report', out), 'PICTURE: is missing')):
        output, messages = run(*arguments, status=2)
        assert len(messages.splitlines()) == 1 and messages.startswith('smoe-classify: ') and reason in messages and not output, messages
        assert not os.path.exists(out)


def nothing_from_elsewhere():
    """No address but within the page; the script is the one that the page allows."""
    out = path_of('self.html')
    run('--model', make_model('self.safetensors', 53, experts=[0]), '--report', out, make_picture(path_of('self.png'), 1))
    page = report_page.Page(out)
    links = [value for element in page.root.all() for name, value in element.attributes.items() if name in ('href', 'src', 'xlink:href')]
    assert links and all(link.startswith(('#', 'data:image/')) for link in links) and '://' not in page.text and 'url(' not in page.text
    digest = base64.b64encode(hashlib.sha256(page.root.one('script').text().encode()).digest()).decode()
    assert "default-src 'none'" in page.text and "script-src 'sha256-%s'" % digest in page.text, 'the hash of the script is %s' % digest


tap.run([folders_and_cost, validation, names_do_no_harm, pictures_that_cannot_be_read, files_that_cannot_be_written,
         files_that_are_no_report, wrong_options, nothing_from_elsewhere])
