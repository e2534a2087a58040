/* Pictures as files in memory, by libpng and libjpeg-turbo. */
#include "image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

#define FIRST_ROOM ((size_t)1 << 14)

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
    struct jpeg_destination_mgr to;
    jmp_buf failed; /* of write_all */
    uint8_t *file;  /* [room], of which size are the file's at the end */
    size_t room, size;
} writer;

static void on_error(j_common_ptr encoder)
{
    writer *w = encoder->client_data;
    longjmp(w->failed, 1);
}

/* The library's own destination in memory loses what it holds where there is no more. */
static void begin_file(j_compress_ptr encoder)
{
    (void)encoder; /* the first room is made by `grow` */
}

/* All the room is taken. */
static boolean grow(j_compress_ptr encoder)
{
    writer *w = encoder->client_data;
    const size_t room = w->room ? 2 * w->room : FIRST_ROOM;
    uint8_t *file = realloc(w->file, room);
    if (!file)
        on_error((j_common_ptr)encoder);
    w->to.next_output_byte = file + w->room;
    w->to.free_in_buffer = room - w->room;
    w->file = file;
    w->room = room;
    return TRUE;
}

static void end_file(j_compress_ptr encoder)
{
    writer *w = encoder->client_data;
    w->size = w->room - w->to.free_in_buffer;
}

/* The library's errors end in here. */
static bool write_all(writer *w, const uint8_t *pixels, uint32_t width, uint32_t height, int quality)
{
    struct jpeg_compress_struct *e = &w->encoder;
    if (setjmp(w->failed))
        return false;
    jpeg_create_compress(e);
    w->to = (struct jpeg_destination_mgr){
        .init_destination = begin_file, .empty_output_buffer = grow, .term_destination = end_file};
    e->dest = &w->to;
    grow(e);
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
