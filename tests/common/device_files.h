/* The capability files of real devices: tests/drivers/devices. */
#ifndef TEST_DEVICE_FILES_H
#define TEST_DEVICE_FILES_H

#include <smoe/capability_file.h>

#define DEVICE_FILES_FOLDER "tests/drivers/devices"
#define DEVICE_FILES_MOST 64

typedef struct device_file {
    char name[64]; /* of the file, without .json */
    smoe_device_info info;
} device_file;

/* All of them, by name; fails the test where one cannot be read. Gives their number. */
uint32_t device_files_read(device_file files[DEVICE_FILES_MOST]);

/* The bytes of a file and a NUL, to be freed; fails the test where it cannot be read. */
char *device_files_text(const char *path, size_t *size);

#endif
