/* Checkpoints of any bytes. An input is the files of a folder: what lies there and how it is opened, then their texts,
 * with a zero byte between two. A safetensors file gets its header's length before the text, and bytes of data behind
 * it, as many as the input says: the layer files of fuzz_layer_file.c have those wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/system.h"
#include "fuzz.h"
#include "sample_file.h"
#include "smoe/checkpoint.h"

enum { HEAD_SIZE = 5, MOST_FILES = 4, MOST_FILE = 1 << 15 };

/* A folder, the files in the order in which an input has them, and what is opened: the folder, or the last file. */
typedef struct layout {
    const char *folder, *files[MOST_FILES];
    bool opens_file;
} layout;

static const layout layouts[] = {
    {"fuzz-index", {"config.json", "model.safetensors.index.json", "one.safetensors", "two.safetensors"}, false},
    {"fuzz-one", {"config.json", "model.safetensors"}, false},
    {"fuzz-file", {"config.json", "layer.safetensors"}, true},
    {"fuzz-alone", {"layer.safetensors"}, true},
};
#define LAYOUTS (sizeof layouts / sizeof layouts[0])

static const char *path_of(const layout *where, const char *file)
{
    static char path[512];
    snprintf(path, sizeof path, "%s%s%s", sample_path(where->folder), file ? "/" : "", file ? file : "");
    return path;
}

static void remove_folders(void)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        for (int k = 0; k < MOST_FILES && layouts[i].files[k]; k++)
            remove(path_of(&layouts[i], layouts[i].files[k]));
        test_remove_folder(path_of(&layouts[i], NULL));
    }
}

static void make_folders(void)
{
    static bool made;
    for (size_t i = 0; !made && i < LAYOUTS; i++)
        FUZZ_EXPECT(test_make_folder(path_of(&layouts[i], NULL)));
    if (!made)
        FUZZ_EXPECT(atexit(remove_folders) == 0);
    made = true;
}

static void write_file(const char *path, const uint8_t *text, size_t length, size_t data_size)
{
    static unsigned char bytes[8 + 2 * MOST_FILE];
    size_t size = 0;
    if (strstr(path, ".safetensors") && !strstr(path, ".json")) {
        for (int i = 0; i < 8; i++)
            bytes[size++] = (unsigned char)((uint64_t)length >> 8 * i);
        memcpy(bytes + size, text, length);
        size += length;
        for (size_t i = 0; i < data_size; i++)
            bytes[size++] = (unsigned char)(i * 37);
        text = bytes;
        length = size;
    }
    FUZZ_EXPECT(sample_write_bytes(path, text, length));
}

/* The texts, into the files of the layout. */
static void write_files(const layout *where, const uint8_t *head, const uint8_t *text, size_t size)
{
    size_t shards = 0;
    for (int i = 0; i < MOST_FILES && where->files[i]; i++) {
        const uint8_t *end = size > 0 ? memchr(text, '\0', size) : NULL;
        const size_t length = end ? (size_t)(end - text) : size;
        const bool is_shard = !strstr(where->files[i], ".json");
        write_file(path_of(where, where->files[i]), text, length, is_shard ? 4u * head[1 + shards++] : 0);
        text += end ? length + 1 : length;
        size -= end ? length + 1 : length;
    }
}

static bool read_layers(const smoe_checkpoint *checkpoint, const uint8_t *head, fuzz_lines *lines)
{
    enum { MOST_LAYERS = 4 };
    const smoe_activation activation = (smoe_activation)(head[4] % 16);
    const smoe_checkpoint_options options = {head[3], head[4] < 128 ? &activation : NULL};
    uint32_t count = MOST_LAYERS, layers[MOST_LAYERS];
    const char *name;
    bool good = false;
    FUZZ_EXPECT(smoe_checkpoint_format(checkpoint) != NULL);
    for (uint32_t i = 0; (name = smoe_checkpoint_file(checkpoint, i)) != NULL; i++)
        fuzz_read(name, strlen(name));
    lines->errors = 0;
    const smoe_result result = smoe_checkpoint_layers(checkpoint, &count, layers);
    FUZZ_EXPECT(result == SMOE_SUCCESS && count <= MOST_LAYERS);
    for (uint32_t i = 0; i < count; i++)
        good |= fuzz_read_checkpoint(checkpoint, layers[i], head[3] || head[4] < 128 ? &options : NULL, lines);
    fuzz_read_checkpoint(checkpoint, head[3], NULL, lines);
    return good;
}

/* head: the layout; the words of data of each shard; options.top_k, or a layer that may not be there;
 * options.activation, from 128 on none. */
bool fuzz_checkpoint(const uint8_t *data, size_t size)
{
    smoe_checkpoint *checkpoint;
    fuzz_lines lines;
    const smoe_log log = fuzz_log(&lines);
    if (size < HEAD_SIZE || size > MOST_FILE)
        return false;
    const layout *where = &layouts[data[0] % LAYOUTS];
    const char *last = NULL;
    for (int i = 0; i < MOST_FILES && where->files[i]; i++)
        last = where->files[i];
    make_folders();
    write_files(where, data, data + HEAD_SIZE, size - HEAD_SIZE);
    const smoe_result result =
        smoe_checkpoint_open(path_of(where, where->opens_file ? last : NULL), NULL, &log, &checkpoint);
    FUZZ_EXPECT(result == SMOE_SUCCESS || result == SMOE_ERROR_FILE || result == SMOE_ERROR_UNSUPPORTED);
    FUZZ_EXPECT(!checkpoint == (result != SMOE_SUCCESS));
    fuzz_expect_told(&lines, result);
    const bool good = result == SMOE_SUCCESS && read_layers(checkpoint, data, &lines);
    smoe_checkpoint_close(checkpoint);
    return good;
}
