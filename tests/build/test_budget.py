"""The budget of CI: each step of .ci/run has a row in docs/testing.md, and what .ci/budget.py says of steps within it and over it."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

with open('docs/testing.md', encoding='utf-8') as file:
    PAGE = file.read()
ROWS = {name: int(seconds) for name, seconds in re.findall(r'^\| ([^|]+) \| (\d+) \|', PAGE, re.MULTILINE)}


def report(steps):
    """What is said of [(name, seconds)]."""
    with tempfile.NamedTemporaryFile('w', encoding='utf-8') as file:
        file.writelines('%s\t%d\n' % step for step in steps)
        file.flush()
        return subprocess.run([sys.executable, '.ci/budget.py', file.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding='utf-8', check=True).stdout


def every_step_has_a_budget():
    with open('.ci/run', encoding='utf-8') as file:
        steps = re.findall(r'^ *(?:step|ended) "([^"$]+)"', file.read(), re.MULTILINE)
    assert len(steps) > 10 and sorted(steps) == sorted(ROWS), (steps, ROWS)
    assert sum(ROWS.values()) <= 30 * 60, 'CI is to take 30 minutes, the budget has %d s' % sum(ROWS.values())


def within_the_budget_nothing_is_said_aloud():
    output = report(ROWS.items())
    assert 'BUDGET' not in output, output
    for name, seconds in ROWS.items():
        assert re.search(r'^%s +%d +%d$' % (re.escape(name), seconds, seconds), output, re.MULTILINE), output
    total = sum(ROWS.values())
    assert re.search('^all +%d +%d$' % (total, total), output, re.MULTILINE), output


def steps_over_it_are_said_aloud():
    output = report([('gcc', ROWS['gcc'] + 1), ('clang', ROWS['clang'])])
    assert [line for line in output.splitlines() if 'BUDGET' in line] == \
        ['OVER BUDGET: gcc took %d s of %d s' % (ROWS['gcc'] + 1, ROWS['gcc'])], output
    total = sum(ROWS.values())
    assert 'OVER BUDGET: all steps took %d s of %d s' % (total + 1, total) in report([('gcc', total + 1)])
    assert 'NO BUDGET: some step: ' in report([('some step', 1)])


tap.run([every_step_has_a_budget, within_the_budget_nothing_is_said_aloud, steps_over_it_are_said_aloud])
