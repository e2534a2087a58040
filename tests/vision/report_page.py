"""Reads the pages that smoe-classify --report writes: elements, and what the maps in them say."""
import base64
import html.parser
import re

VOID = ('meta', 'br', 'input', 'img')
CELLS = ('td', 'th')


class Element:
    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.children = tag, attributes, []

    def all(self, tag=None, of=None):
        """Elements below, in order: by tag and by class."""
        for child in self.children:
            if isinstance(child, Element):
                if tag in (None, child.tag) and (of is None or of in (child.attributes.get('class') or '').split()):
                    yield child
                yield from child.all(tag, of)

    def one(self, tag=None, of=None):
        found = list(self.all(tag, of))
        assert len(found) == 1, '%d elements %s.%s' % (len(found), tag, of)
        return found[0]

    def text(self):
        return ''.join(child if isinstance(child, str) else child.text() for child in self.children)


class Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = Element('document', {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        if tag in CELLS and self.open[-1].tag in CELLS:  # they need no end
            self.open.pop()
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        depth = max((i for i, element in enumerate(self.open) if element.tag == tag), default=0)
        assert depth, 'nothing is open that </%s> closes' % tag
        del self.open[depth:]

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(text):
    parser = Parser()
    parser.feed(text)
    parser.close()
    return parser.root


def image_data(picture):
    """(kind, bytes) of what the model saw of an article's picture."""
    return data_of(picture.one('image').attributes['href'])


def data_of(uri):
    head, _, body = uri.partition(',')
    return re.fullmatch('data:image/(png|jpeg);base64', head).group(1), base64.b64decode(body, validate=True)


class Numbers:
    """What a token's text says."""

    def __init__(self, text):
        self.text = text
        match = re.match(r'token (\d+): row (\d+), column (\d+)\n', text)
        self.place = [int(number) for number in match.groups()] if match else None
        self.experts = {int(e): float(weight) for e, weight in re.findall(r'(\d+) \((\d\.\d{3})\)', text)}
        match = re.search(r'gap ([\d.e+-]+), order (\d+)', text)
        self.gap, self.order = (float(match.group(1)), int(match.group(2))) if match else (None, None)
        match = re.search(r', extra (\d+)', text)
        self.extra = int(match.group(1)) if match else None
        match = re.search(r'band ([\d.e+-]+) in place of eps', text)
        self.band = float(match.group(1)) if match else None


class Map:
    """classes: {cell: class of its colour}; numbers: {cell: number}; rings: cells. Cells count row by row."""

    def __init__(self, figure):
        svg = figure.one('svg', 'm')
        self.uses = [use.attributes['href'] for use in svg.all('use')]
        _, _, self.grid, height = map(int, svg.attributes['viewbox'].split())
        assert self.grid == height
        self.caption, self.classes, self.numbers, self.rings = figure.one('figcaption').text(), {}, {}, []
        for path in svg.all('path'):
            for x, y, width, back in re.findall(r'M(\d+) (\d+)h(\d+)v1h-(\d+)z', path.attributes['d']):
                assert width == back
                for i in range(int(width)):
                    cell = int(y) * self.grid + int(x) + i
                    assert cell not in self.classes and int(x) + i < self.grid, 'cell %d twice' % cell
                    self.classes[cell] = path.attributes['class']
            assert re.fullmatch(r'(M\d+ \d+h\d+v1h-\d+z)+', path.attributes['d'])
        for text in svg.all('text'):
            row = int(float(text.attributes['y']))
            places = [float(x) for x in text.attributes['x'].split()]
            assert len(places) == len(text.text()), (places, text.text())
            for x, digit in zip(places, text.text()):
                cell = row * self.grid + int(x)
                self.numbers[cell] = self.numbers.get(cell, '') + digit
        self.numbers = {cell: int(digits) for cell, digits in self.numbers.items()}
        for circle in svg.all('circle'):
            self.rings.append(int(float(circle.attributes['cy'])) * self.grid + int(float(circle.attributes['cx'])))


class Block:
    def __init__(self, section):
        self.number = int(re.fullmatch(r'Block (\d+)', section.one('h3').text()).group(1))
        paragraphs = list(section.all('p'))
        self.head = paragraphs[0].text()
        self.expert_count = int(re.match(r'(\d+) experts', self.head).group(1))
        self.eps = float(re.search(r'eps ([\d.e+-]+)', self.head).group(1))
        self.id = section.one('g', 'h').attributes['id']
        self.class_token = Numbers(section.one('p', 'c').text())
        self.patches = [Numbers(title.text()) for title in section.one('g', 'h').all('title')]
        self.rects = [(int(rect.attributes['x']), int(rect.attributes['y'])) for rect in section.one('g', 'h').all('rect')]
        self.experts = [Map(figure) for figure in section.all('figure', 'experts')]
        self.gap = Map(section.one('figure', 'gap'))
        extra = list(section.all('figure', 'extra'))
        self.extra = Map(extra[0]) if extra else None
        self.legend = [tuple(map(int, re.findall(r'\d+', span.text()))) for span in section.one('p', 'l').all('span')]


class Picture:
    def __init__(self, article):
        self.article, self.name = article, article.one('h2').text()
        self.notes = [paragraph.text() for paragraph in article.children if isinstance(paragraph, Element) and paragraph.tag == 'p']
        self.read = bool(list(article.all('image')))
        self.id = article.one('image').attributes['id'] if self.read else None
        originals = list(article.all('img'))
        self.original = originals[0] if originals else None
        self.unsure = [paragraph.text() for paragraph in article.all('p', 'u')]
        self.answers = [(item.one('bdi').text(), item.one('b').text(), item.one('i').attributes['style']) for item in article.all('li')]
        self.blocks = [Block(section) for section in article.all('section', 'b')]


class Page:
    def __init__(self, path):
        with open(path, encoding='utf-8', errors='strict') as file:
            self.text = file.read()
        self.root = parse(self.text)
        self.pictures = [Picture(article) for article in self.root.all('article')]
        ids = [element.attributes['id'] for element in self.root.all() if 'id' in element.attributes]
        assert len(set(ids)) == len(ids), ids
        self.whole = '#partial{display:none}' in self.root.text()
        self.totals = [[cell.text() for cell in row.all('td')] for row in self.root.all('tr')][1:]
        style = self.root.all('style')
        self.colours = dict(re.findall(r'\.([egx]\d+)\{fill:#([0-9a-f]{6})', next(style).text()))
