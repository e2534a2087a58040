/* Opens a checkpoint: its configuration, its format, its tensors' names. */
#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/system.h"

/* Path as folder and, where it ends like one, file; both in memory of the checkpoint. */
static smoe_result split_path(smoe_checkpoint *checkpoint, const char *path, const char **file)
{
    const size_t size = strlen(path);
    checkpoint->path = smoe_file_join(&checkpoint->host, path, "");
    if (!checkpoint->path)
        return smoe_file_out_of_memory(&checkpoint->host, size);
    checkpoint->host.path = checkpoint->path;
    const bool is_file = smoe_file_ends_with(path, ".safetensors") || smoe_file_ends_with(path, SMOE_GGUF_ENDING);
    size_t folder = size;
    while (is_file && folder > 0 && !smoe_system_is_slash(path[folder - 1]))
        folder--;
    const bool needs_separator = !is_file && size > 0 && !smoe_system_is_slash(path[size - 1]);
    checkpoint->folder = smoe_file_join(&checkpoint->host, path, needs_separator ? "/" : "");
    if (!checkpoint->folder)
        return smoe_file_out_of_memory(&checkpoint->host, size);
    if (is_file)
        checkpoint->folder[folder] = '\0';
    *file = is_file ? checkpoint->path + folder : NULL;
    return SMOE_SUCCESS;
}

/* ---- the format -------------------------------------------------------------------------------------------------- */

/* The next format after *at, from NULL on; the groups are walked one after another. */
static const smoe_checkpoint_table *next_table(uint32_t *group, const smoe_checkpoint_table *at)
{
    at = at ? at + 1 : smoe_checkpoint_tables[ *group = 0];
    while (at && !at->model_type)
        at = smoe_checkpoint_tables[++*group];
    return at;
}

/* A setting of the whole model, or of its language model. */
static const char *find_text(const smoe_checkpoint *checkpoint, const char *part, const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "%s%s", part, key);
    const smoe_file_pair *pair = smoe_file_find_pair(checkpoint->config.pairs, checkpoint->config.count, path);
    return pair ? pair->value : NULL;
}

/* The part of config.json that has the language model's settings. */
static const char *find_part(const smoe_checkpoint *checkpoint)
{
    const char *part;
    for (uint32_t i = 0; (part = smoe_config_part(i)) != NULL; i++)
        if (find_text(checkpoint, part, "hidden_size") || find_text(checkpoint, part, "model_type"))
            return part;
    return "";
}

/* "qwen3_vl_moe_text" is "qwen3_vl_moe". */
static bool is_type(const char *type, const char *name)
{
    const size_t size = strlen(name);
    return type && strncmp(type, name, size) == 0 && (!type[size] || strcmp(type + size, "_text") == 0);
}

static const smoe_checkpoint_table *find_table(const char *type)
{
    uint32_t group;
    for (const smoe_checkpoint_table *table = NULL; (table = next_table(&group, table)) != NULL;)
        if (table->block && is_type(type, table->model_type))
            return table;
    return NULL;
}

static const smoe_checkpoint_refusal *find_refusal(const char *type)
{
    for (const smoe_checkpoint_refusal *refusal = smoe_checkpoint_refusals; refusal->model_type; refusal++)
        if (is_type(type, refusal->model_type))
            return refusal;
    return NULL;
}

/* The format without a configuration whose routers are there. */
static const smoe_checkpoint_table *find_by_names(const smoe_checkpoint *checkpoint)
{
    uint32_t group, layer;
    size_t size;
    for (const smoe_checkpoint_table *table = NULL; (table = next_table(&group, table)) != NULL;)
        for (uint32_t i = 0; !table->block && i < checkpoint->name_count; i++)
            if (smoe_checkpoint_router_of(table, checkpoint->names[i].name, &layer, &size))
                return table;
    return NULL;
}

static smoe_result refuse_type(const smoe_checkpoint *checkpoint, const char *type, const char *inner)
{
    const smoe_checkpoint_refusal *refusal = find_refusal(type);
    if (!refusal)
        refusal = find_refusal(inner);
    if (refusal)
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                              "config.json: model_type \"%s\" cannot be computed exactly: %s", refusal->model_type,
                              refusal->reason);
    if (type)
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_UNSUPPORTED,
                              "config.json: model_type is \"%.40s\", none of those in docs/checkpoints.md", type);
    return smoe_file_fail(&checkpoint->host, SMOE_ERROR_FILE,
                          "%s, and the tensors' names are not Tutel's: no format of docs/checkpoints.md",
                          checkpoint->config.text ? "config.json has no model_type" : "there is no config.json");
}

/* By model_type, the whole model's before its language model's; else by the names of the routers. */
static smoe_result find_format(smoe_checkpoint *checkpoint)
{
    checkpoint->config_part = find_part(checkpoint);
    const char *type = find_text(checkpoint, "", "model_type");
    const char *inner = find_text(checkpoint, checkpoint->config_part, "model_type");
    checkpoint->table = find_table(type);
    if (!checkpoint->table && !find_refusal(type))
        checkpoint->table = find_table(inner);
    if (!checkpoint->table)
        checkpoint->table = find_by_names(checkpoint);
    return checkpoint->table ? SMOE_SUCCESS : refuse_type(checkpoint, type, inner);
}

/* Every architecture's name for the log. */
static void list_architectures(char *text, size_t size)
{
    size_t used = 0;
    for (const smoe_checkpoint_table *table = smoe_gguf_tables; table->model_type && used + 1 < size; table++) {
        const int wrote = snprintf(text + used, size - used, "%s%s", used ? ", " : "", table->model_type);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

static smoe_result find_architecture(smoe_checkpoint *checkpoint)
{
    static const char key[] = "general.architecture";
    const char *type = smoe_layer_file_metadata(checkpoint->single, key);
    for (const smoe_checkpoint_table *table = smoe_gguf_tables; type && table->model_type; table++)
        if (strcmp(type, table->model_type) == 0) {
            checkpoint->table = table;
            return SMOE_SUCCESS;
        }
    char known[256];
    list_architectures(known, sizeof known);
    if (type)
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_UNSUPPORTED, "metadata %s is \"%.40s\"; smoe knows %s", key,
                              type, known);
    return smoe_file_fail(&checkpoint->host, SMOE_ERROR_FILE, "metadata %s is missing: none of %s", key, known);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

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
    if (result == SMOE_SUCCESS && !checkpoint->gguf)
        result = smoe_checkpoint_pairs(checkpoint, SMOE_CHECKPOINT_CONFIG, NULL, true, &checkpoint->config);
    if (result == SMOE_SUCCESS)
        result = checkpoint->gguf ? find_architecture(checkpoint) : find_format(checkpoint);
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
    if (!checkpoint->gguf)
        smoe_layer_file_close(checkpoint->single);
    smoe_checkpoint_close_parts(checkpoint);
    smoe_file_release(&host, checkpoint->config.pairs);
    smoe_file_release(&host, checkpoint->config.keys);
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
    if (!checkpoint)
        return NULL;
    const uint32_t before = checkpoint->gguf ? 0 : sizeof fixed / sizeof *fixed;
    if (index < before)
        return fixed[index];
    return index - before < checkpoint->name_count ? checkpoint->names[index - before].file : NULL;
}
