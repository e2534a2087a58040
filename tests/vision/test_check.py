"""smoe-classify --check: golden models and small random ones against double precision, batches against single images, and what --check
would catch. With everything=yes at each of lavapipe's subgroup sizes."""
import glob
import math
import os
import random
import re
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import tap
import tensor_file
import tiny_model
from tensor_file import Tensor

CLASSIFY = os.path.join(tap.BUILD, 'bin', 'smoe-classify')
FILES = sorted(glob.glob(FOLDER + '/gmoe_*.safetensors'))
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
SEED = int(os.environ.get('SMOE_TEST_SEED', '1'))
PYTORCH = sorted(glob.glob(FOLDER + '/check_*.safetensors'))  # by samples/vision/make_check.py: PyTorch's logits, in float64
TRAINED = FOLDER + '/trained.safetensors'  # by samples/vision/make_trained.py: pictures, and PyTorch's logits of the models that come along
LAST = re.compile(r'^largest error (\S+) of the largest \|logit\| (\S+), allowed 0.0001: (ok|FAILED)$')
CLOSE = 5e-6  # of the largest |logit|: what float32 should reach for such small models; --check itself allows 1e-4
# The validation layer leaks, and is unloaded when the leaks are listed: no suppression can name it. Runs without it look.
QUIET = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}
scratch = tempfile.TemporaryDirectory()


def check(path, *arguments, status=0):
    """The error in the last line."""
    output = tap.command(CLASSIFY, *DEVICE, '--check', path, *arguments, status=status, env=QUIET if '--validate' in arguments else None)
    match = LAST.match(output.splitlines()[-1])
    assert match and (match.group(3) == 'ok') == (status == 0), output
    return float(match.group(1))


def logits(path, *arguments):
    out = os.path.join(scratch.name, 'out.safetensors')
    check(path, '--out', out, *arguments)
    tensor = tensor_file.read(out)[0]['logits']
    assert tensor.dtype == 'F32'
    return tensor.values


def golden(path):
    assert check(path, '--validate') < CLOSE
    assert check(path, '--validate', '--no-subgroups') < CLOSE
    _, metadata = tensor_file.read(path)
    blocks = re.findall(r'mean active (\S+)', tap.command(CLASSIFY, *DEVICE, '--check', path))
    assert ' '.join(blocks) == metadata['mean_active'], blocks


def pytorch(path):
    """The trained models' architecture: a stem with strides and residuals; smooth and cosine routers, one with float16 weights."""
    for kernels in ((), ('--no-subgroups',), ('--batch-size', '5')):
        assert check(path, '--validate', *kernels) < CLOSE, kernels


def trained(name):
    """A model that comes along, beside made pictures and PyTorch's float64 logits of them."""
    tensors, metadata = tensor_file.read('%s/../../samples/vision/%s.safetensors' % (FOLDER, name))
    extra, _ = tensor_file.read(TRAINED)
    images, path = extra['images'], os.path.join(scratch.name, 'trained.safetensors')
    tensors['images'] = Tensor('F32', images.shape, [tensor_file.value_of('F16', word) for word in images.values])
    tensors['expected.logits'] = extra['logits.' + name]
    tensor_file.write(path, tensors, metadata)
    for arguments in ((), ('--no-subgroups',), ('--weights', 'f32')):
        error = check(path, '--validate', *arguments)
        assert error < CLOSE, '%s: error %g' % (arguments, error)


def batch_equals_one_by_one():
    for path in FILES:
        for kernels in ((), ('--no-subgroups',)):
            single = logits(path, '--batch-size', '1', *kernels)
            for size in ('2', '5'):
                assert logits(path, '--batch-size', size, *kernels) == single, '%s: batches of %s, %s' % (path, size, kernels)


def tiny(name, seed, **shape):
    """A random small model within CLOSE of the plain loops, with both matrix multiplications."""
    path = os.path.join(scratch.name, name + '.safetensors')
    tensor_file.write(path, *tiny_model.add_expected(*tiny_model.make(seed, **shape)))
    for kernels in ((), ('--no-subgroups',)):
        error = check(path, '--validate', *kernels)
        assert error < CLOSE, 'seed %d, shape %s, %s: error %g' % (seed, shape, kernels, error)
    return path


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


def tile_edges():
    """The head's matrix, images x classes, and the patches', images x width: one below, at and above each side of the tiles (16 and 32
    rows; 16, 32, 64 and 128 columns), in one batch."""
    path = os.path.join(scratch.name, 'edges.safetensors')
    for rows, columns in ((15, 31), (16, 32), (17, 33), (31, 63), (32, 64), (33, 65), (15, 127), (32, 128), (17, 129), (33, 15), (31, 16),
                          (16, 17)):
        tensor_file.write(path, *tiny_model.add_expected(*tiny_model.make(SEED, patch=8, images=rows, classes=columns, depth=1)))
        for kernels in ((), ('--no-subgroups',)):
            error = check(path, '--validate', '--batch-size', '64', *kernels)
            assert error < CLOSE, '%d images, %d classes, %s: error %g' % (rows, columns, kernels, error)


def random_shapes():
    for case in range(4):
        seed = SEED * 1000 + case
        pick = random.Random(seed)
        heads = pick.randint(1, 3)
        patch = pick.randint(1, 4)
        tiny('random', seed, heads=heads, width=4 * heads * pick.randint(1, 4), patch=patch, image_size=patch * pick.randint(1, 4),
             hidden=4 * pick.randint(1, 10), depth=pick.randint(1, 3), classes=pick.randint(1, 40), images=pick.randint(1, 3),
             experts=[0] * pick.randint(0, 1), router=pick.choice(('top', 'cosine_top', 'smooth_top')), k=pick.randint(1, 3))


def check_catches():
    """One logit moved by a little more than is allowed; an answer that is not finite."""
    tensors, metadata = tensor_file.read(FILES[0])
    path = os.path.join(scratch.name, 'moved.safetensors')
    expected = tensors['expected.logits'].values
    largest = max(map(abs, expected))
    for index in (0, 23, len(expected) - 1):
        for step, status in ((0.8e-4, 0), (1.2e-4, 1), (-1.2e-4, 1)):
            tensors['expected.logits'].values = list(expected)
            tensors['expected.logits'].values[index] += step * largest
            tensor_file.write(path, tensors, metadata)
            error = check(path, status=status)
            assert abs(error - abs(step)) < 0.1e-4, (index, step, error)


def a_bad_image_changes_no_other():
    tensors, metadata = tensor_file.read(FILES[3])
    path, out, clean = os.path.join(scratch.name, 'bad.safetensors'), os.path.join(scratch.name, 'bad_out.safetensors'), logits(FILES[3])
    for value in (math.nan, math.inf):
        tensors['images'].values[3 * 32 * 32] = value  # of the second of five images
        tensor_file.write(path, tensors, metadata)
        assert check(path, '--validate', '--out', out, status=1) == math.inf
        values = tensor_file.read(out)[0]['logits'].values
        assert values[:10] + values[20:] == clean[:10] + clean[20:] and any(map(math.isnan, values[10:20])), value


def no_subgroups_means_the_experts_too():
    outputs = [tap.command(CLASSIFY, *DEVICE, '--check', FILES[0], *arguments) for arguments in ((), ('--no-subgroups',))]
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
        [('trained: ' + name, lambda name=name: trained(name)) for name in ('model', 'model-hard')] +
        [('tiny: ' + name, lambda name=name: tiny(name, SEED, **SHAPES[name])) for name in SHAPES] +
        [batch_equals_one_by_one, tile_edges, random_shapes, check_catches, a_bad_image_changes_no_other, repeated,
         no_subgroups_means_the_experts_too])
