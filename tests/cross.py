"""Tests of a cross build: what runs its programs here, and which tests are for them. tests/cross/README.md has more."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WINDOWS = 'x86_64-w64-mingw32'

# The other scripts compile for this system, read its files, or start programs in ways of their own.
SCRIPTS = ('tests/cross/test_golden.py', 'tests/cross/test_programs.py', 'tests/symbols/test_symbols.py')
LEFT_OUT = {
    WINDOWS: {'tests/fuzz/test_files_posix.c': 'pipes, devices and limits that only POSIX has'},
}
ENVIRONMENT = {
    # Wine passes Vulkan on, but none of its layers: they are turned on beneath it, and tests/cross/run looks for their messages.
    WINDOWS: {'SMOE_TEST_VALIDATION': 'outside', 'VK_INSTANCE_LAYERS': 'VK_LAYER_KHRONOS_validation',
              'VK_LAYER_ENABLES': 'VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT'},
    # What arm64 has; and shaders of its own machine code.
    'aarch64-linux-gnu': {'LP_NATIVE_VECTOR_WIDTH': '128', 'MESA_SHADER_CACHE_DIR': ROOT + '/build/shader_cache/aarch64'},
}


def runner(triple):
    return [ROOT + '/tests/cross/run', triple] if triple else []


class Target:
    """As the drivers of environments.py."""
    name = ''

    def __init__(self, triple, build):
        self.triple, self.build = triple, build

    def command(self, program):
        return runner(self.triple) + program

    def environment(self):
        return {'SMOE_BUILD': self.build, 'SMOE_CROSS': self.triple, **ENVIRONMENT[self.triple]}

    def variants(self, path, everything):
        """All that can run, always."""
        runs = path not in LEFT_OUT.get(self.triple, {}) and (path.endswith('.c') or path in SCRIPTS)
        return [{}] if runs else []

    def print_left_out(self):
        print('left out: all scripts but %s' % ', '.join(SCRIPTS))
        for path, reason in LEFT_OUT.get(self.triple, {}).items():
            print('left out: %s: %s' % (path, reason))
