#!/usr/bin/env python3
"""GMoE-S/16 with random weights (224x224, 6 experts in blocks 8 and 10, cosine router, k = 1), for README.md's figures:
    python speed.py FILE            writes it, with one image and the float64 logits for smoe-classify --check
    python speed.py FILE REPEATS    times PyTorch on it: float32, each expert only on its own tokens, OMP_NUM_THREADS threads
"""
import math
import sys
import time

import torch
import torch.nn.functional as F

import model as network

CONFIG = {'image_size': 224, 'patch_size': 16, 'embed_dim': 384, 'depth': 12, 'num_heads': 6, 'num_classes': 1000, 'num_experts': 6,
          'k': 1, 'hidden': 1536, 'moe_blocks': (8, 10), 'stem': (), 'strides': (), 'residuals': ()}
PROJECTED = 256  # the cosine router's width


class MoE(network.MoE):
    """k = 1: the best expert, times its softmax over all."""

    def forward(self, x):
        tokens, experts = x.flatten(0, 1), self.experts
        weights, chosen = self.gates[0](tokens).softmax(dim=1).max(dim=1)
        result = torch.empty_like(tokens)
        for e in chosen.unique().tolist():
            rows = (chosen == e).nonzero()[:, 0]
            hidden = F.gelu(F.linear(tokens[rows], experts.batched_fc1_w[e], experts.batched_fc1_bias[e]))
            result[rows] = F.linear(hidden, self.down[e], experts.batched_fc2_bias[e]) * weights[rows, None]
        return result.view_as(x)

    def prepare(self):
        self.down = self.experts.batched_fc2_w.transpose(1, 2).contiguous()  # once, as a deployment would


class Attention(network.Attention):
    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def classifier():
    network.MoE, network.Attention = MoE, Attention
    model = network.Classifier(CONFIG, 'cosine_top').eval().requires_grad_(False)
    for moe in model.moes():
        gate = moe.gates[0]
        gate.cosine_projector = torch.nn.Linear(CONFIG['embed_dim'], PROJECTED)
        gate.sim_matrix = torch.nn.Parameter(torch.randn(PROJECTED, CONFIG['num_experts']))
    return model.requires_grad_(False)


def prepared(model):
    for moe in model.moes():
        moe.prepare()
    return model


def write(path):
    torch.manual_seed(7)
    model = classifier()
    for name, p in model.named_parameters():
        if name.endswith('temperature'):
            continue
        if 'norm' in name:
            p.copy_(torch.randn_like(p) * 0.1 + (1 if name.endswith('weight') else 0))
        elif p.dim() > 1 and not name.endswith('bias') and 'token' not in name and 'pos' not in name and 'sim' not in name:
            inputs = p.shape[1] if 'fc2_w' in name else math.prod(p.shape[2 if 'batched' in name else 1:])
            p.copy_(torch.randn_like(p) / math.sqrt(inputs))
        else:
            p.copy_(torch.randn_like(p) * (0.2 if 'pos' in name else 0.1 if name.endswith('bias') else 1))
    tensors = {name: p.numpy().copy() for name, p in model.state_dict().items()}
    image = torch.randn(1, 3, 224, 224)
    logits = prepared(model.double())(image.double())
    tensors.update({'images': image.numpy(), 'expected.logits': logits.numpy()})
    text = network.metadata(model, 'speed')
    del text['classes'], text['stem_strides'], text['stem_residuals']
    network.write(path, tensors, text)
    print('%d parameters' % sum(p.numel() for p in model.parameters()))


def measure(path, repeats):
    tensors, _ = network.read(path)
    images, expected = tensors.pop('images'), tensors.pop('expected.logits')
    model = classifier()
    model.load_state_dict(tensors)
    prepared(model)
    error = (model(images).double() - expected).abs().max() / expected.abs().max()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        model(images)
        times.append(1e3 * (time.perf_counter() - begin))
    print('PyTorch %s, %d threads: best %.1f ms of %d; error %.1e of the largest |logit|' % (
        torch.__version__, torch.get_num_threads(), min(times), repeats, error))


if __name__ == '__main__':
    with torch.no_grad():
        measure(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 2 else write(sys.argv[1])
