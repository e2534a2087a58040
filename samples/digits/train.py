#!/usr/bin/env python3
"""Trains the model of smoe-digits and writes model.safetensors and digits.safetensors beside this file (README.md has the command).

The model: x = embed(pixels / 16), y = smooth MoE(x), logits = head(x + y). embed and head are linear, so that whatever is not
linear happens in the experts. The routing is smoe's own, term by term: softmax gate over a linear router, the k best, a band of
width eps below the k-th best logit with the mask u^a / (u^a + (1-u)^b), a cap on the active experts, weights that sum to one.
eps is learnt: softplus(eta), with the loss term alpha * eps * (K - k*), K the mean number of active experts of the batch
(arXiv 2606.19036). K is a count and has no gradient: the term pushes eps down while K > k*, and up while K < k*.
"""
import argparse
import json
import math
import os
import struct

import numpy
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

SEED = 0
HELD_OUT_PER_DIGIT = 45
D, H, E, K, A = 32, 64, 8, 2, 4
MASK_A, MASK_B = 1.0, 50.0
WANTED_ACTIVE = K + 0.5  # k* of the paper
EPOCHS, BATCH, RATE, RATE_ETA, DECAY = 200, 64, 4e-3, 2e-2, 0.02
ALPHA, BALANCE, LABEL_SMOOTHING = 0.1, 0.05, 0.05
ROTATION, SHEAR, SHIFT, ZOOM = math.radians(6), 0.09, 0.09, 0.048  # the largest; a shift of 1 is half the picture
SAMPLE_TOKENS = 32  # held-out digits that model.safetensors carries as x, with expected results, for smoe-run --check


def split(labels):
    """1 for each digit held out: as many of every kind, drawn with a seed of their own."""
    random = numpy.random.RandomState(SEED)
    held_out = numpy.zeros(len(labels), dtype=numpy.uint8)
    for label in range(10):
        held_out[random.permutation(numpy.flatnonzero(labels == label))[:HELD_OUT_PER_DIGIT]] = 1
    return held_out


def route(z, eps):
    """Weights, mask and the band used, each token for itself. Equal logits go by the lower index: the sort is stable."""
    s, order = torch.sort(z, dim=1, descending=True, stable=True)
    best = torch.zeros_like(z).scatter(1, order[:, :K], 1.0) > 0
    band = torch.minimum(eps.expand(len(z)), s[:, K - 1] - s[:, A])[:, None]
    # the floor keeps 0/0 out of the gradient; where the band is that narrow, `best` decides alone
    u = ((z - s[:, K - 1:K] + band) / band.clamp_min(1e-12)).clamp(0, 1)
    mask = u ** MASK_A / (u ** MASK_A + (1 - u) ** MASK_B)
    mask = torch.where(best, torch.ones_like(mask), torch.where(band > 0, mask, torch.zeros_like(mask)))
    raw = torch.exp(z - s[:, :1]) * mask
    return raw / raw.sum(dim=1, keepdim=True), mask, band[:, 0], s, order


class Digits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        parameter = torch.nn.Parameter
        self.embed = torch.nn.Linear(64, D)
        self.head = torch.nn.Linear(D, 10)
        self.router = torch.nn.Linear(D, E)
        torch.nn.init.normal_(self.router.weight, std=4 / math.sqrt(D))  # large: a router that is sure from the start specialises
        torch.nn.init.zeros_(self.router.bias)
        self.w1, self.b1 = parameter(torch.randn(E, H, D) * math.sqrt(1.5 / D)), parameter(torch.zeros(E, H))
        self.w2, self.b2 = parameter(torch.randn(E, D, H) * math.sqrt(1 / H)), parameter(torch.zeros(E, D))
        self.eta = parameter(torch.tensor(-1.5))

    def eps(self):
        return F.softplus(self.eta)

    def experts(self, x):
        hidden = F.gelu(torch.einsum('td,ehd->teh', x, self.w1) + self.b1)
        return torch.einsum('teh,edh->ted', hidden, self.w2) + self.b2

    def forward(self, images, eps=None):
        x = self.embed(images.flatten(1) / 16)
        z = self.router(x)
        weights, mask = route(z, self.eps() if eps is None else eps)[:2]
        y = (self.experts(x) * weights[..., None]).sum(dim=1)
        return self.head(x + y), z, weights, mask


def distort(images):
    """Each image a little turned, sheared, shifted and zoomed, at random."""
    count = len(images)
    angle, shear, zoom, right, down = ((torch.rand(count) * 2 - 1) * most for most in (ROTATION, SHEAR, ZOOM, SHIFT, SHIFT))
    cosine, sine = torch.cos(angle) * (1 + zoom), torch.sin(angle)
    matrix = torch.stack([torch.stack([cosine, shear - sine, right], 1), torch.stack([sine, cosine, down], 1)], 1)
    grid = F.affine_grid(matrix, (count, 1, 8, 8), align_corners=False)
    return F.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def train(images, labels):
    torch.manual_seed(SEED)
    model = Digits()
    special = (model.eta, model.router.weight)
    optimizer = torch.optim.AdamW([{'params': [p for p in model.parameters() if all(p is not q for q in special)]},
                                   {'params': [model.router.weight], 'weight_decay': 0},
                                   {'params': [model.eta], 'weight_decay': 0}], lr=RATE, weight_decay=DECAY)
    batches = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [RATE, RATE, RATE_ETA], total_steps=EPOCHS * batches, pct_start=0.15)
    for epoch in range(EPOCHS):
        permutation = torch.randperm(len(images))
        total = 0.0
        for batch in permutation[:batches * BATCH].split(BATCH):
            logits, z, _, mask = model(distort(images[batch]))
            runs = (mask > 0).float()
            active = runs.sum(dim=1).mean()
            share = runs.mean(dim=0) / active  # of the work that each expert does: balanced against what the router wants
            loss = (F.cross_entropy(logits, labels[batch], label_smoothing=LABEL_SMOOTHING)
                    + ALPHA * model.eps() * (active - WANTED_ACTIVE)
                    + BALANCE * E * (z.softmax(dim=1).mean(dim=0) * share).sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if (epoch + 1) % 20 == 0:
            print('epoch %3d  loss %.4f  eps %.4f  active %.3f' % (epoch + 1, total / batches, model.eps().item(), active.item()))
    return model.eval()


def report(model, name, images, labels):
    """Accuracy as it is, with hard routing, and without the MoE layer (only x): what the layer is worth."""
    with torch.no_grad():
        logits, _, _, mask = model(images)
        hard = model(images, eps=torch.tensor(0.0))[0]
        without = model.head(model.embed(images.flatten(1) / 16))
        active = (mask > 0).sum(dim=1)
        right = [int((one.argmax(dim=1) == labels).sum()) for one in (logits, hard, without)]
    print('%s  right %d of %d (%.4f)  hard routing %d  without the MoE layer %d  mean active %.3f  in the band %d' %
          (name, right[0], len(labels), right[0] / len(labels), right[1], right[2], active.float().mean(), (active > K).sum()))


def expected(model, x):
    """What smoe-run --check compares with: the layer in float64 from the float32 weights."""
    model, eps = model.double(), torch.tensor(float(numpy.float32(model.eps().item())), dtype=torch.float64)
    x = torch.from_numpy(x).double()
    with torch.no_grad():
        z = model.router(x)
        weights, mask, band, s, order = route(z, eps)
        active = (mask > 0).sum(dim=1)
        ids = torch.where(torch.arange(A) < active[:, None], order[:, :A], -torch.ones(1, dtype=torch.long))
        y = (model.experts(x) * weights[..., None]).sum(dim=1)
    result = {'logits': z, 'weights': weights, 'gap': s[:, K - 1] - s[:, K], 'eps': band, 'y': y}
    result = {name: value.numpy() for name, value in result.items()}
    order = ((s - s[:, K - 1:K]) == 0).sum(dim=1) - 1  # tie_tolerance 0
    order[torch.from_numpy(result['gap']) > 0] = 0
    result.update({name: value.numpy().astype(numpy.int32) for name, value in (('order', order), ('active', active), ('ids', ids))})
    return {'expected.' + name: value for name, value in result.items()}


def write(name, tensors, metadata):
    """A safetensors file whose bytes depend only on its content; each tensor begins at a multiple of 8 bytes."""
    types = {'float32': 'F32', 'float64': 'F64', 'int32': 'I32', 'uint8': 'U8'}
    header, data = {'__metadata__': metadata}, b''
    for key, value in sorted(tensors.items(), key=lambda item: -item[1].itemsize):  # the wide types first: no gaps are allowed
        begin = len(data)
        data += numpy.ascontiguousarray(value).tobytes()
        header[key] = {'dtype': types[str(value.dtype)], 'shape': list(value.shape), 'data_offsets': [begin, len(data)]}
    header = json.dumps(header, separators=(',', ':')).encode()
    header += b' ' * (-len(header) % 8)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(header)) + header + data)
    print('%s: %d bytes' % (name, 8 + len(header) + len(data)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--validation', action='store_true', help='train on three quarters of the training digits, report on the '
                        'others, write nothing: for comparing settings, the held-out digits untouched')
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data = load_digits()
    held_out = split(data.target)
    images, labels = torch.tensor(data.images, dtype=torch.float32), torch.tensor(data.target)
    trained, tested = torch.from_numpy(held_out == 0), torch.from_numpy(held_out == 1)
    if options.validation:
        indices = torch.from_numpy(numpy.random.RandomState(SEED + 1).permutation(numpy.flatnonzero(held_out == 0)))
        quarter = len(indices) // 4
        model = train(images[indices[quarter:]], labels[indices[quarter:]])
        report(model, 'validation', images[indices[:quarter]], labels[indices[:quarter]])
        return
    model = train(images[trained], labels[trained])
    report(model, 'training', images[trained], labels[trained])
    report(model, 'held out', images[tested], labels[tested])

    tensors = {'router.weight': model.router.weight, 'router.bias': model.router.bias,
               'experts.w1': model.w1, 'experts.b1': model.b1, 'experts.w2': model.w2, 'experts.b2': model.b2,
               'embed.weight': model.embed.weight, 'embed.bias': model.embed.bias,
               'head.weight': model.head.weight, 'head.bias': model.head.bias}
    tensors = {name: value.detach().numpy().copy() for name, value in tensors.items()}
    with torch.no_grad():
        tensors['x'] = model.embed(images[tested][:SAMPLE_TOKENS].flatten(1) / 16).numpy()
    metadata = {'name': 'digits', 'tokens': SAMPLE_TOKENS, 'd_model': D, 'd_hidden': H, 'n_experts': E, 'k': K,
                'eps': float(numpy.float32(model.eps().item())), 'a': MASK_A, 'b': MASK_B, 'temperature': 1.0, 'score': 'softmax',
                'router': 'linear', 'renormalize': True, 'scale': 1.0, 'tie_tolerance': 0.0, 'n_group': 1, 'topk_group': 1,
                'activation': 'gelu', 'gated': False, 'bias': True, 'shared': 0, 'max_active': A}
    tensors.update(expected(model, tensors['x']))
    write('model.safetensors', tensors, {key: str(value) for key, value in metadata.items()})
    write('digits.safetensors', {'images': data.images.reshape(-1, 64).astype(numpy.uint8), 'labels': data.target.astype(numpy.uint8),
                                 'held_out': held_out},
          {'source': 'Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998; '
                     'its test set, as scikit-learn carries it', 'licence': 'CC BY 4.0',
           'changes': 'stored as safetensors; held_out marks the digits that train.py keeps for testing'})


if __name__ == '__main__':
    main()
