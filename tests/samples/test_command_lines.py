"""The command line of every program: help, the version, and one wording for what cannot be obeyed. src/program/options.h has the rules;
tests/unit/test_options.c has every kind of value."""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import cross
import tap

SUBCOMMANDS = ('volume', 'paths', 'occupation', 'boundary-mass', 'soft-to-hard', 'continuity', 'cost', 'philox')
FILES = ('boundary-mass', 'soft-to-hard', 'continuity', 'cost')
# The words that begin a command, and what its arguments are called: '' where it takes none.
COMMANDS = [(['smoe-run'], 'FILE.safetensors'), (['smoe-devices'], ''), (['smoe-analyze'], 'SUBCOMMAND'), (['smoe-bench'], ''),
            (['smoe-classify'], 'PICTURE'), (['smoe-digits'], ''), (['smoe-embed'], '')]
if os.path.exists(tap.BUILD + '/bin/smoe-window'):  # it is built where GLFW is found
    COMMANDS.append((['smoe-window'], 'PICTURE'))
COMMANDS += [(['smoe-analyze', name], 'FILE' if name in FILES else '') for name in SUBCOMMANDS]
COMMANDS += [(['smoe-bench', 'compare'], 'RESULTS.json'), (['smoe-bench', 'report'], 'RESULTS.json')]


def run(words, *arguments):
    """Exit status, output, errors."""
    command = cross.runner(tap.CROSS) + ['%s/bin/%s' % (tap.BUILD, words[0]), *words[1:], *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    return done.returncode, done.stdout, done.stderr


def refused(words, *arguments, text):
    outcome = run(words, *arguments)
    assert outcome == (2, '', '%s: %s\n' % (words[0], text)), '%s: %s' % (words + list(arguments), outcome)


@tap.once
def options(*words):
    """Option -> whether a value follows it, from help."""
    return {name: bool(value) for name, value in re.findall(r'^  (--[a-z-]+)( \S+)?', run(list(words), '--help')[1], re.MULTILINE)
            if name != '--version'}


def every_program_is_here():
    programs = {os.path.splitext(os.path.basename(path))[0] for path in glob.glob(tap.BUILD + '/bin/smoe-*')}
    assert programs == {words[0] for words, _ in COMMANDS}, programs
    status, output, _ = run(['smoe-analyze'], '-h')
    assert set(re.findall(r'^  ([a-z][a-z-]+) ', output, re.MULTILINE)) == set(SUBCOMMANDS), output


def help_is_printed():
    for words, argument in COMMANDS:
        outcome = run(words, '--help')
        assert outcome == run(words, '-h') == run(words, '--help', '--no-such-option') and outcome[0::2] == (0, ''), outcome
        lines = outcome[1].splitlines()
        assert any(line.startswith('usage: ' + ' '.join(words)) for line in lines), lines
        assert any(line.startswith('  -h, --help ') for line in lines) and any(line.startswith('  --version ') for line in lines), lines
        assert all(len(line) <= 130 for line in lines), lines
        assert not argument or argument in outcome[1], lines


def versions_are_printed():
    with open('include/smoe/smoe.h', encoding='utf-8') as file:
        version = '.'.join(re.findall(r'#define SMOE_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)', file.read()))
    for words, _ in COMMANDS:
        assert run(words, '--version') == (0, '%s %s\n' % (words[0], version), ''), words


def output_that_cannot_be_written():
    if not os.path.exists('/dev/full'):
        raise tap.Skip('there is no /dev/full')
    for words, _ in COMMANDS:
        for option in ('--help', '--version'):
            with open('/dev/full', 'wb') as full:
                _, messages = tap.outputs('%s/bin/%s' % (tap.BUILD, words[0]), *words[1:], option, status=1, stdout=full)
            assert messages == words[0] + ': standard output cannot be written: No space left on device\n', (words, option, messages)


def unknown_options():
    for words, _ in COMMANDS:
        for option in ('--no-such-option', '--no-such=1', '-x', '--hel', '--version=1'):
            refused(words, option, text=option + ': no such option; --help lists them')


def unknown_arguments():
    for words, argument in COMMANDS:
        if not argument:
            refused(words, 'extra', text='extra: no argument is taken; --help lists the options')
            refused(words, '--', '--help', text='--help: no argument is taken; --help lists the options')
        elif argument == 'FILE':
            refused(words, 'one', 'two', text='two: only 1 FILE at most; --help tells the rest')
        else:
            refused(words, '', text=argument + ': must not be empty')
    refused(['smoe-analyze'], 'extra', text='extra: no such subcommand; --help lists them')


def missing_arguments():
    refused(['smoe-run'], text='FILE.safetensors: is missing; --help tells the rest')
    refused(['smoe-analyze'], text='SUBCOMMAND: is missing; --help tells the rest')
    for name in ('compare', 'report'):
        refused(['smoe-bench', name], text='RESULTS.json: is missing; --help tells the rest')
    refused(['smoe-classify'], text='PICTURE: is missing, as are --batch and --check; --help tells the rest')


def values():
    """Every option that help lists needs a value, or takes none."""
    count = 0
    for words, _ in COMMANDS:
        for name, takes_value in options(*words).items():
            count += 1
            if takes_value:
                refused(words, name, text=name + ': needs a value')
            else:
                refused(words, name + '=1', text=name + ': takes no value')
    assert count > 100, count


def numbers():
    """Whatever takes a number refuses what is none, in the same words in every program."""
    rule = re.compile(r'^(smoe-[a-z]+): (--[a-z-]+): must be a (?:whole )?number[^"]*, is "(1x|nan|)"\n$')
    found, values_of_none = {}, ['1x', 'nan', '']
    for words, _ in COMMANDS:
        for name, takes_value in options(*words).items():
            for value in values_of_none:
                # the second option keeps a program from running where the first one takes the value
                status, output, errors = run(words, name, value, '--no-such-option') if takes_value else (0, '', '')
                if 'number' in errors:
                    match = rule.match(errors)
                    assert status == 2 and not output and match and match.groups() == (words[0], name, value), (words, name, errors)
                    found.setdefault((*words, name), []).append(value)
    for program in ('smoe-run', 'smoe-bench', 'smoe-classify', 'smoe-digits'):
        assert (program, '--eps') in found, found
    assert len(found) > 50 and all(refused_values == values_of_none for refused_values in found.values()), found


def every_name_of_a_rule_is_taken():
    """What an option's rule lists, the option takes: an array of a program has a place for each weight type."""
    for words, name in ((['smoe-bench'], '--weights'), (['smoe-bench'], '--preset'), (['smoe-run'], '--weights'),
                        (['smoe-run'], '--activation'), (['smoe-classify'], '--weights')):
        _, _, errors = run(words, name, 'none')
        listed = re.search(r': must be (.*), is "none"', errors).group(1)
        for value in re.split(', | or ', listed):
            refused(words, name, value, '--no-such-option', text='--no-such-option: no such option; --help lists them')


def any_bytes_stay_on_one_line():
    for words, _ in COMMANDS:
        refused(words, '--\n\x1b[1m\u202e', text=r'--\n\x1b[1m\xe2\x80\xae: no such option; --help lists them')
    refused(['smoe-run'], '--eps', '\x9b1\n', text=r'--eps: must be a number, 0 or 1e-30 .. 1e30, is "\xc2\x9b1\n"')


def options_given_twice():
    refused(['smoe-run'], '--eps', '1', '--eps=1', 'file', text='--eps: is given twice')
    refused(['smoe-digits'], '--model', 'a', '--model', 'a', text='--model: is given twice')
    refused(['smoe-analyze', 'volume'], '--seed=1', '--k=1', '--seed=2', text='--seed: is given twice')


def every_number_of_a_forward_has_an_option():
    with open('src/domain/params.c', encoding='utf-8') as file:
        names = re.findall(r'^    NUMBER\((\w+),', file.read(), re.MULTILINE)
    missing = {'--' + name.replace('_', '-') for name in names} - set(options('smoe-run'))
    assert len(names) >= 7 and not missing, missing


def readmes_name_options_that_are_there():
    known = {}
    for words, _ in COMMANDS:
        known.setdefault(words[0], {'--help', '--version'}).update(options(*words))
    count, wrong = 0, []
    for path in ['README.md', 'CONTRIBUTING.md', *glob.glob('*/*.md'), *glob.glob('*/*/*.md'), *glob.glob('src/tools/*/*.md')]:
        with open(path, encoding='utf-8') as file:
            text = file.read().replace('\\\n', ' ')
        for name, rest in re.findall(r'\b(%s)\b([^`\n;#|]*)' % '|'.join(known), text):
            for option in re.findall(r'(?<![\w-])--[a-z][a-z-]*', rest):
                count += 1
                wrong += ['%s: %s %s' % (path, name, option)] if option not in known[name] else []
    assert count > 30 and not wrong, (count, wrong)


tap.run([every_program_is_here, help_is_printed, versions_are_printed, output_that_cannot_be_written, unknown_options,
         unknown_arguments, missing_arguments, values, numbers, every_name_of_a_rule_is_taken, any_bytes_stay_on_one_line,
         options_given_twice, every_number_of_a_forward_has_an_option, readmes_name_options_that_are_there])
