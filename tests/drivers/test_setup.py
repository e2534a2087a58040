"""What tests/drivers/setup.py promises of versions, mirrors and failures, and of the folder's place. Nothing is downloaded."""
import contextlib
import io
import os
import shutil
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap

import debian
import devices
import setup
import shims

SETUP = 'tests/drivers/setup.py'
NOWHERE = 'http://mirror.invalid/debian'
RELEASE = 'Origin: %s\nLabel: %s\nCodename: bookworm\nArchitectures: amd64\nSHA256:\n'


def need(*programs, keyring=True):
    """What only Debian's relatives have."""
    for program in programs:
        if not shutil.which(program):
            raise tap.Skip(program + ' not found')
    if keyring and not os.path.isfile(debian.KEYRING):
        raise tap.Skip(debian.KEYRING + ' not found')


@contextlib.contextmanager
def environment(name, value):
    old = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if old is not None:
            os.environ[name] = old


@contextlib.contextmanager
def stand_in_apt(showsrc='', policy='', get=''):
    """A folder, and in PATH before the system's an apt that has what is said. get: what apt-get does, by the shell."""
    with tempfile.TemporaryDirectory() as folder, environment('PATH', folder + os.pathsep + os.environ['PATH']):
        tap.script(folder, 'apt-get', '#!/bin/sh\n%s\n' % get)
        tap.script(folder, 'apt-cache', '#!/bin/sh\ncase "$*" in *showsrc*) printf "%s";; *) printf "%s";; esac\n' % (showsrc, policy))
        yield folder


def run_setup(folder, mirror=NOWHERE, status=0):
    return tap.command(sys.executable, SETUP, folder, env={'SMOE_DEBIAN_MIRROR': mirror}, status=status)


def a_mirror_with_another_version_is_refused():
    need()
    with stand_in_apt('Version: 99.1-1\\n', '  Candidate: 1:99.1-1\\n') as folder:
        text = run_setup(folder + '/drivers', status=3)
        assert 'is wanted, http://mirror.invalid/debian' in text and '99.1-1' in text, text
        assert os.listdir(folder + '/drivers/apt') == [], os.listdir(folder + '/drivers/apt')
        assert not os.path.exists(folder + '/drivers/mesa26') and not os.path.exists(folder + '/drivers/state/mesa26.json')


def any_version_is_the_newest():
    need('dpkg')
    with stand_in_apt('Version: 99.9-1\\nVersion: 99.10-1\\nVersion: 25.0.7-2\\n', '  Candidate: 1:99.1-1\\n') as folder:
        apt = debian.Apt(folder + '/apt', NOWHERE, ('trixie',))
        assert apt.source_version('mesa', '') == '99.10-1' and apt.source_version('mesa', '25.0.7') == '25.0.7-2'
        assert apt.check('glslang-tools', '') == '1:99.1-1' == apt.check('glslang-tools', '99.1')
        for wanted in ('99', '99.1', '99.9', '25.0.7'):
            assert debian.is_version(wanted + '-1~bpo', wanted) and not debian.is_version(wanted + '1-1', wanted)


def what_any_version_took_is_made_again_without_it():
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
        os.mkdir(folder + '/tools')
        wanted = {package: version + '-1' for package, version in setup.VERSIONS['tools'].items()}
        setup.Setup(folder, False).finish('tools', wanted)
        assert setup.Setup(folder, False).is_done('tools') and setup.Setup(folder, True).is_done('tools')
        setup.Setup(folder, True).finish('tools', {**wanted, 'glslang-tools': '99.1-1'})
        assert setup.Setup(folder, True).is_done('tools')
        later = setup.Setup(folder, False)
        assert not later.is_done('tools') and not later.done
        later.tell_others()
        assert devices.versions(folder)['tools']['glslang-tools'] == '99.1-1', 'it is there all the same'
        assert 'glslang-tools 99.1-1, spirv-tools' in out.getvalue() and 'not what is wanted now' in out.getvalue(), out.getvalue()


def a_mirror_out_of_reach_is_said_to_be():
    need('apt-get')
    with tempfile.TemporaryDirectory() as folder:
        mirror = 'http://127.0.0.1:9/debian'
        text = run_setup(folder, mirror, status=3)
        assert 'setup.py: %s (' % mirror in text and '): Failed to fetch ' in text and text.count('\n') == 1, text
        assert os.listdir(folder + '/apt') == [], os.listdir(folder + '/apt')


def what_is_wrong_here_is_no_fault_of_the_mirror():
    need()
    away, option = 'Failed to fetch http://x  Could not connect', "Command line option 'x' is not understood"
    full = 'Failed to fetch http://x  Error writing to file - write (28: No space left on device)'
    for first, others, told, status in ((away, away, away, 3), (option, option, option, 1), (away, option, option, 1),
                                        (full, full, '', 1), (away, full, '', 1)):
        text = 'case "$*" in *apt/mesa26*) echo "E: %s";; *) echo "E: %s";; esac; exit 100' % (first, others)
        with stand_in_apt(get=text) as folder:
            text = run_setup(folder + '/drivers', status=status)
            begin, end = ('%s (' % NOWHERE, '): ' + told) if told else (folder + '/drivers: ', 'No space left on device')
            assert text.startswith('setup.py: ' + begin) and text.endswith(end + '\n') and text.count('\n') == 1, text


def a_folder_that_cannot_be_written_is_said_to():
    need()
    with tempfile.NamedTemporaryFile() as file:
        text = run_setup(file.name + '/drivers', status=1)
        assert text.startswith('setup.py: %s/drivers' % file.name) and text.endswith(': Not a directory\n') and text.count('\n') == 1, text


def a_mirror_is_of_debian_where_apt_says_so():
    need('apt-get', keyring=False)
    with tempfile.TemporaryDirectory() as folder, environment('APT_CONFIG', folder + '/conf'), environment('SMOE_DEBIAN_MIRROR', ''):
        os.makedirs(folder + '/lists/partial')

        def mirror(*sources):
            with open(folder + '/conf', 'w', encoding='utf-8') as file:
                file.write('Dir::Etc::SourceList "%s/sources.list";\nDir::Etc::SourceParts "/dev/null";\n' % folder)
                file.write('Dir::State::Lists "%s/lists";\nAPT::Architecture "amd64";\n' % folder)
            with open(folder + '/sources.list', 'w', encoding='utf-8') as file:
                for place, origin, label in sources:
                    file.write('deb [arch=amd64] http://%s bookworm main\n' % place)
                    name = '%s/lists/%s_dists_bookworm_' % (folder, place.replace('/', '_'))
                    with open(name + 'Release', 'w', encoding='utf-8') as release:
                        release.write(RELEASE % (origin, label))
                    open(name + 'main_binary-amd64_Packages', 'w').close()
            return debian.find_mirror()
        others = [('docker.test/linux/debian', 'Docker', 'Docker CE'), ('security.test/debian', 'Debian', 'Debian-Security'),
                  ('another.test/debian', 'Another', 'Debian')]
        assert mirror(*others) == 'http://deb.debian.org/debian', mirror(*others)
        assert mirror(*others, ('mirror.test/pub/deb', 'Debian', 'Debian')) == 'http://mirror.test/pub/deb'


def a_part_that_failed_leaves_nothing_half_made():
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        tap.script(folder, 'false', '#!/bin/sh\nexit 1\n')
        os.mkdir(folder + '/drivers')
        os.mkdir(folder + '/source')
        archive = folder + '/mesa.tar.xz'
        with tarfile.open(archive, 'w:xz') as tar:
            tar.add(__file__, 'mesa/src/util/futex.c')
        for fails in (lambda: shims.unpack_source(archive, folder + '/drivers/mesa'),
                      lambda: shims.build(folder + '/source', folder + '/drivers/shims', folder, ('panfrost',), folder + '/false')):
            try:
                fails()
                assert False, 'no failure'
            except (debian.Failure, OSError):
                assert os.listdir(folder + '/drivers') == [], os.listdir(folder + '/drivers')


def what_has_no_shim_yet_is_not_set_up():
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), \
            environment('PATH', folder + os.pathsep + os.environ['PATH']):
        tap.script(folder, 'aarch64-linux-gnu-gcc', '#!/bin/sh\nexit 1\n')
        arm64 = setup.Setup(folder, True)
        for name in ('arm64/' + setup.LIBRARIES['arm64'], 'qemu', 'mesa'):
            os.makedirs(arm64.path(name))
        open(arm64.path('arm64', setup.LIBRARIES['arm64'], 'libvulkan_panfrost.so'), 'w').close()
        for part in ('arm64', 'qemu'):
            arm64.finish(part, {})
        try:
            arm64.arm64()
            assert False, 'no failure'
        except debian.Failure as failure:
            assert 'exit status 1' in str(failure), failure
        assert sorted(os.listdir(folder)) == ['aarch64-linux-gnu-gcc', 'arm64', 'mesa', 'qemu', 'state'], os.listdir(folder)
        try:
            devices.find('g610').check(folder)
            assert False, 'g610 counts as set up'
        except devices.Missing:
            pass


def in_a_folder_with_a_space(name, told, program, *arguments):
    """As if the drivers had been set up there: their folders, with scripts and manifests as they are written now."""
    class SetUp(setup.Setup):
        def is_done(self, part):
            return True

    def test():
        device = devices.find(name)
        try:
            devices.versions()
            device.check()
        except devices.Missing as missing:
            raise tap.Skip(str(missing))
        if not os.path.exists(program):
            raise tap.Skip('%s not found: run scons drivers' % program)
        with tempfile.TemporaryDirectory(prefix='two words ') as folder:
            for part in setup.VERSIONS:
                os.symlink(os.path.abspath('%s/%s' % (devices.FOLDER, part)), '%s/%s' % (folder, part))
            moved = SetUp(folder, True)
            moved.x86_64()
            if device.part == 'arm64':
                need('aarch64-linux-gnu-gcc', keyring=False)
                moved.arm64()
            text = tap.command(*device.command([program, *arguments], folder), env=device.environment(folder))
            assert told in text, text
            assert tap.command(folder + '/bin/spirv-val', '--version') == tap.command(devices.FOLDER + '/bin/spirv-val', '--version')
    return name + '_in_a_folder_with_a_space', test


def run_ci(scons, setup_status, status):
    """What .ci/run prints where scons is this shell script and the setup of drivers ends with setup_status."""
    with tempfile.TemporaryDirectory() as folder, environment('PATH', folder + os.pathsep + os.environ['PATH']):
        os.makedirs(folder + '/.ci')
        os.makedirs(folder + '/tests/drivers')
        shutil.copy('.ci/run', folder + '/.ci')
        tap.script(folder, 'setup.sh', '#!/bin/sh\n')
        tap.script(folder, 'scons', '#!/bin/sh\n%s\n' % scons)
        tap.script(folder, SETUP, '#!/bin/sh\nexit %d\n' % setup_status)
        return tap.command(folder + '/.ci/run', status=status)


def what_ci_makes_of_each_status():
    for status, end in ((0, '0 passed, 0 failed, 1 skipped'), (3, '0 passed, 0 failed, 2 skipped'),
                        (1, 'FAILED: setup of other drivers: exit status 1\n0 passed, 1 failed, 1 skipped')):
        text = run_ci('echo "scons $*"; echo "all is up to date"', status, int(status == 1))
        assert text.endswith('\n%s\n' % end) and ('driver=swiftshader' in text) == (status == 0), text
        assert ('skipped: everything on other drivers' in text) == (status == 3), text
        assert ('FAILED' in text) == (status == 1), text


def what_failed_in_ci_is_named_at_its_end():
    text = run_ci("""case "$*" in
*sanitize=address*) echo "FAILED: tests/a.c: b: c | d"; echo "1 passed, 1 failed"; exit 1 ;;
*cc=clang*) exit 2 ;;
*) echo "all is up to date" ;;
esac""", 3, 1)
    assert text.endswith('\nFAILED: gcc with sanitizers: tests/a.c: b: c | d\nFAILED: clang: exit status 2\n'
                         '1 passed, 2 failed, 2 skipped\n'), text


tap.run([a_mirror_with_another_version_is_refused, any_version_is_the_newest, what_any_version_took_is_made_again_without_it,
         a_mirror_out_of_reach_is_said_to_be, what_is_wrong_here_is_no_fault_of_the_mirror, a_folder_that_cannot_be_written_is_said_to,
         a_mirror_is_of_debian_where_apt_says_so, a_part_that_failed_leaves_nothing_half_made, what_has_no_shim_yet_is_not_set_up,
         in_a_folder_with_a_space('navi31', 'RADV NAVI31', tap.BUILD + '/bin/smoe-devices'),
         in_a_folder_with_a_space('g610', 'Mali-G610', devices.FOLDER + '/program-arm64/compile', '--none'), what_ci_makes_of_each_status,
         what_failed_in_ci_is_named_at_its_end])
