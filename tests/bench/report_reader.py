"""Reads the pages that smoe-bench report writes: tables, and what the pictures say by the ticks of their own axes."""
import math
import re
import sys
import os

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'vision'))
from report_page import parse

PREFIXES = {'p': 1e-12, 'n': 1e-9, 'µ': 1e-6, 'm': 1e-3, '': 1, 'k': 1e3, 'M': 1e6, 'G': 1e9, 'T': 1e12, 'P': 1e15, 'E': 1e18}


def amount(text, unit=''):
    """"15.8 ms" -> 0.0158, of the unit "s"; a plain number without a unit; None for a dash."""
    if text == '–':
        return None
    if not unit:
        return float(text)
    match = re.fullmatch(r'([\d.]+) (.?)' + re.escape(unit), text)
    assert match, '%s is no amount of %s' % (text, unit)
    return float(match.group(1)) * PREFIXES[match.group(2)]


def share(text):
    return None if text == '–' else float(re.fullmatch(r'([\d.]+) %', text).group(1)) / 100


class Axis:
    """From two ticks, of (place, value)."""

    def __init__(self, ticks, logarithmic):
        assert len(ticks) > 1, 'an axis with %d ticks' % len(ticks)
        self.ticks, self.logarithmic = ticks, logarithmic
        for place, value in ticks:
            assert abs(self.place(value) - place) < 0.3, (ticks, value)

    def place(self, value):
        (p0, v0), (p1, v1) = self.ticks[0], self.ticks[-1]
        if self.logarithmic:
            value, v0, v1 = math.log(value), math.log(v0), math.log(v1)
        return p0 + (p1 - p0) * (value - v0) / (v1 - v0)


class Picture:
    def __init__(self, figure):
        self.heading = figure.one('figcaption').text()
        self.svg = figure.one('svg')
        self.title, self.about = self.svg.one('title').text(), self.svg.one('desc').text()
        _, _, self.width, self.height = map(float, self.svg.attributes['viewbox'].split())
        self.texts = [(float(one.attributes['x']), float(one.attributes['y']), one.text(), one.attributes.get('class', '').split())
                      for one in self.svg.all('text')]
        self.paths = [(one.attributes.get('class', '').split(), one.attributes['d'], one.attributes.get('transform', ''))
                      for one in self.svg.all('path')]

    def x_axis(self, unit='', logarithmic=True):
        return Axis([(x, amount(text, unit)) for x, _, text, kind in self.texts if kind == ['t', 'm']], logarithmic)

    def y_axis(self, unit='', logarithmic=True):
        return Axis([(y - 4, amount(text, unit)) for _, y, text, kind in self.texts if kind == ['t', 'e']], logarithmic)

    def marks(self):
        """(x, y, filled) of each layer's mark."""
        found = []
        for kind, _, transform in self.paths:
            if transform:
                x, y = map(float, re.fullmatch(r'translate\((\S+) (\S+)\)', transform).groups())
                found.append((x, y, 'f' in kind))
        return found


class Table:
    """rows: a dictionary of column -> text for each. A column that is there twice gets a number; a cell that spans the rest is 'rest'."""

    def __init__(self, table):
        self.caption = table.one('caption').text()
        heads = list(table.one('thead').all('th'))
        assert all(head.attributes.get('scope') == 'col' for head in heads), self.caption
        self.columns = []
        for head in heads:
            name = head.text()
            self.columns.append(name + ' 2' * (name in self.columns))
        self.rows = []
        for row in table.one('tbody').all('tr'):
            cells = [cell for cell in row.children if cell.tag in ('td', 'th')]
            assert cells[0].tag == 'th' and cells[0].attributes.get('scope') == 'row', self.caption
            read = dict(zip(self.columns, (cell.text() for cell in cells)))
            if 'colspan' in cells[-1].attributes:
                read['rest'] = read.pop(self.columns[len(cells) - 1])
                assert len(cells) - 1 + int(cells[-1].attributes['colspan']) == len(self.columns), read
            else:
                assert len(cells) == len(self.columns), (self.columns, read)
            self.rows.append(read)


class Page:
    def __init__(self, text):
        self.text, self.root = text, parse(text)
        self.tables = {table.caption: table for table in map(Table, self.root.all('table'))}
        self.sections = {section.attributes['id']: section for section in self.root.all('section')}

    def pictures(self, section):
        return [Picture(figure) for figure in self.sections[section].all('figure')]
