#define _POSIX_C_SOURCE 200809L /* open, fstat */
#include "image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"

/* ---- the file's bytes -------------------------------------------------------------------------------------------- */

/* To be freed; NULL: the reason is set. */
static uint8_t *read_all(image_file *file, int from)
{
    size_t done = 0;
    uint8_t *bytes = malloc(file->size);
    if (!bytes)
        image_refuse(file, "cannot be read: out of memory");
    while (bytes && done < file->size) {
        const ssize_t got = read(from, bytes + done, (unsigned)(file->size - done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            image_refuse(file, "cannot be read: %s", got < 0 ? strerror(errno) : "it became shorter");
            free(bytes);
            return NULL;
        }
        done += (size_t)got;
    }
    return bytes;
}

/* Does not wait for a pipe's other end, as a plain open would. */
static uint8_t *read_file(image_file *file, const char *path)
{
    struct stat status;
    const int from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (from < 0)
        return image_refuse(file, "cannot be opened: %s", strerror(errno)), NULL;
    bool good = fstat(from, &status) == 0 || image_refuse(file, "cannot be read: %s", strerror(errno));
    if (good && !S_ISREG(status.st_mode))
        good = image_refuse(file, S_ISDIR(status.st_mode) ? "is a folder" : "is no regular file");
    else if (good && status.st_size == 0)
        good = image_refuse(file, "is empty");
    else if (good && status.st_size > (off_t)IMAGE_MAX_FILE)
        good = image_refuse(file, "is larger than %u MiB", IMAGE_MAX_FILE >> 20);
    file->size = good ? (size_t)status.st_size : 0;
    uint8_t *bytes = good ? read_all(file, from) : NULL;
    close(from);
    return bytes;
}

/* ---- its pixels -------------------------------------------------------------------------------------------------- */

/* Light of a half-transparent pixel before white. */
static uint8_t before_white(uint8_t value, uint8_t alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* Three channels, in the same memory. */
static void remove_alpha(image_file *file)
{
    const size_t count = (size_t)file->width * file->height;
    uint8_t *to = file->pixels;
    for (const uint8_t *from = to, *end = from + 4 * count; file->channels == 4 && from < end; from += 4)
        for (int c = 0; c < 3; c++)
            *to++ = before_white(from[c], from[3]);
    file->channels = 3;
}

/* By EXIF's orientation, into memory of its own. */
static bool turn_upright(image_file *file)
{
    const size_t width = file->width, height = file->height;
    const uint32_t o = file->orientation;
    const bool turned = o >= 5, from_right = o == 2 || o == 3 || o == 7 || o == 8,
               from_below = o == 3 || o == 4 || o == 6 || o == 7;
    uint8_t *upright = malloc(3 * width * height), *to = upright;
    if (!upright)
        return image_refuse(file, "cannot be read: out of memory");
    for (size_t y = 0; y < (turned ? width : height); y++)
        for (size_t x = 0; x < (turned ? height : width); x++, to += 3) {
            const size_t across = turned ? y : x, down = turned ? x : y;
            const size_t line = from_below ? height - 1 - down : down,
                         column = from_right ? width - 1 - across : across;
            memcpy(to, file->pixels + 3 * (line * width + column), 3);
        }
    free(file->pixels);
    file->pixels = upright;
    file->width = (uint32_t)(turned ? height : width);
    file->height = (uint32_t)(turned ? width : height);
    return true;
}

static bool decode(image_file *file, image *out)
{
    *out = (image){0};
    bool done = image_decode_kind(file);
    if (done) {
        remove_alpha(file);
        done = file->orientation < 2 || file->orientation > 8 || turn_upright(file);
    }
    if (done)
        *out = (image){file->width, file->height, file->pixels};
    else
        free(file->pixels);
    return done;
}

bool image_decode(image *out, const uint8_t *bytes, size_t size, uint64_t max_memory, char reason[IMAGE_REASON_SIZE])
{
    image_file file = {.bytes = bytes, .size = size, .max_memory = max_memory, .reason = reason};
    return decode(&file, out);
}

bool image_read(image *out, const char *path, char reason[IMAGE_REASON_SIZE])
{
    image_file file = {.max_memory = IMAGE_MAX_MEMORY, .reason = reason};
    uint8_t *bytes = read_file(&file, path);
    *out = (image){0};
    file.bytes = bytes;
    const bool done = bytes && decode(&file, out);
    free(bytes);
    return done;
}

void image_release(image *picture)
{
    free(picture->pixels);
    *picture = (image){0};
}
