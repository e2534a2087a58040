"""smoe-run with several layer files in one process: each gives what it gives in a run of its own, one device
serves all, and none keeps another from running."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
import tensor_file

FOLDER = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(tap.BUILD, 'bin', 'smoe-run')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
GOOD, OTHER = (os.path.join(FOLDER, name + '.safetensors') for name in ('one_expert', 'ties_hard'))
scratch = tempfile.TemporaryDirectory()


def path_of(*names):
    return os.path.join(scratch.name, *names)


def new_folder(name):
    os.mkdir(path_of(name))
    return path_of(name)


def run(*arguments, status=0):
    """Output and lines of errors."""
    output, errors = tap.outputs(RUN, *DEVICE, *arguments, status=status)
    return output, errors.splitlines()


def changed(name, metadata=None, tensors=None):
    """A copy of a good file with changes."""
    own_tensors, own_metadata = tensor_file.read(GOOD)
    tensor_file.write(path_of(name), {**own_tensors, **(tensors or {})}, {**own_metadata, **(metadata or {})})
    return path_of(name)


def moved(name):
    """A file that --check fails."""
    y = tensor_file.read(GOOD)[0]['expected.y']
    return changed(name, tensors={'expected.y': tensor_file.Tensor(y.dtype, y.shape, [value + 1 for value in y.values])})


def each_as_if_alone():
    alone = [run('--check', path)[0] for path in (GOOD, OTHER)]
    output, errors = run('--check', GOOD, OTHER)
    assert not errors and output == ''.join('file          %s\n%s\n' % pair for pair in zip((GOOD, OTHER), alone)), output
    assert not any('file  ' in one for one in alone), alone


def one_device_for_all():
    """The validation layer's count is of each layer; making one device more would show as two. The loader tells of devices in words of its
    own, which another release may change."""
    output, _ = run('--validate', GOOD, OTHER, GOOD)
    assert output.count('validation    0 messages\n') == 3, output
    listing = tap.command(RUN, *DEVICE, GOOD, OTHER, GOOD, env={'VK_LOADER_DEBUG': 'all'})
    assert listing.count('file   ') == 3, listing
    devices = listing.count('vkCreateDevice layer callstack setup')
    if devices == 0:
        raise tap.Skip('the loader does not say "vkCreateDevice layer callstack setup", by which devices are counted')
    assert devices == 1, listing


def a_bad_file_keeps_no_other_from_running():
    missing, wrong = path_of('missing.safetensors'), changed('wrong.safetensors', {'k': '9'})
    output, errors = run('--check', missing, GOOD, wrong, moved('moved.safetensors'), OTHER, status=2)
    assert len(errors) == 2 and errors[0].startswith('smoe-run: ' + missing) and wrong in errors[1] and 'metadata k' in errors[1], errors
    assert [line.split()[1] for line in output.splitlines() if line.startswith('file ')] == [GOOD, path_of('moved.safetensors'), OTHER]
    assert [line.split()[1] for line in output.splitlines() if line.startswith('check ')] == ['passed', 'FAILED', 'passed'], output


def the_worst_exit_status():
    bad = changed('bad.safetensors', {'activation': 'mish'})
    for paths, status in (((moved('off.safetensors'), OTHER), 1), ((OTHER, path_of('off.safetensors')), 1),
                          ((bad, path_of('off.safetensors')), 2), ((path_of('off.safetensors'), bad), 2)):
        run('--check', *paths, status=status)
    assert run(bad, bad, status=2) == ('', run(bad, status=2)[1] * 2)


def a_missing_device_is_said_once():
    output, errors = run('--device', 'no such device anywhere', GOOD, OTHER, status=1)
    assert not output and len([line for line in errors if 'no such device anywhere' in line]) == 1, errors


def outputs_go_into_a_folder():
    folder, single, layer = new_folder('out'), path_of('single.safetensors'), path_of('layer.safetensors')
    run('--out', folder, '--write', folder, GOOD, OTHER)
    assert sorted(os.listdir(folder)) == ['one_expert.layer.safetensors', 'one_expert.out.safetensors', 'ties_hard.layer.safetensors',
                                          'ties_hard.out.safetensors']
    run('--out', single, '--write', layer, OTHER)
    for one, several in ((single, 'ties_hard.out.safetensors'), (layer, 'ties_hard.layer.safetensors')):
        with open(one, 'rb') as file, open(os.path.join(folder, several), 'rb') as other:
            assert file.read() == other.read(), several
    _, errors = run('--out', path_of('nowhere'), GOOD, OTHER, status=2)
    assert len(errors) == 1 and 'nowhere/' in errors[0] and 'cannot be written: No such file' in errors[0], errors


def no_output_takes_another_place():
    """No output replaces that of a second file of the same name, or a file that is read."""
    twin = shutil.copy(OTHER, new_folder('twin'))
    for option in ('--out', '--write'):
        folder = new_folder('twins' + option)
        output, errors = run(option, folder, GOOD, OTHER, twin, status=2)
        assert not output and len(errors) == 1 and errors[0].startswith('smoe-run: %s %s/ties_hard.' % (option, folder)), errors
        assert errors[0].endswith('would be written twice') and not os.listdir(folder), errors
        read = shutil.copy(GOOD, path_of('ties_hard.%s.safetensors' % {'--out': 'out', '--write': 'layer'}[option]))
        for paths in ((OTHER, read), (read, OTHER)):
            output, errors = run(option, scratch.name, *paths, status=2)
            assert not output and errors == ['smoe-run: %s %s is a layer file that is read; it is not overwritten' % (option, read)], errors
        output, errors = run(option, scratch.name, '--x', read, GOOD, OTHER, status=2)
        assert not output and errors == ['smoe-run: %s %s is the file of --x; it is not overwritten' % (option, read)], errors
    _, errors = run('--out', 'x' * 4090, GOOD, OTHER, status=2)
    assert len(errors) == 1 and 'longer than 4095 bytes' in errors[0], errors


tap.run([each_as_if_alone, one_device_for_all, a_bad_file_keeps_no_other_from_running, the_worst_exit_status, a_missing_device_is_said_once,
         outputs_go_into_a_folder, no_output_takes_another_place])
