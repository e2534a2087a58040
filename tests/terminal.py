"""Programs whose output is a terminal."""
import os
import pty
import subprocess


def run(args, **options):
    """Exit status, and what a terminal is sent: stdout and stderr, unless an option of subprocess.Popen takes one of them elsewhere."""
    ours, theirs = pty.openpty()
    sent = b''
    with subprocess.Popen(args, **{'stdout': theirs, 'stderr': theirs, **options}) as process:
        os.close(theirs)
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not data:
                break
            sent += data
    os.close(ours)
    return process.returncode, sent.decode()
