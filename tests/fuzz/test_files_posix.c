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

#include <smoe/capability_file.h>
#include <smoe/checkpoint.h>

#include "common/record.h"
#include "sample_file.h"

/* Opened as a layer file, as a device, and as a file of the checkpoint in the folder. */
static void check_refused(const char *folder, const char *path, const char *reason)
{
    char text[96];
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    snprintf(text, sizeof text, "%s: cannot be opened: %s", strrchr(path, '/') + 1, reason);
    for (int way = 0; way < 3; way++) {
        smoe_layer_file *file = NULL;
        smoe_checkpoint *checkpoint = NULL;
        smoe_device_info info;
        test_record_clear(&record);
        const smoe_result result = way == 0   ? smoe_layer_file_open(path, NULL, &log, &file)
                                   : way == 1 ? smoe_capability_file_read(path, NULL, &log, &info)
                                              : smoe_checkpoint_open(folder, NULL, &log, &checkpoint);
        if (result != SMOE_ERROR_FILE || !test_record_has_problem(&record, text)) {
            test_record_print(&record);
            fail_msg("%s, way %d: %d, want \"%s\"", path, way, (int)result, text);
        }
    }
}

/* Nobody writes into this pipe, and nobody ends /dev/zero: what waits for either does not come back. */
static void test_no_regular_file(void **state)
{
    (void)state;
    const struct {
        const char *at, *reason; /* at: NULL for a pipe by name */
    } others[] = {{NULL, "Is no regular file"},
                  {"/dev/zero", "Is no regular file"},
                  {"/dev/null", "Is no regular file"},
                  {"/tmp", "Is a directory"}};
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "config.json"};
    const float value = 1;
    const smoe_tensor tensor = {"a", SMOE_TENSOR_FLOAT32, 1, {1, 1, 1, 1}, &value, sizeof value};
    char folder[256], model[300], path[300];
    snprintf(folder, sizeof folder, "%s", sample_path("checkpoint"));
    snprintf(model, sizeof model, "%s/%s", folder, names[0]);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
        if (j == 2) /* a configuration is read after a model */
            assert_int_equal(smoe_layer_file_write(model, &tensor, 1, NULL, 0, NULL, NULL), SMOE_SUCCESS);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            snprintf(path, sizeof path, "%s/%s", folder, names[j]);
            assert_int_equal(others[i].at ? symlink(others[i].at, path) : mkfifo(path, 0600), 0);
            check_refused(folder, path, others[i].reason);
            assert_int_equal(remove(path), 0);
        }
    }
    assert_int_equal(remove(model), 0);
    assert_int_equal(rmdir(folder), 0);
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

    test_record record;

    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    assert_int_equal(symlink("/dev/full", path), 0);
    assert_int_equal(smoe_layer_file_write(path, &tensor, 1, NULL, 0, NULL, &log), SMOE_ERROR_FILE);
    assert_true(test_record_has_problem(&record, "cannot be written: No space left on device"));
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_regular_file), cmocka_unit_test(test_partial_write),
                                       cmocka_unit_test(test_full_device), cmocka_unit_test(test_replaced)};
    return cmocka_run_group_tests_name("files, POSIX", tests, NULL, NULL);
}
