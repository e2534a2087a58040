/* Layer files where only POSIX has them: paths that lead to pipes and devices, and a limit on the size of what is
 * written. */
#define _DEFAULT_SOURCE
#include "common/cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample_file.h"

/* A pipe that carries more than the first piece of memory holds: whole, and ending early. */
static void test_long_pipe(void **state)
{
    (void)state;
    enum { LENGTH = 5000001 };
    const char *path = sample_path("long");
    unsigned char *data = malloc(LENGTH);
    assert_non_null(data);
    for (size_t i = 0; i < LENGTH; i++)
        data[i] = (unsigned char)(i * 7 + i / 1000);
    const smoe_tensor tensor = {"a", SMOE_TENSOR_UINT8, 1, {LENGTH, 1, 1, 1}, data, LENGTH};
    assert_int_equal(smoe_layer_file_write(path, &tensor, 1, NULL, 0, NULL, NULL), SMOE_SUCCESS);
    for (int way = 0; way < 4; way++) { /* whole, cut, no memory for the third and the fourth piece */
        char command[400], name[32];
        snprintf(command, sizeof command, "head -c %d '%s'", way == 1 ? LENGTH - 1000 : LENGTH + 1000, path);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        snprintf(name, sizeof name, "/dev/fd/%d", fileno(pipe));
        sample_counting c = {0, way < 2 ? 0 : (uint64_t)way + 5, 0, 0, 0};
        const smoe_allocator allocator = {sample_allocate, sample_release, &c};
        smoe_layer_file *file;
        const smoe_result result = smoe_layer_file_open(name, &allocator, NULL, &file);
        if (way == 0) {
            assert_int_equal(result, SMOE_SUCCESS);
            assert_memory_equal(smoe_layer_file_tensor(file, "a")->data, data, LENGTH);
        } else {
            assert_int_equal(result, way == 1 ? SMOE_ERROR_FILE : SMOE_ERROR_OUT_OF_HOST_MEMORY);
        }
        smoe_layer_file_close(file);
        assert_int_equal(c.live, 0);
        pclose(pipe);
    }
    free(data);
    remove(path);
}

static void read_back(const char *path, char text[16])
{
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    text[fread(text, 1, 15, stream)] = '\0';
    fclose(stream);
}

/* No draft of this process is left beside the sample files. */
static void assert_no_draft(void)
{
    char name[512];
    const char *path = sample_path("draft");
    snprintf(name, sizeof name, "%.*s.smoe-%ld-0", (int)(strrchr(path, '/') + 1 - path), path, (long)getpid());
    assert_int_not_equal(access(name, F_OK), 0);
}

/* A write that fails half way leaves what was there before, and no other file. */
static void test_partial_write(void **state)
{
    (void)state;
    const char *path = sample_path("partial");
    const uint64_t length = 1 << 20;
    unsigned char *data = calloc(1, length);
    const smoe_tensor tensor = {"a", SMOE_TENSOR_UINT8, 1, {length, 1, 1, 1}, data, length};
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {65536, before.rlim_max};
    for (int existed = 0; existed < 2; existed++) {
        remove(path);
        if (existed)
            assert_true(sample_write_bytes(path, "something", 9));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const smoe_result result = smoe_layer_file_write(path, &tensor, 1, NULL, 0, NULL, NULL);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(result, SMOE_ERROR_FILE);
        assert_int_equal(access(path, F_OK) == 0, existed);
        if (existed) {
            char text[16];
            read_back(path, text);
            assert_string_equal(text, "something");
        }
        assert_no_draft();
    }
    remove(path);
    free(data);
}

/* A path that was there before may be a device: a failing write does not remove it. The link stands for it. */
static void test_full_device(void **state)
{
    const char *path = sample_path("full");
    const float value = 1;
    const smoe_tensor tensor = {"a", SMOE_TENSOR_FLOAT32, 1, {1, 1, 1, 1}, &value, sizeof value};

    (void)state;
    assert_int_equal(symlink("/dev/full", path), 0);
    assert_int_equal(smoe_layer_file_write(path, &tensor, 1, NULL, 0, NULL, NULL), SMOE_ERROR_FILE);
    assert_int_equal(remove(path), 0);
}

/* A new file takes the place of the old one: another name of the old one keeps it, a link stays a link, the permissions
 * are the old ones, and a file that may not be written is not replaced either. */
static void test_replaced(void **state)
{
    const float value = 1;
    const smoe_tensor tensor = {"a", SMOE_TENSOR_FLOAT32, 1, {1, 1, 1, 1}, &value, sizeof value};
    char path[256], hard[256], soft[256], text[16];
    struct stat status;

    (void)state;
    snprintf(path, sizeof path, "%s", sample_path("replaced"));
    snprintf(hard, sizeof hard, "%s", sample_path("hard"));
    snprintf(soft, sizeof soft, "%s", sample_path("soft"));
    assert_true(sample_write_bytes(path, "something", 9));
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(link(path, hard), 0);
    assert_int_equal(symlink(strrchr(path, '/') + 1, soft), 0);
    assert_int_equal(smoe_layer_file_write(soft, &tensor, 1, NULL, 0, NULL, NULL), SMOE_SUCCESS);
    read_back(hard, text);
    assert_string_equal(text, "something");
    assert_int_equal(lstat(soft, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0640);
    smoe_layer_file *file;
    assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &file), SMOE_SUCCESS);
    smoe_layer_file_close(file);
    assert_no_draft();

    assert_int_equal(remove(path), 0); /* a link to nothing makes what it names */
    assert_int_equal(smoe_layer_file_write(soft, &tensor, 1, NULL, 0, NULL, NULL), SMOE_SUCCESS);
    assert_int_equal(lstat(path, &status), 0);
    assert_int_equal(chmod(path, 0444), 0);
    if (access(path, W_OK) != 0) /* root may write everywhere */
        assert_int_equal(smoe_layer_file_write(path, &tensor, 1, NULL, 0, NULL, NULL), SMOE_ERROR_FILE);
    remove(path), remove(hard), remove(soft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_pipe), cmocka_unit_test(test_partial_write),
                                       cmocka_unit_test(test_full_device), cmocka_unit_test(test_replaced)};
    return cmocka_run_group_tests_name("files, POSIX", tests, NULL, NULL);
}
