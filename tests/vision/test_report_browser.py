"""smoe-classify --report in headless Chromium, where it is installed."""
import itertools
import os
import random
import re
import sys
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import chromium
import pictures
import report_page
from report_runs import make_model, make_picture, path_of, run
import tap


def luminance(colour):
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (c / 255 for c in colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(browser, selector):
    """An element's text against the card that it lies on."""
    colours = browser.evaluate('''(() => { const e = document.querySelector('%s'), card = e.closest('article, .top, .key, .t');
        return [getComputedStyle(e).color, getComputedStyle(card).backgroundColor] })()''' % selector)
    light, dark = sorted((luminance([int(c) for c in re.findall(r'\d+', colour)[:3]]) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def maps_look_right(browser, page, picture_index, grid, side, strength):
    """Pixels of the maps of experts: the expert's colour over the picture in grey."""
    picture = page.pictures[picture_index]
    _, _, pixels = pictures.read_png(report_page.image_data(picture.article)[1])
    boxes = browser.evaluate('''(() => { const a = document.querySelectorAll('article')[%d];
        return [...a.querySelectorAll('.experts svg')].map(s => { const r = s.getBoundingClientRect();
            return [r.x, r.y, r.width] }) })()''' % picture_index)
    shown = [one for block in picture.blocks for one in block.experts]
    assert len(boxes) == len(shown), (boxes, len(shown))
    for (x, y, width), one in zip(boxes, shown):
        size, _, seen = browser.screenshot(x, y, width, width)
        for cell in range(grid * grid):
            # Below a cell's upper left corner, where there is no number: a point in the middle of one of the picture's pixels
            column, row = ((cell % grid) * side // grid, (cell // grid) * side // grid)
            at_x, at_y = (int((place + 0.5) * width / side) for place in (column, row))
            under = pixels[3 * (row * side + column):][:3]
            grey = 0.2126 * under[0] + 0.7152 * under[1] + 0.0722 * under[2]
            colour = bytes.fromhex(page.colours[one.classes[cell]])
            expected = [strength * colour[c] + (1 - strength) * grey for c in range(3)]
            got = seen[3 * (at_y * size + at_x):][:3]
            assert max(abs(a - b) for a, b in zip(got, expected)) < 6, 'cell %d: %s, expected %s' % (cell, list(got), expected)


def answers_come_first(browser):
    """The answers of all pictures, then each picture with its own above or beside its maps, then the statistics."""
    places = browser.evaluate('''['nav', 'article', '.t'].map(name => document.querySelector(name).getBoundingClientRect().top)''')
    assert places == sorted(places), places
    for answer, blocks in browser.evaluate('''[...document.querySelectorAll('article')].filter(e => e.querySelector('ol')).map(e =>
            [e.querySelector('ol'), e.querySelector('.r')].map(part => part.getBoundingClientRect()).map(r => [r.left, r.top]))'''):
        assert answer[1] < blocks[1] or answer[0] < blocks[0], (answer, blocks)


def in_chromium():
    if not chromium.find():
        raise tap.Skip('Chromium is not installed')
    grid, side = 8, 32
    model = make_model('browser.safetensors', 54, lambda _, metadata: metadata.update(unsure_below='1'), image_size=side, patch=4, depth=2,
                       experts=[0, 1], router='smooth_top', k=2, classes=6)
    paths = [make_picture(path_of('<i>%d & more.png' % seed), seed, 32 + 60 * seed, 32) for seed in range(2)]
    with open(path_of('none.png'), 'w', encoding='utf-8') as file:
        file.write('nothing')
    out = path_of('browser.html')
    run('--model', model, '--report', out, paths[0], path_of('none.png'), paths[1], status=1)
    page, control = report_page.Page(out), path_of('control.html')
    with open(control, 'w', encoding='utf-8') as file:
        file.write('<!doctype html><img src="http://127.0.0.1:9/x.png"><script>console.error("complaint")</script>')
    with chromium.Chromium() as browser:
        browser.open(control)
        assert browser.requests() == ['http://127.0.0.1:9/x.png'] and any('complaint' in one for one in browser.complaints())
        for width, dark in itertools.product((390, 800, 1400), (False, True)):
            browser.open(out, width, dark=dark)
            assert not browser.requests() and not browser.complaints(), (browser.requests(), browser.complaints())
            wide, window = browser.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]')
            assert wide == window, 'the page is wider than its window'
            cut = browser.evaluate('''[...document.querySelectorAll('article, .top, .key, .t')].filter(e => e.scrollWidth > e.clientWidth)
                .length''')
            assert cut == 0, '%d cards are cut at %d pixels' % (cut, width)
            answers_come_first(browser)
            for selector in ('article h2', 'figcaption', '.key li', '.top p', 'article .w', 'ol li', '.c', 'output', 'article .u', 'nav .u',
                             '.t td', '.t h2', 'summary'):
                assert contrast(browser, selector) > 4.5, (selector, dark)
            background = browser.evaluate('getComputedStyle(document.body).backgroundColor')
            assert (luminance([int(c) for c in re.findall(r'\d+', background)]) < 0.1) == dark, background
            for picture_index in (0, 2):
                maps_look_right(browser, page, picture_index, grid, side, 0.72)
            names = browser.evaluate('[...document.querySelectorAll("article h2")].map(e => e.textContent)')
            assert names == [os.path.basename(path) for path in (paths[0], path_of('none.png'), paths[1])]
            assert browser.evaluate('document.querySelector("#partial").offsetHeight') == 0
        read_a_patch(browser, out, page, grid)
        browser.open(out, script=False)
        assert not browser.complaints() and browser.evaluate('document.querySelector("output").offsetHeight') == 0
        maps_look_right(browser, page, 0, grid, side, 0.72)


def point_at(browser, x, y):
    """What the page then says. On a busy machine a page that is new may miss the first movement."""
    for _ in range(50):
        browser.point_at(x, y)
        said = browser.evaluate('[...document.querySelectorAll("article")[0].querySelectorAll("output")].map(e => e.textContent)')
        if any(said):
            return said
        time.sleep(0.1)
    return said


def read_a_patch(browser, out, page, grid):
    """Pointing at a patch of any map shows its numbers, in each block of its picture, and marks it in each map."""
    browser.open(out)
    for number in random.Random(5).sample(range(8), 3):
        cell = (number * 29 + 11) % (grid * grid)
        x, y, width = browser.evaluate('''(() => { const r = document.querySelectorAll('article svg.m')[%d].getBoundingClientRect();
            return [r.x, r.y, r.width] })()''' % number)
        said = point_at(browser, x + (cell % grid + 0.5) * width / grid, y + (cell // grid + 0.5) * width / grid)
        assert said == [block.patches[cell].text.replace('\n', '; ') for block in page.pictures[0].blocks], (number, cell, said)
        marks = browser.evaluate('[...document.querySelectorAll(".cursor")].map(e => e.getAttribute("x") + " " + e.getAttribute("y"))')
        maps = 1 + sum(len(block.experts) + 2 for block in page.pictures[0].blocks)
        assert marks == ['%d %d' % (cell % grid, cell // grid)] * maps, marks


tap.run([in_chromium])
