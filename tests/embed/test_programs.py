"""smoe-embed and smoe-devices as their users run them."""
import glob
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import tap

EMBED, DEVICES = tap.BUILD + '/bin/smoe-embed', tap.BUILD + '/bin/smoe-devices'
VALIDATION = {'VK_INSTANCE_LAYERS': 'VK_LAYER_KHRONOS_validation',
              'VK_LAYER_ENABLES': 'VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT'}
STAGES = ['route_logits', 'route_select', 'sort', 'expert_up', 'expert_down', 'combine']


def embed_agrees_with_plain_c():
    """The program itself compares; here, that it has run, and that smoothing let more experts run than the two of hard routing."""
    lines = tap.command(EMBED).splitlines()
    tokens = [line for line in lines if re.match(r'token \d+:', line)]
    assert len(tokens) == 5, lines
    experts = [len(re.findall(r'expert \d \d\.\d+', line)) for line in tokens]
    assert min(experts) >= 2 and max(experts) > 2, lines
    assert re.search(r': 5 tokens of width 48, mean difference from plain C \d', lines[-1]), lines


def embed_is_valid():
    """Without a messenger the layer writes to the standard output. Newer layers have another name for the setting, and say so."""
    output = tap.command(EMBED, env=VALIDATION)
    found = [line for line in output.splitlines() if re.search('Validation|VUID|SYNC-', line) and 'VALIDATION-SETTINGS' not in line]
    assert not found, output


def validation_would_be_seen():
    """The same variables and a program that the layer has something to say about, or the test above says nothing."""
    listing = tap.command(EMBED, env={**VALIDATION, 'VK_LOADER_DEBUG': 'layer'})
    assert 'VK_LAYER_KHRONOS_validation' in listing, 'the layer was not loaded'


def devices_lists_every_device():
    output = tap.command(DEVICES)
    names = re.findall(r'^\d+: (.+)$', output, re.MULTILINE)
    assert names, output
    for part in ('type', 'driver', 'uuid', 'subgroups', 'shared memory', 'buffer range', 'capabilities'):
        assert len(re.findall(r'^  %s +\S' % part, output, re.MULTILINE)) == len(names), (part, output)
    usable = len(names) - output.count('NOT USABLE')
    for stage in STAGES:
        rows = re.findall(r'^    %s +(\S.*)$' % stage, output, re.MULTILINE)
        assert len(rows) == usable, output
        assert all(row.count(stage) == 4 for row in rows), output
    for stage in ('route_project', 'route_group', 'unknown'):
        assert stage not in output, 'a stage that none of the layers has: ' + output
    assert not re.search(r'[ \t]$', output, re.MULTILINE), 'trailing blanks'


def devices_lists_other_hardware():
    """Mesa's Radeon driver can describe hardware that is not there."""
    output = tap.command(DEVICES, env={'RADV_FORCE_FAMILY': 'navi21'})
    if 'NAVI21' not in output:
        raise tap.Skip('no Mesa driver that describes absent hardware')
    assert len(re.findall(r'^\d+: ', output, re.MULTILINE)) >= 2 and 'subgroups        64 lanes, from 32 to 64' in output, output


UNUSABLE = """
#include <smoe/device.h>
#include <string.h>
smoe_result fake_list(PFN_vkGetInstanceProcAddr load, const smoe_log *log, uint32_t *count, smoe_device_info *infos);
smoe_result fake_list(PFN_vkGetInstanceProcAddr load, const smoe_log *log, uint32_t *count, smoe_device_info *infos)
{
    (void)load, (void)log;
    *count = 1;
    if (infos) {
        memset(infos, 0, sizeof *infos);
        strcpy(infos->name, "Old Chip");
        strcpy(infos->reason, "too old for this");
    }
    return SMOE_SUCCESS;
}
"""


def devices_says_why_not():
    """No driver here has an unusable device, so the program is built with a list that has one."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + '/list.c', 'w', encoding='utf-8') as file:
            file.write(UNUSABLE)
        tap.command(tap.CC, '-std=c11', *tap.SANITIZE_FLAGS, '-Iinclude', '-Isrc', '-Dsmoe_device_list=fake_list', folder + '/list.c',
                    *sorted(glob.glob('src/tools/devices/*.c')), tap.BUILD + '/obj/libprogram.a',
                    *['%s/lib/libsmoe%s.a' % (tap.BUILD, part) for part in ('-file', '-device', '')], '-lm', '-lpthread', '-ldl',
                    '-o', folder + '/devices')
        output = tap.command(folder + '/devices')
    assert '0: Old Chip' in output and re.search(r'^  NOT USABLE +too old for this$', output, re.MULTILINE), output
    assert 'kernels' not in output, output


tap.run([embed_agrees_with_plain_c, embed_is_valid, validation_would_be_seen, devices_lists_every_device,
         devices_lists_other_hardware, devices_says_why_not])
