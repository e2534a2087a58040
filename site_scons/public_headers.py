"""Which library a public header is of."""
import os

FOLDER = 'include/smoe'
OTHERS = {'smoe-device': ['device.h'], 'smoe-file': ['capability_file.h', 'checkpoint.h', 'layer_file.h']}
LIBRARIES = ('smoe', *OTHERS)


def find(library):
    """Paths. The core has every header that no other library has."""
    of_others = {name for names in OTHERS.values() for name in names}
    names = OTHERS.get(library) or sorted(name for name in os.listdir(FOLDER) if name not in of_others)
    return ['%s/%s' % (FOLDER, name) for name in names]
