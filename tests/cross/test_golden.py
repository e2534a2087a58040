"""Golden files through the programs of a cross build, run as another system's. tests/golden has all of them for this system's programs."""
import glob
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import cross
import tap

BIN = tap.BUILD + '/bin/'
WINDOWS = tap.CROSS == cross.WINDOWS
# Under qemu lavapipe's compiler takes some ten seconds for the kernels of each file: these have most kinds of them.
FEW = ('cosine_gmoe', 'gated_swiglu', 'sigmoid_grouped', 'ties_smooth')
GOLDEN = [path for path in sorted(glob.glob('tests/golden/*.safetensors')) if WINDOWS or any(name in path for name in FEW)]
VALIDATE = [] if WINDOWS else ['--validate']  # wine shows no layer; tests/cross/run watches the one beneath it


def golden():
    for path in GOLDEN:
        tap.command(BIN + 'smoe-run', '--check', *VALIDATE, path)


def golden_catches():
    """A file whose last number is another: --check does not pass whatever it is given."""
    with tempfile.TemporaryDirectory() as folder, open(GOLDEN[0], 'rb') as file:
        content = bytearray(file.read())
        content[-2] ^= 0x40  # of an exponent
        path = folder + '/wrong.safetensors'
        with open(path, 'wb') as wrong:
            wrong.write(content)
        tap.command(BIN + 'smoe-run', '--check', path, status=1)


print('# golden files: %s' % ', '.join(os.path.basename(path) for path in GOLDEN))
tap.run([golden, golden_catches])
