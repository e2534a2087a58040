/* Pictures as an enemy would make them: the files in seeds/ (make_seeds.py writes them), cut, flipped and mixed, PNGs
 * with and without the checksums that their bytes should have. Under sanitizers this is the fuzzer of every CI run; for
 * libFuzzer, with clang, after `scons`:
 *   clang -g -O1 -fwrapv -fsanitize=fuzzer,address,undefined -fno-sanitize=shift -DLIBFUZZER -Iinclude -Isrc -Itests \
 *       tests/vision/test_image_fuzz.c samples/vision/image*.c -lm -o image_fuzz
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
#define SIDE 8u       /* of a model's images */
#define LONGEST 40960 /* that a shorter side becomes: 4096 pixels, a tenth of it */

/* What decoders find in memory that they did not write to. */
static void paint_stack(unsigned char colour)
{
    volatile unsigned char space[49152];
    for (size_t i = 0; i < sizeof space; i++)
        space[i] = colour;
}

/* A sum over what a model is given, resized as one or another asks for it. */
static uint64_t prepare(const image *picture, size_t size)
{
    static const double crops[] = {1, 0.5, (double)SIDE / LONGEST};
    const vision_model model = {.image_size = SIDE,
                                .crop_pct = crops[size % 3],
                                .mean = {0, 0, 0},
                                .std = {1, 1, 1},
                                .fit = (vision_fit)(size / 6 % 3),
                                .interpolation = size % 2 ? VISION_BILINEAR : VISION_BICUBIC};
    char reason[IMAGE_REASON_SIZE] = "";
    float input[3 * SIDE * SIDE];
    uint64_t sum = 0;
    if (!image_prepare(picture, &model, input, reason))
        return reason[0] ? 1u : (abort(), 0u);
    for (uint32_t i = 0; i < 3 * SIDE * SIDE; i++)
        sum = sum * 31 + (uint64_t)(255 * input[i]) + 1;
    return sum;
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
        sum = sum * 31 + prepare(&picture, size);
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
        const size_t at = test_random_below(random, (uint32_t)(test_random_below(random, 2) && size > 64 ? 64 : size)),
                     rest = size - at;
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
            memcpy(bytes + at,
                   other + test_random_below(random,
                                             (uint32_t)(other_size - (length < other_size ? length : other_size)) + 1),
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

/* stb_image 2.28 and later refuses coefficients whose sums overflow; older ones wrap them. */
static void test_seeds(void **state)
{
    (void)state;
    assert_true(seed_count >= 10);
    for (uint32_t i = 0; i < seed_count; i++)
        if (decode(seeds[i].bytes, seeds[i].size, 0x55) == 0 && strcmp(seeds[i].name, "overflow.jpg") != 0)
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
    printf("# seed %llu: %u of %u damaged files still decode\n", (unsigned long long)seed, decoded,
           seed_count * MUTATIONS);
    /* Otherwise hardly any damage would reach the decoders. */
    assert_true(decoded > seed_count * MUTATIONS / 20);
}

/* The longest that can be resized, and longer ones, whose sizes do not fit into 32 bits. */
static void test_long_pictures(void **state)
{
    (void)state;
    static uint8_t pixels[3 * IMAGE_MAX_SIDE], out[3 * 512 * 512];
    static const struct {
        uint32_t length, shorter, size;
        bool fits;
    } cases[] = {{52428, LONGEST, SIDE, true},       {52429, LONGEST, SIDE, false},
                 {1047553, 4100, 512, false},        {IMAGE_MAX_SIDE, 2047, 512, true},
                 {IMAGE_MAX_SIDE, 2048, 512, false}, {IMAGE_MAX_SIDE, LONGEST, SIDE, false}};
    memset(pixels, 77, sizeof pixels);
    for (uint32_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const uint32_t length = cases[i / 2].length, size = cases[i / 2].size;
        const image picture = {.width = i % 2 ? length : 1, .height = i % 2 ? 1 : length, .pixels = pixels};
        const vision_model model = {
            .image_size = size, .crop_pct = size / (cases[i / 2].shorter + 0.5), .interpolation = VISION_BICUBIC};
        char reason[IMAGE_REASON_SIZE] = "";
        assert_int_equal(image_fit(&picture, &model, out, reason), cases[i / 2].fits);
        if (cases[i / 2].fits)
            for (size_t j = 0; j < (size_t)3 * size * size; j++)
                assert_int_equal(out[j], 77);
        else
            assert_non_null(strstr(reason, "is too long"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds), cmocka_unit_test(test_truncation),
                                       cmocka_unit_test(test_early_ends), cmocka_unit_test(test_mutations),
                                       cmocka_unit_test(test_long_pictures)};
    return cmocka_run_group_tests(tests, read_seeds, NULL);
}

#endif
