"""bench/pairs.py with one build as both: its table has every stage. No time is judged."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

PROGRAM = tap.BUILD + '/bin/smoe-bench'


def pairs(*options):
    return subprocess.run([sys.executable, 'bench/pairs.py', PROGRAM, PROGRAM, '--pairs', '2', '--', *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)


def every_stage_has_a_row():
    run = pairs('--preset', 'tiny', '--weights', 'f32', '--tokens', '3', '--hard', '--repeat', '2')
    assert run.returncode == 0, run.stderr
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in run.stdout.splitlines() if line.startswith('| tiny')]
    found = {name for row in rows for name in row}
    assert found >= {'route_logits', 'route_select', 'sort', 'expert_up', 'expert_down', 'combine', 'layer'}, run.stdout


def a_wrong_option_is_told():
    run = pairs('--preset', 'nobody')
    assert run.returncode == 1 and 'exit status 2: smoe-bench: --preset: must be ' in run.stderr, run.stderr


tap.run([every_stage_has_a_row, a_wrong_option_is_told])
