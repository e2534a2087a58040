#!/usr/bin/env python3
"""Writes check_smooth.safetensors and check_cosine.safetensors into the folder named: tiny classifiers of random weights that use every
feature of the model file (stem of both strides, residuals of one and of two layers, patches of 2, both kinds of routing), 16 made
images, and the float64 logits that smoe-classify --check compares with. The second holds its weights as float16."""
import os
import sys

import torch

import model as network

TINY = {'image_size': 32, 'patch_size': 2, 'embed_dim': 32, 'depth': 3, 'num_heads': 2, 'num_classes': 10, 'num_experts': 5, 'k': 2,
        'hidden': 24, 'moe_blocks': (1, 2), 'stem': (8, 12, 12, 12), 'strides': (1, 2, 1, 1), 'residuals': (0, 0, 1, 2)}
IMAGES = 16


def pictures():
    """Waves of random direction and colour, [16,3,32,32] in 0..1."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 32), torch.linspace(0, 1, 32), indexing='ij')
    result = torch.full((IMAGES, 3, 32, 32), 0.5)
    for _ in range(4):
        down, right, phase = (torch.randn(IMAGES, 1, 1, 1) * 12 for _ in range(3))
        result += 0.15 * torch.randn(IMAGES, 3, 1, 1) * torch.sin(down * y + right * x + phase)
    return result.clamp(0, 1)


def make(path, router, half):
    model = network.Classifier(TINY, router)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if 'eta_' in name:
                p.fill_(-0.6)
            elif 'wg' in name:
                p.mul_(2)
            elif p.dim() > 1 and 'token' not in name and 'pos' not in name:
                p.normal_().mul_(1.6 / p.flatten(1).shape[1] ** 0.5)
            else:
                p.add_(torch.randn_like(p) * 0.3)
        images = network.normalise(pictures() * 255)
        for _ in range(30):  # gives the batch norms their mean and variance
            model.train()(images)
        model = network.folded(TINY, router, model.state_dict())
        if half:
            model.half().float()
        logits = model.double()(images.double())
        active = [float((m.mask > 0).sum(dim=1).double().mean()) for m in model.moes()]
        gap = min(float((m.sorted[:, m.k - 1] - m.sorted[:, m.k]).min()) for m in model.moes())
        tensors = {key: value.numpy().astype('float16' if half else 'float32') for key, value in model.state_dict().items()}
    tensors.update({'images': images.numpy(), 'expected.logits': logits.numpy()})
    network.write(path, tensors, network.metadata(model, 'check-' + router))
    again, extra = network.model_of(path)
    with torch.no_grad():
        error = (again.double()(extra['images'].double()) - extra['expected.logits']).abs().max()
    print('%s: %d bytes, active %s, smallest gap %.1e, logits up to %.2f, deviation %.1e, answers %s; read back: error %.1e' % (
        path, os.path.getsize(path), active, gap, logits.abs().max(), logits.std(dim=0).mean(), logits.argmax(dim=1).tolist(), error))


def main():
    torch.set_num_threads(1)
    for name, router, half, seed in (('smooth', 'smooth_top', False, 1), ('cosine', 'cosine_top', True, 2)):
        torch.manual_seed(seed)
        make(os.path.join(sys.argv[1], 'check_%s.safetensors' % name), router, half)


if __name__ == '__main__':
    main()
