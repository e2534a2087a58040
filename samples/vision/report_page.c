/* The report's file: text from anywhere made harmless, and pictures as data URIs. */
#include "report_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "program/html.h"

#define JPEG_QUALITY 90

static const char first_line[] = "<!doctype html>";

/* ---- the file ---------------------------------------------------------------------------------------------------- */

bool page_open(page *p, const char *path)
{
    *p = (page){.path = path};
    if (!program_output_open(&p->output, path))
        return vision_fail("%s", p->output.reason);
    page_put(p, "%s\n", first_line);
    return true;
}

static void check(page *p, bool good)
{
    if (!good && !p->error)
        p->error = errno ? errno : EIO;
}

bool page_good(page *p)
{
    errno = 0;
    check(p, fflush(p->output.stream) == 0);
    return !p->error;
}

bool page_close(page *p)
{
    errno = 0;
    if (!program_output_close(&p->output, !p->error) && !p->error)
        return vision_fail("%s", p->output.reason);
    return !p->error || vision_fail("%s cannot be written: %s", p->path, strerror(p->error));
}

void page_put(page *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    errno = 0;
    const int size = vfprintf(p->output.stream, format, arguments);
    va_end(arguments);
    check(p, size >= 0);
    p->size += size > 0 ? (uint64_t)size : 0;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

void page_text(page *p, const char *text, uint32_t most)
{
    errno = 0;
    p->size += program_html(p->output.stream, text, most);
    check(p, !ferror(p->output.stream));
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

/* Base64 of bytes that come piece by piece. */
typedef struct base64 {
    page *page;
    uint32_t bits, count; /* bytes that wait for their group of three */
} base64;

static void base64_put(base64 *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char group[5] = "====";
    if (b->count == 0)
        return;
    b->bits <<= 8 * (3 - b->count);
    for (uint32_t i = 0; i <= b->count; i++)
        group[i] = digits[b->bits >> (18 - 6 * i) & 63];
    page_put(b->page, "%s", group);
    b->bits = b->count = 0;
}

static void base64_add(base64 *b, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        b->bits = b->bits << 8 | bytes[i];
        if (++b->count == 3)
            base64_put(b);
    }
}

void page_picture(page *p, const image *picture, bool crisp)
{
    base64 b = {p, 0, 0};
    size_t bytes = 0;
    uint8_t *file = crisp ? image_write_png(picture->pixels, picture->width, picture->height, &bytes)
                          : image_write_jpeg(picture->pixels, picture->width, picture->height, JPEG_QUALITY, &bytes);
    page_put(p, "data:image/%s;base64,", crisp ? "png" : "jpeg");
    base64_add(&b, file, file ? bytes : 0);
    base64_put(&b);
    errno = ENOMEM; /* all that can be wrong */
    check(p, file != NULL);
    free(file);
}
