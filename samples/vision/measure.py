#!/usr/bin/env python3
"""Compares routings on the test images (TRAINING.md has the command): accuracy, active experts, boundary mass, and what a small change
of the input does to the logits. Each model file is run as smoe-classify runs it, float32 from the file's weights; a smooth one also
with eps = 0 (hard routing, same weights), a hard one also with the eps that gives half an extra expert per token on average."""
import argparse
import os

import torch

from model import MEAN, STD, model_of
from train import load

WIDTHS = (0.001, 0.01, 0.1)
SIGMAS = (0.001 / 255, 1 / 255, 2 / 255)
HALVINGS = 36


def logits_of(model, images, seen=None):
    """Logits of pixels in 0..1, [N,10]; seen collects each MoE block's gaps and numbers of active experts."""
    mean, std = (torch.tensor(v, dtype=images.dtype).view(3, 1, 1) for v in (MEAN, STD))
    result = []
    for part in images.split(250):
        result.append(model((part - mean) / std))
        if seen is not None:
            seen.append([(m.sorted[:, m.k - 1] - m.sorted[:, m.k], (m.mask > 0).sum(dim=1).double(), m.sorted) for m in model.moes()])
    return torch.cat(result)


def calibrated(sorted_logits, k):
    """The largest eps whose mean number of extra experts is at most 0.5."""
    distances = (sorted_logits[:, k - 1:k] - sorted_logits[:, k:]).flatten().sort()[0]
    return float(distances[len(sorted_logits) // 2])


def chosen(model, images):
    """Which k experts are the best for each token of each MoE block, as numbers [N, blocks * tokens]; and the logits."""
    logits = logits_of(model, images)
    return logits, torch.cat([(2 ** m.z.topk(m.k, dim=1)[1]).sum(dim=1).view(len(images), -1) for m in model.moes()], dim=1)


def jumps(model, a, b):
    """The largest change of a logit over one change of the k best, found by halving the way from a to b in float64 until the two
    ends are 2^-HALVINGS of it apart: what remains is a jump. Where both halves change the k best: the half whose logits change more."""
    model, a, b = model.double(), a.double(), b.double()
    (at_a, of_a), (at_b, of_b) = chosen(model, a), chosen(model, b)
    crossed = (of_a != of_b).any(dim=1)
    for _ in range(HALVINGS):
        middle = (a + b) / 2
        at, of = chosen(model, middle)
        in_left, in_right = (of_a != of).any(dim=1), (of != of_b).any(dim=1)
        left = torch.where(in_left & in_right, (at - at_a).abs().amax(dim=1) >= (at_b - at).abs().amax(dim=1), in_left)
        one, four = left[:, None], left[:, None, None, None]
        a, b = torch.where(four, a, middle), torch.where(four, middle, b)
        at_a, at_b = torch.where(one, at_a, at), torch.where(one, at, at_b)
        of_a, of_b = torch.where(one, of_a, of), torch.where(one, of, of_b)
    model.float()
    return (at_b - at_a).abs().amax(dim=1)[crossed]


def row(name, model, images, labels, o):
    seen = []
    clean = logits_of(model, images, seen)
    answer = clean.argmax(dim=1)
    right = int((answer == labels).sum())
    gaps, active, _ = (list(map(torch.cat, zip(*one))) for one in zip(*[list(zip(*batch)) for batch in seen]))
    cells = ['%.4f (%d of %d)' % (right / len(labels), right, len(labels)), ' / '.join('%.3f' % a.mean() for a in active)]
    cells += [' / '.join('%.2f' % (100 * (g <= w).float().mean()) for g in gaps) for w in WIDTHS]
    few = slice(None, None, len(images) // o.images)
    for sigma in SIGMAS:
        torch.manual_seed(o.seed)
        flips, ratios = [], []
        for _ in range(o.draws):
            noise = torch.randn_like(images[few]) * sigma
            moved = logits_of(model, images[few] + noise)
            flips.append((moved.argmax(dim=1) != answer[few]).float())
            ratios.append((moved - clean[few]).norm(dim=1) / noise.flatten(1).norm(dim=1))
        ratios = torch.cat(ratios)
        cells += ['%.2f' % (100 * torch.cat(flips).mean()), '%.2f / %.2f / %.1f' % (ratios.mean(), ratios.quantile(0.99), ratios.max())]
    few = slice(None, None, len(images) // o.jumps)
    torch.manual_seed(o.seed)
    largest = jumps(model, images[few], images[few] + torch.randn_like(images[few]) * SIGMAS[-1])
    cells += ['%d of %d' % (len(largest), len(images[few])), '%.1e / %.1e' % (largest.mean(), largest.max())]
    print(name, *cells, sep=' | ', flush=True)
    o.columns.append([name] + cells)
    return [s for _, _, s in [tuple(map(torch.cat, zip(*block))) for block in zip(*seen)]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('data', help='folder with test/CLASS/*.jpg')
    parser.add_argument('models', nargs='+')
    parser.add_argument('--images', type=int, default=1000, help='how many of them to perturb')
    parser.add_argument('--draws', type=int, default=2)
    parser.add_argument('--jumps', type=int, default=100, help='how many of them to search for jumps')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--as-filed', action='store_true', help='only with the routing of the file')
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    images, labels = load(o.data, 'test')
    images = images.float() / 255
    heads = ['model', 'accuracy'] + ['mean active experts'] + ['P(gap <= %g), %%' % w for w in WIDTHS]
    for sigma in SIGMAS:
        noise = 'noise %g/255' % (sigma * 255)
        heads += ['answers flipped by %s, %%' % noise, 'change of logits / change of pixels, %s: mean / 99 %% / largest' % noise]
    heads += ['paths (noise %g/255) that change the k best' % (SIGMAS[-1] * 255), 'jump of a logit there: mean / largest']
    o.columns = []
    for path in o.models:
        model, _ = model_of(path)
        name = os.path.basename(path)
        if model.router == 'smooth_top':
            name += ' eps ' + '/'.join('%.3f' % m.gates[0].eps() for m in model.moes())
        sorted_logits = row(name, model, images, labels, o)
        if o.as_filed:
            continue
        if model.router == 'smooth_top':
            for moe in model.moes():
                moe.force_hard = True
            row(os.path.basename(path) + ' with eps 0', model, images, labels, o)
        else:
            for moe, s in zip(model.moes(), sorted_logits):
                eps = torch.tensor(calibrated(s, moe.k))
                moe.gates[0].eps = lambda eps=eps: eps
            row(os.path.basename(path) + ' with eps ' + '/'.join('%.3f' % m.gates[0].eps() for m in model.moes()), model, images, labels, o)
    print()
    for i, cells in enumerate(zip(heads, *o.columns)):
        print('| ' + ' | '.join(cells) + ' |' + ('\n|' + '---|' * len(cells) if i == 0 else ''))


if __name__ == '__main__':
    with torch.no_grad():
        main()
