/* Names of activations, routers, gates and types: each number has one name, names come back as their numbers, and other
 * text is refused. The list for GLSL has as many, but for swiglu_clamped, which kernels do not know. What elements of
 * each type take. */
#include <string.h>

#include "../../shaders/common/interface.h"
#include "common/cmocka_all.h"
#include "smoe/smoe.h"

#define COUNT_ENUMERATOR(NAME, value) count_enumerator(#NAME, &counts);
#define COUNT_TYPE(NAME, number, element, columns, rows, form, second, factor, packs) counts.types++;

typedef struct enumerator_counts {
    int types, activations, gates, group_scores;
} enumerator_counts;

static void count_enumerator(const char *name, enumerator_counts *counts)
{
    counts->activations += strncmp(name, "ACTIVATION_", 11) == 0;
    counts->gates += strncmp(name, "GATE_", 5) == 0;
    counts->group_scores += strncmp(name, "GROUP_SCORE_", 12) == 0;
}

/* Names from 0 on until there is none, which for a number below 0 there is not either. */
#define CHECK_NAMES(kind, count)                                                                 \
    do {                                                                                         \
        int next = 0;                                                                            \
        for (const char *name; (name = smoe_##kind##_name((smoe_##kind)next)) != NULL; next++) { \
            smoe_##kind found = (smoe_##kind)~next;                                              \
            assert_true(smoe_##kind##_find(name, &found));                                       \
            assert_int_equal(found, next);                                                       \
        }                                                                                        \
        assert_int_equal(next, count);                                                           \
        assert_null(smoe_##kind##_name((smoe_##kind)-1));                                        \
        smoe_##kind kept = (smoe_##kind)1;                                                       \
        static const char *const others[] = {"", "Relu", "softmax ", "f", "float", NULL};        \
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)                            \
            assert_false(smoe_##kind##_find(others[i], &kept));                                  \
        assert_int_equal(kept, 1);                                                               \
    } while (0)

static void test_names(void **state)
{
    enumerator_counts counts = {0};
    (void)state;
    SMOE_ENUMERATORS(COUNT_ENUMERATOR)
    SMOE_WEIGHT_TYPES(COUNT_TYPE)
    CHECK_NAMES(activation, counts.activations + 1);
    CHECK_NAMES(gate, counts.gates);
    CHECK_NAMES(group_score, counts.group_scores);
    CHECK_NAMES(type, counts.types);
    CHECK_NAMES(router, 2); /* no kernel looks at it */
}

/* What Hugging Face configurations call them, and what smoe's tools call types for short. */
static void test_other_names(void **state)
{
    static const struct {
        const char *name;
        smoe_activation activation;
    } aliases[] = {{"linear", SMOE_ACTIVATION_IDENTITY}, {"gelu_new", SMOE_ACTIVATION_GELU_TANH},
                   {"gelu_pytorch_tanh", SMOE_ACTIVATION_GELU_TANH}, {"swish", SMOE_ACTIVATION_SILU},
                   {"relu_squared", SMOE_ACTIVATION_RELU_SQUARED}};
    (void)state;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        smoe_activation found;
        assert_true(smoe_activation_find(aliases[i].name, &found));
        assert_int_equal(found, aliases[i].activation);
        assert_string_not_equal(smoe_activation_name(found), aliases[i].name);
    }
    for (int type = 0; smoe_type_name((smoe_type)type); type++) {
        smoe_type found = (smoe_type)~type;
        assert_true(smoe_type_find(smoe_type_short_name((smoe_type)type), &found));
        assert_int_equal(found, type);
    }
    assert_null(smoe_type_short_name((smoe_type)-1));
}

static void test_type_sizes(void **state)
{
    static const uint64_t sizes[] = {4, 2, 2}; /* of an element, by smoe_type; the others have scales */
    (void)state;
    for (int type = 0; smoe_type_name((smoe_type)type); type++) {
        const uint64_t size = type < SMOE_TYPE_MXFP4 ? sizes[type] : 0;
        assert_int_equal(smoe_type_size((smoe_type)type, 0), 0);
        assert_int_equal(smoe_type_size((smoe_type)type, 5), 5 * size);
        assert_int_equal(smoe_type_size((smoe_type)type, 1ull << 40), size << 40);
        assert_int_equal(smoe_type_has_scales((smoe_type)type), type >= SMOE_TYPE_MXFP4);
    }
    assert_int_equal(smoe_type_size((smoe_type)99, 5), 0);
}

static void test_list(void **state)
{
    char text[SMOE_NAME_LIST_SIZE], wanted[2 * SMOE_NAME_LIST_SIZE] = "";
    (void)state;
    smoe_activation_list(text);
    for (int i = 0; smoe_activation_name((smoe_activation)i); i++) {
        const char *separator = i == 0 ? "" : smoe_activation_name((smoe_activation)(i + 1)) ? ", " : " or ";
        strncat(strcat(wanted, separator), smoe_activation_name((smoe_activation)i), SMOE_NAME_LIST_SIZE / 4);
    }
    assert_string_equal(text, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_other_names),
                                       cmocka_unit_test(test_type_sizes), cmocka_unit_test(test_list)};
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
