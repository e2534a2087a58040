/* A small, valid checkpoint that tests bend. */
#ifndef TEST_SAMPLE_CHECKPOINT_H
#define TEST_SAMPLE_CHECKPOINT_H

#include <stdbool.h>

/* config.json, the index, and its two shards */
#define SAMPLE_CHECKPOINT_FILES 4
extern const char *const sample_checkpoint_files[SAMPLE_CHECKPOINT_FILES];

/* Writes the files of a DeepSeek-V3 of E 4, D 3, H 2, S 4, whose layer 1 lies in both shards, the second of them
 * bfloat16, into a folder that is there. False where that fails. */
bool sample_checkpoint_write(const char *folder);

#endif
