/* The orientation in EXIF data (CIPA DC-008, 4.6.2 and 4.6.4; TIFF 6.0, section 2). */
#include "image_file.h"

#include <string.h>

#define ORIENTATION 0x112u
#define SHORT 3u
#define LONG 4u
#define ENTRY 12u /* bytes */

static uint32_t number(const uint8_t *bytes, uint32_t count, bool big_endian)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++)
        value = value << 8 | bytes[big_endian ? i : count - 1 - i];
    return value;
}

static uint32_t orientation_of(const uint8_t *tiff, size_t size)
{
    if (size < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M'))
        return 1;
    const bool big = tiff[0] == 'M';
    const uint32_t at = number(tiff + 4, 4, big);
    if (number(tiff + 2, 2, big) != 42 || at > size - 2)
        return 1;
    const uint32_t count = number(tiff + at, 2, big);
    for (uint32_t i = 0; i < count && (size - at - 2) / ENTRY > i; i++) {
        const uint8_t *entry = tiff + at + 2 + (size_t)i * ENTRY;
        const uint32_t type = number(entry + 2, 2, big);
        if (number(entry, 2, big) != ORIENTATION || (type != SHORT && type != LONG) || number(entry + 4, 4, big) != 1)
            continue;
        const uint32_t value = number(entry + 8, type == SHORT ? 2 : 4, big);
        return value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

/* PNG has the structure itself; JPEG has a name before it, and WebP both. */
uint32_t image_orientation(const uint8_t *exif, size_t size)
{
    const size_t name = size >= 6 && memcmp(exif, "Exif\0", 6) == 0 ? 6 : 0;
    return orientation_of(exif + name, size - name);
}
