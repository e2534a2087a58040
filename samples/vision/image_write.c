/* Pictures as files in memory, by libpng and libjpeg-turbo. */
#include "image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

uint8_t *image_write_png(const uint8_t *pixels, uint32_t width, uint32_t height, size_t *size)
{
    png_image picture = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(picture);
    uint8_t *file = malloc(bytes);
    if (!file || !png_image_write_to_memory(&picture, file, &bytes, 0, pixels, 0, NULL))
        return free(file), NULL;
    *size = bytes;
    return file;
}

typedef struct writer {
    struct jpeg_compress_struct encoder;
    struct jpeg_error_mgr errors;
    jmp_buf failed; /* of write_all */
    unsigned char *file;
    unsigned long size;
} writer;

static void on_error(j_common_ptr encoder)
{
    writer *w = encoder->client_data;
    longjmp(w->failed, 1);
}

/* The library's errors end in here. */
static bool write_all(writer *w, const uint8_t *pixels, uint32_t width, uint32_t height, int quality)
{
    struct jpeg_compress_struct *e = &w->encoder;
    if (setjmp(w->failed))
        return false;
    jpeg_create_compress(e);
    jpeg_mem_dest(e, &w->file, &w->size);
    e->image_width = width;
    e->image_height = height;
    e->input_components = 3;
    e->in_color_space = JCS_RGB;
    jpeg_set_defaults(e);
    jpeg_set_quality(e, quality, TRUE);
    jpeg_start_compress(e, TRUE);
    while (e->next_scanline < height) {
        JSAMPROW line = (JSAMPROW)pixels + 3 * (size_t)width * e->next_scanline; /* which is only read */
        jpeg_write_scanlines(e, &line, 1);
    }
    jpeg_finish_compress(e);
    return true;
}

uint8_t *image_write_jpeg(const uint8_t *pixels, uint32_t width, uint32_t height, int quality, size_t *size)
{
    writer w = {0};
    w.encoder.err = jpeg_std_error(&w.errors);
    w.encoder.client_data = &w;
    w.errors.error_exit = on_error;
    const bool done = write_all(&w, pixels, width, height, quality);
    jpeg_destroy_compress(&w.encoder);
    *size = w.size;
    if (done)
        return w.file;
    free(w.file);
    return NULL;
}
