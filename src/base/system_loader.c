#include "system.h"

#ifdef _WIN32

#include <windows.h>

void *smoe_system_loader_open(void (**get_instance_proc_addr)(void))
{
    /* Where drivers install it, and neither beside the program nor in the current folder: there it could be
     * anybody's. */
    HMODULE module = LoadLibraryExW(L"vulkan-1.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
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
    /* In the app's bundle, then where Homebrew and the Vulkan SDK install. A name without a folder dyld would also look
     * for in the current one. */
#define BUNDLE "@executable_path/../Frameworks/"
    static const char *const names[] = {
        BUNDLE "libvulkan.1.dylib",
        BUNDLE "vulkan.framework/vulkan",
        BUNDLE "libMoltenVK.dylib",
        BUNDLE "MoltenVK.framework/MoltenVK",
        "/opt/homebrew/lib/libvulkan.1.dylib",
        "/usr/local/lib/libvulkan.1.dylib",
        "/opt/homebrew/lib/libMoltenVK.dylib",
        "/usr/local/lib/libMoltenVK.dylib",
    };
#else
    /* Where the system's loader of programs looks, which is not the current folder. */
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
