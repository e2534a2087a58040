/* Pictures as an enemy would make them: the files in seeds/ (make_seeds.py writes them), cut, flipped and mixed, PNGs with and without the
 * checksums that their bytes should have. Under sanitizers this is the fuzzer of every CI run; for libFuzzer, with clang, after `scons`:
 *   clang -g -O1 -fwrapv -fsanitize=fuzzer,address,undefined -fno-sanitize=shift -DLIBFUZZER -Iinclude -Isrc -Itests \
 *       tests/vision/test_image_fuzz.c samples/vision/image_?*.c -o image_fuzz
 *   mkdir -p corpus && ./image_fuzz -max_len=8192 corpus tests/vision/seeds */
#define _DEFAULT_SOURCE
#include "common/cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../samples/vision/image_file.h"
#include "common/random.h"

#define MUTATIONS 2000 /* of each seed */
#define MOST 16384u   /* bytes of a seed */

/* What decoders find in memory that they did not write to. */
static void paint_stack(unsigned char colour)
{
    volatile unsigned char space[49152];
    for (size_t i = 0; i < sizeof space; i++)
        space[i] = colour;
}

/* A sum over the pixels, 0 for what was refused. */
static uint64_t decode(const uint8_t *data, size_t size, unsigned char colour)
{
    char reason[IMAGE_REASON_SIZE] = "";
    image_file file = {.size = size, .memory = image_allocate(IMAGE_INSERTED + size), .reason = reason};
    image picture;
    uint64_t sum = 0;
    if (!file.memory)
        abort();
    memcpy(file.memory + IMAGE_INSERTED, data, size);
    paint_stack(colour);
    if (image_decode(&file, &picture)) {
        for (size_t i = 0; i < (size_t)3 * picture.width * picture.height; i++)
            sum = sum * 31 + picture.pixels[i] + 1;
        image_release(&picture);
    } else if (picture.pixels || reason[0] == '\0') {
        abort();
    }
    image_free(file.memory);
    if (image_memory() != 0)
        abort();
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer's entry */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (decode(data, size, 0x55) != decode(data, size, 0xaa))
        abort(); /* memory was read that nothing had been written to */
    return 0;
}

#ifndef LIBFUZZER

static uint32_t word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Lets the damage in a PNG be reached. */
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
        for (int b = 0; b < 4; b++)
            bytes[end + (size_t)b] = (uint8_t)(~crc >> (24 - 8 * b));
    }
}

/* One to four changes; at most 2 MOST bytes come out. */
static size_t mutate(test_random *random, uint8_t *bytes, size_t size, const uint8_t *other, size_t other_size)
{
    const uint32_t count = 1 + test_random_below(random, 4);
    for (uint32_t i = 0; i < count && size > 2; i++) {
        const size_t at = test_random_below(random, (uint32_t)(test_random_below(random, 2) && size > 64 ? 64 : size)), rest = size - at;
        const size_t wanted = 1 + test_random_below(random, 64), length = wanted < rest ? wanted : rest;
        switch (test_random_below(random, 8)) {
        case 0: bytes[at] ^= (uint8_t)(1u << test_random_below(random, 8)); break;
        case 1: bytes[at] = (uint8_t)test_random_bits(random); break;
        case 2: bytes[at] = test_random_below(random, 2) ? 0xff : 0; break;
        case 3: size = test_random_below(random, 4) == 0 ? at : size; break;
        case 4: /* take a piece out */
            memmove(bytes + at, bytes + at + length, rest - length);
            size -= length;
            break;
        case 5: /* double a piece */
            if (size + length <= 2 * MOST) {
                memmove(bytes + at + length, bytes + at, rest);
                size += length;
            }
            break;
        case 6: /* a piece of another file */
            memcpy(bytes + at, other + test_random_below(random, (uint32_t)(other_size - (length < other_size ? length : other_size)) + 1),
                   length < other_size ? length : other_size);
            break;
        default: /* an end that may be believed */
            if (size + 2 <= 2 * MOST) {
                bytes[size++] = 0xff;
                bytes[size++] = 0xd9;
            }
        }
    }
    return size;
}

typedef struct seed_file {
    char name[64];
    uint8_t bytes[MOST];
    size_t size;
} seed_file;

static seed_file seeds[32];
static uint32_t seed_count;

static int compare_seeds(const void *a, const void *b)
{
    return strcmp(((const seed_file *)a)->name, ((const seed_file *)b)->name);
}

static int read_seeds(void **state)
{
    (void)state;
    const struct dirent *entry;
    char path[400];
    DIR *folder = opendir("tests/vision/seeds");
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        seed_file *seed = &seeds[seed_count];
        if (entry->d_name[0] == '.')
            continue;
        assert_true(seed_count < sizeof seeds / sizeof *seeds && strlen(entry->d_name) < sizeof seed->name);
        strcpy(seed->name, entry->d_name);
        snprintf(path, sizeof path, "tests/vision/seeds/%s", entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        seed->size = fread(seed->bytes, 1, sizeof seed->bytes, file);
        assert_true(seed->size > 0 && seed->size < sizeof seed->bytes);
        fclose(file);
        seed_count++;
    }
    closedir(folder);
    qsort(seeds, seed_count, sizeof *seeds, compare_seeds); /* the same numbers on every machine */
    return 0;
}

static void test_seeds(void **state)
{
    (void)state;
    assert_true(seed_count >= 10);
    for (uint32_t i = 0; i < seed_count; i++)
        if (decode(seeds[i].bytes, seeds[i].size, 0x55) == 0)
            fail_msg("%s is refused", seeds[i].name);
}

static void test_truncation(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < seed_count; i++)
        for (size_t size = 1; size < seeds[i].size; size++)
            if (decode(seeds[i].bytes, size, 0x55) != 0)
                fail_msg("%s, cut to %zu bytes, is taken for whole", seeds[i].name, size);
}

/* A scan that ends early, at every byte. */
static void test_early_ends(void **state)
{
    (void)state;
    static uint8_t bytes[MOST + 2];
    for (uint32_t i = 0; i < seed_count; i++)
        for (size_t size = 2; size < seeds[i].size && seeds[i].bytes[0] == 0xff; size++) {
            memcpy(bytes, seeds[i].bytes, size);
            bytes[size] = 0xff;
            bytes[size + 1] = 0xd9;
            LLVMFuzzerTestOneInput(bytes, size + 2);
        }
}

static void test_mutations(void **state)
{
    (void)state;
    static uint8_t bytes[2 * MOST];
    const uint64_t seed = test_seed();
    uint32_t decoded = 0;
    for (uint32_t i = 0; i < seed_count; i++)
        for (uint32_t j = 0; j < MUTATIONS; j++) {
            test_random random = test_random_make(seed, (uint64_t)i * MUTATIONS + j);
            const seed_file *other = &seeds[test_random_below(&random, seed_count)];
            memcpy(bytes, seeds[i].bytes, seeds[i].size);
            const size_t size = mutate(&random, bytes, seeds[i].size, other->bytes, other->size);
            if (bytes[0] == 0x89 && test_random_below(&random, 4))
                mend_checksums(bytes, size);
            LLVMFuzzerTestOneInput(bytes, size);
            decoded += decode(bytes, size, 0) != 0;
        }
    printf("# seed %llu: %u of %u damaged files still decode\n", (unsigned long long)seed, decoded, seed_count * MUTATIONS);
    /* Otherwise hardly any damage would reach the decoders. */
    assert_true(decoded > seed_count * MUTATIONS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds), cmocka_unit_test(test_truncation),
                                       cmocka_unit_test(test_early_ends), cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, read_seeds, NULL);
}

#endif
