"""Small vision transformers with random weights, and what they compute, in double and in plain loops."""
import math
import random
import struct

from tensor_file import Tensor


def size_of(shape):
    return math.prod(shape)


class Maker:
    """Tensors of one model, in the order in which they are made. bits: significant bits of each number; then float16 holds it too."""

    def __init__(self, seed, bits=None):
        self.random, self.bits, self.tensors = random.Random(seed), bits, {}

    def add(self, name, shape, scale, middle=0.0):
        values = [middle + scale * self.random.gauss(0, 1) for _ in range(size_of(shape))]
        if self.bits:
            values = [0.0 if abs(value) < 2 ** -14 else math.ldexp(round(math.ldexp(m, self.bits)), e - self.bits)
                      for value, (m, e) in zip(values, map(math.frexp, values))]
        self.tensors[name] = Tensor('F32', list(shape), [f32(value) for value in values])

    def linear(self, name, rows, columns, bias=True):
        self.add(name + '.weight', (rows, columns), 1 / math.sqrt(columns))
        if bias:
            self.add(name + '.bias', (rows,), 0.1)

    def norm(self, name, width):
        self.add(name + '.weight', (width,), 0.1, 1.0)
        self.add(name + '.bias', (width,), 0.1)


def f32(value):
    return struct.unpack('<f', struct.pack('<f', value))[0]


def make(seed, image_size=8, patch=2, width=8, heads=2, depth=2, hidden=12, classes=3, images=2, stem=(), experts=None, router='top', k=1,
         expert_count=5, bias=True, bits=None):
    """stem: (channels, stride, residual) per layer; experts: blocks that have some. (tensors, metadata), without expected.logits."""
    maker, experts = Maker(seed, bits), experts or []
    channels, side = 3, image_size
    for i, (out, stride, _) in enumerate(stem):
        maker.add('patch_embed.stem.%d.weight' % i, (out, channels, 3, 3), 1.4 / math.sqrt(9 * channels))
        maker.add('patch_embed.stem.%d.bias' % i, (out,), 0.1)
        channels, side = out, (side - 1) // stride + 1
    maker.add('patch_embed.proj.weight', (width, channels, patch, patch), 1 / math.sqrt(channels * patch * patch))
    maker.add('patch_embed.proj.bias', (width,), 0.1)
    maker.add('cls_token', (1, 1, width), 1)
    maker.add('pos_embed', (1, (side // patch) ** 2 + 1, width), 0.3)
    for i in range(depth):
        block = 'blocks.%d.' % i
        maker.norm(block + 'norm1', width)
        maker.linear(block + 'attn.qkv', 3 * width, width, bias)
        maker.linear(block + 'attn.proj', width, width)
        maker.norm(block + 'norm2', width)
        if i in experts:
            add_experts(maker, block + 'mlp.', router, expert_count, width, hidden)
        else:
            maker.linear(block + 'mlp.fc1', hidden, width)
            maker.linear(block + 'mlp.fc2', width, hidden)
    maker.norm('norm', width)
    maker.linear('head', classes, width)
    maker.add('images', (images, 3, image_size, image_size), 1)
    metadata = {'image_size': str(image_size), 'num_heads': str(heads), 'k': str(k)}
    if experts:
        metadata['router'] = router
    if stem:
        metadata['stem_strides'] = ','.join(str(stride) for _, stride, _ in stem)
        metadata['stem_residuals'] = ','.join(str(residual) for _, _, residual in stem)
    return maker.tensors, metadata


def add_experts(maker, mlp, router, count, width, hidden):
    if router == 'cosine_top':
        maker.linear(mlp + 'gates.0.cosine_projector', 6, width)
        maker.add(mlp + 'gates.0.sim_matrix', (6, count), 1)
        maker.add(mlp + 'gates.0.temperature', (1,), 0.1, math.log(8))
    else:
        maker.add(mlp + 'gates.0.wg.weight', (count, width), 1 / math.sqrt(width))
    if router == 'smooth_top':
        maker.add(mlp + 'gates.0.eta_parameterized', (1,), 0.1, -0.5)
    maker.add(mlp + 'experts.batched_fc1_w', (count, hidden, width), 1 / math.sqrt(width))
    maker.add(mlp + 'experts.batched_fc1_bias', (count, hidden), 0.1)
    maker.add(mlp + 'experts.batched_fc2_w', (count, hidden, width), 1 / math.sqrt(hidden))
    maker.add(mlp + 'experts.batched_fc2_bias', (count, width), 0.1)


# ---- what a model computes


def gelu(x):
    return x / 2 * (1 + math.erf(x / math.sqrt(2)))


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def softmax(z):
    exponentials = [math.exp(value - max(z)) for value in z]
    return [value / sum(exponentials) for value in exponentials]


class Reference:
    def __init__(self, tensors, metadata):
        self.tensors, self.metadata = tensors, metadata

    def values(self, name):
        return self.tensors[name].values

    def linear(self, name, x):
        bias = self.tensors.get(name + '.bias')
        return [dot(row, x) + (bias.values[i] if bias else 0) for i, row in enumerate(self.tensors[name + '.weight'].rows())]

    def norm(self, name, x):
        mean = sum(x) / len(x)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in x) / len(x) + 1e-6)
        return [(value - mean) / deviation * w + b for value, w, b in zip(x, self.values(name + '.weight'), self.values(name + '.bias'))]

    def convolve(self, name, planes, stride, padding):
        """planes[channel][y][x] -> the same."""
        _, _, size, _ = self.tensors[name + '.weight'].shape
        side = len(planes[0])
        out_side = (side + 2 * padding - size) // stride + 1

        def window(top, left):
            return [plane[y][x] if 0 <= y < side and 0 <= x < side else 0.0
                    for plane in planes for y in range(top, top + size) for x in range(left, left + size)]
        places = [place * stride - padding for place in range(out_side)]
        columns = [[self.linear(name, window(top, left)) for left in places] for top in places]
        return [[[columns[y][x][c] for x in range(out_side)] for y in range(out_side)] for c in range(len(columns[0][0]))]

    def embed(self, planes):
        strides = [int(text) for text in self.metadata.get('stem_strides', '').split(',') if text]
        residuals = [int(text) for text in self.metadata.get('stem_residuals', '').split(',') if text]
        inputs = []
        for i, stride in enumerate(strides):
            inputs.append(planes)
            planes = self.convolve('patch_embed.stem.%d' % i, planes, stride, 1)
            planes = [[[gelu(value) for value in row] for row in plane] for plane in planes]
            if residuals[i]:
                other = inputs[i + 1 - residuals[i]]
                planes = [[[a + b for a, b in zip(*rows)] for rows in zip(*both)] for both in zip(planes, other)]
        planes = self.convolve('patch_embed.proj', planes, self.tensors['patch_embed.proj.weight'].shape[3], 0)
        side = len(planes[0])
        tokens = [self.values('cls_token')] + [[plane[y][x] for plane in planes] for y in range(side) for x in range(side)]
        positions = Tensor('F32', [len(tokens)], self.values('pos_embed')).rows()
        return [[a + b for a, b in zip(*pair)] for pair in zip(tokens, positions)]

    def attend(self, name, tokens):
        heads, width = int(self.metadata['num_heads']), len(tokens[0])
        size = width // heads
        qkv = [self.linear(name + 'qkv', token) for token in tokens]
        mixed = [[] for _ in tokens]
        for head in range(heads):
            q, k, v = ([row[part * width + head * size:part * width + (head + 1) * size] for row in qkv] for part in range(3))
            for token, query in enumerate(q):
                weights = softmax([dot(query, key) / math.sqrt(size) for key in k])
                mixed[token] += [sum(w * value[i] for w, value in zip(weights, v)) for i in range(size)]
        return [self.linear(name + 'proj', token) for token in mixed]

    def scores(self, gate, x):
        if gate + 'sim_matrix' not in self.tensors:
            return self.linear(gate + 'wg', x)
        v, columns = self.linear(gate + 'cosine_projector', x), list(zip(*self.tensors[gate + 'sim_matrix'].rows()))
        scale = math.exp(min(self.values(gate + 'temperature')[0], math.log(100)))
        return [scale * dot(v, column) / math.sqrt(dot(v, v) * dot(column, column)) for column in columns]

    def route(self, gate, x, k):
        """{expert: weight}"""
        z = self.scores(gate, x)
        ranked = sorted(range(len(z)), key=lambda e: (-z[e], e))
        mask = {e: 1.0 for e in ranked[:k]}
        smooth = gate + 'eta_parameterized' in self.tensors
        if smooth:
            eps = math.log1p(math.exp(self.values(gate + 'eta_parameterized')[0]))
            a, b = float(self.metadata.get('a', 1)), float(self.metadata.get('b', 50))
            for e in ranked[k:]:
                u = (z[e] - z[ranked[k - 1]] + eps) / eps
                if u > 0:
                    mask[e] = u ** a / (u ** a + (1 - u) ** b)
        raw = {e: softmax(z)[e] * m for e, m in mask.items()}
        return {e: value / sum(raw.values()) for e, value in raw.items()} if k > 1 or smooth else raw

    def mix_experts(self, mlp, x):
        def cut(name):
            return self.tensors[mlp + 'experts.batched_' + name].rows()
        y = [0.0] * len(x)
        w1, b1, w2, b2 = (cut(name) for name in ('fc1_w', 'fc1_bias', 'fc2_w', 'fc2_bias'))
        for e, weight in self.route(mlp + 'gates.0.', x, int(self.metadata['k'])).items():
            hidden = [gelu(dot(w1[e][h * len(x):(h + 1) * len(x)], x) + b1[e][h]) for h in range(len(b1[e]))]
            for d in range(len(x)):
                y[d] += weight * (sum(hidden[h] * w2[e][h * len(x) + d] for h in range(len(hidden))) + b2[e][d])
        return y

    def classify(self, image):
        side = int(self.metadata['image_size'])
        tokens = self.embed([[image[(c * side + y) * side:(c * side + y + 1) * side] for y in range(side)] for c in range(3)])
        block = 0
        while 'blocks.%d.norm1.weight' % block in self.tensors:
            name = 'blocks.%d.' % block
            mixed = self.attend(name + 'attn.', [self.norm(name + 'norm1', token) for token in tokens])
            tokens = [[a + b for a, b in zip(*pair)] for pair in zip(tokens, mixed)]
            for t, token in enumerate(tokens):
                x = self.norm(name + 'norm2', token)
                y = (self.linear(name + 'mlp.fc2', [gelu(value) for value in self.linear(name + 'mlp.fc1', x)])
                     if name + 'mlp.fc1.weight' in self.tensors else self.mix_experts(name + 'mlp.', x))
                tokens[t] = [a + b for a, b in zip(token, y)]
            block += 1
        return self.linear('head', self.norm('norm', tokens[0]))


def add_expected(tensors, metadata):
    logits = [Reference(tensors, metadata).classify(image) for image in tensors['images'].rows()]
    tensors['expected.logits'] = Tensor('F64', [len(logits), len(logits[0])], sum(logits, []))
    return tensors, metadata
