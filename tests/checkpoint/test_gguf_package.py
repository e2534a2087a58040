"""Files that the package gguf writes, in every type and in parts, and files of the tests' own writer as that package reads them. Needs the
package; without it test_gguf.py has a file of it."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
sys.path.insert(0, HERE)
import gguf_file
import gguf_models
import tap

try:
    import gguf
    import make_gguf
    MISSING = None
except ImportError as error:
    MISSING = 'the packages of make_gguf.py are not all here: %s' % error

RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
SEED = int(os.environ.get('SMOE_TEST_SEED', '1'))
PAIRS = [('Q4_K', 'Q6_K'), ('Q5_K', 'IQ4_XS'), ('Q8_0', 'Q4_0'), ('Q4_1', 'Q5_0'), ('Q5_1', 'IQ4_NL'), ('MXFP4', 'NVFP4'), ('F16', 'BF16')]
scratch = tempfile.TemporaryDirectory()


def reads(number):
    if MISSING:
        raise tap.Skip(MISSING)
    stem = os.path.join(scratch.name, '%s-%s' % PAIRS[number])
    make_gguf.write(stem, SEED + number, *PAIRS[number], 3, 256, 256, split_max_tensors=2 * (number % 2))
    file = stem + ('-00001-of-00003.gguf' if number % 2 else '.gguf')
    output = tap.command(RUN, *DEVICE, '--checkpoint', file, '--layer', str(make_gguf.LAYER), '--x', stem + '.safetensors', '--check')
    assert 'check         passed' in output, output


def is_read(architecture):
    if MISSING:
        raise tap.Skip(MISSING)
    _, _, tensors = gguf_models.whole(architecture, 'F16')
    path, metadata = os.path.join(scratch.name, 'own.gguf'), gguf_models.metadata_of(architecture)
    gguf_file.write(path, metadata, tensors, alignment=64)
    reader = gguf.GGUFReader(path)
    assert {one.name: (one.tensor_type.name, list(reversed(one.shape.tolist())), one.data.tobytes()) for one in reader.tensors} == \
        {name: (one.kind, one.shape, one.data) for name, one in tensors.items()}
    for key, value in metadata.items():
        assert reader.get_field(key).contents() == value, key


print('# seed %d' % SEED)
tap.run([('%s and %s of the package' % pair, lambda number=number: reads(number)) for number, pair in enumerate(PAIRS)] +
        [('%s by the package' % name, lambda name=name: is_read(name)) for name in ('deepseek2', 'gpt-oss')])
