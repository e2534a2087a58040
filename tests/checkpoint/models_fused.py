"""More of models.py: layers whose experts lie in fused tensors, with the scores, groups and limits that such models have."""
import math

from models import (Array, Granite, Mixtral, Model, Qwen3, best, every_model, from_left, gap, mixed, plus, relu, sigmoid, silu, softmax,
                    times)


class Fused(Qwen3):
    """What transformers 5 makes of the experts: w1 above w3, all experts in one."""

    def shapes(self):
        return {self.router: (self.E, self.D), 'mlp.experts.gate_up_proj': (self.E, 2 * self.H, self.D),
                'mlp.experts.down_proj': (self.E, self.D, self.H)}

    def act(self, gate, up):
        return [silu(a) * b for a, b in zip(gate, up)]

    def run_expert(self, t, expert, x):
        h = times(t['mlp.experts.gate_up_proj'].part(expert), x)
        return times(t['mlp.experts.down_proj'].part(expert), self.act(h[:self.H], h[self.H:]))


class FusedMixtral(Fused):
    model_type, norm = 'mixtral', True

    def config(self):
        return Mixtral.config(self)


class Qwen3VL(Fused):
    """Its own files have the fused experts transposed; its settings lie in text_config, and what stands beside that is not looked at."""
    model_type, norm = 'qwen3_vl_moe', True

    def shapes(self):
        return {self.router: (self.E, self.D), 'mlp.experts.gate_up_proj': (self.E, self.D, 2 * self.H),
                'mlp.experts.down_proj': (self.E, self.H, self.D)}

    def config(self):
        text = {**super().config(), 'model_type': 'qwen3_vl_moe_text'}
        del text['norm_topk_prob']
        return {'model_type': 'qwen3_vl_moe', 'num_experts_per_tok': 1, 'hidden_act': 'relu', 'text_config': text}

    def run_expert(self, t, expert, x):
        h = from_left(x, t['mlp.experts.gate_up_proj'].part(expert))
        return from_left(self.act(h[:self.H], h[self.H:]), t['mlp.experts.down_proj'].part(expert))


class Scored(Fused):
    """Weights by a score of each expert, which a bias moves in the choice."""
    model_type, bias = None, 'mlp.gate.e_score_correction_bias'
    scale, groups, top_groups, group_best = 1.0, 1, 1, 2

    def shapes(self):
        return {**super().shapes(), **({self.bias: (self.E,)} if self.bias else {})}

    def scores(self, z):
        return [sigmoid(value) for value in z]

    def divide(self, weights):
        return sum(weights)

    def forward(self, t, x):
        g = self.scores(times(t[self.router], x))
        s = plus(g, t[self.bias].values) if self.bias else g
        size = self.E // self.groups
        by_group = [sum(sorted(s[i * size:(i + 1) * size])[-self.group_best:]) for i in range(self.groups)]
        kept = best(by_group, self.top_groups)
        s = [value if e // size in kept else -math.inf for e, value in enumerate(s)]
        chosen = best(s, self.K)
        total = self.divide([g[e] for e in chosen])
        y = mixed({e: self.scale * g[e] / total for e in chosen}, lambda e: self.run_expert(t, e, x))
        return plus(y, self.shared(t, x)), min(gap(s, self.K), gap(by_group, self.top_groups))


class MiniMaxM2(Scored):
    model_type, bias = 'minimax_m2', 'mlp.e_score_correction_bias'

    def config(self):
        return {**Model.config(self), 'num_local_experts': self.E, 'intermediate_size': self.H}


class DeepseekV2(Scored):
    """Groups ranked by their best; probabilities kept as they are."""
    model_type, E, K, bias, groups, top_groups, group_best, scale = 'deepseek_v2', 12, 3, None, 4, 2, 1, 2.5

    def scores(self, z):
        return softmax(z)

    def divide(self, weights):
        return 1.0

    def config(self):
        return {**Model.config(self), 'n_routed_experts': self.E, 'moe_intermediate_size': self.H, 'routed_scaling_factor': self.scale,
                'topk_method': 'group_limited_greedy', 'n_group': self.groups, 'topk_group': self.top_groups, 'n_shared_experts': None}


class DeepseekV2Greedy(DeepseekV2):
    """No groups, whatever their numbers are."""
    groups, top_groups, scale = 1, 1, 1.0

    def config(self):
        config = {**super().config(), 'n_group': None, 'topk_group': 5}
        del config['topk_method'], config['routed_scaling_factor']
        return config


class Ernie(Scored):
    """Probabilities and a bias, and a floor under the sum that divides."""
    model_type, bias = 'ernie4_5_moe', 'mlp.gate.moe_statics.e_score_correction_bias'

    def shapes(self):
        return {**super().shapes(), self.bias: (1, self.E)}

    def scores(self, z):
        return softmax(z)

    def divide(self, weights):
        return max(sum(weights), 0.75)

    def config(self):
        return {'model_type': self.model_type, 'hidden_size': self.D, 'moe_num_experts': self.E, 'moe_intermediate_size': self.H,
                'moe_k': self.K, 'moe_norm_min': 0.75, 'moe_num_shared_experts': 0}


class DeepseekV4(Scored):
    """Limits of w1 and w3, of the shared expert too."""
    model_type, scale = 'deepseek_v4', 1.5
    big = ('mlp.experts.gate_up_proj', 'mlp.shared_experts.gate_proj.weight', 'mlp.shared_experts.up_proj.weight')

    def shapes(self):
        name = 'mlp.shared_experts.'
        return {**super().shapes(), name + self.gate: (self.S, self.D), name + self.up: (self.S, self.D),
                name + self.down: (self.D, self.S)}

    def scores(self, z):
        return [math.sqrt(math.log1p(math.exp(value))) for value in z]

    def act(self, gate, up):
        return [silu(min(a, 3.0)) * max(-3.0, min(b, 3.0)) for a, b in zip(gate, up)]

    def shared(self, t, x):
        name = 'mlp.shared_experts.'
        return times(t[name + self.down], self.act(times(t[name + self.gate], x), times(t[name + self.up], x)))

    def config(self):
        return {**Model.config(self), 'n_routed_experts': self.E, 'moe_intermediate_size': self.H, 'scoring_func': 'sqrtsoftplus',
                'swiglu_limit': 3.0, 'n_shared_experts': 1}


class Step(Scored):
    """Limits behind the activation: a list with one for each layer."""
    model_type, scale, big = 'step3p5', 2.0, ('mlp.experts.gate_up_proj',)

    def act(self, gate, up):
        return [min(silu(a), 0.5) * max(-0.5, min(b, 0.5)) for a, b in zip(gate, up)]

    def config(self):
        return {**Model.config(self), 'n_routed_experts': self.E, 'moe_intermediate_size': self.H, 'moe_router_scaling_factor': self.scale,
                'swiglu_limits': [0, 0.5] + [7] * 9, 'swiglu_limits_shared': None}


class Nemotron(Scored):
    """Not gated."""
    model_type, router, bias = 'nemotron_h', 'mixer.gate.weight', 'mixer.gate.e_score_correction_bias'

    def shapes(self):
        return {self.router: (self.E, self.D), self.bias: (self.E,), 'mixer.experts.up_proj': (self.E, self.H, self.D),
                'mixer.experts.down_proj': (self.E, self.D, self.H)}

    def run_expert(self, t, expert, x):
        h = [relu(value) ** 2 for value in times(t['mixer.experts.up_proj'].part(expert), x)]
        return times(t['mixer.experts.down_proj'].part(expert), h)

    def config(self):
        return {**Model.config(self), 'n_routed_experts': self.E, 'moe_intermediate_size': self.H, 'mlp_hidden_act': 'relu2',
                'moe_latent_size': None, 'n_shared_experts': 0}


class Dbrx(Mixtral):
    """All experts' rows in one matrix, the second transposed; settings within settings."""
    model_type, router = 'dbrx', 'ffn.router.layer.weight'

    def prefix(self, layer):
        return 'transformer.blocks.%d.' % layer

    def shapes(self):
        return {self.router: (self.E, self.D), **{'ffn.experts.mlp.' + name: (self.E * self.H, self.D) for name in ('w1', 'v1', 'w2')}}

    def run_expert(self, t, expert, x):
        w1, v1, w2 = (Array((self.E, self.H, self.D), t['ffn.experts.mlp.' + name].values).part(expert) for name in ('w1', 'v1', 'w2'))
        return from_left([silu(a) * b for a, b in zip(times(w1, x), times(v1, x))], w2)

    def config(self):
        return {'model_type': 'dbrx', 'd_model': self.D, 'ffn_config': {'ffn_hidden_size': self.H, 'moe_num_experts': self.E,
                                                                        'moe_top_k': self.K, 'ffn_act_fn': {'name': 'silu'}}}


class JetMoe(Granite):
    """One bias, added to the experts' sum."""
    model_type = 'jetmoe'

    def shapes(self):
        return {**{name.replace('block_sparse_moe', 'mlp'): shape for name, shape in super().shapes().items()}, 'mlp.bias': (self.D,)}

    def config(self):
        return {**super().config(), 'activation_function': 'silu'}

    def forward(self, t, x):
        y, distance = super().forward({name.replace('mlp', 'block_sparse_moe'): array for name, array in t.items()}, x)
        return plus(y, t['mlp.bias'].values), distance


MODELS = [kind for kind in every_model() if kind.model_type]
