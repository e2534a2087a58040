#include "system.h"

#ifdef _WIN32

#include <windows.h>

void *smoe_system_loader_open(void (**get_instance_proc_addr)(void))
{
    HMODULE module = LoadLibraryA("vulkan-1.dll");
    *get_instance_proc_addr = module ? (void (*)(void))GetProcAddress(module, "vkGetInstanceProcAddr") : NULL;
    return (void *)module;
}

void smoe_system_loader_close(void *library)
{
    FreeLibrary((HMODULE)library);
}

#else

#include <dlfcn.h>
#include <string.h>

void *smoe_system_loader_open(void (**get_instance_proc_addr)(void))
{
#ifdef __APPLE__
    /* By name: beside the app, or where dyld looks. Then where Homebrew and the Vulkan SDK install, where dyld does not
     * look. */
    static const char *const names[] = {"libvulkan.dylib", "libvulkan.1.dylib", "libMoltenVK.dylib",
                                        "vulkan.framework/vulkan", "MoltenVK.framework/MoltenVK",
                                        "/opt/homebrew/lib/libvulkan.1.dylib", "/usr/local/lib/libvulkan.1.dylib"};
#else
    static const char *const names[] = {"libvulkan.so.1", "libvulkan.so"};
#endif
    void *library = NULL;
    for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    /* ISO C has no conversion from an object pointer to a function pointer; POSIX says the two have the same form. */
    void *entry = library ? dlsym(library, "vkGetInstanceProcAddr") : NULL;
    memcpy(get_instance_proc_addr, &entry, sizeof entry);
    return library;
}

void smoe_system_loader_close(void *library)
{
    dlclose(library);
}

#endif
