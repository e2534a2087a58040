/* Where a checkpoint's tensors are: in one file, in those of an index, or in several whose own headers say what is in
 * them, as GGUF's are. */
#include "checkpoint_internal.h"

#define MAX_SHARDS 1000u
#define NAME_SIZE 48u /* of "model-00001-of-00002.safetensors" */

static void write_name(char out[NAME_SIZE], uint32_t index, uint32_t count)
{
    snprintf(out, NAME_SIZE, "model-%05u-of-%05u.safetensors", index + 1, count);
}

/* How many shards the first one's name tells; 0 without any. */
static smoe_result count_shards(const smoe_checkpoint *checkpoint, uint32_t *count)
{
    bool there = false;
    smoe_result result = SMOE_SUCCESS;
    for (*count = 0; result == SMOE_SUCCESS && !there && *count < MAX_SHARDS;) {
        char name[NAME_SIZE];
        write_name(name, 0, ++*count);
        result = smoe_checkpoint_look_for(checkpoint, name, &there);
    }
    *count = there ? *count : 0;
    return result;
}

static smoe_result open_shards(smoe_checkpoint *checkpoint, uint32_t count)
{
    smoe_result result = smoe_checkpoint_allocate_parts(checkpoint, count, NAME_SIZE);
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count; i++) {
        char *name = smoe_checkpoint_part_name(checkpoint, i);
        smoe_layer_file *shard;
        write_name(name, i, count);
        result = smoe_checkpoint_open_file(checkpoint, name, &shard);
        if (result == SMOE_SUCCESS)
            result = smoe_checkpoint_add_part(checkpoint, shard);
    }
    return result;
}

/* model-00001-of-0000N.safetensors and so on, if the folder has them. */
static smoe_result read_shards(smoe_checkpoint *checkpoint, bool *found)
{
    uint32_t count;
    const smoe_result result = count_shards(checkpoint, &count);
    *found = count > 0;
    return result == SMOE_SUCCESS && *found ? open_shards(checkpoint, count) : result;
}

smoe_result smoe_checkpoint_read_names(smoe_checkpoint *checkpoint, const char *file)
{
    static const char model[] = "model.safetensors", index[] = SMOE_CHECKPOINT_INDEX;
    bool has_model = false, has_index = false, has_shards = false;
    smoe_result result = SMOE_SUCCESS;
    if (!file)
        result = smoe_checkpoint_look_for(checkpoint, model, &has_model);
    if (result == SMOE_SUCCESS && !file && !has_model)
        result = smoe_checkpoint_look_for(checkpoint, index, &has_index);
    if (result == SMOE_SUCCESS && !file && !has_model && !has_index)
        result = read_shards(checkpoint, &has_shards);
    if (result != SMOE_SUCCESS)
        return result;
    file = has_model ? model : file;
    if (file && smoe_file_ends_with(file, SMOE_GGUF_ENDING))
        result = smoe_checkpoint_open_gguf(checkpoint, file);
    else if (file)
        result = smoe_checkpoint_open_file(checkpoint, file, &checkpoint->single);
    else if (has_index)
        result = smoe_checkpoint_pairs(checkpoint, index, "weight_map", false, &checkpoint->index);
    else if (!has_shards)
        result = smoe_file_fail(&checkpoint->host, SMOE_ERROR_FILE,
                                "no folder with %s or %s in it; smoe downloads no model", model, index);
    return result == SMOE_SUCCESS ? smoe_checkpoint_take_names(checkpoint, file) : result;
}
