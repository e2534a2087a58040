"""smoe-run --checkpoint against transformers' own modules: every class with experts that the installed transformers knows, from the files
that it saves. Needs torch and transformers in the Python that runs this (python -m venv v && v/bin/pip install torch transformers &&
v/bin/python this file); without them there is nothing to compare with, and the test is skipped with that reason. With --table it prints
the table of docs/checkpoints.md; names of model types after that are the only ones run."""
import collections
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap
from models import tensor_file
from tensor_file import Tensor

try:
    import families
    import torch
    MISSING = None
except ImportError as error:
    MISSING = 'transformers cannot be run here: %s' % error

RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
TABLE = '--table' in sys.argv
ONLY = [name for name in sys.argv[1:] if not name.startswith('-')]
FORMS = ('original', 'fused')  # names as on the Hub, or as transformers 5 has them
scratch = tempfile.TemporaryDirectory()

# What smoe cannot compute exactly, or has no rows for yet.
REFUSED = {'axk1', 'diffusion_gemma_text', 'doge', 'ernie4_5_vl_moe_text', 'gemma4_text', 'inkling_text', 'inkling2_text',
           'inkling2_loop_text', 'kolibri1', 'llama4_text', 'longcat_flash', 'muse_spark_text', 'nllb-moe', 'phimoe', 'switch_transformers',
           'zaya'}
# The classes that no small model could be made of.
UNBUILT = {'doge', 'ernie4_5_vl_moe_text', 'inkling2_text', 'inkling2_loop_text', 'nllb-moe'}


def draw_inputs():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(families.TOKENS, families.WIDTH, generator=generator)
    path = os.path.join(scratch.name, 'x.safetensors')
    tensor_file.write(path, {'x': Tensor('F32', list(x.shape), x.reshape(-1).tolist())}, {})
    return x, path


def folder_of(model_type, form):
    return os.path.join(scratch.name, '%s-%s' % (model_type, form))


def run_layer(layer, members, x_path):
    """{(model_type, form): y or the message} of one layer number of many checkpoints, in one process."""
    out = tempfile.mkdtemp(dir=scratch.name)
    names = [(model_type, form) for model_type in members for form in FORMS]
    sources = [argument for name in names for argument in ('--checkpoint', folder_of(*name))]
    done = subprocess.run([RUN, *DEVICE, *sources, '--layer', str(layer), '--x', x_path, '--out', out], capture_output=True, text=True,
                          check=False)
    found = {}
    for name in names:
        folder = folder_of(*name)
        path = os.path.join(out, '%s.%d.out.safetensors' % (os.path.basename(folder), layer))
        lines = [line.split(folder, 1)[1].lstrip(': ') for line in done.stderr.splitlines() if folder in line and 'not read' not in line]
        found[name] = tensor_file.read(path)[0]['y'].values if os.path.exists(path) else (lines or [done.stderr])[-1]
    return found


@tap.once
def run_all():
    """{model_type: {form: largest error, or the message}}, or why no model was made."""
    x, x_path = draw_inputs()
    made, failed, layers = {}, {}, collections.defaultdict(list)
    for model_type, kind in KINDS.items():
        try:
            family = families.Family(model_type, kind)
            for form in FORMS:
                family.save(folder_of(model_type, form), form == 'original')
        except Exception as error:  # pylint: disable=broad-except # whatever a model's code says is the answer
            failed[model_type] = '%s: %s' % (type(error).__name__, str(error).split('\n', maxsplit=1)[0])
            continue
        made[model_type] = family
        layers[family.layer].append(model_type)
    found = {}
    for layer, members in layers.items():
        found.update(run_layer(layer, members, x_path))
    result = dict(failed)
    for model_type, family in made.items():
        result[model_type] = {form: largest_error(family, x, found[model_type, form]) for form in FORMS}
    return result


def largest_error(family, x, got):
    if isinstance(got, str):
        return got
    y = family.output(x)
    got = torch.tensor(got, dtype=torch.float64).reshape(y.shape)
    return ((got - y).abs().max() / y.abs().max()).item()


def matches(model_type):
    result = run_all()[model_type]
    assert isinstance(result, dict), result
    for form, error in result.items():
        assert not isinstance(error, str), '%s names: %s' % (form, error)
        print('# %s, %s names: largest error %.2g of the largest value' % (model_type, form, error))
        # transformers' routers are float32: 2^-24 each, and sums of them
        assert error <= 2e-6, '%s names: y is off by %g of the largest value' % (form, error)


def refused(model_type):
    result = run_all()[model_type]
    if model_type in UNBUILT:
        raise tap.Skip('no small model: %s' % result)
    for error in result.values():
        assert isinstance(error, str), 'is computed, off by %g' % error
        assert 'cannot be computed exactly: ' in error or 'none of those in docs/checkpoints.md' in error, error
        print('# %s: %s' % (model_type, error))


def skipped():
    raise tap.Skip(MISSING)


def print_table():
    print('| model_type | names as on the Hub | as transformers 5 has them |\n|---|---|---|')
    for model_type, result in run_all().items():
        result = result if isinstance(result, dict) else {form: 'no small model: ' + result for form in FORMS}
        print('| %s | %s |' % (model_type, ' | '.join(value if isinstance(value, str) else '%.1e' % value for value in result.values())))


KINDS = {} if MISSING else {name: kind for name, kind in families.configurations().items() if not ONLY or name in ONLY}
if TABLE:
    print_table()
else:
    tap.run([('every class', skipped)] if MISSING else
            [(name, lambda name=name: (refused if name in REFUSED else matches)(name)) for name in KINDS])
