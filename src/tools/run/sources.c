/* What one command runs, layer by layer, and how the files are named that come of it. */
#include "run.h"

#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#define SLASHES "/\\"
#else
#define SLASHES "/"
#endif
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

/* The last part of a path, without slashes behind it and without .safetensors; *size receives its length. */
static const char *find_stem(const char *path, size_t *size)
{
    const char *end = path + strlen(path);
    while (end > path && strchr(SLASHES, end[-1]))
        end--;
    const char *begin = end;
    while (begin > path && !strchr(SLASHES, begin[-1]))
        begin--;
    const size_t suffix = sizeof SUFFIX - 1;
    *size = (size_t)(end - begin);
    if (*size > suffix && strncmp(end - suffix, SUFFIX, suffix) == 0)
        *size -= suffix;
    return begin;
}

bool run_output_path(const run_options *options, const run_source *source, const char *given, const char *ending, char path[RUN_PATH_SIZE])
{
    size_t size;
    const char *stem = find_stem(source->path, &size);
    char layer[16] = "";
    if (source->layer != RUN_NONE)
        snprintf(layer, sizeof layer, ".%u", source->layer);
    const int length = run_source_count(options) == 1 ? snprintf(path, RUN_PATH_SIZE, "%s", given)
                                                      : snprintf(path, RUN_PATH_SIZE, "%s/%.*s%s%s%s", given, (int)size, stem, layer,
                                                                 ending, SUFFIX);
    if (length > 0 && length < RUN_PATH_SIZE)
        return true;
    fprintf(stderr, "smoe-run: %s: the name of its output is longer than %d bytes\n", source->path, RUN_PATH_SIZE - 1);
    return false;
}

static bool same_stem(const char *a, const char *b)
{
    size_t a_size, b_size;
    a = find_stem(a, &a_size);
    b = find_stem(b, &b_size);
    return a_size == b_size && strncmp(a, b, a_size) == 0;
}

static bool refuse(const char *option, const char *path, const char *rule)
{
    fprintf(stderr, "smoe-run: %s: %s %s\n", option, path, rule);
    return false;
}

/* The index-th output against those before it and against what is read. */
static bool check_output(const run_options *options, uint32_t index, const char *option, const char *given, const char *ending)
{
    char path[RUN_PATH_SIZE], other[RUN_PATH_SIZE];
    const run_source source = run_source_at(options, index);
    if (!run_output_path(options, &source, given, ending, path))
        return false;
    for (uint32_t i = 0; i < index; i++) {
        const run_source earlier = run_source_at(options, i);
        if (run_output_path(options, &earlier, given, ending, other) && strcmp(path, other) == 0)
            return refuse(option, path, "would be written for two of the layers");
    }
    for (uint32_t i = 0; i < options->path_count; i++)
        if (same_stem(path, options->paths[i]))
            return refuse(option, options->paths[i], "is to be read, and has the name of an output");
    if (options->x && same_stem(path, options->x))
        return refuse(option, options->x, "is to be read, and has the name of an output");
    return true;
}

bool run_check_outputs(const run_options *options)
{
    const uint32_t count = run_source_count(options);
    for (uint32_t i = 0; count > 1 && i < count; i++)
        if ((options->out && !check_output(options, i, "--out", options->out, RUN_OUT_ENDING)) ||
            (options->write && !check_output(options, i, "--write", options->write, RUN_WRITE_ENDING)))
            return false;
    return true;
}
