"""samples/window, which needs GLFW: where that is, and what is made beside its shaders."""
import subprocess

FOLDER = 'samples/window'
FONT = FOLDER + '/nuklear/Karla-Regular.ttf'


def missing(env, system):
    """Why smoe-window is not built, '' if it is. Not for other systems: GLFW for them is no package of this one, and wine and qemu have
    no Vulkan that draws."""
    if system.cross:
        return 'it is for programs of this system, without cross='
    found = env.WhereIs('pkg-config') and subprocess.run(['pkg-config', '--exists', 'glfw3']).returncode == 0
    return '' if found else 'GLFW (pkg-config glfw3) not found: ./setup.sh names its package'


def environment(base, shaders, gen):
    """For its C files and the program: other samples' headers, libraries, and the font as an array."""
    base.Append(CPPPATH=['samples'], CPPDEFINES=['VK_NO_PROTOTYPES'])  # volk's functions
    base.ParseConfig('pkg-config --cflags --libs glfw3')
    base.Append(LIBS=['cjson', 'pthread'])
    shaders.add_array(base, '%s/%s/window_font.h' % (gen, FOLDER), FONT, '#include <stdint.h>\n\nstatic const uint32_t window_font[]')
    return base
