#!/usr/bin/env python3
"""Writes into a model file what its answers are worth, from pictures of train/ that it was not trained with (train.py --held-out):
`temperature`, which makes the likelihood of their classes largest, and `unsure_below`, the largest probability below which 5 % of the
right answers among them are. Then says what both do on test/, which had no part in it, and on photographs of none of the classes
(photographs.py), beside other scores that could have told an unsure answer, each with its own bound at the same 5 %."""
import argparse
import os

import torch

import photographs
from measure import logits_of
from model import HELD_OUT, HELD_OUT_SEED, model_of, read, write
from train import held_out, load

FLAGGED = 0.05  # of right answers
BINS = 15       # of equal width, for the expected calibration error (Guo et al., 2017)


def negative_log_likelihood(logits, labels, temperature):
    return float(torch.nn.functional.cross_entropy(logits.double() / temperature, labels))


def fitted_temperature(logits, labels):
    """By ternary search: the negative log-likelihood is convex in 1 / temperature."""
    low, high = 0.02, 50.0  # 1 / temperature
    for _ in range(200):
        third = (high - low) / 3
        if negative_log_likelihood(logits, labels, 1 / (low + third)) < negative_log_likelihood(logits, labels, 1 / (high - third)):
            high -= third
        else:
            low += third
    return 2 / (low + high)


def calibration_error(logits, labels, temperature):
    """Expected calibration error: the mean over the bins, by their pictures, of |accuracy - mean of the largest probability|."""
    probability, answer = (logits.double() / temperature).softmax(dim=1).max(dim=1)
    right, number = (answer == labels).double(), (probability * BINS).long().clamp(max=BINS - 1)
    return sum(float((right[number == i] - probability[number == i]).sum().abs()) for i in range(BINS)) / len(labels)


def scores(temperature):
    """Larger where an answer is surer."""
    return {'largest probability': lambda z: (z.double() / temperature).softmax(dim=1).amax(dim=1),
            'largest logit': lambda z: z.double().amax(dim=1),
            'energy (log of the sum of exp(logits))': lambda z: z.double().logsumexp(dim=1),
            "logits' norm": lambda z: z.double().norm(dim=1)}


def bound_of(score, right):
    """Below it are FLAGGED of the right answers."""
    ranked = score[right].sort()[0]
    return float(ranked[int(FLAGGED * len(ranked))])


def share(flagged):
    return '%.2f %% (%d of %d)' % (100 * float(flagged.double().mean()), int(flagged.sum()), len(flagged)) if len(flagged) else '-'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('data', help='folder with train/CLASS/*.jpg and test/CLASS/*.jpg')
    parser.add_argument('models', nargs='+', help='files that are written anew, with the two keys in their metadata')
    parser.add_argument('--held-out', type=int, default=HELD_OUT, metavar='N', help="train.py's")
    parser.add_argument('--root', help="where the photographs' packages lie: / where they are installed")
    parser.add_argument('--threads', type=int, default=1)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    pixels, labels = load(o.data, 'train')
    kept = held_out(labels, o.held_out, HELD_OUT_SEED)
    fitting, testing = (pixels[kept].float() / 255, labels[kept]), load(o.data, 'test')
    none = [picture for picture, label in photographs.load(o.root) if label is None] if o.root else []
    for path in o.models:
        model, _ = model_of(path)
        tensors, text = read(path)
        logits, answers = logits_of(model, fitting[0]), fitting[1]
        right = logits.argmax(dim=1) == answers
        temperature = round(fitted_temperature(logits, answers), 4)
        ways = scores(temperature)
        bounds = {name: bound_of(way(logits), right) for name, way in ways.items()}
        bounds['largest probability'] = round(bounds['largest probability'], 4)
        text.update(temperature=str(temperature), unsure_below=str(bounds['largest probability']))
        write(path, {key: tensor.numpy() for key, tensor in tensors.items()}, text)
        print('%s: temperature %g, unsure_below %g, from %d held-out pictures, %d of them right' % (
            os.path.basename(path), temperature, bounds['largest probability'], len(answers), int(right.sum())))
        tested, tested_labels = logits_of(model, testing[0].float() / 255), testing[1]
        for name, t in (('before (temperature 1)', 1.0), ('after', temperature)):
            print('  test, %s: expected calibration error %.4f (%d bins), negative log-likelihood %.4f; held out: %.4f, %.4f' % (
                name, calibration_error(tested, tested_labels, t), BINS, negative_log_likelihood(tested, tested_labels, t),
                calibration_error(logits, answers, t), negative_log_likelihood(logits, answers, t)))
        fit = text.get('fit', 'crop')
        off = photographs.logits_of(model, none, fit) if none else torch.zeros(0, tested.shape[1])
        good = tested.argmax(dim=1) == tested_labels
        print('| %s: unsure by | of right answers on test/ | of wrong ones | of photographs of no class, %s |\n|---|---|---|---|' % (
            os.path.basename(path), fit))
        for name, way in ways.items():
            unsure = way(tested) < bounds[name]
            print('| %s below %.4g | %s | %s | %s |' % (name, bounds[name], share(unsure[good]), share(unsure[~good]),
                                                       share(way(off) < bounds[name])))


if __name__ == '__main__':
    with torch.no_grad():
        main()
