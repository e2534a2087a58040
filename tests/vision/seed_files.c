#define _DEFAULT_SOURCE
#include "seed_files.h"

#include "common/cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/vision/seeds"

seed_file seeds[SEED_COUNT];
uint32_t seed_count;

static int compare(const void *a, const void *b)
{
    return strcmp(((const seed_file *)a)->name, ((const seed_file *)b)->name);
}

int read_seeds(void **state)
{
    const struct dirent *entry;
    char path[400];
    DIR *folder = opendir(FOLDER);
    (void)state;
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        seed_file *seed = &seeds[seed_count];
        if (entry->d_name[0] == '.')
            continue;
        assert_true(seed_count < SEED_COUNT && strlen(entry->d_name) < sizeof seed->name);
        strcpy(seed->name, entry->d_name);
        snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        seed->size = fread(seed->bytes, 1, SEED_MOST, file);
        assert_true(seed->size > 0 && seed->size < SEED_MOST);
        fclose(file);
        seed_count++;
    }
    closedir(folder);
    qsort(seeds, seed_count, sizeof *seeds, compare);
    return 0;
}
