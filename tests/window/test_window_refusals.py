"""smoe-window where it cannot run, or is told what it cannot do: one line and an exit status. And on a device with a queue family that only
computes, which this machine's may not have."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import window_run as window
from window_run import tap

FOLDER = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(FOLDER, '..', 'golden', 'one_expert.safetensors')
WITHOUT_DISPLAY = {'DISPLAY': ':no'}


def says(text, script, *arguments, status, env=None):
    output = window.run(script, *arguments, status=status, env=env, validate=False)
    assert output.count('\n') == 1 and output.startswith('smoe-window: ') and text in output, output


def no_display_no_driver_no_device():
    says('there is no display to open a window on: ', 'quit', status=1, env=WITHOUT_DISPLAY)
    nothing = {'VK_DRIVER_FILES': '/dev/null', 'VK_ICD_FILENAMES': '/dev/null'}
    says('no Vulkan driver of this system can show a window', 'quit', status=1, env=nothing)
    says('--device: "no such" matches no device of ', 'quit', '--device', 'no such', status=1)


def a_device_that_does_not_draw():
    says(' cannot be used: it has no graphics queue that can show what it draws in a window', 'quit', status=1,
         env=window.shim('no-graphics'))


def a_queue_of_its_own():
    """Buffers are for both families, which the shim looks at, and the results are the same."""
    window.run('wait\nstate own.json\nquit\n', env=window.shim('own-queue'))
    window.run('wait\nstate same.json\nquit\n')
    own, same = window.state('own.json'), window.state('same.json')
    assert own['own_queue'] and not same['own_queue'], (own['own_queue'], same['own_queue'])
    for side in ('hard', 'smooth'):
        assert own[side]['probabilities'] == same[side]['probabilities'], side


def files_that_do_not_suit():
    for arguments, text in ((('--model', 'no such'), 'no such: cannot be opened: No such file'),
                            (('--data', 'no such'), 'no such: cannot be opened: No such file'),
                            (('--model', GOLDEN), 'one_expert.safetensors: tensor embed.weight is missing or not F32 '),
                            (('--data', GOLDEN), 'one_expert.safetensors: tensor images is missing or not U8 ')):
        says(text, 'quit', *arguments, status=2, env=WITHOUT_DISPLAY)  # before a window is opened


def lines_that_are_no_command():
    for line, text in (('fly', 'line 2: fly: no such command'), ('move 1', 'line 2: must be: move AREA X Y'),
                       ('press 1', 'line 2: must be: press'), ('resize 1', 'line 2: must be: resize WIDTH HEIGHT'),
                       ('scale 0', 'line 2: must be: scale X, from 0.5 to 4'),
                       ('frames -1', 'line 2: must be: frames COUNT'), ('move canvas nan 0', 'line 2: must be: move AREA X Y')):
        says(text, 'frames 1\n%s\n' % line, status=2, env=WITHOUT_DISPLAY)
    for line, text in (('move nowhere 0 0', 'line 2: no such area in this frame'), ('key nothing', 'line 2: no such key'),
                       ('screenshot no/such/folder.ppm', 'no/such/folder.ppm cannot be written: No such file or directory'),
                       ('state no/such/folder.json', 'no/such/folder.json cannot be written: No such file or directory')):
        says(text, 'frames 2\n%s\nframes 2\nquit' % line, status=1)


tap.run([no_display_no_driver_no_device, a_device_that_does_not_draw, a_queue_of_its_own, files_that_do_not_suit,
         lines_that_are_no_command])
