/* smoe_shape_init: every buffer a kernel is given fits the device's range, parts begin aligned, nothing overlaps or
 * overflows. */
#include <stdio.h>
#include <string.h>

#include "common/block_widths.h"
#include "common/cmocka_all.h"
#include "common/random.h"
#include "common/record.h"
#include "common/selection_rules.h"
#include "devices.h"
#include "domain/shape.h"

static void keep_text(void *user, smoe_log_level level, const char *text)
{
    (void)level;
    snprintf(user, 256, "%s", text);
}

static smoe_type random_type(test_random *random)
{
    return (smoe_type)test_random_below(random, test_type_count());
}

static smoe_plan_desc random_desc(test_random *random)
{
    const uint32_t widths[] = {1, 2, 3, 7, 64, 65, 127, 384, 1000, 1024, 2047, 2048, 4096, 8191, 16384, 65536};
    const uint32_t experts[] = {1, 2, 3, 8, 16, 31, 64, 127, 128, 1023, 1024};
    const uint32_t tokens[] = {1, 2, 31, 197, 1000, 8192, 32768, 32769, 100000, SMOE_MAX_TOKENS};
    smoe_plan_desc desc = {
        .d_model = widths[test_random_below(random, 16)],
        .d_hidden = widths[test_random_below(random, 16)],
        .expert_count = experts[test_random_below(random, 11)],
        .max_tokens = tokens[test_random_below(random, 10)],
        .types = {random_type(random), random_type(random), random_type(random), random_type(random),
                  random_type(random), random_type(random)},
        .gated = test_random_below(random, 2) != 0,
    };
    desc.top_k = 1 + test_random_below(random, desc.expert_count < 8 ? desc.expert_count : 8);
    if (test_random_below(random, 3) == 0) {
        desc.router = SMOE_ROUTER_COSINE;
        desc.projection_width = widths[test_random_below(random, 16)];
    }
    if (test_random_below(random, 3) == 0) {
        desc.group_count = 1 + test_random_below(random, 8);
        while (desc.expert_count % desc.group_count)
            desc.group_count--;
        desc.top_groups = desc.group_count > 1 ? desc.group_count - test_random_below(random, 2) : 0;
        while (desc.group_count > 1 && desc.expert_count / desc.group_count * desc.top_groups < desc.top_k)
            desc.top_groups++;
    }
    if (desc.group_count < 2 && test_random_below(random, 3) == 0) {
        desc.balanced_groups = desc.top_k;
        while (desc.expert_count % desc.balanced_groups || desc.top_k % desc.balanced_groups)
            desc.balanced_groups--;
    }
    if (test_random_below(random, 3) == 0)
        desc.d_latent = widths[test_random_below(random, 16)];
    if (test_random_below(random, 3) == 0) {
        desc.shared_hidden = widths[test_random_below(random, 16)];
        desc.shared_gate = test_random_below(random, 2) != 0;
    }
    test_blocks_fit(&desc.types, TEST_WIDTHS(&desc));
    desc.max_active =
        test_random_below(random, 3) ? desc.top_k + test_random_below(random, desc.expert_count - desc.top_k + 1) : 0;
    if (desc.balanced_groups > 1)
        desc.max_active -= desc.max_active % desc.balanced_groups;
    if (test_random_below(random, 3) == 0)
        desc.given_count = desc.top_k + test_random_below(random, 2) * (desc.max_active > desc.top_k);
    if (test_random_below(random, 3) == 0)
        desc.zero_experts = test_random_below(random, desc.expert_count);
    return desc;
}

static void test_random_shapes(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    test_random random = test_random_make(seed, 1);
    uint32_t accepted = 0, refused = 0, passes = 0, ranges = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        char text[256] = "";
        const smoe_host host = {.log = {keep_text, text}};
        const smoe_device_info info = test_device(i % TEST_DEVICE_COUNT);
        const smoe_plan_desc desc = random_desc(&random);
        smoe_shape shape;
        const smoe_result result = smoe_shape_init(&host, &info, &desc, &shape);
        const char *rule = result ? NULL : test_broken_shape(&info, &desc, &shape);
        if (rule || (result && (result != SMOE_ERROR_UNSUPPORTED || !text[0])))
            fail_msg("rule \"%s\", result %d \"%s\": SMOE_TEST_SEED=%llu shape %u of %s, "
                     "D=%u H=%u E=%u k=%u A=%u T=%u types=%d %d",
                     rule ? rule : "", result, text, (unsigned long long)seed, i, info.name, desc.d_model,
                     desc.d_hidden, desc.expert_count, desc.top_k, desc.max_active, desc.max_tokens, desc.types.up,
                     desc.types.down);
        accepted += !result;
        refused += result != 0;
        passes += !result && shape.pass_tokens < desc.max_tokens;
        ranges += !result && shape.range_count > 1;
    }
    /* The table must have reached every branch. */
    assert_true(accepted > 1000 && refused > 100 && passes > 100 && ranges > 100);
}

static void test_exact_fit(void **state)
{
    (void)state;
    const smoe_host host = {0};
    const smoe_device_info info = test_device(2); /* 128 MiB */
    smoe_shape shape;
    /* one matrix of exactly the range fits; a row more does not */
    smoe_plan_desc desc = {
        .d_model = 4096, .d_hidden = 8192, .expert_count = 3, .top_k = 1, .max_active = 1, .max_tokens = 1};
    assert_int_equal(smoe_shape_init(&host, &info, &desc, &shape), SMOE_SUCCESS);
    assert_int_equal(shape.range_count, 3);
    desc.d_hidden++;
    assert_int_equal(smoe_shape_init(&host, &info, &desc, &shape), SMOE_ERROR_UNSUPPORTED);
    /* 4 experts of 32 MiB are one range, 5 are two */
    desc = (smoe_plan_desc){
        .d_model = 2048, .d_hidden = 4096, .expert_count = 4, .top_k = 1, .max_active = 1, .max_tokens = 1};
    assert_int_equal(smoe_shape_init(&host, &info, &desc, &shape), SMOE_SUCCESS);
    assert_int_equal(shape.range_experts, 4);
    desc.expert_count = 5;
    assert_int_equal(smoe_shape_init(&host, &info, &desc, &shape), SMOE_SUCCESS);
    assert_int_equal(shape.range_count, 2);
    /* biases larger than their matrices: 512 of 65536 float32 fit, 513 do not */
    desc = (smoe_plan_desc){.d_model = 1, .d_hidden = 65536, .expert_count = 512, .top_k = 1, .max_active = 1,
                            .max_tokens = 1, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16)};
    assert_int_equal(smoe_shape_init(&host, &info, &desc, &shape), SMOE_SUCCESS);
    desc.expert_count = 513;
    assert_int_equal(smoe_shape_init(&host, &info, &desc, &shape), SMOE_SUCCESS);
    assert_int_equal(shape.range_count, 2);
}

/* Rows that no blocks divide are refused, whichever matrix they are of: in one line, by the width and the type. */
static void test_blocks_that_do_not_fit(void **state)
{
    static const struct {
        const char *width, *type;
        size_t width_offset, type_offset;
    } matrices[] = {
#define MATRIX(width, field)                                                                                           \
    {#width, "types." #field, offsetof(smoe_plan_desc, width), offsetof(smoe_plan_desc, types.field)}
        MATRIX(d_model, up),         MATRIX(d_hidden, down),
        MATRIX(d_model, shared_up),  MATRIX(shared_hidden, shared_down),
        MATRIX(d_latent, latent_up),
#undef MATRIX
    };
    const smoe_device_info info = test_device(0);
    test_record record;
    uint32_t refused = 0;
    (void)state;
    test_record_init(&record);
    const smoe_host host = {.log = test_record_log(&record)};
    for (smoe_type type = 0; smoe_type_name(type); type++)
        for (size_t i = 0; i < sizeof matrices / sizeof *matrices && test_blocks_width(type, 1) > 1; i++) {
            const uint32_t unit = test_blocks_width(type, 1), wrong[] = {1, unit - 1, unit + 1, 2 * unit + unit / 2};
            for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++, refused++) {
                smoe_plan_desc desc = {.d_model = unit,
                                       .d_hidden = unit,
                                       .expert_count = 2,
                                       .top_k = 1,
                                       .max_tokens = 1,
                                       .shared_hidden = unit};
                char *const place = (char *)&desc;
                smoe_shape shape;
                char text[128];
                memcpy(place + matrices[i].type_offset, &type, sizeof type);
                memcpy(place + matrices[i].width_offset, &wrong[k], sizeof wrong[k]);
                snprintf(text, sizeof text, "plan desc.%s: %u, must be a multiple of %u, ", matrices[i].width, wrong[k],
                         unit);
                test_record_clear(&record);
                assert_int_equal(smoe_shape_init(&host, &info, &desc, &shape), SMOE_ERROR_INVALID_ARGUMENT);
                assert_int_equal(test_record_problem_count(&record), 1);
                assert_true(test_record_has_problem(&record, text));
                assert_true(test_record_has_problem(&record, smoe_type_name(type)));
                assert_true(test_record_has_problem(&record, matrices[i].type));
            }
        }
    assert_true(refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_shapes), cmocka_unit_test(test_exact_fit),
                                       cmocka_unit_test(test_blocks_that_do_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
