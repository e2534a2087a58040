"""Programs that write to a full disk. A limit on the size of files would also cut what drivers map: newer Mesa ends the program then."""
import os
import subprocess

import tap

# A file that is written by fdopen(..., "wb"), as every draft is, takes SMOE_TEST_ROOM bytes.
SHIM = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct disk { int file; size_t room; } disk;

static ssize_t put(void *cookie, const char *bytes, size_t size)
{
    disk *d = cookie;
    const size_t some = size < d->room ? size : d->room;
    const ssize_t done = some ? write(d->file, bytes, some) : 0;
    d->room -= done > 0 ? (size_t)done : 0;
    errno = ENOSPC;
    return done;
}

static int end(void *cookie)
{
    const int result = close(((disk *)cookie)->file);
    free(cookie);
    return result;
}

FILE *fdopen(int file, const char *mode)
{
    if (strcmp(mode, "wb") != 0)
        return ((FILE *(*)(int, const char *))dlsym(RTLD_NEXT, "fdopen"))(file, mode);
    disk *d = malloc(sizeof *d);
    *d = (disk){file, (size_t)atol(getenv("SMOE_TEST_ROOM"))};
    return fopencookie(d, mode, (cookie_io_functions_t){.write = put, .close = end});
}
'''


def environment(folder, program, room):
    """Variables for the program: a file that it writes has room for so many bytes. folder: for what makes it so."""
    tap.needs_its_own_place(program)
    shim = os.path.join(folder, 'full_disk.so')
    if not os.path.exists(shim):
        subprocess.run([tap.CC, '-shared', '-fPIC', '-x', 'c', '-', '-o', shim, '-ldl'], input=SHIM, encoding='utf-8', check=True)
    loaded = [os.environ['LD_PRELOAD']] if os.environ.get('LD_PRELOAD') else []  # tests/run.py's, with sanitizers
    return {'LD_PRELOAD': ':'.join([*loaded, shim]), 'SMOE_TEST_ROOM': str(room),
            'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':verify_asan_link_order=0'}
