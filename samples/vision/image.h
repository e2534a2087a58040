/* Pictures from files, as a model wants to see them. */
#ifndef VISION_IMAGE_H
#define VISION_IMAGE_H

#include "model.h"

typedef struct image {
    uint32_t width, height;
    uint8_t *pixels; /* [height, width, 3], red, green, blue */
} image;

#define IMAGE_REASON_SIZE 128

/* Reads a picture of any kind that stb_image knows: JPEG, PNG, BMP, GIF, TGA, PNM. False: `reason` says why. */
bool image_read(image *out, const char *path, char reason[IMAGE_REASON_SIZE]);
void image_release(image *picture);

/* The square of side `size` in the middle of the picture, after it was resized so that its shorter side has `shorter` >= size pixels; out:
 * [size, size, 3]. Antialiased, in 8 bits, with the results of Pillow's resize, and cut as torchvision cuts: what models are trained with.
 * False: out of memory. */
bool image_resize_and_crop(const image *picture, uint32_t shorter, uint32_t size, vision_interpolation interpolation, uint8_t *out);

/* Resizes, crops and normalises: (x / 255 - mean) / std, [3, image_size, image_size]. False: out of memory. */
bool image_prepare(const image *picture, const vision_model *model, float *out);

#endif
