"""Tiny checkpoints with the names and shapes of files on the Hub, and what their mixture-of-experts layers compute, written from the
models' definitions in plain Python and double precision: nothing of smoe is in here."""
import json
import math
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden'))
import tensor_file

LAYER, OTHER, DENSE = 1, 10, 0  # the layer under test, another with experts, one without


class Array:
    """Numbers with a shape."""

    def __init__(self, shape, values):
        self.shape, self.values = tuple(shape), values
        assert len(values) == math.prod(shape)

    def part(self, index):
        """The index-th along the first axis."""
        size = math.prod(self.shape[1:])
        return Array(self.shape[1:], self.values[index * size:(index + 1) * size])

    def rows(self):
        return [self.part(index).values for index in range(self.shape[0])]


# ---- arithmetic

def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def times(matrix, x):
    """matrix [n,m] times x [m]."""
    return [dot(row, x) for row in matrix.rows()]


def from_left(x, matrix):
    """x [n] times matrix [n,m]."""
    return [dot(x, column) for column in zip(*matrix.rows())]


def plus(a, b):
    return [x + y for x, y in zip(a, b)]


def sigmoid(z):
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))


def silu(z):
    return z * sigmoid(z)


def gelu(z):
    return 0.5 * z * (1.0 + math.erf(z / math.sqrt(2.0)))


def relu(z):
    return max(z, 0.0)


def softmax(z):
    largest = max(z)
    e = [math.exp(value - largest) for value in z]
    return [value / sum(e) for value in e]


def best(scores, k):
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]


def gap(scores, k):
    """How far the choice of the k best is from another: what must not be small for float32 to agree."""
    ranks = sorted(scores, reverse=True)
    return ranks[k - 1] - ranks[k] if k < len(ranks) else math.inf


def gated(gate, up, down, x):
    return times(down, [silu(a) * b for a, b in zip(times(gate, x), times(up, x))])


def mixed(weights, outputs):
    """weights: {expert: weight}; outputs: expert -> vector."""
    y = None
    for expert, weight in weights.items():
        part = [weight * value for value in outputs(expert)]
        y = part if y is None else plus(y, part)
    return y


# ---- models: each gives the tensors' shapes, config.json, and a function x -> (y, gap)

class Model:
    """One layer's tensors by name. D, H, E, k are odd on purpose: a mixed-up shape cannot pass for the right one."""
    D, H, E, K, S = 12, 10, 6, 2, 7
    model_type = None
    options = ()
    big = ()  # names of tensors whose values are drawn ten times larger

    def prefix(self, layer):
        return 'model.layers.%d.' % layer

    def shapes(self):
        raise NotImplementedError

    def config(self):
        return {'model_type': self.model_type, 'hidden_size': self.D, 'num_hidden_layers': 11, 'num_experts_per_tok': self.K,
                'hidden_act': 'silu'}

    def forward(self, t, x):
        raise NotImplementedError


class Mixtral(Model):
    model_type = 'mixtral'
    router = 'block_sparse_moe.gate.weight'
    expert = 'block_sparse_moe.experts.%d.'
    gate, up, down = 'w1.weight', 'w3.weight', 'w2.weight'
    norm = True

    def shapes(self):
        shapes = {self.router: (self.E, self.D)}
        for e in range(self.E):
            shapes.update({self.expert % e + self.gate: (self.H, self.D), self.expert % e + self.up: (self.H, self.D),
                           self.expert % e + self.down: (self.D, self.H)})
        return shapes

    def config(self):
        return {**super().config(), 'num_local_experts': self.E, 'intermediate_size': self.H}

    def run_expert(self, t, expert, x):
        name = self.expert % expert
        return gated(t[name + self.gate], t[name + self.up], t[name + self.down], x)

    def shared(self, t, x):
        return [0.0] * self.D

    def forward(self, t, x):
        logits = times(t[self.router], x)
        weights = softmax(logits)
        chosen = best(weights, self.K)
        total = sum(weights[e] for e in chosen) if self.norm else 1.0
        y = mixed({e: weights[e] / total for e in chosen}, lambda e: self.run_expert(t, e, x))
        return plus(y, self.shared(t, x)), gap(logits, self.K)


class Qwen3(Mixtral):
    model_type, router, expert = 'qwen3_moe', 'mlp.gate.weight', 'mlp.experts.%d.'
    gate, up, down = 'gate_proj.weight', 'up_proj.weight', 'down_proj.weight'

    def config(self):
        return {**Model.config(self), 'num_experts': self.E, 'moe_intermediate_size': self.H, 'intermediate_size': 99,
                'norm_topk_prob': self.norm}


class Qwen3NoNorm(Qwen3):
    norm = False

    def config(self):
        config = super().config()
        del config['norm_topk_prob']  # false where it is absent
        return config


class Olmoe(Qwen3):
    model_type, norm = 'olmoe', False

    def config(self):
        return {**Model.config(self), 'num_experts': self.E, 'intermediate_size': self.H, 'norm_topk_prob': False, 'clip_qkv': None}


class Qwen2(Qwen3):
    model_type, norm = 'qwen2_moe', False
    shared_name = 'mlp.shared_expert.'

    def shapes(self):
        return {**super().shapes(), self.shared_name + self.gate: (self.S, self.D), self.shared_name + self.up: (self.S, self.D),
                self.shared_name + self.down: (self.D, self.S), 'mlp.shared_expert_gate.weight': (1, self.D)}

    def config(self):
        return {**super().config(), 'shared_expert_intermediate_size': self.S}

    def shared(self, t, x):
        weight = sigmoid(dot(t['mlp.shared_expert_gate.weight'].values, x))
        name = self.shared_name
        return [weight * v for v in gated(t[name + self.gate], t[name + self.up], t[name + self.down], x)]


class DeepseekV3(Qwen3):
    model_type, E, K = 'deepseek_v3', 12, 3
    groups, top_groups, scale, norm = 4, 2, 2.5, True
    S = 2 * Model.H  # two shared experts
    shared_name = 'mlp.shared_experts.'

    def shapes(self):
        return {**super().shapes(), 'mlp.gate.e_score_correction_bias': (self.E,), self.shared_name + self.gate: (self.S, self.D),
                self.shared_name + self.up: (self.S, self.D), self.shared_name + self.down: (self.D, self.S)}

    def config(self):
        return {**Model.config(self), 'n_routed_experts': self.E, 'moe_intermediate_size': self.H, 'n_group': self.groups,
                'topk_group': self.top_groups, 'routed_scaling_factor': self.scale, 'norm_topk_prob': self.norm, 'n_shared_experts': 2,
                'scoring_func': 'sigmoid', 'topk_method': 'noaux_tc', 'quantization_config': None}

    def forward(self, t, x):
        gates = [sigmoid(z) for z in times(t[self.router], x)]
        scores = plus(gates, t['mlp.gate.e_score_correction_bias'].values)
        size = self.E // self.groups
        by_group = [sum(sorted(scores[g * size:(g + 1) * size])[-2:]) for g in range(self.groups)]
        kept = best(by_group, self.top_groups)
        scores = [s if e // size in kept else -math.inf for e, s in enumerate(scores)]
        chosen = best(scores, self.K)
        total = sum(gates[e] for e in chosen) if self.norm else 1.0
        y = mixed({e: self.scale * gates[e] / total for e in chosen}, lambda e: self.run_expert(t, e, x))
        name = self.shared_name
        y = plus(y, gated(t[name + self.gate], t[name + self.up], t[name + self.down], x))
        return y, min(gap(scores, self.K), gap(by_group, self.top_groups))


class Glm4(DeepseekV3):
    model_type, groups, top_groups, scale, norm = 'glm4_moe', 1, 1, 1.0, False

    def config(self):
        config = super().config()
        for key in ('n_group', 'topk_group', 'scoring_func', 'topk_method', 'routed_scaling_factor'):
            del config[key]
        return config


class Granite(Model):
    model_type = 'granitemoe'

    def shapes(self):
        return {'block_sparse_moe.router.layer.weight': (self.E, self.D),
                'block_sparse_moe.input_linear.weight': (self.E, 2 * self.H, self.D),
                'block_sparse_moe.output_linear.weight': (self.E, self.D, self.H)}

    def config(self):
        return {**super().config(), 'num_local_experts': self.E, 'intermediate_size': self.H}

    @staticmethod
    def halves(both, down, x):
        h = times(both, x)
        return times(down, [silu(a) * b for a, b in zip(h[:len(h) // 2], h[len(h) // 2:])])

    def shared(self, t, x):
        return [0.0] * self.D

    def forward(self, t, x):
        logits = times(t['block_sparse_moe.router.layer.weight'], x)
        chosen = best(logits, self.K)
        weights = dict(zip(chosen, softmax([logits[e] for e in chosen])))
        y = mixed(weights, lambda e: self.halves(t['block_sparse_moe.input_linear.weight'].part(e),
                                                 t['block_sparse_moe.output_linear.weight'].part(e), x))
        return plus(y, self.shared(t, x)), gap(logits, self.K)


class GraniteShared(Granite):
    model_type = 'granitemoeshared'

    def shapes(self):
        return {**super().shapes(), 'shared_mlp.input_linear.weight': (2 * self.S, self.D),
                'shared_mlp.output_linear.weight': (self.D, self.S)}

    def config(self):
        return {**super().config(), 'shared_intermediate_size': self.S}

    def shared(self, t, x):
        return self.halves(t['shared_mlp.input_linear.weight'], t['shared_mlp.output_linear.weight'], x)


class GraniteHybrid(GraniteShared):
    model_type = 'granitemoehybrid'


class GptOss(Model):
    model_type = 'gpt_oss'
    big = ('mlp.experts.gate_up_proj', 'mlp.experts.gate_up_proj_bias')  # else nothing reaches the clamps

    def shapes(self):
        return {'mlp.router.weight': (self.E, self.D), 'mlp.router.bias': (self.E,),
                'mlp.experts.gate_up_proj': (self.E, self.D, 2 * self.H), 'mlp.experts.gate_up_proj_bias': (self.E, 2 * self.H),
                'mlp.experts.down_proj': (self.E, self.H, self.D), 'mlp.experts.down_proj_bias': (self.E, self.D)}

    def config(self):
        return {**super().config(), 'num_local_experts': self.E, 'intermediate_size': self.H, 'swiglu_limit': 7.0,
                'experts_per_token': self.K}

    def run_expert(self, t, e, x):
        h = plus(from_left(x, t['mlp.experts.gate_up_proj'].part(e)), t['mlp.experts.gate_up_proj_bias'].part(e).values)
        gate = [min(value, 7.0) for value in h[0::2]]
        up = [max(-7.0, min(value, 7.0)) for value in h[1::2]]
        inner = [(u + 1.0) * g * sigmoid(1.702 * g) for g, u in zip(gate, up)]
        return plus(from_left(inner, t['mlp.experts.down_proj'].part(e)), t['mlp.experts.down_proj_bias'].part(e).values)

    def forward(self, t, x):
        logits = plus(times(t['mlp.router.weight'], x), t['mlp.router.bias'].values)
        chosen = best(logits, self.K)
        weights = dict(zip(chosen, softmax([logits[e] for e in chosen])))
        return mixed(weights, lambda e: self.run_expert(t, e, x)), gap(logits, self.K)


class Tutel(Model):
    model_type = 'tutel'
    act = staticmethod(gelu)
    activation = 'gelu'

    @property
    def options(self):
        return ('--k', str(self.K), '--activation', self.activation)

    def prefix(self, layer):
        return 'blocks.%d.mlp.' % layer

    def config(self):
        return None

    def gate_shapes(self):
        return {'gates.0.wg.weight': (self.E, self.D)}

    def shapes(self):
        return {**self.gate_shapes(), 'experts.batched_fc1_w': (self.E, self.H, self.D), 'experts.batched_fc2_w': (self.E, self.H, self.D),
                'experts.batched_fc1_bias': (self.E, self.H), 'experts.batched_fc2_bias': (self.E, self.D)}

    def logits(self, t, x):
        return times(t['gates.0.wg.weight'], x)

    def run_expert(self, t, e, x):
        h = plus(times(t['experts.batched_fc1_w'].part(e), x), t['experts.batched_fc1_bias'].part(e).values)
        return plus(from_left([self.act(v) for v in h], t['experts.batched_fc2_w'].part(e)), t['experts.batched_fc2_bias'].part(e).values)

    def forward(self, t, x):
        logits = self.logits(t, x)
        weights = softmax(logits)
        chosen = best(weights, self.K)
        total = sum(weights[e] for e in chosen) if self.K > 1 else 1.0  # Tutel: extract_critical
        return mixed({e: weights[e] / total for e in chosen}, lambda e: self.run_expert(t, e, x)), gap(logits, self.K)


class TutelTop1(Tutel):
    K, activation = 1, 'relu'
    act = staticmethod(relu)


class TutelCosine(Tutel):
    P = 5
    big = ('gates.0.temperature',)

    def gate_shapes(self):
        return {'gates.0.cosine_projector.weight': (self.P, self.D), 'gates.0.cosine_projector.bias': (self.P,),
                'gates.0.sim_matrix': (self.P, self.E), 'gates.0.temperature': (1,)}

    def logits(self, t, x):
        v = plus(times(t['gates.0.cosine_projector.weight'], x), t['gates.0.cosine_projector.bias'].values)
        scale = math.exp(min(t['gates.0.temperature'].values[0], math.log(100.0)))
        columns = list(zip(*t['gates.0.sim_matrix'].rows()))
        return [scale * dot(v, s) / (math.sqrt(dot(v, v)) * math.sqrt(dot(s, s))) for s in columns]


class TutelSmooth(Tutel):
    K = 1

    def gate_shapes(self):
        return {'gates.0.wg.weight': (self.E, self.D), 'gates.0.eta_parameterized': ()}

    def forward(self, t, x):
        logits = self.logits(t, x)
        eps = math.log1p(math.exp(t['gates.0.eta_parameterized'].values[0]))
        kth = sorted(logits, reverse=True)[self.K - 1]
        masked = {}
        near = math.inf
        for e, z in enumerate(logits):
            u = (z - kth + eps) / eps
            near = min(near, abs(u))
            if u >= 1.0:
                masked[e] = z
            elif u > 0.0:  # log m added to the logit: arXiv 2606.19036's released code, a = 1, b = 50
                masked[e] = z + math.log(u) - math.log(u + (1.0 - u) ** 50)
        largest = max(masked.values())
        raw = {e: math.exp(z - largest) for e, z in masked.items()}
        total = sum(raw.values())
        return mixed({e: value / total for e, value in raw.items()}, lambda e: self.run_expert(t, e, x)), min(near, gap(logits, self.K))


def every_model(base=Model):
    """The classes of models, those that others derive from first."""
    for kind in base.__subclasses__():
        yield kind
        yield from every_model(kind)


# ---- files

def draw(model, layer, dtype):
    """{name: Array} of one layer, of values that the type holds exactly."""
    rng = random.Random('%s %d' % (type(model).__name__, layer))
    tensors = {}
    for name, shape in model.shapes().items():
        scale = (10.0 if name in model.big else 1.0) / math.sqrt(shape[-1] if len(shape) > 1 else 4.0)
        values = [rng.gauss(0.0, scale) for _ in range(math.prod(shape))]
        tensors[name] = Array(shape, tensor_file.rounded(dtype, values))
    return tensors


def inputs_of_all(layers, tokens=9):
    """x, rows of float32 where no choice of any of the layers, (model, tensors), is near another; and each layer's y."""
    rng = random.Random(type(layers[0][0]).__name__)
    x, y = [], [[] for _ in layers]
    for _ in range(1000):
        row = tensor_file.rounded('F32', [rng.gauss(0.0, 1.0) for _ in range(Model.D)])
        outcomes = [model.forward(tensors, row) for model, tensors in layers]
        if min(distance for _, distance in outcomes) > 1e-3:
            x.append(row)
            for rows, (out, _) in zip(y, outcomes):
                rows.append(out)
        if len(x) == tokens:
            return x, y
    raise AssertionError('no inputs away from ties')


def inputs(model, tensors):
    """The same for one layer."""
    x, (y,) = inputs_of_all([(model, tensors)])
    return x, y


def all_tensors(model, dtype):
    """The whole checkpoint: the layer, another, and what a model has besides."""
    layers = {layer: draw(model, layer, dtype) for layer in (LAYER, OTHER)}
    tensors = {'model.embed_tokens.weight': Array((3, model.D), [0.5] * 3 * model.D)}
    for layer, named in layers.items():
        tensors.update({model.prefix(layer) + name: array for name, array in named.items()})
        tensors[model.prefix(layer) + 'self_attn.q_proj.weight'] = Array((2, model.D), [1.0] * 2 * model.D)
    dense = model.prefix(DENSE)
    tensors[dense + 'mlp.gate_proj.weight'] = Array((3, model.D), [2.0] * 3 * model.D)
    return layers[LAYER], {name: tensor_file.tensor(dtype, array.shape, array.values) for name, array in tensors.items()}


def write_folder(folder, tensors, config, shards=1):
    """config.json and model.safetensors, or shards with their index, the tensors dealt out in turn."""
    os.makedirs(folder, exist_ok=True)
    if config is not None:
        with open(os.path.join(folder, 'config.json'), 'w', encoding='utf-8') as file:
            json.dump(config, file, indent=2)
    if shards == 1:
        tensor_file.write(os.path.join(folder, 'model.safetensors'), tensors, {'format': 'pt'})
        return
    names = ['model-%05d-of-%05d.safetensors' % (shard + 1, shards) for shard in range(shards)]
    where = {name: names[index % shards] for index, name in enumerate(sorted(tensors))}
    for shard in names:
        tensor_file.write(os.path.join(folder, shard), {name: tensors[name] for name in tensors if where[name] == shard}, {'format': 'pt'})
    write_index(folder, where)


def write_index(folder, where):
    with open(os.path.join(folder, 'model.safetensors.index.json'), 'w', encoding='utf-8') as file:
        json.dump({'metadata': {'total_size': 1}, 'weight_map': where}, file, indent=2)
