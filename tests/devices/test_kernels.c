/* What the kernels' SPIR-V asks of a device: no more than the kernel table says, and nothing that a driver is known to
 * get wrong. */
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "domain/kernel_table.h"
#include "smoe/smoe.h"

enum { /* of the SPIR-V specification */
    OP_CAPABILITY = 17,
    OP_TYPE_ARRAY = 28,
    OP_TYPE_POINTER = 32,
    OP_SPEC_CONSTANT_OP = 52,
    OP_VARIABLE = 59,
    OP_SELECT = 169,
    STORAGE_CLASS_WORKGROUP = 4,
    HEADER_WORDS = 5,
    VERSION_1_3 = 0x00010300 /* the newest that Vulkan 1.1 takes */
};

#define ANY_SUBGROUP_OPERATION \
    (SMOE_CAPABILITY_SUBGROUP_ARITHMETIC | SMOE_CAPABILITY_SUBGROUP_BALLOT | SMOE_CAPABILITY_SUBGROUP_SHUFFLE)

/* SPIR-V's capabilities and the bits of the kernel table that stand for them, of which a row must have one. 0: every
 * device has it. A kernel that declares another one needs a row here, and a capability that smoe asks devices for. */
static const struct {
    uint32_t number;
    const char *name;
    uint32_t any_of;
} allowed[] = {
    {1, "Shader", 0},
    {61, "GroupNonUniform", ANY_SUBGROUP_OPERATION | SMOE_CAPABILITY_COOPERATIVE_MATRIX},
    {63, "GroupNonUniformArithmetic", SMOE_CAPABILITY_SUBGROUP_ARITHMETIC},
    {64, "GroupNonUniformBallot", SMOE_CAPABILITY_SUBGROUP_BALLOT},
    {65, "GroupNonUniformShuffle", SMOE_CAPABILITY_SUBGROUP_SHUFFLE},
    {9, "Float16", SMOE_CAPABILITY_COOPERATIVE_MATRIX},
    {5345, "VulkanMemoryModel", SMOE_CAPABILITY_COOPERATIVE_MATRIX},
    {6022, "CooperativeMatrixKHR", SMOE_CAPABILITY_COOPERATIVE_MATRIX},
    {5116, "BFloat16TypeKHR", SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16},
    {5118, "BFloat16CooperativeMatrixKHR", SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16},
};

/* A module and where each id is defined, in words; 0: nowhere. */
typedef struct module {
    const smoe_kernel_row *row;
    size_t words;
    size_t *defined;
} module;

static uint32_t opcode(const module *m, size_t at)
{
    return m->row->spirv[at] & 0xffff;
}

static uint32_t length(const module *m, size_t at)
{
    return m->row->spirv[at] >> 16;
}

static void open_module(module *m, const smoe_kernel_row *row)
{
    *m = (module){.row = row, .words = row->spirv_size / 4};
    assert_true(m->words > HEADER_WORDS);
    const uint32_t bound = row->spirv[3];
    m->defined = calloc(bound, sizeof *m->defined);
    assert_non_null(m->defined);
    for (size_t at = HEADER_WORDS; at < m->words; at += length(m, at)) {
        assert_true(length(m, at) > 0);
        switch (opcode(m, at)) { /* the ones that are followed below */
        case OP_TYPE_ARRAY:
        case OP_TYPE_POINTER: m->defined[row->spirv[at + 1]] = at; break;
        case OP_SPEC_CONSTANT_OP: m->defined[row->spirv[at + 2]] = at; break;
        default: break;
        }
    }
}

static void check_capability(const module *m, uint32_t number)
{
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (allowed[i].number == number) {
            if (allowed[i].any_of && !(m->row->capabilities & allowed[i].any_of))
                fail_msg("%s declares %s, and its row of the kernel table does not ask for that", m->row->name,
                         allowed[i].name);
            return;
        }
    fail_msg("%s declares SPIR-V's capability %u, which smoe asks no device for", m->row->name, number);
}

static void test_capabilities(void **state)
{
    (void)state;
    for (int k = 0; k < SMOE_KERNEL_COUNT; k++) {
        const smoe_kernel_row *row = smoe_kernel_row_get((smoe_kernel)k);
        module m;
        if (row->spirv_size == 0)
            continue; /* the build's compiler cannot make it */
        open_module(&m, row);
        if (!(row->capabilities & ~(uint32_t)ANY_SUBGROUP_OPERATION)) /* all of them Vulkan 1.1's */
            assert_true(row->spirv[1] <= VERSION_1_3);
        for (size_t at = HEADER_WORDS; at < m.words; at += length(&m, at))
            if (opcode(&m, at) == OP_CAPABILITY)
                check_capability(&m, row->spirv[at + 1]);
        free(m.defined);
    }
}

static bool depends_on_select(const module *m, uint32_t id)
{
    const size_t at = m->defined[id];
    if (at == 0 || opcode(m, at) != OP_SPEC_CONSTANT_OP)
        return false;
    if (m->row->spirv[at + 3] == OP_SELECT)
        return true;
    for (uint32_t i = 4; i < length(m, at); i++)
        if (m->row->spirv[at + i] < m->row->spirv[3] && depends_on_select(m, m->row->spirv[at + i]))
            return true;
    return false;
}

static bool array_depends_on_select(const module *m, uint32_t type)
{
    const size_t at = m->defined[type];
    return at != 0 && opcode(m, at) == OP_TYPE_ARRAY &&
           (depends_on_select(m, m->row->spirv[at + 3]) || array_depends_on_select(m, m->row->spirv[at + 2]));
}

/* Adreno 840 with Qualcomm's 512.842.19 computes wrong results where a choice between specialisation constants is the
 * length of a shared array: github.com/Tencent/ncnn/pull/6972, observation A. */
static void test_shared_array_lengths(void **state)
{
    uint32_t shared = 0;
    (void)state;
    for (int k = 0; k < SMOE_KERNEL_COUNT; k++) {
        const smoe_kernel_row *row = smoe_kernel_row_get((smoe_kernel)k);
        module m;
        if (row->spirv_size == 0)
            continue;
        open_module(&m, row);
        for (size_t at = HEADER_WORDS; at < m.words; at += length(&m, at)) {
            if (opcode(&m, at) != OP_VARIABLE || row->spirv[at + 3] != STORAGE_CLASS_WORKGROUP)
                continue;
            shared++;
            const size_t pointer = m.defined[row->spirv[at + 1]];
            assert_true(pointer != 0);
            if (array_depends_on_select(&m, row->spirv[pointer + 3]))
                fail_msg("%s: the length of a shared array depends on a choice between specialisation constants",
                         row->name);
        }
        free(m.defined);
    }
    assert_true(shared > 10); /* sort, totals, route_group and route_select_rank have more between them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_capabilities),
                                       cmocka_unit_test(test_shared_array_lengths)};
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
