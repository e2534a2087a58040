/* Names of files: UTF-8, either slash on Windows, and longer than Windows takes from programs that do not ask for
 * it. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/system.h"
#include "sample_file.h"

#define GREEK "\xce\xb5\xce\xbb"              /* epsilon, lambda: two bytes each */
#define WIDER "\xe5\xb1\xa4\xf0\x9d\x9c\x80"  /* three bytes, and four: two units of UTF-16 */

static void write_sample(const char *path)
{
    sample_file sample;
    sample_init(&sample, true);
    assert_int_equal(sample_write(&sample, path), SMOE_SUCCESS);
}

static void check_reading(const char *path)
{
    smoe_layer_file *file = NULL;
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
    assert_non_null(smoe_layer_file_tensor(file, "router.weight"));
    smoe_layer_file_close(file);
}

static void test_utf8(void **state)
{
    const char *path = sample_path(GREEK "-" WIDER ".safetensors");
    (void)state;
    write_sample(path);
    assert_true(test_file_exists(path));
    check_reading(path);
    write_sample(path); /* there already */
    check_reading(path);
    assert_true(test_remove_file(path));
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &(smoe_layer_file *){NULL}), SMOE_ERROR_FILE);
}

/* A byte that UTF-8 does not have: a name like any other on POSIX; on Windows one of the code page. */
static void test_not_utf8(void **state)
{
    const char *path = sample_path("\xe9.safetensors");
    (void)state;
    write_sample(path);
    check_reading(path);
    assert_int_equal(remove(path), 0);
}

/* Nested folders, whose path grows beyond 260 and beyond 1000 bytes. */
static void test_long(void **state)
{
    enum { DEPTH = 12, LENGTH = 90 };
    static const size_t wanted[] = {250, 270, 1000};
    char path[2048], file[2304];
    size_t ends[DEPTH + 1];
    (void)state;
    ends[0] = (size_t)snprintf(path, sizeof path, "%s", sample_path("long"));
    assert_true(test_make_folder(path));
    for (int depth = 0; depth < DEPTH; depth++) {
        path[ends[depth]] = '/';
        memset(path + ends[depth] + 1, 'a' + depth, LENGTH);
        ends[depth + 1] = ends[depth] + 1 + LENGTH;
        path[ends[depth + 1]] = '\0';
        assert_true(test_make_folder(path));
    }
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int depth = 0;
        while (ends[depth + 1] + 16 < wanted[i])
            depth++;
        snprintf(file, sizeof file, "%.*s/%0*d", (int)ends[depth], path, (int)(wanted[i] - ends[depth] - 1), 0);
        assert_int_equal(strlen(file), wanted[i]);
        write_sample(file);
        assert_true(test_file_exists(file));
        check_reading(file);
        assert_true(test_remove_file(file));
        assert_int_equal(smoe_layer_file_open(file, NULL, NULL, &(smoe_layer_file *){NULL}), SMOE_ERROR_FILE);
    }
    for (int depth = DEPTH; depth >= 0; depth--) {
        path[ends[depth]] = '\0';
        assert_true(test_remove_folder(path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_utf8), cmocka_unit_test(test_not_utf8),
                                       cmocka_unit_test(test_long)};
    return cmocka_run_group_tests_name("file names", tests, NULL, NULL);
}
