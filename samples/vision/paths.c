/* Lists of files. */
#define _POSIX_C_SOURCE 200809L /* stat, open */
#include "classify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program/output.h"
#include "system.h"

const char *path_name(const char *path)
{
    const char *name = path;
    for (; *path; path++)
        if (program_is_slash(*path))
            name = path + 1;
    return name;
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
    while (size > 1 && program_is_slash(folder[size - 1]))
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
        if (added && entry->d_name[0] != '.' && program_is_folder(list->paths[list->count - 1]) != folders)
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

/* By its first bytes. What cannot be read counts as a picture, so that image_read says why. */
static bool has_signature(const char *path)
{
    uint8_t begin[IMAGE_SIGNATURE] = {0};
    struct stat status;
    const int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0)
        return true;
    const bool readable = fstat(file, &status) == 0 && S_ISREG(status.st_mode) && read(file, begin, sizeof begin) >= 0;
    close(file);
    return readable && image_has_signature(begin, sizeof begin);
}

bool path_list_add_pictures(path_list *list, const char *folder, const classify_options *options)
{
    uint32_t kept = list->count;
    const uint32_t before = kept;
    if (!path_list_add_folder(list, folder, false))
        return false;
    for (uint32_t i = before; i < list->count; i++) {
        char *path = list->paths[i];
        const bool ours = program_is_same_file(path, options->out) || program_is_same_file(path, options->report);
        const bool picture = !ours && (image_has_name(path_name(path)) || has_signature(path));
        if (!ours && !picture)
            vision_fail("note: %s is passed over: it is no picture by its name or its first bytes", path);
        if (picture)
            list->paths[kept++] = path;
        else
            free(path);
    }
    list->count = kept;
    return true;
}

void path_list_release(path_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (path_list){0};
}
