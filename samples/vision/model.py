"""The classifier's network in PyTorch, and its file (README.md has the format).

A residual convolutional stem (3x3, batch norm, GELU) from 32x32 to 8x8, one token for each of the 64 places and a class token,
transformer blocks of which `moe_blocks` hold a mixture of experts, a head on the class token. The routing is smoe's own: softmax over
the k best logits; with the router smooth_top also those in a band of width eps below the k-th best, under the mask u^a / (u^a + (1-u)^b).

Every expert is computed for every token and weighed, by 0 where it does not run: the same function as running the chosen ones only,
and quicker in PyTorch at this size.
"""
import json
import math
import struct

import numpy
import torch
import torch.nn.functional as F

CLASSES = 'airplane automobile bird cat deer dog frog horse ship truck'.split()
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
FULL = {'image_size': 32, 'patch_size': 1, 'embed_dim': 128, 'depth': 4, 'num_heads': 4, 'num_classes': 10, 'num_experts': 6, 'k': 2,
        'hidden': 96, 'moe_blocks': (1, 3), 'stem': (32, 64, 64, 64, 128, 128, 128), 'strides': (1, 2, 1, 1, 2, 1, 1),
        'residuals': (0, 0, 0, 2, 0, 0, 2)}
SMALL = {**FULL, 'embed_dim': 64, 'num_heads': 2, 'hidden': 48, 'stem': (16, 32, 32, 32, 64, 64, 64)}
MASK_A, MASK_B = 1.0, 50.0
HELD_OUT, HELD_OUT_SEED = 500, 0  # pictures of each class of train/ that only calibrate.py sees
FIT = 'squash'  # how smoe-classify makes a square of a photograph: TRAINING.md has what each way is worth; CIFAR's are squares
ETA = -1.5  # eps begins at 0.2


# ---- the network; its names are the file's

def route(z, k, eps):
    """Weights and mask [T,E] of the logits z: softmax of the k best and the band (arXiv 2606.19036), renormalised. eps None: hard."""
    s, order = torch.sort(z, dim=1, descending=True, stable=True)
    best = torch.zeros_like(z).scatter(1, order[:, :k], 1.0) > 0
    if eps is None:
        mask = best.to(z.dtype)
    else:
        u = ((z - s[:, k - 1:k] + eps) / eps.clamp_min(1e-12)).clamp(0, 1)  # the floor: where eps is 0, `best` decides alone
        u = torch.where(best | (u <= 0), torch.full_like(u, 0.5), u)  # keeps 0^a and 1^b out of the gradient
        mask = u ** MASK_A / (u ** MASK_A + (1 - u) ** MASK_B)
        mask = torch.where(best, torch.ones_like(z), torch.where(z > s[:, k - 1:k] - eps, mask, torch.zeros_like(z)))
    raw = torch.exp(z - s[:, :1]) * mask
    return raw / raw.sum(dim=1, keepdim=True), mask, s


class Gate(torch.nn.Module):
    def __init__(self, width, experts, router):
        super().__init__()
        if router == 'cosine_top':
            self.cosine_projector = torch.nn.Linear(width, width)
            self.sim_matrix = torch.nn.Parameter(torch.randn(width, experts) / math.sqrt(width))
            self.temperature = torch.nn.Parameter(torch.full((1,), math.log(10.0)))
        else:
            self.wg = torch.nn.Linear(width, experts, bias=False)
            torch.nn.init.normal_(self.wg.weight, std=1 / math.sqrt(width))
        if router == 'smooth_top':
            self.eta_parameterized = torch.nn.Parameter(torch.tensor([ETA]))

    def eps(self):
        return F.softplus(self.eta_parameterized) if hasattr(self, 'eta_parameterized') else None

    def forward(self, x):
        if hasattr(self, 'wg'):
            return self.wg(x)
        v = F.normalize(self.cosine_projector(x), dim=1, eps=1e-12)
        return v @ F.normalize(self.sim_matrix, dim=0, eps=1e-12) * self.temperature.clamp(max=math.log(100)).exp()


class Experts(torch.nn.Module):
    def __init__(self, width, hidden, count):
        super().__init__()
        parameter = torch.nn.Parameter
        self.batched_fc1_w = parameter(torch.randn(count, hidden, width) / math.sqrt(width))
        self.batched_fc1_bias = parameter(torch.zeros(count, hidden))
        self.batched_fc2_w = parameter(torch.randn(count, hidden, width) / math.sqrt(hidden))
        self.batched_fc2_bias = parameter(torch.zeros(count, width))

    def forward(self, x, weights):
        hidden = F.gelu(F.linear(x, self.batched_fc1_w.flatten(0, 1), self.batched_fc1_bias.flatten()))
        hidden = (hidden.unflatten(1, self.batched_fc1_bias.shape) * weights.to(hidden.dtype)[..., None]).flatten(1)
        return F.linear(hidden, self.batched_fc2_w.flatten(0, 1).t()) + (weights @ self.batched_fc2_bias).to(hidden.dtype)


def gate_type(gate):
    return next(gate.parameters()).dtype


class MoE(torch.nn.Module):
    def __init__(self, c, router):
        super().__init__()
        self.gates = torch.nn.ModuleList([Gate(c['embed_dim'], c['num_experts'], router)])
        self.experts = Experts(c['embed_dim'], c['hidden'], c['num_experts'])
        self.k, self.force_hard = c['k'], False

    def forward(self, x):
        tokens, gate = x.flatten(0, 1), self.gates[0]
        with torch.autocast('cpu', enabled=False):  # the router runs in float32 whatever the weights' type
            self.z = gate(tokens.to(gate_type(gate)))
            weights, self.mask, self.sorted = route(self.z, self.k, None if self.force_hard else gate.eps())
        return self.experts(tokens, weights).view_as(x)


class Mlp(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Attention(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.proj, self.heads = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width), heads

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q / math.sqrt(q.shape[3]) @ k.transpose(2, 3)).softmax(dim=3)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class Block(torch.nn.Module):
    def __init__(self, c, moe, router):
        super().__init__()
        self.norm1 = torch.nn.LayerNorm(c['embed_dim'], eps=1e-6)
        self.attn = Attention(c['embed_dim'], c['num_heads'])
        self.norm2 = torch.nn.LayerNorm(c['embed_dim'], eps=1e-6)
        self.mlp = MoE(c, router) if moe else Mlp(c['embed_dim'])

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        widths = (3,) + c['stem']
        self.residuals = c['residuals']
        self.stem = torch.nn.ModuleList(torch.nn.Conv2d(i, o, 3, stride, 1) for i, o, stride in zip(widths, widths[1:], c['strides']))
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(o) for o in c['stem'])  # folded into the stem by `folded`
        self.proj = torch.nn.Conv2d(widths[-1], c['embed_dim'], c['patch_size'], c['patch_size'])

    def forward(self, x):
        inputs = []
        for conv, norm, residual in zip(self.stem, self.norms, self.residuals):
            inputs.append(x)
            x = F.gelu(norm(conv(x)))
            if residual:
                x = x + inputs[-residual]
        return self.proj(x).flatten(2).transpose(1, 2)


class Classifier(torch.nn.Module):
    def __init__(self, c, router):
        super().__init__()
        width, side = c['embed_dim'], c['image_size'] // math.prod(c['strides']) // c['patch_size']
        self.patch_embed = PatchEmbed(c)
        self.cls_token = torch.nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = torch.nn.Parameter(torch.randn(1, 1 + side * side, width) * 0.02)
        self.blocks = torch.nn.ModuleList(Block(c, i in c['moe_blocks'], router) for i in range(c['depth']))
        self.norm, self.head = torch.nn.LayerNorm(width, eps=1e-6), torch.nn.Linear(width, c['num_classes'])
        self.config, self.router = c, router

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.to(x.dtype).expand(len(x), 1, -1), x], dim=1) + self.pos_embed.to(x.dtype)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])

    def moes(self):
        return [block.mlp for block in self.blocks if isinstance(block.mlp, MoE)]


def normalise(images):
    return (images.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


# ---- the file

def folded(c, router, state):
    """The same function with every batch norm folded into its convolution, ready to be saved."""
    model = Classifier(c, router).eval()
    model.load_state_dict(state)
    with torch.no_grad():
        for conv, norm in zip(model.patch_embed.stem, model.patch_embed.norms):
            factor = norm.weight / (norm.running_var + norm.eps).sqrt()
            conv.weight.mul_(factor[:, None, None, None])
            conv.bias.copy_((conv.bias - norm.running_mean) * factor + norm.bias)
    model.patch_embed.norms = torch.nn.ModuleList(torch.nn.Identity() for _ in model.patch_embed.stem)
    return model


def metadata(model, name):
    c = model.config
    result = {key: c[key] for key in ('image_size', 'patch_size', 'embed_dim', 'depth', 'num_heads', 'num_classes', 'num_experts', 'k')}
    result.update(name=name, router=model.router, mean=','.join(map(str, MEAN)), std=','.join(map(str, STD)), crop_pct='1.0',
                  interpolation='bicubic', fit=FIT, classes=','.join(CLASSES[:c['num_classes']]),
                  stem_strides=','.join(map(str, c['strides'])), stem_residuals=','.join(map(str, c['residuals'])))
    if model.router == 'smooth_top':
        result.update(a=MASK_A, b=MASK_B)
    return {key: str(value) for key, value in result.items()}


def write(path, tensors, text):
    """A safetensors file whose bytes depend only on its content; the wide types first, so that each tensor is aligned."""
    types = {'float16': 'F16', 'float32': 'F32', 'float64': 'F64'}
    header, data = {'__metadata__': text}, b''
    for key, value in sorted(tensors.items(), key=lambda item: -item[1].itemsize):
        begin = len(data)
        data += numpy.ascontiguousarray(value).tobytes()
        header[key] = {'dtype': types[str(value.dtype)], 'shape': list(value.shape), 'data_offsets': [begin, len(data)]}
    header = json.dumps(header, separators=(',', ':')).encode()
    header += b' ' * (-len(header) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(header)) + header + data)


def export(path, model, name):
    write(path, {key: value.numpy().astype('float16') for key, value in model.state_dict().items()}, metadata(model, name))


def read(path):
    with open(path, 'rb') as file:
        content = file.read()
    begin = 8 + struct.unpack('<Q', content[:8])[0]
    header = json.loads(content[8:begin])
    text, types = header.pop('__metadata__'), {'F16': 'float16', 'F32': 'float32', 'F64': 'float64'}
    return {key: torch.from_numpy(numpy.frombuffer(content, types[one['dtype']], math.prod(one['shape']), begin + one['data_offsets'][0])
                                  .reshape(one['shape']).copy()) for key, one in header.items()}, text


def model_of(path):
    """The network of a model file, without batch norms; and the tensors that are not its own (images, expected.logits)."""
    tensors, text = read(path)
    numbers = {key: tuple(int(v) for v in text[key].split(',')) if text.get(key) else () for key in ('stem_strides', 'stem_residuals')}
    config = {key: int(text[key]) for key in ('image_size', 'patch_size', 'embed_dim', 'depth', 'num_heads', 'num_classes', 'num_experts')}
    moe_blocks = tuple(i for i in range(config['depth']) if 'blocks.%d.mlp.experts.batched_fc1_w' % i in tensors)
    config.update(k=int(text.get('k', 1)), moe_blocks=moe_blocks, strides=numbers['stem_strides'], residuals=numbers['stem_residuals'],
                  hidden=tensors['blocks.%d.mlp.experts.batched_fc1_w' % moe_blocks[0]].shape[1],
                  stem=tuple(len(tensors['patch_embed.stem.%d.bias' % i]) for i in range(len(numbers['stem_strides']))))
    model = Classifier(config, text['router']).eval()
    model.patch_embed.norms = torch.nn.ModuleList(torch.nn.Identity() for _ in config['stem'])
    extra = {key: tensors.pop(key) for key in ('images', 'expected.logits') if key in tensors}
    model.load_state_dict({key: value.float() for key, value in tensors.items()})
    return model.requires_grad_(False), extra
