/* PNG by libpng. It unpacks the chunks that pixels depend on; the others come here as they are. */
#include "image_file.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

#define DEFLATE 1032u /* no deflated byte stands for more */
#define LINES 32u     /* bytes per pixel of a line that libpng takes at most: two lines of four channels, and room */

typedef struct source {
    image_file *file;
    size_t at;
} source;

static void on_error(png_structp png, png_const_charp text)
{
    const source *from = png_get_error_ptr(png);
    image_refuse(from->file, "cannot be decoded (%s)", text);
    png_longjmp(png, 1);
}

/* Warnings of what has no say in the pixels, or of more bytes than they need. */
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t count)
{
    source *from = png_get_io_ptr(png);
    if (count > from->file->size - from->at) {
        image_refuse(from->file, "is damaged (it ends early)");
        png_longjmp(png, 1);
    }
    memcpy(to, from->file->bytes + from->at, count);
    from->at += count;
}

/* Chunks that no pixel depends on, one by one, so that libpng keeps none. Positive: it need not know them. */
static int read_ancillary(png_structp png, png_unknown_chunkp chunk)
{
    const source *from = png_get_user_chunk_ptr(png);
    if (memcmp(chunk->name, "eXIf", 4) == 0 && chunk->size > 0)
        from->file->orientation = image_orientation(chunk->data, chunk->size);
    return (chunk->name[0] & 0x20) != 0;
}

static void configure(png_structp png, source *from)
{
    png_set_read_fn(png, from, read_bytes);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* image_begin has the limits */
    png_set_chunk_malloc_max(png, from->file->size); /* before it is known whether the file has what a chunk claims */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_read_user_chunk_fn(png, from, read_ancillary);
}

/* 16 bits are cut to 8, fewer are spread, and palettes and transparent colours become pixels. */
static bool begin(png_structp png, png_infop info, image_file *file)
{
    const uint32_t bits = (uint32_t)png_get_bit_depth(png, info) * png_get_channels(png, info);
    file->width = png_get_image_width(png, info);
    file->height = png_get_image_height(png, info);
    file->channels =
        png_get_valid(png, info, PNG_INFO_tRNS) || (png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) ? 4 : 3;
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    const uint64_t unpacked = file->height * (1 + ((uint64_t)file->width * bits + 7) / 8);
    return image_begin(file, (uint64_t)file->width * LINES, unpacked / DEFLATE);
}

/* The library's errors end in here. What it takes is freed with its structs, and the pixels with the file. */
static bool read_all(png_structp png, png_infop info, source *from)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    image_file *file = from->file;
    configure(png, from);
    png_read_info(png, info);
    if (!begin(png, info, file))
        return false;
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < file->height; y++)
            png_read_row(png, file->pixels + y * file->width * file->channels, NULL);
    png_read_end(png, info);
    return true;
}

bool image_decode_png(image_file *file)
{
    source from = {.file = file};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &from, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    const bool done = info ? read_all(png, info, &from) : image_refuse(file, "cannot be read: out of memory");
    png_destroy_read_struct(&png, &info, NULL);
    return done;
}
