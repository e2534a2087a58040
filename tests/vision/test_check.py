"""smoe-classify --check: golden models and small random ones against double precision, batches against single images, and what --check
would catch. With everything=yes at each of lavapipe's subgroup sizes."""
import glob
import math
import os
import random
import re

import check_runs  # first: it says where the others are
import tap
import tensor_file
import tiny_model
from check_runs import CLASSIFY, DEVICE, FOLDER, check, path_of
from tensor_file import Tensor

FILES = sorted(glob.glob(FOLDER + '/gmoe_*.safetensors'))
SEED = int(os.environ.get('SMOE_TEST_SEED', '1'))
PYTORCH = sorted(glob.glob(FOLDER + '/check_*.safetensors'))  # by samples/vision/make_check.py: PyTorch's logits, in float64
TRAINED_MODELS = [os.path.basename(path)[:-len('.safetensors')]
                  for path in sorted(glob.glob(FOLDER + '/../../samples/vision/model*.safetensors'))]
TRAINED = FOLDER + '/trained.safetensors'  # by samples/vision/make_trained.py: pictures, and PyTorch's logits of the models that come along
CLOSE = 5e-6  # of the largest |logit|: what float32 should reach for such small models; --check itself allows 1e-4


@tap.once
def all_models():
    """What one run of each kind of kernels checks: {path: what it is}."""
    found = {path: 'golden' for path in FILES}
    found.update({path: 'pytorch' for path in PYTORCH})
    assert TRAINED_MODELS
    for name in TRAINED_MODELS:
        found[write_trained(name)] = 'trained'
    for name, shape in SHAPES.items():
        found[write_tiny(name, SEED, **shape)] = 'seed %d, shape %s' % (SEED, shape)
    found.update(edges())
    found.update(random_shapes())
    return found


def of_all(*kernels):
    """Under validation; a batch holds all images of a file, as the edges of tiles want it."""
    return check(tuple(all_models()), '--validate', '--batch-size', '64', *kernels)


def is_close(path, kernels):
    one = of_all(*kernels)[path]
    assert one.error < CLOSE, '%s, %s, %s: error %g' % (os.path.basename(path), all_models()[path], kernels, one.error)
    return one


def close_with_both(path):
    """Within CLOSE with both matrix multiplications."""
    for kernels in ((), ('--no-subgroups',)):
        is_close(path, kernels)


def golden(path):
    close_with_both(path)
    _, metadata = tensor_file.read(path)
    blocks = re.findall(r'mean active (\S+)', '\n'.join(is_close(path, ()).lines))
    assert ' '.join(blocks) == metadata['mean_active'], blocks


def pytorch(path):
    """The trained models' architecture: a stem with strides and residuals; smooth and cosine routers, one with float16 weights."""
    close_with_both(path)
    error = check(tuple(PYTORCH), '--validate', '--batch-size', '5')[path].error
    assert error < CLOSE, error


def write_trained(name):
    """A model that comes along, beside made pictures and PyTorch's float64 logits of them."""
    path = path_of('trained_%s.safetensors' % name)
    if not os.path.exists(path):
        tensors, metadata = tensor_file.read('%s/../../samples/vision/%s.safetensors' % (FOLDER, name))
        extra, _ = tensor_file.read(TRAINED)
        images = extra['images']
        tensors['images'] = Tensor('F32', images.shape, [tensor_file.value_of('F16', word) for word in images.values])
        tensors['expected.logits'] = extra['logits.' + name]
        tensor_file.write(path, tensors, metadata)
    return path


def trained(name):
    close_with_both(write_trained(name))
    error = check(tuple(map(write_trained, TRAINED_MODELS)), '--validate', '--weights', 'f32')[write_trained(name)].error
    assert error < CLOSE, error


def batch_equals_one_by_one():
    for kernels in ((), ('--no-subgroups',)):
        single, *batches = (check(tuple(FILES), '--batch-size', size, *kernels, out=True) for size in ('1', '2', '5'))
        for path in FILES:
            for size, batch in zip((2, 5), batches):
                assert batch[path].logits == single[path].logits, '%s: batches of %d, %s' % (path, size, kernels)


def write_tiny(name, seed, **shape):
    """A random small model, and what the plain loops make of it."""
    tensor_file.write(path_of(name + '.safetensors'), *tiny_model.add_expected(*tiny_model.make(seed, **shape)))
    return path_of(name + '.safetensors')


SHAPES = {
    'dense': dict(),
    'one_pixel_patches': dict(patch=1, image_size=5),
    'one_patch': dict(patch=8, classes=1, images=1),
    'one_head_of_4': dict(width=4, heads=1, depth=1, hidden=4),
    'wide': dict(width=36, heads=3, hidden=100, classes=33, depth=1),
    'no_qkv_bias': dict(bias=False),
    'stem': dict(stem=((5, 1, 0), (6, 2, 0), (6, 1, 1), (6, 1, 2)), patch=2),
    'stem_alone': dict(stem=((8, 3, 0),), patch=1, image_size=7),
    'hard_one': dict(experts=[1], router='top'),
    'hard_two': dict(experts=[0, 1], router='top', k=2),
    'all_experts': dict(experts=[0], router='top', k=5),
    'cosine': dict(experts=[1], router='cosine_top', k=2),
    'smooth_one': dict(experts=[0, 1], router='smooth_top'),
    'smooth_two': dict(experts=[1], router='smooth_top', k=2),
    'stem_and_smooth': dict(stem=((7, 2, 0), (7, 1, 1)), patch=1, experts=[0], router='smooth_top', k=2, images=3),
}


def edges():
    """The head's matrix, images x classes, and the patches', images x width: one below, at and above each side of the tiles (16 and 32
    rows; 16, 32, 64 and 128 columns), in one batch."""
    return {write_tiny('edges_%d_%d' % (rows, columns), SEED, patch=8, images=rows, classes=columns, depth=1):
            '%d images, %d classes' % (rows, columns)
            for rows, columns in ((15, 31), (16, 32), (17, 33), (31, 63), (32, 64), (33, 65), (15, 127), (32, 128), (17, 129), (33, 15),
                                  (31, 16), (16, 17))}


def random_shapes():
    found = {}
    for case in range(4):
        seed = SEED * 1000 + case
        pick = random.Random(seed)
        heads = pick.randint(1, 3)
        patch = pick.randint(1, 4)
        shape = dict(heads=heads, width=4 * heads * pick.randint(1, 4), patch=patch, image_size=patch * pick.randint(1, 4),
                     hidden=4 * pick.randint(1, 10), depth=pick.randint(1, 3), classes=pick.randint(1, 40), images=pick.randint(1, 3),
                     experts=[0] * pick.randint(0, 1), router=pick.choice(('top', 'cosine_top', 'smooth_top')), k=pick.randint(1, 3))
        found[write_tiny('random_%d' % case, seed, **shape)] = 'random: seed %d, shape %s' % (seed, shape)
    return found


def close_where(name):
    """The models whose files begin with the name."""
    paths = [path for path in all_models() if os.path.basename(path).startswith(name)]
    assert paths
    for path in paths:
        close_with_both(path)


def check_catches():
    """One logit moved by a little more than is allowed; an answer that is not finite."""
    tensors, metadata = tensor_file.read(FILES[0])
    expected, moved = tensors['expected.logits'].values, {}
    largest = max(map(abs, expected))
    for index in (0, 23, len(expected) - 1):
        for step in (0.8e-4, 1.2e-4, -1.2e-4):
            tensors['expected.logits'].values = list(expected)
            tensors['expected.logits'].values[index] += step * largest
            path = path_of('moved_%d.safetensors' % len(moved))
            tensor_file.write(path, tensors, metadata)
            moved[path] = index, step
    for path, one in check(tuple(moved)).items():
        index, step = moved[path]
        assert one.ok == (abs(step) < 1e-4) and abs(one.error - abs(step)) < 0.1e-4, (index, step, one)


def a_bad_image_changes_no_other():
    tensors, metadata = tensor_file.read(FILES[3])
    bad = []
    for value in (math.nan, math.inf):
        tensors['images'].values[3 * 32 * 32] = value  # of the second of five images
        bad.append(path_of('bad_%s.safetensors' % value))
        tensor_file.write(bad[-1], tensors, metadata)
    found = check((FILES[3], *bad), '--validate', out=True)
    clean = found[FILES[3]].logits
    for path in bad:
        values = found[path].logits
        assert not found[path].ok and found[path].error == math.inf
        assert values[:10] + values[20:] == clean[:10] + clean[20:] and any(map(math.isnan, values[10:20])), path


def no_subgroups_means_the_experts_too():
    outputs = ['\n'.join(of_all(*arguments)[FILES[0]].lines) for arguments in ((), ('--no-subgroups',))]
    kernels = [re.findall(r'^block \d+: \d+ experts by (\w+),', output, re.MULTILINE) for output in outputs]
    assert len(kernels[1]) == 2 and not any('subgroup' in name or 'broadcast' in name for name in kernels[1]), kernels
    if 'llvmpipe' in tap.command(os.path.join(tap.BUILD, 'bin', 'smoe-devices')):
        assert kernels[0] != kernels[1], kernels


def repeated():
    output = tap.command(CLASSIFY, *DEVICE, '--check', FILES[0], '--repeat', '2')
    assert re.search(r'5 images, best of 2 runs: host [\d.]+ ms \(mean [\d.]+\).*GFLOP/s$', output, re.MULTILINE), output


assert len(FILES) == 4 and len(PYTORCH) == 2, FILES + PYTORCH
tap.run([('golden: ' + os.path.basename(path)[:-len('.safetensors')], lambda path=path: golden(path)) for path in FILES] +
        [('pytorch: ' + os.path.basename(path)[:-len('.safetensors')], lambda path=path: pytorch(path)) for path in PYTORCH] +
        [('trained: ' + name, lambda name=name: trained(name)) for name in TRAINED_MODELS] +
        [('tiny: ' + name, lambda name=name: close_with_both(path_of(name + '.safetensors'))) for name in SHAPES] +
        [batch_equals_one_by_one, ('tile_edges', lambda: close_where('edges_')), ('random_shapes', lambda: close_where('random_')),
         check_catches, a_bad_image_changes_no_other, repeated, no_subgroups_means_the_experts_too])
