/* Pictures, whole and damaged, decoded and written by several threads at once: each gets what one alone gets. */
#include "common/cmocka_all.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../samples/vision/image_file.h"
#include "seed_files.h"

#define THREADS 4
#define ROUNDS 20

typedef struct worker {
    pthread_t thread;
    uint64_t sum;
    bool failed;
} worker;

static uint64_t add(uint64_t sum, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + ((const uint8_t *)bytes)[i] + 1;
    return sum;
}

/* A picture's pixels and, of one that is refused, the reason. */
static void decode(worker *w, const seed_file *seed, size_t size)
{
    char reason[IMAGE_REASON_SIZE] = "";
    image picture;
    if (!image_decode(&picture, seed->bytes, size, IMAGE_MAX_MEMORY, reason)) {
        w->sum = add(w->sum, reason, strlen(reason));
        return;
    }
    uint8_t *files[2];
    size_t sizes[2];
    files[0] = image_write_png(picture.pixels, picture.width, picture.height, &sizes[0]);
    files[1] = image_write_jpeg(picture.pixels, picture.width, picture.height, 90, &sizes[1]);
    w->failed = w->failed || !files[0] || !files[1];
    for (int i = 0; i < 2; i++) {
        w->sum = add(w->sum, files[i], files[i] ? sizes[i] : 0);
        free(files[i]);
    }
    image_release(&picture);
}

static void *decode_all(void *user)
{
    worker *w = user;
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < seed_count; i++) {
            decode(w, &seeds[i], seeds[i].size);
            decode(w, &seeds[i], seeds[i].size / 2);
        }
    return NULL;
}

static void test_threads(void **state)
{
    worker alone = {0}, workers[THREADS] = {{0}};
    (void)state;
    decode_all(&alone);
    assert_false(alone.failed);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, decode_all, &workers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_true(!workers[i].failed && workers[i].sum == alone.sum);
}

/* What is written as a PNG is read again as it was, and a JPEG nearly so. */
static void test_written_is_read(void **state)
{
    uint8_t pixels[3 * 20 * 30];
    char reason[IMAGE_REASON_SIZE];
    size_t sizes[2];
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i / 3 % 20 * 12);
    uint8_t *files[2] = {image_write_png(pixels, 20, 30, &sizes[0]), image_write_jpeg(pixels, 20, 30, 90, &sizes[1])};
    for (int f = 0; f < 2; f++) {
        image picture;
        assert_non_null(files[f]);
        assert_true(image_decode(&picture, files[f], sizes[f], IMAGE_MAX_MEMORY, reason));
        assert_true(picture.width == 20 && picture.height == 30);
        for (size_t i = 0; i < sizeof pixels; i++)
            assert_in_range(picture.pixels[i] + 10 - pixels[i], f ? 0 : 10, f ? 20 : 10);
        image_release(&picture);
        free(files[f]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_written_is_read)};
    return cmocka_run_group_tests(tests, read_seeds, NULL);
}
