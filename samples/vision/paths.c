/* Lists of files. */
#define _POSIX_C_SOURCE 200809L /* stat */
#include "classify.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool path_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool path_list_add(path_list *list, const char *folder, const char *name)
{
    const size_t size = (folder ? strlen(folder) + 1 : 0) + strlen(name) + 1;
    if (list->count == list->capacity) {
        const uint32_t capacity = list->capacity ? 2 * list->capacity : 64;
        char **paths = realloc(list->paths, capacity * sizeof *paths);
        if (!paths)
            return vision_fail("out of memory");
        list->paths = paths;
        list->capacity = capacity;
    }
    char *path = malloc(size);
    if (!path)
        return vision_fail("out of memory");
    snprintf(path, size, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
    list->paths[list->count++] = path;
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool path_list_add_folder(path_list *list, const char *folder, bool folders)
{
    const uint32_t before = list->count;
    const struct dirent *entry;
    bool added = true;
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    char *plain = malloc(size + 1);
    DIR *open = plain ? opendir(folder) : NULL;
    if (!open) {
        vision_fail("%s: the folder cannot be opened: %s", folder, plain ? strerror(errno) : "out of memory");
        free(plain);
        return false;
    }
    memcpy(plain, folder, size);
    plain[size] = '\0';
    while (added && (errno = 0, entry = readdir(open)) != NULL) {
        added = entry->d_name[0] == '.' || path_list_add(list, plain, entry->d_name);
        if (added && entry->d_name[0] != '.' && path_is_folder(list->paths[list->count - 1]) != folders)
            free(list->paths[--list->count]);
    }
    if (added && errno != 0)
        added = vision_fail("%s: the folder cannot be read: %s", folder, strerror(errno));
    closedir(open);
    free(plain);
    if (list->count > before)
        qsort(list->paths + before, list->count - before, sizeof *list->paths, compare);
    return added;
}

void path_list_release(path_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (path_list){0};
}
