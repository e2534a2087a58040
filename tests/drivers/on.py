#!/usr/bin/env python3
"""Runs a program on one of the devices of build/drivers, or lists them:

    tests/drivers/on.py
    tests/drivers/on.py lavapipe-26 build/bin/smoe-devices

Programs that the program starts in turn get the system's libraries, and so cannot load the drivers of Mesa 26.1.
"""
import os
import sys

import devices


def main():
    if len(sys.argv) == 2:
        print('on.py: %s: no program given' % sys.argv[1], file=sys.stderr)
        return 2
    if len(sys.argv) == 1:
        for device in devices.table():
            try:
                device.check()
                state = 'executes' if device.executes else 'compiles only: submit nothing'
            except devices.Missing:
                state = 'not set up'
            print('%-12s %-32s %s' % (device.name, device.title, state))
        return 0
    try:
        device = devices.find(sys.argv[1])
        device.check()
    except devices.Missing as missing:
        print('on.py: %s' % missing, file=sys.stderr)
        return 1
    os.environ.update(device.environment())
    command = device.command(sys.argv[2:])
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print('on.py: %s: %s' % (command[0], error.strerror), file=sys.stderr)
        return 127


if __name__ == '__main__':
    sys.exit(main())
