/* Opens a checkpoint: its configuration, its format, its tensors' names. */
#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/system.h"

static const char file_ending[] = ".safetensors";

/* Path as folder and, where it ends like one, file; both in memory of the checkpoint. */
static smoe_result split_path(smoe_checkpoint *checkpoint, const char *path, const char **file)
{
    const size_t size = strlen(path), ending = sizeof file_ending - 1;
    checkpoint->path = smoe_checkpoint_join(&checkpoint->host, path, "");
    if (!checkpoint->path)
        return smoe_file_out_of_memory(&checkpoint->host, size);
    checkpoint->host.path = checkpoint->path;
    const bool is_file = size > ending && strcmp(path + size - ending, file_ending) == 0;
    size_t folder = size;
    while (is_file && folder > 0 && !smoe_system_is_slash(path[folder - 1]))
        folder--;
    const bool needs_separator = !is_file && size > 0 && !smoe_system_is_slash(path[size - 1]);
    checkpoint->folder = smoe_checkpoint_join(&checkpoint->host, path, needs_separator ? "/" : "");
    if (!checkpoint->folder)
        return smoe_file_out_of_memory(&checkpoint->host, size);
    if (is_file)
        checkpoint->folder[folder] = '\0';
    *file = is_file ? checkpoint->path + folder : NULL;
    return SMOE_SUCCESS;
}

/* Where every format's name is listed for the log. */
static void list_formats(char *text, size_t size)
{
    size_t used = 0;
    for (const smoe_checkpoint_table *table = smoe_checkpoint_tables; table->model_type && used + 1 < size; table++) {
        const int wrote = snprintf(text + used, size - used, "%s%s", used ? ", " : "", table->model_type);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

/* By model_type; else by the names of the routers, if the format needs no configuration. */
static smoe_result find_format(smoe_checkpoint *checkpoint)
{
    const smoe_file_pair *pair = smoe_file_find_pair(checkpoint->config.pairs, checkpoint->config.count, "model_type");
    const char *type = pair ? pair->value : NULL;
    for (const smoe_checkpoint_table *table = smoe_checkpoint_tables; table->model_type; table++) {
        uint32_t layer;
        size_t size;
        bool matches = table->block && type && strcmp(type, table->model_type) == 0;
        for (uint32_t i = 0; !table->block && !matches && i < checkpoint->name_count; i++)
            matches = smoe_checkpoint_router_of(table, checkpoint->names[i].name, &layer, &size);
        if (matches) {
            checkpoint->table = table;
            return SMOE_SUCCESS;
        }
    }
    char known[256];
    list_formats(known, sizeof known);
    if (type)
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                              "config.json: model_type is \"%.40s\"; smoe knows %s", type, known);
    return smoe_file_fail(&checkpoint->host, SMOE_ERROR_FILE,
                          "%s, and the tensors' names are not Tutel's: no format of %s",
                          checkpoint->config.text ? "config.json has no model_type" : "there is no config.json", known);
}

smoe_result smoe_checkpoint_open(const char *path, const smoe_allocator *allocator, const smoe_log *log,
                                 smoe_checkpoint **out)
{
    smoe_file_host host;
    if (out)
        *out = NULL;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_checkpoint_open"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || !out)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL", path ? "out" : "path");
    smoe_checkpoint *checkpoint = smoe_file_allocate(&host, sizeof *checkpoint);
    if (!checkpoint)
        return smoe_file_out_of_memory(&host, sizeof *checkpoint);
    memset(checkpoint, 0, sizeof *checkpoint);
    checkpoint->host = host;
    const char *file = NULL;
    smoe_result result = split_path(checkpoint, path, &file);
    if (result == SMOE_SUCCESS)
        result = smoe_checkpoint_read_names(checkpoint, file);
    if (result == SMOE_SUCCESS)
        result = smoe_checkpoint_pairs(checkpoint, SMOE_CHECKPOINT_CONFIG, NULL, true, &checkpoint->config);
    if (result == SMOE_SUCCESS)
        result = find_format(checkpoint);
    if (result != SMOE_SUCCESS) {
        smoe_checkpoint_close(checkpoint);
        return result;
    }
    *out = checkpoint;
    return SMOE_SUCCESS;
}

void smoe_checkpoint_close(smoe_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    const smoe_file_host host = checkpoint->host;
    smoe_layer_file_close(checkpoint->single);
    smoe_file_release(&host, checkpoint->config.pairs);
    smoe_file_release(&host, checkpoint->config.text);
    smoe_file_release(&host, checkpoint->index.pairs);
    smoe_file_release(&host, checkpoint->index.text);
    smoe_file_release(&host, checkpoint->names);
    smoe_file_release(&host, checkpoint->folder);
    smoe_file_release(&host, checkpoint->path);
    smoe_file_release(&host, checkpoint);
}

const char *smoe_checkpoint_format(const smoe_checkpoint *checkpoint)
{
    return checkpoint ? checkpoint->table->model_type : NULL;
}

const char *smoe_checkpoint_file(const smoe_checkpoint *checkpoint, uint32_t index)
{
    static const char *const fixed[] = {SMOE_CHECKPOINT_CONFIG, SMOE_CHECKPOINT_INDEX};
    enum { FIXED = sizeof fixed / sizeof *fixed };
    if (!checkpoint || index < FIXED)
        return checkpoint ? fixed[index] : NULL;
    return index - FIXED < checkpoint->name_count ? checkpoint->names[index - FIXED].file : NULL;
}
