/* The steps of image_read: which kind a file is of, the decoders of the kinds, and what all decoders begin with. */
#ifndef VISION_IMAGE_FILE_H
#define VISION_IMAGE_FILE_H

#include "image.h"

typedef struct image_file {
    const uint8_t *bytes;
    size_t size;
    uint64_t max_memory; /* bytes for all of it, these ones included */
    char *reason;        /* [IMAGE_REASON_SIZE] */

    /* What a decoder leaves; the pixels are the caller's, after a failure too. */
    uint32_t width, height, channels; /* channels: 3, or 4 with alpha */
    uint32_t orientation;             /* EXIF's, 1 .. 8; others mean 1 */
    uint8_t *pixels;                  /* [height, width, channels] */
} image_file;

/* Sets the reason. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool image_refuse(image_file *file, const char *format, ...);

/* Zeroed pixels, for a decoder that knows width, height and channels and has decoded nothing yet. `decoding`: bytes
 * that it will take besides. `coded`: bytes that such a picture takes in a file at the least. False: it is too large,
 * or claims to be. */
bool image_begin(image_file *file, uint64_t decoding, uint64_t coded);

/* One for each kind of file. False: the reason is set. */
bool image_decode_jpeg(image_file *file);
bool image_decode_png(image_file *file);
bool image_decode_webp(image_file *file);

/* Finds the kind of a file by its first bytes, and decodes it. */
bool image_decode_kind(image_file *file);

/* The orientation that EXIF data gives its picture; 1 if it gives none. */
uint32_t image_orientation(const uint8_t *exif, size_t size);

/* image_read of bytes in memory, with another limit of memory. */
bool image_decode(image *out, const uint8_t *bytes, size_t size, uint64_t max_memory, char reason[IMAGE_REASON_SIZE]);

#endif
