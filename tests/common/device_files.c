#include "device_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/record.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const device_file *)a)->name, ((const device_file *)b)->name);
}

uint32_t device_files_read(device_file files[DEVICE_FILES_MOST])
{
    static const char ending[] = ".json";
    char path[320];
    uint32_t count = 0;
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    DIR *folder = opendir(DEVICE_FILES_FOLDER);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const size_t length = strlen(entry->d_name), stem = length - (sizeof ending - 1);
        if (length < sizeof ending || strcmp(entry->d_name + stem, ending) != 0)
            continue;
        assert_true(count < DEVICE_FILES_MOST && stem < sizeof files[count].name);
        memcpy(files[count].name, entry->d_name, stem);
        files[count].name[stem] = '\0';
        snprintf(path, sizeof path, "%s/%s", DEVICE_FILES_FOLDER, entry->d_name);
        if (smoe_capability_file_read(path, NULL, &log, &files[count].info) != SMOE_SUCCESS)
            fail_msg("%s", record.lines[0]);
        count++;
    }
    closedir(folder);
    qsort(files, count, sizeof files[0], by_name);
    return count;
}

char *device_files_text(const char *path, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    if (!stream)
        fail_msg("%s cannot be opened", path);
    char *text = NULL;
    size_t capacity = 0;
    *size = 0;
    do {
        capacity = capacity ? 2 * capacity : 1u << 14;
        text = realloc(text, capacity + 1);
        assert_non_null(text);
        *size += fread(text + *size, 1, capacity - *size, stream);
    } while (*size == capacity);
    assert_int_equal(ferror(stream), 0);
    fclose(stream);
    text[*size] = '\0';
    return text;
}
