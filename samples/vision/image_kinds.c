/* The kinds of picture files, in one table: those that are read, and others, so that a message can name them. */
#include "image_file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAGIC(text) text, sizeof text - 1

static const struct {
    const char *name;
    size_t at; /* of the magic bytes in a file */
    const char *magic;
    size_t magic_size;
    const char *ends;             /* of names, in lower case, each before a space */
    bool (*decode)(image_file *); /* NULL: not read */
} kinds[] = {
    {"JPEG", 0, MAGIC("\xff\xd8\xff"), ".jpg .jpeg .jpe .jfif ", image_decode_jpeg},
    {"PNG", 0, MAGIC("\x89PNG\r\n\x1a\n"), ".png .apng ", image_decode_png},
    {"WebP", 8, MAGIC("WEBP"), ".webp ", image_decode_webp},
    {"GIF", 0, MAGIC("GIF8"), ".gif ", NULL},
    {"BMP", 0, MAGIC("BM"), ".bmp ", NULL},
    {"TIFF or camera raw file", 0, MAGIC("II*\0"), ".tif .tiff ", NULL},
    {"TIFF or camera raw file", 0, MAGIC("MM\0*"), "", NULL},
    {"HEIC or AVIF", 4, MAGIC("ftyp"), ".heic .heif .avif ", NULL},
    {"JPEG XL", 0, MAGIC("\xff\x0a"), ".jxl ", NULL},
    {"JPEG XL", 4, MAGIC("JXL "), "", NULL},
    {"JPEG 2000", 4, MAGIC("jP  "), ".jp2 ", NULL},
    {"Photoshop file", 0, MAGIC("8BPS"), "", NULL},
    {"PDF", 0, MAGIC("%PDF"), "", NULL},
};

#define KINDS (sizeof kinds / sizeof *kinds)

/* KINDS: none. */
static size_t find(const uint8_t *bytes, size_t size)
{
    size_t i = 0;
    while (i < KINDS && (size < kinds[i].at + kinds[i].magic_size ||
                         memcmp(bytes + kinds[i].at, kinds[i].magic, kinds[i].magic_size) != 0))
        i++;
    return i;
}

bool image_has_signature(const uint8_t *bytes, size_t size)
{
    const size_t kind = find(bytes, size);
    return kind < KINDS && kinds[kind].decode;
}

static bool ends_with(const char *name, const char *end, size_t size)
{
    const size_t length = strlen(name);
    return length >= size && strncasecmp(name + length - size, end, size) == 0;
}

bool image_has_name(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        for (const char *end = kinds[i].ends, *space; (space = strchr(end, ' ')) != NULL; end = space + 1)
            if (ends_with(name, end, (size_t)(space - end)))
                return true;
    return false;
}

/* "JPEG, PNG and WebP": the kinds that are read, with `last` before the last one. */
static const char *names(char text[64], const char *last)
{
    size_t count = 0, seen = 0, used = 0;
    for (size_t i = 0; i < KINDS; i++)
        count += kinds[i].decode != NULL;
    for (size_t i = 0; i < KINDS && used < 64; i++)
        if (kinds[i].decode) {
            const char *between = seen == 0 ? "" : seen + 1 < count ? ", " : last;
            used += (size_t)snprintf(text + used, 64 - used, "%s%s", between, kinds[i].name);
            seen++;
        }
    return text;
}

bool image_decode_kind(image_file *file)
{
    const size_t kind = find(file->bytes, file->size);
    char text[64];
    if (kind == KINDS)
        return image_refuse(file, "is no %s", names(text, " or "));
    if (!kinds[kind].decode)
        return image_refuse(file, "is a %s; only %s are read", kinds[kind].name, names(text, " and "));
    return kinds[kind].decode(file);
}
