"""What tests/run.py says of time, on a terminal and at the end, and what it makes of the times of the run before."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap
from runner_project import PASSES, Project


def terminal_shows_a_count_and_the_time_left():
    with Project() as project:
        project.only_tests({'unit/test_a': '', 'unit/test_b': 'import time; time.sleep(1.5)\n'})
        sent = project.run_on_terminal('--jobs', '1')
        for text in ('\r', '1 of 2 test files, about ', ' s left', '2 passed, 0 failed\r\n'):
            assert text in sent, repr(sent)
        shown = re.split(r'[\r\n]+', sent)
        assert not any('left' in line and 'passed' in line for line in shown), 'a line of results has the status in it: %r' % sent
        project.keep_durations({'tests/unit/test_b.py': 600, 'tests/unit/test_a.py': 1})
        sent = project.run_on_terminal('--jobs', '1')
        assert '0 of 2 test files, about 10 min left' in sent, repr(sent)
        for output in (project.run('--jobs', '1')[1], project.run_on_terminal('--only', 'nothing')):
            assert ' left' not in output, repr(output)
        assert '\r' not in project.run()[1]


def longest_start_first():
    with Project() as project:
        project.only_tests({'unit/test_a': '', 'unit/test_b': '', 'unit/test_new': '', 'check/test_c': ''})

        def order():
            return re.findall(r'^tests/\S*test_(\w+)\.py(?: LP_NATIVE_VECTOR_WIDTH=(\d+))?  ', project.run('--jobs', '1')[1], re.MULTILINE)
        check = 'tests/check/test_c.py'
        project.keep_durations({'tests/unit/test_gone.py': 9, 'tests/unit/test_a.py': 1, 'tests/unit/test_b.py': 7,
                                check + ' LP_NATIVE_VECTOR_WIDTH=256': 8, check + ' LP_NATIVE_VECTOR_WIDTH=128': 3})
        assert order() == [('new', ''), ('c', '256'), ('c', '512'), ('b', ''), ('c', '128'), ('a', '')], order()
        with open(project.top + '/build/tests/durations.json', encoding='utf-8') as file:
            kept = json.load(file)
        assert len(kept) == 6 and 'tests/unit/test_gone.py' not in kept and kept['tests/unit/test_b.py'] < 7, kept
        for broken in ('', '[1]', '{"tests/unit/test_a.py": "x"}', '{"tests/unit/test_a.py": null}'):
            project.write('build/tests/durations.json', broken)
            assert len(order()) == 6, broken


def slowest_files_and_kinds_are_listed():
    work = 'import time\ntime.sleep(%s)\nwhile time.process_time() < 0.8: pass\n'
    with Project() as project:
        project.only_tests({'unit/test_%d' % number: '' for number in range(8)})
        project.write('tests/golden/test_some.py', PASSES)
        project.write('tests/samples/test_more.py', work % 0 + PASSES)
        project.write('tests/samples/test_slow.py', work % 2 + 'print("1..1\\nok 1 - x # SKIP reason")\n')
        status, output = project.run('--jobs', '1')
        lines = output.splitlines()
        first = lines.index('slowest files, in seconds of wall and of processor:')
        second = lines.index('seconds of processor by kind:')
        files, kinds = ([line.split() for line in part] for part in (lines[first + 1:second], lines[second + 1:second + 5]))
        seconds = {path: (float(wall), float(processor)) for wall, processor, path in files}
        assert len(files) == 8 and seconds['tests/samples/test_slow.py'] >= (2, 0.8), output
        walls = [wall for wall, _ in seconds.values()]
        assert walls == sorted(walls, reverse=True), output
        assert {kind[-1] for kind in kinds[:3]} == {'samples', 'unit', 'golden'} and kinds[3][-1] == 'all', output
        by_kind = [float(kind[0]) for kind in kinds]
        assert {kind[-1]: seconds for kind, seconds in zip(kinds, by_kind)}['samples'] >= 1.5, output
        assert by_kind[:3] == sorted(by_kind[:3], reverse=True) and abs(sum(by_kind[:3]) - by_kind[3]) < 0.2, output
        assert 98 <= sum(float(kind[1]) for kind in kinds[:3]) <= 102, output
        assert status == 0 and lines[-2:] == ['skipped: tests/samples/test_slow.py: x: reason', '10 passed, 0 failed, 1 skipped'], output


tap.run([terminal_shows_a_count_and_the_time_left, longest_start_first, slowest_files_and_kinds_are_listed])
