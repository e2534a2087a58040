"""Runs smoe-classify over a test's own pictures; and what these pictures show."""
import os
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden')]
import tap
import tensor_file
import tiny_model

CLASSIFY = os.path.join(tap.BUILD, 'bin', 'smoe-classify')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
SEED = int(os.environ.get('SMOE_TEST_SEED', '1'))
SIDE = 16  # of the model's images: a picture of that size is not resized, so that its very pixels come out
scratch = tempfile.TemporaryDirectory()


def path_of(name):
    return os.path.join(scratch.name, name)


def make_model():
    tensors, metadata = tiny_model.make(SEED, image_size=SIDE, patch=8, width=4, heads=1, depth=1, hidden=4)
    tensor_file.write(path_of('model.safetensors'), tensors, {**metadata, 'crop_pct': '1', 'mean': '0,0,0', 'std': '1,1,1'})
    return path_of('model.safetensors')


MODEL = make_model()


def classify(paths, status=0):
    """The inputs that were made of the pictures, as bytes [SIDE, SIDE, 3], and the messages."""
    out = path_of('out.safetensors')
    if os.path.exists(out):
        os.remove(out)
    done = subprocess.run([CLASSIFY, *DEVICE, '--model', MODEL, '--out', out, *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    messages = done.stderr.decode('utf-8')
    assert done.returncode == status, 'exit status %d\n%s' % (done.returncode, messages)
    images = tensor_file.read(out)[0]['images'].rows() if os.path.exists(out) else []
    size = SIDE * SIDE
    return [bytes(round(255 * values[c * size + i]) for i in range(size) for c in range(3)) for values in images], messages


def write(name, content):
    with open(path_of(name), 'wb') as file:
        file.write(content)
    return path_of(name)


def smooth(width, height):
    """Colours that change slowly, as JPEG wants them."""
    return [(255 * x // width, 255 * y // height, 255 - 120 * (x + y) // max(width, height)) for y in range(height) for x in range(width)]
