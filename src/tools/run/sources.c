/* What one command runs, layer by layer, and how the files are named that come of it. */
#include "run.h"

#include "program/output.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX ".safetensors"

uint32_t run_source_count(const run_options *options)
{
    return options->path_count * (options->checkpoint_count ? options->layer_count : 1);
}

run_source run_source_at(const run_options *options, uint32_t index)
{
    if (!options->checkpoint_count)
        return (run_source){options->paths[index], RUN_NONE};
    return (run_source){options->paths[index / options->layer_count], options->layers[index % options->layer_count]};
}

static bool ends_with(const char *begin, size_t size, const char *suffix)
{
    const size_t length = strlen(suffix);
    return size > length && strncmp(begin + size - length, suffix, length) == 0;
}

/* The last part of a path, without slashes behind it and without its file's ending; *size receives its length. */
static const char *find_stem(const char *path, size_t *size)
{
    const char *end = path + strlen(path);
    while (end > path && program_is_slash(end[-1]))
        end--;
    const char *begin = end;
    while (begin > path && !program_is_slash(begin[-1]))
        begin--;
    static const char *const suffixes[] = {SUFFIX, ".gguf"};
    *size = (size_t)(end - begin);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (ends_with(begin, *size, suffixes[i])) {
            *size -= strlen(suffixes[i]);
            break;
        }
    return begin;
}

bool run_output_path(const run_options *options, const run_source *source, const char *given, const char *ending,
                     char path[RUN_PATH_SIZE])
{
    size_t size;
    const char *stem = find_stem(source->path, &size);
    char layer[16] = "";
    if (source->layer != RUN_NONE)
        snprintf(layer, sizeof layer, ".%u", source->layer);
    const int length =
        run_source_count(options) == 1
            ? snprintf(path, RUN_PATH_SIZE, "%s", given)
            : snprintf(path, RUN_PATH_SIZE, "%s/%.*s%s%s%s", given, (int)size, stem, layer, ending, SUFFIX);
    if (length > 0 && length < RUN_PATH_SIZE)
        return true;
    program_say("smoe-run", "%s: the name of its output is longer than %d bytes", source->path, RUN_PATH_SIZE - 1);
    return false;
}

/* The files of a checkpoint. One that cannot be opened is refused when its turn comes. */
static void read_checkpoint(program_files *files, const char *path)
{
    static const char what[] = "a file of the checkpoint";
    smoe_checkpoint *checkpoint = NULL;
    program_files_read(files, what, path);
    if (smoe_checkpoint_open(path, NULL, NULL, &checkpoint) != SMOE_SUCCESS)
        return;
    size_t stem;
    const size_t folder = program_is_folder(path) ? strlen(path) : (size_t)(find_stem(path, &stem) - path);
    const char *name, *before = "";
    for (uint32_t i = 0; (name = smoe_checkpoint_file(checkpoint, i)) != NULL; before = name, i++) {
        char file[RUN_PATH_SIZE];
        const int size = snprintf(file, sizeof file, "%.*s%s%s", (int)folder, path,
                                  folder && !program_is_slash(path[folder - 1]) ? "/" : "", name);
        if (size < RUN_PATH_SIZE && strcmp(name, before) != 0)
            program_files_read(files, what, file);
    }
    smoe_checkpoint_close(checkpoint);
}

static bool write_output(const run_options *options, program_files *files, uint32_t index, const char *option,
                         const char *given, const char *ending)
{
    char path[RUN_PATH_SIZE];
    const run_source source = run_source_at(options, index);
    if (!given)
        return true;
    if (!run_output_path(options, &source, given, ending, path))
        return false;
    if (!program_files_write(files, option, path, PROGRAM_SAFETENSORS)) {
        program_say("smoe-run", "%s", files->reason);
        return false;
    }
    return true;
}

bool run_check_outputs(const run_options *options)
{
    program_files files = {0};
    bool good = true;
    if (!options->out && !options->write)
        return true;
    for (uint32_t i = 0; i < options->path_count; i++)
        if (options->checkpoint_count)
            read_checkpoint(&files, options->paths[i]);
        else
            program_files_read(&files, "a layer file that is read", options->paths[i]);
    if (options->x)
        program_files_read(&files, "the file of --x", options->x);
    for (uint32_t i = 0; good && i < run_source_count(options); i++)
        good = write_output(options, &files, i, "--out", options->out, RUN_OUT_ENDING) &&
               write_output(options, &files, i, "--write", options->write, RUN_WRITE_ENDING);
    program_files_release(&files);
    return good;
}
