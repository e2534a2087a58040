"""Runs `compile` on every device and gathers what it says. A driver that crashes takes its process along and nothing else: the pipeline is
tried once more in another process, then noted, and the rest goes on without it. Results are kept by what they depend on (shader,
constants, driver, SOURCES), so that only what has changed is compiled again; a crash or a refusal is not kept, since it may have had
another cause."""
import hashlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
# What a result depends on besides the pipeline's key and the driver: what is measured and how, pipelines' layouts, devices' features.
SOURCES = ('tests/drivers/pipelines.c', 'tests/drivers/pipeline_key.c', 'tests/drivers/statistics.c', 'tests/drivers/shader_file.c',
           'src/objects/context.c', 'src/vulkan/pipeline.c', 'src/vulkan/features.h', 'src/vulkan/features.c', 'src/device/device.c')
PATIENCE = 900         # seconds that one pipeline may take, under emulation on a busy machine
MOST_CRASHES = 40      # of one device
INTERRUPTS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)  # of the whole process group: no driver's doing


def read_json(path):
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def sources_digest():
    digest = hashlib.sha256()
    for path in SOURCES:
        with open(os.path.join(ROOT, path), 'rb') as file:
            digest.update(file.read())
    return digest.hexdigest()


def driver_identity(device, folder):
    """What a result depends on besides the pipeline; the rest the device tells itself."""
    states = [read_json(os.path.join(folder, 'state', part + '.json')) for part in device.parts()]
    return [sources_digest(), device.name, device.variables] + states


class Results:
    """One device's. pipelines: what `compile` lists, with `result` and `executables`, or `crashed`; rows: kernel -> bits of capabilities
    that the device lacks for it; refused: shape or shader -> reason; unusable: why the library does not use the device."""

    def __init__(self, device):
        self.device, self.header, self.rows, self.embedded = device, {}, {}, {}
        self.pipelines, self.refused, self.unusable, self.failed = {}, {}, '', ''
        self.compiled, self.seconds = 0, 0.0


def lines_of(process, patience):
    """Lines of JSON, of a process that is killed when it is silent for too long. Drivers print too: what is no object is theirs."""
    buffered = b''
    while True:
        if not select.select([process.stdout], [], [], patience)[0]:
            process.kill()
            yield {'silent': True}
            return
        data = os.read(process.stdout.fileno(), 1 << 16)
        if not data:
            return
        *complete, buffered = (buffered + data).split(b'\n')
        for line in complete:
            try:
                value = json.loads(line.decode('utf-8', 'replace'))
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def run_once(results, command, environment, kept, crashed, suspected):
    """One process over the device, which adds to `kept`, `crashed` and `suspected`. Whether another is to go on behind a crash. A first
    crash makes a pipeline suspected only: the memory that a stand-in for a kernel's driver has for one process may have been used up."""
    begun, done, silent = '', False, False
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, env=environment)
        except OSError as error:
            results.failed = '%s: %s' % (command[0], error.strerror)
            return False
        for line in lines_of(process, PATIENCE):
            if 'device' in line:
                results.header = line
            elif 'row' in line:
                results.rows[line['row']], results.embedded[line['row']] = line['missing'], line['embedded']
            elif 'key' in line:
                begun = line['key']
                results.pipelines[begun] = {**line, **kept.get(begun, {}), **crashed.get(begun, {})}
            elif 'compiled' in line:
                kept[line['compiled']] = {name: line[name] for name in ('result', 'executables', 'matrix_instructions') if name in line}
                results.pipelines[line['compiled']].update(kept[line['compiled']])
                results.compiled += 1
            elif 'refused' in line:
                results.refused[line['refused']] = line['reason']
            elif 'unusable' in line:
                results.unusable = line['unusable']
            done, silent = done or 'done' in line, silent or 'silent' in line
        status = process.wait()
        errors.seek(0)
        last = errors.read().decode('utf-8', 'replace').strip().splitlines()[-1:]
    number = -status if status < 0 else status - 128
    if number in INTERRUPTS:
        raise KeyboardInterrupt
    if done and status == 0:
        return False
    if not done and begun and begun not in kept and begun not in crashed:
        if begun not in suspected and not silent:
            suspected.add(begun)
            return True
        what = signal.Signals(number).name if number in signal.Signals._value2member_map_ else 'exit status %d' % status
        crashed[begun] = {'crashed': 'no end after %d s' % PATIENCE if silent else what}
        results.pipelines[begun].update(crashed[begun])
        return True
    results.failed = 'exit status %d: %s' % (status, ' '.join(last) or 'nothing on stderr')
    return False


def write_kept(path, identity, results, kept):
    """Without the refused: they may have had no memory, for once."""
    kept = {key: value for key, value in kept.items() if value['result'] == 0}
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + '.new', 'w', encoding='utf-8') as file:
        json.dump({'identity': identity, 'header': results.header, 'pipelines': kept}, file)
    os.rename(path + '.new', path)


def collect(device, folder, program, arguments, kept_in=None, whole=False):
    """Every pipeline of a device, from the kept results where nothing has changed. kept_in: the folder of those. whole: the arguments list
    all there is, so that what they do not list is dropped: it is of shaders that are gone. Interrupts raise KeyboardInterrupt."""
    begin, results = time.monotonic(), Results(device)
    path = os.path.join(kept_in or os.path.join(folder, 'results'), device.name + '.json')
    environment = {**os.environ, **device.environment(folder)}
    for name in ('LD_PRELOAD', 'VK_INSTANCE_LAYERS', 'VK_LOADER_LAYERS_ENABLE'):
        environment.pop(name, None)
    identity = hashlib.sha256(json.dumps(driver_identity(device, folder), sort_keys=True).encode()).hexdigest()
    stored = read_json(path)
    if stored.get('identity') != identity:
        stored = {}
    kept, header, crashed, suspected = stored.get('pipelines', {}), stored.get('header'), {}, set()
    for _ in range(MOST_CRASHES):
        with tempfile.NamedTemporaryFile('w', suffix='.keys') as known:
            known.write('\n'.join([*kept, *crashed]))
            known.flush()
            command = device.command([os.path.abspath(program), '--known', known.name] + arguments, folder)
            again = run_once(results, command, environment, kept, crashed, suspected)
        if header and results.header and results.header != header:  # the system's driver has another version
            header, kept, crashed, results.failed = None, {}, {}, ''
            results.pipelines.clear()
        elif not again:
            break
    else:
        results.failed = 'more than %d crashes' % (MOST_CRASHES - 1)
    results.seconds = time.monotonic() - begin
    if results.header and not results.failed:
        write_kept(path, identity, results, {key: value for key, value in kept.items() if not whole or key in results.pipelines})
    return results
