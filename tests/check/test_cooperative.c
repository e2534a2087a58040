/* Mixed precision on cooperative matrices: the case table with no weights of 32 bits and rows enough for every tile of
 * the cooperative kernels, stage by stage and the whole layer, within what rounding the inputs may change
 * (src/reference/ref_bound_mixed.c). Only the rows run that show every property of a case with every cooperative
 * kernel. */
#include <stdio.h>
#include <string.h>

#include "case_cover.h"
#include "common/cmocka_all.h"
#include "common/random.h"
#include "cooperative.h"
#include "domain/selection.h"

#define MOST_TOKENS 4000u

typedef struct case_tally {
    uint32_t failed, by_tile[SMOE_REGIME_COUNT], bfloat, scaled, shared;
    check_tally tokens;
} case_tally;

static bool is_cooperative(const smoe_kernel_choice *choice)
{
    return strstr(choice->name, "_cooperative") != NULL;
}

/* The case with weights of 16 bits, or with scales in one precision or the other, and, where the table has few tokens,
 * so many that the tile is chosen: its least rows on average, and more than half of it in all. Neighbouring rows of the
 * table that share a plan still do. */
static layer_case mixed_case(const smoe_device_info *info, const layer_case *row, uint32_t i, const smoe_tile *tile)
{
    layer_case shape = *row;
    const double mean = (double)tile->min_rows * row->expert_count / row->top_k, least = tile->rows / 2u;
    const double tokens = mean > least ? mean : least;

    if (shape.weight_type == SMOE_TYPE_FLOAT32)
        shape.weight_type = i % 2 ? SMOE_TYPE_BFLOAT16 : SMOE_TYPE_FLOAT16;
    shape.precision = !smoe_type_has_scales(shape.weight_type) ? smoe_type_precision(shape.weight_type)
                      : i % 2                                  ? SMOE_PRECISION_BFLOAT16
                                                               : SMOE_PRECISION_FLOAT16;
    if (!cooperative_runs(info, shape.precision))
        shape.precision = SMOE_PRECISION_FLOAT16;
    if (!smoe_type_has_scales(shape.weight_type))
        shape.weight_type = shape.precision == SMOE_PRECISION_FLOAT16 ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16;
    if (tokens > shape.tokens) {
        shape.tokens = (uint32_t)tokens + 1;
        shape.max_tokens = 0;
    }
    return shape;
}

static size_t check_stages(const stage_run *run, check_tally *tally)
{
    size_t (*const checks[])(const stage_run *) = {check_sort,        check_latent_down, check_expert_up,
                                                   check_expert_down, check_latent_sum,  check_latent_up,
                                                   check_combine};
    const layer_output output = stage_run_output(run);

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        const size_t wrong = checks[i](run);
        if (wrong)
            return wrong;
    }
    return check_output(run->data, &run->data->ref_params, &output, tally);
}

static void check_row(const smoe_device_info *info, test_gpu *gpu, plan_keeper *keeper, const layer_case *shape,
                      uint32_t regime, case_tally *tally)
{
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    case_data data;
    stage_run run;

    assert_true(case_data_create(&data, shape, test_seed()));
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &data.plan, shape->tokens, 0}, choices, NULL),
                     SMOE_SUCCESS);
    const bool chosen =
        is_cooperative(&choices[SMOE_STAGE_EXPERT_UP]) && is_cooperative(&choices[SMOE_STAGE_EXPERT_DOWN]);
    const bool good = chosen && stage_run_create(&run, gpu, keeper, &data) && run.shape.pass_tokens >= shape->tokens &&
                      check_stages(&run, &tally->tokens) == 0;
    if (!good) {
        fprintf(stderr, "    %s\n", chosen ? "wrong" : "not a cooperative kernel");
        case_print(&data);
    }
    tally->failed += !good;
    tally->by_tile[regime]++;
    tally->bfloat += shape->precision == SMOE_PRECISION_BFLOAT16;
    tally->scaled += smoe_type_has_scales(shape->weight_type);
    tally->shared += shape->shared_hidden > 0;
    if (chosen)
        stage_run_destroy(&run, gpu);
    case_data_destroy(&data);
}

/* The regimes of the cooperative tiles. */
static uint32_t find_regimes(uint32_t regimes[SMOE_REGIME_COUNT])
{
    const smoe_tuning *tuning = smoe_tuning_cooperative();
    uint32_t count = 0;

    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++)
        if (tuning->regimes[i].rows > 0 && tuning->regimes[i].matmul == SMOE_MATMUL_COOPERATIVE)
            regimes[count++] = i;
    return count;
}

/* The rows of the case table, as far as they can be run, and the regime of each. */
typedef struct mixed_table {
    layer_case *cases;
    uint32_t *regimes, count, few; /* few: left out, too many tokens would be needed */
} mixed_table;

/* Each plan runs with another tile of the cooperative ones, or the highest that the tokens of 1,024 experts can fill in
 * a test's time. */
static mixed_table make_table(const smoe_device_info *info)
{
    const smoe_tile *tiles = smoe_tuning_cooperative()->regimes;
    mixed_table table = {.cases = test_calloc(layer_case_count, sizeof *table.cases),
                         .regimes = test_calloc(layer_case_count, sizeof *table.regimes)};
    uint32_t regimes[SMOE_REGIME_COUNT], plans = 0;
    const uint32_t count = find_regimes(regimes);

    for (uint32_t i = 0; i < layer_case_count; i++) {
        const layer_case *row = &layer_cases[i];
        plans += i > 0 && !case_plans_equal(row, row - 1);
        uint32_t which = plans % count;
        layer_case shape = mixed_case(info, row, plans, &tiles[regimes[which]]);
        while (which > 0 && shape.tokens > MOST_TOKENS && shape.tokens > row->tokens)
            shape = mixed_case(info, row, plans, &tiles[regimes[--which]]);
        if (shape.tokens > MOST_TOKENS && shape.tokens > row->tokens) {
            table.few++;
            continue;
        }
        table.regimes[table.count] = regimes[which];
        table.cases[table.count++] = shape;
    }
    return table;
}

/* Every property of a case with every cooperative kernel. Other kernels run with them in test_stages. */
static case_cover cover_table(const mixed_table *table, const smoe_device_info *info)
{
    smoe_device_info without = *info;
    case_cover cover;

    without.capabilities &=
        ~(uint32_t)(SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16);
    assert_true(case_cover_create(&cover, &(cover_wish){.cases = table->cases, .case_count = table->count,
                                                        .devices = info, .device_count = 1,
                                                        .kinds = COVER_PROPERTY_KERNELS | COVER_KERNEL_DEVICES,
                                                        .together = true,
                                                        .known = &without}));
    return cover;
}

static void print_tally(const case_tally *tally, const mixed_table *table)
{
    uint32_t regimes[SMOE_REGIME_COUNT];
    const uint32_t count = find_regimes(regimes);

    print_message("cases by tile of ");
    for (uint32_t i = 0; i < count; i++)
        print_message("%u rows: %u, ", smoe_tuning_cooperative()->regimes[regimes[i]].rows, tally->by_tile[regimes[i]]);
    print_message(
        "%u with scales, %u with a shared expert; of %u cases, with %u left out, which need more than %u tokens; %llu "
        "tokens, %llu of them "
        "excused as ambiguous\n",
        tally->scaled, tally->shared, table->count, table->few, MOST_TOKENS, (unsigned long long)tally->tokens.tokens,
        (unsigned long long)tally->tokens.excused);
    for (uint32_t i = 0; i < count; i++)
        assert_true(tally->by_tile[regimes[i]] > 0);
}

static void test_table(void **state)
{
    const test_device *device = *state;
    const smoe_device_info *info = cooperative_info(device);
    case_tally tally = {0};
    test_gpu gpu;

    cooperative_need(device);
    plan_keeper keeper = {.context = smoe_device_context(device->device)};
    const mixed_table table = make_table(info);
    case_cover cover = cover_table(&table, info);
    assert_true(test_gpu_open(&gpu, device->device));
    for (uint32_t i = 0; i < table.count; i++)
        if (test_everything() || case_cover_has(&cover, 0, i))
            check_row(info, &gpu, &keeper, &table.cases[i], table.regimes[i], &tally);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
    print_tally(&tally, &table);
    assert_int_equal(tally.failed, 0);
    if (cooperative_runs(info, SMOE_PRECISION_BFLOAT16)) {
        assert_true(tally.bfloat > 0);
    } else {
        assert_int_equal(tally.bfloat, 0);
        print_message("float16 in the place of bfloat16: ");
        cooperative_tell_missing(info, SMOE_PRECISION_BFLOAT16);
    }
    assert_true(tally.shared > 0 && tally.scaled > 0 && table.few * 50 <= layer_case_count);
    assert_true(tally.tokens.excused * 200 <= tally.tokens.tokens);
    case_cover_destroy(&cover);
    test_free(table.cases);
    test_free(table.regimes);
}

/* Whatever the vendor: Mali's tiles are a table of their own. */
static void test_vendors(void **state)
{
    static const uint32_t vendors[] = {0x1002, 0x10de, 0x13b5, 0x5143, 0x8086};
    const test_device *device = *state;

    cooperative_need(device);
    for (size_t i = 0; i < sizeof vendors / sizeof vendors[0]; i++) {
        smoe_device_info info = *cooperative_info(device);
        info.vendor_id = vendors[i];
        if (!cooperative_runs(&info, SMOE_PRECISION_FLOAT16))
            fail_msg("no cooperative kernels for vendor 0x%x", vendors[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_vendors, test_device_check),
        cmocka_unit_test_teardown(test_table, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("cooperative", tests, cooperative_setup, test_device_teardown);
}
