"""The page of smoe-bench report in headless Chromium, where it is installed: on a phone, a tablet and a desk, light, dark and on paper."""
import json
import os
import re
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'vision'), os.path.join(FOLDER, '..', 'golden')]
import chromium
import results_documents as results
import tap

PROGRAM = tap.BUILD + '/bin/smoe-bench'
WIDTHS = (390, 820, 1400)

# Of each picture the texts that stand upright: their boxes, and that of the card that they lie in. Overlapping by a pixel is nothing.
TEXTS = '''[...document.querySelectorAll('.card')].map(card => {
    const c = card.getBoundingClientRect();
    const boxes = [...card.querySelectorAll('svg text:not([transform])')].map(e => {
        const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom, e.textContent] });
    const outside = boxes.filter(r => r[0] < c.left - 1 || r[2] > c.right + 1 || r[1] < c.top || r[3] > c.bottom + 1);
    const over = [];
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
        // A line of text has room above and below its letters.
        const room = 0.15 * (a[3] - a[1]) + 0.15 * (b[3] - b[1]);
        const across = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), down = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
        if (across > 1 && down > room) over.push([a[4], b[4]]) }));
    return {name: card.querySelector('figcaption').textContent, outside, over, height: Math.min(...boxes.map(r => r[3] - r[1]))} })'''

# Each kind of text against what it lies on; SVG's texts have a fill.
CONTRASTS = '''['h1', 'h2', 'p', 'nav a', 'caption', 'th', 'td', 'figcaption', '.note', '.tag', '.key li', 'dt', 'dd', 'svg .t', 'svg .e',
        'svg .q', '.bad',
        ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map(i => '.key .x' + i), ...[0, 1, 2, 3].map(i => '.tag.c' + i)].map(name => {
    const e = document.querySelector(name);
    let under = e;
    while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
    const style = getComputedStyle(e);
    return [name, e instanceof SVGElement ? style.fill : style.color, getComputedStyle(under).backgroundColor] })'''


def numbers(colour):
    return [int(c) for c in re.findall(r'\d+', colour)[:3]]


def luminance(colour):
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (c / 255 for c in colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(ink, paper):
    light, dark = sorted((luminance(numbers(ink)), luminance(numbers(paper))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def make_page(folder):
    documents = [results.document([results.software()], list(results.SHAPES), (1, 32, 512)),
                 results.document([results.large(), results.small()], list(results.SHAPES), (1, 8, 64, 512, 4096), seed=2, mixed=True,
                                  route=True),
                 results.peer(results.large())]
    documents[0]['rows'][0]['hard']['check']['good'] = False
    paths = ['%s/%d.json' % (folder, i) for i in range(len(documents))]
    for path, document in zip(paths, documents):
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(document, file)
    tap.outputs(PROGRAM, 'report', *paths, '--html', folder + '/page.html')
    return folder + '/page.html'


def check_window(browser, width, dark):
    what = '%d wide, %s' % (width, 'dark' if dark else 'light')
    assert not browser.requests() and not browser.complaints(), (browser.requests(), browser.complaints())
    wide, window = browser.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]')
    assert wide == window, '%s: the page is %d wide' % (what, wide)
    background = numbers(browser.evaluate('getComputedStyle(document.body).backgroundColor'))
    assert (luminance(background) < 0.1) == dark, (what, background)
    weak = [(name, ink, paper) for name, ink, paper in browser.evaluate(CONTRASTS) if contrast(ink, paper) < 4.5]
    assert not weak, (what, weak)
    cards = browser.evaluate(TEXTS)
    assert len(cards) > 40, len(cards)
    for card in cards:
        assert not card['outside'] and not card['over'], (what, card)
        assert card['height'] > 10, (what, card)


def in_chromium():
    if not chromium.find():
        raise tap.Skip('Chromium is not installed')
    with tempfile.TemporaryDirectory() as folder, chromium.Chromium() as browser:
        page = make_page(folder)
        for width in WIDTHS:
            for dark in (False, True):
                browser.open(page, width, dark=dark)
                check_window(browser, width, dark)
        # Paper is white, whatever the screen is, and what is folded or scrolled on a screen is printed.
        browser.call('Emulation.setEmulatedMedia', media='print', features=[{'name': 'prefers-color-scheme', 'value': 'dark'}])
        ink = browser.evaluate('getComputedStyle(document.querySelector("h1")).color')
        assert luminance(numbers(ink)) < 0.1, ink
        assert browser.evaluate('getComputedStyle(document.querySelector(".scroll")).overflowX') == 'visible'


tap.run([in_chromium])
