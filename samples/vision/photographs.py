#!/usr/bin/env python3
"""Real photographs in place of CIFAR's: what each way to make a square of them does to the answers (TRAINING.md has the command).
training/photographs.txt names them, and says what was seen on each by looking: one of the classes, or none. They lie in Debian's
packages python3-skimage, python3-sklearn and tuxpaint-stamps-default; the last one's are cut out, and stand before white here."""
import argparse
import os

import numpy
import torch
from PIL import Image, ImageOps

from model import CLASSES, MEAN, model_of, normalise, read

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'training', 'photographs.txt')
BORDER = tuple(int(255 * mean + 0.5) for mean in MEAN)  # what smoe-classify fills with


def load(root):
    """[(image, number of its class or None)]"""
    result = []
    with open(LIST, encoding='utf-8') as file:
        for label, path in (line.split(maxsplit=1) for line in file if not line.startswith('#')):
            with Image.open(os.path.join(root, path.strip())) as picture:
                picture = ImageOps.exif_transpose(picture).convert('RGBA')
            before_white = Image.new('RGBA', picture.size, 'white')
            before_white.alpha_composite(picture)
            result.append((before_white.convert('RGB'), None if label == 'none' else CLASSES.index(label)))
    return result


def square(picture, fit, size):
    """As smoe-classify --fit has it, with crop_pct 1."""
    if fit == 'squash':
        return picture.resize((size, size), Image.BICUBIC)
    if fit.startswith('pad'):
        return ImageOps.pad(picture, (size, size), Image.BICUBIC, {'pad': BORDER, 'pad black': 'black', 'pad white': 'white'}[fit])
    width, height = picture.size
    new = (size, int(size * height / width)) if width <= height else (int(size * width / height), size)
    left, top = (round((length - size) / 2) for length in new)
    return picture.resize(new, Image.BICUBIC).crop((left, top, left + size, top + size))


def logits_of(model, pictures, fit):
    pixels = numpy.stack([numpy.asarray(square(picture, fit, model.config['image_size'])) for picture in pictures])
    return model(normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('models', nargs='+')
    parser.add_argument('--root', default='/', help="where the packages' files lie")
    o = parser.parse_args()
    pictures, labels = zip(*load(o.root))
    known = [label for label in labels if label is not None]
    print('%d photographs of the classes, %d of none' % (len(known), len(labels) - len(known)))
    print('| model | fit | right | but for birds | mean over the classes | unsure of those of none |\n|---|---|---|---|---|---|')
    for path in o.models:
        model, (_, text) = model_of(path)[0], read(path)
        for fit in ('crop', 'pad', 'squash', 'pad black', 'pad white'):
            probability, answer = (logits_of(model, pictures, fit) / float(text.get('temperature', 1))).softmax(dim=1).max(dim=1)
            right = [(label, int(a) == label) for label, a in zip(labels, answer) if label is not None]
            other = [good for label, good in right if CLASSES[label] != 'bird']
            means = [numpy.mean([good for one, good in right if one == label]) for label in sorted(set(known))]
            none = [float(p) < float(text.get('unsure_below', 0)) for label, p in zip(labels, probability) if label is None]
            print('| %s | %s | %d of %d | %d of %d | %.3f | %d of %d |' % (
                os.path.basename(path), fit, sum(good for _, good in right), len(right), sum(other), len(other), numpy.mean(means),
                sum(none), len(none)))


if __name__ == '__main__':
    with torch.no_grad():
        main()
