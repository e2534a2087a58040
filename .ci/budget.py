#!/usr/bin/env python3
"""The seconds that each step of .ci/run took, beside its budget: .ci/budget.py FILE, with a line "NAME<tab>SECONDS" for each step. The
budget is the table of docs/testing.md whose head is `| step of CI | budget |`. A step over its budget is said aloud, and is no failure:
machines differ."""
import os
import re
import sys

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'docs', 'testing.md')


def read_budget(path):
    """Seconds by step."""
    with open(path, encoding='utf-8') as file:
        table = re.search(r'^\| step of CI \| budget, s \|.*\n\|[-|: ]+\|\n((?:\|.*\n)+)', file.read(), re.MULTILINE).group(1)
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]
    return {row[0]: int(row[1]) for row in rows}


def read_seconds(path):
    with open(path, encoding='utf-8') as file:
        return [(name, int(seconds)) for name, seconds in (line.rstrip('\n').split('\t') for line in file)]


def compare(steps, budget):
    """Lines: a table, and what is to be said aloud."""
    width = max(map(len, [*budget, *(name for name, _ in steps)]))
    lines = ['%-*s  %7s  %7s' % (width, 'seconds by step', 'took', 'budget')]
    loud = []
    for name, seconds in steps:
        lines.append('%-*s  %7d  %7s' % (width, name, seconds, budget.get(name, 'none')))
        if name not in budget:
            loud.append('NO BUDGET: %s: it needs a row in docs/testing.md' % name)
        elif seconds > budget[name]:
            loud.append('OVER BUDGET: %s took %d s of %d s' % (name, seconds, budget[name]))
    total, allowed = sum(seconds for _, seconds in steps), sum(budget.values())
    lines.append('%-*s  %7d  %7d' % (width, 'all', total, allowed))
    if total > allowed:
        loud.append('OVER BUDGET: all steps took %d s of %d s' % (total, allowed))
    return lines + loud


if __name__ == '__main__':
    print('\n'.join(compare(read_seconds(sys.argv[1]), read_budget(PAGE))))
