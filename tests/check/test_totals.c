/* The totals: they must be what the reports of the same tokens add up to, exactly. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_stages.h"
#include "common/cmocka_all.h"
#include "common/compare.h"
#include "common/fixture.h"
#include "common/random.h"

static const layer_case shapes[] = {
    {.name = "plain", .tokens = 37, .d_model = 24, .d_hidden = 5, .expert_count = 12, .top_k = 2, .eps = 0.25f,
     .tie_tolerance = 0.125f, .logits = LOGITS_EXACT},
    {.name = "groups, capped, non-finite", .tokens = 1500, .d_model = 8, .d_hidden = 4, .expert_count = 12, .top_k = 2,
     .max_active = 6, .call_active = 4, .eps = 0.5f, .group_count = 4, .top_groups = 2, .group_eps = 0.5f,
     .logits = LOGITS_NONFINITE, .biases = BIAS_ROUTER},
    {.name = "ties of every order, capped", .tokens = 70, .d_model = 16, .d_hidden = 3, .expert_count = 24, .top_k = 1,
     .max_active = 9, .eps = 0.5f, .logits = LOGITS_EQUAL},
    {.name = "large gaps", .tokens = 90, .d_model = 24, .d_hidden = 3, .expert_count = 5, .top_k = 1,
     .logits = LOGITS_LARGE},
    {.name = "all chosen", .tokens = 9, .d_model = 5, .d_hidden = 3, .expert_count = 4, .top_k = 4, .eps = 1},
    {.name = "1024 experts, sigmoid", .tokens = 40, .d_model = 16, .d_hidden = 2, .expert_count = 1024, .top_k = 8,
     .max_active = 24, .eps = 0.05f, .gate = SMOE_GATE_SIGMOID, .biases = BIAS_SELECTION},
    {.name = "given, zero experts", .tokens = 90, .d_model = 16, .d_hidden = 2, .expert_count = 9, .top_k = 2,
     .given_count = 5, .given = GIVEN_BAD, .zero_experts = 4, .tie_tolerance = 0.125f, .logits = LOGITS_NONFINITE},
};

#define SHAPES (sizeof shapes / sizeof shapes[0])

static uint64_t *new_counts(uint32_t expert_count)
{
    return test_calloc(SMOE_TOTALS_WORDS(expert_count) / 2, sizeof(uint64_t)); /* by word, halved: MAX_ACTIVE too */
}

static uint32_t bin_of(float gap)
{
    uint32_t bin = 0;

    while (bin + 1 < SMOE_TOTALS_GAP_COUNT && gap >= smoe_totals_gap_edge(bin + 1))
        bin++;
    return bin;
}

static void add_record(uint64_t *counts, const uint32_t *record)
{
    const uint32_t flags = record[SMOE_REPORT_FLAGS], active = record[SMOE_REPORT_ACTIVE],
                   order = record[SMOE_REPORT_ORDER];
    float gap;

    counts[SMOE_TOTALS_TOKENS / 2]++;
    if (flags & SMOE_REPORT_FLAG_NONFINITE) {
        counts[SMOE_TOTALS_NONFINITE / 2]++;
        return;
    }
    memcpy(&gap, record + SMOE_REPORT_GAP, sizeof gap);
    counts[SMOE_TOTALS_ACTIVE / 2] += active;
    counts[SMOE_TOTALS_CAPPED / 2] += (flags & SMOE_REPORT_FLAG_CAPPED) != 0;
    counts[SMOE_TOTALS_GROUP_TIES / 2] += (flags & SMOE_REPORT_FLAG_GROUP_TIE) != 0;
    if (counts[SMOE_TOTALS_MAX_ACTIVE / 2] < active)
        counts[SMOE_TOTALS_MAX_ACTIVE / 2] = active;
    counts[SMOE_TOTALS_ORDER / 2 + (order < SMOE_TOTALS_ORDER_COUNT ? order : SMOE_TOTALS_ORDER_COUNT - 1)]++;
    counts[SMOE_TOTALS_GAP / 2 + bin_of(gap)]++;
    for (uint32_t r = 0; r < active; r++)
        counts[SMOE_TOTALS_EXPERTS / 2 + record[SMOE_REPORT_IDS + r]]++;
}

static void add_report(uint64_t *counts, const layer_output *output, uint32_t token_count)
{
    for (uint32_t t = 0; t < token_count; t++)
        add_record(counts, output->report + (size_t)t * output->stride);
}

/* The buffer's words against counts, and smoe_totals_read's numbers. */
static void expect_counts(const uint32_t *words, uint32_t expert_count, const uint64_t *counts)
{
    uint64_t *experts = test_calloc(expert_count, sizeof *experts);
    smoe_totals totals;

    for (uint32_t i = 0; i < SMOE_TOTALS_WORDS(expert_count) / 2; i++)
        if (words[2 * i] != (uint32_t)counts[i] || words[2 * i + 1] != counts[i] >> 32)
            fail_msg("totals word %u: got %#x %#x, want %#llx", 2 * i, words[2 * i], words[2 * i + 1],
                     (unsigned long long)counts[i]);
    assert_int_equal(smoe_totals_read(words, expert_count, &totals, experts), SMOE_SUCCESS);
    assert_true(totals.tokens == counts[SMOE_TOTALS_TOKENS / 2] && totals.active == counts[SMOE_TOTALS_ACTIVE / 2]);
    assert_true(totals.capped == counts[SMOE_TOTALS_CAPPED / 2] &&
                totals.nonfinite == counts[SMOE_TOTALS_NONFINITE / 2]);
    assert_true(totals.group_ties == counts[SMOE_TOTALS_GROUP_TIES / 2] &&
                totals.max_active == counts[SMOE_TOTALS_MAX_ACTIVE / 2]);
    assert_memory_equal(totals.order, counts + SMOE_TOTALS_ORDER / 2, sizeof totals.order);
    assert_memory_equal(totals.gap, counts + SMOE_TOTALS_GAP / 2, sizeof totals.gap);
    assert_memory_equal(experts, counts + SMOE_TOTALS_EXPERTS / 2, expert_count * sizeof *experts);
    test_free(experts);
}

static const uint32_t *totals_words(const stage_run *run)
{
    return (const uint32_t *)(const void *)run->totals.data;
}

/* Two forwards with different params, fewer tokens in the second, and only the routing. Returns what they add up
 * to. */
static uint64_t *run_some(stage_run *run, test_gpu *gpu)
{
    const layer_case *shape = run->data->shape;
    uint64_t *counts = new_counts(shape->expert_count);
    smoe_forward_params params = run->data->params;

    for (int i = 0; i < 3; i++) {
        params.token_count = i == 1 ? (shape->tokens + 1) / 2 : shape->tokens;
        params.eps = i == 1 ? 0 : run->data->params.eps;
        assert_true(stage_run_record(run, gpu, &params, i == 2));
        const layer_output output = stage_run_output(run);
        add_report(counts, &output, params.token_count);
    }
    assert_true(stage_run_guards_intact(run, gpu));
    return counts;
}

/* What the shapes were written for is met. */
static void expect_reached(uint64_t *const counts[SHAPES])
{
    assert_true(counts[1][SMOE_TOTALS_NONFINITE / 2] > 0 && counts[1][SMOE_TOTALS_GROUP_TIES / 2] > 0);
    assert_true(counts[2][SMOE_TOTALS_CAPPED / 2] > 0 && counts[2][SMOE_TOTALS_ORDER / 2 + 8] > 0 &&
                counts[2][SMOE_TOTALS_GAP / 2] > 0);
    assert_true(counts[0][SMOE_TOTALS_ORDER / 2] > 0 && counts[0][SMOE_TOTALS_ORDER / 2 + 1] > 0);
    assert_true(counts[3][SMOE_TOTALS_GAP / 2 + SMOE_TOTALS_GAP_COUNT - 1] > 0);
    assert_int_equal(counts[4][SMOE_TOTALS_GAP / 2 + SMOE_TOTALS_GAP_COUNT - 1], 9 + 5 + 9); /* infinite */
}

static void test_sums(void **state)
{
    const test_device *device = *state;
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    uint64_t *counts[SHAPES];
    test_gpu gpu;

    assert_true(test_gpu_open(&gpu, device->device));
    for (size_t s = 0; s < SHAPES; s++) {
        const uint32_t E = shapes[s].expert_count;
        case_data data;
        stage_run run;
        assert_true(case_data_create(&data, &shapes[s], test_seed()));
        assert_true(stage_run_prepare(&run, &gpu, &keeper, &data));
        assert_int_equal(smoe_plan_totals_size(run.plan), 4 * SMOE_TOTALS_WORDS(E));
        counts[s] = run_some(&run, &gpu);
        expect_counts(totals_words(&run), E, counts[s]);

        /* The same words again, from zero. */
        uint32_t *words = test_malloc(run.totals.part.size);
        memcpy(words, run.totals.data, run.totals.part.size);
        memset(run.totals.data, 0, run.totals.part.size);
        test_free(run_some(&run, &gpu));
        assert_int_equal(test_compare_bits("totals", SMOE_TOTALS_WORDS(E), run.totals.data, words), 0);
        test_free(words);
        stage_run_destroy(&run, &gpu);
        case_data_destroy(&data);
    }
    expect_reached(counts);
    for (size_t s = 0; s < SHAPES; s++)
        test_free(counts[s]);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
}

/* Every count carries into its high word, once. */
static void test_carry(void **state)
{
    const test_device *device = *state;
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    const uint32_t E = shapes[1].expert_count;
    uint32_t carried = 0;
    case_data data;
    stage_run run;
    test_gpu gpu;

    assert_true(test_gpu_open(&gpu, device->device));
    assert_true(case_data_create(&data, &shapes[1], test_seed()));
    assert_true(stage_run_prepare(&run, &gpu, &keeper, &data));
    uint32_t *words = (uint32_t *)(void *)run.totals.data;
    for (uint32_t i = 0; i < SMOE_TOTALS_WORDS(E); i += 2)
        if (i != SMOE_TOTALS_MAX_ACTIVE) {
            words[i] = 0xfffffff0u;
            words[i + 1] = 7;
        }
    uint64_t *counts = run_some(&run, &gpu);
    for (uint32_t i = 0; i < SMOE_TOTALS_WORDS(E) / 2; i++)
        if (i != SMOE_TOTALS_MAX_ACTIVE / 2) {
            carried += counts[i] >= 16;
            counts[i] += 0x7fffffff0u;
        }
    expect_counts(words, E, counts);
    assert_true(carried > E);
    test_free(counts);
    stage_run_destroy(&run, &gpu);
    case_data_destroy(&data);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
}

static void test_passes(void **state)
{
    const test_device *device = *state;
    const layer_case shape = {.name = "more tokens than a pass", .tokens = 2 * SMOE_MAX_PASS_TOKENS + 7, .d_model = 3,
                              .d_hidden = 2, .expert_count = 6, .top_k = 1, .max_active = 2, .eps = 0.5f,
                              .group_count = 3, .top_groups = 2, .logits = LOGITS_EXACT,
                              .activation = SMOE_ACTIVATION_RELU};
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    case_data data;
    stage_run run;
    test_gpu gpu;

    assert_true(test_gpu_open(&gpu, device->device));
    assert_true(case_data_create(&data, &shape, test_seed()));
    assert_true(stage_run_prepare(&run, &gpu, &keeper, &data));
    assert_true(run.shape.pass_tokens < shape.tokens);
    uint64_t *counts = run_some(&run, &gpu);
    expect_counts(totals_words(&run), shape.expert_count, counts);
    assert_int_equal(counts[0], 2 * shape.tokens + (shape.tokens + 1) / 2);
    test_free(counts);
    stage_run_destroy(&run, &gpu);
    case_data_destroy(&data);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
}

/* Two experts whose logits are x and 0: gaps of any value. */
static void test_gap_bins(void **state)
{
    enum { TOKENS = 3 * SMOE_TOTALS_GAP_COUNT + 4 };
    const test_device *device = *state;
    const layer_case shape = {.name = "gaps", .tokens = TOKENS, .d_model = 1, .d_hidden = 1, .expert_count = 2,
                              .top_k = 1, .activation = SMOE_ACTIVATION_RELU};
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    uint32_t tokens = 0;
    case_data data;
    stage_run run;
    test_gpu gpu;

    assert_true(test_gpu_open(&gpu, device->device));
    assert_true(case_data_create(&data, &shape, test_seed()));
    ((float *)data.weights.router_weight)[0] = 1;
    ((float *)data.weights.router_weight)[1] = 0;
    for (uint32_t bin = 1; bin < SMOE_TOTALS_GAP_COUNT; bin++) {
        const float edge = smoe_totals_gap_edge(bin);
        data.x[tokens++] = edge;
        data.x[tokens++] = nextafterf(edge, 0);
        data.x[tokens++] = nextafterf(edge, FLT_MAX);
    }
    data.x[tokens++] = 0;
    data.x[tokens++] = FLT_MIN;
    data.x[tokens++] = FLT_MAX;
    data.params.token_count = tokens;
    assert_true(stage_run_prepare(&run, &gpu, &keeper, &data));
    assert_true(stage_run_record(&run, &gpu, &data.params, true));
    const layer_output output = stage_run_output(&run);
    uint64_t *counts = new_counts(2);
    for (uint32_t t = 0; t < tokens; t++)
        assert_true(report_float(&output, t, SMOE_REPORT_GAP) == data.x[t]);
    add_report(counts, &output, tokens);
    expect_counts(totals_words(&run), 2, counts);
    for (uint32_t bin = 1; bin + 1 < SMOE_TOTALS_GAP_COUNT; bin++)
        assert_int_equal(counts[SMOE_TOTALS_GAP / 2 + bin], 3);
    test_free(counts);
    stage_run_destroy(&run, &gpu);
    case_data_destroy(&data);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
}

static void test_gap_edges(void **state)
{
    (void)state;
    assert_true(smoe_totals_gap_edge(0) == 0);
    assert_true(smoe_totals_gap_edge(1) == 0x1p-24f && smoe_totals_gap_edge(SMOE_TOTALS_GAP_COUNT - 1) == 256);
    for (uint32_t bin = 1; bin < SMOE_TOTALS_GAP_COUNT; bin++) {
        assert_true(smoe_totals_gap_edge(bin) == (float)pow(2, ((double)bin - 1) / 4 - 24));
        assert_true(smoe_totals_gap_edge(bin) > smoe_totals_gap_edge(bin - 1));
    }
    assert_true(isinf(smoe_totals_gap_edge(SMOE_TOTALS_GAP_COUNT)) && isinf(smoe_totals_gap_edge(UINT32_MAX)));
}

static void test_read(void **state)
{
    uint32_t *words = test_malloc(SMOE_TOTALS_WORDS(3) * sizeof *words);
    uint64_t counts[SMOE_TOTALS_WORDS(3) / 2], experts[3];
    smoe_totals totals;

    (void)state;
    for (uint32_t i = 0; i < SMOE_TOTALS_WORDS(3); i++)
        words[i] = i % 2 ? 0x100u + i : 0xff000000u - i;
    words[SMOE_TOTALS_MAX_ACTIVE + 1] = 0;
    for (uint32_t i = 0; i < SMOE_TOTALS_WORDS(3) / 2; i++)
        counts[i] = words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
    expect_counts(words, 3, counts);
    assert_int_equal(smoe_totals_read(words, 3, &totals, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_totals_read(NULL, 3, &totals, experts), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_totals_read(words, 3, NULL, experts), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_totals_read(words, 0, &totals, experts), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_totals_read(words, SMOE_MAX_EXPERTS + 1, &totals, experts), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_plan_totals_size(NULL), 0);
    test_free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_gap_edges, test_device_check),
        cmocka_unit_test_teardown(test_read, test_device_check),
        cmocka_unit_test_teardown(test_gap_bins, test_device_check),
        cmocka_unit_test_teardown(test_sums, test_device_check),
        cmocka_unit_test_teardown(test_carry, test_device_check),
        cmocka_unit_test_teardown(test_passes, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("totals", tests, test_device_setup, test_device_teardown);
}
