/* Pictures from files, as a model wants to see them. */
#ifndef VISION_IMAGE_H
#define VISION_IMAGE_H

#include "model.h"

typedef struct image {
    uint32_t width, height;
    uint8_t *pixels; /* [height, width, 3], red, green, blue */
} image;

#define IMAGE_REASON_SIZE 160
#define IMAGE_MAX_FILE (256u << 20)    /* bytes */
#define IMAGE_MAX_MEMORY (1024u << 20) /* bytes for a picture, from its file to its pixels */
#define IMAGE_MAX_SIDE (1u << 20)      /* pixels */
#define IMAGE_SIGNATURE 16u            /* bytes that tell the kind of a file */

/* Reads a JPEG (8 bits; grey, YCbCr, RGB, CMYK, YCCK), a PNG (every kind) or a WebP (of an animation the first frame),
 * upright as its EXIF orientation says, before white where it is transparent, 16 bits cut to 8; colour profiles are
 * ignored. What is larger than the limits, or than the file can hold, is refused before anything is decoded. Damage
 * that a checksum or the format's rules show is an error; JPEG and WebP have no checksum, so that other damage only
 * shows in their pixels. False: `reason` says why, to follow the file's name. From any thread. */
bool image_read(image *out, const char *path, char reason[IMAGE_REASON_SIZE]);
void image_release(image *picture);

/* Whether a file's first bytes are those of a kind that is read; and whether its name is that of a picture, perhaps of
 * a kind that is not: who has some in a folder must learn that they are missing. */
bool image_has_signature(const uint8_t *bytes, size_t size);
bool image_has_name(const char *name);

/* Pixels [height, width, 3] as a file in memory, to be freed; quality: 1 .. 100. NULL: there is no memory. */
uint8_t *image_write_png(const uint8_t *pixels, uint32_t width, uint32_t height, size_t *size);
uint8_t *image_write_jpeg(const uint8_t *pixels, uint32_t width, uint32_t height, int quality, size_t *size);

/* The square that the model sees of the picture, by its `fit`; out: [image_size, image_size, 3]. Antialiased, in 8
 * bits, with the results of Pillow's resize, cut as torchvision cuts and padded as Pillow pads: what models are trained
 * with. False: `reason` says why. */
bool image_fit(const image *picture, const vision_model *model, uint8_t *out, char reason[IMAGE_REASON_SIZE]);

/* The same, normalised: (x / 255 - mean) / std, [3, image_size, image_size]. False: `reason` says why. */
bool image_prepare(const image *picture, const vision_model *model, float *out, char reason[IMAGE_REASON_SIZE]);

/* A copy whose longer side has at most `most` pixels, to be looked at; its pixels are to be freed. False: `reason` says
 * why. */
bool image_shrink(const image *picture, uint32_t most, image *out, char reason[IMAGE_REASON_SIZE]);

#endif
