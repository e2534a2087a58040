"""What the page of smoe-classify --report says of each token, against a computation in double."""
import math

import tensor_file
import tiny_model

GAP_LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
CLOSE = 5e-5  # scores this close may change places in float32


class Recorder(tiny_model.Reference):
    """Keeps the scores and weights of each token of the blocks with experts."""

    def __init__(self, model):
        super().__init__(*tensor_file.read(model))
        self.seen = {}

    def mix_experts(self, mlp, x):
        gate = mlp + 'gates.0.'
        self.seen.setdefault(int(mlp.split('.')[1]), []).append(
            (self.scores(gate, x), self.route(gate, x, int(self.metadata['k']))))
        return super().mix_experts(mlp, x)


def is_close_call(z, k, eps, active):
    """Two scores next to each other whose order matters, or one at the band's end, are too close for float32 to tell."""
    ranked = sorted(z, reverse=True)
    near = any(0 < a - b < CLOSE for a, b in zip(ranked[:active], ranked[1:]))
    return near or (eps > 0 and any(abs(ranked[k - 1] - eps - value) < CLOSE for value in z))


def check_token(said, z, weights, k, what):
    ranked = sorted(range(len(z)), key=lambda e: (-z[e], e))
    kth = z[ranked[k - 1]]
    tied = sum(value == kth for value in z) - 1
    gap = kth - z[ranked[k]]
    running = [e for e in ranked if weights.get(e, 0) > 0]
    what = '%s: %s; scores %s' % (what, said.text, z)
    assert list(said.experts) == running, what
    assert all(abs(said.experts[e] - weights[e]) < 2e-3 for e in running), (what, weights)
    assert abs(said.gap - gap) < 1e-3 * gap + CLOSE and said.order == (tied if gap == 0 else 0), what
    assert said.extra == len(running) - k, what
    return ranked, gap


def check_maps(picture, block, references, k):
    """The colours say the same as the numbers of each patch. The picture lies under each map, the numbers over it: the first holds them."""
    grid = block.gap.grid
    for one in block.experts + [block.gap] + ([block.extra] if block.extra else []):
        assert one.uses == ['#' + picture.id] + ([] if one is block.experts[0] else ['#' + block.id]), one.uses
    assert block.rects == [(i % grid, i // grid) for i in range(grid * grid)]
    assert [said.place for said in block.patches] == [[1 + i, i // grid + 1, i % grid + 1] for i in range(grid * grid)]
    assert len(block.experts) == min(k, 3)
    for cell, said in enumerate(block.patches):
        for shown, expert in zip(block.experts, said.experts):
            assert shown.classes[cell] == 'e%d' % (expert % 30) and shown.numbers[cell] == expert, (cell, said.text)
        gap = references[cell]
        if all(abs(gap - limit) > 1e-3 * limit + CLOSE for limit in GAP_LIMITS):
            step = 'g%d' % sum(gap >= limit for limit in GAP_LIMITS)
            assert block.gap.classes[cell] == step, (cell, said.text, block.gap.classes[cell])
        assert (cell in block.gap.rings) == (said.order > 0) and block.gap.numbers.get(cell, 0) == said.order
        if block.extra:
            assert block.extra.numbers.get(cell, 0) == said.extra
            assert block.extra.classes.get(cell) == ('x%d' % min(said.extra, 4) if said.extra else None), (cell, said.text)
        else:
            assert block.eps == 0 and said.extra == 0
    counts = {}
    for said in block.patches:
        for expert in said.experts:
            counts[expert] = counts.get(expert, 0) + 1
    assert dict(block.legend) == counts, (block.legend, counts)


def check_page(page, images, model, eps=None):
    """Every token of every block; gives the tokens seen, those that float32 cannot decide, and all that was said."""
    metadata = tensor_file.read(model)[1]
    k, count, excused, everything = int(metadata['k']), 0, 0, []
    for number, (picture, image) in enumerate(zip((p for p in page.pictures if p.read), images)):
        recorder = Recorder(model)
        recorder.classify(image)
        assert [block.number for block in picture.blocks] == sorted(recorder.seen)
        for block in picture.blocks:
            gate = 'blocks.%d.mlp.gates.0.eta_parameterized' % block.number
            own = math.log1p(math.exp(recorder.values(gate)[0])) if gate in recorder.tensors else 0.0
            assert abs(block.eps - (own if eps is None else eps)) <= 1e-3 * block.eps, block.head
            assert block.expert_count == len(recorder.seen[block.number][0][0])
            gaps = []
            for token, (said, (z, weights)) in enumerate(zip([block.class_token] + block.patches, recorder.seen[block.number])):
                ranked = sorted(z, reverse=True)
                gaps.append(ranked[k - 1] - ranked[k])
                count += 1
                if is_close_call(z, k, block.eps, len(weights)):
                    excused += 1
                else:
                    check_token(said, z, weights, k, 'picture %d, block %d, token %d' % (number, block.number, token))
            everything += [block.class_token] + block.patches
            check_maps(picture, block, gaps[1:], k)
    assert count and excused <= count // 20, (count, excused)
    return everything


def check_totals(page, model):
    """The table at the top, from what was said of each token."""
    for row in page.totals:
        tokens = [said for picture in page.pictures if picture.read for block in picture.blocks if block.number == int(row[0])
                  for said in [block.class_token] + block.patches]
        share = 100 / len(tokens)
        assert abs(float(row[4]) - sum(len(said.experts) for said in tokens) / len(tokens)) < 1e-4, row
        assert abs(float(row[5][:-2]) - share * sum(said.extra > 0 for said in tokens)) < 0.06, row
        assert abs(float(row[6][:-2]) - share * sum(said.gap < 0.01 for said in tokens)) < 0.006, row
        assert abs(float(row[7][:-2]) - share * sum(said.order > 0 for said in tokens)) < 0.006, row
    assert len(page.totals) == len(page.pictures[0].blocks)
