/* The tensors' names of a checkpoint: which there are, and in which file. */
#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/system.h"

#define MAX_JSON_SIZE 100000000u /* safetensors' bound of a header: an index has as much to say */

char *smoe_checkpoint_join(const smoe_file_host *host, const char *folder, const char *name)
{
    const size_t folder_size = strlen(folder), name_size = strlen(name) + 1;
    char *path = smoe_file_allocate(host, folder_size + name_size);
    if (path) {
        memcpy(path, folder, folder_size);
        memcpy(path + folder_size, name, name_size);
    }
    return path;
}

/* ---- JSON files -------------------------------------------------------------------------------------------------- */

static smoe_result take_text(const smoe_file_host *host, const smoe_file_stream *in, smoe_json_span *out)
{
    if (in->size == 0 || in->size > MAX_JSON_SIZE)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "has %llu bytes, must have 1 to %u", (unsigned long long)in->size,
                              MAX_JSON_SIZE);
    void *text;
    const smoe_result result = smoe_file_stream_take(host, in, in->size, "text", &text);
    *out = (smoe_json_span){text, (size_t)in->size};
    return result;
}

static smoe_result read_text(const smoe_file_host *host, smoe_json_span *out)
{
    smoe_file_stream in;
    smoe_result result = smoe_file_stream_open(host, &in, host->path);
    if (result == SMOE_SUCCESS)
        result = take_text(host, &in, out);
    smoe_file_stream_close(&in);
    return result;
}

/* The span of the member `of`, which must be an object. */
static smoe_result find_member(const smoe_file_host *host, smoe_json_cursor object, const char *of,
                               smoe_json_cursor *out)
{
    smoe_json_span name, value;
    const char *reason;
    bool found = false;
    while (smoe_json_next_member(&object, &name, &value, &reason) == SMOE_JSON_ITEM) {
        if (strcmp(smoe_json_string(name), of) != 0)
            continue;
        if (found)
            return smoe_file_fail(host, SMOE_ERROR_FILE, "has two members named \"%s\"", of);
        found = true;
        *out = smoe_json_enter(value);
    }
    return found ? SMOE_SUCCESS : smoe_file_fail(host, SMOE_ERROR_FILE, "has no member \"%s\"", of);
}

static smoe_result parse_pairs(const smoe_file_host *host, smoe_json_span text, const char *of, smoe_json_pairs *out)
{
    smoe_json_cursor object = smoe_json_enter(text);
    uint32_t count;
    object.python = !of;
    smoe_result result = smoe_json_count(host, object, "the file", &count);
    if (result == SMOE_SUCCESS && of)
        result = find_member(host, object, of, &object);
    if (result == SMOE_SUCCESS && of)
        result = smoe_json_count(host, object, of, &count);
    if (result != SMOE_SUCCESS)
        return result;
    const uint64_t size = (uint64_t)count * sizeof *out->pairs;
    out->pairs = smoe_file_allocate(host, size);
    if (!out->pairs)
        return smoe_file_out_of_memory(host, size);
    smoe_json_span name, value;
    const char *reason;
    while (smoe_json_next_member(&object, &name, &value, &reason) == SMOE_JSON_ITEM) {
        const char *key = smoe_json_string(name), *scalar = of ? smoe_json_string(value) : smoe_json_scalar(value);
        if (of && !scalar)
            return smoe_file_fail(host, SMOE_ERROR_FILE, "\"%s\" must map names to file names; \"%.80s\" does not", of,
                                  key);
        out->pairs[out->count++] = (smoe_file_pair){key, scalar};
    }
    return SMOE_SUCCESS;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const smoe_file_pair *)a)->key, ((const smoe_file_pair *)b)->key);
}

smoe_result smoe_checkpoint_pairs(const smoe_checkpoint *checkpoint, const char *name, const char *of,
                                  bool may_be_absent, smoe_json_pairs *out)
{
    char *path = smoe_checkpoint_join(&checkpoint->host, checkpoint->folder, name);
    if (!path)
        return smoe_file_out_of_memory(&checkpoint->host, strlen(name));
    smoe_file_host host = checkpoint->host;
    host.path = path;
    smoe_json_span text = {0};
    smoe_result result = may_be_absent && smoe_system_identify(path).kind == SMOE_SYSTEM_NOTHING
                             ? SMOE_SUCCESS
                             : read_text(&host, &text);
    out->text = text.text;
    if (result == SMOE_SUCCESS && text.text)
        result = parse_pairs(&host, text, of, out);
    if (result == SMOE_SUCCESS && out->count > 0)
        qsort(out->pairs, out->count, sizeof *out->pairs, compare_keys);
    for (uint32_t i = 1; result == SMOE_SUCCESS && i < out->count; i++)
        if (strcmp(out->pairs[i - 1].key, out->pairs[i].key) == 0)
            result = smoe_file_fail(&host, SMOE_ERROR_FILE, "has two members named \"%.80s\"", out->pairs[i].key);
    smoe_file_release(&checkpoint->host, path);
    return result;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const smoe_checkpoint_name *)a)->name, ((const smoe_checkpoint_name *)b)->name);
}

const smoe_checkpoint_name *smoe_checkpoint_find(const smoe_checkpoint *checkpoint, const char *name)
{
    const smoe_checkpoint_name key = {name, NULL};
    return checkpoint->name_count ? bsearch(&key, checkpoint->names, checkpoint->name_count, sizeof key, compare_names)
                                  : NULL;
}

/* A name of this folder and of nothing else, on every system. */
static bool is_plain_name(const char *file)
{
    return *file && strcmp(file, ".") != 0 && strcmp(file, "..") != 0 && !strpbrk(file, "/\\:");
}

static smoe_result take_names(smoe_checkpoint *checkpoint, const char *single)
{
    const smoe_file_host *host = &checkpoint->host;
    const uint32_t count = single ? checkpoint->single->entry_count : checkpoint->index.count;
    const uint64_t size = (uint64_t)count * sizeof *checkpoint->names;
    checkpoint->names = smoe_file_allocate(host, size);
    if (!checkpoint->names)
        return smoe_file_out_of_memory(host, size);
    for (uint32_t i = 0; i < count; i++) {
        checkpoint->names[i].name =
            single ? checkpoint->single->entries[i].tensor.name : checkpoint->index.pairs[i].key;
        checkpoint->names[i].file = single ? single : checkpoint->index.pairs[i].value;
        if (!single && !is_plain_name(checkpoint->names[i].file))
            return smoe_file_fail(
                host, SMOE_ERROR_FILE,
                "the index has tensor \"%.120s\" in \"%.80s\", which is not the plain name of a file in this folder",
                checkpoint->names[i].name, checkpoint->names[i].file);
    }
    checkpoint->name_count = count;
    if (count > 0)
        qsort(checkpoint->names, count, sizeof *checkpoint->names, compare_names);
    return SMOE_SUCCESS;
}

static smoe_result look_for(const smoe_checkpoint *checkpoint, const char *name, bool *there)
{
    char *path = smoe_checkpoint_join(&checkpoint->host, checkpoint->folder, name);
    if (!path)
        return smoe_file_out_of_memory(&checkpoint->host, strlen(name));
    *there = smoe_system_identify(path).kind != SMOE_SYSTEM_NOTHING;
    smoe_file_release(&checkpoint->host, path);
    return SMOE_SUCCESS;
}

static smoe_result open_single(smoe_checkpoint *checkpoint, const char *file)
{
    char *path = smoe_checkpoint_join(&checkpoint->host, checkpoint->folder, file);
    if (!path)
        return smoe_file_out_of_memory(&checkpoint->host, strlen(file));
    const smoe_result result = smoe_file_open_tensors(&checkpoint->host, path, true, &checkpoint->single);
    smoe_file_release(&checkpoint->host, path);
    return result;
}

smoe_result smoe_checkpoint_read_names(smoe_checkpoint *checkpoint, const char *file)
{
    static const char model[] = "model.safetensors", index[] = SMOE_CHECKPOINT_INDEX;
    bool has_model = false, has_index = false;
    smoe_result result = SMOE_SUCCESS;
    if (!file)
        result = look_for(checkpoint, model, &has_model);
    if (result == SMOE_SUCCESS && !file && !has_model)
        result = look_for(checkpoint, index, &has_index);
    if (result != SMOE_SUCCESS)
        return result;
    file = has_model ? model : file;
    if (file)
        result = open_single(checkpoint, file);
    else if (has_index)
        result = smoe_checkpoint_pairs(checkpoint, index, "weight_map", false, &checkpoint->index);
    else
        result = smoe_file_fail(&checkpoint->host, SMOE_ERROR_FILE,
                                "no folder with %s or %s in it; smoe downloads no model", model, index);
    return result == SMOE_SUCCESS ? take_names(checkpoint, file) : result;
}
