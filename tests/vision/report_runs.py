"""What the tests of smoe-classify --report share: made models and pictures, and runs over them."""
import os
import tempfile

import pictures
import report_page
import tap
import tensor_file
import tiny_model

CLASSIFY = os.path.join(tap.BUILD, 'bin', 'smoe-classify')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
scratch = tempfile.TemporaryDirectory()


def path_of(*names):
    return os.path.join(scratch.name, *names)


def run(*arguments, status=0, env=None):
    return tap.outputs(CLASSIFY, *DEVICE, *arguments, status=status, env=env, errors='replace')


def make_picture(path, seed, width=40, height=30):
    pictures.write_png(path, width, height, pictures.noise(seed, width, height))
    return path


def make_model(name, seed, change=None, **options):
    """A small model in a file, without the images that it does not need here."""
    tensors, metadata = tiny_model.make(seed, **options)
    del tensors['images']
    if change:
        change(tensors, metadata)
    tensor_file.write(path_of(name), tensors, metadata)
    return path_of(name)


def make_report(model, paths, *arguments, status=0):
    """The page, and each read picture's input and logits."""
    out, values = path_of('report.html'), path_of('values.safetensors')
    run('--model', model, '--report', out, '--out', values, *arguments, *paths, status=status)
    tensors = tensor_file.read(values)[0]
    return report_page.Page(out), tensors['images'].rows(), tensors['logits'].rows()
