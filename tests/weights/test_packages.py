"""Many matrices as the packages of make_blocks.py make and read them, converted by test_blocks: other ones for each seed. Needs those
packages in the Python that runs this; without them blocks.safetensors, which test_blocks reads, has a few of them."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
sys.path.insert(0, HERE)
import tap

try:
    import make_blocks
    MISSING = None
except ImportError as error:
    MISSING = 'the packages of make_blocks.py are not all here: %s' % error

SEED = int(os.environ.get('SMOE_TEST_SEED', '1'))
scratch = tempfile.TemporaryDirectory()


def check(seed, rows):
    if MISSING:
        raise tap.Skip(MISSING)
    path = os.path.join(scratch.name, '%d.safetensors' % rows)
    make_blocks.write(path, seed, rows)
    printed = tap.command(os.path.join(tap.BUILD, 'tests', 'weights', 'test_blocks'), path)
    assert '# 39 matrices' in printed, printed


tap.run([('%d rows, seed %d' % (rows, SEED + rows), lambda rows=rows: check(SEED + rows, rows)) for rows in (7, 130)])
