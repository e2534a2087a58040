/* stb_image: baseline and progressive JPEG, and PNG. The other formats that it knows are left out, being the less
 * tested ones.
 *
 * The build compiles this file with -fwrapv and without the check of shifts: sums of damaged coefficients overflow, and
 * stb_image before 2.28 shifts a 0 by more than 31 where a scan ends early. */
#include "image_file.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 16u /* bytes before each block, which hold its size; keeps malloc's alignment */

static size_t in_use;

size_t image_memory(void)
{
    return in_use;
}

void image_free(void *memory)
{
    if (!memory)
        return;
    size_t size;
    uint8_t *block = (uint8_t *)memory - HEADER;
    memcpy(&size, block, sizeof size);
    in_use -= size;
    free(block);
}

void *image_allocate(size_t size)
{
    if (size > IMAGE_MAX_MEMORY || in_use + size > IMAGE_MAX_MEMORY)
        return NULL;
    uint8_t *block = calloc(1, HEADER + size);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    in_use += size;
    return block + HEADER;
}

static void *reallocate(void *memory, size_t size)
{
    size_t old = 0;
    if (memory)
        memcpy(&old, (uint8_t *)memory - HEADER, sizeof old);
    void *larger = image_allocate(size);
    if (larger && memory) {
        memcpy(larger, memory, old < size ? old : size);
        image_free(memory);
    }
    return larger;
}

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS IMAGE_MAX_SIDE
#define STBI_ASSERT(x) ((void)0)
#define STBI_MALLOC image_allocate
#define STBI_REALLOC reallocate
#define STBI_FREE image_free
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_image.h>

uint8_t *image_decode_stb(image_file *file)
{
    int width = 0, height = 0, channels = 0;
    stbi__g_failure_reason = NULL; /* not every failure sets it */
    uint8_t *pixels = stbi_load_from_memory(file->memory, (int)file->new_size, &width, &height, &channels, 0);
    if (pixels && (uint32_t)width == file->width && (uint32_t)height == file->height &&
        (uint32_t)channels == file->channels)
        return pixels;
    image_free(pixels);
    const char *reason = stbi_failure_reason();
    if (reason && strcmp(reason, "outofmem") == 0)
        image_refuse(file, "is %u x %u pixels; decoding them takes more memory than the %u MiB that a picture may take",
                     file->width, file->height, IMAGE_MAX_MEMORY >> 20);
    else
        image_refuse(file, "is damaged (%s)", reason ? reason : "it cannot be decoded");
    return NULL;
}
