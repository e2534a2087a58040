/* The tensors' names of a checkpoint: which there are, and in which file. */
#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/system.h"

#define MAX_JSON_SIZE 100000000u /* safetensors' bound of a header: an index has as much to say */

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

/* Objects of config.json that have settings: the language model's in a model of several first, then DBRX's. */
static const char *const config_parts[] = {"text_config.", "thinker_config.text_config.", "llm_config.",
                                           "ffn_config.ffn_act_fn."};
#define MODEL_PARTS 3u

const char *smoe_config_part(uint32_t index)
{
    return index < MODEL_PARTS ? config_parts[index] : NULL;
}

/* Whether the path, "thinker_config.", is that of a part or leads to one. */
static bool leads_to_part(const char *path, size_t size)
{
    for (size_t i = 0; i < sizeof config_parts / sizeof *config_parts; i++)
        if (size > 0 && strncmp(config_parts[i], path, size) == 0)
            return true;
    return false;
}

/* A path within config.json while it is walked: a part's, with room for its longest name. */
typedef struct config_path {
    char text[32];
    size_t size;
} config_path;

/* The path of a member, if it leads to a part. The name is still as the file has it, in its quotes. */
static bool enter_part(const config_path *path, smoe_json_span name, smoe_json_span value, config_path *out)
{
    const size_t inner = name.size - 2;
    if (*value.text != '{' || path->size + inner + 2 > sizeof out->text)
        return false;
    *out = *path;
    memcpy(out->text + path->size, name.text + 1, inner);
    out->text[path->size + inner] = '.';
    out->size = path->size + inner + 1;
    return leads_to_part(out->text, out->size);
}

/* A list's text, with a NUL behind it: the byte before it has been read. */
static const char *list_text(smoe_json_span value)
{
    memmove(value.text - 1, value.text, value.size);
    value.text[value.size - 1] = '\0';
    return value.text - 1;
}

/* Walks an object that is known to be good JSON. Without pairs it counts them and the bytes of their keys. */
static void walk_config(smoe_json_cursor object, const config_path *path, smoe_json_pairs *out, uint64_t *key_size)
{
    smoe_json_span name, value;
    const char *reason;
    object.python = true;
    while (smoe_json_next_member(&object, &name, &value, &reason) == SMOE_JSON_ITEM) {
        config_path inner;
        if (enter_part(path, name, value, &inner))
            walk_config(smoe_json_enter(value), &inner, out, key_size);
        const uint64_t at = *key_size;
        *key_size += path->size + name.size;
        if (out->pairs) {
            char *key = out->keys + at;
            const char *own = smoe_json_string(name);
            memcpy(key, path->text, path->size);
            memcpy(key + path->size, own, strlen(own) + 1);
            out->pairs[out->count] =
                (smoe_file_pair){key, *value.text == '[' ? list_text(value) : smoe_json_scalar(value)};
        }
        out->count++;
    }
}

static smoe_result parse_config(const smoe_file_host *host, smoe_json_span text, smoe_json_pairs *out)
{
    smoe_json_cursor object = smoe_json_enter(text);
    const config_path top = {"", 0};
    uint64_t key_size = 0;
    object.python = true;
    const smoe_result result = smoe_json_count(host, object, "the file", &out->count);
    if (result != SMOE_SUCCESS)
        return result;
    out->count = 0;
    walk_config(object, &top, out, &key_size);
    const uint64_t size = (uint64_t)out->count * sizeof *out->pairs;
    out->pairs = smoe_file_allocate(host, size);
    out->keys = smoe_file_allocate(host, key_size);
    if (!out->pairs || !out->keys)
        return smoe_file_out_of_memory(host, size + key_size);
    out->count = 0;
    key_size = 0;
    walk_config(object, &top, out, &key_size);
    return SMOE_SUCCESS;
}

static smoe_result parse_strings(const smoe_file_host *host, smoe_json_span text, const char *of, smoe_json_pairs *out)
{
    smoe_json_cursor object = smoe_json_enter(text);
    uint32_t count;
    smoe_result result = smoe_json_count(host, object, "the file", &count);
    if (result == SMOE_SUCCESS)
        result = find_member(host, object, of, &object);
    if (result == SMOE_SUCCESS)
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
        const char *key = smoe_json_string(name), *file = smoe_json_string(value);
        if (!file)
            return smoe_file_fail(host, SMOE_ERROR_FILE, "\"%s\" must map names to file names; \"%.80s\" does not", of,
                                  key);
        out->pairs[out->count++] = (smoe_file_pair){key, file};
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
    char *path = smoe_file_join(&checkpoint->host, checkpoint->folder, name);
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
        result = of ? parse_strings(&host, text, of, out) : parse_config(&host, text, out);
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

static smoe_result sort_names(smoe_checkpoint *checkpoint)
{
    const uint32_t count = checkpoint->name_count;
    if (count > 0)
        qsort(checkpoint->names, count, sizeof *checkpoint->names, compare_names);
    for (uint32_t i = 1; i < count; i++)
        if (strcmp(checkpoint->names[i - 1].name, checkpoint->names[i].name) == 0)
            return smoe_file_fail(&checkpoint->host, SMOE_ERROR_FILE, "tensor \"%.120s\" is in both %s and %s",
                                  checkpoint->names[i].name, checkpoint->names[i - 1].file, checkpoint->names[i].file);
    return SMOE_SUCCESS;
}

/* A name within this folder, on every system: names of folders and a file's, of which none is empty, . or .. */
static bool is_inner_name(const char *file)
{
    if (strpbrk(file, "\\:"))
        return false;
    for (size_t size; (size = strcspn(file, "/")) > 0; file += size + 1) {
        if (file[0] == '.' && (size == 1 || (size == 2 && file[1] == '.')))
            return false;
        if (!file[size])
            return true;
    }
    return false;
}

static void add_names(smoe_checkpoint *checkpoint, const smoe_layer_file *headers, const char *file)
{
    for (uint32_t i = 0; i < headers->entry_count; i++)
        checkpoint->names[checkpoint->name_count++] = (smoe_checkpoint_name){headers->entries[i].tensor.name, file};
}

static smoe_result add_index(smoe_checkpoint *checkpoint)
{
    for (uint32_t i = 0; i < checkpoint->index.count; i++) {
        const smoe_file_pair *pair = &checkpoint->index.pairs[i];
        if (!is_inner_name(pair->value))
            return smoe_file_fail(
                &checkpoint->host, SMOE_ERROR_FILE,
                "the index has tensor \"%.120s\" in \"%.80s\", which is not the name of a file within this folder",
                pair->key, pair->value);
        checkpoint->names[checkpoint->name_count++] = (smoe_checkpoint_name){pair->key, pair->value};
    }
    return SMOE_SUCCESS;
}

static uint64_t count_names(const smoe_checkpoint *checkpoint)
{
    const smoe_parts *parts = &checkpoint->parts;
    uint64_t count = 0;
    for (uint32_t i = 0; i < parts->count; i++)
        count += parts->files[i]->entry_count;
    if (parts->count > 0)
        return count;
    return checkpoint->single ? checkpoint->single->entry_count : checkpoint->index.count;
}

smoe_result smoe_checkpoint_take_names(smoe_checkpoint *checkpoint, const char *single)
{
    const smoe_parts *parts = &checkpoint->parts;
    const uint64_t count = count_names(checkpoint);
    if (count > UINT32_MAX)
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_FILE, "%llu tensors, must be at most %u",
                              (unsigned long long)count, UINT32_MAX);
    checkpoint->names = smoe_file_allocate(&checkpoint->host, count * sizeof *checkpoint->names);
    if (!checkpoint->names)
        return smoe_file_out_of_memory(&checkpoint->host, count * sizeof *checkpoint->names);
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t i = 0; i < parts->count; i++)
        add_names(checkpoint, parts->files[i], smoe_checkpoint_part_name(checkpoint, i));
    if (parts->count == 0 && single)
        add_names(checkpoint, checkpoint->single, single);
    else if (parts->count == 0)
        result = add_index(checkpoint);
    return result == SMOE_SUCCESS ? sort_names(checkpoint) : result;
}

smoe_result smoe_checkpoint_look_for(const smoe_checkpoint *checkpoint, const char *name, bool *there)
{
    char *path = smoe_file_join(&checkpoint->host, checkpoint->folder, name);
    if (!path)
        return smoe_file_out_of_memory(&checkpoint->host, strlen(name));
    *there = smoe_system_identify(path).kind != SMOE_SYSTEM_NOTHING;
    smoe_file_release(&checkpoint->host, path);
    return SMOE_SUCCESS;
}

smoe_result smoe_checkpoint_open_file(const smoe_checkpoint *checkpoint, const char *file, smoe_layer_file **out)
{
    char *path = smoe_file_join(&checkpoint->host, checkpoint->folder, file);
    if (!path)
        return smoe_file_out_of_memory(&checkpoint->host, strlen(file));
    const smoe_result result = smoe_file_open_tensors(&checkpoint->host, path, true, out);
    smoe_file_release(&checkpoint->host, path);
    return result;
}
