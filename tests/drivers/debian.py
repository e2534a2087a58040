"""Debian packages without installing them: an apt of its own beside the system's, which downloads what Debian has signed, and dpkg-deb
to unpack it into a folder."""
import concurrent.futures
import contextlib
import errno
import functools
import glob
import os
import re
import shutil
import subprocess

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
# What apt says where it is the mirror's fault, or the network's, unless the rest of the line tells of a disk.
MIRROR = r'Failed to fetch|have a Release file|Unable to (locate|find)|No packages found|held broken packages'
DISK = '|'.join(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)))


class Failure(Exception):
    """Its text says what is missing, and what to do about it."""


class Unavailable(Failure):
    """The mirror is out of reach, or has no such package: nothing that is wrong here."""


def run(command, **options):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, **options)
    except OSError as error:
        raise Failure('%s: %s' % (command[0], error.strerror))
    if done.returncode != 0:
        raise Failure('%s: exit status %d\n%s' % (' '.join(command), done.returncode, done.stdout.strip()))
    return done.stdout


@contextlib.contextmanager
def all_or_nothing(target):
    """Gives a new folder, which takes target's place unless an exception leaves `with`."""
    unfinished = target + '.unfinished'
    shutil.rmtree(unfinished, ignore_errors=True)
    os.makedirs(unfinished)
    try:
        yield unfinished
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    shutil.rmtree(target, ignore_errors=True)
    os.rename(unfinished, target)


def find_mirror():
    """SMOE_DEBIAN_MIRROR, or where the system's own packages of Debian come from, as apt knows it, or Debian's own."""
    if os.environ.get('SMOE_DEBIAN_MIRROR'):
        return os.environ['SMOE_DEBIAN_MIRROR']
    try:
        told = run(['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Origin: Debian', 'Label: Debian'])
    except Failure:
        told = ''
    found = re.search(r'^(?!cdrom:)[a-z+]+:\S+$', told, re.MULTILINE)
    return found.group(0).rstrip('/') if found else 'http://deb.debian.org/debian'


def is_version(version, wanted):
    """Whether a package's version is of the upstream version that is wanted; '' is any."""
    upstream = re.sub(r'^\d+:', '', version)
    return not wanted or upstream == wanted or bool(re.match(re.escape(wanted) + r'[-+~.]', upstream))


def newest(versions):
    def order(one, other):
        return 1 if subprocess.run(['dpkg', '--compare-versions', one, 'gt', other]).returncode == 0 else -1
    return max(versions, key=functools.cmp_to_key(order))


class Apt:
    """The packages of some of Debian's suites, for one architecture, as if nothing were installed. `with` removes its folder at the end,
    whatever the end is."""

    def __init__(self, folder, mirror, suites, architecture='amd64', release=None):
        if not os.path.isfile(KEYRING):
            raise Failure('%s not found: install the package debian-archive-keyring' % KEYRING)
        self.folder, self.mirror, self.suites, self.release = os.path.abspath(folder), mirror, suites, release or suites[0]
        for name in ('lists/partial', 'cache/archives/partial'):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        with open(os.path.join(self.folder, 'sources.list'), 'w', encoding='utf-8') as file:
            for suite in suites:
                for kind in ('deb', 'deb-src'):
                    file.write('%s [signed-by=%s] %s %s main\n' % (kind, KEYRING, mirror, suite))
        open(os.path.join(self.folder, 'status'), 'w').close()
        settings = {'Dir::Etc::SourceList': 'sources.list', 'Dir::Etc::SourceParts': '/dev/null', 'Dir::State::Lists': 'lists',
                    'Dir::Cache': 'cache', 'Dir::State::status': 'status'}
        self.options = ['-qq'] + ['-o%s=%s' % (key, os.path.join(self.folder, value)) for key, value in settings.items()]
        self.options += ['-oDebug::NoLocking=1', '-oAPT::Sandbox::User=root', '-oAcquire::Languages=none', '-oAcquire::Retries=3',
                         '-oAPT::Get::AllowUnauthenticated=0', '-oAPT::Architecture=' + architecture,
                         '-oAPT::Architectures=' + architecture, '-oAPT::Default-Release=' + self.release]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def call(self, *arguments, **options):
        """A failure is one line; what apt says is read, and so is not translated."""
        try:
            return run([arguments[0]] + self.options + list(arguments[1:]), env={**os.environ, 'LC_ALL': 'C'}, **options)
        except Failure as failure:
            told = [line[3:] for line in str(failure).splitlines() if line.startswith(('E: ', 'W: '))]
            if not told:
                raise
            of_mirror = any(re.search(MIRROR, line) for line in told) and not any(re.search(DISK, line) for line in told)
            raise (Unavailable if of_mirror else Failure)('%s (%s): %s' % (self.mirror, ', '.join(self.suites), told[0]))

    def update(self):
        """Left to itself, apt takes a mirror that cannot be reached for a warning, and the packages would seem to be missing."""
        self.call('apt-get', 'update', '-oAPT::Update::Error-Mode=any')

    def check(self, package, wanted):
        """The version that the mirror has. wanted: the upstream version, or '' for any."""
        found = re.search(r'^ *Candidate: (\S+)', self.call('apt-cache', 'policy', package), re.MULTILINE)
        version = found.group(1) if found else '(none)'
        if version == '(none)' or not is_version(version, wanted):
            raise Unavailable('%s: %s of %s is wanted, %s (%s) has %s' % (
                package, wanted or 'any version', self.release, self.mirror, ', '.join(self.suites), version.replace('(none)', 'none')))
        return version

    def unpack(self, packages, target, dependencies=False):
        """Into target, which they replace."""
        archives = os.path.join(self.folder, 'cache/archives')
        if dependencies:
            self.call('apt-get', 'install', '--yes', '--download-only', '--no-install-recommends', *packages)
        else:
            self.call('apt-get', 'download', *packages, cwd=archives)
        found = glob.glob(glob.escape(archives) + '/*.deb')
        with all_or_nothing(target) as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(lambda path: run(['dpkg-deb', '--extract', path, folder]), found))
        for path in found:
            os.remove(path)

    def source(self, package, version):
        """The path of a source package's upstream archive."""
        self.call('apt-get', 'source', '--download-only', '%s=%s' % (package, version), cwd=self.folder)
        found = glob.glob('%s/%s_*.orig.tar.*z' % (glob.escape(self.folder), package))
        if not found:
            raise Failure('%s: its source package has no upstream archive' % package)
        return found[0]

    def source_version(self, package, wanted):
        """The newest version of a source package that the mirror has. wanted: as of check."""
        versions = re.findall(r'^Version: (\S+)', self.call('apt-cache', 'showsrc', package), re.MULTILINE)
        good = [version for version in versions if is_version(version, wanted)]
        if not good:
            raise Unavailable('%s: source %s of %s is wanted, %s has %s' % (package, wanted or 'any version', self.release, self.mirror,
                                                                         ', '.join(versions) or 'none'))
        return newest(good)
