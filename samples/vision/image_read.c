#define _POSIX_C_SOURCE 200809L /* open, fstat */
#include "image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"

/* ---- the file's bytes -------------------------------------------------------------------------------------------- */

static bool read_all(image_file *file, int from)
{
    size_t done = 0;
    file->memory = image_allocate(IMAGE_INSERTED + file->size);
    while (file->memory && done < file->size) {
        const ssize_t got = read(from, file->memory + IMAGE_INSERTED + done, (unsigned)(file->size - done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return image_refuse(file, "cannot be read: %s", got < 0 ? strerror(errno) : "it became shorter");
        done += (size_t)got;
    }
    return file->memory || image_refuse(file, "cannot be read: out of memory");
}

/* Does not wait for a pipe's other end, as a plain open would. */
static bool read_file(image_file *file, const char *path)
{
    struct stat status;
    const int from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (from < 0)
        return image_refuse(file, "cannot be opened: %s", strerror(errno));
    bool done = fstat(from, &status) == 0 || image_refuse(file, "cannot be read: %s", strerror(errno));
    if (done && !S_ISREG(status.st_mode))
        done = image_refuse(file, S_ISDIR(status.st_mode) ? "is a folder" : "is no regular file");
    else if (done && status.st_size == 0)
        done = image_refuse(file, "is empty");
    else if (done && status.st_size > (off_t)IMAGE_MAX_FILE)
        done = image_refuse(file, "is larger than %u MiB", IMAGE_MAX_FILE >> 20);
    if (done) {
        file->size = (size_t)status.st_size;
        done = read_all(file, from);
    }
    close(from);
    return done;
}

/* ---- what it is -------------------------------------------------------------------------------------------------- */

/* Whether the file's bytes from `at` on are those. */
static bool has(const image_file *file, size_t at, const char *bytes, size_t size)
{
    return file->size >= at + size && memcmp(file->memory + IMAGE_INSERTED + at, bytes, size) == 0;
}

static bool rewrite(image_file *file)
{
    static const struct { const char *name; size_t at; const char *bytes; size_t size;
    } others[] = {{"a GIF", 0, "GIF8", 4}, {"a WebP", 8, "WEBP", 4}, {"a BMP", 0, "BM", 2},
                  {"a TIFF or camera raw file", 0, "II*\0", 4}, {"a TIFF or camera raw file", 0, "MM\0*", 4},
                  {"a HEIC or AVIF", 4, "ftyp", 4}, {"a JPEG XL", 0, "\xff\x0a", 2}, {"a JPEG XL", 4, "JXL ", 4},
                  {"a JPEG 2000", 4, "jP  ", 4}, {"a Photoshop file", 0, "8BPS", 4}, {"a PDF", 0, "%PDF", 4}};
    if (has(file, 0, "\xff\xd8", 2))
        return image_rewrite_jpeg(file);
    if (has(file, 0, "\x89PNG\r\n\x1a\n", 8))
        return image_rewrite_png(file);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (has(file, others[i].at, others[i].bytes, others[i].size))
            return image_refuse(file, "is %s; only JPEG and PNG are read", others[i].name);
    return image_refuse(file, "is neither JPEG nor PNG");
}

/* ---- its pixels -------------------------------------------------------------------------------------------------- */

/* Light of a half-transparent pixel before white. */
static uint8_t before_white(uint8_t value, uint8_t alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* Whatever the channels, and lying however: three channels, upright. Frees `from`. NULL: no memory. */
static uint8_t *to_upright_rgb(const image_file *file, uint8_t *from)
{
    const size_t width = file->width, height = file->height, channels = file->channels;
    const uint32_t o = file->orientation;
    const bool turned = o >= 5, from_right = o == 2 || o == 3 || o == 7 || o == 8,
               from_below = o == 3 || o == 4 || o == 6 || o == 7;
    if (channels == 3 && o == 1)
        return from;
    const bool in_place = channels == 4 && o == 1;
    uint8_t *to = in_place ? from : image_allocate(3 * width * height), *at = to;
    for (size_t y = 0; to && y < (turned ? width : height); y++)
        for (size_t x = 0; x < (turned ? height : width); x++, at += 3) {
            const size_t across = turned ? y : x, down = turned ? x : y;
            const size_t line = from_below ? height - 1 - down : down,
                         column = from_right ? width - 1 - across : across;
            const uint8_t *pixel = from + channels * (line * width + column);
            const uint8_t alpha = channels == 4 ? pixel[3] : channels == 2 ? pixel[1] : 255;
            const size_t step = channels > 2;
            const uint8_t red = pixel[0], green = pixel[step], blue = pixel[2 * step];
            at[0] = before_white(red, alpha);
            at[1] = before_white(green, alpha);
            at[2] = before_white(blue, alpha);
        }
    if (!in_place)
        image_free(from);
    return to;
}

bool image_decode(image_file *file, image *out)
{
    *out = (image){0};
    file->orientation = 1;
    if (!rewrite(file))
        return false;
    if (file->width > IMAGE_MAX_SIDE || file->height > IMAGE_MAX_SIDE)
        return image_refuse(file, "is %u x %u pixels; at most %u either way are read", file->width, file->height,
                            IMAGE_MAX_SIDE);
    const uint64_t last = (file->channels + (file->channels != 3 || file->orientation != 1 ? 3 : 0)) *
                          (uint64_t)file->width * file->height;
    const uint64_t need = IMAGE_INSERTED + 2 * (uint64_t)file->size + (file->need > last ? file->need : last);
    if (need > IMAGE_MAX_MEMORY)
        return image_refuse(file, "is %u x %u pixels; decoding them takes %llu MiB, and a picture may take %u",
                            file->width, file->height, (unsigned long long)(need >> 20), IMAGE_MAX_MEMORY >> 20);
    uint8_t *pixels = image_decode_stb(file);
    if (!pixels)
        return false;
    out->pixels = to_upright_rgb(file, pixels);
    out->width = file->orientation >= 5 ? file->height : file->width;
    out->height = file->orientation >= 5 ? file->width : file->height;
    return out->pixels || image_refuse(file, "cannot be read: out of memory");
}

bool image_read(image *out, const char *path, char reason[IMAGE_REASON_SIZE])
{
    image_file file = {.reason = reason};
    *out = (image){0};
    const bool done = read_file(&file, path) && image_decode(&file, out);
    image_free(file.memory);
    return done;
}

void image_release(image *picture)
{
    image_free(picture->pixels);
    *picture = (image){0};
}
