/* Where buffers may begin: at multiples of 4 and of what the device asks for, and of 16 where they hold weights with
 * scales; and where smoe's own descriptors begin in them. On a device that is not there, since what real ones ask for
 * is more than 4. */
#include <stdio.h>
#include <string.h>

#include "common/block_widths.h"
#include "common/cmocka_all.h"
#include "common/record.h"
#include "fake_descriptors.h"
#include "fake_device.h"
#include "fake_pipelines.h"

#define RANGE_EXPERTS 3u /* of 8 */

typedef struct offsets_fixture {
    test_record record;
    smoe_log log;
    smoe_context *context;
    smoe_plan *plan;
    smoe_layer_desc layer;
    smoe_binding_desc binding;
    uint32_t alignment; /* as the rule has it */
} offsets_fixture;

/* Odd widths where the type has them: an expert's float16 matrices end between two words, and so do the ranges. */
static smoe_plan_desc plan_desc(smoe_type type)
{
    return (smoe_plan_desc){
        .d_model = test_blocks_width(type, 33),
        .d_hidden = test_blocks_width(type, 45),
        .expert_count = 8,
        .top_k = 2,
        .max_active = 4, /* a token's rows fit the range of three experts of 4 bits */
        .max_tokens = 4,
        .types = SMOE_TYPES(type),
        .gated = true,
        .gate = SMOE_GATE_SIGMOID,
        .shared_hidden = test_blocks_width(type, 27),
        .shared_gate = true,
    };
}

static smoe_buffer some_buffer(VkDeviceSize size)
{
    smoe_buffer buffer = {.offset = 256, .size = size};
    memset(&buffer.buffer, 1, sizeof buffer.buffer);
    return buffer;
}

static void create(offsets_fixture *f, uint32_t alignment, smoe_type type)
{
    const smoe_plan_desc desc = plan_desc(type);
    const uint64_t up = smoe_weights_size(type, 1, desc.d_hidden, desc.d_model),
                   down = smoe_weights_size(type, 1, desc.d_model, desc.d_hidden), expert = up > down ? up : down;
    smoe_layer_tensor tensor;

    fake_reset();
    fake_pipelines_reset();
    test_record_init(&f->record);
    f->log = test_record_log(&f->record);
    f->alignment = alignment > 4 ? alignment : 4;
    fake.offset_alignment = alignment;
    fake.buffer_range = (uint32_t)(RANGE_EXPERTS * expert + 256);
    smoe_context_desc context = fake_context_desc();
    context.log = &f->log;
    assert_int_equal(smoe_context_create(&context, &f->context), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_create(f->context, &desc, &f->plan), SMOE_SUCCESS);
    f->layer = (smoe_layer_desc){.w1.ranges = NULL};
    for (uint32_t i = 0; smoe_layer_tensor_get(&desc, i, &tensor); i++)
        if (tensor.presence != SMOE_PRESENCE_FORBIDDEN)
            smoe_layer_desc_set(&f->layer, &tensor, some_buffer(tensor.size));
    f->binding = (smoe_binding_desc){
        .x = some_buffer(4 * 4 * desc.d_model),
        .y = some_buffer(4 * 4 * desc.d_model),
        .workspace = some_buffer(smoe_plan_workspace_size(f->plan)),
        .report = some_buffer(smoe_plan_report_size(f->plan, 4)),
        .totals = some_buffer(smoe_plan_totals_size(f->plan)),
    };
    /* One after another in one buffer: they must not overlap. */
    smoe_buffer *const parts[] = {&f->binding.x, &f->binding.y, &f->binding.workspace, &f->binding.report,
                                  &f->binding.totals};
    for (uint32_t i = 0; i < 5; i++)
        parts[i]->offset = (i + 1ull) << 24;
}

static void destroy(offsets_fixture *f)
{
    smoe_plan_destroy(f->plan);
    smoe_context_destroy(f->context);
}

static smoe_result try_layer(offsets_fixture *f)
{
    smoe_layer *layer;
    const smoe_result result = smoe_layer_create(f->plan, &f->layer, &layer);
    assert_true((layer != NULL) == (result == SMOE_SUCCESS));
    smoe_layer_destroy(layer);
    return result;
}

static smoe_result try_binding(offsets_fixture *f)
{
    smoe_binding *binding;
    const smoe_result result = smoe_binding_create(f->plan, &f->binding, &binding);
    assert_true((binding != NULL) == (result == SMOE_SUCCESS));
    smoe_binding_destroy(binding);
    return result;
}

/* The line that refuses a buffer where it lies. */
static void write_rule(char rule[160], const smoe_buffer *buffer, const char *name, smoe_type type)
{
    const unsigned long long offset = buffer->offset;
    if (smoe_type_has_scales(type) && offset % 16 != 0)
        snprintf(rule, 160, "%s.offset: %llu, must be a multiple of 16 for %s", name, offset, smoe_type_name(type));
    else
        snprintf(rule, 160, "%s.offset: %llu, must be a multiple of 4 and of minStorageBufferOffsetAlignment, ", name,
                 offset);
}

/* A buffer of f->layer or f->binding at every offset near its own. type: of what it holds. */
static void check_offsets(offsets_fixture *f, smoe_result (*try)(offsets_fixture *), smoe_buffer *buffer,
                          const char *name, smoe_type type)
{
    const VkDeviceSize first = buffer->offset;
    const uint32_t least = smoe_type_has_scales(type) ? 16 : 4;
    const uint32_t alignment = f->alignment > least ? f->alignment : least; /* both are powers of two */
    for (uint32_t more = 0; more <= alignment; more++) {
        buffer->offset = first + more;
        test_record_clear(&f->record);
        const smoe_result result = try(f);
        if (more % alignment == 0) {
            assert_int_equal(result, SMOE_SUCCESS);
            assert_int_equal(test_record_problem_count(&f->record), 0);
            continue;
        }
        char rule[160];
        write_rule(rule, buffer, name, type);
        assert_int_equal(result, SMOE_ERROR_INVALID_ARGUMENT);
        assert_int_equal(test_record_problem_count(&f->record), 1);
        assert_true(test_record_has_problem(&f->record, rule));
    }
    buffer->offset = first;
}

static void check_layer(offsets_fixture *f, smoe_type type)
{
    const smoe_plan_desc desc = plan_desc(type);
    smoe_layer_tensor tensor;
    char name[64];
    for (uint32_t i = 0; smoe_layer_tensor_get(&desc, i, &tensor); i++) {
        if (tensor.presence == SMOE_PRESENCE_FORBIDDEN)
            continue;
        snprintf(name, sizeof name, "layer desc.%s", tensor.name);
        check_offsets(f, try_layer, (smoe_buffer *)(void *)((char *)&f->layer + tensor.layer_offset), name,
                      tensor.type);
    }
}

/* w2 in a buffer for each range. */
static void check_ranges(offsets_fixture *f, smoe_type type)
{
    smoe_buffer ranges[8];
    char name[64];
    const smoe_weight whole = f->layer.w2;
    const uint32_t count = smoe_plan_range_count(f->plan, NULL);
    assert_in_range(count, 2, 8);
    for (uint32_t r = 0; r < count; r++)
        ranges[r] = whole.buffer;
    f->layer.w2 = (smoe_weight){.ranges = ranges};
    for (uint32_t r = 0; r < count; r++) {
        snprintf(name, sizeof name, "layer desc.w2.ranges[%u]", r);
        check_offsets(f, try_layer, &ranges[r], name, type);
    }
    f->layer.w2 = whole;
}

static void check_binding(offsets_fixture *f)
{
    check_offsets(f, try_binding, &f->binding.x, "binding desc.x", SMOE_TYPE_FLOAT32);
    check_offsets(f, try_binding, &f->binding.y, "binding desc.y", SMOE_TYPE_FLOAT32);
    check_offsets(f, try_binding, &f->binding.workspace, "binding desc.workspace", SMOE_TYPE_FLOAT32);
    check_offsets(f, try_binding, &f->binding.report, "binding desc.report", SMOE_TYPE_FLOAT32);
    check_offsets(f, try_binding, &f->binding.totals, "binding desc.totals", SMOE_TYPE_FLOAT32);
}

/* What smoe binds begins in words too, where a range does not. */
static void check_descriptors(offsets_fixture *f)
{
    fake_descriptors_reset();
    assert_int_equal(try_layer(f), SMOE_SUCCESS);
    assert_int_equal(try_binding(f), SMOE_SUCCESS);
    assert_in_range(fake_written.count, 1, FAKE_MAX_DESCRIPTORS);
    for (uint32_t i = 0; i < fake_written.count; i++) {
        const VkDescriptorBufferInfo *buffer = &fake_written.buffers[i];
        if (buffer->offset % f->alignment != 0 || buffer->range % 4 != 0)
            fail_msg("%llu bytes from %llu on, with an alignment of %u", (unsigned long long)buffer->range,
                     (unsigned long long)buffer->offset, f->alignment);
    }
}

static void test_every_buffer(void **state)
{
    static const uint32_t alignments[] = {1, 2, 4, 8, 64, 256};
    (void)state;
    for (uint32_t i = 0; i < sizeof alignments / sizeof *alignments; i++)
        for (smoe_type type = 0; smoe_type_name(type); type++) {
            static offsets_fixture f;
            create(&f, alignments[i], type);
            check_layer(&f, type);
            check_ranges(&f, type);
            check_binding(&f);
            check_descriptors(&f);
            destroy(&f);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_buffer),
    };

    return cmocka_run_group_tests_name("offsets", tests, NULL, NULL);
}
