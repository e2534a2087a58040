"""What programs write: nothing is lost by it, whatever it is called; it is whole or not there; and what cannot be written is said."""
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(FOLDER, '..'), os.path.join(FOLDER, '..', 'golden'), os.path.join(FOLDER, '..', 'vision')]
import full_disk
import pictures
import tap
import tensor_file
from tensor_file import Tensor

BIN = tap.BUILD + '/bin/smoe-'
LAYER = os.path.join(FOLDER, '..', 'golden', 'one_expert.safetensors')
SMOOTH = os.path.join(FOLDER, '..', 'golden', 'smooth_small.safetensors')
MODEL = os.path.join(FOLDER, '..', 'vision', 'gmoe_smooth_top2.safetensors')
CAPABILITIES = os.path.join(FOLDER, '..', 'drivers', 'devices', 'radv_navi21.json')
BENCH = ('bench', '--shape', '4,2,8,6,4', '--repeat', '1', '--no-peak', '--weights', 'f32')
RESULTS = os.path.join(FOLDER, '..', 'bench', 'sample.json')
COMPARE, REPORT = ('bench', 'compare', RESULTS, RESULTS), ('bench', 'report', RESULTS, '--html', '-')
WINDOW = [('window',)] if os.path.exists(BIN + 'window') else []  # it is built where GLFW is found
ANALYZE = ('analyze', 'volume', '--samples', '1e4')
scratch = tempfile.TemporaryDirectory()


def path_of(*names):
    return os.path.join(scratch.name, *names)


def new_folder(name):
    os.mkdir(path_of(name))
    return path_of(name)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write(path, text):
    with open(path, 'wb') as file:
        file.write(text)
    return path


def command(program, *arguments):
    runs_on_none = program in ('devices', 'embed') or arguments[:1] in (('compare',), ('report',))
    takes_device = 'SMOE_TEST_DEVICE' in os.environ and not runs_on_none
    return [BIN + program, *arguments, *(['--device', os.environ['SMOE_TEST_DEVICE']] if takes_device else [])]


def run(program, *arguments, status=0, **options):
    return tap.outputs(*command(program, *arguments), status=status, **options)


def refused(said, *arguments, keeps=(), **options):
    """Nothing ran, one line says why, and the files are what they were."""
    before = [read(path) for path in keeps]
    output, messages = run(*arguments, status=2, **options)
    assert not output and messages.count('\n') == 1 and messages.startswith('smoe-') and said in messages, (arguments, output, messages)
    assert [read(path) for path in keeps] == before, arguments


def spellings(path):
    """Names of a file: its own, another spelling, a link from elsewhere, a link to that link, a hard link."""
    folder = tempfile.mkdtemp(dir=scratch.name)
    soft, again, hard = (os.path.join(folder, name) for name in ('soft', 'again', 'hard'))
    os.symlink(path, soft)
    os.symlink('soft', again)
    os.link(path, hard)
    parent, name = os.path.split(path)
    return path, os.path.join(parent, '..', os.path.basename(parent), '.', name), soft, again, hard


def make_checkpoint():
    folder = new_folder('model')
    width, hidden, experts = 4, 3, 2
    block = 'model.layers.0.block_sparse_moe.'
    shards = {'a.safetensors': {block + 'gate.weight': [experts, width]}, 'b.safetensors': {}}
    for e in range(experts):
        shards['b.safetensors'].update({block + 'experts.%d.%s.weight' % (e, name): shape for name, shape in (
            ('w1', [hidden, width]), ('w2', [width, hidden]), ('w3', [hidden, width]))})
    weight_map = {}
    for file, tensors in shards.items():
        tensor_file.write(os.path.join(folder, file), {name: Tensor('F32', shape, [0.5] * (shape[0] * shape[1]))
                                                       for name, shape in tensors.items()}, {})
        weight_map.update({name: file for name in tensors})
    config = {'model_type': 'mixtral', 'num_experts_per_tok': 1, 'hidden_size': width, 'intermediate_size': hidden,
              'num_local_experts': experts, 'num_hidden_layers': 1, 'hidden_act': 'silu'}
    write(os.path.join(folder, 'config.json'), json.dumps(config).encode())
    write(os.path.join(folder, 'model.safetensors.index.json'), json.dumps({'weight_map': weight_map}).encode())
    return folder


def what_is_read_is_not_overwritten():
    layer, x = shutil.copy(LAYER, path_of('layer.safetensors')), shutil.copy(LAYER, path_of('x.safetensors'))
    capabilities = shutil.copy(CAPABILITIES, path_of('device.json'))
    picture, model = path_of('a.png'), shutil.copy(MODEL, path_of('m.safetensors'))
    pictures.write_png(picture, 8, 8, pictures.noise(1, 8, 8))
    for path in spellings(layer):
        for option in ('--out', '--write'):
            refused(path + ' is a layer file that is read', 'run', layer, option, path, keeps=[layer])
        refused(' is a layer file that is read', 'run', path, '--out', layer, keeps=[layer])
        refused(path + ' is the layer file that is read', 'analyze', 'cost', layer, '--json', path, keeps=[layer])
    for path in spellings(x):
        refused('is the file of --x', 'run', layer, '--x', x, '--out', path, keeps=[x])
    for path in spellings(capabilities):
        refused('is the file of --as', 'devices', '--as', capabilities, '--json', path, keeps=[capabilities])
    with open(capabilities, encoding='utf-8') as file:
        refused('is the file of --as', 'devices', '--as', '-', '--json', capabilities, stdin=file, keeps=[capabilities])
    for path in spellings(picture):
        refused('is one of the pictures', 'classify', '--model', model, picture, '--report', path, keeps=[picture])
    for path in spellings(model):
        refused('is the model', 'classify', '--model', model, picture, '--out', path, keeps=[model])
        refused('is one of the files of --check', 'classify', '--check', model, '--out', path, keeps=[model])


def no_file_of_a_checkpoint_is_overwritten():
    folder = make_checkpoint()
    run('run', '--checkpoint', folder, '--layer', '0', '--tokens', '3')
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    assert len(files) == 4, files
    for given in (folder, folder + '/', path_of('model', '..', 'model')):
        for file in files:
            for path in spellings(file):
                refused('is a file of the checkpoint', 'run', '--checkpoint', given, '--layer', '0', '--write', path, keeps=files)
    single = os.path.join(new_folder('single'), 'model.safetensors')
    tensors = {}
    for name in ('a', 'b'):
        tensors.update(tensor_file.read(os.path.join(folder, name + '.safetensors'))[0])
    tensor_file.write(single, tensors, {})
    shutil.copy(os.path.join(folder, 'config.json'), path_of('single'))
    for path in (single, path_of('single', 'config.json')):
        refused('is a file of the checkpoint', 'run', '--checkpoint', single, '--layer', '0', '--out', path, keeps=[single])
    out = os.path.join(folder, 'out.safetensors')  # nothing that is read: its own of last time
    for _ in range(2):
        run('run', '--checkpoint', folder, '--layer', '0', '--out', out)


def no_output_is_named_twice():
    folder, new = new_folder('twice'), path_of('twice', 'new.safetensors')
    os.symlink('twice', path_of('elsewhere'))
    os.symlink(new, path_of('to nothing'))
    for other in (new, path_of('twice', '.', 'new.safetensors'), path_of('elsewhere', 'new.safetensors'), path_of('to nothing')):
        refused('and --out name the same file', 'run', LAYER, '--out', new, '--write', other)
    refused('and --json name the same file', *BENCH, '--json', path_of('b.json'), '--dump', path_of('twice', '..', 'b.json'))
    with open(path_of('printed'), 'w', encoding='utf-8') as printed:
        refused('where what the program prints goes', *BENCH, '--json', path_of('printed'), stdout=printed)
    assert os.listdir(folder) == [] and read(path_of('printed')) == b''


def what_is_of_another_kind_is_not_overwritten():
    letter = write(path_of('letter.txt'), b'a letter\n')
    for program in (('run', LAYER, '--out'), ('run', LAYER, '--write'), ('devices', '--json'), (*ANALYZE, '--json'), (*BENCH, '--json')):
        refused('is there and is no ', *program, letter, keeps=[letter])
        for path, said in ((scratch.name, 'a folder'), ('/dev/null', 'no regular file'), (path_of('none', 'y'), 'No such file')):
            refused('cannot be written: ', *program, path)
            refused(said, *program, path)
    long = path_of('') + './' * 2048
    refused('cannot be written: File name too long', 'devices', '--as', CAPABILITIES, '--json', long[:4094 - len(long) % 2] + 'x')
    name = path_of('a\x1b[1m\nb')
    refused('a\\x1b[1m\\nb is there and is no safetensors file', 'run', LAYER, '--out', write(name, b'text'))
    fifo = path_of('fifo')
    os.mkfifo(fifo)
    refused('no regular file', 'run', LAYER, '--out', fifo)


def what_may_not_be_written_is_said_before_anything_runs():
    folder = new_folder('closed')
    there = write(os.path.join(folder, 'there.json'), b'{}')
    os.chmod(folder, 0o555)
    os.chmod(there, 0o444)
    if os.access(folder, os.W_OK):
        raise tap.Skip('root may write everywhere')
    for path in (os.path.join(folder, 'new.json'), there):
        refused('cannot be written: Permission denied', *BENCH, '--json', path)


def a_file_is_replaced_whole():
    """Its other names keep the old one; permissions and links stay; and nothing lies beside it."""
    folder = new_folder('whole')
    path, hard, soft = (os.path.join(folder, name) for name in ('new.json', 'hard', 'soft'))
    write(path, b'{"old": 1}')
    os.chmod(path, 0o640)
    os.link(path, hard)
    os.symlink('new.json', soft)
    for program in ((*BENCH, '--json'), (*ANALYZE, '--json'), ('devices', '--as', CAPABILITIES, '--json')):
        run(*program, soft)
        assert os.path.islink(soft) and os.stat(path).st_mode & 0o7777 == 0o640 and read(hard) == b'{"old": 1}', program
        assert 'old' not in json.loads(read(path)) and sorted(os.listdir(folder)) == ['hard', 'new.json', 'soft'], program


def a_file_keeps_its_group_or_none_has_access():
    """One user replaces another's file: a member of the file's group, and one who is not."""
    if os.geteuid() != 0:
        raise tap.Skip('only root may become other users')
    folder, group, user = new_folder('groups'), 50, 65534
    os.chmod(scratch.name, 0o755)
    os.chmod(folder, 0o777)
    capabilities = shutil.copy(CAPABILITIES, path_of('groups', 'device'))
    for groups, becomes in (([group], (user, group, 0o775)), ([], (user, user, 0o707))):
        path = write(os.path.join(folder, '%d.json' % len(groups)), b'{}')
        os.chown(path, 0, group)
        os.chmod(path, 0o2777 if not groups else 0o2775)

        def become(groups=groups):
            os.setgroups(groups)
            os.setgid(user)
            os.setuid(user)
        try:
            run('devices', '--as', capabilities, '--json', path, preexec_fn=become)
        except PermissionError as error:
            raise tap.Skip('other users cannot reach the programs') from error
        there = os.stat(path)
        assert (there.st_uid, there.st_gid, there.st_mode & 0o7777) == becomes, (groups, there)
        assert read(path) != b'{}'


def a_write_that_fails_leaves_the_old_file():
    full = full_disk.environment(scratch.name, BIN + 'devices', 100)
    folder = new_folder('full')
    picture = path_of('full.png')
    pictures.write_png(picture, 8, 8, pictures.noise(1, 8, 8))
    header = json.dumps({'old': {'dtype': 'U8', 'shape': [0], 'data_offsets': [0, 0]}}).encode()
    old = {'json': b'{"old": 1}', 'html': b'<!doctype html>old', 'safetensors': len(header).to_bytes(8, 'little') + header}
    for ending, *arguments in (
            ('json', 'devices', '--as', CAPABILITIES, '--json'), ('json', *ANALYZE, '--json'), ('json', *BENCH, '--json'),
            ('safetensors', 'run', LAYER, '--out'), ('safetensors', 'run', LAYER, '--write'),
            ('safetensors', 'classify', '--model', MODEL, picture, '--out'), ('html', 'classify', '--model', MODEL, picture, '--report'),
            ('safetensors', 'classify', '--check', MODEL, '--out')):
        path = write(os.path.join(folder, 'old.' + ending), old[ending])
        for name in (path, os.path.join(folder, 'new.' + ending)):
            _, messages = run(*arguments, name, status=1, env=full)
            lines = messages.splitlines()
            assert sum(name in line and 'cannot be written: No space left' in line for line in lines) == 1, (arguments, messages)
            assert os.listdir(folder) == ['old.' + ending] and read(path) == old[ending], arguments
        os.remove(path)


def without_a_device_a_run_fails():
    """Status 1 in every program; what is refused before that is 2 all the same."""
    picture = path_of('alone.png')
    pictures.write_png(picture, 8, 8, pictures.noise(1, 8, 8))
    nothing = {**os.environ, 'VK_DRIVER_FILES': '/dev/null', 'VK_ICD_FILENAMES': '/dev/null'}
    for program in (('run', LAYER), ANALYZE, BENCH, ('classify', '--model', MODEL, picture), ('classify', '--check', MODEL), ('digits',),
                    ('embed',), ('devices', '--json', path_of('none.json')), *WINDOW):
        output, messages = run(*program, status=1, env=nothing)
        assert not output and messages.startswith('smoe-' + program[0]), (program, output, messages)
    for program in (('run', 'no such'), ('analyze', 'cost', 'no such'), ('classify', '--model', 'no such', picture),
                    ('classify', '--check', 'no such'), ('digits', '--model', 'no such'), ('digits', '--data', 'no such'),
                    ('devices', '--as', 'no such'), *[(*program, '--model', 'no such') for program in WINDOW]):
        _, messages = run(*program, status=2)
        assert 'no such' in messages and messages.count('\n') == 1, (program, messages)


def a_benchmark_keeps_what_it_has_measured():
    """Whenever its file is there, it is whole, and it is there before the last row."""
    path = path_of('kept.json')
    arguments = command('bench', '--shape', '4,2,8,6,1', '--seconds', '2', '--no-peak', '--json', path)
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as bench:
        try:
            while bench.poll() is None and not os.path.exists(path):
                time.sleep(0.01)
            assert bench.returncode is None, bench.stderr.read()
            rows = json.loads(read(path))['rows']
        finally:
            bench.kill()
    assert 1 <= len(rows) < 3 and rows[0]['hard']['host_ns']['median'] > 0, rows


def a_full_stdout_is_said():
    if not os.path.exists('/dev/full'):
        raise tap.Skip('there is no /dev/full')
    programs = (BENCH, ('bench', '--list'), ('devices',), ('devices', '--as', CAPABILITIES), ('run', LAYER), ANALYZE, ('digits', '--all'),
                ('classify', '--check', MODEL), ('devices', '--as', CAPABILITIES, '--json', '-'), (*ANALYZE, '--json', '-'), ('embed',),
                COMPARE, REPORT)
    for program in programs:
        with open('/dev/full', 'wb') as full:
            _, messages = run(*program, status=1, stdout=full)
        lines = [line for line in messages.splitlines() if 'cannot be written' in line]
        assert len(lines) == 1 and lines[0].startswith('smoe-%s: ' % program[0]) and lines[0].endswith(': No space left on device'), (
            program, messages)


def a_closed_stdout_becomes_no_file():
    path = path_of('closed.json')
    _, messages = run(*BENCH, '--json', path, status=1, stdout=None, preexec_fn=lambda: os.close(1))
    assert 'smoe-bench: standard output cannot be written: Bad file descriptor' in messages, messages
    assert len(json.loads(read(path))['rows']) == 1, 'the table went into the file'


NO_DEV_NULL = r'''
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int open(const char *name, int flags, ...)
{
    errno = EACCES;
    return strcmp(name, "/dev/null") == 0 ? -1 : (int)syscall(SYS_openat, AT_FDCWD, name, flags, 0600);
}

int open64(const char *name, int flags, ...)
{
    return open(name, flags);
}
'''


def a_closed_stream_that_nothing_can_replace_is_said():
    if tap.SANITIZE:
        raise tap.Skip('a sanitizer has to be loaded first')
    tap.needs_its_own_place(BIN + 'devices')
    shim = path_of('no_dev_null.so')
    subprocess.run([tap.CC, '-shared', '-fPIC', '-x', 'c', '-', '-o', shim], input=NO_DEV_NULL, encoding='utf-8', check=True)
    programs = [path[len(BIN):] for path in sorted(glob.glob(BIN + '*'))]
    assert programs
    for program in programs:
        _, messages = run(program, status=1, env={**os.environ, 'LD_PRELOAD': shim}, stdout=None, preexec_fn=lambda: os.close(1))
        assert messages == 'smoe-%s: /dev/null cannot be opened in place of a closed stream: Permission denied\n' % program, messages


def any_name_stays_on_its_line():
    def named(name, source):
        return shutil.copy(source, path_of(name + '\x1b[1m\n'))
    layer, device, plain = named('layer', LAYER), named('device', CAPABILITIES), path_of('plain\x1b[1m\n')
    run('run', layer, '--write', plain)
    for program, count in ((('run', layer), 1), (('run', layer, '--x', layer), 1), (('run', layer, layer), 4),
                           (('devices', '--as', device), 1), (('analyze', 'cost', named('smooth', SMOOTH)), 1)):
        output, messages = run(*program)
        assert output.count('\\x1b[1m\\n') == count and '\x1b' not in output + messages, (program, output, messages)
    for program in (('run', '--check', plain), ('run', layer, '--x', named('model', MODEL)), ('digits', '--model', layer),
                    ('digits', '--data', layer), ('analyze', 'cost', layer)):
        _, messages = run(*program, status=2)
        lines = messages.splitlines()
        assert lines and all('\\x1b[1m\\n: ' in line and '\x1b' not in line for line in lines), (program, messages)


def stdout_has_several_names():
    for name in ('-', '/dev/stdout'):
        output, table = run(*BENCH, '--json', name)
        assert len(json.loads(output)['rows']) == 1 and 'hard' in table, (name, output, table)
        refused('--dump: is written again for each row', *BENCH, '--dump', name)
    picture, file = path_of('named.png'), path_of('by name')
    pictures.write_png(picture, 8, 8, pictures.noise(1, 8, 8))
    for program, begin, text in ((('run', LAYER, '--out'), b'{"__metadata__"', 'experts       busiest'),
                                 (('run', LAYER, '--write'), b'{"__metadata__"', 'experts       busiest'),
                                 (('classify', '--check', MODEL, '--out'), b'{"logits"', 'the best class agrees'),
                                 (('classify', '--model', MODEL, picture, '--out'), b'{"__metadata__"', 'time per picture'),
                                 (('classify', '--model', MODEL, picture, '--report'), b'<!doctype html>', ': 1 picture, ')):
        if os.path.exists(file):
            os.remove(file)
        run(*program, file)
        for stdout in to_every_stdout(program, text):
            data = stdout if program[-1] == '--report' else stdout[8:]
            assert data.startswith(begin) and (program[-1] == '--report' or stdout == read(file)), (program, stdout[:200])


def to_every_stdout(program, text):
    """What a program writes to a pipe, a socket, and a file, behind what is there; its text is on stderr. A pipe gets both names; a socket
    gets the second, by which Linux does not open one."""
    ours, theirs = socket.socketpair()
    with ours, theirs, open(path_of('result'), 'w+b', buffering=0) as result:
        result.write(b'before')
        for name, stdout in (('-', subprocess.PIPE), ('/dev/stdout', subprocess.PIPE), ('/dev/stdout', theirs), ('-', result)):
            done = subprocess.run(command(*program, name), stdout=stdout, stderr=subprocess.PIPE, check=True)
            assert text in done.stderr.decode(), (program, done.stderr)
            if stdout is subprocess.PIPE:
                yield done.stdout
        theirs.close()
        yield b''.join(iter(lambda: ours.recv(65536), b''))
        data = read(path_of('result'))
        assert data.startswith(b'before'), data[:20]
        yield data[len(b'before'):]


tap.run([what_is_read_is_not_overwritten, no_file_of_a_checkpoint_is_overwritten, no_output_is_named_twice,
         what_is_of_another_kind_is_not_overwritten, what_may_not_be_written_is_said_before_anything_runs,
         a_file_is_replaced_whole, a_file_keeps_its_group_or_none_has_access, a_write_that_fails_leaves_the_old_file,
         without_a_device_a_run_fails, a_benchmark_keeps_what_it_has_measured, a_full_stdout_is_said,
         a_closed_stdout_becomes_no_file, a_closed_stream_that_nothing_can_replace_is_said,
         any_name_stays_on_its_line, stdout_has_several_names])
