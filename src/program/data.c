/* Where the files are that come with the programs. */
#include "data.h"

#include <stdio.h>
#include <string.h>

#include "output.h"

/* Below the folder of the program, and last below the current one. */
static const char *const places[] = {"../share/smoe/", "../../samples/", "../../../samples/", "samples/"};
enum { PLACE_COUNT = sizeof places / sizeof *places };

static bool is_there(const char *path)
{
    FILE *file = smoe_system_file_open(path, SMOE_SYSTEM_FILE_READ);
    if (file)
        fclose(file);
    return file != NULL;
}

/* The folder of the program's file, with a slash behind it; "" where nothing tells. */
static void find_folder(char folder[SMOE_SYSTEM_NAME_SIZE], const char *started)
{
    if (!smoe_system_program(folder))
        snprintf(folder, SMOE_SYSTEM_NAME_SIZE, "%s", started);
    size_t length = strlen(folder);
    while (length > 0 && !smoe_system_is_slash(folder[length - 1]))
        length--;
    folder[length] = '\0';
}

bool program_find_data(const char *program, const char *started, const char *option, const char *name,
                       char path[SMOE_SYSTEM_NAME_SIZE])
{
    char folder[SMOE_SYSTEM_NAME_SIZE], tried[PLACE_COUNT * SMOE_SYSTEM_NAME_SIZE] = "";
    find_folder(folder, started);
    for (int i = folder[0] ? 0 : PLACE_COUNT - 1; i < PLACE_COUNT; i++) {
        const char *from = i < PLACE_COUNT - 1 ? folder : "";
        const size_t used = strlen(tried);
        const int length = snprintf(path, SMOE_SYSTEM_NAME_SIZE, "%s%s%s", from, places[i], name);
        if (length < SMOE_SYSTEM_NAME_SIZE && is_there(path))
            return true;
        snprintf(tried + used, sizeof tried - used, "%s%s", used ? ", " : "", path);
    }
    program_say(program, "there is no %s, and the default one cannot be read at %s", option, tried);
    return false;
}
