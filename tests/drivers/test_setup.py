"""What tests/drivers/setup.py promises of versions and of mirrors. Nothing is downloaded."""
import contextlib
import io
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap

import debian
import setup

SETUP = 'tests/drivers/setup.py'


@contextlib.contextmanager
def stand_in_apt(showsrc='', policy=''):
    """A folder, and in PATH before the system's an apt that has what is said."""
    with tempfile.TemporaryDirectory() as folder:
        tap.script(folder, 'apt-get', '#!/bin/sh\n')
        tap.script(folder, 'apt-cache', '#!/bin/sh\ncase "$*" in *showsrc*) printf "%s";; *) printf "%s";; esac\n' % (showsrc, policy))
        path = os.environ['PATH']
        os.environ['PATH'] = folder + os.pathsep + path
        try:
            yield folder
        finally:
            os.environ['PATH'] = path


def a_mirror_with_another_version_is_refused():
    with stand_in_apt('Version: 99.1-1\\n', '  Candidate: 1:99.1-1\\n') as folder:
        text = tap.command(sys.executable, SETUP, folder + '/drivers', env={'SMOE_DEBIAN_MIRROR': 'http://mirror.invalid/debian'}, status=1)
        assert 'is wanted, http://mirror.invalid/debian' in text and '99.1-1' in text, text
        assert os.listdir(folder + '/drivers/apt') == [], os.listdir(folder + '/drivers/apt')
        assert not os.path.exists(folder + '/drivers/mesa26') and not os.path.exists(folder + '/drivers/versions.json')


def any_version_is_the_newest():
    with stand_in_apt('Version: 99.9-1\\nVersion: 99.10-1\\nVersion: 25.0.7-2\\n', '  Candidate: 1:99.1-1\\n') as folder:
        apt = debian.Apt(folder + '/apt', 'http://mirror.invalid/debian', ('trixie',))
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
        later.keep_others()
        assert later.done['tools']['glslang-tools'] == '99.1-1', 'it is there all the same'
        assert 'glslang-tools 99.1-1, spirv-tools' in out.getvalue() and 'not what is wanted now' in out.getvalue(), out.getvalue()


def a_mirror_out_of_reach_is_said_to_be():
    with tempfile.TemporaryDirectory() as folder:
        mirror = 'http://127.0.0.1:9/debian'
        text = tap.command(sys.executable, SETUP, folder, env={'SMOE_DEBIAN_MIRROR': mirror}, status=1)
        assert 'setup.py: %s (' % mirror in text and '): Failed to fetch ' in text and text.count('\n') == 1, text
        assert os.listdir(folder + '/apt') == [], os.listdir(folder + '/apt')


tap.run([a_mirror_with_another_version_is_refused, any_version_is_the_newest, what_any_version_took_is_made_again_without_it,
         a_mirror_out_of_reach_is_said_to_be])
