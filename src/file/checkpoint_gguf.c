/* The GGUF files of a checkpoint: one, or the parts NAME-00001-of-0000N.gguf of a split one. Source: gguf-split and
 * the loader of llama.cpp. */
#include "checkpoint_internal.h"

#include <string.h>

#include "gguf.h"

static const char ending[] = SMOE_GGUF_ENDING;

#define PART_SIZE 15u /* of "00001-of-00002" and the "-" before it */

/* ---- names of parts ---------------------------------------------------------------------------------------------- */

/* Five digits. */
static bool read_digits(const char *text, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 5; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + (uint32_t)(text[i] - '0');
    }
    return true;
}

/* How many parts a file's name speaks of, 1 where of none; *stem: the bytes before the part's number. */
static uint32_t count_parts(const char *file, size_t *stem)
{
    const size_t size = strlen(file) - (sizeof ending - 1);
    uint32_t part, count;
    *stem = size;
    if (size < PART_SIZE)
        return 1;
    const char *at = file + size - PART_SIZE;
    if (*at != '-' || !read_digits(at + 1, &part) || memcmp(at + 6, "-of-", 4) != 0 || !read_digits(at + 10, &count) ||
        part < 1 || part > count)
        return 1;
    *stem = (size_t)(at - file);
    return count;
}

/* The name of a part, from 0; of the file itself where it is the only one. */
static void write_name(char *name, size_t size, const char *file, size_t stem, uint32_t part, uint32_t count)
{
    if (count == 1)
        snprintf(name, size, "%s", file);
    else
        snprintf(name, size, "%.*s-%05u-of-%05u%s", (int)stem, file, part + 1, count, ending);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static smoe_result check_number(const smoe_layer_file *part, const char *key, uint64_t must)
{
    const char *text = smoe_layer_file_metadata(part, key);
    uint64_t value;
    if (!text || (smoe_file_parse_integer(text, &value) && value == must))
        return SMOE_SUCCESS;
    return smoe_file_fail(&part->host, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be %llu", key, text,
                          (unsigned long long)must);
}

static smoe_result open_part(smoe_checkpoint *checkpoint, uint32_t index)
{
    const smoe_parts *parts = &checkpoint->parts;
    char *path = smoe_file_join(&checkpoint->host, checkpoint->folder, smoe_checkpoint_part_name(checkpoint, index));
    if (!path)
        return smoe_file_out_of_memory(&checkpoint->host, parts->name_size);
    smoe_layer_file *part;
    smoe_result result = smoe_gguf_open(&checkpoint->host, path, &part);
    smoe_file_release(&checkpoint->host, path);
    if (result == SMOE_SUCCESS)
        result = smoe_checkpoint_add_part(checkpoint, part);
    if (result == SMOE_SUCCESS && parts->count > 1 &&
        (!smoe_layer_file_metadata(part, "split.no") || !smoe_layer_file_metadata(part, "split.count")))
        result = smoe_file_fail(&part->host, SMOE_ERROR_FILE,
                                "metadata split.no or split.count is missing: no part of a split file");
    if (result == SMOE_SUCCESS)
        result = check_number(part, "split.count", parts->count);
    return result == SMOE_SUCCESS ? check_number(part, "split.no", index) : result;
}

static smoe_result check_whole(const smoe_parts *parts)
{
    uint64_t tensors = 0;
    for (uint32_t i = 0; i < parts->count; i++)
        tensors += parts->files[i]->entry_count;
    return check_number(parts->files[0], "split.tensors.count", tensors);
}

smoe_result smoe_checkpoint_open_gguf(smoe_checkpoint *checkpoint, const char *file)
{
    const smoe_parts *parts = &checkpoint->parts;
    size_t stem;
    checkpoint->gguf = true;
    smoe_result result = smoe_checkpoint_allocate_parts(checkpoint, count_parts(file, &stem), strlen(file) + 1);
    for (uint32_t i = 0; i < parts->count && result == SMOE_SUCCESS; i++) {
        write_name(smoe_checkpoint_part_name(checkpoint, i), parts->name_size, file, stem, i, parts->count);
        result = open_part(checkpoint, i);
    }
    checkpoint->single = parts->opened > 0 ? parts->files[0] : NULL;
    return result == SMOE_SUCCESS ? check_whole(parts) : result;
}
