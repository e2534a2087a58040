/* Layer files whose matrices have scales: every type comes back, and what is wrong is refused with one line. */
#include "common/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/block_widths.h"
#include "sample_file.h"

#define OK SMOE_SUCCESS
#define BAD SMOE_ERROR_FILE
#define UNSUPPORTED SMOE_ERROR_UNSUPPORTED
#define INVALID SMOE_ERROR_INVALID_ARGUMENT

/* The sample's, by their names in files. */
static const char *const matrices[] = {"experts.w1", "experts.w3", "experts.w2", "shared.w1", "shared.w3", "shared.w2"};
enum { MATRICES = sizeof matrices / sizeof *matrices };

/* A file of one type, and what is changed in it. */
typedef struct stored_test {
    test_record record;
    smoe_type type;
    const char *name; /* of the type, in files */
    sample_file sample;
    int wrong;
} stored_test;

static void begin(stored_test *t)
{
    sample_init_stored(&t->sample, &(smoe_matrix_types)SMOE_TYPES(t->type));
}

/* Writes the changed file, sees what it gives, and begins again. */
static void gives(stored_test *t, smoe_result expected, const char *text)
{
    const char *path = sample_path("stored");
    char what[160];
    snprintf(what, sizeof what, "%s: %s", t->name, text);
    assert_int_equal(sample_write(&t->sample, path), SMOE_SUCCESS);
    t->wrong += !sample_layer_gives(&t->record, path, expected, text, what);
    remove(path);
    begin(t);
}

static const smoe_tensor *tensor_of(const stored_test *t, const char *name)
{
    for (uint32_t i = 0; i < t->sample.tensor_count; i++)
        if (strcmp(t->sample.tensors[i].name, name) == 0)
            return &t->sample.tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void for_every_type(void (*check)(stored_test *t))
{
    stored_test *t = test_calloc(1, sizeof *t);
    uint32_t count = 0;
    test_record_init(&t->record);
    for (t->type = 0; smoe_type_name(t->type); t->type++) {
        if (!smoe_type_has_scales(t->type))
            continue;
        t->name = smoe_type_short_name(t->type);
        begin(t);
        check(t);
        count++;
    }
    assert_true(count >= 16);
    assert_int_equal(t->wrong, 0);
    test_free(t);
}

/* ---- what is right ----------------------------------------------------------------------------------------------- */

/* The file as it is gives its types, widths and bytes. */
static void check_good(stored_test *t)
{
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    smoe_layer_tensor tensor;
    smoe_layer_file *file = sample_layer(&t->sample, &plan, &params, &weights);
    assert_non_null(file);
    const smoe_matrix_types types = SMOE_TYPES(t->type);
    assert_memory_equal(&plan.types, &types, sizeof types);
    assert_int_equal(plan.d_model, test_blocks_width(t->type, 32));
    assert_true(plan.d_hidden == plan.d_model && plan.shared_hidden == plan.d_model && plan.d_latent == plan.d_model);
    for (uint32_t i = 0; smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        const smoe_host_weight array = smoe_host_weights_get(&weights, &tensor);
        if (!tensor.matrix)
            continue;
        const smoe_tensor *written = tensor_of(t, tensor.file_name);
        assert_int_equal(array.type, t->type);
        assert_int_equal(written->size, tensor.size);
        assert_memory_equal(array.data, written->data, written->size);
    }
    smoe_layer_file_close(file);
    sample_set(&t->sample, "experts.b1.type", "q9"); /* no matrix */
    gives(t, OK, "");
    sample_set(&t->sample, "d_model", NULL);
    gives(t, OK, "");
}

static void test_good(void **state)
{
    (void)state;
    for_every_type(check_good);
}

/* Matrices with scales beside others without. */
static void check_beside(stored_test *t)
{
    const smoe_matrix_types some[] = {{.up = t->type},          {.down = t->type},        {.shared_up = t->type},
                                      {.shared_down = t->type}, {.latent_down = t->type}, {.latent_up = t->type}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        sample_init_stored(&t->sample, &some[i]);
        gives(t, OK, "");
    }
}

static void test_beside(void **state)
{
    (void)state;
    for_every_type(check_beside);
}

/* ---- what is wrong ----------------------------------------------------------------------------------------------- */

static void check_names(stored_test *t)
{
    static const char *const names[] = {"q9", "f32", "", "MXFP4", "q4 ", "q4,q8"};
    char key[40], text[128];
    for (size_t i = 0; i < MATRICES; i++) {
        snprintf(key, sizeof key, "%s.type", matrices[i]);
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            sample_set(&t->sample, key, names[k]);
            snprintf(text, sizeof text, "metadata %s is \"%s\", but must be one of mxfp4, q4, q8, fp8", key, names[k]);
            gives(t, UNSUPPORTED, text);
        }
        /* Without a name they are bytes. */
        sample_set(&t->sample, key, NULL);
        snprintf(text, sizeof text, "tensor %s is [", matrices[i]);
        gives(t, BAD, text);
    }
}

static void test_names(void **state)
{
    (void)state;
    for_every_type(check_names);
}

/* Matrices that share a type of the plan have one, and that is said of w3 even where its bytes are too few for its own;
 * one that is no type of weights is refused as that. */
static void check_two_types(stored_test *t)
{
    static const char *const pairs[][2] = {{"experts.w1", "experts.w3"}, {"shared.w1", "shared.w3"}};
    const uint32_t width = test_blocks_width(t->type, 32);
    char key[40], text[128];
    for (size_t i = 0; i < 2; i++) {
        snprintf(key, sizeof key, "%s.type", pairs[i][1]);
        snprintf(text, sizeof text, "tensors %s and %s must have one type", pairs[i][0], pairs[i][1]);
        for (smoe_type other = 0; smoe_type_name(other); other++)
            if (smoe_type_has_scales(other) && other != t->type) {
                sample_set(&t->sample, key, smoe_type_short_name(other));
                gives(t, BAD, text);
            }
        for (int wide = 0; wide < 2; wide++) {
            sample_set(&t->sample, key, NULL);
            sample_tensor(&t->sample, pairs[i][1], wide ? SMOE_TENSOR_INT64 : SMOE_TENSOR_FLOAT32, i ? 2 : 3,
                          i ? width : 2, width, i ? 1 : width);
            if (wide)
                snprintf(text, sizeof text, "tensor %s is I64", pairs[i][1]);
            gives(t, wide ? UNSUPPORTED : BAD, text);
        }
    }
}

static void test_two_types(void **state)
{
    (void)state;
    for_every_type(check_two_types);
}

/* Bytes too few or too many, without or with an axis, and no bytes at all. */
static void check_sizes(stored_test *t)
{
    for (size_t i = 0; i < MATRICES; i++) {
        const bool by_expert = tensor_of(t, matrices[i])->rank == 2;
        const uint64_t size = tensor_of(t, matrices[i])->shape[by_expert];
        const uint64_t wrong[] = {size - 1, size - 16, size + 16, 1, 0};
        char text[128];
        snprintf(text, sizeof text, "tensor %s is [", matrices[i]);
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            sample_tensor(&t->sample, matrices[i], SMOE_TENSOR_UINT8, by_expert ? 2 : 1, by_expert ? 2 : wrong[k],
                          by_expert ? wrong[k] : 1, 1);
            gives(t, BAD, text);
        }
        sample_tensor(&t->sample, matrices[i], SMOE_TENSOR_UINT8, by_expert ? 1 : 2, by_expert ? 2 * size : 1,
                      by_expert ? 1 : size, 1);
        gives(t, BAD, text);
        sample_tensor(&t->sample, matrices[i], SMOE_TENSOR_FLOAT16, by_expert ? 2 : 1, by_expert ? 2 : size,
                      by_expert ? size : 1, 1);
        snprintf(text, sizeof text, "tensor %s is F16, but must be U8: the metadata says that it is %s", matrices[i],
                 t->name);
        gives(t, BAD, text);
        sample_tensor(&t->sample, matrices[i], SMOE_TENSOR_UINT8, SAMPLE_ABSENT, 0, 0, 0);
        if (strstr(matrices[i], "w3") == NULL) { /* without w3 the experts are not gated */
            snprintf(text, sizeof text, "tensor %s is missing", matrices[i]);
            gives(t, BAD, text);
        }
        begin(t);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    for_every_type(check_sizes);
}

/* Widths that no shape tells. */
static void check_widths(stored_test *t)
{
    static const char *const keys[] = {"d_hidden", "shared_hidden", "d_latent"}, *const wrong[] = {"0", "65537", "x",
                                                                                                   "-1", "32.0"};
    const uint32_t width = test_blocks_width(t->type, 32), unit = test_blocks_width(t->type, 1);
    static const char *const found[] = {"tensor experts.w1 is [", "tensor shared.w1 is [", "tensor latent.down is ["};
    char text[128], more[12], right[12];
    snprintf(more, sizeof more, "%u", width + unit);
    snprintf(right, sizeof right, "%u", width);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            sample_set(&t->sample, keys[i], wrong[k]);
            snprintf(text, sizeof text, "metadata %s is \"%s\", but must be a whole number from 1 to 65536", keys[i],
                     wrong[k]);
            gives(t, BAD, text);
        }
        sample_set(&t->sample, keys[i], NULL);
        snprintf(text, sizeof text, "metadata %s is missing", keys[i]);
        gives(t, BAD, text);
        sample_set(&t->sample, keys[i], more);
        gives(t, BAD, found[i]);
        sample_set(&t->sample, keys[i], right);
    }
}

static void test_widths(void **state)
{
    (void)state;
    for_every_type(check_widths);
}

/* Rows that no blocks divide: of d_model by the router's shape, of the others by the metadata. Only those types whose
 * blocks ask for something. */
static void check_blocks(stored_test *t)
{
    const uint32_t unit = test_blocks_width(t->type, 1), odd = unit + unit / 2;
    char text[128], number[12];
    if (unit == 1)
        return;
    snprintf(number, sizeof number, "%u", odd);
    sample_tensor(&t->sample, "router.weight", SMOE_TENSOR_FLOAT32, 2, 2, odd, 1);
    snprintf(text, sizeof text, "tensor latent.down: blocks of %s do not divide its rows of %u", t->name, odd);
    gives(t, BAD, text);
    sample_init_stored(&t->sample, &(smoe_matrix_types){.down = t->type});
    sample_tensor(&t->sample, "experts.w1", SMOE_TENSOR_FLOAT32, 3, 2, odd, 32);
    sample_tensor(&t->sample, "experts.w3", SMOE_TENSOR_FLOAT32, 3, 2, odd, 32);
    sample_tensor(&t->sample, "experts.b1", SMOE_TENSOR_FLOAT32, 2, 2, odd, 1);
    sample_tensor(&t->sample, "experts.b3", SMOE_TENSOR_FLOAT32, 2, 2, odd, 1);
    snprintf(text, sizeof text, "tensor experts.w2: blocks of %s do not divide its rows of %u", t->name, odd);
    gives(t, BAD, text);
}

static void test_blocks(void **state)
{
    (void)state;
    for_every_type(check_blocks);
}

/* A file that ends within the rows, at the scales or within them. */
static void check_cut(stored_test *t)
{
    const char *path = sample_path("cut");
    size_t size;
    assert_int_equal(sample_write(&t->sample, path), SMOE_SUCCESS);
    unsigned char *bytes = sample_read_bytes(path, &size);
    const size_t ends[] = {size - 1, size - 16, size - size / 8, size / 2};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        assert_true(sample_write_bytes(path, bytes, ends[i]));
        t->wrong += !sample_layer_gives(&t->record, path, BAD, "its header describes", t->name);
    }
    free(bytes);
    remove(path);
}

static void test_cut(void **state)
{
    (void)state;
    for_every_type(check_cut);
}

/* What the reader would refuse is not written, and no file is left. */
static void check_writing(stored_test *t)
{
    const char *path = sample_path("refused");
    const uint32_t unit = test_blocks_width(t->type, 1), odd = unit + unit / 2;
    const smoe_log log = test_record_log(&t->record);
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    smoe_layer_tensor tensor;
    smoe_layer_file *file = sample_layer(&t->sample, &plan, &params, &weights), *none;
    assert_non_null(file);
    for (uint32_t i = 0; unit > 1 && smoe_layer_tensor_get(&plan, i, &tensor); i++) {
        smoe_plan_desc changed = plan;
        char text[128];
        if (!tensor.matrix)
            continue;
        const char axis = tensor.axes[tensor.axis_count - 1];
        *(axis == 'D'   ? &changed.d_model
          : axis == 'H' ? &changed.d_hidden
          : axis == 'L' ? &changed.d_latent
                        : &changed.shared_hidden) = odd;
        /* the first matrix with such rows */
        const char *first = axis == 'D' ? "latent_down" : axis == 'H' ? "w2" : axis == 'L' ? "latent_up" : "shared_w2";
        snprintf(text, sizeof text, "weights.%s: blocks of %s do not divide its rows of %u", first,
                 smoe_type_name(t->type), odd);
        test_record_clear(&t->record);
        assert_int_equal(smoe_layer_file_write_layer(path, &changed, &params, &weights, NULL, NULL, &log), INVALID);
        assert_int_equal(test_record_problem_count(&t->record), 1);
        assert_true(test_record_has_problem(&t->record, text));
        assert_int_equal(smoe_layer_file_open(path, NULL, NULL, &none), SMOE_ERROR_FILE);
    }
    smoe_layer_file_close(file);
}

static void test_writing(void **state)
{
    (void)state;
    for_every_type(check_writing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_beside), cmocka_unit_test(test_names),
        cmocka_unit_test(test_two_types), cmocka_unit_test(test_sizes),  cmocka_unit_test(test_widths),
        cmocka_unit_test(test_blocks),    cmocka_unit_test(test_cut),    cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests_name("layer files with scales", tests, NULL, NULL);
}
