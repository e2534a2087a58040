/* The whole layer through device.h against the reference: y, and every word of the report. Only the rows of the case
 * table run that show each property of a case and each kernel with subgroups, since device.h makes a plan for every
 * layer. Each property with every kernel is test_stages' part. Rows whose pipelines test_stages makes are chosen
 * first. */
#include <stdlib.h>

#include "case_cover.h"
#include "check_layer.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"

static void test_table(void **state)
{
    const test_device *device = *state;
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device->device));
    smoe_device_info devices[CASE_DEVICES_MOST];
    uint32_t at, failed = 0, checked = 0;
    const cover_wish wish = cover_wish_of_table(info, devices, &at);
    check_tally tally = {0};
    case_cover stages, cover;

    assert_true(case_cover_create(&stages, &wish));
    assert_true(case_cover_create(&cover, &(cover_wish){.cases = layer_cases, .case_count = layer_case_count,
                                                        .devices = info, .device_count = 1,
                                                        .kinds = COVER_PROPERTIES | COVER_KERNEL_DEVICES,
                                                        .made = &stages}));
    for (uint32_t i = 0; i < layer_case_count; i++) {
        if (!test_everything() && !case_cover_has(&cover, 0, i))
            continue;
        failed += !check_case(device->device, &layer_cases[i], test_seed(), &tally);
        checked++;
    }
    case_cover_destroy(&cover);
    case_cover_destroy(&stages);
    print_message("%u of %u cases, the rest is test_stages'; %llu tokens, %llu of them excused as ambiguous\n", checked,
                  layer_case_count, (unsigned long long)tally.tokens, (unsigned long long)tally.excused);
    assert_int_equal(failed, 0);
    assert_true(tally.excused * 200 <= tally.tokens);
}

typedef struct reached {
    uint32_t capped, shrunk, nonfinite, extra, group_ties, group_bands, group_extra;
} reached;

/* What a token of a row meets, by the reference only. Returns its order. */
static uint32_t reach(const case_data *data, const double *logits, ref_token *token, reached *all)
{
    ref_select(&data->ref, &data->ref_params, logits, token);
    all->capped += (token->flags & SMOE_REPORT_FLAG_CAPPED) != 0;
    all->nonfinite += (token->flags & SMOE_REPORT_FLAG_NONFINITE) != 0;
    all->group_ties += (token->flags & SMOE_REPORT_FLAG_GROUP_TIE) != 0;
    all->group_bands += token->groups > data->shape->top_groups;
    all->shrunk += token->eps > 0 && token->eps < data->ref_params.eps;
    all->extra += token->active > data->shape->top_k;
    all->group_extra += token->groups > data->shape->top_groups && token->active > data->shape->top_k;
    return token->order;
}

/* How many experts are equal where all logits are: those of the groups kept or of a balanced one, or all. */
static uint32_t equal_experts(const layer_case *shape)
{
    const bool left_out = shape->group_count > 1 && shape->group_eps == 0;

    if (shape->balanced_groups > 1)
        return shape->expert_count / shape->balanced_groups;
    return left_out ? shape->expert_count / shape->group_count * shape->top_groups : shape->expert_count;
}

/* Whether groups share their experts' router rows in pairs or all together, so that one is kept that ties with one that
 * is not. */
static bool has_tied_groups(const layer_case *shape)
{
    return shape->logits == LOGITS_TIED && shape->group_count > 1 &&
           shape->expert_count / shape->tied_experts % (shape->expert_count / shape->group_count) == 0;
}

/* Whether the rows of the table make what they were written for. */
static void test_table_reaches(void **state)
{
    reached all = {0};
    ref_token *token = test_malloc(sizeof *token);
    double *logits = test_malloc(SMOE_MAX_EXPERTS * sizeof *logits);

    (void)state;
    for (uint32_t i = 0; i < layer_case_count; i++) {
        const layer_case *shape = &layer_cases[i];
        const uint32_t ties = all.group_ties;
        uint32_t order = 0;
        case_data data;
        assert_true(case_data_create(&data, shape, test_seed()));
        for (uint32_t t = 0; t < shape->tokens; t++) {
            ref_logits(&data.ref, data.x + (size_t)t * shape->d_model, logits);
            const uint32_t met = reach(&data, logits, token, &all);
            order = met > order ? met : order;
        }
        if (shape->logits == LOGITS_TIED && shape->top_k < shape->tied_experts && !shape->group_count)
            assert_true(order + 1 >= shape->tied_experts);
        if (has_tied_groups(shape))
            assert_int_equal(all.group_ties, ties + shape->tokens);
        if (shape->logits == LOGITS_EQUAL)
            assert_int_equal(order + 1, equal_experts(shape));
        case_data_destroy(&data);
    }
    print_message("tokens capped %u, band shrunk %u, with extra experts %u, non-finite %u, groups tied %u, in the "
                  "groups' band %u, with "
                  "extra experts there %u\n",
                  all.capped, all.shrunk, all.extra, all.nonfinite, all.group_ties, all.group_bands, all.group_extra);
    assert_true(all.capped > 0 && all.shrunk > 0 && all.extra > 0 && all.nonfinite > 0);
    assert_true(all.group_ties > 0 && all.group_bands > 0 && all.group_extra > 0);
    test_free(token);
    test_free(logits);
}

#define MOST_NAMES 32 /* of an enumeration */

/* Every combination of router, gate, groups and shared expert is in the table, every activation with and without a
 * gate, and every type of weights with a shared expert and without: all that have a name. */
static void test_table_covers(void **state)
{
    bool routing[2][MOST_NAMES][2][3] = {0}, activations[MOST_NAMES][2] = {0}, types[MOST_NAMES][2] = {0};

    (void)state;
    for (uint32_t i = 0; i < layer_case_count; i++) {
        const layer_case *shape = &layer_cases[i];
        const int shared = shape->shared_hidden == 0 ? 0 : shape->shared_gate ? 2 : 1;
        routing[shape->router][shape->gate][shape->group_count > 1][shared] = true;
        activations[shape->activation][shape->gated] = true;
        types[shape->weight_type][shape->shared_hidden > 0] = true;
    }
    for (int gate = 0; smoe_gate_name((smoe_gate)gate); gate++)
        for (int i = 0; i < 2 * 2 * 3; i++)
            if (!routing[i / 6][gate][i / 3 % 2][i % 3])
                fail_msg("no case has gate %s, %s router, groups %d, shared expert %d", smoe_gate_name((smoe_gate)gate),
                         smoe_router_name((smoe_router)(i / 6)), i / 3 % 2, i % 3);
    for (int i = 0; smoe_activation_name((smoe_activation)i); i++)
        if (!activations[i][true] || (!activations[i][false] && i != SMOE_ACTIVATION_SWIGLU_CLAMPED))
            fail_msg("no case has activation %s, %s", smoe_activation_name((smoe_activation)i),
                     activations[i][true] ? "not gated" : "gated");
    for (int i = 0; smoe_type_name((smoe_type)i); i++)
        if (!types[i][false] || !types[i][true])
            fail_msg("no case has weights of %s with a shared expert, or without", smoe_type_name((smoe_type)i));
    assert_null(smoe_router_name((smoe_router)2));
}

/* The clamps of the clamped swiglu hold something back, both of them and on every side. */
static void test_table_clamps(void **state)
{
    uint32_t high = 0, gate_high = 0, gate_low = 0;

    (void)state;
    for (uint32_t i = 0; i < layer_case_count; i++) {
        const layer_case *shape = &layer_cases[i];
        const uint32_t D = shape->d_model, H = shape->d_hidden;
        case_data data;
        if (shape->activation != SMOE_ACTIVATION_SWIGLU_CLAMPED)
            continue;
        assert_true(case_data_create(&data, shape, test_seed()));
        for (uint32_t t = 0; t < shape->tokens; t++)
            for (uint32_t h = 0; h < H; h++) {
                double sum = 0, gate = 0;
                for (uint32_t j = 0; j < D; j++) {
                    sum += (double)data.x[t * D + j] * (double)data.ref.w1[h * D + j];
                    gate += (double)data.x[t * D + j] * (double)data.ref.w3[h * D + j];
                }
                high += sum > 8;
                gate_high += gate > 8;
                gate_low += gate < -8;
            }
        case_data_destroy(&data);
    }
    assert_true(high > 0 && gate_high > 0 && gate_low > 0);
}

static void run_converted(const test_device *device, const case_data *data, smoe_type plan_type,
                          const smoe_host_weights *weights, float *y)
{
    smoe_plan_desc plan = data->plan;
    smoe_device_layer *layer;

    plan.types = (smoe_matrix_types)SMOE_TYPES(plan_type);
    assert_int_equal(smoe_device_layer_create(device->device, &plan, weights, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_device_layer_forward(layer, &data->params, data->x, y, NULL, NULL), SMOE_SUCCESS);
    smoe_device_layer_destroy(layer);
}

/* The case's weights as the floats that they stand for. */
static smoe_host_weights wide_weights(const case_data *data)
{
    smoe_host_weights wide = data->weights;

    wide.w1 = (smoe_host_weight){data->ref.w1, SMOE_TYPE_FLOAT32};
    wide.w3 = (smoe_host_weight){data->ref.w3, SMOE_TYPE_FLOAT32};
    wide.w2 = (smoe_host_weight){data->ref.w2, SMOE_TYPE_FLOAT32};
    wide.shared_w1 = (smoe_host_weight){data->ref.shared_w1, SMOE_TYPE_FLOAT32};
    wide.shared_w3 = (smoe_host_weight){data->ref.shared_w3, SMOE_TYPE_FLOAT32};
    wide.shared_w2 = (smoe_host_weight){data->ref.shared_w2, SMOE_TYPE_FLOAT32};
    return wide;
}

/* Host arrays of a type that the plan has not are converted: rounded to nearest even to one of 16 bits, exactly to
 * float32. From one type of 16 bits to the other they go by way of float32. */
static void test_conversion(void **state)
{
    enum { TOKENS = 5, WIDTH = 33 };
    static const smoe_type narrow_types[] = {SMOE_TYPE_FLOAT16, SMOE_TYPE_BFLOAT16};
    const test_device *device = *state;
    const layer_case shape = {.name = "conversion", .tokens = TOKENS, .d_model = WIDTH, .d_hidden = 13,
                              .expert_count = 3, .top_k = 1, .gated = true, .activation = SMOE_ACTIVATION_SILU,
                              .shared_hidden = 7};
    float want[TOKENS * WIDTH], got[TOKENS * WIDTH];

    for (size_t i = 0; i < 2; i++) {
        layer_case narrow_shape = shape, other_shape = shape;
        case_data floats, narrow, other; /* the same numbers, rounding aside */
        narrow_shape.weight_type = narrow_types[i];
        other_shape.weight_type = narrow_types[1 - i];
        assert_true(case_data_create(&floats, &shape, test_seed()) &&
                    case_data_create(&narrow, &narrow_shape, test_seed()) &&
                    case_data_create(&other, &other_shape, test_seed()));
        run_converted(device, &narrow, narrow_types[i], &narrow.weights, want);
        run_converted(device, &floats, narrow_types[i], &floats.weights, got);
        assert_int_equal(test_compare_bits("y of a 16-bit plan", TOKENS * WIDTH, got, want), 0);

        const smoe_host_weights rounded = wide_weights(&narrow), other_rounded = wide_weights(&other);
        run_converted(device, &narrow, SMOE_TYPE_FLOAT32, &rounded, want);
        run_converted(device, &narrow, SMOE_TYPE_FLOAT32, &narrow.weights, got);
        assert_int_equal(test_compare_bits("y of a float32 plan", TOKENS * WIDTH, got, want), 0);

        run_converted(device, &other, narrow_types[i], &other_rounded, want);
        run_converted(device, &other, narrow_types[i], &other.weights, got);
        assert_int_equal(test_compare_bits("y of the other 16-bit type", TOKENS * WIDTH, got, want), 0);
        case_data_destroy(&floats);
        case_data_destroy(&narrow);
        case_data_destroy(&other);
    }
}

/* Rounds a matrix of the case, which case_data_create made, to a type; the reference has the same floats. */
static void round_matrix(const float *matrix, smoe_type type, size_t count)
{
    uint16_t *narrow = malloc(count * sizeof *narrow);

    assert_non_null(narrow);
    if (type != SMOE_TYPE_FLOAT32) {
        assert_int_equal(smoe_type_convert(narrow, type, matrix, SMOE_TYPE_FLOAT32, count), SMOE_SUCCESS);
        assert_int_equal(smoe_type_convert((void *)(uintptr_t)matrix, SMOE_TYPE_FLOAT32, narrow, type, count),
                         SMOE_SUCCESS);
    }
    free(narrow);
}

/* A type each for up, down, shared up, shared down, latent down and latent up: each takes each type, and no two agree
 * everywhere. */
static void test_types_apart(void **state)
{
    static const smoe_matrix_types types[] = {
        {SMOE_TYPE_FLOAT16, SMOE_TYPE_FLOAT32, SMOE_TYPE_BFLOAT16, SMOE_TYPE_FLOAT16, SMOE_TYPE_FLOAT32,
         SMOE_TYPE_BFLOAT16},
        {SMOE_TYPE_FLOAT32, SMOE_TYPE_BFLOAT16, SMOE_TYPE_FLOAT16, SMOE_TYPE_FLOAT32, SMOE_TYPE_BFLOAT16,
         SMOE_TYPE_FLOAT16},
        {SMOE_TYPE_BFLOAT16, SMOE_TYPE_FLOAT16, SMOE_TYPE_FLOAT32, SMOE_TYPE_BFLOAT16, SMOE_TYPE_FLOAT16,
         SMOE_TYPE_FLOAT32},
    };
    const test_device *device = *state;
    const layer_case shape = {.name = "types apart",
                              .tokens = 9,
                              .d_model = 37,
                              .d_hidden = 14,
                              .expert_count = 3,
                              .top_k = 2,
                              .gated = true,
                              .activation = SMOE_ACTIVATION_SILU,
                              .shared_hidden = 6,
                              .d_latent = 11};
    const size_t D = shape.d_model, L = shape.d_latent, matrix = (size_t)shape.expert_count * shape.d_hidden * L,
                 shared = shape.shared_hidden * D;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        case_data data;
        smoe_device_layer *layer;
        layer_output output;
        assert_true(case_data_create(&data, &shape, test_seed()));
        round_matrix(data.ref.w1, types[i].up, matrix);
        round_matrix(data.ref.w3, types[i].up, matrix);
        round_matrix(data.ref.w2, types[i].down, matrix);
        round_matrix(data.ref.shared_w1, types[i].shared_up, shared);
        round_matrix(data.ref.shared_w3, types[i].shared_up, shared);
        round_matrix(data.ref.shared_w2, types[i].shared_down, shared);
        round_matrix(data.ref.latent_down, types[i].latent_down, L * D);
        round_matrix(data.ref.latent_up, types[i].latent_up, D * L);
        data.plan.types = types[i];
        assert_int_equal(smoe_device_layer_create(device->device, &data.plan, &data.weights, &layer), SMOE_SUCCESS);
        assert_true(layer_output_create(&output, layer, &data, NULL));
        assert_int_equal(check_output(&data, &data.ref_params, &output, NULL), 0);
        layer_output_destroy(&output);
        smoe_device_layer_destroy(layer);
        case_data_destroy(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_table_reaches, test_device_check),
        cmocka_unit_test_teardown(test_table_covers, test_device_check),
        cmocka_unit_test_teardown(test_table_clamps, test_device_check),
        cmocka_unit_test_teardown(test_table, test_device_check),
        cmocka_unit_test_teardown(test_conversion, test_device_check),
        cmocka_unit_test_teardown(test_types_apart, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("layer", tests, test_device_setup, test_device_teardown);
}
