/* Picture files of any bytes. What is taken has pixels, all of them; what is refused has one line that says why; and
 * neither takes more memory than it may, which is little here so that the fuzzer's own limit would see it. */
#include <stdlib.h>
#include <string.h>

#include "../../samples/vision/image_file.h"
#include "base/text.h"
#include "fuzz.h"

#define MOST_MEMORY (32u << 20)

static void expect_line(const char reason[IMAGE_REASON_SIZE])
{
    char copy[IMAGE_REASON_SIZE];
    const size_t length = strlen(reason);
    FUZZ_EXPECT(length > 0 && length < IMAGE_REASON_SIZE);
    memcpy(copy, reason, length + 1);
    FUZZ_EXPECT(smoe_text_clean(copy, ' '));
}

static uint32_t word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Those of a PNG's chunks. */
static void mend_checksums(uint8_t *bytes, size_t size)
{
    for (size_t at = 8; at + 12 <= size && word(bytes + at) <= size - at - 12; at += 12 + word(bytes + at)) {
        const size_t end = at + 8 + word(bytes + at);
        uint32_t crc = 0xffffffffu;
        for (size_t i = at + 4; i < end; i++) {
            crc ^= bytes[i];
            for (int bit = 0; bit < 8; bit++)
                crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
        }
        for (size_t i = 0; i < 4; i++)
            bytes[end + i] = (uint8_t)(~crc >> (24 - 8 * i));
    }
}

static bool decode(const uint8_t *data, size_t size)
{
    char reason[IMAGE_REASON_SIZE] = "";
    image picture;
    const bool taken = image_decode(&picture, data, size, MOST_MEMORY, reason);
    FUZZ_EXPECT(taken == (picture.pixels != NULL));
    if (!taken) {
        expect_line(reason);
        return false;
    }
    const uint64_t bytes = 3 * (uint64_t)picture.width * picture.height;
    FUZZ_EXPECT(picture.width > 0 && picture.height > 0 && bytes <= MOST_MEMORY);
    FUZZ_EXPECT(image_has_signature(data, size < IMAGE_SIGNATURE ? size : IMAGE_SIGNATURE));
    fuzz_read(picture.pixels, bytes);
    image_release(&picture);
    return true;
}

/* A PNG with its own checksums too, which keep nearly all damage from what is behind them. */
bool fuzz_picture(const uint8_t *data, size_t size)
{
    uint8_t *copy = size > 8 && data[0] == 0x89 ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        mend_checksums(copy, size);
        decode(copy, size);
        free(copy);
    }
    return decode(data, size);
}
