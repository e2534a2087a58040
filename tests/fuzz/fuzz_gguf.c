/* GGUF files of any bytes. An input begins with the size of the first of two parts of a split file, in two bytes; 0:
 * all that follows is one file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sample_file.h"
#include "smoe/checkpoint.h"

enum { HEAD_SIZE = 2, MOST_SIZE = 1 << 16 };

static const char *const endings[] = {".gguf", "-00001-of-00002.gguf", "-00002-of-00002.gguf"};

static const char *path_of(int ending)
{
    static char path[512];
    snprintf(path, sizeof path, "%s%s", sample_path("fuzz"), endings[ending]);
    return path;
}

static void remove_files(void)
{
    for (int i = 0; i < 3; i++)
        remove(path_of(i));
}

/* Which of the paths is opened. */
static int write_files(const uint8_t *data, size_t size)
{
    static bool registered;
    const size_t first = (size_t)(data[0] | data[1] << 8), left = size - HEAD_SIZE, some = first < left ? first : left;
    if (!registered)
        FUZZ_EXPECT(atexit(remove_files) == 0);
    registered = true;
    data += HEAD_SIZE;
    if (first == 0) {
        FUZZ_EXPECT(sample_write_bytes(path_of(0), data, left));
        return 0;
    }
    FUZZ_EXPECT(sample_write_bytes(path_of(1), data, some));
    FUZZ_EXPECT(sample_write_bytes(path_of(2), data + some, left - some));
    return 1;
}

bool fuzz_gguf(const uint8_t *data, size_t size)
{
    enum { MOST_LAYERS = 4 };
    smoe_checkpoint *checkpoint;
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    uint32_t count = MOST_LAYERS, layers[MOST_LAYERS];
    const char *name;
    bool good = false;
    if (size < HEAD_SIZE || size > MOST_SIZE)
        return false;
    const smoe_result result = smoe_checkpoint_open(path_of(write_files(data, size)), NULL, &log, &checkpoint);
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_FILE || result == SMOE_ERROR_UNSUPPORTED);
    FUZZ_EXPECT(!checkpoint == (result != SMOE_SUCCESS));
    fuzz_expect_told(&lines, result);
    if (result != SMOE_SUCCESS)
        return false;
    for (uint32_t i = 0; (name = smoe_checkpoint_file(checkpoint, i)) != NULL; i++)
        fuzz_read(name, strlen(name));
    FUZZ_EXPECT(smoe_checkpoint_layers(checkpoint, &count, layers) == SMOE_SUCCESS && count <= MOST_LAYERS);
    for (uint32_t i = 0; i < count; i++)
        good |= fuzz_read_checkpoint(checkpoint, layers[i], NULL, &lines);
    smoe_checkpoint_close(checkpoint);
    return good;
}
