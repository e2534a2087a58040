/* The steps of image_read: a file's bytes, checked and rewritten before stb_image sees them. */
#ifndef VISION_IMAGE_FILE_H
#define VISION_IMAGE_FILE_H

#include "image.h"

#define IMAGE_INSERTED 1024u /* bytes that rewriting may add */

typedef struct image_file {
    /* IMAGE_INSERTED + size bytes, by image_allocate, the file's own from IMAGE_INSERTED on. Rewriting leaves new_size
     * bytes at the front. */
    uint8_t *memory;
    size_t size, new_size;
    uint32_t width, height, channels; /* channels: as decoded, alpha being one */
    uint32_t orientation;             /* EXIF's, 1 .. 8 */
    uint64_t need;                    /* bytes that decoding takes, about */
    char *reason;                     /* [IMAGE_REASON_SIZE] */
} image_file;

/* Sets the reason. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool image_refuse(image_file *file, const char *format, ...);

/* Check the whole structure of a file, and leave of it what stb_image needs, so that nothing else of it can be
 * misunderstood. They set width, height, channels, orientation and need. False: the reason is set. */
bool image_rewrite_jpeg(image_file *file);
bool image_rewrite_png(image_file *file);

/* The orientation that a TIFF structure, as EXIF has it, gives its picture; 1 if it gives none. */
uint32_t image_orientation(const uint8_t *tiff, size_t size);

/* A picture from a file's bytes, which it may change: everything that image_read does after reading. `memory` remains
 * the caller's. */
bool image_decode(image_file *file, image *out);

/* stb_image, on what was rewritten: [height, width, channels], by image_allocate. NULL: the reason is set. */
uint8_t *image_decode_stb(image_file *file);

/* All memory of a picture, zeroed; NULL where all pictures together would take more than IMAGE_MAX_MEMORY. One thread
 * at a time. */
void *image_allocate(size_t size);
void image_free(void *memory);
size_t image_memory(void); /* bytes in use */

#endif
