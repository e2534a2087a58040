"""What `scons demo photos=FOLDER` does after the digits."""
import os
import subprocess
import sys

HINT = 'scons demo photos=FOLDER also classifies photographs: those of a folder, or of folders named airplane, automobile, ...'


def command(program, folder):
    """A folder of pictures gets answers; one that has nothing but folders gets the accuracy, each being named by its class."""
    with os.scandir(folder) as entries:
        folders = [entry.is_dir() for entry in entries if not entry.name.startswith('.')]
    return [program] + (['--batch'] if folders and all(folders) else []) + [folder]


def find(folder):
    """The folder as the user meant it, '' for none; an error ends the build before it begins."""
    path = os.path.abspath(os.path.expanduser(folder)) if folder else ''
    if path and not os.path.isdir(path):
        print('photos=%s: there is no such folder' % folder)
        sys.exit(2)
    return path


def classify(runner, program, path):
    """The exit status of smoe-classify; runner: as Target's."""
    sys.stdout.flush()
    return subprocess.run(runner + command(program, path)).returncode if path else print(HINT) or 0
