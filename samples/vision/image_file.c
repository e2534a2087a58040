#include "image_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool image_refuse(image_file *file, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(file->reason, IMAGE_REASON_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

/* What will be in memory at once: the file, its pixels, and what the decoder takes or, after that, the picture turned
 * upright. */
static uint64_t memory_needed(const image_file *file, uint64_t decoding)
{
    const uint64_t pixels = (uint64_t)file->width * file->height, turned = 3 * pixels;
    return file->size + pixels * file->channels + (decoding > turned ? decoding : turned);
}

bool image_begin(image_file *file, uint64_t decoding, uint64_t coded)
{
    const uint32_t width = file->width, height = file->height;
    if (coded > file->size)
        return image_refuse(file, "is damaged (it claims %u x %u pixels, but is too small for them)", width, height);
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return image_refuse(file, "is %u x %u pixels; at most %u either way are read", width, height, IMAGE_MAX_SIDE);
    const uint64_t need = memory_needed(file, decoding);
    if (need > file->max_memory)
        return image_refuse(file, "is %u x %u pixels; decoding them takes %llu MiB, and a picture may take %llu", width,
                            height, (unsigned long long)(need >> 20), (unsigned long long)(file->max_memory >> 20));
    file->pixels = calloc((size_t)width * height, file->channels);
    return file->pixels || image_refuse(file, "cannot be read: out of memory");
}
