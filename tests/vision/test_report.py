"""smoe-classify --report: what the page says of patches, pictures and answers."""
import math
import os
import struct
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import pictures
import report_page
from report_check import CLOSE, Recorder, check_page, check_totals
from report_runs import make_model, make_picture, make_report, path_of, run
import tap
import tensor_file
import tiny_model


def numbers_of_patches():
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(3)]
    extra = 0
    for name, options in (('one', {'router': 'top'}), ('two', {'router': 'top', 'k': 2, 'stem': ((4, 2, 0),), 'patch': 1}),
                          ('smooth', {'router': 'smooth_top', 'k': 1}),
                          ('smooth two', {'router': 'smooth_top', 'k': 2, 'expert_count': 12}),
                          ('cosine', {'router': 'cosine_top', 'k': 3}), ('many', {'router': 'smooth_top', 'k': 4, 'expert_count': 37})):
        model = make_model(name + '.safetensors', 40, depth=3, experts=[0, 2], image_size=12, **options)
        page, images, _ = make_report(model, paths, '--batch-size', '2')
        assert page.whole and len(page.pictures) == 3
        everything = check_page(page, images, model)
        check_totals(page, model)
        extra += sum(said.extra for said in everything)
    assert extra > 100


def band_of_the_command_line():
    """--eps 0 is hard routing, and says so."""
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(2)]
    model = make_model('band.safetensors', 41, experts=[1], router='smooth_top', k=1)
    page, images, _ = make_report(model, paths, '--eps', '0')
    assert all('hard routing' in picture.blocks[0].head and picture.blocks[0].extra is None for picture in page.pictures)
    assert all(said.extra == 0 and len(said.experts) == 1 for picture in page.pictures for said in picture.blocks[0].patches)
    page, _, _ = make_report(model, paths, '--eps', '100')  # all five experts run
    assert all(said.extra == 4 and len(said.experts) == 5 for picture in page.pictures for said in picture.blocks[0].patches)


def band_that_the_cap_shortens():
    """The band ends at the score of the first expert that does not fit."""
    def change(tensors, metadata):
        metadata['max_active'] = '2'
    model = make_model('cap.safetensors', 42, change, experts=[1], router='smooth_top', k=1)
    page, images, _ = make_report(model, [make_picture(path_of('cap.png'), 7)], '--eps', '2')
    recorder, block = Recorder(model), page.pictures[0].blocks[0]
    recorder.classify(images[0])
    shorter = 0
    for said, (z, _) in zip([block.class_token] + block.patches, recorder.seen[1]):
        ranked = sorted(z, reverse=True)
        band = min(2, ranked[0] - ranked[2])
        assert len(said.experts) <= 2
        assert (abs(said.band - band) < CLOSE + 1e-3 * band) if band < 2 - CLOSE else said.band is None, (said.text, z)
        shorter += band < 2
    assert shorter > 5


def ties():
    """Experts with the same weights of the router tie to the bit: order, and rings."""
    def change(tensors, metadata):
        values, width = tensors['blocks.1.mlp.gates.0.wg.weight'].values, 8
        for expert in (2, 3):
            values[expert * width:(expert + 1) * width] = values[width:2 * width]
    model = make_model('ties.safetensors', 43, change, experts=[1], router='top', k=2, image_size=16)
    page, images, _ = make_report(model, [make_picture(path_of('%d.png' % seed), seed) for seed in range(2)])
    everything = check_page(page, images, model)
    orders = {said.order for said in everything}
    assert orders == {0, 2}, orders
    assert any('up to 2' in picture.blocks[0].gap.caption for picture in page.pictures)


def numbers_that_are_not_finite():
    def change(tensors, metadata):
        values = tensors['pos_embed'].values
        values[8 * 3 + 1] = math.inf  # token 3, and through attention every other
    model = make_model('inf.safetensors', 44, change, experts=[1], router='top', k=2)
    out = path_of('inf.html')
    run('--model', model, '--report', out, make_picture(path_of('inf.png'), 1), status=1)
    picture, = report_page.Page(out).pictures
    block = picture.blocks[0]
    assert not picture.answers and 'no finite answer' in picture.article.text()
    assert all('not finite' in said.text and not said.experts for said in [block.class_token] + block.patches)
    assert not block.gap.classes and not block.experts[0].classes and '16 patches' in picture.article.text()


def model_without_experts():
    page, _, logits = make_report(make_model('dense.safetensors', 45), [make_picture(path_of('dense.png'), 1)])
    assert 'No block of this model has experts' in page.root.text() and not page.pictures[0].blocks and page.pictures[0].answers


# ---- pictures and answers


def what_the_model_saw():
    """Small pictures to the bit, in their PNG; larger ones as JPEG."""
    paths = [make_picture(path_of('%d.png' % seed), seed, 20 + 13 * seed, 31) for seed in range(4)]
    model = make_model('seen.safetensors', 46, image_size=16, patch=4, experts=[0])
    page, images, _ = make_report(model, paths)
    for i, (picture, image, path) in enumerate(zip(page.pictures, images, paths)):
        kind, data = report_page.image_data(picture.article)
        width, height, pixels = pictures.read_png(data)
        expected = [round((image[c * 256 + i] * 0.5 + 0.5) * 255) for i in range(256) for c in range(3)]
        assert kind == 'png' and (width, height) == (16, 16) and list(pixels) == expected
        assert picture.name == os.path.basename(path)
        assert picture.notes[0] == '%s: %d × 31 pixels; the model sees 16 × 16, its middle' % (path, 20 + 13 * i)
    model = make_model('large.safetensors', 46, image_size=112, patch=28, experts=[0])
    page, _, _ = make_report(model, paths[:1])
    kind, data = report_page.image_data(page.pictures[0].article)
    assert kind == 'jpeg' and data[:3] == b'\xff\xd8\xff' and data[-2:] == b'\xff\xd9'
    assert struct.pack('>HH', 112, 112) in data and len(page.pictures[0].blocks[0].patches) == 16


def what_lies_in_the_file():
    """The picture is beside what the model saw of it, shrunk where it is large; not where the model sees it as it is."""
    def whole(tensors, metadata):
        metadata.update(crop_pct='1', fit='squash')
    model = make_model('whole.safetensors', 46, whole, image_size=16, patch=4, experts=[0])
    sizes = {(640, 400): (320, 200), (100, 321): (100, 320), (320, 3): (320, 3), (1, 2000): (1, 320), (16, 16): None, (16, 17): (16, 17)}
    paths = []
    for width, height in sizes:
        paths.append(path_of('slope%dx%d.png' % (width, height)))
        slopes = ((x * 255 // width, y * 255 // height, 90) for y in range(height) for x in range(width))
        pictures.write_png(paths[-1], width, height, bytes(value for pixel in slopes for value in pixel))
    page, images, _ = make_report(model, paths)
    for picture, path, image, size in zip(page.pictures, paths, images, sizes.values()):
        assert (picture.original is None) == (size is None), path
        if size is None:
            continue
        kind, data = report_page.data_of(picture.original.attributes['src'])
        assert kind == 'jpeg' and tuple(int(picture.original.attributes[key]) for key in ('width', 'height')) == size
        with open(path_of('again.jpg'), 'wb') as file:
            file.write(data)
        run('--model', model, '--out', path_of('again.safetensors'), path_of('again.jpg'))
        again = tensor_file.read(path_of('again.safetensors'))[0]['images'].values
        assert max(abs(a - b) for a, b in zip(again, image)) < 0.25, (path, max(abs(a - b) for a, b in zip(again, image)))
    for fit, said in (('crop', 'its middle'), ('pad', 'with borders'), ('squash', 'squashed')):
        page, _, _ = make_report(model, paths[:1], '--fit', fit)
        assert page.pictures[0].notes[0].endswith('640 × 400 pixels; the model sees 16 × 16, ' + said), page.pictures[0].notes


def unsure_ones_are_marked():
    def change(tensors, metadata):
        metadata.update(classes='ant,bee,cow', temperature='1.5')
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(6)]
    model = make_model('calibrated.safetensors', 47, change, experts=[0])
    page, _, logits = make_report(model, paths)
    assert 'It knows 3 classes: ant, bee, cow.' in page.root.text() and 'unsure' not in page.root.one('nav').text()
    largest = [max(tiny_model.softmax([value / 1.5 for value in row])) for row in logits]
    assert [round(100 * number, 2) for number in largest] == [float(picture.answers[0][1][:-2]) for picture in page.pictures]
    ranked = sorted(largest)
    bound = round((ranked[2] + ranked[3]) / 2, 4)

    def bounded(tensors, metadata):
        change(tensors, metadata)
        metadata['unsure_below'] = str(bound)
    page, _, _ = make_report(make_model('bounded.safetensors', 47, bounded, experts=[0]), paths)
    said = ['unsure: none of its 3 classes reaches %g %%' % (100 * bound)]
    assert [picture.unsure for picture in page.pictures] == [said if number < bound else [] for number in largest]
    assert [link.text().count('unsure') for link in page.root.one('nav').all('a')] == [int(number < bound) for number in largest]
    assert '6 pictures, 3 unsure. Model bounded.safetensors' in page.root.text()
    page, _, _ = make_report(make_model('plain.safetensors', 47, experts=[0]), paths)
    assert 'It knows 3 classes; its probabilities are not calibrated.' in page.root.text()


def answers_and_order():
    names = ['a%d' % c for c in range(7)]

    def change(tensors, metadata):
        metadata['classes'] = ','.join(names)
    model = make_model('answers.safetensors', 47, change, classes=7, experts=[0])
    paths = [make_picture(path_of('%d.png' % seed), seed) for seed in range(5)]
    page, _, logits = make_report(model, paths, '--batch-size', '2')
    for picture, path, row in zip(page.pictures, paths, logits):
        probabilities = tiny_model.softmax(list(row))
        best = sorted(range(7), key=lambda c: -probabilities[c])[:5]
        assert picture.name == os.path.basename(path) and [name for name, _, _ in picture.answers] == [names[c] for c in best]
        for (_, percent, bar), c in zip(picture.answers, best):
            assert abs(float(percent[:-2]) - 100 * probabilities[c]) < 0.006 and bar == 'width:%s%%' % percent[:-2]
    assert len(list(page.root.one('nav').all('a'))) == 5
    run('--model', model, '--out', path_of('plain.safetensors'), *paths)
    plain = tensor_file.read(path_of('plain.safetensors'))[0]['logits'].rows()
    assert [list(row) for row in plain] == [list(row) for row in logits], 'the report changed the logits'


tap.run([numbers_of_patches, band_of_the_command_line, band_that_the_cap_shortens, ties, numbers_that_are_not_finite,
         model_without_experts, what_the_model_saw, what_lies_in_the_file, unsure_ones_are_marked, answers_and_order])
