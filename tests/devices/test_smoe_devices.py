"""smoe-devices --json and --as as their users run them."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

DEVICES = tap.BUILD + '/bin/smoe-devices'
FILES = sorted(glob.glob('tests/drivers/devices/*.json'))
STAGES = ['route_logits', 'route_select', 'totals', 'sort', 'expert_up', 'expert_down', 'combine']


def run(*arguments, text=None):
    """Exit status, output, lines of errors."""
    done = subprocess.run([DEVICES, *arguments], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    return done.returncode, done.stdout, done.stderr.splitlines()


def written_and_read_the_device_is_listed_the_same():
    listing = tap.command(DEVICES).split('\n\n')[0].rstrip('\n')
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/device.json'
        assert run('--json', path, '--device', '0') == (0, '', [])
        status, again, errors = run('--as', path)
        assert (status, errors) == (0, []), errors
        assert again.splitlines()[1:] == listing.splitlines()[1:], again + listing
        assert again.splitlines()[0] == path + listing.splitlines()[0][1:], again
        with open(path, encoding='utf-8') as file:
            text = file.read()
    assert run('--as', '-', '--json', '-', text=text) == (0, text, []), 'written again it is another'
    assert run('--json', '-', '--device', '0')[1] == text
    assert run('--json', '-')[0] == 0


def every_kept_device_is_listed():
    assert len(FILES) >= 12, FILES
    for path in FILES:
        status, output, errors = run('--as', path)
        assert (status, errors) == (0, []), (path, errors)
        with open(path, encoding='utf-8') as file:
            device = json.load(file)
        assert output.startswith('%s: %s\n' % (path, device['name'])), output
        lanes = '%(subgroup_size)u lanes, from %(subgroup_size_min)u to %(subgroup_size_max)u' % device
        assert re.search('^  subgroups +%s$' % lanes, output, re.MULTILINE), output
        if device['usable']:
            for stage in STAGES:
                assert len(re.findall('^    %s +%s' % (stage, stage), output, re.MULTILINE)) == 1, output
        else:
            assert re.search('^  NOT USABLE +%s$' % re.escape(device['reason']), output, re.MULTILINE), output


def other_hardware_chooses_other_kernels():
    """The device that a file describes decides, not the one that is there."""
    adreno = run('--as', 'tests/drivers/devices/turnip_a618.json')[1]
    lavapipe = run('--as', 'tests/drivers/devices/lavapipe_22.json')[1]
    assert 'expert_up_tiled' in adreno and 'broadcast' not in adreno, adreno
    assert 'expert_up_broadcast' in lavapipe and 'tiled' not in lavapipe, lavapipe


def quirks_are_listed_and_obeyed():
    with open('tests/drivers/devices/turnip_a618.json', encoding='utf-8') as file:
        device = json.load(file)
    device.update(name='Adreno (TM) 640', driver_id=8, driver_version='0x801f6000')
    status, output, errors = run('--as', '-', text=json.dumps(device))
    assert (status, errors) == (0, []), errors
    assert re.search('^  quirks +qualcomm_subgroups: .*; see github.com/', output, re.MULTILINE), output
    assert 'route_select_rank' in output and 'expert_up_vector_basic' in output and 'expert_up_vector ' not in output, output
    assert 'quirks' not in run('--as', 'tests/drivers/devices/turnip_a618.json')[1]


def below_the_floor_it_says_why_not():
    with open(FILES[0], encoding='utf-8') as file:
        device = json.load(file)
    device['max_shared_memory_size'] = 8192
    status, output, errors = run('--as', '-', text=json.dumps(device))
    assert (status, errors) == (0, []), errors
    assert re.search('^  NOT USABLE +8192 bytes of shared memory, 16384 are needed$', output, re.MULTILINE), output
    assert 'kernels' not in output, output


def a_bad_file_gets_one_line_that_names_the_key():
    with open(FILES[0], encoding='utf-8') as file:
        good = file.read()
    bad = [('subgroup_size_min', good.replace('"subgroup_size_min": 16', '"subgroup_size_min": 0')),
           ('max_workgroup_size_x', good.replace('  "max_workgroup_size_x": 1024,\n', '')),
           ('driver_version', good.replace('"driver_version": "', '"driver_version": "-')),
           ('smoe_device', good.replace('"smoe_device": 2', '"smoe_device": 1000')),
           *(('the file is not valid JSON', text) for text in (good[:-10], '', '\0')), ('larger than', ' ' * 70000)]
    for key, text in bad:
        assert text != good, key
        status, output, errors = run('--as', '-', text=text)
        assert status == 2 and output == '' and len(errors) == 1, (key, status, output, errors)
        assert errors[0].startswith('smoe-devices: -: ' + key), errors
    for path in ('/nonexistent/file.json', '/'):
        status, output, errors = run('--as', path)
        assert status == 2 and len(errors) == 1 and path in errors[0] and 'cannot be' in errors[0], errors


def the_command_line_is_checked():
    for arguments, text in ((('--json',), '--json: needs a value'), (('--as',), '--as: needs a value'),
                            (('--as', ''), '--as: must not be empty'), (('--device', '0'), 'only with --json'),
                            (('--json', '-', '--device', '-1'), 'must be a whole number'),
                            (('--json', '-', '--device', '9x'), 'must be a whole number'),
                            (('--as', FILES[0], '--json', '-', '--device', '0'), 'without --as')):
        status, output, errors = run(*arguments)
        assert status == 2 and output == '' and len(errors) == 1 and text in errors[0], (arguments, status, errors)
    status, output, errors = run('--json', '-', '--device', '4000')
    assert (status, output) == (1, '') and '4000' in errors[0], errors
    status, output, errors = run('--as', FILES[0], '--json', '/nonexistent/file.json')
    assert (status, output, len(errors)) == (2, '', 1) and 'cannot be written' in errors[0], errors


def every_quirk_is_documented():
    with open('src/vulkan/quirks.c', encoding='utf-8') as file:
        names = re.findall(r'\.name = "(\w+)"', file.read())
    with open('docs/devices.md', encoding='utf-8') as file:
        page = file.read()
    assert len(names) >= 4, names
    missing = [name for name in names if '`%s`' % name not in page]
    assert not missing, 'not in docs/devices.md: %s' % missing


tap.run([written_and_read_the_device_is_listed_the_same, every_kept_device_is_listed, other_hardware_chooses_other_kernels,
         quirks_are_listed_and_obeyed, below_the_floor_it_says_why_not, a_bad_file_gets_one_line_that_names_the_key,
         the_command_line_is_checked, every_quirk_is_documented])
