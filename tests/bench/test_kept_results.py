"""bench/results: what is kept there is whole, its answers were good, nothing in it is private, and the page is what update.py writes."""
import glob
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

PROGRAM = tap.BUILD + '/bin/smoe-bench'
PATHS = sorted(glob.glob('bench/results/*/*.json'))
# Folders of Unix and Windows, addresses of mail and of networks.
PRIVATE = re.compile(r'''(?<![\w/])/(?:home|root|Users|tmp|var|usr|opt|mnt|media|srv|work)/|[A-Za-z]:\\\\|\\\\\\\\|[\w.]+@[\w.]+\.\w+
                         |(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])''', re.VERBOSE)


def they_are_whole_and_good():
    assert PATHS
    for path in PATHS:
        with open(path, encoding='utf-8') as file:
            document = json.load(file)
        assert document['format'] == 1 and document['run']['finished'] and document['rows'] and document['devices'], path
        assert not str(document['program']['commit']).endswith('-dirty'), path
        for row in document['rows']:
            for run in (row.get('hard'), row.get('smooth')):
                assert not run or 'unsupported' in run or run.get('not_checked') or run['check']['good'], (path, row)
    tap.outputs(PROGRAM, 'compare', *PATHS)


def nothing_private_is_in_them():
    for example in ('/home/anne/y', 'C:' + '\\\\Users', 'anne@example.org', '192.168.0.1'):
        assert PRIVATE.search(example), example
    for path in PATHS:
        with open(path, encoding='utf-8') as file:
            found = PRIVATE.search(file.read())
        assert not found, (path, found)
        assert re.fullmatch(r'bench/results/[a-z0-9-]+/[a-z0-9.-]+\.json', path), path


def the_page_is_what_is_written():
    run = subprocess.run([sys.executable, 'bench/results/update.py', '--check', '--program', PROGRAM], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, encoding='utf-8')
    assert run.returncode == 0, run.stdout


tap.run([they_are_whole_and_good, nothing_private_is_in_them, the_page_is_what_is_written])
