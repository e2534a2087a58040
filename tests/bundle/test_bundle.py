"""What `scons bundle` packs, and its run.sh: nothing is needed that a machine with a GPU may lack; a step that hangs, fails or crashes
stops no other; and whatever ends it, what was measured is there. With programs that only seem to be ours, but for one short run."""
import getpass
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import types

sys.path[1:1] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'), 'site_scons']
import bundle
import tap

PACKED = tap.BUILD + '/bundle'
scratch = tempfile.TemporaryDirectory()
LINUX, MAC = types.SimpleNamespace(system='linux', cross=''), types.SimpleNamespace(system='darwin', cross='')


def packed():
    if not os.path.exists(PACKED + '/about.txt'):
        raise tap.Skip('this build packs no bundle: it is made on Linux on x86-64')
    return PACKED


# ---- what is packed

def it_needs_an_old_c_library_and_no_other():
    problems = list(bundle.wrong(packed()))
    newer = tuple(map(int, re.findall(r'\d+', os.confstr('CS_GNU_LIBC_VERSION'))[:2])) > (2, 36)
    if newer and problems and all(' of libc.so.6: ' in problem or ' of libm.so.6: ' in problem for problem in problems):
        raise tap.Skip('the C library here is newer than those that bundles are made with: ' + problems[0])
    assert not problems, '\n'.join(problems)
    programs = bundle.files_of(packed() + '/bin') + bundle.files_of(packed() + '/check')
    assert len(programs) > 15 and all('libc.so.6' in bundle.Needs(path).versions for path in programs), programs


def needs_and_sizes_that_are_wrong_are_found():
    folder = os.path.join(scratch.name, 'wrong')
    os.makedirs(folder + '/lib')
    os.mkdir(folder + '/bin')
    source = 'unsigned arc4random(void); char *cJSON_Version(void); int main(void) { return arc4random() && cJSON_Version(); }'
    tap.outputs(tap.CC, '-x', 'c', '-', '-o', folder + '/bin/new', '-lcjson', input=source)
    # arc4random came with glibc 2.36
    assert sorted(bundle.wrong(folder)) == ['bin/new needs GLIBC_2.36 of libc.so.6: build on Debian 12 or Ubuntu 22.04',
                                            'bin/new needs libcjson.so.1']
    for library in bundle.other_libraries(folder + '/bin/new'):
        shutil.copy(library, folder + '/lib')
    os.truncate(tap.script(folder, 'large', ''), bundle.MOST_BYTES)
    problems = '\n'.join(bundle.wrong(folder))
    assert 'libcjson' not in problems and re.search(r'^has 50\d{6} bytes, and may have 49999999$', problems, re.MULTILINE), problems
    assert not bundle.is_old_enough('GLIBC_ABI_DT_RELR') and bundle.is_old_enough('GLIBC_2.2.5') and bundle.is_old_enough('GLIBC_2.34')


def a_bundle_without_some_kernels_is_refused():
    assert bundle.refusal(LINUX, [], []) == '' and bundle.refusal(LINUX, [], ['a', 'b']).startswith('a, b not in this build: ')
    for system, sanitizers in ((MAC, []), (LINUX, ['address']), (types.SimpleNamespace(system='linux', cross='aarch64-linux-gnu'), [])):
        assert 'is made on Linux on x86-64' in bundle.refusal(system, sanitizers, []), system


# ---- run.sh

# Does what is asked for at once, where the files that it is given are there.
FAKE = '''#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
    --json) echo '{}' >"$2" ;;
    golden/* | models/* | shaders/*) [ -f "$1" ] || exit 9 ;;
    esac
    shift
done
echo "0: a device of $0"
'''


def fake(**programs):
    """A folder like the packed one whose programs are scripts. programs: text in place of FAKE's, by name."""
    folder = tempfile.mkdtemp(dir=scratch.name)
    for place in ('bin', 'check'):
        os.mkdir('%s/%s' % (folder, place))
        for path in glob.glob('%s/%s/*' % (packed(), place)):
            name = os.path.basename(path)
            text = programs.get(name.replace('-', '_'))
            tap.script('%s/%s' % (folder, place), name, '#!/bin/sh\n%s\n' % text if text else FAKE)
    for name in ('run.sh', 'about.txt'):
        shutil.copy('%s/%s' % (packed(), name), folder)
    for name in ('lib', 'golden', 'models', 'shaders'):
        os.symlink('%s/%s' % (packed(), name), '%s/%s' % (folder, name))
    return folder


def strict_bench():
    """A fake of smoe-bench that refuses what the real one does: --list has that read its command line, and no more."""
    return '%s/bin/smoe-bench "$@" --list >/dev/null || exit\n%s' % (packed(), FAKE)


def start(folder, *arguments):
    return subprocess.Popen([folder + '/run.sh', *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8')


def run(folder, *arguments, status=0):
    process = start(folder, '-o', folder + '/out', *arguments)
    output, errors = process.communicate()
    assert process.returncode == status and not errors, (process.returncode, output, errors)
    assert read(folder + '/out/summary.txt') == output
    return output


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def archived(folder):
    """The files of results.tar.gz, by name."""
    with tarfile.open(folder + '/out/results.tar.gz') as archive:
        members = archive.getmembers()
        assert all((one.uid, one.gid, one.uname, one.gname) == (0, 0, '', '') for one in members), members
        return {one.name: archive.extractfile(one).read().decode() for one in members if one.isfile()}


def bad_steps_are_named_and_stop_no_other():
    folder = fake(smoe_bench=strict_bench(), test_layer='exec sleep 1000', test_masked='kill -SEGV $$', smoe_digits='echo oh no; exit 3',
                  test_tiers="trap '' TERM; while :; do sleep 1; done",
                  test_stages='kill -STOP $PPID; exec sleep 20')  # as if it could not be ended: nobody notices that its time is over
    os.remove(folder + '/bin/smoe-embed')
    tap.script(folder, 'moe_peer', '#!/bin/sh\necho "$@"; echo "median 2 us min 1 us"\n')
    output = run(folder, '-t', '40', status=1)
    rows = dict(re.findall(r'^ *\d+ s  (\S+) +(.*)$', output, re.MULTILINE))
    bad = {name: verdict for name, verdict in rows.items() if verdict != 'ok'}
    assert bad == {'check_layer': 'STOPPED after 3 s, its share', 'check_masked': 'CRASHED with signal 11',
                   'check_tiers': 'STOPPED after 3 s, its share, by force', 'digits': 'FAILED with exit status 3',
                   'check_stages': 'STOPPED after 3 s, its share, by force', 'embed': 'FAILED with exit status 127'}, bad
    assert '      oh no\n' in output and 'no time was left' not in output, output
    assert output.splitlines()[0] == read(packed() + '/about.txt').strip(), output
    assert {'devices', 'capabilities', 'golden', 'peaks', 'olmoe-mixed', 'olmoe', 'types-of-4-bits', 'statistics',
            'classifiers'} < set(rows), rows
    assert re.search(r'^ended after \d+ s of 40: %d good, 3 failed or crashed, 3 stopped at their share$' % (len(rows) - 6), output,
                     re.MULTILINE), output
    files = archived(folder)
    assert files['summary.txt'] == output and {'parts/%s.txt' % name for name in rows} < set(files), files.keys()
    assert output.count('-other ') == output.count('median 2 us min 1 us') == 30, output
    assert files['parts/peer-8-2-1024-2048-32-q4_0-1-other.txt'].startswith('Vulkan0 8 2 1024 2048 32 q4_0 late '), files
    assert files['parts/olmoe.json'] == '{}\n' and folder not in '\n'.join(files.values())
    assert sorted(os.listdir(folder + '/out')) == ['parts', 'results.tar.gz', 'summary.txt']


def every_type_with_scales_is_timed():
    script, timed = read('bench/bundle/run.sh'), set()
    for line in re.findall(r'^    types \S+ \d+ \S+ (\S+)$', script, re.MULTILINE):
        timed |= set(line.split(','))
    known = tap.outputs(tap.BUILD + '/bin/smoe-bench', '--preset', 'tiny', '--weights', 'all', '--tokens', '1', '--memory', '1e-9',
                        '--no-peak', '--format', 'jsonl')[0].splitlines()
    names = {json.loads(line)['weights'] for line in known[2:]}
    assert 'mxfp4' in names and names - timed == {'f32', 'bf16'}, (names, timed)


def wait_for(path, text):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if os.path.exists(path) and text in read(path):
            return
        time.sleep(0.02)
    raise AssertionError('%s never had %s' % (path, text))


def what_was_measured_outlasts_an_end():
    """SIGKILL leaves all of the steps before, and what the step that was on had written; other signals are answered at once."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        folder = fake(test_cooperative='echo $PPID >%s; echo begun; exec sleep 1000' % os.path.join(scratch.name, 'timeout'))
        process = start(folder, '-o', folder + '/out')
        wait_for(folder + '/out/parts/check_cooperative.txt', 'begun')
        process.send_signal(number)
        begin = time.monotonic()
        output, _ = process.communicate() if number == signal.SIGTERM else (read(folder + '/out/summary.txt'), process.wait())
        assert time.monotonic() - begin < 20 and process.returncode == (1 if number == signal.SIGTERM else -number)
        files = archived(folder)
        assert re.findall(r' s  (\S+) +ok', output) == ['devices', 'capabilities', 'golden'], output
        assert {'summary.txt', 'parts/devices.txt', 'parts/device.json', 'parts/golden.txt'} <= set(files)
        assert ('interrupted after ' in output) == (number == signal.SIGTERM) and files['summary.txt'] == output, output
        if number == signal.SIGKILL:  # the step has its own clock, and ends by it; here it is not waited for
            os.kill(int(read(os.path.join(scratch.name, 'timeout'))), signal.SIGTERM)


def time_ends_it():
    folder = fake(smoe_bench='sleep 3')
    begin = time.monotonic()
    output = run(folder, '-t', '8')
    assert time.monotonic() - begin < 9, output
    assert re.search(r'^no time was left for \d+ steps, from \S+ on\nended after [5-8] s of 8: ', output, re.MULTILINE), output


def without_a_device_it_ends():
    output = run(fake(smoe_devices='exit 0'), status=1)
    assert 'no Vulkan device: ' in output and 'golden' not in output, output


def command_lines_that_cannot_be_obeyed_are_refused():
    folder = fake()
    for arguments in (('-t', '4'), ('-t', '1e3'), ('-t', '086'), ('-d', 'llvm'), ('-o', ''), ('-x',), ('more',), ('-o', folder)):
        process = start(folder, *arguments)
        output, errors = process.communicate()
        assert process.returncode == 2 and not output and errors.splitlines()[-1].startswith('run.sh: '), (arguments, output, errors)
    assert not glob.glob(folder + '/results-*')
    assert 'usage: run.sh' in tap.command(folder + '/run.sh', '-h')


def a_short_run_on_the_device_at_hand():
    folder = os.path.join(scratch.name, 'real')
    shutil.copytree(packed(), folder)
    run(folder, '-t', '10', *(['-d', os.environ['SMOE_TEST_DEVICE']] if os.environ.get('SMOE_TEST_DEVICE', '').isdigit() else []))
    files = archived(folder)
    assert re.search(r'^ +\d+ s  devices +ok\n +0: ', files['summary.txt'], re.MULTILINE), files['summary.txt']
    device = json.loads(files['parts/device.json'])
    assert device['name'] in files['summary.txt'], device
    tap.command(tap.BUILD + '/bin/smoe-devices', '--as', folder + '/out/parts/device.json')
    assert re.search(r'^ +\d+ s  golden +(ok|STOPPED)', files['summary.txt'], re.MULTILINE), files['summary.txt']
    everything = '\n'.join(files.values())
    private = [scratch.name, os.path.expanduser('~') + '/', *(name for name in (socket.gethostname(), getpass.getuser())
                                                              if name not in ('localhost', 'root'))]
    assert not [text for text in private if re.search(r'\b%s\b' % re.escape(text), everything)], everything


tap.run([it_needs_an_old_c_library_and_no_other, every_type_with_scales_is_timed, needs_and_sizes_that_are_wrong_are_found,
         a_bundle_without_some_kernels_is_refused,
         bad_steps_are_named_and_stop_no_other, what_was_measured_outlasts_an_end, time_ends_it,
         without_a_device_it_ends, command_lines_that_cannot_be_obeyed_are_refused, a_short_run_on_the_device_at_hand])
