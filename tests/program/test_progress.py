"""The progress bar: on terminals only, gone when all is done, and never between what else is printed. No time is judged."""
import os
import re
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, '..'))
import tap
import terminal

BIN = tap.BUILD + '/bin/smoe-'
LAYER = os.path.join(FOLDER, '..', 'golden', 'one_expert.safetensors')
BAR = re.compile(r'\[([#.]{40})\] (?:(\d+) of (\d+) ([a-z ]+)|(\d+) %)(?:, (?:\d+:)?\d+:\d\d left)?')
DEVICE = ['--device', os.environ['SMOE_TEST_DEVICE']] if 'SMOE_TEST_DEVICE' in os.environ else []
PROGRAMS = {
    'rows': ('bench', '--shape', '4,2,8,6,2', '--seconds', '0.3', '--no-peak'),
    'layers': ('run', LAYER, LAYER, LAYER, '/no/such/file'),
    None: ('analyze', 'volume', '--samples', '3e5'),
}


def on_terminal(program, *arguments):
    """What a program writes to the terminal that its stderr and stdout are."""
    return terminal.run([BIN + program, *arguments, *DEVICE])[1]


def screen(shown):
    """A terminal's lines after what was written to it."""
    lines, column = [[]], 0
    for character in shown:
        if character == '\r':
            column = 0
        elif character == '\n':
            lines.append([])
        else:
            lines[-1][column:column + 1] = character
            column += 1
    return [''.join(line).rstrip() for line in lines]


def shown_and_gone():
    for things, arguments in PROGRAMS.items():
        shown = on_terminal(*arguments)
        bars = [bar for bar in BAR.findall(shown) if bar[3] == (things or '')]
        assert bars, (arguments, shown)
        for marks, done, total, _, percent in bars:
            least = int(percent) / 100 if percent else int(done) / int(total)
            most = least if percent else least + 1 / int(total)
            share = marks.count('#') / 40
            assert 0 <= least <= 1 and least - 1 / 40 < share < min(most, 1) + 1 / 40, (marks, least)
            assert marks == marks.rstrip('.').ljust(40, '.'), marks
        left = screen(shown)
        assert not any('[#' in line or '[.' in line for line in left), (arguments, left)
        if things == 'layers':
            assert any(line.startswith('smoe-run: /no/such/file: ') for line in left), left


def not_where_there_is_no_terminal():
    for arguments in PROGRAMS.values():
        done = subprocess.run([BIN + arguments[0], *arguments[1:], *DEVICE], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding='utf-8')
        assert not BAR.search(done.stdout + done.stderr) and '\r' not in done.stderr, done.stderr


tap.run([shown_and_gone, not_where_there_is_no_terminal])
