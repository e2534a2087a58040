#!/usr/bin/env python3
"""Trains the classifier of smoe-classify: a GMoE-style vision transformer for CIFAR-10's classes (TRAINING.md has the commands;
model.py has the network). With --router smooth_top, eps = softplus(eta) is learnt, with the loss term ALPHA * eps * (K_mean - k*),
k* = k + 0.5 (arXiv 2606.19036). K_mean is a count and has no gradient: the term pushes eps down while K_mean > k*, and up while
K_mean < k*. The matrices train by Muon (an orthogonalised momentum; K. Jordan, 2024), the rest by AdamW.
"""
import argparse
import datetime
import math
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as F

from model import CLASSES, FULL, HELD_OUT, HELD_OUT_SEED, SMALL, Classifier, export, folded, normalise

ALPHA, BALANCE, LABEL_SMOOTHING = 0.1, 0.02, 0.1
BATCH, RATE, DECAY, WARMUP = 256, 3e-3, 0.05, 100  # WARMUP in steps
EMA = 0.99
PAD = 4


def load(folder, part):
    """The JPEG files of folder/part/CLASS as uint8 [N,3,32,32], and the numbers of their classes, in the order of their names."""
    from PIL import Image
    images, labels = [], []
    for label, name in enumerate(CLASSES):
        place = os.path.join(folder, part, name)
        for file in sorted(os.listdir(place)):
            images.append(numpy.asarray(Image.open(os.path.join(place, file)).convert('RGB')))
            labels.append(label)
    return torch.from_numpy(numpy.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def held_out(labels, count, seed):
    """Which pictures are kept out of training: `count` of each class. NumPy keeps RandomState's numbers the same for ever, so that
    calibrate.py finds the same pictures."""
    random, kept = numpy.random.RandomState(seed), torch.zeros(len(labels), dtype=torch.bool)
    for label in range(len(CLASSES)):
        of_class = torch.nonzero(labels == label).flatten()
        kept[of_class[torch.from_numpy(random.permutation(len(of_class))[:count])]] = True
    return kept


def distort(padded):
    """Each image (padded by PAD) cropped at a random place, and mirrored or not."""
    count, size = len(padded), padded.shape[2] - 2 * PAD
    down, right = torch.randint(2 * PAD + 1, (2, count, 1)) + torch.arange(size)
    right = torch.where(torch.rand(count, 1) < 0.5, right, right.flip(1))
    index = torch.arange(count)[:, None, None]
    return padded.permute(0, 2, 3, 1)[index, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are orthogonalised (5 Newton-Schulz steps); convolutions as [Co, Ci*9], experts one by one. The update
    is scaled to the size of AdamW's, so that both take the same rate (Liu et al., arXiv 2502.16982)."""
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group['params']:
                momentum = self.state[p].setdefault('momentum', torch.zeros_like(p))
                momentum.lerp_(p.grad, 0.05)
                update = p.grad.lerp(momentum, 0.95)
                x = (update if p.dim() == 3 else update.flatten(1)[None]).bfloat16()
                wide = x.shape[1] <= x.shape[2]
                x = x if wide else x.transpose(1, 2)
                x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
                for _ in range(5):
                    square = x @ x.transpose(1, 2)
                    x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
                x = (x if wide else x.transpose(1, 2)).float()
                p.mul_(1 - group['lr'] * group['weight_decay'])
                p.add_(x.reshape(p.shape), alpha=-group['lr'] * 0.2 * math.sqrt(max(x.shape[1:])))


def optimizers(model):
    matrices = [p for n, p in model.named_parameters() if p.dim() > 1 and n.split('.')[0] in ('blocks', 'patch_embed') and
                not any(part in n for part in ('bias', 'gates', 'stem.0.'))]
    others = [p for p in model.parameters() if all(p is not q for q in matrices)]
    decayed = [p for p in others if p.dim() > 1]
    return [Muon(matrices, {'lr': RATE, 'weight_decay': DECAY}),
            torch.optim.AdamW([{'params': decayed, 'weight_decay': DECAY},
                               {'params': [p for p in others if p.dim() <= 1], 'weight_decay': 0}], lr=RATE, betas=(0.9, 0.98))]


def loss_of(model, logits, labels):
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=LABEL_SMOOTHING)
    for moe in model.moes():
        runs = (moe.mask > 0).float()
        active, eps = runs.sum(dim=1).mean(), moe.gates[0].eps()
        share = runs.mean(dim=0) / active  # of the work that each expert does: balanced against what the router wants
        loss = loss + BALANCE * runs.shape[1] * (moe.z.softmax(dim=1).mean(dim=0) * share).sum()
        if eps is not None:
            loss = loss + ALPHA * eps.squeeze() * (active - (moe.k + 0.5))
    return loss


def train(o, model, images, labels, save):
    """One process, or several started by torchrun that share each batch: the mean of their gradients is what each one steps with."""
    rank, world = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
    if world > 1:
        torch.distributed.init_process_group('gloo', timeout=datetime.timedelta(hours=6))
    padded = F.pad(normalise(images), (PAD,) * 4, mode='reflect')
    steps = len(images) // BATCH
    last = round(steps * o.epochs)
    both, first, spent = optimizers(model), 0, 0.0
    if o.start:
        missing = model.load_state_dict(torch.load(o.start)['model'], strict=False)
        log(o, 'weights of %s, step %d; new: %s' % (o.start, torch.load(o.start)['step'], missing.missing_keys))
    average = {name: value.clone() for name, value in model.state_dict().items()}
    if os.path.exists(o.checkpoint):
        saved = torch.load(o.checkpoint)
        model.load_state_dict(saved['model'])
        for one, state in zip(both, saved['optimizers']):
            one.load_state_dict(state)
        average, first, spent = saved['average'], saved['step'], saved['spent']
        log(o, 'resumed at step %d' % first)
    begin, seen, total = time.monotonic(), 0, 0.0
    for step in range(first, last):
        while o.pause and os.path.exists(o.pause):
            time.sleep(1)
            begin += 1
        if step % steps == 0 or step == first:  # an order for each epoch, the same whether resumed or not
            order = torch.randperm(len(images), generator=torch.Generator().manual_seed(o.seed * 1000 + step // steps))
        torch.manual_seed((o.seed * 1000000 + step) * 16 + rank)
        rate = RATE * min((step + 1) / WARMUP, 1.0 if o.constant else (last - step) / max(last - WARMUP, 1))
        batch = order[step % steps * BATCH:][:BATCH][rank::world]
        x = distort(padded[batch]).contiguous(memory_format=torch.channels_last)
        with torch.autocast('cpu', torch.bfloat16):
            logits = model(x)
        loss = loss_of(model, logits, labels[batch])
        model.zero_grad()
        loss.backward()
        if world > 1:
            gradients = [p.grad for p in model.parameters()]
            flat = torch.cat([g.flatten() for g in gradients]) / world
            torch.distributed.all_reduce(flat)
            for g, mean in zip(gradients, flat.split([g.numel() for g in gradients])):
                g.copy_(mean.view_as(g))
        for one in both:
            for group in one.param_groups:
                group['lr'] = rate
            one.step()
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if value.dtype.is_floating_point:
                    average[name].lerp_(value, 1 - min(EMA, (step + 1) / (step + 10)))
        seen, total = seen + 1, total + loss.item()
        if rank == 0 and ((step + 1) % 25 == 0 or step + 1 == last):
            spent, begin, before = spent + time.monotonic() - begin, time.monotonic(), spent
            log(o, 'step %5d  epoch %.2f  rate %.5f  loss %.4f  batch right %.3f  images/s %.0f%s' % (
                step + 1, (step + 1) / steps, rate, total / seen, (logits.argmax(dim=1) == labels[batch]).float().mean(),
                seen * BATCH / (spent - before), ''.join('  active %.3f eps %.4f load %s' % (
                    (m.mask > 0).sum(dim=1).float().mean(), 0.0 if m.gates[0].eps() is None else m.gates[0].eps().item(),
                    '/'.join('%.0f' % (100 * v) for v in (m.mask > 0).float().mean(dim=0))) for m in model.moes())))
            seen, total = 0, 0.0
            torch.save({'model': model.state_dict(), 'optimizers': [one.state_dict() for one in both], 'average': average,
                        'step': step + 1, 'spent': spent}, o.checkpoint + '.new')
            os.replace(o.checkpoint + '.new', o.checkpoint)
        if rank == 0 and ((step + 1) % steps == 0 or step + 1 == last):
            save(average, step + 1 == last, spent)


def log(o, line):
    if int(os.environ.get('RANK', 0)) > 0:
        return
    print(line, flush=True)
    with open(o.log, 'a') as file:
        file.write(time.strftime('%H:%M:%S ') + line + '\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('data', help='folder with train/CLASS/*.jpg and test/CLASS/*.jpg')
    parser.add_argument('out', help='the model file to write, float16; the log and the checkpoint lie beside it')
    parser.add_argument('--router', choices=('top', 'cosine_top', 'smooth_top'), default='smooth_top')
    parser.add_argument('--epochs', type=float, default=12)
    parser.add_argument('--constant', action='store_true', help='a rate that does not fall: for a start that several runs branch from')
    parser.add_argument('--start', help='a checkpoint whose weights to begin with')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--held-out', type=int, default=HELD_OUT, metavar='N', help='pictures of each class that are not trained with')
    parser.add_argument('--small', action='store_true', help='a quarter of the size, for comparing seeds')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--pause', help='wait while this file exists')
    o = parser.parse_args()
    o.checkpoint, o.log = os.path.splitext(o.out)[0] + '.checkpoint', os.path.splitext(o.out)[0] + '.log'
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    images, labels = load(o.data, 'train')
    kept = held_out(labels, o.held_out, HELD_OUT_SEED)
    last_looks = {'held out': (images[kept], labels[kept]), 'test': load(o.data, 'test')}
    images, labels, config = images[~kept], labels[~kept], SMALL if o.small else FULL
    model = Classifier(config, o.router)
    log(o, 'command: ' + ' '.join(sys.argv))
    log(o, 'torch %s  router %s  seed %d  epochs %g  images %d  parameters %d  threads %d' % (
        torch.__version__, o.router, o.seed, o.epochs, len(images), sum(p.numel() for p in model.parameters()), o.threads))

    def save(state, last, spent):
        final = folded(config, o.router, state)
        export(o.out, final, 'cifar10-' + o.router)
        for name, (pixels, answers) in last_looks.items() if last and not o.constant else ():
            right = 0
            with torch.no_grad():
                for x, y in zip(pixels.split(500), answers.split(500)):
                    right += int((final(normalise(x)).argmax(dim=1) == y).sum())
            log(o, '%s: right %d of %d (%.4f), trained for %.0f s' % (name, right, len(answers), right / len(answers), spent))

    model.to(memory_format=torch.channels_last)
    train(o, model, images, labels, save)


if __name__ == '__main__':
    main()
