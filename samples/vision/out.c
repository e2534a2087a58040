/* --out: what a run computed, as safetensors. */
#include "classify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/output.h"
#include "program/text.h"

/* A byte that is no UTF-8 becomes U+DC00 + the byte, which Python's os.fsencode turns back into it. */
static size_t put_path(char *to, const char *path)
{
    size_t size = 0;
    to[size++] = '"';
    while (*path) {
        uint32_t code;
        const int bytes = program_decode(path, &code);
        if (bytes == 0)
            code = 0xdc00 + (uint8_t)*path;
        path += bytes ? bytes : 1;
        if (code >= 0x20 && code < 0x7f && code != '"' && code != '\\')
            to[size++] = (char)code;
        else if (code < 0x10000)
            size += (size_t)sprintf(to + size, "\\u%04x", code);
        else
            size += (size_t)sprintf(to + size, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
    }
    to[size++] = '"';
    return size;
}

/* A JSON list of strings in ASCII. NULL: out of memory. */
static char *list_paths(const char *const *paths, uint32_t count)
{
    size_t size = 3;
    for (uint32_t i = 0; i < count; i++)
        size += 6 * strlen(paths[i]) + 3; /* \u and four digits for a byte, quotes, a comma */
    char *text = malloc(size + 1);
    size_t at = 0;
    if (!text)
        return NULL;
    text[at++] = '[';
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            text[at++] = ',';
        at += put_path(text + at, paths[i]);
    }
    text[at++] = ']';
    text[at] = '\0';
    return text;
}

/* What makes of the logits the answers that were shown. Gives how many pairs there are. */
static uint32_t add_settings(const vision_model *model, char numbers[2][32], const char **metadata)
{
    uint32_t count = 0;
    metadata[count++] = "fit";
    metadata[count++] = vision_fit_name((int)model->fit);
    snprintf(numbers[0], sizeof numbers[0], "%.9g", model->temperature);
    snprintf(numbers[1], sizeof numbers[1], "%.9g", model->unsure_below);
    if (model->calibrated) {
        metadata[count++] = "temperature";
        metadata[count++] = numbers[0];
    }
    if (model->unsure_below > 0) {
        metadata[count++] = "unsure_below";
        metadata[count++] = numbers[1];
    }
    return count / 2;
}

bool classify_write(const classify_session *session, uint32_t count, const char *const *paths, const float *images,
                    const float *logits)
{
    const uint64_t size = session->model->image_size, classes = session->model->class_count;
    const smoe_tensor tensors[] = {
        {.name = "logits", .rank = 2, .shape = {count, classes, 1, 1}, .data = logits, .size = 4 * count * classes},
        {.name = "images", .rank = 4, .shape = {count, 3, size, size}, .data = images,
         .size = 12 * count * size * size}};
    char *list = paths ? list_paths(paths, count) : NULL;
    const char *metadata[8] = {"paths", list};
    char numbers[2][32];
    if (paths && !list)
        return vision_fail("out of memory");
    const uint32_t pairs = list ? 1 + add_settings(session->model, numbers, metadata + 2) : 0;
    program_output output;
    const char *name;
    smoe_result result = SMOE_ERROR_FILE;
    bool good = program_output_name(&output, session->out, &name);
    if (good) {
        result =
            smoe_layer_file_write(name, tensors, images ? 2 : 1, list ? metadata : NULL, pairs, NULL, session->log);
        good = program_output_close(&output, result == SMOE_SUCCESS);
    }
    free(list);
    return (good || vision_fail("%s", output.reason)) && result == SMOE_SUCCESS;
}
