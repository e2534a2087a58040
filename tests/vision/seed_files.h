/* Small pictures of every kind: the files of tests/vision/seeds. */
#ifndef TEST_SEED_FILES_H
#define TEST_SEED_FILES_H

#include <stddef.h>
#include <stdint.h>

#define SEED_MOST 16384u /* bytes of one */
#define SEED_COUNT 32u

typedef struct seed_file {
    char name[64];
    uint8_t bytes[SEED_MOST];
    size_t size;
} seed_file;

extern seed_file seeds[SEED_COUNT];
extern uint32_t seed_count;

/* A group's setup: fills `seeds`, in the order of their names. */
int read_seeds(void **state);

#endif
