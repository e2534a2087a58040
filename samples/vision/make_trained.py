#!/usr/bin/env python3
"""Writes the file named (tests/vision/trained.safetensors): four made pictures, and what PyTorch makes of them in float64 with the
weights of model.safetensors and of model-hard.safetensors. tests/vision/test_check.py puts them beside the models for --check."""
import os
import sys

import torch

import model as network

FOLDER = os.path.dirname(os.path.abspath(__file__))
IMAGES = 4
GAP = 1e-4  # between the k-th and the next expert, of every token: float32 cannot choose another


def picture(random):
    """Waves, a plain disc and a slope, [3,32,32] in 0..1."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing='ij')
    down, right, phase, row, column, radius = torch.rand(6, generator=random).tolist()
    colours = torch.rand(3, 3, 1, 1, generator=random)
    result = colours[0] * (0.6 + 0.3 * y) + 0.15 * torch.sin(9 * (down * y + right * x + phase))
    inside = (y - row + 0.5) ** 2 + (x - column + 0.5) ** 2 < (0.3 + 0.5 * radius) ** 2
    return torch.where(inside, colours[1], result).clamp(0, 1)


def main():
    torch.set_num_threads(1)
    models = {name: network.model_of(os.path.join(FOLDER, name + '.safetensors'))[0].double() for name in ('model', 'model-hard')}
    random, chosen, tried = torch.Generator().manual_seed(1), [], 0
    while len(chosen) < IMAGES:
        image = network.normalise(picture(random)[None] * 255).half()
        for model in models.values():
            model(image.double())
        gaps = [float((m.sorted[:, m.k - 1] - m.sorted[:, m.k]).min()) for m in models['model-hard'].moes()]
        tried += 1
        if min(gaps) > GAP:
            chosen.append(image)
    images = torch.cat(chosen)
    tensors = {'images': images.numpy()}
    for name, model in models.items():
        tensors['logits.' + name] = model(images.double()).numpy()
        print('%s: active %s, answers %s' % (name, [float((m.mask > 0).sum(dim=1).double().mean()) for m in model.moes()],
                                             [network.CLASSES[i] for i in tensors['logits.' + name].argmax(axis=1)]))
    network.write(sys.argv[1], tensors, {})
    print('%d bytes, %d of %d pictures' % (os.path.getsize(sys.argv[1]), IMAGES, tried))


if __name__ == '__main__':
    main()
