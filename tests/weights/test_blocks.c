/* Matrices that other programs' packages have made and read, converted: each weight must be the package's. The file is
 * blocks.safetensors, by make_blocks.py, or the one that is named. test_packages.py has more of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/record.h"
#include "smoe/layer_file.h"

#define BLOCKS "tests/weights/blocks.safetensors"

static smoe_layer_file *file;

static smoe_weights_array part(const char *matrix, const char *name)
{
    char whole[80];
    snprintf(whole, sizeof whole, "%s.%s", matrix, name);
    const smoe_tensor *tensor = smoe_layer_file_tensor(file, whole);
    return tensor ? (smoe_weights_array){tensor->data, tensor->size} : (smoe_weights_array){NULL, 0};
}

static smoe_weights_source source_of(const char *matrix)
{
    const char *text = smoe_layer_file_metadata(file, matrix);
    unsigned n[7];
    assert_non_null(text);
    assert_int_equal(sscanf(text, "%u %u %u %u %u %u %u", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]), 7);
    return (smoe_weights_source){
        .format = (smoe_weights_format)n[0],
        .rows = n[1],
        .columns = n[2],
        .elements = part(matrix, "elements"),
        .scales = part(matrix, "scales"),
        .zeros = part(matrix, "zeros"),
        .group_index = part(matrix, "group_index"),
        .scale_type = (smoe_scale_type)n[5],
        .group_rows = n[3],
        .group_columns = n[4],
        .row_step = n[6],
        .multiplier = part(matrix, "multiplier").data,
        .divisor = part(matrix, "divisor").data,
    };
}

/* One rounding of the product, which the package has rounded likewise; a factor of the matrix is a second one. */
static void check_weight(const char *matrix, const smoe_weights_source *source, uint32_t i, float weight, float factor,
                         float want)
{
    const double got = (double)weight * (double)factor;
    const bool rounded = source->multiplier || source->divisor;
    if (!(rounded ? fabs(got - (double)want) <= 0x1p-23 * fabs((double)want) : got == (double)want))
        fail_msg("%s: row %u, column %u: %.9g, not %.9g", matrix, i / source->columns, i % source->columns, got,
                 (double)want);
}

static void check_matrix(const char *matrix, bool seen[SMOE_FORMAT_COUNT])
{
    const smoe_weights_source source = source_of(matrix);
    const float *want = part(matrix, "values").data;
    char reason[SMOE_REASON_SIZE];
    smoe_weights_rows to;
    smoe_type type = SMOE_TYPE_FLOAT32;
    float factor = 1;

    if (smoe_weights_source_type(&source, &type, reason) != SMOE_SUCCESS ||
        smoe_weights_source_factor(&source, type, &factor, reason) != SMOE_SUCCESS)
        fail_msg("%s: %s", matrix, reason);
    const size_t size = (size_t)smoe_weights_size(type, 1, source.rows, source.columns);
    unsigned char *stored = test_malloc(size);
    float *got = test_malloc((size_t)source.rows * source.columns * sizeof *got);
    assert_true(smoe_weights_rows_get(type, source.rows, source.columns, stored, &to));
    to.factor = factor;
    if (smoe_weights_convert(&to, &source, 0, reason) != SMOE_SUCCESS)
        fail_msg("%s: %s", matrix, reason);
    assert_int_equal(smoe_weights_unpack(got, &to), SMOE_SUCCESS);
    for (uint32_t i = 0; i < source.rows * source.columns; i++)
        check_weight(matrix, &source, i, got[i], factor, want[i]);
    seen[source.format] = true;
    test_free(stored);
    test_free(got);
}

static void test_blocks(void **state)
{
    static const char suffix[] = ".values";
    bool seen[SMOE_FORMAT_COUNT] = {false};
    uint32_t count = 0;
    const smoe_tensor *tensor;
    (void)state;
    for (uint32_t i = 0; (tensor = smoe_layer_file_tensor_at(file, i)) != NULL; i++) {
        char matrix[80];
        const size_t length = strlen(tensor->name);
        if (length < sizeof suffix || strcmp(tensor->name + length - (sizeof suffix - 1), suffix) != 0)
            continue;
        snprintf(matrix, sizeof matrix, "%.*s", (int)(length - (sizeof suffix - 1)), tensor->name);
        check_matrix(matrix, seen);
        count++;
    }
    print_message("# %u matrices\n", count);
    for (uint32_t i = 0; i < SMOE_FORMAT_COUNT; i++)
        if (!seen[i])
            fail_msg("no matrix of %s", smoe_weights_format_name((smoe_weights_format)i));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blocks)};
    test_record record;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    if (smoe_layer_file_open(argc > 1 ? argv[1] : BLOCKS, NULL, &log, &file) != SMOE_SUCCESS) {
        test_record_print(&record);
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    smoe_layer_file_close(file);
    return failed;
}
