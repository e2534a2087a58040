/* JPEG by libjpeg-turbo. It goes on after damage, with a warning and made-up pixels; here that is an error. */
#include "image_file.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#define MAX_SCANS 200u               /* encoders write about ten; each costs a pass over all coefficients */
#define MAX_WORK (UINT64_C(1) << 32) /* scans times pixels: 24 scans of the largest picture */
#define EXIF (JPEG_APP0 + 1)         /* its marker */
#define BITS 8

typedef struct reader {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed; /* of read_all */
    image_file *file;
} reader;

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static _Noreturn void refuse(j_common_ptr decoder, const char *what)
{
    reader *r = decoder->client_data;
    char text[JMSG_LENGTH_MAX];
    decoder->err->format_message(decoder, text);
    image_refuse(r->file, "%s (%s)", what, text);
    longjmp(r->failed, 1);
}

static void on_error(j_common_ptr decoder)
{
    refuse(decoder, "cannot be decoded");
}

/* A level below 0 is a warning. Those that are not here leave every pixel as it was meant. */
static void on_message(j_common_ptr decoder, int level)
{
    static const int damage[] = {JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_ARITH_BAD_CODE, JWRN_MUST_RESYNC};
    reader *r = decoder->client_data;
    if (level < 0 && r->errors.msg_code == JWRN_JPEG_EOF) {
        image_refuse(r->file, "is damaged (it ends early)");
        longjmp(r->failed, 1);
    }
    for (size_t i = 0; level < 0 && i < sizeof damage / sizeof *damage; i++)
        if (r->errors.msg_code == damage[i])
            refuse(decoder, "is damaged");
}

/* Called before each piece of a file with several scans. */
static void on_progress(j_common_ptr decoder)
{
    reader *r = decoder->client_data;
    const uint64_t scans = (uint64_t)r->decoder.input_scan_number;
    if (scans <= MAX_SCANS && scans * r->file->width * r->file->height <= MAX_WORK)
        return;
    image_refuse(r->file, "is a JPEG of %llu scans and more, which is too much work", (unsigned long long)scans);
    longjmp(r->failed, 1);
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

/* Bytes of coefficients, which are kept where there are several scans, and of EXIF data. */
static uint64_t memory_of_decoder(reader *r)
{
    struct jpeg_decompress_struct *d = &r->decoder;
    uint64_t coefficients = 0;
    for (int i = 0; jpeg_has_multiple_scans(d) && i < d->num_components; i++) {
        const jpeg_component_info *one = &d->comp_info[i];
        coefficients += (uint64_t)(one->width_in_blocks + (JDIMENSION)one->h_samp_factor) *
                        (one->height_in_blocks + (JDIMENSION)one->v_samp_factor) * DCTSIZE2;
    }
    return coefficients * sizeof(JCOEF) + r->file->size;
}

/* Huffman codes have at least a bit for each block; arithmetic coding has no least size. */
static uint64_t least_coded(const reader *r)
{
    const uint64_t blocks = (uint64_t)((r->file->width + 7) / 8) * ((r->file->height + 7) / 8);
    return r->decoder.arith_code ? 0 : blocks / 8;
}

/* The first segment that has EXIF data; others of the same marker have XMP. */
static uint32_t orientation(const struct jpeg_decompress_struct *d)
{
    for (jpeg_saved_marker_ptr one = d->marker_list; one; one = one->next)
        if (one->data_length >= 6 && memcmp(one->data, "Exif\0", 6) == 0)
            return image_orientation(one->data, one->data_length);
    return 1;
}

static void read_header(reader *r)
{
    struct jpeg_decompress_struct *d = &r->decoder;
    image_file *f = r->file;
    jpeg_create_decompress(d);
    jpeg_mem_src(d, f->bytes, (unsigned long)f->size);
    jpeg_save_markers(d, EXIF, 0xffff);
    jpeg_read_header(d, TRUE);
    f->width = d->image_width;
    f->height = d->image_height;
    f->channels = 3;
    f->orientation = orientation(d);
}

static bool begin(reader *r)
{
    struct jpeg_decompress_struct *d = &r->decoder;
    if (d->data_precision != BITS)
        return image_refuse(r->file, "is a JPEG of %d bits per colour; %d are read", d->data_precision, BITS);
    if (!image_begin(r->file, memory_of_decoder(r), least_coded(r)))
        return false;
    d->mem->max_memory_to_use = (long)r->file->max_memory;
    d->progress = &r->progress;
    d->out_color_space = d->num_components == 4 ? JCS_CMYK : JCS_RGB;
    return true;
}

/* Whether each component was in a scan, and its mean values in one of a progressive file. */
static bool is_complete(const struct jpeg_decompress_struct *d)
{
    for (int i = 0; i < d->num_components; i++)
        if (!d->comp_info[i].quant_table || (d->coef_bits && d->coef_bits[i][0] < 0))
            return false;
    return true;
}

/* a b / 255, rounded. */
static uint8_t times(uint32_t a, uint32_t b)
{
    const uint32_t product = a * b + 128;
    return (uint8_t)((product + (product >> 8)) >> 8);
}

/* Inks are inverted as Adobe writes them, with Adobe's segment or without it, as Pillow and browsers take them. */
static void inks_to_rgb(const uint8_t *inks, uint8_t *to, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, inks += 4)
        for (uint32_t c = 0; c < 3; c++)
            *to++ = (uint8_t)(inks[3] - times(255u - inks[c], inks[3]));
}

static void read_lines(reader *r)
{
    struct jpeg_decompress_struct *d = &r->decoder;
    const JDIMENSION width = d->output_width;
    const bool inks = d->out_color_space == JCS_CMYK;
    JSAMPROW line = inks ? d->mem->alloc_large((j_common_ptr)d, JPOOL_IMAGE, 4 * (size_t)width) : NULL;
    while (d->output_scanline < d->output_height) {
        uint8_t *to = r->file->pixels + 3 * (size_t)width * d->output_scanline;
        jpeg_read_scanlines(d, inks ? &line : &to, 1);
        if (inks)
            inks_to_rgb(line, to, width);
    }
}

/* The library's errors end in here. What it takes is freed with the decoder, and the pixels with the file. */
static bool read_all(reader *r)
{
    if (setjmp(r->failed))
        return false;
    read_header(r);
    if (!begin(r))
        return false;
    jpeg_start_decompress(&r->decoder);
    if (!is_complete(&r->decoder))
        return image_refuse(r->file, "is damaged (some of its pixels are missing)");
    read_lines(r);
    return jpeg_finish_decompress(&r->decoder);
}

bool image_decode_jpeg(image_file *file)
{
    reader r = {.file = file, .progress = {.progress_monitor = on_progress}};
    r.decoder.err = jpeg_std_error(&r.errors);
    r.decoder.client_data = &r;
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    const bool done = read_all(&r);
    jpeg_destroy_decompress(&r.decoder);
    return done;
}
