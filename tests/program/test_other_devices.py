"""Programs on devices that are not here: one whose queues have no timestamps and whose first memory type is AMD's device-coherent one. A
library stands before the Vulkan loader, and changes what that says."""
import ctypes
import os
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(FOLDER, '..'))
import tap

BIN = tap.BUILD + '/bin/smoe-'
LAYER = os.path.join(FOLDER, '..', 'golden', 'one_expert.safetensors')
MODEL = os.path.join(FOLDER, '..', 'vision', 'gmoe_smooth_top2.safetensors')
scratch = tempfile.TemporaryDirectory()

SHIM = r'''
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

static PFN_vkGetInstanceProcAddr instance_function;
static PFN_vkGetDeviceProcAddr device_function;
static PFN_vkGetPhysicalDeviceQueueFamilyProperties queue_families;
static PFN_vkGetPhysicalDeviceMemoryProperties memory_properties;
static PFN_vkGetBufferMemoryRequirements requirements;
static PFN_vkAllocateMemory allocate;
static PFN_vkCmdWriteTimestamp write_timestamp;

static void my_queue_families(VkPhysicalDevice device, uint32_t *count, VkQueueFamilyProperties *out)
{
    queue_families(device, count, out);
    for (uint32_t i = 0; out && i < *count; i++)
        out[i].timestampValidBits = 0;
}

static void my_write_timestamp(VkCommandBuffer commands, VkPipelineStageFlagBits stage, VkQueryPool pool, uint32_t query)
{
    abort();
}

/* Every type moves up by one. */
static void my_memory_properties(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties *out)
{
    memory_properties(device, out);
    memmove(out->memoryTypes + 1, out->memoryTypes, out->memoryTypeCount++ * sizeof *out->memoryTypes);
    out->memoryTypes[0].propertyFlags |=
        VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD;
}

static void my_requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *out)
{
    requirements(device, buffer, out);
    out->memoryTypeBits = out->memoryTypeBits << 1 | 1;
}

static VkResult my_allocate(VkDevice device, const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *callbacks,
                            VkDeviceMemory *out)
{
    VkMemoryAllocateInfo real = *info;
    return real.memoryTypeIndex-- ? allocate(device, &real, callbacks, out) : VK_ERROR_FEATURE_NOT_PRESENT;
}

static PFN_vkVoidFunction my_device_function(VkDevice device, const char *name);

#define REPLACE(vulkan, real, mine) \
    if (function && !strcmp(name, vulkan)) { \
        real = (void *)function; \
        return (PFN_vkVoidFunction)mine; \
    }
static PFN_vkVoidFunction replace(PFN_vkVoidFunction function, const char *name)
{
    REPLACE("vkGetDeviceProcAddr", device_function, my_device_function)
    REPLACE("vkGetPhysicalDeviceQueueFamilyProperties", queue_families, my_queue_families)
    REPLACE("vkGetPhysicalDeviceMemoryProperties", memory_properties, my_memory_properties)
    REPLACE("vkGetBufferMemoryRequirements", requirements, my_requirements)
    REPLACE("vkAllocateMemory", allocate, my_allocate)
    REPLACE("vkCmdWriteTimestamp", write_timestamp, my_write_timestamp)
    return function;
}

static PFN_vkVoidFunction my_device_function(VkDevice device, const char *name)
{
    return replace(device_function(device, name), name);
}

PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance instance, const char *name)
{
    if (!instance_function)
        instance_function = (void *)dlsym(dlopen(getenv("SHIM_LOADER"), RTLD_NOW), "vkGetInstanceProcAddr");
    return strcmp(name, "vkGetInstanceProcAddr") ? replace(instance_function(instance, name), name)
                                                 : (PFN_vkVoidFunction)vkGetInstanceProcAddr;
}
'''


@tap.once
def environment():
    """With the shim as what programs take for the loader."""
    tap.needs_its_own_place(BIN + 'run')
    ctypes.CDLL('libvulkan.so.1')
    with open('/proc/self/maps', encoding='utf-8') as maps:
        loader = next(line.split()[-1] for line in maps if '/libvulkan.so' in line)
    tap.outputs(tap.CC, '-shared', '-fPIC', '-x', 'c', '-', '-Wl,-soname,libvulkan.so.1', '-Wl,-z,nodelete', '-ldl',
                '-o', scratch.name + '/libvulkan.so.1', input=SHIM)
    folders = [scratch.name, *filter(None, [os.environ.get('LD_LIBRARY_PATH')])]
    return {'LD_LIBRARY_PATH': ':'.join(folders), 'SHIM_LOADER': loader}


def run(program, *arguments, env=None):
    takes_device = 'SMOE_TEST_DEVICE' in os.environ and program not in ('devices', 'embed')
    return tap.command(BIN + program, *arguments, *(['--device', os.environ['SMOE_TEST_DEVICE']] if takes_device else []), env=env)


def the_shim_is_in_front():
    """Or the tests below say nothing."""
    timestamps = [line.split()[1:] for line in run('devices', env=environment()).splitlines() if line.startswith('  timestamp ')]
    assert timestamps and all(words == ['none'] for words in timestamps), timestamps


def rows_of_repeat(output):
    lines = output.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith('times of 3 runs'))
    return lines[first], [line.split()[0] for line in lines[first + 1:] if ' us median ' in line]


def times_that_are_not_there_have_no_line():
    title, rows = rows_of_repeat(run('run', LAYER, '--repeat', '3', env=environment()))
    assert rows == ['host'] and title.endswith('; no timestamps on this device: the host\'s only'), (title, rows)
    bench = run('bench', '--shape', '4,2,8,6,4', '--repeat', '1', '--no-peak', '--weights', 'f32', env=environment())
    assert 'no timestamps on this device' in bench and 'layer, host' in bench and 'layer, device' not in bench, bench
    classify = run('classify', '--check', MODEL, '--repeat', '1', env=environment())
    assert ': host ' in classify and 'device ' not in classify, classify
    if 'timestamp        none' in run('devices'):
        raise tap.Skip('no device of this system has timestamps: times that are there are untested')
    title, rows = rows_of_repeat(run('run', LAYER, '--repeat', '3'))
    assert rows[-2:] == ['device', 'host'] and 'expert_up' in rows and 'only' not in title, (title, rows)


def no_program_takes_memory_of_amds():
    for program in (('run', LAYER), ('bench', '--shape', '4,2,8,6,4', '--repeat', '1', '--weights', 'f32'),
                    ('analyze', 'volume', '--samples', '1e4'), ('digits',), ('classify', '--check', MODEL), ('embed',)):
        run(*program, env=environment())


tap.run([the_shim_is_in_front, times_that_are_not_there_have_no_line, no_program_takes_memory_of_amds])
