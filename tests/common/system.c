#define _POSIX_C_SOURCE 200809L /* setenv */
#include "system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32

#include <windows.h>

PFN_vkVoidFunction test_vulkan_function(const char *name)
{
    static HMODULE library;

    if (!library)
        library = LoadLibraryA("vulkan-1.dll");
    return library ? (PFN_vkVoidFunction)(void (*)(void))GetProcAddress(library, name) : NULL;
}

void test_set_variable(const char *name, const char *value)
{
    _putenv_s(name, value ? value : "");
}

const char *test_temporary_folder(void)
{
    const char *folder = getenv("TEMP");
    return folder ? folder : ".";
}

#define PATH_SIZE 4096

/* The whole path, marked as one: of any length, and nothing in it means anything but itself. */
static const wchar_t *whole_path(const char *path)
{
    static wchar_t whole[PATH_SIZE + 4] = L"\\\\?\\";
    wchar_t wide[PATH_SIZE];

    if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, PATH_SIZE) ||
        !GetFullPathNameW(wide, PATH_SIZE, whole + 4, NULL))
        abort();
    return whole;
}

bool test_make_folder(const char *path)
{
    return CreateDirectoryW(whole_path(path), NULL);
}

bool test_remove_folder(const char *path)
{
    return RemoveDirectoryW(whole_path(path));
}

bool test_file_exists(const char *path)
{
    return GetFileAttributesW(whole_path(path)) != INVALID_FILE_ATTRIBUTES;
}

bool test_remove_file(const char *path)
{
    return DeleteFileW(whole_path(path));
}

#else

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#define LOADER "libvulkan.1.dylib"
#else
#define LOADER "libvulkan.so.1"
#endif

PFN_vkVoidFunction test_vulkan_function(const char *name)
{
    static void *library;
    PFN_vkVoidFunction function = NULL;

    if (!library)
        library = dlopen(LOADER, RTLD_NOW | RTLD_LOCAL);
    void *entry = library ? dlsym(library, name) : NULL;
    memcpy(&function, &entry, sizeof entry);
    return function;
}

void test_set_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

const char *test_temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder ? folder : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

bool test_make_folder(const char *path)
{
    return mkdir(path, 0700) == 0;
}

bool test_remove_folder(const char *path)
{
    return rmdir(path) == 0;
}

bool test_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool test_remove_file(const char *path)
{
    return unlink(path) == 0;
}

#endif

bool test_validates(void)
{
    const char *value = getenv("SMOE_TEST_VALIDATION");
    return !value || strcmp(value, "outside") != 0;
}

bool test_layer_looks_into_shaders(void)
{
    const char *look = getenv(TEST_LOOKS_INTO_SHADERS);
    return look && strcmp(look, "1") == 0;
}

bool test_pieces_look_like_hazards(void)
{
    if (!test_layer_looks_into_shaders())
        return false;
    printf("the newest validation layer takes pieces of a matrix multiplication for hazards\n");
    return true;
}

bool test_loader_reads_environment(void)
{
    if (test_validates())
        return true;
    printf("wine's Vulkan reads an environment of its own\n");
    return false;
}
