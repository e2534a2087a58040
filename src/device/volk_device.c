/* Loading: the system's Vulkan loader, and volk's table of a device. See volk_device.h for why volk's variables stay unused. */
#define VOLK_IMPLEMENTATION /* has the system's declarations too: dlopen, or LoadLibraryA */
#include "volk_device.h"

#include <string.h>

typedef struct table_source {
    PFN_vkGetDeviceProcAddr get_device_proc_addr;
    VkDevice device;
} table_source;

#ifdef _WIN32
__declspec(dllimport) int __stdcall FreeLibrary(HMODULE);
#endif

/* volkInitialize would do this too, but into process-wide variables and without a way back. */
bool smoe_helper_loader_open(smoe_helper_loader *loader)
{
    loader->library = NULL;
    loader->get_instance_proc_addr = NULL;
#ifdef _WIN32
    HMODULE module = LoadLibraryA("vulkan-1.dll");
    if (!module)
        return false;
    loader->library = (void *)module;
    loader->get_instance_proc_addr = (PFN_vkGetInstanceProcAddr)(void (*)(void))GetProcAddress(module, "vkGetInstanceProcAddr");
#else
#ifdef __APPLE__
    /* By name: beside the app, or where dyld looks. Then where Homebrew and the Vulkan SDK install, where dyld does not look. */
    static const char *const names[] = {"libvulkan.dylib", "libvulkan.1.dylib", "libMoltenVK.dylib", "vulkan.framework/vulkan",
                                        "MoltenVK.framework/MoltenVK", "/opt/homebrew/lib/libvulkan.1.dylib",
                                        "/usr/local/lib/libvulkan.1.dylib"};
#else
    static const char *const names[] = {"libvulkan.so.1", "libvulkan.so"};
#endif
    for (size_t i = 0; !loader->library && i < sizeof names / sizeof *names; i++)
        loader->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!loader->library)
        return false;
    /* ISO C has no conversion from an object pointer to a function pointer; POSIX says the two have the same form. */
    void *entry = dlsym(loader->library, "vkGetInstanceProcAddr");
    memcpy(&loader->get_instance_proc_addr, &entry, sizeof entry);
#endif
    if (loader->get_instance_proc_addr)
        return true;
    smoe_helper_loader_close(loader);
    return false;
}

void smoe_helper_loader_close(smoe_helper_loader *loader)
{
    if (loader->library) {
#ifdef _WIN32
        FreeLibrary((HMODULE)loader->library);
#else
        dlclose(loader->library);
#endif
    }
    loader->library = NULL;
    loader->get_instance_proc_addr = NULL;
}

static PFN_vkVoidFunction load_function(void *context, const char *name)
{
    const table_source *source = context;
    return source->get_device_proc_addr(source->device, name);
}

void smoe_helper_load_table(struct VolkDeviceTable *table, PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device)
{
    table_source source = {get_device_proc_addr, device};
    volkGenLoadDeviceTable(table, &source, load_function);
}
