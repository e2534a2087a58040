/* --out: what a run computed, as safetensors. */
#define _POSIX_C_SOURCE 200809L /* open, fstat */
#include "classify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"

/* Whether the file begins as safetensors do: the size of the header, which is JSON, and the header within the file. */
static bool is_safetensors(int file, off_t size)
{
    uint8_t begin[9];
    uint64_t header = 0;
    if (read(file, begin, sizeof begin) != (ssize_t)sizeof begin || begin[8] != '{')
        return false;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | begin[i];
    return header <= (uint64_t)size - 8;
}

/* Whether the open file may be overwritten. */
static bool allowed(const classify_session *session, int file, char *const *pictures, uint32_t count)
{
    const char *path = session->out;
    struct stat status;
    if (fstat(file, &status) != 0)
        return vision_fail("--out %s cannot be written: %s", path, strerror(errno));
    if (S_ISCHR(status.st_mode))
        return true;
    if (!S_ISREG(status.st_mode))
        return vision_fail("--out %s is no regular file", path);
    if (path_is_same(path, session->model->path))
        return vision_fail("--out %s is the model; it is not overwritten", path);
    if (path_is_same(path, session->options->report))
        return vision_fail("--out and --report name the same file, %s", path);
    for (uint32_t i = 0; i < count; i++)
        if (path_is_same(path, pictures[i]))
            return vision_fail("--out %s is one of the %s; it is not overwritten", path,
                               session->options->check_count > 0 ? "files of --check" : "pictures");
    return status.st_size == 0 || is_safetensors(file, status.st_size) ||
           vision_fail("--out %s is there and is no safetensors file; it is not overwritten", path);
}

bool classify_check_out(const classify_session *session, char *const *pictures, uint32_t count)
{
    const char *path = session->out;
    if (!path)
        return true;
    /* Neither emptied nor waited for. What was not there is removed again: a run that fails leaves no empty file. */
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const bool made = file >= 0;
    if (!made && errno == EEXIST)
        file = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0)
        return vision_fail("--out %s cannot be written: %s", path, strerror(errno));
    const bool good = allowed(session, file, pictures, count);
    close(file);
    if (made)
        unlink(path);
    return good;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

/* The UTF-8 character at `text` in *code, and its bytes; for a byte that begins none 1 and U+DC00 + the byte, which Python's os.fsencode
 * turns back into it. */
static int decode(const uint8_t *text, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const int length = *text < 0x80 ? 1 : *text < 0xc0 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : *text < 0xf8 ? 4 : 0;
    bool good = length > 0;
    *code = length < 2 ? *text : *text & (0x7fu >> length);
    for (int i = 1; good && i < length; i++) {
        good = (text[i] & 0xc0) == 0x80; /* which the final 0 is not */
        *code = *code << 6 | (text[i] & 0x3fu);
    }
    if (good && *code >= least[length] && !(*code >= 0xd800 && *code < 0xe000) && *code <= 0x10ffff)
        return length;
    *code = 0xdc00 + *text;
    return 1;
}

static size_t put_path(char *to, const char *path)
{
    size_t size = 0;
    uint32_t code;
    to[size++] = '"';
    for (const uint8_t *at = (const uint8_t *)path; *at;) {
        at += decode(at, &code);
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

bool classify_write(const classify_session *session, uint32_t count, const char *const *paths, const float *images, const float *logits)
{
    const uint64_t size = session->model->image_size, classes = session->model->class_count;
    const smoe_tensor tensors[] = {
        {.name = "logits", .rank = 2, .shape = {count, classes, 1, 1}, .data = logits, .size = 4 * count * classes},
        {.name = "images", .rank = 4, .shape = {count, 3, size, size}, .data = images, .size = 12 * count * size * size}};
    char *list = paths ? list_paths(paths, count) : NULL;
    const char *const metadata[] = {"paths", list};
    if (paths && !list)
        return vision_fail("out of memory");
    const smoe_result result = smoe_layer_file_write(session->out, tensors, images ? 2 : 1, list ? metadata : NULL, list ? 1 : 0,
                                                     NULL, session->log);
    free(list);
    return result == SMOE_SUCCESS;
}
