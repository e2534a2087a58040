/* Small pictures of every kind, cut and damaged at every byte: none is taken for whole that is not, and what is refused
 * has a reason. tests/fuzz/fuzz_picture.c looks for what nobody thought of. */
#include "common/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "../../samples/vision/image_file.h"
#include "seed_files.h"

static char reason[IMAGE_REASON_SIZE];

/* A number for the pixels, 0 for what was refused. */
static uint64_t decode(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = test_malloc(size); /* so that a sanitizer sees what is read behind it */
    image picture;
    uint64_t sum = 0;
    memcpy(copy, bytes, size);
    reason[0] = '\0';
    if (image_decode(&picture, copy, size, IMAGE_MAX_MEMORY, reason)) {
        for (size_t i = 0; i < (size_t)3 * picture.width * picture.height; i++)
            sum = sum * 31 + picture.pixels[i] + 1;
        image_release(&picture);
    } else {
        assert_null(picture.pixels);
        assert_true(reason[0] != '\0' && strlen(reason) < sizeof reason && !strchr(reason, '\n'));
    }
    test_free(copy);
    return sum;
}

static bool is_png(const seed_file *seed)
{
    return seed->bytes[0] == 0x89;
}

static bool is_jpeg(const seed_file *seed)
{
    return seed->bytes[0] == 0xff;
}

/* Those that a fuzzer has found say in their names what becomes of them. */
static void test_seeds(void **state)
{
    (void)state;
    assert_true(seed_count >= 20);
    for (uint32_t i = 0; i < seed_count; i++)
        if ((decode(seeds[i].bytes, seeds[i].size) == 0) != (strncmp(seeds[i].name, "refused", 7) == 0))
            fail_msg("%s: %s", seeds[i].name, reason[0] ? reason : "is read");
}

static void test_truncation(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < seed_count; i++)
        for (size_t size = 1; size < seeds[i].size; size++)
            if (decode(seeds[i].bytes, size) != 0)
                fail_msg("%s, cut to %zu bytes, is taken for whole", seeds[i].name, size);
}

/* Whether the file ends where its one scan does; what later scans add may be missing, and the zeros at the end of
 * arithmetic coding. */
static bool needs_all(const seed_file *seed)
{
    return !strstr(seed->name, "progressive") && strcmp(seed->name, "ycck.jpg") != 0 &&
           strcmp(seed->name, "arithmetic.jpg") != 0;
}

static void test_early_ends(void **state)
{
    (void)state;
    static uint8_t bytes[SEED_MOST + 2];
    for (uint32_t i = 0; i < seed_count; i++)
        for (size_t size = 2; is_jpeg(&seeds[i]) && size + 2 < seeds[i].size; size++) {
            memcpy(bytes, seeds[i].bytes, size);
            bytes[size] = 0xff;
            bytes[size + 1] = 0xd9;
            if (decode(bytes, size + 2) != 0 && needs_all(&seeds[i]))
                fail_msg("%s, ended after %zu bytes, is taken for whole", seeds[i].name, size);
        }
}

/* A PNG's checksums tell every byte; the other kinds must come through. */
static void test_every_byte(void **state)
{
    (void)state;
    static uint8_t bytes[SEED_MOST];
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    uint32_t decoded = 0, count = 0;
    for (uint32_t i = 0; i < seed_count; i++)
        for (size_t at = 0; at < seeds[i].size; at++)
            for (size_t m = 0; m < sizeof masks; m++) {
                memcpy(bytes, seeds[i].bytes, seeds[i].size);
                bytes[at] ^= masks[m];
                const bool taken = decode(bytes, seeds[i].size) != 0;
                if (taken && is_png(&seeds[i]))
                    fail_msg("%s with byte %zu changed is taken for whole", seeds[i].name, at);
                decoded += taken;
                count++;
            }
    print_message("%u of %u damaged files still decode\n", decoded, count);
    assert_true(decoded > count / 20); /* otherwise hardly any damage would reach the decoders */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds), cmocka_unit_test(test_truncation),
                                       cmocka_unit_test(test_early_ends), cmocka_unit_test(test_every_byte)};
    return cmocka_run_group_tests(tests, read_seeds, NULL);
}
