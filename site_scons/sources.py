"""Which C files a system has."""
import glob


def c_files(windows, *folders):
    """Paths of the C files, sorted: what a glob gives must not decide the order of anything. *_posix.c is not for Windows, *_windows.c
    only for it."""
    other = '_posix.c' if windows else '_windows.c'
    return sorted(path for folder in folders for path in glob.glob(folder + '/*.c') if not path.endswith(other))
